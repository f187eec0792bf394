"""What ``tg.fit``, losses and layers say to what they cannot take, and Keras's names for what is here."""

import inspect

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.compat import elsewhere
from tinygrad_rnn.engine import keywords

F = nn.functional
X, Y = tg.randn(8, 5, 3), tg.randn(8, 1)


class Last(nn.Module):
    """A layer, and a head of its last step."""

    def __init__(self):
        super().__init__()
        self.rnn, self.head = nn.GRU(3, 4, batch_first=True), nn.Linear(4, 1)

    def forward(self, x):
        return self.head(self.rnn(x)[0][:, -1])


MODEL = Last()


def fit(model=MODEL, data=(X, Y), loss=F.mse_loss, optimizer=None, epochs=2, **more):
    optimizer = optimizer or optim.SGD(model.parameters(), lr=0.0)
    return tg.fit(model, data, loss, optimizer, epochs=epochs, progress=False, **more)


# ---- arguments of another kind -------------------------------------------------------------------


class Frame:
    iloc = columns = None


OTHER = optim.lr_scheduler.StepLR(optim.SGD(MODEL.parameters(), lr=1.0), 1)


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        ({"data": None}, TypeError, "data must be a DataLoader.*not a NoneType"),
        ({"data": 5}, TypeError, "data must be a DataLoader.*not a int"),
        ({"data": Frame()}, TypeError, r"not a Frame: tg.data.windows\(series"),
        ({"data": tg.data.table([1.0, 2.0])}, TypeError, "not a Table: tg.data.windows"),
        ({"validation": 5}, TypeError, "validation must be a DataLoader"),
        ({"epochs": "3"}, TypeError, "epochs must be a whole number, not '3'"),
        ({"epochs": 2.5}, TypeError, "epochs must be a whole number, not 2.5"),
        ({"epochs": True}, TypeError, "epochs must be a whole number, not True"),
        ({"epochs": -1}, ValueError, "epochs must not be negative, got -1"),
        ({"patience": "3"}, TypeError, "patience must be a whole number, not '3'"),
        ({"patience": -1}, ValueError, "patience must not be negative"),
        ({"clip": "1"}, TypeError, "clip is the largest norm.*not '1'"),
        ({"clip": 0}, ValueError, "clip must be above 0"),
        ({"clip": float("nan")}, ValueError, "clip must be above 0"),
        ({"callbacks": 5}, TypeError, "a callback is called with the History, and 5 cannot"),
        ({"callbacks": [print, "x"]}, TypeError, "and 'x' cannot be called"),
        ({"checkpoint": 5}, TypeError, "checkpoint is the path of a file, not a int"),
        ({"film": "film"}, TypeError, r"film must be a tg.Film\(\), not 'film'"),
        ({"scheduler": "step"}, TypeError, "scheduler must be one that is made.*not 'step'"),
        ({"scheduler": optim.lr_scheduler.StepLR}, TypeError, "not the class StepLR"),
        ({"scheduler": OTHER}, ValueError, "the scheduler was made of another optimizer"),
        ({"loss": lambda p: p}, TypeError, r"function of \(prediction, y\): too many positional"),
        ({"loss": lambda p, y, w: p}, TypeError, "missing a required argument: 'w'"),
        ({"loss": lambda p, y: 1.0}, TypeError, "one number as a Tensor, and gave a float"),
        ({"loss": lambda p, y: None}, TypeError, "one number as a Tensor, and gave a NoneType"),
        ({"loss": lambda p, y: (p - y).numpy()}, TypeError, "and gave a ndarray"),
        (
            {"loss": lambda p, y: p - y},
            TypeError,
            r"gave a Tensor of shape \(8, 1\): take its mean",
        ),
        ({"loss": lambda p, y: F.mse_loss(p, y).detach()}, ValueError, "depends on nothing"),
        (
            {"loss": lambda p, y: y.mean()},
            ValueError,
            "depends on nothing that requires a gradient",
        ),
        ({"loss": "categorical_crossentropy"}, TypeError, r"nn.CrossEntropyLoss\(\), say"),
        ({"loss": "binary_crossentropy"}, TypeError, r"nn.BCEWithLogitsLoss\(\), say"),
        ({"loss": "mae"}, TypeError, r"nn.L1Loss\(\), say"),
    ],
)
def test_what_is_of_another_kind_is_told(given, kind, words):
    before = [p.numpy().copy() for p in MODEL.parameters()]
    with pytest.raises(kind, match=f"fit: .*{words}"):
        fit(**given)
    assert all(
        np.array_equal(a, p.numpy()) for a, p in zip(before, MODEL.parameters(), strict=True)
    )
    assert MODEL.training


