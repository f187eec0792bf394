"""How does a model forecast many steps? Each forecast goes back in, with the state."""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import nn
from .models import called

Values = NDArray[Any]
Choose = Callable[[Values, int], Values]


def closed_loop(
    model: nn.Module, values: Values, beside: Values, steps: int, choose: Choose, stateful: bool
) -> Values:
    """``values`` (time, batch, columns) are read, then ``steps`` rows are forecast: (steps, batch, columns).

    The input of a step is its row and what is known of the next: ``beside`` (time + steps, batch, k).
    ``choose`` makes one row (batch, columns) of the model's output, and is given its number. A
    model without a state reads the whole sequence again at every step.
    """
    read = len(values)
    x = np.concatenate([values, beside[1 : read + 1]], -1)
    said, state = called(model, x)
    forecast = []
    for h in range(steps):
        row = choose(said.numpy()[-1], h)
        forecast.append(row)
        if h + 1 == steps:
            break
        new = np.concatenate([row, beside[read + h + 1]], -1)[None].astype(x.dtype)
        if stateful:
            said, state = called(model, new, state)
        else:
            x = np.concatenate([x, new])
            said, _ = called(model, x)
    return np.stack(forecast)


def middle(quantiles: tuple[float, ...], columns: int) -> Choose:
    """The model's own value; of quantiles the median."""
    place = quantiles.index(0.5) if quantiles else 0

    def choose(said: Values, step: int) -> Values:
        copies = said.reshape(len(said), -1, columns)
        return np.sort(copies, 1)[:, place]

    return choose


def drawn_from_quantiles(
    quantiles: tuple[float, ...], columns: int, generator: np.random.Generator
) -> Choose:
    """A value drawn from the distribution that has these quantiles.

    Between two of them it is a straight line over the normal distribution's quantiles, beyond the
    outermost the same line goes on. Quantiles that cross are sorted.
    """
    nodes = np.array([NormalDist().inv_cdf(q) for q in quantiles])

    def choose(said: Values, step: int) -> Values:
        copies = np.sort(said.reshape(len(said), -1, columns), 1)
        z = generator.standard_normal((len(said), columns))
        k = np.clip(np.searchsorted(nodes, z) - 1, 0, len(nodes) - 2)
        low, high = (np.take_along_axis(copies, i[:, None], 1)[:, 0] for i in (k, k + 1))
        share = (z - nodes[k]) / (nodes[k + 1] - nodes[k])
        drawn: Values = low + share * (high - low)
        return drawn

    return choose


def with_residuals(residuals: Values, columns: int, generator: np.random.Generator) -> Choose:
    """The model's value plus one of its own errors (n, columns), drawn anew for every path and step."""
    own = middle((), columns)

    def choose(said: Values, step: int) -> Values:
        errors: Values = residuals[generator.integers(len(residuals), size=len(said))]
        return own(said, step) + errors

    return choose
