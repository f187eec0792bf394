"""What are output and h_n, where are the last states of two directions, and are hidden units time steps?

An image of 8 x 8 pixels is read one pixel at a time, 64 steps, and at the end the network names the digit
that it was. Here 64 hidden units read 64 steps, by coincidence: units are how wide the state is, steps are
how often the same weights are applied to it, and neither knows of the other.

output is h at every step, (64, batch, H); h_n is h at the last one, (1, batch, H): output[-1] is h_n[0],
and an answer about the whole sequence needs no more. In two directions output is 2 H wide, and the last
states sit at its two ends: read forwards, output[-1, :, :H] is h_n[0]; read backwards the last step is the
first, and output[0, :, H:] is h_n[1]. The other half of output[-1] has seen one pixel: a table counts them.
Another asks the head, which was trained on the last step alone, before the whole digit was read.

To compare: a linear classifier that sees all 64 pixels at once. Settings were chosen on a fifth of the
images (benchmarks/choices.py), which then joined the training.
"""

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.data import Batch, sequential_digits
from tinygrad_rnn.experiments import QUIET, Task, main

HIDDEN, BATCH, RATE, ITERATIONS = 64, 32, 2e-2, 2500
TASK = Task(
    "digits",
    f"64 pixels one a step, GRU({HIDDEN}), batch {BATCH}, Adam {RATE:g} falling to 0, "
    f"{ITERATIONS} iterations on 1,438 images; 359 test images",
    "test accuracy",
    reference=0.95,
    better="higher",
)


class Reader(nn.Module):
    """A GRU that reads the pixels, and a head that reads its state."""

    def __init__(self, hidden):
        super().__init__()
        self.gru, self.head = nn.GRU(1, hidden), nn.Linear(hidden, 10)

    def forward(self, x):
        """(64, batch, 1) in, logits (batch, 10) out."""
        _, h_n = self.gru(x)
        return self.head(h_n[0])  # the same as output[-1]


def train(images, seed, iterations, show=QUIET, hidden=HIDDEN, rate=RATE, batch=BATCH):
    """A Reader trained on images, and its losses."""
    tg.manual_seed(seed)
    rng, model, losses = np.random.default_rng([seed, 0]), Reader(hidden), []

    def loss_of(rows):
        return nn.functional.cross_entropy(model(images.x[:, rows]), images.y[rows])

    optimizer = optim.Adam(model.parameters(), lr=rate)
    show.gradient("before training", model, loss_of([0]))
    rows = np.array([], int)
    for k in show.bar(range(iterations), f"GRU({hidden})"):
        optimizer.param_groups[0]["lr"] = rate * (1 - k / iterations)
        if len(rows) < batch:  # a new pass over all images
            rows = rng.permutation(len(images.y))
        now, rows = rows[:batch], rows[batch:]
        loss = loss_of(now)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    show.gradient("after training", model, loss_of([0]))
    return model, losses


@tg.no_grad()
def accuracy(model, images):
    """The share of images that the model names right."""
    return float(np.mean(model(images.x).numpy().argmax(1) == images.y))


def both_directions(x):
    """The ends of a bidirectional GRU's output, and of how many pixels each knows."""
    x = tg.tensor(x[:, :1], requires_grad=True)
    output, h_n = nn.GRU(1, HIDDEN, bidirectional=True)(x)
    forwards, backwards = output.chunk(2, -1)
    assert (h_n == tg.stack([forwards[-1], backwards[0]])).all()
    ends = {"output[-1, :, :H], h_n[0]": forwards[-1], "output[0, :, H:], h_n[1]": backwards[0]}
    ends["output[-1, :, H:]"] = backwards[-1]
    return [[name, np.count_nonzero(tg.grad(h.sum(), [x])[0].numpy())] for name, h in ends.items()]


def run(seed=0, quick=False, iterations=None, show=QUIET):
    """Train, name the test images, look at the steps before the last."""
    from sklearn.linear_model import LogisticRegression

    first, held, test = sequential_digits()
    known = Batch(np.concatenate([first.x, held.x], 1), np.concatenate([first.y, held.y]))
    model, losses = train(known, seed, iterations or (10 if quick else ITERATIONS), show)
    fitted = LogisticRegression(max_iter=2000).fit(known.x[:, :, 0].T, known.y)
    linear = fitted.score(test.x[:, :, 0].T, test.y)
    found = {"a linear classifier": linear, f"GRU({HIDDEN})": accuracy(model, test)}
    if show.active:
        sizes = 10 * (64 + 1), sum(p.numel() for p in model.parameters())
        rows = [[name, share, n] for (name, share), n in zip(found.items(), sizes, strict=True)]
        show.table(["359 test images", "accuracy", "weights"], rows, strong=1)
        with nn.record_gates(model.gru) as gates:
            output, h_n = model.gru(test.x)
        assert (output[-1] == h_n[0]).all()
        show.say(f"output: {output.shape}, h_n: {h_n.shape}; output[-1] is h_n[0].")
        named = [model.head(output[t]).numpy().argmax(1) for t in range(7, 64, 8)]
        rows = [[f"{k} of 8", np.mean(said == test.y)] for k, said in enumerate(named, 1)]
        show.table(["rows of pixels read", "accuracy"], rows)
        show.curves("losses", {"training": losses}, "Cross entropy of each batch.")
        show.gates(gates, f"A {test.y[0]}, a pixel a step.", names=("r", "z", "h"))
        show.graph(model(test.x), "64 steps, one set of weights.")
    show.table(["in two directions", "pixels seen"], both_directions(test.x))
    return TASK.result(found[f"GRU({HIDDEN})"], baseline=0.1, details=found)


if __name__ == "__main__":
    main(run)
