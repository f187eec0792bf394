"""The picture at the level of layers: a box a layer with its state as a loop, however many steps it ran."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from . import style
from .auto import GROUND, node_line
from .params import param_tokens
from .plumbing import PLUMBING, ironed
from .words import op_words, plural, shape_text, short_name, span, sub, title_of
from .written import attributes, head, quote

if TYPE_CHECKING:
    from ..graphs.graph import CellCall, Graph, GraphNode

Lane = tuple[str, str, str]


class Layers:
    """Which box stands for each node: its layer's, its module's, its own, or what it hands on."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        calls = graph.calls
        self.nodes: Sequence[GraphNode] = ironed(list(graph), {c.path for c in calls if c.path})
        self.lanes: dict[str, list[CellCall]] = {}
        self.lane_of: dict[int, str] = {}
        for call in calls:
            key = " ".join(filter(None, [call.path or title_of(call.cell), call.label]))
            self.lanes.setdefault(key, []).append(call)
            self.lane_of[call.id] = key
        self.inputs = self._inputs()
        self.starts = {
            i for call in calls for role, i in call.inputs.items() if role in call.outputs
        }
        self.box: dict[int, tuple[str, ...]] = {}
        for node in self.nodes:
            self.box[node.id] = self._box(node)

    def _inputs(self) -> dict[int, str]:
        """The lane that each constant input of a cell belongs to: they are drawn as one."""
        found: dict[int, str] = {}
        for key, calls in self.lanes.items():
            for call in calls:
                for role, i in call.inputs.items():
                    if role.startswith("x") and self.nodes[i].op == "input":
                        found[i] = key
        return found

    def _box(self, node: GraphNode) -> tuple[str, ...]:
        """The boxes that a node stands for: several where it joins what several boxes give."""
        if node.call is not None:
            return (f"layer {self.lane_of[node.call]}",)
        if node.op in ("parameter", "literal"):
            return ()
        if node.op == "input":
            return (f"x {self.inputs[node.id]}",) if node.id in self.inputs else (f"n{node.id}",)
        below = tuple(dict.fromkeys(box for i in node.inputs for box in self.box[i]))
        if node.op in PLUMBING or node.op == "held":
            return below
        paths = {call.path for calls in self.lanes.values() for call in calls}
        return (
            (f"module {node.path}",) if node.path and node.path not in paths else (f"n{node.id}",)
        )


def draw_layers(graph: Graph) -> str:
    """DOT text of a graph at the level of layers."""
    layers = Layers(graph)
    steps = max(call.step + call.times for call in graph.calls)
    words = "a loop: the state that each step hands to the next; orange: one set of weights for all of them"
    title = f"{plural(len(layers.lanes), 'layer')}, {plural(steps, 'step')}"
    out = head(title, {**GROUND, "ranksep": 0.45, "tooltip": title, "label": words})
    out += (f"  {line}" for line in _boxes(layers))
    out += (f"  {line}" for line in _edges(layers))
    out += (f"  {line}" for line in _parameters(layers))
    return "\n".join([*out, "}", ""])


def _boxes(layers: Layers) -> Iterator[str]:
    graph, seen = layers.graph, set()
    for node in layers.nodes:
        for box in layers.box[node.id]:
            if box in seen or (node.op in PLUMBING and node.call is None):
                continue
            seen.add(box)
            kind, _, name = box.partition(" ")
            if kind == "layer":
                yield node_line(box, _layer_words(layers.lanes[name]), style.OP, "layer")
            elif kind == "x":
                yield node_line(box, _input_words(layers, name), style.INPUT, "io")
            elif kind == "module":
                yield node_line(box, name.rpartition(".")[2], style.OP, "module", tooltip=name)
            elif node.op == "input":
                look = {"h": style.H, "c": style.C}.get(node.name, style.INPUT)
                name = sub(node.name, 0) if node.id in layers.starts else node.name or "input"
                words = f"{name}\n{shape_text(node.shape)}"
                yield node_line(box, words, look, "io")
            elif node.shape == () and node.id in graph.outputs:
                words = f"loss\n{op_words(node.op)}"
                yield node_line(box, words, style.LOSS, "loss", square=True)
            else:
                yield node_line(box, node.name or op_words(node.op), style.OP, "op")


def _layer_words(calls: Sequence[CellCall]) -> str:
    steps = sum(call.times for call in calls)
    title = title_of(calls[0].cell)
    return "\n".join(filter(None, [title, _counted(calls[0].label), f"x {plural(steps, 'step')}"]))


def _counted(label: str) -> str:
    """Layers are counted from 1 in pictures."""
    words = label.split()
    return " ".join(str(int(w) + 1) if w.isdigit() else w for w in words)


def _input_words(layers: Layers, lane: str) -> str:
    calls = layers.lanes[lane]
    first = min(call.step for call in calls) + 1
    last = max(call.step + call.times for call in calls)
    shape = next(layers.nodes[i].shape for i, key in layers.inputs.items() if key == lane)
    return f"{span('x', first, last)}\n{shape_text(shape)} each"


def _edges(layers: Layers) -> Iterator[str]:
    """What goes from box to box once, however often; a layer's own state is a loop."""
    seen: set[tuple[str, str]] = set()
    for node in layers.nodes:
        ends = layers.box[node.id]
        if not ends or (node.op in PLUMBING and node.call is None):
            continue
        for i in node.inputs:
            for tail in layers.box[i]:
                if tail != ends[0] and (tail, ends[0]) not in seen:
                    seen.add((tail, ends[0]))
                    yield f"{quote(tail)} -> {quote(ends[0])} [{attributes(_edge(layers, tail))}]"
    for key, calls in layers.lanes.items():
        steps, states = sum(call.times for call in calls), [r for r in calls[0].outputs if r != "x"]
        if steps > 1 and states:
            loop = {
                "arrowsize": style.ARROW,
                "class": "rail",
                "color": style.H.stroke,
                "fontcolor": style.H.stroke,
                "label": ", ".join(states),
                "penwidth": style.RAIL_PEN,
            }
            box = quote(f"layer {key}")
            yield f"{box} -> {box} [{attributes(loop)}]"


def _edge(layers: Layers, tail: str) -> dict[str, object]:
    if not tail.startswith("layer "):
        return {"arrowsize": style.SMALL_ARROW, "weight": 1 if tail.startswith("n") else 20}
    return {
        "arrowsize": style.SMALL_ARROW,
        "color": style.H.stroke,
        "penwidth": style.INPUT_PEN,
        "weight": 20,
    }


def _parameters(layers: Layers) -> Iterator[str]:
    """Each Parameter once, with one line to each box that uses it and how often that does."""
    graph = layers.graph
    times = {call.id: call.times for call in graph.calls}
    for name, parameter in graph.parameters.items():
        short, box = short_name(name), f"param.{name}"
        classes = param_tokens(short, name)
        words = "\n".join([short, *([name] if name != short else []), shape_text(parameter.shape)])
        yield node_line(box, words, style.PARAM, f"param {classes}", square=True)
        counts: dict[str, int] = {}
        for use in graph.uses(name):
            call = layers.nodes[use.node].call
            for end in layers.box[use.node]:
                counts[end] = counts.get(end, 0) + (1 if call is None else times[call])
        for end, count in counts.items():
            tap = {
                "arrowsize": style.ARROW,
                "class": f"use {classes} fold n{count}",
                "color": style.ORANGE,
                "fontcolor": style.ORANGE,
                "label": plural(count, "use"),
                "penwidth": style.BUS_PEN,
            }
            yield f"{quote(box)} -> {quote(end)} [{attributes(tap)}]"
