"""What a line of a drawn cell may be: how it is drawn, how Python writes it, what it is in plain numpy.

``KINDS`` has at least one kind for each row of the op table; ``test_routes.py`` says so. A line is data:
a kind, the names of its operands and its constants.
"""

from __future__ import annotations

import itertools
import math
from typing import Any, NamedTuple

import duals
import numpy as np
from duals import PAIRS, curve


class Line(NamedTuple):
    """``name = kind(args, constants)``."""

    name: str
    kind: str
    args: tuple[str, ...]
    constants: tuple[Any, ...] = ()


class Kind(NamedTuple):
    """``draw(pen)`` gives (operands, constants), or None where nothing fits."""

    rows: str
    draw: Any
    text: Any
    dual: Any


KINDS: dict[str, Kind] = {}
NONE = slice(None)


def kind(name, rows, draw, text, dual):
    KINDS[name] = Kind(rows, draw, text, dual)


def number(rng):
    return float(rng.choice([0.0, 0.5, -0.5, 1.0, -1.0, 2.0, 0.1, -1.7, 0.37, 3.0]))


# ---- elementwise ---------------------------------------------------------------------------------

METHODS = ["neg", "abs", "sign", "square", "sqrt", "exp", "expm1", "log", "log1p"]
METHODS += ["sin", "cos", "tanh", "sigmoid", "relu"]
OTHERS = {
    "softplus": "F.softplus({})",
    "silu": "F.silu({})",
    "gelu": "F.gelu({})",
    "gelu_by_tanh": 'F.gelu({}, approximate="tanh")',
    "normal_cdf": "curves.normal_cdf({})",
    "erf": "tg.erf({})",
}
NEEDS = {  # where a function is at home: a line before it leads there
    "sqrt": "positive",
    "log": "positive",
    "log1p": "positive",
    "exp": "small",
    "expm1": "small",
}


def one(pen):
    return (pen.any(),), ()


def at_home(need):
    """An operand in a function's domain; now and then any, so that NaN and infinity come about."""

    def draw(pen):
        a = pen.any()
        if not pen.chance(0.05):
            a = pen.positive(a) if need == "positive" else pen.small(a)
        return (a,), ()

    return draw


for _name in [*METHODS, *OTHERS]:
    _form = OTHERS.get(_name, "{}." + _name + "()")
    if _name == "neg":
        _form = "-{}"
    _draw = at_home(NEEDS[_name]) if _name in NEEDS else one
    kind(_name, _name, _draw, _form.format, curve(_name))

kind(
    "leaky_relu",
    "leaky_relu",
    lambda pen: ((pen.any(),), (pen.pick([0.01, 0.3, 1.5]),)),
    "F.leaky_relu({}, {})".format,
    duals.leaky_relu,
)
kind(
    "elu",
    "elu",
    lambda pen: ((pen.any(),), (pen.pick([1.0, 0.7]),)),
    "F.elu({}, {})".format,
    duals.elu_of,
)
kind(
    "clip",
    "clip",
    lambda pen: ((pen.any(),), pen.pick([(-0.9, 0.8), (-0.5, None), (None, 0.3), (0.0, 6.0)])),
    "{}.clip({}, {})".format,
    duals.clip,
)
for _name in ("floor", "ceil", "round"):
    kind(_name, "", one, f"tg.{_name}({{}})".format, duals.rounded(getattr(np, _name)))
kind(
    "cast",
    "cast",
    one,
    lambda a: f"{a}.to(tg.float32).to({a}.dtype)",
    duals.to_float32,
)

SYMBOLS = {"add": "+", "sub": "-", "mul": "*", "div": "/", "pow": "**", "remainder": "%"}
SYMBOLS["floor_divide"] = "//"


def pair_text(name):
    if name in SYMBOLS:
        return f"{{}} {SYMBOLS[name]} {{}}".format
    return f"tg.{name}({{}}, {{}})".format


def two(pen, name):
    """Two operands that broadcast, in the domain of the pair."""
    a, b = pen.two()
    if name in ("div", "remainder", "floor_divide", "atan2") and not pen.chance(0.05):
        b = pen.positive(b)
    if name == "pow":
        a, b = pen.small(pen.positive(a)), pen.small(b)
    return (a, b), ()


