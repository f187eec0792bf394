"""What does one iteration of training do? Its Python read, its forward traced with every layer as one whole.

The model's and the loss's code is followed as a cell's step is (``scan.bytecode``): what could do more than
compute has a reason in words, and what it reads is guarded. A recurrent layer is not looked into: its
settings are guarded, and in a trace its call is one block, which runs by the loops that are the layer's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from ..engine.autograd import flow
from ..engine.listening import unheard
from ..engine.places import NOWHERE
from ..engine.random import generator_or_default
from ..engine.switches import enable_grad
from ..engine.values import Array, Constant, Grad, Leaf, next_number
from ..nn.compiling import LayerCall
from ..nn.layers import Embedding
from ..nn.module import Module
from ..nn.recurrent import Recurrent
from ..nn.stacks import GRU, LSTM, RNN
from ..nn.stepping import refusal
from ..scan import bytecode, purity, running
from ..scan.by_table import FEATURES, by_table
from ..scan.bytecode import GIVEN, Known, Value, single
from ..scan.opcodes import follow
from ..scan.purity import Guard, Guards, Impure
from ..scan.runtime import of_shape
from ..scan.tracing import Tracer, Unrecorded, Untraceable, tracing
from ..tensors import Tensor
from ..tensors.state_dicts import CALLED

LAYERS = (RNN, LSTM, GRU, Recurrent)


# ---- the Python -------------------------------------------------------------------------------------


class _Walk(bytecode.Walk):
    """A walk that takes recurrent layers as they are, and notes what they read."""

    def _call_known(self, thing: Any, args: list[Value], kwargs: dict[str, Value]) -> Value:
        layer = single(args[0]) if args and purity.calls_forward(thing) else None
        if type(layer) in LAYERS:
            self._no_hooks(args[0])
            self._read(layer)
            return frozenset({GIVEN})
        return super()._call_known(thing, args, kwargs)

    def _read(self, layer: Any) -> None:
        """All that a layer's call may depend on, but what its cells' steps read (their variants know)."""
        self.guards.of_class(type(layer), "forward")
        self.guards.attribute(layer, "compiled")
        for module in dict.fromkeys((*layer.modules(), *layer.__dict__.get("_stack", ()))):
            for name, value in list(module.__dict__.items()):
                if name in ("_ran", "_known_as", CALLED):
                    continue
                self.guards.item(module.__dict__, name)
                if type(value) in (dict, list):
                    self.guards.contents(value)
        if type(layer) is Recurrent:
            for cell in layer.cells():
                start = self.attribute(frozenset({Known(cell)}), "initial_state")
                self.call(start, [bytecode.NEW], {})


def inspected(model: Module, loss: Any, count: int) -> tuple[list[Guard], str | None]:
    """What ``loss(model(*inputs), target)`` of ``count`` tensors reads, and why it must be run as Python."""
    guards, why = Guards(), None
    walk = _Walk(guards, frozenset(), follow)
    given: Value = frozenset({GIVEN})
    try:
        while walk.grew:
            walk.grew, walk.steps = False, 0
            walk.memo.clear()
            prediction = walk.call(bytecode.known(model), [given] * (count - 1), {})
            walk.call(bytecode.known(loss), [prediction | given, given], {})
    except Impure as reason:
        why = str(reason)
    except Exception as error:  # of ours: what is not understood is run
        why = f"its code could not be followed ({type(error).__name__}: {error})"
    return guards.finished(), why


# ---- the trace --------------------------------------------------------------------------------------


class Moves:
    """What a forward moves beside its values: generators, and how often cells have been called."""

    def __init__(self, generators: Sequence[Any], cells: Sequence[Module]) -> None:
        self.generators = [generator_or_default(g) for g in generators]
        self.cells = cells

    def now(self) -> tuple[list[Any], list[Any]]:
        """Where they stand."""
        counts = [cell.__dict__.get(CALLED) for cell in self.cells]
        return [g.bit_generator.state for g in self.generators], counts

    def back(self, then: tuple[list[Any], list[Any]]) -> None:
        """Let them stand where they stood."""
        for g, before in zip(self.generators, then[0], strict=True):
            g.bit_generator.state = before
        for cell, count in zip(self.cells, then[1], strict=True):
            cell.__dict__.pop(CALLED, None)
            if count is not None:
                cell.__dict__[CALLED] = count

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Let them stand afterwards where they stood before."""
        then = self.now()
        try:
            yield
        finally:
            self.back(then)


