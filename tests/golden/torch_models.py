"""Models whose weights PyTorch saved: built by the same words in both libraries, from ``nn``."""

MODELS = {
    "rnn": lambda nn: nn.RNN(3, 4, num_layers=2, nonlinearity="relu", bidirectional=True),
    "lstm": lambda nn: nn.LSTM(3, 4, num_layers=2, batch_first=True, bidirectional=True),
    "lstm_proj": lambda nn: nn.LSTM(3, 5, num_layers=2, proj_size=2, bias=False),
    "gru": lambda nn: nn.GRU(3, 4, num_layers=2, bidirectional=True),
    "rnn_cell": lambda nn: nn.RNNCell(3, 4),
    "lstm_cell": lambda nn: nn.LSTMCell(3, 4, bias=False),
    "gru_cell": lambda nn: nn.GRUCell(3, 4),
    "linear": lambda nn: nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2, bias=False)),
    "embedding": lambda nn: nn.Sequential(
        nn.Embedding(7, 3, padding_idx=0), nn.LayerNorm(3), nn.Linear(3, 7)
    ),
    "activations": lambda nn: nn.Sequential(
        nn.Linear(3, 3), nn.LayerNorm(3, elementwise_affine=False), nn.ReLU(),
        nn.LeakyReLU(0.2), nn.ELU(0.7), nn.GELU(), nn.SiLU(),
        nn.Sigmoid(), nn.Softplus(), nn.GELU(approximate="tanh"), nn.Identity(), nn.LogSoftmax(dim=-1),
        nn.Softmax(dim=-1), nn.Dropout(0.3), nn.Flatten(0, 1),
    ),
}  # fmt: skip
SHAPE = (4, 2, 3)  # (time, batch, features); cells take a step of it


def input_of(name, rng):
    """An array for a model: floats, or integers for an embedding."""
    if name == "embedding":
        return rng.integers(0, 7, SHAPE[:2])
    shape = SHAPE[1:] if name.endswith("cell") else SHAPE
    return rng.normal(size=shape).astype("float32")


def flat(output):
    """The tensors of an output of any nesting, in order."""
    if isinstance(output, (tuple, list)):
        return [tensor for part in output for tensor in flat(part)]
    return [output]
