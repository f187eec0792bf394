"""Packed sequences taken apart and put together again, against loops over each sequence."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.nn.utils import rnn

CASES = {"sorted": [5, 3, 1], "in any order": [2, 5, 1, 5], "one": [4], "equal": [3, 3]}


def packed(lengths, width=2):
    rng = np.random.default_rng(len(lengths))
    xs = [tg.tensor(rng.normal(size=(n, width)), requires_grad=True) for n in lengths]
    return xs, rnn.pack_sequence(xs, enforce_sorted=False)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("how", ["all four", "replaced", "sorted alone", "unsorted alone"])
def test_what_is_done_to_the_data_is_done_to_each_sequence(name, how):
    xs, p = packed(CASES[name])
    head = nn.Linear(2, 3).double()
    y = head(p.data).tanh()
    q = {
        "all four": lambda: rnn.PackedSequence(
            y, p.batch_sizes, p.sorted_indices, p.unsorted_indices
        ),
        "replaced": lambda: p._replace(data=y),
        "sorted alone": lambda: rnn.PackedSequence(y, p.batch_sizes, p.sorted_indices),
        "unsorted alone": lambda: rnn.PackedSequence(y, p[1], unsorted_indices=p[3]),
    }[how]()
    assert q.lengths.tolist() == CASES[name]
    for x, found in zip(xs, rnn.unpack_sequence(q), strict=True):
        np.testing.assert_allclose(found.numpy(), head(x).tanh().numpy(), 1e-14)
    layer = nn.GRU(3, 4).double()
    out, _ = layer(q)
    out.data.square().sum().backward()
    alone = [x.detach().clone().requires_grad_() for x in xs]
    sum(layer(head(x).tanh())[0].square().sum() for x in alone).backward()
    for x, y in zip(xs, alone, strict=True):
        np.testing.assert_allclose(x.grad.numpy(), y.grad.numpy(), 1e-10)


def test_of_data_and_sizes_the_sequences_are_in_order():
    data = tg.arange(9.0).reshape(9, 1)
    p = rnn.PackedSequence(data, [3, 2, 2, 1, 1])
    assert p.lengths.tolist() == [5, 3, 1]
    expected = [[0.0, 3.0, 5.0, 7.0, 8.0], [1.0, 4.0, 6.0], [2.0]]
    assert [s.flatten().tolist() for s in rnn.unpack_sequence(p)] == expected
    got, sizes, order, back = p
    assert got.tolist() == data.tolist()
    assert (sizes.tolist(), order.tolist(), back.tolist()) == (
        [3, 2, 2, 1, 1],
        [0, 1, 2],
        [0, 1, 2],
    )


WRONG = {
    "sizes that grow": ([1, 2], None),
    "too few steps": ([2, 2], None),
    "none running": ([3, 0], None),
    "no sizes": ([], None),
    "fractions": ([1.5, 1.5], None),
    "an index twice": ([2, 1], [0, 0]),
    "too few indices": ([2, 1], [0]),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_fit_is_refused(name):
    sizes, order = WRONG[name]
    with pytest.raises(ValueError, match="PackedSequence"):
        rnn.PackedSequence(
            tg.zeros(3, 2), tg.tensor(sizes), order if order is None else tg.tensor(order)
        )
