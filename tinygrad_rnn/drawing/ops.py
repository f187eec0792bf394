"""The picture at op level: every op of every step, Parameters as buses with a dot for each use."""

from __future__ import annotations

from itertools import pairwise

from . import style
from .anchors import fed_states
from .faces import fold_count, fold_heading
from .handover import is_cut
from .lanes import Lane, NoLatticeError
from .legend import Item, draw_legend
from .notes import GRADIENT
from .op_joined import draw_joined
from .op_plan import (
    FOLD_TAP,
    Bus,
    Plan,
    entry_height,
    make_plan,
    operand_params,
    step_id,
)
from .op_states import (
    bus_ends,
    draw_inputs,
    draw_rail_through,
    draw_states_in,
    draw_states_out,
    output_anchors,
)
from .outside import draw_after, draw_before
from .own_output import draw_own_output, own_output
from .params import bus_class, draw_param, param_width, tap_class
from .shapes import Picture, Point
from .slots import Slot
from .step_graph import Step, first_step, read_step
from .step_layout import lay_out
from .templates import Spot, Template, match, mirrored, tap_offsets
from .unroll import Lattice
from .words import OPERATORS, SYMBOLS, op_words, plural, text_width


def draw_ops(lattice: Lattice) -> Picture:
    """Lay out every step by its cell's template. Raises NoLatticeError where a cell has none."""
    templates, roles = _templates(lattice)
    plan = make_plan(lattice, templates, roles)
    for lane in lattice.lanes:
        for slot in lattice.slots(lane):
            if slot.folded:
                _draw_fold(plan, lane, slot)
            else:
                _draw_step(plan, lane, slot, roles[lane, slot])
            draw_states_out(plan, lane, slot)
        draw_states_in(plan, lane)
    _draw_buses(plan)
    for lane in lattice.lanes:
        draw_joined(plan, lane)
    fed = [anchor for lane in lattice.lanes for anchor in draw_inputs(plan, lane)]
    feed = min((anchor.y for anchor in fed), default=0.0)
    feed = min(feed, *(plan.frame(lane)[0] for lane in lattice.rows[0].lanes)) - 8
    draw_before(plan.picture, lattice, fed, fed_states(lattice, plan.picture), feed)
    draw_after(plan.picture, lattice, output_anchors(plan), bus_ends(plan), collapse=False)
    _draw_legend(plan)
    return plan.picture


def _templates(
    lattice: Lattice,
) -> tuple[dict[Lane, Template], dict[tuple[Lane, Slot], dict[str, int]]]:
    """The template of each lane, and for each step drawn the node of each of its roles.

    Raises NoLatticeError where the steps of a lane differ from one another.
    """
    templates: dict[Lane, Template] = {}
    roles: dict[tuple[Lane, Slot], dict[str, int]] = {}
    states = tuple(dict.fromkeys(s for lane in lattice.lanes for s in lane.states))
    for lane in lattice.lanes:
        later: Step | None = None
        for slot in sorted(lattice.slots(lane), key=lambda s: s.steps[0] == lane.runs[0]):
            if slot.folded:
                continue
            call = lane.calls[slot.steps[0]]
            if later is not None and (first := first_step(lattice.nodes, call, later)) is not None:
                roles[lane, slot] = first
                continue
            matched = None if lattice.notes else match(lattice.nodes, call)
            if matched is None:
                out = own_output(lattice, lane, slot.steps[0])
                later, found = read_step(lattice.nodes, call, lane.states, out)
                gates = tuple(lane.gates.items())
                matched = lay_out(later, gates, states, lattice.notes.width), found
            if templates.setdefault(lane, matched[0]) is not matched[0]:
                raise NoLatticeError
            roles[lane, slot] = matched[1]
        if lane not in templates:
            raise NoLatticeError
    return {k: mirrored(t) if k.backwards else t for k, t in templates.items()}, roles


