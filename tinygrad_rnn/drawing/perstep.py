"""Modules applied once a step beside the cells: an embedding below them, a head or a loss above."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .plumbing import PLUMBING, SOURCES

if TYPE_CHECKING:
    from ..graphs.graph import CellCall, GraphNode

_MANY = -1


@dataclass(frozen=True, slots=True)
class Repeated:
    """A module, or a group of loose ops, that ran at several steps: its node ids at each."""

    path: str
    title: str
    steps: dict[int, tuple[int, ...]]


def regroup(
    nodes: Sequence[GraphNode], calls: Sequence[CellCall]
) -> tuple[list[GraphNode], list[Repeated]]:
    """Nodes outside the cells that repeat with the steps, as calls of their own.

    Returns the nodes, those of a repeated group now with a call number, counted on from the cells',
    and the groups in the order of these numbers.
    """
    steps = _steps(nodes, {call.id: call.step for call in calls})
    found: dict[str, dict[int, list[int]]] = {}
    for node in nodes:
        step = steps[node.id]
        if node.call is None and node.op not in SOURCES and step is not None and step != _MANY:
            found.setdefault(node.path, {}).setdefault(step, []).append(node.id)
    fresh = list(nodes)
    groups: list[Repeated] = []
    number = len(calls)
    for path, by_step in found.items():
        working = {s: i for s, i in by_step.items() if any(_works(nodes[k]) for k in i)}
        if len(working) < 2:
            continue
        ordered = dict(sorted(working.items()))
        title = path.rpartition(".")[2] or "ops"
        groups.append(Repeated(path, title, {s: tuple(i) for s, i in ordered.items()}))
        for ids in ordered.values():
            for i in ids:
                fresh[i] = replace(nodes[i], call=number)
            number += 1
    return fresh, groups


def _works(node: GraphNode) -> bool:
    return node.op not in PLUMBING


def _steps(nodes: Sequence[GraphNode], calls: dict[int, int]) -> list[int | None]:
    """The one step that a node belongs to: that of the cell it comes from, else goes to."""
    steps: list[int | None] = []
    for node in nodes:
        if node.call is not None:
            steps.append(calls[node.call])
        elif node.op in SOURCES:
            steps.append(None)
        elif node.op in ("stack", "cat"):
            steps.append(_MANY)
        else:
            steps.append(_one({steps[i] for i in node.inputs}))
    ahead: list[set[int]] = [set() for _ in nodes]
    for node in reversed(nodes):
        if node.call is not None:
            mine = {calls[node.call]}
        elif node.op in SOURCES:
            continue
        else:
            mine = ahead[node.id]
            if steps[node.id] is None and len(mine) == 1:
                steps[node.id] = next(iter(mine))
        for i in node.inputs:
            if steps[i] is None and len(ahead[i]) < 2:
                ahead[i] |= mine
    return steps


def _one(steps: set[int | None]) -> int | None:
    known = steps - {None}
    if not known:
        return None
    return known.pop() if len(known) == 1 else _MANY
