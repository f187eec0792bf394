"""What does chance choose, and how likely was it? PyTorch's ``distributions``."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..engine.random import generator_or_default
from ..engine.switches import no_grad
from ..nn.functional import softplus
from ..tensors import Tensor, as_tensor
from ..tensors.functions import log_softmax
from ..tensors.making import rand_like, randn


class _Distribution:
    """Parameters broadcast to one shape."""

    _names: tuple[str, ...] = ()

    def _holding(self, *values: Any) -> None:
        tensors = [as_tensor(v) for v in values]
        tensors = [t if t.is_floating_point() else t / 1 for t in tensors]
        shape = np.broadcast_shapes(*(t.shape for t in tensors))
        for name, t in zip(self._names, tensors, strict=True):
            setattr(self, name, t.expand(shape))

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """The shape of one sample."""
        shape: tuple[int, ...] = getattr(self, self._names[0]).shape
        return shape

    def _shape(self, sample_shape: Any) -> tuple[int, ...]:
        return (*tuple(sample_shape), *self.batch_shape)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Samples whose gradient reaches the parameters."""
        raise NotImplementedError(f"{type(self).__name__} has no samples with a gradient")

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Samples without a gradient."""
        with no_grad():
            return self.rsample(sample_shape)


class Normal(_Distribution):
    """N(loc, scale**2). Raises ValueError where scale is not positive.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn.distributions import Normal
    >>> round(Normal(0.0, 1.0).log_prob(tg.tensor(0.0)).item(), 4)
    -0.9189
    """

    loc: Tensor
    scale: Tensor
    _names = ("loc", "scale")

    def __init__(self, loc: Any, scale: Any, validate_args: Any = None) -> None:
        self._holding(loc, scale)
        if not bool((self.scale > 0).all()):
            raise ValueError("Normal: scale must be positive")

    @property
    def mean(self) -> Tensor:
        """loc."""
        return self.loc

    @property
    def stddev(self) -> Tensor:
        """scale."""
        return self.scale

    @property
    def variance(self) -> Tensor:
        """scale squared."""
        return self.scale.square()

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """``loc + scale e`` for e of N(0, 1)."""
        drawn = randn(*self._shape(sample_shape)).to(self.loc.dtype)
        return self.loc + drawn * self.scale

    def log_prob(self, value: Any) -> Tensor:
        """The logarithm of the density."""
        distance = (as_tensor(value) - self.loc).square()
        half = distance / (2 * self.scale.square())
        return -half - self.scale.log() - math.log(math.sqrt(2 * math.pi))

    def cdf(self, value: Any) -> Tensor:
        """The probability of less."""
        return (1 + ((as_tensor(value) - self.loc) / (self.scale * math.sqrt(2))).erf()) / 2

    def entropy(self) -> Tensor:
        """The mean of -log_prob."""
        return self.scale.log() + (0.5 + math.log(2 * math.pi) / 2)


class Uniform(_Distribution):
    """U(low, high). Raises ValueError where low is not below high."""

    low: Tensor
    high: Tensor
    _names = ("low", "high")

    def __init__(self, low: Any, high: Any, validate_args: Any = None) -> None:
        self._holding(low, high)
        if not bool((self.low < self.high).all()):
            raise ValueError("Uniform: low must be below high")

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """``low + (high - low) u`` for u of U(0, 1)."""
        u = rand_like(self.low.detach().new_empty(self._shape(sample_shape)))
        return self.low + (self.high - self.low) * u

    def log_prob(self, value: Any) -> Tensor:
        """The logarithm of the density, -inf outside."""
        v = as_tensor(value)
        inside: Tensor = ((v >= self.low) & (v < self.high)).to(self.low.dtype)
        return inside.log() - (self.high - self.low).log()

    def entropy(self) -> Tensor:
        """The mean of -log_prob."""
        return (self.high - self.low).log()


class Bernoulli(_Distribution):
    """1 with probability ``probs``, or sigmoid(``logits``), else 0. Raises ValueError for both or neither.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn.distributions import Bernoulli
    >>> Bernoulli(tg.tensor([0.25])).log_prob(tg.tensor([1.0])).exp()
    tensor([0.25])
    """

    _names = ("logits",)
    logits: Tensor

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: Any = None) -> None:
        if (probs is None) == (logits is None):
            raise ValueError("Bernoulli takes probs or logits, one of them")
        if logits is None:
            p = as_tensor(probs) / 1
            if not bool(((p >= 0) & (p <= 1)).all()):
                raise ValueError("Bernoulli: probs are from 0 to 1")
            tiny = float(np.finfo(p.dtype).eps)  # PyTorch's floor under the logarithm
            kept = p.clip(tiny, 1 - tiny)
            self.probs, logits = p, kept.log() - (-kept).log1p()
        else:
            self.probs = as_tensor(logits).sigmoid()
        self._holding(logits)

    @property
    def mean(self) -> Tensor:
        """The probabilities."""
        return self.probs

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Samples without a gradient."""
        p = self.probs.detach().expand(self._shape(sample_shape))
        return (rand_like(p) < p).to(p.dtype)

    def log_prob(self, value: Any) -> Tensor:
        """``y log p + (1 - y) log(1 - p)``."""
        y = as_tensor(value)
        return y * self.logits - softplus(self.logits)

    def entropy(self) -> Tensor:
        """The mean of -log_prob."""
        return softplus(self.logits) - self.probs * self.logits


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


def kl_divergence(p: Any, q: Any) -> Tensor:
    """How far q is from p, of two Normal, Bernoulli or Categorical. Raises NotImplementedError for others.

    >>> from tinygrad_rnn.distributions import Normal, kl_divergence
    >>> kl_divergence(Normal(0.0, 1.0), Normal(1.0, 1.0)).item()
    0.5
    """
    if isinstance(p, Normal) and isinstance(q, Normal):
        ratio = (p.scale / q.scale).square()
        moved = ((p.loc - q.loc) / q.scale).square()
        return (ratio + moved - 1 - ratio.log()) / 2
    if isinstance(p, Bernoulli) and isinstance(q, Bernoulli):
        one = p.probs * (softplus(-q.logits) - softplus(-p.logits))
        return one + (1 - p.probs) * (softplus(q.logits) - softplus(p.logits))
    if isinstance(p, Categorical) and isinstance(q, Categorical):
        return (p.probs * (p.logits - q.logits)).sum(-1)
    raise NotImplementedError(
        f"kl_divergence knows two Normal, Bernoulli or Categorical, not {type(p).__name__} and "
        f"{type(q).__name__}"
    )
