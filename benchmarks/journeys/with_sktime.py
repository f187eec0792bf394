"""sktime: rolling forecasts of seven days of ``load.csv`` after its first 640."""

import numpy as np
import pandas as pd
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import StandardScaler
from sktime.forecasting.compose import TransformedTargetForecaster, make_reduction
from sktime.forecasting.model_evaluation import evaluate
from sktime.split import ExpandingWindowSplitter
from sktime.transformations.series.adapt import TabularToSeriesAdaptor

series = pd.read_csv("load.csv", parse_dates=["date"], index_col="date").asfreq("D")["load"]
series = series.interpolate()
network = MLPRegressor(hidden_layer_sizes=16, max_iter=2000, random_state=0)
scaler = TabularToSeriesAdaptor(StandardScaler())
forecaster = TransformedTargetForecaster([scaler, make_reduction(network, window_length=28)])
split = ExpandingWindowSplitter(fh=range(1, 8), initial_window=640)
test = evaluate(forecaster, split, series, strategy="no-update_params", return_data=True)
made = np.stack([forecast.to_numpy() for forecast in test["y_pred"]])
