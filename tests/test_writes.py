"""Writes in place reach what a tensor is a view of, as in PyTorch, and no gradient is ever wrong for it.

The right values are numpy's: its views share memory as PyTorch's tensors do. The right gradients are those of
``write_programs.Duals``, which carries derivatives beside such arrays by the complex step.
"""

import copy
import gc
import tracemalloc
import weakref

import numpy as np
import pytest
from write_programs import Author, Duals, Library, leaf_values, weights_for

import tinygrad_rnn as tg
from tinygrad_rnn import nn

VALUES = np.arange(12.0).reshape(4, 3) / 4 - 1
OTHER = np.cos(np.arange(12.0)).reshape(4, 3)

# ---- every view, every write, every holder -------------------------------------------------------

# name: on a tensor, on an array
VIEWS = {
    "itself": (lambda t: t, lambda a: a),
    "a row": (lambda t: t[1], lambda a: a[1]),
    "the last row": (lambda t: t[-1], lambda a: a[-1]),
    "an element": (lambda t: t[2, 1], lambda a: a[2, 1, ...]),
    "rows": (lambda t: t[1:3], lambda a: a[1:3]),
    "every other column": (lambda t: t[:, ::2], lambda a: a[:, ::2]),
    "a new axis": (lambda t: t[:, None, 1:], lambda a: a[:, None, 1:]),
    "an ellipsis": (lambda t: t[..., 0], lambda a: a[..., 0]),
    "view": (lambda t: t.view(2, 6), lambda a: a.reshape(2, 6)),
    "reshape": (lambda t: t.reshape(-1), lambda a: a.reshape(-1)),
    "view_as": (lambda t: t.view_as(tg.zeros(3, 4)), lambda a: a.reshape(3, 4)),
    "flatten": (lambda t: t.flatten(), lambda a: a.reshape(-1)),
    "t()": (lambda t: t.t(), lambda a: a.T),
    "T": (lambda t: t.T, lambda a: a.T),
    "mT": (lambda t: t.mT, lambda a: a.T),
    "transpose": (lambda t: t.transpose(0, 1), lambda a: a.T),
    "permute": (lambda t: t.permute(1, 0), lambda a: a.T),
    "squeeze": (lambda t: t[1:2].squeeze(0), lambda a: a[1]),
    "unsqueeze": (lambda t: t.unsqueeze(1), lambda a: a[:, None]),
    "a chunk": (lambda t: t.chunk(2)[1], lambda a: a[2:]),
    "an uneven chunk": (lambda t: t.chunk(2, 1)[1], lambda a: a[:, 2:]),
    "a split": (lambda t: t.split([1, 3])[1], lambda a: a[1:]),
    "unbind": (lambda t: t.unbind(1)[2], lambda a: a[:, 2]),
    "iteration": (lambda t: list(t)[3], lambda a: a[3]),
    "a row of an expanded one": (lambda t: t.expand(2, 4, 3)[1], lambda a: a),
    "detach": (lambda t: t.detach(), lambda a: a),
    "data": (lambda t: t.data, lambda a: a),
    "a row of data": (lambda t: t.data[0], lambda a: a[0]),
    "a view of a view": (
        lambda t: t.t()[1:].unsqueeze(0)[..., ::2],
        lambda a: a.T[1:][None][..., ::2],
    ),
    "a diagonal of views": (
        lambda t: t[:2].reshape(-1)[1:].T.detach()[::2],
        lambda a: a[:2].reshape(-1)[1::2],
    ),
    "contiguous": (lambda t: t.contiguous(), lambda a: a),
    "np.transpose": (lambda t: np.transpose(t), lambda a: a.T),
}


def _aug(how):
    def write(t, _v):
        before = t
        t = getattr(t, how)(2.0)
        assert t is before

    return write


