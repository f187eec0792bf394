"""Pictures as DOT text: the same graph gives the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..graphs.elements import Elements, count_numbers
from ..graphs.excerpt import excerpt
from ..graphs.graph import Graph
from ..graphs.ledger import Ledger
from . import style
from .auto import auto_dot
from .backward import draw_backward
from .cells import draw_cells
from .lanes import NoLatticeError
from .layers import draw_layers
from .notes import notes_of
from .ops import draw_ops
from .shapes import Picture
from .unroll import Lattice, unroll
from .written import write

LEVELS = ("auto", "layer", "cell", "op", "scalar")
SCALARS = 300  # more than these numbers are no picture
LAYERS = 6  # more than these rows of cells are no picture that is looked at first


def to_dot(
    graph: Graph,
    level: str = "auto",
    *,
    steps: Sequence[int] | None = None,
    shapes: bool = False,
    values: bool = False,
    backward: Ledger | None = None,
    backward_measure: str = "projection",
) -> str:
    """The picture of ``graph`` as DOT text.

    ``level`` is ``"layer"`` (a box for every recurrent layer), ``"cell"`` (a box for every application
    of a recurrent cell), ``"op"`` (every op), ``"scalar"`` (every number, with its value and its gradient)
    or ``"auto"`` (cells where there are any, of more than six layers one box each, else ops). ``steps`` are
    the steps to draw one by one, counted from 0; the others are folded. Without it a long graph is folded
    by itself. ``shapes`` writes shape and dtype into every box of the level of ops, ``values`` what the
    values were. Raises ValueError for another level, for steps that the graph does not have, for
    ``"cell"`` or ``"layer"`` where no cell ran, for ``"scalar"`` where there are too many numbers, and for
    shapes or values at a level without boxes for them.

    ``backward`` is the ledger of a backward pass of this graph: then its gradients are drawn, at cell
    level. ``backward_measure`` says how the slab shows what each step adds to a Parameter's gradient:
    ``"projection"`` (signed parts along the whole, which add up) or ``"norm"``.
    """
    if backward is not None:
        return write(_backward(graph, level, steps, backward, backward_measure))
    if level not in LEVELS:
        raise ValueError(f"level={level!r}: expected one of {', '.join(map(repr, LEVELS))}")
    noted = shapes or values
    if noted and level in ("layer", "cell"):
        raise ValueError(f"shapes and values stand in the boxes of ops: level='op', not {level!r}")
    if level == "scalar":
        return _laid_out([_scalars(graph)], draw_ops, style.OP_STEPS, steps, False, True)
    short = excerpt(graph, steps)
    if level in ("layer", "cell") and not short.calls:
        raise ValueError(
            f"level={level!r}: no recurrent cell ran in this graph, so there are no {level}s to draw; "
            "use level='op' (or 'auto')"
        )
    layers = {(call.path, call.label) for call in short.calls}
    if level == "layer" or (level == "auto" and len(layers) > LAYERS and not noted):
        return draw_layers(short)
    read = [graph] if values else list(dict.fromkeys([short, graph]))
    if level == "cell" or (level == "auto" and short.calls and not noted):
        return _laid_out(read, draw_cells, style.CELLS, steps, False, False)
    return _laid_out(read, draw_ops, style.OP_STEPS, steps, shapes, values)


def _laid_out(
    graphs: Sequence[Graph],
    draw: Callable[[Lattice], Picture],
    limit: int,
    steps: Sequence[int] | None,
    shapes: bool,
    values: bool,
) -> str:
    """The first of some readings of a graph that is a lattice, else the last as a general graph."""
    for graph in graphs:
        try:
            lattice = unroll(graph, limit, steps)
            lattice.notes = notes_of(graph, shapes, values)
            return write(draw(lattice))
        except NoLatticeError:
            continue
    return auto_dot(graphs[-1], steps=steps, notes=notes_of(graphs[-1], shapes, values))


def _scalars(graph: Graph) -> Graph:
    """The graph of a graph's numbers."""
    count = count_numbers(excerpt(graph))
    if count > SCALARS:
        raise ValueError(
            f"level='scalar': this graph has {count:,} numbers, and more than {SCALARS} are no "
            "picture; use level='op', with values=True for statistics"
        )
    arrays = (node for node in graph._raw if node.op is None or not node.op.several)
    single = all(side == 1 for node in arrays for side in node.shape)
    return graph if single else Elements(graph)


def _backward(
    graph: Graph, level: str, steps: Sequence[int] | None, ledger: Ledger, measure: str
) -> Picture:
    """The picture of a backward pass. Raises ValueError where the graph has no cells on a grid."""
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
