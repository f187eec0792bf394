"""A padded batch is its sequences one by one: values, states and every gradient, whatever the padding."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from made_up import filled, flat
from support import assert_close, numbers

import tinygrad_rnn as tg
from tinygrad_rnn import nn

I, H = 2, 3  # noqa: E741 (the docs' names)


class Own(nn.Module):
    """A cell of a user: its state is nested, its output no part of it, and it takes a constant."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(numbers((H, I), 3))
        self.u = nn.Parameter(numbers((H, H), 4))

    def forward(self, x, state, tilt=None):
        h, (count, trace) = state["h"], state["more"]
        h = (x @ self.w.T + h @ self.u.T + (0.0 if tilt is None else tilt)).tanh()
        trace = [0.5 * trace[0] + h * h]
        return tg.cat([h, count], -1), {"h": h, "more": (count + 1.0, trace)}

    def initial_state(self, batch):
        def zeros(size):
            return tg.zeros(*(() if batch is None else (batch,)), size, dtype=tg.float64)

        return {"h": zeros(H), "more": (zeros(1), [zeros(H)])}


def recurrent(make, *arguments, **options):
    """The cell over time in one direction, or in both with two cells."""

    def build(ways):
        cells = [make(*arguments, **options) for _ in range(ways)]
        return nn.Recurrent(cells[0], reverse=cells[1] if ways == 2 else None)

    return build


def layer(make, layers, **options):
    return lambda ways: make(I, H, layers, bidirectional=ways == 2, **options)


LAYERS = {
    "RNN": layer(nn.RNN, 1),
    "RNN relu, 3 layers": layer(nn.RNN, 3, nonlinearity="relu"),
    "LSTM": layer(nn.LSTM, 1),
    "LSTM, 2 layers": layer(nn.LSTM, 2),
    "LSTM, 2 layers, proj_size": layer(nn.LSTM, 2, proj_size=2),
    "LSTM, peephole, learned state": layer(nn.LSTM, 2, peephole=True, learned_state=True),
    "LSTM, batch_first": layer(nn.LSTM, 2, batch_first=True, learned_state=True),
    "GRU": layer(nn.GRU, 1),
    "GRU, 2 layers": layer(nn.GRU, 2, bias=False),
    "GRU, reset before": layer(nn.GRU, 2, reset_after=False),
    "PeepholeLSTMCell": recurrent(nn.PeepholeLSTMCell, I, H),
    "LayerNormLSTMCell": recurrent(nn.LayerNormLSTMCell, I, H),
    "CoupledLSTMCell": recurrent(nn.CoupledLSTMCell, I, H, proj_size=2),
    "GRUCell, reset before": recurrent(nn.GRUCell, I, H, reset_after=False),
    "a user's own": recurrent(Own),
}


def build(name, ways):
    """A layer in float64 whose every parameter is a made-up number, peepholes and gains included."""
    return filled(LAYERS[name](ways))


def like(value, tensors):
    """The nesting of ``value`` again, of other tensors."""
    if isinstance(value, tg.Tensor):
        return next(tensors)
    if isinstance(value, dict):
        return {key: like(part, tensors) for key, part in value.items()}
    return type(value)(like(part, tensors) for part in value)


def at(batch_axis, b):
    """What picks one sequence of a batch, as a batch of one."""
    return (slice(None),) * batch_axis + (slice(b, b + 1),)


def scored(outputs, scales):
    return sum((y * tg.tensor(s)).sum() for y, s in zip(outputs, scales, strict=True))


