"""How is a loop of machine code written? As text for numba that names no sizes and no numbers.

One compiled function serves every length, batch and width of the same program, and programs that differ
in Python's numbers alone (a rate that changes from call to call); forward, a batch of one row of small sizes
has code of its own, of which they are constants. It is compiled with
``error_model="numpy"`` (a test at every division would keep loops from vectorising). Products are added
unrounded; only in a sum over columns the order is free: a difference, a quotient, NaN and infinity are what
they are op by op. With ``TINYGRAD_RNN_BOUNDSCHECK=1`` every index is tested (for tests: it is slow).
"""

from __future__ import annotations

import os
import re
from functools import cached_property
from typing import Any

from .formulas import FLAGS, head
from .machine_code import function
from .numba_plan import Plan
from .numpy_loops import Unsupported
from .runtime import laid_out

CHECK = "TINYGRAD_RNN_BOUNDSCHECK"
PRODUCTS = ("product",)
ROWS_BEFORE = {"begin": "first", "before": "was", "after": "behind"}  # without a sign
SPAN = (  # for so many steps at once what needs no state: they fill whole tiles of rows
    "    alike = 1 if B < 16 else 0",  # a sequence in parts has the whole one's numbers
    "    even = 1 if B % 4 == 0 else 2 if B % 2 == 0 else 4",
    "    span = min(T, (15 // B + even) // even * even) if B < 16 else 1",
    "    turn, base = span - 1, 0",
)


