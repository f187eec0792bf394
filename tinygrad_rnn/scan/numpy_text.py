"""How is a loop on numpy written? As Python with one call an op, into buffers made beforehand.

Everything that is only a view (a slice, a transposed matrix) is made before the loop. Inside, each line is
one numpy function with a place for its result; where a value is kept for backward, or is a part of a
``concat``, that is its place there.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from ..ops.few_passes import ONES
from .batched import TIME, UFUNCS, Lines, carry
from .program import ELEMENTWISE, Value
from .rewrites import small
from .runtime import forward_of, window
from .schedule import VIEWS, Schedule

PIECE = 1 << 18  # numbers that are made at a time


class Piece(Lines):
    """Lines for some steps at a time, ``at``, of what lines around them have for all steps."""

    def __init__(self, around: Lines) -> None:
        super().__init__(around.schedule, features_first=around.features_first)
        self.around = around

    def __getitem__(self, v: int) -> str:
        """As ever; what is there for all steps is given, and cut."""
        if v not in self.names and self.program.values[v].op != "literal":
            over_time = self.program.depends[v]
            if not over_time or v in self.around.names or v in self.around.before:
                self.names[v] = self.taken[v] = self.around[v]
                if over_time:
                    part, plain = f"{self.taken[v]}[at]", self.taken[v] in self.around.solid
                    part = f"turn({part})" if plain and self.turns(v) else part
                    self.names[v] = self.once(f"p{v}", part)
        return super().__getitem__(v)


class NumpyText:
    """Writes the loop. Names: ``b`` are buffers used at every step, ``t`` values of the running step.

    Backward goes by pieces of time: what is ``by_piece`` is made for a piece, of a size that stays in the
    processor's cache, before its steps run.
    """

    def __init__(
        self, schedule: Schedule, reverse: bool, stored: frozenset[int], around: Lines
    ) -> None:
        self.s, self.p, self.reverse, self.stored = schedule, schedule.program, reverse, stored
        self.around = around
        self.near = Piece(around) if reverse else around
        self.lines: list[str] = []
        self.names: dict[int, str] = {}
        self.arguments: list[str] = []
        self.zipped: list[str] = []
        self.inside = sorted({*schedule.again, *schedule.back}) if reverse else list(schedule.loop)
        made = [v for v in map(self.p.values.__getitem__, schedule.by_piece) if v.op not in VIEWS]
        self.steps = PIECE // max(1, sum(int(np.prod(v.shape, dtype=int)) for v in made))
        if reverse and self.steps >= 4:
            self.inside = sorted({*self.inside} - schedule.by_piece)
        else:
            self.steps = 4
        self.targets: dict[int, tuple[int, int, int]] = {}  # a part of a concat: (whole, low, high)
        self.functions: dict[str, Any] = {}
        self.whole: set[int] = set()  # values that lie in one piece, in the order of their axes
        self.each: set[str] = set()  # names of numbers over time

    # ---- what the loop is given

    def argument(self, name: str, text: str) -> str:
        """An array that the loop is given, made by a line before it."""
        if name not in self.arguments:
            self.around.line(f"{name} = {text}")
            self.arguments.append(name)
        return name

    def of_weights(self, name: str, weight: int, text: str) -> str:
        """An array made of weights alone, ``{}`` in its text: by the earlier function, where there is one."""
        first = self.around.first
        if first is None:
            return self.argument(name, text.format(self.around[weight]))
        self.around.taken[name] = first.once(name, text.format(first[weight]))
        self.arguments += [name] if name not in self.arguments else []
        return name

    def slab(self, v: int, source: str) -> str:
        """A value that lies in an array over time."""
        if self.near.turns(v) and source in self.near.solid:
            source = f"turn({source})"
        if source in self.near.solid:
            self.whole.add(v)
        self.names[v] = self.over_time(
            f"t{v}", f"{source}[::-1]" if self.reverse else source, self.p.values[v].shape
        )
        return self.names[v]

    def over_time(self, name: str, text: str, shape: tuple[int, ...]) -> str:
        """A name that goes through an array over time of what has a shape at each step."""
        slab = name.upper()
        if not shape:  # numpy would give numbers, in which nothing can be written
            self.each.add(name)
        if self.reverse:
            self.near.line(f"{slab} = {text}")
        else:
            self.argument(slab, text)
        self.zipped.append(name)
        return name

    def name(self, v: int) -> str:
        """How a value is called in the loop; values from outside get in here."""
        if v in self.names:
            return self.names[v]
        value, p = self.p.values[v], self.p
        if value.op == "literal":
            name = f"k{v}"
            self.functions[name] = value.consts[0]
            self.names[v] = name
            return name
        if not p.depends[v]:
            self.names[v] = self.argument(f"w{v}", self.around[v])
            return self.names[v]
        return self.slab(v, self.near[v])

    # ---- the text

    def compiled(self) -> Any:
        """The function."""
        p, s = self.p, self.s
        if self.reverse:
            self.carried = {int(r[1:]): v for r, v in p.gradients.items() if r[0] == "s"}
            for k in range(len(p.states)):
                seed = p.inputs[f"ds{k}"]
                self.names[seed] = self.argument(f"c{k}", carry(self.around, k, p.values[seed]))
        for v in self.inside:
            self.place_parts(v)
        if self.reverse:
            self.carry_in_place()
        for v in self.inside:
            self.emit(v)
        if self.reverse:
            self.hand_down()
        else:
            for v in sorted(self.stored | set(p.outputs)):
                if v not in self.inside and p.depends[v] and not self._filled(v):
                    self.lines.append(f"copyto({self.out_slab(v)}, {self.name(v)})")
            for k, v in s.copied_states():
                name = f"n{k}"
                self.over_time(name, f"S{k}[1:]", p.values[v].shape)
                self.lines.append(f"copyto({name}, {self.name(v)})")
        return self._build()

    def _filled(self, v: int) -> bool:
        """Whether a stored value is there before the loop, or is written as a state."""
        return v in self.s.hoisted or self.p.values[v].op == "input"

    def _build(self) -> Any:
        read = set(re.findall(r"\w+", " ".join(self.lines)))
        self.zipped = [name for name in self.zipped if name in read] or self.zipped
        slabs = ", ".join(
            f"each({n.upper()})" if n in self.each else n.upper() for n in self.zipped
        )
        lines = [f"for {', '.join(self.zipped)}, in zip({slabs}):"]
        if not self.zipped:
            lines = [f"for _ in range({TIME}):"]
            self.arguments += [] if self.reverse else [TIME]
        lines += [f"    {line}" for line in self.lines or ["pass"]]
        if self.reverse:
            lines = [*self.near.lines, *lines]
            lines = [
                f"for high in range(steps, 0, -{self.steps}):",
                f"    {TIME} = min(high, {self.steps})",
                f"    at = slice(high - {TIME}, high)",
                *(f"    {line}" for line in lines),
            ]
            self.arguments += ["steps", *dict.fromkeys(self.near.taken.values())]
            self.around.line(f"steps = {TIME}")
        text = "\n    ".join([f"def loop({', '.join(self.arguments)}):", *lines]) + "\n"
        space = {
            name: getattr(np, name)
            for name in (*UFUNCS.values(), "copyto", "dot", "reciprocal", "sum")
        }
        space["each"] = self.around.space["each"]
        space.update(self.functions)
        if self.reverse:
            space.update(self.near.space)
        exec(compile(text, f"<{'backward' if self.reverse else 'forward'} loop>", "exec"), space)
        return space["loop"]

    def place_parts(self, v: int) -> None:
        """Parts of a concat are computed right where they belong."""
        value = self.p.values[v]
        if value.op != "concat":
            return
        low = 0
        for a in value.args:
            width = self.p.values[a].shape[-1]
            part = self.p.values[a]
            if (
                a in self.inside
                and part.op in ELEMENTWISE
                and (a not in self.stored or self.s.parts.get(a) == (v, low))
                and a not in self.targets
                and value.args.count(a) == 1
            ):
                self.targets[a] = (v, low, low + width)
            low += width

    def out_slab(self, v: int) -> str:
        """The place of a stored value at the running step."""
        if v in self.names and self.names[v] == f"t{v}":
            return self.names[v]
        return self.slab(v, self.near[v])

    def hand_down(self) -> None:
        """The gradients of the states go to where the step before finds them."""
        later = []
        for k in range(len(self.p.states)):
            if k not in self.carried:
                later.append(f"c{k}.fill(0)")
                continue
            source = self.name(self.carried[k])
            if source == f"c{k}":
                continue
            if self._of_seed(self.carried[k]):  # by then another gradient may stand there
                self.lines.append(f"m{k} = {source}.copy()")
                source = f"m{k}"
            later.append(f"copyto(c{k}, {source})")
        self.lines += later

    def _of_seed(self, v: int) -> bool:
        """Whether a value lies where a gradient came in."""
        while self.p.values[v].op in VIEWS:
            v = self.p.values[v].args[0]
        return self.p.values[v].op == "input"

    def carry_in_place(self) -> None:
        """The gradient of a state is written over the one that came in, if that is read no more by then."""
        values, carried = self.p.values, list(self.carried.values())
        elsewhere = {*self.stored, *self.targets, *(v for v in carried if carried.count(v) > 1)}
        for k, made in self.carried.items():
            seed = self.p.inputs[f"ds{k}"]
            readers = [v for v in self.inside if seed in values[v].args]
            views = any(values[v].op in VIEWS for v in readers)
            free = max(readers, default=-1) < made + (values[made].op in UFUNCS) and not views
            own = made in self.inside and values[made].op not in {*VIEWS, "concat"}
            if free and own and made not in elsewhere and seed not in carried:
                self.names[made] = f"c{k}"

    def out(self, v: int) -> str:
        """Where a value is written: its slab, its part of a concat, or a buffer of its own."""
        if v in self.names:
            return self.names[v]
        value = self.p.values[v]
        if v in self.stored:
            return self.out_slab(v)
        if v in self.targets:
            whole, low, high = self.targets[v]
            self.out(whole)
            self.names[v] = self.view(v, whole, window(low, high), value.shape)
            return self.names[v]
        kind = self.around.kind(value.dtype)
        order = ", 'F'" if self.around.turns(v) else ""
        if not order:
            self.whole.add(v)
        self.names[v] = self.argument(f"b{v}", f"fresh({value.shape}, {kind}{order})")
        return self.names[v]

    def view(self, v: int, base: int, look: Any, shape: tuple[int, ...]) -> str:
        """A view of another value, made before the loop; ``look`` works on one more axis, too."""
        source = self.name(base)
        if source[0] == "t":
            function = self.near.constant(f"look{v}", look)
            return self.over_time(f"t{v}", f"{function}({source.upper()})", shape)
        function = self.around.constant(f"look{v}", look)
        return self.argument(f"b{v}", f"{function}({source})")

    def operand(self, v: int, over: Value) -> str:
        """An operand of a numpy function as it is quickest: a number is an array; numbers for each feature
        are written out for each sequence, where that is little."""
        if self._of_literal(v) and over.dtype in "fd":
            name = f"{self.name(v)}_{over.dtype}"
            self.functions[name] = np.array(self.functions[self.name(v)], over.dtype)
            return name
        shape = self.p.values[v].shape
        if self.p.depends[v] or shape in ((), over.shape) or not small(over.shape):
            return self.name(v)
        name, order = (
            f"w{v}_{'_'.join(map(str, over.shape))}",
            "F" if self.around.features_first else "C",
        )
        return self.of_weights(name, v, f"full({{}}, {over.shape}, '{order}')")

    def flipped(self, v: int) -> str:
        """The transpose of a matrix that lies with its features first: in memory as usual."""
        name = self.names[v]
        if name[0] == "t":
            return self.over_time(f"{name}t", f"{name.upper()}.transpose(0, 2, 1)", (1, 1))
        return self.argument(f"{name}t", f"{name}.T")

    def emit(self, v: int) -> None:
        """The lines that compute one value."""
        value = self.p.values[v]
        op, args = value.op, value.args
        if op == "reshape" and self._copies(args[0]):
            self.lines.append(f"copyto({self.out(v)}, {self.name(args[0])}.reshape({value.shape}))")
            return
        if op in VIEWS and not self._of_literal(args[0]):
            over_time = self.name(args[0])[0] == "t"
            look = _look(value, over_time, self.p.values[args[0]])
            if v in self.stored:
                part = self.view(10**9 + v, args[0], look, value.shape)
                self.lines.append(f"copyto({self.out(v)}, {part})")
            else:
                self.names[v] = self.view(v, args[0], look, value.shape)
                if op == "reshape":
                    self.whole.add(v)
            return
        if op == "concat":
            self.out(v)
            low = 0
            for a in args:
                width = self.p.values[a].shape[-1]
                if self.targets.get(a, (None,))[0] != v:
                    columns = window(low, low + width)
                    part = self.view(10**6 * (v + 1) + low, v, columns, value.shape)
                    zero = self.p.values[a].op == "zeros"
                    self.lines.append(
                        f"{part}.fill(0)" if zero else f"copyto({part}, {self.name(a)})"
                    )
                low += width
            return
        names = [self.operand(a, value) if op in UFUNCS else self.name(a) for a in args]
        if op == "neg":  # np.negative is wrong for float32 columns with a stride (numpy 2.4)
            minus = f"k_minus_{value.dtype}"
            self.functions[minus] = np.array(-1, value.dtype)
            self.lines.append(f"multiply({names[0]}, {minus}, {self.out(v)})")
        elif op in UFUNCS:
            out = "out=" if op in ("maximum", "minimum") else ""  # quicker without the name
            self.lines.append(f"{UFUNCS[op]}({', '.join(names)}, {out}{self.out(v)})")
        elif op == "sigmoid":
            o, one = self.out(v), f"k_one_{value.dtype}"
            minus = f"k_minus_{value.dtype}"
            self.functions[minus] = np.array(-1, value.dtype)
            self.functions[one] = ONES[value.dtype]
            self.lines += [
                f"multiply({names[0]}, {minus}, {o})",
                f"exp({o}, {o})",
                f"add({o}, {one}, {o})",
                f"reciprocal({o}, {o})",
            ]
        elif op == "relu":
            self.lines.append(f"maximum({names[0]}, 0, out={self.out(v)})")
        elif op == "where":
            o = self.out(v)
            self.lines += [f"copyto({o}, {names[2]})", f"copyto({o}, {names[1]}, where={names[0]})"]
        elif op == "dot" and v not in self.targets:
            weight, transposed, out = args[1], value.consts[0], self.out(v)
            if self.around.features_first:
                w = self.around[weight] if transposed else f"{self.around[weight]}.T"
                times = self.argument(f"times{v}", f"{w}.dot")
                self.lines.append(f"{times}({self.flipped(args[0])}, {self.flipped(v)})")
            else:
                w = f"w{weight}{'t' if transposed else ''}"
                w = self.of_weights(w, weight, "whole({}.T)" if transposed else "{}")
                self.lines.append(f"{names[0]}.dot({w}, {out})")
        elif op == "outer":
            left = names[0] + (".T" if len(self.p.values[args[0]].shape) == 2 else "[:, None]")
            right = names[1] + ("" if len(self.p.values[args[1]].shape) == 2 else "[None]")
            self.lines.append(f"copyto({self.out(v)}, dot({left}, {right}))")
        elif op == "sum":
            self.lines.append(
                f"add.reduce({names[0]}, {value.consts[0]}, None, {self.out(v)}, {value.consts[1]})"
            )
        elif op == "zeros":
            self.lines.append(f"{self.out(v)}.fill(0)")
        else:
            self.functions[f"f{v}"] = forward_of(value)
            self.lines.append(f"copyto({self.out(v)}, f{v}({', '.join(names)}))")

    def _copies(self, v: int) -> bool:
        """Whether another shape of a value may be another array: where it does not lie in one piece."""
        self.name(v)
        return v not in self.whole

    def _of_literal(self, v: int) -> bool:
        return self.p.values[v].op == "literal"


def _look(value: Value, over_time: bool, inner: Value) -> Any:
    """A view op as a function of an array, with an axis of time before the others or without."""
    lead = (slice(None),) if over_time else ()
    shift = len(lead)
    if value.op == "slice":
        return window(*value.consts)
    if value.op == "reshape":
        return lambda a: a.reshape((*a.shape[:shift], *value.shape))
    if value.op == "permute":
        axes = (*range(shift), *(i + shift for i in value.consts[0]))
        return lambda a: a.transpose(axes)
    grown = (None,) * (len(value.shape) - len(inner.shape))
    return lambda a: np.broadcast_to(a[(*lead, *grown)], (*a.shape[:shift], *value.shape))
