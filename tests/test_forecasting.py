"""A forecaster beside values computed by hand: the closed loop, the backtest, intervals, files, refusals."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.data import persistence, seasonal_naive, table
from tinygrad_rnn.forecasting import Backtest, Forecast

QUICK = {"epochs": 2, "progress": False}
NAN = float("nan")


def daily(n, columns=2, seed=0):
    rng = np.random.default_rng(seed)
    t = np.arange(n)
    load = 50 + 0.05 * t + 8 * np.sin(2 * np.pi * t / 7) + rng.normal(0, 1, n)
    more = [rng.normal(k, 2, n) for k in range(columns - 1)]
    dates = np.datetime64("2023-01-01") + t
    named = table(np.stack([load, *more], 1), dates)
    return table_named(named, ["load", "warm", "holiday"][:columns])


def table_named(given, names):
    from dataclasses import replace

    return replace(given, names=tuple(names))


class Leaky(nn.Module):
    """A cell of one's own."""

    def __init__(self, inputs, size):
        super().__init__()
        self.W, self.size = nn.Linear(inputs + size, size), size

    def initial_state(self, batch):
        return tg.zeros(batch, self.size)

    def forward(self, x, h):
        h = 0.8 * h + 0.2 * tg.tanh(self.W(tg.cat([x, h], -1)))
        return h, h


