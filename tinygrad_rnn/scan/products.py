"""How do loops of machine code multiply? By the same weights at every step, laid out once while they stay.

``pack`` puts a matrix into panels of columns (``laid_out`` calls it), so that a step reads it from end to
end; the product keeps a tile of the result, some rows by a panel, in registers while it runs along the
panel. (BLAS lays its operands out anew at every call.) Both are compiled once for a dtype, and loops call
the product by its symbol: ``machine_code.kernels`` puts it there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from llvmlite import binding, ir

from .llvm import LONG, External, declared, turns, variable

if TYPE_CHECKING:
    from ..engine.values import Array


# Bytes of a vector and vectors of a panel, by what a machine has. With AVX2, tiles of 4 x 16, 6 x 16 and
# 4 x 24 numbers are within 2% of one another.
REGISTERS = {"avx512f": (64, 4), "avx": (32, 2), "": (16, 4)}
_FEATURES = {"", *(name for name, has in binding.get_host_cpu_features().items() if has)}
BYTES, PANEL = next(sizes for name, sizes in REGISTERS.items() if name in _FEATURES)
HEIGHTS = (4, 3, 2, 1)  # rows of a tile: as many as there are, then those that are left
WIDTHS = tuple(range(PANEL, 0, -1))  # vectors of a panel, likewise
CHAINS = 4  # sums of a tile up to which each is two: fewer would wait for one another
ROW = 8  # sums of a tile of one row at the most: panels side by side
LANES = {32: BYTES // 4, 64: BYTES // 8}

# ---- what is compiled once ---------------------------------------------------------------------


def symbol(name: str, bits: int) -> str:
    """What a kernel is called among the symbols of the process."""
    return f"tinygrad_rnn_{name}_{bits}"


def kernels(name: str, bits: int) -> ir.Module:
    """A module with what multiplies, and with what lays out under the bare name."""
    module = ir.Module(name)
    number = ir.FloatType() if bits == 32 else ir.DoubleType()
    product = declared(module, ir.VoidType(), [LONG] * 9, f"{name}_product")
    b = ir.IRBuilder(product.append_basic_block())
    _Tiles(b, bits, product.args).write()
    b.ret_void()
    kinds = [*[number.as_pointer()] * 2, *[LONG] * 4]
    pack = declared(module, ir.IntType(32), kinds, name)
    b = ir.IRBuilder(pack.append_basic_block())
    _Panels(b, bits, pack.args).write()
    b.ret(ir.IntType(32)(0))
    return module


def whole(n: int) -> ir.Value:
    """A whole number."""
    return ir.Constant(LONG, n)


def panels(
    b: ir.IRBuilder, width: ir.Value, lanes: int
) -> Iterator[tuple[int, ir.Value, ir.Value]]:
    """How columns are cut into panels: (vectors of a panel, its first column, how many of them)."""
    done = whole(0)
    for vectors in WIDTHS:
        left = b.udiv(b.add(b.sub(width, done), whole(lanes - 1)), whole(lanes))
        count = b.udiv(left, whole(vectors))
        yield vectors, done, count
        done = b.add(done, b.mul(count, whole(vectors * lanes)))


class _Tiles:
    """Writes ``out = a w``: for every panel and every tile of rows a loop along the panel.

    The arrays are addresses; ``onto`` adds to what ``out`` holds; ``alike`` has every row summed in one
    chain, so that its numbers do not depend on how many rows there are; ``back`` begins with the last panel
    and comes to the same numbers: the panels that were read last are still near.
    """

    def __init__(self, builder: ir.IRBuilder, bits: int, arguments: list[ir.Value]) -> None:
        b = self.builder = builder
        self.number = ir.FloatType() if bits == 32 else ir.DoubleType()
        self.bits, self.lanes = bits, LANES[bits]
        self.vector = ir.VectorType(self.number, self.lanes)
        self.a, self.w, self.out = (
            b.inttoptr(address, self.number.as_pointer()) for address in arguments[:3]
        )
        self.rows, self.inner, self.width, onto, alike, back = arguments[3:]
        self.back = b.icmp_unsigned("!=", back, whole(0))
        self.onto = b.icmp_unsigned("!=", onto, whole(0))
        half, odd = b.udiv(self.inner, whole(2)), b.urem(self.inner, whole(2))
        apart = b.icmp_unsigned("==", alike, whole(0))
        self.pairs, self.rest = b.select(apart, half, whole(0)), b.select(apart, odd, self.inner)
        self.some, self.spill = self.few(), variable(b, self.vector)

    def read(self, place: ir.Value) -> ir.Value:
        """A vector from memory."""
        return self.builder.load(
            self.builder.bitcast(place, self.vector.as_pointer()), align=self.bits // 8
        )

    def put(self, value: ir.Value, place: ir.Value) -> None:
        """A vector to memory."""
        pointer = self.builder.bitcast(place, self.vector.as_pointer())
        self.builder.store(value, pointer, align=self.bits // 8)

    def write(self) -> None:
        """All tiles: panels as wide as can be, then narrower ones."""
        b = self.builder
        with b.if_else(b.icmp_unsigned("==", self.rows, whole(1))) as (one, more):
            with one:
                self.one_row()
            with more:
                for vectors, low, count in panels(b, self.width, self.lanes):
                    for w, at in self.along(low, count, vectors):
                        self.panel(w, at, vectors)

    def one_row(self) -> None:
        """One row alone, which asks nothing about rows: at a batch of one that takes longer than a product.

        It is multiplied by some panels at once: a number of the row is read once for all of them.
        """
        b = self.builder
        for vectors, low, count in panels(b, self.width, self.lanes):
            most = ROW // vectors if vectors == PANEL else 1  # of others there is one
            for beside in range(most, 0, -1):
                groups = b.udiv(count, whole(beside))
                for w, at in self.along(low, groups, beside * vectors):
                    self.tile(w, whole(0), at, 1, vectors, beside)
                low = b.add(low, b.mul(groups, whole(beside * vectors * self.lanes)))
                count = b.sub(count, b.mul(groups, whole(beside)))

    def along(
        self, low: ir.Value, count: ir.Value, vectors: int
    ) -> Iterator[tuple[ir.Value, ir.Value]]:
        """A loop over ``count`` panels, or groups of some, from a column on: (where it lies, its column)."""
        b = self.builder
        with turns(b, count) as (turn, _):
            last = b.sub(b.sub(count, whole(1)), turn)
            at = b.select(self.back, last, turn)
            at = b.add(low, b.mul(at, whole(vectors * self.lanes)))
            yield b.gep(self.w, [b.mul(at, self.inner)]), at

    def panel(self, w: ir.Value, low: ir.Value, vectors: int) -> None:
        """One panel's columns, from ``low``: tiles of many rows, then of those left."""
        b, done = self.builder, whole(0)
        for rows in HEIGHTS:
            tiles = b.udiv(b.sub(self.rows, done), whole(rows))
            with turns(b, tiles) as (turn, _):
                self.tile(w, b.add(done, b.mul(turn, whole(rows))), low, rows, vectors)
            done = b.add(done, b.mul(tiles, whole(rows)))

    def tile(
        self, w: ir.Value, row: ir.Value, low: ir.Value, rows: int, vectors: int, beside: int = 1
    ) -> None:
        """Some rows by a panel: sums in registers, along the panel, in as many chains as hide latency.

        Or by so many panels ``beside`` each other, from the first of them on.
        """
        b = self.builder
        every = vectors * beside
        chains = 2 if rows * every <= CHAINS else 1
        sums = [
            [[variable(b, self.vector) for _ in range(every)] for _ in range(rows)]
            for _ in range(chains)
        ]
        for each in [each for chain in sums for line in chain for each in line]:
            b.store(ir.Constant(self.vector, None), each)
        starts = [b.gep(self.a, [b.mul(b.add(row, whole(r)), self.inner)]) for r in range(rows)]
        length = b.mul(self.inner, whole(vectors * self.lanes))
        each_panel = [b.gep(w, [b.mul(length, whole(n))]) for n in range(beside)]
        done = whole(0)
        if chains > 1:
            with turns(b, self.pairs) as (turn, _):
                k = b.mul(turn, whole(chains))
                for n, chain in enumerate(sums):
                    self.add(each_panel, starts, b.add(k, whole(n)), chain)
            done = b.mul(self.pairs, whole(chains))
        with turns(b, self.rest if chains > 1 else self.inner) as (turn, _):
            self.add(each_panel, starts, b.add(done, turn), sums[0])
        results = []
        for line in zip(*sums, strict=True):
            each = [[b.load(one) for one in chain] for chain in line]
            results.append([self.total(parts) for parts in zip(*each, strict=True)])
        places = [
            b.gep(self.out, [b.add(b.mul(b.add(row, whole(r)), self.width), low)])
            for r in range(rows)
        ]
        for line, place in zip(results, places, strict=True):
            for c, value in enumerate(line[:-1]):
                self.store(value, b.gep(place, [whole(c * self.lanes)]))
        behind = whole((every - 1) * self.lanes)
        left = b.sub(b.sub(self.width, low), behind)
        lasts = [
            (line[-1], b.gep(place, [behind])) for line, place in zip(results, places, strict=True)
        ]
        with b.if_else(b.icmp_unsigned(">=", left, whole(self.lanes))) as (then, otherwise):
            with then:
                for value, place in lasts:
                    self.store(value, place)
            with otherwise:
                for value, place in lasts:
                    self.store_some(value, place, left)

    def total(self, parts: ir.Value) -> ir.Value:
        """A sum of vectors."""
        first, *rest = parts
        for part in rest:
            first = self.builder.fadd(first, part)
        return first

    def add(
        self, w: list[ir.Value], starts: list[ir.Value], k: ir.Value, sums: list[list[ir.Value]]
    ) -> None:
        """One row of each panel, times one number of each row of the tile."""
        b, vectors = self.builder, len(sums[0]) // len(w)
        name = f"llvm.fmuladd.v{self.lanes}f{self.bits}"
        fma = declared(b.module, self.vector, [self.vector] * 3, name)
        at = b.mul(k, whole(vectors * self.lanes))
        places = [b.add(at, whole(c * self.lanes)) for c in range(vectors)]
        columns = [self.read(b.gep(panel, [place])) for panel in w for place in places]
        unset = ir.Constant(self.vector, ir.Undefined)
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), None)
        for start, line in zip(starts, sums, strict=True):
            one = b.load(b.gep(start, [k]))
            first = b.insert_element(unset, one, ir.Constant(ir.IntType(32), 0))
            spread = b.shuffle_vector(first, unset, zeros)
            for column, each in zip(columns, line, strict=True):
                b.store(b.call(fma, [spread, column, b.load(each)]), each)

    def store(self, value: ir.Value, place: ir.Value) -> None:
        """A whole vector of the result to its place."""
        b, nothing = self.builder, ir.Constant(self.vector, None)
        self.put(b.fadd(value, b.select(self.onto, self.read(place), nothing)), place)

    def store_some(self, value: ir.Value, place: ir.Value, left: ir.Value) -> None:
        """Of a vector as many numbers as there are columns left."""
        b = self.builder
        b.store(value, self.spill)
        b.call(self.some, [b.bitcast(self.spill, place.type), place, left, self.onto])

    def few(self) -> ir.Value:
        """A function that writes the first numbers of a vector: one for all tiles, it keeps code small."""
        number, name = self.number.as_pointer(), symbol("few", self.bits)
        kind = ir.FunctionType(ir.VoidType(), [number, number, ir.IntType(64), ir.IntType(1)])
        if name in self.builder.module.globals:
            return self.builder.module.globals[name]
        made = ir.Function(self.builder.module, kind, name)
        made.linkage = "internal"
        made.attributes.add("noinline")
        b, (source, to, left, onto) = ir.IRBuilder(made.append_basic_block()), made.args
        with turns(b, left) as (turn, _):
            place = b.gep(to, [turn])
            before = b.select(onto, b.load(place), ir.Constant(self.number, None))
            b.store(b.fadd(b.load(b.gep(source, [turn])), before), place)
        b.ret_void()
        return made


