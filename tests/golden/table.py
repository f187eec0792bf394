"""What the golden cases compute, written once for two libraries: ``lib`` is torch or tinygrad_rnn.

``run(lib, name)`` returns every value and every gradient of a case as numpy arrays. Inputs are made
of exact numbers (``support.numbers``), so only results are stored.
"""

from __future__ import annotations

import itertools

import numpy as np
from support import numbers, weights

INF, NAN = float("inf"), float("nan")

# ---- small helpers that both libraries understand ------------------------------------------------


def leaf(lib, array):
    """A tensor with the values; one that requires a gradient where they are floats."""
    t = lib.from_numpy(np.array(array))
    return t.requires_grad_() if t.is_floating_point() else t


def plain(t):
    return np.array(t.detach().numpy())


def tensors(value):
    """The tensors in a result: one, a tuple, or a nested tuple, in order."""
    if isinstance(value, (tuple, list)):
        return [t for part in value for t in tensors(part)]
    return [value]


def scalar(lib, outputs):
    """One number from all floating outputs, so that each of their elements matters differently."""
    total = 0.0
    for k, y in enumerate(outputs):
        if y.requires_grad:
            total = total + (y * lib.from_numpy(weights(tuple(y.shape), 50 + k))).sum()
    return total


def results(lib, inputs, outputs, parameters=()):
    """Outputs and the gradients of inputs and parameters, by name."""
    outputs = tensors(outputs)
    scalar(lib, outputs).backward()
    found = {f"out{k}": plain(y) for k, y in enumerate(outputs)}
    for name, t in [*((f"in{k}", t) for k, t in enumerate(inputs)), *parameters]:
        if t.requires_grad:
            found[f"grad {name}"] = plain(t.grad)
    return found


def fill(lib, module, scale=0.8):
    """Exact numbers into every parameter."""
    module.double()
    with lib.no_grad():
        for k, (_, p) in enumerate(sorted(module.named_parameters(), key=lambda pair: pair[0])):
            p.copy_(lib.from_numpy(numbers(tuple(p.shape), 10 + k, scale)))
    return module


# ---- recurrent layers: every combination ---------------------------------------------------------

T, B, IN, H = 5, 3, 4, 3


def recurrent(lib, kind, layers, layout, bias, given):
    options = {"num_layers": layers, "bias": bias, "batch_first": layout == "batch_first"}
    if kind == "lstm":
        layer = lib.nn.LSTM(IN, H, **options)
    else:
        layer = lib.nn.RNN(IN, H, nonlinearity=kind.removeprefix("rnn_"), **options)
    fill(lib, layer)
    shape = {"time_first": (T, B, IN), "batch_first": (B, T, IN), "unbatched": (T, IN)}[layout]
    state = (layers, H) if layout == "unbatched" else (layers, B, H)
    inputs = [leaf(lib, numbers(shape, 1, 2.0))]
    if given:
        inputs += [leaf(lib, numbers(state, 2 + k)) for k in range(2 if kind == "lstm" else 1)]
    hx = None if not given else tuple(inputs[1:]) if kind == "lstm" else inputs[1]
    return results(lib, inputs, layer(inputs[0], hx), layer.named_parameters())


def cell(lib, kind, batch, bias, given):
    if kind == "lstm":
        module = lib.nn.LSTMCell(IN, H, bias=bias)
    else:
        module = lib.nn.RNNCell(IN, H, bias=bias, nonlinearity=kind.removeprefix("rnn_"))
    fill(lib, module)
    lead = (B,) if batch else ()
    inputs = [leaf(lib, numbers((*lead, IN), 1, 2.0))]
    if given:
        inputs += [leaf(lib, numbers((*lead, H), 2 + k)) for k in range(2 if kind == "lstm" else 1)]
    hx = None if not given else tuple(inputs[1:]) if kind == "lstm" else inputs[1]
    once = module(inputs[0], hx)
    return results(lib, inputs, [once, module(inputs[0] * 0.5, once)], module.named_parameters())


