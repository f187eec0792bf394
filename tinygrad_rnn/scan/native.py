"""How does Python call a loop that ``lowering`` has written? As a function of its own, by arrays' addresses.

The machine code is kept as LLVM's object file. Its entry looks at every argument: an array must be one piece
of the kind that the code is for, else the ``CompiledLoop`` is asked, which has code made for other kinds.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from llvmlite import binding, ir

from ..tensors.arrays import of_the_one_dtype
from .llvm import BYTE, LONG
from .lowering import OUTSIDE, lowered
from .products import kernels
from .threads import COMPILING

DTYPES = {"f32": "f4", "f64": "f8", "b1": "?", "u64": "u8", "i64": "i8"}
OF = {np.dtype(name): kind for kind, name in DTYPES.items()}
HEAD = (
    object.__basicsize__
)  # of every object; then an array's fields, as numpy's C headers lay them out
TYPE, DATA, DESCR, FLAGS = HEAD - 8, HEAD, HEAD + 40, HEAD + 48
ONE_PIECE = 1
# One number, as numpy's sums give it, is an array of it.
NUMPYS = (np.ndarray, np.floating, np.bool_)
SMALL = 256  # a size up to which code is made of it
FAST = 0x80  # arguments in an array, as CPython's METH_FASTCALL
WORD = BYTE.as_pointer()


class _Method(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("entry", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


_new = ctypes.pythonapi.PyCFunction_NewEx
_new.restype = ctypes.py_object
_new.argtypes = [ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p]
_keep_alive = ctypes.pythonapi.Py_IncRef
_keep_alive.argtypes, _keep_alive.restype = [ctypes.py_object], None


def kinds_of(arguments: Sequence[Any]) -> tuple[str, ...]:
    """Of which kinds arguments are; TypeError for one that no loop takes."""
    kinds = []
    for k, a in enumerate(arguments):
        if not isinstance(a, NUMPYS):
            kinds.append("i64")
        elif a.dtype not in OF or not a.flags.c_contiguous:
            raise TypeError(f"argument {k} of a loop is {a.dtype} with strides {a.strides}")
        else:
            kinds.append(f"{OF[a.dtype]}*")
    return tuple(kinds)


@cache
def features() -> str:
    """What instructions the processor has."""
    try:
        return str(binding.get_host_cpu_features().flatten())
    except RuntimeError:  # LLVM cannot say
        return ""


def _machine() -> Any:
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    target = binding.Target.from_default_triple()
    static = target.name.startswith("x86")
    return target.create_target_machine(
        cpu=binding.get_host_cpu_name(),
        features=features(),
        opt=3,
        reloc="static" if static else "default",
        codemodel="jitdefault",
        jit=True,
    )


@cache
def machine() -> Any:
    """The processor, for LLVM, which is told of it as numba does."""
    return _machine()


@cache
def _engine() -> Any:
    """What holds all code as long as the process lives, as numba's does; it owns a machine of its own."""
    binding.add_symbol("tinygrad_rnn_ndarray", id(np.ndarray))  # what entries compare with
    for kind, name in DTYPES.items():
        binding.add_symbol(f"tinygrad_rnn_{kind}", id(np.dtype(name)))
    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), _machine())
    _keep_alive(engine)  # a thread may be in its code when Python ends
    return engine


@cache
def processor() -> str:
    """What decides about code beside its text."""
    known, cpu = machine(), f"{binding.get_host_cpu_name()} {features()}"
    return f"{known.triple} {cpu} {known.target_data} {binding.llvm_version_info}"


def optimized(module: ir.Module, unroll: bool = True) -> Any:
    """A module as LLVM has improved it; its loops may have several turns at once."""
    module.triple, module.data_layout = machine().triple, str(machine().target_data)
    made = binding.parse_assembly(str(module))
    made.verify()
    options = binding.create_pipeline_tuning_options(speed_level=3)
    options.slp_vectorization, options.loop_unrolling = True, unroll
    builder = binding.create_pass_builder(machine(), options)
    builder.getModulePassManager().run(made, builder)
    return made


