"""Make the layers' golden cases with PyTorch: ``python tests/golden/make_layers.py`` (needs torch).

``layers.npz`` holds every case's results (see ``store.py``); ``keys`` are the entries of the state dicts.
"""

import sys
from pathlib import Path

HERE = Path(__file__).parent


def main():
    sys.path.insert(0, str(HERE.parent))
    from golden import store
    from golden.layers_table import CASES, keys, run

    torch, made_with = store.torch_ready()
    cases = [(name, run(torch, name)) for name in CASES]
    store.write("layers", cases, made_with, keys=keys(torch))


if __name__ == "__main__":
    main()
