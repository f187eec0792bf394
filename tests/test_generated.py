"""The generated tasks are what their definitions say, and the same for the same generator."""

import numpy as np
import pytest

from tinygrad_rnn import data


def test_adding_is_its_definition():
    x, y = data.adding(7, 500, np.random.default_rng(0), low=-1.0)
    values, marks = x[..., 0], x[..., 1]
    assert x.dtype == y.dtype == np.float32
    assert set(np.unique(marks)) == {0.0, 1.0}
    assert (marks[:3].sum(0) == 1).all()  # one in the first half, one in the rest
    assert (marks[3:].sum(0) == 1).all()
    assert (marks.sum(1) > 0).all()  # every step can be marked
    np.testing.assert_array_equal((values * marks).sum(0), y[:, 0])
    assert values.min() < -0.9
    assert values.max() > 0.9


@pytest.mark.parametrize(("low", "mean_error"), [(0.0, 1 / 6), (-1.0, 2 / 3)])
def test_who_says_the_mean_of_the_sums_errs_by_so_much(low, mean_error):
    _, y = data.adding(4, 200_000, np.random.default_rng(1), low=low)
    assert np.var(y) == pytest.approx(mean_error, rel=0.01)


GENERATED = {"adding": lambda rng: data.adding(9, 5, rng)}


@pytest.mark.parametrize("name", GENERATED)
def test_the_same_generator_makes_the_same(name):
    first, again, other = (GENERATED[name](np.random.default_rng(s)) for s in (3, 3, 4))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: data.adding(1, 5), "at least 2 steps, got 1"),
        (lambda: data.adding(9, 0), "a batch of at least 1, got 0"),
        (lambda: data.adding(9, 1, low=1.0), "low must be below high"),
    ],
)
def test_what_cannot_be_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
