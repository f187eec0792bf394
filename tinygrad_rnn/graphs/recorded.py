"""What was recorded? Nodes, steps, cell calls, every use of every Parameter, and what each is called."""

from __future__ import annotations

import gc
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from inspect import CO_OPTIMIZED
from operator import attrgetter
from pathlib import Path
from types import FrameType, MappingProxyType
from typing import TYPE_CHECKING, Any, Self, cast

from ..engine.lazy_output import LazyOutput
from ..engine.places import Call, Scope
from ..engine.values import Constant, Handle, Leaf, Literal
from .written import written_name

if TYPE_CHECKING:
    from ..tensors import Tensor


ChainKey = tuple[type, str, str, int]
# ``op`` of what no op made, and of ops that only hand values on: pictures follow them and omit them.
SOURCES = ("input", "parameter", "literal")
# Those that hand on one value whole, only in another shape or dtype, or take one of several apart.
SHAPES = {
    "transpose",
    "permute",
    "reshape",
    "flatten",
    "squeeze",
    "unsqueeze",
    "expand",
    "broadcast",
}
# Of these, those whose result has the same elements in the same order.
SAME = frozenset({"reshape", "flatten", "squeeze", "unsqueeze", "cast", "held"})
HANDS_ON = frozenset(SHAPES | {"cast", "item", "unbind", "held"})
PASS_THROUGH = HANDS_ON | {"stack", "cat", "chunk", "split", "getitem", "flip"}