# name: on a tensor, the new values from the old ones
WRITES = {
    "fill_": (lambda t, v: t.fill_(3.0), lambda a, v: np.full_like(a, 3.0)),
    "fill_ of a tensor": (lambda t, v: t.fill_(tg.tensor(3.0)), lambda a, v: np.full_like(a, 3.0)),
    "zero_": (lambda t, v: t.zero_(), lambda a, v: np.zeros_like(a)),
    "copy_": (lambda t, v: t.copy_(tg.tensor(v)), lambda a, v: v),
    "copy_ of an array": (lambda t, v: t.copy_(v), lambda a, v: v),
    "add_": (lambda t, v: t.add_(tg.tensor(v)), lambda a, v: a + v),
    "add_ with alpha": (lambda t, v: t.add_(tg.tensor(v), alpha=2), lambda a, v: a + 2 * v),
    "sub_": (lambda t, v: t.sub_(1.5), lambda a, v: a - 1.5),
    "mul_": (lambda t, v: t.mul_(tg.tensor(v)), lambda a, v: a * v),
    "div_": (lambda t, v: t.div_(2.0), lambda a, v: a / 2),
    "pow_": (lambda t, v: t.pow_(2), lambda a, v: a * a),
    "clamp_": (lambda t, v: t.clamp_(-0.5, 0.5), lambda a, v: a.clip(-0.5, 0.5)),
    "tanh_": (lambda t, v: t.tanh_(), lambda a, v: np.tanh(a)),
    "sigmoid_": (lambda t, v: t.sigmoid_(), lambda a, v: 1 / (1 + np.exp(-a))),
    "relu_": (lambda t, v: t.relu_(), lambda a, v: np.maximum(a, 0)),
    "neg_": (lambda t, v: t.neg_(), lambda a, v: -a),
    "abs_": (lambda t, v: t.abs_(), lambda a, v: abs(a)),
    "exp_": (lambda t, v: t.exp_(), lambda a, v: np.exp(a)),
    "square_": (lambda t, v: t.square_(), lambda a, v: a * a),
    "floor_": (lambda t, v: t.floor_(), lambda a, v: np.floor(a)),
    "lerp_": (lambda t, v: t.lerp_(tg.tensor(v), 0.25), lambda a, v: a + (v - a) * 0.25),
    "addcmul_": (lambda t, v: t.addcmul_(t, tg.tensor(v), value=2), lambda a, v: a + a * v * 2),
    "masked_fill_": (lambda t, v: t.masked_fill_(t > 0, 7.0), lambda a, v: np.where(a > 0, 7.0, a)),
    "setitem": (lambda t, v: t.__setitem__(..., tg.tensor(v)), lambda a, v: v),
    "setitem by a mask": (
        lambda t, v: t.__setitem__(t > 0, 7.0),
        lambda a, v: np.where(a > 0, 7.0, a),
    ),
    "+=": (_aug("__iadd__"), lambda a, v: a + 2),
    "-=": (_aug("__isub__"), lambda a, v: a - 2),
    "*=": (_aug("__imul__"), lambda a, v: a * 2),
    "/=": (_aug("__itruediv__"), lambda a, v: a / 2),
    "**=": (_aug("__ipow__"), lambda a, v: a**2),
    "%=": (_aug("__imod__"), lambda a, v: a - np.floor(a / 2) * 2),
    "//=": (_aug("__ifloordiv__"), lambda a, v: np.floor(a / 2)),
    "init.constant_": (lambda t, v: nn.init.constant_(t, 4.0), lambda a, v: np.full_like(a, 4.0)),
}


def _computed():
    return tg.tensor(VALUES, requires_grad=True) * 1.0


def _gradient():
    w = tg.tensor(VALUES, requires_grad=True)
    w.grad = tg.tensor(VALUES)
    return w.grad


def _state():
    module = nn.Module()
    module.w = nn.Parameter(VALUES)
    return module.w, module.state_dict()["w"]


def _buffer():
    module = nn.Module()
    module.register_buffer("b", tg.tensor(VALUES))
    return module.b, module.state_dict()["b"]


# what is looked at afterwards, and what is written (the same, if one is given)
HOLDERS = {
    "a tensor": lambda: tg.tensor(VALUES),
    "a Parameter": lambda: nn.Parameter(VALUES),
    "a frozen Parameter": lambda: nn.Parameter(VALUES, requires_grad=False),
    "what was computed": _computed,
    "a gradient": _gradient,
    "a value of a state dict": _state,
    "a buffer's": _buffer,
}


@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.parametrize("view", VIEWS)
def test_a_write_reaches_what_it_is_a_view_of(view, holder):
    see, see_numpy = VIEWS[view]
    for name, (write, values) in WRITES.items():
        made = HOLDERS[holder]()
        held, written = made if isinstance(made, tuple) else (made, made)
        array = VALUES.copy()
        with tg.no_grad():
            others = [held.reshape(-1)[::3], held.detach(), held.T]
            before = held.numpy()
            v = np.resize(OTHER, see_numpy(array).shape)
            write(see(written), v)
            part = see_numpy(array)
            part[...] = values(part.copy(), v)
        np.testing.assert_allclose(held.numpy(), array, rtol=1e-15, err_msg=name)
        for other, right in zip(others, (array.reshape(-1)[::3], array, array.T), strict=True):
            np.testing.assert_array_equal(
                other.numpy(),
                held.detach().numpy().reshape(4, 3).T
                if other.shape == (3, 4)
                else held.numpy()
                if other.shape == (4, 3)
                else held.numpy().reshape(-1)[::3],
            )
            np.testing.assert_allclose(other.numpy(), right, rtol=1e-15, err_msg=name)
        np.testing.assert_array_equal(before, VALUES)  # an array handed out is as it was


# ---- item assignment -----------------------------------------------------------------------------

INDICES = {
    "an integer": 1,
    "a negative one": -1,
    "a numpy integer": np.int64(2),
    "a 0-d tensor": tg.tensor(1),
    "a slice": slice(1, 3),
    "steps": slice(None, None, 2),
    "backwards": slice(None, None, -1),
    "all": slice(None),
    "an ellipsis": ...,
    "None": None,
    "a pair": (1, 2),
    "a column": (slice(None), 1),
    "an ellipsis and an integer": (..., -1),
    "None within": (1, None, slice(1, 3)),
    "a mask": VALUES > 0,
    "a mask as a tensor": tg.tensor(VALUES > 0),
    "a mask of rows": np.array([True, False, True, False]),
    "a list of booleans": [True, False, False, True],
    "a list": [2, 0],
    "an array": np.array([3, 1]),
    "a tensor": tg.tensor([3, 1]),
    "two arrays": ([0, 2], [1, 2]),
    "an array and a slice": ([0, 2], slice(0, 2)),
    "a slice and an array": (slice(1, 3), tg.tensor([0, 2])),
    "a matrix of indices": np.array([[0, 1], [2, 3]]),
    "True": True,
    "nothing": np.zeros((4, 3), bool),
    "no rows": slice(2, 2),
}


