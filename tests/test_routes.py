"""A quick slice of the differential fuzz: every row of the op table, and cells drawn at random.

``python tests/routes.py`` goes on for as long as one likes.
"""

import numpy as np
import pytest
from drawn_cells import Call, draw_cell, made, numbers_for
from drawn_lines import KINDS, rows_drawn
from drawn_routes import Case, verdict
from routes import program

from tinygrad_rnn.engine.places import state
from tinygrad_rnn.ops import ROWS
from tinygrad_rnn.ops.watching import looking
from tinygrad_rnn.scan import backends


class Rows:
    """What ``state.watch`` hears: the rows that were applied."""

    def __init__(self):
        self.names = set()

    def look(self, op, result, operands, constants):
        self.names.update(name for name, row in ROWS.items() if row is op)


def applied(cell):
    """The rows that one step of a cell applies."""
    call = Call(steps=1, losses=(True,) * (1 + len(cell.states)))
    rows = state.watch = Rows()
    try:
        with looking(), np.errstate(all="ignore"):
            arrays = numbers_for(cell, call)
            Case(cell, call, made(cell, call, arrays))
    finally:
        state.watch = None
    return rows.names


def cell_with(kind):
    """A cell with a line of a kind."""
    for seed in range(20):
        cell = draw_cell(np.random.default_rng([seed, *kind.encode()]), kind)
        if any(line.kind == kind for line in cell.lines):
            return cell
    raise AssertionError(f"no cell could be drawn with {kind}")


def test_every_row_is_drawn():
    """A row that is new needs a kind in ``drawn_lines.py``: how to write it, what it is in plain numpy."""
    of_square_matrices = {"inverse", "log_det"}  # cells of chance have few that can be inverted
    assert set(ROWS) - of_square_matrices <= rows_drawn(), (
        "rows that no cell has; and rows that are none:"
    )
    assert rows_drawn() <= set(ROWS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_applies_its_rows_and_is_right(kind):
    cell = cell_with(kind)
    seen = {n for n, row in ROWS.items() if not row.several and not row.item}
    assert set(KINDS[kind].rows.split()) & seen <= applied(cell)
    names = [f"w{k}" for k in range(len(cell.weights))]
    call = Call(steps=2, asks=frozenset(["x", *names]), losses=(True,) * (1 + len(cell.states)))
    for route in ("plain", "jvp", "second"):
        with np.errstate(all="ignore"):
            what, difference = verdict(Case(cell, call), route)
        assert difference is None, f"{what}: {difference}"


@pytest.mark.parametrize("number", range(40))
def test_routes_agree(number):
    """Cells drawn at random: recorded, compiled, in plain numpy, in pieces, forward, differentiated twice."""
    agree(2026, number, 3, ["plain", "numpy", "pieces", "ledger", "jvp", "second"])


@pytest.mark.parametrize("number", range(8))
def test_derivatives_of_compiled_calls_agree(number):
    agree(2027, number, 3, ["jvp_compiled", "second_compiled"])


@pytest.mark.slow
@pytest.mark.skipif(backends.choice()[0] != "numba", reason="numba is not installed (extra fast)")
def test_machine_code_agrees():
    compiled = 0
    for number in range(12):
        said = agree(2028, number, 12, ["plain", "numba"])
        compiled += sum(word["numba"] == "compiled, run by numba" for word in said)
    assert compiled > 20


def agree(seed, number, calls, routes):
    """What each route said of each call of one cell."""
    heard = []
    for _, _, call, said, differences in program(seed, number, calls, routes):
        again = f"python tests/routes.py --seed {seed} --only {number} --routes {','.join(routes)}"
        assert not differences, f"{again}: {differences} {call}"
        heard.append(said)
    return heard
