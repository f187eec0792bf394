"""A compiled call of a recurrent layer: what runs in which order, forward and backward."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..engine.places import state as now
from ..engine.random import generator_or_default
from ..nn.module import Module
from ..nn.stepping import mapped, parts
from ..tensors import Tensor
from .cells import BUILT_IN, Variant, variant_of
from .folding import Fold
from .tracing import Untraceable

BEGIN = 3  # so many steps are compared when a call is recorded after all


@dataclass(slots=True)
class Way:
    """One cell over the sequence: where it starts and in which direction it runs."""

    cell: Module
    state: Any
    backwards: bool = False
    constants: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Stage:
    """Cells that read the same input (one, or one a direction); ``dropout`` acts on that input."""

    ways: list[Way]
    dropout: float = 0.0
    generator: Any = None


@dataclass(slots=True)
class Stack:
    """What a layer asks for: stages on top of each other over x (time, batch, features).

    ``joined`` names the parts of the state where the last states of all cells are to be stacked, as
    PyTorch's layers return them; without it each cell's is returned in its own nesting. ``recorded``
    gives the same outputs, op by op, of all steps or of some only, by the masks that dropout drew.
    """

    x: Tensor
    time_axis: int
    stages: list[Stage]
    lengths: Any
    first_step: int
    recorded: Callable[[Sequence[int] | None, list[Any]], tuple[Tensor, Any]]
    joined: tuple[str, ...] = ()
    layer: Any = None
    by: frozenset[tuple[str, str]] = frozenset()  # which back end ran, and why if not the usual one
    found: list[Variant] = field(default_factory=list)  # what ran, cell by cell


def run(stack: Stack) -> tuple[Tensor, Any]:
    """The outputs of the last stage and the last state of every cell. Raises Untraceable."""
    call = _LayerCall(stack)
    try:
        flat = call.forward()
    except BaseException:
        for draw, before in reversed(call.drawn):
            draw.bit_generator.state = before
        raise
    done = [p for stage in call.passes for p in stage]
    stack.by = frozenset().union(*(p.loops.ran for p in done))
    stack.found = [p.variant for p in done]
    if not any(p.keep for p in done):
        return call.shaped([Tensor._wrap(a, None) for a in flat])
    taken = {id(t): t for p in done for t in (stack.x, *p.states, *p.weights)}
    return call.shaped(call.outputs(flat, call.needs(), taken.values()))


class _Pass:
    """One cell's run: the tensors that went in, and what its loops left for backward."""

    __slots__ = (
        "finals",
        "keep",
        "kept",
        "loops",
        "needs",
        "of_x",
        "rows",
        "states",
        "steps",
        "variant",
        "way",
        "weights",
        "y",
    )

    def __init__(self, way: Way, x: Any, live: Any, lengths: Any, needs_x: bool) -> None:
        self.way, given = way, x
        if way.backwards:
            x = x[::-1]
            live = live if live is None else live[::-1]
        x = np.ascontiguousarray(x)
        state = way.state
        self.states = [state] if isinstance(state, Tensor) else [t for _, t in parts(state)]
        self.variant = variant_of(way.cell, x, state, live, way.constants)
        self.weights = self.variant.weights(way.constants)
        tensors = [*self.states, *self.weights]
        asking = tuple([t._node is not None and t._node.needs for t in tensors])
        self.keep = now.recording and (needs_x or True in asking)
        self.steps, found = len(x), self.variant.found
        self.of_x = self.keep and needs_x
        self.needs = found.reach.needing(asking, needs_x, self.steps)
        self.rows: Any = None  # the layout of a ragged batch, where it ran by its rows
        name = found.whose(way.cell, self.keep, self.steps)
        if name == "numba" and lengths is not None and self._by_rows(given, lengths):
            return
        self._run([x] if live is None else [x, live], [t._data for t in self.states], name)

    def _by_rows(self, x: Any, lengths: Any) -> bool:
        """Run over the valid steps of a ragged batch alone; False where that cannot be."""
        way, steps = self.way, self.steps
        if type(way.cell) not in BUILT_IN or way.constants or not lengths.any():
            return False  # others may look at the batch
        rows = valid_rows(lengths, steps)
        packed = rows.packed(np.ascontiguousarray(x), way.backwards)
        states = [Tensor._wrap(t._data[:1], None) for t in self.states]
        state = states[0] if len(states) == 1 else tuple(states)
        try:
            variant = variant_of(way.cell, packed, state, None, way.constants)
            weights = variant.weights(way.constants)
            if list(map(id, weights)) != list(map(id, self.weights)):
                return False
            self.loops = variant.found.ragged(self.keep, self.of_x)
            arrays = [packed, *[t._data for t in (*self.states, *weights)]]
            found = self.loops.run(rows, arrays, len(states), self.keep)
        except Untraceable:
            return False
        y, self.finals, self.kept = found
        self.rows, self.y = rows, rows.padded(y, way.backwards)
        return True

    def _run(self, sequences: Sequence[Any], states: Sequence[Any], name: str) -> None:
        """By the loops whose turn it is, with the weights as they are."""
        self.loops = self.variant.found.taking_turns(self.keep, self.of_x, name)
        arrays = [*sequences, *states, *[t._data for t in self.weights]]
        y, self.finals, self.kept = self.loops.tried(arrays, self.steps, self.keep)
        self.y = y[::-1] if self.way.backwards else y

    def again(self, x: Any, states: Sequence[Any]) -> _Pass:
        """The same run on other arrays of the same kinds: what the cell computes is not asked again."""
        made = object.__new__(_Pass)
        made.way, made.states, made.weights = self.way, self.states, self.weights
        made.variant, made.steps, made.keep = self.variant, self.steps, self.keep
        made.needs, made.of_x, made.rows = self.needs, self.of_x, None
        name = self.variant.found.whose(self.way.cell, self.keep, self.steps)
        made._run([np.ascontiguousarray(x[::-1] if self.way.backwards else x)], states, name)
        return made

    def asked(self, dy: Any, dfinals: list[Any]) -> bool:
        """Whether a gradient has come (``dy`` None: not to the output) and something asks for one."""
        return self.keep and (dy is not None or any(d is not None for d in dfinals))

    def backward(self, dy: Any, dfinals: list[Any]) -> tuple[Any, list[Any], list[Any]]:
        """The gradients of x (in the order of time) or None, of the states, of the weights."""
        came = (dy is not None, *[d is not None for d in dfinals])
        if dy is None:
            dy = np.zeros(self.y.shape, self.y.dtype)
        only, back = self.variant.found.reach.only, self.way.backwards
        if self.rows is not None:
            dy = self.rows.packed(np.ascontiguousarray(dy), back)
            dx, *others = self.loops.gradients(self.rows, self.kept, dy, dfinals)
            dx = None if dx is None else self.rows.padded(dx, back)
            dx, dstates, dweights = only(came, self.steps, dx, *others)
            return dx, dstates, dweights
        dy = np.ascontiguousarray(dy[::-1] if back else dy)
        found = self.loops.backward(self.kept, self.steps, dy, dfinals)
        dx, dstates, dweights = only(came, self.steps, *found)
        return dx[::-1] if back and dx is not None else dx, dstates, dweights


