"""The losses of ``scripts/`` in PyTorch: ``python tests/golden/make_scripts.py`` (needs torch)."""

import json
import os
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent


def main():
    import torch

    torch.set_num_threads(1)
    found = {}
    for script in sorted((HERE.parent / "scripts").glob("*.py")):
        scope = {"__name__": script.stem}
        with tempfile.TemporaryDirectory() as empty:
            os.chdir(empty)
            exec(compile(script.read_text(encoding="utf-8"), script.name, "exec"), scope)
            os.chdir(HERE)
        found[script.stem] = [round(loss, 9) for loss in scope["losses"]]
    text = json.dumps(found, indent=0)
    (HERE / "scripts.json").write_text(text + "\n", encoding="utf-8")
    print(f"{len(found)} scripts, torch {torch.__version__}", file=sys.stderr)


if __name__ == "__main__":
    main()
