"""Inference at B=1 beside RTNeural (C++, sizes as constants), in nanoseconds a step.

    python benchmarks/rtneural.py --rtneural FOLDER --xsimd FOLDER [--repeats 41] [--json FILE]

FOLDER is a checkout of RTNeural, and of the xsimd that it names as its submodule. Each layer is compiled
here, ``g++ -O3 -march=native``, its sizes constants; one input, H of 8, 16, 32, 64, float32, the same weights
on both sides, whose outputs must agree to 1e-4. Two programs: a sequence of 1000 samples from a state of
zeros, and a stream in blocks of 64 samples that hands its state on. Without a gradient, one thread, pinned.
"""

from __future__ import annotations

import argparse
import ctypes
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from pairs import Run, beside, pin, write  # first: it sets threads and the back end

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import nn

HIDDENS, SEQUENCE, BLOCK = (8, 16, 32, 64), 1000, 64
FLOATS = ctypes.POINTER(ctypes.c_float)
SOURCE = Path(__file__).with_suffix(".cpp")


def compiled(kind: str, hidden: int, rtneural: Path, xsimd: Path, folder: Path) -> Any:
    """The layer as a library."""
    made = folder / f"{kind}{hidden}.so"
    command = ["g++", "-O3", "-march=native", "-std=c++17", "-shared", "-fPIC"]
    command += ["-DRTNEURAL_USE_XSIMD=1", "-DRTNEURAL_DEFAULT_ALIGNMENT=64", "-DNDEBUG"]
    command += [f"-DHIDDEN={hidden}", f"-DKIND_LSTM={int(kind == 'LSTM')}"]
    command += [f"-I{rtneural}", f"-I{xsimd / 'include'}", f"-I{rtneural / 'modules/json'}"]
    subprocess.run([*command, str(SOURCE), "-o", str(made)], check=True)
    return ctypes.CDLL(str(made))


def pointer(array: Any) -> Any:
    """Where an array's floats are."""
    return array.ctypes.data_as(FLOATS)


def filled(library: Any, kind: str, layer: Any) -> None:
    """Hand our weights over, in Keras's order of gates and sides."""
    found = {name.removesuffix("_l0"): p.numpy() for name, p in layer.named_parameters()}
    hidden = layer.hidden_size
    kernel, recurrent = found["weight_ih"].T, found["weight_hh"].T
    if kind == "LSTM":
        bias = (found["bias_ih"] + found["bias_hh"])[None]
        parts = [kernel, recurrent, bias]
    else:  # theirs is update, reset, new; ours reset, update, new
        turn = np.r_[hidden : 2 * hidden, :hidden, 2 * hidden : 3 * hidden]
        bias = np.stack([found["bias_ih"], found["bias_hh"]])
        parts = [part[:, turn] for part in (kernel, recurrent, bias)]
    parts = [np.ascontiguousarray(part, np.float32) for part in parts]
    library.set(*map(pointer, parts))


def programs(kind: str, hidden: int, library: Any) -> dict[str, tuple[Run, Run, int]]:
    """(ours, theirs, steps) of each program; both give their outputs."""
    layer = getattr(nn, kind)(1, hidden)
    filled(library, kind, layer)
    x = np.random.default_rng(0).standard_normal((SEQUENCE, 1, 1)).astype(np.float32)
    data, block = tg.tensor(x), tg.tensor(x[:BLOCK])
    out, steps = np.empty((SEQUENCE, hidden), np.float32), ctypes.c_long(SEQUENCE)
    few, given, into = ctypes.c_long(BLOCK), pointer(x), pointer(out)
    state: list[Any] = [None]

    def sequence() -> Any:
        with tg.no_grad():
            return layer(data)[0]

    def their_sequence() -> Any:
        library.reset()
        library.run(given, into, steps)
        return out

    def stream() -> Any:
        with tg.no_grad():
            y, state[0] = layer(block, state[0])
        return y

    def their_stream() -> Any:
        library.run(given, into, few)
        return out

    mine, theirs = sequence().numpy()[:, 0], their_sequence()
    off = np.abs(mine - theirs).max()
    assert off < 1e-4, f"{kind} {hidden}: off by {off}"
    return {
        f"sequence of {SEQUENCE}": (sequence, their_sequence, SEQUENCE),
        f"blocks of {BLOCK}": (stream, their_stream, BLOCK),
    }


def measured(rtneural: Path, xsimd: Path, repeats: int) -> list[dict[str, Any]]:
    """A row for each kind, size and program."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("LSTM", "GRU"):
            for hidden in HIDDENS:
                library = compiled(kind, hidden, rtneural, xsimd, Path(folder))
                for what, (mine, theirs, steps) in programs(kind, hidden, library).items():
                    row = {"layer": kind, "H": hidden, "what": what, "peer": "RTNeural"}
                    label = f"{kind:4s} {hidden:3d} {what:18s}"
                    row = beside(row, label, mine, theirs, repeats, max(5, repeats // 4), 20)
                    row["ns"], row["peer_ns"] = (row[k] / steps * 1e3 for k in ("us", "peer_us"))
                    rows.append(row)
    return rows


def main() -> None:
    """Measure, print and, if asked, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rtneural", type=Path, required=True)
    parser.add_argument("--xsimd", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=41)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    pin()
    write(measured(options.rtneural, options.xsimd, options.repeats), options.json)


if __name__ == "__main__":
    main()
