"""What is asked? Each exercise's functions, what they return, and the cases that they are run on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

import tinygrad_rnn as tg

from .recorded import Sizes, Values, run
from .solutions import bptt, clipping, inlined, lstm, lstm_backward, rnn, tbptt

ANY = Sizes(T=3, N=2, D=4, H=5)
ONE = Sizes(T=4, N=1, D=1, H=2)
SQUARE = Sizes(T=3, N=4, D=4, H=4)  # a wrong axis gives values here, and no error
SQUARE_GATES = Sizes(T=3, N=8, D=8, H=2)
EXTREME = Sizes(T=2, N=2, D=3, H=2, spread=40.0)


@dataclass(frozen=True)
class Returned:
    """One returned array: its name and what each axis counts: t, row, gate (4H), unit, input.

    ``early`` is what the pass computes before the arrays that are returned before it.
    """

    name: str
    axes: tuple[str, ...] = ()
    early: bool = False


@dataclass(frozen=True)
class Case:
    """Arguments, the right results, and where in a sequence they are from."""

    arguments: tuple[Any, ...]
    expected: tuple[Any, ...]
    sizes: str
    step: int | None = None


@dataclass(frozen=True)
class FunctionToWrite:
    """One function to write."""

    name: str
    solution: Any  # the module that holds a right answer
    outputs: tuple[Returned, ...]
    make: Callable[[], Iterator[Case]] = field(repr=False)
    backward: bool = False  # its first step is the last one of the sequence

    @property
    def right(self) -> Callable[..., Any]:
        """The solution's function."""
        found: Callable[..., Any] = getattr(self.solution, self.name)
        return found

    def solutions(self, calls: Iterable[str]) -> list[Callable[..., Any]]:
        """Right answers, the one first that is written like a function which ``calls`` these names."""
        other = getattr(inlined, self.name, None)
        if other is None:
            return [self.right]
        parts = SOLVED.intersection(self.right.__code__.co_names)
        alike = bool(parts) and parts.issubset(calls)
        return [self.right, other] if alike else [other, self.right]

    def cases(self) -> tuple[Case, ...]:
        """The same at every call, computed once."""
        return _cases(self)


@cache
def _cases(task: FunctionToWrite) -> tuple[Case, ...]:
    return tuple(task.make())


@cache
def _recorded(sizes: Sizes, gates: int) -> tuple[Values, list[Values]]:
    return run(sizes, gates, seed=20)


def _steps(
    gates: int, many: tuple[Sizes, ...], takes: str, gives: str, backward: bool = False
) -> Callable[[], Iterator[Case]]:
    """Every step of every sequence is a case, in the order in which the pass comes to it."""

    def make() -> Iterator[Case]:
        for sizes in many:
            _, steps = _recorded(sizes, gates)
            for t in reversed(range(sizes.T)) if backward else range(sizes.T):
                now = steps[t]
                yield Case(_pick(now, takes), _pick(now, gives), str(sizes), t)

    return make


def _wholes(
    gates: int, many: tuple[Sizes, ...], takes: str, gives: str
) -> Callable[[], Iterator[Case]]:
    def make() -> Iterator[Case]:
        for sizes in many:
            whole, _ = _recorded(sizes, gates)
            whole = whole | {"k": sizes.k}
            yield Case(_pick(whole, takes), _pick(whole, gives), str(sizes))

    return make


def _pick(values: Values, names: str) -> tuple[Any, ...]:
    return tuple(values[name] for name in names.split())


def _clipping() -> Iterator[Case]:
    rng = np.random.default_rng(20)
    shapes: tuple[tuple[int, ...], ...] = ((2, 3), (4,), (1, 1))
    for words, size, most in (
        ("a norm above max_norm", 3.0, 1.5),
        ("a norm below max_norm", 0.1, 2.5),
        ("one large gradient beside small ones", 0.2, 0.7),
        ("gradients that are all zero", 0.0, 1.0),
    ):
        grads = [size * rng.normal(size=shape) for shape in shapes]
        if words.startswith("one"):
            grads[1] *= 50
        parameters = [tg.nn.Parameter(np.zeros_like(g)) for g in grads]
        for parameter, g in zip(parameters, grads, strict=True):
            parameter.grad = tg.tensor(g)
        norm = tg.nn.utils.clip_grad_norm_(parameters, most)
        clipped = [p.grad.numpy() for p in parameters if p.grad is not None]
        yield Case((grads, most), (clipped, np.float64(norm)), words)


