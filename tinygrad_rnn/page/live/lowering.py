"""Which ops have a text in JavaScript? Casts, clips and curves with a number become those that have one.

Larger ops (softmax, norms, variances) do not come here: a program has them in other rows already. What is
left are elementwise ops, views, sums, products and a few that move values.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...ops.without_gradient import texts_of
from ...scan.program import Program, Value
from ...scan.tracing import bare_constant

_MOVES = "slice getitem reshape permute broadcast concat cat place put zeros take scatter"
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
        if value.op in ("input", "literal", "constant"):
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
