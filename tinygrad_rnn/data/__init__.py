"""On what is trained? Real data that ships with the package, generated tasks, and baselines to beat."""

from ..engine.signatures import readable
from .calendars import Frequency, calendar
from .cutting import Windows, windows
from .forecast import Autoregression, Errors, fit_autoregression, forecast_errors
from .generated import Batch, adding, copying_memory, sine_waves, temporal_order
from .grammars import (
    REBER,
    counting_string,
    embedded_reber,
    legal_continuations,
    one_hot,
    symbol_numbers,
)
from .handwritten import sequential_digits
from .naive import persistence, seasonal_naive
from .ngrams import NGram, fit_ngram
from .reading import read_csv
from .scaling import Scaler
from .series import Series, Weekly, co2, sunspots
from .splits import Split
from .tables import Table, table
from .words import first_names

__all__ = [
    "REBER",
    "Autoregression",
    "Batch",
    "Errors",
    "Frequency",
    "NGram",
    "Scaler",
    "Series",
    "Split",
    "Table",
    "Weekly",
    "Windows",
    "adding",
    "calendar",
    "co2",
    "copying_memory",
    "counting_string",
    "embedded_reber",
    "first_names",
    "fit_autoregression",
    "fit_ngram",
    "forecast_errors",
    "legal_continuations",
    "one_hot",
    "persistence",
    "read_csv",
    "seasonal_naive",
    "sequential_digits",
    "sine_waves",
    "sunspots",
    "symbol_numbers",
    "table",
    "temporal_order",
    "windows",
]


def __dir__() -> list[str]:
    """The public names and nothing else, for an editor's list."""
    return __all__


readable(__name__)
