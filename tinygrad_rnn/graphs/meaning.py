"""What do the parts of a picture mean? A cell at some steps, a state, an input, a use, a value.

A box and a line of a picture carry one of these in ``of``. Who asks how much gradient crosses a line, which
node a box stands for, or what to call it, asks its meaning; nobody reads ids.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .chains import Chain, Column


@dataclass(frozen=True, slots=True)
class CellAt:
    """One application of a cell, or several that are folded into one column."""

    chain: Chain
    column: Column
    node: int = field(default=-1, compare=False)


@dataclass(frozen=True, slots=True)
class State:
    """A state after so many steps (0: the initial one); in a chain that runs backwards, before them."""

    chain: Chain
    step: int
    name: str
    node: int = field(default=-1, compare=False)


@dataclass(frozen=True, slots=True)
class Input:
    """What comes into a cell from below: ``x``, or another value by its role."""

    chain: Chain
    column: Column
    role: str
    node: int = field(default=-1, compare=False)


@dataclass(frozen=True, slots=True)
class Out:
    """The y above a cell."""

    chain: Chain
    column: Column
    node: int = field(default=-1, compare=False)


@dataclass(frozen=True, slots=True)
class ParameterBox:
    """A Parameter by its node: the box that is drawn once, and the line that all of its uses leave."""

    node: int
    name: str
    short: str


@dataclass(frozen=True, slots=True)
class Uses:
    """A use of Parameters: in a cell (``chain`` and ``column``), before all cells, or after them.

    ``counts`` says how often each is used there. Where there are no cells, ``step`` is the step of the use,
    counted from 1 (0 for none), and ``folded`` how many uses one line stands for.
    """

    parameters: tuple[ParameterBox, ...]
    counts: tuple[int, ...] = (1,)
    chain: Chain | None = None
    column: Column | None = None
    when: str = ""  # before, after
    step: int = 0
    folded: int = 0


@dataclass(frozen=True, slots=True)
class Contribution:
    """What some steps (or uses outside them) add to the gradient of a Parameter."""

    parameter: ParameterBox
    when: str
    against: bool  # the sum of all
    place: int  # among the others


@dataclass(frozen=True, slots=True)
class ValueBox:
    """A node outside the cells, drawn as a box of its own, which has a name."""

    node: int
    name: str


@dataclass(frozen=True, slots=True)
class LayerBox:
    """All cells of one layer drawn as one box; ``run`` tells those apart that are applied several times."""

    name: str
    run: int = 0


@dataclass(frozen=True, slots=True)
class Weights:
    """The panel of a layer row: the bar that all taps of the row leave, and what is written beside it."""

    row: int


@dataclass(frozen=True, slots=True)
class Feed:
    """The line under the inputs, which are slices of one value."""

    node: int
    source: ParameterBox | ValueBox | None = field(default=None, compare=False)


Meaning = (
    CellAt
    | State
    | Input
    | Out
    | ParameterBox
    | Uses
    | Contribution
    | ValueBox
    | LayerBox
    | Weights
    | Feed
)
