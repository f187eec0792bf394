"""Make the layers' golden cases with PyTorch: ``python tests/golden/make_layers.py`` (needs torch).

``layers.npz`` holds one flat float64 array with every result, a JSON text that says where each begins
and which shape it has, and another with the entries of the state dicts. Nothing is pickled.
"""

import json
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent


def main():
    sys.path[:0] = [str(HERE), str(HERE.parent)]
    import torch
    from layers_table import CASES, keys, run

    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)
    index, chunks, start = {}, [], 0
    for name in CASES:
        index[name] = {}
        for key, array in run(torch, name).items():
            index[name][key] = [start, list(array.shape)]
            chunks.append(array.astype(np.float64).ravel())
            start += array.size
    path = HERE / "layers.npz"
    made_with = f"torch {torch.__version__.split('+')[0]}, float64"
    np.savez_compressed(
        path,
        values=np.concatenate(chunks),
        index=np.array(json.dumps(index, separators=(",", ":"))),
        keys=np.array(json.dumps(keys(torch), separators=(",", ":"))),
        made_with=np.array(made_with),
    )
    print(f"{len(index)} cases, {start:,} values, {path.stat().st_size:,} bytes, {made_with}")


if __name__ == "__main__":
    main()
