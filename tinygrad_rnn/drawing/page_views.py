"""The pictures of the page, one a level: clean SVG, its columns, and the node that each box stands for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from . import style
from .auto import auto_dot
from .cells import draw_cells
from .lanes import Lane, NoLatticeError
from .layers import draw_layers
from .ops import draw_ops
from .page_numbers import pack
from .render import svg_of
from .slots import Slot, fold
from .unroll import Lattice, unroll
from .words import plural
from .written import write

if TYPE_CHECKING:
    from ..graphs.graph import Graph
    from .shapes import Picture

ALL = 9  # so many steps are drawn one by one; of more, the first, a window, and the last
FOLDS = 2  # steps that each fold stands for, at least, when it is drawn


@dataclass
class View:
    """One level: its SVG, what its boxes stand for, and the columns (``[first, last, folded]``, from 1)."""

    level: str
    title: str
    svg: str
    boxes: dict[str, int]
    slots: list[tuple[int, int, bool]] = field(default_factory=list)
    window: tuple[int, int] | None = None  # which of the slots are the window that can be moved
    span: tuple[int, int] | None = None  # between which steps (from 1) the window can be
    lanes: dict[str, Any] = field(default_factory=dict)

    def data(self) -> dict[str, Any]:
        """All but the SVG, for the page's script."""
        return {
            "level": self.level,
            "boxes": self.boxes,
            "slots": self.slots,
            "window": self.window,
            "span": self.span,
            "lanes": self.lanes,
        }


def views_of(graph: Graph, engine: str | None = None) -> list[View]:
    """Every level that the graph has: its layers and cells (where any ran) and its ops."""
    views = [_drawn_view(graph, "layer", draw_layers(graph), engine)] if graph.calls else []
    try:
        lattice = unroll(graph, ALL)
    except NoLatticeError:
        return [*views, _drawn_view(graph, "op", auto_dot(graph), engine)]
    window = _window(lattice)
    if window is not None:
        lattice.blocks = [fold(_steps(lattice), ALL, window.shown)]
    if graph.calls:
        with suppress(NoLatticeError):
            views.append(_view(lattice, "cell", draw_cells(lattice), window, engine))
    try:
        views.append(_view(lattice, "op", draw_ops(lattice), window, engine))
    except NoLatticeError:
        views.append(_drawn_view(graph, "op", auto_dot(graph), engine))
    return views


class Window(NamedTuple):
    """The steps to draw of a long graph, and between which steps (from 1) the window can be moved."""

    shown: list[int]
    span: tuple[int, int]


def _view(
    lattice: Lattice, level: str, picture: Picture, window: Window | None, engine: str | None
) -> View:
    alone = lattice.blocks[0] if len(lattice.blocks) == 1 else []
    return View(
        level,
        picture.title,
        clean(svg_of(write(picture), engine), level),
        dict(_boxes(lattice, picture)),
        [(slot.first, slot.last, slot.folded) for slot in alone],
        None if window is None else (3, 4),
        None if window is None else window.span,
        {lane.key: _members(lane) for lane in lattice.lanes},
    )


def _steps(lattice: Lattice) -> list[int]:
    return sorted(s for slot in lattice.blocks[0] for s in slot.steps)


