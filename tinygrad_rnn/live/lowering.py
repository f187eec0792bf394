"""What are larger ops made of? Softmax, norms, variances and their like as ops that have a text.

What is left are elementwise ops, views, sums, products and a few that move values.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..ops.row import texts_of
from ..scan.program import Program, Value
from ..scan.tracing import bare_constant

_MOVES = "slice getitem reshape permute broadcast flip concat cat stack pad tile place put zeros"
MOVES = frozenset(_MOVES.split())
SUMS = frozenset(["sum", "amax", "amin", "prod", "cumsum", "cumprod"])
LOGIC = frozenset(
    ["bitwise_and", "bitwise_or", "bitwise_xor", "invert"]
)  # of whole numbers: other ops
PRODUCTS = frozenset(["dot", "outer", "matmul", "einsum"])


class NoText(ValueError):  # noqa: N818 (an answer, not a mistake)
    """What of a cell has no text in JavaScript, in words for the page."""


class Lowered:
    """A program's values in the ops that have a text; ``values`` are those of the program, and more."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._made: dict[int, int] = {}

    def __getitem__(self, v: int) -> int:
        """The value that stands for one of the program, made of simpler ones where it must be."""
        found = self._made.get(v)
        if found is None:
            found = self._made[v] = self._lower(v)
        return found

    def value(self, v: int) -> Value:
        """A value by its number."""
        return self.program.values[v]

    def _lower(self, v: int) -> int:
        p, value = self.program, self.program.values[v]
        if value.op in ("input", "literal"):
            return v
        if value.consts != bare_constant(value.consts):
            raise NoText(f"{value.op} by an array of numbers")
        args = tuple(self[a] for a in value.args)
        made = getattr(self, f"_{value.op}", None)
        if made is not None:
            return int(made(value, args))
        if value.op in LOGIC and any(p.values[a].dtype != "?" for a in args):
            raise NoText(f"{value.op} of whole numbers")
        if not texts_of(value.op).js and value.op not in MOVES | SUMS | PRODUCTS:
            raise NoText(value.op)
        if args == value.args:
            return v
        return self.enter(value.op, args, value.consts, value.shape, value.dtype)

    def enter(self, op: str, args: tuple[int, ...], consts: Any, shape: Any, dtype: str) -> int:
        """The number of one more value."""
        depends = 0
        for a in args:
            depends |= self.program.depends[a]
        return self.program.enter(Value(op, args, tuple(consts), tuple(shape), dtype), depends)

    # ---- making values

    def number(self, c: float) -> int:
        """A number."""
        return self.program.enter(Value("literal", (), (c,), (), "d"), 0)

    def like(self, op: str, value: Value, *args: int) -> int:
        """An elementwise op in another value's kind."""
        shape = np.broadcast_shapes(*(self.value(a).shape for a in args))
        return self.enter(op, args, (), shape, value.dtype)

    def over(self, op: str, a: int, axes: Any) -> int:
        """A reduction that keeps its axes, of length 1."""
        value = self.value(a)
        shape = [1 if i in axes else n for i, n in enumerate(value.shape)]
        return self.enter(op, (a,), (tuple(axes), True), shape, value.dtype)

    def shaped(self, a: int, shape: Any) -> int:
        """The same elements in another shape."""
        if self.value(a).shape == tuple(shape):
            return a
        return self.enter("reshape", (a,), (tuple(shape),), shape, self.value(a).dtype)

    def _count(self, a: int, axes: Any) -> int:
        return math.prod(self.value(a).shape[i] for i in axes)

    # ---- ops that are made of others

    def _cast(self, value: Value, args: Any) -> int:
        """Numbers among numbers; only what is cut to whole numbers or to truths is something else."""
        kind = np.dtype(value.dtype).kind
        source = np.dtype(self.value(args[0]).dtype).kind
        if kind == "f" or source == kind:
            return (
                self.like("add", value, args[0], self.number(0)) if source == "b" else int(args[0])
            )
        if kind == "b":
            return self.like("not_equal", value, args[0], self.number(0))
        if kind in "iu" and source in "fb":
            return self.like("trunc", value, args[0])
        raise NoText(f"a cast to {np.dtype(value.dtype)}")

    def _clip(self, value: Value, args: Any) -> int:
        low, high = value.consts
        a = args[0]
        if low is not None:
            a = self.like("maximum", value, a, self.number(low))
        return self.like("minimum", value, a, self.number(high)) if high is not None else int(a)

    def _leaky_relu(self, value: Value, args: Any) -> int:
        return self.enter(
            "leaky_relu", (args[0], self.number(value.consts[0])), (), value.shape, value.dtype
        )

    def _elu(self, value: Value, args: Any) -> int:
        return self.enter(
            "elu", (args[0], self.number(value.consts[0])), (), value.shape, value.dtype
        )

    def _mean(self, value: Value, args: Any) -> int:
        axes, keep = value.consts
        total = self.enter("sum", args, (tuple(axes), keep), value.shape, value.dtype)
        return self.like("div", value, total, self.number(self._count(args[0], axes) or math.nan))

    def _var(self, value: Value, args: Any) -> int:
        axes, correction, _ = value.consts
        n = self._count(args[0], axes)
        mean = self.like("div", value, self.over("sum", args[0], axes), self.number(n))
        apart = self.like("sub", value, args[0], mean)
        total = self.over("sum", self.like("mul", value, apart, apart), axes)
        return self.shaped(
            self.like("div", value, total, self.number(max(n - correction, 0) or math.nan)),
            value.shape,
        )

    def _std(self, value: Value, args: Any) -> int:
        return self.like("sqrt", value, self._var(value, args))

    def _softmax(self, value: Value, args: Any) -> int:
        axes = value.consts[0]
        top = self.over("amax", args[0], axes)
        e = self.like("exp", value, self.like("sub", value, args[0], top))
        return self.like("div", value, e, self.over("sum", e, axes))

    def _log_of_sum(self, value: Value, a: int, axes: Any) -> int:
        """log(sum(exp(a))), the axes kept; where all is -inf or some is inf, it is that."""
        top = self.over("amax", a, axes)
        size = self.like("abs", value, top)
        infinite = self.enter(
            "equal", (size, self.number(math.inf)), (), self.value(size).shape, "?"
        )
        top = self.like("where", value, infinite, self.number(0), top)
        e = self.like("exp", value, self.like("sub", value, a, top))
        return self.like("add", value, self.like("log", value, self.over("sum", e, axes)), top)

    def _logsumexp(self, value: Value, args: Any) -> int:
        return self.shaped(self._log_of_sum(value, args[0], value.consts[0]), value.shape)

    def _log_softmax(self, value: Value, args: Any) -> int:
        return self.like("sub", value, args[0], self._log_of_sum(value, args[0], value.consts[0]))

    def _norm(self, value: Value, args: Any) -> int:
        p, axes, _ = value.consts
        size = self.like("abs", value, args[0])
        if p == 2:
            squares = self.like("mul", value, args[0], args[0])
            found = self.like("sqrt", value, self.over("sum", squares, axes))
        elif p == 1:
            found = self.over("sum", size, axes)
        elif p in (math.inf, -math.inf):
            found = self.over("amax" if p > 0 else "amin", size, axes)
        elif p == 0:
            there = self.enter(
                "not_equal", (args[0], self.number(0)), (), self.value(size).shape, "?"
            )
            found = self.over("sum", self.like("add", value, there, self.number(0)), axes)
        else:
            powers = self.like("pow", value, size, self.number(p))
            found = self.like("pow", value, self.over("sum", powers, axes), self.number(1 / p))
        return self.shaped(found, value.shape)

    def _max_of_all(self, value: Value, args: Any) -> int:
        axes = tuple(range(len(self.value(args[0]).shape)))
        return self.enter("amax", args, (axes, False), (), value.dtype)

    def _min_of_all(self, value: Value, args: Any) -> int:
        axes = tuple(range(len(self.value(args[0]).shape)))
        return self.enter("amin", args, (axes, False), (), value.dtype)

    def _roll(self, value: Value, args: Any) -> int:
        """Along each axis two parts change places."""
        shifts, axes = value.consts
        a = int(args[0])
        for shift, axis in zip(shifts, axes, strict=True):
            n = value.shape[axis]
            k = shift % n if n else 0
            if k:
                parts = [self._part(a, axis, n - k, n), self._part(a, axis, 0, n - k)]
                a = self.enter("cat", tuple(parts), (axis, ()), value.shape, value.dtype)
        return a

    def _part(self, a: int, axis: int, low: int, high: int) -> int:
        value = self.value(a)
        index = (*(slice(None),) * axis, slice(low, high))
        shape = (*value.shape[:axis], high - low, *value.shape[axis + 1 :])
        return self.enter("getitem", (a,), (index,), shape, value.dtype)
