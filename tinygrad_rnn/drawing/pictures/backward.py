"""How is a backward pass drawn? Every arrow reversed, as wide as what crosses: cells, rows, layers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from ...graphs.block_gradients import BlockGradients
from ...graphs.blocks import Block, Blocks
from ...graphs.chains import Chain
from ...graphs.collapse import OuterBoxes
from ...graphs.contributions import MEASURES, Contributions
from ...graphs.edge_gradients import EdgeGradients
from ...graphs.ledger import Ledger
from ...graphs.meaning import CellAt, Input, State, Uses
from ...graphs.recorded import RecordedGraph
from ...graphs.unrolled import UnrolledGraph
from ..layout.grid import PILL_HEIGHT, AnyGrid
from ..layout.router import settle
from ..layout.weight_gradients import draw_gradient_panels
from ..layout.weights import Tap
from ..layout.wires import row_key
from ..scene import style
from ..scene.scene import Box, Key, Point, Scene, Wire
from ..scene.style import Line
from ..scene.text import number, plural, state_at, text_width
from .blocks import BlocksPicture, lay_blocks
from .cells import CellGrid, cell_grid, lay_cells
from .layers import LayersPicture, lay_layers

TALL, STATE_ROOM = 28.0, 48.0  # a pill of two lines; between states
ARROW, STATE_PEN = 0.5, 6.0  # arrow heads; how much wider than others the widest wire of a value is
NAME_RISE, NUMBER_DROP, BESIDE_PILL = 5.5, 7.5, 8.5
CAPTION, CAPTION_LINE = 9.5, 14.0
ANOTHER_GRAPH = (
    "backward=: this ledger is of another graph: it must come from the backward pass of what is "
    "drawn, as in ledger = loss.backward(ledger=True); tg.draw(loss, path, backward=ledger)"
)
SAME = ("riser", "riser feeder", "legend", "zero")  # wires that carry no gradient


def draw_backward(unrolled: UnrolledGraph, ledger: Ledger, measure: str = "projection") -> CellGrid:
    """Lay out the cells and what the pass of ``ledger`` sent through them.

    ``measure`` is ``"projection"`` or ``"norm"``. Raises ValueError for another one, and for a ledger of
    another graph.
    """
    _check(measure)
    parts = Contributions(unrolled, ledger)
    if not parts.known:
        raise ValueError(ANOTHER_GRAPH)

    def panels(grid: AnyGrid, taps: list[list[Tap]], bars: list[float]) -> None:
        draw_gradient_panels(grid, parts, measure, taps, bars)

    _uncollect(unrolled)
    several = any(len(chain.states) > 1 for chain in unrolled.chains)
    grid = cell_grid(unrolled, STATE_ROOM) if several else cell_grid(unrolled)
    lay_cells(grid, panels)
    gradients = EdgeGradients(unrolled, parts, ledger)
    titles = ", ".join(dict.fromkeys(chain.title for chain in unrolled.chains if chain.states))
    steps = sum(column.count for segment in unrolled.segments for column in segment)
    grid.scene.title = f"Backward through {plural(steps, f'{titles} step')}"
    _write_loss(grid.scene, unrolled, ledger, gradients)
    settle(grid.scene, (ARROW, STATE_PEN))
    _reverse(grid.scene, gradients)
    _write_pills(grid, gradients)
    _write_inputs(grid.scene, gradients)
    _write_outside(grid, parts)
    _write_captions(grid.scene, [*_sentences(unrolled, gradients)])
    return grid


def _check(measure: str) -> None:
    if measure not in MEASURES:
        raise ValueError(f"backward_measure={measure!r}: expected 'projection' or 'norm'")


def _uncollect(unrolled: UnrolledGraph) -> None:
    """Where only the last output goes on, it leaves from its state's pill, and no y is drawn."""
    boxes = OuterBoxes(unrolled, unrolled.after, True).all
    for chain in unrolled.chains:
        mine = [o for box in boxes for o in box.outputs if o.chain is chain]
        states = {o.role for o in mine} <= {*chain.states}
        if {o.step for o in mine} == {chain.runs[-1]} and chain.partner is None and states:
            chain.collected = False


# ---- arrows ------------------------------------------------------------------------------------


