"""The commands of ``tinygrad-rnn``, a room each; a new one is a room and an entry here."""

from . import benching, demonstrating, drawing, informing
from .command import Command

COMMANDS: tuple[Command, ...] = (
    demonstrating.COMMAND,
    drawing.COMMAND,
    benching.COMMAND,
    informing.COMMAND,
)
