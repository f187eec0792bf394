"""How does an iteration of small arrays run as one piece of machine code? Its loops and what is around them.

At a batch of one the Python around the loops costs more than they do. Where an iteration is a layer and
what comes after it up to the loss, the latter is a step without a state: it gets loops as a cell's step
does. The lines that stand around both (``scan.batched``) are Python that numba takes as well as Python does.
"""

from __future__ import annotations

import ast
from typing import Any

import numpy as np

from ..engine.values import Array, Literal
from ..scan.calling import named, version
from ..scan.machine_code import by_numba, kernels
from ..scan.native import CompiledLoop
from ..scan.tracing import Trace, Untraceable
from ..scan.variants import work
from ..scan.verified import loops as verified_loops
from .replay import Replay

MOST = 4e6  # nanoseconds that numpy would take: Python around larger iterations does not show
HEAD = """# loops are called by {calling}
import numpy as np
from numba import from_dtype, njit, types
from tinygrad_rnn.scan.calling import called
from tinygrad_rnn.scan.products import LANES, symbol
pack = types.ExternalFunction(symbol("pack", {bits}), types.int32(*[types.intp] * 6))
compiled = njit(error_model="numpy")
lanes, fresh, ordered = LANES[{bits}], np.empty, np.ascontiguousarray
@compiled
def empty(shape, dtype, size):
    return np.empty(shape, dtype)
@compiled
def whole(a):
    return a
@compiled
def ones(count, dtype):
    return np.ones(count, dtype)
@compiled
def put(out, a):
    flat, given = out.reshape(-1), a.reshape(-1)
    if flat.size != given.size:
        raise ValueError
    for k in range(given.size):
        flat[k] = given[k]
@compiled
def total(a):
    out = np.zeros(a.shape[1:], a.dtype)
    flat, rows = out.reshape(-1), a.reshape(-1)
    for k in range(rows.size):
        flat[k % flat.size] += rows[k]
    return out
@compiled
def begun(given, shape, dtype):
    if given is None:
        return np.zeros(shape, dtype)
    return given.reshape(shape).copy()
@compiled
def laid_out(w, transposed):
    inner, width = (w.shape[1], w.shape[0]) if transposed else w.shape
    row, column = (1, w.shape[1]) if transposed else (w.shape[1], 1)
    panels = np.empty(inner * ((width + lanes - 1) // lanes * lanes), w.dtype)
    pack(w.ctypes.data, panels.ctypes.data, inner, width, row, column)
    return panels
@njit(error_model="numpy", fastmath={{"reassoc", "contract"}})
def squares(a):
    flat, found = a.reshape(-1), 0.0
    for k in range(flat.size):
        found += np.float64(flat[k]) * np.float64(flat[k])
    return found
@compiled
def scale(a, by):
    flat = a.reshape(-1)
    for k in range(flat.size):
        flat[k] *= by
"""
HELPERS = frozenset(("fresh", "empty", "whole", "ones", "begun", "laid_out", "put", "total"))


def fused(replay: Replay) -> Any:
    """What ``replay.run`` does, as machine code. Raises Untraceable where there is none.

    It may clip, too: a last argument is an array of the largest norm that the gradients may have together,
    and a place for the norm that they had. ``leaves`` are the Parameters whose gradients it gives.
    """
    return _Fused(replay).written()


