"""How is an expression of a solution said in the symbols of the equations?"""

from __future__ import annotations

import ast
import re

SYMBOLS = {"h_prev": "h_{t-1}", "c_prev": "c_{t-1}", "tanh_c": "tanh(c)"}
CARRIED = {
    "dh_next": "dh_next, what step t + 1 hands back through h",
    "dc_next": "dc_next, what step t + 1 hands back through c",
    "dc": "dc, what step t + 1 hands back through c",
}


def said(node: ast.AST) -> str:
    """An expression in the symbols of the equations."""
    text = ast.unparse(node).replace("np.", "").replace(".T", "^T")
    text = re.sub(r"\b(\w+(?:\[\w+\])?) \* \1(?![\w\[])", r"\1^2", text)
    for name, symbol in SYMBOLS.items():
        text = re.sub(rf"\b{name}\b", symbol, text)
    return text


def term(node: ast.AST) -> str:
    """The same, where a name alone is missed: what was carried is explained."""
    name = node.id if isinstance(node, ast.Name) else ""
    return CARRIED.get(name, said(node))


def thing(name: str) -> str:
    """What a variable of a solution is."""
    parts = re.fullmatch(r"d(a_)?(W_ih|W_hh|b|x|[a-z])(_t|_c|_prev|_next|0)?", name)
    if name == "da":
        return "the gradient of a"
    if parts is None:
        return SYMBOLS.get(name, name)
    end = {"_prev": "_{t-1}", "_next": "_{t-1}", "0": "0"}.get(parts[3] or "", "")
    return f"the gradient of {parts[2]}{end}"
