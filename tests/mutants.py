"""Tests of the tests: bugs planted one at a time in a copy of the package; the suite must see each.

    python tests/mutants.py [--only NAME] [--jobs N] [--part K/N] [--record]

``--part 1/4`` takes every fourth mutant, from the first on: CI plants another part every day. The test that
killed a mutant before (``killers.json``, written by ``--record``) runs first, its files where that one passes.
Prints every mutant and, at the end, ``killed / planted``. Exits with 1 where a mutant survives, breaks
the tests in another way than by failing them, or no longer finds the text that it changes, and where a
test that killed one fails without it, too.
"""
# ruff: noqa: E501 (a mutant is one line of the table)

from __future__ import annotations

import argparse
import compileall
import json
import os
import py_compile
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
KILLERS = Path(__file__).with_name("killers.json")  # the test that killed each
MOST = 600  # seconds: a bug that makes a test hang is seen, too; what is only slow must not pass for it
MARKS = "not slow and not browser and not peers"


class Mutant(NamedTuple):
    """A bug: in ``file`` the one place that reads ``old`` becomes ``new``; ``tests`` must fail."""

    name: str
    file: str
    old: str
    new: str
    tests: str  # the names of test files, without test_ and .py


ENGINE, TENSORS, CELLS = "engine/autograd.py", "tensors/value.py", "nn/cells.py"
LOOP, STACKS, MODULE = "nn/recurrent.py", "nn/stacks.py", "nn/module.py"
CALCULUS, SUMS, SHAPES = "ops/elementwise.py", "ops/reductions.py", "ops/shapes.py"
FEW, TEXT, SCHEDULE = "scan/rewrites.py", "scan/numpy_text.py", "scan/schedule.py"
AGAIN, PURITY, WALK, OPCODES = (
    "scan/call_cache.py",
    "scan/purity.py",
    "scan/bytecode.py",
    "scan/opcodes.py",
)
WRITING = "tensors/writing.py"
OPTIM, LEDGER, UTILS = "optim/optimizers.py", "graphs/ledger.py", "nn/utils/__init__.py"
ACCOUNTS, PROBING, SWEEP = "graphs/accounts.py", "scan/probing.py", "graphs/sweep.py"
REACH, FOLDING, RUNNING = "scan/reach.py", "scan/folding.py", "scan/running.py"
VERIFIED, PROGRAM = "scan/verified.py", "scan/program.py"

