"""Which step, gate and term is the first that is wrong? A student's function against right values.

The right values are the engine's, step by step. Where a student's differ, the solution is run with one slip
after another (``slips``), until one gives the student's values: that slip is the answer. Where none gives all
of them, one that gives the first wrong value is; then two slips together; then the values themselves speak.
"""

from __future__ import annotations

import inspect
import itertools
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..engine.values import Array
from .alternatives import WAYS
from .slips import Slip, Solution
from .tasks import GATE, Case, FunctionToWrite, Returned

RELATIVE, ABSOLUTE = 1e-5, 1e-8  # PyTorch's 1e-6 beside a norm passes, float32 passes, slips do not
SECONDS = 4.0  # to look for two slips together


@dataclass(frozen=True)
class Finding:
    """What is said of one function: right, not written yet, or the first thing that is wrong."""

    task: str
    right: bool
    text: str = ""
    details: tuple[str, ...] = ()
    written: bool = True

    def __str__(self) -> str:
        if self.right:
            return f"{self.task}: right" + "".join(f"\n  {line}" for line in self.details)
        return "\n  ".join((f"{self.task}: {self.text}", *self.details))


class _SaidError(Exception):
    """A finding that needs no comparison of values."""


@dataclass(frozen=True)
class _Failed:
    """A call that raised."""

    error: BaseException


@dataclass(frozen=True)
class _Piece:
    """A part of the results that is right or wrong by itself: an output at one step, or of one gate."""

    output: Returned
    index: int
    where: tuple[Any, ...]  # the index of the part in the output
    step: int | None
    gate: str

    def of(self, results: tuple[Any, ...]) -> Any:
        """This part of some results; None where they have no such part."""
        try:
            whole = results[self.index]
            return (
                whole
                if self.where == ()
                else whole[self.where[0] if isinstance(whole, list) else self.where]
            )
        except (IndexError, TypeError):
            return None


def mark(task: FunctionToWrite, function: Callable[..., Any]) -> Finding:
    """Run a student's function on all cases and name the first thing that is wrong."""
    try:
        _takes(task, function)
        with np.errstate(all="ignore"):
            return _Marking(task, function).finding()
    except _SaidError as said:
        text, *details = said.args
        return Finding(task.name, False, text, tuple(details))
    except NotImplementedError:
        return Finding(task.name, False, "not written yet", written=False)


def _takes(task: FunctionToWrite, function: Callable[..., Any]) -> None:
    wanted = list(inspect.signature(task.right).parameters)
    try:
        inspect.signature(function).bind(*wanted)
    except TypeError:
        got = ", ".join(inspect.signature(function).parameters) or "nothing"
        raise _SaidError(f"takes {got}; it is called as {task.name}({', '.join(wanted)})") from None


