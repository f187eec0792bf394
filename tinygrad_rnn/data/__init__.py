"""Real series that ship with the package, and the honest baselines to beat on them."""

from .forecast import Autoregression, Errors, fit_autoregression, forecast_errors
from .series import Series, sunspots

__all__ = [
    "Autoregression",
    "Errors",
    "Series",
    "fit_autoregression",
    "forecast_errors",
    "sunspots",
]
