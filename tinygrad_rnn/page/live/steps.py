"""How does a cell become a step in JavaScript? Traced as compiled loops are, or with gates to be held."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...nn.module import Module
from ...nn.stepping import parts
from ...ops.elementwise import where
from ...scan.cells import _Step, variant_of
from ...scan.program import Program
from ...scan.tracing import CellCopy, Trace, Tracer, Untraceable, leaf, trace, tracing
from ...tensors import Tensor
from .lowering import NoText
from .program_text import StepText


@dataclass(frozen=True, slots=True)
class LiveStep:
    """A cell's step as text; ``weights`` are the tensors behind w0, w1 ..., ``states`` its state's names."""

    text: str
    weights: list[Tensor]
    states: list[str]
    named: list[str]
    held: list[str]


def step_of(
    cell: Module,
    x: Any,
    state: Any,
    live: Any = None,
    constants: dict[str, Any] | None = None,
    hold: bool = False,
) -> LiveStep:
    """The step of a cell on inputs like ``x`` (time, batch, features), an array, and ``state``.

    With ``hold`` each gate (a value that the cell names and its class lists in ``gates``) can be held: where
    the array ``lm_f`` is not 0 at a step, gate f is the number in ``lv_f``, and no gradient goes through it.
    Raises NoText, in words, for a cell that cannot be traced or holds an op that has no text.
    """
    given = constants or {}
    try:
        variant = variant_of(cell, x, state, live, given)
        read: Trace = variant.found.trace
        held: list[str] = []
        if hold:
            read, held = _with_holds(cell, x, state, live, given, read)
        roles = [role for role in read.inputs if role[0] not in "xl"]
        with tracing(Tracer()) as tracer:
            program = Program(read, True, [*roles, "x"])
        if tracer.looked:
            raise NoText(f"its gradient: {tracer.looked}")
    except (Untraceable, NotImplementedError) as reason:
        raise NoText(str(reason)) from reason
    names = _names(read, program)
    written = StepText(program, names, x.dtype.char)
    return LiveStep(
        written.text(),
        variant.weights(given),
        [name for name, _ in parts(state, getattr(cell, "states", ()))],
        list(names.values()),
        held,
    )


class _Counting(Tracer):
    """Numbers the values that ops give, in their order; those with a number in ``holds`` are held."""

    def __init__(self, holds: dict[int, tuple[Tensor, Tensor]] | None = None) -> None:
        super().__init__()
        self.holds = holds or {}
        self.count = 0
        self.number: dict[int, int] = {}  # of each node
        self.nodes: list[Any] = []
        self.quiet = False

    def look(self, op: Any, result: Tensor, operands: tuple[Any, ...], constants: Any = ()) -> None:
        """An op was applied."""
        super().look(op, result, operands, constants)
        if self.quiet:
            return
        self.count += 1
        found = self.holds.get(self.count)
        if found is not None:
            self.quiet = True
            held = where(found[0], found[1], Tensor._wrap(result._data, result._node))
            self.quiet = False
            result._data, result._node = held._data, held._node
        self.number[id(result._node)] = self.count
        self.nodes.append(result._node)


def _with_holds(
    cell: Module, x: Any, state: Any, live: Any, constants: dict[str, Any], plain: Trace
) -> tuple[Trace, list[str]]:
    """A cell's trace with a switch at each of its gates, and the gates that have one."""
    gates = list(getattr(cell, "gates", {}))

    def traced(tracer: _Counting, more: dict[str, Any]) -> Trace:
        with tracing(tracer):
            step = _Step(CellCopy(cell), x, state, live, constants)
            found = trace(step, step.inputs() | more, tracer)
            return step.only_used(found)[1]

    counting = _Counting()
    first = traced(counting, {})
    places = {n.name: counting.number.get(id(n)) for n in first.nodes if n.name and n.name in gates}
    if first.signature != plain.signature:
        return plain, []
    holds: dict[int, tuple[Tensor, Tensor]] = {}
    more: dict[str, Any] = {}
    held: list[str] = []
    for name, at in places.items():
        if at is None:
            continue
        mask, value = leaf(np.zeros((), "?")), leaf(np.zeros((), x.dtype))
        holds[at] = mask, value
        more |= {f"lm_{name}": mask._node, f"lv_{name}": value._node}
        held.append(name)
    return traced(_Counting(holds), more), held


def _names(read: Trace, program: Program) -> dict[int, str]:
    """The values of a step that bear a name, by their numbers."""
    known = set(map(id, read.inputs.values()))
    found: dict[int, str] = {}
    for node in read.nodes:
        name = node.name
        if id(node) not in known and name and name.isidentifier() and name not in found.values():
            v = program._of.get(id(node))
            if v is not None and program.depends[v] and v not in found:
                found[v] = name
    return found


__all__ = ["LiveStep", "NoText", "step_of"]
