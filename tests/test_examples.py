"""The examples run by themselves from an empty folder, and do what the package's own code does."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.data import sunspots
from tinygrad_rnn.experiments.demo import forecaster

ROOT = Path(tg.__file__).parents[1]
EXAMPLES = ROOT / "examples"

pytestmark = pytest.mark.skipif(not EXAMPLES.is_dir(), reason="examples are in the repository only")


def run(name, *argv, cwd):
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / name), *argv],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii()
    return done.stdout


def load(path):
    spec = importlib.util.spec_from_file_location(f"loaded_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_examples_stay_readable():
    for path in EXAMPLES.glob("*.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 120, path.name


def test_shared_vs_separate(tmp_path):
    text = run("shared_vs_separate.py", cwd=tmp_path)
    for t in (1, 2, 3):
        assert f"w{t}: used at t = {t}\n" in text
    assert "3 steps: 252 numbers" in text
    assert "there are none to use at t = 4" in text
    for steps in (3, 4, 300):
        assert f"{steps} steps: 84 numbers, each of them used {steps} times" in text
    assert sorted(p.name for p in tmp_path.iterdir()) == ["separate.svg", "shared.svg"]


def test_data_parallel_alone(tmp_path):
    pytest.importorskip("mpi4py", reason="mpi4py is not installed (extra mpi)")
    text = run("data_parallel.py", "--epochs", "2", cwd=tmp_path)
    assert "ranks: 1, 4641 numbers in a gradient" in text
    assert "gradient of 1 ranks against one process: 0e+00 apart" in text
    assert "History(3 epochs" in run("data_parallel.py", "--epochs", "3", "--resume", cwd=tmp_path)


def test_the_example_trains_exactly_what_the_demo_trains():
    values = sunspots().between(1700, 1760).values
    x = tg.tensor(values / values.max()).reshape(-1, 1, 1)
    mine = load(EXAMPLES / "sunspots.py").train(x, seed=3, iterations=4)[0].state_dict()
    ours = forecaster.train(values, 3, steps=4).model.state_dict()
    assert mine.keys() == ours.keys()
    assert all(np.array_equal(mine[k].numpy(), ours[k].numpy()) for k in ours)
