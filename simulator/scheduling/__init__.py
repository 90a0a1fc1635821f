"""Scheduling: which waiting sequence a replica admits next.

Adding a policy: one class with ``rank`` and ``victim_rank``, one name in the union below, one row in the
docs.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from simulator.scheduling.policies import Fcfs, Priority, Rank, ShortestFirst, TaskAffine
from simulator.scheduling.view import SequenceView

Scheduler = Annotated[Fcfs | ShortestFirst | TaskAffine | Priority, Field(discriminator="kind")]

__all__ = ["Fcfs", "Priority", "Rank", "Scheduler", "SequenceView", "ShortestFirst", "TaskAffine"]
