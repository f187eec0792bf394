"""How are cells drawn where other things stand between them? In rows of boxes, wires in channels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, takewhile

from ...graphs.block_gradients import Crossing
from ...graphs.blocks import Block, Blocks
from ...graphs.meaning import ParameterBox, Uses, ValueBox
from ...graphs.recorded import PASS_THROUGH, RecordedGraph, short_name
from ..layout.channels import AIR, LEFT, Channels, Net, Standing
from ..layout.grid import state_looks
from ..scene import style
from ..scene.scene import Key, Point, Sample, Scene
from ..scene.style import Line, Look
from ..scene.text import (
    SYMBOLS,
    fold_count,
    fold_heading,
    plural,
    shape_text,
    shorten,
    state_name,
    sub,
    text_width,
    words_of_op,
)

PILL, PILL_HEIGHT, STATE_PITCH = 30.0, 22.0, 30.0
CHIP, CHIP_GAP, HEAD, FOOT, PANEL = 17.0, 3.0, 18.0, 15.0, 150.0
BARE = 6.0  # instead of the head, where a slab has no name


@dataclass(eq=False)
class Slab:
    """Parameters that the same boxes use, how often each does, and where they stand."""

    params: list[int]
    users: list[Block]
    net: Net
    counts: list[int]
    under: bool = False  # layers alone: under the first that uses them, else at its right side
    across: int = 1  # how many side by side


class BlocksPicture:
    """The boxes of a graph, where they stand, and the scene that they are drawn in."""

    narrow_inputs = True  # as wide as their words, where their line goes up

    def __init__(self, graph: RecordedGraph, steps: Sequence[int] | None) -> None:
        self._begin(self._read(graph, steps))
        kinds = list(dict.fromkeys(b.title for b in self.blocks.blocks if b.kind == "cell"))
        self.scene = Scene(", ".join([*kinds, "one set of weights"]))
        self._choose_sides()
        self._measure()
        self._nets()
        pills = [0.0] * (len(self.blocks.columns) + 1)
        for _, target, state in self.initial:
            pills[self._gap_into(target)] = self._width_of(target, state) + AIR
        for source, target, state, _ in self.beside:
            gap = self._gap_into(target)
            pills[gap] = max(pills[gap], self._width_of(source, state) + 14)
        spots = [*self.spots.values(), *(slab.net.source for slab in self.slabs)]
        self.channels = Channels(spots, self.nets, pills, PANEL + 2 if self.slabs else 0.0)

    def _read(self, graph: RecordedGraph, steps: Sequence[int] | None) -> Blocks:
        return Blocks(graph, steps)

    def _begin(self, blocks: Blocks) -> None:
        """What of a reading of a graph every picture of its blocks needs."""
        graph = blocks.graph
        self.blocks, self.graph, self.nodes = blocks, graph, blocks.nodes
        self.names = {node.id: name for name, node in graph.parameters.items()}
        states = dict.fromkeys(r for call in graph.calls for r in call.outputs)
        self.looks = state_looks(tuple(states))
        self.states = {block: self._states(block) for block in blocks.blocks}
        self.beside: list[
            tuple[Block, Block, str, int]
        ] = []  # a state from one to the next, and its node
        self.initial: list[tuple[Block, Block, str]] = []
        self.crossings: dict[int, Crossing] = {}  # by the place of a wire in the scene
        self.keys: dict[Block, Key] = {}  # of the boxes, once they are drawn
        self._carried: dict[tuple[Net, Standing], list[int]] = defaultdict(list)

    def wire(
        self,
        ends: tuple[Key, Key],
        route: Sequence[Point],
        line: Line,
        into: Block,
        values: Iterable[int] = (),
        *,
        use: Uses | None = None,
        color: str = "",
        dashed: bool = False,
    ) -> None:
        """A line of the scene, and note of what it carries into a block: values, or a use of Parameters."""
        parameters = () if use is None else tuple(p.node for p in use.parameters)
        what = Crossing(into, tuple(dict.fromkeys(values)), parameters)
        self.crossings[len(self.scene.wires)] = what
        self.scene.wire(*ends, route, line, of=use, color=color, dashed=dashed)

    def carried(self, net: Net, target: Standing) -> list[int]:
        """The values that a net brings to a target."""
        return self._carried[net, target]

    def chip_note(self, parameter: int) -> str:
        """What stands beside the shape of a Parameter."""
        return ""

    def look_of(self, source: Block, said: str) -> Look | None:
        """How a value is drawn that is a state."""
        return self.looks.get(said) if source.kind == "cell" else None

    def _states(self, block: Block) -> list[str]:
        return [] if block.call is None else list(block.call.outputs)

    def _choose_sides(self) -> None:
        """Which states go straight from one cell to the one beside it, and which inputs stand at its side."""
        users = self.blocks.users()
        for block in self.blocks.blocks:
            kept = []
            sides: set[tuple[str, int]] = set()
            for source, value, role in block.feeds:
                apart = block.columns[0] - source.columns[0] if role else 0
                near = source.level == block.level and source.kind == "cell" and abs(apart) == 1
                fresh = (role, apart) not in sides
                if role and near and fresh and self._named(source, value) == role:
                    sides.add((role, apart))
                    self.beside.append((source, block, role, value))
                elif (
                    role
                    and source.kind == "input"
                    and len(users[source]) == 1
                    and block.kind == "cell"
                ):
                    self.initial.append((source, block, role))
                else:
                    kept.append((source, value, role))
            block.feeds = kept
        aside = {source for source, _, _ in self.initial}
        self.shown = [block for block in self.blocks.blocks if block not in aside]
        levels = sorted({block.level for block in self.shown})
        for block in self.shown:
            block.level = levels.index(block.level)

    def _named(self, block: Block, value: int) -> str:
        outputs = {} if block.call is None else block.call.outputs
        own = next((role for role, i in outputs.items() if i == value), "")
        return (
            own or self.nodes[value].name
            if block.column is not None and block.column.folded
            else own
        )

    def _gap_into(self, block: Block) -> int:
        """The gap at which a cell's states come in."""
        backwards = any(t is block and s.columns[0] > t.columns[0] for s, t, _, _ in self.beside)
        ahead = any(s is block and s.columns[0] > t.columns[0] for s, t, _, _ in self.beside)
        return block.columns[0] + (backwards or ahead)

    # ---- what they say, and how large they are

    def words(self, block: Block) -> list[str]:
        """What a box says, line by line."""
        node = self.nodes[block.node]
        if block.kind == "cell":
            column = block.column
            if column is None:
                return [block.title]
            heading, title = fold_heading(column), block.title
            if block.call is not None and not block.call.outputs:  # what a cell does around others
                ops = [i for i in block.nodes if self.nodes[i].op not in ("reshape", "item")]
                title = ", ".join(dict.fromkeys(self._op_words(i) for i in ops[:3])) or title
            return [title, heading, *([fold_count(column)] if column.folded else [])]
        if block.kind == "module":
            kind = self._kind(block)
            lines = [block.title] + [kind] * (kind.lower() != block.title.lower())
            return lines + (
                [fold_count(block.column)] if block.column and block.column.folded else []
            )
        if block.kind == "input":
            return [self._input_words(block)]
        inner = [i for i in block.nodes if self.nodes[i].op not in PASS_THROUGH] or block.nodes
        texts = list(dict.fromkeys(self._op_words(i) for i in inner))
        texts = [text for text in texts if text not in ("0 +", "+ 0")] or texts
        if block.kind == "loss":
            return [*(["loss"] if "loss" not in texts[-1] else []), ", ".join(texts)]
        words = [node.name] if node.name and node.name not in texts else []
        joined = ", ".join(texts)
        first = self.nodes[block.nodes[0]]
        if first.op in ("stack", "cat"):
            rows = {(s.kind, s.row) for s, _, _ in block.feeds}
            collected = first.op == "stack" and len(rows) == 1 and next(iter(rows))[0] == "cell"
            taken = "".join(self.nodes[i].detail for i in block.nodes[1:])
            return [*words, f"{'y' if collected else first.op} {shape_text(first.shape)}{taken}"]
        return [*words, joined]

    def _op_words(self, i: int) -> str:
        node = self.nodes[i]
        if node.detail and node.op == "getitem":
            return node.detail
        if len(node.inputs) == 2:
            return words_of_op(self.nodes, node)
        return SYMBOLS.get(node.op, node.op)

    def _kind(self, block: Block) -> str:
        scope = self.blocks._module(block.nodes[0])
        return scope.kind.__name__ if scope is not None else ""

    def _input_words(self, block: Block) -> str:
        node = self.nodes[block.node]
        name = node.name or "input"
        if (
            len(block.columns) == 1
            and block.column is None
            and name.isidentifier()
            and node.step is not None
        ):
            return sub(name, node.step + 1)
        if block.column is not None:
            return f"{name} {shape_text(node.shape)} each"
        return f"{name} {shape_text(node.shape)}"

    def named(self, block: Block, state: str) -> str:
        """A state of a cell, with its layer's number where there are several."""
        layer = None if block.call is None else self.blocks.layers.get(block.call.chain)
        return state_name(state, layer)

    def _width_of(self, block: Block, state: str) -> float:
        """How wide the pill of a state of a cell is."""
        last = 0 if block.column is None else block.column.last
        return pill_width(sub(self.named(block, state), last))

    def _size(self, block: Block, lines: Sequence[str]) -> tuple[float, float]:
        """How large a box with some lines is."""
        bold = block.kind == "cell"
        wide, tall = width_of_lines(lines, bold), 12.0 * len(lines) + 12
        if bold:
            return max(wide, 84.0), max(tall, STATE_PITCH * len(self.states[block]), 44.0)
        return wide, tall

    def _measure(self) -> None:
        self.spots: dict[Block, Standing] = {}
        taken = {source for block in self.shown for source, _, _ in block.feeds}
        for block in self.shown:
            wide, tall = self._size(block, self.words(block))
            if block.kind == "loss" and block not in taken:
                block.columns = [max(block.columns)]
            narrow = self.narrow_inputs and block.kind == "input" and len(block.columns) == 1
            self.spots[block] = Standing(block.columns, block.level, wide, tall, narrow)

    # ---- what goes where

    def _nets(self) -> None:
        nets: dict[tuple[Block, object], Net] = {}
        for block in self.shown:
            for source, value, role in block.feeds:
                what: object = value
                if source.column is not None and source.column.folded:
                    what = self.nodes[value].name or self.nodes[value].op
                elif block.column is not None and block.column.folded:
                    what = (id(block), role) if len(source.columns) > 1 else value
                state = self._state_of(source, value, role)
                net = nets.setdefault(
                    (source, what), Net(self.spots[source], of=(source, state, value))
                )
                if self.spots[block] not in net.targets:
                    net.targets.append(self.spots[block])
                self._carried[net, self.spots[block]].append(value)
        self.nets = list(nets.values())
        self.slabs: list[Slab] = []
        for mine, blocks in self._used_alike(self.shown, counted=False):
            spot = Standing([LEFT], min(b.level for b in blocks), PANEL, 0.0)
            net = Net(spot, [self.spots[b] for b in blocks], True, mine)
            slab = Slab(mine, blocks, net, [b.uses[mine[0]] for b in blocks])
            spot.height = slab_height(self, slab)
            self.slabs.append(slab)
            self.nets.append(net)

    def _used_alike(
        self, blocks: Iterable[Block], counted: bool
    ) -> Iterator[tuple[list[int], list[Block]]]:
        """Parameters that the same boxes use, where ``counted`` equally often; and these boxes."""
        users: dict[int, list[Block]] = defaultdict(list)
        for block in blocks:
            for parameter in block.uses:
                users[parameter].append(block)
        groups: dict[tuple[tuple[int, int], ...], list[int]] = defaultdict(list)
        for parameter in self.names:
            key = tuple((id(b), counted * b.uses[parameter]) for b in users[parameter])
            groups[key].append(parameter)
        yield from ((mine, users[mine[0]]) for mine in groups.values() if users[mine[0]])

    def draw_times(self) -> None:
        """Which steps the columns are, where the boxes do not say it."""

    def samples(self) -> Iterator[Sample]:
        """What lines, dots and dashes mean here."""
        if self.slabs:
            yield Sample("a dot connects: the same weights", "bus")
            yield Sample("a crossing without one does not", "cross")
        for state, look in self.looks.items():
            yield Sample(state, "line", look.stroke)
        yield Sample("other values", "thin")
        if any(block.column is not None and block.column.folded for block in self.shown):
            yield Sample("dashed: steps not drawn one by one", "dashed")

    def use_of(self, mine: Sequence[int], block: Block, step: int, folded: bool) -> Uses:
        """The use of some Parameters in a block."""
        params = tuple(ParameterBox(p, self.names[p], short_name(self.names[p])) for p in mine)
        counts = tuple(block.uses[p] for p in mine)
        when = "" if step else "after"
        return Uses(params, counts, when=when, step=step, folded=max(counts) if folded else 0)

    def _state_of(self, source: Block, value: int, role: str) -> str:
        outputs = {} if source.call is None else source.call.outputs
        return next((r for r, i in outputs.items() if i == value), role)


