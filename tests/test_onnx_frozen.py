"""Exports freeze nothing: what has no derivative follows the input in onnxruntime, too."""

import numpy as np
import pytest
from test_onnx_export import export, session

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.interop import ExportError
from tinygrad_rnn.scan import backends


@pytest.fixture(autouse=True)
def _loops_on_numpy():
    with backends.using("numpy"):
        yield


# What has no derivative, and has the same value on the example and on all that is near it: nothing of
# it may be frozen.
FROZEN = {
    "isnan": lambda x: tg.where(x.isnan(), 7.0, x),
    "isinf": lambda x: tg.where(tg.isinf(x), 7.0, x),
    "isfinite": lambda x: tg.where(tg.isfinite(x), x, 7.0),
    "np.isnan": lambda x: tg.where(np.isnan(x), 7.0, x),
    "np.isinf": lambda x: tg.where(np.isinf(x), 7.0, x),
    "np.isfinite": lambda x: tg.where(np.isfinite(x), x, 7.0),
    "no whole number is odd": lambda x: tg.where(tg.isnan(tg.tensor([1, 2])), 7.0, x),
    "any": lambda x: tg.where((x > 5).any(), x * 2, x),
    "any of an axis": lambda x: tg.where((x > 5).any(1, keepdim=True), x * 2, x),
    "all": lambda x: tg.where((x < 5).all(), x * 2, x),
    "all of an axis": lambda x: tg.where((x < 5).all(0), x * 2, x),
    "any of numbers": lambda x: tg.where((x - x.relu()).any(1, keepdim=True), x * 2, x),
    "any of a scalar": lambda x: tg.where((x.sum() > 50).any(), x * 2, x),
    "any isnan": lambda x: tg.where(x.isnan().any(), tg.zeros(1), x),
    "argmax": lambda x: x + x.argmax(),
    "argmax of an axis": lambda x: x + x.argmax(1, keepdim=True),
    "argmax of truths": lambda x: x + (x > 5).argmax(0),
    "argmin": lambda x: x + x.argmin(0).float(),
    "sign": lambda x: x.sign() * 3,
    "np.sign": lambda x: np.sign(x) * 3,
    "to truths": lambda x: tg.where((x - x.relu()).bool(), x, x * 2),
    "truths to whole numbers": lambda x: x + (x > 5).long(),
    "truths to floats": lambda x: x + (x > 5).float(),
    "whole numbers": lambda x: x * tg.where(x.isfinite(), x, 0.0).int(),
    "floor": lambda x: x * (x / 100).floor(),
    "ceil": lambda x: x * (x / 100).ceil(),
    "round": lambda x: (x / 2).round(),
    "modulo": lambda x: x % 2.0,
    "floor division": lambda x: x // 2.0,
    "modulo of whole numbers": lambda x: x + (x > 5).long() % 2,
    "np.greater": lambda x: tg.where(np.greater(x, 5.0), x * 2, x),
    "np.floor": lambda x: x * np.floor(x / 100),
    "np.rint": lambda x: x + np.rint(x / 100),
    "np.logical_and": lambda x: tg.where(np.logical_and(x > 5, x < 9), x * 2, x),
    "np.logical_or of numbers": lambda x: tg.where(np.logical_or(x.relu(), x > 5), x * 2, x),
    "np.logical_not": lambda x: tg.where(np.logical_not(x.relu()), x * 2, x),
    "and": lambda x: tg.where((x > 5) & (x < 9), x * 2, x),
    "product of truths": lambda x: (x > 5) * (x < 9) * 1.0,
    "sum of truths": lambda x: x * (x > 5).sum(),
    "truths added": lambda x: tg.where((x > 5) + (x < -5), x * 2, x),
    "equal": lambda x: tg.where(x.eq(3.0), x * 2, x),
    "where of whole numbers": lambda x: tg.where(x > 5, 1, 0) * x,
    "masked_fill": lambda x: x.masked_fill(x > 5, 0.0),
    "cumsum": lambda x: (x > 5).cumsum(1) * x,
}
OTHERS = [
    [[np.nan, 1], [np.inf, -np.inf], [6, 2.5]],
    [[9, -1], [0, 0], [7.5, -2.5]],
    [[6, 7], [8, 5], [5.5, 7.5]],
    [[-30, 12], [2.5, 3], [-7, np.nan]],
]


