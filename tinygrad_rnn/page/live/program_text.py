"""What is one cell's step in JavaScript? Forward over T steps, backward over T steps, the memory of both.

The text is one object. ``memory(T)`` makes the arrays that T steps need, ``forward(m, T)`` fills them,
``backward(m, T, cut, ledger)`` sends ``dy`` and the last states' gradients back: weight gradients are
summed over the steps, or stand step by step in the ledger's arrays.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from ...scan.program import Program
from .body import VIEWS, Body, number
from .lowering import Lowered
from .places import ArrayView, Shape, strides_of

SOURCES = frozenset(["input", "literal", "constant"])


class StepText:
    """Writes a step's program. Names of arrays: x, s0 ... (states), w0 ... (weights), dy, d0 ... (gradients
    of states), dx, g0 ... (of weights), v1 ... (values between); ``names`` are what values are called."""

    def __init__(
        self, program: Program, names: dict[int, str] | None = None, dtype: str = "f"
    ) -> None:
        self.p, self.dtype = program, dtype
        self.low = Lowered(program)
        self.names = {self.low[v]: name for v, name in (names or {}).items()}
        self.arrays: dict[str, tuple[int, str]] = {}  # the size of a step, and "", "T" or "T + 1"
        self.contents: dict[str, str] = {}  # what an array holds from the beginning
        self.places: dict[int, ArrayView] = {}
        self.shown = set(self.names)
        self.outputs = [self.low[v] for v in program.outputs]
        self.gradients = {role: self.low[v] for role, v in program.gradients.items()}
        self._give_places()
        self._plan()

    # ---- where things are

    def array(self, name: str, shape: Shape, over: str = "", later: bool = False) -> ArrayView:
        """A place in an array of this name; over time, that of the running step or of the one after."""
        size = math.prod(shape)
        if name not in self.arrays or not self.arrays[name][1]:
            self.arrays[name] = (size, over)
        base = f"{name}_{'n' if later else 't'}" if over else ""
        return ArrayView(name, shape, strides_of(shape), 0, base)

    def _give_places(self) -> None:
        p = self.p
        for role, v in p.inputs.items():
            shape = p.values[v].shape
            if role in ("dy",) or role[0] in "xl":
                self.places[v] = self.array(role, shape, "T")
            elif role[0] == "s":
                self.places[v] = self.array(role, shape, "T + 1")
            elif role[0] == "w":
                self.places[v] = self.array(role, shape)
            else:
                self.places[v] = self.array(f"d{role[2:]}", shape, "T + 1", later=True)

    def _needed(self, results: Any) -> list[int]:
        """What some values are computed from, each after what it needs."""
        order: list[int] = []
        seen: set[int] = set()
        stack = [(v, False) for v in reversed(list(results))]
        while stack:
            v, done = stack.pop()
            if done:
                order.append(v)
            elif v not in seen:
                seen.add(v)
                stack.append((v, True))
                stack += [(a, False) for a in self.low.value(v).args if a not in seen]
        return [v for v in order if self.low.value(v).op not in SOURCES]

    def _plan(self) -> None:
        depends = self.p.depends
        ahead = self._needed([*self.outputs, *self.shown])
        everything = self._needed([*self.outputs, *self.shown, *self.gradients.values()])
        self.invariant = [v for v in everything if not depends[v]]
        self.forward = [v for v in ahead if depends[v]]
        known = {*self.invariant, *self.forward}
        self.backward = [v for v in everything if v not in known]
        reads = {a for v in self.backward for a in self.low.value(v).args}
        reads |= set(self.gradients.values())
        self.kept = {u for a in reads | self.shown for u in self._memory(a)} & set(self.forward)
        # states, output and gradients are computed where they belong
        taken = {*self.places}
        for k, v in enumerate(self.outputs):
            if v in taken or not depends[v] or self.low.value(v).op in VIEWS:
                continue
            shape = self.low.value(v).shape
            if not k and v in self.outputs[1:]:
                continue
            later = bool(k)
            self.places[v] = self.array(
                f"s{k - 1}" if k else "y", shape, "T + 1" if k else "T", later
            )
            taken.add(v)
        users: dict[int, int] = {}
        for v in everything:
            for a in self.low.value(v).args:
                users[a] = users.get(a, 0) + 1
        found = list(self.gradients.values())
        self.onto: set[int] = set()
        for role, v in self.gradients.items():
            value = self.low.value(v)
            alone = v in self.backward and found.count(v) == 1 and value.op not in VIEWS
            if not alone or v in self.places:
                continue
            if role[0] == "s":
                self.places[v] = self.array(f"d{role[1:]}", value.shape, "T + 1")
            elif role[0] == "x":
                self.places[v] = self.array("dx", value.shape, "T")
            elif not users.get(v) and value.op in ("outer", "sum", "matmul", "einsum"):
                self.places[v] = self.weight_gradient(role)
                self.onto.add(v)

    def weight_gradient(self, role: str) -> ArrayView:
        """Where a weight's gradient is: the sum, or in the ledger its step."""
        shape = self.p.values[self.p.inputs[role]].shape
        name = f"g{role[1:]}"
        self.arrays[name] = (math.prod(shape), "ledger")
        return ArrayView(name, shape, strides_of(shape), 0, f"{name}_t")

    def _memory(self, v: int) -> list[int]:
        """The values in whose memory a value may lie: of a view, what it looks at; another shape may be
        a copy."""
        found = []
        while v not in self.places and self.low.value(v).op in VIEWS:
            if self.low.value(v).op == "reshape":
                found.append(v)
            v = self.low.value(v).args[0]
        return [*found, v]

    def room(self, v: int, shape: Shape) -> ArrayView:
        """Memory for a value: over time where another pass reads it."""
        kept = v in self.kept
        name = f"v{v}" if v >= 0 else f"copy{-v - 1}"
        return self.array(name, shape, "T" if kept else "")

    def filled(self, v: int, array: Any) -> ArrayView:
        """Memory that holds numbers from the beginning."""
        self.contents[f"k{v}"] = f"[{', '.join(number(c, False) for c in array.ravel().tolist())}]"
        return self.array(f"k{v}", array.shape)

    def _rooms(self, extent: Callable[[int, str], str]) -> list[str]:
        """The arrays of the memory, as lines; the weights come from elsewhere."""
        return [
            f"{n}: F.from({self.contents[n]}),"
            if n in self.contents
            else f"{n}: new F({extent(size, over)}),"
            for n, (size, over) in sorted(self.arrays.items())
            if not re.fullmatch(r"w\d+", n)
        ]

    # ---- the text

    def _body(self) -> Body:
        return Body(self.low, self.places, self.room, self.filled, self.names, self.dtype == "f")

    def _forward_lines(self) -> list[str]:
        body = self._body()
        wanted = {*self.kept, *self.outputs}
        body.emit(self.forward, wanted)
        for k, v in enumerate(self.outputs):
            shape = self.low.value(v).shape
            if k:
                to = self.array(f"s{k - 1}", shape, "T + 1", later=True)
            elif v in self.outputs[1:]:
                continue
            else:
                to = self.array("y", shape, "T")
            if self.places.get(v) != to:
                body.copy(to, body._source(v))
        return body.lines

    def _backward_lines(self) -> list[str]:
        body = self._body()
        body.onto = self.onto
        results = set(self.gradients.values())
        body.emit(self.backward, results & set(self.backward))
        for role, v in self.gradients.items():
            shape = self.p.values[self.p.inputs[role]].shape
            if role[0] == "w":
                if v not in self.onto:
                    body.copy(self.weight_gradient(role), body._source(v), True)
                continue
            name, over = ("dx", "T") if role[0] == "x" else (f"d{role[1:]}", "T + 1")
            to = self.array(name, shape, over)
            if self.places.get(v) != to:
                body.copy(to, body._source(v))
        for k, v in enumerate(self.outputs[1:]):
            to = self.array(f"d{k}", self.low.value(v).shape, "T + 1")
            size = math.prod(to.shape)
            if f"s{k}" not in self.gradients:
                body.lines.append(f"d{k}.fill(0, {to.start}, {to.start} + {size});")
            else:
                body.lines.append(f"if (t === cut) d{k}.fill(0, {to.start}, {to.start} + {size});")
        return body.lines

    def text(self) -> str:
        """The object, as text."""
        first = self._body()
        first.emit(self.invariant, {v for v in self.invariant if self.low.value(v).op not in VIEWS})
        forward = self._forward_lines()
        backward = self._backward_lines() if self.gradients else []
        for k, v in enumerate(self.outputs):  # there with or without a use
            shape = self.low.value(v).shape
            self.array(f"d{k - 1}" if k else "dy", shape, "T + 1" if k else "T")
        kind = "Float32Array" if self.dtype == "f" else "Float64Array"
        state = (
            self.outputs[1:].index(self.outputs[0]) if self.outputs[0] in self.outputs[1:] else None
        )
        rooms = self._rooms(self._extent)
        size = math.prod(self.low.value(self.outputs[0]).shape)
        alias = [] if state is None else [f"m.y = m.s{state}.subarray({size});"]
        weights = sorted(self._weights() & {r for r, v in self.gradients.items()})
        fills = [f"g{r[1:]}.fill(0);" for r in weights]
        loop = ["for (let t = 0; t < T; t++) {", *self._step(forward), "}"]
        turn = ["for (let t = T - 1; t >= 0; t--) {", *self._step(backward), "}"]
        ledger = [f"const g{r[1:]} = ledger ? m.l{r[1:]} : m.g{r[1:]};" for r in weights]
        lines = [
            "{",
            f"  sizes: {self._sizes()},",
            f"  shown: {self._shown()},",
            f"  kind: {kind},",
            "  memory(T, F = this.kind) {",
            "    const m = {",
            *(f"      {room}" for room in rooms),
            "    };",
            *(f"    {line}" for line in alias),
            "    return m;",
            "  },",
            "  prepare(m) {  // what depends on the weights alone",
            *self._function(first.lines, []),
            "  },",
            "  forward(m, T) {",
            *self._function(loop, []),
            "  },",
            "  backward(m, T, cut = -1, ledger = false) {",
            *self._function([*fills, *turn], ledger),
            "  },",
            "}",
        ]
        return "\n".join(lines)

    def _extent(self, size: int, over: str) -> str:
        if over in ("", "ledger"):
            return str(size)
        return f"{over} * {size}" if over == "T" else f"({over}) * {size}"

    def _weights(self) -> set[str]:
        return {role for role in self.p.inputs if role[0] == "w"}

    def _step(self, lines: list[str]) -> list[str]:
        """Lines of one step, with where it begins in each array."""
        words = set(re.findall(r"\w+", " ".join(lines)))
        starts = []
        for name, (size, over) in sorted(self.arrays.items()):
            if f"{name}_t" in words:
                at = f"ledger ? t * {size} : 0" if over == "ledger" else f"t * {size}"
                starts.append(f"{name}_t = {at}")
            if f"{name}_n" in words:
                starts.append(f"{name}_n = (t + 1) * {size}")
        head = [f"const {', '.join(starts)};"] if starts else []
        return [f"  {line}" for line in (*head, *lines)]

    def _function(self, lines: list[str], given: list[str]) -> list[str]:
        """A function's lines, with the arrays that it uses."""
        words = set(re.findall(r"\w+", " ".join(lines)))
        done = {line.split()[1] for line in given}
        used = [name for name in sorted(self.arrays) if name in words and name not in done]
        used += [name for name in sorted(self._weights()) if name in words and name not in used]
        head = [f"const {{{', '.join(used)}}} = m;"] if used else []
        return [f"    {line}" for line in (*head, *given, *lines)]

    def _sizes(self) -> str:
        """The size of a step of each input, and of the output."""
        sizes = {role: math.prod(self.p.values[v].shape) for role, v in self.p.inputs.items()}
        sizes["y"] = math.prod(self.low.value(self.outputs[0]).shape)
        return "{" + ", ".join(f"{k}: {n}" for k, n in sizes.items()) + "}"

    def _shown(self) -> str:
        """Where values with a name are: the array, how far its step reaches, strides, shape."""
        body = self._body()
        found = {}
        for v, name in self.names.items():
            try:
                place = body.place(v)
            except KeyError:
                continue
            if place.base:
                size = self.arrays[place.array][0]
                later = place.base.endswith("_n")
                found[name] = (
                    f'["{place.array}", {size}, {place.at + size * later}, '
                    f"{list(place.shape)}, {list(place.strides)}]"
                )
        return "{" + ", ".join(f"{k}: {text}" for k, text in found.items()) + "}"


__all__ = ["StepText"]
