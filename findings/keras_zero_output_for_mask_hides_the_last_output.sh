#!/usr/bin/env bash
# keras 3.15.1 (JAX backend, jax 0.10.2): a recurrent layer with zero_output_for_mask=True and
# return_sequences=False gives 0 for every sequence whose last step is masked, whatever came before.
#
# The option is there for outputs of padded steps. With padding="post" the last step of a short sequence is padded:
# a classifier on top then sees zeros for all but the longest sequences. The state that return_state gives beside it
# is right, so the layer's own two answers (output and h, equal otherwise) contradict each other. Without the option
# the output is the last one that counted; a Bidirectional, which sets the option within, is right too.
#
# Seen: zero_output_for_mask=True: output 0, h not; the default: output equal to h; Bidirectional: equal to both h.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -q keras==3.15.1 jax==0.10.2
KERAS_BACKEND=jax "$work/venv/bin/python" - <<'PY'
import keras
import numpy as np
from keras import layers as L

x = np.ones((2, 4, 3), "float32")
mask = np.array([[True, True, False, False], [True, True, True, True]])
for zero in (True, False):
    y, h, _ = L.LSTM(2, zero_output_for_mask=zero, return_state=True)(x, mask=mask)
    y, h = np.asarray(y), np.asarray(h)
    print(zero, y.tolist(), h.tolist())
    assert h[0].all(), "it changed"
    assert (y[1] == h[1]).all(), "it changed"
    assert (y[0] == 0).all() if zero else (y[0] == h[0]).all(), "it changed"
y, fh, _, bh, _ = L.Bidirectional(L.LSTM(2, zero_output_for_mask=True, return_state=True))(x, mask=mask)
assert (np.asarray(y) == np.concatenate([fh, bh], -1)).all(), "it changed"
print("bidirectional", np.asarray(y)[0].tolist(), np.asarray(fh)[0].tolist())
PY
