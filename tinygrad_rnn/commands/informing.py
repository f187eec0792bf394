"""What is installed here, and what of it does the work? ``tg.info()`` and ``tinygrad-rnn info``."""

from __future__ import annotations

import argparse
import json
import platform
from importlib import metadata

from .command import Command

LIBRARIES = ("numpy", "graphviz", "graphviz-pure", "tqdm", "matplotlib", "numba", "scipy", "mpi4py")


def info() -> dict[str, str | None]:
    """Versions of what is installed, which back end draws, which runs compiled layers, and why.

    None is what is missing; ``tinygrad-rnn info`` prints it.

    >>> import tinygrad_rnn as tg
    >>> sorted(tg.info())[:2]
    ['compiled layers', 'draws with']
    """
    from .._version import __version__
    from ..drawing.output import DrawingError, backend
    from ..scan.backends import words
    from ..scan.machine_code import folder

    facts: dict[str, str | None] = {
        "tinygrad_rnn": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
    }
    for name in LIBRARIES:
        try:
            facts[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            facts[name] = None
    try:
        facts["draws with"] = backend()
    except DrawingError:
        facts["draws with"] = None
    facts["compiled layers"] = words()
    facts["machine code is kept in"] = str(folder())
    return facts


def _arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("--json", action="store_true", help="as JSON, for programs and bug reports")


def _run(options: argparse.Namespace) -> None:
    facts = info()
    if options.json:
        print(json.dumps(facts, indent=2))
        return
    wide = max(map(len, facts))
    for name, value in facts.items():
        print(f"{name:<{wide}}  {value if value is not None else 'not installed'}")


COMMAND = Command(
    "info",
    "versions, what draws the pictures, what runs the layers",
    "Show the versions of what is installed, which Graphviz draws the pictures, and which back end\n"
    "runs compiled layers.",
    _arguments,
    _run,
)
