"""What an installation weighs and how long it takes: the wheel, its dependencies, the import, the demo.

    python benchmarks/footprint.py            prints the table of docs/size.md
    python benchmarks/footprint.py --write    writes it there, and the number of tests into the README
    python benchmarks/footprint.py --tests    writes that number alone

In a fresh virtual environment, from a wheel built of this checkout, in an empty folder; needs `build` and a
package index. The import is a ratio to numpy's, the median of runs that take turns.
"""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "size.md"
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


def measure(folder: Path) -> dict[str, str]:
    """The rows of the table in docs/size.md."""
    rows: dict[str, str] = {}
    empty = folder / "empty"
    empty.mkdir()
    seconds(sys.executable, "-m", "build", "-w", "-o", folder, ROOT, cwd=empty)
    (wheel,) = folder.glob("*.whl")
    rows["the wheel"] = f"{wheel.stat().st_size / MB:.2f} MB, pure Python"

    venv.create(folder / "env", with_pip=True)
    scripts = folder / "env" / ("Scripts" if sys.platform == "win32" else "bin")
    python, command = scripts / "python", scripts / "tinygrad-rnn"
    before = json.loads(subprocess.check_output([python, "-c", SIZES], cwd=empty))
    seconds(python, "-m", "pip", "install", "-q", wheel, cwd=empty)
    after = json.loads(subprocess.check_output([python, "-c", SIZES], cwd=empty))
    new = {name: size for name, size in after.items() if name not in before}
    parts = ", ".join(f"{n} {s / MB:.1f}" for n, s in sorted(new.items(), key=lambda p: -p[1]))
    rows["installed with its dependencies"] = f"{sum(new.values()) / MB:.0f} MB: {parts}"

    pairs = [
        tuple(
            seconds(python, "-c", f"import {name}", cwd=empty) for name in ("numpy", "tinygrad_rnn")
        )
        for _ in range(15)
    ]
    ratio = statistics.median(ours / numpys for numpys, ours in pairs)
    rows["`import tinygrad_rnn`"] = f"{ratio:.2f} times as long as `import numpy`"
    draw = "draw --layer lstm --steps 4 -o lstm.svg"
    took = seconds(command, *draw.split(), cwd=empty)
    size = (empty / "lstm.svg").stat().st_size / 1e3
    rows[f"`tinygrad-rnn {draw}`, from process start"] = f"{took:.1f} s, a file of {size:.0f} kB"

    seconds(python, "-m", "pip", "install", "-q", f"{wheel}[plot]", cwd=empty)
    took = seconds(command, "demo", cwd=empty)
    page = sum(f.stat().st_size for f in (empty / "tinygrad-rnn-demo").rglob("*"))
    words = f"{took:.0f} s, a folder of {page / MB:.1f} MB"
    return rows | {"`tinygrad-rnn demo`, with the extra `plot`": words}


def count_tests() -> None:
    """Write into the README how many tests its second command runs, in thousands."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-n", "0"]
    last = subprocess.check_output(command, cwd=ROOT, text=True).splitlines()[-1]
    count = round(int(last.partition("/")[0]), -3)
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    readme.write_text(
        re.sub(r"some [\d,]+(?=, in )", f"some {count:,}", text), "utf-8", newline="\n"
    )


def main() -> None:
    if "--write" in sys.argv[1:] or "--tests" in sys.argv[1:]:
        count_tests()
    if "--tests" in sys.argv[1:]:
        return
    with tempfile.TemporaryDirectory() as temporary:
        rows = measure(Path(temporary))
    table = "".join(f"| {name} | {value} |\n" for name, value in rows.items())
    print(table)
    if "--write" in sys.argv[1:]:
        head, rest = PAGE.read_text(encoding="utf-8").split("| --- | --- |\n", 1)
        after = rest[rest.index("\n\n") :]
        text = f"{head}| --- | --- |\n{table.rstrip()}{after}"
        PAGE.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
