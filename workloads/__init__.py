"""Workloads: tasks, their arrivals, hidden lengths and outcomes, and the strategies that spend trials."""

from __future__ import annotations

from workloads.coverage import pass_at_k
from workloads.outcome import NodeOutcome
from workloads.task import Task
from workloads.tree import NodeRequest, NodeState, RequestNode, RequestTree
from workloads.workload import Workload

__all__ = [
    "NodeOutcome",
    "NodeRequest",
    "NodeState",
    "RequestNode",
    "RequestTree",
    "Task",
    "Workload",
    "pass_at_k",
]
