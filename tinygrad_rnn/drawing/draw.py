"""What does ``draw`` draw, and where to? Anything recorded, at one of the levels, into a file."""

from __future__ import annotations

import os
import tempfile
import webbrowser
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..doors import door
from ..files.atomic import write as write_file
from ..graphs.chains import CELLS, OP_STEPS, NotUnrollableError, merged
from ..graphs.columns import Unlike
from ..graphs.elements import Elements, size_of
from ..graphs.excerpt import excerpt
from ..graphs.graph import Graph, as_graph
from ..graphs.layered import has_modules
from ..graphs.ledger import Ledger
from ..graphs.recorded import RecordedGraph, uncollected
from ..graphs.unrolled import UnrolledGraph
from .output import run, svg_of, write
from .pictures.backward import draw_backward, draw_backward_layers, draw_backward_rows
from .pictures.blocks import draw_blocks
from .pictures.cells import draw_cells
from .pictures.each_op import draw_each_op
from .pictures.layers import SCREEN, draw_layers
from .pictures.ops import draw_ops
from .scene.notes import Notes, notes_of
from .scene.scene import Scene

if TYPE_CHECKING:
    from ..nn.module import Module
    from ..tensors import Tensor

LEVELS = ("auto", "layer", "cell", "op", "scalar")
SCALARS = 300  # more than these numbers are no picture
FEW_CALLS = 400  # a graph of more cells is not read whole where its excerpt was no grid
TOO_WIDE = (
    "level='scalar': the numbers of this graph depend on one another in more ways than a screen is wide; "
    "use level='op', with values=True for statistics"
)
LOOP_OPS = 20_000  # in graphs of more no loop over modules is looked for
LAYERS = 6  # more than these rows of cells are no picture that is looked at first


TORCH = "torch.nn.modules.module", "Module"
FORMATS = (".svg", ".png", ".pdf", ".dot", ".html")


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

    def notes_of(self, graph: RecordedGraph) -> Notes | None:
        """What the boxes of a graph say beside what they are."""
        return notes_of(graph, self.shapes, self.values) if self.noted else None


def draw(
    outputs: Tensor | Sequence[Any] | Graph | Module | str | os.PathLike[str] | Any,
    path: str | os.PathLike[str] | Any | None = None,
    level: str = "auto",
    *,
    inputs: Any = None,
    steps: int | Sequence[int] | None = None,
    shapes: bool = False,
    values: bool = False,
    backward: Ledger | None = None,
    backward_measure: str = "projection",
    engine: str | None = None,
    show: bool = False,
) -> str:
    """Draw what some tensors were computed from, and return the path of the file.

    ``outputs`` is a Tensor, a tuple of them, a Graph, or a recurrent layer or cell together with
    ``steps=4``: the layer then runs on zeros of batch 1, in evaluation mode, and stays as it is.
    It may also be any Module, or PyTorch's, with ``inputs=`` (an array, or a tuple of them; shorter,
    ``draw(model, x)``): the model then runs on them, in evaluation mode. PyTorch's runs here, with its own
    ``forward`` and a copy of its weights. The path of an .onnx file is a model too: without inputs it runs
    on zeros of the shapes that the file says, ``steps`` steps long (4) where that is open.

    ``path`` ends in .svg, .png, .pdf, .dot or .html (the page to explore, see
    :meth:`tinygrad_rnn.Graph.to_html`; a layer then runs on normal numbers of a fixed seed, and the loss is
    the sum of squares of its last output); without it an SVG goes to a new temporary folder.
    ``level`` is ``"layer"``, ``"cell"``, ``"op"``, ``"scalar"`` or ``"auto"`` (see ``to_dot``). For a graph,
    ``steps`` lists the steps (from 0) to draw one by one. ``shapes`` and ``values`` choose at the level of
    ops what each box contains: shape and dtype; the value of a number and its gradient, of an array its mean
    and standard deviation. ``engine`` is ``"system"`` or ``"pure"``, where one of the two back ends is
    wanted; ``show`` opens the file.

    ``backward`` is the ledger of a backward pass of what is drawn, ``loss.backward(ledger=True)``: arrows
    are reversed and as wide as the gradient that crosses them, a state's pill says how large its whole
    gradient is, and the slab shows what every step adds to each Parameter's gradient, as signed
    projections that add up to its norm or, with ``backward_measure="norm"``, as norms.

    Raises ValueError for an ending, level or steps that cannot be, and for a ledger of another graph,
    DrawingError where Graphviz is missing or fails; an older file then stays whole.

    >>> import pathlib, tempfile, tinygrad_rnn as tg
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = tg.draw(tg.nn.LSTM(4, 3), f"{folder}/lstm.dot", steps=4)
    ...     pathlib.Path(path).read_text(encoding="utf-8").splitlines()[0]
    'digraph "LSTM, 4 steps, one set of weights" {'
    """
    if path is not None and not isinstance(path, (str, os.PathLike)):
        if inputs is not None:
            raise TypeError("draw(model, x, inputs=...): inputs are given twice")
        inputs, path = path, None
        if level not in LEVELS:
            path, level = level, "auto"
    if inputs is not None or _is_foreign(outputs):
        outputs, steps = run_model(outputs, inputs, steps)
    graph, chosen = as_graph(outputs, steps, loss=_is_page(path))
    if path is None:
        path = Path(tempfile.mkdtemp(prefix="tinygrad_rnn_")) / "graph.svg"
    options = Options(level, chosen, shapes, values, backward, backward_measure)
    written = _write(graph, Path(path), options, engine)
    if show:
        webbrowser.open(Path(written).resolve().as_uri())
    return written


