"""Scheduling: which waiting sequence a replica admits next.

Adding a policy: one class with ``rank``, ``victim_rank`` and ``reads_prediction``, one name in the union
below, one row in the docs.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from simulator.scheduling.policies import Fcfs, LongestFirst, Priority, Rank, ShortestFirst, TaskAffine
from simulator.scheduling.view import SequenceView

Scheduler = Annotated[
    Fcfs | ShortestFirst | LongestFirst | TaskAffine | Priority, Field(discriminator="kind")
]

__all__ = [
    "Fcfs",
    "LongestFirst",
    "Priority",
    "Rank",
    "Scheduler",
    "SequenceView",
    "ShortestFirst",
    "TaskAffine",
]
