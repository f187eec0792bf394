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

from ..engine.values import Array, Leaf
from ..tensors import Tensor

F = TypeVar("F", bound=Callable[..., Any])
LARGEST = 1 << 14  # numbers of a Parameter: to lay out larger ones costs more than the calls


def elementwise(update: F) -> F:
    """Mark an optimizer's ``_updated`` as one that treats every element by itself, whatever the shape."""
    update.elementwise = True  # type: ignore[attr-defined]
    return update


class FlatParameters:
    """Parameters of one dtype, laid end to end."""

    def __init__(self, params: Sequence[Tensor]) -> None:
        self.params = list(params)
        self.shapes = [p._data.shape for p in params]
        self.turned = [None if len(s) == 1 else s for s in self.shapes]  # None: as it is cut
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
        flat = self.flat if laid else np.concatenate(held, None)
        value = update(flat, np.concatenate(grads, None), memory, group)
        value, parts = self._parts(value)
        self.flat, self.parts, self.memory = value, parts, self._as_rows(memory)
        return parts, self.told()

    def again(
        self, optimizer: Any, group: dict[str, Any]
    ) -> tuple[Array, list[Array], dict[str, Any]] | None:
        """(values as a row, their parts, memory as rows); None where anything is not as a step left it."""
        params, grads, dtype = group["params"], [], self.dtype
        if len(params) != len(self.params):
            return None
        for p, known, part in zip(params, self.params, self.parts, strict=True):
            node = p._node
            if p is not known or p._data is not part or node.__class__ is not Leaf:
                return None
            g = node.grad
            if g is None or (data := g._data).dtype is not dtype:
                return None
            grads.append(data)
        memory = self.memory.copy()
        value = optimizer._updated(self.flat, np.concatenate(grads, None), memory, group)
        return (*self._parts(value), self._as_rows(memory))

    def told(self) -> list[dict[str, Any]]:
        """The memories of single Parameters, views of the rows; they are known again by the next step."""
        kept = {k: self._cut(v) for k, v in self.memory.items() if _is_array(v)}
        count = len(self.params)
        rows = {k: kept[k] if k in kept else [v] * count for k, v in self.memory.items()}
        memories = [dict(zip(rows, each, strict=True)) for each in zip(*rows.values(), strict=True)]
        self.memories = memories or [{} for _ in range(count)]
        self.kept = [*chain.from_iterable(m.values() for m in self.memories)]
        return self.memories

    def _row(self, flat: Any) -> Array:
        """A row in the Parameters' dtype, which its parts are to have for their base."""
        row = flat if flat.__class__ is np.ndarray else np.asarray(flat)
        row = row if row.dtype is self.dtype else row.astype(self.dtype)
        return row if row.base is None else row.copy()

    def _as_rows(self, memory: dict[str, Any]) -> dict[str, Any]:
        """What an update has left to remember, its arrays as rows."""
        return {k: self._row(v) if v.__class__ is np.ndarray else v for k, v in memory.items()}

    def _parts(self, flat: Any) -> tuple[Array, list[Array]]:
        """A row, and its parts in their Parameters' shapes."""
        row = self._row(flat)
        return row, self._cut(row)

    def _cut(self, row: Array) -> list[Array]:
        return [
            row[at] if shape is None else row[at].reshape(shape)
            for at, shape in zip(self.slices, self.turned, strict=True)
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
            laid[name] = np.concatenate(values, None)
        return laid


def _is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray)


def _is_elementwise(update: Any) -> bool:
    return getattr(getattr(update, "__func__", None), "elementwise", False)


class Rows:
    """The rows of an optimizer's groups, kept for its next step.

    ``whole`` are those of all groups, where each is one row and no memory is of anything else: while nobody
    has looked at the optimizer's ``state`` since they were made, it needs no dictionary.
    """

    def __init__(self) -> None:
        self._rows: dict[tuple[int, Any], FlatParameters] = {}
        self.whole: list[FlatParameters] | None = None

    def again(
        self, optimizer: Any
    ) -> list[tuple[FlatParameters, Array, list[Array], dict[str, Any]]] | None:
        """What a step by ``whole`` rows gives, like the last one; None where it would be another one."""
        rows = self.whole
        if rows is None or len(rows) != len(optimizer.param_groups):
            return None
        if not _is_elementwise(optimizer._updated):
            return None
        found = []
        for row, group in zip(rows, optimizer.param_groups, strict=True):
            done = row.again(optimizer, group)
            if done is None:
                return None
            found.append((row, *done))
        return found

    def are_whole(self, groups: list[dict[str, Any]], state: dict[Tensor, Any]) -> None:
        """Note whether the last step was one of whole rows: all Parameters, and all of the state."""
        rows = []
        for number, group in enumerate(groups):
            params = group["params"]
            row = self._rows.get((number, params[0]._data.dtype)) if params else None
            if (
                row is None
                or not row.holds(params)
                or any(state.get(p) is not m for p, m in zip(params, row.memories, strict=True))
            ):
                self.whole = None
                return
            rows.append(row)
        self.whole = rows if len(state) == sum(len(row.params) for row in rows) else None

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
        if not _is_elementwise(update):
            return {}
        kinds: dict[Any, list[int]] = {}
        for k, (p, g) in enumerate(zip(params, grads, strict=True)):
            a = p._data
            if a.size <= LARGEST and a.flags.c_contiguous and g.dtype == a.dtype:
                kinds.setdefault(a.dtype, []).append(k)
        found: dict[int, tuple[Array, dict[str, Any]]] = {}
        for dtype, places in kinds.items():
            mine = [params[k] for k in places]
            row = self._rows.get((number, dtype))
            if row is None or not row.holds(mine):
                row = self._rows[number, dtype] = FlatParameters(mine)
            done = row.updated(update, [grads[k] for k in places], state, group)
            if done is not None:
                found.update(zip(places, zip(*done, strict=True), strict=True))
        return found


__all__ = ["Rows", "elementwise"]
