"""How is any other graph drawn? Ops laid out by ``dot``, Parameters as buses, steps as frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ...graphs.chains import OP_STEPS, Column, fold
from ...graphs.meaning import ParameterBox, Uses, ValueBox
from ...graphs.passthrough import PASS_THROUGH, SOURCES
from ...graphs.recorded import ChainKey, GraphNode, RecordedGraph, short_name
from ..output.dot import Label, Sketch, attributes, identify, quote
from ..scene import style
from ..scene.notes import Notes
from ..scene.scene import Key
from ..scene.text import (
    fold_count,
    fold_heading,
    plural,
    shape_text,
    sub,
    words_of_op,
)

MOST, ENDS = 400, 120  # nodes outside steps: beyond MOST, the first and last ENDS are drawn
GROUND = {
    "layout": "dot",
    "rankdir": "LR",
    "newrank": "true",
    "nodesep": 0.22,
    "ranksep": 0.28,
    "bgcolor": "transparent",
    "pad": 0.08,
    "outputorder": "edgesfirst",
    "fontname": style.FONT,
    "fontsize": style.NOTE,
    "fontcolor": style.PLAIN,
    "labelloc": "b",
    "labeljust": "l",
}


@dataclass
class GeneralView:
    """What is drawn of a graph: which box stands for each node, and the boxes of folded parts."""

    graph: RecordedGraph
    nodes: Sequence[GraphNode]
    steps: list[int | None]
    chains: dict[int, int]  # the chain of cells that each call belongs to
    notes: Notes | None = None
    box: dict[int, str | int] = field(default_factory=dict)
    folds: dict[str, str] = field(default_factory=dict)
    columns: list[Column] = field(default_factory=list)

    @property
    def shown(self) -> list[int]:
        """The nodes that have a box of their own."""
        return [i for i, box in self.box.items() if box == i]

    def note(self, node: int) -> str:
        """The second line of a node's box, where there is one."""
        parts = self.notes.nodes.get(node) if self.notes else None
        return "\n" + " | ".join(parts) if parts else ""

    def frame(self, node: int) -> tuple[int, int] | None:
        """The frame that a node stands in: its step, and its chain of cells where it has one."""
        step, here = self.steps[node], self.nodes[node]
        if step is None or here.op in SOURCES:
            return None
        return step, -1 if here.call is None else self.chains[here.call]


def draw_general(
    graph: RecordedGraph,
    *,
    steps: Sequence[int] | None = None,
    notes: Notes | None = None,
    numbered: bool = False,
) -> Sketch:
    """A picture that ``dot`` lays out itself: time to the right, a frame for each step.

    A Parameter with several uses is a chain of junctions, one at each use; steps beyond the first and
    last few, and ops beyond the first and last hundred, are folded into one dashed box.
    """
    view = _view(graph, steps)
    view.notes = notes
    words = "a dot connects: the same Parameter (orange); a crossing without one does not"
    words = "\n".join([words, *(notes.legend if notes else ())])
    title = f"Graph, {plural(len(graph.parameters), 'Parameter')}"
    ground = {**GROUND, "tooltip": title, "label": Label(words if graph.parameters else "", "\\l")}
    sketch = Sketch(title, ground, numbered)
    _draw_frames(sketch, view)
    _draw_edges(sketch, view)
    _time_to_the_right(sketch, view)
    _draw_parameters(sketch, view)
    return sketch


def _view(graph: RecordedGraph, shown: Sequence[int] | None) -> GeneralView:
    nodes = list(graph)
    runs: dict[ChainKey, int] = {}
    chains = {call.id: runs.setdefault(call.chain, len(runs)) for call in graph.calls}
    view = GeneralView(graph, nodes, _steps(nodes), chains)
    present = sorted({s for s in view.steps if s is not None})
    if present or shown is not None:
        view.columns = fold(present, OP_STEPS, shown)
    hidden = {s: column for column in view.columns if column.folded for s in column.steps}
    needed = _needed(graph, nodes)
    loose: list[int] = []
    for node in nodes:
        if node.op in ("parameter", "literal") or not needed[node.id]:
            continue
        step = view.steps[node.id]
        if node.op == "item" and nodes[node.inputs[0]].op in ("chunk", "split"):
            view.box[node.id] = view.box.get(node.inputs[0], node.inputs[0])
        elif step in hidden:
            column = hidden[step]
            box = f"fold{column.first}"
            view.box[node.id] = box
            view.folds[box] = f"{fold_heading(column)}\n{fold_count(column)}\nsame weights"
        else:
            view.box[node.id] = node.id
            if step is None:
                loose.append(node.id)
    if len(loose) > MOST:
        inner = loose[ENDS:-ENDS]
        view.folds["ops"] = f"x {len(inner):,} ops"
        view.box.update(dict.fromkeys(inner, "ops"))
    return view


