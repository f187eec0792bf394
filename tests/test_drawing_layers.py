"""Pictures of every layer, every variant of a cell, and of loops and cells of the user's own."""

from __future__ import annotations

import re

import numpy as np
import pytest
from reading import Read, box, check_nothing_overlaps

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.drawing.draw import to_dot
from tinygrad_rnn.graphs.recorded import short_name

KEPT = []  # layers stay alive, so that their Parameters have their dotted names


def layer(kind, steps=3, batch=1, call=None, **options):
    made = getattr(nn, kind)(4, 3, **options)
    KEPT.append(made)
    return tg.graph(made(tg.zeros(steps, batch, 4), **(call or {}))[0])


def recurrent(cell, steps=3, call=None, **options):
    made = nn.Recurrent(cell, **options)
    KEPT.append(made)
    return tg.graph(made(tg.zeros(steps, 3, 4), **(call or {}))[0])


class OwnLSTM(nn.Module):
    """A user's own cell, gate by gate, with a Parameter for each product."""

    def __init__(self):
        super().__init__()
        for gate in "fio":
            setattr(self, f"W_{gate}", nn.Parameter(np.ones((4, 3))))
            setattr(self, f"U_{gate}", nn.Parameter(np.ones((3, 3))))

    def forward(self, x, state):
        h, c = state
        f = tg.name(tg.sigmoid(x @ self.W_f + h @ self.U_f), "f")
        i = tg.name(tg.tanh(x @ self.W_i + h @ self.U_i), "i")
        o = tg.name(tg.sigmoid(x @ self.W_o + h @ self.U_o), "o")
        c = f * c + (1 - f) * i
        h = o * tg.tanh(c)
        return h, (h, c)

    def initial_state(self, batch):
        return tg.zeros(batch, 3), tg.zeros(batch, 3)


class Stepped(nn.Module):
    """A user's own cell made of layers, with an output beside its state."""

    def __init__(self):
        super().__init__()
        self.enter, self.again = nn.Linear(4, 3), nn.Linear(3, 3, bias=False)
        self.norm, self.out = nn.LayerNorm(3), nn.Linear(3, 2)

    def forward(self, x, h):
        h = tg.tanh(self.norm(self.enter(x) + self.again(h)))
        return self.out(h), h

    def initial_state(self, batch):
        return tg.zeros(batch, 3)


