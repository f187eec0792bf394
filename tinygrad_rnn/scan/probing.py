"""What flows inside of a compiled run, step by step? The same loops, with a zero added where one looks.

The gradient of a value is the gradient of a zero that is added to it. So a step is traced once more with an
input that is wider than the cell's own: behind x it has a zero for every value that a weight is used in, for
every part of the state that comes in, and for what the step gives. Behind the output stand the values that
the rules of these uses read. The loops of that step, made as any others are, give all of it for all steps in
one run each way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..engine.inside import Inside, UseOverTime
from ..engine.values import Array, Grad, Literal
from ..tensors import Tensor
from ..tensors.several import cat
from . import verified
from .runtime import Flow
from .tracing import Comparison, Trace, Tracer, Untraceable, bare_constant, leaf, row_name, tracing

if TYPE_CHECKING:
    from .variants import Compiled


MACHINE = 30_000  # steps from which on machine code for what is looked at is worth its making


def probe_of(found: Compiled) -> Probe:
    """How a cell's step is looked into. Raises Untraceable where it cannot be."""
    if found.probe is None:
        try:
            found.probe = Probe(found)
        except Untraceable as reason:
            found.probe = str(reason)
        except Exception as error:
            found.probe = f"{type(error).__name__}: {error}"
    if isinstance(found.probe, str):
        raise Untraceable(found.probe)
    made: Probe = found.probe
    return made


def tells(found: Compiled, name: str, steps: int) -> bool:
    """Whether loops of a back end can say what flows inside of them."""
    try:
        probe_of(found).loops(name, steps)
    except Untraceable:
        return False
    return True


class _Use(NamedTuple):
    """A weight among the operands of a node of the trace, and the nodes whose gradients are that node's.

    That is one, or one for each of several outputs: None for an output that nobody takes.
    """

    node: Any
    operand: int
    role: str
    carriers: list[Any]


class _Columns:
    """Which columns of a wide array hold which values of a step."""

    def __init__(self, first: int, shape: tuple[int, ...]) -> None:
        self.width, self.rank, self.batch = first, len(shape), shape[:-1]
        self.places: dict[int, tuple[int, int, tuple[int, ...]]] = {}

    def add(self, node: Any) -> None:
        """Room for a value of a node's shape."""
        if id(node) not in self.places:
            shape = tuple(node.shape)
            wide = shape[-1] if self._beside(shape) else int(np.prod(shape, dtype=int))
            self.places[id(node)] = self.width, self.width + wide, shape
            self.width += wide

    def _beside(self, shape: tuple[int, ...]) -> bool:
        """Whether a value has the input's rows: then it takes columns, else a part of the first row."""
        return len(shape) == self.rank and shape[:-1] == self.batch

    def taken(self, wide: Tensor, node: Any) -> Tensor:
        """A value's part of a step's wide array."""
        low, high, shape = self.places[id(node)]
        if self._beside(shape):
            return wide[..., low:high]
        row = wide[low:high] if self.rank == 1 else wide[0, low:high]
        return row.reshape(shape)

    def beside(self, value: Tensor, node: Any) -> Tensor:
        """A value as columns that stand beside others."""
        shape = self.places[id(node)][2]
        if self._beside(shape):
            return value
        row = value.reshape(-1)
        return row if self.rank == 1 else row.reshape(1, -1).expand(*self.batch, row.shape[0])

    def over_time(self, wide: Array, node: Any) -> Array:
        """A value at every step: an array of its own."""
        low, high, shape = self.places[id(node)]
        if self._beside(shape):
            return np.ascontiguousarray(wide[..., low:high])
        rows = wide[:, low:high] if self.rank == 1 else wide[:, 0, low:high]
        return np.ascontiguousarray(rows).reshape(len(wide), *shape)


