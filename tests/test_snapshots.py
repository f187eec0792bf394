"""Pictures say what they said when somebody last looked at them, statement by statement.

The order of the statements is free. Of seven pictures the whole text is kept, of the gallery and of random
layers (``pictures.py``) a hash of every statement, in ``snapshots/statements.txt``: a line for each kind of
statement, its count, and three letters for each. A difference is no error where it is meant: draw the
pictures, look at them, and write the files anew with ``PYTHONPATH=. python tests/test_snapshots.py``.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from pathlib import Path

import pytest
from pictures import makers, picture  # and the way to the scripts of the docs

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.drawing.draw import to_dot

HERE = Path(__file__).parent / "snapshots"
HASHES = HERE / "statements.txt"


def output(layer, steps, size=4):
    return tg.graph(layer(tg.zeros(steps, 1, size))[0])


def scalars():
    w, u = (tg.name(tg.tensor(v, requires_grad=True), n) for n, v in (("w", 0.5), ("u", 0.25)))
    h = tg.name(tg.tensor(0.5), "h")
    for x in tg.steps(tg.tensor([1.0, -1.0])):
        h = tg.name(w * h + u * x, "h")
    return tg.graph(h)


def two_halves():
    from misconception import misconception

    cells, shared, state = [nn.LSTMCell(4, 3) for _ in range(3)], nn.LSTM(4, 3), None
    for cell in cells:
        state = cell(tg.zeros(1, 4), state)
    return misconception(tg.graph(*state), output(shared, 4))


PICTURES = {
    "lstm_cells": lambda: to_dot(output(nn.LSTM(4, 3), 4), "cell"),
    "lstm_100_ops": lambda: to_dot(output(nn.LSTM(4, 3), 100), "op"),
    "rnn_both_ways_cells": lambda: to_dot(output(nn.RNN(4, 3, bidirectional=True), 3), "cell"),
    "gru_shapes": lambda: to_dot(output(nn.GRU(4, 3), 2), "op", shapes=True),
    "lstm_layers": lambda: to_dot(output(nn.LSTM(4, 3, num_layers=2), 100), "layer"),
    "scalars": lambda: to_dot(scalars(), "scalar"),
    "misconception": two_halves,
}


def statements(text):
    """The statements of a picture; what stands in a frame, with the frame's name before it."""
    found, frame = [], ""
    for line in text.splitlines():
        if line.startswith("    "):
            found.append(frame + line.strip())
            continue
        frame = line.partition("{")[0].strip() + " > "
        found.append(line.strip())
    return found


def kind(statement):
    """What a statement is: graph, frame, node or edge, and the first of its classes."""
    cls = re.search(r'class="([^" ]+)', statement)
    what = "edge" if '" -> "' in statement else "node" if statement.startswith('"') else "graph"
    return f"{what}.{cls[1]}" if cls else what


def letters(statement):
    return base64.b64encode(hashlib.sha256(statement.encode()).digest())[:3].decode()


def hashed(text):
    """By kind, the letters of all its statements."""
    found = {}
    for statement in statements(text):
        found.setdefault(kind(statement), []).append(letters(statement))
    return {key: Counter(found[key]) for key in sorted(found)}


def kept():
    """What ``statements.txt`` says, by picture."""
    found, here = {}, {}
    for line in HASHES.read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            here = found[line[2:]] = {}
        elif line:
            key, _, all_of_them = line.split()
            here[key] = Counter(all_of_them[i : i + 3] for i in range(0, len(all_of_them), 3))
    return found


def changes(text, before):
    """In words: which statements are new or have changed, and of what kind those are that are gone."""
    now = hashed(text)
    found = []
    for key in sorted({*now, *before}):
        new = now.get(key, Counter()) - before.get(key, Counter())
        gone = before.get(key, Counter()) - now.get(key, Counter())
        found += [f"+ {s}" for s in statements(text) if kind(s) == key and letters(s) in new]
        if gone:
            found.append(
                f"- {sum(gone.values())} statements of kind {key} are gone or have changed"
            )
    return found


@pytest.mark.parametrize("name", PICTURES)
def test_the_picture_is_as_it_was(name):
    old = statements((HERE / f"{name}.dot").read_text(encoding="utf-8"))
    assert Counter(statements(PICTURES[name]())) == Counter(old)


@pytest.mark.parametrize("name", makers())
def test_no_statement_has_changed(name):
    found = changes(picture(name), kept()[name])
    assert not found, "\n".join([f"{name}: {len(found)} differences", *found[:12]])


def test_every_picture_is_kept():
    assert list(kept()) == list(makers())


def test_a_change_is_named():
    """The guard itself: one label changed, one line left out."""
    text = picture("lstm_cells")
    before = hashed(text)
    assert changes(text, before) == []
    assert changes("\n".join(reversed(text.splitlines())), before) == []
    lines = text.splitlines()
    k = next(k for k, line in enumerate(lines) if '"l0.t1.gate0"' in line)
    lines[k] = lines[k].replace("input i", "input j")
    line = next(line for line in lines if 'class="riser"' in line)
    lines.remove(line)
    said = changes("\n".join(lines), before)
    assert said == [
        "- 1 statements of kind edge.riser are gone or have changed",
        f"+ {lines[k].strip()}",
        "- 1 statements of kind node.gate are gone or have changed",
    ]


if __name__ == "__main__":
    for name, make in PICTURES.items():
        (HERE / f"{name}.dot").write_text(make(), encoding="utf-8")
    out = []
    for name in makers():
        out.append(f"# {name}")
        for key, found in hashed(picture(name)).items():
            out.append(f"{key} {found.total()} {''.join(sorted(found.elements()))}")
    HASHES.write_text("\n".join([*out, ""]), encoding="utf-8")