def draw_blocks(graph: RecordedGraph, steps: Sequence[int] | None = None) -> Scene:
    """Every cell and module as a box, whatever stands between them."""
    return lay_blocks(BlocksPicture(graph, steps))


def lay_blocks(picture: BlocksPicture) -> Scene:
    """A picture's boxes and lines, in its scene."""
    scene, channels = picture.scene, picture.channels
    picture.keys = {block: draw_block(picture, block) for block in picture.shown}
    _draw_states(picture)
    draw_values(picture, style.OUTSIDE_STATE)
    for k, slab in enumerate(picture.slabs):
        _draw_panel(picture, k, slab)
    picture.draw_times()
    scene.legend(picture.samples(), channels.left if picture.looks else 0.0)
    return scene


def draw_values(picture: BlocksPicture, unnamed: Line) -> None:
    """The lines of values, a cell's states in their colors; ``unnamed``: those of its other values."""
    scene, channels = picture.scene, picture.channels
    owners = {spot: block for block, spot in picture.spots.items()}
    for k, net in enumerate(picture.nets):
        if net.weights:
            continue
        source, said, _ = net.of
        line = style.OUTSIDE
        if (look := picture.look_of(source, said)) is not None:
            line = replace(style.OUTSIDE_STATE, color=look.stroke)
        elif source.kind == "cell":
            line = unnamed
        for target in net.targets:
            into, values = owners[target], picture.carried(net, target)
            ends, route = (picture.keys[source], picture.keys[into]), channels.route(net, target)
            picture.wire(ends, route, line, into, values)
        draw_dots(scene, channels, net, line.color, 4.5, ValueBox(source.node, f"net{k}"))


