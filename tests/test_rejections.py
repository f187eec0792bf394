"""Every kind of wrong input that PyTorch's recurrent modules reject is rejected here, before any work.

The kinds are those of ``torch.nn.modules.rnn`` (its checks on construction, inputs and states) and of
PyTorch's own error tests (``torch.testing._internal.common_modules``). One is taken on purpose: a
float input of another precision is cast to the weights' (tests/test_recurrent.py).
"""

import re

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn

LAYERS = {"RNN": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU}
CELLS = {"RNNCell": nn.RNNCell, "LSTMCell": nn.LSTMCell, "GRUCell": nn.GRUCell}

# ---- construction: for each layer (and cell, where it has the option) -----------------------------

# kind: arguments, options, error, what came and what was expected
BUILD = {
    "input_size 0": ((0, 4), {}, ValueError, "input_size must be at least 1, got 0"),
    "input_size negative": ((-1, 4), {}, ValueError, "input_size must be at least 1, got -1"),
    "input_size float": ((3.0, 4), {}, TypeError, "input_size must be an integer.*got 3.0"),
    "input_size str": (("3", 4), {}, TypeError, "input_size must be an integer.*got '3'"),
    "input_size None": ((None, 4), {}, TypeError, "input_size must be an integer.*got None"),
    "input_size bool": ((True, 4), {}, TypeError, "input_size must be an integer.*got True"),
    "hidden_size 0": ((3, 0), {}, ValueError, "hidden_size must be at least 1, got 0"),
    "hidden_size negative": ((3, -2), {}, ValueError, "hidden_size must be at least 1, got -2"),
    "hidden_size float": ((3, 4.0), {}, TypeError, "hidden_size must be an integer.*got 4.0"),
    "hidden_size str": ((3, "4"), {}, TypeError, "hidden_size must be an integer.*got '4'"),
    "bias 0": ((3, 4), {"bias": 0}, TypeError, "bias must be True or False, got 0"),
    "bias 1": ((3, 4), {"bias": 1}, TypeError, "bias must be True or False, got 1"),
    "bias str": ((3, 4), {"bias": "True"}, TypeError, "bias must be True or False, got 'True'"),
}
BUILD_LAYERS = {
    "num_layers 0": ({"num_layers": 0}, ValueError, "num_layers must be at least 1, got 0"),
    "num_layers < 0": ({"num_layers": -1}, ValueError, "num_layers must be at least 1, got -1"),
    "num_layers float": ({"num_layers": 2.0}, TypeError, "num_layers must be an int.*got 2.0"),
    "num_layers str": ({"num_layers": "2"}, TypeError, "num_layers must be an int.*got '2'"),
    "batch_first 0": ({"batch_first": 0}, TypeError, "batch_first must be True or False, got 0"),
    "batch_first 1": ({"batch_first": 1}, TypeError, "batch_first must be True or False, got 1"),
    "batch_first str": ({"batch_first": "False"}, TypeError, "batch_first .*got 'False'"),
    "bidirectional str": ({"bidirectional": "no"}, TypeError, "bidirectional .*got 'no'"),
    "dropout < 0": ({"dropout": -0.1}, ValueError, "dropout .*between 0 and 1, got -0.1"),
    "dropout > 1": ({"dropout": 1.5}, ValueError, "dropout .*between 0 and 1, got 1.5"),
    "dropout NaN": ({"dropout": float("nan")}, ValueError, "dropout .*between 0 and 1, got nan"),
    "dropout str": ({"dropout": "0.5"}, TypeError, "dropout must be a number.*got '0.5'"),
    "dropout bool": ({"dropout": True}, TypeError, "dropout must be a number.*got True"),
    "dropout None": ({"dropout": None}, TypeError, "dropout must be a number.*got None"),
    "dropout list": ({"dropout": [0.5]}, TypeError, r"dropout must be a number.*got \[0.5\]"),
}
BUILD_ONE = {
    "RNN nonlinearity": (lambda: nn.RNN(3, 4, nonlinearity="gelu"), ValueError, "got 'gelu'"),
    "RNNCell nonlinearity": (lambda: nn.RNNCell(3, 4, nonlinearity="x"), ValueError, "got 'x'"),
    "RNN with proj_size": (lambda: nn.RNN(3, 4, proj_size=2), TypeError, "proj_size"),
    "GRU with proj_size": (lambda: nn.GRU(3, 4, proj_size=2), TypeError, "proj_size"),
    "proj_size < 0": (lambda: nn.LSTM(3, 4, proj_size=-1), ValueError, "hidden_size - 1, got -1"),
    "proj_size = hidden": (lambda: nn.LSTM(3, 4, proj_size=4), ValueError, "got 4"),
    "proj_size > hidden": (lambda: nn.LSTM(3, 4, proj_size=9), ValueError, "got 9"),
    "proj_size float": (lambda: nn.LSTM(3, 4, proj_size=1.5), TypeError, "got 1.5"),
    "proj_size str": (lambda: nn.LSTM(3, 4, proj_size="1"), TypeError, "got '1'"),
}