KINDS = ("rnn_tanh", "rnn_relu", "lstm")
LAYOUTS = ("time_first", "batch_first", "unbatched")
YES_NO = (True, False)

# ---- layers --------------------------------------------------------------------------------------


def layer(lib, make, array, **options):
    module = fill(lib, make(lib, **options))
    x = leaf(lib, array)
    return results(lib, [x], module(x), module.named_parameters())


def _linear(lib, bias=True):
    return lib.nn.Linear(4, 3, bias=bias)


def _embedding(lib, padding_idx=None):
    return lib.nn.Embedding(5, 3, padding_idx=padding_idx)


LAYERS = {
    "linear": (_linear, numbers((6, 4)), {}),
    "linear 1-d": (_linear, numbers(4), {}),
    "linear 3-d": (_linear, numbers((2, 3, 4)), {}),
    "linear without bias": (_linear, numbers((2, 4)), {"bias": False}),
    "embedding": (_embedding, np.array([[1, 2, 2], [0, 4, 1]]), {}),
    "embedding one": (_embedding, np.array(3), {}),
    "embedding padding": (_embedding, np.array([[1, 2, 2], [0, 2, 1]]), {"padding_idx": 2}),
    "embedding padding -1": (_embedding, np.array([4, 0, 4]), {"padding_idx": -1}),
}

# ---- losses --------------------------------------------------------------------------------------

X23 = numbers((2, 3), 5, 2.0)
PROBABILITIES = np.array([[0.2, 0.5, 0.3], [0.0, 1.0, 0.0]])
LOSSES = {
    "mse_loss": [X23, numbers((2, 3), 6)],
    "l1_loss": [X23, X23 * np.array([1.0, 0.5, 2.0])],  # the first column ties
    "binary_cross_entropy_with_logits": [np.array([[-30.0, 0.0, 30.0]]), np.array([[0.3, 1, 0]])],
    "nll_loss": [X23, np.array([2, 0])],
    "nll_loss one": [numbers(3, 7), np.array(1)],
    "nll_loss 3-d": [numbers((2, 3, 4), 8), np.array([[0, 1, 2, 0], [2, 2, 1, 1]])],
    "cross_entropy": [X23 * 5, np.array([2, 0])],
    "cross_entropy 4-d": [numbers((2, 3, 2, 2), 9), np.array([[[0, 1], [2, 0]], [[2, 2], [1, 1]]])],
    "cross_entropy of probabilities": [X23, PROBABILITIES],
    "cross_entropy of 3-d probabilities": [numbers((2, 3, 2), 3), numbers((2, 3, 2), 4) ** 2],
}
LOSS_MODULES = {
    "mse_loss": "MSELoss",
    "l1_loss": "L1Loss",
    "binary_cross_entropy_with_logits": "BCEWithLogitsLoss",
    "nll_loss": "NLLLoss",
    "cross_entropy": "CrossEntropyLoss",
}


def loss(lib, name, reduction):
    inputs = [leaf(lib, a) for a in LOSSES[name]]
    short = name.split()[0]
    y = getattr(lib.nn.functional, short)(*inputs, reduction=reduction)
    again = getattr(lib.nn, LOSS_MODULES[short])(reduction=reduction)(*inputs)
    return results(lib, inputs, [y, again])


# ---- ops, where PyTorch's conventions matter -----------------------------------------------------

TIES = np.array([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0], [5.0, 4.0, -1.0]])
KINKS = np.array([-2.0, -1.0, -0.5, 0.0, 0.25, 1.0, 3.0])
CUBE = numbers((2, 3, 4), 3, 2.0)
NANS = [np.array([NAN, -1.0, 2.0, 0.5]), np.array([1.0, NAN, 2.0, 0.25])]
INDEX = np.array([[2, 0, 0], [1, 1, 2]])

