"""Hidden units or time steps: which of them is the memory?

Ten symbols, then a delay of blanks, then a mark that asks for the ten (Hochreiter & Schmidhuber 1997; in this
form Arjovsky et al. 2016). Everything that is to be written later has to pass through the state: hidden_size
numbers, the same few at every step. The number of time steps is the length of the sequence, and it may be
anything; it is no size of the layer, and adds no memory and no weights. Here one layer of 64 units is trained
at delays from 10 to 100: the weights are as many at each, the task gets harder, since what step 1 adds to
them has to come back through more steps.

The baseline, without memory, predicts blank and guesses at the end: 10 ln 8 / (T + 20). What a GRU gets in
2,500 steps of training is shown as a curve beside it, and not judged: more would help. What it took to leave
the baseline at every delay are units that start with spans from 1 to T (chrono), and gradients clipped
at 0.1.
"""

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.data import copying_memory
from tinygrad_rnn.experiments import QUIET, Task, main
from tinygrad_rnn.plots import plot_history

HIDDEN, BATCH, RATE, CLIP, ITERATIONS = 64, 32, 0.02, 0.1, 2500
DELAYS = 10, 20, 40, 70, 100
TASK = Task(
    "copying",
    f"delays {', '.join(map(str, DELAYS))}, GRU({HIDDEN}) with chrono initialisation, batch {BATCH}, "
    f"Adam {RATE}, clip {CLIP}, {ITERATIONS} iterations",
    "cross entropy / memoryless baseline, mean over delays",
    baseline=1.0,
    gated=False,
    seeds=1,
)


class Copier(nn.Module):
    """At every step a score for each of eight symbols and the blank."""

    def __init__(self):
        super().__init__()
        self.gru, self.head = nn.GRU(10, HIDDEN), nn.Linear(HIDDEN, 9)

    def forward(self, x):
        """(time, batch, 10) in, (time, batch, 9) out."""
        return self.head(self.gru(x)[0])


def memoryless(delay):
    """The cross entropy of the baseline, which predicts blank and guesses."""
    return 10 * np.log(8) / (delay + 20)


def loss_of(model, sequences):
    """Cross entropy over all steps."""
    x, y = sequences
    return nn.functional.cross_entropy(model(x).reshape(-1, 9), y.reshape(-1))


def train(delay, seed, iterations, show=QUIET):
    """A model at one delay; returns it, its losses over the baseline, and the loss on 500 new sequences."""
    tg.manual_seed(seed)
    rng, test = np.random.default_rng([seed, delay]), np.random.default_rng([seed, delay, 1])
    model, losses = Copier(), []
    nn.init.chrono_(model.gru, delay + 10)  # what is to be said came so many steps before
    optimizer = optim.Adam(model.parameters(), lr=RATE)
    one = copying_memory(delay, 1, np.random.default_rng(0))
    if delay == DELAYS[0]:
        show.gradient("before training", model, loss_of(model, one))
    for _ in show.bar(range(iterations), f"delay {delay}"):
        loss = loss_of(model, copying_memory(delay, BATCH, rng))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        losses.append(loss.item() / memoryless(delay))
    if delay == DELAYS[0]:
        show.gradient("after training", model, loss_of(model, one))
        with nn.record_gates(model.gru) as gates:
            scores = model(one.x)
        caption = (
            f"One sequence at delay {delay}: ten symbols, blanks, the mark at t = {10 + delay}."
        )
        show.gates(gates, caption, names=("r", "z", "h"))
        show.graph(scores[-1], f"{delay + 20} steps, one set of weights; the middle is folded.")
    with tg.no_grad():
        return losses, loss_of(model, copying_memory(delay, 500, test)).item()


def run(seed=0, quick=False, iterations=None, show=QUIET):
    """Every delay for itself."""
    iterations = iterations or (20 if quick else ITERATIONS)
    found, curves, steps = {}, {}, range(iterations // 20, iterations, 20)
    for delay in DELAYS:
        losses, found[delay] = train(delay, seed, iterations, show)
        curves[f"delay {delay}"] = [np.mean(losses[k:][:20]) for k in steps]
    shares = {delay: loss / memoryless(delay) for delay, loss in found.items()}
    rows = [[f"delay {d}", found[d], memoryless(d), shares[d]] for d in DELAYS]
    show.table(["cross entropy", "GRU", "memoryless", "share"], rows)
    kept = {name: curves[name] for name in list(curves)[::2]}
    share = {"ylabel": "share", "xlabel": "training step", "log": False, "at": steps}
    show.figure(
        "losses",
        lambda: plot_history(kept, marks={"no memory": 1.0}, **share),
        f"The loss as a share of the memoryless baseline, from step {steps[0]} on; means of 20 steps.",
    )
    pair = {"GRU": list(found.values()), "10 ln 8 / (T + 20)": [memoryless(d) for d in DELAYS]}
    show.figure(
        "delays",
        lambda: plot_history(pair, ylabel="cross entropy", xlabel="delay", at=DELAYS, log=False),
        "Cross entropy on new sequences by delay, beside what who has no memory gets.",
    )
    return TASK.result(
        np.mean(list(shares.values())), details={f"delay {d}": s for d, s in shares.items()}
    )


if __name__ == "__main__":
    main(run)
