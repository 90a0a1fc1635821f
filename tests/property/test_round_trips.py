"""A run that is written in a tool's format and read again is the same run, and so is its replay."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1] / "equivalence"))

from scenario_space import documents, scenarios

from simulator import simulate
from simulator.api import Result
from simulator.emit import FORMATS, Served, served_by
from simulator.errors import InfeasiblePlanError, ScenarioError, SimulatorError
from simulator.measured import BenchRun, read_runs
from simulator.scenario.schema import Scenario
from simulator.validate.measured_run import judgement
from simulator.validate.told_load import ToldLoad

NAMES = sorted(FORMATS)
NO_SUCH = 1e-12
"""Below this a relative error is the rounding of floating-point numbers, 2**-53 a step."""


def served(scenario: Scenario) -> tuple[Result, Served]:
    try:
        result = simulate(scenario, token_times=True)
        return result, served_by(result)
    except InfeasiblePlanError:
        assume(False)  # noqa: FBT003 - Hypothesis' word for another example
        raise
    except SimulatorError as error:
        assume("no request was answered" not in str(error))
        raise


def read_again(name: str, result: Result, written: Served) -> BenchRun:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / FORMATS[name].file
        path.write_text("".join(FORMATS[name].text(result, written)), encoding="utf-8")
        (run,) = read_runs(path, units_are_right=True)  # steps of tiny models take microseconds
    return run


def ns(seconds: float) -> int:
    return round(seconds * 1e9)


@pytest.mark.parametrize("name", NAMES)
@given(scenario=scenarios())
def test_what_is_read_is_what_was_written_to_the_nanosecond(name: str, scenario: Scenario) -> None:
    result, written = served(scenario)
    run = read_again(name, result, written)
    read = run.requests
    assert read is not None
    assert read.start_s is not None
    requests = written.requests
    first = requests[0].sent_ns
    starts = [ns(start - read.start_s[0]) for start in read.start_s]
    assert starts == [request.sent_ns - first for request in requests]
    assert list(read.prompt_tokens) == [request.prompt_tokens for request in requests]
    assert list(read.output_tokens) == [request.output_tokens for request in requests]
    assert list(read.failed) == [bool(request.error) for request in requests]
    good = [place for place, request in enumerate(requests) if not request.error]
    ends = read.ends_s()
    for place in good:
        request = requests[place]
        assert ns(read.ttft_s[place]) == request.ttft_ns
        assert [ns(gap) for gap in read.itl_s[place]] == request.gaps_ns
        assert ns(ends[place]) == request.e2e_ns
    assert (run.completed, run.failed) == (len(good), len(requests) - len(good))


@st.composite
def replayable(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a document of which a list of requests says all that the server knew."""
    document = draw(documents())
    engine = document["engine"] | {"scheduler": {"kind": "fcfs"}, "router": {"kind": "round_robin"}}
    engine["kv"] = engine["kv"] | {"prefix_sharing": False}
    attention = {key: value for key, value in document["model"]["attention"].items() if key != "prefix_reads"}
    model = document["model"] | {"attention": attention}
    return document | {
        "engine": engine,
        "model": model,
        "parallelism": {"tp": 1, "dp": draw(st.integers(1, 3))},
    }


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=30)
@given(document=replayable())
def test_a_replay_of_what_was_written_has_no_error(name: str, document: dict[str, Any]) -> None:
    scenario = Scenario.model_validate(document)
    result, written = served(scenario)
    inexact = ("its times are others", "left out", "may take them up")
    assume(not any(told in note for note in written.notes for told in inexact))
    run = read_again(name, result, written)
    try:
        one = judgement(scenario, run, ToldLoad(), allowed={"e2e.mean": NO_SUCH}, asked=True)
    except ScenarioError as error:
        # Outputs came out short, and a replay knows no others: a budget above all contexts is refused.
        assume("more than any context" not in str(error))
        raise
    assert one.verdict.inside
    for quantity in one.compared.quantities.values():
        errors = {figure: quantity.error(figure) for figure in quantity.known}
        assert all(error is not None and abs(error) < NO_SUCH for error in errors.values()), (
            quantity,
            errors,
        )
