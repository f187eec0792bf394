"""How does one iteration of training become one program? ``compile_step``: traced once, then replayed.

The first iteration on inputs of a kind runs as Python; the second is traced, written down (``replay``) and
held against the plain one, on these inputs and on others. From then on the program runs for as long as
everything that the model's and the loss's Python reads is as it was. Whatever is not known to be the same
runs as Python, and ``explain()`` says why.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from keyword import iskeyword
from operator import is_
from types import MappingProxyType
from typing import Any

import numpy as np

from ..engine import gradients
from ..engine.autograd import flow
from ..engine.hooks import Hook
from ..engine.places import state
from ..engine.values import Array
from ..nn.module import Module
from ..nn.utils import clip_grad_norm_
from ..ops import dtypes
from ..optim.lbfgs import LBFGS
from ..optim.optimizers import Optimizer
from ..scan import backends
from ..scan.purity import MISSING, Contents, Guard
from ..scan.tracing import Untraceable
from ..scan.variants import hold
from ..tensors import Tensor, as_tensor
from .iteration import Iteration, Moves, inspected, tables
from .replay import Differs, Replay

Check = Callable[[Any, tuple[int, ...]], None]
MOST_KINDS, MOST_PROGRAMS = 64, 8  # of inputs; of one kind of inputs, other settings


def compile_step(
    model: Module, loss: Callable[..., Tensor], optimizer: Optimizer, *, clip: float | None = None
) -> CompiledStep:
    """One iteration of training as one call: ``step(x, y)`` is forward, loss, backward and update.

    ``step(*inputs, target)`` does what this does, and returns the loss before the update, detached::

        optimizer.zero_grad()
        value = loss(model(*inputs), target)
        value.backward()
        nn.utils.clip_grad_norm_(model.parameters(), clip)  # where clip is given
        optimizer.step()

    Keyword arguments go to the model; what is no tensor is made one. The iteration is traced when
    inputs of their shapes and dtypes come for the second time, and replayed from then on without the
    model's Python, with the same values to the last bit; to rounding where a layer's products with the rows
    of an ``nn.Embedding`` are computed once a row, not once a step, and where an iteration of small arrays,
    through one recurrent layer to the loss, becomes machine code as a whole: after a fixed number of
    iterations. (One over an embedding is traced at once, so that a run that is resumed comes to the same
    bits.) What the Python reads (attributes, globals, training mode, ``requires_grad``, the Parameters
    themselves) is watched: where something differs, the iteration is traced anew; where it cannot be known
    (random draws, ``.item()``, hooks, attributes that are set, ragged batches) it runs as Python, and
    ``step.explain()`` says why. ``step.accumulate(*inputs, target)`` leaves out the update, so that
    gradients of several batches are added up.

    Raises TypeError for what is no model, loss or optimizer, and for LBFGS, which asks for a loss more
    than once.

    >>> import tinygrad_rnn as tg
    >>> generator = tg.manual_seed(0)
    >>> x = tg.randn(64, 3)
    >>> y = x.sum(1, keepdim=True)
    >>> model = tg.nn.Linear(3, 1)
    >>> optimizer = tg.optim.Adam(model.parameters(), lr=0.1)
    >>> step = tg.compile_step(model, tg.nn.functional.mse_loss, optimizer, clip=1.0)
    >>> losses = [step(x, y).item() for _ in range(100)]
    >>> losses[-1] < 0.01 < losses[0]
    True
    >>> print(step.explain())
    replayed as one program
    """
    if not isinstance(model, Module):
        raise TypeError(f"compile_step: model must be a Module, not a {type(model).__name__}")
    if isinstance(loss, type) or not callable(loss):
        raise TypeError(
            f"compile_step: loss must be a function of (prediction, y), not {loss!r}: a loss of nn is "
            "made first, nn.MSELoss()"
        )
    if not isinstance(optimizer, Optimizer):
        raise TypeError(
            f"compile_step: optimizer must be one that is made, not a {type(optimizer).__name__}"
        )
    if isinstance(optimizer, LBFGS):
        raise TypeError(
            "compile_step: LBFGS asks for the loss more than once a step: tg.fit takes it"
        )
    return CompiledStep(model, loss, optimizer, clip)


class CompiledStep:
    """What :func:`compile_step` returns."""

    def __init__(
        self, model: Module, loss: Callable[..., Tensor], optimizer: Optimizer, clip: float | None
    ) -> None:
        self.model, self.loss, self.optimizer, self.clip = model, loss, optimizer, clip
        self._begun = False  # whether gradients have been accumulated for the next update
        self._iterations = Iterations(model, loss, True)

    def __call__(self, *inputs: Any, **options: Any) -> Tensor:
        """One iteration; returns the loss before the update."""
        limits = None
        if self.clip is not None and not self._begun:
            limits = np.array([self.clip, np.nan])
        value = self._accumulated(inputs, options, limits)
        self._begun = False
        if self.clip is not None and (limits is None or not math.isfinite(limits[1])):
            clip_grad_norm_(self.model.parameters(), self.clip)
        self.optimizer.step()
        return value

    def accumulate(self, *inputs: Any, **options: Any) -> Tensor:
        """Forward, loss and backward alone; the next call adds its gradients, and updates.

        Returns the loss. To train on the mean over several batches, divide: ``loss=lambda p, y:
        mse_loss(p, y) / 4``.
        """
        return self._accumulated(inputs, options, None)

    def _accumulated(self, inputs: Any, options: dict[str, Any], limits: Array | None) -> Tensor:
        """``accumulate``; where there are no other gradients a program may clip these: ``fused``."""
        if len(inputs) < 2:
            raise TypeError(f"a step takes inputs and a target, got {len(inputs)} arguments")
        if not self._begun:
            self.optimizer.zero_grad()
        if limits is not None and any(p.grad is not None for p in self.model.parameters()):
            limits = None
        value = self._iterations.gradients(inputs, options, limits)
        self._begun = True
        return value

    def explain(self) -> str:
        """How the last iteration ran: replayed as one program, or as Python, and why."""
        return self._iterations.how


class Iterations:
    """The iterations of a model and a loss up to their gradients, by programs where there are some."""

    def __init__(self, model: Module, loss: Callable[..., Any], fuses: bool = False) -> None:
        self.model, self.loss, self.fuses = model, loss, fuses
        self.how = "not run yet"
        self._kinds: dict[Any, list[_Program]] = {}

    def gradients(
        self, given: Sequence[Any], options: dict[str, Any], limits: Array | None = None
    ) -> Tensor:
        """Add the gradients of ``loss(model(*inputs, **options), target)`` to the leaves'; the loss."""
        inputs = [t if t.__class__ is Tensor else as_tensor(t) for t in given]
        value = self.attempt(inputs, options, limits=limits)
        if value is None:
            value = self._forward(inputs, options)[0]
            value.backward()
        return value if value._node is None else value.detach()

    def attempt(
        self,
        inputs: Sequence[Tensor],
        options: dict[str, Any],
        check: Check | None = None,
        limits: Array | None = None,
    ) -> Tensor | None:
        """As ``gradients``, where a program is there or can be made; None where Python must run.

        ``check`` is told loss and the prediction's shape before anything is changed, and may raise.
        """
        value: Tensor | None = None
        why = _refusal(inputs, options)
        if why is None:
            kind = _kind(inputs)
            known = self._kinds.get(kind)
            if known is None:
                while len(self._kinds) >= MOST_KINDS:
                    del self._kinds[next(iter(self._kinds))]
                known = self._kinds[kind] = []
                if not tables(self.model):  # else even the first comes to the program's bits
                    why = "inputs of their shapes came for the first time"
            if why is None:
                program = next((p for p in known if p.holds()), None)
                if program is None:
                    program, value = self._traced(inputs, known, check)
                elif not program.why:
                    value = self._replayed(program, inputs, check, limits)
                why = program.why or "an input is not as the program takes it"
        if value is None:
            self.how = f"run as Python: {why}"
        return value

    def _forward(
        self, inputs: Sequence[Tensor], options: dict[str, Any]
    ) -> tuple[Tensor, tuple[int, ...]]:
        prediction = self.model(*inputs[:-1], **options)
        value = self.loss(prediction, inputs[-1])
        return value, getattr(prediction, "shape", ())

    def _replayed(
        self,
        program: _Program,
        inputs: Sequence[Tensor],
        check: Check | None,
        limits: Array | None,
    ) -> Tensor | None:
        """The loss, by the program; None where it cannot be run after all."""
        stopped: BaseException | None = None

        def told(found: Any) -> None:
            nonlocal stopped
            try:
                if check is not None:
                    check(found, program.shape)
            except BaseException as error:
                stopped = error
                raise

        before = program.moves.now()
        try:
            arrays = [t._data for t in inputs]
            more = () if limits is None or not program.clips else (limits,)
            value, reached = program.replay.run(*arrays, None if check is None else told, *more)
        except MemoryError:
            raise
        except Exception as error:
            if error is stopped:
                raise
            program.moves.back(before)
            if not isinstance(error, (Differs, IndexError, ValueError)):
                program.why = f"its program raised {type(error).__name__}: {error}"
            return None
        gradients.commit(reached, None)
        program.ran += 1
        if self.fuses and program.ran == program.patience:
            program.quicken(inputs)
        self.how = program.how
        return Tensor._wrap(value, None)

    def _traced(
        self, inputs: Sequence[Tensor], known: list[_Program], check: Check | None
    ) -> tuple[_Program, Tensor | None]:
        """A new program, and the loss of an iteration as Python, against which it was held."""
        if len(known) >= MOST_PROGRAMS:
            known.pop(0)
        program = _Program(self.model, self.loss, inputs)
        known.append(program)
        if not program.stands():
            return program, None
        with program.moves.undone():
            program.compare(self, [_other(t, k) for k, t in enumerate(inputs)])
        if not program.stands():
            return program, None
        found = program.compare(self, inputs, check)
        if found is None:
            return program, None
        value, reached = found
        gradients.commit(reached, value._node)
        self.how = f"run as Python: {program.why}" if program.why else "run as Python, and traced"
        return program, value


