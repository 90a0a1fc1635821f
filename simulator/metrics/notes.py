"""What a reader must know before believing a summary: one sentence each."""

from __future__ import annotations

from typing import Final

from simulator.kvcache import KvCapacity
from simulator.metrics.tables import RunTables
from simulator.metrics.window import Window
from simulator.scenario.schema import Scenario
from simulator.units import to_s

ATTRIBUTION_SLACK: Final = 0.01
"""Part of the step time that may go unattributed before a note says so."""

UNLIMITED: Final = "KV capacity is unlimited: memory is ignored, and no real node may be able to run this."
OPTIMISTIC: Final = (
    "Optimistic bound: steps take what data-sheet peaks allow; measured serving takes 1.2 to 6 times as long."
)


def notes(
    scenario: Scenario,
    tables: RunTables,
    window: Window,
    capacity: KvCapacity,
    attributed_ratio: float | None,
) -> list[str]:
    """Return the caveats of one run, the gravest first."""
    found = []
    if not capacity.limited:
        found.append(UNLIMITED)
    if capacity.exceeds_memory:
        found.append(_more_than_memory(capacity))
    if scenario.engine.latency.kind == "roofline":
        found.append(OPTIMISTIC)
    found += _about_tasks(tables)
    found += _about_window(tables, window)
    if attributed_ratio is not None and abs(attributed_ratio - 1.0) > ATTRIBUTION_SLACK:
        found.append(
            "The parts of the step time miss it by more than 1 %: within some recorded rows the bound "
            "changed between memory and compute."
        )
    return found


def _more_than_memory(capacity: KvCapacity) -> str:
    kv_bytes = capacity.blocks * capacity.block_bytes
    return (
        f"engine.kv.blocks asks for {kv_bytes / 1e9:.1f} GB of KV per GPU beside "
        f"{capacity.weight_bytes / 1e9:.1f} GB of weights and {capacity.activation_bytes / 1e9:.1f} GB of "
        f"activations, and an engine claims {capacity.hbm_bytes / 1e9:.1f} GB: no real node may run this."
    )


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


def _about_window(tables: RunTables, window: Window) -> list[str]:
    if window.fell_back:
        return ["All tasks arrived at once, so there is no steady part: rates refer to the whole run."]
    inside, ended = int(window.ends_inside(tables.tasks["ended_ns"]).sum()), int(tables.ended.sum())
    if window.kind == "steady" and inside < ended // 2:
        note = (
            "Fewer than half of the tasks ended in the steady window: tasks last long against the time over "
            "which they arrive, so rates say little; let more tasks arrive or take the whole window."
        )
        return [note]
    return []
