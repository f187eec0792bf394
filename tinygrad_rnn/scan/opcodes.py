"""What do Python's instructions do with values that are sets of atoms? See ``bytecode``.

The instructions of Python 3.11 to 3.13. One that is not known here is a reason to record.
"""

from __future__ import annotations

import builtins
import dis
import sys
import types
from collections.abc import Callable
from functools import cache
from typing import Any

from .bytecode import (
    FRESH,
    GIVEN,
    MOST_STEPS,
    NEW,
    NOTHING,
    NULL,
    CallFrame,
    ClosureCell,
    Known,
    Local,
    Seq,
    Super,
    Tup,
    Value,
    Walk,
    hashed,
    imported,
    known,
    single,
    union,
)
from .purity import MISSING, Impure, named, plain

OLD = sys.version_info < (3, 12)
ENDS = named("RETURN_VALUE RETURN_CONST RAISE_VARARGS RERAISE")
GIVES = named("RETURN_VALUE RETURN_CONST YIELD_VALUE")
Stack = list[Value]
Vars = dict[str, Value]


class Listing:
    """A function's instructions, where each may lead, and which lead to its return."""

    def __init__(self, code: types.CodeType) -> None:
        self.lines = list(dis.get_instructions(code))
        at = {line.offset: k for k, line in enumerate(self.lines)}
        self.target = [at.get(line.argval) if _jumps(line) else None for line in self.lines]
        before: list[list[int]] = [[] for _ in self.lines]
        for k, line in enumerate(self.lines):
            goal = self.target[k]
            if goal is not None:
                before[goal].append(k)
            if line.opname not in ENDS and not _always(line.opname) and k + 1 < len(self.lines):
                before[k + 1].append(k)
        self.returns = {k for k, line in enumerate(self.lines) if line.opname in GIVES}
        todo = list(self.returns)
        while todo:
            for k in before[todo.pop()]:
                if k not in self.returns:
                    self.returns.add(k)
                    todo.append(k)
        self.joins = {k for k in self.target if k is not None}
        self.handles = self._handles(code, at)

    def _handles(self, code: types.CodeType, at: dict[int, int]) -> bool:
        """Whether it catches exceptions (the blocks that leave a ``with`` do not)."""
        every: Any = dis.Bytecode(code)
        for entry in every.exception_entries:
            k = at.get(entry.target)
            while k is not None and self.lines[k].opname in ("NOP", "EXTENDED_ARG"):
                k += 1
            first, then = (self.lines[at].opname for at in (k, k + 1)) if k else ("", "")
            if first == "PUSH_EXC_INFO" and then != "WITH_EXCEPT_START":
                return True
        return False


@cache
def listing(code: types.CodeType) -> Listing:
    """A function's instructions."""
    return Listing(code)


def _jumps(line: dis.Instruction) -> bool:
    return line.opcode in dis.hasjrel or line.opcode in dis.hasjabs


def _always(name: str) -> bool:
    return name in ("JUMP_FORWARD", "JUMP_BACKWARD", "JUMP_BACKWARD_NO_INTERRUPT", "JUMP")


def follow(walk: Walk, frame: CallFrame, variables: Vars) -> None:
    """Follow a function from its first instruction to all its ends."""
    code = listing(frame.code)
    if code.handles:
        raise Impure(f"{frame.code.co_qualname} catches exceptions")
    if 0 not in code.returns:
        raise Impure(f"{frame.code.co_qualname} always raises an exception")
    entries: dict[int, tuple[Stack, Vars]] = {0: ([], variables)}
    todo = [0]
    while todo:
        k = todo.pop()
        stack, local = entries[k]
        stack, local = list(stack), dict(local)
        while k is not None:
            walk.steps += 1
            if walk.steps > MOST_STEPS:
                raise Impure("its code is too long to be followed")
            line = code.lines[k]
            try:
                jump, fall = _step(walk, frame, line, stack, local)
            except Impure as reason:
                raise _placed(reason, frame, line) from None
            goal = code.target[k]
            if jump is None or goal is None or goal not in code.returns:
                pass
            elif _join(walk, entries, goal, jump, local):
                todo.append(goal)
            k = k + 1
            if not fall or k not in code.returns:
                break
            if k in code.joins:
                if _join(walk, entries, k, stack, local):
                    todo.append(k)
                break


