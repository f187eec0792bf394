"""How are tensors saved and loaded? In the safetensors format, all or nothing, without pickle."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from . import atomic, layout, nesting
from .layout import OURS, FileFormatError

__all__ = ["FileFormatError", "load", "read_metadata", "save"]

STRUCTURE = OURS + "structure"
LAYERS = OURS + "layers"
CALLED = OURS + "called"
Place = str | os.PathLike[str]
ENDS = ("", ".safetensors", ".checkpoint", ".ckpt")  # what a file of ours may be called
STATES = (*ENDS, ".pt", ".pth", ".tar", ".bin")  # and a state, by scripts that called torch.save


def save(obj: Any, f: Place | BinaryIO, metadata: Mapping[str, str] | None = None) -> None:
    """Write a state (``model.state_dict()``, a checkpoint) to a file in the safetensors format.

    A dict of tensors or arrays by name is a file that every safetensors reader reads. Any nesting of
    dicts, lists, tuples, tensors, arrays, numbers, texts and None may be saved, and whole modules, with a
    warning, by the names of their classes (which must be there when it is loaded); what is no array then
    lies in the file's metadata, beside the versions of this library and numpy, a SHA-256 checksum of
    header and numbers, and your own ``metadata`` (texts by name). Nothing is pickled. A path is
    written beside, flushed and renamed: a kill at any moment leaves the old file or the new one,
    whole. ``f`` may also be an open binary file. Raises TypeError, before anything is written, for
    what a file cannot hold, and ValueError for a path that ends like another format (.h5, .npz): a
    file of ours is called .safetensors, .checkpoint, .ckpt or nothing, and for scripts that were
    PyTorch's .pt, .pth, .tar or .bin.

    >>> import io, tinygrad_rnn as tg
    >>> file = io.BytesIO()
    >>> tg.save({"epoch": 3, "model": tg.nn.Linear(2, 1).state_dict()}, file)
    >>> state = tg.load(io.BytesIO(file.getvalue()))
    >>> state["epoch"], state["model"]["weight"].shape
    (3, (1, 2))
    """
    check_name(f, STATES)
    arrays, structure = nesting.packed(obj)
    words = {} if structure is None else {STRUCTURE: structure}
    _write(f, arrays, words | _counts(obj), metadata)


def load(f: Place | BinaryIO, map_location: Any = None, *, weights_only: bool = True) -> Any:
    """What a file holds: what :func:`save` was given, or tensors by name from anyone's safetensors.

    bfloat16 becomes float32, exactly. PyTorch's ``map_location`` may be None, "cpu" or a function, which
    is not called, and ``weights_only`` has no effect: there is no code in the file. Raises FileFormatError
    (a ValueError) that names file and fault for what is malformed, truncated or, in files of this
    library, does not have its checksum; FileNotFoundError where there is no file.

    >>> import io, tinygrad_rnn as tg
    >>> file = io.BytesIO()
    >>> tg.save({"h": tg.ones(2)}, file)
    >>> tg.load(io.BytesIO(file.getvalue()))
    {'h': tensor([1., 1.])}
    """
    if map_location is not None and not callable(map_location) and str(map_location) != "cpu":
        raise ValueError(
            f"load: tensors live on the CPU alone, and map_location is {str(map_location)!r}"
        )
    return _loaded(f)[1]


def read_metadata(f: Place | BinaryIO) -> dict[str, Any]:
    """A file's header without its numbers: ``{"metadata": texts by name, "tensors": dtypes and shapes}``.

    Raises FileFormatError for a header that is malformed or does not fit the file; the checksum is not
    looked at.

    >>> import io, tinygrad_rnn as tg
    >>> file = io.BytesIO()
    >>> tg.save({"h": tg.ones(2)}, file, metadata={"made": "by hand"})
    >>> found = tg.read_metadata(io.BytesIO(file.getvalue()))
    >>> found["metadata"]["made"], found["tensors"]
    ('by hand', {'h': {'dtype': 'F32', 'shape': (2,)}})
    """
    found: dict[str, Any] = _opened(f, layout.decoded_metadata)
    return found


# ---- modules ------------------------------------------------------------------------------------


def save_module(
    module: Any, f: Place | BinaryIO, metadata: Mapping[str, str] | None = None
) -> None:
    """The file behind ``Module.save``."""
    from .modules import configuration

    check_name(f)
    state = module.state_dict()
    arrays, _ = nesting.packed(state)
    words = {LAYERS: json.dumps(configuration(module), separators=(",", ":"))}
    _write(f, arrays, words | _counts(state), metadata)


def load_module(module: Any, f: Place | BinaryIO, strict: bool) -> Any:
    """The file behind ``Module.load``."""
    from .modules import misfits

    metadata, state = _loaded(f)
    if not isinstance(state, dict) or STRUCTURE in metadata:
        raise FileFormatError(
            f"{_name(f)} holds more than a module's tensors: take them out of tg.load(file), and give "
            "them to load_state_dict"
        )
    faults = misfits(metadata[LAYERS], module) if strict and LAYERS in metadata else []
    return module._take(state, strict, f"loading {_name(f)} into {type(module).__name__}", faults)


def check_name(f: Any, ends: tuple[str, ...] = ENDS) -> None:
    """Raise ValueError for a path whose extension promises another format; a number is no extension."""
    if hasattr(f, "write"):
        return
    path = Path(f)
    if path.suffix.lower() not in ends and path.suffix[1:2].isalpha():
        raise ValueError(
            f"{path.name}: the file would be in the safetensors format, and its name ends in "
            f"{path.suffix}: call it {path.with_suffix('.safetensors').name}"
        )


# ---- what they share ----------------------------------------------------------------------------


def _write(f: Any, arrays: Any, words: dict[str, str], metadata: Mapping[str, str] | None) -> None:
    from .._version import __version__

    own = dict(metadata or {})
    for key, value in own.items():
        if not isinstance(key, str) or not isinstance(value, str) or key.startswith(OURS):
            raise TypeError(
                f"metadata are texts by name (not beginning with {OURS!r}), got {key!r}: {value!r}"
            )
    versions = {OURS + "version": __version__, OURS + "numpy": np.__version__}
    # Readers of PyTorch models ask for the format: the names and numbers here are those of "pt".
    pieces = layout.encoded(arrays, {**versions, "format": "pt", **words, **own})
    if hasattr(f, "write"):
        for piece in pieces:
            f.write(piece)
    else:
        atomic.write(Path(f), pieces)


def _counts(state: Any) -> dict[str, str]:
    """What a file says of a state dict beside its tensors."""
    counts = nesting.called(state)
    return {} if counts is None else {CALLED: counts}


def _loaded(f: Any) -> tuple[dict[str, str], Any]:
    metadata, arrays = _opened(f, layout.decoded)
    try:
        return metadata, nesting.unpacked(metadata.get(STRUCTURE), arrays, metadata.get(CALLED))
    except (
        ValueError,
        KeyError,
        TypeError,
        IndexError,
        AttributeError,
        RecursionError,
    ) as error:
        raise FileFormatError(
            f"{_name(f)}: its structure does not fit its tensors ({error})"
        ) from error


def _opened(f: Any, read: Any) -> Any:
    if hasattr(f, "read"):
        data = f.read()
        return read(io.BytesIO(data), len(data), _name(f))
    with Path(f).open("rb") as file:
        return read(file, os.fstat(file.fileno()).st_size, _name(f))


def _name(f: Any) -> str:
    """How to call a file in a message."""
    name = getattr(f, "name", None) if hasattr(f, "read") else os.fspath(f)
    return name if isinstance(name, str) else "the file"
