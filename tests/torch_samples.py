"""PyTorch's own samples of its ops, run by ours: values and first gradients in float64.

    python tests/torch_samples.py [op ...]

prints how many samples of each op agree, and those that do not. Needs PyTorch and ``expecttest``, which
its sample generators import. ``golden/make_samples.py`` writes down a slice that needs neither.
"""

import sys
import warnings
from collections import Counter

import numpy as np

import tinygrad_rnn as tg

TOL = 1e-9

FUNCTIONAL = [
    *("binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy", "elu", "gelu"),
    *("huber_loss", "l1_loss", "layer_norm", "leaky_relu", "linear", "mse_loss", "nll_loss"),
    *("one_hot", "pad", "relu", "silu", "smooth_l1_loss", "softplus"),
]
METHODS = [
    *("clone", "contiguous", "expand", "expand_as", "repeat", "reshape_as", "view", "view_as", "t"),
    *("new_full", "new_ones", "new_zeros", "item"),
]

# what an op of theirs is called here, where that is another name or not tg.NAME
OURS = {
    **{f"nn.functional.{name}": getattr(tg.nn.functional, name) for name in FUNCTIONAL},
    "__getitem__": lambda t, index: t[index],
    "__radd__": lambda t, other: other + t,
    "__rdiv__": lambda t, other: other / t,
    "__rmul__": lambda t, other: other * t,
    "__rpow__": lambda t, other: other**t,
    "__rsub__": lambda t, other: other - t,
    "__rmatmul__": lambda t, other: other @ t,
    "div": lambda a, b, **rounding: tg.Tensor.div(a, b, **rounding),
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "T": lambda t: t.T,
    "mT": lambda t: t.mT,
    "linalg.norm": lambda *a, **k: tg.linalg.norm(*a, **k),
    "linalg.vector_norm": lambda *a, **k: tg.linalg.vector_norm(*a, **k),
    **{name: (lambda t, *a, _name=name, **k: getattr(t, _name)(*a, **k)) for name in METHODS},
    "where": lambda t, condition, other: tg.where(condition, t, other),
    "einsum": lambda tensors, equation: tg.einsum(equation, *tensors),
    "nn.functional.embedding": lambda w, i, **k: tg.nn.functional.embedding(i, w, **k),
}

# ops whose name is ours and whose samples are of what is not here
LEFT_OUT = {
    "bool": "a dtype here",
    "double": "a dtype here",
    "float": "a dtype here",
    "half": "a dtype here",
    "int": "a dtype here",
    "long": "a dtype here",
    "short": "a dtype here",
    "empty": "values of nobody",
    "empty_like": "values of nobody",
    "new_empty": "values of nobody",
    "multinomial": "random",
    "normal": "random",
    "rand_like": "random",
    "randint": "random",
    "randn": "random",
    "randn_like": "random",
}

# samples that disagree on purpose: op: (words in what ours says, why)
REASONS = {
    "norm": ("'nuc'", "the nuclear norm needs singular values, which have no derivative here"),
    "linalg.norm": ("no derivative here", "matrix norms of singular values: 2, -2, 'nuc'"),
}


def ours_of(name):
    """Our function of one of PyTorch's names, or None."""
    if name in LEFT_OUT:
        return None
    if name in OURS:
        return OURS[name]
    found = getattr(tg, name, None) if "." not in name else None
    return found if callable(found) else None


def translated(value, leaves):
    """An argument of theirs as one of ours; the leaves that want gradients are noted in pairs."""
    import torch

    if isinstance(value, torch.Tensor):
        t = tg.tensor(value.detach().numpy(), requires_grad=value.requires_grad)
        if value.requires_grad:
            leaves.append((t, value))
        return t
    if isinstance(value, torch.dtype):
        return np.dtype(str(value).removeprefix("torch."))
    if isinstance(value, torch.device):
        return str(value)
    if isinstance(value, torch.Size):
        return tuple(value)
    if isinstance(value, dict):
        return {k: translated(v, leaves) for k, v in value.items()}
    if isinstance(value, (tuple, list)):
        return type(value)(translated(v, leaves) for v in value)
    return value


def flat(result):
    """The tensors and numbers of a result, of either library, in order."""
    if isinstance(result, (tuple, list)):
        return [part for r in result for part in flat(r)]
    return [result]


def array(value):
    return value.detach().numpy() if hasattr(value, "detach") else np.asarray(value)


