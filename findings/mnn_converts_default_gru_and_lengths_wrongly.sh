#!/usr/bin/env bash
# MNN 3.6.1 (PyPI): an ONNX GRU node with the default linear_before_reset=0 gives other numbers than the operator's
# text; sequence_lens and clip have no effect, and direction="reverse" runs forwards. The converter says "Converted Success!".
#
# A GRU with linear_before_reset=1 (PyTorch's) and bidirectional nodes are right, so a model of PyTorch's passes and the
# same layer from Keras with reset_after=False does not. mnnconvert also installs the PyPI package
# aliyun-log-python-sdk with pip when it is run: it is in no dependency list of the wheel.
#
# Seen (largest difference of Y to onnxruntime 1.32.0): linear_before_reset=1 below 1e-5, =0: 0.03; reverse and
# sequence_lens [3, 1] and clip=0.3 of an RNN: to the node without it below 1e-5, to onnxruntime 0.4 and more.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -q numpy==2.4.6 onnx==1.22.0 onnxruntime==1.32.0 MNN==3.6.1
cd "$work"
PATH="$work/venv/bin:$PATH" python - <<'PY'
import subprocess

import MNN
import MNN.expr
import MNN.nn
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

T, B, I, H = 4, 2, 2, 3
GATES = {"RNN": 1, "GRU": 3}


def outputs(kind, lengths=None, **options):
    rng, rows = np.random.default_rng(0), GATES[kind] * H
    shapes = {"x": (T, B, I), "W": (1, rows, I), "R": (1, rows, H), "B": (1, 2 * rows)}
    arrays = {k: rng.normal(size=s).astype("f") for k, s in shapes.items()}
    x, names = arrays.pop("x"), ["x", "W", "R", "B"]
    kept = [numpy_helper.from_array(v, k) for k, v in arrays.items()]
    if lengths:
        kept.append(numpy_helper.from_array(np.array(lengths, np.int32), "lengths"))
        names.append("lengths")
    node = helper.make_node(kind, names, ["Y", "last"], hidden_size=H, **options)
    shapes = {"x": [T, B, I], "Y": [T, 1, B, H], "last": [1, B, H]}
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes.items()]
    graph = helper.make_graph([node], "g", ends[:1], ends[1:], kept)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, "m.onnx")
    command = "mnnconvert -f ONNX --modelFile m.onnx --MNNModel m.mnn --bizCode x".split()
    subprocess.run(command, check=True, capture_output=True)
    given = MNN.expr.placeholder([T, B, I], MNN.expr.NCHW)
    given.write(x)
    y = MNN.nn.load_module_from_file("m.mnn", ["x"], ["Y", "last"]).forward([given])[0]
    ran = np.array(MNN.expr.convert(y, MNN.expr.NCHW).read()).reshape(T, 1, B, H)
    runtime = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return ran, runtime.run(None, {"x": x})[0]


for kind, options in (("RNN", {}), ("GRU", {"linear_before_reset": 1})):
    got, right = outputs(kind, **options)
    assert np.abs(got - right).max() < 1e-5, "a node that was right is wrong"
got, right = outputs("GRU")
print(MNN.version(), "GRU", f"to onnxruntime {np.abs(got - right).max():.2f}")
assert np.abs(got - right).max() > 0.01, "it changed"
plain, _ = outputs("RNN")
for options in ({"direction": "reverse"}, {"lengths": [3, 1]}, {"clip": 0.3}):
    got, right = outputs("RNN", **options)
    apart, ignored = np.abs(got - right).max(), np.abs(got - plain).max()
    print("RNN", options, f"to onnxruntime {apart:.2f}, to the node without it {ignored:.1e}")
    assert apart > 0.2 and ignored < 1e-5, "it changed"
PY
