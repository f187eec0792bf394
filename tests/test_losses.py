"""Losses with every option as PyTorch has them, and sequences padded and masked."""

import numpy as np
import pytest
from golden import optim_table
from support import assert_close, numbers

import tinygrad_rnn as tg
from tinygrad_rnn import nn

F = nn.functional
EXPECTED = optim_table.stored("optim_losses")


@pytest.mark.parametrize("name", EXPECTED)
def test_as_pytorch(name):
    ours = optim_table.run(tg, "optim_losses", name)
    assert list(ours) == list(EXPECTED[name])
    for key, array in EXPECTED[name].items():
        assert_close(ours[key], array, 1e-12, f"{name}: {key}")


def test_derivatives_of_weights_flow():
    """PyTorch refuses them; here they are right: the mean divides by the sum of the weights."""
    x = tg.from_numpy(numbers((3, 2), 1))
    w = tg.tensor([0.5, 2.0], dtype=tg.float64, requires_grad=True)
    y = np.array([0, 1, 1])
    F.nll_loss(x, y, w).backward()
    picked, counts = -x.numpy()[np.arange(3), y], np.array([0.5, 2.0, 2.0])
    loss = (picked * counts).sum() / counts.sum()
    each = (picked - loss) / counts.sum()
    assert_close(w.grad.numpy(), [each[0], each[1] + each[2]], 1e-12)


def test_an_ignored_row_may_hold_anything():
    x = tg.tensor([[0.0, 1.0], [-np.inf, 0.0]], requires_grad=True)
    F.nll_loss(x, tg.tensor([1, -100])).backward()
    np.testing.assert_array_equal(x.grad.numpy(), [[0, -1], [0, 0]])


def test_class_weights_move_with_the_module():
    loss = nn.CrossEntropyLoss(weight=[1.0, 2.0])
    assert list(loss.state_dict()) == ["weight"]
    assert loss.double().weight.dtype == tg.float64
    assert list(nn.BCEWithLogitsLoss(pos_weight=[3.0]).state_dict()) == ["pos_weight"]


