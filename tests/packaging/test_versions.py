"""One version, stated in three places; a changelog that says what moved."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import simulator

SECTIONS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security", "Numerical changes"}


@pytest.fixture
def project(root: Path) -> dict[str, object]:
    table: dict[str, object] = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return table


@pytest.fixture
def releases(root: Path) -> dict[str, str]:
    """Return the text of each release in the changelog by its heading."""
    text = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_package_and_metadata_have_the_same_version(project: dict[str, object]) -> None:
    assert simulator.__version__ == project["version"]


def test_the_citation_has_the_version_and_licence(project: dict[str, object], root: Path) -> None:
    citation = (root / "CITATION.cff").read_text(encoding="utf-8").splitlines()
    assert f"version: {project['version']}" in citation
    assert f"license: {project['license']}" in citation


def test_the_changelog_starts_with_what_is_unreleased(releases: dict[str, str]) -> None:
    assert next(iter(releases)) == "[Unreleased]"


def test_every_release_is_named_by_version_and_date(releases: dict[str, str]) -> None:
    released = list(releases)[1:]
    wrong = [name for name in released if not re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d{2}-\d{2}", name)]
    assert wrong == []


def test_every_release_says_which_numbers_moved(releases: dict[str, str]) -> None:
    headings = {name: re.findall(r"^### (.+)$", text, re.MULTILINE) for name, text in releases.items()}
    assert [name for name, found in headings.items() if "Numerical changes" not in found] == []
    assert [heading for found in headings.values() for heading in found if heading not in SECTIONS] == []


def test_no_section_of_the_changelog_is_empty(releases: dict[str, str]) -> None:
    texts = [
        part for text in releases.values() for part in re.split(r"^### .+$", text, flags=re.MULTILINE)[1:]
    ]
    assert [text for text in texts if "- " not in text] == []
