"""Every test starts from the same seed and leaves the default dtype as it found it."""

import os
import sys
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.scan import running

# What the tests ask of machine code they ask of the first call; test_first_calls.py asks who runs it.
if find_spec("numba") and find_spec("scipy"):
    os.environ.setdefault("TINYGRAD_RNN_BACKEND", "numba")

# Where one of several cases a day is tried (support.of_the_day): the day, the same for all workers.
os.environ.setdefault("TINYGRAD_RNN_DAY", str(datetime.now(UTC).toordinal()))

sys.path.append(str(Path(__file__).parent.parent / "docs"))  # its scripts are tested too
# Made for PyTorch, Keras and the like (test_scripts.py runs those in scripts, people the others), and
# what type checkers alone read.
collect_ignore_glob = ["golden/make_*.py", "scripts/*", "typed_calls.py"]


@pytest.fixture(autouse=True)
def _same_start():
    tg.manual_seed(0)
    yield
    tg.set_default_dtype(tg.float32)
    assert tg.is_grad_enabled()


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def nothing_asked(monkeypatch):
    """From when it is called: no layer's call goes the long way."""
    refuse = Mock(side_effect=AssertionError("asked again"))
    return lambda: monkeypatch.setattr(running, "run", refuse)


# In CI a skipped test is a failure unless its reason is listed here.
SKIPS_ALLOWED_IN_CI = (
    "no system Graphviz here",
    "needs node on the PATH",
    "import-linter is not installed (extra dev)",
    "numba is not installed (extra fast)",
    "scikit-learn is not installed (extra examples)",
    "onnx and onnxruntime are not installed (extra onnx)",
    "mpi4py is not installed (extra mpi)",
    "nbclient is not installed (extra docs)",
    "onnx is not installed (extra onnx)",
    "@viz-js/viz is not installed (npm install @viz-js/viz",
)


def _unlisted_skips(config):
    reports = config.pluginmanager.get_plugin("terminalreporter").stats.get("skipped", [])
    reasons = [report.longrepr[2] for report in reports]
    return [why for why in reasons if not any(listed in why for listed in SKIPS_ALLOWED_IN_CI)]


def pytest_sessionfinish(session, exitstatus):
    if os.environ.get("CI") and exitstatus == 0 and _unlisted_skips(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter, config):
    if os.environ.get("CI"):
        for why in _unlisted_skips(config):
            terminalreporter.line(f"skipped in CI for a reason that is not listed: {why}", red=True)
        day = os.environ["TINYGRAD_RNN_DAY"]
        terminalreporter.line(f"cases that take turns: TINYGRAD_RNN_DAY={day} takes these again")