OPS = {
    "maximum ties": (lambda _, a, b: _.maximum(a, b), [TIES, TIES.T]),
    "minimum ties": (lambda _, a, b: _.minimum(a, b), [TIES, TIES.T]),
    "maximum broadcast": (lambda _, a, b: _.maximum(a, b), [TIES, np.array([3.0, 2.0, 2.0])]),
    "amax": (lambda _, a: a.amax(1), [TIES]),
    "amax keepdim": (lambda _, a: a.amax(dim=0, keepdim=True), [TIES]),
    "amax two dims": (lambda _, a: a.amax((0, 1)), [TIES * TIES]),
    "amin": (lambda _, a: a.amin(-1), [TIES]),
    "max of all": (lambda _, a: a.max(), [np.array([2.0, 7.0, 7.0, 1.0])]),
    "min of all": (lambda _, a: a.min(), [np.array([[2.0, 1.0], [1.0, 1.0]])]),
    "max along": (lambda _, a: tuple(a.max(1)), [TIES]),
    "max along keepdim": (lambda _, a: tuple(_.max(a, 0, keepdim=True)), [TIES]),
    "min along": (lambda _, a: (a.min(dim=0).values, a.min(dim=0).indices), [TIES + np.eye(3)]),
    "max of two": (lambda _, a, b: _.max(a, b), [TIES, TIES.T]),
    "argmax": (lambda _, a: (a.argmax(), a.argmax(1), a.argmin(0), a * 1), [TIES]),
    "maximum beside NaN": (lambda _, a, b: (_.maximum(a, b), _.minimum(a, b)), NANS),
    "relu beside NaN": (lambda _, a: (_.relu(a), a.clip(-0.5, 0.5), a.sigmoid()), NANS[:1]),
    "reductions beside NaN": (lambda _, a: (a.amax(), a[1:].amin(), a.max(0)[0]), NANS[:1]),
    "abs": (lambda _, a: a.abs(), [KINKS]),
    "sign": (lambda _, a: a.sign() * a, [KINKS]),
    "relu": (lambda _, a: _.relu(a), [KINKS]),
    "clip": (lambda _, a: a.clip(-1.0, 1.0), [KINKS]),
    "clip low": (lambda _, a: a.clamp(min=0.0), [KINKS]),
    "clip high": (lambda _, a: _.clamp(a, max=0.25), [KINKS]),
    "clip crossed": (lambda _, a: a.clip(1.0, -1.0), [KINKS]),
    "clip by tensors": (
        lambda _, a, low, high: a.clip(low, high),
        [KINKS, numbers(7, 3) - 1.0, numbers(7, 4) + 1.0],
    ),
    "var": (lambda _, a: a.var(), [CUBE]),
    "var of none": (lambda _, a: a.var(0, correction=0), [CUBE]),
    "var two": (lambda _, a: a.var((0, 2), correction=2, keepdim=True), [CUBE]),
    "var unbiased": (lambda _, a: (a.var(1, unbiased=False), a.std(1, unbiased=True)), [CUBE]),
    "std": (lambda _, a: a.std(-1), [CUBE]),
    "mean": (lambda _, a: (a.mean(), a.mean(1), a.mean((0, 2), keepdim=True)), [CUBE]),
    "sum": (lambda _, a: (a.sum(), a.sum(-1), a.sum((0, 1), keepdim=True)), [CUBE]),
    "sum of a scalar": (lambda _, a: (a.sum(), a.sum(0), a.mean(-1)), [np.array(2.5)]),
    "sum of nothing": (lambda _, a: (a.sum(0), a.sum()), [np.zeros((0, 3))]),
    "pow numbers": (
        lambda _, a: tuple(a**k for k in (0, 1, 2, 3, 2.0, 1.5)),
        [np.array([0.0, 0.5, 2.0])],
    ),
    "pow negative": (lambda _, a: (a**-1, a**-0.5, _.pow(a, -2)), [np.array([0.5, 2.0])]),
    "pow of negative": (lambda _, a: (a**0, a**2, a**3), [np.array([-2.0, -0.5, 0.0])]),
    "pow tensors": (
        lambda _, a, b: a**b,
        [np.array([0.0, 0.0, 0.0, 2.0, 2.0, 1.0]), np.array([0.0, 1.0, 2.5, 0.0, -1.0, 3.0])],
    ),
    "pow at the edge": (
        lambda _, a, b: a**b,
        [np.array([0.0, -2.0, -2.0, 0.0]), np.array([-1.0, 2.0, 0.5, 0.5])],
    ),
    "pow of a number": (lambda _, b: (2**b, 0.5**b, 0.0**b), [np.array([0.0, 1.0, 3.0])]),
    "div": (lambda _, a, b: (a / b, 1 / a, a / 3), [np.array([1.0, -2.0]), np.array([3.0, 0.5])]),
    "div by zero": (lambda _, a, b: a / b, [np.array([1.0, 2.0]), np.array([0.0, 4.0])]),
    "sqrt": (lambda _, a: (a.sqrt(), _.sqrt(a)), [np.array([0.0, 0.25, 4.0])]),
    "log": (lambda _, a: (a.log(), a.exp(), a.square()), [np.array([0.0, 0.25, 4.0])]),
    "tails": (
        lambda _, a: (a.sigmoid(), a.tanh(), a.exp()),
        [np.array([-700.0, -40.0, -20.0, 0.0, 20.0, 40.0, 700.0])],
    ),
    "softplus": (lambda _, a: _.nn.functional.softplus(a), [np.array([-800.0, -20.0, 0.0, 15.0])]),
    "logsumexp": (lambda _, a: (a.logsumexp(1), _.logsumexp(a, 0, keepdim=True)), [TIES * 300]),
    "logsumexp two dims": (lambda _, a: a.logsumexp((0, 2)), [CUBE]),
    "logsumexp of -inf": (lambda _, a: a.logsumexp(1), [np.array([[0.0, -INF], [-INF, 3.0]])]),
    "softmax": (lambda _, a: (a.softmax(0), _.softmax(a, dim=-1)), [CUBE * 30]),
    "log_softmax": (lambda _, a: (a.log_softmax(1), _.log_softmax(a, -1)), [CUBE * 300]),
    "softmax of -inf": (lambda _, a: a.softmax(0), [np.array([0.0, -INF, 1.0])]),
    "where": (
        lambda _, a, b: (_.where(a > 0, a, b), a.where(b > 0, b)),
        [CUBE, numbers((4,), 8)],
    ),
    "where number": (lambda _, a: _.where(a > 0, a, 0.5), [CUBE]),
    "gather": (lambda _, a, i: (a.gather(1, i), _.gather(a, 0, i.clip(0, 1))), [X23, INDEX]),
    "gather part": (lambda _, a, i: a.gather(0, i), [numbers((4, 3), 2), INDEX[:1]]),
    "index by integers": (lambda _, a, i: (a[i], a[:, i], a[i, 0]), [numbers((3, 3, 2), 2), INDEX]),
    "index two arrays": (lambda _, a, i: a[i, 2 - i], [numbers((3, 3), 2), INDEX]),
    "index apart": (lambda _, a, i: a[i[0], :, i[1]], [numbers((3, 2, 3), 2), INDEX]),
    "index by mask": (lambda _, a: (a[a > 0], a[a[:, 0, 0] > -5]), [CUBE]),
    "index basic": (
        lambda _, a: (a[0], a[-1, 1:], a[..., 0], a[:, None, ::2], a[0, 1, 2], a[:, 2:2]),
        [CUBE],
    ),
    "matmul 1-d": (lambda _, a, b: a @ b, [numbers(3, 1), numbers(3, 2)]),
    "matmul 2-d 1-d": (lambda _, a, b: a @ b, [numbers((2, 3), 1), numbers(3, 2)]),
    "matmul 1-d 2-d": (lambda _, a, b: _.matmul(a, b), [numbers(3, 1), numbers((3, 2), 2)]),
    "matmul": (lambda _, a, b: a.mm(b), [numbers((2, 3), 1), numbers((3, 4), 2)]),
    "matmul batch": (lambda _, a, b: a.bmm(b), [numbers((2, 2, 3), 1), numbers((2, 3, 4), 2)]),
    "matmul batch shared": (lambda _, a, b: a @ b, [numbers((5, 2, 3), 1), numbers((3, 4), 2)]),
    "matmul batches broadcast": (
        lambda _, a, b: a @ b,
        [numbers((2, 1, 2, 3), 1), numbers((3, 3, 2), 2)],
    ),
    "matmul batch 1-d": (lambda _, a, b: a @ b, [numbers((2, 2, 3), 1), numbers(3, 2)]),
    "matmul 1-d batch": (lambda _, a, b: a @ b, [numbers(3, 1), numbers((2, 3, 2), 2)]),
    "reshape": (lambda _, a: (a.reshape(6, -1), a.view(24), a.flatten(), a.flatten(1)), [CUBE]),
    "flatten": (lambda _, a: (_.flatten(a, 0, 1), _.flatten(a, 1, -1)), [CUBE]),
    "transpose": (
        lambda _, a: (a.transpose(0, -1), a.permute(1, 2, 0), a.mT, a[0].T, a[1].t()),
        [CUBE],
    ),
    "expand": (lambda _, a: (a.expand(3, 4), a.expand(2, -1, 5)), [numbers((3, 1), 1)]),
    "squeeze": (
        lambda _, a: (a.squeeze(), a.squeeze(0), a.squeeze(1), a.unsqueeze(-1), a.unsqueeze(0)),
        [numbers((1, 3, 1), 1)],
    ),
    "stack": (
        lambda _, a, b: (_.stack([a, b]), _.stack([a, b, a], dim=-1)),
        [X23, numbers((2, 3), 1)],
    ),
    "cat": (lambda _, a, b: (_.cat([a, b], dim=-1), _.cat((a, a), 0)), [X23, numbers((2, 1), 1)]),
    "split": (lambda _, a: (a.split(3, 2), a.split([1, 2], dim=1), _.split(a, 2)), [CUBE]),
    "chunk": (lambda _, a: (a.chunk(3, -1), a.chunk(2, 1), _.chunk(a, 4, 0)), [CUBE]),
    "chunk short": (lambda _, a: a.chunk(4, 0), [numbers((6,), 1)]),
    "split unused": (lambda _, a: a.split(1, 1)[1], [CUBE]),
    "unbind": (lambda _, a: (a.unbind(), _.unbind(a, 1)[1]), [CUBE]),
    "flip": (lambda _, a: (a.flip(0), a.flip(0, 2), _.flip(a, [-1])), [CUBE]),
    "cast": (lambda _, a: (a.float().double(), a.to(a.dtype)), [CUBE]),
    "abs beside NaN": (lambda _, a: (a.abs(), a.sign() * a), [np.array([NAN, -2.0, 0.0, 3.0])]),
    "max of all beside NaN": (lambda _, a: (a.max(), a.min()), [np.array([NAN, 1.0, NAN, 3.0])]),
    "elementwise": (
        lambda _, a: (_.log1p(a.abs()), _.expm1(a), _.sin(a), _.cos(a), _.square(a), _.sign(a) * a),
        [KINKS],
    ),
    "log1p at the edge": (lambda _, a: a.log1p(), [np.array([-1.0, -0.5, 1e-12])]),
    "activations": (
        lambda _, a: (
            _.nn.functional.leaky_relu(a),
            _.nn.functional.leaky_relu(a, 0.3),
            _.nn.functional.elu(a),
            _.nn.functional.elu(a, 0.5),
            _.nn.functional.silu(a),
            _.nn.functional.gelu(a),
            _.nn.functional.gelu(a, approximate="tanh"),
        ),
        [KINKS * 2],
    ),
    "activation modules": (
        lambda _, a: (
            _.nn.LeakyReLU(0.2)(a),
            _.nn.ELU(0.7)(a),
            _.nn.GELU("tanh")(a),
            _.nn.SiLU()(a),
        ),
        [KINKS],
    ),
    "activations beside NaN": (
        lambda _, a: [
            getattr(_.nn.functional, n)(a) for n in ("leaky_relu", "elu", "gelu", "silu")
        ],
        [np.array([NAN, INF, -INF, 0.0, -0.0])],
    ),
    "std of equal values": (lambda _, a: a.std(1), [np.array([[2.0, 2.0], [1.0, 3.0]])]),
    "prod": (lambda _, a: (a.prod(), a.prod(1), _.prod(a, 0, keepdim=True)), [CUBE]),
    "prod of zeros": (
        lambda _, a: (a.prod(1), a.prod()),
        [np.array([[0.0, 2.0, 3.0], [0.0, 0.0, 3.0], [1.0, 2.0, 3.0]])],
    ),
    "prod beside NaN": (lambda _, a: a.prod(1), [np.array([[NAN, 2.0, 3.0], [NAN, 1.0, 3.0]])]),
    "cumsum": (lambda _, a: (a.cumsum(0), _.cumsum(a, -1)), [CUBE]),
    **{
        f"norm {p}": (
            lambda _, a, p=p: (_.norm(a, p), a.norm(p, 1), a.norm(p=p, dim=(0, 1), keepdim=True)),
            [np.array([[1.0, -2.0, 2.0], [0.5, 3.0, -3.0]])],
        )
        for p in (2, 1, 0.5, 1.5, 3, -1, INF, -INF)
    },
    **{
        f"norm {p} at 0": (
            lambda _, a, p=p: a.norm(p, 1),
            [np.array([[0.0, 0.0], [0.0, -2.0]])],
        )
        for p in (2, 1, 0.5, 1.5, 3, INF)
    },
    **{
        f"norm {p} beside NaN": (lambda _, a, p=p: a.norm(p), [np.array([NAN, -2.0, 1.0])])
        for p in (2, 1, 3, INF)
    },
    "dot": (
        lambda _, a, b: (_.dot(a, b), a.dot(b), _.outer(a, b), a.outer(b[:2])),
        [numbers(3, 1), numbers(3, 2)],
    ),
    "einsum": (
        lambda _, a, b: (
            _.einsum("ij,jk->ik", a, b),
            _.einsum("ij,jk", a, b),
            _.einsum("ij,jk->", [a, b]),
            _.einsum("...j,jk->k...", a, b),
            _.einsum("ij,kl->jl", a, b),
            _.einsum("Aj,ja", a, b),
        ),
        [numbers((2, 3), 1), numbers((3, 4), 2)],
    ),
    "einsum of one": (
        lambda _, a: (_.einsum("ii", a), _.einsum("ii->i", a), _.einsum("...ij->ij", a[None])),
        [numbers((3, 3), 1)],
    ),
    "einsum batches": (
        lambda _, a, b: (_.einsum("bij,bjk->bik", a, b), _.einsum("b...j,bjk", a, b)),
        [numbers((1, 2, 3), 1), numbers((4, 3, 2), 2)],
    ),
    "swapaxes": (
        lambda _, a: (_.swapaxes(a, 0, 2), a.swapaxes(1, -1), _.swapdims(a, 0, 1)),
        [CUBE],
    ),
    "broadcast_to": (
        lambda _, a: (_.broadcast_to(a, (2, 3, 4)), a.broadcast_to((2, -1, 2))),
        [numbers((3, 1), 1)],
    ),
    "roll": (
        lambda _, a: (_.roll(a, 5), a.roll(1, 0), a.roll((1, -2), (0, 2)), a.roll((1, 1), (1, 1))),
        [CUBE],
    ),
    "pad": (
        lambda _, a: (
            _.nn.functional.pad(a, (1, 2)),
            _.nn.functional.pad(a, (1, 0, 0, 2), value=3.0),
            _.nn.functional.pad(a, (-1, 1, 1, -1), "constant", 0.5),
        ),
        [CUBE],
    ),
    "repeat": (
        lambda _, a: (a.repeat(2, 3), a.repeat((2, 1, 2)), _.tile(a, (2,)), a.tile(2, 1, 1)),
        [numbers((2, 3), 1)],
    ),
    "take_along_dim": (
        lambda _, a, i: (
            _.take_along_dim(a, i - 1, 1),
            a.take_along_dim(i[:1].clip(0, 1) - 1, 0),
            a.take_along_dim(i[:, :1], dim=1),
            _.take_along_dim(a, i),
        ),
        [X23, INDEX],
    ),
    "arithmetic": (
        lambda _, a, b: (a + b, a - b, a * b, -a, 2 - a, 3 * b, a - 1, abs(a)),
        [CUBE, numbers((3, 1), 1)],
    ),
}


