"""An output that is no state at op level: how it leaves its step."""

from __future__ import annotations

from .anchors import Anchor
from .lanes import Lane
from .op_joined import row_top
from .op_plan import RISE, Plan, step_id
from .slots import Slot
from .unroll import Lattice


def own_output(lattice: Lattice, lane: Lane, step: int) -> int | None:
    """The node of a step's output that is used outside and is none of its states."""
    inside = lane.calls[step].nodes
    found = [i for i in inside if i in lattice.made and lattice.made[i].role == "y"]
    return found[0] if len(found) == 1 else None


def draw_own_output(plan: Plan, lane: Lane, slot: Slot) -> None:
    """The line from the op that makes it to where it goes up, at the right of the step."""
    template = plan.templates[lane]
    if not template.output:
        return
    spot = template.spot(template.output)
    route = [plan.at(lane, slot, point) for point in template.routes[spot.role, ">y"]]
    end = plan.picture.port(f"{step_id(lane, slot)}.y", *route[-1])
    plan.picture.line(f"{step_id(lane, slot)}.{spot.role}", end, route, swing="h", cls="out")


def own_anchors(plan: Plan, lane: Lane) -> dict[tuple[Lane, int, str], Anchor]:
    """Where the outputs of a lane go up over its top, to what follows."""
    anchors: dict[tuple[Lane, int, str], Anchor] = {}
    template, rise = plan.templates[lane], row_top(plan, lane.row) + RISE
    for slot in plan.lattice.slots(lane):
        step = step_id(lane, slot)
        if slot.folded:
            x, y = plan.left(lane, slot) + 24, plan.frame(lane)[1]
            anchor = Anchor(plan.picture.port(f"{step}.y", x, y), x, y, rise=rise)
        else:
            x, y = plan.at(lane, slot, template.routes[template.output, ">y"][-1])
            anchor = Anchor(f"{step}.y", x, y, rise=rise)
        anchors.update({(lane, inside, "y"): anchor for inside in slot.steps})
    return anchors