REFUSED = {
    "weight": (lambda: F.nll_loss(tg.ones(2, 3), tg.tensor([0, 1]), [1.0]), ValueError, r"\(3,\)"),
    "weight of distributions": (
        lambda: F.cross_entropy(tg.ones(2, 3), tg.ones(2, 3), [1.0]),
        ValueError,
        r"weight has shape \(1,\)",
    ),
    "nothing left": (
        lambda: F.cross_entropy(tg.ones(2, 3), tg.tensor([-100, -100])),
        ValueError,
        "no target is left",
    ),
    "smoothing": (
        lambda: F.cross_entropy(tg.ones(2, 3), tg.tensor([0, 1]), label_smoothing=1.5),
        ValueError,
        "between 0 and 1",
    ),
    "smoothing module": (lambda: nn.CrossEntropyLoss(label_smoothing=-1), ValueError, "between"),
    "ignored distribution": (
        lambda: F.cross_entropy(tg.ones(2, 3), tg.ones(2, 3), ignore_index=1),
        ValueError,
        "needs classes",
    ),
    "out of range": (
        lambda: F.cross_entropy(tg.ones(2, 3), tg.tensor([3, -100])),
        IndexError,
        "cross_entropy: a target class is outside 0 ... 2",
    ),
    "reduction": (
        lambda: F.cross_entropy(tg.ones(2, 3), tg.tensor([0, 1]), [1.0] * 3, reduction="max"),
        ValueError,
        "reduction must be",
    ),
    "pos_weight": (
        lambda: F.binary_cross_entropy_with_logits(
            tg.ones(2, 3), tg.ones(2, 3), pos_weight=[1.0, 1.0]
        ),
        ValueError,
        "pos_weight has shape",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    action, error, words = REFUSED[name]
    with pytest.raises(error, match=words):
        action()


# ---- sequences ------------------------------------------------------------------------------------------


def test_pad_sequence_refuses():
    with pytest.raises(ValueError, match="at least one"):
        nn.utils.pad_sequence([])
    with pytest.raises(ValueError, match="sequence 1 has shape"):
        nn.utils.pad_sequence([tg.ones(2, 3), tg.ones(2, 4)])


def test_pad_sequence_keeps_dtypes_and_takes_no_steps():
    padded = nn.utils.pad_sequence([np.array([1, 2]), np.zeros(0, int)], padding_value=-100)
    assert padded.dtype == tg.int64
    assert padded.tolist() == [[1, -100], [2, -100]]


@pytest.mark.parametrize("batch_first", [False, True])
def test_sequence_mask(batch_first):
    mask = nn.utils.sequence_mask(tg.tensor([2, 0, 3]), 4, batch_first).numpy()
    expected = np.array([[1, 1, 0, 0], [0, 0, 0, 0], [1, 1, 1, 0]], bool)
    np.testing.assert_array_equal(mask, expected if batch_first else expected.T)


@pytest.mark.parametrize("lengths", [[1, 5], [-1, 2], [0.5, 1.0], 3, []])
def test_sequence_mask_refuses(lengths):
    with pytest.raises(ValueError, match="lengths must be"):
        nn.utils.sequence_mask(lengths, 4)


@pytest.mark.parametrize("kind", ["mse", "classes"])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_a_masked_batch_is_its_sequences(kind, reduction):
    """Values and gradients of a ragged batch under a mask are those of the sequences end to end."""
    parts = [numbers((n, 3), n) for n in (4, 1, 0, 2)]
    lengths = [len(p) for p in parts]
    if kind == "mse":
        loss, targets = F.mse_loss, [numbers((n, 3), 9 + n) for n in lengths]
    else:
        loss, targets = F.cross_entropy, [np.arange(n) % 3 for n in lengths]
    together = tg.tensor(np.concatenate(parts), requires_grad=True)
    expected = loss(together, np.concatenate(targets), reduction=reduction)
    expected.backward()

    padded = np.array(nn.utils.pad_sequence(parts).numpy())
    padded[~nn.utils.sequence_mask(lengths).numpy()] = np.nan  # whatever is there has no part
    y = tg.tensor(padded, requires_grad=True)
    target = nn.utils.pad_sequence(targets)
    mask = nn.utils.sequence_mask(lengths)
    found = loss(y[mask], target[mask], reduction=reduction)
    found.backward()
    assert found.item() == pytest.approx(expected.item(), rel=1e-12)
    got = y.grad.numpy()
    for k, n in enumerate(lengths):
        start = sum(lengths[:k])
        assert_close(got[:n, k], together.grad.numpy()[start : start + n], 1e-12)
        assert not got[n:, k].any()


# ---- at their edges ---------------------------------------------------------------------------------

EDGES = np.array(
    [0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 1e30, -1e30, 0.5, -5.0, 100.0, -100.0, 1.5]
)
PROBABILITIES = np.array([0, 0, 0, 1, 1, 1, 0.5, 1e-20, 1e-13, 1 - 1e-13, 1e-5, 1e-44, 0.3])
TRUTHS = np.array([0, 1, 0.3, 0, 1, 0.3, 0, 1, 1, 0, 1, 1, 0.2])


def test_a_probability_that_is_exactly_wrong_is_pulled_back():
    for dtype, steep in ((np.float64, 1e12), (np.float32, 1e12), (np.float16, 65504.0)):
        p = tg.tensor(PROBABILITIES.astype(dtype), requires_grad=True)
        q, y = p.numpy().astype(np.float64), TRUTHS.astype(dtype).astype(np.float64)
        F.binary_cross_entropy(p, TRUTHS, reduction="sum").backward()
        with np.errstate(over="ignore"):
            slope = ((q - y) / np.maximum(q * (1 - q), 1 / steep)).astype(dtype)
        np.testing.assert_allclose(
            p.grad.numpy(), slope, rtol=0.02 if dtype is np.float16 else 1e-4
        )
        assert np.abs(p.grad.numpy()[1]) > 6e4


def test_the_second_derivative_at_an_edge_is_that_of_the_slope():
    p = tg.tensor([0.0, 1.0, 0.25], requires_grad=True)
    loss = F.binary_cross_entropy(p, [1.0, 1.0, 1.0], reduction="sum")
    (g,) = tg.grad(loss, [p], create_graph=True)
    (h,) = tg.grad(g.sum(), [p])
    np.testing.assert_allclose(h.numpy(), [1e12, 1e12, 16.0], rtol=1e-5)


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0, 2.0])
def test_nan_reaches_the_gradients_of_smooth_losses(beta):
    for loss in (F.smooth_l1_loss, F.huber_loss):
        if not beta:
            continue
        x = tg.tensor(EDGES, requires_grad=True)
        value = loss(x, np.zeros(13), "none", beta)
        value.sum().backward()
        scale = beta if loss is F.smooth_l1_loss else 1.0
        np.testing.assert_allclose(x.grad.numpy(), np.clip(EDGES, -beta, beta) / scale)
        assert np.isnan(value.numpy()[5])


