"""A stand-in for an allocation that fails: the k-th call of anything raises, for all k."""

import sys


class StoppedError(MemoryError):
    """What the stand-in raises."""


class FailingCall:
    """Raises at the k-th call of anything, Python's functions and those in C (``astype``, ``np.array``)."""

    def __init__(self, k):
        self.left, self.before = k, None

    def __call__(self, frame, event, _arg):
        if event in ("call", "c_call"):
            self.left -= 1
            if self.left == 0:
                raise StoppedError("planted")

    def __enter__(self):
        self.before = sys.getprofile()
        sys.setprofile(self)

    def __exit__(self, *_):
        sys.setprofile(self.before)


def everywhere(make, act, look, step=1):
    """Let ``act`` fail at its k-th call, for all k: what ``look`` sees is as before or as after.

    Returns how often it failed, and how often nothing had changed then.
    """
    thing = make()
    before = look(thing)
    act(thing)
    after = look(thing)
    assert before != after
    failed = unchanged = 0
    for k in range(1, 100_000, step):
        thing = make()
        assert look(thing) == before
        failing = FailingCall(k)
        try:
            with failing:
                act(thing)
        except StoppedError:
            failed += 1
            seen = look(thing)
            assert seen in (before, after), f"half done when call {k} failed"
            unchanged += seen == before
        else:
            if failing.left > 0:  # there are not so many calls
                break
            # Python itself ignores what a generator raises while it is closed
            assert look(thing) == after, f"call {k} failed, and nothing was raised"
    return failed, unchanged


def bits(tensors):
    return [None if t is None else (t.dtype.name, t.numpy().tobytes()) for t in tensors]
