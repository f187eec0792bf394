#!/usr/bin/env bash
# onnx 1.22.0: onnx.reference.ReferenceEvaluator computes recurrent nodes with direction="reverse" as if they were
# "forward", and leaves out clip, activations of LSTM and GRU, sequence_lens of LSTM and input_forget, without a word.
#
# The evaluator is what one takes as the judge of an exporter or of a runtime. direction="bidirectional" raises
# NotImplementedError, other options are taken and have no effect: reversed layers, clipped layers and ragged batches
# get plausible numbers. onnxruntime 1.32.0 computes the same nodes as the operator's text says.
#
# Seen (largest difference of Y): reverse: to the forward run 0, to onnxruntime 0.2 and more; clip=0.3, activations
# HardSigmoid Softsign Relu, sequence_lens [3, 1], input_forget=1: to the node without the option 0, to onnxruntime
# 0.1 and more.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -q numpy==2.4.6 onnx==1.22.0 onnxruntime==1.32.0
"$work/venv/bin/python" - <<'PY'
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

T, B, I, H = 4, 2, 2, 3
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}


def outputs(kind, lengths=None, **options):
    rng, rows = np.random.default_rng(0), GATES[kind] * H
    arrays = {"x": rng.normal(size=(T, B, I)), "W": rng.normal(size=(1, rows, I)), "R": rng.normal(size=(1, rows, H))}
    arrays["B"] = rng.normal(size=(1, 2 * rows))
    arrays = {k: v.astype("f") for k, v in arrays.items()}
    x = arrays.pop("x")
    kept = [numpy_helper.from_array(v, k) for k, v in arrays.items()]
    names = ["x", "W", "R", "B"]
    if lengths:
        kept.append(numpy_helper.from_array(np.array(lengths, np.int32), "lengths"))
        names.append("lengths")
    node = helper.make_node(kind, names, ["Y"], hidden_size=H, **options)
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("x", [T, B, I]), ("Y", [T, 1, B, H]))]
    graph = helper.make_graph([node], "g", ends[:1], ends[1:], kept)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    runtime = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return ReferenceEvaluator(model).run(None, {"x": x})[0], runtime.run(None, {"x": x})[0]


cases = [(kind, {"direction": "reverse"}) for kind in GATES] + [(kind, {"clip": 0.3}) for kind in GATES]
cases += [("LSTM", {"activations": ["HardSigmoid", "Softsign", "Relu"]}), ("LSTM", {"input_forget": 1})]
cases += [("GRU", {"activations": ["HardSigmoid", "Softsign"]}), ("LSTM", {"lengths": [3, 1]})]
for kind, options in cases:
    plain, right = outputs(kind)
    assert np.abs(plain - right).max() < 1e-5, "the plain node differs"
    got, right = outputs(kind, **options)
    apart, ignored = np.abs(got - right).max(), np.abs(got - plain).max()
    print(kind, options, f"to onnxruntime {apart:.2f}, to the node without it {ignored:.1e}")
    assert apart > 0.05 and ignored == 0, "it changed"
PY
