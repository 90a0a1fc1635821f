"""The Kinetics scaling law (arXiv 2506.05333): closed-form costs, published curves, and its claims checked.

The simulator itself never uses these forms; it counts steps.  Here they are what its counts are compared
with, and what reproduces the paper.
"""

from __future__ import annotations

from simulator.kinetics.cost import Cost, cost
from simulator.kinetics.iso import iso_eflops_length, iso_flops_length
from simulator.kinetics.lengths import LengthMoments, RecordedLengths
from simulator.kinetics.model import (
    BF16_RIDGE,
    PAPER_PARAMETERS,
    PAPER_PEAK_FLOPS_PER_S,
    PAPER_RIDGE,
    KineticsModel,
    kinetics_model,
)
from simulator.kinetics.ratios import kv_growth, phi, phi_one_length

__all__ = [
    "BF16_RIDGE",
    "PAPER_PARAMETERS",
    "PAPER_PEAK_FLOPS_PER_S",
    "PAPER_RIDGE",
    "Cost",
    "KineticsModel",
    "LengthMoments",
    "RecordedLengths",
    "cost",
    "iso_eflops_length",
    "iso_flops_length",
    "kinetics_model",
    "kv_growth",
    "phi",
    "phi_one_length",
]
