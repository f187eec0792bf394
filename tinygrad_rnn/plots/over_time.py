"""What happened over time? How far a layer remembers, which step adds what, what gates did.

The look is that of ``plot_style``; matplotlib is imported when used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ..drawing.scene import style
from ..engine.switches import no_grad
from .look import LOOKS, house_style, matplotlib_or_error, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..nn.gates import GateRecord

DECADES = 6  # what a logarithmic heat map shows below its largest value


@no_grad()  # a figure needs values alone
def plot_memory(curves: Mapping[str, ArrayLike] | ArrayLike) -> Figure:
    """Memory curves (T,) by name, on a logarithmic axis: what `tinygrad_rnn.memory_curve` returns.

    Returns a matplotlib Figure. Raises ImportError where matplotlib is missing.

    >>> from tinygrad_rnn.plots import plot_memory
    >>> len(plot_memory({"RNN": [1.0, 0.1], "LSTM": [1.0, 0.9]}).axes)
    1
    """
    series: Mapping[str, Any] = curves if isinstance(curves, Mapping) else {"": curves}
    figure, (axes,) = new_figure(1, 1, height=2.6)
    with house_style():
        for k, (name, values) in enumerate(series.items()):
            curve = np.asarray(values)
            shown = np.where(curve > 0, curve, np.nan)
            axes.plot(range(len(curve)), shown, label=name, **LOOKS[k % len(LOOKS)])
        axes.set_yscale("log")
        axes.set_xlabel("steps back, t − s")
        axes.set_ylabel("‖∂h_t / ∂h_s‖")
        axes.margins(x=0.015)
        if any(series):
            axes.legend(loc="lower left")
    return figure


@no_grad()
def plot_credit(matrix: ArrayLike) -> Figure:
    """A credit matrix (losses, T) as a heat map on a logarithmic ramp: `tinygrad_rnn.credit`'s.

    Returns a matplotlib Figure. Raises ImportError where matplotlib is missing, ValueError for another
    number of axes than two.

    >>> from tinygrad_rnn.plots import plot_credit
    >>> len(plot_credit([[1.0, 0.0], [0.5, 1.0]]).axes)  # the map and its ramp
    2
    """
    figure, (axes,) = new_figure(1, 1, height=3.4)
    _heat(figure, axes, matrix, "norm of the part", log=True)
    axes.set_xlabel("used at time step t")
    axes.set_ylabel("loss")
    return figure


@no_grad()
def plot_training_parts(rows: Sequence[ArrayLike], every: int = 1) -> Figure:
    """What each time step added to a gradient, over the course of training: a column a training step.

    ``rows[k]`` is (T,): ``ledger.norms(parameter)`` at training step ``k * every``. A heat map on a
    logarithmic ramp, t = 1 at the bottom. Returns a matplotlib Figure. Raises ImportError where
    matplotlib is missing, ValueError where rows differ in length.

    >>> from tinygrad_rnn.plots import plot_training_parts
    >>> len(plot_training_parts([[0.1, 1.0], [0.3, 1.0], [0.6, 1.0]]).axes)
    2
    """
    if len({np.shape(row) for row in rows}) != 1:
        raise ValueError("the rows of a heat map over training must all have the same T")
    figure, (axes,) = new_figure(1, 1, height=2.8)
    _heat(
        figure, axes, np.stack([np.asarray(row) for row in rows], 1), "norm of the part", log=True
    )
    axes.xaxis.set_major_formatter(lambda k, _: f"{k * every:g}")
    axes.set_xlabel("training step")
    axes.set_ylabel("time step t")
    return figure


@no_grad()
def plot_parts(parts: Mapping[str, Mapping[str, ArrayLike]]) -> Figure:
    """What each time step added to a gradient, at several moments of training: a panel a Parameter.

    ``parts[parameter][moment]`` is (T,), norms by time step (``ledger.norms``), drawn on a logarithmic axis
    without what is more than twelve orders below the largest. Returns a matplotlib Figure. Raises
    ImportError where matplotlib is missing.

    >>> from tinygrad_rnn.plots import plot_parts
    >>> norms = {"before training": [0.1, 0.2], "after training": [0.3, 0.1]}
    >>> len(plot_parts({"W_hh": norms}).axes)
    1
    """
    columns = min(2, len(parts))
    rows = -(-len(parts) // columns)
    figure, panels = new_figure(rows, columns, height=0.75 + 1.55 * rows)
    with house_style():
        for axes, (name, lines) in zip(panels, parts.items(), strict=False):
            axes.set_title(name, color=style.ORANGE)
            top = max(float(np.max(values, initial=0.0)) for values in lines.values())
            order = (1, 0, 2, 3)  # of two lines the later one is drawn solid
            for k, (moment, values) in enumerate(lines.items()):
                norms = np.asarray(values)
                shown = np.where(norms > top * 1e-12, norms, np.nan)
                axes.plot(range(1, len(norms) + 1), shown, label=moment, **LOOKS[order[k]])
            if top > 0:
                axes.set_yscale("log")
            axes.set_xlabel("time step t")
            axes.xaxis.set_major_locator(matplotlib_or_error().ticker.MaxNLocator(6, integer=True))
            axes.margins(x=0.015)
        for axes in panels[len(parts) :]:
            axes.set_axis_off()
        panels[0].set_ylabel("norm of the step's part")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=4, borderaxespad=0.1)
    return figure


def plot_gates(record: GateRecord, names: Sequence[str] | None = None, sequence: int = 0) -> Figure:
    """What gates and states did over time, for one sequence of the batch: a panel a name, a row a unit.

    ``names`` picks among the recorded ones (unless given, all that have a row a hidden unit). Sigmoid
    gates run from 0 (white) to 1, what can be negative has its own scale around 0. Returns a matplotlib
    Figure. Raises ImportError where matplotlib is missing, KeyError for a name that was not recorded.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn.plots import plot_gates
    >>> lstm = tg.nn.LSTM(2, 3)
    >>> with tg.nn.record_gates(lstm) as gates:
    ...     y, _ = lstm(tg.ones(6, 1, 2))
    >>> len(plot_gates(gates, ["f", "c"]).axes)  # two maps, each with its ramp
    4
    """
    values = {n: record[n][:, sequence].T for n in (record if names is None else names)}
    if names is None:
        units = min(map(len, values.values()), default=0)
        values = {name: shown for name, shown in values.items() if len(shown) == units}
    figure, panels = new_figure(len(values), 1, height=0.5 + 1.15 * len(values), sharex=True)
    for axes, (name, shown) in zip(panels, values.items(), strict=True):
        _heat(figure, axes, shown, "", gate=record.is_gate(name))
        with house_style():
            axes.set_title(name, color=style.PLAIN)
        axes.set_ylabel("unit")
    panels[-1].set_xlabel("time step t")
    return figure


def _heat(
    figure: Figure,
    axes: Axes,
    values: ArrayLike,
    label: str,
    *,
    log: bool = False,
    gate: bool = False,
) -> None:
    """A map whose cells are numbered from 1, with its ramp beside it."""
    shown = np.asarray(values, np.float64)
    if shown.ndim != 2:
        raise ValueError(f"a heat map needs two axes, and this has shape {shown.shape}")
    colors = matplotlib_or_error().colors
    with house_style():
        rows, columns = shown.shape
        look: dict[str, Any]
        if log:
            top = float(np.nanmax(shown, initial=0.0)) or 1.0
            shown = np.where(shown > 0, shown, np.nan)
            low = float(np.nanmin(shown)) if np.isfinite(shown).any() else top
            look = {
                "norm": colors.LogNorm(min(max(low, top / 10**DECADES), top / 10), top, clip=True)
            }
        elif gate:
            look = {"vmin": 0.0, "vmax": 1.0}
        else:
            top = float(np.nanmax(np.abs(shown), initial=0.0)) or 1.0
            look = {"vmin": -top, "vmax": top}
        if log:
            ramp = colors.LinearSegmentedColormap.from_list(
                "parts", [style.GRADIENT.fill, style.GRADIENT.stroke, "#4A1742"]
            )
        elif gate:
            ramp = colors.LinearSegmentedColormap.from_list(
                "gate", ["#FFFFFF", style.C.stroke, "#04382B"]
            )
        else:
            ramp = colors.LinearSegmentedColormap.from_list(
                "signed", [style.PARAM.text, "#E2A06B", "#FFFFFF", "#8DBBE2", style.H.text]
            )
        image = axes.imshow(
            shown,
            cmap=ramp,
            aspect="auto",
            origin="lower",
            interpolation="nearest",
            extent=(0.5, columns + 0.5, 0.5, rows + 0.5),
            **look,
        )
        axes.grid(False)
        for along, count in ((axes.xaxis, columns), (axes.yaxis, rows)):
            along.set_major_locator(
                matplotlib_or_error().ticker.MaxNLocator(
                    nbins=min(count, 8), integer=True, min_n_ticks=1
                )
            )
        bar = figure.colorbar(image, ax=axes, pad=0.015, aspect=24)
        bar.outline.set_visible(False)
        bar.set_label(label, color=style.PLAIN)