def tiles_of(builder: ir.IRBuilder, name: str, arguments: list[ir.Value]) -> bool:
    """Write a product of one row where it stands, if its sizes are constants: whether it is one."""
    known = all(isinstance(size, ir.Constant) for size in arguments[3:6])
    for bits in LANES:
        if name == symbol("product", bits) and known and arguments[3].constant == 1:
            _Tiles(builder, bits, arguments).one_row()
            return True
    return False


class _Panels:
    """Writes what lays a matrix out: panel by panel, row by row, a vector at a time, the last filled up.

    The element (k, j) of the matrix lies at ``k * row + j * column``; ``out`` is read by ``_Tiles``.
    """

    def __init__(self, builder: ir.IRBuilder, bits: int, arguments: list[ir.Value]) -> None:
        self.builder, self.lanes = builder, LANES[bits]
        self.number = ir.FloatType() if bits == 32 else ir.DoubleType()
        self.w, self.out, self.inner, self.width, self.row, self.column = arguments

    def write(self) -> None:
        """All vectors of columns, each into its panel: the code is the same for panels of any width."""
        b, lanes = self.builder, whole(self.lanes)
        count = b.udiv(b.add(self.width, b.sub(lanes, whole(1))), lanes)
        with turns(b, count) as (turn, _):
            first, vectors = turn, whole(1)
            for wide, low, many in reversed(list(panels(b, self.width, self.lanes))):
                begin = b.udiv(low, lanes)
                here = b.icmp_unsigned("<", turn, b.add(begin, b.mul(many, whole(wide))))
                at = b.sub(turn, begin)
                start = b.sub(turn, b.urem(at, whole(wide)))
                first = b.select(here, start, first)
                vectors = b.select(here, whole(wide), vectors)
            to = b.add(b.mul(b.mul(first, self.inner), lanes), b.mul(b.sub(turn, first), lanes))
            self.vector(b.mul(turn, lanes), b.gep(self.out, [to]), b.mul(vectors, lanes))

    def vector(self, low: ir.Value, to: ir.Value, stride: ir.Value) -> None:
        """A vector of columns, from ``low``: row by row to ``to``, rows being ``stride`` apart."""
        b = self.builder
        left = b.sub(self.width, low)
        source = b.gep(self.w, [b.mul(low, self.column)])
        with b.if_else(b.icmp_unsigned(">=", left, whole(self.lanes))) as (then, otherwise):
            with then, turns(b, self.inner) as (turn, _):
                line, place = self.places(source, to, turn, stride)
                for j in range(self.lanes):
                    number = b.load(b.gep(line, [b.mul(whole(j), self.column)]))
                    b.store(number, b.gep(place, [whole(j)]))
            with otherwise, turns(b, self.inner) as (turn, _):
                line, place = self.places(source, to, turn, stride)
                for j in range(self.lanes):
                    b.store(ir.Constant(self.number, 0.0), b.gep(place, [whole(j)]))
                with turns(b, left) as (columns, _):
                    number = b.load(b.gep(line, [b.mul(columns, self.column)]))
                    b.store(number, b.gep(place, [columns]))

    def places(
        self, source: ir.Value, to: ir.Value, k: ir.Value, stride: ir.Value
    ) -> tuple[ir.Value, ir.Value]:
        """Where a row of the matrix begins, and its row in the panel."""
        b = self.builder
        return b.gep(source, [b.mul(k, self.row)]), b.gep(to, [b.mul(k, stride)])


