"""Several ranks train as one process does, or the job ends and says why."""

import importlib.util
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import distributed, nn
from tinygrad_rnn.training import checkpoints

MPIEXEC = Path(sysconfig.get_path("scripts")) / "mpiexec"
HERE = Path(__file__).parent
needs_mpi = pytest.mark.skipif(
    not importlib.util.find_spec("mpi4py") or not MPIEXEC.is_file(),
    reason="mpi4py is not installed (extra mpi)",
)


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def environment(**more):
    keep = {k: v for k, v in os.environ.items() if not k.startswith(("PMI", "OMPI"))}
    threads = {"OPENBLAS_NUM_THREADS": "1", "TINYGRAD_RNN_BACKEND": "numpy"}
    return {**keep, **threads, "PYTHONPATH": str(HERE.parent), **more}


def ranks(count, *argv, timeout=100, cwd=None, **more):
    """Run Python under mpiexec; a job that hangs is ended, and fails the test."""
    command = [str(MPIEXEC), "-n", str(count), sys.executable, *map(str, argv)]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(**more),
        cwd=cwd,
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        out, err = process.communicate()
        pytest.fail(f"the job hung\n{out}\n{err}")
    return process.returncode, out, err


def at_work(count, scenario, folder, **more):
    return ranks(count, HERE / "ranks_at_work.py", scenario, folder, **more)


@pytest.fixture(scope="module")
def work():
    pytest.importorskip("mpi4py", reason="mpi4py is not installed (extra mpi)")
    return load(HERE / "ranks_at_work.py")


@needs_mpi
@pytest.mark.parametrize("count", [2, 4])
def test_the_gradient_of_all_ranks_is_that_of_one_process(count, work, tmp_path):
    code, _, err = at_work(count, "gradient", tmp_path)
    assert code == 0, err
    found = np.load(tmp_path / "gradient.npz")
    expected = {}
    for dtype in ("float64", "float32", "float16"):
        for rows in (8, 7, 3, 1):
            tg.manual_seed(0)
            model = work.Net(dtype)
            x, y = map(tg.tensor, work.columns(rows, dtype))
            loss = nn.functional.mse_loss(model(x), y)
            loss.backward()
            expected[f"{dtype} {rows} loss"] = loss.numpy()
            grads = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
            assert "never.weight" not in grads
            expected |= {f"{dtype} {rows} {n}": g.numpy() for n, g in grads.items()}
    for batch in tg.DataLoader(work.ragged(9), batch_size=9, batch_first=True):
        tg.manual_seed(5)
        model = work.Net()
        loss, _ = work.masked_loss(model, *batch)
        loss.backward()
        expected["ragged loss"] = loss.numpy()
        grads = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
        expected |= {f"ragged {n}": g.numpy() for n, g in grads.items()}
    assert set(found.files) == set(expected)
    bound = {"float64": 1e-12, "float32": 1e-6, "float16": 3e-3}
    for name, value in expected.items():
        error = np.linalg.norm(np.float64(found[name]) - value) / np.linalg.norm(np.float64(value))
        assert error <= bound.get(name.split()[0], 1e-12), (name, error)


@needs_mpi
@pytest.mark.parametrize("count", [2, 4])
def test_fit_on_ranks_is_fit(count, work, tmp_path):
    code, out, err = at_work(count, "fit", tmp_path, BAR="1")
    assert (code, out) == (0, ""), err
    assert err.count("batch/s") == err.count("| 20/20") or "20/20" in err  # one bar, of rank 0
    assert "epoch 4/4" in err
    found = np.load(tmp_path / "fit.npz")
    (tmp_path / "alone").mkdir()
    model, history = work.train(distributed.Alone(), tmp_path / "alone")
    losses = [history.loss, history.validation, [history.baseline] * 4]
    assert found["losses"] == pytest.approx(np.array(losses), rel=1e-9)
    for name, value in model.state_dict().items():
        assert found[name] == pytest.approx(value.numpy(), rel=1e-7, abs=1e-10), name


@needs_mpi
def test_a_resumed_job_reaches_the_same_bits(tmp_path):
    code, _, err = at_work(2, "interrupted", tmp_path)
    assert code == 0, err