def with_number(pen, name, left):
    a, k = pen.any(), number(pen.rng)
    if name == "pow":
        if left:
            return (pen.small(a),), (abs(k) + 0.3,)
        k = float(pen.pick([0.0, 1.0, 2.0, 3.0, 0.5, -1.0, 2.5, -0.5]))
        return (a if k in (0.0, 1.0, 2.0, 3.0) else pen.positive(a),), (k,)
    if name in ("div", "remainder", "floor_divide", "atan2"):
        if left:
            a = pen.positive(a)
        elif k == 0:
            k = 1.5
    return (a,), (k,)


for _name in [*SYMBOLS, "maximum", "minimum", "atan2"]:
    _rows = "" if _name in ("remainder", "floor_divide") else _name
    _text, _dual = pair_text(_name), PAIRS[_name]
    kind(_name, _rows, lambda pen, n=_name: two(pen, n), _text, _dual)
    kind(f"{_name}_number", _rows, lambda pen, n=_name: with_number(pen, n, False), _text, _dual)
    if _name in SYMBOLS and _rows:
        kind(
            f"number_{_name}",
            _rows,
            lambda pen, n=_name: with_number(pen, n, True),
            lambda a, k, t=_text: t(k, a),
            lambda a, k, d=_dual: d(k, a),
        )


def condition(pen):
    a, b = pen.two()
    return a, b, pen.pick(list(duals.COMPARISONS))


def where_draw(pen):
    a, b, how = condition(pen)
    c, d = pen.two()
    return (a, b, c, d), (how,)


kind(
    "where",
    "where",
    where_draw,
    lambda a, b, c, d, how: f"tg.where({a} {how} {b}, {c}, {d})",
    lambda a, b, c, d, how: duals.where(duals.compared(how, a, b), c, d),
)
kind(
    "where_number",
    "where",
    lambda pen: ((pen.any(), pen.any()), (pen.pick([">", "<="]), number(pen.rng), number(pen.rng))),
    lambda a, c, how, k, n: f"tg.where({a} {how} {k}, {c}, {n})",
    lambda a, c, how, k, n: duals.where(duals.compared(how, a, k), c, n),
)
kind(
    "where_both",
    "where",
    lambda pen: ((pen.any(), pen.any()), (number(pen.rng), pen.pick("&|^"))),
    lambda a, c, k, how: f"tg.where(({a} > {k}) {how} ~({a} < 0.5), {c}, 0.0)",
    lambda a, c, k, how: duals.where(
        {"&": np.logical_and, "|": np.logical_or, "^": np.logical_xor}[how](
            duals.compared(">", a, k), ~duals.compared("<", a, 0.5)
        ),
        c,
        0.0,
    ),
)
kind(
    "mask",
    "cast mul",
    lambda pen: ((pen.any(), pen.any()), (pen.pick(list(duals.COMPARISONS)),)),
    lambda a, b, how: f"({a} {how} 0.1).to({b}.dtype) * {b}",
    lambda a, b, how: PAIRS["mul"](duals.constant(duals.compared(how, a, 0.1) * 1.0, len(a.d)), b),
)

# ---- taking and putting --------------------------------------------------------------------------


def index_text(index):
    """An index as Python writes it."""

    def one_part(i):
        if isinstance(i, slice):
            first, last = ("" if k is None else str(k) for k in (i.start, i.stop))
            return f"{first}:{last}" + (f":{i.step}" if i.step is not None else "")
        return "..." if i is Ellipsis else repr(i)

    if isinstance(index, tuple):
        return ", ".join(map(one_part, index)) + ("," if len(index) == 1 else "") or "()"
    return one_part(index)


def basic_index(pen, a, new=True):
    """Slices, numbers, None and an Ellipsis, for the shape of ``a``."""
    found: list[Any] = []
    for side in pen.shape(a):
        first, last = sorted(int(k) for k in pen.rng.integers(0, side + 1, 2))
        options = [NONE, NONE, slice(first, last), slice(None, None, 2), slice(None, None, -1)]
        if side:
            k = int(pen.rng.integers(side))
            options += [slice(k, k + 1), slice(-1, None), slice(None, 1), k, k - side]
            options += [
                slice(None, -1),
                slice(k, None),
                slice(None, k + 1),
                slice(None, k or None, 2),
            ]
        found.append(pen.pick(options))
    if new and pen.chance(0.15):
        found.insert(int(pen.rng.integers(len(found) + 1)), None)
    if pen.chance(0.3):
        while found and found[-1] == NONE:
            found.pop()
    elif found and pen.chance(0.3):  # an Ellipsis instead of the whole axes at one place
        whole = [k for k, i in enumerate(found) if i == NONE]
        if whole:
            found[whole[0]] = Ellipsis
    return found[0] if len(found) == 1 and pen.chance(0.5) else tuple(found)


