"""What does ``tinygrad-rnn fit`` do? From a CSV file to a forecast, tested beside naive ones, and a page."""

from __future__ import annotations

import argparse
import csv
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..experiments.arguments import UserError, count
from .command import Command, one_thread

if TYPE_CHECKING:
    from ..data import Table
    from ..experiments.show import Show
    from ..forecasting import Backtest, Forecast, Forecaster

SHOWN = 12  # steps of the unrolled graph that are drawn from


def _arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("file", metavar="FILE.csv", type=Path, help="a heading, then a row a step")
    p.add_argument("--target", metavar="COLUMN", help="what to forecast (default: the last column)")
    p.add_argument("--horizon", metavar="N", type=count(1), default=7, help="rows (default: 7)")
    p.add_argument("--date", metavar="COLUMN", help="the dates (default: the first column of them)")
    p.add_argument("--decimal", metavar="MARK", default=".", help='"." or "," (default: ".")')
    p.add_argument("--encoding", metavar="NAME", default="utf-8", help="(default: utf-8)")
    p.add_argument(
        "--columns", metavar="COLUMN", nargs="+", help="what to read (default: all columns)"
    )
    p.add_argument(
        "--model", default="lstm", choices=("lstm", "gru", "rnn"), help="(default: lstm)"
    )
    p.add_argument("--hidden", metavar="N", type=count(1), help="units (default: 16)")
    p.add_argument(
        "--window", metavar="N", type=count(1), help="rows to look back (default: 2 seasons)"
    )
    p.add_argument(
        "--epochs", metavar="N", type=count(1), default=100, help="at most (default: 100)"
    )
    p.add_argument(
        "--test", metavar="N", type=count(1), help="last rows to test on (default: a fifth)"
    )
    p.add_argument(
        "--missing",
        default="error",
        choices=("error", "interpolate", "forward"),
        help="missing values: stop, straight lines, or the value before (default: error)",
    )
    p.add_argument("--seed", metavar="N", type=count(0), default=0, help="(default: 0)")
    p.add_argument(
        "--out", metavar="DIR", type=Path, help="folder to write into (default: FILE-forecast)"
    )


def _run(options: argparse.Namespace) -> None:
    one_thread(options)
    folder = options.out or Path(f"{options.file.stem}-forecast")
    if folder.exists() and not folder.is_dir():
        raise UserError(f"--out {folder}: that is a file; name a folder")
    try:
        _fit(options, folder)
    except (ValueError, TypeError, ImportError) as error:
        raise UserError(_as_options(str(error))) from error
    except MemoryError as error:
        raise UserError(f"too little memory: {error}; choose fewer --hidden units") from error


def _as_options(words: str) -> str:
    """What an error says to do, in the words of the command line."""
    words = re.sub(r"\b(encoding|missing)='([\w-]+)'", r"--\1 \2", words)
    return re.sub(r"\b(columns|decimal)= ?", r"--\1 ", words)


