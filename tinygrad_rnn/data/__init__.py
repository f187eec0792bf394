"""Real data that ships with the package, tasks that are generated, and the baselines to beat on them."""

from .forecast import Autoregression, Errors, fit_autoregression, forecast_errors
from .generated import Batch, adding, sine_waves
from .handwritten import sequential_digits
from .ngrams import NGram, fit_ngram
from .series import Series, Weekly, co2, sunspots
from .splits import Split
from .words import first_names

__all__ = [
    "Autoregression",
    "Batch",
    "Errors",
    "NGram",
    "Series",
    "Split",
    "Weekly",
    "adding",
    "co2",
    "first_names",
    "fit_autoregression",
    "fit_ngram",
    "forecast_errors",
    "sequential_digits",
    "sine_waves",
    "sunspots",
]
