"""What is the state of a loop over bare Parameters? What ``tg.steps`` carries from turn to turn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from .passthrough import SOURCES

if TYPE_CHECKING:
    from .recorded import GraphNode

Place = tuple[int, int]  # which op of the step, as which operand
Roles = tuple[dict[int, str], dict[Place, str]]


class LoopCell:
    """Stands for the cell that a loop's body is."""


class Turn(NamedTuple):
    """One turn of a loop: what came in and went out by role, its nodes, and which loop it is of."""

    step: int
    inputs: dict[str, int]
    outputs: dict[str, int]
    nodes: tuple[int, ...]
    loop: int


def loop_calls(
    nodes: Sequence[GraphNode],
) -> tuple[list[GraphNode], list[Turn]] | None:
    """The turns of the loops of a graph without cells; their nodes now have them as calls.

    A loop ends where the next begins: where time goes back. None where the turns of a loop differ from
    one another or take values that are not of the turn before.
    """
    loops: list[dict[int, list[int]]] = [{}]
    last = -1
    for node in nodes:
        if node.step is None or node.op in SOURCES:
            continue
        if node.step < last:
            loops.append({})
        last = node.step
        loops[-1].setdefault(last, []).append(node.id)
    found: list[Turn] = []
    for k, turns in enumerate(loops):
        mine = _turns(nodes, turns, k)
        if mine is None:
            return None
        found += mine
    calls = {i: n for n, turn in enumerate(found) for i in turn.nodes}
    return [replace(n, call=calls[n.id]) if n.id in calls else n for n in nodes], found


def _turns(
    nodes: Sequence[GraphNode], turns: Mapping[int, Sequence[int]], loop: int
) -> list[Turn] | None:
    """The turns of one loop."""
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
    inputs: dict[Place, str] = {}
    for step in steps:
        came = _came(nodes, turns[step], taken, inputs, step, at)
        if came is None:
            return None
        out = {role: turns[step][k] for k, role in written.items()}
        found.append(Turn(step, came, out, tuple(turns[step]), loop))
    return found


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
    inputs: dict[Place, str],
    step: int,
    at: Mapping[int, Place],
) -> dict[str, int] | None:
    """What came into a turn: each state by its operands' places, and the other values, x and more.

    The first turn says in ``inputs`` which operand is which value.
    """
    came: dict[str, int] = {}
    first = not inputs
    known: dict[int, str] = {}
    for k, node in enumerate(turn):
        for n, i in enumerate(nodes[node].inputs):
            if role := taken.get((k, n)):
                if came.setdefault(role, i) != i:
                    return None
                continue
            outside = at.get(i, (step - 1, 0))[0] != step
            if not outside or nodes[i].op in ("parameter", "literal"):
                continue
            if first:
                known.setdefault(i, _input_role(nodes[i], len(known), known.values()))
                inputs[k, n] = known[i]
            role = inputs.get((k, n), "")
            if i in at or not role or came.setdefault(role, i) != i:
                return None
    return came


def _input_role(node: GraphNode, count: int, known: Collection[str]) -> str:
    """``x`` for the first value that comes into a turn, else ``x_`` and its name."""
    role = f"x_{node.name or count + 1}" if count else "x"
    return role if role not in known else f"x_{count + 1}"
