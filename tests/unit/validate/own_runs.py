"""Simulated runs written as if they had been measured, in our form."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from simulator import load_scenario, simulate
from simulator.api import Result
from simulator.validate.sides import state_at

OPEN = {"kind": "poisson", "rate_per_s": 6.0}
PROMPTS = {"median_tokens": 600.0, "log_sigma": 0.6, "longest_tokens": 4000}
CLOSED = {"kind": "closed_loop", "concurrency": 5}


def document(arrivals: dict[str, Any], **engine: object) -> dict[str, Any]:
    """Return a scenario of 40 requests of different lengths, one node each."""
    return {
        "schema": 1,
        "name": "own",
        "hardware": "h100-sxm-8",
        "model": {"preset": "qwen3-8b"},
        "engine": {"max_sequences": 16, "max_batched_tokens": 2048, "latency": "roofline", **engine},
        "workload": {
            "tasks": {
                "kind": "synthetic",
                "count": 40,
                "prompt_tokens": {"median_tokens": 600.0, "log_sigma": 0.6, "longest_tokens": 4000},
            },
            "lengths": {"kind": "lognormal", "median_tokens": 70.0, "log_sigma": 0.8},
            "outcomes": {"kind": "fixed", "solve_probability": 1.0},
            "arrivals": arrivals,
            "strategy": {"kind": "long_cot"},
            "max_tokens": 400,
        },
    }


def run(arrivals: dict[str, Any], **engine: object) -> Result:
    """Return a simulated run."""
    return simulate(load_scenario(document(arrivals, **engine)))


def write(
    folder: Path,
    result: Result,
    *,
    change: Callable[[dict[str, Any]], None] | None = None,
    series: bool = True,
) -> Path:
    """Write the records of a run as measured ones; `change` is applied to each row."""
    trials = result.trials
    origin = int(trials["submitted_ns"].min())
    lines = ["request_id,arrival_s,prompt_tokens,output_tokens,ttft_s,tpot_s,e2e_s"]
    for row in trials.to_dict("records"):
        tokens, first = row["output_tokens"], row["first_token_ns"] - row["submitted_ns"]
        whole = row["ended_ns"] - row["submitted_ns"]
        cells: dict[str, Any] = {
            "request_id": row["task"],
            "arrival_s": (row["submitted_ns"] - origin) / 1e9,
            "prompt_tokens": row["prompt_tokens"],
            "output_tokens": tokens,
            "ttft_s": first / 1e9,
            "tpot_s": (whole - first) / (tokens - 1) / 1e9 if tokens > 1 else "",
            "e2e_s": whole / 1e9,
        }
        if change is not None:
            change(cells)
        lines.append(",".join(str(cell) for cell in cells.values()))
    path = folder / "requests.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    if series:
        end = (int(trials["ended_ns"].max()) - origin) / 1e9
        state = state_at(result, np.linspace(0.0, end, 25))
        rows = zip(
            state.t_s, state.running, state.waiting, (100.0 * part for part in state.kv_ratio), strict=True
        )
        text = "\n".join(["t_s,running,waiting,kv_cache_pct", *(",".join(map(repr, row)) for row in rows)])
        (folder / "timeseries.csv").write_text(text + "\n", encoding="utf-8")
    return path


def slower(factor: float) -> Callable[[dict[str, Any]], None]:
    """Return a change that makes each token after the first take longer."""

    def change(cells: dict[str, Any]) -> None:
        if cells["tpot_s"] != "":
            cells["tpot_s"] *= factor
            cells["e2e_s"] = cells["ttft_s"] + cells["tpot_s"] * (cells["output_tokens"] - 1)

    return change
