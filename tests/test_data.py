"""The series that ship, and the baselines that a forecast is measured against."""

import math
from importlib.resources import files

import numpy as np
import pytest

from tinygrad_rnn.data import Autoregression, fit_autoregression, forecast_errors, sunspots


def test_sunspots_are_the_yearly_numbers_1700_to_2008():
    years, values = sunspots()
    assert years.dtype == np.int64
    assert values.dtype == np.float64
    assert years.tolist() == list(range(1700, 2009))
    assert (values >= 0).all()
    assert values[years == 1957] == 190.2
    assert values[years == 1810] == 0
    assert round(float(values[years <= 1979].var()), 1) == 1495.6


def test_source_and_rights_are_beside_the_file():
    text = (files("tinygrad_rnn.data") / "README.md").read_text(encoding="utf-8")
    assert "public domain" in text
    assert "ngdc.noaa.gov" in text


def test_between_takes_both_ends_and_refuses_years_that_are_not_there():
    part = sunspots().between(1921, 1955)
    assert (part.years[0], part.years[-1], len(part.values)) == (1921, 1955, 35)
    for first, last in ((1699, 1800), (1900, 2009), (1900, 1899)):
        with pytest.raises(ValueError, match="1700 to 2008"):
            sunspots().between(first, last)


def test_autoregression_finds_the_coefficients_of_its_own_kind():
    rng = np.random.default_rng(0)
    x = [1.0, 2.0, 0.5]
    for _ in range(3000):
        x.append(0.3 + 0.5 * x[-1] - 0.2 * x[-2] + 0.1 * x[-3] + 0.01 * rng.normal())
    model = fit_autoregression(x, 3)
    assert model.order == 3
    assert model.weights == pytest.approx([0.5, -0.2, 0.1], abs=0.05)
    assert model.intercept == pytest.approx(0.3, abs=0.05)


def test_autoregression_looks_at_the_latest_value_first_and_never_ahead():
    model = Autoregression(10.0, np.array([1.0, 100.0]))
    values = np.array([1.0, 2.0, 3.0, 4.0])
    assert model.forecast(values).tolist() == [10 + 2 + 100, 10 + 3 + 200]
    changed = values.copy()
    changed[-1] = 1e9
    assert model.forecast(changed).tolist() == model.forecast(values).tolist()


def test_baselines_of_the_sunspots_are_the_known_ones():
    s = sunspots()
    values = s.between(1700, 1955).values
    actual, before = values[-35:], values[-36:-1]
    variance = s.between(1700, 1979).values.var()
    persistence = forecast_errors(before, actual, before, variance)
    model = fit_autoregression(s.between(1700, 1920).values, 9)
    linear = forecast_errors(model.forecast(values)[-35:], actual, before, variance)
    assert round(persistence.arv, 3) == 0.427
    assert persistence.skill == 0
    assert round(linear.arv, 3) == 0.126
    assert linear.skill == pytest.approx(1 - linear.arv / persistence.arv)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: fit_autoregression([1.0, 2.0], 0), "at least 1 step"),
        (lambda: fit_autoregression([1.0, 2.0, 3.0, 4.0], 2), "at least 5 values, got 4"),
        (lambda: fit_autoregression(np.zeros((3, 1)), 1), r"\(3, 1\)"),
        (lambda: Autoregression(0.0, np.ones(3)).forecast([1.0, 2.0, 3.0]), "got 3"),
        (lambda: forecast_errors([1.0], [1.0, 2.0], [1.0, 2.0], 1.0), "one length: 1, 2, 2"),
        (lambda: forecast_errors([], [], [], 1.0), "one length"),
    ],
)
def test_mistakes_are_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_skill_is_unknown_where_persistence_is_perfect():
    errors = forecast_errors([1.0], [2.0], [2.0], 1.0)
    assert math.isnan(errors.skill)
    assert errors.rmse == 1.0