def _is_foreign(model: Any) -> bool:
    """Whether something is a model of PyTorch, or the path of an ONNX file."""
    if isinstance(model, (str, os.PathLike)):
        return str(model).lower().endswith(".onnx")
    return any((c.__module__, c.__name__) == TORCH for c in type(model).__mro__)


def run_model(model: Any, inputs: Any, steps: int | Sequence[int] | None) -> tuple[Any, Any]:
    """What a model of ours, PyTorch's or a file gives for inputs, and which steps of it to show."""
    count = steps if isinstance(steps, int) else None
    if _is_foreign(model):
        if inputs is not None and count is not None:
            raise ValueError(f"steps={count}: the inputs have their steps already")
        ours, outputs = door("run_foreign")(model, inputs, count)
        return (ours, steps) if outputs is None else (outputs, None if count else steps)
    if not callable(model):
        raise TypeError(f"draw(..., inputs=...) takes a model, not {type(model).__name__}")
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        given = inputs if isinstance(inputs, tuple) else (inputs,)
        return model(*given), steps
    finally:
        for module, training in modes:
            module.training = training


def render(
    graph: Graph,
    path: str | os.PathLike[str],
    level: str = "auto",
    *,
    engine: str | None = None,
    **options: Any,
) -> str:
    """Draw a Graph into a file whose ending says the format; return the path. See :func:`draw`."""
    return _write(graph, Path(path), Options(level, **options), engine)


def to_svg(graph: Graph, level: str = "auto", *, engine: str | None = None, **options: Any) -> str:
    """The picture of a Graph as SVG text; see :func:`draw`."""
    return svg_of(dot_of(graph, Options(level, **options)), engine)


def _write(graph: Graph, target: Path, options: Options, engine: str | None) -> str:
    kind = target.suffix.lower()
    if kind not in FORMATS:
        raise ValueError(
            f"{target.name!r}: the ending says the format, and it must be one of "
            f"{', '.join(FORMATS)}"
        )
    if not target.parent.is_dir():
        raise FileNotFoundError(f"the folder {str(target.parent)!r} does not exist")
    if _is_page(target):
        if options.steps is not None:
            raise ValueError(
                "steps= is for pictures; in a page every step can be brought into view"
            )
        write_page = door("to_html")
        how = {"level": options.level, "ledger": options.backward, "engine": engine}
        return str(write_page(graph, target, **how))
    text = dot_of(graph, options)
    if kind == ".dot":
        content = text.encode()
    elif kind == ".svg":
        content = svg_of(text, engine).encode()
    else:
        content = run(text, kind[1:], engine)
    write_file(target, [content])
    return str(target)


def _is_page(path: str | os.PathLike[str] | None) -> bool:
    return path is not None and Path(path).suffix.lower() == ".html"


