"""Sweeps: one scenario at many points, each kept on disk as soon as it is known.

`design` turns axes into points, `jobs` runs one point with one seed in whatever process it lands, `store`
keeps what came of it, `executors` offers processes or a Dask cluster, `running` drives them, `table` makes
frames.
Nothing below knows that sweeps exist.
"""

from __future__ import annotations

from simulator.sweeps.design import Point, design
from simulator.sweeps.executors import open_executor
from simulator.sweeps.jobs import Base, Job, Outcome, run_job
from simulator.sweeps.running import Swept, sweep
from simulator.sweeps.store import Store

__all__ = [
    "Base",
    "Job",
    "Outcome",
    "Point",
    "Store",
    "Swept",
    "design",
    "open_executor",
    "run_job",
    "sweep",
]