def _fit(options: argparse.Namespace, folder: Path) -> None:
    """Read, train, test, forecast, and tell it to a report."""
    import numpy as np

    from .. import __version__
    from ..data import read_csv
    from ..experiments.page import Header
    from ..experiments.report import Reporter
    from ..experiments.show import Show
    from ..forecasting import Forecaster

    begin = time.perf_counter()
    wanted = options.columns
    if wanted and options.target:
        wanted = [name for name in wanted if name != options.target] + [options.target]
    series = read_csv(
        options.file, options.date, wanted, decimal=options.decimal, encoding=options.encoding
    )
    target = options.target or series.names[-1]
    series.places(target, "target")
    season = series.frequency.season if series.frequency else None
    tested = options.test or max(len(series) // 5, options.horizon)
    trained = len(series) - tested
    window = options.window or min(2 * (season or 14), max(trained // 4, 1))
    try:
        filled = series.filled(options.missing)
    except ValueError as error:
        raise ValueError(f"{options.file}: {error}") from None
    forecaster = Forecaster(
        options.model, window=window, hidden=options.hidden, missing=options.missing,
        calendar=_calendar(series), seed=options.seed,
    )  # fmt: skip
    if trained < 2 * window + 1 or tested < options.horizon:
        raise UserError(
            f"{options.file} has {len(series)} rows: too few to train on windows of {window} and to test "
            f"{options.horizon} rows ahead on {tested}; give --window, --test or --horizon"
        )
    if not np.isfinite(series[trained:].columns(target).values).any():
        raise UserError(
            f"{options.file}: the last {tested} rows, which are to be tested on, have no value of {target!r}"
        )
    folder.mkdir(parents=True, exist_ok=True)
    header = Header(
        title=f"{target}: a forecast - tinygrad_rnn",
        heading=f"{target}, *{options.horizon} rows ahead*",
        lead=f"{options.file.name}: {len(series)} rows{_span(series)}. A recurrent network, trained on the "
        f"first {trained} of them, tested on the last {tested}, beside forecasts that need no training.",
        footer=f"Made by `tinygrad-rnn fit {options.file.name} --target {target} --horizon "
        f"{options.horizon}`, tinygrad_rnn {{version}}, in {{seconds:.0f}} seconds.",
    )
    report = Reporter(folder, None, header)
    report.title(f"tinygrad_rnn {__version__}: fit {options.file.name}")
    show = Show(report)
    _tell_series(show, series, target, trained, options.missing)
    forecaster.fit(series[:trained], target, epochs=options.epochs, progress=sys.stderr.isatty())
    _tell_training(show, forecaster)
    tested_on = forecaster.backtest(series, options.horizon, level=0.9)
    _tell_test(show, tested_on, trained)
    forecast = forecaster.forecast(options.horizon, series, level=0.9)
    _tell_forecast(show, forecast, folder)
    _tell_network(show, forecaster, filled)
    forecaster.save(folder / "forecaster.safetensors")
    report.remark(f"model: {folder / 'forecaster.safetensors'}")
    report.finish(time.perf_counter() - begin)


def _calendar(series: Table) -> tuple[str, ...]:
    """The features of the date that a series of its frequency can have learnt from two cycles of them."""
    if series.frequency is None or series.dates is None:
        return ()
    days = (series.dates[-1] - series.dates[0]).astype("m8[D]").astype(int)
    step, unit = series.frequency.every, series.frequency.unit
    daily = unit == "B" or (unit == "s" and step == 86_400)
    hourly = unit == "s" and step < 86_400
    wanted = {
        "hour": hourly and days >= 2,
        "dayofweek": (daily or hourly) and days >= 14,
        "dayofyear": days >= 730 and unit != "M",
        "month": unit == "M" and step < 12 and days >= 730,
    }
    return tuple(name for name, use in wanted.items() if use)


def _span(series: Table) -> str:
    return "" if series.dates is None else f" from {series.row(0)} to {series.row(len(series) - 1)}"


def _tell_series(show: Show, series: Table, target: str, trained: int, missing: str) -> None:
    import numpy as np

    from ..plots import plot_forecast

    report: Any = show.report
    report.section("series", "The series")
    absent = int(np.isnan(series.values).sum())
    gaps = (
        "No value is missing."
        if not absent
        else f"Missing values: {absent}, filled by `{missing}`."
    )
    report.say(
        f"{len(series)} rows{_span(series)}, with the columns {', '.join(f'`{n}`' for n in series.names)}. "
        f"{gaps} The last {len(series) - trained} rows, right of the line, took no part in training."
    )
    values = series.columns(target).values[:, 0]
    times = np.arange(len(series)) if series.dates is None else series.dates
    show.figure(
        "series",
        lambda: plot_forecast(times, values, {}, ylabel=target, since=times[trained]),
        f"{target}, and where the test begins.",
    )


def _tell_training(show: Show, forecaster: Forecaster) -> None:
    report: Any = show.report
    history = forecaster.history
    numbers = sum(p.numel() for p in forecaster.network.parameters())
    report.section("training", "Training")
    beside = f", the date's {', '.join(forecaster.calendar)}" if forecaster.calendar else ""
    report.say(
        f"{forecaster.model.upper() if isinstance(forecaster.model, str) else 'A network'} of {numbers} "
        f"numbers, on windows of {forecaster.window} rows (inputs: {', '.join(forecaster.columns)}{beside}), "
        f"{len(history.rows)} epochs; the best one by the validation loss was kept."
    )
    show.figure("training", history.plot, "The losses by epoch.")


def _tell_test(show: Show, test: Backtest, trained: int) -> None:
    report: Any = show.report
    report.section("test", "The test")
    report.say(
        f"From each of {len(test.origins)} origins after row {trained}, {test.horizon} rows were forecast "
        "from the rows before it alone: each forecast goes back in as the next row, with the state. "
        "Persistence repeats the last value, seasonal naive the last season."
    )
    head, rows = test.rows()
    report.table(
        head,
        rows,
        f"Root of the mean squared error of {test.names[0]} by steps ahead.",
        strong=len(rows) - 1,
    )
    show.figure("errors", test.plot, "The errors by steps ahead.")
    ours = float(test.rmse()[:, 0].mean())
    others = {n: float(test.rmse(n)[:, 0].mean()) for n in test.forecasts if n != "model"}
    name = min(others, key=lambda n: others[n])
    verdict = _verdict(ours, others[name])
    report.result(
        f"{ours:.4g}",
        f"is the network's mean RMSE, {verdict} the best naive one ({name}, {others[name]:.4g}).",
    )
    report.result(
        f"{test.coverage()[:, 0].mean():.0%}",
        f"of what came lay in the {test.level:.0%} intervals that were forecast for it.",
    )


def _verdict(ours: float, naive: float) -> str:
    """Of an error beside the smallest naive one, how far below it lies."""
    if not ours < naive:
        by = f"{ours / naive - 1:.0%} above" if naive else "not below" if not ours else "above"
        return f"{by}: do not use it instead of"
    return f"{1 - ours / naive:.0%} below"


def _tell_forecast(show: Show, forecast: Forecast, folder: Path) -> None:
    report: Any = show.report
    report.section("forecast", "The forecast")
    columns = forecast.columns()
    times = [str(k + 1) for k in range(len(forecast))]
    if forecast.dates is not None:
        times = [str(date).removesuffix("T00:00:00") for date in forecast.dates]
    rows = [[t, *(f"{c[k]:.4g}" for c in columns.values())] for k, t in enumerate(times)]
    report.table(["", *columns], rows, f"The next rows with their {forecast.level:.0%} interval.")
    show.figure("forecast", forecast.plot, "The forecast after the end of the series.")
    with (folder / "forecast.csv").open("w", newline="", encoding="utf-8") as file:
        write = csv.writer(file)
        write.writerow(["date" if forecast.dates is not None else "step", *columns])
        write.writerows([t, *(c[k] for c in columns.values())] for k, t in enumerate(times))
    report.remark(f"numbers: {folder / 'forecast.csv'}")


def _tell_network(show: Show, forecaster: Forecaster, series: Table) -> None:
    report: Any = show.report
    report.section("network", "The network")
    report.say(
        "One set of weights, used at every row: the graph of the last rows' forecasts, as it was recorded."
    )
    show.graph(forecaster.recorded(series[-SHOWN:]), f"The network over the last {SHOWN} rows.")


COMMAND = Command(
    "fit",
    "train on a CSV file of your own, test beside naive forecasts, forecast",
    "Train a recurrent network on a CSV file, test it beside persistence and the seasonal naive forecast,\n"
    "and forecast the next rows with intervals. Writes one page with all of it, forecast.csv and the\n"
    "model.\n\n"
    "  tinygrad-rnn fit load.csv --target load --horizon 7\n"
    "  tinygrad-rnn fit load.csv --target load --missing interpolate --model gru --out load",
    _arguments,
    _run,
)
