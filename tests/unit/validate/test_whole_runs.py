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
