"""How golden cases are stored: one flat float64 array, and a JSON text that says where each begins.

``{case: {key: array}}`` in, the same out; further tables are JSON texts beside it. Nothing is pickled.
"""

import json
import math
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent


def write(file, cases, made_with, **tables):
    """Store the cases and tables in ``file``.npz beside this module, and say how much that is."""
    index, chunks, start = {}, [], 0
    for name, results in cases:
        index[name] = {}
        for key, array in results.items():
            index[name][key] = [start, list(array.shape)]
            chunks.append(array.astype(np.float64).ravel())
            start += array.size
    texts = {key: _text(table) for key, table in {"index": index, **tables}.items()}
    path = HERE / f"{file}.npz"
    np.savez_compressed(path, values=np.concatenate(chunks), **texts, made_with=np.array(made_with))
    size = path.stat().st_size
    print(f"{file}: {len(index)} cases, {start:,} values, {size:,} bytes, {made_with}")


def _text(table):
    return np.array(json.dumps(table, separators=(",", ":")))


def read(file):
    """The cases of ``file``.npz."""
    with np.load(HERE / f"{file}.npz", allow_pickle=False) as stored:
        values, index = stored["values"], json.loads(str(stored["index"]))
    return {
        name: {
            key: values[start : start + math.prod(shape)].reshape(shape)
            for key, (start, shape) in arrays.items()
        }
        for name, arrays in index.items()
    }


def read_table(file, key):
    """One of the tables beside the cases."""
    with np.load(HERE / f"{file}.npz", allow_pickle=False) as stored:
        return json.loads(str(stored[key]))


def torch_ready():
    """PyTorch, one thread and deterministic, and what to say that it was."""
    import torch

    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)
    return torch, f"torch {torch.__version__.split('+')[0]}, float64"
