"""How does a loop's text become machine code? Line by line as LLVM's, in a tenth of numba's time.

numba compiles any Python; a loop's text is a small part of it: numbers, flat arrays, ``for`` over ranges,
calls of ``vector_math`` and ``products``, whose own lines are written where they are called. Numbers have
the kinds that numba gives them (but a whole number in the text takes the other operand's), and each function
its own fast-math flags. With ``boundscheck=True`` every index is tested. A product of one row whose sizes are
known is written where it stands. An innermost loop may take its turns in any order, since each writes
elements of its own, unless it writes by an array of indices: LLVM is told, and asks nothing about overlaps.
"""

from __future__ import annotations

import ast
import inspect
import math
import operator
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir

from .llvm import BYTE, LONG, External, Instructions, declared, turns, variable
from .products import tiles_of

TYPES = {
    "i64": LONG,
    "u64": LONG,
    "i32": ir.IntType(32),
    "b1": ir.IntType(1),
    "f32": ir.FloatType(),
    "f64": ir.DoubleType(),
}
KINDS = {np.float32: "f32", np.float64: "f64", np.uint64: "u64", np.bool_: "b1", int: "i64"}
LOWER = {"f32": 0, "f64": 1}  # of two kinds the later one is the result's
OPS = {  # (of floats, of whole numbers)
    ast.Add: ("fadd", "add"),
    ast.Sub: ("fsub", "sub"),
    ast.Mult: ("fmul", "mul"),
    ast.Div: ("fdiv", ""),
    ast.BitAnd: ("", "and_"),
    ast.RShift: ("", "ashr"),
}
SIGNS = {
    ast.Eq: ("==", operator.eq),
    ast.NotEq: ("!=", operator.ne),
    ast.Lt: ("<", operator.lt),
    ast.LtE: ("<=", operator.le),
    ast.Gt: (">", operator.gt),
    ast.GtE: (">=", operator.ge),
}
WITHIN = {
    np.floor: "floor",
    np.ceil: "ceil",
    np.rint: "rint",
    np.trunc: "trunc",
    math.sqrt: "sqrt",
    np.sqrt: "sqrt",
}
LIBRARY = (math.atan2, math.cos, math.erf, math.erfc, math.exp, math.expm1, math.log, math.log1p)
C_NAMES = {f: f.__name__ for f in (*LIBRARY, math.sin, math.tanh, np.fmod)}
APART = 64  # bytes at whose multiples memory begins
FAILED, OUTSIDE = 1, 2  # what a function gives that found no memory, or an index outside its array


class UnknownTextError(Exception):
    """A text that is no loop's."""


@dataclass(slots=True, frozen=True)
class Number:
    """A number, and of which kind."""

    value: Any
    kind: str


@dataclass(slots=True, frozen=True)
class FlatArray:
    """Where an array begins, and of which kind its elements are."""

    place: Any
    kind: str
    size: Any = None  # where indices are tested


@dataclass(slots=True)
class Naming:
    """The names of a function: what they stand for, slots of numbers among them, and its flags."""

    outside: dict[str, Any]
    flags: tuple[str, ...]
    names: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Slot:
    """Memory of a variable."""

    place: Any
    kind: str


class _Metadata(ir.MDValue):  # type: ignore[misc]
    """A node that is like no other; it may name itself."""

    def descr(self, buf: list[str]) -> None:
        super().descr(buf)
        buf[-2] = f"distinct {buf[-2]}"

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


def lowered(text: str, kinds: Sequence[str], name: str) -> ir.Module:
    """A module with the function of a text, by arguments of some kinds.

    ``f32*`` is an array's kind, ``8`` that of the constant 8. It takes addresses and whole numbers and
    returns 0, ``FAILED`` or ``OUTSIDE``; where indices are tested, the arrays' sizes follow.
    """
    tree = ast.parse(text)
    (written,) = (part for part in tree.body if isinstance(part, ast.FunctionDef))
    rest = ast.Module([part for part in tree.body if part is not written], [])
    space: dict[str, Any] = {}
    exec(compile(rest, "<a loop>", "exec"), space)
    options = {
        k.arg: ast.literal_eval(k.value)
        for k in written.decorator_list[0].keywords  # type: ignore[attr-defined]
    }
    tested = options.get("boundscheck", False)
    module = ir.Module(name)
    given = [memory(k[:-1]).as_pointer() if k.endswith("*") else TYPES.get(k, LONG) for k in kinds]
    given += [LONG for k in kinds if k.endswith("*") and tested]
    function = declared(module, TYPES["i32"], given, name)
    takes, sizes = function.args[: len(kinds)], iter(function.args[len(kinds) :])
    names = {
        argument.arg: FlatArray(value, kind[:-1], next(sizes, None))
        if kind.endswith("*")
        else Number(LONG(int(kind)), "i64")
        if kind.isdigit()
        else Number(value, kind)
        for argument, value, kind in zip(written.args.args, takes, kinds, strict=True)
    }
    scope = Naming(space, tuple(sorted(options.get("fastmath", ()))), names)
    _LoopWriter(function, tested).write(written.body, scope)
    return module


