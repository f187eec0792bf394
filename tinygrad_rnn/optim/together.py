"""How are many small Parameters updated at once? As one array: a call of numpy for all, not one for each.

An update that treats every element by itself gives the same bits on Parameters laid end to end. What a step
leaves (values, and what is remembered of them) are views of such rows, so that the next one need not lay
them out again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate, chain
from operator import is_
from typing import Any, TypeVar

import numpy as np

from ..engine.values import Array
from ..tensors import Tensor

F = TypeVar("F", bound=Callable[..., Any])
LARGEST = 1 << 14  # numbers of a Parameter: to lay out larger ones costs more than the calls


def elementwise(update: F) -> F:
    """Mark an optimizer's ``_updated`` as one that treats every element by itself, whatever the shape."""
    update.elementwise = True  # type: ignore[attr-defined]
    return update


class Row:
    """Parameters of one dtype, laid end to end."""

    def __init__(self, params: Sequence[Tensor]) -> None:
        self.params = list(params)
        self.shapes = [p._data.shape for p in params]
        self.dtype = params[0]._data.dtype
        ends = list(accumulate(p._data.size for p in params))
        self.slices = [slice(a, b) for a, b in zip([0, *ends], ends, strict=False)]
        self.flat: Any = None  # the values that the last step left, and what it remembered
        self.parts: list[Any] = [None] * len(params)
        self.memory: dict[str, Any] = {}
        self.memories: list[Any] = [None] * len(params)
        self.kept: list[Any] = []

    def holds(self, params: list[Tensor]) -> bool:
        """Whether it is these Parameters' row, and they have the shapes that they had."""
        same = len(params) == len(self.params) and all(map(is_, params, self.params))
        return same and [p._data.shape for p in params] == self.shapes

    def updated(
        self, update: Any, grads: list[Array], state: dict[Tensor, Any], group: dict[str, Any]
    ) -> tuple[list[Array], list[dict[str, Any]]] | None:
        """New values and memories of all; None where their memories are not alike."""
        memory = self._memory([state.get(p) for p in self.params])
        if memory is None:
            return None
        held = [p._data for p in self.params]
        laid = all(map(is_, held, self.parts))
        flat = self.flat if laid else np.concatenate([a.ravel() for a in held])
        value = update(flat, np.concatenate([g.ravel() for g in grads]), memory, group)
        value, parts = self._parts(value)
        kept = {k: self._parts(v) for k, v in memory.items() if _is_array(v)}
        rows = {k: kept[k][1] if k in kept else [v] * len(parts) for k, v in memory.items()}
        memories = [dict(zip(rows, each, strict=True)) for each in zip(*rows.values(), strict=True)]
        memories = memories or [{} for _ in parts]
        self.flat, self.parts, self.memories = value, parts, memories
        self.memory = {k: kept[k][0] if k in kept else v for k, v in memory.items()}
        self.kept = [*chain.from_iterable(m.values() for m in memories)]
        return parts, memories

    def _parts(self, flat: Any) -> tuple[Array, list[Array]]:
        """A row in the Parameters' dtype, and its parts in their shapes."""
        row = np.asarray(flat, self.dtype)
        if row.base is not None:  # parts are to have the row for their base, whatever made it
            row = row.copy()
        return row, [
            row[at] if len(shape) == 1 else row[at].reshape(shape)
            for at, shape in zip(self.slices, self.shapes, strict=True)
        ]

    def _memory(self, memories: list[Any]) -> dict[str, Any] | None:
        """What is remembered of all of them, as rows; None where it is not alike."""
        if all(map(is_, memories, self.memories)):
            now = [*chain.from_iterable(m.values() for m in memories if m is not None)]
            if len(now) == len(self.kept) and all(map(is_, now, self.kept)):
                return dict(self.memory)
        each: list[dict[str, Any]] = [m or {} for m in memories]
        first, laid = each[0], {}
        if any(m.keys() != first.keys() for m in each):
            return None
        for name, value in first.items():
            values = [m[name] for m in each]
            if not _is_array(value):
                if any(_is_array(v) or v != value for v in values):
                    return None
                laid[name] = value
                continue
            for v, shape in zip(values, self.shapes, strict=True):
                if not _is_array(v) or v.shape != shape or v.dtype != self.dtype:
                    return None
            laid[name] = np.concatenate([v.ravel() for v in values])
        return laid


def _is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray)


class Rows:
    """The rows of an optimizer's groups, kept for its next step."""

    def __init__(self) -> None:
        self._rows: dict[tuple[int, Any], Row] = {}

    def updated(
        self,
        update: Any,
        params: list[Tensor],
        grads: list[Array],
        state: dict[Tensor, Any],
        group: dict[str, Any],
        number: int,
    ) -> dict[int, tuple[Array, dict[str, Any]]]:
        """New value and memory of those that one call can update with others, by their places."""
        if not getattr(getattr(update, "__func__", None), "elementwise", False):
            return {}
        kinds: dict[Any, list[int]] = {}
        for k, (p, g) in enumerate(zip(params, grads, strict=True)):
            a = p._data
            if a.size <= LARGEST and a.flags.c_contiguous and g.dtype == a.dtype:
                kinds.setdefault(a.dtype, []).append(k)
        found: dict[int, tuple[Array, dict[str, Any]]] = {}
        for dtype, places in kinds.items():
            if len(places) < 2:
                continue
            mine = [params[k] for k in places]
            row = self._rows.get((number, dtype))
            if row is None or not row.holds(mine):
                row = self._rows[number, dtype] = Row(mine)
            done = row.updated(update, [grads[k] for k in places], state, group)
            if done is not None:
                found.update(zip(places, zip(*done, strict=True), strict=True))
        return found


__all__ = ["Rows", "elementwise"]
