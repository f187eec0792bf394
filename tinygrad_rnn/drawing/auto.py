"""Any other graph: ops laid out by ``dot``, Parameters as buses, steps as frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from . import style
from .faces import fold_count, fold_heading
from .notes import Notes
from .params import param_tokens
from .plumbing import PLUMBING, SOURCES
from .slots import Slot, fold
from .style import Look
from .words import op_words, plural, shape_text, short_name, sub
from .written import Label, attributes, head, quote

if TYPE_CHECKING:
    from ..graphs.graph import Graph, GraphNode

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
class View:
    """What is drawn of a graph: which box stands for each node, and the boxes of folded parts."""

    graph: Graph
    nodes: Sequence[GraphNode]
    steps: list[int | None]
    chains: dict[int, int]  # the chain of cells that each call belongs to
    notes: Notes = field(default_factory=Notes)
    box: dict[int, str] = field(default_factory=dict)
    folds: dict[str, str] = field(default_factory=dict)
    slots: list[Slot] = field(default_factory=list)

    @property
    def shown(self) -> list[int]:
        """The nodes that have a box of their own."""
        return [i for i, box in self.box.items() if box == f"n{i}"]

    def note(self, node: int) -> str:
        """The second line of a node's box, where there is one."""
        parts = self.notes.nodes.get(node)
        return "\n" + " | ".join(parts) if parts else ""

    def frame(self, node: int) -> tuple[int, int] | None:
        """The frame that a node stands in: its step, and its chain of cells where it has one."""
        step, here = self.steps[node], self.nodes[node]
        if step is None or here.op in SOURCES:
            return None
        return step, -1 if here.call is None else self.chains[here.call]


def auto_dot(
    graph: Graph, *, steps: Sequence[int] | None = None, notes: Notes | None = None
) -> str:
    """DOT text that ``dot`` lays out itself: time to the right, a frame for each step.

    A Parameter with several uses is a chain of junctions, one at each use; steps beyond the first and
    last few, and ops beyond the first and last hundred, are folded into one dashed box.
    """
    view = _view(graph, steps)
    view.notes = notes or Notes()
    words = "a dot connects: the same Parameter (orange); a crossing without one does not"
    words = "\n".join([words, *view.notes.legend])
    title = f"Graph, {plural(len(graph.parameters), 'Parameter')}"
    ground = {**GROUND, "tooltip": title, "label": Label(words if graph.parameters else "", "\\l")}
    out = head(title, ground)
    out += _frames(view)
    out += _edges(view)
    out += _time_to_the_right(view)
    out += _parameters(view)
    return "\n".join([*out, "}", ""])


def _view(graph: Graph, shown: Sequence[int] | None) -> View:
    nodes = list(graph)
    runs: dict[tuple[str, str, int], int] = {}
    chains = {
        call.id: runs.setdefault((call.path, call.label, call.run), len(runs))
        for call in graph.calls
    }
    view = View(graph, nodes, _steps(nodes), chains)
    present = sorted({s for s in view.steps if s is not None})
    if present or shown is not None:
        view.slots = fold(present, style.OP_STEPS, shown)
    hidden = {s: slot for slot in view.slots if slot.folded for s in slot.steps}
    needed = _needed(graph, nodes)
    loose: list[int] = []
    for node in nodes:
        if node.op in ("parameter", "literal") or not needed[node.id]:
            continue
        step = view.steps[node.id]
        if node.op == "item" and nodes[node.inputs[0]].op in ("chunk", "split"):
            view.box[node.id] = view.box.get(node.inputs[0], f"n{node.inputs[0]}")
        elif step in hidden:
            slot = hidden[step]
            box = f"fold{slot.first}"
            view.box[node.id] = box
            view.folds[box] = f"{fold_heading(slot)}\n{fold_count(slot)}\nsame weights"
        else:
            view.box[node.id] = f"n{node.id}"
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


