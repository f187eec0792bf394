"""How are a program's values computed, as lines of JavaScript? Loops over elements, products, copies.

Elementwise values of one shape share a loop, in which what nobody else reads is a constant; views cost
nothing; the parts of a join are computed right where they belong.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...ops.without_gradient import texts_of
from ...scan.program import Value
from .indices import walk
from .lowering import Lowered, NoText
from .places import ArrayView, Shape, loops, strides_of

VIEWS = frozenset(["slice", "getitem", "reshape", "permute", "broadcast"])
JOINS = frozenset(["concat", "cat"])
EXACT = frozenset(["where", "neg", "abs", "sign", "maximum", "minimum", "relu"])  # nothing to round
AXES = "ijklnpqruvwxyz"


def number(c: Any, narrow: bool) -> str:
    """A Python number in JavaScript, rounded as the arrays' kind rounds it."""
    if isinstance(c, bool):
        return "true" if c else "false"
    c = float(np.float32(c)) if narrow and isinstance(c, float) else float(c)
    if math.isnan(c):
        return "NaN"
    if math.isinf(c):
        return "Infinity" if c > 0 else "(-Infinity)"
    text = str(int(c)) if c.is_integer() and abs(c) < 1e15 else repr(c)
    return f"({text})" if c < 0 or text.startswith("-") else text


