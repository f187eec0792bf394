"""Why does a forecast look like yesterday's value, shifted?

Because the last value is the first thing that lowers the error. A network that has learnt little else
repeats it, and its plot is the series itself, one step late: right at every turn, and worth nothing. So a
forecast is held against persistence, "the same as last year": skill is 1 - MSE / MSE of persistence. The
table follows one training: by how many years late the forecast fits the true series best, and its skill.

One LSTM reads the yearly sunspot numbers from 1700 on; 1921 to 1955 are forecast, each from the years
before it. To beat, with the median of five seeds, is a linear autoregression on nine years. Average
relative variance is MSE / variance of 1700 to 1979 (Weigend, Huberman & Rumelhart 1990).
Settings were chosen on years up to 1920 (benchmarks/choices.py).
"""

from functools import partial

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.data import fit_autoregression, forecast_errors, sunspots
from tinygrad_rnn.experiments import QUIET, Task, main
from tinygrad_rnn.plots import plot_forecast

TRAINED, TESTED, HIDDEN, ITERATIONS = 1920, 1955, 8, 300  # fit on 1700 ... 1920
TASK = Task(
    "sunspots",
    f"LSTM({HIDDEN}), Adam 0.03 falling to 0, clip 1, {ITERATIONS} iterations on 1700 to {TRAINED}; "
    f"{TRAINED + 1} to {TESTED}, one year ahead; to be below AR(9)",
    "average relative variance",
    judged="median",
    short=3,
)


class Forecaster(nn.Module):
    """Reads the series a year at a time; after each year it says what the next will be."""

    def __init__(self):
        super().__init__()
        self.lstm, self.head = nn.LSTM(1, HIDDEN), nn.Linear(HIDDEN, 1)

    def forward(self, x):
        """(time, batch, 1) in, (time, batch, 1) out."""
        y, _ = self.lstm(x)
        return self.head(y)


def train(x, seed, iterations, show=QUIET, watch=lambda k, model: None, rate=0.03):
    """Fit a Forecaster to a sequence (time, 1, 1): at each year the target is the year after."""
    tg.manual_seed(seed)
    model, losses = Forecaster(), []
    optimizer = optim.Adam(model.parameters(), lr=rate)

    def mse():
        return nn.functional.mse_loss(model(x[:-1]), x[1:])

    show.gradient("before training", model, mse())
    for k in show.bar(range(iterations)):
        watch(k, model)
        optimizer.param_groups[0]["lr"] = rate * (1 - k / iterations)
        loss = mse()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    show.gradient("after training", model, mse())
    return model, losses


def shift(forecast, values):
    """How many years late the forecast is, by which it fits the true values best: 0 to 3."""
    late = [values[len(values) - len(forecast) - k : len(values) - k] for k in range(4)]
    return int(np.argmin([np.mean((forecast - series) ** 2) for series in late]))


def run(seed=0, quick=False, iterations=None, show=QUIET):
    """Train, forecast the test years, compare."""
    series, iterations = sunspots(), iterations or (5 if quick else ITERATIONS)
    known, values = (series.between(1700, year).values for year in (TRAINED, TESTED))
    test = series.between(TRAINED + 1, TESTED)
    n, variance = len(test.values), series.between(1700, 1979).values.var()
    scale, stages = known.max(), {}  # the network sees values between 0 and about 1

    @tg.no_grad()
    def forecast(model):  # of each test year from the true values before it, and none after
        return model(tg.tensor(values[:-1, None, None] / scale)).numpy().ravel()[-n:] * scale

    def watch(k, model):
        if show.active and k in (10, 20, 40, 80, 160):
            stages[f"LSTM({HIDDEN}), after {k}"] = forecast(model)

    x = tg.tensor(known[:, None, None] / scale)
    model, losses = train(x, seed, iterations, show, watch)
    made = {
        "persistence": values[-n - 1 : -1],
        "AR(9)": fit_autoregression(known, order=9).forecast(values)[-n:],
        **stages,
        f"LSTM({HIDDEN}), after {iterations}": forecast(model),
    }
    came, last = test.values, made["persistence"]
    errors = {name: forecast_errors(f, came, last, variance) for name, f in made.items()}
    if show.active:
        rows = [[k, *e, str(shift(made[k], values))] for k, e in errors.items()]
        show.table(["", "RMSE", "skill", "rel. variance", "years late"], rows, strong=len(rows) - 1)
        show.curves("losses", {"training": losses}, "Loss of the whole series.", ylabel="MSE")
        ends = " 20", f" {iterations}"
        lines = {name: made[name] for name in reversed(made) if name.endswith(ends)}
        picture = partial(plot_forecast, test.years, came, lines, ylabel="sunspots")
        show.figure("forecast", picture, "Early in training it says last year's.")
        with nn.record_gates(model.lstm) as gates:
            said = model(x[-44:])
        show.gates(gates, "Four cycles of eleven years.")
        show.graph(said, "44 years, one set of weights.")
    trivial, beat, *_, reached = (e.arv for e in errors.values())
    return TASK.result(reached, reference=beat, baseline=trivial)


if __name__ == "__main__":
    main(run)
