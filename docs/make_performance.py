"""Write docs/performance.md from what benchmarks/recurrent.py measured (benchmarks/results/*.json).

python benchmarks/recurrent.py --json benchmarks/results/fast.json --plot docs/pictures/performance.svg
TINYGRAD_RNN_BACKEND=numpy python benchmarks/recurrent.py --json benchmarks/results/numpy.json
python benchmarks/iteration.py --json benchmarks/results/iteration.json
python benchmarks/models.py --json benchmarks/results/models.json
python benchmarks/drawn.py --json benchmarks/results/drawn.json
python benchmarks/engine.py --json benchmarks/results/engine.json
python benchmarks/ops.py --json benchmarks/results/ops.json
python docs/make_performance.py
"""

from __future__ import annotations

import json
import math
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
Microseconds of processor time an iteration, taking turns call by call; the machine was doing other work as
well, so that ratios count more than microseconds. The goal beside JAX is 1.0.

| T, B, H | ours | us | peer | its us | call by call | in turns of 20 ms | |
| --- | --- | ---: | --- | ---: | ---: | ---: | --- |"""


MODELS = """## Whole models in training

`python benchmarks/models.py`: forward, loss, backward and Adam, the same module in both libraries.
Characters and words: embedding, LSTM, linear, cross entropy over T=50, B=32, H=128 with 60 or 10,000 of
them; classification: LSTM over T=50 of 8 features, B=64, H=32; forecast: LSTM and linear at every of 100
steps, B=16, H=32. Of PyTorch's Adam (its own choice, fused) the one that is harder to beat. Microseconds
of processor time.

| model | ours | us | peer | its us | call by call | in turns of 20 ms | |
| --- | --- | ---: | --- | ---: | ---: | ---: | --- |"""
DRAWN = """## Off the grid: sizes drawn at random

`python benchmarks/drawn.py --seed {seed}`: T of 1 to 2000, B of 1 to 500, I of 1 to 650, H of 3 to 1024,
drawn with uniform logarithms; a training step, in microseconds of processor time. The goal is 1.0.{jax}

| layer | peer | mean, call by call | in turns of 20 ms | least | in turns | slower at (T, B, I, H) |
| --- | --- | ---: | ---: | ---: | ---: | --- |"""
JAX = """ JAX is
one jitted program, of `unroll` 1, 2 and 4 the one that is harder to beat; its goal is for T of 5 or more."""
SIZES = """
| layer | T, B, I, H | us | peer | its us | call by call | in turns of 20 ms | |
| --- | --- | ---: | --- | ---: | ---: | ---: | --- |"""
ENGINE = """## The engine alone

`python benchmarks/engine.py`: programs that are recorded op by op, in microseconds of processor time an op
(chains) or a step (the LSTM, T=100, B=16, I=8, H=32), call by call. `chain` is 100 tanh on (16, 32), `wide`
on (256, 1024); `lstm` writes z in primitive ops, `linear` by `linear`.

| program | peer | ours, us | peer's | ratio | |
| --- | --- | ---: | ---: | ---: | --- |"""
OPS = """## Single ops

`python benchmarks/ops.py`: an op on leaves, forward and backward, float32, beside PyTorch eager; means are
geometric. The goal is 1.0.

