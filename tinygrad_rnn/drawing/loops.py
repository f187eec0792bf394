"""A loop over bare Parameters under ``tg.steps`` read as a cell: what it carries is its state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from .plumbing import SOURCES

if TYPE_CHECKING:
    from ..graphs.graph import GraphNode

Place = tuple[int, int]  # which op of the step, as which operand
Roles = tuple[dict[int, str], dict[Place, str]]


class Loop:
    """Stands for the cell that a loop's body is."""


class Turn(NamedTuple):
    """One turn of the loop: what came in and went out by role, and its nodes."""

    step: int
    inputs: dict[str, int]
    outputs: dict[str, int]
    nodes: tuple[int, ...]


def loop_calls(
    nodes: Sequence[GraphNode],
) -> tuple[list[GraphNode], list[Turn]] | None:
    """The turns of the one loop of a graph without cells; their nodes now have them as calls.

    None where the turns differ from one another or take values that are not of the turn before.
    """
    turns: dict[int, list[int]] = {}
    for node in nodes:
        if node.step is not None and node.op not in SOURCES:
            turns.setdefault(node.step, []).append(node.id)
    steps = sorted(turns)
    alike = {tuple(nodes[i].op for i in turns[s]) for s in steps}
    if len(steps) < 2 or len(alike) != 1 or steps != list(range(steps[0], steps[-1] + 1)):
        return None
    at = {i: (s, k) for s in steps for k, i in enumerate(turns[s])}
    roles = _roles(nodes, turns, steps, at)
    if roles is None:
        return None
    written, taken = roles
    found: list[Turn] = []
    for step in steps:
        came = _came(nodes, turns[step], taken, step, at)
        if came is None:
            return None
        out = {role: turns[step][k] for k, role in written.items()}
        found.append(Turn(step, came, out, tuple(turns[step])))
    inside = [replace(n, call=at[n.id][0] - steps[0]) if n.id in at else n for n in nodes]
    return inside, found


def _roles(
    nodes: Sequence[GraphNode],
    turns: Mapping[int, Sequence[int]],
    steps: Sequence[int],
    at: Mapping[int, Place],
) -> Roles | None:
    """Which op writes each state and which operands take it: what each turn takes of the turn before."""
    written: dict[int, str] = {}
    taken: dict[Place, str] = {}
    sources = {
        (k, n): at[i][1]
        for k, node in enumerate(turns[steps[1]])
        for n, i in enumerate(nodes[node].inputs)
        if at.get(i, (steps[1], 0))[0] == steps[0]
    }
    states = sorted(set(sources.values()))
    for number, k in enumerate(states, 1):
        names = Counter(nodes[turns[s][k]].name for s in steps)
        written[k] = names.most_common(1)[0][0] or ("h" if len(states) == 1 else f"s{number}")
    taken.update({place: written[k] for place, k in sources.items()})
    distinct = len(set(written.values())) == len(written)
    return (written, taken) if written and distinct else None


def _came(
    nodes: Sequence[GraphNode],
    turn: Sequence[int],
    taken: Mapping[Place, str],
    step: int,
    at: Mapping[int, Place],
) -> dict[str, int] | None:
    """What came into a turn: each state by its operands' places, and one other value, x."""
    came: dict[str, int] = {}
    for k, node in enumerate(turn):
        for n, i in enumerate(nodes[node].inputs):
            state = taken.get((k, n))
            outside = at.get(i, (step - 1, 0))[0] != step
            other = nodes[i].op not in ("parameter", "literal")
            role = state or ("x" if outside and other else "")
            if role and came.setdefault(role, i) != i:
                return None
            if role == "x" and i in at:
                return None
    return came
