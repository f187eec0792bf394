"""Which pictures are in a page? One a level: clean SVG, its columns, and what each part of it means."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..drawing.output import Part, svg_of, write
from ..drawing.pictures.blocks import draw_blocks
from ..drawing.pictures.cells import draw_cells
from ..drawing.pictures.each_op import draw_each_op
from ..drawing.pictures.layers import draw_layers, layer_name
from ..drawing.pictures.ops import draw_ops
from ..drawing.scene import style
from ..drawing.scene.scene import Box, Frame, Scene, Wire
from ..graphs.chains import ENDS, Chain, NotUnrollableError, fold
from ..graphs.layered import has_modules
from ..graphs.meaning import CellAt, Input, LayerBox, Out, ParameterBox, State, Uses, Weights
from ..graphs.recorded import RecordedGraph
from ..graphs.unrolled import UnrolledGraph
from .tables import pack

ALL = 9  # so many steps are drawn one by one; of more, the first, a window, and the last
FOLDS = 2  # steps that each fold stands for, at least, when it is drawn


@dataclass
class PageView:
    """One level: its SVG, what its parts mean, and the columns (``[first, last, folded]``, from 1).

    The k-th part is the element of the SVG with ``data-part="k"``.
    """

    level: str
    title: str
    svg: str
    parts: list[dict[str, Any]]
    columns: list[tuple[int, int, bool]] = field(default_factory=list)
    window: tuple[int, int] | None = None  # which of the columns are the window that can be moved
    span: tuple[int, int] | None = None  # between which steps (from 1) the window can be
    chains: dict[str, Any] = field(default_factory=dict)

    @property
    def nodes(self) -> set[int]:
        """The nodes that boxes stand for."""
        return {part["node"] for part in self.parts if "node" in part}

    def data(self) -> dict[str, Any]:
        """All but the SVG, for the page's script."""
        names = ("level", "parts", "columns", "window", "span")
        return {name: getattr(self, name) for name in names}


def views_of(graph: RecordedGraph, engine: str | None = None) -> list[PageView]:
    """Every level that the graph has: its layers and cells (where any ran) and its ops."""
    known = {node.id: k for k, node in enumerate(graph.parameters.values())}

    def laid(level: str, scene: Scene, **more: Any) -> PageView:
        svg = clean(svg_of(write(scene, numbered=True), engine), level)
        return PageView(level, scene.title, svg, parts_of(_all(scene), known), **more)

    def between() -> list[PageView]:
        """Cells with other boxes between them."""
        return [laid("cell", draw_blocks(graph))] if graph.calls else []

    modules = graph.calls or has_modules(graph)
    views = [laid("layer", draw_layers(graph))] if modules else []
    try:
        unrolled = UnrolledGraph.read(graph, ALL)
    except NotUnrollableError:
        return [*views, *between(), laid("op", draw_each_op(graph))]
    times = _times(unrolled)
    window = _window(unrolled, times)
    if window is not None:
        unrolled.segments = [fold([*times], ALL, window.shown, times)]
    alone = unrolled.segments[0] if len(unrolled.segments) == 1 else []
    columns = [(column.first, column.last, column.folded) for column in alone]

    over_time = {
        "columns": columns,
        "window": None if window is None else (3, 4),
        "span": None if window is None else window.span,
        "chains": {chain.key: _members(chain) for chain in unrolled.chains},
    }
    if graph.calls:
        try:
            views.append(laid("cell", draw_cells(unrolled).scene, **over_time))
        except NotUnrollableError:
            views += between()
    try:
        views.append(laid("op", draw_ops(unrolled).scene, **over_time))
    except NotUnrollableError:
        views.append(laid("op", draw_each_op(graph)))
    return views


def _all(scene: Scene) -> list[Part]:
    """Everything of a scene, in the order in which it is numbered."""
    return [*scene.frames, *scene.boxes.values(), *scene.wires]


# ---- the window of a long graph -------------------------------------------------------------------


