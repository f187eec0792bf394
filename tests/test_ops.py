"""Every row of the table: values and derivatives of order 1 and 2 against a complex-step derivative.

``SAMPLES`` has samples for each row; a row without samples fails the suite. A sample is a function
of Tensors, the same on complex arrays (numpy alone, so that the derivative owes nothing to the
package), and the arrays it is called with.
"""

import dis
import inspect
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from support import (
    along,
    assert_close,
    assert_each_close,
    complex_gradient,
    numbers,
    weights,
)

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.compat.products import inverse, logabsdet
from tinygrad_rnn.engine.scatter import At, AtOutput
from tinygrad_rnn.engine.values import reachable
from tinygrad_rnn.ops import ROWS, at_once, curves
from tinygrad_rnn.ops.row import row

F = nn.functional


@dataclass
class Sample:
    """``ours`` on Tensors and ``plain`` on complex arrays compute the same from ``arrays``."""

    ours: Any
    plain: Any
    arrays: list
    tol: float = 1e-11
    changes_dtype: bool = field(default=False)


def same(function, *arrays):
    """A sample whose function reads the same for Tensors and arrays."""
    return Sample(function, function, list(arrays))


# ---- making samples ------------------------------------------------------------------------------

PAIRS = [
    ((3, 4), (3, 4)),
    ((3, 4), (4,)),
    ((3, 1), (1, 4)),
    ((2, 1, 3), (4, 1)),
    ((), (2, 3)),
    ((2, 3), ()),
    ((), ()),
    ((0, 3), (3,)),
    ((1, 3), (0, 1)),
]
SHAPES = [(3, 4), (), (5,), (2, 1, 3), (0, 2)]


def as_is(a):
    return a


def positive(a):
    return np.abs(a) + 0.3


def apart_from_0(a):
    return a + np.where(a < 0, -0.2, 0.2)


def binary(ours, plain=None, first=as_is, second=as_is):
    """Samples of two operands: all ways to broadcast, and a Python number on either side."""
    plain = plain or ours
    found = [
        Sample(ours, plain, [np.array(first(numbers(a, 1))), np.array(second(numbers(b, 2)))])
        for a, b in PAIRS
    ]
    a, b = first(numbers((2, 3), 3)), second(numbers((2, 3), 4))
    left, right = float(first(np.array(0.7))), float(second(np.array(1.5)))
    found.append(Sample(lambda a: ours(a, right), lambda a: plain(a, np.array(right)), [a]))
    found.append(Sample(lambda b: ours(left, b), lambda b: plain(np.array(left), b), [b]))
    fixed = np.array(numbers((3,), 5)) + 1.4
    found.append(
        Sample(lambda a: ours(a, fixed), lambda a: plain(a, fixed), [a], changes_dtype=True)
    )
    return found


def unary(ours, plain=None, to=as_is):
    return [Sample(ours, plain or ours, [np.array(to(numbers(s, 1, 2.0)))]) for s in SHAPES]


def larger(a, b):
    return np.where(np.real(a) > np.real(b), a, b)


def smaller(a, b):
    return np.where(np.real(a) < np.real(b), a, b)


def reduction(ours, plain, empty=True):
    """Samples of a reduction: no axis, one, several, kept or not; 0-d and empty."""
    cube, found = numbers((2, 3, 2), 1, 2.0), []
    for axes in (None, 0, -1, (0, 2), (0, 1, 2)):
        for keep in (False, True):
            found.append(
                Sample(
                    lambda a, axes=axes, keep=keep: ours(a, axes, keep),
                    lambda a, axes=axes, keep=keep: plain(a, axes, keep),
                    [cube],
                )
            )
    found.append(
        Sample(lambda a: ours(a, None, False), lambda a: plain(a, None, False), [np.array(0.7)])
    )
    if empty:
        found.append(
            Sample(lambda a: ours(a, 1, False), lambda a: plain(a, 1, False), [np.zeros((0, 3))])
        )
    return found


def peak(pick):
    """max or min by real part, complex values kept (for numpy's complex step)."""

    def extreme(a, axes, keep):
        found = pick(np.real(a), axis=axes, keepdims=True)
        return np.where(np.real(a) == found, a, 0).sum(axis=axes, keepdims=keep)

    return extreme


def log_sum_exp(a, axes, keep):
    return np.log(np.exp(a).sum(axis=axes, keepdims=keep))


def variance(correction):
    def plain(a, axes, keep):
        n = a.size if axes is None else int(np.prod([a.shape[i] for i in np.atleast_1d(axes)]))
        centred = a - a.mean(axis=axes, keepdims=True)
        return (centred * centred).sum(axis=axes, keepdims=keep) / (n - correction)

    return lambda a, axes, keep: a.var(axes, correction, keep), plain


def soft_max(a, axis):
    e = np.exp(a)
    return e / e.sum(axis=axis, keepdims=True)


