"""Hand-made runs: a tiny scenario with round figures, and records written row by row."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from simulator.engine.records import STEP_COLUMNS, TASK_COLUMNS, TRIAL_COLUMNS, RunRecords, SequenceState
from simulator.kvcache import KvCapacity
from simulator.latency import StepLatency
from simulator.metrics import summarise
from simulator.scenario.schema import Scenario

S = 1_000_000_000
"""Nanoseconds in a second."""

PEAK, BANDWIDTH, IDLE, TDP, PRICE = 1e15, 1e12, 100.0, 500.0, 3.6
"""The made-up GPU: FLOP/s, bytes/s, W, W, USD/h; its ridge is 1000 FLOP/byte."""


def _figure(value: float) -> dict[str, Any]:
    return {"value": value, "source": "assumed: made up for tests"}


def _gpu() -> dict[str, Any]:
    return {
        "name": "round",
        "peak_flops_per_s": {"bf16": _figure(PEAK)},
        "hbm_bytes": _figure(1e11),
        "hbm_usable_bytes": _figure(1e11),
        "hbm_bandwidth_bytes_per_s": _figure(BANDWIDTH),
        "link_bandwidth_bytes_per_s": _figure(1e11),
        "l2_bytes": _figure(1e8),
        "tdp_watts": _figure(TDP),
        "idle_watts": _figure(IDLE),
        "price_usd_per_hour": _figure(PRICE),
        "allreduce_floor_s": _figure(1e-5),
    }


TINY: dict[str, Any] = {
    "name": "tiny",
    "layers": 2,
    "hidden_size": 256,
    "ffn_size": 512,
    "query_heads": 4,
    "kv_heads": 2,
    "head_dim": 64,
    "vocab_size": 1000,
    "tied_embeddings": True,
    "qk_norm": False,
    "qkv_bias": False,
    "max_context_tokens": 100_000,
    "source": "made up for tests",
}


def scenario(**parts: Any) -> Scenario:  # noqa: ANN401 - raw parts of a document
    """Return a scenario of four GPUs (tp 1, dp 2 unless given), parts replaced by name."""
    document: dict[str, Any] = {
        "schema": 1,
        "name": "made",
        "hardware": {"kind": "node", "name": "round-4", "gpu": _gpu(), "gpus": 4},
        "model": {"preset": TINY},
        "parallelism": {"tp": 1, "dp": 2},
        "workload": {
            "tasks": {"kind": "synthetic", "count": 4, "prompt_tokens": 10},
            "arrivals": {"kind": "all_at_once"},
            "lengths": {"kind": "constant", "tokens": 10},
            "outcomes": {"kind": "beta", "alpha": 1.0, "beta": 1.0},
            "strategy": {"kind": "best_of_n", "trials": 2},
        },
    }
    return Scenario.model_validate(document | parts)


def with_arrivals(arrivals: dict[str, Any], **parts: Any) -> Scenario:  # noqa: ANN401 - raw parts
    """Return `scenario` with other arrivals."""
    return with_workload(arrivals=arrivals, **parts)


def with_workload(**parts: Any) -> Scenario:  # noqa: ANN401 - raw parts of a document
    """Return `scenario` with parts of its workload, and perhaps others, replaced by name."""
    workload = scenario().model_dump(mode="json", by_alias=True)["workload"]
    inner = {name: parts.pop(name) for name in list(parts) if name in workload}
    return scenario(workload=workload | inner, **parts)


def capacity(*, blocks: int = 100, limited: bool = True) -> KvCapacity:
    """Return a pool of `blocks` blocks of 16 tokens and 1 kB."""
    return KvCapacity(
        blocks=blocks,
        block_tokens=16,
        block_bytes=1000.0,
        hbm_bytes=1e6,
        weight_bytes=4e5,
        activation_bytes=1e5,
        source="given" if limited else "unlimited",
    )


@dataclass
class Made:
    """Records in the making; times are in seconds, -1 for never."""

    steps: list[tuple[int, ...]] = field(default_factory=list)
    trials: list[tuple[int, ...]] = field(default_factory=list)
    tasks: list[tuple[int, ...]] = field(default_factory=list)

    def step(self, start: float, end: float, **values: int) -> Made:
        """Add a row of one step, or of equal steps with equal blocks, unless `values` say otherwise."""
        steps, each_ns = values.get("steps", 1), (_ns(end) - _ns(start)) // values.get("steps", 1)
        row = dict.fromkeys(STEP_COLUMNS, 0) | {
            "start_ns": _ns(start),
            "end_ns": _ns(end),
            "steps": steps,
            "kv_block_steps": steps * values.get("kv_blocks", 0),
            "first_step_ns": each_ns,
            "last_step_ns": each_ns,
        }
        self.steps.append(tuple((row | values)[name] for name in STEP_COLUMNS))
        return self

    def trial(
        self, task: int, submitted: float, started: float, first: float, ended: float, **values: int
    ) -> Made:
        """Add a trial; it is finished if it ended, unless `values` say otherwise."""
        state = SequenceState.FINISHED if ended >= 0 else SequenceState.RUNNING
        if started < 0:
            state = SequenceState.WAITING
        row = dict.fromkeys(TRIAL_COLUMNS, 0) | {
            "task": task,
            "node": sum(1 for t in self.trials if t[0] == task),
            "parent": -1,
            "prompt_tokens": 10,
            "output_tokens": 11,
            "submitted_ns": _ns(submitted),
            "started_ns": _ns(started),
            "first_token_ns": _ns(first),
            "ended_ns": _ns(ended),
            "state": int(state),
            "answer": -1,
        }
        self.trials.append(tuple((row | values)[name] for name in TRIAL_COLUMNS))
        return self

    def task(self, arrival: float, ended: float, *, solved: int = 0, **values: int) -> Made:
        """Add the next task, its counts taken from its trials unless given."""
        index = len(self.tasks)
        own = [dict(zip(TRIAL_COLUMNS, t, strict=True)) for t in self.trials if t[0] == index]
        row = {
            "task": index,
            "arrival_ns": _ns(arrival),
            "ended_ns": _ns(ended),
            "nodes": len(own),
            "finished_nodes": sum(t["state"] == SequenceState.FINISHED for t in own),
            "cancelled_nodes": sum(t["state"] == SequenceState.CANCELLED for t in own),
            "correct_nodes": sum(t["correct"] for t in own),
            "solved": solved,
            "prompt_tokens": 10,
            "output_tokens": sum(t["output_tokens"] for t in own),
        }
        self.tasks.append(tuple((row | values)[name] for name in TASK_COLUMNS))
        return self

    def records(self, *, end: float | None = None, pending: int = 0) -> RunRecords:
        """Return the records; the run ends at `end` or with its last row."""
        last = max([*(r[2] for r in self.steps), *(t[2] for t in self.tasks), 0])
        return RunRecords(
            steps=_matrix(self.steps, STEP_COLUMNS),
            trials=_matrix(self.trials, TRIAL_COLUMNS),
            tasks=_matrix(self.tasks, TASK_COLUMNS),
            end_ns=last if end is None else _ns(end),
            pending_tasks=pending,
        )


def _ns(seconds: float) -> int:
    return -1 if seconds < 0 else round(seconds * S)


def _matrix(rows: list[tuple[int, ...]], columns: tuple[str, ...]) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.array(rows, dtype=np.int64).reshape(-1, len(columns))


def bound(chosen: Scenario) -> StepLatency:
    """Return the scenario's latency model."""
    return chosen.engine.latency.bind(chosen.deployment())


def summary(chosen: Scenario, records: RunRecords, pool: KvCapacity | None = None) -> dict[str, Any]:
    """Return the summary of made records."""
    return summarise(chosen, records, pool or capacity(), bound(chosen))


def two_tasks() -> Made:
    """Return a run of 10 s: task 0 solved at 4 s, task 1 not solved at 10 s, two trials each."""
    made = Made()
    work = {"attended_tokens": 800, "read_tokens": 800}
    made.step(0.0, 2.0, replica=0, steps=20, decode_sequences=2, kv_blocks=10, **work)
    made.step(2.0, 3.0, replica=0, decode_sequences=2, prefill_tokens=20, prefill_ends=2, kv_blocks=30)
    made.step(0.0, 8.0, replica=1, steps=10, decode_sequences=4, kv_blocks=50, **work)
    made.trial(0, 0.0, 0.0, 1.0, 3.0, correct=1, answer=0)
    made.trial(0, 0.0, 1.0, 2.0, 4.0)
    made.trial(1, 2.0, 3.0, 4.0, 9.0)
    made.trial(1, 2.0, 5.0, 5.5, 10.0)
    made.task(0.0, 4.0, solved=1)
    made.task(2.0, 10.0)
    return made