def _reverse(scene: Scene, gradients: EdgeGradients) -> None:
    """Draw every wire the other way round, as wide and as dark as what crosses it."""
    wires, scene.wires = scene.wires, []
    boxes = scene.boxes
    amounts = _amounts(boxes, wires, gradients)
    most = {
        tap: max((a for w, a in zip(wires, amounts, strict=True) if _is_use(w) == tap), default=0.0)
        for tap in (True, False)
    }
    for wire, amount in zip(wires, amounts, strict=True):
        if wire.kind in SAME:
            scene.wires.append(wire)
            continue
        tail, head, use = boxes.get(wire.tail), boxes.get(wire.head), _is_use(wire)
        share = amount / most[use] if most[use] else 0.0
        route = [_at_pill(head, wire.route[-1])]
        route += [*wire.route[-2:0:-1], _at_pill(tail, wire.route[0])]
        joint = tail is not None and tail.kind == "dot"
        if (
            use and joint and isinstance(wire.tail[0], Uses)
        ):  # the arrow ends on top of the bar's dot
            route[-1] = (route[-1][0], route[-1][1] + style.TAP_DOT / 2)
        pen = 1 + 8 * share if use else 0.8 + STATE_PEN * share
        crossing = bool(amount) and math.isfinite(amount)
        head_size = 0.0 if joint and not use else ARROW
        _turn(scene, wire, route, amount, share, pen if crossing else 0.0, head_size)


def _turn(
    scene: Scene,
    wire: Wire,
    route: Sequence[Point],
    size: float,
    share: float,
    pen: float,
    arrow: float,
) -> None:
    """Draw a wire from its end to its beginning; where nothing crosses it, the pen is 0."""
    color, words = style.QUIET, "nothing crosses"
    if pen:
        color, words = style.RAMP[min(int(share * 5), 4)], f"{size:.6g}"
    radius, swing = wire.bend
    line = Line(wire.kind, color, pen or 1.0, arrow if pen else 0.0, radius)
    scene.wire(
        wire.head,
        wire.tail,
        route,
        line,
        of=wire.of,
        dashed=wire.attrs.get("style") == "dashed",
        swing=swing,
        tooltip=words,
        gradient=True,
    )


def _amounts(boxes: dict[Key, Box], wires: list[Wire], gradients: EdgeGradients) -> list[float]:
    """What crosses each wire; along dots, where slices of one value part or meet, all of them together."""
    known: dict[int, float] = {}
    for k, wire in enumerate(wires):
        tail, head = wire.tail[0], wire.head[0]
        if tail is not None and head is not None and (tail, head) in gradients.lines:
            known[k] = gradients.lines[tail, head]
    leaving, coming = _ends([w.tail for w in wires]), _ends([w.head for w in wires])
    for order, towards in ((range(len(wires) - 1, -1, -1), True), (range(len(wires)), False)):
        for k in order:
            end = wires[k].head if towards else wires[k].tail
            if k in known or end not in boxes or boxes[end].kind != "dot":
                continue
            others = leaving.get(end, []) if towards else coming.get(end, [])
            if others and all(n in known for n in others):
                known[k] = math.hypot(*(known[n] for n in others))
    return [known.get(k, 0.0) for k in range(len(wires))]


def _ends(keys: Iterable[Key]) -> dict[Key, list[int]]:
    found: dict[Key, list[int]] = {}
    for k, key in enumerate(keys):
        found.setdefault(key, []).append(k)
    return found


def _is_use(wire: Wire) -> bool:
    return isinstance(wire.of, Uses)


def _at_pill(box: Box | None, point: Point) -> Point:
    """Where a wire ends at the top or the bottom of a pill: that of the taller one."""
    if box is None or box.kind != "state" or abs(abs(point[1] - box.y) - PILL_HEIGHT / 2) > 0.01:
        return point
    return point[0], box.y + math.copysign(TALL / 2, point[1] - box.y)


# ---- numbers -----------------------------------------------------------------------------------


def _write_pills(grid: CellGrid, gradients: EdgeGradients) -> None:
    """In a pill its name over the norm of all that comes to it; beside it what came along the wire."""
    scene, bold = grid.scene, style.GRADIENT.stroke
    for state, last in list(_all_states(grid.unrolled)):
        box, look = scene.boxes[state, ""], grid.looks[state.name]
        size, at = gradients.states.get(state), box.y - NUMBER_DROP
        words = "nothing comes" if size is None else f"norm of the gradient: {size:.6g}"
        attrs = {**box.attrs, "fontsize": style.STATE, "tooltip": words}
        scene.boxes[box.key] = replace(box, label="", height=TALL, attrs=attrs)
        y = box.y + (NAME_RISE if size is not None else 0.0)
        scene.text(state, "name", box.label, box.x, y, style.STATE, look.text, bold=True)
        if size is not None:
            scene.text(state, "norm", number(size), box.x, at, style.SMALL, look.text)
        came = gradients.arriving.get(state)
        if came is None:
            continue
        below = state.name == grid.boxes[state.chain].entering
        y = box.y + (-1 if below else 1) * (TALL / 2 + BESIDE_PILL)
        told = number(came) if came or not last else "none"
        scene.text(state, "came", told, box.x, y, style.NOTE, bold, bold=bool(came))
    for chain in grid.unrolled.chains:  # the rows' names make room for the numbers
        if (name := scene.boxes.get(row_key(chain))) is not None:
            scene.boxes[name.key] = replace(name, y=name.y + 15)