def _draw_step(plan: Plan, lane: Lane, slot: Slot, roles: dict[str, int]) -> None:
    """One step: its frame, its ops, the edges between them as recorded, and its taps."""
    picture, template, step = plan.picture, plan.templates[lane], step_id(lane, slot)
    left, right = plan.left(lane, slot), plan.left(lane, slot) + plan.width(lane, slot)
    bottom, top = plan.frame(lane)
    picture.frame(step, (left, bottom, right, top), style.OP, filled=False, tooltip=lane.path)
    x, y = plan.at(lane, slot, template.heading)
    ended = slot.steps[0] in lane.ended
    picture.text(f"{step}.heading", f"t = {slot.first}", x, y, style.TITLE, style.PLAIN, left=True)
    if ended:
        words = "beyond every length"
        picture.text(f"{step}.ended", words, (left + right) / 2, top + 10, style.NOTE, style.PLAIN)
    for spot in template.spots:
        _draw_op(plan, lane, slot, spot, roles.get(spot.role))
    for k, (text, *at) in enumerate(template.texts):
        x, y = plan.at(lane, slot, (at[0], at[1]))
        picture.text(f"{step}.text{k}", text, x, y, style.SMALL, style.PLAIN)
    for k, (role, point) in enumerate(template.dots):
        color, size = _role_color(plan, template, role), 5.0 if template.curved else style.JUNCTION
        picture.dot(f"{step}.dot{k}", *plan.at(lane, slot, point), color, size)
    draw_own_output(plan, lane, slot)
    for spot in template.spots:
        for tail in dict.fromkeys(spot.takes):
            if not tail.endswith("'") and tail != "x" and tail not in template.inputs:
                _draw_edge(plan, lane, slot, tail, spot.role)
        params = operand_params(plan.lattice, lane, roles, spot)
        _draw_taps(plan, lane, slot, spot, roles.get(spot.role), params)


def _draw_op(plan: Plan, lane: Lane, slot: Slot, spot: Spot, node: int | None) -> None:
    """The box of an op; a gate has its word over its equation."""
    picture = plan.picture
    x, y = plan.at(lane, slot, (spot.x, spot.y))
    id = f"{step_id(lane, slot)}.{spot.role}"
    if node is None:
        note = "constant in this step: nothing was recorded"
        size = (spot.width, spot.height)
        picture.box(id, spot.label, x, y, *size, spot.look, "op", dashed=True, tooltip=note)
        return
    picture.stands[id] = node
    label = "" if spot.gate else spot.label or _words(plan, node)
    cls = "gate" if spot.gate else "op"
    notes = plan.lattice.notes
    if notes and not spot.gate:
        label = _spelled(plan, node) or label
        size = (spot.width, spot.height)
        plan.noted(id, label, node, x, y, *size, spot.look, cls, bold=node in notes.nodes)
        return
    picture.box(id, label, x, y, spot.width, spot.height, spot.look, cls)
    if spot.gate and notes:
        y += 7
        notes.draw(picture, id, node, x, y - 21)
    if spot.gate:
        made = plan.lattice.nodes[node]
        word = lane.gates.get(made.name, spot.role)
        equation = spot.label or f"{spot.role} = {SYMBOLS.get(made.op, made.op)}(z_{spot.role})"
        picture.text(f"{id}.word", word, x, y + 6, style.OP_SIZE, style.INK, bold=True)
        picture.text(f"{id}.rule", equation, x, y - 8, style.SMALL, style.SECOND)


def _words(plan: Plan, node: int) -> str:
    """An op's symbol, with the number that it takes before or after it."""
    nodes = plan.lattice.nodes
    numbers = [nodes[k].name if nodes[k].op == "literal" else "" for k in nodes[node].inputs]
    return op_words(nodes[node].op, *(numbers if len(numbers) == 2 else ()))


def _spelled(plan: Plan, node: int) -> str:
    """An op with the names of what it takes, where one of them is a Parameter: ``w * h``."""
    nodes, lattice = plan.lattice.nodes, plan.lattice
    here = nodes[node]
    if len(here.inputs) != 2 or SYMBOLS.get(here.op) not in OPERATORS:
        return ""
    names = []
    for i in here.inputs:
        short = nodes[i].op == "parameter"
        named = lattice.short(i) if short else nodes[i].name if _comes_in(plan, i, node) else ""
        names.append(named)
    if not any(nodes[i].op == "parameter" for i in here.inputs):
        return ""
    return op_words(here.op, *names)


def _comes_in(plan: Plan, i: int, node: int) -> bool:
    """Whether a value comes into the step that takes it, from outside or from the step before."""
    nodes = plan.lattice.nodes
    return i in plan.lattice.made or nodes[i].call != nodes[node].call or nodes[i].op == "literal"


