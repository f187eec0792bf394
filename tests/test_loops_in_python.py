"""Loops that users write in Python, without ``tg.steps``: every turn is a step, with its state and its x."""

import re
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.graphs.loops import in_turns, loop_calls

F = nn.functional
STEPS = 5
DRAW = np.random.default_rng(0)
# kept row by row: a graph keeps no input's array alive
ROWS = list(tg.tensor(DRAW.standard_normal((STEPS, 3))))
BATCHES = list(tg.tensor(DRAW.standard_normal((STEPS, 2, 3))))
NUMBERS = list(tg.tensor(DRAW.standard_normal(STEPS)))
TARGETS = tg.tensor(DRAW.standard_normal((STEPS, 2)))


def p(*shape: int) -> nn.Parameter:
    return nn.Parameter(DRAW.standard_normal(shape) * 0.3, dtype=tg.float64)


def zeros(*shape: int) -> tg.Tensor:
    return tg.zeros(*shape, dtype=tg.float64)


LOOPS: dict[str, Any] = {}
STATES: dict[str, set[str]] = {}


def loop(*states: str) -> Any:
    def entered(make: Any) -> Any:
        LOOPS[make.__name__], STATES[make.__name__] = make, set(states)
        return make

    return entered


@loop("h")
def of_vectors() -> tg.Tensor:
    U, W, b, h = p(4, 3), p(4, 4), p(4), zeros(4)
    for x in ROWS:
        h = tg.tanh(U @ x + W @ h + b)
    return h.sum()


@loop("h")
def of_batches_by_number() -> tg.Tensor:
    U, W, b, h = p(3, 4), p(4, 4), p(4), zeros(2, 4)
    for t in range(STEPS):
        h = tg.tanh(BATCHES[t] @ U + h @ W + b)
    return h.sum()


@loop("h")
def in_numpys_names() -> tg.Tensor:
    U, W, h = p(4, 3), p(4, 4), zeros(4)
    for x in ROWS:
        h = np.tanh(np.dot(U, x) + np.dot(W, h))
    return h.sum()


@loop("h")
def in_a_dict() -> tg.Tensor:
    U, W, hs = p(4, 3), p(4, 4), {-1: zeros(4)}
    for t in range(STEPS):
        hs[t] = tg.tanh(U @ ROWS[t] + W @ hs[t - 1])
    return hs[STEPS - 1].sum()


@loop("h")
def with_outputs() -> tg.Tensor:
    U, W, V, h, ys = p(4, 3), p(4, 4), p(2, 4), zeros(4), []
    for x in ROWS:
        h = tg.tanh(U @ x + W @ h)
        ys.append(V @ h)
    return F.mse_loss(tg.stack(ys), TARGETS)


@loop("h", "sum")
def with_a_loss_at_each_step() -> tg.Tensor:
    U, W, V, h, loss = p(4, 3), p(4, 4), p(2, 4), zeros(4), 0.0
    for x, y in zip(ROWS, TARGETS, strict=True):
        h = tg.tanh(U @ x + W @ h)
        loss += F.mse_loss(V @ h, y)
    return loss


@loop("h", "sum")
def with_a_loss_that_falls() -> tg.Tensor:
    """As the hundred lines of a character model that students know write it."""
    U, W, V, h, loss = p(4, 3), p(4, 4), p(2, 4), zeros(4, 1), 0
    for t in range(STEPS):
        h = tg.tanh(U @ ROWS[t].reshape(3, 1) + W @ h)
        y = V @ h
        shares = tg.exp(y) / tg.sum(tg.exp(y))
        loss = loss - tg.log(shares[1, 0])
    return loss


@loop("h")
def joined() -> tg.Tensor:
    """Of [x, h] with h all zeros nothing is recorded: the first turn has an op less."""
    W, h = p(4, 7), zeros(4)
    for x in ROWS:
        h = tg.tanh(W @ tg.cat([x, h]))
    return h.sum()


@loop("h")
def joined_and_learnt() -> tg.Tensor:
    W, h = p(4, 7), p(4)
    for x in ROWS:
        h = tg.tanh(W @ tg.cat([x, h]))
    return h.sum()


@loop("h")
def leaky() -> tg.Tensor:
    U, W, h = p(4, 3), p(4, 4), zeros(4)
    for x in ROWS:
        h = 0.9 * h + 0.1 * tg.tanh(U @ x + W @ h)
    return h.sum()


@loop("h")
def from_a_learnt_state() -> tg.Tensor:
    U, W, h = p(4, 3), p(4, 4), p(4)
    for x in ROWS:
        h = tg.tanh(U @ x + W @ h)
    return h.sum()