def draw_dots(
    scene: Scene, channels: Channels, net: Net, color: str, size: float, of: ValueBox
) -> None:
    """A dot where a net's line parts."""
    routes = [channels.route(net, target) for target in net.targets]
    after: dict[tuple[float, float], set[tuple[int, int]]] = defaultdict(set)
    for route in routes:
        others = [p for other in routes if other is not route for p in other]
        points = []
        for a, b in pairwise(route):
            on = [p for p in {*others} if _within(a, b, p)]
            points += [a, *sorted(on, key=lambda p: abs(p[0] - a[0]) + abs(p[1] - a[1]))]
        points.append(route[-1])
        for before, here, then in zip(points, points[1:], points[2:], strict=False):
            after[here].add(_toward(here, then))
            after[here].add(_toward(here, before))
    for k, (point, ways) in enumerate(after.items()):
        if len(ways) > 2:
            scene.dot((of, f"dot{k}"), *point, color, size)


def _within(a: tuple[float, float], b: tuple[float, float], p: tuple[float, float]) -> bool:
    if p in (a, b):
        return False
    if a[0] == b[0]:
        return p[0] == a[0] and min(a[1], b[1]) < p[1] < max(a[1], b[1])
    return p[1] == a[1] and min(a[0], b[0]) < p[0] < max(a[0], b[0])


