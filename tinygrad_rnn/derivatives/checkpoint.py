"""How does memory go down where a graph is long? ``checkpoint`` keeps arguments and computes again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from zlib import crc32

import numpy as np

from ..engine.autograd import flow
from ..engine.lazy_output import grad_parents, is_shortcut
from ..engine.places import at_place, state, without_records
from ..engine.random import generator_or_default
from ..engine.stale import StaleGraphError, leaf_label
from ..engine.switches import enable_grad
from ..engine.values import Node, Value, next_number
from ..ops.row import ROWS, Op
from ..ops.shapes import reshape
from ..tensors import Tensor
from .transforms import _leaves, _rebuilt


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    preserve_rng_state: bool = True,
    determinism_check: str = "default",
    **kwargs: Any,
) -> Any:
    """``function(*args, **kwargs)``, whose backward computes it again instead of having stored it.

    One node takes the place of all that the function records: backward runs the function once more and
    sends the gradients through that. Values and gradients are the same bits; memory for T steps in
    segments of k is that of T/k states and one segment, for one more forward (Chen et al. 2016; PyTorch's
    ``torch.utils.checkpoint``). Tensors that the function closes over (Parameters, earlier results) get
    their gradients as without it, a written leaf is refused as without it, and ``create_graph`` works.
    ``preserve_rng_state`` gives the second run the same draws of the library's generator.

    In graphs and pictures it is one op ``checkpoint``, a single use of each Parameter, and the ledger
    has one row for each call: rows still sum to the gradient, but not step by step.

    The function must do the same again: raises RuntimeError at backward where it gave other values
    (a layer with a generator of its own, a changed buffer or mode; ``determinism_check="none"`` leaves
    the comparison out), StaleGraphError where a Parameter was written since, and RuntimeError at once
    where the function makes leaves that require a gradient. Without recording it only calls it.

    >>> import tinygrad_rnn as tg
    >>> lstm = tg.nn.LSTM(2, 8)
    >>> x, state, outputs = tg.randn(100, 1, 2), None, []
    >>> for start in range(0, 100, 25):  # a range of time steps at a time
    ...     y, state = tg.checkpoint(lstm, x[start : start + 25], state)
    ...     outputs.append(y)
    >>> tg.cat(outputs).sum().backward()
    >>> lstm.weight_hh_l0.grad.shape
    (32, 8)
    """
    if determinism_check not in ("default", "none"):
        raise ValueError(
            f"checkpoint: determinism_check must be 'default' or 'none', got {determinism_check!r}"
        )
    if not state.recording:
        return function(*args, **kwargs)
    segment = _Segment(function, args, kwargs, preserve_rng_state)
    start = next_number()
    result = function(*args, **kwargs)
    leaves = [t for _, t in _leaves(result)]
    live = [t for t in leaves if isinstance(t, Tensor) and t.requires_grad]
    parents = _entrances(live, start)
    if not parents:
        return result
    segment.parents = parents
    if determinism_check == "default":
        segment.digest = _digest(live)
    shapes: Any = tuple([t.shape for t in live])
    whole = Node(_OP, tuple(parents), None, (segment,), shapes, live[0].dtype, state.place)
    outputs = iter([_item(whole, k, t) for k, t in enumerate(live)])
    return _rebuilt(
        result,
        iter([next(outputs) if isinstance(t, Tensor) and t.requires_grad else t for t in leaves]),
    )


def _item(whole: Node, k: int, tensor: Tensor) -> Tensor:
    """One output, as an item of the checkpoint's node; a state keeps its time step."""
    node = Node(ROWS["item"], (whole,), None, (None, k), tensor.shape, tensor.dtype, whole.place)
    node.name = None if tensor._node is None else tensor._node.name
    item = Tensor._wrap(tensor._data, node)
    item._tag = tensor._step
    return item


