"""How does ``torch.save(model)`` keep a whole module without pickle? Its classes by name, the rest as data.

No code is in the file, and none is run to read it: the classes must be there (imported, or defined in
the script) under the names that they had, and what a module holds (numbers, texts, lists, tensors,
modules) is put back into objects of them. Shared Parameters stay shared.
"""

from __future__ import annotations

import sys
import warnings
from typing import Any

import numpy as np

from ..nn.module import Module, Parameter
from ..tensors import Tensor

PLAIN = (bool, int, float, str, type(None))
CONTAINERS: dict[str, Any] = {kind.__name__: kind for kind in (list, tuple, set, frozenset)}


def packed_module(module: Module, path: str, arrays: dict[str, Any]) -> Any:
    """A module as JSON; its arrays are put aside. Raises TypeError for what is no data (``lambda``, ...)."""
    warnings.warn(
        f"save of a whole {type(module).__name__} keeps the names of its classes and what it holds, not "
        "their code: model.state_dict() is what lasts",
        stacklevel=5,
    )
    return ["whole", _Packing(arrays).packed(module, path)]


def unpacked_module(tree: Any, arrays: dict[str, Any]) -> Any:
    """The module that was packed. Raises RuntimeError where one of its classes is not there."""
    return _Unpacking(arrays).unpacked(tree)


class _Packing:
    """Each tensor and module once, with a number; where it is met again, that number."""

    def __init__(self, arrays: dict[str, Any]) -> None:
        self.arrays, self.numbers, self.kept = arrays, dict[int, int](), list[Any]()

    def packed(self, value: Any, path: str) -> Any:
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, PLAIN):
            return value
        if id(value) in self.numbers:
            return ["again", self.numbers[id(value)]]
        if isinstance(value, (Module, Tensor, np.ndarray)):
            self.numbers[id(value)] = len(self.kept)
            self.kept.append(value)  # its id is nobody else's meanwhile
        if isinstance(value, Module):
            kind = f"{type(value).__module__}:{type(value).__qualname__}"
            state = value.__getstate__().items()
            return ["module", kind, *([k, self.packed(v, _below(path, k))] for k, v in state)]
        if isinstance(value, (Tensor, np.ndarray)):
            name = path or "value"
            while name in self.arrays or name == "__metadata__":
                name += "'"
            if isinstance(value, np.ndarray):
                self.arrays[name] = value
                return ["array", name]
            self.arrays[name] = value.detach().numpy()
            asks = value.is_leaf and value.requires_grad
            return ["parameter" if isinstance(value, Parameter) else "tensor", name, asks]
        if isinstance(value, dict):
            rows = value.items()
            return [
                "dict",
                *([self.packed(k, path), self.packed(v, _below(path, k))] for k, v in rows),
            ]
        if type(value) in CONTAINERS.values():
            parts = (self.packed(v, _below(path, k)) for k, v in enumerate(value))
            return [type(value).__name__, *parts]
        if isinstance(value, np.dtype):
            return ["dtype", value.name]
        own = getattr(value, "__module__", None) or ""
        name = getattr(value, "__name__", "")
        if own.startswith("tinygrad_rnn.") and _found(own, name) is value:
            return ["named", own, name]
        raise TypeError(
            f"a file cannot hold a {type(value).__name__} (at {path}): save the module's state_dict()"
        )


class _Unpacking:
    def __init__(self, arrays: dict[str, Any]) -> None:
        self.arrays, self.known = arrays, list[Any]()

    def unpacked(self, tree: Any) -> Any:
        if not isinstance(tree, list):
            return tree
        kind, *parts = tree
        if kind == "again":
            return self.known[parts[0]]
        if kind == "module":
            made = object.__new__(_class(parts[0]))
            self.known.append(made)
            made.__dict__.update({k: self.unpacked(v) for k, v in parts[1:]})
            return made
        if kind in ("tensor", "parameter", "array"):
            array = self.arrays[parts[0]]
            if kind == "parameter":
                array = Parameter(array, requires_grad=parts[1], dtype=array.dtype)
            elif kind == "tensor":
                array = Tensor._made(array, requires_grad=parts[1])
            self.known.append(array)
            return array
        if kind == "dict":
            return {self.unpacked(k): self.unpacked(v) for k, v in parts}
        if kind in CONTAINERS:
            return CONTAINERS[kind](self.unpacked(part) for part in parts)
        if kind == "dtype":
            return np.dtype(parts[0])
        if kind == "named" and str(parts[0]).startswith("tinygrad_rnn."):
            return _found(*parts)
        raise ValueError(f"no such kind: {kind!r}")


def _found(module: str, name: str) -> Any:
    """What a module that is imported has of this name."""
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def _class(kind: str) -> type[Module]:
    module, _, name = kind.partition(":")
    found = _found(module, name)
    if not (isinstance(found, type) and issubclass(found, Module)):
        raise RuntimeError(
            f"the file holds a {name} of {module}, and no such module class is there: import or define it "
            "first"
        )
    return found


def _below(path: str, key: Any) -> str:
    return f"{path}.{key}" if path else str(key)
