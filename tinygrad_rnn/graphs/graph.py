"""What is a graph to its users? What was recorded behind some tensors, in words, as data, and as pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..doors import door
from .excerpt import excerpt
from .recorded import CellCall, GraphNode, RecordedGraph, Use, count_numbers

if TYPE_CHECKING:
    from os import PathLike

    from ..tensors import Tensor
    from .ledger import Ledger

__all__ = ["CellCall", "Graph", "GraphNode", "Use"]


class Graph(RecordedGraph):
    """The recorded computation behind some tensors, as data; made by :func:`tinygrad_rnn.graph`.

    Ops are in the order in which they were made, each after the leaves that it is the first to use, so
    the same program gives the same graph every time. Reading a graph changes nothing of what was recorded.

    >>> import tinygrad_rnn as tg
    >>> rnn = tg.nn.RNN(2, 3)
    >>> y, h = rnn(tg.zeros(4, 1, 2))
    >>> graph = tg.graph(y)
    >>> len(graph.uses(rnn.weight_hh_l0)), graph.steps
    (4, [0, 1, 2, 3])
    """

    @cached_property
    def _short(self) -> RecordedGraph:
        """The graph without the steps that are like others, where that may be."""
        return excerpt(self)

    def uses(self, parameter: Tensor | GraphNode | str) -> list[Use]:
        """Every use of a Parameter, in the order of the steps (uses outside every step come last).

        ``parameter`` is the Parameter itself, its node or its dotted name. Raises KeyError where it
        takes no part in the graph.
        """
        spread = None
        if "_raw" not in self.__dict__ and not isinstance(parameter, GraphNode):
            spread = self._short.spread_uses(parameter)
        return super().uses(parameter) if spread is None else spread

    def use_count(self, parameter: Tensor | GraphNode | str) -> int:
        """How often a Parameter is used."""
        known = "_raw" in self.__dict__ or isinstance(parameter, GraphNode)
        if not known and self._short is not self:
            return self._short.use_count(parameter)
        return super().use_count(parameter)

    # ---- words and pictures

    def summary(self) -> str:
        """The graph in words: its size, its steps, and each Parameter with the count of its uses.

        >>> import tinygrad_rnn as tg
        >>> rnn = tg.nn.RNN(2, 3)
        >>> print(tg.graph(rnn(tg.zeros(4, 1, 2))[1]).summary())  # doctest: +ELLIPSIS
        Graph of ... nodes over 4 time steps (t = 1 ... 4)
          rnn.weight_ih_l0  (3, 2)   4 uses
          rnn.weight_hh_l0  (3, 3)   4 uses
          rnn.bias_ih_l0    (3,)     4 uses
          rnn.bias_hh_l0    (3,)     4 uses
          4 Parameters, 21 numbers, the same for any number of steps
        """
        size = f"Graph of {len(self):,} nodes"
        if self.steps:
            count = len(self.steps)
            span = f"t = {self.steps[0] + 1}" + (f" ... {self.steps[-1] + 1}" if count > 1 else "")
            size += f" over {count:,} time step{'s' * (count > 1)} ({span})"
        lines = [size]
        names = list(self.parameters)
        wide = max(map(len, names), default=0)
        shapes = [str(p.shape) for p in self.parameters.values()]
        wider = max(map(len, shapes), default=0)
        for name, shape in zip(names, shapes, strict=True):
            n = self.use_count(name)
            lines.append(f"  {name:<{wide}}  {shape:<{wider}}   {n:,} use{'s' * (n != 1)}")
        numbers = sum(count_numbers(p.shape) for p in self.parameters.values())
        tail = ", the same for any number of steps" if self.is_shared else ""
        lines.append(f"  {len(names)} Parameters, {numbers:,} numbers{tail}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return (
            f"<Graph: {len(self):,} nodes, {len(self.parameters)} Parameters, "
            f"{len(self.steps):,} time steps>"
        )

    def to_dot(self, level: str = "auto", **options: Any) -> str:
        """The picture as DOT text; see :func:`tinygrad_rnn.draw` for the options."""
        text: str = door("to_dot")(self, level=level, **options)
        return text

    def render(self, path: str | PathLike[str], level: str = "auto", **options: Any) -> str:
        """Draw into a file whose ending says the format; see :func:`tinygrad_rnn.draw`."""
        written: str = door("render")(self, path, level=level, **options)
        return written

    def to_html(
        self,
        path: str | PathLike[str],
        *,
        level: str = "auto",
        ledger: Ledger | None = None,
        live: Any = None,
    ) -> str:
        """Write one offline HTML page to explore the graph in, and return its path.

        Point at a Parameter and all its uses light up; move a slider through backward and every step
        adds its part to the shared gradient; open a cell to see its ops; search, zoom, measure. The file
        needs no network, and without JavaScript it still shows the picture. ``level`` is where it opens:
        "layer", "cell" or "op". The gradients are those of ``ledger``, if one is given; else, where the graph
        is of one scalar, those of that scalar, computed by the same rules. Making a page changes no
        ``grad``. With ``live=True`` the model itself runs in the page too, as far as it is found in the
        graph (else the page says why not), or the model of a ``tg.Live``. Raises
        ValueError where the path does not end in .html, or for the ledger of another graph,
        FileNotFoundError for a folder that is not there.

        >>> import pathlib, tempfile, tinygrad_rnn as tg
        >>> loss = tg.nn.LSTM(4, 3)(tg.randn(4, 1, 4))[0].square().sum()
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = tg.graph(loss).to_html(f"{folder}/lstm.html")
        ...     pathlib.Path(path).read_text(encoding="utf-8").splitlines()[0]
        '<!DOCTYPE html>'
        """
        written: str = door("to_html")(self, path, level=level, ledger=ledger, live=live)
        return written

    def _repr_svg_(self) -> str:
        svg: str = door("to_svg")(self)
        return svg


# ---- of what -------------------------------------------------------------------------------------


def as_graph(
    outputs: Any, steps: int | Sequence[int] | None, *, loss: bool = False
) -> tuple[Graph, Sequence[int] | None]:
    """The graph of anything that :func:`draw` takes, and the steps to show of it.

    Of a layer it is the graph of its output; with ``loss`` of a loss, so that there is a backward to see.
    """
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
    from ..engine.switches import enable_grad
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
