"""What does a loop of machine code do? Which columns of which values, in which loops, and where they lie.

All elementwise work between two products is one loop over flat slices, if it is of one width. What is
kept over time lies in slabs, what other loops of the same step read in buffers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from .batched import Lines, carry
from .formulas import LOGIC, Formulas
from .numpy_loops import Unsupported
from .program import ELEMENTWISE, STATE
from .schedule import Schedule

MOVED = ("dot", "concat", "sum", "slice", "broadcast", "zeros")  # what has no line of its own
Cell = tuple[int, int, int]  # columns low to high of a value


class Plan(Formulas):
    """A loop before it is written; a ``cell`` is a range of columns of a value, computed as one."""

    def __init__(
        self, schedule: Schedule, reverse: bool, stored: frozenset[int], around: Lines
    ) -> None:
        super().__init__(schedule.program)
        self.s, self.reverse, self.stored = schedule, reverse, stored
        self.around = around
        p = self.p
        self.rank = len(p.values[p.inputs["x"]].shape)
        self.rows = p.values[p.inputs["x"]].shape[0] if self.rank >= 2 else 1
        self.inside = set(schedule.again) | set(schedule.back) if reverse else set(schedule.loop)
        self.arguments: dict[str, str] = {}  # what the function calls it -> what the caller does
        self.absorbed: dict[int, int] = {}  # products that are added onto another's place
        self.packed: set[str] = set()  # weights laid out for products
        self.sizes: dict[int, str] = {}
        self.names: dict[int, str] = {}
        self.flat: dict[str, str] = {}  # the name of a step's part of a slab -> of the slab
        self.over_time: dict[int, str] = {}  # value -> its size a step, for values in slabs
        self.order: list[Any] = []  # what is computed, each after what it needs
        self.known: set[Any] = set()
        self.needs: dict[Any, list[Any]] = {}
        self.within: dict[
            Any, set[Any]
        ] = {}  # of a cell: what it may read in the loop that makes it
        self.stores: dict[Cell, list[tuple[str, str, str]]] = {}
        self.writers: dict[int, list[Any]] = {}  # of a value that lies in memory: what writes it
        self.carries: list[str] = []
        self.heads: list[str] = []  # what comes before the loop: flat views, buffers
        self.spanned: dict[str, str] = {}  # a step's part -> what some steps at once fill

    # ---- arguments

    def argument(self, name: str, text: str) -> str:
        """Something that the function is given; ``text`` is what it is to the caller."""
        self.arguments.setdefault(name, text)
        return name

    def size(self, n: int) -> str:
        """A number of features, as an argument."""
        if n not in self.sizes:
            name = f"n{len(self.sizes)}"
            self.sizes[n] = name
            self.argument(name, str(n))
        return self.sizes[n]

    def total(self, v: int) -> str:
        """How many numbers a value has a step."""
        columns = self.columns(v)
        return "B" if columns == 1 and self.rows != 1 else f"B * {self.size(columns)}"

    def columns(self, v: int) -> int:
        """The features of a value, 1 for one number a row: of its shape, which is (rows, features).

        What is the same at every step may lack the rows. Raises Unsupported for any other shape.
        """
        shape = self.p.values[v].shape
        lead = shape[:-1]
        fits = lead == (self.rows,)
        if self.rank == 1:  # one row, without an axis of its own
            fits = lead in ((), (1,))
        elif not self.p.depends[v]:
            fits = fits or lead in ((), (1,))
        if not fits:
            raise Unsupported(f"a value of shape {shape} at a step of shape ({self.rows}, ...)")
        return shape[-1] if shape else 1

    def has_rows(self, v: int) -> bool:
        """Whether a value has numbers of its own for each row."""
        return bool(self.p.depends[v]) or self.p.values[v].shape[:-1] not in ((), (1,))

    def right_kind(self, v: int) -> bool:
        """Whether a value's numbers are of the program's kind, or what is exactly one: a truth value, or
        one of two Python numbers, which is of the default dtype."""
        value = self.p.values[v]
        if value.op == "literal" or value.dtype in (self.dtype, "?"):
            return True
        if value.op == "cast" and self.p.values[value.args[0]].dtype == "?":
            return True
        return value.op == "where" and value.dtype == "f" and all(map(self.chosen, value.args[1:]))

    def chosen(self, v: int) -> bool:
        """Whether a value is a Python number, or one of two."""
        value = self.p.values[v]
        return value.op == "literal" or (
            value.op == "where" and all(map(self.chosen, value.args[1:]))
        )

    def check(self, v: int) -> None:
        """Raises Unsupported where a value is not computed row by row from the columns of its operands."""
        value, p = self.p.values[v], self.p
        if value.op not in ELEMENTWISE and value.op not in MOVED:
            raise Unsupported(f"the op {value.op}")
        columns = self.columns(v)
        args = value.args[:1] if value.op == "dot" else value.args
        sides = [self.columns(a) for a in args]
        for u in (v, *args):
            if not self.right_kind(u):
                kinds = np.dtype(p.values[u].dtype), np.dtype(self.dtype)
                raise Unsupported("{} among {}".format(*kinds))
        if value.op in ELEMENTWISE:
            fits = all(side in (1, columns) for side in sides)
            booleans = [p.values[a].dtype == "?" for a in args]
            if value.op in LOGIC:
                fits = fits and all(booleans)
            elif value.dtype == "?":
                fits = fits and not any(booleans)
        elif value.op == "concat":
            fits = sum(sides) == columns
        elif value.op == "sum":
            last = len(p.values[args[0]].shape) - 1
            fits = columns == 1 and value.consts[0] == (last,)
        elif value.op == "broadcast":
            fits = sides[0] in (1, columns)
        else:
            fits = True
        if value.op == "dot":
            weight = p.values[value.args[1]]
            fits = not p.depends[value.args[1]] and weight.dtype == value.dtype == self.dtype
            fits = fits and sorted(weight.shape) == sorted((sides[0], columns))
        if not fits:
            of = ", ".join(str(p.values[a].shape) for a in args)
            raise Unsupported(f"{value.op} of shapes {of}")

    def slab(self, v: int) -> str:
        """A value that lies in an array over time."""
        name = f"v{v}"
        if v not in self.over_time:
            self.over_time[v] = self.total(v)
            self.flat[name] = self.held(v)
            self.names[v] = name
        return name

    def held(self, v: int) -> str:
        """The flat array in which a value lies over time; a state's new values in that of the old ones."""
        pairs = self.around.new_states
        old = pairs.get(v, v)
        if f"V{old}" not in self.arguments:
            both = old in pairs.values()
            text = f"S{self.s.state_in[old]}" if both else self.around.contiguous(old)
            self.argument(f"V{old}", text)
            self.heads.append(f"F{old} = V{old}.reshape(V{old}.size)")
        return f"F{old}"

    def memory(self, v: int) -> str:
        """The flat array in which a value lies at the running step."""
        if v in self.absorbed:
            return self.memory(self.absorbed[v])
        if v in self.names:
            return self.names[v]
        p = self.p
        if not p.depends[v]:
            self.argument(f"W{v}", self.around.contiguous(v))
            self.names[v] = f"w{v}"
            self.heads.append(f"w{v} = W{v}.reshape(W{v}.size)")
            return self.names[v]
        if v in self.stored or v not in self.inside:
            return self.slab(v)
        self.names[v] = f"b{v}"
        if self.spans(v):
            self.spanned[f"b{v}"] = f"B{v}"
            self.buffer(f"B{v}", f"span * {self.total(v)}", v)
        else:
            self.buffer(f"b{v}", self.total(v), v)
        return self.names[v]

    def spans(self, v: int) -> bool:
        """Whether a product waits for no state: made for some steps at once where a batch is small."""
        value, p = self.p.values[v], self.p
        if self.reverse or value.op != "dot" or v not in self.inside:
            return False
        source = value.args[0]
        return (
            source not in self.inside and bool(p.depends[source]) and not p.depends[source] & STATE
        )

    def buffer(self, name: str, size: str, v: int) -> None:
        """Memory for one step of a value or of columns of it."""
        self.heads.append(f"{name} = np.empty({size}, {self.kind(v)})")

    def kind(self, v: int) -> str:
        """The dtype of a value, as numba's text names it."""
        return {"f": "np.float32", "d": "np.float64", "?": "np.bool_"}[self.p.values[v].dtype]

    # ---- what is computed

    def make(self) -> None:
        """Find out all that the loop does."""
        p = self.p
        if self.rank not in (1, 2):
            raise Unsupported(f"an input of {self.rank} axes a step")
        carried = {int(r[1:]): v for r, v in p.gradients.items() if r[0] == "s"}
        self.carried = set(carried.values()) if self.reverse else set()
        self.solid = (
            {v for v in self.stored if p.depends[v]} | set(p.outputs) | set(carried.values())
        )
        for v in self.inside:
            value = p.values[v]
            if value.op in ("dot", "outer"):
                self.solid.add(value.args[0])
        for v in list(self.inside):
            self.check(v)
        if self.reverse:
            for k in range(len(p.states)):
                seed = p.inputs[f"ds{k}"]
                self.around.line(f"c{k} = {carry(self.around, k, p.values[seed])}")
                self.names[seed] = self.argument(f"c{k}", f"c{k}.reshape(-1)")
                self.carries.append(f"c{k}")
            wanted = sorted(self.stored) + [
                v for k, v in sorted(carried.items()) if v in self.inside
            ]
        else:
            wanted = sorted(self.stored | set(p.outputs))
        for v in wanted:
            if v in self.inside:
                self.solid_value(v)
        self.copies: list[str] = []
        self.handed: list[str] = []
        if self.reverse:
            for k in range(len(p.states)):
                if k not in carried:
                    self.copies.append(f"c{k}[: {self.total(p.inputs[f'ds{k}'])}] = zero")
                    continue
                source, size = self.memory(carried[k]), self.total(p.inputs[f"ds{k}"])
                if source == f"c{k}":
                    continue
                if source in self.carries:  # by then another gradient may stand there
                    self.buffer(f"h{k}", size, carried[k])
                    self.handed.append(f"copy(h{k}, {source}, {size})")
                    source = f"h{k}"
                self.copies.append(f"copy(c{k}, {source}, {size})")
        else:
            if not self.s.makes_outputs(self.inside):
                raise Unsupported("an output that no op made")
            if self.around.ragged and self.s.copied_states():
                raise Unsupported("a state that is copied, in a ragged batch")
            for k, v in self.s.copied_states():
                self.argument(f"N{k}", f"S{k}[1:].reshape(-1)")
                columns = self.total(v)
                self.copies.append(
                    f"copy(N{k}[t * {columns} : (t + 1) * {columns}], {self.memory(v)}, {columns})"
                )
        self.copies = self.handed + self.copies
        self.absorb()
        self.schedule_groups()

    def solid_value(self, v: int) -> None:
        """A value is wanted in memory, whole."""
        if v in self.known:
            return
        self.known.add(v)
        value = self.p.values[v]
        name = self.memory(v)
        if value.op == "concat":
            low = 0
            for a in value.args:
                width = self.columns(a)
                self.store(
                    self.cell(a, 0, width),
                    name,
                    self.size(low) if low else "0",
                    self.size(value.shape[-1]),
                    v,
                )
                low += width
        elif value.op == "dot":
            source = value.args[0]
            self.solid_operand(source)
            self.order.append(("dot", v))
            self.needs["dot", v] = self.made_by(source)
        else:
            columns = self.columns(v)
            self.store(
                self.cell(v, 0, columns), name, "0", self.size(columns) if columns > 1 else "1", v
            )

    def solid_operand(self, v: int) -> None:
        """A product reads a value from memory, whole."""
        if v in self.inside:
            self.solid_value(v)

    def made_by(self, v: int) -> list[Any]:
        """What must be done before a value can be read from memory."""
        if v not in self.inside:
            return []
        value = self.p.values[v]
        if value.op == "dot":
            return [("dot", v)]
        return list(self.writers.get(v, []))

    def store(self, cell: Any, name: str, offset: str, stride: str, owner: int) -> None:
        """What a cell computes goes to a place in an array."""
        self.stores.setdefault(cell, []).append((name, offset, stride))
        self.writers.setdefault(owner, []).append(cell)

    def cell(self, v: int, low: int, high: int) -> Any:
        """The columns of a value as something computed, as many; what they need comes before.

        What is not computed as such columns is copied from where it lies: memory, or the one column of
        a value that is stretched.
        """
        behind = self.through(v, low, high)
        if self.computed(behind[0]) and behind[2] - behind[1] == high - low:
            v, low, high = behind
        key = (v, low, high)
        if key in self.known:
            return key
        self.known.add(key)
        computed = self.computed(v)
        sources = self.sources(v, low, high) if computed else [self.origin(v, low, high)]
        self.needs[key] = [need for source in sources for need in self.read(*source)]
        self.within[key] = {self.through(*source) for source in sources}
        self.order.append(key)
        return key

    def origin(self, v: int, low: int, high: int) -> Cell:
        """What columns that are wanted in memory are copied from."""
        value = self.p.values[v]
        if v in self.inside and value.op == "slice":
            return value.args[0], low + value.consts[0], high + value.consts[0]
        if v in self.inside and value.op == "broadcast":
            return value.args[0], low, high
        return v, low, high

    def computed(self, v: int) -> bool:
        """Whether a loop of rows and columns computes a value from others."""
        op = self.p.values[v].op
        return v in self.inside and (op in ELEMENTWISE or op == "sum")

    def sources(self, v: int, low: int, high: int) -> list[Cell]:
        """The columns of operands that a computed cell needs."""
        value = self.p.values[v]
        if value.op == "sum":
            return [(value.args[0], 0, self.columns(value.args[0]))]
        return [(a, low, high) for a in value.args if self.p.values[a].op != "literal"]

    def read(self, a: int, low: int, high: int) -> list[Any]:
        """Have columns of an operand at hand; what must come before."""
        v, lo, hi = self.through(a, low, high)
        value = self.p.values[v]
        if v not in self.inside or value.op in ("literal", "zeros"):
            return []
        if v in self.solid or not self.computed(v):
            self.solid_value(v)
            return self.made_by(v)
        return [self.cell(v, lo, hi)]

    def through(self, v: int, low: int, high: int) -> Cell:
        """Where columns really are: behind slices, joins and stretched values; one column where every
        column is that one."""
        while True:
            value = self.p.values[v]
            if self.columns(v) == 1:
                low, high = 0, 1
            if value.op == "slice" and not self.stands(v):
                v, low, high = value.args[0], low + value.consts[0], high + value.consts[0]
            elif value.op == "broadcast" and not self.stands(v):
                v = value.args[0]
            elif value.op == "concat" and v not in self.solid and not self.stands(v):
                at = 0
                for a in value.args:
                    width = self.columns(a)
                    if at <= low and high <= at + width:
                        v, low, high = a, low - at, high - at
                        break
                    at += width
                else:
                    return v, low, high
            else:
                return v, low, high

    def stands(self, v: int) -> bool:
        """Whether a value lies in memory itself, and what it is made of may not."""
        if v in self.inside:
            return v in self.solid
        return not all(self.at_hand(a) for a in self.p.values[v].args)

    def at_hand(self, v: int) -> bool:
        """Whether a value is there without being made anew."""
        p, near = self.p, self.around
        there = not p.depends[v] or p.values[v].op == "input" or v in self.inside
        return there or v in self.s.hoisted or v in near.names or v in near.before

    def absorb(self) -> None:
        """Products that are added to another are added up where that one lies."""
        p = self.p
        users: dict[int, list[int]] = {}
        for v in self.inside:
            for a in p.values[v].args:
                users.setdefault(a, []).append(v)
        for v in sorted(self.inside):
            value = p.values[v]
            if value.op != "add" or any(
                p.values[u].op == "add" and p.values[u].shape == value.shape
                for u in users.get(v, ())
            ):
                continue  # not the end of a sum
            dots = [
                d
                for d in self.terms(v, users)
                if p.values[d].op == "dot"
                and d in self.inside
                and d not in self.stored
                and d not in self.carried
                and p.values[d].shape == value.shape
            ]
            dots.sort(key=lambda d: not self.spans(d))  # what is made first takes the others
            for d in dots[1:]:
                self.absorbed[d] = dots[0]
                self.needs["dot", d] = [*self.needs["dot", d], ("dot", dots[0])]
                self.needs_also(dots[0], d)

    def needs_also(self, d: int, other: int) -> None:
        """Whatever reads a product waits for another, too."""
        for key, needs in self.needs.items():
            if ("dot", d) in needs and key != ("dot", other) and ("dot", other) not in needs:
                needs.append(("dot", other))

    def terms(self, v: int, users: dict[int, list[int]]) -> list[int]:
        """What a sum adds up, through sums that nobody else reads."""
        found = []
        for a in self.p.values[v].args:
            mine = len(users.get(a, ())) == 1 and a not in self.solid and a in self.inside
            if self.p.values[a].op == "add" and mine:
                found += self.terms(a, users)
            elif len(users.get(a, ())) == 1:
                found.append(a)
        return found

    # ---- groups

    def schedule_groups(self) -> None:
        """Put what can run in one loop together: products as soon as they can, then the widest stretch."""
        waiting = list(self.order)
        done: set[Any] = set()
        self.groups: list[Any] = []
        while waiting:
            products = [n for n in waiting if n[0] == "dot" and set(self.needs[n]) <= done]
            if products:
                self.groups += products
                done |= set(products)
                waiting = [n for n in waiting if n not in done]
                continue
            first = next(n for n in waiting if n[0] != "dot" and set(self.needs[n]) <= done)
            width = self.width(first)
            group: list[Any] = []
            usable: set[Any] = set()
            for n in waiting:
                fits = n[0] != "dot" and self.width(n) == width
                if fits and set(self.needs[n]) - done <= usable & self.within[n]:
                    group.append(n)
                    if self.p.values[n[0]].op != "sum":
                        usable.add(n)
            self.groups.append(group)
            done |= set(group)
            waiting = [n for n in waiting if n not in done]
        where = {n: k for k, g in enumerate(self.groups) if isinstance(g, list) for n in g}
        self.put_cells_off(where)
        for k, group in enumerate(self.groups):
            for n in group if isinstance(group, list) else ():
                for need in self.needs[n]:
                    if need[0] != "dot" and where[need] != k and need not in self.stores:
                        self.spill(need)
            for n in group if isinstance(group, list) else ():
                if self.p.values[n[0]].op == "sum" and n not in self.stores:
                    self.spill(n)
        self.groups = [group for group in self.groups if group]

    def put_cells_off(self, where: dict[Any, int]) -> None:
        """Compute what other loops alone read in the first of those, where it is read from memory at all."""
        needs = {n: [c for c in self.needs[n] if c in where] for n in where}

        def may(n: Any, goal: int) -> bool:
            group = self.groups[goal]
            readers = [u for u in group if n in needs[u]]
            return (
                n not in self.stores
                and self.p.values[n[0]].op != "sum"
                and self.width(n) == self.width(group[0])
                and all(n in self.within[u] for u in readers)
            )

        made = sorted(where, key=self.order.index)
        put_off(made, where, needs, may)
        for k, group in enumerate(self.groups):
            if isinstance(group, list):
                group[:] = [n for n in made if where[n] == k]

    def width(self, n: Any) -> int:
        """The columns that a cell's loop runs over; a sum runs over its operand's."""
        value = self.p.values[n[0]]
        if value.op == "sum" and n[0] in self.inside:
            return self.columns(value.args[0])
        return int(n[2] - n[1])

    def spill(self, n: Any) -> None:
        """A cell that another loop reads gets a buffer."""
        v, low, high = n
        width = high - low
        name = f"t{v}_{self.size(low) if low else 0}_{self.size(width)}"
        self.buffer(name, "B" if width == 1 else f"B * {self.size(width)}", v)
        self.stores[n] = [(name, "0", self.size(width) if width > 1 else "1")]


def put_off(
    made: Sequence[Any],
    where: dict[Any, int],
    needs: Mapping[Any, Iterable[Any]],
    may: Callable[[Any, int], bool],
) -> None:
    """Move what is made in a loop that does not read it to the first loop that does.

    ``made`` is in the order of computation, ``where`` says in which loop, and ``may`` whether another would
    do. What a thing is made of moves with it, or lies in memory already.
    """
    users: dict[Any, set[Any]] = {}
    for n in made:
        for c in needs[n]:
            users.setdefault(c, set()).add(n)

    def free(n: Any, goal: int) -> bool:
        return may(n, goal) and all(
            where[c] < where[n] or (users[c] == {n} and free(c, goal)) for c in needs[n]
        )

    for n in reversed(made):
        goal = min((where[u] for u in users.get(n, ())), default=where[n])
        if goal > where[n] and free(n, goal):
            where[n] = goal