def _toward(a: tuple[float, float], b: tuple[float, float]) -> tuple[int, int]:
    return (b[0] > a[0]) - (b[0] < a[0]), (b[1] > a[1]) - (b[1] < a[1])


def width_of_lines(lines: Iterable[str], bold: bool) -> float:
    """How wide a box with some lines is."""
    return max(30.0, max(text_width(w, style.OP_SIZE, bold) for w in lines) + 16)


def pill_width(words: str) -> float:
    """How wide a state's pill is that says these words."""
    return max(PILL, text_width(words, style.STATE, True) + 12)


def draw_block(picture: BlocksPicture, block: Block) -> Key:
    """A block's box with its words."""
    spot, lines = picture.spots[block], picture.words(block)
    of = ValueBox(block.node, f"b{picture.blocks.blocks.index(block)}")
    folded = block.kind == "many" or (block.column is not None and block.column.folded)
    look, kind, square = style.OP, "op" if block.kind == "many" else block.kind, False
    if block.kind == "input":
        look, kind = style.INPUT, "io"
    elif block.kind == "loss":
        look, square = style.LOSS, True
    elif block.kind == "module":
        look = style.GATE
    path = picture.nodes[block.node].path
    width = spot.right - spot.left
    args = (spot.x, spot.y, width, spot.height, look, kind)
    if block.kind not in ("cell", "module"):
        return picture.scene.box(
            of, "\n".join(lines), *args, square=square, dashed=folded, tooltip=path
        )
    key = picture.scene.box(of, "", *args, dashed=folded, tooltip=path)
    for k, line in enumerate(lines):
        y = spot.y + 12 * ((len(lines) - 1) / 2 - k)
        size, color = (style.OP_SIZE, style.INK) if k == 0 else (style.SMALL, style.SECOND)
        picture.scene.text(of, f"line{k}", line, spot.x, y, size, color, bold=k == 0)
    return key


