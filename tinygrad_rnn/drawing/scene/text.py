"""What do labels say, and how wide are they? Subscripts, formulas, numbers, font metrics."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...graphs.chains import Chain, Column
    from ...graphs.recorded import GraphNode

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
_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
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


def words_of_op(nodes: Sequence[GraphNode], node: GraphNode) -> str:
    """An op's symbol, with a number where one of its two operands is one."""
    operands = [nodes[i] for i in node.inputs]
    numbers = [short_literal(part.name) if part.op == "literal" else "" for part in operands]
    return op_words(node.op, *numbers) if len(operands) == 2 else op_words(node.op)


def short_literal(literal: str) -> str:
    """A Python number as it is written, or four digits of it where it has many."""
    return f"{float(literal):.4g}" if len(literal) > 8 and "." in literal else literal


def text_width(text: str, size: float, bold: bool = False) -> float:
    """How wide the longest line of ``text`` is, in points."""
    return max(sum(_char(c, bold) for c in line) for line in text.split("\n")) * size / 1000


def _char(c: str, bold: bool) -> float:
    code = ord(c)
    if 32 <= code < 127:
        return _WIDTHS[bold][code - 32]
    if "₀" <= c <= "₉" or c in "⁽⁾⁰¹²³⁴⁵⁶⁷⁸⁹":
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


def state_name(name: str, layer: int | None) -> str:
    """``name`` of a layer, as pictures write it where there are several: ``h⁽²⁾``."""
    return name if layer is None else f"{name}⁽{str(layer).translate(_SUPERSCRIPTS)}⁾"


def state_at(chain: Chain, name: str, step: int) -> str:
    """A state of a chain at a step, as pictures write it: ``h₁``, of one of several layers ``h⁽²⁾₁``."""
    return sub(state_name(name, chain.layer), step)


def span(name: str, first: int, last: int) -> str:
    """``name`` over several steps: ``x₃ … x₉₈``, ``h⁽²⁾₃ … ₉₈``, or one of them alone."""
    again = "" if "⁽" in name else name
    return sub(name, first) if first == last else f"{sub(name, first)} … {sub(again, last)}"


def fold_count(column: Column) -> str:
    """``x 96 steps``."""
    return "x " + plural(column.count, "step")


def fold_heading(column: Column) -> str:
    """``t = 3 … 98``."""
    if column.count == 1:
        return f"t = {column.first}"
    return f"t = {column.first} … {column.last}"


def plural(n: int, word: str) -> str:
    """``1 use``, ``4 uses``."""
    return f"{n} {word}" if n == 1 else f"{n} {word}s"


def shape_text(shape: Iterable[object]) -> str:
    """A shape as the API writes it: ``(12, 3)``."""
    return str(tuple(shape))


def at_step(
    formula: str, states: Collection[str], step: int, before: int, layer: int | None = None
) -> str:
    """A formula with its steps written out: ``f * c' + i * g`` becomes ``f * c₀ + i * g``.

    ``before`` is the step whose state is meant by ``'``, ``layer`` the number that the states bear.
    """

    def dated(match: re.Match[str]) -> str:
        name = state_name(match[1], layer) if match[1] in states else match[1]
        return sub(name, before if match[2] else step)

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


# ---- numbers ----------------------------------------------------------------------------------------


def printed(values: Sequence[float], whole: float, *, adding: bool = True) -> tuple[list[str], str]:
    """Numbers in the unit of the third digit of ``whole``; where they add up, so do the printed ones.

    Each is rounded to one of its two neighbours, those with the largest remainders up, so that the sum is
    that of the whole as printed.

    >>> printed([0.0004, 0.3334, 0.3333, 0.3333], 1.0004)
    (['0.00', '0.34', '0.33', '0.33'], '1.00')
    """
    size = max([abs(whole), *map(abs, values)])
    if not size or not math.isfinite(size):
        return [number(v) for v in values], number(whole)
    power = math.floor(math.log10(size))
    unit = 10.0 ** (power - 2)
    units = [math.floor(v / unit) for v in values]
    total = round(whole / unit)
    if adding:
        order = sorted(range(len(values)), key=lambda k: units[k] - values[k] / unit)
        for k in order[: total - sum(units)]:
            units[k] += 1
    else:
        units = [round(v / unit) for v in values]
    return [_in_units(n, power) for n in units], _in_units(total, power)


def _in_units(n: int, power: int) -> str:
    """``n`` units of ten to the power - 2, with the exponent written out where it is far from 0."""
    sign, n = "−" * (n < 0), abs(n)
    if -4 < power < 4:
        decimals = max(2 - power, 0)
        return f"{sign}{n * 10.0 ** (power - 2):.{decimals}f}"
    return f"{sign}{n / 100:.2f}e{power}".replace("e-", "e−")


def number(value: float) -> str:
    """A norm in few characters.

    >>> [number(v) for v in (0, 3.2e-5, 0.0042, 0.018, 1.123, 34.51, 345.1, 12345)]
    ['0', '3e−5', '0.004', '0.02', '1.12', '34.5', '345', '1e4']
    """
    if not value or not math.isfinite(value):
        return f"{value:g}"
    size = abs(value)
    if not 0.0005 <= size < 9999.5:
        return f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e").replace("e-", "e−")
    digits = 3 if size < 0.0095 else 2 if size < 9.995 else 1 if size < 99.95 else 0
    return f"{value:.{digits}f}"
