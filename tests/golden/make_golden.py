"""Make the golden cases with PyTorch: ``python tests/golden/make_golden.py`` (needs torch and numpy).

``golden.npz`` holds every case's results (see ``store.py``); ``dtypes`` is the table of result dtypes.
"""

import sys
import warnings
from pathlib import Path

HERE = Path(__file__).parent


def main():
    sys.path.insert(0, str(HERE.parent))
    from golden import store
    from golden.table import CASES, dtypes, run

    torch, made_with = store.torch_ready()
    warnings.filterwarnings("ignore", message="var|std")
    cases = [(name, run(torch, name)) for name in CASES]
    store.write("golden", cases, made_with, dtypes=dtypes(torch))


if __name__ == "__main__":
    main()
