"""Write docs/frameworks.md: the same LSTM in nineteen frameworks, from the table of conventions.

    python docs/make_frameworks.py

Every row names the stored cases of that layer (``tests/golden/frameworks``: its own weights and what it
returned) that were read and run while the page was made, and how near the answers were.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import tinygrad_rnn as tg
from tinygrad_rnn.interop.conventions import TABLE, Part, Row, rows_of
from tinygrad_rnn.interop.packing import segments

HERE = Path(__file__).parent
PAGE = HERE / "frameworks.md"
RAN = "28 November 2026"

TITLES = {
    "keras": "Keras 3", "keras2": "Keras 2", "tfjs": "TensorFlow.js", "pytorch": "PyTorch",
    "paddle": "Paddle", "mxnet": "MXNet", "tinygrad": "tinygrad", "flax": "Flax linen", "nnx": "Flax nnx",
    "equinox": "Equinox", "haiku": "Haiku", "onnx": "ONNX", "openvino": "OpenVINO", "ncnn": "ncnn",
    "coreml": "Core ML", "mlx": "MLX", "chainer": "Chainer", "dynet": "DyNet", "ncps": "ncps",
    "snntorch": "snntorch", "brainjs": "brain.js",
}  # fmt: skip
PADDED = {
    "zero": "0", "repeat": "the last output again", "computed": "computed on, as if they counted",
    "initial": "the initial state", "last": "the state of the last step",
}  # fmt: skip

TOP = """# The same LSTM in nineteen frameworks

<!-- python docs/make_frameworks.py -->