class _Program:
    """A program with what it depends on; or why there is none."""

    def __init__(self, model: Module, loss: Any, inputs: Sequence[Tensor]) -> None:
        guards, why = inspected(model, loss, len(inputs))
        self.why = why or ""
        self.model, self.clips = model, False  # whether its program can clip what it gives
        self.ran, self.patience, self.how = 0, _patience(), "replayed as one program"
        self.moves = Moves([], [])
        tensors: list[Tensor] = []
        if not why:
            try:
                iteration = Iteration(model, loss, inputs)
                of_cells = [v for block in iteration.blocks for v in block.variants()]
                guards += [g for v in of_cells for g in v.guards]
                outside = {id(v): v for _, _, v in guards if isinstance(v, Tensor)}
                outside |= {id(t): t for v in of_cells for t in v.tensors}
                outside |= {id(p): p for p in model.parameters()}
                self.replay = Replay(iteration, outside.values())
                tensors, self.shape = self.replay.tensors, iteration.shape
                every = [block.moves for block in iteration.blocks]
                self.moves = Moves(
                    [g for m in every for g in m.generators], [c for m in every for c in m.cells]
                )
            except Untraceable as reason:
                self.why = str(reason)
            except Exception as error:
                self.why = f"its program could not be written ({type(error).__name__}: {error})"
        self.holds = _question(guards, tensors)

    def stands(self) -> bool:
        """Whether nothing speaks against it so far."""
        return not self.why

    def compare(
        self, iterations: Iterations, inputs: Sequence[Tensor], check: Check | None = None
    ) -> Any:
        """The plain iteration's loss and gradients, nothing committed; ``why`` where the program's differ.

        Of a program that computes products by table, its own: a run that is resumed comes to their bits.
        """
        before = self.moves.now()
        try:
            value, shape = iterations._forward(inputs, {})
        except Exception:
            self.moves.back(before)
            return None  # other inputs than those that came it may not take; these are run again
        if check is not None:
            check(value._data, shape)
        reached = flow([gradients.root_and_seed(value)])
        after = self.moves.now()
        self.moves.back(before)
        try:
            with np.errstate(all="ignore"):
                loss, found = self.replay.run(*[t._data for t in inputs], None)
        except Exception as error:
            self.why = f"its program raised {type(error).__name__}: {error}"
        else:
            if not _agree((loss, found), (value._data, reached.values())):
                self.why = "its program gives other values than the plain iteration"
        self.moves.back(after)
        if not self.why and self.replay.iteration.tracer.finite:  # its sums are in another order
            return Tensor._wrap(loss, None), found
        return value, reached.values()

    def quicken(self, inputs: Sequence[Tensor]) -> None:
        """Have machine code run all of it from now on, where it is small and comes to the same values.

        They are compared on other inputs: on those that have been learned, errors are but rounding.
        """
        lines, arrays = self.replay.run, [_other(t, k)._data for k, t in enumerate(inputs)]
        try:
            from .fused import fused  # needs numba

            run = fused(self.replay)
            with self.moves.undone():
                plain = lines(*arrays, None)
                alike = _agree(run(*arrays, None), plain)
        except MemoryError:
            raise
        except Exception:  # a layer, an op, a type that it cannot take
            return
        if alike:
            self.replay.run = run
            owned = {*map(id, self.model.parameters())}
            self.clips = owned.issuperset(map(id, run.leaves))
            self.how += ", all of it machine code"


