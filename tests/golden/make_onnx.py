"""Run random RNN, LSTM and GRU nodes in onnxruntime: ``python tests/golden/make_onnx.py``.

Needs onnx and onnxruntime. ``onnx.npz`` holds one flat float32 array with the inputs, weights and
outputs of every node, and a JSON text with each node's attributes and where its arrays begin. Nothing
is pickled.
"""

import json
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
GATES = {"RNN": 1, "LSTM": 4, "GRU": 3}
INPUTS = ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P")
DIRECTIONS = ("forward", "reverse", "bidirectional")
NODES = 80  # of each kind


def node(kind, k, rng):
    """The attributes and the inputs of one node."""
    steps, batch, features, hidden = (int(n) for n in rng.integers(1, (7, 5, 5, 6)))
    direction = DIRECTIONS[k % 3]
    ways, gates = (2 if direction == "bidirectional" else 1), GATES[kind]
    attributes = {"direction": direction, "hidden_size": hidden}

    def random(*shape):
        return rng.uniform(-1.2, 1.2, shape).astype(np.float32)

    inputs = {"X": random(steps, batch, features)}
    inputs["W"] = random(ways, gates * hidden, features)
    inputs["R"] = random(ways, gates * hidden, hidden)
    if rng.random() < 0.7:
        inputs["B"] = random(ways, 2 * gates * hidden)
    if k % 2:
        inputs["sequence_lens"] = rng.integers(0, steps + 1, batch).astype(np.int32)
    if rng.random() < 0.5:
        inputs["initial_h"] = random(ways, batch, hidden)
    if kind == "LSTM":
        if rng.random() < 0.5:
            inputs["initial_c"] = random(ways, batch, hidden)
        if k % 4 < 2:
            inputs["P"] = random(ways, 3 * hidden)
    if kind == "GRU":
        attributes["linear_before_reset"] = int(k % 4 < 2)
    return attributes, inputs


def run(kind, attributes, inputs):
    """Y, Y_h and, of an LSTM, Y_c, as onnxruntime computes them."""
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper

    names = [n for n in INPUTS if kind == "LSTM" or n not in ("P", "initial_c")]
    outputs = ["Y", "Y_h", "Y_c"] if kind == "LSTM" else ["Y", "Y_h"]
    made = helper.make_node(kind, [n if n in inputs else "" for n in names], outputs, **attributes)
    kinds = {n: TensorProto.INT32 if n == "sequence_lens" else TensorProto.FLOAT for n in inputs}
    graph = helper.make_graph(
        [made],
        "one node",
        [helper.make_tensor_value_info(n, kinds[n], a.shape) for n, a in inputs.items()],
        [
            helper.make_tensor_value_info(n, TensorProto.FLOAT, [None] * (4 if n == "Y" else 3))
            for n in outputs
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    onnx.checker.check_model(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return dict(zip(outputs, session.run(outputs, inputs), strict=True))


def main():
    import onnxruntime

    rng = np.random.default_rng(4)
    cases, chunks, start = {}, [], 0
    for kind in GATES:
        for k in range(NODES):
            attributes, inputs = node(kind, k, rng)
            arrays = {**inputs, **run(kind, attributes, inputs)}
            where = {}
            for name, array in arrays.items():
                where[name] = [start, list(array.shape)]
                chunks.append(array.astype(np.float32).ravel())
                start += array.size
            cases[f"{kind} {k} {attributes['direction']}"] = [kind, attributes, where]
    path = HERE / "onnx.npz"
    np.savez_compressed(
        path,
        values=np.concatenate(chunks),
        cases=np.array(json.dumps(cases, separators=(",", ":"))),
        made_with=np.array(f"onnxruntime {onnxruntime.__version__}, float32"),
    )
    print(f"{len(cases)} nodes, {start:,} values, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
