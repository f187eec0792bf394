"""A user's cell once more: it runs, and its ops are compared with those of its trace; nothing is computed.

A cell of the user's own may do something else at every call, so it is run at every call, over two steps.
But what it is given are tensors without nodes: each op that it applies is looked up in the script of the
trace (the same op, on the same operands, with the same constants?) and answered with the script's own
result. Whatever else it does, or looks at, it is traced anew.
"""

from __future__ import annotations

from contextlib import suppress
from operator import is_
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from ..autograd import NOWHERE, state
from ..nn import naming
from ..nn.module import Module
from ..nn.recurrent import mapped, parts
from ..ops.row import Op
from ..random import generator_or_default
from ..tensors import Tensor
from .tracing import Shadow, Trace, Untraceable, bare

MOST = 8  # scripts of one cell: of other shapes, other kinds of state
Line = tuple[Op, tuple[Any, ...], Any]


class Differs(BaseException):
    """The cell did not do what it did before."""


class Follower:
    """What ``state.tracer`` is while a cell is followed."""

    def __init__(self, lines: list[Line]) -> None:
        self.follower: Follower | None = self
        self.lines, self.at, self.lost = lines, 0, False

    def follow(self, op: Op, args: tuple[Any, ...]) -> Any:
        """The result of the next op, if it is the script's."""
        at = self.at
        self.at = at + 1
        if at < len(self.lines) and state.recording:  # without it the same op has no derivative
            known, operands, result = self.lines[at]
            if op is known and len(args) == len(operands):
                for a, b in zip(args, operands, strict=True):
                    if a is not b and not _equal(a, b):
                        break
                else:
                    return result
        return self.looks()

    def looks(self, _how: str = "") -> Any:
        """Another op, or a value is looked at: no more to follow."""
        self.lost = True
        raise Differs

    def compared(self, _name: str, _result: Any, _operands: Any) -> None:
        """A function without a derivative has computed: there is no following it."""
        self.looks()

    def marked(self, _name: str, _result: Any, _operands: Any, _constants: Any) -> None:
        """Nor where it was another."""
        self.looks()


class Writer(Follower):
    """Computes each op on the tensors that those without nodes stand for, and notes it."""

    def __init__(self, pairs: list[tuple[Tensor, Tensor]]) -> None:
        super().__init__([])
        self.behind = {id(shown): (real, shown) for shown, real in pairs}

    def follow(self, op: Op, args: tuple[Any, ...]) -> Any:
        """The result of the op, without a node."""
        behind = self.behind
        if not state.recording:
            return self.looks()
        self.follower = None
        result = op.call(*[behind[id(a)][0] if id(a) in behind else a for a in args])
        self.follower = self
        several = result.__class__ is tuple
        shown = tuple(map(self.show, result)) if several else self.show(result)
        self.lines.append((op, args, shown))
        return shown

    def show(self, real: Tensor) -> Tensor:
        """What stands for a result."""
        shown = bare(real)
        self.behind[id(shown)] = real, shown
        return shown


def _equal(a: Any, b: Any) -> bool:
    """Whether two constants of an op are the same, in kind and in sign too."""
    kind = a.__class__
    if kind is not b.__class__ or kind not in (int, float, bool, tuple, slice, str):
        return False
    return bool(a == b) and (kind is not float or bool(a) or repr(a) == repr(b))


