"""The commands of ``tinygrad-rnn``, a room each; a new one is a room and an entry here."""

from . import benching, demonstrating, drawing, informing, training
from .command import Command

COMMANDS: tuple[Command, ...] = (
    demonstrating.COMMAND,
    training.COMMAND,
    drawing.COMMAND,
    benching.COMMAND,
    informing.COMMAND,
)
