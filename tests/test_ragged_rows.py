"""Ragged batches in machine code run over their valid rows alone: as every sequence by itself, op by op."""

import numpy as np
import pytest
from made_up import filled
from support import numbers, of_the_day

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.scan import backends, cells, running

if backends.choice()[0] != "numba":
    pytest.skip("numba is not installed (extra fast)", allow_module_level=True)

from tinygrad_rnn.scan import ragged

FEATURES, H = 3, 5
LAYERS = {
    "RNN": lambda: nn.RNN(FEATURES, H),
    "LSTM, both directions, 2 layers": lambda: nn.LSTM(FEATURES, H, 2, bidirectional=True),
    "LSTM, projected": lambda: nn.LSTM(FEATURES, H, proj_size=2),
    "GRU": lambda: nn.GRU(FEATURES, H),
    "layer norm": lambda: nn.Recurrent(nn.LayerNormLSTMCell(FEATURES, H)),
}
# Each layer, and the one of the day with every index tested: numba compiles that for half a minute.
CHECKED = of_the_day(["every index tested"], [(name,) for name in LAYERS])
CASES = [(name, "") for name in LAYERS] + [(name, checked) for checked, name in CHECKED]
LENGTHS = [[3, 0, 4, 1], [4, 4, 4], [0, 2], [1], [7, 7, 2, 5, 6, 7, 1], [1, 1, 9, 1, 1, 1]]


@pytest.fixture
def rows_run(request, monkeypatch):
    """The numbers of rows that ran, of new programs."""
    ran = []

    def noted(self, layout, *more):
        ran.append(layout.count)
        return run(self, layout, *more)

    run = ragged.RaggedLoops.run
    monkeypatch.setattr(ragged.RaggedLoops, "run", noted)
    if getattr(request, "param", ""):
        monkeypatch.setenv("TINYGRAD_RNN_BOUNDSCHECK", "1")
        for name in ("_loops", "_configurations"):
            monkeypatch.setattr(cells, name, {})
    return ran


def parts(y, state):
    return [y, *(state if isinstance(state, tuple) else (state,))]


def total(tensors, seed):
    return sum((t * tg.tensor(numbers(t.shape, seed + k))).sum() for k, t in enumerate(tensors))


def found(layer, x, **options):
    """Outputs, last states and the gradients of input and weights."""
    layer.zero_grad()
    x = tg.tensor(x, requires_grad=True)
    outputs = parts(*layer(x, **options))
    total(outputs, 20).backward()
    values = [*outputs, x.grad, *(p.grad for p in layer.parameters())]
    return [t.detach().numpy() for t in values]


@pytest.mark.parametrize(("name", "rows_run"), CASES, indirect=["rows_run"])
def test_rows_are_as_the_recorded_steps(name, rows_run):
    layer = filled(LAYERS[name]())
    for k, lengths in enumerate(LENGTHS):
        x = numbers((max(lengths) + k % 2, len(lengths), FEATURES), k)
        layer.compiled = False
        right = found(layer, x, lengths=lengths)
        layer.compiled = True
        for b, n in enumerate(lengths):
            x[n:, b] = np.nan
        with tg.no_grad():
            y, _ = layer(tg.tensor(x), lengths=lengths)
        np.testing.assert_allclose(y.numpy(), right[0], rtol=1e-9, atol=1e-12)
        rows_run.clear()
        for a, b in zip(found(layer, x, lengths=lengths), right, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)
        assert set(rows_run) == {sum(lengths)}, "no row more than there are valid steps"


