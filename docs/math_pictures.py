"""Formulas as pictures, typeset by matplotlib when the site is built: they need no network and no LaTeX."""

from __future__ import annotations

import base64
import html
import io
import re
from functools import cache
from typing import Any

import matplotlib
from docutils import nodes
from matplotlib.font_manager import FontProperties
from matplotlib.mathtext import math_to_image

SIZE = 10  # points to the em
matplotlib.rcParams["svg.hashsalt"] = "formulas"


@cache
def picture(tex: str) -> str:
    """A formula as an image with its TeX as the alternative text, on the line's baseline."""
    buffer = io.BytesIO()
    with matplotlib.rc_context({"mathtext.fontset": "cm"}):
        depth = math_to_image(f"${tex}$", buffer, FontProperties(size=SIZE), format="svg", dpi=72)
    text = buffer.getvalue().decode()
    width = float(re.findall(r'width="([\d.]+)pt"', text)[0])
    data = base64.b64encode(text[text.index("<svg") :].encode()).decode()
    style = f"width:{width / SIZE:.2f}em;vertical-align:{-depth / SIZE:.2f}em"
    alt = html.escape(tex, quote=True)
    return (
        f'<img class="formula" src="data:image/svg+xml;base64,{data}" alt="{alt}" style="{style}">'
    )


def inline(translator: Any, node: nodes.math) -> None:
    """Sphinx's visitor of a formula in a line."""
    translator.body.append(picture(" ".join(node.astext().split())))
    raise nodes.SkipNode


def block(translator: Any, node: nodes.math_block) -> None:
    r"""Sphinx's visitor of a formula on lines of its own: ``\\`` ends a line."""
    lines = [" ".join(line.split()) for line in node.astext().split(r"\\")]
    shown = "".join(f"<p>{picture(line)}</p>" for line in lines if line)
    translator.body.append(f'<div class="formulas">{shown}</div>')
    raise nodes.SkipNode


def setup(app: Any) -> dict[str, bool]:
    """Name the renderer to Sphinx, to be chosen by ``html_math_renderer``."""
    app.add_html_math_renderer("pictures", (inline, None), (block, None))
    return {"parallel_read_safe": True}