class Own(nn.Module):
    """A model of one's own, with a state."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.gru, self.out = nn.GRU(inputs, 5), nn.Linear(5, outputs)

    def forward(self, x, state=None):
        y, state = self.gru(x) if state is None else self.gru(x, state)
        return self.out(y), state


class Stateless(Own):
    """The same, which keeps its state for itself."""

    def forward(self, x):
        return super().forward(x)[0]


MODELS = {
    "lstm": ("lstm", {}),
    "gru, two layers": ("gru", {"layers": 2, "hidden": 4}),
    "rnn": ("rnn", {"hidden": 3}),
    "a layer": (lambda inputs, outputs: nn.LSTM(inputs, 6, peephole=True), {}),
    "a cell": (lambda inputs, outputs: nn.Recurrent(Leaky(inputs, 4)), {}),
    "a model": (Own, {}),
    "a model without state": (Stateless, {}),
}


# ---- the closed loop ------------------------------------------------------------------------------------


def by_hand(forecaster, history, n, known=None):
    """The forecast as a plain loop: the whole sequence again at every step, recorded, in training's sight.

    Scaling, the date's features and what goes where are written out here.
    """
    columns = [history.names.index(name) for name in forecaster.columns]
    rows = history.values[-forecaster.window :]
    dates = list(history.dates[-forecaster.window :])
    dates += [dates[-1] + np.timedelta64(k, "D") for k in range(1, n + 1)]
    offset, scale = forecaster.scaler.offset, forecaster.scaler.scale
    values = [(row[columns] - offset) / scale for row in rows]
    beside = []
    for t, date in enumerate(dates):
        row = []
        if forecaster.known:
            place = [history.names.index(name) for name in forecaster.known]
            given = rows[t][place] if t < len(rows) else known[t - len(rows)]
            k = forecaster.known_scaler
            row += list((given - k.offset) / k.scale)
        if forecaster.calendar:
            day = (date.astype("M8[D]").astype(int) + 3) % 7
            row += [np.sin(2 * np.pi * day / 7), np.cos(2 * np.pi * day / 7)]
        beside.append(np.array(row))
    for _ in range(n):
        x = np.array([[[*v, *b]] for v, b in zip(values, beside[1 : len(values) + 1], strict=True)])
        said = forecaster.network(tg.tensor(x.astype(np.float32)))
        said = said[0] if isinstance(said, tuple) else said
        assert said.requires_grad
        values.append(said[-1, 0].detach().numpy().astype(np.float64))
    made = np.array(values[-n:]) * scale + offset
    return made[:, [forecaster.columns.index(name) for name in forecaster.targets]]


@pytest.mark.parametrize("name", MODELS)
def test_the_closed_loop_by_hand(name):
    model, sizes = MODELS[name]
    series = daily(80, 3)
    forecaster = tg.Forecaster(model, window=9, known="holiday", calendar="dayofweek", **sizes)
    forecaster.fit(series, "load", **QUICK)
    known = np.array([[1.0], [0.0], [2.0], [0.5], [3.0]])
    ahead = table_named(table(known), ["holiday"])
    made = forecaster.forecast(5, known=ahead)
    np.testing.assert_allclose(made.values, by_hand(forecaster, series, 5, known), rtol=2e-4)
    np.testing.assert_array_equal(
        made.dates, series.dates[-1] + np.arange(1, 6) * np.timedelta64(1, "D")
    )
    other = daily(60, 3, seed=5)
    again = forecaster.forecast(3, other, known=ahead)
    np.testing.assert_allclose(again.values, by_hand(forecaster, other, 3, known), rtol=2e-4)


def test_training_sees_the_row_after_each_row():
    """Inputs and targets, a number at a time: what is known of the next row stands beside each row."""
    series = daily(40, 3)
    forecaster = tg.Forecaster("rnn", window=6, known="holiday", scaler="none").fit(series, **QUICK)
    x, y = forecaster._windows([series])
    for i in range(len(series) - 6):
        for t in range(6):
            load, warm, _ = series.values[i + t]
            after = series.values[i + t + 1]
            np.testing.assert_allclose(x[i, t], [load, warm, after[2]], rtol=1e-6)
            np.testing.assert_allclose(y[i, t], after[:2], rtol=1e-6)
    assert len(x) == len(y) == len(series) - 6


def test_scalers_see_the_training_rows_alone():
    series = daily(100, 2)
    forecaster = tg.Forecaster("rnn", window=6).fit(series, validation=0.25, **QUICK)
    rows = series.values[:75]
    for k in range(2):
        mean = sum(rows[:, k].tolist()) / 75
        np.testing.assert_allclose(forecaster.scaler.offset[k], mean)
        deviation = (sum((v - mean) ** 2 for v in rows[:, k].tolist()) / 75) ** 0.5
        np.testing.assert_allclose(forecaster.scaler.scale[k], deviation)


def test_what_is_said_of_a_row_does_not_depend_on_it_or_later():
    series = daily(80, 1)
    forecaster = tg.Forecaster("lstm", window=8).fit(series[:60], **QUICK)
    said = forecaster.predict(series)
    assert np.isnan(said[:8]).all()
    assert not np.isnan(said[8:]).any()
    changed = table(series.values.copy(), series.dates)
    changed.values[50:] += 100.0
    again = forecaster.predict(table_named(changed, ["load"]))
    np.testing.assert_array_equal(said[:51], again[:51])
    assert (abs(said[51:] - again[51:]) > 1).all()
    # each row's forecast is the closed loop's first
    for row in (8, 33, 79):
        one = forecaster.forecast(1, series[:row])
        np.testing.assert_allclose(one.values[0], said[row], rtol=1e-5)


def test_forecasts_are_made_in_evaluation_mode_and_leave_no_trace():
    series = daily(80, 1)
    forecaster = tg.Forecaster("gru", window=8, layers=2, dropout=0.5).fit(series, **QUICK)
    before = tg.get_rng_state()
    first, second = forecaster.forecast(4), forecaster.forecast(4)
    np.testing.assert_array_equal(first.values, second.values)
    forecaster.forecast(4, level=0.9)
    np.testing.assert_array_equal(forecaster.predict()[20:], forecaster.predict()[20:])
    assert tg.get_rng_state() == before
    assert not forecaster.network.training
    assert all(p.grad is None or p.requires_grad for p in forecaster.network.parameters())


def test_the_seed_says_it_all():
    series = daily(60, 1)
    one, two, other = (
        tg.Forecaster("rnn", window=6, seed=seed).fit(series, **QUICK).forecast(3, level=0.8)
        for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(one.values, two.values)
    np.testing.assert_array_equal(one.lower, two.lower)
    assert (one.values != other.values).all()


def test_lists_of_unequal_length():
    many = [daily(n, 1, seed=n).values for n in (50, 37, 90)]
    forecaster = tg.Forecaster("rnn", window=6).fit(many, validation=0.2, **QUICK)
    rows = np.concatenate([one[: len(one) - round(0.2 * len(one))] for one in many])
    np.testing.assert_allclose(forecaster.scaler.offset, rows.mean(0))
    forecasts = forecaster.forecast(2)
    assert [len(f) for f in forecasts] == [2, 2, 2]
    np.testing.assert_array_equal(forecasts[1].values, forecaster.forecast(2, many[1]).values)
    assert len(forecaster.forecast(2, [many[1]])) == 1
    assert [len(p) for p in forecaster.predict()] == [50, 37, 90]


def test_missing_values_by_choice():
    series = daily(80, 1)
    series.values[[20, 21, 79], 0] = NAN
    with pytest.raises(
        ValueError, match=r"3 in column 'load' \(2023-01-21, 2023-01-22, 2023-03-21\)"
    ):
        tg.Forecaster("rnn", window=6).fit(series, **QUICK)
    forecaster = tg.Forecaster("rnn", window=6, missing="forward").fit(series, **QUICK)
    filled = series.values.copy()
    filled[20:22], filled[79] = filled[19], filled[78]
    by_hand_filled = table_named(table(filled, series.dates), ["load"])
    np.testing.assert_array_equal(
        forecaster.forecast(2).values, forecaster.forecast(2, by_hand_filled).values
    )


# ---- the backtest ---------------------------------------------------------------------------------------


def test_the_backtest_by_hand():
    series = daily(100, 2)
    series.values[93, 0] = NAN
    forecaster = tg.Forecaster("gru", window=8, missing="forward").fit(series[:80], "load", **QUICK)
    made = forecaster.backtest(series, 4, stride=3)
    assert made.origins.tolist() == [80, 83, 86, 89, 92, 95]
    np.testing.assert_array_equal(made.starts, series.dates[made.origins])
    squares = {name: [[] for _ in range(4)] for name in made.forecasts}
    for i, origin in enumerate(made.origins):
        past = [series.values[t, 0] for t in range(origin)]
        for t in range(1, origin):
            past[t] = past[t - 1] if np.isnan(past[t]) else past[t]
        own = forecaster.forecast(4, series[:origin]).values[:, 0]
        for h in range(4):
            said = {
                "model": own[h],
                "persistence": past[-1],
                "seasonal naive (7)": past[origin - 7 + h % 7],
            }
            assert {name: f[i, h, 0] for name, f in made.forecasts.items()} == said
            came = series.values[origin + h, 0]
            if not np.isnan(came):
                for name, value in said.items():
                    squares[name][h].append((value - came) ** 2)
    for name in made.forecasts:
        expected = [(sum(many) / len(many)) ** 0.5 for many in squares[name]]
        np.testing.assert_allclose(made.rmse(name)[:, 0], expected)
    skill = 1 - (made.rmse()[:, 0] / made.rmse("persistence")[:, 0]) ** 2
    np.testing.assert_allclose(made.skill()[:, 0], skill)
    assert made.mae("persistence").shape == (4, 1)
    assert "seasonal naive (7)" in str(made)


@pytest.mark.parametrize("missing", ["interpolate", "forward"])
@pytest.mark.parametrize("refit", [False, True])
def test_no_forecast_knows_the_future(missing, refit):
    """What comes after an origin may be anything, missing too: nothing that is forecast from there moves."""
    series = daily(70, 3)
    series.values[[58, 59, 60], 0] = NAN  # a gap across the origin is filled from before it alone
    options = {"start": 60, "level": 0.8, "samples": 20, "refit": refit, "stride": 50}
    forecaster = tg.Forecaster("rnn", window=6, missing=missing, known="holiday")
    forecaster.fit(series[:60], "load", **QUICK)
    one = forecaster.backtest(series, 3, **options)
    changed = table_named(table(series.values.copy(), series.dates), series.names)
    changed.values[60:, :2] = np.random.default_rng(1).normal(1000, 100, (10, 2))
    two = forecaster.backtest(changed, 3, **options)
    assert one.origins.tolist() == two.origins.tolist() == [60]
    for name in one.forecasts:
        np.testing.assert_array_equal(one.forecasts[name], two.forecasts[name])
    np.testing.assert_array_equal(one.lower, two.lower)
    assert not np.array_equal(one.actual, two.actual)


def test_the_backtest_refuses_what_was_fitted():
    series = daily(80, 1)
    forecaster = tg.Forecaster("rnn", window=6).fit(series[:60], **QUICK)
    with pytest.raises(ValueError, match=r"2023-02-20 is among the 60 rows that were fitted"):
        forecaster.backtest(series, 3, start=50)
    with pytest.raises(ValueError, match="is among the 30 rows"):
        forecaster.backtest(series[30:], 3, start="2023-02-20")
    # a series that begins later, by its dates
    assert forecaster.backtest(series[30:], 3).origins[0] == 30
    assert forecaster.backtest(series, 3, start="2023-03-05").origins[0] == 63
    assert forecaster.backtest(series, 3, start=-5).origins.tolist() == [75, 76, 77]
    with pytest.raises(ValueError, match="none is left to test 3 rows"):
        forecaster.backtest(series[:61], 3)
    with pytest.raises(ValueError, match="horizon must be a whole number from 1 on, got 0"):
        forecaster.backtest(series, 0)
    with pytest.raises(ValueError, match="one series"):
        forecaster.backtest([series, series], 3)
    plain = tg.Forecaster("rnn", window=6).fit(series.values[:60], **QUICK)
    with pytest.raises(ValueError, match="is a date, and the series has none"):
        plain.backtest(series.values, 3, start="2023-03-05")
    assert list(plain.backtest(series.values, 3).forecasts) == ["model", "persistence"]
    assert "seasonal naive (5)" in plain.backtest(series.values, 3, season=5).forecasts


def test_a_constant_series():
    forecaster = tg.Forecaster("rnn", window=5).fit(np.ones(40), **QUICK)
    made = forecaster.backtest(np.ones(50), 2, level=0.9)
    assert np.isnan(made.skill()).all()
    assert (made.rmse("persistence") == 0).all()


def test_naive_forecasts():
    assert persistence([[1.0, 2.0], [3.0, 4.0]], 2).tolist() == [[3.0, 4.0], [3.0, 4.0]]
    values = np.arange(10.0)
    for season in (1, 3, 10):
        made = seasonal_naive(values, 12, season)
        longer = list(values)
        for _ in range(12):
            longer.append(longer[-season])
        assert made.tolist() == longer[10:]
    with pytest.raises(ValueError, match="needs as many values, got 2"):
        seasonal_naive([1.0, 2.0], 3, 3)
    with pytest.raises(ValueError, match="from 1 on, got 0"):
        persistence([1.0], 0)


# ---- intervals ------------------------------------------------------------------------------------------


def test_the_pinball_loss_by_hand(rng):
    forecaster = tg.Forecaster("rnn", window=6, quantiles=(0.1, 0.5, 0.8)).fit(
        daily(60, 2), **QUICK
    )
    said = rng.standard_normal((4, 6, 6)).astype(np.float32)
    came = rng.standard_normal((4, 2, 2)).astype(np.float32)  # the last two steps alone
    total = []
    for b in range(4):
        for t in range(2):
            for k in range(2):
                for i, q in enumerate((0.1, 0.5, 0.8)):
                    error = float(came[b, t, k]) - float(said[b, t + 4, 2 * i + k])
                    total.append(q * error if error > 0 else (q - 1) * error)
    loss = forecaster._loss(tg.tensor(said), tg.tensor(came))
    np.testing.assert_allclose(float(loss), sum(total) / len(total), rtol=1e-5)


def test_drawn_values_have_the_quantiles():
    from tinygrad_rnn.forecasting.closed_loop import drawn_from_quantiles, middle, with_residuals

    quantiles = (0.05, 0.25, 0.5, 0.75, 0.95)
    nodes = np.array([-3.0, -1.0, 0.0, 2.0, 7.0])
    said = np.tile(nodes, (200_000, 1))
    choose = drawn_from_quantiles(quantiles, 1, np.random.default_rng(0))
    drawn = choose(said, 0)[:, 0]
    np.testing.assert_allclose(np.quantile(drawn, quantiles), nodes, atol=0.06)
    assert middle(quantiles, 1)(said, 0)[0, 0] == 0.0
    crossed = middle((0.25, 0.5, 0.75), 2)(np.array([[5.0, 1.0, 2.0, 1.5, 3.0, 0.0]]), 0)
    np.testing.assert_array_equal(crossed, [[3.0, 1.0]])  # the middle of 5, 2, 3 and of 1, 1.5, 0
    errors = with_residuals(np.array([[1.0], [-1.0]]), 1, np.random.default_rng(0))
    assert set(errors(np.full((100, 1), 4.0), 0).ravel()) == {3.0, 5.0}


class Walk(nn.Module):
    """Says that the next value is this one."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.one = nn.Parameter(tg.ones(1))

    def forward(self, x, state=None):
        return x * self.one, 0