class CompiledLoop:
    """A loop's text, and its machine code by the kinds of arguments; called, it finds the fitting one.

    ``function`` is what the latest call has found: it calls the machine code and comes back here with
    arguments of other kinds. ``sizes`` are the places of arguments that are constants where all are small.
    """

    unroll = True

    def __init__(self, text: str, versions: str, folder: Path, sizes: Sequence[int] = ()) -> None:
        self.text, self.versions, self.folder, self.sizes = text, versions, folder, sizes
        self.function: Any = None
        self.kinds: tuple[str, ...] = ()  # of what ``function`` takes
        self.made: dict[tuple[str, ...], Any] = {}

    def __call__(self, *arguments: Any) -> None:
        """Run the loop."""
        kinds = self.kinds_for(arguments)
        given = [  # of the class and the dtype that the entry knows
            of_the_one_dtype(np.asarray(a)) if isinstance(a, NUMPYS) else a for a in arguments
        ]
        self.function, self.kinds = self.made_for(kinds), kinds
        self.made[kinds](*given)

    def kinds_for(self, arguments: Sequence[Any]) -> tuple[str, ...]:
        """Of which kinds arguments are for this loop."""
        kinds, known = list(kinds_of(arguments)), [arguments[k] for k in self.sizes]
        if known and known[0] == 1 and max(known) <= SMALL:
            for k, size in zip(self.sizes, known, strict=True):
                if size >= 0:
                    kinds[k] = str(size)
        return tuple(kinds)

    def made_for(self, kinds: tuple[str, ...]) -> Any:
        """The function for arguments of some kinds."""
        with COMPILING:
            if kinds not in self.made:
                self.made[kinds] = self._load(kinds)
            return self.made[kinds]

    def module(self, kinds: tuple[str, ...], name: str) -> ir.Module:
        """What is compiled for arguments of some kinds."""
        return _with_entry(lowered(self.text, kinds, name), kinds, name)

    def name(self, kinds: Sequence[str]) -> str:
        """What the code for arguments of some kinds is called."""
        whole = f"{self.versions} {processor()} {kinds}\n{self.text}"
        return "loop_" + hashlib.sha256(whole.encode()).hexdigest()[:24]

    def path(self, kinds: Sequence[str]) -> Path:
        """Where that code is kept."""
        return self.folder / f"{self.name(kinds)}.o"

    def of_any_size(self) -> tuple[str, ...]:
        """The kinds of the latest call's arguments, no size among them being a constant."""
        return tuple(["i64" if kind.isdigit() else kind for kind in self.kinds])

    def address(self, suffix: str = "") -> tuple[str, int]:
        """(the name, the address) of what takes arrays' addresses, and any sizes."""
        kinds = self.of_any_size()
        self.made_for(kinds)
        name = self.name(kinds) + suffix
        return name, _engine().get_function_address(name)

    def _load(self, kinds: tuple[str, ...]) -> Any:
        """A function of the code in the cache, or made now."""
        name, path = self.name(kinds), self.path(kinds)
        data = _kept(path)
        if data is None:
            data = machine().emit_object(optimized(self.module(kinds, name), self.unroll))
            _keep(path, data)
        engine = _engine()
        engine.add_object_file(binding.object_file.ObjectFileRef.from_data(data))
        engine.finalize_object()
        return self.of_python(name, kinds)

    def of_python(self, name: str, kinds: tuple[str, ...]) -> Any:
        """What Python calls."""
        method = _Method(b"loop", _engine().get_function_address(f"{name}_entry"), FAST, None)
        _keep_alive(method)  # Python reads it when the function goes, and a collection has no order
        return _new(ctypes.addressof(method), self, None)


class TestedLoop(CompiledLoop):
    """A loop whose text has every index tested: its code takes the sizes of arrays, too."""

    def module(self, kinds: tuple[str, ...], name: str) -> ir.Module:
        """What is compiled for arguments of some kinds."""
        return lowered(self.text, kinds, name)

    def of_python(self, name: str, kinds: tuple[str, ...]) -> Any:
        """What Python calls."""
        arrays = [k for k, kind in enumerate(kinds) if kind.endswith("*")]
        types = [ctypes.c_void_p if k in arrays else ctypes.c_int64 for k in range(len(kinds))]
        whole = ctypes.CFUNCTYPE(ctypes.c_int, *types, *[ctypes.c_int64] * len(arrays))
        code = whole(_engine().get_function_address(name))

        def run(*given: Any) -> None:
            if self.kinds_for(given) != kinds:
                self(*given)
                return
            taken = [np.asarray(a) if k in arrays else a for k, a in enumerate(given)]
            places = [a.ctypes.data if k in arrays else a for k, a in enumerate(taken)]
            status = code(*places, *(taken[k].size for k in arrays))
            if status:
                raise IndexError("index is out of bounds") if status == OUTSIDE else MemoryError

        return run


class Kernels(CompiledLoop):
    """What lays a matrix of some bits out, and with it what multiplies by it."""

    unroll = False  # a tile is many numbers: it is as fast, and made in half the time

    def module(self, kinds: tuple[str, ...], name: str) -> ir.Module:
        """They take arrays of one kind."""
        bits = int(self.text)
        if kinds != (f"f{bits}*", f"f{bits}*", *["i64"] * 4):
            raise TypeError(f"matrices of float{bits}, not {kinds}")
        return _with_entry(kernels(name, bits), kinds, name)


