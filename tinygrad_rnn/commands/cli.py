"""What happens when ``tinygrad-rnn`` is typed? Which command it is, what it is given, and how it ends.

Exit codes: 0 done, 1 failed (one line on the standard error says why), 2 not understood (argparse says
what was expected), 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence

from ..experiments.arguments import UserError
from . import COMMANDS
from .command import add_commands, plain

PROGRAM = "tinygrad-rnn"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command (``sys.argv`` unless given) and return the exit code.

    >>> from tinygrad_rnn.commands.cli import main
    >>> main(["draw", "--layer", "lstm", "--steps", "0"])
    2
    """
    _survive_odd_terminals()
    words = sys.argv[1:] if argv is None else list(argv)
    try:
        options = parser().parse_args(words, argparse.Namespace(words=words))
    except SystemExit as stop:
        return int(stop.code or 0)
    try:
        options.run(options)
        sys.stdout.flush()
    except UserError as error:
        if error.detail:
            print(error.detail, file=sys.stderr)
        return _failed(str(error))
    except BrokenPipeError:  # the reader, `head` perhaps, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        return _failed(plain(error))
    except KeyboardInterrupt:
        print(f"\n{PROGRAM}: stopped", file=sys.stderr)
        return 130
    return 0


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command line, a subparser a command."""
    from .._version import __version__

    top = argparse.ArgumentParser(
        prog=PROGRAM,
        description="One set of weights, every time step: recurrent networks that you can run, see, "
        "measure and use.",
        epilog=f"Start with: {PROGRAM} demo",
    )
    top.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    add_commands(top, COMMANDS)
    return top


def _survive_odd_terminals() -> None:
    """Have a user's path print as escapes where the terminal's code page lacks its letters."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _failed(text: str) -> int:
    print(f"{PROGRAM}: error: {text}", file=sys.stderr)
    return 1
