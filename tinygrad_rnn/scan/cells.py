"""From a cell to the loops that run it: traced, derived, scheduled, kept for the next call.

A built-in cell is traced once for each configuration. A cell of the user's own may hold Python state,
draw random numbers, or do something else every time: it is traced again at every call, over two steps
that must agree, and its loops are found by what the trace says.
"""

from __future__ import annotations

import threading
from typing import Any

from ..nn import cells as known_cells
from ..nn.module import Module
from ..nn.recurrent import mapped, parts
from ..ops.elementwise import where
from ..tensors import Tensor
from . import backends, verified
from .following import followed, write
from .tracing import Shadow, Trace, Untraceable, leaf, trace, tracing

BUILT_IN = frozenset(
    cell
    for cell in vars(known_cells).values()
    if isinstance(cell, type) and issubclass(cell, known_cells.Cell)
)
_lock = threading.RLock()
_loops: dict[Any, Compiled] = {}
_configurations: dict[Any, Compiled] = {}
MOST = 256  # programs that are remembered; the oldest go


class Compiled:
    """A cell's loops, for one trace: with derivatives made when the first call asks for them."""

    def __init__(self, first: Trace, trusted: bool) -> None:
        self.trace, self.trusted = first, trusted
        kinds = {node.dtype.char for role, node in first.inputs.items() if role != "live"}
        if len(kinds) != 1 or not kinds <= {"f", "d"}:
            raise Untraceable("input, state and Parameters are not all float32 or all float64")
        self.roles = [role for role in first.inputs if role not in ("x", "live")]
        self._loops: dict[Any, Any] = {}

    def loops(self, derive: bool, x: bool) -> Any:
        """The loops of the back end; with gradients if ``derive``, of the input too if ``x``."""
        key = (backends.choice()[0], derive, x)
        found = self._loops.get(key)
        if found is None:
            wanted = [*self.roles, *["x"] * x] if derive else []
            with _lock:
                try:
                    found = verified.loops(self.trace, wanted, self.trusted)
                except Untraceable as reason:
                    found = str(reason)
                self._loops[key] = found
        if isinstance(found, str):
            raise Untraceable(found)
        return found

    def stream(self) -> Any:
        """(prepare, step) for one step at a time; None where there is none."""
        key = (backends.choice()[0], "stream")
        if key not in self._loops:
            self._loops[key] = self.loops(False, False).stream()
        return self._loops[key]


def compiled(
    cell: Module, x: Any, state: Any, live: Any, constants: dict[str, Any]
) -> tuple[Compiled, list[Tensor]]:
    """The loops of a cell on inputs like these, and the tensors that are the same at every step.

    ``x`` is (time, batch, features) as an array, ``state`` a nesting of tensors, ``live`` (time, batch, 1)
    or None. Raises Untraceable with the reason where the cell cannot be compiled.
    """
    shared = [t for t in constants.values() if isinstance(t, Tensor)]
    if len(shared) != len(constants):
        raise Untraceable("a keyword argument of the call is no tensor")
    slots = weights_of(cell) if type(cell) in BUILT_IN and not constants else None
    if slots is not None and not callable(vars(cell).get("step")):
        weights = list({id(w): w for _, _, w in slots if w is not None}.values())
        key = _configuration(cell, slots, weights, x, state, live)
        found = _configurations.get(key)
        if found is None:
            found = _trace_twice(cell, x, state, live, constants)[0]
            _remember(_configurations, key, found)
        return found, weights
    if live is None:
        with _lock:
            known = followed(cell, x, state, constants)
        if known is not None:
            return known
    return _trace_twice(cell, x, state, live, constants)


def weights_of(cell: Any) -> list[tuple[dict[str, Any], str, Tensor | None]] | None:
    """A built-in cell's Parameters, each as (the attributes that it is one of, its name, its value).

    None where a computed tensor stands in the place of one: that is another program.
    """
    slots = []
    for module in cell.modules() if cell.__dict__["_modules"] else (cell,):
        attributes = module.__dict__
        known = attributes["_parameters"]
        if any(isinstance(v, Tensor) and name not in known for name, v in attributes.items()):
            return None
        slots += [(attributes, name, value) for name, value in known.items()]
    return slots


def _configuration(
    cell: Any, slots: list[Any], weights: list[Tensor], x: Any, state: Any, live: Any
) -> Any:
    """What a built-in cell's equations depend on."""
    options = [cell.__dict__.get(name) for name in OPTIONS]
    which = {id(w): k for k, w in enumerate(weights)}  # two names may have one Parameter
    names = [(name, which.get(id(w))) for _, name, w in slots]
    shapes = [(w._data.shape, w._data.dtype) for w in weights]
    parts = (state,) if isinstance(state, Tensor) else state
    states = [(t._data.shape, t._data.dtype) for t in parts]
    return (type(cell), *options, *names, *shapes, x.shape[1:], x.dtype, *states, live is not None)