MUTANTS = [
    # ---- gradients over time
    Mutant("projection: not divided", LEDGER, "uses.along(whole) / length if", "uses.along(whole) if", "over_time"),
    Mutant("projection: factors swapped", ACCOUNTS, "((g @ whole) * x).sum()", "(g @ whole).sum()", "over_time"),
    Mutant("cancellation: reversed", LEDGER, "1.0 - whole / said", "1.0 - said / whole", "over_time"),
    Mutant("credit: a step's uses not joined", "graphs/credit.py", "sums[t] + part if t in sums else part", "part", "over_time"),
    Mutant("memory: steps in the wrong order", "graphs/memory.py", "for jacobian in jacobians[::-1]:", "for jacobian in jacobians:", "over_time"),
    Mutant("memory: other states count", "graphs/memory.py", "product[:, :size, :size]", "product", "over_time"),
    Mutant("replay: later gradients overwrite", "graphs/replay.py", "return d if before is None else before + d", "return d", "over_time"),
    Mutant("replay: a borrowed gradient written", "graphs/replay.py", "else np.array(before)", "else before", "over_time"),
    Mutant("replay: never committed", "graphs/replay.py", "    commit(reached, root)", "    pass", "over_time"),
    # ---- rules
    Mutant("sub: sign", CALCULUS, "lambda g, _y, _a, _b: -g,\n    promote=0,\n    text=\"{0} - {1}\"", "lambda g, _y, _a, _b: g,\n    promote=0,\n    text=\"{0} - {1}\"", "ops"),
    Mutant("mul: operands swapped", CALCULUS, "lambda g, _y, _a, b: g * b,\n    lambda g, _y, a, _b: g * a", "lambda g, _y, a, _b: g * a,\n    lambda g, _y, _a, b: g * b", "ops"),
    Mutant("div: no square", CALCULUS, "lambda g, y, _a, b: -g * y / b", "lambda g, y, _a, b: -g * y", "ops"),
    Mutant("tanh: slope", CALCULUS, "g - g * (y * y)", "g - g * y", "ops"),
    Mutant("sigmoid: slope", CALCULUS, "g * (y - y * y)", "g * (y + y * y)", "ops"),
    Mutant("sqrt: half", CALCULUS, "g / (2 * y)", "g / y", "ops"),
    Mutant("relu: at 0", CALCULUS, "where(y <= 0, 0.0, g),\n    machine=\"zero", "where(y < 0, 0.0, g),\n    machine=\"zero", "ops"),
    Mutant("maximum: tie to one", CALCULUS, "where(a == b, 0.5,", "where(a == b, 1.0,", "parity ops"),
    Mutant("where: branches swapped", CALCULUS, "where(c, 0.0, g)", "where(c, g, 0.0)", "ops"),
    Mutant("clip: bounds do not pass", CALCULUS, "(a >= low) & (a <= high)", "(a > low) & (a < high)", "parity ops"),
    Mutant("power: 0 ** 0", CALCULUS, "zero = (a == 0) & (b >= 0)", "zero = (a == 0) & (b > 0)", "parity ops"),
    Mutant("sum: of the mean", SUMS, "_spread(as_array(g / _count(shape, axes)), shape, axes)", "_spread(g, shape, axes)", "ops"),
    Mutant("var: factor", SUMS, "keepdims=True)) * (2 / n)", "keepdims=True)) * (1 / n)", "ops"),
    Mutant("amax: ties all full", SUMS, "* hit / hit.sum(axis=axes, keepdims=True)", "* hit", "parity ops"),
    Mutant("softmax: no projection", SUMS, "y * (g - (g * y).sum(axis=axes, keepdims=True))", "y * g", "ops"),
    Mutant("matmul: not transposed", "ops/products.py", "return _product(g, b.mT)", "return _product(g, b)", "ops"),
    Mutant("linear: x for x squared", "ops/products.py", "lambda g, _y, x, _w, _b: _product(_flat(g).mT, _flat(x)),", "lambda g, _y, x, _w, _b: _product(_flat(g).mT, _flat(x)) * 2,", "recurrent"),
    Mutant("permute: not inverted", SHAPES, "permute(g, _inverse(axes))", "permute(g, axes)", "ops"),
    Mutant("flip: not undone", SHAPES, "lambda g, _y, _a, axes: flip(g, axes)", "lambda g, _y, _a, axes: g", "ops"),
    Mutant("cat: offset by one part", SHAPES, "slice(offsets[i], offsets[i + 1])", "slice(offsets[0], offsets[i + 1] - offsets[i])", "ops"),
    Mutant("put: old value keeps gradient", "ops/indexing.py", "put(g, 0.0, index)", "put(g, g[index], index)", "autograd"),
    Mutant("embedding: padding trained", "ops/indexing.py", "if padding is not None:", "if False:", "modules"),
    # ---- the engine
    Mutant("no unbroadcast of lead axes", ENGINE, "lead = len(g.shape) - len(shape)", "lead = 0 * len(shape)", "ops properties"),
    Mutant("no unbroadcast of sides of 1", ENGINE, "if side == 1 and g.shape[lead + i] != 1", "if False", "ops properties"),
    Mutant("At overwrites", "engine/scatter.py", "buffer[self.index] += self.value", "buffer[self.index] = self.value", "autograd properties"),
    Mutant("At: twice named counts once", "engine/scatter.py", "np.add.at(buffer.reshape(-1), one_by_one, rows.ravel())", "buffer.reshape(-1)[one_by_one] += rows.ravel()", "autograd ops properties"),
    Mutant("At: rows twice named count once", "engine/scatter.py", "if most == 1:", "if True:", "few_passes"),
    Mutant("At: later rows of a place left out", "engine/scatter.py", "for m in more:", "for m in more[:-1]:", "few_passes"),
    Mutant("At: from the end", "engine/scatter.py", "np.where(i < 0, i + side, i)", "i", "few_passes"),
    Mutant("arrays: sigmoid's slope", "ops/few_passes.py", "np.subtract(y, d, d)", "np.add(y, d, d)", "few_passes ops"),
    Mutant("arrays: a gate at 0", "ops/few_passes.py", "s[near] = 0.5", "s[near] = 0.0", "few_passes"),
    Mutant("arrays: -0.0 chosen as 0", CALCULUS, " and math.copysign(1.0, a) > 0", "", "few_passes"),
    Mutant("arrays: a slope above 1", "ops/curves.py", "if quick(a) and 0 < slope <= 1:", "if quick(a):", "few_passes"),
    Mutant("rows: later turns left out", "ops/along_rows.py", "for k in range(0, n, count):", "for k in range(0, count, count):", "few_passes"),
    Mutant("rows: cross entropy without its class", "ops/along_rows.py", "e.shape[1])] -= g", "e.shape[1])] -= 0", "few_passes ops"),
    Mutant("second gradient replaces", ENGINE, "            grads[k] = old + d\n            if not", "            grads[k] = d\n            if not", "autograd"),
    Mutant("third gradient dropped", ENGINE, "                elif j in owned and old.__class__ is ndarray:\n                    old += d\n", "                elif j in owned and old.__class__ is ndarray:\n                    pass\n", "autograd recurrent"),
    Mutant("borrowed gradient written", ENGINE, "                if old is None:\n                    grads[j] = d\n", "                if old is None:\n                    owned.add(j)\n                    grads[j] = d\n", "autograd machine"),
    Mutant("borrowed in At", ENGINE, "elif k not in owned or old.__class__ is not np.ndarray:", "elif False:", "autograd"),
    Mutant("leaf gradient not owned", "engine/gradients.py", "(references == _ONE and g.base is None)", "True", "autograd few_passes"),
    Mutant("gradient not cast", ENGINE, "d = d.astype(parent.dtype)", "pass", "ops autograd"),
    Mutant("stale leaf not refused", "engine/gradients.py", "            if target.stale is not None:\n                refuse_stale(reached, [root])\n", "", "autograd"),
    Mutant("stale leaf not refused by grad", "engine/gradients.py", 'getattr(r[0], "key", None) in keys)', "False)", "autograd"),
    Mutant("stale: no cure named", "engine/stale.py", "call state.detach() (or tg.detach(state)) before", "wait before", "autograd"),
    Mutant("second backward replaces", "engine/gradients.py", "np.add(before._data, g, dtype=target.dtype)", "np.asarray(g, dtype=target.dtype)", "autograd"),
    Mutant("missing part of a split", "ops/row.py", "zeros = np.zeros if state.tracer", "zeros = np.ones if state.tracer", "autograd ops"),
    Mutant("seed not checked", "engine/gradients.py", "        if data.shape != tensor._data.shape:\n            raise", "        if False:\n            raise", "autograd"),
    Mutant("no_grad not undone", "engine/switches.py", "state.recording, self._before = self._before", "_, self._before = self._before", "autograd"),
    Mutant("recording shared by threads", "engine/places.py", "class _State(threading.local):", "class _State:", "autograd"),
    Mutant("observer gets no gradient", ENGINE, "observer(node, i, g, as_array(d))", "observer(node, i, g, as_array(d)) if i else None", "recurrent"),
    # ---- tensors
    Mutant("passed array not copied", "tensors/arrays.py", "array = np.array(given)  # a copy", "array = np.asarray(given)  # a copy", "autograd"),
    Mutant("missing lock", "tensors/leaving.py", "        self._data.flags.writeable = False\n", "", "autograd mutation_guards"),
    Mutant("detach loses the tag", TENSORS, "        t._tag = self._step\n", "", "recurrent"),
    Mutant("write keeps the leaf", TENSORS, "self._node = node.replaced(data.shape, data.dtype, by).hold(data)", "pass", "autograd"),
    Mutant("write in place", TENSORS, "        self._data = data = as_array(data)\n        node", "        self._data[...] = data = as_array(data)\n        node", "autograd mutation_guards"),
    Mutant("requires_grad toggled in place", TENSORS, 'self._node = node.replaced(node.shape, node.dtype, f"requires_grad = {on}")\n', "pass\n", "autograd mutation_guards"),
    Mutant("grad of another shape", TENSORS, "            if value._data.shape != self._data.shape:\n                raise ValueError(f\"grad", "            if False:\n                raise ValueError(f\"grad", "mutation_guards"),
    # ---- recurrence
    Mutant("LSTM: gates swapped", CELLS, "        i, f, g, o = sigmoid(i), sigmoid(f), tanh(g), sigmoid(o)\n        c = f * c + i * g\n        h = self.project(o * tanh(c))\n        name_all(z=z,", "        i, f, g, o = sigmoid(i), sigmoid(o), tanh(g), sigmoid(f)\n        c = f * c + i * g\n        h = self.project(o * tanh(c))\n        name_all(z=z,", "recurrent"),
    Mutant("GRU: gates swapped", CELLS, "x_r, x_z, x_n = linear", "x_z, x_r, x_n = linear", "layers_parity layers"),
    Mutant("GRU: update gate inverted", CELLS, "h = (1 - z) * n + z * h", "h = z * n + (1 - z) * h", "layers_parity layers"),
    Mutant("recurrent matrix transposed", CELLS, "linear(state, self.weight_hh, self.bias_hh)", "linear(state, self.weight_hh.T, self.bias_hh)", "recurrent parity"),
    Mutant("second bias forgotten", CELLS, "linear(state, self.weight_hh, self.bias_hh)", "linear(state, self.weight_hh)", "recurrent parity"),
    Mutant("forget bias left out", CELLS, 'init.forget_bias_(self, self.__dict__["forget_bias"])', "pass", "recurrent layers"),
    Mutant("forget bias on another gate", "nn/init.py", "at = list(cell.gates).index(gate) * cell.hidden_size", "at = 0", "recurrent layers"),
    Mutant("peephole of the old state", "nn/more_cells.py", "o = sigmoid(o + p_o * c)", "o = sigmoid(o + p_o * state[1])", "layers"),
    Mutant("backward direction runs forward", LOOP, "if loop.backwards else range(steps)", "if False else range(steps)", "layers_parity layers"),
    Mutant("outputs of the way back reversed", LOOP, "outputs[k], state = output, new", "outputs[k if not loop.backwards else steps - 1 - k], state = output, new", "scan"),
    Mutant("length off by one", "nn/lengths.py", "= lengths > step", "= lengths >= step", "ragged"),
    Mutant("state runs on beyond the end", LOOP, "live_only(live, output), kept(live, new, state)", "live_only(live, output), new", "ragged"),
    Mutant("padding is shown", LOOP, "live_only(live, output), kept(live, new, state)", "output, kept(live, new, state)", "ragged"),
    Mutant("a detached step", LOOP, "else live_only(live, xs[k]), state\n", "else live_only(live, xs[k]), state\n            if t == 2:\n                from ..tensors.functions import detach\n                entered = detach(entered)\n", "recurrent autograd"),
    Mutant("dropout mask of each step", "nn/variational.py", "return (lambda value: mapped(lambda t, m: t * m, value, mask_x)), drop_state", "return (lambda value: mapped(lambda t: t * mask(t), value)), drop_state", "layers"),
    Mutant("dropout not scaled", "nn/variational.py", "(draw.random(t.shape) < keep) / keep, t.dtype", "(draw.random(t.shape) < keep) / 1, t.dtype", "layers"),
    Mutant("uses mislabelled", LOOP, "entered, loop.first_step + t,", "entered, loop.first_step,", "recurrent"),
    Mutant("state of a layer not checked", STACKS, "            if part.shape != want:\n", "            if False:\n", "rejections"),
    Mutant("layers swap their starts", STACKS, "self._stack[at].run(xs, starts[at], loop", "self._stack[at].run(xs, starts[-1 - at], loop", "scan"),
    Mutant("dropout after the last layer", STACKS, "if k and how.dropout:", "if how.dropout:", "scan"),
    Mutant("list of tensors loses gradients", MODULE, "isinstance(x, (str, dict)) or holds_tensors(x):", "isinstance(x, (str, dict)):", "rejections"),
    Mutant("half a state loaded", MODULE, "        if faults:\n            raise", "        if False:\n            raise", "modules"),
    Mutant("ledger row lost", LEDGER, "self._entries.setdefault(parent.key, []).append(Entry(node, operand", "self._entries.setdefault(parent.key, [])[:] = (Entry(node, operand", "recurrent"),
    Mutant("ledger in another order", ACCOUNTS, "return row.step is None, row.step or 0, row.node.number", "return False, 0, -row.node.number", "recurrent"),
    Mutant("told: a state a step late", SWEEP, "sender, inside.entering[k][begin]", "sender, inside.entering[k][begin - 1]", "long_backward"),
    Mutant("told: a sum's gradient for another's", PROBING, "if len(users) != 1 or row_name(users[0].op) != \"add\"", "if len(users) != 1 or row_name(users[0].op) not in (\"add\", \"sub\", \"mul\")", "long_backward"),
    Mutant("told: rows that no gradient reaches", PROBING, "uses[reached, t] = entered", "uses[:, t] = entered", "long_backward"),
    Mutant("told: a compiled call's rows unordered", ACCOUNTS, "np.concatenate([found, *rows])[self.order]", "np.concatenate([found, *rows])", "long_backward"),
    # ---- few calls of numpy
    Mutant("numpy: the sign of a product", FEW, 'return self.make("sub", (rest, product), (), shape, dtype)', 'return self.make("add", (rest, product), (), shape, dtype)', "scan"),
    Mutant("numpy: a product of reciprocals", FEW, 'return self.make("div", (other, below), (), shape, dtype)', 'return self.make("mul", (other, below), (), shape, dtype)', "scan"),
    Mutant("numpy: factors gathered by addition", FEW, "factor = self.make(op, tuple(factors), (), side, dtype)", 'factor = self.make("add" if op == "sub" else op, tuple(factors), (), side, dtype)', "scan"),
    Mutant("numpy: a gradient that is still read", TEXT, "free = max(readers, default=-1) <", "free = -1 <", "scan"),
    Mutant("numpy: pieces from the front", TEXT, "at = slice(high - {TIME}, high)", "at = slice(steps - high, steps - high + {TIME})", "scan"),
    Mutant("numpy: memory that is still read", SCHEDULE, "if count == 1}", "if count}", "scan"),
    # ---- training
    Mutant("clipping twice scales", UTILS, "    if not norm <= max_norm:\n", "    if norm > 0:\n", "autograd optim sharing"),
    Mutant("clipping hides NaN", UTILS, "if error_if_nonfinite and not math.isfinite(norm):", "if False:", "modules optim training"),
    Mutant("Adam: bias of v", OPTIM, "math.sqrt(1 - b2**t)", "1.0", "optim"),
    Mutant("Adam: bias of m", OPTIM, "lr / (1 - b1**t)", "lr", "optim optim_extra"),
    Mutant("AdamW: decay in the gradient", OPTIM, "    decoupled = True", "    decoupled = False", "optim optim_extra"),
    Mutant("a step like the last one writes without a trace", "tensors/all_or_none.py", "getrefcount(node) == _ALONE and ", "", "together"),
    Mutant("a state that was looked at is not read", OPTIM, "        self._rows.whole = None  # what is looked at may be changed\n", "", "together"),
    Mutant("rows: a quick call takes numpy's turn", AGAIN, " or counted(self.cell, derive)", "", "again_lengths"),
    Mutant("rows: what comes from the end comes from the batch's", "scan/ragged.py", "(size[b] - 1 - t) * batch", "(size[0] - 1 - t) * batch", "ragged_rows"),
    Mutant("products at once: as many chains as fit the rows", "scan/numba_text.py", "alike = 1 if B < 16 else 0", "alike = 0", "scan_numba"),
    Mutant("first states never get gradients", "scan/numba_loops.py", "block, skip = self.block, -1 if first else 0", "block, skip = self.block, 0", "scan_numba"),
    Mutant("first states: every block leaves them out", "scan/numba_loops.py", "skip=-1 if start else skip", "skip=skip", "scan_numba"),
    Mutant("machine code: velocity of the step before", "optim/updates.py", "g = g + momentum * v if nesterov else v", "g = g + momentum * v", "optim_extra"),
    Mutant("replay: loops of the first trace", "scan/running.py", "        made._run([np.ascontiguousarray(x[::-1] if self.direction.backwards else x)], states, name)", "        made._run([np.ascontiguousarray(x[::-1] if self.direction.backwards else x)], states, name)\n        made.loops = self.loops", "compile_step"),
    Mutant("replay: settings are not watched", "training/compiled.py", "(p for p in known if p.holds())", "iter(known)", "compile_step"),
    Mutant("replay: a program is not held against the plain iteration", "training/compiled.py", "if not _agree((loss, found), (value._data, reached.values())):", "if False:", "compile_step"),
    Mutant("optimizer writes without a trace", OPTIM, "p._install(value, by)", "p._data = value", "autograd"),
    Mutant("mask: one step too many", "nn/utils/rnn.py", "np.arange(steps) < given[:, None]", "np.arange(steps) <= given[:, None]", "losses"),
    Mutant("loss broadcasts", "nn/loss_functions.py", "    if x.shape != y.shape:\n        raise ValueError(\n            f\"{who}", "    if False:\n        raise ValueError(\n            f\"{who}", "losses modules"),
    Mutant("tbptt: state not cut", "nn/truncated.py", "yield Chunk(whole, detach(after),", "yield Chunk(whole, after,", "tbptt"),
    # ---- one owner, shared Parameters, all or none
    Mutant("a layer's own copy of a weight", STACKS, "        cell._assign(short, value, (type(self).__name__, name))\n", "        super()._assign(name, value, known_as)\n", "ownership"),
    Mutant("registered beside the cell", STACKS, "            cell._own(table, short, value)\n", "            super()._own(table, name, value)\n", "ownership"),
    Mutant("deleted in the layer alone", STACKS, "            delattr(*owner)\n", "            pass\n", "ownership"),
    Mutant("the last cell's weights are not listed", STACKS, 'for at, layer in enumerate(self.__dict__.get("_stack", ())):\n                cell, end', 'for at, layer in enumerate(self.__dict__.get("_stack", ())[:1]):\n                cell, end', "ownership"),
    Mutant("a weight of any shape", MODULE, "        elif value.shape != shape:\n", "        elif False:\n", "ownership"),
    Mutant("a weight may be None", MODULE, '            if not name.startswith("bias"):\n', "            if False:\n", "ownership"),
    Mutant("a table that does not write through", MODULE, "        delattr(self._module, name)\n", "        del self._module.__dict__[self._table][name]\n", "ownership"),
    Mutant("the last of two tensors wins", MODULE, "            if differ and new.shape == other.shape:\n", "            if False:\n", "sharing"),
    Mutant("an alias is missing", MODULE, "if id(own[name]) not in there]", "if name not in given]", "sharing"),
    Mutant("a module's second name is unknown", MODULE, "            if module not in above:  # a module", "            if module not in above and not path:  # a module", "sharing modules"),
    Mutant("a shallow copy with the same tables", MODULE, "made.__dict__[table] = dict(self.__dict__[table])", "pass", "sharing"),
    Mutant("a list of modules renumbers no place", MODULE, "        for name in list(self.__dict__[\"_modules\"]):\n            delattr(self, name)\n        self.extend(checked)\n", "        self.extend(checked)\n", "sharing"),
    Mutant("a copy shares its gradient", "tensors/copying.py", "handle(np.array(grad._data), None)", "grad", "sharing"),
    Mutant("a pickled frozen Parameter is none", "tensors/copying.py", "if requires_grad or is_leaf:", "if requires_grad:", "sharing"),
    Mutant("a failed write is not undone", "tensors/all_or_none.py", "                t._data, t._node = data, node\n", "                pass\n", "all_or_none"),
    Mutant("an undone write stays stale", "tensors/all_or_none.py", "                    node.hold(data).stale, node.stale_at = None, 0\n", "                    pass\n", "all_or_none"),
    Mutant("memory goes on though the step failed", OPTIM, "memory = dict(self.state.get(p, {}))", "memory = self.state.setdefault(p, {})", "all_or_none"),
    Mutant("a 0-d memory is a scalar", OPTIM, "return np.asarray(value, p.dtype) if", "return value if", "together"),
    Mutant("half of the gradients clipped", UTILS, "        for owner, old in zip(owners, before, strict=True):\n            owner.grad = old\n", "", "all_or_none"),
    Mutant("a bound that is NaN", UTILS, "    if not bound >= 0:\n", "    if bound < 0:\n", "sharing"),
    Mutant("NaN passes the clipping", UTILS, "    if not norm <= max_norm:\n", "    if norm > max_norm:\n", "sharing"),
    Mutant("a loaded schedule sets no rate", "optim/lr_scheduler.py", "        self._resume(rates)\n", "", "sharing"),
    Mutant("a loaded cycle sets no momentum", "optim/lr_scheduler.py", "        self.get_lr()  # the momenta\n", "", "sharing"),
    Mutant("a wrong probability stays", "nn/loss_functions.py", "(d * (held - y) + d * d * 0.5) * steepest", "d * 0.0", "losses"),
    Mutant("NaN has no slope", "nn/loss_functions.py", "far = d >= beta", "far = (d >= beta) | np.isnan(d)", "losses"),
    Mutant("any file name", "files/__init__.py", "    if path.suffix.lower() not in ends and", "    if False and", "sharing"),
    Mutant("an empty tensor of one axis", "tensors/several.py", "    if model.ndim > 1:\n        empty", "    if False:\n        empty", "tensors"),
    Mutant("export: isnan is frozen", "tensors/pointwise.py", 'return unrecorded("isnan", np.isnan(self._data), self)', "return Tensor._wrap(np.asarray(np.isnan(self._data)), None)", "onnx_frozen"),
    Mutant("export: any as all", "interop/onnx_ops.py", '"any": _whether("ReduceMax")', '"any": _whether("ReduceMin")', "onnx_frozen"),
    Mutant("export: no wilder run", "interop/onnx_export.py", "        others += _wilder(module, inputs, unroll)\n", "", "onnx_frozen"),
    Mutant("a constant asks for a gradient", AGAIN, "[w._node is not None and w._node.needs for w in weights]", "[w._node.needs for w in weights]", "ownership"),
    Mutant("a name with a dot", MODULE, 'if not isinstance(name, str) or not name or "." in name:', "if False:", "sharing"),
    Mutant("export: a computed weight is frozen", "interop/onnx_export.py", "if len(then) != len(now) or not all(map(same, then, now)):", "if False:", "onnx_frozen"),
    # ---- every operand by its shape, every result once compared
    Mutant("exact: a wrong first result passes", "scan/verified.py", "    return bool((np.abs(a[~odd] - b[~odd]) <= most).all())", "    return True", "scan_exact"),
    Mutant("exact: not finite is finite", "scan/verified.py", "    if not np.array_equal(a[odd], b[odd], equal_nan=True):", "    if False:", "scan_exact"),
    Mutant("exact: fences are not looked at", "scan/verified.py", "            if not (np.isnan(fence) if fence.dtype.kind == \"f\" else fence == 1).all():", "            if False:", "scan_exact"),
    Mutant("exact: fenced memory holds zeros", "scan/verified.py", "np.nan if np.dtype(dtype).kind == \"f\" else 1, dtype)", "0 if np.dtype(dtype).kind == \"f\" else 1, dtype)", "scan_exact"),
    Mutant("exact: a crash is no reason", "scan/verified.py", "            found = _in_words(name, error)\n", "            raise\n", "scan_exact"),
    Mutant("exact: a reshape is always a view", "scan/numpy_text.py", "        return v not in self.whole\n", "        return False\n", "scan_exact"),
    Mutant("exact: handed down over one another", "scan/numpy_text.py", "            if self._of_seed(self.carried[k]):", "            if False:", "scan_exact"),
    Mutant("exact: numbers over time are numbers", "scan/numpy_text.py", "        if not shape:  #", "        if False:  #", "scan_exact"),
    Mutant("exact: an output of every step alike", "scan/numpy_loops.py", "        if not p.depends[p.y]:  # the same", "        if False:  # the same", "scan_exact"),
    Mutant("exact: quick gradients beyond all numbers", "scan/numpy_loops.py", "            if _finite(dx, *ds, *dw):", "            if True:", "scan_exact"),
    Mutant("exact: Python numbers in double", "scan/runtime.py", "        return made if made.dtype == dtype else made.astype(dtype)", "        return made", "scan_exact"),
    Mutant("exact: columns: all have rows", "scan/numba_plan.py", "        return bool(self.p.depends[v]) or self.p.values[v].shape[:-1] not in ((), (1,))", "        return True", "scan_exact_numba"),
    Mutant("exact: columns: one is as wide as the loop", "scan/numba_plan.py", "            if self.columns(v) == 1:\n                low, high = 0, 1\n", "", "scan_exact_numba"),
    Mutant("exact: columns: a stretched one is stored once", "scan/numba_plan.py", "        if self.computed(behind[0]) and behind[2] - behind[1] == high - low:", "        if self.computed(behind[0]):", "scan_exact_numba"),
    Mutant("exact: columns: read before they are written", "scan/numba_plan.py", "<= usable & self.within[n]:", "<= usable:", "scan_exact_numba"),
    Mutant("exact: columns: handed down over one another", "scan/numba_plan.py", "        self.copies = self.handed + self.copies\n", "        self.copies = self.copies + self.handed\n", "scan_exact_numba"),
    Mutant("exact: columns: a sum at the row's beginning", "scan/numba_text.py", "                after += [f\"{number(*place)} = {x}\" for place in self.stores[cell]]", "                after += [f\"{once(place[0])} = {x}\" for place in self.stores[cell]]", "scan_exact_numba"),
    Mutant("exact: columns: one number is spread as columns", "scan/numba_text.py", "            spread = hi - lo == 1 and width > 1", "            spread = False", "scan_exact_numba"),
    Mutant("exact: columns: algebra with rounded numbers", "scan/formulas.py", "FLAGS = '{\"contract\", \"nsz\"}'", "FLAGS = '{\"contract\", \"nsz\", \"reassoc\"}'", "scan_exact_numba"),
    Mutant("exact: columns: Python numbers in double", "scan/formulas.py", "        if value.dtype == \"f\" != self.dtype:", "        if False:", "scan_exact_numba"),
    Mutant("exact: products: sizes are not tested", "scan/products.py", "        if rows * inner > a.size or whole > w.size or rows * width > out.size:", "        if False:", "scan_exact_numba"),
    Mutant("exact: columns: indices are never tested", "scan/numba_text.py", "            options += \", boundscheck=True\"\n", "", "scan_exact_numba"),
    Mutant("exact: columns: indices are always tested", "scan/numba_text.py", "        if os.environ.get(CHECK) == \"1\":", "        if True:", "scan_exact_numba"),
    Mutant("exact: columns: a state's gradient is added up in place", "scan/numba_plan.py", "                and d not in self.carried\n", "", "scan_exact_numba"),
    Mutant("exact: columns: what is kept is added up in place", "scan/numba_plan.py", "                and d not in self.stored\n", "", "scan_exact_numba"),
    Mutant("exact: columns: numbers without rows are taken", "scan/numba_plan.py", "        fits = lead == (self.rows,)\n", "        fits = lead == (self.rows,) or not shape\n", "scan_exact_numba"),
    Mutant("exact: columns: equal numbers are one", "scan/program.py", "self.apart and type(number) is float", "False", "scan_exact_numba"),
    Mutant("exact: columns: times 1.0 is another program", "scan/program.py", "if type(factor) is int and factor == 1 and", "if factor == 1 and", "scan_exact_numba"),
    Mutant("exact: curves: numpy's sigmoid of large numbers", "scan/numpy_text.py", "                f\"exp({o}, {o})\",\n", "                f\"minimum({o}, 88.7, out={o})\",\n                f\"exp({o}, {o})\",\n", "scan_exact_numba"),
    Mutant("exact: curves: a float32 sigmoid ends at 0", "scan/vector_math.py", "    return ZERO if x < LEAST32 else y\n", "    return y\n", "scan_exact_numba"),
    Mutant("exact: curves: a float64 sigmoid ends at 0", "scan/vector_math.py", "    return 0.0 if x < LEAST64 else y\n", "    return y\n", "scan_exact_numba"),
    Mutant("exact: curves: the sign of NaN", "ops/elementwise.py", "(one if {0} > zero else -one if {0} < zero else zero)", "(one if {0} > zero else -one if {0} < zero else {0})", "scan_exact_numba"),
    Mutant("later errors: forward's are raised", "scan/numpy_loops.py", "            raise Untraceable(failure(self.name, error)) from error", "            raise", "later_errors"),
    Mutant("later errors: lack of memory too", "scan/numpy_loops.py", "        except (MemoryError, Untraceable):", "        except Untraceable:", "later_errors"),
    Mutant("later errors: draws stay drawn", "scan/running.py", "            draw.bit_generator.state = before\n", "            pass\n", "later_errors"),
    Mutant("later errors: backward's are raised", "scan/folding.py", "        return node.saved[0].derived(g)", "        return node.saved[0].gradients(g)", "later_errors"),
    Mutant("later errors: backward's are silent", "scan/folding.py", "            if self.layer is not None:", "            if False:", "later_errors"),
    Mutant("later errors: gradients of all outputs are 1", "scan/folding.py", "[Tensor._wrap(d, None) for _, d in came]", "[Tensor._wrap(np.ones_like(d), None) for _, d in came]", "later_errors"),
    Mutant("later errors: beyond the call's inputs", "scan/folding.py", "fresh.get(id(t), node)) for t, data, node in self.values", "node) for t, data, node in self.values", "later_errors"),
    Mutant("a weight that does not fit goes on", "nn/layers.py", "        if weight.ndim not in (1, 2) or weight.shape[-1] != size:", "        if False:", "rejections"),
    Mutant("a norm's weight that does not fit goes on", "nn/layers.py", "            if value is not None and value.shape != self.normalized_shape:", "            if False:", "rejections"),
    # ---- writes in place
    Mutant("in place: a view stands for itself", WRITING, "return t._alias[1] if t._alias.__class__ is tuple else t", "return t", "writes"),
    Mutant("in place: partners keep the old array", WRITING, "        m._data = moved[id(a)]\n", "        m._data = moved[id(a)] if m is t else a\n", "writes"),
    Mutant("in place: memory that others hold", WRITING, "return count == _ONE + known - 1 and not weak", "return not weak", "writes"),
    Mutant("in place: a view that a node holds", WRITING, "if getrefcount(m._data) != _ONE + held[id(m._data)] - 1 or getweakrefcount(m._data):", "if getweakrefcount(m._data):", "writes"),
    Mutant("in place: always a copy", WRITING, "    alone = t._data.flags.writeable and _alone(live)\n", "    alone = False\n", "writes"),
    Mutant("in place: the old leaf lives on", WRITING, "t._node = node.replaced(t._data.shape, t._data.dtype, by).hold(t._data)", "pass", "writes"),
    Mutant("in place: a leaf while recording", WRITING, "        if needs:\n            raise RuntimeError(", "        if needs and not asks:\n            return False\n        if needs:\n            raise RuntimeError(", "writes"),
    Mutant("in place: views keep their derivative", WRITING, "        if not np.may_share_memory(m._data, t._data):\n", "        if True:\n", "writes"),
    Mutant("in place: the value's gradient is lost", WRITING, "if value.__class__ in NUMBERS else parent_of(value)", "if value.__class__ in NUMBERS else Constant(value.shape, value.dtype)", "writes"),
    Mutant("in place: the old value's gradient is lost", WRITING, "return Node(op, (before, parent),", "return Node(op, (Constant(base.shape, base.dtype), parent),", "writes"),
    Mutant("in place: detach is a view", WRITING, "    joined(a, t, False)\n    return t\n", "    joined(a, t, True)\n    return t\n", "writes"),
    Mutant("in place: a snapshot follows", WRITING, "if _token(m).__class__ is Snapshot and _token(m) is not token]", "if False]", "writes"),
    Mutant("in place: a step leaves its views", WRITING, "    _part([m for m in others if m is not t], by)\n", "", "writes"),
    Mutant("in place: a copy of what is assigned to data", WRITING, "    if same:\n        joined(new, t, False)\n", "", "writes"),
    Mutant("in place: an expanded tensor", WRITING, "    if shapes.stretched(target):\n", "    if False:\n", "writes"),
    Mutant("in place: an index twice", WRITING, "        _once(t, index, by)\n", "        pass\n", "writes"),
    Mutant("in place: any dtype", WRITING, "    if _RANKS[new._data.dtype.kind] > _RANKS[t._data.dtype.kind]:\n", "    if False:\n", "writes"),
    Mutant("in place: retained gradients stay behind", WRITING, "        node.retained = [old.retained[0]]\n", "        pass\n", "writes"),
    Mutant("in place: compiled as if nothing were written", WRITING, '    if state.tracer is not None and not (alone and state.tracer.rebinds):\n', "    if False:\n", "writes"),
    Mutant("in place: positions of a view", WRITING, "return np.unravel_index(found, outer.shape) if", "return np.unravel_index(found[..., ::-1], outer.shape) if", "writes"),
    Mutant("in place: what is written outside has no derivative", WRITING, "    elif node is not None and not isinstance(node, Node):\n        t._node = None\n", "    elif node is not None:\n        t._node = None\n", "writes"),
    Mutant("in place: one number is a copy", "ops/indexing.py", "    if isinstance(part, np.generic):\n", "    if False:\n", "writes"),
    Mutant("in place: the dead are never left out", "ops/recording.py", "    if n.bit_length() != (n - added).bit_length():\n", "    if False:\n", "writes"),
    Mutant("in place: a clone shares", "tensors/shaping.py", "            t._alias, flags = None, t._data.flags\n", "            flags = t._data.flags\n", "writes"),
    # ---- calls like an earlier one, and cells that are followed
    Mutant("a replaced Parameter is not seen", "scan/variants.py", "if seen is not value and not same(seen, value):", "if seen is not value and not same(seen, value) and not isinstance(seen, Tensor):", "again"),
    Mutant("another precision is not seen", "scan/variants.py", " or tensor._data.dtype is not dtype:", ":", "again"),
    Mutant("arrays from outside are constants", WALK, "            if _holds_array(atom):", "            if False:", "users_cells"),
    Mutant("arrays from outside in a list are constants", WALK, "        if any(map(_holds_array, union(values))):", "        if False:", "users_cells"),
    Mutant("another option of a user's cell is not seen", AGAIN, "_step_shape(x, axis) == self.shape and self.variant.holds()", "_step_shape(x, axis) == self.shape", "again_recurrent"),
    Mutant("a state of another nesting is taken", AGAIN, "        if nesting(state) != prepared.nesting:", "        if False:", "again_recurrent"),
    Mutant("all steps at once by the axes of one", "scan/batched.py", "any(over_time) and not total and value.op not in ELEMENTWISE", "False and any(over_time)", "all_steps"),
    Mutant("another option is not seen", "scan/variants.py", "        held = hold(self.guards)\n", "        held = True\n", "again"),
    Mutant("h's gradient counts twice", AGAIN, "g[0][None], [None, *g[1:]]", "g[0][None], [*g]", "again"),
    Mutant("frozen weights shift the others' gradients", AGAIN, "asked = compress((dx, *dstates, *dweights), self.asking)", "asked = (dx, *dstates, *dweights)[-len(self.parents) :]", "again"),
    Mutant("c's derivative without h's way", AGAIN, "    nested = True", "    nested = False", "again"),
    Mutant("one program with and without a gradient", "scan/tracing.py", "node.dtype.char, node.needs)", "node.dtype.char)", "again"),
    Mutant("only the last block's sums", "scan/numba_loops.py", "a if b is None else a + b for", "b for", "scan ragged_rows"),
    Mutant("only the first block's input", "scan/numba_loops.py", "dx[start:stop] = of_x", "dx[:] = of_x[:1]", "scan"),
    # ---- what a gradient reaches, and the way back to the steps
    Mutant("reach: states do not move on", REACH, 'inner = [states[int(role[1:])] if role[0] == "s" else {role} for role in found]', "inner = [{role} for role in found]", "reach"),
    Mutant("reach: a swap comes to rest", REACH, "at = self.first + (steps - self.first) % (count - self.first)", "at = count - 1", "reach"),
    Mutant("reach: all that could come counts as come", REACH, "for on, role in pairs if on]", "for on, role in pairs]", "reach"),
    Mutant("reach: through comparisons", REACH, "if id(parent) not in seen and parent.needs:", "if id(parent) not in seen:", "reach"),
    Mutant("reach: nothing is None", FOLDING, "    if all(flags):\n", "    if True:\n", "reach"),
    Mutant("reach: what needs no gradient has one", REACH, "return tuple([not who.isdisjoint(roles) for roles in self.after(steps)])", "return tuple([True for roles in self.after(steps)])", "reach"),
    Mutant("folding: a state that is a leaf", FOLDING, "return output if node.number > mark else output.clone()", "return output", "reach"),
    Mutant("folding: half of it unfolds", FOLDING, "            for write, thing, value in writes:\n", "            for write, thing, value in writes[:-1]:\n", "recurrent graph"),
    Mutant("folding: numbers of another call", FOLDING, "            node.number = start + 1 + k\n", "            node.number = start + 1\n", "recurrent graph"),
    Mutant("a rule that asks for values is compiled", VERIFIED, "if tracer.looked:", "if False:", "reach"),
    Mutant("stages: the input backwards, its mask not", RUNNING, "live = live if live is None else live[::-1]", "live = live", "layer_routes ragged"),
    Mutant("stages: directions share the gradient's columns", RUNNING, "high, low = low, low - each.y.shape[-1]", "high, low = each.y.shape[-1], 0", "layer_routes"),
    Mutant("stages: gradient in the order of time", RUNNING, "np.ascontiguousarray(dy[::-1] if self.turned else dy)", "np.ascontiguousarray(dy)", "layer_routes"),
    Mutant("stages: input's gradient in the other order", RUNNING, "return dx[::-1] if self.turned and dx is not None else dx, dstates, dweights", "return dx, dstates, dweights", "layer_routes"),
    Mutant("stages: one direction's input gradient", RUNNING, "dx = d if dx is None else dx + d", "dx = d", "layer_routes"),
    Mutant("stages: a state that is given twice", RUNNING, "sums[key] = sums[key] + d if key in sums else d", "sums[key] = d", "scan reach"),
    Mutant("stages: last states of the layers change places", RUNNING, "dfinals, rest = rest[len(rest) - count :], rest[: len(rest) - count]", "dfinals, rest = rest[:count], rest[count:]", "layer_routes"),
    Mutant("stages: dropout's mask forgotten on the way back", RUNNING, "                dx = dx * self.masks[k]\n", "                pass\n", "scan layers"),
    Mutant("steps: all layers from the first state", "scan/streaming.py", "[s[k : k + 1] for s in states]", "[s[:1] for s in states]", "streaming"),
    Mutant("steps: an older weight", "scan/streaming.py", "            if weight._data is not array:\n", "            if array is None:\n", "streaming"),
    Mutant("steps like many: an older weight", "scan/streaming.py", "._data is arrays[{k}]", "._data is not None", "streaming"),
    Mutant("without gradients: nothing is dropped", "scan/streaming.py", "if layer.dropout and layer.training:", "if False:", "streaming"),
    Mutant("steps: of a layer from the end", "scan/streaming.py", "    if _directions(layer) != [False]:\n", "    if False:\n", "streaming"),
    Mutant("program: equal but for a constant", PROGRAM, "repr(value.consts), value.shape", "value.shape", "scan scan_exact"),
    # ---- what a trace cannot see
    Mutant("set attributes are not seen", OPCODES, '    "STORE_ATTR": "it sets .{} while it runs",\n', '', "trust"),
    Mutant("set attributes are silent", OPCODES, "    if name in _REFUSED:\n", '    if name == "STORE_ATTR":\n        del stack[-2:]\n        return None, True\n    if name in _REFUSED:\n', "trust"),
    Mutant("caught exceptions are not seen", OPCODES, "    if code.handles:\n", "    if False:\n", "trust"),
    Mutant("variables around are not seen", OPCODES, "    if not isinstance(cell, ClosureCell):\n        raise Impure", "    if False:\n        raise Impure", "trust"),
    Mutant("kept lists may change", WALK, "isinstance(atom, Known) and not _fixed(atom.value):", "False:", "trust"),
    Mutant("entries of lists are not watched", WALK, "            self.guards.contents(value)\n", "            pass\n", "trust"),
    Mutant("entries of inner lists are not watched", WALK, "        for entry in value.values() if kind is dict else value:\n            self.watch(entry)", "        pass", "trust"),
    Mutant("modules in lists are not watched", WALK, "        self.guards.contents(table)\n", "", "trust"),
    Mutant("values of dictionaries do not matter", WALK, "self.elements(receiver) | self.values(receiver)", "self.elements(receiver)", "trust"),
    Mutant("foreign objects compute", WALK, "            if not purity.inert(thing) or purity.overloads(type(thing)):", "            if False:", "trust"),
    Mutant("iterators that are kept go on unseen", WALK, "        if not ours:\n            raise Impure", "        if not ours:\n            return []\n            raise Impure", "trust"),
    Mutant("attributes by a function of its own", WALK, "is not Module.__getattr__:", "is None:", "trust"),
    Mutant("the truth of any object", WALK, '        if hasattr(kind, "__bool__") or hasattr(kind, "__len__"):\n', "        if False:\n", "trust"),
    Mutant("containers are forgotten", WALK, "            self.heap, self.grew = self.heap | new, True", "            pass", "trust"),
    Mutant("one pass is enough", "scan/inspection.py", "        while walk.grew:", "        for _ in range(1):", "trust"),
    Mutant("functions' code is not watched", WALK, "                self.guards.attribute(f, part)\n", "                pass\n", "trust"),
    Mutant("identity of tensors", WALK, "        if not named or not _is_name(named[0]):", "        if False:", "trust"),
    Mutant("other kinds of classes", PURITY, "    return type(cls) in (type, abc.ABCMeta, enum.EnumMeta)", "    return True", "trust"),
    Mutant("numbers with a say of their own", PURITY, "    if kind in _EXACT:\n        return True\n", "    if isinstance(value, tuple(_EXACT)):\n        return True\n", "trust"),
    Mutant("requires_grad is an attribute like others", PURITY, '"requires_grad is_leaf grad', '"is_leaf grad', "trust"),
    Mutant("any function is trusted", PURITY, "    if isinstance(value, np.ufunc) or (isinstance", "    if callable(value) and not isinstance(value, FUNCTION) or (isinstance".replace("FUNCTION", "types.FunctionType"), "trust"),
    Mutant("draws are traced", "engine/random.py", "    if state.tracer is not None:\n        state.tracer.draws()\n", "", "trust"),
    Mutant("minus zero is zero", PURITY, "return repr(a) == repr(b)", "return bool(a == b)", "trust again"),
    Mutant("True is 1", PURITY, "    if kind is not b.__class__:\n        return False\n", "    if kind is not b.__class__:\n        return bool(a == b)\n", "trust"),
    Mutant("globals are not watched", OPCODES, "    value = walk.guards.item(frame.globals, line.argval)\n", "    value = frame.globals.get(line.argval, MISSING)\n", "trust"),
    Mutant("closures are not watched", OPCODES, '        value = walk.guards.attribute(cell.value, "cell_contents")\n        stack', '        value = getattr(cell.value, "cell_contents", MISSING)\n        stack', "trust"),
    Mutant("classes are not watched", PURITY, "            self.note(cls, vars(cls).get, key, value)", "            pass", "trust"),
    Mutant("programs without end", "scan/cells.py", "    if variants.programs >= MOST_VARIANTS:", "    if False:", "trust"),
    Mutant("batch_first is remembered", AGAIN, "    same = prepared.axis == layer.batch_first and prepared", "    same = prepared", "trust"),
    # ---- what is recorded later
    Mutant("a replay reads today's cell", PURITY, "            undo.append((put, key, now))\n            put(key, value)\n", "", "replays"),
    Mutant("what is put back stays", PURITY, "        for put, key, value in reversed(undo):\n            put(key, value)\n", "        pass\n", "replays"),
    Mutant("what cannot be put back is let pass", PURITY, "            if put is None:\n", "            if put is None:\n                continue\n            if False:\n", "replays"),
    Mutant("a replay is not compared", "scan/folding.py", "        if apart.any():", "        if False:", "replays"),
    Mutant("a replay draws anew", STACKS, "        if how.masks is None:", "        if True:", "replays"),
    Mutant("masks of the first steps", STACKS, "        times = range(len(xs)) if only is None else only\n", "        times = range(len(xs))\n", "replays"),
    Mutant("a replay drops as the layer does now", STACKS, "            if k and how.dropout:", "            if k and self.dropout and self.training:", "replays"),
    Mutant("learned states are zeros the second time", AGAIN, "    if hx is None and layer.learned_state:\n        return None\n", "", "replays"),
    Mutant("frozen cells are derived", "scan/running.py", "        return self.keep and (dy is not None", "        return (dy is not None", "frozen"),
    Mutant("no gradient is one of zeros", "scan/running.py", "if id(t) in sums else None", "if id(t) in sums else np.zeros(t.shape, t.dtype)", "frozen"),
    # ---- arrays, numpy, names of PyTorch's
    Mutant("scalars among tensors", "engine/values.py", "np.asarray(value) if isinstance(value, np.generic) else value", "value", "arrays"),
    Mutant("broadcast: to fewer axes", SHAPES, "if a.size == 1 and a.ndim <= len(to) else", "if a.size == 1 else", "more_names"),
    Mutant("numpy takes values of what has a gradient", "tensors/leaving.py", "if state.recording and self.requires_grad:\n            raise TypeError(would_be_lost", "if False:\n            raise TypeError(_would_be_lost", "numpy"),
    Mutant("numpy: an element is stored", "tensors/leaving.py", "self.requires_grad and _is_stored():", "False:", "numpy"),
    Mutant("numpy: out= is let through", "tensors/numpy_names.py", 'if kwargs.get("out") is not None:', "if False:", "numpy"),
    Mutant("loader: a list is columns", "training/batches.py", "return bucket or not dataset or _ragged(dataset)", "return True", "loader"),
    Mutant("loader: the last batch stays", "training/batches.py", "if len(part) == self.batch_size or not self.drop_last:", "if part:", "loader"),
    Mutant("loader: gradients of examples lost", "training/datasets.py", "return stack(rows)", "return stack([row.detach() for row in rows])", "loader"),
    Mutant("cumprod: the recurrence stops early", SUMS, "factor = cat(factor[here] * factor[ahead], end", "factor = cat(factor[here], end", "ops"),
    Mutant("erf: slope", "ops/curves.py", "* 1.1283791670955126", "* 0.5641895835477563", "ops"),
    Mutant("atan2: sign", "ops/curves.py", "g * (-a / _square_sum(a, b))", "g * (a / _square_sum(a, b))", "ops"),
    Mutant("hooks: not heard step by step", "graphs/replay.py", "if Hook.registered:", "if False:", "hooks"),
    Mutant("hooks: lost with a write", "engine/values.py", 'if hasattr(self, "hooks"):', "if False:", "hooks"),
    Mutant("hooks: of a leaf not heard", ENGINE, '            if Hook.registered and hasattr(leaf, "hooks"):\n                g = hooked(leaf, g)\n            reached', "            reached", "hooks"),
    Mutant("scatter: two to one place", "tensors/shaping.py", "return bool(len(np.unique(flat)) < flat.size)", "return False", "more_names"),
    Mutant("cummax: where it was not", "tensors/reducing.py", "at = np.where((a == best) | (a != a),", "at = np.where(a == best,", "more_names"),
    Mutant("median: one of equal ones", "tensors/reducing.py", "(flat[same] - value).mean()", "(flat[same] - value)[0]", "more_names"),
    Mutant("pad_sequence: on the wrong side", "nn/utils/rnn.py", "slice(len(p)) if right else slice(steps - len(p), steps)", "slice(len(p))", "more_names"),
    Mutant("softplus: beta forgotten", "nn/functional.py", "curves.softplus(x * beta) / beta", "curves.softplus(x)", "torch_samples"),
    Mutant("add: alpha forgotten", "tensors/several.py", "return paired(e.add, input, _times(other, alpha))", "return paired(e.add, input, other)", "more_names"),
]  # fmt: skip


