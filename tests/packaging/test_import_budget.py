"""Starting the program loads only what every command needs."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"hypothesis", "networkx", "pandas", "plotly", "scipy"}


def loaded_by(statement: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter has loaded after `statement`."""
    code = f"{statement}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run(  # noqa: S603 - our own interpreter and the fixed statements below
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_the_probe_sees_a_heavy_package() -> None:
    assert "networkx" in loaded_by("import networkx")


@pytest.mark.parametrize("module", ["simulator.cli", "simulator", "workloads"])
def test_importing_loads_no_heavy_package(module: str) -> None:
    assert loaded_by(f"import {module}") & HEAVY == set()