def op(lib, name):
    function, arrays = OPS[name]
    inputs = [leaf(lib, a) for a in arrays]
    return results(lib, inputs, function(lib, *inputs))


# ---- optimizers ----------------------------------------------------------------------------------

OPTIMIZERS = {
    "SGD": {"lr": 0.1},
    "SGD momentum": {"lr": 0.05, "momentum": 0.9},
    "SGD dampening": {"lr": 0.05, "momentum": 0.9, "dampening": 0.3},
    "SGD nesterov": {"lr": 0.05, "momentum": 0.9, "nesterov": True},
    "SGD decay": {"lr": 0.05, "weight_decay": 0.1},
    "SGD all": {"lr": 0.05, "momentum": 0.8, "nesterov": True, "weight_decay": 0.1},
    "Adam": {"lr": 0.1},
    "Adam betas": {"lr": 0.05, "betas": (0.7, 0.9), "eps": 1e-3},
    "Adam decay": {"lr": 0.1, "weight_decay": 0.3},
    "AdamW": {"lr": 0.1},
    "AdamW decay": {"lr": 0.1, "weight_decay": 0.5, "betas": (0.8, 0.99)},
}


def optimizer(lib, name):
    a, b = leaf(lib, numbers((3, 2), 1)), leaf(lib, numbers(4, 2))
    late = leaf(lib, numbers(2, 3))  # has no gradient for the first 5 steps
    trainer = getattr(lib.optim, name.split()[0])([a, b, late], **OPTIMIZERS[name])
    found = {}
    for step in range(20):
        trainer.zero_grad()
        value = (a * a * lib.from_numpy(weights((3, 2)))).sum() + (b.tanh() * (step - 8)).sum()
        if step >= 5:
            value = value + (late * late).sum()
        value.backward()
        trainer.step()
        found[f"step {step}"] = np.concatenate([plain(p).ravel() for p in (a, b, late)])
    return found


