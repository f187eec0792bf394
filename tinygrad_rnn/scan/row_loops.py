"""How does an op run as one loop of machine code? Row by row: each row of numbers, while it is in the cache.

An op that goes along the last axes of an array, or number by number, is traced on a small array: its forward
by what it is made of, its slope by its rule. The values of the trace are numbers of an element, or of a row
(sums, extremes and what is made of them). Each loop over a row computes the sums that what came before it
allows; the last one writes the result.
"""

from __future__ import annotations

import re
from collections import Counter
from contextlib import suppress
from math import prod
from typing import Any

import numpy as np

from ..engine.places import state
from ..engine.values import Array
from ..ops.row import Op
from ..tensors import Tensor
from .formulas import CURVES, FLAGS, Formulas, head
from .machine_code import function
from .program import ELEMENTWISE, Program, Value
from .tracing import Trace, Tracer, Untraceable, bare_constant, leaf, tracing

ROWS = 2  # of what is traced
MOST = 64  # widths of an op whose numbers depend on it, and loops of an op by its constants
COLUMN = ((ROWS,), (ROWS, 1))
DEAR = re.compile(rf"\b({'|'.join(CURVES)})\(|\bmath\.")  # to be kept rather than computed again
REDUCED = {  # of numbers of a row: how it begins, and with one more; NaN is counted apart
    "sum": ("zero", "plus({0}, {1})"),
    "amax": ("-infinity", "larger({0}, {1})"),
    "amin": ("infinity", "smaller({0}, {1})"),
}
RUNNING = "cumsum"  # what adds up along a row, and stays a number of an element
BORROWED = "from tinygrad_rnn.scan.vector_math import larger, plus, smaller"
ALIKE = ("reshape", "broadcast")  # a value of a row by another shape


