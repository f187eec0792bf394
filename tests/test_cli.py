"""The command line as users meet it: help, exit codes, one plain line for a mistake."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.commands import benching, cli
from tinygrad_rnn.commands import command as shared
from tinygrad_rnn.drawing import output as render

SCRIPT = """
import tinygrad_rnn as tg
from tinygrad_rnn import nn
from beside import SIZE
lstm = nn.LSTM(SIZE, 3)
y, _ = lstm(tg.zeros(3, 1, SIZE))
graph = tg.graph(y)
number = 7
def loss():
    return y.sum()
def bad():
    return 1 / 0
if __name__ == "__main__":
    raise SystemExit("the script's own main must not run")
"""


@pytest.fixture
def script(tmp_path, monkeypatch):
    """A script with a module beside it, in a folder with a space, which is not the current one."""
    folder = tmp_path / "my models"
    folder.mkdir()
    (folder / "beside.py").write_text("SIZE = 2\n")
    path = folder / "model.py"
    path.write_text(SCRIPT)
    monkeypatch.chdir(tmp_path)
    yield path
    sys.modules.pop("beside", None)


def run(*argv, capsys, traceback=False):
    code = cli.main([str(a) for a in argv])
    out, err = capsys.readouterr()
    assert out.isascii()
    assert err.isascii()
    assert ("Traceback" in err) is traceback
    return code, out, err


def test_help_names_every_command_and_an_example(capsys):
    code, out, _ = run("--help", capsys=capsys)
    assert code == 0
    for command in cli.COMMANDS:
        assert command.name in out
        assert command.help in " ".join(out.split())
        assert run(command.name, "--help", capsys=capsys)[0] == 0


def test_version(capsys):
    assert run("--version", capsys=capsys)[1].split() == ["tinygrad-rnn", tg.__version__]


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["paint"],
        ["draw"],
        ["draw", "--layer", "transformer"],
        ["draw", "--layer", "lstm", "--steps", "none"],
        ["draw", "--layer", "lstm", "--hidden", "0"],
        ["draw", "--layer", "lstm", "--level", "atom"],
        ["demo", "--steps", "0"],
        ["demo", "--seed", "-1"],
        ["info", "--yaml"],
        ["bench"],
        ["bench", "pages"],
        ["bench", "layers", "--repeats", "0"],
    ],
)
def test_what_is_not_understood_is_2(argv, capsys):
    code, _, err = run(*argv, capsys=capsys)
    assert code == 2
    assert "usage:" in err


def test_info_as_text_and_as_json(capsys):
    assert "draws with" in run("info", capsys=capsys)[1]
    facts = json.loads(run("info", "--json", capsys=capsys)[1])
    assert facts["tinygrad_rnn"] == tg.__version__
    assert {"numpy", "numba", "compiled layers"} <= set(facts)


def test_info_where_nothing_draws(monkeypatch, capsys):
    def none(engine=None):
        raise render.DrawingError("no Graphviz")

    monkeypatch.setattr(render, "backend", none)
    assert "not installed" in run("info", capsys=capsys)[1]
    assert json.loads(run("info", "--json", capsys=capsys)[1])["draws with"] is None


@pytest.mark.parametrize("layer", ["rnn", "lstm"])
def test_draw_a_layer(layer, tmp_path, capsys):
    path = tmp_path / "layer.dot"
    code, out, _ = run("draw", "--layer", layer, "--steps", 5, "-o", path, capsys=capsys)
    assert (code, out.strip()) == (0, str(path))
    assert "5 uses" in path.read_text(encoding="utf-8")


def test_draw_names_the_file_itself(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run("draw", "--layer", "rnn", capsys=capsys)[0] == 0
    assert "<svg" in Path("rnn.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["y", "graph", "loss", "lstm"])
def test_draw_from_a_script(name, script, capsys):
    code, _, err = run("draw", f"{script}:{name}", "-o", "out.dot", capsys=capsys)
    assert (code, err) == (0, "")
    uses = "4 uses" if name == "lstm" else "3 uses"
    assert uses in Path("out.dot").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("source", "more", "words"),
    [
        ("model.py", [], "expected SCRIPT.py:NAME"),
        ("nowhere.py:loss", [], "there is no script 'nowhere.py'"),
        ("{}:losss", [], "has no 'losss'; it has: tg, nn, SIZE, lstm"),
        ("{}:number", [], "not int"),
        ("{}:y", ["--steps", "4"], "y is no layer"),
        ("{}:y", ["-o", "y.jpeg"], "the ending says the format"),
        ("{}:y", ["-o", "no/folder/y.dot"], "folder"),
    ],
)
def test_a_mistake_is_one_line_and_1(source, more, words, script, capsys):
    code, _, err = run("draw", source.format(script), *more, capsys=capsys)
    assert code == 1
    assert words in err.replace("\\\\", "\\")
    assert len(err.strip().splitlines()) == 1


def test_a_script_that_does_not_parse(tmp_path, capsys):
    path = tmp_path / "broken.py"
    path.write_text("x = (\n")
    code, _, err = run("draw", f"{path}:x", capsys=capsys)
    assert code == 1
    assert "broken.py failed in line 1: SyntaxError" in err
    assert "    x = (\n        ^" in err


def test_a_scripts_own_error_shows_its_own_part_of_the_traceback(script, capsys):
    code, _, err = run("draw", f"{script}:bad", capsys=capsys, traceback=True)
    assert code == 1
    assert "line 12, in bad\n    return 1 / 0" in err
    assert "failed in line 12: ZeroDivisionError: division by zero" in err.splitlines()[-1]
    assert "runpy" not in err
    assert "tinygrad_rnn" not in err.replace(str(script), "")


def test_draw_says_as_json_what_it_drew(tmp_path, capsys):
    path = tmp_path / "layer.dot"
    code, out, _ = run(
        "draw", "--layer", "lstm", "--steps", 300, "-o", path, "--json", capsys=capsys
    )
    facts = json.loads(out)
    assert (code, facts["file"], facts["steps"]) == (0, str(path), 300)
    assert facts["parameters"]["lstm.weight_hh_l0"] == {"shape": [12, 3], "uses": 300}


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(benching, "SIZES", ((3, 1, 2, 4),))
    for name in shared.THREADS:
        monkeypatch.setenv(name, "1")


def test_bench_layers_as_text_and_as_json(small, capsys):
    code, out, _ = run("bench", "layers", "--repeats", 1, capsys=capsys)
    assert code == 0
    assert [line.split()[:5] for line in out.splitlines()[2:5]] == [
        [kind, "3", "1", "2", "4"] for kind in ("RNN", "LSTM", "GRU")
    ]
    found = json.loads(run("bench", "layers", "--repeats", 1, "--json", capsys=capsys)[1])
    assert found["backend"] in ("numpy", "numba")
    assert all(row[k] > 0 for row in found["rows"] for k in ("compiled", "recorded", "products"))


def test_demo_into_a_file_is_a_mistake(tmp_path, capsys):
    path = tmp_path / "file"
    path.write_text("")
    code, _, err = run("demo", "--out", path, capsys=capsys)
    assert code == 1
    assert "that is a file; name a folder" in err
    code, _, err = run("demo", "--out", path / "below", capsys=capsys)
    assert code == 1
    assert len(err.strip().splitlines()) == 1


def test_ctrl_c_stops_without_a_traceback(monkeypatch, capsys):
    def stop():
        raise KeyboardInterrupt

    monkeypatch.setattr("tinygrad_rnn.commands.informing.info", stop)
    code, _, err = run("info", capsys=capsys)
    assert code == 130
    assert "stopped" in err


def as_module(*argv, **options):
    """``python -m tinygrad_rnn`` in a process of its own, on a terminal that knows ASCII alone."""
    return subprocess.Popen(
        [sys.executable, "-m", "tinygrad_rnn", *argv],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={
            **os.environ,
            "PYTHONPATH": str(Path(tg.__file__).parents[1]),
            "PYTHONIOENCODING": "ascii",
        },
        **options,
    )


def test_as_a_module():
    out, _ = as_module("info", "--json").communicate()
    assert json.loads(out)["tinygrad_rnn"] == tg.__version__


def test_letters_that_the_terminal_lacks(tmp_path):
    path = tmp_path / "Prüfung.dot"
    process = as_module("draw", "--layer", "rnn", "-o", str(path))
    out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    assert "Pr\\xfcfung.dot" in out
    assert path.is_file()


@pytest.mark.skipif(os.name == "nt", reason="pipes close otherwise on Windows")
def test_a_reader_that_has_seen_enough_makes_no_noise():
    process = as_module("info")
    process.stdout.close()
    err = process.stderr.read()
    assert (process.wait(), err) == (0, "")
    process.stderr.close()


@pytest.mark.parametrize(
    "words", [["bench", "layers", "--repeats", "3", "--json"], ["train", "adding", "--seed", "1"]]
)
def test_what_takes_time_runs_in_a_process_with_one_thread(words, monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "2")
    seen = []

    def run(command, env, check):
        seen.append((command[3:], {env[name] for name in shared.THREADS}))
        return subprocess.CompletedProcess(command, 3)

    monkeypatch.setattr(shared.subprocess, "run", run)
    with pytest.raises(SystemExit) as stop:
        cli.main(words)
    assert (stop.value.code, seen) == (3, [(words, {"1"})])


def test_who_stops_a_command_is_told_once(monkeypatch, capsys):
    def run(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "2")
    monkeypatch.setattr(shared.subprocess, "run", run)
    with pytest.raises(SystemExit) as stop:
        cli.main(["train", "adding"])
    assert (stop.value.code, capsys.readouterr()) == (130, ("", ""))
