"""Every way to change an array between forward and backward: the right gradient, or a clear error
before any gradient is written. The ways that a leaf is written by its owner (optimizers, init,
``load_state_dict``) are also in test_autograd.py, for recurrent layers and carried states."""

import copy
import pickle

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn

VALUES = np.array([[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]])


class Setting:
    """``loss = sum(w**3 * x)`` with all that a user may hold: what went in and what came out."""

    def __init__(self):
        self.passed = VALUES.copy()
        self.inputs = VALUES.copy() + 1
        self.w = tg.tensor(self.passed, requires_grad=True)
        self.x = tg.tensor(self.inputs)
        self.before = self.w.numpy()  # a view that was taken before the graph
        self.middle = self.w * self.w
        self.product = self.middle * self.w
        self.loss = (self.product * self.x).sum()
        self.right = 3 * VALUES**2 * (VALUES + 1)

    def check(self):
        """The gradient is that of the values at forward time."""
        self.loss.backward()
        np.testing.assert_allclose(self.w.grad.numpy(), self.right, rtol=1e-14)


# ---- arrays that the user holds -------------------------------------------------------------------

# way: the array that is written; None where there is nothing that could be
ARRAYS = {
    "the array that was passed in": lambda s: s.passed,
    "a slice of the array passed in": lambda s: s.passed[:1],
    "the constant that was passed in": lambda s: s.inputs,
    "a leaf, numpy()": lambda s: s.w.numpy(),
    "a leaf, numpy() before": lambda s: s.before,
    "a slice of a view before": lambda s: s.before[0],
    "a transposed view before": lambda s: s.before.T,
    "a leaf, np.asarray": lambda s: np.asarray(s.w.detach()),
    "a leaf, np.array without a copy": lambda s: np.array(s.w.detach(), copy=None),
    "a leaf, np.array": lambda s: np.array(s.w.detach()),
    "a leaf, np.ascontiguousarray": lambda s: np.ascontiguousarray(s.w.numpy()),
    "a leaf, astype": lambda s: s.w.numpy().astype(np.float64, copy=False),
    "a leaf, memoryview": lambda s: memoryview(s.w.numpy()),
    "a leaf, np.frombuffer": lambda s: np.frombuffer(s.w.numpy()),
    "a leaf, dlpack": lambda s: np.from_dlpack(s.w.numpy()),
    "a leaf, detach().numpy()": lambda s: s.w.detach().numpy(),
    "a leaf, a row of iteration": lambda s: next(iter(s.w)).numpy(),
    "a leaf, an item": lambda s: s.w[0].numpy(),
    "a leaf, a slice": lambda s: s.w[:, 1:].numpy(),
    "a leaf, reshape": lambda s: s.w.reshape(-1).numpy(),
    "a leaf, T": lambda s: s.w.T.numpy(),
    "a leaf, expand": lambda s: s.w.expand(4, 2, 3).numpy(),
    "a leaf, chunk": lambda s: s.w.chunk(3, 1)[1].numpy(),
    "a leaf, tolist": lambda s: s.w.tolist()[0],
    "a constant, numpy()": lambda s: s.x.numpy(),
    "an operand, numpy()": lambda s: s.middle.numpy(),
    "an operand, reshape": lambda s: s.middle.reshape(6).numpy(),
    "an operand, detach": lambda s: s.middle.detach().numpy(),
    "an output, numpy()": lambda s: s.product.numpy(),
    "the loss, numpy()": lambda s: s.loss.numpy(),
    "a state dict": lambda s: s.w.detach().numpy(),
    "a clone": lambda s: s.w.clone().numpy(),
    "a shallow copy": lambda s: copy.copy(s.w).numpy(),
    "a deep copy": lambda s: copy.deepcopy(s.w).numpy(),
    "a pickled copy": lambda s: pickle.loads(pickle.dumps(s.w)).numpy(),
}


@pytest.mark.parametrize("way", ARRAYS)
def test_writing_an_array_changes_no_gradient(way):
    s = Setting()
    array = ARRAYS[way](s)
    try:
        array[...] = 7.0
    except (ValueError, TypeError) as error:
        words = str(error)
        assert "read-only" in words or isinstance(array, (list, memoryview)), words
    s.check()