# ---- at which level ---------------------------------------------------------------------------------


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

    ``level`` is ``"layer"`` (a box for every recurrent layer; without any, for every module), ``"cell"``
    (a box for every application of a recurrent cell), ``"op"`` (every op), ``"scalar"`` (every number, with
    its value and its gradient) or ``"auto"`` (cells where there are any, of more than six layers one box
    each; else modules; else ops). ``steps`` are
    the steps to draw one by one, counted from 0; the others are folded. Without it a long graph is folded
    by itself. ``shapes`` writes shape and dtype into every box of the level of ops, ``values`` what the
    values were. Raises ValueError for another level, for steps that the graph does not have, for
    ``"cell"`` where no cell ran, for ``"layer"`` where no module did, for ``"scalar"`` where there are too
    many numbers, and for shapes or values at a level without boxes for them.

    ``backward`` is the ledger of a backward pass of this graph: then its gradients are drawn, at the
    level of cells or, with ``level="layer"`` and for modules without time, of layers.
    ``backward_measure`` says how the slab shows what each step adds to a Parameter's gradient:
    ``"projection"`` (signed parts along the whole, which add up) or ``"norm"``.
    """
    return dot_of(graph, Options(level, steps, shapes, values, backward, backward_measure))


@uncollected()
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
        return _ops([_scalars(graph)], Options(steps=options.steps, values=True), TOO_WIDE)
    short = excerpt(graph, options.steps)
    modules = not short.calls and has_modules(short)
    if modules and (level == "layer" or (level == "auto" and not options.noted)):
        over_time = None if level == "layer" else _loop_of_modules(graph, options)
        return write(draw_layers(short)) if over_time is None else over_time
    if level in ("layer", "cell") and not short.calls:
        raise ValueError(
            f"level={level!r}: no recurrent cell ran in this graph, so there are no {level}s to draw; "
            "use level='op' (or 'auto')"
        )
    layers = {(call.path, call.label) for call in short.calls}
    if level == "layer" or (level == "auto" and len(layers) > LAYERS and not options.noted):
        return write(draw_layers(short))
    few = sum(call.times for call in short.calls) <= FEW_CALLS
    read = [graph] if options.values else list(dict.fromkeys([short, graph] if few else [short]))
    if level == "cell" or (level == "auto" and short.calls and not options.noted):
        return _cells(read, options)
    return _ops(read, options)


def _loop_of_modules(graph: RecordedGraph, options: Options) -> str | None:
    """Modules that a loop in Python calls turn by turn, as ops over time; None where there is none."""
    if len(graph) > LOOP_OPS:
        return None
    try:
        return write(draw_ops(UnrolledGraph.read(graph, OP_STEPS, options.steps), None).scene)
    except NotUnrollableError:
        return None


def _cells(graphs: Sequence[RecordedGraph], options: Options) -> str:
    """The first of some readings of a graph that is cells on a grid, else its cells between other boxes."""
    for graph in graphs:
        try:
            unrolled = UnrolledGraph.read(graph, CELLS, options.steps)
            scene = draw_cells(unrolled).scene
        except NotUnrollableError:
            continue
        if scene.width <= SCREEN or options.steps is not None:
            return write(scene)
        with suppress(NotUnrollableError):
            scene = min(scene, draw_cells(_ends_of(unrolled)).scene, key=attrgetter("width"))
        if scene.width > SCREEN:
            scene = min(scene, draw_blocks(graphs[0]), key=attrgetter("width"))
        return write(scene)
    return write(draw_blocks(graphs[0], options.steps))


def _ends_of(unrolled: UnrolledGraph) -> UnrolledGraph:
    """Of every run only the first and the last step, the others folded."""
    unrolled.segments = [merged(columns) for columns in unrolled.segments]
    return unrolled


def _ops(graphs: Sequence[RecordedGraph], options: Options, refusal: str = "") -> str:
    """The same at the level of ops, with notes; ValueError(refusal) instead of what no screen shows."""
    for graph in graphs:
        try:
            unrolled = UnrolledGraph.read(graph, OP_STEPS, options.steps)
            return write(draw_ops(unrolled, options.notes_of(graph)).scene)
        except NotUnrollableError:
            continue
    notes = options.notes_of(graphs[-1])
    scene = draw_each_op(graphs[-1], options.steps, notes)
    if refusal and scene.width > SCREEN:
        raise ValueError(refusal)
    return write(scene)


def _scalars(graph: RecordedGraph) -> RecordedGraph:
    """The graph of a graph's numbers."""
    count = size_of(excerpt(graph))
    if count > SCALARS:
        raise ValueError(
            f"level='scalar': this graph has {count:,} numbers, and more than {SCALARS} are no "
            "picture; use level='op', with values=True for statistics"
        )
    arrays = (node for node in graph._raw if node.op is None or not node.op.several)
    single = all(side == 1 for node in arrays for side in node.shape)
    return graph if single else Elements(graph)


def _backward(graph: RecordedGraph, options: Options, ledger: Ledger) -> str:
    """The picture of a backward pass. Raises ValueError where the graph has neither cells nor modules."""
    if not isinstance(ledger, Ledger):
        raise TypeError(
            "backward= takes the ledger that loss.backward(ledger=True) returned, "
            f"not {type(ledger).__name__}"
        )
    if options.level not in ("auto", "cell", "layer"):
        raise ValueError(
            f"level={options.level!r}: a backward pass is drawn at level='cell' or 'layer' (or 'auto')"
        )
    short = excerpt(graph, options.steps, true=True)
    try:
        return write(_backward_scene(short, options, ledger))
    except Unlike:  # what flowed in the steps left out cannot be told
        return write(_backward_scene(graph, options, ledger))


def _backward_scene(graph: RecordedGraph, options: Options, ledger: Ledger) -> Scene:
    measure, steps = options.backward_measure, options.steps
    if (options.level == "layer" and graph.calls) or has_modules(graph):
        return draw_backward_layers(graph, ledger, measure)
    try:
        unrolled = UnrolledGraph.read(graph, CELLS, steps)
        return draw_backward(unrolled, ledger, measure).scene
    except NotUnrollableError:
        if graph.calls:
            return draw_backward_rows(graph, ledger, measure, steps)
        raise ValueError(
            "backward=: this graph cannot be laid out as cells over time steps or as modules, and only "
            "these have a picture of their backward pass; loss.backward_steps() and the ledger have the "
            "numbers"
        ) from None