T, ROW, UNIT, GATE, INPUT = "t", "row", "unit", "gate", "input"
RNN, LSTM = (ANY, ONE, SQUARE), (ANY, ONE, SQUARE_GATES)
CHUNKS = (Sizes(7, 2, 4, 5, k=3), Sizes(6, 1, 2, 3, k=2), Sizes(3, 4, 4, 4, k=5))


def _gradients(unit: str) -> tuple[Returned, ...]:
    return (
        Returned("dW_ih", (unit, INPUT)),
        Returned("dW_hh", (unit, UNIT)),
        Returned("db", (unit,)),
    )


@dataclass(frozen=True)
class Exercise:
    """A file to fill in: functions of which each may use the ones before it."""

    name: str
    words: str
    tasks: tuple[FunctionToWrite, ...]


EXERCISES = (
    Exercise(
        "rnn",
        "a vanilla RNN: one step, then the loop over time",
        (
            FunctionToWrite(
                "rnn_step",
                rnn,
                (Returned("h", (ROW, UNIT)),),
                _steps(1, (*RNN, EXTREME), "x h_prev W_ih W_hh b", "h"),
            ),
            FunctionToWrite(
                "rnn_forward",
                rnn,
                (Returned("hs", (T, ROW, UNIT)),),
                _wholes(1, RNN, "x h0 W_ih W_hh b", "hs"),
            ),
        ),
    ),
    Exercise(
        "bptt",
        "backpropagation through time by hand: one step back, then the loop",
        (
            FunctionToWrite(
                "rnn_step_backward",
                bptt,
                (Returned("dx", (ROW, INPUT)), Returned("dh_prev", (ROW, UNIT)), *_gradients(UNIT)),
                _steps(
                    1, RNN, "dh x h_prev h W_ih W_hh", "dx dh_prev dW_ih dW_hh db", backward=True
                ),
            ),
            FunctionToWrite(
                "rnn_backward",
                bptt,
                (Returned("dx", (T, ROW, INPUT)), Returned("dh0", (ROW, UNIT)), *_gradients(UNIT)),
                _wholes(1, RNN, "dhs x h0 hs W_ih W_hh", "dx dh0 dW_ih dW_hh db"),
                backward=True,
            ),
        ),
    ),
    Exercise(
        "lstm",
        "an LSTM's forward pass: gates, cell state and hidden state",
        (
            FunctionToWrite(
                "lstm_step",
                lstm,
                (Returned("h", (ROW, UNIT)), Returned("c", (ROW, UNIT))),
                _steps(4, (*LSTM, EXTREME), "x h_prev c_prev W_ih W_hh b", "h c"),
            ),
            FunctionToWrite(
                "lstm_forward",
                lstm,
                (Returned("hs", (T, ROW, UNIT)), Returned("cs", (T, ROW, UNIT))),
                _wholes(4, LSTM, "x h0 c0 W_ih W_hh b", "hs cs"),
            ),
        ),
    ),
    Exercise(
        "lstm-backward",
        "an LSTM's backward pass: through c, h and the gates, then through time",
        (
            FunctionToWrite(
                "lstm_step_backward",
                lstm_backward,
                (Returned("da", (ROW, GATE)), Returned("dc_prev", (ROW, UNIT))),
                _steps(4, LSTM, "dh dc i f g o c_prev c", "da dc_prev", backward=True),
            ),
            FunctionToWrite(
                "lstm_backward",
                lstm_backward,
                (
                    Returned("dx", (T, ROW, INPUT)),
                    Returned("dh0", (ROW, UNIT)),
                    Returned("dc0", (ROW, UNIT)),
                    *_gradients(GATE),
                ),
                _wholes(4, LSTM, "dhs x h0 c0 hs cs gates W_ih W_hh", "dx dh0 dc0 dW_ih dW_hh db"),
                backward=True,
            ),
        ),
    ),
    Exercise(
        "clipping",
        "clip gradients by their common norm",
        (
            FunctionToWrite(
                "clip_by_norm",
                clipping,
                (Returned("clipped"), Returned("norm", early=True)),
                _clipping,
            ),
        ),
    ),
    Exercise(
        "tbptt",
        "truncated backpropagation through time",
        (
            FunctionToWrite(
                "rnn_tbptt",
                tbptt,
                (Returned("hs", (T, ROW, UNIT)), *_gradients(UNIT)),
                _wholes(1, CHUNKS, "dhs x h0 W_ih W_hh b k", "hs dW_ih dW_hh db"),
            ),
        ),
    ),
)

SOLVED = {task.name for exercise in EXERCISES for task in exercise.tasks}