def cross_entropies(a, y, how):
    axis = 1 if a.ndim > 1 else 0
    p = np.log(soft_max(a, axis))
    loss = -np.take_along_axis(p, np.expand_dims(np.asarray(y), axis), axis).squeeze(axis)
    return loss if how == "none" else loss.sum() / (loss.size if how == "mean" else 1)


def standardized(a, k, eps):
    axes = tuple(range(-k, 0))
    centred = a - a.mean(axis=axes, keepdims=True)
    return centred / np.sqrt((centred * centred).mean(axis=axes, keepdims=True) + eps)


def along_axis(ours, plain):
    cases = [((3, 4), 0), ((3, 4), -1), ((2, 3, 2), 1), ((4,), 0), ((1,), 0), ((0, 3), 1)]
    return [
        Sample(
            lambda a, axis=axis: ours(a, axis),
            lambda a, axis=axis: plain(a, axis),
            [numbers(s, 1, 3.0)],
        )
        for s, axis in cases
    ]


def added_at(a, index, v):
    a = a.copy()
    np.add.at(a, index, v)
    return a


def set_at(a, index, v):
    a = a.copy()
    a[index] = v
    return a


GRID = numbers((3, 4), 1)
TWICE = np.array([[0, 2], [2, 2]])
MASK = GRID > 0
INDICES = [
    0,
    -1,
    (1, 2),
    slice(None, None, 2),
    slice(None, None, -1),
    (slice(1, None), 3),
    (None, 1),
    (..., None, 0),
    slice(2, 2),
    TWICE,
    (TWICE, 1),
    (slice(None), TWICE),
    ([0, 0, 2], [1, 1, 3]),
    MASK,
    (MASK[:, 0], slice(1, 3)),
    [True, False, True],
    np.zeros(0, int),
]
PRODUCTS = [
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((3,), (3, 2)),
    ((2, 3), (3, 4)),
    ((1, 3), (3, 1)),
    ((2, 2, 3), (3, 2)),
    ((2, 3), (2, 3, 2)),
    ((2, 1, 2, 3), (3, 3, 2)),
    ((2, 2, 3), (3,)),
    ((3,), (2, 3, 2)),
    ((0, 3), (3, 2)),
    ((2, 0), (0, 3)),
    ((2, 0, 3), (3, 2)),
    ((2, 2, 0), (0, 3)),
    ((2, 1, 3), (3, 0)),
    ((2, 1, 2, 3), (3, 2)),
]
LINEAR = [((2, 3), (4, 3)), ((3,), (2, 3)), ((2, 2, 3), (1, 3)), ((0, 3), (2, 3)), ((2, 1), (3, 1))]
PARTS = [
    same(lambda a: np.split(a, 2, 1), GRID),
    Sample(lambda a: a.split([1, 2, 1], 1)[1], lambda a: a[:, 1:3], [GRID]),
    Sample(lambda a: a.split(2), lambda a: [a[:2], a[2:]], [GRID]),
    Sample(lambda a: a.chunk(3, -1), lambda a: [a[:, :2], a[:, 2:]], [GRID]),
    Sample(
        lambda a: [(p := a.chunk(2, 1))[0], p[1], p[0]],
        lambda a: [a[:, :2], a[:, 2:], a[:, :2]],
        [GRID],
    ),
    Sample(lambda a: a.split([0, 3]), lambda a: [a[:0], a], [GRID]),
    Sample(lambda a: a.chunk(2, 1), lambda a: [a[:, :1], a[:, 1:]], [np.zeros((0, 2))]),
]
LOOSE = [
    Sample(lambda a: a.unbind(), list, [GRID]),
    Sample(lambda a: a.unbind(-1)[2], lambda a: a[:, 2], [GRID]),
    Sample(
        lambda a: [(p := a.unbind(1))[0], p[0] * p[1]],
        lambda a: [a[:, 0], a[:, 0] * a[:, 1]],
        [GRID],
    ),
]


def bell(a):
    return np.exp(-a * a / 2) / np.sqrt(2 * np.pi)


def below(a):
    """P(Z < a), by math.erfc and, off the real line, its derivative (exact for the complex step)."""
    real = np.vectorize(lambda x: math.erfc(-x / math.sqrt(2)) / 2, otypes=[float])(np.real(a))
    return real + 1j * np.imag(a) * bell(np.real(a)) if np.iscomplexobj(a) else real


def angle(a, b):
    """The angle of (b, a) by arctan of a quotient, which takes the complex step; the quadrant is real."""
    quarter = np.where(np.real(b) < 0, np.where(np.real(a) < 0, -np.pi, np.pi), 0.0)
    return np.arctan(a / b) + quarter


def bent(a):
    return a * (1 + np.tanh(np.sqrt(2 / np.pi) * (a + 0.044715 * a**3))) / 2


def deviation(correction):
    plain = variance(correction)[1]
    return (
        lambda a, axes, keep: a.std(axes, correction, keep),
        lambda a, axes, keep: np.sqrt(plain(a, axes, keep)),
    )


