"""Pictures of made-up models: every label holds, every tap ends where it is used, no wire is two values."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from made_up_models import MAKERS, model
from picture_checks import check_labels, check_taps, check_type, check_width, check_wires
from reading import Read, check_nothing_overlaps
from support import share_of_the_day

import tinygrad_rnn as tg
from tinygrad_rnn.drawing.draw import to_dot
from tinygrad_rnn.drawing.output import write
from tinygrad_rnn.drawing.pictures.cells import draw_cells
from tinygrad_rnn.drawing.pictures.ops import draw_ops
from tinygrad_rnn.graphs.chains import CELLS, OP_STEPS, NotUnrollableError
from tinygrad_rnn.graphs.unrolled import UnrolledGraph

FEW, MANY = 42, 336


def check(seed):
    """All that must hold of one model's picture: (its name, is it one of cells, labels checked)."""
    name, loss = model(seed)
    what = (name, seed)
    graph = tg.graph(loss)
    check_ops(graph, what)
    check_layers(graph, what)
    try:
        unrolled = UnrolledGraph.read(graph, CELLS)
        scene = draw_cells(unrolled).scene
    except NotUnrollableError:
        check_wires(to_dot(graph, "cell"), what)
        return name, False, 0
    text = write(scene)
    check_wires(text, what)
    check_taps(graph, text, what)
    check_width(text, unrolled, what)
    return name, True, check_labels(graph, scene, unrolled, what)


def check_ops(graph, what):
    """The same of the picture of its ops, where that is one of steps on a grid; and that it fits a page."""
    try:
        text = write(draw_ops(UnrolledGraph.read(graph, OP_STEPS)).scene)
    except NotUnrollableError:
        return
    check_wires(text, what)
    check_taps(graph, text, what)
    check_type(text, what)


def check_layers(graph, what):
    """The same of the picture of layers, which is no wider than a screen."""
    text = to_dot(graph, "layer")
    read = Read(text)
    check_wires(text, what)
    check_taps(graph, text, what)
    check_nothing_overlaps(read)
    left, _, right, _ = map(float, re.search(r' bb="([^"]*)"', text)[1].split(","))
    assert right - left <= 1440, what
    steps = [int(n) for n in re.findall(r'"x (\d+) steps?(?:, \d+ runs)?"', text)]
    assert sum(steps) == len(graph.calls), what


def check_all(seeds):
    found = [check(seed) for seed in seeds]
    drawn = Counter(name for name, cells, _ in found if cells)
    made = Counter(name for name, _, _ in found)
    labels = sum(count for _, _, count in found)
    assert sum(drawn.values()) >= 0.8 * len(found), drawn
    assert drawn.keys() == made.keys(), (drawn, made)
    assert labels >= 4 * len(found)


def test_some_models():
    check_all(range(FEW))


@pytest.mark.slow
def test_many_models():
    check_all(share_of_the_day(range(FEW, MANY + FEW), 4))


@pytest.mark.parametrize("seed", range(0, 2 * len(MAKERS), 3))
def test_the_backward_picture_has_the_same_wires(seed):
    name, loss = model(seed)
    ledger = loss.backward(ledger=True)
    graph = tg.graph(loss)
    for level in ("auto", "layer"):
        text = to_dot(graph, level, backward=ledger)
        check_wires(text, (name, seed, level))
        if level == "layer":
            check_nothing_overlaps(Read(text))
