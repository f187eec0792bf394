"""How does one experiment run? Its arguments, its report, its result."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from .._version import __version__
from .arguments import UserError, count
from .page import Header
from .report import Reporter
from .show import QUIET, Show
from .task import Result, Task

Run = Callable[..., Result]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What every experiment understands."""
    parser.add_argument(
        "--seed", metavar="N", type=count(0), default=0, help="of weights and data (default: 0)"
    )
    parser.add_argument(
        "--iterations",
        metavar="N",
        type=count(1),
        help="steps of training, instead of the setting's own",
    )
    parser.add_argument(
        "--quick", action="store_true", help="a taste in seconds, too short to be judged"
    )
    parser.add_argument(
        "--out", metavar="DIR", type=Path, help="folder for pictures (default: tinygrad-rnn-NAME)"
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="print the result alone, as JSON; pictures only with --out",
    )


def start(run: Run, options: argparse.Namespace) -> Result:
    """Run one experiment as the options say; print and draw what it shows."""
    task: Task = run.__globals__["TASK"]
    if options.json and options.out is None:
        result = timed(run, options, QUIET)
    else:
        folder = options.out or Path(f"tinygrad-rnn-{task.name}")
        if folder.exists() and not folder.is_dir():
            raise UserError(f"--out {folder}: that is a file; name a folder")
        folder.mkdir(parents=True, exist_ok=True)
        result = _shown(run, task, options, folder)
    if options.json:
        print(json.dumps(result.as_dict(), indent=2))
    return result


def timed(run: Run, options: argparse.Namespace, show: Show) -> Result:
    """The Result with its seed and seconds; one that is not the setting's own length is not judged."""
    begin = time.perf_counter()
    result = run(seed=options.seed, quick=options.quick, iterations=options.iterations, show=show)
    seconds = round(time.perf_counter() - begin, 2)
    passed = None if options.quick or options.iterations else result.passed
    return dataclasses.replace(result, seed=options.seed, seconds=seconds, passed=passed)


def main(run: Run, argv: Sequence[str] | None = None) -> None:
    """What an example does as a script: read the arguments (``sys.argv`` unless given) and run.

    ``run(seed, quick, iterations, show)`` returns a ``Result``; its file has a ``TASK`` and a docstring.
    Ends the process with code 1 and one line for a mistake that the user can put right.
    """
    parser = argparse.ArgumentParser(
        description=run.__globals__["__doc__"],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_arguments(parser)
    try:
        start(run, parser.parse_args(argv))
    except (UserError, OSError, ImportError) as error:
        sys.exit(f"{parser.prog}: error: {error}")


def _shown(run: Run, task: Task, options: argparse.Namespace, folder: Path) -> Result:
    first, _, rest = (run.__globals__["__doc__"] or task.name).strip().partition("\n\n")
    title, name = " ".join(first.split()), task.name
    header = Header(
        title=f"{title} - tinygrad_rnn",
        heading=title,
        lead=f"{task.setting}.",
        footer=f"Made by `python -m tinygrad_rnn train {name}`, tinygrad_rnn {__version__}, "
        "in {seconds:.0f} seconds. Everything on this page was computed in that run.",
    )
    stream = sys.stderr if options.json else None
    report = Reporter(folder, stream, header)
    begin = time.perf_counter()
    report.title(f"tinygrad_rnn {__version__}: {name}")
    report.remark(f"{title}\n")
    report.section(name, "The task, and the question")
    for paragraph in filter(None, rest.split("\n\n")):
        report.say(" ".join(paragraph.split()))
    show = Show(report)
    result = timed(run, options, show)
    show.finish(result)
    report.finish(time.perf_counter() - begin)
    return result
