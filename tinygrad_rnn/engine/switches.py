"""Which switches turn recording off and on? ``no_grad`` and its like: context managers, and decorators."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ClassVar, TypeVar, cast

from .places import state

F = TypeVar("F", bound=Callable[..., Any])


class _SetRecording:
    """A context manager and decorator that turns recording on or off."""

    value: ClassVar[bool]
    _before: tuple[Any, ...] = ()  # what was, and what was before that

    def __enter__(self) -> None:
        self._before = state.recording, self._before
        state.recording = self.value

    def __exit__(self, *_: object) -> None:
        state.recording, self._before = self._before

    def __call__(self, function: F) -> F:
        @wraps(function)
        def inside(*args: Any, **kwargs: Any) -> Any:
            with type(self)():
                return function(*args, **kwargs)

        return cast(F, inside)


class no_grad(_SetRecording):  # noqa: N801 (PyTorch's name)
    """Nothing computed inside is recorded; a context manager, or a decorator.

    >>> import tinygrad_rnn as tg
    >>> w = tg.ones(2, requires_grad=True)
    >>> with tg.no_grad():
    ...     y = w * 2
    >>> y.requires_grad
    False
    """

    value = False


class enable_grad(_SetRecording):  # noqa: N801 (PyTorch's name)
    """Recording is on again inside, also within ``no_grad``; a context manager, or a decorator.

    >>> import tinygrad_rnn as tg
    >>> w = tg.ones(2, requires_grad=True)
    >>> with tg.no_grad(), tg.enable_grad():
    ...     y = w * 2
    >>> y.requires_grad
    True
    """

    value = True


class set_grad_enabled(_SetRecording):  # noqa: N801 (PyTorch's name)
    """Recording on or off, from now on, or inside a ``with``.

    >>> import tinygrad_rnn as tg
    >>> with tg.set_grad_enabled(False):
    ...     tg.is_grad_enabled()
    False
    """

    def __init__(self, mode: bool) -> None:
        self._first: list[bool] = [state.recording]
        self.value = mode  # type: ignore[misc]
        state.recording = mode

    def __enter__(self) -> None:
        before = self._first.pop() if self._first else state.recording
        self._before = before, self._before
        state.recording = self.value


def is_grad_enabled() -> bool:
    """Whether ops are being recorded in this thread.

    >>> import tinygrad_rnn as tg
    >>> tg.is_grad_enabled()
    True
    """
    return state.recording
