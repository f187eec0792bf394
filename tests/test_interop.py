"""Weights and layers to and from PyTorch: stored files everywhere, the real one where it is asked for."""

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from golden.torch_models import MODELS, flat, input_of

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.scan import backends

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections:UserWarning")


@pytest.fixture(autouse=True)
def _loops_on_numpy():
    with backends.using("numpy"):
        yield


STORED = Path(__file__).parent / "golden" / "torch_files"
ANSWERS = tg.load(STORED / "answers.safetensors")


def answers_of(name):
    return [ANSWERS[key] for key in sorted(k for k in ANSWERS if k.startswith(f"{name}.y"))]


@pytest.mark.parametrize("name", MODELS)
def test_weights_that_pytorch_saved_load_unchanged_and_answer_alike(name):
    model = MODELS[name](nn).eval()
    assert model.load(STORED / f"{name}.safetensors") == ([], [])
    for key, value in tg.load(STORED / f"{name}.safetensors").items():
        np.testing.assert_array_equal(model.state_dict()[key].numpy(), value.numpy())
    found = flat(model(ANSWERS[f"{name}.x"]))
    expected = answers_of(name)
    assert len(found) == len(expected) > 0
    for y, theirs in zip(found, expected, strict=True):
        assert y.shape == theirs.shape
        np.testing.assert_allclose(y.detach().numpy(), theirs.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", MODELS)
def test_ours_has_the_entries_that_pytorchs_file_has(name):
    theirs = tg.read_metadata(STORED / f"{name}.safetensors")
    assert theirs["metadata"] == {"format": "pt"}
    file = io.BytesIO()
    MODELS[name](nn).save(file)
    ours = tg.read_metadata(io.BytesIO(file.getvalue()))
    assert ours["tensors"] == theirs["tensors"]


def test_without_pytorch_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    for cross in (tg.interop.from_torch, tg.interop.to_torch):
        with pytest.raises(ImportError, match="pip install torch"):
            cross(nn.Linear(1, 1))


# ---- beside the real PyTorch ------------------------------------------------------------------------


@pytest.fixture
def torch():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    torch.manual_seed(0)
    return torch


def alike(ours, theirs, x, torch):
    """Our layer and PyTorch's give the same on the same input."""
    ours.eval()
    theirs.eval()
    with torch.no_grad():
        expected = flat(theirs(torch.tensor(x)))
    found = flat(ours(x))
    assert len(found) == len(expected)
    for y, z in zip(found, expected, strict=True):
        assert y.dtype == z.numpy().dtype
        np.testing.assert_allclose(y.detach().numpy(), z.numpy(), rtol=2e-5, atol=2e-6)


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_layers_cross_both_ways(name, double, torch, rng):
    x = input_of(name, rng)
    if double and name != "embedding":
        x = x.astype(np.float64)
    theirs = MODELS[name](torch.nn)
    theirs = theirs.double() if double else theirs
    ours = tg.interop.from_torch(theirs)
    alike(ours, theirs, x, torch)
    back = tg.interop.to_torch(ours)
    assert str(back) == str(theirs)
    alike(ours, back, x, torch)
    fresh = MODELS[name](nn)
    fresh = fresh.double() if double else fresh
    alike(fresh, tg.interop.to_torch(fresh), x, torch)


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_every_option_of_the_recurrent_layers_crosses(kind, torch, rng):
    for case in range(64):
        flags = [bool(case >> k & 1) for k in range(6)]
        layers, bias, first, dropout, both, other = flags
        options = {
            "num_layers": 1 + layers,
            "bias": bias,
            "batch_first": first,
            "bidirectional": both,
        }
        options["dropout"] = 0.5 if dropout and layers else 0.0
        if kind == "RNN":
            options["nonlinearity"] = "relu" if other else "tanh"
        if kind == "LSTM":
            options["proj_size"] = 2 if other else 0
        theirs = getattr(torch.nn, kind)(3, 4, **options)
        ours = tg.interop.from_torch(theirs)
        assert ours.training
        for name, value in options.items():
            assert getattr(ours, name) == value
        x = rng.normal(size=(5, 2, 3)).astype(np.float32)
        back = tg.interop.to_torch(ours)
        assert str(back) == str(theirs)
        alike(ours, theirs, x, torch)
        alike(ours, back, x, torch)


@pytest.mark.peers
def test_files_cross_both_ways(torch, tmp_path):
    library = pytest.importorskip("safetensors.torch", reason="safetensors is not installed")
    for name, build in MODELS.items():
        theirs, ours = build(torch.nn), build(nn)
        library.save_file(theirs.state_dict(), tmp_path / "theirs")
        ours.load(tmp_path / "theirs")
        for key, value in theirs.state_dict().items():
            np.testing.assert_array_equal(ours.state_dict()[key].numpy(), value.numpy())
        fresh = build(nn)
        fresh.save(tmp_path / "ours")
        theirs.load_state_dict(library.load_file(tmp_path / "ours"))
        for key, value in fresh.state_dict().items():
            np.testing.assert_array_equal(
                theirs.state_dict()[key].numpy(), value.numpy(), err_msg=name
            )


@pytest.mark.peers
def test_a_module_of_ones_own_crosses_by_its_state_dict(torch, rng):
    def made(library):
        class Net(library.Module):
            def __init__(self):
                super().__init__()
                self.lstm, self.head = library.LSTM(3, 4), library.Linear(4, 1)

            def forward(self, x):
                y, _ = self.lstm(x)
                return self.head(y[-1])

        return Net()

    theirs, ours = made(torch.nn), made(nn)
    theirs.lstm.weight_hh_l0.requires_grad_(False)
    with pytest.raises(TypeError, match=r"knows no Net: .* pass that as into="):
        tg.interop.from_torch(theirs)
    with pytest.raises(TypeError, match="has no Net; for a Module of your own"):
        tg.interop.to_torch(ours)
    assert tg.interop.from_torch(theirs, into=ours) is ours
    assert not ours.lstm.weight_hh_l0.requires_grad
    x = rng.normal(size=(5, 2, 3)).astype(np.float32)
    alike(ours, theirs, x, torch)
    alike(ours, tg.interop.to_torch(ours, into=made(torch.nn)), x, torch)
    with pytest.raises(RuntimeError, match=r"lstm.bias_hh_l0 is missing|is not known here"):
        tg.interop.from_torch(torch.nn.Linear(1, 1), into=ours)


@pytest.mark.peers
def test_tensors_cross_as_copies_and_bfloat16_as_float32(torch):
    there = torch.tensor([1.5, 2.0], dtype=torch.bfloat16)
    here = tg.interop.from_torch(there)
    assert (here.dtype, here.tolist()) == (np.float32, [1.5, 2.0])
    state = tg.interop.from_torch({"a": torch.arange(3)})
    assert state["a"].tolist() == [0, 1, 2]
    array = tg.ones(2)
    other = tg.interop.to_torch(array)
    other += 1
    assert array.tolist() == [1, 1]
    half = tg.interop.from_torch(torch.nn.Linear(2, 2).to(torch.bfloat16))
    assert half.weight.dtype == np.float32


@pytest.mark.peers
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda t: t.nn.Conv1d(1, 1, 1), "knows no Conv1d: there are RNN, LSTM"),
        (
            lambda t: t.nn.Sequential(t.nn.Linear(1, 1), t.nn.Conv1d(1, 1, 1)),
            r"knows no Conv1d \(at 1\)",
        ),
        (lambda t: t.nn.Embedding(3, 2, max_norm=1.0), "Embedding has max_norm=1.0"),
        (lambda t: t.nn.Softplus(beta=2.0), "Softplus has beta=2.0"),
        (lambda t: 3, "takes a torch.nn.Module or tensors, not int"),
    ],
)
def test_what_does_not_come_in_is_named(make, words, torch):
    with pytest.raises(TypeError, match=words):
        tg.interop.from_torch(make(torch))


