"""What is this called here? Words for unknown keywords of layers, optimizers and functions that users call.

The names are those of Keras, PyTorch, pandas and libraries for forecasting. Each row is either the names that
mean the same here, of which the first that there is is named, or a sentence that says what to do instead.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

SAME: dict[str, tuple[str, ...]] = {
    "activation": ("nonlinearity",),
    "alpha": ("negative_slope", "momentum", "level"),
    "axis": ("dim", "normalized_shape"),
    "batch": ("batch_size",),
    "batchsize": ("batch_size",),
    "beta": ("betas",),
    "beta1": ("betas",),
    "beta2": ("betas",),
    "beta_1": ("betas",),
    "beta_2": ("betas",),
    "bidir": ("bidirectional",),
    "callback": ("callbacks",),
    "checkpoint_path": ("checkpoint",),
    "confidence": ("level",),
    "covariates": ("known",),
    "coverage": ("level",),
    "criterion": ("loss",),
    "dataset": ("data",),
    "date_col": ("dates",),
    "date_column": ("dates",),
    "decay": ("weight_decay",),
    "disable_progress": ("progress",),
    "dropout_rate": ("dropout", "p"),
    "early_stopping": ("patience",),
    "epoch": ("epochs",),
    "epsilon": ("eps",),
    "eval_set": ("validation",),
    "exog": ("known",),
    "exogenous": ("known",),
    "features": ("out_features", "hidden_size"),
    "features_in": ("in_features", "input_size"),
    "features_out": ("out_features", "hidden_size"),
    "fh": ("horizon", "n"),
    "fill": ("missing",),
    "fillna": ("missing",),
    "forecast_horizon": ("horizon", "n"),
    "future_covariates": ("known",),
    "grad_clip": ("clip",),
    "gradient_clip_val": ("clip",),
    "h": ("horizon", "n"),
    "hidden": ("hidden_size",),
    "hidden_dim": ("hidden_size", "hidden"),
    "hidden_size": ("hidden",),
    "hidden_units": ("hidden_size", "hidden"),
    "in_dim": ("in_features", "input_size"),
    "index_col": ("dates",),
    "input_chunk_length": ("window",),
    "input_dim": ("input_size", "in_features", "num_embeddings"),
    "input_units": ("input_size", "in_features"),
    "l2": ("weight_decay",),
    "label": ("target",),
    "lags": ("window",),
    "layers": ("num_layers",),
    "learning_rate": ("lr",),
    "loader": ("data",),
    "look_back": ("window",),
    "lookback": ("window",),
    "loss_fn": ("loss",),
    "lr_scheduler": ("scheduler",),
    "m": ("season",),
    "mask_zero": ("padding_idx",),
    "max_epochs": ("epochs",),
    "max_grad_norm": ("clip",),
    "max_norm": ("clip",),
    "n_epochs": ("epochs",),
    "n_hidden": ("hidden_size", "hidden"),
    "n_lags": ("window",),
    "n_layers": ("num_layers", "layers"),
    "n_samples": ("samples",),
    "n_steps": ("horizon", "n"),
    "nan": ("missing",),
    "nb_epoch": ("epochs",),
    "normalize": ("scaler",),
    "num_epochs": ("epochs",),
    "num_hidden": ("hidden_size", "hidden"),
    "num_layers": ("layers",),
    "num_samples": ("samples",),
    "num_units": ("hidden_size", "out_features", "hidden"),
    "optim": ("optimizer",),
    "out_dim": ("out_features", "proj_size"),
    "output_chunk_length": ("horizon",),
    "output_dim": ("embedding_dim", "out_features", "hidden_size"),
    "parameters": ("params",),
    "parse_dates": ("dates",),
    "period": ("season",),
    "periods": ("n",),
    "prob": ("p",),
    "quantile": ("quantiles", "level"),
    "random_seed": ("seed",),
    "random_state": ("seed",),
    "rate": ("p",),
    "retrain": ("refit",),
    "rho": ("alpha",),
    "save_path": ("checkpoint",),
    "scale": ("scaler",),
    "scaling": ("scaler",),
    "schedule": ("scheduler",),
    "seasonal_periods": ("season",),
    "seasonality": ("season",),
    "seq_len": ("window",),
    "seq_length": ("window",),
    "sequence_length": ("window",),
    "step_size": ("lr",),
    "steps": ("horizon", "n"),
    "target_col": ("target",),
    "target_column": ("target",),
    "targets": ("target",),
    "time_col": ("dates",),
    "timesteps": ("window",),
    "train_data": ("data",),
    "train_loader": ("data",),
    "train_split": ("validation",),
    "units": ("hidden_size", "out_features", "hidden"),
    "use_bias": ("bias",),
    "usecols": ("columns",),
    "val_data": ("validation",),
    "val_loader": ("validation",),
    "valid": ("validation",),
    "validation_data": ("validation",),
    "verbose": ("progress",),
    "window_size": ("window",),
    "X": ("series",),
    "x": ("series",),
    "y": ("series",),
}
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
