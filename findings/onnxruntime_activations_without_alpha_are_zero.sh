#!/usr/bin/env bash
# onnxruntime 1.32.0 (CPU): an RNN node whose activations name Affine or ScaledTanh without activation_alpha gives
# zeros, and ThresholdedRelu without it has the threshold 0.
#
# The operator's text says that the defaults are those of the corresponding ONNX operators; ThresholdedRelu's alpha
# is 1.0 there, and Affine's was 1.0. onnxruntime takes 0 for what is not given: the model loads, passes the checker
# and answers with zeros, whatever its weights are. With activation_alpha and activation_beta given all is well.
#
# Seen for the inputs -2, 0.5, 3: Affine 0 0 0, ScaledTanh 0 0 0, ThresholdedRelu 0 0.5 3 (0 0 3 with alpha 1);
# Affine with alpha 1: -2 0.5 3. LeakyRelu, Elu and HardSigmoid have their operators' defaults.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -q onnxruntime==1.32.0 onnx==1.23.2
"$work/venv/bin/python" - <<'PY'
import numpy as np
import onnx
import onnxruntime as ort
from onnx import helper as h

x = np.array([-2, 0.5, 3], "float32").reshape(1, 3, 1)


def run(name, **numbers):
    node = h.make_node("RNN", ["X", "W", "R"], ["Y"], hidden_size=1, activations=[name], **numbers)
    weights = [onnx.numpy_helper.from_array(np.full((1, 1, 1), v, "float32"), k) for k, v in (("W", 1), ("R", 0))]
    io = [h.make_tensor_value_info("X", 1, [1, 3, 1])], [h.make_tensor_value_info("Y", 1, [1, 1, 3, 1])]
    graph = h.make_graph([node], "g", *io, weights)
    model = h.make_model(graph, opset_imports=[h.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"X": x})[0].ravel().round(4).tolist()


wanted = [
    ("Affine", {}, [0, 0, 0]), ("Affine", {"activation_alpha": [1.0]}, [-2, 0.5, 3]),
    ("ScaledTanh", {}, [0, 0, 0]),
    ("ThresholdedRelu", {}, [0, 0.5, 3]), ("ThresholdedRelu", {"activation_alpha": [1.0]}, [0, 0, 3]),
    ("LeakyRelu", {}, [-0.02, 0.5, 3]),
]
for name, numbers, expected in wanted:
    found = run(name, **numbers)
    print(name, numbers, found)
    assert np.allclose(found, expected), "it changed"
PY