class _Marking:
    """One student's function, its results on all cases, and the search for the slip behind them."""

    def __init__(self, task: FunctionToWrite, function: Callable[..., Any]) -> None:
        self.task, self.function, self.cases = task, function, task.cases()
        self.changed = ""
        calls = getattr(getattr(function, "__code__", None), "co_names", ())
        self.solutions = [Solution(right) for right in task.solutions(calls)]
        self.near: list[tuple[Solution, Slip]] = []  # what gives the first wrong piece
        self.moving: list[tuple[Solution, Slip]] = []  # what changes it at all
        self.got: list[Any] = [self._call(case) for case in self.cases]

    # ---- calling ------------------------------------------------------------------------------

    def _call(self, case: Case) -> Any:
        arguments = _copied(case.arguments)
        try:
            result = self.function(*arguments)
        except NotImplementedError:
            raise
        except (Exception, SystemExit) as error:
            return _Failed(error)
        if not _same_all(_listed(arguments), _listed(case.arguments)):
            names = list(inspect.signature(self.task.right).parameters)
            pairs = zip(names, arguments, case.arguments, strict=True)
            self.changed = next(
                n for n, a, b in pairs if not _same_all(_listed((a,)), _listed((b,)))
            )
        return self._read(result)

    def _read(self, result: Any) -> tuple[Any, ...]:
        """Results as arrays, or clear words for what is none."""
        names = [output.name for output in self.task.outputs]
        if result is None:
            raise _SaidError(f"returned None: it lacks `return {', '.join(names)}`")
        if len(names) == 1 and not isinstance(result, tuple):
            result = (result,)
        if isinstance(result, list) and len(names) > 1 and len(result) == len(names):
            result = tuple(result)
        if not isinstance(result, tuple) or len(result) != len(names):
            n = len(result) if isinstance(result, tuple) else f"one {type(result).__name__}"
            are = "value is" if len(names) == 1 else "values are"
            raise _SaidError(f"returned {n}; {len(names)} {are} expected: {', '.join(names)}")
        expected = self.cases[0].expected
        return tuple(
            _read_list(name, value, right) if isinstance(right, list) else _read_array(name, value)
            for name, value, right in zip(names, result, expected, strict=True)
        )

    # ---- comparing ----------------------------------------------------------------------------

    def finding(self) -> Finding:
        """All right, or the first wrong piece with what explains it."""
        wrong = [(k, piece) for k in range(len(self.cases)) if (piece := self._wrong(k))]
        if not wrong:
            return self._right()
        # an error says less of the mistake than values: from the first case that has some, if any
        shaped = [(k, piece) for k, piece in wrong if self._shaped(k)]
        return self._explained(*(shaped or wrong)[0], *wrong[0])

    def _right(self) -> Finding:
        if self.changed:
            text = f"right values, but it changes its argument {self.changed} in place"
            name = self.changed
            cure = f"the caller's array is changed too: write {name} = {name} + ..., not +="
            return Finding(self.task.name, False, text, (cure,))
        return Finding(self.task.name, True)

    def _pieces(self, case: Case) -> list[_Piece]:
        """In the order in which the pass computes them."""
        found = [
            piece
            for index, (output, right) in enumerate(
                zip(self.task.outputs, case.expected, strict=True)
            )
            for piece in _parts(index, output, right, case.step)
        ]
        timed = [p for p in found if "t" in p.output.axes]
        rest = [p for p in found if "t" not in p.output.axes]
        rest.sort(key=lambda p: not p.output.early)
        sign = -1 if self.task.backward else 1
        return sorted(timed, key=lambda p: sign * (p.step or 0)) + rest

    def _wrong(self, k: int) -> _Piece | None:
        case, got = self.cases[k], self.got[k]
        pieces = self._pieces(case)
        if isinstance(got, _Failed):
            return pieces[0]
        return next((p for p in pieces if not _same(p.of(got), p.of(case.expected))), None)

    def _shaped(self, k: int) -> bool:
        return not isinstance(self.got[k], _Failed) and all(
            isinstance(right, list) or np.shape(a) == np.shape(right)
            for a, right in zip(self.got[k], self.cases[k].expected, strict=True)
        )

    # ---- explaining ---------------------------------------------------------------------------

    def _explained(self, k: int, piece: _Piece, first: int, part: _Piece) -> Finding:
        if isinstance(self.got[k], _Failed):
            return self._of_an_error(k, piece)
        for search in (
            self._by_way,
            self._by_one_slip,
            self._by_rearrangement,
            self._by_first_piece,
            self._by_two,
        ):
            found = search(k, piece)
            if found is not None:
                text, right = found
                more = (f"right: {right}",) if right else ()
                return Finding(self.task.name, False, text, (*more, *self._facts(k, piece)))
        facts = tuple(self._facts(first, part))
        return Finding(self.task.name, False, self._plainly(first, part), facts)

    def _of_an_error(self, k: int, piece: _Piece) -> Finding:
        """No case gave values: the error, and a slip that gives the same one, which may be another."""
        failed = self.got[k]
        same = isinstance(failed.error, ValueError) and self._by_one_slip(k, piece)
        if same and not all(isinstance(got, _Failed) for got in self.got):  # values agree as well
            details = (f"right: {same[1]}" if same[1] else "", *self._facts(k, piece))
            raised = f" (raised {_error_words(failed.error)})"
            return Finding(self.task.name, False, same[0] + raised, tuple(filter(None, details)))
        perhaps = (f"perhaps: {same[0]}", *([f"right: {same[1]}"] * bool(same[1]))) if same else ()
        details = (*self._facts(k, piece), *perhaps)
        return Finding(self.task.name, False, self._plainly(k, piece), details)

    def _by_one_slip(self, k: int, piece: _Piece) -> tuple[str, str] | None:
        right = piece.of(self.cases[k].expected)
        for solution, slip in ((s, slip) for s in self.solutions for slip in s.slips()):
            function = solution.changed(slip)
            result = _outcome(function, self.cases[k])
            if self._agree(result, k, piece):
                if self._agrees_everywhere(function, k):
                    return self._sentence(slip, piece), slip.right
                self.near.append((solution, slip))
            elif not isinstance(result, _Failed) and not _same(piece.of(result), right):
                self.moving.append((solution, slip))
        return None

    def _by_way(self, k: int, piece: _Piece) -> tuple[str, str] | None:
        for subject, words, function in WAYS.get(self.task.name, ()):
            if self._agrees(function, k, piece) and self._agrees_everywhere(function, k):
                return f"{subject} {words}", ""
        return None

    def _by_first_piece(self, k: int, piece: _Piece) -> tuple[str, str] | None:
        """Several things are wrong: what explains the first of them alone?"""
        for solution, slip in self.near:
            function = solution.changed(slip)
            if self._right_before(function, k, piece) and all(
                self._agrees(function, j, other)
                for j in range(len(self.cases))
                if (other := self._same_piece(j, piece)) is not None
            ):
                return f"{self._sentence(slip, piece)} (and more is wrong after it)", slip.right
        for subject, words, function in WAYS.get(self.task.name, ()):
            if self._right_before(function, k, piece) and self._agrees(function, k, piece):
                return f"{subject} {words} (and more is wrong after it)", ""
        return None

    def _right_before(self, function: Callable[..., Any], k: int, piece: _Piece) -> bool:
        """What the student has right before this piece, a slip that explains it has right too."""
        result = _outcome(function, self.cases[k])
        pieces = self._pieces(self.cases[k])
        before = pieces[: pieces.index(piece)] if piece in pieces else []
        return all(self._agree(result, k, other) for other in before)

    def _by_two(self, k: int, piece: _Piece) -> tuple[str, str] | None:
        end = time.monotonic() + SECONDS
        first = self.solutions[0]
        plain = [slip for solution, slip in self.moving if solution is first and slip.rank <= 2]
        for a, b in sorted(itertools.combinations(plain, 2), key=lambda p: p[0].rank + p[1].rank):
            if time.monotonic() > end:
                break
            function = first.changed(a, b)
            if self._agrees(function, k, piece) and self._agrees_everywhere(function, k):
                return f"{self._sentence(a, piece)}; and {b.subject} {b.words}", a.right
        return None

    def _by_rearrangement(self, k: int, piece: _Piece) -> tuple[str, str] | None:
        """The right numbers in another place, or times a number that the sizes know."""
        got, right = self.got[k][piece.index], self.cases[k].expected[piece.index]
        name = piece.output.name
        if isinstance(right, list):
            return None
        for other, value in zip(self.task.outputs, self.cases[k].expected, strict=True):
            if other is piece.output or isinstance(value, list):
                continue
            if _same(got, value):
                names = ", ".join(o.name for o in self.task.outputs)
                return f"{other.name} is returned where {name} belongs", f"return {names}"
        if np.shape(got) != np.shape(right):
            if "t" in piece.output.axes and np.shape(got)[1:] == np.shape(right)[1:]:
                return _other_length(name, got, right)
            if np.size(got) == np.size(right):
                if np.ndim(got) == 2 and _same(np.transpose(got), right):
                    return f"{name} is transposed", ""
                if _same(np.reshape(got, np.shape(right)), right):
                    return (
                        f"{name} has the right numbers in shape {np.shape(got)}; {np.shape(right)} is right",
                        "",
                    )
            return None
        for words, moved in _moved(right, piece.output):
            if _same(got, moved):
                return f"{name} {words}", ""
        return self._by_factor(piece)

    def _by_factor(self, piece: _Piece) -> tuple[str, str] | None:
        """Every case's result is the right one times the same function of the sizes."""
        factors = []
        for case, got in zip(self.cases, self.got, strict=True):
            if isinstance(got, _Failed):
                return None
            a, b = np.asarray(got[piece.index]), np.asarray(case.expected[piece.index])
            if a.shape != b.shape or not np.any(b):
                continue
            factor = float((a * b).sum() / (b * b).sum())
            if not _same(a, factor * b):
                return None
            if abs(factor - 1) > RELATIVE:
                factors.append((factor, case.sizes))
        if not factors:
            return None
        ways: tuple[tuple[str, Callable[[dict[str, int]], float]], ...] = (
            ("divided by the size of the batch, N", lambda s: 1 / s["N"]),
            ("divided by the number of steps, T", lambda s: 1 / s["T"]),
            ("divided by the number of units, H", lambda s: 1 / s["H"]),
            ("divided by N T", lambda s: 1 / (s["N"] * s["T"])),
            ("divided by N H", lambda s: 1 / (s["N"] * s["H"])),
            ("multiplied by N", lambda s: s["N"]),
            ("multiplied by T", lambda s: s["T"]),
        )
        for words, value in ways:
            if all(abs(f - value(_sizes(text))) < 1e-5 * abs(f) for f, text in factors):
                return f"{piece.output.name} is {words}: it is to be the sum", ""
        first = factors[0][0]
        if all(abs(f - first) <= 1e-5 * max(1, abs(first)) for f, _ in factors):
            if abs(first) < 1e-9:
                return f"{piece.output.name} is 0 everywhere", ""
            return f"{piece.output.name} is {first:.6g} times what is right", ""
        return None

    def _agrees(self, function: Callable[..., Any], k: int, piece: _Piece) -> bool:
        """A slip gives the student's piece of case ``k``."""
        return self._agree(_outcome(function, self.cases[k]), k, piece)

    def _agree(self, result: Any, k: int, piece: _Piece) -> bool:
        got = self.got[k]
        if isinstance(got, _Failed) or isinstance(result, _Failed):
            return _same_error(got, result)
        return _same(piece.of(result), piece.of(got))

    def _agrees_everywhere(self, function: Callable[..., Any], k: int) -> bool:
        order = sorted(range(len(self.cases)), key=lambda j: j != k)
        values = not isinstance(self.got[k], _Failed)
        return all(self._agrees_in_all(function, j, values) for j in order)

    def _agrees_in_all(self, function: Callable[..., Any], j: int, values: bool) -> bool:
        """Where some case gave values to compare, other cases may fail in other words."""
        result, got = _outcome(function, self.cases[j]), self.got[j]
        if isinstance(got, _Failed) or isinstance(result, _Failed):
            both = isinstance(got, _Failed) and isinstance(result, _Failed)
            return both if values else _same_error(got, result)
        return all(
            _same_all(_listed((a,)), _listed((b,))) for a, b in zip(result, got, strict=True)
        )

    def _same_piece(self, j: int, piece: _Piece) -> _Piece | None:
        """The piece of this name in another case, the first of its kind."""
        for other in self._pieces(self.cases[j]):
            if (other.output, other.gate) == (piece.output, piece.gate) and (
                piece.step is None or "t" not in piece.output.axes or other.step == piece.step
            ):
                return other
        return None

    # ---- words --------------------------------------------------------------------------------

    def _sentence(self, slip: Slip, piece: _Piece) -> str:
        loop = slip.subject.startswith(("the loop", "what is ret")) or "at t = 0" in slip.words
        when = f" at t = {piece.step}" if piece.step is not None and not loop else ""
        return f"{slip.subject}{when} {slip.words}"

    def _plainly(self, k: int, piece: _Piece) -> str:
        got = self.got[k]
        if isinstance(got, _Failed):
            return f"raised {_error_words(got.error)}"
        whole, right = got[piece.index], self.cases[k].expected[piece.index]
        if not isinstance(right, list) and np.shape(whole) != np.shape(right):
            return f"{piece.output.name} has shape {np.shape(whole)}; {np.shape(right)} is expected"
        gate = f", gate {piece.gate}," if piece.gate else ""
        when = f" at t = {piece.step}" if piece.step is not None else ""
        return f"{piece.output.name}{gate}{when} is the first that differs"

    def _facts(self, k: int, piece: _Piece) -> list[str]:
        """The first entry that differs, expected and got; of an error its line."""
        got, case = self.got[k], self.cases[k]
        if isinstance(got, _Failed):
            shapes = ", ".join(
                f"{name} {np.shape(value)}"
                for name, value in zip(
                    inspect.signature(self.task.right).parameters, case.arguments, strict=True
                )
                if isinstance(value, np.ndarray)
            )
            return [*_where(got.error, self.function), f"called with {shapes}" if shapes else ""]
        whole, right = piece.of(got), piece.of(case.expected)
        label = piece.output.name
        a, b = (
            np.asarray(
                got[piece.index] if not isinstance(case.expected[piece.index], list) else whole
            ),
            None,
        )
        b = np.asarray(
            case.expected[piece.index]
            if not isinstance(case.expected[piece.index], list)
            else right
        )
        if isinstance(case.expected[piece.index], list):
            label += f"[{piece.where[0]}]"
        if a.shape != b.shape:
            return [f"{label} has shape {a.shape}; {b.shape} is expected ({case.sizes})"]
        at = _first_difference(piece, a, b)
        entry = f"{label}[{', '.join(map(str, at))}]" if at else label
        when = f", t = {case.step}" if case.step is not None else ""
        return [f"{entry} is {a[at]:.8g}, expected {b[at]:.8g} ({case.sizes}{when})"]


