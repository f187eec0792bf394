"""Pictures, ledgers and pages of made-up networks say what a run in plain numpy says."""

from __future__ import annotations

from collections import Counter

import network_programs as programs
import numpy as np
import pytest
from picture_checks import check_labels, check_taps, check_wires
from picture_truth import Truth, check_ledger, check_page, check_scene, check_states, owners
from reading import Read, check_nothing_overlaps
from support import share_of_the_day

import tinygrad_rnn as tg
from tinygrad_rnn.drawing.draw import to_dot
from tinygrad_rnn.drawing.output import write
from tinygrad_rnn.drawing.pictures.backward import draw_backward
from tinygrad_rnn.drawing.pictures.cells import draw_cells
from tinygrad_rnn.graphs.chains import CELLS, NotUnrollableError
from tinygrad_rnn.graphs.readback import raw_values
from tinygrad_rnn.graphs.unrolled import UnrolledGraph
from tinygrad_rnn.scan import backends

FEW, MANY = range(0, 200, 20), range(1, 200, 2)
# Programs whose wires ran through boxes or along each other once, boxes that stood on another, and one
# (289) in which only the first input of a decoder comes from cells.
CROWDED = (40, 87, 104, 105, 123, 131, 163, 198, 228, 289)


@pytest.fixture(autouse=True)
def numpy_loops():
    """Machine code would be compiled anew for every cell here."""
    with backends.using("numpy"):
        yield


def check(seed):
    """All that must hold of what is said of one network: labels and states that were checked."""
    truth = Truth(seed)
    if not truth.loss.requires_grad:
        return Counter()
    ledger, graph, what = truth.loss.backward(ledger=True), tg.graph(truth.loss), truth.what
    keys = sorted(truth.parameters())
    check_ledger(truth, ledger, keys[:: max(len(keys) // 2, 1)])
    checked = Counter(networks=1)
    try:
        checked += check_cells(truth, graph, ledger)
    except NotUnrollableError:
        text = to_dot(graph, "cell") if graph.calls else to_dot(graph)
        check_taps(graph, text, what)
    if seed % 5 == 0:
        check_page(truth, graph)
    return checked


def check_cells(truth, graph, ledger):
    """The picture of cells and that of the backward pass."""
    unrolled = UnrolledGraph.read(graph, CELLS)
    scene = draw_cells(unrolled).scene
    text = write(scene)
    check_wires(text, truth.what)
    check_taps(graph, text, truth.what)
    check_nothing_overlaps(Read(text))
    check_labels(graph, scene, unrolled, truth.what)
    labels, _ = check_scene(truth, graph, unrolled, scene)
    backward = UnrolledGraph.read(graph, CELLS)
    scene = draw_backward(backward, ledger).scene
    cells = owners(truth, graph, backward, raw_values(graph))
    return Counter(grids=1, labels=labels, states=check_states(truth, scene, cells, 2))


def check_all(seeds):
    found = sum((check(seed) for seed in seeds), Counter())
    assert found["networks"] >= 0.9 * len(seeds)
    assert found["grids"] >= 0.5 * len(seeds)
    assert found["labels"] >= 4 * len(seeds)
    assert found["states"] >= 0.8 * len(seeds)


def test_some_networks():
    check_all(FEW)


@pytest.mark.slow
def test_many_networks():
    check_all(share_of_the_day(MANY, 2))


# ---- wires, boxes and taps, at every level ------------------------------------------------------------


def check_pictures(seed):
    """Cells (on a grid or between other boxes) and layers, forward and backward: how many of each kind."""
    loss, _, program = programs.both(seed)
    if not loss.requires_grad:
        return Counter()
    ledger, graph, drawn = loss.backward(ledger=True), tg.graph(loss), Counter()
    if not graph.calls:  # all cells are cut off
        return drawn
    for level in ("cell", "layer"):
        for backward in (None, ledger):
            text, what = to_dot(graph, level, backward=backward), (seed, level, program.said)
            check_wires(text, what)
            check_taps(graph, text, what)
            check_nothing_overlaps(Read(text))
            drawn["blocks" if "panel0" in text else "grids", level] += 1
    return drawn


def check_all_pictures(seeds):
    drawn = sum((check_pictures(seed) for seed in seeds), Counter())
    assert drawn["blocks", "layer"] >= 1.8 * len(seeds)
    assert drawn["blocks", "cell"] >= 0.4 * len(seeds)
    assert drawn["grids", "cell"] >= 0.4 * len(seeds)


def test_some_pictures():
    check_all_pictures(CROWDED)


@pytest.mark.slow
def test_many_pictures():
    check_all_pictures(share_of_the_day(range(0, 200, 2), 4))


def test_plain_numpy_knows_every_use():
    """What the single uses of a weight say adds up to the difference that moving the weight makes."""
    truth, step = Truth(1), 1e-6
    key, p = next(iter(truth.parameters().items()))
    uses = [k for k, use in enumerate(truth.record.uses) if use.key == key]
    total = sum(truth.slope(use=k, along=np.ones(p.shape)) for k in uses)
    before, found = p.numpy().copy(), []
    for sign in (1, -1):
        with tg.no_grad():
            p.copy_(before + sign * step)
        found.append(truth.moved()[0].real)
    assert total != 0
    assert np.isclose((found[0] - found[1]) / (2 * step), total, rtol=1e-5)