def _all_states(unrolled: UnrolledGraph) -> Iterator[tuple[State, bool]]:
    """Every state's pill, and whether it is the chain's last."""
    for chain in unrolled.chains:
        for name in chain.states:
            yield unrolled.state_before(chain, name), False
        run = unrolled.columns_run(chain)
        for column in run:
            for name in chain.states:
                yield unrolled.state_after(chain, column, name), column is run[-1]


def _write_inputs(scene: Scene, gradients: EdgeGradients) -> None:
    """Beside the wire from a cell to its input: what crosses it, where the input takes a gradient."""
    for box in list(scene.boxes.values()):
        if not isinstance(box.of, Input) or box.part:
            continue
        size = gradients.lines.get((box.of, CellAt(box.of.chain, box.of.column)))
        if size:
            at, look = (box.x + 4, box.sides[3] + 7), style.GRADIENT.stroke
            scene.text(box.of, "came", number(size), *at, style.SMALL, look, bold=True, left=True)


def _write_outside(grid: CellGrid, parts: Contributions) -> None:
    """A Parameter outside the cells says the norm of its gradient."""
    scene, unrolled = grid.scene, grid.unrolled
    cells = {p.id for row in unrolled.rows for p in row.params}
    for parameter in unrolled.names:
        of = unrolled.parameter(parameter)
        box = scene.boxes.get((of, ""))
        if parameter in cells or box is None:
            continue
        words, y = f"|G| = {number(parts.whole(parameter))}", box.sides[1] - 7
        scene.text(of, "whole", words, box.x, y, style.NOTE, style.GRADIENT.text, bold=True)


def _write_loss(
    scene: Scene, unrolled: UnrolledGraph, ledger: Ledger, gradients: EdgeGradients
) -> None:
    """The loss says its value."""
    nodes = enumerate(unrolled.graph._raw)
    root = next((i for i, n in nodes if n is (ledger.root or (None,))[0]), -1)
    value = gradients.values.get(root)
    box = scene.boxes.get((value, ""))
    if ledger.loss is None or value is None or box is None or box.kind != "loss":
        return
    words = f"L = {number(ledger.loss)}"
    width = max(box.width, text_width(words, style.OP_SIZE) + 12)
    # what it is made of goes; the box keeps its left side, where wires come in
    x, tall = box.sides[0] + width / 2, max(box.height, 30.0)
    scene.boxes[box.key] = replace(box, label=f"loss\n{words}", x=x, width=width, height=tall)


# ---- words -------------------------------------------------------------------------------------


def _write_captions(scene: Scene, sentences: Iterable[str]) -> None:
    """What the numbers mean, above the picture, in lines that fit its width."""
    left, _, right, top = scene.bounds()
    lines = _wrapped(sentences, max(right - left, 420.0))
    for k, line in enumerate(lines):
        y = top + 12 + CAPTION_LINE * (len(lines) - 1 - k)
        scene.text(None, f"says{k}", line, (left + right) / 2, y, CAPTION, style.PLAIN)


def _sentences(unrolled: UnrolledGraph, gradients: EdgeGradients) -> Iterator[str]:
    chains = [chain for chain in unrolled.chains if chain.states]
    states = sorted({s for chain in chains for s in chain.states}, key=lambda s: (s == "h", s))
    if len({chain.backwards for chain in chains}) > 1:
        yield "Backward: against the direction of each row."
    elif chains and chains[0].backwards:
        yield "Backward, left to right."
    else:
        yield "Backward, right to left."
    yield f"In a pill: norm of the total {' or '.join(f'dL/d{s}' for s in states)}."
    yield "Purple number and arrow width: norm of what crosses."
    yield from _about_ends(unrolled, chains, gradients)
    if max((len(row.params) for row in unrolled.rows), default=0) > 1:
        yield "Arrows down: all Parameters of a slab together."
    if gradients.still:
        still = sorted(gradients.still, key=lambda s: (s.chain.key, s.name, s.step))
        names = list(dict.fromkeys(state_at(s.chain, s.name, s.step) for s in still))
        several = len(names) > 1
        yield (
            f"{', '.join(names)} {'take' if several else 'takes'} no gradient: "
            f"{'their numbers are' if several else 'its number is'} what would go on."
        )