def _placed(reason: Impure, frame: CallFrame, line: dis.Instruction) -> Impure:
    """A reason with the line that it was found at, the innermost one."""
    words = str(reason)
    if " (line " in words or line.positions is None or line.positions.lineno is None:
        return reason
    return Impure(f"{words} (line {line.positions.lineno}, in {frame.code.co_name})")


def _join(
    walk: Walk, entries: dict[int, tuple[Stack, Vars]], at: int, stack: Stack, local: Vars
) -> bool:
    """Let a way arrive at an instruction; whether it brings anything new."""
    if at not in entries:
        entries[at] = (list(stack), dict(local))
        return True
    old, known_vars = entries[at]
    merged = [walk.narrowed(a | b) for a, b in zip(old, stack, strict=True)]
    names = {**known_vars, **local}
    both = {n: walk.narrowed(known_vars.get(n, NOTHING) | local.get(n, NOTHING)) for n in names}
    if merged == old and both == known_vars:
        return False
    entries[at] = (merged, both)
    return True


Result = tuple[
    Stack | None, bool
]  # the stack where it jumps (None: it does not), whether it goes on


def _step(walk: Walk, frame: CallFrame, line: dis.Instruction, stack: Stack, local: Vars) -> Result:
    """One instruction; it changes the stack and the variables."""
    name = line.opname
    handler = _PLAIN.get(name)
    if handler is not None:
        handler(walk, frame, line, stack, local)
        return None, True
    if name in _SILENT:
        return None, True
    if name in _REFUSED:
        raise Impure(_REFUSED[name].format(line.argval))
    if name == "RETURN_VALUE":
        if not frame.code.co_flags & 0x20:  # of a generator it is nobody's
            frame.returned |= stack.pop()
        return None, False
    if name == "RETURN_CONST":
        frame.returned |= known(line.argval)
        return None, False
    if name in ENDS:
        return None, False
    if _always(name):
        return stack, False
    if name == "FOR_ITER":
        after = stack[:-1] if OLD else [*stack, NEW]
        stack.append(walk.elements(stack[-1]))
        return after, True
    if "JUMP" in name:
        return _branch(walk, name, stack)
    raise Impure(f"its bytecode has {name}, which is not known here")


def _branch(walk: Walk, name: str, stack: Stack) -> Result:
    """A jump that depends on a value."""
    value = stack.pop()
    if name.endswith("NONE"):
        same = _none(value)
        if same is not None and name.endswith("NOT_NONE"):
            same = not same
    else:
        same = walk.truth(value)
        if same is not None and "FALSE" in name:
            same = not same
    kept = [*stack, value] if name.endswith("OR_POP") else list(stack)
    return (None if same is False else kept), same is not True


def _none(value: Value) -> bool | None:
    """Whether a value is None."""
    objects = [a for a in value if isinstance(a, Known)]
    nones = sum(a.value is None for a in objects)
    open_ones = [a for a in value if a in (GIVEN, FRESH)]
    if open_ones or not value:
        return None
    return True if nones == len(value) else False if not nones else None


_SILENT = named(
    "RESUME NOP CACHE EXTENDED_ARG PRECALL COPY_FREE_VARS TO_BOOL GEN_START NOT_TAKEN "
    "SETUP_ANNOTATIONS"
)
_REFUSED = {
    "STORE_ATTR": "it sets .{} while it runs",
    "DELETE_ATTR": "it deletes .{} while it runs",
    "STORE_GLOBAL": "it sets the global {}",
    "DELETE_GLOBAL": "it deletes the global {}",
    "STORE_NAME": "it sets {}",
    "DELETE_NAME": "it deletes {}",
    "LOAD_BUILD_CLASS": "it makes a class",
    "SEND": "it runs a generator by yield from",
    "GET_AWAITABLE": "it is asynchronous",
    "DELETE_DEREF": "it deletes {}",
}


# ---- instructions that only change the stack ------------------------------------------------------------

Handler = Callable[[Walk, CallFrame, dis.Instruction, Stack, Vars], None]
_PLAIN: dict[str, Handler] = {}


def does(*names: str) -> Callable[[Handler], Handler]:
    """What instructions of these names do."""

    def enter(handler: Handler) -> Handler:
        _PLAIN.update(dict.fromkeys(names, handler))
        return handler

    return enter


