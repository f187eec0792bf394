"""What runs in which order when a recurrent layer is called compiled? Forward and backward."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..engine.inside import Inside
from ..engine.places import state as now
from ..engine.random import generator_or_default
from ..engine.values import Array, DType, Grad
from ..nn.compiling import Direction, LayerCall, Stage, State
from ..nn.some_steps import SomeSteps
from ..nn.stepping import mapped, parts
from ..tensors import Tensor
from .cells import BUILT_IN, variant_of
from .folding import CallAsNode, only
from .probing import probe_of, tells
from .runtime import Flow, of_shape
from .tracing import Untraceable
from .variants import Variant

if TYPE_CHECKING:
    from .numpy_loops import NumpyLoops
    from .ragged import OverRows, Ragged

BEGIN = 3  # so many steps are compared when a call is recorded after all


def run(call: LayerCall) -> tuple[tuple[Tensor, State], list[Pass]]:
    """The last stage's outputs and all cells' last states, and the run of each cell. Raises Untraceable."""
    made = CompiledCall(call)
    try:
        flat = made.forward()
    except BaseException:
        for draw, before in reversed(made.drawn):
            draw.bit_generator.state = before
        raise
    done = made.each()
    if not any(p.keep for p in done):
        return made.shaped([Tensor._wrap(a, None) for a in flat]), done
    taken = {id(t): t for p in done for t in (call.x, *p.states, *p.weights)}
    return made.shaped(made.outputs(flat, made.needs(), taken.values())), done


class Pass:
    """One cell's run: the tensors that went in, and what its loops left for backward."""

    __slots__ = (
        "constants",
        "direction",
        "finals",
        "keep",
        "kept",
        "loops",
        "needs",
        "of_rows",
        "of_states",
        "of_x",
        "states",
        "steps",
        "turned",
        "variant",
        "weights",
        "y",
    )

    def __init__(
        self, call: LayerCall, direction: Direction, x: Array, live: Array | None, needs_x: bool
    ) -> None:
        self.direction, self.constants, given = direction, call.constants, x
        if direction.backwards:
            x = x[::-1]
            live = live if live is None else live[::-1]
        x = np.ascontiguousarray(x)
        state = direction.state
        self.states = [state] if isinstance(state, Tensor) else [t for _, t in parts(state)]
        self.steps = len(x)
        self._is_of(variant_of(direction.cell, x, state, live, self.constants), needs_x)
        name = self.variant.found.whose(direction.cell, self.keep, self.steps)
        if name == "numba" and call.lengths is not None and self._by_rows(given, call.lengths):
            return
        self._run([x] if live is None else [x, live], [t._data for t in self.states], name)

    def _is_of(self, variant: Variant, needs_x: bool) -> None:
        """What a run by a variant's loops takes and keeps."""
        self.variant, self.weights = variant, variant.weights(self.constants)
        tensors = [*self.states, *self.weights]
        asking = tuple([t._node is not None and t._node.needs for t in tensors])
        self.keep = now.recording and (needs_x or True in asking)
        self.of_x, self.of_states = self.keep and needs_x, True in asking[: len(self.states)]
        self.needs = variant.found.reach.needing(asking, needs_x, self.steps)
        self.turned = self.direction.backwards  # whether loops see time from its end
        self.of_rows: Variant | None = None  # whose loops ran, where they ran over valid rows alone

    def by(self, variant: Variant) -> Pass:
        """The same steps by another variant's loops, whose input asks for a gradient; not run yet."""
        made = object.__new__(Pass)
        made.direction, made.constants = self.direction, self.constants
        made.states, made.steps = self.states, self.steps
        made._is_of(variant, True)
        return made

    def _by_rows(self, x: Array, lengths: Array) -> bool:
        """Run over the valid steps of a ragged batch alone; False where that cannot be."""
        cell, layout = self.direction.cell, valid_rows(lengths, self.steps)
        if type(cell) not in BUILT_IN or self.constants or layout is None:
            return False  # others may look at the batch
        states = [Tensor._wrap(t._data[:1], None) for t in self.states]
        state = states[0] if len(states) == 1 else tuple(states)
        try:
            variant = variant_of(cell, x[:, :1], state, None, self.constants)
            if list(map(id, variant.weights(self.constants))) != list(map(id, self.weights)):
                return False
            loops = variant.found.ragged(self.keep, self.of_x)
            self.turned = False
            self._by(
                layout.over(loops, self.direction.backwards),
                [np.ascontiguousarray(x)],
                [t._data for t in self.states],
            )
        except Untraceable:
            self.turned = self.direction.backwards
            return False
        self.of_rows = variant
        return True

    def _run(self, sequences: Sequence[Array], states: Sequence[Array], name: str) -> None:
        """By the loops whose turn it is."""
        self._by(self.variant.found.taking_turns(self.keep, self.of_x, name), sequences, states)

    def _by(
        self, loops: NumpyLoops | OverRows, sequences: Sequence[Array], states: Sequence[Array]
    ) -> None:
        """By some loops, with the weights as they are."""
        self.loops = loops
        arrays = [*sequences, *states, *[t._data for t in self.weights]]
        y, self.finals, self.kept = loops.tried(arrays, self.steps, self.keep)
        self.y = y[::-1] if self.turned else y

    def again(self, x: Array, states: Sequence[Array]) -> Pass:
        """The same run on other arrays of the same kinds: what the cell computes is not asked again."""
        made = object.__new__(Pass)
        made.direction, made.constants = self.direction, self.constants
        made.states, made.weights = self.states, self.weights
        made.variant, made.steps, made.keep = self.variant, self.steps, self.keep
        made.needs, made.of_x, made.of_states = self.needs, self.of_x, self.of_states
        made.turned, made.of_rows = self.direction.backwards, None
        name = self.variant.found.whose(self.direction.cell, self.keep, self.steps)
        made._run([np.ascontiguousarray(x[::-1] if self.direction.backwards else x)], states, name)
        return made

    def asked(self, dy: Grad, dfinals: list[Grad]) -> bool:
        """Whether a gradient has come (``dy`` None: not to the output) and something asks for one."""
        return self.keep and (dy is not None or any(d is not None for d in dfinals))

    def backward(self, dy: Grad, dfinals: list[Grad]) -> Flow:
        """The gradients of x (in the order of time) or None, of the states, of the weights."""
        came = (dy is not None, *[d is not None for d in dfinals])
        if dy is None:
            dy = np.zeros(self.y.shape, self.y.dtype)
        flags = self.variant.found.reach.reached(came, self.steps)
        dy = np.ascontiguousarray(dy[::-1] if self.turned else dy)
        found = self.loops.backward(self.kept, self.steps, dy, dfinals, self.of_states)
        return self._in_time(*only(flags, found))

    def _in_time(self, dx: Grad, dstates: list[Grad], dweights: list[Grad]) -> Flow:
        return dx[::-1] if self.turned and dx is not None else dx, dstates, dweights

    def entered(self, x: Any, values: dict[int, Any]) -> list[Any]:
        """The values of the state that every step starts from, in the order of time."""
        states, weights = ([values[id(t)][0] for t in ts] for ts in (self.states, self.weights))
        x = x[::-1] if self.direction.backwards else x
        found = probe_of(self.variant.found).entered(self.loops.name, x, states, weights)
        return [a[::-1] for a in found] if self.direction.backwards else found

    def told(
        self, x: Any, values: dict[int, Any], dy: Grad, dfinals: list[Grad]
    ) -> tuple[Flow, Inside]:
        """As ``backward``, and what flowed inside; ``x`` is the input, ``values`` what the tensors were."""
        back, found = self.direction.backwards, self.variant.found
        given = [[values[id(t)] for t in tensors] for tensors in (self.states, self.weights)]
        states, weights = [[data for data, _ in each] for each in given]
        leaves = [node for _, node in given[1]]
        came = (dy is not None, *[d is not None for d in dfinals])
        if back:
            x, dy = x[::-1], None if dy is None else dy[::-1]
        probe, name = probe_of(found), self.loops.name
        flow, inside = probe.backward(name, x, states, weights, leaves, dy, dfinals)
        flow = self._in_time(*only(found.reach.reached(came, self.steps), flow))
        inside.x = flow[0] if self.of_x else None
        return flow, inside.in_time() if back else inside


