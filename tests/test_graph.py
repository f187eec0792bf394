"""The graph as data: what was recorded, the same every time, and never changed by looking."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
from support import numbers

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim


class Forecaster(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(2, 3), nn.Tanh())
        self.rnn = nn.LSTM(3, 4, num_layers=2)
        self.head = nn.Linear(4, 1)

    def forward(self, x):
        return self.head(self.rnn(self.body(x))[0][-1])


def plain(graph):
    return [graph[i] for i in range(len(graph))], graph.outputs, graph.calls, graph.summary()


# ---- nodes ---------------------------------------------------------------------------------------


def test_nodes_of_a_small_expression():
    w = tg.name(tg.tensor([1.0, 2.0], requires_grad=True), "w")
    x = tg.tensor([3.0, 4.0])
    y = tg.name(w * x, "product") * 2.5
    graph = tg.graph(y)
    assert [(n.op, n.name, n.shape, n.dtype, n.inputs) for n in graph] == [
        ("parameter", "w", (2,), "float32", ()),
        ("input", "", (2,), "float32", ()),
        ("mul", "product", (2,), "float32", (0, 1)),
        ("literal", "2.5", (), "float", ()),
        ("mul", "", (2,), "float32", (2, 3)),
    ]
    assert graph.outputs == (4,)
    assert len(graph) == len(graph.nodes) == 5
    assert graph.nodes[2] == graph[2]
    assert (graph.steps, graph.calls) == ([], [])
    assert repr(graph) == "<Graph: 5 nodes, 1 Parameters, 0 time steps>"


def test_several_outputs_and_operand_order():
    a, b = (tg.tensor(v, requires_grad=True) for v in (2.0, 3.0))
    difference, quotient = a - b, b / a
    graph = tg.graph(difference, quotient)
    first, second = (graph[i] for i in graph.outputs)
    assert (first.op, second.op) == ("sub", "div")
    assert first.inputs == second.inputs[::-1]
    assert [use.operand for use in graph.uses(a)] == [0, 1]


def test_inputs_come_before_what_uses_them():
    graph = tg.graph(Forecaster()(tg.tensor(numbers((4, 2, 2)), dtype=tg.float32)))
    for node in graph:
        assert all(i < node.id for i in node.inputs)


def test_an_input_that_takes_a_gradient_is_no_parameter():
    x = tg.ones(3, 1, 2, requires_grad=True)
    rnn = nn.RNN(2, 3)
    graph = tg.graph(rnn(x)[0])
    assert len(graph.parameters) == 4
    assert [n.name for n in graph if n.op == "input" and n.shape == (3, 1, 2)] == ["x"]


def test_nothing_recorded_says_why():
    with pytest.raises(ValueError, match="requires_grad=True"):
        tg.graph(tg.ones(2) * 2)


# ---- names ---------------------------------------------------------------------------------------


def test_dotted_names_paths_and_steps_of_a_model():
    model = Forecaster()
    graph = tg.graph(model(tg.ones(3, 1, 2)))
    names = [f"forecaster.{name}" for name, _ in model.named_parameters()]
    assert list(graph.parameters) == names
    paths = {node.path for node in graph}
    assert {"forecaster.body.0", "forecaster.body.1", "forecaster.rnn", "forecaster.head"} <= paths
    assert graph.steps == [0, 1, 2]
    heads = [n for n in graph if n.path == "forecaster.head"]
    assert heads
    assert all(n.step is None for n in heads)
    assert graph.parameters["forecaster.head.bias"].shape == (1,)


def test_several_roots_of_one_class_are_numbered():
    first, second, other = nn.Linear(2, 2), nn.Linear(2, 2), nn.LSTM(2, 2)
    y = second(first(tg.ones(1, 2)))
    graph = tg.graph(other(y.reshape(1, 1, 2))[0])
    names = list(graph.parameters)
    assert names[:4] == ["linear_1.weight", "linear_1.bias", "linear_2.weight", "linear_2.bias"]
    assert names[4] == "lstm.weight_ih_l0"
    assert {"linear_1", "linear_2", "lstm"} <= {n.path for n in graph}


def test_uses_by_tensor_node_and_name():
    model = Forecaster()
    graph = tg.graph(model(tg.ones(3, 1, 2)))
    name = "forecaster.rnn.weight_hh_l1"
    uses = graph.uses(model.rnn.weight_hh_l1)
    assert uses == graph.uses(name) == graph.uses(graph.parameters[name])
    assert [use.step for use in uses] == [0, 1, 2]
    for use in uses:
        assert graph[use.node].inputs[use.operand] == graph.parameters[name].id
    with pytest.raises(KeyError, match=r"forecaster\.head\.weight"):
        graph.uses("nonsense")
    with pytest.raises(KeyError, match="no Parameter of this graph"):
        graph.uses(nn.Parameter([1.0]))


def test_a_parameter_knows_itself_after_it_was_written():
    linear = nn.Linear(2, 1)
    graph = tg.graph(linear(tg.ones(1, 2)))
    with tg.no_grad():
        linear.weight -= 1.0
    assert len(graph.uses(linear.weight)) == 1
    assert len(tg.graph(linear(tg.ones(1, 2))).uses(linear.weight)) == 1


def test_names_of_bare_leaves_never_collide():
    a, b = tg.tensor(1.0, requires_grad=True), tg.tensor(2.0, requires_grad=True)
    c, d = (tg.name(tg.tensor(3.0, requires_grad=True), "w1") for _ in range(2))
    graph = tg.graph(a * b * c * d)
    assert len(graph.parameters) == 4
    assert {"w1", "w1_2"} <= set(graph.parameters)


def test_name_takes_tensors_and_returns_them():
    x = tg.ones(2)
    assert tg.name(x, "x") is x
    w = tg.ones(2, requires_grad=True)
    assert [n.name for n in tg.graph(w * x) if n.op == "input"] == ["x"]
    with pytest.raises(TypeError, match="float"):
        tg.name(1.0, "x")


def test_a_name_stays_when_a_tensor_becomes_a_leaf_or_is_written():
    w = tg.name(tg.ones(2), "w").requires_grad_()
    assert list(tg.graph(w * 2).parameters) == ["w"]
    with tg.no_grad():
        w += 1.0
    assert list(tg.graph(w * 2).parameters) == ["w"]


def test_gates_are_named_by_the_cell():
    graph = tg.graph(nn.LSTM(2, 3)(tg.ones(2, 1, 2))[0])
    for step in range(2):
        named = {n.name: n.op for n in graph if n.step == step and n.op != "input"}
        assert {k: named[k] for k in "ifgoch"} == {
            "i": "sigmoid", "f": "sigmoid", "g": "tanh", "o": "sigmoid", "c": "add", "h": "mul",
        }  # fmt: skip


# ---- cell calls ----------------------------------------------------------------------------------


def test_calls_chain_through_their_states():
    lstm = nn.LSTM(2, 3, num_layers=2)
    graph = tg.graph(lstm(tg.ones(3, 1, 2))[0])
    calls = graph.calls
    assert [(c.label, c.step) for c in calls] == [
        (f"layer {k}", t) for k in range(2) for t in range(3)
    ]
    assert [c.run for c in calls] == [0, 0, 0, 1, 1, 1]
    for before, after in pairwise(calls[:3]):
        assert after.inputs["h"] == before.outputs["h"]
        assert after.inputs["c"] == before.outputs["c"]
    for lower, upper in zip(calls[:3], calls[3:], strict=True):
        assert upper.inputs["x"] == lower.outputs["h"]
    for call in calls:
        assert all(graph[i].call == call.id for i in call.nodes)
        assert call.cell is nn.LSTMCell
        assert call.path == "lstm"


# ---- the same every time; looking changes nothing ------------------------------------------------


class Fields(NamedTuple):
    """A state of the user's own, with names."""

    fast: tg.Tensor
    slow: tg.Tensor


