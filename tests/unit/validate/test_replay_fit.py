"""Serving numbers from whole runs: a made-up server is found again, and another of its runs is met."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from own_runs import OPEN, document, write

from simulator import load_scenario, simulate
from simulator.calibrate.files import to_json
from simulator.calibrate.points import BenchError
from simulator.hardware import Calibration
from simulator.latency.calibrated import KERNELS_ALONE
from simulator.measured import read_runs
from simulator.scenario.catalog import find
from simulator.scenario.loader import load_part
from simulator.validate.replay_fit import EXPECTED, FREE, Misses, Served, fit_replays, misses_of
from simulator.validate.told_load import ToldLoad

SHIPPED = load_part(find("calibration", "h100-sxm.vllm"), Calibration)
CALIBRATED = {"kind": "calibrated", "engine": "vllm"}
BUSY = {"kind": "poisson", "rate_per_s": 60.0}


def with_serving(**numbers: float) -> Calibration:
    serving = (SHIPPED.serving or KERNELS_ALONE).model_copy(update=numbers)
    return SHIPPED.model_copy(update={"serving": serving})


SLOW = with_serving(kernel_ratio=1.15, attention_ratio=1.15, prompt_ratio=1.3, step_s=5e-3)
"""A server that takes half as long again as the shipped numbers say."""


def measured(folder: Path, truth: Calibration, arrivals: dict[str, Any], *, lanes: int = 16) -> Served:
    """Return a run of a made-up server."""
    folder.mkdir()
    path = folder / "truth.json"
    path.write_text(to_json(truth), encoding="utf-8")
    asked = document(arrivals, latency=CALIBRATED, max_sequences=lanes)
    result = simulate(load_scenario(asked, overrides=[f"hardware.gpu.calibrations.vllm={path}"]))
    (run,) = read_runs(write(folder, result))
    return Served(run, load_scenario(asked), ToldLoad())


def sizes(misses: Misses | None) -> Sequence[float]:
    assert misses is not None
    return [abs(each) for each in (misses.ttft, misses.tpot, misses.e2e) if each is not None]


def test_a_queue_is_seen_and_another_run_is_met(tmp_path: Path) -> None:
    queued = measured(tmp_path / "queued", SLOW, BUSY, lanes=6)
    other = measured(tmp_path / "other", SLOW, OPEN)
    found = fit_replays(SHIPPED, [queued, other], "made up")
    for score in found.scores:
        assert max(sizes(score.before)) > 0.25
        assert max(sizes(score.others)) < 0.5 * max(sizes(score.before))
        assert max(sizes(score.after)) < 0.12
    assert found.calibration.serving is not None
    assert found.calibration.serving.fitted.rows == 2
    assert "made up" in found.calibration.serving.fitted.table


def test_a_run_is_scored_by_numbers_that_have_not_seen_it(tmp_path: Path) -> None:
    one = measured(tmp_path / "one", SLOW, BUSY)
    like_shipped = measured(tmp_path / "two", SHIPPED, OPEN)
    score = fit_replays(SHIPPED, [one, like_shipped], "made up").scores[1]
    # Its own numbers would meet it; those of the other run are far too slow for it.
    assert max(sizes(score.before)) < 1e-6
    assert score.others is not None
    assert score.others.tpot is not None
    assert score.others.tpot > 0.2


def test_a_run_that_is_met_moves_nothing(tmp_path: Path) -> None:
    found = fit_replays(SHIPPED, [measured(tmp_path / "a", SHIPPED, OPEN)], "made up")
    assert [each.found for each in found.told] == pytest.approx([each.expected for each in found.told])
    assert found.scores[0].others is None
    assert found.calibration.gemm == SHIPPED.gemm


def test_what_a_run_cannot_tell_apart_stays_where_it_was_expected(tmp_path: Path) -> None:
    one_by_one = {"kind": "closed_loop", "concurrency": 1}
    served = measured(tmp_path / "a", with_serving(step_s=4e-3), one_by_one)
    served = replace(served, said=ToldLoad(concurrency=1))
    told = {each.name: each for each in fit_replays(SHIPPED, [served], "made up").told}
    assert list(told) == list(FREE)
    assert all(0.0 < each.left < 1.0 for each in told.values())
    # A sequence alone: what is its own and what is the step's is the same.
    assert told["sequence_s"].left > 0.95 > told["step_s"].left
    assert told["sequence_s"].found == pytest.approx(told["sequence_s"].expected, abs=1e-5)
    assert told["step_s"].found > 1.4 * told["step_s"].expected


def test_without_serving_numbers_those_of_other_gpus_are_expected(tmp_path: Path) -> None:
    alone = SHIPPED.model_copy(update={"serving": None})
    found = fit_replays(alone, [measured(tmp_path / "a", SLOW, OPEN)], "made up")
    assert [each.expected for each in found.told] == [EXPECTED[name][0] for name in FREE]


def test_what_is_expected_is_what_the_shipped_calibrations_say() -> None:
    gpus = ("b200-sxm", "h100-sxm", "h200-sxm")
    shipped = [load_part(find("calibration", f"{gpu}.vllm"), Calibration).serving for gpu in gpus]
    for name in ("prompt_ratio", "step_s", "sequence_s"):
        values = [getattr(serving, name) for serving in shipped]
        mean = sum(values) / len(values)
        spread = (sum((value - mean) ** 2 for value in values) / (len(values) - 1)) ** 0.5
        least = 0.1 if name == "prompt_ratio" else 0.0
        told = pytest.approx(mean, rel=0.05), pytest.approx(max(spread, least), rel=0.1)
        assert EXPECTED[name] == told
    assert all(0.94 < serving.kernel_ratio < 0.97 for serving in shipped if serving)


def test_misses_are_those_of_the_means(tmp_path: Path) -> None:
    served = measured(tmp_path / "a", SHIPPED, OPEN)
    assert max(sizes(misses_of(SHIPPED, served))) < 1e-6
    assert min(sizes(misses_of(SLOW, served))) > 0.1


def test_a_summary_alone_is_refused(tmp_path: Path) -> None:
    served = measured(tmp_path / "a", SHIPPED, OPEN)
    summary = replace(served.run, requests=None, max_concurrency=4, completed=8, prompt_tokens=9.0)
    summary = replace(summary, output_tokens=9.0, request_rate_per_s=None)
    with pytest.raises(BenchError, match="holds no single requests"):
        fit_replays(SHIPPED, [replace(served, run=summary)], "made up")
