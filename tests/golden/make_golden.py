"""Make the golden cases with PyTorch: ``python tests/golden/make_golden.py`` (needs torch and numpy).

``golden.npz`` holds one flat float64 array with every result, and a JSON text that says where each
begins and which shape it has; ``dtypes`` is the table of result dtypes. Nothing is pickled.
"""

import json
import sys
import warnings
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from table import CASES, dtypes, run  # noqa: E402


def main():
    import torch

    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", message="var|std")
    index, chunks, start = {}, [], 0
    for name in CASES:
        index[name] = {}
        for key, array in run(torch, name).items():
            index[name][key] = [start, list(array.shape)]
            chunks.append(array.astype(np.float64).ravel())
            start += array.size
    path = HERE / "golden.npz"
    made_with = f"torch {torch.__version__.split('+')[0]}, float64"
    np.savez_compressed(
        path,
        values=np.concatenate(chunks),
        index=np.array(json.dumps(index, separators=(",", ":"))),
        dtypes=np.array(json.dumps(dtypes(torch), separators=(",", ":"))),
        made_with=np.array(made_with),
    )
    print(f"{len(index)} cases, {start:,} values, {path.stat().st_size:,} bytes, {made_with}")


if __name__ == "__main__":
    main()
