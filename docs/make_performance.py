"""Write docs/performance.md from what benchmarks/recurrent.py measured (benchmarks/results/*.json).

python benchmarks/recurrent.py --json benchmarks/results/fast.json --plot docs/pictures/performance.svg
TINYGRAD_RNN_BACKEND=numpy python benchmarks/recurrent.py --json benchmarks/results/numpy.json
python benchmarks/iteration.py --json benchmarks/results/iteration.json
python docs/make_performance.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RESULTS = HERE.parent / "benchmarks" / "results"
TITLES = {
    "lstm": "Training step, `nn.LSTM` against `torch.nn.LSTM`",
    "gru": "Training step, `nn.GRU` against `torch.nn.GRU`",
    "rnn": "Training step, `nn.RNN` against `torch.nn.RNN`",
    "loop": "Training step, `nn.LSTM` against a loop over `torch.nn.LSTMCell`",
    "bare": "Training step, a loop of your own over `nn.LSTMCell` against one over `torch.nn.LSTMCell`",
    "jax": "Training step, `nn.LSTM` against a jitted `jax.lax.scan` of the same cell",
    "own": "Training step, your own cell (peepholes, coupled gates, layer norm) against a jitted scan",
    "forward": "Forward alone (`no_grad`), `nn.LSTM` against `torch.nn.LSTM`",
}
INTRODUCTION = """# Performance: the compiled step, measured

What `python benchmarks/recurrent.py` printed on one machine (one core of an AMD EPYC with AVX-512, Linux,
Python 3.11, numpy 2.4, numba 0.68, PyTorch 2.13 on the CPU, JAX 0.10): float32, one thread, pinned, both
sides taking turns (20 ms, or one call where that is longer) in one run, the median of the ratios of the
pairs. Where a call is short, that is the speed inside a training loop: taking turns call by call, each side
finds the processor's caches full of the other's, and at B = 1 our ratio falls by about a third. A ratio
above 1 means that we are faster. T, B, I, H are steps, batch, input and hidden size; a training step is
forward and backward of the sum of squares of the output. What misses its goal says so.

```{image} pictures/performance.svg
:alt: How many times as fast as PyTorch and JAX the compiled layers are, a bar a size
```
"""


def verdict(row: dict[str, Any], value: float, below: bool = False) -> str:
    """Pass or miss, with the goal."""
    goal = row.get("goal") or 0
    if not goal:
        return ""
    ok = value <= goal if below else value >= goal
    return f"{'pass' if ok else '**miss**'} ({'at most' if below else 'at least'} {goal:g})"


def table(rows: list[dict[str, Any]]) -> list[str]:
    """A section's rows."""
    lines = [
        "| T, B, I, H | ours, us a step | peer's | ratio | |",
        "| --- | ---: | ---: | ---: | --- |",
    ]
    for row in rows:
        if isinstance(row["point"], list):
            point = ", ".join(map(str, row["point"]))
            lines.append(
                f"| {point} | {row['us']:.1f} | {row['peer us']:.1f} | {row['ratio']:.2f} "
                f"| {verdict(row, row['ratio'])} |"
            )
        elif "ratio" in row:
            lines.append(
                f"| {row['point']} | | | {row['ratio']:.2f} | {verdict(row, row['ratio'])} |"
            )
    return lines


ITERATION = """## One whole iteration of training

`python benchmarks/iteration.py`: an LSTM with 4 inputs, a linear head, squared error and Adam: forward, loss,
backward and update, against PyTorch eager (Adam fused or not) and one jitted JAX program of all of it
(`unroll` 1 or 4): of a peer the way that is harder to beat. With "clip" our side alone clips.
Microseconds an iteration, taking turns call by call; the machine was doing other work as well, so that ratios
count and microseconds do not. The goal beside JAX is 1.0.

| T, B, H | ours | us | peer | its us | call by call | in turns of 20 ms | |
| --- | --- | ---: | --- | ---: | ---: | ---: | --- |"""


def iterations() -> list[str]:
    """The rows of whole iterations, each against the faster way of a peer."""
    rows = json.loads((RESULTS / "iteration.json").read_text(encoding="utf-8"))
    best: dict[Any, Any] = {}
    for row in rows:
        peer = row["peer"].partition(",")[0].split()[0]
        key = (row["T"], row["B"], row["H"], row["ours"], peer)
        if key not in best or row["call by call"] < best[key]["call by call"]:
            best[key] = row
    lines = [ITERATION]
    for (*size, ours, peer), row in best.items():
        ratio = row["call by call"]
        said = verdict({"goal": 1.0}, ratio) if peer == "JAX" else ""
        lines.append(
            f"| {', '.join(map(str, size))} | {ours} | {row['us']:.0f} | {row['peer']} "
            f"| {row['peer_us']:.0f} | {ratio:.2f} | {row['in turns']:.2f} | {said} |"
        )
    return [*lines, ""]


def page() -> str:
    """The page's text."""
    lines = [INTRODUCTION]
    for name, words in (
        ("fast", "With `[fast]`: numba's machine code"),
        ("numpy", "On numpy alone"),
        ("threads", "With `[fast]` and two threads, for information"),
    ):
        rows = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))["rows"]
        if name == "threads":  # nothing was asked of these
            rows = [{**row, "goal": 0} for row in rows]
        lines.append(f"## {words}\n")
        for section, title in TITLES.items():
            mine = [row for row in rows if row["section"] == section and "ratio" in row]
            if mine:
                lines += [f"### {title}\n", *table(mine), ""]
        single = [row for row in rows if "value" in row]
        if single:
            lines += ["### Other figures\n", "| what | value | |", "| --- | ---: | --- |"]
            for row in single:
                below = not str(row["point"]).startswith("layer.step")
                lines.append(
                    f"| {row['point']} | {row['value']:.3g} | {verdict(row, row['value'], below)} |"
                )
            lines.append("")
    lines += iterations()
    return "\n".join(lines)


if __name__ == "__main__":
    (HERE / "performance.md").write_text(page(), encoding="utf-8")
