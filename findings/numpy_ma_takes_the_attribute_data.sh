#!/usr/bin/env bash
# numpy 2.4.6 (PyPI): np.ma arithmetic reads the private attribute `_data` of whatever stands beside the array.
#
# The documentation of np.ma.getdata: "Return the data of `a` (if any) as an ndarray if `a` is a MaskedArray, else
# return `a` as a ndarray". The function takes `a._data` where any class has an attribute of that name, and leaves it
# at that: neither `__array__` nor `__array_ufunc__` nor `__array_priority__` of the object is asked, though all other
# arrays ask them. A class that keeps its values in `_data` (tensors with gradients, quantities with units) cannot say
# that its values alone are not what it means: a product with a masked array is a plain one, without a word.
#
# Seen: ndarray * q asks __array_ufunc__ (TypeError); masked * q gives [2.0, 6.0] and asks nothing.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -q numpy==2.4.6
"$work/venv/bin/python" - <<'PY'
import numpy as np

asked = []


class Quantity:
    __array_priority__ = 1000

    def __init__(self, values):
        self._data = np.asarray(values)

    def __array__(self, dtype=None, copy=None):
        asked.append("__array__")
        raise TypeError("say .values")

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        asked.append("__array_ufunc__")
        raise TypeError("say .values")


q = Quantity([2.0, 3.0])
try:
    np.array([1.0, 2.0]) * q
    raise SystemExit("an ndarray does not ask any more")
except TypeError:
    pass
assert asked == ["__array_ufunc__"], asked
asked.clear()
product = np.ma.array([1.0, 2.0]) * q
print(product.tolist(), asked)
assert product.tolist() == [2.0, 6.0], product
assert asked == [], asked
PY
