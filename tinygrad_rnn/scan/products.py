"""Matrix products for numba loops: the same weights at every step, laid out once for the whole sequence.

``packed`` puts a matrix into panels of columns, so that a step reads it from end to end; the product keeps
a tile of the result, some rows by a panel, in registers while it runs along the panel. (BLAS lays its
operands out anew at every call.) Both are compiled once for a dtype, and loops call them by their symbols:
``machine_code.kernels`` puts them there.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic


def _sizes() -> tuple[int, int]:
    """(bytes of a vector, vectors of a panel): what the machine's registers hold."""
    features = binding.get_host_cpu_features()
    if features.get("avx512f"):
        return 64, 4
    return (32, 2) if features.get("avx") else (16, 4)


BYTES, PANEL = _sizes()
ROWS = 4  # of a tile
LANES = {32: BYTES // 4, 64: BYTES // 8}

# ---- what is compiled once ---------------------------------------------------------------------

KERNELS = """
from numba import cfunc, types
from tinygrad_rnn.scan.products import pack{bits} as _pack, tiles{bits} as _tiles
@cfunc(types.void(*[types.intp] * 7), cache=True)
def product(a, w, out, rows, inner, width, onto):
    _tiles(a, w, out, rows, inner, width, onto)
@cfunc(types.void(*[types.intp] * 6), cache=True)
def pack(w, out, inner, width, row, column):
    _pack(w, out, inner, width, row, column)
"""


def symbol(name: str, bits: int) -> str:
    """What a kernel is called among the symbols of the process."""
    return f"tinygrad_rnn_{name}_{bits}"


def _external(name: str, bits: int, count: int) -> Any:
    return types.ExternalFunction(symbol(name, bits), types.void(*[types.intp] * count))


def _writer(bits: int) -> Any:
    @intrinsic
    def tiles(
        _context: Any, a: Any, w: Any, out: Any, rows: Any, inner: Any, width: Any, onto: Any
    ) -> Any:
        def code(_c: Any, builder: Any, _signature: Any, args: Any) -> Any:
            _Tiles(builder, bits, args).write()
            return ir.Constant(ir.IntType(8).as_pointer(), None)

        return types.void(*[types.intp] * 7), code

    return tiles


tiles32, tiles64 = _writer(32), _writer(64)


class _Tiles:
    """Writes ``out = a w``: for every panel and every tile of rows a loop along the panel.

    The arrays are addresses; ``onto`` adds to what ``out`` holds.
    """

    def __init__(self, builder: Any, bits: int, arguments: Any) -> None:
        b = self.builder = builder
        self.number = ir.FloatType() if bits == 32 else ir.DoubleType()
        self.bits, self.lanes = bits, LANES[bits]
        self.vector = ir.VectorType(self.number, self.lanes)
        self.a, self.w, self.out = (
            b.inttoptr(address, self.number.as_pointer()) for address in arguments[:3]
        )
        self.rows, self.inner, self.width, onto = arguments[3:]
        self.onto = b.icmp_unsigned("!=", onto, self.whole(0))

    def whole(self, n: int) -> Any:
        """A whole number."""
        return ir.Constant(ir.IntType(64), n)

    def read(self, place: Any) -> Any:
        """A vector from memory."""
        return self.builder.load(
            self.builder.bitcast(place, self.vector.as_pointer()), align=self.bits // 8
        )

    def put(self, value: Any, place: Any) -> None:
        """A vector to memory."""
        pointer = self.builder.bitcast(place, self.vector.as_pointer())
        self.builder.store(value, pointer, align=self.bits // 8)

    def write(self) -> None:
        """All tiles."""
        b, panel = self.builder, PANEL * self.lanes
        panels = b.udiv(self.width, self.whole(panel))
        with cgutils.for_range(b, panels) as loop:
            self.panel(b.mul(loop.index, self.whole(panel)), PANEL, False)
        done = b.mul(panels, self.whole(panel))
        rest = b.add(b.sub(self.width, done), self.whole(self.lanes - 1))
        with cgutils.for_range(b, b.udiv(rest, self.whole(self.lanes))) as loop:
            self.panel(b.add(done, b.mul(loop.index, self.whole(self.lanes))), 1, True)

    def panel(self, low: Any, vectors: int, last: bool) -> None:
        """One panel's columns, from ``low``, for all rows."""
        b = self.builder
        w = b.gep(self.w, [b.mul(low, self.inner)])
        tiles = b.udiv(self.rows, self.whole(ROWS))
        with cgutils.for_range(b, tiles) as loop:
            self.tile(w, b.mul(loop.index, self.whole(ROWS)), low, ROWS, vectors, last)
        done = b.mul(tiles, self.whole(ROWS))
        with cgutils.for_range(b, b.sub(self.rows, done)) as loop:
            self.tile(w, b.add(done, loop.index), low, 1, vectors, last)

    def tile(self, w: Any, row: Any, low: Any, rows: int, vectors: int, last: bool) -> None:
        """Some rows by a panel: sums in registers, along the panel, in as many chains as hide latency."""
        b = self.builder
        chains = max(1, 8 // (rows * vectors))
        sums = [
            [[cgutils.alloca_once(b, self.vector) for _ in range(vectors)] for _ in range(rows)]
            for _ in range(chains)
        ]
        for each in [each for chain in sums for line in chain for each in line]:
            b.store(ir.Constant(self.vector, None), each)
        starts = [
            b.gep(self.a, [b.mul(b.add(row, self.whole(r)), self.inner)]) for r in range(rows)
        ]
        rounds = b.udiv(self.inner, self.whole(chains))
        with cgutils.for_range(b, rounds) as loop:
            k = b.mul(loop.index, self.whole(chains))
            for n, chain in enumerate(sums):
                self.add(w, starts, b.add(k, self.whole(n)), chain)
        if chains > 1:
            done = b.mul(rounds, self.whole(chains))
            with cgutils.for_range(b, b.sub(self.inner, done)) as loop:
                self.add(w, starts, b.add(done, loop.index), sums[0])
        for r in range(rows):
            at = b.add(b.mul(b.add(row, self.whole(r)), self.width), low)
            for c in range(vectors):
                value = b.load(sums[0][r][c])
                for chain in sums[1:]:
                    value = b.fadd(value, b.load(chain[r][c]))
                place = b.gep(self.out, [b.add(at, self.whole(c * self.lanes))])
                end = b.add(low, self.whole(c * self.lanes))
                self.store(value, place, end if last and c == vectors - 1 else None)

    def add(self, w: Any, starts: list[Any], k: Any, sums: list[list[Any]]) -> None:
        """One row of the panel, times one number of each row of the tile."""
        b, vectors = self.builder, len(sums[0])
        kind = ir.FunctionType(self.vector, [self.vector] * 3)
        name = f"llvm.fmuladd.v{self.lanes}f{self.bits}"
        fma = cgutils.get_or_insert_function(b.module, kind, name)
        at = b.mul(k, self.whole(vectors * self.lanes))
        columns = [
            self.read(b.gep(w, [b.add(at, self.whole(c * self.lanes))])) for c in range(vectors)
        ]
        unset = ir.Constant(self.vector, ir.Undefined)
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), None)
        for start, line in zip(starts, sums, strict=True):
            one = b.load(b.gep(start, [k]))
            first = b.insert_element(unset, one, ir.Constant(ir.IntType(32), 0))
            spread = b.shuffle_vector(first, unset, zeros)
            for column, each in zip(columns, line, strict=True):
                b.store(b.call(fma, [spread, column, b.load(each)]), each)

    def store(self, value: Any, place: Any, low: Any) -> None:
        """A vector of the result to its place; from a column ``low`` on maybe only its first numbers."""
        b = self.builder
        if low is None:
            self.store_all(value, place)
            return
        left = b.sub(self.width, low)
        with b.if_else(b.icmp_unsigned(">=", left, self.whole(self.lanes))) as (then, otherwise):
            with then:
                self.store_all(value, place)
            with otherwise:
                spill = cgutils.alloca_once(b, self.vector)
                b.store(value, spill)
                numbers = b.bitcast(spill, self.number.as_pointer())
                with cgutils.for_range(b, left) as loop:
                    to = b.gep(place, [loop.index])
                    found = b.load(b.gep(numbers, [loop.index]))
                    with b.if_else(self.onto) as (adding, plain):
                        with adding:
                            b.store(b.fadd(found, b.load(to)), to)
                        with plain:
                            b.store(found, to)

    def store_all(self, value: Any, place: Any) -> None:
        """A whole vector of the result to its place."""
        b = self.builder
        with b.if_else(self.onto) as (adding, plain):
            with adding:
                self.put(b.fadd(value, self.read(place)), place)
            with plain:
                self.put(value, place)


def _named(name: str) -> Any:
    """Compile a function under a name of its own.

    Code from the cache and code made now meet in one process by the names of functions and the types of
    their arguments: two functions with both in common would be taken for each other.
    """

    def compile(function: Any) -> Any:
        function.__name__ = function.__qualname__ = name
        return njit(error_model="numpy")(function)

    return compile


def _packer(bits: int) -> Any:
    lanes = LANES[bits]
    width_of_panel = PANEL * lanes
    size = bits // 8
    read, write = _reader(bits), _writer_of_one(bits)

    @_named(f"pack{bits}")
    def pack(w: Any, out: Any, inner: int, width: int, row: int, column: int) -> None:
        low = 0
        while low < width:
            panel = width_of_panel if width - low >= width_of_panel else lanes
            columns = min(panel, width - low)
            start = out + low * inner * size
            source = w + low * column * size
            for first in range(0, panel, lanes):  # so that each line of memory is read once
                last = min(first + lanes, columns)
                for k in range(inner):
                    for j in range(first, last):
                        x = read(source + (k * row + j * column) * size)
                        write(start + (k * panel + j) * size, x)
                    for j in range(max(first, columns), first + lanes):
                        write(start + (k * panel + j) * size, 0.0)
            low += panel

    return pack


def _reader(bits: int) -> Any:
    number = ir.FloatType() if bits == 32 else ir.DoubleType()

    @intrinsic
    def read(_context: Any, address: Any) -> Any:
        def code(_c: Any, b: Any, _s: Any, args: Any) -> Any:
            return b.load(b.inttoptr(args[0], number.as_pointer()))

        return (types.float32 if bits == 32 else types.float64)(types.intp), code

    return read


def _writer_of_one(bits: int) -> Any:
    number = ir.FloatType() if bits == 32 else ir.DoubleType()
    kind = types.float32 if bits == 32 else types.float64

    @intrinsic
    def write(_context: Any, address: Any, value: Any) -> Any:
        def code(_c: Any, b: Any, _s: Any, args: Any) -> Any:
            b.store(args[1], b.inttoptr(args[0], number.as_pointer()))
            return ir.Constant(ir.IntType(8).as_pointer(), None)

        return types.void(types.intp, kind), code

    return write


pack32, pack64 = _packer(32), _packer(64)

# ---- what loops call ---------------------------------------------------------------------------


def _callers(bits: int) -> tuple[Any, Any, Any]:
    times, pack = _external("product", bits, 7), _external("pack", bits, 6)
    lanes = LANES[bits]

    @_named(f"packed{bits}")
    def packed(w: Any, turned: bool) -> Any:
        """A matrix (inner, width), or its transpose, in panels of columns, the last one filled up."""
        inner, width = w.shape[0], w.shape[1]
        if turned:
            inner, width = width, inner
        out = np.empty(inner * ((width + lanes - 1) // lanes * lanes), w.dtype)
        row, column = (1, inner) if turned else (width, 1)
        pack(w.ctypes.data, out.ctypes.data, inner, width, row, column)
        return out

    @_named(f"product{bits}")
    def product(a: Any, w: Any, out: Any, rows: int, inner: int, width: int, onto: int) -> None:
        """out = a w, or with ``onto`` out += a w: a (rows, inner), out (rows, width) flat, w packed."""
        times(a.ctypes.data, w.ctypes.data, out.ctypes.data, rows, inner, width, onto)

    @_named(f"checked{bits}")
    def checked(a: Any, w: Any, out: Any, rows: int, inner: int, width: int, onto: int) -> None:
        """As ``product``, which reads and writes by address; raises IndexError where one is outside."""
        whole = inner * ((width + lanes - 1) // lanes * lanes)
        if rows * inner > a.size or whole > w.size or rows * width > out.size:
            raise IndexError("a product reaches beyond its arrays")
        product(a, w, out, rows, inner, width, onto)

    return packed, product, checked


packed32, product32, checked32 = _callers(32)
packed64, product64, checked64 = _callers(64)