def _plain(index):
    if isinstance(index, tuple):
        return tuple(_plain(i) for i in index)
    return index.numpy() if isinstance(index, tg.Tensor) else index


@pytest.mark.parametrize("name", INDICES)
def test_assignment_is_numpys(name):
    index = INDICES[name]
    plain = _plain(index)
    shape = VALUES[plain].shape
    values = [np.float64(5.0), np.int64(3), np.bool_(True), np.resize(OTHER, shape)]
    if shape and shape[0]:
        values.append(np.resize(OTHER, shape[1:]))
    for value in values:
        array = np.asarray(value)
        lifted = [
            value,
            array.tolist() if array.size else array,
            array,
            array[None],
            tg.tensor(array),
            tg.tensor(array[None]),
        ]
        for given in lifted:
            x, right = tg.tensor(VALUES), VALUES.copy()
            whole = x.T
            x[index] = given
            right[plain] = array
            np.testing.assert_allclose(x.numpy(), right, rtol=1e-7)  # a list is float32
            np.testing.assert_array_equal(whole.numpy(), x.numpy().T)
    x, right = tg.tensor(VALUES), VALUES.copy()
    x[index] += 2.0
    right[plain] += 2.0
    np.testing.assert_array_equal(x.numpy(), right)


@pytest.mark.parametrize("name", INDICES)
def test_the_gradient_of_an_assignment_goes_to_both(name):
    index = INDICES[name]
    plain = _plain(index)
    weights = np.sin(np.arange(12.0)).reshape(4, 3)
    x, v = tg.tensor(VALUES, requires_grad=True), tg.tensor(2.0, tg.float64, requires_grad=True)
    y = x * 1.0
    y[index] = v * tg.ones(*VALUES[plain].shape, dtype=tg.float64)
    hit = np.zeros((4, 3), bool)
    hit[plain] = True
    (y * tg.tensor(weights)).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), np.where(hit, 0.0, weights), rtol=1e-14)
    if hit.any():
        np.testing.assert_allclose(v.grad.item(), weights[hit].sum(), rtol=1e-14, atol=1e-15)


def test_values_are_cast_as_pytorch_casts_them():
    x = tg.zeros(3, dtype=tg.int64)
    x[0], x[1] = 2.7, tg.tensor(-1.5)
    assert x.tolist() == [2, -1, 0]
    x.fill_(3.9)
    assert (x.tolist(), x.dtype) == ([3, 3, 3], tg.int64)
    b = tg.zeros(2, dtype=tg.bool)
    b[0] = 3
    assert b.tolist() == [True, False]
    h = tg.zeros(2, dtype=tg.float32)
    h += tg.ones(2, dtype=tg.float64)
    assert h.dtype == tg.float32
    for write in (
        lambda: x.add_(0.5),
        lambda: x.__itruediv__(2),
        lambda: b.__iadd__(1),
        lambda: x.sqrt_(),
    ):
        with pytest.raises(TypeError, match="cannot hold a result of"):
            write()


def test_one_hot_rows_as_people_build_them():
    word, letters = "cab", "abc"
    x = tg.zeros(len(word), 1, len(letters))
    for i, letter in enumerate(word):
        x[i][0][letters.index(letter)] = 1
    assert x[:, 0].tolist() == [[0, 0, 1], [1, 0, 0], [0, 1, 0]]
    y = tg.zeros(3, 4)
    assert y.scatter_(1, tg.tensor([[1], [3], [0]]), 1.0) is y
    assert y.argmax(1).tolist() == [1, 3, 0]
    y.index_fill_(0, tg.tensor([1]), 2.0).fill_diagonal_(9.0)
    assert y.tolist() == [[9, 1, 0, 0], [2, 9, 2, 2], [1, 0, 9, 0]]
    y.index_copy_(0, tg.tensor([2, 0]), tg.tensor([[1.0] * 4, [5.0] * 4]))
    assert y[:, 0].tolist() == [5, 2, 1]
    y.index_add_(1, tg.tensor([0, 0]), tg.ones(3, 2))
    assert y[:, 0].tolist() == [7, 4, 3]
    y.index_put_((tg.tensor([0, 0]), tg.tensor([1, 1])), tg.tensor(0.5), accumulate=True)
    y.index_put_((tg.tensor([2]), tg.tensor([1])), 7.0)
    y.scatter_(1, tg.tensor([[2]]), value=3.0).scatter_(1, tg.tensor([[2], [2]]), 1.0, reduce="add")
    assert y[:, 1:3].tolist() == [[6, 4], [9, 3], [7, 1]]
    z = tg.zeros(3).scatter_add_(0, tg.tensor([0, 2, 0]), tg.tensor([1.0, 2.0, 3.0]))
    assert z.tolist() == [4, 0, 2]


