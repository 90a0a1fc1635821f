"""Energy, carbon and money of the GPUs that the plan uses, over the window.

Where the GPU's profile holds fitted power (`simulator.hardware.power`), that is taken.  Elsewhere it is
assumed, not measured: linear in the busier of compute and memory, from idle power to the limit.  Ignored:
the host and networks, GPUs of the node that the plan leaves out, clocks that fall under load, the carbon of
making the hardware, changes of the grid over the day.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from simulator.attention.work import FloatVector
from simulator.engine.records import SequenceState
from simulator.hardware import Gpu
from simulator.metrics.hardware import WindowWork
from simulator.metrics.tables import RunTables
from simulator.metrics.window import Window
from simulator.scenario.schema import Scenario
from simulator.units import JOULES_PER_KWH, SECONDS_PER_HOUR
from workloads.verifier import Verifier

ASSUMPTION: Final = "assumed: linear in the busier of compute and memory, idle to limit"
"""Label of every power figure of a GPU whose power was not measured."""


def basis(gpu: Gpu) -> str:
    """Return what the power figures rest on: ``assumed`` or ``fitted``, and how."""
    if gpu.power is None:
        return ASSUMPTION
    return f"fitted: saturates in the use of memory and compute, measured on {gpu.power.measured_on}"


def dynamic_joules(work: WindowWork, gpu: Gpu) -> float:
    """Return the energy above idle of one GPU of every replica, J.

    A row's use of a resource is its least time at the peak over the time it took, at most 1.
    """
    memory = _use(work.memory_seconds, work.row_seconds)
    compute = _use(work.compute_seconds, work.row_seconds)
    ratio = np.maximum(compute, memory) if gpu.power is None else gpu.power.dynamic_ratio(memory, compute)
    return (gpu.tdp_watts.value - gpu.idle_watts.value) * work.total(work.row_seconds * ratio)


def _use(least_seconds: FloatVector, row_seconds: FloatVector) -> FloatVector:
    nothing: FloatVector = np.zeros_like(row_seconds)
    use = np.divide(least_seconds, row_seconds, out=nothing, where=row_seconds > 0.0)
    return np.minimum(use, 1.0)


def energy(
    work: WindowWork, window: Window, scenario: Scenario, *, tokens: float, solved: int
) -> dict[str, object]:
    """Return energy and carbon of the plan's GPUs: in all, per output token and per solved task.

    Parameters
    ----------
    work, window : what the replicas did, and when.
    scenario : the plan, its GPU and the site.
    tokens : output tokens in the window.
    solved : tasks solved in the window.

    Notes
    -----
    All but the texts is None for a latency model without operations: its utilisation is unknown.
    """
    gpu, plan, site = scenario.hardware.gpu, scenario.parallelism, scenario.report.site
    gpus = plan.tp * plan.dp
    joules = kg = watts = None
    if work.flops or work.hbm_bytes:
        joules = gpu.idle_watts.value * gpus * window.seconds + plan.tp * dynamic_joules(work, gpu)
        kg = joules / JOULES_PER_KWH * site.pue.value * site.grid_kg_co2e_per_kwh.value
        watts = window.per_second(joules / gpus)
    return {
        "joules": joules,
        "joules_per_output_token": _per(joules, tokens),
        "joules_per_solved_task": _per(joules, solved),
        "mean_watts_per_gpu": watts,
        "kg_co2e": kg,
        "kg_co2e_per_solved_task": _per(kg, solved),
        "assumption": basis(gpu),
        "carbon_source": (
            f"{site.grid_kg_co2e_per_kwh.value:g} kg CO2e/kWh ({site.grid_kg_co2e_per_kwh.source}) "
            f"x PUE {site.pue.value:g} ({site.pue.source})"
        ),
    }


def _per(amount: float | None, count: float) -> float | None:
    return amount / count if amount is not None and count else None


def verdicts_usd(verifier: Verifier | None, tables: RunTables, window: Window) -> float:
    """Return the price of judging the trials that ended in the window, USD."""
    if verifier is None:
        return 0.0
    trials = tables.trials
    judged = (trials["state"] == SequenceState.FINISHED) & window.ends_inside(trials["ended_ns"])
    tokens = trials["prompt_tokens"] + trials["output_tokens"]
    return verifier.usd(trials=int(judged.sum()), tokens=int(tokens[judged].sum()))


def cost(
    tables: RunTables, window: Window, scenario: Scenario, *, tokens: float, solved: int
) -> dict[str, object]:
    """Return what renting the plan's GPUs for the window, busy or not, and judging trials cost, USD.

    Parameters
    ----------
    tables, window : what ended, and when.
    scenario : the plan, its GPU and the verifier.
    tokens : output tokens in the window.
    solved : tasks solved in the window.
    """
    price, plan = scenario.hardware.gpu.price_usd_per_hour, scenario.parallelism
    verifier_usd = verdicts_usd(scenario.workload.verifier, tables, window)
    usd = plan.tp * plan.dp * price.value * window.seconds / SECONDS_PER_HOUR + verifier_usd
    return {
        "usd": usd,
        "verifier_usd": verifier_usd,
        "usd_per_solved_task": usd / solved if solved else None,
        "usd_per_million_output_tokens": usd / tokens * 1e6 if tokens else None,
        "price_source": price.source,
    }
