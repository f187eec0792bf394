"""tinygrad_rnn: rolling forecasts of seven days of ``load.csv`` after its first 640."""

import tinygrad_rnn as tg

series = tg.data.read_csv("load.csv")
forecaster = tg.Forecaster("lstm", window=28, calendar="dayofweek", missing="interpolate")
forecaster.fit(series[:640], progress=False)
made = forecaster.backtest(series, horizon=7).forecasts["model"]
