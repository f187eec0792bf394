"""What is in the library? One set of weights, every time step: recurrent networks to run, see and use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as _np

from ._version import __version__ as __version__
from .engine.devices import cuda, device
from .engine.gradients import grad
from .engine.random import get_rng_state, manual_seed, set_rng_state
from .engine.signatures import readable as _readable
from .engine.stale import StaleGraphError
from .engine.switches import enable_grad, is_grad_enabled, no_grad, set_grad_enabled
from .tensors.arrays import as_tensor, is_tensor
from .tensors.axes import Size
from .tensors.functions import (
    abs,
    addmm,
    all,
    allclose,
    amax,
    amin,
    any,
    argmax,
    argmin,
    argsort,
    bincount,
    broadcast_to,
    ceil,
    chunk,
    clamp,
    clip,
    cos,
    cummax,
    cummin,
    cumprod,
    cumsum,
    detach,
    diff,
    dot,
    equal,
    erf,
    exp,
    expm1,
    flatten,
    flip,
    floor,
    gather,
    index_select,
    isfinite,
    isinf,
    isnan,
    log,
    log1p,
    log_softmax,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    logsumexp,
    masked_fill,
    max,
    mean,
    median,
    min,
    multinomial,
    mv,
    nan_to_num,
    neg,
    norm,
    numel,
    outer,
    permute,
    prod,
    ravel,
    relu,
    reshape,
    roll,
    round,
    scatter,
    scatter_add,
    sigmoid,
    sign,
    sin,
    softmax,
    sort,
    split,
    sqrt,
    square,
    squeeze,
    std,
    sum,
    swapaxes,
    swapdims,
    take_along_dim,
    tanh,
    tile,
    topk,
    transpose,
    tril,
    triu,
    unbind,
    unique,
    unsqueeze,
    var,
)
from .tensors.making import (
    arange,
    empty,
    empty_like,
    eye,
    from_dlpack,
    from_numpy,
    full,
    full_like,
    get_default_dtype,
    linspace,
    normal,
    ones,
    ones_like,
    rand,
    rand_like,
    randint,
    randn,
    randn_like,
    randperm,
    set_default_dtype,
    tensor,
    zeros,
    zeros_like,
)
from .tensors.several import (
    add,
    arctan2,
    atan2,
    bmm,
    cat,
    concat,
    div,
    divide,
    einsum,
    lerp,
    matmul,
    maximum,
    meshgrid,
    minimum,
    mm,
    mul,
    multiply,
    pow,
    stack,
    sub,
    subtract,
    true_divide,
    where,
)
from .tensors.value import Tensor

if TYPE_CHECKING:
    from . import (
        data,
        forecasting,
        interop,
        nn,
        optim,
        plots,
        training,
    )
    from .commands.informing import info
    from .compat.paths import linalg, utils
    from .derivatives import transforms as func
    from .derivatives.anomaly import AnomalyError, detect_anomaly
    from .derivatives.checking import GradcheckError, gradcheck
    from .derivatives.checkpoint import checkpoint
    from .drawing.draw import draw
    from .files import FileFormatError, load, read_metadata, save
    from .forecasting import Forecaster
    from .graphs import Graph, Ledger
    from .nn.naming import name, steps
    from .page.live.page_data import Live
    from .training import CompiledStep, DataLoader, Film, compile_step, fit

__path__.append(
    f"{__path__[0]}/compat/paths"
)  # ``tinygrad_rnn.onnx`` and other paths of PyTorch's scripts

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
    "info": "commands.informing",
    "AnomalyError": "derivatives.anomaly",
    "detect_anomaly": "derivatives.anomaly",
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
    "GradcheckError": "derivatives.checking",
    "gradcheck": "derivatives.checking",
    "checkpoint": "derivatives.checkpoint",
    "name": "nn.naming",
    "steps": "nn.naming",
    "DataLoader": "training",
    "fit": "training",
    "compile_step": "training",
    "CompiledStep": "training",
    "Film": "training",
    "Live": "page.live.page_data",
    "Forecaster": "forecasting",
    "FileFormatError": "files",
    "load": "files",
    "read_metadata": "files",
    "save": "files",
}
_MODULES = {
    "autograd": "autograd",
    "backends": "backends",
    "data": "data",
    "distributions": "distributions",
    "distributed": "training.distributed",
    "estimators": "estimators",
    "forecasting": "forecasting",
    "func": "derivatives.transforms",
    "interop": "interop",
    "linalg": "linalg",
    "nn": "nn",
    "onnx": "onnx",
    "optim": "optim",
    "plots": "plots",
    "random": "engine.random",
    "training": "training",
    "utils": "utils",
}


def __getattr__(name: str) -> Any:
    """Names whose modules are imported when first used, so that importing stays cheap."""
    from importlib import import_module

    if name in _MODULES:
        return import_module(f".{_MODULES[name]}", __name__)
    if name in _LATER:
        from .engine.signatures import written

        found = written(getattr(import_module(f".{_LATER[name]}", __name__), name))
        globals()[name] = found  # asked for once
        return found
    from .doors import for_scripts

    return for_scripts(__name__, name)


__all__ = [
    "AnomalyError",
    "BackwardStep",
    "CellCall",
    "CompiledStep",
    "DataLoader",
    "FileFormatError",
    "Film",
    "Forecaster",
    "GradcheckError",
    "Graph",
    "GraphNode",
    "Ledger",
    "Live",
    "Size",
    "StaleGraphError",
    "Tensor",
    "Use",
    "abs",
    "add",
    "addmm",
    "all",
    "allclose",
    "amax",
    "amin",
    "any",
    "arange",
    "arctan2",
    "argmax",
    "argmin",
    "argsort",
    "as_tensor",
    "atan2",
    "bincount",
    "bmm",
    "bool",
    "broadcast_to",
    "cat",
    "ceil",
    "checkpoint",
    "chunk",
    "clamp",
    "clip",
    "compile_step",
    "concat",
    "cos",
    "credit",
    "cuda",
    "cummax",
    "cummin",
    "cumprod",
    "cumsum",
    "data",
    "detach",
    "detect_anomaly",
    "device",
    "diff",
    "distributed",
    "div",
    "divide",
    "dot",
    "double",
    "draw",
    "einsum",
    "empty",
    "empty_like",
    "enable_grad",
    "equal",
    "erf",
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
    "forecasting",
    "from_dlpack",
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
    "lerp",
    "linalg",
    "linspace",
    "load",
    "log",
    "log1p",
    "log_softmax",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "logsumexp",
    "long",
    "manual_seed",
    "masked_fill",
    "matmul",
    "max",
    "maximum",
    "mean",
    "median",
    "memory_curve",
    "meshgrid",
    "min",
    "minimum",
    "mm",
    "mul",
    "multinomial",
    "multiply",
    "mv",
    "name",
    "nan",
    "nan_to_num",
    "neg",
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
    "plots",
    "pow",
    "prod",
    "rand",
    "rand_like",
    "randint",
    "randn",
    "randn_like",
    "randperm",
    "ravel",
    "read_metadata",
    "relu",
    "reshape",
    "roll",
    "round",
    "save",
    "scatter",
    "scatter_add",
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
    "sub",
    "subtract",
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
    "tril",
    "triu",
    "true_divide",
    "uint8",
    "unbind",
    "unique",
    "unsqueeze",
    "utils",
    "var",
    "where",
    "zeros",
    "zeros_like",
]


def __dir__() -> list[str]:
    """The public names and nothing else, for an editor's list."""
    from .doors import public_names

    return public_names(__name__, [*__all__, *_MODULES, "__version__"])


_readable(__name__)