class OpaqueCall:
    """What runs as one whole: tensors in, tensors out that begin anew in the trace."""

    moves: Moves  # what its forward moves
    parents: list[Tensor]  # each tensor once that gradients may go to
    weights: dict[int, Tensor]  # of those, what it does not take as an array

    def __init__(self, taken: Sequence[Tensor]) -> None:
        self.number = next_number()
        self.taken = list(taken)
        self.results: list[Tensor] = []

    def gives(self, arrays: Sequence[Array], needs: Sequence[bool]) -> list[Tensor]:
        """The results, as leaves or constants."""
        for array, needed in zip(arrays, needs, strict=True):
            t = Tensor._wrap(array, None)
            kind = Leaf if needed else Constant
            t._node = kind(t._data.shape, t._data.dtype)
            self.results.append(t)
        return self.results

    def forward(self, arrays: Sequence[Array]) -> tuple[list[Array], Any]:
        """The results of arrays, and what ``backward`` takes."""
        raise NotImplementedError

    def backward(self, kept: Any, g: list[Grad]) -> list[Grad]:
        """The gradients of all ``parents``, None where there is none."""
        raise NotImplementedError

    def reached(self, came: Sequence[bool]) -> list[bool]:
        """Which parents get a gradient, where some come to these results."""
        with self.moves.undone():
            results, kept = self.forward([t._data for t in self.taken])
        pairs = zip(results, came, strict=True)
        found = self.backward(kept, [np.zeros_like(a) if c else None for a, c in pairs])
        return [d is not None for d in found]


class OpaqueLayer(OpaqueCall):
    """A recurrent layer's call, by the loops that ran when it was traced."""

    def __init__(self, made: running.CompiledCall, moves: Moves) -> None:
        self.made, self.moves = made, moves
        done = made.each()
        self.weights = {id(t): t for p in done for t in p.weights}
        super().__init__([made.call.x, *[t for p in done for t in p.states]])
        self.parents = list({id(t): t for t in (*self.taken, *self.weights.values())}.values())
        made.parents = [t for t in self.parents if t._node is not None and t._node.needs]
        self.asked = [any(t is p for p in made.parents) for t in self.parents]
        each_once = len(done) == 1 and len(self.parents) == len(self.taken) + len(self.weights)
        plain = each_once and not made.call.stages[0].dropout
        alone = plain and len(self.weights) == len(done[0].weights)
        self.alone = _Alone(made, self.parents, self.asked) if alone else None

    def variants(self) -> list[Any]:
        """What its cells read."""
        return self.made.variants()

    def forward(self, arrays: Sequence[Array]) -> tuple[list[Array], Any]:
        """As ``CompiledCall.forward``, of variants that are known; loops are those whose turn it is."""
        if self.alone is not None:
            return self.alone.forward(arrays)
        again = self.made.again(arrays[0], iter(arrays[1:]))
        ran = [p.loops.ran for p in again.each()]
        self.made.layer.__dict__["_ran"] = ran[0] if len(ran) == 1 else frozenset().union(*ran)
        return again.flat, again

    def backward(self, kept: Any, g: list[Grad]) -> list[Grad]:
        """In the order of ``parents``."""
        if self.alone is not None:
            return self.alone.backward(kept, g)
        found = iter(kept.gradients(g))
        return [next(found) if asked else None for asked in self.asked]


