"""Act 3. What does each step add to the gradient of the one set of weights, and do the parts sum?"""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import nn, plots
from ...data import sunspots
from ...drawing.output import DrawingError
from ...graphs import Graph, Ledger
from ...page.live.page_data import Live
from ...tensors import Tensor
from ..report import Reporter, sparkline
from .forecaster import FIRST, LAST_TESTED, LAST_TRAINED, Trained
from .question import short_name

CYCLE = 11  # years from one maximum of the sun to the next, about


def take_apart(report: Reporter, trained: Trained) -> None:
    """The parts of two gradients: of one forecast's error, and of the whole training loss."""
    report.act(3, "The gradient, taken apart")
    report.say(
        "One set of weights also means one gradient: training adds up what every step contributes to the "
        "gradient of the same numbers. `loss.backward(ledger=True)` keeps the parts apart. First the "
        "error of a single forecast on the model of act 2, in float64:"
    )
    trained.model.double()
    one, whole = _single(report, trained), _training(report, trained)
    worst = max(one, whole)
    report.say(
        "The check: the parts are summed step by step and compared with `.grad`. Largest relative "
        f"difference over all weights: {worst:.1e}, rounding alone."
    )
    report.result(
        f"{worst:.0e}",
        "is the largest relative difference between the sum of all steps' parts and the gradient that "
        "training used: the parts are the whole.",
    )


def _single(report: Reporter, trained: Trained) -> float:
    """One forecast's squared error: how far back its gradient reaches."""
    series = sunspots()
    test = series.between(LAST_TRAINED + 1, LAST_TESTED)
    year = int(test.years[test.values.argmax()])
    x = trained.sequence(series.between(FIRST, year).values)
    shared = _shared(trained)
    trained.model.zero_grad()
    loss = nn.functional.mse_loss(trained.model(x[:-1])[-1], x[-1])
    ledger = loss.backward(ledger=True)
    rows, recent = [], []
    for name, parameter in shared.items():
        parts = _along(ledger, parameter)[::-1]
        spans = np.split(parts, [1, CYCLE, 2 * CYCLE])
        recent.append(float(parts[: 2 * CYCLE].sum()))
        length = float(np.linalg.norm(ledger.total(parameter)))
        rows.append(
            [name, f"{len(parts)}", *(_percent(span.sum()) for span in spans), f"{length:.4f}"]
        )
    report.table(
        ["", "uses", "last year", f"2 to {CYCLE}", f"{CYCLE + 1} to {2 * CYCLE}", "older", "|G|"],
        rows,
        f"The forecast for {year}, the highest of the test years, from the years {FIRST} to {year - 1}. "
        f"Columns: which years, counted back, make how much of the gradient G of its squared error, by "
        "their parts along G, <g_t, G> / <G, G>. They add up to 100 %; a negative part pulls the other "
        "way.",
    )
    _figure(
        report,
        ledger,
        shared,
        "norm",
        list(range(FIRST, year)),
        "gradient_of_one_forecast.svg",
        f"How much each year adds to the gradient of the one forecast for {year}: the last {2 * CYCLE} "
        f"years, two cycles of the sun, make {_percent(min(recent))} of it or more, and what is older "
        "fades by orders of magnitude. Both biases enter the same sum, so their gradients are equal.",
    )
    _explore(report, loss, ledger, trained)
    return _check(ledger, trained)


def _explore(report: Reporter, loss: Tensor, ledger: Ledger, trained: Trained) -> None:
    """The same gradient as a page of its own, in which the trained model runs."""
    series = trained.sequence(sunspots().between(FIRST, LAST_TRAINED).values)
    live = Live(
        trained.model, (series[:-1], series[1:]), nn.functional.mse_loss, tasks=[("sine", 50, 16)]
    )
    try:
        Graph(loss).to_html(report.folder / "explore.html", ledger=ledger, live=live)
    except DrawingError:
        return  # act 1 has said that there are no pictures
    report.link(
        "explore.html",
        "Explore this very graph: every use of a Parameter lit, a slider that runs backward through "
        "the years, every value. And the trained model itself, live: pull at a year, hold a gate, train.",
    )