def _draw_states(picture: BlocksPicture) -> None:
    """States from cell to cell: straight through a pill, and the initial ones at the first cell's side."""
    scene, channels, keys = picture.scene, picture.channels, picture.keys

    def height(block: Block, state: str) -> float:
        names = picture.states[block]
        k = names.index(state) if state in names else 0
        # The last is h: below, as in the picture of cells.
        return picture.spots[block].y + STATE_PITCH * ((len(names) - 1) / 2 - _rank(names, k))

    for n, (source, target, state, value) in enumerate(picture.beside):
        gap, look = picture._gap_into(target), picture.looks[state]
        a, b, y = picture.spots[source], picture.spots[target], height(target, state)
        forward = a.right < b.left
        width = picture._width_of(source, state)
        x = channels.pill_x(gap, width)
        column = source.column
        step = 0 if column is None else column.last if forward else column.first
        words, of = sub(picture.named(source, state), step), ValueBox(value, f"s{n}")
        pill = scene.pill(of, words, (x, y), (width, PILL_HEIGHT), look)
        ends = (a.right, x - width / 2, x + width / 2, b.left)
        if not forward:
            ends = (a.left, x + width / 2, x - width / 2, b.right)
        color = look.stroke
        away, back = ([(ends[k], y), (ends[k + 1], y)] for k in (0, 2))
        picture.wire((keys[source], pill), away, style.RAIL, target, [value], color=color)
        picture.wire((pill, keys[target]), back, style.RAIL_IN, target, [value], color=color)
    for n, (source, target, state) in enumerate(picture.initial):
        gap, look = picture._gap_into(target), picture.looks[state]
        spot, y = picture.spots[target], height(target, state)
        width = picture._width_of(target, state)
        x = channels.pill_x(gap, width)
        step = 0 if target.column is None or gap == target.columns[0] else target.column.last + 1
        if target.column is not None and gap == target.columns[0]:
            step = target.column.first - 1
        words, of = sub(picture.named(target, state), step), ValueBox(source.node, f"i{n}")
        pill = scene.pill(of, words, (x, y), (width, PILL_HEIGHT), look)
        out, into = (x + width / 2, spot.left) if x < spot.x else (x - width / 2, spot.right)
        route, values = [(out, y), (into, y)], [source.node]
        color = look.stroke
        picture.wire((pill, keys[target]), route, style.RAIL_IN, target, values, color=color)


def _common(paths: Sequence[str]) -> str:
    """The module around some modules."""
    parts = [path.split(".") for path in paths]
    same = takewhile(lambda level: len(set(level)) == 1, zip(*parts, strict=False))
    return ".".join(level[0] for level in same)


def _rank(names: Sequence[str], k: int) -> int:
    """c above h."""
    order = sorted(range(len(names)), key=lambda i: (names[i] == "h", i))
    return order.index(k)


