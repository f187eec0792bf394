"""Which of PyTorch's switches and generators do scripts set, and what is there for them to set?"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np

from ..derivatives.anomaly import detect_anomaly
from ..engine.devices import CPU, NoDevices, check_device, device
from ..engine.random import manual_seed
from ..nn.module import Module
from ..scan.threads import threads
from ..tensors import Tensor, as_tensor, set_default_dtype
from ..tensors.making import zeros
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
    """Nothing: how many threads there are is the environment's to say (``OMP_NUM_THREADS``)."""


def get_num_threads() -> int:
    """How many compiled loops may take; for matrix products numpy's BLAS decides."""
    return threads()


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


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Nothing but checks: tensors are printed as numpy prints them (``numpy.set_printoptions``).

    >>> import tinygrad_rnn as tg
    >>> tg.set_printoptions(precision=2)
    """
    if profile not in (None, "default", "short", "full"):
        raise ValueError(f"set_printoptions: profile is 'default', 'short' or 'full': {profile!r}")


def seed() -> int:
    """Draw anew from a seed that chance gives, and return it."""
    number = int(np.random.SeedSequence().generate_state(1)[0])
    manual_seed(number)
    return number


def initial_seed() -> int:
    """Raises RuntimeError: the seed is not kept; give ``manual_seed`` your own."""
    raise RuntimeError("initial_seed: the seed is not kept here; give manual_seed(n) your own")


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Nothing: what is computed here is the same each time."""


def finfo(type: Any = None) -> Any:
    """What floats of a dtype can hold: ``max``, ``min``, ``eps``, ``tiny``; numpy's ``finfo``.

    >>> import tinygrad_rnn as tg
    >>> float(tg.finfo(tg.float32).eps)
    1.1920928955078125e-07
    """
    return np.finfo(np.float32 if type is None else type)


def iinfo(type: Any) -> Any:
    """What integers of a dtype can hold: ``max``, ``min``, ``bits``; numpy's ``iinfo``."""
    return np.iinfo(type)


def result_type(tensor1: Any, tensor2: Any) -> Any:
    """The dtype of two tensors' sum."""
    first, second = (t.detach() if isinstance(t, Tensor) else t for t in (tensor1, tensor2))
    first, second = (t.reshape(-1)[:1] if getattr(t, "ndim", 0) else t for t in (first, second))
    return (as_tensor(first) + second).dtype


def promote_types(type1: Any, type2: Any) -> Any:
    """The dtype of the sum of tensors of two dtypes."""
    return (zeros(1, dtype=type1) + zeros(1, dtype=type2)).dtype


def compile(model: Any = None, **options: Any) -> Any:
    """The model as it is: layers compile their steps by themselves. Without one, a decorator."""
    return (lambda given: given) if model is None else model


class accelerator(NoDevices):  # noqa: N801 (PyTorch's name)
    """PyTorch's questions about accelerators, answered: there is none."""

    @staticmethod
    def current_accelerator(check_available: bool = False) -> None:
        """None."""


class jit:  # noqa: N801 (PyTorch's name)
    """``jit.script`` and its like: the model as it is, since layers compile their steps by themselves."""

    @staticmethod
    def script(obj: Any, *args: Any, **options: Any) -> Any:
        """What it is given."""
        return obj

    ignore = export = unused = script_method = script

    ScriptModule = Module


class serialization:  # noqa: N801 (PyTorch's name)
    """PyTorch's word on which classes a file may name: here modules alone, and those that are there."""

    @staticmethod
    def add_safe_globals(safe_globals: list[Any]) -> None:
        """Nothing: a file names module classes that are there already, and runs no code."""

    @staticmethod
    def safe_globals(safe_globals: list[Any]) -> Any:
        """A ``with`` around ``load`` that changes nothing."""
        return nullcontext()


e = np.e
newaxis = None
