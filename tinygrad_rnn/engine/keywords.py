"""What is this called here? Words for unknown keywords of layers, optimizers and functions that users call.

The names are those of Keras, PyTorch, pandas and libraries for forecasting. Each means the same as a name
here, one that the callable has, or a sentence says what to do instead.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_THEIRS = {  # a row is a name here, and the names that mean the same elsewhere
    "hidden_size": "features features_out hidden hidden_dim hidden_units n_hidden num_hidden num_units "
    "output_dim units",
    "input_size": "features_in in_dim input_dim input_units",
    "num_layers": "layers n_layers",
    "horizon": "fh forecast_horizon h n_steps output_chunk_length steps",
    "quantiles": "quantile",
    "negative_slope": "alpha",
    "momentum": "alpha",
    "dim": "axis",
    "dropout": "dropout_rate",
    "embedding_dim": "output_dim",
    "out_features": "features features_out num_units out_dim output_dim units",
    "in_features": "features_in in_dim input_dim input_units",
    "alpha": "rho",
    "batch_size": "batch batchsize",
    "betas": "beta beta1 beta2 beta_1 beta_2",
    "bias": "use_bias",
    "bidirectional": "bidir",
    "callbacks": "callback",
    "checkpoint": "checkpoint_path save_path",
    "clip": "grad_clip gradient_clip_val max_grad_norm max_norm",
    "columns": "usecols",
    "data": "dataset loader train_data train_loader",
    "dates": "date_col date_column index_col parse_dates time_col",
    "epochs": "epoch max_epochs n_epochs nb_epoch num_epochs",
    "eps": "epsilon",
    "hidden": "hidden_dim hidden_size hidden_units n_hidden num_hidden num_units units",
    "known": "covariates exog exogenous future_covariates",
    "layers": "n_layers num_layers",
    "level": "alpha confidence coverage quantile",
    "loss": "criterion loss_fn",
    "lr": "learning_rate step_size",
    "missing": "fill fillna nan",
    "n": "fh forecast_horizon h n_steps periods steps",
    "nonlinearity": "activation",
    "normalized_shape": "axis",
    "num_embeddings": "input_dim",
    "optimizer": "optim",
    "p": "dropout_rate prob rate",
    "padding_idx": "mask_zero",
    "params": "parameters",
    "patience": "early_stopping",
    "progress": "disable_progress verbose",
    "proj_size": "out_dim",
    "refit": "retrain",
    "samples": "n_samples num_samples",
    "scaler": "normalize scale scaling",
    "scheduler": "lr_scheduler schedule",
    "season": "m period seasonal_periods seasonality",
    "seed": "random_seed random_state",
    "series": "X x y",
    "target": "label target_col target_column targets",
    "validation": "eval_set train_split val_data val_loader valid validation_data",
    "weight_decay": "decay l2",
    "window": "input_chunk_length lags look_back lookback n_lags seq_len seq_length sequence_length "
    "timesteps window_size",
}
SAME: dict[str, tuple[str, ...]] = {}
for _ours, _names in _THEIRS.items():
    for _name in _names.split():
        SAME[_name] = (*SAME.get(_name, ()), _ours)
INSTEAD = {
    "activation": "write a cell of your own for nn.Recurrent, or a module after it",
    "clipnorm": "call nn.utils.clip_grad_norm_ before step(), or pass clip= to tg.fit",
    "clipvalue": "call nn.utils.clip_grad_value_ before step()",
    "global_clipnorm": "call nn.utils.clip_grad_norm_ before step(), or pass clip= to tg.fit",
    "go_backwards": "call it with x.flip(0) (x.flip(1) with batch_first=True)",
    "input_shape": "sizes are the first arguments, without batch and time",
    "bias_initializer": "change it after it is made: nn.init.zeros_(layer.bias_ih_l0)",
    "kernel_initializer": "change it after it is made: nn.init.orthogonal_(layer.weight_ih_l0)",
    "recurrent_initializer": "change it after it is made: nn.init.orthogonal_(layer.weight_hh_l0)",
    "kernel_regularizer": "the optimizer's weight_decay, or a term of the loss",
    "recurrent_regularizer": "the optimizer's weight_decay, or a term of the loss",
    "name": "tg.name(layer, ...) or the attribute that it is kept under",
    "recurrent_activation": "write a cell of your own for nn.Recurrent",
    "recurrent_dropout": "write a cell of your own for nn.Recurrent",
    "reset_after": "nn.GRU resets after; tg.interop.from_keras reads the others",
    "return_sequences": "output, state = layer(x) returns every step: the last is output[-1] "
    "(output[:, -1] with batch_first=True)",
    "return_state": "layer(x) returns (output, state)",
    "stateful": "hand the state on: output, state = layer(x, state)",
    "time_major": "time comes first; batch_first=True puts the batch first",
    "unit_forget_bias": "bias_ih_l0 and bias_hh_l0 can be set after it is made",
    "batch_size": "batches are cut by tg.DataLoader((x, y), batch_size=...)",
    "shuffle": "tg.DataLoader((x, y), batch_size=..., shuffle=True)",
    "metrics": "callbacks= are called with the history after each epoch",
    "validation_split": "validation= takes batches of its own (in Forecaster.fit, a share of the rows)",
    "val_split": "validation= takes batches of its own (in Forecaster.fit, a share of the rows)",
    "x": "data= takes both, (x, y) or tg.DataLoader((x, y), batch_size=...)",
    "X": "data= takes both, (x, y) or tg.DataLoader((x, y), batch_size=...)",
    "y": "data= takes both, (x, y) or tg.DataLoader((x, y), batch_size=...)",
    "class_weight": "the loss takes it: nn.CrossEntropyLoss(weight=...)",
    "sample_weight": "the loss is a function of (prediction, y): weigh in it",
    "learning_rate": "the optimizer has it: optim.Adam(model.parameters(), lr=...)",
    "lr": "the optimizer has it: optim.Adam(model.parameters(), lr=...)",
    "device": "everything is computed on the CPU",
    "sep": "commas, semicolons, tabs and | are told apart by themselves",
    "delimiter": "commas, semicolons, tabs and | are told apart by themselves",
    "header": "the first row is the heading",
    "unroll": "steps are recorded one by one or compiled; nothing is to be set",
}


def _arguments(kind: type) -> tuple[str, ...] | None:
    """The names that the class can be made with; None where it takes any (or says nothing)."""
    begin = inspect.getattr_static(kind, "__init__")
    listed = inspect.signature(begin, follow_wrapped=False).parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in listed):
        return None
    return tuple(p.name for p in listed if p.kind is not p.VAR_POSITIONAL)[1:]


def check_keywords(kind: type, given: dict[str, Any]) -> None:
    """Raise TypeError for a keyword that the class does not take, with the name that it has here."""
    names = _arguments(kind)
    if names is not None:
        _check(kind.__name__, names, given)


def clear_keywords(function: Callable[P, R]) -> Callable[P, R]:
    """The same function, which says of an unknown keyword what it is called here."""
    begin = inspect.signature(function).parameters
    names = tuple(name for name in begin if name not in ("self", "cls"))
    begins = function.__name__ == "__init__"

    @wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> R:
        if kwargs:
            who = type(args[0]).__name__ if begins and args else function.__qualname__
            _check(who, names, kwargs)
        return function(*args, **kwargs)

    return called


def _check(who: str, names: tuple[str, ...], given: Any) -> None:
    for name in given:
        if name not in names:
            raise TypeError(
                f"{who} has no argument {name!r}{_cure(name, names)}. "
                f"It takes {', '.join(names) or 'none'}"
            )


def _cure(name: str, names: tuple[str, ...]) -> str:
    same = [ours for ours in SAME.get(name, ()) if ours in names][:1]
    close = same or difflib.get_close_matches(name, names, 1)
    if name in INSTEAD and not same:
        return f": {INSTEAD[name]}"
    return f"; {close[0]} is its name here" if same else f"; is it {close[0]}?" if close else ""
