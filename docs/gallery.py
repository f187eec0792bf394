"""A page an example: what it asks, what it printed and drew when this site was built, and its code."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import sysconfig
import tempfile
from importlib.util import find_spec
from pathlib import Path

from building import write_if_new

ROOT = Path(__file__).parent.parent
MPIEXEC = Path(sysconfig.get_path("scripts")) / "mpiexec"
RUN_HERE = (
    "shared_vs_separate",
    "sunspots",
    "data_parallel",
    "own_series",
)  # in seconds; the others train for minutes
TRAIN = """## Run it

```
python -m tinygrad_rnn train {name}
```

or `python examples/{name}.py`; `--help` lists what it understands. It prints what it reached beside the
figure to reach and the trivial answer, and leaves a page with its pictures."""
MPI = """## Run it

It needs the extra `mpi`, which was not installed when this site was built."""
INDEX = """# Examples

Each is one readable file of at most 120 lines. Those that take seconds were run when this site was built, and
show what they printed and drew; the classic experiments train for longer.
"""


def write_gallery(folder: Path) -> None:
    """Write a page an example, and the list of them."""
    folder.mkdir(exist_ok=True)
    scripts = sorted(
        (ROOT / "examples").glob("*.py"), key=lambda s: (s.stem not in RUN_HERE, s.stem)
    )
    lines = [INDEX]
    for script in scripts:
        title, _ = words(script)
        write_if_new(folder / f"{script.stem}.md", page(script, folder))
        lines.append(f"- [{title}]({script.stem}.md) (`{script.name}`)")
    toc = ["", "```{toctree}", ":hidden:", "", *(script.stem for script in scripts), "```", ""]
    write_if_new(folder / "index.md", "\n".join(lines + toc))


def words(script: Path) -> tuple[str, list[str]]:
    """An example's title, and the paragraphs of its docstring."""
    text = ast.get_docstring(ast.parse(script.read_text(encoding="utf-8"))) or script.stem
    first, *rest = text.split("\n\n")
    return " ".join(first.split()).rstrip("."), rest


def page(script: Path, folder: Path) -> str:
    """One example, run if it is among those that are."""
    title, paragraphs = words(script)
    told = "\n\n".join(
        f"```\n{part}\n```" if part.startswith("    ") else part.replace("*", "\\*")
        for part in paragraphs
    )
    code = f"```{{literalinclude}} ../../examples/{script.name}\n:language: python\n```"
    runs = script.stem in RUN_HERE
    if script.stem == "data_parallel" and not find_spec("mpi4py"):
        runs, how = False, MPI
    elif not runs:
        how = TRAIN.format(name=script.stem)
    if not runs:
        return f"# {title}\n\n{told}\n\n{how}\n\n## Its code\n\n{code}\n"
    shown, out, pictures = run(script, folder)
    drawn = "\n\n".join(f"![{name}, drawn by the example](pictures/{name})" for name in pictures)
    said = f"```text\n$ {shown}\n{out.rstrip()}\n```\n\n{drawn}"
    return f"# {title}\n\n{told}\n\n## What it printed\n\n{said}\n\n## Its code\n\n{code}\n"


def run(script: Path, folder: Path) -> tuple[str, str, list[str]]:
    """Run an example in an empty folder: the command, what it printed, the names of its pictures."""
    command, shown = [sys.executable, str(script)], f"python {script.name}"
    if script.stem == "data_parallel" and find_spec("mpi4py") and MPIEXEC.is_file():
        command, shown = [str(MPIEXEC), "-n", "2", *command], f"mpiexec -n 2 {shown}"
    with tempfile.TemporaryDirectory() as empty:
        done = subprocess.run(
            command,
            cwd=empty,
            env={**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{shown} failed:\n{done.stderr}")
        (folder / "pictures").mkdir(exist_ok=True)
        pictures = sorted(Path(empty).rglob("*.svg"))
        for picture in pictures:
            name = f"{script.stem}_{picture.name}"
            write_if_new(folder / "pictures" / name, picture.read_text(encoding="utf-8"))
        out = done.stdout.replace(f"{Path(empty).resolve()}{os.sep}", "")
    return shown, out, [f"{script.stem}_{picture.name}" for picture in pictures]
