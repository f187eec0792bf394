"""Levels beside cells and ops: a box a layer, a box a number; shapes and values on demand."""

from __future__ import annotations

import re

import numpy as np
import pytest
from reading import Read, check_nothing_overlaps

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.drawing.draw import to_dot
from tinygrad_rnn.graphs.elements import Elements, size_of
from tinygrad_rnn.graphs.readback import flows_of, raw_values


def scalar_rnn():
    w, u, b = (
        tg.name(tg.tensor(v, requires_grad=True), n)
        for n, v in (("w", 0.8), ("u", 0.5), ("b", 0.1))
    )
    h = tg.name(tg.tensor(0.5), "h")
    for x in tg.steps(tg.tensor([1.0, -0.5, 2.0])):
        h = tg.name(tg.tanh(w * h + u * x + b), "h")
    return h, (w, u, b)


# ---- values -----------------------------------------------------------------------------------


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_values_and_gradients_are_those_of_the_run(kind, compiled):
    layer, head = getattr(nn, kind)(2, 3), nn.Linear(3, 1)
    layer.compiled = compiled
    y, _ = layer(tg.randn(3, 2, 2))
    loss = head(y[-1]).square().mean()
    graph = tg.graph(loss)
    values = raw_values(graph)
    nodes, edges = flows_of(graph)
    assert values[graph.outputs[0]] == pytest.approx(loss.item())
    assert len(values) == len(graph)
    loss.backward()
    for p in (*layer.parameters(), *head.parameters()):
        i = graph._find(p)
        assert np.array_equal(values[i], p.numpy())
        assert np.allclose(nodes[i], p.grad.numpy(), atol=1e-6)
        parts = [edges[use.node, use.operand] for use in graph.uses(p)]
        assert np.allclose(sum(parts), p.grad.numpy(), atol=1e-6)


def test_what_nothing_kept_is_lost_and_says_so():
    w = tg.tensor(np.ones((3, 3)), requires_grad=True)
    y = (w + tg.tensor(np.ones((3, 3)))).sum()
    graph = tg.graph(y)
    del w
    values = raw_values(graph)
    assert graph.outputs[0] not in values
    assert "?" in to_dot(graph, "op", values=True)


# ---- level="scalar" ---------------------------------------------------------------------------


def test_the_scalar_picture_says_data_and_gradient_of_everything():
    h, parameters = scalar_rnn()
    text = to_dot(tg.graph(h), "scalar")
    read = Read(text)
    check_nothing_overlaps(read)
    labels = [a["label"].removesuffix("\\l") for a in read.nodes.values()]
    assert {
        "w · 3 uses",
        "u · 3 uses",
        "b · 3 uses",
        "h₀",
        "h₃",
        "x₃",
        "w * h",
        "u * x",
        "+ b",
    } <= {*labels}
    h.backward()
    for name, p in zip("wub", parameters, strict=True):
        assert f"{p.item():.3f}" in labels
        assert f"{p.grad.item():.3f}" in labels
        assert read.taps()[name] == 3
    adds = [a["label"] for id, a in read.nodes.items() if id.endswith(".adds")]
    said = sorted(float(x.removesuffix("\\l").replace("−", "-")) for x in adds)
    assert said == [-0.065, 0.022, 0.044, 0.044, 0.086, 0.099, 0.130, 0.200, 0.400]
    assert "w: 0.022 + 0.099 + 0.086 = 0.207" in labels
    assert "u: 0.044 − 0.065 + 0.400 = 0.379" in labels


def test_every_element_is_a_node_of_its_own():
    layer = nn.RNN(2, 2)
    y, _ = layer(tg.randn(3, 1, 2))
    loss = y[-1].square().sum()
    whole = tg.graph(loss)
    graph = Elements(whole)
    assert len(graph) == size_of(whole)
    assert "rnn.weight_hh_l0[0, 1]" in graph.parameters
    assert len(graph.parameters) == sum(p.numel() for p in layer.parameters())
    assert graph.use_count("rnn.weight_hh_l0[0, 1]") == 3
    products = [n for n in graph if n.op == "linear"]
    assert {len(n.inputs) for n in products} == {5}  # a row of W, the whole of x or h, one bias
    loss.backward()
    for name, node in graph.parameters.items():
        at = tuple(map(int, re.search(r"\[(.*)\]", name)[1].split(", ")))
        p = getattr(layer, name.partition(".")[2].partition("[")[0])
        assert graph.gradients[node.id] == pytest.approx(p.grad.numpy()[at], abs=1e-6)
    text = to_dot(whole, "scalar")
    taps = Read(text).taps()
    assert len(taps) == len(graph.parameters)
    assert set(taps.values()) == {3}