def _refusal(inputs: Sequence[Tensor], options: dict[str, Any]) -> str | None:
    """Why an iteration is run as Python, whatever its code is."""
    if options:
        return f"the model gets keyword arguments ({', '.join(options)})"
    if not state.recording or state.tracer is not None:
        return "gradients are switched off, or a trace is going on"
    if state.watch is not None or state.records or state.listeners:
        return "somebody looks at every op (detect_anomaly, record_gates)"
    if Hook.alive:
        return "a tensor has a hook for its gradient"
    for t in inputs:
        if t._node is not None and t._node.needs:
            return "an input requires a gradient"
    return None


def _kind(inputs: Sequence[Tensor]) -> Any:
    """What a program is for: shapes, dtypes, which inputs are one array, and what computing depends on."""
    arrays = [t._data for t in inputs]
    ids = [id(a) for a in arrays]
    kinds = [(a.shape, a.dtype, ids.index(id(a))) for a in arrays]
    return (*kinds, backends.chosen(), dtypes.default_dtype)


def _patience() -> int:
    """After how many runs machine code of all of a program is worth the seconds that it is compiled for."""
    name, _, waits = backends.chosen()
    return 0 if name != "numba" else 1 << 15 if waits else 256


def _other(t: Tensor, k: int) -> Tensor:
    """Other values of the kind of an input's, in the range that it has."""
    a = np.roll(t._data.ravel(), 1 + k).reshape(t._data.shape)
    if a.dtype.kind == "f":
        a = a * a.dtype.type(0.75)
    return Tensor._wrap(np.ascontiguousarray(a).reshape(t._data.shape), None)