def planted(text: str, mutant: Mutant) -> str:
    """The text with the bug in it; raises where the place is not found exactly once."""
    found = text.count(mutant.old)
    if found != 1:
        raise LookupError(f"its text occurs {found} times in {mutant.file}: write it anew")
    return text.replace(mutant.old, mutant.new)


def copy_of_the_project(to: Path) -> Path:
    """The package, its tests and the pages that they read, to plant bugs in.

    Bytecode is kept from run to run, the package's beside a hash of its text: by time and size a bug could be missed.
    """
    skip = shutil.ignore_patterns("__pycache__", ".*")
    for name in ("tinygrad_rnn", "tests", "docs"):
        shutil.copytree(ROOT / name, to / name, ignore=skip)
    shutil.copy(ROOT / "pyproject.toml", to)
    by_hash = py_compile.PycInvalidationMode.CHECKED_HASH
    compileall.compile_dir(to / "tinygrad_rnn", quiet=2, invalidation_mode=by_hash)
    return to


def run(tests: list[str], here: Path) -> tuple[int, str]:
    """Run test files, or single tests, in a copy: pytest's exit code (1: a test failed) and its words."""
    options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-o", "addopts="]
    # that the table and its samples belong together says nothing of a bug
    options += ["-m", MARKS, "--deselect", "tests/test_ops.py::test_every_row_has_samples"]
    unwanted = ("CI", "PYTEST_ADDOPTS", "PYTHONDONTWRITEBYTECODE")
    env = {k: v for k, v in os.environ.items() if k not in unwanted}
    env |= {"PYTHONPATH": str(here), "OMP_NUM_THREADS": "1"}
    if any(
        "numba" in name for name in tests
    ):  # they choose the back end themselves, and skip where it is not to be had
        env.pop("TINYGRAD_RNN_BACKEND", None)
    command = [sys.executable, "-m", "pytest", *options, *tests]
    try:
        done = subprocess.run(
            command, cwd=here, env=env, capture_output=True, text=True, timeout=MOST
        )
    except subprocess.TimeoutExpired:
        return 1, "ran out of time"
    return done.returncode, done.stdout + done.stderr