class Script:
    """What a cell did on inputs of one kind, op by op, and the loops that its trace led to."""

    def __init__(self, cell: Module, step: Any, found: Any) -> None:
        """Run a step of a cell that has been traced; raises Differs where it cannot be followed."""
        self.found = found
        self.shadow = Shadow(cell, bare=True)
        self.x, self.state = bare(step.x), mapped(bare, step.state)
        self.constants = {k: bare(t) for k, t in step.constants.items()}
        pairs = list(zip(self.shadow.copies, step.shadow.copies, strict=True))
        pairs += [(self.x, step.x), *((t, step.constants[k]) for k, t in self.constants.items())]
        states = zip(parts(self.state), parts(step.state), strict=True)
        writer = Writer([*pairs, *((shown, real) for (_, shown), (_, real) in states)])
        self.results = self._run(writer)
        self.lines = writer.lines
        outputs = [writer.behind[id(t)][0]._node for t in self.results]
        if self.shadow.opaque or Trace(step.inputs(), outputs).signature != found.trace.signature:
            raise Differs

    def holds(self, constants: dict[str, Any], steps: int) -> bool:
        """Whether the cell is what it was, and does what it did, twice."""
        given = zip(constants.values(), self.constants.values(), strict=True)
        if steps < len(self.results):  # fewer steps than parts of the state: not for every cell
            return False
        if not self.shadow.fits() or any(t.shape != old.shape for t, old in given):
            return False
        try:
            for _ in range(2):
                follower = Follower(self.lines)
                results = self._run(follower)
                if follower.at != len(self.lines) or len(results) != len(self.results):
                    return False
                if not all(map(is_, results, self.results)):
                    return False
        except Differs:
            return False
        return self.shadow.changed() is None

    def _run(self, follower: Follower) -> list[Any]:
        """Output and new state of a step, by the shadow on what the script is written for."""
        heard = naming._now
        before = state.place, state.tracer, state.watch, state.recording
        listening = heard.records, heard.listeners
        generator = generator_or_default(None).bit_generator
        draws = generator.state
        state.place, state.tracer, state.watch, state.recording = NOWHERE, follower, None, True
        heard.records, heard.listeners = [], []
        try:
            cell = self.shadow.cell
            output, new = getattr(cell, "step", cell)(self.x, self.state, **self.constants)
            results = [output, *[t for _, t in parts(new)]]
        except Exception as error:
            raise Differs from error
        finally:
            state.place, state.tracer, state.watch, state.recording = before
            heard.records, heard.listeners = listening
            generator.state = draws
        if follower.lost:
            raise Differs
        return results


_scripts: WeakKeyDictionary[Module, dict[Any, Script | None]] = WeakKeyDictionary()


def _kind(x: Any, given: Any, constants: dict[str, Any]) -> Any:
    """What a script is for: the shapes of a step's input, state and constants."""
    shapes = [(k, t._data.shape, t._data.dtype) for k, t in constants.items()]
    return (x.shape[1:], x.dtype, _nesting(given), *shapes)


def _nesting(value: Any) -> Any:
    """The nesting of a state, with shapes and dtypes, hashable."""
    if isinstance(value, Tensor):
        return value._data.shape, value._data.dtype
    if value is None:
        return None
    if isinstance(value, dict):
        return (dict, *[(k, _nesting(v)) for k, v in value.items()])
    return (type(value), *[_nesting(v) for v in value])


def followed(
    cell: Module, x: Any, given: Any, constants: dict[str, Any]
) -> tuple[Any, list[Tensor]] | None:
    """The loops of a cell that did before what it does now, and its tensors; None for another."""
    scripts = _scripts.get(cell)
    script = scripts.get(_kind(x, given, constants)) if scripts else None
    if script is None or not script.holds(constants, len(x)):
        return None
    return script.found, [*script.shadow.tensors, *constants.values()]


def write(
    cell: Module, step: Any, found: Any, x: Any, given: Any, constants: dict[str, Any]
) -> None:
    """Write the script of a cell that has been traced; where it can't be followed, note that."""
    scripts, kind = _scripts.setdefault(cell, {}), _kind(x, given, constants)
    if kind in scripts and scripts[kind] is None:
        return
    script: Script | None = None
    with suppress(Differs, Untraceable), np.errstate(all="ignore"):
        script = Script(cell, step, found)
    scripts.pop(kind, None)
    while len(scripts) >= MOST:
        del scripts[next(iter(scripts))]
    scripts[kind] = script