def _agree(found: tuple[Any, Any], right: tuple[Any, Any]) -> bool:
    """Whether two iterations, (loss, [(leaf, gradient, ...)]) each, are one but for rounding."""
    (loss, mine), (value, theirs) = found, right
    gradients = {id(node): g for node, g, _ in mine}
    wanted = {id(node): g for node, g, _ in theirs}
    same = gradients.keys() == wanted.keys() and _close(loss, value)
    return same and all(_close(gradients[key], g) for key, g in wanted.items())


def _close(a: Any, b: Any) -> bool:
    """Whether two arrays are equal, but for rounding."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    if np.array_equal(a, b, equal_nan=True):
        return True
    limit = {"e": 1e-2, "f": 1e-4}.get(a.dtype.char, 1e-10)
    size = np.abs(b).max(initial=0, where=np.isfinite(b))
    return bool(np.allclose(a, b, limit, limit * size, equal_nan=True))


def _question(guards: list[Guard], tensors: list[Tensor]) -> Callable[[], bool]:
    """Whether what was read is as it was, and the tensors have the shapes, dtypes and flags they had.

    One expression: most of what is asked is whether one object is another.
    """
    space: dict[str, Any] = {"M": MISSING, "guards": guards, "hold": hold, "is_": is_}
    simple, checks = [], []
    for k, (get, key, value) in enumerate(guards):
        space[f"get{k}"], space[f"key{k}"], space[f"value{k}"] = get, key, value
        simple.append(_asked(k, get, key, value, space))
    for k, t in enumerate(tensors):
        space[f"t{k}"], space[f"shape{k}"], space[f"dtype{k}"] = t, t._data.shape, t._data.dtype
        needs = t._node is not None and t._node.needs
        asked = f"(n := t{k}._node) is not None and n.needs"
        checks.append(asked if needs else f"not ({asked})")
        checks.append(f"(a := t{k}._data).shape == shape{k} and a.dtype is dtype{k}")
    text = (
        f"def same():\n    return {' and '.join(['True', *simple])}\n"
        f"def holds():\n    if not ({' and '.join(['True', *checks])}): return False\n"
        "    try:\n        if same(): return True\n"
        "    except (AttributeError, KeyError): pass  # something is no more\n"
        "    return hold(guards)\n"
    )
    exec(compile(text, "<what a program depends on>", "exec"), space)
    holds: Callable[[], bool] = space["holds"]
    return holds


def _asked(k: int, get: Any, key: Any, value: Any, space: dict[str, Any]) -> str:
    """Whether a guard holds, as text; sooner than by a call where what it reads is known."""
    held_in = getattr(get, "__self__", None)
    missing = value is MISSING
    if held_in.__class__ in (dict, MappingProxyType) and get == held_in.get:
        space[f"in{k}"] = held_in
        return f"key{k} not in in{k}" if missing else f"in{k}[key{k}] is value{k}"
    if isinstance(get, Contents):
        held_in = space[f"in{k}"] = get.container
        if not value:
            return f"not in{k}"
        table = isinstance(held_in, dict)
        entries = f"(*in{k}, *in{k}.values())" if table else f"in{k}"
        count = len(value) // (1 + table)
        return f"len(in{k}) == {count} and all(map(is_, {entries}, value{k}))"
    if isinstance(get, partial) and get.func is getattr and not missing and _written(key):
        space[f"in{k}"] = get.args[0]
        return f"in{k}.{key} is value{k}"
    return f"get{k}(key{k}, M) is value{k}"


def _written(name: str) -> bool:
    """Whether text can ask for an attribute of this name, and means no other one by it."""
    return name.isascii() and name.isidentifier() and not iskeyword(name)


__all__ = ["CompiledStep", "Iterations", "compile_step"]
