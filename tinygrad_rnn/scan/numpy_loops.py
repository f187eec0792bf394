"""What stands around the loops? A schedule as two functions on arrays, forward and backward.

The loops are written by ``numpy_text``, or by what takes the place of ``NumpyLoops.loop``.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import Any

import numpy as np

from ..engine.values import Array, Grad
from .batched import TIME, Lines
from .numpy_text import NumpyText
from .runtime import Flow
from .schedule import Schedule
from .tracing import Untraceable, failure

BATCH = "batch, before, last = rows.batch, rows.before, rows.last"  # of a ragged batch


class Unsupported(Exception):  # noqa: N818 (an answer, not a mistake)
    """What a back end cannot do, in words."""


class NumpyLoops:
    """A schedule as two functions, forward and backward: lines, a loop over time, lines.

    ``forward(T, *inputs)`` takes arrays in the order of the program's inputs: x and live over time, then
    states and weights. Its kept arrays go to ``backward(T, kept, dy, *dstates)`` as they are.
    """

    name = "numpy"
    aliases = True  # whether a value may lie in columns of another that nobody reads
    turns = True  # whether small values may lie with their features first
    skips = False  # whether backward may leave out what nobody asks for at its first step
    ragged = False  # whether batches get smaller from step to step: see ``ragged``

    def __init__(self, schedule: Schedule, why: str = "") -> None:
        self.schedule = schedule
        self.program = schedule.program
        self.ran = frozenset({(self.name, why)})  # for ``layer.explain()``: why not another
        self.loops: dict[bool, Any] = {}  # forward's and backward's, for whoever wants to look
        self._forward: Any = None
        self._backward: Any = None
        self._bare: Any = None
        if self.program.gradients:
            self._forward, self._backward = self._write()
        else:
            self._bare = self._write_bare()

    def forward(
        self, inputs: list[Array], steps: int, keep: bool
    ) -> tuple[Array, list[Array], Any]:
        """(outputs of all steps, last states, what backward needs or None) of ``steps`` steps."""
        if keep:
            return self._forward(steps, *inputs)  # type: ignore[no-any-return]
        if self._bare is None:
            self._bare = self._write_bare()
        return self._bare(steps, *inputs)  # type: ignore[no-any-return]

    def backward(
        self, kept: Any, steps: int, dy: Array, dstates: list[Grad], first: bool = True
    ) -> Flow:
        """The gradients of x, states and weights from those of the outputs and of the last states.

        None stands where none was asked for, or none arrives; without ``first`` those of the first states
        may not be made.
        """
        return self._backward(steps, kept, dy, *dstates)  # type: ignore[no-any-return]

    def tried(self, inputs: list[Array], steps: int, keep: bool) -> tuple[Array, list[Array], Any]:
        """As ``forward``. Raises Untraceable for what may not be wrong op by op: all but lack of memory."""
        try:
            return self.forward(inputs, steps, keep)
        except (MemoryError, Untraceable):
            raise
        except Exception as error:
            raise Untraceable(failure(self.name, error)) from error

    def memory(self, fresh: Any, empty: Any) -> tuple[Any, Any]:
        """Have arrays made by others than ``np.empty`` and ``memory.empty``; returns the old ones."""
        spaces = [
            f.__globals__ for f in (self._forward, self._backward, self._bare) if f is not None
        ]
        before = spaces[0]["fresh"], spaces[0]["empty"]
        for space in spaces:
            space.update(fresh=fresh, empty=empty)
        return before

    # ---- the text around the loops

    def _write(self) -> tuple[Any, Any]:
        """The two functions of training."""
        p = self.program
        lines, arguments = self._until_the_loop_is_over(True)
        back = Lines(
            self.schedule, lines.names, features_first=lines.features_first, ragged=self.ragged
        )
        back.names[p.inputs["dy"]] = "dy"
        back.solid |= {"dy", *lines.solid}
        stored = self.schedule.stored - set(self.schedule.parts)
        for v in sorted(stored):
            back.slab(v)
        back.place(self.schedule.parts)
        back.names.update({v: back.names[copy] for v, copy in self.schedule.copies.items()})
        self.loop(back, True, frozenset(self.schedule.stored if self.aliases else stored))
        gradients: dict[str, str] = {}
        for role, v in p.gradients.items():
            if role[0] == "s":
                shape = f".reshape({p.values[v].shape})" if not self.ragged else ""
                gradients[role] = f"c{role[1:]}{shape}"
            else:
                gradients[role] = back[v] if role[0] == "x" else back.total(v)
        each = (", ".join(gradients.get(r, "None") for r in p.inputs if r[0] == k) for k in "sw")
        back.line("return {}, [{}], [{}]".format(gradients.get("x", "None"), *each))
        self.over_time = [bool(p.depends[v]) for v in back.taken]  # of what backward is given
        kept = "".join(f"{name}, " for name in back.taken.values())
        if kept:
            back.lines.insert(0, f"{kept}= kept")
        if self.ragged:
            back.lines.insert(0, BATCH)
        lines.line(f"return {self._results(lines)}, ({kept})")
        seeds, more = [f"d{k}" for k in range(len(p.states))], ["rows"] * self.ragged
        return (
            lines.compiled("forward", [TIME, *arguments, *more]),
            back.compiled(
                "backward", [TIME, "kept", "dy", *seeds, *more, *["skip=-1"] * self.skips]
            ),
        )

    def _write_bare(self) -> Any:
        """Forward without derivatives."""
        lines, arguments = self._until_the_loop_is_over(False)
        lines.line(f"return {self._results(lines)}, None")
        return lines.compiled("forward", [TIME, *arguments, *["rows"] * self.ragged])

    def stream(self) -> tuple[Any, Any] | None:
        """(prepare, step): what depends on the weights alone, done once, and one step without gradients.

        ``prepare(*weights)`` gives what ``step(prepared, x, *states)`` takes, with arrays of one time step;
        it returns the output and the new states. None where a state is not one value of its own.
        """
        s, p = self.schedule, self.program
        if s.copied_states():
            return None
        first = self._of_weights()
        lines = Lines(s, dict(first.names), first)
        given = [p.inputs["x"], *s.state_in]
        lines.names.update({v: f"v{v}" for v in given})
        lines.solid |= {*(f"v{v}" for v in given), *first.names.values()}
        lines.line(f"{TIME} = 1")
        for v in s.hoisted:
            lines[v]
        for v in dict.fromkeys((p.y, *p.states)):
            if v not in lines.names:
                lines.slab(v)
        self.loop(lines, False, frozenset({p.y, *p.states}))
        lines.line(f"return {', '.join(lines[v] for v in (p.y, *p.states))}")
        return self._prepared(first, lines, [f"v{v}" for v in given], "step")

    def _of_weights(self) -> Lines:
        """The lines of what depends on the weights alone."""
        s, first = self.schedule, Lines(self.schedule)
        weights = [v for role, v in self.program.inputs.items() if role[0] == "w"]
        first.names.update({v: f"v{v}" for v in weights})
        for v in [*weights, *s.invariant]:
            first.names[v] = first.contiguous(v)
        return first

    def _prepared(
        self, first: Lines, lines: Lines, arguments: list[str], name: str
    ) -> tuple[Any, Any]:
        """What those lines give, all that others take of them, and what takes it first of its arguments."""
        taken = "".join(f"{each}, " for each in lines.taken.values())
        if taken:
            lines.lines.insert(0, f"{taken}= prepared")
        first.line(f"return ({taken})")
        weights = [f"v{v}" for role, v in self.program.inputs.items() if role[0] == "w"]
        return first.compiled("prepare", weights), lines.compiled(name, ["prepared", *arguments])

    def _results(self, lines: Lines) -> str:
        """The output and the last states, as text."""
        end = "last, 0" if self.ragged else "-1"
        last = [f"S{k}[{end}]" for k in self.schedule.state_in.values()]
        if lines.features_first:
            last = [f"whole({each})" for each in last]
        return f"{self.y}, [{', '.join(last)}]"

    def _until_the_loop_is_over(
        self, keep: bool, of_weights: Lines | None = None
    ) -> tuple[Lines, list[str]]:
        """Forward's lines with its loop; what it leaves for backward if ``keep``.

        Without the weights where there are lines ``of_weights``, whose values it takes.
        """
        s, p = self.schedule, self.program
        made = {} if of_weights is None else dict(of_weights.names)
        turned = self.turns and s.turns
        lines = Lines(s, made, of_weights, features_first=turned, ragged=self.ragged)
        lines.solid |= set(made.values())
        arguments = []
        for role, v in p.inputs.items():
            if role[0] != "d" and v not in made:
                lines.names[v] = f"v{v}"
                arguments.append(f"v{v}")
                if role[0] == "x":
                    lines.solid.add(f"v{v}")
        first, start, old, new = ("1", "0", "[:-1]", "[1:]")
        if self.ragged:  # the first states are the rows before those of all steps
            lines.line(BATCH)
            first, start, old, new = ("batch", ":batch, 0", "", "[batch:]")
        for v in s.hoisted:
            lines[v]
        for v, k in s.state_in.items():
            out = p.states[k]
            lines.line(f"S{k} = {lines.memory(out, f'{TIME} + {first}')}")
            lines.line(f"S{k}[{start}] = {lines[v]}")
            if out not in s.loop and out not in s.state_in:  # no loop writes it
                lines.line(f"S{k}{new} = {lines[out]}")
            lines.names[v] = lines.made(v, lines.once(f"old{k}", f"S{k}{old}"))
            if out not in lines.names:
                lines.names[out] = lines.made(out, lines.once(f"new{k}", f"S{k}{new}"))
                if out in s.loop:
                    lines.new_states[out] = v
        kept = s.residuals if keep else []
        places = s.aliased if keep and self.aliases else {}
        for w in {w for w, _ in places.values()}:
            if w not in lines.names:
                lines.slab(w)
        lines.place(places)
        for v in sorted({*kept, p.y}):
            if v not in lines.names and p.depends[v]:
                lines.slab(v)
        self.loop(lines, False, frozenset({*kept, p.y, *p.states}))
        if self.ragged and keep:  # beside the rows of the steps that start from them
            for k in s.state_in.values():
                lines.line(f"old{k} = S{k}.take(before, 0)")
        self.y = lines[p.y]
        if not p.depends[p.y]:  # the same at every step
            lines.line(f"y = {lines.memory(p.y, plain=True)}")
            lines.line(f"y[...] = {self.y}")
            self.y = "y"
            lines.solid.add("y")
        if self.y not in lines.solid:  # others get the output in the order of its axes
            base = self.y.replace("new", "S")
            lines.line(f"{base} = whole({base})")
            lines.solid.add(self.y)
            if base != self.y:
                old = base.replace("S", "old")
                lines.line(f"{old}, {self.y} = {base}[:-1], {base}[1:]")
                lines.solid.add(old)
        for v in s.hoisted:
            if v not in kept and v != p.y:
                lines.names.pop(v, None)
        return lines, arguments

    def loop(self, lines: Lines, backward: bool, stored: frozenset[int]) -> None:
        """Write the arguments of a loop, and its call."""
        lines.quiet = True
        text = NumpyText(self.schedule, backward, stored, lines)
        loop = text.compiled()
        self.loops[backward] = loop
        lines.space["loop"] = loop
        lines.line(f"loop({', '.join(text.arguments)})")


class QuickLoops(NumpyLoops):
    """The loops of a program in fewer ops, which are equal only where all numbers are finite.

    Where they are not (0 times a factor that overflowed is NaN), ``exact`` loops run instead.
    """

    exact: Callable[[], NumpyLoops]

    def forward(
        self, inputs: list[Array], steps: int, keep: bool
    ) -> tuple[Array, list[Array], Any]:
        """As ever; what is kept says by which loops, and of what."""
        y, finals, kept = super().forward(inputs, steps, keep)
        if _finite(y, *finals):
            return y, finals, (kept, inputs) if keep else None
        y, finals, kept = self.exact().forward(inputs, steps, keep)
        return y, finals, (kept, None) if keep else None

    def backward(
        self, kept: Any, steps: int, dy: Array, dstates: list[Grad], first: bool = True
    ) -> Flow:
        """As ever."""
        kept, inputs = kept
        if inputs is not None:
            dx, ds, dw = super().backward(kept, steps, dy, dstates, first)
            if _finite(dx, *ds, *dw):
                return dx, ds, dw
            kept = self.exact().forward(inputs, steps, True)[2]
        return self.exact().backward(kept, steps, dy, dstates, first)


def _finite(*arrays: Grad) -> bool:
    """Whether there are only finite numbers in some arrays: their sums are, or may be too large."""
    with np.errstate(all="ignore"):
        return all(a is None or isfinite(a.sum()) for a in arrays)