@pytest.mark.parametrize("steps", [40, 100_000])
def test_too_many_numbers_are_counted_and_ops_are_offered(steps):
    y, _ = nn.LSTM(4, 3)(tg.zeros(steps, 1, 4))
    with pytest.raises(ValueError, match=r"has [\d,]+ numbers, .* more than 300 .* level='op'"):
        to_dot(tg.graph(y), "scalar")


def test_a_layer_of_single_numbers_is_a_lattice_too():
    y, _ = nn.RNN(1, 1)(tg.randn(3, 1, 1))
    read = Read(to_dot(tg.graph(y[-1].sum()), "scalar"))
    assert 'layout="nop2"' in read.text
    check_nothing_overlaps(read)


# ---- level="layer" ----------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [3, 100, 5000])
def test_a_box_a_layer_however_many_steps(steps):
    lstm, head = nn.LSTM(4, 3, num_layers=2, bidirectional=True), nn.Linear(6, 1)
    y, _ = lstm(tg.zeros(steps, 1, 4))
    graph = tg.graph(nn.functional.mse_loss(head(y[-1]), tg.zeros(1, 1)))
    read = Read(to_dot(graph, "layer"))
    boxes = read.of_class("layer")
    assert len(boxes) == 4
    said = {id: [read.nodes[f"{id}.line{k}"]["label"] for k in range(3)] for id in boxes}
    assert ["LSTM", "layer 2 reverse", f"x {steps} steps"] in said.values()
    taps = read.taps()
    for name, p in lstm.named_parameters():
        assert len(read.of_class("param", f"p-lstm.{name}")) == 1
        assert taps[f"lstm.{name}"] == steps, p.shape
    assert taps["linear.weight"] == 1
    ends = {(a, b) for a, b, _ in read.edges}
    loops = [(a, b) for a, b in ends if a in boxes and (b, a) in ends]
    assert len(loops) == 8  # h and c of each
    pills = [read.nodes[pill]["label"] for _, pill in loops]
    assert sorted(pills) == sorted(2 * ["h⁽¹⁾", "c⁽¹⁾", "h⁽²⁾", "c⁽²⁾"])
    counts = [a["label"].removesuffix("\\l") for a in read.of_class("text").values()]
    assert counts.count(f"x {steps}") == 4  # one tap a set of weights


def test_layers_need_a_layer():
    w = tg.tensor(1.0, requires_grad=True)
    with pytest.raises(ValueError, match="no recurrent cell ran"):
        to_dot(tg.graph(w * 2), "layer")


# ---- shapes and values ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_shapes_and_values_stand_in_the_boxes(kind):
    layer = getattr(nn, kind)(4, 3)
    y, _ = layer(tg.randn(3, 1, 4))
    graph = tg.graph(y)
    shapes = Read(to_dot(graph, "op", shapes=True))
    check_nothing_overlaps(shapes)
    labels = [a["label"] for a in shapes.nodes.values()]
    assert labels.count("(1, 4) f32") == 3
    values = Read(to_dot(graph, values=True))
    check_nothing_overlaps(values)
    x = y.numpy()[-1]
    assert f"{x.mean():.3f} ± {x.std():.3f}".replace("-", "−") in {
        a["label"] for a in values.nodes.values()
    }
    assert values.taps() == Read(to_dot(graph, "op")).taps()


def test_nan_is_counted():
    w = tg.name(tg.tensor([1.0, np.nan, 3.0], requires_grad=True), "w")
    assert "1 NaN or Inf" in to_dot(tg.graph((w * 2).sum()), "op", values=True)


def test_cells_have_no_room_for_values():
    graph = tg.graph(nn.RNN(2, 3)(tg.zeros(2, 1, 2))[0])
    with pytest.raises(ValueError, match="level='op', not 'cell'"):
        to_dot(graph, "cell", values=True)


def test_auto_draws_many_layers_as_layers():
    y, _ = nn.RNN(4, 3, num_layers=7)(tg.zeros(3, 1, 4))
    graph = tg.graph(y)
    assert to_dot(graph) == to_dot(graph, "layer")
    few = tg.graph(nn.RNN(4, 3, num_layers=6)(tg.zeros(3, 1, 4))[0])
    assert to_dot(few) == to_dot(few, "cell")


