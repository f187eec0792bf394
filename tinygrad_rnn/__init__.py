"""One set of weights, every time step: recurrent networks that you can run, see, measure and use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as _np

from . import nn, optim
from .autograd import StaleGraphError, enable_grad, grad, is_grad_enabled, no_grad
from .devices import cuda, device
from .functions import (
    abs,
    arange,
    argmax,
    broadcast_to,
    cat,
    chunk,
    clamp,
    clip,
    concat,
    cos,
    cumsum,
    detach,
    dot,
    einsum,
    exp,
    expm1,
    eye,
    flatten,
    flip,
    full,
    gather,
    is_tensor,
    linspace,
    log,
    log1p,
    log_softmax,
    logsumexp,
    matmul,
    max,
    maximum,
    mean,
    min,
    minimum,
    norm,
    ones,
    ones_like,
    outer,
    permute,
    pow,
    prod,
    rand,
    randn,
    relu,
    reshape,
    roll,
    sigmoid,
    sign,
    sin,
    softmax,
    split,
    sqrt,
    square,
    squeeze,
    stack,
    std,
    sum,
    swapaxes,
    swapdims,
    take_along_dim,
    tanh,
    tile,
    transpose,
    unbind,
    unsqueeze,
    var,
    where,
    zeros,
    zeros_like,
)
from .nn.naming import name, steps
from .random import get_rng_state, manual_seed, set_rng_state
from .tensors import (
    Tensor,
    as_tensor,
    from_numpy,
    get_default_dtype,
    set_default_dtype,
    tensor,
)
from .torch_functions import (
    all,
    allclose,
    any,
    argmin,
    argsort,
    bmm,
    ceil,
    empty,
    empty_like,
    equal,
    floor,
    full_like,
    index_select,
    isfinite,
    isinf,
    isnan,
    masked_fill,
    mm,
    multinomial,
    normal,
    numel,
    rand_like,
    randint,
    randn_like,
    randperm,
    round,
    set_grad_enabled,
    sort,
    topk,
)

if TYPE_CHECKING:
    from . import data, distributed, interop, training, utils
    from . import transforms as func
    from .anomaly import AnomalyError, detect_anomaly
    from .checking import GradcheckError, gradcheck
    from .drawing.draw import draw
    from .environment import info
    from .files import FileFormatError, load, read_metadata, save
    from .graphs import Graph, Ledger
    from .recompute import checkpoint
    from .training import DataLoader, fit

__version__ = "0.1.0"

float16 = half = _np.dtype(_np.float16)
float32 = float = _np.dtype(_np.float32)
float64 = double = _np.dtype(_np.float64)
pi, inf, nan = _np.pi, _np.inf, _np.nan
inference_mode = no_grad
int8 = _np.dtype(_np.int8)
int16 = short = _np.dtype(_np.int16)
int32 = int = _np.dtype(_np.int32)
int64 = long = _np.dtype(_np.int64)
uint8 = _np.dtype(_np.uint8)
bool = _np.dtype(_np.bool_)


def graph(*outputs: Tensor) -> Graph:
    """The recorded computation behind some tensors, as data; see :class:`Graph`.

    >>> import tinygrad_rnn as tg
    >>> lstm = tg.nn.LSTM(2, 3)
    >>> y, (h, c) = lstm(tg.zeros(300, 1, 2))
    >>> len(tg.graph(y).uses(lstm.weight_hh_l0))
    300
    """
    from .graphs import Graph

    return Graph(*outputs)


_LATER = {
    "info": "environment",
    "AnomalyError": "anomaly",
    "detect_anomaly": "anomaly",
    "Graph": "graphs",
    "GraphNode": "graphs",
    "CellCall": "graphs",
    "Use": "graphs",
    "Ledger": "graphs",
    "BackwardStep": "graphs",
    "credit": "graphs",
    "memory_curve": "graphs",
    "spectral_radius": "graphs",
    "draw": "drawing.draw",
    "GradcheckError": "checking",
    "gradcheck": "checking",
    "checkpoint": "recompute",
    "DataLoader": "training",
    "fit": "training",
    "FileFormatError": "files",
    "load": "files",
    "read_metadata": "files",
    "save": "files",
}
_MODULES = {
    "data": "data",
    "distributed": "distributed",
    "func": "transforms",
    "interop": "interop",
    "training": "training",
    "utils": "utils",
}


def __getattr__(name: str) -> Any:
    """Names whose modules are imported when first used, so that importing stays cheap."""
    from importlib import import_module

    if name in _MODULES:
        return import_module(f".{_MODULES[name]}", __name__)
    if name in _LATER:
        return getattr(import_module(f".{_LATER[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "AnomalyError",
    "BackwardStep",
    "CellCall",
    "DataLoader",
    "FileFormatError",
    "GradcheckError",
    "Graph",
    "GraphNode",
    "Ledger",
    "StaleGraphError",
    "Tensor",
    "Use",
    "abs",
    "all",
    "allclose",
    "any",
    "arange",
    "argmax",
    "argmin",
    "argsort",
    "as_tensor",
    "bmm",
    "bool",
    "broadcast_to",
    "cat",
    "ceil",
    "checkpoint",
    "chunk",
    "clamp",
    "clip",
    "concat",
    "cos",
    "credit",
    "cuda",
    "cumsum",
    "data",
    "detach",
    "detect_anomaly",
    "device",
    "distributed",
    "dot",
    "double",
    "draw",
    "einsum",
    "empty",
    "empty_like",
    "enable_grad",
    "equal",
    "exp",
    "expm1",
    "eye",
    "fit",
    "flatten",
    "flip",
    "float",
    "float16",
    "float32",
    "float64",
    "floor",
    "from_numpy",
    "full",
    "full_like",
    "func",
    "gather",
    "get_default_dtype",
    "get_rng_state",
    "grad",
    "gradcheck",
    "graph",
    "half",
    "index_select",
    "inf",
    "inference_mode",
    "info",
    "int",
    "int8",
    "int16",
    "int32",
    "int64",
    "interop",
    "is_grad_enabled",
    "is_tensor",
    "isfinite",
    "isinf",
    "isnan",
    "linspace",
    "load",
    "log",
    "log1p",
    "log_softmax",
    "logsumexp",
    "long",
    "manual_seed",
    "masked_fill",
    "matmul",
    "max",
    "maximum",
    "mean",
    "memory_curve",
    "min",
    "minimum",
    "mm",
    "multinomial",
    "name",
    "nan",
    "nn",
    "no_grad",
    "norm",
    "normal",
    "numel",
    "ones",
    "ones_like",
    "optim",
    "outer",
    "permute",
    "pi",
    "pow",
    "prod",
    "rand",
    "rand_like",
    "randint",
    "randn",
    "randn_like",
    "randperm",
    "read_metadata",
    "relu",
    "reshape",
    "roll",
    "round",
    "save",
    "set_default_dtype",
    "set_grad_enabled",
    "set_rng_state",
    "short",
    "sigmoid",
    "sign",
    "sin",
    "softmax",
    "sort",
    "spectral_radius",
    "split",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "std",
    "steps",
    "sum",
    "swapaxes",
    "swapdims",
    "take_along_dim",
    "tanh",
    "tensor",
    "tile",
    "topk",
    "training",
    "transpose",
    "uint8",
    "unbind",
    "unsqueeze",
    "utils",
    "var",
    "where",
    "zeros",
    "zeros_like",
]
