"""How do exercises mark themselves? Stubs to fill in, and a marker that names the first thing that is wrong.

>>> import tinygrad_rnn as tg
>>> from tinygrad_rnn import exercises
>>> def rnn_step(x, h_prev, W_ih, W_hh, b):
...     return tg.tanh(tg.tensor(x @ W_ih.T + h_prev @ W_hh.T))
>>> print(exercises.check(rnn_step))
rnn_step: a at t = 0 lacks b
  right: a = x @ W_ih^T + h_{t-1} @ W_hh^T + b
  h[0, 0] is 0.99946908, expected 0.99639114 (T = 3, N = 2, I = 4, H = 5, t = 0)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..engine.signatures import readable
from .marking import Finding, mark
from .stubs import notebook, stub
from .tasks import EXERCISES

__all__ = ["Finding", "Report", "check", "notebook", "stub"]


@dataclass(frozen=True)
class Report:
    """What is said of each function, in the order in which they build on one another; prints as text."""

    findings: tuple[Finding, ...]

    @property
    def right(self) -> bool:
        """Whether every function is."""
        return all(finding.right for finding in self.findings)

    def __str__(self) -> str:
        return "\n".join(map(str, self.findings))

    __repr__ = __str__


def check(*functions: Callable[..., Any]) -> Report:
    """Mark functions that were written for the exercises, each known by its name.

    Of an exercise's functions those after the first wrong one are not marked: they may build on it. A
    ``ValueError`` names the functions that there are, where one of another name is given.
    """
    given = {function.__name__: function for function in functions}
    known = [task.name for exercise in EXERCISES for task in exercise.tasks]
    strange = [name for name in given if name not in known]
    if strange or not given:
        listed = ", ".join(known)
        raise ValueError(f"{', '.join(strange) or 'nothing'} to check: expected one of {listed}")
    findings: list[Finding] = []
    for exercise in EXERCISES:
        wrong = ""
        for task in (task for task in exercise.tasks if task.name in given):
            if wrong:
                text = f"not marked yet: {wrong} comes first"
                findings.append(Finding(task.name, False, text, written=False))
                continue
            findings.append(mark(task, given[task.name]))
            wrong = "" if findings[-1].right else task.name
    return Report(tuple(findings))


readable(__name__)