def _pop(stack: Stack, count: int) -> Stack:
    """The topmost values, in the order in which they came."""
    if not count:
        return []
    taken = stack[-count:]
    del stack[-count:]
    return taken


@does("POP_TOP", "END_SEND")
def _pop_top(_w: Walk, _f: CallFrame, _l: dis.Instruction, stack: Stack, _v: Vars) -> None:
    stack.pop()


@does("END_FOR")
def _end_for(_w: Walk, _f: CallFrame, _l: dis.Instruction, stack: Stack, _v: Vars) -> None:
    _pop(stack, 2 if sys.version_info < (3, 13) else 1)


@does("PUSH_NULL")
def _push_null(_w: Walk, _f: CallFrame, _l: dis.Instruction, stack: Stack, _v: Vars) -> None:
    stack.append(frozenset({NULL}))


@does("RETURN_GENERATOR")
def _generator(_w: Walk, _f: CallFrame, _l: dis.Instruction, stack: Stack, _v: Vars) -> None:
    stack.append(NEW)


@does("YIELD_VALUE")
def _yield(_w: Walk, frame: CallFrame, _l: dis.Instruction, stack: Stack, _v: Vars) -> None:
    frame.returned |= stack.pop()
    stack.append(known(None))


@does("COPY")
def _copy(_w: Walk, _f: CallFrame, line: dis.Instruction, stack: Stack, _v: Vars) -> None:
    stack.append(stack[-(line.arg or 1)])


@does("SWAP")
def _swap(_w: Walk, _f: CallFrame, line: dis.Instruction, stack: Stack, _v: Vars) -> None:
    far = -(line.arg or 1)
    stack[-1], stack[far] = stack[far], stack[-1]


@does("LOAD_CONST")
def _load_const(_w: Walk, _f: CallFrame, line: dis.Instruction, stack: Stack, _v: Vars) -> None:
    stack.append(known(line.argval))


def _names(line: dis.Instruction) -> tuple[str, ...]:
    """The variables that an instruction is about (Python 3.13 has some about two)."""
    return line.argval if isinstance(line.argval, tuple) else (line.argval,)


@does("LOAD_FAST", "LOAD_FAST_CHECK", "LOAD_FAST_LOAD_FAST", "LOAD_CLOSURE", "LOAD_FAST_AND_CLEAR")
def _load_fast(
    _w: Walk, frame: CallFrame, line: dis.Instruction, stack: Stack, local: Vars
) -> None:
    for name in _names(line):
        cell = _cell(frame, name)
        if cell is not None and name not in local:
            stack.append(frozenset({cell}))
        else:
            stack.append(local.get(name, NOTHING))
    if line.opname.endswith("CLEAR"):
        local.pop(line.argval, None)


@does("STORE_FAST", "STORE_FAST_STORE_FAST", "STORE_FAST_LOAD_FAST")
def _store_fast(
    _w: Walk, frame: CallFrame, line: dis.Instruction, stack: Stack, local: Vars
) -> None:
    names = _names(line)
    both = line.opname == "STORE_FAST_STORE_FAST"
    for name in names if both else names[:1]:
        value = stack.pop()
        if name not in frame.code.co_cellvars:
            local[name] = value
    if line.opname == "STORE_FAST_LOAD_FAST":
        stack.append(local.get(names[1], NOTHING))


@does("DELETE_FAST")
def _delete_fast(_w: Walk, _f: CallFrame, line: dis.Instruction, _s: Stack, local: Vars) -> None:
    local.pop(line.argval, None)


def _cell(frame: CallFrame, name: str) -> Any:
    """The shared variable of a name: a box, or a cell of a function from outside."""
    if name in frame.cells:
        return frame.cells[name]
    return ClosureCell(frame.code, name) if name in frame.code.co_cellvars else None


@does("MAKE_CELL")
def _make_cell(walk: Walk, frame: CallFrame, line: dis.Instruction, _s: Stack, local: Vars) -> None:
    if line.argval in local:
        _put(walk, ClosureCell(frame.code, line.argval), local.pop(line.argval))


def _put(walk: Walk, box: ClosureCell, value: Value) -> None:
    """A shared variable takes a value."""
    old = walk.boxes.get(box, NOTHING)
    if not value <= old:
        walk.boxes[box], walk.grew = old | value, True