class _Alone:
    """A layer of one cell whose tensors are all different, without the questions that many would ask."""

    def __init__(
        self, made: running.CompiledCall, parents: list[Tensor], asked: list[bool]
    ) -> None:
        one = made.passes[0][0]
        self.cell, self.found, self.weights = one.direction.cell, one.variant.found, one.weights
        self.steps, self.keep = one.steps, one.keep
        self.of_x, self.of_states = one.of_x, one.of_states
        self.backwards, self.axis = one.direction.backwards, made.call.time_axis
        self.joined, self.layer = bool(made.call.joined), made.layer.__dict__
        self.asked = [(asked, t._data.shape) for t, asked in zip(parents, asked, strict=True)]

    def in_time(self, a: Any) -> Any:
        """From the caller's axes to those of the loops, whose first is time, or from these to those."""
        if self.axis:
            a = a.swapaxes(0, self.axis)
        return a[::-1] if self.backwards else a

    def forward(self, arrays: Sequence[Array]) -> tuple[list[Array], Any]:
        """Output and last states, and what ``backward`` takes."""
        loops = self.found.turn(self.cell, self.keep, self.of_x, self.steps)
        x, *states = arrays
        given = [np.ascontiguousarray(self.in_time(x)), *states, *[w._data for w in self.weights]]
        y, finals, kept = loops.tried(given, self.steps, self.keep)
        self.layer["_ran"] = loops.ran
        if self.joined:
            finals = [a[None] for a in finals]
        return [self.in_time(y), *finals], (loops, kept, y)

    def backward(self, kept: Any, g: list[Grad]) -> list[Grad]:
        """The gradients of all parents: None where there is none."""
        loops, kept, y = kept
        dy, *last = g
        came = (dy is not None, *[d is not None for d in last])
        dy = np.zeros_like(y) if dy is None else np.ascontiguousarray(self.in_time(dy))
        if self.joined:
            last = [None if d is None else d[0] for d in last]
        dx, states, weights = loops.backward(kept, self.steps, dy, last, self.of_states)
        every = [None if dx is None else self.in_time(dx), *states, *weights]
        flags = self.found.reach.reached(came, self.steps)
        return [
            of_shape(d, shape) if asked and flag and d is not None else None
            for d, flag, (asked, shape) in zip(every, flags, self.asked, strict=True)
        ]


class OpaqueFunction(OpaqueCall):
    """A function of the library that looks at values: called on tensors at every iteration."""

    def __init__(self, function: Any, args: list[Any], options: dict[str, Any]) -> None:
        self.function, self.args, self.options = function, args, options
        every = [*args, *options.values()]
        self.weights: dict[int, Any] = {}
        self.moves = Moves([], [])
        super().__init__([t for t in every if isinstance(t, Tensor)])
        self.parents = self.taken

    def variants(self) -> list[Any]:
        """None: it has no cells."""
        return []

    def forward(self, arrays: Sequence[Array]) -> tuple[list[Array], Any]:
        """The function's result on leaves of its own."""
        leaves = [Tensor._wrap(a, None) for a in arrays]
        for leaf, t in zip(leaves, self.taken, strict=True):
            if t._node is not None and t._node.needs:
                leaf._node = Leaf(t._data.shape, t._data.dtype)
        given = iter(leaves)
        args = [next(given) if isinstance(a, Tensor) else a for a in self.args]
        options = {k: next(given) if isinstance(a, Tensor) else a for k, a in self.options.items()}
        with enable_grad():
            result = self.function(*args, **options)
        return [result._data], (result, leaves)

    def backward(self, kept: Any, g: list[Grad]) -> list[Grad]:
        """By the engine."""
        result, leaves = kept
        reached = flow([(result._node, g[0])])
        found = {id(node): d for node, d, _ in reached.values()}
        return [found.get(id(leaf._node)) for leaf in leaves]


class PartOf:
    """What stands for the row in an unrecorded node that is one of several results."""

    variadic = several = False

    def __init__(self, op: Any, constants: tuple[Any, ...], place: int) -> None:
        self.name, self.op, self.constants, self.place = f"part of {op.name}", op, constants, place


