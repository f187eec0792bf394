"""Make the teacher's kit in docs/kit/: hand-out, slides, poster, the backward pass as frames and as a GIF.

    python docs/make_kit.py

All of it is drawn from recorded graphs, and needs pip alone (extra `plot`): no Graphviz on the system, no
LaTeX.
"""

from __future__ import annotations

import html
import textwrap
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.animation import FuncAnimation, PillowWriter
from matplotlib.figure import Figure

import tinygrad_rnn as tg
from tinygrad_rnn import nn

HERE = Path(__file__).parent / "kit"
LICENCE = "tinygrad_rnn, MIT licence: copy, change and hand out, with this line."
ORANGE, BLUE, GREY = "#C65102", "#0072B2", "#8C959F"
STEPS = 4
QUESTION = "An LSTM has gate weights w1, w2, w3 for three steps. What weights does it use at t = 4?"
ANSWER = (
    "The same ones. A recurrent network has one set of weights and applies it at every time step. Only the "
    "state (h and c) goes from step to step. In training, each step adds its part to the gradient of that "
    "one set."
)
EQUATIONS = (
    r"$\mathrm{RNN:}\quad h_t = \tanh(W_{ih}\,x_t + W_{hh}\,h_{t-1} + b)$",
    r"$\mathrm{LSTM:}\quad i, f, o = \sigma(\cdot),\quad g = \tanh(\cdot)\quad \mathrm{of}\quad"
    r" W_{ih}\,x_t + W_{hh}\,h_{t-1} + b$",
    r"$c_t = f \odot c_{t-1} + i \odot g, \qquad h_t = o \odot \tanh(c_t)$",
    r"$\frac{\partial L}{\partial W} = \sum_{t=1}^{T} \left(\frac{\partial L}{\partial W}\right)_{\!t}"
    r"\qquad \mathrm{the\ sum\ over\ the\ uses\ of\ } W$",
)
FACTS = (
    "The number of weights does not depend on the number of steps: 4 H (I + H) and the biases.",
    "hidden_size is the width of the state h. It has nothing to do with the number of steps.",
    "The early gradient vanishes because it goes back through every later step, not because weights differ.",
)


def lstm() -> tuple[nn.LSTM, tg.Tensor]:
    """The layer of all pictures, and the loss of its last output."""
    tg.manual_seed(0)
    layer = nn.LSTM(input_size=4, hidden_size=3)
    y, _ = layer(tg.randn(STEPS, 1, 4))
    return layer, y[-1].square().sum()


def poster() -> None:
    """One LSTM step, every op: the equations as a graph."""
    tg.manual_seed(0)
    y, _ = nn.LSTM(input_size=4, hidden_size=3)(tg.randn(1, 1, 4))
    tg.draw(y, HERE / "lstm_step_poster.svg", level="op")
    tg.draw(y, HERE / "lstm_step_poster.png", level="op")


def handout() -> None:
    """One page A4: question, answer, equations, the unrolled graph."""
    _, loss = lstm()
    tg.draw(loss, HERE / "cells.png", level="cell")
    figure = plt.figure(figsize=(8.27, 11.69))
    _text(figure, 0.955, "One set of weights, every time step", size=20, weight="bold")
    _text(figure, 0.905, _wrapped(f"Question. {QUESTION}"), size=11, color=GREY)
    _text(figure, 0.858, _wrapped(f"Answer. {ANSWER}"), size=11)
    _picture(figure, HERE / "cells.png", 0.06, 0.49, 0.88, 0.30)
    _text(
        figure, 0.485, "A recorded graph: four steps, each weight drawn once.", size=9, color=GREY
    )
    for k, equation in enumerate(EQUATIONS):
        _text(figure, 0.440 - 0.045 * k, equation, size=13)
    for k, fact in enumerate(FACTS):
        _text(figure, 0.235 - 0.045 * k, _wrapped(f"{k + 1}. {fact}"), size=11)
    _text(figure, 0.085, "What each step adds to the gradient of W_hh (norms):", size=10)
    layer, loss = lstm()
    norms = loss.backward(ledger=True).norms(layer.weight_hh_l0)
    words = ", ".join(f"t = {t}: {n:.3g}" for t, n in enumerate(norms, 1))
    _text(figure, 0.062, f"{words}. They are added up, not averaged.", size=10)
    _text(figure, 0.03, LICENCE, size=8, color=GREY)
    figure.savefig(HERE / "handout.pdf", metadata={"CreationDate": None})
    plt.close(figure)
    (HERE / "cells.png").unlink()


