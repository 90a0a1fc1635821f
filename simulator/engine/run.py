"""One run: a scenario and a seed in, records out."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from simulator.engine.fast import FastReplica
from simulator.engine.node import Replica, ServingNode
from simulator.engine.records import RunRecords
from simulator.engine.reference import ReferenceReplica
from simulator.kvcache import KvCapacity, kv_capacity
from simulator.kvcache.cache import KvCache
from simulator.latency import StepLatency
from simulator.scenario.schema import Scenario

EngineName = Literal["fast", "reference"]


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run: its records, the models behind them, and the KV caches as it left them."""

    records: RunRecords
    capacity: KvCapacity
    latency: StepLatency
    caches: tuple[KvCache, ...]


def run_scenario(
    scenario: Scenario,
    *,
    seed: int,
    engine: EngineName = "fast",
    on_task_end: Callable[[int], None] | None = None,
    token_times: bool = False,
) -> Run:
    """Simulate `scenario` once.

    Parameters
    ----------
    scenario : what is simulated; its variants are ignored.
    seed : root of the random numbers.
    engine : ``fast`` jumps from one change of the batch to the next, ``reference`` takes every step.
    on_task_end : called with the number of tasks that have ended.
    token_times : record what the time of every token follows from.

    Raises
    ------
    InfeasiblePlanError
        If weights or a single sequence do not fit the memory of a replica.
    """
    deployment = scenario.deployment()
    latency = scenario.engine.latency.bind(deployment)
    kv = scenario.engine.kv
    capacity = kv_capacity(
        kv,
        deployment,
        max_batched_tokens=scenario.engine.max_batched_tokens,
        max_sequences=scenario.engine.max_sequences,
    )
    node = ServingNode(
        scenario, seed=seed, capacity=capacity, on_task_end=on_task_end, token_times=token_times
    )
    make = FastReplica if engine == "fast" else ReferenceReplica
    watermark = int(kv.watermark_ratio * capacity.blocks) if capacity.limited else 0
    caches = tuple(
        KvCache(blocks=capacity.blocks, block_tokens=capacity.block_tokens, watermark_blocks=watermark)
        for _ in range(scenario.parallelism.dp)
    )
    replicas: list[Replica] = [
        make(index, node, latency=latency, cache=cache) for index, cache in enumerate(caches)
    ]
    with _rare_cycle_collection():
        records = node.run(replicas)
    return Run(records, capacity, latency, caches)


@contextmanager
def _rare_cycle_collection() -> Iterator[None]:
    """Look for reference cycles more rarely while a run lasts.

    An ended task leaves none behind, and walking all that wait again and again took 4 to 8 % of a run's
    instructions.
    """
    threshold = gc.get_threshold()
    gc.set_threshold(100 * threshold[0], *threshold[1:])
    try:
        yield
    finally:
        gc.set_threshold(*threshold)
