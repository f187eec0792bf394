"""Modules applied once a step beside the cells: an embedding below them, a head or a loss above."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .passthrough import PASS_THROUGH, SOURCES
from .recorded import CellCall, ChainKey, GraphNode

Home = tuple[ChainKey, int]
MANY: Home = ((object, "", "", -1), -1)


@dataclass(frozen=True, slots=True)
class TimeDistributed:
    """A module, or a group of loose ops, that ran at several steps: its node ids at each."""

    path: str
    title: str
    steps: dict[int, tuple[int, ...]]


def time_distributed(
    nodes: Sequence[GraphNode], calls: Sequence[CellCall]
) -> tuple[list[GraphNode], list[TimeDistributed]]:
    """Nodes outside the cells that repeat with the steps, as calls of their own.

    Returns the nodes, those of a repeated group now with a call number, counted on from the cells',
    and the groups in the order of these numbers.
    """
    homes = _homes(nodes, calls)
    found: dict[tuple[str, ChainKey], dict[int, list[int]]] = {}
    for node in nodes:
        home = homes[node.id]
        if node.call is None and node.op not in SOURCES and home is not None and home != MANY:
            chain, step = home
            found.setdefault((node.path, chain), {}).setdefault(step, []).append(node.id)
    fresh = list(nodes)
    groups: list[TimeDistributed] = []
    number = len(calls)
    for (path, _), by_step in found.items():
        working = {s: i for s, i in by_step.items() if any(_works(nodes[k]) for k in i)}
        if len(working) < 2:
            continue
        ordered = dict(sorted(working.items()))
        title = path.rpartition(".")[2] or "ops"
        groups.append(TimeDistributed(path, title, {s: tuple(i) for s, i in ordered.items()}))
        for ids in ordered.values():
            for i in ids:
                fresh[i] = replace(nodes[i], call=number)
            number += 1
    return fresh, groups


def _works(node: GraphNode) -> bool:
    return node.op not in PASS_THROUGH


def _homes(nodes: Sequence[GraphNode], calls: Sequence[CellCall]) -> list[Home | None]:
    """The chain of cells and the step that a node belongs to: where it comes from, else goes to."""
    home_of = {call.id: (call.chain, call.step) for call in calls}
    homes: list[Home | None] = []
    for node in nodes:
        if node.call is not None:
            homes.append(home_of[node.call])
        elif node.op in SOURCES:
            homes.append(None)
        elif node.op in ("stack", "cat"):
            homes.append(MANY)
        else:
            homes.append(_one({homes[i] for i in node.inputs}))
    ahead: dict[int, set[Home]] = {}
    for node in reversed(nodes):
        if node.call is not None:
            mine = {home_of[node.call]}
        elif node.op in SOURCES:
            continue
        else:
            mine = ahead.get(node.id, set())
            if homes[node.id] is None and mine:
                homes[node.id] = _one(set(mine))
        for i in node.inputs:
            if homes[i] is None and nodes[i].op not in SOURCES:
                ahead.setdefault(i, set()).update(mine)
    return homes


def _one(homes: set[Home | None]) -> Home | None:
    """The one home of several, the last chain's where all are of one step; MANY otherwise."""
    known = [home for home in homes if home is not None]
    if not known or len({step for _, step in known}) == 1:
        return max(known, default=None, key=lambda home: home[0][-1])
    return MANY
