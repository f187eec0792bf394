"""What is in a forecaster's file? All that it takes to forecast elsewhere, as plain values and arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..data import Frequency, Scaler, Table
from ..files import FileFormatError
from ..files import load as load_state
from ..files import save as save_state
from ..training import History

KIND = "tinygrad_rnn forecaster 1"
SETTINGS = ("window", "known", "calendar", "missing", "quantiles", "seed")


def save(forecaster: Any, f: Any) -> None:
    """Write it."""
    model = forecaster.model
    kept = max(forecaster.window, 200)
    save_state(
        {
            "kind": KIND,
            "model": model if isinstance(model, str) else None,
            "network": type(forecaster.network).__name__,
            "sizes": forecaster.sizes,
            "settings": {name: getattr(forecaster, name) for name in SETTINGS},
            "scaling": forecaster.scaling,
            "columns": forecaster.columns,
            "targets": forecaster.targets,
            "frequency": forecaster.frequency and tuple(forecaster.frequency),
            "scaler": forecaster.scaler.state_dict(),
            "known_scaler": forecaster.known_scaler and forecaster.known_scaler.state_dict(),
            "state": forecaster.network.state_dict(),
            "residuals": forecaster.residuals,
            "trained_rows": forecaster.trained_rows,
            "last_date": _seconds(forecaster.last_date),
            "training": forecaster._training,
            "many": forecaster._many,
            "series": [_packed(one[-kept:]) for one in forecaster._series],
            "history": forecaster.history.rows,
            "baseline": forecaster.history.baseline,
        },
        f,
    )


def load(cls: Any, f: Any, model: Any) -> Any:
    """Read it."""
    state = load_state(f)
    if not isinstance(state, dict) or state.get("kind") != KIND:
        raise FileFormatError(f"{f}: this is no file of a Forecaster")
    made = model if state["model"] is None else state["model"]
    if made is None:
        raise ValueError(
            f"{f} holds the weights of a {state['network']}: load(file, model=...), with what makes it"
        )
    if state["model"] is not None and model is not None:
        raise ValueError(f"{f} holds a {state['model']}, which needs no model=")
    loaded = cls(made, scaler=state["scaling"], **state["sizes"], **state["settings"])
    loaded.columns, loaded.targets = tuple(state["columns"]), tuple(state["targets"])
    loaded.frequency = None if state["frequency"] is None else Frequency(*state["frequency"])
    loaded.scaler = Scaler.from_state(_arrays(state["scaler"]))
    known = state["known_scaler"]
    loaded.known_scaler = None if known is None else Scaler.from_state(_arrays(known))
    loaded._build()
    loaded.network.load_state_dict(state["state"])
    loaded.network.eval()
    loaded.residuals = np.asarray(state["residuals"])
    loaded.trained_rows = state["trained_rows"]
    seconds = state["last_date"]
    loaded.last_date = None if seconds is None else np.datetime64(seconds, "s")
    loaded._training, loaded._many = state["training"], state["many"]
    loaded._series = [_unpacked(one, loaded.frequency) for one in state["series"]]
    loaded.history = History()
    loaded.history.rows, loaded.history.baseline = state["history"], state["baseline"]
    loaded._fitted = True
    return loaded


def _packed(one: Table) -> dict[str, Any]:
    return {
        "values": one.values,
        "names": one.names,
        "dates": None if one.dates is None else one.dates.astype(np.int64),
    }


def _unpacked(state: dict[str, Any], frequency: Frequency | None) -> Table:
    dates = state["dates"]
    when = None if dates is None else np.asarray(dates).astype("M8[s]")
    return Table(np.array(state["values"]), tuple(state["names"]), when, frequency)


def _seconds(date: Any) -> int | None:
    return None if date is None else int(date.astype("M8[s]").astype(np.int64))


def _arrays(state: dict[str, Any]) -> dict[str, Any]:
    return {key: np.array(v) if hasattr(v, "shape") else v for key, v in state.items()}