def p_norm(p):
    def plain(a, axes, keep):
        size = np.where(np.real(a) < 0, -a, a)
        if np.isinf(p):
            return peak(np.max if p > 0 else np.min)(size, axes, keep)
        return (size**p).sum(axis=axes, keepdims=keep) ** (1 / p)

    return lambda a, axes, keep: a.norm(p, axes, keep), plain


def rolled(shifts, axes):
    return lambda a: np.roll(a, shifts, axes)


def einsums():
    square = numbers((3, 3), 5)
    cases = [
        ("ij,jk->ik", (2, 3), (3, 4)),
        ("ij,jk", (2, 3), (3, 4)),
        ("ij,ij->", (2, 3), (2, 3)),
        ("bij,bjk->bik", (2, 2, 3), (2, 3, 2)),
        ("...ij,...jk->...ik", (2, 1, 2, 3), (3, 3, 2)),
        ("i...,i->...", (2, 3), (2,)),
        ("i,j->ji", (2,), (3,)),
        ("ij,j->i", (0, 3), (3,)),
        ("ij,kj->k", (2, 3), (4, 3)),
        ("bi,bi->bi", (1, 3), (2, 3)),
        ("ij,k->i", (2, 3), (2,)),
        (",i->i", (), (3,)),
    ]
    single = ["ij->ji", "ij->j", "ij->", "ii->i", "ii", "ij", "...i->i...", "i...->i..."]
    return [
        *(same_einsum(eq, numbers(s, 1), numbers(t, 2)) for eq, s, t in cases),
        *(same_einsum(eq, square) for eq in single),
        same_einsum("ii,ij,j->i", square, square * 0.5, numbers(3, 2)),
        same_einsum("iij,j->ij", numbers((2, 2, 3), 1), numbers(3, 2)),
        same_einsum("iji,ii->j", numbers((2, 3, 2), 1), numbers((2, 2), 2)),
    ]


def same_einsum(equation, *arrays):
    return Sample(
        lambda *ts: tg.einsum(equation, *ts), lambda *xs: np.einsum(equation, *xs), list(arrays)
    )


ZEROS = np.array([[0.0, 2.0, -1.5], [0.0, 0.0, 3.0], [0.5, -2.0, 1.25], [0.0, 0.0, 0.0]])

