"""How is what stands between two rows drawn? A band as wide as its cells, with what goes in and comes out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ...graphs.between import Between
from ...graphs.chains import Chain, Column, Output
from ...graphs.meaning import Input, Out, State
from ...graphs.recorded import HANDS_ON, GraphNode
from ..scene import style
from ..scene.scene import Key
from ..scene.text import (
    shape_text,
    shorten,
    span,
    state_name,
    sub,
    text_width,
    words_of_op,
)
from .grid import Anchor, AnyGrid, draw_param, jog, param_width, use_of

# Of a band; with the air around it; from the bar to its middle.
HEIGHT, ROOM, DROP = 22.0, 48.0, 33.0
ASIDE, APART = 30.0, 12.0  # from a band to what feeds it; between wires from two rows into it


def room_under(grid: AnyGrid, row: int) -> float:
    """How much more there is between a row and the one below it."""
    return ROOM * sum(box.above == row for box in grid.unrolled.betweens.all)


def key_of(box: Between) -> Key:
    """By what a band is found."""
    return box.meaning, ""


def draw_bands(grid: AnyGrid, bars: Sequence[float], ends: dict[int, Anchor]) -> list[Anchor]:
    """Every band, its Parameters to its right and its other operands to its left.

    ``bars`` are the heights of the bars of the rows, ``ends`` where a Parameter of the cells may be tapped.
    Returns where values from before the cells come in.
    """
    unrolled, fed = grid.unrolled, list[Anchor]()
    for box in unrolled.betweens.all:
        mine = [other for other in unrolled.betweens.all if other.above == box.above]
        y = bars[box.above] - DROP - ROOM * (len(mine) - 1 - mine.index(box))
        left, right = _sides(grid, [*box.sources, *box.users])
        words = " · ".join(words_of(unrolled.nodes, box))
        room = right - left - 12
        said = shorten(words, style.OP_SIZE, room)
        at = ((left + right) / 2, y, right - left, HEIGHT)
        key = grid.scene.box(box.meaning, said, *at, style.OP, "op", tooltip=words)
        sources = sorted(box.sources, key=lambda chain: -chain.row)
        for output in box.outputs.values():
            aside = APART * sources.index(output.chain)
            _draw_in(grid, box, output, y - HEIGHT / 2, aside)
        _draw_operands(grid, box, fed, left, y)
        _draw_params(grid, box, ends, right, y)
        for k, feed in enumerate(box.feeds):
            below = grid.scene.boxes[key_of(feed)]
            x = max(right, below.sides[2]) + 10 + 5 * k
            route = [(below.sides[2], below.y), (x, below.y), (x, y), (right, y)]
            grid.scene.wire(below.key, key, route, style.VALUE, of=feed.meaning)
    return fed


def _sides(grid: AnyGrid, chains: Iterable[Chain]) -> tuple[float, float]:
    edges = [grid.edges(chain, c) for chain in chains for c in grid.unrolled.columns(chain)]
    return min(left for left, _ in edges), max(right for _, right in edges)


def _draw_in(grid: AnyGrid, box: Between, output: Output, y: float, aside: float) -> None:
    """The wire from a cell's output up into a band, one for all the steps of a column."""
    chain = output.chain
    column = next(c for c in grid.unrolled.columns(chain) if output.step in c.steps)
    if output.step != chain.here(column)[0]:
        return
    if chain.partner is not None and output.role == "y":
        out = grid.scene.boxes[Out(chain, column), ""]
        tail, start = out.key, (out.x, out.sides[3])
    else:
        tail, start, _ = grid.boxes[chain].up_to(grid, column, 0.0)
    look = grid.looks.get(output.role, style.OP)
    route, of = (
        jog(start, (start[0] + aside, y), start[1] + 6),
        State(chain, column.last, output.role),
    )
    line = replace(style.UP, radius=style.STROKE.radius)
    grid.scene.wire(tail, key_of(box), route, line, of=of, color=look.stroke)


