"""Did many calls of a cell record the same thing? All of them compared at once, node by node.

A column is the list of the nodes that have one role in each of the calls. From the columns of what a call
gives, the columns of what it was computed from follow, op for op, at the speed of ``map``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter, itemgetter
from typing import Any

from ..engine.lazy_output import LazyOutput
from ..engine.places import Call
from ..engine.values import Constant, Literal, Node
from .recorded import maker

Column = list[Any]

_op, _place, _call = attrgetter("op"), attrgetter("place"), attrgetter("place.call")
_parents = attrgetter("parents")


class Unlike(Exception):  # noqa: N818 (an answer, not an error)
    """Two calls differ where they would have to be alike."""


def columns_of(
    calls: Sequence[Call], given: Iterable[Column], entered: dict[str, Column]
) -> dict[int, Column]:
    """The columns of all that was computed in ``calls``, by the id of the first call's node.

    ``given`` are the columns of what is used of the calls, ``entered`` those of what came in. Raises
    Unlike where an op, an operand's place, a Parameter or a shape is not the same in every call.
    """
    comes = {id(column[0]): column for column in entered.values()}
    found: dict[int, Column] = {}
    todo: list[Column] = []
    places: Column = []  # of the last column: nodes of a call mostly share theirs

    def reach(column: Column) -> None:
        first = column[0]
        known = found.get(id(first)) or comes.get(id(first))
        if known is not None:
            if known != column:
                raise Unlike
        elif maker(first) is calls[0]:
            found[id(first)] = column
            todo.append(column)
        elif isinstance(first, (Literal, Constant)):
            if set(map(type, column)) != {type(first)}:
                raise Unlike
        elif column.count(first) != len(column):  # a Parameter, or another value that all share
            raise Unlike

    for column in given:
        reach(column)
    while todo:
        column = todo.pop()
        if not set(map(type, column)) <= {Node, LazyOutput} or len(set(map(_op, column))) > 1:
            raise Unlike
        made_at = list(map(_place, column))
        if made_at != places and list(map(_call, column)) != calls:
            raise Unlike
        places = made_at
        parents = list(map(_parents, column))
        count = len(parents[0])
        if column[0].op.variadic and set(map(len, parents)) != {count}:
            raise Unlike
        for k in range(count):
            reach(list(map(itemgetter(k), parents)))
    return found