@contextmanager
def uncollected() -> Iterator[None]:
    """Without the collector of cycles: a graph has none, and to look for some costs more than to read it."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


@dataclass(frozen=True, slots=True)
class GraphNode:
    """One value of the graph: what op made it, from what, in which module and at which step.

    ``op`` is the op's name, or ``"parameter"`` (a leaf that takes a gradient), ``"input"`` (a value
    that takes none) or ``"literal"`` (a Python number). ``inputs`` are ids of nodes of the same graph,
    in the order of the operands. ``step`` counts from 0; None is a value outside every time step.
    ``detail`` is what was taken by indexing, as it is written: ``[-1]``; of a ``where`` that takes
    nothing from its first choice, ``"where: none"``.
    """

    id: int
    op: str
    name: str
    shape: tuple[Any, ...]
    dtype: str
    path: str
    step: int | None
    inputs: tuple[int, ...]
    call: int | None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Use:
    """One use of a Parameter: the node that takes it, as which operand, at which step."""

    node: int
    operand: int
    step: int | None


@dataclass(frozen=True, slots=True)
class CellCall:
    """One application of a cell at one step: the box that a picture draws.

    ``inputs`` maps ``"x"`` and each state's name to the node that came in, ``outputs`` each state's
    name to the node that left; ``run`` numbers the chains that calls form through their states. ``times``
    is 1 but where a picture reads one call in place of many.
    """

    id: int
    cell: type
    path: str
    label: str
    step: int
    run: int
    inputs: dict[str, int]
    outputs: dict[str, int]
    nodes: tuple[int, ...]
    times: int = 1

    @property
    def chain(self) -> ChainKey:
        """What calls have in common that go on from one another: the cell, its place, the run."""
        return self.cell, self.path, self.label, self.run


HERE = str(Path(__file__).parent.parent)
FRAMES, MOST = 3, 64  # functions of the user's that are looked into; parts of a container
NEAR = 100  # ops between two steps' states that are looked through


class RecordedGraph:
    """The recorded computation behind some tensors: what a graph and an excerpt of one have in common.

    Ops are in the order in which they were made, each after the leaves that it is the first to use, so
    the same program gives the same graph every time. Reading it changes nothing of what was recorded.
    """

    _variables: Mapping[int, str] = MappingProxyType({})  # names of leaves that have none, by key

    def __init__(self, *outputs: Tensor) -> None:
        self._ends: list[Any] = [_node_of(t) for t in outputs]
        if outputs:
            self._variables = variables()

    @classmethod
    def behind(cls, node: Any) -> Self:
        """The graph behind a recorded node, where the tensor itself is gone."""
        graph = cls()
        graph._ends = [node]
        return graph

    # ---- nodes

    @cached_property
    def _raw(self) -> list[Any]:
        """Every recorded node, read when first asked for."""
        with uncollected():
            return self._read()

    def _read(self) -> list[Any]:
        """Every node behind the ends, in the order of the ops."""
        found, stack = {id(n): n for n in self._ends}, list(self._ends)
        while stack:
            for parent in self._parents(stack.pop()):
                if id(parent) not in found:
                    found[id(parent)] = parent
                    stack.append(parent)
        return in_order(list(found.values()), self._parents)

    @cached_property
    def _index(self) -> dict[int, int]:
        return {id(node): i for i, node in enumerate(self._raw)}

    def _parents(self, node: Any) -> Sequence[Any]:
        """What a node was computed from."""
        return cast(Sequence[Any], node.parents)

    def _entered(self, call: Call) -> Sequence[tuple[str, Any]]:
        """What came into a cell's call, by role."""
        return call.inputs

    def _weight(self, call: Call) -> int:
        """How many calls this one stands for: one, but in an excerpt."""
        return 1

    def _count_of(self, stack: Any) -> int:
        """How many values were stacked, those included that an excerpt leaves out."""
        return len(self._parents(stack))

    def _place_of(self, stack: Any, k: int) -> int | None:
        """Where the k-th of what was stacked stands among the operands."""
        count = len(self._parents(stack))
        return k % count if -count <= k < count else None

    def cut_from(self, i: int) -> int | None:
        """The step of the state that a detached value was; None for any other value."""
        node = self._raw[i]
        return node.since if isinstance(node, Constant) else None

    def picked(self, i: int) -> int | None:
        """The one operand of a stack that an indexing node takes whole; None where it takes another thing.

        >>> import tinygrad_rnn as tg
        >>> a, b = (tg.ones(2, requires_grad=True) for _ in "ab")
        >>> graph = tg.graph(tg.stack([a, b])[-1])
        >>> graph[graph.picked(graph.outputs[0])].name
        'b'
        """
        node = self._raw[i]
        if node.op is None or node.op.name != "getitem":
            return None
        inner = self._parents(node)[0]
        axes = tuple(range(len(inner.shape)))
        while inner.op is not None and inner.op.name == "permute":
            axes = tuple(inner.saved[-1][k] for k in axes)
            inner = self._parents(inner)[0]
        if inner.op is None or inner.op.name != "stack":
            return None
        k = pick_of(node, axes.index(inner.saved[-1]))
        place = None if k is None else self._place_of(inner, k)
        return None if place is None else self._index[id(self._parents(inner)[place])]

    def element(self, i: int) -> int | None:
        """The one operand of a stack that a node takes whole, by an index or as one of all of its parts.

        >>> import tinygrad_rnn as tg
        >>> a, b = (tg.ones(2, requires_grad=True) for _ in "ab")
        >>> graph = tg.graph(tg.unbind(tg.stack([a, b]))[1])
        >>> graph[graph.element(graph.outputs[0])].name
        'b'
        """
        node = self._raw[i]
        if node.op is None or node.op.name != "item":
            return self.picked(i)
        whole = self._parents(node)[0]
        if whole.op is None or whole.op.name != "unbind":
            return None
        stack = self._stack_behind(self._parents(whole)[0], whole.saved[-1])
        place = None if stack is None else self._place_of(stack, node.saved[-1])
        return None if place is None else self._index[id(self._parents(stack)[place])]

    def _stack_behind(self, node: Any, axis: int) -> Any:
        """The stack whose operands are what lies along an axis of a value, if it is one."""
        axes = tuple(range(len(node.shape)))
        while node.op is not None and node.op.name == "permute":
            axes = tuple(node.saved[-1][k] for k in axes)
            node = self._parents(node)[0]
        if node.op is None or node.op.name != "stack" or axes[axis] != node.saved[-1]:
            return None
        return node

    @cached_property
    def outputs(self) -> tuple[int, ...]:
        """The ids of the tensors that the graph was made of."""
        return tuple(self._index[id(node)] for node in self._ends)

    def __len__(self) -> int:
        return len(self._raw)

    def __iter__(self) -> Iterator[GraphNode]:
        return (self[i] for i in range(len(self._raw)))

    def __getitem__(self, i: int) -> GraphNode:
        node = self._raw[i]
        if isinstance(node, Leaf):
            op, name = node.role, self._leaf_names[id(node)]
        elif isinstance(node, Literal):
            op, name = "literal", repr(node.value)
        else:
            op, name = ("input" if isinstance(node, Constant) else node.op.name), node.name or ""
        place = node.place
        return GraphNode(
            id=i,
            op=op,
            name=name,
            shape=node.shape,
            dtype=_dtype_name(node.dtype),
            path=self._paths[place.scope] if place.scope is not None else "",
            step=place.step,
            inputs=tuple(self._index[id(parent)] for parent in self._parents(node)),
            call=self._call_ids.get(place.call) if place.call is not None else None,
            detail=_detail(op, node),
        )

    @property
    def nodes(self) -> Sequence[GraphNode]:
        """Every node, made when looked at."""
        return [self[i] for i in range(len(self._raw))]

    @cached_property
    def steps(self) -> list[int]:
        """The time steps that occur in the graph, in order, counted from 0."""
        return sorted({n.place.step for n in self._raw if n.place.step is not None})

    @property
    def every_step(self) -> set[int]:
        """The time steps, those included that an excerpt leaves out."""
        return set(self.steps)

    def output_of(self, stack: Any) -> Any:
        """The value of a stack some of whose operands an excerpt leaves out; None of any other node."""
        return None

    # ---- parameters and their uses

    @cached_property
    def parameters(self) -> dict[str, GraphNode]:
        """Each Parameter of the graph, once, by its dotted name, in the order of its modules."""
        leaves = [(i, node) for i, node in enumerate(self._raw) if _is_parameter(node)]
        rank = {key: k for k, key in enumerate(self._parameter_names)}
        leaves.sort(key=lambda pair: (rank.get(pair[1].key, len(rank)), pair[1].key))
        return {self._leaf_names[id(node)]: self[i] for i, node in leaves}

    @cached_property
    def _uses(self) -> dict[int, list[Use]]:
        uses: dict[int, list[Use]] = {i: [] for i, n in enumerate(self._raw) if isinstance(n, Leaf)}
        for i, node in enumerate(self._raw):
            for k, parent in enumerate(self._parents(node)):
                if isinstance(parent, Leaf):
                    uses[self._index[id(parent)]].append(Use(i, k, node.place.step))
        for rows in uses.values():
            rows.sort(key=by_step)
        return uses

    def uses(self, parameter: Tensor | GraphNode | str) -> list[Use]:
        """Every use of a Parameter, in the order of the steps (uses outside every step come last).

        ``parameter`` is the Parameter itself, its node or its dotted name. Raises KeyError where it
        takes no part in the graph.
        """
        return self._uses[self._find(parameter)]

    def use_count(self, parameter: Tensor | GraphNode | str) -> int:
        """How often a Parameter is used, those uses included that others stand for."""
        made_in = (self._raw[use.node].place.call for use in self.uses(parameter))
        return sum(1 if call is None else self._weight(call) for call in made_in)

    @property
    def is_shared(self) -> bool:
        """Whether every Parameter that time steps use serves more than one of them (or the only one)."""
        if not self.steps:
            return False
        used = [{u.step for u in self.uses(name)} - {None} for name in self.parameters]
        return all(len(steps) != 1 or len(self.steps) == 1 for steps in used)

    def spread_uses(self, parameter: Tensor | str) -> list[Use] | None:
        """What ``uses`` returns, where it can be told without reading every step."""
        return None

    def _find(self, parameter: Tensor | GraphNode | str) -> int:
        if isinstance(parameter, GraphNode):
            return parameter.id
        if isinstance(parameter, str):
            if parameter not in self.parameters:
                known = ", ".join(self.parameters) or "none"
                raise KeyError(f"no Parameter named {parameter!r} in this graph; it has: {known}")
            return self.parameters[parameter].id
        key = getattr(parameter._node, "key", None)
        for i, node in enumerate(self._raw):
            if isinstance(node, Leaf) and node.key == key:
                return i
        raise KeyError("that tensor is no Parameter of this graph: nothing recorded here uses it")

    # ---- modules

    @cached_property
    def _roots(self) -> dict[int, tuple[str, Any]]:
        """Each root module by the id of its weak reference: its name, and the module while it lives."""
        roots: dict[int, Scope] = {}
        for node in self._raw:
            scope = node.place.scope
            if scope is not None and id(scope.root.module) not in roots:
                roots[id(scope.root.module)] = scope.root
        names = [scope.kind.__name__.lower() for scope in roots.values()]
        count: dict[str, int] = {}
        result: dict[int, tuple[str, Any]] = {}
        for (key, scope), name in zip(roots.items(), names, strict=True):
            count[name] = count.get(name, 0) + 1
            label = f"{name}_{count[name]}" if names.count(name) > 1 else name
            result[key] = (label, scope.module())
        return result

    @cached_property
    def _paths(self) -> dict[Scope, str]:
        """The dotted path of each scope, below its root's name in this graph."""
        paths: dict[Scope, str] = {}
        for node in self._raw:
            scope = node.place.scope
            if scope is not None and scope not in paths:
                paths[scope] = scope.path(self._roots[id(scope.root.module)][0])
        return paths

    @cached_property
    def _parameter_names(self) -> dict[int, str]:
        """Dotted names by leaf key, for every Parameter of every root module."""
        names: dict[int, str] = {}
        for label, module in self._roots.values():
            if module is not None:
                for name, parameter in module.named_parameters():
                    names.setdefault(parameter._node.key, _dotted(label, name))
        return names

    @cached_property
    def _leaf_names(self) -> dict[int, str]:
        """A name for every leaf: dotted where a module has it, its own, its variable's where it was
        made if it is gone, else w1, w2 ...

        Where the module itself is gone, the scopes that used the leaf still tell its class.
        """
        names: dict[int, str] = {}
        taken = set(self._parameter_names.values())
        for node in self._raw:
            for parent in self._parents(node):
                if isinstance(parent, Leaf) and id(parent) not in names:
                    names[id(parent)] = self._leaf_name(parent, node.place.scope, taken)
        for node in self._raw:
            if isinstance(node, Leaf) and id(node) not in names:
                names[id(node)] = self._leaf_name(node, None, taken)
        return names

    def _leaf_name(self, leaf: Leaf, scope: Scope | None, taken: set[str]) -> str:
        known = self._parameter_names.get(leaf.key)
        if known is not None:
            return known
        name = leaf.name or ""
        if not name and leaf.role == "parameter":
            name = self._variables.get(leaf.key, "") or written_name(leaf)
        elif (
            name and scope is not None and leaf.role == "parameter" and scope.root.module() is None
        ):
            name = _dotted(self._paths[scope], name)
        k = 1
        candidate = name or "w1"
        while candidate in taken:
            k += 1
            candidate = f"{name}_{k}" if name else f"w{k}"
        taken.add(candidate)
        return candidate

    # ---- cell calls

    @cached_property
    def _call_ids(self) -> dict[Call, int]:
        ids: dict[Call, int] = {}
        for node in self._raw:
            call = node.place.call
            if call is not None and call not in ids:
                ids[call] = len(ids)
        return ids

    @cached_property
    def calls(self) -> list[CellCall]:
        """Every application of a cell, in the order in which they ran."""
        members: dict[Call, list[int]] = {call: [] for call in self._call_ids}
        for i, node in enumerate(self._raw):
            if node.place.call is not None:
                members[node.place.call].append(i)
        made_by: dict[int, int] = {}  # node id -> run of the call that made it
        last: dict[int, tuple[type, str, int, int]] = {}  # and the cell, its label and its step
        runs, nested = 0, _Nested(members)
        calls: list[CellCall] = []
        for k, (call, ids) in enumerate(members.items()):
            inputs = {
                role: self._index[id(node)]
                for role, node in self._entered(call)
                if id(node) in self._index
            }
            named = {self._raw[i].name: i for i in ids}
            roles = [role for role, _ in call.inputs if role != "x"]
            outputs = {role: named[role] for role in roles if role in named}
            states = [i for role, i in inputs.items() if role != "x"]
            carried = [made_by[i] for i in states if i in made_by]
            if not carried:
                carried = nested.of(call) or self._derived(call, states, last)
            run = carried[0] if carried else runs
            runs = max(runs, run + 1)
            nested.note(call, run)
            made_by.update(dict.fromkeys(outputs.values(), run))
            last.update(dict.fromkeys(outputs.values(), (call.cell, call.label, call.step, run)))
            scope = call.scope
            path = self._paths.get(scope, "") if scope is not None else ""
            calls.append(
                CellCall(
                    k,
                    call.cell,
                    path,
                    call.label,
                    call.step,
                    run,
                    inputs,
                    outputs,
                    tuple(ids),
                    self._weight(call),
                )
            )
        return calls

    @cached_property
    def _by_way(self) -> dict[Any, dict[int, int]]:
        """The ids of calls by step, for each cell, module's call around it, and its label there."""
        found: dict[Any, dict[int, int]] = {}
        for call, id in self._call_ids.items():
            found.setdefault((call.cell, call.scope, call.label), {})[call.step] = id
        return found

    def steps_of(self, node: Any, cell: int) -> dict[int, int]:
        """The ids of the calls of one cell of a compiled call, by step."""
        ways = node.saved[0].ways
        return self._by_way.get(ways[cell], {}) if cell < len(ways) else {}

    def _derived(
        self, call: Call, states: Sequence[int], last: dict[int, tuple[type, str, int, int]]
    ) -> list[int]:
        """The run that a call goes on with whose states were computed from those of the step before."""
        if not last:
            return []
        todo, seen = list(states), set(states)
        while todo and len(seen) <= NEAR:
            i = todo.pop(0)
            if i in last:
                cell, label, step, run = last[i]
                if (cell, label, step + 1) == (call.cell, call.label, call.step):
                    return [run]
                continue
            for parent in self._parents(self._raw[i]):
                k = self._index[id(parent)]
                if k not in seen:
                    seen.add(k)
                    todo.append(k)
        return []


