"""By which paths do scripts import layers? ``nn.modules.rnn``, ``.loss`` and so on: all are ``nn``."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

FILES = (
    "activation batchnorm container conv distance dropout flatten linear loss module normalization rnn "
    "sparse utils transformer pooling padding"
)


def __getattr__(name: str) -> Any:
    """What ``nn`` has of this name."""
    return getattr(sys.modules[__package__ or ""], name)


class _File(ModuleType):
    """A file of PyTorch's ``nn.modules``: it has what ``nn`` has."""

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.modules[__package__ or ""], name)


for _name in FILES.split():
    sys.modules[f"{__name__}.{_name}"] = globals()[_name] = _File(f"{__name__}.{_name}")
