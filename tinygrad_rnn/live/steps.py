"""From a cell to its step in JavaScript: traced as the compiled loops are, or with gates that can be held."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..nn.module import Module
from ..nn.recurrent import parts
from ..scan.cells import variant_of
from ..scan.program import Program
from ..scan.tracing import Trace, Untraceable, tracing
from ..tensors import Tensor
from .lowering import NoText
from .program_text import StepText


@dataclass(frozen=True, slots=True)
class Step:
    """A cell's step as text; ``weights`` are the tensors behind w0, w1 ..., ``states`` its state's names."""

    text: str
    weights: list[Tensor]
    states: list[str]
    named: list[str]


def step_of(
    cell: Module, x: Any, state: Any, live: Any = None, constants: dict[str, Any] | None = None
) -> Step:
    """The step of a cell on inputs like ``x`` (time, batch, features), an array, and ``state``.

    Raises NoText, in words, for a cell that cannot be traced or holds an op that has no text.
    """
    given = constants or {}
    try:
        variant = variant_of(cell, x, state, live, given)
        trace: Trace = variant.found.trace
        roles = [role for role in trace.inputs if role not in ("x", "live")]
        with tracing() as tracer:
            program = Program(trace, True, [*roles, "x"])
        if tracer.looked:
            raise NoText(f"its gradient: {tracer.looked}")
    except (Untraceable, NotImplementedError) as reason:
        raise NoText(str(reason)) from reason
    names = _names(trace, program)
    written = StepText(program, names, x.dtype.char)
    return Step(
        written.text(),
        variant.weights(given),
        [name for name, _ in parts(state, getattr(cell, "states", ()))],
        list(names.values()),
    )


def _names(trace: Trace, program: Program) -> dict[int, str]:
    """The values of a step that bear a name, by their numbers."""
    known = set(map(id, trace.inputs.values()))
    found: dict[int, str] = {}
    for node in trace.nodes:
        name = node.name
        if id(node) not in known and name and name.isidentifier() and name not in found.values():
            v = program._of.get(id(node))
            if v is not None and program.depends[v] and v not in found:
                found[v] = name
    return found


__all__ = ["NoText", "Step", "step_of"]
