"""What did the gates do? Every named value of a recurrent layer, kept while it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..engine.places import state
from ..engine.values import Array
from ..tensors import Tensor
from .module import Module


class GateRecord:
    """Gates and states by name, each (time, batch, H): what ``record_gates`` yields.

    A layer of one cell has plain names (``record["f"]``); where there are several the names end as
    their parameters' do (``record["f_l0"]``, ``record["f_l1_reverse"]``).
    """

    def __init__(self, layer: Module) -> None:
        cells = layer.cells() if hasattr(layer, "cells") else [layer]
        several = len(cells) > 1
        self._suffix = {
            id(cell): (layer._suffix(at) if hasattr(layer, "_suffix") else f"_{at}")
            if several
            else ""
            for at, cell in enumerate(cells)
        }
        self._squashed = {
            name + self._suffix[id(cell)]
            for cell in cells
            for name in getattr(cell, "squashed", ())
        }
        self._values: dict[str, dict[int, Array]] = {}
        self._live: dict[str, dict[int, Array]] = {}  # which sequences had not ended, by suffix

    def watches(self, cell: Module) -> bool:
        """Whether a cell is one of the layer's."""
        return id(cell) in self._suffix

    def begins(self, cell: Module, first: int, steps: int, lengths: Any) -> None:
        """A run of a cell begins: what an earlier one left from its first step on is dropped."""
        suffix = self._suffix[id(cell)]
        live = self._live.setdefault(suffix, {})
        for name, kept in (*self._values.items(), (suffix, live)):
            for t in [t for t in kept if t >= first and name.endswith(suffix)]:
                del kept[t]
        if lengths is not None:
            live.update({first + t: lengths > t for t in range(steps)})

    def listener(self, cell: Module, label: str, step: int) -> Any:
        """What takes the values that the cell names at a step."""
        suffix = self._suffix[id(cell)]

        def take(name: str, tensor: Tensor) -> None:
            self._values.setdefault(name + suffix, {})[step] = tensor.numpy()

        return take

    def __getitem__(self, name: str) -> Array:
        """One gate or state at every step, (time, batch, H)."""
        if name not in self._values:
            raise KeyError(
                f"no value {name!r} was recorded; there are: {', '.join(self) or 'none'}"
            )
        steps = self._values[name]
        return np.stack([steps[t] for t in sorted(steps)])

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def is_gate(self, name: str) -> bool:
        """Whether a value is a sigmoid gate, between 0 and 1."""
        return name in self._squashed

    def saturation(self, low: float = 0.05, high: float = 0.95) -> dict[str, float]:
        """For each sigmoid gate the share of its values outside ``low`` to ``high``.

        As in ``dead_units``, steps beyond the end of a sequence (``lengths``) do not count.
        """
        counted = {name: self._counted(name) for name in self if name in self._squashed}
        return {name: float(np.mean((v < low) | (v > high))) for name, v in counted.items()}

    def dead_units(self, name: str = "h", tolerance: float = 1e-3) -> list[int]:
        """The units whose value stays within ``tolerance`` over all steps and sequences."""
        spread = np.ptp(self._counted(name), axis=0)
        return [int(k) for k in np.flatnonzero(spread <= tolerance)]

    def _counted(self, name: str) -> Array:
        """The values of every step of every sequence that had not ended, (values, H)."""
        values = self[name]
        suffix = next(s for s in self._suffix.values() if name.endswith(s))
        live = self._live.get(suffix, {})
        if live:
            every = np.ones(values.shape[1], bool)
            values = values[np.stack([live.get(t, every) for t in sorted(self._values[name])])]
        return values.reshape(-1, values.shape[-1])

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name} {self[name].shape}" for name in self)
        return f"<GateRecord: {shapes or 'nothing yet'}>"


@contextmanager
def record_gates(layer: Module) -> Iterator[GateRecord]:
    """Inside, running the layer keeps every gate and state by name, each (time, batch, H).

    ``layer`` is RNN, LSTM, GRU, ``Recurrent`` or a cell. A layer that runs again replaces what it left
    (from ``first_step`` on, so that the chunks of a stream add up); so does a cell's step.

    >>> import tinygrad_rnn as tg
    >>> lstm = tg.nn.LSTM(2, 3)
    >>> with tg.nn.record_gates(lstm) as gates:
    ...     y, _ = lstm(tg.zeros(7, 5, 2))
    >>> gates["f"].shape, sorted(gates)
    ((7, 5, 3), ['c', 'f', 'g', 'h', 'i', 'o', 'z'])
    """
    record = GateRecord(layer)
    state.records.append(record)
    try:
        yield record
    finally:
        state.records.remove(record)
