"""The serving engines: SimPy models that turn a scenario into records."""
