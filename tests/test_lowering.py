"""Loops as LLVM's code: what their text says, what numba makes of it, and what an entry lets in."""

import itertools
import math
import pickle

import numpy as np
import pytest
from support import numbers

pytest.importorskip("numba", reason="numba is not installed (extra fast)")

from tinygrad_rnn.scan import native
from tinygrad_rnn.scan.lowering import UnknownTextError
from tinygrad_rnn.scan.machine_code import kernels
from tinygrad_rnn.scan.runtime import laid_out

HEAD = """import math
import numpy as np
from tinygrad_rnn.scan.vector_math import plus, floor_quotient{bits} as floor_quotient, tanh{bits} as tanh
zero = np.float{bits}(0)
one = np.float{bits}(1)
@compiled(fastmath={{"contract", "nsz"}})
def loop(n, a, b, out):
    rows = np.uint64(n)
    room = np.empty(n, np.float{bits})
    last = 0
    for step in range(2):
        for k in range(rows):
            x, y = a[k], b[k]
            room[k] = {text}
        last = step if step > last else last
        for k in range(rows):
            out[k] = room[k] + (one if last == 5 else zero)
"""
TEXTS = {
    "x + y * x - y / x": lambda x, y: x + y * x - y / x,
    "x if x >= y or x != x else y": np.maximum,
    "abs(x) ** (y)": lambda x, y: abs(x) ** y,
    "-x if not x < y else zero": lambda x, y: np.where(x < y, 0, -x),
    "(one if x < y <= one else zero)": lambda x, y: (x < y) & (y <= 1),
    "math.sqrt(abs(x)) + math.atan2(x, y)": lambda x, y: np.sqrt(abs(x)) + np.arctan2(x, y),
    "math.erf(x) * math.log1p(abs(y))": lambda x, y: (
        np.vectorize(math.erf)(x.astype(float)) * np.log1p(abs(y))
    ),
    "np.floor(x) + np.ceil(y) + np.rint(x) * np.trunc(y)": lambda x, y: (
        np.floor(x) + np.ceil(y) + np.rint(x) * np.trunc(y)
    ),
    "floor_quotient(x, y)": np.floor_divide,
    "tanh(plus(x, y))": lambda x, y: np.tanh(x + y),
    "(one if x > y and y > zero else -one if x == x else zero)": lambda x, y: np.where(
        (x > y) & (y > 0), 1, np.where(x == x, -1, 0)
    ),
}


def loop_of(text, tmp_path, bits=32):
    return native.CompiledLoop(HEAD.format(bits=bits, text=text), "of a test", tmp_path)


def operands(bits, n=37):
    kind = f"f{bits // 8}"
    a, b = numbers((n,), 1).astype(kind) * 3, numbers((n,), 2).astype(kind) * 2
    a[3], b[5] = np.nan, np.nan
    return a, b, np.full(n, 7, kind)


@pytest.mark.parametrize(("bits", "text"), list(itertools.product((32, 64), TEXTS)))
@np.errstate(all="ignore")
def test_a_text_is_what_numpy_says(bits, text, tmp_path):
    a, b, out = operands(bits)
    loop_of(text, tmp_path, bits)(37, a, b, out)
    expected = np.where(np.isnan(a + b), np.nan, TEXTS[text](a, b).astype(out.dtype))
    if "one" in text or ">=" in text or "zero" in text:  # choices have their own way with NaN
        expected = np.where(np.isnan(a + b), out, expected)
    tolerance = 2e-6 if bits == 32 else 1e-14
    np.testing.assert_allclose(out, expected, rtol=tolerance, atol=tolerance)


def test_nan_stays_and_chosen_numbers_are_as_the_text_says(tmp_path):
    a, b, out = operands(32)
    loop_of("x if x >= y or x != x else y", tmp_path)(37, a, b, out)
    assert np.isnan(out[3])
    assert np.isnan(out[5])