OUTS = {
    "np.add": lambda s, out: np.add(VALUES, 1.0, out=out),
    "np.multiply of tensors": lambda s, out: np.multiply(s.w, s.x, out=out),
    "np.exp": lambda s, out: np.exp(VALUES, out=out),
    "np.matmul": lambda s, out: np.matmul(np.eye(2), VALUES, out=out),
    "np.cumsum": lambda s, out: np.cumsum(VALUES, 0, out=out),
    "np.clip": lambda s, out: np.clip(VALUES, 0, 1, out=out),
    "np.copyto": lambda s, out: np.copyto(out, 1.0),
    "np.add.at": lambda s, out: np.add.at(out, 0, 1.0),
    "np.put": lambda s, out: np.put(out, [0], 1.0),
    "np.place": lambda s, out: np.place(out, VALUES > 0, [1.0]),
    "np.putmask": lambda s, out: np.putmask(out, VALUES > 0, 1.0),
    "np.fill_diagonal": lambda s, out: np.fill_diagonal(out, 1.0),
    "shuffle": lambda s, out: np.random.default_rng(0).shuffle(np.asarray(out)),
    "in-place sort": lambda s, out: out.sort(),
    "in-place add": lambda s, out: out.__iadd__(1.0),
    "fill": lambda s, out: out.fill(1.0),
}


@pytest.mark.parametrize("target", ["leaf", "leaf's view", "operand's view", "output"])
@pytest.mark.parametrize("way", OUTS)
def test_numpy_functions_that_write_cannot_write_here(way, target):
    s = Setting()
    out = {
        "leaf": s.w,
        "leaf's view": s.w.numpy(),
        "operand's view": s.middle.numpy(),
        "output": s.product,
    }[target]
    try:
        OUTS[way](s, out)
    except (TypeError, ValueError, AttributeError, RuntimeError):
        pass
    else:  # only where Python bound another value to a name of its own, or numpy's word is PyTorch's
        assert way in ("in-place add", "in-place sort"), f"{way} on {target} was let through"
    np.testing.assert_array_equal(s.w.numpy(), VALUES)
    s.check()


# ---- writes through tensors -------------------------------------------------------------------------


def _adam(w):
    w.grad = tg.ones(2, 3, dtype=w.dtype)
    optimizer = tg.optim.Adam([w], lr=0.1)
    optimizer.step()
    w.grad = None


def _lbfgs(w):
    optimizer = tg.optim.LBFGS([w], lr=0.1)

    def closure():
        optimizer.zero_grad()
        loss = (w * w).sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    w.grad = None


def _under_no_grad(change):
    def write(w):
        with tg.no_grad():
            change(w)

    return write


def _iadd(w):
    w += 1.0


def _isub(w):
    w -= 0.1


def _data_isub(w):
    w.data -= 0.1


def _imul(w):
    w *= 2.0


def _idiv(w):
    w /= 2.0


WRITES = {
    "copy_": (_under_no_grad(lambda w: w.copy_(VALUES * 2)), "copy_"),
    "copy_ of the same values": (_under_no_grad(lambda w: w.copy_(VALUES)), "copy_"),
    "zero_": (_under_no_grad(lambda w: w.zero_()), "zero_"),
    "fill_": (_under_no_grad(lambda w: w.fill_(3.0)), "fill_"),
    "+=": (_under_no_grad(_iadd), r"\+="),
    "-=": (_under_no_grad(_isub), "-="),
    "*=": (_under_no_grad(_imul), r"\*="),
    "/=": (_under_no_grad(_idiv), "/="),
    "Adam": (_adam, r"Adam.step\(\)"),
    "LBFGS": (_lbfgs, "LBFGS"),
    "init.constant_": (lambda w: nn.init.constant_(w, 1.0), "constant_"),
    "init.uniform_": (lambda w: nn.init.uniform_(w), "uniform_"),
    "init.orthogonal_": (lambda w: nn.init.orthogonal_(w), "orthogonal_"),
    "init.eye_": (lambda w: nn.init.eye_(w), "eye_"),
    "requires_grad_(False)": (lambda w: w.requires_grad_(False), "requires_grad = False"),
    # .data is PyTorch's word for a write that is not recorded: no leave is asked, and it is found out
    "a new data": (lambda w: setattr(w, "data", VALUES), "data ="),
    "data.mul_": (lambda w: w.data.mul_(2.0), "data.mul_"),
    "data -=": (_data_isub, "data -="),
    "a view of data": (lambda w: w.data[0].zero_(), "data.zero_"),
    "a view under no_grad": (_under_no_grad(lambda w: w.t()[0].fill_(1.0)), "fill_"),
    "an item": (_under_no_grad(lambda w: w.__setitem__(0, 1.0)), r"x\[...\] = v"),
    "detach": (lambda w: w.detach().zero_(), "zero_"),
    "add_": (_under_no_grad(lambda w: w.add_(1.0)), "add_"),
    "uniform_": (_under_no_grad(lambda w: w.uniform_()), "uniform_"),
}


