"""A state that goes on from one lane to another: an encoder's into its decoder, or over a cut."""

from __future__ import annotations

from . import style
from .lanes import Lane, Output
from .rails import HANDOVER, Rails, given
from .shapes import Point
from .words import class_name

CUT = 5.0


def draw_handover(plan: Rails, lane: Lane, state: str, pill: str, end: Point) -> None:
    """The rail to a lane's first pill from the last of another lane: the same value, or a cut.

    Where the state only follows on the step of a lane that ended before, it was cut: the value may go
    on, and no gradient comes back.
    """
    output = given(plan.lattice, lane, state)
    cut = None if output is not None else cut_from(plan, lane, state)
    source = output or cut
    if source is None:
        return
    step, x = plan.pill_after(source.lane, plan.slots_run(source.lane)[-1])
    start = (x + plan.sign(source.lane) * plan.pill / 2, plan.entry(source.lane, source.role))
    route = [start, end]
    if start[1] != end[1]:
        bend = start[0] + 8 + HANDOVER * _rank(plan, lane, state)
        route = [start, (bend, start[1]), (bend, end[1]), end]
    plan.picture.line(
        f"{source.lane.key}.{source.role}{step}",
        pill,
        route,
        color=plan.looks[state].stroke,
        pen=style.INPUT_PEN if cut else style.RAIL_PEN,
        radius=6,
        dashed=bool(cut),
        cls=f"{'cut' if cut else 'rail'} {class_name(state)}",
    )
    if cut:
        _draw_cut(plan, f"{lane.key}.cut.{class_name(state)}", ((start[0] + end[0]) / 2, end[1]))


def cut_from(plan: Rails, lane: Lane, state: str) -> Output | None:
    """The last state of the lane that ran the steps before, where this one starts from a constant."""
    start = lane.start.inputs.get(state)
    if start is None or plan.lattice.nodes[start].op != "input" or lane.backwards:
        return None
    for other in plan.lattice.lanes:
        alike = (other.path, other.label, other.row) == (lane.path, lane.label, lane.row)
        if alike and other.block == lane.block - 1 and state in other.states:
            last = plan.lattice.slots(other)[-1]
            if last.last == lane.steps[0] and not other.backwards:
                return Output(other, other.steps[-1], state)
    return None


def is_cut(plan: Rails) -> bool:
    """Whether a state is cut anywhere."""
    return any(
        cut_from(plan, lane, state) is not None
        for lane in plan.lattice.lanes
        for state in lane.states
    )


def _rank(plan: Rails, lane: Lane, state: str) -> int:
    """Which of the lines into a block this is: those from above bend first."""
    others = [
        (other, s)
        for other in reversed(list(plan.lattice.lanes))
        if other.block == lane.block
        for s in other.states
        if given(plan.lattice, other, s) is not None
    ]
    return others.index((lane, state))


def _draw_cut(plan: Rails, id: str, at: Point) -> None:
    """Two strokes across a line."""
    x, y = at
    for k, dx in enumerate((-2.5, 2.5)):
        ends = [(x + dx - 2, y - CUT), (x + dx + 2, y + CUT)]
        plan.picture.line(
            plan.picture.port(f"{id}{k}.a", *ends[0]),
            plan.picture.port(f"{id}{k}.b", *ends[1]),
            ends,
            color=style.PLAIN,
            pen=style.INPUT_PEN,
            cls="cut",
        )
