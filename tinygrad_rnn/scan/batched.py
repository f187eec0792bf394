"""How are values of all steps at once written? As straight lines of Python before and after the loop.

A program's values that need no loop are written as one line each, when first asked for; the text is
compiled once for a program, so that a call does nothing but the numpy functions themselves.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from ..ops.row import ROWS
from ..ops.without_gradient import FUNCTIONS, texts_of
from . import runtime
from .program import ELEMENTWISE, Value
from .runtime import LEAST, forward_of, product_over_time
from .schedule import Schedule
from .tracing import bare_constant

# The ufunc of an op that has one.
UFUNCS = {name: text for name in (*ROWS, *FUNCTIONS) if (text := texts_of(name).numpy)}
REDUCTIONS = {"sum": "sum", "prod": "prod", "amax": "max", "amin": "min"}  # methods of arrays
TIME = "T"
VIEW = re.compile(r"(old|new)\d+ = S\d+\[")  # of a state over time: no line where nobody reads it


class Lines:
    """Lines of a function's text, and the names of the values that they have made.

    A value that differs between steps is an array (time, *shape), another is plain. ``before`` are the
    names that an earlier function has left: those that are used here are in ``taken``. ``first`` writes
    that earlier function, where more may be asked of it. ``features_first`` lays values of a batch out
    turned, so that a range of features is one piece: shapes stay as they are. ``ragged`` lines stand
    around a loop over batches that get smaller: their steps are the rows of all steps, one after another.
    """

    def __init__(
        self,
        schedule: Schedule,
        before: dict[int, str] | None = None,
        first: Lines | None = None,
        features_first: bool = False,
        ragged: bool = False,
    ) -> None:
        self.schedule, self.program, self.features_first = (
            schedule,
            schedule.program,
            features_first,
        )
        self.ragged = ragged
        self.lines: list[str] = []
        self.names: dict[int, str] = {}
        self.solid: set[str] = set()  # names of arrays that are one contiguous piece
        self.placed: dict[int, tuple[int, int]] = {}  # values in columns of another, and the first
        self.before = before or {}
        self.first = first
        self.taken: dict[Any, str] = {}
        self._totals: dict[int, str] = {}
        self._made: set[str] = set()
        self.new_states: dict[int, int] = {}  # by whose old ones: their array goes on behind those
        self.quiet = False  # whether numpy may warn where the loop op by op would not
        self.space: dict[str, Any] = {
            **{name: getattr(np, name) for name in UFUNCS.values()},
            "dot": np.dot,
            "zeros": np.zeros,
            "concatenate": np.concatenate,
            "broadcast_to": np.broadcast_to,
            "fresh": np.empty,
            **{function.__name__: function for function in runtime.CALLED},
        }

    def compiled(self, name: str, arguments: list[str]) -> Any:
        """The function."""
        body, head = self.lines, f"def {name}({', '.join(arguments)}):"
        used = Counter(re.findall(r"\w+", "\n".join(body)))
        body = [line for line in body if not VIEW.match(line) or used[line.split()[0]] > 1]
        if self.quiet:  # entering it costs as much as some of the lines
            self.space["quiet"] = np.errstate
            body = ["with quiet(all='ignore'):", *(f"    {line}" for line in body)]
        text = "\n    ".join([head, *body]) + "\n"
        exec(compile(text, f"<{name} of a compiled layer>", "exec"), self.space)
        self.space[name].text = text  # for who compiles it once more: ``training.fused``
        return self.space[name]

    def copied(self) -> dict[str, Any]:
        """What there is so far, for ``reset``."""
        kinds = (list, dict, set)
        return {k: v.copy() for k, v in vars(self).items() if isinstance(v, kinds)}

    def reset(self, before: dict[str, Any]) -> None:
        """Take back what has been written since."""
        vars(self).update(before)

    def line(self, text: str) -> None:
        """One more line."""
        self.lines.append(text)

    def once(self, name: str, text: str) -> str:
        """A name that is given a value by the first who asks for it."""
        if name not in self._made:
            self._made.add(name)
            self.line(f"{name} = {text}")
        return name

    def constant(self, name: str, thing: Any) -> str:
        """A name for something that is the same at every call."""
        self.space[name] = thing
        return name

    def shape(self, shape: tuple[int, ...]) -> str:
        """The shape over time of a value, as text."""
        return f"({', '.join(map(str, (TIME, *shape)))},)"

    def kind(self, dtype: str) -> str:
        """A name for a dtype."""
        return self.constant(np.dtype(dtype).name, np.dtype(dtype))

    def turns(self, v: int) -> bool:
        """Whether a value lies with its features first."""
        shape = self.program.values[v].shape
        return self.features_first and len(shape) == 2 and min(shape) > 1

    def memory(self, v: int, steps: str = TIME, plain: bool = False) -> str:
        """Fresh memory for a value of all steps, as text."""
        value = self.program.values[v]
        size = max(int(np.prod(value.shape, dtype=int)) * np.dtype(value.dtype).itemsize, 1)
        features_first = self.turns(v) and not plain
        sides = ", ".join(map(str, (steps, *value.shape[:: -1 if features_first else 1])))
        given = f"({sides},), {self.kind(value.dtype)}"
        most = -(-LEAST // size)  # steps below which memory is fresh: not worth a call to ask
        text = f"fresh({given}) if {steps} < {most} else empty({given}, ({steps}) * {size})"
        return f"({text}).transpose(0, 2, 1)" if features_first else text

    def made(self, v: int, name: str) -> str:
        """A name for a value that lies in memory of its own."""
        if not self.turns(v):
            self.solid.add(name)
        return name

    def slab(self, v: int) -> str:
        """A value whose array is there but not yet filled: the loop writes it."""
        self.names[v] = self.made(v, f"v{v}")
        self.line(f"v{v} = {self.memory(v)}")
        return f"v{v}"

    def place(self, parts: dict[int, tuple[int, int]]) -> None:
        """Values that lie in columns of another, each with (that one, the first column)."""
        for v, (w, low) in parts.items():
            self.line(f"v{v} = {self[w]}[..., {low}:{low + self.program.values[v].shape[-1]}]")
            self.names[v] = f"v{v}"
        self.placed.update(parts)

    def contiguous(self, v: int) -> str:
        """The name of a value's array, made one piece where it may not be."""
        name = self[v]
        return name if name in self.solid else self.once(f"{name}_whole", f"whole({name})")

    # ---- values

    def __getitem__(self, v: int) -> str:
        """The name of a value; the lines that make it are written when it is first asked for."""
        found = self.names.get(v)
        if found is None and v in self.before:
            found = self.names[v] = self.taken[v] = self.before[v]
        if found is None:
            found = self._make(v)
            self.names[v] = found
        return found

    def _make(self, v: int) -> str:
        value, p, name = self.program.values[v], self.program, f"v{v}"
        if value.op == "literal":
            return self.constant(f"k{v}", value.consts[0])
        args = [self[a] for a in value.args]
        if value.op in ELEMENTWISE:
            args = [self.aligned(a, name, v) for a, name in zip(value.args, args, strict=True)]
        if value.op == "zeros":
            shape = self.shape(value.shape) if p.depends[v] else value.shape
            self.line(f"{name} = zeros({shape}, {self.kind(value.dtype)})")
        elif not p.depends[v]:
            self.line(f"{name} = {self.plainly(v, args)}")
        else:
            special: Callable[[int, list[str]], str] | None
            special = getattr(self, f"_{value.op}", None)
            if special is not None:
                text = special(v, args)
                if text != name:
                    self.line(f"{name} = {text}")
            elif value.op in UFUNCS and value.op != "pow":
                self.quiet = self.quiet or value.op not in ("add", "sub", "mul")
                operand = self.schedule.in_place.get(v, -1)
                out = f"v{operand}"
                if self.names.get(operand, "") == out and (out in self.solid) != self.turns(v):
                    del self.names[operand]
                else:
                    out = self.memory(v)
                self.line(f"{name} = {UFUNCS[value.op]}({', '.join(args)}, out={out})")
                self.made(v, name)
            else:
                self.line(f"{name} = {self.plainly(v, args)}")
        return name

    def aligned(self, a: int, name: str, v: int) -> str:
        """An operand of an elementwise op, time before all axes that the result has at a step."""
        p = self.program
        missing = len(p.values[v].shape) - len(p.values[a].shape)
        if not p.depends[a] or not missing:
            return name
        return f"{name}[{', '.join([':', *['None'] * missing])}]"

    def _dot(self, v: int, args: list[str]) -> str:
        value = self.program.values[v]
        weight = f"{args[1]}.T" if value.consts[0] else args[1]
        rows = f"{self.contiguous(value.args[0])}.reshape(-1, {self.program.values[value.args[0]].shape[-1]})"
        self.line(f"v{v} = {self.memory(v, plain=True)}")
        self.line(f"dot({rows}, {weight}, v{v}.reshape(-1, {value.shape[-1]}))")
        self.solid.add(f"v{v}")
        return f"v{v}"

    def _slice(self, v: int, args: list[str]) -> str:
        low, high = self.program.values[v].consts
        return f"{args[0]}[..., {low}:{high}]"

    def _getitem(self, v: int, args: list[str]) -> str:
        """An index speaks of one step: the axis of time comes before the axes that it names."""
        (index,) = self.program.values[v].consts
        index = bare_constant(index)
        parts = index if isinstance(index, tuple) else (index,)
        return f"{args[0]}[{self.constant(f'i{v}', (slice(None), *parts))}]"

    def _concat(self, v: int, args: list[str]) -> str:
        value, p = self.program.values[v], self.program
        parts = []
        for a, text in zip(value.args, args, strict=True):
            stays = not p.depends[a] and p.values[a].op != "zeros"
            shape = self.shape(p.values[a].shape)
            if p.values[a].op == "zeros":
                text = f"broadcast_to({text}, {shape})"
            parts.append(f"broadcast_to({text}, {shape})" if stays else text)
        self.solid.add(f"v{v}")
        return f"concatenate(({', '.join(parts)},), -1, out={self.memory(v, plain=True)})"

    def _reshape(self, v: int, args: list[str]) -> str:
        return f"{args[0]}.reshape({self.shape(self.program.values[v].shape)})"

    def _permute(self, v: int, args: list[str]) -> str:
        axes = (0, *(i + 1 for i in self.program.values[v].consts[0]))
        return f"{args[0]}.transpose({axes})"

    def _broadcast(self, v: int, args: list[str]) -> str:
        value = self.program.values[v]
        grown = len(value.shape) - len(self.program.values[value.args[0]].shape)
        return f"broadcast_to({args[0]}[{', '.join([':', *['None'] * grown])}], {self.shape(value.shape)})"

    def _sum(self, v: int, args: list[str]) -> str:
        axes, keep = self.program.values[v].consts
        method = REDUCTIONS[self.program.values[v].op]
        return f"{args[0]}.{method}({tuple(i + 1 for i in axes)}, keepdims={keep})"

    _amax = _amin = _prod = _sum

    def plainly(self, v: int, args: list[str], total: bool = False) -> str:
        """A value by its op's own forward, as text; of values over time, or of their totals."""
        value = self.program.values[v]
        if value.op == "dot":
            return f"{args[0]}.dot({args[1]}{'.T' if value.consts[0] else ''})"
        if value.op == "slice":
            return f"{args[0]}[..., {value.consts[0]}:{value.consts[1]}]"
        if value.op in ("add", "sub", "mul"):
            return f"{UFUNCS[value.op]}({', '.join(args)})"
        if value.op == "reshape" and (total or not self.program.depends[value.args[0]]):
            return f"{args[0]}.reshape({value.shape})"
        self.quiet = True
        function = self.constant(f"f{v}", forward_of(value))
        over_time = [bool(self.program.depends[a]) for a in value.args]
        if (
            any(over_time) and not total and value.op not in ELEMENTWISE
        ):  # an op speaks of the axes of one step
            return f"by_step({function}, {over_time}, {', '.join(args)})"
        return f"{function}({', '.join(args)})"

    # ---- sums over all steps

    def total(self, v: int) -> str:
        """The name of the sum of a value over all steps."""
        found = self._totals.get(v)
        if found is None:
            text = self._total(v)
            found = self._totals[v] = f"sum{v}"
            self.line(f"sum{v} = {text}")
        return found

    def rows(self, v: int) -> list[str]:
        """A value of all steps as matrices side by side, a row of a step after the other.

        It is one matrix, but of parts joined that lie nowhere together.
        """
        p, found = self.program, list[tuple[int, int, int]]()
        value = p.values[v]
        apart = value.op == "concat" and v not in self.names and v not in self.before
        apart = apart and all(p.depends[a] for a in value.args)
        for part in value.args if apart else (v,):
            whole, low = self.placed.get(part, (part, 0))
            high = low + p.values[part].shape[-1]
            if found and found[-1][::2] == (whole, low):
                low = found.pop()[1]
            found.append((whole, low, high))
        texts = []
        for whole, low, high in found:
            name = f"{self[whole]}[..., {low}:{high}]"
            if high - low == p.values[whole].shape[-1]:
                name = self.contiguous(whole)
            texts.append(f"{name}.reshape(-1, {high - low})")
        return texts

    def _lie_in_rows(self, value: Value) -> bool:
        """Whether parts side by side are all there over time, each one row a step."""
        there = all(self.program.depends[a] and a in self.names for a in value.args)
        return there and value.dtype in "fd" and int(np.prod(value.shape[:-1], dtype=int)) == 1

    def _sum_of_rows(self, v: int, count: str) -> str:
        """The sum of so many rows of a value, as BLAS sums, in one pass."""
        ones = f"ones({count}, {self.kind(self.program.values[v].dtype)})"
        parts = [_times(ones, rows) for rows in self.rows(v)]
        return f"({_joined(parts, 0)})"

    def _total(self, v: int) -> str:
        p, value = self.program, self.program.values[v]
        if v not in self.names and v not in self.before:
            parts = self.schedule.summands(v)
            if value.op == "zeros":
                return f"zeros({value.shape}, {self.kind(value.dtype)})"
            if value.op == "concat" and self._lie_in_rows(value):
                return f"{self._sum_of_rows(v, TIME)}.reshape({value.shape})"
            if parts:
                args = [self.total(a) if a in parts else self[a] for a in value.args]
                return self.plainly(v, args, total=True)
            if value.op == "outer":
                g, x = map(self.rows, value.args)
                return _joined([_joined([_times(f"{a}.T", b) for b in x], 1) for a in g], 0)
            if self.schedule.multiplied(v):
                a, b = (self[a] for a in value.args)
                return f"{self.constant(f'p{v}', product_over_time(*value.consts))}({a}, {b})"
            if value.op == "sum" and len(value.args) == 1:
                axes, keep = value.consts
                if axes == tuple(range(len(axes))) and not keep:
                    if len(value.shape) == 1 and value.dtype in "fd":
                        per_step = int(np.prod(p.values[value.args[0]].shape, dtype=int))
                        count = f"{TIME} * {per_step // max(value.shape[0], 1)}"
                        return self._sum_of_rows(value.args[0], count)
                    rows = f"reshape({', '.join(map(str, (-1, *value.shape)))})"
                    return f"add.reduce({self.contiguous(value.args[0])}.{rows}, 0)"
        if not p.depends[v]:
            return f"{self[v]} * {TIME}"
        if value.dtype not in "fd":
            return f"{self[v]}.sum(0)"
        ones = f"ones({TIME}, {self.kind(value.dtype)})"
        name = f"{self[v]}[...,]" if v in self.placed else self[v]
        each = f"{name}.reshape({TIME}, {int(np.prod(value.shape, dtype=int))})"
        return f"({_times(ones, each)}).reshape({value.shape})"


def _times(a: str, b: str) -> str:
    """A product of matrices: ``dot`` is called sooner, but copies columns of a wider array."""
    return f"{a} @ {b}" if "[...," in a + b else f"{a}.dot({b})"


def _joined(texts: list[str], axis: int) -> str:
    """Arrays side by side along an axis."""
    return texts[0] if len(texts) == 1 else f"concatenate(({', '.join(texts)}), {axis})"


def carry(lines: Lines, k: int, seed: Value) -> str:
    """How the gradient of a state begins, as text."""
    order = ", 'F'" if lines.features_first else ""
    shape = f"(batch, *{seed.shape[1:]})" if lines.ragged else seed.shape
    return f"begun(d{k}, {shape}, {lines.kind(seed.dtype)}{order})"
