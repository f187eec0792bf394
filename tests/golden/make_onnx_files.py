"""Make onnx_files/*.npz: ONNX files of PyTorch's two exporters and of tf2onnx, with inputs and outputs.

python tests/golden/make_onnx_files.py torch    needs torch, onnxscript, onnx, onnxruntime
python tests/golden/make_onnx_files.py keras    needs tensorflow, tf2onnx, onnxruntime

Each file holds ``model`` (the bytes), ``in0`` ..., ``out0`` ... (what onnxruntime computes), and ``meta``:
the number of inputs, the recurrent nodes by kind, the versions that made it.
"""

import io
import json
import os
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent / "onnx_files"
KINDS = ("LSTM", "GRU", "RNN")


def keep(name, data, inputs, versions):
    """Run the file by onnxruntime and store it."""
    import onnx
    import onnxruntime

    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    feeds = {i.name: a for i, a in zip(session.get_inputs(), inputs, strict=True)}
    outputs = session.run(None, feeds)
    used = [node.op_type for node in onnx.load_model_from_string(data).graph.node]
    layers = {kind: used.count(kind) for kind in KINDS if kind in used}
    meta = {"inputs": len(inputs), "layers": layers, "made_by": versions, "ops": sorted(set(used))}
    arrays = {f"in{k}": a for k, a in enumerate(inputs)}
    arrays |= {f"out{k}": a for k, a in enumerate(outputs)}
    np.savez_compressed(
        HERE / f"{name}.npz",
        meta=np.array(json.dumps(meta)),
        model=np.frombuffer(data, np.uint8),
        **arrays,
    )
    print(name, len(data), meta["ops"])


def by_torch():
    import torch
    from torch import nn

    class Tagger(nn.Module):
        def __init__(self):
            super().__init__()
            self.emb = nn.Embedding(9, 3)
            self.rnn = nn.LSTM(3, 4, num_layers=2, bidirectional=True)
            self.norm, self.head = nn.LayerNorm(8), nn.Linear(8, 5)

        def forward(self, words):
            return torch.log_softmax(self.head(self.norm(self.rnn(self.emb(words))[0])), -1)

    class LastState(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.head = nn.GRU(3, 4, batch_first=True), nn.Linear(4, 2)

        def forward(self, x):
            return self.head(self.rnn(x)[1][-1])

    class LastOutput(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = nn.RNN(3, 4, batch_first=True, nonlinearity="relu")
            self.head = nn.Linear(4, 1)

        def forward(self, x):
            return self.head(self.rnn(x)[0][:, -1]).sigmoid()

    class States(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = nn.LSTM(3, 4, num_layers=2)

        def forward(self, x, h, c):
            y, (h, c) = self.rnn(x, (h, c))
            return y, h, c

    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.query = nn.GRU(3, 4, bidirectional=True), nn.Linear(8, 8)

        def forward(self, x):
            y, _ = self.rnn(x)
            score = torch.einsum("tbf,sbf->bts", self.query(y), y) / 8**0.5
            return torch.einsum("bts,sbf->tbf", torch.softmax(score, -1), y).mean(0)

    class LoopOverACell(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = nn.LSTMCell(3, 4)

        def forward(self, x):
            h = c = torch.zeros(x.shape[1], 4)
            for t in range(x.shape[0]):
                h, c = self.cell(x[t], (h, c))
            return h

    torch.manual_seed(0)
    x, states = torch.randn(5, 2, 3), (torch.randn(2, 2, 4), torch.randn(2, 2, 4))
    cases = {
        "tagger": (Tagger(), (torch.randint(0, 9, (5, 2)),)),
        "gru_last": (LastState(), (torch.randn(2, 5, 3),)),
        "rnn_last": (LastOutput(), (torch.randn(2, 5, 3),)),
        "states": (States(), (x, *states)),
        "attention": (Attention(), (x,)),
        "cells": (LoopOverACell(), (x,)),
    }
    versions = f"torch {torch.__version__}"
    for name, (model, inputs) in cases.items():
        model.eval()
        for parameter in model.parameters():
            parameter.data.normal_(0, 0.5)
        arrays = [a.numpy() for a in inputs]
        file = io.BytesIO()
        torch.onnx.export(model, inputs, file, dynamo=False)
        keep(f"torch_script_{name}_plain", file.getvalue(), arrays, versions)
        file = io.BytesIO()  # nothing folded: the weights are cut and joined in the graph
        names = [f"in{k}" for k in range(len(inputs))]
        axes = {"in0": {0: "a", 1: "b"}}
        torch.onnx.export(
            model, inputs, file, dynamo=False, input_names=names, dynamic_axes=axes,
            do_constant_folding=False,
        )  # fmt: skip
        keep(f"torch_script_{name}_dynamic", file.getvalue(), arrays, versions)
        file = io.BytesIO()
        torch.onnx.export(model, inputs, dynamo=True, verbose=False).save(file)
        keep(f"torch_dynamo_{name}_plain", file.getvalue(), arrays, versions)


def by_keras():
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import keras
    import tensorflow
    import tf2onnx

    layers, rng = keras.layers, np.random.default_rng(0)
    versions = ", ".join(f"{m.__name__} {m.__version__}" for m in (keras, tensorflow, tf2onnx))
    x = keras.Input((5, 3), batch_size=2)
    words = keras.Input((5,), batch_size=2, dtype="int32")
    both = layers.Bidirectional(layers.LSTM(4, return_sequences=True))
    outputs = {
        "lstm": layers.Dense(2)(layers.LSTM(4, return_sequences=True)(x)),
        "gru_after": layers.Dense(2)(layers.GRU(4)(x)),
        "gru_before": layers.GRU(4, reset_after=False)(x),
        "rnn": layers.SimpleRNN(4, return_sequences=True)(x),
        "bidirectional": layers.Dense(2, activation="softmax")(both(x)),
        "stack": layers.Dense(1)(layers.GRU(4)(layers.LSTM(4, return_sequences=True)(x))),
        "tokens": layers.Dense(3)(layers.LSTM(4)(layers.Embedding(9, 3)(words))),
    }
    for name, y in outputs.items():
        model = keras.Model(words if name == "tokens" else x, y)
        model.set_weights([rng.normal(size=w.shape).astype("f") * 0.5 for w in model.get_weights()])
        given = rng.normal(size=(2, 5, 3)).astype("f")
        if name == "tokens":
            given = rng.integers(0, 9, (2, 5)).astype("int32")
        spec = (tensorflow.TensorSpec(given.shape, given.dtype, name="x"),)
        call = tensorflow.function(lambda x, model=model: model(x))
        proto, _ = tf2onnx.convert.from_function(call, input_signature=spec, opset=17)
        keep(f"keras_tf2onnx_{name}", proto.SerializeToString(), [given], versions)


if __name__ == "__main__":
    HERE.mkdir(exist_ok=True)
    {"torch": by_torch, "keras": by_keras}[sys.argv[1]]()
