"""What is a traced step as a program? It and its derivative, two straight ones over numbered values.

The forward program is the trace; the backward program is what the engine itself records when it
derives the trace with ``create_graph``, so no derivative is written down a second time. Both share one
list of values in the order of computation. On the way in, values are put into a small normal form:
products with weights become ``dot``, weight gradients ``outer``, parts ``slice`` and ``concat``, equal
values are one, and what is added up is sorted so that what depends on no state stands together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from ..engine.autograd import flow
from ..engine.places import state as now
from ..engine.values import Leaf, Literal, Node
from ..engine.values import Value as Recorded
from ..ops.row import ROWS
from ..ops.without_gradient import FUNCTIONS, texts_of
from ..tensors import Tensor
from .tracing import Comparison, Trace, Tracer, constants, in_order, leaf, row_name, unhashed

Args = tuple[int, ...]  # the numbers of the values that a value is made of
Consts = tuple[Any, ...]
Shape = tuple[int, ...]
Labels = tuple[int, ...]  # of an einsum's axes

# What a value depends on.
STEP, STATE, SEED = 1, 2, 4

# Ops of numbers one by one: those for which a row has a text of one number.
ELEMENTWISE = frozenset(name for name in (*ROWS, *FUNCTIONS) if texts_of(name).machine)


@dataclass(frozen=True, slots=True)
class Value:
    """One value of a step: the op that makes it, of which values, with which constants."""

    op: str
    args: Args
    consts: Consts
    shape: Shape
    dtype: str


class Program:
    """The values of one step, what goes in, what comes out, and the gradients of what went in.

    Roles: ``x``, ``live`` (which sequences still run), ``s0``, ``s1`` ... (the state), ``w0`` ... (what is
    the same at every step); ``dy`` and ``ds0`` ... are the gradients that come in, ``gradients`` maps the
    role of an input to the value of its gradient.
    """

    apart = True  # whether equal floats stay two: those of the next call may not be equal

    def __init__(self, trace: Trace, derive: bool, wanted: Sequence[str] = ()) -> None:
        assert isinstance(now.tracer, Tracer)
        now.tracer.trusts = True  # what a trace took as an index is one here, too
        self.values: list[Value] = []
        self.depends: list[int] = []
        self._known: dict[tuple[str, Args, str, Shape, str], int] = {}
        self._of: dict[int, int] = {}
        self._held: list[Any] = []
        self._of_loss = False  # whether backward's values are being made
        self.inputs: dict[str, int] = {}
        self.gradients: dict[str, int] = {}
        for role, node in trace.inputs.items():
            self._input(role, node)
        for node in trace.nodes:
            self._lower(node)
        self.outputs = [self._of[id(node)] for node in trace.outputs]
        self.forward = len(self.values)  # values from here on belong to backward
        if derive:
            self._derive(trace, wanted)

    @property
    def y(self) -> int:
        """The output of the step."""
        return self.outputs[0]

    @property
    def states(self) -> list[int]:
        """The new state."""
        return self.outputs[1:]

    def _input(self, role: str, node: Recorded) -> None:
        depends = {"x": STEP, "l": STEP, "s": STATE, "d": SEED}.get(role[0], 0)
        self._of[id(node)] = self.enter(
            Value("input", (), (role,), node.shape, node.dtype.char), depends
        )
        self.inputs[role] = self._of[id(node)]

    # ---- from nodes to values

    def _derive(self, trace: Trace, wanted: Sequence[str]) -> None:
        """Run the engine's backward over the trace, recorded, and lower what it recorded."""
        self._of_loss = True
        roots, seeds = [], []
        for k, node in enumerate(trace.outputs):
            seed = Tensor._wrap(np.zeros(node.shape, node.dtype), None)
            seed._node = Leaf(node.shape, node.dtype)
            seeds.append(seed)
            self._input("dy" if not k else f"ds{k - 1}", seed._node)
            if isinstance(node, (Node, Leaf)) and node.needs:  # a constant hears nothing
                roots.append((node, seed))
        reached = flow(roots, recorded=True)
        arrived = {id(node): g for node, g, _ in reached.values()}
        found = {
            r: arrived[id(n)] for r, n in trace.inputs.items() if r in wanted and id(n) in arrived
        }
        for g in found.values():
            if g._node is None:
                raise NotImplementedError("a gradient that depends on nothing")
        for node in in_order([g._node for g in found.values()]):
            if id(node) not in self._of:
                self._lower(node)
        self.gradients = {role: self._of[id(g._node)] for role, g in found.items()}

    def _lower(self, node: Recorded) -> None:
        """The value of one recorded node."""
        if id(node) in self._of:
            return
        if isinstance(node, Literal):
            self._of[id(node)] = self._number(node.value)
            return
        if node.op is None:
            raise NotImplementedError("an array that the trace does not explain")
        name = row_name(node.op)
        if name in ("split", "unbind"):
            return  # its items are what is used
        if getattr(node.op, "made_of", None) is not None or (
            isinstance(node.op, Comparison) and name in ROWS and ROWS[name].made_of is not None
        ):
            self._of[id(node)] = self._lower_parts(name, node)
            return
        args = tuple(self._of.get(id(p), -1) for p in node.parents)
        consts = tuple(map(unhashed, constants(node)))
        if name == "item":
            whole = node.parents[0]
            assert isinstance(whole, Node)
            value = self._part(whole, consts[0], node)
        else:
            value = self.make(name, args, consts, node.shape, node.dtype.char)
        self._of[id(node)] = value

    def _lower_parts(self, name: str, node: Node) -> int:
        """The value of a node whose op is said in other rows: theirs."""
        operands: list[Any] = []
        for parent in node.parents:
            if isinstance(parent, Literal):
                operands.append(parent.value)
                continue
            operands.append(leaf(np.zeros(parent.shape, parent.dtype)))
            self._of[id(operands[-1]._node)] = self._of[id(parent)]
        made: Any = ROWS[name].made_of
        consts = node.saved[1 if node.op.variadic else len(node.parents) :]
        result = made(*operands, *consts)._node
        self._held += [*operands, result]  # so that their ids stay their own
        for inner in in_order([result]):
            if id(inner) not in self._of:
                self._lower(inner)
        return self._of[id(result)]

    def _part(self, whole: Node, k: int, node: Node) -> int:
        source = self._of[id(whole.parents[0])]
        axis = whole.saved[-1]
        if row_name(whole.op) == "unbind":
            index: Any = (slice(None),) * axis + (k,)
        else:
            sizes = whole.saved[1]
            low = sum(sizes[:k])
            index = (slice(None),) * axis + (slice(low, low + sizes[k]),)
        return self.make("getitem", (source,), (index,), node.shape, node.dtype.char)

    # ---- the normal form

    def make(self, op: str, args: Args, consts: Consts, shape: Shape, dtype: str) -> int:
        """The number of a value in normal form; equal values have one number."""
        rewrite = getattr(self, f"_make_{op}", None)
        if rewrite is not None:
            found: int | None = rewrite(args, consts, shape, dtype)
            if found is not None:
                return found
        depends = 0
        for a in args:
            depends |= self.depends[a]
        return self.enter(Value(op, args, consts, tuple(shape), dtype), depends)

    def enter(self, value: Value, depends: int, apart: bool = False) -> int:
        """The number of a value as it is; ``apart`` from others that are equal."""
        key = (value.op, value.args, repr(value.consts), value.shape, value.dtype)
        number = None if apart else self._known.get(key)
        if number is None:
            number = self._known[key] = len(self.values)
            self.values.append(value)
            self.depends.append(depends)
        return number

    def literal(self, v: int) -> bool | int | float | None:
        """The Python number that a value is, or None."""
        value = self.values[v]
        return value.consts[0] if value.op == "literal" else None

    def _make_linear(self, args: Args, _consts: Consts, shape: Shape, dtype: str) -> int:
        return self._sum([self.make("dot", args[:2], (True,), shape, dtype), args[2]], shape, dtype)

    def _make_linear_without_bias(
        self, args: Args, _consts: Consts, shape: Shape, dtype: str
    ) -> int:
        return self.make("dot", args, (True,), shape, dtype)

    def _make_dot(self, args: Args, consts: Consts, _shape: Shape, _dtype: str) -> int | None:
        """A product with a weight; of a transposed weight it is the other product."""
        a, w = args
        if not consts:  # the row of that name: of two vectors
            side = self.values[a].shape
            return self.make(
                "sum", (self.make("mul", args, (), side, _dtype),), ((0,), False), (), _dtype
            )
        if self.depends[w] or len(self.values[w].shape) != 2:
            shape, turned = self.values[w].shape, w
            if consts[0]:
                turned = self.make("permute", (w,), ((1, 0),), shape[::-1], self.values[w].dtype)
            return self.enter(
                Value("matmul", (a, turned), (), _shape, _dtype), self.depends[a] | self.depends[w]
            )
        inner = self.values[w]
        if inner.op == "permute":
            return self.make("dot", (a, inner.args[0]), (not consts[0],), _shape, _dtype)
        return None

    def _make_matmul(self, args: Args, _consts: Consts, shape: Shape, dtype: str) -> int | None:
        a, b = args
        va, vb = self.values[a], self.values[b]
        if not self.depends[b] and len(vb.shape) == 2:
            return self.make("dot", (a, b), (False,), shape, dtype)
        if not self.depends[a] and len(va.shape) == 2 and len(vb.shape) == 1:
            return self.make("dot", (b, a), (True,), shape, dtype)
        if not self.depends[a] and self.depends[b] and len(va.shape) == len(vb.shape) == 2:
            turned = self._transposed(b)  # W @ x is (x.T @ W.T).T
            product = self.make("dot", (turned, a), (True,), shape[::-1], dtype)
            return self.make("permute", (product,), ((1, 0),), shape, dtype)
        if va.op == "permute" and len(va.shape) == 2 and len(vb.shape) == 2:
            return self.make("outer", (self._flat(va.args[0]), self._flat(b)), (), shape, dtype)
        return None

    def _transposed(self, v: int) -> int:
        """A matrix with its axes changed."""
        value = self.values[v]
        return self.make("permute", (v,), ((1, 0),), value.shape[::-1], value.dtype)

    def _make_einsum(self, args: Args, consts: Consts, shape: Shape, dtype: str) -> int | None:
        """Of several operands two at a time; with weights, where their labels allow it, a ``dot``."""
        terms, to = consts
        if len(args) > 2:
            return self._pairwise(args, terms, to, shape, dtype)
        for k in (0, 1) if len(args) == 2 else ():
            a, w = args[k], args[1 - k]
            if self.depends[a] and not self.depends[w]:
                return self._by_weights(a, terms[k], w, terms[1 - k], to, dtype)
        return None

    def _by_weights(
        self, a: int, of_a: Labels, w: int, of_w: Labels, to: Labels, dtype: str
    ) -> int | None:
        """An einsum of a value and weights as rows by a matrix, None where a label stays of both."""
        sides = dict(
            zip((*of_w, *of_a), (*self.values[w].shape, *self.values[a].shape), strict=True)
        )
        rows, inner, columns = (
            [n for n in of_a if n not in of_w],
            [n for n in of_a if n in of_w],
            [n for n in of_w if n not in of_a],
        )
        twice = len({*rows, *inner}) < len(of_a) or len({*inner, *columns}) < len(of_w)
        alike = all(sides[n] == side for n, side in zip(of_w, self.values[w].shape, strict=True))
        if twice or not (alike and inner and columns) or {*rows, *columns} != set(to):
            return None

        def within(v: int, labels: Labels, order: Sequence[int], shape: Shape) -> int:
            """A value with its axes in another order, then of another shape."""
            axes, kind = tuple(map(labels.index, order)), self.values[v].dtype
            v = self.make("permute", (v,), (axes,), tuple([sides[n] for n in order]), kind)
            return self.make("reshape", (v,), (shape,), shape, kind)

        lead, wide = tuple([sides[n] for n in rows]), tuple([sides[n] for n in columns])
        deep = prod(sides[n] for n in inner)
        left = within(a, of_a, (*rows, *inner), (*lead, deep))
        right = within(w, of_w, (*inner, *columns), (deep, prod(wide)))
        product = self.make("dot", (left, right), (False,), (*lead, prod(wide)), dtype)
        product = self.make("reshape", (product,), ((*lead, *wide),), (*lead, *wide), dtype)
        return within(product, (*rows, *columns), to, tuple([sides[n] for n in to]))

    def _pairwise(
        self, args: Args, terms: Sequence[Labels], to: Labels, shape: Shape, dtype: str
    ) -> int:
        """An einsum as a row of einsums of two: in the order that numpy's greedy search finds."""
        waiting = list(zip(args, terms, strict=True))
        dummies = [
            part
            for a, term in waiting
            for part in (np.broadcast_to(0, self.values[a].shape), list(term))
        ]
        path = np.einsum_path(*dummies, list(to), optimize="greedy")[0][1:]
        for places in path:
            group = [waiting.pop(k) for k in sorted(places, reverse=True)]
            while len(group) > 1:
                (a, of_a), (b, of_b) = group[:2]
                rest = {label for _, term in (*waiting, *group[2:]) for label in term} | set(to)
                last = not waiting and len(group) == 2
                goal = to if last else tuple(n for n in dict.fromkeys((*of_a, *of_b)) if n in rest)
                sides: dict[int, int] = {}
                for v, term in group[:2]:
                    for label, side in zip(term, self.values[v].shape, strict=True):
                        sides[label] = side if sides.get(label, 1) == 1 else sides[label]
                made = tuple(sides[label] for label in goal)
                both = self.make("einsum", (a, b), ((of_a, of_b), goal), made, dtype)
                group = [(both, goal), *group[2:]]
            waiting += group
        (found, term), *_ = waiting
        if term == to:
            return found
        return self.make("einsum", (found,), ((term,), to), shape, dtype)

    def _flat(self, v: int) -> int:
        """The vector that a value of one row was made from, or the value itself."""
        value = self.values[v]
        if value.op == "reshape" and value.shape[0] == 1:
            inner = value.args[0]
            if len(self.values[inner].shape) == 1:
                return inner
        return v

    def _make_reshape(self, args: Args, _consts: Consts, shape: Shape, dtype: str) -> int | None:
        value = self.values[args[0]]
        if value.shape == tuple(shape):
            return args[0]
        if value.op == "reshape":
            return self.make("reshape", value.args, (tuple(shape),), shape, dtype)
        if value.op == "sum" and not value.consts[1]:
            inner = self.values[value.args[0]].shape
            open_shape = tuple(1 if i in value.consts[0] else n for i, n in enumerate(inner))
            if open_shape == tuple(shape):
                return self.make("sum", value.args, (value.consts[0], True), shape, dtype)
        return (
            None
            if _consts == (tuple(shape),)
            else self.make("reshape", args, (tuple(shape),), shape, dtype)
        )

    def _make_permute(self, args: Args, consts: Consts, shape: Shape, dtype: str) -> int | None:
        value = self.values[args[0]]
        if tuple(consts[0]) == tuple(range(len(shape))):
            return args[0]
        if value.op == "permute":
            axes = tuple(value.consts[0][i] for i in consts[0])
            return self.make("permute", value.args, (axes,), shape, dtype)
        return None

    def _make_cast(self, args: Args, _consts: Consts, _shape: Shape, dtype: str) -> int | None:
        return args[0] if self.values[args[0]].dtype == dtype else None

    def _make_clip(self, args: Args, consts: Consts, shape: Shape, dtype: str) -> int | None:
        """A clip with one bound is a maximum, or a minimum."""
        low, high = consts
        if low is not None and high is not None:
            return None
        if low is None and high is None:
            return args[0]
        name, bound = ("maximum", low) if high is None else ("minimum", high)
        return self.make(name, (args[0], self._number(bound)), (), shape, dtype)

    def _number(self, number: bool | int | float) -> int:
        """A Python number; a float is a value of its own where programs take other numbers later."""
        value = Value("literal", (), (number,), (), Literal(number).dtype)
        return self.enter(value, 0, self.apart and type(number) is float)

    def _make_detach(self, args: Args, _consts: Consts, _shape: Shape, _dtype: str) -> int:
        return args[0]

    def _make_constant(self, _args: Args, consts: Consts, shape: Shape, dtype: str) -> int | None:
        return None if consts[0].array.any() else self._zeros(shape, dtype)

    def _make_square(self, args: Args, _consts: Consts, shape: Shape, dtype: str) -> int:
        return self.make("mul", (args[0], args[0]), (), shape, dtype)

    def _make_sum(self, args: Args, consts: Consts, shape: Shape, dtype: str) -> int | None:
        axes, keep = consts
        if not axes:
            return args[0]
        value = self.values[args[0]]
        if not self._of_loss or value.op not in ("matmul", "einsum") or keep:
            return None
        terms, to = product_labels(value, [self.values[a].shape for a in value.args])
        to = tuple(n for k, n in enumerate(to) if k not in axes)  # a product that is only summed
        return self.make("einsum", value.args, (terms, to), shape, dtype)

    def _make_mul(self, args: Args, _consts: Consts, shape: Shape, dtype: str) -> int | None:
        column, other = (self.values[a] for a in args)
        if column.op == "reshape" and column.shape == (*shape[:1], 1) and len(shape) == 2:
            vector = self.values[column.args[0]].shape  # each number of one by each of another
            rows = column.args[0], self._flat(args[1])
            fits = len(vector) == 1 and self.values[rows[1]].shape == shape[1:]
            fits = fits and all(self.depends[v] for v in rows)
            if self._of_loss and fits and column.dtype == other.dtype == dtype:
                return self.make("outer", rows, (), shape, dtype)
        for one, rest in (args, args[::-1]):
            factor = self.literal(one)
            if type(factor) is int and factor == 1 and self.values[rest].shape == tuple(shape):
                return rest
        return None

    def _make_where(self, args: Args, _consts: Consts, shape: Shape, _dtype: str) -> int | None:
        condition = self.literal(args[0])
        if condition is not None:
            chosen = int(args[1] if condition else args[2])
            if self.values[chosen].shape == tuple(shape):
                return chosen
        return None

    def _make_broadcast(self, args: Args, _consts: Consts, shape: Shape, dtype: str) -> int | None:
        return args[0] if self.values[args[0]].shape == tuple(shape) else None

    def _make_getitem(self, args: Args, consts: Consts, shape: Shape, dtype: str) -> int | None:
        ends = last_axis_slice(consts[0], self.values[args[0]].shape)
        if ends is not None:
            return self.make("slice", args, ends, shape, dtype)
        parts = consts[0] if isinstance(consts[0], tuple) else (consts[0],)
        if all(
            p is None or p is Ellipsis or p == slice(None) for p in parts
        ):  # more axes, no fewer
            return self.make("reshape", args, (tuple(shape),), shape, dtype)
        return None

    def _make_slice(self, args: Args, consts: Consts, shape: Shape, dtype: str) -> int | None:
        (low, high), value = consts, self.values[args[0]]
        if low == 0 and high == value.shape[-1]:
            return args[0]
        if value.op == "slice":
            start = value.consts[0]
            return self.make("slice", value.args, (start + low, start + high), shape, dtype)
        if value.op == "concat":
            at = 0
            for part in value.args:
                width = self.values[part].shape[-1]
                if at <= low and high <= at + width:
                    return self.make("slice", (part,), (low - at, high - at), shape, dtype)
                at += width
        return None

    def _make_cat(self, args: Args, consts: Consts, shape: Shape, dtype: str) -> int | None:
        return self.make("concat", args, (), shape, dtype) if consts[0] == len(shape) - 1 else None

    def _make_concat(self, args: Args, _consts: Consts, shape: Shape, _dtype: str) -> int | None:
        """All slices of one value in their order are that value."""
        first = self.values[args[0]]
        if len(args) == 1:
            return args[0]
        if first.op != "slice" or self.values[first.args[0]].shape != tuple(shape):
            return None
        at = 0
        for a in args:
            value = self.values[a]
            if value.op != "slice" or value.args != first.args or value.consts[0] != at:
                return None
            at = value.consts[1]
        return first.args[0]

    def _make_place(self, args: Args, consts: Consts, shape: Shape, dtype: str) -> int | None:
        """Gradients of slices side by side are a concat, with zeros in the gaps."""
        indices = consts[0]
        ends = [last_axis_slice(index, shape) for index in indices]
        if any(e is None for e in ends):
            return None
        parts: list[int] = []
        at = 0
        for (low, high), arg in sorted(zip(ends, args, strict=True), key=lambda pair: pair[0]):  # type: ignore
            if low < at:
                return None
            if low > at:
                parts.append(self._zeros((*shape[:-1], low - at), dtype))
            parts.append(arg)
            at = high
        if at < shape[-1]:
            parts.append(self._zeros((*shape[:-1], shape[-1] - at), dtype))
        return self.make("concat", tuple(parts), (), shape, dtype)

    def _zeros(self, shape: Shape, dtype: str) -> int:
        return self.make("zeros", (), (tuple(shape),), shape, dtype)

    def _make_zeros(self, args: Args, consts: Consts, shape: Shape, dtype: str) -> int | None:
        return None if consts else self._zeros(shape, dtype)

    def _make_add(self, args: Args, _consts: Consts, shape: Shape, dtype: str) -> int | None:
        a, b = args
        return (
            self._sum([a, b], shape, dtype)
            if self.values[a].op == "add" or self.values[b].op == "add"
            else None
        )

    def _sum(self, args: list[int], shape: Shape, dtype: str) -> int:
        """A sum, what depends on nothing first, then on the step's input, then on the state.

        Only sums that hold a product are taken apart: the order in which a program adds matters to rounding.
        """
        terms: list[int] = []
        waiting = list(args)
        while waiting:
            v = waiting.pop(0)
            value = self.values[v]
            if value.op == "add" and self._holds_dot(v) and value.shape == tuple(shape):
                waiting = [*value.args, *waiting]
            else:
                terms.append(v)
        if not any(self.values[v].op == "dot" for v in terms):
            terms = args
        terms.sort(key=lambda v: (self.depends[v], self.values[v].op != "dot"))
        total = terms[0]
        for v in terms[1:]:
            wide = np.broadcast_shapes(self.values[total].shape, self.values[v].shape)
            total = self.enter(
                Value("add", (total, v), (), wide, dtype), self.depends[total] | self.depends[v]
            )
        return total

    def _holds_dot(self, v: int) -> bool:
        value = self.values[v]
        return value.op == "dot" or (
            value.op == "add" and any(self._holds_dot(a) for a in value.args)
        )

    # ---- reading

    def needed(self, results: Sequence[int]) -> list[int]:
        """The values behind some results, in the order of computation."""
        seen: set[int] = set()
        stack = list(results)
        while stack:
            v = stack.pop()
            if v not in seen:
                seen.add(v)
                stack.extend(self.values[v].args)
        return sorted(seen)

    def text(self) -> str:
        """The program to read, one value a line."""
        lines = []
        for v, value in enumerate(self.values):
            words = ", ".join([*(f"v{a}" for a in value.args), *map(str, value.consts)])
            lines.append(f"v{v} = {value.op}({words})  {value.shape}")
        return "\n".join(lines)


