"""The system's Graphviz, graphviz-pure, and the newest one as WebAssembly paint the same picture."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache

import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.drawing.output import DrawingError, backend, svg_of

WASM = "@viz-js/viz is not installed (npm install @viz-js/viz, NODE_PATH its node_modules)"
SCRIPT = """
const { instance } = require("@viz-js/viz");
const texts = JSON.parse(require("fs").readFileSync(0, "utf8"));
instance().then((viz) => {
  const svgs = texts.map((text) => viz.renderString(text, { format: "svg", engine: "dot" }));
  console.log(JSON.stringify({ version: viz.graphvizVersion, svgs }));
});
"""


def lattice(level: str, *args: int, **options: object) -> Callable[[], str]:
    """A picture whose positions are computed here."""
    return lambda: tg.graph(nn.LSTM(4, 3, num_layers=args[1])(tg.randn(args[0], 1, 4))[0]).to_dot(
        level, **options
    )


def backward() -> str:
    loss = nn.GRU(4, 3)(tg.randn(4, 1, 4))[0].square().sum()
    return tg.graph(loss).to_dot(backward=loss.backward(ledger=True))


def between() -> str:
    a, b, linear = nn.GRU(4, 3), nn.GRU(3, 3), nn.Linear(3, 3)
    return tg.graph(b(linear(a(tg.randn(4, 1, 4))[0]).relu())[0].sum()).to_dot("cell")


def modules() -> str:
    return tg.graph(
        nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 1))(tg.randn(2, 4)).sum()
    ).to_dot()


PICTURES: dict[str, Callable[[], str]] = {
    "cells": lattice("cell", 4, 1),
    "two layers": lattice("cell", 3, 2),
    "folded": lattice("cell", 100, 1),
    "ops": lattice("op", 3, 1),
    "ops with shapes": lattice("op", 3, 1, shapes=True),
    "backward": backward,
    "between": between,
    "modules": modules,
}


@cache
def texts() -> dict[str, str]:
    tg.manual_seed(0)
    return {name: make() for name, make in PICTURES.items()}


def need(engine: str) -> str:
    try:
        return backend(engine)
    except DrawingError as error:
        if engine == "system" and not shutil.which("dot"):
            pytest.skip("no system Graphviz here")
        raise error


@cache
def drawn(engine: str) -> tuple[str, dict[str, str]]:
    """The version, and the SVG of each picture."""
    if engine != "wasm":
        return need(engine), {name: svg_of(text, engine) for name, text in texts().items()}
    import json

    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node on the PATH")
    found = subprocess.run(
        [node, "-e", 'require.resolve("@viz-js/viz")'], capture_output=True, check=False
    )
    if found.returncode:
        pytest.skip(WASM)
    done = subprocess.run(
        [node, "-e", SCRIPT],
        input=json.dumps([*texts().values()]),
        capture_output=True,
        text=True,
        check=True,
    )
    said = json.loads(done.stdout)
    return f"WebAssembly {said['version']}", dict(zip(texts(), said["svgs"], strict=True))


NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?")
PART = re.compile(r'<g id="[^"]*" class="([^"]*)">\s*<title>([^<]*)</title>(.*?)</g>\n', re.S)
SHAPE = re.compile(r"<(path|polygon|polyline|ellipse|text)\b([^>]*)>(?:([^<]*)</text>)?")


Shape = tuple[str, list[float], str, float]  # tag, numbers, words, how wide the pen is


def painted(svg: str) -> dict[tuple[str, str, int], list[Shape]]:
    """By what a part is: its shapes, with their numbers, in order, and its text."""
    found: dict[tuple[str, str, int], list[Shape]] = {}
    for kind, title, inside in PART.findall(svg):
        shapes = []
        for tag, attributes, words in SHAPE.findall(inside):
            places = re.findall(r'\b(?:d|points|cx|cy|rx|ry|x|y)="([^"]*)"', attributes)
            pen = re.search(r'stroke-width="([^"]*)"', attributes)
            numbers = [float(n) for place in places for n in NUMBER.findall(place)]
            shapes.append((tag, numbers, words, float(pen[1]) if pen else 1.0))
        k = 0
        while (kind, title, k) in found:
            k += 1
        found[kind, title, k] = shapes
    return found


@pytest.mark.parametrize("other", ["pure", "wasm"])
@pytest.mark.parametrize("name", PICTURES)
def test_the_same_picture_from_another_graphviz(name: str, other: str) -> None:
    first, ours = drawn("system")
    second, theirs = drawn(other)
    a, b = painted(ours[name]), painted(theirs[name])
    assert a.keys() == b.keys(), (first, second)
    assert len(a) > 10
    for part, shapes in a.items():
        assert [s[0] for s in shapes] == [s[0] for s in b[part]], (part, first, second)
        for (tag, numbers, words, pen), (_, others, same, _) in zip(shapes, b[part], strict=True):
            assert words == same, (part, first, second)
            assert len(numbers) == len(others), (part, first, second)
            # Baselines differ a little; before version 3 an arrow's tip reached too far, by its pen's mitre.
            near = 2.5 if tag == "text" else 0.5
            near = 0.5 + 1.6 * pen if part[0].startswith("edge") and tag == "polygon" else near
            for x, y in zip(numbers, others, strict=True):
                assert abs(x - y) <= near, (part, tag, numbers, others, first, second)
    assert_sizes(ours[name], theirs[name])


def assert_sizes(ours: str, theirs: str) -> None:
    size = [
        [float(n) for n in re.search(r'<svg width="(\S+?)pt" height="(\S+?)pt"', svg).groups()]  # type: ignore[union-attr]
        for svg in (ours, theirs)
    ]
    assert all(abs(x - y) <= 2 for x, y in zip(*size, strict=True))


if __name__ == "__main__":  # which versions were compared
    for engine in ("system", "pure", "wasm"):
        sys.stdout.write(f"{engine}: {drawn(engine)[0]}\n")
