"""Random layers, drawn: each Parameter once, a tap a use, no overlaps, straight rails, the same bytes."""

from __future__ import annotations

import re

import numpy as np
import pytest
from reading import Read, box, check_nothing_overlaps

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.drawing.draw import to_dot

EVERY = range(15)
KINDS = (nn.RNN, nn.LSTM, nn.GRU)


def drawn(seed):
    """A layer of random options over a random number of steps, with a head and a loss in half of them."""
    rng = np.random.default_rng(seed)

    def coin(p=0.5):
        return bool(rng.random() < p)

    kind = KINDS[seed % 3]
    options = {
        "num_layers": int(rng.integers(1, 4)),
        "bias": coin(0.8),
        "bidirectional": coin(0.3),
        "learned_state": coin(0.2),
        "batch_first": coin(0.3),
    }
    if kind is nn.RNN:
        options["nonlinearity"] = "relu" if coin(0.3) else "tanh"
    if kind is nn.LSTM and coin(0.3):
        options["peephole" if coin() else "proj_size"] = 2
        options = {k: bool(v) if k == "peephole" else v for k, v in options.items()}
    if kind is nn.GRU:
        options["reset_after"] = coin()
    inputs, hidden = int(rng.integers(1, 9)), int(rng.integers(3, 200))
    steps, batch = int(rng.choice([1, 2, 3, 5, 8, 40, 500])), int(rng.integers(1, 4))
    layer = kind(inputs, hidden, **options)
    layer.compiled = steps > 100 or coin()
    x = tg.zeros(batch, steps, inputs) if options["batch_first"] else tg.zeros(steps, batch, inputs)
    lengths = rng.integers(1, steps + 1, batch) if coin(0.2) and steps < 100 else None
    y, _ = layer(x, lengths=lengths)
    head = nn.Linear(y.shape[-1], 1)
    last = y[:, -1] if options["batch_first"] else y[-1]
    graph = tg.graph(head(last).square().mean() if coin() else y)
    return graph, (layer, head), (kind.__name__, inputs, hidden, steps, batch, options, lengths)


@pytest.mark.parametrize("level", ["cell", "op"])
@pytest.mark.parametrize("seed", EVERY)
def test_a_random_layer(seed, level):
    graph, _modules, what = drawn(seed)
    text = to_dot(graph, level)
    read = Read(text)
    assert 'layout="nop2"' in text, what
    check_nothing_overlaps(read)
    taps = read.taps()
    for name in graph.parameters:
        assert len(read.of_class("param", f"p-{name}")) == 1, (name, what)
        assert taps[name] == graph.use_count(name), (name, what)
    check_rails(read, level, what)
    again, _, _ = drawn(seed)
    assert to_dot(again, level) == text, what


@pytest.mark.parametrize("seed", range(0, 15, 4))
def test_what_is_counted_is_what_was_recorded(seed):
    graph, _modules, what = drawn(seed)
    taps = Read(to_dot(graph, "cell")).taps()
    for name in graph.parameters:
        assert taps[name] == len(graph.uses(name)), (name, what)


def check_rails(read, level, what):
    """All pills of one state of one lane stand at one height, and c's rails do not bend."""
    heights, rows = {}, {}
    for lane, bb in re.findall(r'"cluster_(l\d+)\.t\d+" \{ graph \[bb="([^"]*)"', read.text):
        rows.setdefault(lane, set()).add(bb.split(",")[1])
    for id, attrs in read.of_class("state").items():
        key = re.fullmatch(r"((l\d+)\.[a-z]+)\d+", id)
        heights.setdefault((key[2], key[1]), set()).add(attrs["pos"].split(",")[1])
    assert heights, what
    for (lane, _), ys in heights.items():  # in a folded picture, one height in each strip
        assert len(ys) <= (len(rows[lane]) if level == "op" else 1), (heights, what)
    straight = {}
    for tail, head, attrs in read.edges:
        if {"rail", "c"} <= set(attrs.get("class", "").split()):
            points = attrs["pos"].replace("e,", "").split()
            ys = [float(point.split(",")[1]) for point in points]
            for end in (tail, head):
                if re.fullmatch(r"l\d+\.c\d+", end):
                    straight.setdefault(end, []).append(max(ys) - min(ys) < 0.01)
    assert all(any(found) for found in straight.values()), (straight, what)
    if level == "cell":  # where peepholes do not look at it, c goes straight through everything
        assert all(all(found) for found in straight.values()), (straight, what)


def test_labels_stay_in_their_boxes_at_the_stated_font():
    """Every text inside a Parameter's or an op's box is no wider than the box."""
    for seed in EVERY[::6]:
        graph, _modules, what = drawn(seed)
        for level in ("cell", "op"):
            read = Read(to_dot(graph, level))
            for id, attrs in read.nodes.items():
                owner = id.rpartition(".")[0]
                if attrs["class"] == "text" and owner in read.nodes:
                    around = read.nodes[owner]
                    if around["class"].split()[0] in ("param", "op", "gate"):
                        inner, outer = box(attrs), box(around)
                        assert outer[0] - 4 <= inner[0], (id, what)
                        assert inner[2] <= outer[2] + 4, (id, what)


@pytest.mark.parametrize("level", ["layer", "cell", "op"])
def test_a_picture_is_stable_under_unrelated_changes(level):
    """More batch, more steps in the fold or other modules alive change nothing but what they say."""

    def text(batch=1, steps=100, others=0):
        kept = [nn.Linear(2, 2)(tg.ones(1, 2)) for _ in range(others)]
        tg.manual_seed(others)
        lstm = nn.LSTM(4, 3)
        y, _ = lstm(tg.randn(steps, batch, 4))
        return to_dot(tg.graph(y), level), lstm, kept

    plain = text()[0]
    assert text(others=5)[0] == plain
    if level != "layer":
        assert text(batch=7)[0] == plain
        longer = text(steps=101)[0]
        changed = [
            (a, b) for a, b in zip(plain.split("\n"), longer.split("\n"), strict=True) if a != b
        ]
        assert all(re.search(r"9[5-9]|10\d|₉|₁₀|t=?9", a + b) for a, b in changed)


SCRIPT = "</script><script>alert(1)</script>"


@pytest.mark.parametrize("level", ["layer", "cell", "op"])
@pytest.mark.parametrize("engine", ["system", "pure"])
def test_a_script_in_a_name_is_text(engine, level):
    from tinygrad_rnn.drawing.draw import to_svg
    from tinygrad_rnn.drawing.output import DrawingError, backend

    try:
        backend(engine)
    except DrawingError:
        pytest.skip(f"no {engine} Graphviz here")
    kind = type(SCRIPT, (nn.LSTM,), {})
    layer = kind(4, 3)
    w = tg.name(tg.tensor(np.ones((3, 3)), requires_grad=True), SCRIPT)
    y, _ = layer(tg.zeros(3, 1, 4))
    graph = tg.graph(tg.name(y[-1] @ w, SCRIPT))
    dot = to_dot(graph, level)
    for line in dot.split(
        "\n"
    ):  # in DOT it is inside a quoted string, and never HTML (label=<...>)
        outside = re.sub(r'"(?:[^"\\]|\\.)*"', '""', line)
        assert "<" not in outside, line
        assert "script" not in outside, line
    svg = to_svg(graph, level, engine=engine)
    assert not re.search(r"<\s*/?\s*script", svg)
    shown = re.findall(r"<text[^>]*>([^<]*)</text>", svg)
    assert any("&lt;/script" in text for text in shown)
    assert not re.search(r'="[^"]*<', svg)
