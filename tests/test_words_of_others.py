"""Arguments in other libraries' words, numbers as strings, classes in place of objects: what is told."""

import inspect
import subprocess
import sys

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.engine import keywords

LAYER = nn.Linear(3, 1)
WEIGHTS = list(LAYER.parameters())
OPTIMIZERS = [
    optim.SGD,
    optim.Adam,
    optim.AdamW,
    optim.RMSprop,
    optim.LBFGS,
    optim.Adagrad,
    optim.NAdam,
]
LAYERS = [nn.RNN, nn.LSTM, nn.GRU, nn.RNNCell, nn.LSTMCell, nn.GRUCell, nn.PeepholeLSTMCell]


@pytest.mark.parametrize("kind", OPTIMIZERS)
@pytest.mark.parametrize("name", ["learning_rate", "step_size"])
def test_an_optimizer_names_its_rate(kind, name):
    with pytest.raises(
        TypeError, match=f"{kind.__name__} has no argument '{name}'; lr is its name here"
    ):
        kind(WEIGHTS, **{name: 0.1})


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("units", "hidden_size"),
        ("input_dim", "input_size"),
        ("use_bias", "bias"),
        ("hidden_dim", "hidden_size"),
    ],
)
def test_a_layer_names_its_sizes(kind, name, ours):
    with pytest.raises(TypeError, match=f"no argument '{name}'; {ours} is its name here"):
        kind(3, 4, **{name: 4}) if ours != "hidden_size" else kind(3, **{name: 4})


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
@pytest.mark.parametrize("name", sorted(keywords.INSTEAD))
def test_what_has_no_name_here_is_told_how(kind, name):
    if name in inspect.signature(kind).parameters:
        return
    with pytest.raises(TypeError, match=f"{kind.__name__} has no argument '{name}'") as told:
        kind(3, 4, **{name: True})
    same = [n for n in keywords.SAME.get(name, ()) if n in inspect.signature(kind).parameters]
    assert (f"{same[0]} is its name here" if same else keywords.INSTEAD[name]) in str(told.value)
    assert "It takes input_size, hidden_size" in str(told.value)


def test_a_slip_of_the_keyboard_is_guessed():
    with pytest.raises(TypeError, match=r"no argument 'hiden_size'; is it hidden_size\?"):
        nn.LSTM(3, hiden_size=4)
    with pytest.raises(TypeError, match=r"Linear has no argument 'zzz'\. It takes in_features"):
        nn.Linear(3, 1, zzz=4)


def test_modules_of_ones_own_take_what_they_say():
    class Plain(nn.Module):
        def __init__(self, size, *, depth=1):
            super().__init__()
            self.inner = nn.Linear(size, size)

    class Free(Plain):
        def __init__(self, *args, **options):
            self.options = {k: options.pop(k) for k in list(options) if k == "extra"}
            super().__init__(*args, **options)

    Plain(2, depth=3)
    assert Free(2, extra=1).options == {"extra": 1}
    with pytest.raises(TypeError, match="Plain has no argument 'deep'; is it depth"):
        Plain(2, deep=3)
    with pytest.raises(TypeError):
        Free(2, other=1)


def test_numbers_are_numbers():
    for value in ("0.1", None, [0.1], 1j):
        with pytest.raises(TypeError, match="SGD: lr must be a number, got"):
            optim.SGD(WEIGHTS, lr=value)
    for value in (0.9, (0.9,), "ab", None):
        with pytest.raises(TypeError, match="betas must be"):
            optim.Adam(WEIGHTS, betas=value)
    with pytest.raises(TypeError, match="betas must be a number, got 'a'"):
        optim.Adam(WEIGHTS, betas=("a", 0.9))
    for value in (1, 0.5, np.float32(0.5), np.array(0.5), tg.tensor(0.5)):
        optim.SGD(WEIGHTS, lr=value)