@needs_mpi
@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("raise", "ValueError: invalid literal for int() with base 10: 'a bad day'"),
        ("exit", "has ended, and rank"),
        ("vanish", ""),  # mpiexec ends the job with its exit code, without a word
        ("kill", "BAD TERMINATION"),
    ],
)
def test_a_rank_that_dies_ends_the_job_and_leaves_the_checkpoint(how, words, work, tmp_path):
    code, out, err = at_work(2, how, tmp_path)
    assert code != 0
    assert words in out + err
    if how == "raise":
        assert "rank 1 of 2 failed (ValueError): the job ends" in err
    state = checkpoints.read(tmp_path / "run.checkpoint")
    assert [row["epoch"] for row in state["rows"]][:2] == [1, 2]
    _, history = work.train(distributed.Alone(), tmp_path, resume=True)  # one goes on alone
    assert len(history.rows) == 4


@needs_mpi
@pytest.mark.parametrize(
    ("scenario", "words"),
    [
        ("apart", "the ranks have come apart: head.bias is not the same on all"),
        ("uneven", "rank 1 has ended, and rank 0 waits for it"),
        ("out_of_step", "all must call sum_gradients equally often"),
    ],
)
def test_ranks_that_do_not_do_the_same_are_told(scenario, words, tmp_path):
    code, _, err = at_work(2, scenario, tmp_path)
    assert code != 0
    assert words in err


@needs_mpi
def test_a_loss_that_is_no_mean_over_targets_is_refused(tmp_path):
    code, out, err = at_work(2, "classes", tmp_path)
    assert (code, out) == (0, "all four\n"), err


@needs_mpi
def test_alone_without_mpiexec():
    code = """
import tinygrad_rnn as tg
world = tg.distributed.World()
model = tg.nn.Linear(2, 1)
world.broadcast(model)
loader = tg.DataLoader((tg.ones(2, 2).numpy(), tg.zeros(2, 1).numpy()), batch_size=2)
for x, y in world.shard(loader):
    loss = (model(x) - y).square().mean()
    loss.backward()
    assert world.sum_gradients(model.parameters(), loss) == loss.item()
world.check(model)
print(world, world.share(1), world.gather(2), world.weigh(3))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment(), timeout=60
    )
    assert done.stdout.strip() == "World(rank 0 of 1) 1 [2] 3", done.stderr


@needs_mpi
def test_an_mpiexec_of_another_mpi_is_refused():
    done = subprocess.run(
        [sys.executable, "-c", "import tinygrad_rnn as tg; tg.distributed.World()"],
        capture_output=True,
        text=True,
        env=environment(OMPI_COMM_WORLD_SIZE="4"),
        timeout=60,
    )
    assert "RuntimeError: mpiexec started 4 processes, and each sees itself alone" in done.stderr
    assert "use the one beside this Python" in done.stderr


@needs_mpi
def test_only_a_loader_can_be_shared_out():
    code = "import tinygrad_rnn as tg; tg.distributed.World().shard([(1, 2)])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment(), timeout=60
    )
    assert "TypeError: shard: only a tg.DataLoader can be shared out" in done.stderr


@needs_mpi
def test_the_example_on_two_ranks(tmp_path):
    code, out, err = ranks(
        2, HERE.parent / "examples" / "data_parallel.py", "--epochs", 1, cwd=tmp_path
    )
    assert code == 0, err
    assert "ranks: 2, 4641 numbers in a gradient" in out
    assert float(out.split("one process: ")[1].split()[0]) < 1e-6
    assert (tmp_path / "data_parallel.checkpoint").is_file()


def test_without_mpi4py_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    distributed._job.cache_clear()
    with pytest.raises(ImportError, match=r"pip install 'tinygrad_rnn\[mpi\]'"):
        distributed.World()


def test_weights_by_rows_and_of_a_stand_in():
    world = distributed.World.__new__(distributed.World)
    world._rows = None
    assert (world.weigh(), world.weigh(7)) == (1, 7)
    world._rows = 3
    assert (world.weigh(), world.weigh(7)) == (3, 7)
    world._rows = 0
    assert (world.weigh(), world.weigh(7)) == (0, 0)
