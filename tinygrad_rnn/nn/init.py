"""How do parameters start? Each function writes a tensor in place and returns it.

Randomness comes from ``generator`` (a ``numpy.random.Generator``), by default the one that
``tinygrad_rnn.manual_seed`` sets.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ..doors import for_scripts
from ..engine.random import generator_or_default
from ..engine.signatures import readable
from ..engine.switches import no_grad
from ..tensors import Tensor

if TYPE_CHECKING:
    from numpy.random import Generator


def _write(tensor: Tensor, values: Any, by: str) -> Tensor:
    with no_grad():
        return tensor.copy_(values, by=f"nn.init.{by}")


def _begin(module: Any, generator: Generator | None) -> None:
    """Have a module start its Parameters; what a subclass says of it need not know of generators."""
    if generator is None:
        module.reset_parameters()
    else:
        module.reset_parameters(generator)


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Every value ``val``.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.init.constant_(tg.zeros(2), 3.0)
    tensor([3., 3.])
    """
    return _write(tensor, val, "constant_")


def zeros_(tensor: Tensor) -> Tensor:
    """Every value 0.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.init.zeros_(tg.ones(2))
    tensor([0., 0.])
    """
    return _write(tensor, 0.0, "zeros_")


def ones_(tensor: Tensor) -> Tensor:
    """Every value 1.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.init.ones_(tg.zeros(2))
    tensor([1., 1.])
    """
    return _write(tensor, 1.0, "ones_")


def _scale_and_shift(module: Any) -> None:
    """A norm's weight 1 and its bias 0, where it has them."""
    for parameter, start in ((module.weight, ones_), (module.bias, zeros_)):
        if parameter is not None:
            start(parameter)


