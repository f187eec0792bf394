#!/usr/bin/env bash
# PyTorch 2.13.0 (PyPI), CPU: an in-place op with a column of the same tensor reads what it has just written.
#
# x.add_(x[:, 1:2]) adds to every column the second one. Where operand and result overlap PyTorch raises
# "some elements of the input tensor and the written-to tensor refer to a single memory location": for x.sub_(x[0])
# it does. For an operand with strides it does not look: the second column is changed half-way through, and the
# columns after it get the new one. numpy's x += x[:, 1:2] gives the sum of the old values.
#
# Seen: [[1, 2, 4, 5], ...] for x = arange(12).reshape(3, 4); expected (and numpy's) [[1, 2, 3, 4], ...].
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -q torch==2.13.0 numpy==2.4.6
"$work/venv/bin/python" - <<'PY'
import numpy as np
import torch

x = torch.arange(12.0).reshape(3, 4)
out_of_place = x + x[:, 1:2]
array = x.numpy().copy()
array += array[:, 1:2]
assert np.array_equal(array, out_of_place.numpy())
x.add_(x[:, 1:2])
print("in place:    ", x[0].tolist())
print("out of place:", out_of_place[0].tolist())
assert x[0].tolist() == [1, 2, 4, 5], "it gives something else now"

y = torch.arange(12.0).reshape(3, 4)
try:
    y.sub_(y[0])
except RuntimeError as error:
    print("a row is refused:", str(error)[:60])
else:
    raise AssertionError("a row is no longer refused")
PY
