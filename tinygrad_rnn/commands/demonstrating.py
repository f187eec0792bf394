"""What does ``tinygrad-rnn demo`` do? Three acts in under a minute."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..experiments.arguments import UserError, count
from .command import Command


def _arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument(
        "--out",
        metavar="DIR",
        type=Path,
        default=Path("tinygrad-rnn-demo"),
        help="folder for the page and its pictures (default: %(default)s)",
    )
    p.add_argument(
        "--seed",
        metavar="N",
        type=count(0),
        default=0,
        help="where the weights start (default: %(default)s)",
    )
    p.add_argument(
        "--steps",
        metavar="N",
        type=count(1),
        default=300,
        help="steps of training in act 2; fewer are faster and forecast worse (default: %(default)s)",
    )


def _run(options: argparse.Namespace) -> None:
    from ..experiments.demo import run_demo

    if options.out.exists() and not options.out.is_dir():
        raise UserError(f"--out {options.out}: that is a file; name a folder")
    run_demo(options.out, seed=options.seed, steps=options.steps)


COMMAND = Command(
    "demo",
    "three acts in under a minute, and a page that holds them",
    "Three acts in under a minute:\n"
    "  1. the question: what weights does an LSTM use at t = 4? Answered by running one\n"
    "  2. a real forecast: 300 years of sunspots, beside honest baselines\n"
    "  3. the gradient taken apart: what each step adds, and that the parts sum to it\n"
    "It ends with the path of one index.html that holds all of it.",
    _arguments,
    _run,
)
