"""Which calls may go up a floor? Those named here: a graph draws itself, a ledger shows itself."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

DOORS = {
    "to_dot": "drawing.draw",
    "render": "drawing.draw",
    "to_svg": "drawing.draw",
    "to_html": "drawing.page.html",
    "live_html": "drawing.page.live_html",
    "run_foreign": "interop.twins",
    "Ledger": "graphs.ledger",
    "backward_steps": "graphs.replay",
    "ledger_html": "plots.ledger_card",
    "module_html": "plots.cards",
}


def door(name: str) -> Callable[..., Any]:
    """A function of a floor above, imported when it is asked for.

    >>> door("to_dot").__module__
    'tinygrad_rnn.drawing.draw'
    """
    found: Callable[..., Any] = getattr(import_module(f"{__package__}.{DOORS[name]}"), name)
    return found


def typed(name: str) -> Callable[..., Any]:
    """A function of the room of PyTorch's typed constructors."""
    found: Callable[..., Any] = getattr(import_module(f"{__package__}.compat.typed"), name)
    return found


# PyTorch's names that only its scripts ask for, by the module that has them, and the rooms where they are.
FOR_SCRIPTS = {
    "": {
        "typed": "BoolTensor ByteTensor CharTensor DoubleTensor FloatTensor HalfTensor IntTensor LongTensor "
        "ShortTensor",
        "choosing": "bernoulli cosine_similarity masked_select narrow nonzero typename",
        "settings": "Generator set_default_tensor_type set_num_threads get_num_threads",
    },
    "autograd": {
        "variable": "Variable",
        "custom": "Function",
        "settings": "detect_anomaly set_detect_anomaly",
    },
    "nn": {
        "containers": "ModuleDict ParameterDict ParameterList",
        "layers": "BatchNorm1d Conv1d CosineSimilarity Dropout1d Dropout2d",
    },
    "nn.functional": {"layers": "batch_norm conv1d cosine_similarity dropout1d dropout2d"},
    "optim": {"optimizers": "Adadelta Adagrad Adamax NAdam"},
}


def for_scripts(module: str, name: str) -> Any:
    """What a module has for PyTorch's scripts, imported when it is asked for; raises AttributeError.

    >>> for_scripts("tinygrad_rnn", "LongTensor").dtype
    dtype('int64')
    """
    package = str(__package__)
    for room, names in FOR_SCRIPTS[module.removeprefix(package).lstrip(".")].items():
        if name in names.split():
            return getattr(import_module(f"{package}.compat.{room}"), name)
    raise AttributeError(f"module {module!r} has no attribute {name!r}")


def public_names(module: str, own: list[str]) -> list[str]:
    """What ``dir`` of a module lists: its own public names and those that scripts ask for.

    >>> "draw" in dir(__import__("tinygrad_rnn"))
    True
    """
    path = module.removeprefix(str(__package__)).lstrip(".")
    return sorted({*own, *" ".join(FOR_SCRIPTS[path].values()).split()})
