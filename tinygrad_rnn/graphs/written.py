"""What was a tensor called where it was made? The variable that the line assigns, read in its source."""

from __future__ import annotations

import ast
import linecache
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

Span = tuple[
    int | None, int | None, int | None, int | None
]  # lines and columns, as a code has them


def written_name(leaf: Any) -> str:
    """The variable, attribute or key that a leaf's maker was called for, or nothing.

    ``W = nn.Parameter(...)`` is ``W``, also where the function that has W is left; of ``W = weights(3)`` the
    line that called ``weights`` is asked. What stands inside of arithmetic or of a call is nobody's.
    """
    for code, at in getattr(leaf, "made", ()):
        span = next((s for k, s in enumerate(code.co_positions()) if 2 * k == at), None)
        statement = None if span is None else _statement(code.co_filename, span)
        if statement is not None and (name := _target(statement, span)):
            return name
        if not isinstance(statement, ast.Return) and code.co_name != "<lambda>":
            return ""
    return ""


@lru_cache(maxsize=16)
def _parsed(text: str) -> ast.Module | None:
    try:
        return ast.parse(text)
    except SyntaxError:  # a notebook's magic, a prompt
        return None


def _statement(file: str, span: Span) -> ast.stmt | None:
    """The innermost statement around a place in a file."""
    tree = _parsed("".join(linecache.getlines(file)))
    found: ast.stmt | None = None
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.stmt) and _around(node, span):
            found = node  # breadth first: the last is the innermost
    return found


def _around(node: Any, span: Span) -> bool:
    first, last, column, end = span
    if None in span:
        return False
    inside: bool = (node.lineno, node.col_offset) <= (first, column)
    return inside and (last, end) <= (node.end_lineno, node.end_col_offset)


def _target(statement: ast.stmt, span: Any) -> str:
    """What an assignment calls the value of the expression at a place."""
    if isinstance(statement, ast.Assign):
        target, value = statement.targets[0], statement.value
    elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
        target, value = statement.target, statement.value
    else:
        return ""
    found = next(_named(target, value, span), "")
    return "" if found.startswith("_") else found


def _named(target: Any, value: ast.expr, span: Span) -> Iterator[str]:
    """The name of the value at a place, where it is the assigned one or part of a literal of them."""
    if not _around(value, span):
        return
    name = _name(target)
    if _is(value, span):
        yield name
    elif isinstance(value, (ast.Tuple, ast.List)):
        many = target.elts if isinstance(target, (ast.Tuple, ast.List)) else ()
        for k, part in enumerate(value.elts):
            if len(many) == len(value.elts):
                yield from _named(many[k], part, span)
            elif _is(part, span):
                yield f"{name}[{k}]"
    elif isinstance(value, ast.Dict):
        for key, part in zip(value.keys, value.values, strict=True):
            if _is(part, span) and isinstance(key, ast.Constant):
                yield f"{name}.{key.value!s}"
    elif isinstance(value, ast.Call):
        yield from (f"{name}.{k.arg}" for k in value.keywords if k.arg and _is(k.value, span))
    elif isinstance(value, (ast.ListComp, ast.GeneratorExp)) and _is(value.elt, span):
        if isinstance(target, (ast.Tuple, ast.List)):
            return
        yield name
    elif isinstance(value, ast.IfExp):
        yield from _named(target, value.body, span)
        yield from _named(target, value.orelse, span)


def _is(node: ast.expr, span: Span) -> bool:
    return (node.lineno, node.end_lineno, node.col_offset, node.end_col_offset) == span


def _name(target: Any) -> str:
    """How a target is written, without ``self``."""
    if isinstance(target, ast.Name):
        return str(target.id)
    if isinstance(target, ast.Attribute):
        owner = _name(target.value)
        return str(target.attr) if owner in ("", "self") else f"{owner}.{target.attr}"
    if isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant):
        key = target.slice.value
        part = f".{key}" if isinstance(key, str) else f"[{key!r}]"
        return _name(target.value) + part
    return ""
