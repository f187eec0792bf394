"""Names, CO2, digits: the files are what their README says, the parts share nothing, baselines are right."""

import hashlib
import string
import sys
from importlib.resources import files

import numpy as np
import pytest

from tinygrad_rnn import data
from tinygrad_rnn.data.splits import every

ALPHABET = "\n" + string.ascii_lowercase
SUMS = {
    "names.txt": "9067937d9acdafb6c92683ce343dff785db5224b40df05723964adb3d41055ae",
    "co2.csv": "16695fa2786e53414e5a6b54767a3fdf5de99cfbc68617f69d1362d92776a92f",
}


@pytest.mark.parametrize("name", SUMS)
def test_a_file_is_the_one_that_was_taken_and_its_source_is_beside_it(name):
    folder = files("tinygrad_rnn.data")
    text = (folder / name).read_text(encoding="ascii").encode("ascii")
    assert hashlib.sha256(text).hexdigest() == SUMS[name]
    readme = (folder / "README.md").read_text(encoding="utf-8")
    own = readme.partition(f"## {name}")[2].partition("\n## ")[0]
    assert "**Source:**" in own
    assert "**Rights:**" in own
    assert "Permission is hereby granted" in readme  # the licence of `names`, whole


# ---- parts ----------------------------------------------------------------------------------------


def test_every_row_is_in_one_part():
    parts = every(10, range(1234))
    assert [len(p) for p in parts] == [988, 123, 123]
    assert sorted(parts.train + parts.validation + parts.test) == list(range(1234))
    assert all(k % 10 == 9 for k in parts.test)
    assert all(k % 10 == 8 for k in parts.validation)


# ---- names ----------------------------------------------------------------------------------------


def test_names_are_4275_in_three_parts_that_share_none():
    train, validation, test = data.first_names()
    assert (len(train), len(validation), len(test)) == (3421, 427, 427)
    assert len({*train, *validation, *test}) == 4275
    assert {c for name in train + validation + test for c in name} == set(string.ascii_lowercase)
    assert (train[0], validation[0], test[0]) == ("mary", "margaret", "dorothy")
    assert (min(map(len, train)), max(map(len, train))) == (2, 11)


def test_an_ngram_is_its_equation():
    """The recursion of Witten & Bell, written out with numpy's counts over a dense table."""
    words = ["anna", "hannah", "nan", "a"]
    model = data.fit_ngram(words, 3, "\nahn")
    code = "\nahn".index
    triples = [
        tuple(map(code, window))
        for word in words
        for window in zip("\n\n" + word + "\n", "\n" + word + "\n", word + "\n", strict=False)
    ]
    table = np.zeros((4, 4, 4))
    np.add.at(table, tuple(np.array(triples).T), 1)
    expected = np.full(4, 1 / 4)
    for counts in (table.sum((0, 1)), table.sum(0)[code("a")], table[code("h"), code("a")]):
        different = (counts > 0).sum()
        expected = (counts + different * expected) / (counts.sum() + different)
    found = [model.probability("ha", c) for c in "\nahn"]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert sum(found) == pytest.approx(1)


def test_an_ngram_falls_back_where_a_context_is_new():
    model = data.fit_ngram(["ab", "cab"], 3, "\nabcd")
    assert model.probability("da", "b") == model.probability("a", "b")
    assert model.probability("", "d") == pytest.approx(5 / 5 / (7 + 4) * 4 / 5)
    assert sum(model.probability("zz", c) for c in model.alphabet) == pytest.approx(1)


def test_bits_are_the_mean_over_all_characters_and_ends():
    uniform = data.fit_ngram([], 2, "\nabc")
    assert uniform.bits(["ab", "c"]) == pytest.approx(2.0)
    model = data.fit_ngram(["ab"], 2, "\nab")
    logs = [model.probability(a, b) for a, b in zip("\nab", "ab\n", strict=True)]
    assert model.bits(["ab"]) == pytest.approx(-np.mean(np.log2(logs)))


def test_the_4gram_of_the_names():
    names = data.first_names()
    found = [data.fit_ngram(names.train, n, ALPHABET).bits(names.test) for n in (1, 2, 3, 4, 5)]
    assert [round(b, 3) for b in found] == [4.004, 3.300, 2.931, 2.759, 2.809]


# ---- CO2 ------------------------------------------------------------------------------------------


