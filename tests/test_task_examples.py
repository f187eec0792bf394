"""The examples with real data do what they say: padding, gaps, resets, closed loops; none sees its test."""

import dataclasses
import importlib.util
import sys
import types
from pathlib import Path

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import data
from tinygrad_rnn.experiments import examples
from tinygrad_rnn.experiments.demo import forecaster

ROOT = Path(tg.__file__).parents[1]
pytestmark = pytest.mark.skipif(
    not (ROOT / "examples").is_dir(), reason="examples are in the repository only"
)


def weights(model):
    return [p.numpy() for p in model.parameters()]


def alike(a, b):
    return all(np.array_equal(x, y) for x, y in zip(weights(a), weights(b), strict=True))


# ---- names ----------------------------------------------------------------------------------------


def test_padding_changes_no_score():
    names = examples.load("names")
    model, losses = names.train(["ann", "elizabeth", "mo"] * 4, seed=0, iterations=3, batch=5)
    words = ["jo", "christina", "ann", "eve"]
    alone = [names.score(model, [word]) for word in words]
    counts = [len(word) + 1 for word in words]
    assert names.score(model, words) == pytest.approx(np.average(alone, weights=counts), rel=1e-5)
    assert names.score(model, words, size=1) == pytest.approx(names.score(model, words), rel=1e-5)
    assert len(losses) == 3
    x, y, lengths, mask = next(iter(names.loader(words, 4)))
    assert x.shape == y.shape == mask.shape == (10, 4)
    assert lengths.tolist() == counts
    assert [names.ALPHABET[k] for k in y[:3, 0].tolist()] == ["j", "o", "\n"]


def test_spelling_stops_at_the_end_or_after_19_characters():
    names = examples.load("names")
    model = names.Speller()
    made = [names.spell(model, np.random.default_rng(seed)) for seed in range(20)]
    assert all(set(name) <= set(names.ALPHABET[1:]) and len(name) < 20 for name in made)
    assert names.spell(model, np.random.default_rng(3)) == made[3]
    model.head.bias = tg.nn.Parameter([-100.0] + [0.0] * 26)
    assert len(names.spell(model, np.random.default_rng(0))) == 19


# ---- CO2 ------------------------------------------------------------------------------------------


def test_stretches_have_no_gap_and_targets_are_a_week_later():
    co2 = examples.load("co2")
    x, y = co2.stretches(len(co2.SERIES.values), 2.0)
    assert all(np.isfinite(a).all() and np.isfinite(b).all() for a, b in zip(x, y, strict=True))
    assert all(len(a) == len(b) for a, b in zip(x, y, strict=True))
    np.testing.assert_array_equal(x[-1][1:, 0], y[-1][:-1, 0])
    changes = np.diff(data.co2().values)
    known = ~np.isnan(changes)
    assert sum(map(len, y)) == (known[1:] & known[:-1]).sum()  # every pair of changes in a row
    np.testing.assert_allclose(y[-1][-260:, 0], changes[-260:] / 2, rtol=1e-5)


def test_training_sees_no_week_of_the_test(monkeypatch):
    co2 = examples.load("co2")
    end = len(co2.SERIES.values) - co2.AHEAD
    model, _, scale = co2.train(end, 0, 2)
    changed = co2.CHANGE.copy()
    changed[end:] += 5.0
    monkeypatch.setattr(co2, "CHANGE", changed)
    again, _, same = co2.train(end, 0, 2)
    assert scale == same
    assert alike(model, again)
    changed[end - 1] += 5.0
    assert not alike(model, co2.train(end, 0, 2)[0])


def test_a_forecast_is_of_the_weeks_before_it_and_a_reset_forgets(monkeypatch):
    co2 = examples.load("co2")
    n = len(co2.SERIES.values)
    model, _, scale = co2.train(n - co2.AHEAD, 0, 2)
    made, reset = co2.forecast(model, scale, n), co2.forecast(model, scale, n, reset=13)
    assert made.shape == reset.shape == (260,)
    assert np.abs(made - reset).max() > 0
    changed = co2.CHANGE.copy()
    changed[n - 100] += 1.0  # the change into a week moves what is said of the weeks after it
    monkeypatch.setattr(co2, "CHANGE", changed)
    moved = np.flatnonzero(co2.forecast(model, scale, n) != made)
    assert moved[0] == 161


# ---- sunspots, sine, digits -----------------------------------------------------------------------


def test_how_late_a_forecast_is():
    sunspots = examples.load("sunspots")
    values = data.sunspots().between(1700, 1955).values
    for late in range(4):
        assert sunspots.shift(values[-35 - late : len(values) - late] + 0.5, values) == late


