"""Make an archive of Keras 2 (tf_keras 2.21.0) and what its model answered: keras2_archive.keras and .json.

python tests/golden/make_keras2_archive.py FOLDER    needs tf_keras
"""

import json
import os
import sys
from pathlib import Path

import numpy as np


def main(folder):
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tf_keras

    layers = tf_keras.layers
    rng = np.random.default_rng(0)
    cells = [layers.LSTMCell(2), layers.GRUCell(2, recurrent_activation="hard_sigmoid")]
    model = tf_keras.Sequential(
        [
            layers.Input((6, 3)),
            layers.LSTM(4, return_sequences=True, recurrent_activation="hard_sigmoid", name="mine"),
            layers.RNN(cells),
            layers.Dense(2, activation="hard_sigmoid"),
        ]
    )
    model.set_weights([0.6 * rng.standard_normal(w.shape) for w in model.get_weights()])
    x = rng.standard_normal((2, 6, 3)).astype("float32")
    model.save(str(folder / "keras2_archive.keras"))
    answer = {"x": x.tolist(), "y": model(x).numpy().tolist()}
    (folder / "keras2_archive.json").write_text(json.dumps(answer))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
