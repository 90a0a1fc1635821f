"""Hardware profiles: what a GPU and a node can do, by data sheet."""

from __future__ import annotations

from simulator.hardware.calibration import Calibration
from simulator.hardware.dtypes import DTYPE_BYTES, Dtype, multiplied_as
from simulator.hardware.power import PowerCheck, PowerFit
from simulator.hardware.profile import Figure, Gpu, KgPerKwh, Node, Pue

__all__ = [
    "DTYPE_BYTES",
    "Calibration",
    "Dtype",
    "Figure",
    "Gpu",
    "KgPerKwh",
    "Node",
    "PowerCheck",
    "PowerFit",
    "Pue",
    "multiplied_as",
]
