"""A laid-out picture, or lines of a graph, as DOT text: quoting, attributes, numbers."""

from __future__ import annotations

from collections.abc import Mapping

from . import style
from .shapes import Picture, Point


def write(picture: Picture) -> str:
    """A laid-out picture as DOT text that Graphviz merely draws (``layout=nop2``)."""
    left, bottom, right, top = picture.bounds()
    graph: dict[str, object] = {
        "layout": "nop2",
        "bb": _numbers(left, bottom, right, top),
        "bgcolor": "transparent",
        "pad": 0.08,
        "outputorder": picture.order,
        "tooltip": picture.title,
    }
    out = head(picture.title, graph)
    for frame in picture.frames:
        attrs = {"bb": _numbers(*frame.box), **frame.attrs}
        out.append(f"  subgraph {quote('cluster_' + frame.id)} {{ graph [{attributes(attrs)}] }}")
    for node in picture.nodes:
        left_aligned = node.attrs.get("labeljust") == "l"
        attrs = {
            "label": Label(node.label, "\\l" if left_aligned else ""),
            "pos": _numbers(node.x, node.y),
            "width": round(node.width / 72, 4),
            "height": round(node.height / 72, 4),
            **node.attrs,
        }
        attrs.pop("labeljust", None)
        out.append(f"  {quote(node.id)} [{attributes(attrs)}]")
    for line in picture.lines:
        pos = ("" if line.tip is None else f"e,{_numbers(*line.tip)} ") + _path(line.points)
        attrs = {**line.attrs, "pos": pos}
        out.append(f"  {quote(line.tail)} -> {quote(line.head)} [{attributes(attrs)}]")
    return "\n".join([*out, "}", ""])


def head(title: str, graph: Mapping[str, object]) -> list[str]:
    """The first lines of every picture: graph attributes and the defaults of nodes and edges."""
    return [
        f"digraph {quote(title)} {{",
        f"  graph [{attributes(graph)}]",
        f"  node [{attributes(style.NODE_DEFAULTS)}]",
        f"  edge [{attributes(style.EDGE_DEFAULTS)}]",
    ]


class Label(str):
    """Text of the user's or ours, shown as it is: no HTML, no entities, no escapes."""

    __slots__ = ("ending",)
    ending: str

    def __new__(cls, text: str, ending: str = "") -> Label:
        """``ending`` closes the last line: ``\\\\l`` sets it to the left."""
        label = super().__new__(cls, text)
        label.ending = ending
        return label


def attributes(values: Mapping[str, object]) -> str:
    """``key="value"`` pairs, each value quoted."""
    return ", ".join(f"{key}={_value(key, value)}" for key, value in values.items())


def quote(text: str) -> str:
    """A DOT string; a quoted string is never HTML."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _value(key: str, value: object) -> str:
    if isinstance(value, Label):
        lines = str(value).split("\n")
        ending = value.ending
        body = "\\n".join(_plain(line) for line in lines)
        return f'"{body}{ending}"'
    if isinstance(value, float):
        return f'"{value:g}"'
    if key in ("tooltip", "label"):
        return f'"{_plain(str(value))}"'
    return quote(str(value))


def _plain(text: str) -> str:
    """Text that no reader of DOT takes for an escape, an entity or an end of string."""
    text = "".join(c if c.isprintable() else " " for c in text)
    return text.replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"')


def _numbers(*values: float) -> str:
    return ",".join(_number(v) for v in values)


def _number(value: float) -> str:
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _path(points: tuple[Point, ...]) -> str:
    return " ".join(_numbers(*p) for p in points)
