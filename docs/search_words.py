"""Words that people search for and that no title has: they become entries of the site's index.

A search for one of them, or for half of one, finds its page first.
"""

from __future__ import annotations

from typing import Any

WORDS: dict[str, tuple[str, ...]] = {
    "questions/what_weights_at_t4": (
        "LSTM weights at t=4",
        "LSTM weights at t = 4",
        "same weights every step",
        "weights time step 4",
        "weight tying over time",
        "what weights does an LSTM use",
        "LSTM weights at each time step",
        "weight sharing over time",
        "shared weights",
        "parameter sharing",
        "unrolled graph",
    ),
    "questions/hidden_units_are_not_time_steps": (
        "hidden_size and sequence length",
        "how many hidden units",
        "number of units",
    ),
    "questions/why_gradients_sum": (
        "backpropagation through time",
        "BPTT",
        "gradient sum over time steps",
        "why gradients sum over steps",
    ),
    "questions/why_the_early_gradient_vanishes": (
        "vanishing gradient",
        "exploding gradient",
        "forget gate bias",
    ),
    "questions/output_and_h_n": (
        "return_sequences",
        "last hidden state",
        "bidirectional LSTM output",
        "output vs h_n",
    ),
    "questions/why_two_biases": ("bias_ih and bias_hh", "two biases"),
    "questions/when_to_reset_state": (
        "stateful LSTM",
        "reset_states",
        "reset state",
        "reset hidden state",
        "truncated backpropagation through time",
        "TBPTT",
        "detach hidden state",
    ),
    "questions/your_own_cell": ("custom cell", "custom RNN cell", "custom layer"),
    "guides/training": (
        "many-to-one",
        "many-to-many",
        "many to one",
        "one-to-many",
        "one to many",
        "seq2seq",
        "sequence to sequence",
        "encoder-decoder",
        "early stopping",
        "teacher forcing",
        "scheduled sampling",
        "validation loss",
        "learning rate schedule",
        "gradient clipping",
        "clip gradients",
        "overfitting",
        "loss is nan",
        "nan loss",
        "random seed",
        "training loop",
    ),
    "guides/architectures": ("encoder decoder", "attention", "character model", "char-rnn"),
    "guides/your_own_series": (
        "time series",
        "time series forecasting",
        "forecast",
        "forecasting",
        "CSV",
        "CSV file",
        "missing values",
        "backtest",
        "prediction interval",
        "confidence interval",
        "quantile loss",
        "multivariate time series",
        "calendar features",
        "sliding window",
        "scikit-learn",
        "GridSearchCV",
        "Pipeline",
        "sktime",
        "pandas DataFrame",
    ),
    "guides/exercises": (
        "LSTM backward by hand",
        "assignment",
        "homework",
        "LSTM from scratch",
    ),
    "guides/drawing": ("draw LSTM", "plot computation graph", "visualize LSTM"),
    "guides/from_keras": ("Keras LSTM",),
    "guides/from_pytorch": ("import torch",),
    "guides/files": ("save and load a model", "ONNX export"),
    "guides/speed": ("slow training", "numba", "GPU"),
    "guides/distributed": ("MPI", "data parallel", "multi-GPU"),
    "layers": (
        "padding",
        "masking",
        "variable length sequences",
        "unequal lengths",
        "pack_padded_sequence",
        "dropout in LSTM",
        "layer normalization",
    ),
    "teaching": ("lecture slides", "handout", "worksheet"),
}


def add(app: Any, name: str, source: list[str]) -> None:
    """Sphinx asks for every page's source: its words follow as main entries (!) of the index."""
    if name in WORDS:
        entries = "\n".join(f"   ! single: {word}" for word in WORDS[name])
        source[0] += f"\n\n```{{eval-rst}}\n.. index::\n{entries}\n```\n"
