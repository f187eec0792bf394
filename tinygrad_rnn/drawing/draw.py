"""What does ``draw`` take, and where does it write? Anything recorded, into a file whose ending says how."""

from __future__ import annotations

import os
import tempfile
import webbrowser
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .levels import Options, dot_of
from .output.graphviz import replace_file, run, svg_of
from .page.html import to_html

if TYPE_CHECKING:
    from ..graphs.graph import Graph
    from ..graphs.ledger import Ledger
    from ..nn.module import Module
    from ..tensors import Tensor

FORMATS = (".svg", ".png", ".pdf", ".dot", ".html")


def draw(
    outputs: Tensor | Sequence[Any] | Graph | Module,
    path: str | os.PathLike[str] | None = None,
    level: str = "auto",
    *,
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
    ``path`` ends in .svg, .png, .pdf, .dot or .html (the page to explore, see
    :meth:`tinygrad_rnn.Graph.to_html`; a layer then runs on normal numbers of a fixed seed, and the loss is
    the sum of squares of its last output); without it an SVG goes to a new temporary folder.
    ``level`` is ``"layer"``, ``"cell"``, ``"op"``, ``"scalar"`` or ``"auto"`` (see ``to_dot``). For a graph,
    ``steps`` lists the steps (from 0) to draw one by one. ``shapes`` and ``values`` say at the level of ops
    what stands in each box: shape and dtype; the value of a number and its gradient, of an array its mean
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
    graph, chosen = as_graph(outputs, steps, loss=_is_page(path))
    if path is None:
        path = Path(tempfile.mkdtemp(prefix="tinygrad_rnn_")) / "graph.svg"
    options = Options(level, chosen, shapes, values, backward, backward_measure)
    written = _write(graph, Path(path), options, engine)
    if show:
        webbrowser.open(Path(written).resolve().as_uri())
    return written


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
        return to_html(graph, target, level=options.level, ledger=options.backward, engine=engine)
    text = dot_of(graph, options)
    if kind == ".dot":
        content = text.encode()
    elif kind == ".svg":
        content = svg_of(text, engine).encode()
    else:
        content = run(text, kind[1:], engine)
    replace_file(target, content)
    return str(target)


def _is_page(path: str | os.PathLike[str] | None) -> bool:
    return path is not None and Path(path).suffix.lower() == ".html"


# ---- what to draw -----------------------------------------------------------------------------


def as_graph(
    outputs: Any, steps: int | Sequence[int] | None, *, loss: bool = False
) -> tuple[Graph, Sequence[int] | None]:
    """The graph of anything that :func:`draw` takes, and the steps to show of it.

    Of a layer it is the graph of its output; with ``loss`` of a loss, so that there is a backward to see.
    """
    from ..graphs.graph import Graph
    from ..nn.module import Module
    from ..tensors import Tensor

    if isinstance(outputs, Module):
        if not isinstance(steps, int) or steps < 1:
            raise ValueError(
                f"draw({type(outputs).__name__}(...)): say how many time steps to draw, "
                f"e.g. steps=4 (got steps={steps!r})"
            )
        return Graph(*_tensors(_run_layer(outputs, steps, loss))), None
    if isinstance(steps, int):
        raise ValueError(
            f"steps={steps}: a recorded graph has its steps already; "
            f"give a list of those to draw, e.g. steps=[0, 1, {steps}]"
        )
    if isinstance(outputs, Graph):
        return outputs, steps
    tensors = list(_tensors(outputs))
    if not tensors or not all(isinstance(t, Tensor) for t in tensors):
        kinds = ", ".join(dict.fromkeys(type(t).__name__ for t in tensors)) or "nothing"
        raise TypeError(
            f"draw() takes a Tensor, a tuple of Tensors, a Graph or a recurrent layer, not {kinds}"
        )
    return Graph(*tensors), steps


def _tensors(outputs: Any) -> Iterator[Any]:
    if isinstance(outputs, (tuple, list)):
        for part in outputs:
            yield from _tensors(part)
    else:
        yield outputs


def _run_layer(layer: Any, steps: int, loss: bool = False) -> Any:
    """What a layer or cell gives for zeros of batch 1; its training state and all else stay.

    With ``loss``, for normal numbers of a fixed seed, and of the output the sum of the last step's squares.
    """
    from ..autograd import enable_grad
    from ..nn.cells import Cell
    from ..nn.naming import name
    from ..tensors import tensor

    size = getattr(layer, "input_size", None) or getattr(
        getattr(layer, "cell", None), "input_size", None
    )
    if not isinstance(size, int):
        raise ValueError(
            f"draw({type(layer).__name__}(...), steps={steps}): its input_size is unknown; "
            "run it on data of yours and draw the output instead: draw(layer(x)[0])"
        )
    modes = [(module, module.training) for module in layer.modules()]
    layer.eval()
    draw = np.random.default_rng(0).standard_normal if loss else np.zeros
    dtype = next((p.dtype for p in layer.parameters()), None)
    x = tensor(draw((steps, 1, size)), dtype=dtype)
    try:
        with enable_grad():
            if isinstance(layer, Cell):
                state = None
                for t in range(steps):
                    state = layer(x[t], state)
                last = next(_tensors(state))
                return name(last.square().sum(), "loss") if loss else state
            first = getattr(layer, "batch_first", False)
            y = layer(x.transpose(0, 1) if first else x)[0]
            last = y[:, -1] if first else y[-1]
            return name(last.square().sum(), "loss") if loss else y
    finally:
        for module, training in modes:
            module.training = training
