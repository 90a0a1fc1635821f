"""What every test may use: search effort, data kept beside the checkout, golden files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]

# `parent` is named because Hypothesis starts from other defaults where it finds itself in a CI.
_EXACT = settings.get_profile("default")
settings.register_profile("ci", parent=_EXACT, max_examples=50, deadline=None, print_blob=True)
settings.register_profile("nightly", parent=_EXACT, max_examples=2000, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


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