OPTIONS = ("bias", "nonlinearity", "proj_size", "reset_after")  # what the equations ask of a cell


def _trace_twice(
    cell: Module, x: Any, state: Any, live: Any, constants: dict[str, Any]
) -> tuple[Compiled, list[Tensor]]:
    """Trace two steps, which must agree, and find or make the loops of what they say."""
    with _lock, tracing() as tracer:
        try:
            shadow = Shadow(cell)
            step = _Step(shadow, x, state, live, constants)
            first = trace(step, step.inputs(), tracer)
            if len(x) > 1:
                step.advance(x[1], None if live is None else live[1])
                second = trace(step, step.inputs(), tracer)
                changed = shadow.changed()
                if changed:
                    raise Untraceable(changed)
                if first.signature != second.signature:
                    raise Untraceable("two steps of it recorded different operations or numbers")
            changed = shadow.changed()
            if changed:
                raise Untraceable(changed)
        except Untraceable:
            raise
        except Exception as error:
            raise Untraceable(f"tracing it raised {type(error).__name__}: {error}") from error
    found = _loops.get(first.signature)
    if found is None:
        found = Compiled(first, type(cell) in BUILT_IN)
        _remember(_loops, first.signature, found)
    if live is None and type(cell) not in BUILT_IN:
        write(cell, _Step(Shadow(cell), x, state, None, constants), found, x, state, constants)
    return found, [*shadow.tensors, *constants.values()]


def _remember(table: dict[Any, Compiled], key: Any, value: Compiled) -> None:
    while len(table) >= MOST:
        del table[next(iter(table))]
    table[key] = value


class _Step:
    """One step of the shadow on leaves of its own; called, it gives the output and the new state."""

    def __init__(
        self, shadow: Shadow, x: Any, state: Any, live: Any, constants: dict[str, Any]
    ) -> None:
        self.shadow = shadow
        self.constants = {k: leaf(t._data) for k, t in constants.items()}
        self.state = mapped(lambda t: leaf(t._data), state)
        self.x, self.steps = leaf(x[0]), len(x)
        self.live = None if live is None else leaf(live[0])
        self.result: Any = None

    def inputs(self) -> dict[str, Any]:
        """The nodes of the inputs by their roles."""
        roles = {"x": self.x._node}
        if self.live is not None:
            roles["live"] = self.live._node
        for k, (_, t) in enumerate(parts(self.state)):
            if t.dtype.kind != "f" and t.dtype.kind != "c":
                raise Untraceable(f"its state holds {t.dtype}")
            roles[f"s{k}"] = t._node
        weights = [t._node for t in (*self.shadow.copies, *self.constants.values())]
        roles.update({f"w{k}": node for k, node in enumerate(weights)})
        return roles

    def advance(self, x: Any, live: Any) -> None:
        """The next step: its input, and the state that the last one left."""
        self.state = mapped(lambda t: leaf(t._data), self.result)
        self.x = leaf(x)
        self.live = None if live is None else leaf(live)

    def __call__(self) -> list[Tensor]:
        cell = self.shadow.cell
        x, live = self.x, self.live
        if live is not None:
            for t in (x, *(t for _, t in parts(self.state))):
                if t.ndim != live.ndim:
                    raise Untraceable("with lengths its input and state must be (batch, features)")
            x = where(live, x, 0.0)
        output, new = getattr(cell, "step", cell)(x, self.state, **self.constants)
        if not isinstance(output, Tensor):
            raise Untraceable("its output is no tensor")
        before, after = ([(n, t.shape) for n, t in parts(s)] for s in (self.state, new))
        if before != after:
            raise Untraceable("the new state has other names or shapes than the old one")
        olds, news = ([t for _, t in parts(s)] for s in (self.state, new))
        if any(t is s for t, s in zip(news, olds, strict=True)):
            raise Untraceable("a part of its state never changes")
        if self.steps <= len(olds) and any(t is s for t in news for s in olds):
            raise Untraceable("too few steps for a state that only moves on")
        if live is not None:
            if output.ndim != live.ndim:
                raise Untraceable("with lengths its output must be (batch, features)")
            output = where(live, output, 0.0)
            new = mapped(lambda a, b: where(live, a, b), new, self.state)
        self.result = new
        outputs = [output, *(t for _, t in parts(new))]
        for t in outputs:
            if t.dtype != self.x.dtype:
                raise Untraceable(f"it computes {t.dtype} from {self.x.dtype}")
        return outputs
