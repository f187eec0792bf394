"""When must the state be reset, and when be carried on?

A state sums up what came before, so it is carried on while a sequence goes on, and starts anew where the
next value is not the next. The weekly CO2 of Mauna Loa has 59 weeks without a value, which cut it into 23
stretches: each is a sequence that starts from a state of zeros, and all are one ragged batch (lengths=).
The last stretch goes through the end of training into the 260 weeks that are forecast, one week ahead, and
so does its state; the table shows what it costs to reset it there every 13 weeks, where nothing ended.

The network reads last week's change and the time of the year, and predicts the next change: 0 would be
persistence, "as last week". To beat is a linear autoregression on 60 weeks (with straight lines through its
gaps); beside it is one on 10 weeks whose input, like the network's, has the time of the year.
Settings were chosen on weeks before the 260 (benchmarks/choices.py), which took no part.
"""

from functools import partial

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim, plots
from tinygrad_rnn.data import co2, fit_autoregression
from tinygrad_rnn.experiments import QUIET, Task, main

AHEAD, HIDDEN, RATE, DECAY, ITERATIONS = 260, 16, 1e-2, 0.5, 150
TASK = Task(
    "co2",
    f"GRU({HIDDEN}), one week ahead, AdamW {RATE:g} falling to 0, weight decay {DECAY}, "
    f"{ITERATIONS} iterations; the last {AHEAD} of 2,284 weeks; to be below AR(60)",
    "RMSE in ppm",
)
SERIES = co2()
ANGLE = 2 * np.pi * (SERIES.dates - SERIES.dates[0]).astype(float) / 365.25  # time of the year
TURNS = np.column_stack([f(k * ANGLE) for k in (1, 2, 3) for f in (np.sin, np.cos)])
CHANGE = np.diff(SERIES.values, prepend=np.nan)


class Forecaster(nn.Module):
    """Says the next change from the changes and times of the year so far."""

    def __init__(self, hidden):
        super().__init__()
        self.gru, self.head = nn.GRU(3, hidden), nn.Linear(hidden, 1)

    def forward(self, x, lengths=None):
        """(time, batch, 3) in, (time, batch, 1) out."""
        y, _ = self.gru(x, lengths=lengths)
        return self.head(y)


def stretches(end, scale):
    """Inputs (length, 3) and targets (length, 1) of every stretch before the week ``end``."""
    x = np.column_stack([CHANGE / scale, TURNS[:, :2]]).astype(np.float32)
    weeks = [slice(p.start + 1, min(p.stop, end) - 1) for p in SERIES.pieces()]
    weeks = [w for w in weeks if w.start < w.stop]
    return [x[w] for w in weeks], [x[w.start + 1 : w.stop + 1, :1] for w in weeks]


def train(end, seed, iterations, show=QUIET, hidden=HIDDEN, rate=RATE, decay=DECAY):
    """A Forecaster of the weeks before ``end``, its losses, and the scale of its changes."""
    tg.manual_seed(seed)
    scale, model, losses = np.nanstd(CHANGE[:end]), Forecaster(hidden), []
    ((x, y, lengths, mask),) = tg.DataLoader(stretches(end, scale), batch_size=99)
    optimizer = optim.AdamW(model.parameters(), lr=rate, weight_decay=decay)

    def mse(x, y, lengths, mask):
        return nn.functional.mse_loss(model(x, lengths)[mask], y[mask])

    year = x[-52:, -1:], y[-52:, -1:], None, mask[-52:, -1:]  # of the last stretch, for the picture
    show.gradient("before training", model, mse(*year))
    for k in show.bar(range(iterations)):
        optimizer.param_groups[0]["lr"] = rate * (1 - k / iterations)
        loss = mse(x, y, lengths, mask)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    show.gradient("after training", model, mse(*year))
    return model, losses, scale


@tg.no_grad()
def forecast(model, scale, end, reset=10**6):
    """The 260 weeks before ``end``, each from those before it; the state is reset every so many weeks."""
    x = stretches(end, scale)[0][-1][:, None]
    made = [model(x[k : k + reset]).numpy().ravel() for k in range(0, len(x), reset)]
    return SERIES.values[end - AHEAD - 1 : end - 1] + np.concatenate(made)[-AHEAD:] * scale


def run(seed=0, quick=False, iterations=None, show=QUIET):
    """Train on all but the last 260 weeks, forecast those, beside linear models."""
    values, me = SERIES.filled(), f"GRU({HIDDEN})"
    end = len(values) - AHEAD
    model, losses, scale = train(end, seed, iterations or (5 if quick else ITERATIONS), show)
    told = fit_autoregression(values[:end], 10, TURNS[:end])
    made = {
        "persistence": values[end - 1 : -1],
        "AR(60)": fit_autoregression(values[:end], 60).forecast(values)[-AHEAD:],
        "AR(10), told the time of the year": told.forecast(values, TURNS)[-AHEAD:],
        me: forecast(model, scale, len(values)),
        f"{me}, reset every 13 weeks": forecast(model, scale, len(values), reset=13),
    }
    found = {name: np.sqrt(np.mean((f - values[end:]) ** 2)) for name, f in made.items()}
    if show.active:
        show.table(["the last 260 weeks", "RMSE in ppm"], list(found.items()), strong=3)
        show.curves("losses", {"training": losses}, "Loss of the next change.", ylabel="MSE")
        last, two = slice(-104, None), {k: made[k][-104:] for k in (me, "persistence")}
        picture = partial(plots.plot_forecast, SERIES.dates[last], values[last], two, ylabel="ppm")
        show.figure("forecast", picture, "The last two years, each week from those before it.")
        with nn.record_gates(model.gru) as gates:
            said = model(stretches(end, scale)[0][-1][:104, None])
        show.gates(gates, "Two years from a state of zeros: units follow the seasons.", names="rzh")
        show.graph(said, "Two years, one set of weights.")
    beat, trivial = found["AR(60)"], found["persistence"]
    return TASK.result(found[me], reference=beat, baseline=trivial, details=found)


if __name__ == "__main__":
    main(run)
