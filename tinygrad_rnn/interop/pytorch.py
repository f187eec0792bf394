"""How do layers and weights come from PyTorch and go back? Where it is installed, live."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .. import nn
from ..nn.module import Module
from ..tensors import Tensor


def from_torch(source: Any, into: Module | None = None) -> Any:
    """A PyTorch layer as ours, with its options and a copy of its weights.

    ``source`` may be ``RNN``, ``LSTM``, ``GRU`` and their cells, ``Linear``, ``Embedding``,
    ``LayerNorm``, ``Dropout``, activations, losses, and ``Sequential`` or ``ModuleList`` of them; a
    tensor, or a dict of tensors (a state dict), comes back as ours. A Module of your own has a forward
    that only you can write here: give your Module as ``into`` and its weights are filled in by name,
    strictly. dtype (bfloat16: float32), training mode and ``requires_grad`` are kept. Raises TypeError
    that names the layer or option that is not known here, RuntimeError with every name and shape that
    does not fit ``into``, ImportError without PyTorch.

        lstm = tg.interop.from_torch(torch.nn.LSTM(2, 3))
    """
    torch = _torch()
    if isinstance(source, torch.Tensor):
        return Tensor._made(_array(source))
    if isinstance(source, Mapping):
        return {name: from_torch(value) for name, value in source.items()}
    if not isinstance(source, torch.nn.Module):
        raise TypeError(
            f"from_torch takes a torch.nn.Module or tensors, not {type(source).__name__}"
        )
    _no_parametrizations(source)
    made = _ours(source, torch, "", {}) if into is None else into
    there = dict(source.named_parameters(remove_duplicate=False))
    _tie(there, made, dict(made._everywhere("_parameters")), "from_torch", into is None)
    made.load_state_dict({name: _array(value) for name, value in source.state_dict().items()})
    for name, parameter in made._everywhere("_parameters"):
        parameter.requires_grad = there[name].requires_grad if name in there else True
    return made.train(source.training) if into is None else made


def to_torch(source: Any, into: Any = None) -> Any:
    """One of our layers as PyTorch's, with its options and a copy of its weights; see ``from_torch``.

    A Tensor, or a dict of them, becomes PyTorch's; ``into`` is a ``torch.nn.Module`` of yours whose
    weights are filled in by name. Raises TypeError that names what PyTorch does not have (peepholes,
    learned initial states, ``reset_after=False``, ``nn.Recurrent``), ImportError without PyTorch.

        gru = tg.interop.to_torch(tg.nn.GRU(2, 3))
    """
    torch = _torch()
    if isinstance(source, Tensor):
        return torch.tensor(np.array(source.numpy()))
    if isinstance(source, Mapping):
        return {name: to_torch(value) for name, value in source.items()}
    if not isinstance(source, Module):
        raise TypeError(
            f"to_torch takes a tinygrad_rnn Module or Tensors, not {type(source).__name__}"
        )
    made = _theirs(source, torch, "", {}) if into is None else into
    here = dict(source._everywhere("_parameters"))
    theirs = dict(made.named_parameters(remove_duplicate=False))
    _tie(here, made, theirs, "to_torch", into is None)
    made.load_state_dict(to_torch(source.state_dict()))
    for name, parameter in made.named_parameters(remove_duplicate=False):
        parameter.requires_grad_(here[name].requires_grad if name in here else True)
    return made.train(source.training) if into is None else made


def _tie(source: dict[str, Any], made: Any, own: dict[str, Any], who: str, new: bool) -> None:
    """Make one Parameter of what is one in ``source``; in a module that was given, it must be one already.

    Raises RuntimeError, with nothing changed, where one side shares a Parameter and the other has two.
    """
    first: dict[int, str] = {}
    ties = []
    for name, parameter in source.items():
        original = first.setdefault(id(parameter), name)
        if original != name and {original, name} <= set(own) and own[original] is not own[name]:
            ties.append((original, name))
    if ties and not new:
        raise RuntimeError(
            f"{who}: "
            + "; ".join(
                f"{a} and {b} are one Parameter in the source and two in into" for a, b in ties
            )
            + ": tie them there first"
        )
    alike: dict[int, str] = {}
    for name, parameter in own.items():
        other = alike.setdefault(id(parameter), name)
        pair = source.get(name), source.get(other)
        if None not in pair and pair[0] is not pair[1] and not _same(*pair):
            raise RuntimeError(
                f"{who}: {other} and {name} are one Parameter in into, and two different ones in the source"
            )
    for original, name in ties:
        path, _, last = name.rpartition(".")
        owner = made
        for part in path.split(".") if path else ():
            owner = getattr(owner, part)
        setattr(owner, last, own[original])


def _same(a: Any, b: Any) -> bool:
    """Whether two tensors, of either library, have the same values."""
    first, second = (t.numpy() if isinstance(t, Tensor) else _array(t) for t in (a, b))
    return bool(np.array_equal(first, second, equal_nan=True))


def _no_parametrizations(source: Any) -> None:
    """Raise TypeError, with the cure, for a layer whose weights are computed from others at every call."""
    for path, module in source.named_modules():
        kind = type(module).__name__.removeprefix("Parametrized")
        computed = list(getattr(module, "parametrizations", {}))
        cure = ", ".join(f'remove_parametrizations(layer, "{name}")' for name in computed)
        cure = f"torch.nn.utils.parametrize.{cure}" if computed else ""
        for hook in getattr(module, "_forward_pre_hooks", {}).values():
            if type(hook).__name__ in ("WeightNorm", "SpectralNorm"):
                name = "weight_norm" if type(hook).__name__ == "WeightNorm" else "spectral_norm"
                cure = f'torch.nn.utils.remove_{name}(layer, "{hook.name}")'
        if cure:
            raise TypeError(
                f"from_torch: {_named(kind, path)} is parametrized, its weights are computed from others at "
                f"every call: fix them first, {cure}"
            )


def _torch() -> Any:
    try:
        import torch
    except ImportError as error:
        raise ImportError(
            "from_torch and to_torch need PyTorch: pip install torch. Weights alone cross without it: "
            "safetensors.torch.save_file(model.state_dict(), path) there, module.load(path) here"
        ) from error
    return torch


def _array(tensor: Any) -> Any:
    """A PyTorch tensor as an array; numpy has no bfloat16, whose values float32 holds exactly."""
    torch = sys.modules["torch"]
    plain = tensor.detach().cpu()
    return np.array((plain.float() if plain.dtype == torch.bfloat16 else plain).numpy())


# ---- the table: each layer's options, named alike on both sides ------------------------------------

_RECURRENT = (
    "input_size",
    "hidden_size",
    "num_layers",
    "bias",
    "batch_first",
    "dropout",
    "bidirectional",
)
_CELL = ("input_size", "hidden_size", "bias")
_CLASSES = ("weight", "ignore_index", "reduction")
OPTIONS: dict[str, tuple[str, ...]] = {
    "RNN": (*_RECURRENT, "nonlinearity"),
    "LSTM": (*_RECURRENT, "proj_size"),
    "GRU": _RECURRENT,
    "RNNCell": (*_CELL, "nonlinearity"),
    "LSTMCell": _CELL,
    "GRUCell": _CELL,
    "Linear": ("in_features", "out_features", "bias"),
    "Embedding": ("num_embeddings", "embedding_dim", "padding_idx"),
    "LayerNorm": ("normalized_shape", "eps", "elementwise_affine", "bias"),
    "Dropout": ("p",),
    "Tanh": (),
    "Sigmoid": (),
    "ReLU": (),
    "LeakyReLU": ("negative_slope",),
    "ELU": ("alpha",),
    "GELU": ("approximate",),
    "SiLU": (),
    "Identity": (),
    "Flatten": ("start_dim", "end_dim"),
    "Softmax": ("dim",),
    "LogSoftmax": ("dim",),
    "Softplus": (),
    "MSELoss": ("reduction",),
    "L1Loss": ("reduction",),
    "CrossEntropyLoss": (*_CLASSES, "label_smoothing"),
    "NLLLoss": _CLASSES,
    "BCEWithLogitsLoss": ("weight", "reduction", "pos_weight"),
}
# Options of theirs that have no counterpart here, and the only value that can cross.
_ONLY_THERE: dict[str, dict[str, Any]] = {
    "Embedding": {"max_norm": None, "scale_grad_by_freq": False, "sparse": False},
    "Softplus": {"beta": 1.0, "threshold": 20.0},
}
# Options of ours that PyTorch does not have, and the only value that can cross.
_ONLY_HERE: dict[str, Any] = {
    "reset_after": True,
    "peephole": False,
    "learned_state": False,
}


Made = dict[int, Any]  # what a module has become, by its id: one under two names becomes one


def _ours(source: Any, torch: Any, path: str, done: Made) -> Module:
    kind = type(source).__name__
    if type(source) in (torch.nn.Sequential, torch.nn.ModuleList):
        ordered: Module = _ordered(source, nn, _ours, torch, path, done)
        return ordered
    known = getattr(torch.nn, kind, None) is type(source) and kind in OPTIONS
    if not known:
        raise TypeError(
            f"from_torch knows no {_named(kind, path)}: there are {', '.join(OPTIONS)}, Sequential and "
            "ModuleList; for a Module of your own write its forward as a tinygrad_rnn Module and pass "
            "that as into="
        )
    for name, only in _ONLY_THERE.get(kind, {}).items():
        if getattr(source, name) != only:
            raise TypeError(
                f"from_torch: {_named(kind, path)} has {name}={getattr(source, name)!r}, and there is "
                "no such option here"
            )
    made: Module = getattr(nn, kind)(**_options(source, OPTIONS[kind], from_torch))
    for value in source.state_dict().values():
        made.to(_array(value[:0] if value.ndim else value).dtype)
    return made.train(source.training)


def _theirs(source: Module, torch: Any, path: str, done: Made) -> Any:
    kind = type(source).__name__
    if type(source) in (nn.Sequential, nn.ModuleList):
        return _ordered(source, torch.nn, _theirs, torch, path, done)
    if kind not in OPTIONS or getattr(nn, kind, None) is not type(source):
        raise TypeError(
            f"to_torch: PyTorch has no {_named(kind, path)}; for a Module of your own write its forward "
            "as a torch.nn.Module and pass that as into="
        )
    for name, value in _ONLY_HERE.items():
        only: Any = value
        if getattr(source, name, only) != only:
            raise TypeError(
                f"to_torch: {_named(kind, path)} has {name}={getattr(source, name)!r}, and PyTorch's has "
                "no such option"
            )
    if kind == "LSTMCell" and source.__dict__["proj_size"]:
        raise TypeError(
            f"to_torch: {_named(kind, path)} has proj_size, and PyTorch's cell has no such option"
        )
    made = getattr(torch.nn, kind)(**_options(source, OPTIONS[kind], to_torch))
    dtypes = {p.dtype for p in source.parameters()}
    for dtype in dtypes:
        made = made.to(getattr(torch, dtype.name))
    return made.train(source.training)


def _ordered(
    source: Any, target: Any, convert: Callable[..., Any], torch: Any, path: str, done: Made
) -> Any:
    """A Sequential or ModuleList, its children converted under the names that they have."""
    sequential = isinstance(source, (nn.Sequential, torch.nn.Sequential))
    made = (target.Sequential if sequential else target.ModuleList)()
    for name, child in source._modules.items():
        if id(child) not in done:
            done[id(child)] = convert(child, torch, f"{path}.{name}" if path else name, done)
        made.add_module(name, done[id(child)])
    return made


def _options(source: Any, names: tuple[str, ...], convert: Callable[[Any], Any]) -> dict[str, Any]:
    """A layer's options as arguments: a bias is asked for where there is one, tensors cross over."""
    found = {}
    for name in names:
        value = getattr(source, name, None)
        if name == "bias":
            value = value if isinstance(value, bool) else value is not None
        elif name == "elementwise_affine":
            value = source.weight is not None
        elif name in ("weight", "pos_weight") and value is not None:
            value = convert(value)
        found[name] = value
    return found


def _named(kind: str, path: str) -> str:
    return f"{kind} (at {path})" if path else kind