SAMPLES = {
    "add": binary(lambda a, b: a + b),
    "sub": binary(lambda a, b: a - b),
    "mul": binary(lambda a, b: a * b),
    "div": binary(lambda a, b: a / b, second=apart_from_0),
    "pow": [
        *binary(lambda a, b: a**b, first=positive),
        *(same(lambda a, k=k: a**k, numbers((5,), 1)) for k in (0, 1, 2, 3, 4.0)),
        *(same(lambda a, k=k: a**k, positive(numbers((2, 3), 1))) for k in (-1, -2, 0.5, 2.5)),
    ],
    "maximum": binary(tg.maximum, larger),
    "minimum": binary(tg.minimum, smaller),
    "where": [
        Sample(
            lambda a, b, c=c: tg.where(c, a, b),
            lambda a, b, c=c: np.where(c, a, b),
            [numbers(s, 1), numbers(t, 2)],
        )
        for c, s, t in [
            (MASK, (3, 4), (3, 4)),
            (MASK, (4,), (3, 1)),
            (MASK[0], (3, 1), ()),
            (np.array(True), (2,), (2,)),
            (np.zeros((0, 2), bool), (2,), ()),
        ]
    ]
    + [Sample(lambda a: tg.where(MASK, a, 2.0), lambda a: np.where(MASK, a, 2.0), [GRID])],
    "neg": unary(lambda a: -a),
    "abs": unary(abs, lambda a: np.where(np.real(a) > 0, a, -a), apart_from_0),
    "sign": unary(np.sign, lambda a: np.sign(np.real(a)) + 0 * a, apart_from_0),
    "square": unary(np.square),
    "expm1": unary(np.expm1),
    "log1p": unary(np.log1p, to=positive),
    "sin": unary(np.sin),
    "cos": unary(np.cos),
    "silu": unary(F.silu, lambda a: a / (1 + np.exp(-a))),
    "leaky_relu": [
        *unary(F.leaky_relu, lambda a: np.where(np.real(a) > 0, a, a * 0.01), apart_from_0),
        *unary(
            lambda a: F.leaky_relu(a, 0.3),
            lambda a: np.where(np.real(a) > 0, a, a * 0.3),
            apart_from_0,
        ),
    ],
    "elu": [
        *unary(F.elu, lambda a: np.where(np.real(a) > 0, a, np.exp(a) - 1), apart_from_0),
        *unary(
            lambda a: F.elu(a, 0.7),
            lambda a: np.where(np.real(a) > 0, a, 0.7 * (np.exp(a) - 1)),
            apart_from_0,
        ),
    ],
    "normal_cdf": unary(curves.normal_cdf, below),
    "erf": unary(tg.erf, lambda a: 2 * below(a * np.sqrt(2)) - 1),
    "atan2": [
        Sample(
            tg.atan2,
            angle,
            [np.array(apart_from_0(numbers(s, 1))), np.array(apart_from_0(numbers(t, 2)))],
        )
        for s, t in PAIRS
    ],
    "gelu": unary(F.gelu, lambda a: a * below(a)),
    "gelu_by_tanh": unary(lambda a: F.gelu(a, approximate="tanh"), bent),
    "sqrt": unary(np.sqrt, to=positive),
    "exp": unary(np.exp),
    "log": unary(np.log, to=positive),
    "tanh": unary(np.tanh),
    "sigmoid": unary(tg.sigmoid, lambda a: 1 / (1 + np.exp(-a))),
    "relu": unary(tg.relu, lambda a: np.where(np.real(a) > 0, a, 0), apart_from_0),
    "softplus": unary(F.softplus, lambda a: np.log(1 + np.exp(a))),
    "clip": [
        *unary(lambda a: a.clip(-0.9, 0.8), lambda a: smaller(larger(a, -0.9), 0.8)),
        *unary(lambda a: a.clip(min=-0.9), lambda a: larger(a, -0.9)),
        *unary(lambda a: a.clip(max=0.8), lambda a: smaller(a, 0.8)),
        Sample(
            lambda a: a.clip(GRID[0] - 0.4, GRID[1] + 0.4),
            lambda a: smaller(larger(a, GRID[0] - 0.4), GRID[1] + 0.4),
            [numbers((3, 4), 2)],
            changes_dtype=True,
        ),
    ],
    "cast": [
        Sample(lambda a: a.float().double(), as_is, [numbers(s, 1)], 1e-6, True) for s in SHAPES
    ],
    "getitem": [
        *(same(lambda a, i=i: a[i], GRID) for i in INDICES),
        same(lambda a: a[()], np.array(0.5)),
        same(lambda a: a[None], np.array(0.5)),
        same(lambda a: a[:, 1], np.zeros((0, 3))),
        same(lambda a: [a[0], a[TWICE], a[0] * a[1], a], GRID),
        Sample(
            lambda a: a.gather(1, [[3, 3], [0, 1]]),
            lambda a: np.take_along_axis(a[:2], np.array([[3, 3], [0, 1]]), 1),
            [GRID],
        ),
        same(lambda a: np.take_along_axis(a, np.array([[-1, 0], [2, 2], [1, -4]]), 1), GRID),
        same(lambda a: np.take_along_axis(a, np.array([[1, 0, 2, -1]]), 0), GRID),
        same(lambda a: np.take_along_axis(a, np.array([5, 5, -1]), None), GRID),
        same(lambda a: np.repeat(a, [0, 2, 1], 0), GRID),
    ],
    "embedding": [
        Sample(lambda w, i=i: F.embedding(i, w), lambda w, i=i: w[i], [GRID])
        for i in (TWICE, np.array(2), np.array([1]), np.zeros((0, 2), int))
    ],
    "place": [
        Sample(
            lambda a, v, i=i: a.at[i].add(v),
            lambda a, v, i=i: added_at(a, i, v),
            [GRID, np.array(numbers(s, 2))],
        )
        for i, s in [
            (0, (4,)),
            ((slice(None), 1), ()),
            (TWICE, (2, 2, 4)),
            (MASK, ()),
            (slice(1, 1), (4,)),
        ]
    ],
    "put": [
        Sample(
            lambda a, v, i=i: a.at[i].set(v),
            lambda a, v, i=i: set_at(a, i, v),
            [GRID, np.array(numbers(s, 2))],
        )
        for i, s in [(0, (4,)), ((slice(None), 1), ()), ([2, 0], (2, 4)), (MASK, ()), ((), (3, 4))]
    ],
    "inverse": [
        Sample(inverse, np.linalg.inv, [numbers(s, 1) + 3 * np.eye(s[-1])], 1e-10)
        for s in ((2, 2), (3, 3), (2, 3, 3))
    ],
    "log_det": [  # these have positive determinants
        Sample(
            logabsdet,
            lambda a: np.log(np.linalg.det(a)),
            [numbers(s, 1) + 3 * np.eye(s[-1])],
            1e-10,
        )
        for s in ((2, 2), (3, 3), (2, 3, 3))
    ],
    "matmul": [same(lambda a, b: a @ b, numbers(s, 1), numbers(t, 2)) for s, t in PRODUCTS],
    "dot": [
        Sample(lambda a, b: a.dot(b), lambda a, b: a @ b, [numbers(n, 1), numbers(n, 2)])
        for n in (3, 1, 0)
    ],
    "outer": [
        Sample(lambda a, b: a.outer(b), np.multiply.outer, [numbers(n, 1), numbers(m, 2)])
        for n, m in [(3, 2), (1, 1), (0, 2)]
    ],
    "einsum": einsums(),
    "linear": [
        Sample(
            F.linear, lambda x, w, b: x @ w.T + b, [numbers(s, 1), numbers(t, 2), numbers(t[:1], 3)]
        )
        for s, t in LINEAR
    ],
    "linear_without_bias": [
        Sample(F.linear, lambda x, w: x @ w.T, [numbers(s, 1), numbers(t, 2)]) for s, t in LINEAR
    ],
    "sum": reduction(
        lambda a, axes, keep: a.sum(axes, keep),
        lambda a, axes, keep: a.sum(axis=axes, keepdims=keep),
    ),
    "mean": reduction(
        lambda a, axes, keep: a.mean(axis=axes, keepdims=keep),
        lambda a, axes, keep: a.mean(axis=axes, keepdims=keep),
    ),
    "var": [
        *reduction(*variance(0))[:-2],
        *reduction(*variance(1))[:-2],
        *reduction(*variance(0.5), empty=False),
    ],
    "std": [
        *reduction(*deviation(0))[:-2],
        *reduction(*deviation(1))[:-2],
    ],
    "prod": [
        *reduction(
            lambda a, axes, keep: a.prod(axes, keep),
            lambda a, axes, keep: a.prod(axis=axes, keepdims=keep),
        ),
        Sample(lambda a: a.prod(1), lambda a: a.prod(axis=1), [ZEROS]),
        Sample(lambda a: a.prod(0), lambda a: a.prod(axis=0), [ZEROS]),
        Sample(lambda a: a.prod((0, 2)), lambda a: a.prod(axis=(0, 2)), [ZEROS.reshape(2, 2, 3)]),
        Sample(lambda a: a.prod(), lambda a: a.prod(), [np.array(0.0)]),
    ],
    "cumsum": [
        *along_axis(lambda a, k: a.cumsum(k), lambda a, k: np.cumsum(a, k)),
        Sample(lambda a: a.cumsum(0), as_is, [np.array(0.5)]),
    ],
    "cumprod": [
        *along_axis(lambda a, k: a.cumprod(k), lambda a, k: np.cumprod(a, k)),
        Sample(lambda a: a.cumprod(0), as_is, [np.array(0.5)]),
        Sample(lambda a: a.cumprod(1), lambda a: np.cumprod(a, 1), [ZEROS]),
        Sample(lambda a: a.cumprod(0), lambda a: np.cumprod(a, 0), [ZEROS]),
        Sample(lambda a: a.cumprod(-1), lambda a: np.cumprod(a, -1), [numbers((2, 9), 4, 1.5)]),
    ],
    "norm": [
        *(
            sample
            for p in (1, 2, 3, 1.5, 0.5, -1, np.inf, -np.inf)
            for sample in reduction(*p_norm(p), empty=False)
        ),
        *reduction(*p_norm(2))[:-1],
    ],
    "max_of_all": [
        Sample(lambda a: a.max(), lambda a: peak(np.max)(a, None, False), [GRID * 2]),
        Sample(lambda a: a.max(), as_is, [np.array(0.5)]),
    ],
    "min_of_all": [
        Sample(lambda a: a.min(), lambda a: peak(np.min)(a, None, False), [GRID * 2]),
        Sample(lambda a: a.min(), as_is, [np.array(0.5)]),
    ],
    "amax": reduction(lambda a, axes, keep: a.amax(axes, keep), peak(np.max)),
    "amin": reduction(lambda a, axes, keep: a.amin(axes, keep), peak(np.min)),
    "logsumexp": reduction(lambda a, axes, keep: a.logsumexp(axes, keep), log_sum_exp),
    "softmax": along_axis(tg.softmax, soft_max),
    "log_softmax": along_axis(tg.log_softmax, lambda a, axis: np.log(soft_max(a, axis))),
    "cross_entropy": [
        Sample(
            lambda a, y=y, how=how: F.cross_entropy(a, tg.tensor(y), reduction=how),
            lambda a, y=y, how=how: cross_entropies(a, y, how),
            [numbers(s, 1, 3.0)],
        )
        for s, y in [
            ((3, 4), [0, 3, 0]),
            ((4,), 2),
            ((1, 1), [0]),
            ((2, 3, 2), [[0, 2], [1, 1]]),
            ((0, 3), np.zeros(0, int)),
        ]
        for how in ("mean", "sum", "none")
        if s[0] or how != "mean"
    ],
    "layer_norm": [
        Sample(
            lambda a, k=k, eps=eps: F.layer_norm(a, a.shape[-k:], eps=eps),
            lambda a, k=k, eps=eps: standardized(a, k, eps),
            [numbers(s, 1, 2.0)],
        )
        for s, k in [((3, 4), 1), ((3, 4), 2), ((5,), 1), ((2, 3, 2), 2), ((2, 1), 1), ((0, 3), 1)]
        for eps in (1e-5, 0.5)
    ],
    "reshape": [
        *(same(lambda a, s=s: a.reshape(s), GRID) for s in [(4, 3), (-1,), (2, -1), (1, 3, 4, 1)]),
        same(lambda a: a.reshape(()), np.ones(1)),
        same(lambda a: a.reshape(1, 1), np.array(2.0)),
        same(lambda a: a.reshape(3, 0), np.zeros((0, 2))),
    ],
    "permute": [
        same(lambda a: np.transpose(a, (2, 0, 1)), numbers((2, 3, 4), 1)),
        same(lambda a: np.swapaxes(a, 0, -1), numbers((2, 3, 4), 1)),
        same(lambda a: a.T, GRID),
        same(lambda a: a.T @ a, GRID),
        same(lambda a: a.T, np.array(0.5)),
        same(lambda a: a.T, np.zeros((0, 2))),
    ],
    "broadcast": [
        same(lambda a, s=s: np.broadcast_to(a, s), numbers(t, 1))
        for t, s in [((3, 1), (3, 4)), ((3,), (2, 3)), ((), (2, 2)), ((1, 2), (0, 2)), ((2,), (2,))]
    ],
    "flip": [
        *(same(lambda a, k=k: np.flip(a, k), GRID) for k in (0, 1, (0, 1), None)),
        same(lambda a: np.flip(a, 0), np.zeros((0, 2))),
    ],
    "roll": [
        *(
            same(rolled(k, axes), GRID)
            for k, axes in [(1, 0), (-1, 1), ((1, 2), (0, 1)), (3, None)]
        ),
        same(rolled((1, 2), (1, 1)), GRID),
        same(rolled(1, 0), np.zeros((0, 2))),
        same(rolled(1, None), np.array(0.5)),
    ],
    "pad": [
        Sample(lambda a: F.pad(a, (1, 2)), lambda a: np.pad(a, ((0, 0), (1, 2))), [GRID]),
        Sample(
            lambda a: F.pad(a, (1, 0, 0, 2), value=1.5),
            lambda a: np.pad(a, ((0, 2), (1, 0)), constant_values=1.5),
            [GRID],
        ),
        Sample(lambda a: F.pad(a, (-1, 2)), lambda a: np.pad(a, ((0, 0), (0, 2)))[:, 1:], [GRID]),
        Sample(lambda a: F.pad(a, (-1, -1)), lambda a: a[:, 1:-1], [GRID]),
        Sample(lambda a: F.pad(a, ()), as_is, [np.array(0.5)]),
        same(lambda a: np.pad(a, 1), np.zeros((0, 2))),
    ],
    "tile": [
        Sample(lambda a: a.repeat(2, 3), lambda a: np.tile(a, (2, 3)), [GRID]),
        Sample(lambda a: a.repeat(2, 1, 2), lambda a: np.tile(a, (2, 1, 2)), [GRID]),
        *(same(lambda a, k=k: np.tile(a, k), GRID) for k in (2, (2, 1), (2, 1, 1), (0, 1))),
        same(lambda a: np.tile(a, 3), np.array(0.5)),
        same(lambda a: np.tile(a, 2), np.zeros((0, 2))),
    ],
    "cat": [
        *(
            same(lambda a, b, k=k: np.concatenate([a, b, a * 2], k), GRID, numbers((3, 4), 2))
            for k in (0, 1, -1)
        ),
        same(lambda a, b: np.concatenate([a, b], 1), GRID, numbers((3, 1), 2)),
        same(lambda a, b: np.concatenate([a, b]), np.zeros((0, 4)), GRID),
        same(lambda a: np.concatenate([a]), GRID),
    ],
    "stack": [
        *(
            same(lambda a, b, k=k: np.stack([a, b, a], k), GRID, numbers((3, 4), 2))
            for k in (0, 1, -1)
        ),
        same(lambda a, b: np.stack([a, b]), np.array(0.5), np.array(-0.5)),
        same(lambda a: np.stack([a, a]), np.zeros((0, 2))),
    ],
    "split": PARTS,
    "unbind": LOOSE,
    "item": PARTS + LOOSE,
}
ALL = [
    pytest.param(name, sample, id=f"{name}-{k}")
    for name, samples in SAMPLES.items()
    for k, sample in enumerate(samples)
]


