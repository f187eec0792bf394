"""How are layers drawn? A box a layer with its state as a loop, however many steps it ran."""

from __future__ import annotations

from collections.abc import Sequence

from ...graphs.chains import mark_held
from ...graphs.meaning import Layer, Meaning, Parameter, Uses, Value
from ...graphs.passthrough import PASS_THROUGH
from ...graphs.recorded import CellCall, GraphNode, RecordedGraph, short_name, title_of
from ..output.dot import Sketch
from ..scene import style
from ..scene.text import op_words, plural, shape_text, span, sub
from .general import GROUND


def layer_name(path: str, title: str, label: str) -> str:
    """What a layer is known by: its path, else its cell's title, and which of several it is."""
    return " ".join(filter(None, [path or title, label]))


class Layers:
    """Which boxes stand for each node: its layer's, its module's, its own, or what it hands on."""

    def __init__(self, graph: RecordedGraph) -> None:
        self.graph, calls = graph, graph.calls
        self.nodes: Sequence[GraphNode] = mark_held(list(graph), {c.path for c in calls if c.path})
        self.layers: dict[str, list[CellCall]] = {}
        self.layer_of: dict[int, str] = {}
        for call in calls:
            name = layer_name(call.path, title_of(call.cell), call.label)
            self.layers.setdefault(name, []).append(call)
            self.layer_of[call.id] = name
        self.inputs = {  # the layer that each constant input of a cell belongs to: they are drawn as one
            i: name
            for name, mine in self.layers.items()
            for call in mine
            for role, i in call.inputs.items()
            if role.startswith("x") and self.nodes[i].op == "input"
        }
        self.starts = {
            i for call in calls for role, i in call.inputs.items() if role in call.outputs
        }
        self.box: dict[int, tuple[Meaning, ...]] = {}
        for node in self.nodes:
            self.box[node.id] = self._box(node)

    def _box(self, node: GraphNode) -> tuple[Meaning, ...]:
        """The boxes that a node stands for: several where it joins what several boxes give."""
        own = (Value(node.id, f"n{node.id}"),)
        if node.call is not None:
            return (Layer(self.layer_of[node.call]),)
        if node.op in ("parameter", "literal"):
            return ()
        if node.op == "input":
            name = self.inputs.get(node.id)
            return own if name is None else (Layer(name, "x"),)
        below = tuple(dict.fromkeys(box for i in node.inputs for box in self.box[i]))
        if node.op in PASS_THROUGH or node.op == "held":
            return below
        recurrent = any(call.path == node.path for mine in self.layers.values() for call in mine)
        return (Layer(node.path, "module"),) if node.path and not recurrent else own


def draw_layers(graph: RecordedGraph, numbered: bool = False) -> Sketch:
    """The picture of a graph at the level of layers."""
    layers = Layers(graph)
    steps = max(call.step + call.times for call in graph.calls)
    words = "a loop: the state that each step hands to the next; orange: one set of weights for all of them"
    title = f"{plural(len(layers.layers), 'layer')}, {plural(steps, 'step')}"
    ground = {**GROUND, "ranksep": 0.45, "tooltip": title, "label": words}
    sketch = Sketch(title, ground, numbered)
    _draw_boxes(sketch, layers)
    _draw_edges(sketch, layers)
    _draw_parameters(sketch, layers)
    return sketch


