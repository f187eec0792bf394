"""What does a cell's step read, and why can it not be compiled? Its bytecode is followed to every end."""

from __future__ import annotations

from collections.abc import Iterable

from ..nn.module import Module
from .bytecode import GIVEN, Known, Walk
from .opcodes import follow
from .purity import Guard, Guards, Impure


def inspected(
    cell: Module, names: Iterable[str] = (), fields: Iterable[str] = ()
) -> tuple[list[Guard], str | None]:
    """What a cell's step reads, and why it cannot be compiled (None where it can).

    ``names`` are the call's keyword arguments, ``fields`` those of the named tuples in its state.
    """
    guards = Guards()
    walk = Walk(guards, frozenset(fields), follow)
    why = None
    try:
        while walk.grew:
            walk.grew, walk.steps = False, 0
            walk.memo.clear()
            own, given = frozenset({Known(cell)}), frozenset({GIVEN})
            step = walk.attribute(own, "step") or own
            walk.call(step, [given, given], dict.fromkeys(names, given))
    except Impure as reason:
        why = str(reason)
    except Exception as error:  # of ours: what is not understood is recorded
        why = f"its code could not be followed ({type(error).__name__}: {error})"
    return guards.finished(), why
