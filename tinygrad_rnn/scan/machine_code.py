"""Where is compiled code kept? Functions from text, kept between runs in a folder of the user's own."""

from __future__ import annotations

import ctypes
import hashlib
import importlib.util
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from .threads import COMPILING

_functions: dict[str, Any] = {}
MOST = 256  # functions that are remembered; the oldest go, and stay as long as loops call them


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
    import llvmlite

    here = Path(__file__).parent
    library = b"".join(
        (here / name).read_bytes()
        for name in (
            "vector_math.py",
            "products.py",
            "llvm.py",
            "lowering.py",
            "native.py",
            "../ops/curves.py",
            "../ops/elementwise.py",
            "../optim/updates.py",
        )
    )
    return f"{llvmlite.__version__} {sys.version} {hashlib.sha256(library).hexdigest()}"


class Kept:
    """A compiled function; after its first call what numba has written is sealed with a checksum."""

    def __init__(self, function: Any, name: str) -> None:
        self.function = function
        self._name: str | None = name

    def __call__(self, *arguments: Any) -> None:
        """Run the loop."""
        self.function(*arguments)
        if self._name is not None:
            name, self._name = self._name, None
            _seal(name)


def function(text: str, bits: int = 0, sizes: Sequence[int] = ()) -> Any:
    """The function ``loop`` of a module's text, compiled when first called, or read from the cache.

    ``bits`` says of which kernels it is made, ``sizes`` what is constant in a ``CompiledLoop``.
    """
    from .native import CompiledLoop, TestedLoop

    if bits:
        kernels(bits)
    kind = TestedLoop if "boundscheck=True" in text else CompiledLoop
    return _remembered(text, lambda _: kind(text, versions(), folder(), sizes))


def by_numba(text: str) -> Kept:
    """As ``function``, of any Python that numba compiles."""
    found: Kept = _remembered(text, lambda name: Kept(_load(name, text).loop, name))
    return found


def _remembered(text: str, made: Callable[[str], Any]) -> Any:
    """What is made of a text, and its module's name, once."""
    with COMPILING:
        name = _named(text)
        found = _functions.get(name)
        if found is None:
            while len(_functions) >= MOST:
                oldest = next(iter(_functions))
                del _functions[oldest]
                sys.modules.pop(oldest, None)
            found = _functions[name] = made(name)
        return found


@cache
def kernels(bits: int) -> Any:
    """What lays out matrices of a dtype; what multiplies is a symbol that loops can call from now on."""
    from llvmlite import binding

    from .native import Kernels
    from .products import symbol

    made = Kernels(str(bits), versions(), folder())
    if not _right(made, bits):
        made.path(made.kinds).unlink(missing_ok=True)  # the next process tries again
        raise RuntimeError(
            "compiled products are wrong on this machine: set TINYGRAD_RNN_BACKEND=numpy"
        )
    binding.add_symbol(symbol("product", bits), made.address("_product")[1])
    binding.add_symbol(symbol("pack", bits), made.address()[1])
    return made.function


def _right(made: Any, bits: int) -> bool:
    """Whether the products of kernels are right, on an example with all kinds of tiles and rests."""
    from .products import LANES, PANEL

    inner, lanes, kind = 5, LANES[bits], np.dtype(f"f{bits // 8}")
    for rows, many in ((7, 1), (6, 1), (5, 1), (1, 5), (1, 6), (1, 7)):  # and so many panels
        width = (many * PANEL + 1) * lanes + 3
        a = np.arange(rows * inner, dtype=kind).reshape(rows, inner) % 7 - 3
        w = np.arange(inner * width, dtype=kind).reshape(inner, width) % 11 - 5
        laid_out = np.zeros(inner * (width + lanes), kind)
        made(w, laid_out, inner, width, width, 1)
        product = ctypes.CFUNCTYPE(None, *[ctypes.c_ssize_t] * 9)(made.address("_product")[1])
        for alike in (0, 1):
            out = np.zeros((rows, width), kind)
            places = (a.ctypes.data, laid_out.ctypes.data, out.ctypes.data)
            product(*places, rows, inner, width, 0, alike, 0)
            if not (out == a @ w).all():
                return False
    return True


def _named(text: str) -> str:
    """The name of a module: its text and the versions of all that decides about it."""
    return "loop_" + hashlib.sha256(f"{versions()}\n{text}".encode()).hexdigest()[:24]


def _seal(name: str) -> None:
    """Note the checksum of what numba has written."""
    from .native import write

    seal, now = folder() / f"{name}.seal", _checksum(name)
    if not seal.exists() or seal.read_text(encoding="utf-8") != now:
        write(seal, now.encode())


def _load(name: str, text: str) -> Any:
    """The module of a text, from a file in the cache; what is damaged is made anew."""
    from .native import write

    path = folder() / f"{name}.py"
    seal = folder() / f"{name}.seal"
    if not path.exists() or path.read_bytes() != text.encode():
        write(path, text.encode())
    if not seal.exists() or seal.read_bytes() != _checksum(name).encode():
        for old in _files(name):  # damaged, or written by a process that was stopped
            old.unlink(missing_ok=True)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # numba's cache finds the function by its module
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        spec.loader.exec_module(module)
    return module


def _files(name: str) -> list[Path]:
    """What numba (and Python) has written of a module."""
    return sorted((folder() / "__pycache__").glob(f"{name}.*"))


def _checksum(name: str) -> str:
    """A checksum of a module's machine code."""
    total = hashlib.sha256()
    for path in _files(name):
        if path.suffix in (".nbi", ".nbc"):
            total.update(path.name.encode() + path.read_bytes())
    return total.hexdigest()
