"""What does ``tinygrad-rnn exercise`` do? Functions to fill in, and a marker that names what is wrong."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from ..experiments.arguments import UserError
from .command import Command, run_script


def _arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument(
        "what",
        nargs="?",
        metavar="NAME|check",
        help="write the file of this exercise, or check a file; without it: the list",
    )
    p.add_argument("file", nargs="?", type=Path, metavar="FILE", help="with check: what you wrote")
    p.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="where the exercise goes: .py, or .ipynb for a notebook (default: NAME.py)",
    )
    p.add_argument("--overwrite", action="store_true", help="replace a file that is there already")


def _run(options: argparse.Namespace) -> None:
    if options.what is None:
        _list()
    elif options.what == "check":
        if options.file is None:
            raise UserError("check what? For example: tinygrad-rnn exercise check lstm.py")
        _check(options.file)
    elif options.file is not None:
        raise UserError(f"to mark it: tinygrad-rnn exercise check {options.file}")
    else:
        _write(options.what, options.output or Path(f"{options.what}.py"), options.overwrite)


def _list() -> None:
    from ..exercises.tasks import EXERCISES

    for exercise in EXERCISES:
        print(f"{exercise.name:<14} {exercise.words}")
        print(f"{'':<14} {', '.join(task.name for task in exercise.tasks)}")
    print("\nStart one:  tinygrad-rnn exercise rnn\nMark it:    tinygrad-rnn exercise check rnn.py")


def _write(name: str, path: Path, overwrite: bool) -> None:
    from ..exercises import notebook, stub

    try:
        text = notebook(name) if path.suffix == ".ipynb" else stub(name, str(path))
    except ValueError as error:
        raise UserError(str(error)) from error
    try:
        with path.open("w" if overwrite else "x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:
        raise UserError(
            f"{path} is there already; --overwrite replaces it, -o FILE writes another"
        ) from None
    print(f"{path}: fill it in, then: tinygrad-rnn exercise check {path}")


def _check(path: Path) -> None:
    from ..exercises import check
    from ..exercises.tasks import EXERCISES

    known = [task.name for exercise in EXERCISES for task in exercise.tasks]
    values = _values(path)
    functions = [values[name] for name in known if callable(values.get(name))]
    if not functions:
        raise UserError(f"{path} defines none of {', '.join(known)}")
    for function, name in ((values[n], n) for n in known if callable(values.get(n))):
        if getattr(function, "__name__", name) != name:
            raise UserError(f"{name} in {path} is {function.__name__}: write it as def {name}(...)")
    written = [f for f in functions if not f.__module__.startswith("tinygrad_rnn.")]  # given
    if not written:
        raise UserError(f"{path} defines no function of its own")
    report = check(*written)
    print(report)
    right = sum(finding.right for finding in report.findings)
    if not report.right:
        raise UserError(f"{right} of {len(report.findings)} functions right so far")
    print("all right")


def _values(path: Path) -> dict[str, Any]:
    """What a script or a notebook defines; of a notebook the cells that mark are left out."""
    if path.suffix != ".ipynb":
        return run_script(path)
    if not path.is_file():
        raise UserError(f"there is no file {str(path)!r}")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    values: dict[str, Any] = {"__name__": "__notebook__"}
    for k, text in enumerate(texts, 1):
        lines = [line for line in text.splitlines() if not line.lstrip().startswith(("%", "!"))]
        if "exercises.check(" in text:
            continue
        try:
            exec(compile("\n".join(lines), f"{path}, code cell {k}", "exec"), values)
        except Exception as error:
            raise UserError(f"{path}, code cell {k}: {type(error).__name__}: {error}") from error
    return values


COMMAND = Command(
    "exercise",
    "write an RNN's and an LSTM's steps and gradients by hand, marked",
    "Exercises that mark themselves: functions to fill in, in plain numpy. The marker names the first\n"
    "thing that is wrong by its time step, gate and term. Without NAME: the list.\n\n"
    "  tinygrad-rnn exercise lstm                 writes lstm.py\n"
    "  tinygrad-rnn exercise lstm -o lstm.ipynb   the same as a notebook\n"
    "  tinygrad-rnn exercise check lstm.py        marks it; exit code 1 until all is right",
    _arguments,
    _run,
)