def _first_difference(piece: _Piece, a: Array, b: Array) -> tuple[int, ...]:
    differs = ~np.isclose(a, b, RELATIVE, ABSOLUTE, equal_nan=True)
    if piece.where and a.ndim:
        mask = np.zeros_like(differs)
        mask[piece.where] = True
        differs = differs & mask if (differs & mask).any() else differs
    found = np.argwhere(differs)
    return tuple(int(n) for n in found[0]) if len(found) else (0,) * a.ndim


def _parts(index: int, output: Returned, right: Any, step: int | None) -> Iterator[_Piece]:
    if isinstance(right, list):
        for k in range(len(right)):
            yield _Piece(output, index, (k,), step, "")
        return
    if "t" in output.axes:
        for t in range(len(right)):
            yield _Piece(output, index, (t,), t, "")
    elif GATE in output.axes:
        axis = output.axes.index(GATE)
        width = right.shape[axis] // 4
        for k, gate in enumerate("ifgo"):
            where = [slice(None)] * axis + [slice(k * width, (k + 1) * width)]
            yield _Piece(output, index, tuple(where), step, gate)
    else:
        yield _Piece(output, index, (), step, "")


def _other_length(name: str, got: Any, right: Any) -> tuple[str, str] | None:
    """Steps are missing at an end, or there are too many."""
    n, T = len(got), len(right)
    if n < T and _same(got, right[:n]):
        return f"{name} ends after {n} of {T} steps: t = {n} is the first that is missing", ""
    if n < T and _same(got, right[T - n :]):
        return f"{name} lacks its first {T - n} of {T} steps", ""
    if n > T and _same(got[n - T :], right):
        return f"{name} begins with {n - T} too many (h0?): {T} steps, hs[0] after the first", ""
    if n > T and _same(got[:T], right):
        return f"{name} goes on after its {T} steps", ""
    return None


