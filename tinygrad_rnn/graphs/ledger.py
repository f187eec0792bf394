"""What does each use of each Parameter add to its gradient? StepRows whose sum is ``grad``."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..doors import door
from ..engine.inside import Inside
from ..engine.scatter import At
from ..engine.values import Array, Leaf, Node
from .accounts import Account, Entry, StepRows

if TYPE_CHECKING:
    from ..tensors import Tensor

LONG = 2000  # steps of a compiled call from which on its rows are arrays over time, and it stays as it is


class Ledger:
    """Per-use contributions to the gradients of one backward pass: ``loss.backward(ledger=True)``.

    ``ledger[p]`` is (uses, *p.shape), for a T-step layer (T, *p.shape), in the order of the steps; it
    sums over axis 0 to what the pass added to ``p.grad``. ``ledger.steps(p)`` labels the rows (None
    for a use outside time), ``ledger.norms(p)`` are the rows' Euclidean norms. StepRows are made when
    asked for. Memory (``nbytes``): for each use the gradient of its op's output or the contribution,
    whichever is smaller; the ledger keeps the graph that it belongs to alive.

    >>> import tinygrad_rnn as tg
    >>> rnn = tg.nn.RNN(2, 3)
    >>> y, h = rnn(tg.ones(4, 1, 2))
    >>> ledger = y.sum().backward(ledger=True)
    >>> ledger[rnn.weight_hh_l0].shape, ledger.steps(rnn.weight_hh_l0)
    ((4, 3, 3), [0, 1, 2, 3])
    """

    def __init__(self) -> None:
        self._entries: dict[int, list[Entry]] = {}
        self._over_time: dict[int, list[StepRows]] = {}  # of compiled calls
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

    def takes(self, fold: Any) -> bool:
        """Whether a compiled call is taken as a whole: if it is long, and knows what flowed inside."""
        return len(fold.steps) >= LONG and bool(fold.tells())

    def heard(self, node: Any, insides: list[Inside | None], gradients: list[Any]) -> None:
        """The engine tells of a compiled call: keep what flowed to every leaf at every step."""
        told: set[int] = set()
        for cell, inside in enumerate(insides):
            if inside is None:
                continue
            for use in inside.uses:
                told.add(id(use.leaf))
                if isinstance(use.leaf, Leaf) and use.leaf.needs and use.reached.any():
                    rows = StepRows(use, inside.steps, node, cell)
                    self._over_time.setdefault(use.leaf.key, []).append(rows)
        for k, (parent, delta) in enumerate(zip(node.parents, gradients, strict=True)):
            if isinstance(parent, Leaf) and id(parent) not in told and delta is not None:
                self._entries.setdefault(parent.key, []).append(Entry(node, k, None, _plain(delta)))

    def account_of(self, key: int) -> Account:
        """All uses of the leaf with this key."""
        return Account(self._entries.get(key, ()), self._over_time.get(key, ()))

    @property
    def leaves(self) -> set[int]:
        """The keys of the leaves to which a gradient came."""
        return {*self._entries, *self._over_time}

    def _rows(self, parameter: Tensor) -> Account:
        key = getattr(parameter._node, "key", None)
        if key not in self.leaves:
            raise KeyError(
                f"this ledger has nothing for a tensor of shape {parameter.shape}: "
                "no gradient reached it in that backward pass"
            )
        return self.account_of(key)

    def __getitem__(self, parameter: Tensor) -> Array:
        """Every use's contribution, (uses, *shape), in the order of the steps."""
        return self._rows(parameter).contributions()

    def __contains__(self, parameter: Tensor) -> bool:
        return getattr(parameter._node, "key", None) in self.leaves

    def __len__(self) -> int:
        return len(self.leaves)

    def steps(self, parameter: Tensor) -> list[int | None]:
        """The time step of each row, counted from 0; None for a use outside time."""
        return [*self._rows(parameter).steps]

    def norms(self, parameter: Tensor) -> Array:
        """The Euclidean norm of each row, (uses,), in float64."""
        return self._rows(parameter).norms.copy()

    def total(self, parameter: Tensor) -> Array:
        """The sum of the rows: what the pass added to ``grad``, made without holding all rows."""
        uses = self._rows(parameter)
        if uses.rows:
            return uses.sum().astype(parameter.dtype)
        total = uses.alone[0].contribution().copy()
        for row in uses.alone[1:]:
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
        uses = self._rows(parameter)
        whole = uses.sum()
        length = float(np.linalg.norm(whole))
        return uses.along(whole) / length if length else np.zeros(len(uses))

    def cancellation(self, parameter: Tensor) -> float:
        """The share of the steps' parts that cancels in the sum: 1 - |sum g_t| / sum |g_t|, in 0 .. 1.

        0 where all steps agree, near 1 where they contradict each other; 0 if all rows are 0.
        """
        uses = self._rows(parameter)
        said, whole = float(uses.norms.sum()), float(np.linalg.norm(uses.sum()))
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
            uses = self.account_of(key)
            whole = uses.sum()
            length = float(np.linalg.norm(whole))
            columns["parameter"] += [name] * len(uses)
            columns["step"] += uses.steps
            columns["op"] += uses.ops
            columns["norm"] += uses.norms.tolist()
            columns["projection"] += (uses.along(whole) / (length or 1.0)).tolist()
        frame = pandas.DataFrame(columns)
        frame["step"] = frame["step"].astype("Int64")
        return frame

    @cached_property
    def names(self) -> dict[int, str]:
        """The dotted name of every Parameter in the ledger by its leaf's key, in the order of the modules."""
        from .excerpt import excerpt
        from .graph import Graph

        if self.root is None:
            return {}
        graph = excerpt(Graph.behind(self.root[0]))
        known = {graph._raw[node.id].key: name for name, node in graph.parameters.items()}
        keys = self.leaves
        return {key: name for key, name in known.items() if key in keys}

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
        for array in self._arrays():
            base = array if array.base is None else array.base
            kept[id(base)] = base.nbytes
        return sum(kept.values())

    def _arrays(self) -> Iterator[Array]:
        for entries in self._entries.values():
            for entry in entries:
                array = entry.delta if entry.gradient is None else entry.gradient
                yield array.value if array.__class__ is At else array
        for rows in self._over_time.values():
            for each in rows:
                yield from each.arrays

    def __repr__(self) -> str:
        uses = sum(len(self.account_of(key)) for key in self.leaves)
        return f"<Ledger: {len(self)} Parameters, {uses:,} uses>"

    def _repr_html_(self) -> str:
        html: str = door("ledger_html")(self)
        return html


def _plain(value: Any) -> Any:
    if value.__class__ is At:
        return At(value.index, _plain(value.value))
    return getattr(value, "_data", value)
