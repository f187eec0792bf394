"""The table of all files in CONTRIBUTING.md: a file, and the question it answers, its first line.

And the table of the core's files in docs/guides/reading_the_code.md: how many lines each has, in tens.

python docs/make_rooms.py
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE, PACKAGE = ROOT / "CONTRIBUTING.md", ROOT / "tinygrad_rnn"
BEGIN, END = "<!-- rooms: python docs/make_rooms.py -->", "<!-- end of rooms -->"
GUIDE = ROOT / "docs" / "guides" / "reading_the_code.md"
LINES, LINES_END = "<!-- lines: python docs/make_rooms.py -->", "<!-- end of lines -->"
CORE = (
    "engine/values.py",
    "ops/row.py",
    "ops/elementwise.py",
    "engine/autograd.py",
    "tensors/value.py",
    "nn/cells.py",
    "nn/stepping.py",
    "nn/recurrent.py",
)


def first_line(path: Path) -> str:
    """The first line of what a file says of itself: of a module's docstring, or of a script's comment."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]
    return text.partition("\n")[0].removeprefix("// ") if path.suffix == ".js" else ""


def files() -> Iterator[Path]:
    """Every file of the package that says something of itself, those of a folder after its own name."""
    found = [p for ending in ("py", "js") for p in PACKAGE.rglob(f"*.{ending}")]
    folders = sorted(
        {p.parent for p in found}, key=lambda folder: folder.relative_to(PACKAGE).parts
    )
    for folder in folders:
        here = sorted(p for p in found if p.parent == folder)
        yield from sorted(here, key=lambda p: p.name != "__init__.py")


def table() -> str:
    """The table, between its marks."""
    rows = ["| file | its question |", "| --- | --- |"]
    for path in files():
        name = path.relative_to(PACKAGE).as_posix()
        place = (
            f"**`{name.removesuffix('__init__.py')}`**"
            if name.endswith("/__init__.py")
            else f"`{name}`"
        )
        rows.append(f"| {place} | {first_line(path)} |")
    return "\n".join([BEGIN, "", *rows, "", END])


def lines_of(name: str) -> int:
    """How many lines a file of the package has."""
    return len((PACKAGE / name).read_text(encoding="utf-8").splitlines())


def guide() -> str:
    """The guide with its table of the core's files as it should be; lines are in tens."""
    rows = ["| file | lines |", "| --- | ---: |"]
    rows += [f"| `{name}` | {round(lines_of(name), -1)} |" for name in CORE]
    rows.append(f"| all | {round(sum(map(lines_of, CORE)), -1):,} |")
    before, rest = GUIDE.read_text(encoding="utf-8").split(LINES)
    made = "\n".join([LINES, "", *rows, "", LINES_END])
    return before + made + rest.split(LINES_END)[1]


def page() -> str:
    """CONTRIBUTING.md with the table as it should be."""
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    return before + table() + rest.split(END)[1]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    GUIDE.write_text(guide(), encoding="utf-8")
