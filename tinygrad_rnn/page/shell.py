"""What do all pages share? Where they are written, the policy that seals them, the viewer's files as text."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from importlib import resources
from pathlib import Path


def target_of(path: str | os.PathLike[str]) -> Path:
    """Where a page is written. Raises ValueError and FileNotFoundError."""
    target = Path(path)
    if target.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"{target.name!r}: a page's name ends in .html")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"the folder {str(target.parent)!r} does not exist")
    return target


def sealed(script: str) -> str:
    """A policy by which a page runs this script and no other, and asks no network for anything."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "img-src data: blob:"
    )


def lean(text: str) -> str:
    """Without comments of a line and without indentation: the viewer has no text of several lines."""
    lines = (re.sub(r"(^|;|\{|,|\}) *// .*$", r"\1", line.strip()) for line in text.splitlines())
    return "\n".join(line for line in lines if line)


def asset(name: str) -> str:
    """A file of the viewer, as text."""
    return (resources.files(__package__) / "viewer" / name).read_text(encoding="utf-8")
