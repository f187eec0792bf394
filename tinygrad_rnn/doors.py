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
