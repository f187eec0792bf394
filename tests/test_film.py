"""A film keeps the weights of some epochs: which, of what, how much it takes, and what a page gets of it."""

import math
import sys

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.nn import functional as F

LOSS = F.mse_loss


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm, self.head = nn.LSTM(2, 8), nn.Linear(8, 1)

    def forward(self, x):
        return self.head(self.lstm(x)[0][-1])


def trained(epochs, film, model=None, **options):
    tg.manual_seed(0)
    model = model or Model()
    x, y = tg.randn(20, 16, 2), tg.randn(16, 1)
    by = optim.Adam(model.parameters(), lr=0.01)
    history = tg.fit(model, (x, y), LOSS, by, epochs=epochs, progress=False, **options, film=film)
    return model, history, (x, y)


def test_a_film_has_the_weights_that_stopping_there_gives():
    film = tg.Film(most=10)
    _, history, _ = trained(25, film)
    assert film.epochs == [0, 4, 8, 12, 16, 20, 24, 25]
    assert math.isnan(film.losses[0])
    assert film.losses[1:] == [history.loss[k - 1] for k in film.epochs[1:]]
    for at in (0, 2, 7):
        model, _, _ = trained(film.epochs[at], None)
        for name, p in model.named_parameters():
            np.testing.assert_array_equal(film.weights[at][name], p.detach().numpy())
    assert film.rows(["head.bias", "lstm.bias_ih_l0"]).shape == (8, 1 + 32)


def test_at_most_so_many_pictures_and_the_last():
    for epochs in (1, 9, 100, 101, 333):
        film = tg.Film(most=100)
        film.begin(nn.Linear(1, 1))
        for k in range(epochs):
            film(float(k))
        film.end()
        film.end()
        assert len(film) <= 102
        assert film.epochs[0] == 0
        assert film.epochs[-1] == epochs
        apart = set(np.diff(film.epochs[:-1]).tolist())
        assert len(apart) <= 1


def test_as_a_callback():
    tg.manual_seed(0)
    model = Model()
    film = tg.Film(model)
    by = optim.SGD(model.parameters(), lr=0.1)
    data = tg.randn(5, 2, 2), tg.randn(2, 1)
    history = tg.fit(model, data, LOSS, by, epochs=4, callbacks=film, progress=False)
    assert film.epochs == [1, 2, 3, 4]
    assert film.losses == history.loss


def test_a_film_of_a_hundred_pictures_is_small_and_quick(tmp_path):
    def calls(film):
        """How many functions training goes through: as its time, but the same on a busy machine."""
        count = 0

        def called(_frame, event, _):
            nonlocal count
            count += event == "call"

        sys.setprofile(called)
        try:
            model, _, data = trained(100, film)
        finally:
            sys.setprofile(None)
        return count, model, data

    calls(None)  # compiles
    film = tg.Film()
    without, (with_film, model, data) = calls(None)[0], calls(tg.Film())
    assert with_film < 1.1 * without
    trained(100, film, model)
    tg.Live(model, data, LOSS, film=film).to_html(tmp_path / "a.html")
    tg.Live(model, data, LOSS).to_html(tmp_path / "b.html")
    sizes = [(tmp_path / name).stat().st_size for name in ("a.html", "b.html")]
    assert len(film) == 101
    assert sizes[0] - sizes[1] < 1_000_000


def test_errors_say_what_is_wrong():
    with pytest.raises(ValueError, match="at least 2"):
        tg.Film(most=1)
    with pytest.raises(ValueError, match="needs its model"):
        tg.Film()(0.5)
    with pytest.raises(ValueError, match="another model"):
        trained(1, tg.Film(Model()))
