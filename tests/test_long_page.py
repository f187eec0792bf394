"""The page of a long compiled layer is read from a few of its steps, and says what that of all steps says."""

from __future__ import annotations

import numpy as np
import pytest
from test_long_backward import LAYERS, MODELS, T, inputs, numpy_loops, squares
from test_page import data_of

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.graphs import ledger as ledgers
from tinygrad_rnn.graphs.excerpt import Excerpt
from tinygrad_rnn.page import reading
from tinygrad_rnn.page.html import page_of

__all__ = ["numpy_loops"]  # the fixture

KINDS = ["LSTM, one layer", "GRU, two layers both ways", "RNN, dropout", "own cell"]


def page(monkeypatch, make, loss_of, told):
    """What the page of a model knows, and of what it was read."""
    long = 1 if told else 10**9
    monkeypatch.setattr(ledgers, "LONG", long)
    monkeypatch.setattr(reading, "LONG", long)
    tg.manual_seed(3)
    model = make().double()
    loss = loss_of(model, inputs(model))
    read = reading.reading_of(tg.graph(loss))
    assert isinstance(read.graph, Excerpt) == told
    return data_of(page_of(tg.graph(loss)))


def facts(data, k):
    """What the page says of a node: its kind, its step, its numbers."""
    nodes = data["nodes"]
    row = {int(node): n for n, node in enumerate(nodes["id"])}.get(k)
    if row is None:
        return None
    op, shape, dtype, path, detail, _ = nodes["kinds"][nodes["kind"][row]]
    words = (
        op,
        shape,
        dtype,
        path,
        detail,
        nodes["names"][nodes["name"][row]],
        int(nodes["step"][row]),
    )
    return words, nodes["stats"][9 * row : 9 * row + 9]


@pytest.mark.parametrize("kind", [*KINDS, *MODELS])
def test_the_page_says_what_that_of_all_steps_says(monkeypatch, kind):
    model = (LAYERS[kind], squares) if kind in LAYERS else MODELS[kind]
    whole, short = (page(monkeypatch, *model, told) for told in (False, True))
    for name in ("title", "steps", "positions", "shared", "silent", "any", "numbers", "level"):
        assert short[name] == whole[name], name
    for one, two in zip(whole["parameters"], short["parameters"], strict=True):
        for name in ("name", "short", "shape", "dtype", "numbers", "stepped"):
            assert two[name] == one[name]
        assert np.array_equal(two["uses"], one["uses"])
        assert ("gradient" in two) == ("gradient" in one)
        for name in one.get("gradient", ()):
            np.testing.assert_allclose(
                two["gradient"][name], one["gradient"][name], rtol=1e-6, atol=1e-9
            )
    assert short["chains"].keys() == whole["chains"].keys()
    for one, two in zip(whole["views"], short["views"], strict=True):
        for name in ("level", "columns", "window", "span"):
            assert two[name] == one[name], (one["level"], name)
        assert len(one["parts"]) == len(two["parts"])
        for a, b in zip(one["parts"], two["parts"], strict=True):
            assert {k: v for k, v in a.items() if k != "node"} == {
                k: v for k, v in b.items() if k != "node"
            }
            if "node" not in a or a["kind"] in ("fold", "layer"):
                continue
            said, told = facts(whole, a["node"]), facts(short, b["node"])
            assert told[0] == said[0]
            known = np.isfinite(told[1])  # of what only steps left out compute nothing is said
            assert known[5] == np.isfinite(said[1][5]), said[0]
            np.testing.assert_allclose(told[1][known], said[1][known], rtol=1e-5, atol=1e-7)


def test_other_ends_than_a_number_and_written_weights_have_no_backward(monkeypatch):
    for module in (ledgers, reading):
        monkeypatch.setattr(module, "LONG", 1)
    layer, x = nn.LSTM(3, 4), tg.randn(T, 1, 3)
    y, _ = layer(x)
    data = data_of(page_of(tg.graph(y)))
    assert data["silent"].startswith("the graph does not end in one number")
    assert data["steps"] == T
    loss = y.sum()
    with tg.no_grad():
        layer.weight_hh_l0 -= 0.1
    data = data_of(page_of(tg.graph(loss)))
    assert data["silent"] == "a Parameter was written after this graph had used it"


def test_a_given_ledger_is_the_pages(monkeypatch):
    for module in (ledgers, reading):
        monkeypatch.setattr(module, "LONG", 1)
    layer = nn.LSTM(3, 4)
    loss = layer(tg.randn(T, 1, 3))[0].square().sum()
    ledger = (loss * 2).backward(ledger=True)
    data = data_of(page_of(tg.graph(loss), ledger=ledger))
    norms = {p["name"]: p["gradient"]["norms"] for p in data["parameters"]}
    np.testing.assert_allclose(
        norms["lstm.weight_hh_l0"][:T], ledger.norms(layer.weight_hh_l0), rtol=1e-4
    )
