"""When must the state be reset, and who does it if nobody says where a sequence ends?

Embedded Reber strings follow each other in one endless stream without a mark between them, and the state is
never reset (Gers, Schmidhuber & Cummins 2000). What an LSTM keeps in c to tell the outer symbol of one string
must be gone when the next begins. The LSTM of 1997 cannot do that, c = c + i * g: its cells grow, its output
saturates, and the outer symbol is a coin toss. The forget gate was invented for this, c = f * c + i * g: the
network learns to reset itself. Where you know the ends, reset the state yourself, or batch the sequences.

The stream is cut into chunks of 40 steps for the gradient alone (truncated backpropagation, nn.tbptt): the
state's values go on from chunk to chunk. Measured: of the strings in new streams of 2,000 symbols, for how
many the last symbol but one is predicted correctly (T or P, whichever has the higher output).
"""

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.data import REBER, embedded_reber, symbol_numbers
from tinygrad_rnn.experiments import QUIET, Task, main

HIDDEN, STREAMS, CHUNK, ONE_HOT = 8, 8, 40, np.eye(len(REBER), dtype=np.float32)
TASK = Task(
    "continual_reber",
    f"LSTM({HIDDEN}), {STREAMS} streams never reset, chunks of {CHUNK}, Adam 0.01, clip 1, 2,000 iterations",
    "outer symbols right, %",
    reference=95,
    baseline=50,
    better="higher",
)


class CellOf1997(nn.Module):
    """An LSTM's step as it was before the forget gate: what is in the cell stays."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.size, self.W = hidden_size, nn.Linear(input_size + hidden_size, 3 * hidden_size)

    def initial_state(self, batch):
        """Zeros."""
        return tg.zeros(batch, self.size), tg.zeros(batch, self.size)

    def forward(self, x, state):
        """c = c + i * g"""
        h, c = state
        i, g, o = self.W(tg.cat([x, h], -1)).chunk(3, -1)
        c = tg.name(c + i.sigmoid() * g.tanh(), "c")
        h = tg.name(o.sigmoid() * c.tanh(), "h")
        return h, (h, c)


LAYERS = {
    "with forget gates": lambda: nn.LSTM(len(REBER), HIDDEN),
    "without": lambda: nn.Recurrent(CellOf1997(len(REBER), HIDDEN)),
}


def streams(symbols, rng):
    """Endless strings: symbol numbers (symbols + 1, streams), and where the outer symbol comes next."""
    rows, outer = [], np.zeros((symbols, STREAMS), bool)
    for k in range(STREAMS):
        strings = embedded_reber(symbols // 9 + 1, rng)
        ends = np.cumsum([len(string) for string in strings])
        outer[[t - 3 for t in ends if t - 3 < symbols], k] = True
        rows.append(symbol_numbers("".join(strings)[: symbols + 1], REBER))
    return np.stack(rows, 1), outer


def entropy(scores, targets):
    """Cross entropy of each next symbol."""
    return nn.functional.cross_entropy(scores.reshape(-1, len(REBER)), targets.reshape(-1))


def train(layer, seed, iterations, show=QUIET, words=""):
    """Train a layer with a head on streams; returns the losses and the share that is right."""
    head, losses = nn.Linear(HIDDEN, len(REBER)), []
    model, (one, _) = nn.Sequential(layer, head), streams(60, np.random.default_rng(0))
    show.gradient("before training", model, entropy(head(layer(ONE_HOT[one[:-1]])[0]), one[1:]))
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    symbols, _ = streams(iterations * CHUNK, np.random.default_rng([seed, 0]))
    chunks = nn.tbptt(layer, ONE_HOT[symbols[:-1]], CHUNK)
    for chunk in show.bar(chunks, f"{words}, {iterations} chunks"):
        loss = entropy(head(chunk.output), symbols[chunk.start + 1 :][:CHUNK])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    show.gradient("after training", model, entropy(head(layer(ONE_HOT[one[:-1]])[0]), one[1:]))
    if show.active:
        with nn.record_gates(layer) as gates:
            scores = head(layer(ONE_HOT[one[:-1, :1]])[0])
        text = "The stream " + "".join(REBER[k] for k in one[:-1, 0])
        show.gates(gates, f"{text}: most cells are emptied again and again.", names=["f", "c"])
        show.graph(scores[-1], "60 steps of the stream, one set of weights; the middle is folded.")
    symbols, outer = streams(2000, np.random.default_rng([seed, 1]))
    with tg.no_grad():
        scores = head(layer(ONE_HOT[symbols[:-1]])[0]).numpy()
    said_t = scores[..., REBER.index("T")] > scores[..., REBER.index("P")]
    right = (said_t == (symbols[1:] == REBER.index("T")))[outer]
    return losses, 100 * float(right.mean())


def run(seed=0, quick=False, iterations=None, show=QUIET):
    """With forget gates, and without."""
    iterations = iterations or (20 if quick else 2000)
    found, curves = {}, {}
    for words, make in LAYERS.items():
        tg.manual_seed(seed)
        shown = show if words == "with forget gates" else QUIET
        curves[words], found[words] = train(make(), seed, iterations, shown, words)
    rows = [*([words, share] for words, share in found.items()), ["a coin toss", 50.0]]
    show.table(["outer symbols right", "%"], rows, strong=0)
    smooth = {w: np.convolve(c, np.ones(20) / 20, "valid") for w, c in curves.items()}
    show.curves("losses", smooth, "Cross entropy of the next symbol, the mean of 20 chunks.")
    return TASK.result(found["with forget gates"], details=found)


if __name__ == "__main__":
    main(run)
