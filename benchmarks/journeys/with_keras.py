"""Keras: rolling forecasts of seven days of ``load.csv`` after its first 640."""

import keras
import numpy as np
import pandas as pd

keras.utils.set_random_seed(0)
series = pd.read_csv("load.csv", parse_dates=["date"], index_col="date").asfreq("D").interpolate()
load = series["load"].to_numpy()
mean, deviation = load[:640].mean(), load[:640].std()
scaled = (load - mean) / deviation
angle = 2 * np.pi * series.index.dayofweek.to_numpy() / 7
calendar = np.stack([np.sin(angle), np.cos(angle)], 1)
features = np.concatenate([scaled[:-1, None], calendar[1:]], 1)
x = np.stack([features[i : i + 28] for i in range(640 - 29)]).astype("float32")
y = np.stack([scaled[i + 1 : i + 29, None] for i in range(640 - 29)]).astype("float32")
model = keras.Sequential()
model.add(keras.layers.Input((None, 3)))
model.add(keras.layers.LSTM(16, return_sequences=True))
model.add(keras.layers.Dense(1))
model.compile("adam", "mse")
stop = keras.callbacks.EarlyStopping(patience=10, restore_best_weights=True)
n = len(x) - 128
valid = x[n:], y[n:]
model.fit(x[:n], y[:n], validation_data=valid, epochs=50, verbose=0, callbacks=[stop])
origins = range(640, len(load) - 6)
rows = np.stack([scaled[o - 28 : o] for o in origins])
dates = np.stack([calendar[o - 27 : o + 7] for o in origins])
for _step in range(7):
    known = np.concatenate([rows[..., None], dates[:, : rows.shape[1]]], -1).astype("float32")
    rows = np.concatenate([rows, model.predict(known, verbose=0)[:, -1]], 1)
made = rows[:, -7:] * deviation + mean
