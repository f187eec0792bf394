"""The estimators pass scikit-learn's own checks and sktime's, and do what it and its tools ask."""

import doctest
import pickle

import numpy as np
import pytest

import tinygrad_rnn as tg

pytest.importorskip("sklearn", reason="scikit-learn is not installed (extra examples)")
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tinygrad_rnn.estimators import RecurrentClassifier, RecurrentRegressor


def test_the_docstrings_examples():
    from tinygrad_rnn import estimators

    assert doctest.testmod(estimators).attempted > 6
    assert doctest.testmod(estimators).failed == 0


def ragged(n, seed=0):
    """Sequences of unequal length, and whether their values rise or fall."""
    rng = np.random.default_rng(seed)
    X, y = [], []
    for k in range(n):
        steps = rng.integers(4, 12)
        X.append((1 if k % 2 else -1) * np.linspace(0, 1, steps) + rng.normal(0, 0.1, steps))
        y.append("up" if k % 2 else "down")
    return X, y


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("estimator", [RecurrentClassifier, RecurrentRegressor])
def test_scikit_learns_checks_pass_whole(estimator):
    from sklearn.utils.estimator_checks import check_estimator

    results = check_estimator(estimator(), on_skip=None, on_fail=None)
    failed = {
        r["check_name"]: r["exception"] for r in results if r["status"] not in ("passed", "skipped")
    }
    assert failed == {}
    assert sum(r["status"] == "passed" for r in results) > 40


def test_the_quick_ones_of_them():
    from sklearn.utils import estimator_checks as checks

    for kind in (RecurrentClassifier, RecurrentRegressor):
        name, quick = kind.__name__, kind(epochs=1, hidden=2)
        checks.check_no_attributes_set_in_init(name, quick)
        checks.check_get_params_invariance(name, quick)
        checks.check_n_features_in(name, quick)
        checks.check_fit2d_1sample(name, quick)
        checks.check_methods_subset_invariance(name, quick)


def test_sequences_of_other_kinds():
    """Frames, Series and Tensors in a list or a Series say what arrays of the same numbers say."""
    pandas = pytest.importorskip("pandas")
    X, y = ragged(20)
    model = RecurrentClassifier(epochs=2, hidden=3, random_state=0)
    right = model.fit(X, y).predict_proba(X)
    boxed = pandas.Series(X)
    frames = [pandas.DataFrame({"a": one}) for one in X]
    for given in (boxed, frames, [pandas.Series(one) for one in X], list(map(tg.tensor, X))):
        np.testing.assert_allclose(model.fit(given, y).predict_proba(given), right, atol=1e-6)
    cube = np.random.default_rng(0).standard_normal((20, 5, 2))
    right = model.fit(cube, y).predict_proba(cube)
    np.testing.assert_array_equal(model.predict_proba(tg.tensor(cube)), right)
    np.testing.assert_array_equal(model.fit(tg.tensor(cube), y).predict_proba(cube), right)


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        (
            {"X": {"a": [1.0]}},
            TypeError,
            "X is a list of sequences, an array or a table, not a dict",
        ),
        ({"X": "abc"}, TypeError, "not a str"),
        ({"X": None}, TypeError, "not a NoneType"),
        ({"X": iter([[1.0]])}, TypeError, "not a list_iterator"),
        ({"epochs": -1}, ValueError, "epochs must not be negative"),
        ({"epochs": 1.5}, TypeError, "epochs must be a whole number, not 1.5"),
        ({"hidden": 0}, ValueError, "hidden_size must be at least 1"),
        ({"model": "cnn"}, ValueError, "model must be one of rnn, gru, lstm, got 'cnn'"),
    ],
)
def test_what_cannot_be_fitted(given, kind, words):
    X, y = ragged(6)
    X = given.pop("X", X)
    with pytest.raises(kind, match=words):
        RecurrentClassifier(**({"epochs": 1, "hidden": 2} | given)).fit(X, y)


def test_words_of_an_estimator():
    X, y = ragged(6)
    with pytest.raises(TypeError, match="RecurrentClassifier has no argument 'units'; hidden is"):
        RecurrentClassifier(units=4)
    with pytest.raises(ValueError, match="y of a regressor is numbers, not <U4"):
        RecurrentRegressor(epochs=1).fit(X, y)
    model = RecurrentClassifier(epochs=1, hidden=2).fit(X, y)
    with pytest.raises(ValueError, match=r"this is one: give \[X\]"):
        model.predict(X[0])


def test_lists_of_unequal_length():
    X, y = ragged(60)
    model = RecurrentClassifier(epochs=15, random_state=0).fit(X, y)
    fresh, truth = ragged(40, seed=1)
    assert model.score(fresh, truth) > 0.95
    assert model.classes_.tolist() == ["down", "up"]
    probability = model.predict_proba(fresh)
    np.testing.assert_allclose(probability.sum(1), 1)
    # what is said of a sequence is what is said of it alone, whatever it was padded to
    alone = np.concatenate([model.predict_proba([one]) for one in fresh])
    np.testing.assert_allclose(alone, probability, atol=1e-12)
    # an object array, and steps of one feature as columns, are the same sequences
    boxed = np.empty(len(fresh), object)
    boxed[:] = fresh
    np.testing.assert_array_equal(model.predict_proba(boxed), probability)
    columns = [one[:, None] for one in fresh]
    np.testing.assert_array_equal(model.predict_proba(columns), probability)