# ---- what loops call ---------------------------------------------------------------------------


def _callers(bits: int) -> tuple[Any, Any]:
    lanes = LANES[bits]
    times: Any = External(symbol("product", bits))

    def product(
        a: Array,
        w: Array,
        out: Array,
        rows: int,
        inner: int,
        width: int,
        onto: int,
        alike: int = 0,
        back: int = 0,
    ) -> None:
        """out = a w, or with ``onto`` out += a w: a (rows, inner), out (rows, width) flat, w packed.

        With ``alike`` a row comes to the same numbers whatever rows there are beside it.
        """
        times(a.ctypes.data, w.ctypes.data, out.ctypes.data, rows, inner, width, onto, alike, back)

    def checked(
        a: Array,
        w: Array,
        out: Array,
        rows: int,
        inner: int,
        width: int,
        onto: int,
        alike: int = 0,
        back: int = 0,
    ) -> None:
        """As ``product``, which reads and writes by address; raises IndexError where one is outside."""
        whole = inner * ((width + lanes - 1) // lanes * lanes)
        if rows * inner > a.size or whole > w.size or rows * width > out.size:
            raise IndexError("a product reaches beyond its arrays")
        product(a, w, out, rows, inner, width, onto, alike, back)

    return product, checked


product32, checked32 = _callers(32)
product64, checked64 = _callers(64)