def _kept(path: Path) -> bytes | None:
    """The code in a file, where there is one and it is as it was written."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    return data[32:] if data[:32] == hashlib.sha256(data[32:]).digest() else None


def _keep(path: Path, data: bytes) -> None:
    """Write code into its file, where that can be: a disk may be full, a folder gone."""
    with suppress(OSError):
        write(path, hashlib.sha256(data).digest() + data)


def write(path: Path, data: bytes) -> None:
    """Write a file beside, then put it in its place."""
    handle, beside = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(beside, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(beside)
        raise


def _with_entry(module: ir.Module, kinds: Sequence[str], name: str) -> ir.Module:
    """A module with what Python calls for its function of a name."""
    _Entry(module, name, kinds).write()
    return module


class _Entry:
    """Writes what Python calls: it unpacks the arguments and lets other threads run meanwhile."""

    def __init__(self, module: Any, name: str, kinds: Sequence[str]) -> None:
        self.module, self.kinds = module, kinds
        self.loop = module.get_global(name)
        shape = ir.FunctionType(WORD, [WORD, WORD.as_pointer(), LONG])
        self.entry = ir.Function(module, shape, f"{name}_entry")
        self.b = ir.IRBuilder(self.entry.append_basic_block())
        self.other = self.entry.append_basic_block("other")
        self.failed = self.entry.append_basic_block("failed")

    def call(self, name: str, result: Any, *args: Any) -> Any:
        """A function of Python's."""
        shape = ir.FunctionType(result, [a.type for a in args])
        function = self.module.globals.get(name) or ir.Function(self.module, shape, name)
        return self.b.call(function, args)

    def symbol(self, name: str) -> Any:
        """The address of an object."""
        return self.module.globals.get(name) or ir.GlobalVariable(self.module, BYTE, name)

    def field(self, thing: Any, offset: int, kind: Any) -> Any:
        """A field of an object."""
        place = self.b.gep(thing, [ir.Constant(LONG, offset)])
        return self.b.load(self.b.bitcast(place, kind.as_pointer()))

    def unless(self, test: Any, block: Any) -> None:
        """Go on only where it is true."""
        following = self.entry.append_basic_block()
        self.b.cbranch(test, following, block)
        self.b.position_at_end(following)

    def write(self) -> None:
        b, (me, given, count) = self.b, self.entry.args
        self.unless(b.icmp_signed("==", count, LONG(len(self.kinds))), self.other)
        values, odd = [], ir.Constant(ir.IntType(1), 0)
        for k, kind in enumerate(self.kinds):
            thing = b.load(b.gep(given, [LONG(k)]))
            if not kind.endswith("*"):
                values.append(self.call("PyLong_AsLongLong", LONG, thing))
                if kind.isdigit():
                    same = b.icmp_signed("==", values[-1], LONG(int(kind)))
                    self.unless(same, self.other)
                    continue
                odd = b.or_(odd, b.icmp_signed("==", values[-1], LONG(-1)))
                continue
            of = self.field(thing, TYPE, WORD)
            self.unless(b.icmp_unsigned("==", of, self.symbol("tinygrad_rnn_ndarray")), self.other)
            dtype = self.symbol(f"tinygrad_rnn_{kind[:-1]}")
            right = b.icmp_unsigned("==", self.field(thing, DESCR, WORD), dtype)
            flags = b.and_(self.field(thing, FLAGS, ir.IntType(32)), ir.IntType(32)(ONE_PIECE))
            self.unless(b.and_(right, b.trunc(flags, ir.IntType(1))), self.other)
            data = self.field(thing, DATA, WORD)
            values.append(b.bitcast(data, self.loop.args[k].type))
        with b.if_then(odd, likely=False):
            none = b.icmp_unsigned("==", self.call("PyErr_Occurred", WORD), WORD(None))
            self.unless(none, self.failed)
        thread = self.call("PyEval_SaveThread", WORD)
        status = b.call(self.loop, values)
        self.call("PyEval_RestoreThread", ir.VoidType(), thread)
        with b.if_then(b.icmp_signed("!=", status, ir.IntType(32)(0)), likely=False):
            b.ret(self.call("PyErr_NoMemory", WORD))
        none = self.symbol("_Py_NoneStruct")
        self.call("Py_IncRef", ir.VoidType(), none)
        b.ret(none)
        b.position_at_end(self.failed)
        b.ret(WORD(None))
        b.position_at_end(self.other)
        b.ret(self.call("PyObject_Vectorcall", WORD, me, given, count, WORD(None)))


__all__ = ["OF", "CompiledLoop", "Kernels", "TestedLoop", "machine", "optimized", "write"]
