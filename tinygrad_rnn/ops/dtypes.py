"""In which dtype does an op compute? PyTorch's promotion of what it is given, and the default for floats."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.values import Handle

NUMBERS = (bool, int, float)
PLAIN = frozenset((np.ndarray, *NUMBERS))

default_dtype: Any = np.dtype(np.float32)

_RANK = {"b": 0, "i": 1, "u": 1, "f": 2, "c": 3}  # complex: only inside gradcheck

# the step from 1 to the next number; a table, since a trace of a cell knows no finfo
EPS = {np.dtype(kind): float(np.finfo(kind).eps) for kind in ("float16", "float32", "float64")}


def common_dtype(operands: tuple[Any, ...], floating: bool = False) -> Any:
    """PyTorch's promotion: the highest of bool < integer < float decides; within it, tensors with
    dimensions before 0-d tensors before Python numbers, which take the default dtype."""
    best: tuple[int, int] = (-1, -1)
    chosen: Any = None
    for a in operands:
        if isinstance(a, Handle):
            dtype = a._data.dtype
            rank = (_RANK[dtype.kind], 2 if a._data.ndim else 1)
        else:
            kind = "b" if isinstance(a, bool) else "i" if isinstance(a, int) else "f"
            dtype = {"b": np.dtype(bool), "i": np.dtype(np.int64), "f": default_dtype}[kind]
            rank = (_RANK[kind], 0)
        if rank > best:
            best, chosen = rank, dtype
        elif rank == best:
            chosen = np.promote_types(chosen, dtype)
    return default_dtype if floating and best[0] < 2 else chosen
