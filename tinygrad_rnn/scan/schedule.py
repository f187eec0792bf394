"""What happens when? Before the loop, in it, after it; and which residuals forward keeps for backward.

- What depends on the weights alone is computed once (``invariant``), what depends on the step's input but
  on no state for all steps at once (``hoisted``); without ``hoist`` its products stay in the loop.
- In the backward loop stays only what the state's gradient needs (``back``); weight gradients and
  the input's gradient are computed after it for all steps at once (``after``), from what the loop left.
  With ``fused`` only products are: machine code does the rest in the loop, where nothing large is stored.
- What backward needs of forward's values alone can be made for many steps at once (``by_piece``).
- Forward keeps the states and those values that backward reads and cannot make again cheaply from them
  (``residuals``); an elementwise function of what is there anyway is made again (``again``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Sequence

from .program import ELEMENTWISE, SEED, STATE, Program, Shape, Value
from .rewrites import small

VIEWS = frozenset(("slice", "reshape", "permute", "broadcast"))
AFTER = VIEWS | {"dot", "concat"}  # what costs no more after the loop than in it


class Schedule:
    """The order of a program's values; every list is in the order of computation."""

    def __init__(self, program: Program, hoist: bool = True, fused: bool = False) -> None:
        self.program = p = program
        self.fused = fused
        values, depends = p.values, p.depends
        self.state_in = {p.inputs[r]: k for k, r in enumerate(_roles(p, "s"))}
        self.state_out = {v: k for k, v in reversed(list(enumerate(p.states)))}
        results = [*p.outputs, *p.gradients.values()]
        everything = [v for v in p.needed(results) if values[v].op not in ("input", "literal")]
        self.invariant = [v for v in everything if not depends[v]]

        forward = set(p.needed(p.outputs))
        inside = [v for v in everything if v in forward and depends[v] & STATE]
        hoisted = {v for v in everything if v in forward and depends[v] and not depends[v] & STATE}
        waiting = {
            v for v in hoisted if not self.batchable(v) or (values[v].op == "dot" and not hoist)
        }
        while True:  # what is made of a value that must wait must wait too
            more = {v for v in hoisted - waiting if waiting & set(values[v].args)}
            if not more:
                break
            waiting |= more
        self.hoisted = sorted(hoisted - waiting)
        self.loop = sorted(set(inside) | waiting)

        self._plan_backward(everything)
        self.aliased = self._aliased(everything)
        self.parts = self._parts()
        self.in_place = self._in_place(everything)
        self.turns = self._turns()

    def copied_states(self) -> list[tuple[int, int]]:
        """The states whose values a step must copy, with their values: one value is two states, or stays."""
        states = enumerate(self.program.states)
        return [(k, v) for k, v in states if self.state_out[v] != k or v in self.state_in]

    def makes_outputs(self, inside: Container[int]) -> bool:
        """Whether each output is made: in the loop, before it, by weights alone, or is an input."""
        p = self.program
        return all(
            v in inside or v in self.hoisted or not p.depends[v] or p.values[v].op == "input"
            for v in p.outputs
        )

    def _turns(self) -> bool:
        """Whether small values of a batch are better laid out with the features first: where some are parts
        of others, and nothing runs along the features of one sequence."""
        values = [self.program.values[v] for v in (*self.loop, *self.again, *self.back)]
        return (
            any(v.op == "slice" for v in values)
            and all(v.op not in ("reshape", "sum") for v in values)
            and all(len(v.shape) == 2 and min(v.shape) > 1 for v in values if v.op != "literal")
            and all(small(v.shape) for v in values)
        )

    def _parts(self) -> dict[int, tuple[int, int]]:
        """Stored values that are a part of another: (that one, the first column)."""
        values = self.program.values
        found: dict[int, tuple[int, int]] = {}
        for v in self.stored:
            at = 0
            for a in values[v].args if values[v].op == "concat" else ():
                if a in self.stored and values[a].op in ELEMENTWISE:
                    found.setdefault(a, (v, at))
                at += values[a].shape[-1]
        return found

    def _in_place(self, everything: list[int]) -> dict[int, int]:
        """Values made for many steps that may be computed in an operand's memory: nobody else reads it."""
        values = self.program.values
        read = [a for v in everything for a in set(values[v].args)]
        once = {a for a, count in Counter(read).items() if count == 1} - {*self.program.outputs}
        made = {a for a in self.hoisted if values[a].op == "dot"} | self.by_piece
        return {
            v: a
            for v in (*self.hoisted, *self.by_piece)
            for a in values[v].args
            if a in made & once
            and values[a].op in {"dot", *ELEMENTWISE}
            and (values[a].shape, values[a].dtype) == (values[v].shape, values[v].dtype)
        }

    def _aliased(self, everything: list[int]) -> dict[int, tuple[int, int]]:
        """Kept values that fit where nobody reads another kept value: (that one, the first column)."""
        p, values = self.program, self.program.values
        read: dict[int, set[tuple[int, int]]] = {}

        def whole(v: int) -> set[tuple[int, int]]:
            return {(0, values[v].shape[-1])} if values[v].shape else set()

        for v in (*p.outputs, *p.gradients.values(), *self.stored):
            read[v] = whole(v)
        for v in reversed(everything):
            value = values[v]
            for a in value.args:
                mine = read.setdefault(a, set())
                if value.op == "slice":
                    mine.add(value.consts)
                elif value.op in ELEMENTWISE and values[a].shape == value.shape:
                    mine |= read.get(v, set())
                else:
                    mine |= whole(a)
        found: dict[int, tuple[int, int]] = {}
        made = [v for v in self.residuals if v in self.loop and values[v].shape]
        for v in made:
            at = 0
            for low, high in sorted((*read.get(v, ()), (values[v].shape[-1], 0))):
                fits = (*values[v].shape[:-1], low - at)
                for u in made if low > at and read.get(v) else ():
                    placed = u in found or u in p.outputs or values[u].op == "dot"
                    if u > v and values[u].shape == fits and not placed:
                        found[u] = (v, at)
                        break
                at = max(at, high)
        return found

    def _plan_backward(self, everything: list[int]) -> None:
        p, values, depends = self.program, self.program.values, self.program.depends
        carried = [v for r, v in p.gradients.items() if r[0] == "s"]
        back = {v for v in p.needed(carried) if depends[v] & SEED and values[v].op != "input"}
        self.stored: set[int] = set()  # values of the backward loop that are read after it
        self._wanted: set[int] = set()  # values of forward that backward reads
        self._back = back
        self._seeds = {p.inputs[r] for r in _roles(p, "d") if r != "dy"}
        self.copies: dict[int, int] = {}  # of those that are read after the loop
        self._sums: list[int] = []  # totals of sums: of what is stored anyway, or made in the loop
        for role, v in p.gradients.items():
            if role[0] == "x":
                self._after(v)
            elif role[0] == "w":
                self._total(v)
        for v in self._sums:
            if not all(a in self.stored or self._at_hand_after(a) for a in p.values[v].args):
                self._into_loop(v)
        self.back = sorted(back)
        for v in self.back:
            for a in values[v].args:
                self._wants(a)
        self._choose_kept()

    def _wants(self, v: int) -> None:
        """Backward reads a value of forward."""
        if self.program.depends[v] and not self.program.depends[v] & SEED:
            self._wanted.add(v)

    def _choose_kept(self) -> None:
        """Walk back from what backward reads: what is at hand stays, what is cheap is made again."""
        values = self.program.values
        kept: set[int] = set()
        again: set[int] = set()
        cheap: dict[int, bool] = {}

        def at_hand(v: int) -> bool:
            return (
                not self.program.depends[v]
                or values[v].op == "input"
                or v in self.state_out
                or v in self._wanted_dear
            )

        def is_cheap(v: int) -> bool:
            if v not in cheap:
                value = values[v]
                ok = value.op in ELEMENTWISE or value.op in VIEWS or value.op == "concat"
                cheap[v] = ok and all(at_hand(a) or is_cheap(a) for a in value.args)
            return cheap[v]

        self._wanted_dear: set[int] = set()
        made_forward = {*self.loop, *self.hoisted}
        made_late: set[int] = set()  # by backward's own rules, of values of forward
        waiting = sorted(self._wanted)
        while waiting:
            v = waiting.pop()
            if not at_hand(v) and v not in made_forward and v not in made_late:
                made_late.add(v)
                waiting += values[v].args
                self._wanted |= {a for a in values[v].args if self.program.depends[a]}
        for v in sorted(self._wanted - made_late):
            if not at_hand(v) and not is_cheap(v):
                self._wanted_dear.add(v)
                cheap.clear()

        def make(v: int) -> None:
            if at_hand(v):
                if v in self._wanted_dear:
                    kept.add(v)
                return
            if v not in again:
                again.add(v)
                for a in values[v].args:
                    make(a)

        for v in self._wanted:
            make(v)
        self.residuals = sorted(kept)
        self.again = sorted(again)
        self.by_piece: set[int] = set()
        for v in self.again:
            waits = set(values[v].args) & again - self.by_piece
            if self.batchable(v) and not waits:
                self.by_piece.add(v)

    # ---- after the loop

    def batchable(self, v: int) -> bool:
        """Whether a value can be computed for all steps at once, by the same op with one more axis."""
        value = self.program.values[v]
        per_step = [a for a in value.args if self.program.depends[a]]
        rank = len(value.shape)
        if value.op in ELEMENTWISE or value.op == "concat":
            ranks = {len(self.program.values[a].shape) for a in per_step}
            return ranks <= {rank}
        if value.op == "dot":
            return rank in (1, 2)
        return value.op in VIEWS or value.op in ("sum", "prod", "amax", "amin")

    def _at_hand_after(self, v: int) -> bool:
        p = self.program
        given = p.values[v].op == "input" and v not in self._seeds
        return not p.depends[v] or given or v in self.state_out

    def _after(self, v: int) -> None:
        """A value is wanted for all steps after the loop."""
        p = self.program
        if self._at_hand_after(v):
            return
        if v in self._seeds:
            self._copy(v)
        elif not p.depends[v] & SEED:
            self._wants(v)
        elif v in self._back:
            self.stored.add(v)
        elif self.batchable(v) and not (self.fused and p.values[v].op not in AFTER):
            for a in p.values[v].args:
                self._after(a)
        else:
            self._into_loop(v)

    def _copy(self, seed: int) -> None:
        """The gradient that comes to a state is wanted for all steps: the loop stores it, times 1."""
        p, value = self.program, self.program.values[seed]
        if seed not in self.copies:
            one = p.make("literal", (), (1,), (), "l")
            copy = Value("mul", (seed, one), (), value.shape, value.dtype)
            self.copies[seed] = p.enter(copy, p.depends[seed])
            self._back.add(self.copies[seed])
            self.stored.add(self.copies[seed])

    def _into_loop(self, v: int) -> None:
        """A value that cannot wait is computed in the loop, and stored."""
        p = self.program
        self.stored.add(v)
        self._back |= {
            u for u in p.needed([v]) if p.depends[u] & SEED and p.values[u].op != "input"
        }

    def _total(self, v: int) -> None:
        """The sum of a value over all steps is wanted after the loop."""
        value = self.program.values[v]
        if self._at_hand_after(v) and value.op != "input":
            return
        for a in self.summands(v):
            self._total(a)
        if self.summands(v):
            return
        if self.fused and value.op == "sum":
            self._sums.append(v)
            return
        for a in value.args if self.multiplied(v) else (v,):
            self._after(a)

    def multiplied(self, v: int) -> bool:
        """Whether a value's total is one product of matrices, of what its operands are at all steps."""
        value, p = self.program.values[v], self.program
        if v in self._back or value.op not in ("outer", "einsum"):
            return False
        return value.op == "outer" or _is_product(value, [p.values[a].shape for a in value.args])

    def summands(self, v: int) -> tuple[int, ...]:
        """The values whose totals give a value's total, where its op is linear; () where it is not."""
        p, value = self.program, self.program.values[v]
        if v in self._back or not p.depends[v]:
            return ()
        if value.op in ("add", "sub") and all(
            p.depends[a] and p.values[a].shape == value.shape for a in value.args
        ):
            return value.args
        if value.op in (
            "mul",
            "div",
        ):  # by what is the same at every step, as weights made of others are
            a, b = value.args
            if p.depends[b] and value.op == "mul":
                a, b = b, a
            alike = p.values[a].dtype == value.dtype
            return (a,) if p.depends[a] and not p.depends[b] and alike else ()
        if value.op == "where" and not p.depends[value.args[0]]:  # a value, or 0, by the same rule
            live = [a for a in value.args[1:] if p.literal(a) != 0]
            return (live[0],) if len(live) == 1 and p.depends[live[0]] else ()
        if value.op in ("dot", "matmul", "einsum") and len(value.args) == 2:
            once = [a for a in value.args if p.depends[a]]
            alike = all(p.values[a].dtype == value.dtype for a in value.args)
            return (once[0],) if len(once) == 1 and alike else ()
        if value.op == "sum" and self._quick_total(value.args[0]):
            return value.args
        if value.op in ("neg", "concat", "cat", "slice", "reshape", "permute", "place"):
            return (
                value.args
                if all(p.depends[a] or p.values[a].op == "zeros" for a in value.args)
                else ()
            )
        return ()

    def _quick_total(self, v: int) -> bool:
        """Whether a value's total is a product, or made of such ones."""
        of = self.summands(v)
        return all(map(self._quick_total, of)) if of else self.multiplied(v)


def _is_product(value: Value, shapes: Sequence[Shape]) -> bool:
    """Whether an einsum is one of matrices: each label in two of three places, with rows and columns."""
    terms, to = value.consts
    if len(terms) != 2 or any(len(set(term)) < len(term) for term in (*terms, to)):
        return False
    sides = [dict(zip(term, shape, strict=True)) for term, shape in zip(terms, shapes, strict=True)]
    (first, second), both = sides, {**sides[1], **sides[0]}
    alone = [
        [n for n in one if n not in other] for one, other in ((first, second), (second, first))
    ]
    return all(
        set(labels) <= set(to) and any(both[n] > 1 for n in labels) for labels in alone
    ) and all(first[n] == second[n] for n in first if n in second)


def _roles(p: Program, letter: str) -> list[str]:
    """The roles of the inputs of one kind, in their order."""
    return [r for r in p.inputs if r[0] == letter]
