"""Write docs/performance.md from what benchmarks/recurrent.py measured (benchmarks/results/*.json).

python benchmarks/recurrent.py --json benchmarks/results/fast.json --plot docs/pictures/performance.svg
TINYGRAD_RNN_BACKEND=numpy python benchmarks/recurrent.py --json benchmarks/results/numpy.json
python benchmarks/iteration.py --json benchmarks/results/iteration.json
python benchmarks/models.py --json benchmarks/results/models.json
python benchmarks/drawn.py --sizes 40 --json benchmarks/results/drawn.json
python benchmarks/engine.py --json benchmarks/results/engine.json
python benchmarks/ops.py --json benchmarks/results/ops.json
python benchmarks/users.py --tests --json benchmarks/results/users.json
python benchmarks/users.py lstm_peephole_norm --at 1,32 16,32 32,128 --json benchmarks/results/own.json
python benchmarks/inference.py --json benchmarks/results/inference.json
python benchmarks/rtneural.py --rtneural FOLDER --xsimd FOLDER --json benchmarks/results/rtneural.json
python benchmarks/options.py --json benchmarks/results/options.json
python benchmarks/process.py --json benchmarks/results/process.json
python benchmarks/drawn.py --against pytensor --only lstm,gru --at 100,1,1,32 100,16,8,32 100,32,32,128 \
    --json benchmarks/results/pytensor.json
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

float32, one thread, pinned to one core; on the other core of the machine other programs ran. The machines:

{machines}

First what `python benchmarks/recurrent.py` printed, both sides taking turns (20 ms, or one call
where that is longer) in one run, the median of the ratios of the pairs. Where a call is short, that is the
speed inside a training loop: taking turns call by call, each side finds the processor's caches full of the
other's, and at B = 1 our ratio falls by about a third. A ratio above 1 means that we are faster. T, B, I, H
are steps, batch, input and hidden size; a training step is forward and backward of the sum of squares of the
output. What misses its goal says so.

```{{image}} pictures/performance.svg
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
well, so that ratios count more than microseconds. Ours had run 300 iterations before: a small iteration is
machine code as a whole after 256 with `TINYGRAD_RNN_BACKEND=numba`, as here, and after 32,768 otherwise. The
largest size is not small. The goal beside JAX is 1.0.

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

`python benchmarks/drawn.py --seed {seed} --sizes {count}`: T of 1 to 2000, B of 1 to 500, I of 1 to 650, H of
3 to 1024, drawn with uniform logarithms; a training step, in microseconds of processor time. The goal is
1.0.{jax}

| layer | peer | mean, call by call | in turns of 20 ms | least | in turns | slower at (T, B, I, H) |
| --- | --- | ---: | ---: | ---: | ---: | --- |"""
JAX = """ JAX, at {jax} of these sizes, is one jitted program, of `unroll` 1, 2 and 4 the one that is
harder to beat; its goal is for T of 5 or more, whose least ratio stands in brackets."""
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

USERS = """## Users' own cells

`python benchmarks/users.py`: {count} cells of the field and of users' notebooks, a few lines each, that run
on our Tensors and, the same lines, on `jax.numpy`; both sides agree in float64 before anything is measured.
A training step, T=100, I=16, against the best of one jitted `jax.lax.scan` with `unroll` 1, 2 and 4. Goals:
all on machine code, a geometric mean of 1.5, none under 0.8.

| B, H | cells | on machine code | mean, call by call | in turns of 20 ms | least | slower than JAX |
| --- | ---: | ---: | ---: | ---: | ---: | ---: |"""
CELL_ROWS = """
| cell | B, H | run by | us | JAX: `unroll` | its us | call by call | in turns of 20 ms | |
| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | --- |"""
ONE_CELL = f"""
Peepholes, coupled gates and layer norm as one writes them (`** 0.5`, `1 - f`, `.mean(-1, keepdim=True)`):
{CELL_ROWS}"""
EACH_CELL = f"""
Every cell, from the slowest beside JAX to the fastest:
{CELL_ROWS}"""
INFERENCE = """## Forward alone, beside runtimes for inference

`python benchmarks/inference.py`: the layer without a gradient, against `torch.nn` in inference mode and the
file of `tg.interop.to_onnx` in ONNX Runtime and OpenVINO (f32). The goals are 1.0 at each size,
and a mean of 1.3.

| layer | peer | mean, call by call | in turns of 20 ms | least | slower at (T, B, I, H) |
| --- | --- | ---: | ---: | ---: | --- |"""
RTNEURAL = """## Sequences and streams at B=1, beside C++

`python benchmarks/rtneural.py`: RTNeural, compiled for each H as a constant by `g++ -O3 -march=native` with
xsimd, one input, nanoseconds of a step; a block is a call of ours with its state handed on. The goal is to
take no more than 1.2 times as long, a ratio of 0.83.

| layer | H | program | ours, ns | RTNeural's | call by call | in turns of 20 ms | |
| --- | ---: | --- | ---: | ---: | ---: | ---: | --- |"""

