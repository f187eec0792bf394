"""``tinygrad-rnn info``: what is installed here, and what of it does the work."""

from __future__ import annotations

import argparse
import json

from .command import Command


def _arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("--json", action="store_true", help="as JSON, for programs and bug reports")


def _run(options: argparse.Namespace) -> None:
    from ..environment import info

    facts = info()
    if options.json:
        print(json.dumps(facts, indent=2))
        return
    wide = max(map(len, facts))
    for name, value in facts.items():
        print(f"{name:<{wide}}  {value if value is not None else 'not installed'}")


COMMAND = Command(
    "info",
    "versions, what draws the pictures, what runs the layers",
    "Show the versions of what is installed, which Graphviz draws the pictures, and which back end\n"
    "runs compiled layers.",
    _arguments,
    _run,
)