class Body:
    """Lines that compute some values of a program; ``room(v)`` gives a value memory of its own, ``filled``
    one that holds numbers from the beginning."""

    def __init__(
        self,
        lowered: Lowered,
        places: dict[int, ArrayView],
        room: Callable[[int, Shape], ArrayView],
        filled: Callable[[int, Any], ArrayView],
        names: dict[int, str],
        narrow: bool,
    ) -> None:
        self.low, self.places, self.room, self.filled = lowered, places, room, filled
        self.names, self.narrow = names, narrow
        self.lines: list[str] = []
        self.onto: set[int] = set()  # values that are added to what lies in their place
        self.ready: set[int] = set()
        self.stored: set[int] = set()
        self.users: dict[int, set[int]] = {}
        self.todo: list[int] = []

    # ---- the order

    def emit(self, values: Iterable[int], stored: Iterable[int]) -> None:
        """Compute values (in an order of computation); those in ``stored`` have readers elsewhere."""
        self.todo = list(dict.fromkeys(values))
        inside = set(self.todo)
        self.stored |= set(stored)
        for v in self.todo:
            for a in self.low.value(v).args:
                self.users.setdefault(a, set()).add(v)
        for v in self.todo:
            self._place_parts(v, inside)
        waiting = list(self.todo)
        while waiting:
            first = next(
                (v for v in waiting if not self._loops(v) and self._is_ready(v, inside)), None
            )
            if first is not None:
                self._single(first)
                waiting.remove(first)
                inside.discard(first)
                continue
            group = self._group(waiting, inside)
            self._loop(group)
            waiting = [v for v in waiting if v not in group]
            inside -= set(group)

    def _loops(self, v: int) -> bool:
        return bool(texts_of(self.low.value(v).op).js)

    def _is_ready(self, v: int, inside: set[int]) -> bool:
        return not any(a in inside for a in self.low.value(v).args)

    def _group(self, waiting: list[int], inside: set[int]) -> list[int]:
        """Elementwise values of one shape, each of which needs only what is there or others of them."""
        first = next(v for v in waiting if self._loops(v) and self._is_ready(v, inside))
        shape = self.low.value(first).shape
        group: list[int] = []
        for v in waiting:
            value = self.low.value(v)
            near = all(
                a not in inside or (a in group and self.low.value(a).shape == shape)
                for a in value.args
            )
            if self._loops(v) and value.shape == shape and near:
                group.append(v)
        return group

    def _place_parts(self, v: int, inside: set[int]) -> None:
        """Parts of a join are computed in their place."""
        value = self.low.value(v)
        if value.op not in JOINS:
            return
        whole = self._own(v)
        for a, place in self._windows(v, whole):
            free = a in inside and a not in {*self.places, *self.stored} and self._loops(a)
            if free and value.args.count(a) == 1 and self.low.value(a).shape == place.shape:
                self.places[a] = place
                self.stored.add(a)

    def _windows(self, v: int, whole: ArrayView) -> list[tuple[int, ArrayView]]:
        """Where the parts of a join lie."""
        value = self.low.value(v)
        axis = len(value.shape) - 1 if value.op == "concat" else value.consts[0]
        found, at = [], 0
        for a in value.args:
            shape = self.low.value(a).shape
            index = (*(slice(None),) * axis, slice(at, at + shape[axis]))
            at += shape[axis]
            found.append((a, whole.part(index, shape)))
        return found

    # ---- where values are

    def _own(self, v: int) -> ArrayView:
        """The place that a value is written to."""
        if v not in self.places:
            self.places[v] = self.room(v, self.low.value(v).shape)
        return self.places[v]

    def place(self, v: int) -> ArrayView:
        """Where a value lies; of a view, where it looks."""
        found = self.places.get(v)
        if found is None and self.low.value(v).op == "constant":
            found = self.places[v] = self.filled(v, self.low.value(v).consts[0].array)
        if found is None:
            looked = self._look(v)
            if looked is None:
                raise KeyError(f"value {v} has no place: {self.low.value(v)}")
            found = self.places[v] = looked
        return found

    def _look(self, v: int) -> ArrayView | None:
        """A view of a value's place; None where it is no view."""
        value = self.low.value(v)
        if value.op not in VIEWS:
            return None
        source = self.low.value(value.args[0])
        if source.op == "literal":
            return None
        base = self.place(value.args[0])
        if value.op == "slice":
            return base.part((Ellipsis, slice(*value.consts)), value.shape)
        if value.op == "getitem":
            return base.part(self._basic(value.consts[0]), value.shape)
        if value.op == "permute":
            return base.turned(value.consts[0], value.shape)
        if value.op == "broadcast":
            return base.broadcast(value.shape)
        return base.reshaped(value.shape)

    def _basic(self, index: Any) -> Any:
        for p in index if isinstance(index, tuple) else (index,):
            plain = p is None or p is Ellipsis or isinstance(p, (slice, int, np.integer))
            if not plain or isinstance(p, bool):
                raise NoText("an index that is no integer or range")
        return index

    def whole(self, v: int) -> ArrayView:
        """A value's place in one piece, copied there where it is not."""
        place = self.place(v)
        if place.solid:
            return place
        own = self.room(-v - 1, place.shape)
        self.copy(own, place)
        return own

    def rows(self, v: int) -> tuple[ArrayView, int, int]:
        """A value as rows of elements side by side: (its place, rows, how far apart they are)."""
        place = self.place(v)
        if len(place.shape) == 2 and (place.strides[1] == 1 or place.shape[1] == 1):
            return place, place.shape[0], place.strides[0]
        place = self.whole(v)
        columns = place.shape[-1]
        return place, math.prod(place.shape[:-1]), columns

    # ---- loops over elements

    def nest(
        self,
        shape: Shape,
        each: list[Shape],
        inner: Callable[[list[str], list[Shape]], list[str]],
        first: int = 0,
    ) -> list[str]:
        """Loops over a shape around lines that are given the variables and the strides left."""
        sides, strides = loops(shape, each)
        names = [AXES[first + k] for k in range(len(sides))]
        lines = inner(names, strides)
        heads = [
            f"for (let {n} = 0; {n} < {side}; {n}++)" for n, side in zip(names, sides, strict=True)
        ]
        if not heads:
            return (
                ["{", *("  " + line for line in lines), "}"]
                if any(line.startswith("const") for line in lines)
                else lines
            )
        return [" ".join(heads) + " {", *("  " + line for line in lines), "}"]

    def block(
        self, shape: Shape, each: list[Shape], inner: Callable[[list[str], list[Shape]], list[str]]
    ) -> None:
        """Loops as a statement of their own: what lines around none of them declare ends there, too."""
        lines = self.nest(shape, each, inner)
        self.lines += lines if lines[0].startswith("for") else ["{", *lines, "}"]

    def copy(self, to: ArrayView, source: ArrayView | str, onto: bool = False) -> None:
        """Have elements copied (or added) from another place, or one number everywhere."""
        sign = "+=" if onto else "="
        each = [to.strides, *([] if isinstance(source, str) else [source.spread(to.shape)])]

        def inner(names: list[str], strides: list[Shape]) -> list[str]:
            read = (
                source
                if isinstance(source, str)
                else f"{source.array}[{source.index(names, strides[1])}]"
            )
            return [f"{to.array}[{to.index(names, strides[0])}] {sign} {read};"]

        self.lines += self.nest(to.shape, each, inner)

    def _loop(self, group: list[int]) -> None:
        """One loop that computes elementwise values of one shape."""
        shape = self.low.value(group[0]).shape
        members = set(group)
        reads: dict[int, int] = {}
        for v in group:
            for a in self.low.value(v).args:
                if a not in members and self.low.value(a).op != "literal":
                    reads[a] = reads.get(a, 0) + 1
        kept = [v for v in group if v in self.stored or self.users.get(v, set()) - members]
        sources = {a: self.place(a) for a in reads if not self._constant(a)}
        targets = {v: self._own(v) for v in kept}
        order = [*sources.values(), *targets.values()]
        each = [p.spread(shape) for p in sources.values()] + [p.strides for p in targets.values()]

        def inner(names: list[str], strides: list[Shape]) -> list[str]:
            texts: dict[int, str] = {}
            lines = []
            where = {
                key: f"{p.array}[{p.index(names, s)}]"
                for key, p, s in zip(
                    [*sources, *(-v - 1 for v in targets)], order, strides, strict=True
                )
            }
            for v in group:
                value = self.low.value(v)
                arguments = []
                for a in value.args:
                    text = self._constant(a) or texts.get(a)
                    if text is None:
                        text = where[a]
                        if reads[a] > 1:
                            lines.append(f"const {self.name(a)} = {text};")
                            text = self.name(a)
                        texts[a] = text
                    arguments.append(text)
                formula = self.formula(value, arguments)
                uses = sum(self.low.value(u).args.count(v) for u in group)
                if v in targets:
                    sign = "+=" if v in self.onto else "="
                    if uses:
                        lines.append(f"const {self.name(v)} = {formula};")
                        texts[v] = self.name(v)
                        formula = self.name(v)
                    lines.append(f"{where[-v - 1]} {sign} {formula};")
                elif uses:
                    lines.append(f"const {self.name(v)} = {formula};")
                    texts[v] = self.name(v)
            return lines

        self.lines += self.nest(shape, each, inner)

    def name(self, v: int) -> str:
        """The name of a value in a loop."""
        return f"{self.names.get(v, 'v')}_{v}"

    def _constant(self, v: int) -> str | None:
        """The text of a Python number; None for other values."""
        value = self.low.value(v)
        if value.op == "literal":
            return number(value.consts[0], self.narrow)
        if value.op in VIEWS and value.op != "getitem":
            return self._constant(value.args[0])
        return "0" if value.op == "zeros" else None

    def formula(self, value: Value, arguments: list[str]) -> str:
        """An elementwise op on its operands, rounded where the recorded loop rounds it."""
        if value.op == "pow" and arguments[1] == "2":
            text = "{0} * {0}".format(*arguments)
        else:
            text = texts_of(value.op).js.format(*arguments)
        rounds = self.narrow and value.dtype == "f" and value.op not in EXACT
        return f"Math.fround({text})" if rounds else text

    # ---- everything else, one value at a time

    def _single(self, v: int) -> None:
        value = self.low.value(v)
        if value.op in VIEWS:
            text = self._constant(v)
            if text is None and self._look(v) is not None and v not in self.places:
                return
            place = self._own(v)
            if text is not None:
                self.copy(place, text)
                return
            del self.places[v]
            looked = self._look(v)
            self.places[v] = place
            if looked is None:  # another shape of what does not lie in one piece
                source = self.whole(value.args[0])
                looked = source.reshaped(value.shape)
                assert looked is not None
            self.copy(place, looked, v in self.onto)
            return
        getattr(self, f"_{value.op}")(v, value)

    def _zeros(self, v: int, value: Value) -> None:
        if self.users.get(v) or v in self.stored:
            self.copy(self._own(v), "0")

    def _source(self, a: int) -> ArrayView | str:
        """What is copied from: a place, or a number everywhere."""
        return self._constant(a) or self.place(a)

    def _join(self, v: int, value: Value) -> None:
        whole = self._own(v)
        for a, place in self._windows(v, whole):
            if self.places.get(a) != place:
                self.copy(place, self._source(a))

    _concat = _cat = _join

    def _put(self, v: int, value: Value) -> None:
        own = self._own(v)
        self.copy(own, self._source(value.args[0]))
        self._set(own, value.consts[0], value.args[1])

    def _set(self, own: ArrayView, index: Any, a: int, onto: bool = False) -> None:
        index = self._basic(index)
        shape = np.empty(own.shape, "?")[index].shape
        self.copy(own.part(index, shape), self._source(a), onto)

    def _place(self, v: int, value: Value) -> None:
        own = self._own(v)
        self.copy(own, "0")
        for a, index in zip(value.args, value.consts[0], strict=True):
            self._set(own, index, a, True)

    # ---- elements that data chooses

    def _take(self, v: int, value: Value) -> None:
        self._walked(value, self.place(value.args[0]), self._own(v), taking=True)

    def _scatter(self, v: int, value: Value) -> None:
        own = self._own(v)
        if v not in self.onto:
            self.copy(own, "0")
        self._walked(value, own, self.place(value.args[0]), taking=False)

    def _walked(self, value: Value, whole: ArrayView, part: ArrayView, taking: bool) -> None:
        """One loop over an index: elements of the whole become the part, or the part is added to them."""
        operands = [self.place(a) for a in value.args[1:]]
        way = walk(value.consts[0], whole, operands, part.shape)

        def inner(names: list[str], strides: list[Shape]) -> list[str]:
            base = replace(whole, at=way.at).index(names, strides[0])
            for p, s, (n, far) in zip(operands, strides[2:], way.apart, strict=True):
                base += f" + {far} * within({p.array}[{p.index(names, s)}], {n})"
            other = f"{part.array}[{part.index(names, strides[1])}]"
            chosen = f"{whole.array}[{base}]"
            return [f"{other} = {chosen};" if taking else f"{chosen} += {other};"]

        self.lines += self.nest(part.shape, [way.strides, part.strides, *way.operands], inner)

    # ---- sums

    def _reduce(self, v: int, begin: str, add: str) -> None:
        value = self.low.value(v)
        axes, _ = value.consts
        source, own = self.place(value.args[0]), self._own(v)
        out = tuple(n for i, n in enumerate(source.shape) if i not in axes)
        inside = tuple(source.shape[i] for i in axes)
        shaped = own if own.shape == out else own.reshaped(out)
        assert shaped is not None
        over = tuple(s for i, s in enumerate(source.strides) if i not in axes)
        within = tuple(source.strides[i] for i in axes)
        sign = "+=" if v in self.onto else "="

        def outer(names: list[str], strides: list[Shape]) -> list[str]:
            def inner(more: list[str], left: list[Shape]) -> list[str]:
                at = source.index([*names, *more], [*strides[0], *left[0]])
                return [add.format(f"{source.array}[{at}]")]

            return [
                f"let s = {begin};",
                *self.nest(inside, [within], inner, len(names)),
                f"{own.array}[{shaped.index(names, strides[1])}] {sign} s;",
            ]

        self.block(out, [over, shaped.strides], outer)

    def _sum(self, v: int, _value: Value) -> None:
        self._reduce(v, "0", "s += {0};")

    def _prod(self, v: int, _value: Value) -> None:
        self._reduce(v, "1", "s *= {0};")

    def _amax(self, v: int, _value: Value) -> None:
        self._reduce(v, "-Infinity", "s = Math.max(s, {0});")

    def _amin(self, v: int, _value: Value) -> None:
        self._reduce(v, "Infinity", "s = Math.min(s, {0});")

    def _running(self, v: int, begin: str, sign: str) -> None:
        value = self.low.value(v)
        source, own = self.place(value.args[0]), self._own(v)
        if not value.shape:
            self.copy(own, source)
            return
        axis = value.consts[0] % len(value.shape)
        rest = tuple(n for i, n in enumerate(value.shape) if i != axis)

        def without(strides: Shape) -> Shape:
            return tuple(s for i, s in enumerate(strides) if i != axis)

        def inner(names: list[str], strides: list[Shape]) -> list[str]:
            a = source.index([*names, "at"], [*strides[0], source.strides[axis]])
            b = own.index([*names, "at"], [*strides[1], own.strides[axis]])
            return [
                f"let s = {begin};",
                f"for (let at = 0; at < {value.shape[axis]}; at++) "
                f"{own.array}[{b}] = s {sign}= {source.array}[{a}];",
            ]

        self.block(rest, [without(source.strides), without(own.strides)], inner)

    def _cumsum(self, v: int, _value: Value) -> None:
        self._running(v, "0", "+")

    def _cumprod(self, v: int, _value: Value) -> None:
        self._running(v, "1", "*")

    # ---- products

    def _dot(self, v: int, value: Value) -> None:
        a, w = value.args
        source, rows, apart = self.rows(a)
        weight = self.place(w)
        by_k, by_n = weight.strides[::-1] if value.consts[0] else weight.strides
        own = self._own(v)
        columns = value.shape[-1]
        direct = len(own.shape) <= 2 and (own.strides[-1] == 1 or columns == 1)
        to = own if direct or own.solid else self.room(-v - 1, own.shape)
        far = to.strides[0] if len(to.shape) == 2 else columns
        self.lines.append(
            f"times({to.array}, {to.start}, {far}, {source.array}, {source.start}, {apart}, "
            f"{weight.array}, {weight.start}, {by_k}, {by_n}, {rows}, {source.shape[-1]}, {columns});"
        )
        if to is not own:
            self.copy(own, to)

    def _outer(self, v: int, value: Value) -> None:
        a, b = value.args
        (left, rows, far), (right, _, apart) = self.rows(a), self.rows(b)
        own = self._own(v)
        to = own if own.solid else self.room(-v - 1, own.shape)
        if v not in self.onto:
            self.copy(to, "0")
        self.lines.append(
            f"addOuter({to.array}, {to.start}, {left.array}, {left.start}, {far}, "
            f"{right.array}, {right.start}, {apart}, {rows}, {left.shape[-1]}, {right.shape[-1]});"
        )
        if to is not own:
            self.copy(own, to)

    def _matmul(self, v: int, value: Value) -> None:
        a, b = (self.low.value(x).shape for x in value.args)
        lead = max(len(a), len(b), 2) - 2
        i, k, j = lead, lead + 1, lead + 2

        def term(shape: Shape, last: tuple[int, ...]) -> tuple[int, ...]:
            n = len(shape) - len(last)
            return (*range(lead - n, lead), *last)

        one = term(a, (i, k) if len(a) > 1 else (k,))
        other = term(b, (k, j) if len(b) > 1 else (k,))
        to = (*range(lead), *((i,) if len(a) > 1 else ()), *((j,) if len(b) > 1 else ()))
        self._summed(v, value.args, (one, other), to)

    def _einsum(self, v: int, value: Value) -> None:
        self._summed(v, value.args, *value.consts)

    def _summed(
        self, v: int, args: Sequence[int], terms: Sequence[Sequence[int]], to: Sequence[int]
    ) -> None:
        """Products of elements, summed over the axes that the output lacks."""
        sides: dict[int, int] = {}
        for a, term in zip(args, terms, strict=True):
            for label, n in zip(term, self.low.value(a).shape, strict=True):
                sides[label] = max(sides.get(label, 1), n)
        own = self._own(v)
        places = [self.place(a) for a in args]
        inside = [label for label in sides if label not in to]

        def strides(place: ArrayView, term: Sequence[int], labels: Sequence[int]) -> Shape:
            by: dict[int, int] = {}
            for label, n, s in zip(term, place.shape, place.strides, strict=True):
                by[label] = by.get(label, 0) + (0 if n == 1 else s)
            return tuple(by.get(label, 0) for label in labels)

        over = [strides(p, t, to) for p, t in zip(places, terms, strict=True)]
        within = [strides(p, t, inside) for p, t in zip(places, terms, strict=True)]
        sign = "+=" if v in self.onto else "="

        def outer(names: list[str], left: list[Shape]) -> list[str]:
            def inner(more: list[str], rest: list[Shape]) -> list[str]:
                factors = [
                    f"{p.array}[{p.index([*names, *more], [*a, *b])}]"
                    for p, a, b in zip(places, left, rest, strict=False)
                ]
                return [f"s += {' * '.join(factors)};"]

            return [
                "let s = 0;",
                *self.nest(tuple(sides[x] for x in inside), within, inner, len(names)),
                f"{own.array}[{own.index(names, left[-1])}] {sign} s;",
            ]

        shape = tuple(sides[x] for x in to)
        self.block(shape, [*over, own.strides], outer)


__all__ = ["Body", "NoText", "strides_of"]
