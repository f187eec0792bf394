"""What is this argument called here? Words for an unknown keyword of a layer or an optimizer.

The names are Keras's and those of optimizers elsewhere. Each row is either the names that mean the same
here, of which the first that the class has is named, or a sentence that says what to do instead.
"""

from __future__ import annotations

import difflib
import inspect
from typing import Any

SAME: dict[str, tuple[str, ...]] = {
    "activation": ("nonlinearity",),
    "alpha": ("negative_slope", "momentum"),
    "axis": ("dim", "normalized_shape"),
    "beta": ("betas",),
    "beta1": ("betas",),
    "beta2": ("betas",),
    "beta_1": ("betas",),
    "beta_2": ("betas",),
    "bidir": ("bidirectional",),
    "decay": ("weight_decay",),
    "dropout_rate": ("dropout", "p"),
    "epsilon": ("eps",),
    "features": ("out_features", "hidden_size"),
    "features_in": ("in_features", "input_size"),
    "features_out": ("out_features", "hidden_size"),
    "hidden": ("hidden_size",),
    "hidden_dim": ("hidden_size",),
    "hidden_units": ("hidden_size",),
    "in_dim": ("in_features", "input_size"),
    "input_dim": ("input_size", "in_features", "num_embeddings"),
    "input_units": ("input_size", "in_features"),
    "l2": ("weight_decay",),
    "layers": ("num_layers",),
    "learning_rate": ("lr",),
    "mask_zero": ("padding_idx",),
    "n_hidden": ("hidden_size",),
    "n_layers": ("num_layers",),
    "num_hidden": ("hidden_size",),
    "num_units": ("hidden_size", "out_features"),
    "out_dim": ("out_features", "proj_size"),
    "output_dim": ("embedding_dim", "out_features", "hidden_size"),
    "parameters": ("params",),
    "prob": ("p",),
    "rate": ("p",),
    "rho": ("alpha",),
    "step_size": ("lr",),
    "units": ("hidden_size", "out_features"),
    "use_bias": ("bias",),
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
    if names is None:
        return
    for name in given:
        if name not in names:
            raise TypeError(
                f"{kind.__name__} has no argument {name!r}{_cure(name, names)}. "
                f"It takes {', '.join(names) or 'none'}"
            )


def _cure(name: str, names: tuple[str, ...]) -> str:
    same = [ours for ours in SAME.get(name, ()) if ours in names][:1]
    close = same or difflib.get_close_matches(name, names, 1)
    if name in INSTEAD and not same:
        return f": {INSTEAD[name]}"
    return f"; {close[0]} is its name here" if same else f"; is it {close[0]}?" if close else ""
