"""Scenarios: from text to one frozen object, every fault reported at once."""
