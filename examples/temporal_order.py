"""Weights are shared, so why does the early gradient vanish?

Fifty symbols, among them three that count, each an X or a Y; at the end the network names which of the
eight orders it saw (Hochreiter & Schmidhuber 1997, experiment 6b, at a fixed length). The first is 40 steps
before the answer.

That the weights are shared does not help: step 5's part of W's gradient has to come back through 45
steps, and each multiplies it by the derivative of one state by the one before. In a tanh RNN these factors
shrink it, W is pulled by the last steps alone, and the network stays at chance, or learns the last symbol
only. In an LSTM the way back along the cell is multiplied by the forget gate, which can stay near 1. The
picture of the gradient shows both, before training and after.

400 iterations are few. Every seed gets there from a start with memories of 1 to 60 steps (chrono), open
output gates, little feedback and a large head; chosen on seeds from 20 on (benchmarks/choices.py).
"""

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.data import temporal_order
from tinygrad_rnn.experiments import QUIET, Task, main

STEPS, HIDDEN, BATCH, TESTED, ITERATIONS = 50, 4, 32, 512, 400
SPAN, OPEN, FEEDBACK, HEAD, FALL = 60, 1.0, 0.25, 5.0, 0.2
TASK = Task(
    "temporal_order",
    f"3 bits, T={STEPS}, LSTM({HIDDEN}) with chrono initialisation, Adam 0.02 falling to 0 at the end, "
    f"clip 3, batch {BATCH}, {ITERATIONS} iterations",
    f"right of {TESTED} new sequences",
    reference=TESTED,
    baseline=TESTED / 8,
    better="higher",
    short=3,
)


class Reader(nn.Module):
    """A recurrent layer, and a head that reads its last output."""

    def __init__(self, layer, classes):
        super().__init__()
        self.layer, self.head = layer, nn.Linear(HIDDEN, classes)

    def forward(self, x):
        """(time, batch, 8) in, (batch, classes) out."""
        y, _ = self.layer(x)
        return self.head(y[-1])


def loss_of(model, sequences):
    """Cross entropy of a batch."""
    x, y = sequences
    return nn.functional.cross_entropy(model(x), y)


def right(model, bits, count, seed):
    """How many of ``count`` new sequences the model classifies right."""
    x, y = temporal_order(STEPS, count, np.random.default_rng(seed), bits=bits)
    with tg.no_grad():
        return int((model(x).numpy().argmax(-1) == y).sum())


def train(
    kind, bits, seed, iterations, show=QUIET, span=SPAN, feedback=FEEDBACK, head=HEAD, fall=FALL
):
    """One model; returns it and, every 10 iterations, its accuracy on 128 sequences."""
    tg.manual_seed(seed)
    rng, accuracy = np.random.default_rng([seed, 0]), []
    model = Reader(kind(8, HIDDEN), 2**bits)
    if kind is nn.LSTM:
        lstm = nn.init.chrono_(model.layer, span)
        with tg.no_grad():
            lstm.bias_ih_l0.copy_(lstm.bias_ih_l0.at[3 * HIDDEN :].set(OPEN))
            lstm.weight_hh_l0.copy_(feedback * lstm.weight_hh_l0)
            model.head.weight.copy_(head * model.head.weight)
    optimizer = optim.Adam(model.parameters(), lr=0.02)
    one = temporal_order(STEPS, 1, np.random.default_rng(1), bits=bits)
    show.gradient(f"{kind.__name__} before", model, loss_of(model, one))
    for k in show.bar(range(iterations), f"{kind.__name__}, {bits} bits"):
        optimizer.param_groups[0]["lr"] = 0.02 * min(1, (1 - k / iterations) / fall)
        loss = loss_of(model, temporal_order(STEPS, BATCH, rng, bits=bits))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 3.0)
        optimizer.step()
        if show.active and (k + 1) % 10 == 0:
            accuracy.append(100 * right(model, bits, 128, [seed, 2]) / 128)
    show.gradient(f"{kind.__name__} after", model, loss_of(model, one))
    return model, accuracy


def run(seed=0, quick=False, iterations=None, show=QUIET):
    """The LSTM on 3 bits; where somebody looks, beside a tanh RNN, and both on 2 bits too."""
    iterations = iterations or (20 if quick else ITERATIONS)
    lstm, curve = train(nn.LSTM, 3, seed, iterations, show)
    found = right(lstm, 3, TESTED, [seed, 1])
    if show.active:
        rnn, flat = train(nn.RNN, 3, seed, iterations, show)
        rows = [[f"3 bits, {TESTED}", found, right(rnn, 3, TESTED, [seed, 1]), TESTED / 8]]
        pair = [train(kind, 2, seed, iterations)[0] for kind in (nn.LSTM, nn.RNN)]
        rows.append(
            [f"2 bits, {TESTED}", *(right(m, 2, TESTED, [seed, 1]) for m in pair), TESTED / 4]
        )
        show.table(["right of new sequences", "LSTM", "tanh RNN", "chance"], rows, strong=0)
        caption = "Accuracy on new sequences of 3 bits: chance is 12.5%."
        curves = {"LSTM": curve, "tanh RNN": flat}
        marks = {"chance: 12.5%": 12.5}
        show.curves("losses", curves, caption, ylabel="right, %", marks=marks, log=False, every=10)
        x, _ = temporal_order(STEPS, 1, np.random.default_rng(1))
        places = " and ".join(str(t + 1) for t in np.flatnonzero(x[:, 0, 6:].any(-1)))
        with nn.record_gates(lstm.layer) as gates:
            said = lstm(x)
        show.gates(gates, f"One sequence; what counts stands at t = {places}.")
        show.graph(said, f"{STEPS} steps, one set of weights; the middle is folded.")
    return TASK.result(found)


if __name__ == "__main__":
    main(run)