def test_every_row_has_samples():
    assert set(SAMPLES) == set(ROWS), "a row of the table and its samples belong together"
    assert all(SAMPLES.values())


# ---- values and derivatives ----------------------------------------------------------------------


def outputs_of(result):
    return list(result) if isinstance(result, (list, tuple)) else [result]


def total(outputs, convert=np.asarray):
    """One number from all outputs; the square makes the second derivative of linear ops visible."""
    value = 0.0
    for k, y in enumerate(outputs):
        w = convert(weights(tuple(y.shape), 50 + k))
        value = value + (w * (y + y * y * 0.5)).sum()
    return value


def recorded(sample, dtype=tg.float64, transposed=False):
    """(leaves, outputs): operands made as they are, or transposed twice, so not contiguous."""
    if transposed:
        leaves = [tg.tensor(a.T, dtype=dtype, requires_grad=True) for a in sample.arrays]
        operands = [t.T for t in leaves]
    else:
        leaves = operands = [tg.tensor(a, dtype=dtype, requires_grad=True) for a in sample.arrays]
    return leaves, outputs_of(sample.ours(*operands))


@pytest.mark.parametrize(("name", "sample"), ALL)
def test_a_sample_records_its_row(name, sample):
    _, outputs = recorded(sample)
    ops = {node.op for node in reachable([y._node for y in outputs])}
    assert ROWS[name] in ops


