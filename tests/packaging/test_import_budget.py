"""Starting the program loads only what every command needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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


def test_a_sweep_that_prints_and_writes_csv_loads_no_heavy_package(tmp_path: Path) -> None:
    point = Path(__file__).resolve().parents[2] / "benchmarks" / "scenarios" / "point.yaml"
    options = ["--axis", "workload.strategy.trials=1,2", "--store", str(tmp_path / "store"), "--workers", "1"]
    options += ["--out", str(tmp_path / "rows.csv"), "--means", str(tmp_path / "means.csv")]
    command = ["sweep", str(point), *options]
    statement = f"from simulator.cli import app\napp({command!r}, standalone_mode=False)"
    assert loaded_by(statement) & HEAVY == set()
    assert (tmp_path / "rows.csv").read_text(encoding="utf-8").count("\n") == 3