def test_huber_without_a_bound_is_the_parabola():
    x = tg.tensor(EDGES[[0, 1, 2, 8, 9]], requires_grad=True)
    loss = F.huber_loss(x, np.zeros(5), "sum", np.inf)
    loss.backward()
    assert loss.item() == (x.numpy() ** 2).sum() / 2
    np.testing.assert_array_equal(x.grad.numpy(), x.numpy())


EDGE_CASES = {
    "bce": (F.binary_cross_entropy, "binary_cross_entropy", PROBABILITIES, TRUTHS, {}),
    "mse": (F.mse_loss, "mse_loss", EDGES, 0 * TRUTHS, {}),
    "l1": (F.l1_loss, "l1_loss", EDGES, 0 * TRUTHS, {}),
    **{
        f"smooth {b}": (F.smooth_l1_loss, "smooth_l1_loss", EDGES, 0 * TRUTHS, {"beta": b})
        for b in (0.0, 0.5, 2.0)
    },
    **{
        f"huber {d}": (F.huber_loss, "huber_loss", EDGES, 0 * TRUTHS, {"delta": d})
        for d in (0.5, 2.0)
    },
}


@pytest.mark.peers
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("name", EDGE_CASES)
def test_edges_are_pytorchs(name, reduction, dtype):
    torch = pytest.importorskip("torch")
    ours, theirs, values, target, options = EDGE_CASES[name]
    x = tg.tensor(values.astype(dtype), requires_grad=True)
    t = torch.tensor(values.astype(dtype), requires_grad=True)
    with np.errstate(all="ignore"):
        a = ours(x, target.astype(dtype), reduction=reduction, **options)
        a.sum().backward()
    b = getattr(torch.nn.functional, theirs)(
        t, torch.tensor(target.astype(dtype)), reduction=reduction, **options
    )
    b.sum().backward()
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=2e-6)
    np.testing.assert_allclose(x.grad.numpy(), t.grad.numpy(), rtol=2e-6, atol=1e-12)


@pytest.mark.peers
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_cross_entropy_of_odd_logits_is_pytorchs(reduction, smoothing):
    torch = pytest.importorskip("torch")
    inf, nan = np.inf, np.nan
    logits = [[0, -inf, 1], [1e30, 0, 0], [-inf, -inf, 0], [1e4, -1e4, 0], [nan, 0, 0]]
    for target in ([0, 1, 2, 0, 1], [1, 0, 0, 1, 2], [2, -100, 2, 2, -100]):
        x = tg.tensor(np.array(logits), requires_grad=True)
        t = torch.tensor(logits, dtype=torch.float64, requires_grad=True)
        with np.errstate(all="ignore"):
            a = F.cross_entropy(x, np.array(target), reduction=reduction, label_smoothing=smoothing)
            a.sum().backward()
        b = torch.nn.functional.cross_entropy(
            t, torch.tensor(target), reduction=reduction, label_smoothing=smoothing
        )
        b.sum().backward()
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-12)
        np.testing.assert_allclose(x.grad.numpy(), t.grad.numpy(), rtol=1e-12, atol=1e-300)