class RowText(Formulas):
    """Writes the loops of a program from some inputs to one result."""

    def __init__(self, program: Program, width: int) -> None:
        super().__init__(program)
        self.wide = (ROWS, width)
        self.values = program.values
        self.result = program.y
        self.levels: dict[int, int] = {}
        for v in program.needed([self.result]):
            self.levels[v] = self.level(v, self.values[v])
        inputs = program.inputs.items()
        self.inputs = {int(role): v for role, v in inputs if v in self.levels}
        self.kept: int | None = None  # the value that lies where the result will
        self.body = self.rows()

    def level(self, v: int, value: Value) -> int:
        """How many loops over a row come before a value can be computed. Raises Untraceable."""
        below = max((self.levels[a] for a in value.args), default=0)
        fits = value.op == "literal" or value.shape in (self.wide, *COLUMN)
        number = value.dtype in (self.dtype, "?") or value.op == "literal"
        if value.op in REDUCED:
            of = self.values[value.args[0]]
            fits = fits and of.shape == self.wide and value.consts[0] == (1,) and of.dtype != "?"
            below += 1
        elif value.op in ALIKE:
            fits = fits and self.is_column(value.args[0])
        elif self.turned(value):
            end = v == self.result or self.values[value.args[0]].op == "input"
            fits = fits and end
        elif value.op == RUNNING:
            fits = fits and value.shape == self.wide and value.consts == (1,)
        elif value.op not in ("input", "literal", *ELEMENTWISE):
            fits = False
        if not fits or not number:
            raise Untraceable(f"{value.op} of shape {value.shape}")
        return below

    def turned(self, value: Value) -> bool:
        """Whether a value is another one's rows from behind: one that goes in, or the result."""
        if value.op != "getitem" or value.shape != self.wide:
            return False
        numbers = np.arange(prod(self.wide)).reshape(self.wide)
        index = bare_constant(value.consts[0])
        return np.array_equal(numbers[index], numbers[:, ::-1])

    def is_column(self, v: int) -> bool:
        """Whether a value is a number a row, or the same for all."""
        return self.values[v].shape != self.wide

    def rows(self) -> list[str]:
        """The lines of a row."""
        levels, last, lines = self.levels, self.levels[self.result], list[str]()
        for k in range(last + 1):
            lines += self.columns(k)
            if k < last:
                sums = [v for v, level in levels.items() if self.is_sum(v) and level == k + 1]
                lines += self.loop(sums, k)
        if self.is_column(self.result):
            return [*lines, f"out[b] = {self.name(self.result)}"]
        return lines + self.loop([], last)

    def is_sum(self, v: int) -> bool:
        """Whether a loop over a row makes a value."""
        return self.values[v].op in REDUCED

    def text(self) -> str:
        """The module."""
        given = "".join(f"a{v}, " for v in self.inputs.values())
        lines = [
            *head(self.bits),
            BORROWED,
            f"infinity, nan = np.float{self.bits}(np.inf), np.float{self.bits}(np.nan)",
            f"@compiled(fastmath={FLAGS})",
            f"def loop(rows, width, out, {given}K):",
            *(f"    {line}" for line in self.read_numbers()),
            "    end = width - np.uint64(1)",
            "    for b in range(rows):",
            "        first = b * width",
            *(f"        {line}" for line in self.body),
        ]
        return "\n".join(lines) + "\n"

    def name(self, v: int) -> str:
        """The name of a value, or Python's number."""
        value = self.values[v]
        if value.op == "literal":
            return self.constant(value.consts[0], v)
        return self.name(value.args[0]) if value.op in ALIKE else f"x{v}"

    def line(self, v: int) -> list[str]:
        """What computes a value of a row or of an element."""
        value = self.values[v]
        if value.op == "literal" or value.op in ALIKE or value.op in REDUCED:
            return []
        if value.op == "input":
            return [f"x{v} = a{v}[{'b' if self.is_column(v) else 'first + j'}]"]
        if value.op == "getitem" and v == self.result:
            return []
        if value.op == "getitem":
            return [f"x{v} = a{value.args[0]}[first + end - j]"]
        if value.op == RUNNING:
            return [f"x{v} = x{v} + {self.name(value.args[0])}"]
        return [f"x{v} = {self.formula(v, list(map(self.name, value.args)))}"]

    def columns(self, k: int) -> list[str]:
        """What a row's numbers are made of, as soon as it is known."""
        mine = [v for v, level in self.levels.items() if level == k and self.is_column(v)]
        return [line for v in mine for line in self.line(v)]

    def loop(self, sums: list[int], k: int) -> list[str]:
        """One loop over a row: some sums, or the result."""
        goals = [self.values[v].args[0] for v in sums] or [self.result]
        inside, lines, after = self.inside(goals), list[str](), list[str]()
        start = [f"x{v} = zero" for v in inside if self.values[v].op == RUNNING]
        for v in inside:
            if v == self.kept:
                lines.append(f"x{v} = out[first + j]")
                continue
            lines += self.line(v)
            free = self.kept is None and sums and not self.is_column(self.result)
            if free and DEAR.search(lines[-1]) and self.read_later(v, k):
                self.kept = v
                lines.append(f"out[first + j] = x{v}")
        for v, a in zip(sums, goals, strict=False):
            begin, more = REDUCED[self.values[v].op]
            start.append(f"x{v} = {begin}")
            lines.append(f"x{v} = {more.format(f'x{v}', f'x{a}')}")
            if self.values[v].op != "sum":
                start.append(f"n{v} = zero")
                lines.append(f"n{v} = plus(n{v}, zero if x{a} == x{a} else one)")
                after.append(f"x{v} = x{v} if n{v} == zero else nan")
        if not sums:
            value = self.values[self.result]
            turned = value.op == "getitem"
            source = value.args[0] if turned else self.result
            lines.append(f"out[first + {'end - j' if turned else 'j'}] = x{source}")
        return [*start, "for j in range(width):", *(f"    {line}" for line in lines), *after]

    def inside(self, goals: list[int]) -> list[int]:
        """The values of an element that some of them are made of, in the order of computation."""
        found: set[int] = set()
        stack = list(goals)
        while stack:
            v = stack.pop()
            if v not in found and not self.is_column(v):
                found.add(v)
                stack += self.values[v].args if v != self.kept else ()
        return sorted(found)

    def read_later(self, v: int, k: int) -> bool:
        """Whether a later loop needs a value of an element."""
        sums = [u for u, level in self.levels.items() if self.is_sum(u) and level > k + 1]
        return v in self.inside([self.result, *(self.values[u].args[0] for u in sums)])