class Window(NamedTuple):
    """The steps to draw of a long graph, and between which steps (from 1) the window can be moved."""

    shown: list[int]
    span: tuple[int, int]


def shown_of(steps: range) -> list[int]:
    """The steps that are drawn of a long graph: the first and the last, and two in the middle, the window.

    >>> shown_of(range(100))
    [0, 1, 49, 50, 98, 99]
    """
    inner = steps[ENDS:-ENDS]
    middle = max(FOLDS, min(len(inner) // 2 - 1, len(inner) - FOLDS - 2))
    return [*steps[:ENDS], *inner[middle : middle + 2], *steps[-ENDS:]]


def _times(unrolled: UnrolledGraph) -> dict[int, int]:
    """The steps that were read, and how many each stands for."""
    steps = sorted(s for column in unrolled.segments[0] for s in column.steps)
    times = dict.fromkeys(steps, 1)
    for chain in unrolled.chains:
        times.update({s: call.times for s, call in chain.calls.items() if s in times})
    return times


def _window(unrolled: UnrolledGraph, times: Mapping[int, int]) -> Window | None:
    """What to draw of a long graph.

    Drawn are the first and the last, and the window: two in the middle. It goes as far as steps are like
    those. None where all are drawn, or where chains of several segments have steps of their own.
    """
    if len(unrolled.segments) > 1 or sum(times.values()) <= ALL:
        return None
    steps = [*times]
    all_steps = range(steps[0], steps[-1] + times[steps[-1]])
    if sum(times.values()) < len(all_steps):  # a gap: not steps one after another
        all_steps = range(0)
    shown = shown_of(all_steps) if all_steps else _places(steps, shown_of(range(len(steps))))
    if not set(shown) <= set(steps):
        return None
    inner = steps[ENDS : len(steps) - ENDS]
    kinds = [_kind(unrolled, step) for step in inner]
    middle = inner.index(shown[ENDS])
    if kinds[middle] != kinds[middle + 1]:
        return None
    low, high = middle, middle + 1
    while low > 0 and kinds[low - 1] == kinds[middle]:
        low -= 1
    while high < len(inner) - 1 and kinds[high + 1] == kinds[middle]:
        high += 1
    return Window(shown, (inner[low] + 1, inner[high] + times[inner[high]]))


def _places(steps: Sequence[int], places: Sequence[int]) -> list[int]:
    return [steps[k] for k in places]


def _kind(unrolled: UnrolledGraph, step: int) -> list[object]:
    """Equal for steps that are drawn alike but for their number."""
    nodes = unrolled.nodes
    return [
        (chain.key, step in chain.ended, [(nodes[i].op, nodes[i].name) for i in call.nodes])
        for chain in unrolled.chains
        if (call := chain.calls.get(step)) is not None
    ]


def _members(chain: Chain) -> dict[str, Any]:
    """The nodes of each of a chain's steps, as rows of equal length: what stands at one place in all."""
    steps = chain.steps
    calls = [chain.calls[step] for step in steps]
    whole = all(call.times == 1 for call in calls) and steps == [*range(steps[0], steps[-1] + 1)]
    rows = [[*call.nodes, *call.inputs.values()] for call in calls]
    width = max(map(len, rows))
    table = [row if len(row) == width else [-1] * width for row in rows]
    return {
        "first": steps[0] + 1,
        "width": width,
        "rows": pack(table, "i4") if whole else None,
        "title": chain.title,
        "path": chain.path,
        "layer": layer_name(chain.path, chain.title, chain.label),
        "back": chain.backwards,
    }


# ---- what each part means -------------------------------------------------------------------------


def parts_of(parts: Sequence[Part], parameters: Mapping[int, int]) -> list[dict[str, Any]]:
    """What the page's script knows of each frame, box and wire; ``parameters`` numbers their nodes.

    ``kind``, ``chain``, ``first`` and ``last`` (steps from 1), ``role`` (alike for the same thing at other
    steps), ``params``, ``node``, ``row`` of a panel, ``layer``, ``when``; of a wire ``tail`` and ``head``, of
    a text ``owner``: places in this list.
    """
    places = {(p.of, p.part): k for k, p in enumerate(parts) if not isinstance(p, Wire)}
    found: list[dict[str, Any]] = []
    for part in parts:
        data = {"kind": _kind_of(part), **_meant(part, parameters)}
        if isinstance(part, Wire):
            ends = {"tail": places.get(part.tail), "head": places.get(part.head)}
            data |= {end: k for end, k in ends.items() if k is not None}
            tail = part.tail[0]
            if isinstance(tail, Weights):
                data["row"] = tail.row
            if isinstance(part.of, Uses):
                data["role"] = f"use {data['params']} {part.head[1]}"
        elif isinstance(part, Box) and part.kind == "text":
            data |= {"owner": places.get((part.of, part.owner)), "uses": isinstance(part.of, Uses)}
        elif (
            isinstance(part, Box) and getattr(part.of, "node", -1) >= 0 and part.kind not in SILENT
        ):
            data["node"] = getattr(part.of, "node")  # noqa: B009
        found.append(data)
    return found


SILENT = ("dot", "port")  # boxes that stand for no value


def _kind_of(part: Part) -> str:
    if isinstance(part, Frame):
        if not isinstance(part.of, CellAt):
            return "panel"
        return "fold" if part.of.column.folded else "cell"
    return part.kind.partition(" ")[0] or "edge"


def _meant(part: Part, parameters: Mapping[int, int]) -> dict[str, Any]:
    """What the meaning of a part says: where in time it is, and which Parameters it is about."""
    name = part.part if isinstance(part, Box) else ""
    match part.of:
        case CellAt(chain, column):
            return {"chain": chain.key, "first": column.first, "role": name}
        case State(chain, step, state):
            return {"chain": chain.key, "first": step, "last": step, "role": f".{state}"}
        case Input(chain, column, role):
            first = column.first
            return {"chain": chain.key, "first": first, "last": first, "role": f".{role}"}
        case Out(chain, column):
            return {"chain": chain.key, "first": column.first, "last": column.first, "role": ".y"}
        case Uses(used, _, chain, column):
            data: dict[str, Any] = {"params": [parameters[p.node] for p in used]}
            if chain is not None and column is not None:
                place = {"chain": chain.key, "row": chain.row}
                return {**data, **place, "first": column.first, "last": column.last}
            step = part.of.step
            return data | ({"first": step, "last": step} if step else {"when": part.of.when})
        case ParameterBox(node):
            return {"params": [parameters[node]]}
        case Weights(row):
            return {"row": row}
        case LayerBox(layer):
            return {"layer": layer}
    return {}


# ---- SVG as a part of a page ------------------------------------------------------------------


def clean(svg: str, prefix: str) -> str:
    """Graphviz's SVG without titles and links: what they say is in ``data-id`` and ``data-tip``.

    The ids p0, p1 ... become ``data-part``.
    """
    svg = svg[svg.index("<svg") :]
    svg = re.sub(
        r'<g id="([^"]*)" class="([^"]*)"([^>]*)>\s*<title>([^<]*)</title>',
        lambda m: f'<g class="{m[2]}" data-id="{_quoted(m[4])}"{_place(m[1])}{m[3]}>',
        svg,
    )
    svg = re.sub(r'<g id="a_[^"]*"><a xlink:title="([^"]*)">', r'<g data-tip="\1">', svg)
    svg = re.sub(r"</a>\s*</g>", "</g>", svg)
    svg = svg.replace(f' font-family="{style.FONT}"', "").replace("&#45;", "-")
    svg = re.sub(r"\s*\n\s*", "", svg.replace('"\n viewBox', '" viewBox'))
    return svg.replace("<svg ", f'<svg id="svg-{prefix}" ', 1)


def _place(id: str) -> str:
    return f' data-part="{id[1:]}"' if re.fullmatch(r"p\d+", id) else ""


def _quoted(text: str) -> str:
    """Text of an element, escaped already, as an attribute."""
    return text.replace('"', "&quot;")
