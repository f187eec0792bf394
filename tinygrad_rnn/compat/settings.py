"""Which of PyTorch's switches and generators do scripts set, and what is there for them to set?"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..derivatives.anomaly import detect_anomaly
from ..engine.devices import CPU, check_device, device
from ..tensors import set_default_dtype
from .typed import dtype_of


class Generator:
    """A generator of its own for ``randn(..., generator=g)`` and the like; draws numpy's numbers.

    >>> import tinygrad_rnn as tg
    >>> g = tg.Generator().manual_seed(3); a = tg.rand(2, generator=g)
    >>> bool((a == tg.rand(2, generator=g.manual_seed(3))).all())
    True
    """

    def __init__(self, device: Any = "cpu") -> None:
        check_device(device)
        self.manual_seed(67280421310721)  # PyTorch's: generators start alike

    @property
    def device(self) -> device:
        """The CPU."""
        return CPU

    def manual_seed(self, seed: int) -> Generator:
        """Start anew from ``seed``; returns this."""
        self._seed = int(seed)
        self.numpy_generator = np.random.default_rng(self._seed % 2**64)
        return self

    def seed(self) -> int:
        """Start anew from a seed that chance gives, and return it."""
        return self.manual_seed(int(np.random.SeedSequence().generate_state(1)[0])).initial_seed()

    def initial_seed(self) -> int:
        """What it was seeded with."""
        return self._seed

    def get_state(self) -> dict[str, Any]:
        """Its state, as plain data."""
        return dict(self.numpy_generator.bit_generator.state)

    def set_state(self, new_state: dict[str, Any]) -> None:
        """Go on from where ``get_state`` was called."""
        self.numpy_generator.bit_generator.state = new_state


def set_default_tensor_type(t: Any) -> None:
    """The default dtype by a typed class or its name, "torch.DoubleTensor"; see ``set_default_dtype``.

    >>> import tinygrad_rnn as tg
    >>> tg.set_default_tensor_type("torch.FloatTensor")
    """
    set_default_dtype(dtype_of(t))


def set_num_threads(int: int) -> None:
    """Nothing: how many threads there are is numpy's BLAS's to say (``OMP_NUM_THREADS``)."""


def get_num_threads() -> int:
    """1: but for matrix products, for which numpy's BLAS decides, one thread computes."""
    return 1


class set_detect_anomaly:  # noqa: N801 (PyTorch's name)
    """``detect_anomaly`` on or off, from now on, or inside a ``with``.

    >>> import tinygrad_rnn as tg
    >>> tg.autograd.set_detect_anomaly(True)  # doctest: +ELLIPSIS
    <...
    >>> _ = tg.autograd.set_detect_anomaly(False)
    """

    _on: list[detect_anomaly] = []  # noqa: RUF012 (one switch for all)

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        if not check_nan:
            raise TypeError(
                "set_detect_anomaly: values are always looked at, check_nan=False is not"
            )
        self._before = bool(self._on)
        self._switch(mode)

    def _switch(self, on: bool) -> None:
        if on and not self._on:
            self._on.append(detect_anomaly().__enter__())
        elif not on and self._on:
            self._on.pop().__exit__(None, None, None)

    def __enter__(self) -> None:
        """On or off since it was made."""

    def __exit__(self, *_: object) -> None:
        self._switch(self._before)