def _text(figure: Figure, y: float, text: str, **style: Any) -> None:
    figure.text(0.07, y, text, va="top", **style)


def _wrapped(text: str) -> str:
    return "\n".join(textwrap.wrap(text, 90))


def _picture(
    figure: Figure, path: Path, left: float, bottom: float, width: float, height: float
) -> None:
    axes = figure.add_axes((left, bottom, width, height))
    axes.imshow(plt.imread(path))
    axes.axis("off")


def frames() -> None:
    """The backward pass, a frame a step: the gradient that arrives, and the sum so far for W_hh."""
    layer, loss = lstm()
    ledger = loss.backward(ledger=True)
    parts = ledger[layer.weight_hh_l0]
    whole = np.linalg.norm(parts.sum(0))
    along = np.array([(part * parts.sum(0)).sum() / whole for part in parts])
    figure = plt.figure(figsize=(7, 3.2))

    def frame(k: int) -> None:
        """After k steps of the backward pass (0: before it)."""
        figure.clear()
        axes = figure.add_axes((0.02, 0.02, 0.96, 0.96))
        axes.set(xlim=(0, STEPS + 0.6), ylim=(-0.15, 3))
        axes.axis("off")
        reached = range(STEPS - k, STEPS)
        title = (
            f"backward: step t = {STEPS - k + 1}"
            if k
            else "forward: done; backward starts at the loss"
        )
        axes.text(0.1, 2.8, title, size=12, weight="bold", va="top")
        for t in range(STEPS):
            on = t in reached
            box = plt.Rectangle(
                (t + 0.15, 1.45), 0.7, 0.65, fc="#FDE3D0" if on else "#F3F4F6", ec=GREY
            )
            axes.add_patch(box)
            axes.text(t + 0.5, 1.78, f"LSTM\nt = {t + 1}", ha="center", va="center", size=9)
            arrow = {"arrowstyle": "<-" if on else "->", "color": ORANGE if on else BLUE, "lw": 2}
            axes.annotate("", (t + 1.15, 1.78), (t + 0.85, 1.78), arrowprops=arrow)
            if on:
                down = {"arrowstyle": "->", "color": ORANGE, "lw": 1.5}
                axes.annotate("", (t + 0.5, 1.0), (t + 0.5, 1.42), arrowprops=down)
                axes.text(t + 0.55, 1.18, f"{along[t]:.3f}", size=9, color=ORANGE)
        axes.text(STEPS + 0.2, 1.78, "loss", va="center", size=10)
        axes.text(0.1, 0.62, "gradient of W_hh so far:", size=9, va="bottom")
        left, scale = 0.1, (STEPS + 0.2) / max(whole, 1e-30)
        axes.add_patch(plt.Rectangle((0.1, 0.3), whole * scale, 0.25, fc="none", ec=GREY))
        for t in reversed(reached):
            width = along[t] * scale
            axes.add_patch(plt.Rectangle((left, 0.3), width, 0.25, fc=ORANGE, ec="white"))
            left += width
        done = sum(along[t] for t in reached)
        axes.text(0.1, 0.22, f"{done:.3f} of {whole:.3f}", size=9, va="top")
        figure.text(0.99, 0.01, LICENCE, ha="right", size=6, color=GREY)

    for k in range(STEPS + 1):
        frame(k)
        figure.savefig(HERE / f"backward_{k}.svg", metadata={"Date": None})
    made = FuncAnimation(figure, frame, frames=STEPS + 1)  # type: ignore[arg-type]
    made.save(HERE / "backward.gif", writer=PillowWriter(fps=1))
    plt.close(figure)