@does("LOAD_DEREF", "LOAD_CLASSDEREF")
def _load_deref(
    walk: Walk, frame: CallFrame, line: dis.Instruction, stack: Stack, _v: Vars
) -> None:
    cell = _cell(frame, line.argval)
    if isinstance(cell, ClosureCell):
        stack.append(walk.boxes.get(cell, NOTHING))
    else:
        value = walk.guards.attribute(cell.value, "cell_contents")
        stack.append(NOTHING if value is MISSING else walk.outside(value))


@does("STORE_DEREF")
def _store_deref(
    walk: Walk, frame: CallFrame, line: dis.Instruction, stack: Stack, _v: Vars
) -> None:
    cell = _cell(frame, line.argval)
    if not isinstance(cell, ClosureCell):
        raise Impure(f"it sets {line.argval}, a variable of the function around it")
    _put(walk, cell, stack.pop())


@does("LOAD_GLOBAL", "LOAD_NAME")
def _load_global(
    walk: Walk, frame: CallFrame, line: dis.Instruction, stack: Stack, _v: Vars
) -> None:
    value = walk.guards.item(frame.globals, line.argval)
    if value is MISSING:
        value = walk.guards.item(vars(builtins), line.argval)
    callee = NOTHING if value is MISSING else walk.outside(value)
    _push(stack, callee, bool((line.arg or 0) & 1) and line.opname == "LOAD_GLOBAL")


def _push(stack: Stack, callee: Value, called: bool) -> None:
    """Push what may be about to be called; Python pushes an empty place below it (3.13: above)."""
    place = [frozenset({NULL})] if called else []
    stack += [callee, *place] if sys.version_info >= (3, 13) else [*place, callee]


@does("LOAD_ATTR", "LOAD_METHOD")
def _load_attr(walk: Walk, _f: CallFrame, line: dis.Instruction, stack: Stack, _v: Vars) -> None:
    method = line.opname == "LOAD_METHOD" or (not OLD and bool((line.arg or 0) & 1))
    _push(stack, walk.attribute(stack.pop(), line.argval), method)


@does("LOAD_SUPER_ATTR")
def _load_super(walk: Walk, _f: CallFrame, line: dis.Instruction, stack: Stack, _v: Vars) -> None:
    _, cls, owner = _pop(stack, 3)
    _push(stack, walk.attribute(_super(single(cls), owner), line.argval), bool((line.arg or 0) & 1))


def _super(cls: Any, owner: Value) -> Value:
    thing = single(owner)
    if not isinstance(cls, type) or thing is MISSING or not isinstance(thing, cls):
        raise Impure("it calls super() of what is not known")
    return frozenset({Super(cls, Known(thing))})


@does("STORE_SUBSCR", "DELETE_SUBSCR", "STORE_SLICE")
def _store_item(walk: Walk, _f: CallFrame, line: dis.Instruction, stack: Stack, _v: Vars) -> None:
    count = {"STORE_SUBSCR": 3, "DELETE_SUBSCR": 2, "STORE_SLICE": 4}[line.opname]
    given = _pop(stack, count)
    where = 0 if line.opname == "DELETE_SUBSCR" else 1
    walk.changes(given[where], "by writing an entry")
    if where:
        walk.operate(given[0] & frozenset({GIVEN}))
        walk.store(given[0], walk.elements(given[0]) if count == 4 else NOTHING, *given[2:])


@does("BINARY_SUBSCR", "BINARY_SLICE")
def _subscript(walk: Walk, _f: CallFrame, line: dis.Instruction, stack: Stack, _v: Vars) -> None:
    index = NEW if line.opname == "BINARY_SUBSCR" else union(_pop(stack, 2)) | NEW
    if line.opname == "BINARY_SUBSCR":
        index = stack.pop()
    stack.append(walk.narrowed(walk.subscript(stack.pop(), index)))


@does("BINARY_OP")
def _binary(walk: Walk, _f: CallFrame, line: dis.Instruction, stack: Stack, _v: Vars) -> None:
    a, b = _pop(stack, 2)
    walk.operate(a, b)
    if line.argrepr.endswith("="):
        walk.changes(frozenset(x for x in a if not _number(x)), f"by {line.argrepr}")
        walk.store(walk.elements(b) if FRESH in a and b & _CARRIED else NOTHING)
    inside = union(v for v in (a, b) for v in ([walk.elements(v)] if _nested(v) else []))
    walk.store(inside)
    stack.append(walk.made(Seq(inside)) | NEW if inside else NEW)