class _Fused:
    """A layer of one cell over an input, then a step without a state up to the loss, and back."""

    def __init__(self, replay: Replay) -> None:
        self.replay, self.iteration = replay, replay.iteration
        blocks = self.iteration.blocks
        self.alone: Any = getattr(blocks[0], "alone", None) if len(blocks) == 1 else None
        looked = self.iteration.tracer.finite  # values that the lines look at
        if looked or self.alone is None or self.alone.backwards:
            raise Untraceable("it is not one layer of one cell over time, and what comes after")
        (self.block,) = blocks
        self.inputs = {id(t._node): f"x{k}" for k, t in enumerate(self.iteration.inputs)}
        self.of_result = {id(t._node): k for k, t in enumerate(self.block.results)}
        self.arguments: dict[str, tuple[str, str]] = {}  # by their text in ``run``: name, type
        self.after = self._after()
        self.wanted = [role for role, node in self.after.inputs.items() if node.needs]
        estimate = self.alone.found.work * self.alone.steps + work(self.after)
        if estimate > MOST:
            raise Untraceable("its arrays are not small")
        alone = self.alone.found.loops(True, self.alone.of_x)
        self.loops = [alone, verified_loops(self.after, self.wanted, False, alone.name)]
        every = [loop for made in self.loops for loop in made.loops.values()]
        if not every or any(type(loop) is not CompiledLoop for loop in every):
            raise Untraceable("not all of it is machine code")
        self.dtype = self.iteration.total._data.dtype
        self.leaves: list[tuple[Any, str]] = []  # and the texts of their gradients
        self.lines = self._lines()

    def _after(self) -> Any:
        """What follows the layer, as a step's trace: its ``x`` is the first of the layer's results used."""
        own = [n for n in self.replay.order if not hasattr(n, "taken")]
        used = {id(p): p for n in own if id(n) not in self.of_result for p in n.parents}
        results = [n for key, n in used.items() if key in self.of_result]
        if not results:
            raise Untraceable("the loss is not made of what the layer gives")
        others = [
            n
            for key, n in used.items()
            if n.op is None and key not in self.of_result and not isinstance(n, Literal)
        ]
        roles = {f"w{k}": n for k, n in enumerate([*results[1:], *others])}
        total: Any = self.iteration.total._node
        return Trace({"x": results[0], **roles}, [total])

    # ---- the text of machine code

    def _argument(self, text: str, array: Array) -> str:
        """The name of an array that ``run`` hands over, by its text there."""
        name = f"a{len(self.arguments)}"
        kind = f'types.Array(from_dtype(np.dtype("{array.dtype.name}")), {array.ndim}, "C", '
        return self.arguments.setdefault(text, (name, f"{kind}readonly=True)"))[0]

    def _taken(self, t: Any) -> str:
        """What the layer takes: an input as it is, a state from outside, or one of zeros."""
        if t._node is not None and id(t._node) not in self.inputs:
            raise Untraceable("the layer does not take an input as it is")
        return self._argument(self.inputs.get(id(t._node)) or self.replay.taken(t), t._data)

    def _read(self, t: Any) -> str:
        """A tensor from outside as it is at every call."""
        return self._argument(f"{self.replay.handle(t)}._data", t._data)

    def _source(self, node: Any) -> str:
        """What goes into the step after the layer."""
        k = self.of_result.get(id(node))
        if k is not None:
            made = f"finals[{k - 1}]" if k else self._turned("y")
            return f"{made}.reshape({tuple(node.shape)})"
        for t in self.iteration.inputs:
            if t._node is node:
                return self._taken(t)
        outside = self.replay.outside.get(id(node))
        if outside is None:
            raise Untraceable("it takes an array that is neither an input nor a Parameter")
        return self._read(outside)

    def _lines(self) -> list[str]:
        """Forward and backward, each by the lines of its loops."""
        alone, block, roles = self.alone, self.block, self.after.inputs
        given = [*map(self._taken, block.taken), *map(self._read, alone.weights)]
        given[0] = self._turned(given[0])
        x, *others = [self._source(node) for node in roles.values()]
        total = self.iteration.total._data
        lines = [
            f"y, finals, kept = forward0({', '.join([str(alone.steps), *given])})",
            f"value, _, held = forward1({', '.join(['1', _one(x, roles['x']), *others])})",
            f"seed = np.ones({(1, *total.shape)}, np.{self.dtype.name})",
            "dx, _, dw = backward1(1, held, seed, 0)",
        ]
        flows: dict[int, str] = {}
        for k, (role, node) in enumerate(roles.items()):
            if role not in self.wanted:
                continue
            text = "dx" if not k else f"dw[{k - 1}]"
            at = self.of_result.get(id(node))
            if at is None:
                self.leaves.append((node, text))
            else:
                flow = f"{text}.reshape({block.results[at]._data.shape})"
                flows[at] = f"{flow}.reshape({self._of_loops(at)})" if at else self._turned(flow)
        count = len(block.results)
        zeros = f"np.zeros({self._of_loops(0)}, np.{self.dtype.name})"
        dy, *last = [flows.get(k, "None" if k else zeros) for k in range(count)]
        skip = -1 if alone.of_states else 0
        lines.append(
            f"_, ds, dv = backward0({', '.join([str(alone.steps), 'kept', dy, *last, str(skip)])})"
        )
        came = tuple(k in flows for k in range(count))
        reached = alone.found.reach.reached(came, alone.steps)
        states = len(block.taken) - 1
        for k, (t, flag) in enumerate(zip((*block.taken, *alone.weights), reached, strict=True)):
            if flag and t._node is not None and t._node.needs:
                gradient = f"ds[{k - 1}]" if k <= states else f"dv[{k - 1 - states}]"
                self.leaves.append((t._node, gradient))
        if len({id(node) for node, _ in self.leaves}) < len(self.leaves):
            raise Untraceable("a Parameter is the layer's and used after it, too")
        return lines

    def _of_loops(self, k: int) -> tuple[int, ...]:
        """The shape that the loops give to a result."""
        shape: tuple[int, ...] = self.block.results[k]._data.shape
        if not k and self.alone.axis:
            return shape[1], shape[0], *shape[2:]
        return shape[1:] if k and self.alone.joined else shape

    def _turned(self, text: str) -> str:
        """A value (time, batch, features), where the batch comes first for the user, and back."""
        return f"np.ascontiguousarray({text}.transpose(1, 0, 2))" if self.alone.axis else text

    def _text(self) -> str:
        """The module."""
        bits = self.dtype.itemsize * 8
        kernels(bits)  # the lines call them
        text = HEAD.format(bits=bits, calling=version())
        for k, loops in enumerate(self.loops):
            for backward, made in enumerate((loops._forward, loops._backward)):
                text += _factory(f"{made.__name__}{k}", made, loops.loops[bool(backward)])
        outs: dict[str, tuple[int, ...]] = {"value": (1,)}
        outs |= {f"d{k}": node.shape for k, (node, _) in enumerate(self.leaves)}
        number = f'from_dtype(np.dtype("{self.dtype.name}"))'
        kinds = [kind for _, kind in self.arguments.values()]
        kinds += [f'types.Array({number}, {len(shape)}, "C")' for shape in outs.values()]
        kinds.append('types.Array(types.float64, 1, "C")')
        names = [*(name for name, _ in self.arguments.values()), *(f"{o}_" for o in outs), "limits"]
        lines = [*self.lines, "put(value_, value)"]
        lines += [f"put(d{k}_, {gradient})" for k, (_, gradient) in enumerate(self.leaves)]
        lines += self._clipping([f"d{k}_" for k in range(len(self.leaves))])
        body = "".join(f"    {line}\n" for line in lines)
        signature = f"types.void({', '.join(kinds)})"
        return (
            f'{text}@njit({signature}, error_model="numpy", cache=True)\n'
            f"def loop({', '.join(names)}):\n{body}"
        )

    def _clipping(self, gradients: list[str]) -> list[str]:
        """As ``clip_grad_norm_``: ``limits`` has the largest norm, and gets the norm that was."""
        by = f"np.{self.dtype.name}(limits[0] / (limits[1] + 1e-6))"
        norm = f"np.sqrt({' + '.join(f'squares({g})' for g in gradients)})"
        lines = ["if limits[0] < np.inf:", f"    limits[1] = {norm}"]
        lines.append("    if limits[0] < limits[1] < np.inf:")
        return lines + [f"        scale({g}, {by})" for g in gradients]

    # ---- what calls it

    def written(self) -> Any:
        """As ``Replay.run``; the gradients are arrays of their own."""
        kept = by_numba(self._text())

        def first(*arguments: Any) -> None:
            kept(*arguments)
            space["loop"] = kept.function  # from now on without a detour

        space: dict[str, Any] = {
            **self.replay.space,
            "loop": first,
            "lines": self.replay.run,  # what is not laid out as it was, they take
            "layer": self.alone.layer,
            "ran": self.loops[0].ran,
            "empty": np.empty,
            "ordered": np.asarray,
            "dtype": self.dtype,
            "free": np.array([np.inf, np.nan]),
        }
        lines = ['layer["_ran"] = ran']
        lines += [f'{x} = ordered({x}, order="C")' for x in self.inputs.values()]
        shapes = [(1,), *(tuple(n.shape) for n, _ in self.leaves)]
        made = ["value", *(f"d{k}" for k in range(len(self.leaves)))]
        lines += [f"{o} = empty({shape}, dtype)" for o, shape in zip(made, shapes, strict=True)]
        lines += [
            f"try: loop({', '.join([*self.arguments, *made, 'limits'])})",
            f"except TypeError: return lines({', '.join([*self.inputs.values(), 'told'])})",
        ]
        lines.append(f"value = value.reshape({self.iteration.total._data.shape})")
        lines.append("if told is not None: told(value)")
        reached = [
            f"({self.replay.handle(self.replay.outside[id(n)])}._node, d{k}, True)"
            for k, (n, _) in enumerate(self.leaves)
        ]
        lines.append(f"return value, [{', '.join(reached)}]")
        head = f"def run({', '.join([*self.inputs.values(), 'told', 'limits=free'])}):\n"
        text = head + "".join(f"    {line}\n" for line in lines)
        exec(compile(text, "<an iteration as machine code>", "exec"), space)
        run: Any = space["run"]
        run.leaves = [self.replay.outside[id(n)] for n, _ in self.leaves]
        return run


