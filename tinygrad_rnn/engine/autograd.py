"""How gradients flow: nodes, recording, the backward pass, ``grad`` and ``no_grad``.

A recorded op leaves a :class:`Node`: the op, its parents in order, what its rules need, and where it
was made. It never holds its own output's Tensor, so graphs are free of reference cycles and vanish
with the last tensor that points at them. Nodes are numbered as they are made; a backward pass pops
them from a heap in reverse, each once, hence without recursion and for graphs of any depth.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast
from weakref import ref

import numpy as np

if TYPE_CHECKING:
    from ..tensors import Tensor

Array = np.ndarray[Any, np.dtype[Any]]
F = TypeVar("F", bound=Callable[..., Any])
Observer = Callable[["Node", int, Any, Any], None]
tensor_class: Any = None  # set by tensors.value, which stands above


# ---- where a value was made -----------------------------------------------------------------


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
        inputs: tuple[tuple[str, Node], ...],
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
    watch: Any = None  # the open detect_anomaly context
    tracer: Any = None  # who records a cell's step in order to compile it


state = _State()


@contextmanager
def at_place(place: Place) -> Iterator[None]:
    """Everything recorded inside is made at ``place``."""
    before, state.place = state.place, place
    try:
        yield
    finally:
        state.place = before


class _SetRecording:
    """A context manager and decorator that turns recording on or off."""

    value: ClassVar[bool]

    def __init__(self) -> None:
        self._before: list[bool] = []

    def __enter__(self) -> None:
        self._before.append(state.recording)
        state.recording = self.value

    def __exit__(self, *_: object) -> None:
        state.recording = self._before.pop()

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


def is_grad_enabled() -> bool:
    """Whether ops are being recorded in this thread.

    >>> import tinygrad_rnn as tg
    >>> tg.is_grad_enabled()
    True
    """
    return state.recording


# ---- nodes ----------------------------------------------------------------------------------

STRIDE = 1 << 32  # room between two numbers for the nodes that one folded node stands for
_next_number = count(0, STRIDE).__next__


class Node:
    """A recorded op: ``(op, parents, what its rules need, where it was made)``.

    ``saved`` holds, in the order of the rules' arguments, the operands that a rule reads (None for
    those that none reads) and then the op's constants; ``out`` the output where a rule reads it.
    """

    __slots__ = (
        "dtype",
        "hooks",  # set by the first hook alone
        "name",
        "number",
        "op",
        "out",
        "parents",
        "place",
        "retained",
        "saved",
        "shape",
    )
    needs: ClassVar[bool] = True
    hooks: list[Hook]

    def __init__(
        self,
        op: Any,
        parents: tuple[Any, ...],
        out: Any,
        saved: tuple[Any, ...],
        shape: tuple[Any, ...],
        dtype: Any,
        place: Place,
    ) -> None:
        self.op = op
        self.parents = parents
        self.out = out
        self.saved = saved
        self.shape = shape
        self.dtype = dtype
        self.place = place
        self.number = _next_number()
        self.name: str | None = None
        self.retained: list[Any] | None = None


Write = tuple[Callable[[Any, Any], None], Any, Any]


class Folded(Node):
    """A result of many recorded ops that ran as one: a compiled layer's output.

    Gradients go the short way, as the part ``position`` of those of ``whole``, the one node that ran.
    Whoever reads ``op``, ``parents``, ``saved`` or ``out`` reads what was folded, recorded when first
    looked at: ``fold`` is who can ``unfold()`` it, or record some of its steps alone, and None from then on.
    Where the fold is ``nested``, one output depends on another (a cell's h on its c): each has its own
    derivative only by what was folded, and once that is recorded gradients go there.
    """

    __slots__ = ("__weakref__", "fold", "position", "whole")

    def __init__(self, whole: Node, position: int, fold: Any) -> None:
        self.whole: Node | None = whole
        self.position = position
        self.fold: Any = fold
        self.shape, self.dtype = whole.shape[position], whole.dtype
        self.number, self.place = _next_number(), whole.place
        self.name, self.retained = None, None

    def becoming(self, node: Node) -> list[Write]:
        """What to write for this to be a node that was recorded."""
        values = {slot: getattr(node, slot) for slot in ("op", "parents", "saved", "out", "place")}
        values |= {"number": node.number, "name": self.name or node.name}
        if self.fold.nested:
            values["whole"] = None
        return slot_writes(self, **values, fold=None)


def slot_writes(thing: Any, **values: Any) -> list[Write]:
    """Attributes to set, prepared so far that setting them cannot fail: no call is left that takes memory."""
    owners = {slot: Node if slot in Node.__slots__ else type(thing) for slot in values}
    return [(getattr(owners[k], k).__set__, thing, value) for k, value in values.items()]


def goes_short(node: Any) -> bool:
    """Whether gradients go from a node to the one node that ran."""
    return node.__class__ is Folded and node.whole is not None


def short_parents(node: Any) -> tuple[Any, ...]:
    """Where gradients go on to."""
    return (node.whole,) if goes_short(node) else node.parents


def by_itself(node: Any) -> Any:
    """A node whose own derivative is asked for; what it depends on together with others is recorded."""
    if node.__class__ is Folded and node.fold is not None and node.fold.nested:
        node.fold.unfold()
    return node


def _unfolding(slot: str) -> property:
    """A node's attribute that is there once the node has been unfolded."""
    plain = getattr(Node, slot)

    def read(node: Folded) -> Any:
        if node.fold is not None:
            node.fold.unfold()
        return plain.__get__(node)

    def write(node: Folded, value: Any) -> None:
        read(node)
        plain.__set__(node, value)

    return property(read, write)


for _slot in ("op", "parents", "saved", "out"):
    setattr(Folded, _slot, _unfolding(_slot))


class _Source:
    """What no op made: the common part of leaves, constants and literals.

    ``held`` is what pictures learn the value from: a number, or a weak reference to the tensor's array.
    """

    __slots__ = ("dtype", "held", "name", "number", "place", "shape")
    op: ClassVar[None] = None
    parents: ClassVar[tuple[Any, ...]] = ()
    retained: ClassVar[None] = None

    def __init__(self, shape: tuple[int, ...], dtype: Any, name: str | None = None) -> None:
        self.shape = shape
        self.dtype = dtype
        self.name = name
        self.place = NOWHERE
        self.number = _next_number()
        self.held: Any = None

    def hold(self, data: Array) -> Any:
        """Remember whose value this is, without keeping more than a number alive; returns itself."""
        self.held = data.item() if data.size == 1 else ref(data)
        return self


class Constant(_Source):
    """A value that takes no gradient. It keeps no array alive: only what a picture says of it."""

    __slots__ = ()
    needs: ClassVar[bool] = False


class Literal(_Source):
    """A Python number among the operands."""

    __slots__ = ("value",)
    needs: ClassVar[bool] = False

    def __init__(self, value: bool | int | float) -> None:
        super().__init__((), type(value).__name__)
        self.value = value


class Leaf(_Source):
    """Where gradients arrive. Each write to its tensor replaces it and marks the old one stale.

    ``key`` stays the same through writes, so that a Parameter knows itself in any graph. ``role`` is
    "parameter", or "input" for a sequence that a recurrent layer was given.
    """

    __slots__ = ("grad", "hooks", "key", "needs", "role", "stale", "stale_at")
    hooks: list[Hook]

    def __init__(
        self,
        shape: tuple[int, ...],
        dtype: Any,
        needs: bool = True,
        name: str | None = None,
        key: int | None = None,
    ) -> None:
        super().__init__(shape, dtype, name)
        self.needs = needs
        self.key = self.number if key is None else key
        self.role = "parameter"
        self.grad: Tensor | None = None
        self.stale: str | None = None
        self.stale_at = 0

    def replaced(self, shape: tuple[int, ...], dtype: Any, by: str) -> Leaf:
        """The leaf of the tensor's new value; this one becomes stale."""
        fresh = Leaf(shape, dtype, self.needs, self.name, self.key)
        fresh.grad = self.grad
        if hasattr(self, "hooks"):
            fresh.hooks = self.hooks
        self.stale, self.stale_at = by, fresh.number
        return fresh


class Hook:
    """What ``register_hook`` returns: ``remove()`` ends the hook. Hooks are called in their order."""

    registered = False  # whether there ever was one: passes look for hooks only then

    def __init__(self, node: Any, function: Callable[[Tensor], Any]) -> None:
        self.function = function
        if not hasattr(node, "hooks"):
            node.hooks = []
        self._among = node.hooks
        self._among.append(self)
        Hook.registered = True

    def remove(self) -> None:
        """Call the hook no more."""
        if self in self._among:
            self._among.remove(self)

    def __enter__(self) -> Hook:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


def hooked(node: Any, g: Any) -> Any:
    """The gradient that goes on from a node, after what its hooks made of it."""
    for hook in list(getattr(node, "hooks", ())):
        given = isinstance(g, tensor_class)
        made = hook.function(g if given else tensor_class._wrap(np.array(g), None))
        if made is None:
            continue
        if not isinstance(made, tensor_class) or made.shape != node.shape:
            came = getattr(made, "shape", type(made).__name__)
            raise ValueError(
                f"a hook returned {came}, expected None or a Tensor of shape {node.shape}"
            )
        made = made.to(node.dtype)
        g = made if given else np.array(made._data)
    return g


class StaleGraphError(RuntimeError):
    """A gradient was about to reach a tensor that was written after the graph had used it."""


def reachable(roots: Iterable[Any]) -> list[Any]:
    """Every node that the roots were computed from, the roots included, without recursion."""
    stack = list(roots)
    seen = {id(node) for node in stack}
    found: list[Any] = []
    while stack:
        node = stack.pop()
        found.append(node)
        for parent in node.parents:
            key = id(parent)
            if key not in seen:
                seen.add(key)
                stack.append(parent)
    return found


# ---- gradients that touch a part only ---------------------------------------------------------


class At:
    """A gradient that is zero but at ``index``: what the rule of an indexing op returns."""

    __slots__ = ("index", "value")

    def __init__(self, index: Any, value: Any) -> None:
        self.index = index
        self.value = value

    def add_to(self, buffer: Array) -> None:
        """Add into a dense buffer; an index that occurs twice adds twice."""
        if is_basic(self.index):
            buffer[self.index] += self.value
        else:
            np.add.at(buffer, self.index, self.value)

    def dense(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """The same gradient as a full array."""
        buffer = np.zeros(shape, dtype)
        self.add_to(buffer)
        return buffer


class Part:
    """The gradient of one item of an op that has several outputs."""

    __slots__ = ("position", "value")

    def __init__(self, position: int, value: Any) -> None:
        self.position = position
        self.value = value


def is_basic(index: Any) -> bool:
    """Whether an index takes a view: integers, slices, ``None`` and ``...``."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(
        p is None or p is Ellipsis or (isinstance(p, (int, slice)) and not isinstance(p, bool))
        for p in parts
    )


# ---- backward ---------------------------------------------------------------------------------


def as_array(value: Any) -> Any:
    """A value as it is, but for numpy's scalars, which arithmetic of 0-d arrays gives: 0-d arrays again.

    Every value of a tensor and every gradient is an array: an op that meets a scalar would take it for
    a number without a past, and a tensor of one could not be locked.
    """
    return np.asarray(value) if isinstance(value, np.generic) else value


def sum_to(g: Any, shape: tuple[int, ...]) -> Any:
    """Undo broadcasting: sum ``g`` over the axes along which ``shape`` was stretched."""
    lead = len(g.shape) - len(shape)
    if lead < 0:  # written into fewer axes: all the others have length 1
        return g.reshape(shape)
    if lead == 1 and g.shape[1:] == shape:
        return np.add.reduce(g, 0) if g.__class__ is np.ndarray else g.sum(0)
    stretched = tuple(range(lead)) + tuple(
        lead + i for i, side in enumerate(shape) if side == 1 and g.shape[lead + i] != 1
    )
    if stretched:
        g = g.sum(stretched)
    return g if g.shape == shape else g.reshape(shape)


def flow(
    roots: Sequence[tuple[Node | Leaf, Any]],
    wanted: dict[int, Any] | None = None,
    observer: Observer | None = None,
    recorded: bool = False,
) -> dict[int, tuple[Any, Any, bool]]:
    """Send gradients from the roots to the leaves, or to the ``wanted`` nodes, and return them.

    The result maps a node's number to (node, gradient, whether the gradient's memory is ours). Nothing
    of the graph is changed. ``recorded`` runs the same rules on Tensors, so that the result can be
    derived again. ``observer`` is told (node, parent index, gradient of the node, gradient that
    crosses this edge) for every edge.
    """
    nodes: dict[int, Any] = {}
    grads: dict[int, Any] = {}
    owned: set[int] = set()
    heap: list[int] = []
    reached: dict[int, tuple[Any, Any, bool]] = {}
    # a leaf's key is the number of its first version: older ones, which are stale, must be met too
    last = -min(getattr(n, "key", k) for k, n in wanted.items()) if wanted else 0
    ndarray = np.ndarray

    def arrive(parent: Any, d: Any) -> None:
        """The gradient ``d`` joins what has come to ``parent``: the first is borrowed, the second
        makes memory of our own, later ones add in place."""
        k = -parent.number
        old = grads.get(k)
        if old is None:
            nodes[k] = parent
            if parent.__class__ is not Leaf:  # a leaf waits for the end
                heappush(heap, k)
        kind = d.__class__
        if kind is Part:
            if old is None:
                old = grads[k] = [None] * len(parent.shape)
            i, value = d.position, d.value
            old[i] = value if old[i] is None else old[i] + value
        elif recorded and (kind is At or old.__class__ is list):
            grads[k] = [*(old if old.__class__ is list else [] if old is None else [old]), d]
        elif kind is At:
            if old is None:
                old = np.zeros(parent.shape, parent.dtype)
            elif k not in owned or old.__class__ is not np.ndarray:
                old = np.array(old, parent.dtype)
            owned.add(k)
            grads[k] = old
            d.add_to(old)
        elif old is None:
            grads[k] = d
        elif k in owned and old.__class__ is np.ndarray:
            old += d
        else:
            grads[k] = old + d
            if not recorded:
                owned.add(k)

    unfolded = recorded or observer is not None
    if unfolded:
        reachable([node for node, _ in roots])  # looks at every node: none is folded from here on
    for node, g in roots:
        arrive(node, g)

    while heap:
        k = heappop(heap)
        if k > last:
            break
        node = nodes.pop(k)
        g = grads.pop(k)
        if g.__class__ is not ndarray:
            g = as_array(g)
            if g.__class__ is list and (node.op is None or not node.op.several):
                g = _gathered(g, node)
        if Hook.registered and hasattr(node, "hooks"):
            g = hooked(node, g)
        if node.__class__ is Folded and not unfolded and node.whole is not None:
            if node.retained is not None or (wanted is not None and -k in wanted):
                reached[-k] = (node, g, k in owned)
            arrive(node.whole, Part(node.position, g))
            continue
        op = node.op
        if op is None or node.retained is not None or (wanted is not None and -k in wanted):
            reached[-k] = (node, g, k in owned)
            if op is None:
                continue
        if op.several:
            g = op.filled(node, g)
            if op.joint is not None:
                for parent, d in zip(node.parents, op.joint(node, g), strict=True):
                    if d is not None:  # nothing that asks depends on it
                        arrive(parent, d)
                continue
        elif op.item and observer is None:  # straight into its place among the parts
            parent, part = node.parents[0], node.saved[1]
            j = -parent.number
            parts = grads.get(j)
            if parts is None:
                parts = grads[j] = [None] * len(parent.shape)
                nodes[j] = parent
                heappush(heap, j)
            parts[part] = g if parts[part] is None else parts[part] + g
            continue
        out, saved = _as_tensors(node) if recorded else (node.out, node.saved)
        rules, variadic, sparse = op.rules, op.variadic, op.sparse
        for i, parent in enumerate(node.parents):
            if not parent.needs:
                continue
            d = rules[0](i, g, out, *saved) if variadic else rules[i](g, out, *saved)
            if sparse:
                arrive(parent, d)
            else:
                if d.shape != parent.shape:
                    d = sum_to(d, parent.shape)
                if d.dtype is not parent.dtype and d.dtype != parent.dtype:
                    d = d.astype(parent.dtype)
                j = -parent.number
                old = grads.get(j)
                if old is None:
                    grads[j] = d
                    nodes[j] = parent
                    if parent.__class__ is not Leaf:
                        heappush(heap, j)
                elif j in owned and old.__class__ is ndarray:
                    old += d
                else:
                    arrive(parent, d)
            if observer is not None:
                observer(node, i, g, as_array(d))
    for k, node in nodes.items():
        if node.__class__ is Leaf:
            g = as_array(grads[k])
            if g.__class__ is list:
                g = _gathered(g, node)
            if Hook.registered and hasattr(node, "hooks"):
                g = hooked(node, g)
            reached[-k] = (node, g, k in owned)
    return reached


def backward(
    tensor: Tensor,
    gradient: Any = None,
    observer: Observer | None = None,
    create_graph: bool = False,
) -> None:
    """Add to every leaf's ``grad`` the derivative of ``tensor`` by it; see ``Tensor.backward``.

    Gradients are committed together at the end, so that a failed backward changes nothing.
    """
    root, seed = root_and_seed(tensor, gradient, create_graph)
    if state.watch is not None:
        observer = state.watch.observing(observer)
    reached = flow([(root, seed)], observer=observer, recorded=create_graph)
    commit(reached.values(), root, create_graph)


def root_and_seed(
    tensor: Tensor, gradient: Any = None, create_graph: bool = False
) -> tuple[Any, Any]:
    """Where a backward pass of ``tensor`` starts, and the gradient that enters there, checked."""
    root = _differentiable(tensor, "backward()")
    return root, _seed(tensor, gradient, create_graph)


def commit(
    reached: Collection[tuple[Any, Any, bool]], root: Any, create_graph: bool = False
) -> None:
    """Add what a backward pass from ``root`` brought to each target's ``grad``, all or (if stale) nothing."""
    wrap = tensor_class._wrap
    updates: list[tuple[Any, Tensor]] = []
    for target, g, is_owned in reached:
        if target.op is None:
            before = target.grad
            if target.stale is not None:
                _refuse_stale(reached, [root])
        else:
            before = target.retained[0]
        if create_graph:
            total = g if before is None else before + g
        elif before is not None:
            total = wrap(np.add(before._data, g, dtype=target.dtype), None)
        else:
            plain = g.__class__ is np.ndarray and g.dtype is target.dtype
            total = wrap(
                np.array(g, target.dtype) if not plain else g if is_owned else g.copy(), None
            )
        updates.append((target, total))
    for target, total in updates:
        if target.op is None:
            held = target.grad
            if held is None or create_graph or held._alias.__class__ is not tuple:
                target.grad = total
            else:  # it is a view of a buffer of the user's
                with no_grad():
                    held.copy_(total)
        else:
            target.retained[0] = total


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Any = None,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> tuple[Any, ...]:
    """The derivatives of (the sum of) ``outputs`` by each of ``inputs``, as a tuple; leaves stay as they are.

    With ``create_graph=True`` the result is itself recorded, by the same rules, and can be derived
    again, to any order. ``grad_outputs`` weights each output (needed where an output is no scalar).
    Raises RuntimeError where an input takes no part in the outputs, unless ``allow_unused`` (then its
    entry is None).

    >>> import tinygrad_rnn as tg
    >>> x = tg.tensor(3.0, requires_grad=True)
    >>> (dy,) = tg.grad(x**3, x, create_graph=True)
    >>> (ddy,) = tg.grad(dy, x)
    >>> dy.item(), ddy.item()
    (27.0, 18.0)
    """
    from ..tensors import Tensor

    outs = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    ins = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    seeds = list(grad_outputs) if isinstance(grad_outputs, (list, tuple)) else [grad_outputs]
    if len(seeds) != len(outs):
        if grad_outputs is not None:
            raise ValueError(f"grad: {len(seeds)} grad_outputs for {len(outs)} outputs")
        seeds = [None] * len(outs)
    roots = [
        (_differentiable(t, "grad()"), _seed(t, s, create_graph))
        for t, s in zip(outs, seeds, strict=True)
    ]
    targets = [by_itself(_differentiable(t, "grad(): an input")) for t in ins]
    wanted = {node.number: node for node in targets}
    observer = None if state.watch is None else state.watch.observing(None)
    reached = flow(roots, wanted=wanted, observer=observer, recorded=create_graph)
    keys = {node.key for node in targets if isinstance(node, Leaf)}
    _refuse_stale(
        (r for r in reached.values() if getattr(r[0], "key", None) in keys), [n for n, _ in roots]
    )
    results: list[Tensor | None] = []
    for tensor, node in zip(ins, targets, strict=True):
        found = reached.get(node.number)
        if found is None:
            if not allow_unused:
                raise RuntimeError(
                    f"grad: an input of shape {tensor.shape} takes no part in the outputs; "
                    "pass allow_unused=True to get None for it"
                )
            results.append(None)
        elif create_graph:
            results.append(found[1])
        else:
            results.append(Tensor._wrap(np.array(found[1], node.dtype), None))
    return tuple(results)


def _differentiable(tensor: Tensor, who: str) -> Any:
    node = tensor._node
    if node is None or not node.needs:
        raise RuntimeError(
            f"{who}: this tensor of shape {tensor.shape} depends on nothing that requires a gradient; "
            "was it computed under no_grad, detached, or made without requires_grad=True?"
        )
    return node


def _seed(tensor: Tensor, gradient: Any, create_graph: bool) -> Any:
    """The gradient that enters at a root, checked, in the root's dtype."""
    if gradient is None:
        if tensor._data.size != 1:
            raise RuntimeError(
                f"backward() without a gradient needs a scalar, and this has shape {tensor.shape}: "
                "reduce it (loss.sum()), or pass gradient= of that shape"
            )
        data: Array = np.array(1, tensor.dtype)
        if tensor._data.ndim:
            data = data.reshape(tensor._data.shape)
    else:
        given = isinstance(gradient, tensor_class)
        if given and create_graph and gradient.shape == tensor.shape:
            return gradient
        data = np.asarray(gradient._data if given else gradient)
        if data.shape != tensor.shape:
            raise ValueError(
                f"backward(): gradient has shape {data.shape}, expected {tensor.shape}"
            )
        data = data.astype(tensor.dtype)
    return tensor_class._wrap(data, None) if create_graph else data


def _as_tensors(node: Node) -> tuple[Any, tuple[Any, ...]]:
    """A node's output and operands as Tensors again, for rules that are to be recorded."""
    from ..tensors import Tensor

    def lift(value: Any, parent: Any) -> Any:
        if value.__class__ is not np.ndarray:
            return value
        return Tensor._wrap(value, parent)

    out = None if node.out is None else Tensor._wrap(node.out, node)
    if node.op.variadic and node.saved and node.saved[0].__class__ is tuple:
        operands = tuple(lift(v, p) for v, p in zip(node.saved[0], node.parents, strict=True))
        return out, (operands, *node.saved[1:])
    n = len(node.parents)
    lifted = tuple(lift(v, p) for v, p in zip(node.saved[:n], node.parents, strict=False))
    return out, (*lifted, *node.saved[n:])


def _gathered(parts: list[Any], node: Any) -> Any:
    """The recorded sum of dense and sparse gradients of one node."""
    from ..ops.indexing import place

    sparse = [p for p in parts if p.__class__ is At]
    total = (
        place(*[p.value for p in sparse], tuple(p.index for p in sparse), node.shape, node.dtype)
        if sparse
        else None
    )
    for part in parts:
        if part.__class__ is not At:
            total = part if total is None else total + part
    return total


# ---- stale leaves -----------------------------------------------------------------------------


def _refuse_stale(reached: Iterable[tuple[Any, Any, bool]], roots: list[Any]) -> None:
    for target, _, _ in reached:
        if target.op is None and target.stale is not None:
            raise StaleGraphError(_explain_stale(target, roots))


def _leaf_label(leaf: Leaf, scope: Scope | None) -> str:
    """A leaf's dotted name where a module on the way has it, else its own."""
    module = None if scope is None else scope.root.module()
    for name, parameter in module.named_parameters() if module is not None else ():
        if parameter._node.key == leaf.key and scope is not None:
            return f"{scope.root.path()}.{name}"
    return leaf.name or "a tensor"


def _explain_stale(leaf: Leaf, roots: list[Any]) -> str:
    """Name the Parameter, the writer, the state that carried the old graph here, and the cure."""
    nodes = reachable(roots)
    users = [n for n in nodes if leaf in n.parents]
    place = max(users, key=lambda n: n.number).place if users else NOWHERE
    label = _leaf_label(leaf, place.scope)
    text = (
        f"{place}the gradient would reach {label} {leaf.shape} as it was before {leaf.stale} changed it, "
        "and its new value had no part in this graph"
    )
    carried = [
        parent
        for n in nodes
        if n.number > leaf.stale_at
        for parent in n.parents
        if parent.op is not None and parent.number < leaf.stale_at
    ]
    if carried:
        node = max(carried, key=lambda n: n.number)
        what = f"the state {node.name!r}" if node.name else f"a value of shape {node.shape}"
        text += (
            f". It is carried here by {what} made at {str(node.place).rstrip(': ') or 'an earlier time'}: "
            "call state.detach() (or tg.detach(state)) before the next chunk"
        )
    else:
        text += ". Call backward() before the write, or compute the loss again after it"
    return text
