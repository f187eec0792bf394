"""Modules: layers, cells, the loop over time, losses, and how parameters start."""

from . import functional, init, utils
from .cells import (
    CoupledLSTMCell,
    GRUCell,
    LayerNormLSTMCell,
    LSTMCell,
    PeepholeLSTMCell,
    RNNCell,
)
from .gates import GateRecord, record_gates
from .layers import (
    ELU,
    GELU,
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    Dropout,
    Embedding,
    L1Loss,
    LayerNorm,
    LeakyReLU,
    Linear,
    MSELoss,
    NLLLoss,
    ReLU,
    Sigmoid,
    SiLU,
    Tanh,
)
from .module import Module, ModuleList, Parameter, Sequential
from .recurrent import Recurrent
from .stacks import GRU, LSTM, RNN
from .truncated import Chunk, tbptt

__all__ = [
    "ELU",
    "GELU",
    "GRU",
    "LSTM",
    "RNN",
    "BCEWithLogitsLoss",
    "Chunk",
    "CoupledLSTMCell",
    "CrossEntropyLoss",
    "Dropout",
    "Embedding",
    "GRUCell",
    "GateRecord",
    "L1Loss",
    "LSTMCell",
    "LayerNorm",
    "LayerNormLSTMCell",
    "LeakyReLU",
    "Linear",
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
    "Tanh",
    "functional",
    "init",
    "record_gates",
    "tbptt",
    "utils",
]
