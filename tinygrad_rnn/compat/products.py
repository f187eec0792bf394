"""Which products of vectors and matrices do PyTorch's scripts call beyond the engine's?"""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np

from ..ops.elementwise import maximum
from ..ops.row import row
from ..tensors import Tensor, as_tensor
from ..tensors.axes import axis_of
from ..tensors.functions import mv
from ..tensors.reducing import _scaled
from ..tensors.several import bmm, stack


def _plus(input: Any, product: Tensor, beta: float, alpha: float) -> Tensor:
    result: Tensor = _scaled(as_tensor(input), beta) + _scaled(product, alpha)
    return result


def baddbmm(input: Any, batch1: Any, batch2: Any, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """``beta * input + alpha * (batch1 @ batch2)``, matrix by matrix."""
    return _plus(input, bmm(batch1, batch2), beta, alpha)


def addbmm(input: Any, batch1: Any, batch2: Any, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """``beta * input + alpha * sum(batch1 @ batch2)`` over the batch."""
    return _plus(input, bmm(batch1, batch2).sum(0), beta, alpha)


def addmv(input: Any, mat: Any, vec: Any, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """``beta * input + alpha * (mat @ vec)``."""
    return _plus(input, mv(mat, vec), beta, alpha)


def addr(input: Any, vec1: Any, vec2: Any, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """``beta * input + alpha * outer(vec1, vec2)``."""
    return _plus(input, ger(vec1, vec2), beta, alpha)


def ger(input: Any, vec2: Any) -> Tensor:
    """``a[i] b[j]``; see ``outer``."""
    return as_tensor(input).outer(as_tensor(vec2))


def inner(input: Any, other: Any) -> Tensor:
    """The sums of the products along the last axes."""
    a, b = as_tensor(input), as_tensor(other)
    if not a.ndim or not b.ndim:
        return a * b
    return tensordot(a, b, ([-1], [-1]))


def tensordot(a: Any, b: Any, dims: Any = 2) -> Tensor:
    """The sums of products over axes: the last ``dims`` of a with the first of b, or pairs of axes.

    >>> import tinygrad_rnn as tg
    >>> tg.tensordot(tg.ones(2, 3), tg.ones(3, 4), dims=1).shape
    (2, 4)
    """
    x, y = as_tensor(a), as_tensor(b)
    if isinstance(dims, (int, np.integer)):
        over: Any = (range(x.ndim - dims, x.ndim), range(dims))
    else:
        over = tuple([d] if isinstance(d, int) else list(d) for d in dims)
    left, right = [axis_of(x, d) for d in over[0]], [axis_of(y, d) for d in over[1]]
    if [x.shape[d] for d in left] != [y.shape[d] for d in right]:
        raise ValueError(f"tensordot: shapes {x.shape} and {y.shape} do not fit over axes {over}")
    mine = [d for d in range(x.ndim) if d not in left]
    theirs = [d for d in range(y.ndim) if d not in right]
    shape = [x.shape[d] for d in mine] + [y.shape[d] for d in theirs]
    many = int(np.prod([x.shape[d] for d in left], dtype=int))
    flat = x.permute(*mine, *left).reshape(-1, many) @ y.permute(*right, *theirs).reshape(many, -1)
    return flat.reshape(shape)


def kron(input: Any, other: Any) -> Tensor:
    """Kronecker's product: every element of a times all of b."""
    a, b = as_tensor(input), as_tensor(other)
    n = max(a.ndim, b.ndim)
    a, b = (t.reshape((1,) * (n - t.ndim) + tuple(t.shape)) for t in (a, b))
    wide = a.reshape([k for side in a.shape for k in (side, 1)])
    deep = b.reshape([k for side in b.shape for k in (1, side)])
    return (wide * deep).reshape([p * q for p, q in zip(a.shape, b.shape, strict=True)])


def cross(input: Any, other: Any, dim: int | None = None) -> Tensor:
    """The cross product of vectors of three, along ``dim`` (the first axis of length 3)."""
    a, b = as_tensor(input), as_tensor(other)
    shape = np.broadcast_shapes(a.shape, b.shape)
    a, b = a.expand(shape), b.expand(shape)
    axis = shape.index(3) if dim is None and 3 in shape else axis_of(a, -1 if dim is None else dim)
    if shape[axis] != 3:
        raise ValueError(f"cross takes vectors of three, and axis {axis} of {shape} has others")
    (a0, a1, a2), (b0, b1, b2) = a.unbind(axis), b.unbind(axis)
    return stack([a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0], axis)


def cdist(x1: Any, x2: Any, p: float = 2.0, compute_mode: Any = None) -> Tensor:
    """The p-norms of all differences: (..., n, d) and (..., m, d) give (..., n, m).

    >>> import tinygrad_rnn as tg
    >>> tg.cdist(tg.tensor([[0.0, 0.0]]), tg.tensor([[3.0, 4.0]]))
    tensor([[5.]])
    """
    a, b = as_tensor(x1), as_tensor(x2)
    if a.ndim < 2 or b.ndim < 2 or a.shape[-1] != b.shape[-1]:
        raise ValueError(f"cdist takes (..., n, d) and (..., m, d), not {a.shape} and {b.shape}")
    return (a.unsqueeze(-2) - b.unsqueeze(-3)).norm(p, -1)


def pairwise_distance(
    x1: Any, x2: Any, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    """The p-norms of ``x1 - x2 + eps`` along the last axis."""
    return (as_tensor(x1) - as_tensor(x2) + eps).norm(p, -1, keepdim)


def normalize(input: Any, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Tensor:
    """x divided by its p-norm along ``dim``, or by ``eps`` where that is larger.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.normalize(tg.tensor([[3.0, 4.0]]))
    tensor([[0.6, 0.8]])
    """
    x = as_tensor(input)
    return x / maximum(x.norm(p, dim, keepdim=True), eps)


def chain_matmul(*matrices: Any) -> Tensor:
    """The product of several matrices."""
    return multi_dot(matrices)


def multi_dot(tensors: Any) -> Tensor:
    """The product of several matrices (vectors at the ends)."""
    return reduce(lambda a, b: a @ b, [as_tensor(t) for t in tensors])


def matrix_power(input: Any, n: int) -> Tensor:
    """A matrix times itself, ``n`` times; negative powers are the inverse's."""
    t = as_tensor(input)
    if n < 0:
        return matrix_power(inverse(t), -n)
    result = Tensor._made(np.broadcast_to(np.eye(t.shape[-1]), t.shape), t.dtype)
    while n:
        if n & 1:
            result = result @ t
        t, n = t @ t if n > 1 else t, n >> 1
    return result


def _single(a: Any) -> Any:
    """Half precision as single: LAPACK has none."""
    return a.astype(np.float32) if a.dtype == np.float16 else a


def _inv(a: Any) -> Any:
    return np.linalg.inv(_single(a)).astype(a.dtype)


def _log_abs_det(a: Any) -> Any:
    return np.linalg.slogdet(_single(a))[1].astype(a.dtype)


_inverse: Any = row("inverse", _inv, lambda g, y, _a: -(_turned(y) @ g @ _turned(y)))
_log_det: Any = row("log_det", _log_abs_det, lambda g, _y, a: _of_det(g, a), floating=True)


def _turned(a: Any) -> Any:
    return a.swapaxes(-1, -2)


def _of_det(g: Any, a: Any) -> Any:
    """The gradient of log |det A|: that of the number on every element of A's inverse, transposed."""
    inv = _inverse(a) if isinstance(a, Tensor) else _inv(a)
    return g[..., None, None] * _turned(inv)


def inverse(input: Any) -> Tensor:
    """The inverse of square matrices (..., n, n). Raises numpy's LinAlgError where there is none."""
    made: Tensor = _inverse(_square("inverse", input))
    return made


def det(input: Any) -> Tensor:
    """The determinants of square matrices; the gradient needs an inverse."""
    t = _square("det", input)
    sign = Tensor._made(np.linalg.slogdet(t._data)[0], t.dtype)
    return sign * logabsdet(t).exp()


def logabsdet(input: Any) -> Tensor:
    """log |det| of square matrices."""
    made: Tensor = _log_det(_square("logdet", input))
    return made


def slogdet(input: Any) -> tuple[Tensor, Tensor]:
    """The determinant's sign, and log |det|."""
    t = _square("slogdet", input)
    return Tensor._made(np.linalg.slogdet(t._data)[0], t.dtype), logabsdet(t)


def logdet(input: Any) -> Tensor:
    """log(det), NaN where that is negative."""
    sign, size = slogdet(input)
    return size + sign.log()


def solve(A: Any, B: Any) -> Tensor:  # noqa: N803 (PyTorch's names)
    """x of A x = b: matrices (..., n, n), and b (n,) or (..., n, k)."""
    a, b = _square("solve", A), as_tensor(B)
    return inverse(a) @ b


def _square(who: str, input: Any) -> Tensor:
    t = as_tensor(input)
    if t.ndim < 2 or t.shape[-1] != t.shape[-2] or not t.is_floating_point():
        raise ValueError(f"{who} takes floats in square matrices, not {t.dtype} of shape {t.shape}")
    return t


inv = inverse