class Probe:
    """A cell's step as seen from inside. Raises Untraceable where it cannot be looked into."""

    def __init__(self, found: Compiled) -> None:
        self.trace, self.trusted = found.trace, found.trusted
        x = self.trace.inputs["x"]
        if "live" in self.trace.inputs:
            raise Untraceable("sequences end at different steps")
        if len(x.shape) not in (1, 2):
            raise Untraceable("its input is neither (batch, features) nor (features,)")
        self.states = [node for role, node in self.trace.inputs.items() if role[0] == "s"]
        self.nodes = [*{id(node): node for node in self.trace.nodes}.values()]
        self._users: dict[int, list[Any]] = {}
        for node in self.nodes:
            for parent in node.parents:
                self._users.setdefault(id(parent), []).append(node)
        self.uses = list(self._find_uses())
        self.zeros = _Columns(x.shape[-1], x.shape)
        given = {id(node) for node in self.trace.inputs.values()}
        self.made = [None if id(node) in given else node for node in self.trace.outputs]
        carriers = (carrier for use in self.uses for carrier in use.carriers)
        for node in (*self.states, *carriers, *self.made):
            if node is not None:
                self.zeros.add(node)
        output = self.trace.outputs[0]
        if len(output.shape) != len(x.shape) or output.shape[:-1] != x.shape[:-1]:
            raise Untraceable("its output has no row for each row of its input")
        self.told = _Columns(output.shape[-1], output.shape)
        for node in (*self.states, *self._operands()):
            self.told.add(node)
        self.reach = _Reach(self.trace, [use.node for use in self.uses])
        self._wide = self._traced()
        self._loops: dict[str, Any] = {}

    # ---- which values

    def _find_uses(self) -> Iterator[_Use]:
        roles = {id(node): role for role, node in self.trace.inputs.items() if role[0] == "w"}
        node: Any
        for node in self.nodes:
            for k, parent in enumerate(node.parents):
                if id(parent) not in roles or not parent.needs or not node.needs:
                    continue
                if node.op.variadic:
                    raise Untraceable(f"a weight is one of several operands of {node.op.name}")
                yield _Use(node, k, roles[id(parent)], self._carriers(node))

    def _carriers(self, node: Any) -> list[Any]:
        if not node.op.several:
            return [self._carrier(node)]
        items = {item.saved[1]: item for item in self._users.get(id(node), ()) if item.op.item}
        if len(items) < len(self._users.get(id(node), ())):
            raise Untraceable(f"it takes the same part of {node.op.name} twice")
        found = [items.get(k) for k in range(len(node.shape))]
        return [None if item is None else self._carrier(item) for item in found]

    def _carrier(self, node: Any) -> Any:
        """The value whose gradient is a node's: the sum, where it is added to others and only there."""
        ends = {id(output) for output in self.trace.outputs}
        while id(node) not in ends:
            users = self._users.get(id(node), [])
            if len(users) != 1 or row_name(users[0].op) != "add" or not users[0].needs:
                break
            if (users[0].shape, users[0].dtype) != (node.shape, node.dtype):
                break
            if all(parent is node for parent in users[0].parents):
                break
            node = users[0]
        return node

    def _operands(self) -> Iterator[Any]:
        """What the rules of the uses read, and is not at hand."""
        given = {id(n) for role, n in self.trace.inputs.items() if role == "x" or role[0] == "w"}
        for use in self.uses:
            read = [p for k, p in enumerate(use.node.parents) if _is_kept(use.node, k)]
            if use.node.out is not None:
                read.append(use.node)
            for node in read:
                if node.dtype.kind != "f" or node.dtype != self.trace.inputs["x"].dtype:
                    raise Untraceable(f"a use of a weight reads {node.dtype}")
                if id(node) not in given:
                    yield node

    # ---- the wider step

    def _traced(self) -> Trace:
        with tracing(Tracer()) as tracer:
            tracer.trusts = True
            x = self.trace.inputs["x"]
            wide = leaf(np.zeros((*x.shape[:-1], self.zeros.width), x.dtype))
            given = {
                role: leaf(np.zeros(node.shape, node.dtype))
                for role, node in self.trace.inputs.items()
                if role != "x"
            }
            known: dict[int, Any] = {id(x): wide[..., : x.shape[-1]]}
            known |= {id(self.trace.inputs[role]): t for role, t in given.items()}
            told = {id(node): known[id(node)] for node in self.states}
            for node in self.states:
                known[id(node)] = known[id(node)] + self.zeros.taken(wide, node)
            for node in self.nodes:
                if id(node) in known:
                    continue
                value = _again(tracer, node, [known.get(id(p)) for p in node.parents])
                if id(node) in self.zeros.places:
                    value = value + self.zeros.taken(wide, node)
                known[id(node)] = value
            output, *new = [known[id(node)] for node in self.trace.outputs]
            nodes = {id(node): node for node in self.nodes}
            nodes |= {id(node): node for node in self.trace.inputs.values()}
            columns = [
                self.told.beside(told.get(key, known[key]).detach(), nodes[key])
                for key in self.told.places
            ]
            outputs = [cat([output, *columns], -1), *new]
            if tracer.looked:
                raise Untraceable(tracer.looked)
            inputs: dict[str, Any] = {"x": wide._node}
            inputs |= {role: t._node for role, t in given.items()}
            return Trace(inputs, [t._node for t in outputs])

    def loops(self, name: str, steps: int) -> Any:
        """The loops of a back end, or of numpy for so few steps that it is done before machine code is made.

        Raises Untraceable.
        """
        if name not in self._loops and steps < MACHINE:
            name = "numpy"
        if name not in self._loops:
            wanted = [role for role in self._wide.inputs if role != "live"]
            self._loops[name] = verified.loops(self._wide, wanted, self.trusted, name)
        return self._loops[name]

    # ---- running it

    def entered(self, name: str, x: Array, states: list[Array], weights: list[Array]) -> list[Any]:
        """The value of each part of the state that each step starts from, in the order of running."""
        # as ``backward`` begins: without what that keeps it would be another function to compile
        loops = self.loops(name, len(x))
        y, _, _ = loops.forward([self._padded(x), *states, *weights], len(x), True)
        return [self.told.over_time(y, node) for node in self.states]

    def _padded(self, x: Array) -> Any:
        wide = np.zeros((*x.shape[:-1], self.zeros.width), x.dtype)
        wide[..., : x.shape[-1]] = x
        return wide

    def backward(
        self,
        name: str,
        x: Array,
        states: list[Array],
        weights: list[Array],
        leaves: list[Any],
        dy: Grad,
        last: list[Grad],
    ) -> tuple[Flow, Inside]:
        """The gradients of a run, and what flowed inside of it, in the order of running.

        ``dy`` and ``last`` are the gradients that came to the outputs and the last states, None where none
        did; ``leaves`` are the nodes of the weights.
        """
        steps, last = len(x), [*last]
        loops = self.loops(name, steps)
        y, _, kept = loops.forward([self._padded(x), *states, *weights], steps, True)
        wide = np.zeros(y.shape, y.dtype)
        if dy is not None:
            wide[..., : dy.shape[-1]] = dy
        found, dstates, dweights = loops.backward(kept, steps, wide, last)
        reached, entered = self.reach.over_time(dy is not None, last, steps)
        at_hand = {id(self.trace.inputs["x"]): (x, True)}
        for role, weight in zip(self._roles("w"), weights, strict=True):
            at_hand[id(self.trace.inputs[role])] = weight, False
        places = {role: k for k, role in enumerate(self._roles("w"))}
        parts = {id(node): k for k, node in enumerate(self.states)}
        uses = []
        for k, use in enumerate(self.uses):
            values = {j: self._value(p, y, at_hand) for j, p in enumerate(use.node.parents)}
            parents = [
                values[j][0] if _is_kept(use.node, j) else use.node.saved[j]
                for j in range(len(use.node.parents))
            ]
            saved = (*parents, *use.node.saved[len(parents) :])
            varying = {j for j in values if _is_kept(use.node, j) and values[j][1]}
            out = None
            if use.node.out is not None:
                out, varying = self._value(use.node, y, at_hand)[0], {*varying, -1}
            uses.append(
                UseOverTime(
                    use.node.op,
                    use.operand,
                    leaves[places[use.role]],
                    tuple(use.node.parents),
                    self._gradient(found, use, steps),
                    out,
                    tuple(map(bare_constant, saved)),
                    frozenset(varying),
                    reached[k],
                    {j: parts[id(p)] for j, p in enumerate(use.node.parents) if id(p) in parts},
                    k,
                )
            )
        entering = [self.zeros.over_time(found, node) for node in self.states]
        dx = np.ascontiguousarray(found[..., : x.shape[-1]])
        totals = [None if node is None else self.zeros.over_time(found, node) for node in self.made]
        inside = Inside(range(steps), False, uses, entering, entered, totals, dx)
        return (dx, dstates, dweights), inside

    def _gradient(self, found: Any, use: _Use, steps: int) -> Any:
        """The gradient of what an op made of a weight, at every step."""
        each = [
            np.zeros((steps, *shape), use.node.dtype)
            if carrier is None
            else self.zeros.over_time(found, carrier)
            for carrier, shape in zip(use.carriers, _shapes(use.node), strict=True)
        ]
        return each if use.node.op.several else each[0]

    def _roles(self, letter: str) -> list[str]:
        return [role for role in self.trace.inputs if role[0] == letter]

    def _value(self, node: Any, y: Any, at_hand: dict[int, tuple[Any, bool]]) -> tuple[Any, bool]:
        """What a node was at every step, and whether it differs between them; None where nobody reads it."""
        if id(node) in self.told.places:
            return self.told.over_time(y, node), True
        return at_hand.get(id(node), (None, False))


