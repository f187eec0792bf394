"""``layer.step`` without gradients runs a prepared step: equal to the ordinary one, and never out of date."""

import copy
import pickle

import numpy as np
import pytest
from support import numbers

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.scan import backends, streaming

BACKENDS = ["numpy"] + ["numba"] * (backends.choice()[0] == "numba")
LAYERS = {
    "RNN": lambda: nn.RNN(3, 5),
    "RNN relu": lambda: nn.RNN(3, 5, nonlinearity="relu"),
    "LSTM": lambda: nn.LSTM(3, 5),
    "LSTM without bias": lambda: nn.LSTM(3, 5, bias=False),
    "LSTM projected": lambda: nn.LSTM(3, 5, proj_size=2),
    "LSTM peephole": lambda: nn.LSTM(3, 5, peephole=True),
    "LSTM of three layers": lambda: nn.LSTM(3, 5, num_layers=3),
    "GRU": lambda: nn.GRU(3, 5),
    "GRU of two layers": lambda: nn.GRU(3, 5, num_layers=2),
}


@pytest.fixture(params=BACKENDS)
def backend(request):
    with backends.using(request.param):
        yield


def arrays(state):
    return [s.numpy() for s in (state if isinstance(state, tuple) else (state,))]


def steps(layer, xs, state=None):
    """The outputs of a stream, and its last state."""
    outputs = []
    with tg.no_grad():
        for x in xs:
            y, state = layer.step(x, state)
            outputs.append(y.numpy())
    return np.stack(outputs), state


@pytest.mark.parametrize("name", LAYERS)
def test_a_stream_is_the_sequence(name, backend):
    tg.manual_seed(3)
    layer = LAYERS[name]().double()
    xs = [tg.tensor(numbers((2, 3), k)) for k in range(6)]
    found, state = steps(layer, xs)
    assert layer in streaming.prepared
    expected, last = layer(tg.stack(xs))
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-12, atol=1e-14)
    for mine, theirs in zip(arrays(state), arrays(last), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-12, atol=1e-14)
    assert state[0]._tag == 5 if isinstance(state, tuple) else state._tag == 5


def test_what_is_prepared_is_never_out_of_date(backend):
    layer = nn.LSTM(3, 4).double()
    x = tg.tensor(numbers((2, 3)))
    _, state = steps(layer, [x, x])

    def fresh():
        with tg.no_grad():
            layer.compiled = False
            y, _ = layer.step(x, state)
            layer.compiled = True
        return y.numpy()

    def check():
        found, _ = steps(layer, [x], state)
        np.testing.assert_allclose(found[0], fresh(), rtol=1e-12, atol=1e-14)

    check()
    layer(x.unsqueeze(0))[0].sum().backward()
    optim.SGD(layer.parameters(), lr=0.5).step()
    check()
    layer.load_state_dict({k: v + 1 for k, v in layer.state_dict().items()})
    check()
    layer.weight_hh_l0 = nn.Parameter(numbers((16, 4), 9))
    check()
    x, state = x[:1], tuple(s[:, :1] for s in state)
    check()


def test_new_states_do_not_share_memory_with_old_ones(backend):
    layer, x = nn.GRU(3, 4), tg.randn(1, 3)
    _, first = steps(layer, [x, x])
    before = first.numpy().copy()
    _, second = steps(layer, [x], first)
    np.testing.assert_array_equal(first.numpy(), before)
    assert not np.shares_memory(first.numpy(), second.numpy())


@pytest.mark.parametrize(
    ("x", "state", "words"),
    [
        ((2, 4), (1, 2, 5), "4 features, expected 3"),
        ((2, 3), (1, 3, 5), "h_0 has shape"),
        ((2, 3, 1, 1), (1, 2, 5), "expected"),
    ],
)
def test_wrong_input_gets_the_usual_words(x, state, words, backend):
    layer = nn.RNN(3, 5)
    steps(layer, [tg.zeros(2, 3), tg.zeros(2, 3)])
    with tg.no_grad(), pytest.raises(ValueError, match=words):
        layer.step(tg.zeros(*x), tg.zeros(*state))


def test_what_looks_at_every_op_still_sees_it(backend):
    layer, x = nn.LSTM(3, 4), tg.zeros(1, 3)
    _, state = steps(layer, [x, x])
    with nn.record_gates(layer) as gates, tg.no_grad():
        layer.step(x, state)
    assert gates["f"].shape[-1] == 4
    y, _ = layer.step(x, state)
    assert y.requires_grad, "with gradients it is recorded"
    with tg.no_grad():
        unbatched, _ = layer.step(tg.zeros(3), tuple(s[:, 0] for s in state))
    assert unbatched.shape == (4,)


def test_a_streaming_layer_is_copied_and_pickled_like_any_other():
    layer, x = nn.LSTM(3, 4), tg.zeros(1, 3)
    _, state = steps(layer, [x, x])
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        found, _ = steps(other, [x], state)
        np.testing.assert_array_equal(found, steps(layer, [x], state)[0])
