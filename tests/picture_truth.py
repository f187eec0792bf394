"""What a picture, a ledger and a page state, held against a run of the same network in plain numpy."""

from __future__ import annotations

import re
from collections import defaultdict

import network_programs as programs
import numpy as np
from network_programs import STEP, Plan
from picture_checks import layer_of, parted
from test_page import data_of

from tinygrad_rnn.graphs.meaning import Input, State
from tinygrad_rnn.graphs.readback import raw_values
from tinygrad_rnn.page.html import page_of


class Truth:
    """A network of a seed, run by the library and by numpy."""

    def __init__(self, seed):
        self.seed = seed
        self.loss, self.ours, self.program = programs.both(seed)
        self.value, self.record = programs.plain(seed, self.ours)
        self.what = (seed, self.program.said)
        assert np.isclose(self.value.real, self.loss.item(), rtol=1e-9), self.what

    def moved(self, **plan):
        return programs.plain(self.seed, self.ours, Plan(**plan))

    def slope(self, **plan):
        """The derivative of the loss along what the plan moves."""
        return self.moved(**plan)[0].imag / STEP

    def parameters(self):
        """Every Parameter that numpy used, by its key."""
        found = {p._node.key: p for m in self.ours.modules for p in m.parameters()}
        return {use.key: found[use.key] for use in self.record.uses}

    def application(self, values, taken=()):
        """Which application left these states; None where none did that is not ``taken``."""
        for k, one in enumerate(self.record.applications):
            if k not in taken and all(
                name in one.after and close(one.after[name].real, v) for name, v in values.items()
            ):
                return k
        return None

    def gradient(self, k, name):
        """The derivative of the loss by a state that left an application, for all elements."""
        shape = self.record.applications[k].after[name].shape
        found = np.zeros(shape)
        for at in np.ndindex(shape):
            along = np.zeros(shape)
            along[at] = 1
            found[at] = self.slope(state=(k, name), along=along)
        return found

    def readers(self):
        """For each application, which states of which others its x is computed from, and through no cell."""
        rng = np.random.default_rng(1)
        reads = defaultdict(set)
        for k, one in enumerate(self.record.applications):
            for name, value in one.after.items():
                along = rng.uniform(0.5, 1, value.shape)
                _, record = self.moved(state=(k, name), along=along, cut=True)
                for j, other in enumerate(record.applications):
                    if other.x.imag.any():
                        reads[j].add((k, name))
        return reads


def close(a, b):
    return a.size == b.size and np.allclose(a.ravel(), b.ravel(), rtol=1e-9, atol=1e-13)


def check_ledger(truth, ledger, keys=None):
    """Each row is what moving that use alone in numpy says, at the step that the program says."""
    rng = np.random.default_rng(truth.seed)
    for key, p in truth.parameters().items():
        if keys is not None and key not in keys:
            continue
        along = rng.normal(size=p.shape)
        theirs = []
        for k, use in enumerate(truth.record.uses):
            if use.key == key:
                slope = truth.slope(use=k, along=along)
                if slope != 0:
                    theirs.append((use.step, slope))
        ours = []
        if p in ledger:
            rows = np.asarray(ledger[p], float)
            sums = (rows * along).reshape(len(rows), -1).sum(1)
            ours = [(s, v) for s, v in zip(ledger.steps(p), sums, strict=True) if v != 0]
        size = max((abs(v) for _, v in theirs), default=0)
        ours = [(s, v) for s, v in ours if abs(v) > 1e-12 * size]
        theirs = [(s, v) for s, v in theirs if abs(v) > 1e-12 * size]
        assert len(ours) == len(theirs), ("rows", p.shape, ours, theirs, truth.what)
        for step, value in theirs:
            best = min(ours, key=lambda row: abs(row[1] - value))
            assert abs(best[1] - value) <= 1e-8 * size, ("row", p.shape, ours, theirs, truth.what)
            assert step == -1 or best[0] == step, ("step", p.shape, ours, theirs, truth.what)
            ours.remove(best)


def owners(truth, graph, unrolled, known):
    """For each call of each chain the application that it is."""
    found = {}
    for chain in unrolled.chains:
        for step, call in chain.calls.items():
            values = {n: known[i] for n, i in call.outputs.items() if i in known}
            if chain.states and values:
                k = truth.application(values, found.values())
                assert k is not None, ("no such cell ran", chain.title, step, truth.what)
                one = truth.record.applications[k]
                assert one.step in (step, -1), ("step", chain.title, step, one.step, truth.what)
                found[chain, step] = k
    return found


