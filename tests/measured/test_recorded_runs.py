"""Whole runs with recorded arrivals, replayed by calibrations that no number of them went into.

300 ShareGPT requests served by vLLM 0.19 on an RTX 4090 and on RTX PRO 6000 (measured for LLMServingSim), and
CodeLlama-34B served by vLLM 0.11 on H100 (BLIS), twice with prompts that begin alike.  Data lie beside a
checkout; without them these tests skip.
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from page import cells, figures, to_the_digit

from simulator.api import simulate
from simulator.scenario.loader import load_scenario
from simulator.validate.whole_runs import judged, table

MEASURED = Path(__file__).parents[3] / "shared" / "data" / "measured"
UNDER = "Whole runs with recorded arrivals"

GEFORCE, PRO, MIXTURE, CODE, CODE_64, CODE_4096 = (
    "RTX 4090, 8B",
    "RTX PRO 6000, 8B",
    "RTX PRO 6000, 30B-A3B",
    "H100, CodeLlama-34B",
    "the same, steps of 64",
    "the same, steps of 4096",
)
"""The columns of the page's table."""

FOLDERS = {
    GEFORCE: "llmservingsim/RTX4090__Llama-3.1-8B",
    PRO: "llmservingsim/RTXPRO6000__Llama-3.1-8B",
    MIXTURE: "llmservingsim/RTXPRO6000__Qwen3-30B-A3B-Instruct-2507",
    CODE: "blis_ground_truth/H100__codellama-34b_mixed_lengths",
    CODE_64: "blis_ground_truth/H100__codellama-34b_prefill_budget64",
    CODE_4096: "blis_ground_truth/H100__codellama-34b_prefill_budget4096",
}
PREFIX_TOKENS = 1024
"""What prompts of the last two have in common, by the source."""
SERVED: dict[str, dict[str, Any]] = {
    GEFORCE: {"gpu": "rtx-4090", "model": "llama-3.1-8b", "blocks": 2588, "sequences": 256, "tokens": 2048},
    PRO: {"gpu": "rtx-pro-6000", "model": "llama-3.1-8b", "blocks": 36_578, "sequences": 128, "tokens": 2048},
    # Two engines with the experts between them: the limits are those of both.
    MIXTURE: {
        "gpu": "rtx-pro-6000",
        "model": "qwen3-30b-a3b",
        "blocks": 2 * 38_590,
        "sequences": 256,
        "tokens": 4096,
        "gpus": 2,
    },
    CODE: {"gpu": "h100-sxm", "model": "codellama-34b", "blocks": 2537, "sequences": 256, "tokens": 4096},
    CODE_64: {"gpu": "h100-sxm", "model": "codellama-34b", "blocks": 2790, "sequences": 32, "tokens": 64},
}
SERVED[CODE_4096] = SERVED[CODE]

ONE, STAGE, NONE = "one for all", "one for each stage", "none"
"""Whose prompts have their first tokens in common."""

pytestmark = pytest.mark.skipif(
    not (MEASURED / FOLDERS[GEFORCE]).is_dir(), reason="needs the measured runs beside the checkout"
)


def requests(run: str) -> pd.DataFrame:
    """Return the requests of a run by arrival."""
    rows = pd.read_csv(MEASURED / FOLDERS[run] / "requests.csv")
    return rows.sort_values("arrival_s", kind="stable").reset_index(drop=True)


