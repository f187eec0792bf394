"""Where do things outside the cells stand? What comes before them, heads and losses after them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ...graphs.chains import NotUnrollableError
from ...graphs.collapse import OuterBox, OuterBoxes, depths
from ...graphs.meaning import Feed, ParameterBox, ValueBox
from ...graphs.recorded import PASS_THROUGH
from ...graphs.unrolled import UnrolledGraph
from ..scene import style
from ..scene.scene import Key, Point
from ..scene.style import Look
from ..scene.text import SYMBOLS, shape_text, text_width, words_of_op
from .between import key_of
from .grid import (
    PARAM_HEIGHT,
    Anchor,
    Anchors,
    AnyGrid,
    draw_param,
    param_width,
    route_from,
    use_of,
)

COLUMN_GAP, PITCH, BESIDE, SPREAD, PARAM_GAP = 30.0, 46.0, 34.0, 14.0, 10.0
BUS_DROP, BUS_PITCH, DETOUR = 22.0, 9.0, 23.0
ONE_LINE, TWO_LINES = 24.0, 30.0


class Placed:
    """A box outside the cells, with what it says and where it stands."""

    def __init__(self, unrolled: UnrolledGraph, box: OuterBox) -> None:
        self.box, self.key = box, (box.meaning, "")
        self.lines = _lines(unrolled, box)
        self.width = max([26.0, *(text_width(line, style.OP_SIZE) + 14 for line in self.lines)])
        self.height = ONE_LINE if len(self.lines) == 1 else TWO_LINES
        self.x = self.y = 0.0

    @property
    def look(self) -> Look:
        """By what it is; outputs collected as y look as the state that they are."""
        if self.box.kind == "y":
            output = self.box.outputs[0]
            return style.H if output.role == output.chain.out_role else style.OP
        return {"loss": style.LOSS, "input": style.INPUT}.get(self.box.kind, style.OP)

    @property
    def left(self) -> float:
        """Where wires come in."""
        return self.x - self.width / 2

    @property
    def right(self) -> float:
        """Where wires leave."""
        return self.x + self.width / 2


def _lines(unrolled: UnrolledGraph, box: OuterBox) -> tuple[str, ...]:
    """What a box says: its name, else its op's symbol; an input and y also their shapes."""
    node = unrolled.nodes[box.node]
    if box.kind in ("input", "y"):
        made = "input" if node.op in ("input", "literal") else SYMBOLS.get(node.op, node.op)
        return ("y" if box.kind == "y" else node.name or made), shape_text(node.shape)
    if box.kind == "module":
        return (node.path.rpartition(".")[2],)
    if node.op in PASS_THROUGH:
        return (node.detail or SYMBOLS.get(node.op, node.op),)
    words = node.name or words_of_op(unrolled.nodes, node)
    return ("loss", words) if box.kind == "loss" and words != "loss" else (words,)


def draw_after(grid: AnyGrid, anchors: Anchors, bars: Mapping[int, Anchor], collapse: bool) -> None:
    """Heads, losses and whatever else follows the cells, to their right.

    ``anchors`` are the ends of the cells' outputs, ``bars`` those of the Parameters that the cells
    use too. ``collapse`` draws a module as one box.
    """
    placed = _placed(grid.unrolled, OuterBoxes(grid.unrolled, grid.unrolled.after, collapse))
    left = grid.scene.bounds()[2] + BESIDE
    _place(placed, left, {box: _level(anchors, box) for box in placed if box.outputs})
    _draw_boxes(grid, placed, anchors)
    _draw_params(grid, list(placed.values()), bars, "after")


def draw_before(
    grid: AnyGrid,
    fed: Sequence[Anchor],
    states: Sequence[Anchor],
    bars: Mapping[int, Anchor],
    y: float,
) -> None:
    """What the cells' inputs and initial states are computed from, to their left.

    ``fed`` are the inputs, joined by a wire at height ``y``; ``states`` the initial states; ``bars`` are
    the ends of the Parameters that the cells use too.
    """
    unrolled = grid.unrolled
    shown = {anchor.node for anchor in (*fed, *states)}
    boxes = OuterBoxes(unrolled, unrolled.before, collapse=True, key="in", shown=shown)
    placed, right = _placed(unrolled, boxes), grid.scene.bounds()[0] - BESIDE
    if placed:
        _place(placed, 0.0, {})
        here = list(placed.values())
        ends = [each.right for each in here]
        ends += [x + param_width(grid, p) / 2 for p, x in _param_spots(grid, here).items()]
        shift, drop = right - max(ends), y - here[-1].y
        for each in here:
            each.x, each.y = each.x + shift, each.y + drop
        _draw_boxes(grid, placed, {})
        _draw_params(grid, here, bars, "before")
    for node in dict.fromkeys(anchor.node for anchor in fed):
        group = [anchor for anchor in fed if anchor.node == node]
        _feed_inputs(grid, _source_end(grid, boxes, placed, node, right, y), group, y)
    for k, anchor in enumerate(states):
        source = _source_end(grid, boxes, placed, anchor.node, right, anchor.y)
        first = all(earlier.node != anchor.node for earlier in states[:k])
        _feed_state(grid, source, anchor, first, 12.0 + 6 * (k % 4))