@pytest.mark.parametrize("maker", [*LAYERS, *CELLS])
@pytest.mark.parametrize("kind", BUILD)
def test_sizes_and_bias(kind, maker):
    args, options, error, words = BUILD[kind]
    with pytest.raises(error, match=words):
        {**LAYERS, **CELLS}[maker](*args, **options)


@pytest.mark.parametrize("maker", LAYERS)
@pytest.mark.parametrize("kind", BUILD_LAYERS)
def test_options_of_layers(kind, maker):
    options, error, words = BUILD_LAYERS[kind]
    with pytest.raises(error, match=f"^{maker}: {words}"):
        LAYERS[maker](3, 4, **options)


@pytest.mark.parametrize("kind", BUILD_ONE)
def test_options_of_one_kind(kind):
    make, error, words = BUILD_ONE[kind]
    with pytest.raises(error, match=words):
        make()


# ---- calls: (7 steps, batch 5, 3 features), hidden 4 -----------------------------------------------

# kind: options of the layer, shape of x, shape of each state or None, words
CALLS = {
    "x of 1 axis": ({}, (3,), None, r"x has shape \(3,\), expected \(time, batch, features\)"),
    "x of 4 axes": ({}, (7, 5, 1, 3), None, r"x has shape \(7, 5, 1, 3\), expected"),
    "x of 0 axes": ({}, (), None, r"x has shape \(\), expected"),
    "x's features": ({}, (7, 5, 2), None, "x has 2 features, expected 3"),
    "x's features, batch first": ({"batch_first": True}, (5, 7, 2), None, "2 features, expected 3"),
    "x's features, unbatched": ({}, (7, 2), None, "x has 2 features, expected 3"),
    "no steps": ({}, (0, 5, 3), None, "the sequence has no time steps"),
    "no steps, unbatched": ({}, (0, 3), None, "the sequence has no time steps"),
    "h of 2 axes for a batch": ({}, (7, 5, 3), (5, 4), r"\(5, 4\), expected \(1, 5, 4\)"),
    "h of 4 axes": ({}, (7, 5, 3), (1, 1, 5, 4), r"\(1, 1, 5, 4\), expected \(1, 5, 4\)"),
    "h of 3 axes, unbatched": ({}, (7, 3), (1, 5, 4), r"\(1, 5, 4\), expected \(1, 4\)"),
    "h of 1 axis, unbatched": ({}, (7, 3), (4,), r"\(4,\), expected \(1, 4\)"),
    "h's features": ({}, (7, 5, 3), (1, 5, 6), r"\(1, 5, 6\), expected \(1, 5, 4\)"),
    "h's features, unbatched": ({}, (7, 3), (1, 6), r"\(1, 6\), expected \(1, 4\)"),
    "h's batch": ({}, (7, 5, 3), (1, 6, 4), r"\(1, 6, 4\), expected \(1, 5, 4\)"),
    "h of one row": ({}, (7, 5, 3), (1, 1, 4), r"\(1, 1, 4\), expected \(1, 5, 4\)"),
    "h's layers": ({"num_layers": 2}, (7, 5, 3), (1, 5, 4), r"expected \(2, 5, 4\)"),
    "h of too many layers": ({}, (7, 5, 3), (2, 5, 4), r"\(2, 5, 4\), expected \(1, 5, 4\)"),
    "h of one direction": ({"bidirectional": True}, (7, 5, 3), (1, 5, 4), r"expected \(2, 5, 4\)"),
    "h of layers, not directions": (
        {"num_layers": 2, "bidirectional": True},
        (7, 5, 3),
        (2, 5, 4),
        r"expected \(4, 5, 4\) = \(layers \* directions, batch, hidden\)",
    ),
    "h with the batch first": ({"batch_first": True}, (5, 7, 3), (5, 1, 4), "use h_0.transpose"),
    "batch and time swapped": ({}, (7, 5, 3), (1, 7, 4), "were they swapped"),
    "h without features": ({}, (7, 5, 3), (1, 5, 0), r"\(1, 5, 0\), expected \(1, 5, 4\)"),
}
# kind: x's shape, each state's shape or None, words
CELL_CALLS = {
    "x of 0 axes": ((), None, r"x has shape \(\), expected \(batch, 3\) or \(3,\)"),
    "x of 3 axes": ((7, 5, 3), None, r"x has shape \(7, 5, 3\), expected"),
    "x's features": ((5, 2), None, "x has 2 features, expected 3"),
    "x's features, unbatched": ((2,), None, "x has 2 features, expected 3"),
    "h of 3 axes": ((5, 3), (1, 5, 4), r"h has shape \(1, 5, 4\), expected \(5, 4\)"),
    "h of 4 axes": ((5, 3), (5, 1, 1, 4), r"h has shape \(5, 1, 1, 4\), expected \(5, 4\)"),
    "h of 0 axes": ((5, 3), (), r"h has shape \(\), expected \(5, 4\)"),
    "h's features": ((5, 3), (5, 6), r"h has shape \(5, 6\), expected \(5, 4\)"),
    "h's features, unbatched": ((3,), (6,), r"h has shape \(6,\), expected \(4,\)"),
    "h's batch": ((5, 3), (2, 4), r"h has shape \(2, 4\), expected \(5, 4\)"),
    "h of one row": ((5, 3), (1, 4), r"h has shape \(1, 4\), expected \(5, 4\)"),
    "h unbatched, x batched": ((5, 3), (4,), r"h has shape \(4,\), expected \(5, 4\)"),
    "h batched, x unbatched": ((3,), (5, 4), r"h has shape \(5, 4\), expected \(4,\)"),
}