class Concatenating(nn.Module):
    """A user's own cell that joins input and state first: at the first step a constant."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(7, 3)

    def forward(self, x, h):
        h = tg.tanh(self.inner(tg.cat([x, h], -1)))
        return h, h

    def initial_state(self, batch):
        return tg.zeros(batch, 3)


def question(steps=3, bias=False, head=False):
    w_hh = tg.name(tg.ones(3, 3, requires_grad=True), "W_hh")
    w_xh = tg.name(tg.ones(3, 2, requires_grad=True), "W_xh")
    b, v = (tg.name(tg.ones(3, requires_grad=True), n) for n in "bv")
    h = tg.name(tg.zeros(3), "h")
    for x_t in tg.steps(tg.ones(steps, 2)):
        z = w_hh @ h + w_xh @ x_t
        h = tg.name(tg.tanh(z + b if bias else z), "h")
    return tg.graph((v @ h - 1.0) ** 2 if head else h)


def own_loop(steps=3):
    cell = OwnLSTM()
    KEPT.append(cell)
    state, ys = cell.initial_state(1), []
    for x_t in tg.steps(tg.ones(steps, 1, 4)):
        y, state = cell(x_t, state)
        ys.append(y)
    return tg.graph(tg.stack(ys))


def learned_start(steps=3):
    w = tg.name(tg.ones(3, 3, requires_grad=True), "W")
    h = tg.name(tg.zeros(3, requires_grad=True), "h0")
    for x_t in tg.steps(tg.ones(steps, 3)):
        h = tg.tanh(w @ h + x_t)
    return tg.graph(h)


RAGGED = {"lengths": [4, 2, 1]}
LAYERS = {
    "gru": lambda: layer("GRU"),
    "gru long": lambda: layer("GRU", 40),
    "gru, two layers": lambda: layer("GRU", num_layers=2),
    "gru, no bias": lambda: layer("GRU", bias=False),
    "gru, reset before": lambda: layer("GRU", reset_after=False),
    "peephole": lambda: layer("LSTM", peephole=True),
    "projection": lambda: layer("LSTM", proj_size=2),
    "projection, two layers": lambda: layer("LSTM", proj_size=2, num_layers=2),
    "layer norm": lambda: recurrent(nn.LayerNormLSTMCell(4, 3)),
    "coupled": lambda: recurrent(nn.CoupledLSTMCell(4, 3)),
    "both ways": lambda: layer("LSTM", bidirectional=True),
    "both ways, one step": lambda: layer("LSTM", 1, bidirectional=True),
    "both ways, long": lambda: layer("RNN", 40, bidirectional=True),
    "both ways, gru": lambda: layer("GRU", 4, bidirectional=True),
    "both ways, two layers": lambda: layer("LSTM", bidirectional=True, num_layers=2),
    "both ways, three layers": lambda: layer("RNN", 9, bidirectional=True, num_layers=3),
    "reverse cell": lambda: recurrent(nn.RNNCell(4, 3), reverse=nn.RNNCell(4, 3)),
    "ragged": lambda: layer("LSTM", 4, 3, RAGGED),
    "ragged, ended": lambda: layer("LSTM", 4, 3, {"lengths": [2, 2, 1]}),
    "ragged, both ways": lambda: layer("RNN", 4, 3, RAGGED, bidirectional=True),
    "learned state": lambda: layer("LSTM", 3, 2, learned_state=True),
    "learned, two layers": lambda: layer("GRU", 3, 2, learned_state=True, num_layers=2),
    "learned, both ways": lambda: layer("RNN", 3, 2, learned_state=True, bidirectional=True),
    "learned, ragged": lambda: layer("RNN", 4, 3, RAGGED, learned_state=True),
    "variational": lambda: recurrent(nn.LSTMCell(4, 3), variational=0.3),
    "own cell, ragged": lambda: recurrent(OwnLSTM(), 4, RAGGED),
    "own cell": lambda: recurrent(OwnLSTM()),
    "own cell, long": lambda: recurrent(OwnLSTM(), 20),
    "own cell that joins": lambda: recurrent(Concatenating()),
    "own cell that joins, long": lambda: recurrent(Concatenating(), 9),
    "own cell of layers": lambda: recurrent(Stepped()),
    "own cell of layers, loss": lambda: tg.graph(
        nn.Recurrent(Stepped())(tg.zeros(3, 2, 4))[0].sum()
    ),
}
LOOPS = {
    "question": question,
    "question, long": lambda: question(40),
    "question, bias": lambda: question(bias=True),
    "question, head": lambda: question(head=True),
    "own loop": own_loop,
    "own loop, long": lambda: own_loop(20),
    "learned start": learned_start,
}
EVERY = [(n, m, level) for n, m in LAYERS.items() for level in ("cell", "op")]
EVERY += [(n, m, "op") for n, m in LOOPS.items()]
every = pytest.mark.parametrize(
    ("make", "level"), [pytest.param(m, level, id=f"{n}, {level}") for n, m, level in EVERY]
)


@every
def test_each_parameter_once_and_a_tap_for_every_use(make, level):
    graph = make()
    read = Read(to_dot(graph, level))
    taps = read.taps()
    for name in graph.parameters:
        assert len(read.of_class("param", f"p-{name}")) == 1, name
        assert taps[name] == len(graph.uses(name)), name


@every
def test_it_is_laid_out_and_nothing_overlaps(make, level):
    read = Read(to_dot(make(), level))
    assert 'layout="nop2"' in read.text
    check_nothing_overlaps(read)


@every
def test_taps_and_lines_run_through_no_box(make, level):
    read = Read(to_dot(make(), level))
    boxes = {
        id: box(attrs)
        for id, attrs in read.nodes.items()
        if {"op", "gate", "state", "io", "param"} & set(attrs["class"].split())
    }
    for tail, head, attrs in read.edges:
        if "legend" in attrs.get("class", ""):
            continue
        points = list(path(attrs["pos"]))
        for id, (left, bottom, right, top) in boxes.items():
            if id in (tail, head) or (id.startswith(tail) and "param" in id):
                continue
            inside = [(x, y) for x, y in points if left < x < right and bottom + 1 < y < top - 1]
            assert not inside, (tail, head, id)


def path(pos):
    """Points along an edge, close to one another."""
    numbers = [tuple(map(float, p.split(","))) for p in pos.split() if not p.startswith("e")]
    for k in range(0, len(numbers) - 3, 3):
        a, b, c, d = (np.array(p) for p in numbers[k : k + 4])
        for t in np.linspace(0.02, 0.98, 12 + int(abs(d - a).sum() / 8)):
            s = 1 - t
            yield tuple(a * s**3 + 3 * b * s * s * t + 3 * c * s * t * t + d * t**3)


@pytest.mark.parametrize("make", [pytest.param(m, id=n) for n, m in (LAYERS | LOOPS).items()])
def test_every_step_is_drawn_identically_at_op_level(make):
    text = to_dot(make(), "op")
    frames = dict(re.findall(r'subgraph "cluster_(l\d+\.t\d+)" \{ graph \[bb="([^"]*)"', text))
    looks = {}
    for name, bb in frames.items():
        left, bottom = map(float, bb.split(",")[:2])
        inside = []
        for id, attrs in Read(text).nodes.items():
            if id.startswith(f"{name}.") and not id.endswith(("heading", "ended")):
                x, y = map(float, attrs["pos"].split(","))
                tap = id.startswith(
                    f"{name}.tap."
                )  # the bus is nearer in a folded picture's next row
                inside.append((id.removeprefix(name), x - left, 0.0 if tap else y - bottom))
        if f"{name}.count" not in text:
            looks.setdefault(name.partition(".")[0], []).append(sorted(inside))
    assert looks
    for first, *others in looks.values():
        for step in others:
            assert [id for id, *_ in step] == [id for id, *_ in first]
            assert np.allclose([at for _, *at in step], [at for _, *at in first], atol=0.03)


@pytest.mark.parametrize("name", ["gru long", "own cell, long", "both ways, long"])
def test_long_ones_are_folded(name):
    text = to_dot(LAYERS[name](), "op")
    assert len(set(re.findall(r'subgraph "cluster_l0\.t\d+"', text))) == 5
    assert "same weights" in text


def test_a_long_loop_is_folded_and_keeps_its_uses():
    read = Read(to_dot(question(40)))
    assert read.taps() == {"W_hh": 40, "W_xh": 40}
    assert "x 36 steps" in read.text
    assert len(read.nodes) < len(Read(to_dot(question(4))).nodes) + 25


def test_a_loop_has_its_states_on_rails():
    read = Read(to_dot(question()))
    assert {"h₀", "h₁", "h₂", "h₃"} <= {a["label"] for a in read.of_class("state").values()}
    heights = {a["pos"].split(",")[1] for a in read.of_class("state").values()}
    assert len(heights) == 1


def test_loops_that_are_no_lattice_are_drawn_all_the_same():
    w, h, far = tg.name(tg.ones(3, requires_grad=True), "w"), tg.zeros(3), []
    for t, x_t in enumerate(tg.steps(tg.ones(4, 3))):
        far.append(h)
        h = w * h + x_t if t % 2 else tg.tanh(w * far[0])
    assert Read(to_dot(tg.graph(h))).of_class("param", "p-w")


@pytest.mark.parametrize("level", ["cell", "op"])
def test_the_second_direction_runs_to_the_left(level):
    read = Read(to_dot(layer("LSTM", bidirectional=True), level))
    x = {id: float(a["pos"].split(",")[0]) for id, a in read.of_class("state").items()}
    assert x["l0.h0"] < x["l0.h1"] < x["l0.h3"]
    assert x["l1.h4"] > x["l1.h3"] > x["l1.h1"]
    labels = {a["label"] for a in read.nodes.values()}
    assert {"y₁ = [fwd; rev]", "forward", "reverse"} <= labels
    into = [edge for edge in read.edges if edge[1] == "l1.y2"]
    assert {edge[0].partition(".")[0] for edge in into} == {"l0", "l1"}


def test_a_reverse_cell_takes_the_state_of_the_step_after():
    read = Read(to_dot(layer("LSTM", bidirectional=True), "cell"))
    assert read.nodes["l1.t2.c"]["label"] == "c₂ = f * c₃ + i * g"
    assert "W_hh h₃" in read.nodes["l1.t2.z"]["label"]


def test_ragged_steps_that_nothing_reaches_are_grey():
    read = Read(to_dot(LAYERS["ragged, ended"](), "cell"))
    labels = {id: a["label"] for id, a in read.nodes.items()}
    assert labels["l0.t2.c"] == "c₂ = f * c₁ + i * g"
    assert labels["l0.t3.c"] == "c₃ = c₂"
    assert labels["l0.y3"] == "y₃ = 0"
    assert any("beyond the length" in label for label in labels.values())
    partly = Read(to_dot(LAYERS["ragged"](), "cell"))
    assert partly.nodes["l0.t4.c"]["label"] == "c₄ = f * c₃ + i * g"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("gru", {"reset r", "update z", "new n", "W_ih x₁ + b_ih\\nW_hh h₀ + b_hh"}),
        ("gru, no bias", {"W_ih x₁\\nW_hh h₀", "h₂ = (1 - z) * n + z * h₁"}),
        ("gru, reset before", {"W_ih x₁ + b_ih\\nW_hh [h₀, r * h₀] + b_hh"}),
        ("projection", {"h₂ = W_hr (o * tanh(c₂))", "W_hr"}),
        ("coupled", {"c₂ = f * c₁ + (1 - f) * g", "forget f"}),
        ("layer norm", {"h₂ = o * tanh(LN(c₂))", "norm_c.W"}),
        ("peephole", {"W_peephole", "output o"}),
    ],
)
def test_cells_say_their_equations(name, says):
    labels = {a["label"] for a in Read(to_dot(LAYERS[name](), "cell")).nodes.values()}
    assert says <= labels


def test_layers_inside_a_cell_are_one_box():
    labels = [a["label"] for a in Read(to_dot(LAYERS["layer norm"](), "op")).nodes.values()]
    assert [labels.count(name) for name in ("norm_ih", "norm_hh", "norm_c")] == [3, 3, 3]


def test_short_names_of_a_reverse_direction():
    assert short_name("lstm.weight_hh_l0_reverse") == "W_hh_reverse"