def _one(text: str, node: Any) -> str:
    """A value as a sequence of one step."""
    return f"{text}.reshape({(1, *node.shape)})"


def _factory(name: str, made: Any, loop: CompiledLoop) -> str:
    """A function of ``Lines`` under a name of its own, for numba, with what it calls."""
    tree = _ForNumba().visit(ast.parse(made.text))
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    lines = []
    for key in sorted(used & made.__globals__.keys() - HELPERS):
        thing = made.__globals__[key]
        text = _constant(key, thing) if key != "loop" else f"called({named(loop)})"
        lines.append(f"{key} = {text}")
    lines += ["@compiled", *ast.unparse(tree).splitlines(), f"return {made.__name__}"]
    body = "".join(f"    {line}\n" for line in lines)
    return f"def make():\n{body}{name} = make()\n"


class _ForNumba(ast.NodeTransformer):
    """Lines as numba takes them, and without what it compiles for seconds: axes, assignments to slices."""

    def visit_Return(self, node: ast.Return) -> ast.AST:
        """Tuples, not lists: of arrays of several types, or of nothing."""
        assert isinstance(node.value, ast.Tuple)
        parts = node.value.elts
        parts[:] = [ast.Tuple(p.elts, ast.Load()) if isinstance(p, ast.List) else p for p in parts]
        return node

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        """``S[0] = first``."""
        self.generic_visit(node)
        (target,) = node.targets
        if not isinstance(target, ast.Subscript):
            return node
        part = ast.Subscript(target.value, target.slice, ast.Load())
        return ast.Expr(ast.Call(ast.Name("put", ast.Load()), [part, node.value], []))

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """``a.sum(0)``, and what is joined into memory of its own."""
        self.generic_visit(node)
        of = node.func
        reshaped = of.value if isinstance(of, ast.Attribute) and of.attr == "reshape" else None
        if isinstance(of, ast.Attribute) and isinstance(reshaped, ast.Subscript):  # of columns
            of.value = ast.Call(ast.Name("ordered", ast.Load()), [reshaped], [])
        if isinstance(of, ast.Name) and of.id == "concatenate":
            node.keywords.clear()
        if (
            isinstance(of, ast.Attribute)
            and of.attr == "sum"
            and ast.unparse(node).endswith("sum(0)")
        ):
            return ast.Call(ast.Name("total", ast.Load()), [of.value], [])
        return node


def _constant(name: str, thing: Any) -> str:
    """What the lines refer to, as text."""
    if callable(thing) and thing is getattr(np, name, None):
        return f"np.{name}"
    if isinstance(thing, np.dtype):
        return f'np.dtype("{thing.name}")'
    if isinstance(thing, np.ndarray):
        data = f'np.frombuffer(bytes.fromhex("{thing.tobytes().hex()}"), "{thing.dtype.str}")'
        return f"{data}.reshape({thing.shape}).copy()"
    raise Untraceable(f"its lines call {name}")


__all__ = ["fused"]
