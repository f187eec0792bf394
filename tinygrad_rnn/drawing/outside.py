"""Where things outside the cells stand: what comes before them, heads and losses after them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from . import style
from .grid import Anchor, Anchors, route_from
from .items import Item, Items, depths
from .lanes import NoLatticeError
from .params import HEIGHT as PARAM_HEIGHT
from .params import bus_class, draw_param, param_width, tap_class
from .shapes import Picture, Point
from .unroll import Lattice

COLUMN_GAP, PITCH, BESIDE, SPREAD, PARAM_GAP = 30.0, 46.0, 34.0, 14.0, 10.0
BUS_DROP, BUS_PITCH, DETOUR = 22.0, 9.0, 23.0


def draw_after(
    picture: Picture,
    lattice: Lattice,
    anchors: Anchors,
    bars: Mapping[int, Anchor],
    collapse: bool,
) -> None:
    """Heads, losses and whatever else follows the cells, to their right.

    ``anchors`` are the ends of the cells' outputs, ``bars`` those of the Parameters that the cells
    use too. ``collapse`` draws a module as one box.
    """
    items = Items(lattice, lattice.after, collapse).all
    if not items:
        return
    left = picture.bounds()[2] + BESIDE
    _place(items, left, {i: _level(anchors, i) for i in items if i.outputs})
    for item in items:
        _draw_item(picture, item)
    for item in items:
        _draw_feeds(picture, item, anchors, items)
    _draw_params(picture, lattice, items, bars)


def draw_before(
    picture: Picture, lattice: Lattice, fed: Sequence[Anchor], states: Sequence[Anchor], y: float
) -> None:
    """What the cells' inputs and initial states are computed from, to their left.

    ``fed`` are the inputs, joined by a line at height ``y``; ``states`` the initial states.
    """
    items = Items(lattice, lattice.before, collapse=True, key="in")
    right = picture.bounds()[0] - BESIDE
    if items.all:
        _place(items.all, 0.0, {})
        spots = _param_spots(lattice, items.all)
        ends = [item.x + item.width / 2 for item in items.all]
        ends += [x + param_width(lattice, p) / 2 for p, x in spots.items()]
        shift = right - max(ends)
        drop = y - items.all[-1].y
        for item in items.all:
            item.x, item.y = item.x + shift, item.y + drop
            _draw_item(picture, item)
        for item in items.all:
            _draw_feeds(picture, item, {}, items.all)
        _draw_params(picture, lattice, items.all, {})
    for node in dict.fromkeys(anchor.node for anchor in fed):
        group = [anchor for anchor in fed if anchor.node == node]
        source = _source_end(picture, lattice, items, node, right, y)
        _feed_inputs(picture, lattice, source, group, y)
    for k, anchor in enumerate(states):
        source = _source_end(picture, lattice, items, anchor.node, right, anchor.y)
        first = all(earlier.node != anchor.node for earlier in states[:k])
        _feed_state(picture, lattice, source, anchor, first, 12.0 + 6 * (k % 4))


def _feed_state(
    picture: Picture, lattice: Lattice, source: Anchor, anchor: Anchor, first: bool, out: float
) -> None:
    """The line into an initial state; of several from one Parameter only the first is its use."""
    orange = lattice.nodes[anchor.node].op == "parameter"
    start, end = (source.x, source.y), (anchor.x, anchor.y)
    bend = source.x + out
    route = [start, end] if start[1] == end[1] else [start, (bend, start[1]), (bend, end[1]), end]
    if anchor.rise is not None:  # a state that comes in from the right
        far = anchor.x + out + 4
        turn = [(bend, start[1]), (bend, anchor.rise), (far, anchor.rise), (far, end[1])]
        route = [start, *turn, end]
    classes = "feed"
    if orange:
        use = tap_class(lattice, anchor.node, "before")
        classes = use if first else bus_class(lattice, anchor.node)
    picture.line(
        source.id,
        anchor.id,
        route,
        color=style.ORANGE if orange else style.PLAIN,
        pen=style.BUS_PEN if orange else style.INPUT_PEN,
        arrow=style.SMALL_ARROW,
        radius=6,
        cls=classes,
    )


def _level(anchors: Anchors, item: Item) -> float:
    """The height at which the outputs of the cells arrive."""
    anchor = _starts(item, anchors)[-1]
    return anchor.y if anchor.rise is None else anchor.rise


def _place(items: list[Item], left: float, levels: Mapping[Item, float]) -> None:
    """Columns by depth from the left, each box at the height of what feeds it, inputs above."""
    depth = depths(items)
    for item in items:
        if not item.feeds and not item.outputs:
            users = [depth[user] for user in items if item in user.feeds]
            depth[item] = max(min(users, default=0) - 1, 0)
    base = min(levels.values(), default=0.0) if levels else 0.0
    x = left
    for column in range(max(depth.values()) + 1):
        here = [item for item in items if depth[item] == column]
        here.sort(key=lambda item: not (item.feeds or item.outputs))
        wide = max((item.width for item in here), default=0.0)
        taken: list[float] = []
        for item in here:
            item.x = x + wide / 2
            wanted = ([levels[item]] if item in levels else []) + [f.y for f in item.feeds]
            alone = min(taken, default=base) if item.params else max(taken, default=base)
            item.y = wanted[0] if wanted else alone
            while any(abs(item.y - y) < PITCH for y in taken):
                below = bool(wanted or item.params) and not item.collects
                item.y = min(taken) - PITCH if below else max(taken) + PITCH
            taken.append(item.y)
        x += wide + COLUMN_GAP


def _own_params(lattice: Lattice, items: Sequence[Item]) -> dict[int, Item]:
    """The Parameters that are not the cells', each with the first box that uses it."""
    cells = {p.id for row in lattice.rows for p in row.params}
    result: dict[int, Item] = {}
    for item in items:
        for parameter in item.params:
            if parameter not in cells:
                result.setdefault(parameter, item)
    return result


