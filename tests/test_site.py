"""What the site is made of: the API's pages, the reference's links, the examples, and the check of links."""

import re
import sys
from pathlib import Path

import pytest

import tinygrad_rnn as tg

DOCS = Path(__file__).parent.parent / "docs"


@pytest.fixture(scope="module")
def made():
    """The modules that docs/conf.py imports, by their names there."""
    sys.path.insert(0, str(DOCS))
    try:
        import building
        import check_links
        import gallery
        import make_reference

        yield {m.__name__: m for m in (building, gallery, check_links, make_reference)}
    finally:
        sys.path.remove(str(DOCS))


def test_the_api_has_every_public_name_once(made, tmp_path):
    made["building"].write_api(tmp_path)
    pages = {p.stem: p.read_text(encoding="utf-8") for p in tmp_path.glob("*.md")}
    for prefix, _, module in made["make_reference"].ROOMS:
        text = pages[prefix.replace(".", "_")]
        for name in made["make_reference"].public(module):
            assert (
                len(re.findall(rf"(?:auto\w+|py:data):: {name}$|``{prefix}.{name}``", text, re.M))
                == 1
            ), name
    assert "The same as :py:obj:`tinygrad_rnn.DataLoader`" in pages["tg_training"]
    assert "The dtypes ``tg.bool``: bool" in pages["tg"]
    for stem in pages.keys() - {"index"}:
        assert f"\n{stem}\n" in pages["index"]


def test_the_references_names_are_links(made):
    text = made["building"].linked(made["make_reference"].reference())
    assert "| {py:obj}`chunk(input, chunks, dim=0) <tinygrad_rnn.chunk>` |" in text
    assert "<tinygrad_rnn.nn.LSTM>` |" in text
    assert "{py:obj}`T <tinygrad_rnn.Tensor.T>`" in text
    assert "| `tg.float32` | the dtype float32 |" in text
    rows = re.findall(r"^\| (?!name |---)(.*?) \|", text, re.M)
    assert len(rows) > 300
    assert [row for row in rows if not row.startswith("{py:obj}")] == re.findall(
        r"^\| (`tg\.\w+`) \|", text, re.M
    )


def test_mathematics_in_docstrings_is_no_markup(made):
    lines = [
        "|x| is a * b, ``a * b`` is code, see :func:`abs`.",
        "",
        ">>> tg.abs(x) * 2",
        "tensor(|4|)",
        "",
        "as in::",
        "",
        "    a * b",
        "",
        "and a * c",
    ]
    made["building"].plain_docstring(None, "", "", None, None, lines)
    assert lines[0] == r"\|x\| is a \* b, ``a * b`` is code, see :func:`abs`."
    assert lines[2:4] == [">>> tg.abs(x) * 2", "tensor(|4|)"]
    assert lines[7] == "    a * b"
    assert lines[9] == r"and a \* c"


def test_an_examples_page_has_its_output_its_pictures_and_its_code(made, tmp_path):
    script = DOCS.parent / "examples" / "shared_vs_separate.py"
    text = made["gallery"].page(script, tmp_path)
    assert text.startswith("# What weights does an LSTM use at t = 4?")
    assert "$ python shared_vs_separate.py\nWeights for each step" in text
    assert "](pictures/shared_vs_separate_shared.svg)" in text
    assert "<svg" in (tmp_path / "pictures" / "shared_vs_separate_separate.svg").read_text()
    assert "```{literalinclude} ../../examples/shared_vs_separate.py" in text


def test_an_example_that_trains_for_minutes_is_told_and_not_run(made, tmp_path):
    text = made["gallery"].page(DOCS.parent / "examples" / "adding.py", tmp_path)
    assert "python -m tinygrad_rnn train adding" in text
    assert list(tmp_path.iterdir()) == []


def test_an_example_that_fails_fails_the_build(made, tmp_path):
    script = tmp_path / "sunspots.py"
    script.write_text('"""Title."""\nraise SystemExit("no")\n')
    with pytest.raises(RuntimeError, match=r"python sunspots.py failed:\nno"):
        made["gallery"].page(script, tmp_path)


def test_links_that_lead_nowhere_are_found(made, tmp_path):
    (tmp_path / "a.html").write_text(
        '<h1 id="top">A</h1><a href="b.html#there">1</a><a href="b.html#not">2</a>'
        '<a href="c.html">3</a><img src="d.png"><a href="https://example.org">4</a><a href="#top">5</a>'
    )
    (tmp_path / "b.html").write_text('<p id="there"></p>')
    assert made["check_links"].broken(tmp_path) == [
        "a.html: b.html#not: no such place",
        "a.html: c.html: no such file",
        "a.html: d.png: no such file",
    ]
    assert made["check_links"].main(str(tmp_path)) == 1
    (tmp_path / "none").mkdir()
    with pytest.raises(ValueError, match="has no pages"):
        made["check_links"].broken(tmp_path / "none")


def test_the_version_is_in_one_place():
    root = DOCS.parent
    for path in ("pyproject.toml", "CITATION.cff", "docs/conf.py", "README.md"):
        text = (root / path).read_text(encoding="utf-8")
        assert tg.__version__ not in text.replace("cff-version: 1.2.0", ""), path


def test_pictures_lead_to_themselves_once(made):
    link = made["building"].link_images
    one = '<p><img alt="cells" src="../_images/cells.svg" /></p>'
    linked = link(one)
    assert '<a class="full-size" href="../_images/cells.svg" title="full size"><img' in linked
    assert link(linked) == linked
    other = '<a href="x.html"><img src="cells.svg"></a> <img src="photo.png">'
    assert link(other) == other
