"""How is a page made? One offline file: pictures of a graph, its numbers, and a viewer for both."""

from __future__ import annotations

import json
import os
import re
from html import escape
from typing import TYPE_CHECKING, Any

from ..drawing.scene.text import plural
from ..files.atomic import write
from ..graphs.ledger import Ledger
from ..graphs.readback import values_of
from ..graphs.recorded import uncollected
from ..graphs.tables import node_table, parameter_table
from ..graphs.timeline import Timeline
from .live import page_data
from .live_html import numbers, program, section
from .reading import Reading, reading_of
from .shell import asset, lean, sealed, target_of
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
