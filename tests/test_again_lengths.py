"""Calls with lengths like an earlier one: nothing is asked twice, and whatever has changed since is seen."""

import numpy as np
import pytest
from changed_layers import CHANGES, OF_THE_CALL, a_method
from made_up import filled
from support import numbers

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.scan import backends, call_cache

if backends.choice()[0] != "numba":
    pytest.skip("numba is not installed (extra fast)", allow_module_level=True)

FEATURES, H = 3, 5
LAYERS = {
    "RNN": lambda: nn.RNN(FEATURES, H, nonlinearity="relu"),
    "LSTM": lambda: nn.LSTM(FEATURES, H),
    "projected": lambda: nn.LSTM(FEATURES, H, proj_size=2),
    "GRU": lambda: nn.GRU(FEATURES, H, batch_first=True),
    "no bias": lambda: nn.GRU(FEATURES, H, bias=False),
}
LENGTHS = [[3, 0, 4, 1], [4, 4, 2], [0, 2], [1], [5, 2, 5, 1]]
pack, pad = nn.utils.rnn.pack_padded_sequence, nn.utils.rnn.pad_packed_sequence


def tensors(last):
    return last if isinstance(last, tuple) else (last,)


def given(layer, lengths, more=1, seed=1):
    """An input for such lengths, with some steps of padding, which hold NaN."""
    x = numbers((max(lengths) + more, len(lengths), FEATURES), seed)
    for b, n in enumerate(lengths):
        x[n:, b] = np.nan
    return x.swapaxes(0, 1) if layer.batch_first else x


def outcome(layer, x, hx=None, lengths=None, packed=None, kind=tg.tensor):
    """Values, and the gradients of the input, a state that asks and all Parameters."""
    layer.zero_grad()
    x = kind(x, requires_grad=True)
    asking = [t for t in tensors(hx) if hx is not None and t.requires_grad]
    for t in asking:
        t.grad = None
    if packed is None:
        y, last = layer(x, hx, lengths=lengths)
    else:
        first = layer.batch_first
        y, last = layer(pack(x, packed, first, enforce_sorted=packed == sorted(packed)[::-1]), hx)
        y, back = pad(y, first)
        np.testing.assert_array_equal(back.numpy(), packed)
    outs = [y, *tensors(last)]
    sum((t * tg.tensor(numbers(t.shape, 7 + k))).sum() for k, t in enumerate(outs)).backward()
    grads = [x.grad, *(t.grad for t in asking), *(p.grad for p in layer.parameters())]
    return [t.detach().numpy() for t in outs] + [None if g is None else g.numpy() for g in grads]


def right(layer, x, *args, compiled=True, **options):
    """What the layer gives is what it gives op by op."""
    got = outcome(layer, x, *args, **options)
    assert layer.explain().startswith("compiled" if compiled else "recorded"), layer.explain()
    layer.compiled = False
    expected = outcome(layer, x, *args, **options)
    layer.compiled = True
    for a, b in zip(got, expected, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)
    return got


@pytest.mark.parametrize("kind", LAYERS)
def test_a_call_like_the_last_goes_the_short_way_and_is_right(kind, nothing_asked):
    layer = filled(LAYERS[kind]())
    outcome(layer, given(layer, [2, 3]), lengths=[2, 3])
    nothing_asked()
    for k, lengths in enumerate(LENGTHS):
        x = given(layer, lengths, k % 2, k)
        _, last = layer(tg.tensor(np.nan_to_num(x)), lengths=lengths)
        for hx in (None, tg.detach(last)):
            for words in (lengths, tuple(lengths), np.int32(lengths), tg.tensor(lengths)):
                got = right(layer, x, hx, lengths=words)
            with tg.no_grad():
                y, state = layer(tg.tensor(x), hx, lengths=lengths)
            assert not any(t.requires_grad for t in (y, *tensors(state)))
            for a, b in zip((y, *tensors(state)), got, strict=False):
                np.testing.assert_allclose(a.numpy(), b, rtol=1e-12, atol=1e-14)
            if min(lengths):
                right(layer, given(layer, lengths, 0), hx, packed=lengths)


@pytest.mark.parametrize("change", [*CHANGES, *OF_THE_CALL])
def test_what_has_changed_since_is_seen(change):
    layer, lengths = filled(nn.LSTM(FEATURES, H)), [3, 4, 1, 2]
    x = np.nan_to_num(given(layer, lengths, 0))
    before = right(layer, x, lengths=lengths)
    change(layer)
    after = right(layer, x, lengths=lengths, compiled=change is not a_method)
    assert not all(map(np.array_equal, before, after))