def test_losses_that_are_functions_of_two():
    """Modules, partial functions and those with more arguments that have a default."""
    from functools import partial

    for loss in (
        nn.MSELoss(),
        partial(F.mse_loss, reduction="sum"),
        lambda p, y, power=2: ((p - y) ** power).mean(),
        lambda *both: F.l1_loss(*both),
    ):
        assert len(fit(loss=loss).loss) == 2


def test_a_part_that_was_replaced_after_the_optimizer_was_made():
    model = Last()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    model.head = nn.Linear(4, 1)
    with pytest.raises(
        ValueError, match=r"lacks head.weight, head.bias of the model and has 2 Param"
    ):
        fit(model, optimizer=optimizer)
    fit(
        model, optimizer=optim.SGD(model.head.parameters(), lr=0.1)
    )  # the rest is not to be trained
    scale = nn.Parameter(np.ones(1))
    both = optim.SGD([*model.head.parameters(), scale], lr=0.1)  # the loss learns, too
    fit(model, loss=lambda p, y: (F.mse_loss(p, y) * scale).sum(), optimizer=both)
    assert float(scale.detach()) != 1.0
    every = optim.SGD([*model.parameters(), *Last().parameters()], lr=0.1)
    fit(model, optimizer=every)
    model.head = nn.Linear(4, 1, bias=False)
    part = optim.SGD([*model.rnn.parameters(), nn.Parameter(np.ones(3))], lr=0.1)
    fit(model, optimizer=part)  # one that is not the model's, and none in the place of another


# ---- what a recurrent layer returns --------------------------------------------------------------

TAKEN = {
    "Linear": nn.Linear(4, 1),
    "ReLU": nn.ReLU(),
    "Tanh": nn.Tanh(),
    "Dropout": nn.Dropout(0.5),
    "LayerNorm": nn.LayerNorm(4),
    "LSTM": nn.LSTM(4, 4),
    "GRU": nn.GRU(4, 4),
    "tanh": tg.tanh,
    "softmax": lambda x: F.softmax(x, -1),
    "a loss": lambda x: F.mse_loss(x, tg.zeros(1, 2, 4)),
    "cross entropy": lambda x: F.cross_entropy(x, tg.zeros(1, dtype=tg.int64)),
    "an operator": lambda x: tg.ones(4) * x,
    "a function of numpy's": lambda x: np.tanh(tg.as_tensor(x)),
    "where": lambda x: tg.where(tg.ones(4) > 0, x, 0.0),
}


@pytest.mark.parametrize("steps", [1, 5])
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize("name", TAKEN)
@pytest.mark.parametrize("recording", [True, False])
def test_the_cure_for_output_and_state(kind, name, steps, recording):
    """Under no_grad a tuple of two equal shapes was taken for an array: output and state, stacked."""
    given = kind(3, 4)(tg.randn(steps, 2, 3))
    with tg.set_grad_enabled(recording), pytest.raises(TypeError) as told:
        TAKEN[name](given)
    assert "take its [0], the output" in str(told.value)


def test_in_a_sequence_of_modules_its_place_is_named():
    model = nn.Sequential(nn.GRU(3, 4), nn.ReLU())
    with pytest.raises(
        TypeError, match=r"sequential.1: expected a tensor, got tuple .output, state."
    ):
        model(tg.randn(5, 2, 3))
    assert tg.tensor([tg.tensor(1.0), tg.tensor(2.0)]).tolist() == [1.0, 2.0]
    assert tg.as_tensor((tg.tensor(1.0), tg.tensor(2.0))).tolist() == [1.0, 2.0]


# ---- classes -------------------------------------------------------------------------------------


def test_classes_last_have_a_cure():
    logits, classes = tg.randn(7, 4, 3), tg.zeros(7, 4, dtype=tg.int64)
    with pytest.raises(
        ValueError, match=r"flatten both, input.flatten\(0, -2\) and target.flatten"
    ):
        F.cross_entropy(logits, classes)
    F.cross_entropy(logits.flatten(0, -2), classes.flatten())
    with pytest.raises(
        ValueError, match=r"target must have \(4,\), and has \(4, 1\): target.squeeze"
    ):
        F.cross_entropy(tg.randn(4, 3), tg.zeros(4, 1, dtype=tg.int64))


# ---- other libraries' names ----------------------------------------------------------------------

