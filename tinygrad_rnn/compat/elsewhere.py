"""What is it called here? Names that other libraries have, of layers and of what their models can do."""

from __future__ import annotations

from importlib import import_module

PACKAGE = str(__package__).rpartition(".")[0]
PLACES = ("", "nn", "optim", "nn.functional", "data", "optim.lr_scheduler", "nn.utils", "plots")
RECURRENT = "nn.LSTM, nn.GRU and nn.RNN"
LAYERS = {  # Keras's
    "Activation": "nn.Tanh(), nn.ReLU(), ..., or a function in forward",
    "Add": "+ in forward",
    "Bidirectional": f"bidirectional=True of {RECURRENT}",
    "Concatenate": "tg.cat in forward",
    "CuDNNGRU": "nn.GRU",
    "CuDNNLSTM": "nn.LSTM",
    "Dense": "nn.Linear(in_features, out_features)",
    "Input": "layers are given their sizes: nn.LSTM(input_size, hidden_size)",
    "InputLayer": "layers are given their sizes: nn.LSTM(input_size, hidden_size)",
    "Lambda": "a function in forward",
    "Masking": f"lengths= in the call of {RECURRENT}",
    "Model": "nn.Module, with a forward",
    "RNNBase": RECURRENT,
    "RepeatVector": "x.expand in forward",
    "SimpleRNN": "nn.RNN",
    "SimpleRNNCell": "nn.RNNCell",
    "TimeDistributed": "nn.Linear works on the last axis, at every step",
}
OF_A_MODEL = {
    "add": "nn.Sequential(first, second, ...), or attributes of a Module and its forward",
    "compile": "nothing is to be compiled: loss and optimizer are given to tg.fit",
    "count_params": "sum(p.numel() for p in model.parameters())",
    "evaluate": "loss(model(x), y) after model.eval(), under tg.no_grad()",
    "fit": "tg.fit(model, data, loss, optimizer, epochs=...)",
    "fit_generator": "tg.fit(model, data, loss, optimizer, epochs=...)",
    "get_weights": "model.state_dict()",
    "layers": "model.children()",
    "load_weights": "model.load_state_dict(tg.load(path))",
    "predict": "model(x) after model.eval(), under tg.no_grad()",
    "reset_states": "the state is what a layer returns and is given: output, state = layer(x, state)",
    "save_weights": "tg.save(model.state_dict(), path)",
    "set_weights": "model.load_state_dict(...)",
    "summary": "print(model); tg.draw(model(x), 'model.svg') draws it",
    "trainable_variables": "model.parameters()",
    "trainable_weights": "model.parameters()",
}


def of_a_module(path: str, name: str) -> str:
    """What to write for a name that a module of the package does not have, or nothing."""
    if name in LAYERS:
        return f": {LAYERS[name]}"
    sought = name.casefold()
    for place in sorted(PLACES, key=lambda place: place != path):
        for one in import_module(f"{PACKAGE}.{place}".rstrip(".")).__all__:
            if one.casefold() == sought:
                return f"; is it tg.{place}.{one}?".replace("..", ".")
    return ""


def of_a_model(name: str) -> str:
    """What to write for a method that a model does not have, or nothing."""
    return f": {OF_A_MODEL[name]}" if name in OF_A_MODEL else ""