@pytest.mark.peers
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: nn.LSTM(2, 3, peephole=True), "LSTM has peephole=True"),
        (lambda: nn.GRU(2, 3, reset_after=False), "GRU has reset_after=False"),
        (lambda: nn.RNN(2, 3, learned_state=True), "RNN has learned_state=True"),
        (lambda: nn.LSTMCell(2, 3, proj_size=1), "LSTMCell has proj_size"),
        (lambda: nn.Recurrent(nn.GRUCell(2, 3)), "PyTorch has no Recurrent"),
        (
            lambda: nn.Sequential(nn.Tanh(), nn.CoupledLSTMCell(2, 3)),
            r"no CoupledLSTMCell \(at 1\)",
        ),
        (lambda: 3, "takes a tinygrad_rnn Module or Tensors, not int"),
    ],
)
def test_what_does_not_go_out_is_named(make, words, torch):
    with pytest.raises(TypeError, match=words):
        tg.interop.to_torch(make())


@pytest.mark.peers
def test_losses_cross(torch, rng):
    x, y = rng.normal(size=(4, 3)).astype(np.float32), np.array([0, 2, 1, 1])
    weight = torch.tensor([1.0, 2.0, 3.0])
    theirs = torch.nn.CrossEntropyLoss(weight, ignore_index=1, label_smoothing=0.1)
    ours = tg.interop.from_torch(theirs)
    for loss in (theirs, tg.interop.to_torch(ours)):
        expected = loss(torch.tensor(x), torch.tensor(y)).item()
        assert ours(x, y).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore")
def test_a_parametrized_layer_names_the_cure_and_the_cure_works():
    torch = pytest.importorskip("torch")
    norms = torch.nn.utils.parametrizations

    def lstm():
        return norms.weight_norm(torch.nn.LSTM(2, 3), "weight_hh_l0")

    makers = {
        "weight": lambda: norms.weight_norm(torch.nn.Linear(2, 3)),
        "orthogonal": lambda: norms.orthogonal(torch.nn.Linear(3, 3)),
        "lstm": lstm,
        "hook": lambda: torch.nn.utils.weight_norm(torch.nn.Linear(2, 3)),
        "spectral hook": lambda: torch.nn.utils.spectral_norm(torch.nn.Linear(2, 3)),
    }
    for name, make in makers.items():
        for model, layer in ((make(), None), (None, make())):
            model = torch.nn.Sequential(layer) if model is None else model
            layer = model if layer is None else layer
            with pytest.raises(TypeError, match="is parametrized") as caught:
                tg.interop.from_torch(model)
            cure = str(caught.value).split("fix them first, ")[1]
            exec(cure, {"torch": torch, "layer": layer})
            x = torch.randn(4, 3 if name == "orthogonal" else 2)
            theirs = model(x)
            theirs = theirs[0] if isinstance(theirs, tuple) else theirs
            ours = tg.interop.from_torch(model)(x.numpy())
            ours = ours[0] if isinstance(ours, tuple) else ours
            np.testing.assert_allclose(ours.numpy(), theirs.detach().numpy(), rtol=1e-5, atol=1e-6)
