"""How fast recurrent layers are: side by side with PyTorch, JAX and the bare matrix products.

    python benchmarks/recurrent.py [--against torch,jax] [--only lstm,gru,...] [--repeats 15] [--quick]
                                   [--json FILE] [--plot FILE] [--threads 1]

One thread, pinned to one core where the system allows; both sides take turns of 20 ms or, where it is
longer, one call inside one run (``pairs.py``). A training step is forward and backward of the sum of squares
of the output, float32. Peers that are not installed are left out.
``TINYGRAD_RNN_BACKEND=numpy`` measures the back end that needs no compiler. Sections:

lstm gru rnn   against torch.nn's layers      loop     against a loop of torch.nn.LSTMCell
bare           a loop of our LSTMCell against one of torch.nn.LSTMCell
jax            against a jitted lax.scan      own      a user's own cell against a jitted lax.scan
floor          the matrix products alone      forward  inference, and ``layer.step`` one step at a time
length         time a step, T from 10^2 to 10^5        first    first call, cold and from the cache
script         a whole training script from process start, against the same in PyTorch
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from pairs import THREADS, TURN, Run, mean, paired, pin, write  # first: it sets threads

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import nn

GRID = [
    (100, 1, 1, 8),
    (100, 1, 1, 32),
    (100, 16, 8, 32),
    (100, 32, 32, 128),
    (100, 64, 64, 256),
    (400, 32, 2, 64),
    (1000, 8, 4, 16),
]
RNG = np.random.default_rng(0)


def goals(numpy_only: bool) -> dict[str, tuple[float, float, float]]:
    """Least ratio at every point, at B = 1, and of the geometric mean, as asked for; 0 where nothing is."""
    if numpy_only:
        return {
            "lstm": (0.25, 0, 0.55),
            "gru": (0, 0, 1.5),
            "rnn": (0, 0, 1.5),
            "loop": (0, 4, 0),
        }
    return {
        "lstm": (1.0, 4, 2.2),
        "gru": (1.0, 10, 4),
        "rnn": (1.0, 10, 4),
        "jax": (1.2, 0, 0),
        "loop": (1.2, 10, 0),
        "own": (0, 0, 1.5),
        "forward": (0.8, 0, 1.0),
    }


# ---- the programs ----------------------------------------------------------------------------


def inputs(point: tuple[int, int, int, int]) -> Any:
    steps, batch, features, _ = point
    return RNG.standard_normal((steps, batch, features)).astype(np.float32)


def our_training(layer: Any, x: Any) -> Run:
    data = tg.tensor(x)

    def run() -> None:
        layer.zero_grad()
        y, _ = layer(data)
        (y * y).sum().backward()

    return run


def torch_training(layer: Any, x: Any) -> Run:
    import torch

    data = torch.tensor(x)

    def run() -> None:
        layer.zero_grad()
        y, _ = layer(data)
        (y * y).sum().backward()

    return run


def cell_loop(cell: Any, point: tuple[int, int, int, int], data: Any, library: Any) -> Run:
    """A training step of a loop over an LSTMCell, PyTorch's or ours: the program is the same."""
    _, batch, _, hidden = point

    def run() -> None:
        cell.zero_grad()
        state = library.zeros(batch, hidden), library.zeros(batch, hidden)
        outputs = []
        for x_t in data:
            state = cell(x_t, state)
            outputs.append(state[0])
        y = library.stack(outputs)
        (y * y).sum().backward()

    return run


def our_loop(point: tuple[int, int, int, int], x: Any) -> Run:
    return cell_loop(nn.LSTMCell(*point[2:]), point, tg.tensor(x), tg)


def torch_loop(point: tuple[int, int, int, int], x: Any) -> Run:
    import torch

    return cell_loop(torch.nn.LSTMCell(*point[2:]), point, torch.tensor(x), torch)