def _needed(graph: Graph, nodes: Sequence[GraphNode]) -> list[bool]:
    """Plumbing at the end, which nothing works on, is left out, unless there is nothing else."""
    needed = [node.op not in PLUMBING and node.op != "input" for node in nodes]
    if not any(needed[node.id] and node.op != "parameter" for node in nodes):
        return [True] * len(nodes)
    for node in reversed(nodes):
        if needed[node.id]:
            for i in node.inputs:
                needed[i] = True
    return needed


def _frames(view: View) -> Iterator[str]:
    """The boxes: those of each step in a frame, the others free."""
    inside: dict[tuple[int, int], list[str]] = {}
    for i in view.shown:
        frame, line = view.frame(i), _box(view, view.nodes[i])
        if frame is None:
            yield f"  {line}"
        else:
            inside.setdefault(frame, []).append(line)
    for (step, chain), lines in sorted(inside.items()):
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
        yield f"  subgraph {quote(f'cluster_t{step + 1}.{chain + 1}')} {{ graph [{attributes(attrs)}]"
        yield from (f"    {line}" for line in lines)
        yield "  }"
    for box, words in view.folds.items():
        yield "  " + node_line(box, words, style.OP, "fold", dashed=True)


def _box(view: View, node: GraphNode) -> str:
    """The DOT line of one op or input."""
    step = view.steps[node.id]
    if node.op == "input":
        name = _named(node, step) or "input"
        words = name if node.name and step is not None else f"{name}\n{shape_text(node.shape)}"
        words = f"{name}{view.note(node.id)}" if node.id in view.notes.nodes else words
        look = {"h": style.H, "c": style.C}.get(node.name, style.INPUT)
        return node_line(f"n{node.id}", words, look, "io")
    words, look = _op_words(view, node), style.OP
    if node.name in ("h", "c"):
        look = style.H if node.name == "h" else style.C
    reduces = node.shape == () and any(view.nodes[i].shape != () for i in node.inputs)
    if reduces and node.id in view.graph.outputs:
        return node_line(
            f"n{node.id}", f"loss\n{words}{view.note(node.id)}", style.LOSS, "loss", square=True
        )
    if name := _named(node, step):
        words = f"{name} = {words}"
    return node_line(f"n{node.id}", words + view.note(node.id), look, "op", tooltip=node.path)


def _named(node: GraphNode, step: int | None) -> str:
    if not node.name or step is None:
        return node.name
    state = (
        node.op == "input" and node.name.partition("[")[0] != "x"
    )  # one that comes from the step before
    return sub(node.name, step if state else step + 1)


def _op_words(view: View, node: GraphNode) -> str:
    """The op's symbol, with the number beside it where one operand is a number."""
    operands = [view.nodes[i] for i in node.inputs]
    if len(operands) == 2:
        return op_words(node.op, *(part.name if part.op == "literal" else "" for part in operands))
    return getattr(node, "detail", "") or op_words(node.op)


def node_line(
    id: str,
    words: str,
    look: Look,
    cls: str,
    *,
    square: bool = False,
    dashed: bool = False,
    tooltip: str = "",
) -> str:
    """The DOT line of a box."""
    attrs: dict[str, object] = {
        "label": Label(words),
        "class": cls,
        "style": ("filled" if square else "rounded,filled") + ",dashed" * dashed,
        "color": look.stroke,
        "fillcolor": look.fill,
        "fontcolor": look.text,
        "penwidth": look.pen,
        "height": 0.33,
        "width": 0.36,
        "margin": "0.09,0.04",
    }
    if tooltip:
        attrs["tooltip"] = tooltip
    return f"{quote(id)} [{attributes(attrs)}]"


def _edges(view: View) -> Iterator[str]:
    """An edge for every operand; what goes on from one step to another is a state, drawn thick."""
    seen: set[tuple[str, str]] = set()
    for node in view.nodes:
        b = view.box.get(node.id)
        if b is None or (node.op == "item" and b != f"n{node.id}"):
            continue
        for i in node.inputs:
            a = view.box.get(i)
            folded = a in view.folds or b in view.folds
            if a is None or a == b or (folded and (a, b) in seen):
                continue
            seen.add((a, b))
            yield f"  {quote(a)} -> {quote(b)} [{attributes(_edge(view, i, node.id))}]"