def _states(maker, shape):
    if shape is None:
        return None
    return (tg.ones(*shape), tg.ones(*shape)) if "LSTM" in maker else tg.ones(*shape)


@pytest.fixture
def no_work(monkeypatch):
    """A cell that is run makes the test fail: rejections come before any work."""
    for cell in CELLS.values():
        monkeypatch.setattr(cell, "step", lambda *_: pytest.fail("the cell was run"))


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize("maker", LAYERS)
@pytest.mark.parametrize("kind", CALLS)
def test_shapes_of_sequences_and_states(kind, maker):
    options, x, h, words = CALLS[kind]
    layer = LAYERS[maker](3, 4, **options)
    with pytest.raises(ValueError, match=f"^{maker.lower()}.*{words}"):
        layer(tg.ones(*x), _states(maker, h))


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize("maker", CELLS)
@pytest.mark.parametrize("kind", CELL_CALLS)
def test_shapes_of_one_step(kind, maker):
    x, h, words = CELL_CALLS[kind]
    with pytest.raises(ValueError, match=f"^{maker.lower()}: {words}"):
        CELLS[maker](3, 4)(tg.ones(*x), _states(maker, h))


X, H = tg.ones(7, 5, 3), tg.ones(1, 5, 4)
X_T, H_T = tg.ones(5, 3), tg.ones(5, 4)
# kind: the call, error, what came and what was expected
KINDS = {
    "an LSTM's state as one tensor": (lambda: nn.LSTM(3, 4)(X, H), "(h_0, c_0), got Tensor"),
    "an LSTM's state as one of 2": (lambda: nn.LSTM(3, 4)(X, tg.ones(2, 5, 4)), "got Tensor"),
    "an LSTM's state of one part": (lambda: nn.LSTM(3, 4)(X, (H,)), "(h_0, c_0), got tuple"),
    "an LSTM's state of three": (lambda: nn.LSTM(3, 4)(X, (H, H, H)), "(h_0, c_0), got tuple"),
    "an LSTM's state as a dict": (lambda: nn.LSTM(3, 4)(X, {"h": H, "c": H}), "got dict"),
    "an LSTM without c": (lambda: nn.LSTM(3, 4)(X, (H, None)), "expected a tensor, got NoneType"),
    "an RNN's state as a pair": (lambda: nn.RNN(3, 4)(X, (H, H)), "must be (h_0), got tuple"),
    "an RNN's state in a list": (lambda: nn.RNN(3, 4)(X, [H[0]]), "must be (h_0), got list"),
    "a GRU's state as a pair": (lambda: nn.GRU(3, 4)(X, (H, H)), "must be (h_0), got tuple"),
    "an LSTMCell's one tensor": (lambda: nn.LSTMCell(3, 4)(X_T, H_T), "(h, c), got Tensor"),
    "an LSTMCell's one part": (lambda: nn.LSTMCell(3, 4)(X_T, (H_T,)), "(h, c), got tuple"),
    "an RNNCell's pair": (lambda: nn.RNNCell(3, 4)(X_T, (H_T, H_T)), "must be (h), got tuple"),
    "a GRUCell's pair": (lambda: nn.GRUCell(3, 4)(X_T, (H_T, H_T)), "must be (h), got tuple"),
    "x as a list of steps": (lambda: nn.RNN(3, 4)([X_T] * 7), "got list of Tensors (tg.stack"),
    "x None": (lambda: nn.LSTM(3, 4)(None), "expected a tensor, got NoneType"),
    "x a str": (lambda: nn.GRU(3, 4)("abc"), "expected a tensor, got str"),
    "x a dict": (lambda: nn.GRU(3, 4)({"x": X}), "expected a tensor, got dict"),
    "x of integers": (lambda: nn.RNN(3, 4)(X.long()), "x holds int64, expected floats"),
    "x of bools": (lambda: nn.LSTM(3, 4)(X.bool()), "x holds bool, expected floats"),
    "a cell's x of integers": (lambda: nn.GRUCell(3, 4)(X_T.long()), "x holds int64"),
    "h of integers": (lambda: nn.RNN(3, 4)(X, H.long()), "h_0 holds int64, expected floats"),
    "c of integers": (lambda: nn.LSTM(3, 4)(X, (H, H.long())), "c_0 holds int64"),
    "a cell's h of integers": (lambda: nn.RNNCell(3, 4)(X_T, H_T.long()), "h holds int64"),
}
PARTS = {
    "c's features": ((1, 5, 4), (1, 5, 6), r"c_0 has shape \(1, 5, 6\), expected \(1, 5, 4\)"),
    "c's batch": ((1, 5, 4), (1, 2, 4), r"c_0 has shape \(1, 2, 4\), expected \(1, 5, 4\)"),
    "c's layers": ((1, 5, 4), (2, 5, 4), r"c_0 has shape \(2, 5, 4\), expected \(1, 5, 4\)"),
    "c of 2 axes": ((1, 5, 4), (5, 4), r"c_0 has shape \(5, 4\), expected \(1, 5, 4\)"),
    "h alone": ((1, 5, 6), (1, 5, 4), r"h_0 has shape \(1, 5, 6\), expected \(1, 5, 4\)"),
}


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize("kind", KINDS)
def test_kinds_of_inputs_and_states(kind):
    call, words = KINDS[kind]
    with pytest.raises(TypeError, match=re.escape(words)):
        call()


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize("kind", PARTS)
def test_each_part_of_an_lstms_state(kind):
    h, c, words = PARTS[kind]
    with pytest.raises(ValueError, match=f"^lstm: {words}"):
        nn.LSTM(3, 4)(X, (tg.ones(*h), tg.ones(*c)))


