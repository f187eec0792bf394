"""Make the golden cases of training with PyTorch: ``python tests/golden/make_optim.py`` (needs torch).

Each ``optim_*.npz`` holds one flat float64 array with every result, and a JSON text that says where
each begins and which shape it has. Nothing is pickled.
"""

import json
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent


def main():
    sys.path[:0] = [str(HERE), str(HERE.parent)]
    import torch
    from optim_table import FILES, run

    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)
    for file, cases in FILES.items():
        index, chunks, start = {}, [], 0
        for name in cases:
            index[name] = {}
            for key, array in run(torch, file, name).items():
                index[name][key] = [start, list(array.shape)]
                chunks.append(array.astype(np.float64).ravel())
                start += array.size
        path = HERE / f"{file}.npz"
        made_with = f"torch {torch.__version__.split('+')[0]}, float64"
        np.savez_compressed(
            path,
            values=np.concatenate(chunks),
            index=np.array(json.dumps(index, separators=(",", ":"))),
            made_with=np.array(made_with),
        )
        size = path.stat().st_size
        print(f"{file}: {len(index)} cases, {start:,} values, {size:,} bytes, {made_with}")


if __name__ == "__main__":
    main()
