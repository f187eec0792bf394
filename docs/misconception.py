"""The misconception beside the truth: a weight for each step, crossed out, and one weight for all steps.

Both halves are drawn from recorded graphs: what the left one runs out of and what the right one has for
any length is counted, not claimed.
"""

from __future__ import annotations

from tinygrad_rnn.drawing.output import write
from tinygrad_rnn.drawing.scene import style
from tinygrad_rnn.drawing.scene.scene import Scene
from tinygrad_rnn.drawing.scene.style import Line, Look
from tinygrad_rnn.drawing.scene.text import sub
from tinygrad_rnn.graphs import CellCall, Graph
from tinygrad_rnn.graphs.recorded import count_numbers, title_of

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
    scene = Scene("One weight for all steps, not one for each", order="nodesfirst")
    title, count = title_of(own[0].cell), len(own)
    _half(scene, "m", 0.0, "Not this", "a weight for each step: which one at t = 4?", WRONG)
    for k in range(count + 1):
        known = k < count
        _cell(scene, "m", 25 + PITCH * k, k + 1, title)
        label = f"[w{k + 1}, c{k + 1}, h{k}]" if known else f"[w?, c{count}, h{count - 1}]"
        _label(scene, f"m.label{k + 1}", label, 25 + PITCH * k)
        look, name = (OWN[k], f"w{k + 1}") if known else (NONE, "w?")
        _own_weight(scene, 25 + PITCH * k, k + 1, look, name)
    lost = f"{count} x {numbers[0]:,} numbers, none left for t = {count + 1}"
    scene.text(None, "m.count", lost, 110.5, -94, 11, WRONG, bold=True)
    for k, (a, b) in enumerate((((-44, 74), (265, -74)), ((-44, -74), (265, 74)))):
        ends = [scene.port((None, f"m.cross{k}.{end}"), *at) for end, at in (("a", a), ("b", b))]
        scene.wire(*ends, [a, b], Line("wrong", CROSS, 5))
    rule = Look("#C9CFD6", "#C9CFD6", style.PLAIN, 0)
    scene.box(None, "", 280, 22, 1, 240, rule, "rule", part="divider", square=True)
    said = "one weight, used again at every step; only c and h move on"
    _half(scene, "r", HALF, "This", said, style.PLAIN)
    for k in range(len(one)):
        _cell(scene, "r", HALF + 25 + PITCH * k, k + 1, title)
        _label(scene, f"r.label{k + 1}", f"[W, c{k}, h{k}]", HALF + 25 + PITCH * k)
    _slab(scene, len(one))
    total = sum(count_numbers(p.shape) for p in shared.parameters.values())
    scene.text(
        None, "r.count", f"{total:,} numbers, any T", 447.5, -94, 11, style.ORANGE, bold=True
    )
    return write(scene)


def _weights(graph: Graph, call: CellCall) -> frozenset[str]:
    """The names of the Parameters that a call used."""
    inside = set(call.nodes)
    return frozenset(n for n in graph.parameters if any(u.node in inside for u in graph.uses(n)))


def _numbers(graph: Graph, call: CellCall) -> int:
    return sum(count_numbers(graph.parameters[name].shape) for name in _weights(graph, call))


def _half(scene: Scene, key: str, x: float, title: str, words: str, color: str) -> None:
    """The head of a half and the states that it starts from."""
    scene.text(None, f"{key}.title", title, x + 110.5, 134, 14, color, bold=True)
    scene.text(None, f"{key}.words", words, x + 110.5, 117, style.OP_SIZE, style.PLAIN)
    for state, y, look in (("c", C_AT, style.C), ("h", H_AT, style.H)):
        cls = f"state {state}"
        id, size = f"{key}.{state}0", style.STATE
        box = (sub(state, 0), x - 32, y, STATE, 24, look, cls)
        scene.box(None, *box, part=id, size=size, bold=True)


def _cell(scene: Scene, key: str, x: float, step: int, title: str) -> None:
    """One step: its box, its input, and the states that come in from the left."""
    cell, before = f"{key}.t{step}", f"{key}.t{step - 1}"
    scene.box(None, f"{title}\nt = {step}", x, 47, *CELL, style.OP, "cell", part=cell)
    pill = f"{key}.x{step}"
    scene.box(
        None,
        sub("x", step),
        x - 13,
        X_AT,
        STATE,
        24,
        style.INPUT,
        "io",
        part=pill,
        size=style.STATE,
        bold=True,
    )
    scene.wire((None, pill), (None, cell), [(x - 13, X_AT + 12), (x - 13, 18)], style.OTHER)
    left = x - CELL[0] / 2
    start = left - (PITCH - CELL[0]) if step > 1 else left - 19
    for state, y, look in (("c", C_AT, style.C), ("h", H_AT, style.H)):
        scene.wire(
            (None, before if step > 1 else f"{key}.{state}0"),
            (None, cell),
            [(start, y), (left, y)],
            Line(f"rail {state}", look.stroke, style.STATE_PEN, style.ARROW),
        )


def _label(scene: Scene, id: str, words: str, x: float) -> None:
    scene.text(None, id, words, x, LABEL_AT, 9.5, style.PLAIN, bold=True)


def _own_weight(scene: Scene, x: float, step: int, look: Look, name: str) -> None:
    """A weight under one step and its line up."""
    none, id = look is NONE, f"m.w{step}"
    scene.box(
        None,
        name,
        x + 10,
        WEIGHT_AT,
        40,
        30,
        look,
        "own",
        part=id,
        size=style.NAME,
        bold=True,
        square=True,
        dashed=none,
    )
    scene.wire(
        (None, id),
        (None, f"m.t{step}"),
        [(x + 14, WEIGHT_AT + 15), (x + 14, 18)],
        Line("", look.stroke, 3 if none else style.TAP_PEN, style.ARROW),
        dashed=none,
    )


def _slab(scene: Scene, steps: int) -> None:
    """One weight: its bar and a tap for each step."""
    look = Look(style.ORANGE, style.PARAM.fill, style.PARAM.text, 2.5)
    scene.frame(None, (HALF, -76, HALF + 257, -40), look, part="W")
    bar = Look(style.ORANGE, style.ORANGE, style.ORANGE, 0)
    scene.box(None, "", HALF + 128.5, BAR_AT, 243, 5, bar, "bar", part="r.bar", square=True)
    words = f"W, the same object at t = {', '.join(str(k + 1) for k in range(steps))}, …"
    scene.text(None, "r.W", words, HALF + 128.5, -63.5, 10.5, look.text, bold=True)
    for k in range(steps):
        x = HALF + 39 + PITCH * k
        scene.dot((None, f"r.tap{k + 1}"), x, BAR_AT, style.ORANGE, 10)
        scene.wire(
            (None, f"r.tap{k + 1}"),
            (None, f"r.t{k + 1}"),
            [(x, BAR_AT), (x, 18)],
            Line(f"use W t{k + 1}", style.ORANGE, style.TAP_PEN, style.ARROW),
        )