@loop("h")
def without_an_input() -> tg.Tensor:
    W, h = p(4, 4), tg.ones(4, dtype=tg.float64)
    for _ in range(STEPS):
        h = W @ h
    return h.sum()


@loop("h")
def of_numbers() -> tg.Tensor:
    u, w, h = p(1), p(1), zeros(1)
    for x in NUMBERS:
        h = tg.tanh(w * h + u * x)
    return h.sum()


@loop("h")
def of_symbols() -> tg.Tensor:
    E, U, W, h = p(5, 3), p(4, 3), p(4, 4), zeros(4)
    for k in [1, 0, 2, 4, 3]:
        h = tg.tanh(U @ E[k] + W @ h)
    return h.sum()


@loop("h", "c")
def lstm() -> tg.Tensor:
    U, W, h, c = p(16, 3), p(16, 4), zeros(4), zeros(4)
    for x in ROWS:
        i, f, g, o = (U @ x + W @ h).chunk(4)
        c = tg.sigmoid(f) * c + tg.sigmoid(i) * tg.tanh(g)
        h = tg.sigmoid(o) * tg.tanh(c)
    return h.sum()


@loop("h", "c")
def lstm_joined() -> tg.Tensor:
    W, h, c = [p(4, 7) for _ in range(4)], zeros(4), zeros(4)
    for x in ROWS:
        z = tg.cat([x, h])
        c = tg.sigmoid(W[0] @ z) * c + tg.sigmoid(W[1] @ z) * tg.tanh(W[2] @ z)
        h = tg.sigmoid(W[3] @ z) * tg.tanh(c)
    return h.sum()


@loop("h")
def gru_joined() -> tg.Tensor:
    W, h = [p(4, 7) for _ in range(3)], zeros(4)
    for x in ROWS:
        z = tg.sigmoid(W[0] @ tg.cat([x, h]))
        r = tg.sigmoid(W[1] @ tg.cat([x, h]))
        n = tg.tanh(W[2] @ tg.cat([x, r * h]))
        h = (1 - z) * h + z * n
    return h.sum()


@loop("s1", "s2")
def two_layers() -> tg.Tensor:
    U, W, V, R, h, g = p(4, 3), p(4, 4), p(4, 4), p(4, 4), zeros(4), zeros(4)
    for x in ROWS:
        h = tg.tanh(U @ x + W @ h)
        g = tg.tanh(V @ h + R @ g)
    return g.sum()


@loop("h")
def of_modules() -> tg.Tensor:
    first, again, h = nn.Linear(3, 4).double(), nn.Linear(4, 4).double(), zeros(2, 4)
    for x in BATCHES:
        h = tg.tanh(first(x) + again(h))
    return h.sum()


@loop("h")
def of_a_module_of_ones_own() -> tg.Tensor:
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.i2h = nn.Linear(7, 4)

        def forward(self, x: Any, h: Any) -> Any:
            return tg.tanh(self.i2h(tg.cat([x, h], 1)))

    own, h = Own().double(), zeros(2, 4)
    for x in BATCHES:
        h = own(x, h)
    return h.sum()


@loop("h")
def without_a_first_state() -> tg.Tensor:
    U, W, h = p(3, 4), p(4, 4), None
    for x in BATCHES:
        z = x @ U
        if h is not None:
            z = z + h @ W
        h = tg.tanh(z)
    return h.sum()


@loop("h")
def without_a_first_state_and_as_wide_as_x() -> tg.Tensor:
    U, W, b, h = p(3, 3), p(3, 3), p(3), None
    for x in BATCHES:
        h = tg.tanh(x @ U.T + b if h is None else x @ U.T + b + h @ W.T)
    return h.sum()


@loop("h")
def with_0_for_a_first_state() -> tg.Tensor:
    U, W, h = p(3, 4), p(4, 4), 0
    for x in BATCHES:
        h = tg.tanh(x @ U + (h @ W if isinstance(h, tg.Tensor) else 0.0))
    return h.sum()


@loop("h", "sum")
def without_a_first_state_and_with_losses() -> tg.Tensor:
    U, W, h, total = p(3, 2), p(2, 2), None, 0.0
    for x, y in zip(BATCHES, TARGETS, strict=True):
        h = tg.tanh(x @ U if h is None else x @ U + h @ W)
        total = total + F.mse_loss(h[0], y)
    return total


def turns_of(total: tg.Tensor) -> Any:
    graph = tg.graph(total)
    found = loop_calls(in_turns(list(graph)))
    assert found is not None
    return graph, *found