_CARRIED = frozenset({FRESH, GIVEN})


def _number(atom: Any) -> bool:
    """Whether ``+=`` on it makes another object."""
    return isinstance(atom, (Tup, Seq))


def _nested(value: Value) -> bool:
    """Whether a value may be a container whose entries another one takes over by + or *."""
    return any(
        isinstance(a, (Tup, Seq)) or (isinstance(a, Known) and type(a.value) in (list, tuple, dict))
        for a in value
    )


@does("COMPARE_OP")
def _compare(walk: Walk, _f: CallFrame, line: dis.Instruction, stack: Stack, _v: Vars) -> None:
    a, b = _pop(stack, 2)
    stack.append(walk.compare(str(line.argval), a, b))


@does("IS_OP")
def _is(walk: Walk, _f: CallFrame, line: dis.Instruction, stack: Stack, _v: Vars) -> None:
    a, b = _pop(stack, 2)
    stack.append(walk.identical(a, b, bool(line.arg)))


@does("CONTAINS_OP")
def _contains(walk: Walk, _f: CallFrame, line: dis.Instruction, stack: Stack, _v: Vars) -> None:
    a, b = _pop(stack, 2)
    stack.append(walk.contains(a, b, bool(line.arg)))


@does("UNARY_NOT")
def _not(walk: Walk, _f: CallFrame, _l: dis.Instruction, stack: Stack, _v: Vars) -> None:
    answer = walk.truth(stack.pop())
    stack.append(NEW if answer is None else known(not answer))


@does("UNARY_NEGATIVE", "UNARY_INVERT", "UNARY_POSITIVE")
def _unary(walk: Walk, _f: CallFrame, line: dis.Instruction, stack: Stack, _v: Vars) -> None:
    value = stack.pop()
    walk.operate(value)
    number = single(value)
    negative = line.opname == "UNARY_NEGATIVE" and isinstance(number, (int, float))
    stack.append(known(-number) if negative else NEW)


@does("CALL_INTRINSIC_1")
def _intrinsic(walk: Walk, _f: CallFrame, line: dis.Instruction, stack: Stack, _v: Vars) -> None:
    if line.arg == 6:  # a list becomes a tuple
        stack.append(walk.made(Seq(walk.elements(stack.pop()))))
    elif line.arg == 5:  # +x
        walk.operate(stack.pop())
        stack.append(NEW)
    else:
        raise Impure("its bytecode has an intrinsic that is not known here")


@does("LIST_TO_TUPLE")
def _to_tuple(walk: Walk, _f: CallFrame, _l: dis.Instruction, stack: Stack, _v: Vars) -> None:
    stack.append(walk.made(Seq(walk.elements(stack.pop()))))


@does("BUILD_TUPLE")
def _build_tuple(walk: Walk, _f: CallFrame, line: dis.Instruction, stack: Stack, _v: Vars) -> None:
    items = _pop(stack, line.arg or 0)
    if any(_is_cell(a) for v in items for a in v):
        stack.append(frozenset({Tup(tuple(items))}))  # a function's closure
    else:
        stack.append(walk.made(Tup(tuple(items))))


@does("BUILD_LIST", "BUILD_MAP", "BUILD_SET", "BUILD_CONST_KEY_MAP", "BUILD_STRING", "BUILD_SLICE")
def _build(walk: Walk, _f: CallFrame, line: dis.Instruction, stack: Stack, _v: Vars) -> None:
    count = line.arg or 0
    twice = {"BUILD_MAP": 2 * count, "BUILD_CONST_KEY_MAP": count + 1}
    items = _pop(stack, twice.get(line.opname, count))
    if line.opname == "BUILD_SET":
        hashed(union(items))
    if line.opname not in ("BUILD_STRING", "BUILD_SLICE"):
        walk.store(*items)
    stack.append(NEW)