def test_an_optimizer_wants_parameters():
    with pytest.raises(TypeError, match=r"Adam takes Parameters, not a Linear: \.parameters\(\)"):
        optim.Adam(LAYER)
    for given in (LAYER.state_dict(), "weights", 3):
        with pytest.raises(TypeError, match="Adam takes a list of Parameters, not"):
            optim.Adam(given)
    with pytest.raises(TypeError, match=r"trains leaves \(Parameters\), not ndarray"):
        optim.Adam([np.zeros(3)])
    named = optim.SGD(LAYER.named_parameters(), lr=1.0)
    assert [id(p) for p in named.param_groups[0]["params"]] == [id(p) for p in WEIGHTS]


def test_fit_says_what_it_wants():
    x, y = tg.randn(4, 3), tg.randn(4, 1)
    adam = optim.Adam(WEIGHTS)

    def fit(model=LAYER, data=(x, y), loss=nn.functional.mse_loss, optimizer=adam, **more):
        before = [p.numpy().copy() for p in WEIGHTS]
        try:
            return tg.fit(model, data, loss, optimizer, epochs=1, progress=False, **more)
        finally:
            assert all(np.array_equal(a, b.numpy()) for a, b in zip(before, WEIGHTS, strict=True))

    frame = type("DataFrame", (), {"iloc": None})()
    for wrong, told in [
        ({"loss": "mse"}, "loss must be a function of .prediction, y., not 'mse'"),
        ({"loss": nn.MSELoss}, r"not the class MSELoss: make it: MSELoss\(\)"),
        ({"loss": None}, "loss must be a function"),
        ({"optimizer": optim.Adam}, "optimizer must be one that is made.*not the class Adam"),
        ({"optimizer": "adam"}, "optimizer must be one that is made.*not 'adam'"),
        ({"model": nn.Linear}, "model must be a Module that is made, not the class Linear"),
        ({"data": frame}, "data must be a DataLoader, a list of batches .x, y. .*not a DataFrame"),
        ({"data": "train.csv"}, "data must be a DataLoader.*not 'train.csv'"),
        ({"validation": {"x": x}}, "validation must be a DataLoader.*not a dict"),
    ]:
        with pytest.raises(TypeError, match=told):
            fit(**wrong)


def test_a_layer_in_sequential_returns_two():
    lstm = nn.LSTM(3, 4)
    lstm.compiled = False  # the word is the same, and nothing is compiled for it
    model = nn.Sequential(lstm, nn.Linear(4, 1))
    with pytest.raises(TypeError, match=r"sequential\.1: .*\(output, state\).*take its \[0\]"):
        model(tg.randn(5, 2, 3))
    with pytest.raises(TypeError, match=r"tg\.stack joins them"):
        nn.Linear(3, 1)([tg.ones(3), tg.ones(3)])


@pytest.mark.parametrize("shape", [(3,), (3, 1), (3, 4, 1)])
def test_float_classes(shape):
    with pytest.raises(
        ValueError, match=r"Classes are integers, target\.long\(\), of shape \(3,\)"
    ):
        nn.functional.cross_entropy(tg.randn(3, 4), tg.ones(*shape))


def test_columns_are_named():
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    dates = pandas.to_datetime(["2020-01-01", "2020-01-02"])
    for column, dtype in (["x", "y"], "str|object"), (dates, "datetime64"):
        frame = pandas.DataFrame({"load": [1.0, 2.0], "when": column})
        for use in (tg.tensor, LAYER):
            with pytest.raises(TypeError, match=f"column 'when' is ({dtype})"):
                use(frame)


@pytest.mark.parametrize(
    "module", ["", ".nn", ".optim", ".nn.functional", ".data", ".interop", ".training"]
)
def test_dir_lists_public_names_and_nothing_else(module):
    # A process of its own, so that nothing that other tests import is an attribute already.
    program = (
        f"import tinygrad_rnn{module} as m; names = dir(m)\n"
        "assert set(m.__all__) <= set(names), set(m.__all__) - set(names)\n"
        "odd = [n for n in names if n.startswith('_') and n != '__version__']\n"
        "assert not odd, odd\n"
        "for n in names: getattr(m, n)\n"
        "print(*names)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    names = set(run.stdout.split())
    assert not names & {"annotations", "Any", "np", "import_module"}
    if module == "":
        assert {"draw", "fit", "nn", "optim", "data", "LongTensor"} <= names