@pytest.mark.parametrize("name", LAYERS)
@settings(max_examples=10, deadline=None, derandomize=True)
@given(
    ways=st.sampled_from([1, 2]),
    lengths=st.lists(st.integers(0, 5), min_size=1, max_size=4),
    beyond=st.integers(0, 2),
    padding=st.sampled_from([np.nan, np.inf, -np.inf, 1e300]),
    with_state=st.booleans(),
)
@example(ways=2, lengths=[0, 3, 1], beyond=0, padding=np.nan, with_state=False)
@example(ways=1, lengths=[2, 0, 4, 2], beyond=1, padding=np.inf, with_state=True)
@example(ways=2, lengths=[0, 0], beyond=1, padding=-np.inf, with_state=True)
def test_a_padded_batch_is_its_sequences_one_by_one(
    name, ways, lengths, beyond, padding, with_state
):
    steps, batch = max(1, max(lengths) + beyond), len(lengths)
    module = build(name, ways)
    first = getattr(module, "batch_first", False)
    stacked = not isinstance(
        module, nn.Recurrent
    )  # states are then (layers * directions, batch, H)
    (time, batch_axis), state_axis = (1, 0) if first else (0, 1), 1 if stacked else 0
    clean = numbers((steps, batch, I), 1, 2.0)
    alive = np.arange(steps)[:, None] < np.array(lengths)
    dirty = np.where(alive[..., None], clean, padding)
    dirty = np.swapaxes(dirty, 0, 1) if first else dirty

    # what a state looks like, and one to start from
    _, pattern = module(np.zeros_like(dirty))
    start = [numbers(t.shape, 60 + k) for k, t in enumerate(flat(pattern))]

    # the batch
    x = tg.tensor(dirty, requires_grad=True)
    given_state = [tg.tensor(s, requires_grad=True) for s in start]
    hx = like(pattern, iter(given_state)) if with_state else None
    y, last = module(x, hx, lengths=lengths)
    values = [y, *flat(last)]
    scales = [0.5 + numbers(t.shape, 40 + k) for k, t in enumerate(values)]
    scored(values, scales).backward()
    ours = {n: p.grad.numpy() for n, p in module.named_parameters() if p.grad is not None}
    padded = y.detach().numpy()
    assert not np.moveaxis(padded, time, 0)[~alive].any(), "outputs beyond the end are 0"
    gradient = np.zeros(dirty.shape) if x.grad is None else x.grad.numpy()
    assert not np.moveaxis(gradient, time, 0)[~alive].any(), "the padding takes no gradient"

    # each sequence alone
    module.zero_grad()
    for b, n in enumerate(lengths):
        one = [tg.tensor(s[at(state_axis, b)], requires_grad=True) for s in start]
        alone = like(pattern, iter(one)) if with_state else None
        pick = at(batch_axis, b)
        if n:
            kept = (slice(None), slice(n)) if first else (slice(n),)
            x_b = tg.tensor(dirty[pick][kept], requires_grad=True)
            z, ended = module(x_b, alone)
            parts = [z, *flat(ended)]
            assert_close(padded[pick][kept], z.detach(), 1e-12, f"{name}: outputs of sequence {b}")
            scored(
                parts, [scales[0][pick][kept], *(s[at(state_axis, b)] for s in scales[1:])]
            ).backward()
            assert_close(gradient[pick][kept], x_b.grad, 1e-12, f"{name}: gradient of sequence {b}")
        elif with_state:
            parts = [None, *one]
            scored(one, [s[at(state_axis, b)] for s in scales[1:]]).backward()
        else:  # where it starts is where it ends; only learned states have a gradient from it
            parts = [None, *started(module, stacked, flat(last), state_axis)]
            begun = scored(parts[1:], [s[at(state_axis, b)] for s in scales[1:]])
            if begun.requires_grad:
                begun.backward()
        for k, (batched, single) in enumerate(zip(values[1:], parts[1:], strict=True)):
            found = batched.detach().numpy()[at(state_axis, b)]
            assert_close(found, single.detach(), 1e-12, f"{name}: last state {k} of sequence {b}")
        if with_state:
            for whole, single in zip(given_state, one, strict=True):
                expected = np.zeros(single.shape) if single.grad is None else single.grad.numpy()
                assert_close(whole.grad.numpy()[at(state_axis, b)], expected, 1e-12)
    theirs = {n: p.grad.numpy() for n, p in module.named_parameters() if p.grad is not None}
    for key in ours.keys() | theirs.keys():
        other = theirs.get(key, np.zeros_like(ours.get(key)))
        assert_close(
            ours.get(key, np.zeros_like(other)), other, 1e-11, f"{name}: gradient of {key}"
        )


def started(module, stacked, like_these, axis):
    """The state that a batch of one starts from where none is given: zeros, or what was learned."""
    if stacked and module.learned_state:
        names = ("h", "c")[: len(like_these)]
        return [getattr(module, f"{n}_0").unsqueeze(1) for n in names]
    shapes = [(*t.shape[:axis], 1, *t.shape[axis + 1 :]) for t in like_these]
    return [tg.zeros(*shape, dtype=tg.float64) for shape in shapes]


