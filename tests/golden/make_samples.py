"""Write down small samples of PyTorch's, with its values and gradients: what ``test_torch_samples.py`` needs
where PyTorch is not installed.

    python tests/golden/make_samples.py        (needs PyTorch and expecttest)
"""

import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent.parent))
from golden.store import write
from torch_samples import REASONS, flat, samples, weight

MOST, LARGEST = 6, 60  # samples of an op, numbers in one


def encoded(value, arrays):
    """An argument as JSON; tensors are put aside."""
    if isinstance(value, torch.Tensor):
        key = f"in{len(arrays)}"
        arrays[key] = value.detach().numpy()
        return {"tensor": key, "dtype": str(arrays[key].dtype), "asks": value.requires_grad}
    if isinstance(value, torch.dtype):
        return {"numpy": str(value).removeprefix("torch.")}
    if isinstance(value, dict):
        return {"dict": {k: encoded(v, arrays) for k, v in value.items()}}
    if isinstance(value, (tuple, list)):
        return {"list": [encoded(v, arrays) for v in value]}
    return value if not isinstance(value, torch.device) else str(value)


def cases():
    seen = Counter()
    for name, op, _, sample in samples():
        if name in REASONS or seen[name] >= MOST:
            continue
        arrays = {}
        call = encoded((sample.input, sample.args, sample.kwargs), arrays)
        size = sum(a.size for a in arrays.values())
        try:
            json.dumps(call)
        except TypeError:
            continue
        if size > LARGEST or any(a.dtype.kind == "c" for a in arrays.values()):
            continue
        results = flat(op(sample.input, *sample.args, **sample.kwargs))
        outs = [
            r.detach().numpy() if isinstance(r, torch.Tensor) else np.asarray(r) for r in results
        ]
        if sum(a.size for a in outs) > 4 * LARGEST:
            continue
        leaves = [t for t in tensors(sample) if t.requires_grad]
        wanted = [k for k, r in enumerate(results) if getattr(r, "requires_grad", False)]
        found = dict(arrays)
        found.update({f"out{k}": a for k, a in enumerate(outs)})
        if wanted and leaves:
            total = sum(
                (results[k] * torch.tensor(weight(results[k].shape, k))).sum() for k in wanted
            )
            grads = torch.autograd.grad(total, leaves, allow_unused=True)
            for k, (g, t) in enumerate(zip(grads, leaves, strict=True)):
                found[f"grad{k}"] = (torch.zeros_like(t) if g is None else g).detach().numpy()
        seen[name] += 1
        CALLS[f"{name}-{seen[name]}"] = [name, call, [str(a.dtype) for a in outs], wanted]
        yield f"{name}-{seen[name]}", found


def tensors(value):
    """The tensors of a sample in the order in which they are encoded."""
    if hasattr(value, "input"):
        value = (value.input, value.args, value.kwargs)
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (tuple, list)):
        return [t for part in value for t in tensors(part)]
    return []


CALLS = {}

if __name__ == "__main__":
    made = list(cases())
    write("samples", made, f"PyTorch {torch.__version__}", calls=CALLS)
