"""How does a forecaster go into sktime? The library's own, behind its ``fit``, ``predict`` and intervals."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.signatures import readable
from ..forecasting import Forecaster

try:
    import pandas as pd
    from sktime.forecasting.base import BaseForecaster
except ImportError as error:
    raise ImportError(
        "this forecaster needs sktime, which is not installed: `pip install sktime`"
    ) from error

__all__ = ["RecurrentForecaster"]


class RecurrentForecaster(BaseForecaster):  # type: ignore[misc]
    """``tg.Forecaster`` as a forecaster of sktime: for its pipelines, tuning and evaluation.

    ``model``, ``window``, ``hidden``, ``layers``, ``dropout``, ``epochs``, ``lr`` and ``seed`` are those of
    :class:`tinygrad_rnn.Forecaster` and its ``fit``. A series shorter than two windows has shorter windows.
    After ``fit``, ``forecaster_`` is the fitted Forecaster. Interval forecasts are drawn courses.

    >>> from sktime.datasets import load_airline
    >>> from tinygrad_rnn.estimators.forecasting import RecurrentForecaster
    >>> forecaster = RecurrentForecaster(window=24).fit(load_airline(), fh=[1, 2, 3])
    >>> len(forecaster.predict())
    3
    """

    _tags = {  # noqa: RUF012 (sktime reads a plain attribute)
        "authors": ["tinygrad_rnn"],
        "capability:multivariate": True,
        "y_inner_mtype": "pd.DataFrame",
        "X_inner_mtype": "pd.DataFrame",
        "capability:exogenous": False,
        "capability:missing_values": False,
        "capability:pred_int": True,
        "capability:pred_int:insample": False,
        "capability:insample": False,
        "requires-fh-in-fit": False,
        "capability:update": True,
    }

    def __init__(
        self,
        model: str = "lstm",
        window: int = 28,
        hidden: int = 16,
        layers: int = 1,
        dropout: float = 0.0,
        epochs: int = 100,
        lr: float = 0.01,
        seed: int = 0,
    ) -> None:
        self.model, self.window, self.hidden, self.layers = model, window, hidden, layers
        self.dropout, self.epochs, self.lr, self.seed = dropout, epochs, lr, seed
        super().__init__()

    def _fit(self, y: Any, X: Any, fh: Any) -> RecurrentForecaster:
        window = max(1, min(self.window, len(y) // 2 - 1))
        self.forecaster_ = Forecaster(
            self.model, window=window, hidden=self.hidden, layers=self.layers, dropout=self.dropout,
            seed=self.seed,
        ).fit(y.to_numpy(), epochs=self.epochs, lr=self.lr, progress=False)  # fmt: skip
        self._seen = y
        return self

    def _update(self, y: Any, X: Any = None, update_params: bool = True) -> RecurrentForecaster:
        """Read on to the end of ``y``, and train anew on all of it unless told not to."""
        seen = y.combine_first(self._seen)[self._seen.columns]
        if update_params:
            self._fit(seen, X, self._fh)
        self._seen = seen
        return self

    def _made(self, fh: Any, level: float | None = None) -> tuple[Any, Any, Any]:
        """The forecast as far as it is asked for, the rows asked for, and their index."""
        rows = np.asarray(fh.to_relative(self.cutoff).to_numpy(), int) - 1
        made = self.forecaster_.forecast(int(rows.max()) + 1, self._seen.to_numpy(), level=level)
        return made, rows, fh.to_absolute_index(self.cutoff)

    def _predict(self, fh: Any, X: Any) -> Any:
        made, rows, index = self._made(fh)
        return pd.DataFrame(made.values[rows], index=index, columns=self._seen.columns)

    def _predict_interval(self, fh: Any, X: Any, coverage: list[float]) -> Any:
        names = self._get_varnames()
        columns = pd.MultiIndex.from_product([names, coverage, ["lower", "upper"]])
        found = pd.DataFrame(columns=columns, dtype=float)
        for level in coverage:
            made, rows, index = self._made(fh, level)
            found = found.reindex(index)
            for k, name in enumerate(names):
                found[name, level, "lower"] = made.lower[rows, k]
                found[name, level, "upper"] = made.upper[rows, k]
        return found

    @classmethod
    def get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
        """Small settings, for sktime's own checks."""
        return [
            {"window": 4, "hidden": 3, "epochs": 2},
            {"model": "rnn", "window": 3, "hidden": 2, "epochs": 1, "seed": 1},
        ]


readable(__name__)