def _steps(nodes: Sequence[GraphNode]) -> list[int | None]:
    """The step of each node; an input or a slice belongs to the one step that uses it."""
    steps = [node.step for node in nodes]
    users: dict[int, set[int | None]] = {}
    for node in reversed(nodes):
        mine = users.get(node.id, set())
        if steps[node.id] is None and node.op in ("item", "input", "getitem") and len(mine) == 1:
            steps[node.id] = next(iter(mine))
        for i in node.inputs:
            users.setdefault(i, set()).add(steps[node.id])
    return steps


def _needed(graph: RecordedGraph, nodes: Sequence[GraphNode]) -> list[bool]:
    """Plumbing at the end, which nothing works on, is left out, unless there is nothing else."""
    needed = [node.op not in PASS_THROUGH and node.op != "input" for node in nodes]
    if not any(needed[node.id] and node.op != "parameter" for node in nodes):
        return [True] * len(nodes)
    for node in reversed(nodes):
        if needed[node.id]:
            for i in node.inputs:
                needed[i] = True
    return needed


def _draw_frames(sketch: Sketch, view: GeneralView) -> None:
    """The boxes: those of each step in a frame, the others free."""
    inside: dict[tuple[int, int], list[GraphNode]] = {}
    for i in view.shown:
        frame = view.frame(i)
        if frame is None:
            _draw_box(sketch, view, view.nodes[i], False)
        else:
            inside.setdefault(frame, []).append(view.nodes[i])
    for (step, chain), nodes in sorted(inside.items(), key=lambda pair: pair[0]):
        attrs: dict[str, object] = {
            "label": f"t = {step + 1}",
            "labeljust": "l",
            "labelloc": "b",
            "style": "rounded",
            "color": style.OP.stroke,
            "penwidth": 1,
            "fontname": style.FONT,
            "fontsize": style.TITLE,
            "fontcolor": style.PLAIN,
        }
        name = quote(f"cluster_t{step + 1}.{chain + 1}")
        sketch.lines.append(f"  subgraph {name} {{ graph [{attributes(attrs)}]")
        for node in nodes:
            _draw_box(sketch, view, node, True)
        sketch.lines.append("  }")
    for box, words in view.folds.items():
        sketch.box((None, box), words, style.OP, "fold", dashed=True)


def _draw_box(sketch: Sketch, view: GeneralView, node: GraphNode, inside: bool) -> None:
    """One op or input."""
    step, key = view.steps[node.id], _key(view.box[node.id])
    if node.op == "input":
        name = _named(node, step) or "input"
        words = name if node.name and step is not None else f"{name}\n{shape_text(node.shape)}"
        note = view.note(node.id)
        words = name + note if note else words
        look = {"h": style.H, "c": style.C}.get(node.name, style.INPUT)
        sketch.box(key, words, look, "io", inside=inside)
        return
    two = len(node.inputs) == 2
    words = words_of_op(view.nodes, node) if two else node.detail or words_of_op(view.nodes, node)
    reduces = node.shape == () and any(view.nodes[i].shape != () for i in node.inputs)
    if reduces and node.id in view.graph.outputs:
        words = f"loss\n{words}{view.note(node.id)}"
        sketch.box(key, words, style.LOSS, "loss", square=True, inside=inside)
        return
    if name := _named(node, step):
        words = f"{name} = {words}"
    look = {"h": style.H, "c": style.C}.get(node.name, style.OP)
    words += view.note(node.id)
    sketch.box(key, words, look, "op", tooltip=node.path, inside=inside)


def _key(box: str | int) -> Key:
    """A node's own box, or one that stands for several."""
    return (ValueBox(box, f"n{box}"), "") if isinstance(box, int) else (None, box)


def _named(node: GraphNode, step: int | None) -> str:
    if not node.name or step is None:
        return node.name
    # one that comes from the step before
    state = node.op == "input" and node.name.partition("[")[0] != "x"
    return sub(node.name, step if state else step + 1)


