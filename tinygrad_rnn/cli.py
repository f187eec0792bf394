"""The command line: ``tinygrad-rnn demo``, ``train``, ``draw`` ..., or ``python -m tinygrad_rnn demo``.

A command is a name, its words for ``--help``, a function that adds its arguments, and one that runs it;
:data:`COMMANDS` lists them. Exit codes: 0 done, 1 failed (one line on the standard error says why),
2 not understood (argparse says what was expected), 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import runpy
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import cli_tasks
from .cli_words import UserError, count

PROGRAM = "tinygrad-rnn"


@dataclass(frozen=True)
class Command:
    """One word after ``tinygrad-rnn``."""

    name: str
    help: str
    description: str
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], None]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command (``sys.argv`` unless given) and return the exit code.

    >>> from tinygrad_rnn.cli import main
    >>> main(["draw", "--layer", "lstm", "--steps", "0"])
    2
    """
    _survive_odd_terminals()
    try:
        options = parser().parse_args(argv)
    except SystemExit as stop:
        return int(stop.code or 0)
    try:
        options.run(options)
        sys.stdout.flush()
    except UserError as error:
        return _failed(str(error))
    except BrokenPipeError:  # the reader, `head` perhaps, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        return _failed(_plain(error))
    except KeyboardInterrupt:
        print(f"\n{PROGRAM}: stopped", file=sys.stderr)
        return 130
    return 0


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command line, a subparser a command."""
    from . import __version__

    top = argparse.ArgumentParser(
        prog=PROGRAM,
        description="One set of weights, every time step: recurrent networks that you can run, see, "
        "measure and use.",
        epilog=f"Start with: {PROGRAM} demo",
    )
    top.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    words = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        sub = words.add_parser(
            command.name,
            help=command.help,
            description=command.description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.arguments(sub)
        sub.set_defaults(run=command.run)
    return top


# ---- demo -------------------------------------------------------------------------------------------


def _demo_arguments(p: argparse.ArgumentParser) -> None:
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


def _demo(options: argparse.Namespace) -> None:
    from .demo import run_demo

    if options.out.exists() and not options.out.is_dir():
        raise UserError(f"--out {options.out}: that is a file; name a folder")
    run_demo(options.out, seed=options.seed, steps=options.steps)


# ---- draw -------------------------------------------------------------------------------------------


def _draw_arguments(p: argparse.ArgumentParser) -> None:
    what = p.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "source",
        nargs="?",
        metavar="SCRIPT.py:NAME",
        help="draw what NAME in a script is: a Tensor, a Graph, a layer (with --steps), or a function "
        "without arguments that returns one",
    )
    what.add_argument("--layer", choices=sorted(_layers()), help="draw a layer of this kind")
    p.add_argument(
        "--steps",
        metavar="N",
        type=count(1),
        help="time steps to unroll a layer over (default: 4)",
    )
    for size, default, words in (
        ("--input", 4, "features of its input"),
        ("--hidden", 3, "features of its state"),
        ("--layers", 1, "how many, one on the other"),
    ):
        words = f"with --layer: {words} (default: %(default)s)"
        p.add_argument(size, metavar="N", type=count(1), default=default, help=words)
    p.add_argument(
        "--level",
        choices=["auto", "cell", "op"],
        default="auto",
        help="a box a cell or a box an op (default: %(default)s)",
    )
    p.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="where to; the ending .svg, .png, .pdf or .dot says the format (default: NAME.svg)",
    )


def _draw(options: argparse.Namespace) -> None:
    from .drawing.render import DrawingError, draw

    steps = options.steps
    if options.layer is not None:
        kind = _layers()[options.layer]
        subject: Any = kind(options.input, options.hidden, num_layers=options.layers)
        name, steps = options.layer, steps or 4
    else:
        subject, name = _from_script(options.source)
        steps = (steps or 4) if _is_module(subject) else None
        if steps is None and options.steps is not None:
            raise UserError(
                f"--steps {options.steps}: {name} is no layer, its steps are recorded already"
            )
    path = options.output or Path(f"{name}.svg")
    try:
        written = draw(subject, path, options.level, steps=steps)
    except (DrawingError, ValueError, TypeError) as error:
        raise UserError(str(error)) from error
    print(Path(written))


def _layers() -> dict[str, Any]:
    """Every recurrent layer that ``nn`` has, by the name that users type."""
    from . import nn
    from .nn.stacks import RecurrentLayer

    found = [v for v in vars(nn).values() if isinstance(v, type) and issubclass(v, RecurrentLayer)]
    return {kind.__name__.lower(): kind for kind in found if kind is not RecurrentLayer}


def _is_module(subject: Any) -> bool:
    from .nn import Module

    return isinstance(subject, Module)


def _from_script(source: str) -> tuple[Any, str]:
    """Run a script and take the value of a name in it; a function is called."""
    script, colon, name = source.rpartition(":")
    if not colon or not name.isidentifier():
        raise UserError(f"{source!r}: expected SCRIPT.py:NAME, for example model.py:loss")
    path = Path(script)
    if not path.is_file():
        raise UserError(f"there is no script {script!r}")
    before = sys.path[:]
    sys.path.insert(0, str(path.resolve().parent))
    try:
        values = runpy.run_path(str(path))
        if name not in values:
            known = ", ".join(k for k in values if not k.startswith("_")) or "nothing"
            raise UserError(f"{script} has no {name!r}; it has: {known}")
        value = values[name]
        if callable(value) and not _is_module(value):
            value = value()
    except (UserError, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise UserError(f"{script} failed{_where(error, path)}: {_plain(error)}") from error
    finally:
        sys.path[:] = before
    return value, name


def _where(error: BaseException, path: Path) -> str:
    """The last line of the user's script on the way to an error."""
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).name == path.name
    ]
    if isinstance(error, SyntaxError):
        lines.append(error.lineno)
    return f" in line {lines[-1]}" if lines else ""