@pytest.mark.parametrize(("name", "sample"), ALL)
def test_values(name, sample):
    _, outputs = recorded(sample)
    plain = outputs_of(sample.plain(*sample.arrays))
    assert len(outputs) == len(plain)
    for ours, expected in zip(outputs, plain, strict=True):
        assert ours.dtype == tg.float64
        assert_each_close(ours.detach(), np.real(expected), max(sample.tol, 1e-14), name)


@pytest.mark.parametrize("transposed", [False, True], ids=["plain", "transposed"])
@pytest.mark.parametrize(("name", "sample"), ALL)
def test_derivatives_of_order_1_and_2(name, sample, transposed):
    leaves, outputs = recorded(sample, transposed=transposed)
    first = tg.grad(total(outputs, tg.tensor), leaves)
    recorded_first = tg.grad(total(outputs, tg.tensor), leaves, create_graph=True)

    def gradient(arrays):
        return complex_gradient(lambda *a: total(outputs_of(sample.plain(*a))), arrays)

    def seen(tensor):
        return tensor.detach().numpy().T if transposed else tensor.detach().numpy()

    for k, expected in enumerate(gradient(sample.arrays)):
        assert_each_close(seen(first[k]), expected, sample.tol, f"{name}, operand {k}")
        assert_each_close(seen(recorded_first[k]), expected, sample.tol, f"{name} recorded, {k}")

    v = [weights(a.shape, 70 + k) for k, a in enumerate(sample.arrays)]
    directions = [tg.tensor(d.T if transposed else d) for d in v]
    product = sum((g * d).sum() for g, d in zip(recorded_first, directions, strict=True))
    second = tg.grad(product, leaves)
    for k, expected in enumerate(along(gradient, sample.arrays, v)):
        assert_each_close(seen(second[k]), expected, max(1e-7, sample.tol), f"{name}, {k}", 1e-3)


