"""How do results look? Plots of what was trained and measured, and cards for notebooks."""

from ..engine.signatures import readable
from .curves import plot_contributions, plot_forecast, plot_history
from .look import figure_svg
from .over_time import plot_credit, plot_gates, plot_memory, plot_parts, plot_training_parts

__all__ = [
    "figure_svg",
    "plot_contributions",
    "plot_credit",
    "plot_forecast",
    "plot_gates",
    "plot_history",
    "plot_memory",
    "plot_parts",
    "plot_training_parts",
]


readable(__name__)
