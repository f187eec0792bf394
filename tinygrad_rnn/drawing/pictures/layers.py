"""How are layers drawn? A box a layer, its states as loops, its weights under it, one tap for all steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

from ...graphs.blocks import Block, Blocks
from ...graphs.layered import LayerBlocks
from ...graphs.meaning import LayerBox, Uses, ValueBox
from ...graphs.numbers import name_of
from ...graphs.recorded import RecordedGraph, title_of
from ..layout.channels import AIR, Channels, Net, Standing
from ..layout.lanes import Lanes
from ..scene import style
from ..scene.scene import Key, Sample, Scene
from ..scene.text import plural, shape_text, span, state_name, sub, text_width
from .blocks import (
    PILL_HEIGHT,
    BlocksPicture,
    Slab,
    draw_block,
    draw_dots,
    draw_slab,
    draw_values,
    pill_width,
    slab_height,
    slab_width,
    width_of_lines,
)

LOOP, RISE, STUB = 44.0, 16.0, 26.0  # heights of a loop and of its turns; from a box to its pill
# Room for an arrow, and for a tap that says how often.
START, TAP_ROOM, TAP_WORDS = 14.0, 34.0, 12.0
LEAVES, ENTERS = replace(style.RAIL, radius=5.0), replace(style.RAIL_IN, radius=5.0)  # loops
MIN_SLAB, MAX_SLAB, LINE = 86.0, 280.0, 13.0
SCREEN, LANES = 1440.0, (5, 3, 2, 1)  # what is wider than a screen has fewer lanes


def layer_name(path: str, title: str, label: str) -> str:
    """What a layer is known by: its path, else its cell's title, and which of several it is."""
    return " ".join(filter(None, [path or title, label]))