@pytest.mark.parametrize("through", ["backward", "grad", "create_graph", "ledger"])
@pytest.mark.parametrize("way", WRITES)
def test_a_write_between_is_refused_and_nothing_is_written(way, through):
    s = Setting()
    other = tg.tensor(2.0, requires_grad=True)
    loss = s.loss * other
    change, words = WRITES[way]
    change(s.w)
    call = {
        "backward": loss.backward,
        "grad": lambda: tg.grad(loss, [s.w, other]),
        "create_graph": lambda: loss.backward(create_graph=True),
        "ledger": lambda: loss.backward(ledger=True),
    }[through]
    # tg.grad by a leaf that no longer asks for a gradient says just that
    if through == "grad" and way.startswith("requires_grad"):
        words = "requires a gradient"
    with pytest.raises(RuntimeError, match=words):
        call()
    assert s.w.grad is None
    assert other.grad is None


WITHOUT_LEAVE = {
    "copy_": lambda w: w.copy_(1.0),
    "zero_": lambda w: w.zero_(),
    "fill_": lambda w: w.fill_(1.0),
    "+=": _iadd,
    "*=": _imul,
    "setitem": lambda w: w.__setitem__(0, 1.0),
    "setitem of all": lambda w: w.__setitem__(..., 1.0),
    "a view": lambda w: w[0].zero_(),
    "a view of a view": lambda w: w.T[0].add_(1.0),
    "a part": lambda w: w.chunk(2)[0].mul_(2.0),
}


@pytest.mark.parametrize("way", WITHOUT_LEAVE)
def test_writes_without_leave_are_refused_at_once(way):
    s = Setting()
    with pytest.raises((RuntimeError, TypeError, AttributeError)):
        WITHOUT_LEAVE[way](s.w)
    s.check()


COMPUTED = {
    "requires_grad_(False)": lambda t: t.requires_grad_(False),
    "an optimizer": lambda t: tg.optim.SGD([t], lr=0.1),
    "deepcopy": copy.deepcopy,
    "pickle": pickle.dumps,
}


@pytest.mark.parametrize("way", COMPUTED)
def test_what_was_computed_cannot_be_a_leaf_or_copied_with_its_past(way):
    s = Setting()
    with tg.no_grad(), pytest.raises((RuntimeError, TypeError)):
        COMPUTED[way](s.middle)
    s.check()


OUTSIDE = {  # writes to what was computed that no graph is told of
    "copy_": _under_no_grad(lambda t: t.copy_(1.0)),
    "zero_": _under_no_grad(lambda t: t.zero_()),
    "setitem": _under_no_grad(lambda t: t.__setitem__(0, 1.0)),
    "init": lambda t: nn.init.zeros_(t),
    "a new data": lambda t: setattr(t, "data", VALUES),
    "data.mul_": lambda t: t.data.mul_(2.0),
    "detach": lambda t: t.detach().zero_(),
    "a view of detach": lambda t: t.detach().T[0].zero_(),
}


@pytest.mark.parametrize("way", OUTSIDE)
def test_a_write_outside_the_graph_leaves_it_as_it_was(way):
    """What was recorded has the old values; what is recorded afterwards has the new ones."""
    s = Setting()
    OUTSIDE[way](s.middle)
    new = s.middle.numpy()
    assert not np.array_equal(new, VALUES**2)
    s.check()
    s.w.grad = None
    (s.middle * s.middle).sum().backward()  # the derivative of the value as it was computed
    np.testing.assert_allclose(s.w.grad.numpy(), 2 * new * 2 * VALUES, rtol=1e-14)


def test_writing_constants_leaves_the_graph_as_it_was():
    s = Setting()
    s.x.fill_(9.0)
    x = s.x
    x += 1.0
    assert s.x.numpy().max() == 10.0
    s.check()


# ---- copies, toggles, gradients ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "make", [copy.copy, copy.deepcopy, lambda w: pickle.loads(pickle.dumps(w))]
)
def test_what_is_done_to_a_copy_leaves_the_graph_alone(make):
    s = Setting()
    twin = make(s.w)
    with tg.no_grad():
        if twin.is_leaf:
            twin.zero_()
    twin.requires_grad or twin.requires_grad_()
    (twin * 5).sum().backward()
    if make is copy.copy:  # a clone is part of the graph: its gradient goes to the leaf, rightly
        np.testing.assert_array_equal(s.w.grad.numpy(), np.full((2, 3), 5.0))
        s.w.grad = None
    else:
        assert s.w.grad is None
        np.testing.assert_array_equal(twin.grad.numpy(), np.full((2, 3), 5.0))
    s.check()


def test_load_state_dict_of_a_module_is_refused_and_a_failed_one_is_not():
    layer = nn.Linear(3, 2)
    loss = layer(tg.tensor(VALUES)).sum()
    snapshot = layer.state_dict()
    with pytest.raises(RuntimeError, match="missing"):
        layer.load_state_dict({"weight": snapshot["weight"]})
    loss.backward()  # nothing was loaded, so nothing is stale
    assert layer.weight.grad is not None
    layer.zero_grad()
    layer.load_state_dict(snapshot)
    with pytest.raises(tg.StaleGraphError, match="load_state_dict"):
        loss.backward()
    assert layer.weight.grad is None
    assert layer.bias.grad is None


