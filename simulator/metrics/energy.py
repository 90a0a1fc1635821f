"""Energy and money of the GPUs that the plan uses, over the window.

Assumed, not measured: the power of a GPU is linear in the busier of compute and memory, from its idle
power to its limit.  Ignored: the host and cooling, GPUs of the node that the plan leaves out, clocks that
fall under load, networks.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from simulator.hardware import Gpu
from simulator.metrics.hardware import WindowWork
from simulator.metrics.window import Window
from simulator.units import SECONDS_PER_HOUR

ASSUMPTION: Final = "assumed: linear in the busier of compute and memory"
"""Label of every power figure."""


def dynamic_joules(work: WindowWork, gpu: Gpu) -> float:
    """Return the energy above idle of one GPU of every replica, J.

    A row's utilisation is the longer of its least compute and least memory time over the time it took,
    at most 1.
    """
    bound = np.maximum(work.compute_seconds, work.memory_seconds)
    busy = np.minimum(bound, work.row_seconds)
    return (gpu.tdp_watts.value - gpu.idle_watts.value) * work.total(busy)


def energy(
    work: WindowWork, window: Window, gpu: Gpu, *, gpus: int, tp: int, tokens: float, solved: int
) -> dict[str, object]:
    """Return joules of the plan's GPUs: in all, per output token and per solved task.

    Parameters
    ----------
    work, window : what the replicas did, and when.
    gpu : the GPU type.
    gpus : GPUs of the plan.
    tp : GPUs of a replica.
    tokens : output tokens in the window.
    solved : tasks solved in the window.

    Notes
    -----
    All but the assumption is None for a latency model without operations: its utilisation is unknown.
    """
    if not work.flops and not work.hbm_bytes:
        nothing = ("joules", "joules_per_output_token", "joules_per_solved_task", "mean_watts_per_gpu")
        return {**dict.fromkeys(nothing), "assumption": ASSUMPTION}
    idle = gpu.idle_watts.value * gpus * window.seconds
    joules = idle + tp * dynamic_joules(work, gpu)
    watts = window.per_second(joules / gpus)
    return {
        "joules": joules,
        "joules_per_output_token": joules / tokens if tokens else None,
        "joules_per_solved_task": joules / solved if solved else None,
        "mean_watts_per_gpu": watts,
        "assumption": ASSUMPTION,
    }


def cost(window: Window, gpu: Gpu, *, gpus: int, tokens: float, solved: int) -> dict[str, object]:
    """Return what renting the plan's GPUs for the window costs, USD, busy or not."""
    price = gpu.price_usd_per_hour
    usd = gpus * price.value * window.seconds / SECONDS_PER_HOUR
    return {
        "usd": usd,
        "usd_per_solved_task": usd / solved if solved else None,
        "usd_per_million_output_tokens": usd / tokens * 1e6 if tokens else None,
        "price_source": price.source,
    }