class LayersPicture(BlocksPicture):
    """The layers, modules and ops of a graph without time, and the scene that they are drawn in."""

    blocks: LayerBlocks
    narrow_inputs = False

    def __init__(self, graph: RecordedGraph, lanes: int = LANES[0]) -> None:
        self.lanes = lanes
        self._begin(self._read(graph, None))
        layers = self.blocks.calls_of
        steps = max((self.blocks.steps_of(block).stop for block in layers), default=0)
        words = f"{plural(len(layers), 'layer')}, {plural(steps, 'step')}"
        self.scene = Scene(words if layers else "Modules and the ops between them")
        self.layers: dict[Block, LayerBox] = {}
        names: dict[str, int] = {}
        for block, (first, *_) in layers.items():
            name = layer_name(first.path, title_of(first.cell), first.label)
            self.layers[block] = LayerBox(name, names.get(name, 0))
            names[name] = names.get(name, 0) + 1
        self._choose_initial()
        self._find_slabs()
        self._place()
        self._choose_handed()
        self._measure()
        self._nets()
        slabs = [slab.net.source for slab in self.slabs]
        nets = [net for net in self.nets if net.targets]
        spots = [*self.spots.values(), *slabs]
        said = {s: n for slab in self.slabs for s, n in zip(slab.users, slab.counts, strict=True)}
        under = {block.level: TAP_WORDS for block, count in said.items() if count > 1}
        self.channels = Channels(spots, nets, self._pills(), 0.0, lanes=True, under=under)

    def _read(self, graph: RecordedGraph, steps: Sequence[int] | None) -> Blocks:
        return LayerBlocks(graph, steps)

    def _states(self, block: Block) -> list[str]:
        return self.blocks.states_of(block)

    # ---- what stands beside a layer

    def _choose_initial(self) -> None:
        """Initial states that only one layer starts from stand at its side."""
        users = self.blocks.users()
        for block in self.blocks.blocks:
            sides: set[str] = set()
            kept = []
            for source, value, role in block.feeds:
                alone = source.kind == "input" and len(users[source]) == 1 and role not in sides
                if role and alone and block in self.blocks.calls_of:
                    sides.add(role)
                    self.initial.append((source, block, role))
                else:
                    kept.append((source, value, role))
            block.feeds = kept
        aside = {source for source, _, _ in self.initial}
        self.shown = [block for block in self.blocks.blocks if block not in aside]

    def _find_slabs(self) -> None:
        """Parameters that the same boxes use equally often, together; where the first of these stands."""
        order = sorted(self.shown, key=lambda block: min(block.nodes))
        self.slabs, beside = [], set[Block]()
        for mine, blocks in self._used_alike(order, counted=True):
            under = blocks[0].kind == "cell" or blocks[0] in beside
            if not under:
                beside.add(blocks[0])
            spot, across = Standing([], 0, 0.0, 0.0), 2 if under and len(mine) > 1 else 1
            counts = [block.uses[mine[0]] for block in blocks]
            slab = Slab(mine, blocks, Net(spot, [], True, mine), counts, under, across)
            spot.height = slab_height(self, slab)
            spot.width = min(max(slab_width(self, slab), MIN_SLAB), MAX_SLAB)
            self.slabs.append(slab)

    def _place(self) -> None:
        under: dict[object, Block] = {s: s.users[0] for s in self.slabs if s.under}
        beside: dict[object, Block] = {s: s.users[0] for s in self.slabs if not s.under}
        lanes = Lanes(self.shown, under, beside, self.lanes)
        self.count = lanes.count
        wide = self.blocks.calls_of
        for block in self.shown:
            column, block.level = lanes.place[block]
            block.columns = [column, column + 1] if block in wide else [column]
        for slab in self.slabs:
            column, slab.net.source.level = lanes.place[slab]
            slab.net.source.columns = [column]

    def _choose_handed(self) -> None:
        """States that go from one layer straight to the one beside it, which starts from them."""
        started = {(block, role) for _, block, role in self.initial}  # their line is taken
        for block in self.shown:
            kept = []
            for source, value, role in block.feeds:
                beside = source.level == block.level and source.columns[-1] + 1 == block.columns[0]
                same = self.states[source] == self.states[block]
                free = role and (block, role) not in started
                if free and beside and same and self.blocks.said(source, value) == role:
                    self.beside.append((source, block, role, value))
                else:
                    kept.append((source, value, role))
            block.feeds = kept
        handed = {(source, role) for source, _, role, _ in self.beside}
        self.loops = [
            (block, state)
            for block in self.blocks.calls_of
            for state in self.states[block]
            if len(self.blocks.steps_of(block)) > 1 or (block, state) in handed
        ]

    def own_values(self, block: Block, state: str) -> list[int]:
        """The nodes of a state that a layer hands from step to step: those that enter it again."""
        calls = self.blocks.calls_of[block]
        entering = {value for source, value in self.blocks.taken_by(block) if source is block}
        return [i for call in calls if (i := call.outputs.get(state)) in entering and i is not None]

    def named(self, block: Block, state: str) -> str:
        """A state of a layer, with the layer's number where there are several."""
        calls = self.blocks.calls_of[block]
        name = name_of(calls[0].path or title_of(calls[0].cell), calls[0].label)
        return state_name(state, self.blocks.numbers.get(name))

    def _initial_width(self, block: Block, state: str) -> float:
        return pill_width(sub(self.named(block, state), 0))

    def _loop_width(self, block: Block, state: str) -> float:
        return pill_width(self.named(block, state))

    def _pills(self) -> list[float]:
        """The room for pills in each gap: that of loops, then that of initial states."""
        pills = [0.0] * (self.count + 1)
        self.starts = [0.0] * (self.count + 1)
        for _, block, state in self.initial:
            gap, width = block.columns[0], self._initial_width(block, state) + START
            self.starts[gap] = max(self.starts[gap], width)
        loops = [0.0] * (self.count + 1)
        for block, state in self.loops:
            gap = block.columns[-1] + 1
            loops[gap] = max(loops[gap], self._loop_width(block, state) + STUB)
        for _, block, _, _ in self.beside:  # room for the arrow from a loop to the layer beside it
            self.starts[block.columns[0]] = max(self.starts[block.columns[0]], START)
        self.room = loops
        for k in range(self.count + 1):
            pills[k] = self.starts[k] + loops[k]
        for slab in self.slabs:
            if not slab.under and slab.counts[0] > 1:
                gap = slab.net.source.columns[0]
                pills[gap] = max(pills[gap], TAP_ROOM)
        return pills

    # ---- what boxes say, and what flows

    def words(self, block: Block) -> list[str]:
        """What a box says, line by line."""
        calls = self.blocks.calls_of.get(block)
        if calls is None:
            if block.kind == "input":
                return self._input_lines(block)
            if block.kind == "many":
                return [f"x {block.count:,} {block.title}"]
            more = [f"x {block.times}"] if block.times > 1 else []
            return [*super().words(block), *more]
        first = calls[0]
        paths = {mine[0].path for mine in self.blocks.calls_of.values()}
        title = title_of(first.cell)
        plain = (title.lower(), f"{title.lower()}cell")
        path = first.path if len(paths) > 1 or first.path.lower() not in plain else ""
        label = [str(int(w) + 1) if w.isdigit() else w for w in first.label.split()]
        count = sum(call.times for call in calls)
        runs = self.blocks.runs_of(block)
        said = [f"x {plural(count, 'step')}" + f", {runs} runs" * (runs > 1)]
        return [title, *filter(None, [" ".join([path, *label]).strip()]), *said]

    def _input_lines(self, block: Block) -> list[str]:
        node = self.nodes[block.node]
        layers = [user for user in self.users.get(block, ()) if user in self.blocks.calls_of]
        if len(block.nodes) > 1 and layers:
            steps = self.blocks.steps_of(layers[0])
            name = node.name if node.name.isidentifier() else "x"
            return [span(name, steps.start + 1, steps.stop), f"{shape_text(node.shape)} each"]
        return [node.name or "input", shape_text(node.shape)]

    def _size(self, block: Block, lines: Sequence[str]) -> tuple[float, float]:
        """How large a box with some lines is."""
        tall = 12.0 * len(lines) + 12
        if block.kind == "cell":
            tall = max(LINE * len(lines) + 14, LOOP * len(self.states[block]) + 6)
        return width_of_lines(lines, block.kind in ("cell", "module")), tall

    def _measure(self) -> None:
        self.users = self.blocks.users()
        super()._measure()

    def _nets(self) -> None:
        nets: dict[tuple[Block, str], Net] = {}
        for block in self.shown:
            for source, value, role in block.feeds:
                said = self.blocks.said(source, value)
                net = nets.setdefault(
                    (source, said), Net(self.spots[source], of=(source, said, value))
                )
                if self.spots[block] not in net.targets:
                    net.targets.append(self.spots[block])
                self._carried[net, self.spots[block]] += self.blocks.values_of(
                    block, source, value, role
                )
        for slab in self.slabs:
            far = slab.users if slab.under else slab.users[1:]
            slab.net.targets = [self.spots[block] for block in far]
        self.nets = [*nets.values(), *(slab.net for slab in self.slabs)]

    def samples(self) -> Iterator[Sample]:
        """What lines mean here."""
        if self.slabs:
            yield Sample("one set of weights, for every step" if self.loops else "weights", "line")
        for state, look in self.looks.items():
            yield Sample(state, "line", look.stroke)
        if self.loops:
            yield Sample("a loop: what each step hands to the next", "text")
        yield Sample("other values", "thin")

    def line_of(self, block: Block, state: str) -> float:
        """The height of a state at the side of a layer."""
        names = self.states[block]
        k = names.index(state) if state in names else 0
        return self.spots[block].y + LOOP * ((len(names) - 1) / 2 - k)


