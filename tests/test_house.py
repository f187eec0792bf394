"""The house: who may import whom, what each file is for, and how many files one call goes through."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.scan.backends import using

ROOT = Path(__file__).parent.parent


def rooms():
    path = ROOT / "docs" / "make_rooms.py"
    spec = importlib.util.spec_from_file_location("make_rooms", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_floor_only_looks_down():
    """The contract in pyproject.toml, with the imports inside functions."""
    pytest.importorskip("importlinter", reason="import-linter is not installed (extra dev)")
    code = (
        "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_table_of_rooms_is_current():
    made = rooms()
    assert made.PAGE.read_text(encoding="utf-8") == made.page(), "python docs/make_rooms.py"


def test_the_guide_says_how_long_the_core_is():
    """To a tenth: a line more or less in a file is no reason to write the page anew."""
    made = rooms()
    rows = made.GUIDE.read_text(encoding="utf-8").split(made.LINES)[1].split(made.LINES_END)[0]
    said = dict(re.findall(r"\| `?([\w/.]+)`? \| ([\d,]+) \|", rows))
    real = {name: made.lines_of(name) for name in made.CORE}
    real["all"] = sum(real.values())
    assert list(said) == list(real), "python docs/make_rooms.py"
    for name, count in real.items():
        assert abs(int(said[name].replace(",", "")) - count) <= count / 10, name
    assert real["all"] < 2100, "what a student reads has grown: move out what can wait"


def test_every_file_says_what_it_is_for():
    """In its first line, by the question that it answers; no two are alike.

    What right answers of the exercises say is the students' to read.
    """
    made = rooms()
    lines = {path: made.first_line(path) for path in made.files()}
    asked = {path: line for path, line in lines.items() if path.parent.name != "solutions"}
    assert all("?" in line and line.endswith((".", "?")) for line in asked.values()), [
        str(path) for path, line in asked.items() if "?" not in line
    ]
    assert len({*lines.values()}) == len(lines)


def test_a_line_that_no_test_reaches_says_why():
    for path in sorted((ROOT / "tinygrad_rnn").rglob("*.py")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if "pragma: no" in line:
                said = line.partition("pragma: no cover")[2]
                assert len(said.split()) > 3, f"{path.name}:{number}: # pragma: no cover - why"


# ---- the rooms of the pictures ----------------------------------------------------------------------

PICTURES = ("drawing", "graphs", "page", "plots")


def sources():
    package = ROOT / "tinygrad_rnn"
    return [path for room in PICTURES for path in sorted((package / room).rglob("*.py"))]


def test_no_class_name_stands_twice():
    """In all of the package: who reads a name knows which class it is, and a search finds it."""
    names = Counter(
        node.name
        for path in (ROOT / "tinygrad_rnn").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
    )
    assert [name for name, n in names.items() if n > 1] == []


def test_nobody_takes_an_id_or_a_class_apart():
    """What a thing means stands in its ``of``; ids and classes are made in one file, and never read."""
    made = "drawing/output.py"
    for path in sources():
        text = path.read_text(encoding="utf-8")
        if not path.as_posix().endswith(made):
            assert 'attrs.get("class"' not in text, path
            assert "data-id" not in text or path.name == "views.py", path
    viewer = ROOT / "tinygrad_rnn" / "page" / "viewer"
    for path in viewer.glob("*.js"):
        text = path.read_text(encoding="utf-8")
        for taken in (
            "id.split",
            "id.replace",
            "id.startsWith",
            ".exec(item.id",
            'getAttribute("class")',
        ):
            assert taken not in text, (path.name, taken)


@pytest.mark.parametrize(
    "path",
    [
        "autograd",
        "backends.cudnn",
        "distributions",
        "linalg",
        "onnx",
        "utils.data",
        "utils.tensorboard",
        "nn.modules.rnn",
        "nn.parameter",
    ],
)
def test_paths_that_users_type_are_there(path):
    """Wherever the file stands; and the module is the attribute, not a second copy."""
    module = importlib.import_module(f"tinygrad_rnn.{path}")
    assert module.__name__ == f"tinygrad_rnn.{path}"
    found = tg
    for name in path.split("."):
        found = getattr(found, name)
    assert found is module


def test_ranks_have_one_module_by_both_paths():
    by_path = importlib.import_module("tinygrad_rnn.distributed")
    assert by_path is tg.distributed is sys.modules["tinygrad_rnn.training.distributed"]


def test_the_package_has_few_rooms():
    package = ROOT / "tinygrad_rnn"
    rooms = {p.relative_to(package).parts[0] for p in package.rglob("*.py")}
    assert len(rooms - {"__init__.py"}) <= 24


def files_entered(call):
    """The files of the package whose functions a call goes through."""
    package, found = str(ROOT / "tinygrad_rnn"), set()

    def seen(frame, event, _):
        name = frame.f_code.co_filename
        if event == "call" and name.startswith(package) and frame.f_code.co_name != "<module>":
            found.add(name)

    sys.setprofile(seen)
    try:
        call()
    finally:
        sys.setprofile(None)
    return found


@pytest.mark.parametrize("level", ["cell", "op"])
def test_draw_goes_through_few_files(level, tmp_path):
    """From the tensor to the SVG; a compiled layer's steps are recorded first, by the engine."""
    layer = tg.nn.LSTM(4, 3)
    layer.compiled = False
    y, _ = layer(tg.zeros(4, 1, 4))
    draw = tg.draw
    draw(y, tmp_path / "first.svg", level=level)  # imports
    found = files_entered(lambda: draw(y, tmp_path / "a.svg", level=level))
    assert len(found) <= 20, sorted(found)


