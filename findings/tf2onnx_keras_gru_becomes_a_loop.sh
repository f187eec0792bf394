#!/usr/bin/env bash
# tf2onnx 1.17.0 with tensorflow-cpu 2.21.0 (Keras 3): an LSTM becomes an ONNX LSTM node, a GRU and a
# SimpleRNN become a Loop with their equations op by op.
#
# All three have an ONNX operator of their own, and tf2onnx has rewriters for all three. For layers of Keras 3
# only the LSTM's matches: whoever reads such a file cannot expect to find recurrent nodes in it, and runtimes
# that are fast on GRU nodes run this one step by step. What is computed is right in all three cases.
#
# Seen: lstm ['LSTM'], gru ['Loop'], simple_rnn ['Loop'].
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -q tensorflow-cpu==2.21.0 keras==3.15.1 tf2onnx==1.17.0
KERAS_BACKEND=tensorflow TF_CPP_MIN_LOG_LEVEL=3 "$work/venv/bin/python" - <<'PY'
import keras
import tensorflow
import tf2onnx

kinds = {"LSTM", "GRU", "RNN", "Loop", "Scan"}
layers = {"lstm": keras.layers.LSTM(4), "gru": keras.layers.GRU(4), "simple_rnn": keras.layers.SimpleRNN(4)}
found = {}
for name, layer in layers.items():
    x = keras.Input((5, 3), batch_size=2)
    model = keras.Model(x, layer(x))
    spec = (tensorflow.TensorSpec((2, 5, 3), "float32", name="x"),)
    call = tensorflow.function(lambda x, model=model: model(x))
    proto, _ = tf2onnx.convert.from_function(call, input_signature=spec, opset=17)
    found[name] = sorted({n.op_type for n in proto.graph.node} & kinds)
print(keras.__version__, found)
assert found == {"lstm": ["LSTM"], "gru": ["Loop"], "simple_rnn": ["Loop"]}, "it changed"
PY