P = TypeVar("P", bound=LayersPicture)


def draw_layers(graph: RecordedGraph) -> Scene:
    """The picture of a graph at the level of layers; of one without layers, its modules."""
    return lay_layers(lambda lanes: LayersPicture(graph, lanes))[0]


def lay_layers(make: Callable[[int], P]) -> tuple[Scene, P]:
    """The scene of a picture, with all its lanes or, where that is wider than a screen, with fewer."""
    for lanes in LANES:
        picture = make(lanes)
        if picture.channels.right <= SCREEN:
            break
    scene = picture.scene
    picture.keys = {block: _draw_box(picture, block) for block in picture.shown}
    _draw_starts(picture, _draw_loops(picture))
    draw_values(picture, style.OUTSIDE)
    words: dict[Block, list[tuple[Uses, float, int]]] = {}
    for k, slab in enumerate(picture.slabs):
        _draw_slab(picture, k, slab, words)
    _draw_counts(picture, words)
    scene.legend(picture.samples(), scene.bounds()[0])
    return scene, picture


def _draw_box(picture: LayersPicture, block: Block) -> Key:
    """A layer's box, its name in bold; others as in the picture of cells."""
    calls = picture.blocks.calls_of.get(block)
    if calls is None:
        return draw_block(picture, block)
    spot, of = picture.spots[block], picture.layers[block]
    width = spot.right - spot.left
    box = (spot.x, spot.y, width, spot.height, style.OP, "layer")
    key = picture.scene.box(of, "", *box, tooltip=of.name)
    lines = picture.words(block)
    for k, line in enumerate(lines):
        y = spot.y + LINE * ((len(lines) - 1) / 2 - k)
        size, color = (style.STATE, style.INK) if k == 0 else (style.NOTE, style.SECOND)
        picture.scene.text(of, f"line{k}", line, spot.x, y, size, color, bold=k == 0)
    return key