class _Nested:
    """The runs of cells around cells: one of a cell and of those that it calls."""

    def __init__(self, calls: Iterable[Call]) -> None:
        self._scopes = {call.scope for call in calls if call.scope is not None}
        self._around: dict[Scope, int] = {}
        self._inside: dict[Scope, int] = {}

    def of(self, call: Call) -> list[int]:
        """The run of the cell around a call, or of one inside it, where there is one that is known."""
        found = [self._inside[call.scope]] if call.scope in self._inside else []
        return found or [self._around[s] for s in self._outer(call) if s in self._around][:1]

    def note(self, call: Call, run: int) -> None:
        """A call is of a run."""
        if call.scope is not None:
            self._around.setdefault(call.scope, run)
        for scope in self._outer(call):
            self._inside.setdefault(scope, run)

    def _outer(self, call: Call) -> Iterator[Scope]:
        scope = None if call.scope is None else call.scope.parent
        while scope is not None:
            if scope in self._scopes:
                yield scope
            scope = scope.parent


def in_order(
    nodes: Sequence[Any],
    parents: Callable[[Any], Sequence[Any]] = attrgetter("parents"),
) -> list[Any]:
    """Nodes in an order that does not depend on when the leaves were written."""
    order: dict[int, Any] = {}
    for node in sorted((n for n in nodes if n.op is not None), key=attrgetter("number")):
        for parent in parents(node):
            if parent.op is None:
                order.setdefault(id(parent), parent)
        order[id(node)] = node
    for node in nodes:  # a leaf that is itself an output
        order.setdefault(id(node), node)
    return list(order.values())