def _training(report: Reporter, trained: Trained) -> float:
    """The training loss: every year pulls, and at the end of training the pulls cancel."""
    known = sunspots().between(FIRST, LAST_TRAINED)
    x = trained.sequence(known.values)
    shared = _shared(trained)
    trained.model.zero_grad()
    loss = nn.functional.mse_loss(trained.model(x[:-1]), x[1:])
    ledger = loss.backward(ledger=True)
    rows = []
    for name, parameter in shared.items():
        norms = ledger.norms(parameter)
        length = float(np.linalg.norm(ledger.total(parameter)))
        cancelled = 1 - length / float(norms.sum())
        top = int(known.years[norms.argmax()])
        rows.append(
            [
                name,
                f"{len(norms)}",
                f"{norms.max():.1e}",
                str(top),
                f"{length:.1e}",
                _percent(cancelled),
            ]
        )
    report.say(
        f"Now the training loss itself, over all {len(x) - 1} steps. Every year pulls the weights its own "
        "way; the closer training is to its end, the more the pulls cancel:"
    )
    report.table(
        ["", "uses", "largest part", "in", "|gradient|", "cancels"],
        rows,
        "largest part: the norm of one step's part, and its year; cancels: 1 - |sum of the parts| / "
        "sum of their norms. W_hh's part in the first year is 0, since h_0 is 0.",
    )
    _figure(
        report,
        ledger,
        shared,
        "projection",
        known.years[:-1].tolist(),
        "gradient_of_training.svg",
        "Each year's part along the whole gradient of the training loss, <g_t, G> / |G|: pulls up and "
        "down, whose sum is the gradient that is left.",
    )
    return _check(ledger, trained)


def _shared(trained: Trained) -> dict[str, Tensor]:
    """The LSTM's Parameters under the names of the equations."""
    return {short_name(n): p for n, p in trained.model.lstm.named_parameters()}


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _along(ledger: Ledger, parameter: Tensor) -> Any:
    """Each step's signed share of the gradient: <g_t, G> / <G, G>, which add up to 1."""
    rows = ledger[parameter].reshape(len(ledger.steps(parameter)), -1)
    whole = rows.sum(0)
    return rows @ whole / ((whole @ whole) or 1.0)


def _check(ledger: Ledger, trained: Trained) -> float:
    """The largest difference between summed parts and ``.grad``, relative to the gradient's norm."""
    worst = 0.0
    for parameter in trained.model.parameters():
        gradient = np.asarray(parameter.grad)
        size = float(np.linalg.norm(gradient)) or 1.0
        worst = max(worst, float(np.abs(ledger[parameter].sum(0) - gradient).max()) / size)
    return worst


def _figure(
    report: Reporter,
    ledger: Ledger,
    shared: dict[str, Tensor],
    measure: str,
    years: list[int],
    name: str,
    caption: str,
) -> None:
    try:
        figure = plots.plot_contributions(
            ledger, shared, measure=measure, times=years, xlabel="year"
        )
        svg = plots.figure_svg(figure)
    except ImportError as error:
        report.missing(error)
        lines = []
        for label, parameter in shared.items():
            sizes = ledger.norms(parameter)
            logs = np.log10(np.maximum(sizes, sizes.max() * 1e-6 or 1.0))
            lines.append(f"{label:<6}|{sparkline(logs)}|")
        report.block(
            lines,
            f"The norm of each step's part by its logarithm, {years[0]} to {years[-1]}, from a millionth "
            "of the largest (blank) to the largest (@).",
        )
        return
    report.picture(name, svg, f"Parts of the gradient by year, {years[0]} to {years[-1]}.", caption)
