"""Every script and notebook of examples/ is run, and prints what its docstring shows.

Notebooks are run without Jupyter: their code cells in order, in one namespace, in a fresh process.  What a
cell displays is computed, not drawn.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
SCRIPTS = sorted(path.name for path in EXAMPLES.glob("*.py"))
NOTEBOOKS = sorted(path.name for path in EXAMPLES.glob("*.ipynb"))
SLOW = {"adaptive_allocation.py", "dask_cluster.py", "plan_with_optuna.py", "rollout_lengths.py"}
NEEDS = {"dask_cluster.py": "distributed", "plan_with_optuna.py": "optuna"}
SAID = {"sweep_and_explain.ipynb": "Most would help", "compare_gpus.ipynb": "kv_reads"}
SHOWN = re.compile(r"Prints[^\n]*(?:\n[^\n]+)*?:\n\n(?P<lines>(?:    [^\n]*\n?)+)")
TIMEOUT_S = 300


def run(*command: str, folder: Path) -> str:
    """Return what a script prints, run in a folder of its own as its reader would run it."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(  # noqa: S603 - our own examples
        [sys.executable, *command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def shown(name: str) -> list[str]:
    """Return the lines that a script's docstring says it prints."""
    text = ast.get_docstring(ast.parse((EXAMPLES / name).read_text(encoding="utf-8")), clean=False) or ""
    found = SHOWN.search(text)
    assert found, f"{name}: the docstring does not show what is printed, after a line `Prints:`"
    return [line.removeprefix("    ").rstrip() for line in found["lines"].rstrip().splitlines()]


def marked(names: list[str]) -> list[Any]:
    return [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in names]


@pytest.mark.parametrize("name", marked(SCRIPTS))
def test_a_script_prints_what_it_shows(name: str, tmp_path: Path) -> None:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    printed = [line.rstrip() for line in run(str(EXAMPLES / name), folder=tmp_path).splitlines()]
    assert printed == shown(name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "package"), NEEDS.items())
def test_a_script_says_what_it_needs_where_that_is_missing(name: str, package: str, tmp_path: Path) -> None:
    hidden = (
        f"import runpy, sys; sys.modules[{package!r}] = None; runpy.run_path(sys.argv[1], {{}}, '__main__')"
    )
    printed = run("-c", hidden, str(EXAMPLES / name), folder=tmp_path)
    assert printed.startswith("skipped: ")
    assert "pip install" in printed


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_runs_from_top_to_bottom(name: str, tmp_path: Path) -> None:
    cells = json.loads((EXAMPLES / name).read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    (tmp_path / "cells.py").write_text("\n\n".join(code), encoding="utf-8")
    assert SAID[name] in run("cells.py", folder=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["cells.py"]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_is_kept_without_outputs_in_the_format_of_jupyter(name: str) -> None:
    """By the schema of nbformat 4.5: every cell has an id of its own, metadata and the keys of its kind."""
    book = json.loads((EXAMPLES / name).read_text(encoding="utf-8"))
    assert (book["nbformat"], book["nbformat_minor"]) == (4, 5)
    assert book["metadata"]["kernelspec"]["name"] == "python3"
    ids = [cell["id"] for cell in book["cells"]]
    assert len(set(ids)) == len(ids) > 1
    for cell in book["cells"]:
        assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", cell["id"])
        code = {"outputs", "execution_count"} if cell["cell_type"] == "code" else set()
        assert set(cell) == {"cell_type", "id", "metadata", "source"} | code
        assert cell["source"]
        ends = [line.endswith("\n") for line in cell["source"]]
        assert ends == [True] * (len(ends) - 1) + [False]
        assert cell.get("outputs", []) == []
        assert cell.get("execution_count") is None


def test_every_example_is_listed() -> None:
    listed = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert [name for name in [*SCRIPTS, *NOTEBOOKS] if f"]({name})" not in listed] == []


def test_no_slow_or_optional_example_is_gone() -> None:
    assert {*SLOW, *NEEDS} <= set(SCRIPTS)
