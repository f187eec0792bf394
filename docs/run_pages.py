"""Run the code on the docs' pages and write what it printed under it.

    python docs/run_pages.py

A page is Markdown. Its ```python blocks run one after the other in one namespace, and a ```text block
that follows one holds exactly what that one printed. The tests run every page and expect no change.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import tempfile
from pathlib import Path
from typing import Any

from tinygrad_rnn.scan import backends

HERE = Path(__file__).parent
BLOCK = re.compile(r"```python\n(?P<code>.*?)```\n(?:\n```text\n(?P<printed>.*?)```\n)?", re.DOTALL)


def pages() -> list[Path]:
    """The pages whose code prints: the first one, the guides and the questions."""
    more = [HERE / f"{name}.md" for name in ("index", "teaching", "worksheet")]
    return sorted([*more, *HERE.glob("guides/*.md"), *HERE.glob("questions/*.md")])


def run(page: Path) -> str:
    """The page's text, with what its code prints now."""
    scope: dict[str, Any] = {"__name__": page.stem}

    def block(match: re.Match[str]) -> str:
        line = page.read_text(encoding="utf-8")[: match.start()].count("\n") + 1
        code = "\n" * line + match["code"]
        out = io.StringIO()
        with contextlib.redirect_stdout(out), backends.using("numpy"):  # the same bits everywhere
            exec(compile(code, str(page), "exec"), scope)
        printed = f"\n```text\n{out.getvalue()}```\n" if out.getvalue() else ""
        return f"```python\n{match['code']}```\n{printed}"

    return BLOCK.sub(block, page.read_text(encoding="utf-8"))


def main() -> None:
    """Write every page anew, running its code in an empty folder."""
    here = Path.cwd()
    for page in pages():
        with tempfile.TemporaryDirectory() as empty:
            os.chdir(empty)
            try:
                text = run(page)
            finally:
                os.chdir(here)
        page.write_text(text, encoding="utf-8")
        print(page.relative_to(HERE))


if __name__ == "__main__":
    main()