@pytest.mark.parametrize(("name", "sample"), ALL)
def test_forward_mode(name, sample):
    v = [weights(a.shape, 90 + k) for k, a in enumerate(sample.arrays)]
    primals, tangents = (tuple(tg.tensor(a) for a in arrays) for arrays in (sample.arrays, v))
    _, pushed = tg.func.jvp(lambda *t: tuple(outputs_of(sample.ours(*t))), primals, tangents)
    plain = along(lambda arrays: outputs_of(sample.plain(*arrays)), sample.arrays, v)
    for ours, expected in zip(pushed, plain, strict=True):
        assert_each_close(ours.detach(), np.real(expected), max(1e-7, sample.tol), name, 1e-3)


@pytest.mark.parametrize("dtype", [tg.float32, tg.float16], ids=str)
@pytest.mark.parametrize(("name", "sample"), ALL)
def test_lower_precision_is_kept(name, sample, dtype):
    exact, exact_outputs = recorded(sample)
    leaves, outputs = recorded(sample, dtype)
    if not sample.changes_dtype:
        assert {y.dtype for y in outputs} == {dtype}
    value = total(outputs, lambda w: tg.tensor(w, dtype=dtype))
    tol = 2e-5 if dtype == tg.float32 else 6e-2
    for create_graph in (False, True):
        grads = tg.grad(value, leaves, create_graph=create_graph)
        for g, e in zip(grads, tg.grad(total(exact_outputs, tg.tensor), exact), strict=True):
            assert g.dtype == dtype
            assert_close(g.detach().double(), e, tol, name)


# ---- what rows keep, and what rules may do -------------------------------------------------------


def _arguments_read(function):
    """The arguments that a rule's code loads."""
    read = set()
    for instruction in dis.get_instructions(function):
        if instruction.opname.startswith(("LOAD_FAST", "LOAD_DEREF", "LOAD_CLOSURE")):
            value = instruction.argval
            read.update(value if isinstance(value, tuple) else (value,))
    return read


def _operands(op, rule):
    """The names of (output, *operands) among a rule's arguments."""
    names = list(inspect.signature(rule).parameters)
    if op.variadic:
        names = names[1:]
    return names[1 : 2 + len(op.rules)]


with at_once.asking(False):  # the rules as they are written, not the loops that may stand for them
    RULES = [
        pytest.param(op, rule, id=f"{name}-{k}")
        for name, op in ROWS.items()
        for k, rule in enumerate(op.rules)
        if rule is not None
    ]


@pytest.mark.parametrize(("op", "rule"), RULES)
def test_a_rule_names_what_it_reads_and_reads_what_it_names(op, rule):
    """An argument without an underscore is kept for backward, so it must be needed; with one it is not."""
    read = _arguments_read(rule)
    names = _operands(op, rule)
    assert names
    for name in names:
        assert (name in read) != name.startswith("_"), f"{op.name}: {name}"


