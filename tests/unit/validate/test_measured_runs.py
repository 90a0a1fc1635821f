"""A measured run replayed: a run of our own has no error, a changed one the error of the change."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "measured"))

from bench_files import detailed, even_requests, summary, vllm
from own_runs import CLOSED, OPEN, document, run, slower, write
from tool_files import save, scrape

from simulator import load_scenario, simulate
from simulator.errors import ScenarioError, SimulatorError, TraceFormatError
from simulator.measured import BenchRun, Requests, Statistics, read_measured, read_runs
from simulator.validate.comparison import Compared, Quantity, compared, single_errors
from simulator.validate.measured_run import Judgement, chosen_run, judgement
from simulator.validate.replay import replay
from simulator.validate.sides import RequestTimes, Side, measured_side
from simulator.validate.told_load import ToldLoad, overrides_of, sidecar_of
from simulator.validate.verdict import DEFAULTS, judge, tolerances

NOTHING = ToldLoad()
TIGHT = {"ttft.mean": 1e-9, "ttft.p99": 1e-9, "tpot.distance": 1e-9, "e2e.p90_error": 1e-9}


def judged(path: Path, scenario: dict[str, Any], said: ToldLoad = NOTHING, **allowed: float) -> Judgement:
    limits = {name.replace("_at_", "."): size for name, size in allowed.items()} or DEFAULTS
    return judgement(
        load_scenario(scenario), chosen_run([path], None), said, allowed=limits, asked=bool(allowed)
    )


@pytest.mark.parametrize(
    "arrivals", [OPEN, {"kind": "all_at_once"}, {"kind": "gamma", "rate_per_s": 3.0, "cv": 2.0}]
)
@pytest.mark.parametrize("engine", [{}, {"kv": {"blocks": 400}}, {"latency": "auto"}])
def test_a_run_of_our_own_has_no_error(
    tmp_path: Path, arrivals: dict[str, Any], engine: dict[str, Any]
) -> None:
    path = write(tmp_path, run(arrivals, **engine))
    one = judged(path, document({"kind": "all_at_once"}, **engine))
    assert set(one.compared.quantities) == {
        *("ttft", "tpot", "e2e", "output_tokens_per_s", "requests_per_s"),
        *("in_flight", "running", "waiting", "kv"),
    }
    for quantity in one.compared.quantities.values():
        for figure in quantity.known:
            assert quantity.error(figure) == pytest.approx(0.0, abs=1e-9), (quantity.name, figure)
    for regime in one.compared.regimes:
        for quantity in regime.quantities:
            assert [quantity.error(figure) for figure in quantity.known] == pytest.approx([0.0] * 4, abs=1e-9)
    assert sum(regime.count for regime in one.compared.regimes[:3]) == 40
    assert one.verdict.inside


def test_the_runs_of_our_own_wait_and_preempt() -> None:
    # Otherwise the test above could not see a queue or a preemption that is replayed wrongly.
    result = run({"kind": "all_at_once"}, kv={"blocks": 400})
    assert result.summary["load"]["preemptions"] > 0
    assert result.summary["load"]["waiting_mean"] > 1.0


def test_a_closed_loop_of_our_own_has_no_error(tmp_path: Path) -> None:
    path = write(tmp_path, run(CLOSED))
    one = judged(path, document(OPEN), ToldLoad(concurrency=5))
    assert one.replay.load == "40 requests, 5 in flight"
    for name in ("ttft", "tpot", "e2e", "output_tokens_per_s", "running", "kv"):
        quantity = one.compared.quantities[name]
        assert [quantity.error(figure) for figure in quantity.known] == pytest.approx(
            [0.0] * len(quantity.known), abs=1e-9
        )


def test_what_prompts_have_in_common_comes_from_the_scenario(tmp_path: Path) -> None:
    shared = document(OPEN)
    shared["workload"]["shared_prefix_tokens"] = 200
    path = write(tmp_path, simulate(load_scenario(shared)))
    told, untold = judged(path, shared), judged(path, document(OPEN))
    assert told.verdict.inside
    assert told.compared.quantities["ttft"].error("mean") == pytest.approx(0.0, abs=1e-9)
    assert "begin with the same 200 tokens, as the scenario says" in " ".join(told.replay.notes)
    assert untold.compared.quantities["ttft"].error("mean") > 0.1


def test_slower_tokens_are_found_as_they_were_changed(tmp_path: Path) -> None:
    path = write(tmp_path, run(OPEN), change=slower(1.1))
    one = judged(path, document(OPEN))
    tpot, ttft = one.compared.quantities["tpot"], one.compared.quantities["ttft"]
    for figure in ("mean", "p50", "p90", "p99"):
        assert tpot.error(figure) == pytest.approx(1.0 / 1.1 - 1.0, abs=1e-9)
    for figure in ("median_error", "p90_error", "distance"):
        assert tpot.error(figure) == pytest.approx(1.0 - 1.0 / 1.1, abs=1e-9)
    assert ttft.error("p90_error") == pytest.approx(0.0, abs=1e-9)
    assert [each.name for each in one.verdict.judged if not each.inside] == ["tpot.mean", "e2e.mean"]
    assert not one.verdict.inside


def test_the_order_of_rows_and_other_columns_do_not_matter(tmp_path: Path) -> None:
    path = write(tmp_path, run(OPEN), series=False)
    head, *rows = path.read_text(encoding="utf-8").splitlines()
    mixed = [f"{head},stage", *(f"{row},7" for row in reversed(rows))]
    path.write_text("\n".join(mixed) + "\n", encoding="utf-8")
    assert judged(
        path, document(OPEN), **{name.replace(".", "_at_"): size for name, size in TIGHT.items()}
    ).verdict.inside


def test_single_requests_are_matched_by_their_order() -> None:
    # The same distribution in another order: no distance, but errors of single requests.
    errors, count = single_errors(np.array([1.0, 2.0]), np.array([2.0, 1.0]))
    assert errors == pytest.approx({"median_error": 0.75, "p90_error": 0.95, "distance": 0.0})
    assert count == 2
    assert single_errors(np.array([0.0, math.nan]), np.array([1.0, 1.0])) == ({}, 0)


def side(ttft: list[float], start: list[float], prompts: list[float]) -> Side:
    ones = np.ones(len(ttft))
    requests = RequestTimes(
        np.array(start), np.array(prompts), ones, np.array(ttft), np.full(len(ttft), np.nan), np.array(ttft)
    )
    stats = {"ttft": Statistics(float(np.mean(ttft)), None, {})}
    return Side(stats, requests, None, None, None)


def test_regimes_are_thirds_by_prompt_and_by_load() -> None:
    measured = side([1.0] * 6, [0.0, 0.1, 0.2, 5.0, 5.1, 9.0], [10, 20, 30, 40, 50, 60])
    simulated = side([1.0, 1.0, 1.5, 1.5, 2.0, 2.0], [0.0] * 6, [10, 20, 30, 40, 50, 60])
    found = compared(measured, simulated).regimes
    assert [(one.name, one.count, one.quantities[0].error("mean")) for one in found] == [
        ("prompt 10 to 20 tokens", 2, 0.0),
        ("prompt 30 to 40 tokens", 2, pytest.approx(0.5)),
        ("prompt 50 to 60 tokens", 2, pytest.approx(1.0)),
        ("in flight 1 to 1 requests", 3, pytest.approx(0.5)),
        ("in flight 2 to 2 requests", 2, pytest.approx(0.5)),
        ("in flight 3 to 3 requests", 1, pytest.approx(0.5)),
    ]


def test_a_mean_that_is_a_unit_off_is_noted() -> None:
    measured, simulated = side([50.0] * 6, [0.0] * 6, [1] * 6), side([0.05] * 6, [0.0] * 6, [1] * 6)
    (first, *_) = compared(measured, simulated).notes
    assert first.startswith(
        "time to first token is 50 measured and 0.05 simulated, 1e+03 times apart: is it in"
    )


def bench(run_: BenchRun, path: Path, **changes: object) -> Path:
    return save(path, {**vllm(run_), **changes})


def test_lists_of_a_closed_loop_are_replayed_in_their_order() -> None:
    requests = even_requests(20, prompt=500, output=50, ttft_s=0.04, itl_s=0.01)
    made = replay(load_scenario(document(OPEN)), detailed(summary(), requests), NOTHING)
    arrivals = made.scenario.workload.arrivals
    assert (arrivals.kind, arrivals.concurrency, made.scenario.workload.count) == ("closed_loop", 8, 20)
    assert arrivals.recorded_prompt_tokens == (500,) * 20
    assert made.rows == tuple(range(20))


def test_a_rate_draws_arrivals_and_keeps_lengths() -> None:
    made = replay(load_scenario(document(OPEN)), summary(concurrency=None, rate=4.0), NOTHING)
    times = made.scenario.workload.arrivals.table.arrivals_s  # type: ignore[union-attr] - drawn arrivals are a trace
    assert times[0] == 0.0
    assert times[-1] == pytest.approx(25.0, rel=0.3)
    assert made.load == "100 requests at 4 a second, arrivals drawn with seed 0"
    assert made.notes == ("all requests have the mean lengths, 500 and 200 tokens",)
    steady = replay(
        load_scenario(document(OPEN)), replace(summary(concurrency=None, rate=4.0), gap_cv=0.0), NOTHING
    )
    assert np.diff(steady.scenario.workload.arrivals.table.arrivals_s) == pytest.approx(0.25)  # type: ignore[union-attr] - drawn arrivals are a trace


def test_mean_lengths_keep_their_mean() -> None:
    made = replay(load_scenario(document(OPEN)), replace(summary(), output_tokens=10.3), NOTHING)
    outputs = made.scenario.workload.arrivals.recorded_output_tokens
    assert outputs is not None
    assert set(outputs) == {10, 11}
    assert sum(outputs) == 1030


def test_failed_requests_are_prompts_that_are_not_compared() -> None:
    good = even_requests(20, prompt=500, output=50, ttft_s=0.04, itl_s=0.01)
    mixed = Requests(
        (7, *good.prompt_tokens),
        (0, *good.output_tokens),
        (0.0, *good.ttft_s),
        ((), *good.itl_s),
        (True, *good.failed),
    )
    measured = detailed(summary(), mixed)
    made = replay(load_scenario(document(OPEN)), measured, NOTHING)
    assert made.scenario.workload.arrivals.recorded_output_tokens[:2] == (1, 50)  # type: ignore[index] - these lengths are recorded
    assert "1 requests without an answer are replayed as prompts with one token, not compared" in made.notes
    found, kept = measured_side(measured, made.rows)
    assert kept.tolist() == [False, *[True] * 20]
    assert found.requests is not None
    assert len(found.requests.ttft_s) == 20


def test_a_load_that_is_not_said_is_asked_for_by_name() -> None:
    with pytest.raises(TraceFormatError) as found:
        replay(load_scenario(document(OPEN)), summary(concurrency=None, rate=None), NOTHING)
    assert str(found.value) == (
        "result.json:1: says neither when requests came nor how many were in flight, which a replay needs: "
        "give --concurrency, --rate, or concurrency, rate_per_s in result.json.kinesim.yaml beside it"
    )


def test_lengths_and_counts_that_are_not_said_are_asked_for_together() -> None:
    bare = replace(
        summary(concurrency=None, rate=2.0), prompt_tokens=None, output_tokens=None, completed=None
    )
    with pytest.raises(
        TraceFormatError, match="prompt_tokens, output_tokens, requests, which a replay needs"
    ) as found:
        replay(load_scenario(document(OPEN)), bare, NOTHING)
    assert "give --prompt-tokens, --output-tokens, --requests, or" in str(found.value)
    said = ToldLoad(prompt_tokens=10.0, output_tokens=3.0, requests=7)
    assert replay(load_scenario(document(OPEN)), bare, said).scenario.workload.count == 7


def test_a_run_without_an_answer_is_refused(tmp_path: Path) -> None:
    def unanswered(cells: dict[str, Any]) -> None:
        cells["output_tokens"], cells["tpot_s"] = 0, ""

    path = write(tmp_path, run(OPEN), change=unanswered)
    with pytest.raises(TraceFormatError, match=r"requests\.csv:1: no request was answered"):
        judged(path, document(OPEN))


def test_failures_and_a_limit_beside_a_drawn_rate_are_noted() -> None:
    limited = replace(summary(concurrency=9, rate=4.0), failed=3)
    notes = replay(load_scenario(document(OPEN)), limited, NOTHING).notes
    assert "the client's limit of 9 requests in flight beside its rate is not replayed" in notes
    assert "3 requests failed; the figures of the file are of the others" in notes
    # Measured arrivals are those that the limit let through.
    requests = replace(even_requests(20, prompt=5, output=9, ttft_s=0.1, itl_s=0.1), start_s=tuple(range(20)))
    known = replace(detailed(summary(), requests), request_rate_per_s=4.0, max_concurrency=9)
    made = replay(load_scenario(document(OPEN)), known, NOTHING)
    assert made.load == "measured arrivals of 20 requests over 19 s"
    assert made.notes == ()


def test_more_requests_than_a_scenario_holds_are_refused() -> None:
    many = replace(summary(), completed=10**15)
    with pytest.raises(
        TraceFormatError, match="1e\\+15 requests are more than the 10000000 that can be simulated"
    ):
        replay(load_scenario(document(OPEN)), many, NOTHING)
    assert replay(load_scenario(document(OPEN)), many, ToldLoad(requests=9)).scenario.workload.count == 9


def test_what_the_file_has_is_not_said_again() -> None:
    requests = even_requests(20, prompt=500, output=50, ttft_s=0.04, itl_s=0.01)
    with pytest.raises(TraceFormatError, match="prompt_tokens: the file has the lengths of each request"):
        replay(load_scenario(document(OPEN)), detailed(summary(), requests), ToldLoad(prompt_tokens=9.0))
    with pytest.raises(TraceFormatError, match="a concurrency and a rate are given: choose one"):
        replay(load_scenario(document(OPEN)), summary(), ToldLoad(concurrency=1, rate_per_s=1.0))


def test_requests_that_do_not_fit_the_model_are_refused_with_the_file() -> None:
    with pytest.raises(
        ScenarioError, match=r"result.json:1: a request does not fit the scenario: .*is published"
    ):
        replay(load_scenario(document(OPEN)), replace(summary(), prompt_tokens=1e6), NOTHING)


def test_another_model_than_the_scenarios_is_refused(tmp_path: Path) -> None:
    path = bench(summary(model="meta-llama/Llama-3.1-8B"), tmp_path / "a.json")
    with pytest.raises(TraceFormatError, match="llama, not qwen; the scenario has qwen3-8b"):
        judged(path, document(OPEN))


def test_scrapes_need_the_time_between_them(tmp_path: Path) -> None:
    paths = [save(tmp_path / f"{name}.txt", scrape(requests=count)) for name, count in (("a", 1), ("b", 61))]
    (measured,) = read_measured(paths)
    with pytest.raises(TraceFormatError, match=r"says neither when"):
        replay(load_scenario(document(OPEN)), measured, NOTHING)
    made = replay(load_scenario(document(OPEN)), measured, ToldLoad(duration_s=30.0))
    assert made.load == "60 requests at 2 a second, arrivals drawn with seed 0"


def test_a_summary_is_compared_by_the_percentiles_it_has(tmp_path: Path) -> None:
    path = bench(summary(), tmp_path / "a.json", p95_ttft_ms=60.0, p99_tpot_ms=11.0)
    one = judged(path, document(OPEN))
    assert {name: sorted(each.figures) for name, each in one.compared.quantities.items()} == {
        "ttft": ["mean", "p50", "p95"],
        "tpot": ["mean", "p99"],
        "itl": ["mean"],
        "output_tokens_per_s": ["mean"],
        "requests_per_s": ["mean"],
    }
    assert one.compared.regimes == ()


def test_a_file_of_several_runs_asks_which(tmp_path: Path) -> None:
    path = save(tmp_path / "a.json", vllm(summary(concurrency=4)), vllm(summary(concurrency=8)))
    with pytest.raises(
        TraceFormatError, match=r"holds 2 runs; choose one:\n  --run 1: line 1, 100 requests, 4 in"
    ):
        chosen_run([path], None)
    assert chosen_run([path], 2).max_concurrency == 8
    with pytest.raises(TraceFormatError, match="holds 2 runs"):
        chosen_run([path], 3)


def test_what_the_file_says_of_its_server_is_held_against_the_scenario() -> None:
    stated = {"tp": "8", "gpu": "b200", "precision": "fp4", "kv_blocks": "7 of 16 tokens"}
    measured = replace(summary(), stated=stated, stats={"ttft": Statistics(0.05)})
    one = judgement(load_scenario(document(OPEN)), measured, NOTHING, allowed=DEFAULTS, asked=False)
    notes = "; ".join(one.notes)
    assert "the file says tp 8, the scenario has 1; the file says b200, the scenario has h100-sxm" in notes
    assert "the file says fp4, the scenario has weights in bf16" in notes
    assert "KV blocks: 7 of 16 tokens on the server, " in notes


def test_a_sidecar_says_what_options_do_not(tmp_path: Path) -> None:
    save(tmp_path / "a.json.kinesim.yaml", "concurrency: 4\nrequests: 9\nset: {parallelism.tp: 2}\n")
    sidecar = sidecar_of(tmp_path / "a.json")
    assert NOTHING.over(sidecar) == ToldLoad(concurrency=4, requests=9)
    # A rate in place of the concurrency, not beside it.
    assert ToldLoad(rate_per_s=2.0).over(sidecar) == ToldLoad(rate_per_s=2.0, requests=9)
    assert overrides_of(sidecar) == ["parallelism.tp=2"]
    assert sidecar_of(tmp_path / "b.json") is None


def test_a_wrong_sidecar_is_answered_with_its_lines(tmp_path: Path) -> None:
    save(tmp_path / "a.json.kinesim.yaml", "concurency: 4\nrequests: -1\n")
    with pytest.raises(ScenarioError) as found:
        sidecar_of(tmp_path / "a.json")
    told = str(found.value)
    assert "a.json.kinesim.yaml:1: concurency: " in told
    assert "concurrency" in told
    assert "a.json.kinesim.yaml:2: requests: " in told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("tpot.mean=5", "'5' is no part in percent; for example tpot.mean=5%"),
        ("tpot.mean", "'' is no part in percent"),
        ("tpott.mean=5%", "no quantity 'tpott'; did you mean tpot? (allowed: ttft, tpot"),
        ("tpot.meen=5%", "no figure 'meen'; did you mean mean? (allowed: mean, p50"),
        ("tpot=5%", "no figure ''; (allowed: mean"),
    ],
)
def test_wrong_tolerances_are_answered_with_what_is_allowed(text: str, told: str) -> None:
    with pytest.raises(SimulatorError) as found:
        tolerances(["e2e.mean=1%", text])
    assert str(found.value).startswith(f"--tolerance {text}: ")
    assert told in str(found.value)


def test_a_tolerance_given_twice_is_refused() -> None:
    with pytest.raises(SimulatorError, match=r"e2e\.mean is given twice"):
        tolerances(["e2e.mean=1%", "e2e.mean=2%"])
    assert tolerances([]) == DEFAULTS


def test_figures_that_are_not_there_are_left_out_or_refused() -> None:
    found = Compared({"ttft": Quantity("ttft", {"mean": (1.0, 1.2), "p50": (0.0, 1.0)})}, (), ())
    verdict = judge(found, {"ttft.mean": 0.1, "tpot.mean": 0.1}, asked=False)
    assert [one.inside for one in verdict.judged] == [False, None]
    assert not verdict.inside
    assert judge(found, {"ttft.mean": 0.21}, asked=True).inside
    with pytest.raises(SimulatorError, match=r"--tolerance tpot.mean: .* it has ttft.mean, ttft.p50"):
        judge(found, {"ttft.mean": 0.1, "tpot.mean": 0.1}, asked=True)
    with pytest.raises(SimulatorError, match=r"--tolerance ttft.p50: .* or it is 0"):
        judge(found, {"ttft.p50": 0.1}, asked=False)


def test_json_holds_numbers_and_nothing_else(tmp_path: Path) -> None:
    path = write(tmp_path, run(OPEN), series=False)
    found = json.loads(json.dumps(judged(path, document(OPEN)).to_json(), allow_nan=False))
    assert found["quantities"]["ttft"]["error"]["mean"] == pytest.approx(0.0, abs=1e-9)
    assert found["verdict"]["inside"] is True
    assert found["measured"]["tool"] == "kinesim requests.csv"
    assert read_runs(path)[0].completed == 40
