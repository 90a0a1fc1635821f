"""What a reader must know before believing a summary: one sentence each."""

from __future__ import annotations

from math import sqrt
from typing import Final

from simulator.attention.budgets import own_budget
from simulator.hardware import Gpu
from simulator.kvcache import KvCapacity
from simulator.latency import StepLatency
from simulator.metrics.energy import ASSUMPTION
from simulator.metrics.tables import RunTables
from simulator.metrics.window import SETTLING_TASK_TIMES, Window
from simulator.scenario.schema import Scenario
from simulator.units import to_s
from workloads.arrivals import TraceArrivals
from workloads.budget_loss import ASSUMPTION as ASSUMED_LOSS
from workloads.budget_loss import WITHOUT_EFFECT
from workloads.strategies import Oracle
from workloads.strategies.oracle import BOUND

ATTRIBUTION_SLACK: Final = 0.01
"""Part of the step time that may go unattributed before a note says so."""

CHANCE: Final = 3.0
"""Standard deviations of a Poisson count by which answers may lag behind arrivals without a word."""

MOST_BEYOND: Final = 2.0
"""Batches up to this many times the largest measured one go without a word."""

UNLIMITED: Final = "KV capacity is unlimited: memory is ignored, and no real node may be able to run this."


def notes(
    scenario: Scenario,
    tables: RunTables,
    window: Window,
    capacity: KvCapacity,
    *,
    latency: StepLatency,
    energy_known: bool,
    attributed_ratio: float | None,
) -> list[str]:
    """Return the caveats of one run, the gravest first."""
    found = []
    if not capacity.limited:
        found.append(UNLIMITED)
    if capacity.exceeds_memory:
        found.append(_more_than_memory(capacity))
    found += latency.caveats
    found += _about_batches(tables, latency.largest_batch)
    found += _about_knowledge(scenario)
    found += _about_trace(scenario)
    if energy_known:
        found.append(_about_power(scenario.hardware.gpu))
    found += _about_tasks(tables)
    found += _about_window(tables, window, open_arrivals=scenario.workload.arrivals.concurrency is None)
    if attributed_ratio is not None and abs(attributed_ratio - 1.0) > ATTRIBUTION_SLACK:
        found.append(
            "The parts of the step time miss it by more than 1 %: within some recorded rows the bound "
            "changed between memory and compute."
        )
    return found


def _more_than_memory(capacity: KvCapacity) -> str:
    kv_bytes = capacity.blocks * capacity.block_bytes
    states = f" and {capacity.state_bytes / 1e9:.1f} GB of states" if capacity.state_bytes else ""
    return (
        f"engine.kv.blocks asks for {kv_bytes / 1e9:.1f} GB of KV per GPU beside "
        f"{capacity.weight_bytes / 1e9:.1f} GB of weights and {capacity.activation_bytes / 1e9:.1f} GB of "
        f"activations{states}, and an engine claims {capacity.hbm_bytes / 1e9:.1f} GB: no real node may run "
        "this."
    )


def _about_knowledge(scenario: Scenario) -> list[str]:
    workload = scenario.workload
    found = [BOUND] if isinstance(workload.strategy, Oracle) else []
    if workload.budget_loss is not None and own_budget(scenario.model.attention) is None:
        # Not refused: variants with budgets share their workload with a dense one that they are compared to.
        found.append(f"workload.budget_loss has {WITHOUT_EFFECT}.")
    elif workload.budget_loss is not None:
        found.append(f"{ASSUMED_LOSS[:1].upper()}{ASSUMED_LOSS[1:]}.")
    return found


def _about_trace(scenario: Scenario) -> list[str]:
    """Say what a trace holds that is not simulated, and what was left out of it."""
    arrivals = scenario.workload.arrivals
    if not isinstance(arrivals, TraceArrivals) or arrivals.table.about is None:
        return []
    return [f"Workload: {arrivals.table.about}."]


def _about_power(gpu: Gpu) -> str:
    if gpu.power is None:
        return f"Power of {gpu.name} is {ASSUMPTION}; GPUs only."
    checked = gpu.power.checked
    fitted = f"Power, of the GPUs only, was fitted to kernels measured on {gpu.power.measured_on}"
    if checked is None:
        return f"{fitted} and not compared with serving runs."
    return (
        f"{fitted}; on {checked.rows} measured serving runs that the fit has not seen ({checked.table}) it "
        f"was {checked.median_error_ratio:.0%} off in the median and {checked.p90_error_ratio:.0%} at the "
        "90th percentile, their step times given."
    )


def _about_batches(tables: RunTables, largest: int | None) -> list[str]:
    """Say so where batches lie well beyond all that were measured: host time per sequence is carried on."""
    held = int(tables.steps["decode_sequences"].max(initial=0))
    if largest is None or held <= MOST_BEYOND * largest:
        return []
    told = (
        f"Up to {held:,} sequences decoded at once; what a running engine adds was measured up to "
        f"{largest:,}, and its time per sequence is carried on beyond."
    )
    return [told]


def _about_tasks(tables: RunTables) -> list[str]:
    submitted, ended = len(tables.ended), int(tables.ended.sum())
    found = []
    if ended < submitted or tables.pending_tasks:
        found.append(
            f"The run was cut at {to_s(tables.end_ns):.6g} s: figures about tasks and trials cover those "
            "that ended, which are the shorter ones."
        )
    if not ended:
        found.append("No task ended: figures per task are undefined.")
    elif not int(tables.tasks["solved"][tables.ended].sum()):
        found.append("No task was solved: figures per solved task are undefined.")
    return found


def _about_window(tables: RunTables, window: Window, *, open_arrivals: bool) -> list[str]:
    if window.fell_back:
        return ["All tasks arrived at once, so there is no steady part: rates refer to the whole run."]
    if window.kind != "steady":
        return []
    found = []
    if window.unsettled:
        found.append(
            f"The arrivals span less than {2 * SETTLING_TASK_TIMES:g} task times, so the run may not have "
            "settled when the window begins: rates can be some percent off; let more tasks arrive."
        )
    arrived = int(window.starts_inside(tables.tasks["arrival_ns"]).sum())
    inside = int(window.ends_inside(tables.tasks["ended_ns"]).sum())
    # A queue that grows lengthens with the run; chance alone moves the two counts by some square roots.
    if open_arrivals and arrived - inside > max(0.1 * arrived, CHANCE * sqrt(arrived)):
        found.append(
            f"{arrived} tasks arrived in the window and {inside} were answered: the queue grows, so waiting "
            "and task times depend on how long the run is."
        )
    return found