@pytest.mark.usefixtures("no_work")
def test_a_projections_states_have_two_widths():
    lstm = nn.LSTM(3, 4, proj_size=2)
    with pytest.raises(ValueError, match=r"h_0 has shape \(1, 5, 4\), expected \(1, 5, 2\)"):
        lstm(X, (H, H))
    with pytest.raises(ValueError, match=r"c_0 has shape \(1, 5, 2\), expected \(1, 5, 4\)"):
        lstm(X, (tg.ones(1, 5, 2), tg.ones(1, 5, 2)))


def test_what_is_right_is_taken():
    """The table's base: without the one thing that is wrong every call runs."""
    for name, layer in LAYERS.items():
        assert layer(3, 4)(X, _states(name, (1, 5, 4)))[0].shape == (7, 5, 4)
        assert layer(3, 4)(np.ones((7, 3)), _states(name, (1, 4)))[0].shape == (7, 4)
        assert layer(np.int64(3), 4, dropout=np.float32(0.5), num_layers=2)(X)[0].shape == (7, 5, 4)
    for name, cell in CELLS.items():
        cell(3, 4, bias=np.bool_(True))(X_T, _states(name, (5, 4)))


def test_at_least_58_kinds():
    tables = (BUILD, BUILD_LAYERS, BUILD_ONE, CALLS, CELL_CALLS, KINDS, PARTS)
    assert sum(map(len, tables)) >= 58