@cache
def _dtype_name(dtype: Any) -> str:
    return str(dtype)


def _detail(op: str, node: Any) -> str:
    """What a picture may say of an op beside its name."""
    if op in ("getitem", "item"):
        return _taken(node)
    if op != "where":
        return ""
    choice = node.saved[0]
    return "where: none" if hasattr(choice, "any") and not choice.any() else ""


def _taken(node: Any) -> str:
    """What an indexing node takes, as a user writes it: ``[0, :, 2:4]``, an array as ``[...]``."""

    def word(part: Any) -> str:
        if isinstance(part, slice):
            ends = ["" if end is None else str(end) for end in (part.start, part.stop)]
            return ":".join(ends if part.step is None else [*ends, str(part.step)])
        if part is None or isinstance(part, (int, bool)):
            return str(part)
        return "..."

    index = node.saved[-1]
    return f"[{', '.join(map(word, index if isinstance(index, tuple) else (index,)))}]"


def pick_of(node: Any, axis: int) -> int | None:
    """The place that an indexing takes along an axis, where it takes one of them and nothing else."""
    index = node.saved[-1]
    parts = index if isinstance(index, tuple) else (index,)
    whole = all(isinstance(part, slice) and part == slice(None) for part in parts[:axis])
    if len(parts) != axis + 1 or not whole:
        return None
    k = parts[axis]
    return k if isinstance(k, int) and not isinstance(k, bool) else None