def test_another_precision_and_another_nonlinearity():
    layer, lengths = filled(nn.RNN(FEATURES, H)), [3, 1]
    x = given(layer, lengths)
    right(layer, x, lengths=lengths)
    layer._first.nonlinearity = layer.nonlinearity = "relu"
    right(layer, x, lengths=lengths)
    layer.float()
    assert layer(tg.tensor(x.astype(np.float32)), lengths=lengths)[0].dtype == tg.float32


def test_states_that_ask_for_a_gradient_and_inputs_of_another_class():
    layer, lengths = filled(nn.GRU(FEATURES, H)), [3, 0, 4]
    x = given(layer, lengths)
    right(layer, x, lengths=lengths)
    hx = tg.tensor(numbers((1, 3, H), 3), requires_grad=True)
    right(layer, x, hx, lengths=lengths)
    right(layer, x, lengths=lengths, kind=nn.Parameter)
    right(layer, x, lengths=[0, 0, 0])


@pytest.mark.parametrize(
    ("shape", "lengths"),
    [
        ((4, 2, FEATURES), [5, 1]),
        ((4, 2, FEATURES), [-1, 1]),
        ((4, 2, FEATURES), [2**64 - 1, 1]),
        ((4, 2, FEATURES), [1]),
        ((4, 2, FEATURES), [1.0, 2.0]),
        ((4, 2, FEATURES), [True, True]),
        ((4, 2, FEATURES + 1), [4, 1]),
        ((0, 2, FEATURES), [0, 0]),
        ((4, FEATURES), [4]),
    ],
)
def test_what_is_wrong_is_told_as_at_the_first_call(shape, lengths):
    def said(layer):
        with pytest.raises(ValueError, match=r".") as caught:
            layer(tg.zeros(*shape, dtype=tg.float64), lengths=np.array(lengths))
        return str(caught.value)

    used = filled(nn.GRU(FEATURES, H))
    outcome(used, given(used, [4, 1]), lengths=[4, 1])
    assert said(used) == said(filled(nn.GRU(FEATURES, H)))


def test_listeners_and_anomaly_mode_go_the_recorded_way():
    layer, lengths = filled(nn.LSTM(FEATURES, H)), [4, 2]
    x = tg.tensor(numbers((4, 2, FEATURES)))
    layer(x, lengths=lengths)
    with nn.record_gates(layer) as gates:
        layer(x, lengths=lengths)
    assert gates["f"].shape == (4, 2, H)
    with tg.detect_anomaly():
        layer(x, lengths=lengths)
    assert "detect_anomaly" in layer.explain()
    layer(x, lengths=lengths)
    assert layer.explain().startswith("compiled")


def test_the_graph_of_such_a_call_is_the_recorded_one_with_the_lengths_of_its_time():
    layer, dots = filled(nn.LSTM(FEATURES, H)), []
    x = tg.tensor(np.nan_to_num(given(layer, [4, 2, 1])))
    for compiled in (True, True, False):
        layer.compiled, lengths = compiled, np.array([4, 2, 1])
        y, last = layer(x, lengths=lengths, first_step=3)
        lengths[:] = 0
        dots.append(tg.graph(y.sum() + last[0].sum()).to_dot(level="op"))
        assert last[0]._step == 3 + 4
    assert dots[0] == dots[1] == dots[2]


def test_the_first_calls_are_numpys_and_counted_as_ever():
    def by(layer, calls):
        said = []
        for _ in range(calls):
            got = outcome(layer, x, lengths=[2, 3])
            for a, b in zip(got, expected, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)
            said.append("numpy (" in layer.explain())
        return said

    used, new = filled(nn.GRU(FEATURES, H)), filled(nn.GRU(FEATURES, H))
    x, used.compiled = given(used, [2, 3]), False
    expected = outcome(used, x, lengths=[2, 3])
    used.compiled = True
    assert by(used, 2) == [False, False]
    with backends.using("numpy"):
        assert by(used, 2) == [True, True]
    with backends.using("auto"):
        first = by(new, backends.CALLS + 1)
        assert by(used, backends.CALLS + 1) == first
        assert first[0]
        assert not first[-1]


def test_a_layer_that_is_gone_leaves_nothing():
    layer = filled(nn.LSTM(FEATURES, H))
    layer(tg.tensor(given(layer, [2, 1])), lengths=[2, 1])
    known = len(call_cache._of_rows)
    del layer
    assert len(call_cache._of_rows) == known - 1