def test_intervals_of_a_random_walk_widen_by_the_root():
    steps = np.random.default_rng(0).normal(0, 2.0, 3000)
    forecaster = tg.Forecaster(Walk, window=2, scaler="none")
    forecaster.fit(np.cumsum(steps), lr=0.0, epochs=1, progress=False)
    made = forecaster.forecast(16, level=0.9, samples=4000)
    width = (made.upper - made.lower).ravel()
    expected = 2 * 1.645 * 2.0 * np.sqrt(np.arange(1, 17))
    np.testing.assert_allclose(width, expected, rtol=0.1)
    assert (made.lower < made.values).all()
    assert (made.values < made.upper).all()


@pytest.mark.parametrize("how", [{"quantiles": True}, {"dropout": 0.1}, {}])
def test_intervals_hold_what_they_say(how):
    rng = np.random.default_rng(3)
    t = np.arange(900)
    series = 5 * np.sin(2 * np.pi * t / 7) + rng.normal(0, 1, 900)
    forecaster = tg.Forecaster("gru", window=14, hidden=8, **how)
    forecaster.fit(series[:600], epochs=40, progress=False)
    made = forecaster.backtest(series, 3, stride=2, level=0.8, samples=100)
    assert 0.65 < made.coverage().mean() < 0.92
    assert (made.rmse() < 0.5 * made.rmse("persistence")).all()


