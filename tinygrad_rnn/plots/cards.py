"""How do a module and a training history show themselves in a notebook? As tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from .curves import plot_history
from .look import figure_svg

if TYPE_CHECKING:
    from ..nn.module import Module
    from ..training.history import History

MOST_ROWS = 24
CELL = 'style="text-align: left; padding: 0.15em 1.2em 0.15em 0"'


def module_html(module: Module) -> str:
    """Every Parameter of a module, once: its dotted name, shape and numbers, and what they come to.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn.plots.cards import module_html
    >>> ">weight</td>" in module_html(tg.nn.Linear(2, 1))
    True
    """
    named = list(module.named_parameters())
    total = sum(p.numel() for _, p in named)
    rows = [
        (name, str(tuple(p.shape)), f"{p.numel():,}", "" if p.requires_grad else "frozen")
        for name, p in named
    ]
    words = f"{type(module).__name__}({module.extra_repr()})"
    numbers = f"{total:,} numbers in {len(named)} Parameters" if named else "no Parameters"
    return _card(
        f"<code>{escape(words)}</code>: {numbers}", ("Parameter", "shape", "numbers", ""), rows
    )


def history_html(history: History) -> str:
    """The first, best and last epochs of a training run, and where matplotlib is installed its curves.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn.plots.cards import history_html
    >>> "nothing yet" in history_html(tg.training.History())
    True
    """
    chosen = {}
    if history.rows:
        chosen = {"first": history.rows[0], "best": history.best, "last": history.rows[-1]}
    columns = ["epoch", "loss", "validation", "lr"]
    if all(row["validation"] is None for row in history.rows):
        columns.remove("validation")
    rows = [
        (name, *(_number(row[column]) for column in columns))
        for name, row in chosen.items()
        if row is not None
    ]
    title = f"Training history: {escape(history.words())}"
    return _card(title, ("", *columns), rows) + _curves(history)


def _curves(history: History) -> str:
    """The losses over the epochs as SVG; nothing for fewer than two epochs, or without matplotlib."""
    if len(history.rows) < 2:
        return ""
    losses: dict[str, Any] = {"loss": history.loss}
    if history.rows[-1]["validation"] is not None:
        losses["validation"] = history.validation
    marks = {} if history.baseline is None else {"baseline": history.baseline}
    log = all(v is not None and v > 0 for values in losses.values() for v in values)
    try:
        svg = figure_svg(plot_history(losses, marks=marks, xlabel="epoch", log=log))
    except ImportError:
        return ""
    return svg[svg.index("<svg") :]


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else "" if value is None else str(value)


def _card(title: str, head: Sequence[str], rows: Sequence[Iterable[str]]) -> str:
    """A table under a line of words; a long one keeps its first rows and says how many there are."""
    shown = [tuple(row) for row in rows[:MOST_ROWS]]
    cells = "".join(f"<th {CELL}>{escape(name)}</th>" for name in head)
    body = "".join(
        "<tr>" + "".join(f"<td {CELL}>{escape(cell)}</td>" for cell in row) + "</tr>"
        for row in shown
    )
    more = f"<p>... and {len(rows) - MOST_ROWS} more</p>" if len(rows) > MOST_ROWS else ""
    table = f"<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>" if rows else ""
    return f"<div><p>{title}</p>{table}{more}</div>"
