"""The loops on plain numpy: Python source with one call an op, into buffers made beforehand.

Everything that is only a view (a slice, a turned matrix) is made before the loop. Inside, each line is
one numpy function with ``out=``; where a value is kept for backward, or is a part of a ``concat``, its
``out`` is its place there.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from ..ops.row import ROWS
from .batched import TIME, UFUNCS, Lines
from .few_calls import small
from .program import ELEMENTWISE, Value
from .schedule import VIEWS, Schedule

PIECE = 1 << 17  # numbers that are made at a time


class NumpyLoops:
    """A schedule as two functions, forward and backward: lines, a loop over time, lines.

    ``forward(T, *inputs)`` takes arrays in the order of the program's inputs: x and live over time, then
    states and weights. Its kept arrays go to ``backward(T, kept, dy, *dstates)`` as they are.
    """

    name = "numpy"
    spare = True  # whether a value may lie in columns of another that nobody reads
    turns = True  # whether small values may lie with their features first

    def __init__(self, schedule: Schedule, why: str = "") -> None:
        self.schedule = schedule
        self.program = schedule.program
        self.ran = frozenset({(self.name, why)})  # for ``layer.explain()``: why not another
        self._sources = self.program.sources()
        self._needing: dict[Any, list[bool]] = {}
        self.loops: dict[bool, Any] = {}  # forward's and backward's, for whoever wants to look
        self._bare: Any = None
        if self.program.gradients:
            self._forward, self._backward = self._write()
        else:
            self._bare = self._write_bare()

    def forward(self, inputs: list[Any], steps: int, keep: bool) -> tuple[Any, list[Any], Any]:
        """(outputs of all steps, last states, what backward needs or None) of ``steps`` steps."""
        if keep:
            return self._forward(steps, *inputs)  # type: ignore[no-any-return]
        if self._bare is None:
            self._bare = self._write_bare()
        return self._bare(steps, *inputs)  # type: ignore[no-any-return]

    def backward(
        self, kept: Any, steps: int, dy: Any, dstates: list[Any]
    ) -> tuple[Any, list[Any], list[Any]]:
        """The gradients of x, states and weights from those of the outputs and of the last states.

        None stands where none was asked for, or none arrives.
        """
        return self._backward(steps, kept, dy, *dstates)  # type: ignore[no-any-return]

    def needing(self, asking: tuple[bool, ...], x: bool) -> list[bool]:
        """Which of output and last states depend on an input that asks for a gradient.

        ``asking`` goes by states and weights in their order, ``x`` is the sequence.
        """
        found = self._needing.get((asking, x))
        if found is None:
            roles = [r for r in self.program.inputs if r[0] in "sw"]
            who = {"x"} if x else set()
            who |= {role for role, asks in zip(roles, asking, strict=True) if asks}
            found = [not who.isdisjoint(roles) for roles in self._sources]
            self._needing[asking, x] = found
        return found

    # ---- the text around the loops

    def _write(self) -> tuple[Any, Any]:
        """The two functions of training."""
        p = self.program
        lines, arguments = self._until_the_loop_is_over(True)
        back = Lines(self.schedule, lines.names, turned=lines.turned)
        back.names[p.inputs["dy"]] = "dy"
        back.solid |= {"dy", *lines.solid}
        for v in sorted(self.schedule.stored):
            back.slab(v)
        self.loop(back, True, frozenset(self.schedule.stored))
        gradients: dict[str, str] = {}
        for role, v in p.gradients.items():
            if role[0] == "s":
                gradients[role] = f"c{role[1:]}.reshape({p.values[v].shape})"
            else:
                gradients[role] = back[v] if role[0] == "x" else back.total(v)
        each = (", ".join(gradients.get(r, "None") for r in p.inputs if r[0] == k) for k in "sw")
        back.line("return {}, [{}], [{}]".format(gradients.get("x", "None"), *each))
        self.over_time = [bool(p.depends[v]) for v in back.taken]  # of what backward is given
        kept = "".join(f"{name}, " for name in back.taken.values())
        if kept:
            back.lines.insert(0, f"{kept}= kept")
        lines.line(f"return {self._results()}, ({kept})")
        seeds = [f"d{k}" for k in range(len(p.states))]
        return (
            lines.compiled("forward", [TIME, *arguments]),
            back.compiled("backward", [TIME, "kept", "dy", *seeds]),
        )

    def _write_bare(self) -> Any:
        """Forward without derivatives."""
        lines, arguments = self._until_the_loop_is_over(False)
        lines.line(f"return {self._results()}, None")
        return lines.compiled("forward", [TIME, *arguments])

    def stream(self) -> tuple[Any, Any] | None:
        """(prepare, step): what depends on the weights alone, done once, and one step without gradients.

        ``prepare(*weights)`` gives what ``step(prepared, x, *states)`` takes, with arrays of one time step;
        it returns the output and the new states. None where a state is not one value of its own.
        """
        s, p = self.schedule, self.program
        if any(s.state_out[v] != k or v in s.state_in for k, v in enumerate(p.states)):
            return None
        first = Lines(s)
        weights = [v for role, v in p.inputs.items() if role[0] == "w"]
        first.names.update({v: f"v{v}" for v in weights})
        for v in [*weights, *s.fixed]:
            first.names[v] = first.contiguous(v)
        lines = Lines(s, dict(first.names), first)
        given = [p.inputs["x"], *s.state_in]
        lines.names.update({v: f"v{v}" for v in given})
        lines.solid |= {*(f"v{v}" for v in given), *first.names.values()}
        lines.line(f"{TIME} = 1")
        for v in s.ahead:
            lines[v]
        for v in dict.fromkeys((p.y, *p.states)):
            if v not in lines.names:
                lines.slab(v)
        self.loop(lines, False, frozenset({p.y, *p.states}))
        lines.line(f"return {', '.join(lines[v] for v in (p.y, *p.states))}")
        taken = "".join(f"{name}, " for name in lines.taken.values())
        if taken:
            lines.lines.insert(0, f"{taken}= prepared")
        first.line(f"return ({taken})")
        return (
            first.compiled("prepare", [f"v{v}" for v in weights]),
            lines.compiled("step", ["prepared", *(f"v{v}" for v in given)]),
        )

    def _results(self) -> str:
        """The output and the last states, as text."""
        last = ", ".join(f"whole(S{k}[-1])" for k in self.schedule.state_in.values())
        return f"{self.y}, [{last}]"

    def _until_the_loop_is_over(self, keep: bool) -> tuple[Lines, list[str]]:
        """Forward's lines with its loop; what it leaves for backward if ``keep``."""
        s, p = self.schedule, self.program
        lines = Lines(s, turned=self.turns and s.turns)
        arguments = []
        for role, v in p.inputs.items():
            if role[0] != "d":
                lines.names[v] = f"v{v}"
                arguments.append(f"v{v}")
                if role[0] == "x":
                    lines.solid.add(f"v{v}")
        for v in s.ahead:
            lines[v]
        for v, k in s.state_in.items():
            out = p.states[k]
            lines.line(f"S{k} = {lines.memory(out, TIME + ' + 1')}")
            lines.line(f"S{k}[0] = {lines[v]}")
            lines.names[v] = lines.made(v, lines.once(f"old{k}", f"S{k}[:-1]"))
            if out not in lines.names:
                lines.names[out] = lines.made(out, lines.once(f"new{k}", f"S{k}[1:]"))
        kept = s.kept if keep else []
        places = s.spare if keep and self.spare else {}
        for w in {w for w, _ in places.values()}:
            if w not in lines.names:
                lines.slab(w)
        for v, (w, low) in places.items():
            lines.line(f"v{v} = {lines[w]}[..., {low}:{low + p.values[v].shape[-1]}]")
            lines.names[v] = f"v{v}"
        for v in sorted({*kept, p.y}):
            if v not in lines.names:
                lines.slab(v)
        self.loop(lines, False, frozenset({*kept, p.y, *p.states}))
        self.y = lines[p.y]
        if self.y not in lines.solid:  # others get the output in the order of its axes
            base = self.y.replace("new", "S")
            lines.line(f"{base} = whole({base})")
            lines.solid.add(self.y)
            if base != self.y:
                old = base.replace("S", "old")
                lines.line(f"{old}, {self.y} = {base}[:-1], {base}[1:]")
                lines.solid.add(old)
        for v in s.ahead:
            if v not in kept and v != p.y:
                lines.names.pop(v, None)
        return lines, arguments

    def loop(self, lines: Lines, backward: bool, stored: frozenset[int]) -> None:
        """Write the arguments of a loop, and its call."""
        lines.quiet = True
        text = _Text(self.schedule, backward, stored, lines)
        loop = text.compiled()
        self.loops[backward] = loop
        lines.space["loop"] = loop
        lines.line(f"loop({', '.join(text.arguments)})")


