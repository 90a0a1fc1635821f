"""Measured runs as scenarios: what is simulated, what is set aside, and what a peer says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from simulator import load_scenario, simulate
from simulator.calibrate.runs import ServingRun
from simulator.errors import SimulatorError, UnknownNameError
from simulator.hardware import Calibration
from simulator.scenario.catalog import find
from simulator.scenario.loader import load_part
from simulator.validate import COLUMNS, validate, without_models
from simulator.validate.peer import peer_seconds
from simulator.validate.predictions import ANOTHER_MODEL
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
    (one,) = validate([make_run()]).predictions
    assert tuple(one.tpot_s) == COLUMNS
    assert 0 < one.tpot_s["roofline"] < one.tpot_s["calibrated"]


def test_a_run_that_differs_only_in_what_is_not_known_is_simulated_once(make_run: MakeRun) -> None:
    told: list[tuple[int, int]] = []
    runs = [make_run(), make_run(row="other", version="0.20.0", tpot_s=1.0)]
    one, two = validate(runs, progress=lambda done, total: told.append((done, total))).predictions
    assert one.tpot_s == two.tpot_s
    assert told == [(1, 2), (2, 2)]


def test_the_number_of_processes_does_not_change_the_predictions(make_run: MakeRun) -> None:
    runs = [make_run(), make_run(row="two", concurrency=3)]
    assert validate(runs, workers=2) == validate(runs)


def test_a_plan_that_does_not_fit_is_set_aside_and_not_predicted(make_run: MakeRun) -> None:
    large = make_run(row="large", model="llama-3.1-70b", weight_dtype="bf16", kv_dtype="bf16", tpot_s=1.0)
    validation = validate([make_run(), large])
    assert [run.row for run in validation.infeasible] == ["large"]
    assert [one.run.row for one in validation.predictions] == ["one"]


def test_a_run_that_cannot_be_as_described_is_not_simulated(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulator.validate.predictions.simulate", lambda _: pytest.fail("it was run"))
    validation = validate([make_run(ttft_s=60.0)])
    assert len(validation.not_believable) == 1
    assert validation.predictions == ()


def test_a_peer_is_a_third_column_and_runs_without_it_count_for_none(make_run: MakeRun) -> None:
    validation = validate([make_run(), make_run(row="two")], peer=lambda run: {"one": 0.012}.get(run.row))
    (only,) = validation.predictions
    assert validation.columns == (*COLUMNS, "peer")
    assert only.error_ratio("peer") == pytest.approx(1.0)
    assert [one.run.row for one in validation.without_peer] == ["two"]
    assert set(validation.without_peer[0].tpot_s) == set(COLUMNS)


def test_a_peer_that_fails_everywhere_is_not_passed_over(make_run: MakeRun) -> None:
    runs = [make_run(row=f"{n}") for n in range(20)]
    with pytest.raises(SimulatorError, match="the peer has no prediction of any of 20 runs"):
        validate(runs, peer=lambda _: None)


def test_a_calibration_without_the_model_is_a_column_of_its_runs(make_run: MakeRun) -> None:
    slow = load_part(find("calibration", "h100-sxm.vllm"), Calibration)
    assert slow.serving is not None
    slow = slow.model_copy(update={"serving": slow.serving.model_copy(update={"step_s": 0.5})})
    runs = [make_run(), make_run(row="two", gpu="h200-sxm")]
    key = ("h100-sxm", "vllm", "llama-3.1-8b")
    one, two = validate(runs, without_model={key: slow}).predictions
    assert one.tpot_s[ANOTHER_MODEL] > 0.5
    assert ANOTHER_MODEL not in two.tpot_s


def test_a_fit_without_a_model_has_not_seen_its_runs(make_run: MakeRun) -> None:
    # Of the two models one alone has enough runs to be fitted to.
    many = [make_run(row=f"{n}", concurrency=n, tpot_s=0.01 + 1e-4 * n) for n in range(1, 40)]
    few = [make_run(model="llama-3.1-70b", tp=4, concurrency=n, tpot_s=0.03) for n in (1, 2)]
    (key,) = without_models([*many, *few])
    assert key == ("h100-sxm", "vllm", "llama-3.1-70b")
    found = without_models([*many, *few])[key].serving
    assert found is not None
    assert found.fitted.rows == len(many)
    slower = without_models([*many, *(replace(run, tpot_s=0.3) for run in few)])[key].serving
    assert slower == found


def test_the_predictor_of_the_tables_is_asked_and_keeps_silent(
    make_run: MakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("aiconfigurator_core", reason="the peer comes with the extra calibrate")
    run = make_run(weight_dtype="bf16", kv_dtype="bf16")
    time_s = peer_seconds(run)
    assert time_s is not None
    assert 0.001 < time_s < 0.1
    slower = peer_seconds(replace(run, concurrency=64))
    assert slower is not None
    assert slower > time_s
    assert peer_seconds(replace(run, model="qwen3-0.6b")) is None
    assert capsys.readouterr() == ("", "")


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
