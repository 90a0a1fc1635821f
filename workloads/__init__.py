"""Workloads: tasks, their arrivals, hidden lengths and outcomes, and the strategies that spend trials."""
