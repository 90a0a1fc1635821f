"""One run as numbers: records in, a nested dictionary of plain values out."""

from __future__ import annotations

from simulator.engine.records import RunRecords
from simulator.kvcache import KvCapacity
from simulator.latency import StepLatency
from simulator.metrics.conservation import task_counts, trial_counts
from simulator.metrics.eflops import eflops
from simulator.metrics.energy import cost, energy
from simulator.metrics.hardware import WindowWork, hardware
from simulator.metrics.load import load
from simulator.metrics.notes import notes
from simulator.metrics.quality import quality
from simulator.metrics.step_parts import StepParts
from simulator.metrics.tables import RunTables
from simulator.metrics.throughput import goodput, throughput
from simulator.metrics.waiting_times import waiting_times
from simulator.metrics.window import Window, window_of
from simulator.scenario.schema import Scenario
from simulator.units import to_s


def _plan(scenario: Scenario, capacity: KvCapacity, latency: StepLatency) -> dict[str, object]:
    model, parallelism, limited = scenario.model, scenario.parallelism, capacity.limited
    return {
        "node": scenario.hardware.name,
        "gpu": scenario.hardware.gpu.name,
        "gpus": parallelism.tp * parallelism.dp,
        "tp": parallelism.tp,
        "dp": parallelism.dp,
        "model": model.architecture.name,
        "attention": model.attention.kind,
        "latency": latency.kind,
        "scheduler": scenario.engine.scheduler.kind,
        "router": scenario.engine.router.kind,
        "strategy": scenario.workload.strategy.kind,
        "arrivals": scenario.workload.arrivals.kind,
        "kv_capacity_source": capacity.source,
        "kv_capacity_tokens": capacity.tokens if limited else None,
        "kv_capacity_bytes_per_gpu": capacity.blocks * capacity.block_bytes if limited else None,
        "weight_bytes_per_gpu": capacity.weight_bytes,
        "activation_bytes_per_gpu": capacity.activation_bytes,
        "state_bytes_per_gpu": capacity.state_bytes,
        "claimed_hbm_bytes_per_gpu": capacity.hbm_bytes,
    }


def _window(scenario: Scenario, tables: RunTables, window: Window) -> dict[str, object]:
    return {
        "asked": scenario.report.window,
        "kind": window.kind,
        "start_s": to_s(window.start_ns),
        "end_s": to_s(window.end_ns),
        "seconds": window.seconds,
        "unsettled": window.unsettled,
        "run_end_s": to_s(tables.end_ns),
        "tasks_arrived": int(window.starts_inside(tables.tasks["arrival_ns"]).sum()),
    }


def summarise(
    scenario: Scenario, records: RunRecords, capacity: KvCapacity, latency: StepLatency
) -> dict[str, object]:
    """Return the metrics of one run.

    Parameters
    ----------
    scenario : what was run; `report` gives the window, the confidence and the service level.
    records : what happened.
    capacity : the KV cache of a replica.
    latency : the latency model bound to the scenario's deployment; attributes the step time.

    Returns
    -------
    dict
        Sections ``plan``, ``window``, ``conservation``, ``throughput``, ``quality``, ``latency``,
        ``goodput``, ``load``, ``hardware``, ``energy``, ``cost``, ``kinetics`` and ``notes``, always in this
        order; plain Python values in SI units, None where a figure is undefined.  ``docs/metrics.md``
        defines each.
    """
    tables = RunTables.of(records)
    window = window_of(scenario, tables)
    parts = StepParts.of(tables.steps)
    work = WindowWork.of(records, tables, window, latency)
    parallelism, report = scenario.parallelism, scenario.report
    gpus = parallelism.tp * parallelism.dp
    ended = window.ends_inside(tables.tasks["ended_ns"])
    solved = int((ended & (tables.tasks["solved"] == 1)).sum())
    tokens = work.total(tables.step_tokens)
    machine = hardware(work, window, parallelism.dp, latency)
    power = energy(work, window, scenario, tokens=tokens, solved=solved)
    attributed = machine["attributed_ratio"]
    return {
        "plan": _plan(scenario, capacity, latency),
        "window": _window(scenario, tables, window),
        "conservation": {"tasks": task_counts(tables), "trials": trial_counts(tables)},
        "throughput": throughput(tables, window, gpus, report.confidence_ratio),
        "quality": quality(tables, scenario.workload.strategy, report.confidence_ratio),
        "latency": waiting_times(tables, parts, window),
        "goodput": goodput(tables, window, report.slo),
        "load": load(tables, parts, window, parallelism.dp, capacity),
        "hardware": machine,
        "energy": power,
        "cost": cost(tables, window, scenario, tokens=tokens, solved=solved),
        "kinetics": eflops(tables, work, latency, int(ended.sum())),
        "notes": notes(
            scenario,
            tables,
            window,
            capacity,
            latency=latency,
            energy_known=power["joules"] is not None,
            attributed_ratio=attributed if isinstance(attributed, float) else None,
        ),
    }
