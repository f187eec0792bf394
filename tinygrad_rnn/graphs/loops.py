"""What is the state of a loop over bare Parameters? What ``tg.steps`` carries from turn to turn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .passthrough import PASS_THROUGH, SOURCES

if TYPE_CHECKING:
    from .recorded import GraphNode

LONGEST = 200  # ops: longer turns are not looked for
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


def in_turns(nodes: Sequence[GraphNode]) -> list[GraphNode]:
    """Where no node knows a step, those of a loop in Python get them: ops that repeat, turn by turn.

    Each turn has the same ops on the same Parameters, the first starts from given values, and the ops
    before it are of no turn.
    """
    ops = [node for node in nodes if node.op not in SOURCES]
    if any(node.step is not None for node in ops) or len(ops) < 4:
        return list(nodes)
    marks = {mark: k for k, mark in enumerate(dict.fromkeys(_mark(nodes, n) for n in ops))}
    row = np.array([marks[_mark(nodes, node)] for node in ops])
    best = (
        0,
        0,
        0,
    )  # how many ops repeat, minus the length of a turn, minus where the first begins
    for length in range(2, min(len(ops) // 2, LONGEST) + 1):
        same = np.flatnonzero(np.append(row[length:] != row[:-length], True))
        begin = 0
        for end in same.tolist():
            turns = (end - begin) // length + 1
            if turns > 1:
                best = max(best, (turns * length, -length, -begin))
            begin = end + 1
    covered, length, begin = best[0], -best[1], -best[2]
    if not covered:
        return list(nodes)
    at = {node.id: k // length for k, node in enumerate(ops[begin : begin + covered])}
    turn, first = ops[begin : begin + length], {node.id for node in ops[:begin]}
    shared = any(nodes[i].op == "parameter" for node in turn for i in node.inputs)
    computed = (i for node in turn for i in node.inputs if i in first)
    if not shared or any(nodes[i].op not in PASS_THROUGH for i in computed):
        return list(nodes)
    return [replace(n, step=at[n.id]) if n.id in at else n for n in nodes]


def _mark(nodes: Sequence[GraphNode], node: GraphNode) -> tuple[object, ...]:
    """What an op has in common with that of another turn; a sum may begin from a number."""

    def operand(i: int) -> object:
        here = nodes[i]
        if here.op == "parameter":
            return i
        if here.op == "literal":
            return () if node.op == "add" else here.name
        return here.shape

    return (node.op, node.shape, *sorted(map(operand, node.inputs), key=repr))


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
        written[k] = names.most_common(1)[0][0] or _state_role(
            nodes, [turns[steps[1]][s] for s in states], turns[steps[1]][k], number
        )
    taken.update({place: written[k] for place, k in sources.items()})
    distinct = len(set(written.values())) == len(written)
    return (written, taken) if written and distinct else None


def _state_role(nodes: Sequence[GraphNode], states: Sequence[int], state: int, number: int) -> str:
    """What a state without a name is called: a sum that grows beside the one other state is no h."""
    sums = [i for i in states if nodes[i].op == "add" and not nodes[i].shape]
    rest = [i for i in states if i not in sums]
    if len(rest) == 1 and (state == rest[0]):
        return "h"
    return "sum" if len(sums) == 1 and state in sums and rest else f"s{number}"


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
                if i in turn:  # a sum that begins from a number has it as its other operand
                    i = nodes[node].inputs[1 - n]
                    if nodes[i].op != "literal" or nodes[node].op != "add":
                        return None
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