def test_a_prediction_by_hand():
    """The state after each sequence's last step through the head, a sequence and a step at a time."""
    rng = np.random.default_rng(0)
    X = [rng.standard_normal((n, 2)) for n in (3, 5, 4, 7)]
    y = rng.standard_normal((4, 3))
    model = RecurrentRegressor("rnn", hidden=4, epochs=3, random_state=1).fit(X, y)
    weights = {name: p.detach().numpy() for name, p in model.network_.named_parameters()}
    rows = np.concatenate(X)
    said = []
    for one in X:
        h = np.zeros(4)
        for step in (one - rows.mean(0)) / rows.std(0):
            z = weights["rnn.weight_ih_l0"] @ step + weights["rnn.bias_ih_l0"]
            h = np.tanh(z + weights["rnn.weight_hh_l0"] @ h + weights["rnn.bias_hh_l0"])
        out = weights["head.weight"] @ h + weights["head.bias"]
        said.append(out * y.std(0) + y.mean(0))
    np.testing.assert_allclose(model.predict(X), said, rtol=1e-9)
    assert model.n_features_in_ == 2


def test_arrays_of_three_axes_and_of_two():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((50, 6, 2))
    y = X[:, -1, 0] * 2 - 1
    model = RecurrentRegressor(epochs=60, random_state=0).fit(X, y)
    assert model.score(X, y) > 0.9
    assert model.predict(X[:, :4]).shape == (50,)  # other lengths than were trained on
    as_list = RecurrentRegressor(epochs=60, random_state=0).fit(list(X), y)
    np.testing.assert_array_equal(as_list.predict(X), model.predict(X))
    table = RecurrentRegressor(epochs=2, random_state=0).fit(X[:, :, 0], y)
    rows = RecurrentRegressor(epochs=2, random_state=0).fit(X[:, :, :1], y)
    np.testing.assert_array_equal(table.predict(X[:, :, 0]), rows.predict(X[:, :, :1]))
    assert table.n_features_in_ == 6


def test_search_and_pipeline():
    X, y = ragged(40)
    choices = {"epochs": [0, 12]}
    search = GridSearchCV(RecurrentClassifier(random_state=0), choices, cv=2).fit(X, y)
    assert search.best_params_ == {"epochs": 12}
    assert search.best_score_ > 0.9
    equal = np.stack([one[:4] for one in X])
    pipeline = make_pipeline(StandardScaler(), RecurrentClassifier(epochs=15, random_state=0))
    assert cross_val_score(pipeline, equal, y, cv=2).mean() > 0.9


def test_pickled_whole_and_no_generator_moved():
    X, y = ragged(20)
    np.random.seed(0)
    before, numpys = tg.get_rng_state(), np.random.get_state()[1].copy()
    model = RecurrentClassifier(
        "lstm", layers=2, dropout=0.2, bidirectional=True, epochs=2, random_state=0
    )
    model.fit(X, y)
    assert tg.get_rng_state() == before
    np.testing.assert_array_equal(np.random.get_state()[1], numpys)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    same = RecurrentClassifier(**model.get_params()).fit(X, y)
    np.testing.assert_array_equal(same.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize(
    ("X", "y", "words"),
    [
        ([[1.0], [1.0, 2.0]], [0], "2 sequences and 1 targets"),
        ([[1.0], [1.0, np.nan]], [0, 1], "sequence 1 of X contains NaN"),
        ([[1.0], []], [0, 1], "sequence 1 of X is no array"),
        ([[1.0], ["a", "b"]], [0, 1], "sequence 1 of X is no array"),
        ([np.zeros((3, 2)), np.zeros((3, 1))], [0, 1], "sequence 1 has 1 features a step"),
        ([[1.0], [1.0, 2.0]], None, "requires y"),
        ([[1.0], [1.0, 2.0]], [0.5, 1.5], "Unknown label type"),
    ],
)
def test_sequences_are_refused(X, y, words):
    with pytest.raises(ValueError, match=words):
        RecurrentClassifier(epochs=1).fit(X, y)


def test_options_are_refused():
    with pytest.raises(ValueError, match="model must be one of rnn, gru, lstm, got 'transformer'"):
        RecurrentClassifier("transformer").fit([[1.0], [2.0]], [0, 1])
    model = RecurrentClassifier(epochs=1).fit([np.zeros((3, 2)), np.ones((4, 2))], [0, 1])
    with pytest.raises(ValueError, match="0 sequences"):
        model.predict(np.zeros((0, 3, 2)))


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore")  # sktime's own, of what it will change
def test_sktimes_checks_pass():
    pytest.importorskip("sktime")
    from sktime.utils.estimator_checks import check_estimator

    from tinygrad_rnn.estimators.forecasting import RecurrentForecaster

    results = check_estimator(RecurrentForecaster, raise_exceptions=False)
    assert {k: v for k, v in results.items() if v != "PASSED"} == {}
    assert len(results) > 100


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("remembers", [True, False])
def test_a_forecaster_of_sktime_reads_on(remembers):
    """``update`` reads the new rows, with sktime's memory of them or without."""
    pytest.importorskip("sktime")
    from sktime.datasets import load_airline

    from tinygrad_rnn.estimators.forecasting import RecurrentForecaster

    y = load_airline()
    forecaster = RecurrentForecaster(window=12, hidden=4, epochs=2)
    forecaster.set_config(remember_data=remembers)
    forecaster.fit(y[:100], fh=[1, 2])
    forecaster.update(y[100:120], update_params=False)
    expected = forecaster.forecaster_.forecast(2, y[:120].to_numpy()).values[:, 0]
    np.testing.assert_array_equal(forecaster.predict().to_numpy().ravel(), expected)
    assert forecaster.predict().index[0] == y.index[120]
    anew = RecurrentForecaster(window=12, hidden=4, epochs=2).fit(y[:120], fh=[1, 2])
    forecaster.fit(y[:100], fh=[1, 2]).update(y[100:120])
    np.testing.assert_array_equal(forecaster.predict(), anew.predict())
