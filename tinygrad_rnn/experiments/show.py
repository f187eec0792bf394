"""How is an experiment shown? A progress bar, tables, pictures, and one page that holds all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from tqdm import tqdm

from .. import plots
from ..drawing.draw import to_svg
from ..drawing.output import DrawingError
from ..nn.module import Module
from ..tensors import Tensor
from .report import WIDTH, Reporter, sparkline
from .task import Result, figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..nn.gates import GateRecord

SHORT = {"weight_ih": "W_ih", "weight_hh": "W_hh", "weight": "W"}


class Show:
    """What an example tells as it runs. Without a report (``QUIET``) every call does nothing.

    An example calls these whether or not anybody looks, and asks ``if show.active`` only before work
    that is done for the pictures alone. Nothing here draws from the library's random generator or leaves
    a gradient behind, so that a run that is shown trains to the same bits as one that is not.
    """

    def __init__(self, report: Reporter | None = None) -> None:
        self.report = report
        self._parts: dict[str, dict[str, Any]] = {}

    @property
    def active(self) -> bool:
        """Whether anybody looks."""
        return self.report is not None

    def bar(self, turns: Iterable[Any], words: str = "training") -> Iterable[Any]:
        """The turns of a loop, counted by a progress bar where there is a terminal to see it."""
        if self.report is None:
            return turns
        size = {"ncols": WIDTH, "nrows": 24}  # some terminals say that they have no size
        bar: Iterable[Any] = tqdm(turns, desc=f"  {words}", ascii=True, disable=None, **size)
        return bar

    def say(self, text: str) -> None:
        """A paragraph."""
        if self.report is not None:
            self.report.say(text)

    def table(
        self,
        head: Sequence[str],
        rows: Sequence[Sequence[Any]],
        note: str = "",
        strong: int | None = None,
    ) -> None:
        """A table: names in the first column, then figures (numbers are rounded for reading)."""
        if self.report is not None:
            shown = [[c if isinstance(c, str) else figure(c) for c in row] for row in rows]
            self.report.table(head, shown, note, strong)

    def curves(
        self,
        name: str,
        series: Mapping[str, ArrayLike],
        caption: str,
        *,
        ylabel: str = "loss",
        xlabel: str = "training step",
        marks: Mapping[str, float] | None = None,
        log: bool = True,
        every: int = 1,
    ) -> None:
        """Learning curves by name, with horizontal ``marks`` such as a baseline: the file NAME.svg."""
        if self.report is None:
            return
        try:
            made = plots.plot_history(
                series, ylabel=ylabel, xlabel=xlabel, marks=marks, log=log, every=every
            )
            self.report.picture(f"{name}.svg", plots.figure_svg(made), caption, caption)
        except ImportError as error:
            self.report.missing(error)
            wide = max(map(len, series))
            lines = [f"{k:<{wide}} |{sparkline(np.asarray(v))}|" for k, v in series.items()]
            self.report.block(lines, caption)

    def gradient(self, when: str, model: Module, loss: Tensor) -> None:
        """Note what each time step adds to the gradient of a loss, under a word such as "before training".

        ``loss`` is of a forward pass that was made for this. The picture holds all that was noted.
        """
        if self.report is None:
            return
        ledger = loss.backward(ledger=True)
        assert ledger is not None
        for name, parameter in model.named_parameters():
            if parameter not in ledger or parameter.ndim != 2:
                continue
            steps = ledger.steps(parameter)
            if len({s for s in steps if s is not None}) < 2:
                continue
            norms = np.zeros(1 + max(s for s in steps if s is not None))
            for step, norm in zip(steps, ledger.norms(parameter), strict=True):
                if step is not None:
                    norms[step] = np.hypot(norms[step], norm)
            self._parts.setdefault(_short(name), {})[when] = norms
        model.zero_grad()

    def gates(
        self,
        record: GateRecord,
        caption: str,
        *,
        names: Sequence[str] | None = ("i", "f", "o", "c", "h"),
        sequence: int = 0,
    ) -> None:
        """What the gates did for one sequence, as heat maps over time: the file gates.svg."""
        self.figure("gates", lambda: plots.plot_gates(record, names, sequence), caption)

    def graph(self, outputs: Tensor, caption: str) -> None:
        """The unrolled graph behind a tensor, long ones folded: the file graph.svg."""
        if self.report is None:
            return
        from ..graphs import Graph

        try:
            svg = to_svg(Graph(outputs), "cell")
        except DrawingError as error:
            self.report.say(f"No picture of the graph: {error}")
            return
        self.report.picture("graph.svg", svg, caption, caption)

    def figure(self, name: str, make: Callable[[], Figure], caption: str) -> None:
        """A figure of the example's own, made only where somebody looks: the file NAME.svg."""
        if self.report is None:
            return
        try:
            svg = plots.figure_svg(make())
        except ImportError as error:
            self.report.missing(error)
            return
        self.report.picture(f"{name}.svg", svg, caption, caption)

    def finish(self, result: Result) -> None:
        """The gradients that were noted, and the outcome beside reference and baseline."""
        if self.report is None:
            return
        if self._parts:
            caption = "What each time step adds to the gradient of the one shared W, by its norm."
            parts = self._parts
            self.figure("gradient", lambda: plots.plot_parts(parts), caption)
        self.report.section("outcome", "The outcome")
        self.report.table(
            [result.measure, "reached", "to reach", "trivial answer", "verdict"],
            [
                [
                    f"seed {result.seed}, {result.seconds:.0f} s",
                    figure(result.reached),
                    figure(result.reference),
                    figure(result.baseline),
                    result.verdict,
                ]
            ],
            f"Setting: {result.setting}.",
            strong=0,
        )
        beside = {"to reach": result.reference, "the trivial answer": result.baseline}
        words = "".join(f"; {k}: {figure(v)}" for k, v in beside.items() if v is not None)
        self.report.result(figure(result.reached), f"{result.measure}{words} ({result.verdict}).")


def _short(name: str) -> str:
    """``lstm.weight_hh_l0`` as the equations have it: ``W_hh``."""
    own = name.rpartition(".")[2]
    for long, short in SHORT.items():
        if own.startswith(long):
            layer = own[len(long) :].replace("_l0", "").replace("_", " ")
            return short + layer
    return own


QUIET = Show()
