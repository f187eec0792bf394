"""The frame of the experiments: verdicts, arguments, what a shown run writes, the bench."""

import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from test_docs import load

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.commands import cli
from tinygrad_rnn.commands.command import THREADS
from tinygrad_rnn.engine.random import generator_or_default
from tinygrad_rnn.experiments import QUIET, Show, Task, bench, examples, runner
from tinygrad_rnn.experiments.task import Result, figure

ROOT = Path(tg.__file__).parents[1]
LOWER = Task("low", "a setting", "error", reference=1.0, baseline=9.0)
HIGHER = Task("high", "a setting", "accuracy", reference=0.9, better="higher", judged="median")


@pytest.fixture(autouse=True)
def one_process(monkeypatch):
    """So that ``train`` has no need of another."""
    for name in THREADS:
        monkeypatch.setenv(name, "1")


def run(*argv, capsys):
    code = cli.main([str(a) for a in argv])
    out, err = capsys.readouterr()
    assert out.isascii()
    assert "Traceback" not in err
    return code, out, err


# ---- verdicts ---------------------------------------------------------------------------------------


def test_one_figure_against_the_reference():
    assert [LOWER.result(v).passed for v in (0.5, 1.0, 1.1, np.nan)] == [True, True, False, False]
    assert [HIGHER.result(v).passed for v in (0.8, 0.9, 1.0, np.nan)] == [False, True, True, False]
    assert LOWER.result(5.0, reference=6.0, baseline=7.0).passed is True
    free = Task("free", "a setting", "error", reference=1.0, gated=False)
    assert free.result(5.0).passed is None
    assert free.result(5.0).verdict == "not judged"
    assert Task("bare", "a setting", "error").result(0.0).passed is None


def test_every_seed_or_the_median():
    assert LOWER.over_seeds([LOWER.result(v) for v in (0.1, 0.9)]).reached == 0.9
    worst = LOWER.over_seeds([LOWER.result(v) for v in (0.1, 1.2, 0.2)])
    assert (worst.reached, worst.verdict) == (1.2, "miss")
    nan = LOWER.over_seeds([LOWER.result(v) for v in (0.1, np.nan, 0.2)])
    assert nan.verdict == "miss"
    middle = HIGHER.over_seeds([HIGHER.result(v) for v in (0.1, 0.95, 0.92)])
    assert (middle.reached, middle.verdict) == (0.92, "pass")
    assert HIGHER.over_seeds([HIGHER.result(v) for v in (0.1, 0.8, 0.95)]).verdict == "miss"


# ---- one run ----------------------------------------------------------------------------------------


def options(**given):
    parser = argparse.ArgumentParser()
    runner.add_arguments(parser)
    found = parser.parse_args([])
    vars(found).update(given)
    return found


def test_what_is_shortened_is_not_judged():
    def half(seed, quick, iterations, show):
        return LOWER.result(0.5, details={"seed": seed})

    assert runner.timed(half, options(seed=3), QUIET).passed is True
    assert runner.timed(half, options(seed=3), QUIET).seed == 3
    assert runner.timed(half, options(quick=True), QUIET).passed is None
    assert runner.timed(half, options(iterations=2), QUIET).passed is None


def test_showing_changes_nothing(tmp_path):
    model = nn.LSTM(1, 2)
    state = generator_or_default(None).bit_generator.state

    class Spy:
        def picture(self, *a): ...

    show = Show(Spy())
    show.gradient("now", model, model(tg.ones(4, 1, 1))[0].sum())
    assert all(p.grad is None for p in model.parameters())
    assert generator_or_default(None).bit_generator.state == state
    ledger = model(tg.ones(4, 1, 1))[0].sum().backward(ledger=True)
    for name, short in (("weight_ih_l0", "W_ih"), ("weight_hh_l0", "W_hh")):
        np.testing.assert_allclose(
            show._parts[short]["now"], ledger.norms(getattr(model, name)), rtol=1e-6
        )
    QUIET.gradient("now", model, None)
    assert list(QUIET.bar(range(3))) == [0, 1, 2]


