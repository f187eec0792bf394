"""The pages of the docs: their code runs and prints what stands under it, and all are linked."""

import re
from pathlib import Path

import pytest
from test_docs import load

DOCS = Path(__file__).parent.parent / "docs"
run_pages = load("run_pages")
PAGES = run_pages.pages()


VARIES = "another machine's figures differ"
BLOCK = re.compile(rf"```python\n(?:(?!```).)*{VARIES}.*?```text\n.*?```", re.DOTALL)
NUMBER = re.compile(r"\d+\.\d+(?:e[-+]\d+)?")


def same(now, then):
    """Equal but for what another machine's arithmetic does to the decimals of a training run.

    Where the code says that figures differ, rounding has grown to the size of the figures themselves: steps
    20 to 60 of the quick start double a difference each.
    """
    now, then = (BLOCK.sub(lambda m: NUMBER.sub("#", m[0]), text) for text in (now, then))
    figures = [[float(n) for n in NUMBER.findall(text)] for text in (now, then)]
    words = [NUMBER.sub("#", text) for text in (now, then)]
    return words[0] == words[1] and figures[0] == pytest.approx(figures[1], rel=0.25, abs=0.02)


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_what_the_page_says_was_printed(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = page.read_text(encoding="utf-8")
    assert "```python" in text
    assert same(run_pages.run(page), text), "run python docs/run_pages.py and read what changed"


def test_a_page_that_prints_something_else_is_seen(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("```python\nprint(1 + 1)\n```\n\n```text\n3\n```\n", encoding="utf-8")
    now = run_pages.run(page)
    assert now == "```python\nprint(1 + 1)\n```\n\n```text\n2\n```\n"
    assert not same(now, page.read_text(encoding="utf-8"))
    assert not same("0.5 of it", "0.9 of it")
    block = "```python\nprint(x)  # {}\n```\n\n```text\n{}\n```\n"
    assert same(block.format(VARIES, 0.5), block.format(VARIES, 0.9))
    assert not same(block.format(VARIES, 0.5), block.format(VARIES, "0.5 0.5"))
    assert not same(block.format("so", 0.5), block.format("so", 0.9))
    assert same("0.501 of it", "0.499 of it")


def test_every_page_is_in_the_table_of_contents():
    pattern = r"^((?:guides|questions)/\w+|teaching|worksheet)$"
    listed = set(re.findall(pattern, (DOCS / "index.md").read_text(), re.M))
    pages = {page.relative_to(DOCS).with_suffix("").as_posix() for page in PAGES}
    assert listed == pages - {"index"}


def test_the_engine_on_a_page_fits_in_150_lines():
    text = (DOCS / "questions" / "this_engine_in_150_lines.md").read_text(encoding="utf-8")
    code = "".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    assert 50 < len([line for line in code.splitlines() if line.strip()]) <= 150


MADE = ("api/", "examples/")  # when the site is built; docs/check_links.py checks them there


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda p: p.stem)
def test_links_lead_somewhere(page):
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.S)
    for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", prose):
        if link.startswith(MADE) and page.parent == DOCS:
            continue
        assert (page.parent / link).is_file(), link