def _draw_panel(picture: BlocksPicture, k: int, slab: Slab) -> None:
    """Parameters that are used together: each once, in a frame that one line leaves."""
    scene, channels, spot = picture.scene, picture.channels, slab.net.source
    of = draw_slab(picture, k, slab)
    port = scene.port((of, "out"), spot.right, spot.y)
    for block in slab.users:
        folded = block.column is not None and block.column.folded
        step = 0 if block.column is None else block.column.first
        use = picture.use_of(slab.params, block, step, folded)
        route = channels.route(slab.net, picture.spots[block])
        picture.wire((port, picture.keys[block]), route, style.USE, block, use=use, dashed=folded)
    draw_dots(scene, channels, slab.net, style.ORANGE, style.JUNCTION, of)


def _said_of(picture: BlocksPicture, slab: Slab) -> tuple[str, list[tuple[ParameterBox, str]]]:
    """What a slab is called, and of each Parameter its meaning and its words."""
    mine = slab.params
    name = _common([picture.names[p].rpartition(".")[0] for p in mine])
    label = next((b.call.label for b in slab.users if b.call is not None), "")
    words = [name, *(str(int(w) + 1) if w.isdigit() else w for w in label.split())]
    found = []
    for parameter in mine:
        dotted = picture.names[parameter]
        inner = dotted.rpartition(".")[0].removeprefix(name).lstrip(".")
        short = f"{inner}.{short_name(dotted)}" if inner else short_name(dotted)
        shown = short.removesuffix("_reverse") if "reverse" in words else short
        shape = picture.nodes[parameter].shape
        said = f"{shown}{'  ' + shape_text(shape) if shape else ''}{picture.chip_note(parameter)}"
        found.append((ParameterBox(parameter, dotted, short), said))
    return " ".join(words).strip(), found


def slab_width(picture: BlocksPicture, slab: Slab) -> float:
    """How wide a slab must be for its words."""
    title, chips = _said_of(picture, slab)
    chip = max(text_width(words, style.NOTE) for _, words in chips) + 10
    return max(text_width(title, style.OP_SIZE, True), slab.across * (chip + CHIP_GAP)) + 14


def slab_height(picture: BlocksPicture, slab: Slab) -> float:
    """How tall a slab is."""
    title, _ = _said_of(picture, slab)
    rows = -(-len(slab.params) // slab.across)
    return (HEAD if title else BARE) + FOOT + rows * (CHIP + CHIP_GAP)


def draw_slab(picture: BlocksPicture, k: int, slab: Slab) -> ValueBox:
    """The frame of some Parameters with their names and shapes; its meaning."""
    scene, mine, spot, across = picture.scene, slab.params, slab.net.source, slab.across
    frame = (spot.left, spot.y - spot.height / 2, spot.right, spot.y + spot.height / 2)
    look = Look(style.ORANGE, style.PARAM.fill, style.PARAM.text, 2.0)
    of = ValueBox(mine[0], f"panel{k}")
    scene.frame(of, frame, look)
    width = spot.right - spot.left
    uses = picture.graph.use_count(picture.names[mine[0]])
    title, chips = _said_of(picture, slab)
    if title:
        words = shorten(title, style.OP_SIZE, width - 12, True)
        at = (spot.x, frame[3] - 10, style.OP_SIZE, look.text)
        scene.text(of, "title", words, *at, bold=True)
    chip = (width - 12 - CHIP_GAP * (across - 1)) / across
    for n, (meaning, words) in enumerate(chips):
        y = frame[3] - (HEAD if title else BARE) - (CHIP + CHIP_GAP) * (n // across) - CHIP / 2
        x = frame[0] + 6 + chip / 2 + (chip + CHIP_GAP) * (n % across)
        said, look_of_chip = shorten(words, style.NOTE, chip - 8), replace(style.CHIP, pen=1.2)
        box = (meaning, said, x, y, chip, CHIP, look_of_chip, "param")
        scene.box(*box, square=True, size=style.NOTE, tooltip=meaning.name)
    each = " each" if len(mine) > 1 else ""
    scene.text(of, "uses", plural(uses, "use") + each, spot.x, frame[1] + 8, style.SMALL, look.text)
    return of
