"""Act 2. Can it forecast something real? Sunspots, beside persistence and linear autoregression."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from tqdm import tqdm

from ... import plots
from ...data import Errors, fit_autoregression, forecast_errors, sunspots
from ..report import WIDTH, Reporter, sparkline
from .forecaster import (
    FIRST,
    HIDDEN,
    LAST_TESTED,
    LAST_TRAINED,
    RATE,
    STEPS,
    VARIANCE_UNTIL,
    Trained,
    train,
)

ORDER = 9
NAMES = ("persistence", f"AR({ORDER})", f"LSTM({HIDDEN})")


def compare(trained: Trained) -> tuple[dict[str, Any], dict[str, Errors]]:
    """One-step forecasts of the test years by name, and the errors of each.

    Every forecast knows the true values up to the year before; nothing was fitted to the test years.
    """
    series = sunspots()
    values = series.between(FIRST, LAST_TESTED).values
    known = series.between(FIRST, LAST_TRAINED).values
    tested = LAST_TESTED - LAST_TRAINED
    made = {
        NAMES[0]: values[-tested - 1 : -1],
        NAMES[1]: fit_autoregression(known, ORDER).forecast(values)[-tested:],
        NAMES[2]: trained.forecast(values)[-tested:],
    }
    variance = float(series.between(FIRST, VARIANCE_UNTIL).values.var())
    before = values[-tested - 1 : -1]
    errors = {k: forecast_errors(v, values[-tested:], before, variance) for k, v in made.items()}
    return made, errors


def forecast_sunspots(report: Reporter, seed: int, steps: int = STEPS) -> Trained:
    """Train with a progress bar, forecast 1921 to 1955, compare; return the trained model."""
    series = sunspots()
    known = series.between(FIRST, LAST_TRAINED)
    report.act(2, "A real forecast")
    report.say(
        f"The yearly sunspot numbers from {FIRST} on, {len(known.values)} of them up to {LAST_TRAINED}, "
        f"train a forecaster: that LSTM and a linear head, which say next year's number from all years "
        f"so far. {steps} steps of Adam run over the whole sequence (learning rate {RATE}, falling to 0; "
        f"seed {seed}). The years {LAST_TRAINED + 1} to {LAST_TESTED} stay out of every choice: the "
        f"learning rate and its fall were picked on years up to {LAST_TRAINED} alone, as "
        "`benchmarks/choices.py sunspots` shows."
    )
    start = time.perf_counter()
    trained = train(known.values, seed, steps=steps, progress=_bar)
    seconds = time.perf_counter() - start
    made, errors = compare(trained)
    count = sum(p.numel() for p in trained.model.parameters())
    report.say(
        f"Trained {count} numbers in {seconds:.0f} s. Now each year from {LAST_TRAINED + 1} to "
        f"{LAST_TESTED} is forecast from the true values before it, beside persistence (the same as "
        f"last year) and a linear autoregression of order {ORDER} fitted to the same years:"
    )
    rows = [[k, f"{e.rmse:.1f}", f"{e.skill:.3f}", f"{e.arv:.3f}"] for k, e in errors.items()]
    report.table(
        ["", "RMSE", "skill", "relative variance"],
        rows,
        "RMSE in sunspots; skill: 1 - MSE / MSE of persistence; relative variance: MSE / variance of "
        f"the series ({FIRST} to {VARIANCE_UNTIL}), smaller is better.",
        strong=len(rows) - 1,
    )
    ours, linear = errors[NAMES[2]].arv, errors[NAMES[1]].arv
    verdict = "beats" if ours < linear else "does not beat"
    report.result(
        f"{ours:.3f}",
        f"of the series' variance is left unexplained by the LSTM, which {verdict} the linear "
        f"autoregression ({linear:.3f}); persistence leaves {errors[NAMES[0]].arv:.3f}.",
    )
    _show(report, made, trained)
    return trained


def _bar(turns: range) -> Any:
    """A progress bar in ASCII, where there is a terminal to see it."""
    size = {"ncols": WIDTH, "nrows": 24}  # some terminals say that they have no size
    return tqdm(turns, desc="  training", unit="step", ascii=True, disable=None, **size)


def _show(report: Reporter, made: dict[str, Any], trained: Trained) -> None:
    test = sunspots().between(LAST_TRAINED + 1, LAST_TESTED)
    try:
        figure = plots.plot_forecast(
            test.years,
            test.values,
            {NAMES[2]: made[NAMES[2]], NAMES[1]: made[NAMES[1]]},
            ylabel="sunspot number",
        )
        report.picture(
            "forecast.svg",
            plots.figure_svg(figure),
            "Sunspot numbers 1921 to 1955 with the one-step forecasts of the LSTM and of AR(9).",
            f"One-step forecasts of {LAST_TRAINED + 1} to {LAST_TESTED}, years that neither model was "
            "fitted to.",
        )
        report.picture(
            "training.svg",
            plots.figure_svg(plots.plot_history(trained.losses)),
            "The training loss by step, on a logarithmic axis.",
            f"The loss over training, {trained.losses[0]:.3f} to {trained.losses[-1]:.4f} (mean "
            "squared error of values divided by the largest one).",
        )
    except ImportError as error:
        report.missing(error)
        high = max(test.values.max(), *(np.max(v) for v in made.values()))
        lines = [f"{'what came':<12}|{sparkline(test.values, low=0, high=high)}|"]
        lines += [f"{k:<12}|{sparkline(v, low=0, high=high)}|" for k, v in made.items()]
        report.block(
            lines,
            f"{LAST_TRAINED + 1} to {LAST_TESTED}, a year a character, 0 to {high:.0f} sunspots.",
        )
        report.block(
            [f"{'loss':<12}|{sparkline(np.log(trained.losses))}|"],
            f"The loss over training, {trained.losses[0]:.3f} to {trained.losses[-1]:.4f}, by its "
            "logarithm.",
        )
