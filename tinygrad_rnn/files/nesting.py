"""How is a state of any nesting a file? As named arrays, and a text that says where each belongs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..doors import door
from ..engine.values import Array
from ..tensors import Tensor
from ..tensors.state_dicts import StateDict


def packed(state: Any) -> tuple[dict[str, Array], str | None]:
    """Arrays by name and the structure, or no structure where the state is a dict of tensors by name.

    Raises TypeError for what is neither dict, list, tuple, tensor, array, number, text nor None.
    """
    if isinstance(state, Mapping) and all(
        isinstance(k, str) and isinstance(v, (Tensor, np.ndarray)) for k, v in state.items()
    ):
        return {name: _values(value) for name, value in state.items()}, None
    arrays: dict[str, Array] = {}
    return arrays, json.dumps(_packed(state, "", arrays), separators=(",", ":"))


def called(state: Any) -> str | None:
    """The counts of a state dict, as text."""
    counts = state.called if isinstance(state, StateDict) else None
    return json.dumps(counts, separators=(",", ":")) if counts else None


def unpacked(structure: str | None, arrays: dict[str, Array], counts: str | None = None) -> Any:
    """What was packed. Raises ValueError, KeyError or TypeError for a structure that does not fit."""
    if structure is None:
        tensors = {name: Tensor._wrap(array, None) for name, array in arrays.items()}
        return tensors if counts is None else StateDict(tensors, _counts(json.loads(counts)))
    return _unpacked(json.loads(structure), arrays)


def _counts(found: Any) -> dict[str, tuple[float, float]]:
    return {str(name): (float(trained), float(alone)) for name, (trained, alone) in found.items()}


def _values(value: Any) -> Array:
    return value.numpy() if isinstance(value, Tensor) else np.asarray(value)


def _packed(value: Any, path: str, arrays: dict[str, Array]) -> Any:
    """JSON for a value; arrays are put aside. Lists become ["list", ...], so that all are told apart."""
    if isinstance(value, (Tensor, np.ndarray, np.generic)):
        name = path or "value"
        while name in arrays or name == "__metadata__":
            name += "'"
        arrays[name] = _values(value)
        return ["tensor" if isinstance(value, Tensor) else "array", name]
    if isinstance(value, Mapping):
        pairs = [[_key(k, path), _packed(v, _below(path, k), arrays)] for k, v in value.items()]
        if isinstance(value, StateDict) and value.called:
            return ["state", list(map(list, value.called.items())), *pairs]
        return ["dict", *pairs]
    if isinstance(value, (list, tuple)):
        kind = "tuple" if isinstance(value, tuple) else "list"
        return [kind, *(_packed(v, _below(path, i), arrays) for i, v in enumerate(value))]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if hasattr(value, "named_modules"):
        return door("packed_module")(value, path, arrays)
    hint = ": save its state_dict()" if hasattr(value, "state_dict") else ""
    raise TypeError(f"a file cannot hold a {type(value).__name__}{hint} (at {path or 'the top'})")


def _key(key: Any, path: str) -> Any:
    """A dict's key: a number or text, or a tuple of them."""
    key = key.item() if isinstance(key, np.generic) else key
    if not (key is None or isinstance(key, (bool, int, float, str, tuple))):
        raise TypeError(
            f"a file cannot hold a {type(key).__name__} as a key (at {path or 'the top'})"
        )
    return ["tuple", *(_key(k, path) for k in key)] if isinstance(key, tuple) else key


def _below(path: str, key: Any) -> str:
    return f"{path}.{key}" if path else str(key)


def _unpacked(value: Any, arrays: dict[str, Array]) -> Any:
    if not isinstance(value, list):
        return value
    kind, *parts = value
    if kind == "array":
        return arrays[parts[0]]
    if kind == "tensor":
        return Tensor._wrap(arrays[parts[0]], None)
    if kind == "whole":
        return door("unpacked_module")(parts[0], arrays)
    if kind == "state":
        tensors = _unpacked(["dict", *parts[1:]], arrays)
        return StateDict(tensors, _counts(dict(parts[0])))
    if kind == "dict":
        return {_unpacked(k, arrays): _unpacked(v, arrays) for k, v in parts}
    if kind not in ("list", "tuple"):
        raise ValueError(f"no such kind: {kind!r}")
    found = [_unpacked(part, arrays) for part in parts]
    return tuple(found) if kind == "tuple" else found