def clip_norm(lib, norm_type):
    a, b = leaf(lib, numbers((3, 2), 1)), leaf(lib, numbers(4, 2))
    found = {}
    for limit in (0.5, 1000.0):
        a.grad = b.grad = None
        ((a * a).sum() + (b * b * b).sum()).backward()
        found[f"norm {limit}"] = plain(
            lib.nn.utils.clip_grad_norm_([a, b], limit, norm_type=norm_type)
        )
        found |= {f"a {limit}": plain(a.grad), f"b {limit}": plain(b.grad)}
    lib.nn.utils.clip_grad_value_([a, b], 0.25)
    return {**found, "a by value": plain(a.grad), "b by value": plain(b.grad)}


# ---- which dtype comes out -----------------------------------------------------------------------

DTYPES = ("bool", "uint8", "int8", "int32", "int64", "float16", "float32", "float64")
PARTNERS = [*((d, n) for d in DTYPES for n in (0, 1)), (True, None), (2, None), (2.5, None)]
PROMOTING = {
    "add": lambda _, a, b: a + b,
    "mul": lambda _, a, b: b * a,
    "div": lambda _, a, b: a / b,
    "maximum": lambda _, a, b: _.maximum(a, b),
    "where": lambda _, a, b: _.where(_.from_numpy(np.array([True])), a, b),
}
CHANGING = {
    "sum": lambda _, a: a.sum(),
    "mean": lambda _, a: a.mean(),
    "exp": lambda _, a: a.exp(),
    "tanh": lambda _, a: a.tanh(),
    "abs": lambda _, a: a.abs(),
    "amax": lambda _, a: a.amax(0),
    "argmax": lambda _, a: a.argmax(),
    "pow": lambda _, a: a**2,
    "pow float": lambda _, a: a**0.5,
    "compare": lambda _, a: a > 1,
    "sqrt": lambda _, a: a.sqrt(),
    "float": lambda _, a: a.float(),
    "cat": lambda _, a: _.cat([a, _.from_numpy(np.ones(1, np.int32))]),
    "stack": lambda _, a: _.stack([a, a]),
    "softmax": lambda _, a: a.softmax(0),
    "clip": lambda _, a: a.clip(0, 1),
    "square": lambda _, a: a.square(),
    "sign": lambda _, a: a.sign(),
    "log1p": lambda _, a: a.log1p(),
    "sin": lambda _, a: a.sin(),
    "prod": lambda _, a: a.prod(),
    "cumsum": lambda _, a: a.cumsum(0),
    "tensor of it": lambda _, a: _.zeros_like(a),
}