# ---- subjects ---------------------------------------------------------------------------------


@pytest.mark.parametrize("level", ["cell", "op"])
def test_truncated_chunks_are_joined_by_cuts(level):
    rnn = nn.LSTM(2, 3)
    chunks = [chunk.output for chunk in nn.tbptt(rnn, tg.randn(6, 1, 2), k1=2)]
    read = Read(to_dot(tg.graph(*chunks), level))
    check_nothing_overlaps(read)
    cuts = [(a, b) for a, b, attrs in read.edges if attrs.get("class", "").startswith("cut ")]
    assert {("l0.h2", "l1.h2"), ("l0.c2", "l1.c2"), ("l1.h4", "l2.h4"), ("l1.c4", "l2.c4")} == {
        *cuts
    }
    assert any("no gradient comes back" in a["label"] for a in read.nodes.values())
    whole = Read(to_dot(tg.graph(rnn(tg.randn(6, 1, 2))[0]), level))
    assert not any("cut" in attrs.get("class", "") for _, _, attrs in whole.edges)


@pytest.mark.parametrize("level", ["cell", "op"])
def test_a_decoder_goes_on_from_each_layers_own_state(level):
    encoder, decoder = nn.LSTM(4, 3, num_layers=2), nn.LSTM(2, 3, num_layers=2)
    _, state = encoder(tg.randn(3, 1, 4))
    graph = tg.graph(decoder(tg.randn(2, 1, 2), state)[0])
    read = Read(to_dot(graph, level))
    assert 'layout="nop2"' in read.text
    check_nothing_overlaps(read)
    handed = {
        (a, b)
        for a, b, _ in read.edges
        if re.fullmatch(r"l[01]\.[hc]3", a) and b[:2] in ("l2", "l3")
    }
    assert handed == {(f"l{k}.{s}3", f"l{k + 2}.{s}0") for k in (0, 1) for s in "hc"}
    bends = [
        attrs["pos"].split()[len(attrs["pos"].split()) // 2].split(",")[0]
        for a, b, attrs in read.edges
        if (a, b) in handed
    ]
    assert len(set(bends)) == 4  # each on a line of its own


def test_two_loops_and_two_inputs_are_laid_out():
    w, u, v = (tg.name(tg.ones(3, 3, requires_grad=True), name) for name in "WUV")
    h, wind = tg.name(tg.zeros(3), "h"), tg.ones(40, 3)
    for x in tg.steps(tg.ones(3, 3)):
        h = tg.name(tg.tanh(w @ h + x), "h")
    s = h
    for t, x in enumerate(tg.steps(tg.ones(40, 3))):
        s = tg.name(tg.tanh(u @ s + x + v @ tg.name(wind[t], "wind")), "s")
    read = Read(to_dot(tg.graph(s)))
    assert 'layout="nop2"' in read.text
    check_nothing_overlaps(read)
    assert read.taps() == {"W": 3, "U": 40, "V": 40}
    labels = {a["label"] for a in read.nodes.values()}
    assert {"h₃", "s₀", "x₁", "wind₁", "wind₃ … wind₃₈", "loop 1", "loop 2"} <= labels
    assert ("l0.h3", "l1.s0") in {(a, b) for a, b, _ in read.edges}


def test_the_misconception_counts_both_sides():
    from misconception import misconception

    cells, shared = [nn.LSTMCell(4, 3) for _ in range(3)], nn.LSTM(4, 3)
    state = None
    for cell in cells:
        state = cell(tg.zeros(1, 4), state)
    one = tg.graph(shared(tg.zeros(4, 1, 4))[0])
    read = Read(misconception(tg.graph(*state), one))
    check_nothing_overlaps(read)
    labels = {a["label"] for a in read.nodes.values()}
    assert {"3 x 108 numbers, none left for t = 4", "108 numbers, any T"} <= labels
    assert {"[w1, c1, h0]", "[w?, c3, h2]", "[W, c3, h3]"} <= labels
    with pytest.raises(ValueError, match="three cells, each with weights of its own"):
        misconception(one, one)
    with pytest.raises(ValueError, match="four steps that share"):
        misconception(tg.graph(*state), tg.graph(*state))
