"""Machine code, and what Python reads of it, outlive what calls it: a collection, the end of a process."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("numba", reason="numba is not installed (extra fast)")

# Memory that is given back is overwritten (by glibc; elsewhere nothing is), so whoever still reads it fails.
OVERWRITTEN = {"PYTHONMALLOC": "malloc", "MALLOC_PERTURB_": "2", "TINYGRAD_RNN_BACKEND": "numba"}
LAYER = """
net, x = tg.nn.{layer}(3, 4), np.ones((5, 2, 3), np.float32)
for _ in range(3):
    net(x)[0].square().mean().backward()
assert all(np.isfinite(p.grad.numpy()).all() for p in net.parameters())
"""
USES = {
    "LSTM": LAYER.format(layer="LSTM"),
    "GRU": LAYER.format(layer="GRU"),
    "without gradients": """
net = tg.nn.RNN(3, 4)
with tg.no_grad():
    for rows in (1, 2, 1):
        assert np.isfinite(net(np.ones((5, rows, 3), np.float32))[0].numpy()).all()
""",
    "lengths": """
net, x = tg.nn.LSTM(3, 4), np.ones((5, 2, 3), np.float32)
for _ in range(3):
    net(x, lengths=[5, 2])[0].square().mean().backward()
""",
    "own cell": """
class Cell(tg.nn.Module):
    def __init__(self):
        super().__init__()
        self.own = tg.nn.Linear(3, 3)

    def forward(self, x, h):
        h = tg.tanh(self.own(h) + x)
        return h, h

net = tg.nn.Recurrent(Cell())
for _ in range(3):
    net(tg.ones(5, 2, 3), tg.zeros(2, 3))[0].sum().backward()
assert np.isfinite(net.cell.own.weight.grad.numpy()).all()
""",
    "ops": """
x = tg.tensor(np.ones((64, 256), np.float32), requires_grad=True)
for _ in range(3):
    (tg.log_softmax(x, -1) * tg.tanh(x)).sum().backward()
assert any(row_loops._LOOPS.values())
""",
    "a whole step": """
from tinygrad_rnn.training import compiled
compiled._patience = lambda: 2
class Last(tg.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.head = tg.nn.LSTM(3, 4), tg.nn.Linear(4, 2)

    def forward(self, x):
        return self.head(self.layer(x)[0][-1])

net = Last()
step = tg.compile_step(net, tg.nn.functional.mse_loss, tg.optim.Adam(net.parameters()))
for _ in range(6):
    step(tg.ones(5, 2, 3), tg.zeros(2, 2))
assert "all of it machine code" in step.explain()
""",
    "layers that go first": """
import gc
for width in (2, 3, 4):
    net = tg.nn.LSTM(3, width)
    net(np.ones((5, 2, 3), np.float32))[0].sum().backward()
    del net
    gc.collect()
""",
    "loops that go first": """
import gc, tempfile
from pathlib import Path
from tinygrad_rnn.scan import native
text = '''import numpy as np
@compiled(fastmath={"contract", "nsz"})
def loop(n, given, out):
    for k in range(np.uint64(n)):
        out[k] = given[k] + given[k]
'''
folder, out, kept = Path(tempfile.mkdtemp()), np.zeros(4, np.float32), []
for _ in range(20):
    loop = native.CompiledLoop(text, "of a test", folder)
    loop(4, np.ones(4, np.float32), out)
    kept.append(loop.function)
    del loop
    gc.collect()
for function in kept:  # its loop lives as long as it
    out[:] = 0
    function(4, np.ones(4, np.float32), out)
    assert out.tolist() == [2] * 4
del function
kept.clear()
gc.collect()
""",
    "a thread that is in it": """
import threading
net, x = tg.nn.LSTM(64, 128), np.ones((400, 8, 64), np.float32)
begun = threading.Event()

def run():
    while True:
        net(x)
        begun.set()

threading.Thread(target=run, daemon=True).start()
begun.wait()
""",
    "a thread that compiles": """
import itertools, tempfile, threading
from pathlib import Path
from tinygrad_rnn.scan import native
folder, begun = Path(tempfile.mkdtemp()), threading.Event()

def run():
    for k in itertools.count():
        text = f'''import numpy as np
@compiled()
def loop(n, out):
    for k in range(np.uint64(n)):
        out[k] = out[k] + {k}
'''
        native.CompiledLoop(text, "of a test", folder)(4, np.zeros(4))
        begun.set()

threading.Thread(target=run, daemon=True).start()
begun.wait()
""",
}
FORKS = """
import os, signal, threading, time
from tinygrad_rnn.scan import runtime, {module} as module
runtime.MOST = 1 << 18
made, begun = module.{name}, threading.Event()

def slow(*args, **options):
    begun.set()
    time.sleep(1)
    return made(*args, **options)

module.{name} = slow

def run():
    tg.nn.GRU(3, 4)(tg.ones(5, 2, 3))
    memory = [runtime.empty((1 << 16,), np.dtype("u1"), 1 << 16) for _ in range(6)]

threading.Thread(target=run).start()
begun.wait()
child = os.fork()
module.{name} = made
if not child:
    signal.alarm(30)
    net = tg.nn.LSTM(128, 128)
    net(tg.ones(5, 64, 128))[0].sum().backward()
    runtime.empty((1 << 16,), np.dtype("u1"), 1 << 16)
    os._exit(0 if "run by numba" in net.explain() else 1)
assert os.waitpid(child, 0)[1] == 0
"""


if hasattr(os, "fork"):
    INSIDE = {
        "traces": "cells._trace_twice",
        "compiles": "native._kept",
        "takes memory": "runtime._drop",
    }
    for what, inside in INSIDE.items():
        module, name = inside.split(".")
        USES[f"a fork while a thread {what}"] = FORKS.format(module=module, name=name)


@pytest.mark.parametrize("use", USES)
def test_a_process_ends_well(use, tmp_path):
    head = "import numpy as np\nimport tinygrad_rnn as tg\nfrom tinygrad_rnn.scan import row_loops"
    code = f"{head}\n{USES[use]}\nprint('used')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | OVERWRITTEN | {"TMPDIR": str(tmp_path)},
        timeout=120,
    )
    assert (done.returncode, done.stdout) == (0, "used\n"), done.stderr