def dtypes(lib):
    """The dtype of every combination, as one text a line; "-" where the library refuses."""

    def tensor(dtype, ndim):
        return lib.from_numpy(np.ones((1,) * ndim, dtype))

    def name(function, *operands):
        try:
            return str(function(lib, *operands).dtype).removeprefix("torch.")
        except (TypeError, RuntimeError, ValueError):
            return "-"

    lines = {}
    for op_name, function in PROMOTING.items():
        for dtype, ndim in itertools.product(DTYPES, (0, 1)):
            for other, n in PARTNERS:
                if n is None and op_name == "maximum":
                    continue
                right = other if n is None else tensor(other, n)
                key = f"{op_name}: {dtype} {ndim}-d, {other}" + ("" if n is None else f" {n}-d")
                lines[key] = name(function, tensor(dtype, ndim), right)
    for op_name, function in CHANGING.items():
        for dtype in DTYPES:
            lines[f"{op_name}: {dtype}"] = name(function, tensor(dtype, 1))
    return lines


# ---- all cases -----------------------------------------------------------------------------------


def _cases():
    cases = {}
    for combination in itertools.product(KINDS, (1, 2, 3), LAYOUTS, YES_NO, YES_NO):
        kind, layers, layout, bias, given = combination
        words = [f"{kind} {layers} layers {layout}", "bias" * bias, "state" * given]
        cases[" ".join(filter(None, words))] = (recurrent, combination)
    for combination in itertools.product(KINDS, YES_NO, YES_NO, YES_NO):
        kind, batch, bias, given = combination
        words = [f"{kind} cell", "batch" * batch, "bias" * bias, "state" * given]
        cases[" ".join(filter(None, words))] = (cell, combination)
    for name, (make, array, options) in LAYERS.items():
        cases[name] = (lambda lib, m, a, o: layer(lib, m, a, **o), (make, array, options))
    for name, reduction in itertools.product(LOSSES, ("mean", "sum", "none")):
        cases[f"{name} {reduction}"] = (loss, (name, reduction))
    cases |= {f"op {name}": (op, (name,)) for name in OPS}
    cases |= {name: (optimizer, (name,)) for name in OPTIMIZERS}
    cases |= {f"clip_grad_norm_ {p}": (clip_norm, (p,)) for p in (1.0, 2.0, INF)}
    return cases


CASES = _cases()


def run(lib, name):
    """Every value and gradient of a case."""
    function, arguments = CASES[name]
    return function(lib, *arguments)
