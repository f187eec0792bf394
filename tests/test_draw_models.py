"""``tg.draw(model, x)``: a model of ours, of PyTorch's, or an ONNX file, in this project's own picture."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn


def taps(text: str) -> int:
    """How many lines leave the weights' bars."""
    return len(re.findall(r'class="use t\d+ ', text))


class Reader(nn.Module):
    """An LSTM and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.head, self.drop = nn.LSTM(3, 4), nn.Linear(4, 2), nn.Dropout(0.5)

    def forward(self, x: Any) -> Any:
        return self.head(self.drop(self.rnn(x)[0][-1]))


def test_a_model_of_ours_with_its_input(tmp_path: Path) -> None:
    model, x = Reader(), tg.randn(5, 1, 3)
    path = tg.draw(model, x, str(tmp_path / "a.dot"))
    text = Path(path).read_text(encoding="utf-8")
    assert taps(text) == 5
    assert "dropout" not in text
    assert all(module.training for module in model.modules())
    same = tg.draw(model, tmp_path / "b.dot", inputs=x)
    assert Path(same).read_text(encoding="utf-8") == text


def test_words_for_what_cannot_be() -> None:
    model, x = Reader(), tg.randn(5, 1, 3)
    with pytest.raises(TypeError, match="given twice"):
        tg.draw(model, x, inputs=x)
    with pytest.raises(TypeError, match="takes a model"):
        tg.draw(3, x)


@pytest.mark.parametrize("steps", [3, 6])
def test_an_onnx_file(tmp_path: Path, steps: int) -> None:
    pytest.importorskip("onnx", reason="onnx is not installed (extra onnx)")
    lstm = nn.LSTM(3, 4)
    file = tmp_path / "model.onnx"
    tg.interop.to_onnx(lstm, file, tg.zeros(steps, 1, 3))
    text = Path(tg.draw(file, tmp_path / "a.dot")).read_text(encoding="utf-8")
    assert "LSTM" in text
    x = tg.randn(steps, 1, 3)
    again = Path(tg.draw(str(file), x, str(tmp_path / "b.dot"))).read_text(encoding="utf-8")
    assert taps(again) == steps


@pytest.mark.peers
def test_pytorch_models_compute_here_what_they_compute_there(tmp_path: Path) -> None:
    import torch

    class Words(torch.nn.Module):  # type: ignore[misc]
        def __init__(self, kind: Any, bidirectional: bool) -> None:
            super().__init__()
            self.emb = torch.nn.Embedding(9, 4)
            self.rnn = kind(4, 6, num_layers=2, batch_first=True, bidirectional=bidirectional)
            self.head = torch.nn.Linear(12 if bidirectional else 6, 3)

        def forward(self, x: Any) -> Any:
            y, _ = self.rnn(self.emb(x))
            return self.pick(torch.cat([y[:, -1], y[:, 0]], dim=0))

        def pick(self, y: Any) -> Any:
            return torch.nn.functional.log_softmax(self.head(torch.relu(y)), dim=-1)

    class Decoder(torch.nn.Module):  # type: ignore[misc]
        def __init__(self, cell: Any) -> None:
            super().__init__()
            self.cell, self.out, self.steps = cell(3, 4), torch.nn.Linear(4, 3), 4
            self.scale = torch.nn.Parameter(torch.full((3,), 0.5))

        def forward(self, x: Any) -> Any:
            h, ys = torch.zeros(x.shape[0], 4), []
            for _ in range(self.steps):
                h = self.cell(x, h)
                x = torch.sigmoid(self.out(h)) * self.scale + x
                ys.append(x)
            return torch.stack(ys)

    from tinygrad_rnn.interop.twins import run_foreign

    tokens = torch.randint(0, 9, (2, 5))
    models = [
        (Words(kind, both).eval(), tokens)
        for kind in (torch.nn.LSTM, torch.nn.GRU, torch.nn.RNN)
        for both in (False, True)
    ]
    models += [
        (Decoder(cell).eval(), torch.randn(2, 3)) for cell in (torch.nn.GRUCell, torch.nn.RNNCell)
    ]
    for model, x in models:
        theirs = model(x).detach().numpy()
        _, ours = run_foreign(model, x, None)
        np.testing.assert_allclose(ours.numpy(), theirs, atol=1e-6)
        names = {name.partition(".")[2] for name in tg.graph(ours).parameters}
        assert names <= {name for name, _ in model.named_parameters()}
        text = Path(tg.draw(model, x, str(tmp_path / "a.dot"))).read_text(encoding="utf-8")
        assert taps(text) >= 4
    assert not hasattr(tg.Tensor, "__torch_function__")
    layer = Path(tg.draw(torch.nn.LSTM(3, 4), tmp_path / "b.dot", steps=3)).read_text(
        encoding="utf-8"
    )
    assert taps(layer) == 3
