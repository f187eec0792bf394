"""How does a CSV file become a series? Its heading, its cells, its dates, and what in it is no number."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..engine.keywords import clear_keywords
from .dates import (
    LIKE,
    Dates,
    NoDates,
    by_name,
    groups,
    looks_like_a_date,
    of_cells,
    parted,
    said_by,
    whole,
)
from .tables import Table, on_grid

ABSENT = {  # what a cell without a number says in a file
    "", "na", "n/a", "#n/a", "<na>", "nan", "nat", "null", "none", "-", "?",
}  # fmt: skip
TRUTHS = {"true": 1.0, "false": 0.0}
PARTS = ",;\t|"


class _Cells(NamedTuple):
    """A file's heading, its rows, and the line on which each row ends."""

    head: list[str]
    rows: list[list[str]]
    lines: list[int]


@clear_keywords
def read_csv(
    path: str | os.PathLike[str],
    dates: str | None = None,
    columns: Sequence[str] | None = None,
    *,
    decimal: str = ".",
    encoding: str = "utf-8",
) -> Table:
    """A CSV file with a heading as a :class:`Table`; no pandas is needed.

    ``dates`` names the column of dates, by default the first whose cells are all dates: ISO (2024-01-31,
    2024-01-31T12:00, with a zone too), 2024/01/31, 31.01.2024, 20240131, years in a column called so, or
    31/01/2024 where the days tell themselves from the months. ``columns`` are those to read, all others
    unless given; a column without a name that counts the rows, or is empty, is passed over. Empty cells and
    "NA", "nan", "null" are missing values, true and false are 1 and 0. Commas, semicolons, tabs or | part
    cells; ``decimal`` is the decimal mark of numbers, "." or ",".

    Raises ValueError that names line and column for a cell that is no number, for a file in another encoding,
    and for all that :func:`table` refuses; FileNotFoundError where there is no file.

    >>> import pathlib, tempfile
    >>> from tinygrad_rnn.data import read_csv
    >>> path = pathlib.Path(tempfile.mkdtemp(), "load.csv")
    >>> _ = path.write_text("date,load\\n2024-01-01,5\\n2024-01-02,\\n2024-01-03,7\\n")
    >>> read_csv(path).values.ravel(), read_csv(path).names
    (array([ 5., nan,  7.]), ('load',))
    """
    if decimal not in (".", ","):
        raise ValueError(f"decimal is the mark before decimals, '.' or ',', not {decimal!r}")
    found = _cells(Path(path), encoding)
    asked = [dates] * (dates is not None) + list(columns or ())
    for name in asked:
        if name not in found.head:
            known = ", ".join(map(repr, filter(None, found.head)))
            raise ValueError(f"{path}: no column {name!r}, only {known}")
    cells = {name: [row[k] for row in found.rows] for k, name in enumerate(found.head)}
    place, when = _dates(path, found, cells, dates, columns)
    names = [n for n in (columns or found.head) if n != place and (n or not _counts(cells[n]))]
    if "" in names:
        raise ValueError(f"{path}: column {found.head.index('') + 1} has no name in the heading")
    if not names:
        raise ValueError(f"{path}: there is no column of numbers beside {place!r}")
    read = []
    for name in names:
        if when is not None and not _any_number(cells[name], decimal) and ":" not in cells[name][0]:
            many = groups(cells[name], when)
            if many:
                raise ValueError(
                    f"{path}: column {name!r} identifies {many} series: write a file for each, or in Python "
                    "give tg.Forecaster a list of them"
                )
        read.append(_numbers(path, found, name, cells[name], decimal, place))
    try:
        return on_grid(np.array(read).T, tuple(names), when)
    except ValueError as error:
        words = re.sub(
            r"\(row (\d+)\)", lambda row: f"(line {found.lines[int(row[1])]})", str(error)
        )
        raise ValueError(f"{path}: {words}") from None


def _dates(
    path: Any,
    found: _Cells,
    cells: dict[str, list[str]],
    named: str | None,
    wanted: Sequence[str] | None,
) -> tuple[str | None, Dates | None]:
    """The column of dates and what it says, both None where there is none."""
    if named is not None:
        try:
            return named, of_cells(cells[named])
        except NoDates as none:
            where = f"{path}, line {found.lines[none.row]}"
            raise ValueError(f"{where}: {none.words(f'column {named!r}')}") from None
        except ValueError as error:
            raise ValueError(f"{path}: {cells[named][0]!r} in column {named!r} {error}") from None
    for name in found.head:
        column = cells[name]
        if whole(column):
            asked = wanted is None or name in wanted
            if asked and (words := parted(found.head, column, name)) is not None:
                raise ValueError(f"{path}: {words}; or columns= reads others alone")
            try:
                when = by_name(column, name)
            except NoDates as none:
                if not asked:
                    continue
                raise ValueError(
                    f"{path}, line {found.lines[0]}: {none.cell!r} in column {name!r} is no date; dates are "
                    f"written {LIKE}, and columns= reads other columns alone"
                ) from None
        else:
            try:
                when = said_by(column)
            except ValueError:  # why, the column's first cell is asked when numbers are read
                when = None
        if when is not None:
            return name, when
    return None, None