def _moved(right: Array, output: Returned) -> Iterator[tuple[str, Array]]:
    """The right values in other places."""
    if "t" in output.axes and len(right) > 1:
        yield "has its steps in the reverse order", right[::-1]
        yield "is one step late", np.concatenate([np.zeros_like(right[:1]), right[:-1]])
        yield "is one step early", np.concatenate([right[1:], np.zeros_like(right[:1])])
        yield "has the last step's values at every step", np.broadcast_to(right[-1], right.shape)
        yield "has the first step's values at every step", np.broadcast_to(right[0], right.shape)
        only = np.zeros_like(right)
        only[-1] = right[-1]
        yield "is written at the last step alone", only
    if right.ndim == 2 and right.shape[0] == right.shape[1]:
        yield "is transposed", right.T
    if GATE in output.axes:
        axis = output.axes.index(GATE)
        gates = np.split(right, 4, axis=axis)
        for order in itertools.permutations(range(4)):
            if order != (0, 1, 2, 3):
                names = ", ".join("ifgo"[k] for k in order)
                yield (
                    f"has its gates in the order {names}; i, f, g, o is right",
                    np.concatenate([gates[k] for k in order], axis=axis),
                )
    yield "has the wrong sign", -right


def _read_array(name: str, value: Any) -> Array:
    if hasattr(value, "numpy") and not isinstance(value, np.ndarray):
        value = value.detach().numpy() if hasattr(value, "detach") else value.numpy()
    if value is None:
        raise _SaidError(f"returned None for {name}")
    try:
        array = np.asarray(value)
    except ValueError:
        raise _SaidError(
            f"returned for {name} a list of arrays of unequal shapes; an array is expected"
        ) from None
    if not np.issubdtype(array.dtype, np.number) or np.issubdtype(array.dtype, np.complexfloating):
        raise _SaidError(f"returned {array.dtype} for {name}; an array of floats is expected")
    if np.issubdtype(array.dtype, np.integer):
        raise _SaidError(
            f"returned whole numbers ({array.dtype}) for {name}: floats written into it lose their fraction. "
            "Make it by np.zeros(shape), which holds floats"
        )
    if array.dtype == np.float16:
        raise _SaidError(f"returned float16 for {name}; float64 is expected, as the arguments are")
    return array