def _is_parameter(node: Any) -> bool:
    return isinstance(node, Leaf) and node.role == "parameter"


def _dotted(*parts: str) -> str:
    return ".".join(part for part in parts if part)


def by_step(use: Use) -> tuple[bool, int, int]:
    """The order of uses: by their step, those outside every step last."""
    return (use.step is None, use.step or 0, use.node)


def _node_of(tensor: Tensor) -> Any:
    node = getattr(tensor, "_node", None)
    if node is None:
        raise ValueError(
            "nothing was recorded behind this tensor: it needs an input with requires_grad=True, "
            "computed outside tg.no_grad()"
        )
    return node


# ---- what the user calls a tensor -------------------------------------------------------------------


def variables() -> dict[int, str]:
    """The names of the tensors that are in variables of the code that called this package, by their keys.

    The nearest function comes first, variables before parts of lists and attributes of objects.
    """
    found: dict[int, str] = {}
    frames = list(_frames())
    for place in (*map(_locals_of, frames), *[f.f_globals for f in frames[:1]]):
        named = {name: value for name, value in place.items() if not name.startswith("_")}
        for name, value in named.items():
            _enter(found, name, value)
        for name, value in named.items():
            for part, inner in _parts(value):
                _enter(found, part if name == "self" and part[0] == "." else name + part, inner)
    return {key: name.lstrip(".") for key, name in found.items()}


