"""What are networks made of? Modules: layers, cells, the loop over time, losses, and how parameters start."""

from typing import Any

from ..doors import for_scripts, public_names
from ..engine.signatures import readable
from . import functional, init, utils
from .activations import (
    ELU,
    GELU,
    LeakyReLU,
    LogSoftmax,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from .cells import GRUCell, LSTMCell, RNNCell
from .gates import GateRecord, record_gates
from .layers import Dropout, Embedding, Flatten, Identity, LayerNorm, Linear
from .losses import (
    BCELoss,
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    HuberLoss,
    L1Loss,
    MSELoss,
    NLLLoss,
    SmoothL1Loss,
)
from .module import Module, ModuleList, Parameter, Sequential
from .more_cells import CoupledLSTMCell, LayerNormLSTMCell, PeepholeLSTMCell
from .recurrent import Recurrent
from .stacks import GRU, LSTM, RNN
from .truncated import Chunk, tbptt


def __getattr__(name: str) -> Any:
    """What PyTorch's scripts alone ask for, imported when they do."""
    return for_scripts(__name__, name)


__all__ = [
    "ELU",
    "GELU",
    "GRU",
    "LSTM",
    "RNN",
    "BCELoss",
    "BCEWithLogitsLoss",
    "Chunk",
    "CoupledLSTMCell",
    "CrossEntropyLoss",
    "Dropout",
    "Embedding",
    "Flatten",
    "GRUCell",
    "GateRecord",
    "HuberLoss",
    "Identity",
    "L1Loss",
    "LSTMCell",
    "LayerNorm",
    "LayerNormLSTMCell",
    "LeakyReLU",
    "Linear",
    "LogSoftmax",
    "MSELoss",
    "Module",
    "ModuleList",
    "NLLLoss",
    "Parameter",
    "PeepholeLSTMCell",
    "RNNCell",
    "ReLU",
    "Recurrent",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "SmoothL1Loss",
    "Softmax",
    "Softplus",
    "Tanh",
    "functional",
    "init",
    "record_gates",
    "tbptt",
    "utils",
]


def __dir__() -> list[str]:
    """The public names and nothing else, for an editor's list."""
    return public_names(__name__, __all__)


readable(__name__)
