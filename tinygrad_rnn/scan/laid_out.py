"""Which weights lie ready for products? Each array once, for as long as it is there.

A weight's array is never written while anything refers to it: a write, an optimizer's step, a loaded state
dict, ``p.data = x`` install another one (``tensors.writing``). So what was made of an array stays right until
the array goes, and goes with it: nothing has to be told that a weight has changed. The reference held here is
a weak one, which counts where a write asks who else can see its memory.
"""

from __future__ import annotations

from functools import cache
from typing import Any
from weakref import ref

from ..engine.values import Array
from .machine_code import kernels
from .runtime import empty

_ready: dict[tuple[int, bool], tuple[Any, Array]] = {}  # what refers to the array, and its panels


def laid_out(w: Array, transposed: bool) -> Array:
    """A matrix (inner, width), or its transpose, in panels of columns as ``products`` reads them."""
    key = (id(w), transposed)
    found = _ready.get(key)
    if found is not None and found[0]() is w:
        return found[1]
    panels = _packed(w, transposed)

    def gone(gone: Any) -> None:
        if _ready.get(key, (None,))[0] is gone:
            del _ready[key]

    _ready[key] = ref(w, gone), panels
    return panels


def _packed(w: Array, transposed: bool) -> Array:
    inner, width = w.shape[:: -1 if transposed else 1]
    pack, lanes = _packer(w.itemsize * 8)
    size = inner * (-(-width // lanes) * lanes)
    panels = empty((size,), w.dtype, size * w.itemsize)
    row, column = (1, inner) if transposed else (width, 1)
    pack(w, panels, inner, width, row, column)
    return panels


@cache
def _packer(bits: int) -> tuple[Any, int]:
    """What packs, and how many numbers a vector has."""
    from .products import LANES

    return kernels(bits).pack, LANES[bits]
