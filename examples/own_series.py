"""How do I get from a file of my own to a forecast that I can defend?

    python own_series.py                             weekly CO2 in the air, which ships with the package
    python own_series.py load.csv load 7             your file, the column to forecast, how many rows ahead

The last fifth of the rows is kept out of training. From one week after another in it the next rows are
forecast from what came before alone, and the errors are shown beside those of forecasts that need no
training: the last value again (persistence), and the value a season ago. Only where the network is better
by more than chance would be is it worth its trouble. Copy this file: it uses public names of `tinygrad_rnn`
alone.
"""

import sys

import tinygrad_rnn as tg


def main(path=None, target=None, horizon=8):
    """Read, train, test, forecast; a picture of each, and a file that forecasts elsewhere."""
    series = tg.data.table(tg.data.co2()) if path is None else tg.data.read_csv(path)
    trained = len(series) - len(series) // 5
    forecaster = tg.Forecaster(
        "gru",
        window=26,
        calendar=["dayofyear"] if series.dates is not None else [],
        missing="interpolate",  # straight lines, each history by itself: no forecast sees the future
    )
    forecaster.fit(series[:trained], target, epochs=30, progress=False)
    print(forecaster, forecaster.history.words(), sep="\n")

    test = forecaster.backtest(series, int(horizon), stride=4, level=0.9)
    print(test)
    forecast = forecaster.forecast(int(horizon), series, level=0.9)
    for name, column in forecast.columns().items():
        print(f"{name:>14}", *(f"{value:8.2f}" for value in column))

    forecaster.save("forecaster.safetensors")  # tg.Forecaster.load("forecaster.safetensors")
    tg.draw(forecaster.recorded(series[-12:]), "network.svg")
    figures = {
        "history": forecaster.history.plot(),
        "test": test.plot(),
        "forecast": forecast.plot(),
    }
    for name, figure in figures.items():
        figure.savefig(f"{name}.svg")


if __name__ == "__main__":
    main(*sys.argv[1:])
