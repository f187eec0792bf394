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
from .tensors import functions as _functions
from .tensors import making as _making
from .tensors import several as _several
from .tensors.arrays import as_tensor, is_tensor
from .tensors.axes import Size
from .tensors.functions import *
from .tensors.making import *
from .tensors.several import *
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


_LATER = {  # names by the module that is imported when one is first used
    "commands.informing": "info",
    "derivatives.anomaly": "AnomalyError detect_anomaly",
    "graphs": "Graph GraphNode CellCall Use Ledger BackwardStep credit memory_curve spectral_radius",
    "drawing.draw": "draw",
    "derivatives.checking": "GradcheckError gradcheck",
    "derivatives.checkpoint": "checkpoint",
    "nn.naming": "name steps",
    "training": "DataLoader fit compile_step CompiledStep Film",
    "page.live.page_data": "Live",
    "forecasting": "Forecaster",
    "files": "FileFormatError load read_metadata save",
}
_MODULES = {
    "distributed": "training.distributed",
    "func": "derivatives.transforms",
    "random": "engine.random",
}
_OWN_PATHS = (
    "autograd backends data distributions estimators forecasting interop linalg nn onnx optim plots "
    "training utils"
)
_MODULES.update((name, name) for name in _OWN_PATHS.split())


def __getattr__(name: str) -> Any:
    """Names whose modules are imported when first used, so that importing stays cheap."""
    from importlib import import_module

    if name in _MODULES:
        return import_module(f".{_MODULES[name]}", __name__)
    for module, names in _LATER.items():
        if name in names.split():
            from .engine.signatures import written

            found = written(getattr(import_module(f".{module}", __name__), name))
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
    "as_tensor",
    "bool",
    "checkpoint",
    "compile_step",
    "credit",
    "cuda",
    "data",
    "detect_anomaly",
    "device",
    "distributed",
    "double",
    "draw",
    "enable_grad",
    "fit",
    "float",
    "float16",
    "float32",
    "float64",
    "forecasting",
    "func",
    "get_rng_state",
    "grad",
    "gradcheck",
    "graph",
    "half",
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
    "linalg",
    "load",
    "long",
    "manual_seed",
    "memory_curve",
    "name",
    "nan",
    "nn",
    "no_grad",
    "optim",
    "pi",
    "plots",
    "read_metadata",
    "save",
    "set_grad_enabled",
    "set_rng_state",
    "short",
    "spectral_radius",
    "steps",
    "training",
    "uint8",
    "utils",
]
__all__ += _functions.__all__
__all__ += _making.__all__
__all__ += _several.__all__


def __dir__() -> list[str]:
    """The public names and nothing else, for an editor's list."""
    from .doors import public_names

    return public_names(__name__, [*__all__, *_MODULES, "__version__"])


_readable(__name__)
