"""The live page of the docs: an LSTM and its head, trained a little to remember the sign of the first number.

python docs/live_page.py live.html
"""

from __future__ import annotations

import os
import sys

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim

STEPS = 12


def draw(path: str | os.PathLike[str]) -> str:
    """Train for a moment, so that there is a memory to look into, and write the page."""
    tg.manual_seed(0)
    lstm, head = nn.LSTM(input_size=2, hidden_size=8), nn.Linear(8, 1)
    optimizer = optim.Adam([*lstm.parameters(), *head.parameters()], lr=0.02)
    x = tg.randn(STEPS, 16, 2)
    target = (x[0, :, :1] > 0).float()
    for _ in range(60):
        y, _ = lstm(x)
        loss = nn.functional.binary_cross_entropy_with_logits(head(y[-1]), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    loss = nn.functional.binary_cross_entropy_with_logits(head(lstm(x)[0][-1]), target)
    return tg.graph(tg.name(loss, "loss")).to_html(path)


if __name__ == "__main__":
    print(draw(sys.argv[1] if len(sys.argv) > 1 else "live.html"))
