"""Where do random numbers come from? One generator, for layers and ``randn``, unless given another."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from .places import state

_default: np.random.Generator | None = None  # made when first drawn from: importing stays cheap


def manual_seed(seed: int) -> np.random.Generator:
    """Start the library's generator anew from ``seed`` and return it; numpy's own is left alone.

    >>> import tinygrad_rnn as tg
    >>> g = tg.manual_seed(0); a = tg.randn(3)
    >>> g = tg.manual_seed(0); bool((a == tg.randn(3)).all())
    True
    """
    global _default
    _default = np.random.default_rng(seed)
    return _default


def get_rng_state() -> dict[str, Any]:
    """The state of the library's generator, as plain data that ``tg.save`` can hold.

    >>> import tinygrad_rnn as tg
    >>> state = tg.get_rng_state(); a = tg.randn(3)
    >>> tg.set_rng_state(state); bool((a == tg.randn(3)).all())
    True
    """
    return dict(generator_or_default(None).bit_generator.state)


def set_rng_state(state: dict[str, Any]) -> None:
    """Go on drawing from where ``get_rng_state`` was called. Raises ValueError for anything else.

    >>> import tinygrad_rnn as tg
    >>> tg.set_rng_state(tg.get_rng_state())
    """
    try:
        generator_or_default(None).bit_generator.state = state
    except (TypeError, ValueError, KeyError) as error:
        raise ValueError(f"set_rng_state takes what get_rng_state returned: {error}") from None


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Inside, the library's generator starts from ``seed``; afterwards it is where it was before.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn.engine.random import seeded
    >>> before = tg.get_rng_state()
    >>> with seeded(0):
    ...     a = tg.randn(3)
    >>> tg.get_rng_state() == before
    True
    """
    before = get_rng_state()
    manual_seed(seed)
    try:
        yield
    finally:
        set_rng_state(before)


def generator_or_default(generator: np.random.Generator | None) -> np.random.Generator:
    """The generator given, or the library's. A step that is traced has no draws: its tracer says so."""
    global _default
    if state.tracer is not None:
        state.tracer.draws()
    if generator is None:
        if _default is None:
            _default = np.random.default_rng()
        return _default
    generator = getattr(generator, "numpy_generator", generator)  # a torch.Generator has one
    if not isinstance(generator, np.random.Generator):
        raise TypeError(
            f"generator must be a numpy.random.Generator, not {type(generator).__name__}: "
            "make one with numpy.random.default_rng(seed)"
        )
    return generator
