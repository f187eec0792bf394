"""How did training go, and how good is a forecast? Losses, forecasts, and what each step adds."""

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

    from ..graphs.ledger import Ledger
    from ..tensors import Tensor

MEASURES = ("norm", "projection")


@no_grad()  # a figure needs values alone
def plot_forecast(
    times: ArrayLike,
    actual: ArrayLike,
    forecasts: Mapping[str, ArrayLike],
    *,
    ylabel: str = "",
    since: float | None = None,
    bands: Mapping[str, tuple[ArrayLike, ArrayLike]] | None = None,
) -> Figure:
    """What came (n,) as a line with dots, and forecasts (n,) of it by name; NaN leaves a gap.

    ``since`` marks where the test begins; ``bands`` are lower and upper bounds (n,) by name, as areas.
    ``times`` are numbers or dates. Returns a matplotlib Figure. Raises ImportError where
    matplotlib is missing, ValueError where a forecast has another length than ``actual``.

    >>> from tinygrad_rnn.plots import plot_forecast
    >>> figure = plot_forecast([1, 2, 3], [5.0, 6.0, 7.0], {"model": [5.5, 6.0, 7.5]})
    >>> len(figure.axes)
    1
    """
    x, came = np.asarray(times), np.asarray(actual)
    for name, made in forecasts.items():
        if np.shape(made) != came.shape:
            raise ValueError(f"forecast {name!r} has shape {np.shape(made)}, expected {came.shape}")
    figure, (axes,) = new_figure(1, 1, height=2.9)
    with house_style():
        dots: dict[str, Any] = {"marker": "o", "markersize": 3.4} if len(x) <= 80 else {}
        axes.plot(x, came, color=style.PLAIN, linewidth=1.1, label="what came", **dots)
        for k, (name, made) in enumerate(forecasts.items()):
            axes.plot(x, made, label=name, **LOOKS[k % len(LOOKS)])
        for name, (low, high) in (bands or {}).items():
            axes.fill_between(
                x, low, high, color=LOOKS[0]["color"], alpha=0.18, linewidth=0, label=name
            )
        if since is not None:
            axes.axvline(since, color=style.PLAIN, linewidth=0.9, linestyle=(0, (2, 2)))
        if x.dtype.kind == "M":
            dates = matplotlib_or_error().dates
            where = dates.AutoDateLocator(maxticks=9)
            axes.xaxis.set_major_locator(where)
            axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(where))
        axes.set_ylabel(ylabel)
        axes.margins(x=0.015)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4, borderaxespad=0.1)
    return figure


@no_grad()
def plot_history(
    losses: Mapping[str, ArrayLike] | ArrayLike,
    *,
    ylabel: str = "loss",
    xlabel: str = "training step",
    marks: Mapping[str, float] | None = None,
    log: bool = True,
    every: int = 1,
    at: Sequence[float] | None = None,
) -> Figure:
    """Losses by training step, on a logarithmic axis unless ``log=False``: one series, or several by name.

    ``marks`` are levels to compare them with, such as a baseline, by name; ``every`` is the number of steps
    between two values, ``at`` their places where they are others. Returns a matplotlib Figure. Raises
    ImportError where matplotlib is missing.

    >>> from tinygrad_rnn.plots import plot_history
    >>> len(plot_history([1.0, 0.5, 0.25]).axes)
    1
    """
    series: Mapping[str, Any] = losses if isinstance(losses, Mapping) else {"": losses}
    figure, (axes,) = new_figure(1, 1, height=2.1)
    with house_style():
        for k, (name, values) in enumerate(series.items()):
            steps = np.arange(1, len(np.asarray(values)) + 1) * every if at is None else at
            axes.plot(steps, values, label=name, **LOOKS[k % len(LOOKS)])
        for name, level in (marks or {}).items():
            look: dict[str, Any] = {
                "color": style.PLAIN,
                "linewidth": 0.9,
                "linestyle": (0, (2, 2)),
            }
            axes.axhline(level, label=name, **look)
        if log:
            axes.set_yscale("log")
        axes.set_xlabel(xlabel)
        axes.set_ylabel(ylabel)
        axes.margins(x=0.015)
        if any(series) or marks:
            axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0.1)
    return figure


