"""Write the figures of docs/classic_tasks.md, and its pictures.

    python -m tinygrad_rnn bench tasks --jobs 2 --json > new.json
    python docs/make_tasks.py figures new.json      the table; benchmarks/results/tasks.json keeps the figures
    python docs/make_tasks.py pictures [NAME ...]   trains each once and keeps its pictures

Look at the pictures when they change.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tinygrad_rnn.experiments import examples
from tinygrad_rnn.experiments.task import figure

HERE = Path(__file__).parent
PAGE = HERE / "classic_tasks.md"
PICTURES = HERE / "pictures" / "tasks"
RESULTS = HERE.parent / "benchmarks" / "results" / "tasks.json"
PART = re.compile(r"(<!-- figures -->\n).*(<!-- end of figures -->\n)", re.DOTALL)


def table(rows: list[dict[str, Any]]) -> str:
    """The rows of a bench as Markdown."""
    lines = [
        "| task | measure | reached, by seed | to reach | trivial answer | verdict |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in sorted(rows, key=lambda row: row["task"]):
        seeds = ", ".join(figure(seed["reached"]) for seed in row["seeds"])
        aim = figure(row["reference"]) if row["verdict"] != "not judged" else "-"
        verdict = f"{row['verdict']} ({row['judged']})" if aim != "-" else row["verdict"]
        cells = [
            f"[{row['task']}](#{row['task'].replace('_', '-')})",
            row["measure"],
            seeds,
            aim,
            figure(row["baseline"]),
            verdict.replace("(every)", "(every seed)"),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def figures(files: list[str]) -> None:
    """Take over the rows of new runs, and write the table."""
    known = (
        {row["task"]: row for row in json.loads(RESULTS.read_text())} if RESULTS.exists() else {}
    )
    for file in files:
        known.update({row["task"]: row for row in json.loads(Path(file).read_text())})
    rows = [known[name] for name in sorted(known)]
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(PART.sub(lambda m: m[1] + "\n" + table(rows) + "\n" + m[2], text), "utf-8")


def pictures(names: list[str]) -> None:
    """Train each once, with seed 0, and keep what it draws."""
    for name in names or examples.names():
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "tinygrad_rnn", "train", name, "--out", folder]
            subprocess.run(command, check=True)
            (PICTURES / name).mkdir(parents=True, exist_ok=True)
            for made in sorted(Path(folder).glob("*.svg")):
                (PICTURES / name / made.name).write_bytes(made.read_bytes())


if __name__ == "__main__":
    {"figures": figures, "pictures": pictures}[sys.argv[1]](sys.argv[2:])
