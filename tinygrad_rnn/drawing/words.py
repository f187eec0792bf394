"""What the labels say and how wide they are: names, subscripts, formulas, font metrics."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

# Advance widths of the characters 32 to 126 in Helvetica (Arial and Liberation Sans have the same), in
# thousandths of the type size.
_REGULAR = (
    "278 278 355 556 556 889 667 191 333 333 389 584 278 333 278 278 556 556 556 556 556 "
    "556 556 556 556 556 278 278 584 584 584 556 1015 667 667 722 722 667 611 778 722 278 "
    "500 667 556 833 722 778 667 778 722 667 611 722 667 944 667 667 611 278 278 278 469 "
    "556 333 556 556 500 556 556 278 556 556 222 222 500 222 833 556 556 556 556 333 500 "
    "278 556 500 722 500 500 500 334 260 334 584 "
)
_BOLD = (
    "278 333 474 556 556 889 722 238 333 333 389 584 278 333 278 278 556 556 556 556 556 "
    "556 556 556 556 556 333 333 584 584 584 611 975 722 722 722 722 667 611 778 722 278 "
    "556 722 611 833 722 778 667 778 722 667 611 722 667 944 667 667 611 333 278 333 584 "
    "556 333 556 611 556 611 556 333 611 611 278 278 556 278 889 611 611 611 611 389 556 "
    "333 611 556 778 556 556 500 389 280 389 584 "
)
_WIDTHS = {
    False: [int(w) for w in _REGULAR.split()],
    True: [int(w) for w in _BOLD.split()],
}
_OTHER = {"·": 278, "…": 1000, "σ": 684, "−": 584, "×": 584}
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_SUBSCRIPT_WIDTH = {False: 405, True: 480}

SYMBOLS = {
    "add": "+",
    "sub": "-",
    "mul": "*",
    "div": "/",
    "neg": "-",
    "matmul": "@",
    "pow": "**",
    "sigmoid": "σ",
    "chunk": "split",
}


OPERATORS = ("+", "-", "*", "/", "@", "**")


def op_words(op: str, before: str = "", after: str = "") -> str:
    """An op's symbol, with the number that stands before or after it: ``0.01 *``, ``** 2``."""
    return " ".join(word for word in (before, SYMBOLS.get(op, op), after) if word)


def text_width(text: str, size: float, bold: bool = False) -> float:
    """How wide the longest line of ``text`` is, in points."""
    return max(sum(_char(c, bold) for c in line) for line in text.split("\n")) * size / 1000


def _char(c: str, bold: bool) -> float:
    code = ord(c)
    if 32 <= code < 127:
        return _WIDTHS[bold][code - 32]
    if "₀" <= c <= "₉":
        return _SUBSCRIPT_WIDTH[bold]
    if c in _OTHER:
        return _OTHER[c]
    if unicodedata.combining(c):
        return 0
    return 1000 if unicodedata.east_asian_width(c) in "WF" else 720


def shorten(text: str, size: float, room: float, bold: bool = False) -> str:
    """``text``, or as much of its beginning and end as fits into ``room`` points."""
    if text_width(text, size, bold) <= room:
        return text
    for keep in range(len(text) - 1, 1, -1):
        head = (keep + 1) // 2
        cut = text[:head] + "…" + text[len(text) - (keep - head) :]
        if text_width(cut, size, bold) <= room:
            return cut
    return "…"


def sub(name: str, step: int) -> str:
    """``name`` at a step, as pictures write it: ``x₁``."""
    return name + str(step).translate(_SUBSCRIPTS)


def span(name: str, first: int, last: int) -> str:
    """``name`` over several steps: ``x₃ … x₉₈``, or one of them alone."""
    return sub(name, first) if first == last else f"{sub(name, first)} … {sub(name, last)}"


def plural(n: int, word: str) -> str:
    """``1 use``, ``4 uses``."""
    return f"{n} {word}" if n == 1 else f"{n} {word}s"


_PARAMETER = re.compile(r"(weight|bias)(?:_(.+?))??(?:_l\d+)?(_reverse)?")


def short_name(dotted: str) -> str:
    """The bold name of a Parameter: ``W_hh`` of ``lstm.weight_hh_l0``, ``b`` of ``head.bias``."""
    name, bracket, element = dotted.partition("[")
    last = name.rpartition(".")[2]
    match = _PARAMETER.fullmatch(last)
    if match is None:
        return last + bracket + element
    kind, role, reverse = match.groups()
    letter = "W" if kind == "weight" else "b"
    return letter + (f"_{role}" if role else "") + (reverse or "") + bracket + element


def class_name(text: str) -> str:
    """``text`` as one token of a ``class`` attribute."""
    return re.sub(r"[^\w.-]+", "_", text)


def shape_text(shape: Iterable[object]) -> str:
    """A shape as the API writes it: ``(12, 3)``."""
    return str(tuple(shape))


def count_numbers(shape: Iterable[int]) -> int:
    """How many numbers an array of this shape holds."""
    total = 1
    for side in shape:
        total *= side
    return total


def at_step(formula: str, states: Iterable[str], step: int, before: int) -> str:
    """A formula with its steps written out: ``f * c' + i * g`` becomes ``f * c₀ + i * g``.

    ``before`` is the step whose state is meant by ``'``.
    """

    def dated(match: re.Match[str]) -> str:
        return sub(match[1], before if match[2] else step)

    names = "|".join(re.escape(name) for name in (*states, "x"))
    return re.sub(rf"(?<!\w)({names})(?!\w)('?)", dated, formula)


def without_missing(formula: str, names: Iterable[str]) -> str:
    """The formula without the terms of weights that this layer does not have (``bias=False``)."""
    known = set(names)
    kept = [
        term
        for term in formula.split(" + ")
        if all(w in known for w in re.findall(r"(?<!\w)[Wb]_\w+", term))
    ]
    return " + ".join(kept)


def fold_terms(text: str, size: float, room: float) -> str:
    """``text`` broken before a `` + `` wherever a line would be wider than ``room`` points."""
    lines: list[str] = []
    for term in text.split(" + "):
        joined = f"{lines[-1]} + {term}" if lines else term
        if lines and text_width(joined, size) > room:
            lines.append(f"+ {term}")
        elif lines:
            lines[-1] = joined
        else:
            lines.append(term)
    return "\n".join(lines)


def title_of(cell: type) -> str:
    """What a cell is called: its class's name less ``Cell``."""
    return cell.__name__.removesuffix("Cell") or cell.__name__
