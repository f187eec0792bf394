"""Which tensors share one memory? What each of them knows of the others, for writes in place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from weakref import ref


def joined(a: Any, t: Any, view: bool) -> None:
    """Note that ``t`` shares the memory of ``a``: as a view, whose gradient goes there, or without one.

    A tensor's ``_alias`` is None (it shares with nobody), the list of weak references to all that share
    or a token that has it (it stands for itself), or (that, what it is a view of); see ``writing``.
    """
    held = a._alias
    if held is None:
        held = a._alias = [ref(a)]
    if held.__class__ is tuple:
        token = held[0]
        t._alias = held if view else token
    else:
        token = held
        t._alias = (held, a) if view else held
    members = token if token.__class__ is list else token.of
    if members is None:
        return
    members.append(ref(t))
    if len(members) > 63:
        thin_out(members)


def thin_out(members: list[Any], added: int = 1) -> None:
    """Leave out the tensors that are gone, whenever a power of two has been passed."""
    n = len(members)
    if n.bit_length() != (n - added).bit_length():
        members[:] = [r for r in members if r() is not None]


def all_joined(a: Any, parts: Sequence[Any], view: bool) -> None:
    """``joined`` of every part: all of them have the same ``_alias``."""
    if not parts:
        return
    joined(a, parts[0], view)
    alias = parts[0]._alias
    members = alias[0] if view else alias
    if members.__class__ is not list:
        members = members.of
    for t in parts[1:]:
        t._alias = alias
    if members is not None:
        members += map(ref, parts[1:])
        if len(members) > 63:
            thin_out(members, len(parts) - 1)
