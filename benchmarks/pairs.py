"""Two programs beside each other: how the benchmarks take turns, what a ratio is, where rows go.

Import it first: it sets the number of threads (``--threads``, else one) and the back end before numpy is
loaded. A ratio is the median over pairs of turns of the peer's time through ours: above 1 we are faster. Time
is the process's processor time, so that others' work on the machine does not count, less what asking the
clock takes; with more than one thread it is wall time.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

if "numpy" in sys.modules:
    raise ImportError("import pairs before numpy, whose library reads the number of threads once")
for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):  # they slow a current numpy on some machines
    os.environ.pop(name, None)
THREADS = sys.argv[sys.argv.index("--threads") + 1] if "--threads" in sys.argv else "1"
for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = THREADS
if THREADS == "1":
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
if find_spec("numba"):  # machine code from the first call on
    os.environ.setdefault("TINYGRAD_RNN_BACKEND", "numba")

Run = Callable[[], Any]
Clock = Callable[[], float]
CLOCK: Clock = time.process_time if THREADS == "1" else time.perf_counter
TURN = 0.02  # seconds that a side runs at the least before the other's turn, as in a training loop


def asking(clock: Clock) -> float:
    """What it takes to ask a clock twice."""
    return statistics.median(-clock() + clock() for _ in range(1000))


ASKING = {clock: asking(clock) for clock in (time.process_time, time.perf_counter)}


def seconds(run: Run, calls: int, clock: Clock = CLOCK) -> float:
    """Seconds a call, in a turn of some."""
    start = clock()
    for _ in range(calls):
        run()
    return max(1e-9, clock() - start - ASKING[clock]) / calls


def paired(
    mine: Run, others: Run, repeats: int, turn: float, warm: int = 3, clock: Clock = CLOCK
) -> tuple[float, float, float]:
    """(microseconds of ours, of theirs, median ratio of the pairs), in turns of so many seconds."""
    for run in (mine, others):
        seconds(run, max(warm, 1), clock)
    runs = (mine, others)
    counts = [max(1, round(turn / seconds(run, 3, clock))) if turn else 1 for run in runs]
    pairs = [
        (seconds(mine, counts[0], clock), seconds(others, counts[1], clock)) for _ in range(repeats)
    ]
    a, b = (statistics.median(side) * 1e6 for side in zip(*pairs, strict=True))
    return a, b, statistics.median(y / x for x, y in pairs)


def beside(
    row: dict[str, Any], label: str, mine: Run, others: Run, repeats: int, turns: int, warm: int
) -> dict[str, Any]:
    """A row with our time, the peer's and the ratio both ways of taking turns; it is printed."""
    us, theirs, by_call = paired(mine, others, repeats, 0.0, warm)
    _, _, in_turns = paired(mine, others, turns, TURN, 1)
    print(
        f"{label} {us:10.1f} us   {row['peer']:26s} {theirs:10.1f} us   "
        f"{by_call:5.2f} call by call, {in_turns:5.2f} in turns",
        flush=True,
    )
    measured = {"us": us, "peer_us": theirs, "call by call": by_call, "in turns": in_turns}
    return {**row, **measured}


def mean(ratios: Iterable[float]) -> float:
    """The geometric mean."""
    return statistics.geometric_mean(ratios)


def pin() -> None:
    """Stay on one core with one thread, where the system allows."""
    if THREADS == "1" and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def machine() -> str:
    """The processor and its widest vectors, the system, and the versions of what is measured."""
    words = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    model = words.partition("model name\t: ")[2].partition("\n")[0] or platform.machine()
    sets = [name for flag, name in (("avx512f", "AVX-512"), ("avx2", "AVX2")) if flag in words]
    found = [f"{model} with {sets[0]}" if sets else model, platform.system()]
    found.append(f"Python {platform.python_version()}")
    for name in ("numpy", "numba", "torch", "jax", "onnxruntime", "openvino", "pytensor"):
        if find_spec(name):
            found.append(f"{name} {version(name)}")
    return ", ".join(found)


def write(found: Any, path: Path | None) -> None:
    """As JSON, where it was asked for; ``machines.json`` beside it says on which machine."""
    if path is not None:
        beside = path.with_name("machines.json")
        machines = json.loads(beside.read_text(encoding="utf-8")) if beside.exists() else {}
        for file, told in ((path, found), (beside, {**machines, path.stem: machine()})):
            file.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def merge(rows: list[dict[str, Any]], path: Path | None, *names: str) -> None:
    """Rows into a file of JSON: they replace those that are alike in these names."""
    if path is None:
        return
    old = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []

    def key(row: dict[str, Any]) -> str:
        return json.dumps([row[name] for name in names])

    new = {key(row) for row in rows}
    write([row for row in old if key(row) not in new] + rows, path)
