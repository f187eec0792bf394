"""What is a ``Variable``? Since PyTorch 0.4, and here, a tensor: the word is kept for scripts from before."""

from __future__ import annotations

import warnings
from typing import Any

from ..tensors import Tensor


class _IsTensor(type):
    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, Tensor)


class Variable(metaclass=_IsTensor):
    """``Variable(tensor)``: the same values in the same memory, a leaf of its own.

    With ``requires_grad`` it has a gradient.

    ``volatile=True``, which was no_grad's name, has no effect, as in PyTorch; a warning says so.
    Raises TypeError for what is no tensor.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn.autograd import Variable
    >>> Variable(tg.ones(2), requires_grad=True).requires_grad
    True
    """

    def __new__(  # type: ignore[misc]
        cls, data: Any = None, requires_grad: bool = False, volatile: bool = False
    ) -> Tensor:
        """A tensor, whatever the class says."""
        if volatile:
            warnings.warn(
                "Variable(volatile=True) has no effect: use `with torch.no_grad():` around the network",
                stacklevel=2,
            )
        if not isinstance(data, Tensor):
            raise TypeError(f"Variable takes a tensor, not {type(data).__name__}")
        made = data.detach()
        return made.requires_grad_() if requires_grad else made