def _about_ends(
    unrolled: UnrolledGraph, chains: list[Chain], gradients: EdgeGradients
) -> Iterator[str]:
    """Where the last c is not used by what follows: what came to it came inside the cell."""
    silent: list[str] = []
    for chain in (chain for chain in chains if "h" in chain.states):
        h = unrolled.last_state(chain, "h")
        for name in chain.states:
            state = unrolled.last_state(chain, name)
            total = gradients.states.get(state)
            if name != "h" and total and not gradients.arriving.get(state):
                last, it = (state_at(s.chain, s.name, s.step) for s in (h, state))
                used = gradients.arriving.get(h)
                only = f"The loss uses only {last}: nothing" if used else "Nothing"
                silent.append(
                    f"{only} crosses from {it}, all of its {number(total)} comes from {last} "
                    "inside the cell."
                )
    if len(silent) == 1:
        yield silent[0]
    elif silent:
        yield "None: nothing crosses there, and what a last c gets comes from h inside its cell."


def _wrapped(sentences: Iterable[str], width: float) -> list[str]:
    """Sentences as lines that are no wider than that."""
    lines: list[str] = []
    for sentence in sentences:
        joined = f"{lines[-1]}  {sentence}" if lines else sentence
        if lines and text_width(joined, CAPTION) <= width:
            lines[-1] = joined
        else:
            lines.append(sentence)
    return lines


# ---- where cells are no grid, or layers are asked for ----------------------------------------------

SENTENCES = (
    "Backward, against the direction in which values went.",
    "In a box: norm of the gradient of what it gives.",
    "In a panel: norm of each Parameter's whole gradient G.",
    "Arrow width: norm of what crosses, of all steps together where one arrow stands for several.",
)


class _Gradients(BlocksPicture):
    """What a picture of blocks says of a backward pass."""

    ledger: Ledger

    def _begin(self, blocks: Blocks) -> None:
        super()._begin(blocks)
        self.gradients = BlockGradients(blocks, self.ledger)
        if not self.gradients.known:
            raise ValueError(ANOTHER_GRAPH)

    def words(self, block: Block) -> list[str]:
        """What a box says, and how large the gradient is that comes to it."""
        size = self.gradients.at(block)
        if block.kind == "many" or (block.kind == "loss" and size is None):
            return super().words(block)
        return [*super().words(block), "no gradient" if size is None else f"grad {number(size)}"]

    def chip_note(self, parameter: int) -> str:
        """Beside a Parameter's shape: how large its gradient is."""
        return f"  |G| = {number(self.gradients.whole(parameter))}"


class BackwardRows(_Gradients):
    """Cells and what stands between them, of a pass."""

    def __init__(self, graph: RecordedGraph, ledger: Ledger, steps: Sequence[int] | None) -> None:
        self.ledger = ledger
        super().__init__(graph, steps)


class BackwardLayers(_Gradients, LayersPicture):
    """Layers and modules, of a pass."""

    def __init__(self, graph: RecordedGraph, ledger: Ledger, lanes: int) -> None:
        self.ledger = ledger
        LayersPicture.__init__(self, graph, lanes)


def draw_backward_rows(
    graph: RecordedGraph, ledger: Ledger, measure: str, steps: Sequence[int] | None
) -> Scene:
    """A pass through cells that are no grid. Raises ValueError as :func:`draw_backward` does."""
    _check(measure)
    picture = BackwardRows(graph, ledger, steps)
    return _reversed(picture, lay_blocks(picture))


def draw_backward_layers(graph: RecordedGraph, ledger: Ledger, measure: str) -> Scene:
    """A pass through layers, or through modules. Raises ValueError as :func:`draw_backward` does."""
    _check(measure)
    scene, picture = lay_layers(lambda lanes: BackwardLayers(graph, ledger, lanes))
    return _reversed(picture, scene)


def _reversed(picture: BlocksPicture, scene: Scene) -> Scene:
    """The scene with every line the other way round, as wide and as dark as what crosses it."""
    assert isinstance(picture, _Gradients)
    sizes = {k: picture.gradients.crosses(what) for k, what in picture.crossings.items()}
    most = {True: 0.0, False: 0.0}
    for k, size in sizes.items():
        tap = _is_use(scene.wires[k])
        most[tap] = max(most[tap], size)
    scene.title = f"Backward through {scene.title}"
    wires, scene.wires = scene.wires, []
    for k, wire in enumerate(wires):
        if k not in sizes:
            scene.wires.append(wire)
            continue
        size, whole = sizes[k], most[_is_use(wire)]
        share = size / whole if whole and math.isfinite(size) else 0.0
        end, before = wire.route[:2]
        # no room for its head
        short = abs(end[0] - before[0]) + abs(end[1] - before[1]) < 10 * ARROW
        pen = 1 + 5 * share if size else 0.0
        _turn(scene, wire, wire.route[::-1], size, share, pen, 0.0 if short else ARROW)
    _write_captions(scene, SENTENCES)
    return scene
