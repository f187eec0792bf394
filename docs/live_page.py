"""The live page of the docs: an LSTM and its head, trained a little to remember the sign of the first number.

python docs/live_page.py live.html
"""

from __future__ import annotations

import os
import sys
from typing import Any

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim

STEPS = 12


class Remembers(nn.Module):
    """An LSTM and a head on its last output."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.head = nn.LSTM(input_size=2, hidden_size=8), nn.Linear(8, 1)

    def forward(self, x: Any) -> Any:
        """x (time, batch, 2): (batch, 1)."""
        return self.head(self.lstm(x)[0][-1])


def draw(path: str | os.PathLike[str]) -> str:
    """Train for a moment, so that there is a memory to look into, and write the page."""
    tg.manual_seed(0)
    model, film = Remembers(), tg.Film()
    optimizer = optim.Adam(model.parameters(), lr=0.02)
    x = tg.randn(STEPS, 16, 2)
    target = (x[0, :, :1] > 0).float()
    loss = nn.functional.binary_cross_entropy_with_logits
    tg.fit(model, (x, target), loss, optimizer, epochs=60, film=film, progress=False)
    live = tg.Live(model, (x, target), loss, film=film, tasks=[("adding", 50, 16)])
    graph = tg.graph(tg.name(loss(model(x), target), "loss"))
    return graph.to_html(path, live=live)


if __name__ == "__main__":
    print(draw(sys.argv[1] if len(sys.argv) > 1 else "live.html"))
