"""``tinygrad-rnn bench``: how fast is it on this machine, and what do the classic experiments reach?"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

from ..experiments.arguments import count
from . import training
from .command import Command, add_commands, one_thread

SIZES = ((100, 1, 1, 32), (100, 16, 8, 32), (100, 32, 32, 128))  # steps, batch, features, hidden
KINDS = ("RNN", "LSTM", "GRU")


def _layers_arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument(
        "--repeats",
        metavar="N",
        type=count(1),
        default=7,
        help="turns that each side takes; the medians are shown (default: %(default)s)",
    )
    p.add_argument("--json", action="store_true", help="as JSON, for programs")


def _layers(options: argparse.Namespace) -> None:
    from tqdm import tqdm

    from ..scan import backends

    one_thread(options)
    cases = [(kind, size) for kind in KINDS for size in SIZES]
    bar = tqdm(cases, unit="layer", leave=False, disable=True if options.json else None)
    backend, why = backends.choice()
    with backends.using(backend):  # the first calls, too
        rows = [_measured(kind, size, options.repeats) for kind, size in bar]
    if options.json:
        print(json.dumps({"backend": backend, "why": why, "rows": rows}, indent=2))
        return
    print(
        f"A training step, forward and backward, float32, one thread; layers are {backends.words()}"
    )
    print("             T    B    I    H   us a time step   recorded op by op   bare products")
    for row in rows:
        shape = "".join(f"{row[k]:>5}" for k in ("steps", "batch", "features", "hidden"))
        print(
            f"  {row['layer']:<6} {shape} {row['compiled']:>16.1f} {row['recorded']:>19.1f} "
            f"{row['products']:>15.1f}"
        )
    print("bare products: what numpy takes for the step's matrix products alone, the floor")


def _measured(kind: str, size: tuple[int, int, int, int], repeats: int) -> dict[str, Any]:
    """Microseconds a time step of one layer: compiled, recorded op by op, and its matrix products."""
    from .. import nn
    from ..tensors import making

    steps, batch, features, hidden = size
    layer = getattr(nn, kind)(features, hidden)
    x = making.randn(steps, batch, features)

    def train(compiled: bool) -> Callable[[], None]:
        def run() -> None:
            layer.compiled = compiled
            layer.zero_grad()
            y, _ = layer(x)
            (y * y).sum().backward()

        return run

    sides = {
        "compiled": train(True),
        "recorded": train(False),
        "products": _products(layer.weight_hh_l0.numpy(), x.numpy(), len(layer.weight_ih_l0)),
    }
    taken = _in_turns(sides, repeats)
    sizes = {"steps": steps, "batch": batch, "features": features, "hidden": hidden}
    return {"layer": kind, **sizes, **{k: round(1e6 * s / steps, 2) for k, s in taken.items()}}


def _products(weight_hh: Any, x: Any, rows: int) -> Callable[[], None]:
    """The matrix products of a training step: of each step with the state, of all steps with the inputs."""
    import numpy as np

    steps, batch, features = x.shape
    hidden = weight_hh.shape[1]
    h, dz = (np.ones((batch, n), np.float32) for n in (hidden, rows))
    all_x, all_h, all_dz = (
        np.ones((steps * batch, n), np.float32) for n in (features, hidden, rows)
    )
    weight_ih, across = np.ones((features, rows), np.float32), weight_hh.T.copy()

    def run() -> None:
        all_x @ weight_ih
        for _ in range(steps):
            h @ across
        for _ in range(steps):
            dz @ weight_hh
        all_dz.T @ all_h
        all_dz.T @ all_x

    return run


def _in_turns(sides: dict[str, Callable[[], None]], repeats: int) -> dict[str, float]:
    """Median seconds of each; all take turns, so that a busy moment hits all alike."""
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for run in sides.values():  # compiles, and warms the caches
        run()
    for _ in range(repeats):
        for name, run in sides.items():
            start = time.perf_counter()
            run()
            taken[name].append(time.perf_counter() - start)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


BENCHES = (
    Command(
        "layers",
        "a training step of RNN, LSTM and GRU, in about ten seconds",
        "Measure a training step of RNN, LSTM and GRU at three sizes: as it runs, recorded op by op,\n"
        "and the bare matrix products, side by side, on one thread.",
        _layers_arguments,
        _layers,
    ),
    training.TASKS,
)


def _arguments(p: argparse.ArgumentParser) -> None:
    add_commands(p, BENCHES, "BENCHMARK")


COMMAND = Command(
    "bench",
    "how fast the layers are, and what the classic experiments reach",
    "Measure on this machine.\n\n  tinygrad-rnn bench layers\n  tinygrad-rnn bench tasks --jobs 2",
    _arguments,
    lambda options: None,  # argparse asks for one of BENCHES, which runs instead
)