def _draw_edge(plan: Plan, lane: Lane, slot: Slot, tail: str, head: str) -> None:
    """An edge inside a step, along the template's route, else straight."""
    template, step = plan.templates[lane], step_id(lane, slot)
    swing = template.swings.get((tail, head))
    a, b = template.spot(tail), template.spot(head)
    if swing is not None:
        route: tuple[Point, ...] = (
            (a.x + swing, a.y + a.height / 2),
            (b.x, b.y - b.height / 2),
        )
    else:
        route = template.routes.get((tail, head)) or _straight(a, b)
    rail = a.look.pen > 1 and b.look.pen > 1 and a.y == b.y
    inner = tail in template.states.values() and not rail
    plan.picture.line(
        f"{step}.{tail}",
        f"{step}.{head}",
        [plan.at(lane, slot, point) for point in route],
        color=a.look.stroke if rail or inner else style.PLAIN,
        pen=style.RAIL_PEN if rail else style.INPUT_PEN if inner else style.PLAIN_PEN,
        arrow=style.ARROW if rail else style.SMALL_ARROW,
        swing="v" if swing is not None else "h" if template.curved else "",
        radius=14,
    )


def _role_color(plan: Plan, template: Template, role: str) -> str:
    """The colour of the lines that leave a role."""
    if role.endswith("'"):
        return plan.looks[role.removesuffix("'")].stroke
    return template.spot(role).look.stroke if role in template.states.values() else style.PLAIN


def _straight(a: Spot, b: Spot) -> tuple[Point, Point]:
    if a.y == b.y:
        sign = 1 if b.x > a.x else -1
        return (a.x + sign * a.width / 2, a.y), (b.x - sign * b.width / 2, b.y)
    up = 1 if b.y > a.y else -1
    return (b.x, a.y + up * a.height / 2), (b.x, b.y - up * b.height / 2)


def _draw_taps(
    plan: Plan, lane: Lane, slot: Slot, spot: Spot, node: int | None, params: list[int]
) -> None:
    """One tap for each Parameter of an op, from the dot on its bus."""
    buses = {bus.parameter: bus for bus in plan.buses[lane.row]}
    inputs = plan.lattice.nodes[node].inputs if node is not None else ()
    offsets = tap_offsets(len(params))
    for k, (parameter, offset) in enumerate(zip(params, offsets, strict=True)):
        bus = buses[parameter]
        x, y = plan.at(lane, slot, (spot.x + offset, spot.y))
        end = y + spot.height / 2 * (1 if bus.side == "above" else -1)
        cls = tap_class(plan.lattice, parameter, f"t{slot.first}")
        dot = f"{step_id(lane, slot)}.tap.{spot.role}{k}"
        _draw_tap(plan, lane, bus, dot, f"{step_id(lane, slot)}.{spot.role}", (x, end), cls)
        alone = node is not None and parameter in inputs
        at = (node or 0, inputs.index(parameter)) if alone else None
        said = None if at is None else plan.lattice.notes.uses.get(at)
        if said is not None:
            wide = text_width(said, style.NOTE, True)
            aside = x + 6 if k == len(params) - 1 else x - 6 - wide
            rise, size = (9 if bus.side == "above" else -10), style.NOTE
            picture = plan.picture
            picture.text(
                f"{dot}.adds", said, aside, bus.y + rise, size, GRADIENT, bold=True, left=True
            )


def _draw_tap(plan: Plan, lane: Lane, bus: Bus, dot: str, head: str, end: Point, cls: str) -> None:
    plan.picture.dot(dot, end[0], bus.y, style.ORANGE)
    plan.taps.setdefault((lane.row, bus.parameter), []).append(end[0])
    plan.picture.line(
        dot,
        head,
        [(end[0], bus.y), end],
        color=style.ORANGE,
        pen=style.BUS_PEN,
        arrow=style.ARROW,
        cls=cls,
        dashed=" fold " in cls,
    )


