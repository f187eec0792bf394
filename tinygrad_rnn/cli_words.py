"""What the commands share: a mistake that the user can put right, and numbers as argparse reads them."""

from __future__ import annotations

import argparse
from collections.abc import Callable


class UserError(Exception):
    """Something that the user can put right; its text is all that they see."""


def count(least: int) -> Callable[[str], int]:
    """A whole number of at least ``least``, as argparse reads it.

    >>> from tinygrad_rnn.cli_words import count
    >>> count(1)("12")
    12
    """

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
