"""Every picture of the gallery and some of random layers, as DOT text by name.

``PYTHONPATH=. python tests/pictures.py FOLDER`` writes them into a folder, so that two versions of the code
can be compared line by line.
"""

from __future__ import annotations

import importlib.util
import sys
from functools import cache
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent / "docs"))  # the gallery, and what it imports

from test_drawing_random import EVERY, drawn

import tinygrad_rnn as tg
from tinygrad_rnn.drawing.draw import to_dot


@cache
def _gallery():
    """The script of the gallery; in double precision, so that no printed digit hangs on the processor."""
    path = Path(__file__).parent.parent / "docs" / "make_pictures.py"
    spec = importlib.util.spec_from_file_location("make_pictures", path)
    module = importlib.util.module_from_spec(spec)
    before = tg.get_default_dtype()
    tg.set_default_dtype(tg.float64)
    try:
        spec.loader.exec_module(module)
    finally:
        tg.set_default_dtype(before)
    return module


def _forward(make, level):
    tensors = make()
    tensors = tensors if isinstance(tensors, list) else [tensors]
    return to_dot(tg.graph(*tensors), level)


def _backward(make, measure):
    loss = make()
    ledger = loss.backward(ledger=True)
    return to_dot(tg.graph(loss), backward=ledger, backward_measure=measure)


def makers():
    """What makes each picture, by its name."""
    found = {}
    for name, make, level in _gallery().PICTURES:
        found[name] = (_forward, make, level)
    for name, make, measure in _gallery().BACKWARD:
        found[name] = (_backward, make, measure)
    for seed in EVERY:
        for level in ("cell", "op"):
            found[f"random{seed}_{level}"] = (lambda s, at: to_dot(drawn(s)[0], at), seed, level)
    return found


def picture(name):
    """The DOT text of one picture."""
    make, *how = makers()[name]
    before = tg.get_default_dtype()
    tg.set_default_dtype(tg.float64)
    try:
        tg.manual_seed(0)
        return make(*how)
    finally:
        tg.set_default_dtype(before)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for each in makers():
        (folder / f"{each}.dot").write_text(picture(each), encoding="utf-8")
