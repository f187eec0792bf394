"""darts: rolling forecasts of seven days of ``load.csv`` after its first 640."""

from darts import TimeSeries
from darts.dataprocessing.transformers import MissingValuesFiller, Scaler
from darts.models import RNNModel

series = TimeSeries.from_csv("load.csv", time_col="date", fill_missing_dates=True, freq="D")
series = MissingValuesFiller().transform(series).astype("float32")
scaler = Scaler()
train = scaler.fit_transform(series[:640])
model = RNNModel(
    model="LSTM",
    input_chunk_length=28,
    training_length=35,
    hidden_dim=16,
    n_epochs=50,
    random_state=0,
    add_encoders={"cyclic": {"future": ["dayofweek"]}},
    pl_trainer_kwargs={"accelerator": "cpu", "enable_progress_bar": False},
)
model.fit(train)
forecasts = model.historical_forecasts(
    scaler.transform(series),
    start=640,
    forecast_horizon=7,
    retrain=False,
    last_points_only=False,
    verbose=False,
)
made = [scaler.inverse_transform(forecast).values() for forecast in forecasts]