class RowLoop:
    """An op with its constants, or its slope, as a loop over arrays of one dtype and number of axes."""

    def __init__(self, op: Op, slope: bool, sample: Array, constants: tuple[Any, ...]) -> None:
        self.op, self.slope, self.dtype, self.constants = op, slope, sample.dtype, constants
        names = op.constant_names or []
        found = [k for k, name in enumerate(names) if name in ("axes", "axis")]
        self.at = found[0] if found else None
        axes = () if self.at is None else constants[self.at]
        self.one = isinstance(axes, int)  # whether it is an axis, not some
        axes = (axes,) if self.one else axes
        self.first = sample.ndim - len(axes)
        if axes != tuple(range(self.first, sample.ndim)) or (self.at is not None and not axes):
            raise Untraceable("it does not go along the last axes")
        text, other = self.traced(3), self.traced(5)
        self.varies = not np.array_equal(text.python_numbers(), other.python_numbers())
        self.numbers: dict[int, Array] = {
            0: text.python_numbers()
        }  # by width, where they vary with it
        self.reads = [(k, text.is_column(v)) for k, v in text.inputs.items()]
        end = text.values[text.result].shape
        self.ends = None if end == text.wide else (1,) * len(axes) * (len(end) - 1)
        self.kept = function(text.text())
        self.loop: Any = self.ran

    def ran(self, *arguments: Any) -> None:
        """The loop's first call; all later ones go without a detour."""
        self.kept(*arguments)
        self.loop = self.kept.function

    def traced(self, width: int) -> RowText:
        """What is computed of rows of a width. Raises Untraceable."""
        constants = list(self.constants)
        if self.at is not None:
            constants[self.at] = 1 if self.one else (1,)
        with tracing(Tracer()) as tracer:
            a = leaf(np.zeros((ROWS, width), self.dtype))
            given: list[Any] = [a]
            y = self.op.call(a, *constants)
            if self.slope:
                g, y = (leaf(np.zeros(y.shape, self.dtype)) for _ in range(2))
                of = {"value": a, "shape": a.shape}.get(self.op.keep[0])
                given = [g, y if self.op.keep_out else None, of]
                rule: Any = self.op.rules[0]
                y = rule(*given, *constants)
            nodes: Any = {f"{k}": t._node for k, t in enumerate(given) if isinstance(t, Tensor)}
            program = Program(Trace(nodes, [y._node]), False)
        if tracer.looked:
            raise Untraceable(tracer.looked)
        return RowText(program, width)

    def __call__(self, sample: Array, given: tuple[Any, ...]) -> Array | None:
        """The result, of arrays that lie row by row; None of others."""
        shape, size, first = sample.shape, sample.size, self.first
        width = size if self.at is None else prod(shape[first:])
        if not width or not size or not sample.flags.c_contiguous:
            return None
        rows, arrays = size // width, []
        for k, column in self.reads:
            a = given[k]
            if a.__class__ is not np.ndarray or a.dtype is not self.dtype:
                return None
            if a.size != rows if column else a.shape != shape:
                return None
            arrays.append(a.ravel())
        numbers = self.numbers.get(width * self.varies)
        if numbers is None:
            if len(self.numbers) > MOST or state.tracer is not None:
                return None
            numbers = self.numbers[width] = self.traced(width).python_numbers()
        result = np.empty(shape if self.ends is None else shape[:first] + self.ends, self.dtype)
        self.loop(rows, width, result.reshape(-1), *arrays, numbers)
        return result


_LOOPS: dict[Any, RowLoop | None] = {}
_COUNTS: Counter[tuple[Op, bool]] = Counter()  # of them, an op's and its slope's


def row_loop(op: Op, slope: bool, given: tuple[Any, ...]) -> Array | None:
    """A forward or a slope of what it is given; None where no loop takes it."""
    sample = given[0]
    if slope:  # the operand, the output, or a gradient of as many numbers
        kept = given[2] if given[2].__class__ is np.ndarray else given[1]
        sample = sample if kept is None else kept
    if sample.__class__ is not np.ndarray:
        return None
    key = (op, slope, sample.dtype, sample.ndim, given[3 if slope else 1 :])
    try:
        found = _LOOPS[key]
    except KeyError:
        found = _made(key, sample)
    except TypeError:  # an array among its constants
        return None
    return None if found is None else found(sample, given)


def _made(key: Any, sample: Array) -> RowLoop | None:
    """A loop; None where there is none."""
    op, slope, dtype, _, given = key
    constants = tuple(c.item() if isinstance(c, np.generic) else c for c in given)
    if dtype.char not in "fd" or _COUNTS[op, slope] > MOST:
        return None
    _COUNTS[op, slope] += 1
    _LOOPS[key] = None  # while it is traced, and where that fails
    with suppress(Untraceable, NotImplementedError):
        _LOOPS[key] = RowLoop(op, slope, sample, constants)
    return _LOOPS[key]


__all__ = ["row_loop"]