def test_another_dtype_is_a_write():
    layer = nn.Linear(3, 2)
    loss = layer(tg.tensor(VALUES)).sum()
    layer.double()
    with pytest.raises(tg.StaleGraphError, match=r"to\(float64\)"):
        loss.backward()
    assert layer.weight.grad is None


def test_freezing_and_freeing_again_is_no_way_around():
    s = Setting()
    s.w.requires_grad_(False)
    s.w.requires_grad_(True)
    with pytest.raises(tg.StaleGraphError):
        s.loss.backward()
    assert s.w.grad is None


def test_asking_again_for_what_is_so_already_changes_nothing():
    s = Setting()
    s.w.requires_grad_(True)
    s.x.requires_grad_(False)
    s.check()


def test_a_constant_that_becomes_a_leaf_later_gets_nothing_from_older_graphs():
    s = Setting()
    s.x.requires_grad_(True)
    s.check()
    assert s.x.grad is None


def test_gradients_are_edited_without_touching_the_graph_or_each_other():
    s = Setting()
    s.loss.backward()
    first = s.w.grad
    with pytest.raises(ValueError, match="read-only"):
        first.numpy()[...] = 0.0
    s.w.grad = first * 2
    s.w.grad *= 2.0
    np.testing.assert_allclose(first.numpy(), s.right, rtol=1e-14)
    np.testing.assert_allclose(s.w.grad.numpy(), 4 * s.right, rtol=1e-14)
    s.loss.backward()
    np.testing.assert_allclose(s.w.grad.numpy(), 5 * s.right, rtol=1e-14)
    with pytest.raises(ValueError, match=r"grad has shape \(3,\), expected \(2, 3\)"):
        s.w.grad = tg.ones(3)
    s.w.grad = None
    s.check()


def test_a_gradient_shared_by_two_leaves_is_written_for_one():
    a, b = tg.ones(2, requires_grad=True), tg.ones(2, requires_grad=True)
    (a * 3).sum().backward()
    b.grad = a.grad
    (b * 5).sum().backward()
    assert a.grad.tolist() == [3.0, 3.0]
    assert b.grad.tolist() == [8.0, 8.0]
    a.grad.zero_()
    b.grad.copy_(1.0)
    assert a.grad.tolist() == [0.0, 0.0]
    assert b.grad.tolist() == [1.0, 1.0]


def test_the_gradient_argument_is_taken_as_it_was():
    s = Setting()
    seed = np.ones((2, 3))
    s.product.backward(seed)
    seed[...] = 0.0
    np.testing.assert_allclose(s.w.grad.numpy(), 3 * VALUES**2, rtol=1e-14)


def test_indices_masks_and_targets_are_taken_as_they_were():
    """What an op keeps beside its operands is copied as well."""
    w = tg.tensor(VALUES, requires_grad=True)
    index, mask = np.array([1, 0, 1]), VALUES > 0
    lengths = np.array([2, 1])
    taken, picked = w[index], w[mask]
    chosen = tg.where(mask, w, 0.0)
    rnn = nn.RNN(3, 3)
    y, _ = rnn(tg.tensor(VALUES).reshape(2, 1, 3).expand(2, 2, 3), lengths=lengths)
    classes = np.array([0, 2])
    loss = nn.functional.cross_entropy(w, classes)
    right = [tg.grad(t.sum(), w)[0].numpy() for t in (taken, picked, chosen, loss)]
    of_the_layer = tg.grad(y.sum(), rnn.weight_hh_l0)[0].numpy()
    index[:], mask[:], lengths[:], classes[:] = 0, False, 0, 1
    for before, t in zip(right, (taken, picked, chosen, loss), strict=True):
        np.testing.assert_array_equal(tg.grad(t.sum(), w)[0].numpy(), before)
    np.testing.assert_array_equal(tg.grad(y.sum(), rnn.weight_hh_l0)[0].numpy(), of_the_layer)


LISTS = {
    "tensor": lambda w: tg.tensor([w[0], w[1]]),
    "as_tensor of nested lists": lambda w: tg.as_tensor([[w[0]], [w[1]]]),
    "an operand": lambda w: w * [w[0], w[1]],
    "a function's argument": lambda w: tg.exp([w[0], w[1]]),
}


@pytest.mark.parametrize("name", LISTS)
def test_a_list_of_tensors_never_loses_its_gradient(name):
    w = tg.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(TypeError, match=r"tg\.stack"):
        LISTS[name](w)
    with tg.no_grad():
        LISTS[name](w)
    LISTS[name](w.detach())
