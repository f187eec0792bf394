#!/usr/bin/env bash
# tract 0.23.9 (PyPI, the Rust runtime): an ONNX recurrent node with direction="reverse" is computed forwards, and
# clip and input_forget have no effect; direction="bidirectional" is right.
#
# So the same reversed layer is right as the second half of a bidirectional node and wrong as a node of its own, which
# is how a stack of one forward and one backward layer, or Keras's go_backwards=True, is written. Nothing is said.
# Different lengths in sequence_lens are refused in words.
#
# Seen (largest difference of Y): reverse: to the forward run below 1e-6, to onnxruntime 0.4 and more; clip=0.3 and
# input_forget=1: to the node without it below 1e-6; both halves of a bidirectional node below 1e-5 from onnxruntime.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -q numpy==2.4.6 onnx==1.22.0 onnxruntime==1.32.0 tract==0.23.9
WORK="$work" "$work/venv/bin/python" - <<'PY'
import os

import numpy as np
import onnx
import onnxruntime
import tract
from onnx import TensorProto, helper, numpy_helper

T, B, I, H = 4, 2, 2, 3
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}


def outputs(kind, directions=1, **options):
    rng, rows = np.random.default_rng(0), GATES[kind] * H
    shapes = {"x": (T, B, I), "W": (2, rows, I), "R": (2, rows, H), "B": (2, 2 * rows)}
    arrays = {k: rng.normal(size=s).astype("f") for k, s in shapes.items()}
    x = arrays.pop("x")
    weights = [numpy_helper.from_array(v[:directions], k) for k, v in arrays.items()]
    node = helper.make_node(kind, ["x", "W", "R", "B"], ["Y"], hidden_size=H, **options)
    shapes = (("x", [T, B, I]), ("Y", [T, directions, B, H]))
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes]
    graph = helper.make_graph([node], "g", ends[:1], ends[1:], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    path = os.path.join(os.environ["WORK"], "m.onnx")
    onnx.save(model, path)
    ran = tract.onnx().load(path).into_model().into_runnable().run([x])[0].to_numpy()
    runtime = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return ran, runtime.run(None, {"x": x})[0]


for kind in GATES:
    plain, right = outputs(kind)
    assert np.abs(plain - right).max() < 1e-5, "the plain node differs"
    both, right = outputs(kind, 2, direction="bidirectional")
    assert np.abs(both - right).max() < 1e-5, "the bidirectional node differs"
    coupled = [{"input_forget": 1}] if kind == "LSTM" else []
    for options in ({"direction": "reverse"}, {"clip": 0.3}, *coupled):
        got, right = outputs(kind, **options)
        apart, ignored = np.abs(got - right).max(), np.abs(got - plain).max()
        print(tract.__name__, kind, options, f"to onnxruntime {apart:.2f}, to the node without it {ignored:.1e}")
        assert apart > 0.1 and ignored < 1e-6, "it changed"
PY
