"""Which loops run a cell's next call? Those of what it computes now: numpy's first, then machine code's.

Machine code is compiled in seconds and loaded in half a second; on numpy a script of ten calls is over by
then. Which call is the first by machine code follows from counts and sizes alone, never from a clock:
another run of the same script comes to the same bits, whether the code was in the cache or not. For the
same reason no thread compiles it meanwhile: it would have to be waited for at the same call, and so few
calls take less time than what the two would cost each other.

The count stands on the cell: every new model begins anew, and copies, pickles and state dicts take it along.
Calls that keep nothing for backward have a count of their own, so that to look at a network in training does
not change how it is trained.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from types import MappingProxyType
from typing import Any

from ..engine.values import DType, Value
from ..nn.module import Module
from ..tensors import Tensor
from ..tensors.state_dicts import CALLED
from . import backends, verified
from .backends import CALLS, FIRST
from .numpy_loops import NumpyLoops
from .purity import MISSING, Guard, same
from .reach import Reach
from .threads import TRACING
from .tracing import Trace, Untraceable

STEPS = 1024  # of a cell in a loop of the user's own, or of ``layer.step``
WORK = 150e6  # nanoseconds, by estimate, that all of them may take on numpy
OP, NUMBER, PRODUCT = 1200.0, 1.0, 0.1  # nanoseconds of an op, of its numbers, of multiply-adds
OFTEN = 64  # calls after which it pays to compile what is asked before each
PRODUCTS = ("matmul", "linear", "linear_without_bias", "dot", "einsum")


def counted(cell: Module, derive: bool = False) -> bool:
    """Whether calls of a cell, with gradients if ``derive``, are still counted: the first are numpy's."""
    if not backends.chosen()[2]:
        return False
    training, alone = cell.__dict__.get(CALLED, (0.0, 0.0))
    return training <= 1 and (derive or alone <= 1)


def back_end(cell: Module | None, derive: bool, work: float, most: int = CALLS) -> str:
    """The back end of a call of a cell that takes numpy about ``work`` nanoseconds; the call is counted.

    ``most`` calls like it are numpy's, or as many as do not take too long.
    """
    name, _, waits = backends.chosen()
    if not waits:
        return name
    training, alone = cell.__dict__.get(CALLED, (0.0, 0.0))
    if training > 1 or (alone > 1 and not derive):
        return name
    share = max(1 / most, work / WORK)
    if derive:
        training += share
    else:
        alone += share
    cell.__dict__[CALLED] = training, alone
    return name if (training if derive else alone) > 1 else FIRST


def work(trace: Trace) -> float:
    """About how many nanoseconds a traced step takes numpy, with its backward step."""
    total = 0.0
    for node in trace.nodes:
        if node.op is None or node.op.name == "item" or not _whole([node]):
            continue  # parts of a value are views of it
        size, *sizes = [math.prod(each.shape) for each in (node, *_whole(node.parents))]
        total += OP + NUMBER * max([size, *sizes])
        if node.op.name in PRODUCTS:
            total += PRODUCT * size * (node.parents[0].shape or (1,))[-1]
    return total


def _whole(nodes: Iterable[Value]) -> list[Value]:
    """Those that are one value."""
    return [node for node in nodes if not (node.shape and isinstance(node.shape[0], tuple))]


# ---- the loops of a cell ---------------------------------------------------------------------------


class Compiled:
    """A cell's loops, for one trace: with derivatives made when the first call asks for them."""

    def __init__(self, first: Trace, trusted: bool) -> None:
        first.forget()
        self.trace, self.trusted, self.reach = first, trusted, Reach(first)
        kinds = {node.dtype.char for role, node in first.inputs.items() if role != "live"}
        if len(kinds) != 1 or not kinds <= {"f", "d"}:
            raise Untraceable("input, state and Parameters are not all float32 or all float64")
        self.roles = [role for role in first.inputs if role not in ("x", "live")]
        self.work = work(first)
        self._loops: dict[Any, Any] = {}
        self.probe: Any = None  # how its step is looked into, or why not: see ``probing``
        self.of_product: Any = None  # its step without the input's product: see ``by_table``

    def turn(
        self, cell: Module, derive: bool, x: bool, steps: int, most: int = CALLS
    ) -> NumpyLoops:
        """The loops for the next call of a cell, over so many steps; see ``back_end``."""
        name = back_end(cell, derive, steps * self.work, most)
        found = self._loops.get((name, derive, x))
        return found if isinstance(found, NumpyLoops) else self.taking_turns(derive, x, name)

    def whose(self, cell: Module, derive: bool, steps: int, most: int = CALLS) -> str:
        """Whose turn it is: the back end of a cell's next call, which is counted."""
        return back_end(cell, derive, steps * self.work, most)

    def taking_turns(self, derive: bool, x: bool, name: str) -> NumpyLoops:
        """The loops of the back end whose turn it is, or of one that can."""
        try:
            return self.loops(derive, x, name)
        except Untraceable:
            if name != FIRST:
                raise
        return self.loops(derive, x)  # what numpy cannot run, machine code may

    def loops(self, derive: bool, x: bool, name: str = "") -> NumpyLoops:
        """The loops of a back end; with gradients if ``derive``, of the input too if ``x``."""
        name = name or backends.choice()[0]
        made: NumpyLoops = self._once(
            name, derive, x, lambda wanted: verified.loops(self.trace, wanted, self.trusted, name)
        )
        return made

    def ragged(self, derive: bool, x: bool) -> Any:
        """The loops over ragged batches, of a step of one row: see ``ragged``. Raises Untraceable."""
        return self._once("ragged", derive, x, lambda wanted: verified.ragged(self.trace, wanted))

    def _once(self, name: str, derive: bool, x: bool, make: Callable[[list[str]], Any]) -> Any:
        """Loops, made when they are first asked for, or why there are none, as Untraceable."""
        found = self._loops.get((name, derive, x))
        if found is None:
            wanted = [*self.roles, *["x"] * x] if derive else []
            with TRACING:
                try:
                    found = make(wanted)
                except Untraceable as reason:
                    found = str(reason)
                self._loops[name, derive, x] = found
        if isinstance(found, str):
            raise Untraceable(found)
        return found

    def prepared(self, name: str, kind: str) -> Any:
        """What loops have by the name ``stream`` or ``sequence``, made once; None where there is none."""
        if (name, kind) not in self._loops:
            self._loops[name, kind] = getattr(self.loops(False, False, name), kind)()
        return self._loops[name, kind]