def test_other_kinds_have_code_of_their_own_and_what_is_no_array_is_refused(tmp_path):
    a, b, out = operands(32)
    loop = loop_of("x + y", tmp_path)
    loop(37, a, b, out)
    first, wanted = loop.function, a + b
    a64, b64, _ = operands(64)
    for given in ((a64, b64), (a, b64), (a64, b)):  # by the function that the first call has found
        out[:] = 0
        first(37, *given, out)
        np.testing.assert_allclose(out, (given[0] + given[1]).astype("f4"), rtol=1e-6)
    assert len(loop.made) == 4

    class Mine(np.ndarray):
        pass

    out[:] = 0
    first(np.int64(37), a.view(Mine), b, out)  # by its memory, as a plain one
    np.testing.assert_array_equal(out, wanted)
    for wrong in (np.zeros(80, "f4")[::2], a.astype(">f4"), a.astype("f2"), a.astype(complex)):
        with pytest.raises(TypeError, match="argument 1 of a loop"):
            first(37, wrong, b, out)
    with pytest.raises((TypeError, UnknownTextError)):
        first(37, None, b, out)
    with pytest.raises(TypeError):
        first("37", a, b, out)
    with pytest.raises((TypeError, ValueError)):
        first(37, a, b)
    np.testing.assert_array_equal(out, wanted)


PRODUCT = """import numpy as np
from numba import njit
from tinygrad_rnn.scan.products import product{bits} as product
@njit(error_model="numpy", fastmath={{"contract", "nsz"}})
def loop(T, B, inner, width, a, w, out):
    for step in range(T):
        product(a, w, out, B, inner, width, 1)
        for j in range(np.uint64(width)):
            out[j] = out[j] * out[j]
"""


@pytest.mark.parametrize("bits", [32, 64])
def test_small_sizes_are_constants_and_others_are_not_taken_for_them(bits, tmp_path):
    loop = native.CompiledLoop(PRODUCT.format(bits=bits), "of a test", tmp_path, (1, 2, 3))
    kind, functions = f"f{bits // 8}", []
    sizes = [(1, 8, 32), (1, 8, 35), (1, 1, 1), (1, 13, 7), (1, 64, 256), (1, 3, 300), (3, 8, 32)]
    kernels(bits)
    for rows, inner, width in sizes * 2:
        a, w = numbers((rows, inner), 1).astype(kind), numbers((inner, width), 2).astype(kind)
        start = numbers((rows, width), 3).astype(kind)
        expected = start + a.astype(float) @ w
        expected[0] **= 2
        given = (1, rows, inner, width, a, laid_out(w, False))
        for call in (loop, *functions, loop.function or loop):  # by those for other sizes, too
            out = start.copy()
            call(*given, out)
            np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-5)
        small = rows == 1 and width <= native.SMALL
        assert loop.kinds[1:4] == (tuple(map(str, given[1:4])) if small else ("i64",) * 3)
        functions.append(loop.function)
        assert loop.address()[0] == loop.name(loop.of_any_size())  # what other code calls
    assert len(loop.made) == 6


TURNED = """import numpy as np
from numba import njit
@njit(error_model="numpy")
def loop(T, B, width, stride, start, a, out):
    for j in range(width):
        out[j] = a[start + j * stride]
"""


@pytest.mark.parametrize("stride", [-1, 1, 0])
def test_a_stride_below_0_is_no_constant(stride, tmp_path):
    loop = native.CompiledLoop(TURNED, "of a test", tmp_path, (1, 2, 3))
    a, out = numbers((9,), 1), np.zeros(9)
    loop(1, 1, 9, stride, 8 if stride < 0 else 0, a, out)
    np.testing.assert_array_equal(out, a[0] * np.ones(9) if not stride else a[::stride])
    assert loop.kinds[2:4] == ("9", "i64" if stride < 0 else str(stride))


@pytest.mark.parametrize("bits", [32, 64])
def test_a_dtype_that_is_equal_but_another_object_is_taken(bits, tmp_path):
    a, b, out = operands(bits)
    twin = pickle.loads(pickle.dumps(a))
    assert twin.dtype == a.dtype
    assert twin.dtype is not a.dtype
    loop, given = loop_of("x + y", tmp_path, bits), [(twin, b), (a, b), (b, twin)]
    loop(37, twin, b, pickle.loads(pickle.dumps(out)))
    for call in (loop, loop.function):
        for x, y in given:
            out[:] = 0
            call(37, x, y, out)
            np.testing.assert_array_equal(out[:37], (x + y)[:37])
    assert len(loop.made) == 1


