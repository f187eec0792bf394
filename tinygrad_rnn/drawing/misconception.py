"""The misconception beside the truth: a weight for each step, crossed out, and one weight for all steps.

Both halves are drawn from recorded graphs: what the left one runs out of and what the right one has for
any length is counted, not claimed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import style
from .shapes import Picture
from .style import Look
from .words import count_numbers, sub, title_of
from .written import write

if TYPE_CHECKING:
    from ..graphs.graph import CellCall, Graph

WRONG, CROSS = "#D9433B", "#D9433BB0"
PITCH, CELL, HALF, STATE = 69.0, (50.0, 58.0), 337.0, 26.0
C_AT, H_AT, X_AT, LABEL_AT, WEIGHT_AT, BAR_AT = 61.0, 33.0, -8.0, 87.0, -58.0, -48.0
OWN = (  # three weights that are not the same
    Look(style.ORANGE, "#FFF3E0", "#7A3300", 2.5),
    Look("#8A6BBA", "#F1ECF8", "#3F2A66", 2.5),
    Look("#2A8597", "#E3F3F5", "#0F434D", 2.5),
)
NONE = Look(style.PLAIN, "#FFFFFF", style.SECOND, 2.0)


def misconception(separate: Graph, shared: Graph) -> str:
    """DOT text of the picture.

    ``separate`` is the graph of three cells, one a step, each with weights of its own; ``shared`` that
    of one cell at four steps. Raises ValueError where they are something else.
    """
    own, one = separate.calls, shared.calls
    numbers = [_numbers(separate, call) for call in own]
    weights = [_weights(separate, call) for call in own]
    if len(own) != len(OWN) or len(set(numbers)) != 1 or weights[0] & weights[1] & weights[2]:
        raise ValueError("the left half is a graph of three cells, each with weights of its own")
    if len({_weights(shared, call) for call in one}) != 1 or len(one) != len(own) + 1:
        raise ValueError("the right half is a graph of four steps that share their weights")
    picture = Picture("One weight for all steps, not one for each", order="nodesfirst")
    title, count = title_of(own[0].cell), len(own)
    _half(picture, "m", 0.0, "Not this", "a weight for each step: which one at t = 4?", WRONG)
    for k in range(count + 1):
        known = k < count
        _cell(picture, "m", 25 + PITCH * k, k + 1, title)
        label = f"[w{k + 1}, c{k + 1}, h{k}]" if known else f"[w?, c{count}, h{count - 1}]"
        _label(picture, f"m.label{k + 1}", label, 25 + PITCH * k)
        look, name = (OWN[k], f"w{k + 1}") if known else (NONE, "w?")
        _own_weight(picture, 25 + PITCH * k, k + 1, look, name)
    lost = f"{count} x {numbers[0]:,} numbers, none left for t = {count + 1}"
    picture.text("m.count", lost, 110.5, -94, 11, WRONG, bold=True)
    for k, (a, b) in enumerate((((-44, 74), (265, -74)), ((-44, -74), (265, 74)))):
        ends = [picture.port(f"m.cross{k}.{end}", *at) for end, at in (("a", a), ("b", b))]
        picture.line(ends[0], ends[1], [a, b], color=CROSS, pen=5, cls="wrong")
    rule = Look("#C9CFD6", "#C9CFD6", style.PLAIN, 0)
    picture.box("divider", "", 280, 22, 1, 240, rule, "rule", square=True)
    said = "one weight, used again at every step; only c and h move on"
    _half(picture, "r", HALF, "This", said, style.PLAIN)
    for k in range(len(one)):
        _cell(picture, "r", HALF + 25 + PITCH * k, k + 1, title)
        _label(picture, f"r.label{k + 1}", f"[W, c{k}, h{k}]", HALF + 25 + PITCH * k)
    _slab(picture, len(one))
    total = sum(count_numbers(p.shape) for p in shared.parameters.values())
    picture.text("r.count", f"{total:,} numbers, any T", 447.5, -94, 11, style.ORANGE, bold=True)
    return write(picture)


def _weights(graph: Graph, call: CellCall) -> frozenset[str]:
    """The names of the Parameters that a call used."""
    inside = set(call.nodes)
    return frozenset(n for n in graph.parameters if any(u.node in inside for u in graph.uses(n)))


def _numbers(graph: Graph, call: CellCall) -> int:
    return sum(count_numbers(graph.parameters[name].shape) for name in _weights(graph, call))


def _half(picture: Picture, key: str, x: float, title: str, words: str, color: str) -> None:
    """The head of a half and the states that it starts from."""
    picture.text(f"{key}.title", title, x + 110.5, 134, 14, color, bold=True)
    picture.text(f"{key}.words", words, x + 110.5, 117, style.OP_SIZE, style.PLAIN)
    for state, y, look in (("c", C_AT, style.C), ("h", H_AT, style.H)):
        cls = f"state {state}"
        id, size = f"{key}.{state}0", style.STATE
        picture.box(id, sub(state, 0), x - 32, y, STATE, 24, look, cls, size=size, bold=True)


def _cell(picture: Picture, key: str, x: float, step: int, title: str) -> None:
    """One step: its box, its input, and the states that come in from the left."""
    cell, before = f"{key}.t{step}", f"{key}.t{step - 1}"
    picture.box(cell, f"{title}\nt = {step}", x, 47, *CELL, style.OP, "cell")
    pill = f"{key}.x{step}"
    picture.box(
        pill,
        sub("x", step),
        x - 13,
        X_AT,
        STATE,
        24,
        style.INPUT,
        "io",
        size=style.STATE,
        bold=True,
    )
    picture.line(pill, cell, [(x - 13, X_AT + 12), (x - 13, 18)], arrow=style.SMALL_ARROW)
    left = x - CELL[0] / 2
    start = left - (PITCH - CELL[0]) if step > 1 else left - 19
    for state, y, look in (("c", C_AT, style.C), ("h", H_AT, style.H)):
        picture.line(
            before if step > 1 else f"{key}.{state}0",
            cell,
            [(start, y), (left, y)],
            color=look.stroke,
            pen=style.RAIL_PEN,
            arrow=style.ARROW,
            cls=f"rail {state}",
        )


def _label(picture: Picture, id: str, words: str, x: float) -> None:
    picture.text(id, words, x, LABEL_AT, 9.5, style.PLAIN, bold=True)


def _own_weight(picture: Picture, x: float, step: int, look: Look, name: str) -> None:
    """A weight under one step and its line up."""
    none, id = look is NONE, f"m.w{step}"
    picture.box(
        id,
        name,
        x + 10,
        WEIGHT_AT,
        40,
        30,
        look,
        "own",
        size=style.NAME,
        bold=True,
        square=True,
        dashed=none,
    )
    picture.line(
        id,
        f"m.t{step}",
        [(x + 14, WEIGHT_AT + 15), (x + 14, 18)],
        color=look.stroke,
        pen=3 if none else style.TAP_PEN,
        arrow=style.ARROW,
        dashed=none,
    )


def _slab(picture: Picture, steps: int) -> None:
    """One weight: its bar and a tap for each step."""
    look = Look(style.ORANGE, style.PARAM.fill, style.PARAM.text, 2.5)
    picture.frame("W", (HALF, -76, HALF + 257, -40), look)
    bar = Look(style.ORANGE, style.ORANGE, style.ORANGE, 0)
    picture.box("r.bar", "", HALF + 128.5, BAR_AT, 243, 5, bar, "bar", square=True)
    words = f"W, the same object at t = {', '.join(str(k + 1) for k in range(steps))}, …"
    picture.text("r.W", words, HALF + 128.5, -63.5, 10.5, look.text, bold=True)
    for k in range(steps):
        x = HALF + 39 + PITCH * k
        picture.dot(f"r.tap{k + 1}", x, BAR_AT, style.ORANGE, 10)
        picture.line(
            f"r.tap{k + 1}",
            f"r.t{k + 1}",
            [(x, BAR_AT), (x, 18)],
            color=style.ORANGE,
            pen=style.TAP_PEN,
            arrow=style.ARROW,
            cls=f"use W t{k + 1}",
        )