def memory(kind: str) -> Any:
    """The type of an element in memory."""
    return BYTE if kind == "b1" else TYPES[kind]


@cache
def _source(function: Any) -> ast.FunctionDef:
    """The lines of a function that others call."""
    (made,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    assert isinstance(made, ast.FunctionDef)
    return made


def _stored(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Store)


class _LoopWriter:
    """Writes one function; ``tested`` are its indices."""

    def __init__(self, function: ir.Function, tested: bool) -> None:
        self.module, self.tested = function.module, tested
        self.b = ir.IRBuilder(function.append_basic_block("entry"))
        self.taken: list[Any] = []  # memory that is given back
        self.group: Any = None  # of the innermost loop whose turns may come in any order

    def write(self, body: list[ast.stmt], scope: Naming) -> None:
        """All of it; memory is taken before the first loop and given back at the end."""
        first = next((k for k, line in enumerate(body) if isinstance(line, ast.For)), len(body))
        self.lines(body[:first], scope)
        with self.b.if_then(self.lacking(), likely=False):
            self.leave(FAILED)
        self.lines(body[first:], scope)
        self.leave(0)

    def lacking(self) -> Any:
        """Whether some memory is not there."""
        none = ir.Constant(ir.IntType(1), 0)
        for place in self.taken:
            none = self.b.or_(none, self.b.icmp_unsigned("==", place, place.type(None)))
        return none

    def leave(self, status: int) -> None:
        """Give all memory back and return."""
        free = declared(self.module, ir.VoidType(), [BYTE.as_pointer()], "free")
        for place in self.taken:
            self.b.call(free, [place])
        self.b.ret(ir.Constant(ir.IntType(32), status))

    # ---- statements

    def lines(self, body: Sequence[ast.stmt], scope: Naming) -> Any:
        """Some lines; what the last one returns."""
        for line in body:
            if isinstance(line, ast.Return):
                return self.value(line.value, scope)
            if isinstance(line, ast.If) and isinstance(line.test, ast.Name):
                test = self.value(line.test, scope)
                if isinstance(test, bool):  # an option
                    found = self.lines(line.body, scope) if test else None
                    if found is not None:
                        return found
                    continue
            write = getattr(self, f"_{type(line).__name__.lower()}", None)
            if write is None:
                raise UnknownTextError(ast.unparse(line))
            write(line, scope)
        return None

    def _expr(self, line: ast.Expr, scope: Naming) -> None:
        if not isinstance(line.value, ast.Constant):
            self.value(line.value, scope)

    def _assign(self, line: ast.Assign, scope: Naming) -> None:
        found = self.value(line.value, scope)
        (target,) = line.targets
        if isinstance(target, ast.Tuple):
            for name, value in zip(target.elts, found, strict=True):
                self.put(name, value, scope)
        else:
            self.put(target, found, scope)

    def _augassign(self, line: ast.AugAssign, scope: Naming) -> None:
        target = line.target
        if isinstance(target, ast.Subscript):
            place, kind = self.element(target, scope)
            found = self.operation(
                line.op, self.load(place, kind), self.value(line.value, scope), scope
            )
            self.store(found, place, kind)
        else:
            assert isinstance(target, ast.Name)
            mine = self.value(ast.Name(target.id, ast.Load()), scope)
            self.put(
                target, self.operation(line.op, mine, self.value(line.value, scope), scope), scope
            )

    def _if(self, line: ast.If, scope: Naming) -> None:
        if line.orelse:
            raise UnknownTextError("else")
        with self.b.if_then(self.truth(self.value(line.test, scope))):
            self.lines(line.body, scope)

    def _raise(self, line: ast.Raise, _scope: Naming) -> None:
        if "IndexError" not in ast.unparse(line):
            raise UnknownTextError(ast.unparse(line))
        self.leave(OUTSIDE)

    def _for(self, line: ast.For, scope: Naming) -> None:
        call = line.iter
        assert isinstance(call, ast.Call)
        assert isinstance(line.target, ast.Name)
        count = self.number(self.value(call.args[0], scope))
        with turns(self.b, count.value) as (turn, back):
            scope.names[line.target.id] = Number(turn, count.kind)
            with self.any_order(line) as back["llvm.loop"]:
                self.lines(line.body, scope)

    @contextmanager
    def any_order(self, line: ast.For) -> Iterator[Any]:
        """Within it accesses belong to an innermost loop; the loop's metadata, None where order counts."""
        inner = [part for each in line.body for part in ast.walk(each)]
        calls = any(isinstance(part, ast.For) for part in inner)
        calls |= any(isinstance(part, ast.Expr) for part in inner)  # a product
        by_index = any(
            isinstance(part, ast.Subscript)
            and isinstance(part.ctx, ast.Store)
            and any(isinstance(other, ast.Subscript) for other in ast.walk(part.slice))
            for part in inner
        )
        if calls or by_index:
            yield None
            return
        group = _Metadata(self.module, [], str(len(self.module.metadata)))
        word = ir.MetaDataString(self.module, "llvm.loop.parallel_accesses")
        free = self.module.add_metadata([word, group])
        identity = _Metadata(self.module, [], str(len(self.module.metadata)))
        identity.operands = (identity, free)
        self.group = group
        yield identity
        self.group = None

    def put(self, target: ast.expr, value: Any, scope: Naming) -> None:
        """Give a value to a name or an element."""
        if isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Slice):
            index = ast.Subscript(target.value, ast.Name("each"), ast.Store())
            each = ast.Assign([index], ast.Name("value"))
            count = ast.Call(ast.Name("range"), [target.slice.upper], [])
            filled = Naming({}, (), {**scope.names, "value": value})
            self._for(ast.For(ast.Name("each"), count, [each], []), filled)
            return
        if isinstance(target, ast.Subscript):
            place, kind = self.element(target, scope)
            self.store(value, place, kind)
            return
        assert isinstance(target, ast.Name)
        if isinstance(value, (FlatArray, tuple)):
            scope.names[target.id] = value
            return
        number = self.number(value)
        slot = scope.names.get(target.id)
        if not isinstance(slot, Slot) or slot.kind != number.kind:
            place = variable(self.b, TYPES[number.kind])
            slot = scope.names[target.id] = Slot(place, number.kind)
        self.b.store(number.value, slot.place)

    # ---- memory

    def array(self, node: ast.expr, scope: Naming) -> FlatArray:
        """A value that must be an array."""
        found = self.value(node, scope)
        if not isinstance(found, FlatArray):
            raise UnknownTextError(f"{ast.unparse(node)} is no array")
        return found

    def element(self, node: ast.Subscript, scope: Naming) -> tuple[Any, str]:
        """Where an element lies, and of which kind it is."""
        array = self.array(node.value, scope)
        index = self.number(self.value(node.slice, scope)).value
        if self.tested:
            outside = self.b.icmp_unsigned(">=", index, array.size)
            with self.b.if_then(outside, likely=False):
                self.leave(OUTSIDE)
        return self.b.gep(array.place, [index]), array.kind

    def access(self, instruction: Any) -> Any:
        """An access to memory, of the running loop."""
        if self.group is not None:
            instruction.set_metadata("llvm.access.group", self.group)
        return instruction

    def load(self, place: Any, kind: str) -> Number:
        """An element."""
        value = self.access(self.b.load(place))
        return Number(self.b.trunc(value, TYPES["b1"]) if kind == "b1" else value, kind)

    def store(self, value: Any, place: Any, kind: str) -> None:
        """An element's new value."""
        made = self.cast(value, kind).value
        made = self.b.zext(made, BYTE) if kind == "b1" else made
        self.access(self.b.store(made, place))

    def empty(self, count: Any, kind: str) -> FlatArray:
        """Memory for so many elements."""
        b, of = self.b, memory(kind)
        malloc = declared(self.module, BYTE.as_pointer(), [LONG], "malloc")
        malloc.return_value.add_attribute("noalias")
        wide, size = ir.Constant(LONG, max(int(kind[1:]) // 8, 1)), self.cast(count, "i64").value
        place = b.call(malloc, [b.add(b.mul(size, wide), ir.Constant(LONG, APART))])
        self.taken.append(place)
        more = b.and_(b.neg(b.ptrtoint(place, LONG)), ir.Constant(LONG, APART - 1))
        return FlatArray(b.bitcast(b.gep(place, [more]), of.as_pointer()), kind, size)

    # ---- values

    def value(self, node: ast.expr | None, scope: Naming) -> Any:
        """What an expression is: a number, an array, a tuple, or a thing of Python's own."""
        write = getattr(self, f"_of_{type(node).__name__.lower()}", None)
        if node is None or write is None:
            raise UnknownTextError(ast.unparse(node) if node else "nothing")
        return write(node, scope)

    def _of_constant(self, node: ast.Constant, _scope: Naming) -> Any:
        return node.value

    def _of_name(self, node: ast.Name, scope: Naming) -> Any:
        found = scope.names.get(node.id)
        if isinstance(found, Slot):
            return Number(self.b.load(found.place), found.kind)
        if found is not None:
            return found
        if node.id in scope.outside:
            return scope.outside[node.id]
        return {"abs": abs, "int": int, "max": max, "min": min}[node.id]

    def _of_tuple(self, node: ast.Tuple, scope: Naming) -> Any:
        return tuple(self.value(part, scope) for part in node.elts)

    def _of_attribute(self, node: ast.Attribute, scope: Naming) -> Any:
        text = ast.unparse(node)
        if text.endswith(".ctypes.data"):
            array = self.array(node.value.value, scope)  # type: ignore[attr-defined]
            return Number(self.b.ptrtoint(array.place, LONG), "i64")
        if node.attr == "size":
            return Number(self.array(node.value, scope).size, "i64")
        return getattr(self.value(node.value, scope), node.attr)

    def _of_subscript(self, node: ast.Subscript, scope: Naming) -> Any:
        if not isinstance(node.slice, ast.Slice):
            found = self.value(node.value, scope)
            if isinstance(found, tuple):
                return found[self.value(node.slice, scope)]
            return self.load(*self.element(node, scope))
        array, b, bounds = self.array(node.value, scope), self.b, node.slice
        low, high, size = ir.Constant(LONG, 0), array.size, array.size
        if bounds.lower is not None:
            low = self.number(self.value(bounds.lower, scope)).value
        if self.tested:  # as Python's, no part of what is outside
            if bounds.upper is not None:
                high = self.number(self.value(bounds.upper, scope)).value
                high = b.select(b.icmp_unsigned("<", high, size), high, size)
            size = b.select(b.icmp_unsigned("<", low, high), b.sub(high, low), low.type(0))
        return FlatArray(b.gep(array.place, [low]), array.kind, size)

    def _of_unaryop(self, node: ast.UnaryOp, scope: Naming) -> Any:
        value = self.value(node.operand, scope)
        if isinstance(node.op, ast.Not):
            return Number(self.b.not_(self.truth(value)), "b1")
        if not isinstance(node.op, ast.USub):
            raise UnknownTextError(ast.unparse(node))
        if not isinstance(value, Number):
            return -value
        if value.kind in LOWER:
            return Number(self.b.fneg(value.value, flags=scope.flags), value.kind)
        return Number(self.b.neg(value.value), value.kind)

    def _of_boolop(self, node: ast.BoolOp, scope: Naming) -> Any:
        how = self.b.and_ if isinstance(node.op, ast.And) else self.b.or_
        first, *rest = (self.truth(self.value(part, scope)) for part in node.values)
        for part in rest:
            first = how(first, part)
        return Number(first, "b1")

    def _of_binop(self, node: ast.BinOp, scope: Naming) -> Any:
        a, b = self.value(node.left, scope), self.value(node.right, scope)
        return self.operation(node.op, a, b, scope)

    def _of_compare(self, node: ast.Compare, scope: Naming) -> Any:
        values = [self.value(part, scope) for part in (node.left, *node.comparators)]
        made = None
        for op, left, right in zip(node.ops, values, values[1:], strict=False):
            found = self.compared(type(op), left, right)
            made = found if made is None else self.b.and_(made, found)
        return Number(made, "b1")

    def compared(self, op: Any, left: Any, right: Any) -> Any:
        """A truth value."""
        a, b = self.alike(left, right)
        sign = SIGNS[op][0]
        if a.kind in LOWER:
            how = self.b.fcmp_unordered if sign == "!=" else self.b.fcmp_ordered
            return how(sign, a.value, b.value)
        how = self.b.icmp_unsigned if a.kind in ("u64", "b1") else self.b.icmp_signed
        return how(sign, a.value, b.value)

    def _of_ifexp(self, node: ast.IfExp, scope: Naming) -> Any:
        """Both are computed: a loop without branches takes whole vectors."""
        test = self.truth(self.value(node.test, scope))
        a, b = self.alike(self.value(node.body, scope), self.value(node.orelse, scope))
        return Number(self.b.select(test, a.value, b.value), a.kind)

    def _of_call(self, node: ast.Call, scope: Naming) -> Any:
        if isinstance(node.func, ast.Attribute) and node.func.attr == "reshape":
            return self.array(node.func.value, scope)
        called = self.value(node.func, scope)
        args = [self.value(part, scope) for part in node.args]
        if called is np.empty:
            return self.empty(args[0], KINDS[args[1]])
        if inspect.isfunction(called):
            return self.inlined(called, args)
        if isinstance(called, External):
            values = [self.number(a).value for a in args]
            if not tiles_of(self.b, called.symbol, values):
                kinds = [LONG] * len(values)
                self.b.call(declared(self.module, ir.VoidType(), kinds, called.symbol), values)
            return None
        if isinstance(called, Instructions):
            value = called.write(self.b, *(self.number(a).value for a in args))
            return Number(value, called.kind)
        return self.function(called, args, scope)

    def inlined(self, called: Any, args: list[Any]) -> Any:
        """What a function returns, its lines written here."""
        written, defaults = _source(called), called.__defaults__ or ()
        args = [*args, *defaults[len(args) - len(written.args.args) :]][: len(written.args.args)]
        names: dict[str, Any] = {}
        scope = Naming(called.__globals__, called.__dict__.get("fastmath", ()), names)
        if called.__closure__:
            cells = zip(called.__code__.co_freevars, called.__closure__, strict=True)
            scope.outside = {**scope.outside, **{name: cell.cell_contents for name, cell in cells}}
        changed = {n.id for n in ast.walk(written) if isinstance(n, ast.Name) and _stored(n)}
        for argument, value in zip(written.args.args, args, strict=True):
            name = argument.arg
            if isinstance(value, bool):
                names[name] = value
            elif name in changed or isinstance(value, FlatArray):
                self.put(ast.Name(name, ast.Store()), value, scope)
            else:
                names[name] = self.number(value)
        return self.lines(written.body, scope)

    def function(self, called: Any, args: list[Any], scope: Naming) -> Any:
        """A function of numbers that is Python's, C's or LLVM's."""
        if called in KINDS:
            return self.cast(args[0], KINDS[called])
        if called in (min, max):
            return self.between(called, *args)
        if called is np.maximum:
            return self.maximum(*args)
        numbers = [self.number(a) for a in args]
        kind = numbers[0].kind
        if called is abs or called in WITHIN:
            name, known = f"llvm.{WITHIN.get(called, 'fabs')}", [TYPES[kind]]
            made = self.module.declare_intrinsic(name, known)
        elif called in C_NAMES:
            name = C_NAMES[called] + "f" * (kind == "f32")
            made = declared(self.module, TYPES[kind], [TYPES[kind]] * len(args), name)
            made.attributes.add("nounwind")
            made.attributes.add("readnone")
        else:
            raise UnknownTextError(str(called))
        values = [self.cast(n, kind).value for n in numbers]
        return Number(self.b.call(made, values, fastmath=scope.flags), kind)

    def between(self, called: Any, left: Any, right: Any) -> Number:
        """The larger or the smaller of two whole numbers."""
        a, b = self.alike(left, right)
        test = self.compared(ast.Lt if called is min else ast.Gt, a, b)
        return Number(self.b.select(test, a.value, b.value), a.kind)

    def maximum(self, left: Any, right: Any) -> Number:
        """The larger of two floats, NaN where one of them is."""
        a, b = self.alike(left, right)
        test = self.b.or_(self.compared(ast.GtE, a, b), self.compared(ast.NotEq, a, a))
        return Number(self.b.select(test, a.value, b.value), a.kind)

    def operation(self, op: ast.operator, left: Any, right: Any, scope: Naming) -> Any:
        """Two numbers as one."""
        if not isinstance(left, Number) and not isinstance(right, Number):
            text = ast.unparse(ast.BinOp(ast.Name("left"), op, ast.Name("right")))
            return eval(text, {"left": left, "right": right})
        a, b = self.alike(left, right)
        floating = a.kind in LOWER
        if isinstance(op, ast.Pow) and floating:
            made = self.module.declare_intrinsic("llvm.pow", [TYPES[a.kind]])
            return Number(self.b.call(made, [a.value, b.value], fastmath=scope.flags), a.kind)
        if isinstance(op, (ast.FloorDiv, ast.Mod)) and not floating:
            return self.divided(isinstance(op, ast.Mod), a, b)
        name = OPS.get(type(op), ("", ""))[not floating]
        if not name:
            raise UnknownTextError(f"{type(op).__name__} of {a.kind}")
        flags = scope.flags if floating else ()
        return Number(getattr(self.b, name)(a.value, b.value, flags=flags), a.kind)

    def divided(self, rest: bool, a: Number, b: Number) -> Number:
        """A quotient of whole numbers of which none is below 0, or what remains; 0 by 0."""
        nought, one = ir.Constant(LONG, 0), ir.Constant(LONG, 1)
        none = self.b.icmp_signed("==", b.value, nought)
        by = self.b.select(none, one, b.value)
        made = (self.b.urem if rest else self.b.udiv)(a.value, by)
        return Number(self.b.select(none, nought, made), a.kind)

    # ---- kinds

    def number(self, value: Any) -> Number:
        """A value as a number; one of Python's is of numba's kind."""
        if isinstance(value, Number):
            return value
        for kind, name in ((bool, "b1"), (np.bool_, "b1"), (int, "i64"), (np.float32, "f32")):
            if isinstance(value, kind):
                return Number(
                    ir.Constant(TYPES[name], value if name[0] != "f" else float(value)), name
                )
        if isinstance(value, float):
            return Number(ir.Constant(TYPES["f64"], float(value)), "f64")
        raise UnknownTextError(f"{value} is no number")

    def alike(self, left: Any, right: Any) -> tuple[Number, Number]:
        """Two numbers of one kind: a plain whole number is of the other's, a float of the wider one."""
        for one, other in ((left, right), (right, left)):
            plain = type(one) is int or (type(one) is float and float(np.float32(one)) == one)
            if plain and isinstance(other, Number) and (type(one) is int or other.kind in LOWER):
                made = self.cast(one, other.kind)
                return (made, other) if one is left else (other, made)
        a, b = self.number(left), self.number(right)
        if a.kind == b.kind:
            return a, b
        if a.kind in LOWER and b.kind in LOWER:
            kind = max(a.kind, b.kind, key=lambda k: LOWER[k])
            return self.cast(a, kind), self.cast(b, kind)
        if {a.kind, b.kind} <= {"u64", "i64"}:
            return Number(a.value, "u64"), Number(b.value, "u64")
        raise UnknownTextError(f"{a.kind} and {b.kind}")

    def truth(self, value: Any) -> Any:
        """A value as a truth value."""
        number = self.number(value)
        if number.kind == "b1":
            return number.value
        return self.compared(ast.NotEq, number, 0)

    def cast(self, value: Any, kind: str) -> Number:
        """A number as one of another kind."""
        if type(value) in (int, float, np.float32) and kind in LOWER:
            return Number(ir.Constant(TYPES[kind], float(value)), kind)
        if type(value) is int and kind in ("i64", "u64", "i32"):
            return Number(ir.Constant(TYPES[kind], value), kind)
        number = self.number(value)
        b, old = self.b, number.kind
        how: Callable[..., Any] | None = {
            ("f32", "f64"): b.fpext,
            ("f64", "f32"): b.fptrunc,
            ("b1", "f32"): b.uitofp,
            ("b1", "f64"): b.uitofp,
            ("i64", "f32"): b.sitofp,
            ("i64", "f64"): b.sitofp,
        }.get((old, kind))
        if old == kind or {old, kind} <= {"i64", "u64"}:
            return Number(number.value, kind)
        if how is None:
            raise UnknownTextError(f"{old} as {kind}")
        return Number(how(number.value, TYPES[kind]), kind)


__all__ = ["UnknownTextError", "lowered"]
