"""What students search for and teachers hand out: search words, glossary, the kit, formulas."""

import importlib.util
import json
import re
import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent / "docs"


def script(name):
    """A script of docs, as a module."""
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def test_the_glossary_has_forty_terms_in_order():
    text = (DOCS / "glossary.md").read_text(encoding="utf-8")
    terms = re.findall(r"^(\S.*)\n  \S", text, re.M)
    assert len(terms) >= 40
    assert terms == sorted(terms, key=lambda term: term.replace("-", " ").lower())
    for page in re.findall(r"\{doc\}`(?:[^`<]*<)?([\w/]+)>?`", text):
        assert (DOCS / f"{page}.md").is_file(), page


def test_search_words_are_of_pages_and_of_one_page_each():
    words = script("search_words").WORDS
    for page in words:
        assert (DOCS / f"{page}.md").is_file(), page
    every = [word.lower() for page in words.values() for word in page]
    assert len(set(every)) == len(every)


def test_words_become_main_entries_of_the_index():
    source = ["# Title\n"]
    script("search_words").add(None, "guides/training", source)
    assert "   ! single: teacher forcing\n" in source[0]
    source = ["# Title\n"]
    script("search_words").add(None, "guides/names", source)
    assert source == ["# Title\n"]


@pytest.fixture
def site(tmp_path):
    """An index of three pages: as Sphinx writes it."""
    pytest.importorskip("sphinx", reason="nbclient is not installed (extra docs)")
    index = {
        "docnames": ["guide", "other", "question"],
        "titles": ["Training", "Other", "What weights?"],
        "alltitles": {"Training": [[0, None]], "What weights?": [[2, None]]},
        "indexentries": {
            "teacher forcing": [[0, "index-0", True]],
            "weights": [[1, "index-1", False]],
        },
        "terms": {"forc": [1], "teacher": [1], "weight": [0, 1, 2], "step": 2},
        "titleterms": {"weight": 2, "train": 0},
    }
    (tmp_path / "searchindex.js").write_text(f"Search.setIndex({json.dumps(index)})")
    return tmp_path


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("Teacher forcing", "guide"),  # a main entry of the index comes before the text
        ("teacher f", "guide"),  # half of the entry is enough
        ("training", "guide"),
        ("weights", "question"),  # a word of a title before one of the text, and other entries last
        ("weights of steps", "question"),  # every word, small ones aside
        ("weig", "question"),
    ],
)
def test_pages_are_ranked_as_the_search_box_ranks_them(site, query, first):
    assert script("check_search").Index(site).pages(query)[0] == first


def test_a_query_that_misses_is_told(site, capsys):
    checked = script("check_search")
    checked.QUERIES = {"training": "guide", "weights": "nowhere"}
    assert checked.main(str(site)) == 1
    out = capsys.readouterr().out
    assert "'weights': nowhere is not among question, other, guide" in out
    assert "1 of 2 queries" in out


def test_at_least_25_queries_are_asked():
    queries = re.findall(r'^    "(.+)": "(.+)",$', (DOCS / "check_search.py").read_text(), re.M)
    assert len(queries) >= 25
    assert all((DOCS / f"{page}.md").is_file() for _, page in queries)


def test_the_kit_is_made_with_pip_alone(tmp_path, monkeypatch):
    """Without a system Graphviz: a one-page PDF, slides with their pictures, frames, a GIF, a poster."""
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    from tinygrad_rnn.drawing import output

    monkeypatch.setattr(output.shutil, "which", lambda name: None)
    kit = script("make_kit")
    kit.HERE = tmp_path
    kit.main()
    made = {path.name for path in tmp_path.iterdir()}
    assert made == {path.name for path in (DOCS / "kit").iterdir()}
    pdf = (tmp_path / "handout.pdf").read_bytes()
    assert pdf.startswith(b"%PDF")
    assert len(re.findall(rb"/Type /Page\b", pdf)) == 1
    assert (tmp_path / "backward.gif").read_bytes().startswith(b"GIF89a")
    slides = (tmp_path / "slides.html").read_text(encoding="utf-8")
    assert slides.count("<svg") == 3
    assert slides.count("MIT licence") == slides.count("<section")
    assert "http" not in re.sub(r"http://www\.w3\.org/\S+", "", slides)


def test_a_formula_is_a_picture_with_its_tex():
    pytest.importorskip("docutils", reason="nbclient is not installed (extra docs)")
    picture = runpy.run_path(str(DOCS / "math_pictures.py"))["picture"](r"h_t = \tanh(a) < 1")
    assert 'src="data:image/svg+xml;base64,' in picture
    assert r'alt="h_t = \tanh(a) &lt; 1"' in picture
    assert re.search(r"width:\d+\.\d\dem;vertical-align:-\d\.\d\dem", picture)
