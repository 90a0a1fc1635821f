"""Every relative link of every page leads somewhere, and every page can be found."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("docs", "scenarios", "hw_profiles", "examples", "benchmarks")
LINK = re.compile(
    r"(?<!!)\[[^\]]*\]\((?P<target>[^)\s]+)(?:\s+\"[^\"]*\")?\)|!\[[^\]]*\]\((?P<image>[^)\s]+)\)"
)
CODE = re.compile(r"^ *```.*?^ *```|`[^`\n]*`", re.MULTILINE | re.DOTALL)


def pages() -> list[Path]:
    nested = [path for name in FOLDERS for path in (ROOT / name).rglob("*.md")]
    return sorted([*ROOT.glob("*.md"), *nested])


def links(text: str) -> list[str]:
    """Return the relative targets in a page, those of examples left out."""
    found = [match["target"] or match["image"] for match in LINK.finditer(CODE.sub("", text))]
    return [target for target in found if not re.match(r"[a-z]+:", target)]


def anchors(text: str) -> set[str]:
    """Return the anchors that a forge makes for a page's headings."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ (.+)$", prose, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-") for title in titles}


def fault(page: Path, target: str) -> str | None:
    """Return what is wrong with a link on `page`, or None."""
    name, _, anchor = target.partition("#")
    path = (page.parent / name).resolve() if name else page
    if not path.exists():
        return f"{page.relative_to(ROOT)}: no {target}"
    if anchor and path.suffix == ".md" and anchor not in anchors(path.read_text(encoding="utf-8")):
        return f"{page.relative_to(ROOT)}: no heading for {target}"
    return None


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_relative_link_of_a_page_resolves(page: Path) -> None:
    faults = [fault(page, target) for target in links(page.read_text(encoding="utf-8"))]
    assert [found for found in faults if found] == []


def test_links_in_examples_and_to_the_web_are_left_out() -> None:
    text = "[a](b.md) ![i](c.png) [w](https://x.org)\n```text\n[d](e.md)\n```\nand `[f](g.md)`"
    assert links(text) == ["b.md", "c.png"]


def test_a_dead_link_and_a_dead_anchor_are_found() -> None:
    page = ROOT / "docs" / "README.md"
    assert fault(page, "nowhere.md") == "docs/README.md: no nowhere.md"
    assert fault(page, "#no-such-heading") == "docs/README.md: no heading for #no-such-heading"
    assert fault(page, "invariants.md#invariants") is None


def test_every_page_of_the_docs_can_be_reached_from_their_index() -> None:
    reached, waiting = set(), [ROOT / "docs" / "README.md"]
    while waiting:
        page = waiting.pop()
        reached.add(page)
        targets = [
            (page.parent / link.partition("#")[0]).resolve()
            for link in links(page.read_text(encoding="utf-8"))
        ]
        waiting += [
            path for path in targets if path.suffix == ".md" and path.is_file() and path not in reached
        ]
    assert set((ROOT / "docs").rglob("*.md")) - reached == set()
