"""What do ``tinygrad-rnn train`` and ``bench tasks`` run? The classic experiments, one or all."""

from __future__ import annotations

import argparse
import json
import sys

from ..experiments.arguments import UserError, count
from .command import Command, one_thread


def _train_arguments(p: argparse.ArgumentParser) -> None:
    """A name, and what every experiment understands."""
    from ..experiments.runner import add_arguments

    p.add_argument("name", metavar="NAME", nargs="?", help="the experiment; without it: the list")
    add_arguments(p)


def _train(options: argparse.Namespace) -> None:
    """Run one experiment, or list them."""
    from ..experiments import examples
    from ..experiments.runner import start

    if options.name is None:
        _list()
        return
    try:
        module = examples.load(options.name)
    except KeyError as error:
        raise UserError(error.args[0]) from None
    one_thread(options)
    try:
        start(module.run, options)
    except ImportError as error:
        raise UserError(str(error)) from error


def _bench_arguments(p: argparse.ArgumentParser) -> None:
    """What to measure, and how much of it."""
    p.add_argument("--only", metavar="NAME", nargs="+", default=[], help="these tasks alone")
    p.add_argument(
        "--quick", action="store_true", help="the short version: few tasks, few seeds, still judged"
    )
    p.add_argument(
        "--seeds", metavar="N", type=count(1), help="seeds a task, instead of its own number"
    )
    p.add_argument(
        "--jobs", metavar="N", type=count(1), default=1, help="processes at a time (default: 1)"
    )
    p.add_argument("--json", action="store_true", help="as JSON, with the figures of every seed")


def _bench(options: argparse.Namespace) -> None:
    """Measure, print, and fail where a judged task misses."""
    from ..experiments import bench as work

    try:
        tasks = work.plan(options.only, quick=options.quick, seeds=options.seeds)
    except KeyError as error:
        raise UserError(error.args[0]) from None
    out = sys.stderr if options.json else sys.stdout
    rows = work.report(
        work.measure(tasks, options.jobs), lambda line: print(line, file=out, flush=True)
    )
    if options.json:
        print(json.dumps([row.as_dict() for row in rows], indent=2))
    bad = [f"{row.task.name} ({row.verdict})" for row in rows if row.verdict in ("miss", "failed")]
    if bad:
        raise UserError(f"{len(bad)} of {len(rows)} tasks did not pass: {', '.join(bad)}")


def _list() -> None:
    from ..experiments import examples

    for name in examples.names():
        first = (examples.load(name).__doc__ or "").strip().partition("\n\n")[0]
        print(f"{name:<22}{' '.join(first.split())}")


COMMAND = Command(
    "train",
    "run one of the classic experiments, with its pictures",
    "Run one of the classic experiments, on one thread: train, print the result beside the trivial\n"
    "baseline and the figure to reach, and write pictures: the learning curve, what the gates did, what\n"
    "each time step adds to the gradient before and after training, the unrolled graph. Without NAME:\n"
    "the list.\n\n"
    "  tinygrad-rnn train adding\n"
    "  tinygrad-rnn train adding --seed 1 --out pictures",
    _train_arguments,
    _train,
)
TASKS = Command(
    "tasks",
    "the classic experiments over their seeds, with verdicts, in minutes",
    "Run every classic experiment over its seeds, each in a process of its own with one thread, and\n"
    "print what it reached beside the figure to reach. Exit code 1 where a judged task misses.\n\n"
    "  tinygrad-rnn bench tasks --jobs 2\n"
    "  tinygrad-rnn bench tasks --only adding temporal_order --seeds 2",
    _bench_arguments,
    _bench,
)
