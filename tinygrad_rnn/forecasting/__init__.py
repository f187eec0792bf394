"""From a series to a forecast that can be defended: a model of any kind, tested beside naive ones."""

from .backtests import Backtest
from .forecaster import Forecaster
from .results import Forecast

__all__ = ["Backtest", "Forecast", "Forecaster"]