@does("LIST_APPEND", "SET_ADD", "MAP_ADD")
def _add(walk: Walk, _f: CallFrame, line: dis.Instruction, stack: Stack, _v: Vars) -> None:
    items = _pop(stack, 2 if line.opname == "MAP_ADD" else 1)
    if line.opname == "SET_ADD":
        hashed(union(items))
    walk.store(*items)


@does("LIST_EXTEND", "SET_UPDATE", "DICT_UPDATE", "DICT_MERGE")
def _extend(walk: Walk, _f: CallFrame, line: dis.Instruction, stack: Stack, _v: Vars) -> None:
    given = stack.pop()
    entries = walk.elements(given)
    if line.opname.startswith("DICT"):
        entries |= walk.values(given)
    if line.opname == "SET_UPDATE":
        hashed(entries)
    walk.store(entries)


@does("UNPACK_SEQUENCE")
def _unpack(walk: Walk, _f: CallFrame, line: dis.Instruction, stack: Stack, _v: Vars) -> None:
    given, count = stack.pop(), line.arg or 0
    each: Stack = [NOTHING] * count
    for atom in given:
        items = _items(walk, atom)
        if items is None:
            inside = walk.elements(frozenset({atom}))
            each = [v | inside for v in each]
        elif len(items) == count:
            each = [a | b for a, b in zip(each, items, strict=True)]
    stack += reversed(each)


def _items(walk: Walk, atom: Any) -> Stack | None:
    """The entries of a tuple one by one, None where they are not known so."""
    if isinstance(atom, Tup):
        return list(atom.items)
    if isinstance(atom, Known) and type(atom.value) in (tuple, list):
        return [walk.outside(v) for v in atom.value]
    return None


@does("UNPACK_EX")
def _unpack_ex(walk: Walk, _f: CallFrame, line: dis.Instruction, stack: Stack, _v: Vars) -> None:
    inside = walk.elements(stack.pop())
    after, before = (line.arg or 0) >> 8, (line.arg or 0) & 255
    walk.store(inside)
    stack += [inside] * after + [NEW] + [inside] * before


@does("GET_ITER")
def _get_iter(walk: Walk, _f: CallFrame, _l: dis.Instruction, stack: Stack, _v: Vars) -> None:
    value = stack.pop()
    walk.elements(value)
    stack.append(value)


@does("GET_LEN")
def _get_len(_w: Walk, _f: CallFrame, _l: dis.Instruction, stack: Stack, _v: Vars) -> None:
    stack.append(NEW)


@does("FORMAT_VALUE", "CONVERT_VALUE", "FORMAT_SIMPLE", "FORMAT_WITH_SPEC")
def _format(walk: Walk, _f: CallFrame, line: dis.Instruction, stack: Stack, _v: Vars) -> None:
    spec = line.opname == "FORMAT_WITH_SPEC" or (
        line.opname == "FORMAT_VALUE" and (line.arg or 0) & 4 == 4
    )
    if spec:
        stack.pop()
    for atom in stack.pop():
        if isinstance(atom, Known) and not plain(atom.value):
            raise Impure(f"it writes a {type(atom.value).__name__} into a string")
    stack.append(NEW)


@does("LOAD_ASSERTION_ERROR")
def _assertion(_w: Walk, _f: CallFrame, _l: dis.Instruction, stack: Stack, _v: Vars) -> None:
    stack.append(known(AssertionError))


@does("IMPORT_NAME")
def _import(walk: Walk, frame: CallFrame, line: dis.Instruction, stack: Stack, _v: Vars) -> None:
    level, names = _pop(stack, 2)
    module = imported(frame, line.argval, single(level), single(names))
    stack.append(walk.outside(module))


@does("IMPORT_FROM")
def _import_from(walk: Walk, _f: CallFrame, line: dis.Instruction, stack: Stack, _v: Vars) -> None:
    stack.append(walk.attribute(stack[-1], line.argval))


@does("BEFORE_WITH")
def _with(walk: Walk, _f: CallFrame, _l: dis.Instruction, stack: Stack, _v: Vars) -> None:
    for atom in stack.pop():
        if atom != FRESH:
            raise Impure("it enters a context that outlives the step")
    stack += [NEW, NEW]


# ---- functions ----------------------------------------------------------------------------------------