def _edge(view: View, tail: int, head: int) -> dict[str, object]:
    a, b = view.steps[tail], view.steps[head]
    if a is None or b is None or a == b or view.nodes[tail].op in ("input", "parameter"):
        return {"arrowsize": style.SMALL_ARROW}
    look = style.C if view.nodes[tail].name == "c" else style.H
    return {
        "arrowsize": style.ARROW,
        "class": "rail",
        "color": look.stroke,
        "penwidth": style.RAIL_PEN,
    }


def _time_to_the_right(view: View) -> Iterator[str]:
    """Unseen edges from what a step hands on to where the next begins, so that frames stand in line."""
    givers: dict[tuple[int, int], set[str]] = {}
    begins: dict[tuple[int, int], set[str]] = {}
    for i in view.shown:
        frame = view.frame(i)
        if frame is None:
            continue
        before = {k: view.frame(k) for k in view.nodes[i].inputs}
        if frame not in before.values():
            begins.setdefault(frame, set()).add(f"n{i}")
        for k, given in before.items():
            if given is not None and given != frame:
                givers.setdefault(frame, set()).add(view.box[k])
    for frame, boxes in sorted(begins.items()):
        for giver in sorted(givers.get(frame, ())):
            for box in sorted(boxes):
                yield f"  {quote(giver)} -> {quote(box)} [style=invis, weight=0]"


def _parameters(view: View) -> Iterator[str]:
    """Each Parameter once: a box, and for several uses a chain of junctions with one drop a use."""
    for k, (name, parameter) in enumerate(view.graph.parameters.items()):
        uses = view.graph.uses(name)
        short, box = short_name(name), f"param.{name}"
        shape = f"{shape_text(parameter.shape)} · " if parameter.shape else ""
        detail = shape + plural(view.graph.use_count(name), "use")
        lines = [short, *([name] if name != short else []), detail]
        words = "\n".join(lines) + view.note(parameter.id)
        classes = param_tokens(short, name)
        line = node_line(box, words, style.PARAM, f"param {classes}", square=True)
        yield f"  {line}"
        ends: dict[str, list[int | None]] = {}
        for n, use in enumerate(uses):
            end = view.box.get(use.node)
            if end is not None:
                key = end if end in view.folds else f"{end}:{n}"
                ends.setdefault(key, []).append(use.step)
        yield from _taps(view, k, box, classes, ends)


def _taps(
    view: View, k: int, box: str, classes: str, ends: dict[str, list[int | None]]
) -> Iterator[str]:
    bus = {"color": style.ORANGE, "penwidth": style.BUS_PEN}
    tail = box
    for n, (key, steps) in enumerate(ends.items()):
        end = key.partition(":")[0]
        folded = end in view.folds
        when = f"t{steps[0] + 1}" if steps[0] is not None else "after"
        cls = f"use {classes} fold n{len(steps)}" if folded else f"use {classes} {when}"
        tap: dict[str, object] = {"arrowsize": style.ARROW, "class": cls, **bus}
        if folded:
            tap["xlabel"], tap["fontcolor"] = plural(len(steps), "use"), style.ORANGE
            tap["style"] = "dashed"
        if len(ends) == 1:
            yield f"  {quote(box)} -> {quote(end)} [{attributes(tap)}]"
            return
        joint = f"j{k}.{n}"
        dot = {**bus, "class": "dot", "fillcolor": style.ORANGE, "shape": "point", "width": 0.09}
        chain = {"arrowhead": "none", "class": f"bus {classes}", **bus, "weight": 20}
        yield f"  {quote(joint)} [{attributes(dot)}]"
        yield f"  {quote(tail)} -> {quote(joint)} [{attributes(chain)}]"
        yield f"  {{ rank=same; {quote(joint)}; {quote(end)} }}"
        yield f"  {quote(joint)} -> {quote(end)} [{attributes(tap)}]"
        tail = joint
