"""The table of whole runs: what is read, what is left out, and what is said of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.errors import TraceFormatError
from simulator.hardware import Calibration
from simulator.scenario.catalog import find
from simulator.scenario.loader import load_part, load_scenario
from simulator.validate.replay_fit import Misses
from simulator.validate.whole_runs import (
    CODE,
    CODE_64,
    CODE_4096,
    RUNS,
    Row,
    closed_loop,
    fitted_without,
    judged,
    reached,
    served_of,
    table,
)

HEAD = "run,batch,workload,prompt_tokens,output_tokens,e2e_s\n"
ROWS = "a,1,real,100,20,2.5\nb,1,real,7,8,1.0\na,0,warm,1,1,0.1\na,1,real,300,40,4.0\n"


def test_a_closed_loop_is_its_own_real_requests_in_their_order(tmp_path: Path) -> None:
    path = tmp_path / "requests.csv"
    path.write_text(HEAD + ROWS, encoding="utf-8")
    requests = closed_loop(path, "a").requests
    assert requests is not None
    assert (requests.prompt_tokens, requests.output_tokens) == ((100, 300), (20, 40))
    assert requests.e2e_s == (2.5, 4.0)
    with pytest.raises(TraceFormatError, match="no requests of the run 'c'"):
        closed_loop(path, "c")


def test_no_run_is_told_by_itself_and_every_server_is_shipped() -> None:
    names = [run.name for run in RUNS]
    assert len(set(names)) == len(names)
    for run in RUNS:
        assert run.name not in run.told_by
        assert set(run.told_by) <= set(names)
        assert load_scenario(run.scenario).variants


def test_runs_that_begin_alike_have_a_server_that_says_so_and_are_told_by_each_other() -> None:
    runs = {run.name: run for run in RUNS if run.name in (CODE, CODE_64, CODE_4096)}
    shared = {name: load_scenario(run.scenario) for name, run in runs.items()}
    assert {name: one.workload.shared_prefix_tokens for name, one in shared.items()} == {
        CODE: 0,
        CODE_64: 1024,
        CODE_4096: 1024,
    }
    assert all(one.engine.kv.prefix_sharing for one in shared.values())
    assert [shared[name].engine.max_batched_tokens for name in (CODE_64, CODE_4096)] == [64, 4096]
    for name, run in runs.items():
        assert set(run.told_by) == runs.keys() - {name}


def test_each_run_that_tells_numbers_gives_a_row_of_its_own(tmp_path: Path) -> None:
    head = "request_id,arrival_s,prompt_tokens,output_tokens,ttft_s,tpot_s,e2e_s\n"
    rows = "".join(f"{place},{0.5 * place},1100,3,0.2,0.03,0.26\n" for place in range(4))
    for run in RUNS:
        if run.name in (CODE, CODE_64):
            (tmp_path / run.where).parent.mkdir(parents=True)
            (tmp_path / run.where).write_text(head + rows, encoding="utf-8")
    found = judged(tmp_path)
    elsewhere = "runs of other models"
    assert [(row.run.name, row.source) for row in found] == [
        (CODE, elsewhere),
        (CODE, f"fitted to {CODE_64}"),
        (CODE_64, elsewhere),
        (CODE_64, f"fitted to {CODE}"),
    ]
    assert len({row.misses for row in found}) == 4


@pytest.mark.parametrize("run", [run for run in RUNS if run.steps], ids=lambda run: run.name)
def test_numbers_from_steps_leave_out_the_number_of_gpus_that_is_judged(run: object) -> None:
    (chosen,) = [one for one in RUNS if one is run]
    shipped = load_part(find("calibration", "b300-sxm.vllm"), Calibration)
    found = fitted_without(shipped, chosen.steps or "")
    assert found.gemm == shipped.gemm
    states = found.linear_attention
    own = states.serving if "qwen3.6" in chosen.scenario and states else found.serving
    shipped_states = shipped.linear_attention
    theirs = shipped_states.serving if "qwen3.6" in chosen.scenario and shipped_states else shipped.serving
    assert own is not None
    assert theirs is not None
    assert own.fitted.rows < theirs.fitted.rows
    assert load_scenario(chosen.scenario).parallelism.tp == int((chosen.steps or "").split("-tp")[-1])


def test_runs_that_are_not_there_are_left_out(tmp_path: Path) -> None:
    assert served_of(tmp_path, RUNS[0]) is None
    with pytest.raises(TraceFormatError, match="holds none of the runs, for example llmservingsim"):
        judged(tmp_path)


def test_a_row_says_what_is_reached() -> None:
    rows = [Row(RUNS[0], "x", Misses(-0.12, 0.049, -0.051)), Row(RUNS[-1], "y", Misses(None, None, 0.2))]
    first, second = table(rows).splitlines()[2:]
    assert first.endswith("| x | -12.0 % | +4.9 % | -5.1 % | per token | +0.6 %, +0.2 %, +0.5 % |")
    assert second.endswith("| y | - | - | +20.0 % | none | - |")
    assert reached(Misses(0.1, 0.05, -0.05)) == "all"
