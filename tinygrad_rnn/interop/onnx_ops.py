"""Which nodes of ONNX say an op? The table: every row of the calculus."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..ops.row import ROWS
from ..ops.without_gradient import FUNCTIONS
from . import onnx_shapes as shapes
from .onnx_graph import Applied, GraphBuilder

Emit = Callable[[GraphBuilder, Applied], Any]


def _simple(kind: str, **attributes: Any) -> Emit:
    return lambda b, a: b.op(kind, *a.inputs, **attributes)


def _number(b: GraphBuilder, a: Applied, value: float) -> str:
    return b.const(np.array(value, a.dtype))


# ---- elementwise -----------------------------------------------------------------------------------


def _expm1(b: GraphBuilder, a: Applied) -> str:
    """tanh(x / 2) (exp(x) + 1): exact for small x, where exp(x) - 1 would cancel."""
    half = b.op("Tanh", b.op("Mul", a.inputs[0], _number(b, a, 0.5)))
    small: str = b.op("Mul", half, b.op("Add", b.op("Exp", a.inputs[0]), _number(b, a, 1.0)))
    plain = b.op("Sub", b.op("Exp", a.inputs[0]), _number(b, a, 1.0))
    near = b.op("Less", b.op("Abs", a.inputs[0]), _number(b, a, 1.0))
    return str(b.op("Where", near, small, plain))


def _log1p(b: GraphBuilder, a: Applied) -> str:
    """log(u) x / (u - 1) with u = 1 + x, and x where u is 1 (Kahan)."""
    x, one = a.inputs[0], _number(b, a, 1.0)
    u = b.op("Add", x, one)
    flat = b.op("Equal", u, one)
    away = b.op("Where", flat, one, b.op("Sub", u, one))
    ratio = b.op("Div", b.op("Mul", b.op("Log", u), x), away)
    infinite = b.op("IsInf", x)
    return str(b.op("Where", b.op("Or", flat, infinite), x, ratio))


def _normal_cdf(b: GraphBuilder, a: Applied) -> str:
    erf = b.op("Erf", b.op("Mul", a.inputs[0], _number(b, a, math.sqrt(0.5))))
    return str(b.op("Mul", b.op("Add", erf, _number(b, a, 1.0)), _number(b, a, 0.5)))


def _gelu(b: GraphBuilder, a: Applied) -> str:
    return str(b.op("Mul", a.inputs[0], _normal_cdf(b, a)))


def _gelu_by_tanh(b: GraphBuilder, a: Applied) -> str:
    x = a.inputs[0]
    cube = b.op("Mul", b.op("Mul", b.op("Mul", x, x), x), _number(b, a, 0.044715))
    bent = b.op("Mul", b.op("Add", x, cube), _number(b, a, 0.7978845608028654))
    share = b.op("Add", b.op("Tanh", bent), _number(b, a, 1.0))
    return str(b.op("Mul", b.op("Mul", x, _number(b, a, 0.5)), share))


def _silu(b: GraphBuilder, a: Applied) -> str:
    return str(b.op("Mul", a.inputs[0], b.op("Sigmoid", a.inputs[0])))


def _clip(b: GraphBuilder, a: Applied) -> str:
    low, high = a.constants
    x = a.inputs[0]
    if low is not None:
        x = b.op("Max", x, b.const(np.asarray(low, a.dtype)))
    return x if high is None else str(b.op("Min", x, b.const(np.asarray(high, a.dtype))))


def _cast(b: GraphBuilder, a: Applied) -> str:
    return b.cast(a.inputs[0], None if a.dtype is None else np.dtype("V1"), a.dtype)


def _of_numbers(kind: str, of_truths: str) -> Emit:
    """What numpy does with truths, too."""
    return lambda b, a: str(b.op(of_truths if a.dtype.kind == "b" else kind, *a.inputs))


def _sign(b: GraphBuilder, a: Applied) -> str:
    """0 also of a NaN."""
    sign = b.op("Sign", a.inputs[0])
    if a.dtype.kind != "f":
        return str(sign)
    return str(b.op("Where", b.op("IsNaN", a.inputs[0]), _number(b, a, 0.0), sign))


def _square(b: GraphBuilder, a: Applied) -> str:
    return str(b.op("Mul", a.inputs[0], a.inputs[0]))


# ---- reductions ------------------------------------------------------------------------------------


def _reduce(kind: str) -> Emit:
    def emit(b: GraphBuilder, a: Applied) -> str:
        axes, keep = (*a.constants, False)[:2] if a.constants else (None, False)
        return _reduced(b, kind, a.inputs[0], axes, bool(keep))

    return emit


def _reduced(b: GraphBuilder, kind: str, x: str, axes: Any, keep: bool) -> str:
    if axes == ():  # of a scalar, or over no axis
        return str(b.op("Abs", x)) if kind in ("ReduceL1", "ReduceL2") else str(b.op("Identity", x))
    if kind == "ReduceSum":
        return str(b.op(kind, x, b.ints(*axes), keepdims=int(keep)))
    chosen: dict[str, Any] = {} if axes is None else {"axes": list(axes)}
    return str(b.op(kind, x, keepdims=int(keep), **chosen))


def _var(b: GraphBuilder, a: Applied) -> str:
    axes, correction, keep = a.constants
    x = a.inputs[0]
    centred = b.op("Sub", x, _reduced(b, "ReduceMean", x, axes, True))
    total = _reduced(b, "ReduceSum", b.op("Mul", centred, centred), axes, bool(keep))
    count = b.op("ReduceProd", b.op("Gather", b.op("Shape", x), b.ints(*axes)), keepdims=0)
    count = b.op("Sub", b.cast(count, np.int64, a.dtype), _number(b, a, correction))
    return str(b.op("Div", total, count))


def _layer_norm(b: GraphBuilder, a: Applied) -> str:
    axes, eps = a.constants
    x = a.inputs[0]
    centred = b.op("Sub", x, _reduced(b, "ReduceMean", x, axes, True))
    var = _reduced(b, "ReduceMean", b.op("Mul", centred, centred), axes, True)
    return str(b.op("Div", centred, b.op("Sqrt", b.op("Add", var, _number(b, a, eps)))))


def _std(b: GraphBuilder, a: Applied) -> str:
    return str(b.op("Sqrt", _var(b, a)))


def _norm(b: GraphBuilder, a: Applied) -> str:
    p, axes, keep = a.constants
    x = a.inputs[0]
    if p in (1, 2):
        return _reduced(b, f"ReduceL{int(p)}", x, axes, keep)
    size = b.op("Abs", x)
    if p in (math.inf, -math.inf):
        return _reduced(b, "ReduceMax" if p > 0 else "ReduceMin", size, axes, keep)
    if p == 0:
        ones = b.op("Sign", size)
        return _reduced(b, "ReduceSum", ones, axes, keep)
    total = _reduced(b, "ReduceSum", b.op("Pow", size, _number(b, a, p)), axes, keep)
    return str(b.op("Pow", total, _number(b, a, 1 / p)))


def _cumsum(b: GraphBuilder, a: Applied) -> str:
    if not a.shapes[0][0]:
        return str(b.op("Identity", a.inputs[0]))
    return str(b.op("CumSum", a.inputs[0], b.const(np.array(a.constants[0], np.int64))))


def _axis_of(kind: str) -> Emit:
    return lambda b, a: b.op(kind, a.inputs[0], axis=int(a.constants[0][0]))


# ---- products --------------------------------------------------------------------------------------


def _linear(b: GraphBuilder, a: Applied) -> str:
    if len(a.shapes[0][0]) == 2:
        return str(b.op("Gemm", *a.inputs, transB=1))
    turned = b.op("Transpose", a.inputs[1], perm=[1, 0])
    y = b.op("MatMul", a.inputs[0], turned)
    return str(b.op("Add", y, a.inputs[2])) if len(a.inputs) == 3 else y


def _outer(b: GraphBuilder, a: Applied) -> str:
    return str(b.op("Mul", b.unsqueeze(a.inputs[0], 1), b.unsqueeze(a.inputs[1], 0)))


def _einsum(b: GraphBuilder, a: Applied) -> str:
    terms, to = a.constants
    labels = sorted({label for term in (*terms, to) for label in term})
    letter = {label: chr(ord("a") + k) for k, label in enumerate(labels)}
    words = ["".join(letter[label] for label in term) for term in (*terms, to)]
    for example in a.shapes:
        sides: dict[int, int] = {}
        for term, shape in zip(terms, example, strict=True):
            for label, side in zip(term, shape, strict=True):
                if sides.setdefault(label, side) != side:
                    raise a.failure(
                        "an axis of length 1 stretches, which ONNX's Einsum does not do"
                    )
    return str(b.op("Einsum", *a.inputs, equation=",".join(words[:-1]) + "->" + words[-1]))


# ---- the table -------------------------------------------------------------------------------------

SAME_DTYPE = frozenset(  # ops whose operands are brought to the result's dtype first
    name
    for line in (
        "add sub mul div pow maximum minimum matmul linear linear_without_bias dot outer einsum cat stack",
        "sqrt exp expm1 log log1p sin cos tanh sigmoid softplus silu leaky_relu elu normal_cdf gelu",
        "gelu_by_tanh erf mean var std norm layer_norm logsumexp softmax log_softmax sum prod cumsum square",
    )
    for name in line.split()
)

EMIT: dict[str, Emit] = {
    **{name: _simple(op.texts.onnx) for name, op in ROWS.items() if op.texts.onnx},
    "add": _of_numbers("Add", "Or"),
    "mul": _of_numbers("Mul", "And"),
    "sign": _sign,
    "square": _square,
    "expm1": _expm1,
    "log1p": _log1p,
    "silu": _silu,
    "leaky_relu": lambda b, a: b.op("LeakyRelu", *a.inputs, alpha=float(a.constants[0])),
    "elu": lambda b, a: b.op("Elu", *a.inputs, alpha=float(a.constants[0])),
    "normal_cdf": _normal_cdf,
    "gelu": _gelu,
    "gelu_by_tanh": _gelu_by_tanh,
    "clip": _clip,
    "cast": _cast,
    "sum": _reduce("ReduceSum"),
    "mean": _reduce("ReduceMean"),
    "prod": _reduce("ReduceProd"),
    "amax": _reduce("ReduceMax"),
    "amin": _reduce("ReduceMin"),
    "max_of_all": _reduce("ReduceMax"),
    "min_of_all": _reduce("ReduceMin"),
    "logsumexp": _reduce("ReduceLogSumExp"),
    "var": _var,
    "std": _std,
    "layer_norm": _layer_norm,
    "norm": _norm,
    "cumsum": _cumsum,
    "softmax": _axis_of("Softmax"),
    "log_softmax": _axis_of("LogSoftmax"),
    "reshape": shapes.reshape,
    "permute": shapes.permute,
    "broadcast": shapes.broadcast,
    "flip": shapes.flip,
    "roll": shapes.roll,
    "pad": shapes.pad,
    "tile": shapes.tile,
    "cat": shapes.cat,
    "stack": shapes.stack,
    "split": shapes.split,
    "unbind": shapes.unbind,
    "matmul": _simple("MatMul"),
    "dot": _simple("MatMul"),
    "linear": _linear,
    "linear_without_bias": _linear,
    "outer": _outer,
    "einsum": _einsum,
    "getitem": shapes.getitem,
    "embedding": shapes.embedding,
}

# ---- functions without a derivative ------------------------------------------------------------------


def _of_floats(kind: str) -> Emit:
    """IsNaN and IsInf, which whole numbers never are."""

    def emit(b: GraphBuilder, a: Applied) -> str:
        x = a.inputs[0] if a.dtype.kind == "f" else b.cast(a.inputs[0], a.dtype, np.float64)
        return str(b.op(kind, x))

    return emit


def _isfinite(b: GraphBuilder, a: Applied) -> str:
    odd = b.op("Or", _of_floats("IsNaN")(b, a), _of_floats("IsInf")(b, a))
    return str(b.op("Not", odd))


def _whether(kind: str) -> Emit:
    """any and all: the largest and the smallest of truths, as 0 and 1."""

    def emit(b: GraphBuilder, a: Applied) -> str:
        axis, keep = a.constants
        truths = b.cast(b.true(a.inputs[0], a.dtype), np.dtype(bool), np.dtype(np.int32))
        axes: tuple[int, ...] | None = axis if axis is None or isinstance(axis, tuple) else (axis,)
        if not a.shapes[0][0]:
            axes = ()
        return b.cast(_reduced(b, kind, truths, axes, keep), np.dtype(np.int32), np.dtype(bool))

    return emit


def _place_of(kind: str) -> Emit:
    """argmax and argmin: the first of equal values, and of NaN where there is one."""

    def emit(b: GraphBuilder, a: Applied) -> str:
        axis, keep = a.constants
        x, shape, dtype = a.inputs[0], a.shapes[0][0], a.dtype
        if axis is None:
            if keep and shape:
                raise a.failure("of all values, keeping the axes")
            x, axis, keep = b.op("Reshape", x, b.ints(-1)), 0, False
        if dtype.kind in "bu":
            x, dtype = b.cast(x, dtype, np.dtype(np.int64)), np.dtype(np.int64)
        where = b.op(kind, x, axis=axis, keepdims=int(keep))
        if dtype.kind != "f":
            return str(where)
        odd = b.op("IsNaN", x)
        plain = b.op("Where", odd, b.const(np.array(0, dtype)), x)
        where = b.op(kind, plain, axis=axis, keepdims=int(keep))
        marks = b.cast(odd, np.dtype(bool), np.dtype(np.int32))
        first = b.op("ArgMax", marks, axis=axis, keepdims=int(keep))
        found = b.cast(
            _reduced(b, "ReduceMax", marks, (axis,), keep), np.dtype(np.int32), np.dtype(bool)
        )
        return str(b.op("Where", found, first, where))

    return emit


def _whole(kind: str) -> Emit:
    """Floor, Ceil, Round: whole numbers are what they are."""
    return lambda b, a: str(b.op(kind if a.dtype.kind == "f" else "Identity", a.inputs[0]))


def _floor_quotient(b: GraphBuilder, a: Applied) -> str:
    """Exact, where Floor(Div) may have been rounded up: from the remainder, and one less between signs."""
    rest = b.op("Mod", *a.inputs, fmod=1)
    q = b.op("Round", b.op("Div", b.op("Sub", a.inputs[0], rest), a.inputs[1]))
    below = b.op("Less", b.op("Mul", rest, a.inputs[1]), b.const(np.array(0, a.dtype)))
    return str(b.op("Sub", q, b.cast(below, np.dtype(bool), a.dtype)))


def _mod(b: GraphBuilder, a: Applied) -> str:
    if a.dtype.kind not in "iu":
        raise a.failure("of floats it is written with floor_quotient")
    return str(b.op("Mod", *a.inputs))


def _to_whole(b: GraphBuilder, a: Applied) -> str:
    """A cast to integers, or to truths."""
    (target,) = a.constants
    if np.dtype(target).kind == "b":
        return b.true(a.inputs[0], a.dtype)
    return b.cast(a.inputs[0], a.dtype, target)


LOGICAL = {  # of anything: what they mean of truths
    "logical_and": "bitwise_and",
    "logical_or": "bitwise_or",
    "logical_xor": "bitwise_xor",
    "logical_not": "invert",
}
COMPARE: dict[str, Emit] = {
    **{name: _simple(texts.onnx) for name, texts in FUNCTIONS.items() if texts.onnx},
    "isnan": _of_floats("IsNaN"),
    "isinf": _of_floats("IsInf"),
    "isfinite": _isfinite,
    "any": _whether("ReduceMax"),
    "all": _whether("ReduceMin"),
    "argmax": _place_of("ArgMax"),
    "argmin": _place_of("ArgMin"),
    "floor": _whole("Floor"),
    "floor_quotient": _floor_quotient,
    "ceil": _whole("Ceil"),
    "rint": _whole("Round"),
    "remainder": _mod,
    "cast": _to_whole,
    "not_equal": lambda b, a: b.op("Not", b.op("Equal", *a.inputs)),
}
