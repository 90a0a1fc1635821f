"""What the tests of readers share."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "cli"))

from command import Kinesim


@pytest.fixture
def kinesim(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Kinesim:
    monkeypatch.chdir(tmp_path)
    return Kinesim(capsys)
