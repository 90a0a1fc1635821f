"""Routers: which replica of the node a new sequence goes to, decided once, at submission."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Literal, Protocol

from pydantic import Field

from simulator.frozen import FrozenModel


class ReplicaView(Protocol):
    """What a router may know of a replica."""

    index: int

    @property
    def outstanding(self) -> int:
        """Sequences waiting or running there."""
        ...

    def holds_task(self, task: int) -> bool:
        """Say whether sequences of `task` are waiting or running there."""
        ...


_BY_LOAD = attrgetter("outstanding")  # min takes the first of equals


def _least_loaded(replicas: Sequence[ReplicaView]) -> int:
    return min(replicas, key=_BY_LOAD).index


class RoundRobin(FrozenModel):
    """Each replica in turn, whatever its load."""

    kind: Literal["round_robin"] = Field(default="round_robin", description="[-] Selects this router.")

    def route(self, *, number: int, task: int, replicas: Sequence[ReplicaView]) -> int:  # noqa: ARG002 - the seam's signature
        """Return the index of the replica for sequence `number` of `task`."""
        return number % len(replicas)


class LeastLoaded(FrozenModel):
    """The replica with the fewest sequences waiting or running; ties go to the lowest index."""

    kind: Literal["least_loaded"] = Field(default="least_loaded", description="[-] Selects this router.")

    def route(self, *, number: int, task: int, replicas: Sequence[ReplicaView]) -> int:  # noqa: ARG002 - the seam's signature
        """Return the index of the replica for sequence `number` of `task`."""
        return _least_loaded(replicas)


class PrefixAffine(FrozenModel):
    """The replica that already serves the task, so that its prompt is shared; else the least loaded.

    Notes
    -----
    A replica that is more than `max_imbalance` sequences above the least loaded one is passed over.
    """

    kind: Literal["prefix_affine"] = Field(default="prefix_affine", description="[-] Selects this router.")
    max_imbalance: int = Field(
        default=64, ge=0, le=1_000_000, description="[-] sequences that affinity may cost in balance"
    )

    def route(self, *, number: int, task: int, replicas: Sequence[ReplicaView]) -> int:  # noqa: ARG002 - the seam's signature
        """Return the index of the replica for sequence `number` of `task`."""
        least = _least_loaded(replicas)
        limit = replicas[least].outstanding + self.max_imbalance
        holders = [r for r in replicas if r.outstanding <= limit and r.holds_task(task)]
        return _least_loaded(holders) if holders else least
