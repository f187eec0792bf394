"""How is a page made in which models run? One offline file: their programs, their numbers, a panel each."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from ..files.atomic import write
from .live import page_data as running
from .shell import asset, lean, sealed, target_of


def live_html(
    path: str | os.PathLike[str], lives: Sequence[Any], *, title: str = "", words: str = ""
) -> str:
    """Write the page of some models and return its path; see :meth:`tinygrad_rnn.Live.to_html`."""
    target = target_of(path)
    title = title or " and ".join(live.title for live in lives)
    write(Path(target), [page_of(lives, title, words).encode()])
    return str(target)


def page_of(lives: Sequence[Any], title: str, words: str) -> str:
    """The page as text."""
    script = program(lives)
    css = lean(asset("viewer.css")) + lean(running.asset("live.css"))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{sealed(script)}">\n'
        f'<meta name="color-scheme" content="light dark">\n<title>{escape(title)}</title>\n'
        f"<style>\n{css}\n</style>\n</head>\n<body>\n"
        f'<header class="top"><div class="names"><h1>{escape(title)}</h1></div></header>\n'
        f"<main>\n{words}\n"
        f"{section(lives)}\n</main>\n{numbers(lives)}\n<script>{script}</script>\n</body>\n</html>\n"
    )


def program(lives: Sequence[Any]) -> str:
    """The script that runs the models, in a scope of its own."""
    return f'(() => {{\n"use strict";\n{running.safe(running.script(lives))}\n}})();'


def section(lives: Sequence[Any]) -> str:
    """The place of the panels; without JavaScript it says so."""
    panels = "\n".join(
        f'<section class="live-panel" id="live-panel-{k}" aria-label="{escape(live.title)}"></section>'
        for k, live in enumerate(lives)
    )
    return (
        '<section class="live" id="live" aria-label="Live"><noscript><p>Here the model itself would run: '
        "that needs JavaScript.</p></noscript>\n"
        f'<div class="live-panels">\n{panels}\n</div></section>'
    )


def numbers(lives: Sequence[Any]) -> str:
    """The numbers of the panels."""
    data = json.dumps([live.data() for live in lives], separators=(",", ":"), allow_nan=False)
    text = data.replace("<", "\\u003c")
    return f'<script type="application/json" id="live-data">{text}</script>'
