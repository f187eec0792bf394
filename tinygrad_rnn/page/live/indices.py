"""Which elements does data choose? An index by arrays, some of them data: one op takes, one adds.

``take(a, i, ...)`` is ``a[..., i, ...]`` by a pattern, ``scatter(g, i, ...)`` its gradient: zeros to which
every element of g is added at its place. So embeddings, classes as integers and ``gather`` have a text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...scan.program import Program, Value
from ...scan.tracing import Fixed, Trace, bare_constant, in_order
from .places import ArrayView, Shape, of_all_axes, taken_from

Taken = dict[
    int, tuple[Any, Any]
]  # of each array that a tensor was as an index: it, and the tensor's node


@dataclass(frozen=True)
class Given:
    """In an index: the place of an operand."""

    number: int


class Indexed(Program):
    """A program in which an index may be data; ``taken`` are the arrays that were."""

    def __init__(self, trace: Trace, derive: bool, wanted: Any, taken: Taken) -> None:
        self.taken = taken
        super().__init__(trace, derive, wanted)

    def _lower(self, node: Any) -> None:
        op = getattr(node, "op", None)
        name = "" if op is None else op.name
        known = name in ("getitem", "embedding", "place") and id(node) not in self._of
        if not known or not arrays_in(node.saved):
            super()._lower(node)
            return
        of = [self._of[id(p)] for p in node.parents]
        dtype = node.dtype.char
        if name == "getitem":
            self._of[id(node)] = self._take(of[0], node.saved[-1], node.shape, dtype)
        elif name == "embedding":
            self._of[id(node)] = self._take(of[0], node.saved[-2], node.shape, dtype)
        else:
            indices = node.saved[-3]
            parts = [self._scatter(*v, node.shape, dtype) for v in zip(of, indices, strict=True)]
            total = parts[0]
            for part in parts[1:]:
                total = self.make("add", (total, part), (), node.shape, dtype)
            self._of[id(node)] = total

    def _take(self, a: int, index: Any, shape: Shape, dtype: str) -> int:
        pattern, operands = self._pattern(index)
        return self.make("take", (a, *operands), (pattern,), shape, dtype)

    def _scatter(self, g: int, index: Any, shape: Shape, dtype: str) -> int:
        if not arrays_in(index):
            return self.make("place", (g,), ((index,), shape, np.dtype(dtype)), shape, dtype)
        pattern, operands = self._pattern(index)
        return self.make("scatter", (g, *operands), (pattern,), shape, dtype)

    def _pattern(self, index: Any) -> tuple[tuple[Any, ...], list[int]]:
        """An index with places in place of its arrays, and the arrays' values."""
        parts: list[Any] = []
        operands: list[int] = []
        for part in index if isinstance(index, tuple) else (index,):
            if isinstance(part, np.ndarray):
                parts.append(Given(len(operands)))
                operands.append(self._array(part))
            else:
                parts.append(part)
        return tuple(parts), operands

    def _array(self, array: Any) -> int:
        """The value of an array that is an index: data, or the same at every run."""
        found = self.taken.get(id(array))
        if found is None:
            value = Value("constant", (), (Fixed(array),), array.shape, array.dtype.char)
            return self.enter(value, 0)
        for node in in_order([found[1]]):
            if id(node) not in self._of:
                self._lower(node)
        return self._of[id(found[1])]


def arrays_in(index: Any) -> bool:
    """Whether an index, or several, hold an array."""
    if isinstance(index, (tuple, list)):
        return any(map(arrays_in, index))
    return isinstance(index, np.ndarray)


def reach(program: Program, role: str) -> int | None:
    """Of how many an input chooses: the rows of an embedding, classes; None where it chooses nothing."""
    found: list[int] = []
    for value in program.values:
        if value.op not in ("take", "scatter"):
            continue
        whole = value.shape if value.op == "scatter" else program.values[value.args[0]].shape
        axes = _axes(value.consts[0], len(whole))
        for k, v in enumerate(value.args[1:]):
            if program.inputs.get(role) in program.needed([v]):
                found.append(whole[axes[k]])
    return min(found, default=None)


def _axes(pattern: tuple[Any, ...], rank: int) -> dict[int, int]:
    """Which axis each operand chooses from."""
    axis, found = 0, {}
    for part in of_all_axes(pattern, rank):
        if isinstance(part, Given):
            found[part.number] = axis
        axis += part is not None
    return found


@dataclass(slots=True)
class IndexStrides:
    """How the elements of an index are met: ``strides`` of the whole for its ranges, and of each operand."""

    at: int
    strides: Shape
    operands: list[Shape]
    apart: list[tuple[int, int]]  # (length, stride) of the axis that each operand chooses from


def walk(pattern: Any, whole: ArrayView, operands: list[ArrayView], shape: Shape) -> IndexStrides:
    """Numpy's rules: the arrays' common axes stand where the first is, or in front if they are apart."""
    parts = of_all_axes(bare_constant(pattern), len(whole.shape))
    many = np.broadcast_shapes(*(p.shape for p in operands))
    chosen = [k for k, p in enumerate(parts) if isinstance(p, (Given, int, np.integer))]
    together = chosen == list(range(chosen[0], chosen[-1] + 1))
    at, axis, apart = whole.at, 0, [(0, 0)] * len(operands)
    strides: list[int] = []
    front: int | None = None if together else 0
    for k, part in enumerate(parts):
        if together and k == chosen[0]:
            front = len(strides)
        if part is None:
            strides.append(0)
            continue
        n, s = whole.shape[axis], whole.strides[axis]
        axis += 1
        if isinstance(part, Given):
            apart[part.number] = (n, s)
            continue
        first, stride = taken_from(n, s, part)
        at += first
        strides += stride
    assert front is not None
    strides[front:front] = [0] * len(many)
    before, after = front, len(shape) - front - len(many)
    each = [(*(0,) * before, *p.spread(many), *(0,) * after) for p in operands]
    assert len(strides) == len(shape)
    return IndexStrides(at, tuple(strides), each, apart)