def _window(lattice: Lattice) -> Window | None:
    """What to draw of a long graph.

    Drawn are the first and the last, and the window: two in the middle. It goes as far as steps are like
    those. None where all are drawn, or where lanes of several blocks have steps of their own.
    """
    if len(lattice.blocks) > 1:
        return None
    steps = _steps(lattice)
    n, ends = len(steps), style.ENDS
    if n <= ALL:
        return None
    inner = steps[ends : n - ends]
    kinds = [_kind(lattice, step) for step in inner]
    middle = max(FOLDS, min(len(inner) // 2 - 1, len(inner) - FOLDS - 2))
    if kinds[middle] != kinds[middle + 1]:
        return None
    low, high = middle, middle + 1
    while low > 0 and kinds[low - 1] == kinds[middle]:
        low -= 1
    while high < len(inner) - 1 and kinds[high + 1] == kinds[middle]:
        high += 1
    shown = [*steps[:ends], inner[middle], inner[middle + 1], *steps[-ends:]]
    return Window(shown, (inner[low] + 1, inner[high] + 1))


def _kind(lattice: Lattice, step: int) -> list[Any]:
    """Equal for steps that are drawn alike but for their number."""
    nodes = lattice.nodes
    return [
        (lane.key, step in lane.ended, [(nodes[i].op, nodes[i].name) for i in call.nodes])
        for lane in lattice.lanes
        if (call := lane.calls.get(step)) is not None
    ]


def _drawn_view(graph: Graph, level: str, text: str, engine: str | None) -> View:
    """A picture that Graphviz lays out: boxes of nodes are called ``n17``."""
    svg = clean(svg_of(text, engine), level)
    boxes = {f"param.{name}": node.id for name, node in graph.parameters.items()}
    boxes.update({box: int(box[1:]) for box in re.findall(r'data-id="(n\d+)"', svg)})
    return View(level, f"Graph, {plural(len(graph.parameters), 'Parameter')}", svg, boxes)


# ---- which node a box stands for --------------------------------------------------------------


def _members(lane: Lane) -> dict[str, Any]:
    """The nodes of each of a lane's steps, as rows of equal length: what stands at one place in all."""
    rows = {step: _row(lane, step) for step in lane.steps}
    width = max(len(row) for row in rows.values())
    table = [row if len(row) == width else [-1] * width for row in rows.values()]
    steps = list(rows)
    return {
        "first": steps[0] + 1,
        "width": width,
        "rows": pack(table, "i4") if steps == list(range(steps[0], steps[-1] + 1)) else None,
        "title": lane.title,
        "path": lane.path,
        "label": lane.label,
        "back": lane.backwards,
    }


def _row(lane: Lane, step: int) -> list[int]:
    call = lane.calls[step]
    return [*call.nodes, *call.inputs.values()]


def _boxes(lattice: Lattice, picture: Picture) -> Iterator[tuple[str, int]]:
    """The id of each box that stands for a value, and the node that it stands for."""
    yield from picture.stands.items()
    for node in lattice.graph.parameters.values():
        yield f"param.{lattice.names[node.id]}", node.id
    labels = {box.id: box.label for box in picture.nodes}
    for lane in lattice.lanes:
        for slot in lattice.slots(lane):
            yield from _of_slot(lattice, lane, slot, labels)
        start = lattice.slots(lane)
        number = start[-1].last + 1 if lane.backwards else start[0].first - 1
        for state in lane.states:
            if state in lane.start.inputs:
                yield f"{lane.key}.{state}{number}", lane.start.inputs[state]


def _of_slot(
    lattice: Lattice, lane: Lane, slot: Slot, labels: dict[str, str]
) -> Iterator[tuple[str, int]]:
    here = lane.here(slot)
    last = lane.calls[here[0] if lane.backwards else here[-1]]
    for state, node in last.outputs.items():
        yield f"{lane.key}.{state}{slot.first if lane.backwards else slot.last}", node
    if slot.folded:
        return
    call, key, cell = lane.calls[here[0]], lane.key, f"{lane.key}.t{slot.first}"
    named = {lattice.nodes[i].name: i for i in call.nodes if lattice.nodes[i].name}
    for state, node in call.outputs.items():
        yield f"{cell}.{state}", node
    if "x" in call.inputs:
        yield f"{key}.x{slot.first}", call.inputs["x"]
    if "z" in named and "z" not in lane.gates and "z" not in lane.states:
        yield f"{cell}.z", named["z"]
    k = 0
    while (chip := labels.get(f"{cell}.gate{k}")) is not None:
        if (node := named.get(chip.rpartition(" ")[2], -1)) >= 0:
            yield f"{cell}.gate{k}", node
        k += 1
    if f"{key}.y{slot.first}" in labels:
        own = [i for i in call.nodes if i in lattice.made and lattice.made[i].role == "y"]
        yield f"{key}.y{slot.first}", own[0] if own else call.outputs.get(lane.out_role, -1)


# ---- SVG as a part of a page ------------------------------------------------------------------


def clean(svg: str, prefix: str) -> str:
    """Graphviz's SVG without ids, titles and links: what they say is in ``data-id`` and ``data-tip``."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(
        r'<g id="[^"]*" class="([^"]*)"([^>]*)>\s*<title>([^<]*)</title>',
        lambda m: f'<g class="{m[1]}" data-id="{_quoted(m[3])}"{m[2]}>',
        svg,
    )
    svg = re.sub(r'<g id="a_[^"]*"><a xlink:title="([^"]*)">', r'<g data-tip="\1">', svg)
    svg = re.sub(r"</a>\s*</g>", "</g>", svg)
    svg = svg.replace(f' font-family="{style.FONT}"', "").replace("&#45;", "-")
    svg = re.sub(r"\s*\n\s*", "", svg.replace('"\n viewBox', '" viewBox'))
    return svg.replace("<svg ", f'<svg id="svg-{prefix}" ', 1)


def _quoted(text: str) -> str:
    """Text of an element, escaped already, as an attribute."""
    return text.replace('"', "&quot;")
