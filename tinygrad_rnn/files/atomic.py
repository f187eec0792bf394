"""How is a file written all or nothing? Beside its place, flushed to the disk, then renamed."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import threading
from collections.abc import Iterable
from pathlib import Path


def write(path: str | Path, pieces: Iterable[bytes | memoryview]) -> None:
    """Put the pieces into a file. Whatever happens, ``path`` is the old file or the new one, whole.

    What a killed process of this machine left beside it is cleared away. Raises FileNotFoundError where
    there is no folder for it, IsADirectoryError where it is one.
    """
    path = Path(os.path.realpath(path))  # a link stays a link
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {path.parent} to write {path.name} into")
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder: name a file in it")
    _clear(path)
    beside = path.with_name(f".{path.name}.{_here()}-{os.getpid()}-{threading.get_ident()}.part")
    try:
        with beside.open("wb") as file:
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _here() -> str:
    """This machine's name, as far as it can be part of a file's."""
    return re.sub(r"\W", "_", platform.node())[:32]


def _clear(path: Path) -> None:
    """Remove what processes that are no more began to write."""
    if os.name != "posix":
        return
    begun = f".{path.name}.{_here()}-"
    with contextlib.suppress(OSError):
        for left in path.parent.glob(f".{_escaped(path.name)}.*.part"):
            number = left.name.removeprefix(begun).partition("-")[0]
            if left.name.startswith(begun) and number.isdigit() and not _runs(int(number)):
                left.unlink(missing_ok=True)


def _escaped(name: str) -> str:
    return re.sub(r"([\[\]*?])", r"[\1]", name)


def _runs(number: int) -> bool:
    """Whether a process of this number is there."""
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _sync_folder(folder: Path) -> None:
    """Have the rename itself reach the disk, where the system lets a folder be flushed."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
