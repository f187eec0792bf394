"""How does a series become a forecast that can be defended? A model of any kind, tested beside naive ones."""

from ..engine.signatures import readable
from .backtests import Backtest
from .forecaster import Forecaster
from .results import Forecast

__all__ = ["Backtest", "Forecast", "Forecaster"]


readable(__name__)