class _LayerCall(Fold):
    """One call of a layer: forward on arrays, backward on arrays."""

    flat: list[Any]

    def __init__(self, stack: Stack) -> None:
        first, count = stack.first_step, stack.x._data.shape[stack.time_axis]
        super().__init__(range(first, first + count))
        self.time_axis, self.lengths = stack.time_axis, stack.lengths
        self.stack = stack
        self.passes: list[list[_Pass]] = []
        self.masks: list[Any] = []
        self.drawn: list[tuple[Any, Any]] = []  # generators, and how they were before
        self.layer = stack.layer

    def recorded(self, only: Sequence[int] | None) -> list[Tensor]:
        """The layer's own loop."""
        y, finals = self.stack.recorded(only, self.masks)
        if self.stack.joined:
            return [y, *([finals] if isinstance(finals, Tensor) else finals)]
        return [y, *(t for final in finals for _, t in parts(final))]

    def variants(self) -> list[Variant]:
        """What the cells that ran had read."""
        return self.stack.found

    def begin(self) -> tuple[Any, Any] | None:
        """Values of the first steps, unless a cell came from the end."""
        if any(p.way.backwards for stage in self.passes for p in stage):
            return None
        y = self.passes[-1][0].y[:BEGIN]
        first = slice(0, BEGIN)
        return (np.moveaxis(y, 0, 1), (slice(None), first)) if self.time_axis else (y, first)

    def again(self, x: Any, states: Iterator[Any]) -> _LayerCall:
        """The same call, of no lengths, on other arrays of the same kinds; its outputs are ``flat``."""
        made = object.__new__(_LayerCall)
        made.__dict__.update(self.__dict__)
        made.passes, made.masks, made.drawn = [], [], []

        def run(stage: Stage, x: Any, _needs_x: bool) -> list[_Pass]:
            known = self.passes[len(made.passes)]
            return [p.again(x, [next(states) for _ in p.states]) for p in known]

        made.flat = made._through(x, run)
        return made

    def forward(self) -> list[Any]:
        """The arrays of the output and of the last states."""
        live, lengths = None, self.stack.lengths
        if lengths is not None:
            steps = self.stack.x._data.shape[self.stack.time_axis]
            live = (np.arange(steps)[:, None] < lengths)[..., None]
        return self._through(
            self.stack.x._data,
            lambda stage, x, needs_x: [_Pass(way, x, live, lengths, needs_x) for way in stage.ways],
        )

    def _through(self, x: Any, run: Callable[[Stage, Any, bool], list[_Pass]]) -> list[Any]:
        """All stages, each run by ``run``, from an input to the outputs."""
        stack, node = self.stack, self.stack.x._node
        if stack.time_axis:
            x = np.moveaxis(x, stack.time_axis, 0)
        finals: list[list[Any]] = []
        needs_x = node is not None and node.needs
        for stage in stack.stages:
            mask = None
            if stage.dropout:
                draw = generator_or_default(stage.generator)
                self.drawn.append((draw, draw.bit_generator.state))
                mask = _dropout_mask(draw, x.shape, stage.dropout, x.dtype)
                x = x * mask
            self.masks.append(mask)
            done = run(stage, x, needs_x)
            needs_x = any(p.needs[0] for p in done)
            self.passes.append(done)
            x = done[0].y if len(done) == 1 else np.concatenate([p.y for p in done], -1)
            finals += [p.finals for p in done]
        y = np.moveaxis(x, 0, stack.time_axis) if stack.time_axis else x
        if not stack.joined:
            return [y, *(array for final in finals for array in final)]
        if len(finals) == 1:
            return [y, *[array[None] for array in finals[0]]]
        return [y, *(np.stack(each) for each in zip(*finals, strict=True))]

    def needs(self) -> list[bool]:
        """Which of the outputs depend on something that asks for a gradient."""
        done = [p for stage in self.passes for p in stage]
        y = any(p.needs[0] for p in self.passes[-1])
        if self.stack.joined:
            return [y, *[any(each) for each in zip(*(p.needs[1:] for p in done), strict=True)]]
        return [y, *(need for p in done for need in p.needs[1:])]

    def shaped(self, tensors: list[Tensor]) -> tuple[Tensor, Any]:
        """The output and the last states as tensors in their cells' nesting; they know their step."""
        stack = self.stack
        end = stack.first_step + self.passes[0][0].steps - 1
        if stack.joined:
            last = tensors[1:]
            for name, tensor in zip(stack.joined, last, strict=True):
                tensor._tag = end
                if tensor._node is not None:
                    tensor._node.name = f"{name}_n"
            return tensors[0], last[0] if len(last) == 1 else tuple(last)
        rest = iter(tensors[1:])
        shaped: list[Any] = []
        for stage in stack.stages:
            for way in stage.ways:
                mine = []
                for _ in parts(way.state):
                    tensor = next(rest)
                    tensor._tag = stack.first_step if way.backwards else end
                    mine.append(tensor)
                each = iter(mine)
                shaped.append(mapped(lambda _t, each=each: next(each), way.state))
        return tensors[0], shaped

    # ---- backward

    def gradients(self, g: list[Any]) -> list[Any]:
        """From the gradients of all outputs to those of all parents."""
        sums: dict[int, Any] = {}

        def add(tensor: Tensor, d: Any) -> None:
            if d is not None:
                key = id(tensor)
                sums[key] = sums[key] + d if key in sums else d

        dy = g[0]
        if dy is not None and self.stack.time_axis:
            dy = np.moveaxis(dy, self.stack.time_axis, 0)
        rest = list(g[1:])
        if self.stack.joined:
            cells = range(sum(map(len, self.passes)))
            rest = [None if part is None else part[at] for at in cells for part in rest]
        for k in reversed(range(len(self.passes))):
            stage = self.passes[k]
            dx: Any = None
            low = sum(each.y.shape[-1] for each in stage)
            for each in reversed(stage):
                high, low = low, low - each.y.shape[-1]
                mine = dy if dy is None or len(stage) == 1 else dy[..., low:high]
                count = len(each.states)
                dfinals, rest = rest[len(rest) - count :], rest[: len(rest) - count]
                if not each.asked(mine, dfinals):  # all of it is frozen
                    continue
                d, dstates, dweights = each.backward(mine, dfinals)
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
                self.stack.x,
                np.moveaxis(dy, 0, self.stack.time_axis) if self.stack.time_axis else dy,
            )
        return [sums[id(t)].reshape(t.shape) if id(t) in sums else None for t in self.parents]


def valid_rows(lengths: Any, steps: int) -> Any:
    """The layout of a ragged batch's valid steps, of which there are some."""
    from .ragged import layout  # what machine code needs is loaded when its turn comes

    return layout(lengths.astype(np.intp).tobytes(), steps)


def _dropout_mask(draw: Any, shape: Any, rate: float, dtype: Any) -> Any:
    """What ``functional.dropout`` multiplies by, for all steps at once: the same draws in the same order."""
    if rate == 1:
        return np.zeros(shape, dtype)
    return ((draw.random(shape) >= rate) / (1 - rate)).astype(dtype)


__all__ = ["Stack", "Stage", "Untraceable", "Way", "run"]
