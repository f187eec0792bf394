"""Who runs a layer's call in place of the recorded loop? What it asks for, and what a compiler answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from ..doors import door
from ..engine.values import Array
from ..tensors import Tensor
from .module import Module

if TYPE_CHECKING:
    from .recurrent import Recurrent
    from .stacks import RecurrentLayer

    Layer: TypeAlias = RecurrentLayer | Recurrent

Ran = frozenset[tuple[str, str]]  # which back ends ran, and why not the usual one
State = (
    Tensor | Sequence["State"] | Mapping[str, "State"] | None
)  # of a cell: tensors in any nesting


@dataclass(slots=True, eq=False, repr=False)
class Direction:
    """One cell over the sequence: where it starts and in which direction it runs."""

    cell: Module
    state: State
    backwards: bool = False


@dataclass(slots=True, eq=False, repr=False)
class Stage:
    """Cells that read the same input (one, or one a direction); ``dropout`` acts on that input."""

    directions: list[Direction]
    dropout: float = 0.0

    def cells(self) -> list[Module]:
        """Its cells."""
        return [direction.cell for direction in self.directions]


@dataclass(slots=True, eq=False, repr=False)
class LayerCall:
    """What a layer asks for: stages on top of each other over x (time, batch, features).

    ``joined`` names the parts of the state where the last states of all cells are to be stacked, as
    PyTorch's layers return them; without it each cell's is returned in its own nesting. ``recorded``
    gives the same outputs, op by op, of all steps or of some only, by the masks that dropout drew.
    """

    layer: Layer
    x: Tensor
    time_axis: int
    stages: list[Stage]
    recorded: Callable[..., tuple[Tensor, State]]
    lengths: Array | None = None
    first_step: int = 0
    constants: dict[str, Tensor] = field(default_factory=dict)
    joined: tuple[str, ...] = ()


class Compiler(Protocol):
    """What layers ask of a compiler: to run a call in place of the recorded loop, or to say why it cannot.

    Each but the last two gives None where the call is to be asked about, or recorded.
    """

    def layer_again(
        self, layer: RecurrentLayer, x: Any, hx: State, first_step: int | None, lengths: Any
    ) -> tuple[Tensor, State] | None:
        """A layer's call that is like an earlier one."""

    def cell_again(
        self, layer: Recurrent, x: Any, state: State, first_step: int | None
    ) -> tuple[Tensor, State] | None:
        """A call of ``Recurrent`` that is like an earlier one."""

    def step_again(
        self, cell: Module, x: Tensor, state: tuple[Tensor, ...], step: int, label: str = ""
    ) -> Tensor | tuple[Tensor, ...] | None:
        """The new state of a built-in cell after one step."""

    def streamed(self, layer: RecurrentLayer, x: Any, state: State) -> tuple[Tensor, State] | None:
        """A layer's step without gradients."""

    def without_gradients(
        self, layer: RecurrentLayer, x: Any, hx: State = None
    ) -> tuple[Tensor, State] | None:
        """A layer's call that records nothing."""

    def run(self, call: LayerCall) -> tuple[tuple[Tensor, State] | None, str | Ran]:
        """(outputs and last states, by which back ends) of a call, or (None, why it is to be recorded)."""

    def usual(self) -> str:
        """Why the usual back end is the usual one."""


@cache
def compiler() -> Compiler:
    """The compiler, imported when the first layer runs."""
    found: Compiler = door("compiler")()
    return found
