"""What do all plots share? The look, a figure of panels, and a figure as SVG.

Backgrounds are transparent and every colour is legible on white and on black, so that one file serves
light pages, dark pages and paper. Nothing here touches pyplot or its global state.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from ..drawing.scene import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 7.2  # inches: a column of paper, and of a page
RULES: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["Helvetica", "Arial", "Liberation Sans", "DejaVu Sans"],
    "font.size": 9,
    "text.color": style.PLAIN,
    "axes.labelcolor": style.PLAIN,
    "axes.edgecolor": style.PLAIN,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": style.PLAIN,
    "grid.alpha": 0.22,
    "grid.linewidth": 0.7,
    "xtick.color": style.PLAIN,
    "ytick.color": style.PLAIN,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "legend.frameon": False,
    "svg.hashsalt": "tinygrad_rnn",
}
# Lines tell themselves apart by dash as well as by colour.
LOOKS: tuple[dict[str, Any], ...] = (
    {"color": style.H.stroke, "linewidth": 1.9},
    {"color": style.C.stroke, "linewidth": 1.5, "linestyle": (0, (4.5, 1.8))},
    {"color": style.ORANGE, "linewidth": 1.4, "linestyle": (0, (1.2, 1.4))},
    {"color": style.GRADIENT.stroke, "linewidth": 1.4, "linestyle": (0, (6, 1.5, 1.2, 1.5))},
)


def figure_svg(figure: Figure) -> str:
    """A Figure as SVG text: the same bytes for the same figure.

    >>> from tinygrad_rnn.plots import figure_svg
    >>> from tinygrad_rnn.plots import plot_history
    >>> "<svg" in figure_svg(plot_history([1.0, 0.5]))
    True
    """
    out = io.StringIO()
    with house_style():
        figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()


def matplotlib_or_error() -> Any:
    """The library, or an error that names it."""
    try:
        import matplotlib.colors
        import matplotlib.dates
        import matplotlib.ticker
    except ImportError as error:
        raise ImportError(
            "plots need matplotlib, which is not installed: `pip install matplotlib`"
        ) from error
    return matplotlib


def house_style() -> Any:
    """The look, inside a ``with``."""
    return matplotlib_or_error().rc_context(RULES)


def new_figure(
    rows: int, columns: int, height: float, sharex: bool = False
) -> tuple[Figure, list[Axes]]:
    """A figure of rows x columns panels, as wide as a column of text, and its panels."""
    with house_style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        panels = figure.subplots(rows, columns, sharex=sharex, squeeze=False)
    return figure, list(panels.ravel())
