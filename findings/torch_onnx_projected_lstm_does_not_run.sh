#!/usr/bin/env bash
# PyTorch 2.13.0 with onnxscript 0.7.2: torch.onnx.export (dynamo=True, the default) of an nn.LSTM with proj_size gives
# a model that passes onnx.checker.check_model, and that onnxruntime 1.32.0 can load and not run.
#
# ONNX's LSTM has no projection: its R is (directions, 4 * hidden_size, hidden_size), its states are hidden_size wide.
# The exporter writes an LSTM node all the same, as if hidden_size were proj_size: W and R keep 8 of their 16 rows, and
# W_hr stands nowhere in the graph. So weights are lost when the file is written, and what fails is the first call
# in production. The older exporter (dynamo=False) refuses proj_size in words.
#
# Seen: LSTM, Transpose, Reshape with W of (1, 8, 3); the check passes, the call fails with "Input initial_c must have shape {1,2,2}.
# Actual:{1,2,4}".
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -q torch==2.13.0 numpy==2.4.6 onnx==1.22.0 onnxscript==0.7.2 onnxruntime==1.32.0
"$work/venv/bin/python" - <<'PY'
import warnings

import onnx
import onnxruntime
import torch

warnings.simplefilter("ignore")
lstm = torch.nn.LSTM(3, 4, proj_size=2).eval()
x = torch.randn(5, 2, 3)
assert lstm(x)[0].shape == (5, 2, 2)
model = torch.onnx.export(lstm, (x,), dynamo=True, verbose=False).model_proto
onnx.checker.check_model(model)
session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
shapes = {i.name: list(i.dims) for i in model.graph.initializer}
print(torch.__version__, [n.op_type for n in model.graph.node], shapes)
assert [1, 8, 3] in shapes.values() and [1, 16, 3] not in shapes.values(), "it changed"
try:
    session.run(None, {session.get_inputs()[0].name: x.numpy()})
except Exception as error:
    print(error)
    assert "initial_c must have shape {1,2,2}. Actual:{1,2,4}" in str(error), "it changed"
else:
    raise SystemExit("it changed: the model runs")
PY
