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


def function_of(method: Callable[Concatenate[Tensor, P], R]) -> Callable[Concatenate[Any, P], R]:
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


abs = function_of(Tensor.abs)
sqrt = function_of(Tensor.sqrt)
exp = function_of(Tensor.exp)
log = function_of(Tensor.log)
log1p = function_of(Tensor.log1p)
expm1 = function_of(Tensor.expm1)
sin = function_of(Tensor.sin)
cos = function_of(Tensor.cos)
square = function_of(Tensor.square)
sign = function_of(Tensor.sign)
tanh = function_of(Tensor.tanh)
sigmoid = function_of(Tensor.sigmoid)
erf = function_of(Tensor.erf)
neg = function_of(Tensor.neg)
clip = function_of(Tensor.clip)
floor = function_of(Tensor.floor)
ceil = function_of(Tensor.ceil)
round = function_of(Tensor.round)
nan_to_num = function_of(Tensor.nan_to_num)
isnan = function_of(Tensor.isnan)
isinf = function_of(Tensor.isinf)
isfinite = function_of(Tensor.isfinite)
logical_and = function_of(Tensor.logical_and)
logical_or = function_of(Tensor.logical_or)
logical_xor = function_of(Tensor.logical_xor)
logical_not = function_of(Tensor.logical_not)
allclose = function_of(Tensor.allclose)
equal = function_of(Tensor.equal)

var = function_of(Tensor.var)
std = function_of(Tensor.std)
norm = function_of(Tensor.norm)
amax = function_of(Tensor.amax)
amin = function_of(Tensor.amin)
max = function_of(Tensor.max)
min = function_of(Tensor.min)
argmax = function_of(Tensor.argmax)
argmin = function_of(Tensor.argmin)
all = function_of(Tensor.all)
any = function_of(Tensor.any)
logsumexp = function_of(Tensor.logsumexp)
cummax = function_of(Tensor.cummax)
cummin = function_of(Tensor.cummin)
median = function_of(Tensor.median)
sort = function_of(Tensor.sort)
argsort = function_of(Tensor.argsort)
topk = function_of(Tensor.topk)
unique = function_of(Tensor.unique)
bincount = function_of(Tensor.bincount)
multinomial = function_of(Tensor.multinomial)
dot = function_of(Tensor.dot)
mv = function_of(Tensor.mv)
addmm = function_of(Tensor.addmm)

flatten = function_of(Tensor.flatten)
ravel = function_of(Tensor.ravel)
transpose = function_of(Tensor.transpose)
squeeze = function_of(Tensor.squeeze)
unsqueeze = function_of(Tensor.unsqueeze)
broadcast_to = function_of(Tensor.broadcast_to)
roll = function_of(Tensor.roll)
chunk = function_of(Tensor.chunk)
unbind = function_of(Tensor.unbind)
gather = function_of(Tensor.gather)
take_along_dim = function_of(Tensor.take_along_dim)
index_select = function_of(Tensor.index_select)
masked_fill = function_of(Tensor.masked_fill)
scatter = function_of(Tensor.scatter)  # type: ignore[arg-type]  # its options have any name
scatter_add = function_of(Tensor.scatter_add)
diff = function_of(Tensor.diff)
tril = function_of(Tensor.tril)
triu = function_of(Tensor.triu)
numel = function_of(Tensor.numel)

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
