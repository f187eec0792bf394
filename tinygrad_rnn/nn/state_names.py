"""What are the parts of a cell's state called? As the cell says, or as its equations do."""

from __future__ import annotations

import ast
import inspect
import textwrap
from functools import cache
from typing import Any


@cache
def state_names(kind: Any, given: tuple[str, ...] = ()) -> tuple[str, ...]:
    """What the parts of a cell's state are called: ``states``, else as its step returns them.

    That is for a cell that writes down its equations: there the names are those of the equations.
    """
    equations = getattr(kind, "equations", {})
    if given or not isinstance(equations, dict) or not equations:
        return given
    step = getattr(kind, "step", None) or kind.forward
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(step)))
    except (OSError, TypeError, SyntaxError, IndentationError):
        return given
    for node in ast.walk(tree):
        pair = node.value if isinstance(node, ast.Return) else None
        state = pair.elts[1] if isinstance(pair, ast.Tuple) and len(pair.elts) == 2 else None
        if isinstance(state, ast.Tuple):
            names = tuple(part.id for part in state.elts if isinstance(part, ast.Name))
            if len(names) == len(state.elts) and {*equations}.issuperset(names):
                return names
    return given
