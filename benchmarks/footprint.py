"""What an installation weighs and how long it takes: the wheel, its dependencies, the import, the demo.

    python benchmarks/footprint.py

In a fresh virtual environment, from a wheel built of this checkout, in an empty folder; needs `build` and a
package index. Times are medians of runs that take turns; the import is also told as a ratio to numpy's.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

ROOT = Path(__file__).parent.parent
SIZES = """
import importlib.metadata as m, json
sizes = {}
for d in m.distributions():
    files = [d.locate_file(f) for f in d.files or []]
    sizes[d.metadata["Name"]] = sum(f.stat().st_size for f in files if f.is_file())
print(json.dumps(sizes))
"""
MB = 1e6


def seconds(*command: object, cwd: Path) -> float:
    """How long a command takes; it must succeed."""
    start = time.perf_counter()
    subprocess.run(list(map(str, command)), cwd=cwd, check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        empty = folder / "empty"
        empty.mkdir()
        seconds(sys.executable, "-m", "build", "-w", "-o", folder, ROOT, cwd=empty)
        (wheel,) = folder.glob("*.whl")
        print(f"wheel: {wheel.name}, {wheel.stat().st_size / 1e3:.0f} kB")

        venv.create(folder / "env", with_pip=True)
        scripts = folder / "env" / ("Scripts" if sys.platform == "win32" else "bin")
        python, command = scripts / "python", scripts / "tinygrad-rnn"
        before = json.loads(subprocess.check_output([python, "-c", SIZES], cwd=empty))
        took = seconds(python, "-m", "pip", "install", "-q", wheel, cwd=empty)
        after = json.loads(subprocess.check_output([python, "-c", SIZES], cwd=empty))
        new = {name: size for name, size in after.items() if name not in before}
        parts = ", ".join(f"{n} {s / MB:.1f}" for n, s in sorted(new.items(), key=lambda p: -p[1]))
        print(f"installed: {sum(new.values()) / MB:.0f} MB in {took:.0f} s ({parts})")

        pairs = [
            tuple(
                seconds(python, "-c", f"import {name}", cwd=empty)
                for name in ("numpy", "tinygrad_rnn")
            )
            for _ in range(15)
        ]
        ratio = statistics.median(ours / numpys for numpys, ours in pairs)
        numpys, ours = (statistics.median(column) for column in zip(*pairs, strict=True))
        print(f"import: {ours:.2f} s, numpy alone {numpys:.2f} s, ratio {ratio:.2f}")
        took = seconds(
            command, "draw", "--layer", "lstm", "--steps", 4, "-o", "lstm.svg", cwd=empty
        )
        print(
            f"tinygrad-rnn draw: {took:.1f} s, {(empty / 'lstm.svg').stat().st_size / 1e3:.0f} kB"
        )

        seconds(python, "-m", "pip", "install", "-q", f"{wheel}[plot]", cwd=empty)
        took = seconds(command, "demo", cwd=empty)
        page = sum(f.stat().st_size for f in (empty / "tinygrad-rnn-demo").rglob("*"))
        print(f"tinygrad-rnn demo: {took:.0f} s, a folder of {page / MB:.1f} MB")


if __name__ == "__main__":
    main()
