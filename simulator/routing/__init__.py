"""Routing: which data-parallel replica serves a sequence.

Adding a router: one class with ``route``, one name in the union below, one row in the docs.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from simulator.routing.routers import LeastLoaded, PrefixAffine, ReplicaView, RoundRobin

Router = Annotated[RoundRobin | LeastLoaded | PrefixAffine, Field(discriminator="kind")]

__all__ = ["LeastLoaded", "PrefixAffine", "ReplicaView", "RoundRobin", "Router"]