@pytest.mark.parametrize("block", [1, 4, 11, 24])
def test_blocks_of_steps_add_up(block, monkeypatch):
    for name in ("_loops", "_configurations"):
        monkeypatch.setattr(cells, name, {})
    layer, lengths = filled(nn.LSTM(FEATURES, H)), [9, 2, 0, 5, 9]
    x, calls = numbers((9, 5, FEATURES)), []
    right = found(layer, x, lengths=lengths)
    every = [made for program in cells._loops.values() for made in program._loops.items()]
    (made,) = [loops for key, loops in every if key[0] == "ragged"]
    backward = made._backward
    monkeypatch.setattr(made, "block", block)
    monkeypatch.setattr(
        made, "_backward", lambda *given, **more: calls.append(given) or backward(*given, **more)
    )
    for a, b in zip(found(layer, x, lengths=lengths), right, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)
    assert sum(rows for rows, *_ in calls) == sum(lengths)
    assert len(calls) >= -(-sum(lengths) // max(block, 5)), "in blocks"


def test_where_rows_lie():
    """Row by row against a loop over steps and sequences."""
    for lengths in LENGTHS:
        steps, batch = max(lengths) + 1, len(lengths)
        made = running.valid_rows(np.array(lengths), steps)
        order = sorted(range(batch), key=lambda b: -lengths[b])
        pairs = [(t, b) for t in range(steps) for b in order if t < lengths[b]]
        a = numbers((steps, batch, 2))
        for backwards in (False, True):
            packed = made.packed(a, backwards)
            times = [lengths[b] - 1 - t if backwards else t for t, b in pairs]
            right = [a[t, b] for t, (_, b) in zip(times, pairs, strict=True)]
            np.testing.assert_array_equal(packed[:, 0], right)
            valid = np.arange(steps)[:, None] < np.array(lengths)
            padded = made.padded(packed, backwards)
            np.testing.assert_array_equal(padded, np.where(valid[..., None], a, 0))
        begin = {(-1, b): k for k, b in enumerate(order)}
        begin.update({pair: batch + k for k, pair in enumerate(pairs)})
        np.testing.assert_array_equal(made.rows.before, [begin[t - 1, b] for t, b in pairs])
        np.testing.assert_array_equal(
            made.rows.last, [begin[lengths[b] - 1, b] for b in range(batch)]
        )


@pytest.mark.parametrize(("name", "rows_run"), CASES, indirect=["rows_run"])
def test_single_precision_is_each_sequence_by_itself(name, rows_run):
    layer = filled(LAYERS[name]()).float()
    for lengths in ([5, 2, 9, 9, 1], [3, 1]):
        batch = np.float32(numbers((max(lengths), len(lengths), FEATURES)))
        rows_run.clear()
        whole = found(layer, batch, lengths=lengths)
        assert rows_run
        sums = [0.0] * len(list(layer.parameters()))
        states = len(whole) - 2 - len(sums)
        for b, n in enumerate(lengths):
            layer.zero_grad()
            x = tg.tensor(batch[:n, b : b + 1], requires_grad=True)
            outputs = parts(*layer(x))
            wholes = [np.zeros_like(a) for a in whole[: 1 + states]]
            total = 0.0
            for k, (t, a) in enumerate(zip(outputs, wholes, strict=True)):
                seed = np.float32(numbers(a.shape, 20 + k))
                at = (
                    (slice(0, n), slice(b, b + 1))
                    if k == 0
                    else (..., slice(b, b + 1), slice(None))
                )
                total = total + (t * tg.tensor(seed[at])).sum()
                assert t.dtype is tg.float32
                np.testing.assert_allclose(t.detach().numpy(), whole[k][at], rtol=1e-4, atol=1e-6)
            total.backward()
            np.testing.assert_allclose(
                x.grad.numpy()[:, 0], whole[1 + states][:n, b], rtol=1e-4, atol=2e-5
            )
            sums = [s + p.grad.numpy() for s, p in zip(sums, layer.parameters(), strict=True)]
        for a, b in zip(sums, whole[2 + states :], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


@pytest.mark.peers
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_packed_batches_are_pytorchs(kind, rows_run):
    import torch

    pack, pad = nn.utils.rnn.pack_padded_sequence, nn.utils.rnn.pad_packed_sequence
    theirs = torch.nn.utils.rnn
    options = {"num_layers": 2, "bidirectional": True, "batch_first": True}
    mine, right = (
        filled(getattr(nn, kind)(FEATURES, H, **options)).float(),
        getattr(torch.nn, kind)(FEATURES, H, **options),
    )
    right.load_state_dict({k: torch.tensor(v.numpy()) for k, v in mine.state_dict().items()})
    for lengths, enforce_sorted in (([2, 7, 3, 7], False), ([6, 4, 4, 1], True)):
        x = np.float32(numbers((len(lengths), max(lengths), FEATURES)))
        a, b = tg.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
        y, last = mine(pack(a, lengths, batch_first=True, enforce_sorted=enforce_sorted))
        z, other = right(
            theirs.pack_padded_sequence(b, lengths, True, enforce_sorted=enforce_sorted)
        )
        (y, _), (z, _) = pad(y, batch_first=True), theirs.pad_packed_sequence(z, True)
        of_y = np.float32(numbers(y.shape, 5))
        lasts = last if isinstance(last, tuple) else (last,)
        others = other if isinstance(other, tuple) else (other,)
        ((y * tg.tensor(of_y)).sum() + sum((t * t).sum() for t in lasts)).backward()
        ((z * torch.tensor(of_y)).sum() + sum((t * t).sum() for t in others)).backward()
        for t, u in zip((y, *lasts, a.grad), (z, *others, b.grad), strict=True):
            np.testing.assert_allclose(t.detach().numpy(), u.detach().numpy(), atol=1e-5)
        for name, p in right.named_parameters():
            ours = dict(mine.named_parameters())[name].grad.numpy()
            np.testing.assert_allclose(ours, p.grad.numpy(), rtol=1e-4, atol=1e-4)
        assert set(rows_run) == {sum(lengths)}
        rows_run.clear()
        mine.zero_grad(), right.zero_grad()
    for pack_padded, tensor in ((pack, tg.tensor), (theirs.pack_padded_sequence, torch.tensor)):
        x = tensor(np.zeros((2, 3, FEATURES), np.float32))
        with pytest.raises((RuntimeError, ValueError), match=r"must be 1 to 3|greater than 0"):
            pack_padded(x, [3, 0], batch_first=True)
        with pytest.raises((RuntimeError, ValueError), match="sorted"):
            pack_padded(x, [2, 3], batch_first=True)
