"""How are live layers of other frameworks read? Their arrays by name, by which the table reads them.

None of these imports the framework: what is given brings its own methods.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from .packing import WeightsError
from .weights import from_weights


def from_flax(source: Any, layer: str | None = None, **options: Any) -> Any:
    """A recurrent layer from Flax: a linen variables dict, an ``nnx`` module or its state.

    ``source`` is what ``init`` returned (with or without "params" and "cell" around it), or an
    ``nnx.LSTMCell``, ``OptimizedLSTMCell``, ``GRUCell``, ``SimpleCell``, ``nnx.RNN`` or ``Bidirectional``
    of them. ``gate_fn``, ``activation_fn`` and the like are given as ``options``; what else there is, and
    what is raised, see ``from_weights``.

    >>> import numpy as np, tinygrad_rnn as tg
    >>> params = {"i": {"kernel": np.ones((2, 3)), "bias": np.zeros(3)}, "h": {"kernel": np.eye(3)}}
    >>> tg.interop.from_flax({"params": params})
    RNN(2, 3, batch_first=True)  # 21 parameters
    """
    if _is_nnx(source):
        source = _nnx_state(source)
    arrays = _flat(source, "/")
    bare = [name.rpartition("cell/")[2] for name in arrays]
    of_nnx = any(name.startswith(("dense_", "if_/")) for name in bare)
    return from_weights(arrays, "nnx" if of_nnx else "flax", layer=layer, **options)


def from_equinox(source: Any, layer: str | None = None, **options: Any) -> Any:
    """A recurrent layer from an ``equinox.nn.LSTMCell`` or ``GRUCell``, or their arrays by name.

    The cell becomes a layer over (time, features) or (time, batch, features); see ``from_weights``.

    >>> import numpy as np, tinygrad_rnn as tg
    >>> arrays = {"weight_ih": np.ones((12, 2)), "weight_hh": np.ones((12, 3)), "bias": np.ones(12)}
    >>> tg.interop.from_equinox(arrays)
    LSTM(2, 3)  # 84 parameters
    """
    names = ("weight_ih", "weight_hh", "bias", "bias_n")
    return from_weights(_held(source, names), "equinox", layer=layer, **options)


def from_haiku(source: Any, layer: str | None = None, **options: Any) -> Any:
    """A recurrent layer from a dm-haiku parameter dict, ``{module: {name: array}}``; see ``from_weights``.

    >>> import numpy as np, tinygrad_rnn as tg
    >>> params = {"lstm/linear": {"w": np.ones((5, 12)), "b": np.zeros(12)}}
    >>> tg.interop.from_haiku(params)
    LSTM(2, 3)  # 84 parameters
    """
    return from_weights(_flat(source, "/"), "haiku", layer=layer, **options)


def from_mlx(source: Any, layer: str | None = None, **options: Any) -> Any:
    """A recurrent layer from an ``mlx.nn.LSTM``, ``GRU`` or ``RNN``, or its parameters by name.

    >>> import numpy as np, tinygrad_rnn as tg
    >>> arrays = {"Wx": np.ones((12, 2)), "Wh": np.ones((12, 3)), "bias": np.zeros(12)}
    >>> tg.interop.from_mlx(arrays)
    LSTM(2, 3, batch_first=True)  # 84 parameters
    """
    tree = source.parameters() if callable(getattr(source, "parameters", None)) else source
    return from_weights(_flat(tree, "."), "mlx", layer=layer, **options)


def from_paddle(source: Any, layer: str | None = None, **options: Any) -> Any:
    """A recurrent layer from a ``paddle.nn.LSTM``, ``GRU`` or ``SimpleRNN``, or its state dict.

    Several layers, both directions, projections; ``time_major`` is read of a live layer; see
    ``from_weights``.

    >>> import numpy as np, tinygrad_rnn as tg
    >>> arrays = {"weight_ih_l0": np.ones((12, 2)), "weight_hh_l0": np.ones((12, 3))}
    >>> tg.interop.from_paddle(arrays)
    LSTM(2, 3, bias=False, batch_first=True)  # 60 parameters
    """
    if isinstance(getattr(source, "time_major", None), bool):
        options.setdefault("batch_first", not source.time_major)
    return from_weights(_state(source), "paddle", layer=layer, **options)


def from_chainer(source: Any, layer: str | None = None, **options: Any) -> Any:
    """A recurrent layer from a Chainer link (``LSTM``, ``StatefulGRU``, ``NStepLSTM``, ...), or its arrays.

    A link says its class; for arrays by name ("upward/W", "0/w0") give ``layer="NStepRNNReLU"`` where names
    leave a choice. See ``from_weights``.

    >>> import numpy as np, tinygrad_rnn as tg
    >>> arrays = {f"0/{w}": np.ones((3, 3)) for w in ("w0", "w1")}
    >>> arrays |= {f"0/{b}": np.zeros(3) for b in ("b0", "b1")}
    >>> tg.interop.from_chainer(arrays, layer="NStepRNNReLU")
    RNN(3, 3, nonlinearity='relu')  # 24 parameters
    """
    if hasattr(source, "namedparams"):
        layer = layer or type(source).__name__
        if "NStepBi" in layer:
            options.setdefault("direction", "bidirectional")
        elif "NStep" in layer:
            options.setdefault("direction", "forward")
        source = {name.lstrip("/"): p.array for name, p in source.namedparams()}
    return from_weights(_flat(source, "/"), "chainer", layer=layer, **options)


def from_mxnet(source: Any, layer: str | None = None, **options: Any) -> Any:
    """A recurrent layer from a ``mxnet.gluon.rnn`` layer, or its parameters by name; see ``from_weights``.

    >>> import numpy as np, tinygrad_rnn as tg
    >>> arrays = {"l0_i2h_weight": np.ones((3, 2)), "l0_h2h_weight": np.ones((3, 3))}
    >>> arrays |= {"l0_i2h_bias": np.ones(3), "l0_h2h_bias": np.ones(3)}
    >>> tg.interop.from_mxnet(arrays)
    RNN(2, 3, nonlinearity='relu')  # 21 parameters
    """
    if hasattr(source, "collect_params"):
        mode = str(getattr(source, "_mode", ""))
        if mode.startswith("rnn_"):
            options.setdefault("activation", mode.removeprefix("rnn_"))
        options.setdefault("batch_first", getattr(source, "_layout", "TNC") == "NTC")
        source = {name: p.data().asnumpy() for name, p in source.collect_params().items()}
    return from_weights(_flat(source, "."), "mxnet", layer=layer, **options)


def from_tinygrad(source: Any, layer: str | None = None, **options: Any) -> Any:
    """A recurrent layer from a ``tinygrad.nn.LSTMCell``, or its arrays by name; see ``from_weights``.

    >>> import numpy as np, tinygrad_rnn as tg
    >>> arrays = {"weight_ih": np.ones((12, 2)), "weight_hh": np.ones((12, 3))}
    >>> arrays |= {"bias_ih": np.ones(12), "bias_hh": np.ones(12)}
    >>> tg.interop.from_tinygrad(arrays)
    LSTM(2, 3)  # 84 parameters
    """
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    return from_weights(_held(source, names), "tinygrad", layer=layer, **options)


def from_ncps(source: Any, layer: str | None = None, **options: Any) -> Any:
    """A recurrent layer from ncps's ``LSTMCell`` or ``CfC`` in PyTorch, or its state dict.

    ``activation`` and ``mode`` of a CfC are options (defaults "lecun_tanh" and "default"); a wired CfC and an
    LTC have rules that are not read. See ``from_weights``.


    >>> import numpy as np, tinygrad_rnn as tg
    >>> arrays = {"input_map.weight": np.ones((12, 2)), "input_map.bias": np.ones(12)}
    >>> tg.interop.from_ncps({**arrays, "recurrent_map.weight": np.ones((12, 3))})
    LSTM(2, 3)  # 84 parameters
    """
    arrays = _state(source)
    if any(".layer_0." in f".{name}" or "wiring" in name for name in arrays):
        raise WeightsError("ncps's wired CfC and LTC have a rule of their own, which is not read")
    return from_weights(arrays, "ncps", layer=layer, **options)


# ---- arrays by name ---------------------------------------------------------------------------------


def _flat(tree: Any, between: str) -> dict[str, Any]:
    """A nesting of dicts as names joined by what stands between."""
    if not isinstance(tree, Mapping):
        raise TypeError(f"expected a layer or arrays by name, got {type(tree).__name__}")
    found: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            found |= {f"{name}{between}{k}": v for k, v in _flat(value, between).items()}
        else:
            found[str(name)] = _numbers(value)
    return found


def _numbers(value: Any) -> Any:
    """An array of any framework as numpy's."""
    made: Callable[[], Any] | None = getattr(value, "numpy", None)
    if made is None or hasattr(value, "cpu"):
        return value
    return np.asarray(made())


def _held(source: Any, names: Iterable[str]) -> dict[str, Any]:
    """The arrays that a cell holds as attributes."""
    if isinstance(source, Mapping):
        return _flat(source, ".")
    found = {name: getattr(source, name) for name in names if hasattr(source, name)}
    return {name: _numbers(value) for name, value in found.items() if value is not None}


def _state(source: Any) -> dict[str, Any]:
    """A state dict, or that of a layer."""
    return _flat(source.state_dict() if hasattr(source, "state_dict") else source, ".")


def _is_nnx(source: Any) -> bool:
    """Whether something is an nnx module, one of its own classes or a subclass, or a state of one."""
    return any(kind.__module__.startswith("flax.nnx") for kind in type(source).__mro__)


def _nnx_state(source: Any) -> dict[str, Any]:
    """The Params of an nnx module, or of its state, by name."""
    from importlib import import_module

    nnx = import_module("flax.nnx")
    state = source if isinstance(source, nnx.State) else nnx.state(source, nnx.Param)
    return {"/".join(map(str, path)): p[...] for path, p in nnx.to_flat_state(state)}
