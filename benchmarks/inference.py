"""Forward alone: ``nn.LSTM`` and ``nn.GRU`` beside torch.nn, ONNX Runtime and OpenVINO at twelve sizes.

    python benchmarks/inference.py [--only LSTM,GRU] [--repeats 41] [--json benchmarks/results/inference.json]

Without a gradient, float32, one thread, pinned. The two runtimes read the file that ``tg.interop.to_onnx``
writes; both get the precision f32 (OpenVINO may else choose another), one thread and no spinning, and are
called on arrays that are already there. All outputs must agree to 1e-4 before anything is measured.
"""

from __future__ import annotations

import argparse
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pairs import Run, beside, mean, pin, write  # first: it sets threads and the back end

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.interop import to_onnx

SIZES = [  # T, B, I, H
    (1, 1, 32, 32),
    (1, 1, 128, 128),
    (1, 1, 512, 512),
    (1, 64, 64, 256),
    (20, 1, 8, 64),
    (100, 1, 1, 32),
    (100, 1, 64, 128),
    (100, 1, 64, 512),
    (100, 16, 8, 32),
    (100, 32, 32, 128),
    (100, 64, 64, 256),
    (1000, 8, 4, 16),
]
Size = tuple[int, int, int, int]


class Outputs(nn.Module):
    """A recurrent layer's outputs alone: what the file has."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Any) -> Any:
        return self.layer(x)[0]


def of_torch(kind: str, layer: Any, x: Any) -> Run:
    """torch.nn's layer with our weights."""
    import torch

    torch.set_num_threads(1)
    theirs = getattr(torch.nn, kind)(layer.input_size, layer.hidden_size)
    theirs.load_state_dict({k: torch.tensor(p.numpy()) for k, p in layer.named_parameters()})
    data = torch.tensor(x)

    def run() -> Any:
        with torch.inference_mode():
            return theirs(data)[0]

    return run


def of_onnxruntime(path: str, x: Any) -> Run:
    """The file in ONNX Runtime."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    (given,), (said,) = session.get_inputs(), session.get_outputs()
    feed, names = {given.name: x}, [said.name]
    return lambda: session.run(names, feed)[0]


def of_openvino(path: str, x: Any) -> Run:
    """The file in OpenVINO."""
    import openvino

    options = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    options |= {"INFERENCE_NUM_THREADS": "1", "NUM_STREAMS": "1"}
    request = openvino.Core().compile_model(path, "CPU", options).create_infer_request()
    request.set_input_tensor(openvino.Tensor(x))

    def run() -> Any:
        request.infer()
        return request.get_output_tensor().data

    return run


def measured(kinds: list[str], repeats: int) -> list[dict[str, Any]]:
    """A row for each layer, size and peer."""
    rows = []
    for kind in kinds:
        for size in SIZES:
            steps, batch, features, hidden = size
            x = np.random.default_rng(0).standard_normal((steps, batch, features))
            x = x.astype(np.float32)
            layer, data = getattr(nn, kind)(features, hidden), tg.tensor(x)

            def mine(layer: Any = layer, data: Any = data) -> Any:
                with tg.no_grad():
                    return layer(data)[0]

            peers: dict[str, Run] = {}
            with tempfile.TemporaryDirectory() as folder:
                path = str(Path(folder) / "layer.onnx")
                to_onnx(Outputs(layer), path, data)
                if find_spec("torch"):
                    peers["torch.nn"] = of_torch(kind, layer, x)
                if find_spec("onnxruntime"):
                    peers["ONNX Runtime"] = of_onnxruntime(path, x)
                if find_spec("openvino"):
                    peers["OpenVINO"] = of_openvino(path, x)
            expected = mine().numpy()
            for peer, run in peers.items():
                off = np.abs(np.asarray(run()).reshape(expected.shape) - expected).max()
                assert off < 1e-4, f"{kind} {size} {peer}: off by {off}"
                row = {"layer": kind, "size": size, "peer": peer}
                label = f"{kind:4s} {','.join(map(str, size)):14s}"
                rows.append(beside(row, label, mine, run, repeats, max(5, repeats // 5), 10))
        for peer in dict.fromkeys(r["peer"] for r in rows):
            found = [r["call by call"] for r in rows if (r["layer"], r["peer"]) == (kind, peer)]
            print(f"{kind} {peer}: geometric mean {mean(found):.2f}, least {min(found):.2f}\n")
    return rows


def main() -> None:
    """Measure, print and, if asked, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", default="LSTM,GRU")
    parser.add_argument("--repeats", type=int, default=41)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    pin()
    write(measured(options.only.split(","), options.repeats), options.json)


if __name__ == "__main__":
    main()
