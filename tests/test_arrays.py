"""Every value is an array: numpy turns 0-d results into scalars, and no tensor, gradient or node has one.

A scalar among the values loses its past (an op takes it for a number), so that second derivatives are
wrong without a word; it cannot be locked, so that ``numpy()`` raises.
"""

import inspect
import warnings

import numpy as np
import pytest
from test_ops import SAMPLES, outputs_of, total

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.engine import autograd, gradients
from tinygrad_rnn.engine.values import reachable
from tinygrad_rnn.tensors import Tensor, functions, making, several


def tensors_in(value):
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from tensors_in(part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from tensors_in(part)


def scalars_of_numpy(value):
    """What is a numpy scalar in a nest of values that nodes keep."""
    if isinstance(value, (list, tuple)):
        return [s for part in value for s in scalars_of_numpy(part)]
    return [value] if isinstance(value, np.generic) else []


def check(value, what):
    """Every tensor in a nest, and all that its graph keeps, holds arrays."""
    found = list(tensors_in(value))
    for t in found:
        assert type(t._data) is np.ndarray, f"{what}: {type(t._data).__name__}"
        assert t.detach().numpy().shape == t.shape
    for node in reachable([t._node for t in found if t._node is not None]):
        operands = (getattr(node, "saved", None) or ())[: len(node.parents)]
        for kept in (getattr(node, "out", None), *operands):
            assert not scalars_of_numpy(kept), f"{what}: {node.op} keeps a numpy scalar"


def run(function, arrays, dtype, what):
    leaves = [tg.tensor(a, dtype=dtype, requires_grad=True) for a in arrays]
    operands = [t * 1 for t in leaves]
    for t in operands:
        t.retain_grad()
    outputs = outputs_of(function(*operands))
    check(outputs, what)
    loss = total(outputs, lambda w: tg.tensor(w, dtype=dtype))
    for _ in range(3):
        loss.backward()
        check([t.grad for t in (*leaves, *operands)], f"{what}: grad")
    check(tg.grad(loss, leaves), f"{what}: tg.grad")
    first = tg.grad(loss, leaves, create_graph=True)
    check(first, f"{what}: create_graph")
    loss.backward(create_graph=True)
    check([t.grad for t in (*leaves, *operands)], f"{what}: grad with a graph")
    again = [g for g in first if g.requires_grad]
    if again:
        check(tg.grad(sum(g.sum() for g in again), leaves, allow_unused=True), f"{what}: second")
    for t in leaves:
        t.grad = None
    for turn in loss.backward_steps():
        sent = [d for _, d in turn.sent]
        assert not scalars_of_numpy([turn.gradient, *sent]), f"{what}: {turn.op} step by step"
    seen = []
    autograd.flow(
        [gradients.root_and_seed(loss)],
        observer=lambda node, i, g, d: seen.append((node.op, scalars_of_numpy([g, d]))),
    )
    assert not [op for op, odd in seen if odd], f"{what}: an observer is shown a scalar"


SIZES = [(), (1,), (1, 1)]


@pytest.mark.parametrize("dtype", [tg.float64, tg.float16], ids=str)
@pytest.mark.parametrize("name", SAMPLES)
def test_every_row_gives_arrays(name, dtype):
    """All samples as they are, and again with operands of one element in no, one and two axes."""
    ran = 0
    for k, sample in enumerate(SAMPLES[name]):
        with np.errstate(all="ignore"):
            run(sample.ours, sample.arrays, dtype, f"{name}-{k}")
        for shape in SIZES:
            small = [np.resize(a, shape) if a.size else np.ones(shape) for a in sample.arrays]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                # numpy 2.0 warns where later versions refuse: an element set to an array of one
                warnings.simplefilter("error", DeprecationWarning)
                try:
                    sample.ours(*map(tg.tensor, small))
                except (ValueError, IndexError, TypeError):  # not of this shape
                    continue
            with np.errstate(all="ignore"):
                run(sample.ours, small, dtype, f"{name}-{k} of {shape}")
            ran += 1
    assert ran or name in ("put", "place", "linear", "linear_without_bias", "tile")


def ways(t):
    yield from ((), (t,), (0,), (1,), (2,), (-1,), ((),), (0, 0), (0, t), (0, t.long() * 0), (t, t))
    yield from ((t, 1), (1, t), (None,), (1, 0), (t > 0, t), (t > 0, 1.0))


PUBLIC = [
    *(
        (f"tg.{name}", function)
        for module in (functions, making, several)
        for name, function in vars(module).items()
        if inspect.isfunction(function)
        and not name.startswith("_")
        and function.__module__ == module.__name__
    ),
    *(
        (f"Tensor.{name}", function)
        for name, function in inspect.getmembers(Tensor)
        if inspect.isfunction(function)
        and (not name.startswith("_") or name.endswith("__"))
        and name not in ("backward_steps", "__reduce__")
    ),
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "function"), PUBLIC, ids=[name for name, _ in PUBLIC])
def test_every_public_function_gives_arrays(name, function):
    """Whatever of the arguments that one might pass it takes."""
    for requires_grad in (False, True):
        for shape in SIZES:
            for first in (0.5, 2.0):
                t = tg.full(shape, first, dtype=tg.float64, requires_grad=requires_grad)
                for more in ways(t):
                    for arguments in ((t, *more), ([t, t], *more), more):
                        try:
                            result = function(*arguments)
                        except Exception:  # not of these arguments
                            continue
                        check(result, f"{name}{arguments}")
                        check(t, f"{name}{arguments}, its tensor")


@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop", "LBFGS"])
def test_parameters_stay_arrays_through_steps_clipping_and_files(name, shape, tmp_path):
    w = nn.Parameter(tg.full(shape, 0.5))
    optimizer = getattr(optim, name)([w], lr=0.1)

    def closure():
        optimizer.zero_grad()
        loss = ((w - 2) ** 4).sum()
        loss.backward()
        nn.utils.clip_grad_norm_([w], 1.0)
        nn.utils.clip_grad_value_([w], 0.5)
        check([w.grad, loss], "clipped")
        return loss

    for _ in range(2):
        check(optimizer.step(closure), "the loss")
        check([w, w.grad], "after a step")
    book = ((w * w).sum() + w.sum()).backward(ledger=True)
    assert type(book[w]) is np.ndarray
    check(w.grad, "after the ledger")
    tg.save({"w": w}, tmp_path / "w.safetensors")
    check(tg.load(tmp_path / "w.safetensors"), "loaded")


def test_unbind_of_a_vector_keeps_the_dtype_of_its_gradient():
    """The gradients of its items met the default dtype on their way: float32 digits in float64."""
    v = tg.tensor([0.1, 0.2, 0.3], dtype=tg.float64, requires_grad=True)
    a, b, c = v
    (a * 0.1 + b / 3 + c * c).backward()
    assert v.grad.tolist() == [0.1, 1 / 3, 0.6]
    for _ in range(2):
        v.grad = None
        (a * 0.1 + b / 3 + c * c).backward(create_graph=True)
        assert v.grad.tolist() == [0.1, 1 / 3, 0.6]
