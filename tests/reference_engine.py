"""A naive engine to compare with: a tape of whole arrays in which no derivative rule is written.

Every value is copied in and out. Each op is a plain numpy function of its operands; its local
derivative is the whole Jacobian, taken column by column with a complex step, and a backward pass walks
the tape from its end and adds Jacobian-transpose products. A leaf is a list of versions: a write makes
a new one, and what was computed before goes on belonging to the old one.
"""

from __future__ import annotations

import numpy as np

STEP = 1e-30


class StaleError(Exception):
    """A gradient would reach a version of a leaf that was written over since."""


class NothingError(Exception):
    """There is nothing to derive, or the input takes no part."""


class Tape:
    """Values by number; ``entries[k]`` says how value k was made: (function, operands) or None."""

    def __init__(self):
        self.values = []
        self.entries = []
        self.leaf_of = {}  # value -> leaf, for every version of a leaf
        self.now = {}  # leaf -> value: its version of today
        self.grads = {}  # leaf -> array or None

    def value(self, array, entry=None):
        self.values.append(np.array(array, dtype=float))
        self.entries.append(entry)
        return len(self.values) - 1

    def leaf(self, array):
        k = self.value(array)
        self.leaf_of[k], self.now[k], self.grads[k] = k, k, None
        return k

    def write(self, leaf, array):
        k = self.value(array)
        self.leaf_of[k], self.now[leaf] = leaf, k

    def apply(self, function, *operands):
        return self.value(function(*[self.values[o] for o in operands]), (function, operands))

    def detach(self, k):
        return self.value(self.values[k])

    def needs(self, k):
        """Whether a gradient flows to or through a value."""
        if k in self.leaf_of:
            return True
        entry = self.entries[k]
        return entry is not None and any(self.needs(o) for o in set(entry[1]))

    def flow(self, root, seed):
        """The gradient at every value that the root was computed from."""
        if not self.needs(root):
            raise NothingError
        found = {root: np.array(seed, dtype=float)}
        for k in range(root, -1, -1):
            if k not in found or self.entries[k] is None:
                continue
            function, operands = self.entries[k]
            for position, o in enumerate(operands):
                if self.needs(o):
                    found[o] = found.get(o, 0.0) + self._pulled(
                        function, operands, position, found[k]
                    )
        return found

    def _pulled(self, function, operands, position, g):
        """g times the Jacobian by one operand."""
        out = np.zeros_like(self.values[operands[position]])
        for i in np.ndindex(out.shape):
            moved = [np.array(self.values[o], dtype=complex) for o in operands]
            moved[position][i] += 1j * STEP
            out[i] = np.sum(g * np.imag(function(*moved)) / STEP)
        return out

    def _versions(self, found):
        return {k: self.leaf_of[k] for k in found if k in self.leaf_of}

    def backward(self, root, seed):
        found = self.flow(root, seed)
        reached = self._versions(found)
        if any(self.now[leaf] != k for k, leaf in reached.items()):
            raise StaleError
        for k, leaf in reached.items():
            before = self.grads[leaf]
            self.grads[leaf] = found[k] if before is None else before + found[k]

    def grad(self, root, seed, leaf):
        found = self.flow(root, seed)
        reached = [k for k, owner in self._versions(found).items() if owner == leaf]
        if any(self.now[leaf] != k for k in reached):
            raise StaleError
        if not reached:
            raise NothingError
        return found[reached[0]]