@pytest.mark.parametrize("ways", [1, 2])
@pytest.mark.parametrize("name", LAYERS)
def test_what_the_padding_holds_changes_no_bit(name, ways):
    """Values and gradients for paddings of 0, NaN, infinities and large numbers are the same bits."""
    lengths, seen = [3, 0, 4], []
    for padding in (0.0, np.nan, np.inf, -1e300):
        module = build(name, ways)
        first = getattr(module, "batch_first", False)
        array = numbers((4, 3, I), 1)
        for b, n in enumerate(lengths):
            array[n:, b] = padding
        x = tg.tensor(np.swapaxes(array, 0, 1) if first else array, requires_grad=True)
        y, last = module(x, lengths=lengths)
        values = [y, *flat(last)]
        scored(values, [numbers(t.shape, k) for k, t in enumerate(values)]).backward()
        gradients = [x.grad, *(p.grad for p in module.parameters())]
        seen.append([t.detach().numpy() for t in (*values, *gradients)])
    for other in seen[1:]:
        for a, b in zip(seen[0], other, strict=True):
            np.testing.assert_array_equal(a, b)
    assert all(np.isfinite(a).all() for a in seen[0])


@pytest.mark.parametrize("ways", [1, 2])
@pytest.mark.parametrize("name", LAYERS)
def test_full_lengths_are_no_lengths(name, ways):
    module = build(name, ways)
    x = numbers((4, 3, I), 1)
    x = np.swapaxes(x, 0, 1) if getattr(module, "batch_first", False) else x
    (y, last), (z, other) = module(x), module(x, lengths=np.array([4, 4, 4], np.uint8))
    for a, b in zip([y, *flat(last)], [z, *flat(other)], strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-12)  # sums may be reordered


class Reader(nn.Module):
    """A cell that is fed integers and looks them up itself."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(5, H).double()

    def forward(self, word, h):
        h = 0.5 * h + self.table(word[..., 0])
        return h, h

    def initial_state(self, batch):
        return tg.zeros(batch, H, dtype=tg.float64)


def test_a_cell_that_is_fed_integers():
    words, lengths = np.array([[[1], [4]], [[3], [9]]]), [2, 1]  # 9 would be out of range
    layer = nn.Recurrent(Reader())
    y, h = layer(words, lengths=lengths)
    table = layer.cell.table.weight.numpy()
    np.testing.assert_allclose(h[0].detach().numpy(), 0.5 * table[1] + table[3])
    np.testing.assert_array_equal(h[1].detach().numpy(), table[4])
    assert not y[1, 1].detach().numpy().any()


def test_variational_dropout_leaves_integers_what_they_are():
    layer = nn.Recurrent(Reader(), variational=0.5)
    words = np.arange(4).reshape(1, 4, 1)
    y, _ = layer(words)
    np.testing.assert_array_equal(y[0].detach().numpy(), layer.cell.table.weight.numpy()[:4])


def test_constants_that_differ_by_sequence_stay_with_their_sequences():
    lengths, tilt = [1, 3], numbers((2, H), 9)
    layer = build("a user's own", 1)
    x = numbers((3, 2, I), 1)
    given_tilt = tg.tensor(tilt, requires_grad=True)
    y, _ = layer(x, lengths=lengths, tilt=given_tilt)
    y.square().sum().backward()
    for b, n in enumerate(lengths):
        alone = tg.tensor(tilt[b : b + 1], requires_grad=True)
        z, _ = layer(x[:n, b : b + 1], tilt=alone)
        z.square().sum().backward()
        assert_close(y[:n, b : b + 1].detach(), z.detach(), 1e-13)
        assert_close(given_tilt.grad[b : b + 1], alone.grad, 1e-13)


@pytest.mark.parametrize("ways", [1, 2])
def test_the_ledger_of_a_ragged_batch_sums_to_the_gradient(ways):
    module, lengths = build("LSTM, 2 layers", ways), [2, 0, 4]
    y, _ = module(numbers((5, 3, I), 1), lengths=lengths)
    ledger = y.square().sum().backward(ledger=True)
    for name, p in module.named_parameters():
        assert ledger.steps(p) == list(range(5)), name
        assert_close(ledger[p].sum(0), p.grad, 1e-13, name)
        assert not ledger[p][4].any(), f"{name}: no sequence is as long as 5"
        assert ledger[p][2].any(), name
