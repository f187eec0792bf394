"""At which level is a graph drawn? Layers, cells, ops or numbers; and what else a caller may ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..graphs.chains import NotUnrollableError
from ..graphs.elements import Elements, count_numbers
from ..graphs.excerpt import excerpt
from ..graphs.folding import CELLS, OP_STEPS
from ..graphs.ledger import Ledger
from ..graphs.recorded import RecordedGraph
from ..graphs.unrolled import UnrolledGraph
from .output.dot import write
from .pictures.backward import draw_backward
from .pictures.cells import draw_cells
from .pictures.general import draw_general
from .pictures.layers import draw_layers
from .pictures.ops import draw_ops
from .scene.notes import notes_of

LEVELS = ("auto", "layer", "cell", "op", "scalar")
SCALARS = 300  # more than these numbers are no picture
LAYERS = 6  # more than these rows of cells are no picture that is looked at first


@dataclass(frozen=True, slots=True)
class Options:
    """What a caller may ask of a drawing; see :func:`to_dot`."""

    level: str = "auto"
    steps: Sequence[int] | None = None
    shapes: bool = False
    values: bool = False
    backward: Ledger | None = None
    backward_measure: str = "projection"

    @property
    def noted(self) -> bool:
        """Whether boxes say more than what they are."""
        return self.shapes or self.values


def to_dot(
    graph: RecordedGraph,
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
    return dot_of(graph, Options(level, steps, shapes, values, backward, backward_measure))


def dot_of(graph: RecordedGraph, options: Options) -> str:
    """The picture of a graph as DOT text; errors as of :func:`to_dot`."""
    level = options.level
    if options.backward is not None:
        return _backward(graph, options, options.backward)
    if level not in LEVELS:
        raise ValueError(f"level={level!r}: expected one of {', '.join(map(repr, LEVELS))}")
    if options.noted and level in ("layer", "cell"):
        raise ValueError(f"shapes and values stand in the boxes of ops: level='op', not {level!r}")
    if level == "scalar":
        return _ops([_scalars(graph)], Options(steps=options.steps, values=True))
    short = excerpt(graph, options.steps)
    if level in ("layer", "cell") and not short.calls:
        raise ValueError(
            f"level={level!r}: no recurrent cell ran in this graph, so there are no {level}s to draw; "
            "use level='op' (or 'auto')"
        )
    layers = {(call.path, call.label) for call in short.calls}
    if level == "layer" or (level == "auto" and len(layers) > LAYERS and not options.noted):
        return draw_layers(short).dot()
    read = [graph] if options.values else list(dict.fromkeys([short, graph]))
    if level == "cell" or (level == "auto" and short.calls and not options.noted):
        return _cells(read, options)
    return _ops(read, options)


def _cells(graphs: Sequence[RecordedGraph], options: Options) -> str:
    """The first of some readings of a graph that is cells on a grid, else the last as a general graph."""
    for graph in graphs:
        try:
            return write(draw_cells(UnrolledGraph.read(graph, CELLS, options.steps)).scene)
        except NotUnrollableError:
            continue
    return draw_general(graphs[-1], steps=options.steps).dot()


def _ops(graphs: Sequence[RecordedGraph], options: Options) -> str:
    """The same at the level of ops, with notes."""
    for graph in graphs:
        try:
            unrolled = UnrolledGraph.read(graph, OP_STEPS, options.steps)
            return write(draw_ops(unrolled, notes_of(graph, options.shapes, options.values)).scene)
        except NotUnrollableError:
            continue
    notes = notes_of(graphs[-1], options.shapes, options.values)
    return draw_general(graphs[-1], steps=options.steps, notes=notes).dot()


def _scalars(graph: RecordedGraph) -> RecordedGraph:
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


def _backward(graph: RecordedGraph, options: Options, ledger: Ledger) -> str:
    """The picture of a backward pass. Raises ValueError where the graph has no cells on a grid."""
    if not isinstance(ledger, Ledger):
        raise TypeError(
            "backward= takes the ledger that loss.backward(ledger=True) returned, "
            f"not {type(ledger).__name__}"
        )
    if options.level not in ("auto", "cell"):
        raise ValueError(
            f"level={options.level!r}: a backward pass is drawn at level='cell' (or 'auto')"
        )
    try:
        unrolled = UnrolledGraph.read(graph, CELLS, options.steps)
        return write(draw_backward(unrolled, ledger, options.backward_measure).scene)
    except NotUnrollableError:
        raise ValueError(
            "backward=: this graph cannot be laid out as cells over time steps, and only these have a "
            "picture of their backward pass; loss.backward_steps() and the ledger have the numbers"
        ) from None
