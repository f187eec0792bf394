"""How does a series become a forecast? Fitted on windows, one step ahead; forecast in a closed loop."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from .. import nn, optim
from ..data import Scaler, Table, windows
from ..data.calendars import calendar, check_features, day_name
from ..data.cutting import check_count
from ..data.tables import check_missing, is_many, tables
from ..engine.keywords import clear_keywords
from ..engine.random import seeded
from ..engine.switches import no_grad
from ..tensors import Tensor, as_tensor, get_default_dtype
from ..training import DataLoader, History, fit
from . import closed_loop, files
from .backtests import Backtest, rolling_origin
from .models import Factory, called, checked, made
from .results import Forecast

Values = NDArray[Any]
QUANTILES = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
KEPT = 1000  # residuals


class Forecaster:
    """Forecasts a series: fitted one step ahead on windows, forecast in a closed loop with the state.

    With ``s`` the scaled rows and ``k`` what is known beforehand, the model predicts ``s_{t+1}`` from
    ``(s_t, k_{t+1})`` and its state; ``forecast(n)`` reads the last ``window`` rows and feeds each forecast
    back.

    - ``model``: "lstm", "gru" or "rnn" with ``hidden`` units, ``layers`` and ``dropout``; a recurrent layer,
      which gets a linear head; a Module of your own, or a function or class that makes one of ``(inputs,
      outputs)``. Its ``forward(x, state=None)`` takes x (time, batch, inputs), returns (time, batch, outputs)
      and the state, or the output alone, and sees no later step: that is checked.
    - ``window``: rows that a forecast looks back, and that training's windows have.
    - ``known``: columns that are known beforehand (holidays, prices); all others are forecast and fed back.
    - ``calendar``: features of the date, such as ("dayofweek", "month"); see ``tg.data.calendar``.
    - ``missing``: "error", "interpolate" or "forward"; each history is filled from itself alone.
    - ``scaler``: "standard", "minmax" or "none", fitted on the training rows alone.
    - ``quantiles``: True, or a rising sequence with 0.5 in it: the model then predicts these quantiles,
      trained by the pinball loss, and intervals are drawn from them.
    - ``seed``: where weights, batches and draws start, None for one that is drawn; the library's generator
      is left alone.

    Raises ValueError for options out of range or that have no effect on the model.

    >>> import numpy as np, tinygrad_rnn as tg
    >>> wave = np.sin(np.arange(200.0) * 0.3)
    >>> forecaster = tg.Forecaster("gru", window=20, hidden=8).fit(wave, epochs=30, progress=False)
    >>> error = np.asarray(forecaster.forecast(5)).ravel() - np.sin(np.arange(200, 205) * 0.3)
    >>> bool((abs(error) < 0.2).all())
    True
    """

    @clear_keywords
    def __init__(
        self,
        model: str | nn.Module | Factory = "lstm",
        *,
        window: int = 28,
        hidden: int | None = None,
        layers: int | None = None,
        dropout: float | None = None,
        known: str | int | Iterable[str | int] = (),
        calendar: str | Iterable[str] = (),
        missing: str = "error",
        scaler: str = "standard",
        quantiles: bool | Sequence[float] = False,
        seed: int | None = 0,
    ) -> None:
        check_count("window", window)
        check_missing(missing)
        seed = _checked_seed(seed)
        if not (isinstance(model, (str, nn.Module)) or callable(model)):
            raise TypeError(
                f"model is a name, a Module or a function (inputs, outputs) that makes one, not {model!r}"
            )
        Scaler(scaler)
        sizes: dict[str, Any] = {"hidden": hidden, "layers": layers, "dropout": dropout}
        given = {name: value for name, value in sizes.items() if value is not None}
        if given and not isinstance(model, str):
            raise ValueError(f"{', '.join(given)}: a model of your own has sizes of its own")
        self.model, self.window, self.sizes, self.seed = model, int(window), given, seed
        names = known if isinstance(known, (list, tuple, set)) else (known,)
        self.known = tuple(map(str, names))
        self.calendar = check_features(calendar)
        self.missing, self.scaling = missing, scaler
        self.quantiles = _checked_quantiles(quantiles)
        if isinstance(model, str):
            made(model, 1, 1, 1, **given)
        self._fitted = False

    # ---- fitting

    @clear_keywords
    def fit(
        self,
        series: Any,
        target: Any = None,
        *,
        epochs: int = 100,
        batch_size: int = 32,
        lr: float = 0.01,
        validation: float = 0.2,
        patience: int | None = 10,
        clip: float = 1.0,
        progress: bool = True,
    ) -> Forecaster:
        """Train on a series, or a list of them (see ``tg.data.table``), and return the forecaster.

        ``target`` names the columns that matter, all but the known ones unless given. The last share
        ``validation`` of the rows of each series takes no part in training or scaling: the best epoch is
        chosen on it, training ends ``patience`` epochs after that, and its errors are the noise of intervals.
        ``history`` holds the course. Raises ValueError for a series that is too short or has missing values
        without a choice, TypeError for columns that are no numbers.
        """
        if not is_share(validation) or validation == 1:
            raise ValueError(
                f"validation is a share of the rows, from 0 to below 1, got {_short(validation)}"
            )
        check_count("epochs", epochs)
        found = self._take(tables(series), target)
        self._series = [one.filled(self.missing) for one in found]
        parts = [self._parted(k, one, validation) for k, one in enumerate(found)]
        trained = [one[:cut].filled(self.missing) for one, cut in zip(found, parts, strict=True)]
        self._scale(trained)
        with seeded(self.seed):
            self._build()
            batches = self._windows(trained)
            loader = DataLoader(batches, batch_size=batch_size, shuffle=True)
            judged = self._judged(parts)
            self.history: History = fit(
                _OneStep(self.network),
                loader,
                self._loss,
                optim.Adam(self.network.parameters(), lr=lr),
                epochs=epochs,
                validation=judged,
                clip=clip,
                patience=patience if judged is not None else None,
                progress=progress,
            )
        if self.quantiles:  # of this loss the best constants are known
            self.history.baseline = self._constant_loss(batches[1], (judged or batches)[1])
        self.network.eval()
        self.residuals = self._errors(judged if judged is not None else batches)
        self.trained_rows = len(found[0])
        self.last_date = max(
            (one.dates[-1] for one in found if one.dates is not None), default=None
        )
        self._fitted, self._many = True, is_many(series)
        self._training: dict[str, Any] = {
            "epochs": epochs, "batch_size": batch_size, "lr": lr, "validation": validation,
            "patience": patience, "clip": clip,
        }  # fmt: skip
        return self

    def _take(self, found: list[Table], target: Any) -> list[Table]:
        """Note the columns of the first fit, the targets among them."""
        one = found[0]
        known = one.places(self.known, "known column") if self.known else []
        self.columns = tuple(name for k, name in enumerate(one.names) if k not in known)
        if not self.columns:
            raise ValueError("every column is known: there is none to forecast")
        if target is not None and {one.names[k] for k in one.places(target, "target")} & {
            *self.known
        }:
            raise ValueError(f"target {target!r} is a known column, which is not forecast")
        rows = one.columns(self.columns)
        self.targets = tuple(rows.names[k] for k in rows.places(target, "target"))
        self.frequency = one.frequency
        for k, other in enumerate(found):
            if other.frequency != one.frequency:
                raise ValueError(
                    f"series {k} has rows {other.frequency} apart, and series 0 {one.frequency}"
                )
        if self.calendar and one.dates is None:
            raise ValueError(f"calendar={self.calendar} needs dates, and the series has none")
        return found

    def _parted(self, k: int, one: Table, validation: float) -> int:
        """How many rows of a series are trained on."""
        cut = len(one) - round(len(one) * validation)
        if cut < self.window + 1:
            raise ValueError(
                f"series {k} has {len(one)} rows, {cut} of them to train on, and window={self.window} takes "
                f"at least {self.window + 1}: choose a smaller window"
            )
        return cut

    def _scale(self, trained: list[Table]) -> None:
        """Fit the scalers on what is trained on."""
        values = np.concatenate([one.columns(self.columns).values for one in trained])
        self.scaler = Scaler(self.scaling).fit(values)
        beside = [one.columns(self.known).values for one in trained] if self.known else []
        self.known_scaler = Scaler(self.scaling).fit(np.concatenate(beside)) if beside else None

    def _build(self) -> None:
        """The network, for the columns as they are."""
        columns, copies = len(self.columns), len(self.quantiles) or 1
        inputs = columns + len(self.known) + 2 * len(self.calendar)
        self.network = made(self.model, inputs, columns, copies, **self.sizes)
        self._stateful = checked(self.network, inputs, copies * columns, self.window)

    def _windows(self, series: list[Table]) -> tuple[Values, Values]:
        """Examples to train on: inputs (n, window, inputs), the next rows (n, window, columns)."""
        k = len(self.columns)
        rows = [np.concatenate([self._values(one), self._beside(one)], -1) for one in series]
        cut, last = windows(rows, self.window, 1)
        after = np.concatenate([cut[:, 1:], last], 1)
        return np.concatenate([cut[..., :k], after[..., k:]], -1), after[..., :k]

    def _judged(self, parts: list[int]) -> tuple[Values, Values] | None:
        """One-step forecasts of the validation rows from full windows: targets (n, 1, columns)."""
        x, y = [], []
        for one, cut in zip(self._series, parts, strict=True):
            if cut < len(one):
                inputs, after = self._windows([one[cut - self.window :]])
                x.append(inputs)
                y.append(after[:, -1:])
        return (np.concatenate(x), np.concatenate(y)) if x else None

    def _loss(self, said: Tensor, came: Tensor) -> Tensor:
        """Squared error, or with quantiles the pinball loss; of the last steps where fewer came."""
        said = said[:, -came.shape[1] :]
        if not self.quantiles:
            return nn.functional.mse_loss(said, came)
        k = len(self.columns)
        total: Any = 0.0
        for i, q in enumerate(self.quantiles):
            error = came - said[..., i * k : (i + 1) * k]
            total = total + (error * q).maximum(error * (q - 1)).mean()
        loss: Tensor = total / len(self.quantiles)
        return loss

    def _constant_loss(self, fitted: Values, judged: Values) -> float:
        """The loss on ``judged`` of the quantiles of the rows in ``fitted``, whatever came before."""
        best = np.quantile(fitted.reshape(-1, fitted.shape[-1]), self.quantiles, 0).ravel()
        said = np.broadcast_to(best, (*judged.shape[:2], best.size))
        with no_grad():
            return float(self._loss(as_tensor(said.astype(judged.dtype)), as_tensor(judged)))

    def _errors(self, examples: tuple[Values, Values]) -> Values:
        """Actual minus predicted value of the last step of each window: (n, columns), scaled."""
        x, y = examples
        said = called(self.network, x.swapaxes(0, 1))[0].numpy()[-1]
        choose = closed_loop.middle(self.quantiles, len(self.columns))
        errors: Values = y[:, -1] - choose(said, 0)
        return errors[-KEPT:]

    # ---- what the network reads

    def _values(self, one: Table) -> Values:
        return self.scaler.transform(one.columns(self.columns).values).astype(get_default_dtype())

    def _beside(self, one: Table) -> Values:
        """What is known beforehand of each row: its known columns and its date, (n, k)."""
        parts = [np.zeros((len(one), 0))]
        if self.known_scaler is not None:
            parts.append(self.known_scaler.transform(one.columns(self.known).values))
        if self.calendar:
            parts.append(calendar(one.dates, self.calendar))
        return np.concatenate(parts, -1).astype(get_default_dtype())

    # ---- forecasts

    @clear_keywords
    def forecast(
        self,
        n: int,
        history: Any = None,
        *,
        known: Any = None,
        level: float | None = None,
        samples: int = 500,
        seed: int | None = None,
    ) -> Any:
        """The next ``n`` rows, as a :class:`Forecast`: after the series that was fitted, or ``history``.

        The last ``window`` rows are read, then each forecast goes back in with the state. ``known`` holds
        the known columns of the next ``n`` rows, a table or frame; with dates it may hold others as well.
        With ``level``, such as 0.9, ``samples`` courses are drawn and the bounds hold that share of them:
        each step draws from the quantiles, or else adds one of the errors on the validation rows, with
        dropout on where the model has it. A list of series gives a list of forecasts. Nothing is recorded.
        Raises ValueError for ``n`` below 1, other columns or dates than those fitted, and missing values
        without a choice.
        """
        check_count("n", n)
        self._check_level(level, samples)
        series = self._history(history)
        beside = [known] * len(series) if len(series) == 1 else list(known or [None] * len(series))
        forecasts = [
            self._forecast(one, n, ahead, level, samples, self.seed if seed is None else seed)
            for one, ahead in zip(series, beside, strict=True)
        ]
        several = self._many if history is None else is_many(history)
        return forecasts if several else forecasts[0]

    def _forecast(
        self, one: Table, n: int, known: Any, level: float | None, samples: int, seed: int
    ) -> Forecast:
        dates = None
        if one.dates is not None and one.frequency is not None:
            dates = one.frequency.after(one.dates[-1], n)
        read = one[-self.window :]
        beside = np.concatenate([self._beside(read), self._ahead(n, dates, known)])[:, None]
        values = self._values(read)[:, None]
        point = self._run(values, beside, n)
        bounds: tuple[Any, Any] = (None, None)
        if level is not None:
            bounds = self._bounds(values, beside, n, level, samples, seed)
        cut = [None if b is None else self._unscaled(b)[:, 0] for b in bounds]
        target = one.columns(self.targets)
        return Forecast(
            self._unscaled(point)[:, 0], self.targets, target, dates, level, cut[0], cut[1]
        )

    def _ahead(self, n: int, dates: Any, known: Any) -> Values:
        """What is known of the rows to be forecast."""
        if not self.known:
            if known is not None:
                raise ValueError("known= was given, and the forecaster has no known columns")
            return self._beside(Table(np.zeros((n, 1)), ("",), dates, self.frequency))
        if known is None:
            raise ValueError(f"forecast needs known=, the next {n} rows of {', '.join(self.known)}")
        rows = tables(known)[0].columns(self.known).filled()
        if rows.dates is not None and dates is not None:
            rows = rows[int(np.searchsorted(rows.dates, dates[0])) :]
        if len(rows) < n:
            begin = "" if rows.dates is None or dates is None else f" from {day_name(dates[0])} on"
            raise ValueError(f"known has {len(rows)} rows{begin}, and {n} are to be forecast")
        if rows.dates is not None and dates is not None and (rows.dates[:n] != dates).any():
            raise ValueError(
                f"known begins at {rows.row(0)}, and the forecast at {day_name(dates[0])}, a row every "
                f"{self.frequency}"
            )
        return self._beside(Table(rows.values[:n], self.known, dates, self.frequency))

    def _run(self, values: Values, beside: Values, n: int, choose: Any = None) -> Values:
        own = choose or closed_loop.middle(self.quantiles, len(self.columns))
        return closed_loop.closed_loop(self.network, values, beside, n, own, self._stateful)

    def _bounds(
        self, values: Values, beside: Values, n: int, level: float, samples: int, seed: int
    ) -> tuple[Values, Values]:
        """Between which values lies that share of sampled courses: two of (n, batch, columns)."""
        generator, k = np.random.default_rng(seed), len(self.columns)
        if self.quantiles:
            choose = closed_loop.drawn_from_quantiles(self.quantiles, k, generator)
        else:
            choose = closed_loop.with_residuals(self.residuals, k, generator)
        batch = values.shape[1]
        many = [np.repeat(part, samples, 1) for part in (values, beside)]
        with seeded(seed), self._dropping():
            courses = self._run(many[0], many[1], n, choose).reshape(n, batch, samples, k)
        low, high = np.quantile(courses, [(1 - level) / 2, (1 + level) / 2], 2)
        return low, high

    @contextlib.contextmanager
    def _dropping(self) -> Iterator[None]:
        """Dropout on, unless quantiles give the spread."""
        if self.quantiles:
            yield
            return
        self.network.train()
        try:
            yield
        finally:
            self.network.eval()

    def _unscaled(self, scaled: Values) -> Values:
        """Rows (..., columns) in their unit, the targets of them."""
        places = [self.columns.index(name) for name in self.targets]
        return self.scaler.inverse_transform(scaled)[..., places]

    @clear_keywords
    def predict(self, series: Any = None) -> Any:
        """One-step forecasts of a series' own rows (n, targets), each from the ``window`` rows before it.

        The first ``window`` rows are NaN. Evaluation mode, nothing is recorded. The series that was fitted
        unless one is given; a list of series gives a list.
        """
        given = self._history(series)
        rows = []
        for one in given:
            said = np.full((len(one), len(self.targets)), np.nan)
            if len(one) > self.window:
                x, _ = self._windows([one])
                out = called(self.network, x.swapaxes(0, 1))[0].numpy()[-1]
                choose = closed_loop.middle(self.quantiles, len(self.columns))
                said[self.window :] = self._unscaled(choose(out, 0))
            rows.append(said)
        several = self._many if series is None else is_many(series)
        return rows if several else rows[0]

    def recorded(self, series: Any = None) -> Tensor:
        """The network's outputs after each of the last ``window`` rows, (window, 1, outputs), recorded.

        For pictures and ledgers: ``tg.draw(forecaster.recorded(), "network.svg")`` draws the unrolled graph,
        and a loss of it gives ``loss.backward(ledger=True)``. Values are scaled.
        """
        read = self._history(series)[0][-self.window :]
        ahead = None if not self.known else read.columns(self.known)[-1:]
        dates = None
        if read.frequency is not None and read.dates is not None:
            dates = read.frequency.after(read.dates[-1], 1)
            ahead = None if ahead is None else dataclasses.replace(ahead, dates=dates)
        beside = np.concatenate([self._beside(read), self._ahead(1, dates, ahead)])[1:]
        x = np.concatenate([self._values(read), beside], -1)[:, None]
        given = self.network(as_tensor(x))
        said: Tensor = given[0] if isinstance(given, tuple) else given
        return said

    @clear_keywords
    def backtest(
        self,
        series: Any,
        horizon: int,
        *,
        start: Any = None,
        stride: int = 1,
        season: int | None = None,
        level: float | None = None,
        samples: int = 200,
        refit: bool = False,
    ) -> Backtest:
        """Forecast again and again as time goes on, and compare with what came: a :class:`Backtest`.

        ``series`` is the whole series, whose beginning was fitted. From each origin, ``start`` (a row or a
        date; the end of what was fitted unless given) and every ``stride`` rows after it, ``horizon`` rows
        are forecast from the rows before the origin alone, beside persistence and the seasonal naive
        forecast of ``season`` rows (by default 7 for days, 24 for hours, 12 for months). Missing actual
        values count in no error. ``refit`` fits a new forecaster at every origin on all rows before it. With
        ``level`` intervals are drawn, and how often they hold is counted. Raises ValueError for an origin
        among the rows that were fitted, unless ``refit``, and where no origin is left.
        """
        return rolling_origin(self, series, horizon, start, stride, season, level, samples, refit)

    # ---- files

    def save(self, f: str | os.PathLike[str] | BinaryIO) -> None:
        """Write model, settings, scaler and the last rows into one file, in the safetensors format.

        All or nothing, without pickle, with the versions of this library and numpy. A model of one's own is
        in it by its weights: ``load`` is given what makes it.
        """
        self._need_fit()
        files.save(self, f)

    @classmethod
    def load(
        cls, f: str | os.PathLike[str] | BinaryIO, model: nn.Module | Factory | None = None
    ) -> Forecaster:
        """The forecaster that was saved: it forecasts to the same bits, in any folder or process.

        ``model`` makes a model of one's own, as it was given to the forecaster. Raises FileFormatError for
        a file of something else, ValueError for a model of one's own that is not given.
        """
        loaded: Forecaster = files.load(cls, f, model)
        return loaded

    def clone(self) -> Forecaster:
        """A forecaster with the same settings that is not fitted."""
        model = self.model
        if isinstance(model, nn.Module):
            raise ValueError(
                f"{type(model).__name__} was given as a Module, and to be fitted anew it must be made anew: "
                "give the forecaster a function (inputs, outputs) that makes it"
            )
        return type(self)(
            model, window=self.window, known=self.known, calendar=self.calendar, missing=self.missing,
            scaler=self.scaling, quantiles=self.quantiles, seed=self.seed, **self.sizes,
        )  # fmt: skip

    def __repr__(self) -> str:
        name = self.model if isinstance(self.model, str) else _called(self.model)
        fitted = f"fitted to {', '.join(self.targets)}" if self._fitted else "not fitted"
        return f"Forecaster({name!r}, window={self.window}, {fitted})"

    # ---- what came in

    def _need_fit(self) -> None:
        if not self._fitted:
            raise ValueError("the forecaster is not fitted: call fit first")

    def _check_level(self, level: float | None, samples: int) -> None:
        self._need_fit()
        if level is None:
            return
        if not is_share(level) or level in (0, 1):
            raise ValueError(f"level is a share between 0 and 1, such as 0.9, got {level!r}")
        check_count("samples", samples)

    def _history(self, history: Any) -> list[Table]:
        """The series to go on from, filled, with the columns that were fitted."""
        self._need_fit()
        if history is None:
            return self._series
        return [self._checked(one).filled(self.missing) for one in tables(history)]

    def _checked(self, one: Table) -> Table:
        lacking = [name for name in (*self.columns, *self.known) if name not in one.names]
        if lacking:
            raise ValueError(
                f"the series has no {', '.join(lacking)}, which the forecaster was fitted on"
            )
        if (one.dates is None) != (self.frequency is None):
            has, had = ("has no", "some") if one.dates is None else ("has", "none")
            raise ValueError(f"the series {has} dates, and the one that was fitted had {had}")
        if self.frequency is not None and one.dates is not None and one.frequency != self.frequency:
            # a few rows may not tell: Monday to Friday are days, and of a series of workdays
            if (self.frequency.after(one.dates[0], len(one) - 1) != one.dates[1:]).any():
                raise ValueError(
                    f"the rows are {one.frequency} apart, and were {self.frequency} apart in fitting"
                )
            one = dataclasses.replace(one, frequency=self.frequency)
        return one.columns((*self.columns, *self.known))


class _OneStep(nn.Module):
    """The network as training calls it: examples first, without the state."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Any) -> Tensor:
        """(n, time, inputs) in, (n, time, outputs) out."""
        given = self.network(as_tensor(x).transpose(0, 1))
        said: Tensor = given[0] if isinstance(given, tuple) else given
        return said.transpose(0, 1)


