"""What the tests share: exact made-up numbers, relative comparison, derivatives that are not ours."""

from __future__ import annotations

import os

import numpy as np


def numbers(shape, seed=0, scale=1.0):
    """Values in (-scale, scale) that are the same bits on every machine and in every library."""
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    n = int(np.prod(shape, dtype=int))
    mask = 0xFFFFFFFF
    v = ((np.arange(n, dtype=np.uint64) + 1 + 1000 * seed) * 2654435761) & mask
    v = ((v ^ (v >> np.uint64(15))) * 2246822519) & mask
    v = ((v ^ (v >> np.uint64(13))) * 3266489917) & mask
    v ^= v >> np.uint64(16)
    return ((v.astype(np.float64) / 2.0**31 - 1.0) * scale).reshape(shape)


def values(given):
    """The values of a Tensor, of one with a gradient too, or of whatever an array can be made of."""
    return given.numpy() if hasattr(given, "detach") else np.asarray(given)


def assert_close(ours, other, tol, what=""):
    """Relative to the largest value of the array: max|a - b| <= tol * max|b|; NaN and inf must agree."""
    a, b = values(ours), values(other)
    assert a.shape == b.shape, f"{what}: shape {a.shape}, expected {b.shape}"
    odd = ~np.isfinite(b)
    np.testing.assert_array_equal(a[odd], b[odd], err_msg=f"{what}: where not finite")
    a, b = a[~odd].astype(np.float64), b[~odd].astype(np.float64)
    if b.size:
        worst, size = np.abs(a - b).max(), np.abs(b).max()
        assert worst <= tol * size, f"{what}: off by {worst:.3g} where values reach {size:.3g}"


def assert_each_close(ours, other, tol, what="", floor=1e-4):
    """Relative and per element: |a - b| <= tol * |b|, with |b| no less than floor * max|b|."""
    a, b = values(ours).astype(np.float64), values(other).astype(np.float64)
    assert a.shape == b.shape, f"{what}: shape {a.shape}, expected {b.shape}"
    if not b.size:
        return
    size = np.maximum(np.abs(b), max(floor * np.abs(b).max(), 1e-300))
    ratio = np.abs(a - b) / size
    at = np.unravel_index(np.argmax(ratio), ratio.shape)
    assert ratio.max() <= tol, f"{what}: element {at} is {a[at]!r}, expected {b[at]!r}"


def complex_gradient(function, arrays, step=1e-30):
    """The gradient of a scalar numpy function by the complex step: no difference is taken, so it is
    exact to rounding. ``function`` must be analytic code (compare real parts only)."""
    grads = []
    for k, a in enumerate(arrays):
        g = np.zeros(a.shape)
        for i in np.ndindex(a.shape):
            moved = [np.array(b, complex) for b in arrays]
            moved[k][i] += 1j * step
            g[i] = np.imag(function(*moved)) / step
        grads.append(g)
    return grads


def along(function, arrays, direction, step=1e-3):
    """The derivative of ``function(arrays)`` (a list of arrays) along a direction: central
    differences, extrapolated once (Richardson), so that the error is of order step**4."""

    def slope(h):
        ahead = function([a + h * d for a, d in zip(arrays, direction, strict=True)])
        behind = function([a - h * d for a, d in zip(arrays, direction, strict=True)])
        return [(p - m) / (2 * h) for p, m in zip(ahead, behind, strict=True)]

    wide, narrow = slope(step), slope(step / 2)
    return [(4 * n - w) / 3 for w, n in zip(wide, narrow, strict=True)]


def weights(shape, seed=99):
    """What turns an array into a scalar: a weighted sum that no symmetry can fool."""
    return np.asarray(0.2 + numbers(shape, seed) ** 2 + 0.1 * numbers(shape, seed + 1))


def of_the_day(table, cases):
    """Rows of each entry of a table and one of some cases, by turns; tomorrow the next one.

    ``TINYGRAD_RNN_DAY`` is the day, a number: the same one takes the same cases.
    """
    day = int(os.environ["TINYGRAD_RNN_DAY"])
    return [(entry, *cases[(k + day) % len(cases)]) for k, entry in enumerate(table)]


def share_of_the_day(cases, days):
    """Of some cases those that follow one another today; all of them in so many days."""
    k = int(os.environ["TINYGRAD_RNN_DAY"]) % days
    return cases[len(cases) * k // days : len(cases) * (k + 1) // days]


def on_both(table, cases, installed):
    """Rows of an entry, a case and a back end: by numpy each case, in machine code (where it is
    ``installed``) the one of the day, since each is a program to compile."""
    rows = [(entry, *case, "numpy") for entry in table for case in cases]
    return rows + [(*row, "numba") for row in of_the_day(table, cases) if installed]
