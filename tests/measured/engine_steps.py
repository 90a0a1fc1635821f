"""Engine steps of vLLM 0.20 on B300 (Qwen3-32B, Qwen3.6-35B-A3B), made ready to compare.

The files log sums over the batch; who was in it follows from the requests' lengths. Two things are put right:
the step before a prompt holds part of the prompt's time (the host launches it early), and steps after an idle
time or marked as suspect are left out.
"""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from simulator.calibrate.step_checks import loads
from simulator.latency import StepLatency

MEASURED = Path(__file__).parents[3] / "shared" / "data" / "measured"
STEPS = MEASURED / "steps"
TPS = (1, 2, 8)
DENSE = tuple(f"qwen3-32b_tp{tp}" for tp in TPS)
HYBRID = {
    "qwen3.6-35b-a3b_tp1": 1,
    "qwen3.6-35b-a3b_tp4": 4,
    "qwen3.6-35b-a3b_tp4_ep4": 4,
    "qwen3.6-35b-a3b_tp8_ep8": 8,
}
"""GPUs of the runs of the model with linear attention; in the last two ranks hold whole experts."""

SOURCE = "ai-dynamo/aiconfigurator@60a0ffc304ca:fpm_golden_runs, vLLM 0.20.1, qwen3-32b, tp 1, 2, 8"
MOST_AT_ONCE = 4
CLIENTS = 32
EVEN_TOKENS = 50.0
"""Spread of contexts up to which the longest is the mean."""

Request = tuple[int, int]
"""Prompt and output tokens."""


def logged(run: str, segment: str | None = None) -> pd.DataFrame:
    """Return the log of a run, or of one segment of it."""
    rows = pd.read_csv(STEPS / f"{run}.csv.gz")
    return rows if segment is None else rows[rows["segment"] == segment].reset_index(drop=True)


def requests(run: str) -> list[Request]:
    """Return the requests of the real segment, in the order in which the client took them up."""
    rows = _asked(run)
    return list(zip(rows["prompt_tokens"].astype(int), rows["output_tokens"].astype(int), strict=True))


def end_to_end_s(run: str) -> np.ndarray:
    """Return how long the client waited for each of `requests`, s."""
    return _asked(run)["e2e_s"].to_numpy(dtype=np.float64)


def _asked(run: str) -> pd.DataFrame:
    rows = pd.read_csv(STEPS / "requests.csv")
    return rows[(rows["run"] == run) & (rows["workload"] == "real")]


class Batch:
    """How many sequences and tokens of each step no known request accounts for."""

    def __init__(self, steps: pd.DataFrame) -> None:
        self.count = steps["decode_sequences"].to_numpy(dtype=np.int64).copy()
        self.total = steps["decode_context_tokens"].to_numpy(dtype=np.int64).copy()
        self.longest = np.zeros(len(steps), dtype=np.int64)

    def add(self, request: Request, prefilled: int) -> None:
        """Account for a request whose prompt ended with the step `prefilled`."""
        prompt, output = request
        held = slice(prefilled + 1, min(len(self.count), prefilled + output))
        contexts = prompt + np.arange(held.stop - held.start)
        self.count[held] -= 1
        self.total[held] -= contexts
        self.longest[held] = np.maximum(self.longest[held], contexts)


def longest_contexts(steps: pd.DataFrame, asked: list[Request]) -> dict[int, int]:
    """Return the longest context, tokens, of the steps whose whole batch can be told, by ``step_index``."""
    batch, waiting = Batch(steps), list(asked)
    for request, prefilled in _left_alone(steps, asked):
        batch.add(request, prefilled)
        waiting.remove(request)
    while waiting and (open_steps := np.flatnonzero(batch.count > 0)).size:
        first = int(open_steps[0])
        count, total = int(batch.count[first]), int(batch.total[first])
        groups = combinations(waiting, count) if count <= MOST_AT_ONCE else iter(())
        joined = next((group for group in groups if sum(prompt for prompt, _ in group) == total), None)
        if joined is None:
            break
        for request in joined:
            batch.add(request, first - 1)
            waiting.remove(request)
    told = (batch.count == 0) & (batch.total == 0)
    return dict(zip(steps["step_index"][told].astype(int), batch.longest[told].tolist(), strict=True))


def _left_alone(steps: pd.DataFrame, asked: list[Request]) -> list[tuple[Request, int]]:
    """Return requests that left the batch alone, known by prompt plus output, and when their prompt ended."""
    count, total = (steps[name].to_numpy() for name in ("decode_sequences", "decode_context_tokens"))
    prompts = steps["prefill_tokens"].to_numpy() > 0
    by_length: dict[int, list[Request]] = {}
    for request in asked:
        by_length.setdefault(sum(request), []).append(request)
    found = []
    for at in np.flatnonzero((count[1:] == count[:-1] - 1) & ~prompts[:-1]):
        length = int(total[at] + count[at] - total[at + 1] + 1)
        alike = by_length.get(length, [])
        start = at - (alike[0][1] - 1) if len(alike) == 1 else -1
        if start >= 0 and prompts[start]:
            found.append((alike[0], int(start)))
    return found