def test_too_little_memory_is_said(tmp_path):
    a, b, out = operands(32)
    loop = loop_of("x + y", tmp_path)
    with pytest.raises(MemoryError):
        loop(1 << 60, a, b, out)


def test_code_is_read_again_and_made_anew_where_it_is_damaged(tmp_path, monkeypatch):
    a, b, out = operands(32)
    loop_of("x - y", tmp_path)(37, a, b, out)
    (path,) = tmp_path.glob("*.o")
    whole = path.read_bytes()
    made, optimized = [], native.optimized
    monkeypatch.setattr(native, "optimized", lambda *args: made.append(1) or optimized(*args))
    loop_of("x - y", tmp_path)(37, a, b, out)
    assert not made
    path.write_bytes(whole[: len(whole) // 2])
    loop_of("x - y", tmp_path)(37, a, b, out)
    assert made == [1]
    assert path.read_bytes()[:32] == whole[:32]
    np.testing.assert_array_equal(out, a - b)


@pytest.mark.parametrize("what", ["full", "gone", "a folder in its place", "in use"])
def test_code_that_cannot_be_kept_runs_all_the_same(what, tmp_path, monkeypatch):
    a, b, out = operands(32)
    folder = tmp_path / "kept"
    folder.mkdir()
    loop = loop_of("x * y", folder)

    def fails(*_):
        raise OSError("no space left on device")

    if what == "full":
        monkeypatch.setattr(
            native.os, "fdopen", lambda handle, _: native.os.close(handle) or fails()
        )
    elif what == "gone":
        folder.rmdir()
    elif what == "in use":  # as another system says of a file that a process reads
        monkeypatch.setattr(native.os, "replace", fails)
    else:
        loop.path(("i64", "f32*", "f32*", "f32*")).mkdir()
    loop(37, a, b, out)
    np.testing.assert_array_equal(out, a * b)
    assert not list(tmp_path.rglob("*.tmp"))


def test_code_of_another_processor_is_not_taken(tmp_path, monkeypatch):
    """A virtual machine may leave out instructions that a processor of this name has."""
    loop, kinds = loop_of("x - y", tmp_path), ("i64", "f32*", "f32*", "f32*")
    here = loop.name(kinds)
    for what in ("features", "get_host_cpu_name"):
        with monkeypatch.context() as patch:
            of = native if what == "features" else native.binding
            patch.setattr(of, what, lambda: "another")
            patch.setattr(native, "processor", native.processor.__wrapped__)
            assert loop.name(kinds) != here
    assert loop.name(kinds) == here


def test_loops_that_write_by_indices_keep_their_order(tmp_path):
    """Two numbers for one place: all are added up."""
    text = """import numpy as np
@compiled(fastmath={"contract", "nsz"})
def loop(n, places, given, out):
    for k in range(np.uint64(n)):
        out[places[k]] += given[k]
"""
    places = np.arange(64, dtype=np.uint64) // 16
    out = np.zeros(4, np.float32)
    native.CompiledLoop(text, "of a test", tmp_path)(64, places, np.ones(64, np.float32), out)
    np.testing.assert_array_equal(out, 16)


def test_a_text_that_is_no_loop_is_refused(tmp_path):
    a, b, out = operands(32)
    for text in ("x @ y", "math.gamma(x)", "[x][0]"):
        with pytest.raises((UnknownTextError, AttributeError, TypeError)):
            loop_of(text, tmp_path)(37, a, b, out)


@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_one_number_of_numpys_is_an_array_of_it(tmp_path, kind):
    text = """import numpy as np
@compiled(fastmath={"contract", "nsz"})
def loop(n, number, out):
    one = number.reshape(number.size)
    for k in range(np.uint64(n)):
        out[k] = one[0] + out[k]
"""
    tested = text.replace("})", "}, boundscheck=True)")
    for make, whose in ((native.CompiledLoop, text), (native.TestedLoop, tested)):
        loop = make(whose, "of a test", tmp_path)
        for number in (kind(1.5), np.array(-2.5, kind), kind(0.1)):
            out = np.ones(5, kind)
            (loop.function or loop)(5, number, out)
            np.testing.assert_array_equal(out, 1 + number)