def values(graph: tg.Graph, node: int) -> Any:
    """What an input of a graph held."""
    held = graph._raw[node].held
    return held() if callable(held) else held


@pytest.mark.parametrize("name", LOOPS)
def test_every_turn_is_a_step(name: str) -> None:
    _, nodes, turns = turns_of(total := LOOPS[name]())
    assert [turn.step for turn in turns] == list(range(STEPS))
    assert set(turns[0].outputs) == STATES[name]
    for before, turn in pairwise(turns):
        assert {s: turn.inputs[s] for s in turn.outputs} == before.outputs
    # each turn uses each of the loop's Parameters as often as any other does
    shared = [i for i, node in enumerate(nodes) if node.op == "parameter"]
    for i in shared:
        uses = [sum(list(nodes[k].inputs).count(i) for k in turn.nodes) for turn in turns]
        assert len(set(uses[1:])) == 1
        assert uses[1] > 0 or uses[0] == 1  # a learnt first state
    picture = tg.graph(total).to_dot()
    assert len(set(re.findall(r"t = (\d+)\\l", picture))) == STEPS
    assert set(re.findall(r'label="(\w+?)₀"', picture)) == STATES[name]


@pytest.mark.parametrize("name", LOOPS)
def test_x_is_the_row_of_its_step(name: str) -> None:
    graph, _, turns = turns_of(LOOPS[name]())
    if name in ("without_an_input", "of_symbols"):
        assert all("x" not in turn.inputs for turn in turns)
        return
    rows = (NUMBERS, ROWS, BATCHES)
    came = [np.asarray(values(graph, turn.inputs["x"])) for turn in turns]
    for k, x in enumerate(came):
        if not k and x.shape != came[1].shape:
            continue  # [x, h] of a first turn
        right = next(r[k] for r in rows if r[k].numel() == x.size)
        np.testing.assert_array_equal(x.ravel(), right.numpy().ravel())


def test_two_loops_one_after_the_other() -> None:
    """A loop does not begin with the last op of the one before it."""
    U, W, V, R = p(4, 3), p(4, 4), p(4, 3), p(4, 4)
    h, g = zeros(4), zeros(4)
    for x in ROWS:
        h = tg.tanh(U @ x + W @ h)
    for x in ROWS[::-1]:
        g = tg.tanh(V @ x + R @ g)
    graph, _, turns = turns_of((h * g).sum())
    assert [turn.step for turn in turns] == [*range(STEPS), *range(STEPS)]
    seen = [values(graph, turn.inputs["x"])[0] for turn in turns]
    np.testing.assert_array_equal(seen, [float(x[0]) for x in (*ROWS, *ROWS[::-1])])
    assert graph.to_dot().count("loop 2") == 1


def test_an_encoder_hands_its_state_on() -> None:
    U, W, V, R = p(4, 3), p(4, 4), p(4, 3), p(4, 4)
    h, loss = zeros(4), 0
    for x in ROWS:
        h = tg.tanh(U @ x + W @ h)
    for x in ROWS:
        h = tg.tanh(V @ x + R @ h)
        loss = loss + h.sum()
    _, _, turns = turns_of(loss)
    assert len(turns) == 2 * STEPS
    assert turns[STEPS].inputs["h"] == turns[STEPS - 1].outputs["h"]


def test_the_last_output_alone() -> None:
    """Of the last turn nothing is used but an output: what is recorded of it is no turn."""
    i2h, i2o, h = nn.Linear(7, 4).double(), nn.Linear(7, 2).double(), zeros(2, 4)
    for x in BATCHES:
        both = tg.cat([x, h], 1)
        y, h = i2o(both), tg.tanh(i2h(both))
    graph, nodes, turns = turns_of(y.sum())
    assert len(turns) == STEPS - 1
    assert {nodes[turn.outputs["h"]].op for turn in turns} == {"tanh"}
    for k, turn in enumerate(turns[1:], 1):
        np.testing.assert_array_equal(values(graph, turn.inputs["x"]), BATCHES[k].numpy())


@pytest.mark.parametrize(
    "make",
    [
        lambda: sum(((p(2, 2) @ ROWS[0][:2]).sum() for _ in range(4)), start=0.0),
        lambda: nn.Sequential(*(nn.Linear(3, 3) for _ in range(4)))(tg.randn(2, 3)).sum(),
        lambda: nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 1))(tg.randn(2, 3)).sum(),
    ],
)
def test_what_is_no_loop(make: Any) -> None:
    found = loop_calls(in_turns(list(tg.graph(make()))))
    assert found is None or not found[1]
