"""Which commands has ``tinygrad-rnn``? A room each; a new one is a room and an entry here."""

from . import benching, demonstrating, drawing, exercising, fitting, informing, training
from .command import Command

COMMANDS: tuple[Command, ...] = (
    demonstrating.COMMAND,
    fitting.COMMAND,
    training.COMMAND,
    drawing.COMMAND,
    exercising.COMMAND,
    benching.COMMAND,
    informing.COMMAND,
)