# ---- the idioms ----------------------------------------------------------------------------------

H = 3


def _forget_by_data(lstm):
    lstm.bias_hh_l0.data[H : 2 * H].fill_(1.0)


def _forget_by_init(lstm):
    nn.init.constant_(lstm.bias_hh_l0.data[H : 2 * H], 1.0)


def _forget_by_init_on_the_parameter(lstm):
    nn.init.ones_(lstm.bias_hh_l0[H : 2 * H])


def _forget_under_no_grad(lstm):
    with tg.no_grad():
        lstm.bias_hh_l0[H : 2 * H].fill_(1.0)


def _forget_by_assignment(lstm):
    with tg.no_grad():
        lstm.bias_hh_l0[H : 2 * H] = 1.0


def _forget_by_chunks(lstm):
    lstm.bias_hh_l0.data.chunk(4)[1].copy_(tg.ones(H))


def _forget_by_names(lstm):
    for name, p in lstm.named_parameters():
        if "bias_hh" in name:
            n = p.size(0)
            p.data[n // 4 : n // 2].fill_(1.0)


def _forget_by_the_state_dict(lstm):
    lstm.state_dict()["bias_hh_l0"][H : 2 * H] = 1.0


def _forget_by_views(lstm):
    lstm.bias_hh_l0.data.view(4, H)[1].zero_().add_(1.0)


FORGET = [
    v
    for k, v in list(globals().items())
    if k.startswith("_forget_by") or k == "_forget_under_no_grad"
]


@pytest.mark.parametrize("backend", ["numba", "numpy", "recorded"])
@pytest.mark.parametrize("write", FORGET, ids=lambda f: f.__name__[1:])
def test_the_forget_gate_idiom_in_all_its_forms(write, backend, monkeypatch):
    """The layer's outputs are those of one that was given the bias from the start."""
    if backend == "numba":
        pytest.importorskip("numba", reason="numba is not installed (extra fast)")
    monkeypatch.setenv("TINYGRAD_RNN_BACKEND", "numpy" if backend == "recorded" else backend)
    tg.manual_seed(0)
    lstm, x = nn.LSTM(2, H), tg.randn(5, 2, 2)
    lstm.compiled = backend != "recorded"
    first, _ = lstm(x)
    values = {k: np.array(v.numpy()) for k, v in lstm.state_dict().items()}
    write(lstm)
    values["bias_hh_l0"][H : 2 * H] = 1.0
    np.testing.assert_array_equal(lstm.bias_hh_l0.numpy(), values["bias_hh_l0"])
    other = nn.LSTM(2, H)
    other.compiled = lstm.compiled
    other.load_state_dict(values)
    y, _ = lstm(x)
    np.testing.assert_array_equal(y.numpy(), other(x)[0].numpy())
    assert not np.array_equal(y.numpy(), first.numpy())
    y.sum().backward()
    other(x)[0].sum().backward()
    np.testing.assert_array_equal(lstm.bias_hh_l0.grad.numpy(), other.bias_hh_l0.grad.numpy())
    with pytest.raises(tg.StaleGraphError):
        first.sum().backward()


def test_the_issues_other_idioms():
    weight = nn.Parameter(tg.zeros(8, 2))
    for w in weight.data.chunk(4, 0):
        nn.init.orthogonal_(w)
    for block in weight.numpy().reshape(4, 2, 2):
        np.testing.assert_allclose(block @ block.T, np.eye(2), atol=1e-6)
    embedding = nn.Embedding(3, 2)
    embedding.weight.data[0].zero_()
    assert embedding(tg.tensor([0])).tolist() == [[0.0, 0.0]]
    x = tg.zeros(4)
    x.view(2, 2)[0].fill_(1)
    assert x.tolist() == [1, 1, 0, 0]
    x[0].copy_(tg.tensor(5.0))
    assert x.tolist() == [5, 1, 0, 0]
    m = x.view(2, 2)
    m.t().add_(1)
    assert x.tolist() == [6, 2, 1, 1]
    y = x.detach()
    y += 1
    assert x.tolist() == [7, 3, 2, 2]
    g = x
    x += 1
    assert g is x
    w = tg.ones(3, requires_grad=True)
    (w * 2).sum().backward()
    w.grad.data[:1].zero_()
    w.grad[2] = 9.0
    assert w.grad.tolist() == [0, 2, 9]
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    for q in model.state_dict().values():
        q.fill_(1.0)
    assert model(tg.ones(1, 2)).item() == 10.0
    for p in model.parameters():
        p.data -= 0.5 * p.data
    assert model(tg.ones(1, 2)).item() == 2.75
    hidden = tg.tensor([1.0, 2.0], requires_grad=True) * 2
    hidden.data.zero_()
    assert hidden.tolist() == [0, 0]
    assert hidden.detach_() is hidden
    assert not hidden.requires_grad


def test_a_tensor_turns_into_a_view_of_itself():
    w = tg.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], requires_grad=True)
    x = w * 1.0
    row, whole = x[0], x.detach()
    assert x.t_() is x
    assert x.unsqueeze_(0).shape == (1, 3, 2)
    x[0, 2, 1] = 60.0
    row.mul_(2.0)
    assert x.squeeze_().transpose_(0, 1).tolist() == whole.tolist() == [[2, 4, 6], [4, 5, 60]]
    (x * tg.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])).sum().backward()
    assert w.grad.tolist() == [[2, 4, 6], [4, 5, 0]]
    with pytest.raises(RuntimeError, match="keeps its shape: use t"):
        w.t_()


