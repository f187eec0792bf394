"""What is installed here, and what of it does the work."""

from __future__ import annotations

import platform
from importlib import metadata

LIBRARIES = ("numpy", "graphviz", "graphviz-pure", "tqdm", "matplotlib", "numba", "scipy", "mpi4py")


def info() -> dict[str, str | None]:
    """Versions of what is installed, which back end draws, which runs compiled layers, and why.

    None stands for what is missing; ``tinygrad-rnn info`` prints it.

    >>> import tinygrad_rnn as tg
    >>> sorted(tg.info())[:2]
    ['compiled layers', 'draws with']
    """
    from ._version import __version__
    from .drawing.output.graphviz import DrawingError, backend
    from .scan.backends import words
    from .scan.machine_code import folder

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
