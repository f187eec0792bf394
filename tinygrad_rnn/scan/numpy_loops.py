"""The loops on plain numpy: Python source with one call an op, into buffers made beforehand.

Everything that is only a view (a slice, a turned matrix) is made before the loop. Inside, each line is
one numpy function with ``out=``; where a value is kept for backward, or is a part of a ``concat``, its
``out`` is its place there.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..ops.row import ROWS
from .batched import Batched
from .memory import empty
from .program import ELEMENTWISE, Value
from .schedule import VIEWS, Schedule

_OWN_NAMES = (
    "maximum minimum sqrt exp expm1 log log1p sin cos tanh equal not_equal less less_equal greater "
    "greater_equal bitwise_and bitwise_or bitwise_xor invert"
)
UFUNCS = {
    **{name: name for name in _OWN_NAMES.split()},
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "div": "true_divide",
    "abs": "absolute",
    "pow": "power",
}
Slabs = dict[int, Any]


class NumpyLoops:
    """A schedule's two loops as compiled Python functions; see ``running.Scan`` for how they are used."""

    name = "numpy"
    in_place = False  # numpy is quicker with arrays of their own than with columns of another
    why = ""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.program = schedule.program
        self.sources = self.program.sources()
        self._sources: dict[Any, Any] = {}  # the two functions, by which values live in slabs
        self._plans: dict[bool, _Plan] = {}
        self._stored = frozenset(schedule.stored)
        derived = bool(self.program.gradients)
        plan = self._plans[derived] = _Plan(schedule, derived, self.in_place)
        self._sources[False, plan.stored] = self.source(False, plan.stored)
        if derived:
            self._sources[True, self._stored] = self.source(True, self._stored)

    def source(self, backward: bool, stored: frozenset[int]) -> tuple[Any, Any]:
        """The function of one loop, and the layout of its arguments."""
        return _Text(self.schedule, backward, stored).compiled()

    def _run(
        self, backward: bool, batched: Batched, stored: frozenset[int], dstates: Any = None
    ) -> list[Any]:
        """Run one loop; returns the carried gradients at its end."""
        function, layout = self._sources[backward, stored]
        buffers = layout.buffers(batched, dstates)
        self.call(function, buffers, batched.steps)
        return [buffers[layout.place[name]] for name in layout.carries]

    def call(self, function: Any, buffers: list[Any], steps: int) -> None:
        """Call a loop's function."""
        function(*buffers)

    @np.errstate(all="ignore")
    def forward(self, inputs: list[Any], steps: int, keep: bool) -> tuple[Any, list[Any], Any]:
        """(outputs of all steps, last states, what backward needs) of ``steps`` steps.

        ``inputs`` are arrays in the order of the program's: x and live over time, then states and weights.
        """
        plan = self._plans[keep]
        slabs = dict(zip(plan.inputs, inputs, strict=False))
        batched = Batched(self.schedule, slabs, steps)
        for v in plan.ahead:
            batched[v]
        states = batched.states
        for k, v, out, shape, dtype in plan.states:
            slab = states[k] = empty((steps + 1, *shape), dtype)
            slab[0] = slabs[v]
            slabs[v] = slab[:-1]
            if out not in slabs:
                slabs[out] = slab[1:]
        for v, (w, low, high) in plan.in_place:
            slabs[v] = slabs[w][..., low:high]
        for v, shape, dtype in plan.slabs:
            if v not in slabs:
                slabs[v] = empty((steps, *shape), dtype)
        self._run(False, batched, plan.stored)
        for v in plan.gone:
            slabs.pop(v, None)
        last = [slab[-1] for slab in states.values()]
        return slabs[self.program.y], last, batched if keep else None

    @np.errstate(all="ignore")
    def backward(self, batched: Batched, steps: int, dy: Any, dstates: list[Any]) -> dict[str, Any]:
        """The gradients of the inputs, by role, from those of the outputs and of the last states."""
        p = self.program
        batched = batched.copy()
        slabs = batched.known
        slabs[p.inputs["dy"]] = dy
        for v in self.schedule.stored:
            slabs[v] = empty((steps, *p.values[v].shape), p.values[v].dtype)
        carried = self._run(True, batched, self._stored, dstates)
        gradients: dict[str, Any] = {}
        for role, v in p.gradients.items():
            if role[0] == "s":
                gradients[role] = carried[int(role[1:])].reshape(p.values[v].shape)
            elif role[0] == "x":
                gradients[role] = batched[v]
            else:
                gradients[role] = batched.total(v)
        return gradients


class _Plan:
    """What a forward run makes, in lists: with what backward needs (``keep``), or without."""

    def __init__(self, schedule: Schedule, keep: bool, in_place: bool) -> None:
        s, p = schedule, schedule.program
        values = p.values
        self.inputs = list(p.inputs.values())
        self.ahead = s.ahead
        self.states = [
            (k, v, p.states[k], values[p.states[k]].shape, values[p.states[k]].dtype)
            for v, k in s.state_in.items()
        ]
        kept = s.kept if keep else []
        alias = s.in_place if keep and in_place else {}
        self.in_place = [(v, (w, low, low + values[v].shape[-1])) for v, (w, low) in alias.items()]
        self.slabs = [(v, values[v].shape, values[v].dtype) for v in {*kept, p.y} if v not in alias]
        self.stored = frozenset({*kept, p.y, *p.states})
        under = {w for w, _ in alias.values()}
        self.gone = [v for v in s.ahead if v not in kept and v != p.y and v not in under]


