"""What must be true of every picture of cells, checked on its DOT text and on the recorded numbers."""

from __future__ import annotations

import itertools
import re
from collections import Counter

import numpy as np
import pytest
from reading import Read, box

from tinygrad_rnn.drawing.output import write
from tinygrad_rnn.drawing.pictures import ops
from tinygrad_rnn.drawing.scene import style
from tinygrad_rnn.graphs.chains import CELLS, OP_STEPS
from tinygrad_rnn.graphs.meaning import CellAt, Input, Out, State
from tinygrad_rnn.graphs.readback import apply, raw_values
from tinygrad_rnn.graphs.unrolled import UnrolledGraph

FRAME = re.compile(r'^ +subgraph "cluster_((?:[^"\\]|\\.)*)" \{ graph \[bb="([^"]*)"', re.M)
SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
LAYER = re.compile("⁽([⁰¹²³⁴⁵⁶⁷⁸⁹]+)⁾")
SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
PART = re.compile(r"\.part\d+$")  # of a step that is cut in two
PAGE, LEAST = 1400, 9  # pixels: how wide a page is, and how tall its smallest type
ORANGE = ("use", "riser", "bus")
MARKS = (["legend"], ["zero"], ["cut"])

# ---- wires and boxes -------------------------------------------------------------------------------


def path(attrs):
    """A wire as short straight stretches, its arrow's tip included."""
    words = attrs["pos"].split()
    tips = [word[2:] for word in words if word.startswith("e,")]
    points = [tuple(map(float, w.split(","))) for w in words if not w.startswith("e,")]
    line = [points[0]]
    for k in range(0, len(points) - 3, 3):
        four = np.array(points[k : k + 4])
        for t in np.linspace(0, 1, 9)[1:]:
            s = 1 - t
            line.append(tuple(np.array([s**3, 3 * s * s * t, 3 * s * t * t, t**3]) @ four))
    return line + [tuple(map(float, tip.split(","))) for tip in tips]


def straight(line):
    """The horizontal and vertical stretches of a path, those that follow one another as one."""
    found = []
    for (x0, y0), (x1, y1) in itertools.pairwise(line):
        for axis, at, a, b in ((0, y0, x0, x1), (1, x0, y0, y1)):
            if abs((y1 - y0, x1 - x0)[axis]) < 0.02 and abs(a - b) > 0.02:
                low, high = sorted((a, b))
                if found and found[-1][:2] == (axis, round(at, 1)):
                    low, high = min(low, found[-1][2]), max(high, found[-1][3])
                    found.pop()
                found.append((axis, round(at, 1), low, high))
    return found


def values_on(read):
    """For each wire the value on it, as a name: wires that meet at a dot or a pill carry the same one."""
    parent = {}

    def find(key):
        while parent.setdefault(key, key) != key:
            key = parent[key]
        return key

    for tail, head, _ in read.edges:
        if read.nodes.get(head, {}).get("class", "").split()[:1] in (
            ["dot"], ["port"], ["state"], ["io"],
        ):  # fmt: skip
            parent[find(head)] = find(tail)
    return [find(tail) for tail, _, _ in read.edges]


def is_reversed(attrs):
    """Whether an arrow points to where its value comes from, as in a backward picture."""
    return "grad" in attrs.get("class", "").split()


