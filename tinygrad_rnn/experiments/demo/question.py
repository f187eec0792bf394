"""Act 1. What weights does an LSTM use at t = 4? Answered by running one on 3, 4 and 300 steps."""

from __future__ import annotations

from ... import nn
from ...drawing.draw import to_svg
from ...drawing.output import DrawingError, backend
from ...graphs import Graph
from ...tensors.making import zeros
from ..report import Reporter
from .forecaster import HIDDEN

LENGTHS = (3, 4, 300)
CAPTIONS = {
    3: "Three steps. The orange slab holds all the weights there are; each step taps the same bar.",
    4: "Four steps: one tap more on the same slab, and not one number more in it. That is the answer.",
    300: "Three hundred steps, the middle folded: the same four Parameters, each with 300 uses.",
}


def answer(report: Reporter) -> None:
    """Say what the question assumes and what is so, count the uses, draw the pictures."""
    report.act(1, "The question, answered by running it")
    report.quote(
        "An LSTM has gate weights w1, w2, w3 for three steps. What weights does it use at t = 4?"
    )
    report.say(
        "The question assumes that each step brings weights of its own. It does not: an LSTM has ONE "
        "set of weights. Step t applies it to the new input x_t and to the state (h, c) that step t - 1 "
        "handed on. So t = 4 uses exactly what t = 1, 2 and 3 used, and so does t = 300. Only the state "
        "changes from step to step."
    )
    report.table(
        ["", "t = 1", "t = 2", "t = 3", "t = 4", "t = 300"],
        [
            ["the question", "w1", "w2", "w3", "?", "?"],
            ["an LSTM", "W", "W", "W", "W", "W"],
        ],
        strong=1,
    )
    report.say(
        f"Here is one `nn.LSTM(1, {HIDDEN})`, made once and run on 3, 4 and 300 steps. The uses are "
        "counted in the graph that each run recorded:"
    )
    lstm = nn.LSTM(1, HIDDEN)
    numbers = sum(p.numel() for p in lstm.parameters())
    graphs = {steps: Graph(lstm(zeros(steps, 1, 1))[0]) for steps in LENGTHS}
    rows = [["numbers it learns", *(f"{numbers:,}" for _ in graphs)]]
    for name, parameter in lstm.named_parameters():
        uses = (f"{len(graph.uses(parameter)):,}" for graph in graphs.values())
        rows.append([f"uses of {short_name(name)}", *uses])
    rows.append(["numbers, were each step separate", *(f"{n * numbers:,}" for n in LENGTHS)])
    report.table(
        ["", *(f"{steps} steps" for steps in LENGTHS)],
        rows,
        "The last row is what the question assumes: weights for each step. A layer made so for 3 steps "
        "has nothing to use at t = 4; `examples/shared_vs_separate.py` builds it and shows it fail.",
        strong=0,
    )
    report.result(
        f"{numbers} numbers",
        "are all the weights of the LSTM, for 3, 4 and 300 steps alike; every step uses each of them "
        "once.",
    )
    try:
        said = backend()
        for steps, graph in graphs.items():
            svg = to_svg(graph, "cell")
            alt = f"An LSTM unrolled over {steps} steps, all tapping one slab of weights."
            report.picture(f"lstm_{steps}_steps.svg", svg, alt, CAPTIONS[steps])
        report.remark(f"drawn by {said}")
    except DrawingError as error:
        report.say(f"No pictures here, all else goes on: {error}")


def short_name(name: str) -> str:
    """``weight_ih_l0`` as the equations have it: ``W_ih``."""
    kind, sides, *_ = name.split("_")
    return {"weight": "W", "bias": "b"}[kind] + "_" + sides