@pytest.mark.parametrize(
    ("compiled", "back_end"), [(True, "numpy"), (True, "numba"), (False, "numpy")]
)
def test_a_layer_goes_through_few_files(compiled, back_end):
    """A call like an earlier one, compiled or recorded op by op, and the way back."""
    if back_end == "numba":
        pytest.importorskip("numba", reason="numba is not installed (extra fast)")
    layer, x, given = tg.nn.LSTM(4, 3), tg.randn(5, 2, 4), []
    layer.compiled = compiled
    with using(back_end):
        for _ in range(2):
            layer(x)[0].sum().backward()
        found = files_entered(lambda: given.append(layer(x)[0]))
        assert len(found) <= 12, sorted(found)
        found = files_entered(given[0].sum().backward)
    assert len(found) <= 8, sorted(found)


def test_an_export_goes_through_few_files(tmp_path):
    """From the layer to an ONNX file."""
    pytest.importorskip("onnx", reason="onnx is not installed (extra onnx)")
    layer, x = tg.nn.LSTM(4, 3), tg.randn(5, 2, 4)
    to_onnx = tg.interop.to_onnx
    with using("numpy"):
        to_onnx(layer, tmp_path / "first.onnx", x)  # imports
        found = files_entered(lambda: to_onnx(layer, tmp_path / "a.onnx", x))
    assert len(found) <= 20, sorted(found)


def test_every_planted_bug_finds_its_place():
    """A bug whose text has gone from its file would never be planted, and so never be seen."""
    spec = importlib.util.spec_from_file_location("mutants", ROOT / "tests" / "mutants.py")
    mutants = sys.modules["mutants"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(mutants)
    for mutant in mutants.MUTANTS:
        sound = (ROOT / "tinygrad_rnn" / mutant.file).read_text(encoding="utf-8")
        assert mutants.planted(sound, mutant) != sound, mutant.name


def test_importing_reads_values_ops_and_tensors_alone():
    """What is used first is imported then: layers, optimizers, pictures cost nothing before."""
    program = (
        "import sys, tinygrad_rnn as tg; "
        "print(*sorted({m.split('.')[1] for m in sys.modules if m.startswith('tinygrad_rnn.')})); "
        "assert tg.steps is tg.steps is tg.nn.naming.steps and tg.optim.SGD and tg.name"
    )
    rooms = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert rooms.stdout.split() == ["_version", "doors", "engine", "ops", "tensors"]


def test_without_machine_code_a_test_skips_for_the_reason_that_ci_lists(pytestconfig):
    """What CI would tell after twenty minutes: there a skipped test fails unless it is listed."""
    listed = pytestconfig.pluginmanager.getplugin(str(ROOT / "tests" / "conftest.py"))
    told = 0
    for path in sorted((ROOT / "tests").glob("test_*.py")):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(call, ast.Call) or "skip" not in ast.unparse(call.func):
                continue
            for word in ast.walk(call):
                if isinstance(word, ast.Constant) and "numba is" in str(word.value):
                    told += 1
                    known = any(why in word.value for why in listed.SKIPS_ALLOWED_IN_CI)
                    assert known, f"{path.name}: {word.value}"
    assert told > 10


def test_the_files_of_tests_that_ci_names_are_there():
    for name in ("covered", "lowest_tests", "pictures"):
        for each in (ROOT / ".ci" / name).read_text(encoding="utf-8").split():
            assert (ROOT / "tests" / f"test_{each}.py").exists(), f".ci/{name}: {each}"
