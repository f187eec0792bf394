"""How is a program made of fewer calls? The same values by fewer ops, where a call is what costs.

Only for small values, where a call of numpy costs more than what it computes.

- Ops on the same columns of values are those columns of the op on the whole values.
- A sigmoid is the reciprocal of 1 + exp(-z): a product with it is a division, and where z is a sum with a
  product, the sum's sign is changed, not its result's; tanh, which is odd, goes along.
- What comes down from a loss is multiplied once, by all that does not depend on it.

Results are the same up to rounding, unless a product of factors leaves the range of the numbers before
the gradient scales it back.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .program import SEED, STATE, Args, Consts, Program, Shape, Value
from .tracing import Trace

WIDENED = frozenset(("sigmoid", "mul", "sub", "add"))
LINEAR = frozenset(("mul", "div", "add", "sub", "neg"))
SMALL = 4096  # numbers of a step up to which a call costs more than they do


def small(shape: Shape) -> bool:
    """Whether a call costs more than to compute so many numbers."""
    return bool(np.prod(shape, dtype=int) <= SMALL)


class RewrittenProgram(Program):
    """A program in fewer ops; those are equal to the ones they stand for up to rounding."""

    apart = False

    def __init__(self, trace: Trace, derive: bool, wanted: Sequence[str] = ()) -> None:
        self._forward = True  # whether the cell's own equations are being read
        self._gathers = False
        self._negated: set[int] = set()  # sums that there are with the other sign
        super().__init__(trace, derive, wanted)

    def make(self, op: str, args: Args, consts: Consts, shape: Shape, dtype: str) -> int:
        """The number of a value in normal form."""
        found: int | None = None
        if small(shape):
            if op in WIDENED:
                found = self._widened(op, args, consts, shape, dtype)
            if found is None and self._gathers and op in LINEAR:
                found = self._gathered(op, args, tuple(shape), dtype)
            if found is None and self._forward:
                rule = getattr(self, f"_few_{op}", None)
                found = rule and rule(args, tuple(shape), dtype)
        return super().make(op, args, consts, shape, dtype) if found is None else found

    def _one(self) -> int:
        return self.make("literal", (), (1,), (), "l")

    def _widened(self, op: str, args: Args, consts: Consts, shape: Shape, dtype: str) -> int | None:
        """Gates that have an op in common are one call."""
        parts = [self.values[a] for a in args]
        ends = parts[0].consts
        if any(v.op != "slice" or v.consts != ends for v in parts):
            return None
        whole = {self.values[v.args[0]].shape for v in parts}
        if len(whole) != 1:
            return None
        (side,) = whole
        if not small(side):
            return None
        inner = self.make(op, tuple(v.args[0] for v in parts), consts, side, dtype)
        return self.make("slice", (inner,), ends, shape, dtype)

    # ---- the cell's equations

    def _few_sigmoid(self, args: Args, shape: Shape, dtype: str) -> int | None:
        if not (self.depends[args[0]] & STATE and small(self.values[self._base(args[0])].shape)):
            return None
        power = self.make("exp", (self.make("neg", args, (), shape, dtype),), (), shape, dtype)
        below = self.make("add", (self._one(), power), (), shape, dtype)
        return self.make("reciprocal", (below,), (), shape, dtype)

    def _few_tanh(self, args: Args, shape: Shape, dtype: str) -> int | None:
        """- tanh(-z), where there is -z."""
        if self._base(args[0]) not in self._negated:
            return None
        negated = self.make("tanh", (self.make("neg", args, (), shape, dtype),), (), shape, dtype)
        return self.make("neg", (negated,), (), shape, dtype)

    def _few_neg(self, args: Args, shape: Shape, dtype: str) -> int | None:
        """Of a sum with a product: the rest with the other sign, minus the product."""
        value = self.values[args[0]]
        if value.op == "neg":
            return int(value.args[0])
        base = self._base(args[0])
        if not self._turns(base):
            return None
        if value.op == "slice":
            side = self.values[base].shape
            whole = self.make("neg", value.args, (), side, dtype)
            return self.make("slice", (whole,), value.consts, shape, dtype)
        self._negated.add(args[0])
        rest, product = value.args
        side = self.values[rest].shape
        rest = self.make("neg", (rest,), (), side, dtype)
        return self.make("sub", (rest, product), (), shape, dtype)

    def _base(self, v: int) -> int:
        """The value that columns are of."""
        return self.values[v].args[0] if self.values[v].op == "slice" else v

    def _turns(self, v: int) -> bool:
        value = self.values[v]
        return (
            value.op == "add"
            and self.values[value.args[1]].op == "dot"
            and (not self.depends[value.args[0]] & STATE or self._turns(value.args[0]))
        )

    def _few_mul(self, args: Args, shape: Shape, dtype: str) -> int | None:
        bare = tuple(self._without_sign(a) for a in args)
        if bare != args:
            product = self.make("mul", bare, (), shape, dtype)
            both = bare[0] != args[0] and bare[1] != args[1]
            return product if both else self.make("neg", (product,), (), shape, dtype)
        for one, other in (args, args[::-1]):
            below = self._denominator(one)
            if below is not None:
                return self.make("div", (other, below), (), shape, dtype)
        return None

    def _few_add(self, args: Args, shape: Shape, dtype: str) -> int | None:
        for one, other in (args, args[::-1]):
            bare = self._without_sign(other)
            if bare != other:
                return self.make("sub", (one, bare), (), shape, dtype)
        return None

    def _few_sub(self, args: Args, shape: Shape, dtype: str) -> int | None:
        bare = self._without_sign(args[1])
        return None if bare == args[1] else self.make("add", (args[0], bare), (), shape, dtype)

    def _without_sign(self, v: int) -> int:
        value = self.values[v]
        return value.args[0] if value.op == "neg" and self.depends[v] & STATE else v

    def _denominator(self, v: int) -> int | None:
        """Of a reciprocal, or of columns of one."""
        value = self.values[v]
        if value.op == "reciprocal":
            return value.args[0]
        if value.op == "slice" and self.values[value.args[0]].op == "reciprocal":
            below = self.values[value.args[0]].args
            return self.make("slice", below, value.consts, value.shape, value.dtype)
        return None

    # ---- backward

    def _derive(self, trace: Trace, wanted: Sequence[str]) -> None:
        """As ever; then those values that lead to a state's gradient are made again by ``_gathered``."""
        self._forward = False
        super()._derive(trace, wanted)
        inside = set(self.needed([v for role, v in self.gradients.items() if role[0] == "s"]))
        made = {v: v for v in (*range(self.forward), *self.inputs.values())}
        for v in range(self.forward, len(self.values)):
            if v not in made:
                value = self.values[v]
                self._gathers = v in inside
                args = tuple(made[a] for a in value.args)
                made[v] = self.make(value.op, args, value.consts, value.shape, value.dtype)
        self.gradients = {role: made[v] for role, v in self.gradients.items()}

    def _gathered(self, op: str, args: Args, shape: Shape, dtype: str) -> int | None:
        """(g a) b is g (a b), and g a + g b is g (a + b): the factor can be made for many steps at once."""
        seeded = [self.values[a].shape for a in args if self.depends[a] & SEED]
        if not seeded or any(side != shape for side in seeded):
            return None
        if op in ("mul", "div"):
            g, other = args if op == "div" or self.depends[args[0]] & SEED else args[::-1]
            g, factor = self._factor(g)
            if factor is None or self.depends[other] & SEED:
                return None
            factors = [factor, other]
        else:
            parts = [self._factor(a) for a in args]
            g = parts[0][0]
            if any(p[0] != g for p in parts) or all(p[1] is None for p in parts):
                return None
            factors = [self._one() if factor is None else factor for _, factor in parts]
        given = [f for f in factors if self.literal(f) is None]
        if not given or any(self.values[f].dtype != dtype for f in given):
            return None  # two numbers alone, or a coarser kind of number
        side = np.broadcast_shapes(*(self.values[f].shape for f in factors))
        factor = self.make(op, tuple(factors), (), side, dtype)
        return self.make("mul", (g, factor), (), shape, dtype)

    def _factor(self, v: int) -> tuple[int, int | None]:
        """A value that comes down from a loss as (g, a), where it is g a and a does not."""
        value: Value = self.values[v]
        if value.op == "mul":
            for g, a in (value.args, value.args[::-1]):
                if not self.depends[a] & SEED and self.values[g].shape == value.shape:
                    return g, a
        return v, None