One equation,

    i, f, o = σ(W_i x + U_i h' + b_i), σ(W_f x + U_f h' + b_f), σ(W_o x + U_o h' + b_o)
    g = tanh(W_g x + U_g h' + b_g);   c = f c' + i g;   h = o tanh(c)

and as many ways to keep its numbers as there are frameworks: the gates are in another order, in
rows or in columns, in one array or in eight; there is one bias or two; some add 1 to the forget gate's
bias when they run. `tg.interop` reads and writes all of them by one table, a row a layer, and this page
is made of it:

```python
import numpy as np

import tinygrad_rnn as tg

arrays = {"kernel": np.ones((2, 12)), "recurrent_kernel": np.ones((3, 12)), "bias": np.zeros(12)}
lstm = tg.interop.from_weights(arrays, layout="keras")  # our LSTM, its numbers in our order
there = tg.interop.to_weights(lstm, layout="onnx")  # the same in ONNX's
print({name: array.shape for name, array in there.items()})
```

```text
{'W': (1, 12, 2), 'R': (1, 12, 3), 'B': (1, 24)}
```

Every row was made by running the framework on weights of its own, under its own
names, with states and lengths; what it returned is stored, and our layer, read from the same arrays,
was run on the same input ({ran}). Written back, the arrays are bit for bit what was read. I is the
number of inputs, H of units, D of directions, P of a projection's features; `i f g o` one below the
other is (4 H, ...) and in columns (..., 4 H).
"""

GRU = """
A GRU has more to differ in: whether the reset comes before the product with the recurrent matrix or
after it, and whether z keeps the old state (h = z h' + (1 - z) n) or takes the new one (h = (1 - z) h'
+ z n). A z that takes is read as a z that keeps, its weights and biases with the other sign: 1 - σ(a) =
σ(-a), and a sign is exact.
"""

PADDING = """
## Padded steps, and sequences of length 0

What each gives where it takes lengths or masks; ours, with `padded="zero"`, are 0 and the initial state.

"""

END = """
## What is not averaged away

- A forget gate to whose bias 1 is added when the layer runs is read with that 1 in the other bias:
  `bias_ih` is the stored array, bit for bit, and `bias_hh` holds the 1.
- One bias where we have two is read into one of them, the other at 0; written, the two are summed. A
  bias that a layer has and a framework has no place for (on h, within a GRU's reset) is an error that
  names the gate.
- Activations, a clip, full peephole matrices, an LSTM without a cell state, the direction alone from
  the last step to the first: what `nn.LSTM`, `GRU` and `RNN` do not do is a layer with that rule,
  called alike; `layer.rule` says it. Where there is no such layer, the error names the rule.
- Steps beyond a sequence's `lengths` are 0 here, and a sequence of length 0 keeps its initial state;
  `padded="theirs"` gives what the framework gives. `tg.interop.repeat_last(y, lengths)` repeats the
  last output by itself.
- Whole models: [`from_keras`, `to_keras` and `from_tfjs`](guides/from_keras.md), [`from_torch` and
  `to_torch`](guides/from_pytorch.md), `from_onnx` and `to_onnx`.
"""


def shape_in_words(part: Part, row: Row) -> str:
    """A part's shape with letters for sizes."""
    if part.holds in ("W_hr", "W_out", "b_out"):
        shape = {"W_hr": ["P", "H"], "W_out": ["O", "H"], "b_out": ["O", "1"]}[part.holds]
        shape = shape[::-1] if part.columns else shape
    elif part.holds.startswith("@"):
        return ""
    else:
        groups = segments(part)
        count = len(groups[0])
        tall = "H" if count == 1 else f"{count} H"
        letters = {"W_ih": "I", "W_hh": "H", "P": "H"}
        wide = " + ".join(letters[g[0][0]] for g in groups if g[0][0] in letters)
        shape = [tall, wide] if wide else [tall]
        if part.form:
            shape = ["2", f"{count // 2} H"] if part.form == "two rows" else [tall, "1"]
        shape = shape[::-1] if part.columns else shape
    lead = ["D"] if row.stacked else []
    return f"({', '.join([*lead, *shape])}{',' if len([*lead, *shape]) == 1 else ''})"


def arrays_in_words(row: Row) -> str:
    """The arrays of a row, those of one shape together."""
    found: dict[str, list[str]] = {}
    for part in row.parts:
        words = f" {shape_in_words(part, row)}"
        if part.when is not None:
            named = {
                "peephole": "with peepholes",
                "reset_after": "reset after" if part.when[1] else "reset before",
            }
            words += f", {named[part.when[0]]}"
        words += ", with a projection" if part.holds == "W_hr" else ""
        found.setdefault(words, []).append(f"`{part.name}`")
    return "; ".join(", ".join(names) + words for words, names in found.items())


def biases_in_words(row: Row) -> str:
    """Which biases there are."""
    kinds = {
        (kind, gate)
        for part in row.parts
        if part.when is None or part.when == ("reset_after", row.rule.reset_after)
        for group in segments(part)
        for kind, gate in group
        if kind in ("b", "bh", "b_ih", "b_hh")
    }
    both = {gate for kind, gate in kinds if kind == "b_ih"} & {
        g for kind, g in kinds if kind == "b_hh"
    }
    if both and both == {gate for _, gate in kinds}:
        return "two"
    if both:
        return f"one, and one on h for {' '.join(sorted(both))}"
    return "one, on h" if {kind for kind, _ in kinds} == {"bh"} else "one"


def running_in_words(row: Row) -> str:
    """What happens at run time that the arrays do not say."""
    words = [f"{gate} + {value:g}" for gate, value in row.offset.items()]
    rule = row.rule
    if rule.family == "GRU":
        words.append("reset after" if rule.reset_after else "reset before")
        words.append("z takes" if "z" in row.minus else "z keeps")
    differs = re.sub(r",? ?reset_after=\w+", "", rule.differs()).strip(", ")
    return "; ".join([*words, *([differs] if differs else []), *([row.note] if row.note else [])])


def cases() -> dict[str, list[tuple[str, int]]]:
    """The stored cases of each row, by its title: name and number of runs, each run while this is made."""
    sys.path.insert(0, str(HERE.parent / "tests"))
    from framework_cases import MODELS, NAMES, Case, error

    found: dict[str, list[tuple[str, int]]] = {}
    for name in NAMES:
        if name in MODELS:
            continue
        case: Any = Case(name)
        layer = case.read(padded="theirs")
        runs = case.runs()
        for x, states, lengths, answers in runs:
            given = case.run(layer, x, states, lengths)
            for part, wanted in answers.items():
                wanted = wanted[:, -1] if (name, part) == ("mlx_lstm", "c") else wanted
                if error(given[part], wanted) > case.tolerance():
                    raise SystemExit(f"{name}: {part} is not what {case.layout} returned")
        found.setdefault(layer.__dict__["_origin"].row.title, []).append((name, len(runs)))
    return found


def table(families: tuple[str, ...], ran: dict[str, list[tuple[str, int]]]) -> str:
    """The rows of some families, as Markdown."""
    heads = "framework", "layer", "gates", "arrays, in its order", "biases", "when it runs", "state"
    lines = [_line(*heads, "stored and run"), _line(*["---"] * 8)]
    seen = set()
    for row in TABLE:
        if row.rule.family not in families or row.title in seen:
            continue
        seen.add(row.title)
        done = ran.get(row.title, [])
        runs = sum(count for _, count in done)
        proof = (
            f"{len(done)} cases, {runs} runs"
            if len(done) > 1
            else f"1 case, {runs} runs"
            if done
            else "—"
        )
        proof = proof.replace(" 1 runs", " 1 run")
        if row.layout == "keras2" and row.layer in ("LSTM", "GRU"):
            proof = "in a model's file"
        name, order, running = f"`{row.layer}`", row.gates or "—", running_in_words(row) or "—"
        cells = TITLES[row.layout], name, order, arrays_in_words(row), biases_in_words(row), running
        lines.append(_line(*cells, row.state, f"{proof} ({row.source})"))
    return "\n".join(lines) + "\n"


SAY = ("keras", "keras2", "tfjs", "flax", "onnx", "openvino", "paddle")


def padding() -> str:
    """What padded steps and length 0 give, a line a framework that takes lengths or masks."""
    lines = [
        _line("framework", "outputs beyond a length", "both directions", "state at length 0"),
        _line(*["---"] * 4),
    ]
    for layout in SAY:
        row = rows_of(layout)[0]
        both = row.padded_both or row.padded
        halves = f"{PADDED[both[0]]}; {PADDED[both[1]]}"
        halves = "not read" if both[0] == "computed" else halves
        lines.append(_line(TITLES[layout], PADDED[row.padded[0]], halves, PADDED[row.padded[2]]))
    return "\n".join(lines) + "\n"


def _line(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")


def page() -> str:
    """The whole page."""
    ran = cases()
    sections = {
        "LSTM": ("", ("LSTM", "SLSTM")),
        "GRU": (GRU, ("GRU", "MGU")),
        "RNN": ("\nOne matrix on x, one on h.\n", ("RNN",)),
        "Another": ("\nOne that is none of the three:\n", ("CfC",)),
    }
    tables = [
        f"\n## {title}\n{words}\n{table(families, ran)}"
        for title, (words, families) in sections.items()
    ]
    return "".join([TOP.replace("{ran}", RAN), *tables, PADDING, padding(), END])


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE.name, tg.__version__)


if __name__ == "__main__":
    main()