OPTIONS = """## Options of a compiled layer

`python benchmarks/options.py`: forward and backward of a layer, without a loss, beside the plain one's at the
same size. Of `lengths` the value is the time over the plain layer's times the share of valid steps, 1 where
time is in proportion to them; of the others the time over the plain `nn.LSTM`'s. `lengths` are drawn
evenly from 1 to T.

| option | T, B, I, H | us | plain, us | valid | call by call | in turns of 20 ms | |
| --- | --- | ---: | ---: | ---: | ---: | ---: | --- |"""
PROCESS = """## Processes: small scripts, first calls, memory

`python benchmarks/process.py`: a script that trains an LSTM on a sine for 10 iterations, from process start
to exit, wall time on one core; the first training step of a large cell of one's own; what numpy holds at the
most (T=200, B=32, I=16, H=64).

| what | value | |
| --- | ---: | --- |"""
PYTENSOR = """## Beside PyTensor's scan

`python benchmarks/drawn.py --against pytensor`: a training step against PyTensor's `scan` and its gradients,
one function compiled by numba. Microseconds.

| layer | T, B, I, H | us | peer | its us | call by call | in turns of 20 ms | |
| --- | --- | ---: | --- | ---: | ---: | ---: | --- |"""


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


def of_size(r: dict[str, Any], goal: float) -> str:
    """A layer at a size beside a peer, as a row."""
    return (
        f"| {r['layer'].upper()} | {', '.join(map(str, r['size']))} | {r['us']:.0f} | {r['peer']} "
        f"| {r['peer_us']:.0f} | {r['call by call']:.2f} | {r['in turns']:.2f} "
        f"| {verdict({'goal': goal}, r['call by call'])} |"
    )


def sizes() -> list[str]:
    """Sizes that were drawn: a row for each kind of layer and peer, then each size."""
    found = measured("drawn")
    rows = hardest(found["rows"], "layer", "size")
    count, jax = (len({str(r["size"]) for r in rows if p in r["peer"]}) for p in ("", "JAX"))
    lines = [DRAWN.format(seed=found["seed"], count=count, jax=JAX.format(jax=jax) if jax else "")]
    each = [SIZES]
    groups = dict.fromkeys((r["layer"], r["peer"].partition(",")[0]) for r in rows)
    for layer, peer in groups:
        mine = [r for r in rows if r["layer"] == layer and r["peer"].startswith(peer)]
        both = [[r[how] for r in mine] for how in ("call by call", "in turns")]
        slow = [r for r in mine if min(r["call by call"], r["in turns"]) < 1]
        lost = "; ".join(f"{', '.join(map(str, r['size']))}: {r['call by call']:.2f}" for r in slow)
        least = [f"{min(ratios):.2f}" for ratios in both]
        if peer == "JAX":
            long = [min(v for v, r in zip(b, mine, strict=True) if r["size"][0] >= 5) for b in both]
            least = [f"{all_of} ({some:.2f})" for all_of, some in zip(least, long, strict=True)]
        lines.append(
            f"| {layer.upper()} | {peer} | {mean(both[0]):.2f} | {mean(both[1]):.2f} "
            f"| {' | '.join(least)} | {lost or 'nowhere'} |"
        )
        for r in mine:
            each.append(of_size(r, 1.0 if peer != "JAX" or r["size"][0] >= 5 else 0))
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


def of_cell(r: dict[str, Any], goal: float) -> str:
    """A user's cell at a size, as a row."""
    return (
        f"| {r['cell']} | {r['B']}, {r['H']} | {r['by']} | {r['us']:.0f} "
        f"| {r['peer'].partition('=')[2]} | {r['peer_us']:.0f} | {r['call by call']:.2f} "
        f"| {r['in turns']:.2f} | {verdict({'goal': goal}, r['call by call'])} |"
    )