def hold(guards: Iterable[Guard]) -> bool:
    """Whether everything that a step read is as it was."""
    for get, key, value in guards:
        seen = get(key, MISSING)
        if seen is not value and not same(seen, value):
            return False
    return True


def in_one(guards: Sequence[Guard], tensors: Sequence[Tensor]) -> Callable[[], bool]:
    """``hold``, and whether tensors have the shapes and dtypes that they have now, as one expression.

    It says yes only where everything is the very object that it was; compiling it costs 1,000 of its calls.
    """
    names: dict[str, Any] = {}
    terms = unchanged(guards, names)
    for t in tensors:
        shape, dtype = t._data.shape, t._data.dtype
        of, kind = named(t, names), named(dtype, names)
        terms.append(f"(a := {of}._data).shape == {shape} and a.dtype is {kind}")
    lines = ["try:", f"    return {' and '.join(terms or ['True'])}"]
    lines += ["except KeyError:", "    return False"]
    found: Callable[[], bool] = written("holds", [], lines, names)
    return found


def named(thing: Any, names: dict[str, Any]) -> str:
    """A new name for a thing, among others."""
    name = f"n{len(names)}"
    names[name] = thing
    return name


def unchanged(guards: Iterable[Guard], names: dict[str, Any]) -> list[str]:
    """What is true where a step reads the very objects that it read; KeyError comes of one that is gone."""
    terms = []
    for get, key, value in guards:
        table = getattr(get, "__self__", None)
        if type(table) not in (dict, MappingProxyType) or type(key) is not str:
            none = named(MISSING, names)
            read = f"{named(get, names)}({named(key, names)}, {none})"
            terms.append(f"{read} is {named(value, names)}")
        elif value is MISSING:
            terms.append(f"{key!r} not in {named(table, names)}")
        else:
            terms.append(f"{named(table, names)}[{key!r}] is {named(value, names)}")
    return terms


def written(name: str, arguments: list[str], lines: list[str], names: dict[str, Any]) -> Any:
    """A function of some lines, to which names are local."""
    head = f"def {name}({', '.join([*arguments, *(f'{n}={n}' for n in names)])}):"
    exec(compile("\n    ".join([head, *lines]) + "\n", f"<{name}>", "exec"), names)
    return names[name]


class Variant:
    """What one cell computes while all that its step reads is as it was: its loops, or why it has none."""

    __slots__ = ("asked", "found", "guards", "in_one", "shapes", "tensors", "used", "why")

    def __init__(self, guards: list[Guard], why: str = "") -> None:
        self.guards, self.why = guards, why
        self.asked = 0
        self.in_one: Callable[[], bool] = bool  # which says no
        self.found: Any = None
        self.tensors: list[Tensor] = []
        self.used: list[int] = []  # of the cell's tensors and the call's constants
        self.shapes: list[tuple[tuple[int, ...], DType]] = []

    def takes(self, found: Compiled, used: list[int], tensors: list[Tensor]) -> None:
        """Its loops, and which tensors go into them."""
        self.found, self.used, self.tensors = found, used, tensors
        self.shapes = [(t._data.shape, t._data.dtype) for t in tensors]

    def holds(self) -> bool:
        """Whether the cell reads what it read."""
        if self.in_one():
            return True
        for tensor, (shape, dtype) in zip(self.tensors, self.shapes, strict=True):
            if tensor._data.shape != shape or tensor._data.dtype is not dtype:
                return False
        held = hold(self.guards)
        self.asked += held
        if held and self.asked == OFTEN:
            self.in_one = in_one(self.guards, self.tensors)
        return held

    def weights(self, constants: dict[str, Tensor]) -> list[Tensor]:
        """The tensors that are the same at every step, in the order of the loops' inputs."""
        every = [*self.tensors, *constants.values()]
        return [every[k] for k in self.used]