class _Piece(Lines):
    """Lines for some steps at a time, ``at``, of what lines around them have for all steps."""

    def __init__(self, around: Lines) -> None:
        super().__init__(around.schedule, turned=around.turned)
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


class _Text:
    """Writes the loop. Names: ``b`` are buffers used at every step, ``t`` values of the running step.

    Backward goes by pieces of time: what is ``early`` is made for a piece, of a size that stays in the
    processor's cache, before its steps run.
    """

    def __init__(
        self, schedule: Schedule, reverse: bool, stored: frozenset[int], around: Lines
    ) -> None:
        self.s, self.p, self.reverse, self.stored = schedule, schedule.program, reverse, stored
        self.around = around
        self.near = _Piece(around) if reverse else around
        self.lines: list[str] = []
        self.names: dict[int, str] = {}
        self.arguments: list[str] = []
        self.zipped: list[str] = []
        self.inside = sorted({*schedule.again, *schedule.back}) if reverse else list(schedule.loop)
        made = [v for v in map(self.p.values.__getitem__, schedule.early) if v.op not in VIEWS]
        self.steps = PIECE // max(1, sum(int(np.prod(v.shape, dtype=int)) for v in made))
        if reverse and self.steps >= 4:
            self.inside = sorted({*self.inside} - schedule.early)
        else:
            self.steps = 4
        self.targets: dict[int, tuple[int, int, int]] = {}  # a part of a concat: (whole, low, high)
        self.functions: dict[str, Any] = {}

    # ---- what the loop is given

    def argument(self, name: str, text: str) -> str:
        """An array that the loop is given, made by a line before it."""
        if name not in self.arguments:
            self.around.line(f"{name} = {text}")
            self.arguments.append(name)
        return name

    def slab(self, v: int, source: str) -> str:
        """A value that lies in an array over time."""
        if self.near.turns(v) and source in self.near.solid:
            source = f"turn({source})"
        self.names[v] = self.over_time(f"t{v}", f"{source}[::-1]" if self.reverse else source)
        return self.names[v]

    def over_time(self, name: str, text: str) -> str:
        """A name that goes through an array over time."""
        slab = name.upper()
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
            for k in range(len(p.states)):
                if k in self.carried:
                    source = self.name(self.carried[k])
                    if source != f"c{k}":
                        fresh = any(source == f"c{j}" for j in range(k))
                        self.lines.append(f"copyto(c{k}, {source}{'.copy()' if fresh else ''})")
                else:
                    self.lines.append(f"c{k}.fill(0)")
        else:
            for v in sorted(self.stored | set(p.outputs)):
                if v not in self.inside and p.depends[v] and not self._filled(v):
                    self.lines.append(f"copyto({self.out_slab(v)}, {self.name(v)})")
            for k, v in enumerate(p.states):
                if s.state_out[v] != k or v in s.state_in:  # one value is two states, or stays
                    name = f"n{k}"
                    self.over_time(name, f"S{k}[1:]")
                    self.lines.append(f"copyto({name}, {self.name(v)})")
        return self._build()

    def _filled(self, v: int) -> bool:
        """Whether a stored value is there before the loop, or is written as a state."""
        return v in self.s.ahead or self.p.values[v].op == "input"

    def _build(self) -> Any:
        read = set(re.findall(r"\w+", " ".join(self.lines)))
        self.zipped = [name for name in self.zipped if name in read] or self.zipped
        slabs = ", ".join(name.upper() for name in self.zipped)
        lines = [f"for {', '.join(self.zipped)}, in zip({slabs}):"]
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
                and a not in self.stored
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
            self.names[v] = self.view(v, whole, lambda a: a[..., low:high])
            return self.names[v]
        kind = self.around.kind(value.dtype)
        order = ", 'F'" if self.around.turns(v) else ""
        self.names[v] = self.argument(f"b{v}", f"fresh({value.shape}, {kind}{order})")
        return self.names[v]

    def view(self, v: int, base: int, look: Any) -> str:
        """A view of another value, made before the loop; ``look`` works on one more axis, too."""
        source = self.name(base)
        if source[0] == "t":
            function = self.near.constant(f"look{v}", look)
            return self.over_time(f"t{v}", f"{function}({source.upper()})")
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
        name, order = f"w{v}_{'_'.join(map(str, over.shape))}", "F" if self.around.turned else "C"
        return self.argument(name, f"full({self.around[v]}, {over.shape}, '{order}')")

    def flipped(self, v: int) -> str:
        """The transpose of a matrix that lies with its features first: in memory as usual."""
        name = self.names[v]
        if name[0] == "t":
            return self.over_time(f"{name}t", f"{name.upper()}.transpose(0, 2, 1)")
        return self.argument(f"{name}t", f"{name}.T")

    def emit(self, v: int) -> None:
        """The lines that compute one value."""
        value = self.p.values[v]
        op, args = value.op, value.args
        if op in VIEWS and not self._of_literal(args[0]):
            over_time = self.name(args[0])[0] == "t"
            look = _look(value, over_time, self.p.values[args[0]])
            if v in self.stored:
                part = self.view(10**9 + v, args[0], look)
                self.lines.append(f"copyto({self.out(v)}, {part})")
            else:
                self.names[v] = self.view(v, args[0], look)
            return
        if op == "concat":
            self.out(v)
            low = 0
            for a in args:
                width = self.p.values[a].shape[-1]
                if self.targets.get(a, (None,))[0] != v:
                    part = self.view(10**6 * (v + 1) + low, v, _window(low, low + width))
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
            self.functions[one] = np.array(1, value.dtype)
            self.functions[minus] = np.array(-1, value.dtype)
            self.lines += [
                f"multiply({names[0]}, {minus}, {o})",
                f"exp({o}, {o})",
                f"add({o}, {one}, {o})",
            ]
            self.lines.append(f"reciprocal({o}, {o})")
        elif op == "relu":
            self.lines.append(f"maximum({names[0]}, 0, out={self.out(v)})")
        elif op == "where":
            o = self.out(v)
            self.lines += [f"copyto({o}, {names[2]})", f"copyto({o}, {names[1]}, where={names[0]})"]
        elif op == "dot" and v not in self.targets:
            weight, turned, out = args[1], value.consts[0], self.out(v)
            if self.around.turned:
                w = self.around[weight] if turned else f"{self.around[weight]}.T"
                times = self.argument(f"times{v}", f"{w}.dot")
                self.lines.append(f"{times}({self.flipped(args[0])}, {self.flipped(v)})")
            else:
                w = f"w{weight}{'t' if turned else ''}"
                w = self.argument(w, matrix(self.around, weight, turned))
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
            self.functions[f"f{v}"] = _general(value)
            self.lines.append(f"copyto({self.out(v)}, f{v}({', '.join(names)}))")

    def _of_literal(self, v: int) -> bool:
        return self.p.values[v].op == "literal"


