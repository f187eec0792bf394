"""How do recurrent networks go into scikit-learn's Pipeline and GridSearchCV? As its estimators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import nn, optim
from ..data import Scaler
from ..engine.keywords import clear_keywords
from ..engine.random import seeded
from ..engine.signatures import readable
from ..engine.switches import no_grad
from ..tensors import Tensor
from ..training import DataLoader, fit

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.utils import check_random_state
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_array, check_is_fitted, column_or_1d, validate_data
except ImportError as error:
    raise ImportError(
        "the estimators need scikit-learn 1.6 or newer, which is not installed: "
        "`pip install 'tinygrad_rnn[sklearn]'`"
    ) from error

__all__ = ["RecurrentClassifier", "RecurrentRegressor"]

Values = NDArray[Any]
LAYERS: dict[str, Any] = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
BATCH = 256  # sequences at a time in prediction


class LastState(nn.Module):
    """A recurrent layer and a linear head of its state after each sequence's last step.

    x (time, batch, features) and ``lengths`` (batch,) give (batch, outputs).
    """

    def __init__(self, rnn: Any, outputs: int, dropout: float) -> None:
        super().__init__()
        self.rnn, self.dropout = rnn, nn.Dropout(dropout)
        self.ways = 2 if rnn.bidirectional else 1
        self.head = nn.Linear(self.ways * rnn.hidden_size, outputs)

    def forward(self, x: Any, lengths: Any) -> Tensor:
        """Both directions' last states, side by side, through the head."""
        _, state = self.rnn(x, lengths=lengths)
        h = state[0] if isinstance(state, tuple) else state
        last = h[-self.ways :].transpose(0, 1).reshape(h.shape[1], -1)
        return self.head(self.dropout(last))


class _Recurrent(BaseEstimator):  # type: ignore[misc]
    """What classifier and regressor share: sequences in, a network of their last state."""

    @clear_keywords
    def __init__(
        self,
        model: str = "gru",
        *,
        hidden: int = 16,
        layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        epochs: int = 100,
        batch_size: int = 32,
        lr: float = 0.01,
        random_state: Any = None,
    ) -> None:
        self.model, self.hidden, self.layers = model, hidden, layers
        self.bidirectional, self.dropout, self.epochs = bidirectional, dropout, epochs
        self.batch_size, self.lr, self.random_state = batch_size, lr, random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def _train(self, sequences: list[Values], y: Values, outputs: int, loss: Any) -> None:
        """Fit scaler and network to sequences and what is to be said of them."""
        if self.model not in LAYERS:
            raise ValueError(f"model must be one of {', '.join(LAYERS)}, got {self.model!r}")
        features = sequences[0].shape[1]
        self.scaler_ = Scaler().fit(np.concatenate(sequences))
        scaled = [self.scaler_.transform(one) for one in sequences]
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        with seeded(seed):
            self.network_ = self._network(features, outputs)
            self.history_ = fit(
                self.network_,
                DataLoader((scaled, y), batch_size=self.batch_size, shuffle=True),
                loss,
                optim.Adam(self.network_.parameters(), lr=self.lr),
                epochs=self.epochs,
                clip=1.0,
                progress=False,
            )
        self.network_.eval()

    def _network(self, features: int, outputs: int) -> LastState:
        """In double precision, so that a prediction does not depend on what else is in its batch."""
        rnn = LAYERS[self.model](
            features, self.hidden, num_layers=self.layers,
            dropout=self.dropout if self.layers > 1 else 0.0, bidirectional=self.bidirectional,
        )  # fmt: skip
        network = LastState(rnn, outputs, self.dropout)
        network.double()
        return network

    @no_grad()
    def _said(self, X: Any) -> Values:
        """What the network says of each sequence, (n, outputs)."""
        check_is_fitted(self)
        scaled = [self.scaler_.transform(one) for one in self._sequences(X)]
        loader = DataLoader((scaled, np.zeros(len(scaled))), batch_size=BATCH)
        return np.concatenate([self.network_(x, n).numpy() for x, _, n in loader])

    def _checked(self, X: Any, y: Any, **options: Any) -> tuple[list[Values], Values]:
        """Sequences and their targets, as many."""
        if not (isinstance(X, (list, tuple)) or hasattr(X, "shape") or hasattr(X, "__array__")):
            raise TypeError(
                f"X is a list of sequences, an array or a table, not a {type(X).__name__}"
            )
        self._of_steps = _many_steps(X)
        if not self._of_steps:
            X, y = validate_data(self, X, y, dtype=np.float64, **options)
            return list(X[:, :, None]), y
        if y is None:
            raise ValueError("requires y to be passed, but the target y is None")
        if options.get("multi_output"):
            y = check_array(y, ensure_2d=False, dtype=None)
        else:
            y = column_or_1d(y, warn=True)
        sequences = self._sequences(X, reset=True)
        if len(sequences) != len(y):
            raise ValueError(f"{len(sequences)} sequences and {len(y)} targets: as many of each")
        return sequences, y

    def _sequences(self, X: Any, reset: bool = False) -> list[Values]:
        """Each sequence (steps, features)."""
        if not self._of_steps:
            X = validate_data(self, X, reset=False, dtype=np.float64)
            return list(X[:, :, None])
        found = [_sequence(k, one) for k, one in enumerate(X)]
        if not found:
            raise ValueError("X has 0 sequences: at least one is needed")
        if reset:
            self.n_features_in_ = found[0].shape[1]
        for k, one in enumerate(found):
            if one.shape[1] != self.n_features_in_:
                raise ValueError(
                    f"sequence {k} has {one.shape[1]} features a step, and {type(self).__name__} is "
                    f"expecting {self.n_features_in_} features as input"
                )
        return found