def shared(rows: pd.DataFrame, prefix: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what prompts have in common: of the arrivals, and of the workload.

    Parameters
    ----------
    prefix : `ONE` for the whole run, one for each `STAGE`, or `NONE`.
    """
    if prefix == NONE:
        return {}, {}
    if prefix == ONE:
        return {}, {"shared_prefix_tokens": PREFIX_TOKENS}
    stages = int(rows["stage"].max()) + 1
    prefixes = {
        "parents": [-1] * stages,
        "end_tokens": [PREFIX_TOKENS] * stages,
        "tasks": rows["stage"].tolist(),
    }
    return {"prefixes": prefixes}, {}


def scenario(run: str, rows: pd.DataFrame, prefix: str) -> dict[str, Any]:
    """Return the server of a run and its requests."""
    of_arrivals, of_workload = shared(rows, prefix)
    served = SERVED[run]
    gpus = served.get("gpus", 1)
    return {
        "schema": 1,
        "name": run,
        "hardware": {"kind": "node", "name": "server", "gpu": served["gpu"], "gpus": gpus},
        "model": {"preset": served["model"]},
        "parallelism": {"tp": gpus, "expert_parallel": gpus > 1, "data_attention": gpus > 1},
        "engine": {
            "latency": {"kind": "calibrated", "engine": "vllm"},
            "max_batched_tokens": served["tokens"],
            "max_sequences": served["sequences"],
            "kv": {"blocks": served["blocks"], "block_tokens": 16},
        },
        "workload": {
            "tasks": {"kind": "synthetic", "count": len(rows), "prompt_tokens": 1},
            "lengths": {"kind": "constant", "tokens": 1},
            "outcomes": {"kind": "fixed", "solve_probability": 1.0},
            "arrivals": {
                "kind": "trace",
                "arrivals_s": rows["arrival_s"].tolist(),
                "prompt_tokens": rows["prompt_tokens"].tolist(),
                "output_tokens": rows["output_tokens"].tolist(),
                **of_arrivals,
            },
            "strategy": {"kind": "long_cot"},
            "max_tokens": int(rows["output_tokens"].max()),
            **of_workload,
        },
    }


def replayed(run: str, prefix: str | None = None) -> pd.DataFrame:
    """Return the requests of a run with what the simulation gives beside what was measured."""
    return simulated(run, prefix or (ONE if run in (CODE_64, CODE_4096) else NONE))


@cache
def simulated(run: str, prefix: str) -> pd.DataFrame:
    rows = requests(run)
    trials = simulate(load_scenario(scenario(run, rows, prefix))).trials
    ttft = (trials["first_token_s"] - trials["submitted_s"]).to_numpy()
    e2e = (trials["ended_s"] - trials["submitted_s"]).to_numpy()
    later = rows["output_tokens"].to_numpy() - 1
    tpot = np.divide(e2e - ttft, later, out=np.full(len(rows), np.nan), where=later > 0)
    return rows.assign(simulated_ttft_s=ttft, simulated_tpot_s=tpot, simulated_e2e_s=e2e)


def off(run: str, name: str, prefix: str | None = None, stage: int | None = None) -> float:
    """Return by how much a mean is off, %; times per token count where there are later tokens."""
    rows = replayed(run, prefix)
    if stage is not None:
        rows = rows[rows["stage"] == stage]
    if name == "tpot_s":
        rows = rows[rows["output_tokens"] > 1]
    return 100.0 * float(rows[f"simulated_{name}"].mean() / rows[name].mean() - 1.0)


@pytest.mark.parametrize("run", FOLDERS)
@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("mean time to first token", "ttft_s"),
        ("mean time per output token", "tpot_s"),
        ("mean end to end", "e2e_s"),
    ],
)
def test_whole_runs_are_off_as_the_page_says(title: str, name: str, run: str) -> None:
    (told,) = cells(title, under=UNDER)[list(FOLDERS).index(run)]
    assert off(run, name) == to_the_digit(told, 0.1)


@pytest.mark.parametrize("run", FOLDERS)
def test_means_and_counts_are_those_of_the_page(run: str) -> None:
    rows, place = replayed(run), list(FOLDERS).index(run)
    assert cells("requests", under=UNDER)[place] == [len(rows)]
    ttft, tpot, e2e = cells("measured means: first token, per token, end to end", under=UNDER)[place]
    assert rows["ttft_s"].mean() == to_the_digit(ttft, 0.01)
    assert 1e3 * rows.loc[rows["output_tokens"] > 1, "tpot_s"].mean() == to_the_digit(tpot, 0.1)
    assert rows["e2e_s"].mean() == to_the_digit(e2e, 0.1)


def test_the_table_of_whole_runs_is_what_the_command_writes() -> None:
    told = (Path(__file__).parents[2] / "docs" / "validation.md").read_text(encoding="utf-8")
    assert table(judged(MEASURED)) in told


@pytest.mark.parametrize(("place", "run"), [(0, CODE_64), (1, CODE_4096)])
@pytest.mark.parametrize("prefix", [ONE, STAGE, NONE])
def test_what_prompts_have_in_common_is_worth_what_the_page_says(prefix: str, place: int, run: str) -> None:
    told = cells(f"beginning in common: {prefix}", under=UNDER)[place]
    for figure, name in zip(told, ("ttft_s", "tpot_s", "e2e_s"), strict=True):
        assert off(run, name, prefix) == to_the_digit(figure, 0.1)


def test_single_requests_are_short_in_all_three_runs() -> None:
    runs = (CODE, CODE_64, CODE_4096)
    told = figures(r"times to the first token are (\S*), (\S*) and (\S*) % short")
    assert [-off(run, "ttft_s", stage=0) for run in runs] == [to_the_digit(one, 0.1) for one in told]
    (most,) = figures(r"and (\S*) % short or less per token")
    assert max(-off(run, "tpot_s", stage=0) for run in runs) == to_the_digit(most, 0.1)


def test_most_of_the_first_tokens_time_is_that_of_the_burst() -> None:
    told = figures(r"All at once, its second stage, holds (\S*) to (\S*) % of all time to first tokens")
    parts = []
    for run in (CODE, CODE_64, CODE_4096):
        rows = requests(run)
        parts.append(100.0 * rows.loc[rows["stage"] == 1, "ttft_s"].sum() / rows["ttft_s"].sum())
    assert [min(parts), max(parts)] == [to_the_digit(one, 1.0) for one in told]


def test_the_api_server_takes_two_milliseconds_of_a_request_that_waits_for_no_step() -> None:
    (told,) = figures(r"where the engine is idle it takes (\S*) ms")
    for run in (CODE, CODE_64, CODE_4096):
        alone = requests(run).query("stage == 0")
        took_s = alone["ttft_s"] - alone["queue_s"] - alone["prefill_s"]
        assert 1e3 * took_s.median() == to_the_digit(told, 1.0)


def test_the_log_says_that_each_stage_has_a_beginning_of_its_own() -> None:
    for run, told in zip((CODE_64, CODE_4096), figures(r"log has (\S*) and (\S*) % of prompt"), strict=True):
        hits = pd.read_csv(MEASURED / FOLDERS[run] / "timeseries.csv")["prefix_hit_pct_cumulative"]
        assert hits.iloc[-1] == told
        rows = requests(run)
        found = (len(rows) - rows["stage"].nunique()) * PREFIX_TOKENS / rows["prompt_tokens"].sum()
        assert 100.0 * found == pytest.approx(told, abs=0.25)


@pytest.mark.parametrize("run", [GEFORCE, CODE])
def test_two_of_the_runs_are_met(run: str) -> None:
    assert abs(off(run, "ttft_s")) < 10
    assert abs(off(run, "tpot_s")) < 5
    assert abs(off(run, "e2e_s")) < 5