def test_dropout_is_on_while_courses_are_drawn():
    series = np.sin(np.arange(100.0))
    forecaster = tg.Forecaster("gru", window=8, dropout=0.5).fit(series, **QUICK)
    forecaster.residuals = forecaster.residuals * 0
    made = forecaster.forecast(3, level=0.9)
    assert (made.upper - made.lower > 1e-3).all()
    still = tg.Forecaster("gru", window=8).fit(series, **QUICK)
    still.residuals = still.residuals * 0
    made = still.forecast(3, level=0.9)
    np.testing.assert_allclose(made.upper, made.lower, atol=1e-5)


# ---- files ----------------------------------------------------------------------------------------------

LOADED = """
import sys, numpy as np, tinygrad_rnn as tg
forecaster = tg.Forecaster.load(sys.argv[1])
made = forecaster.forecast(4, level=0.9)
np.save(sys.argv[2], np.stack([made.values, made.lower, made.upper]))
print(made.dates[0], *forecaster.targets, len(forecaster.history.rows))
"""


def test_a_file_forecasts_elsewhere_to_the_same_bits(tmp_path):
    series = daily(80, 2)
    options = {"window": 8, "calendar": ("dayofweek", "month"), "quantiles": (0.1, 0.5, 0.9)}
    forecaster = tg.Forecaster("gru", hidden=5, layers=2, **options).fit(series, "load", **QUICK)
    made = forecaster.forecast(4, level=0.9)
    path = tmp_path / "load.safetensors"
    forecaster.save(path)
    where = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", LOADED, str(path), str(tmp_path / "made.npy")]
    done = subprocess.run(command, env=where, cwd="/", capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["2023-03-22T00:00:00", "load", "2"]
    expected = np.stack([made.values, made.lower, made.upper])
    np.testing.assert_array_equal(np.load(tmp_path / "made.npy"), expected)
    metadata = tg.read_metadata(path)["metadata"]
    assert metadata["tinygrad_rnn.version"] == tg.__version__
    assert "tinygrad_rnn.numpy" in metadata
    again = tg.Forecaster.load(path)
    np.testing.assert_array_equal(again.backtest(daily(95, 2), 4).origins[:1], [80])
    assert repr(again) == repr(forecaster)


def test_a_model_of_ones_own_in_a_file(tmp_path):
    path = tmp_path / "own.safetensors"
    forecaster = tg.Forecaster(Own, window=6, known="holiday").fit(daily(50, 3), **QUICK)
    forecaster.save(path)
    with pytest.raises(ValueError, match=r"holds the weights of a Own: load\(file, model=...\)"):
        tg.Forecaster.load(path)
    known = table_named(table([1.0, 2.0]), ["holiday"])
    np.testing.assert_array_equal(
        tg.Forecaster.load(path, Own).forecast(2, known=known).values,
        forecaster.forecast(2, known=known).values,
    )
    tg.Forecaster("rnn", window=6).fit(daily(50, 1), **QUICK).save(path)
    with pytest.raises(ValueError, match="holds a rnn, which needs no model="):
        tg.Forecaster.load(path, Own)


def test_a_save_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "load.safetensors"
    forecaster = tg.Forecaster("rnn", window=6).fit(daily(50, 1), **QUICK)
    forecaster.save(path)
    old = path.read_bytes()

    def full(*_):
        raise OSError("the disk is full")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="full"):
        tg.Forecaster("gru", window=6).fit(daily(50, 1), **QUICK).save(path)
    assert path.read_bytes() == old
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "linear.safetensors"
    nn.Linear(2, 1).save(path)
    with pytest.raises(tg.FileFormatError, match="no file of a Forecaster"):
        tg.Forecaster.load(path)
    with pytest.raises(ValueError, match="call fit first"):
        tg.Forecaster().save(path)


