"""What a report is made of: the runs of a scenario's variants and their comparison."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from simulator.engine.records import RunRecords
from simulator.kvcache import KvCapacity
from simulator.latency import StepLatency
from simulator.scenario.schema import Scenario


class ResultLike(Protocol):
    """One run of one variant."""

    @property
    def scenario(self) -> Scenario:
        """What was run."""
        ...

    @property
    def seed(self) -> int:
        """Root of its random numbers."""
        ...

    @property
    def records(self) -> RunRecords:
        """What happened."""
        ...

    @property
    def summary(self) -> Mapping[str, object]:
        """Its metrics, from `simulator.metrics.summarise`."""
        ...

    @property
    def capacity(self) -> KvCapacity:
        """The KV cache of a replica."""
        ...

    @property
    def latency(self) -> StepLatency:
        """The latency model, bound to the deployment."""
        ...


class ComparisonLike(Protocol):
    """All runs of a scenario."""

    @property
    def scenario(self) -> Scenario:
        """The scenario with its variants."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """The variants in their order; the first is the reference."""
        ...

    @property
    def runs(self) -> Mapping[str, tuple[ResultLike, ...]]:
        """Results by variant, one per seed."""
        ...

    @property
    def summary(self) -> Mapping[str, object]:
        """Their comparison, from `simulator.metrics.compare_runs`."""
        ...