def _read_list(name: str, value: Any, right: list[Any]) -> list[Array]:
    if not isinstance(value, (list, tuple)):
        raise _SaidError(
            f"returned {type(value).__name__} for {name}; a list of {len(right)} arrays is expected"
        )
    if len(value) != len(right):
        raise _SaidError(f"returned {len(value)} arrays for {name}; {len(right)} came in")
    return [_read_array(f"{name}[{k}]", v) for k, v in enumerate(value)]


def _outcome(function: Callable[..., Any], case: Case) -> Any:
    try:
        result = function(*_copied(case.arguments))
        result = result if isinstance(result, tuple) else (result,)
        if len(result) != len(case.expected):
            return _Failed(TypeError("another number of results"))
        return tuple(r if isinstance(r, list) else np.asarray(r) for r in result)
    except Exception as error:
        return _Failed(error)


def _copied(values: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(
        [v.copy() for v in value]
        if isinstance(value, list)
        else value.copy()
        if isinstance(value, np.ndarray)
        else value
        for value in values
    )


def _listed(values: tuple[Any, ...]) -> list[Any]:
    return [v for value in values for v in (value if isinstance(value, list) else [value])]


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, list) and isinstance(b, list):
        return _same_all(a, b)
    if a is None or b is None or isinstance(a, list) or isinstance(b, list):
        return False
    if np.shape(a) != np.shape(b):
        return False
    return bool(np.allclose(a, b, RELATIVE, ABSOLUTE, equal_nan=True))


def _same_all(a: list[Any], b: list[Any]) -> bool:
    return len(a) == len(b) and all(map(_same, a, b))


def _same_error(a: Any, b: Any) -> bool:
    """Both failed, and in the same words: numpy's name the shapes."""
    if not (isinstance(a, _Failed) and isinstance(b, _Failed)):
        return False
    return isinstance(a.error, ValueError) and str(a.error) == str(b.error)


def _sizes(text: str) -> dict[str, int]:
    pairs = (part.split(" = ") for part in text.split(", ") if " = " in part)
    return {"T": 1, "N": 1, "H": 1} | {name: int(value) for name, value in pairs}


def _error_words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _where(error: BaseException, function: Callable[..., Any]) -> list[str]:
    """The line of the student's own file that failed."""
    file = getattr(getattr(function, "__code__", None), "co_filename", "")
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == file]
    return [f"line {frames[-1].lineno}: {frames[-1].line}"] if frames else []
