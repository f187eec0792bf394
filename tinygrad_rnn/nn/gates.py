"""What the gates did: every named value of a recurrent layer, kept while it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..autograd import Array
from ..tensors import Tensor
from .module import Module
from .naming import _now


class GateRecord:
    """Gates and states by name, each (time, batch, H): what ``record_gates`` yields.

    A layer of one cell has plain names (``record["f"]``); where there are several the names end as
    their parameters' do (``record["f_l0"]``, ``record["f_l1_reverse"]``).
    """

    def __init__(self, layer: Module) -> None:
        cells = layer.cells() if hasattr(layer, "cells") else [layer]
        several = len(cells) > 1
        self._suffix = {
            id(cell): (layer._suffix(at) if hasattr(layer, "_suffix") else f"_{at}") if several else ""
            for at, cell in enumerate(cells)
        }
        self._squashed = {
            name + self._suffix[id(cell)] for cell in cells for name in getattr(cell, "squashed", ())
        }
        self._values: dict[str, dict[int, Array]] = {}

    def watches(self, cell: Module) -> bool:
        """Whether a cell is one of the layer's."""
        return id(cell) in self._suffix

    def listener(self, cell: Module, label: str, step: int) -> Any:
        """What takes the values that the cell names at a step."""
        suffix = self._suffix[id(cell)]

        def take(name: str, tensor: Tensor) -> None:
            self._values.setdefault(name + suffix, {})[step] = tensor.numpy()

        return take

    def __getitem__(self, name: str) -> Array:
        """One gate or state at every step, (time, batch, H)."""
        if name not in self._values:
            raise KeyError(f"no value {name!r} was recorded; there are: {', '.join(self) or 'none'}")
        steps = self._values[name]
        return np.stack([steps[t] for t in sorted(steps)])

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def saturation(self, low: float = 0.05, high: float = 0.95) -> dict[str, float]:
        """For each sigmoid gate the share of its values outside ``low`` to ``high``."""
        return {
            name: float(np.mean((self[name] < low) | (self[name] > high)))
            for name in self
            if name in self._squashed
        }

    def dead_units(self, name: str = "h", tolerance: float = 1e-3) -> list[int]:
        """The units whose value stays within ``tolerance`` over all steps and sequences."""
        values = self[name].reshape(-1, self[name].shape[-1])
        return [int(k) for k in np.flatnonzero(np.ptp(values, axis=0) <= tolerance)]

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name} {self[name].shape}" for name in self)
        return f"<GateRecord: {shapes or 'nothing yet'}>"


@contextmanager
def record_gates(layer: Module) -> Iterator[GateRecord]:
    """Inside, running the layer keeps every gate and state by name, each (time, batch, H).

    ``layer`` is RNN, LSTM, GRU, ``Recurrent`` or a cell. A step that runs again replaces what it left.

    >>> import tinygrad_rnn as tg
    >>> lstm = tg.nn.LSTM(2, 3)
    >>> with tg.nn.record_gates(lstm) as gates:
    ...     y, _ = lstm(tg.zeros(7, 5, 2))
    >>> gates["f"].shape, sorted(gates)
    ((7, 5, 3), ['c', 'f', 'g', 'h', 'i', 'o', 'z'])
    """
    record = GateRecord(layer)
    _now.records.append(record)
    try:
        yield record
    finally:
        _now.records.remove(record)
