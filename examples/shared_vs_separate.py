"""What weights does an LSTM use at t = 4? The question that started this project, run both ways.

A layer that keeps weights w1, w2, w3 for three steps has nothing to use at t = 4. A real LSTM has one
set of weights and applies it at every step, so that any length will do. Run it anywhere:
python shared_vs_separate.py. It leaves separate.svg and shared.svg in the current folder.
"""

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.drawing.output import DrawingError

FEATURES, HIDDEN = 4, 3


class SeparateLSTM(nn.Module):
    """What the question imagines: an LSTM with gate weights of its own for each of `steps` steps."""

    def __init__(self, input_size, hidden_size, steps):
        super().__init__()
        self.hidden_size, self.steps = hidden_size, steps
        for t in range(1, steps + 1):  # w1, w2, w3: each holds the weights of all four gates
            w = tg.randn(4 * hidden_size, input_size + hidden_size) / 3
            setattr(self, f"w{t}", nn.Parameter(w))

    def forward(self, x):
        """(time, batch, features) in, the last h (batch, hidden) out."""
        if len(x) > self.steps:
            raise ValueError(
                f"this layer has weights for {self.steps} steps, and x has {len(x)}: there are none "
                f"to use at t = {self.steps + 1}. None were made for it, and no training on "
                f"{self.steps} steps could say what they should be"
            )
        h = tg.zeros(x.shape[1], self.hidden_size)
        c = tg.name(tg.zeros(x.shape[1], self.hidden_size), "c")
        for t, x_t in enumerate(tg.steps(x), 1):
            w = getattr(self, f"w{t}")
            i, f, g, o = nn.functional.linear(tg.cat([x_t, h], -1), w).chunk(4, -1)
            c = tg.name(f.sigmoid() * c + i.sigmoid() * g.tanh(), "c")
            h = tg.name(o.sigmoid() * c.tanh(), "h")
        return h


def count(module):
    """How many numbers a module learns."""
    return sum(p.numel() for p in module.parameters())


def draw(outputs, path):
    """Draw, or say why there is no picture."""
    try:
        print(f"  picture: {tg.draw(outputs, path)}")
    except DrawingError as error:
        print(f"  no picture: {error}")


def main():
    """Both layers on the same input, as far as each goes."""
    tg.manual_seed(0)
    x = tg.randn(300, 1, FEATURES)

    print("Weights for each step (what the question imagines)")
    separate = SeparateLSTM(FEATURES, HIDDEN, steps=3)
    h = separate(x[:3])
    graph = tg.graph(h)
    for name in graph.parameters:
        steps = ", ".join(f"t = {use.step + 1}" for use in graph.uses(name))
        print(f"  {name}: used at {steps}")
    print(f"  3 steps: {count(separate)} numbers")
    draw(h, "separate.svg")
    try:
        separate(x[:4])
    except ValueError as error:
        print(f"  4 steps: ValueError: {error}")

    print()
    print("One set of weights (a real LSTM)")
    lstm = nn.LSTM(FEATURES, HIDDEN, bias=False)  # its gates have the numbers of one w
    for steps in (3, 4, 300):
        y, _ = lstm(x[:steps])
        uses = len(tg.graph(y).uses(lstm.weight_hh_l0))
        print(f"  {steps} steps: {count(lstm)} numbers, each of them used {uses} times")
    draw(lstm(x[:4])[0], "shared.svg")


if __name__ == "__main__":
    main()
