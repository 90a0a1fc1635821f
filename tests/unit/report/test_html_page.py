from __future__ import annotations

import re
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "metrics"))

from made_records import Made, two_tasks

from simulator.api import Comparison
from simulator.errors import SimulatorError
from simulator.report import figures
from simulator.report.html import page, write_page

offline = pytest.importorskip("plotly.offline", reason="the page needs the optional package plotly")

LOADING = {"src", "href", "data", "action", "poster", "srcset", "background"}


class Resources(HTMLParser):
    """Collects what a browser would fetch: attributes that load, and urls and imports of style sheets."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.tags: list[str] = []
        self.policy = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        values = dict(attrs)
        self.loaded += [f"{tag} {k}={v}" for k, v in attrs if k in LOADING]
        if values.get("http-equiv") == "Content-Security-Policy":
            self.policy = values["content"] or ""

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] == "style":
            self.loaded += re.findall(r"url\([^)]*\)|@import[^;]*", data)


@pytest.fixture
def text(compared: Callable[..., Comparison]) -> str:
    return page(compared(seeds=2))


def test_the_page_loads_nothing(text: str) -> None:
    resources = Resources()
    resources.feed(text)
    assert resources.loaded == []
    assert {"link", "iframe", "object", "base"} & set(resources.tags) == set()


def test_the_browser_is_told_to_refuse_every_request(text: str) -> None:
    resources = Resources()
    resources.feed(text)
    rules = dict(rule.split(maxsplit=1) for rule in resources.policy.split("; "))
    assert rules["default-src"] == "'none'"
    assert all("http" not in rule and "*" not in rule and "self" not in rule for rule in rules.values())


def test_the_detector_of_requests_finds_them() -> None:
    resources = Resources()
    resources.feed(
        '<script src="https://x.org/a.js"></script><style>@import "b"; p {background: url(c)}</style>'
    )
    assert len(resources.loaded) == 3


def test_plotly_is_in_the_page_once(text: str) -> None:
    library = offline.get_plotlyjs()
    assert text.count(library) == 1
    assert len(text) < 1.2 * len(library)
    assert text.count("Plotly.newPlot(") - library.count("Plotly.newPlot(") == 4


def test_the_page_tells_answer_figures_caveats_scenario_and_sources(
    compared: Callable[..., Comparison],
) -> None:
    comparison = compared()
    text = page(comparison)
    assert f'<p class="answer">{comparison.summary["answer"]}</p>' in text
    for expected in (
        "Optimistic bound",
        "0.1000",
        "Scenario of quick",
        "max_sequences: 512",
        "made up for tests",
    ):
        assert expected in text


def test_equal_comparisons_give_equal_bytes(compared: Callable[..., Comparison]) -> None:
    assert page(compared()) == page(compared())


def test_names_cannot_smuggle_markup_in(compared: Callable[..., Comparison]) -> None:
    evil = "<script>alert(1)</script>"
    text = page(compared({evil: two_tasks().records()}, name=evil, question=evil))
    assert evil not in text


def test_a_page_is_written_whole_or_not_at_all(
    compared: Callable[..., Comparison], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "report.html"
    assert write_page(compared(), target) == target
    before = target.read_bytes()

    def fail(_: Comparison) -> None:
        message = "no figure"
        raise RuntimeError(message)

    monkeypatch.setattr(figures, "roofline", fail)
    with pytest.raises(RuntimeError, match="no figure"):
        write_page(compared(), target)
    assert target.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_a_missing_plotly_is_told_with_the_remedy(
    compared: Callable[..., Comparison], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "plotly", None)
    with pytest.raises(SimulatorError, match=r"need plotly: pip install plotly"):
        write_page(compared(), tmp_path / "report.html")
    assert list(tmp_path.iterdir()) == []


def test_a_run_in_which_nothing_happened_still_has_a_page(compared: Callable[..., Comparison]) -> None:
    waiting = Made().trial(0, 0.0, -1, -1, -1).task(0.0, -1).records(end=1.0, pending=3)
    assert "stuck solves no task in the window" in page(compared({"stuck": waiting}))
