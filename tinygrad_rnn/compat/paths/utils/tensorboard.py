"""Where do PyTorch's scripts write their curves to? TensorBoard is not here: an error says what to do."""

from __future__ import annotations

from typing import Any


class SummaryWriter:
    """Raises RuntimeError: there is no TensorBoard here, and the message says what there is instead."""

    def __init__(self, *args: Any, **options: Any) -> None:
        raise RuntimeError(
            "SummaryWriter: tinygrad_rnn writes no TensorBoard events; take `from tensorboardX import "
            "SummaryWriter` (pip install tensorboardX; add_scalar takes loss.item()), or the history that "
            "tg.fit returns"
        )
