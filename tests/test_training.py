"""Batches, the loop, checkpoints that resume to the same bits, and the loss to beat."""

import copy
import math
import subprocess
import sys

import numpy as np
import pytest
from support import numbers

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.training import checkpoints
from tinygrad_rnn.training.baseline import constant_loss

F = nn.functional

# ---- batches --------------------------------------------------------------------------------------------


def sequences(lengths, seed=0):
    return [numbers((n, 2), seed + i) for i, n in enumerate(lengths)]


LENGTHS = [3, 1, 4, 2, 7, 5, 1, 6]


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("size", [1, 3, 8, 20])
def test_arrays_in_batches(size, drop_last):
    x, y = np.arange(16.0).reshape(8, 2), np.arange(8)
    if drop_last and size > 8:
        with pytest.raises(ValueError, match="8 examples make no batch of 20"):
            tg.DataLoader((x, y), size, drop_last=True)
        return
    loader = tg.DataLoader((x, y), size, drop_last=drop_last)
    batches = list(loader)
    assert len(batches) == len(loader) == (8 // size if drop_last else math.ceil(8 / size))
    rows = np.concatenate([b[1].numpy() for b in batches])
    np.testing.assert_array_equal(rows, np.arange(len(rows)))
    for a, b in batches:
        np.testing.assert_array_equal(a.numpy(), x[b.numpy()])
        assert a.dtype == tg.float64


def test_shuffling_goes_through_everything_and_comes_from_the_generator():
    def orders(seed):
        loader = tg.DataLoader(np.arange(50), 7, True, generator=np.random.default_rng(seed))
        return [np.concatenate([b.numpy() for b in loader]).tolist() for _ in range(2)]

    first, second = orders(1)
    assert sorted(first) == sorted(second) == list(range(50))
    assert first != second
    assert orders(1) == [first, second]
    assert orders(2)[0] != first
    tg.manual_seed(3)
    once = [b.item() for b in tg.DataLoader(np.arange(9), 1, True)]
    tg.manual_seed(3)
    assert [b.item() for b in tg.DataLoader(np.arange(9), 1, True)] == once


@pytest.mark.parametrize("batch_first", [False, True])
def test_sequences_are_padded(batch_first):
    xs = sequences(LENGTHS)
    loader = tg.DataLoader((xs, np.arange(8)), 3, batch_first=batch_first)
    for x, y, lengths in loader:
        assert lengths.tolist() == [LENGTHS[i] for i in y.tolist()]
        for k, i in enumerate(y.tolist()):
            one = x.numpy()[k] if batch_first else x.numpy()[:, k]
            np.testing.assert_array_equal(one[: LENGTHS[i]], xs[i])
            assert not one[LENGTHS[i] :].any()


def test_targets_that_are_sequences_come_with_a_mask():
    xs = sequences(LENGTHS)
    ys = [np.arange(n) for n in LENGTHS]
    for x, y, lengths, mask in tg.DataLoader((xs, ys), 4):
        assert x.shape[:2] == y.shape == mask.shape
        assert mask.numpy().sum(0).tolist() == lengths.tolist()
        assert y[mask].numel() == sum(lengths.tolist())
    pairs = list(zip(xs, ys, strict=True))
    assert [len(batch) for batch in tg.DataLoader(pairs, 4)] == [4, 4]
    assert [len(batch) for batch in tg.DataLoader(xs, 4)] == [2, 2]


@pytest.mark.parametrize("shuffle", [False, True])
def test_buckets_hold_like_lengths(shuffle):
    lengths = np.random.default_rng(0).integers(0, 60, 100)
    data = ([np.zeros((n, 1)) for n in lengths], np.arange(100))
    loader = tg.DataLoader(data, 10, shuffle, bucket=True)
    batches = [(x.shape[0] * x.shape[1], y.tolist()) for x, y, _ in loader]
    assert sorted(i for _, rows in batches for i in rows) == list(range(100))
    assert sum(area for area, _ in batches) < 1.25 * lengths.sum()
    means = [lengths[rows].mean() for _, rows in batches]
    assert (means == sorted(means)) is not shuffle


REFUSED = {
    "batch_size": (lambda: tg.DataLoader([1, 2], 0), "batch_size"),
    "counts": (lambda: tg.DataLoader((np.ones(2), np.ones(3))), r"\[2, 3\] examples"),
    "nothing": (lambda: tg.DataLoader([]), r"\[0\] examples"),
    "a number": (lambda: tg.DataLoader(np.array(1.0)), "one number"),
    "steps": (
        lambda: tg.DataLoader((sequences([2, 3]), sequences([2, 4]))),
        "example 1 has 3 steps, and 4 in column 1",
    ),
    "targets alone": (lambda: tg.DataLoader((np.ones(2), sequences([1, 2]))), "inputs an array"),
    "bucket": (lambda: tg.DataLoader(np.ones(3), bucket=True), "bucket needs sequences"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_loader_refuses(name):
    action, words = REFUSED[name]
    with pytest.raises(ValueError, match=words):
        action()


def test_generator_must_be_numpys():
    with pytest.raises(TypeError, match="default_rng"):
        tg.DataLoader(np.ones(3), shuffle=True, generator=7)


# ---- the loop -------------------------------------------------------------------------------------------


class Tagger(nn.Module):
    """A label a sequence, or a step; with dropout, so that randomness matters."""

    def __init__(self, outputs=1, per_step=False):
        super().__init__()
        self.lstm, self.head = nn.LSTM(2, 4), nn.Linear(4, outputs)
        self.drop = nn.Dropout(0.3, generator=np.random.default_rng(5))
        self.per_step = per_step

    def forward(self, x, lengths=None):
        y, (h, _) = self.lstm(x, lengths=lengths)
        return self.head(self.drop(y if self.per_step else h[-1]))


def regression(seed=0):
    x = numbers((40, 2), seed, 2.0)
    return x, x @ np.array([[1.0], [-2.0]]) + 0.5


def quiet(*arguments, **options):
    return tg.fit(*arguments, progress=False, **options)


def test_fit_is_the_loop_that_one_writes():
    x, y = regression()
    tg.manual_seed(1)
    model = nn.Linear(2, 1)
    trainer = optim.Adam(model.parameters(), lr=0.05)
    losses = []
    for _ in range(5):
        total = 0.0
        for a, b in tg.DataLoader((x, y), 16):
            trainer.zero_grad()
            loss = F.mse_loss(model(a), b)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            trainer.step()
            total += loss.item() * len(b)
        losses.append(total / 40)

    tg.manual_seed(1)
    again = nn.Linear(2, 1)
    trainer = optim.Adam(again.parameters(), lr=0.05)
    history = quiet(again, tg.DataLoader((x, y), 16), F.mse_loss, trainer, epochs=5, clip=1.0)
    assert history.loss == losses
    assert [row["epoch"] for row in history.rows] == [1, 2, 3, 4, 5]
    assert history.validation == [None] * 5
    for ours, theirs in zip(again.parameters(), model.parameters(), strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


def test_ragged_batches_through_fit():
    lengths = [4, 1, 6, 3, 2, 5]
    xs = sequences(lengths)
    for per_step in (False, True):
        tg.manual_seed(2)
        model = Tagger(3, per_step)
        ys = [np.arange(n) % 3 for n in lengths] if per_step else np.array(lengths) % 3
        loader = tg.DataLoader((xs, ys), 6)
        trainer = optim.SGD(model.parameters(), lr=0.0)
        model.drop.p = 0.0
        history = quiet(model, loader, F.cross_entropy, trainer, epochs=1)
        alone = [model(x[:, None]).reshape(-1, 3) for x in xs]
        expected = F.cross_entropy(tg.cat(alone), np.concatenate(ys) if per_step else ys)
        assert history.loss[0] == pytest.approx(expected.item(), rel=1e-6)


def test_validation_is_in_evaluation_mode_and_weighs_targets():
    xs = sequences([3, 3, 3, 3, 3])
    y = np.array([[1.0], [2.0], [0.0], [5.0], [3.0]])
    model = Tagger()
    trainer = optim.SGD(model.parameters(), lr=0.0)
    modes = []

    class Watch(nn.MSELoss):
        def forward(self, a, b):
            modes.append(model.training)
            return super().forward(a, b)

    loader = tg.DataLoader((xs, y), 2)
    history = quiet(model, loader, Watch(), trainer, epochs=1, validation=loader)
    assert modes[:6] == [True] * 3 + [False] * 3
    assert model.training
    expected = F.mse_loss(model.eval()(tg.tensor(np.stack(xs, 1))), y).item()
    assert history.validation[0] == pytest.approx(expected, rel=1e-6)
    quiet(model, loader, F.mse_loss, trainer, epochs=1)
    assert not model.training


def test_early_stopping_gives_the_best_values_back():
    w = nn.Linear(1, 1, bias=False)
    with tg.no_grad():
        w.weight.fill_(0.0)
    x = np.ones((4, 1))
    trainer = optim.SGD(w.parameters(), lr=0.25)  # towards 4; the validation data wants 3
    history = quiet(
        w, (x, 4 * x), F.mse_loss, trainer, epochs=50, validation=(x, 3 * x), patience=2
    )
    assert history.validation == [1.0, 0.0, 0.25, 0.5625]
    assert history.best["epoch"] == 2
    assert w.weight.item() == 3.0


def test_callbacks_see_the_history_add_to_it_and_end_it():
    x, y = regression()
    model = nn.Linear(2, 1)
    trainer = optim.SGD(model.parameters(), lr=0.01)
    seen = []

    def note(history):
        history.rows[-1]["norm"] = float(np.linalg.norm(model.weight.numpy()))
        seen.append(len(history.rows))

    history = quiet(
        model, (x, y), F.mse_loss, trainer, epochs=9, callbacks=[note, lambda h: len(h.rows) == 3]
    )
    assert seen == [1, 2, 3]
    assert all(row["norm"] > 0 for row in history.rows)


def test_schedules_step_when_they_should():
    x, y = regression()
    loader = tg.DataLoader((x, y), 10)
    model = nn.Linear(2, 1)

    def rates(make, **options):
        trainer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        scheduler = make(trainer)
        return quiet(
            model, loader, F.mse_loss, trainer, epochs=3, scheduler=scheduler, **options
        ).lr, scheduler

    make = optim.lr_scheduler
    assert rates(lambda t: make.StepLR(t, 1, 0.5))[0] == [0.1, 0.05, 0.025]
    assert rates(lambda t: make.OneCycleLR(t, 0.1, epochs=3, steps_per_epoch=4))[1].last_epoch == 12
    nothing = tg.DataLoader((x, y * 0 + 1e6), 40)
    found, _ = rates(lambda t: make.ReduceLROnPlateau(t, patience=0), validation=nothing)
    assert found[0] == 0.1
    assert found[-1] < 0.1


def test_lbfgs_through_fit():
    x, y = regression()
    model = nn.Linear(2, 1)
    trainer = optim.LBFGS(model.parameters(), line_search_fn="strong_wolfe")
    history = quiet(model, (x, y), F.mse_loss, trainer, epochs=3)
    assert history.loss[-1] < 1e-8


def test_a_loss_that_is_not_finite_stops_before_the_step():
    model = nn.Linear(2, 1)
    before = model.weight.numpy().copy()
    trainer = optim.SGD(model.parameters(), lr=0.1)
    data = [(np.ones((1, 2)) * 0, np.zeros((1, 1))), (np.full((1, 2), np.nan), np.zeros((1, 1)))]
    with pytest.raises(FloatingPointError, match="epoch 1, batch 2: the loss is nan"):
        quiet(model, data, F.mse_loss, trainer, epochs=1)
    np.testing.assert_array_equal(model.weight.numpy(), before)


def test_fit_refuses():
    model = nn.Linear(2, 1)
    trainer = optim.SGD(model.parameters())
    x, y = regression()
    one = iter([(x, y)])
    with pytest.raises(TypeError, match="only once"):
        quiet(model, one, F.mse_loss, trainer, epochs=2)
    with pytest.raises(ValueError, match="data has no batches"):
        quiet(model, [], F.mse_loss, trainer, epochs=1)
    with pytest.raises(TypeError, match="a batch must be"):
        quiet(model, [x], F.mse_loss, trainer, epochs=1)
    with pytest.raises(ValueError, match="resume=True needs checkpoint"):
        quiet(model, (x, y), F.mse_loss, trainer, epochs=1, resume=True)
    with pytest.raises(ValueError, match="negative"):
        quiet(model, (x, y), F.mse_loss, trainer, epochs=-1)
    lstm = nn.LSTM(2, 1)
    with pytest.raises(TypeError, match="the model returned a tuple"):
        quiet(lstm, (x, y), F.mse_loss, optim.SGD(lstm.parameters()), epochs=1)


def test_the_bar_shows_the_losses_beside_the_baseline(capsys):
    x, y = regression()
    model = nn.Linear(2, 1)
    trainer = optim.SGD(model.parameters(), lr=0.1)
    history = tg.fit(model, (x, y), F.mse_loss, trainer, epochs=2, validation=(x, y))
    shown = capsys.readouterr().err
    assert "epoch 2/2" in shown
    assert (
        f"loss {history.loss[-1]:.4g}, validation {history.validation[-1]:.4g}, baseline" in shown
    )
    assert repr(history).startswith("History(2 epochs: loss ")


# ---- the loss to beat -----------------------------------------------------------------------------------


def test_baselines_in_closed_form():
    y = tg.tensor(numbers((12, 2), 3) * np.array([1.0, 10.0]))
    seen = [((7, 2), y[:7]), ((5, 2), y[7:])]
    assert constant_loss(F.mse_loss, seen, seen) == pytest.approx(y.numpy().var(0).mean())
    assert constant_loss(F.mse_loss, seen[:1], seen[1:]) == pytest.approx(
        ((y.numpy()[7:] - y.numpy()[:7].mean(0)) ** 2).mean()
    )
    classes = tg.tensor([0, 2, 2, 2, 0, 2])
    shares = np.array([1, 2]) / 3
    seen = [((6, 4), classes)]
    entropy = -(shares * np.log(shares)).sum()
    assert constant_loss(F.cross_entropy, seen, seen) == pytest.approx(entropy, rel=1e-6)
    grid = [((2, 4, 3), classes.reshape(2, 3))]
    assert constant_loss(F.cross_entropy, grid, grid) == pytest.approx(entropy, rel=1e-6)
    rare = tg.tensor([0.0] * 9 + [1.0])
    seen = [((10,), rare)]
    entropy = -(0.9 * np.log(0.9) + 0.1 * np.log(0.1))
    found = constant_loss(F.binary_cross_entropy_with_logits, seen, seen)
    assert found == pytest.approx(entropy, rel=1e-6)


def test_a_baseline_that_is_not_known_is_none():
    assert constant_loss(F.mse_loss, [((3, 2), tg.ones(3))], []) is None
    assert constant_loss(F.mse_loss, [((), tg.tensor(1.0))], []) is None


# ---- checkpoints ----------------------------------------------------------------------------------------


RUNS = {
    "Adam, one cycle": (
        lambda p: optim.Adam(p, lr=0.01),
        lambda t: optim.lr_scheduler.OneCycleLR(t, 0.05, epochs=6, steps_per_epoch=3),
    ),
    "SGD, plateau": (
        lambda p: optim.SGD(p, lr=0.05, momentum=0.9),
        lambda t: optim.lr_scheduler.ReduceLROnPlateau(t, patience=0, threshold=0.2),
    ),
    "RMSprop, steps": (
        lambda p: optim.RMSprop(p, lr=0.01, centered=True, momentum=0.5),
        lambda t: optim.lr_scheduler.MultiStepLR(t, [2, 4, 4]),
    ),
    "LBFGS": (lambda p: optim.LBFGS(p, max_iter=3, line_search_fn="strong_wolfe"), lambda t: None),
}


def run(name, epochs, seed, **options):
    make, schedule = RUNS[name]
    tg.manual_seed(seed)
    model = Tagger()
    trainer = make(model.parameters())
    xs = sequences(LENGTHS)
    y = np.array([[x.sum()] for x in xs])
    if seed:  # a new process would have other random states everywhere
        model.drop.generator = np.random.default_rng(seed)
    loader = tg.DataLoader((xs, y), 3, True, bucket=True, generator=np.random.default_rng(7 + seed))
    history = quiet(
        model,
        loader,
        F.mse_loss,
        trainer,
        epochs=epochs,
        validation=tg.DataLoader((xs, y), 8),
        scheduler=schedule(trainer),
        **options,
    )
    return model, trainer, history


@pytest.mark.parametrize("patience", [None, 4])
@pytest.mark.parametrize("name", RUNS)
def test_a_resumed_run_has_the_same_bits(name, patience, tmp_path):
    whole, trainer, history = run(name, 6, 0, patience=patience)
    path = tmp_path / "run.ckpt"
    run(name, 2, 0, patience=patience, checkpoint=path)
    run(name, 3, 99, patience=patience, checkpoint=path, resume=True)
    resumed, again, rows = run(name, 6, 55, patience=patience, checkpoint=str(path), resume=True)
    assert rows.rows == history.rows
    assert rows.baseline == history.baseline
    for ours, theirs in zip(resumed.parameters(), whole.parameters(), strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
    assert str(again.state_dict()) == str(trainer.state_dict())
    assert [p.name for p in tmp_path.iterdir()] == ["run.ckpt"]

    done, _, finished = run(name, 6, 44, patience=patience, checkpoint=path, resume=True)
    assert finished.rows == history.rows
    np.testing.assert_array_equal(done.head.weight.numpy(), whole.head.weight.numpy())


def test_resume_without_a_file_starts(tmp_path):
    _, _, history = run("LBFGS", 1, 0, checkpoint=tmp_path / "new.ckpt", resume=True)
    assert len(history.rows) == 1


def test_without_resume_training_starts_anew(tmp_path):
    path = tmp_path / "run.ckpt"
    run("LBFGS", 2, 0, checkpoint=path)
    assert len(run("LBFGS", 1, 0, checkpoint=path)[2].rows) == 1


def test_a_checkpoint_that_does_not_fit_changes_nothing(tmp_path):
    path = tmp_path / "run.ckpt"
    run("LBFGS", 1, 0, checkpoint=path)
    with pytest.raises(ValueError, match="does not fit: optimizer was LBFGS, and is Adam here"):
        run("Adam, one cycle", 2, 0, checkpoint=path, resume=True)
    model = nn.Linear(2, 1)
    before = model.state_dict()
    with pytest.raises(ValueError, match="model was Tagger"):
        quiet(
            model,
            [],
            F.mse_loss,
            optim.LBFGS(model.parameters()),
            epochs=2,
            checkpoint=path,
            resume=True,
        )
    assert all((model.state_dict()[k] == v).all() for k, v in before.items())


def test_a_failed_epoch_leaves_the_checkpoint_before_it(tmp_path):
    path = tmp_path / "run.ckpt"

    def fail(history):
        if len(history.rows) == 3:
            raise KeyError("stop")

    with pytest.raises(KeyError):
        run("SGD, plateau", 6, 0, checkpoint=path, callbacks=fail)
    assert len(checkpoints.read(path)["rows"]) == 2


STATE = {
    "numbers": [1, 2.5, True, None, "text", float("inf"), 2**100],
    "tuple": (1, (2.0, [3])),
    3: {"array": np.arange(6, dtype=np.float16).reshape(2, 3), "0-d": np.array(1.5)},
    "empty": [{}, [], ()],
}


def test_checkpoints_keep_any_nesting(tmp_path):
    path = tmp_path / "state"
    checkpoints.write(path, {**STATE, "tensor": tg.ones(2), "scalar": np.float32(0.1)})
    found = checkpoints.read(path)
    assert found.pop("tensor").tolist() == [1, 1]
    scalar = found.pop("scalar")
    assert scalar.dtype == np.float32
    assert scalar == np.float32(0.1)
    assert str(found) == str(STATE)
    assert found[3]["array"].dtype == np.float16


def test_checkpoints_are_free_of_pickle_and_whole(tmp_path):
    path = tmp_path / "state"
    checkpoints.write(path, {"a": 1})
    with pytest.raises(TypeError, match="cannot hold a set"):
        checkpoints.write(path, {"a": {1}})
    with pytest.raises(TypeError, match="holds numbers"):
        checkpoints.write(path, {"a": np.array([None])})
    assert checkpoints.read(path) == {"a": 1}
    for junk in (b"", b"junk", path.read_bytes()[:-30]):
        (tmp_path / "junk").write_bytes(junk)
        with pytest.raises(ValueError, match="is no checkpoint"):
            checkpoints.read(tmp_path / "junk")
    np.savez(tmp_path / "other.npz", a=np.array([None], object))
    with pytest.raises(ValueError, match="is no checkpoint"):
        checkpoints.read(tmp_path / "other.npz")


def test_importing_the_package_leaves_training_and_tqdm_for_later():
    code = (
        "import sys, tinygrad_rnn as tg; assert 'tqdm' not in sys.modules; tg.fit; "
        "assert 'tqdm' in sys.modules; import tinygrad_rnn.training; assert callable(tg.fit)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("model", "trained"),
    [
        ("linear", "another"),
        ("linear", "its copy"),
        ("no Parameters", "another"),
        ("detached", "its own"),
        ("head alone", "the body"),
    ],
)
def test_an_optimizer_that_would_train_nothing_is_refused(model, trained):
    class Part(nn.Module):
        def __init__(self, how):
            super().__init__()
            self.how, self.body, self.head = how, nn.Linear(2, 2), nn.Linear(2, 1)

        def forward(self, x):
            y = self.body(x)
            return self.head(y if self.how == "linear" else y.detach())

    class Bare(nn.Module):
        def forward(self, x):
            return x.sum(1, keepdim=True) * scale

    scale = tg.ones(1, requires_grad=True)
    made = Bare() if model == "no Parameters" else Part(model)
    before = {name: p.numpy().copy() for name, p in made.named_parameters()}
    groups = {
        "another": nn.Linear(2, 1).parameters,
        "its copy": copy.deepcopy(made).parameters,
        "its own": lambda: made.body.parameters(),
        "the body": lambda: made.body.parameters(),
    }[trained]
    x = tg.randn(8, 2)
    with pytest.raises(ValueError, match=r"none of the model's Parameters|no gradient came to any"):
        tg.fit(
            made, (x, x[:, :1]), nn.functional.mse_loss, tg.optim.SGD(groups(), lr=0.1),
            epochs=1, progress=False,
        )  # fmt: skip
    for name, p in made.named_parameters():
        np.testing.assert_array_equal(p.numpy(), before[name])


def test_what_is_trained_may_be_the_losss():
    scale = tg.nn.Parameter(tg.ones(1))
    x = tg.randn(8, 2)
    history = tg.fit(
        nn.Flatten(), (x, x), lambda p, y: ((2 * p * scale - y) ** 2).mean(), tg.optim.SGD([scale], lr=0.01),
        epochs=2, progress=False,
    )  # fmt: skip
    assert history.loss[1] != history.loss[0]
