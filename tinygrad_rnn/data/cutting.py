"""How is a series cut into examples? Windows of what came before, beside what came next."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..engine.keywords import clear_keywords
from ..tensors import get_default_dtype
from .tables import Table, check_missing, tables

SKIP = "skip"


class Windows(NamedTuple):
    """Examples: ``x`` (n, window, columns), ``y`` (n, horizon, targets), ready for ``tg.DataLoader``."""

    x: NDArray[Any]
    y: NDArray[Any]


def check_count(name: str, value: Any) -> None:
    """Raise ValueError for what is no whole number from 1 on."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ValueError(f"{name} must be a whole number from 1 on, got {value!r}")


@clear_keywords
def windows(
    series: Any,
    window: int,
    horizon: int = 1,
    stride: int = 1,
    *,
    target: Any = None,
    missing: str = "error",
) -> Windows:
    """Cut a series into examples: ``window`` rows of all columns, and the targets' next ``horizon`` rows.

    ``x[i] = series[i * stride : i * stride + window]`` and ``y[i] = series[i * stride + window : ... +
    horizon, target]``, in the default dtype.

    ``series`` is an array (n,) or (n, columns), a DataFrame (see :func:`table`), or a list of series of any
    lengths: no window crosses from one into the next. ``target`` names columns by name or number, all of them
    unless given. ``missing`` says what becomes of NaN: "error", "interpolate", "forward" (see
    :meth:`Table.filled`), or "skip", which leaves out every window with one in it. Fill before you part a
    series in time, and the filling sees the future: part first.

    Raises ValueError for sizes below 1, columns that are not there, missing values, and where a series is
    shorter than ``window + horizon``.

    >>> from tinygrad_rnn.data import windows
    >>> x, y = windows([1.0, 2.0, 3.0, 4.0, 5.0], window=3, horizon=1)
    >>> x[:, :, 0].tolist(), y[:, :, 0].tolist()
    ([[1.0, 2.0, 3.0], [2.0, 3.0, 4.0]], [[4.0], [5.0]])
    """
    for name, size in (("window", window), ("horizon", horizon), ("stride", stride)):
        check_count(f"windows: {name}", size)
    if missing != SKIP:
        check_missing(missing)
    found = tables(series)
    places = found[0].places(target, "target")
    parts = [_cut(k, one, window, horizon, stride, missing) for k, one in enumerate(found)]
    whole = np.concatenate(parts)
    if not len(whole):
        raise ValueError("windows: every window has a missing value in it")
    return Windows(whole[:, :window], np.ascontiguousarray(whole[:, window:, places]))


def _cut(k: int, one: Table, window: int, horizon: int, stride: int, missing: str) -> NDArray[Any]:
    """The windows of one series with their targets, (n, window + horizon, columns)."""
    length = window + horizon
    if len(one) < length:
        raise ValueError(
            f"windows: series {k} has {len(one)} rows, and window={window} with horizon={horizon} takes "
            f"{length}"
        )
    values = (one if missing == SKIP else one.filled(missing)).values
    rows = np.lib.stride_tricks.sliding_window_view(values, length, 0)[::stride].swapaxes(1, 2)
    kept = rows[~np.isnan(rows).any((1, 2))] if missing == SKIP else rows
    return np.ascontiguousarray(kept, get_default_dtype())
