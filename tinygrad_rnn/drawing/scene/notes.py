"""What does a picture say of values, on demand? A second line in each box, a number at each use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...graphs.elements import Elements
from ...graphs.meaning import Meaning
from ...graphs.readback import flows_of, raw_values
from . import style
from .scene import Scene
from .text import shape_text, text_width

if TYPE_CHECKING:
    from ...graphs.recorded import RecordedGraph

LINE = 13.0  # how much taller a box is for its second line
AT_DOTS = "; at a dot: what this use adds"
SHORT = {"float64": "f64", "float32": "f32", "float16": "f16"}


@dataclass(frozen=True)
class Notes:
    """By node id the parts of its second line, data and gradient; by use (node, operand) a number."""

    nodes: dict[int, tuple[str, ...]]
    uses: dict[tuple[int, int], str]
    legend: tuple[str, ...]

    @property
    def width(self) -> float:
        """The room that the widest second line needs."""
        return max((_width(parts) for parts in self.nodes.values()), default=0.0)

    @property
    def legend_of_boxes(self) -> tuple[str, ...]:
        """The legend of a picture that says nothing at its dots."""
        return tuple(words.removesuffix(AT_DOTS) for words in self.legend)

    def draw(
        self, scene: Scene, of: Meaning, prefix: str, node: int | None, x: float, y: float
    ) -> None:
        """Write a node's second line around (x, y)."""
        parts = () if node is None else self.nodes.get(node, ())
        if len(parts) == 1:
            scene.text(of, f"{prefix}note", parts[0], x, y, style.SMALL, style.SECOND)
        elif parts:
            half = _width(parts) / 2
            data, grad = parts
            left = x - half + text_width(data, style.SMALL) / 2
            right = x + half - text_width(grad, style.SMALL) / 2
            bar = (
                left + text_width(data, style.SMALL) / 2 + right - text_width(grad, style.SMALL) / 2
            ) / 2
            scene.text(of, f"{prefix}data", data, left, y, style.SMALL, style.INK)
            scene.text(of, f"{prefix}bar", "|", bar, y, style.SMALL, style.PLAIN)
            scene.text(of, f"{prefix}grad", grad, right, y, style.SMALL, style.GRADIENT.text)


def _width(parts: tuple[str, ...]) -> float:
    return sum(text_width(part, style.SMALL) for part in parts) + 12.0 * (len(parts) - 1)


def notes_of(graph: RecordedGraph, shapes: bool, values: bool) -> Notes:
    """The notes of a graph's nodes: shape and dtype, and what the values were."""
    found: dict[int, Any] = {}
    gradients: dict[int, Any] = {}
    edges: dict[tuple[int, int], Any] = {}
    if isinstance(graph, Elements):
        found, gradients, edges = graph.numbers, graph.gradients, graph.crossing
    elif values:
        found = raw_values(graph)
        gradients, edges = flows_of(graph)
    scalar = values and all(_is_one(node.shape) for node in graph if node.op != "literal")
    lines: dict[int, tuple[str, ...]] = {}
    for node in graph:
        if node.op == "literal" or (node.shape and isinstance(node.shape[0], tuple)):
            continue
        if scalar:
            lines[node.id] = (number(found.get(node.id)), number(gradients.get(node.id)))[
                : 2 if gradients else 1
            ]
            continue
        words = []
        if shapes:
            words.append(f"{shape_text(node.shape)} {SHORT.get(node.dtype, node.dtype)}")
        if values:
            words.append(statistics(found.get(node.id)))
        lines[node.id] = ("  ".join(words),)
    uses = {use: f"{_one(d):+.3f}".replace("-", "−") for use, d in edges.items()} if scalar else {}
    return Notes(lines, uses, _legend(graph, scalar, values, gradients, edges))


def _legend(
    graph: RecordedGraph,
    scalar: bool,
    values: bool,
    gradients: dict[int, Any],
    edges: dict[tuple[int, int], Any],
) -> tuple[str, ...]:
    if not scalar:
        return ("in each box: mean ± standard deviation",) if values else ()
    if not gradients:
        return ("in each box: its value",)
    if not edges:
        return ("in each box: data | grad (of the result by it)",)
    end = graph.nodes[graph.outputs[0]].name or "the result"
    sums = []
    for name in graph.parameters:
        parts = [_one(edges.get((use.node, use.operand), np.nan)) for use in graph.uses(name)]
        if len(parts) <= 4 and len(graph.parameters) <= 4 and np.isfinite(sum(parts)):
            terms = " ".join(f"{'−' if v < 0 else '+'} {abs(v):.3f}" for v in parts)
            sums.append(f"{name}: {terms.removeprefix('+ ')} = {number(sum(parts))}")
    return (f"in each box: data | grad (of {end} by it){AT_DOTS}", *sums)


def _is_one(shape: tuple[Any, ...]) -> bool:
    return all(side == 1 for side in shape)


def _one(value: Any) -> float:
    return float(np.asarray(value).reshape(-1)[0])


def number(value: Any) -> str:
    """A number with three digits after the point, or as many significant ones where it is far from 1."""
    if value is None:
        return "?"
    v = _one(value)
    text = f"{v:.3f}" if v == 0 or 0.001 <= abs(v) < 1000 else f"{v:.2g}"
    return text.replace("-", "−")


def statistics(value: Any) -> str:
    """An array in numbers: all of up to two, else mean and standard deviation."""
    if value is None:
        return "?"
    array = np.asarray(value)
    if array.size <= 2 or array.dtype.kind not in "fiu":
        return " ".join(number(v) for v in array.reshape(-1)[:2])
    a = array.astype(np.float64)
    bad = int(np.count_nonzero(~np.isfinite(a)))
    if bad:
        return f"{bad} NaN or Inf"
    return f"{number(a.mean())} ± {number(a.std())}"