def _param_spots(lattice: Lattice, items: Sequence[Item]) -> dict[int, float]:
    """The x of each Parameter below the boxes, side by side from the first box's left."""
    free = min((item.x - item.width / 2 for item in items), default=0.0)
    spots: dict[int, float] = {}
    for parameter, item in _own_params(lattice, items).items():
        width = param_width(lattice, parameter)
        spots[parameter] = max(free + width / 2, item.x - (width + PARAM_GAP) / 2)
        free = spots[parameter] + width / 2 + PARAM_GAP
    return spots


def _draw_item(picture: Picture, item: Item) -> None:
    picture.stands[item.id] = item.node
    picture.box(
        item.id,
        "\n".join(item.lines),
        item.x,
        item.y,
        item.width,
        item.height,
        item.look,
        item.cls,
        square=item.square,
    )


def _draw_feeds(picture: Picture, item: Item, anchors: Anchors, items: Sequence[Item]) -> None:
    """The lines into a box: from other boxes, from cells, or from all the outputs that it collects."""
    left = item.x - item.width / 2
    if item.collects:
        _draw_collection(picture, item, anchors)
        starts: list[Anchor] = []
    else:
        starts = _starts(item, anchors)
    ends = starts + [Anchor(f.id, f.x + f.width / 2, f.y) for f in item.feeds]
    for k, end in enumerate(ends):
        at = (left, item.y + 6 * ((len(ends) - 1) / 2 - k))
        blue = k < len(starts) and bool(item.outputs[0].lane.states)
        route = route_from(end, at)
        if end.rise is None and _in_the_way(items, end, item):
            route = [route[0], (end.x + 7, end.y), (end.x + 7, end.y + DETOUR)]
            route += [(left - 8, end.y + DETOUR), (left - 8, at[1]), at]
        straight = end.rise is not None or end.y == at[1] or len(route) > 2
        picture.line(
            end.id,
            item.id,
            route,
            color=style.H.stroke if blue else style.PLAIN,
            pen=style.INPUT_PEN if blue else style.PLAIN_PEN,
            arrow=style.SMALL_ARROW,
            swing="" if straight else "h",
            radius=6,
        )


def _in_the_way(items: Sequence[Item], end: Anchor, item: Item) -> bool:
    """Whether a box stands between a line's two ends, at their height."""
    return any(
        end.x < other.x < item.x and abs(other.y - end.y) < 20 and abs(other.y - item.y) < 20
        for other in items
        if other is not item and other.id != end.id
    )


def _starts(item: Item, anchors: Anchors) -> list[Anchor]:
    """Where the lines from the cells begin, each once. Raises NoLatticeError where one has no place."""
    keys = [(o.lane, o.step, o.role) for o in item.outputs]
    if any(key not in anchors for key in keys):
        raise NoLatticeError
    found = dict.fromkeys(anchors[key] for key in keys)
    if item.collects:
        return list(found)
    return [a if a.side is None else Anchor(a.id, *a.side) for a in found]