def users() -> list[str]:
    """Users' cells: what became of all, what falls off machine code and why, each that loses."""
    rows = measured("users")
    lines, each = [USERS.format(count=len({r["cell"] for r in rows}))], [EACH_CELL]
    for at in dict.fromkeys((r["B"], r["H"]) for r in rows):
        mine = [r for r in rows if (r["B"], r["H"]) == at]
        both = [[r[how] for r in mine] for how in ("call by call", "in turns")]
        fast = sum(r["by"] == "numba" for r in mine)
        lines.append(
            f"| {at[0]}, {at[1]} | {len(mine)} | {fast} | {mean(both[0]):.2f} ({goal(1.5, mean(both[0]))}) "
            f"| {mean(both[1]):.2f} | {min(both[0]):.2f} ({goal(0.8, min(both[0]))}) "
            f"| {sum(v < 1 for v in both[0])} |"
        )
    each += [of_cell(r, 0.8) for r in sorted(rows, key=lambda r: r["call by call"])]
    one = [ONE_CELL, *(of_cell(r, 1.5) for r in measured("own"))]
    why = {r["cell"]: r["why"] for r in rows if "why" in r}
    off = [f"- `{cell}` is not on machine code: {said}" for cell, said in why.items()]
    return [*lines, "", *off, *one, *each, ""]


def goal(least: float, value: float) -> str:
    """As ``verdict``, a word alone."""
    return "pass" if value >= least else "**miss**"


def inference() -> list[str]:
    """Forward alone beside runtimes, and the C++ library."""
    rows, lines, each = measured("inference"), [INFERENCE], [SIZES]
    for layer, peer in dict.fromkeys((r["layer"], r["peer"]) for r in rows):
        mine = [r for r in rows if (r["layer"], r["peer"]) == (layer, peer)]
        both = [[r[how] for r in mine] for how in ("call by call", "in turns")]
        lost = [r for r in mine if r["call by call"] < 1]
        said = "; ".join(f"{', '.join(map(str, r['size']))}: {r['call by call']:.2f}" for r in lost)
        lines.append(
            f"| {layer} | {peer} | {mean(both[0]):.2f} ({goal(1.3, mean(both[0]))}) "
            f"| {mean(both[1]):.2f} | {min(both[0]):.2f} ({goal(1, min(both[0]))}) "
            f"| {said or 'nowhere'} |"
        )
        each += [of_size(r, 1.0) for r in mine]
    lines += [*each, "", RTNEURAL]
    for r in measured("rtneural"):
        lines.append(
            f"| {r['layer']} | {r['H']} | {r['what']} | {r['ns']:.0f} | {r['peer_ns']:.0f} "
            f"| {r['call by call']:.2f} | {r['in turns']:.2f} "
            f"| {verdict({'goal': 0.83}, r['call by call'])} |"
        )
    return [*lines, ""]


def options() -> list[str]:
    """What options of a layer cost."""
    return [
        OPTIONS,
        *(
            f"| {r['what']} | {', '.join(map(str, r['size']))} | {r['us']:.0f} | {r['plain_us']:.0f} "
            f"| {r['share']:.0%} | {r['call by call']:.2f} | {r['in turns']:.2f} "
            f"| {verdict(r, r['call by call'], below=True)} |"
            for r in measured("options")
        ),
        "",
    ]


def processes() -> list[str]:
    """What a process costs, and PyTensor's scan."""
    lines = [PROCESS]
    for r in measured("process"):
        value = f"{r['value']:.3g} {r['unit']}".rstrip()
        lines.append(f"| {r['what']} | {value} | {verdict(r, r['value'], below=True)} |")
    rows = measured("pytensor")["rows"]
    return [*lines, "", PYTENSOR, *(of_size(r, 1.0) for r in rows), ""]


def machines() -> str:
    """Which results were measured on which machine."""
    found = measured("machines")
    groups: dict[str, list[str]] = {}
    for name in sorted(found):
        groups.setdefault(found[name], []).append(f"`{name}.json`")
    return "\n".join(f"- {machine}: {', '.join(names)}" for machine, names in groups.items())


def page() -> str:
    """The page's text."""
    lines = [INTRODUCTION.format(machines=machines())]
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
    lines += [
        *iterations(),
        *models(),
        *sizes(),
        *users(),
        *inference(),
        *options(),
        *processes(),
        *engine(),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    (HERE / "performance.md").write_text(page(), encoding="utf-8")
