"""PyTorch scripts with other imports: the same losses, step by step, from the same initial weights.

The scripts in ``scripts/`` are PyTorch's, unchanged; here they run with the import lines of this package.
``golden/scripts.json`` holds what PyTorch makes of them (``golden/make_scripts.py``).
"""

import json
import re
from operator import attrgetter
from pathlib import Path

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.scan import backends

HERE = Path(__file__).parent
SCRIPTS = sorted((HERE / "scripts").glob("*.py"))
STORED = json.loads((HERE / "golden" / "scripts.json").read_text(encoding="utf-8"))


def with_our_imports(source):
    """The script with its import lines changed, and nothing else."""
    source = re.sub(r"^import torch$", "import tinygrad_rnn as torch", source, flags=re.M)
    return re.sub(r"^(import|from) torch\b", r"\1 tinygrad_rnn", source, flags=re.M)


def losses_of(source, name):
    scope = {"__name__": name}
    exec(compile(source, name, "exec"), scope)
    return scope["losses"]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with backends.using("numpy"):
        yield


@pytest.mark.parametrize("script", SCRIPTS, ids=[s.stem for s in SCRIPTS])
def test_the_script_has_pytorchs_losses(script):
    source = script.read_text(encoding="utf-8")
    ours = losses_of(with_our_imports(source), script.stem)
    stored = STORED[script.stem]
    assert len(ours) == len(stored) >= 15
    np.testing.assert_allclose(ours, stored, rtol=2e-4, atol=1e-6)
    assert len(set(ours)) > 10


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("script", SCRIPTS, ids=[s.stem for s in SCRIPTS])
def test_beside_the_real_pytorch(script):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    torch.set_num_threads(1)
    source = script.read_text(encoding="utf-8")
    theirs = losses_of(source, script.stem)
    np.testing.assert_allclose(theirs, STORED[script.stem], rtol=2e-4, atol=1e-6)
    np.testing.assert_allclose(
        losses_of(with_our_imports(source), script.stem), theirs, rtol=2e-4, atol=1e-6
    )


def test_only_import_lines_change():
    assert len(SCRIPTS) >= 6
    assert set(STORED) == {script.stem for script in SCRIPTS}
    for script in SCRIPTS:
        before = script.read_text(encoding="utf-8").splitlines()
        after = with_our_imports("\n".join(before)).splitlines()
        changed = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
        assert changed
        assert all(re.match(r"(import|from) ", a) for a, _ in changed)
        assert "torch" not in "".join(b.replace("as torch", "") for _, b in changed)


# ---- a GPU is refused in words -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "use",
    [
        lambda: tg.ones(2).cuda(),
        lambda: tg.ones(2).to("cuda"),
        lambda: tg.ones(2).to("cuda:0", tg.float32),
        lambda: tg.ones(2).to(device="mps"),
        lambda: tg.nn.Linear(1, 1).cuda(),
        lambda: tg.nn.Linear(1, 1).to("cuda"),
        lambda: tg.nn.Linear(1, 1).to(device="cuda"),
        lambda: tg.device("cuda"),
        lambda: tg.device("cuda", 0),
        lambda: tg.zeros(2, device="cuda"),
        lambda: tg.randn(2, device="cuda:1"),
        lambda: tg.tensor([1.0], device="cuda"),
        lambda: tg.arange(3, device="cuda"),
    ],
)
def test_a_gpu_is_a_clear_error(use):
    with pytest.raises(RuntimeError, match="computes on the CPU alone; leave the device out"):
        use()


def test_the_cpu_is_where_everything_lives():
    assert not tg.cuda.is_available()
    assert tg.cuda.device_count() == 0
    tg.cuda.manual_seed_all(0)
    cpu = tg.device("cuda" if tg.cuda.is_available() else "cpu")
    assert (str(cpu), cpu.type, cpu == "cpu", cpu == tg.device("cpu"), cpu == 3) == (
        "cpu",
        "cpu",
        True,
        True,
        False,
    )
    assert hash(cpu) == hash(tg.device())
    x = tg.ones(2, device=cpu)
    assert x.to(cpu) is x.cpu() is x.to("cpu") is x
    assert x.to(cpu, tg.float64).dtype == x.to(device=cpu, dtype=tg.float64).dtype == tg.float64
    assert x.to(cpu, non_blocking=True) is x
    assert x.device == cpu
    assert not x.is_cuda
    layer = tg.nn.Linear(1, 1)
    assert layer.to(cpu) is layer.to(device="cpu") is layer.cpu() is layer
    with pytest.raises(TypeError, match="no argument color"):
        x.to(color=1)


# ---- names of PyTorch's --------------------------------------------------------------------------------