def test_the_demo_and_the_example_reach_the_same(monkeypatch):
    """By the demo's own code, after as many steps."""
    from tinygrad_rnn.experiments.demo import forecaster, prediction

    result = examples.load("sunspots").run(seed=1, iterations=4)
    known = data.sunspots().between(1700, 1920).values
    _, errors = prediction.compare(forecaster.train(known, 1, steps=4))
    assert result.reached == pytest.approx(errors["LSTM(8)"].arv, rel=1e-5)
    assert result.reference == errors["AR(9)"].arv
    assert result.baseline == errors["persistence"].arv


def test_a_closed_loop_is_fed_its_own_forecasts():
    sine = examples.load("sine")
    model = sine.Oscillator().double()
    x = tg.tensor(data.sine_waves(30, 2, np.random.default_rng(0)).x)
    made = sine.closed_loop(model, x, 5)
    assert made.shape == (5, 2)
    with tg.no_grad():
        for k in range(5):  # the whole sequence again, longer by what was said
            y, _ = model(x)
            np.testing.assert_allclose(y[-1].numpy()[:, 0], made[k], rtol=1e-9)
            x = tg.cat([x, y[-1:]])


def test_the_reader_answers_from_its_last_state():
    digits = examples.load("digits")
    x = np.random.default_rng(0).random((64, 7, 1)).astype(np.float32)
    model, losses = digits.train(data.Batch(x, np.arange(7)), 0, 3, batch=3)
    assert len(losses) == 3
    output, _ = model.gru(x)
    np.testing.assert_array_equal(model(x).numpy(), model.head(output[-1]).numpy())
    said = model(x).numpy().argmax(1)
    assert digits.accuracy(model, data.Batch(x, said)) == 1
    assert digits.accuracy(model, data.Batch(x, (said + 1) % 10)) == 0


def test_the_last_states_of_two_directions_sit_at_both_ends():
    x = np.random.default_rng(0).random((64, 7, 1)).astype(np.float32)
    seen = dict(examples.load("digits").both_directions(x))
    assert seen == {
        "output[-1, :, :H], h_n[0]": 64,
        "output[0, :, H:], h_n[1]": 64,
        "output[-1, :, H:]": 1,
    }


# ---- how settings were chosen ---------------------------------------------------------------------


@pytest.fixture
def choices(monkeypatch):
    spec = importlib.util.spec_from_file_location("choices", ROOT / "benchmarks" / "choices.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


def narrow(choices, monkeypatch, name, **grid):
    """Leave of a choice's grid what is named."""
    changed = dataclasses.replace(choices.CHOICES[name], grid=grid)
    monkeypatch.setitem(choices.CHOICES, name, changed)


def test_settings_are_chosen_without_the_test(choices, monkeypatch, capsys):
    few = data.Split(["ann", "mary", "eve"], ["jo", "ida"], None)  # a look at the test would fail
    monkeypatch.setattr(choices, "first_names", lambda: few)
    example = examples.load("names")
    monkeypatch.setattr(choices.examples, "load", lambda name: example)
    monkeypatch.setattr(example, "ITERATIONS", 1)
    narrow(choices, monkeypatch, "names", rate=(0.01, 0.02), batch=(64,))
    choices.choose("names", 1)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert lines[-1].startswith("in use: {'rate': 0.01, 'batch': 64}")


def test_the_sunspots_rate_is_chosen_on_years_before_the_test(choices, monkeypatch, capsys):
    seen = []

    def train(values, seed, **setting):
        seen.append(len(values))
        return forecaster.train(values, seed, steps=1, **setting)

    fake = types.SimpleNamespace(FIRST=forecaster.FIRST, train=train)
    assert choices.in_use("sunspots", None, "rate") == 0.03
    assert choices.in_use("sunspots", None, "falls") is True
    monkeypatch.setattr(choices, "forecaster", fake)
    found = choices.sunspots(None, 0, {"rate": 0.03, "falls": False})
    assert seen == [101, 141, 181]  # 1700 to 1800, 1840, 1880: forty years on it is 1920
    assert 0 < found < 1e5


def test_with_generated_data_every_choosing_seed_has_to_reach_the_figure(
    choices, monkeypatch, capsys
):
    example, asked = examples.load("reber"), []
    monkeypatch.setattr(choices.examples, "load", lambda name: example)

    def train(seed, most, bias=example.BIAS):
        asked.append((seed, most))
        return None, 400 + seed, [(1.0, 1.0) if bias == 20.0 or seed == 21 else (1.0, 0.5)]

    monkeypatch.setattr(example, "train", train)
    narrow(choices, monkeypatch, "reber", bias=(3.0, 20.0))
    assert choices.choose("reber", 2)
    assert asked == 2 * [(20, 8440), (21, 8440)]  # none of those that are judged
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[1][2:] == ["1", "of", "2", "inf", "421", "inf"]
    assert lines[2][2:] == ["2", "of", "2", "420.5", "420", "421"]
    monkeypatch.setattr(example, "train", lambda seed, most, bias=3.0: train(seed, most, bias))
    assert not choices.choose("reber", 2)
