"""The guide for Keras users, run against Keras: python -m pytest -m peers tests/test_keras_guide.py"""

import os
import re
from pathlib import Path

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.scan import backends

pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("ignore")]
PAGE = (Path(__file__).parent.parent / "docs" / "guides" / "from_keras.md").read_text(
    encoding="utf-8"
)


@pytest.fixture(scope="module")
def keras():
    os.environ.setdefault("KERAS_BACKEND", "jax")
    return pytest.importorskip("keras")


def rows(heading, columns):
    """A table's rows under a heading, the code of each cell without its quotes."""
    part = PAGE.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in part.splitlines() if line.startswith("| ")]
    cells = [[c.strip() for c in line.strip("| ").split(" | ")] for line in lines]
    kept = [
        row for row in cells if len(row) == columns and "---" not in row[0] and row[0] != "Keras"
    ]
    return [[cell[1:-1] if cell.startswith("`") else cell for cell in row] for row in kept]


class Recording:
    """keras.layers that remembers the outermost layer that was made last."""

    def __init__(self, layers):
        self.layers, self.made = layers, None

    def __getattr__(self, name):
        kind = getattr(self.layers, name)

        def make(*args, **options):
            self.made = kind(*args, **options)
            return self.made

        return make


@pytest.mark.parametrize("row", rows("What a recurrent layer gives", 2), ids=lambda row: row[0])
def test_what_a_layer_gives_is_what_the_page_says(keras, rng, row):
    there, here = row
    record = Recording(keras.layers)
    x = rng.standard_normal((5, 6, 3)).astype("f4")
    lengths = np.array([6, 4, 2, 1, 6])
    scope = {
        "L": record,
        "x": x,
        "ones": np.ones((5, 4), "f4"),
        "mask": np.arange(6) < lengths[:, None],
    }
    eval(there, scope)  # the layer is built
    made = record.made
    made.set_weights([rng.standard_normal(w.shape).astype("f4") for w in made.get_weights()])
    scope["L"] = type("Same", (), {"__getattr__": lambda *_: lambda *a, **k: made})()
    wanted = np.asarray(eval(there, scope))
    with backends.using("numpy"):
        model = tg.interop.from_keras(made)
        layer = next(iter(next(iter(model.layers.children())).layers))
        assert type(layer) in (nn.LSTM, nn.GRU)
        assert layer.batch_first
        y, h = layer(x)
        c = h[1] if isinstance(h, tuple) else None
        h = h[0] if isinstance(h, tuple) else h
        ours = {"tg": tg, "y": y, "h": h, "c": c, "layer": layer, "lengths": lengths,
                "x": tg.tensor(x), "ones": tg.ones(5, 4)}  # fmt: skip
        found = eval(here, ours).numpy()
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("row", rows("Other defaults", 4), ids=lambda row: row[0])
def test_defaults_are_what_the_page_says(keras, row):
    there, value_there, here, value_here = row
    scope = {"keras": keras, "L": keras.layers, "tg": tg, "nn": nn, "p": [nn.Parameter([1.0])]}
    for code, value in ((there, value_there), (here, value_here)):
        found = eval(code, scope)
        assert str(found) == value or abs(float(found) - float(value)) < 1e-6 * abs(float(value))


def test_a_model_trains_and_is_used_as_the_page_says(keras):
    there = "".join(re.findall(r"```py\n(.*?)```", PAGE, re.DOTALL))
    first, second = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    build, run = there.split("model.compile", 1)
    theirs, ours = {}, {}
    exec(build, theirs)
    with backends.using("numpy"):
        exec(first, ours)
        read = tg.interop.from_keras(theirs["model"])
        recurrent, dense = (part for _, part in read.layers.named_children())
        ours["net"].lstm.load_state_dict(recurrent.layers[0].state_dict())
        ours["net"].out.load_state_dict(dense.layer.state_dict())
        # two biases of one value get two gradients, and their sum moves twice as far: one is held
        for name, p in ours["net"].named_parameters():
            p.requires_grad = "bias_hh" not in name
        exec("model.compile" + run, theirs)
        exec(second, ours)
    np.testing.assert_array_equal(ours["x"], theirs["x"])
    np.testing.assert_allclose(ours["history"].loss, theirs["history"].history["loss"], rtol=1e-5)
    np.testing.assert_allclose(ours["loss"], theirs["loss"], rtol=1e-4)
    np.testing.assert_allclose(ours["forecast"].numpy(), theirs["forecast"], rtol=1e-3, atol=1e-5)
    assert ours["count"] == theirs["count"] + 4 * 16


def test_stateful_is_the_state_handed_on(keras, rng):
    layer = keras.layers.LSTM(4, stateful=True, return_sequences=True)
    x = rng.standard_normal((2, 6, 3)).astype("f4")
    layer(x)
    layer.reset_state()
    theirs = [np.asarray(layer(x[:, :3])), np.asarray(layer(x[:, 3:]))]
    ours = next(iter(next(iter(tg.interop.from_keras(layer).layers.children())).layers))
    y, state = ours(x[:, :3])
    z, _ = ours(x[:, 3:], state)
    np.testing.assert_allclose(y.numpy(), theirs[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(z.numpy(), theirs[1], rtol=1e-5, atol=1e-6)


def test_padding_is_in_front_by_default(keras):
    padded = keras.utils.pad_sequences([[1, 2], [3]], maxlen=3)
    assert padded.tolist() == [[0, 1, 2], [0, 0, 3]]
