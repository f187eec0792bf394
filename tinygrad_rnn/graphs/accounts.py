"""What did all uses of one Parameter add to its gradient? A row a use, many of them computed at once.

A use that was recorded is an :class:`Entry`. The uses of a compiled call's steps are :class:`StepRows`: the
arrays of all steps, from which a row, its norm, its part along the whole and the sum of many are made.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..engine.autograd import sum_to
from ..engine.inside import UseOverTime
from ..engine.places import Place
from ..engine.scatter import At
from ..engine.values import Array
from ..ops.without_gradient import texts_of

if TYPE_CHECKING:
    from .ledger import Ledger
    from .recorded import RecordedGraph

BLOCK = 1 << 22  # numbers that are made at once


@dataclass(slots=True)
class Entry:
    """One use: the op that took the Parameter, and its contribution or the smaller thing to make it from.

    ``delta`` is the contribution itself, or None where ``gradient`` (that of the op's output) is
    smaller to keep: the op's own rule then makes the contribution when it is asked for.
    """

    node: Any
    operand: int
    gradient: Any
    delta: Any

    @property
    def step(self) -> int | None:
        """The time step of the use."""
        step: int | None = self.node.place.step
        return step

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


class StepRows:
    """One op's use of a Parameter at every step of a compiled call.

    ``way`` says which run of a cell that is: the call's node, and the number of the cell there.
    """

    def __init__(self, use: UseOverTime, steps: range, node: Any, cell: int) -> None:
        self.use, self.all_steps, self.way = use, steps, (node, cell)
        self.at = np.flatnonzero(use.reached)  # those steps to which a gradient came
        self.steps = self.at + steps.start
        self.parent = use.parents[use.operand]

    def __len__(self) -> int:
        return len(self.at)

    def entry(self, k: int) -> Entry:
        """One row by itself."""
        use, t = self.use, int(self.at[k])
        saved = tuple(a[t] if j in use.varying else a for j, a in enumerate(use.saved))
        node = SimpleNamespace(
            op=use.op,
            parents=use.parents,
            saved=saved,
            out=use.out[t] if -1 in use.varying else use.out,
            place=Place(self.way[0].place.scope, int(self.steps[k]), None),
            number=self.number,
            states=use.states,
        )
        gradient = [g[t] for g in use.gradient] if use.op.several else use.gradient[t]
        return Entry(node, use.operand, gradient, None)

    @property
    def number(self) -> int:
        """Where this use stands among those of one step, as the numbers of nodes tell it."""
        return int(self.way[0].number) + self.way[1] * 1000 + self.use.number

    def norms(self) -> Array:
        """The Euclidean norm of each row, in float64."""
        if self._is_product:
            found = np.empty(len(self))
            for part in self._blocks(self._rank**2):
                left, right = self._factors(part)
                gram = (left @ left.transpose(0, 2, 1)) * (right @ right.transpose(0, 2, 1))
                found[part] = np.sqrt(np.maximum(gram.sum((1, 2)), 0.0))
            return found
        return np.concatenate(
            [[], *(np.sqrt(np.square(c).sum(1)) for _, c in self._contributions())]
        )

    def along(self, whole: Array) -> Array:
        """The inner product of each row with an array of its shape."""
        if self._is_product:
            found = np.empty(len(self))
            for part in self._blocks(self._rank * whole.shape[1]):
                left, right = self._factors(part)
                found[part] = ((left @ whole) * right).sum((1, 2))
            return found
        flat = whole.reshape(-1)
        return np.concatenate([[], *(c @ flat for _, c in self._contributions())])

    def sum(self, which: Array | None = None) -> Array:
        """The sum of all rows, or of some, in float64."""
        if self._is_product:
            total = np.zeros(self.parent.shape)
            count = len(self) if which is None else len(which)
            for part in self._blocks(sum(self.parent.shape) * self._rank, count):
                left, right = self._factors(part if which is None else which[part])
                total += left.reshape(-1, left.shape[-1]).T @ right.reshape(-1, right.shape[-1])
            return total
        total = np.zeros(math.prod(self.parent.shape))
        for _, c in self._contributions(which):
            total += c.sum(0)
        return total.reshape(self.parent.shape)

    def contributions(self, which: Array | None = None) -> Array:
        """The rows themselves, (rows, *shape), in the Parameter's dtype."""
        at, shape = self.at if which is None else self.at[which], self.parent.shape
        rows = np.empty((len(at), *shape), self.parent.dtype)
        for part in self._blocks(math.prod(shape), len(at)):
            rows[part] = self._made(at[part]).reshape(-1, *shape)
        return rows

    @property
    def arrays(self) -> Iterator[Array]:
        """The arrays that are kept for it."""
        yield from self.use.gradient if self.use.op.several else [self.use.gradient]
        yield from (a for j, a in enumerate(self.use.saved) if j in self.use.varying)

    # ---- many rows at once

    @cached_property
    def _other(self) -> int | None:
        """The operand whose product with the gradient a row is, where the Parameter is a matrix in one."""
        use, flat = self.use, len(self.parent.shape) == 2
        if use.op.name == "linear" and use.operand == 1:
            return 0
        if use.op.name != "matmul" or not flat:
            return None
        other = 1 - use.operand
        rank = use.saved[other].ndim - (other in use.varying)
        return other if use.operand == 1 or rank <= 2 else None

    @property
    def _is_product(self) -> bool:
        return self._other is not None

    @cached_property
    def _rank(self) -> int:
        """How many products of two vectors a row is the sum of."""
        sides = self.parent.shape if self.use.operand == 0 else self.parent.shape[-1:]
        if self.use.op.name == "linear":
            sides = self.parent.shape[:1]
        count = math.prod(self.use.gradient.shape[1:])
        return int(count // sides[0])

    def _blocks(self, size: int, count: int | None = None) -> Iterator[slice]:
        """Slices of the rows whose results of a size are made at once."""
        count, wide = len(self) if count is None else count, max(BLOCK // max(size, 1), 1)
        for low in range(0, count, wide):
            yield slice(low, min(low + wide, count))

    def _factors(self, part: slice | Array) -> tuple[Array, Array]:
        """Two stacks of vectors whose outer products add up to some rows, (rows, rank, side), in float64."""
        left, right = self._vectors(self.at[part])
        return left.astype(np.float64), right.astype(np.float64)

    def _vectors(self, at: Array) -> tuple[Array, Array]:
        other, use = self._other, self.use
        assert other is not None
        g, x = use.gradient[at], use.saved[other]
        x = x[at] if other in use.varying else np.broadcast_to(x, (len(at), *x.shape))
        if use.op.name == "matmul" and use.operand == 0:  # W x: of vectors, or of columns
            columns = [a[..., None] if a.ndim == 2 else a for a in (g, x)]
            g, x = (a.transpose(0, 2, 1) for a in columns)
            return g, x
        g, x = (a.reshape(len(at), -1, a.shape[-1]) for a in (g, x))
        return (x, g) if use.op.name == "matmul" else (g, x)

    def _contributions(self, which: Array | None = None) -> Iterator[tuple[slice, Array]]:
        """The rows a block at a time, flat and in float64."""
        at = self.at if which is None else self.at[which]
        for part in self._blocks(math.prod(self.parent.shape), len(at)):
            made = self._made(at[part])
            yield part, np.asarray(made, np.float64).reshape(len(at[part]), -1)

    def _made(self, at: Array) -> Array:
        use, name = self.use, self.use.op.name
        count = len(at)
        if self._is_product:
            left, right = self._vectors(at)
            product: Array = np.matmul(left.transpose(0, 2, 1), right)
            return product
        if name in ("split", "unbind"):
            axis = int(use.saved[-1]) % len(self.parent.shape) + 1
            parts = [g[at] for g in use.gradient]
            return np.stack(parts, axis) if name == "unbind" else np.concatenate(parts, axis)
        if name == "linear" and use.operand == 2:
            summed: Array = use.gradient[at].reshape(count, -1, use.gradient.shape[-1]).sum(1)
            return summed
        if texts_of(name).machine and not use.op.variadic:
            return self._elementwise(at)
        places = {int(t): k for k, t in enumerate(self.at)}
        return np.stack([self.entry(places[int(t)]).contribution() for t in at])

    def _elementwise(self, at: Array) -> Array:
        """Of an op on numbers one by one: its rule on all steps, what was stretched summed again."""
        use, g = self.use, self.use.gradient[at]
        rank = g.ndim - 1

        def given(j: int, a: Any) -> Any:
            if j not in use.varying:
                return a
            a = a[at]
            return a.reshape(len(at), *(1,) * (rank + 1 - a.ndim), *a.shape[1:])

        saved = [given(j, a) for j, a in enumerate(use.saved)]
        rule = use.op.rules[use.operand]
        assert rule is not None
        d = rule(g, given(-1, use.out), *saved)
        d = np.broadcast_to(d, g.shape)
        lead = rank - len(self.parent.shape)
        made: Array = sum_to(d, (len(at), *(1,) * lead, *self.parent.shape))
        return made


class Account:
    """All uses of one Parameter in one pass, in the order of the steps, those outside time last."""

    def __init__(self, entries: Iterable[Entry], rows: Iterable[StepRows] = ()) -> None:
        self.alone = sorted(entries, key=_by_step)
        self.rows = [*rows]

    @cached_property
    def order(self) -> Array:
        """Where each use stands among those of ``alone`` and then of ``rows``, one after the other."""
        alone = [_by_step(entry) for entry in self.alone]
        given = [*(n for *_, n in alone), *(rows.number for rows in self.rows)]
        ranks = {
            number: k for k, number in enumerate(sorted(given))
        }  # they may be too large for an array
        late = np.zeros(len(self), bool)
        late[: len(alone)] = [late for late, *_ in alone]
        steps = [np.array([step for _, step, _ in alone], int), *(r.steps for r in self.rows)]
        places = [np.array([ranks[n] for *_, n in alone], int)]
        places += [np.full(len(rows), ranks[rows.number]) for rows in self.rows]
        return np.lexsort((np.concatenate(places), np.concatenate(steps), late))

    def __len__(self) -> int:
        return len(self.alone) + sum(map(len, self.rows))

    def alone_at(self) -> Iterator[tuple[int, Entry]]:
        """The recorded uses with their places in the order."""
        yield from zip(self._inverse[: len(self.alone)].tolist(), self.alone, strict=True)

    def rows_at(self) -> Iterator[tuple[Array, StepRows]]:
        """Those of compiled calls with the places of their rows."""
        at = len(self.alone)
        for rows in self.rows:
            yield self._inverse[at : at + len(rows)], rows
            at += len(rows)

    @cached_property
    def _inverse(self) -> Array:
        if not self.rows:
            return np.arange(len(self))
        inverse = np.empty(len(self), int)
        inverse[self.order] = np.arange(len(self))
        return inverse

    @cached_property
    def step_numbers(self) -> Array:
        """The time step of each use as an array: -1 outside time."""
        alone = np.array([-1 if e.step is None else e.step for e in self.alone], int)
        return self._numbers(alone, [rows.steps for rows in self.rows])

    @cached_property
    def steps(self) -> list[int | None]:
        """The time step of each use."""
        return self._ordered([e.step for e in self.alone], [r.steps.tolist() for r in self.rows])

    @property
    def ops(self) -> list[str]:
        """What the op of each use is called."""
        alone = [e.node.op.name for e in self.alone]
        return self._ordered(alone, [[r.use.op.name] * len(r) for r in self.rows])

    @cached_property
    def norms(self) -> Array:
        """The Euclidean norm of each."""
        return self._numbers([e.norm() for e in self.alone], [r.norms() for r in self.rows])

    def along(self, whole: Array) -> Array:
        """The inner product of each with an array of the Parameter's shape."""
        return self._numbers(
            [e.along(whole) for e in self.alone], [r.along(whole) for r in self.rows]
        )

    def sum(self, which: Array | None = None) -> Array:
        """The sum of all (or of some, by their places in the order) in float64, never holding all of them."""
        total: Array | None = None
        for part, places in self._chosen(which):
            if isinstance(part, StepRows):
                found = part.sum(places)
                total = found if total is None else total + found
            elif total is None:
                total = part.contribution().astype(np.float64)
            else:
                total += part.contribution()
        assert total is not None
        return total

    def _chosen(self, which: Array | None) -> Iterator[tuple[Entry | StepRows, Array | None]]:
        """The recorded uses one by one, then of every compiled call's which rows."""
        if which is None:
            yield from ((entry, None) for entry in self.alone)
            yield from ((rows, None) for rows in self.rows)
            return
        chosen = np.sort(self.order[which]) if self.rows else np.asarray(which)
        at = len(self.alone)
        yield from ((self.alone[k], None) for k in chosen[chosen < at].tolist())
        for rows in self.rows:
            mine = chosen[(at <= chosen) & (chosen < at + len(rows))] - at
            if len(mine):
                yield rows, mine
            at += len(rows)

    def contributions(self, which: Array | None = None) -> Array:
        """All of them, or some, (uses, *shape)."""
        if not self.rows:
            alone = self.alone if which is None else [self.alone[k] for k in which]
            return np.stack([entry.contribution() for entry in alone])
        chosen = self.order if which is None else self.order[which]
        if len(self.rows) == 1 and not self.alone:
            return self.rows[0].contributions(chosen)
        found = [
            part.contributions(places) if isinstance(part, StepRows) else part.contribution()[None]
            for part, places in self._chosen(which)
        ]
        made = np.concatenate(found)  # in the order of ``alone`` and ``rows``
        result = np.empty_like(made)
        result[np.argsort(chosen, kind="stable")] = made
        return result

    def entry(self, k: int) -> Entry:
        """One by itself."""
        place = int(self.order[k]) if self.rows else k
        if place < len(self.alone):
            return self.alone[place]
        place -= len(self.alone)
        for rows in self.rows:
            if place < len(rows):
                return rows.entry(place)
            place -= len(rows)
        raise IndexError(k)

    def _numbers(self, alone: Array | list[float], rows: list[Array]) -> Array:
        found = np.asarray(alone if isinstance(alone, np.ndarray) else np.array(alone, float))
        return np.concatenate([found, *rows])[self.order] if rows else found

    def _ordered(self, alone: list[Any], rows: Sequence[list[Any]]) -> list[Any]:
        if not rows:
            return alone
        every = [*alone, *(value for each in rows for value in each)]
        return [every[k] for k in self.order.tolist()]


def _by_step(row: Entry) -> tuple[bool, int, int]:
    """In the order of the steps, uses outside time last."""
    return row.step is None, row.step or 0, row.node.number


class UsesByPlace:
    """All uses of a graph's Parameters in one pass, by where in a picture they are: None for elsewhere.

    ``of_node`` says it of what was recorded, ``of_call`` of a cell's call by its id. ``rows`` are the uses by
    Parameter and place; ``known`` says whether the ledger is of this graph.
    """

    def __init__(
        self,
        graph: RecordedGraph,
        ledger: Ledger,
        of_node: Callable[[int], Hashable],
        of_call: Mapping[int, Hashable],
    ) -> None:
        self.ledger, index = ledger, graph._index
        self.known = id((ledger.root or (None,))[0]) in index
        self.accounts: dict[int, Account] = {}
        self.rows: dict[int, dict[Any, Array]] = {}
        for parameter in graph.parameters.values():
            account = ledger.account_of(graph._raw[parameter.id].key)
            found: dict[Hashable, list[int]] = {}
            for at, entry in account.alone_at():
                node = index.get(id(entry.node), -1)
                self.known |= node >= 0
                found.setdefault(of_node(node) if node >= 0 else None, []).append(at)
            for places, rows in account.rows_at():
                steps = graph.steps_of(*rows.way)
                self.known |= bool(steps)
                # in an excerpt a call stands for the steps up to the next one
                owners = [of_call[id_] for _, id_ in sorted(steps.items())] or [None]
                nth = np.maximum(np.searchsorted(sorted(steps), rows.steps, "right") - 1, 0)
                number = {owner: k for k, owner in enumerate(dict.fromkeys(owners))}
                at_row = np.array([number[owner] for owner in owners])[nth]
                for owner, k in number.items():
                    found.setdefault(owner, []).extend(places[at_row == k].tolist())
            self.accounts[parameter.id] = account
            self.rows[parameter.id] = {at: np.sort(np.array(f)) for at, f in found.items() if f}

    def whole(self, parameter: int) -> float:
        """|G|: the norm of the whole gradient of a Parameter."""
        uses = self.accounts[parameter]
        return float(np.linalg.norm(uses.sum())) if len(uses) else 0.0

    def norm_at(self, parameter: int, place: Hashable) -> float:
        """The norm of what the uses of one place add."""
        which = self.rows[parameter].get(place)
        return 0.0 if which is None else self.norm_of(parameter, which)

    def norm_of(self, parameter: int, which: Array) -> float:
        """The norm of the sum of some uses."""
        uses = self.accounts[parameter]
        if len(which) == 1:
            return uses.entry(int(which[0])).norm()
        return float(np.linalg.norm(uses.sum(which)))