def close(ours, theirs):
    a, b = array(ours), array(theirs)
    if a.shape != b.shape:
        return f"shape {a.shape}, expected {b.shape}"
    if a.dtype != b.dtype:
        return f"dtype {a.dtype}, expected {b.dtype}"
    if a.dtype.kind == "f":
        size = np.abs(b[np.isfinite(b)]).max(initial=1e-3)
        if not np.allclose(a, b, TOL, TOL * size, equal_nan=True):
            return f"off by {np.nanmax(np.abs(a - b)):.3g}"
    elif not np.array_equal(a, b):
        return "other values"
    return None


def weight(shape, k):
    n = int(np.prod(shape, dtype=int))
    return (np.cos(np.arange(n) * 1.7 + k) + 1.3).reshape(shape)


def compared(function, op, sample):
    """None where a sample agrees, else what differs; raises what ours raises."""
    import torch

    leaves = []
    arguments = translated((sample.input, sample.args, sample.kwargs), leaves)
    theirs = flat(op(sample.input, *sample.args, **sample.kwargs))
    first, rest, named = arguments
    ours = flat(function(first, *rest, **named))
    if len(ours) != len(theirs):
        return f"{len(ours)} results, expected {len(theirs)}"
    for k, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        if (words := close(a, b)) is not None:
            return f"result {k}: {words}"
    wanted = [k for k, t in enumerate(theirs) if isinstance(t, torch.Tensor) and t.requires_grad]
    if not wanted or not leaves:
        return None
    of_theirs = torch.autograd.grad(
        sum((theirs[k] * torch.tensor(weight(theirs[k].shape, k))).sum() for k in wanted),
        [t for _, t in leaves],
        allow_unused=True,
    )
    total = sum((ours[k] * tg.tensor(weight(ours[k].shape, k))).sum() for k in wanted)
    if total.requires_grad:
        of_ours = tg.grad(total, [t for t, _ in leaves], allow_unused=True)
    else:  # right where theirs is 0 everywhere
        of_ours = [None] * len(leaves)
    for k, (a, b) in enumerate(zip(of_ours, of_theirs, strict=True)):
        b = torch.zeros_like(leaves[k][1]) if b is None else b
        a = tg.zeros_like(leaves[k][0]) if a is None else a
        if (words := close(a, b)) is not None:
            return f"gradient {k}: {words}"
    return None


def samples(only=()):
    """(name, op of theirs, our function, sample) of every op that has a name here."""
    import torch
    from torch.testing._internal.common_methods_invocations import op_db

    for op in op_db:
        function = ours_of(op.name)
        if function is None or (only and op.name not in only):
            continue
        torch.manual_seed(0)
        derived = torch.float64 in op.supported_dtypes("cpu") and op.supports_autograd
        dtype = torch.float64 if torch.float64 in op.supported_dtypes("cpu") else torch.int64
        for sample in op.sample_inputs("cpu", dtype, requires_grad=derived):
            try:
                op.op(sample.input, *sample.args, **sample.kwargs)
            except (RuntimeError, NotImplementedError):  # a dtype that PyTorch has not either
                continue
            yield op.name, op.op, function, sample


def described(sample):
    def shown(value):
        if hasattr(value, "shape") and hasattr(value, "dtype"):
            return f"{tuple(value.shape)}"
        if isinstance(value, (tuple, list)):
            return "[" + ", ".join(map(shown, value)) + "]"
        return repr(value)

    named = [f"{k}={shown(v)}" for k, v in sample.kwargs.items()]
    return ", ".join([shown(sample.input), *map(shown, sample.args), *named])


def run(only=(), tell=print):
    """(samples, agreeing) by op; ``tell`` hears of every other."""
    agreeing, all_of = Counter(), Counter()
    for name, op, function, sample in samples(only):
        all_of[name] += 1
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                words = compared(function, op, sample)
        except Exception as error:
            words = f"{type(error).__name__}: {error}"
        if words is None:
            agreeing[name] += 1
        else:
            tell(f"{name}({described(sample)}): {words}"[:230])
    return all_of, agreeing


if __name__ == "__main__":
    counts, right = run(sys.argv[1:])
    for op_name, n in counts.items():
        print(f"{op_name:<45} {right[op_name]:4} of {n}")
    print(f"{sum(right.values())} of {sum(counts.values())} samples of {len(counts)} ops agree")