def tables(model: Module) -> list[Leaf]:
    """The rows from which a layer's products may be computed: those of the model's embeddings."""
    found = [m.weight._node for m in model.modules() if type(m) is Embedding]
    return [node for node in found if type(node) is Leaf and node.shape[1] >= FEATURES]


class BlockTracer(Tracer):
    """A tracer to which layers, and functions that look at values, are wholes."""

    def __init__(self, tables: list[Leaf]) -> None:
        super().__init__()
        self.tables = tables
        self.blocks: list[Any] = []
        self.finite: list[Any] = []  # nodes whose values must be finite

    def looks(self, how: str) -> None:
        """An index may be an input as it is: whether it is, is asked when the program is written."""
        if how != "an index":
            super().looks(how)

    def parts(self, op: Any, results: Sequence[Tensor], a: Tensor, constants: Any) -> None:
        """Several results that take no gradient."""
        if a._node is None:
            a._node = Constant(a._data.shape, a._data.dtype)
        for k, t in enumerate(results):
            made: Any = PartOf(op, constants, k)
            t._node = Unrecorded(made, (a._node,), None, (), t._data.shape, t._data.dtype, NOWHERE)

    def layer(self, call: LayerCall) -> Any:
        """A layer's call, by its compiled loops."""
        if call.lengths is not None:
            raise Untraceable("a layer gets lengths, which Python reads")
        if call.constants:
            raise Untraceable("a layer gets keyword arguments for its cell")
        layer, x, stages = call.layer, call.x, call.stages
        with unheard():
            why = refusal(layer)
            if why is not None:
                raise Untraceable(f"a {type(layer).__name__} is recorded op by op: {why}")
            made = running.CompiledCall(replace(call, first_step=0, recorded=lambda *_: (x, x)))
            drawn = [layer.generator for stage in stages if stage.dropout]
            moves = Moves(drawn, [cell for stage in stages for cell in stage.cells()])
            with moves.undone():
                flat = made.forward()
        self.finite += by_table(made, self.tables)
        block = OpaqueLayer(made, moves)
        results = block.gives(flat, made.needs())
        self.blocks.append(block)
        return made.shaped(results)

    def called(self, function: Any, args: Sequence[Any], options: dict[str, Any]) -> Any:
        """A function's result as a whole."""
        block = OpaqueFunction(function, list(args), options)
        with unheard():
            flat, (result, _) = block.forward([t._data for t in block.taken])
        (t,) = block.gives(flat, [result._node is not None and result._node.needs])
        self.blocks.append(block)
        return t


class Iteration:
    """The forward of one iteration, traced: the loss's node, the inputs', the blocks."""

    def __init__(self, model: Module, loss: Callable[..., Any], inputs: Sequence[Tensor]) -> None:
        self.inputs = [Tensor._wrap(t._data, None) for t in inputs]
        for t in self.inputs:
            t._node = Constant(t._data.shape, t._data.dtype)
        try:
            with tracing(BlockTracer(tables(model))) as tracer:
                prediction = model(*self.inputs[:-1])
                if not isinstance(prediction, Tensor):
                    raise Untraceable(f"the model returns a {type(prediction).__name__}")
                total = loss(prediction, self.inputs[-1])
        except Untraceable:
            raise
        except Exception as error:
            raise Untraceable(f"tracing it raised {type(error).__name__}: {error}") from error
        if tracer.looked:
            raise Untraceable(tracer.looked)
        if not isinstance(total, Tensor) or total._data.size != 1:
            raise Untraceable("the loss is no single number")
        if total._node is None or not total._node.needs:
            raise Untraceable("the loss depends on nothing that requires a gradient")
        self.total, self.blocks, self.tracer = total, tracer.blocks, tracer
        self.shape = prediction._data.shape


__all__ = ["Iteration", "Moves", "PartOf", "inspected", "tables"]