def test_co2_is_weekly_with_59_missing_in_22_gaps():
    series = data.co2()
    assert series.dates.dtype == np.dtype("datetime64[D]")
    assert (str(series.dates[0]), str(series.dates[-1])) == ("1958-03-29", "2001-12-29")
    assert (np.diff(series.dates) == np.timedelta64(7, "D")).all()
    missing = np.isnan(series.values)
    assert (len(missing), missing.sum(), missing[-260:].sum()) == (2284, 59, 0)
    assert (series.values[0], series.values[-1], np.nanmax(series.values)) == (316.1, 371.5, 373.9)
    pieces = series.pieces()
    assert len(pieces) == 23
    covered = np.concatenate([np.arange(p.start, p.stop) for p in pieces])
    np.testing.assert_array_equal(covered, np.flatnonzero(~missing))
    assert all(missing[p.start - 1] for p in pieces[1:])
    assert pieces[-1] == slice(1428, 2284)


def test_gaps_are_filled_with_straight_lines():
    days = np.arange("2000-01-01", "2000-02-05", 7, dtype="datetime64[D]")
    series = data.Weekly(days, np.array([np.nan, 1.0, np.nan, np.nan, 4.0]))
    assert series.filled().tolist() == [1, 1, 2, 3, 4]
    assert data.Weekly(days, np.full(5, np.nan)).pieces() == []
    with pytest.raises(ValueError, match="no value is there"):
        data.Weekly(days, np.full(5, np.nan)).filled()
    whole = data.co2()
    there = ~np.isnan(whole.values)
    np.testing.assert_array_equal(whole.filled()[there], whole.values[there])


def test_the_linear_baselines_of_co2_against_normal_equations():
    values = data.co2().filled()
    x = values - values.mean()  # the normal equations are badly conditioned far from 0
    lags = np.column_stack([x[60 - k : -k] for k in range(1, 61)] + [np.ones(len(x) - 60)])
    known, y = lags[:-260], x[60:]
    weights = np.linalg.solve(known.T @ known, known.T @ y[:-260])
    expected = np.sqrt(np.mean((lags[-260:] @ weights - y[-260:]) ** 2))
    made = data.fit_autoregression(values[:-260], 60).forecast(values)[-260:]
    found = np.sqrt(np.mean((made - values[-260:]) ** 2))
    assert found == pytest.approx(expected, rel=1e-4)
    assert round(float(found), 3) == 0.386
    assert round(float(np.sqrt(np.mean(np.diff(values)[-260:] ** 2))), 3) == 0.496


def test_what_is_known_beforehand_takes_part():
    rng = np.random.default_rng(0)
    known, x = rng.normal(size=(400, 2)), [0.0]
    for t in range(1, 400):
        x.append(1.0 + 0.5 * x[-1] + known[t] @ [2.0, -3.0])
    model = data.fit_autoregression(x, 1, known)
    assert model.intercept == pytest.approx(1.0)
    assert model.weights == pytest.approx([0.5])
    assert model.known_weights == pytest.approx([2.0, -3.0])
    np.testing.assert_allclose(model.forecast(x, known), x[1:], atol=1e-9)
    with pytest.raises(ValueError, match="known has 0 columns, and 2 were fitted"):
        model.forecast(x)
    with pytest.raises(ValueError, match="known has 2 columns, and 0 were fitted"):
        data.fit_autoregression(x, 1).forecast(x, known)
    with pytest.raises(ValueError, match=r"\(400, k\).*\(399, 2\)"):
        data.fit_autoregression(x, 1, known[1:])
    with pytest.raises(ValueError, match="at least 5 values, got 4"):
        data.fit_autoregression(x[:4], 1, known[:4])


# ---- digits ---------------------------------------------------------------------------------------


def test_digits_are_read_a_pixel_at_a_time():
    sklearn = pytest.importorskip(
        "sklearn.datasets", reason="scikit-learn is not installed (extra examples)"
    )
    parts = data.sequential_digits()
    assert [p.x.shape for p in parts] == [(64, 1079, 1), (64, 359, 1), (64, 359, 1)]
    assert all(p.x.dtype == np.float32 and p.y.dtype == np.int64 for p in parts)
    images = sklearn.load_digits()
    np.testing.assert_array_equal(parts.test.x[:, 0, 0].reshape(8, 8) * 16, images.images[4])
    np.testing.assert_array_equal(parts.test.y, images.target[4::5])
    np.testing.assert_array_equal(parts.validation.y, images.target[3::5])
    assert np.bincount(np.concatenate([p.y for p in parts])).sum() == 1797
    assert (parts.train.x.min(), parts.train.x.max()) == (0, 1)


def test_without_scikit_learn_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ImportError, match="pip install scikit-learn"):
        data.sequential_digits()