class _Segment:
    """What is needed to compute a stretch of graph again, and the gradients while they are fetched."""

    def __init__(
        self,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        preserve_rng_state: bool,
    ) -> None:
        self.call = function, args, kwargs
        self.random = generator_or_default(None).bit_generator.state if preserve_rng_state else None
        self.place = state.place
        self.parents: list[Any] = []
        self.digest: list[Any] | None = None
        self.fetched: tuple[Any, list[Any]] | None = (
            None  # of one backward pass: (its g, gradients)
        )

    def gradient(self, i: int, g: list[Any]) -> Any:
        """The gradient of the i-th parent; all of a pass are made when the first is asked for."""
        fetched = self.fetched
        if fetched is None or fetched[0] is not g:
            fetched = (g, self.gradients(g))
            self.fetched = fetched
        if i == len(self.parents) - 1:
            self.fetched = None
        return fetched[1][i]

    def gradients(self, g: list[Any]) -> list[Any]:
        """Compute again, cut the new graph where the segment began, and run its backward."""
        recorded = any(isinstance(part, Tensor) for part in g)
        doors = {id(p): _door(p) for p in self.parents}
        start = next_number()
        self.refuse_stale()
        outputs = self.again()
        for node in _inside(outputs, start):
            if is_shortcut(node):  # what ran is inside too
                continue
            node.parents = tuple([_through(p, start, doors) for p in node.parents])
        roots = [_through(t._node, start, doors) for t in outputs]
        if recorded:
            g = [part if isinstance(part, Tensor) else Tensor._made(part) for part in g]
        with enable_grad():
            reached = flow(list(zip(roots, g, strict=True)), recorded=recorded)
        found = []
        for parent in self.parents:
            door = doors[id(parent)]
            _, d, _ = reached.get(door.number, (None, None, False))
            if d is None:
                d = np.zeros(parent.shape, parent.dtype)
                d = Tensor._wrap(d, None) if recorded else d
            door.op, door.parents = _RESHAPE, (parent,)  # from now on it leads to its parent
            found.append(d)
        return found

    def refuse_stale(self) -> None:
        """Raise where a leaf that the function used has other values now."""
        for parent in self.parents:
            if parent.op is None and parent.stale is not None:
                raise StaleGraphError(
                    f"{state.place}checkpoint cannot compute its segment again: "
                    f"{leaf_label(parent, state.place.scope)} {parent.shape} was changed by {parent.stale}"
                    " since. Call backward() before the write, or compute the loss again after it"
                )

    def again(self) -> list[Tensor]:
        """The outputs that take gradients, computed anew; the generator is left as it was found."""
        function, args, kwargs = self.call
        generator = generator_or_default(None).bit_generator
        before = generator.state
        try:
            if self.random is not None:
                generator.state = self.random
            with enable_grad(), without_records():  # gates were heard the first time
                result = function(*args, **kwargs)
        finally:
            generator.state = before
        outputs = [t for _, t in _leaves(result) if isinstance(t, Tensor) and t.requires_grad]
        if self.digest is not None and _digest(outputs) != self.digest:
            raise RuntimeError(
                f"{state.place}checkpoint: the function gave other values when it was computed again: "
                "does it draw from a generator of its own, or did a buffer, a mode or an argument change?"
            )
        return outputs


# ---- the stretch of graph between the arguments and the outputs ------------------------------------


def _inside(outputs: list[Tensor], start: int) -> list[Any]:
    """The nodes made since ``start`` that the outputs were computed from."""
    stack = [t._node for t in outputs if t._node is not None and t._node.number > start]
    seen = {id(node) for node in stack}
    found = []
    while stack:
        node = stack.pop()
        if not is_shortcut(node) and node.op is None:
            raise RuntimeError(
                "checkpoint: the function makes or writes a leaf that requires a gradient, "
                "which would never arrive: make it outside"
            )
        found.append(node)
        for parent in grad_parents(node):
            if parent.needs and parent.number > start and id(parent) not in seen:
                seen.add(id(parent))
                stack.append(parent)
    return found


def _entrances(outputs: list[Tensor], start: int) -> list[Any]:
    """The nodes made before ``start`` through which gradients leave the segment, oldest first."""
    ends = [p for node in _inside(outputs, start) for p in grad_parents(node)]
    ends += [t._node for t in outputs if t._node is not None]
    found = {id(p): p for p in ends if p.needs and p.number < start}
    return sorted(found.values(), key=lambda p: p.number)


def _door(parent: Value) -> Node:
    """What stands for a parent while gradients flow inside: an end, older than the segment."""
    saved = (parent.shape, parent.shape)
    op: Any = None  # gradients end here
    return Node(op, (), None, saved, parent.shape, parent.dtype, state.place)


def _through(parent: Any, start: int, doors: dict[int, Node]) -> Any:
    """The parent itself inside the segment, its door where it was made before."""
    if not parent.needs or parent.number > start:
        return parent
    if id(parent) not in doors:
        raise RuntimeError(
            f"{state.place}checkpoint: computed again, the function uses a tensor of shape "
            f"{parent.shape} that it did not use at first"
        )
    return doors[id(parent)]


def _digest(outputs: list[Tensor]) -> list[Any]:
    """Shapes, dtypes and a checksum of the bytes."""
    return [(t.shape, t.dtype.char, crc32(t._data.tobytes())) for t in outputs]


def _rule(i: int, g: Any, _y: Any, segment: Any) -> Any:
    with at_place(segment.place):
        return segment.gradient(i, g)


_RESHAPE: Any = reshape.op  # type: ignore[attr-defined]
_OP = Op.of_calls("checkpoint", checkpoint, _rule)