class CompiledCall(CallAsNode):
    """One call of a layer: forward on arrays, backward on arrays."""

    flat: list[Array]

    def __init__(self, call: LayerCall) -> None:
        first, count = call.first_step, call.x._data.shape[call.time_axis]
        super().__init__(range(first, first + count))
        self.time_axis, self.lengths = call.time_axis, call.lengths
        self.call = call
        self.passes: list[list[Pass]] = []
        self.masks: list[Array | None] = []
        self.drawn: list[
            tuple[np.random.Generator, Any]
        ] = []  # generators, and how they were before
        self.layer = call.layer

    def recorded(self, only: SomeSteps | None) -> list[Tensor]:
        """The layer's own loop."""
        y, finals = self.call.recorded(only, self.masks)
        return [y, *(t for _, t in parts(finals))]

    def variants(self) -> list[Variant]:
        """What the cells that ran had read."""
        return [p.variant for p in self.each()]

    def each(self) -> list[Pass]:
        """The runs of all cells, in order."""
        return [p for stage in self.passes for p in stage]

    def begin(self) -> tuple[Array, Any] | None:
        """Values of the first steps, unless a cell came from the end."""
        if any(p.direction.backwards for stage in self.passes for p in stage):
            return None
        y = self.passes[-1][0].y[:BEGIN]
        first = slice(0, BEGIN)
        return (np.moveaxis(y, 0, 1), (slice(None), first)) if self.time_axis else (y, first)

    def again(self, x: Array, states: Iterator[Array]) -> CompiledCall:
        """The same call, of no lengths, on other arrays of the same kinds; its outputs are ``flat``."""
        made = object.__new__(CompiledCall)
        made.__dict__.update(self.__dict__)
        made.passes, made.masks, made.drawn = [], [], []

        def run(stage: Stage, x: Array, _needs_x: bool) -> list[Pass]:
            known = self.passes[len(made.passes)]
            return [p.again(x, [next(states) for _ in p.states]) for p in known]

        made.flat = made._through(x, run)
        return made

    def forward(self) -> list[Array]:
        """The arrays of the output and of the last states."""
        live = None
        if self.call.lengths is not None:
            steps = self.call.x._data.shape[self.call.time_axis]
            live = (np.arange(steps)[:, None] < self.call.lengths)[..., None]
        return self._through(
            self.call.x._data,
            lambda stage, x, needs_x: [
                Pass(self.call, d, x, live, needs_x) for d in stage.directions
            ],
        )

    def _through(self, x: Array, run: Callable[[Stage, Array, bool], list[Pass]]) -> list[Array]:
        """All stages, each run by ``run``, from an input to the outputs."""
        call, node = self.call, self.call.x._node
        if call.time_axis:
            x = np.moveaxis(x, call.time_axis, 0)
        finals: list[list[Array]] = []
        needs_x = node is not None and node.needs
        for stage in call.stages:
            mask = None
            if stage.dropout:
                draw = generator_or_default(call.layer.generator)
                self.drawn.append((draw, draw.bit_generator.state))
                mask = _dropout_mask(draw, x.shape, stage.dropout, x.dtype)
                x = x * mask
            self.masks.append(mask)
            done = run(stage, x, needs_x)
            needs_x = any(p.needs[0] for p in done)
            self.passes.append(done)
            x = _beside(done)
            finals += [p.finals for p in done]
        y = np.moveaxis(x, 0, call.time_axis) if call.time_axis else x
        if not call.joined:
            return [y, *(array for final in finals for array in final)]
        if len(finals) == 1:
            return [y, *[array[None] for array in finals[0]]]
        each_state = zip(*finals, strict=True)
        return [y, *(np.concatenate([a[None] for a in each]) for each in each_state)]

    def needs(self) -> list[bool]:
        """Which of the outputs depend on something that asks for a gradient."""
        done = self.each()
        y = any(p.needs[0] for p in self.passes[-1])
        if self.call.joined:
            return [y, *[any(each) for each in zip(*(p.needs[1:] for p in done), strict=True)]]
        return [y, *(need for p in done for need in p.needs[1:])]

    def shaped(self, tensors: list[Tensor]) -> tuple[Tensor, State]:
        """The output and the last states as tensors in their cells' nesting; they know their step."""
        call = self.call
        end = call.first_step + self.passes[0][0].steps - 1
        if call.joined:
            last = tensors[1:]
            for name, tensor in zip(call.joined, last, strict=True):
                tensor._tag = end
                if tensor._node is not None:
                    tensor._node.name = f"{name}_n"
            return tensors[0], last[0] if len(last) == 1 else tuple(last)
        rest = iter(tensors[1:])
        shaped: list[State] = []
        for stage in call.stages:
            for direction in stage.directions:
                mine = []
                for _ in parts(direction.state):
                    tensor = next(rest)
                    tensor._tag = call.first_step if direction.backwards else end
                    mine.append(tensor)
                each = iter(mine)
                shaped.append(mapped(lambda _t, each=each: next(each), direction.state))
        return tensors[0], shaped

    # ---- backward

    def tells(self) -> bool:
        """Whether every cell's step can be looked into."""
        if self.lengths is not None or self.starts_from_leaves():
            return False
        kept = [p for p in self.each() if p.keep]
        return all(tells(p.variant.found, p.loops.name, p.steps) for p in kept)

    def told(self, g: list[Grad]) -> tuple[list[Grad], list[Inside | None]]:
        """As ``gradients``, and what flowed inside, cell by cell."""
        values = self.taken()
        found: dict[int, Inside] = {}
        inputs = self._inputs(values[id(self.call.x)][0])

        def told(p: Pass, stage: int, dy: Grad, dfinals: list[Grad]) -> Flow:
            flow, inside = p.told(inputs[stage], values, dy, dfinals)
            inside.steps = self.steps
            if not stage:
                inside.x_node = values[id(self.call.x)][1]
            found[id(p)] = inside
            return flow

        gradients = self._through_back(g, told)
        return gradients, [found.get(id(p)) for p in self.each() if p.keep]

    def output(self) -> Array:
        """The values of the output over time, as the call returned them."""
        last = self.passes[-1]
        y = last[0].y if len(last) == 1 else np.concatenate([p.y for p in last], -1)
        return np.moveaxis(y, 0, self.time_axis)

    def entered(self) -> list[list[Any]]:
        """The values of the state that every step starts from, cell by cell."""
        values = self.taken()
        inputs = self._inputs(values[id(self.call.x)][0])
        stages = zip(self.passes, inputs, strict=True)
        return [p.entered(x, values) for stage, x in stages for p in stage]

    def first_states(self) -> list[Tensor]:
        """Those of all cells."""
        return [t for p in self.each() for t in p.states]

    def _inputs(self, x: Array) -> list[Array]:
        """What went into every stage, (time, ...)."""
        if self.call.time_axis:
            x = np.moveaxis(x, self.call.time_axis, 0)
        inputs = []
        for stage, mask in zip(self.passes, self.masks, strict=True):
            inputs.append(x if mask is None else x * mask)
            x = _beside(stage)
        return inputs

    def gradients(self, g: list[Grad]) -> list[Grad]:
        """From the gradients of all outputs to those of all parents."""
        return self._through_back(g, lambda p, _stage, dy, dfinals: p.backward(dy, dfinals))

    def _through_back(
        self, g: list[Grad], run: Callable[[Pass, int, Grad, list[Grad]], Flow]
    ) -> list[Grad]:
        """All stages backwards, each cell by ``run``."""
        sums: dict[int, Array] = {}

        def add(tensor: Tensor, d: Grad) -> None:
            if d is not None:
                key = id(tensor)
                sums[key] = sums[key] + d if key in sums else d

        dy = g[0]
        if dy is not None and self.call.time_axis:
            dy = np.moveaxis(dy, self.call.time_axis, 0)
        rest = list(g[1:])
        if self.call.joined:
            cells = range(sum(map(len, self.passes)))
            rest = [None if part is None else part[at] for at in cells for part in rest]
        for k in reversed(range(len(self.passes))):
            stage = self.passes[k]
            dx: Grad = None
            low = sum(each.y.shape[-1] for each in stage)
            for each in reversed(stage):
                high, low = low, low - each.y.shape[-1]
                mine = dy if dy is None or len(stage) == 1 else dy[..., low:high]
                count = len(each.states)
                dfinals, rest = rest[len(rest) - count :], rest[: len(rest) - count]
                if not each.asked(mine, dfinals):  # all of it is frozen
                    continue
                d, dstates, dweights = run(each, k, mine, dfinals)
                if d is not None:
                    dx = d if dx is None else dx + d
                for tensor, d in zip(each.states, dstates, strict=True):
                    add(tensor, d)
                for tensor, d in zip(each.weights, dweights, strict=True):
                    add(tensor, d)
            if self.masks[k] is not None and dx is not None:
                dx = dx * self.masks[k]
            dy = dx
        if dy is not None:
            add(
                self.call.x,
                np.moveaxis(dy, 0, self.call.time_axis) if self.call.time_axis else dy,
            )
        return [
            of_shape(sums[id(t)], t._data.shape) if id(t) in sums else None for t in self.parents
        ]


def _beside(passes: list[Pass]) -> Array:
    """The output of a stage: those of its cells, side by side."""
    return passes[0].y if len(passes) == 1 else np.concatenate([p.y for p in passes], -1)


def valid_rows(lengths: Array, steps: int) -> Ragged | None:
    """The layout of a ragged batch's valid steps; None where there are none, or lengths do not fit."""
    from .ragged import layout  # what machine code needs is loaded when its turn comes

    return layout(lengths.astype(np.intp).tobytes(), steps)


def _dropout_mask(
    draw: np.random.Generator, shape: tuple[int, ...], rate: float, dtype: DType
) -> Array:
    """What ``functional.dropout`` multiplies by, for all steps at once: the same draws in the same order."""
    if rate == 1:
        return np.zeros(shape, dtype)
    return ((draw.random(shape) >= rate) / (1 - rate)).astype(dtype)


__all__ = ["CompiledCall", "Untraceable", "run"]
