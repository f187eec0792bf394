"""How does a gradient flow through an excerpt? As through the whole graph, past the steps left out.

What flowed inside of the steps that one call stands for is told by the compiled calls themselves; through
all other nodes it flows by the ops' own rules, on the values of the whole graph.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..engine.autograd import flow
from ..engine.inside import Inside
from ..engine.values import as_array
from .columns import Unlike
from .excerpt import Excerpt
from .recorded import CellCall
from .replay import joined


class Hearer:
    """Who hears what is sent: here, nobody asks."""

    def sender(self, child: int) -> Hashable:
        """Who is named as the sender of what a node sends."""
        return child

    def note(
        self, node: Any, i: int, g: Any, d: Any, sent: Callable[[Any], Any] | None = None
    ) -> None:
        """A node sends ``d`` to its operand ``i``; ``sent`` says what it sends of another gradient."""

    def leave(self, parent: Any, sender: Hashable, d: Any) -> None:
        """A gradient comes to a node."""

    def whole(self, value: int, g: Any) -> None:
        """All that came to a node."""

    def hands_on(self, node: int) -> bool:
        """Whether what a node sends is credited to those that sent it there."""
        return False


MOST = 1 << 26  # numbers of gradients that are kept apart by who sent them


class _Heard:
    """What compiled calls tell of one pass."""

    def __init__(self, folds: Sequence[Any]) -> None:
        self._folds = set(map(id, folds))
        self.told: list[tuple[Any, list[Inside | None]]] = []

    def takes(self, fold: Any) -> bool:
        """Those of which the excerpt has some steps."""
        return id(fold) in self._folds

    def heard(self, node: Any, insides: list[Inside | None], gradients: list[Any]) -> None:
        """What flowed inside of one."""
        self.told.append((node, insides))


class _StandIn(NamedTuple):
    """A call that stands for others: what flowed through their run, and which of its steps they are."""

    call: CellCall
    following: CellCall  # that goes on from the last of them
    inside: Inside
    first: int
    last: int
    fold: Any


class Sweep:
    """One pass through an excerpt; what it sends is told to ``notes``."""

    def __init__(self, graph: Excerpt, notes: Hearer) -> None:
        self.graph, self.notes = graph, notes
        self._stand_ins: dict[int, _StandIn] = {}  # by their nodes
        self._done: set[int] = set()  # calls whose part has been sent
        self._silent: set[int] = set()  # slices of a call's input, all of which is sent at once
        self._unbound: dict[int, Any] = {}  # and what comes to all of them
        self._came: dict[int, Any] = {}  # by node
        self._ours: set[int] = set()  # numbers of nodes whose gradient has memory of its own

    def run(self, root: Any, seed: Any) -> None:
        """Send a gradient from a node through all of the excerpt."""
        graph = self.graph
        heard = _Heard(graph.folds())
        flow([(root, seed)], hearing=heard)
        told = [
            (graph.steps_of(node, cell), inside, node.saved[0])
            for node, insides in heard.told
            for cell, inside in enumerate(insides)
            if inside is not None
        ]
        for steps, inside, fold in told:
            self._find_stand_ins(steps, inside, fold)
        for steps, inside, fold in told:
            self._enter(steps, inside, fold)
        for node, d in self._unbound.items():
            self.notes.whole(node, [d])
        self._arrive(graph._index[id(graph._reader.alias.get(id(root), root))], seed)
        for i in range(len(graph._raw) - 1, -1, -1):
            if i in self._came:
                self._turn(i, graph._raw[i])

    def _find_stand_ins(self, steps: dict[int, int], inside: Inside, fold: Any) -> None:
        if not steps:
            raise Unlike
        calls, start = self.graph.calls, inside.steps.start
        for step, id_ in steps.items():
            call = calls[id_]
            if call.times > 1:
                first, end = step - start, step + call.times
                following = calls[steps[step - 1 if inside.backwards else end]]
                stand_in = _StandIn(call, following, inside, first, end - start - 1, fold)
                self._stand_ins.update(dict.fromkeys(call.nodes, stand_in))

    def _enter(self, steps: dict[int, int], inside: Inside, fold: Any) -> None:
        """All that a run of a cell sends to its input."""
        calls, start = self.graph.calls, inside.steps.start
        at = None if inside.x_node is None else self._at(inside.x_node)
        if at is None:
            return
        unbound: set[int] = set()
        for id_ in steps.values():
            x = calls[id_].inputs.get("x", -1)
            if x >= 0 and x != at:
                self._silent.update({x, *self.graph[x].inputs} - {at})
                unbound.update({*self.graph[x].inputs} - {at})
        for node in unbound if inside.x is not None else ():
            before = self._unbound.get(node)
            self._unbound[node] = inside.x if before is None else before + inside.x
        if inside.x is not None:
            senders = [(calls[id_], step - start) for step, id_ in steps.items()]
            self._enter_input(at, senders, inside.x, fold.time_axis)

    def _enter_input(
        self, at: int, senders: list[tuple[CellCall, int]], x: Any, time_axis: int
    ) -> None:
        """A run's gradient comes to the value that its input is: from every call what it sent.

        Where the value hands nothing on, calls of one box need not be told from one another.
        """
        node, whole = self.graph._raw[at], np.moveaxis(x, 0, time_axis)
        self._arrive(at, whole)
        spans = [(call, first, first + call.times) for call, first in senders]
        kept = self.graph.kept(node)
        if not self.notes.hands_on(at):
            boxes: dict[Hashable, list[tuple[CellCall, int, int]]] = {}
            for span in spans:
                sender = self.notes.sender(span[0].nodes[0])
                boxes.setdefault(sender[0] if isinstance(sender, tuple) else None, []).append(span)
            for mine in boxes.values():
                d = x if len(boxes) == 1 else _only(x, mine)
                sender = self.notes.sender(mine[0][0].nodes[0])
                self.notes.leave(node, sender, np.moveaxis(d, 0, time_axis))
        elif kept is not None:
            parents = self.graph._parents(node)
            takers = {first: (call, last) for call, first, last in spans}
            for k, parent in zip(kept, parents, strict=True):
                call, last = takers.get(k, (None, 0))
                stand_in = self._of(self.graph._index[id(parent)])
                wide = 1 if stand_in is None else stand_in.last - stand_in.first + 1
                if call is None or last - k != wide:
                    raise Unlike
                d = x[k] if wide == 1 else x[k:last]
                self.notes.leave(parent, self.notes.sender(call.nodes[0]), d)
        elif len(spans) * x.size > MOST:
            raise Unlike
        else:
            for span in spans:
                sender = self.notes.sender(span[0].nodes[0])
                self.notes.leave(node, sender, np.moveaxis(_only(x, [span]), 0, time_axis))

    def _at(self, node: Any) -> int | None:
        alias = self.graph._reader.alias
        return self.graph._index.get(id(alias.get(id(node), node)))

    # ---- one node after another

    def _turn(self, i: int, node: Any) -> None:
        g = as_array(self._came.pop(i))
        if node.op is None or i in self._silent:
            self.notes.whole(i, g)
            return
        if i in self._stand_ins:
            self._stand_in(self._stand_ins[i])
            return
        self.notes.whole(i, g)
        if node.op.several:
            g = node.op.filled(node, g)
        elif g.ndim > len(node.shape):
            self._spread(i, node, g)
            return
        kept = self.graph.kept(node)
        for k, parent in enumerate(self.graph._parents(node)):
            if parent.needs:
                if kept is None:
                    self._send(node, k, parent, g, node.op.delta(node, k, g, node.out, node.saved))
                else:
                    self._unstack(node, k, parent, g, kept)

    def _send(
        self,
        node: Any,
        k: int,
        parent: Any,
        g: Any,
        d: Any,
        sent: Callable[[Any], Any] | None = None,
    ) -> None:
        to = self.graph._index[id(parent)]
        known = to in self._stand_ins and self._is_next(node, self._stand_ins[to])
        if not known:  # as what the steps send to one another is
            self.notes.note(node, k, g, d, sent)
        self._arrive(to, d)

    def _is_next(self, node: Any, stand_in: _StandIn) -> bool:
        """Whether a node belongs to the step that goes on from those that a call stands for."""
        return self.graph[self.graph._index[id(node)]].call == stand_in.following.id

    def _arrive(self, to: int, d: Any) -> None:
        self._came[to] = joined(self._came.get(to), d, self.graph._raw[to], self._ours)

    def _unstack(self, node: Any, k: int, parent: Any, g: Any, kept: list[int]) -> None:
        """A sequence of outputs sends to each its slice, to a stand-in those of all its steps."""
        axis, at = node.saved[-1], kept[k]
        stand_in = self._of(self.graph._index[id(parent)])
        last = at if stand_in is None else at + stand_in.last - stand_in.first

        def sent(g: Any) -> Any:
            moved = np.moveaxis(g, axis, 0)
            return moved[at] if stand_in is None else moved[at : last + 1]

        self._send(node, k, parent, g, sent(g), sent)

    def _of(self, i: int) -> _StandIn | None:
        """The stand-in behind an output, joined or masked as it may be."""
        while i not in self._stand_ins:
            node = self.graph[i]
            if node.call is not None or node.op not in ("cat", "mul"):
                return None
            i = node.inputs[0]
        return self._stand_ins[i]

    def _spread(self, i: int, node: Any, g: Any) -> None:
        """What stands between stand-ins: outputs of two directions joined, or a mask of dropout."""
        stand_in = self._of(i)
        if stand_in is None:
            raise Unlike
        low = 0
        for k, parent in enumerate(self.graph._parents(node)):
            if node.op.name == "cat":
                high = low + parent.shape[-1]

                def sent(g: Any, low: int = low, high: int = high) -> Any:
                    return g[..., low:high]

                low = high
            else:
                stage = self._stage(stand_in)
                mask = stand_in.fold.masks[stage + 1][stand_in.first : stand_in.last + 1]

                def sent(g: Any, mask: Any = mask) -> Any:  # type: ignore[misc]
                    return g * mask

            if parent.needs:
                self._send(node, k, parent, g, sent(g), sent)

    def _stage(self, stand_in: _StandIn) -> int:
        """The layer of a stand-in in its call."""
        ways = stand_in.fold.ways
        call = next(c for c, id_ in self.graph._call_ids.items() if id_ == stand_in.call.id)
        at = ways.index((call.cell, call.scope, call.label))
        return int(at // (len(ways) // len(stand_in.fold.masks)))

    def _stand_in(self, stand_in: _StandIn) -> None:
        """What the steps that a call stands for sent: to the state before them all, and to their inputs."""
        call, inside = stand_in.call, stand_in.inside
        if call.id in self._done:
            return
        self._done.add(call.id)
        first, last = stand_in.first, stand_in.last
        begin, onward = (last, -1) if inside.backwards else (first, 1)
        states = [role for role in call.inputs if not role.startswith("x")]
        sender, following = (self.notes.sender(c.nodes[0]) for c in (call, stand_in.following))
        for k, role in enumerate(states):
            if (made := call.outputs.get(role)) is not None:
                d = inside.entering[k][first + onward : last + onward + 1]
                self.notes.leave(self.graph._raw[made], following, d)
                if (total := inside.totals[k + 1]) is not None:
                    self.notes.whole(made, total[first : last + 1])
        for k, role in enumerate(states):
            if inside.entered[k][begin]:
                self._leave(call.inputs[role], sender, inside.entering[k][begin])
        if inside.x is not None and "x" in call.inputs:
            self._leave(call.inputs["x"], sender, inside.x[first : last + 1])

    def _leave(self, to: int, sender: Hashable, d: Any) -> None:
        self.notes.leave(self.graph._raw[to], sender, d)
        self._arrive(to, d)


def _only(x: Any, spans: Sequence[tuple[CellCall, int, int]]) -> Any:
    """What is sent by the calls of some steps, zeros for all others."""
    d = np.zeros_like(x)
    for _, first, last in spans:
        d[first:last] = x[first:last]
    return d
