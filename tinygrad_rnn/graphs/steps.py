"""What does one step of a cell do? Its ops in order, by what each takes: equal for steps drawn alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .chains import NotUnrollableError, StepCall
from .loops import without_state
from .recorded import GraphNode


class StepOp(NamedTuple):
    """One op of a step: what it takes by role (``x``, ``h'``, ``n3``), its Parameters and numbers."""

    role: str
    op: str
    name: str
    takes: tuple[str, ...]
    params: tuple[int, ...]
    numbers: tuple[str, ...]
    detail: str


class Step(NamedTuple):
    """A step as data: equal for two steps exactly if they are drawn alike."""

    ops: tuple[StepOp, ...]
    states: tuple[tuple[str, str], ...]  # each state with the role that writes it
    order: tuple[str, ...]  # the states from the highest rail down
    inputs: tuple[str, ...]
    output: str = ""  # the role that makes the output, where that is no state

    @property
    def sources(self) -> tuple[str, ...]:
        """What comes in, from the highest down: the states of the step before, then the inputs."""
        return (*(f"{state}'" for state in self.order), *self.inputs)


def read_step(
    nodes: Sequence[GraphNode], call: StepCall, order: Sequence[str], out: int | None = None
) -> tuple[Step, dict[str, int]]:
    """A recorded call as a Step, and the node of each role.

    Raises NotUnrollableError where the step takes a value that is neither an input, a state nor a Parameter.
    """
    known = {i: role if role.startswith("x") else f"{role}'" for role, i in call.inputs.items()}
    roles: dict[str, int] = {}
    ops: list[StepOp] = []
    for group in _groups(nodes, call):
        last = nodes[group[-1]]
        operands = [k for i in group for k in nodes[i].inputs if k not in group]
        params = tuple(k for k in operands if nodes[k].op == "parameter" and k not in known)
        begins = [k for k in operands if nodes[k].op == "literal" and k in known]
        values = [k for k in operands if k not in params and nodes[k].op != "literal"]
        values = begins + values  # a sum that begins from a number, as it goes on from a state
        if any(k not in known for k in values):
            raise NotUnrollableError
        takes = tuple(known[k] for k in values)
        if last.op == "item" and takes:
            known[last.id] = takes[0]
            continue
        known[last.id] = role = f"n{len(ops)}"
        roles[role] = last.id
        literal = [nodes[k].op == "literal" and k not in begins for k in last.inputs]
        numbers = [nodes[k].name * own for k, own in zip(last.inputs, literal, strict=True)]
        op = last.op if len(group) == 1 else last.path.rpartition(".")[2]
        name = last.name if len(group) == 1 else ""
        row = op == "getitem" and not takes and last.detail.strip("[-]").isdigit()
        detail = "" if row else last.detail  # the row of a Parameter may be another at each step
        ops.append(StepOp(role, op, name, takes, params, tuple(numbers), detail))
    states = tuple((state, known.get(call.outputs.get(state, -1), "")) for state in order)
    if not ops or any(role not in roles for _, role in states):
        raise NotUnrollableError
    inputs = tuple(role for role in call.inputs if role.startswith("x"))
    output = "" if out is None else known.get(out, "")
    return Step(tuple(ops), states, tuple(order), inputs, output), roles


def first_step(nodes: Sequence[GraphNode], call: StepCall, later: Step) -> dict[str, int] | None:
    """The roles that a cell's first call has of a later step's, None where it is no such step.

    What takes only inputs and a constant initial state is a constant there, and not recorded.
    """
    constant = {*later.sources}
    for op in later.ops:
        if op.takes and constant.issuperset(op.takes) and not op.params:
            constant.add(op.role)
    wanted = [op for op in later.ops if op.role not in constant]
    groups = [g for g in _groups(nodes, call) if nodes[g[-1]].op != "item"]
    roles = {op.role: group[-1] for op, group in zip(wanted, groups, strict=False)}
    alike = all(
        len(group) > 1 or (nodes[group[-1]].op, nodes[group[-1]].name) == (op.op, op.name)
        for op, group in zip(wanted, groups, strict=False)
    )
    written = {state: roles.get(role) for state, role in later.states}
    whole = len(wanted) == len(groups) < len(later.ops) and written == call.outputs
    return roles if whole and alike else _stateless_step(nodes, call, later, groups)


def _stateless_step(
    nodes: Sequence[GraphNode], call: StepCall, later: Step, groups: Sequence[Sequence[int]]
) -> dict[str, int] | None:
    """The roles of a first step in which there is no state yet (``h = None``): sums are their other term."""
    gone, sums = without_state(
        [(op.role, op.op, op.takes) for op in later.ops], lambda role: role.endswith("'")
    )
    roles: dict[str, int] = {}
    left = len(groups)
    for op in reversed(later.ops):
        if op.role not in gone and left and _does(nodes, groups[left - 1], op):
            left -= 1
            roles[op.role] = groups[left][-1]
        elif op.role not in gone and op.role not in sums:
            return None
    written = {state: roles.get(role) for state, role in later.states}
    return roles if gone and not left and written == call.outputs else None


def _does(nodes: Sequence[GraphNode], group: Sequence[int], op: StepOp) -> bool:
    """Whether recorded nodes are an op of a step, with the same Parameters."""
    last = nodes[group[-1]]
    params = tuple(k for i in group for k in nodes[i].inputs if nodes[k].op == "parameter")
    return params == op.params and (len(group) > 1 or (last.op, last.name) == (op.op, op.name))


def _groups(nodes: Sequence[GraphNode], call: StepCall) -> list[list[int]]:
    """The ops one by one, those of a module inside the cell that hands on one value together."""
    groups: list[list[int]] = []
    own = min((nodes[i].path for i in call.nodes), key=len, default="")
    for i in call.nodes:
        inner = nodes[i].path != own
        if groups and inner and nodes[groups[-1][-1]].path == nodes[i].path:
            groups[-1].append(i)
        else:
            groups.append([i])
    users: dict[int, set[int]] = {}
    for i in call.nodes:
        for k in nodes[i].inputs:
            users.setdefault(k, set()).add(i)
    out = set(call.outputs.values())
    result: list[list[int]] = []
    for group in groups:
        whole = all(users.get(k, set()) <= set(group) and k not in out for k in group[:-1])
        inside = {k for i in group for k in nodes[i].inputs}
        connected = all(k in inside for k in group[:-1])
        result += [group] if whole and connected else [[i] for i in group]
    return result
