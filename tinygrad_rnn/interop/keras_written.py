"""How is a model of ours written for Keras? As its config and arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .. import nn
from ..engine.values import Array
from ..nn.cells import Cell
from ..nn.module import Module
from ..nn.stacks import RecurrentLayer
from .activations import Activation
from .conventions import PLAIN, rows_of
from .keras_layers import KerasLayer, snake
from .keras_model import KerasModel
from .packing import WeightsError
from .weights import to_weights
from .writing import cannot, described

_ACTIVATIONS = {"Tanh": "tanh", "Sigmoid": "sigmoid", "ReLU": "relu", "SiLU": "silu", "Softplus": "softplus",
                "ELU": "elu", "GELU": "gelu"}  # fmt: skip
Described = tuple[dict[str, Any], str, dict[str, list[Array]]]


def described_model(source: Any) -> Described:
    """(a model's config, "keras" or "keras2", each layer's arrays). Raises WeightsError, TypeError."""
    if isinstance(source, KerasModel):
        layout = source._layout
        if layout == "tfjs":
            raise WeightsError(
                "a model of TensorFlow.js is not written: its GRU and gates are not Keras's"
            )
        weights = {}
        for name, layer in source.layers.named_children():
            assert isinstance(layer, KerasLayer)
            weights[name] = layer.weights(layout)
        return source._config, layout, weights
    if isinstance(source, (list, tuple)):
        parts = list(source)
    elif isinstance(source, (nn.Sequential, nn.ModuleList)):
        parts = [child for _, child in source.named_children()]
    elif isinstance(source, Module):
        parts = [source]
    else:
        raise TypeError(
            f"to_keras takes a model, a layer or a list of them, not {type(source).__name__}"
        )
    return _sequential(parts)


def _sequential(parts: list[Any]) -> Described:
    listed: list[dict[str, Any]] = []
    weights: dict[str, list[Array]] = {}
    seen: dict[str, int] = {}
    for part in parts:
        for kind, config, arrays in _layers(part):
            base = snake(kind)
            count = seen.get(base, 0)
            seen[base] = count + 1
            name = f"{base}_{count}" if count else base
            listed.append({"module": "keras.layers", "class_name": kind, "config": {"name": name, **config},
                           "registered_name": None})  # fmt: skip
            weights[name] = arrays
    if not listed:
        raise WeightsError("there are no layers")
    shape = _entering(parts)
    first = {"module": "keras.layers", "class_name": "InputLayer", "registered_name": None,
             "config": {"batch_shape": shape[0], "dtype": shape[1], "name": "input_layer"}}  # fmt: skip
    config = {"module": "keras", "class_name": "Sequential", "registered_name": None,
              "config": {"name": "sequential", "layers": [first, *listed]}}  # fmt: skip
    return config, "keras", weights


def _entering(parts: list[Any]) -> tuple[list[Any], str]:
    """The shape and dtype of what the first layer gets."""
    first = parts[0]
    if isinstance(first, nn.Embedding):
        return [None, None], "int32"
    if isinstance(first, (RecurrentLayer, Cell)):
        cell: Any = first.cells()[0] if isinstance(first, RecurrentLayer) else first
        return [None, None, cell.input_size], cell.weight_ih.dtype.name
    if isinstance(first, nn.Linear):
        over_time = any(isinstance(part, (RecurrentLayer, Cell)) for part in parts)
        time = [None] if over_time else []
        return [None, *time, first.in_features], first.weight.dtype.name
    raise WeightsError(
        f"a model for Keras begins with a recurrent layer, an Embedding or a Linear, "
        f"not {type(first).__name__}"
    )


def _layers(part: Any) -> list[tuple[str, dict[str, Any], list[Array]]]:
    """One layer of ours as one or several of Keras's."""
    kind = type(part).__name__
    if isinstance(part, (RecurrentLayer, Cell)):
        return _recurrent(part)
    for name, (ours, entries) in PLAIN.items():
        if kind == ours:
            held = {key: p.numpy() for key, p in part.state_dict().items()}
            arrays = [
                np.ascontiguousarray(held[key].T) if turned else held[key]
                for _, key, turned in entries
                if key in held
            ]
            return [(name, _plain_config(name, part), arrays)]
    if kind == "Dropout":
        return [("Dropout", {"rate": part.p}, [])]
    if kind == "Softmax" and part.dim == -1:
        return [("Activation", {"activation": "softmax"}, [])]
    if kind in _ACTIVATIONS and getattr(part, "approximate", "none") == "none":
        return [("Activation", {"activation": _ACTIVATIONS[kind]}, [])]
    raise WeightsError(f"to_keras knows no {kind}")


def _plain_config(name: str, part: Any) -> dict[str, Any]:
    if name == "Dense":
        return {
            "units": part.out_features,
            "activation": "linear",
            "use_bias": part.bias is not None,
        }
    if name == "Embedding":
        return {"input_dim": part.num_embeddings, "output_dim": part.embedding_dim}
    if part.weight is None:
        raise WeightsError("a LayerNorm without elementwise_affine is not written")
    return {"axis": -1, "epsilon": part.eps, "scale": True, "center": part.bias is not None}


def _recurrent(part: Any) -> list[tuple[str, dict[str, Any], list[Array]]]:
    """Layer by layer: Keras's are single, a bidirectional one is wrapped."""
    held = described(part)
    faults = []
    for row in rows_of("keras"):
        fault = cannot(row, held)
        if fault is not None:
            faults.append((row.rule.family == held.rule.family, fault))
            continue
        config: dict[str, Any] = {
            "units": held.cells[0, 0].hidden_size, "return_sequences": True, "use_bias": held.bias,
        }  # fmt: skip
        for option, places in row.options.items():
            if places[0] in ("gate", "act"):
                config[option] = _named(row.spelling, getattr(held.rule, places[0]))
            elif places[0] == "reset_after":
                config[option] = held.rule.reset_after
        if held.direction == "reverse":
            if not getattr(part, "flipped", False):
                raise WeightsError(
                    "a reverse layer whose outputs are in the order of time is not Keras's"
                )
            config["go_backwards"] = True
        found = []
        for k in range(held.layers):
            ways = [held.cells[k, way] for way in range(held.directions)]
            arrays = [
                a for cell in ways for a in to_weights(cell, "keras", layer=row.layer).values()
            ]
            if held.directions == 1:
                found.append((row.layer, config, arrays))
                continue
            inner = {"module": "keras.layers", "class_name": row.layer, "registered_name": None,
                     "config": {"name": f"forward_{snake(row.layer)}", **config}}  # fmt: skip
            merge = getattr(part, "merge", "concat")
            found.append(("Bidirectional", {"merge_mode": merge, "layer": inner}, arrays))
        return found
    raise WeightsError(max(faults, key=lambda fault: fault[0])[1])


def _named(spelling: Mapping[str, Activation], which: Activation) -> str:
    return next(name for name, value in spelling.items() if value == which)
