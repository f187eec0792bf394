#!/usr/bin/env bash
# safetensors 0.8.0, safetensors.numpy: an array that is not contiguous is saved as its bytes lie in memory under
# its logical shape, so that what comes back is scrambled, without an error. safetensors 0.7.0 saved it right.
#
# `kernel.T` is the usual way from Keras's or Flax's kernels to PyTorch's weights, and the file looks sound:
# names, dtypes and shapes are right, only the numbers stand in other places. np.ascontiguousarray before saving
# is right with both versions.
#
# Seen: 0.7.0 True True True; 0.8.0 False False True (transposed, Fortran order, made contiguous).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for version in 0.7.0 0.8.0; do
    python3 -m venv "$work/$version"
    "$work/$version/bin/python" -m pip install -q "safetensors==$version" "numpy==2.4.*"
    "$work/$version/bin/python" - <<'PY'
import numpy as np
import safetensors
from safetensors.numpy import load, save

a = np.arange(6, dtype="float32").reshape(2, 3)
arrays = {"transposed": a.T, "fortran": np.asfortranarray(a), "contiguous": np.ascontiguousarray(a.T)}
same = [bool(np.array_equal(load(save({"a": array}))["a"], array)) for array in arrays.values()]
print(safetensors.__version__, same)
wanted = {"0.7.0": [True, True, True], "0.8.0": [False, False, True]}
assert same == wanted[safetensors.__version__], "it changed"
PY
done