@does("MAKE_FUNCTION")
def _make_function(
    _w: Walk, frame: CallFrame, line: dis.Instruction, stack: Stack, _v: Vars
) -> None:
    code = single(stack.pop())
    flags = (line.arg or 0) if sys.version_info < (3, 13) else 0
    made = Local(code, Known(frame.globals), (), (), ())
    for flag in (8, 4, 2, 1):
        if flags & flag:
            made = _with_part(made, flag, stack.pop())
    stack.append(frozenset({made}))


@does("SET_FUNCTION_ATTRIBUTE")
def _set_part(_w: Walk, _f: CallFrame, line: dis.Instruction, stack: Stack, _v: Vars) -> None:
    part, made = _pop(stack, 2)
    stack.append(frozenset(_with_part(f, line.arg or 0, part) for f in made))


def _with_part(made: Local, flag: int, part: Value) -> Local:
    """A function with its defaults (1), keyword defaults (2) or closure (8)."""
    (atom,) = part
    if flag == 1:
        if isinstance(atom, Known):
            return made._replace(defaults=tuple(known(v) for v in atom.value))
        if not isinstance(atom, Tup):
            raise Impure("it makes a function with defaults that are not known")
        return made._replace(defaults=atom.items)
    if flag == 2:
        raise Impure("it makes a function with keyword-only defaults")
    if flag == 8:
        cells = tuple(_only(v) for v in atom.items)
        return made._replace(cells=tuple(zip(made.code.co_freevars, cells, strict=True)))
    return made


def _only(value: Value) -> Any:
    (atom,) = value
    return atom


def _is_cell(atom: Any) -> bool:
    """Whether it is a variable that functions share."""
    return isinstance(atom, ClosureCell) or (
        isinstance(atom, Known) and isinstance(atom.value, types.CellType)
    )


@does("KW_NAMES")
def _kw_names(_w: Walk, frame: CallFrame, line: dis.Instruction, _s: Stack, _v: Vars) -> None:
    frame.keywords = frame.code.co_consts[line.arg or 0]


@does("CALL", "CALL_KW")
def _call(walk: Walk, frame: CallFrame, line: dis.Instruction, stack: Stack, local: Vars) -> None:
    names, frame.keywords = frame.keywords, ()
    if line.opname == "CALL_KW":
        names = single(stack.pop())
    args = _pop(stack, line.arg or 0)
    first, second = _pop(stack, 2)
    null = frozenset({NULL})
    callee = second if first == null else first
    if null not in (first, second):
        args.insert(0, second)
    cut = len(args) - len(names)
    kwargs = dict(zip(names, args[cut:], strict=True))
    if single(callee) is super:
        stack.append(_super_call(walk, frame, args, local))
    else:
        stack.append(walk.call(callee, args[:cut], kwargs))


def _super_call(walk: Walk, frame: CallFrame, args: Stack, local: Vars) -> Value:
    if args:
        return _super(single(args[0]), args[1])
    cell = _cell(frame, "__class__")
    cls = walk.guards.attribute(cell.value, "cell_contents")
    first = frame.code.co_varnames[0]
    box = _cell(frame, first)
    return _super(cls, walk.boxes.get(box, NOTHING) if box is not None else local[first])


@does("CALL_FUNCTION_EX")
def _call_ex(walk: Walk, _f: CallFrame, line: dis.Instruction, stack: Stack, _v: Vars) -> None:
    named = stack.pop() if (line.arg or 0) & 1 else None
    given = stack.pop()
    first, second = _pop(stack, 2)
    callee = second if first == frozenset({NULL}) else first
    exact = next(iter(given)) if len(given) == 1 else None
    items = None if exact is None else _items(walk, exact)
    kwargs: dict[str, Value] = {}
    if items is None:
        kwargs["*"] = walk.elements(given)
    if named is not None:
        kwargs["*"] = kwargs.get("*", NOTHING) | walk.elements(named) | walk.heap | NEW
        kwargs["*"] |= walk.values(named)
    args = items or []
    if "*" in kwargs and not any(isinstance(a, Local) or _python(a) for a in callee):
        args, kwargs = [*args, kwargs.pop("*")], {}
    stack.append(walk.call(callee, args, kwargs))


def _python(atom: Any) -> bool:
    """Whether what is called is followed, and so told of its arguments one by one."""
    return not (
        isinstance(atom, Known) and isinstance(atom.value, (type, types.BuiltinFunctionType))
    )