class OwnCell(nn.Module):
    """A cell whose state is made by ``state`` of its parts."""

    def __init__(self, state, count):
        super().__init__()
        self.w = nn.Parameter(tg.ones(3, 3))
        self.state, self.count = state, count

    def forward(self, x, state):
        parts = state.values() if isinstance(state, dict) else state
        new = [tg.tanh(x @ self.w + part) for part in parts]
        return sum(new[1:], new[0]), self.state(new)

    def initial_state(self, batch):
        return self.state([tg.zeros(batch, 3) for _ in range(self.count)])


@pytest.mark.parametrize(
    ("state", "count", "names"),
    [
        (lambda parts: Fields(*parts), 2, ["fast", "slow"]),
        (tuple, 2, ["h", "c"]),  # as PyTorch's pair
        (tuple, 3, ["s1", "s2", "s3"]),
        (lambda parts: dict(zip("ab", parts, strict=True)), 2, ["a", "b"]),
    ],
)
@pytest.mark.parametrize("compiled", [False, True])
def test_states_keep_their_names(state, count, names, compiled):
    layer = nn.Recurrent(OwnCell(state, count))
    layer.compiled = compiled
    y, _ = layer(tg.ones(4, 2, 3))
    calls = tg.graph(y).calls
    assert [list(call.outputs) for call in calls] == [names] * 4
    assert [list(call.inputs) for call in calls] == [["x", *names]] * 4


