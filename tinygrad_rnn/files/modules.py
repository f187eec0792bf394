"""What is a module made of? As data in its file, so that weights are not loaded into another meaning."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..nn.module import Module

# Options that change what the same weights compute, and are not seen in names or shapes.
MEANING = (
    "nonlinearity", "reset_after", "eps", "negative_slope", "alpha", "approximate", "variational",
)  # fmt: skip


def configuration(module: Module) -> dict[str, dict[str, Any]]:
    """Every submodule by its dotted name: its class, the layer that it is, its plain options."""
    return {
        name: {"class": type(part).__name__, "layer": _layer(part), **_options(part)}
        for name, part in module.named_modules()
    }


def misfits(written: str, module: Module) -> list[str]:
    """Where a file's configuration means another computation than the module's, in words."""
    try:
        then = json.loads(written)
        now = configuration(module)
        faults = []
        for name in now.keys() & then.keys():
            old, new = then[name], now[name]
            for key in ("layer", *MEANING):
                if key in old and key in new and old[key] != new[key]:
                    place = name or type(module).__name__
                    faults.append(
                        f"{place} was saved with {key} {old[key]!r}, and has {new[key]!r}"
                    )
                    break
    except (ValueError, TypeError, AttributeError, KeyError):
        return []  # another library's words under our key: nothing to compare
    return sorted(faults)


def _layer(module: Module) -> str:
    """The name of the library's class that a module is, or comes from."""
    own = (c.__name__ for c in type(module).__mro__ if c.__module__.startswith("tinygrad_rnn.nn."))
    return next(own)


def _options(module: Module) -> dict[str, Any]:
    """The attributes that are plain numbers, flags and words."""
    shown: dict[str, Any] = {}
    for name, value in vars(module).items():
        if name.startswith("_") or name in ("training", "class", "layer"):
            continue
        if value is None or isinstance(value, (bool, int, float, str)):
            shown[name] = value
        elif isinstance(value, tuple) and all(isinstance(v, (int, float, str)) for v in value):
            shown[name] = list(value)
    return shown