def test_gradients_in_one_buffer_are_added_to_there():
    flat = tg.zeros(5)
    a, b = tg.ones(2, requires_grad=True), tg.ones(3, requires_grad=True)
    a.grad, b.grad = flat[:2], flat[2:]
    for _ in range(2):
        ((a * 2).sum() + (b * 3).sum()).backward()
    assert flat.tolist() == [4, 4, 6, 6, 6]
    flat.zero_()
    assert a.grad.tolist() == [0, 0]


def test_activations_in_place():
    x = tg.tensor([-1.0, 2.0], requires_grad=True)
    h = x * 1.0
    assert nn.ReLU(inplace=True)(h) is h
    assert tg.nn.functional.relu(h, inplace=True) is h
    (h * h).sum().backward()
    assert x.grad.tolist() == [0, 4]


def test_data_takes_the_memory_of_another():
    p, t = nn.Parameter([1.0, 2.0]), tg.tensor([3.0, 4.0])
    old = p.data
    p.data = t
    t[0] = 9.0
    old.zero_()
    assert p.tolist() == [9, 4]
    p.data[1] = 8.0
    assert t.tolist() == [9, 8]
    copied = copy.deepcopy(p)
    p.data.zero_()
    assert copied.tolist() == [9, 8]


# ---- what shares nothing -------------------------------------------------------------------------

COPIES = {
    "clone": lambda t: t.clone(),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "an index array": lambda t: t[[0, 1, 2, 3]],
    "a mask": lambda t: t[np.ones(4, bool)],
    "flip": lambda t: t.flip(0).flip(0),
    "repeat": lambda t: t.repeat(1, 1),
    "cat of one": lambda t: tg.cat([t]),
    "stack of one": lambda t: tg.stack([t])[0],
    "contiguous of a transpose": lambda t: t.T.contiguous().T,
    "tensor": tg.tensor,
    "index_select": lambda t: t.index_select(0, tg.tensor([0, 1, 2, 3])),
    "an op": lambda t: t + 0,
    "from_numpy": lambda t: tg.from_numpy(t.numpy()),
    "clone of an expanded one": lambda t: t.expand(2, 4, 3).clone()[1],
}


@pytest.mark.parametrize("name", COPIES)
def test_copies_share_nothing(name):
    t = tg.tensor(VALUES)
    c = COPIES[name](t)
    part = c[0]
    t.zero_()
    np.testing.assert_array_equal(c.numpy(), VALUES)
    part.fill_(7.0)
    c.T[0, 3] = 8.0
    right = VALUES.copy()
    right[0], right[3, 0] = 7.0, 8.0
    np.testing.assert_array_equal(c.numpy(), right)
    assert not t.numpy().any()


def test_optimizers_and_loading_leave_a_snapshot():
    """What the library itself puts in place is new: a state dict taken before is one of its time, and a
    view of what is no more there is refused instead of writing beside it."""
    model = nn.Linear(2, 1)
    snapshot, row = model.state_dict(), model.weight.data[0]
    before = model.weight.numpy()
    model(tg.ones(1, 2)).sum().backward()
    with tg.no_grad():
        model.bias += 1.0
    assert snapshot["bias"].item() != model.bias.item()
    tg.optim.SGD(model.parameters(), lr=1.0).step()
    np.testing.assert_array_equal(snapshot["weight"].numpy(), before)
    assert not np.array_equal(model.weight.numpy(), before)
    for view in (snapshot["weight"], row, snapshot["weight"][0]):
        with pytest.raises(RuntimeError, match=r"SGD\.step\(\) since: take the view again"):
            view.zero_()
    np.testing.assert_array_equal(row.clone().zero_().numpy(), [0.0, 0.0])
    model.load_state_dict(snapshot)
    np.testing.assert_array_equal(model.weight.numpy(), before)
    model.state_dict()["weight"].zero_()
    assert not model.weight.numpy().any()


# ---- gradients -----------------------------------------------------------------------------------


def test_outputs_gathered_by_assignment_have_their_gradient():
    tg.manual_seed(0)
    cell, x = nn.LSTMCell(2, 3), tg.randn(6, 4, 2)
    lstm = nn.LSTM(2, 3)
    lstm.load_state_dict({f"{k}_l0": v for k, v in cell.state_dict().items()})
    out, state = tg.zeros(6, 4, 3), None
    for t in range(6):
        state = cell(x[t], state)
        out[t] = state[0]
    out.square().sum().backward()
    y, _ = lstm(x)
    y.square().sum().backward()
    np.testing.assert_allclose(out.detach().numpy(), y.detach().numpy(), rtol=1e-5, atol=1e-7)
    for name, p in cell.named_parameters():
        right = getattr(lstm, f"{name}_l0").grad.numpy()
        np.testing.assert_allclose(p.grad.numpy(), right, rtol=1e-4, atol=1e-6)


