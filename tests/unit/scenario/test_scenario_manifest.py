"""Manifests as scenarios: their version, their hash, and hints about keys that are out of place."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from simulator.errors import ScenarioError
from simulator.output import manifest
from simulator.scenario.loader import load_scenario


@pytest.fixture
def written() -> dict[str, Any]:
    """Return the manifest of a run."""
    return manifest(load_scenario("quickstart", overrides=["seed=3"]), seed=3)


def saved(document: object, folder: Path) -> Path:
    path = folder / "manifest.json"
    path.write_text(json.dumps(document, indent=2), encoding="utf-8")
    return path


def test_a_manifest_as_written_is_not_warned_about(
    written: dict[str, Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert load_scenario(saved(written, tmp_path)).seed == 3
    assert caplog.records == []


def test_the_engine_of_an_older_manifest_is_left_alone(written: dict[str, Any], tmp_path: Path) -> None:
    assert load_scenario(saved({**written, "engine": "fast"}, tmp_path)).seed == 3


def test_a_changed_manifest_is_run_with_a_warning(
    written: dict[str, Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    written["scenario"]["question"] = "Another?"
    path = saved(written, tmp_path)
    assert load_scenario(path).question == "Another?"
    assert caplog.record_tuples == [
        (
            "kinesim",
            logging.WARNING,
            f"{path}: scenario_sha256 does not match: the scenario was changed after the run",
        )
    ]


@pytest.mark.parametrize("version", [7, 1.0, True, "1", None])
def test_another_version_is_refused(written: dict[str, Any], version: object) -> None:
    with pytest.raises(ScenarioError, match=r"manifest: version .* cannot be read; allowed: 1") as raised:
        load_scenario({**written, "manifest": version})
    assert len(raised.value.faults) == 1


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"manifest": 1}, "scenario: missing; the manifest of a run holds"),
        ({"manifest": 1, "scenario": 5}, "scenario: expected a table, got 5"),
    ],
)
def test_a_manifest_without_a_scenario_is_refused(document: dict[str, object], message: str) -> None:
    with pytest.raises(ScenarioError, match=message) as raised:
        load_scenario(document)
    assert len(raised.value.faults) == 1


@pytest.mark.parametrize("text", ["a\x1b[31mb", "a\x00", "a\x7f", "a\x9bb"])
@pytest.mark.parametrize("key", ["name", "question"])
def test_text_that_steers_a_terminal_is_refused(key: str, text: str) -> None:
    with pytest.raises(ScenarioError, match=f"{key}: holds a control character: the text"):
        load_scenario("quickstart", overrides={key: text})


def test_a_question_may_have_lines_and_a_name_may_not() -> None:
    assert load_scenario("quickstart", overrides={"question": "a\n\tb"}).question == "a\n\tb"
    with pytest.raises(ScenarioError, match="name: holds a control character"):
        load_scenario("quickstart", overrides={"name": "a\nb"})


def test_a_key_of_another_kind_is_told_its_kind() -> None:
    with pytest.raises(ScenarioError) as raised:
        load_scenario("quickstart", overrides=["workload.tasks.count=2"])
    assert str(raised.value) == (
        "--set workload.tasks.count=2: workload.tasks.count: unknown key of benchmark; "
        "count belongs to kind synthetic; benchmark has name, repeats"
    )


def test_no_place_in_another_branch_is_offered() -> None:
    with pytest.raises(ScenarioError, match=r"engine\.experts: unknown key; allowed: ") as raised:
        load_scenario("quickstart", overrides=["engine.experts=2"])
    assert "model" not in str(raised.value)