def is_share(value: Any) -> bool:
    """Whether a value is a number from 0 to 1."""
    number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    return number and bool(0 <= value <= 1)


def _checked_seed(seed: Any) -> int:
    """The seed, or for None one that is drawn. Raises ValueError for what no generator can begin with."""
    if seed is None:
        return int(np.random.default_rng().integers(2**31))
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ValueError(f"seed must be a whole number from 0 on, got {seed!r}")
    return int(seed)


def _short(value: Any) -> str:
    """A value in an error: a long one by its kind."""
    return repr(value) if isinstance(value, (int, float, str)) else f"a {type(value).__name__}"


def _checked_quantiles(given: Any) -> tuple[float, ...]:
    if given is True:
        return QUANTILES
    listed = isinstance(given, (list, tuple, np.ndarray)) and all(map(is_share, given))
    if not listed and given is not False and given is not None:
        raise ValueError(
            f"quantiles are several shares such as (0.1, 0.5, 0.9), or True, got {given!r}"
        )
    found = tuple(map(float, given)) if listed else ()
    rises = all(a < b for a, b in itertools.pairwise(found))
    if found and not (rises and 0.5 in found and found[0] > 0 and found[-1] < 1 and len(found) > 1):
        raise ValueError(
            f"quantiles rise between 0 and 1, several of them and 0.5 among them, got {given!r}"
        )
    return found


def _called(model: nn.Module | Callable[..., Any]) -> str:
    return (
        type(model).__name__
        if isinstance(model, nn.Module)
        else getattr(model, "__name__", "model")
    )