def _draw_loops(picture: LayersPicture) -> dict[tuple[Block, str], tuple[Key, float]]:
    """Each state of a layer as a loop through its pill; the pills, and where they end at the right."""
    scene = picture.scene
    found: dict[tuple[Block, str], tuple[Key, float]] = {}
    for n, (block, state) in enumerate(picture.loops):
        gap, look = block.columns[-1] + 1, picture.looks[state]
        spot, y = picture.spots[block], picture.line_of(block, state)
        width = picture._loop_width(block, state)
        room = picture.room[gap]
        x = picture.channels.pill_x(gap, room) - picture.starts[gap] + STUB / 2
        last = picture.blocks.calls_of[block][-1].outputs.get(state, block.node)
        of = ValueBox(last, f"loop{n}")
        words = picture.named(block, state)
        pill = scene.pill(of, words, (x, y), (width, PILL_HEIGHT), look)
        found[block, state] = pill, x + width / 2
        if len(picture.blocks.steps_of(block)) > 1:
            out = [(spot.right, y + RISE), (x, y + RISE), (x, y + PILL_HEIGHT / 2)]
            mine, key = picture.own_values(block, state), picture.keys[block]
            picture.wire((key, pill), out, LEAVES, block, mine, color=look.stroke)
            back = [(x, y - PILL_HEIGHT / 2), (x, y - RISE), (spot.right, y - RISE)]
            picture.wire((pill, key), back, ENTERS, block, mine, color=look.stroke)
        else:
            route = [(spot.right, y), (x - width / 2, y)]
            scene.wire(picture.keys[block], pill, route, LEAVES, color=look.stroke)
    return found


def _draw_starts(picture: LayersPicture, pills: dict[tuple[Block, str], tuple[Key, float]]) -> None:
    """Initial states at the left of their layers; those that another layer left go on from its pill."""
    scene = picture.scene
    for n, (source, block, state) in enumerate(picture.initial):
        look, y = picture.looks[state], picture.line_of(block, state)
        width = picture._initial_width(block, state)
        x = picture.channels.pill_x(block.columns[0], width) - START + AIR
        words = sub(picture.named(block, state), picture.blocks.steps_of(block).start)
        of = ValueBox(source.node, f"i{n}")
        pill = scene.pill(of, words, (x, y), (width, PILL_HEIGHT), look)
        line = [(x + width / 2, y), (picture.spots[block].left, y)]
        ends = (pill, picture.keys[block])
        picture.wire(ends, line, ENTERS, block, [source.node], color=look.stroke)
    for source, block, state, value in picture.beside:
        look, y = picture.looks[state], picture.line_of(block, state)
        pill, right = pills[source, state]
        line = [(right, y), (picture.spots[block].left, y)]
        values = picture.blocks.values_of(block, source, value, state)
        ends = (pill, picture.keys[block])
        picture.wire(ends, line, ENTERS, block, values, color=look.stroke)


def _draw_slab(
    picture: LayersPicture,
    k: int,
    slab: Slab,
    words: dict[Block, list[tuple[Uses, float, int]]],
) -> None:
    """The frame of some Parameters, and one tap to each box that uses them; ``words`` of those from below."""
    scene, spot = picture.scene, slab.net.source
    of = draw_slab(picture, k, slab)
    out, side = (of, "out"), (of, "side")
    if slab.net.targets:
        scene.port(out, spot.x, spot.y + spot.height / 2)
    for n, (block, count) in enumerate(zip(slab.users, slab.counts, strict=True)):
        use = picture.use_of(slab.params, block, 0, count > 1)
        target = picture.spots[block]
        if n or slab.under:
            route = picture.channels.route(slab.net, target)
            picture.wire((out, picture.keys[block]), route, style.USE, block, use=use)
            words.setdefault(block, []).append((use, route[-1][0], count))
            continue
        scene.port(side, spot.left, spot.y)
        route = [(spot.left, spot.y), (target.right, spot.y)]
        picture.wire((side, picture.keys[block]), route, style.USE, block, use=use)
        if count > 1:
            at = ((spot.left + target.right) / 2 + 3, spot.y + 9, 9.5, style.ORANGE)
            scene.text(use, f"uses{k}", f"x {count}", *at, bold=True)
    draw_dots(scene, picture.channels, slab.net, style.ORANGE, style.JUNCTION, of)


def _draw_counts(picture: LayersPicture, words: dict[Block, list[tuple[Uses, float, int]]]) -> None:
    """Beside the taps into a box how often it uses what they bring: those at its ends have room for it."""
    for n, (block, taps) in enumerate(words.items()):
        y = picture.spots[block].y - picture.spots[block].height / 2 - 9
        taps.sort(key=lambda tap: tap[1])
        for k, (use, x, count) in enumerate(taps):
            last = k == len(taps) - 1
            if count > 1 and (last or k == 0):
                said = f"x {count}"
                at = x + 6 if last else x - 12 - text_width(said, 9.5, True)
                size = (9.5, style.ORANGE)
                picture.scene.text(use, f"uses.{n}.{k}", said, at, y, *size, bold=True, left=True)
