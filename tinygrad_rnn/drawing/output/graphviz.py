"""Who draws DOT text, and how is the SVG made clean? The system's Graphviz, else graphviz-pure."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from ..scene import style

TIMEOUT = 60.0
PNG_DPI = 144
PURE = "graphviz-pure"
LOST = b"triangulation failed"  # dot says so when it could not route a curve, and leaves it out


class DrawingError(RuntimeError):
    """Graphviz is missing, failed or took too long; the message says what to do."""


class Backend(NamedTuple):
    """A Graphviz command: ``"system"`` or ``"pure"``, where it is, and what it calls itself."""

    kind: str
    command: str
    name: str


def backend(engine: str | None = None) -> str:
    """Which Graphviz draws: ``"graphviz (dot 2.43.0)"`` or ``"graphviz-pure 0.2.2"``.

    Raises DrawingError where there is none.
    """
    return _find(engine).name


def _find(engine: str | None) -> Backend:
    """The system's ``dot``, else the command that graphviz-pure installed."""
    if engine not in (None, "system", "pure"):
        raise ValueError(f"engine={engine!r}: expected 'system', 'pure' or None")
    system = shutil.which("dot") if engine != "pure" else None
    if system is not None:
        return Backend("system", system, f"graphviz (dot {_version(system)})")
    pure = _pure_command() if engine != "system" else None
    if pure is not None:
        return Backend("pure", pure, f"{PURE} {metadata.version(PURE)}")
    wanted = {"system": "no `dot` on the PATH", "pure": f"{PURE} is not installed"}
    raise DrawingError(
        f"{wanted.get(engine or '', 'no Graphviz was found')}. Pictures need one of the two: "
        f"`pip install {PURE}`, or Graphviz itself with its `dot` on the PATH "
        "(https://graphviz.org/download). A .dot file can be written without either."
    )


def _pure_command() -> str | None:
    """The executable of the installed graphviz-pure, wherever this Python keeps its scripts."""
    try:
        files = metadata.files(PURE) or []
    except metadata.PackageNotFoundError:
        return None
    for file in files:
        if file.stem == PURE and file.suffix in ("", ".exe"):
            found = Path(str(file.locate())).resolve()
            if found.is_file():
                return str(found)
    folders = [sysconfig.get_path("scripts"), str(Path(sys.executable).parent)]
    return shutil.which(PURE, path=os.pathsep.join(folders)) or shutil.which(PURE)


@lru_cache
def _version(command: str) -> str:
    """What ``dot -V`` says, as a number."""
    try:
        said = subprocess.run([command, "-V"], capture_output=True, timeout=TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    match = re.search(rb"version (\S+)", said.stderr + said.stdout)
    return match[1].decode() if match else "unknown"


def run(text: str, kind: str, engine: str | None) -> bytes:
    """DOT text through Graphviz: the bytes of an image."""
    from graphviz.backend import execute

    found = _find(engine)
    if kind == "pdf" and found.kind == "pure":
        raise DrawingError(
            f"a PDF needs Graphviz itself (`dot` on the PATH, https://graphviz.org/download): "
            f"{found.name} draws .svg and .png; draw one of these instead"
        )
    if kind == "png" and found.kind == "pure":
        text = text.replace(style.BOLD, "Helvetica-Bold").replace(style.FONT, "Helvetica")
    command = [found.command, "-Kdot", f"-T{kind}"]
    if kind == "png":
        command.append(f"-Gdpi={PNG_DPI}")
    failure: Exception | None = None
    for curves in ([], ["-Gsplines=line"]):
        try:
            done = execute.run_check(
                [*command, *curves],
                input=text.encode(),
                capture_output=True,
                quiet=True,
                timeout=TIMEOUT,
            )
        except subprocess.TimeoutExpired:
            raise DrawingError(
                f"{found.name} took more than {TIMEOUT:.0f} s: draw fewer steps "
                "(steps=[0, 1, -1]) or level='cell'"
            ) from None
        except (OSError, RuntimeError, subprocess.CalledProcessError) as error:
            failure = error
            continue
        if LOST not in done.stderr:
            return bytes(done.stdout)
    said = getattr(failure, "stderr", b"") or str(failure).encode()
    raise DrawingError(f"{found.name} failed: {said.decode(errors='replace').strip()}") from failure


def svg_of(text: str, engine: str | None = None) -> str:
    """SVG that every browser shows alike: bold as a weight, no background, no comments."""
    svg = run(text, "svg", engine).decode()
    svg = re.sub(r'font-family="([^"]*?),? bold"', r'font-family="\1" font-weight="bold"', svg)
    svg = svg.replace('"transparent"', '"none"')
    return re.sub(r"<!--.*?-->\n?", "", svg, flags=re.DOTALL)
