"""PyTorch's own samples of its ops give the same values and first gradients here.

With PyTorch and expecttest all of them run (``python tests/torch_samples.py`` prints the counts an op); a
slice that ``golden/make_samples.py`` wrote down runs everywhere.
"""

import json
import warnings
from collections import Counter

import numpy as np
import pytest
from golden.store import HERE, read
from torch_samples import REASONS, array, close, flat, ours_of, run, weight

import tinygrad_rnn as tg

CASES = read("samples")
with np.load(HERE / "samples.npz", allow_pickle=False) as _stored:
    CALLS = json.loads(str(_stored["calls"]))


def decoded(value, arrays, leaves):
    """What ``make_samples.encoded`` wrote down, as arguments for ours."""
    if not isinstance(value, dict):
        return value
    if "tensor" in value:
        data = np.asarray(arrays[value["tensor"]]).astype(value["dtype"])
        t = tg.tensor(data, requires_grad=value["asks"])
        if value["asks"]:
            leaves.append(t)
        return t
    if "numpy" in value:
        return np.dtype(value["numpy"])
    if "dict" in value:
        return {k: decoded(v, arrays, leaves) for k, v in value["dict"].items()}
    return [decoded(v, arrays, leaves) for v in value["list"]]


@pytest.mark.parametrize("case", CALLS)
def test_a_sample_of_pytorchs(case):
    name, call, dtypes, wanted = CALLS[case]
    arrays, leaves = CASES[case], []
    first, rest, named = decoded(call, arrays, leaves)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        ours = flat(ours_of(name)(first, *rest, **named))
        assert len(ours) == len(dtypes)
        for k, dtype in enumerate(dtypes):
            assert close(ours[k], np.asarray(arrays[f"out{k}"]).astype(dtype)) is None
        if not wanted or not leaves:
            return
        total = sum((ours[k] * tg.tensor(weight(ours[k].shape, k))).sum() for k in wanted)
        if not total.requires_grad:
            assert not any(np.any(arrays[f"grad{k}"]) for k in range(len(leaves)))
            return
        for k, g in enumerate(tg.grad(total, leaves, allow_unused=True)):
            g = tg.zeros_like(leaves[k]) if g is None else g
            assert close(array(g), np.asarray(arrays[f"grad{k}"])) is None


def test_the_slice_has_every_op_whose_samples_are_small():
    names = Counter(call[0] for call in CALLS.values())
    assert len(names) > 130
    new = "add sub mul amax amin ravel tril triu cumprod cummax lerp nan_to_num median diff scatter"
    new += (
        " addmm mv atan2 logical_and logical_or meshgrid unique bincount gather std var unbind cat"
    )
    assert set(new.split()) <= set(names), set(new.split()) - set(names)


@pytest.mark.peers
@pytest.mark.slow
def test_all_samples():
    """Every sample agrees, but for those that ``REASONS`` names, each refused with the words there."""
    pytest.importorskip("torch")
    pytest.importorskip("expecttest", reason="PyTorch's sample generators import it")
    others = []
    counts, right = run(tell=others.append)
    unexplained = [
        words
        for words in others
        if (reason := REASONS.get(words.partition("(")[0])) is None or reason[0] not in words
    ]
    assert not unexplained
    assert sum(counts.values()) > 2800
    assert sum(right.values()) == sum(counts.values()) - len(others)