def _draw_fold(plan: Plan, lane: Lane, slot: Slot) -> None:
    """Several steps as one dashed frame, with a dashed tap from every bus."""
    picture, step = plan.picture, step_id(lane, slot)
    left, width = plan.left(lane, slot), plan.width(lane, slot)
    bottom, top = plan.frame(lane)
    middle, y = left + width / 2, _quiet_height(plan, lane)
    picture.frame(step, (left, bottom, left + width, top), style.OP, filled=False, dashed=True)
    heading = fold_heading(slot)
    picture.text(f"{step}.heading", heading, middle, top - 12, style.TITLE, style.PLAIN)
    count = fold_count(slot)
    picture.text(f"{step}.count", count, middle, y + 8, style.NAME, style.PLAIN, bold=True)
    picture.text(f"{step}.same", "same weights", middle, y - 8, style.NOTE, style.PLAIN)
    right = left + width
    for state in lane.states:
        draw_rail_through(plan, lane, slot, state)
    counts = {bus: lane.count(bus.parameter, slot) for bus in plan.buses[lane.row]}
    for side, edge in (("below", bottom), ("above", top)):
        used = [bus for bus, n in counts.items() if bus.side == side and n]
        for k, bus in enumerate(used):
            x = right - 10 - FOLD_TAP * (len(used) - 1 - k)
            when = f"fold t{slot.first}-t{slot.last} n{counts[bus]}"
            cls = tap_class(plan.lattice, bus.parameter, when)
            name = plan.lattice.names[bus.parameter]
            port = picture.port(f"{step}.port.{name}", x, edge)
            _draw_tap(plan, lane, bus, f"{step}.tap.{name}", port, (x, edge), cls)
        if used:
            least, most = min(counts[b] for b in used), max(counts[b] for b in used)
            words = plural(most, "use") if least == most else f"{least} to {most} uses"
            x = right - 6 - text_width(words, 9.5, True) / 2
            y = edge + (10 if side == "below" else -27)
            picture.text(f"{step}.uses.{side}", words, x, y, 9.5, style.ORANGE, bold=True)


def _quiet_height(plan: Plan, lane: Lane) -> float:
    """The middle of the widest gap between a folded frame's edges and the rails that cross it."""
    ys = sorted([*plan.frame(lane), *(entry_height(plan, lane, s) for s in lane.states)])
    gaps = [(b - a, (a + b) / 2) for a, b in pairwise(ys)]
    return max(gaps)[1]


def _params_end(plan: Plan, first: float) -> float:
    """The right side of the Parameters: in a stack, left of the lines that go up to the first x."""
    beside = first - (plan.gap + plan.pill) / 2 - 7
    near = min(template.params for template in plan.templates.values()) + first
    inputs = min(template.input[0] - template.frame[0] for template in plan.templates.values())
    return min(near, beside) if len(plan.bases) > 1 and inputs < 0 else near


def _draw_buses(plan: Plan) -> None:
    """Each Parameter once, at the left, and its line to the last dot."""
    lattice, picture = plan.lattice, plan.picture
    first = min(left for left, _ in plan.shifts.values())
    for i, buses in enumerate(plan.buses):
        for bus in buses:
            taps = sorted(plan.taps.get((i, bus.parameter), ()))
            right = _params_end(plan, first)
            x = right - param_width(lattice, bus.parameter) / 2
            box = draw_param(picture, lattice, bus.parameter, x, bus.y)
            if taps:
                end = picture.port(f"{box}.end", taps[-1], bus.y)
                picture.line(
                    box,
                    end,
                    [(right, bus.y), (taps[-1], bus.y)],
                    color=style.ORANGE,
                    pen=style.BUS_PEN,
                    cls=bus_class(lattice, bus.parameter),
                )


def _draw_legend(plan: Plan) -> None:
    items: list[Item] = []
    if any(plan.buses):
        items += [
            Item("a dot connects,", "bus"),
            Item("a crossing without one does not", "cross"),
            Item("the same Parameter", "line"),
        ]
    items += [Item(state, "line", look.stroke) for state, look in plan.looks.items()]
    if any(slot.folded for slot in (s for block in plan.lattice.blocks for s in block)):
        items.append(Item("dashed: steps not drawn one by one", "dashed"))
    if is_cut(plan):
        items.append(Item("// cut: the state goes on, no gradient comes back", "text"))
    boxes = plan.picture.nodes
    if any("constant in this step" in str(box.attrs.get("tooltip", "")) for box in boxes):
        items.append(Item("dashed op: constant in this step, not recorded", "dashed"))
    star = any(spot.ops == "mul" for t in plan.templates.values() for spot in t.spots)
    items.append(Item("other values" + ";  * elementwise" * star, "thin"))
    items += [Item(words, "text", GRADIENT) for words in plan.lattice.notes.legend]
    left = min(left for left, _ in plan.shifts.values())
    draw_legend(plan.picture, items, left + 7)