def product_labels(value: Value, shapes: Sequence[Shape]) -> tuple[tuple[Labels, ...], Labels]:
    """A product as an einsum: the labels of the operands' axes, and the result's."""
    if value.op == "einsum":
        terms, to = value.consts
        return tuple(terms), to
    if value.op == "outer":
        return ((0,), (1,)) if len(shapes[0]) == 1 else ((2, 0), (2, 1)), (0, 1)
    a, b = map(len, shapes)
    lead = tuple(range(10, 10 + max(a, b, 2) - 2))
    if value.op == "dot":
        return ((*lead, 0, 2)[-a:], (1, 2) if value.consts[0] else (2, 1)), (*lead, 0, 1)[-a:]
    rows, columns = (0,) * (a > 1), (1,) * (b > 1)
    terms = (*lead, 0, 2)[-a:] if a > 1 else (2,), (*lead, 2, 1)[-b:] if b > 1 else (2,)
    return terms, (*lead, *rows, *columns)


def last_axis_slice(index: Any, shape: Shape) -> tuple[int, int] | None:
    """(low, high) where an index takes a range of the last axis and all of the others, else None."""
    parts = index if isinstance(index, tuple) else (index,)
    if Ellipsis in [p for p in parts if not isinstance(p, slice)]:
        at = parts.index(Ellipsis)
        parts = (*parts[:at], *(slice(None),) * (len(shape) - len(parts) + 1), *parts[at + 1 :])
    if len(parts) != len(shape) or not all(isinstance(p, slice) for p in parts):
        return None
    for part, side in zip(parts[:-1], shape[:-1], strict=True):
        if part.indices(side) != (0, side, 1):
            return None
    low, high, step = parts[-1].indices(shape[-1])
    return (low, high) if step == 1 and high > low else None