def check_scene(truth, graph, unrolled, scene):
    """States and inputs are called what they are."""
    known = raw_values(graph)
    cells = owners(truth, graph, unrolled, known)
    apps = truth.record.applications
    named = {}
    for (chain, step), k in cells.items():
        for name in apps[k].after:
            for called in (name, "y") if name == "h" else (name,):
                named.setdefault((called, chain.layer, step), []).append(k)
    reads = truth.readers()
    checked = 0
    for (of, part), box in scene.boxes.items():
        if part:
            continue
        if isinstance(of, State) and of.node in known:
            name, step = parted(box.label)
            layer = layer_of(box.label)
            hit = [
                (c, s) for (c, s), k in cells.items()
                if of.name in apps[k].after and close(apps[k].after[of.name].real, known[of.node])
            ]  # fmt: skip
            if hit and any(c is of.chain for c, _ in hit):
                c, s = next((c, s) for c, s in hit if c is of.chain)
                assert step == s + 1, ("pill", box.label, s, truth.what)
                assert (name, layer) == (of.name, c.layer), ("pill", box.label, truth.what)
                checked += 1
        if isinstance(of, Input) and not of.column.folded and of.role == "x":
            step = of.chain.here(of.column)[0]
            if (of.chain, step) not in cells:
                continue
            k = cells[of.chain, step]
            left, _, right = box.label.partition(" = ")
            assert parted(left)[1] in (step + 1, None), ("x", box.label, truth.what)
            found = reads[k]
            if not right:
                assert not found, ("x is said to be given", box.label, found, truth.what)
                continue
            checked += 1
            if right.startswith("f("):
                said = set()
                for word in right[2:-1].split(", "):
                    ends = [parted(end) for end in word.split(" … ")]
                    if ends[0][1] is not None:
                        for s in range(ends[0][1], ends[-1][1] + 1):
                            said |= {
                                (j, "h" if ends[0][0] == "y" else ends[0][0])
                                for j in named.get((ends[0][0], layer_of(word), s - 1), ())
                            }
                if "…" not in right[2:-1].split(", "):
                    assert found <= said, ("reads more", box.label, found, said, truth.what)
                    # two directions of one layer have one name
                    ways = {(apps[j].owner[:2], apps[j].step, n) for j, n in said}
                    more = ways - {(apps[j].owner[:2], apps[j].step, n) for j, n in found}
                    assert not more, ("reads less", box.label, found, said, truth.what)
                continue
            name, at = parted(right.removeprefix("m * "))
            same = named.get((name, layer_of(right), (at or 0) - 1), [])
            name = "h" if name == "y" else name
            values = [apps[j].after[name].real for j in same]
            values += [np.concatenate([a, b], -1) for a in values for b in values if a is not b]
            assert any(close(v, apps[k].x.real) for v in values), ("x =", box.label, truth.what)
    return checked, cells


def check_states(truth, scene, cells, many=3):
    """Some pills of the backward picture: the norm of the gradient by that state."""
    pills = []
    for (of, part), box in scene.boxes.items():
        text = str(box.attrs.get("tooltip", ""))
        if not part and isinstance(of, State) and re.search(r" [-0-9.e+]+$", text):
            s = of.step - 1
            if (of.chain, s) in cells and of.name in of.chain.calls[s].outputs:
                pills.append((cells[of.chain, s], of.name, float(text.rpartition(" ")[2]), text))
    rng = np.random.default_rng(truth.seed)
    for i in rng.permutation(len(pills))[:many]:
        k, name, ours, text = pills[i]
        theirs = np.linalg.norm(truth.gradient(k, name))
        assert np.isclose(ours, theirs, rtol=2e-5, atol=1e-9), (text, theirs, truth.what)
    return len(pills[:many])


def check_page(truth, graph):
    """What a page says each step adds to each Parameter's gradient, along the whole."""
    data = data_of(page_of(graph))
    by_name = {name: graph._raw[node.id].key for name, node in graph.parameters.items()}
    for told in data["parameters"]:
        key = by_name[told["name"]]
        if key not in truth.parameters() or "gradient" not in told:
            continue
        uses = [k for k, use in enumerate(truth.record.uses) if use.key == key]
        shape = truth.parameters()[key].shape
        whole = np.zeros(shape)
        for at in np.ndindex(shape):
            along = np.zeros(shape)
            along[at] = 1
            whole[at] = sum(truth.slope(use=k, along=along) for k in uses[:60])
        if len(uses) <= 60:
            size = np.linalg.norm(whole)
            assert np.isclose(told["gradient"]["whole"] or 0, size, rtol=1e-6), truth.what
            assert np.isclose(sum(told["gradient"]["along"]), size, rtol=1e-6), truth.what
        return  # one of them: it takes some hundred runs
