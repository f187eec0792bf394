"""Which inputs of a cell's steps does a gradient of each output reach? What a recorded graph would say."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from ..engine.values import Value as Recorded
from .tracing import Trace

Roles = frozenset[str]


class Reach:
    """The ways through a traced step, and through some steps one after another.

    A way leads from an output to an operand wherever a rule does: not through a comparison, a condition
    or anything else without a derivative. ``steps`` matters: a state that is handed on along a line of
    others arrives after as many steps as the line is long, and one that is swapped comes back.
    """

    def __init__(self, trace: Trace) -> None:
        roles = {id(node): role for role, node in trace.inputs.items()}
        self.inputs = [role for role in trace.inputs if role != "live"]
        self.step = [_behind(node, roles) for node in trace.outputs]
        count = len(self.step) - 1
        self.states: list[tuple[Roles, ...]] = [tuple(frozenset({f"s{k}"}) for k in range(count))]
        self.output: list[Roles] = [frozenset()]  # after so many steps, from any of them
        while True:  # until the states are what they were after fewer steps
            before = self.states[-1]
            self.output.append(self.output[-1] | _entered(self.step[0], before))
            after = tuple(_entered(found, before) for found in self.step[1:])
            if after in self.states and self.output[-1] == self.output[-2]:
                self.first = self.states.index(after)
                break
            self.states.append(after)
        self.reached = lru_cache(999)(self._reached)
        self.needing = lru_cache(999)(self._needing)

    def after(self, steps: int) -> list[Roles]:
        """The roles that a gradient reaches from the output of any step, and from each last state."""
        count = len(self.states)
        at = steps
        if steps >= count:
            at = self.first + (steps - self.first) % (count - self.first)
        return [self.output[min(steps, len(self.output) - 1)], *self.states[at]]

    def _reached(self, came: tuple[bool, ...], steps: int) -> tuple[bool, ...]:
        """Of the input, each state and each weight: whether a gradient reaches it.

        ``came`` says whether one came to the output and to each last state.
        """
        pairs = zip(came, self.after(steps), strict=True)
        roles: Roles = frozenset().union(*[role for on, role in pairs if on])
        return tuple([role in roles for role in self.inputs])

    def _needing(self, asking: tuple[bool, ...], x: bool, steps: int) -> tuple[bool, ...]:
        """Which of output and last states depend on an input that asks for a gradient.

        ``asking`` goes by states and weights in their order, ``x`` is the sequence.
        """
        pairs = zip(self.inputs, (x, *asking), strict=True)
        who = {role for role, asks in pairs if asks}
        return tuple([not who.isdisjoint(roles) for roles in self.after(steps)])


def _entered(found: Roles, states: Sequence[Roles]) -> Roles:
    """The roles behind some, where what was the state are the roles behind the state before."""
    inner = [states[int(role[1:])] if role[0] == "s" else {role} for role in found]
    return frozenset().union(*inner)


def _behind(node: Recorded, roles: dict[int, str]) -> Roles:
    """The roles of the inputs that a gradient reaches from a node."""
    found, stack, seen = set(), [node], {id(node)}
    while stack:
        node = stack.pop()
        if id(node) in roles:
            found.add(roles[id(node)])
            continue
        for parent in node.parents:
            if id(parent) not in seen and parent.needs:
                seen.add(id(parent))
                stack.append(parent)
    return frozenset(found)
