"""Steps in JavaScript run in node (or in a page): every value and gradient beside the recorded loop's."""

from __future__ import annotations

import json
import subprocess
import tempfile
from importlib import resources
from pathlib import Path

import numpy as np
from support import numbers

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.nn.stepping import mapped, parts
from tinygrad_rnn.page.live.steps import step_of

RUN = """
function run(step, given, T) {
  const m = step.memory(T);
  for (const [name, array] of Object.entries(given)) {
    if (m[name]) m[name].set(array); else m[name] = step.kind.from(array);
  }
  step.prepare(m);
  step.forward(m, T);
  const seen = {y: Array.from(m.y)};
  for (const name of Object.keys(m)) if (/^s\\d+$/.test(name)) seen[name] = Array.from(m[name]);
  step.backward(m, T);
  for (const name of Object.keys(m)) if (/^(g|d)\\d+$|^dx$/.test(name)) seen[name] = Array.from(m[name]);
  return seen;
}
"""


def runtime():
    """The functions that programs call."""
    return (resources.files("tinygrad_rnn.page.live") / "runtime.js").read_text(encoding="utf-8")


def case(cell, x, state, live=None, constants=None):
    """(what JavaScript is given, what the recorded loop gives) for one cell on arrays."""
    first = mapped(lambda t: t.detach(), state)
    step = step_of(cell, x, first, live, constants)
    held = [t for _, t in parts(first)]
    steps = len(x)
    given = {"x": x, **{f"s{k}": t.numpy() for k, t in enumerate(held)}}
    given |= {f"w{k}": t.numpy() for k, t in enumerate(step.weights)}
    if live is not None:
        given["live"] = live.astype(x.dtype)
    leaves = [tg.tensor(x, requires_grad=True)]
    leaves += [tg.tensor(t.numpy(), requires_grad=True) for t in held]
    rest = iter(leaves[1:])
    layer = nn.Recurrent(cell)
    layer.compiled = False
    lengths = None if live is None else live[..., 0].sum(0)
    start = mapped(lambda _t: next(rest), first)
    y, last = layer(leaves[0], start, lengths=lengths, **(constants or {}))
    ends = [t for _, t in parts(last)]
    seeds = [numbers(t.shape, 50 + k).astype(x.dtype) for k, t in enumerate((y, *ends))]
    given["dy"] = seeds[0]
    for k, g in enumerate(seeds[1:]):
        given[f"d{k}"] = np.concatenate([np.zeros(g.size * steps, x.dtype), g.ravel()])
    total = sum((t * tg.tensor(g)).sum() for t, g in zip((y, *ends), seeds, strict=True))
    asked = [*leaves, *(w for w in step.weights if w.requires_grad)]
    grads = tg.grad(total, asked, allow_unused=True)
    expected = {"y": y.numpy(), "dx": grads[0]}
    for k, t in enumerate(ends):
        expected[f"last{k}"], expected[f"d{k}"] = t.numpy(), grads[1 + k]
    found = dict(zip(map(id, asked), grads, strict=True))
    expected |= {f"g{k}": found[id(w)] for k, w in enumerate(step.weights) if id(w) in found}
    expected = {
        k: None if v is None else np.asarray(v if isinstance(v, np.ndarray) else v.numpy())
        for k, v in expected.items()
    }
    plain = {k: np.asarray(v, "d").ravel().tolist() for k, v in given.items()}
    return (step.text, plain, steps), expected


def script(cases):
    """A program that runs cases and gives what each one saw."""
    lines = [runtime(), RUN, "const seen = [];"]
    lines += [
        f"seen.push(run(({text}), {json.dumps(given)}, {steps}));" for text, given, steps in cases
    ]
    return "\n".join(['"use strict";', *lines])


def run(cases):
    """What node sees of each case."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "run.js")
        path.write_text(script(cases) + "\nconsole.log(JSON.stringify(seen));", encoding="utf-8")
        done = subprocess.run(["node", path], capture_output=True, text=True, timeout=300)
    assert not done.returncode, done.stderr[-2000:]
    return json.loads(done.stdout)


def apart(seen, expected, steps):
    """The largest difference of an array, in units of its largest element; and which array it is."""
    worst = (0.0, "")
    for name, right in expected.items():
        if name.startswith("last"):
            got = np.array(seen[f"s{name[4:]}"], "d")[right.size * steps :]
        elif name in seen:
            got = np.array(seen[name], "d")
            if name[0] == "d" and name != "dx":
                got = got[: right.size] if right is not None else got[: got.size // (steps + 1)]
        else:
            got = np.zeros(1) if right is None else np.zeros(right.size)
        right = np.zeros(got.size) if right is None else right.ravel().astype("d")
        size = max(np.abs(right).max(initial=0), 1e-3)
        off = np.abs(got - right).max(initial=0) / size
        worst = max(worst, (float(off) if np.isfinite(off) else np.inf, name))
    return worst
