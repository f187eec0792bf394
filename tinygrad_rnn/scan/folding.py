"""How does a call that ran as one node lead back to its steps? Recorded anew when somebody looks.

To a reader the node is not there: the layer's outputs are of the kind ``engine.lazy_output.LazyOutput``, and
looking at them records the layer's steps op by op, on the values and Parameters of the call.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Sequence
from contextlib import ExitStack
from itertools import compress
from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np

from ..engine.gradients import grad
from ..engine.inside import Inside
from ..engine.lazy_output import LazyOutput, slot_writes
from ..engine.places import Call, unobserved
from ..engine.places import state as now
from ..engine.switches import enable_grad
from ..engine.values import STRIDE, Array, Constant, Grad, Leaf, Node, Value, next_number
from ..nn.some_steps import SomeSteps
from ..ops.row import Op
from ..ops.shapes import reshape
from ..tensors import Tensor
from .purity import as_before
from .runtime import Flow

if TYPE_CHECKING:
    from .variants import Variant

_lock = threading.RLock()


class CallAsNode:
    """One call: gradients pass through it as one node, and a reader finds the steps behind it.

    ``steps`` are the time steps that it ran over.
    """

    nested = False  # whether one of its outputs is made of another
    time_axis = 0
    lengths: Array | None = None
    layer: Any = None  # whose call it is, where it is a layer's
    ways: Sequence[
        tuple[Any, ...]
    ] = ()  # what calls of each cell have in common, once some were recorded

    def __init__(self, steps: range) -> None:
        self.steps = steps

    def gradients(self, g: list[Grad]) -> list[Grad]:
        """From the gradients of all outputs (None where nothing came to a later one) to the parents'."""
        raise NotImplementedError

    def tells(self) -> bool:
        """Whether the call can say what flowed inside of it without being recorded op by op."""
        return False

    def taken(self) -> dict[int, tuple[Array, Value | None]]:
        """The array and the node of each tensor that went in, as they were then, by the tensor's id."""
        return {id(t): (data, node) for t, data, node in self.values}

    def first_states(self) -> Sequence[Tensor]:
        """The tensors that the call starts from, where they may ask for a gradient."""
        return ()

    def starts_from_leaves(self) -> bool:
        """Whether one of them is the user's own: its gradient counts as a use, which no loop tells."""
        return any(isinstance(t._node, Leaf) for t in self.first_states())

    def told(self, g: list[Grad]) -> tuple[list[Grad], list[Inside | None]]:
        """As ``gradients``, and what flowed inside, cell by cell: None for one that no gradient came to."""
        raise NotImplementedError

    def derived(self, g: list[Grad]) -> list[Any]:
        """As ``gradients``, or by the recorded steps where the loops raise an error, lack of memory apart."""
        try:
            return self.gradients(g)
        except MemoryError:
            raise
        except Exception as error:
            if self.layer is not None:
                why = f"the gradients recorded op by op: {type(error).__name__}: {error}"
                self.layer.__dict__["_ran"] = f"compiled, {why}"
        return self._derived_by_steps(g)

    def _derived_by_steps(self, g: list[Any]) -> list[Any]:
        """The gradients of the parents, by steps recorded on leaves in their place."""
        fresh = {id(t): Leaf(t._data.shape, t._data.dtype) for t in self.parents}
        values = [(t, data, fresh.get(id(t), node)) for t, data, node in self.values]
        asked = [Tensor._wrap(data, node) for t, data, node in values if id(t) in fresh]
        outputs = self._record(None, values)
        pairs = zip(outputs, g, strict=True)
        came = [(t, d) for t, d in pairs if d is not None and t.requires_grad]
        ends, seeds = [t for t, _ in came], [Tensor._wrap(d, None) for _, d in came]
        found = grad(ends, asked, seeds, allow_unused=True) if ends else asked
        return [None if d is None or not ends else d._data for d in found]

    def recorded(self, only: SomeSteps | None) -> list[Tensor]:
        """The same outputs, op by op, of all steps or of some only (counted from the first)."""
        raise NotImplementedError

    def variants(self) -> Iterable[Variant]:
        """What the cells that ran had read."""
        raise NotImplementedError

    def begin(self) -> tuple[Array, slice | int] | None:
        """Values of the first steps as they were computed, and which of the output they are.

        A recorded loop must give them again; later ones may differ by rounding that grows. None where
        all steps depend on all others.
        """
        raise NotImplementedError

    @property
    def values(self) -> list[tuple[Tensor, Array, Value | None]]:
        """The tensors that went in, each with its array and its node as they were then."""
        return [*zip(self.tensors, self.arrays, self.nodes, strict=True)]

    def outputs(
        self, arrays: Sequence[Array], needs: Iterable[bool], taken: Collection[Tensor]
    ) -> list[Tensor]:
        """The call's outputs, recorded; ``taken`` are the tensors that went in, each once."""
        self.place = now.place
        self.tensors = [*taken]
        self.arrays, self.nodes = [t._data for t in taken], [t._node for t in taken]
        asking = [node is not None and node.needs for node in self.nodes]
        self.parents = [*compress(self.tensors, asking)]
        self.folded: list[tuple[int, Any]] = []  # weakly: the outputs hold the call
        shapes = tuple([a.shape for a in arrays])
        parents: Any = tuple(compress(self.nodes, asking))
        whole = Node(SCAN, parents, None, (self,), shapes, arrays[0].dtype, self.place)
        made = []
        for k, (array, needed) in enumerate(zip(arrays, needs, strict=True)):
            node = None
            if needed:
                node = LazyOutput(whole, k, self)
                self.folded.append((k, ref(node)))
            made.append(Tensor._wrap(array, node))
        return made

    # ---- the recorded truth

    def unfold(self) -> None:
        """Record the call op by op, and let the folded outputs become what was recorded."""
        with _lock:
            live = [(k, f()) for k, f in self.folded]
            folded = {k: f for k, f in live if f is not None}
            some = next(iter(folded.values()))
            if some.fold is None:
                return
            mark = next_number()
            outputs = self._record(None)
            made = self._numbered(outputs, mark, some)
            place = {id(outputs[k]._node): f for k, f in folded.items()}
            calls: set[Call] = set()
            for node in made:
                if any(id(p) in place for p in node.parents):
                    node.parents = tuple([place.get(id(p), p) for p in node.parents])
                if node.place.call is not None:
                    calls.add(node.place.call)
            for call in calls:
                call.inputs = tuple([(name, place.get(id(n), n)) for name, n in call.inputs])
            writes = slot_writes(some.whole, number=made[0].number - 1)
            for k, f in folded.items():
                writes += f.becoming(outputs[k]._node)
            for write, thing, value in writes:
                write(thing, value)

    # ---- some steps of it, for who needs no more

    @property
    def changes(self) -> list[int]:
        """The steps from which on another set of sequences has ended: what is recorded differs there."""
        lengths = self.lengths
        if lengths is None or not len(lengths):
            return []
        return [self.steps[0] + int(n) for n in (lengths.min(), lengths.max())]

    @property
    def before(self) -> list[Value]:
        """The nodes that the call takes: of its input, its first states and its weights."""
        return [node for _, _, node in self.values if node is not None]

    @property
    def sequence(self) -> Any:
        """The folded output over time, None where nothing holds it."""
        return next((f() for k, f in self.folded if k == 0), None)

    def output(self) -> Array:
        """The values of the output over time, as the call returned them."""
        raise NotImplementedError

    def entered(self) -> list[list[Array]]:
        """The values of the state that every step starts from, in the order of time, cell by cell."""
        raise NotImplementedError

    def excerpt(self, steps: Sequence[int], true: bool = False) -> tuple[dict[int, Any], list[Any]]:
        """Record only ``steps``, each on the state that the one before among them leaves.

        The values are those of the call where ``true`` asks for it, of a call that ``tells``. Returns the
        node in place of each folded output, by the output's id, and all nodes made; the fold stays as it is.
        """
        with _lock:
            folded = {k: f for k, f in [(k, f()) for k, f in self.folded] if f is not None}
            mark = next_number()
            first = self.steps[0]
            only = SomeSteps(step - first for step in steps)
            if true:
                only.entered = [_after_gaps(only, states) for states in self.entered()]
            outputs = self._record(only)
            made = self._numbered(outputs, mark, next(iter(folded.values())))
            result = {}
            for k, f in folded.items():
                node: Any = outputs[k]._node
                node.shape, node.name = f.shape, f.name or node.name
                result[id(f)] = node
            return result, made

    def _numbered(self, outputs: list[Tensor], mark: int, some: LazyOutput) -> list[Any]:
        """The ops recorded since ``mark`` in their order, now numbered as if made when the call ran."""
        made = sorted(reachable_since(outputs, mark), key=lambda n: n.number)
        calls = dict.fromkeys(node.place.call for node in made if node.place.call is not None)
        self.ways = [*dict.fromkeys((call.cell, call.scope, call.label) for call in calls)]
        whole = some.whole
        assert whole is not None
        start = whole.number - STRIDE + 1
        for k, node in enumerate(made):
            node.number = start + 1 + k
        return made

    def _record(self, steps: SomeSteps | None, values: Any = None) -> list[Tensor]:
        """The outputs of the recorded loop on the values of the call, of all steps or some of them.

        ``values`` has other nodes for them.
        """
        values = self.values if values is None else values
        changed = [(t, t._data, t._node) for t, data, _ in values if t._data is not data]
        nodes = [(t, t._node) for t, _, node in values if t._node is not node]
        try:
            for t, data, node in values:
                t._data, t._node = data, node
            with ExitStack() as stack, unobserved(self.place), enable_grad():
                for variant in self.variants():
                    stack.enter_context(as_before(variant.guards))
                mark = next_number()
                outputs = self.recorded(steps)
                for k, f in self.folded:
                    if f() is not None:
                        outputs[k] = _own(outputs[k], mark)
            if steps is None:
                self._compare(outputs[0])
            return outputs
        finally:
            for t, data, node in changed:
                t._data, t._node = data, node
            for t, node in nodes:
                t._node = node

    def _compare(self, output: Tensor) -> None:
        """Raise where the recorded loop gives other values than the call gave."""
        begin = self.begin()
        if begin is None:
            return
        values, where = begin
        found = output._data[where]
        limit = 1e-6 if values.dtype.char == "d" else 1e-2
        size = 1 + np.abs(values).max(initial=0, where=np.isfinite(values))
        with np.errstate(invalid="ignore"):
            apart = ~np.isclose(found, values, rtol=limit, atol=limit * size, equal_nan=True)
        if apart.any():
            raise RuntimeError(
                f"{self.place}the steps of a compiled call cannot be recorded as they were: they give "
                "other values now. Something that the cell reads has changed since the call"
            )