class NumbaText(Plan):
    """Writes a loop that is planned."""

    def compiled(self) -> Any:
        """The function."""
        self.make()
        return function(self.text(), self.bits, self.constants_of_one_row())

    def constants_of_one_row(self) -> list[int]:
        """Of which arguments code is made where a batch is one row: first of that row, then of all sizes."""
        if self.reverse or self.around.ragged:
            return []
        sizes = set(self.sizes.values())
        return [1, 2, 3, *(k for k, name in enumerate(self.arguments, 4) if name in sizes)]

    def body(self) -> list[str]:
        """The lines of one step."""
        body: list[str] = []
        for group in self.groups:
            if not isinstance(group, list):
                body += self.product(group[1])
                continue
            body += self.loop(group)
        body += self.copies
        whole = "\n".join(body)
        views = [
            f"{self.names[v]} = {self.part(v)}"
            for v in self.over_time
            if re.search(rf"\b{self.names[v]}\b", whole)
        ]
        for name, spanned in self.spanned.items():
            n = self.size(self.columns(int(name[1:])))
            views.append(f"{name} = {spanned}[(begin - base) * {n} : (begin - base + B) * {n}]")
        return [*views, *body]

    def part(self, v: int, rows: str = "B") -> str:
        """What a value that lies over time has at the running step, or from it on."""
        begin, flat = self.begin(v), self.flat[self.names[v]]
        if self.columns(v) == 1:
            return f"{flat}[{begin} : {begin} + {rows}]"
        n = self.size(self.columns(v))
        return f"{flat}[{begin} * {n} : ({begin} + {rows}) * {n}]"

    def begin(self, v: int) -> str:
        """How many rows of a value over time come before the running step's."""
        if v in self.around.new_states:
            return "after"
        old = self.around.ragged and not self.reverse and v in self.s.state_in
        return "before" if old else "begin"

    def time(self) -> list[str]:
        """What a step knows of its time: which it is, its first row in what lies over time.

        Of a ragged batch, sorted by length, fewer and fewer rows go on: ``starts`` says where each step's
        begin among those of all steps; the states lie behind ``most`` rows of the first ones. Forward else,
        the rows may be some of a batch of ``most``, from ``low`` on.
        """
        lines = ["t = T - 1 - step" if self.reverse else "t = step", "now = np.uint64(t)"]
        after = [] if self.reverse else ["after = begin + most", "behind = np.uint64(after)"]
        if not self.around.ragged:
            lines.append("begin = t * B" if self.reverse else "begin = t * most + low")
            return [*lines, "first = np.uint64(begin)", *after]
        lines += ["begin = starts[t]", "B = starts[t + 1] - begin", "rows = np.uint64(B)"]
        lines += [*after, "first = np.uint64(begin)"]
        lines += ["before = most + starts[max(t - 1, 0)] if t else 0"]
        return [*lines, "was = np.uint64(before)"]

    def divides(self) -> bool:
        """Whether the rows of a batch may run apart: all that has rows lies over time."""
        given = [int(name[1:]) for name in self.arguments if name[0] == "W"]
        whole = self.reverse or self.around.ragged or self.copies
        return not whole and not any(map(self.has_rows, given))

    def turns(self) -> list[str]:
        """What a step knows of the steps for which products are made at once."""
        many = "starts[min(t + span, T)] - begin" if self.around.ragged else "min(span, T - t) * B"
        return [
            "turn = 0 if turn + 1 == span else turn + 1",
            "base = base if turn else begin",
            f"many = {many}",
        ]

    def text(self) -> str:
        """The function."""
        body = self.body()
        whole = "\n".join(body)
        spare = [line for line in self.heads if not _used(line.split(" = ")[0], whole, self.heads)]
        spans, ragged = re.search(r"\bturn\b", whole) is not None, self.around.ragged
        turns = self.turns() if spans else []
        lines = [f"        {line}" for line in (*self.time(), *turns, *body)]
        bits = self.bits
        numbers = self.given_numbers()
        some = not ragged and not self.reverse
        given = ["T", "B", *["starts"] * ragged, *["skip"] * self.reverse, *["most", "low"] * some]
        arguments = ", ".join([*given, *self.arguments])
        options = f"fastmath={FLAGS}"
        products = [f"from tinygrad_rnn.scan.products import {f}{bits} as {f}" for f in PRODUCTS]
        if os.environ.get(CHECK) == "1":
            options += ", boundscheck=True"
            products[0] = f"from tinygrad_rnn.scan.products import checked{bits} as product"
        begin = [
            *head(bits),
            *products,
            "from tinygrad_rnn.scan.vector_math import copy, plus",
            f"@compiled({options})",
            f"def loop({arguments}):",
            "    rows = np.uint64(B)",
            "    u_0 = np.uint64(0)",
            *["    most = B"] * ragged,
            *SPAN * spans,
            *(f"    {unsigned(n)} = np.uint64({n})" for n in self.sizes.values()),
            *(f"    {line}" for line in numbers),
            *(f"    {line}" for line in self.heads if line not in spare),
            "    for step in range(T):",
        ]
        return "\n".join([*begin, *lines]) + "\n"

    def product(self, v: int) -> list[str]:
        """A product's lines."""
        value = self.p.values[v]
        source, weight = value.args
        transposed = value.consts[0]
        name = f"m{weight}{'t' if transposed else ''}"
        if name not in self.packed:
            self.packed.add(name)
            self.lay_out(name, weight, transposed)
        inner, width = self.columns(source), self.columns(v)
        sizes, onto = f"{self.size(inner)}, {self.size(width)}", str(int(v in self.absorbed))
        a, to = self.memory(source), self.memory(v)
        if not self.spans(v):
            line = f"product({a}, {name}, {to}, B, {sizes}, {onto}, 0, step & 1)"
            return [line] if v in self.left else ["if t != skip:", f"    {line}"]
        onto = f"{onto}, alike"
        to = self.spanned[to] if to in self.spanned else self.part(v, "many")
        a = self.part(source, "many")
        return ["if not turn:", f"    product({a}, {name}, {to}, many, {sizes}, {onto})"]

    @cached_property
    def left(self) -> set[int]:
        """What a step is of use for beside the gradients that it hands on: what it leaves is made of these.

        Where nobody asks for those of the first states, the step ``skip`` makes no product for them alone.
        """
        found: set[int] = set() if self.reverse else set(self.inside)
        stack = list(self.stored)
        while stack:
            v = stack.pop()
            if v in self.inside and v not in found:
                found.add(v)
                stack += self.p.values[v].args
        return found

    def lay_out(self, name: str, weight: int, transposed: bool) -> None:
        """Have a weight laid out for products before the loop, or by what is done once for many loops."""
        lines = self.around if self.around.first is None else self.around.first
        lines.constant("laid_out", laid_out)
        lines.once(name, f"laid_out({lines[weight]}, {transposed})")
        self.argument(name, name)
        if lines is not self.around:
            self.around.taken[name] = name

    def loop(self, group: list[Any]) -> list[str]:
        """One loop over rows and columns that computes a group of cells."""
        width = self.width(group[0])
        n = self.size(width)
        signed = f"row{self.groups.index(group)}"
        more = "" if width == 1 else " + j"  # one number a row needs no loop within the row
        local: dict[Any, str] = {}
        before: dict[str, str] = {}  # where rows begin, and numbers of the row
        inner: list[str] = []
        start: list[str] = []
        after: list[str] = []

        def row(array: str) -> tuple[str, str]:
            """A flat array, and how many rows come before the running one."""
            over_time = self.flat.get(array)
            if over_time is None:
                return array, "b"
            first = ROWS_BEFORE[self.begin(int(array[1:]))]
            return over_time, f"({first} + b)"

        def at(array: str, offset: str, stride: str) -> str:
            """The running number of a row: whole numbers without a sign are not tested for being negative."""
            flat, b = row(array)
            first = b if stride == "1" else f"{b} * {unsigned(stride)}"
            first += "" if offset == "0" else f" + {unsigned(offset)}"
            return f"{flat}[{before.setdefault(first, f'r{len(before)}')}{more}]"

        def number(array: str, offset: str, stride: str) -> str:
            """One number of the running row, the same for all columns of the loop."""
            flat, b = row(array)
            first = b if stride == "1" else f"{b} * {unsigned(stride)}"
            return f"{flat}[{first}]" if offset == "0" else f"{flat}[{first} + {unsigned(offset)}]"

        def once(array: str) -> str:
            """The one number that a row has."""
            flat, b = row(array)
            return f"{flat}[{b}]"

        def target(array: str, offset: str, stride: str) -> str:
            """Where a number of the running row goes."""
            if width == 1 and stride == "1":
                return once(array)
            if stride == n:
                return at(array, offset, stride)
            # columns of wider rows: over all rows they would seem to overlap with others
            here = f"{signed} * {stride} + {offset}"
            here = f"{array}[{here} : {here} + {n}]"
            return before.setdefault(here, f"r{len(before)}") + f"[{more[3:] or 0}]"

        def operand(a: int, low: int, high: int) -> str:
            """Columns of a value, in the running loop: the running one, or the one for all of them."""
            if self.p.values[a].op == "literal":
                return self.constant(self.p.values[a].consts[0], a)
            v, lo, hi = key = self.through(a, low, high)
            value = self.p.values[v]
            if value.op == "literal":
                return self.constant(value.consts[0], v)
            if value.op == "zeros" or v in self.absorbed:
                return "zero"
            if key in local:
                return local[key]
            columns = self.columns(v)
            if self.computed(v) and v not in self.solid:
                array, offset, stride = self.stores[key][0]
            else:
                array, offset = self.memory(v), self.size(lo) if lo else "0"
                stride = self.size(columns) if columns > 1 else "1"
            spread = hi - lo == 1 and width > 1  # one number for all columns of the loop
            if hi - lo != width and not spread:
                raise Unsupported(f"columns {lo} to {hi} in a loop over {width}")
            if not self.has_rows(v):
                if spread or columns == 1:
                    return before.setdefault(f"{array}[{unsigned(offset)}]", f"r{len(before)}")
                return f"{array}[{unsigned(offset) + more if lo else more[3:] or '0'}]"
            if spread:
                return before.setdefault(number(array, offset, stride), f"r{len(before)}")
            return at(array, offset, stride)

        for k, cell in enumerate(group):
            v, low, high = cell
            value = self.p.values[v]
            x = f"x{k}"
            if value.op == "sum" and v in self.inside:
                start.append(f"{x} = zero")
                inner.append(f"{x} = plus({x}, {operand(value.args[0], 0, width)})")
                after += [f"{number(*place)} = {x}" for place in self.stores[cell]]
                continue
            if self.computed(v):
                args = [operand(a, low, high) for a in value.args]
                inner.append(f"{x} = {self.formula(v, args)}")
            else:  # a copy to where it is wanted
                inner.append(f"{x} = {operand(*self.origin(v, low, high))}")
            local[cell] = x
            inner += [f"{target(*place)} = {x}" for place in self.stores.get(cell, ())]
        rows = [f"{name} = {what}" for what, name in before.items()]
        if any(f"{signed} *" in what for what in before):
            rows.insert(0, f"{signed} = int(b)")  # read by nobody, it keeps from vectorising
        if width > 1:
            inner = [f"for j in range({unsigned(n)}):", *(f"    {line}" for line in inner)]
        each = [*rows, *start, *inner, *after]
        return ["for b in range(rows):", *(f"    {line}" for line in each)]

    def given_numbers(self) -> list[str]:
        """The lines that read the numbers, which are one argument, an array."""
        if self.constants:
            self.argument("K", self.around.constant("K", self.python_numbers()))
        return self.read_numbers()


def _used(name: str, text: str, heads: list[str]) -> bool:
    """Whether the loop's text or one of the lines before it reads an array."""
    word = rf"\b{name}\b"
    return (
        name[0] == "F"
        or bool(re.search(word, text))
        or any(re.search(word, line.partition(" = ")[2]) for line in heads)
    )


def unsigned(size: str) -> str:
    """The name of a size as a whole number without a sign."""
    return "0" if size == "0" else "u" + size[1:]
