"""How does a loop of machine code treat values of any shape? As nests of loops over their axes.

Where a step is not rows of columns (heads, slots, fast weights, einsum, indices) each op is a nest of
loops of its own, ops of numbers of one shape one together. A value lies in a flat array; what is only a view
of it (a slice, other axes, a stretched one) is read where it lies, by strides. Texts name no sizes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .batched import REDUCTIONS, carry
from .numba_plan import put_off
from .numba_text import NumbaText, unsigned
from .numpy_loops import Unsupported
from .program import ELEMENTWISE, product_labels
from .schedule import VIEWS
from .tracing import bare_constant

PRODUCTS = ("dot", "matmul", "outer", "einsum")
JOINS = ("concat", "cat")
RUNNING = {"cumsum": "{0} + {1}", "cumprod": "{0} * {1}"}
TAKEN = (*VIEWS, "getitem")
COMBINED = {  # of the result so far and one number more
    "sum": "{0} + {1}",
    "prod": "{0} * {1}",
    "amax": "{0} if {0} >= {1} or {0} != {0} else {1}",
    "amin": "{0} if {0} <= {1} or {0} != {0} else {1}",
}
KNOWN = {*ELEMENTWISE, *PRODUCTS, *JOINS, *RUNNING, *TAKEN, *REDUCTIONS, "place", "put", "zeros"}


@dataclass(slots=True)
class FlatView:
    """Where a value lies: in a flat array, from a number of each step on, by strides.

    ``look`` is a stand-in, an array of bytes on which views are taken; ``base`` is all of the flat array.
    """

    array: str
    step: str  # what comes before the running step, "" where there is only one
    base: Any
    look: Any

    @property
    def offset(self) -> int:
        """Where it begins, in numbers."""
        return int(_begin(self.look) - _begin(self.base))

    def whole(self) -> bool:
        """Whether it is all of a step's array, in its order."""
        return bool(self.look.flags.c_contiguous and self.look.size == self.base.size)

    def at(self, look: Any) -> FlatView:
        """The same array, by another view."""
        return FlatView(self.array, self.step, self.base, look)


def _begin(a: Any) -> int:
    return int(a.__array_interface__["data"][0])


@dataclass(slots=True)
class Item:
    """Something to do in a step: a value to be computed, or numbers to be copied to where they are wanted."""

    kind: str  # "numbers" for an op of numbers one by one, else "nest"
    value: int
    shape: tuple[int, ...] = ()
    direct: set[int] = field(default_factory=set)  # items whose numbers it takes one by one
    after: set[int] = field(default_factory=set)  # items that must be over
    copy: tuple[FlatView, FlatView] | None = None  # (to, from)
    group: int = 0


