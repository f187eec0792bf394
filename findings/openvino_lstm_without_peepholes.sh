#!/usr/bin/env bash
# openvino 2026.4.1, CPU: an ONNX LSTM node with peepholes (input P) is computed without them, and one with
# input_forget=1 as if it were 0; the model loads and compiles without a warning.
#
# The operator's text: i_t = f(W_i x_t + R_i h_{t-1} + P_i * c_{t-1} + b_i), and with input_forget=1 the forget gate is
# 1 - i_t. OpenVINO's reader says "not supported" of other things (activations without an operation, initial states
# with layout=1); of these two it says nothing. onnxruntime 1.32.0 computes both. Whoever deploys a peephole or coupled
# LSTM has to write it as single operations.
#
# Seen (largest difference of Y): P to the node without P 0, to onnxruntime 0.2; input_forget likewise 0 and 0.2.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -q numpy==2.4.6 onnx==1.22.0 onnxruntime==1.32.0 openvino==2026.4.1
WORK="$work" "$work/venv/bin/python" - <<'PY'
import os

import numpy as np
import onnx
import onnxruntime
import openvino
from onnx import TensorProto, helper, numpy_helper

T, B, I, H = 5, 2, 2, 3
rng = np.random.default_rng(0)
x, w, r, b, p = (rng.normal(size=s).astype("f") for s in ((T, B, I), (1, 4 * H, I), (1, 4 * H, H), (1, 8 * H), (1, 3 * H)))


def outputs(peepholes=False, **options):
    kept = {"W": w, "R": r, "B": b} | ({"P": p} if peepholes else {})
    names = ["x", "W", "R", "B"] + (["", "", "", "P"] if peepholes else [])
    node = helper.make_node("LSTM", names, ["Y"], hidden_size=H, **options)
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("x", [T, B, I]), ("Y", [T, 1, B, H]))]
    weights = [numpy_helper.from_array(v, k) for k, v in kept.items()]
    graph = helper.make_graph([node], "g", ends[:1], ends[1:], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    path = os.path.join(os.environ["WORK"], "m.onnx")
    onnx.save(model, path)
    core = openvino.Core()
    ran = core.compile_model(core.read_model(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})([x])[0]
    runtime = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return ran, runtime.run(None, {"x": x})[0]


plain, right = outputs()
assert np.abs(plain - right).max() < 1e-5, "the plain node differs"
for name, options in (("P", {"peepholes": True}), ("input_forget", {"input_forget": 1})):
    got, right = outputs(**options)
    apart, ignored = np.abs(got - right).max(), np.abs(got - plain).max()
    print(openvino.__version__, name, f"to onnxruntime {apart:.2f}, to the node without it {ignored:.1e}")
    assert apart > 0.1 and ignored < 1e-6, "it changed"
PY
