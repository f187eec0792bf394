"""Are the gradients right? ``gradcheck`` compares each element with a derivative taken without rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..engine import gradients
from ..engine.stale import leaf_label
from ..engine.switches import enable_grad, no_grad
from ..engine.values import Array, Leaf, reachable
from ..tensors import Tensor
from ..tensors.making import zeros_like
from .complex_step import STEP, Analytic, analytic, plain
from .transforms import _leaves

_H = 1e-4  # the wider step of the differences
_EPS = float(np.finfo(np.float64).eps)


class GradcheckError(AssertionError):
    """A gradient differs from the derivative; the text names the worst element."""


def gradcheck(
    fn: Callable[..., Any],
    inputs: Any,
    *,
    rtol: float = 1e-6,
    atol: float = 0.0,
    order: int = 1,
    method: str = "auto",
    raise_exception: bool = True,
) -> bool:
    """True if the gradients of ``fn(*inputs)`` are its derivatives, element by element, relatively.

    Every element of the Jacobian must satisfy ``|rule - truth| <= atol + rtol |truth|`` (beside a few
    units of rounding of the whole Jacobian). The truth comes from the function's values alone:
    ``"complex"`` steps, exact to rounding, or ``"difference"``, central differences with one Richardson
    extrapolation. ``"auto"`` takes the complex step unless the function does anything that is not
    analytic (comparisons, abs, maximum, numpy outside the tensors) or a difference contradicts it.
    ``order=2`` checks the gradients of the gradients as well, by differences of the gradients.

    ``inputs`` is a Tensor or a tuple, list or dict of them; those that require a gradient are checked.
    They must be float64, and are moved where they are: Parameters that ``fn`` closes over may be among
    them. One evaluation an element of the inputs, one backward pass an element of the outputs.

    Raises :class:`GradcheckError` (or returns False, with ``raise_exception=False``) with the worst
    element: the input by its name (``tg.name``, a module's Parameter) or position, the index, and the
    time step where the input has one: along the axis over which ``fn`` unbinds it (recurrent layers and
    ``tg.steps`` do), else along the first of three axes. TypeError for other dtypes, ValueError if
    nothing requires a gradient or ``fn`` gives other values the second time.

    >>> import tinygrad_rnn as tg
    >>> x = tg.tensor([0.5, 2.0], dtype=tg.float64, requires_grad=True)
    >>> tg.gradcheck(lambda x: x.tanh() * x, (x,), order=2)
    True
    >>> tg.gradcheck(lambda x: x * x.detach(), (x,), raise_exception=False)
    False
    """
    if order not in (1, 2):
        raise ValueError(f"gradcheck: order must be 1 or 2, got {order}")
    if method not in ("auto", "complex", "difference"):
        raise ValueError(f"gradcheck: method must be auto, complex or difference, got {method!r}")
    args = inputs if isinstance(inputs, (tuple, list)) else (inputs,)
    checked = _checked(args)

    def gradient(*args: Any) -> Any:
        outputs = [y for y in _outputs(fn(*args)) if y.requires_grad]
        weights = [
            Tensor._made(np.cos(1.0 + np.arange(y.numel())).reshape(y.shape)) for y in outputs
        ]
        found = _grad(outputs, checked, weights, create_graph=True)
        return [zeros_like(t) if g is None else g for g, t in zip(found, checked, strict=True)]

    try:
        _compare(_Probe(fn, args, checked), method, rtol, atol, "")
        if order == 2:
            _compare(_Probe(gradient, args, checked), "difference", rtol, atol, "of the gradient ")
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def _checked(args: Any) -> list[Tensor]:
    """The inputs to check, each of the right dtype."""
    found = []
    for at, t in _leaves(args):
        if isinstance(t, Tensor) and t.requires_grad:
            if t.dtype != np.float64:
                raise TypeError(f"gradcheck: inputs{at} is {t.dtype}, expected float64 (.double())")
            found.append(t)
    if not found:
        raise ValueError("gradcheck: none of the inputs requires a gradient")
    return found


def _outputs(result: Any) -> list[Tensor]:
    """The float Tensors among what a function returned."""
    return [y for _, y in _leaves(result) if isinstance(y, Tensor) and y.is_floating_point()]


def _grad(outputs: list[Tensor], inputs: list[Tensor], seeds: Any, **how: Any) -> list[Any]:
    if not outputs:
        return [None] * len(inputs)
    return list(gradients.grad(outputs, inputs, seeds, allow_unused=True, **how))


# ---- the function, seen from outside -------------------------------------------------------------


@dataclass
class _Probe:
    """A function at a point: its values nearby, all outputs in one vector."""

    fn: Callable[..., Any]
    args: Any
    inputs: list[Tensor]

    def values(self) -> Any:
        """The outputs at the inputs as they are now."""
        parts = [y._data.reshape(-1) for y in _outputs(self.fn(*self.args))]
        return np.concatenate([np.zeros(0), *parts])

    @contextmanager
    def moved(self, k: int, data: Array) -> Iterator[None]:
        """The k-th input with other values; nothing else of it changes."""
        tensor = self.inputs[k]
        before = tensor._data
        tensor._data = data
        try:
            yield
        finally:
            tensor._data = before

    def central(self, k: int, direction: Array) -> Array:
        """d outputs / d input along a direction, the error of order h**4."""

        def slope(h: float) -> Any:
            ends = []
            for move in (h, -h):
                with self.moved(k, self.inputs[k]._data + move * direction), enable_grad():
                    ends.append(self.values())
            return (ends[0] - ends[1]) / (2 * h)

        slopes: Array = (4 * slope(_H / 2) - slope(_H)) / 3
        return slopes

    def differences(self, k: int) -> Array:
        """The Jacobian by the k-th input, (outputs, elements)."""
        return self._columns(k, lambda unit: self.central(k, unit))

    def complex_steps(self, k: int, base: Array) -> Array | None:
        """The same by complex steps; None where they are not certain to be right."""
        x = self.inputs[k]._data

        def column(unit: Array) -> Array:
            with self.moved(k, analytic(x + 1j * STEP * unit)), no_grad():
                values = self.values()
            if not isinstance(values, Analytic):
                if values.dtype.kind == "c":
                    raise TypeError("complex values that nobody watched")
                return np.zeros(values.shape)
            numbers = plain(values)
            np.testing.assert_allclose(numbers.real, base, 1e-9, 1e-12)
            return np.asarray(numbers.imag / STEP)

        try:
            with np.errstate(all="ignore"):
                jacobian = self._columns(k, column)
        except Exception:  # whatever cannot take complex numbers is measured by differences
            return None
        direction = np.cos(1.0 + np.arange(x.size)).reshape(x.shape)
        ours, measured = jacobian @ direction.reshape(-1), self.central(k, direction)
        noise = 1e-5 * np.abs(measured) + 1e-8 * (1 + np.abs(base).max(initial=0))
        return jacobian if (np.abs(ours - measured) <= noise).all() else None

    def _columns(self, k: int, column: Callable[[Array], Array]) -> Array:
        x = self.inputs[k]._data
        columns = []
        for i in np.ndindex(x.shape):
            unit = np.zeros(x.shape)
            unit[i] = 1
            columns.append(column(unit))
        return np.stack(columns, 1) if columns else np.zeros((0, 0))


# ---- the comparison --------------------------------------------------------------------------------


def _compare(probe: _Probe, method: str, rtol: float, atol: float, of: str) -> None:
    """Raise for the worst element of any input."""
    with enable_grad():
        outputs = _outputs(probe.fn(*probe.args))
        base = probe.values()
    if not np.array_equal(
        base, np.concatenate([np.zeros(0), *(y._data.ravel() for y in outputs)]), True
    ):
        raise ValueError(
            "gradcheck: fn gives other values when called again: draw random numbers from a generator "
            "that fn seeds, and put modules in eval()"
        )
    rules = _rules(probe, outputs)
    reports: list[tuple[float, str]] = []
    for k in range(len(probe.inputs)):
        truth = None if method == "difference" else probe.complex_steps(k, base)
        if truth is None and method == "complex":
            raise ValueError(
                "gradcheck: this function does not allow the complex step: use method='auto'"
            )
        how = "central differences" if truth is None else "the complex step"
        noise = 0.0 if truth is not None else 100 * _EPS / _H * (np.abs(base).max(initial=0.0))
        truth = probe.differences(k) if truth is None else truth
        if not truth.size:
            continue
        size = 1e-13 if how.startswith("the") else 1e-10
        allowed = atol + rtol * np.abs(truth) + size * np.abs(truth).max() + noise + 1e-300
        excess = np.abs(rules[k] - truth) / allowed
        excess[~np.isfinite(excess)] = np.inf
        excess[(rules[k] == truth) | (np.isnan(rules[k]) & np.isnan(truth))] = 0
        if excess.max() > 1:
            text = _report(probe.inputs[k], k, outputs, rules[k], truth, excess)
            reports.append((float(excess.max()), text.format(of=of, how=how, rtol=rtol, atol=atol)))
    if reports:
        raise GradcheckError("gradcheck: " + max(reports)[1])


def _rules(probe: _Probe, outputs: list[Tensor]) -> list[Array]:
    """The Jacobian by the engine, (outputs, elements) an input, one backward pass a row."""
    rows: list[list[Array]] = [[] for _ in probe.inputs]
    for y in outputs:
        for i in np.ndindex(y.shape):
            seed = np.zeros(y.shape, y.dtype)
            seed[i] = 1
            found = _grad([y] if y.requires_grad else [], probe.inputs, [Tensor._made(seed)])
            for row, g, t in zip(rows, found, probe.inputs, strict=True):
                row.append(np.zeros(t.numel()) if g is None else g._data.reshape(-1))
    return [np.stack(r) if r else np.zeros((0, 0)) for r in rows]


def _report(
    tensor: Tensor, k: int, outputs: list[Tensor], rules: Array, truth: Array, excess: Array
) -> str:
    """The worst element in words, and how many others are off, at which steps."""
    row, column = np.unravel_index(np.argmax(excess), excess.shape)
    index = tuple(int(i) for i in np.unravel_index(column, tensor.shape))
    axis = _time_axis(tensor, outputs)
    off = np.flatnonzero((excess > 1).any(0))
    step = "" if axis is None else f" (time step {index[axis]})"
    error = abs(rules[row, column] - truth[row, column]) / max(abs(truth[row, column]), 1e-300)
    text = (
        f"the derivative {{of}}of output {_where(int(row), outputs)} by {_name(tensor, k, outputs)}"
        f"{list(index) if index else ''}{step} is {rules[row, column]:.6g} by the rules and "
        f"{truth[row, column]:.6g} by {{how}}, relative error {error:.2g} "
        f"(rtol={{rtol:g}}, atol={{atol:g}}); {off.size} of its {tensor.numel()} elements are off"
    )
    if axis is not None:
        steps = sorted({int(s) for s in np.unravel_index(off, tensor.shape)[axis]})
        text += f", at time steps {', '.join(map(str, steps[:8]))}"
        text += f" ... {steps[-1]}" if len(steps) > 8 else ""
    return text


def _where(row: int, outputs: list[Tensor]) -> str:
    """Which output, and where in it."""
    for k, y in enumerate(outputs):
        if row < y.numel():
            index = [int(i) for i in np.unravel_index(row, y.shape)]
            return f"{k}{index or ''}"
        row -= y.numel()
    return ""


def _users(tensor: Tensor, outputs: list[Tensor]) -> list[Any]:
    nodes = reachable(y._node for y in outputs if y._node is not None and y._node.needs)
    return [n for n in nodes if any(p is tensor._node for p in n.parents)]


def _name(tensor: Tensor, k: int, outputs: list[Tensor]) -> str:
    """A Parameter's name in the module that used it, a tensor's own name, or its position."""
    node = tensor._node
    assert node is not None  # an input that a gradient is asked for
    scopes = [n.place.scope for n in _users(tensor, outputs) if n.place.scope is not None]
    if scopes and isinstance(node, Leaf):
        label = leaf_label(node, scopes[0])
        return f"input {k}" if label == "a tensor" else label
    return node.name or f"input {k}"


def _time_axis(tensor: Tensor, outputs: list[Tensor]) -> int | None:
    """The axis over which the function unbinds the input, else the first of three."""
    for node in _users(tensor, outputs):
        if node.op.name == "unbind":
            return int(node.saved[-1])
    return 0 if tensor.ndim == 3 else None
