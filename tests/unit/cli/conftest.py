"""What the tests of the command line share."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from command import Kinesim


@pytest.fixture
def kinesim(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Kinesim:
    monkeypatch.chdir(tmp_path)
    return Kinesim(capsys)
