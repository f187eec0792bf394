"""What do the classic experiments share? What an example is, how it is shown, how a bench judges it.

An example is one file under ``examples/`` with a :class:`Task` and a function ``run``; this package finds
it, runs it from the command line, prints its table, writes its pictures and runs it over its seeds.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..engine.signatures import readable

if TYPE_CHECKING:
    from .runner import main
    from .show import QUIET, Show
    from .task import Result, Task

__all__ = ["QUIET", "Result", "Show", "Task", "main"]

_ROOMS = {"QUIET": "show", "Show": "show", "main": "runner", "Result": "task", "Task": "task"}


def __getattr__(name: str) -> Any:
    """What examples use, imported when they do: a command line starts without it."""
    if name in _ROOMS:
        return getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


readable(__name__)
