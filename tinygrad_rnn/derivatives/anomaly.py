"""Where did the first NaN or infinity come from? ``detect_anomaly`` stops there and says so."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from ..engine.autograd import Observer
from ..engine.listening import Watch
from ..engine.places import state
from ..engine.values import Node, Value
from ..ops import watching
from ..ops.row import Op
from ..tensors import Tensor

PACKAGE = str(Path(__file__).parent.parent)
TRAIL = 6


class AnomalyError(RuntimeError):
    """An op, forward or backward, made a value that is NaN or infinite out of finite ones."""


class detect_anomaly(Watch):  # noqa: N801 (PyTorch's name)
    """Inside, the first op that makes a non-finite value raises ``AnomalyError``; a context manager.

    Forward, that is the earliest op with a NaN or an infinity in its result, or that takes one in;
    backward, the first rule that returns one. The error names the op, the module, the time step, the
    gate, the file and line of yours that called it, and the magnitudes on the way there. Slow while it
    is on (every value is looked at), free while it is off.

    >>> import tinygrad_rnn as tg
    >>> x = tg.tensor(200.0, requires_grad=True)
    >>> with tg.detect_anomaly():
    ...     y = (x * x).exp()  # doctest: +ELLIPSIS, +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    tinygrad_rnn.derivatives.anomaly.AnomalyError: exp made inf ...
    """

    def __init__(self) -> None:
        self._before: list[Any] = []
        self._looking: list[Any] = []
        self._quiet = np.errstate(all="ignore")  # numpy's warnings would say the same, with less
        self._size: dict[
            int, float
        ] = {}  # the largest magnitude of each node's value, by its number
        self._line: dict[int, str] = {}  # the user's line that made each node

    def __enter__(self) -> detect_anomaly:
        self._before.append(state.watch)
        state.watch = self
        self._quiet.__enter__()
        self._looking.append(watching.looking())
        self._looking[-1].__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        state.watch = self._before.pop()
        self._quiet.__exit__(None, None, None)
        self._looking.pop().__exit__(None, None, None)

    # ---- forward

    def look(self, op: Op, result: Tensor, operands: tuple[Any, ...], _constants: Any = ()) -> None:
        """Look at one op's result."""
        node = result._node
        if node is not None:
            self._size[node.number] = _largest(result._data)
            self._line[node.number] = _line_of_the_user()
        if _finite(result._data):
            return
        given = [a._data for a in operands if isinstance(a, Tensor)]
        bad = next((k for k, a in enumerate(given) if not _finite(a)), None)
        place = str(state.place)
        what = f"{place}{_gate(node)}{op.name} "
        if bad is None:
            what += f"made {_kind(result._data)} of finite values"
        else:
            what += f"took in {_kind(given[bad])} as operand {bad}, from outside what was watched"
        sizes = ", ".join(f"{_largest(a):.3g}" for a in given)
        raise AnomalyError(
            f"{what} at {_line_of_the_user()}; largest magnitude of each operand: {sizes}"
            f"{self._trail(node)}"
        )

    def _trail(self, node: Value | None) -> str:
        """The magnitudes on the way to a node: each time the operand with the largest."""
        words: list[str] = []
        while isinstance(node, Node) and len(words) < TRAIL:
            known = [p for p in node.parents if isinstance(p, Node) and p.number in self._size]
            if not known:
                break
            node = max(known, key=lambda p: self._size[p.number])
            step = "" if node.place.step is None else f" at step {node.place.step}"
            name = f"{node.name} = " if node.name else ""
            words.append(f"{name}{node.op.name}{step}: {self._size[node.number]:.3g}")
        return f"; before it, largest first: {' <- '.join(words)}" if words else ""

    # ---- backward

    def observing(self, other: Observer | None) -> Observer:
        """An observer that looks at every gradient, and then lets another see it."""

        def observe(node: Node, operand: int, gradient: Any, delta: Any) -> None:
            inner = getattr(delta, "value", delta)  # of an index or an item: its part
            values = getattr(inner, "_data", inner)
            if not _finite(values):
                raise AnomalyError(self._backward_text(node, operand, gradient, values))
            if other is not None:
                other(node, operand, gradient, delta)

        return observe

    def _backward_text(self, node: Node, operand: int, gradient: Any, values: Any) -> str:
        parts = gradient if isinstance(gradient, list) else [gradient]
        sizes = [_largest(getattr(g, "_data", g)) for g in parts]
        made = self._line.get(node.number)
        where = f", which {made} recorded" if made else ""
        size = self._size.get(node.number)
        value = "" if size is None else f", largest magnitude of its value {size:.3g}"
        return (
            f"{node.place}{_gate(node)}the backward of {node.op.name}{where} made {_kind(values)} "
            f"for operand {operand}; largest magnitude of the gradient that came in "
            f"{max(sizes):.3g}{value}{self._trail(node)}"
        )


def _finite(values: Any) -> bool:
    return values.dtype.kind != "f" or bool(np.isfinite(values).all())


def _largest(values: Any) -> float:
    """The largest magnitude among the values, NaN where there is one."""
    return float(np.max(np.abs(values))) if np.size(values) else 0.0


def _kind(values: Any) -> str:
    """What is wrong, and how much of it: ``nan in 3 of 12 values``."""
    name = "nan" if np.isnan(values).any() else "inf"
    count, size = int((~np.isfinite(values)).sum()), values.size
    return name if size == 1 else f"{name} in {count:,} of {size:,} values"


def _gate(node: Value | None) -> str:
    """The gate that a node computes, in the cell's words, where it is one: ``forget gate f: ``."""
    call = getattr(getattr(node, "place", None), "call", None)
    gates: dict[str, str] = getattr(getattr(call, "cell", None), "gates", {})
    for parent in getattr(node, "parents", ()):
        if gates and parent.op is not None and parent.op.name == "item":
            k = parent.saved[1]
            if len(parent.parents[0].shape) == len(gates):
                name, meaning = list(gates.items())[k]
                return f"{meaning} gate {name}: "
    return ""


def _line_of_the_user() -> str:
    """The innermost line that is not the package's own: ``train.py:12``."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(PACKAGE):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
