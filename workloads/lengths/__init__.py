"""Length models: how long a trial's text would be before any cap.

A new model is one file here and one member of `Lengths`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from workloads.lengths.benchmark import BenchmarkLengths
from workloads.lengths.constant import ConstantLengths
from workloads.lengths.difficulty_coupled import DifficultyCoupledLengths
from workloads.lengths.empirical import EmpiricalLengths
from workloads.lengths.lognormal import LognormalLengths
from workloads.lengths.protocol import LengthModel

Lengths = Annotated[
    ConstantLengths | LognormalLengths | EmpiricalLengths | DifficultyCoupledLengths | BenchmarkLengths,
    Field(discriminator="kind"),
]

__all__ = [
    "BenchmarkLengths",
    "ConstantLengths",
    "DifficultyCoupledLengths",
    "EmpiricalLengths",
    "LengthModel",
    "Lengths",
    "LognormalLengths",
]