def _after_gaps(only: SomeSteps, states: list[Any]) -> dict[int, list[Any]]:
    """The state of a cell at those steps whose neighbour, on one side or the other, is not among some."""
    chosen = {-1, *only, len(states[0])}
    gaps = [t for t in only if not {t - 1, t + 1} <= chosen]
    return {t: [values[t] for values in states] for t in gaps}


def _own(output: Tensor, mark: int) -> Tensor:
    """An output as a node of this recording: what a cell hands on as it came gets one."""
    node = output._node
    if node is None:  # it depends on nothing with lengths like these
        shape, dtype = output._data.shape, output._data.dtype
        source = (Constant(shape, dtype),)
        output._node = Node(reshape.op, source, None, (shape, shape), shape, dtype, now.place)  # type: ignore[attr-defined]
        return output
    return output if node.number > mark else output.clone()


def reachable_since(outputs: Sequence[Tensor], mark: int) -> list[Any]:
    """The ops behind some outputs that were recorded after a number was given out."""
    stack = [t._node for t in outputs if t._node is not None]
    seen = {id(n) for n in stack}
    found = []
    while stack:
        node = stack.pop()
        if node.op is None or node.number < mark:
            continue
        found.append(node)
        for p in node.parents:
            if id(p) not in seen and p.number > mark:
                seen.add(id(p))
                stack.append(p)
    return found


def only(flags: tuple[bool, ...], flow: Flow) -> Flow:
    """Gradients of input, states and weights, with None for what no gradient reaches."""
    if all(flags):
        return flow
    dx, dstates, dweights = flow
    every = zip((dx, *dstates, *dweights), flags, strict=True)
    dx, *rest = [d if reached else None for d, reached in every]
    return dx, rest[: len(dstates)], rest[len(dstates) :]


class _Scan(Op):
    """The op of the one node."""

    __slots__ = ()

    def filled(self, node: Node, parts: list[Any]) -> list[Any]:
        """As they are: None where nothing came."""
        return parts

    def joint(self, node: Node, g: list[Any]) -> list[Any]:
        """All gradients, by one run of the loop backwards."""
        return node.saved[0].derived(g)  # type: ignore[no-any-return]


SCAN = _Scan(
    "scan",
    CallAsNode.outputs,
    (),
    variadic=True,
    several=True,
    sparse=False,
    promote=None,
    floating=False,
)
