"""How are long sequences trained on? In chunks: truncated backpropagation, gradients over a window."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..engine.switches import no_grad
from ..engine.values import Leaf
from ..tensors import Tensor, as_tensor
from ..tensors.functions import detach
from ..tensors.several import cat
from .module import Module
from .stepping import mapped, parts


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk of ``tbptt``: outputs of its steps, the state after them (detached), where it begins.

    ``cut`` is the state at which the gradient was cut: None at the beginning of the sequence, and
    unless ``report=True`` was asked for.
    """

    output: Tensor
    state: Any
    start: int
    cut: Any

    def dropped(self) -> float:
        """The norm of the gradient that the cut dropped, after ``backward()``: |dL / d state there|."""
        if self.cut is None:
            return 0.0
        grads = [t.grad for _, t in parts(self.cut)]
        if all(g is None for g in grads):
            raise RuntimeError("dropped(): call backward() on the chunk's loss first")
        squares = [float(np.sum(g._data.astype(np.float64) ** 2)) for g in grads if g is not None]
        return float(np.sqrt(sum(squares)))


def tbptt(
    layer: Module,
    x: Any,
    k1: int,
    k2: int | None = None,
    state: Any = None,
    *,
    report: bool = False,
) -> Iterator[Chunk]:
    """Run a layer over a long sequence: every ``k1`` steps a chunk whose gradient reaches ``k2`` steps back.

    TBPTT(k1, k2) (Williams & Peng 1990): for each chunk compute a loss of its ``output``, call
    ``backward()`` and, if you like, ``optimizer.step()``. ``k2`` is ``k1`` unless given. With k2 > k1
    the steps before the chunk are run again, with today's weights, from the state k2 steps back; with
    k2 < k1 the chunk's first steps give outputs without a gradient; with k2 >= T and no optimizer step
    between, the gradients add up to full backpropagation. ``x`` is (time, batch, features) or as the
    layer takes it, ``layer`` RNN, LSTM, GRU or ``Recurrent``. With ``report=True``
    ``chunk.dropped()`` tells the norm of the gradient that the cut dropped. Steps keep their number in
    the whole sequence. Raises ValueError for k1 or k2 below 1.

    >>> import tinygrad_rnn as tg
    >>> rnn, x = tg.nn.RNN(2, 3), tg.zeros(10, 1, 2)
    >>> [(chunk.start, len(chunk.output)) for chunk in tg.nn.tbptt(rnn, x, k1=4)]
    [(0, 4), (4, 4), (8, 2)]
    """
    k2 = k1 if k2 is None else k2
    for name, k in (("k1", k1), ("k2", k2)):
        if not isinstance(k, int) or k < 1:
            raise ValueError(f"tbptt: {name} must be at least 1, got {k!r}")
    return _chunks(layer, as_tensor(x), k1, k2, detach(state), report)


def _chunks(
    layer: Module, x: Tensor, k1: int, k2: int, state: Any, report: bool
) -> Iterator[Chunk]:
    axis = 1 if getattr(layer, "batch_first", False) and x.ndim > 2 else 0
    steps = x.shape[axis]

    def run(begin: int, end: int, state: Any) -> tuple[Tensor, Any]:
        window = x[(slice(None),) * axis + (slice(begin, end),)]
        result: tuple[Tensor, Any] = layer(window, state, first_step=begin)
        return result

    known = 0  # the step that ``state`` belongs to
    for begin in range(0, steps, k1):
        end = min(begin + k1, steps)
        cut = max(end - k2, 0)
        early: list[Tensor] = []
        with no_grad():
            for stop in (begin, cut):
                if known < min(stop, cut):
                    output, state = run(known, min(stop, cut), state)
                    early += [output] if known >= begin else []
                    known = min(stop, cut)
        start = _leaf(state) if report and cut else state
        output, after = run(cut, end, start)
        output = output[(slice(None),) * axis + (slice(max(begin - cut, 0), None),)]
        whole = cat([*early, output], axis) if early else output
        yield Chunk(whole, detach(after), begin, start if report and cut else None)


def _leaf(state: Any) -> Any:
    """A state whose gradient is kept, to tell what the cut drops."""

    def make(t: Tensor) -> Tensor:
        leaf = t.detach()
        leaf._node = Leaf(t.shape, t.dtype, True, "cut")
        leaf._node.role = "input"
        return leaf

    return mapped(make, state)
