"""The generated tasks are what their definitions say, and the same for the same generator."""

import re

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


GENERATED = {
    "adding": lambda rng: data.adding(9, 5, rng),
    "sine_waves": lambda rng: data.sine_waves(9, 5, rng),
    "temporal_order": lambda rng: data.temporal_order(20, 5, rng),
    "copying_memory": lambda rng: data.copying_memory(3, 5, rng),
    "embedded_reber": lambda rng: data.embedded_reber(9, rng),
}


def test_sine_waves_are_sines_of_any_phase():
    x, y = data.sine_waves(200, 300, np.random.default_rng(0), period=20.0)
    assert x.dtype == y.dtype == np.float64
    np.testing.assert_array_equal(x[1:], y[:-1])
    np.testing.assert_allclose(y[1:], 2 * np.cos(2 * np.pi / 20) * x[1:] - x[:-1], atol=1e-12)
    np.testing.assert_allclose(x[20:], x[:-20], atol=1e-12)
    assert np.sqrt(np.mean(x**2)) == pytest.approx(0.5**0.5)
    quarters = np.histogram(np.arctan2(x[0], x[5]), bins=4, range=(-np.pi, np.pi))[0]
    assert quarters.min() > 50


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
        (lambda: data.sine_waves(0, 1), "at least 1 step"),
        (lambda: data.sine_waves(9, 1, period=2.0), "more than 2 steps long, got 2.0"),
        (lambda: data.temporal_order(9, 5), "at least 10 steps, got 9"),
        (lambda: data.temporal_order(50, 5, bits=4), "bits must be 2 or 3, got 4"),
        (lambda: data.copying_memory(0, 5), "at least 1 steps, got 0"),
        (lambda: data.copying_memory(9, 5, length=0), "length must be at least 1, got 0"),
        (lambda: data.embedded_reber(-1), "must not be negative, got -1"),
        (lambda: data.counting_string(0), "n must be at least 1, got 0"),
        (lambda: data.one_hot("ax", "ab"), "symbol 'x' is not in 'ab'"),
    ],
)
def test_what_cannot_be_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()


# ---- temporal order -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bits", "windows"), [(2, [(10, 20), (50, 60)]), (3, [(10, 20), (33, 43), (66, 76)])]
)
def test_temporal_order_is_its_definition(bits, windows):
    x, y = data.temporal_order(100, 400, np.random.default_rng(0), bits=bits)
    assert (x.sum(-1) == 1).all()
    symbols = x.argmax(-1)
    assert (symbols[0] == 0).all()
    assert (symbols[-1] == 1).all()
    counted = symbols >= 6
    assert (counted.sum(0) == bits).all()
    assert set(np.unique(symbols[1:-1])) == {2, 3, 4, 5, 6, 7}
    for k in range(400):
        places = np.flatnonzero(counted[:, k])
        assert all(a <= t <= b for t, (a, b) in zip(places, windows, strict=True))
        number = "".join("01"[symbols[t, k] - 6] for t in places)
        assert int(number, 2) == y[k]
    assert set(y) == set(range(2**bits))


# ---- copying memory -----------------------------------------------------------------------------------


def test_copying_memory_is_its_definition():
    x, y = data.copying_memory(7, 50, np.random.default_rng(0))
    symbols = x.argmax(-1)
    assert x.shape == (27, 50, 10)
    assert (symbols[:10] < 8).all()
    assert (symbols[10:16] == 8).all()
    assert (symbols[16] == 9).all()
    assert (symbols[17:] == 8).all()
    assert (y[:17] == 8).all()
    np.testing.assert_array_equal(y[17:], symbols[:10])
    assert set(np.unique(symbols)) == set(range(10))


# ---- grammars -----------------------------------------------------------------------------------------

# The same language written by hand as a regular expression: between the outer symbols a Reber string.
LOOP = "(?:T*VPX)*T*V(?:V|PS)"
EMBEDDED = re.compile(rf"B([TP])B(?:P{LOOP}|TS*X(?:S|X{LOOP}))E\1E")


def test_strings_are_of_the_grammar_and_of_all_its_kinds():
    strings = data.embedded_reber(3000, np.random.default_rng(0))
    assert all(EMBEDDED.fullmatch(s) for s in strings)
    assert min(map(len, strings)) == 9
    assert 10.5 < np.mean([len(s) for s in strings]) < 13
    for known in ("BTBTXSETE", "BPBPVVEPE", "BPBPVPSEPE", "BTBTSXXVVETE", "BTBPVPXVVETE"):
        assert known in strings
    assert 0.45 < np.mean([s[1] == "T" for s in strings]) < 0.55


def test_continuations_are_those_that_some_string_has():
    """Independently: a symbol is legal after a prefix where the regular expression can be completed."""
    endings = {
        s[k:] for s in data.embedded_reber(300, np.random.default_rng(1)) for k in range(len(s))
    }
    for string in data.embedded_reber(25, np.random.default_rng(2)):
        for t, legal in enumerate(data.legal_continuations(string)):
            prefix = string[: t + 1]
            can = {e[0] for e in endings if EMBEDDED.fullmatch(prefix + e)}
            assert can == set(legal), (string, t)


@pytest.mark.parametrize(
    "string", ["", "B", "BTBTXSEPE", "BTBTXSET", "BTBTXSETEE", "BXBTXSETE", "TT"]
)
def test_what_is_not_of_the_grammar_is_refused(string):
    assert not EMBEDDED.fullmatch(string)
    with pytest.raises(ValueError, match="no embedded Reber string"):
        data.legal_continuations(string)


def test_counting_strings_and_one_hot():
    assert [data.counting_string(n) for n in (1, 3)] == ["SabT", "SaaabbbT"]
    np.testing.assert_array_equal(data.symbol_numbers("SabT", "SabT"), range(4))
    np.testing.assert_array_equal(data.one_hot("ba", "ab"), [[0, 1], [1, 0]])
    assert data.one_hot("ba", "ab").dtype == np.float32
