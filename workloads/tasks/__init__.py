"""Task sets: the problems of a run.

A new task set is one file here and one member of `TaskSet`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from workloads.tasks.benchmark import BenchmarkTasks
from workloads.tasks.protocol import TaskSource
from workloads.tasks.synthetic import LognormalPrompts, SyntheticTasks

TaskSet = Annotated[SyntheticTasks | BenchmarkTasks, Field(discriminator="kind")]

__all__ = ["BenchmarkTasks", "LognormalPrompts", "SyntheticTasks", "TaskSet", "TaskSource"]
