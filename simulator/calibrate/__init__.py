"""Fits of `simulator.hardware.calibration` to public kernel measurements, judged on shapes not fitted.

Needs the extra ``calibrate`` (scipy and aiconfigurator-core, whose tables are the measurements).  The
modules go one way: `tables` reads and excludes by written rules, `splits` sets shapes aside, `fitting`
finds numbers, `operations` fits each operation, `kernels` puts a `Calibration` together, `runs` and
`serving` add what serving runs show, `files` writes it; `unknowns` holds the serving numbers of a fit.  A
user's own engine: `step_files` reads, `step_checks` judges and `steps` fits measured steps, whose batches
`told_contexts` makes of their sums; `points` and `bench` take benchmark results.  `bounds` says which numbers
ended at one.  `power`
fits what a GPU draws, for its profile.
"""

from __future__ import annotations

from simulator.calibrate.kernels import calibrate_kernels
from simulator.calibrate.power import fit_power
from simulator.calibrate.serving import with_serving
from simulator.calibrate.tables import ENGINES, GPUS, KernelTables

__all__ = ["ENGINES", "GPUS", "KernelTables", "calibrate_kernels", "fit_power", "with_serving"]