def plot_contributions(
    ledger: Ledger,
    parameters: Mapping[str, Tensor],
    *,
    measure: str = "norm",
    times: Sequence[float] | None = None,
    xlabel: str = "time step t",
) -> Figure:
    """What each step adds to the gradient of each shared Parameter: a panel a Parameter.

    ``measure`` is ``"norm"`` (the length of each part, on a logarithmic axis; parts more than twelve
    orders below the largest are left out) or ``"projection"`` (the signed part along the whole
    gradient G, ``<g_t, G> / |G|``; these add up to |G|). ``times`` labels the steps, 1, 2, 3 ... unless
    given; uses outside every step are left out. Returns a matplotlib Figure. Raises ImportError where
    matplotlib is missing, KeyError for a Parameter that the ledger does not have, ValueError for
    another measure.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn.plots import plot_contributions
    >>> rnn = tg.nn.RNN(2, 3)
    >>> ledger = rnn(tg.ones(4, 1, 2))[0].sum().backward(ledger=True)
    >>> len(plot_contributions(ledger, dict(rnn.named_parameters())).axes)
    4
    """
    if measure not in MEASURES:
        raise ValueError(f"measure={measure!r}: expected 'norm' or 'projection'")
    parts = {name: _parts(ledger, p, measure) for name, p in parameters.items()}
    columns = 2 if len(parts) > 1 else 1
    rows = -(-len(parts) // columns)
    figure, panels = new_figure(rows, columns, height=0.35 + 1.55 * rows, sharex=True)
    with house_style():
        for axes, (name, (steps, sizes)) in zip(panels, parts.items(), strict=False):
            x = [s + 1 if times is None else times[s] for s in steps]
            axes.set_title(name, color=style.ORANGE)
            if measure == "norm":
                _draw_norms(axes, x, sizes)
            else:
                _draw_projections(axes, x, sizes)
        for axes in panels[len(parts) :]:
            axes.set_axis_off()
        for axes in panels[max(len(parts) - columns, 0) : len(parts)]:
            axes.set_xlabel(xlabel)
            axes.tick_params(labelbottom=True)
        figure.supylabel(
            "norm of the step's part" if measure == "norm" else "part along the whole gradient",
            fontsize=9,
            color=style.PLAIN,
        )
    return figure


# ---- the parts of a panel ------------------------------------------------------------------------


def _parts(ledger: Ledger, parameter: Tensor, measure: str) -> tuple[list[int], Any]:
    """The steps at which a Parameter was used, and the size of each one's part."""
    labels = ledger.steps(parameter)
    sizes = ledger.norms(parameter) if measure == "norm" else ledger.projection(parameter)
    kept = [i for i, step in enumerate(labels) if step is not None]
    return [step for step in labels if step is not None], sizes[kept]


def _draw_norms(axes: Axes, x: Sequence[float], sizes: Any) -> None:
    floor = max(float(sizes.max(initial=0.0)) * 1e-12, np.finfo(np.float64).tiny)
    shown = np.where(sizes > floor, sizes, np.nan)
    if np.isnan(shown).all():
        shown = sizes
    else:
        axes.set_yscale("log")
    dots: dict[str, Any] = {"marker": "o", "markersize": 2.6} if len(x) <= 80 else {}
    axes.plot(x, shown, color=style.GRADIENT.stroke, linewidth=1.3, **dots)


def _draw_projections(axes: Axes, x: Sequence[float], sizes: Any) -> None:
    step = float(np.min(np.diff(x))) if len(x) > 1 else 1.0
    axes.bar(
        x,
        sizes,
        width=step * (0.8 if len(x) <= 60 else 1.0),
        color=style.GRADIENT.stroke,
        linewidth=0,
    )
    axes.axhline(0, color=style.PLAIN, linewidth=0.8)
    axes.margins(x=0.015)