def _shapes(node: Any) -> Sequence[tuple[int, ...]]:
    """The shape of each of a node's outputs."""
    return node.shape if node.op.several else [node.shape]


def _is_kept(node: Any, k: int) -> bool:
    """Whether a rule of a node's op reads the value of an operand."""
    return k < len(node.saved) and isinstance(node.saved[k], np.ndarray)


def _again(tracer: Tracer, node: Any, args: list[Any]) -> Any:
    """A node of a trace once more, on other values, as a part of another trace."""
    if isinstance(node, Literal):
        return node.value
    op = node.op
    if not isinstance(op, Comparison):
        consts = node.saved[1 if op.variadic else len(node.parents) :]
        return args[0][consts[0]] if op.item else op.call(*args, *consts)
    if op.name == "detach":
        return args[0].detach()
    consts = tuple(map(bare_constant, node.saved[len(args) :]))
    arrays = [a._data if isinstance(a, Tensor) else a for a in args]
    made = Tensor._wrap(np.asarray(verified.unrecorded_value(op.name, arrays, iter(consts))), None)
    if op.name == "constant":
        tracer.made(made)
    else:
        tracer.compared(op.name, made, tuple(args), consts)
    return made


class _Reach:
    """At which steps does a gradient come to some nodes of a step, and to the states that enter it?"""

    def __init__(self, trace: Trace, nodes: Sequence[Any]) -> None:
        places: dict[int, list[int]] = {}
        for k, node in enumerate(nodes):
            places.setdefault(id(node), []).append(k)
        roles = {id(node): int(role[1:]) for role, node in trace.inputs.items() if role[0] == "s"}
        self.count, self.states = len(nodes), len(roles)
        self.behind: list[tuple[set[int], set[int]]] = []
        for output in trace.outputs:
            seen, stack = {id(output)}, [output] if output.needs else []
            found: set[int] = set()
            states: set[int] = set()
            while stack:
                node = stack.pop()
                found.update(places.get(id(node), ()))
                if id(node) in roles:
                    states.add(roles[id(node)])
                for parent in node.parents:
                    if parent.needs and id(parent) not in seen:
                        seen.add(id(parent))
                        stack.append(parent)
            self.behind.append((found, states))

    def over_time(self, came: bool, last: list[Grad], steps: int) -> tuple[list[Any], list[Any]]:
        """By node, and by part of the state that enters: at which steps, in the order of running."""
        uses, entered = np.zeros((self.count, steps), bool), np.zeros((self.states, steps), bool)
        now = frozenset(k for k, d in enumerate(last) if d is not None)
        known: dict[frozenset[int], tuple[list[int], frozenset[int]]] = {}
        for t in range(steps - 1, -1, -1):
            if now not in known:
                ways = [self.behind[0]] * came + [self.behind[k + 1] for k in now]
                reached = sorted(set().union(*(found for found, _ in ways)))
                known[now] = reached, frozenset().union(*(states for _, states in ways))
            reached, before = known[now]
            if before == now:  # so it stays
                uses[reached, : t + 1] = entered[sorted(now), : t + 1] = True
                break
            now = before
            uses[reached, t] = entered[sorted(now), t] = True
        return list(uses), list(entered)