def getitem_draw(pen):
    a = pen.any()
    return (a,), (basic_index(pen, a),)


def list_index(pen, side):
    n = int(pen.rng.integers(1, 4))
    return [int(k) for k in pen.rng.integers(-side, side, n)]


def list_draw(pen):
    """A list of numbers, some twice, along the first axis or the last."""
    a = pen.any(1)
    if pen.chance(0.5):
        return (a,), (list_index(pen, pen.shape(a)[0]),)
    return (a,), ((Ellipsis, list_index(pen, pen.shape(a)[-1])),)


kind("getitem", "getitem", getitem_draw, lambda a, i: f"{a}[{index_text(i)}]", duals.index)
kind("getitem_list", "getitem", list_draw, lambda a, i: f"{a}[{index_text(i)}]", duals.index)


def column_draw(pen):
    """One column, kept as one, that broadcasts over a row: read as wide as the row it is wrong."""
    a = pen.any(1)
    side = pen.shape(a)[-1]
    k = int(pen.rng.integers(side)) if side else 0
    cut = pen.pick([slice(k, k + 1), slice(k - side, k - side + 1 or None), slice(None, 1)])
    return (a,), ((Ellipsis, cut),)


kind("column", "getitem", column_draw, lambda a, i: f"{a}[{index_text(i)}]", duals.index)


def place_draw(pen):
    a = pen.any(1)
    index = basic_index(pen, a, new=False)
    shape = np.empty(pen.shape(a))[index].shape
    return (a, pen.shaped(shape)), (index,)


kind(
    "place",
    "place",
    place_draw,
    lambda a, v, i: f"{a}.at[{index_text(i)}].add({v})",
    lambda a, v, i: duals.added_at(a, i, v),
)
kind(
    "put",
    "put",
    place_draw,
    lambda a, v, i: f"{a}.at[{index_text(i)}].set({v})",
    lambda a, v, i: duals.set_at(a, i, v),
)


def embedding_draw(pen):
    w = pen.weight((int(pen.rng.integers(1, 5)), pen.size()))
    return (w,), (list_index(pen, pen.shape(w)[0]),)


kind(
    "embedding",
    "embedding",
    lambda pen: (lambda found: (found[0], ([k % pen.shape(found[0][0])[0] for k in found[1][0]],)))(
        embedding_draw(pen)
    ),
    lambda w, i: f"F.embedding(np.array({i}), {w})",
    lambda w, i: duals.index(w, (np.array(i),)),
)

# ---- shapes --------------------------------------------------------------------------------------


def factors(n, rng):
    """Three numbers at most whose product is n."""
    sides = []
    while n > 1 and len(sides) < 2:
        k = int(rng.choice([k for k in range(1, n + 1) if n % k == 0]))
        sides.append(k)
        n //= k
    sides.append(n)
    return sides


def reshape_draw(pen):
    a = pen.any()
    shape = pen.shape(a)
    n = math.prod(shape)
    if n and len(shape) >= 2 and pen.chance(0.5):  # heads: the last axis in two, or two in one
        if pen.chance(0.5):
            to = [*shape[:-1], *factors(shape[-1], pen.rng)]
        else:
            to = [*shape[:-2], shape[-2] * shape[-1]]
    else:
        to = factors(n, pen.rng) if n else list(shape)
    if n and to and pen.chance(0.4):
        to[int(pen.rng.integers(len(to)))] = -1
    return (a,), (tuple(to),)


def permute_draw(pen):
    a = pen.any(1)
    return (a,), (tuple(int(k) for k in pen.rng.permutation(len(pen.shape(a)))),)


def expand_draw(pen):
    a = pen.any()
    to = [pen.size() if side == 1 and pen.chance(0.7) else side for side in pen.shape(a)]
    if pen.chance(0.4):
        to = [pen.size(), *to]
    return (a,), (tuple(to),)


def some_axes(pen, a, least=1):
    ndim = len(pen.shape(a))
    count = int(pen.rng.integers(least, ndim + 1)) if ndim else 0
    return tuple(int(k) for k in pen.rng.permutation(ndim)[:count])