def _draw_boxes(sketch: Sketch, layers: Layers) -> None:
    graph, seen = layers.graph, set()
    for node in layers.nodes:
        for of in layers.box[node.id]:
            if of in seen or (node.op in PASS_THROUGH and node.call is None):
                continue
            seen.add(of)
            match of:
                case Layer(name, "layer"):
                    sketch.box((of, ""), _layer_words(layers.layers[name]), style.OP, "layer")
                case Layer(name, "x"):
                    sketch.box((of, ""), _input_words(layers, name), style.INPUT, "io")
                case Layer(name):
                    words = name.rpartition(".")[2]
                    sketch.box((of, ""), words, style.OP, "module", tooltip=name)
                case _ if node.op == "input":
                    look = {"h": style.H, "c": style.C}.get(node.name, style.INPUT)
                    start = node.id in layers.starts
                    name = sub(node.name, 0) if start else node.name or "input"
                    sketch.box((of, ""), f"{name}\n{shape_text(node.shape)}", look, "io")
                case _ if node.shape == () and node.id in graph.outputs:
                    words = f"loss\n{op_words(node.op)}"
                    sketch.box((of, ""), words, style.LOSS, "loss", square=True)
                case _:
                    sketch.box((of, ""), node.name or op_words(node.op), style.OP, "op")


def _layer_words(calls: Sequence[CellCall]) -> str:
    """Title, which of several (counted from 1 in pictures), and how many steps."""
    steps, words = sum(call.times for call in calls), calls[0].label.split()
    label = " ".join(str(int(w) + 1) if w.isdigit() else w for w in words)
    title = title_of(calls[0].cell)
    return "\n".join(filter(None, [title, label, f"x {plural(steps, 'step')}"]))


def _input_words(layers: Layers, name: str) -> str:
    calls = layers.layers[name]
    first = min(call.step for call in calls) + 1
    last = max(call.step + call.times for call in calls)
    shape = next(layers.nodes[i].shape for i, other in layers.inputs.items() if other == name)
    return f"{span('x', first, last)}\n{shape_text(shape)} each"


def _draw_edges(sketch: Sketch, layers: Layers) -> None:
    """What goes from box to box once, however often; a layer's own state is a loop."""
    seen: set[tuple[Meaning, Meaning]] = set()
    for node in layers.nodes:
        ends = layers.box[node.id]
        if not ends or (node.op in PASS_THROUGH and node.call is None):
            continue
        for tail in (tail for i in node.inputs for tail in layers.box[i]):
            if tail == ends[0] or (tail, ends[0]) in seen:
                continue
            seen.add((tail, ends[0]))
            attrs: dict[str, object] = {"arrowsize": style.SMALL_ARROW}
            attrs["weight"] = 1 if isinstance(tail, Value) else 20
            if isinstance(tail, Layer) and tail.kind == "layer":
                attrs |= {"color": style.H.stroke, "penwidth": style.INPUT_PEN}
            sketch.edge((tail, ""), (ends[0], ""), attrs)
    for name, calls in layers.layers.items():
        states = [role for role in calls[0].outputs if role != "x"]
        if sum(call.times for call in calls) > 1 and states:
            look = {"arrowsize": style.ARROW, "color": style.H.stroke, "penwidth": style.STATE_PEN}
            words = {"fontcolor": style.H.stroke, "label": ", ".join(states)}
            sketch.edge((Layer(name), ""), (Layer(name), ""), {**look, **words}, "rail")


def _draw_parameters(sketch: Sketch, layers: Layers) -> None:
    """Each Parameter once, with one edge to each box that uses it and how often that does."""
    graph = layers.graph
    times = {call.id: call.times for call in graph.calls}
    for name, node in graph.parameters.items():
        of = Parameter(node.id, name, short_name(name))
        lines = [of.short, *([name] if name != of.short else []), shape_text(node.shape)]
        sketch.box((of, ""), "\n".join(lines), style.PARAM, "param", square=True)
        counts: dict[Meaning, int] = {}
        for use in graph.uses(name):
            call = layers.nodes[use.node].call
            for end in layers.box[use.node]:
                counts[end] = counts.get(end, 0) + (1 if call is None else times[call])
        for end, count in counts.items():
            tap: dict[str, object] = {
                "arrowsize": style.ARROW,
                "color": style.ORANGE,
                "fontcolor": style.ORANGE,
                "label": plural(count, "use"),
                "penwidth": style.BUS_PEN,
            }
            sketch.edge((of, ""), (end, ""), tap, "use", Uses((of,), folded=count))
