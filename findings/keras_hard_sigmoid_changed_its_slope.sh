#!/usr/bin/env bash
# keras 3.15.1: the activation "hard_sigmoid" is clip(x / 6 + 0.5, 0, 1). In Keras 2 (tf_keras 2.21.0, whose source
# is read here) the same name was clip(0.2 x + 0.5, 0, 1).
#
# Keras 2's LSTM layers of before 2.3, and TensorFlow.js's to this day, have it as the default of their gates. The
# weights of such a model load into the same layers of Keras 3, recurrent_activation="hard_sigmoid" and all, and the
# answers are others, without a word: at x = 1 the gate is 0.667 in place of 0.7.
#
# Seen: 0.6666667 at 1 in Keras 3; 0.2 as the slope in tf_keras/src/backend.py.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -q keras==3.15.1 jax==0.10.2
"$work/venv/bin/python" -m pip download -q --no-deps --no-binary :none: -d "$work" tf_keras==2.21.0
KERAS_BACKEND=jax "$work/venv/bin/python" - "$work" <<'PY'
import glob
import re
import sys
import zipfile

import keras

found = float(keras.activations.get("hard_sigmoid")(1.0))
wheel = zipfile.ZipFile(glob.glob(sys.argv[1] + "/tf_keras*.whl")[0])
source = wheel.read("tf_keras/src/backend.py").decode()
body = source.split("def hard_sigmoid(x):", 1)[1].split("\ndef ", 1)[0]
slope = re.search(r"_constant_to_tensor\((0\.\d+)", body)
print(found, slope and slope.group(1))
assert abs(found - 2 / 3) < 1e-6, "it changed"
assert slope and float(slope.group(1)) == 0.2, "it changed"
PY
