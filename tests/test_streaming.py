"""``layer.step`` without gradients runs a prepared step: equal to the ordinary one, and never out of date."""

import copy
import gc
import pickle
from functools import partial
from importlib.util import find_spec
from weakref import ref

import numpy as np
import pytest
from changed_layers import CHANGES, OF_THE_CALL
from support import numbers

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.scan import backends, streaming
from tinygrad_rnn.scan.variants import OFTEN

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


def test_blocks_count_their_steps_on_from_the_state_that_they_are_given(backend):
    layer, other = nn.LSTM(3, 5), nn.LSTM(3, 5)
    x = tg.tensor(numbers((4, 2, 3)), dtype=tg.float32)
    with tg.no_grad():
        (_, start), (_, foreign) = layer(x), other(x)
        _, second = layer(x, start)
        _, third = layer(x, second)
        known = [(start, 3), (second, 7), (third, 11)]
        known += [(layer(x, start)[1], 7), (layer(x, foreign)[1], 3)]  # an older one, another's
        known += [(layer(x, (third[0], start[1]))[1], 15), (layer(x[:1], third)[1], 12)]
    for state, step in known:
        assert [part._tag for part in state] == [step, step]


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


# ---- a call without gradients


def quick(layer):
    """Whether the layer's calls are prepared."""
    return layer in streaming.prepared


def outcomes(layer, x, state=None):
    """What a call gives, as the ordinary way computes it and as it is computed."""
    both = []
    for compiled in (False, True):
        layer.compiled = compiled
        with tg.no_grad():
            y, last = layer(x) if state is None else layer(x, state)
        both.append([y.numpy(), *arrays(last)])
    return both