# ---- what is refused ------------------------------------------------------------------------------------


class Ahead(Own):
    """Looks at the mean over all steps."""

    def forward(self, x, state=None):
        y, state = super().forward(x, state)
        return y + x.mean(0, keepdim=True).sum(), state


class Forgets(Own):
    """Takes a state and does not use it."""

    def forward(self, x, state=None):
        return super().forward(x)


class Text(Own):
    def forward(self, x, state=None):
        return "load"


@pytest.mark.parametrize(
    ("model", "kind", "words"),
    [
        (Ahead, ValueError, "Ahead: its output at a step depends on later steps"),
        (Forgets, ValueError, "does not go on where the state was left"),
        (Text, TypeError, "Text returned a str"),
        (
            lambda i, o: Own(i, o + 1),
            ValueError,
            r"expected \(time, batch, outputs\) = \(6, 2, 1\)",
        ),
        (lambda i, o: "lstm", TypeError, "must give a Module"),
        (lambda i, o: nn.LSTM(i, 3, bidirectional=True), ValueError, "bidirectional=True reads"),
        (lambda i, o: nn.LSTM(i, 3, batch_first=True), ValueError, "batch_first=True"),
        (nn.LSTM(7, 3), ValueError, "LSTM must take 1 inputs"),
    ],
)
def test_models_that_cannot_forecast(model, kind, words):
    with pytest.raises(kind, match=words):
        tg.Forecaster(model, window=6).fit(np.arange(50.0), **QUICK)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"model": "lsmt"}, "model must be one of rnn, gru, lstm or a Module, got 'lsmt'"),
        ({"window": 0}, "window must be a whole number from 1 on"),
        ({"missing": "mean"}, "missing must be one of"),
        ({"scaler": "robust"}, "kind must be one of"),
        ({"calendar": "week"}, "'week' is no feature"),
        ({"quantiles": (0.1, 0.9)}, "0.5 among them"),
        ({"quantiles": (0.5, 0.1, 0.9)}, "quantiles rise"),
        ({"model": Own, "hidden": 4}, "hidden: a model of your own has sizes"),
        ({"hidden": 0}, "hidden_size"),
        ({"dropout": 1.5}, "must be between 0 and 1"),
        ({"window": "7"}, "window must be a whole number from 1 on, got '7'"),
        ({"quantiles": 0.9}, r"quantiles are several shares such as .0.1, 0.5, 0.9., or True"),
        ({"quantiles": "all"}, "quantiles are several shares"),
        ({"quantiles": (0.1, 0.5, "0.9")}, "quantiles are several shares"),
        ({"quantiles": np.array([0.9, 0.1])}, "quantiles rise"),
        ({"seed": -1}, "seed must be a whole number from 0 on, got -1"),
        ({"seed": 1.5}, "seed must be a whole number"),
    ],
)
def test_options_are_refused_at_once(options, words):
    with pytest.raises(ValueError, match=words):
        tg.Forecaster(**options)


