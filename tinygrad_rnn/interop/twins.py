"""How does a model of PyTorch or an ONNX file run here, to be drawn? PyTorch's by its own forward."""

from __future__ import annotations

import os
import types
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

import tinygrad_rnn as tg

from .. import nn
from ..engine.switches import enable_grad
from ..nn.module import Module, Parameter
from ..tensors import Tensor
from .onnx_import import OnnxModel, from_onnx
from .pytorch import _array, _torch, from_torch

TIME = ("seq", "time", "step", "len", "t")  # how files call the axis of time


def run_foreign(model: Any, inputs: Any, steps: int | None) -> Any:
    """What a model of PyTorch or an ONNX file gives here for some inputs, recorded.

    ``inputs`` is an array or a tuple of them. Without it a recurrent layer of PyTorch runs ``steps`` steps
    of zeros, and an ONNX file zeros of the shapes that it says, its axis of time ``steps`` long. Raises
    TypeError for a part of the model that is not known here, ValueError where the inputs cannot be told.
    """
    ours = from_onnx(model) if isinstance(model, (str, os.PathLike)) else twin(model)
    modes = [(module, module.training) for module in ours.modules()]
    ours.eval()
    if inputs is None:
        if not isinstance(ours, OnnxModel):
            return ours, None
        given = zeros_for(ours, steps or 4)
    else:
        given = [_taken(part) for part in (inputs if isinstance(inputs, tuple) else (inputs,))]
    try:
        with enable_grad():
            return ours, ours(*given)
    finally:
        for module, training in modes:
            module.training = training


def zeros_for(model: OnnxModel, steps: int) -> list[Tensor]:
    """Zeros of the shapes that an ONNX file says of its inputs; what is open is 1, of time ``steps``."""
    given = []
    for name, shape in model.input_shapes.items():
        sides = [side if isinstance(side, int) and side > 0 else None for side in shape]
        names = [str(side).lower() for side in shape]
        open_ = [k for k, side in enumerate(sides) if side is None]
        time = next((k for k in open_ if names[k].startswith(TIME) or "seq" in names[k]), None)
        if time is None and len(sides) > 1 and open_ and not names[open_[0]].startswith("b"):
            time = open_[0]
        full = [
            (steps if k == time else 1) if side is None else side for k, side in enumerate(sides)
        ]
        given.append(tg.zeros(*full, dtype=model._dtypes[name]))
    return given


def _taken(value: Any) -> Any:
    """An array, a tensor of PyTorch or one of ours, as one of ours."""
    if isinstance(value, Tensor) or value is None:
        return value
    if isinstance(value, (tuple, list)):
        return type(value)(_taken(part) for part in value)
    if hasattr(value, "detach"):
        return from_torch(value.detach())
    if isinstance(value, np.ndarray):
        return tg.tensor(value)
    return value


# ---- a model of PyTorch whose forward is the user's own ------------------------------------------------


class Twin(Module):
    """A Module of PyTorch's as one of ours: its parts and weights, and its own ``forward`` on our tensors.

    Functions of PyTorch that it calls are ours of the same name while it runs.
    """

    _source: Any = None

    def __init__(self, source: Any, done: dict[int, Any]) -> None:
        super().__init__()
        self.__dict__["_source"] = source
        for name, child in source._modules.items():
            setattr(self, name, None if child is None else twin(child, done))
        for name, value in source._parameters.items():
            if value is not None:
                if id(value) not in done:
                    done[id(value)] = Parameter(tg.tensor(_array(value)))
                setattr(self, name, done[id(value)])
        for name, value in source._buffers.items():
            self.register_buffer(name, None if value is None else from_torch(value))

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The source's own forward."""
        with torch_functions_are_ours():
            return type(self._source).forward(self, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        source = self.__dict__.get("_source")
        if source is None:
            return super().__getattr__(name)
        for kind in type(source).__mro__:
            found = kind.__dict__.get(name)
            if isinstance(found, types.FunctionType):
                return types.MethodType(found, self)
            if isinstance(found, property) and found.fget is not None:
                return found.fget(self)
        return _taken(getattr(source, name))


def twin(source: Any, done: dict[int, Any] | None = None) -> Module:
    """A Module of PyTorch's as ours: what ``from_torch`` knows, and of the rest the user's own forward.

    Raises TypeError for a layer of PyTorch's that is not known here.
    """
    torch, done = _torch(), {} if done is None else done
    if id(source) in done:
        found: Module = done[id(source)]
        return found
    made: Module
    if type(source) in (torch.nn.ModuleList, torch.nn.Sequential):
        made = nn.ModuleList() if type(source) is torch.nn.ModuleList else nn.Sequential()
        for name, child in source._modules.items():
            made.add_module(name, twin(child, done))
    elif type(source).__module__.startswith("torch.nn."):
        made = from_torch(source)
    else:
        kind = type(type(source).__name__, (Twin,), {})
        made = kind(source, done)
    done[id(source)] = made
    return made


@contextmanager
def torch_functions_are_ours() -> Iterator[None]:
    """PyTorch's functions, given tensors of ours, are ours of the same name, until the end."""
    before = Tensor.__dict__.get("__torch_function__")
    Tensor.__torch_function__ = classmethod(_called)  # type: ignore[attr-defined]
    try:
        yield
    finally:
        if before is None:
            del Tensor.__torch_function__  # type: ignore[attr-defined]


def _called(
    _cls: type,
    function: Any,
    _types: Any,
    args: Sequence[Any] = (),
    kwargs: dict[str, Any] | None = None,
) -> Any:
    """A function of PyTorch's, by its name here. Raises TypeError where there is none."""
    name = function.__name__
    given = (kwargs or {}).items()  # what begins with "_" is between PyTorch and itself
    named = {key: _taken(value) for key, value in given if not key.startswith("_")}
    for place in (nn.functional, tg, Tensor):
        ours = getattr(place, name, None)
        if ours is not None:
            return ours(*map(_taken, args), **named)
    raise TypeError(f"torch.{name} is not known here, and the model's forward calls it")