def test_every_name_is_listed_with_its_question(capsys):
    code, out, _ = run("train", capsys=capsys)
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == examples.names()
    assert "adding" in examples.names()
    assert "shared_vs_separate" not in examples.names()


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["train", "subtracting"], "there is no experiment 'subtracting'; there are: adding"),
        (["bench", "tasks", "--only", "subtracting"], "there is no experiment 'subtracting'"),
        (["train", "adding", "--quick", "--out", "file"], "that is a file; name a folder"),
    ],
)
def test_a_mistake_is_one_line_and_1(argv, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("")
    code, _, err = run(*argv, capsys=capsys)
    assert code == 1
    assert words in err
    assert len(err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "argv",
    [
        ["train", "adding", "--seed", "-1"],
        ["train", "adding", "--iterations", "0"],
        ["bench"],
        ["bench", "nothing"],
        ["bench", "tasks", "--jobs", "0"],
    ],
)
def test_what_is_not_understood_is_2(argv, capsys):
    assert run(*argv, capsys=capsys)[0] == 2


# ---- the examples, each from an empty folder ---------------------------------------------------------


def child(argv, cwd):
    return subprocess.run(
        [sys.executable, "-W", "error", *argv],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.parametrize("name", examples.names())
def test_a_taste_of_each_writes_its_page(name, tmp_path, monkeypatch, capsys):
    """By the command and as a script: the same figures, and nothing outside the folder."""
    if name == "digits":
        pytest.importorskip("sklearn", reason="scikit-learn is not installed (extra examples)")
    monkeypatch.chdir(tmp_path)
    code, out, err = run("train", name, "--quick", "--json", capsys=capsys)
    assert (code, err) == (0, "")
    assert not list(tmp_path.iterdir())
    found = json.loads(out)
    assert (found["task"], found["passed"], found["seed"]) == (name, None, 0)
    script = child([str(examples.folder() / f"{name}.py"), "--quick", "--out", "here"], tmp_path)
    assert script.returncode == 0, script.stderr
    assert script.stdout.isascii()
    assert [p.name for p in tmp_path.iterdir()] == ["here"]
    pictures = {p.name for p in (tmp_path / "here").iterdir()}
    assert {"index.html", "gates.svg", "gradient.svg", "graph.svg", "losses.svg"} <= pictures
    text = figure(found["reached"])
    assert text in script.stdout
    assert text in (tmp_path / "here" / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", examples.names())
def test_each_says_what_it_is(name):
    module = examples.load(name)
    assert module.TASK.name == name
    first, _, rest = module.__doc__.strip().partition("\n\n")
    assert first.rstrip().endswith("?")
    assert rest
    assert module.__doc__.isascii()


# ---- the bench --------------------------------------------------------------------------------------


def test_the_plan():
    every = bench.plan([], quick=False, seeds=None)
    assert [t.name for t, _ in every] == examples.names()
    assert all(n == t.seeds for t, n in every)
    short = bench.plan([], quick=True, seeds=None)
    assert {t.name for t, _ in short} == {t.name for t, _ in every if t.short}
    assert [(t.name, n) for t, n in bench.plan(["adding"], quick=True, seeds=2)] == [("adding", 2)]


def made(reached, seed=0):
    return Result("adding", "s", "m", reached, 0.01, 1.0, reached <= 0.01, seed, 2.0)


def test_the_bench_judges_and_says_so(monkeypatch, capsys):
    figures = {0: 0.001, 1: 0.002}
    monkeypatch.setattr(bench, "one", lambda name, seed: made(figures[seed], seed))
    argv = ("bench", "tasks", "--only", "adding", "--seeds", "2", "--jobs", "2")
    code, out, _ = run(*argv, capsys=capsys)
    assert code == 0
    line = next(text for text in out.splitlines() if text.startswith("adding"))
    assert line.split() == ["adding", "0.002", "0.01", "1", "2/2", "4", "s", "pass"]
    figures[1] = 0.5
    code, out, err = run(*argv, "--json", capsys=capsys)
    assert code == 1
    assert "1 of 1 tasks did not pass: adding (miss)" in err
    (row,) = json.loads(out)
    assert (row["reached"], row["verdict"], len(row["seeds"])) == (0.5, "miss", 2)


def test_a_run_that_breaks_is_a_failure_with_its_last_words(monkeypatch, capsys):
    def breaks(name, seed):
        raise RuntimeError(f"seed {seed}: ValueError: broken")

    monkeypatch.setattr(bench, "one", breaks)
    code, out, err = run("bench", "tasks", "--only", "adding", "--seeds", "2", capsys=capsys)
    assert code == 1
    assert "seed 0: ValueError: broken" in out
    assert "adding (failed)" in err


def test_a_process_of_its_own_that_breaks():
    with pytest.raises(RuntimeError, match=r"seed 0: .*there is no experiment 'nothing'"):
        bench.one("nothing", 0)


# ---- the page of the docs ---------------------------------------------------------------------------

DOCS = ROOT / "docs"


def test_the_page_shows_every_task_as_it_is_set_now():
    page = (DOCS / "classic_tasks.md").read_text(encoding="utf-8")
    rows = json.loads((ROOT / "benchmarks" / "results" / "tasks.json").read_text())
    assert load("make_tasks").table(rows) in page, "run python docs/make_tasks.py figures"
    assert {"adding", "temporal_order", "reber"} <= {row["task"] for row in rows}
    for row in rows:
        task = examples.load(row["task"]).TASK
        assert (row["setting"], row["measure"]) == (task.setting, task.measure)
        assert len(row["seeds"]) == task.seeds
        assert f"## {task.name.replace('_', ' ')}\n" in page
        assert f"`examples/{task.name}.py`" in page
    shown = set(re.findall(r"\]\((pictures/tasks/\S+)\)", page))
    kept = {
        str(p.relative_to(DOCS).as_posix()) for p in (DOCS / "pictures" / "tasks").rglob("*.svg")
    }
    assert shown == kept