@pytest.mark.parametrize("model", [None, 5, 0.5, [nn.LSTM]])
def test_what_makes_no_model(model):
    with pytest.raises(TypeError, match="model is a name, a Module or a function"):
        tg.Forecaster(model)
    with pytest.raises(TypeError, match=r"calendar: features are of hour.*got True"):
        tg.Forecaster(calendar=True)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"epochs": 0}, "epochs must be a whole number from 1 on, got 0"),
        ({"epochs": 2.5}, "epochs must be"),
        ({"validation": "a"}, "validation is a share of the rows, from 0 to below 1, got 'a'"),
        ({"validation": [1.0]}, "validation is a share.*got a list"),
        ({"validation": True}, "validation is a share"),
        ({"clip": 0}, "clip must be above 0"),
    ],
)
def test_options_of_fit_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        tg.Forecaster("rnn", window=6).fit(daily(60), **(QUICK | options))


def test_what_is_known_is_found_by_its_dates():
    """A whole year of holidays may be given: the rows to be forecast are taken from it."""
    series = daily(90, 3)
    known = tg.Forecaster("rnn", window=6, known="holiday").fit(series[:60], **QUICK)
    right = known.forecast(3, known=series[60:63].columns("holiday")).values
    for ahead in (series, series[50:80], series[60:]):
        np.testing.assert_array_equal(known.forecast(3, known=ahead).values, right)
    with pytest.raises(ValueError, match="known has 2 rows from 2023-03-02 on, and 3 are to be"):
        known.forecast(3, known=series[:62])


def test_a_backtest_on_later_rows_alone():
    """A series that begins after what was fitted: its first window is read, all after it is tested."""
    series = daily(120)
    forecaster = tg.Forecaster("rnn", window=6).fit(series[:60], **QUICK)
    later = forecaster.backtest(series[70:], 2)
    assert later.origins[0] == 6
    assert str(later.starts[0]) == str(series.dates[76])
    whole = forecaster.backtest(series, 2, start=76)
    np.testing.assert_allclose(later.forecasts["model"], whole.forecasts["model"], rtol=1e-6)
    for start in (whole.starts[0], str(whole.starts[0])[:10], whole.starts[0].item()):
        assert forecaster.backtest(series, 2, start=start).origins[0] == 76
    for start in ("May", 76.0, object()):
        with pytest.raises(TypeError, match="start: row 0"):
            forecaster.backtest(series, 2, start=start)
    with pytest.raises(ValueError, match="season must be a whole number from 1 on, got 0"):
        forecaster.backtest(series, 2, season=0)
    with pytest.raises(
        ValueError, match=r"level is a share between 0 and 1, such as 0\.9, got '90%'"
    ):
        forecaster.backtest(series, 2, level="90%")


