"""The line of small print under a picture: what dots, colours and dashes mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from . import style
from .shapes import Picture
from .words import text_width

DROP, LINE_HEIGHT, LENGTH, SPACE, GAP = 16.0, 15.0, 20.0, 6.0, 13.0


@dataclass(frozen=True, slots=True)
class Item:
    """One sample and its words; ``kind`` is bus, cross, line, thin, dashed or text."""

    words: str
    kind: str
    color: str = style.ORANGE


def draw_legend(picture: Picture, items: Sequence[Item], left: float) -> None:
    """Write the items below everything that is drawn, in as many lines as the width asks for."""
    _, bottom, right, _ = picture.bounds()
    right = max(right, left + 330)
    x, y = left, bottom - DROP
    for i, item in enumerate(items):
        sample = {"text": 0.0, "cross": 14.0}.get(item.kind, LENGTH)
        width = sample + SPACE * bool(sample) + text_width(item.words, style.NOTE)
        if x > left and x + width > right:
            x, y = left, y - LINE_HEIGHT
        _sample(picture, f"legend{i}", item, x, y, sample)
        at = x + sample + SPACE * bool(sample)
        color = item.color if item.kind == "text" and item.color != style.ORANGE else style.PLAIN
        picture.text(f"legend{i}.text", item.words, at, y, style.NOTE, color, left=True)
        x += width + GAP


def _sample(picture: Picture, id: str, item: Item, x: float, y: float, length: float) -> None:
    if item.kind == "text":
        return
    if item.kind == "dashed":
        picture.box(id, "", x + length / 2, y, length, 12, style.INPUT, "legend", dashed=True)
        return
    _stroke(picture, id, item, [(x, y), (x + length, y)])
    if item.kind == "bus":
        picture.dot(f"{id}.dot", x + length / 2, y, item.color)
    if item.kind == "cross":
        _stroke(picture, f"{id}v", item, [(x + length / 2, y - 7), (x + length / 2, y + 7)])


def _stroke(picture: Picture, id: str, item: Item, ends: list[tuple[float, float]]) -> None:
    thin = item.kind == "thin"
    picture.line(
        picture.port(f"{id}.a", *ends[0]),
        picture.port(f"{id}.b", *ends[1]),
        ends,
        color=style.PLAIN if thin else item.color,
        pen=1.4 if thin else style.RAIL_PEN,
        cls="legend",
    )