@pytest.mark.parametrize("name", FROZEN)
def test_what_has_no_derivative_is_not_frozen(name):
    class Around(nn.Module):
        def forward(self, x):
            return FROZEN[name](x)

    example = np.array([[0.3, 0.7], [0.2, 1.1], [0.5, 0.9]], np.float32)
    made = session(export(Around(), tg.tensor(example)))
    for other in (example, *OTHERS):
        x = np.array(other, np.float32)
        with np.errstate(invalid="ignore"):
            expected = Around()(tg.tensor(x))
        (found,) = made.run(None, {"x": x})
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(found, expected.numpy(), rtol=1e-5, atol=1e-6)


INTEGERS = {
    "any": lambda i: i * (i > 5).any(),
    "equal": lambda i: i + (i == 7),
    "argmax": lambda i: i + i.argmax(0),
    "modulo": lambda i: i % 3,
    "truth": lambda i: i * (i - 1).bool(),
    "all": lambda i: i * i.all(),
    "float": lambda i: (i > 5).float() * 2.5,
}


@pytest.mark.parametrize("name", INTEGERS)
def test_of_whole_numbers_neither(name):
    class Around(nn.Module):
        def forward(self, i):
            return INTEGERS[name](i)

    made = session(export(Around(), tg.tensor([1, 1, 1])))
    for other in ([1, 1, 1], [7, -2, 0], [0, 9, 9], [-5, -6, 7]):
        expected = Around()(tg.tensor(other))
        (found,) = made.run(None, {"i": np.array(other)})
        assert (found.dtype, found.tolist()) == (expected.dtype, expected.tolist())


def untraced(value):
    """A value that nothing records where it comes from."""
    return tg.Tensor(value._data.astype(np.float32))


@pytest.mark.parametrize(
    "forward", [lambda x: x * untraced(x > 5), lambda x: untraced(x / 1000 > 9) + x]
)
def test_what_is_the_same_near_the_example_is_looked_for_farther_away(forward):
    class Around(nn.Module):
        def forward(self, x):
            return forward(x)

    with pytest.raises(ExportError, match="leaves no trace"):
        export(Around(), tg.tensor([[0.3, 0.7], [0.2, 1.1]]))


# ---- computed weights ------------------------------------------------------------------------------

LAYERS = {
    "LSTM": (lambda: nn.LSTM(3, 4), lambda layer: (layer, "weight_hh_l0")),
    "cell": (lambda: nn.Recurrent(nn.GRUCell(3, 4)), lambda layer: (layer.cell, "weight_hh")),
    "LayerNorm": (lambda: nn.LayerNorm(3), lambda layer: (layer, "weight")),
    "Linear": (lambda: nn.Linear(3, 4), lambda layer: (layer, "weight")),
}


class Computed(nn.Module):
    """A layer of which a weight is computed anew at every call, by ``weigh``."""

    def __init__(self, kind, weigh):
        super().__init__()
        make, self.where = LAYERS[kind]
        self.layer, self.weigh = make(), weigh
        owner, name = self.where(self.layer)
        self.raw = nn.Parameter(getattr(owner, name).detach())
        delattr(owner, name)

    def forward(self, x):
        owner, name = self.where(self.layer)
        outputs = []
        for turn in range(2):
            setattr(owner, name, self.raw * self.weigh(x, turn))
            y = self.layer(x)
            outputs.append(y[0] if isinstance(y, tuple) else y)
        return tg.stack(outputs)


WEIGHED = {
    "the same": lambda x, turn: tg.tensor(2.0),
    "by turns": lambda x, turn: tg.tensor(1.0 + turn),
    "of the input": lambda x, turn: x.mean(),
    "of the input far away": lambda x, turn: (x > 5).float().mean() + 1,
}


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("weigh", WEIGHED.values(), ids=WEIGHED)
def test_a_computed_weight_is_written_or_refused_and_not_frozen(kind, weigh):
    rng, module = np.random.default_rng(0), Computed(kind, weigh)
    example = tg.tensor(rng.normal(size=(5, 2, 3)).astype(np.float32))
    if kind != "Linear" and weigh is not WEIGHED["the same"]:
        with pytest.raises(ExportError, match="is computed from the input, or differs from call"):
            export(module, example)
        return
    made = session(export(module, example))
    for scale in (1, 8):
        x = (rng.normal(size=(5, 2, 3)) * scale).astype(np.float32)
        (found,) = made.run(None, {"x": x})
        expected = module(tg.tensor(x)).detach().numpy()
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
