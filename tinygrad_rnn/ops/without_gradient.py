"""Which functions take no gradient, and what do back ends call them? Comparisons, logic, whole numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from .row import ROWS, Texts

FUNCTIONS: dict[str, Texts] = {}


def numpys(name: str) -> Any:
    """numpy's function for one that takes no gradient: by what back ends call it, or by its own name."""
    return getattr(np, texts_of(name).numpy or name)


def texts_of(name: str) -> Texts:
    """What back ends call an op: a row, or a function without a gradient."""
    op = ROWS.get(name)
    return FUNCTIONS.get(name, Texts()) if op is None else op.texts


def _function(name: str, numpy: str = "", **texts: str) -> None:
    FUNCTIONS[name] = Texts.of(numpy=numpy or name, **texts)


_function("equal", text="{0} == {1}", onnx="Equal")
_function("not_equal", text="{0} != {1}")
_function("less", text="{0} < {1}", onnx="Less")
_function("less_equal", text="{0} <= {1}", onnx="LessOrEqual")
_function("greater", text="{0} > {1}", onnx="Greater")
_function("greater_equal", text="{0} >= {1}", onnx="GreaterOrEqual")
_function("bitwise_and", machine="{0} and {1}", onnx="And", js="{0} & {1}")
_function("bitwise_or", machine="{0} or {1}", onnx="Or", js="{0} | {1}")
_function("bitwise_xor", machine="{0} != {1}", onnx="Xor", js="{0} ^ {1}")
_function("invert", machine="not {0}", onnx="Not", js="!{0}")
_function("isnan", machine="{0} != {0}", js="Number.isNaN({0})")
_function("isfinite", machine="{0} - {0} == zero", js="Number.isFinite({0})")
_function("floor", machine="np.floor({0})", js="Math.floor({0})")
_function("ceil", machine="np.ceil({0})", js="Math.ceil({0})")
_function("rint", machine="np.rint({0})", js="rint({0})")
_function("trunc", machine="np.trunc({0})", js="Math.trunc({0})")
_function(
    "floor_quotient",
    numpy="floor_divide",
    machine="floor_quotient({0}, {1})",
    js="floorQuotient({0}, {1})",
)
_function("reciprocal", machine="one / {0}", js="1 / {0}")