def uniform_(
    tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Values from U(a, b).

    >>> import tinygrad_rnn as tg
    >>> t = tg.nn.init.uniform_(tg.zeros(100), -2.0, 2.0)
    >>> bool((t.abs() <= 2).all())
    True
    """
    return _write(tensor, generator_or_default(generator).uniform(a, b, tensor.shape), "uniform_")


def normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Values from N(mean, std squared).

    >>> import tinygrad_rnn as tg
    >>> tg.nn.init.normal_(tg.zeros(2, 3)).shape
    (2, 3)
    """
    return _write(
        tensor, generator_or_default(generator).normal(mean, std, tensor.shape), "normal_"
    )


def xavier_uniform_(
    tensor: Tensor, gain: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """U(-a, a) with a = gain sqrt(6 / (fan_in + fan_out)) (Glorot & Bengio 2010).

    >>> import tinygrad_rnn as tg
    >>> t = tg.nn.init.xavier_uniform_(tg.zeros(3, 3))
    >>> bool((t.abs() <= 1).all())
    True
    """
    fan_in, fan_out = _fans(tensor, "xavier_uniform_")
    bound = gain * math.sqrt(6 / (fan_in + fan_out))
    values = generator_or_default(generator).uniform(-bound, bound, tensor.shape)
    return _write(tensor, values, "xavier_uniform_")


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """N(0, s squared) with s = gain sqrt(2 / (fan_in + fan_out)) (Glorot & Bengio 2010).

    >>> import tinygrad_rnn as tg
    >>> tg.nn.init.xavier_normal_(tg.zeros(3, 3)).shape
    (3, 3)
    """
    fan_in, fan_out = _fans(tensor, "xavier_normal_")
    std = gain * math.sqrt(2 / (fan_in + fan_out))
    values = generator_or_default(generator).normal(0, std, tensor.shape)
    return _write(tensor, values, "xavier_normal_")


_GAINS = {"linear": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2)}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The gain that keeps the variance through a nonlinearity, PyTorch's values.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.init.calculate_gain("tanh")
    1.6666666666666667
    """
    if nonlinearity == "leaky_relu":
        return math.sqrt(2 / (1 + (0.01 if param is None else param) ** 2))
    if nonlinearity not in _GAINS:
        known = ", ".join([*_GAINS, "leaky_relu"])
        raise ValueError(f"no gain is known for {nonlinearity!r}; there are: {known}")
    return _GAINS[nonlinearity]


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """U(-b, b) with b = gain sqrt(3 / fan) (He et al. 2015).

    >>> import tinygrad_rnn as tg
    >>> bool((tg.nn.init.kaiming_uniform_(tg.zeros(3, 6)).abs() <= 1).all())
    True
    """
    bound = math.sqrt(3) * _kaiming_std(tensor, a, mode, nonlinearity)
    values = generator_or_default(generator).uniform(-bound, bound, tensor.shape)
    return _write(tensor, values, "kaiming_uniform_")


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """N(0, s squared) with s = gain / sqrt(fan) (He et al. 2015).

    >>> import tinygrad_rnn as tg
    >>> tg.nn.init.kaiming_normal_(tg.zeros(3, 6)).shape
    (3, 6)
    """
    std = _kaiming_std(tensor, a, mode, nonlinearity)
    return _write(
        tensor, generator_or_default(generator).normal(0, std, tensor.shape), "kaiming_normal_"
    )


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"mode must be 'fan_in' or 'fan_out', got {mode!r}")
    fan = _fans(tensor, "kaiming")[mode == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


def _fans(tensor: Tensor, who: str) -> tuple[int, int]:
    """How many inputs each output has, and how many outputs each input."""
    if tensor.ndim < 2:
        raise ValueError(f"{who} needs at least 2 axes, got shape {tensor.shape}")
    area = math.prod(tensor.shape[2:])
    return tensor.shape[1] * area, tensor.shape[0] * area


def orthogonal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """A matrix with orthonormal rows or columns, times ``gain`` (Saxe, McClelland & Ganguli 2014).

    The Q of the QR decomposition of a normal matrix, with the signs that make it uniform.

    >>> import numpy as np, tinygrad_rnn as tg
    >>> q = tg.nn.init.orthogonal_(tg.zeros(3, 3, dtype=tg.float64))
    >>> bool(np.allclose(q.numpy() @ q.numpy().T, np.eye(3)))
    True
    """
    if tensor.ndim < 2:
        raise ValueError(f"orthogonal_ needs at least 2 axes, got shape {tensor.shape}")
    return _write(tensor, gain * _orthogonal(tensor.shape, generator), "orthogonal_")


def _orthogonal(shape: tuple[int, ...], generator: Generator | None) -> Any:
    rows, columns = shape[0], math.prod(shape[1:])
    normal = generator_or_default(generator).normal(size=(rows, columns))
    q, r = np.linalg.qr(normal if rows >= columns else normal.T)
    q = q * np.sign(np.diag(r))
    return (q if rows >= columns else q.T).reshape(shape)


def recurrent_(weight: Tensor, gates: int, generator: Generator | None = None) -> Tensor:
    """A recurrent weight (gates * H, H): each gate's (H, H) block orthogonal on its own.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.init.recurrent_(tg.zeros(8, 2), gates=4).shape
    (8, 2)
    """
    side = (weight.shape[0] // gates, weight.shape[1])
    blocks = [_orthogonal(side, generator) for _ in range(gates)]
    return _write(weight, np.concatenate(blocks), "recurrent_")


def eye_(tensor: Tensor) -> Tensor:
    """The identity matrix; on a recurrent weight of a relu RNN this is the IRNN (Le et al. 2015).

    >>> import tinygrad_rnn as tg
    >>> tg.nn.init.eye_(tg.zeros(2, 2))
    tensor([[1., 0.],
            [0., 1.]])
    """
    if tensor.ndim != 2:
        raise ValueError(f"eye_ needs a matrix, got shape {tensor.shape}")
    return _write(tensor, np.eye(tensor.shape[0], tensor.shape[1]), "eye_")


def identity_(module: Any, scale: float = 1.0) -> Any:
    """Start an RNN as an IRNN (Le, Jaitly & Hinton 2015): W_hh = scale I, biases 0; returns it.

    ``module`` is a layer or cell without gates (RNN, RNNCell), best with ``nonlinearity="relu"``.

    >>> import tinygrad_rnn as tg
    >>> rnn = tg.nn.init.identity_(tg.nn.RNN(2, 3, nonlinearity="relu"))
    >>> rnn.weight_hh_l0[0]
    tensor([1., 0., 0.], grad_fn=<getitem>)
    """
    for cell in _cells(module):
        if len(cell.gates) > 1:
            raise TypeError(
                f"identity_ starts cells without gates, and {type(cell).__name__} has some"
            )
        _write(cell.weight_hh, scale * np.eye(*cell.weight_hh.shape), "identity_")
        for bias in (cell.bias_ih, cell.bias_hh):
            if bias is not None:
                zeros_(bias)
    return module


def forget_bias_(module: Any, value: float = 1.0) -> Any:
    """Set the forget gate's bias of an LSTM layer or cell (Jozefowicz et al. 2015); returns it.

    The sum of the two biases is meant: ``bias_ih`` gets it, ``bias_hh`` 0; other gates stay.

    >>> import tinygrad_rnn as tg
    >>> lstm = tg.nn.init.forget_bias_(tg.nn.LSTM(2, 1), 3.0)
    >>> lstm.bias_ih_l0.detach()
    tensor([0., 3., 0., 0.])
    """
    for cell in _cells(module):
        _gate_bias(cell, "f", value, "forget_bias_")
    return module


def chrono_(module: Any, time_steps: int, generator: Generator | None = None) -> Any:
    """Chrono initialisation of an LSTM or GRU, layer or cell (Tallec & Ollivier 2018); returns it.

    ``b_f = log(U[1, T - 1])``, ``b_i = -b_f``, T = ``time_steps`` the longest dependency expected:
    units then forget over spans from 1 to T. A coupled cell has the forget gate's part alone, and in a
    GRU, where z keeps the state, it is ``b_z``.

    >>> import numpy as np, tinygrad_rnn as tg
    >>> lstm = tg.nn.init.chrono_(tg.nn.LSTM(2, 4), time_steps=100)
    >>> bool((lstm.bias_ih_l0[4:8] >= 0).all())
    True
    """
    if time_steps < 3:
        raise ValueError(f"chrono_: time_steps must be at least 3, got {time_steps}")
    for cell in _cells(module):
        spans = generator_or_default(generator).uniform(1, time_steps - 1, cell.hidden_size)
        _gate_bias(cell, "z" if "z" in cell.gates else "f", np.log(spans), "chrono_")
        if "i" in cell.gates:
            _gate_bias(cell, "i", -np.log(spans), "chrono_")
    return module


def _cells(module: Any) -> list[Any]:
    """The cells of a recurrent layer, or the cell itself."""
    cells = list(module.cells()) if hasattr(module, "cells") else [module]
    for cell in cells:
        if not hasattr(cell, "gates"):
            raise TypeError(
                f"{type(cell).__name__} is neither a recurrent layer nor a built-in cell"
            )
    return cells


def _gate_bias(cell: Any, gate: str, value: Any, by: str) -> None:
    """Set the sum of the two biases of one gate."""
    if gate not in cell.gates or cell.bias_ih is None:
        lack = "biases" if gate in cell.gates else f"gate {gate!r}"
        raise TypeError(f"{by} needs a cell with {lack}, and {type(cell).__name__} has none")
    at = list(cell.gates).index(gate) * cell.hidden_size
    for bias, new in ((cell.bias_ih, value), (cell.bias_hh, 0.0)):
        if bias is not None:
            _write(bias.data[at : at + cell.hidden_size], new, by)


def __getattr__(name: str) -> Any:
    """PyTorch's names from before 0.4: ``xavier_uniform`` is ``xavier_uniform_``."""
    found = None if name.startswith("_") else globals().get(f"{name}_")
    return for_scripts(__name__, name) if found is None else found


readable(__name__)