def test_a_folder_is_no_file(tmp_path):
    forecaster = tg.Forecaster("rnn", window=6).fit(daily(60), **QUICK)
    with pytest.raises(IsADirectoryError, match="is a folder: name a file in it"):
        forecaster.save(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_series_are_refused():
    forecaster = tg.Forecaster("rnn", window=20)
    with pytest.raises(
        ValueError, match=r"series 0 has 24 rows, 19 of them to train on, and window=20"
    ):
        forecaster.fit(np.arange(24.0))
    with pytest.raises(ValueError, match="call fit first"):
        forecaster.forecast(1)
    with pytest.raises(ValueError, match="there is no target 'laod'"):
        forecaster.fit(daily(60), "laod")
    with pytest.raises(ValueError, match="no known column 'hol'"):
        tg.Forecaster(known="hol").fit(daily(60))
    with pytest.raises(ValueError, match="is a known column"):
        tg.Forecaster(known="warm").fit(daily(60), "warm")
    with pytest.raises(ValueError, match="every column is known"):
        tg.Forecaster(known="load").fit(daily(60, 1))
    with pytest.raises(ValueError, match="needs dates, and the series has none"):
        tg.Forecaster(calendar="month").fit(np.arange(60.0))
    with pytest.raises(ValueError, match="share of the rows"):
        forecaster.fit(np.arange(60.0), validation=1.0)
    forecaster.fit(daily(60), **QUICK)
    for n in (0, -1, 1.5, True):
        with pytest.raises(ValueError, match="n must be a whole number from 1 on"):
            forecaster.forecast(n)
    with pytest.raises(ValueError, match="level is a share"):
        forecaster.forecast(2, level=90)
    with pytest.raises(ValueError, match="has no warm"):
        forecaster.forecast(2, daily(60, 1))
    with pytest.raises(ValueError, match="has no dates"):
        forecaster.forecast(2, table_named(table(daily(60).values), ["load", "warm"]))
    hours = np.datetime64("2023-01-01T00") + np.arange(60)
    with pytest.raises(ValueError, match="apart in fitting"):
        forecaster.forecast(2, table_named(table(daily(60).values, hours), ["load", "warm"]))
    with pytest.raises(ValueError, match="no known columns"):
        forecaster.forecast(2, known=[1.0, 2.0])
    known = tg.Forecaster("rnn", window=6, known="holiday").fit(daily(60, 3), **QUICK)
    with pytest.raises(ValueError, match="needs known=, the next 2 rows of holiday"):
        known.forecast(2)
    with pytest.raises(ValueError, match="known has 1 rows, and 2 are to be"):
        known.forecast(2, known=table_named(table([1.0]), ["holiday"]))
    late = table_named(table([1.0, 2.0], ["2023-05-01", "2023-05-02"]), ["holiday"])
    with pytest.raises(
        ValueError, match="known begins at 2023-05-01, and the forecast at 2023-03-02"
    ):
        known.forecast(2, known=late)


# ---- the example ----------------------------------------------------------------------------------------


def test_the_example_to_copy_stands_on_public_names(tmp_path):
    path = Path(__file__).parent.parent / "examples" / "own_series.py"
    code = path.read_text(encoding="utf-8")
    tree = ast.parse(code)
    imported = [n for n in ast.walk(tree) if isinstance(n, (ast.Import, ast.ImportFrom))]
    assert [alias.name for n in imported for alias in n.names] == ["sys", "tinygrad_rnn"]
    chains = re.findall(r"\btg\.(\w+)(?:\.(\w+))?", code.partition('"""\n\n')[2])
    assert len(chains) > 4
    for first, second in chains:
        assert first in tg.__all__, first
        if second and second != "load":
            assert second in getattr(tg, first).__all__, second
    series = daily(60, 1)
    rows = [f"{d},{v[0]:.2f}" for d, v in zip(series.dates, series.values, strict=True)]
    (tmp_path / "my.csv").write_text("\n".join(["date,load", *rows]))
    where = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(path), "my.csv", "load", "3"]
    done = subprocess.run(
        command, env=where, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "RMSE of load" in done.stdout
    assert (tmp_path / "forecaster.safetensors").is_file()


def test_a_few_rows_are_on_the_grid_that_was_fitted():
    workdays = np.busday_offset("2024-01-01", np.arange(60))
    series = table(np.sin(np.arange(60.0)), workdays)
    forecaster = tg.Forecaster("rnn", window=5).fit(series, **QUICK)
    week = table(series.values[5:10], workdays[5:10])  # Monday to Friday
    assert week.frequency != series.frequency
    made = forecaster.forecast(2, week)
    assert made.dates.astype("M8[D]").tolist() == workdays[10:12].tolist()
    np.testing.assert_array_equal(made.values, forecaster.forecast(2, series[:10]).values)
    with pytest.raises(ValueError, match=r"series 1 has rows .* apart"):
        tg.Forecaster("rnn", window=5).fit([series, table(series.values)], **QUICK)
    # a history may be shorter than the window, down to a row
    last = table(series.values[59:], workdays[59:])
    np.testing.assert_array_equal(
        forecaster.forecast(3, last).values, forecaster.forecast(3, series[59:]).values
    )
    assert len(forecaster.forecast(3, series[59:60])) == 3
    assert tg.Forecaster("rnn", window=5, known=1).fit(daily(40, 2).values, **QUICK).known == ("1",)


# ---- results --------------------------------------------------------------------------------------------


def test_a_forecast_becomes_a_frame():
    pandas = pytest.importorskip("pandas")
    series = daily(60, 2)
    frame = pandas.DataFrame(series.values, columns=series.names, index=series.dates)
    made = tg.Forecaster("rnn", window=6).fit(frame, "load", **QUICK).forecast(3, level=0.9)
    assert isinstance(made, Forecast)
    columns = made.to_frame()
    assert list(columns) == ["load", "load lower", "load upper"]
    assert columns.index[0] == pandas.Timestamp("2023-03-02")
    np.testing.assert_array_equal(columns["load"], np.asarray(made)[:, 0])
    test = tg.Forecaster("rnn", window=6).fit(frame[:50], **QUICK).backtest(frame, 2)
    assert isinstance(test, Backtest)
    errors = test.to_frame()
    chosen = errors[
        (errors.target == "warm") & (errors.forecast == "persistence") & (errors.step == 2)
    ]
    np.testing.assert_allclose(chosen.rmse, test.rmse("persistence")[1, 1])


@pytest.mark.parametrize("quantiles", [False, (0.1, 0.5, 0.9)])
@pytest.mark.parametrize("validation", [0.0, 0.25])
def test_the_baseline_of_the_history_is_the_best_constant(quantiles, validation):
    values = np.sin(np.arange(120.0)) + np.arange(120.0) / 50
    made = tg.Forecaster("gru", window=10, hidden=2, quantiles=quantiles)
    made.fit(values, epochs=1, validation=validation, progress=False)
    trained = 120 - round(120 * validation)
    scaled = (values - values[:trained].mean()) / values[:trained].std()
    fitted = np.concatenate([scaled[k + 1 : k + 11] for k in range(trained - 10)])
    judged = scaled[trained:] if validation else fitted
    if quantiles:
        errors = [(judged - np.quantile(fitted, q), q) for q in quantiles]
        right = np.mean([np.maximum(e * q, e * (q - 1)).mean() for e, q in errors])
    else:
        right = ((judged - fitted.mean()) ** 2).mean()
    assert made.history.baseline == pytest.approx(right, rel=1e-5)


def test_plots_show_what_they_are_given():
    pytest.importorskip("matplotlib")
    series = daily(60, 1)
    forecaster = tg.Forecaster("rnn", window=6).fit(series[:50], **QUICK)
    made = forecaster.forecast(3, level=0.9)
    (axes,) = made.plot(rows=10).axes
    came, said = axes.lines
    np.testing.assert_array_equal(came.get_ydata()[:10], series.values[40:50, 0])
    np.testing.assert_array_equal(said.get_ydata()[-3:], made.values[:, 0])
    assert said.get_ydata()[-4] == series.values[49, 0]
    assert [c.get_label() for c in axes.collections] == ["90% interval"]
    (axes,) = forecaster.backtest(series, 3).plot().axes
    assert [line.get_label() for line in axes.lines] == [
        "model",
        "persistence",
        "seasonal naive (7)",
    ]
    (axes,) = forecaster.history.plot().axes
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), forecaster.history.loss)
    with pytest.raises(ValueError, match="before the first epoch"):
        tg.training.History().plot()
