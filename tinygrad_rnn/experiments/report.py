"""How does the demo tell what it finds? Each thing once, on the terminal now and on the page at the end.

The terminal gets plain ASCII, which every code page can show.
"""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import ArrayLike

from .._version import __version__
from . import page

WIDTH = 78
RAMP = " .:-=+*#%@"


class Reporter:
    """Says, tabulates and pictures into a folder; ``finish`` writes its ``index.html``.

    Pictures are files in ``folder`` and part of the page too. Text may hold `code` in backticks.
    """

    def __init__(
        self, folder: Path, stream: TextIO | None = None, header: page.Header | None = None
    ) -> None:
        self.folder = folder
        self.stream = stream
        self._page = page.Page(header)
        self._said_missing = False
        self._lists_pictures = False

    # ---- blocks

    def title(self, text: str) -> None:
        """The first line on the terminal."""
        self._print(f"{text}, into {self.folder}")

    def act(self, number: int, title: str) -> None:
        """Begin an act."""
        self._print()
        self._print(f"ACT {number}  {title}")
        self._print("-" * WIDTH)
        self._page.section(f"act-{number}", f"Act {number}", title)

    def section(self, anchor: str, title: str, label: str = "") -> None:
        """Begin a section without a number."""
        self._print()
        self._print(title)
        self._print("-" * WIDTH)
        self._page.section(anchor, label, title)

    def say(self, text: str) -> None:
        """A paragraph."""
        self._print(wrapped(text))
        self._print()
        self._page.paragraph(text)

    def quote(self, text: str) -> None:
        """Words of somebody else."""
        self._print(wrapped(f'"{text}"', "    "))
        self._print()
        self._page.quotation(text)

    def table(
        self,
        head: Sequence[str],
        rows: Sequence[Sequence[str]],
        note: str = "",
        strong: int | None = None,
    ) -> None:
        """A table: the first column is text, the others are numbers; row ``strong`` stands out."""
        self._print(as_table(head, rows))
        if note:
            self._print(wrapped(note))
        self._print()
        self._page.table(head, rows, note, strong)

    def picture(self, name: str, svg: str, alt: str, caption: str) -> None:
        """An SVG: the file ``name`` in the folder, and a figure on the page."""
        path = self.folder / name
        path.write_text(svg, encoding="utf-8")
        self._print(f"  picture: {path}", picture=True)
        self._page.picture(svg, alt, caption)

    def block(self, lines: Sequence[str], caption: str) -> None:
        """Lines that stand as they are: what takes a plot's place where there is no matplotlib."""
        for line in lines:
            self._print("  " + line)
        self._print(wrapped(caption))
        self._print()
        self._page.block(lines, caption)

    def link(self, name: str, words: str) -> None:
        """Another page in the folder, beside this one."""
        self._print(f"  page: {self.folder / name}", picture=True)
        self._page.link(name, words)

    def remark(self, text: str) -> None:
        """A line for the terminal alone."""
        self._print(f"  {text}", picture=True)

    def missing(self, error: ImportError) -> None:
        """Say once what is not installed, and that text takes its place."""
        if not self._said_missing:
            self._said_missing = True
            self.say(f"Text in place of plots: {error}.")

    def result(self, figure: str, words: str) -> None:
        """One of the few figures to remember; they stand at the top of the page."""
        self._page.results.append((figure, words))

    def finish(self, seconds: float) -> Path:
        """Write the page and say where it is."""
        self._print()
        self._print("IN SHORT")
        self._print("-" * WIDTH)
        indent = " " * (max((len(figure) for figure, _ in self._page.results), default=0) + 4)
        for figure, words in self._page.results:
            self._print(f"  {figure}".ljust(len(indent)) + wrapped(words, indent).lstrip())
        path = self.folder / "index.html"
        path.write_text(self._page.html(__version__, seconds), encoding="utf-8")
        self._print()
        self._print(f"  All of it on one page ({seconds:.0f} s):")
        self._print(f"  {path.resolve()}")
        return path

    def _print(self, text: str = "", picture: bool = False) -> None:
        """A line; one that follows a list of pictures stands off from it."""
        out = self.stream or sys.stdout
        if self._lists_pictures and not picture and text:
            print(file=out)
        self._lists_pictures = picture
        print(text, file=out, flush=True)


# ---- plain text -----------------------------------------------------------------------------------


def wrapped(text: str, indent: str = "  ") -> str:
    """A paragraph within the terminal's width; "t = 4" and `code` stay on one line each.

    >>> from tinygrad_rnn.experiments.report import wrapped
    >>> wrapped("t = 4")
    '  t = 4'
    """
    glued = re.sub(" = |`[^`]{,40}`", lambda found: found[0].replace(" ", "\0"), text)
    lines = textwrap.fill(glued, WIDTH, initial_indent=indent, subsequent_indent=indent)
    return lines.replace("\0", " ")


def as_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns under their heads, the first to the left, the others to the right.

    >>> from tinygrad_rnn.experiments.report import as_table
    >>> print(as_table(["steps", "uses"], [["3", "3"], ["300", "300"]]))
      steps  uses
      -----  ----
      3         3
      300     300
    """
    lines = [list(head), ["-" * len(h) for h in head], *map(list, rows)]
    wide = [max(len(line[k]) for line in lines) for k in range(len(head))]
    lines[1] = ["-" * w for w in wide]
    return "\n".join(
        "  " + "  ".join(c.rjust(w) if k else c.ljust(w) for k, (c, w) in enumerate(pairs))
        for pairs in (list(zip(line, wide, strict=True)) for line in lines)
    )


def sparkline(values: ArrayLike, width: int = 60, low: Any = None, high: Any = None) -> str:
    """A series as one line of ASCII: ``" .:-=+*#%@"`` from ``low`` to ``high``; gaps stay empty.

    >>> from tinygrad_rnn.experiments.report import sparkline
    >>> sparkline([0, 1, 2, 3, 9])
    ' .:-@'
    """
    series = np.asarray(values, dtype=np.float64)
    if len(series) > width:
        series = np.array([part.mean() for part in np.array_split(series, width)])
    known = series[np.isfinite(series)]
    if not len(known):
        return " " * len(series)
    bottom = known.min() if low is None else low
    top = known.max() if high is None else high
    span = (top - bottom) or 1.0
    level = np.nan_to_num((series - bottom) / span, nan=0.0, posinf=1.0, neginf=0.0)
    index = np.clip(np.rint(level * (len(RAMP) - 1)), 0, len(RAMP) - 1).astype(int)
    return "".join(RAMP[i] for i in index)
