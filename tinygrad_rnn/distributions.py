"""What does chance choose, and how likely was it? PyTorch's ``distributions.Categorical``."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .engine.random import generator_or_default
from .signatures import readable
from .tensors import Tensor, as_tensor
from .tensors.functions import log_softmax

__all__ = ["Categorical"]


class Categorical:
    """One of n classes, with ``probs`` (..., n), which are divided by their sum, or with ``logits`` (..., n).

    Raises ValueError for both or neither, for no axis, and for probabilities that are negative, not finite or
    all 0.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn.distributions import Categorical
    >>> choice = Categorical(tg.tensor([0.25, 0.75]))
    >>> choice.log_prob(tg.tensor(1)).exp(), choice.sample((5,)).shape
    (tensor(0.75), (5,))
    """

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: Any = None) -> None:
        if (probs is None) == (logits is None):
            raise ValueError("Categorical takes probs or logits, one of them")
        given = as_tensor(probs if logits is None else logits)
        if not given.ndim or not given.is_floating_point():
            raise ValueError(
                f"Categorical takes floats (..., classes), not {given.dtype} of shape {given.shape}"
            )
        values = given._data
        if logits is None:
            sound = np.isfinite(values).all() and (values >= 0).all() and (values.sum(-1) > 0).all()
            if not sound:
                raise ValueError("Categorical: probs must be finite, not negative, and not all 0")
            self.probs: Tensor = given / given.sum(-1, keepdim=True)
            tiny = float(np.finfo(values.dtype).eps)  # PyTorch's floor under the logarithm
            self.logits: Tensor = self.probs.clip(tiny, 1 - tiny).log()
        else:
            if np.isnan(values).any():
                raise ValueError("Categorical: logits must not be NaN")
            self.logits = log_softmax(given, -1)
            self.probs = self.logits.exp()
        self._classes = given.shape[-1]

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """The shape of one sample: as many as there are distributions."""
        return self.probs.shape[:-1]

    @property
    def param_shape(self) -> tuple[int, ...]:
        """The shape of ``probs``."""
        return self.probs.shape

    def sample(self, sample_shape: Any = (), *, generator: Any = None) -> Tensor:
        """Classes drawn, int64 of shape sample_shape + batch_shape; there is no gradient."""
        shape = tuple(int(n) for n in sample_shape)
        rows = np.asarray(self.probs._data, np.float64).reshape(-1, self._classes)
        draw = generator_or_default(generator)
        ends = np.cumsum(rows / rows.sum(-1, keepdims=True), -1)
        ends[:, -1] = np.inf  # whatever rounding left of 1
        drawn = draw.random((math.prod(shape), len(rows), 1))
        found = (drawn >= ends).sum(-1)
        last = self._classes - 1 - np.argmax(rows[:, ::-1] > 0, -1)  # the last that can be drawn
        found = np.minimum(found, last)
        return Tensor._made(found.reshape(*shape, *self.batch_shape), np.int64)

    def log_prob(self, value: Any) -> Tensor:
        """The logarithm of the probability of classes, which are broadcast with the distributions.

        Raises ValueError for what is no class.
        """
        index = as_tensor(value)
        if not np.isin(index._data, np.arange(self._classes)).all():
            raise ValueError(f"log_prob: a class is outside 0 ... {self._classes - 1}")
        shape = np.broadcast_shapes(index.shape, self.batch_shape)
        logits = self.logits.expand((*shape, self._classes))
        places = index.to(np.int64).expand(shape).unsqueeze(-1)
        return logits.gather(-1, places).squeeze(-1)

    def entropy(self) -> Tensor:
        """``-sum p log p`` of each distribution."""
        lowest = float(np.finfo(self.logits.dtype).min)
        return -(self.logits.clip(lowest) * self.probs).sum(-1)

    def __repr__(self) -> str:
        return f"Categorical(probs: {self.probs.shape})"


def __getattr__(name: str) -> Any:
    """What PyTorch's scripts alone ask for, imported when they do."""
    from .doors import for_scripts

    return for_scripts(__name__, name)


readable(__name__)
