"""Measured runs as scenarios: what is simulated, what is set aside, and what a peer says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from simulator import load_scenario, simulate
from simulator.calibrate.runs import ServingRun
from simulator.errors import SimulatorError, UnknownNameError
from simulator.validate import COLUMNS, Predictor, validate
from simulator.validate.peer import read_peer
from simulator.validate.silicon import (
    LONGEST_RATIO,
    SHORTEST_RATIO,
    output_lengths,
    scenario_of,
    select,
)

MakeRun = Callable[..., ServingRun]


@pytest.mark.parametrize("mean", [2, 100, 128, 1000, 8192])
def test_output_lengths_keep_the_mean_and_differ(mean: int) -> None:
    lengths = output_lengths(mean)
    assert sum(lengths) / len(lengths) == pytest.approx(mean, rel=0.005 if mean > 2 else 0.1)
    assert min(lengths) >= min(2, mean * SHORTEST_RATIO)
    assert max(lengths) <= max(2, mean * LONGEST_RATIO + 0.5)


def test_a_scenario_is_what_was_measured(make_run: MakeRun) -> None:
    run = make_run(tp=2, concurrency=7, prompt_tokens=300)
    scenario = load_scenario(scenario_of(run, {"kind": "roofline"}))
    assert (scenario.hardware.gpu.name, scenario.hardware.gpus, scenario.parallelism.tp) == ("h100-sxm", 2, 2)
    assert scenario.parallelism.dp == 1
    assert scenario.model.weight_dtype == scenario.model.kv_dtype == "fp8"
    trials = simulate(scenario).trials
    assert set(trials["prompt_tokens"]) == {300}
    assert trials["output_tokens"].nunique() > 10


def test_as_many_requests_are_in_flight_as_were_measured(make_run: MakeRun) -> None:
    scenario = load_scenario(scenario_of(make_run(concurrency=6), {"kind": "roofline"}))
    assert simulate(scenario).timeline["decode_sequences"].max() == 6


def test_both_columns_are_simulated_and_the_bound_is_the_faster_one(make_run: MakeRun) -> None:
    times = Predictor()(make_run())
    assert list(times) == list(COLUMNS)
    assert 0 < times["roofline"] < times["calibrated"]


def test_a_run_that_differs_only_in_what_is_not_known_is_simulated_once(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    predict = Predictor()
    first = predict(make_run())
    monkeypatch.setattr("simulator.validate.silicon.simulate", lambda _: pytest.fail("it was run again"))
    assert predict(make_run(row="other", version="0.20.0", tpot_s=1.0)) == first


def test_a_plan_that_does_not_fit_is_set_aside_and_not_predicted(make_run: MakeRun) -> None:
    large = make_run(row="large", model="llama-3.1-70b", weight_dtype="bf16", kv_dtype="bf16", tpot_s=1.0)
    validation = validate([make_run(), large])
    assert [run.row for run in validation.infeasible] == ["large"]
    assert [one.run.row for one in validation.predictions] == ["one"]


def test_a_run_that_cannot_be_as_described_is_not_simulated(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulator.validate.silicon.simulate", lambda _: pytest.fail("it was run"))
    validation = validate([make_run(ttft_s=60.0)])
    assert len(validation.not_believable) == 1
    assert validation.predictions == ()


def test_a_peer_is_a_third_column_and_runs_without_it_count_for_none(make_run: MakeRun) -> None:
    validation = validate([make_run(), make_run(row="two")], peer_s={"one": 0.012})
    (only,) = validation.predictions
    assert validation.columns == (*COLUMNS, "peer")
    assert only.error_ratio("peer") == pytest.approx(1.0)
    assert [run.row for run in validation.without_peer] == ["two"]


def test_progress_is_told_after_each_run(make_run: MakeRun) -> None:
    told: list[tuple[int, int]] = []
    validate([make_run(), make_run()], progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 2), (2, 2)]


def test_runs_are_selected_by_what_they_are(make_run: MakeRun) -> None:
    runs = [make_run(), make_run(engine="trtllm"), make_run(gpu="h200-sxm")]
    assert select(runs) == runs
    assert select(runs, engine="trtllm") == [runs[1]]
    assert select(runs, gpu="h100-sxm", engine="vllm", model="llama-3.1-8b") == [runs[0]]


def test_an_unknown_name_is_refused_with_the_nearest(make_run: MakeRun) -> None:
    with pytest.raises(UnknownNameError, match="no measured run with engine 'vlm'; did you mean vllm"):
        select([make_run()], engine="vlm")


def test_names_that_no_run_has_together_are_refused(make_run: MakeRun) -> None:
    runs = [make_run(), make_run(gpu="h200-sxm", engine="trtllm")]
    with pytest.raises(
        UnknownNameError, match="gpu 'h200-sxm', engine 'vllm' together; measured: h100-sxm vllm"
    ):
        select(runs, gpu="h200-sxm", engine="vllm")


def test_a_peers_file_is_read_in_seconds_and_gaps_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "peer.csv"
    path.write_text("other,id,peer_tpot_ms\n1,a,12.5\n2,b,\n", encoding="utf-8")
    assert read_peer(path) == {"a": 0.0125}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,tpot\na,1\n", "no column 'peer_tpot_ms'; needed: id, peer_tpot_ms"),
        ("", "no column 'id'"),
        ("id,peer_tpot_ms\na,1\na,2\n", ":3: the row 'a' stands twice"),
        (
            "id,peer_tpot_ms\na,fast\n",
            ":2: peer_tpot_ms: expected a positive number of milliseconds, got 'fast'",
        ),
        ("id,peer_tpot_ms\na,-1\n", "expected a positive number"),
        ("id,peer_tpot_ms\na,inf\n", "expected a positive number"),
    ],
)
def test_a_peers_file_that_cannot_be_meant_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "peer.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SimulatorError, match=message):
        read_peer(path)