def test_data_reads_and_writes_outside_the_graph():
    w = tg.tensor([1.0, 2.0], requires_grad=True)
    loss = (w * w).sum()
    assert not w.data.requires_grad
    w.data.mul_(3).add_(1, alpha=2)
    assert w.tolist() == [5, 8]
    w.data -= 1
    assert w.tolist() == [4, 7]
    w.data = [[0.0], [1.0]][1] * 2
    assert w.tolist() == [1, 1]
    w.data[0]  # a value like any other
    with pytest.raises(ValueError, match=r"data has shape \(3,\)"):
        w.data = tg.ones(3)
    with pytest.raises(tg.StaleGraphError, match="data"):
        loss.backward()
    y = w * 2
    assert y.data.tolist() == [2, 2]
    assert w.requires_grad


def test_in_place_methods_write_leaves_under_no_grad():
    w = tg.ones(3, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"do it under tg.no_grad\(\)"):
        w.add_(1)
    with tg.no_grad():
        w.add_(tg.ones(3), alpha=3).sub_(1).mul_(2).div_(3).clamp_(max=1.5)
    assert w.tolist() == [1.5] * 3
    with tg.no_grad():
        assert ((w.uniform_(2, 3) >= 2) & (w < 3)).all()
        assert w.normal_(100.0, 1e-3).mean().item() == pytest.approx(100, abs=0.1)


def test_sorting_and_the_largest_have_gradients(rng):
    x = tg.tensor(rng.permutation(12).reshape(3, 4).astype(float), requires_grad=True)
    values, where = x.sort(1, descending=True)
    np.testing.assert_array_equal(values.detach(), -np.sort(-x.numpy(), 1))
    np.testing.assert_array_equal(x.gather(1, where).detach(), values.detach())
    top = x.topk(2, dim=0, largest=False)
    np.testing.assert_array_equal(top.values.detach(), np.sort(x.numpy(), 0)[:2])
    (top.values * tg.tensor([[1.0], [2.0]])).sum().backward()
    assert sorted(x.grad.numpy().ravel()) == [0] * 4 + [1] * 4 + [2] * 4
    ties = tg.tensor([2.0, 1.0, 2.0, tg.nan])
    assert ties.argsort().tolist() == [1, 0, 2, 3]
    assert ties.argsort(descending=True).tolist() == [3, 0, 2, 1]
    assert tg.tensor(3.0).sort().values.item() == 3
    assert tg.tensor(3.0).topk(1).values.item() == 3
    with pytest.raises(ValueError, match="k=5 of 4 values"):
        x.topk(5)


