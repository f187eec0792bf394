"""Tensors with no elements, as a last batch or a filter leaves them, are tensors like any other."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn

SHAPES = [(0, 4), (4, 0), (2, 0, 3), (0, 0, 2)]
# what keeps an axis of length n: None where the axis goes, or stays with n elements
ALONG = {
    "sum": 0,
    "mean": 0,
    "prod": 0,
    "max": 0,
    "min": 0,
    "amax": 0,
    "amin": 0,
    "median": 0,
    "logsumexp": 0,
    "var": 0,
    "norm": 0,
    "softmax": 1,
    "log_softmax": 1,
    "cumsum": 1,
    "cumprod": 1,
    "cummax": 1,
    "sort": 1,
}
CASES = [(n, s, k) for n in ALONG for s in SHAPES for k in range(len(s)) if s[k]]


@pytest.mark.parametrize(("name", "shape", "axis"), CASES)
def test_along_an_axis_that_has_elements_the_others_may_have_none(name, shape, axis):
    x = tg.tensor(np.zeros(shape), requires_grad=True)
    for keep in (False, True) if not ALONG[name] else (None,):
        found = getattr(x, name)(dim=axis, **({} if keep is None else {"keepdim": keep}))
        parts = [found] if isinstance(found, tg.Tensor) else list(found)
        expected = np.zeros(shape)
        if keep is not None:
            expected = expected.sum(axis=axis, keepdims=keep)
        assert {p.shape for p in parts} == {expected.shape}
        x.grad = None
        parts[0].sum().backward()
        assert x.grad.shape == shape


@pytest.mark.parametrize("name", ["max", "min", "median", "amax", "argmax"])
@pytest.mark.parametrize("dim", [None, 0])
def test_along_an_axis_without_elements_there_is_no_extreme(name, dim):
    with pytest.raises(ValueError, match=r"\(0, 4\)"):
        getattr(tg.zeros(0, 4), name)(*([] if dim is None else [dim]))


WRITES = {
    "all": lambda y: y.__setitem__(slice(None), 1.0),
    "a range": lambda y: y.__setitem__(slice(0, 0), 1.0),
    "a mask": lambda y: y.__setitem__(y > 0, 1.0),
    "what a mask picks": lambda y: y.__setitem__(y < 0, y[y < 0] * 0.1),
    "fill_": lambda y: y.fill_(2.0),
    "add_": lambda y: y.add_(2.0),
    "a transposed view": lambda y: y.mT.fill_(2.0),
    "copy_": lambda y: y.copy_(tg.zeros(*y.shape)),
    "an index": lambda y: y.index_fill_(0, tg.zeros(0, dtype=tg.int64), 1.0),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("how", WRITES)
def test_a_write_to_no_elements_changes_nothing(how, shape):
    for start in (tg.zeros(*shape), tg.tensor(np.zeros(shape), requires_grad=True) * 1):
        WRITES[how](start)
        assert start.shape == shape


def test_a_write_to_no_elements_of_some_leaves_the_rest():
    y = tg.ones(2, 3)
    y[:0] = 5.0
    y[y > 2] = 5.0
    y[1:1, 1].fill_(5.0)
    assert y.tolist() == [[1.0] * 3] * 2


def test_elements_put_nowhere_get_a_gradient_of_nothing():
    src = tg.zeros(0, 2, requires_grad=True)
    out = tg.zeros(0, 4).scatter(1, tg.zeros(0, 2, dtype=tg.int64), src)
    out.sum().backward()
    assert out.shape == (0, 4)
    assert src.grad.shape == (0, 2)


class Busy(nn.Module):
    """A cell that writes, searches and scatters: all that a batch of nothing may trip over."""

    def __init__(self):
        super().__init__()
        self.W = nn.Parameter(tg.ones(3, 4) * 0.5)

    def initial_state(self, batch):
        return tg.zeros(batch, 4)

    def forward(self, x, h):
        z = (x @ self.W + h).tanh()
        z[z < 0] *= 0.1
        top, at = z.topk(2, dim=1)
        z = z - z.max(dim=-1, keepdim=True).values + z.median(1, keepdim=True).values
        return tg.zeros_like(z).scatter(1, at, top), z


@pytest.mark.parametrize("compiled", [False, True])
def test_a_cell_runs_over_a_batch_of_nothing(compiled):
    layer = nn.Recurrent(Busy())
    layer.compiled = compiled
    x = tg.zeros(5, 0, 3, requires_grad=True)
    y, h = layer(x)
    (y.sum() + h.sum()).backward()
    assert (y.shape, h.shape, x.grad.shape) == ((5, 0, 4), (0, 4), (5, 0, 3))
    assert layer.cell.W.grad.tolist() == [[0.0] * 4] * 3


def test_attention_over_a_batch_of_nothing():
    x = tg.zeros(5, 0, 4, requires_grad=True)
    y, looks = nn.MultiheadAttention(4, 2)(x, x, x)
    y.sum().backward()
    assert (y.shape, looks.shape, x.grad.shape) == ((5, 0, 4), (0, 5, 5), (5, 0, 4))


INTO = {
    "an item": lambda h, z: h.__setitem__((slice(None), 0), z[:, 0]),
    "a range": lambda h, z: h.__setitem__((slice(None), slice(1, None)), z[:, 1:]),
    "a mask": lambda h, z: h.__setitem__(h >= 0, z[h >= 0]),
    "indices": lambda h, z: h.__setitem__((slice(None), [1, 2]), z[:, [1, 2]]),
    "copy_": lambda h, z: h.copy_(z),
}


@pytest.mark.parametrize("how", INTO)
def test_nothing_that_is_written_has_a_gradient_of_nothing(how):
    z = tg.zeros(0, 4, requires_grad=True)
    h = tg.zeros(0, 4).clone()
    INTO[how](h, z * 1)
    h.sum().backward()
    assert z.grad.shape == (0, 4)
