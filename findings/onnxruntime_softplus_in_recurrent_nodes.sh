#!/usr/bin/env bash
# onnxruntime 1.32.0 (PyPI), CPU: the activation Softplus overflows inside recurrent nodes and not as an op.
#
# ONNX lists Softplus, log(1 + exp(x)), among the activations of RNN, GRU and LSTM. The op Softplus of
# onnxruntime gives 100 for x = 100. The same function as the activation of an RNN node gives inf, since exp
# overflows in float32 above 88.7; so a state that grows past it is lost, and everything after it is inf or NaN.
#
# Seen: op [20, 80, 100], RNN node [20, 80, inf].
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -q onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
"$work/venv/bin/python" - <<'PY'
import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

x = np.array([[[20.0], [80.0], [100.0]]], np.float32)  # (time 1, batch 3, features 1)
one, zero = np.ones((1, 1, 1), np.float32), np.zeros((1, 1, 1), np.float32)


def run(node, weights):
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(v, k) for k, v in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(None, {"x": x})[0].ravel()


as_op = run(helper.make_node("Softplus", ["x"], ["y"]), {})
as_activation = run(
    helper.make_node("RNN", ["x", "w", "r"], ["y"], hidden_size=1, activations=["Softplus"]),
    {"w": one, "r": zero},
)
print("op:", as_op, " activation of an RNN node:", as_activation)
np.testing.assert_allclose(as_op, [20, 80, 100], rtol=1e-6)
np.testing.assert_allclose(as_activation[:2], [20, 80], rtol=1e-6)
assert np.isposinf(as_activation[2]), "it no longer overflows"
PY