def _cells(path: Path, encoding: str) -> _Cells:
    """What is in the file. Raises ValueError for what is no heading with rows below it."""
    text = _text(path, encoding)
    first = text.lstrip("\r\n").splitlines()[0] if text.strip() else ""
    part = max(PARTS, key=first.count)
    rows, lines = [], []
    reader = csv.reader(text.splitlines(keepends=True), delimiter=part)
    try:
        for row in reader:
            if row:
                rows.append([cell.strip() for cell in row])
                lines.append(reader.line_num)
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num}: {error}") from None
    if len(rows) < 2:
        there = "only a heading" if rows else "nothing"
        raise ValueError(f"{path}: expected a heading and rows of numbers, found {there}")
    head = rows[0]
    for line, row in zip(lines[1:], rows[1:], strict=True):
        if len(row) != len(head):
            above = f"; is {first!r} a title above the heading?" if len(head) == 1 else ""
            raise ValueError(
                f"{path}, line {line}: {len(row)} cells, and the heading has {len(head)}{above}"
            )
    if len({*head}) != len(head):
        raise ValueError(f"{path}: two columns have one name: {', '.join(head)}")
    if len(head) == 1 and " " in head[0] and " " in rows[1][0]:
        raise ValueError(
            f"{path}: cells are parted by commas, semicolons, tabs or |, not by spaces"
        )
    if all(_is_number(cell) or _is_date(cell) for cell in head):
        raise ValueError(f"{path}: the first row holds numbers, {head}; it must be a heading")
    return _Cells(head, rows[1:], lines[1:])


def _text(path: Path, encoding: str) -> str:
    data = path.read_bytes()
    kinds = {b"PK\x03\x04": "a spreadsheet or zip file", b"\x1f\x8b": "a gzip file"}
    for begin, kind in kinds.items():
        if data.startswith(begin):
            raise ValueError(f"{path} is {kind}: write it as CSV first")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "utf-16"
    elif encoding.lower().replace("_", "-") in ("utf-8", "utf8"):
        encoding = "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is not in {encoding.removesuffix('-sig').upper()}, byte 0x{data[error.start]:02x} at "
            f"{error.start}: save it in UTF-8, or name its encoding, such as encoding='latin-1'"
        ) from None
    except LookupError:
        raise ValueError(f"encoding: Python knows none that is called {encoding!r}") from None


def _numbers(
    path: Any, found: _Cells, name: str, cells: list[str], decimal: str, place: str | None
) -> list[float]:
    numbers = []
    for line, cell in zip(found.lines, cells, strict=True):
        try:
            numbers.append(_number(cell, decimal))
        except ValueError:
            cure = _cure(cell, cells, decimal, place)
            where = f"{path}, line {line}: {cell!r} in column {name!r}"
            try:
                said_by(cells)
            except NoDates as none:
                if none.row and none.cell.lower() not in ABSENT:  # it begins with dates
                    bad = f"{path}, line {found.lines[none.row]}: {none.words(f'column {name!r}')}"
                    raise ValueError(bad) from None
            except ValueError as error:
                cure = f"as a date it {error}"
            if _units(cells, decimal):
                where = f"{path}, line {found.lines[0]}: {cells[0]!r} in column {name!r}"
                cure = "are these the units? leave out the row below the heading"
            raise ValueError(f"{where} is no number; {cure}") from None
    return numbers


def _cure(cell: str, cells: list[str], decimal: str, place: str | None) -> str:
    """What to do about a cell that is no number."""
    alone, comma = "columns= reads some alone", "decimal=',' reads a decimal comma"
    if re.fullmatch(r"\d{1,2}:\d{2}(:\d{2})?", cell):
        return f"it is a time of day: join it to the date in one column, 2024-01-31T{cell}; {alone}"
    bare = re.fullmatch(r"([$€£¥]?) ?([-+]?[\d.,]*\d) ?([%€$£¥]|[a-zA-Z]{1,4})?", cell)
    if bare and (mark := bare[1] or bare[3]):
        return f"write the number alone, without {mark!r}; {alone}"
    if decimal == "." and re.fullmatch(r"[-+]?(\d*,\d{1,2}|\d*,\d{4,}|\d{4,},\d+)", cell):
        return comma
    if re.fullmatch(r"[-+]?\d{1,3}([,. ']\d{3})+([.,]\d+)?", cell):
        either = decimal == "." and re.fullmatch(r"[-+]?\d+,\d+", cell)
        return "write it without marks between thousands" + (f"; {comma}" if either else "")
    if place is not None and _is_date(cell):
        return f"it is a date, and {place!r} has the dates already: {alone}"
    if looks_like_a_date(cell):
        return f"dates are written {LIKE}; {alone}"
    return alone


def _number(cell: str, decimal: str) -> float:
    said = cell.lower()
    if said in ABSENT:
        return float("nan")
    if said in TRUTHS:
        return TRUTHS[said]
    if decimal == ",":
        if "." in cell:
            raise ValueError(cell)
        cell = cell.replace(",", ".")
    if "_" in cell:  # Python's own way to write a million
        raise ValueError(cell)
    return float(cell)


def _any_number(cells: list[str], decimal: str) -> bool:
    for cell in cells:
        try:
            _number(cell, decimal)
        except ValueError:
            continue
        return True
    return False


def _units(cells: list[str], decimal: str) -> bool:
    """Whether all cells but the first are numbers, or dates, and the first is neither."""
    if (_any_number(cells[:1], decimal) and cells[0].lower() not in ABSENT) or _is_date(cells[0]):
        return False
    try:
        return len(cells) > 2 and bool(len(said_by(cells[1:])))
    except ValueError:
        return len(cells) > 2 and all(_any_number([cell], decimal) for cell in cells[1:])


def _counts(cells: list[str]) -> bool:
    """Whether a column is empty, or numbers the rows one by one."""
    if not any(cells):
        return True
    return any(all(cell == str(k) for k, cell in enumerate(cells, first)) for first in (0, 1))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _is_date(cell: str) -> bool:
    try:
        said_by([cell])
    except NoDates:
        return False
    except ValueError:
        return True
    return True
