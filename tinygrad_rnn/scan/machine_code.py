"""Compiled functions from text, kept between runs in a folder of the user's own."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import tempfile
import threading
from functools import cache
from pathlib import Path
from typing import Any

_lock = threading.RLock()
_functions: dict[str, Any] = {}


@cache
def folder() -> Path:
    """Where compiled code is kept: the user's cache folder, readable by no one else.

    ``TINYGRAD_RNN_CACHE`` names another. Where none can be made or trusted, a temporary one.
    """
    named = os.environ.get("TINYGRAD_RNN_CACHE")
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    if sys.platform == "win32":
        home = os.environ.get("LOCALAPPDATA", home)
    path = Path(named) if named else Path(home) / "tinygrad_rnn"
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.stat()
        if hasattr(os, "getuid") and (found.st_uid != os.getuid() or found.st_mode & 0o022):
            raise PermissionError("others may write there")
        if not os.access(path, os.W_OK):
            raise PermissionError("not writable")
    except OSError:
        path = Path(tempfile.mkdtemp(prefix="tinygrad_rnn-"))
    return path


@cache
def versions() -> str:
    """What else decides about compiled code, beside its text."""
    import numba

    library = Path(__file__).with_name("vector_math.py").read_bytes()
    return f"{numba.__version__} {sys.version} {hashlib.sha256(library).hexdigest()}"


def function(text: str) -> Any:
    """The function ``loop`` of a module's text, compiled when first called, or read from the cache."""
    key = hashlib.sha256(f"{versions()}\n{text}".encode()).hexdigest()[:24]
    with _lock:
        found = _functions.get(key)
        if found is None:
            found = _functions[key] = _load(f"loop_{key}", text)
        return found


def _load(name: str, text: str) -> Any:
    path = folder() / f"{name}.py"
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        handle, beside = tempfile.mkstemp(dir=folder(), suffix=".tmp")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(beside, path)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # numba's cache finds the function by its module
    spec.loader.exec_module(module)
    return module.loop
