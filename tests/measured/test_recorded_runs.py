"""Whole runs with recorded arrivals, replayed by calibrations that no number of them went into.

300 ShareGPT requests served by vLLM 0.19 on an RTX 4090 and on RTX PRO 6000 (measured for LLMServingSim), and
CodeLlama-34B served by vLLM 0.11 on H100 (BLIS).  Data lie beside a checkout; without them these tests skip.
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

from page import cells, to_the_digit

from simulator.api import simulate
from simulator.scenario.loader import load_scenario
from simulator.validate.whole_runs import judged, table

MEASURED = Path(__file__).parents[3] / "shared" / "data" / "measured"
UNDER = "Whole runs with recorded arrivals"

GEFORCE, PRO, MIXTURE, CODE = (
    "RTX 4090, 8B",
    "RTX PRO 6000, 8B",
    "RTX PRO 6000, 30B-A3B",
    "H100, CodeLlama-34B",
)
"""The columns of the page's table."""

FOLDERS = {
    GEFORCE: "llmservingsim/RTX4090__Llama-3.1-8B",
    PRO: "llmservingsim/RTXPRO6000__Llama-3.1-8B",
    MIXTURE: "llmservingsim/RTXPRO6000__Qwen3-30B-A3B-Instruct-2507",
    CODE: "blis_ground_truth/H100__codellama-34b_mixed_lengths",
}
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
}

pytestmark = pytest.mark.skipif(
    not (MEASURED / FOLDERS[GEFORCE]).is_dir(), reason="needs the measured runs beside the checkout"
)


def requests(run: str) -> pd.DataFrame:
    """Return the requests of a run by arrival."""
    rows = pd.read_csv(MEASURED / FOLDERS[run] / "requests.csv")
    return rows.sort_values("arrival_s", kind="stable").reset_index(drop=True)


def scenario(run: str, rows: pd.DataFrame) -> dict[str, Any]:
    """Return the server of a run and its requests."""
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
            },
            "strategy": {"kind": "long_cot"},
            "max_tokens": int(rows["output_tokens"].max()),
        },
    }


@cache
def replayed(run: str) -> pd.DataFrame:
    """Return the requests of a run with what the simulation gives beside what was measured."""
    rows = requests(run)
    trials = simulate(load_scenario(scenario(run, rows))).trials
    ttft = (trials["first_token_s"] - trials["submitted_s"]).to_numpy()
    e2e = (trials["ended_s"] - trials["submitted_s"]).to_numpy()
    later = rows["output_tokens"].to_numpy() - 1
    tpot = np.divide(e2e - ttft, later, out=np.full(len(rows), np.nan), where=later > 0)
    return rows.assign(simulated_ttft_s=ttft, simulated_tpot_s=tpot, simulated_e2e_s=e2e)


def off(run: str, name: str) -> float:
    """Return by how much a mean is off, %; times per token count where there are later tokens."""
    rows = replayed(run)
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


@pytest.mark.parametrize("run", [GEFORCE, CODE])
def test_two_of_the_runs_are_met(run: str) -> None:
    assert abs(off(run, "ttft_s")) < 10
    assert abs(off(run, "tpot_s")) < 5
    assert abs(off(run, "e2e_s")) < 5
