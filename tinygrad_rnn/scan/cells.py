"""How does a cell come to its loops? Traced, derived, scheduled, kept for the next call.

A cell's code is read before it is run (``bytecode``): what could do more than compute is recorded. What is
pure is traced, over two steps that must agree, and its loops are found by what the trace says. They are
the cell's for as long as everything that its step reads is as it was.
"""

from __future__ import annotations

from types import FunctionType
from typing import Any
from weakref import WeakKeyDictionary

from ..engine.values import Array
from ..nn import cells as known_cells
from ..nn import more_cells
from ..nn.compiling import State
from ..nn.module import Module
from ..nn.stepping import mapped, parts
from ..ops import dtypes
from ..ops.elementwise import where
from ..tensors import Tensor
from .inspection import inspected
from .purity import PACKAGE, Guard
from .threads import TRACING
from .tracing import CellCopy, Trace, Tracer, Untraceable, leaf, trace, tracing
from .variants import Compiled, Variant

BUILT_IN = frozenset(
    cell
    for cell in (*vars(known_cells).values(), *vars(more_cells).values())
    if isinstance(cell, type) and issubclass(cell, known_cells.Cell)
)
_loops: dict[Any, Compiled] = {}
_configurations: dict[Any, tuple[Compiled, list[int]]] = {}
MOST = 256  # programs that are remembered; the oldest go
MOST_VARIANTS = 8  # of one cell on inputs of one kind: other settings, other modes


class _Variants:
    """What a cell was seen to compute on inputs of one kind, the latest first."""

    def __init__(self) -> None:
        self.known: list[Variant] = []
        self.programs = 0  # made anew for it

    def find(self) -> Variant | None:
        """The one that holds now."""
        for variant in self.known:
            if variant.holds():
                return variant
        return None

    def enter(self, variant: Variant) -> Variant:
        """A new one; the oldest goes."""
        self.known = [variant, *self.known[: MOST_VARIANTS - 1]]
        return variant


_variants: WeakKeyDictionary[Module, dict[Any, _Variants]] = WeakKeyDictionary()


def compiled(
    cell: Module, x: Array, state: State, live: Array | None, constants: dict[str, Tensor]
) -> tuple[Compiled, list[Tensor]]:
    """The loops of a cell on inputs like these, and the tensors that are the same at every step."""
    variant = variant_of(cell, x, state, live, constants)
    return variant.found, variant.weights(constants)


def variant_of(
    cell: Module, x: Array, state: State, live: Array | None, constants: dict[str, Tensor]
) -> Variant:
    """What a cell computes on inputs like these.

    ``x`` is (time, batch, features) as an array, ``state`` a nesting of tensors, ``live`` (time, batch, 1)
    or None. Raises Untraceable with the reason where the cell cannot be compiled.
    """
    for name, value in constants.items():
        if not isinstance(value, Tensor):
            raise Untraceable(f"a keyword argument of the call, {name}, is no tensor")
    with TRACING:
        kinds = _variants.setdefault(cell, {})
        kind = _kind(x, state, live, constants)
        variants = kinds.get(kind)
        if variants is None:
            while len(kinds) >= MOST:
                del kinds[next(iter(kinds))]
            variants = kinds[kind] = _Variants()
        variant = variants.find()
        if variant is None:
            variant = variants.enter(_seen(cell, x, state, live, constants, variants, kind))
    if variant.why:
        raise Untraceable(variant.why)
    return variant


def _kind(x: Array, state: State, live: Array | None, constants: dict[str, Tensor]) -> Any:
    """What a variant is for: the kinds of input, state and constants, and what casting depends on."""
    shapes = [(k, t._data.shape, t._data.dtype) for k, t in constants.items()]
    steps = min(len(x), len(parts(state)) + 1)
    around = (steps, live is None, dtypes.default_dtype)
    return (x.shape[1:], x.dtype, nesting(state), *around, *shapes)


def nesting(value: State) -> Any:
    """The nesting of a state, with shapes and dtypes, hashable."""
    if isinstance(value, Tensor):
        return value._data.shape, value._data.dtype
    if value is None:
        return None
    if isinstance(value, dict):
        return (dict, *[(k, nesting(v)) for k, v in value.items()])
    if not isinstance(value, (tuple, list)):
        raise Untraceable(f"its state holds a {type(value).__name__}")
    return (type(value), *[nesting(v) for v in value])


def _fields(value: State) -> set[str]:
    """The names of the parts of named tuples in a state."""
    if not isinstance(value, (tuple, list, dict)):
        return set()
    below = value.values() if isinstance(value, dict) else value
    return {*getattr(value, "_fields", ()), *(name for part in below for name in _fields(part))}