| size | ops | mean, call by call | in turns of 20 ms | slower than PyTorch in turns of 20 ms |
| --- | ---: | ---: | ---: | --- |"""


def measured(name: str) -> Any:
    """What a benchmark wrote."""
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def mean(ratios: list[float]) -> float:
    """The geometric mean."""
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


def hardest(rows: list[dict[str, Any]], *names: str) -> list[dict[str, Any]]:
    """Of rows that are alike in these names and in the library beside us, the one with the least ratio."""
    best: dict[Any, dict[str, Any]] = {}
    for row in rows:
        library = row["peer"].partition(",")[0].split()[0]
        key = (*(str(row[name]) for name in names), library)
        if key not in best or row["call by call"] < best[key]["call by call"]:
            best[key] = row
    return list(best.values())


def iterations() -> list[str]:
    """The rows of whole iterations, each against the faster way of a peer."""
    lines = [ITERATION]
    for r in hardest(measured("iteration"), "T", "B", "H", "ours"):
        said = verdict({"goal": 1.0}, r["call by call"]) if r["peer"].startswith("JAX") else ""
        lines.append(
            f"| {r['T']}, {r['B']}, {r['H']} | {r['ours']} | {r['us']:.0f} | {r['peer']} "
            f"| {r['peer_us']:.0f} | {r['call by call']:.2f} | {r['in turns']:.2f} | {said} |"
        )
    return [*lines, ""]


def models() -> list[str]:
    """The rows of whole models."""
    return [
        MODELS,
        *(
            f"| {r['model']} | {r['ours']} | {r['us']:.0f} | {r['peer']} | {r['peer_us']:.0f} "
            f"| {r['call by call']:.2f} | {r['in turns']:.2f} | {verdict(r, r['call by call'])} |"
            for r in hardest(measured("models"), "model", "ours")
        ),
        "",
    ]


def sizes() -> list[str]:
    """Sizes that were drawn: a row for each kind of layer and peer, then each size."""
    found = measured("drawn")
    rows = hardest(found["rows"], "layer", "size")
    lines, each = (
        [DRAWN.format(seed=found["seed"], jax=JAX * any("JAX" in r["peer"] for r in rows))],
        [SIZES],
    )
    groups = dict.fromkeys((r["layer"], r["peer"].partition(",")[0]) for r in rows)
    for layer, peer in groups:
        mine = [r for r in rows if r["layer"] == layer and r["peer"].startswith(peer)]
        both = [[r[how] for r in mine] for how in ("call by call", "in turns")]
        slow = [r for r in mine if min(r["call by call"], r["in turns"]) < 1]
        lost = "; ".join(f"{', '.join(map(str, r['size']))}: {r['call by call']:.2f}" for r in slow)
        lines.append(
            f"| {layer.upper()} | {peer} | {mean(both[0]):.2f} | {mean(both[1]):.2f} "
            f"| {min(both[0]):.2f} | {min(both[1]):.2f} | {lost or 'nowhere'} |"
        )
        for r in mine:
            goal = {"goal": 1.0 if peer != "JAX" or r["size"][0] >= 5 else 0}
            each.append(
                f"| {layer.upper()} | {', '.join(map(str, r['size']))} | {r['us']:.0f} | {r['peer']} "
                f"| {r['peer_us']:.0f} | {r['call by call']:.2f} | {r['in turns']:.2f} "
                f"| {verdict(goal, r['call by call'])} |"
            )
    return [*lines, *each, ""]


def engine() -> list[str]:
    """Programs that are recorded op by op, and single ops."""
    lines = [ENGINE]
    for r in measured("engine")["rows"]:
        lines.append(
            f"| {r['program']} | {r['peer']} | {r['ours_us']:.2f} | {r['peer_us']:.2f} "
            f"| {r['ratio']:.2f} | {verdict(r, r['ratio'])} |"
        )
    lines += ["", OPS]
    rows = [r for r in measured("ops") if r["what"] == "both"]
    for size in dict.fromkeys(str(r["size"]) for r in rows):
        mine = [r for r in rows if str(r["size"]) == size]
        lost = [f"{r['op']} {r['in turns']:.2f}" for r in mine if r["in turns"] < 1]
        means = [mean([r[how] for r in mine]) for how in ("call by call", "in turns")]
        lines.append(
            f"| {size.strip('[]')} | {len(mine)} | {means[0]:.2f} | {means[1]:.2f} "
            f"| {', '.join(lost) or 'none'} |"
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
        rows = measured(name)["rows"]
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
    lines += [*iterations(), *models(), *sizes(), *engine()]
    return "\n".join(lines)


if __name__ == "__main__":
    (HERE / "performance.md").write_text(page(), encoding="utf-8")