@pytest.mark.parametrize("recorded", [True, False])
@pytest.mark.parametrize(
    ("make", "name", "shape", "expected"),
    [
        (lambda: nn.Linear(3, 2), "weight", (2, 4), r"\(2, 3\)"),
        (lambda: nn.Linear(3, 2), "weight", (3, 2), r"\(2, 3\)"),
        (lambda: nn.Linear(3, 2), "weight", (4,), r"\(2, 3\)"),
        (lambda: nn.Linear(3, 2), "weight", (5, 2, 3), r"\(2, 3\)"),
        (lambda: nn.Linear(3, 2), "bias", (3,), r"\(2,\), by its weight \(2, 3\)"),
        (lambda: nn.Linear(3, 2), "bias", (4, 2), r"\(2,\), by its weight \(2, 3\)"),
        (lambda: nn.LayerNorm(3), "weight", (4,), r"\(3,\)"),
        (lambda: nn.LayerNorm(3), "weight", (1,), r"\(3,\)"),
        (lambda: nn.LayerNorm(3), "bias", (4, 3), r"\(3,\)"),
        (lambda: nn.LayerNorm((4, 3)), "weight", (3,), r"\(4, 3\)"),
    ],
)
def test_an_assigned_weight_of_another_shape_is_refused_by_its_name(
    make, name, shape, expected, recorded
):
    layer = nn.Sequential(make())
    setattr(layer[0], name, nn.Parameter(np.ones(shape)))
    words = (
        rf"{type(layer[0]).__name__}\.{name} has shape {re.escape(str(shape))}, expected {expected}"
    )
    with tg.set_grad_enabled(recorded), pytest.raises(ValueError, match=words):
        layer(tg.ones(4, 3))


def test_an_assigned_weight_with_other_outputs_is_taken():
    """As PyTorch takes it: a table of words is tied to the layer that scores them."""
    layer = nn.Linear(3, 2)
    layer.weight, layer.bias = nn.Parameter(np.ones((5, 3))), nn.Parameter(np.zeros(5))
    assert layer(tg.ones(4, 3)).numpy().tolist() == [[3.0] * 5] * 4
    layer.bias = nn.Parameter(np.ones(1))
    assert layer(tg.ones(4, 3)).numpy().tolist() == [[4.0] * 5] * 4