def measured_steps() -> pd.DataFrame:
    """Return the steps of the dense runs in the columns that ``kinesim calibrate --from`` reads, and more.

    More are ``segment`` and ``phase``. Left out are steps whose longest context is not known.
    """
    return pd.concat([steps_of(run, tp) for run, tp in zip(DENSE, TPS, strict=True)], ignore_index=True)


def steps_of(run: str, tp: int, *, apart: bool = False) -> pd.DataFrame:
    """Return the steps of one run on `tp` GPUs, as `measured_steps` does.

    Parameters
    ----------
    run : name of the run.
    tp : GPUs.
    apart : leave out steps with prompts that follow on one another: on one GPU each holds the launch of the
        next.
    """
    rows = logged(run)
    seconds = settled_seconds(rows)
    known = longest_contexts(logged(run, "real"), requests(run))
    count = rows["decode_sequences"].to_numpy()
    real = (rows["segment"] == "real").to_numpy()
    mean = np.rint(rows["decode_context_tokens"].to_numpy() / np.maximum(count, 1))
    longest = np.where(real, rows["step_index"].map(known).to_numpy(dtype=np.float64), mean)
    even = (count < 2) | (rows["decode_context_sd"].to_numpy() <= EVEN_TOKENS)
    after_prompt = (rows["phase"] == "decode") & (rows["phase"].shift(fill_value="decode") != "decode")
    usable = (rows["suspect"] == 0) & (rows["idle_before"] == 0) & ~after_prompt
    usable &= np.where(real, ~np.isnan(longest), even)
    if apart:
        prompts = rows["phase"] != "decode"
        usable &= ~(prompts & (prompts.shift(fill_value=False) | prompts.shift(-1, fill_value=False)))
    table = pd.DataFrame(
        {
            "tp": tp,
            "sequences": count,
            "context_tokens": rows["decode_context_tokens"],
            "longest_tokens": np.nan_to_num(longest).astype(np.int64),
            "prefill_tokens": rows["prefill_tokens"],
            "prefill_sequences": rows["prefill_sequences"],
            "prefill_past_tokens": rows["prefill_past_tokens"],
            "step_s": seconds,
            "segment": rows["segment"],
            "phase": rows["phase"],
        }
    )
    return table[usable]


def settled_seconds(rows: pd.DataFrame) -> np.ndarray:
    """Return the durations, s, with what a prompt's launch took from the step before it given back."""
    seconds = rows["latency_ms"].to_numpy(dtype=np.float64) / 1e3
    decodes, idle = (rows["phase"] == "decode").to_numpy(), rows["idle_before"].to_numpy() == 1
    for at in range(2, len(rows)):
        if not decodes[at] and decodes[at - 1] and decodes[at - 2] and not idle[at] and not idle[at - 1]:
            early = seconds[at - 1] - seconds[at - 2]
            seconds[at - 1] -= early
            seconds[at] += early
    return seconds


def errors(bound: StepLatency, rows: pd.DataFrame) -> np.ndarray:
    """Return the relative error of every step."""
    predicted = np.array([float(bound.step_seconds(load)) for load in loads(rows)])
    return predicted / rows["step_s"].to_numpy() - 1.0


def median_and_p90(signed: np.ndarray) -> tuple[float, float]:
    """Return the median and the 90th percentile of the sizes of some errors."""
    size = np.abs(signed)
    return float(np.median(size)), float(np.percentile(size, 90))


def replay(
    run: str, model: str, tp: int, asked: list[Request], *, expert_parallel: bool = False
) -> dict[str, object]:
    """Return the scenario of 32 clients that take up the requests one after the other."""
    prompts, outputs = zip(*asked, strict=True)
    return {
        "schema": 1,
        "name": run,
        "hardware": {"kind": "node", "name": f"b300-{tp}", "gpu": "b300-sxm", "gpus": tp},
        "model": {"preset": model},
        "parallelism": {"tp": tp, "expert_parallel": expert_parallel},
        "engine": {
            "latency": {"kind": "calibrated", "engine": "vllm"},
            "max_batched_tokens": 8192,
            "max_sequences": 128,
        },
        "workload": {
            "tasks": {"kind": "synthetic", "count": len(asked), "prompt_tokens": 1},
            "lengths": {"kind": "constant", "tokens": 1},
            "outcomes": {"kind": "fixed", "solve_probability": 1.0},
            "arrivals": {
                "kind": "closed_loop",
                "concurrency": CLIENTS,
                "prompt_tokens": list(prompts),
                "output_tokens": list(outputs),
            },
            "strategy": {"kind": "long_cot"},
            "max_tokens": max(outputs),
        },
    }