def _draw_edges(sketch: Sketch, view: GeneralView) -> None:
    """An edge for every operand; what goes on from one step to another is a state, drawn thick."""
    seen: set[tuple[str | int, str | int]] = set()
    for node in view.nodes:
        b = view.box.get(node.id)
        if b is None or (node.op == "item" and b != node.id):
            continue
        for i in node.inputs:
            a = view.box.get(i)
            folded = a in view.folds or b in view.folds
            if a is None or a == b or (folded and (a, b) in seen):
                continue
            seen.add((a, b))
            before, after = view.steps[i], view.steps[node.id]
            source = view.nodes[i].op in ("input", "parameter")
            if before is None or after is None or before == after or source:
                sketch.edge(_key(a), _key(b), {"arrowsize": style.SMALL_ARROW})
                continue
            color = (style.C if view.nodes[i].name == "c" else style.H).stroke
            look = {"arrowsize": style.ARROW, "color": color, "penwidth": style.STATE_PEN}
            sketch.edge(_key(a), _key(b), look, "rail")


def _time_to_the_right(sketch: Sketch, view: GeneralView) -> None:
    """Unseen edges from what a step hands on to where the next begins, so that frames stand in line."""
    givers: dict[tuple[int, int], set[str]] = {}
    begins: dict[tuple[int, int], set[str]] = {}
    for i in view.shown:
        frame = view.frame(i)
        if frame is None:
            continue
        before = {k: view.frame(k) for k in view.nodes[i].inputs}
        if frame not in before.values():
            begins.setdefault(frame, set()).add(identify(_key(i)))
        for k, given in before.items():
            if given is not None and given != frame:
                givers.setdefault(frame, set()).add(identify(_key(view.box[k])))
    for frame, boxes in sorted(begins.items()):
        for giver in sorted(givers.get(frame, ())):
            for box in sorted(boxes):
                line = f"  {quote(giver)} -> {quote(box)} [style=invis, weight=0]"
                sketch.lines.append(line)


def _draw_parameters(sketch: Sketch, view: GeneralView) -> None:
    """Each Parameter once: a box, and for several uses a chain of junctions with one drop a use."""
    for k, (name, node) in enumerate(view.graph.parameters.items()):
        of = ParameterBox(node.id, name, short_name(name))
        shape = f"{shape_text(node.shape)} · " if node.shape else ""
        detail = shape + plural(view.graph.use_count(name), "use")
        lines = [of.short, *([name] if name != of.short else []), detail]
        words = "\n".join(lines) + view.note(node.id)
        sketch.box((of, ""), words, style.PARAM, "param", square=True)
        ends: dict[tuple[str | int, int], list[int | None]] = {}
        for n, use in enumerate(view.graph.uses(name)):
            end = view.box.get(use.node)
            if end is not None:
                ends.setdefault((end, -1 if end in view.folds else n), []).append(use.step)
        _draw_uses(sketch, view, k, of, ends)


def _draw_uses(
    sketch: Sketch,
    view: GeneralView,
    k: int,
    of: ParameterBox,
    ends: dict[tuple[str | int, int], list[int | None]],
) -> None:
    bus = {"color": style.ORANGE, "penwidth": style.BUS_PEN}
    tail: Key = (of, "")
    for n, ((box, _), steps) in enumerate(ends.items()):
        end, folded = _key(box), box in view.folds
        step = 0 if steps[0] is None else steps[0] + 1
        when, count = "" if step else "after", len(steps) if folded else 0
        use = Uses((of,), when=when, step=step, folded=count)
        tap: dict[str, object] = {"arrowsize": style.ARROW, **bus}
        if folded:
            tap["xlabel"], tap["fontcolor"] = plural(len(steps), "use"), style.ORANGE
            tap["style"] = "dashed"
        if len(ends) == 1:
            sketch.edge((of, ""), end, tap, "use", use)
            return
        joint: Key = (None, f"j{k}.{n}")
        sketch.joint(joint)
        sketch.edge(tail, joint, {"arrowhead": "none", **bus, "weight": 20}, "bus", of)
        sketch.lines.append(f"  {{ rank=same; {quote(identify(joint))}; {quote(identify(end))} }}")
        sketch.edge(joint, end, tap, "use", use)
        tail = joint