def verdict(mutant: Mutant, here: Path, before: str) -> tuple[bool, str, str]:
    """Plant one bug, run its tests, take it out again: whether they saw it, how, and which test did.

    ``before`` is the test that saw it before, if any did.
    """
    path = here / "tinygrad_rnn" / mutant.file
    sound = path.read_text()
    try:
        path.write_text(planted(sound, mutant))
        code, words = run([before], here) if before else (0, "")
        if code != 1:  # it passes, or is no more
            code, words = run([f"tests/test_{name}.py" for name in mutant.tests.split()], here)
    except LookupError as error:
        return False, str(error), ""
    finally:
        path.write_text(sound)
    if code != 1:
        words = "SURVIVED" if code == 0 else f"pytest ended with {code}:\n{words[-2000:]}"
        return False, words, ""
    failed = [line for line in words.splitlines() if line.startswith(("FAILED", "ERROR"))]
    if not failed:
        return True, words.strip().splitlines()[-1], ""
    what = failed[0].split(" - ")[0]
    return True, what, what.partition(" ")[2].strip()


def main() -> int:
    """Plant the bugs, print what became of each, and how many were killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help="mutants whose name contains this")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--part", default="1/1", help="K/N: every Nth mutant, from the Kth on")
    parser.add_argument("--record", action="store_true", help="write which test killed which")
    options = parser.parse_args()
    before = json.loads(KILLERS.read_text())
    part, parts = map(int, options.part.split("/"))
    mutants = [m for m in MUTANTS if not options.only or options.only in m.name][part - 1 :: parts]
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as work:
        free: Queue[Path] = Queue()
        for k in range(options.jobs):
            free.put(copy_of_the_project(Path(work) / str(k)))

        def one(mutant: Mutant) -> tuple[bool, str, str]:
            here, start = free.get(), time.monotonic()
            try:
                seen, words, killer = verdict(mutant, here, before.get(mutant.name, ""))
            finally:
                free.put(here)
            return seen, f"{words} ({time.monotonic() - start:.0f} s)", killer

        killed, killers = 0, set()
        with ThreadPoolExecutor(options.jobs) as pool:
            for mutant, (seen, words, killer) in zip(mutants, pool.map(one, mutants), strict=True):
                killed += seen
                killers |= {killer} - {""}
                before[mutant.name] = killer
                if options.record:
                    found = {m.name: before[m.name] for m in MUTANTS if before.get(m.name)}
                    KILLERS.write_text(json.dumps(found, indent=0) + "\n")
                print(f"{'killed  ' if seen else 'ALIVE   '} {mutant.name}: {words}", flush=True)
        code, words = run(sorted(killers), free.get()) if killers else (0, "")
        if code:
            print(f"a test that killed one fails without any bug:\n{words[-4000:]}")
            return 1
    print(f"{killed} / {len(mutants)} killed / planted in {time.monotonic() - began:.0f} s")
    return int(killed < len(mutants))


if __name__ == "__main__":
    sys.exit(main())
