"""What every command is made of, and what they share: numbers as argparse reads them, errors in a line."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Command:
    """One word after ``tinygrad-rnn``: its words for ``--help``, its arguments, and what runs it."""

    name: str
    help: str
    description: str
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], None]


class UserError(Exception):
    """Something that the user can put right; its text, after ``detail`` if any, is all that they see."""

    def __init__(self, text: str, detail: str = "") -> None:
        super().__init__(text)
        self.detail = detail


def add_commands(
    parser: argparse.ArgumentParser, commands: tuple[Command, ...], what: str = "COMMAND"
) -> None:
    """A subparser a command; the chosen one is run by ``options.run(options)``."""
    words = parser.add_subparsers(title=f"{what.lower()}s", metavar=what, required=True)
    for command in commands:
        sub = words.add_parser(
            command.name,
            help=command.help,
            description=command.description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        sub.set_defaults(run=command.run)
        command.arguments(sub)


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


def plain(error: BaseException) -> str:
    """An error as one line: an OSError's own words, else its kind and its words."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'file'}: {error.strerror}"
    if isinstance(error, OSError):
        return str(error)
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
