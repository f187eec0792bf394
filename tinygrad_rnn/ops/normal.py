"""How much of N(0, 1) lies below x? To a few units in the last place of its dtype, both tails included.

numpy has no erf. In float64 the rational approximations are those of FreeBSD's ``s_erf.c`` (Sun
Microsystems 1993, freely granted); each of five ranges of |x| / sqrt(2) has its own, computed where it is
needed. In float32 one polynomial holds for all x: the tail P(Z > z) is ``exp(-z**2 / 2) r Q(r - middle)``
with ``r = 1 / (z + 3.75)``, where Q has degree 8 (fitted for the least largest relative error, 1.5e-8).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .few_passes import bell, leave

_NEAR = (
    (1.28379167095512558561e-01, -3.25042107247001499370e-01, -2.84817495755985104766e-02,
     -5.77027029648944159157e-03, -2.37630166566501626084e-05),
    (1.0, 3.97917223959155352819e-01, 6.50222499887672944485e-02, 5.08130628187576562776e-03,
     1.32494738004321644526e-04, -3.96022827877536812320e-06),
)  # fmt: skip
_MIDDLE = (
    (-2.36211856075265944077e-03, 4.14856118683748331666e-01, -3.72207876035701323847e-01,
     3.18346619901161753674e-01, -1.10894694282396677476e-01, 3.54783043256182359371e-02,
     -2.16637559486879084300e-03),
    (1.0, 1.06420880400844228286e-01, 5.40397917702171048937e-01, 7.18286544141962662868e-02,
     1.26171219808761642112e-01, 1.36370839120290507362e-02, 1.19844998467991074170e-02),
)  # fmt: skip
_FAR = (
    (-9.86494403484714822705e-03, -6.93858572707181764372e-01, -1.05586262253232909814e+01,
     -6.23753324503260060396e+01, -1.62396669462573470355e+02, -1.84605092906711035994e+02,
     -8.12874355063065934246e+01, -9.81432934416914548592e+00),
    (1.0, 1.96512716674392571292e+01, 1.37657754143519042600e+02, 4.34565877475229228821e+02,
     6.45387271733267880336e+02, 4.29008140027567833386e+02, 1.08635005541779435134e+02,
     6.57024977031928170135e+00, -6.04244152148580987438e-02),
)  # fmt: skip
_FARTHEST = (
    (-9.86494292470009928597e-03, -7.99283237680523006574e-01, -1.77579549177547519889e+01,
     -1.60636384855821916062e+02, -6.37566443368389627722e+02, -1.02509513161107724954e+03,
     -4.83519191608651397019e+02),
    (1.0, 3.03380607434824582924e+01, 3.25792512996573918826e+02, 1.53672958608443695994e+03,
     3.19985821950859553908e+03, 2.55305040643316442583e+03, 4.74528541206955367215e+02,
     -2.24409524465858183362e+01),
)  # fmt: skip
_START, _MIDDLE_OF_R = np.float32(3.75), np.float32(0.16058129)
_TAIL = tuple(
    np.array(c, np.float32)
    for c in (0.886593648, 5.64514289, 25.5945499, 76.3313606, 106.174963, -155.362478, -779.457874,
              287.470287, 4439.5478)
)  # fmt: skip
_SIGN = np.array(-0x80000000, np.int32)
_AT_ONE = 8.45062911510467529297e-01  # nearly erf(1)


def _ratio(x: Any, fraction: tuple[tuple[float, ...], tuple[float, ...]]) -> Any:
    above, below = (np.zeros_like(x), np.zeros_like(x))
    for c in reversed(fraction[0]):
        above = above * x + c
    for c in reversed(fraction[1]):
        below = below * x + c
    return above / below


def _tail(z: Any) -> Any:
    """erfc(z) for z >= 1.25."""
    s = 1 / (z * z)
    r = np.where(z < 1 / 0.35, _ratio(s, _FAR), _ratio(s, _FARTHEST))
    short = (z.view(np.uint64) & np.uint64(0xFFFFFFFF00000000)).view(np.float64)
    return np.exp(-short * short - 0.5625) * np.exp((short - z) * (short + z) + r) / z


def error_function(x: Any) -> Any:
    """erf(x), in the dtype of x; relative to its size right near 0 too."""
    if np.iscomplexobj(x):
        raise TypeError("the error function is computed for real numbers alone")
    wide = np.asarray(x, np.float64)
    z = np.abs(wide)
    y = np.ones_like(z)
    near, middle = z < 0.84375, (z >= 0.84375) & (z < 1.25)
    far = (z >= 1.25) & (z < 28)
    y[near] = z[near] + z[near] * _ratio(z[near] * z[near], _NEAR)
    y[middle] = _AT_ONE + _ratio(z[middle] - 1, _MIDDLE)
    y[far] = 1 - _tail(z[far])
    y[np.isnan(z)] = np.nan
    return np.copysign(y, wide).astype(np.asarray(x).dtype)


def _share32(x: Any, derived: bool) -> Any:
    """P(Z < x) of a float32 array."""
    r = np.abs(x, out=np.empty_like(x))
    np.add(r, _START, out=r)
    np.reciprocal(r, out=r)
    s = np.subtract(r, _MIDDLE_OF_R, out=np.empty_like(x))
    p = np.multiply(s, _TAIL[-1], out=np.empty_like(x))
    for c in _TAIL[-2:0:-1]:
        np.add(p, c, out=p)
        np.multiply(p, s, out=p)
    np.add(p, _TAIL[0], out=p)
    np.multiply(p, r, out=p)
    e = bell(x)
    np.multiply(p, e, out=p)
    if derived:
        leave(x, "bell", e)
    # the tail below a negative x, and 1 - the tail above a positive one: by the sign bit, without a branch
    bits, signs = p.view(np.int32), np.invert(x.view(np.int32), out=s.view(np.int32))
    np.bitwise_and(signs, _SIGN, out=signs)
    np.bitwise_xor(bits, signs, out=bits)
    np.not_equal(signs, 0, out=s, casting="unsafe")
    return np.add(p, s, out=p)


def normal_share(x: Any, derived: bool = False) -> Any:
    """P(Z < x) for Z of N(0, 1), in the dtype of x: erfc(-x / sqrt(2)) / 2.

    ``derived``: ``gelu_slope`` will ask for exp(-x**2 / 2), which is left for it.
    """
    if np.iscomplexobj(x):
        raise TypeError("the normal distribution is computed for real numbers alone")
    if x.__class__ is np.ndarray and x.dtype.char == "f":
        return _share32(x, derived)
    wide = np.asarray(x, np.float64)
    z = np.abs(wide) * 0.7071067811865476
    lower = np.empty_like(z)  # erfc(z) / 2, z >= 0
    near = z < 0.84375
    v = z[near]
    lower[near] = 0.5 - 0.5 * (v + v * _ratio(v * v, _NEAR))
    middle = (z >= 0.84375) & (z < 1.25)
    lower[middle] = 0.5 * (1 - _AT_ONE - _ratio(z[middle] - 1, _MIDDLE))
    far = (z >= 1.25) & (z < 28)
    lower[far] = 0.5 * _tail(z[far])
    lower[z >= 28] = 0.0
    lower[np.isnan(z)] = np.nan
    return np.where(wide < 0, lower, 1 - lower).astype(np.asarray(x).dtype)
