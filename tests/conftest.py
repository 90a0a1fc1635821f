"""What every test may use: search effort, data kept beside the checkout, golden files."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]

# `parent` is named because Hypothesis starts from other defaults where it finds itself in a CI.
_EXACT = settings.get_profile("default")
settings.register_profile("ci", parent=_EXACT, max_examples=50, deadline=None, print_blob=True)
settings.register_profile("nightly", parent=_EXACT, max_examples=2000, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


UNTRACED = ("analytic", "conformance", "determinism", "docs", "measured", "metamorphic")
UNTRACED += ("packaging", "performance", "readers", "scenarios", "stateful", "statistical")
"""Folders in which `--cov` does not look: tests take two to eight times as long under it, and these find next
to no line that the tests of the single parts have not found."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    untraced = {ROOT / "tests" / name for name in UNTRACED}
    for item in items:
        if not untraced.isdisjoint(item.path.parents):
            item.add_marker("no_cover")


def coverage_of(config: pytest.Config) -> Any:  # noqa: ANN401 - pytest-cov has no types and may be missing
    """Return what measures coverage in this process, if anything does."""
    plugin = config.pluginmanager.getplugin("_cov")
    return plugin and plugin.cov_controller


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """End what pytest-cov starts in a worker before its own measurement: in pauses it would go on."""
    controller = coverage_of(session.config)
    if controller and hasattr(session.config, "workerinput"):
        controller.cov.stop()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    """Keep ``no_cover`` while fixtures are made, too; pytest-cov does so for the test alone."""
    controller = coverage_of(item.config) if item.get_closest_marker("no_cover") else None
    if controller:
        controller.pause()
    try:
        return (yield)
    finally:
        if controller:
            controller.resume()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write what the code gives now into the golden files instead of comparing",
    )


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the top folder of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of measured data that lies beside a checkout, or skip the test."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the measured data is not part of the project: no ../shared/data beside the checkout")
    return folder


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Return a check of `actual` text against the file `name` in ``golden/`` beside the test.

    With ``--update-golden`` the file is written instead.
    """
    folder = request.path.parent / "golden"
    update = bool(request.config.getoption("--update-golden"))

    def check(name: str, actual: str) -> None:
        path = folder / name
        if update:
            folder.mkdir(exist_ok=True)
            path.write_text(actual, encoding="utf-8", newline="")
            return
        if not path.is_file():
            pytest.fail(f"no golden file {path}: run pytest --update-golden and read what it wrote")
        assert actual == path.read_text(encoding="utf-8")

    return check
