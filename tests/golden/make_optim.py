"""Make the golden cases of training with PyTorch: ``python tests/golden/make_optim.py`` (needs torch).

Each ``optim_*.npz`` holds its cases' results (see ``store.py``).
"""

import sys
from pathlib import Path

HERE = Path(__file__).parent


def main():
    sys.path.insert(0, str(HERE.parent))
    from golden import store
    from golden.optim_table import FILES, run

    torch, made_with = store.torch_ready()
    for file, cases in FILES.items():
        store.write(file, [(name, run(torch, file, name)) for name in cases], made_with)


if __name__ == "__main__":
    main()