def _frames() -> Iterator[FrameType]:
    """The nearest frames outside this package."""
    frame: FrameType | None = sys._getframe(1)
    count = 0
    while frame is not None and count < FRAMES:
        if not frame.f_code.co_filename.startswith(HERE):
            count += 1
            yield frame
        frame = frame.f_back


def _locals_of(frame: FrameType) -> dict[str, Any]:
    """What a frame's variables hold; before Python 3.13 the frame would keep a copy alive: it is emptied."""
    seen = frame.f_locals
    found = dict(seen)
    if sys.version_info < (3, 13) and frame.f_code.co_flags & CO_OPTIMIZED:
        seen.clear()
    return found


def _enter(found: dict[int, str], name: str, value: Any) -> None:
    leaf = value._node if isinstance(value, Handle) else None
    if isinstance(leaf, Leaf) and leaf.role == "parameter":
        found.setdefault(leaf.key, name)


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    """The parts of a small container, or the attributes of an object, with how they are written."""
    if isinstance(value, (list, tuple)) and len(value) <= MOST:
        yield from ((f"[{k}]", part) for k, part in enumerate(value))
    elif type(value) is dict and len(value) <= MOST:
        yield from ((f".{key}", part) for key, part in value.items() if isinstance(key, str))
    elif not isinstance(value, (type, Mapping)) and not type(value).__module__.startswith(
        "tinygrad"
    ):
        own = getattr(value, "__dict__", None)
        if isinstance(own, dict) and len(own) <= MOST:
            yield from ((f".{name}", part) for name, part in own.items())


# ---- names ------------------------------------------------------------------------------------------

_PARAMETER = re.compile(r"(weight|bias)(?:_(.+?))??(?:_l\d+)?(_reverse)?")


def short_name(dotted: str) -> str:
    """The bold name of a Parameter: ``W_hh`` of ``lstm.weight_hh_l0``, ``b`` of ``head.bias``."""
    name, bracket, element = dotted.partition("[")
    last = name.rpartition(".")[2]
    match = _PARAMETER.fullmatch(last)
    if match is None:
        return last + bracket + element
    kind, role, reverse = match.groups()
    letter = "W" if kind == "weight" else "b"
    return letter + (f"_{role}" if role else "") + (reverse or "") + bracket + element


def title_of(cell: type) -> str:
    """What a cell is called: its class's name less ``Cell``."""
    return cell.__name__.removesuffix("Cell") or cell.__name__


def count_numbers(shape: Iterable[int]) -> int:
    """How many numbers an array of this shape holds."""
    total = 1
    for side in shape:
        total *= side
    return total


# ---- nodes ------------------------------------------------------------------------------------------


def is_folded(node: Any) -> bool:
    """Whether a node is a compiled layer's output that nobody has looked into."""
    return node.__class__ is LazyOutput and node.fold is not None


def maker(node: Any) -> Call | None:
    """The cell's call that computed a node."""
    if is_folded(node) or node.op is None:
        return None
    call: Call | None = node.place.call
    return call


def consumers_of(nodes: Iterable[GraphNode]) -> dict[int, list[int]]:
    """By node, the nodes that take its value; an operand that is taken twice is there twice."""
    found: dict[int, list[int]] = {}
    for node in nodes:
        for i in node.inputs:
            found.setdefault(i, []).append(node.id)
    return found
