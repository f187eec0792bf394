"""keras2_archive.keras and .json: an archive of Keras 2 (tf_keras 2.21.0), and what its model answered."""

import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np
import tf_keras

layers = tf_keras.layers
rng = np.random.default_rng(0)
model = tf_keras.Sequential(
    [
        layers.Input((6, 3)),
        layers.LSTM(4, return_sequences=True, recurrent_activation="hard_sigmoid", name="mine"),
        layers.RNN([layers.LSTMCell(2), layers.GRUCell(2, recurrent_activation="hard_sigmoid")]),
        layers.Dense(2, activation="hard_sigmoid"),
    ]
)
model.set_weights([0.6 * rng.standard_normal(w.shape) for w in model.get_weights()])
x = rng.standard_normal((2, 6, 3)).astype("float32")
model.save(os.path.join(sys.argv[1], "keras2_archive.keras"))
with open(os.path.join(sys.argv[1], "keras2_archive.json"), "w") as file:
    json.dump({"x": x.tolist(), "y": model(x).numpy().tolist()}, file)