def test_the_same_program_gives_the_same_graph():
    """Also in a second epoch, with the same input and weights that were written in between."""
    x = tg.tensor(numbers((4, 2, 2)), dtype=tg.float32)
    models = [Forecaster() for _ in range(2)]
    optimizer = optim.SGD(models[0].parameters(), lr=0.1)
    seen = []
    for model in (models[0], models[0], models[1]):
        loss = model(x).sum()
        seen.append(plain(tg.graph(loss)))
        loss.backward()
        optimizer.step()
    assert seen[0] == seen[1] == seen[2]


def test_one_recording_read_twice_is_the_same():
    model = Forecaster()
    y = model(tg.ones(4, 2, 2)).sum()
    assert plain(tg.graph(y)) == plain(tg.graph(y))


def test_reading_changes_nothing():
    from tinygrad_rnn.engine.values import reachable

    model = Forecaster()
    twin = Forecaster()
    twin.load_state_dict(model.state_dict())
    x = tg.tensor(numbers((4, 2, 2)), dtype=tg.float32)
    losses = [m(x).square().sum() for m in (model, twin)]
    fields = ("op", "name", "number", "shape", "dtype", "place", "parents")

    def seen():
        nodes = sorted(reachable([losses[0]._node]), key=lambda n: n.number)
        return [tuple(getattr(n, f) for f in fields) for n in nodes]

    before = seen()
    graph = tg.graph(losses[0])
    plain(graph)
    for name in graph.parameters:
        graph.uses(name)
    assert seen() == before
    for loss in losses:
        loss.backward()
    plain(graph)
    for p, q in zip(model.parameters(), twin.parameters(), strict=True):
        np.testing.assert_array_equal(p.grad.numpy(), q.grad.numpy())


def test_a_graph_outlives_its_model():
    y = Forecaster()(tg.ones(3, 1, 2))
    graph = tg.graph(y)
    assert len(graph.parameters) == 12
    assert all(len(graph.uses(n)) in (1, 3) for n in graph.parameters)


def test_a_graph_of_a_hundred_thousand_nodes():
    w = tg.tensor(0.5, requires_grad=True)
    y = w
    for _ in range(100_000):
        y = y * w
    graph = tg.graph(y)
    assert len(graph) == 100_001
    assert len(graph.uses(w)) == 100_001
    assert graph[100_000].op == "mul"
    assert "100,001 uses" in graph.summary()


# ---- words ---------------------------------------------------------------------------------------


def test_summary():
    model = Forecaster()
    text = tg.graph(model(tg.ones(3, 1, 2))).summary()
    lines = text.splitlines()
    assert lines[0].startswith("Graph of ")
    assert lines[0].endswith(" nodes over 3 time steps (t = 1 ... 3)")
    assert lines[1].split() == ["forecaster.body.0.weight", "(3,", "2)", "1", "use"]
    assert lines[3].split() == ["forecaster.rnn.weight_ih_l0", "(16,", "3)", "3", "uses"]
    assert lines[-1] == "  12 Parameters, 318 numbers, the same for any number of steps"
    w = tg.ones(2, requires_grad=True)
    assert tg.graph(w * w).summary().splitlines()[-1] == "  1 Parameters, 2 numbers"
    one = tg.graph(nn.RNN(2, 3)(tg.ones(1, 1, 2))[0]).summary()
    assert "over 1 time step (t = 1)" in one
