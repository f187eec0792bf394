"""What is in a checkpoint of ``fit``? A state of any nesting in one safetensors file, all or nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..files import FileFormatError, read_metadata, save
from ..files import load as load_file

KIND = "training checkpoint 1"


def write(path: Path, state: Any) -> None:
    """Save dicts, lists, tuples, tensors, arrays, numbers, texts and None; all or nothing of it.

    Raises TypeError for anything else in the state, before anything is written.
    """
    save(state, path, metadata={"kind": KIND})


def read(path: Path) -> Any:
    """What was written. Raises ValueError where the file is something else, or damaged."""
    try:
        kind = read_metadata(path)["metadata"].get("kind")
    except FileFormatError as error:
        raise ValueError(f"{path} is no checkpoint of tg.fit ({error})") from error
    if kind != KIND:
        raise ValueError(f"{path} is no checkpoint of tg.fit (it is a {kind or 'file of tensors'})")
    return load_file(path)


__all__ = ["KIND", "read", "write"]
