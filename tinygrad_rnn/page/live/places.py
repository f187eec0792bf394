"""Where does a value lie? In an array, from some element on, with a stride for each axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

Shape = tuple[int, ...]


def strides_of(shape: Sequence[int]) -> Shape:
    """How far apart neighbours along each axis are, in elements, where all lie in one piece."""
    return tuple(math.prod(shape[i + 1 :]) for i in range(len(shape)))


@dataclass(frozen=True, slots=True)
class ArrayView:
    """``array[base + at + sum(index * strides)]``; ``base`` names where the running step begins."""

    array: str
    shape: Shape
    strides: Shape
    at: int = 0
    base: str = ""

    @property
    def solid(self) -> bool:
        """Whether all of it lies in one piece, in the order of its axes."""
        return all(
            n == 1 or s == t
            for n, s, t in zip(self.shape, self.strides, strides_of(self.shape), strict=True)
        )

    @property
    def start(self) -> str:
        """Where its first element is, as text."""
        if not self.base:
            return str(self.at)
        return f"{self.base} + {self.at}" if self.at else self.base

    def index(self, names: Sequence[str], strides: Sequence[int]) -> str:
        """Where an element is, as text; ``names`` are the loops' variables."""
        terms = [self.base] if self.base else []
        for name, stride in zip(names, strides, strict=True):
            if stride:
                terms.append(name if stride == 1 else f"{name} * {stride}")
        if self.at or not terms:
            terms.append(str(self.at))
        return " + ".join(terms)

    def spread(self, shape: Shape) -> Shape:
        """Its strides where it is broadcast to a shape."""
        grown = len(shape) - len(self.shape)
        own = [0 if n == 1 else s for n, s in zip(self.shape, self.strides, strict=True)]
        return (*(0,) * grown, *own)

    # ---- other looks at the same elements

    def part(self, index: Any, shape: Shape) -> ArrayView:
        """What a basic index takes: integers, slices, new axes and dots."""
        at, strides, axis = self.at, [], 0
        for part in of_all_axes(index if isinstance(index, tuple) else (index,), len(self.shape)):
            if part is None:
                strides.append(0)
                continue
            first, stride = taken_from(self.shape[axis], self.strides[axis], part)
            axis += 1
            at += first
            strides += stride
        return replace(self, at=at, shape=shape, strides=tuple(strides))

    def turned(self, axes: Sequence[int], shape: Shape) -> ArrayView:
        """The axes in another order."""
        return replace(self, shape=shape, strides=tuple(self.strides[i] for i in axes))

    def broadcast(self, shape: Shape) -> ArrayView:
        """Broadcast to a shape."""
        return replace(self, shape=shape, strides=self.spread(shape))

    def reshaped(self, shape: Shape) -> ArrayView | None:
        """In another shape, without a copy; None where there is none."""
        if self.solid:
            return replace(self, shape=shape, strides=strides_of(shape))
        full = [(n, s) for n, s in zip(self.shape, self.strides, strict=True) if n != 1]
        if [n for n, _ in full] == [n for n in shape if n != 1]:  # axes of length 1 come and go
            rest = iter(s for _, s in full)
            return replace(
                self, shape=shape, strides=tuple(0 if n == 1 else next(rest) for n in shape)
            )
        return None


def of_all_axes(index: Sequence[Any], rank: int) -> list[Any]:
    """The parts of an index with a part for every axis: the dots, or what is not named, as slices."""
    parts = list(index)
    rest = [slice(None)] * (rank - sum(p is not None and p is not Ellipsis for p in parts))
    at = next((k for k, p in enumerate(parts) if p is Ellipsis), None)
    return [*parts, *rest] if at is None else [*parts[:at], *rest, *parts[at + 1 :]]


def taken_from(length: int, stride: int, part: Any) -> tuple[int, list[int]]:
    """Where an integer or a slice begins on an axis, and the stride from there on: none of an integer."""
    if isinstance(part, slice):
        low, _, step = part.indices(length)
        return low * stride, [step * stride]
    return (int(part) % length) * stride, []


def loops(shape: Shape, strides: list[Shape]) -> tuple[Shape, list[Shape]]:
    """The fewest loops over a shape for operands with these strides: axes that run on are one."""
    sides: list[int] = []
    each: list[list[int]] = [[] for _ in strides]
    for axis, n in enumerate(shape):
        if n == 1:
            continue
        if sides and all(e[-1] == s[axis] * n for e, s in zip(each, strides, strict=True)):
            sides[-1] *= n
            for e, s in zip(each, strides, strict=True):
                e[-1] = s[axis]
            continue
        sides.append(n)
        for e, s in zip(each, strides, strict=True):
            e.append(s[axis])
    return tuple(sides), [tuple(e) for e in each]
