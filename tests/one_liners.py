"""Everyday calls of PyTorch's, a line each (``one_liners.txt``), to be run with either library as ``t``."""

from collections import OrderedDict
from pathlib import Path

import numpy as np

FILE = Path(__file__).parent / "one_liners.txt"


def groups():
    """The lines under each heading of the file."""
    found = {}
    for line in FILE.read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            lines = found.setdefault(line[2:], [])
        elif line:
            lines.append(line)
    return found


def scope(t):
    """The names that the lines use: the same tensors in either library."""
    rng = np.random.default_rng(4)

    def leaf(*shape):
        values = rng.normal(size=shape).astype(np.float32)
        return t.tensor(values, requires_grad=True)

    sizes = {"x": "23", "v": "3", "m": "33", "y": "235", "z": "24", "q": "243", "p": "334"}
    sizes |= {"img": "2344", "ker": "2322", "w": "33"}
    names = {name: leaf(*map(int, size)) for name, size in sizes.items()}
    names["i"] = t.tensor([0, 2])
    speech = t.tensor(rng.normal(size=(6, 2, 4)).astype(np.float32))
    names["lp"] = t.nn.functional.log_softmax(speech, -1)
    words = {"t": t, "nn": t.nn, "F": t.nn.functional, "np": np, "OrderedDict": OrderedDict}
    return names | words


def flat(t, result):
    """The tensors, arrays and numbers of a result, in order; None for what is none of them."""
    if isinstance(result, (tuple, list)):
        return [part for r in result for part in flat(t, r)]
    if isinstance(result, (t.Tensor, np.ndarray, np.generic, bool, int, float)):
        return [result]
    return [None]


def ran(t, line):
    """What a line gives: arrays, and the gradients of a weighted sum of them, by the names of leaves."""
    names = scope(t)
    results = flat(t, eval(line, names))
    arrays = {}
    for k, r in enumerate(results):
        if r is not None:
            arrays[f"out{k}"] = np.asarray(r.detach().numpy() if isinstance(r, t.Tensor) else r)
    live = [r for r in results if isinstance(r, t.Tensor) and r.requires_grad]
    if live:
        total = sum((r.double() * weights(t, r, k)).sum() for k, r in enumerate(live))
        leaves = {n: v for n, v in names.items() if isinstance(v, t.Tensor) and v.requires_grad}
        gradients = t.autograd.grad(total, list(leaves.values()), allow_unused=True)
        for name, g in zip(leaves, gradients, strict=True):
            if g is not None and bool((g != 0).any()):
                arrays[f"grad_{name}"] = g.detach().numpy()
    return arrays


def weights(t, r, k):
    """Numbers of a tensor's shape, another for each element."""
    return t.tensor((np.cos(np.arange(r.numel()) * 1.3) + 1.2 + k).reshape(tuple(r.shape)))