def _placed(unrolled: UnrolledGraph, boxes: OuterBoxes) -> dict[OuterBox, Placed]:
    return {box: Placed(unrolled, box) for box in boxes.all}


def _level(anchors: Anchors, box: OuterBox) -> float:
    """The height at which the outputs of the cells arrive."""
    anchor = _starts(box, anchors)[-1]
    return anchor.y if anchor.rise is None else anchor.rise


def _place(placed: dict[OuterBox, Placed], left: float, levels: Mapping[OuterBox, float]) -> None:
    """Columns by depth from the left, each box at the height of what feeds it, inputs above."""
    boxes = list(placed)
    depth = depths(boxes)
    for box in boxes:
        if not box.feeds and not box.outputs:
            users = [depth[user] for user in boxes if box in user.feeds]
            depth[box] = max(min(users, default=0) - 1, 0)
    base = min(levels.values(), default=0.0)
    x = left
    for column in range(max(depth.values()) + 1):
        here = [box for box in boxes if depth[box] == column]
        here.sort(key=lambda box: not (box.feeds or box.outputs))
        wide = max((placed[box].width for box in here), default=0.0)
        taken: list[float] = []
        for box in here:
            spot = placed[box]
            spot.x = x + wide / 2
            wanted = ([levels[box]] if box in levels else []) + [placed[f].y for f in box.feeds]
            alone = min(taken, default=base) if box.params else max(taken, default=base)
            spot.y = wanted[0] if wanted else alone
            while any(abs(spot.y - y) < PITCH for y in taken):
                below = bool(wanted or box.params) and not box.collects
                spot.y = min(taken) - PITCH if below else max(taken) + PITCH
            taken.append(spot.y)
        x += wide + COLUMN_GAP


def _draw_boxes(grid: AnyGrid, placed: dict[OuterBox, Placed], anchors: Anchors) -> None:
    for spot in placed.values():
        kind = {"input": "io", "y": "io y"}.get(spot.box.kind, spot.box.kind)
        grid.scene.box(
            spot.box.meaning,
            "\n".join(spot.lines),
            spot.x,
            spot.y,
            spot.width,
            spot.height,
            spot.look,
            kind,
            square=kind == "loss",
        )
    for spot in placed.values():
        _draw_feeds(grid, spot, anchors, placed)


def _draw_feeds(
    grid: AnyGrid, spot: Placed, anchors: Anchors, placed: Mapping[OuterBox, Placed]
) -> None:
    """The wires into a box: from other boxes, from cells, or from all the outputs that it collects."""
    box, starts = spot.box, []
    if box.collects:
        _draw_collection(grid, spot, anchors)
    else:
        starts = _starts(box, anchors)
    feeds = [placed[feed] for feed in box.feeds]
    bands = [grid.scene.boxes[key_of(band)] for band in box.bands]
    ends = starts + [Anchor(band.key, band.sides[2], band.y) for band in bands]
    ends += [Anchor(feed.key, feed.right, feed.y) for feed in feeds]
    low = box.collects and bool(ends)  # the wire that collects outputs comes in at the middle
    for k, end in enumerate(ends):
        at = (spot.left, spot.y + 6 * ((len(ends) - 1) / 2 - k) - (3 + 3 * len(ends)) * low)
        blue = k < len(starts) and bool(box.outputs[0].chain.states)
        route = route_from(end, at)
        if end.rise is None and _in_the_way(placed.values(), end, spot):
            route = [route[0], (end.x + 7, end.y), (end.x + 7, end.y + DETOUR)]
            route += [(spot.left - 8, end.y + DETOUR), (spot.left - 8, at[1]), at]
        straight = end.rise is not None or end.y == at[1] or len(route) > 2
        line, color = (style.OUTSIDE_STATE, style.H.stroke) if blue else (style.OUTSIDE, "")
        swing = "" if straight else "h"
        grid.scene.wire(end.key, spot.key, route, line, color=color, swing=swing)


