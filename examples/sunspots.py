"""Forecast the yearly sunspot numbers with one LSTM, beside persistence and linear autoregression.

Run it anywhere: python sunspots.py. It takes about a quarter of a minute, prints a table, and where
matplotlib is installed it leaves sunspots.svg in the current folder.
"""

import argparse

from tqdm import tqdm

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.data import fit_autoregression, forecast_errors, sunspots
from tinygrad_rnn.drawing.plots import plot_forecast

TRAINED, TESTED = 1920, 1955  # fit on 1700 ... 1920, forecast 1921 ... 1955


class Forecaster(nn.Module):
    """Reads the series a year at a time; after each year it says what the next will be."""

    def __init__(self, hidden_size=8):
        super().__init__()
        self.lstm = nn.LSTM(1, hidden_size)  # one set of weights for all years
        self.head = nn.Linear(hidden_size, 1)

    def forward(self, x):
        """(time, batch, 1) in, (time, batch, 1) out."""
        y, _ = self.lstm(x)
        return self.head(y)


def train(x, seed, steps, rate=0.03):
    """Fit a Forecaster to a sequence (time, 1, 1): at each year the target is the year after."""
    tg.manual_seed(seed)
    model = Forecaster()
    optimizer = optim.Adam(model.parameters(), lr=rate)
    for k in tqdm(range(steps), unit="step", ascii=True, disable=None):
        optimizer.param_groups[0]["lr"] = rate * (1 - k / steps)
        loss = nn.functional.mse_loss(model(x[:-1]), x[1:])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return model


def main():
    """Train, forecast the test years, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=300, help="steps of training")
    options = parser.parse_args()

    series = sunspots()
    known = series.between(1700, TRAINED).values
    values = series.between(1700, TESTED).values
    test = series.between(TRAINED + 1, TESTED)
    n = len(test.values)

    # The network sees values between 0 and about 1: divided by the largest of the training years.
    scale = known.max()
    model = train(tg.tensor(known / scale).reshape(-1, 1, 1), options.seed, options.steps)
    with tg.no_grad():
        made = model(tg.tensor(values[:-1] / scale).reshape(-1, 1, 1)).numpy().ravel() * scale

    # Every forecast of a year uses the true values before it, and none after.
    forecasts = {
        "persistence": values[-n - 1 : -1],
        "AR(9)": fit_autoregression(known, order=9).forecast(values)[-n:],
        "LSTM(8)": made[-n:],
    }
    variance = series.between(1700, 1979).values.var()
    print(f"{TRAINED + 1} to {TESTED}    RMSE  skill  relative variance")
    for name, forecast in forecasts.items():
        error = forecast_errors(
            forecast, test.values, before=values[-n - 1 : -1], variance=variance
        )
        print(f"{name:<14} {error.rmse:5.1f}  {error.skill:5.3f}  {error.arv:17.3f}")

    del forecasts["persistence"]  # it is the series itself, a year late
    try:
        figure = plot_forecast(test.years, test.values, forecasts, ylabel="sunspot number")
        figure.savefig("sunspots.svg")
        print("picture: sunspots.svg")
    except ImportError as error:
        print(error)


if __name__ == "__main__":
    main()
