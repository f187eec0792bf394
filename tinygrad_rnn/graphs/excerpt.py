"""What of a long graph need not be read? Most of its middle: what a picture does not draw.

Of the steps that a picture folds, the first and last few are read as they are, and one of the others
stands for the rest. That it may is either so by construction (a compiled layer ran one program at every
step) or proven: the steps left out are compared with it op for op (see ``columns.py``). Where neither
holds, the graph is read whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import pairwise
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from ..engine.places import Call
from ..engine.values import Constant, Leaf
from .chains import ENDS
from .columns import Column, Unlike, columns_of
from .recorded import RecordedGraph, Use, by_step, is_folded, maker, pick_of, uncollected

if TYPE_CHECKING:
    from ..tensors import Tensor

LEAD = 4  # steps that are read as they are at both ends of what is hidden
_number = attrgetter("number")


class Gap(NamedTuple):
    """After which node something was left out, how many calls one stands for, and how far apart they are."""

    end: int
    times: int
    stride: int

    @property
    def left_out(self) -> int:
        """How many nodes."""
        return self.stride * (self.times - 1)


class Excerpt(RecordedGraph):
    """A Graph some of whose calls stand for others that were left out."""

    def __init__(self, whole: RecordedGraph, reader: Reader) -> None:
        self._ends = [reader.alias.get(id(node), node) for node in whole._ends]
        self._variables = whole._variables
        self._reader = reader
        self._feeds: dict[int, tuple[Any, ...]] = {}

    def _parents(self, node: Any) -> Sequence[Any]:
        feeds = self._feeds.get(id(node))
        if feeds is None:
            feeds = self._feeds[id(node)] = tuple(self._reader.parents(node))
        return feeds

    def _entered(self, call: Call) -> Sequence[tuple[str, Any]]:
        alias = self._reader.alias
        return [(role, alias.get(id(node), node)) for role, node in call.inputs]

    def _weight(self, call: Call) -> int:
        return self._reader.weights.get(call, 1)

    def spread_uses(self, parameter: Tensor | str) -> list[Use] | None:
        """Every use in the whole graph: its steps follow one another there by the same distance."""
        gaps = self._gaps
        if gaps is None:
            return None
        found: list[Use] = []
        for use in self.uses(parameter):
            call = self._raw[use.node].place.call
            shift = sum(gap.left_out for gap in gaps.values() if gap.end < use.node)
            at, gap = use.node + shift, None if call is None else gaps.get(call)
            count, stride = (1, 0) if gap is None or use.step is None else (gap.times, gap.stride)
            found += [
                Use(at + k * stride, use.operand, None if use.step is None else use.step + k)
                for k in range(count)
            ]
        return sorted(found, key=by_step)

    def folds(self) -> list[Any]:
        """The compiled calls of which only some steps were read."""
        return list(self._reader.short)

    @property
    def leaves_out_recorded(self) -> bool:
        """Whether steps were left out that had been recorded op by op."""
        return bool(self._reader.left_out)

    @property
    def every_step(self) -> set[int]:
        """The time steps, those included that were left out."""
        left_out = {call.step for call in self._reader.left_out}
        return set(self.steps).union(left_out, *(fold.steps for fold in self.folds()))

    def output_of(self, stack: Any) -> Any:
        """The value of a stack some of whose operands were left out; None of any other node."""
        fold = self._reader.stacks.get(id(stack))
        return None if fold is None else fold.output()

    def kept(self, stack: Any) -> list[int] | None:
        """Which places of a stack its operands have, where some were left out."""
        return self._reader.positions.get(id(stack), (None, 0))[0]

    @cached_property
    def _gaps(self) -> dict[Call, Gap] | None:
        """What was left out after each call that stands for others; None where that is not so simple."""
        places: dict[Call, list[int]] = {}
        for i, node in enumerate(self._raw):
            if node.op is None:
                continue
            if (call := node.place.call) is not None:
                places.setdefault(call, []).append(i)
            elif node.op.name == "item" and node.parents[0].op.name == "unbind":
                return None
            elif node.op.name != "stack":
                makers = [maker(parent) for parent in self._parents(node)]
                if any(made_in in self._reader.weights for made_in in makers):
                    return None
        gaps: dict[Call, Gap] = {}
        order = list(places)
        for call, count in self._reader.weights.items():
            if call not in places:
                continue
            here, k = places[call], order.index(call) + 1
            following = order[k] if k < len(order) else None
            if (
                following is None
                or following.step != call.step + count
                or here[-1] >= places[following][0]
            ):
                return None
            if not _same_cell(call, following):
                return None
            gaps[call] = Gap(here[-1], count, places[following][0] - here[0])
        return gaps

    def _count_of(self, stack: Any) -> int:
        return self._reader.positions.get(id(stack), (None, len(stack.parents)))[1]

    def _place_of(self, stack: Any, k: int) -> int | None:
        kept, count = self._reader.positions.get(id(stack), (None, len(stack.parents)))
        if kept is None:
            return super()._place_of(stack, k)
        return kept.index(k % count) if -count <= k < count and k % count in kept else None


def excerpt(
    graph: RecordedGraph, shown: Sequence[int] | None = None, true: bool = False
) -> RecordedGraph:
    """The graph without the steps that a picture of ``shown`` (or both ends) hides, where that may be.

    It is the graph itself where it is short, or where steps differ. With ``true`` the values of the steps
    that are left are those of the whole graph, and so the gradients that flow there can be known: of
    compiled calls alone.
    """
    try:
        with uncollected():
            reader = Reader(graph._ends, shown, true)
    except Unlike:
        return graph
    return Excerpt(graph, reader) if reader.weights else graph


def segments(
    steps: range, changes: Iterable[int], shown: Sequence[int] | None, extra: Iterable[int]
) -> list[tuple[int, int]]:
    """The runs of hidden steps (first, last) of which the first can stand for all.

    >>> segments(range(100), [], None, [])
    [(6, 93)]
    """
    keep = {s if s >= 0 else steps.stop + s for s in shown or ()}.intersection(steps)
    marks = sorted({*(keep or (*steps[:ENDS], *steps[-ENDS:])), *extra}.intersection(steps))
    found: list[tuple[int, int]] = []
    for left, right in pairwise([steps.start - 1, *marks, steps.stop]):
        turns = sorted({c for c in changes if left + 1 < c < right})
        for begin, end in pairwise([left + 1, *turns, right]):
            first, last = begin + LEAD, end - 1 - LEAD
            if last > first:
                found.append((first, last))
    return found


class Reader:
    """Walks a graph without its middle: which calls stand for others, and what takes the place of what.

    ``alias`` maps the id of a node to the one in its place, ``weights`` a call to the number of calls
    that it stands for, ``positions`` the id of a stack to the places of the operands that are left and
    how many there were. Raises Unlike where steps differ that would have to be alike.
    """

    def __init__(
        self, ends: Sequence[Any], shown: Sequence[int] | None, true: bool = False
    ) -> None:
        self.shown, self._true = shown, true
        self.alias: dict[int, Any] = {}
        self.weights: dict[Call, int] = {}
        self.positions: dict[int, tuple[list[int], int]] = {}
        self.stacks: dict[int, Any] = {}  # whose outputs are stacked there
        self.left_out: set[Call] = set()
        self._ids: list[Any] = list(ends)  # whose ids are used here must stay alive
        self._folds: dict[Any, list[Any]] = {}
        self.short: list[Any] = []  # those of them of which some steps alone are recorded
        self._calls: dict[Call, None] = {}
        self._touched: dict[Call, Any] = {}  # what of a call is used outside of cells
        self._more: dict[Call, list[Any]] = {}  # where that is several nodes
        self._takers: dict[int, Any] = {}  # by what
        self._picks: list[tuple[Any, Any]] = []  # (indexing node, what it indexes)
        self._survey(ends)
        for fold, nodes in self._folds.items():
            self._record(fold, nodes)
        self._cut()
        if true and self.left_out:
            raise Unlike

    def parents(self, node: Any) -> Iterator[Any]:
        """What a node was computed from, in the excerpt."""
        gaps = id(node) in self.positions
        for parent in node.parents:
            if not (gaps and maker(parent) in self.left_out):
                yield self.alias.get(id(parent), parent)

    # ---- what is there

    def _survey(self, ends: Sequence[Any]) -> None:
        """Every node outside the cells, every call by what came into it, a folded layer as one."""
        stack, seen = list(ends), set(map(id, ends))
        for node in ends:
            self._touch(node, None)
        while stack:
            node = stack.pop()
            below: Sequence[Any]
            if is_folded(node) and len(node.fold.steps) == 1:  # nothing to leave out
                node.fold.unfold()
            if is_folded(node):
                self._folds.setdefault(node.fold, []).append(node)
                below = node.fold.before
            elif node.op is None:
                continue
            elif (call := node.place.call) is not None:
                if call in self._calls:
                    continue
                self._calls[call] = None
                for _, entered in call.inputs:
                    if entered.__class__ is not Constant and id(entered) not in seen:
                        seen.add(id(entered))
                        stack.append(entered)
                continue
            else:
                below = node.parents
                if node.op.name == "getitem":
                    self._picks.append((node, below[0]))
            for parent in below:
                self._touch(parent, node)
                if id(parent) not in seen:
                    seen.add(id(parent))
                    stack.append(parent)

    def _touch(self, node: Any, taker: Any) -> None:
        call = maker(node)
        if call is None:
            return
        known = self._touched.setdefault(call, node)
        if known is not node:
            more = self._more.setdefault(call, [known])
            if node not in more:
                more.append(node)
        self._takers[id(taker)] = taker

    # ---- compiled layers

    def _record(self, fold: Any, nodes: Sequence[Any]) -> None:
        """Record of a compiled call what is to be read of it."""
        steps: range = fold.steps
        sequence = fold.sequence
        chosen = []
        for node, indexed in self._picks:
            k = None if indexed is not sequence else pick_of(node, fold.time_axis)
            if k is not None and -len(steps) <= k < len(steps):
                chosen.append(steps[k])
        hidden = segments(steps, fold.changes, self.shown, chosen)
        gone = {s for first, last in hidden for s in range(first + 1, last + 1)}
        if not gone:
            fold.unfold()
            return
        only = [s for s in steps if s not in gone]
        if self._true and not fold.tells():
            raise Unlike
        alias, made = fold.excerpt(only, self._true)
        if not _settled(made, hidden):
            fold.unfold()
            return
        self.short.append(fold)
        self.alias.update(alias)
        self._ids += [*nodes, *made]
        weights = {first: last - first + 1 for first, last in hidden}
        for call in dict.fromkeys(node.place.call for node in made):
            if call is not None and call.step in weights:
                self.weights[call] = weights[call.step]
        if sequence is not None:
            places = [s - steps.start for s in only]
            self.positions[id(alias[id(sequence)])] = places, len(steps)
            self.stacks[id(alias[id(sequence)])] = fold

    # ---- cells that were recorded op by op

    def _cut(self) -> None:
        """Leave out the middle of every long chain of calls, once it is proven to be all alike."""
        chosen = self._chosen()
        found: dict[int, Column] = {}
        outer: list[Column] = []
        for run in self._chains():
            steps = [call.step for call in run]
            low, high = min(steps[0], steps[-1]), max(steps[0], steps[-1])
            ahead = steps[0] == low
            if steps != list(range(low, high + 1) if ahead else range(high, low - 1, -1)):
                raise Unlike
            for first, last in segments(range(low, high + 1), [], self.shown, chosen):
                begin = first - low if ahead else high - last
                end = begin + last - first + 1
                entered, states, columns = self._proven(run, begin, end)
                found |= columns
                inner = {r: c for r, c in entered.items() if maker(c[0]) is run[begin - 1]}
                outer += [column for role, column in entered.items() if role not in inner]
                for column in states if ahead else inner.values():
                    self.alias[id(column[-1])] = column[0]
                self.weights[run[begin] if ahead else run[end - 1]] = last - first + 1
                self.left_out.update(run[begin + 1 : end] if ahead else run[begin : end - 1])
        for column in outer:
            _check_input(column, found)
        if self.left_out:
            self._check_takers()

    def _chosen(self) -> set[int]:
        """The steps whose outputs are asked for one by one: by an index, or as an end of the graph."""
        makers = [maker(node) for node in self._ids]
        for node, stack in self._picks:
            if is_folded(stack) or stack.op is None or stack.op.name != "stack":
                continue
            k = pick_of(node, stack.saved[-1])
            if k is not None and -len(stack.parents) <= k < len(stack.parents):
                makers.append(maker(stack.parents[k]))
        return {call.step for call in makers if call is not None}

    def _chains(self) -> list[list[Call]]:
        """Calls of one cell, each on the state that the one before left."""
        after: dict[Call, Call] = {}
        heads: list[Call] = []
        for call in self._calls:
            for _, node in call.inputs:
                before = maker(node)
                if before is not None and _same_cell(before, call):
                    if before in after:
                        raise Unlike
                    after[before] = call
                    break
            else:
                heads.append(call)
        runs = []
        for call in heads:
            run = [call]
            while run[-1] in after:
                run.append(after[run[-1]])
            if len(run) > 2 * (ENDS + LEAD) + 1:
                runs.append(run)
        return runs

    def _proven(
        self, run: list[Call], begin: int, end: int
    ) -> tuple[dict[str, Column], list[Column], dict[int, Column]]:
        """The columns of what came in, of the states that were left, and of all that was computed."""
        calls = run[begin:end]
        inputs = [call.inputs for call in run[begin : end + 1]]
        roles = [role for role, _ in inputs[0]]
        if set(map(len, inputs)) != {len(roles)}:
            raise Unlike
        columns = []
        for k, role in enumerate(roles):
            pairs = list(map(itemgetter(k), inputs))
            if set(map(itemgetter(0), pairs)) != {role}:
                raise Unlike
            columns.append(list(map(itemgetter(1), pairs)))
        states = [column[1:] for column in columns if maker(column[1]) is calls[0]]
        entered = {role: column[:-1] for role, column in zip(roles, columns, strict=True)}
        if any(len({node.name for node in column}) > 1 for column in states):
            raise Unlike
        return entered, states, columns_of(calls, [*states, *self._used(calls)], entered)

    def _used(self, calls: Sequence[Call]) -> list[Column]:
        """The columns of what is used of some calls outside of cells."""
        if not self._more.keys().isdisjoint(calls):
            sets = [sorted(self._more.get(call, ()), key=_number) for call in calls]
            if len(set(map(len, sets))) > 1:
                raise Unlike
            return [list(column) for column in zip(*sets, strict=True)]
        column = list(map(self._touched.get, calls))
        missing = column.count(None)
        if 0 < missing < len(column):
            raise Unlike
        return [] if missing else [column]

    def _check_takers(self) -> None:
        """What is used of the calls that are left out is stacked over time, and nothing else."""
        for taker in self._takers.values():
            if taker is None:
                continue
            if is_folded(taker):
                if any(maker(node) in self.left_out for node in taker.fold.before):
                    raise Unlike
                continue
            kept = [k for k, node in enumerate(taker.parents) if maker(node) not in self.left_out]
            if len(kept) < len(taker.parents):
                if taker.op.name != "stack" or taker.place.step is not None:
                    raise Unlike
                self.positions[id(taker)] = kept, len(taker.parents)


def _same_cell(a: Call, b: Call) -> bool:
    """Whether two calls are of one cell, in one role."""
    if a.cell is not b.cell or a.label != b.label:
        return False
    if a.scope is b.scope:
        return True
    if a.scope is None or b.scope is None:
        return False
    return a.scope.module is b.scope.module


def _settled(made: Sequence[Any], hidden: Iterable[tuple[int, int]]) -> bool:
    """Whether the steps around and at the beginning of what is hidden were recorded alike.

    A traced step records by what needs a gradient: once two in a row are alike, all that follow are.
    """
    recorded: dict[tuple[Any, ...], dict[int, list[Any]]] = {}
    for node in made:
        call = node.place.call
        if call is not None:
            leaves = [id(parent) for parent in node.parents if isinstance(parent, Leaf)]
            at = recorded.setdefault((call.cell, call.scope, call.label), {})
            at.setdefault(call.step, []).append((node.op, node.name, node.shape, leaves))
    return all(
        at.get(first - 1) == at.get(first) == at.get(last + 1)
        for at in recorded.values()
        for first, last in hidden
    )


def _check_input(column: Column, found: dict[int, Column]) -> None:
    """What comes into the calls from elsewhere: one value, constants, slices, or another cell's outputs."""
    first = column[0]
    if column.count(first) == len(column) or found.get(id(first)) == column:
        return
    if any(map(is_folded, column)):
        raise Unlike
    if set(map(type, column)) == {Constant}:
        return
    sources = {(node.op.name, id(node.parents[0])) for node in column if node.op is not None}
    if len(sources) > 1 or first.op is None or first.op.name != "item" or maker(first) is not None:
        raise Unlike
