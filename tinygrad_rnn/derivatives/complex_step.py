"""What is differentiated by the complex step? Arrays that compute what is analytic and refuse all else.

If f is analytic and real on the real line, ``f'(x) = Im f(x + ih) / h`` up to h**2: nothing is
subtracted, so that h = 1e-30 gives f' to rounding (Squire & Trapp 1998). Wherever f compares, rounds,
takes an absolute value or leaves numpy, that is wrong or not known to be right: :class:`NotAnalytic`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.values import Array

STEP = 1e-30


class NotAnalytic(Exception):  # noqa: N818 (it is no error)
    """What a function does that a complex step cannot go through."""


_UFUNC_NAMES = (
    "add subtract multiply divide negative positive exp exp2 expm1 log log1p log2 log10 sin cos tan sinh "
    "cosh tanh arctan sqrt square power reciprocal matmul isfinite isnan"
)
_FUNCTION_NAMES = (
    "concatenate stack broadcast_to flip moveaxis transpose swapaxes reshape expand_dims squeeze where "
    "tile repeat roll take_along_axis shape ndim size"
)
_REFUSED = (
    "argmax argmin argsort argpartition sort partition nonzero item tolist tobytes tofile "
    "searchsorted round clip conj conjugate __bool__ __float__ __int__ __complex__ __index__"
)
_UFUNCS, _FUNCTIONS = set(_UFUNC_NAMES.split()), set(_FUNCTION_NAMES.split())


class Analytic(np.ndarray[Any, np.dtype[np.complex128]]):
    """A complex128 array that lets only analytic numpy through."""

    __array_priority__ = 100.0

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if ufunc.__name__ not in _UFUNCS or method not in ("__call__", "reduce", "accumulate"):
            raise NotAnalytic(ufunc.__name__)
        if "out" in kwargs:
            kwargs["out"] = tuple(_plain(a) for a in kwargs["out"])
        if method == "reduce":
            kwargs.pop("dtype", None)
        return _analytic(getattr(ufunc, method)(*map(_plain, inputs), **kwargs))

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if function is np.max:
            return _analytic(_largest(*map(_plain, args), **kwargs))
        if function.__name__ not in _FUNCTIONS:
            raise NotAnalytic(function.__name__)
        return _analytic(function(*map(_plain, args), **{k: _plain(v) for k, v in kwargs.items()}))

    def __getitem__(self, index: Any) -> Any:
        return _analytic(_plain(self)[index])

    def __iter__(self) -> Any:
        return (self[k] for k in range(len(self)))

    def astype(self, dtype: Any, *_args: Any, **_kwargs: Any) -> Any:
        """Itself as float64 or complex128, which it stands for."""
        if np.dtype(dtype) not in (np.dtype(np.float64), np.dtype(np.complex128)):
            raise NotAnalytic(f"a cast to {np.dtype(dtype)}")
        return self


def _refuse(name: str) -> Any:
    def refuse(*_args: Any, **_kwargs: Any) -> Any:
        raise NotAnalytic(name)

    return refuse


for _name in _REFUSED.split():
    setattr(Analytic, _name, _refuse(_name))
for _name in ("real", "imag"):
    setattr(Analytic, _name, property(_refuse(_name)))


def analytic(values: Any) -> Analytic:
    """A complex array as one that watches what is done with it."""
    watched: Analytic = np.asarray(values, np.complex128).view(Analytic)
    return watched


def plain(values: Analytic) -> Array:
    """The complex numbers themselves."""
    return np.ndarray.view(values, np.ndarray)


def _plain(value: Any) -> Any:
    """Operands for numpy itself; a complex array that came by another way is refused."""
    if isinstance(value, Analytic):
        return plain(value)
    if isinstance(value, (list, tuple)):
        return type(value)([_plain(v) for v in value])
    numeric = isinstance(value, (np.ndarray, np.generic, complex))
    if numeric and np.iscomplexobj(value) and np.any(np.imag(value)):
        raise NotAnalytic("values that left the tensors and came back")
    return value


def _analytic(result: Any) -> Any:
    """What numpy returned, watched again where it is complex."""
    if isinstance(result, (np.ndarray, np.generic)) and result.dtype.kind == "c":
        return analytic(result)
    return result


def _largest(a: Any, axis: Any = None, keepdims: bool = False, **_initial: Any) -> Any:
    """The largest by real part, as softmax asks for; a tie has no derivative."""
    hit = a.real == a.real.max(axis=axis, keepdims=True)
    if (hit.sum(axis=axis) > 1).any():
        raise NotAnalytic("a tie in max")
    return np.where(hit, a, 0).sum(axis=axis, keepdims=keepdims)
