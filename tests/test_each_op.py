"""Every op of any graph: each has a box, each value a wire of its own, each use a tap, on one screen."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from picture_checks import check_taps, check_wires
from reading import Read, check_nothing_overlaps
from test_blocks import MODELS

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.drawing.draw import to_dot
from tinygrad_rnn.drawing.pictures.each_op import LoosePicture, StepsPicture, draw_each_op
from tinygrad_rnn.graphs.op_blocks import HIDDEN, EachOp
from tinygrad_rnn.graphs.recorded import PASS_THROUGH, SOURCES

SCREEN = 1440.0  # points
UNARY = ("tanh", "sigmoid", "relu", "exp", "square", "neg")
BINARY = ("add", "sub", "mul", "maximum")


def drawn_of(make: Callable[[], tg.Tensor]) -> tuple[tg.Graph, str]:
    """The graph of a model and its picture, ops one by one."""
    tg.manual_seed(0)
    with np.errstate(all="ignore"):
        graph = tg.graph(make())
    begun = time.process_time()
    text = to_dot(graph, "op")
    assert time.process_time() - begun < 2
    return graph, text


def check(graph: tg.Graph, text: str, what: str) -> Read:
    """All that must hold of a picture of ops."""
    read = Read(text)
    check_wires(text, what)
    check_taps(graph, text, what)
    check_nothing_overlaps(read)
    left, _, right, _ = map(float, text.partition(' bb="')[2].partition('"')[0].split(","))
    assert right - left <= SCREEN, (right - left, what)
    return read


def made_up(seed: int) -> Callable[[], tg.Tensor]:
    """A program of random ops on two Parameters and an input, over some steps or none."""

    def make() -> tg.Tensor:
        rng = np.random.default_rng(seed)
        size = int(rng.integers(1, 4))
        w, u = (nn.Parameter(rng.normal(size=(size, size))) for _ in range(2))
        given = tg.tensor(rng.normal(size=(int(rng.integers(1, 9)), 2, size)))
        linear = nn.Linear(size, size, dtype=tg.float64)
        plan = [
            (int(rng.integers(6)), str(rng.choice(UNARY)), str(rng.choice(BINARY)), *rng.integers(9, size=2))
            for _ in range(int(rng.integers(2, 12)))
        ]  # fmt: skip

        def step(x: tg.Tensor, h: tg.Tensor) -> tg.Tensor:
            values = [h, x]
            for kind, one, two, a, b in plan:
                first, second = values[-1 - a % len(values)], values[-1 - b % len(values)]
                if kind == 0:
                    values.append(first @ w)
                elif kind == 1:
                    values.append(linear(first * 0.5) @ u.T)
                elif kind == 2:
                    values.append(getattr(first, one)())
                elif kind == 3:
                    values.append(first - first.mean(-1, keepdim=True))
                else:
                    values.append(getattr(tg, two)(first, second))
            return (sum(values[1:], values[0]) @ w).tanh()

        h = tg.zeros(2, size, dtype=tg.float64)
        if seed % 3 == 0:
            return step(given[0], h).square().mean()
        marked = tg.steps(given) if seed % 3 == 1 else given
        for x in marked:
            h = step(x, h)
        return h.sum()

    return make


@pytest.mark.parametrize("seed", range(24))
def test_programs_of_random_ops(seed):
    check(*drawn_of(made_up(seed)), f"program {seed}")


@pytest.mark.slow
@pytest.mark.parametrize("first", range(24, 124, 50))
def test_many_programs_of_random_ops(first):
    for seed in range(first, first + 50):
        check(*drawn_of(made_up(seed)), f"program {seed}")


@pytest.mark.parametrize("name", [name for k, name in enumerate(MODELS) if k % 3 == 0])
def test_models_with_things_between_cells(name):
    """Nothing is wider than a screen, whichever layout a model has."""
    graph, text = drawn_of(MODELS[name])
    check(graph, text, name)


@pytest.mark.parametrize("seed", range(0, 60, 3))
def test_each_op_has_a_box_and_each_value_a_wire(seed):
    """Compared with the recorded graph, node by node and operand by operand."""
    tg.manual_seed(0)
    with np.errstate(all="ignore"):
        graph = tg.graph(made_up(seed)())
    picture = LoosePicture(graph, None, 5)
    nodes = graph.nodes
    shown = Counter(i for block in picture.shown for i in block.nodes)
    made_of = [n.id for n in nodes if n.op not in SOURCES and n.op not in PASS_THROUGH]
    assert all(shown[i] == 1 for i in made_of)
    block_of = {i: block for block in picture.blocks.blocks for i in block.nodes}
    for i in made_of:
        block = block_of[i]
        for k in nodes[i].inputs:
            while nodes[k].op in HIDDEN:
                k = nodes[k].inputs[0]
            if nodes[k].op == "parameter":
                assert block.uses[k] == nodes[i].inputs.count(k)
            elif nodes[k].op != "literal" and k in block_of:
                assert any(source is block_of[k] for source, _, _ in block.feeds)


def test_steps_stand_side_by_side_and_what_is_folded_is_dashed():
    class Decay(nn.Module):
        """A cell around a cell, whose state is worked on before it enters."""

        def __init__(self) -> None:
            super().__init__()
            self.cell, self.decay = nn.GRUCell(3, 4), nn.Linear(3, 4)

        def initial_state(self, batch: int) -> tg.Tensor:
            return tg.zeros(batch, 4)

        def forward(self, x, h):
            h = self.cell(x, tg.exp(-tg.relu(self.decay(x))) * h)
            return h, h

    make = lambda: nn.Recurrent(Decay())(tg.randn(9, 1, 3))[0].sum()  # noqa: E731
    graph, text = drawn_of(make)
    read = check(graph, text, "decay")
    headings = [a["label"] for a in read.of_class("text").values() if a["label"].startswith("t = ")]
    assert headings == ["t = 1", "t = 2 … 8, x 7 steps", "t = 9"]
    assert {call.run for call in graph.calls} == {0}
    assert [call.step for call in graph.calls if call.path.endswith("cell.cell")] == [*range(9)]
    check_wires(to_dot(graph, "cell"), "decay, cells")


def test_a_cell_whose_state_was_worked_on_goes_on_with_its_run():
    """Whatever is done to the state on its way; a run that starts anew stays another one."""
    cell, gate = nn.LSTMCell(3, 4), nn.Linear(3, 4)
    for times, runs in ((1, {0}), (2, {0, 1})):
        total = tg.zeros(())
        for _ in range(times):
            h, c = tg.zeros(1, 4), tg.zeros(1, 4)
            for x in tg.steps(tg.randn(5, 1, 3)):
                h, c = cell(x, (tg.sigmoid(gate(x)) * h, 0.9 * c))
            total = total + h.sum()
        calls = tg.graph(total).calls
        assert {call.run for call in calls} == runs
        assert [call.step for call in calls] == [*range(5)] * times


def test_numbers_as_one_would_print_them():
    """A scalar expression: names where the user gave them, a value taken twice said twice."""
    a, b = (
        tg.name(tg.tensor(v, requires_grad=True), n) for v, n in ((-4.0, "alpha"), (2.0, "beta"))
    )
    c = a + b
    d = tg.name((c + c) * (b - a) / 2.0, "d")
    d.backward()
    for level in ("op", "scalar"):
        graph = tg.graph(d)
        read = check(graph, to_dot(graph, level), level)
        words = [a["label"].split("\\n")[0] for a in read.of_class("op").values()]
        assert sorted(words) == ["*", "alpha + beta", "beta - alpha", "d", "x + x"]
        assert not read.of_class("loss")
    said = " ".join(a["label"] for a in read.nodes.values())
    assert "−4.000" in said
    assert f"{a.grad.item():.3f}".replace("-", "−") in said


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("steps", [2, 5, 20])
def test_a_loop_without_inputs_has_none_drawn(steps, known):
    w, u = nn.Parameter(tg.ones(2)), nn.Parameter(tg.ones(2))
    value = tg.ones(2) if known else nn.Parameter(tg.ones(2))
    for _ in range(steps):
        value = (value * w + u).tanh()
    graph, text = drawn_of(lambda: value.sum())
    read = check(graph, text, f"{steps} steps")
    assert not read.of_class("io", "x")
    assert len(read.of_class("state")) == (6 if steps == 20 else steps + 1)


def test_the_keys_of_a_pointer_network_stand_at_the_steps_that_read_them():
    """What has no step, and is of all steps of another layer, is where it is used."""
    encoder, cell = nn.LSTM(2, 8), nn.LSTMCell(2, 8)
    keys, query, score = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 1)
    points = tg.randn(5, 1, 2)
    memory, (h, c) = encoder(points)
    h, c, x, said = h[0], c[0], tg.randn(1, 2), []
    for _ in range(5):
        h, c = cell(x, (h, c))
        chosen = score(tg.tanh(keys(memory) + query(h)))[..., 0].softmax(0)
        said.append(chosen)
        x = (chosen[..., None] * points).sum(0)
    graph = tg.graph(tg.stack(said).log().mean())
    for level in ("cell", "layer"):
        read = Read(to_dot(graph, level))
        titles = [a["label"] for a in read.of_class("text").values()]
        assert titles.count("Linear") == (9 if level == "cell" else 3)
        check_wires(read.text, level)


def test_of_very_many_ops_those_in_the_middle_are_one_box():
    w = nn.Parameter(tg.ones(2))
    value = tg.ones(2)
    ops = [tg.Tensor.tanh, tg.Tensor.sigmoid, tg.Tensor.relu, tg.Tensor.neg]
    for k in np.random.default_rng(0).integers(len(ops), size=500):  # no loop
        value = ops[k](value * w)
    graph, text = drawn_of(lambda: value.sum())
    read, made = check(graph, text, "many"), sum(node.op not in SOURCES for node in graph)
    folds = [a["label"] for a in read.nodes.values() if a["label"].endswith(" ops")]
    assert folds == [f"x {made - 80:,} ops"]


def test_numbers_that_no_screen_shows_are_refused():
    weight = nn.Parameter(tg.randn(9, 9))
    loss = (tg.randn(9, 9) @ weight).sum()
    with pytest.raises(ValueError, match="level='op'"):
        to_dot(tg.graph(loss), "scalar")


def test_steps_that_were_asked_for_are_drawn():
    graph = tg.graph(MODELS["attention, 9"]())
    scene = draw_each_op(graph, [0, 4])
    words = [box.label for (_, part), box in scene.boxes.items() if part.startswith("time")]
    assert words[:4] == ["t = 1", "t = 2 … 4, x 3 steps", "t = 5", "t = 6 … 9, x 4 steps"]
    picture = StepsPicture(graph, [0, 4], None, 2, 6)
    assert isinstance(picture.blocks, EachOp)
    with pytest.raises(ValueError, match="no step 99"):
        draw_each_op(graph, [99])


@pytest.mark.slow
def test_pictures_do_not_depend_on_hashes():
    """The same bytes from processes whose sets are in another order, of any model and of cells of users."""
    program = (
        "import hashlib, sys; sys.path.insert(0, sys.argv[1]); import tinygrad_rnn as tg\n"
        "from test_blocks import DRAWN, MODELS, graph_of; from test_op_pictures import USERS\n"
        "from tinygrad_rnn.drawing.draw import to_dot\n"
        "def show(graph, *what):\n"
        "    text = to_dot(graph, what[-1])\n"
        "    print(*what, hashlib.sha256(text.encode()).hexdigest())\n"
        "for name, level in [*DRAWN[::3], *((name, 'op') for name in [*MODELS][::4])]:\n"
        "    show(graph_of(name), name, level)\n"
        "for name in [*sorted(USERS)[::4], 'Signs']:\n"
        "    show(tg.graph(USERS[name]()), name, 'op')"
    )
    said = []
    for seed in "12":
        env = {**os.environ, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-W", "ignore", "-c", program, str(Path(__file__).parent)]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
        said.append(done.stdout.splitlines())
    assert len(said[0]) > 60
    assert said[0] == said[1]


def test_states_of_two_runs_bear_their_numbers():
    """As at the level of cells: the encoder's h of a step is not the decoder's."""
    tg.manual_seed(0)
    encoder, cell, out = nn.GRU(4, 6), nn.GRUCell(4, 6), nn.Linear(12, 4)
    y, h = encoder(tg.randn(3, 1, 4))
    h, x = h[0], tg.zeros(1, 4)
    for _ in tg.steps(2):
        h = cell(x, h)
        seen = (y * (y * h).sum(-1).softmax(0).unsqueeze(-1)).sum(0)
        x = out(tg.cat([h, seen], -1))
    labels = [a.get("label", "") for a in Read(to_dot(tg.graph(x.sum()), "op")).nodes.values()]
    states = sorted(label.partition("\\n")[0] for label in labels if label.startswith("h"))
    assert [s for s in states if s[-1] in "₁₂₃"] == sorted(
        [f"h⁽¹⁾{t}" for t in "₁₂₃"] + [f"h⁽²⁾{t}" for t in "₁₂"]
    )
