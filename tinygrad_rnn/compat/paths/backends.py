"""Which of PyTorch's back ends are there? None: the questions have answers, switches no effect."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

__all__ = ["cudnn", "mkldnn", "mps"]


class _Absent(ModuleType):
    """A back end that is not here: ``is_available()`` is False, and what is set has no effect."""

    enabled: Any = False
    deterministic: Any = False
    benchmark: Any = False

    def is_available(self) -> bool:
        """False."""
        return False

    def is_built(self) -> bool:
        """False."""
        return False


def _absent(name: str) -> _Absent:
    made = _Absent(f"{__name__}.{name}", _Absent.__doc__)
    sys.modules[made.__name__] = made  # so that `import tinygrad_rnn.backends.cudnn` finds it
    return made


cudnn, mps, mkldnn = _absent("cudnn"), _absent("mps"), _absent("mkldnn")