def test_a_node_that_needs_the_old_value_has_it():
    """Where PyTorch refuses ("modified by an inplace operation") the gradient is that of the old value."""
    x = tg.tensor([0.3, -0.7], dtype=tg.float64, requires_grad=True)
    h = x.tanh()
    y = h * h
    h += 1
    h[0] = 2 * h[1]
    z = h * y
    z.sum().backward()
    t = np.tanh(x.detach().numpy())
    s = 1 - t * t
    # z0 = 2 (t1 + 1) t0**2, z1 = (t1 + 1) t1**2
    d0 = 2 * (t[1] + 1) * 2 * t[0]
    d1 = 2 * t[0] ** 2 + t[1] ** 2 + (t[1] + 1) * 2 * t[1]
    np.testing.assert_allclose(x.grad.numpy(), [d0 * s[0], d1 * s[1]], rtol=1e-14)


def test_gradients_of_any_order_go_through_writes():
    def f(x):
        y = x * 1.0
        row = y[0]
        row *= x[1]
        y[1] = row.sin() * y[1]
        return (y**3).sum()

    def g(x):
        row = x[0] * x[1]
        return (row**3).sum() + ((row.sin() * x[1]) ** 3).sum()

    x = tg.tensor([[0.3, -0.7], [1.1, 0.4]], dtype=tg.float64)
    np.testing.assert_allclose(
        tg.func.hessian(f)(x).numpy(), tg.func.hessian(g)(x).numpy(), rtol=1e-12
    )
    assert tg.gradcheck(f, [x.clone().requires_grad_()])


def test_retained_gradients_are_those_of_the_new_value():
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    h = x * 3
    h.retain_grad()
    h *= h
    (h * 2).sum().backward()
    assert h.grad.tolist() == [2, 2]
    assert x.grad.tolist() == [2 * 9 * 2, 2 * 9 * 4]


def test_leaves_are_refused_while_recording_and_say_how():
    w = tg.ones(2, 3, requires_grad=True)
    for write in (
        lambda: w.__setitem__(0, 1.0),
        lambda: w[0].fill_(1.0),
        lambda: w.T.mul_(2.0),
        lambda: w.view(-1)[0].copy_(3.0),
        lambda: w.chunk(2)[0].__iadd__(1.0),
        lambda: w.__iadd__(1.0),
    ):
        with pytest.raises(RuntimeError, match=r"a leaf that requires a gradient.*tg\.no_grad\(\)"):
            write()
    assert w.tolist() == [[1.0] * 3] * 2
    frozen = nn.Parameter([1.0, 2.0], requires_grad=False)
    with pytest.raises(RuntimeError, match=r"requires no gradient.*detach\(\)"):
        frozen[0] = w.sum()


