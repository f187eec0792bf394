#!/usr/bin/env bash
# PyTorch 2.13.0+cpu (PyPI), CPU (AMD EPYC with AVX-512), one thread: one step of nn.LSTM without a gradient takes
# many times as long through oneDNN, the default, as without it.
#
# nn.LSTM in float32 on a CPU runs by oneDNN, which puts the weights in an order of its own at every call. For a whole
# sequence that pays; for one step at B=1, as streams call it, it is most of the time. nn.LSTMCell with the same
# weights, nn.LSTM under torch.backends.mkldnn.flags(enabled=False) and nn.GRU, which has no such path, are not
# slowed. The outputs are the same to 1e-5.
#
# Seen, H = I = 512, T = B = 1: LSTM 5.6 ms (2 to 6 in several runs), without oneDNN 0.23 ms, LSTMCell 0.21 ms,
# GRU 0.18 ms; H = 1024: 23 ms, 2.0, 2.4, 1.5.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -q torch==2.13.0 numpy==2.4.6
OMP_NUM_THREADS=1 "$work/venv/bin/python" -W ignore - <<'PY'
import statistics
import time

import torch

torch.set_num_threads(1)
torch.manual_seed(0)
hidden = 512
lstm, gru = torch.nn.LSTM(hidden, hidden), torch.nn.GRU(hidden, hidden)
cell = torch.nn.LSTMCell(hidden, hidden)
cell.load_state_dict({k.removesuffix("_l0"): v for k, v in lstm.state_dict().items()})
x = torch.randn(1, 1, hidden)


def without(run):
    with torch.backends.mkldnn.flags(enabled=False):
        return run()


programs = {
    "LSTM": lambda: lstm(x)[0][0],
    "LSTM without oneDNN": lambda: without(lambda: lstm(x)[0][0]),
    "LSTMCell": lambda: cell(x[0])[0],
    "GRU": lambda: gru(x)[0][0],
}
taken = {name: [] for name in programs}
with torch.inference_mode():
    for _ in range(110):  # in turns
        for name, run in programs.items():
            start = time.process_time()
            run()
            taken[name].append(time.process_time() - start)
    said = {name: run() for name, run in programs.items()}
ms = {name: 1e3 * statistics.median(times[10:]) for name, times in taken.items()}
print({name: round(value, 3) for name, value in ms.items()}, "ms")
for name in ("LSTM without oneDNN", "LSTMCell"):
    torch.testing.assert_close(said["LSTM"], said[name], rtol=1e-5, atol=1e-5)
    assert ms["LSTM"] > 2 * ms[name], f"one step of LSTM no longer costs much more than {name}"
PY
