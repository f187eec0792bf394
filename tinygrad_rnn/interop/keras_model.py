"""How does a Keras model run here? As a Module: its layers, and which layer gets what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..nn.module import Module
from ..tensors import Tensor, as_tensor
from .keras_layers import KerasLayer, layer_of
from .packing import WeightsError

Ref = tuple[str, int, int]  # a layer's name, its call, its output
MASKS = {"NotEqual": "not equal", "Any": "any"}  # what Keras 3 records of a mask in the graph


@dataclass
class KerasCall:
    """One call of a layer: what it gets."""

    name: str
    inputs: list[Any]
    state: list[Ref] = field(default_factory=list)
    mask: Ref | None = None
    wide: bool = False


class KerasModel(Module):
    """A model that Keras made, as it runs there: inputs in, outputs out, batch first.

    ``y = model(x)``; several inputs are several arguments, several outputs a tuple. Masks go through the
    layers as they do in Keras (``Masking``, ``Embedding(mask_zero=True)``); ``lengths=`` (batch,) masks all
    inputs beyond each sequence's length instead. ``model.layers`` holds the layers under their names. It is a
    Module like every other: trained on, drawn, saved; ``to_keras`` writes it again.
    """

    def __init__(self, config: Mapping[str, Any], layout: str, weights: Mapping[str, Any]) -> None:
        super().__init__()
        self.__dict__["_config"], self.__dict__["_layout"] = dict(config), layout
        inner = config["config"]
        listed = inner if isinstance(inner, list) else inner.get("layers")
        if not isinstance(listed, list) or not listed:
            raise WeightsError("the model's config lists no layers")
        self.layers = Module()
        sequential = config.get("class_name") == "Sequential"
        calls: list[KerasCall] = []
        ops: dict[str, str] = {}
        names: list[str] = []
        for layer in listed:
            name = name_of(layer)
            if name in names:
                raise WeightsError(f"two layers are named {name!r}")
            names.append(name)
            kind = str(layer.get("class_name"))
            if kind in MASKS and not sequential:
                ops[name] = kind
            elif kind != "InputLayer":
                self.layers.add_module(name, layer_of(layer, weights.get(name, []), layout))
            if not sequential:
                calls += [_call(name, node) for node in layer.get("inbound_nodes", [])]
        if sequential:
            kept = [name_of(x) for x in listed if x.get("class_name") != "InputLayer"]
            before = ["input", *kept]
            calls = [KerasCall(n, [(b, 0, 0)]) for b, n in zip(before, kept, strict=False)]
            inputs, outputs = [("input", 0, 0)], [(before[-1], 0, 0)]
        else:
            inputs, outputs = _refs(inner.get("input_layers")), _refs(inner.get("output_layers"))
        self.__dict__.update(_calls=calls, _ops=ops, _inputs=inputs, _outputs=outputs)
        self._known()

    def _known(self) -> None:
        """Raise WeightsError where a call refers to a layer that there is not."""
        there = {name for name, _ in self.layers.named_children()} | set(self._ops)
        there |= {ref[0] for ref in self._inputs}
        for call in self._calls:
            for ref in [*call.inputs, *call.state, *([call.mask] if call.mask else [])]:
                if isinstance(ref, tuple) and ref[0] not in there:
                    raise WeightsError(
                        f"the layer {call.name!r} gets {ref[0]!r}, which there is not"
                    )
            if call.name not in there:
                raise WeightsError(f"{call.name!r} is called, which there is not")
        for ref in self._outputs:
            if ref[0] not in there:
                raise WeightsError(f"the model gives {ref[0]!r}, which there is not")

    def forward(self, *inputs: Any, lengths: Any = None) -> Any:
        """The outputs for a batch; see the class. Raises TypeError for another number of inputs."""
        if len(inputs) != len(self._inputs):
            raise TypeError(f"the model takes {len(self._inputs)} inputs, got {len(inputs)}")
        values: dict[Ref, Any] = {}
        masks: dict[Ref, Any] = {}
        for ref, given in zip(self._inputs, inputs, strict=True):
            x = self._entering(given)
            values[ref] = x
            masks[ref] = None if lengths is None else self._mask(x, lengths)
        turn: dict[str, int] = {}
        for call in self._ordered(values):
            at = turn.get(call.name, 0)
            turn[call.name] = at + 1
            if call.name in self._ops:
                values[call.name, at, 0] = _operation(self._ops[call.name], call, values)
                continue
            layer: KerasLayer = dict(self.layers.named_children())[call.name]  # type: ignore[assignment]
            gets = [values[ref] for ref in call.inputs]
            known = [masks.get(ref) for ref in call.inputs]
            if call.mask is not None and lengths is None:
                given = values[call.mask]
                known[0] = np.asarray(given.numpy() if isinstance(given, Tensor) else given, bool)
            outputs, mask = layer.run(gets, known, [values[ref] for ref in call.state])
            for k, output in enumerate(outputs):
                values[call.name, at, k] = output
                masks[call.name, at, k] = mask if k == 0 else None
        found = tuple(values[ref] for ref in self._outputs)
        return found[0] if len(found) == 1 else found

    def _entering(self, given: Any) -> Tensor:
        """An input: floats in the weights' dtype, indices as they are."""
        x = as_tensor(given)
        like = next(self.parameters(), None)
        return x.to(like.dtype) if like is not None and x.is_floating_point() else x

    def _mask(self, x: Tensor, lengths: Any) -> Any:
        lengths = np.asarray(lengths)
        if x.ndim < 2 or lengths.shape != (x.shape[0],):
            raise ValueError(f"lengths of shape {lengths.shape} for x of shape {x.shape}")
        if (lengths < 0).any() or (lengths > x.shape[1]).any():
            raise ValueError(f"lengths must be 0 to {x.shape[1]}, got {lengths.tolist()}")
        return np.arange(x.shape[1]) < lengths[:, None]

    def _ordered(self, ready: Mapping[Ref, Any]) -> list[KerasCall]:
        """The calls in an order in which each gets what is there."""
        done, waiting, order = set(ready), list(self._calls), []
        turn: dict[str, int] = {}
        while waiting:
            for call in waiting:
                needs = [*call.inputs, *call.state, *([call.mask] if call.mask else [])]
                if all(
                    (ref[0], ref[1], 0) in done or ref in done
                    for ref in needs
                    if isinstance(ref, tuple)
                ):
                    break
            else:
                raise WeightsError(f"{waiting[0].name!r} waits for what no layer gives")
            waiting.remove(call)
            order.append(call)
            done.add((call.name, turn.get(call.name, 0), 0))
            turn[call.name] = turn.get(call.name, 0) + 1
        return order

    def extra_repr(self) -> str:
        """What kind of model it is."""
        return f"{self._config.get('class_name')} of {self._layout}"


