"""Users' own cells: a training step on machine code beside the best jitted JAX scan of the same lines.

    python benchmarks/users.py [names ...] [--at 32,64 1,32] [--json benchmarks/results/users.json] [--tests]

The cells are those of ``tests/field_cells.py`` and, with ``--tests``, of ``users_cells.py`` there: a few
lines of text that run on our Tensors and, by ``jax_words.py``, on ``jax.numpy``. First the two must agree in
float64, outputs and the gradients of all Parameters to 1e-7 of their size; a cell that does not is an error.
Then a step of training (forward and backward of the sum of squares of the outputs, T=100, I=16, float32,
one thread) is measured at each (B, H) against JAX's one jitted program, of ``unroll`` 1, 2 and 4 the fastest.
What runs the cell is noted, and where that isn't machine code, why. Rows are merged into the file by name and
size.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from pathlib import Path
from typing import Any

from pairs import Run, beside, mean, merge, pin, seconds  # first: it sets threads and the back end

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import nn

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
import field_cells
import users_cells
from support import numbers

STEPS, INPUTS = 100, 16
GOAL, LEAST = 1.5, 0.8
FIELD = users_cells.read(field_cells.TEXT)


def started(cell: Any, dtype: Any) -> list[Any]:
    """First states: small numbers, clocks at 0."""
    shapes = [cell.shape_of(k) for k in range(len(cell.equations.states))]
    small = [0.1 * numbers(s, 7 + k) * (s[-1] > 1) for k, s in enumerate(shapes)]
    return [a.astype(dtype) for a in small]


def ours(layer: Any, x: Any, states: list[Any]) -> Run:
    """A training step; it gives the outputs."""
    data, tensors = tg.tensor(x), tuple(map(tg.tensor, states))
    first = tensors[0] if len(tensors) == 1 else tensors

    def run() -> Any:
        layer.zero_grad()
        y, _ = layer(data, first)
        (y * y).sum().backward()
        return y

    return run


def of_jax(equations: Any, cell: Any, sizes: Any, x: Any, states: list[Any], unroll: int) -> Run:
    """As ``ours``: outputs' sum of squares, outputs and gradients of one jitted program."""
    import jax
    import jax.numpy as jnp
    from jax_words import FLOAT, TG, Array, F

    FLOAT["dtype"] = x.dtype
    step = users_cells.step_of(equations, sizes, tg=TG, F=F)

    class Cell:
        pass

    def loss(weights: Any, states: Any, x: Any) -> Any:
        me = Cell()
        for name, given in weights.items():
            setattr(me, name, Array(given))

        def body(states: Any, x: Any) -> Any:
            inside = tuple(map(Array, states))
            y, new = step(me, Array(x), inside[0] if len(inside) == 1 else inside)
            new = new if isinstance(new, tuple) else (new,)
            return tuple(n.value for n in new), y.value

        _, y = jax.lax.scan(body, tuple(states), x, unroll=unroll)
        return (y * y).sum(), y

    program = jax.jit(jax.value_and_grad(loss, has_aux=True))
    weights = {name: jnp.asarray(p.numpy()) for name, p in cell.named_parameters()}
    firsts, data = tuple(map(jnp.asarray, states)), jnp.asarray(x)
    return lambda: jax.block_until_ready(program(weights, firsts, data))


def sides(equations: Any, sizes: Any, steps: int, dtype: Any) -> tuple[Any, Any, list[Any]]:
    """A layer, its input and first states."""
    layer = nn.Recurrent(users_cells.users_cell(equations, sizes, dtype))
    shape = (steps, *sizes[:2]) if equations.batched else (steps, sizes[1])
    return layer, numbers(shape, 3).astype(dtype), started(layer.cell, dtype)


def agree(equations: Any) -> None:
    """Both say the same in float64, or an error."""
    import jax

    sizes = (3, 5, 8)
    layer, x, states = sides(equations, sizes, 7, np.float64)
    layer.compiled = False
    y = ours(layer, x, states)()
    with jax.enable_x64(True):
        (_, other), slopes = of_jax(equations, layer.cell, sizes, x, states, 1)()
        other, slopes = np.asarray(other), {k: np.asarray(v) for k, v in slopes.items()}
    mine = {"outputs": y.numpy()}
    for name, p in layer.cell.named_parameters():
        mine[name] = np.zeros(p.shape) if p.grad is None else p.grad.numpy()
    for name, theirs in {"outputs": other, **slopes}.items():
        assert theirs.dtype == np.float64, theirs.dtype
        size = max(np.abs(theirs).max(), 1e-3)
        off = np.abs(mine[name] - theirs).max()
        assert off <= 1e-7 * size, f"{equations.name}: {name} off by {off:.3g} of {size:.3g}"


def by_what(layer: Any) -> tuple[str, str]:
    """What ran the layer, and the reason where it isn't machine code."""
    said = layer.explain().split("\n")[0]
    found = re.search(r"run by (\w+)", said)
    return (found.group(1) if found else "recorded"), said


def measured(equations: Any, batch: int, hidden: int, repeats: int) -> dict[str, Any]:
    """A row."""
    sizes = (batch, INPUTS, hidden)
    layer, x, states = sides(equations, sizes, STEPS, np.float32)
    mine = ours(layer, x, states)
    begun = time.process_time()
    mine()
    first = time.process_time() - begun
    runner, why = by_what(layer)
    programs = {n: of_jax(equations, layer.cell, sizes, x, states, n) for n in (1, 2, 4)}
    for run in programs.values():
        run(), run()
    took = {n: min(seconds(run, 1) for _ in range(5)) for n, run in programs.items()}
    best = min(took, key=lambda n: took[n])
    row: dict[str, Any] = {"cell": equations.name, "B": batch, "H": hidden}
    row |= {"by": runner, "first": first, "peer": f"JAX, unroll={best}"}
    if runner != "numba":
        row["why"] = why
    label = f"{equations.name:24s} {batch:3d} {hidden:3d} {runner:9s}"
    return beside(row, label, mine, programs[best], repeats, max(3, repeats // 4), 2)


def main() -> None:
    """Measure, print and, if asked, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--tests", action="store_true", help="the cells of the tests too")
    parser.add_argument("--at", nargs="*", default=["32,64", "1,32"], metavar="B,H")
    parser.add_argument("--repeats", type=int, default=21)
    parser.add_argument("--check", action="store_true", help="only whether both sides agree")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    pin()
    rows = []
    for equations in FIELD + (users_cells.TABLE if options.tests else []):
        if options.names and equations.name not in options.names:
            continue
        agree(equations)
        for at in [] if options.check else options.at:
            batch, hidden = map(int, at.split(","))
            rows.append(measured(equations, batch, hidden, options.repeats))
            merge(rows[-1:], options.json, "cell", "B", "H")
    for at in dict.fromkeys((r["B"], r["H"]) for r in rows):
        mine = [r for r in rows if (r["B"], r["H"]) == at]
        ratios = [r["call by call"] for r in mine]
        off = [r["cell"] for r in mine if r["by"] != "numba"]
        print(
            f"B={at[0]} H={at[1]}: {len(mine)} cells, geometric mean {mean(ratios):.2f}, "
            f"least {min(ratios):.2f}; not on machine code: {', '.join(off) or 'none'}"
        )


if __name__ == "__main__":
    main()
