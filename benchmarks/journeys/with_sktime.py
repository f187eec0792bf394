"""sktime with neuralforecast: rolling forecasts of seven days of ``load.csv`` after its first 640."""

import numpy as np
import pandas as pd
from sktime.forecasting.model_evaluation import evaluate
from sktime.forecasting.neuralforecast import NeuralForecastLSTM
from sktime.split import ExpandingWindowSplitter

series = pd.read_csv("load.csv", parse_dates=["date"], index_col="date").asfreq("D")["load"]
series = series.interpolate()
forecaster = NeuralForecastLSTM(
    freq="D",
    local_scaler_type="standard",
    input_size=28,
    encoder_hidden_size=16,
    encoder_n_layers=1,
    max_steps=500,
    random_seed=0,
    trainer_kwargs={"accelerator": "cpu", "enable_progress_bar": False, "logger": False},
)
split = ExpandingWindowSplitter(fh=range(1, 8), initial_window=640)
test = evaluate(forecaster, split, series, strategy="no-update_params", return_data=True)
made = np.stack([forecast.to_numpy() for forecast in test["y_pred"]])
