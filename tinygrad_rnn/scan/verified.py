"""Which loops of a trace are right? Those of the first back end that gives what the trace says.

Whatever a back end cannot express, cannot compile or gets wrong is a reason to ask the next one down;
where there is none the layer records. "Right" is what the engine gives for the traced step itself, op by
op, on numbers of our own: outputs, last states and gradients of a few steps.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import numpy as np

from ..engine.gradients import grad
from ..engine.places import unobserved
from ..engine.switches import enable_grad
from ..engine.values import Literal
from ..ops.row import ROWS
from ..ops.without_gradient import numpys
from ..tensors import Tensor
from . import backends
from .numpy_loops import NumpyLoops, QuickLoops
from .program import Program
from .rewrites import RewrittenProgram
from .schedule import Schedule
from .tracing import Comparison, Trace, Tracer, Untraceable, bare_constant, failure, tracing

STEPS = 3  # so many are compared: the first, one between, the last
TOLERANCE = {"f": 1e-3, "d": 1e-7}  # relative: far above rounding, far below a mistake
MOVED = 4  # so often last bits are moved
STEEP = 16  # a result may be off by so many times what they move it
FENCE = 64  # numbers on either side
SIGNED, POSITIVE = (-1.0, 1.0), (0.1, 1.1)  # what numbers are drawn from


def loops(trace: Trace, wanted: Sequence[str], trusted: bool, back_end: str) -> Any:
    """The loops of a trace by a back end or the next one down, with the gradients of the ``wanted`` inputs.

    ``trusted`` programs (the built-in cells') run once, so that they are compiled; others are compared.
    Raises Untraceable with what every back end says against it.
    """
    said = [backends.WHY] if back_end == backends.FIRST else []
    reasons: list[str] = []
    for name, kind in _ways(back_end):
        try:
            made = _made(trace, wanted, name, kind, "; ".join([*said, *reasons]), trusted)
            found = _mistake(trace, made, wanted, trusted)
        except (MemoryError, Untraceable):
            raise
        except Exception as error:
            found = _in_words(name, error)
        if found is None:
            return made
        if found not in reasons:
            reasons.append(found)
    raise Untraceable("; ".join(reasons))


def _made(
    trace: Trace, wanted: Sequence[str], name: str, kind: type[Program], why: str, trusted: bool
) -> Any:
    """The loops of a back end for one form of the program."""
    with tracing(Tracer()) as tracer:
        program = kind(trace, bool(wanted), wanted)
    if tracer.looked:  # a rule that asks for values has another derivative for others
        raise Untraceable(f"its gradient: {tracer.looked}")
    made = backends.loops(program, name, why)
    if isinstance(made, QuickLoops):
        made.exact = cache(lambda: _exact(trace, wanted, trusted))
    return made


def ragged(trace: Trace, wanted: Sequence[str]) -> Any:
    """The loops over ragged batches of a built-in cell's step. Raises Untraceable."""
    from .ragged import RaggedLoops

    with tracing(Tracer()):
        program = Program(trace, bool(wanted), wanted)
    try:
        return RaggedLoops(Schedule(program, hoist=False))
    except backends.Unsupported as reason:
        raise Untraceable(_in_words("numba", reason)) from reason


def _exact(trace: Trace, wanted: Sequence[str], trusted: bool) -> Any:
    """The numpy loops of the program as it is. Raises Untraceable where they are not right."""
    made = _made(trace, wanted, "numpy", Program, "", trusted)
    found = _mistake(trace, made, wanted, trusted)
    if found is not None:
        raise Untraceable(found)
    return made


def _in_words(name: str, error: Exception) -> str:
    """Why a back end has no loops for a program."""
    if isinstance(error, backends.Unsupported):
        return f"{name} cannot take {error}"
    return failure(name, error)


def _ways(choice: str) -> list[tuple[str, type[Program]]]:
    """The back ends to ask, in their order, and the form of the program for each."""
    if choice == "numba":
        return [("numba", Program), *_ways("numpy")]
    return [
        ("numpy", RewrittenProgram),
        ("numpy", Program),
    ]  # the first has fewer calls, which cost


def _mistake(trace: Trace, made: Any, wanted: Sequence[str], trusted: bool) -> str | None:
    """What the loops get wrong, in words, or None."""
    if trusted:
        if made.name == "numba":
            _Example(trace, SIGNED).run(made, bool(wanted))
        return None
    for limits in (SIGNED, POSITIVE):
        example = _Example(trace, limits)
        with np.errstate(all="ignore"):
            expected = example.recorded(wanted)
            found = example.run(made, bool(wanted))
        size = max((_size(a) for a in expected.values()), default=0.0)
        off = {w: a for w, a in expected.items() if not _close(found.get(w), a, size)}
        moves = example.moves(wanted, expected) if off else {}
        for what, right in off.items():  # unless rounding alone does that
            if not _close(found.get(what), right, size, moves[what]):
                return f"{made.name} gave another {what} than the recorded steps"
        if all(a is None or np.isfinite(a).all() for a in expected.values()):
            break  # else there are functions that want positive numbers
    return None


class _Example:
    """Numbers for every input of a trace, for the outputs' gradients too, and what comes of them."""

    def __init__(self, trace: Trace, limits: tuple[float, float]) -> None:
        draw = np.random.default_rng(0)
        self.trace = trace
        self.given: dict[str, Any] = {}
        for role, node in trace.inputs.items():
            shape = (STEPS, *node.shape) if role in ("x", "live") else node.shape
            if node.dtype.kind == "f":
                self.given[role] = draw.uniform(*limits, shape).astype(node.dtype)
            else:
                self.given[role] = draw.integers(0, 2, shape).astype(node.dtype)
        output, *states = [node.shape for node in trace.outputs]
        self.states = [role for role in trace.inputs if role[0] == "s"]
        dtype = trace.outputs[0].dtype
        self.seeds = [
            draw.uniform(0.2, 1.0, shape).astype(dtype) for shape in ((STEPS, *output), *states)
        ]

    def run(self, made: Any, derive: bool) -> dict[str, Any]:
        """By the loops."""
        fenced = _Fenced()
        given = {role: fenced.copy(a) for role, a in self.given.items()}
        dy, *dlast = map(fenced.copy, self.seeds)
        alone = NumpyLoops if isinstance(made, QuickLoops) else type(made)  # no others step in
        before = made.memory(fenced.empty, fenced.empty)
        try:
            y, finals, kept = alone.forward(made, list(given.values()), STEPS, derive)
            found = {"output": y, **_named("last state", finals)}
            if derive:
                dx, dstates, dweights = alone.backward(made, kept, STEPS, dy, dlast)
                roles = [role for role in given if role[0] in "sw"]
                every = zip(["x", *roles], [dx, *dstates, *dweights], strict=True)
                found.update({f"gradient of {role}": d for role, d in every})
        finally:
            made.memory(*before)
        fenced.check()
        for role, before in self.given.items():
            if not np.array_equal(given[role], before):
                raise AssertionError(f"the loops wrote over their input {role}")
        return found

    def recorded(self, wanted: Sequence[str]) -> dict[str, Any]:
        """By the engine, op by op."""
        with unobserved(), enable_grad():
            return self._recorded(wanted)

    def moves(self, wanted: Sequence[str], found: dict[str, Any]) -> dict[str, Any]:
        """How far each number of what was found moves where those that go in move by their last bits.

        Far where a step is steep: a root near 0, a softmax that chooses one of two that are nearly equal.
        """
        draw, given, most = np.random.default_rng(1), dict(self.given), dict.fromkeys(found, 0.0)
        try:
            for _ in range(MOVED):
                for role, a in given.items():
                    if a.dtype.kind == "f":
                        self.given[role] = np.nextafter(
                            a, draw.choice([-2, 2], a.shape).astype(a.dtype)
                        )
                for what, a in self.recorded(wanted).items():
                    if a is not None and found[what] is not None:
                        most[what] = np.fmax(most[what], np.abs(a - found[what]))
        finally:
            self.given = given
        return most

    def _recorded(self, wanted: Sequence[str]) -> dict[str, Any]:
        leaves = {}
        for role, a in self.given.items():
            leaves[role] = Tensor._made(a, requires_grad=a.dtype.kind == "f")
        values, outputs = dict(leaves), []
        for t in range(STEPS):
            values.update({r: leaves[r][t] for r in ("x", "live") if r in leaves})
            known = {id(node): values[role] for role, node in self.trace.inputs.items()}
            output, *new = step_again(self.trace, known)
            outputs.append(output)
            values.update(zip(self.states, new, strict=True))
        finals = [values[role] for role in self.states]
        y = [t._data for t in outputs]
        found = {"output": np.stack(y), **_named("last state", [t._data for t in finals])}
        if wanted:
            pairs = zip((*outputs, *finals), (*self.seeds[0], *self.seeds[1:]), strict=True)
            ends = [(t, seed) for t, seed in pairs if t.requires_grad]
            asked = [leaves[role] for role in wanted]
            each: Any = [None] * len(asked)
            if ends:
                each = grad([t for t, _ in ends], asked, [d for _, d in ends], allow_unused=True)
            for role, d in zip(wanted, each, strict=True):
                found[f"gradient of {role}"] = None if d is None else d._data
        return found


class _Fenced:
    """Arrays that hold NaN until they are written, with a margin of NaN around each.

    What reads before it writes, or beside the array, finds NaN; what writes beside it leaves a trace.
    """

    def __init__(self) -> None:
        self.fences: list[Any] = []

    def empty(self, shape: Any, dtype: Any, order: Any = "C") -> Any:
        """As ``np.empty``, or as ``memory.empty``, which says the size."""
        size = int(np.prod(shape, dtype=int))
        block = np.full(size + 2 * FENCE, np.nan if np.dtype(dtype).kind == "f" else 1, dtype)
        self.fences += [block[:FENCE], block[FENCE + size :]]
        return block[FENCE : FENCE + size].reshape(shape, order="F" if order == "F" else "C")

    def copy(self, a: Any) -> Any:
        """As ``np.array``."""
        made = self.empty(a.shape, a.dtype)
        made[...] = a
        return made

    def check(self) -> None:
        """Raises AssertionError where something was written beside an array."""
        for fence in self.fences:
            if not (np.isnan(fence) if fence.dtype.kind == "f" else fence == 1).all():
                raise AssertionError("the loops wrote beside an array")


def _named(what: str, arrays: Sequence[Any]) -> dict[str, Any]:
    return {f"{what} {k}": a for k, a in enumerate(arrays)}


def step_again(trace: Trace, known: dict[int, Any]) -> list[Tensor]:
    """The traced step once more, by the engine: from what is known of some nodes, by their ids."""
    for node in trace.nodes:
        if id(node) not in known:
            known[id(node)] = _again(node, [known.get(id(p)) for p in node.parents])
    return [known[id(node)] for node in trace.outputs]


def _again(node: Any, args: list[Any]) -> Any:
    """What a node stands for, computed anew."""
    if isinstance(node, Literal):
        return node.value
    op = node.op
    if isinstance(op, Comparison):  # no gradient goes through it
        arrays = [a._data if isinstance(a, Tensor) else a for a in args]
        consts = map(bare_constant, node.saved[len(arrays) :])
        return Tensor._wrap(np.asarray(unrecorded_value(op.name, arrays, consts)), None)
    constants = node.saved[1 if op.variadic else len(node.parents) :]
    return args[0][constants[0]] if op.item else op.call(*args, *constants)


def unrecorded_value(name: str, arrays: list[Any], constants: Iterable[Any]) -> Any:
    """What a function without a gradient gives."""
    if name == "constant":
        return next(iter(constants))
    if name == "detach":
        return arrays[0]
    known = ROWS.get(name)
    if known is None:
        return numpys(name)(*arrays)
    return (
        known.forward(arrays, *constants) if known.variadic else known.forward(*arrays, *constants)
    )


def _size(a: Any) -> float:
    """The largest finite number of an array."""
    if a is None:
        return 0.0
    fine = a[np.isfinite(a)]
    return float(np.abs(fine).max(initial=0))


def _close(a: Any, b: Any, most: float, moves: Any = 0.0) -> bool:
    """Whether an array is what it should be, up to rounding; no gradient is one of zeros.

    ``moves`` says how far rounding of what goes in moves each of its numbers.
    """
    if a is None or b is None:
        other = b if a is None else a
        return other is None or not other.any()
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    odd = ~np.isfinite(b)
    if not np.array_equal(a[odd], b[odd], equal_nan=True):
        return False
    most = max(_size(b), 1e-3 * most)
    most = TOLERANCE[b.dtype.char] * most + STEEP * np.broadcast_to(moves, b.shape)[~odd]
    return bool((np.abs(a[~odd] - b[~odd]) <= most).all())
