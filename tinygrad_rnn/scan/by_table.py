"""What need be computed once a word, not once a step? The products of rows that are looked up.

A layer over an embedding multiplies what is looked up at every step, ``W_ih E[i] + b_ih``. Where E has fewer
rows than there are steps, the products of all its rows are the fewer ones: ``(E W_ih^T + b_ih)[i]``. The
step is then given its product in place of its input, and the gradients of E and W_ih come from sums over
what a word's steps say, by the engine's own rules. Sums of roundings differ, nothing else, as long as E and
W_ih are finite: a row that is not looked up takes part, with a gradient of 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from ..engine.values import Leaf, Node
from ..ops.indexing import embedding
from ..ops.products import linear
from ..ops.row import ROWS
from ..tensors import Tensor
from .running import CompiledCall
from .tracing import Trace, Tracer, leaf, row_name, tracing
from .variants import Compiled, Variant
from .verified import step_again

FEATURES = 32  # of a row: multiplying so many costs what looking up and adding up the product costs


def by_table(made: CompiledCall, tables: Sequence[Leaf]) -> list[Any]:
    """Let a layer's call take products from a table, where that is less work; the nodes behind it.

    Recorded in the trace that is going on. The rows are one of ``tables``. What the nodes stand for must be
    finite whenever the trace runs; [] where all stays as it is.
    """
    node, first = made.call.x._node, made.passes[0][0]
    if type(node) is not Node or node.op is not ROWS["embedding"]:
        return []
    (rows,), (_, index, padding) = node.parents, node.saved
    (words, features), steps = rows.shape, prod(index.shape)
    if features * (steps - words) < FEATURES * steps or padding is not None:
        return []
    if len(made.passes[0]) > 1 or not any(rows is table for table in tables):
        return []
    found: Compiled = first.variant.found
    if found.trusted and found.of_product is None:
        found.of_product = _of_product(found.trace)
    if not found.of_product:
        return []
    inner, kept = found.of_product
    taken = [t for k, t in enumerate(first.weights) if k not in kept]
    table = linear(Tensor._wrap(np.zeros(rows.shape, rows.dtype), rows), *taken)
    variant = Variant(first.variant.guards)
    used = [first.variant.used[k] for k in kept]
    variant.takes(inner, used, first.variant.tensors)
    made.passes[0] = [first.by(variant)]
    made.call = replace(made.call, x=embedding(table, index, None))
    return [rows, *[t._node for t in taken]]


def _of_product(trace: Trace) -> Any:
    """The loops of a step that is given its input's product, and which weights it takes; () for none.

    That is a step whose input is multiplied once, by weights that do nothing else.
    """
    x, places = trace.inputs["x"], {id(node): role for role, node in trace.inputs.items()}
    takers: list[Any] = [node for node in trace.nodes if any(p is x for p in node.parents)]
    if len(takers) != 1 or row_name(takers[0].op) not in ("linear", "linear_without_bias"):
        return ()
    (product,), others = takers, [node for node in trace.nodes if node is not takers[0]]
    mine = {id(p) for p in product.parents[1:]}
    elsewhere = {id(p) for node in others for p in node.parents} | {id(n) for n in trace.outputs}
    if product.parents[0] is not x or elsewhere & mine:
        return ()
    if any(places.get(at, "")[:1] != "w" for at in mine):
        return ()
    with tracing(Tracer()):
        given = {r: leaf(np.zeros(n.shape, n.dtype)) for r, n in trace.inputs.items()}
        known: dict[int, Any] = {id(n): given[r] for r, n in trace.inputs.items()}
        given["x"] = known[id(product)] = leaf(np.zeros(product.shape, product.dtype))
        outputs = step_again(trace, known)
        left = [r for r, n in trace.inputs.items() if r[0] == "w" and id(n) not in mine]
        inputs: dict[str, Any] = {r: given[r]._node for r in trace.inputs if r[0] != "w"}
        inputs |= {f"w{k}": given[r]._node for k, r in enumerate(left)}
        made: list[Any] = [t._node for t in outputs]
        inner = Compiled(Trace(inputs, made), True)
    return inner, [int(r[1:]) for r in left]


__all__ = ["by_table"]