REFUSED = {
    "a gradient into integers": (
        lambda w: tg.zeros(3, dtype=tg.int64).__setitem__(0, w[0]),
        TypeError,
        "lose the gradient.*detach",
    ),
    "an index twice": (
        lambda w: tg.zeros(3).__setitem__([0, 0], w[:2]),
        IndexError,
        r"twice.*at\[index\]\.add",
    ),
    "an expanded tensor": (
        lambda w: tg.zeros(1).expand(3).add_(1),
        RuntimeError,
        r"expanded.*clone\(\)",
    ),
    "a larger result": (
        lambda w: tg.zeros(3).add_(tg.zeros(2, 3)),
        ValueError,
        r"\(2, 3\).*x = x \+ y",
    ),
    "a value that does not fit": (
        lambda w: tg.zeros(2).__setitem__(0, tg.ones(3)),
        ValueError,
        r"\(3,\) does not fit \(\)",
    ),
    "a list of tensors": (lambda w: tg.zeros(2).copy_([w[0], w[1]]), TypeError, r"tg\.stack"),
    "an index outside": (lambda w: tg.zeros(2).__setitem__(2, 1.0), IndexError, "out of bounds"),
    "detach_ of a leaf": (lambda w: w.detach_(), RuntimeError, "requires_grad_"),
    "scatter_ below 0": (lambda w: tg.zeros(2).scatter_(0, [-1], 1.0), IndexError, "scatter"),
    "scatter_ of too little": (
        lambda w: tg.zeros(3).scatter_(0, [0, 1], tg.ones(1)),
        ValueError,
        "cover",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_written_says_why_and_what_to_do(name):
    write, kind, words = REFUSED[name]
    with pytest.raises(kind, match=words):
        write(tg.ones(3, requires_grad=True))


def test_a_refused_write_changes_nothing():
    w = tg.ones(2, requires_grad=True)
    x = w * 1.0
    row = x[:1]
    for write in (
        lambda: x.__setitem__([0, 0], w),
        lambda: x.copy_(tg.ones(3)),
        lambda: row.add_(tg.ones(2)),
    ):
        with pytest.raises((IndexError, ValueError)):
            write()
    assert x.tolist() == [1, 1]
    (x.sum() + row.sum()).backward()
    assert w.grad.tolist() == [2, 1]


# ---- writes where steps are traced ---------------------------------------------------------------


class InPlace(nn.Module):
    """A cell that writes in place, in one of several ways; ``plain`` says the same without."""

    def __init__(self, how, plain):
        super().__init__()
        self.how, self.plain = how, plain
        self.W = nn.Linear(6, 3)

    def initial_state(self, batch):
        return tg.zeros(batch, 3)

    def forward(self, x, h):
        z = self.W(tg.cat([x, h], -1))
        h = (CELLS[self.how][self.plain])(z, h)
        return h, h


def _cell_iadd(z, h):
    z += h
    z *= 0.5
    return z.tanh()


def _cell_setitem(z, h):
    z = z * 1.0
    z[:, 0] = h[:, 1]
    return z.tanh()


def _cell_view(z, h):
    z[:, 1:].mul_(2.0)
    return (z + h).tanh()


def _cell_new(z, h):
    out = tg.zeros(*z.shape, dtype=z.dtype)
    out[:, :2] = z[:, :2].tanh()
    out[:, 2] = h[:, 0]
    return out


def _cell_alias(z, h):
    g = z
    z += 1.0
    return (g * h).tanh() + z


CELLS = {
    "+=": (_cell_iadd, lambda z, h: ((z + h) * 0.5).tanh()),
    "assignment": (_cell_setitem, lambda z, h: tg.cat([h[:, 1:2], z[:, 1:]], -1).tanh()),
    "through a view": (
        _cell_view,
        lambda z, h: (tg.cat([z[:, :1], z[:, 1:] * 2.0], -1) + h).tanh(),
    ),
    "into zeros": (_cell_new, lambda z, h: tg.cat([z[:, :2].tanh(), h[:, :1]], -1)),
    "under two names": (_cell_alias, lambda z, h: ((z + 1.0) * h).tanh() + (z + 1.0)),
}


@pytest.mark.parametrize("backend", ["numba", "numpy"])
@pytest.mark.parametrize("how", CELLS)
def test_cells_that_write_in_place(how, backend, monkeypatch):
    if backend == "numba":
        pytest.importorskip("numba", reason="numba is not installed (extra fast)")
    monkeypatch.setenv("TINYGRAD_RNN_BACKEND", backend)
    found = []
    for plain in (0, 1):
        tg.manual_seed(0)
        cell = InPlace(how, plain)
        layer = nn.Recurrent(cell).double()
        x = tg.randn(5, 2, 3, dtype=tg.float64).requires_grad_()
        for _ in range(3):  # the first call traces, later ones follow
            x.grad = cell.W.weight.grad = None
            y, h = layer(x)
            (y.square().sum() + h.sum()).backward()
            found.append([a.numpy() for a in (y.detach(), h.detach(), x.grad, cell.W.weight.grad)])
    for run in found[1:]:
        for a, b in zip(found[0], run, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)


def test_a_checkpointed_function_may_write_what_it_made():
    def f(x):
        y = x * 2.0
        y[0] = y[1] * y[2]
        y += x
        return y.tanh()

    a = tg.tensor([0.1, 0.2, 0.3], requires_grad=True)
    b = tg.tensor([0.1, 0.2, 0.3], requires_grad=True)
    f(a).sum().backward()
    tg.checkpoint(f, b).sum().backward()
    np.testing.assert_array_equal(a.grad.numpy(), b.grad.numpy())


class Writing(nn.Module):
    def __init__(self, write):
        super().__init__()
        self.head, self.write = nn.Linear(3, 3), write

    def forward(self, x):
        h = self.head(x)
        y = h.tanh()
        self.write(h)
        return h * y


@pytest.mark.parametrize("way", ["iadd", "relu_", "setitem", "through a view"])
def test_an_export_refuses_what_writes_in_place(way, tmp_path):
    """The trace names values by their tensors: one that got another value would be taken for the first."""
    pytest.importorskip("onnx", reason="onnx and onnxruntime are not installed (extra onnx)")
    from tinygrad_rnn.interop.onnx_graph import ExportError

    write = {
        "iadd": lambda h: h.__iadd__(1.0),
        "relu_": lambda h: h.relu_(),
        "setitem": lambda h: h.__setitem__((slice(None), 0), 0.0),
        "through a view": lambda h: h.T[0].zero_(),
    }[way]
    with pytest.raises(ExportError, match="writes in place"):
        tg.interop.to_onnx(Writing(write), str(tmp_path / "m.onnx"), tg.ones(2, 3))


# ---- memory --------------------------------------------------------------------------------------


def test_elements_are_written_where_they_lie():
    """A write to what nobody else holds copies nothing: rows of a large tensor are filled one by one."""
    x = tg.zeros(1000, 1000)
    v = tg.ones(1000)

    def fill(i):
        x[i] = v
        x[i][3] = 2.0
        x[i, 5] += 1.0
        x.T[4, i] = 0.0

    fill(0)  # what a first call imports and compiles is not what a write copies
    gc.collect()
    tracemalloc.start()
    for i in range(1000):
        fill(i)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1e6
    assert x.sum().item() == 1000 * (998 + 2 + 2 - 1)


def test_who_holds_the_memory_is_noticed():
    """Nodes, arrays handed out, clones: each of them keeps the old values."""
    w = tg.ones(3, requires_grad=True)
    for hold in (
        lambda x: (x * w).sum(),
        lambda x: (x[1:] * w[1:]).sum(),
        lambda x: x.numpy(),
        lambda x: x[1:].numpy(),
        lambda x: memoryview(x.numpy()),
        lambda x: x.clone(),
        lambda x: x.T.clone(),
        lambda x: np.asarray(x)[1:],
    ):
        x = tg.zeros(3)
        kept = hold(x)
        x[1] = 5.0
        x[1:].add_(1.0)
        assert x.tolist() == [0, 6, 1]
        if isinstance(kept, tg.Tensor) and kept.requires_grad:
            w.grad = None
            kept.backward()
            assert not w.grad.numpy().any()
        else:
            assert not np.asarray(kept).any()


def test_views_keep_nothing_alive_and_are_forgotten():
    gc.collect()
    gc.disable()
    try:
        x = tg.ones(10, requires_grad=True)
        y = x * 2
        seen, cut = weakref.ref(y), y.detach()
        node = weakref.ref(y._data)
        view = y[0]
        del y, view
        assert seen() is None  # a view held it, and is gone; what was cut never did
        assert cut.tolist() == [2.0] * 10
        del cut
        assert node() is None
        big = tg.ones(100)
        for take in (
            lambda: big[3],
            lambda: big.chunk(4),
            lambda: big.T,
            lambda: big[1:][1:],
            big.detach,
        ):
            for _ in range(3_000):
                take()
            assert len(big._alias) < 140
        kept = [big[i : i + 1] for i in range(100)]
        big.fill_(3.0)
        assert all(v.item() == 3.0 for v in kept)
    finally:
        gc.enable()


# ---- random programs -----------------------------------------------------------------------------


def outcome(seed, torch=None):
    """Run one program here and in plain numpy (and PyTorch), compare all values after every line and the
    gradients at the end; say how it went."""
    length = 8 + seed % 20
    lines = Author(seed).program(length)
    right, ours, theirs = Duals(seed), Library(tg, seed), Library(torch, seed) if torch else None
    for line in lines:
        right.line(*line)
        try:
            ours.line(*line)
        except (RuntimeError, ValueError, IndexError, TypeError) as error:
            words = [w for w in ("clone()", "no_grad()", "detach()") if w in str(error)]
            return "refused" if words else str(error)
        for k, (a, b) in enumerate(zip(ours.values(), right.vars, strict=True)):
            np.testing.assert_allclose(
                a, b.real, rtol=1e-12, atol=1e-12, err_msg=f"{seed} {line} {k}"
            )
        if theirs:
            try:
                theirs.line(*line)
            except RuntimeError:
                theirs = None  # it refuses what has a meaning here: numpy's
                continue
            for k, (a, b) in enumerate(zip(ours.values(), theirs.values(), strict=True)):
                np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9, err_msg=f"{seed} {line} {k}")
    weights = weights_for(seed, [v.real for v in right.vars])
    try:
        gradients = ours.gradients(weights)
    except tg.StaleGraphError:
        return "stale"
    _, along = leaf_values(seed)
    found = sum((g * d).sum() for g, d in zip(gradients, along, strict=True))
    np.testing.assert_allclose(
        found, right.derivative(weights), rtol=1e-8, atol=1e-8, err_msg=str(seed)
    )
    return _against_torch(seed, lines, weights, gradients, torch) if theirs else "agrees"


def _against_torch(seed, lines, weights, gradients, torch):
    """PyTorch's gradients: the same, or refused, or wrong for a write by ``data`` that it does not see."""
    for hidden in (False, True):
        theirs = Library(torch, seed)
        try:
            for kind, args, recorded in lines:
                seen = ("detach", *args[1:]) if hidden and args[0] == "data" else args
                theirs.line(kind, seen, recorded)
            expected = theirs.gradients(weights)
        except RuntimeError as error:
            return "PyTorch refuses" if "inplace" in str(error) else str(error)
        if all(
            np.allclose(a, b, rtol=1e-8, atol=1e-8)
            for a, b in zip(gradients, expected, strict=True)
        ):
            return "agrees"
    raise AssertionError(f"program {seed}: {gradients} and in PyTorch {expected}")


def _run(seeds, torch=None):
    outcomes = [outcome(seed, torch) for seed in seeds]
    return {kind: outcomes.count(kind) for kind in dict.fromkeys(outcomes)}


def test_random_programs():
    """Values after every line and derivatives at the end are those of plain numpy; few are refused."""
    counts = _run(range(250))
    assert counts.get("agrees", 0) >= 245, counts


@pytest.mark.slow
def test_many_random_programs():
    counts = _run(range(1000, 4000))
    assert counts.get("agrees", 0) >= 2950, counts


@pytest.mark.peers
def test_random_programs_in_pytorch():
    torch = pytest.importorskip("torch")
    counts = _run(range(10_000, 11_000), torch)
    assert counts["agrees"] + counts["PyTorch refuses"] >= 985, counts
