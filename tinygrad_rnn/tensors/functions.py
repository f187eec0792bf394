"""Which methods are functions too? ``tg.f(t, ...)`` is ``t.f(...)``, made from it, but for a few.

What a function takes in the tensor's place may be anything that ``as_tensor`` takes. Functions that need no
tensor stand in ``making``, those of several tensors in ``several``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import signature
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from ..engine.signatures import written
from .arrays import as_tensor, is_tensor
from .value import Tensor

__all__ = [
    "abs",
    "addmm",
    "all",
    "allclose",
    "amax",
    "amin",
    "any",
    "argmax",
    "argmin",
    "argsort",
    "bincount",
    "broadcast_to",
    "ceil",
    "chunk",
    "clamp",
    "clip",
    "cos",
    "cummax",
    "cummin",
    "cumprod",
    "cumsum",
    "detach",
    "diff",
    "dot",
    "equal",
    "erf",
    "exp",
    "expm1",
    "flatten",
    "flip",
    "floor",
    "gather",
    "index_select",
    "isfinite",
    "isinf",
    "isnan",
    "log",
    "log1p",
    "log_softmax",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "logsumexp",
    "masked_fill",
    "max",
    "mean",
    "median",
    "min",
    "multinomial",
    "mv",
    "nan_to_num",
    "neg",
    "norm",
    "numel",
    "outer",
    "permute",
    "prod",
    "ravel",
    "relu",
    "reshape",
    "roll",
    "round",
    "scatter",
    "scatter_add",
    "sigmoid",
    "sign",
    "sin",
    "softmax",
    "sort",
    "split",
    "sqrt",
    "square",
    "squeeze",
    "std",
    "sum",
    "swapaxes",
    "swapdims",
    "take_along_dim",
    "tanh",
    "tile",
    "topk",
    "transpose",
    "tril",
    "triu",
    "unbind",
    "unique",
    "unsqueeze",
    "var",
]

P = ParamSpec("P")
R = TypeVar("R")


def _function(method: Callable[Concatenate[Tensor, P], R]) -> Callable[Concatenate[Any, P], R]:
    """The function of a method, with its name, its docstring and its arguments after ``input``."""

    own, plain = signature(written(method)), cast("Callable[[Tensor], R]", method)
    first, *others = own.parameters.values()

    def alone(input: Any) -> R:
        return plain(input if input.__class__ is Tensor else as_tensor(input))

    def call(input: Any, *args: P.args, **kwargs: P.kwargs) -> R:
        return method(input if input.__class__ is Tensor else as_tensor(input), *args, **kwargs)

    made: Any = call if others else alone  # passing no arguments on is a tenth of a tanh
    made.__name__ = made.__qualname__ = method.__name__
    made.__doc__ = method.__doc__
    made.__signature__ = own.replace(parameters=[first.replace(name="input"), *others])
    return cast("Callable[Concatenate[Any, P], R]", made)


abs = _function(Tensor.abs)
sqrt = _function(Tensor.sqrt)
exp = _function(Tensor.exp)
log = _function(Tensor.log)
log1p = _function(Tensor.log1p)
expm1 = _function(Tensor.expm1)
sin = _function(Tensor.sin)
cos = _function(Tensor.cos)
square = _function(Tensor.square)
sign = _function(Tensor.sign)
tanh = _function(Tensor.tanh)
sigmoid = _function(Tensor.sigmoid)
erf = _function(Tensor.erf)
neg = _function(Tensor.neg)
clip = _function(Tensor.clip)
floor = _function(Tensor.floor)
ceil = _function(Tensor.ceil)
round = _function(Tensor.round)
nan_to_num = _function(Tensor.nan_to_num)
isnan = _function(Tensor.isnan)
isinf = _function(Tensor.isinf)
isfinite = _function(Tensor.isfinite)
logical_and = _function(Tensor.logical_and)
logical_or = _function(Tensor.logical_or)
logical_xor = _function(Tensor.logical_xor)
logical_not = _function(Tensor.logical_not)
allclose = _function(Tensor.allclose)
equal = _function(Tensor.equal)

var = _function(Tensor.var)
std = _function(Tensor.std)
norm = _function(Tensor.norm)
amax = _function(Tensor.amax)
amin = _function(Tensor.amin)
max = _function(Tensor.max)
min = _function(Tensor.min)
argmax = _function(Tensor.argmax)
argmin = _function(Tensor.argmin)
all = _function(Tensor.all)
any = _function(Tensor.any)
logsumexp = _function(Tensor.logsumexp)
cummax = _function(Tensor.cummax)
cummin = _function(Tensor.cummin)
median = _function(Tensor.median)
sort = _function(Tensor.sort)
argsort = _function(Tensor.argsort)
topk = _function(Tensor.topk)
unique = _function(Tensor.unique)
bincount = _function(Tensor.bincount)
multinomial = _function(Tensor.multinomial)
dot = _function(Tensor.dot)
mv = _function(Tensor.mv)
addmm = _function(Tensor.addmm)

flatten = _function(Tensor.flatten)
ravel = _function(Tensor.ravel)
transpose = _function(Tensor.transpose)
squeeze = _function(Tensor.squeeze)
unsqueeze = _function(Tensor.unsqueeze)
broadcast_to = _function(Tensor.broadcast_to)
roll = _function(Tensor.roll)
chunk = _function(Tensor.chunk)
unbind = _function(Tensor.unbind)
gather = _function(Tensor.gather)
take_along_dim = _function(Tensor.take_along_dim)
index_select = _function(Tensor.index_select)
masked_fill = _function(Tensor.masked_fill)
scatter = _function(Tensor.scatter)  # type: ignore[arg-type]  # its options have any name
scatter_add = _function(Tensor.scatter_add)
diff = _function(Tensor.diff)
tril = _function(Tensor.tril)
triu = _function(Tensor.triu)
numel = _function(Tensor.numel)

clamp = clip
swapaxes = swapdims = transpose


# ---- with arguments that the method does not have -------------------------------------------


def relu(input: Any, inplace: bool = False) -> Tensor:
    """max(x, 0); the derivative at 0 is taken as 0. ``inplace`` writes and returns the input.

    >>> import tinygrad_rnn as tg
    >>> tg.relu(tg.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    t = as_tensor(input)
    return t.relu_() if inplace else t.relu()


def sum(input: Any, dim: Any = None, keepdim: bool = False, **names: Any) -> Tensor:
    """The sum over some axes, or over all.

    >>> import tinygrad_rnn as tg
    >>> tg.sum(tg.ones(2, 3), dim=1)
    tensor([3., 3.])
    """
    return as_tensor(input, names.pop("dtype", None)).sum(dim, keepdim, **names)


def mean(input: Any, dim: Any = None, keepdim: bool = False, **names: Any) -> Tensor:
    """The mean over some axes, or over all.

    >>> import tinygrad_rnn as tg
    >>> tg.mean(tg.tensor([1.0, 3.0])).item()
    2.0
    """
    return as_tensor(input, names.pop("dtype", None)).mean(dim, keepdim, **names)


def prod(input: Any, dim: Any = None, keepdim: bool = False, **names: Any) -> Tensor:
    """The product over some axes, or over all; the gradient is right where factors are 0.

    >>> import tinygrad_rnn as tg
    >>> tg.prod(tg.tensor([2.0, 3.0])).item()
    6.0
    """
    return as_tensor(input, names.pop("dtype", None)).prod(dim, keepdim, **names)


def cumsum(input: Any, dim: int, dtype: Any = None) -> Tensor:
    """The sums of the elements up to each one along ``dim``.

    >>> import tinygrad_rnn as tg
    >>> tg.cumsum(tg.tensor([1.0, 2.0, 3.0]), 0)
    tensor([1., 3., 6.])
    """
    return as_tensor(input, dtype).cumsum(dim)


def cumprod(input: Any, dim: int, dtype: Any = None) -> Tensor:
    """The products of the elements up to each one along ``dim``; the gradient is right where some are 0.

    >>> import tinygrad_rnn as tg
    >>> tg.cumprod(tg.tensor([1.0, 2.0, 3.0]), 0)
    tensor([1., 2., 6.])
    """
    return as_tensor(input, dtype).cumprod(dim)


def softmax(input: Any, dim: int | None = None, dtype: Any = None) -> Tensor:
    """exp(x) / sum(exp(x)) along ``dim``; without one PyTorch's choice: 0 of 0, 1 or 3 axes, else 1.

    >>> import tinygrad_rnn as tg
    >>> tg.softmax(tg.zeros(2), 0)
    tensor([0.5, 0.5])
    """
    x = as_tensor(input, dtype)
    return x.softmax(_usual_axis(x) if dim is None else dim)


def log_softmax(input: Any, dim: int | None = None, dtype: Any = None) -> Tensor:
    """log(softmax(x)) along ``dim``; without one PyTorch's choice, see ``softmax``.

    >>> import tinygrad_rnn as tg
    >>> tg.log_softmax(tg.zeros(2), 0)
    tensor([-0.6931, -0.6931])
    """
    x = as_tensor(input, dtype)
    return x.log_softmax(_usual_axis(x) if dim is None else dim)


def _usual_axis(x: Tensor) -> int:
    return 0 if x.ndim in (0, 1, 3) else 1


def outer(input: Any, vec2: Any) -> Tensor:
    """Every element of a vector times every element of another: (n,), (m,) give (n, m).

    >>> import tinygrad_rnn as tg
    >>> tg.outer(tg.tensor([1.0, 2.0]), tg.tensor([3.0, 4.0]))
    tensor([[3., 4.],
            [6., 8.]])
    """
    return as_tensor(input).outer(vec2)


def reshape(input: Any, shape: Any) -> Tensor:
    """The same values in another shape; one side may be -1.

    >>> import tinygrad_rnn as tg
    >>> tg.reshape(tg.ones(6), (2, -1)).shape
    (2, 3)
    """
    return as_tensor(input).reshape(shape)


def permute(input: Any, dims: Sequence[int]) -> Tensor:
    """The axes in another order.

    >>> import tinygrad_rnn as tg
    >>> tg.permute(tg.ones(2, 3, 4), (2, 0, 1)).shape
    (4, 2, 3)
    """
    return as_tensor(input).permute(*dims)


def flip(input: Any, dims: Any) -> Tensor:
    """The order along some axes reversed.

    >>> import tinygrad_rnn as tg
    >>> tg.flip(tg.arange(3), [0])
    tensor([2, 1, 0])
    """
    return as_tensor(input).flip(dims)


def tile(input: Any, dims: Any) -> Tensor:
    """The whole copied ``dims`` times along each axis (the last axes, where ``dims`` are fewer).

    >>> import tinygrad_rnn as tg
    >>> tg.tile(tg.arange(2), (2,))
    tensor([0, 1, 0, 1])
    """
    return as_tensor(input).tile(dims)


def split(tensor: Any, split_size_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Parts of a length, or of the lengths in a list, along ``dim``.

    >>> import tinygrad_rnn as tg
    >>> [part.shape for part in tg.split(tg.ones(5), 2)]
    [(2,), (2,), (1,)]
    """
    return as_tensor(tensor).split(split_size_or_sections, dim)


def detach(state: Any) -> Any:
    """A tensor, or the tensors of a state of any nesting, cut from the graph; see ``Tensor.detach``.

    >>> import tinygrad_rnn as tg
    >>> h, (c,) = tg.detach((tg.ones(2), (tg.zeros(2),)))
    >>> h.requires_grad
    False
    """
    if is_tensor(state):
        return state.detach()
    if isinstance(state, dict):
        return {key: detach(part) for key, part in state.items()}
    if isinstance(state, tuple) and hasattr(state, "_fields"):
        return type(state)(*(detach(part) for part in state))
    if isinstance(state, (tuple, list)):
        return type(state)(detach(part) for part in state)
    return state
