"""What is a command made of, and how does it run? Its words and arguments, threads, scripts of users."""

from __future__ import annotations

import argparse
import os
import runpy
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..experiments.arguments import THREADS, UserError


@dataclass(frozen=True)
class Command:
    """One word after ``tinygrad-rnn``: its words for ``--help``, its arguments, and what runs it."""

    name: str
    help: str
    description: str
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], None]


def add_commands(
    parser: argparse.ArgumentParser, commands: tuple[Command, ...], what: str = "COMMAND"
) -> None:
    """A subparser a command; the chosen one is run by ``options.run(options)``."""
    words = parser.add_subparsers(title=f"{what.lower()}s", metavar=what, required=True)
    for command in commands:
        sub = words.add_parser(
            command.name,
            help=command.help,
            description=command.description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        sub.set_defaults(run=command.run)
        command.arguments(sub)


def one_thread(options: argparse.Namespace) -> None:
    """Have the command be run by a process with one thread, unless this is one, and end as that did.

    A second thread gains matrix products of these sizes little, and where other programs keep the cores busy,
    threads that wait for each other take several times as long. Their number is read when numpy is imported,
    which is before any command.
    """
    if all(os.environ.get(name) == "1" for name in THREADS):
        return
    command = [sys.executable, "-m", "tinygrad_rnn", *options.words]
    sys.stdout.flush()
    try:
        done = subprocess.run(
            command, env={**os.environ, **dict.fromkeys(THREADS, "1")}, check=False
        )
    except KeyboardInterrupt:  # it was told too, and has said so
        sys.exit(130)
    sys.exit(done.returncode)


def plain(error: BaseException) -> str:
    """An error as one line: an OSError's own words, else its kind and its words."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'file'}: {error.strerror}"
    if isinstance(error, OSError):
        return str(error)
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def run_script(path: Path) -> dict[str, Any]:
    """What a user's script defines once it has run; modules beside it are found."""
    if not path.is_file():
        raise UserError(f"there is no script {str(path)!r}")
    with blamed(path):
        return runpy.run_path(str(path))


@contextmanager
def blamed(path: Path) -> Iterator[None]:
    """Run a script's own code: an error is the script's, with its traceback from there on and the line."""
    before = sys.path[:]
    sys.path.insert(0, str(path.resolve().parent))
    try:
        yield
    except (UserError, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise _blame(error, path) from error
    finally:
        sys.path[:] = before


def _blame(error: BaseException, path: Path) -> UserError:
    """A script's own error: its traceback from the script on, and the line in one sentence."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename != str(path):
        trace = trace.tb_next
    lines = [error.lineno] if isinstance(error, SyntaxError) else []
    lines += [f.lineno for f in traceback.extract_tb(trace) if f.filename == str(path)]
    where = f" in line {lines[-1]}" if lines else ""
    shown = "".join(traceback.format_exception(type(error), error, trace, chain=False)).rstrip()
    return UserError(f"{path} failed{where}: {plain(error)}", shown)
