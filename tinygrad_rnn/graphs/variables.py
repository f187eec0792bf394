"""What does the user call a tensor? Its variable where a graph is asked for, or its attribute."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from inspect import CO_OPTIMIZED
from pathlib import Path
from types import FrameType
from typing import Any

from ..engine.values import Handle, Leaf

HERE = str(Path(__file__).parent.parent)
FRAMES, MOST = 3, 64  # functions of the user's that are looked into; parts of a container


def variables() -> dict[int, str]:
    """The names of the tensors that are in variables of the code that called this package, by their keys.

    The nearest function comes first, variables before parts of lists and attributes of objects.
    """
    found: dict[int, str] = {}
    frames = list(_frames())
    for place in (*map(_locals_of, frames), *[f.f_globals for f in frames[:1]]):
        named = {name: value for name, value in place.items() if not name.startswith("_")}
        for name, value in named.items():
            _enter(found, name, value)
        for name, value in named.items():
            for part, inner in _parts(value):
                _enter(found, part if name == "self" and part[0] == "." else name + part, inner)
    return {key: name.lstrip(".") for key, name in found.items()}


def _frames() -> Iterator[FrameType]:
    """The nearest frames outside this package."""
    frame: FrameType | None = sys._getframe(1)
    count = 0
    while frame is not None and count < FRAMES:
        if not frame.f_code.co_filename.startswith(HERE):
            count += 1
            yield frame
        frame = frame.f_back


def _locals_of(frame: FrameType) -> dict[str, Any]:
    """What a frame's variables hold; before Python 3.13 the frame would keep a copy alive: it is emptied."""
    seen = frame.f_locals
    found = dict(seen)
    if sys.version_info < (3, 13) and frame.f_code.co_flags & CO_OPTIMIZED:
        seen.clear()
    return found


def _enter(found: dict[int, str], name: str, value: Any) -> None:
    leaf = value._node if isinstance(value, Handle) else None
    if isinstance(leaf, Leaf) and leaf.role == "parameter":
        found.setdefault(leaf.key, name)


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    """The parts of a small container, or the attributes of an object, with how they are written."""
    if isinstance(value, (list, tuple)) and len(value) <= MOST:
        yield from ((f"[{k}]", part) for k, part in enumerate(value))
    elif type(value) is dict and len(value) <= MOST:
        yield from ((f".{key}", part) for key, part in value.items() if isinstance(key, str))
    elif not isinstance(value, (type, Mapping)) and not type(value).__module__.startswith(
        "tinygrad"
    ):
        own = getattr(value, "__dict__", None)
        if isinstance(own, dict) and len(own) <= MOST:
            yield from ((f".{name}", part) for name, part in own.items())
