"""What do command lines share? Numbers as argparse reads them, threads, and what a user can put right."""

from __future__ import annotations

import argparse
from collections.abc import Callable

THREADS = (  # each BLAS has a name of its own for it
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


class UserError(Exception):
    """Something that the user can put right; its text, after ``detail`` if any, is all that they see."""

    def __init__(self, text: str, detail: str = "") -> None:
        super().__init__(text)
        self.detail = detail


def count(least: int) -> Callable[[str], int]:
    """A whole number of at least ``least``, as argparse reads it."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least:
            raise argparse.ArgumentTypeError(
                f"expected a whole number from {least} on, got {text!r}"
            )
        return value

    return read