def name_of(layer: Any) -> str:
    """A layer's name in its config. Raises WeightsError where there is none."""
    if not isinstance(layer, Mapping) or not isinstance(layer.get("config"), Mapping):
        raise WeightsError("a layer of the model's config is no layer")
    name = layer["config"].get("name", layer.get("name"))
    if not isinstance(name, str) or not name:
        raise WeightsError(f"a layer {layer.get('class_name')!r} has no name")
    return name.replace(".", "_")


def _refs(given: Any) -> list[Ref]:
    """``["a", 0, 0]`` or a list of such."""
    if isinstance(given, Mapping):
        raise WeightsError("inputs and outputs by name are not read: lists alone")
    if not isinstance(given, Sequence) or isinstance(given, str) or not given:
        raise WeightsError(f"the model's inputs or outputs are {given!r}")
    listed = [given] if isinstance(given[0], str) else list(given)
    found = []
    for ref in listed:
        if not isinstance(ref, Sequence) or len(ref) < 3 or not isinstance(ref[0], str):
            raise WeightsError(f"{ref!r} is no output of a layer")
        found.append((ref[0].replace(".", "_"), int(ref[1]), int(ref[2])))
    return found


def _call(name: str, node: Any) -> KerasCall:
    """One inbound node, of Keras 3 or 2."""
    if isinstance(node, Mapping):
        args, kwargs = list(node.get("args", [])), dict(node.get("kwargs", {}))
        while len(args) == 1 and isinstance(args[0], (list, tuple)):
            args = list(args[0])
        if len(args) > 1 and isinstance(args[1], (list, tuple)):  # LSTM()(x, [h, c])
            args = [args[0], *args[1]]
        call = KerasCall(name, [_tensor(name, arg) for arg in args])
    elif isinstance(node, list) and node and isinstance(node[0], list):
        call = KerasCall(name, _refs([ref[:3] for ref in node]))
        kwargs = dict(node[0][3]) if len(node[0]) > 3 and isinstance(node[0][3], Mapping) else {}
    else:
        raise WeightsError(f"the layer {name!r} has an inbound node that is not read")
    state = kwargs.pop("initial_state", None) or []
    call.state = [_tensor(name, s) for s in (state if isinstance(state, list) else [state])]
    mask = kwargs.pop("mask", None)
    call.mask = None if mask is None else _tensor(name, mask)
    call.wide = bool(kwargs.pop("keepdims", False))
    axis = kwargs.pop("axis", -1)
    unread = [
        k
        for k, v in kwargs.items()
        if k not in ("training", "sequences") and v not in (None, False)
    ]
    if unread or axis != -1:
        raise WeightsError(
            f"the layer {name!r} is called with {unread or 'axis'}, which is not read"
        )
    return call


def _tensor(name: str, arg: Any) -> Any:
    if isinstance(arg, Mapping) and arg.get("class_name") == "__keras_tensor__":
        return _refs([arg["config"]["keras_history"]])[0]
    if isinstance(arg, (list, tuple)) and len(arg) >= 3 and isinstance(arg[0], str):
        return _refs([list(arg)[:3]])[0]
    if isinstance(arg, (int, float)):
        return arg
    raise WeightsError(f"the layer {name!r} gets {arg!r}, which is no output of a layer")


def _operation(kind: str, call: KerasCall, values: Mapping[Ref, Any]) -> Any:
    """What Keras 3 records of a mask: x != value, any along the features."""
    gets = [values[ref] if isinstance(ref, tuple) else ref for ref in call.inputs]
    plain = [np.asarray(g.numpy() if isinstance(g, Tensor) else g) for g in gets]
    if kind == "NotEqual":
        return plain[0] != plain[1]
    return plain[0].any(-1, keepdims=call.wide)
