"""Which products are there? ``matmul`` from 1-d to batched n-d, ``linear`` with its bias, ``einsum``.

The terms of an einsum arrive as tuples of integers, one an operand, and the output's; an axis of
length 1 stretches, as in broadcasting.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .row import Row, row

if TYPE_CHECKING:
    from ..tensors import Tensor

Term = tuple[int, ...]


def _product(a: Any, b: Any) -> Any:
    """``a @ b``; by a plain matrix through ``dot``, which starts sooner and lays the matrix out once."""
    if a.__class__ is np.ndarray and b.ndim == 2 and a.ndim >= 2:
        if a.ndim == 2:
            return a.dot(b)
        if a.size:
            return _flat(a).dot(b).reshape((*a.shape[:-1], b.shape[1]))
    return a @ b


def _by_left(g: Any, a: Any, b: Any) -> Any:
    if b.ndim == 1:
        return g[..., None] * b
    if a.ndim == 1:
        return (b @ g[..., None])[..., 0]
    return _product(g, b.mT)


def _by_right(g: Any, a: Any, b: Any) -> Any:
    if b.ndim == 1:
        return (g[..., None] * a).reshape((-1, a.shape[-1])).sum(0)
    if a.ndim == 1:
        return a[:, None] * g[..., None, :]
    if a.__class__ is np.ndarray and b.ndim == 2 and a.ndim > 2 and a.size and g.size:
        return _flat(a).T.dot(_flat(g))  # not a product for each matrix, to be summed
    return _product(a.mT, g)


def _flat(a: Any) -> Any:
    return a if a.ndim == 2 else a.reshape((-1, a.shape[-1]))


def _linear(x: Any, weight: Any, bias: Any) -> Any:
    y = _product(x, weight.T)
    y += bias
    return y


matmul = row(
    "matmul",
    lambda a, b: _product(a, b),
    lambda g, _y, a, b: _by_left(g, a, b),
    lambda g, _y, a, b: _by_right(g, a, b),
    promote=0,
)
linear_with_bias = row(
    "linear",
    _linear,
    lambda g, _y, _x, w, _b: _product(g, w),
    lambda g, _y, x, _w, _b: _product(_flat(g).mT, _flat(x)),
    lambda g, _y, _x, _w, _b: g,
    promote=0,
)
linear_without_bias = row(
    "linear_without_bias",
    lambda x, weight: _product(x, weight.T),
    lambda g, _y, _x, w: _product(g, w),
    lambda g, _y, x, _w: _product(_flat(g).mT, _flat(x)),
    promote=0,
    shown="linear",
)


def linear(x: Any, weight: Any, bias: Any = None) -> Tensor:
    """``x W^T + b``, or ``x W^T``."""
    if bias is None:
        return linear_without_bias(x, weight)
    return linear_with_bias(x, weight, bias)


dot = row(
    "dot",
    lambda a, b: a.dot(b),
    lambda g, _y, _a, b: g * b,
    lambda g, _y, a, _b: g * a,
    promote=0,
)
outer = row(
    "outer",
    lambda a, b: np.multiply(a[:, None], b),
    lambda g, _y, _a, b: g @ b,
    lambda g, _y, a, _b: a @ g,
    promote=0,
)
einsum: Row = row(
    "einsum",
    lambda arrays, terms, to: _einsum(arrays, terms, to),
    lambda i, g, _y, arrays, terms, to: _einsum_rule(i, g, arrays, terms, to),
    variadic=True,
    promote=0,
)


def parsed(equation: str, shapes: list[tuple[int, ...]]) -> tuple[tuple[Term, ...], Term]:
    """The terms of an equation as integers: letters, and negative ones counted for ``...``."""
    text = equation.replace(" ", "")
    left, arrow, right = text.partition("->")
    words = left.split(",")
    if len(words) != len(shapes):
        raise ValueError(f"einsum {equation!r} has {len(words)} terms for {len(shapes)} operands")
    numbers: dict[str, int] = {}
    widest = 0
    for word, shape in zip(words, shapes, strict=True):
        letters = word.replace("...", "", 1)
        if letters and not (letters.isascii() and letters.isalpha()):
            raise ValueError(
                f"einsum {equation!r}: a term is made of letters and one '...': {word!r}"
            )
        n = len(shape) - len(letters)
        if n < 0 or (n and "..." not in word):
            raise ValueError(f"einsum {equation!r}: term {word!r} does not fit shape {shape}")
        widest = n if n > widest else widest
    letters = "".join(words).replace("...", "")
    for letter in sorted(set(letters)):
        numbers[letter] = widest + len(numbers)

    def term(word: str, ndim: int) -> Term:
        n = ndim - len(word.replace("...", ""))
        before, dots, after = word.partition("...")
        middle = range(widest - n, widest) if dots else range(0)
        return (*(numbers[c] for c in before), *middle, *(numbers[c] for c in after))

    terms = tuple(term(word, len(s)) for word, s in zip(words, shapes, strict=True))
    for word, labels, shape in zip(words, terms, shapes, strict=True):
        sides: dict[int, int] = {}
        for label, side in zip(labels, shape, strict=True):
            if sides.setdefault(label, side) != side:
                raise ValueError(
                    f"einsum {equation!r}: {word!r} repeats an axis, and shape {shape} has other lengths"
                )
    if not arrow:
        right = "..." + "".join(c for c in sorted(set(letters)) if letters.count(c) == 1)
    bare = right.replace("...", "", 1)
    unknown = sorted(set(bare) - set(letters))
    if unknown or len(set(bare)) != len(bare):
        raise ValueError(
            f"einsum {equation!r}: the output names {unknown[0]!r}, which no operand has"
            if unknown
            else f"einsum {equation!r}: the output names a letter twice"
        )
    return terms, term(right, len(bare) + (widest if "..." in right else 0))


def _einsum(arrays: Any, terms: tuple[Term, ...], to: Term) -> Any:
    sides: dict[int, int] = {}
    even = len(arrays) > 1
    for a, term in zip(arrays, terms, strict=True):
        for label, side in zip(term, a.shape, strict=True):
            even = even and sides.setdefault(label, side) == side
    work = 1
    for side in sides.values():
        work *= side
    pairs = [part for a, term in zip(arrays, terms, strict=True) for part in (a, list(term))]
    y: Any = np.einsum(*pairs, list(to), optimize="greedy" if even and work > 5000 else False)
    return np.asarray(y)


def _einsum_rule(i: int, g: Any, arrays: tuple[Any, ...], terms: tuple[Term, ...], to: Term) -> Any:
    """An einsum again, of g and the other operands: ones stretch the axes that only this operand
    has, and the identity puts the gradient on the diagonal where it repeats an axis."""
    mine, shape = terms[i], arrays[i].shape
    operands = [g, *arrays[:i], *arrays[i + 1 :]]
    labels = [to, *terms[:i], *terms[i + 1 :]]
    found: dict[int, int] = {}
    for a, term in zip(operands, labels, strict=True):
        for label, side in zip(term, a.shape, strict=True):
            found[label] = side if found.get(label, 1) == 1 else found[label]
    fresh = max((max(term, default=-1) for term in (*terms, to)), default=-1) + 1
    goal: list[int] = []
    for label, side in zip(mine, shape, strict=True):
        if label in goal:
            operands.append(np.eye(side, dtype=g.dtype))
            labels.append((label, fresh))
            goal.append(fresh)
            fresh += 1
            continue
        if label not in found or (found[label] == 1 and side != 1):
            operands.append(np.ones(side, g.dtype))
            labels.append((label,))
        goal.append(label)
    return einsum(*operands, tuple(labels), tuple(goal))
