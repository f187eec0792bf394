"""What does the demo show in about a minute? The question, a real forecast, the gradient taken apart.

``python -m tinygrad_rnn demo`` runs them. Each act is a module of its own; they tell what they find to
one report, which prints it and sets it on one page.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TextIO

from ..._version import __version__
from ..report import Reporter
from . import contributions, prediction, question
from .forecaster import STEPS

FOLDER = "tinygrad-rnn-demo"


def run_demo(
    folder: str | os.PathLike[str] = FOLDER,
    *,
    seed: int = 0,
    steps: int = STEPS,
    stream: TextIO | None = None,
) -> Path:
    """Run the three acts into ``folder``, which is made where it is missing; return the page's path.

    ``seed`` starts the weights that act 2 trains for ``steps`` steps. Text goes to ``stream``, the
    standard output unless given. Where Graphviz or matplotlib is missing the demo says so and goes on
    without pictures, or with text in the plots' place. Raises OSError where the folder cannot be
    written.
    """
    begin = time.perf_counter()
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    report = Reporter(target, stream)
    report.title(f"tinygrad_rnn {__version__}: three acts, under a minute")
    question.answer(report)
    trained = prediction.forecast_sunspots(report, seed, steps)
    contributions.take_apart(report, trained)
    return report.finish(time.perf_counter() - begin)
