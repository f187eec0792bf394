"""How is one number of a value written as machine code? By its row's text, with names for numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.values import Array
from ..ops.without_gradient import texts_of
from .program import Program

FLAGS = '{"contract", "nsz"}'
LOGIC = ("bitwise_and", "bitwise_or", "invert")  # of truth values alone
CURVES = (
    *("exp", "expm1", "floor_quotient", "gelu_by_tanh", "log", "normal_cdf"),
    *("sigmoid", "silu", "softplus", "tanh"),
)
ROOTED = "(zero if one / ({0}) == zero else one / abs(math.sqrt({0}){1}))"  # 0 of both infinities
POWERS = {  # exponents for which there is quicker code than for a power; numpy's 0.5 is a root too
    -3: "(one / ({0})) * (one / ({0})) * (one / ({0}))",
    -2: "(one / ({0})) * (one / ({0}))",
    -1.5: ROOTED.format("{0}", " * ({0})"),
    -1: "one / ({0})",
    -0.5: ROOTED.format("{0}", ""),
    0.5: "math.sqrt({0})",
    1: "{0}",
    2: "({0}) * ({0})",
    3: "({0}) * ({0}) * ({0})",
}


def head(bits: int) -> list[str]:
    """What the text of a loop begins with: the curves and numbers that rows' texts speak of."""
    return [
        "import math",
        "import numpy as np",
        *(f"from tinygrad_rnn.scan.vector_math import {f}{bits} as {f}" for f in CURVES),
        f"zero = np.float{bits}(0)",
        f"one = np.float{bits}(1)",
    ]


class Formulas:
    """The texts of single numbers of a program, which a loop puts together."""

    def __init__(self, program: Program) -> None:
        self.p = program
        self.dtype = program.values[program.y].dtype
        self.bits = 32 if self.dtype == "f" else 64
        self.constants: dict[Any, tuple[str, float]] = {}  # Python's numbers, by whose they are

    def formula(self, v: int, args: list[str]) -> str:
        """A value's op on its operands; a truth value counts as 1 or 0 among numbers."""
        value = self.p.values[v]
        kinds = [self.p.values[a].dtype for a in value.args]
        if value.dtype == "f" != self.dtype:  # Python numbers rounded to the default dtype
            numbers = [self.p.literal(a) for a in value.args]
            args = [
                a if c is None else self.constant(float(np.float32(c)), v, k)
                for k, (a, c) in enumerate(zip(args, numbers, strict=True))
            ]
        for k, kind in enumerate(kinds):
            truth = value.op in LOGIC or (value.op == "where" and not k)
            if kind == "?" and not truth:
                args[k] = f"(one if {args[k]} else zero)"
        exponent = self.p.literal(value.args[1]) if value.op == "pow" else None
        if type(exponent) in (int, float) and exponent in POWERS:
            return POWERS[exponent].format(args[0])
        numbers = [c for c in value.consts if isinstance(c, (int, float))]
        extra = [self.constant(c, v, k) for k, c in enumerate(numbers)]
        return texts_of(value.op).machine.format(*args, *extra)

    def constant(self, value: Any, *of: int) -> str:
        """A Python number as a float of the program's kind: the function is given it.

        ``of`` says whose it is: equal numbers of two values may differ in the next program.
        """
        if isinstance(value, bool):
            return repr(value)
        return self.constants.setdefault(of, (f"k{len(self.constants)}", float(value)))[0]

    def python_numbers(self) -> Array:
        """Python's numbers, as the array that the function is given."""
        return np.array([number for _, number in self.constants.values()], self.dtype)

    def read_numbers(self) -> list[str]:
        """The lines that read them."""
        return [f"{name} = K[{at}]" for at, (name, _) in enumerate(self.constants.values())]


__all__ = ["FLAGS", "LOGIC", "Formulas", "head"]