def check_call(layer, x, state=None):
    right, found = outcomes(layer, x, state)
    for a, b in zip(found, right, strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


class Reversed(nn.LSTM):
    def _backwards(self, way):
        return way == 0


BOTH_WAYS = {
    "LSTM both ways": lambda: nn.LSTM(3, 5, bidirectional=True),
    "GRU of two layers both ways": lambda: nn.GRU(3, 5, num_layers=2, bidirectional=True),
    "LSTM from the end": lambda: Reversed(3, 5),
}


@pytest.mark.parametrize("steps", [1, 4])
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("name", [*LAYERS, *BOTH_WAYS])
def test_a_call_without_gradients_is_the_recorded_one(name, batch_first, steps, backend):
    tg.manual_seed(3)
    layer = {**LAYERS, **BOTH_WAYS}[name]().double()
    layer.batch_first = batch_first
    x = tg.tensor(numbers((2, steps, 3) if batch_first else (steps, 2, 3)))
    check_call(layer, x)
    assert quick(layer)
    assert backends.choice()[0] in layer.explain()
    with tg.no_grad():
        y, state = layer(x)
        same, _ = layer.forward(x)
        np.testing.assert_array_equal(y.numpy(), same.numpy())
        if name in BOTH_WAYS:
            with pytest.raises(TypeError, match="needs the whole sequence"):
                layer.step(x[0], state)
    check_call(layer, x * 2, state)
    before = arrays(state)
    layer(x)[0].sum().backward()
    optim.SGD(layer.parameters(), lr=0.5).step()
    check_call(layer, x, state)
    check_call(layer, x[:, :1] if not batch_first else x[:1])
    check_call(layer, tg.tensor(numbers((3, 3, 3))))
    for a, b in zip(arrays(state), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_what_a_quick_call_must_not_skip(backend):
    x = tg.tensor(numbers((1, 2, 3)))
    layer = nn.LSTM(3, 4).double()
    check_call(layer, x)
    assert quick(layer)
    heard = []
    handle = layer.register_forward_hook(lambda module, inputs, result: heard.append(module))
    check_call(layer, x)
    assert len(heard) == 2
    handle.remove()
    with nn.record_gates(layer) as gates, tg.no_grad():
        layer(x)
    assert gates["f"].shape[-1] == 4
    large = nn.LSTM(3, 4).double()
    with tg.no_grad(), np.errstate(all="ignore"):
        large.weight_ih_l0.fill_(1e308)
        check_call(large, 10 * tg.ones_like(x))
        with tg.detect_anomaly(), pytest.raises(RuntimeError, match="made inf"):
            large(10 * tg.ones_like(x))
    y, _ = layer(x)
    assert y.requires_grad, "with gradients it is recorded"
    with tg.no_grad():
        assert layer(x[:, 0])[0].shape == (1, 4), "one sequence without a batch"
        assert layer(x, lengths=[1, 0])[0].numpy()[0, 1].tolist() == [0] * 4
        with pytest.raises(ValueError, match="4 features, expected 3"):
            layer(tg.zeros(1, 2, 4, dtype=np.float64))
        with pytest.raises(ValueError, match="h_0 has shape"):
            layer(x, (tg.zeros(1, 3, 4), tg.zeros(1, 3, 4)))
        with pytest.raises(TypeError):
            layer(x, None, None)
    layer.float()
    with tg.no_grad():
        assert layer(x.float())[0].dtype == np.float32


def test_dropout_and_forwards_of_the_users_own_are_not_skipped(backend):
    class Doubled(nn.GRU):
        def forward(self, input, hx=None):
            y, last = super().forward(input, hx)
            return y * 2, last

    x = tg.ones(1, 2, 3)
    with tg.no_grad():
        layer = Doubled(3, 4)
        y, last = [layer(x) for _ in range(3)][-1]
        np.testing.assert_array_equal(y.numpy(), 2 * last.numpy())
        deep = nn.GRU(3, 4, num_layers=2, dropout=0.9)
        deep.eval()
        still = [deep(x)[0].numpy() for _ in range(3)]
        np.testing.assert_array_equal(still[0], still[2])
        deep.train()
        moving = [deep(x)[0].numpy().tobytes() for _ in range(8)]
        assert len(set(moving)) > 1
        learned = nn.GRU(3, 4, learned_state=True)
        learned.h_0.fill_(0.5)
        right, found = outcomes(learned, x)
        np.testing.assert_allclose(found[0], right[0], rtol=1e-6)


def test_a_call_over_one_step_knows_its_step(backend):
    layer, x = nn.RNN(3, 4), tg.zeros(1, 2, 3)
    with tg.no_grad():
        _, h = layer(tg.zeros(5, 2, 3))
        assert h._tag == 4
        _, h = layer(tg.zeros(5, 2, 3), h)
        assert h._tag == 9
        _, h = layer(x)
        assert h._tag == 0
        for step in range(1, 4):
            _, h = layer(x, h)
            assert h._tag == step
        for step in tg.steps(7):
            _, h = layer(x)
            assert h._tag == step
    assert quick(layer)
    _, h = layer(tg.zeros(2, 2, 3), h)
    assert h._tag == 8


def test_what_a_quick_call_gives_shares_nothing_that_is_written(backend):
    layer, x = nn.GRU(3, 4), tg.ones(1, 2, 3)
    with tg.no_grad():
        layer(x)
        y, h = layer(x)
        before = h.numpy().copy()
        y += 1
        np.testing.assert_array_equal(h.numpy(), before)
        again, _ = layer(x)
        np.testing.assert_array_equal(again.numpy()[0], before[0])


# ---- a call that is like many earlier ones


def often(make, steps=3, batch=2):
    """A layer of machine code after many calls, its input, and the state that they left."""
    tg.manual_seed(3)
    layer, x = make().double(), tg.tensor(numbers((steps, batch, 3)))
    with backends.using("numba"), tg.no_grad():
        state = None
        for _ in range(OFTEN + 1):
            _, state = layer(x, state)
    return layer, x, state


def answers(layer, x, state):
    """Whether such a call is known to be like earlier ones."""
    return streaming.prepared[layer].again(layer, x._data, state) is not None


machine_code = pytest.mark.skipif(
    find_spec("numba") is None, reason="numba is not installed (extra fast)"
)


def another_cell(layer):
    layer._stack[0].cell = nn.LSTMCell(3, 5).double()


def learned(layer):
    layer.learned_state = True
    for name in ("h_0", "c_0"):
        layer.register_parameter(name, nn.Parameter(numbers((1, 5), 4)))


def doubled(layer):
    layer.double()


@machine_code
@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("name", ["LSTM", "LSTM without bias", "LSTM projected", "RNN", "GRU"])
def test_a_call_like_many_is_the_recorded_one(name, steps):
    layer, x, state = often(LAYERS[name], steps)
    assert answers(layer, x, state)
    with backends.using("numba"):
        check_call(layer, x, state)
        check_call(layer, x * 2)
        check_call(layer, tg.tensor(numbers((9, 2, 3))), state)
        check_call(layer, tg.tensor(numbers((6, 2, 3)))[::2], state)
        check_call(layer, x[..., 0].unsqueeze(-1).expand(steps, 2, 3), state)
    with backends.using("numba"), tg.no_grad():
        (_, last), (_, first) = layer(x, state), layer(x)
    parts = [s if isinstance(s, tuple) else (s,) for s in (state, last, first)]
    before, after, alone = [part[0]._tag for part in parts]
    assert (after, alone) == (before + steps, steps - 1)
    with backends.using("numba"), tg.no_grad():
        y, _ = layer.step(x[0], state)
        same, _ = layer(x[:1], state)
    np.testing.assert_allclose(y.numpy(), same.numpy()[0], rtol=1e-12)


@machine_code
@pytest.mark.parametrize("change", [*CHANGES, *OF_THE_CALL, another_cell, learned, doubled])
def test_what_changes_about_a_layer_is_seen_after_many_calls(change):
    layer, x, state = often(LAYERS["LSTM"], steps=2)
    assert answers(layer, x, state)
    change(layer)
    with backends.using("numba"):
        for _ in range(2):
            check_call(layer, x, state)
            check_call(layer, x)


@machine_code
def test_what_is_no_such_call_is_not_taken_for_one(monkeypatch):
    layer, x, state = often(LAYERS["LSTM"])
    h, c = state
    assert answers(layer, x, None)
    assert not answers(layer, x[:, :1], state), "another batch"
    assert not answers(layer, x[..., :2], state), "other features"
    assert not answers(layer, x.float(), state), "another dtype"
    assert not answers(layer, x[0], state), "no batch"
    for other in (h, [h, c], (h, c, c), (h,), (h[0], c), (h, c.float()), (h, c.numpy()), 3):
        assert not answers(layer, x, other)
    object.__setattr__(layer, "__class__", type("LSTM", (nn.LSTM,), {}))
    assert not answers(layer, x, state)
    object.__setattr__(layer, "__class__", nn.LSTM)
    assert answers(layer, x, state)
    monkeypatch.setattr(nn.LSTM, "_backwards", lambda layer, way: True)
    assert not answers(layer, x, state)
    with backends.using("numba"):
        check_call(layer, x, state)


@machine_code
def test_a_layer_of_many_calls_lives_no_longer():
    layer = often(LAYERS["GRU"])[0]
    layer.register_forward_hook(partial(print, layer))
    known = ref(layer)
    del layer
    gc.collect()
    assert known() is None
