"""How are many leaves written as one? All of them, or after an error none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from sys import getrefcount
from typing import Any, Self

import numpy as np

from ..engine.values import Array, Leaf
from .value import Tensor


class all_or_none:  # noqa: N801 (said after ``with``)
    """Inside, leaves are written one after the other: an error gives all of them their old values back."""

    def __init__(self, tensors: Iterable[Tensor]) -> None:
        self.before = [(t, t._data, t._node) for t in tensors]

    def __enter__(self) -> Self:
        """Nothing has been written yet."""
        return self

    def install(self, arrays: Sequence[Array], by: str) -> None:
        """Give each a new array of its shape and dtype, that nobody else holds.

        A leaf that no graph refers to need not become stale: it goes on as the leaf of the new value.
        """
        for (t, _, node), data in zip(self.before, arrays, strict=True):
            if getrefcount(node) == _ALONE and t._alias is None and node.__class__ is Leaf:
                t._data = data
                node.renew(data)
            else:
                t._install(data, by)

    def __exit__(self, kind: Any, *_: object) -> None:
        if kind is not None:
            for t, data, node in self.before:
                t._data, t._node = data, node
                if isinstance(node, Leaf):
                    node.hold(data).stale, node.stale_at = None, 0


def _references(those: all_or_none) -> int:
    """How many references ``install`` counts to a node that no graph refers to."""
    counts = [
        getrefcount(node)
        for (t, _, node), _ in zip(those.before, those.before, strict=True)
        if t._alias is None
    ]
    return counts[0]


_ALONE = _references(all_or_none([Tensor._wrap(np.zeros(1), Leaf((1,), np.dtype(float)))]))
