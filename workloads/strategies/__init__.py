"""Test-time strategies: how the trials of a task are spent."""
