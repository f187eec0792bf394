"""Which boxes does any graph have? Cells at their steps, calls of modules, ops, and what flows between.

This reading asks nothing of a graph: what stands between two layers, cells that are fed with what they
said, a layer that is applied twice are boxes like others, each in a row (what it is) and in a column
(when it is). What is outside time, or of all steps at once, spans the columns that it belongs to.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from heapq import heappop, heappush
from typing import Any

from .chains import CELLS, Column, fold, mark_held, no_step
from .numbers import StateRun, name_of, numbers_of_runs
from .recorded import (
    HANDS_ON,
    PASS_THROUGH,
    SOURCES,
    CellCall,
    ChainKey,
    GraphNode,
    RecordedGraph,
    consumers_of,
    title_of,
)

FEW, MANY = 6, 40  # a picture of fewer boxes opens a module, unless there would be more than MANY
UNARY_WORDS = 3  # as many ops in a chain are one box
# More columns than these: of long runs only both ends; more runs: one above the other.
WIDEST, SEGMENTS = 8, 3
Place = tuple[int, int]  # segment, place of the column in it


@dataclass(eq=False)
class Block:
    """One box: what it is, where in time, and what comes in.

    ``kind`` is cell, module, op, y (outputs collected), loss, or input. ``feeds`` are the blocks that
    give a value, the node of that value, and the state as which it comes in (``""`` for none).
    ``uses`` counts the uses of each Parameter.
    """

    kind: str
    nodes: list[int]
    row: Hashable
    step: int | None = None
    call: CellCall | None = None
    title: str = ""
    chain: ChainKey | None = None  # the run of a cell that it is of
    feeds: list[tuple[Block, int, str]] = field(default_factory=list)
    uses: Counter[int] = field(default_factory=Counter)
    columns: list[int] = field(default_factory=list)  # where it stands, counted over all segments
    level: int = 0  # its row, counted from below
    count: int = 1  # how many steps it stands for
    column: Column | None = None
    times: int = 1  # where time is left out: how often it is done

    @property
    def node(self) -> int:
        """The node whose value it gives."""
        return self.nodes[-1]


class Blocks:
    """The blocks of a graph, each with its row and its columns.

    ``columns`` are those of all segments in a line, ``segment`` says of each which one it is of.
    """

    whole = True  # a cell is one box, and a module
    most = CELLS  # so many steps are drawn one by one

    def __init__(self, graph: RecordedGraph, steps: Sequence[int] | None = None) -> None:
        self.graph, self.calls = graph, _counted(graph.calls)
        self.nodes = list(graph)
        if self.whole:
            paths = {call.path for call in self.calls if call.path}
            self.nodes = mark_held(self.nodes, paths)
            self.scopes = [node.place.scope for node in graph._raw]
            self.opened = self._open()
        self._of: dict[int, Block] = {}
        self.blocks: list[Block] = []
        self._consumers = consumers_of(self.nodes)
        self.columns: list[Column] = []
        self.segment: list[int] = []
        self._make()
        self._link()
        self._arrange(steps)

    def _arrange(self, steps: Sequence[int] | None) -> None:
        self._place_in_time(steps)
        self._fold()
        self._rows()

    @cached_property
    def layers(self) -> dict[ChainKey, int | None]:
        """The number of each run of a cell, where several layers or runs have states of one name."""
        runs: dict[ChainKey, list[CellCall]] = {}
        for call in self.calls:
            runs.setdefault(call.chain, []).append(call)
        described = [
            StateRun(
                name_of(calls[0].path or title_of(calls[0].cell), calls[0].label),
                "reverse" * ("reverse" in calls[0].label),
                {call.step + k for call in calls for k in range(call.times)},
                [*dict.fromkeys(state for call in calls for state in call.outputs)],
            )
            for calls in runs.values()
        ]
        return dict(zip(runs, numbers_of_runs(described), strict=True))

    # ---- which boxes

    def _open(self) -> set[Any]:
        """The calls of modules that are no boxes: those around cells, and the largest where there are few."""
        inside: Counter[Any] = Counter()
        members: dict[Any, set[Any]] = {}
        opened: set[Any] = set()
        for node, scope in zip(self.nodes, self.scopes, strict=True):
            if node.op in SOURCES or (node.op in PASS_THROUGH and node.call is None):
                continue
            while scope is not None:
                inside[scope] += 1
                if node.call is not None:
                    opened.add(scope)
                if scope.parent is not None:
                    members.setdefault(scope.parent, set()).add(scope)
                scope = scope.parent
        total = len(self.calls) + sum(scope.parent is None for scope in inside)
        shut = sorted((s for s in inside if s not in opened), key=lambda s: -inside[s])
        while not self.calls and total < FEW and shut:
            scope = shut.pop(0)
            loose = inside[scope] - sum(inside[child] for child in members.get(scope, ()))
            more = loose + len(members.get(scope, ()))
            own = scope.parent is None and scope.kind.__module__.split(".")[1:2] != ["nn"]
            if not (members.get(scope) or own) or total + more > MANY:
                continue
            opened.add(scope)
            total += more - 1
        return opened

    def _module(self, i: int) -> Any:
        """The outermost call of a module around a node that is one box."""
        scope, found = self.scopes[i], None
        while scope is not None and scope not in self.opened:
            found, scope = scope, scope.parent
        return found

    def _make(self) -> None:
        row: Hashable
        modules: dict[Any, Block] = {}
        cells: dict[int, Block] = {}
        for node in self.nodes:
            i = node.id
            if node.op in SOURCES:
                continue
            call = None if node.call is None else self.calls[node.call]
            if self.whole and call is not None:
                if call.id not in cells:
                    row = ("cell", call.path, call.label, title_of(call.cell), call.run)
                    title = title_of(call.cell)
                    cells[call.id] = self._add(Block("cell", [], row, call.step, call, title))
                    cells[call.id].chain = call.chain
                    cells[call.id].count = call.times
                block = cells[call.id]
            elif (module := self._module(i)) is not None:
                if node.op in HANDS_ON and module not in modules:
                    continue
                if module not in modules:
                    title = module.name.rpartition(".")[2] or module.kind.__name__
                    path = module.path(self.graph._roots[id(module.root.module)][0])
                    row = ("module", path)
                    modules[module] = self._add(Block("module", [], row, node.step, None, title))
                block = modules[module]
            elif self._is_transparent(node):
                continue
            elif (joined := self._joins(node)) is not None:
                block = joined
            else:
                numbers = tuple(self.nodes[k].op == "literal" for k in node.inputs)
                row = ("op", node.path, node.op, re.sub(r"\d+", "0", node.detail), numbers)
                block = self._add(Block("op", [], row, node.step))
                if call is not None:
                    block.row, block.step = (*row, call.label, call.run), call.step
                    block.chain, block.count = call.chain, call.times
            block.nodes.append(i)
            self._of[i] = block
        for i in self.graph.outputs:
            block_ = self._of.get(i)
            if block_ is not None and block_.kind == "op" and self._is_loss(i):
                block_.kind = "loss"
                block_.row = ("loss", i)

    def _is_loss(self, i: int) -> bool:
        """Whether an output is a loss: a single number."""
        return self.nodes[i].shape == ()

    def _add(self, block: Block) -> Block:
        self.blocks.append(block)
        return block

    def _is_transparent(self, node: GraphNode) -> bool:
        """Whether a node only hands a value on, or several of which each is taken for itself."""
        if node.op in HANDS_ON or self._element(node.id) is not None:
            return True
        if node.op not in ("stack", "cat"):
            return False
        if node.id not in self._consumers:
            return True
        return self._only_taken_apart(node.id) or len(node.inputs) == 1

    def _only_taken_apart(self, i: int) -> bool:
        users = self._consumers.get(i, ())
        return bool(users) and all(
            self._element(k) is not None
            or (self.nodes[k].op in HANDS_ON and self._only_taken_apart(k))
            for k in users
        )

    def _element(self, i: int) -> int | None:
        """Of a node that takes one of what was stacked: that one."""
        return self.graph.element(i)

    def _joins(self, node: GraphNode) -> Block | None:
        """The block of loose ops that a node goes on with: a running sum, or a chain of ops on one value."""
        own = [k for k in node.inputs if self.nodes[k].op != "literal"]
        for k in own:
            before = self._of.get(k)
            if before is None or before.kind != "op" or self._consumers.get(k) != [node.id]:
                continue
            op = self.nodes[before.node].op
            if self.nodes[before.node].name:  # what the user named has a box of its own
                continue
            if op in ("stack", "cat") and node.op == "getitem" and before.step == node.step:
                return before
            if node.op == "add" == op and (
                len(before.nodes) == 1 or self.nodes[before.nodes[0]].op == "add"
            ):
                before.step = before.step if before.step == node.step else None
                return before
            chain = len(own) == 1 and len(before.nodes) < UNARY_WORDS and op not in PASS_THROUGH
            if chain and node.op not in PASS_THROUGH and before.step == node.step:
                return before
        return None

    def taken_by(self, block: Block) -> list[tuple[Block, int]]:
        """All that comes into a block: who gives it, and the node of each value."""
        return [(source, value) for source, value, _ in block.feeds]

    def values_of(self, block: Block, source: Block, value: int, role: str) -> tuple[int, ...]:
        """The nodes of all values for which one feed of a block stands."""
        return (value,)

    # ---- what flows

    def _link(self) -> None:
        for block in list(self.blocks):
            mine = set(block.nodes)
            call = self._call_of(block)
            given = {} if call is None else {i: role for role, i in call.inputs.items()}
            roles = {i: role for i, role in given.items() if call and role in call.outputs}
            entered: set[int] = set()  # once into a cell, however many of its ops take it
            seen: set[tuple[int, str]] = set()
            for i in block.nodes:
                for k in self.nodes[i].inputs:
                    if k in mine or k in entered:
                        continue
                    entered |= {k} & given.keys()
                    for source, value in self._resolve(k):
                        role = roles.get(k, "")
                        if source is None:
                            block.uses[value] += block.count
                        elif source is not block and (value, role) not in seen:
                            seen.add((value, role))
                            block.feeds.append((source, value, role))

    def _call_of(self, block: Block) -> CellCall | None:
        """The call of a cell that a box is, or is a part of."""
        call = self.nodes[block.node].call
        return None if call is None or block.chain is None else self.calls[call]

    def _resolve(self, i: int) -> list[tuple[Block | None, int]]:
        """The blocks that make a value, and which of their nodes that is; none for a Parameter."""
        node = self.nodes[i]
        while i not in self._of:
            if node.op == "literal":
                return []
            if node.op == "parameter":
                return [(None, i)]
            if node.op == "input":
                return [(self._input(i), i)]
            taken = self._element(i)
            if taken is None and node.op in ("stack", "cat"):
                return [found for k in node.inputs for found in self._resolve(k)]
            i = node.inputs[0] if taken is None else taken
            node = self.nodes[i]
        return [(self._of[i], i)]

    def _input(self, i: int) -> Block:
        block = self._add(Block("input", [i], ("input", i), self.nodes[i].step))
        self._of[i] = block
        return block

    # ---- when

    def _place_in_time(self, shown: Sequence[int] | None) -> None:
        """The columns: the cells' steps, of one run after those of another that it goes on from."""
        segments = self._segments()
        self._places = spots = self._spots(segments)
        at: dict[tuple[int, int], int] = {}
        times: dict[int, dict[int, int]] = {}
        for block, mine in spots.items():
            for k, step in mine if block.chain is not None or len(mine) == 1 else ():
                here = times.setdefault(k, {})
                here[step] = max(here.get(step, 1), block.count)
        known = {step for steps in times.values() for step in steps}
        end = max((step + steps[step] for steps in times.values() for step in steps), default=0)
        if missing := [s for s in shown or () if (s if s >= 0 else end + s) not in known]:
            raise no_step(shown or (), missing[0], min(known, default=0), end - 1)
        several = sum(min(len(steps), self.most) for steps in times.values()) > WIDEST
        several |= self.most < CELLS
        for k, steps in sorted(times.items()):
            ends = [min(steps), max(steps)] if several and len(steps) > 3 else None
            chosen = [s for s in shown or () if s < 0 or s in steps] or ends
            for column in fold(sorted(steps), self.most, chosen, dict(sorted(steps.items()))):
                at.update({(k, step): len(self.columns) for step in column.steps})
                self.columns.append(column)
                self.segment.append(k)
        for block in self.blocks:
            found = {at[spot] for spot in spots[block] if spot in at}
            block.columns = sorted(found) or list(range(len(self.columns)))

    def _segments(self) -> dict[ChainKey, int]:
        """The segment of each run of cells: after those whose last state it starts from."""
        mine: dict[ChainKey, list[Block]] = {}
        feeds: set[tuple[ChainKey, ChainKey]] = set()
        for block in self.blocks:
            if block.chain is not None:
                mine.setdefault(block.chain, []).append(block)
                feeds |= {(s.chain, block.chain) for s, _, _ in block.feeds if s.chain is not None}
        found: dict[ChainKey, int] = {}
        for chain, blocks in mine.items():
            first = min(block.step or 0 for block in blocks)
            before = [
                found[source.chain]
                for block in blocks
                for source, _, role in block.feeds
                if role and block.step == first and source.chain in found
                if (chain, source.chain) not in feeds  # else they take turns
            ]
            found[chain] = max((k + 1 for k in before), default=0)
        return found if max(found.values(), default=0) < SEGMENTS else dict.fromkeys(found, 0)

    def _spots(self, segments: dict[ChainKey, int]) -> dict[Block, list[Place]]:
        """The segments and steps of each block: of what has none, those that it serves or comes from."""
        users = self.users()
        fixed: dict[Block, set[Place]] = {}
        for block in self.blocks:
            if block.chain is not None and block.step is not None:
                fixed[block] = {(segments[block.chain], block.step)}
        came, goes = self._near(fixed, users)
        for block in self.blocks:
            if block.step is not None and block not in fixed:
                near = [k for k, step in {*came[block], *goes[block]} if step == block.step]
                fixed[block] = {(max(near, default=0), block.step)}
        found = dict(fixed)
        rows: dict[Hashable, list[Block]] = {}
        for block in self.blocks:
            if block not in fixed and block.kind != "input":
                rows.setdefault(block.row, []).append(block)
        settled = -1
        while len(found) > settled:  # what has found its place tells others theirs
            settled = len(found)
            came, goes = self._near(found, users)
            for row, mine in list(rows.items()):
                if (chosen := _one_each(mine, came, goes)) is not None:
                    found |= chosen
                    del rows[row]
        for mine in rows.values():
            found |= {b: came[b] | goes[b] if came[b] else goes[b] for b in mine}
        for block in self.blocks:
            if block not in found:  # an input: where it is used
                found[block] = set().union(*(found[user] for user in users.get(block, ())))
        return {block: sorted(spots) for block, spots in found.items()}

    def _near(
        self, fixed: dict[Block, set[Place]], users: dict[Block, list[Block]]
    ) -> tuple[dict[Block, set[Place]], dict[Block, set[Place]]]:
        """The nearest places in time before and after each block."""
        order = _in_order(self.blocks)
        came = self._gathered(order, fixed, lambda block: [s for s, _, _ in block.feeds])
        return came, self._gathered(order[::-1], fixed, lambda block: users.get(block, []))

    @staticmethod
    def _gathered(
        order: Sequence[Block],
        fixed: dict[Block, set[Place]],
        near: Callable[[Block], Sequence[Block]],
    ) -> dict[Block, set[Place]]:
        """The nearest places in time on one side of each block."""
        found: dict[Block, set[Place]] = {}
        for block in order:
            found[block] = set().union(*(fixed.get(b) or found.get(b, set()) for b in near(block)))
        return found

    def users(self) -> dict[Block, list[Block]]:
        """By block, those that take a value of it."""
        found: dict[Block, list[Block]] = {}
        for block in self.blocks:
            for source, _, _ in block.feeds:
                found.setdefault(source, []).append(block)
        return found

    def _fold(self) -> None:
        """What is in a column of folded steps alike is one block."""
        kept: dict[tuple[Hashable, int], Block] = {}
        place: dict[Block, Block] = {}
        for block in self.blocks:
            alone = block.columns[0] if len(block.columns) == 1 else None
            if alone is None or not self.columns[alone].folded:
                continue
            row = block.row
            if block.kind == "input":
                users = [b.row for b in self.blocks if any(s is block for s, _, _ in b.feeds)]
                row = ("input of", *users[:1])
            first = kept.setdefault((row, alone), block)
            place[block] = first
            first.column = self.columns[alone]
            if first is not block:
                first.nodes = [*first.nodes, *block.nodes]
                first.uses.update(block.uses)
        for block in self.blocks:
            target = place.get(block, block)
            feeds = [(place.get(s, s), value, role) for s, value, role in block.feeds]
            if target is not block:
                target.feeds += feeds
            else:
                block.feeds = feeds
        gone = {block for block, first in place.items() if first is not block}
        self.blocks = [block for block in self.blocks if block not in gone]
        for block in self.blocks:
            block.feeds = list(
                dict.fromkeys((s, v, r) for s, v, r in block.feeds if s is not block)
            )
            if (
                len(block.columns) == 1
                and block.column is None
                and block.kind in ("cell", "module")
            ):
                block.column = self.columns[block.columns[0]] if block.step is not None else None

    # ---- in which row

    def _is_folded(self, column: int) -> bool:
        return self.columns[column].folded

    def _ranks(
        self, rows: dict[Hashable, list[Block]], users: dict[Block, list[Block]]
    ) -> dict[Hashable, float]:
        """Which row is lower where nothing else says so: the one whose boxes come earlier in their steps."""

        def made(block: Block) -> float:
            if block.kind == "input":
                return min((min(u.nodes) for u in users.get(block, ())), default=0) - 0.5
            return min(block.nodes)

        columns: dict[int, list[float]] = {}
        for block in self.blocks:
            if len(block.columns) == 1:
                columns.setdefault(block.columns[0], []).append(made(block))
        ranks: dict[Hashable, float] = {}
        for key, mine in rows.items():
            alone = [b for b in mine if len(b.columns) == 1 and not self._is_folded(b.columns[0])]
            shares = []
            for block in alone:
                column = columns[block.columns[0]]
                shares.append(sum(at < made(block) for at in column) / len(column))
            run = min(self.segment[min(block.columns)] for block in mine)
            ranks[key] = run + (sum(shares) / len(shares) if shares else 0.5)
        return ranks

    def _keyed(self) -> dict[Hashable, list[Block]]:
        """What is of one kind at all steps, inputs by who takes them; of those that meet, each apart."""
        users = self.users()
        for block in self.blocks:
            if block.kind == "input":
                takers = (user.row for user in users.get(block, ()))
                block.row = ("input", min(takers, key=str, default=""))
        rows: dict[Hashable, list[Block]] = {}
        for block in self.blocks:
            k = 0
            while any(self._meet(b, block) for b in rows.get((block.row, k), ())):
                k += 1
            rows.setdefault((block.row, k), []).append(block)
        return rows

    def _meet(self, a: Block, b: Block) -> bool:
        """Whether boxes over some columns, and over all between these, would stand on each other."""
        return min(a.columns) <= max(b.columns) and min(b.columns) <= max(a.columns)

    def _rows(self) -> None:
        """Rows from below: what is of one kind at all steps side by side, after what gives to it."""
        rows = self._keyed()
        number = {b: key for key, mine in rows.items() for b in mine}
        rank = self._ranks(rows, self.users())
        below: dict[Hashable, set[Hashable]] = {key: set() for key in rows}
        for block in self.blocks:
            for source, _, _ in block.feeds:
                a, b = number[source], number[block]
                steps = [c for c in {*source.columns} & {*block.columns} if not self._is_folded(c)]
                if a != b and (steps or len(source.columns) > 1 or len(block.columns) > 1):
                    below[b].add(a)
        ready: list[tuple[float, int, Hashable]] = []
        names = {key: n for n, key in enumerate(rows)}
        waiting = dict(below)
        level = 0
        while waiting:
            free = [key for key, under in waiting.items() if not under & waiting.keys()]
            heap = ready
            for key in free or list(waiting):
                heappush(heap, (rank[key], names[key], key))
            _, _, key = heappop(heap)
            ready = []
            for block in rows[key]:
                block.level = level
            level += 1
            del waiting[key]
        self.height = level


