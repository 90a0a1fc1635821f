"""How full the node is: batch, running and waiting trials, KV cache, busy time."""

from __future__ import annotations

import numpy as np

from simulator.attention.work import IntVector
from simulator.kvcache import KvCapacity
from simulator.metrics.distributions import distribution
from simulator.metrics.step_parts import StepParts
from simulator.metrics.tables import RunTables
from simulator.metrics.window import Window


def _mean_present(window: Window, start_ns: IntVector, end_ns: IntVector) -> float | None:
    """Return the time average of how many of the stretches cover a moment of the window."""
    length = window.end_ns - window.start_ns
    return int(window.overlap_ns(start_ns, end_ns).sum()) / length if length > 0 else None


def present(tables: RunTables) -> dict[str, tuple[IntVector, IntVector]]:
    """Return the (start, end) of each trial's time ``waiting`` and ``running``, ns.

    A trial waits from submission to its first admission and runs from there to its end; a preempted
    one counts as running.  What had not ended is taken to the end of the run.
    """
    trials = tables.trials
    end = np.where(trials["ended_ns"] >= 0, trials["ended_ns"], tables.end_ns)
    start = np.where(trials["started_ns"] >= 0, trials["started_ns"], end)
    return {"waiting": (trials["submitted_ns"], start), "running": (start, end)}


def _blocks(tables: RunTables, parts: StepParts, window: Window) -> tuple[float, int] | tuple[None, None]:
    """Return mean and maximum of the KV blocks of a stepping replica, the mean over the time it steps."""
    steps = tables.steps
    stepped = window.overlap_ns(steps["start_ns"], steps["end_ns"]) > 0
    if not stepped.any():
        return None, None
    weights = window.overlap_ns(parts.start_ns, parts.end_ns).astype(np.float64)
    mean = float((weights * parts.kv_blocks).sum() / weights.sum())
    return mean, int(steps["kv_blocks"][stepped].max())


def load(
    tables: RunTables, parts: StepParts, window: Window, replicas: int, capacity: KvCapacity
) -> dict[str, object]:
    """Return batch size, KV occupancy and busy time over the window.

    Notes
    -----
    The batch is that of decoding sequences of one replica, weighted by time while it steps; the mean of
    the KV blocks is weighted likewise, their maximum is over the ends of step rows, where they are most.
    Preemptions, and prompt tokens found cached at first admission, count over the whole run.
    """
    steps = tables.steps
    busy_ns = window.overlap_ns(steps["start_ns"], steps["end_ns"])
    length = window.end_ns - window.start_ns
    mean, most = _blocks(tables, parts, window)
    limited = capacity.limited
    batch = distribution(steps["decode_sequences"], busy_ns)
    del batch["count"]
    preemptions = int(tables.trials["preemptions"].sum())
    trials = len(tables.trials["preemptions"])
    started = tables.trials["started_ns"] >= 0
    prompt_tokens = int(tables.trials["prompt_tokens"][started].sum())
    cached_tokens = int(tables.trials["cached_tokens"][started].sum())
    return {
        "batch_sequences": batch,
        "busy_ratio": int(busy_ns.sum()) / (length * replicas) if length > 0 else None,
        "running_mean": _mean_present(window, *present(tables)["running"]),
        "waiting_mean": _mean_present(window, *present(tables)["waiting"]),
        "kv_tokens_mean": None if mean is None else mean * capacity.block_tokens,
        "kv_tokens_max": None if most is None else most * capacity.block_tokens,
        "kv_bytes_max": None if most is None else most * capacity.block_bytes,
        "kv_occupancy_mean_ratio": mean / capacity.blocks if limited and mean is not None else None,
        "kv_occupancy_max_ratio": most / capacity.blocks if limited and most is not None else None,
        "cached_prompt_ratio": cached_tokens / prompt_tokens if prompt_tokens else None,
        "preemptions": preemptions,
        "preemptions_per_trial": preemptions / trials if trials else None,
    }
