"""All or none: an error at any call inside a step, a load, a save or a cast leaves nothing half done."""

import os

import numpy as np
import pytest
from failing_calls import FailingCall, StoppedError, bits, everywhere

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.RNNCell(2, 2)
        self.scale = nn.Parameter(0.5)
        self.register_buffer("mean", tg.zeros(2))


def net():
    tg.manual_seed(0)
    model = Net()
    for p in model.parameters():
        p.grad = tg.ones(p.shape)
    return model


def seen(model):
    tensors = [*model.parameters(), *(b for _, b in model.named_buffers())]
    return bits(tensors), bits(p.grad for p in model.parameters())


OPTIMIZERS = {
    "SGD": lambda p: optim.SGD(p, lr=0.1, momentum=0.9),
    "Adam": lambda p: optim.Adam(p, lr=0.1),
    "AdamW": lambda p: optim.AdamW(p, lr=0.1),
    "RMSprop": lambda p: optim.RMSprop(p, lr=0.1, momentum=0.9, centered=True),
}


def memory(optimizer):
    """What an optimizer remembers, in bits."""
    return [
        [(name, np.asarray(v).tobytes()) for name, v in sorted(optimizer.state[p].items())]
        for p in optimizer.state
    ]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_step_of_the_optimizer(name):
    def make():
        model = net()
        optimizer = OPTIMIZERS[name](model.parameters())
        optimizer.step()
        return model, optimizer

    failed, unchanged = everywhere(
        make, lambda it: it[1].step(), lambda it: (seen(it[0]), memory(it[1]))
    )
    assert failed > 50
    assert unchanged > failed // 2


@pytest.mark.parametrize("write", ["step", "load", "cast"])
def test_a_graph_from_before_a_failed_write_is_as_good_as_it_was(write):
    def loss_of(model):
        return (model.cell.weight_hh @ model.cell.weight_ih).sum() * model.scale

    def act(model, optimizer, values):
        if write == "step":
            optimizer.step()
        elif write == "load":
            model.load_state_dict(values)
        else:
            model.double()

    alive = 0
    for k in range(1, 10_000):
        model = net()
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        values = {n: t.numpy() + 1 for n, t in model.state_dict().items()}
        before, loss = bits(model.parameters()), loss_of(model)
        try:
            with FailingCall(k):
                act(model, optimizer, values)
        except StoppedError:
            if bits(model.parameters()) == before:
                model.zero_grad()
                loss.backward()
                alive += 1
        else:
            break
    assert alive > 20


def test_a_step_of_lbfgs_restores_values():
    def make():
        model = net()
        return model, optim.LBFGS(model.parameters(), max_iter=2)

    def act(it):
        model, optimizer = it

        def closure():
            optimizer.zero_grad()
            loss = sum((p * p).sum() for p in model.parameters())
            loss.backward()
            return loss

        optimizer.step(closure)

    failed, _ = everywhere(
        make, act, lambda it: (bits(it[0].parameters()), len(it[1].state)), step=7
    )
    assert failed > 50


def test_loading_a_state_dict_and_an_optimizers_state():
    values = {n: t.numpy() + 1 for n, t in net().state_dict().items()}
    failed, unchanged = everywhere(net, lambda m: m.load_state_dict(values), seen)
    assert failed > 50
    assert unchanged > failed // 2

    def make():
        model = net()
        return optim.Adam(model.parameters(), lr=0.1)

    trained = make()
    trained.step()
    state = trained.state_dict()
    state["param_groups"][0]["lr"] = 0.7

    def look(it):
        return memory(it), it.param_groups[0]["lr"]

    everywhere(make, lambda it: it.load_state_dict(state), look)


def test_casting_and_clipping():
    failed, _ = everywhere(net, lambda m: m.double(), seen)
    assert failed > 50
    everywhere(net, lambda m: nn.utils.clip_grad_norm_(m.parameters(), 0.1), seen)
    everywhere(net, lambda m: nn.utils.clip_grad_value_(m.parameters(), 0.1), seen)


def test_a_save_leaves_the_old_file_or_the_new_one(tmp_path):
    path = tmp_path / "net.safetensors"

    def make():
        for left in tmp_path.iterdir():
            left.unlink()
        model = net()
        model.save(path)
        with tg.no_grad():
            for p in model.parameters():
                p.fill_(3.0)
        return model

    def look(_model):
        assert os.listdir(tmp_path) == [path.name]
        return [t.numpy().tobytes() for t in tg.load(path).values()]

    make().save(path)  # what is imported at the first time
    failed, unchanged = everywhere(make, lambda m: m.save(path), look, step=5)
    assert failed > 50
    assert unchanged > failed // 2


def test_a_load_leaves_the_model_as_it_was(tmp_path):
    path = tmp_path / "net.safetensors"
    model = net()
    with tg.no_grad():
        for p in model.parameters():
            p.fill_(3.0)
    model.save(path)
    net().load(path)
    failed, unchanged = everywhere(net, lambda m: m.load(path), seen, step=3)
    assert failed > 50
    assert unchanged > failed // 2


class FailingFile:
    """A file that takes only so many writes."""

    def __init__(self, real, allowed):
        self.real, self.allowed = real, allowed

    def write(self, piece):
        self.allowed -= 1
        if self.allowed < 0:
            raise OSError("no space left")
        return self.real.write(piece)

    def __getattr__(self, name):
        return getattr(self.real, name)

    def __enter__(self):
        self.real.__enter__()
        return self

    def __exit__(self, *args):
        return self.real.__exit__(*args)


def test_a_full_disk_at_any_write(tmp_path, monkeypatch):
    path, model = tmp_path / "net.safetensors", net()
    model.save(path)
    old, real = path.read_bytes(), type(path).open
    with tg.no_grad():
        for p in model.parameters():
            p.fill_(3.0)
    for allowed in range(100):
        monkeypatch.setattr(
            type(path), "open", lambda p, *a, n=allowed, **k: FailingFile(real(p, *a, **k), n)
        )
        try:
            model.save(path)
        except OSError:
            monkeypatch.undo()
            assert path.read_bytes() == old
            assert os.listdir(tmp_path) == [path.name]
        else:
            break
    monkeypatch.undo()
    assert allowed > 3
    assert tg.load(path)["scale"].item() == 3
