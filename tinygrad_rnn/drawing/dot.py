"""Pictures as DOT text: the same graph gives the same bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from . import style
from .shapes import Picture, Point

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..graphs.graph import Graph
    from ..graphs.ledger import Ledger

LEVELS = ("auto", "cell", "op")


def to_dot(
    graph: Graph,
    level: str = "auto",
    *,
    steps: Sequence[int] | None = None,
    backward: Ledger | None = None,
    backward_measure: str = "projection",
) -> str:
    """The picture of ``graph`` as DOT text.

    ``level`` is ``"cell"`` (a box for every application of a recurrent cell), ``"op"`` (every op) or
    ``"auto"`` (cells where the graph has any). ``steps`` are the steps to draw one by one, counted
    from 0; the others are folded. Without it a long graph is folded by itself. Raises ValueError for
    another level, for steps that the graph does not have, and for ``"cell"`` where no cell ran.

    ``backward`` is the ledger of a backward pass of this graph: then its gradients are drawn, at cell
    level. ``backward_measure`` says how the slab shows what each step adds to a Parameter's gradient:
    ``"projection"`` (signed parts along the whole, which add up) or ``"norm"``.
    """
    if backward is not None:
        return write(_backward(graph, level, steps, backward, backward_measure))
    from ..graphs.excerpt import excerpt
    from .auto import auto_dot
    from .cells import draw_cells
    from .lanes import NoLatticeError
    from .ops import draw_ops
    from .unroll import unroll

    if level not in LEVELS:
        raise ValueError(f"level={level!r}: expected one of {', '.join(map(repr, LEVELS))}")
    short = excerpt(graph, steps)
    cells = level == "cell" or (level == "auto" and bool(short.calls))
    if cells and not short.calls:
        raise ValueError(
            "level='cell': no recurrent cell ran in this graph, so there are no cells to draw; "
            "use level='op' (or 'auto')"
        )
    for read in dict.fromkeys([short, graph]):
        try:
            lattice = unroll(read, style.CELLS if cells else style.OP_STEPS, steps)
            return write(draw_cells(lattice) if cells else draw_ops(lattice))
        except NoLatticeError:
            continue
    return auto_dot(graph, steps=steps)


def _backward(
    graph: Graph, level: str, steps: Sequence[int] | None, ledger: Ledger, measure: str
) -> Picture:
    """The picture of a backward pass. Raises ValueError where the graph has no cells on a grid."""
    from ..graphs.ledger import Ledger
    from .backward import draw_backward
    from .lanes import NoLatticeError
    from .unroll import unroll

    if not isinstance(ledger, Ledger):
        raise TypeError(
            "backward= takes the ledger that loss.backward(ledger=True) returned, "
            f"not {type(ledger).__name__}"
        )
    if level not in ("auto", "cell"):
        raise ValueError(f"level={level!r}: a backward pass is drawn at level='cell' (or 'auto')")
    try:
        return draw_backward(unroll(graph, style.CELLS, steps), ledger, measure)
    except NoLatticeError:
        raise ValueError(
            "backward=: this graph cannot be laid out as cells over time steps, and only these have a "
            "picture of their backward pass; loss.backward_steps() and the ledger have the numbers"
        ) from None


def write(picture: Picture) -> str:
    """A laid-out picture as DOT text that Graphviz merely draws (``layout=nop2``)."""
    left, bottom, right, top = picture.bounds()
    graph: dict[str, object] = {
        "layout": "nop2",
        "bb": _numbers(left, bottom, right, top),
        "bgcolor": "transparent",
        "pad": 0.08,
        "outputorder": "edgesfirst",
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