def carry(lines: Lines, k: int, seed: Value) -> str:
    """How the gradient of a state begins, as text."""
    order = ", 'F'" if lines.turned else ""
    return f"begun(d{k}, {seed.shape}, {lines.kind(seed.dtype)}{order})"


def matrix(lines: Lines, weight: int, turned: bool) -> str:
    """A weight as a product takes it, as text: as it is, or turned and copied."""
    return f"whole({lines[weight]}.T)" if turned else lines[weight]


def _window(low: int, high: int) -> Any:
    return lambda a: a[..., low:high]


def _look(value: Value, over_time: bool, inner: Value) -> Any:
    """A view op as a function of an array, with an axis of time before the others or without."""
    lead = (slice(None),) if over_time else ()
    shift = len(lead)
    if value.op == "slice":
        return _window(*value.consts)
    if value.op == "reshape":
        return lambda a: a.reshape((*a.shape[:shift], *value.shape))
    if value.op == "permute":
        axes = (*range(shift), *(i + shift for i in value.consts[0]))
        return lambda a: a.transpose(axes)
    grown = (None,) * (len(value.shape) - len(inner.shape))
    return lambda a: np.broadcast_to(a[(*lead, *grown)], (*a.shape[:shift], *value.shape))


def _general(value: Value) -> Any:
    """Any other op of the table, by its own forward."""
    if value.op not in ROWS:
        raise NotImplementedError(value.op)
    op, consts = ROWS[value.op], value.consts
    forward = op.forward
    if op.variadic:
        return lambda *arrays: forward(arrays, *consts)
    return lambda *arrays: forward(*arrays, *consts)
