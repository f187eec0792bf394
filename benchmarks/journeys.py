"""From a CSV file to tested forecasts, here and in darts, Keras and sktime: statements, time and error.

    python benchmarks/journeys.py
    python benchmarks/journeys.py --write      into docs/guides/your_own_series.md
    python benchmarks/journeys.py --darts PYTHON --keras PYTHON --sktime PYTHON --ours PYTHON

``benchmarks/journeys/`` holds one script a library: it reads ``load.csv``, trains a network of 16 units on
windows of 28 of the first 640 days, and leaves in ``made`` the forecasts of seven days from every later
origin. Statements are those of the script; seconds are the processor's, for the whole script, of the second
of two runs. Each runs in an interpreter of its own: the ones named, or fresh virtual environments,
for which a package index is needed.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "guides" / "your_own_series.md"
BEGIN, END = "<!-- journeys: python benchmarks/journeys.py --write -->", "<!-- end of journeys -->"
DAYS, TRAINED, HORIZON, SEASON = 800, 640, 7, 7
ORIGINS = range(TRAINED, DAYS - HORIZON + 1)
ONE_THREAD = {
    f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMBA", "VECLIB")
} | {"KERAS_BACKEND": "torch"}
RUN = (
    "import json, runpy, sys; import importlib.metadata as m; import numpy as np; "
    "made = runpy.run_path(sys.argv[1])['made']; "
    "np.save(sys.argv[2], np.reshape([np.asarray(part, 'd') for part in made], (-1, 7))); "
    "print(json.dumps({n: m.version(n) for n in sys.argv[3:]}))"
)
NEEDS = {  # what is installed, and whose versions are told
    "ours": ([f"{HERE.parent}[fast]"], []),
    "darts": (["u8darts[torch]", "pandas<3"], ["u8darts", "torch"]),
    "keras": (["keras", "torch", "pandas"], ["keras", "torch"]),
    "sktime": (["sktime", "scikit-learn"], ["sktime", "scikit-learn"]),
}
WORDS = {
    "ours": "tinygrad_rnn with `[fast]`: `tg.Forecaster`",
    "darts": "darts {u8darts} (PyTorch {torch}): `RNNModel`, 50 epochs, its fillers and scalers",
    "keras": "Keras {keras} (PyTorch {torch}): windows, scaling, the closed loop by hand, up to 50 epochs",
    "sktime": "sktime {sktime} (scikit-learn {scikit_learn}): `make_reduction`, a perceptron of 16 units",
}


def series() -> tuple[Any, Any]:
    """(days, load): a trend, a year's and a week's pattern, noise."""
    draw, t = np.random.default_rng(0), np.arange(DAYS)
    week = np.array([9, 9, 8, 9, 6, -18, -23])[t % SEASON]
    load = 300 + 0.05 * t + 20 * np.sin(2 * np.pi * t / 365.25) + week + draw.normal(0, 6, DAYS)
    return np.datetime64("2022-03-01") + t, np.round(load, 1)


def error(made: Any, load: Any) -> float:
    """The mean over origins of the root mean square over the days of one forecast."""
    came = np.stack([load[o : o + HORIZON] for o in ORIGINS])
    if np.shape(made) != came.shape:
        raise ValueError(f"forecasts of shape {np.shape(made)}, and {came.shape} days came")
    return float(np.sqrt(np.square(made - came).mean(1)).mean())


def statements(text: str) -> int:
    """The statements of a script, those inside of others too, its first sentence not."""
    tree = ast.parse(text)
    words = [n for n in tree.body if isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant)]
    return sum(isinstance(node, ast.stmt) for node in ast.walk(tree)) - len(words)


def interpreter(name: str, given: str | None, folder: Path) -> str:
    """The interpreter that was named, or a fresh one with what the script needs."""
    if given:
        return given
    venv.create(folder / name, with_pip=True)
    place = "Scripts/python" if sys.platform == "win32" else "bin/python"
    python = str(folder / name / place)
    subprocess.run([python, "-m", "pip", "install", "-q", *NEEDS[name][0]], check=True)
    return python


def run(python: str, script: Path, folder: Path, packages: list[str]) -> tuple[Any, float, Any]:
    """(forecasts, the processor's seconds, versions) of a script; ours is that of this checkout."""
    paths = os.pathsep.join([str(HERE.parent), os.environ.get("PYTHONPATH", "")])
    before = os.times()
    done = subprocess.run(
        [python, "-c", RUN, script, folder / "made.npy", *packages],
        cwd=folder,
        env=os.environ | ONE_THREAD | ({} if packages else {"PYTHONPATH": paths}),
        capture_output=True,
        text=True,
        check=False,
    )
    after = os.times()
    if done.returncode:
        raise RuntimeError(f"{script.name}: {done.stderr[-1500:]}")
    took = after.children_user + after.children_system
    took -= before.children_user + before.children_system
    return np.load(folder / "made.npy"), took, json.loads(done.stdout.splitlines()[-1])


def rows(given: dict[str, str | None], folder: Path) -> list[str]:
    """The table's lines."""
    days, load = series()
    lines = [f"{day},{value:.1f}" for day, value in zip(days, load, strict=True)]
    del lines[300:304]
    (folder / "load.csv").write_text("\n".join(["date,load", *lines]) + "\n")
    found = []
    for name, (_, packages) in NEEDS.items():
        script = HERE / "journeys" / f"with_{name}.py"
        text = script.read_text(encoding="utf-8")
        python = interpreter(name, given[name], folder)
        run(python, script, folder, packages)
        made, took, versions = run(python, script, folder, packages)
        words = WORDS[name].format(**{n.replace("-", "_"): v for n, v in versions.items()})
        off = f"{error(made, load):.2f}"
        if name == "ours":
            other = folder / "seed.py"
            others = []
            for seed in (1, 2):
                other.write_text(text.replace("window=28", f"window=28, seed={seed}"))
                others.append(error(run(python, other, folder, packages)[0], load))
            off += f" (two other seeds: {others[0]:.2f}, {others[1]:.2f})"
        found.append(f"| {words} | {statements(text)} | {took:.1f} | {off} |")
        print(found[-1], flush=True)
    naive = np.stack([load[o - SEASON : o] for o in ORIGINS])
    return [*found, f"| seasonal naive: the week before | | | {error(naive, load):.2f} |"]


def main() -> None:
    """Run all, print the table, and write it where it is asked for."""
    parser = argparse.ArgumentParser(description="From a CSV file to tested forecasts, four times.")
    for name in NEEDS:
        parser.add_argument(f"--{name}", metavar="PYTHON", help=f"an interpreter with {name}")
    parser.add_argument("--write", action="store_true", help="into the guide")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        found = rows({name: getattr(args, name) for name in NEEDS}, Path(temporary))
    lines = ["| | statements | seconds | error |", "| --- | --- | --- | --- |", *found]
    print("\n".join(lines))
    if args.write:
        text = PAGE.read_text(encoding="utf-8")
        head, rest = text.split(BEGIN, 1)
        tail = rest.split(END, 1)[1]
        block = "\n".join([BEGIN, "", *lines, "", END])
        PAGE.write_text(head + block + tail, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
