"""What do type checkers know of the public calls? Read by mypy and by pyright, never run."""

from typing import Any, assert_type

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.nn.utils.rnn import PackedSequence, pack_padded_sequence

x = tg.randn(5, 2, 3)
lstm, gru, rnn = nn.LSTM(3, 4), nn.GRU(3, 4), nn.RNN(3, 4)
assert_type(lstm(x), tuple[tg.Tensor, tuple[tg.Tensor, tg.Tensor]])
assert_type(
    lstm(np.zeros((5, 2, 3)), lengths=[5, 4]), tuple[tg.Tensor, tuple[tg.Tensor, tg.Tensor]]
)
assert_type(gru(x), tuple[tg.Tensor, tg.Tensor])
assert_type(rnn(x), tuple[tg.Tensor, tg.Tensor])
packed = pack_padded_sequence(x, [5, 4])
assert_type(lstm(packed), tuple[PackedSequence, tuple[tg.Tensor, tg.Tensor]])
assert_type(gru(packed), tuple[PackedSequence, tg.Tensor])
assert_type(lstm.weight_hh_l0, nn.Parameter)
assert_type(gru.bias_ih_l0, nn.Parameter)
assert_type(nn.LSTMCell(3, 4)(x[0]), tuple[tg.Tensor, tg.Tensor])
assert_type(nn.PeepholeLSTMCell(3, 4)(x[0]), tuple[tg.Tensor, tg.Tensor])
assert_type(nn.GRUCell(3, 4)(x[0]), tg.Tensor)
assert_type(nn.RNNCell(3, 4)(x[0]), tg.Tensor)
assert_type(nn.RNNCell(3, 4).weight_hh, nn.Parameter)
assert_type(nn.Recurrent(nn.RNNCell(3, 4))(x), tuple[tg.Tensor, Any])

linear = nn.Linear(3, 1)
y = linear(x)
assert_type(y, tg.Tensor)
assert_type(linear.weight, nn.Parameter)
assert_type(linear.bias, nn.Parameter | None)
assert_type(nn.Embedding(3, 4)(x), tg.Tensor)
assert_type(nn.LayerNorm(3)(x), tg.Tensor)
assert_type(nn.Dropout(0.5)(x), tg.Tensor)
assert_type(nn.Tanh()(x), tg.Tensor)
assert_type(nn.MSELoss()(y, y), tg.Tensor)
assert_type(nn.CrossEntropyLoss()(y, y), tg.Tensor)
assert_type(nn.functional.mse_loss(y, y), tg.Tensor)

loss = y.sum()
assert_type(loss.backward(), None)
assert_type(loss.backward(ledger=True), tg.Ledger)
assert_type(loss.backward(ledger=False), None)
assert_type(loss.grad, tg.Tensor | None)
assert_type(tg.grad(loss, [x]), tuple[tg.Tensor, ...])
assert_type(x + 1, tg.Tensor)
assert_type(1 - x, tg.Tensor)
assert_type(x @ x, tg.Tensor)
assert_type(-x, tg.Tensor)
assert_type(x == 1, tg.Tensor)
assert_type(x != x, tg.Tensor)
assert_type(x < 1, tg.Tensor)
assert_type(x[0, 1:], tg.Tensor)
assert_type(x.tanh().sum(-1), tg.Tensor)
assert_type(tg.tanh(x), tg.Tensor)
assert_type(tg.stack([x, x]), tg.Tensor)
assert_type(x.T, tg.Tensor)
assert_type(x.shape, tg.Size)
assert_type(lstm.state_dict(), dict[str, tg.Tensor])
assert_type(list(lstm.parameters()), list[nn.Parameter])

history = tg.fit(linear, (x, y), nn.MSELoss(), optim.Adam(linear.parameters()), epochs=1)
assert_type(history, tg.training.History)
assert_type(history.loss, list[float])
