"""What does a cell's box say, and how tall are its parts? Title, a band a state, chips, the row z."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...graphs.chains import Chain, Column
from ..scene import style
from ..scene.text import (
    OPERATORS,
    SYMBOLS,
    at_step,
    fold_count,
    fold_heading,
    fold_terms,
    span,
    state_name,
    sub,
    text_width,
    without_missing,
)

if TYPE_CHECKING:
    from ...graphs.recorded import GraphNode

PAD, Z_HEIGHT, CHIP_HEIGHT, CHIP_PITCH, BAND, BAND_PITCH, STATE_PITCH = 7, 30, 15, 18, 20, 23, 30
CHIP_GAP, MIN_WIDTH, ROOMY_WIDTH, FOLD_WIDTH = 4, 94, 104, 72
INPUT_AT, TAP_AT = 0.26, 0.74


@dataclass(frozen=True, slots=True)
class CellLayout:
    """The template of one chain's cells: what is written where, in points above the cell's bottom.

    ``entering`` is the state that joins x in the row z and loops back to it; the others run straight
    through their bands. A cell without ``equations["z"]`` has no such row: all its states run straight.
    """

    title: str
    formulas: dict[str, str]
    z: str
    chips: dict[str, str]  # by name what they say
    entering: str
    states: tuple[str, ...]
    room_for_fold: bool
    before: Mapping[int, int]  # from a step, counted from 1, to the one whose state it takes
    layer: int | None = None  # its number, where the states of several have one name
    masked: frozenset[str] = frozenset()  # the states that enter times a mask
    state_pitch: float = STATE_PITCH  # between two states that run straight

    def _before(self, step: int) -> int:
        return self.before.get(step, step - 1)

    def _dated(self, formula: str, step: int) -> str:
        """A formula with its steps written out, and the mask of variational dropout where a state has one."""
        for state in self.masked:
            formula = re.sub(rf"(?<!\w){state}'", f"(m * {state}')", formula)
        return at_step(formula, self.states, step, self._before(step), self.layer)

    def _state(self, name: str, step: int) -> str:
        return sub(state_name(name, self.layer), step)

    @property
    def z_middle(self) -> float:
        """The middle of the row z."""
        return PAD + Z_HEIGHT / 2

    @property
    def floor(self) -> float:
        """Where the input and the weights arrive: the bottom of the row z, else of the cell."""
        return PAD if self.z else 0.0

    @property
    def _chips_bottom(self) -> float:
        return PAD + Z_HEIGHT + 6.5 if self.z else PAD + 1.0

    @property
    def _middle(self) -> float:
        rows = (len(self.chips) + 1) // 2
        tall = rows * CHIP_PITCH - (CHIP_PITCH - CHIP_HEIGHT) if rows else 0
        return max(tall, 33 if self.room_for_fold and not self.z else 0)

    def chip_row(self, i: int) -> float:
        """The middle of the i-th row of chips, from the top."""
        return self._chips_bottom + self._middle - CHIP_HEIGHT / 2 - i * CHIP_PITCH

    @property
    def bands(self) -> dict[str, float]:
        """The middle of each state's band, from the lowest up."""
        gap = 4.5 if self._middle else 1.5
        y = self._chips_bottom + self._middle + gap + BAND / 2
        middles: dict[str, float] = {}
        below = ""
        for state in reversed(self.states):
            if below:
                straight = self.entering not in (state, below)
                y += self.state_pitch if straight else BAND_PITCH
            middles[state] = y
            below = state
        return middles

    @property
    def title_middle(self) -> float:
        """The middle of the title."""
        return max(self.bands.values(), default=self._chips_bottom + self._middle - 10) + 24

    @property
    def height(self) -> float:
        """The height of the whole cell."""
        return self.title_middle + 11

    def enters_at(self, state: str) -> float:
        """At which height the state comes in (and its pill stands)."""
        return self.z_middle if state == self.entering else self.bands[state]

    def heading(self, step: int) -> str:
        """The title at one step."""
        return f"{self.title}  t = {step}"

    def band_text(self, state: str, step: int) -> str:
        """The formula of a state at one step, counted from 1."""
        formula = self.formulas[state]
        left = self._state(state, step)
        return f"{left} = {self._dated(formula, step)}" if formula else left

    def held_text(self, state: str, step: int) -> str:
        """What a state is at a step beyond the length of every sequence."""
        return f"{self._state(state, step)} = {self._state(state, self._before(step))}"

    def z_text(self, step: int, size: float, room: float) -> str:
        """The row z at one step, broken into lines."""
        dated = self._dated(self.z, step)
        if "; " in dated:
            return dated.replace("; ", "\n")
        return fold_terms(f"z = {dated}", size, room)

    def _z_halves(self, step: int) -> list[str]:
        """What a line of the row z must have room for, at least."""
        dated = self._dated(self.z, step)
        if "; " in dated:
            return dated.split("; ")
        terms = [f"+ {term}" for term in dated.split(" + ")]
        middle = (len(terms) + 1) // 2
        rest = [" ".join(terms[middle:])] if self.masked else []
        return [" ".join(terms[:middle]), *rest, *terms]

    def z_size(self, width: float) -> float:
        """The type size of the row z: roomy cells have a larger one."""
        return style.NOTE if width >= ROOMY_WIDTH else style.SMALL

    def width(self, columns: Sequence[Column], roomy: bool) -> float:
        """How wide the cell must be for what it says at these steps."""
        least = ROOMY_WIDTH if roomy else MIN_WIDTH
        size = style.NOTE if roomy else style.SMALL
        needs = [float(least)]
        for step in (column.first for column in columns if not column.folded):
            needs.append(text_width(self.heading(step), style.TITLE, True) + 10)
            needs += [text_width(self.band_text(s, step), style.NOTE) + 8 for s in self.states]
            if self.z:
                needs += [text_width(half, size) + 24 for half in self._z_halves(step)]
        chip = max((text_width(c, style.NOTE) for c in self.chips.values()), default=0) + 6
        needs.append(2 * chip + CHIP_GAP + 10 if len(self.chips) > 1 else chip + 10)
        return float(-(-max(needs) // 2) * 2)

    def fold_width(self, column: Column) -> float:
        """How wide the dashed cell must be."""
        x = text_width(span("x", column.first, column.last), style.STATE, True) + 10
        words = text_width(fold_count(column), style.NAME, True) + 8
        heading = text_width(fold_heading(column), style.TITLE) + 10
        return max(FOLD_WIDTH, words, heading, (x / 2 + 6) / (TAP_AT - INPUT_AT))


def cell_layout(
    chain: Chain, nodes: Sequence[GraphNode], weights: Iterable[str], folded: bool
) -> CellLayout:
    """The layout of a chain's cells: from the cell's equations, else from the recorded names and ops."""
    call = chain.start
    z = _row(chain, [name.removesuffix("_reverse") for name in weights])
    z = _of_reset(chain, nodes, z)
    entering = next((s for s in reversed(chain.states) if _occurs(f"{s}'", z)), "")
    formulas = {
        state: _formula(chain.equations.get(state, ""), nodes, call.outputs.get(state))
        for state in chain.states
    }
    reserved = {*chain.states, "x", ""} | ({"z"} - set(chain.gates))
    named = dict.fromkeys(nodes[i].name for i in call.nodes if nodes[i].name not in reserved)
    chips = {n: f"{chain.gates[n]} {n}" if n in chain.gates else n for n in named}
    if not chain.states and not chips:
        ops = (SYMBOLS.get(nodes[i].op, nodes[i].op) for i in call.nodes)
        chips = {op: op for op in ops if op != chain.title}
    before = {step + 1: chain.before(step) + 1 for step in chain.calls}
    states, layer = chain.states, chain.layer
    return CellLayout(chain.title, formulas, z, chips, entering, states, folded, before, layer)


def _row(chain: Chain, weights: Iterable[str]) -> str:
    """What the row z says: the sum that the gates are parts of, else the products that they share."""
    names = list(weights)
    products = chain.equations.get("products", "").split("; ")
    formula = chain.equations.get("z", "") if "z" not in chain.gates else ""
    return without_missing(formula, names) or "; ".join(without_missing(p, names) for p in products)


def _of_reset(chain: Chain, nodes: Sequence[GraphNode], row: str) -> str:
    """The row of a GRU whose reset comes before the product, as recorded: it takes h' and r * h'."""
    linear = [i for i in chain.start.nodes if nodes[i].op == "linear"]
    before = any(nodes[k].op == "mul" for i in linear for k in nodes[i].inputs)
    return row.replace("W_hh h'", "W_hh [h', r * h']") if before and "; " in row else row


def _occurs(word: str, formula: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", formula) is not None


def _formula(equation: str, nodes: Sequence[GraphNode], output: int | None) -> str:
    """The cell's equation of a state; what was recorded decides which function it is, or all of it."""
    if output is None or not nodes[output].inputs:
        return equation
    op, operands = nodes[output].op, nodes[output].inputs
    if op == "linear" and equation:
        return f"W_hr ({equation})"
    symbol = SYMBOLS.get(op, op)
    if not equation:
        return f"… {symbol} …" if len(operands) == 2 and symbol in OPERATORS else f"{symbol}(…)"
    call = re.fullmatch(r"\w+(\([^()]*\))", equation)
    return f"{op}{call[1]}" if call and len(operands) == 1 else equation
