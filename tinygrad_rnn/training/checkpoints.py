"""A state of any nesting in one file, without pickle, written beside and then renamed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from ..autograd import Array
from ..tensors import Tensor

FORMAT = "tinygrad_rnn checkpoint 1"


def write(path: Path, state: Any) -> None:
    """Save dicts, lists, tuples, tensors, arrays, numbers, texts and None; all or nothing of it.

    The file is numpy's npz: the arrays, and a JSON text that says where each belongs. Raises TypeError
    for anything else in the state, before anything is written.
    """
    arrays: dict[str, Any] = {}
    text = json.dumps({"format": FORMAT, "state": _packed(state, arrays)})
    beside = path.with_name(path.name + ".part")
    with beside.open("wb") as file:
        np.savez(file, header=np.array(text), **arrays)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def read(path: Path) -> Any:
    """What was written, arrays for tensors. Raises ValueError where the file is something else."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        found = json.loads(str(arrays.pop("header")))
        if found["format"] != FORMAT:
            raise ValueError(found["format"])
        return _unpacked(found["state"], arrays)
    except (ValueError, KeyError, TypeError, EOFError, BadZipFile) as error:
        raise ValueError(f"{path} is no checkpoint of tg.fit ({error})") from error


def _packed(value: Any, arrays: dict[str, Array]) -> Any:
    """JSON for a value; arrays are put aside. Lists become ["list", ...], so that all are told apart."""
    if isinstance(value, (Tensor, np.ndarray, np.generic)):
        name = f"a{len(arrays)}"
        arrays[name] = np.asarray(value)
        if arrays[name].dtype.kind not in "fiub":
            raise TypeError(f"a checkpoint holds numbers, not {arrays[name].dtype}")
        return ["array", name]
    if isinstance(value, dict):
        pairs = ([_packed(k, arrays), _packed(v, arrays)] for k, v in value.items())
        return ["dict", *pairs]
    if isinstance(value, (list, tuple)):
        kind = "tuple" if isinstance(value, tuple) else "list"
        return [kind, *(_packed(v, arrays) for v in value)]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"a checkpoint cannot hold a {type(value).__name__}")


def _unpacked(value: Any, arrays: dict[str, Array]) -> Any:
    if not isinstance(value, list):
        return value
    kind, *parts = value
    if kind == "array":
        return arrays[parts[0]]
    if kind == "dict":
        return {_unpacked(k, arrays): _unpacked(v, arrays) for k, v in parts}
    found = [_unpacked(part, arrays) for part in parts]
    return tuple(found) if kind == "tuple" else found
