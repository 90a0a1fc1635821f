"""Test-time strategies: how the trials of a task are spent.

A new strategy is one file here and one member of `AnyStrategy`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from workloads.strategies.adaptive import Adaptive
from workloads.strategies.beam_search import BeamSearch
from workloads.strategies.best_of_n import BestOfN
from workloads.strategies.long_cot import LongCot
from workloads.strategies.oracle import Oracle
from workloads.strategies.protocol import CONTINUE, Decision, Strategy
from workloads.strategies.recorded import Recorded
from workloads.strategies.self_consistency import SelfConsistency

AnyStrategy = Annotated[
    LongCot | BestOfN | SelfConsistency | BeamSearch | Adaptive | Oracle | Recorded,
    Field(discriminator="kind"),
]

__all__ = [
    "CONTINUE",
    "Adaptive",
    "AnyStrategy",
    "BeamSearch",
    "BestOfN",
    "Decision",
    "LongCot",
    "Oracle",
    "Recorded",
    "SelfConsistency",
    "Strategy",
]
