"""The site's API pages, made from the docstrings, and the links of the reference to them."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from types import ModuleType
from typing import Any

from make_reference import ROOMS, public

import tinygrad_rnn as tg

ROW = re.compile(r"^\| `((?:\w+\.)*)(\w+)(\(.*?\))?` \|", re.MULTILINE)
HEADING = re.compile(r"^## (?:`(?P<room>[\w.]+)`|On a Tensor)", re.MULTILINE)


def full(prefix: str) -> str:
    """A room as it is imported: tg is tinygrad_rnn."""
    return re.sub(r"^tg\b", "tinygrad_rnn", prefix)


def api_page(prefix: str, title: str, module: ModuleType, seen: dict[int, str]) -> str:
    """A page with the whole docstring of every public name of a room; of one seen before, where it is."""
    lines = [
        f"# `{prefix}`: {title}",
        "",
        "```{eval-rst}",
        f".. currentmodule:: {full(prefix)}",
        "",
    ]
    dtypes = []
    for name in public(module):
        value = getattr(module, name)
        first = seen.setdefault(id(value), f"{full(prefix)}.{name}")
        if first != f"{full(prefix)}.{name}" and callable(value):
            lines += [f".. py:data:: {name}", "", f"   The same as :py:obj:`{first}`.", ""]
        elif inspect.isclass(value):
            lines += [f".. autoclass:: {name}", "   :members:"]
            lines += ["   :undoc-members:"] if value is tg.Tensor else []
            lines += ["   :inherited-members:"] if value is tg.Graph else []
            lines.append("")
        elif callable(value):
            lines += [f".. autofunction:: {name}", ""]
        elif isinstance(value, str):
            lines += [f".. py:data:: {name}", "", f"   The text ``{value}``.", ""]
        else:
            dtypes.append(f"``{prefix}.{name}``: {value}")
    lines += [f"The dtypes {', '.join(dtypes)}.", ""] if dtypes else []
    return "\n".join([*lines, "```", ""])


def write_api(folder: Path) -> None:
    """Write a page a room, and the list of them."""
    folder.mkdir(exist_ok=True)
    names: list[str] = []
    seen: dict[int, str] = {}
    for prefix, title, module in ROOMS:
        names.append(prefix.replace(".", "_"))
        write_if_new(folder / f"{names[-1]}.md", api_page(prefix, title, module, seen))
    words = "# API\n\nEvery public name with its equation, shapes, errors, source and an example; "
    words += "[the reference](../reference.md) has them in tables.\n\n"
    write_if_new(folder / "index.md", words + "```{toctree}\n" + "\n".join(names) + "\n```\n")


def linked(text: str) -> str:
    """The reference, each name in its tables a link to its place in the API."""
    parts, owner = [], "tinygrad_rnn"
    for part in re.split(r"(?=^## )", text, flags=re.MULTILINE):
        heading = HEADING.match(part)
        if heading:
            owner = full(heading["room"]) if heading["room"] else "tinygrad_rnn.Tensor"

        def link(match: re.Match[str], owner: str = owner) -> str:
            if match[1]:  # a dtype, which has no place of its own
                return match[0]
            return f"| {{py:obj}}`{match[2]}{match[3] or ''} <{owner}.{match[2]}>` |"

        parts.append(ROW.sub(link, part))
    return "".join(parts)


def link_reference(app: Any, name: str, source: list[str]) -> None:
    """Sphinx asks for every page's source; the reference gets its links."""
    if name == "reference":
        source[0] = linked(source[0])


def plain_docstring(
    app: Any, what: str, name: str, value: Any, options: Any, lines: list[str]
) -> None:
    """Bars and stars of a docstring are mathematics, |x| and a * b, and no markup, outside code."""
    code = ""  # "doctest" until an empty line, "block" until a line that is not indented
    for k, line in enumerate(lines):
        if line.lstrip().startswith(">>>"):
            code = "doctest"
        elif (code == "doctest" and not line.strip()) or (code == "block" and line[:1].strip()):
            code = ""
        if not code:
            parts = re.split(r"(``.*?``|:\w+:`.*?`)", line)
            plain = (p if i % 2 else re.sub(r"([|*])", r"\\\1", p) for i, p in enumerate(parts))
            lines[k] = "".join(plain)
        if line.endswith("::"):
            code = "block"


def write_if_new(path: Path, text: str) -> None:
    """Write what has changed alone, so that a second build is quick."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8", newline="\n")


_IMAGE = re.compile(r'(<a\b[^>]*>\s*)?(<img\b[^>]*\bsrc="([^"]+\.svg)"[^>]*>)')


def link_images(html: str) -> str:
    """A page whose pictures lead to themselves, full size: a wide one cannot be read in a narrow column."""
    return _IMAGE.sub(
        lambda m: (
            m[0] if m[1] else f'<a class="full-size" href="{m[3]}" title="full size">{m[2]}</a>'
        ),
        html,
    )
