"""Where is a value made, and is it recorded? Each thread has its own answer, ``state``."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any
from weakref import ref

if TYPE_CHECKING:
    from .listening import Listener, Watch
    from .values import Value


PACKAGE = __name__.partition(".")[0]
CALLS = 3  # of the user's, one inside of the other


def users_calls() -> tuple[tuple[CodeType, int], ...]:
    """Which of the user's calls are running: of the innermost ones the code and its instruction."""
    found: list[tuple[CodeType, int]] = []
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and len(found) < CALLS:
        module = frame.f_globals.get("__name__", "")
        if module == PACKAGE or module.startswith(f"{PACKAGE}."):
            if found:
                break
        else:
            found.append((frame.f_code, frame.f_lasti))
        frame = frame.f_back
    return tuple(found)


class Scope:
    """One running call of a module: the module, weakly, its name there, and the call that it runs inside."""

    __slots__ = ("kind", "module", "name", "parent")

    def __init__(self, module: Any, parent: Scope | None, name: str = "") -> None:
        self.module = ref(module)
        self.kind: type = type(module)
        self.parent = parent
        self.name = name  # dotted, below the module of the call around it

    @property
    def root(self) -> Scope:
        """The outermost call: the module that the user called."""
        scope = self
        while scope.parent is not None:
            scope = scope.parent
        return scope

    def path(self, root: str | None = None) -> str:
        """The dotted path of the module below ``root``, by default the root's class in lower case."""
        names: list[str] = []
        scope = self
        while scope.parent is not None:
            names.append(scope.name)
            scope = scope.parent
        return ".".join([root or scope.kind.__name__.lower(), *reversed(names)])


class Call:
    """One application of a recurrent cell: which cell, at which step, on which inputs."""

    __slots__ = ("cell", "inputs", "label", "scope", "step")

    def __init__(
        self,
        cell: type,
        label: str,
        scope: Scope | None,
        step: int,
        inputs: tuple[tuple[str, Value], ...],
    ) -> None:
        self.cell = cell
        self.label = label
        self.scope = scope
        self.step = step
        self.inputs = inputs


class Place:
    """Where a node is made: inside which module call, at which time step, in which cell call."""

    __slots__ = ("call", "scope", "step")

    def __init__(self, scope: Scope | None, step: int | None, call: Call | None) -> None:
        self.scope = scope
        self.step = step
        self.call = call

    def __str__(self) -> str:
        """The place in words, as error messages begin: ``lstm, step 3: ``."""
        words = [self.scope.path()] if self.scope is not None else []
        if self.step is not None:
            words.append(f"step {self.step} (t = {self.step + 1})")
        return ", ".join(words) + ": " if words else ""


NOWHERE = Place(None, None, None)


class _State(threading.local):
    """What recording needs to know, each thread for itself."""

    recording: bool = True
    place: Place = NOWHERE
    watch: Watch | None = None  # who looks at every op: the open detect_anomaly context, a trace
    tracer: Listener | None = None  # who records what is computed, to run it without Python

    def __init__(self) -> None:
        self.records: list[Any] = []  # the open gate records
        self.listeners: list[Any] = []  # what the running cell's values are told to


state = _State()


@contextmanager
def unobserved(
    place: Place = NOWHERE, tracer: Listener | None = None, watch: Watch | None = None
) -> Iterator[None]:
    """Everything inside is recorded at ``place``, and nobody hears of it but who is given here."""
    before = state.place, state.tracer, state.watch
    state.place, state.tracer, state.watch = place, tracer, watch
    try:
        with without_records():
            yield
    finally:
        state.place, state.tracer, state.watch = before


@contextmanager
def without_records() -> Iterator[None]:
    """No gate record hears of what is computed inside."""
    before = state.records, state.listeners
    state.records, state.listeners = [], []
    try:
        yield
    finally:
        state.records, state.listeners = before


@contextmanager
def at_place(place: Place) -> Iterator[None]:
    """Everything recorded inside is made at ``place``."""
    before, state.place = state.place, place
    try:
        yield
    finally:
        state.place = before
