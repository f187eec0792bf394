"""How is a model trained? Batches, the loop around it, checkpoints that resume to the same bits."""

from ..engine.signatures import readable
from .batches import DataLoader
from .compiled import CompiledStep, compile_step
from .film import Film
from .fitting import fit
from .history import History

__all__ = ["CompiledStep", "DataLoader", "Film", "History", "compile_step", "fit"]


def __dir__() -> list[str]:
    """The public names and nothing else, for an editor's list."""
    return __all__


readable(__name__)