def slides() -> None:
    """One HTML file: arrow keys or scrolling; printing it gives a page a slide."""
    _, loss = lstm()
    ledger = loss.backward(ledger=True)
    pictures = {
        "cells": _svg(loss, level="cell"),
        "ops": _svg(loss, level="op", steps=(0,)),
        "backward": _svg(loss, backward=ledger),
    }
    sheets = [
        ("One set of weights, every time step", f"<p class=q>{html.escape(QUESTION)}</p>"),
        ("The same ones", f"<p>{html.escape(ANSWER)}</p>"),
        ("Unrolled: each weight is drawn once", pictures["cells"]),
        ("One step, every op", pictures["ops"]),
        ("Backward: the parts of the steps are added up", pictures["backward"]),
        ("To remember", f"<ol>{''.join(f'<li>{html.escape(fact)}</li>' for fact in FACTS)}</ol>"),
        (
            "Try it",
            "<pre>tinygrad-rnn exercise lstm\ntinygrad-rnn exercise check lstm.py</pre>"
            "<p>The marker names the first term that is wrong.</p>",
        ),
    ]
    body = "\n".join(
        f"<section id=s{k}><h1>{html.escape(title)}</h1><div>{content}</div>"
        f"<footer>{html.escape(LICENCE)} {k} / {len(sheets)}</footer></section>"
        for k, (title, content) in enumerate(sheets, 1)
    )
    (HERE / "slides.html").write_text(SLIDES.format(body=body), encoding="utf-8", newline="\n")


SLIDES = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>One set of weights, every time step</title>
<meta name="viewport" content="width=device-width">
<style>
html {{ scroll-snap-type: y mandatory; font: 1.6rem/1.4 system-ui, sans-serif;
  color: #1F2328; background: #fff; }}
body {{ margin: 0; }}
section {{ scroll-snap-align: start; min-height: 100vh; box-sizing: border-box; padding: 4vh 6vw 1vh;
  display: flex; flex-direction: column; break-after: page; }}
section > div {{ flex: 1; display: flex; flex-direction: column; justify-content: center; min-height: 0; }}
h1 {{ color: #C65102; font-size: 2.2rem; margin: 0 0 1vh; }}
p.q {{ font-size: 2rem; }}
svg {{ max-width: 100%; max-height: 72vh; height: auto; margin: auto; }}
pre {{ background: #F3F4F6; padding: 1rem; overflow-x: auto; }}
footer {{ font-size: .8rem; color: #57606A; }}
@media (max-width: 700px) {{
  html {{ font-size: 1rem; scroll-snap-type: none; }}
  h1 {{ font-size: 1.5rem; }}
  p.q {{ font-size: 1.2rem; }}
}}
@page {{ size: 297mm 167mm; margin: 0; }}
</style></head><body>
{body}
<script>
addEventListener("keydown", e => {{
  const keys = {{ArrowRight: 1, ArrowDown: 1, PageDown: 1, " ": 1, ArrowLeft: -1, ArrowUp: -1, PageUp: -1}};
  const by = keys[e.key];
  if (!by) return;
  e.preventDefault();
  const all = [...document.querySelectorAll("section")];
  const at = all.findIndex(s => s.getBoundingClientRect().top > -innerHeight / 2);
  all[Math.max(0, Math.min(all.length - 1, at + by))].scrollIntoView({{behavior: "instant"}});
}});
</script></body></html>
"""


def _svg(loss: tg.Tensor, **how: Any) -> str:
    """A picture to be put into a page; its ids and classes are those of one picture alone."""
    path = HERE / "slide.svg"
    tg.draw(loss, path, **how)
    text = path.read_text(encoding="utf-8")
    path.unlink()
    return text[text.index("<svg") :]


def main() -> None:
    """Make all of it."""
    HERE.mkdir(exist_ok=True)
    matplotlib.rcParams["svg.hashsalt"] = "kit"
    for make in (poster, handout, frames, slides):
        make()
    print(*sorted(path.name for path in HERE.iterdir()), sep="\n")


if __name__ == "__main__":
    main()
