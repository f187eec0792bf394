"""What makes columns of any unit alike for a network, and takes forecasts back to their unit?"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .frames import is_frame, of_frame
from .tables import Table

Values = NDArray[np.float64]
KINDS = ("standard", "minmax", "none")


class Scaler:
    """``scaled = (x - offset) / scale``, a pair of numbers a column; fit it on the training part alone.

    ``kind`` is "standard" (mean and standard deviation), "minmax" (the smallest value becomes 0, the largest
    1) or "none". Values are an array, a DataFrame or a Table. Missing values (NaN) are passed over in fitting
    and stay what they are; a constant column has the scale 1. Raises ValueError for another kind, for columns
    that are not those it was fitted on, and where it was not fitted.

    >>> import numpy as np
    >>> from tinygrad_rnn.data import Scaler
    >>> scaler = Scaler().fit(np.array([[1.0], [3.0]]))
    >>> scaler.transform([[1.0], [2.0], [3.0]]).ravel()
    array([-1.,  0.,  1.])
    >>> scaler.inverse_transform([[2.0]])
    array([[4.]])
    """

    def __init__(self, kind: str = "standard") -> None:
        if kind not in KINDS:
            raise ValueError(f"Scaler: kind must be one of {', '.join(KINDS)}, got {kind!r}")
        self.kind = kind
        self.offset: Values | None = None
        self.scale: Values | None = None

    def fit(self, values: Any) -> Scaler:
        """Take offset and scale of each column from ``values`` (n, columns); returns the scaler."""
        found = _columns(values)
        if not len(found) or np.isnan(found).all(0).any():
            raise ValueError("Scaler: a column has no value to be fitted on")
        if self.kind == "standard":
            offset, scale = np.nanmean(found, 0), np.nanstd(found, 0)
        elif self.kind == "minmax":
            offset = np.nanmin(found, 0)
            scale = np.nanmax(found, 0) - offset
        else:
            offset, scale = np.zeros(found.shape[1]), np.ones(found.shape[1])
        # what rounding leaves of a constant is no scale
        constant = scale <= 1e-12 * np.abs(offset)
        self.offset, self.scale = offset, np.where(constant, 1.0, scale)
        return self

    def transform(self, values: Any) -> Values:
        """Values (..., columns) without their unit."""
        offset, scale = self._fitted(values)
        return (_array(values) - offset) / scale

    def inverse_transform(self, values: Any) -> Values:
        """Scaled values (..., columns) in their unit."""
        offset, scale = self._fitted(values)
        return _array(values) * scale + offset

    def fit_transform(self, values: Any) -> Values:
        """``fit`` and ``transform`` of the same values."""
        return self.fit(values).transform(values)

    def state_dict(self) -> dict[str, Any]:
        """All of it as plain values and arrays, for a file."""
        return {"kind": self.kind, "offset": self.offset, "scale": self.scale}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Scaler:
        """The scaler whose ``state_dict`` this is."""
        made = cls(state["kind"])
        made.offset = None if state["offset"] is None else np.asarray(state["offset"], np.float64)
        made.scale = None if state["scale"] is None else np.asarray(state["scale"], np.float64)
        return made

    def __repr__(self) -> str:
        fitted = "not fitted" if self.offset is None else f"{len(self.offset)} columns"
        return f"Scaler({self.kind!r}, {fitted})"

    def _fitted(self, values: Any) -> tuple[Values, Values]:
        if self.offset is None or self.scale is None:
            raise ValueError("Scaler: call fit before transform")
        shape = _array(values).shape
        if not shape or shape[-1] != len(self.offset):
            raise ValueError(
                f"Scaler: fitted on {len(self.offset)} columns, and the values have shape {shape}"
            )
        return self.offset, self.scale


def _array(values: Any) -> Values:
    """Numbers as an array: of an array, a frame without its dates, or a Table."""
    if isinstance(values, Table):
        return values.values
    if is_frame(values) and hasattr(values, "columns"):
        return of_frame(values, None)[0]
    return np.asarray(values, np.float64)


def _columns(values: Any) -> Values:
    found = _array(values)
    if found.ndim != 2:
        raise ValueError(f"Scaler: values are (n, columns), and these have shape {found.shape}")
    return found
