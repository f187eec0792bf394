"""What each use of each Parameter adds to its gradient: rows whose sum is ``grad``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..autograd import Array, At, Node

if TYPE_CHECKING:
    from ..tensors import Tensor


@dataclass(slots=True)
class Entry:
    """One use: the op that took the Parameter, and its contribution or the smaller thing to make it from.

    ``delta`` is the contribution itself, or None where ``gradient`` (that of the op's output) is
    smaller to keep: the op's own rule then makes the contribution when it is asked for.
    """

    node: Node
    operand: int
    gradient: Any
    delta: Any

    @property
    def step(self) -> int | None:
        """The time step of the use."""
        return self.node.place.step

    def contribution(self) -> Array:
        """The array that this use adds to the gradient, in the Parameter's shape and dtype."""
        parent = self.node.parents[self.operand]
        d = self.delta
        if d is None:
            node = self.node
            d = node.op.delta(node, self.operand, self.gradient, node.out, node.saved)
        if d.__class__ is At:
            return d.dense(parent.shape, parent.dtype)
        return np.asarray(d)

    def norm(self) -> float:
        """The Euclidean norm of the contribution; of a matrix product's without forming the product."""
        node = self.node
        if self.delta is None and node.op.name == "linear" and self.operand == 1:
            g = self.gradient.reshape(-1, self.gradient.shape[-1]).astype(np.float64)
            x = node.saved[0].reshape(-1, node.saved[0].shape[-1]).astype(np.float64)
            return float(np.sqrt(max(((g @ g.T) * (x @ x.T)).sum(), 0.0)))
        return float(np.linalg.norm(self.contribution().astype(np.float64)))


class Ledger:
    """Per-use contributions to the gradients of one backward pass: ``loss.backward(ledger=True)``.

    ``ledger[p]`` is (uses, *p.shape), for a T-step layer (T, *p.shape), in the order of the steps; it
    sums over axis 0 to what the pass added to ``p.grad``. ``ledger.steps(p)`` labels the rows (None
    for a use outside time), ``ledger.norms(p)`` are the rows' Euclidean norms. Rows are made when
    asked for. Memory: for each use the gradient of its op's output or the contribution, whichever is
    smaller.

    >>> import tinygrad_rnn as tg
    >>> rnn = tg.nn.RNN(2, 3)
    >>> y, h = rnn(tg.ones(4, 1, 2))
    >>> ledger = y.sum().backward(ledger=True)
    >>> ledger[rnn.weight_hh_l0].shape, ledger.steps(rnn.weight_hh_l0)
    ((4, 3, 3), [0, 1, 2, 3])
    """

    def __init__(self) -> None:
        self._entries: dict[int, list[Entry]] = {}

    def note(self, node: Node, operand: int, gradient: Any, delta: Any) -> None:
        """The engine's observer: keep the edges that end in a leaf."""
        parent = node.parents[operand]
        if parent.op is not None:
            return
        gradient, delta = _plain(gradient), _plain(delta)
        small = isinstance(gradient, np.ndarray) and not node.op.variadic and not node.op.several
        if small and delta.__class__ is not At and gradient.nbytes < delta.nbytes:
            delta = None
        else:
            gradient = None
        self._entries.setdefault(parent.key, []).append(Entry(node, operand, gradient, delta))

    def _rows(self, parameter: Tensor) -> list[Entry]:
        key = getattr(parameter._node, "key", None)
        if key not in self._entries:
            raise KeyError(
                f"this ledger has nothing for a tensor of shape {parameter.shape}: "
                "no gradient reached it in that backward pass"
            )
        rows = self._entries[key]
        return sorted(rows, key=lambda r: (r.step is None, r.step or 0, r.node.number))

    def __getitem__(self, parameter: Tensor) -> Array:
        """Every use's contribution, (uses, *shape), in the order of the steps."""
        return np.stack([row.contribution() for row in self._rows(parameter)])

    def __contains__(self, parameter: Tensor) -> bool:
        return getattr(parameter._node, "key", None) in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def steps(self, parameter: Tensor) -> list[int | None]:
        """The time step of each row, counted from 0; None for a use outside time."""
        return [row.step for row in self._rows(parameter)]

    def norms(self, parameter: Tensor) -> Array:
        """The Euclidean norm of each row, (uses,), in float64."""
        return np.array([row.norm() for row in self._rows(parameter)])

    def total(self, parameter: Tensor) -> Array:
        """The sum of the rows: what the pass added to ``grad``, made without holding all rows."""
        rows = self._rows(parameter)
        total = rows[0].contribution().copy()
        for row in rows[1:]:
            total += row.contribution()
        return total

    def __repr__(self) -> str:
        uses = sum(map(len, self._entries.values()))
        return f"<Ledger: {len(self)} Parameters, {uses:,} uses>"


def _plain(value: Any) -> Any:
    if value.__class__ is At:
        return At(value.index, _plain(value.value))
    return getattr(value, "_data", value)
