"""What does a cell's box say, how tall is it, where do values come in? Title, bands of states, chips, z."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property

from ...graphs.chains import Chain, Column, Output
from ...graphs.meaning import CellAt
from ...graphs.recorded import GraphNode
from ..scene import style
from ..scene.scene import Box, Key, Point
from ..scene.style import Look
from ..scene.text import (
    OPERATORS,
    SYMBOLS,
    at_step,
    fold_count,
    fold_heading,
    fold_terms,
    span,
    state_at,
    state_name,
    text_width,
    without_missing,
)
from .grid import PILL_HEIGHT, AnyGrid, StepBox, Ways

PAD, Z_HEIGHT, CHIP_HEIGHT, CHIP_PITCH, BAND, BAND_PITCH, STATE_PITCH = 7, 30, 15, 18, 20, 23, 30
CHIP_GAP, MIN_WIDTH, ROOMY_WIDTH, FOLD_WIDTH = 4, 94, 104, 72
INPUT_AT, TAP_AT = 0.26, 0.74
INPUT_PITCH = 46.0  # from one input to the next
BESIDE_TAP = 9.0  # from an input's pill to the tap of the weights
INPUT_DROP = 29.0  # below the cell's bottom: the middle of x


class CellBox(StepBox):
    """A cell as a box: states come in at their bands, x and the weights at the bottom.

    ``entering`` is the state that joins x in the row z and loops back to it; the others run straight
    through their bands. A cell without ``equations["z"]`` has no such row: all its states run straight.
    ``formulas`` are those of the states, ``chips`` what is said by name, ``masked`` the states that enter
    times a mask; ``state_pitch`` is how far apart two states are that run straight.
    """

    least = 58.0
    input_height, input_line, has_bands, joined_look = 20.0, style.VALUE, True, False

    def __init__(
        self,
        chain: Chain,
        nodes: Sequence[GraphNode],
        weights: Iterable[str],
        folded: bool,
        masked: frozenset[str],
        state_pitch: float,
    ) -> None:
        """From the cell's equations, else from recorded names and ops; ``folded``: with room for a fold."""
        self.chain, self.states, self.folded = chain, chain.states, folded
        self.masked, self.state_pitch = masked, state_pitch
        call = chain.start
        z = _row(chain, [name.removesuffix("_reverse") for name in weights])
        self.z = _of_reset(chain, nodes, z)
        self.entering = next((s for s in reversed(self.states) if _occurs(f"{s}'", self.z)), "")
        self.formulas = {
            state: _formula(chain.equations.get(state, ""), nodes, call.outputs.get(state))
            for state in self.states
        }
        reserved = {*self.states, "x", ""} | ({"z"} - set(chain.gates))
        named = dict.fromkeys(nodes[i].name for i in call.nodes if nodes[i].name not in reserved)
        self.chips = {n: f"{chain.gates[n]} {n}" if n in chain.gates else n for n in named}
        if not self.states and not self.chips:
            ops = (SYMBOLS.get(nodes[i].op, nodes[i].op) for i in call.nodes)
            self.chips = {op: op for op in ops if op != chain.title}
        self.bottom, self.top = 0.0, self.title_middle + 11

    # ---- where values come in and go out

    def entry(self, state: str) -> float:
        """At the row z, or at the state's own band."""
        return self.z_middle if state == self.entering else self.bands[state]

    def part(self, state: str) -> str:
        """Which part of the cell takes a state, an input or the weights."""
        if state in self.bands and state != self.entering:
            return state
        return "z" if self.z else "title"

    def leaves(
        self, grid: AnyGrid, column: Column, state: str, pill: Point
    ) -> tuple[Key, list[Point]]:
        """From the state's band; the state that enters z turns down to its pill."""
        sign, band = grid.sign(self.chain), grid.y(self.chain, self.bands[state])
        start, (x, y) = (grid.leaves(self.chain, column) - sign * 0.5, band), pill
        turn = [start, (x, band), (x, y + PILL_HEIGHT / 2)]
        route = [start, (x - sign * grid.pill / 2, y)] if band == y else turn
        return (CellAt(self.chain, column), state), route

    def ways_in(self, grid: AnyGrid, column: Column, role: str, start: Point) -> Ways:
        """A state at the side, x from below."""
        state, cell = role.removesuffix("'"), CellAt(self.chain, column)
        if state == role:
            floor = grid.y(self.chain, self.floor)
            return [((cell, self.part(role)), [start, (start[0], floor)])]
        inset = 5.0 if state == self.entering else 0.5
        x = grid.enters(self.chain, column) + grid.sign(self.chain) * inset
        return [((cell, self.part(state)), [start, (x, start[1])])]

    def up(self, grid: AnyGrid, column: Column) -> tuple[Key, Point]:
        """The middle of the top."""
        left, right = grid.edges(self.chain, column)
        at = ((left + right) / 2, grid.y(self.chain, self.top))
        return (CellAt(self.chain, column), "title"), at

    def up_to(self, grid: AnyGrid, column: Column, _x: float) -> tuple[Key, Point, float]:
        """Where the wire to a layer above begins, and the level at which it may turn."""
        tail, (_, top) = self.up(grid, column)
        return tail, (self.at(grid, column, INPUT_AT), top), top + 10

    def at(self, grid: AnyGrid, column: Column, share: float) -> float:
        """An x inside the cell."""
        left, right = grid.edges(self.chain, column)
        return left + share * (right - left)

    def inputs(self, grid: AnyGrid, column: Column) -> Iterator[tuple[str, Point]]:
        """x, and what else comes in beside the states, side by side below the cell."""
        here = self.chain.calls[self.chain.here(column)[0]].inputs
        for k, role in enumerate(self.chain.input_roles):
            if role in here:
                x = self.at(grid, column, INPUT_AT) + INPUT_PITCH * k
                yield role, (x, grid.y(self.chain, -INPUT_DROP))

    def input_middle(self, grid: AnyGrid, column: Column, x: float, width: float) -> float:
        """Over the wire; of a long name further left, so that it ends before the tap of the weights."""
        if column.folded or len(self.chain.input_roles) > 1:
            return x
        return min(x, self.at(grid, column, TAP_AT) - BESIDE_TAP - width / 2)

    def folded_at(self, _grid: AnyGrid, _column: Column, at: Point, _aside: float) -> Point:
        """As of a single step."""
        return at

    def input_name(
        self, column: Column, role: str, source: Output | None, looks: Mapping[str, Look]
    ) -> str:
        """x, and which output of the layer below it is."""
        name = span(role, column.first, column.last)
        if source is None:
            return name
        shift = source.step - self.chain.here(column)[0]
        if not self.chain.states:
            given = state_name(source.role, source.chain.layer)
            return span(given, column.first + shift, column.last + shift)
        known = (source.role in looks or source.chain.partner) and not column.folded
        said = state_at(source.chain, source.role, column.first + shift)
        return f"{name} = {said}" if known else name

    def input_color(self, _source: Output | None, look: Look) -> str:
        """That of the state that it is."""
        return style.PLAIN if look is style.INPUT else look.stroke

    def from_pill(
        self, route: list[Point], x: float, y: float, _width: float, tall: float
    ) -> list[Point]:
        """From the pill's top."""
        return [(x, y + tall / 2), *route[1:]]

    def from_joined(
        self, grid: AnyGrid, column: Column, y: Box, pill: Box, next_row: bool
    ) -> tuple[list[Point], str]:
        """Straight up into the next row, else past it at the left."""
        if next_row:
            return [(pill.x, y.sides[3]), (pill.x, pill.sides[1])], ""
        x = grid.beside(self.chain, column, -1)
        return [(y.sides[0], y.y), (x, y.y), (x, pill.y), (pill.sides[0], pill.y)], ""

    # ---- what stands where

    def _before(self, step: int) -> int:
        """The step whose state a step takes, both counted from 1."""
        known = step - 1 in self.chain.calls
        return self.chain.before(step - 1) + 1 if known else step - 1

    def _dated(self, formula: str, step: int) -> str:
        """A formula with its steps written out, and the mask of variational dropout where a state has one."""
        for state in self.masked:
            formula = re.sub(rf"(?<!\w){state}'", f"(m * {state}')", formula)
        return at_step(formula, self.states, step, self._before(step), self.chain.layer)

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
        return max(tall, 33 if self.folded and not self.z else 0)

    def chip_row(self, i: int) -> float:
        """The middle of the i-th row of chips, from the top."""
        return self._chips_bottom + self._middle - CHIP_HEIGHT / 2 - i * CHIP_PITCH

    @cached_property
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

    def heading(self, step: int) -> str:
        """The title at one step."""
        return f"{self.chain.title}  t = {step}"

    def band_text(self, state: str, step: int) -> str:
        """The formula of a state at one step, counted from 1."""
        formula = self.formulas[state]
        left = state_at(self.chain, state, step)
        return f"{left} = {self._dated(formula, step)}" if formula else left

    def held_text(self, state: str, step: int) -> str:
        """What a state is at a step beyond the length of every sequence."""
        return f"{state_at(self.chain, state, step)} = {state_at(self.chain, state, self._before(step))}"

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