class Nests(NumbaText):
    """Writes a loop whose values have any shape."""

    def make(self) -> None:
        """Find out all that the loop does."""
        p = self.p
        self.order_of = sorted(self.inside)
        self.carries_of = {int(r[1:]): v for r, v in p.gradients.items() if r[0] == "s"}
        for v in self.order_of:
            self.check(v)
        self.places: dict[int, FlatView] = {}
        self.roots: dict[int, int] = {}  # of a view: the value that lies there
        self.written: dict[int, set[int]] = {}  # by which items the memory of a value is
        self.items: list[Item] = []
        self.targets: dict[int, FlatView] = {}
        self.made_heads: set[str] = set()
        self.steps: dict[str, str] = {}  # lines of every step, by the name they make
        if self.reverse:
            for k in range(len(p.states)):
                seed = p.inputs[f"ds{k}"]
                self.around.line(f"c{k} = {carry(self.around, k, p.values[seed])}")
                self.argument(f"c{k}", f"c{k}.reshape(-1)")
                self.places[seed] = self.fresh(f"c{k}", p.values[seed].shape)
                self.roots[seed], self.written[seed] = seed, set()
        for v in self.order_of:
            self.enter(v)
        self.gather()
        self.last: list[tuple[FlatView, FlatView | None]] = []
        self.hand_on()

    # ---- what may be written

    def check(self, v: int) -> None:
        """Raises Unsupported for an op or a kind of number that has no text."""
        value = self.p.values[v]
        if value.op not in KNOWN:
            raise Unsupported(f"the op {value.op}")
        if 0 in value.shape:
            raise Unsupported("a value without elements")
        for u in (v, *value.args):
            of = self.p.values[u]
            if not self.right_kind(u) and (self.p.depends[u] or of.dtype not in "fl"):
                kinds = np.dtype(of.dtype), np.dtype(self.dtype)
                raise Unsupported("{} among {}".format(*kinds))
        if value.dtype == "l":
            raise Unsupported("int64 in a step")

    def kind(self, v: int) -> str:
        """The dtype that a value has in the loop."""
        return "np.bool_" if self.p.values[v].dtype == "?" else f"np.float{self.bits}"

    # ---- where values lie

    def fresh(self, array: str, shape: tuple[int, ...], step: str = "") -> FlatView:
        """A flat array that holds nothing else."""
        base = np.empty(shape, np.int8)
        return FlatView(array, step, base, base)

    def place(self, v: int) -> FlatView:
        """Where a value is read."""
        if v in self.places:
            return self.places[v]
        value, p = self.p.values[v], self.p
        if v in self.inside and v not in self.stored:
            if v in self.targets:
                self.places[v] = self.targets[v]
            else:
                self.places[v] = self.fresh(f"b{v}", value.shape)
        elif not p.depends[v]:
            text = self.around.contiguous(v)
            if value.dtype not in (self.dtype, "?"):
                text = f"{text}.astype({self.around.kind(self.dtype)})"
            self.argument(f"W{v}", text)
            self.head(f"w{v}", f"W{v}.reshape(W{v}.size)")
            self.places[v] = self.fresh(f"w{v}", value.shape)
        else:
            self.places[v] = self.fresh(self.held(v), value.shape, f"o{v}")
            each = self.number(self.places[v].base.size)
            self.steps[f"o{v}"] = f"np.uint64({self.turn_of(v)}) * {each}"
        self.roots.setdefault(v, v)
        return self.places[v]

    def head(self, name: str, text: str) -> None:
        """A line before the loop."""
        if name not in self.made_heads:
            self.made_heads.add(name)
            self.heads.append(f"{name} = {text}")

    def number(self, n: int) -> str:
        """A whole number without a sign, by its name; one below 0 wraps around, its sums are right."""
        return unsigned(self.size(n)) if n else "u_0"

    def memory_of(self, v: int) -> None:
        """Have a flat array for a value that is computed here and lies in no other."""
        place = self.place(v)
        if place.array == f"b{v}":
            self.head(f"b{v}", f"np.empty({self.size(place.base.size)}, {self.kind(v)})")

    # ---- items

    def enter(self, v: int) -> None:
        """What a value needs to be done."""
        value = self.p.values[v]
        if value.op in ELEMENTWISE:
            item = Item("numbers", v, value.shape)
            for a in value.args:
                self.after(item, a, direct=self.p.values[a].shape == value.shape)
        elif value.op in TAKEN and self.viewed(v):
            if v not in self.stored:
                return
            target = self.slab_of(v)
            item = Item("nest", v, copy=(target, self.places[v]))
            self.after(item, value.args[0])
        else:
            item = Item("nest", v)
            if value.op in JOINS:
                self.aim(v)
            for a in value.args:
                self.after(item, self.in_one_piece(a) if self.in_rows(v) == a else a)
        self.written[v] = {len(self.items)} | self.written.get(v, set())
        self.items.append(item)
        self.place(v)

    def slab_of(self, v: int) -> FlatView:
        """The array over time of a value that is itself read elsewhere."""
        seen = self.places.pop(v)
        roots = self.roots[v]
        target = self.place(v)
        self.places[v], self.roots[v] = seen, roots
        return target

    def after(self, item: Item, a: int, direct: bool = False) -> None:
        """An item reads a value."""
        if self.p.values[a].op == "literal":
            return
        self.place(a)
        root = self.roots[a]
        done = self.written.get(root, set()) if root in self.inside else set()
        if direct and a == root and len(done) == 1 and self.items[min(done)].kind == "numbers":
            item.direct |= done
        else:
            item.after |= done

    def viewed(self, v: int) -> bool:
        """Take a value as a view of its operand, where it is one; a reshape may need a copy first."""
        value = self.p.values[v]
        a = value.args[0]
        if self.p.values[a].op == "literal":
            raise Unsupported("a view of a number")
        index = bare_constant(value.consts[0]) if value.op == "getitem" else None
        if index is not None and not _basic(index):
            return False
        place = self.place(a)
        look = self.taken(v, place.look)
        if look is None:
            a = self.in_one_piece(a)
            place = self.places[a]
            look = self.taken(v, place.look)
        self.places[v], self.roots[v] = place.at(look), self.roots[a]
        return True

    def taken(self, v: int, look: Any) -> Any:
        """A view op on a stand-in; None where it would copy."""
        value = self.p.values[v]
        if value.op == "slice":
            return look[..., value.consts[0] : value.consts[1]]
        if value.op == "permute":
            return look.transpose(value.consts[0])
        if value.op == "broadcast":
            return np.broadcast_to(look, value.shape)
        if value.op == "getitem":
            index = bare_constant(value.consts[0])
            return _part(look, index)
        made = look.reshape(value.shape)
        return made if not made.size or np.may_share_memory(made, look) else None

    def in_one_piece(self, a: int) -> int:
        """A value that is read as one piece: itself, or a copy under a number of its own."""
        if self.p.values[a].op == "literal" or self.place(a).whole():
            return a
        copy = -1 - a
        if copy not in self.places:
            shape = self.p.values[a].shape
            name = f"q{a}"
            self.head(
                name, f"np.empty({self.size(int(np.prod(shape, dtype=int)))}, {self.kind(a)})"
            )
            self.places[copy] = self.fresh(name, shape)
            self.roots[copy] = copy
            item = Item("nest", a, copy=(self.places[copy], self.places[a]))
            self.after(item, a)
            self.written[copy] = {len(self.items)}
            self.items.append(item)
            self.inside.add(copy)
        return copy

    def in_rows(self, v: int) -> int | None:
        """The operand of a product with weights that is read row by row, in one piece; None for other ops."""
        value, p = self.p.values[v], self.p
        if value.op != "dot":
            return None
        w = value.args[1]
        plain = p.values[w].dtype == value.dtype == self.dtype and len(p.values[w].shape) == 2
        return value.args[0] if plain and not p.depends[w] else None

    def aim(self, v: int) -> None:
        """Parts that are joined are computed where they belong, if nothing else says where."""
        value, place = self.p.values[v], self.place(v)
        axis = -1 if value.op == "concat" else value.consts[0]
        low = 0
        for a, part in zip(value.args, self.parts(v), strict=True):
            low += self.p.values[a].shape[axis]
            free = a in self.inside and a not in self.stored and a not in self.targets
            made = free and self.p.values[a].op in {*ELEMENTWISE, *REDUCTIONS, *RUNNING}
            own = made and self.places[a].array == f"b{a}" and value.args.count(a) == 1
            same = self.p.values[a].dtype == value.dtype == self.dtype
            if own and same and not self.is_viewed(a) and a not in self.carries_of.values():
                self.targets[a] = self.places[a] = place.at(part)

    def is_viewed(self, a: int) -> bool:
        """Whether some view of a value has been taken: it would lie where the value did."""
        return any(root == a for u, root in self.roots.items() if u != a)

    def parts(self, v: int) -> list[Any]:
        """The parts of a join, as views of it."""
        value, look = self.p.values[v], self.place(v).look
        axis = len(value.shape) - 1 if value.op == "concat" else value.consts[0]
        found, low = [], 0
        for a in value.args:
            side = self.p.values[a].shape[axis]
            found.append(look[(slice(None),) * axis + (slice(low, low + side),)])
            low += side
        return found

    # ---- groups

    def gather(self) -> None:
        """Numbers of one shape are computed in one nest, as early as what they need allows."""
        kinds: list[Any] = []
        for item in self.items:
            least = max((self.items[d].group + 1 for d in item.after), default=0)
            for d in item.direct:
                same = self.items[d].shape == item.shape
                least = max(least, self.items[d].group + (not same))
            kind = item.shape if item.kind == "numbers" else None
            found = [g for g in range(least, len(kinds)) if kind is not None and kinds[g] == kind]
            item.group = found[0] if found else len(kinds)
            if not found:
                kinds.append(kind)
        self.put_items_off()
        nests = [[k for k, i in enumerate(self.items) if i.group == g] for g in range(len(kinds))]
        self.nests = [nest for nest in nests if nest]
        wanted = set()
        for item in self.items:
            if item.copy is not None:
                wanted.add(self.roots[item.value])
                continue
            for a in self.p.values[item.value].args:
                if self.p.values[a].op != "literal" and not self.local(item, a):
                    wanted.add(self.roots[a])
            if item.kind == "nest":
                wanted.add(item.value)
        wanted |= {self.roots[v] for v in self.carries_of.values() if v in self.roots}
        wanted |= {self.roots[v] for v in self.p.outputs if v in self.roots}
        self.wanted = {v for v in wanted if v in self.inside and v >= 0}
        for v in sorted(self.wanted):
            self.memory_of(v)

    def put_items_off(self) -> None:
        """Compute numbers that only later nests of the same shape read in the first of those."""
        where = {k: item.group for k, item in enumerate(self.items)}
        whole = {k for item in self.items for k in item.after}
        last = {*self.carries_of.values(), *self.p.outputs, *self.stored, *self.targets}
        shapes = {item.group: item.shape for item in self.items if item.kind == "numbers"}

        def may(k: int, goal: int) -> bool:
            item = self.items[k]
            numbers = item.kind == "numbers" and shapes.get(goal) == item.shape
            return numbers and k not in whole and item.value not in last

        put_off(range(len(self.items)), where, {k: i.direct for k, i in enumerate(self.items)}, may)
        for k, item in enumerate(self.items):
            item.group = where[k]

    def local(self, item: Item, a: int) -> bool:
        """Whether an operand is a number that the same nest has just computed."""
        made = self.written.get(a, ())
        return any(k in item.direct and self.items[k].group == item.group for k in made)

    # ---- what goes to the next step

    def hand_on(self) -> None:
        """States, or their gradients, go to where the next step finds them."""
        p = self.p
        if self.reverse:
            later: list[tuple[FlatView, FlatView | None]] = []
            for k in range(len(p.states)):
                to = self.places[p.inputs[f"ds{k}"]]
                v = self.carries_of.get(k)
                if v is None:
                    later.append((to, None))
                    continue
                source = self.place(v)
                if source.array == to.array and source.look is to.look:
                    continue
                if re.fullmatch(r"c\d+", source.array):  # by then another gradient may stand there
                    self.head(f"h{k}", f"np.empty({self.size(to.base.size)}, np.float{self.bits})")
                    between = self.fresh(f"h{k}", p.values[v].shape)
                    self.last.append((between, source))
                    source = between
                later.append((to, source))
            self.last += later
            return
        if not self.s.makes_outputs(self.inside):
            raise Unsupported("an output that no op made")
        for k, v in self.s.copied_states():
            self.argument(f"N{k}", f"S{k}[1:].reshape(-1)")
            to = self.fresh(f"N{k}", p.values[v].shape, f"e{k}")
            self.steps[f"e{k}"] = f"now * {self.number(to.base.size)}"
            self.last.append((to, self.place(v)))

    # ---- the text

    def body(self) -> list[str]:
        """The lines of one step."""
        lines: list[str] = []
        for nest in self.nests:
            items = [self.items[k] for k in nest]
            if items[0].kind == "numbers":
                lines += self.numbers(items)
            elif items[0].copy is not None:
                lines += self.copied(*items[0].copy)
            else:
                lines += self.one(items[0].value)
        for to, source in self.last:
            lines += self.filled(to, "zero") if source is None else self.copied(to, source)
        whole = "\n".join(lines)
        steps = [f"{n} = {text}" for n, text in self.steps.items() if re.search(rf"\b{n}\b", whole)]
        return [*steps, *lines]

    def access(self, place: FlatView, strides: Sequence[int], names: Sequence[str]) -> str:
        """A number in a flat array, by the running numbers of axes."""
        terms = [place.step] if place.step else []
        if place.offset:
            terms.append(self.number(place.offset))
        for stride, name in zip(strides, names, strict=True):
            if stride:
                terms.append(name if stride == 1 else f"{name} * {self.number(stride)}")
        return f"{place.array}[{' + '.join(terms) or 'u_0'}]"

    def numbers(self, items: list[Item]) -> list[str]:
        """One nest for ops of numbers of one shape."""
        shape = items[0].shape
        reads: dict[Any, tuple[str, FlatView]] = {}
        body: list[Any] = []
        for item in items:
            v, value = item.value, self.p.values[item.value]
            args = []
            for a in value.args:
                of = self.p.values[a]
                if of.op == "literal":
                    args.append(self.constant(of.consts[0], a))
                elif self.local(item, a):
                    args.append(f"x{a}")
                elif of.op == "zeros":
                    args.append("zero")
                else:
                    place = self.places[a]
                    look = np.broadcast_to(place.look, shape)
                    key = (place.array, place.step, place.offset, look.strides)
                    name, _ = reads.setdefault(key, (f"r{len(reads)}", place.at(look)))
                    args.append(name)
            body.append(f"x{v} = {self.formula(v, args)}")
            if v in self.wanted or v in self.stored or v in self.targets:
                body.append((self.places[v], f"x{v}"))
        stores = [part for part in body if not isinstance(part, str)]
        every = [place for _, place in reads.values()] + [place for place, _ in stores]
        sides, strides = merged(shape, [place.look.strides for place in every])
        names = [f"i{k}" for k in range(len(sides))]
        inner = [
            f"{name} = {self.access(place, along, names)}"
            for (name, place), along in zip(reads.values(), strides, strict=False)
        ]
        rest = iter(strides[len(reads) :])
        for part in body:
            if isinstance(part, str):
                inner.append(part)
            else:
                inner.append(f"{self.access(part[0], next(rest), names)} = {part[1]}")
        return self.nest(sides, names, inner)

    def nest(self, sides: Sequence[int], names: Sequence[str], inner: list[str]) -> list[str]:
        """Loops around some lines."""
        lines = inner
        for side, name in reversed(list(zip(sides, names, strict=True))):
            lines = [
                f"for {name} in range({self.number(side)}):",
                *(f"    {line}" for line in lines),
            ]
        return lines

    def copied(self, to: FlatView, source: FlatView) -> list[str]:
        """Numbers of one place in another, of the same shape."""
        return self._each(to, source, "{0} = {1}")

    def _each(self, to: FlatView, source: FlatView, how: str) -> list[str]:
        sides, (a, b) = merged(to.look.shape, [to.look.strides, source.look.strides])
        names = [f"i{k}" for k in range(len(sides))]
        line = how.format(self.access(to, a, names), self.access(source, b, names))
        return self.nest(sides, names, [line])

    def filled(self, to: FlatView, what: str) -> list[str]:
        """One number everywhere."""
        sides, (along,) = merged(to.look.shape, [to.look.strides])
        names = [f"i{k}" for k in range(len(sides))]
        return self.nest(sides, names, [f"{self.access(to, along, names)} = {what}"])

    def one(self, v: int) -> list[str]:
        """The nests of an op that is not one of numbers."""
        value = self.p.values[v]
        if value.op in REDUCTIONS:
            return self.reduced(v)
        if value.op in RUNNING:
            return self.accumulated(v)
        if value.op in PRODUCTS:
            return self.multiplied(v)
        if value.op in JOINS:
            lines = []
            for a, part in zip(value.args, self.parts(v), strict=True):
                if self.targets.get(a) is None or self.targets[a].array != self.places[v].array:
                    lines += self.moved(self.places[v].at(part), a)
            return lines
        if value.op == "zeros":
            return self.filled(self.places[v], "zero")
        if value.op == "place":
            lines = self.filled(self.places[v], "zero")
            for a, index in zip(value.args, bare_constant(value.consts[0]), strict=True):
                lines += self.indexed(self.places[v], index, a, "{0} += {1}")
            return lines
        if value.op == "put":
            lines = self.moved(self.places[v], value.args[0])
            index = bare_constant(value.consts[0])
            return [*lines, *self.indexed(self.places[v], index, value.args[1], "{0} = {1}")]
        index = bare_constant(value.consts[0])
        return self.scattered(self.places[value.args[0]], index, self.places[v], "{1} = {0}")

    def moved(self, to: FlatView, a: int) -> list[str]:
        """A value in another place."""
        value = self.p.values[a]
        if value.op in ("literal", "zeros"):
            what = "zero" if value.op == "zeros" else self.constant(value.consts[0], a)
            return self.filled(to, what)
        source = self.places[a]
        return self.copied(to, source.at(np.broadcast_to(source.look, to.look.shape)))

    def indexed(self, to: FlatView, index: Any, a: int, how: str) -> list[str]:
        """A value goes to a part of a place."""
        value = self.p.values[a]
        if value.op in ("literal", "zeros"):
            raise Unsupported("a number that is put into places")
        source = self.places[a]
        if not _basic(index):
            return self.scattered(to, index, source, how)
        look = _part(to.look, index)
        return self._each(to.at(look), source.at(np.broadcast_to(source.look, look.shape)), how)

    def scattered(self, part: FlatView, index: Any, other: FlatView, how: str) -> list[str]:
        """Elements that an index with arrays names, each with one of another place."""
        look = part.look
        numbers = np.full((), part.offset)
        for side, stride in zip(look.shape, look.strides, strict=True):
            numbers = numbers[..., None] + np.arange(side) * stride
        numbers = np.ascontiguousarray(numbers[index]).astype(np.uint64)
        name = f"P{len(self.arguments)}"
        self.argument(
            name, self.around.constant(f"{name}_{int(self.reverse)}", numbers.reshape(-1))
        )
        table = self.fresh(name, numbers.shape)
        source = np.broadcast_to(other.look, numbers.shape)
        sides, (a, b) = merged(numbers.shape, [table.look.strides, source.strides])
        names = [f"i{k}" for k in range(len(sides))]
        at = f"{part.step} + " if part.step else ""
        first = f"{part.array}[{at}{self.access(table, a, names)}]"
        return self.nest(sides, names, [how.format(first, self.access(other.at(source), b, names))])

    def reduced(self, v: int) -> list[str]:
        """A sum, product or extreme along axes."""
        value = self.p.values[v]
        source = self.places[value.args[0]]
        axes = set(value.consts[0])
        shape = source.look.shape
        out = self.places[v].look.reshape(
            tuple([1 if k in axes else n for k, n in enumerate(shape)])
        )
        mine = [0 if k in axes else s for k, s in enumerate(out.strides)]
        their = source.look.strides
        kept = [k for k in range(len(shape)) if k not in axes]
        gone = [k for k in range(len(shape)) if k in axes]
        names = [f"i{k}" for k in range(len(shape))]
        to = self.access(self.places[v], [mine[k] for k in kept], [names[k] for k in kept])
        one = self.access(source, their, names)
        first = self.access(source, [their[k] for k in kept], [names[k] for k in kept])
        begin = {"sum": "zero", "prod": "one"}.get(value.op, first)
        sides = [shape[k] for k in kept]
        across = kept and gone and kept[-1] > gone[-1] and shape[kept[-1]] > 1
        if across:  # along memory: every number is one more summand of another sum
            start = self.nest(sides, [names[k] for k in kept], [f"{to} = {begin}"])
            more = COMBINED[value.op].format(to, one)
            return start + self.nest(shape, names, [f"{to} = {more}"])
        more = "plus(x, {1})" if value.op == "sum" else COMBINED[value.op]
        inner = self.nest(
            [shape[k] for k in gone],
            [names[k] for k in gone],
            [f"y = {one}", f"x = {more.format('x', 'y')}"],
        )
        lines = [f"x = {begin}", *inner, f"{to} = x"]
        return self.nest(sides, [names[k] for k in kept], lines)

    def accumulated(self, v: int) -> list[str]:
        """Sums or products of all numbers so far along an axis."""
        value = self.p.values[v]
        source, to, axis = self.places[value.args[0]], self.places[v], value.consts[0]
        shape = source.look.shape
        names = [f"i{k}" for k in range(len(shape))]
        more = RUNNING[value.op].format("x", self.access(source, source.look.strides, names))
        lines = [f"x = {more}", f"{self.access(to, to.look.strides, names)} = x"]
        lines = self.nest(shape[axis : axis + 1], names[axis : axis + 1], lines)
        begin = "zero" if value.op == "cumsum" else "one"
        others = [k for k in range(len(shape)) if k != axis]
        return self.nest(
            [shape[k] for k in others], [names[k] for k in others], [f"x = {begin}", *lines]
        )

    # ---- products

    def multiplied(self, v: int) -> list[str]:
        """A product: by the kernel for weights, or as loops over all its labels."""
        value = self.p.values[v]
        source = self.in_rows(v)
        if source is not None:
            return self.by_kernel(v, self.in_one_piece(source))
        terms, to = product_labels(value, [self.p.values[a].shape for a in value.args])
        sides: dict[int, int] = {}
        for a, term in zip(value.args, terms, strict=True):
            for label, side in zip(term, self.p.values[a].shape, strict=True):
                sides[label] = max(side, sides.get(label, 1))
        along = []
        for a, term in zip(value.args, terms, strict=True):
            mine = dict.fromkeys(sides, 0)
            look = self.places[a].look
            for label, side, stride in zip(term, look.shape, look.strides, strict=True):
                mine[label] += stride if side > 1 else 0
            along.append(mine)
        place = self.places[v]
        out = dict(zip(to, place.look.strides, strict=True))
        inner = [label for label in sides if label not in out]
        name = {label: f"i{k}" for k, label in enumerate(sides)}

        def one(where: FlatView, strides: dict[int, int], labels: Iterable[int]) -> str:
            labels = list(labels)
            return self.access(where, [strides[n] for n in labels], [name[n] for n in labels])

        factors = [one(self.places[a], s, sides) for a, s in zip(value.args, along, strict=True)]
        product = " * ".join(factors)

        def over(labels: Sequence[int], lines: list[str]) -> list[str]:
            return self.nest([sides[n] for n in labels], [name[n] for n in labels], lines)

        target = one(place, out, to)
        if not inner:
            return over(to, [f"{target} = {product}"])
        last = to[-1] if to else None
        if last is not None and sides[last] > 1 and all(s[last] in (0, 1) for s in along):
            start = over([last], [f"{target} = zero"])
            more = over([*inner, last], [f"{target} += {product}"])
            return over(to[:-1], start + more)
        inner.sort(key=lambda n: sum(s[n] == 1 for s in along))
        lines = ["x = zero", *over(inner, [f"x = plus(x, {product})"]), f"{target} = x"]
        return over(to, lines)

    def by_kernel(self, v: int, source: int) -> list[str]:
        """A product with packed weights."""
        value, p = self.p.values[v], self.p
        weight, transposed = value.args[1], value.consts[0]
        name = f"m{weight}{'t' if transposed else ''}"
        if name not in self.packed:
            self.packed.add(name)
            self.lay_out(name, weight, transposed)
        shape = p.values[value.args[0]].shape
        rows = int(np.prod(shape[:-1], dtype=int))
        sizes = ", ".join(map(self.size, (rows, shape[-1], value.shape[-1])))
        return [f"product({self.piece(source)}, {name}, {self.piece(v)}, {sizes}, 0)"]

    def piece(self, v: int) -> str:
        """A step's part of a flat array, as an array."""
        place = self.places[v]
        if not place.step:
            return place.array
        n = self.size(place.base.size)
        turn = self.turn_of(int(place.step[1:]))
        return f"{place.array}[{turn} * {n} : ({turn} + 1) * {n}]"

    def turn_of(self, v: int) -> str:
        """At which place in time a value's numbers of the running step lie: a new state's one further."""
        return "(t + 1)" if v in self.around.new_states else "t"


def merged(
    shape: Sequence[int], every: Sequence[Sequence[int]]
) -> tuple[list[int], list[list[int]]]:
    """Axes of length 1 left out, and neighbours as one where all strides allow it."""
    sides: list[int] = []
    strides: list[list[int]] = [[] for _ in every]
    for k, side in enumerate(shape):
        if side == 1:
            continue
        mine = [each[k] for each in every]
        if sides and all(
            so_far[-1] == own * side for so_far, own in zip(strides, mine, strict=True)
        ):
            sides[-1] *= side
            for so_far, own in zip(strides, mine, strict=True):
                so_far[-1] = own
            continue
        sides.append(side)
        for so_far, own in zip(strides, mine, strict=True):
            so_far.append(own)
    return sides, strides


def _part(look: Any, index: Any) -> Any:
    """What an index takes, as a view: of one number, too."""
    parts = index if isinstance(index, tuple) else (index,)
    return look[parts if any(p is Ellipsis for p in parts) else (*parts, ...)]


def _basic(index: Any) -> bool:
    """Whether an index gives a view."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(
        p is None
        or p is Ellipsis
        or (isinstance(p, (slice, int, np.integer)) and not isinstance(p, bool))
        for p in parts
    )


__all__ = ["Nests"]