def _latest(places: set[Place]) -> set[Place]:
    """Those of the last run among places in time."""
    last = max((run for run, _ in places), default=0)
    return {place for place in places if place[0] == last}


def _one_each(
    mine: Sequence[Block], came: dict[Block, set[Place]], goes: dict[Block, set[Place]]
) -> dict[Block, set[Place]] | None:
    """The places of blocks of one kind where each has a single one, and every place as many; else None."""
    for choice in (goes, came, {block: _latest(came[block]) for block in mine}):
        spots = [tuple(choice[block]) for block in mine]
        if all(len(spot) == 1 for spot in spots) and len(set(Counter(spots).values())) == 1:
            return {block: set(choice[block]) for block in mine}
    return None


def _counted(calls: Sequence[CellCall]) -> list[CellCall]:
    """The calls; those of a run that says of several that they are the same step are counted anew."""
    runs: dict[ChainKey, list[CellCall]] = {}
    for call in calls:
        runs.setdefault(call.chain, []).append(call)
    fresh: dict[int, CellCall] = {}
    for mine in runs.values():
        if len({call.step for call in mine}) < len(mine):
            step = 0
            for call in mine:
                fresh[call.id] = replace(call, step=step)
                step += call.times
    return [fresh.get(call.id, call) for call in calls]


def _in_order(blocks: Sequence[Block]) -> list[Block]:
    """Each after what it is fed from."""
    done: dict[Block, None] = {}
    for start in blocks:
        stack = [start]
        while stack:
            block = stack[-1]
            waiting = [s for s, _, _ in block.feeds if s not in done and s not in stack]
            if waiting:
                stack.append(waiting[0])
            else:
                done[stack.pop()] = None
    return list(done)