SERIES = tg.data.table(np.sin(np.arange(60.0)))
FORECASTER = tg.Forecaster("rnn", window=4, hidden=2).fit(SERIES[:50], epochs=1, progress=False)
CALLS = {
    "tg.fit": (fit, {"validation_data": "validation", "callback": "callbacks", "verbose": "progress"}),
    "tg.Forecaster": (
        lambda **more: tg.Forecaster("gru", **more),
        {"units": "hidden", "hidden_size": "hidden", "num_layers": "layers", "random_state": "seed",
         "window_size": "window", "look_back": "window", "input_chunk_length": "window"},
    ),
    "Forecaster.fit": (
        lambda **more: tg.Forecaster("gru").fit(SERIES, **more),
        {"learning_rate": "lr", "n_epochs": "epochs", "batch": "batch_size", "verbose": "progress"},
    ),
    "Forecaster.forecast": (
        lambda **more: FORECASTER.forecast(**more),
        {"steps": "n", "fh": "n", "exog": "known", "coverage": "level", "num_samples": "samples"},
    ),
    "Forecaster.backtest": (
        lambda **more: FORECASTER.backtest(SERIES, 3, **more),
        {"retrain": "refit", "seasonality": "season", "alpha": "level"},
    ),
    "tg.data.windows": (
        lambda **more: tg.data.windows(SERIES, **more),
        {"seq_len": "window", "forecast_horizon": "horizon", "target_column": "target"},
    ),
    "tg.data.table": (
        lambda **more: tg.data.table(SERIES, **more), {"time_col": "dates", "parse_dates": "dates"}
    ),
    "tg.data.read_csv": (
        lambda **more: tg.data.read_csv("none.csv", **more),
        {"parse_dates": "dates", "index_col": "dates", "usecols": "columns"},
    ),
    "tg.DataLoader": (lambda **more: tg.DataLoader((X, Y), **more), {"batch": "batch_size"}),
    "StepLR": (
        lambda **more: optim.lr_scheduler.StepLR(optim.SGD(MODEL.parameters(), lr=1.0), 2, **more),
        {"gama": "gamma"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("call", CALLS)
def test_an_argument_by_its_name_elsewhere(call):
    function, names = CALLS[call]
    for name, ours in names.items():
        with pytest.raises(TypeError, match=rf"has no argument '{name}'; (is it )?{ours}"):
            function(**{name: 1})


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("batch_size", "tg.DataLoader"),
        ("validation_split", "batches of its own"),
        ("metrics", "callbacks="),
        ("learning_rate", "the optimizer has it"),
        ("class_weight", "the loss takes it"),
        ("X", "data= takes both"),
    ],
)
def test_what_fit_has_no_argument_for(name, words):
    with pytest.raises(TypeError, match=f"fit has no argument '{name}': .*{words}"):
        fit(**{name: 1})


def test_names_that_mean_the_same_are_arguments_of_something():
    known = {name for row in keywords.SAME.values() for name in row}
    listed = set()
    for call in (tg.fit, tg.Forecaster, tg.Forecaster.fit, tg.Forecaster.forecast,
                 tg.Forecaster.backtest, tg.data.windows, tg.data.table, tg.data.read_csv,
                 tg.DataLoader, nn.LSTM, nn.RNN, nn.Linear, nn.Embedding, nn.Dropout, nn.LayerNorm,
                 nn.LeakyReLU, nn.BatchNorm1d, nn.Softmax, optim.Adam, optim.RMSprop):  # fmt: skip
        listed |= set(inspect.signature(call).parameters)
    assert known <= listed


@pytest.mark.parametrize("name", sorted(elsewhere.LAYERS))
def test_keras_names_of_layers(name):
    if hasattr(nn, name):
        return
    with pytest.raises(AttributeError) as told:
        getattr(nn, name)
    assert str(told.value).endswith(elsewhere.LAYERS[name])


@pytest.mark.parametrize("name", sorted(elsewhere.OF_A_MODEL))
def test_keras_methods_of_a_model(name):
    with pytest.raises(AttributeError, match=f"Last has no attribute '{name}': "):
        getattr(MODEL, name)


@pytest.mark.parametrize(
    ("where", "name", "ours"),
    [
        (tg, "LSTM", "tg.nn.LSTM"),
        (tg, "Adam", "tg.optim.Adam"),
        (tg, "read_csv", "tg.data.read_csv"),
        (tg, "StepLR", "tg.optim.lr_scheduler.StepLR"),
        (tg, "plot_forecast", "tg.plots.plot_forecast"),
        (nn, "lstm", "tg.nn.LSTM"),
        (nn, "mse_loss", "tg.nn.functional.mse_loss"),
        (nn, "fit", "tg.fit"),
        (optim, "adam", "tg.optim.Adam"),
    ],
)
def test_a_name_in_another_place(where, name, ours):
    with pytest.raises(AttributeError, match=rf"has no attribute '{name}'; is it {ours}\?"):
        getattr(where, name)


def test_slips_are_guessed_by_python():
    with pytest.raises(AttributeError) as told:
        _ = tg.drwa
    assert told.value.name == "drwa"
    assert told.value.obj is tg
