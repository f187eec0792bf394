"""Real series that ship with the package, tasks that are generated, and the baselines to beat on them."""

from .forecast import Autoregression, Errors, fit_autoregression, forecast_errors
from .generated import Batch, adding
from .series import Series, sunspots

__all__ = [
    "Autoregression",
    "Batch",
    "Errors",
    "Series",
    "adding",
    "fit_autoregression",
    "forecast_errors",
    "sunspots",
]