def _draw_operands(grid: AnyGrid, box: Between, fed: list[Anchor], left: float, y: float) -> None:
    """Values from outside the cells: a box for each that is given, an end for each that is computed."""
    nodes, inputs = grid.unrolled.nodes, [i for i in box.others if _given(grid, i)]
    for k, i in enumerate(i for i in box.others if i not in inputs):
        fed.append(Anchor(key_of(box), left, y - 6 + 4 * k, i))
    for k, i in enumerate(inputs):
        words = f"{nodes[i].name or 'input'}\n{shape_text(nodes[i].shape)}"
        width = max(26.0, text_width(words, style.OP_SIZE) + 14)
        x = left - ASIDE - width / 2 - k * (width + 8)
        value = grid.unrolled.value(i)
        key = grid.scene.box(value, words, x, y, width, 30, style.INPUT, "io")
        route = [(x + width / 2, y), (left, y)]
        grid.scene.wire(key, key_of(box), route, style.VALUE, of=value)


def _given(grid: AnyGrid, node: int) -> bool:
    nodes = grid.unrolled.nodes
    while nodes[node].op in HANDS_ON:
        node = nodes[node].inputs[0]
    return nodes[node].op == "input"


def _draw_params(
    grid: AnyGrid, box: Between, ends: dict[int, Anchor], right: float, y: float
) -> None:
    """The Parameters of a band, each once, with a tap; one of the cells is tapped at its bar."""
    x = (
        max([right, *(b.sides[2] for b in grid.scene.boxes.values() if abs(b.y - y) < ROOM)])
        + ASIDE
    )
    own = [p for p in box.params if p not in ends]
    for k, p in enumerate(box.params):
        if p in ends:
            start, route = ends[p].key, [(ends[p].x, ends[p].y), (right, y)]
        else:
            width = param_width(grid, p)
            start = draw_param(grid, p, x + width / 2, y)
            lane = y + 6 * (own.index(p) - (len(own) - 1) / 2)
            route = [(x, lane), (right, lane)]
            if k:
                bow = y + 21 + 4 * own.index(p)
                middle = x + width / 2
                route = [(middle, y + 21), (middle, bow), (right + 8, bow), (right + 8, lane)]
                route.append((right, lane))
            x += width + 12
        grid.scene.wire(start, key_of(box), route, style.USE, of=use_of(grid, p, "between"))


def words_of(nodes: Sequence[GraphNode], box: Between) -> list[str]:
    """What is done between two rows, in order: a word for each module and each other op."""
    around = {path[:k] for path in {n.path for n in nodes} for k, c in enumerate(path) if c == "."}
    words: dict[str | int, str] = {}
    for i in box.nodes:
        node = nodes[i]
        if node.op in HANDS_ON or node.op == "stack":
            continue
        if node.path and node.path not in around:
            words[node.path] = node.path.rpartition(".")[2]
        else:
            words[i] = node.detail or words_of_op(nodes, node)
    return list(words.values()) or ["steps in another order"]


# ---- what an input says ---------------------------------------------------------------------------------


def said_of(grid: AnyGrid, chain: Chain, column: Column, role: str) -> str:
    """What an input is computed from: ``f(h₁)``, ``f(h₁ … h₄)``."""
    betweens = grid.unrolled.betweens
    box = betweens.taken[chain, chain.here(column)[0], role]
    alone = [c.steps[0] for c in grid.unrolled.columns(chain) if not c.folded]
    for other in dict.fromkeys(output.chain for output in box.read.values()):
        alone += [c.steps[0] for c in grid.unrolled.columns(other) if not c.folded]
    known = grid.said.get((box, chain, role))
    if known is None:
        known = grid.said[box, chain, role] = betweens.reads(box, chain, role, sorted({*alone}))
    words: list[str] = []
    by_role: dict[str, set[int]] = {}
    for output in known[column.steps[0]]:
        name = state_name(output.role, output.chain.layer)
        by_role.setdefault(name, set()).add(output.step + 1)
    for name, steps in by_role.items():
        row = sorted(steps)
        whole = row == list(range(row[0], row[-1] + 1))
        words += [span(name, row[0], row[-1])] if whole and row[1:] else [sub(name, k) for k in row]
    return f"f({', '.join(words[:3])}{', …' * (len(words) > 3)})"


def draw_up(grid: AnyGrid, box: Between, to: Input, end: tuple[float, float]) -> None:
    """The wire from a band up to an input."""
    band = grid.scene.boxes[key_of(box)]
    grid.scene.wire(band.key, (to, ""), [(end[0], band.sides[3]), end], style.UP, of=to)