@pytest.mark.parametrize(("name", "sample"), ALL)
def test_a_node_keeps_nothing_that_no_rule_needs(name, sample):
    op = ROWS[name]
    with at_once.asking(False):
        needed = [_operands(op, rule) for rule in op.rules if rule is not None]
    _, outputs = recorded(sample)
    for node in reachable([y._node for y in outputs]):
        if node.op is not op:
            continue
        if all(names[0].startswith("_") for names in needed):
            assert node.out is None
        for k in range(len(op.rules)):
            kinds = {names[1 + k] for names in needed}
            kept = node.saved[k]
            if all(kind.startswith("_") for kind in kinds):
                assert kept is None
            elif kinds <= {"shape"} | {kind for kind in kinds if kind.startswith("_")}:
                assert isinstance(kept, tuple)


def _frozen(value):
    if isinstance(value, np.ndarray):
        value = value.view()
        value.flags.writeable = False
    if isinstance(value, (tuple, list)):
        return type(value)(_frozen(part) for part in value)
    return value


def _flat(value):
    if isinstance(value, (At, AtOutput)):
        value = value.value
    if isinstance(value, (tuple, list)):
        return [array for part in value for array in _flat(part)]
    return [np.array(value)] if isinstance(value, (np.ndarray, np.generic)) else []


@pytest.mark.parametrize(("name", "sample"), ALL)
def test_rules_are_pure(name, sample):
    """Called twice on locked arrays a rule returns the same, and its arguments are as they were."""
    op = ROWS[name]
    _, outputs = recorded(sample)
    called = 0
    for node in reachable([y._node for y in outputs]):
        if node.op is not op:
            continue
        g = [weights(s) for s in node.shape] if op.several else weights(node.shape)
        g, out, saved = _frozen(g), _frozen(node.out), _frozen(node.saved)
        before = _flat([g, [] if out is None else out, list(saved)])
        for k, parent in enumerate(node.parents):
            rule = op.rules[0] if op.variadic else op.rules[k]
            if rule is None or not parent.needs:
                continue
            arguments = (k, g, out, *saved) if op.variadic else (g, out, *saved)
            once, again = _flat(rule(*arguments)), _flat(rule(*arguments))
            called += 1
            assert len(once) == len(again) > 0
            for a, b in zip(once, again, strict=True):
                np.testing.assert_array_equal(a, b)
        for a, b in zip(before, _flat([g, [] if out is None else out, list(saved)]), strict=True):
            np.testing.assert_array_equal(a, b)
    assert called


# ---- the table itself ----------------------------------------------------------------------------


def test_adding_a_row_is_one_call():
    """A row of one's own: recorded, derived to order 2, named in the graph."""
    cube = row("test_cube", lambda a: a * a * a, lambda g, _y, a: g * (3.0 * a * a))
    try:
        x = tg.tensor([2.0], dtype=tg.float64, requires_grad=True)
        y = cube(x)
        assert [n.op for n in tg.graph(y).nodes] == ["parameter", "test_cube"]
        (first,) = tg.grad(y, x, create_graph=True)
        (second,) = tg.grad(first, x)
        assert (y.item(), first.item(), second.item()) == (8.0, 12.0, 12.0)
        with pytest.raises(ValueError, match="test_cube"):
            row("test_cube", np.abs, None)
    finally:
        del ROWS["test_cube"]


def test_rows_on_plain_arrays_are_numpy():
    from tinygrad_rnn.ops import elementwise as e

    a = np.array([1.0, -2.0])
    for function in (e.tanh, e.abs, e.neg):
        assert type(function(a)) is np.ndarray
    np.testing.assert_array_equal(e.add(a, 1.0), a + 1)


MISFITS = {
    "add": (lambda: tg.ones(3) + tg.ones(4), r"add cannot take shapes \(3,\) and \(4,\)"),
    "matmul": (lambda: tg.ones(2, 3) @ tg.ones(4, 5), r"matmul.*\(2, 3\) and \(4, 5\)"),
    "reshape": (lambda: tg.ones(6).reshape(4, 2), r"reshape.*\(6,\)"),
    "cat": (lambda: tg.cat([tg.ones(2, 2), tg.ones(3, 3)]), r"cat.*\(2, 2\) and \(3, 3\)"),
    "stack": (lambda: tg.stack([tg.ones(2), tg.ones(3)]), r"stack.*\(2,\) and \(3,\)"),
    "expand": (lambda: tg.ones(2).expand(3), r"broadcast.*\(2,\)"),
    "where": (lambda: tg.where(tg.ones(2).bool(), tg.ones(3), 0.0), r"where.*\(2,\) and \(3,\)"),
}


@pytest.mark.parametrize("name", MISFITS)
def test_shapes_that_do_not_fit_name_the_op_and_the_shapes(name):
    function, words = MISFITS[name]
    with pytest.raises(ValueError, match=words):
        function()
