"""Backward pictures of what is no grid of cells, and of layers: their numbers are differences of losses."""

from __future__ import annotations

import numpy as np
import pytest
from picture_checks import check_wires
from reading import Read, check_nothing_overlaps
from test_blocks import MODELS, TIMELESS

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.drawing.pictures.backward import BackwardLayers, BackwardRows
from tinygrad_rnn.drawing.scene.text import number
from tinygrad_rnn.graphs.block_gradients import Crossing

STEPS = 3
KEPT = []


def parts(kind):
    tg.manual_seed(3)
    made = kind(3, 4).double(), nn.Linear(4, 3).double(), nn.Linear(3, 3).double()
    KEPT.append(made)
    return made


def decoder(made, at=(-1, ""), noise=0.0):
    """A cell that is fed with what it said; ``noise`` is added to one value at one step."""
    cell, head, _ = made
    state, x, loss = None, tg.ones(2, 3, dtype=tg.float64), tg.tensor(0.0).double()
    for t in range(STEPS):
        state = cell(x, state)
        h = state[0] if isinstance(state, tuple) else state
        into = h + noise if at == (t, "into the head") else h
        said = head(into)
        if at == (t, "said"):
            said = said + noise
        x = said + noise if at == (t, "into the cell") else said
        loss = loss + said.square().sum()
    return loss


def difference(made, at, shape):
    """The norm of dL/dvalue by central differences."""
    found, step = np.zeros(shape), 1e-6
    for k in np.ndindex(*shape):
        noise = np.zeros(shape)
        noise[k] = step
        losses = [decoder(made, at, sign * noise).item() for sign in (1, -1)]
        found[k] = (losses[0] - losses[1]) / (2 * step)
    return np.linalg.norm(found)


@pytest.mark.parametrize("kind", [nn.RNNCell, nn.LSTMCell, nn.GRUCell])
def test_the_numbers_are_differences_of_losses(kind):
    made = parts(kind)
    loss = decoder(made)
    picture = BackwardRows(tg.graph(loss), loss.backward(ledger=True), None)
    heads = sorted((b for b in picture.shown if b.kind == "module"), key=lambda b: min(b.nodes))
    assert len(heads) == STEPS
    for t, head in enumerate(heads):
        size = difference(made, (t, "said"), (2, 3))
        assert picture.gradients.at(head) == pytest.approx(size, rel=1e-6)
        assert f"grad {number(size)}" in picture.words(head)
        ((source, value, _),) = head.feeds
        came = picture.gradients.crosses(Crossing(head, (value,)))
        assert source.kind == "cell"
        assert came == pytest.approx(difference(made, (t, "into the head"), (2, 4)), rel=1e-6)
    cells = sorted((b for b in picture.shown if b.kind == "cell"), key=lambda b: min(b.nodes))
    for t, cell in enumerate(cells[1:]):
        value = next(value for source, value, _ in cell.feeds if source is heads[t])
        came = picture.gradients.crosses(Crossing(cell, (value,)))
        assert came == pytest.approx(difference(made, (t, "into the cell"), (2, 3)), rel=1e-6)


@pytest.mark.parametrize("kind", [nn.RNNCell, nn.LSTMCell, nn.GRUCell])
def test_layers_say_the_norms_of_all_their_steps_together(kind):
    made = parts(kind)
    loss = decoder(made)
    graph, ledger = tg.graph(loss), loss.backward(ledger=True)
    picture = BackwardLayers(graph, ledger, 5)
    (head,) = (b for b in picture.shown if b.kind == "module")
    sizes = [difference(made, (t, "said"), (2, 3)) for t in range(STEPS)]
    assert picture.gradients.at(head) == pytest.approx(np.linalg.norm(sizes), rel=1e-6)
    labels = " ".join(
        a["label"] for a in Read(graph.to_dot("layer", backward=ledger)).nodes.values()
    )
    for module in made[:2]:
        for p in module.parameters():
            assert f"|G| = {number(np.linalg.norm(p.grad.numpy()))}" in labels


def test_a_layers_loop_carries_what_goes_from_step_to_step():
    tg.manual_seed(0)
    rnn = nn.RNN(2, 3).double()
    x, states = tg.randn(4, 1, 2).double(), [tg.zeros(1, 1, 3, dtype=tg.float64)]
    y, _ = rnn(x)
    loss = y[-1].square().sum()
    ledger = loss.backward(ledger=True)
    picture = BackwardLayers(tg.graph(loss), ledger, 5)
    (block,) = picture.blocks.calls_of
    came = picture.gradients.crosses(Crossing(block, tuple(picture.own_values(block, "h"))))
    with tg.no_grad():
        h = np.zeros((1, 3))
        for t in range(4):
            h = np.tanh(x.numpy()[t] @ rnn.weight_ih_l0.numpy().T + rnn.bias_ih_l0.numpy()
                        + h @ rnn.weight_hh_l0.numpy().T + rnn.bias_hh_l0.numpy())  # fmt: skip
            states.append(h)
    g, sizes = 2 * h, []
    for t in range(3, 0, -1):
        g = (g * (1 - states[t + 1] ** 2)) @ rnn.weight_hh_l0.numpy()
        sizes.append(np.linalg.norm(g))
    assert came == pytest.approx(np.linalg.norm(sizes), rel=1e-9)


@pytest.mark.parametrize("name", [*sorted(MODELS)[::6], "gan", "variational", "transformer, 1"])
def test_lines_are_true_and_nothing_overlaps(name):
    tg.manual_seed(0)
    made = MODELS[name]()
    loss = made[0] if isinstance(made, tuple) else made
    ledger = loss.backward(ledger=True)
    graph = tg.graph(loss)
    for level in ("auto", "layer"):
        text = graph.to_dot(level, backward=ledger)
        check_wires(text, (name, level))
        if level == "layer" or name in TIMELESS:
            check_nothing_overlaps(Read(text))
        assert 'class="use' in text
        assert text == graph.to_dot(level, backward=ledger)


def test_what_cannot_be_is_said():
    made = parts(nn.GRUCell)
    loss, other = decoder(made), decoder(made)
    ledger = other.backward(ledger=True)
    for level in ("auto", "layer"):
        with pytest.raises(ValueError, match="another graph"):
            tg.graph(loss).to_dot(level, backward=ledger)
        with pytest.raises(ValueError, match="backward_measure='size'"):
            tg.graph(other).to_dot(level, backward=ledger, backward_measure="size")