def jax_training(
    cell: Any, weights: dict[str, Any], point: Any, x: Any, parts: int = 2, unroll: int = 1
) -> Run:
    """Value and gradients of a jitted scan of a cell on its weights."""
    import jax
    import jax.numpy as jnp

    _, batch, _, hidden = point

    def loss(weights: Any, x: Any) -> Any:
        start = tuple(jnp.zeros((batch, hidden)) for _ in range(parts))
        _, y = jax.lax.scan(lambda s, x_t: cell(weights, s, x_t), start, x, unroll=unroll)
        return (y * y).sum()

    step = jax.jit(jax.value_and_grad(loss))
    data = jnp.asarray(x)
    held = {k: jnp.asarray(v) for k, v in weights.items()}
    return lambda: jax.block_until_ready(step(held, data))


def jax_lstm(w: Any, state: Any, x: Any) -> Any:
    import jax
    import jax.numpy as jnp

    h, c = state
    z = x @ w["weight_ih"].T + h @ w["weight_hh"].T + w["bias_ih"] + w["bias_hh"]
    i, f, g, o = jnp.split(z, 4, -1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    h = jax.nn.sigmoid(o) * jnp.tanh(c)
    return (h, c), h


class OwnCell(nn.Module):
    """A user's own: a peephole LSTM with coupled gates and layer norm, as plain equations."""

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden
        scale = 1 / math.sqrt(hidden)
        for name, shape in own_shapes(features, hidden).items():
            start = np.ones(shape) if name == "gain" else scale * RNG.standard_normal(shape)
            setattr(self, name, nn.Parameter(start.astype(np.float32)))

    def forward(self, x: Any, state: Any) -> Any:
        h, c = state
        z = x @ self.W + h @ self.U
        z = z - z.mean(-1, keepdim=True)
        z = z / (z.square().mean(-1, keepdim=True) + 1e-5).sqrt() * self.gain + self.bias
        f, g, o = z.chunk(3, -1)
        f = (f + self.p_f * c).sigmoid()
        c = f * c + (1 - f) * g.tanh()
        h = (o + self.p_o * c).sigmoid() * c.tanh()
        return h, (h, c)

    def initial_state(self, batch: int) -> Any:
        return tg.zeros(batch, self.hidden), tg.zeros(batch, self.hidden)


def own_shapes(features: int, hidden: int) -> dict[str, tuple[int, ...]]:
    return {
        "W": (features, 3 * hidden),
        "U": (hidden, 3 * hidden),
        "gain": (3 * hidden,),
        "bias": (3 * hidden,),
        "p_f": (hidden,),
        "p_o": (hidden,),
    }


def jax_own(w: Any, state: Any, x: Any) -> Any:
    import jax
    import jax.numpy as jnp

    h, c = state
    z = x @ w["W"] + h @ w["U"]
    z = z - z.mean(-1, keepdims=True)
    z = z / jnp.sqrt((z * z).mean(-1, keepdims=True) + 1e-5) * w["gain"] + w["bias"]
    f, g, o = jnp.split(z, 3, -1)
    f = jax.nn.sigmoid(f + w["p_f"] * c)
    c = f * c + (1 - f) * jnp.tanh(g)
    h = jax.nn.sigmoid(o + w["p_o"] * c) * jnp.tanh(c)
    return (h, c), h


def products_alone(point: tuple[int, int, int, int], x: Any) -> Run:
    """The products that no LSTM training step can do without, on numpy's BLAS, into made arrays."""
    steps, batch, features, hidden = point
    w_x = np.ones((features, 4 * hidden), np.float32)
    w_h = np.ones((hidden, 4 * hidden), np.float32)
    back = np.ascontiguousarray(w_h.T)
    flat = x.reshape(-1, features)
    h, z = np.ones((batch, hidden), np.float32), np.empty((batch, 4 * hidden), np.float32)
    dh = np.empty((batch, hidden), np.float32)
    all_h = np.ones((steps * batch, hidden), np.float32)
    all_z = np.ones((steps * batch, 4 * hidden), np.float32)

    def run() -> None:
        np.dot(flat, w_x, all_z)
        for _ in range(steps):
            np.dot(h, w_h, z)
        for _ in range(steps):
            np.dot(z, back, dh)
        all_z.T.dot(all_h)
        all_z.T.dot(flat)

    return run


# ---- sections ----------------------------------------------------------------------------------


class Report:
    """Rows as they come, and what is asked for."""

    def __init__(self, repeats: int, numpy_only: bool) -> None:
        self.repeats, self.goals = repeats, goals(numpy_only)
        self.rows: list[dict[str, Any]] = []
        self.missed = 0

    def pair(self, section: str, point: tuple[int, int, int, int], ours: Run, theirs: Run) -> None:
        """Measure a pair and print its row."""
        repeats = max(3, self.repeats // 3) if point[1] * point[3] > 4000 else self.repeats
        us, peer_us, ratio = paired(ours, theirs, repeats, TURN)
        each, at_one, _ = self.goals.get(section, (0, 0, 0))
        goal = max(each, at_one if point[1] == 1 else 0)
        verdict = "" if not goal else "pass" if ratio >= goal else "MISS"
        self.missed += verdict == "MISS"
        row = {"section": section, "point": point, "us": us / point[0], "ratio": ratio}
        self.rows.append({**row, "peer us": peer_us / point[0], "goal": goal})
        print(
            f"{section:8} {','.join(map(str, point)):16} ours {row['us']:9.2f} us/step"
            f"  peer {peer_us / point[0]:9.2f}  ratio {ratio:6.2f}  {verdict}"
            + (f" (goal {goal:g})" if goal else ""),
            flush=True,
        )

    def mean(self, section: str) -> None:
        """The geometric mean of a section's ratios."""
        found = [row["ratio"] for row in self.rows if row["section"] == section]
        if not found:
            return
        geometric = mean(found)
        goal = self.goals.get(section, (0, 0, 0))[2]
        verdict = "" if not goal else "pass" if geometric >= goal else "MISS"
        self.missed += verdict == "MISS"
        self.rows.append(
            {"section": section, "point": "geometric mean", "ratio": geometric, "goal": goal}
        )
        tail = f" (goal {goal:g})" if goal else ""
        print(f"{section:8} geometric mean {geometric:47.2f}  {verdict}{tail}\n", flush=True)

    def say(self, section: str, what: str, value: float, goal: float, below: bool = True) -> None:
        """One figure that is no pair."""
        ok = value <= goal if below else value >= goal
        self.missed += not ok
        self.rows.append({"section": section, "point": what, "value": value, "goal": goal})
        sign, verdict = "<=" if below else ">=", "pass" if ok else "MISS"
        print(f"{section:8} {what:44} {value:8.3f}  {verdict} (goal {sign} {goal:g})", flush=True)


def measure_layers(report: Report, section: str, grid: list[Any]) -> None:
    import torch

    name = section.upper()
    for point in grid:
        x = inputs(point)
        _, _, features, hidden = point
        ours, theirs = (
            getattr(nn, name)(features, hidden),
            getattr(torch.nn, name)(features, hidden),
        )
        report.pair(section, point, our_training(ours, x), torch_training(theirs, x))
    report.mean(section)


def measure_loop(report: Report, grid: list[Any]) -> None:
    for point in grid:
        x = inputs(point)
        report.pair("loop", point, our_training(nn.LSTM(*point[2:]), x), torch_loop(point, x))
    report.mean("loop")


def measure_bare(report: Report, grid: list[Any]) -> None:
    for point in grid:
        x = inputs(point)
        report.pair("bare", point, our_loop(point, x), torch_loop(point, x))
    report.mean("bare")


def measure_jax(report: Report, section: str, grid: list[Any]) -> None:
    for point in grid:
        x = inputs(point)
        if section == "jax":
            layer: Any = nn.LSTM(*point[2:])
            weights = {k.removesuffix("_l0"): v.numpy() for k, v in layer.named_parameters()}
            theirs = jax_training(jax_lstm, weights, point, x)
        else:
            layer = nn.Recurrent(OwnCell(*point[2:]))
            weights = {k.removeprefix("cell."): v.numpy() for k, v in layer.named_parameters()}
            theirs = jax_training(jax_own, weights, point, x)
        report.pair(section, point, our_training(layer, x), theirs)
    report.mean(section)


def measure_floor(report: Report) -> None:
    for point, goal in (((100, 64, 64, 256), 1.35), ((100, 32, 32, 128), 1.6)):
        x = inputs(point)
        ours = our_training(nn.LSTM(*point[2:]), x)
        _, _, ratio = paired(ours, products_alone(point, x), max(5, report.repeats // 2), TURN)
        report.say("floor", f"{point}: ours / products alone", 1 / ratio, goal)


def measure_forward(report: Report, grid: list[Any]) -> None:
    import torch

    for point in grid:
        x = inputs(point)
        ours, theirs = nn.LSTM(*point[2:]), torch.nn.LSTM(*point[2:])
        data, other = tg.tensor(x), torch.tensor(x)

        def run(ours: Any = ours, data: Any = data) -> None:
            with tg.no_grad():
                ours(data)

        def peer(theirs: Any = theirs, other: Any = other) -> None:
            with torch.no_grad():
                theirs(other)

        report.pair("forward", point, run, peer)
    report.mean("forward")
    layer, cell = nn.LSTM(1, 32), torch.nn.LSTMCell(1, 32)
    x_t, x_torch = tg.zeros(1, 1), torch.zeros(1, 1)

    def stream() -> None:
        with tg.no_grad():
            state = None
            for _ in range(100):
                _, state = layer.step(x_t, state)

    def torch_stream() -> None:
        with torch.no_grad():
            state = None
            for _ in range(100):
                state = cell(x_torch, state)

    _, _, ratio = paired(stream, torch_stream, report.repeats, TURN)
    report.say("forward", "layer.step against torch's LSTMCell, B=1 H=32", ratio, 3.0, below=False)


def measure_length(report: Report) -> None:
    layer = nn.LSTM(2, 16)
    each = {}
    for steps in (100, 1000, 10_000, 100_000):
        run = our_training(layer, RNG.standard_normal((steps, 4, 2)).astype(np.float32))
        run()
        times = []
        for _ in range(max(3, 30_000 // steps)):
            start = time.perf_counter()
            run()
            times.append(time.perf_counter() - start)
        each[steps] = statistics.median(times) / steps * 1e6
        print(f"length   T={steps:<7} {each[steps]:8.2f} us a step")
    later = list(each.values())[1:]
    report.say("length", "largest / smallest of T = 10^3 .. 10^5", max(later) / min(later), 1.1)


FIRST = """
import time, numba, scipy.linalg, tinygrad_rnn as tg
from tinygrad_rnn import nn
import tinygrad_rnn.scan.running
layer, x = nn.{kind}(3, 16), tg.zeros(20, 4, 3)
start = time.perf_counter()
y, _ = layer(x)
(y * y).sum().backward()
print(time.perf_counter() - start)
"""


def measure_first(report: Report) -> None:
    for kind in ("LSTM", "GRU", "RNN"):
        with tempfile.TemporaryDirectory() as folder:
            env = {**os.environ, "TINYGRAD_RNN_CACHE": folder}
            for words, goal in (("cold", 3.0), ("from the cache", 0.3)):
                command = [sys.executable, "-c", FIRST.format(kind=kind)]
                out = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
                report.say(
                    "first", f"{kind}, first call, {words}, seconds", float(out.stdout), goal
                )


OURS = """
import numpy as np, tinygrad_rnn as torch
from tinygrad_rnn import nn, optim
"""
THEIRS = """
import numpy as np, torch
from torch import nn, optim
torch.set_num_threads(1)
"""
SCRIPT = """
torch.manual_seed(0)
t = torch.tensor(np.sin(np.arange(101) * 0.2).astype(np.float32))
x, target = t[:-1].reshape(100, 1, 1), t[1:].reshape(100, 1, 1)
lstm, head = nn.LSTM(1, 32), nn.Linear(32, 1)
optimizer = optim.Adam([*lstm.parameters(), *head.parameters()], lr=0.01)
for step in range(200):
    y, _ = lstm(x)
    loss = ((head(y) - target) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(loss.item())
"""


def measure_script(report: Report) -> None:
    def process(head: str) -> Run:
        def run() -> None:
            subprocess.run([sys.executable, "-c", head + SCRIPT], check=True, capture_output=True)

        return run

    _, _, ratio = paired(process(OURS), process(THEIRS), 3, 0.0, 1, time.perf_counter)
    report.say("script", "sine, LSTM H=32, 200 steps: ours / PyTorch's", 1 / ratio, 0.35)


TITLES = {
    "lstm": "LSTM against torch.nn.LSTM",
    "gru": "GRU against torch.nn.GRU",
    "rnn": "RNN against torch.nn.RNN",
    "loop": "LSTM against a loop of LSTMCell",
    "bare": "a loop over our LSTMCell against torch's",
    "jax": "LSTM against a jitted JAX scan",
    "own": "a cell of one's own against JAX",
    "forward": "LSTM, forward alone",
}


def plot(rows: list[dict[str, Any]], path: str) -> None:
    """The ratios as bars with their numbers, a panel a section; the line is the peer's speed."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    named = [r for r in rows if isinstance(r["point"], (tuple, list))]
    sections = list(dict.fromkeys(r["section"] for r in named))
    down = -(-len(sections) // 2)
    plt.rcParams.update({"font.size": 9, "svg.hashsalt": "performance"})
    figure, axes = plt.subplots(down, 2, figsize=(8, 1.9 * down + 0.3), sharey=True, squeeze=False)
    for axis in axes.flat[len(sections) :]:
        axis.set_visible(False)
    for axis, section in zip(axes.flat, sections, strict=False):
        mine = [r for r in named if r["section"] == section][::-1]
        ratios = [r["ratio"] for r in mine]
        names = [", ".join(map(str, r["point"])) for r in mine]
        axis.barh(names, ratios, color=["#2F7FC4" if r >= 1 else "#C98ABD" for r in ratios])
        for k, ratio in enumerate(ratios):
            axis.text(ratio, k, f" {ratio:.1f}", va="center", fontsize=8)
        axis.axvline(1, color="#57606A", lw=1)
        axis.set_xscale("log")
        axis.set_xlim(min(0.5, *ratios) * 0.8, max(ratios) * 1.6)
        axis.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
        axis.xaxis.set_minor_formatter(lambda _x, _: "")
        axis.set_title(TITLES.get(section, section), fontsize=10, loc="left")
        for side in ("top", "right"):
            axis.spines[side].set_visible(False)
    figure.supxlabel("times as fast as the peer (T, B, I, H on the left)", fontsize=9)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Run the sections and print pass or miss."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--against", default="torch,jax")
    parser.add_argument("--only", default="")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--quick", action="store_true", help="three points, few repeats")
    parser.add_argument("--threads", help="of both sides (one; pairs reads it)")
    parser.add_argument("--json", metavar="FILE", type=Path)
    parser.add_argument("--plot", metavar="FILE")
    options = parser.parse_args()
    pin()
    grid = [GRID[1], GRID[2], GRID[6]] if options.quick else GRID
    ran_by = tg.info()["compiled layers"] or ""
    report = Report(5 if options.quick else options.repeats, "numpy" in ran_by.split()[2])
    print(f"compiled layers {ran_by}\n")
    peers = options.against.split(",")
    sections = options.only.split(",") if options.only else None

    def wanted(section: str, peer: str | None = None) -> bool:
        return (sections is None or section in sections) and (peer is None or peer in peers)

    if "torch" in peers:
        import torch

        torch.set_num_threads(int(THREADS))
    for section in ("lstm", "gru", "rnn"):
        if wanted(section, "torch"):
            measure_layers(report, section, grid)
    if wanted("loop", "torch"):
        measure_loop(report, grid)
    if wanted("bare", "torch"):
        measure_bare(report, grid)
    for section in ("jax", "own"):
        if wanted(section, "jax"):
            measure_jax(report, section, grid)
    if wanted("forward", "torch"):
        measure_forward(report, grid)
    if wanted("floor"):
        measure_floor(report)
    if wanted("length"):
        measure_length(report)
    if wanted("first"):
        measure_first(report)
    if wanted("script", "torch"):
        measure_script(report)
    print(f"\n{report.missed} missed")
    write({"by": ran_by, "rows": report.rows}, options.json)
    if options.plot:
        plot(report.rows, options.plot)


if __name__ == "__main__":
    main()
