"""How does a ledger show itself in a notebook? A row a Parameter, a bar for what every step adds."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np

from ..drawing.scene import style
from ..drawing.scene.text import number, shape_text
from .cards import CELL, MOST_ROWS

if TYPE_CHECKING:
    from ..engine.values import Array
    from ..graphs.ledger import Ledger

WIDE, HIGH, MOST_BARS = 260.0, 30.0, 130
HEAD = ("Parameter", "shape", "uses", "|G|", "cancels", "what each step adds along G")


def ledger_html(ledger: Ledger) -> str:
    """A table: each Parameter by its dotted name, |G|, the share that cancels, and signed bars by step.

    The bars are ``ledger.projection``: they add up to |G|; of more than 130 uses neighbours are joined.

    >>> import tinygrad_rnn as tg
    >>> rnn = tg.nn.RNN(2, 3)
    >>> ledger = rnn(tg.ones(4, 1, 2))[0].sum().backward(ledger=True)
    >>> ">rnn.weight_hh_l0</td>" in ledger_html(ledger)
    True
    """
    rows = []
    for key, name in list(ledger.names.items())[:MOST_ROWS]:
        uses = ledger.account_of(key)
        whole = uses.sum()
        size = float(np.linalg.norm(whole))
        parts = uses.along(whole) / (size or 1.0)
        said = float(uses.norms.sum())
        cells = [
            escape(name),
            escape(shape_text(whole.shape)),
            f"{len(uses):,}",
            number(size),
            f"{max(0.0, 1 - size / said):.0%}" if said else "",
            _bars(parts),
        ]
        rows.append("<tr>" + "".join(f"<td {CELL}>{cell}</td>" for cell in cells) + "</tr>")
    head = "".join(f"<th {CELL}>{name}</th>" for name in HEAD)
    more = f"<p>... and {len(ledger) - MOST_ROWS} more</p>" if len(ledger) > MOST_ROWS else ""
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    return f"<div><p>{escape(repr(ledger)[1:-1])}</p>{table if rows else ''}{more}</div>"


def _bars(parts: Array) -> str:
    """Signed bars over a line at 0, the first step at the left."""
    if len(parts) > MOST_BARS:
        parts = np.array([group.sum() for group in np.array_split(parts, MOST_BARS)])
    top = float(max(parts.max(initial=0.0), 0.0))
    span = top - float(min(parts.min(initial=0.0), 0.0)) or 1.0
    scale, step = HIGH / span, min(WIDE / len(parts), 12.0)
    zero = top * scale
    bars = []
    for k, part in enumerate(parts):
        tall = max(abs(float(part)) * scale, 0.5) if part else 0.0
        y = zero - tall if part > 0 else zero
        color = style.RAMP[-1] if part > 0 else style.ORANGE
        bars.append(
            f'<rect x="{k * step + 0.1 * step:.2f}" y="{y:.2f}" width="{0.8 * step:.2f}" '
            f'height="{tall:.2f}" fill="{color}"/>'
        )
    line = f'<path d="M0 {zero:.2f}H{WIDE:g}" stroke="{style.PLAIN}" stroke-width="0.8"/>'
    words = f"{len(parts)} bars from the first step to the last, the largest {number(top)}"
    return (
        f'<svg width="{WIDE:g}" height="{HIGH + 2:g}" viewBox="0 -1 {WIDE:g} {HIGH + 2:g}" role="img" '
        f'aria-label="{words}">{"".join(bars)}{line}</svg>'
    )