def _draw_collection(picture: Picture, item: Item, anchors: Anchors) -> None:
    """A line over all the y boxes into the one that stands for them together."""
    starts = _starts(item, anchors)
    left, tail = item.x - item.width / 2, ""
    color = style.H.stroke if item.outputs[0].role == "h" else style.PLAIN
    pen = style.INPUT_PEN
    for k, anchor in enumerate(starts):
        here = (anchor.x, item.y)
        dot = picture.dot(f"{item.id}.dot{k}", *here, color, 5)
        picture.line(
            anchor.id, dot, [(anchor.x, anchor.y), here], color=color, pen=pen, cls="collect"
        )
        if tail:
            before = (starts[k - 1].x, item.y)
            picture.line(tail, dot, [before, here], color=color, pen=pen, cls="collect")
        tail = dot
    last = (starts[-1].x, item.y)
    picture.line(
        tail,
        item.id,
        [last, (left, item.y)],
        color=color,
        pen=pen,
        arrow=style.SMALL_ARROW,
        cls="collect",
    )


def _draw_params(
    picture: Picture, lattice: Lattice, items: Sequence[Item], bars: Mapping[int, Anchor]
) -> None:
    """Parameters below the boxes that use them: each once, with a line and a tap for every use."""
    users: dict[int, list[Point]] = {}
    names: dict[int, list[str]] = {}
    for item in items:
        for k, parameter in enumerate(item.params):
            x = item.x + SPREAD * (k - (len(item.params) - 1) / 2)
            users.setdefault(parameter, []).append((x, item.y - item.height / 2))
            names.setdefault(parameter, []).append(item.id)
    own = _own_params(lattice, items)
    floor = min((item.y - item.height / 2 for item in items), default=0.0) - BUS_DROP
    top = floor - BUS_PITCH * max(len(own) - 1, 0) - 12
    for k, (parameter, x) in enumerate(_param_spots(lattice, items).items()):
        start = Anchor(draw_param(picture, lattice, parameter, x, top - PARAM_HEIGHT / 2), x, top)
        y = floor - BUS_PITCH * (len(own) - 1 - k)
        _draw_taps(picture, lattice, parameter, start, users[parameter], names[parameter], y)
    for parameter, bar in bars.items():
        if parameter in users:
            y = bar.y
            _draw_taps(picture, lattice, parameter, bar, users[parameter], names[parameter], y)


def _draw_taps(
    picture: Picture,
    lattice: Lattice,
    parameter: int,
    start: Anchor,
    ends: Sequence[Point],
    heads: Sequence[str],
    y: float,
) -> None:
    """One line from a Parameter (or a bar) to each of its uses, along the height ``y``."""
    for k, ((x, end), head) in enumerate(zip(ends, heads, strict=True)):
        origin = (start.x, start.y)
        route = [origin, (start.x, y), (x, y), (x, end)]
        if start.x == x or start.y == y:
            route = [origin, (x, end)] if start.x == x else [origin, (x, y), (x, end)]
        picture.line(
            start.id,
            head,
            route,
            color=style.ORANGE,
            pen=style.BUS_PEN,
            arrow=style.ARROW,
            radius=4,
            cls=tap_class(lattice, parameter, "after" if start.node == -1 else "before"),
        )
        if len(ends) > 1 and k == 0:
            picture.dot(f"{start.id}.dot", start.x, y, style.ORANGE)


def _source_end(
    picture: Picture, lattice: Lattice, items: Items, node: int, right: float, y: float
) -> Anchor:
    """The right side of what feeds a cell: a box before it, or a Parameter drawn for the purpose."""
    if lattice.nodes[node].op == "parameter":
        x = right - param_width(lattice, node) / 2
        name = f"param.{lattice.names[node]}"
        drawn = {box.id: box for box in picture.nodes}
        if name not in drawn:
            draw_param(picture, lattice, node, x, y)
            return Anchor(name, right, y, node)
        return Anchor(name, drawn[name].sides[2], drawn[name].y, node)
    item = items.item_of(node)
    if item is None:
        return Anchor("", right, y, node)
    return Anchor(item.id, item.x + item.width / 2, item.y, node)


def _feed_inputs(
    picture: Picture, lattice: Lattice, source: Anchor, group: Sequence[Anchor], y: float
) -> None:
    """A line under the inputs with a dot for each: they are slices of one value."""
    orange = lattice.nodes[source.node].op == "parameter"
    tail, before = source.id, (source.x, source.y)
    for k, anchor in enumerate(group):
        here = (anchor.x, y)
        dot = picture.dot(f"{source.id}.feed{k}", *here, style.PLAIN, 5)
        route = [before, here] if before[1] == y else [before, (before[0] + 12, y), here]
        first = orange and k == 0
        picture.line(
            tail,
            dot,
            route,
            color=style.ORANGE if first else style.PLAIN,
            pen=style.BUS_PEN if first else style.INPUT_PEN,
            cls=tap_class(lattice, source.node, "before") if first else "feed",
        )
        picture.line(
            dot,
            anchor.id,
            [here, (anchor.x, anchor.y)],
            pen=style.INPUT_PEN,
            arrow=style.SMALL_ARROW,
            cls="feed",
        )
        tail, before = dot, here