def _seen(
    cell: Module,
    x: Array,
    state: State,
    live: Array | None,
    constants: dict[str, Tensor],
    variants: _Variants,
    kind: Any,
) -> Variant:
    """What a cell computes as it is now: read first, traced only where nothing but tensors can matter."""
    guards, why = inspected(cell, constants, _fields([state, *constants.values()]))
    variant = Variant(guards, why or "")
    if why:
        return variant
    key, tensors = None, _tensors_of(guards)
    ours = type(cell) in BUILT_IN and all(map(_ours, guards))
    if ours and not constants:
        key = (type(cell), kind, *_described(guards, tensors))
        known = _configurations.get(key)
        if known is not None:
            variant.takes(*known, tensors)
            return variant
    if variants.programs >= MOST_VARIANTS:
        variant.why = (
            f"its settings have changed {variants.programs} times, each time to another program: "
            "pass what changes as a keyword argument, a tensor"
        )
        return variant
    try:
        first, used, every = _trace_twice(cell, x, state, live, constants)
        found = _loops.get(first.signature)
        if found is None:
            found = Compiled(first, ours)
            _remember(_loops, first.signature, found)
            variants.programs += 1
    except Untraceable as reason:
        variant.why = str(reason)
        return variant
    variant.takes(found, used, every)
    if key is not None:
        places = {id(t): k for k, t in enumerate(tensors)}
        _remember(_configurations, key, (found, [places[id(every[k])] for k in used]))
    return variant


def _ours(guard: Guard) -> bool:
    """Whether what a step reads is no function, or one of the package's own."""
    value = guard[2]
    return not isinstance(value, FunctionType) or str(value.__module__).startswith(PACKAGE)


def _tensors_of(guards: list[Guard]) -> list[Tensor]:
    """The tensors that a step reads, each once."""
    found = {id(value): value for _, _, value in guards if isinstance(value, Tensor)}
    return list(found.values())


def _described(guards: list[Guard], tensors: list[Tensor]) -> list[Any]:
    """What a built-in cell reads, as far as its equations depend on it."""
    places = {id(t): k for k, t in enumerate(tensors)}
    described: list[Any] = []
    for _, key, value in guards:
        if isinstance(value, Tensor):
            described.append((key, places[id(value)], value._data.shape, value._data.dtype))
        else:
            described.append((key, type(value) if isinstance(value, Module) else value))
    return described


def _trace_twice(
    cell: Module, x: Array, state: State, live: Array | None, constants: dict[str, Tensor]
) -> tuple[Trace, list[int], list[Tensor]]:
    """Trace two steps, which must agree: the first, which tensors it used, and all that the cell has."""
    with tracing(Tracer()) as tracer:
        try:
            shadow = CellCopy(cell)
            step = _Step(shadow, x, state, live, constants)
            first = trace(step, step.inputs(), tracer)
            if len(x) > 1:
                step.advance(x[1], None if live is None else live[1])
                second = trace(step, step.inputs(), tracer)
                if first.signature != second.signature:
                    raise Untraceable("two steps of it recorded different operations or numbers")
            used, first = step.only_used(first)
        except Untraceable:
            raise
        except Exception as error:
            raise Untraceable(f"tracing it raised {type(error).__name__}: {error}") from error
    return first, used, shadow.tensors


def _remember(table: dict[Any, Any], key: Any, value: Any) -> None:
    while len(table) >= MOST:
        del table[next(iter(table))]
    table[key] = value


class _Step:
    """One step of the shadow on leaves of its own; called, it gives the output and the new state."""

    def __init__(
        self,
        shadow: CellCopy,
        x: Array,
        state: State,
        live: Array | None,
        constants: dict[str, Tensor],
    ) -> None:
        self.shadow = shadow
        self.constants = {k: leaf(t._data) for k, t in constants.items()}
        self.state = mapped(lambda t: leaf(t._data), state)
        self.x, self.steps = leaf(x[0]), len(x)
        self.live = None if live is None else leaf(live[0])
        self.result: State = None

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

    def only_used(self, seen: Trace) -> tuple[list[int], Trace]:
        """A trace without the tensors that it has no use for, and the places of those that it has."""
        weights = [node for role, node in seen.inputs.items() if role[0] == "w"]
        nodes = {id(node) for node in seen.nodes}
        used = [k for k, node in enumerate(weights) if id(node) in nodes]
        inputs = {role: node for role, node in seen.inputs.items() if role[0] != "w"}
        inputs.update({f"w{k}": weights[at] for k, at in enumerate(used)})
        return used, Trace(inputs, seen.outputs)

    def advance(self, x: Array, live: Array | None) -> None:
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