# ---- info -------------------------------------------------------------------------------------------


def _info_arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("--json", action="store_true", help="as JSON, for programs and bug reports")


def _info(options: argparse.Namespace) -> None:
    from .environment import info

    facts = info()
    if options.json:
        print(json.dumps(facts, indent=2))
        return
    wide = max(map(len, facts))
    for name, value in facts.items():
        print(f"{name:<{wide}}  {value if value is not None else 'not installed'}")


# ---- what the commands share ------------------------------------------------------------------------


def _survive_odd_terminals() -> None:
    """Have a user's path print as escapes where the terminal's code page lacks its letters."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _failed(text: str) -> int:
    print(f"{PROGRAM}: error: {text}", file=sys.stderr)
    return 1


def _plain(error: BaseException) -> str:
    """An error as one line: an OSError's own words, else its kind and its words."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'file'}: {error.strerror}"
    if isinstance(error, OSError):
        return str(error)
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


COMMANDS = (
    Command(
        "demo",
        "three acts in under a minute, and a page that holds them",
        "Three acts in under a minute:\n"
        "  1. the question: what weights does an LSTM use at t = 4? Answered by running one\n"
        "  2. a real forecast: 300 years of sunspots, beside honest baselines\n"
        "  3. the gradient taken apart: what each step adds, and that the parts sum to it\n"
        "It ends with the path of one index.html that holds all of it.",
        _demo_arguments,
        _demo,
    ),
    Command(
        "train",
        "run one of the classic experiments, with its pictures",
        cli_tasks.TRAIN,
        cli_tasks.train_arguments,
        cli_tasks.train,
    ),
    Command(
        "draw",
        "draw a layer, or what a script recorded",
        "Draw the unrolled graph: every Parameter once, with a tap for each use.\n\n"
        "  tinygrad-rnn draw --layer lstm --steps 4 -o lstm.svg\n"
        "  tinygrad-rnn draw model.py:loss -o loss.svg",
        _draw_arguments,
        _draw,
    ),
    Command(
        "bench",
        "the classic experiments over their seeds, with verdicts",
        cli_tasks.BENCH,
        cli_tasks.bench_arguments,
        cli_tasks.bench,
    ),
    Command(
        "info",
        "versions, and what draws the pictures",
        "Show the versions of what is installed, and which Graphviz draws the pictures.",
        _info_arguments,
        _info,
    ),
)
