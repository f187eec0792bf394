"""The frame of the classic experiments: what an example is, how it is shown, how a bench judges it.

An example is one file under ``examples/`` with a :class:`Task` and a function ``run``; this package finds
it, runs it from the command line, prints its table, writes its pictures and runs it over its seeds.
"""

from .show import QUIET, Show
from .starting import main
from .task import Result, Task

__all__ = ["QUIET", "Result", "Show", "Task", "main"]
