"""INV-6: the same scenario and seed give the same bytes, here, in other processes, and from a manifest."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "equivalence"))

from scenario_space import TINY_EXPERTS, TINY_MODEL, node

from simulator import compare, load_scenario, simulate
from simulator.scenario.schema import Scenario

WRITE = """
import sys
from simulator import load_scenario, compare, simulate
act = {"simulate": simulate, "compare": compare}[sys.argv[1]]
act(load_scenario(sys.argv[2])).to_dir(sys.argv[3])
"""


def document(**parts: Any) -> dict[str, Any]:  # noqa: ANN401 - raw parts of a document
    """Return a scenario in which memory is tight, strategies cancel, and everything random is drawn."""
    return {
        "schema": 1,
        "name": "everything",
        "hardware": node(),
        "model": {
            "preset": TINY_EXPERTS,
            "attention": {"kind": "block_topk", "kv_budget_tokens": 48, "block_tokens": 16},
        },
        "parallelism": {"tp": 2, "dp": 3},
        "engine": {
            "scheduler": {"kind": "shortest_first", "by": "predicted"},
            "router": {"kind": "prefix_affine"},
            "kv": {"blocks": 40, "block_tokens": 8},
            "max_sequences": 8,
            "max_batched_tokens": 64,
        },
        "workload": {
            "tasks": {
                "kind": "synthetic",
                "count": 30,
                "prompt_tokens": {"median_tokens": 30.0, "log_sigma": 0.7, "longest_tokens": 100},
            },
            "arrivals": {"kind": "gamma", "rate_per_s": 300.0, "cv": 2.0},
            "lengths": {
                "kind": "difficulty_coupled",
                "median_tokens": 40.0,
                "log_sigma": 0.6,
                "slope": 1.0,
            },
            "outcomes": {"kind": "beta", "alpha": 0.6, "beta": 1.2, "zero_ratio": 0.1},
            "strategy": {
                "kind": "beam_search",
                "beams": 2,
                "expansion": 2,
                "rounds": 3,
                "verifier_noise": 0.5,
            },
            "max_tokens": 200,
            "length_prediction": {"log_error": 0.3},
            "priorities": [0, 2],
        },
        "seed": 2024,
        **parts,
    }


VARIANTS = {
    "tree": {},
    "early-stop": {
        "workload": {"strategy": {"kind": "best_of_n", "trials": 5, "stop_at_first_success": True}},
    },
    "dense": {"model": {"preset": TINY_MODEL, "attention": {"kind": "dense"}}},
}


def files_of(folder: Path) -> dict[str, bytes]:
    """Return the bytes of every file below `folder` by its place in it."""
    found = {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }
    assert found
    return found


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of one run."""
    return simulate(load_scenario(document())).to_dir(tmp_path_factory.mktemp("single") / "out")


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a comparison with two seeds."""
    scenario = load_scenario(document(variants=VARIANTS, report={"seeds": 2}))
    return compare(scenario).to_dir(tmp_path_factory.mktemp("compared") / "out")


def test_the_scenario_reaches_what_could_depend_on_order(single: Path) -> None:
    trials = (single / "trials.csv").read_text(encoding="utf-8").splitlines()
    column = trials[0].split(",").index("preemptions")
    assert sum(int(row.split(",")[column]) for row in trials[1:]) > 5


def test_a_second_run_in_this_process_gives_the_same_bytes(single: Path, tmp_path: Path) -> None:
    simulate(load_scenario(document(seed=7)))  # leaves nothing behind
    again = simulate(load_scenario(document())).to_dir(tmp_path / "again")
    assert files_of(again) == files_of(single)


def test_another_seed_gives_other_bytes(single: Path, tmp_path: Path) -> None:
    other = simulate(load_scenario(document()), seed=7).to_dir(tmp_path / "other")
    assert files_of(other)["trials.csv"] != files_of(single)["trials.csv"]


@pytest.mark.parametrize(("hash_seed", "act"), [("1", "simulate"), ("4242", "compare")])
def test_other_processes_give_the_same_bytes(
    hash_seed: str, act: str, tmp_path: Path, request: pytest.FixtureRequest, root: Path
) -> None:
    here: Path = request.getfixturevalue({"simulate": "single", "compare": "compared"}[act])
    environment = {"PYTHONPATH": str(root), "PYTHONHASHSEED": hash_seed, "TZ": "Asia/Tokyo", "LC_ALL": "C"}
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    subprocess.run(  # noqa: S603 - this interpreter and fixed words
        [sys.executable, "-c", WRITE, act, str(here / "manifest.json"), "out"],
        cwd=tmp_path,
        env=kept | environment,
        check=True,
    )
    assert files_of(tmp_path / "out") == files_of(here)


def test_a_run_from_its_manifest_gives_the_same_bytes(single: Path, tmp_path: Path) -> None:
    scenario = load_scenario(single / "manifest.json")
    assert scenario == load_scenario(document())
    assert files_of(simulate(scenario).to_dir(tmp_path / "again")) == files_of(single)


def test_a_manifest_keeps_the_seed_that_was_run(tmp_path: Path) -> None:
    first = simulate(load_scenario(document()), seed=99).to_dir(tmp_path / "first")
    second = simulate(load_scenario(first / "manifest.json")).to_dir(tmp_path / "second")
    assert files_of(second) == files_of(first)


def test_a_comparison_from_its_manifest_gives_the_same_bytes(compared: Path, tmp_path: Path) -> None:
    again = compare(load_scenario(compared / "manifest.json")).to_dir(tmp_path / "again")
    assert files_of(again) == files_of(compared)


def test_a_run_inside_a_comparison_is_the_run_alone(compared: Path, tmp_path: Path) -> None:
    alone = simulate(load_scenario(document()), seed=2025).to_dir(tmp_path / "alone")
    inside = compared / "tree" / "seed-2025"
    for name, content in files_of(inside).items():
        assert files_of(alone)[name] == content


def test_the_order_of_variants_and_keys_does_not_move_a_run(compared: Path, tmp_path: Path) -> None:
    backwards = {name: VARIANTS[name] for name in reversed(VARIANTS)}
    shuffled = dict(reversed(document(variants=backwards, report={"seeds": 2}).items()))
    again = files_of(compare(Scenario.model_validate(load_scenario(shuffled))).to_dir(tmp_path / "again"))
    for name, content in files_of(compared).items():
        if name.endswith(".csv"):
            assert again[name] == content
