"""What is the state of a loop over bare Parameters? What ``tg.steps`` carries from turn to turn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple, TypeVar

import numpy as np

from .recorded import PASS_THROUGH, SOURCES, GraphNode

K = TypeVar("K", bound=Hashable)

LONGEST = 200  # ops: longer turns are not looked for
SUMS = ("add", "sub")  # may begin from a number
Place = tuple[int, int]  # which op of the step, as which operand
Placed = dict[int, dict[int, int]]  # of each step the node at each place of a whole turn
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
    """Where no node knows a step, those of loops in Python get them: ops that repeat, turn by turn.

    Each turn has the same ops on the same Parameters; the first lacks those that had only given values to
    compute with, which nobody recorded. It starts from given values, a Parameter, or what a loop before it
    left, and the other ops before it are of no turn.
    """
    ops = [node for node in nodes if node.op not in SOURCES]
    if any(node.step is not None for node in ops):
        return list(nodes)
    step: dict[int, int] = {}
    for turns in _loops(nodes, ops):
        step |= {node.id: k for k, turn in enumerate(turns) for node in turn}
    last = max(step, default=-1)
    loose = {node.id for node in ops if node.id < last and node.id not in step}
    for node in ops:
        computed = (i for i in node.inputs if node.id in step and i in loose)
        if any(nodes[i].op not in PASS_THROUGH for i in computed):
            return list(nodes)
    return [replace(n, step=step[n.id]) if n.id in step else n for n in nodes]


Ops = Sequence["GraphNode"]


def _loops(nodes: Sequence[GraphNode], ops: Ops) -> list[list[Ops]]:
    """The turns of each loop, the one with the most ops first, then those before and after it."""
    found = _longest(nodes, ops)
    if found is None:
        return []
    begin, end, turns = found
    before = _longest(nodes, ops[: begin + len(turns[-1]) - 1])
    if (
        before is not None and before[1] > begin
    ):  # what one loop ends with, the next could begin with
        return [*_loops(nodes, ops[: before[1]]), *_loops(nodes, ops[before[1] :])]
    return [turns, *_loops(nodes, ops[:begin]), *_loops(nodes, ops[end:])]


def _longest(nodes: Sequence[GraphNode], ops: Ops) -> tuple[int, int, list[Ops]] | None:
    """Where the longest run of turns begins and ends among ops, and the ops of each turn."""
    marks: dict[object, int] = {}
    row = np.array([marks.setdefault(_mark(nodes, node), len(marks)) for node in ops], int)
    weighed = np.array([any(nodes[i].op == "parameter" for i in n.inputs) for n in ops], bool)
    best: tuple[int, int, int] | None = None  # how many ops, minus a turn's length, minus begin
    for length in range(1, min(len(ops) // 2, LONGEST) + 1):
        breaks = np.flatnonzero(np.append(row[length:] != row[:-length], True))
        begin = 0
        for last in breaks.tolist():
            count = last + length - begin
            whole = count // length * length
            if count > length and weighed[begin : begin + length].any():
                best = max(best or (0, 0, 0), (whole, -length, -begin))
            begin = last + 1
    if best is None:
        return None
    length, begin = -best[1], -best[2]
    end = begin + length
    while end < len(ops) and row[end] == row[end - length]:
        end += 1
    found = [_cut(nodes, ops, begin, end, length, shift) for shift in range(length)]
    first, last, turns = max(found, key=lambda cut: _telling(nodes, cut[2]))
    return (first, last, turns) if len(turns) > 1 else None


def _cut(
    nodes: Sequence[GraphNode], ops: Ops, begin: int, end: int, length: int, shift: int
) -> tuple[int, int, list[Ops]]:
    """The turns of ops that repeat, where a turn begins ``shift`` ops later, and a first one before them."""
    begin += shift
    before, turn = ops[max(begin - length, 0) : begin], ops[begin : begin + length]
    first = begin - len(_first_turn(nodes, before, turn) if len(turn) == length else ())
    last = begin + (end - begin) // length * length
    whole = [ops[k : k + length] for k in range(begin, last, length)]
    return first, last, [ops[first:begin], *whole] if first < begin and whole else whole


def _telling(nodes: Sequence[GraphNode], turns: Sequence[Ops]) -> tuple[int, ...]:
    """How well a cut into turns tells a loop: by many of them, few states that are computed, and many ops."""
    if len(turns) < 2:
        return (0,)
    inside = {node.id for node in turns[-2]}
    states = {i for node in turns[-1] for i in node.inputs if i in inside}
    joined = sum(nodes[i].op in PASS_THROUGH for i in states)
    return len(turns), -joined, -len(states), sum(map(len, turns))


def _first_turn(nodes: Sequence[GraphNode], before: Ops, turn: Ops) -> dict[int, int]:
    """The last ops before a turn that are one too, but for what was not recorded, by places in a whole."""
    found: dict[int, int] = {}
    left = len(before)
    for k, node in reversed(list(enumerate(turn))):
        if left and _fits(nodes, before[left - 1], node):
            left -= 1
            found[k] = before[left].id
        elif not _given(nodes, node, turn):
            return _stateless_turn(nodes, before, turn)
    return dict(sorted(found.items()))


def _stateless_turn(nodes: Sequence[GraphNode], before: Ops, turn: Ops) -> dict[int, int]:
    """The last ops before a turn as one without a state (``h = None``), by their places in a whole turn.

    Empty where they are none. A sum of what the state gives and more is then its other term, or begins from
    a number.
    """
    inside = {node.id for node in turn}
    gone, sums = without_state(
        [(node.id, node.op, node.inputs) for node in turn],
        lambda i: i not in inside and nodes[i].op not in SOURCES,
    )
    found: dict[int, int] = {}
    left = len(before)
    for k, node in reversed(list(enumerate(turn))):
        if node.id in gone:
            continue
        if left and _fits(nodes, before[left - 1], node):
            left -= 1
            found[k] = before[left].id
        elif node.id not in sums:
            return {}
    taken = (nodes[i] for i in found.values())
    return dict(sorted(found.items())) if gone and any(_weighs(nodes, n) for n in taken) else {}


def without_state(
    ops: Sequence[tuple[K, str, Sequence[K]]], is_state: Callable[[K], bool]
) -> tuple[set[K], set[K]]:
    """Of a step's ops those that compute with a state alone or for it alone, and the sums that pass on.

    ``ops`` are (what an op is known by, its name, what it takes), in their order.
    """
    gone: set[K] = set()
    sums: set[K] = set()
    for key, op, takes in ops:
        lost = [k in gone or is_state(k) for k in takes]
        if any(lost):
            (sums if op in SUMS and not all(lost) else gone).add(key)
    for key, _, _ in reversed(ops):  # what only they needed
        users = {other for other, _, takes in ops if key in takes}
        if users and gone.issuperset(users):
            gone.add(key)
    return gone, sums


def _weighs(nodes: Sequence[GraphNode], node: GraphNode) -> bool:
    return any(nodes[i].op == "parameter" for i in node.inputs)


def _given(nodes: Sequence[GraphNode], node: GraphNode, turn: Ops) -> bool:
    """Whether an op of a turn has nothing to compute with but what came in, so that no first turn has it."""
    inside = {other.id: other for other in turn}
    if any(nodes[i].op == "parameter" for i in node.inputs):
        return False
    return all(_given(nodes, inside[i], turn) for i in node.inputs if i in inside)


def _fits(nodes: Sequence[GraphNode], first: GraphNode, later: GraphNode) -> bool:
    """Whether an op of a first turn is what another is in a later one: a Parameter may be the state."""
    if (first.op, first.shape, len(first.inputs)) != (later.op, later.shape, len(later.inputs)):
        return False
    orders = [first.inputs, first.inputs[::-1]] if first.op in ("add", "mul") else [first.inputs]
    return any(all(map(partial(_alike, nodes, first), order, later.inputs)) for order in orders)


def _alike(nodes: Sequence[GraphNode], node: GraphNode, one: int, other: int) -> bool:
    if nodes[other].op == "parameter":
        return one == other
    if nodes[other].op == "literal":
        return nodes[one].op == "literal" and nodes[one].name == nodes[other].name
    begins = nodes[one].op == "literal" and node.op in SUMS
    return begins or nodes[one].shape == nodes[other].shape


def _mark(nodes: Sequence[GraphNode], node: GraphNode) -> tuple[object, ...]:
    """What an op has in common with that of another turn; a sum may begin from a number."""

    def operand(i: int) -> object:
        here = nodes[i]
        if here.op == "parameter":
            return i
        if here.op == "literal":
            return node.shape if node.op in SUMS else here.name
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
    if len(steps) < 2 or steps != list(range(steps[0], steps[-1] + 1)):
        return None
    placed = _placed(nodes, turns, steps)
    if placed is None:
        return None
    at = {i: (s, k) for s in steps for k, i in placed[s].items()}
    roles = _roles(nodes, placed, steps, at)
    if roles is None:
        return None
    written, taken = roles
    came = _all_came(nodes, placed, steps, taken, at)
    if came is None:
        return None
    return [
        Turn(s, came[s], {role: placed[s][k] for k, role in written.items()}, tuple(turns[s]), loop)
        for s in steps
    ]


def _placed(
    nodes: Sequence[GraphNode], turns: Mapping[int, Sequence[int]], steps: Sequence[int]
) -> Placed | None:
    """The ops of each turn by their place in a whole one; the first may lack some; None for others."""
    whole = [nodes[i] for i in turns[steps[1]]]
    kinds = [node.op for node in whole]
    placed: dict[int, dict[int, int]] = {}
    for s in steps:
        mine = turns[s]
        if [nodes[i].op for i in mine] == kinds:
            placed[s] = dict(enumerate(mine))
            continue
        if s != steps[0]:
            return None
        first = [nodes[i] for i in mine]
        found = _first_turn(nodes, first, whole)
        if len(found) < len(mine):
            found = _stateless_turn(nodes, first, whole)
        if len(found) < len(mine):
            return None
        placed[s] = found
    return placed


def _roles(
    nodes: Sequence[GraphNode], turns: Placed, steps: Sequence[int], at: Mapping[int, Place]
) -> Roles | None:
    """Which op writes each state and which operands take it: what each turn takes of the turn before."""
    written: dict[int, str] = {}
    taken: dict[Place, str] = {}
    second = turns[steps[1]]
    sources = {
        (k, n): at[i][1]
        for k, node in second.items()
        for n, i in enumerate(nodes[node].inputs)
        if at.get(i, (steps[1], 0))[0] == steps[0]
    }
    states = sorted(set(sources.values()))
    called = _called(nodes, second, sources, states)
    for k in states:
        names = Counter(nodes[turns[s][k]].name for s in steps)
        written[k] = names.most_common(1)[0][0] or called[k]
    taken.update({place: written[k] for place, k in sources.items()})
    distinct = len(set(written.values())) == len(written)
    return (written, taken) if written and distinct else None


def _called(
    nodes: Sequence[GraphNode],
    turn: Mapping[int, int],
    sources: Mapping[Place, int],
    states: Sequence[int],
) -> dict[int, str]:
    """What states without a name are called: h, also beside a sum; c and h of an LSTM; else s1, s2 ..."""
    sums = [k for k in states if nodes[turn[k]].op in SUMS and not nodes[turn[k]].shape]
    rest = [k for k in states if k not in sums]
    found = {k: f"s{number}" for number, k in enumerate(states, 1)}
    if rest and len(sums) == 1:
        found[sums[0]] = "sum"
    if len(rest) == 1:
        found[rest[0]] = "h"
    elif len(rest) == 2:
        by_element = [
            all(nodes[turn[at]].op == "mul" for (at, _), k in sources.items() if k == state)
            for state in rest
        ]
        if by_element == [
            True,
            False,
        ]:  # the one is only multiplied by a gate, the other is looked at
            found[rest[0]], found[rest[1]] = "c", "h"
    return found


def _all_came(
    nodes: Sequence[GraphNode],
    turns: Placed,
    steps: Sequence[int],
    taken: Mapping[Place, str],
    at: Mapping[int, Place],
) -> dict[int, dict[str, int]] | None:
    """What came into each turn, by role. A whole turn is read first: it says which operand is which value."""
    inputs: dict[Place, str] = {}
    came: dict[int, dict[str, int]] = {}
    whole = turns[steps[1]]
    lacking = len(turns[steps[0]]) < len(whole)
    for s in (*steps[1:], steps[0]) if lacking else steps:
        given = _of_given(nodes, whole, inputs, taken) if lacking and s == steps[0] else {}
        found = _came(nodes, turns[s], taken, inputs, given, s, at)
        if found is None:
            return None
        came[s] = found
    return came


def _of_given(
    nodes: Sequence[GraphNode],
    whole: Mapping[int, int],
    inputs: Mapping[Place, str],
    taken: Mapping[Place, str],
) -> dict[Place, str]:
    """Operands that are made in a whole turn by ops that a first one lacks: of x, or else of a state."""
    place = {i: k for k, i in whole.items()}
    made: dict[int, str] = {}
    roles: dict[Place, str] = {}
    for k, i in whole.items():
        mine: list[str] = []
        for n, operand in enumerate(nodes[i].inputs):
            if made.get(place.get(operand, -1)):
                roles[k, n] = made[place[operand]]
            mine.append(inputs.get((k, n)) or taken.get((k, n)) or roles.get((k, n), ""))
        known = sorted(filter(None, mine), key=lambda role: not role.startswith("x"))
        made[k] = known[0] if known else ""
    return roles


def _came(
    nodes: Sequence[GraphNode],
    turn: Mapping[int, int],
    taken: Mapping[Place, str],
    inputs: dict[Place, str],
    given: Mapping[Place, str],
    step: int,
    at: Mapping[int, Place],
) -> dict[str, int] | None:
    """What came into a turn: each state by its operands' places, and the other values, x and more.

    The first turn that is read says in ``inputs`` which operand is which value. Of what stands in the places
    ``given``, one value stands for each input or state that did not come itself.
    """
    came: dict[str, int] = {}
    first = not inputs
    known: dict[int, str] = {}
    inside = set(turn.values())
    spare: list[tuple[str, int]] = []
    for k, node in turn.items():
        for n, i in enumerate(nodes[node].inputs):
            if role := taken.get((k, n)):
                if i in inside:  # a sum that begins from a number has it as its other operand
                    i = nodes[node].inputs[1 - n]
                    if nodes[i].op != "literal" or nodes[node].op != "add":
                        return None
                if came.setdefault(role, i) != i:
                    return None
                continue
            outside = at.get(i, (step - 1, 0))[0] != step
            if not outside or nodes[i].op in ("parameter", "literal"):
                continue
            if (k, n) in given:
                spare.append((given[k, n], i))
                continue
            if first:
                known.setdefault(i, _input_role(nodes[i], len(known), known.values()))
                inputs[k, n] = known[i]
            role = inputs.get((k, n), "")
            if i in at or not role or came.setdefault(role, i) != i:
                return None
    for role, i in spare:
        came.setdefault(role, i)
    return came


def _input_role(node: GraphNode, count: int, known: Collection[str]) -> str:
    """``x`` for the first value that comes into a turn, else ``x_`` and its name."""
    role = f"x_{node.name or count + 1}" if count else "x"
    return role if role not in known else f"x_{count + 1}"