class _Text:
    """Writes the loop. Names: ``b`` are buffers used at every step, ``v`` values of the running step."""

    def __init__(self, schedule: Schedule, reverse: bool, stored: frozenset[int]) -> None:
        self.s, self.p, self.reverse, self.stored = schedule, schedule.program, reverse, stored
        self.lines: list[str] = []
        self.names: dict[int, str] = {}
        self.arguments: list[tuple[str, Any]] = []  # (name, how its array is made)
        self.zipped: list[str] = []
        self.place: dict[str, int] = {}
        self.carries: list[str] = []
        self.inside = [*schedule.again, *schedule.back] if reverse else list(schedule.loop)
        self.inside.sort()
        self.targets: dict[int, tuple[int, int, int]] = {}  # a part of a concat: (whole, low, high)
        self.functions: dict[str, Any] = {}

    # ---- what the loop is given

    def argument(self, name: str, make: Any) -> str:
        """An array that the function is given; ``make(batched, dstates)`` makes it for a run."""
        self.place[name] = len(self.arguments)
        self.arguments.append((name, make))
        return name

    def buffers(self, batched: Batched, dstates: Any) -> list[Any]:
        """The arrays for one run."""
        made: dict[str, Any] = {}
        for name, make in self.arguments:
            made[name] = make(batched, dstates, made)
        return list(made.values())

    def slab(self, v: int, make: Any) -> str:
        """A value that lies in an array over time."""
        name = f"v{v}"
        order = -1 if self.reverse else 1
        self.argument(f"V{v}", lambda batched, _d, _m: make(batched)[::order])
        self.zipped.append(name)
        self.names[v] = name
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
            self.names[v] = self.argument(f"w{v}", lambda batched, _d, _m: batched[v])
            return self.names[v]
        return self.slab(v, lambda batched: batched[v])

    # ---- the text

    def compiled(self) -> tuple[Any, _Text]:
        """The function, and this layout of its arguments."""
        p, s = self.p, self.s
        if self.reverse:
            self.carried = {int(r[1:]): v for r, v in p.gradients.items() if r[0] == "s"}
            for k in range(len(p.states)):
                seed = p.inputs[f"ds{k}"]
                shape, dtype = p.values[seed].shape, p.values[seed].dtype
                self.names[seed] = self.argument(f"c{k}", carry(k, shape, dtype))
                self.carries.append(f"c{k}")
        for v in self.inside:
            self.place_parts(v)
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
                    self.argument(f"N{k}", lambda b, _d, _m, k=k: b.states[k][1:])
                    self.zipped.append(name)
                    self.lines.append(f"copyto({name}, {self.name(v)})")
        return self._build(), self

    def _filled(self, v: int) -> bool:
        """Whether a stored value is there before the loop, or is written as a state."""
        return v in self.s.ahead or self.p.values[v].op == "input"

    def _build(self) -> Any:
        arguments = ", ".join(name for name, _ in self.arguments)
        slabs = [
            n.replace("v", "V", 1) if n[0] == "v" else n.replace("n", "N", 1) for n in self.zipped
        ]
        head = f"for {', '.join(self.zipped)}, in zip({', '.join(slabs)}):"
        body = "\n        ".join(self.lines or ["pass"])
        text = f"def loop({arguments}):\n    {head}\n        {body}\n"
        space = {
            name: getattr(np, name)
            for name in (*UFUNCS.values(), "copyto", "dot", "reciprocal", "sum")
        }
        space.update(self.functions)
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
        if v in self.names and self.names[v] == f"v{v}":
            return self.names[v]
        return self.slab(v, lambda batched: batched.known[v])

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
        shape, dtype = value.shape, value.dtype
        self.names[v] = self.argument(f"b{v}", lambda _b, _d, _m: np.empty(shape, dtype))
        return self.names[v]

    def view(self, v: int, base: int, look: Any) -> str:
        """A view of another value, made before the loop; ``look`` works on one more axis, too."""
        source = self.name(base)
        if source[0] == "v":
            name = f"v{v}"
            self.argument(f"V{v}", lambda _b, _d, made: look(made["V" + source[1:]]))
            self.zipped.append(name)
            return name
        return self.argument(f"b{v}", lambda _b, _d, made: look(made[source]))

    def emit(self, v: int) -> None:
        """The lines that compute one value."""
        value = self.p.values[v]
        op, args = value.op, value.args
        if op in VIEWS and not self._of_literal(args[0]):
            over_time = self.name(args[0])[0] == "v"
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
        names = [self.name(a) for a in args]
        if op == "neg":  # np.negative is wrong for float32 columns with a stride (numpy 2.4)
            self.lines.append(f"multiply({names[0]}, -1, out={self.out(v)})")
        elif op in UFUNCS:
            self.lines.append(f"{UFUNCS[op]}({', '.join(names)}, out={self.out(v)})")
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
            weight = args[1]
            turned = value.consts[0]
            w = f"w{weight}t" if turned else f"w{weight}"
            if w not in self.place:
                self.argument(w, matrix(weight, turned))
            if v in self.stored or len(value.shape) in (1, 2):
                self.lines.append(f"dot({names[0]}, {w}, {self.out(v)})")
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


def carry(k: int, shape: Any, dtype: Any) -> Any:
    """How the gradient of a state begins: as it was given, or zeros."""

    def make(_batched: Any, dstates: Any, _made: Any) -> Any:
        given = dstates[k]
        return np.zeros(shape, dtype) if given is None else np.array(given, dtype).reshape(shape)

    return make


def matrix(weight: int, turned: bool) -> Any:
    """How a weight is given to a product: as it is, or turned and copied."""

    def make(batched: Any, _d: Any, _m: Any) -> Any:
        w = batched[weight]
        return np.ascontiguousarray(w.T) if turned else w

    return make


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
