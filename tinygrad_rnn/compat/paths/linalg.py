"""Which norms stand under PyTorch's ``torch.linalg``? Those of vectors and matrices, by its names."""

from __future__ import annotations

from typing import Any

from tinygrad_rnn.engine.signatures import readable
from tinygrad_rnn.tensors import Tensor, as_tensor
from tinygrad_rnn.tensors.axes import axes_of

__all__ = ["matrix_norm", "norm", "vector_norm"]


def norm(
    A: Any,  # noqa: N803 (PyTorch's name)
    ord: Any = None,
    dim: Any = None,
    keepdim: bool = False,
    dtype: Any = None,
) -> Tensor:
    """The norm of vectors or matrices, as ``dim`` and ``ord`` say (PyTorch's ``linalg.norm``).

    Without ``ord`` the 2-norm of all elements (over ``dim``). With it, of matrices where ``dim`` has two
    axes or is not given and A has two; else of vectors. Raises what ``vector_norm`` and ``matrix_norm`` do.

    >>> import tinygrad_rnn as tg
    >>> tg.linalg.norm(tg.tensor([[3.0, 0.0], [0.0, -4.0]])).item()
    5.0
    """
    t = as_tensor(A, dtype)
    axes = None if dim is None else axes_of(t, dim)
    if ord is None or (axes is not None and len(axes) == 1):
        return vector_norm(t, 2 if ord is None else ord, dim, keepdim)
    if axes is None and t.ndim not in (1, 2):
        raise ValueError(f"linalg.norm: with ord and no dim A has 1 or 2 axes, not shape {t.shape}")
    if axes is None and t.ndim == 1:
        return vector_norm(t, ord, None, keepdim)
    return matrix_norm(t, ord, (0, 1) if dim is None else dim, keepdim)


def vector_norm(
    x: Any, ord: Any = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None
) -> Tensor:
    """``sum(|x|**ord)**(1/ord)`` over some axes, or over all elements; see ``Tensor.norm``.

    >>> import tinygrad_rnn as tg
    >>> tg.linalg.vector_norm(tg.tensor([[3.0, 0.0], [0.0, -4.0]]), 1).item()
    7.0
    """
    if isinstance(ord, str):
        raise ValueError(f"linalg.vector_norm: ord is a number, not {ord!r}")
    return as_tensor(x, dtype).norm(ord, None if dim == () else dim, keepdim)


def matrix_norm(
    A: Any,  # noqa: N803 (PyTorch's name)
    ord: Any = "fro",
    dim: Any = (-2, -1),
    keepdim: bool = False,
    *,
    dtype: Any = None,
) -> Tensor:
    """The norm of matrices: "fro", or the largest sum of a column, 1, or row, ``inf`` (negative: smallest).

    Raises ValueError for the norms of singular values (2, -2, "nuc"), which have no derivative here.

    >>> import tinygrad_rnn as tg
    >>> tg.linalg.matrix_norm(tg.tensor([[1.0, -2.0], [3.0, 0.0]]), 1).item()
    4.0
    """
    t = as_tensor(A, dtype)
    pair = tuple(dim) if isinstance(dim, (tuple, list)) else (dim,)
    if len(pair) != 2 or len(axes_of(t, pair)) != 2:
        raise ValueError(
            f"linalg.matrix_norm takes two axes of a matrix, not dim {dim} of {t.shape}"
        )
    if ord == "fro":
        return t.norm(2, pair, keepdim)
    if ord not in (1, -1, float("inf"), float("-inf")):
        raise ValueError(
            f"linalg.matrix_norm has no derivative here for ord={ord!r}: there are 'fro', 1, -1, inf, -inf"
        )
    along, over = (d % t.ndim for d in (pair if abs(ord) == 1 else pair[::-1]))
    sums = t.abs().sum(along, True)
    best = sums.amax(over, True) if ord > 0 else sums.amin(over, True)
    return best if keepdim else best.squeeze((along, over))


def __getattr__(name: str) -> Any:
    """What PyTorch's scripts alone ask for, imported when they do."""
    from tinygrad_rnn.doors import for_scripts

    return for_scripts(__name__, name)


readable(__name__)