def dense(line):
    """Points of a line that are no further apart than 2."""
    corners = np.asarray(line)
    way = np.diff(corners, axis=0)
    counts = (np.hypot(*way.T) // 2).astype(int) + 2
    at = np.arange(counts.sum()) - np.repeat(counts.cumsum() - counts, counts)
    share = at / np.repeat(counts - 1, counts)
    return np.repeat(corners[:-1], counts, 0) + share[:, None] * np.repeat(way, counts, 0)


def check_wires(text, what):
    """No two values on one wire, no wire through a box, a pill or a cell that is not its own."""
    read = Read(text)
    read.edges = [
        (b, a, attrs) if is_reversed(attrs) else (a, b, attrs) for a, b, attrs in read.edges
    ]
    for tail, head, _ in read.edges:
        assert {tail, head} <= read.nodes.keys(), (tail, head, "has no place", what)
    carried, lines = values_on(read), [path(attrs) for _, _, attrs in read.edges]
    flat = []
    for k, (line, (_, _, attrs)) in enumerate(zip(lines, read.edges, strict=True)):
        if attrs.get("class", "").split()[:1] not in MARKS:
            flat += [(k, *stretch) for stretch in straight(line)]
    flat.sort(key=lambda stretch: stretch[1:3])  # beside each other are those that lie so
    for n, (a, *p) in enumerate(flat):
        for b, *q in itertools.islice(flat, n + 1, None):
            if p[0] != q[0] or q[1] - p[1] >= 1.0:
                break
            if carried[a] != carried[b]:
                shared = min(p[3], q[3]) - max(p[2], q[2])
                assert shared < 2.5, (read.edges[a][:2], read.edges[b][:2], shared, what)
    walls = {
        id: box(a)
        for id, a in read.nodes.items()
        if a["class"].split()[0] not in ("port", "dot", "text", "bar", "legend")
    }
    frames = {m[1]: tuple(map(float, m[2].split(","))) for m in FRAME.finditer(text)}
    for line, (tail, head, attrs) in zip(lines, read.edges, strict=True):
        cls = attrs.get("class", "").split()[:1]
        if cls in MARKS:
            continue
        points = dense(line)
        (west, south), (east, north) = points.min(0).tolist(), points.max(0).tolist()
        for id, sides in itertools.chain(walls.items(), frames.items()):
            owner = id.rpartition(".")[0] if id in walls else PART.sub("", id)
            mine = any(end == id or end.startswith(f"{id}.") for end in (tail, head))
            inside = owner in frames and any(end.startswith(f"{owner}.") for end in (tail, head))
            panel = cls and cls[0] in ORANGE and (id.startswith(("row", "p-")) or owner in frames)
            if mine or inside or panel:
                continue
            left, bottom, right, top = sides
            if max(left, west) > min(right, east) or max(bottom, south) > min(top, north):
                continue
            enters = (
                (points[:, 0] > left + 1.5) & (points[:, 0] < right - 1.5)
                & (points[:, 1] > bottom + 1.5) & (points[:, 1] < top - 1.5)
            )  # fmt: skip
            assert not enters.any(), (tail, head, "runs through", id, what)


def check_taps(graph, text, what):
    """Each Parameter once, a tap for every use, and each tap ends at a box or a cell."""
    read = Read(text)
    taps = read.taps()
    frames = {m[1]: tuple(map(float, m[2].split(","))) for m in FRAME.finditer(text)}
    for name in graph.parameters:
        assert len(read.of_class("param", f"p-{name}")) == 1, (name, what)
        if "." in name:  # one that is given may be taken apart, and each part goes its own way
            assert taps[name] == graph.use_count(name), (name, taps[name], what)
        assert taps[name], (name, what)
    for tail, head, attrs in read.edges:
        if attrs.get("class", "").split()[:1] != ["use"]:
            continue
        tip = path(attrs)[-1]
        if is_reversed(attrs):
            tail, head, tip = head, tail, path(attrs)[0]
        assert tail in read.nodes, (tail, what)
        ends = [box(read.nodes[head])] if head in read.nodes else []
        ends += [sides for id, sides in frames.items() if head == id or head.startswith(f"{id}.")]
        near = [
            left - 3 <= tip[0] <= right + 3 and bottom - 3 <= tip[1] <= top + 3
            for left, bottom, right, top in ends
        ]
        assert any(near), (tail, head, tip, what)


# ---- labels against numbers ----------------------------------------------------------------------------


def direct(graph, made, known, node):
    """Which outputs of cells a value changes with, by the ops outside of cells alone; None where unknown."""
    way, taken, stack = set(), set(), [node]
    while stack:
        i = stack.pop()
        if i in made:
            taken.add(i)
        elif i not in way and graph[i].inputs:
            way.add(i)
            stack += graph[i].inputs
    if any(k not in known for i in way for k in graph[i].inputs if k not in way):
        return None

    def value(changed):
        values = dict(known)
        if changed is not None:
            noise = np.random.default_rng(changed).normal(size=known[changed].shape)
            values[changed] = known[changed] + 0.3 * noise
        for i in sorted(way):
            values[i] = apply(graph._raw[i], [values[k] for k in graph[i].inputs])
        return values[node]

    before = value(None)
    return {i for i in taken if not np.array_equal(value(i), before)}


def check_labels(graph, scene, unrolled, what):
    """x_t, y_t and h_t are the values that they are said to be; equations hold for the recorded numbers."""
    known = raw_values(graph)
    checked = 0
    check_names(scene, known, what)
    for key, shown in scene.boxes.items():
        of, part = key
        if isinstance(of, Input) and not part and not of.column.folded:
            checked += check_input(graph, unrolled, known, of, shown.label, what)
        if isinstance(of, State) and not part and of.node in known:
            name, step = parted(shown.label)
            call = unrolled.nodes[of.node].call
            if call is not None and unrolled.nodes[of.node].step is not None:
                made_at = unrolled.nodes[of.node]
                assert step == made_at.step + 1, (shown.label, made_at, what)
                assert made_at.name == name, (shown.label, made_at, what)
                assert layer_of(shown.label) == of.chain.layer, (shown.label, what)
        if isinstance(of, CellAt) and shown.kind == "band" and not of.column.folded:
            checked += check_equation(unrolled, known, of, part, shown.label, what)
        if isinstance(of, Out) and " = " in shown.label and shown.kind == "io y":
            name, step = parted(shown.label.partition(" = ")[2])
            if step is not None and not of.column.folded:
                call = of.chain.calls[of.column.steps[0]]
                assert step - 1 == of.column.steps[0], (shown.label, what)
                assert name in call.outputs, (shown.label, what)
                assert layer_of(shown.label) == of.chain.layer, (shown.label, what)
    return checked


def check_names(scene, known, what):
    """No two states of different layers or runs bear one name: those of two directions of one alone."""
    shown = {}
    for (of, part), pill in scene.boxes.items():
        if isinstance(of, State) and not part:
            way = "reverse" in of.chain.label
            if of.node in known:
                shown.setdefault((pill.label, way), []).append(known[of.node])
    for (label, _), values in shown.items():
        assert all(np.allclose(values[0], v, rtol=1e-12) for v in values), (label, what)


def parted(words):
    """The name and the step of ``h₃``, of ``h⁽²⁾₃`` too."""
    match = re.fullmatch(r"(\w*?)(−?[₀-₉]+)", LAYER.sub("", words))
    return (match[1], int(match[2].translate(SUBSCRIPTS))) if match else (words, None)


def layer_of(words):
    """The number of the layer in ``h⁽²⁾₃``."""
    found = LAYER.search(words)
    return int(found[1].translate(SUPERSCRIPTS)) if found else None


def check_input(graph, unrolled, known, of, label, what):
    step = of.chain.here(of.column)[0]
    left, _, right = label.partition(" = ")
    if not right:
        return 0
    assert parted(left)[1] in (step + 1, None), (label, what)
    node = of.chain.calls[step].inputs[of.role]
    if right.startswith("f("):
        reads = direct(graph, unrolled.made, known, node)
        if reads is None:
            return 0
        outputs = [unrolled.made[i] for i in reads]
        found = {(o.role, o.chain.layer, o.step + 1) for o in outputs}
        said = set()
        for word in right[2:-1].split(", "):
            ends = [parted(end) for end in word.split(" … ")]
            if ends[0][1] is not None:
                steps = range(ends[0][1], ends[-1][1] + 1)
                said |= {(ends[0][0], layer_of(word), k) for k in steps}
        if "…" not in right[2:-1].split(", "):  # all are named
            assert found == said, (label, found, what)
        return 1
    masked, right = right.startswith("m * "), right.removeprefix("m * ")
    name, at = parted(right)
    same = [
        i for i, output in unrolled.made.items()
        if output.step == at - 1 and output.role == name and i in known
        and output.chain.layer == layer_of(right)
    ]  # fmt: skip
    if node not in known or not same:
        return 0
    hits = [i for i in same if known[i].size == known[node].size]
    if masked:  # 0, or the output times one number
        value, kept = known[node], known[node] != 0
        ratios = [(value[kept] / known[i].reshape(value.shape)[kept]) for i in hits]
        assert any(np.allclose(r, r[:1], rtol=1e-9) for r in ratios), (label, what)
        return 1
    same = [np.allclose(known[i].ravel(), known[node].ravel(), rtol=1e-12) for i in hits]
    assert any(same), (label, what)
    return 1


def check_equation(unrolled, known, of, state, label, what):
    """The line of a state at one step, put into numbers."""
    step = of.chain.here(of.column)[0]
    call = of.chain.calls[step]
    assert {layer_of(word) for word in label.split() if LAYER.search(word)} <= {of.chain.layer}
    left, _, right = LAYER.sub("", label).partition(" = ")
    out = call.outputs.get(state, -1)
    if not right or "…" in right or out not in known:
        return 0
    assert parted(left) == (state, step + 1), (label, what)
    names = {n.name: n.id for n in (unrolled.nodes[i] for i in call.nodes) if n.name}
    numbers = {"tanh": np.tanh, "relu": lambda v: np.maximum(v, 0)}
    words = right
    for word in sorted(set(re.findall(r"[A-Za-z_]\w*?−?[₀-₉]+", right)), key=len, reverse=True):
        name, at = parted(word)
        node = call.outputs.get(name) if at == step + 1 else call.inputs.get(name)
        if name in call.outputs and at != step + 1:
            node, steps = call.inputs.get(name), of.chain.runs
            before = steps[steps.index(step) - 1] if steps.index(step) else None
            if before is not None:
                assert of.chain.calls[before].outputs[name] in sources(unrolled, node), (
                    label,
                    what,
                )
                assert at == before + 1, (label, what)
        if node is None or node not in known:
            return 0
        words = re.sub(
            rf"(?<!\w){word}(?!\w)", f"v_{name}_{'new' if at == step + 1 else 'old'}", words
        )
        numbers[f"v_{name}_{'new' if at == step + 1 else 'old'}"] = known[node]
    for word in set(re.findall(r"[A-Za-z_]\w*", words)) - numbers.keys():
        if word not in names or names[word] not in known:
            return 0
        numbers[word] = known[names[word]]
    try:
        value = eval(words, {"__builtins__": {}}, numbers)
    except (SyntaxError, TypeError):  # a word of the formula is no number here
        return 0
    assert np.allclose(value, known[out], rtol=1e-9, atol=1e-12), (label, what)
    return 1


def sources(unrolled, node):
    """A value and what it is handed on from."""
    found = {node}
    while node not in unrolled.made and unrolled.nodes[node].inputs:
        output = unrolled.moves.output(node)
        if output is not None:
            found |= {i for i, o in unrolled.made.items() if o == output}
        node = unrolled.nodes[node].inputs[0]
        found.add(node)
    return found


def check_type(text, what):
    """On a page as wide as a screen, the smallest words can be read."""
    left, _, right, _ = map(float, re.search(r' bb="([^"]*)"', text)[1].split(","))
    sizes = [float(a.get("fontsize", 10)) for a in Read(text).nodes.values() if a.get("label")]
    pixels = min(sizes) * min(PAGE / (right - left + 2 * 72 * 0.08), 4 / 3)
    assert pixels >= LEAST, (pixels, right - left, what)


def check_folded(graph, what):
    """Folding moves what there is: no box, no wire and no end of one is other than in one long row."""

    def seen(limit):
        unrolled = UnrolledGraph.read(graph, OP_STEPS)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(style, "WIDEST", limit)
            return Read(write(ops.draw_ops(unrolled).scene))

    long, folded = seen(1e9), seen(style.WIDEST)
    words = [
        Counter(a["label"] for a in read.nodes.values() if "continued" not in a.get("label", ""))
        for read in (long, folded)
    ]
    ends = [
        Counter(
            (a, b) for a, b, attrs in read.edges if attrs.get("class", "").split()[:1] != ["bus"]
        )
        for read in (long, folded)
    ]
    assert ends[0] == ends[1], what
    assert all(words[0][label] == count for label, count in words[1].items() if label), what
    heights = [len({a["pos"] for a in read.of_class("state").values()}) for read in (long, folded)]
    assert heights[0] == heights[1], what


def check_width(text, unrolled, what):
    """At most what so many runs side by side need, however long they are."""
    bounds = re.search(r' bb="([^"]*)"', text)[1].split(",")
    width = float(bounds[2]) - float(bounds[0])
    runs = len(unrolled.segments)
    assert width <= 700 + (CELLS + 1) * 200 * runs, (width, runs, what)
