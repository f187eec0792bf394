"""What does each use of each Parameter add to its gradient? Rows whose sum is ``grad``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..doors import door
from ..engine.values import Array, At, Leaf, Node

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

    def factors(self) -> tuple[Array, Array] | None:
        """(g, x) in float64 where the contribution is the product g^T x of a linear layer, else None."""
        node = self.node
        if self.delta is not None or node.op.name != "linear" or self.operand != 1:
            return None
        g, x = self.gradient, node.saved[0]
        return (
            g.reshape(-1, g.shape[-1]).astype(np.float64),
            x.reshape(-1, x.shape[-1]).astype(np.float64),
        )

    def norm(self) -> float:
        """The Euclidean norm of the contribution; of a matrix product's without forming the product."""
        factors = self.factors()
        if factors is not None:
            g, x = factors
            return float(np.sqrt(max(((g @ g.T) * (x @ x.T)).sum(), 0.0)))
        return float(np.linalg.norm(self.contribution().astype(np.float64)))

    def along(self, whole: Array) -> float:
        """The inner product of the contribution with an array of its shape, by its factors if it has them."""
        factors = self.factors()
        if factors is not None:
            g, x = factors
            return float(((g @ whole) * x).sum())
        return float((self.contribution() * whole).sum())


class Ledger:
    """Per-use contributions to the gradients of one backward pass: ``loss.backward(ledger=True)``.

    ``ledger[p]`` is (uses, *p.shape), for a T-step layer (T, *p.shape), in the order of the steps; it
    sums over axis 0 to what the pass added to ``p.grad``. ``ledger.steps(p)`` labels the rows (None
    for a use outside time), ``ledger.norms(p)`` are the rows' Euclidean norms. Rows are made when
    asked for. Memory (``nbytes``): for each use the gradient of its op's output or the contribution,
    whichever is smaller; the ledger keeps the graph that it speaks of alive.

    >>> import tinygrad_rnn as tg
    >>> rnn = tg.nn.RNN(2, 3)
    >>> y, h = rnn(tg.ones(4, 1, 2))
    >>> ledger = y.sum().backward(ledger=True)
    >>> ledger[rnn.weight_hh_l0].shape, ledger.steps(rnn.weight_hh_l0)
    ((4, 3, 3), [0, 1, 2, 3])
    """

    def __init__(self) -> None:
        self._entries: dict[int, list[Entry]] = {}
        self.root: tuple[Any, Any] | None = None  # where the pass began, and the gradient there
        self.loss: float | None = None  # the value there, of a scalar

    def note(self, node: Node, operand: int, gradient: Any, delta: Any) -> None:
        """The engine's observer: keep the edges that end in a leaf."""
        parent = node.parents[operand]
        if not isinstance(parent, Leaf):
            return
        gradient, delta = _plain(gradient), _plain(delta)
        small = isinstance(gradient, np.ndarray) and not node.op.variadic and not node.op.several
        if small and delta.__class__ is not At and gradient.nbytes <= delta.nbytes:
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
        return self.entries(key)

    def entries(self, key: int) -> list[Entry]:
        """The uses of the leaf with this key, in the order of the steps."""
        return sorted(self._entries.get(key, ()), key=_by_step)

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

    def projection(self, parameter: Tensor) -> Array:
        """Each row's signed part along the whole gradient G, <g_t, G> / |G|: (uses,), in float64.

        They add up to |G| exactly (norms do not add); zeros where G is 0. A row of a matrix product's
        is <x_t G^T, d_t> and never formed.

        >>> import tinygrad_rnn as tg
        >>> rnn = tg.nn.RNN(2, 3)
        >>> ledger = rnn(tg.ones(4, 1, 2))[0].sum().backward(ledger=True)
        >>> parts, G = ledger.projection(rnn.weight_hh_l0), rnn.weight_hh_l0.grad
        >>> bool(np.isclose(parts.sum(), np.linalg.norm(G)))
        True
        """
        rows = self._rows(parameter)
        whole = self.sum_of(rows)
        length = float(np.linalg.norm(whole))
        if not length:
            return np.zeros(len(rows))
        return np.array([row.along(whole) for row in rows]) / length

    def cancellation(self, parameter: Tensor) -> float:
        """The share of the steps' parts that cancels in the sum: 1 - |sum g_t| / sum |g_t|, in 0 .. 1.

        0 where all steps agree, near 1 where they contradict each other; 0 if all rows are 0.
        """
        said = float(self.norms(parameter).sum())
        whole = float(np.linalg.norm(self.sum_of(self._rows(parameter))))
        return max(0.0, 1.0 - whole / said) if said else 0.0

    def to_dataframe(self) -> Any:
        """A pandas DataFrame with a row a use: parameter, step, op, norm, projection.

        ``parameter`` is its dotted name, as in ``graph.parameters``; ``step`` counts from 0 and is missing
        for a use outside time.
        Raises ImportError where pandas is missing.
        """
        try:
            import pandas
        except ImportError as error:
            raise ImportError(
                "to_dataframe needs pandas, which is not installed: `pip install pandas`"
            ) from error
        columns: dict[str, list[Any]] = {
            name: [] for name in ("parameter", "step", "op", "norm", "projection")
        }
        for key, name in self.names.items():
            rows = self.entries(key)
            whole = self.sum_of(rows)
            length = float(np.linalg.norm(whole))
            for row in rows:
                columns["parameter"].append(name)
                columns["step"].append(row.step)
                columns["op"].append(row.node.op.name)
                columns["norm"].append(row.norm())
                columns["projection"].append(row.along(whole) / length if length else 0.0)
        frame = pandas.DataFrame(columns)
        frame["step"] = frame["step"].astype("Int64")
        return frame

    @cached_property
    def names(self) -> dict[int, str]:
        """The dotted name of every Parameter in the ledger by its leaf's key, in the order of the modules."""
        from .graph import Graph

        if self.root is None:
            return {}
        graph = Graph.behind(self.root[0])
        known = {graph._raw[node.id].key: name for name, node in graph.parameters.items()}
        return {key: name for key, name in known.items() if key in self._entries}

    @property
    def nbytes(self) -> int:
        """The bytes of the arrays that the ledger keeps for itself, each array once.

        Nearly all of it grows with the steps: of a layer's step the gradient of its products, 4 H floats a
        sequence for an LSTM. Operands are the graph's, and counted there.

        >>> import tinygrad_rnn as tg
        >>> lstm = tg.nn.LSTM(2, 8)
        >>> lstm(tg.ones(50, 1, 2))[0].sum().backward(ledger=True).nbytes == 50 * 4 * 8 * 4
        True
        """
        kept: dict[int, int] = {}
        for entries in self._entries.values():
            for entry in entries:
                array = entry.delta if entry.gradient is None else entry.gradient
                array = array.value if array.__class__ is At else array
                base = array if array.base is None else array.base
                kept[id(base)] = base.nbytes
        return sum(kept.values())

    @staticmethod
    def sum_of(rows: list[Entry]) -> Array:
        """The sum of rows in float64, made one row at a time."""
        whole = rows[0].contribution().astype(np.float64)
        for row in rows[1:]:
            whole += row.contribution()
        return whole

    def __repr__(self) -> str:
        uses = sum(map(len, self._entries.values()))
        return f"<Ledger: {len(self)} Parameters, {uses:,} uses>"

    def _repr_html_(self) -> str:
        html: str = door("ledger_html")(self)
        return html


def _by_step(row: Entry) -> tuple[bool, int, int]:
    """In the order of the steps, uses outside time last."""
    return row.step is None, row.step or 0, row.node.number


def _plain(value: Any) -> Any:
    if value.__class__ is At:
        return At(value.index, _plain(value.value))
    return getattr(value, "_data", value)
