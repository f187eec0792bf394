"""How is a page made? One offline file: pictures of a graph, its numbers, a viewer, and models that run."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from collections.abc import Sequence
from html import escape
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..drawing.scene.text import plural
from ..files.atomic import write
from ..graphs.ledger import Ledger
from ..graphs.readback import values_of
from ..graphs.recorded import uncollected
from .live import page_data
from .reading import Reading, reading_of
from .tables import node_table, parameter_table
from .timeline import Timeline
from .views import PageView, views_of

if TYPE_CHECKING:
    from ..graphs.graph import Graph
    from ..graphs.recorded import RecordedGraph

MOST_NODES = (
    20_000  # of a larger graph, only the values of the nodes that are drawn are in the page
)
SCHEMA = 1
SCRIPTS = ("model", "stage", "backward", "panel", "control")


def to_html(
    graph: Graph,
    path: str | os.PathLike[str],
    *,
    level: str = "auto",
    ledger: Ledger | None = None,
    live: page_data.Live | bool | None = None,
    engine: str | None = None,
) -> str:
    """Write the page of a Graph and return its path; see :meth:`tinygrad_rnn.Graph.to_html`."""
    target = target_of(path)
    text = page_of(graph, level=level, ledger=ledger, live=live, engine=engine)
    write(target, [text.encode()])
    return str(target)


@uncollected()
def page_of(
    graph: Graph,
    *,
    level: str = "auto",
    ledger: Ledger | None = None,
    live: page_data.Live | bool | None = None,
    engine: str | None = None,
) -> str:
    """The page as text."""
    lives: list[Any] = []
    if live:
        lives = [page_data.found_in(graph) if live is True else live]
    reading = reading_of(graph)
    views = views_of(reading.graph, engine)
    known = [view.level for view in views]
    if level != "auto" and level not in known:
        raise ValueError(f"level={level!r}: this graph's page has {', '.join(map(repr, known))}")
    if level == "auto":
        level = "cell" if "cell" in known else known[0]
    first = views[known.index(level)]
    data = _data(reading, views, ledger)
    data["level"] = first.level
    return _filled(views, first, data, lives)


def _data(reading: Reading, views: list[PageView], ledger: Ledger | None) -> dict[str, Any]:
    """Everything that the viewer knows, ready for JSON."""
    graph = reading.graph
    if ledger is not None:
        if not isinstance(ledger, Ledger):
            raise TypeError(
                "ledger: expected what loss.backward(ledger=True) returns, "
                f"got {type(ledger).__name__}"
            )
        keys = {graph._raw[node.id].key for node in graph.parameters.values()}
        if len(ledger) and keys.isdisjoint(ledger.leaves):
            raise ValueError(
                "ledger: it knows none of this graph's Parameters; give the ledger of a backward pass "
                "through this graph"
            )
    ledger = reading.ledger if ledger is None else ledger
    drawn = {node for view in views for node in view.nodes}
    nodes = list(graph) if len(graph) <= MOST_NODES else [graph[i] for i in sorted(drawn)]
    timeline = Timeline(graph)
    parameters = parameter_table(graph, timeline, ledger)
    shared = sum(p["numbers"] for p in parameters if p["stepped"])
    return {
        "schema": SCHEMA,
        "title": next((v.title for v in views if v.level == "cell"), views[-1].title),
        "steps": len(graph.every_step),
        "positions": timeline.positions,
        "shared": shared,
        "silent": "" if ledger is not None else _silence(graph),
        "any": graph.is_shared,
        "numbers": sum(p["numbers"] for p in parameters),
        "parameters": parameters,
        "nodes": node_table(graph, nodes, values_of(graph), reading.norms),
        "chains": {key: chain for view in views for key, chain in view.chains.items()},
        "views": [view.data() for view in views],
    }


def _silence(graph: RecordedGraph) -> str:
    """Why there is no backward to see."""
    if any(getattr(graph._raw[p.id], "stale", None) for p in graph.parameters.values()):
        return "a Parameter was written after this graph had used it"
    return "the graph does not end in one number that needs a gradient, and no ledger was given"


def _filled(views: list[PageView], first: PageView, data: dict[str, Any], lives: list[Any]) -> str:
    """The template with everything in its place; each part is put in once, whatever it says."""
    script, css, alive = script_of(), lean(asset("viewer.css")), ""
    if lives:
        script += "\n" + program(lives)
        css += "\n" + lean(page_data.asset("live.css"))
        alive = section(lives) + numbers(lives)
    others = [
        f'<template id="view-{view.level}">{view.svg}</template>'
        for view in views
        if view is not first
    ]
    parts = {
        "title": escape(data["title"]),
        "subtitle": escape(_subtitle(data)),
        "csp": sealed(script),
        "css": css,
        "live": alive,
        "picture": first.svg,
        "others": "".join(others),
        "data": json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c"),
        "script": script,
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda m: parts[m[1]], asset("page.html"))


def script_of() -> str:
    """The viewer: its files, one after the other, in a scope of their own."""
    files = "\n".join(asset(f"{name}.js") for name in SCRIPTS)
    return f'(() => {{\n"use strict";\n{lean(files)}\n}})();'


def _subtitle(data: dict[str, Any]) -> str:
    count, numbers = len(data["parameters"]), data["numbers"]
    if not count:
        return "no Parameters"
    words = f"{plural(count, 'Parameter')}, {numbers:,} numbers"
    return words + (", the same for any number of steps" if data["any"] else "")


# ---- models that run in a page --------------------------------------------------------------------


def live_html(
    path: str | os.PathLike[str], lives: Sequence[Any], *, title: str = "", words: str = ""
) -> str:
    """Write the page of some models and return its path; see :meth:`tinygrad_rnn.Live.to_html`."""
    target = target_of(path)
    title = title or " and ".join(live.title for live in lives)
    write(target, [live_page_of(lives, title, words).encode()])
    return str(target)


def live_page_of(lives: Sequence[Any], title: str, words: str) -> str:
    """The page as text."""
    script = program(lives)
    css = lean(asset("viewer.css")) + lean(page_data.asset("live.css"))
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
    return f'(() => {{\n"use strict";\n{page_data.safe(page_data.script(lives))}\n}})();'


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


# ---- what all pages share -------------------------------------------------------------------------


def target_of(path: str | os.PathLike[str]) -> Path:
    """Where a page is written. Raises ValueError and FileNotFoundError."""
    target = Path(path)
    if target.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"{target.name!r}: a page's name ends in .html")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"the folder {str(target.parent)!r} does not exist")
    return target


def sealed(script: str) -> str:
    """A policy by which a page runs this script and no other, and asks no network for anything."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "img-src data: blob:"
    )


def lean(text: str) -> str:
    """Without comments of a line and without indentation: the viewer has no text of several lines."""
    lines = (re.sub(r"(^|;|\{|,|\}) *// .*$", r"\1", line.strip()) for line in text.splitlines())
    return "\n".join(line for line in lines if line)


def asset(name: str) -> str:
    """A file of the viewer, as text."""
    return (resources.files(__package__) / "viewer" / name).read_text(encoding="utf-8")
