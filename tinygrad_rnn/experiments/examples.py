"""Where are the examples? Beside the package in a checkout, inside it where it was installed."""

from __future__ import annotations

import importlib.util
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

PACKAGE = Path(__file__).parents[1]


@cache
def folder() -> Path:
    """The folder that holds the examples. Raises FileNotFoundError where there is none."""
    inside, checkout = PACKAGE / "examples", PACKAGE.parent
    if inside.is_dir():
        return inside
    if (checkout / "pyproject.toml").is_file() and (checkout / "examples").is_dir():
        return checkout / "examples"
    raise FileNotFoundError(f"the examples are missing: neither {inside} nor a checkout around it")


def names() -> list[str]:
    """The experiments: every example that has a function ``run``.

    >>> from tinygrad_rnn.experiments import examples
    >>> "adding" in examples.names()
    True
    """
    return sorted(
        path.stem
        for path in folder().glob("*.py")
        if "\ndef run(" in path.read_text(encoding="utf-8")
    )


def load(name: str) -> ModuleType:
    """The example of a name, imported. Raises KeyError where there is no such experiment."""
    if name not in names():
        raise KeyError(f"there is no experiment {name!r}; there are: {', '.join(names())}")
    known = f"tinygrad_rnn_example_{name}"
    spec = importlib.util.spec_from_file_location(known, folder() / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[known] = module
    spec.loader.exec_module(module)
    return module