def test_remainders_and_whole_numbers():
    for a, b in [(7, 3), (-7, 3), (7.5, -2.0), (-7.5, 2.0)]:
        x = tg.tensor([a])
        assert (x % b).item() == np.mod(a, b)
        assert (x // b).item() == np.floor_divide(a, b)
        assert (x % tg.tensor([b])).dtype == x.dtype
    x, y = tg.tensor(7.5, requires_grad=True), tg.tensor(2.0, requires_grad=True)
    (x % y).backward()
    assert (x.grad.item(), y.grad.item()) == (1, -3)
    assert tg.tensor([-1.5, 2.5]).floor().tolist() == [-2, 2]
    assert tg.tensor([-1.5, 2.5]).ceil().tolist() == [-1, 3]
    assert tg.tensor([-1.5, 2.5]).round().tolist() == [-2, 2]
    assert (tg.arange(5) % 2).tolist() == [0, 1, 0, 1, 0]


def test_choosing_and_comparing():
    x = tg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    x.masked_fill(x > 2, -1.0).sum().backward()
    assert x.grad.tolist() == [[1, 1], [0, 0]]
    assert x.index_select(1, tg.tensor([1, 1])).tolist() == [[2, 2], [4, 4]]
    assert x.eq(x).all()
    assert x.ne(2).sum().item() == 3
    assert (x.lt(2).sum() + x.le(2).sum() + x.gt(2).sum() + x.ge(2).sum()).item() == 1 + 2 + 2 + 3
    assert x.equal(x)
    assert not x.equal(x[0])
    assert x.allclose(x + 1e-7)
    assert tg.tensor([1.0, -tg.inf]).isinf().tolist() == [False, True]
    assert x.new_zeros(2, 3).shape == x.new_ones((2, 3)).shape == x.new_empty(2, 3).shape == (2, 3)
    assert x.new_full((2,), 7).tolist() == x.new_tensor([7, 7]).tolist() == [7, 7]
    assert x.view_as(tg.ones(4)).shape == x.reshape_as(tg.ones(4)).shape == (4,)
    assert tg.ones(2).expand_as(x).shape == (2, 2)


def test_drawing():
    counts = tg.multinomial(tg.tensor([[0.0, 1.0, 3.0], [1.0, 0.0, 0.0]]), 4000, replacement=True)
    assert counts.shape == (2, 4000)
    assert (counts[0] == 2).float().mean().item() == pytest.approx(0.75, abs=0.03)
    assert not counts[1].any()
    assert tg.multinomial(tg.tensor([1.0, 0.0, 2.0]), 2).sort().values.tolist() == [0, 2]
    for weights, words in [
        ([-1.0, 2.0], "not negative"),
        ([0.0, 0.0], "not all 0"),
        ([1.0, 0.0], "2 samples of 1"),
    ]:
        with pytest.raises(ValueError, match=words):
            tg.multinomial(tg.tensor(weights), 2)
    with pytest.raises(ValueError, match="takes"):
        tg.multinomial(tg.ones(1, 1, 1), 1)
    drawn = tg.randint(5, (1000,))
    assert set(drawn.tolist()) == set(range(5))
    assert drawn.dtype == tg.int64
    assert tg.randperm(100).sort().values.equal(tg.arange(100))
    assert tg.normal(tg.tensor([0.0, 100.0]), 1.0)[1].item() > 50
    assert tg.randn_like(tg.ones(2, dtype=tg.float64)).dtype == tg.float64
    assert tg.rand_like(tg.ones(3, 2)).shape == tg.empty_like(tg.ones(3, 2)).shape == (3, 2)
    a = [tg.manual_seed(3), tg.randint(0, 99, (4,)), tg.randperm(9), tg.multinomial(tg.ones(9), 3)]
    b = [tg.manual_seed(3), tg.randint(0, 99, (4,)), tg.randperm(9), tg.multinomial(tg.ones(9), 3)]
    assert [t.tolist() for t in a[1:]] == [t.tolist() for t in b[1:]]


def test_products_that_take_one_number_of_axes():
    with pytest.raises(ValueError, match=r"mm takes two matrices, not shapes \(2,\) and \(2, 2\)"):
        tg.mm(tg.ones(2), tg.ones(2, 2))
    with pytest.raises(ValueError, match="bmm takes"):
        tg.bmm(tg.ones(2, 2), tg.ones(2, 2))


def test_grad_modes():
    x = tg.ones(1, requires_grad=True)
    tg.set_grad_enabled(False)
    assert not (x * 2).requires_grad
    tg.set_grad_enabled(True)
    with tg.set_grad_enabled(False):
        assert not (x * 2).requires_grad
    assert (x * 2).requires_grad
    with tg.inference_mode():
        assert not (x * 2).requires_grad


# ---- packed sequences ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("first", [False, True])
def test_packed_sequences_are_lengths(kind, first, rng):
    rnn = tg.nn.utils.rnn
    layer = getattr(tg.nn, kind)(3, 4, bidirectional=True, batch_first=first)
    x = tg.tensor(rng.normal(size=(2, 6, 3) if first else (6, 2, 3)).astype(np.float32))
    lengths = tg.tensor([2, 5])
    packed = rnn.pack_padded_sequence(x, lengths, batch_first=first, enforce_sorted=False)
    assert repr(packed) == "PackedSequence(padded (5, 2, 3), lengths [2, 5])"
    y, last = layer(packed)
    padded, sizes = rnn.pad_packed_sequence(y, batch_first=first, total_length=6)
    expected, final = layer(x, lengths=lengths)
    assert sizes.tolist() == [2, 5]
    np.testing.assert_array_equal(padded.detach(), expected.detach())
    for a, b in zip(
        last if kind == "LSTM" else [last], final if kind == "LSTM" else [final], strict=True
    ):
        np.testing.assert_array_equal(a.detach(), b.detach())


def test_packing_refuses_what_does_not_fit():
    rnn = tg.nn.utils.rnn
    x = tg.ones(3, 2, 1)
    for lengths, words in [
        ([1, 3], "do not descend"),
        ([4, 1], "must be 1 to 3"),
        ([3, 0], "1 to 3"),
        ([3], "2 integers"),
    ]:
        with pytest.raises(ValueError, match=words):
            rnn.pack_padded_sequence(x, lengths)
    with pytest.raises(ValueError, match="total_length 2 is less"):
        rnn.pad_packed_sequence(rnn.pack_padded_sequence(x, [3, 1]), total_length=2)
    assert rnn.pack_sequence([tg.ones(3, 2), tg.ones(1, 2)]).lengths.tolist() == [3, 1]


# ---- data sets -----------------------------------------------------------------------------------------


def test_data_sets_and_loaders(rng):
    from tinygrad_rnn.utils.data import DataLoader, Dataset, Subset, TensorDataset, random_split

    x, y = tg.tensor(rng.normal(size=(10, 3))), tg.arange(10)
    loader = DataLoader(TensorDataset(x, y), batch_size=4, num_workers=2, pin_memory=True)
    assert len(loader) == 3
    assert [(a.shape, b.tolist()) for a, b in loader] == [
        ((4, 3), [0, 1, 2, 3]),
        ((4, 3), [4, 5, 6, 7]),
        ((2, 3), [8, 9]),
    ]
    assert [len(batch) for batch in DataLoader(TensorDataset(x), 5)] == [1, 1]
    order = [
        b.tolist() for _, b in DataLoader(TensorDataset(x, y), 4, shuffle=True, drop_last=True)
    ]
    assert [len(part) for part in order] == [4, 4]
    assert [n for part in order for n in part] != list(range(8))

    class Words(Dataset):
        def __len__(self):
            return 3

        def __getitem__(self, i):
            return {"text": "abc"[: i + 1], "codes": np.arange(i + 1), "n": i}

    with pytest.raises(ValueError, match="give a collate_fn that pads them"):
        next(iter(DataLoader(Words(), 2)))
    pad = tg.nn.utils.rnn.pad_sequence
    (batch,) = DataLoader(Words(), 3, collate_fn=lambda rows: pad([r["codes"] for r in rows]))
    assert batch.shape == (3, 3)
    (one, *_) = DataLoader(Words(), 1)
    assert (one["text"], one["n"].tolist()) == (["a"], [0])
    parts = random_split(TensorDataset(x, y), [7, 3])
    assert sorted(int(part[i][1]) for part in parts for i in range(len(part))) == list(range(10))
    assert [len(p) for p in random_split(range(10), [0.5, 0.25, 0.25])] == [6, 2, 2]
    assert isinstance(parts[0], Subset)
    for lengths, words in [([7, 4], "do not sum to 10"), ([0.5, 0.2], "do not sum to 1")]:
        with pytest.raises(ValueError, match=words):
            random_split(range(10), lengths)
    with pytest.raises(ValueError, match=r"have \[10, 3\] rows"):
        TensorDataset(x, tg.ones(3))
    with pytest.raises(NotImplementedError, match="Dataset has no __getitem__"):
        Dataset()[0]


# ---- the docs ------------------------------------------------------------------------------------------

ROOMS = {
    "torch.*, making": tg,
    "torch.*, computing": tg,
    "torch.*, shapes": tg,
    "torch.*, the rest": tg,
    "torch.nn": tg.nn,
    "torch.nn.utils": tg.nn.utils,
    "torch.nn.init": tg.nn.init,
    "torch.optim": tg.optim,
    "torch.utils.data": tg.utils.data,
    "torch.autograd": tg.autograd,
    "torch.distributions": tg.distributions,
}


def covered():
    """The names that the guide says are covered, room by room."""
    page = (HERE.parent / "docs" / "guides" / "from_pytorch.md").read_text(encoding="utf-8")
    table = page.split("## What is covered")[1].split("## What differs")[0]
    for line in table.splitlines():
        if line.startswith("| `"):
            _, room, names, _ = line.split("|")
            yield room.strip().replace("`", ""), re.findall(r"`([^`]+)`", names)


def test_every_name_that_the_guide_lists_is_there():
    rooms = dict(covered())
    for room, owner in ROOMS.items():
        for name in rooms[room][0].split():
            assert attrgetter(name)(owner) is not None, f"{room}: {name}"
    for name in rooms["torch.*, making"][1].split():
        assert hasattr(tg, name), name
    for name in rooms["Tensor"][0].split():
        assert hasattr(tg.Tensor, name), name
    for name in rooms["torch.nn.utils"][2].split():
        assert hasattr(tg.nn.utils.rnn, name), name
    for name in rooms["torch.optim"][2].split():
        assert hasattr(tg.optim.lr_scheduler, name), name
    assert set(rooms) == set(ROOMS) | {"Tensor"}


@pytest.mark.peers
def test_every_name_that_the_guide_lists_is_pytorchs():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    rooms = dict(covered())
    theirs = {room: torch for room in ROOMS if "*" in room}
    theirs |= {
        "torch.nn": torch.nn,
        "torch.nn.utils": torch.nn.utils,
        "torch.nn.init": torch.nn.init,
    }
    theirs |= {
        "torch.optim": torch.optim,
        "torch.utils.data": torch.utils.data,
        "torch.autograd": torch.autograd,
        "torch.distributions": torch.distributions,
        "Tensor": torch.Tensor,
    }
    for room, owner in theirs.items():
        for name in rooms[room][0].split():
            assert attrgetter(name)(owner) is not None, f"{room}: {name}"