class RecurrentClassifier(ClassifierMixin, _Recurrent):  # type: ignore[misc]
    """Says the class of a sequence: a recurrent layer, a linear head of its last state, cross entropy.

    ``X`` is a list of sequences (steps,) or (steps, features) whose lengths may differ, an array (n, steps,
    features), or as elsewhere in scikit-learn (n, columns): then a row is a sequence of single values.
    ``model`` is "gru", "lstm" or "rnn" with ``hidden`` units, ``layers``, ``bidirectional`` and ``dropout``,
    trained by Adam for ``epochs``. ``random_state`` says where weights and batches start; numpy's and the
    library's generators are left alone. After ``fit`` there are ``classes_``, ``network_`` (a Module),
    ``history_`` and ``n_features_in_``. Raises ValueError for what scikit-learn refuses, named as there.

    >>> import numpy as np
    >>> from tinygrad_rnn.estimators import RecurrentClassifier
    >>> rising = [np.linspace(0, 1, n) for n in range(5, 15)]
    >>> X, y = rising + [-s for s in rising], ["up"] * 10 + ["down"] * 10
    >>> model = RecurrentClassifier(epochs=20, random_state=0).fit(X, y)
    >>> model.predict([[0.0, 0.3, 0.6], [0.0, -0.5]]).tolist()
    ['up', 'down']
    """

    def fit(self, X: Any, y: Any) -> RecurrentClassifier:
        """Train on sequences and their classes; returns the estimator."""
        sequences, labels = self._checked(X, y)
        check_classification_targets(labels)
        self.classes_, numbers = np.unique(labels, return_inverse=True)
        self._train(sequences, numbers, len(self.classes_), nn.functional.cross_entropy)
        return self

    def predict_proba(self, X: Any) -> Values:
        """The probability of each of ``classes_`` for each sequence, (n, classes)."""
        said = self._said(X)
        raised = np.exp(said - said.max(1, keepdims=True))
        found: Values = raised / raised.sum(1, keepdims=True)
        return found

    def predict(self, X: Any) -> Values:
        """The most probable class of each sequence, (n,)."""
        said = self._said(X)
        chosen: Values = self.classes_[said.argmax(1)]
        return chosen


class RecurrentRegressor(RegressorMixin, _Recurrent):  # type: ignore[misc]
    """Says a number, or several, of a sequence: a recurrent layer, a linear head, squared error.

    ``X`` and the options are those of :class:`RecurrentClassifier`; ``y`` is (n,) or (n, outputs), which is
    scaled for training and back. After ``fit`` there are ``network_``, ``history_`` and ``n_features_in_``.

    >>> import numpy as np
    >>> from tinygrad_rnn.estimators import RecurrentRegressor
    >>> draw = np.random.default_rng(0)
    >>> X = [draw.uniform(size=n) for n in draw.integers(3, 9, size=200)]
    >>> model = RecurrentRegressor(epochs=30, random_state=0).fit(X, [s.sum() for s in X])
    >>> abs(float(model.predict([[0.5, 0.5, 0.5, 0.5]])[0]) - 2.0) < 0.2
    True
    """

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(self, X: Any, y: Any) -> RecurrentRegressor:
        """Train on sequences and their numbers; returns the estimator."""
        sequences, given = self._checked(X, y, multi_output=True, y_numeric=True)
        try:
            values = np.asarray(given, np.float64)
        except ValueError:
            raise ValueError(
                f"y of a regressor is numbers, not {given.dtype}: RecurrentClassifier tells classes apart"
            ) from None
        self._one = values.ndim == 1
        columns = values.reshape(len(values), -1)
        self.target_scaler_ = Scaler().fit(columns)
        scaled = self.target_scaler_.transform(columns)
        self._train(sequences, scaled, columns.shape[1], nn.functional.mse_loss)
        return self

    def predict(self, X: Any) -> Values:
        """The numbers of each sequence, (n,) or (n, outputs) as in fitting."""
        said = self._said(X)
        values = self.target_scaler_.inverse_transform(said)
        return values[:, 0] if self._one else values


# ---- what X may be --------------------------------------------------------------------------------


def _many_steps(X: Any) -> bool:
    """Whether X is sequences, and not a table of single values a row, which is scikit-learn's own X."""
    if hasattr(X, "ndim") and X.ndim != 1:
        return bool(X.ndim == 3)
    if hasattr(X, "dtype"):  # an object array or a Series of sequences
        return X.dtype == object and len(X) > 0 and _sized(next(iter(X)))
    if not isinstance(X, (list, tuple)) or not X or not all(map(_sized, X)):
        return False
    return any(np.ndim(one) == 2 for one in X) or len({len(one) for one in X}) > 1


def _sized(one: Any) -> bool:
    return isinstance(one, (list, tuple)) or (hasattr(one, "__array__") and np.ndim(one) > 0)


def _sequence(k: int, one: Sequence[Any]) -> Values:
    """A sequence as (steps, features). Raises ValueError, with its number, for what is none."""
    try:
        found = np.asarray(one, np.float64)
    except (ValueError, TypeError):
        found = np.zeros((0, 0))
    if not found.ndim:
        raise ValueError("X is a list of sequences, and this is one: give [X]")
    found = found[:, None] if found.ndim == 1 else found
    if found.ndim != 2 or not found.size:
        raise ValueError(
            f"sequence {k} of X is no array (steps,) or (steps, features) of numbers with a step at least"
        )
    if not np.isfinite(found).all():
        raise ValueError(f"sequence {k} of X contains NaN or infinity")
    return found


readable(__name__)