def _in_the_way(placed: Iterable[Placed], end: Anchor, spot: Placed) -> bool:
    """Whether a box stands between a wire's two ends, at their height."""
    return any(
        end.x < other.x < spot.x and abs(other.y - end.y) < 20 and abs(other.y - spot.y) < 20
        for other in placed
        if other is not spot and other.key != end.key
    )


def _starts(box: OuterBox, anchors: Anchors) -> list[Anchor]:
    """Where the wires from the cells begin, each once. Raises NotUnrollableError where one has no place."""
    keys = [(o.chain, o.step, o.role) for o in box.outputs]
    if any(key not in anchors for key in keys):
        raise NotUnrollableError
    found = dict.fromkeys(anchors[key] for key in keys)
    if box.collects:
        return list(found)
    return [a if a.side is None else Anchor(a.key, *a.side) for a in found]


def _draw_collection(grid: AnyGrid, spot: Placed, anchors: Anchors) -> None:
    """A wire over all the y boxes into the one that stands for them together."""
    starts, tail = _starts(spot.box, anchors), None
    color = style.H.stroke if spot.box.outputs[0].role == "h" else style.PLAIN
    line, before = replace(style.COLLECT, color=color), (0.0, 0.0)
    for k, anchor in enumerate(starts):
        here = (anchor.x, spot.y)
        dot = grid.scene.dot((spot.box.meaning, f"dot{k}"), *here, color, 5)
        grid.scene.wire(anchor.key, dot, [(anchor.x, anchor.y), here], line)
        if tail is not None:
            grid.scene.wire(tail, dot, [before, here], line)
        tail, before = dot, here
    if tail is not None:
        line = replace(line, arrow=style.SMALL_ARROW)
        grid.scene.wire(tail, spot.key, [before, (spot.left, spot.y)], line)


# ---- Parameters outside the cells -------------------------------------------------------------------


def _own_params(grid: AnyGrid, placed: Sequence[Placed]) -> dict[int, Placed]:
    """The Parameters that are not drawn yet and not the cells', each with the first box that uses it."""
    cells = {p.id for row in grid.unrolled.rows for p in row.params}
    result: dict[int, Placed] = {}
    for spot in placed:
        for parameter in spot.box.params:
            drawn = (grid.unrolled.parameter(parameter), "") in grid.scene.boxes
            if parameter not in cells and not drawn:
                result.setdefault(parameter, spot)
    return result


def _param_spots(grid: AnyGrid, placed: Sequence[Placed]) -> dict[int, float]:
    """The x of each Parameter below the boxes, side by side from the first box's left."""
    free = min((spot.left for spot in placed), default=0.0)
    spots: dict[int, float] = {}
    for parameter, spot in _own_params(grid, placed).items():
        width = param_width(grid, parameter)
        spots[parameter] = max(free + width / 2, spot.x - (width + PARAM_GAP) / 2)
        free = spots[parameter] + width / 2 + PARAM_GAP
    return spots


def _draw_params(
    grid: AnyGrid, placed: Sequence[Placed], bars: Mapping[int, Anchor], when: str
) -> None:
    """Parameters below the boxes that use them: each once, with a wire and a tap for every use."""
    users: dict[int, list[tuple[Key, Point]]] = {}
    for spot in placed:
        params = spot.box.params
        for k, parameter in enumerate(params):
            at = (spot.x + SPREAD * (k - (len(params) - 1) / 2), spot.y - spot.height / 2)
            users.setdefault(parameter, []).append((spot.key, at))
    spots = _param_spots(grid, placed)
    floor = min((spot.y - spot.height / 2 for spot in placed), default=0.0) - BUS_DROP
    top = floor - BUS_PITCH * max(len(spots) - 1, 0) - 12
    for k, (parameter, x) in enumerate(spots.items()):
        start = Anchor(draw_param(grid, parameter, x, top - PARAM_HEIGHT / 2), x, top)
        y = floor - BUS_PITCH * (len(spots) - 1 - k)
        _draw_taps(grid, parameter, start, users[parameter], y, when)
    for parameter, ends in users.items():
        if parameter in bars:
            _draw_taps(grid, parameter, bars[parameter], ends, bars[parameter].y, when)
        elif parameter not in spots:  # its box stands elsewhere
            box = grid.scene.boxes[grid.unrolled.parameter(parameter), ""]
            _draw_taps(grid, parameter, Anchor(box.key, box.sides[2], box.y), ends, box.y, when)


