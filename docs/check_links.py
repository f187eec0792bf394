"""Check every link of a built site that stays inside it: the file is there, and so is the place in it.

python docs/check_links.py site
"""

from __future__ import annotations

import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """What a page links to, and the places in it that can be linked to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.places: set[str] = {"", "top"}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note links, pictures and places."""
        found = dict(attrs)
        self.places |= {found.get("id") or "", found.get("name") or ""}
        self.links += [link for key in ("href", "src") if (link := found.get(key))]


page = cache(Page)


def broken(site: Path) -> list[str]:
    """Every link that leads nowhere, with the page that has it; raises ValueError for a site of no pages."""
    paths = sorted(site.rglob("*.html"))
    if not paths:
        raise ValueError(f"{site} has no pages")
    found = []
    for path in paths:
        for link in page(path).links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = path if not parts.path else path.parent / unquote(parts.path)
            if not target.is_file():
                found.append(f"{path.relative_to(site)}: {link}: no such file")
            elif (
                target.suffix == ".html"
                and unquote(parts.fragment) not in page(target.resolve()).places
            ):
                found.append(f"{path.relative_to(site)}: {link}: no such place")
    return found


def main(folder: str) -> int:
    """Print what is broken; 1 if anything is."""
    site = Path(folder).resolve()
    found = broken(site)
    print(
        "\n".join(found)
        or f"all links inside the {len(list(site.rglob('*.html')))} pages lead somewhere"
    )
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