def signed(pen, axes, ndim):
    """Some of the axes counted from the end."""
    return tuple(k - ndim if pen.chance(0.5) else k for k in axes)


def axis_of(pen, a):
    ndim = len(pen.shape(a))
    return signed(pen, [int(pen.rng.integers(ndim))], ndim)[0]


def flip_draw(pen):
    a = pen.any(1)
    return (a,), (some_axes(pen, a),)


def roll_draw(pen):
    a = pen.any(1)
    return (a,), (int(pen.rng.integers(-3, 4)), axis_of(pen, a))


def pad_draw(pen):
    a = pen.any(1)
    count = int(pen.rng.integers(1, len(pen.shape(a)) + 1))
    return (a,), (tuple(int(k) for k in pen.rng.integers(0, 3, 2 * count)), number(pen.rng))


def pad_widths(sides, ndim):
    given = [(sides[i], sides[i + 1]) for i in range(0, len(sides), 2)]
    return ((0, 0),) * (ndim - len(given)) + tuple(given[::-1])


def tile_draw(pen):
    a = pen.any(1)
    return (a,), (tuple(int(k) for k in pen.rng.integers(1, 3, len(pen.shape(a)))),)


kind("reshape", "reshape", reshape_draw, "{}.reshape({})".format, duals.reshape)
kind("permute", "permute", permute_draw, "{}.permute({})".format, duals.permute)
kind(
    "transposed",
    "permute",
    lambda pen: ((pen.any(2),), ()),
    "{}.mT".format,
    lambda a: duals.permute(a, (*range(a.ndim - 2), a.ndim - 1, a.ndim - 2)),
)
kind("expand", "broadcast", expand_draw, "{}.expand({})".format, duals.broadcast)
kind("flip", "flip", flip_draw, "{}.flip({})".format, duals.flip)
kind("roll", "roll", roll_draw, "{}.roll({}, {})".format, duals.roll)
kind(
    "pad",
    "pad",
    pad_draw,
    "F.pad({}, {}, value={})".format,
    lambda a, sides, value: duals.pad(a, pad_widths(sides, a.ndim), value),
)
kind("tile", "tile", tile_draw, "{}.tile({})".format, duals.tile)
kind(
    "unsqueeze",
    "reshape",
    lambda pen: (lambda a: ((a,), (int(pen.rng.integers(len(pen.shape(a)) + 1)),)))(pen.any()),
    "{}.unsqueeze({})".format,
    lambda a, k: duals.reshape(a, (*a.shape[:k], 1, *a.shape[k:])),
)


def cat_draw(pen):
    a = pen.any(1)
    axis = axis_of(pen, a)
    shape = pen.shape(a)
    rest = [n for k, n in enumerate(shape) if k != axis % len(shape)]
    others = [
        v
        for v in pen.names()
        if len(pen.shape(v)) == len(shape)
        and [n for k, n in enumerate(pen.shape(v)) if k != axis % len(shape)] == rest
    ]
    picked = [pen.pick(others) for _ in range(int(pen.rng.integers(1, 3)))]
    parts = [a, *picked]
    pen.rng.shuffle(parts)
    return tuple(parts), (axis,)


def stack_draw(pen):
    a = pen.any()
    parts = [a, *(pen.shaped(pen.shape(a)) for _ in range(int(pen.rng.integers(0, 3))))]
    return tuple(parts), (int(pen.rng.integers(len(pen.shape(a)) + 1)),)


kind(
    "cat",
    "cat",
    cat_draw,
    lambda *p: "tg.cat([{}], {})".format(", ".join(p[:-1]), p[-1]),
    lambda *p: duals.cat(p[:-1], p[-1]),
)
kind(
    "stack",
    "stack",
    stack_draw,
    lambda *p: "tg.stack([{}], {})".format(", ".join(p[:-1]), p[-1]),
    lambda *p: duals.stack(p[:-1], p[-1]),
)


def split_draw(pen):
    a = pen.any(1)
    axis = axis_of(pen, a)
    side = pen.shape(a)[axis]
    first = int(pen.rng.integers(0, side + 1))
    sizes = [first, side - first]
    return (a,), (sizes, axis, int(pen.rng.integers(2)))


def part(a, sizes, axis, k):
    low = sum(sizes[:k])
    return duals.index(a, (NONE,) * (axis % a.ndim) + (slice(low, low + sizes[k]),))