def _draw_taps(
    grid: AnyGrid,
    parameter: int,
    start: Anchor,
    users: Sequence[tuple[Key, Point]],
    y: float,
    when: str,
) -> None:
    """One wire from a Parameter (or a bar) to each of its uses, along the height ``y``."""
    for k, (user, (x, end)) in enumerate(users):
        origin = (start.x, start.y)
        route = [origin, (start.x, y), (x, y), (x, end)]
        if start.x == x or start.y == y:
            route = [origin, (x, end)] if start.x == x else [origin, (x, y), (x, end)]
        grid.scene.wire(start.key, user, route, style.USE, of=use_of(grid, parameter, when))
        if len(users) > 1 and k == 0:
            of, part = start.key
            dot = f"{part}.dot" if part else "dot"
            grid.scene.dot((of, dot), start.x, y, style.ORANGE)


# ---- what feeds the cells ---------------------------------------------------------------------------


def _source_end(
    grid: AnyGrid,
    boxes: OuterBoxes,
    placed: Mapping[OuterBox, Placed],
    node: int,
    right: float,
    y: float,
) -> Anchor:
    """The right side of what feeds a cell: a box before it, or a Parameter drawn for the purpose."""
    if grid.unrolled.nodes[node].op == "parameter":
        key = (grid.unrolled.parameter(node), "")
        if key not in grid.scene.boxes:
            width = param_width(grid, node)
            y = _free(grid, right - width, right, y)
            draw_param(grid, node, right - width / 2, y)
            return Anchor(key, right, y, node)
        drawn = grid.scene.boxes[key]
        return Anchor(key, drawn.sides[2], drawn.y, node)
    box = boxes.box_of(node)
    if box is None:
        return Anchor((None, ""), right, y, node)
    spot = placed[box]
    return Anchor(spot.key, spot.right, spot.y, node)


def _free(grid: AnyGrid, left: float, right: float, y: float) -> float:
    """The height nearest to a wished one at which no box is in the way of a Parameter's."""
    half = PARAM_HEIGHT / 2 + 4
    sides = [box.sides for box in grid.scene.boxes.values() if box.kind != "dot"]
    taken = [(low - half, high + half) for a, low, b, high in sides if a < right and b > left]
    wished = [y, *(end for span in taken for end in span)]
    free = [at for at in wished if not any(low < at < high for low, high in taken)]
    return min(free, key=lambda at: abs(at - y))


def _feed_inputs(grid: AnyGrid, source: Anchor, group: Sequence[Anchor], y: float) -> None:
    """A wire under the inputs with a dot for each: they are slices of one value."""
    of = source.key[0]
    orange = isinstance(of, ParameterBox)
    tail, before = source.key, (source.x, source.y)
    feed = Feed(source.node, of if isinstance(of, ParameterBox | ValueBox) else None)
    for k, anchor in enumerate(group):
        here = (anchor.x, y)
        dot = grid.scene.dot((feed, str(k)), *here, style.PLAIN, 5)
        route = [before, here] if before[1] == y else [before, (before[0] + 12, y), here]
        use, line = None, style.FEED
        if orange and k == 0:
            use, line = use_of(grid, source.node, "before"), replace(style.BUS, kind="use")
        grid.scene.wire(tail, dot, route, line, of=use)
        grid.scene.wire(dot, anchor.key, [here, (anchor.x, anchor.y)], style.FED)
        tail, before = dot, here


def _feed_state(grid: AnyGrid, source: Anchor, anchor: Anchor, first: bool, out: float) -> None:
    """The wire into an initial state; of several from one Parameter only the first is its use."""
    of, start, end = source.key[0], (source.x, source.y), (anchor.x, anchor.y)
    bend = source.x + out
    route = [start, end] if start[1] == end[1] else [start, (bend, start[1]), (bend, end[1]), end]
    if anchor.rise is not None:  # a state that comes in from the right
        far = anchor.x + out + 4
        turn = [(bend, start[1]), (bend, anchor.rise), (far, anchor.rise), (far, end[1])]
        route = [start, *turn, end]
    use, line = None, style.FED
    if isinstance(of, ParameterBox):
        use = use_of(grid, anchor.node, "before") if first else of
        kind, pen = "use" if first else "bus", style.BUS_PEN
        line = replace(style.FED, kind=kind, color=style.ORANGE, pen=pen)
    grid.scene.wire(source.key, anchor.key, route, line, of=use)
