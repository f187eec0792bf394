"""What does a trace hear of what is done to tensors beside ops? All that ``state.tracer`` is told.

Who records what a piece of code computes (a compiled step, an iteration of training, an ONNX file) inherits
from ``Listener`` and says what it does of each; what it does not say has no meaning for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from .places import state

if TYPE_CHECKING:
    from ..ops.row import Op
    from ..tensors import Tensor
    from .autograd import Observer


class Watch:
    """Who looks at the result of every op of a thread (``ops.watching``): ``state.watch``."""

    def look(self, op: Op, result: Tensor, operands: tuple[Any, ...], constants: Any = ()) -> None:
        """An op was applied."""

    def observing(self, other: Observer | None) -> Observer | None:
        """Who is shown the gradients of a pass, where ``other`` is to see them too."""
        return other


class Listener(Watch):
    """Who is told what is done to tensors beside ops: ``state.tracer``."""

    rebinds: ClassVar[bool] = False  # whether a handle that nobody shares may get a new value
    whole: ClassVar[bool] = False  # whether what is read of an example is frozen into what is made
    layer: Any = None  # stands for a recurrent layer's call: ``nn.recurrent.run_compiled``
    called: Any = None  # stands for a call of a function that looks at values
    parts: Any = (
        None  # (op, results, operand, constants): an op with several results was not recorded
    )

    def looks(self, how: str) -> None:
        """Python reads a value."""

    def draws(self) -> None:
        """Random numbers are about to be drawn."""

    def made(self, t: Tensor) -> None:
        """A tensor was made of Python's numbers."""

    def is_made(self, t: Any) -> bool:
        """Whether a tensor is one that Python made of its own numbers."""
        return False

    def indexes(self, array: Any) -> None:
        """An array that is the same at every run is an index."""

    def takes(self, index: Any, array: Any) -> bool:
        """A tensor of integers is an index, as this array: whether the trace can follow what it becomes."""
        return False

    def counted(self, array: Any) -> None:
        """An array of places counted from 0 stands beside an index that a trace may follow."""

    def detached(self, result: Tensor, source: Tensor) -> None:
        """The same values without a gradient."""

    def compared(
        self, name: str, result: Tensor, operands: tuple[Any, ...], constants: Any = ()
    ) -> None:
        """A function without a derivative made a tensor."""

    def marked(self, name: str, result: Tensor, operands: Any, constants: Any) -> None:
        """Another function without a derivative made a tensor, one that perhaps no program knows."""

    def zeros(self, shape: tuple[int, ...], dtype: Any) -> Any:
        """The gradient of an output that nothing came to."""
        return np.zeros(shape, dtype)


@contextmanager
def unheard() -> Iterator[None]:
    """Inside, a part runs of which only what it gives is told: nobody listens and nobody looks."""
    before = state.tracer, state.watch
    state.tracer = state.watch = None
    try:
        yield
    finally:
        state.tracer, state.watch = before
