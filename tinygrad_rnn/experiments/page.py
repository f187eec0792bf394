"""How does one page hold everything? Inline CSS, pictures as data URIs, no script, no network."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

SCALE, LEAST = 1.3, 1.0  # pixels for a point of a picture, at most and at least

CSS = """
:root{color-scheme:light dark;--paper:#fff;--ink:#1f2937;--soft:#57606a;--line:#d8dee4;
--wash:#f6f8fa;--accent:#c65102;--accent-wash:#fff3e0;--accent-ink:#7a3300}
@media(prefers-color-scheme:dark){:root{--paper:#0d1117;--ink:#e6edf3;--soft:#9aa4af;--line:#30363d;
--wash:#161b22;--accent:#f0883e;--accent-wash:#2b1d10;--accent-ink:#ffc58f}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);
font:1.0625rem/1.6 system-ui,-apple-system,"Segoe UI",Roboto,Helvetica,Arial,sans-serif}
header,section,footer{max-width:58rem;margin:0 auto;padding:0 1.25rem}
header{padding-top:3.5rem}
section{padding-top:3.25rem}
footer{padding-top:2.5rem;padding-bottom:3rem;color:var(--soft);font-size:.875rem}
footer p{border-top:1px solid var(--line);padding-top:1.25rem}
p,blockquote,h1,h2{max-width:42rem}
p{margin:0 0 1.1rem}
h1{font-size:clamp(1.75rem,5.5vw,2.75rem);line-height:1.12;letter-spacing:-.02em;margin:0 0 1rem;
text-wrap:balance}
h1 em{font-style:normal;color:var(--accent)}
.lead{font-size:1.1875rem;color:var(--soft)}
.label{margin:0 0 .25rem;color:var(--accent);font-size:.8125rem;font-weight:700;
letter-spacing:.09em;text-transform:uppercase}
h2{font-size:clamp(1.375rem,4vw,1.75rem);line-height:1.2;letter-spacing:-.01em;margin:0 0 1.1rem;
text-wrap:balance}
a{color:var(--accent)}
blockquote{margin:0 0 1.25rem;padding:.1rem 0 .1rem 1.1rem;border-left:4px solid var(--accent);
font-size:1.1875rem;line-height:1.5}
code{font:.9em ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;background:var(--wash);
padding:.1em .35em;border-radius:4px;overflow-wrap:anywhere}
.results{display:grid;grid-template-columns:repeat(auto-fit,minmax(15rem,1fr));gap:1rem;
margin:2rem 0 0;padding:0;list-style:none}
.results li{border:1px solid var(--line);border-top:4px solid var(--accent);border-radius:6px;
padding:1rem 1.1rem}
.results b{display:block;font-size:1.75rem;line-height:1.2;font-variant-numeric:tabular-nums;
letter-spacing:-.01em;margin-bottom:.3rem}
.results span{color:var(--soft);font-size:.9375rem;line-height:1.45;display:block}
figure{margin:1.6rem 0 2rem}
.scroll{overflow-x:auto}
.scroll:focus-visible{outline:2px solid var(--accent);outline-offset:3px}
figure img{display:block;width:100%;height:auto}
figcaption,.note{color:var(--soft);font-size:.9375rem;line-height:1.5;max-width:42rem;
margin:.65rem 0 0}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.9375rem}
th,td{padding:.42rem .9rem;text-align:right;border-bottom:1px solid var(--line)}
th:first-child,td:first-child{text-align:left;padding-left:.2rem}
thead th{color:var(--soft);font-weight:600;vertical-align:bottom;line-height:1.3}
tr.strong td{background:var(--accent-wash);color:var(--accent-ink);font-weight:700}
pre{margin:0;padding:.9rem 1rem;background:var(--wash);border-radius:6px;overflow-x:auto;
font:.8125rem/1.45 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
td{white-space:nowrap}
td:first-child{white-space:normal}
@media(max-width:34rem){th,td{padding:.4rem .45rem}table{font-size:.875rem;width:100%}
header{padding-top:2.25rem}section{padding-top:2.5rem}}
@media print{section{break-inside:auto}figure,table{break-inside:avoid}
body{font-size:10.5pt}header{padding-top:0}}
"""


@dataclass(frozen=True)
class Header:
    """What stands around the blocks: the demo's own words unless given.

    In ``heading`` the words between asterisks are in colour; ``{seconds}`` in ``footer`` and
    ``{version}`` are filled in.
    """

    title: str = "One set of weights, every time step: the tinygrad_rnn demo"
    heading: str = "One set of weights, *every time step*"
    lead: str = (
        "A question about LSTMs, answered by running one, training it on three centuries of sunspots, "
        "and taking its gradient apart."
    )
    footer: str = (
        "Made by `python -m tinygrad_rnn demo`, tinygrad_rnn {version}, in {seconds:.0f} seconds. "
        "Everything on this page was computed in that run. Sunspot numbers: NOAA National Geophysical "
        "Data Center, public domain."
    )


class Page:
    """Collects blocks in the order in which they come; ``html`` sets them."""

    def __init__(self, header: Header | None = None) -> None:
        self.header = header or Header()
        self.results: list[tuple[str, str]] = []
        self._sections: list[list[str]] = []

    def section(self, anchor: str, label: str, title: str) -> None:
        """Begin a section."""
        self._sections.append(
            [
                f'<section id="{escape(anchor)}">',
                f'<p class="label">{escape(label)}</p>',
                f"<h2>{inline(title)}</h2>",
            ]
        )

    def paragraph(self, text: str) -> None:
        """A paragraph."""
        self._add(f"<p>{inline(text)}</p>")

    def quotation(self, text: str) -> None:
        """Words of somebody else."""
        self._add(f"<blockquote>{inline(text)}</blockquote>")

    def table(
        self, head: Sequence[str], rows: Sequence[Sequence[str]], note: str, strong: int | None
    ) -> None:
        """A table whose first column is text."""
        top = "".join(f'<th scope="col">{inline(cell)}</th>' for cell in head)
        body = "".join(
            f"<tr{' class=strong' if k == strong else ''}>"
            + "".join(f"<td>{inline(cell)}</td>" for cell in row)
            + "</tr>"
            for k, row in enumerate(rows)
        )
        self._figure(f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>", note)

    def picture(self, svg: str, alt: str, caption: str) -> None:
        """An SVG as an image, all at one scale; on a narrow screen it scrolls and stays legible."""
        data = base64.b64encode(svg.encode()).decode()
        natural = re.search(r'<svg[^>]*? width="([\d.]+)pt"', svg)
        points = float(natural[1]) if natural else 640.0
        size = f"max-width:{points * SCALE:.0f}px;min-width:{points * LEAST:.0f}px"
        image = f'<img style="{size}" src="data:image/svg+xml;base64,{data}" alt="{escape(alt)}">'
        self._figure(image, caption)

    def link(self, name: str, words: str) -> None:
        """A way to another page in the same folder."""
        self._add(f'<p><a href="{escape(name)}">{inline(words)}</a></p>')

    def block(self, lines: Sequence[str], caption: str) -> None:
        """Lines that stand as they are."""
        self._figure(f"<pre>{escape(chr(10).join(lines))}</pre>", caption)

    def html(self, version: str, seconds: float) -> str:
        """The whole page."""
        cards = "".join(
            f"<li><b>{inline(figure)}</b><span>{inline(words)}</span></li>"
            for figure, words in self.results
        )
        header = self.header
        heading = re.sub(r"\*(.+?)\*", r"<em>\1</em>", inline(header.heading))
        footer = header.footer.format(version=version, seconds=seconds)
        body = "\n".join("\n".join([*blocks, "</section>"]) for blocks in self._sections)
        return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(header.title)}</title>
<style>{CSS}</style>
</head>
<body>
<header>
<p class="label">tinygrad_rnn</p>
<h1>{heading}</h1>
<p class="lead">{inline(header.lead)}</p>
<ul class="results">{cards}</ul>
</header>
<main>
{body}
</main>
<footer><p>{inline(footer)}</p></footer>
</body>
</html>
"""

    def _add(self, html: str) -> None:
        self._sections[-1].append(html)

    def _figure(self, inner: str, caption: str) -> None:
        words = f"<figcaption>{inline(caption)}</figcaption>" if caption else ""
        framed = f'<div class="scroll" role="group" tabindex="0">{inner}</div>'
        self._add(f"<figure>{framed}{words}</figure>")


def inline(text: str) -> str:
    """Text with `code` in backticks, as HTML.

    >>> from tinygrad_rnn.experiments.page import inline
    >>> inline("`W` < 2")
    '<code>W</code> &lt; 2'
    """
    glued = escape(text, quote=False).replace(" = ", "&nbsp;=&nbsp;")
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", glued)