def chunk_draw(pen):
    a = pen.any(1)
    axis = axis_of(pen, a)
    side, n = pen.shape(a)[axis], int(pen.rng.integers(1, 4))
    width = -(-side // n)
    count = -(-side // width) if side else 1
    return (a,), (n, axis, int(pen.rng.integers(count)))


def chunk(a, n, axis, k):
    width = -(-a.shape[axis] // n)
    return duals.index(a, (NONE,) * (axis % a.ndim) + (slice(k * width, (k + 1) * width),))


def unbind_draw(pen):
    a = pen.any(1)
    axis = axis_of(pen, a)
    return (a,), (axis, int(pen.rng.integers(max(pen.shape(a)[axis], 1))))


kind("split", "split item", split_draw, "{}.split({}, {})[{}]".format, part)
kind("chunk", "split item", chunk_draw, "{}.chunk({}, {})[{}]".format, chunk)
kind(
    "unbind",
    "unbind item",
    unbind_draw,
    "{}.unbind({})[{}]".format,
    lambda a, axis, k: duals.index(a, (NONE,) * (axis % a.ndim) + (k,)),
)

# ---- products ------------------------------------------------------------------------------------


def matmul_draw(pen):
    """A product with a weight that fits, with the weight first, or of any two that fit."""
    way = int(pen.rng.integers(8))
    if way < 4:
        a = pen.any(1)
        return (a, pen.weight((pen.shape(a)[-1], pen.size()))), ()
    if way == 4:
        a = pen.any(2)
        return (pen.weight((pen.size(), pen.shape(a)[-2])), a), ()
    if way == 5:
        a = pen.any(1)
        return (a, pen.weight((pen.shape(a)[-1],))), ()
    a = pen.any(1)
    fits = [
        v
        for v in pen.names()
        if pen.shape(v)
        and pen.shape(v)[-2 if len(pen.shape(v)) > 1 else 0] == pen.shape(a)[-1]
        and pen.joins(pen.shape(a)[:-2], pen.shape(v)[:-2])
    ]
    return ((a, pen.pick(fits)), ()) if fits else None


def linear_draw(pen, bias):
    a = pen.any(1)
    out = pen.size()
    w = pen.weight((out, pen.shape(a)[-1]))
    return (a, w, pen.weight((out,))) if bias else (a, w), ()


def vectors(pen, alike):
    a = pen.vector()
    b = pen.shaped(pen.shape(a)) if alike else pen.vector()
    return (a, b), ()


kind("matmul", "matmul", matmul_draw, "{} @ {}".format, duals.matmul)
kind(
    "linear",
    "linear",
    lambda pen: linear_draw(pen, True),
    "F.linear({}, {}, {})".format,
    duals.linear,
)
kind(
    "linear_without_bias",
    "linear_without_bias",
    lambda pen: linear_draw(pen, False),
    "F.linear({}, {})".format,
    duals.linear,
)
kind("dot", "dot", lambda pen: vectors(pen, True), "{}.dot({})".format, duals.vector_product)
kind(
    "outer",
    "outer",
    lambda pen: vectors(pen, False),
    "{}.outer({})".format,
    lambda a, b: PAIRS["mul"](duals.reshape(a, (-1, 1)), b),
)


def einsum_draw(pen):
    """Terms of one or two operands by their shapes: equal sides may be one letter, and sum or not."""
    count = int(pen.rng.integers(1, 3))
    letters: dict[str, int] = {}
    terms, names = [], []
    for _ in range(count):
        a = pen.any(1)
        term = ""
        for side in pen.shape(a):
            known = [k for k, n in letters.items() if n == side and k not in term]
            if known and pen.chance(0.7):
                term += pen.pick(known)
            else:
                new = "abcdefghij"[len(letters)]
                letters[new] = side
                term += new
        terms.append(term)
        names.append(a)
    kept = [k for k in letters if pen.chance(0.5)]
    pen.rng.shuffle(kept)
    return tuple(names), (",".join(terms) + "->" + "".join(kept[:4]),)


kind(
    "einsum",
    "einsum",
    einsum_draw,
    lambda *p: f'tg.einsum("{p[-1]}", {", ".join(p[:-1])})',
    lambda *p: duals.einsum(p[-1], *p[:-1]),
)

# ---- reductions ----------------------------------------------------------------------------------


def reduction_draw(*more):
    def draw(pen):
        a = pen.any(1)
        ndim = len(pen.shape(a))
        way = int(pen.rng.integers(4))
        axes: Any = None if way == 0 else signed(pen, some_axes(pen, a), ndim)
        if way == 1:
            axes = (axis_of(pen, a),)
        extra = tuple(pen.pick(options) for options in more)
        return (a,), (axes, *extra, pen.chance(0.6))

    return draw


def reduction_text(name):
    def text(a, axes, *rest):
        *more, keep = rest
        one_axis = axes[0] if axes is not None and len(axes) == 1 else axes
        if name == "norm":
            inner = ", ".join([*(f'float("{p}")' if math.isinf(p) else str(p) for p in more)])
            return f"{a}.norm({inner}, {one_axis}, {keep})"
        inner = "".join(f", {m}" for m in more)
        return f"{a}.{name}({one_axis}{inner}, keepdim={keep})"

    return text


SUMS = {
    "sum": duals.total,
    "mean": duals.mean,
    "prod": duals.prod,
    "amax": lambda a, axes, keep: duals.extreme(a, axes, keep, np.max),
    "amin": lambda a, axes, keep: duals.extreme(a, axes, keep, np.min),
}
for _name, _dual in SUMS.items():
    kind(_name, _name, reduction_draw(), reduction_text(_name), _dual)
for _name, _spread in (("var", duals.var), ("std", duals.std)):
    kind(_name, _name, reduction_draw([0, 1]), reduction_text(_name), _spread)


def norm_draw(pen):
    (a,), (axes, p, keep) = reduction_draw([2, 1, math.inf, 3])(pen)
    return (pen.positive(a) if p == 3 else a,), (axes, p, keep)


kind(
    "norm",
    "norm",
    norm_draw,
    reduction_text("norm"),
    lambda a, axes, p, keep: duals.norm(a, p, axes, keep),
)
kind(
    "max_of_all",
    "max_of_all",
    lambda pen: ((pen.any(1),), ()),
    "{}.max()".format,
    lambda a: duals.extreme(a, None, False, np.max),
)
kind(
    "min_of_all",
    "min_of_all",
    lambda pen: ((pen.any(1),), ()),
    "{}.min()".format,
    lambda a: duals.extreme(a, None, False, np.min),
)
kind(
    "logsumexp",
    "logsumexp",
    lambda pen: (lambda a: ((a,), (axis_of(pen, a), pen.chance(0.5))))(pen.any(1)),
    "{}.logsumexp({}, {})".format,
    duals.logsumexp,
)
for _name in ("cumsum", "cumprod", "softmax", "log_softmax"):
    kind(
        _name,
        _name,
        lambda pen: (lambda a: ((a,), (axis_of(pen, a),)))(pen.any(1)),
        f"{{}}.{_name}({{}})".format,
        getattr(duals, _name),
    )


def layer_norm_draw(pen):
    a = pen.any(1)
    return (a,), (int(pen.rng.integers(1, len(pen.shape(a)) + 1)),)


def layer_norm_dual(a, count):
    axes = tuple(range(a.ndim - count, a.ndim))
    centred = PAIRS["sub"](a, duals.mean(a, axes, True))
    spread = duals.mean(PAIRS["mul"](centred, centred), axes, True)
    shifted = PAIRS["add"](spread, duals.constant(np.array(0.1), len(a.d)))
    return PAIRS["div"](centred, duals.curve("sqrt")(shifted))


kind(
    "layer_norm",
    "layer_norm",
    layer_norm_draw,
    lambda a, count: f"F.layer_norm({a}, {a}.shape[-{count}:], eps=0.1)",
    layer_norm_dual,
)


def class_draw(pen):
    a = pen.vector()
    return (a,), (int(pen.rng.integers(pen.shape(a)[0])),)


kind(
    "cross_entropy",
    "cross_entropy",
    class_draw,
    "F.cross_entropy({}, tg.tensor({}))".format,
    lambda a, k: PAIRS["sub"](duals.logsumexp(a, 0, False), duals.index(a, k)),
)


def text_of(line, naming):
    """A line's right-hand side in Python."""
    return KINDS[line.kind].text(*(naming(a) for a in line.args), *line.constants)


def dual_of(line, values):
    """A line's value and derivatives in plain numpy."""
    return KINDS[line.kind].dual(*(values[a] for a in line.args), *line.constants)


def rows_drawn():
    """The rows of the op table that some kind says it applies."""
    return set(itertools.chain.from_iterable(k.rows.split() for k in KINDS.values()))
