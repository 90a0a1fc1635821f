"""GPUs and nodes as their data sheets describe them: every number with its source.

A profile holds peaks and sizes, never an achieved rate; how much of a peak an engine reaches stands in
its `calibrations`, each a file of its own that ``kinesim calibrate`` writes.  What no data sheet has is
measured: the latency floor of a small all-reduce, the fixed overhead of a decoder layer, and power
under load (`simulator.hardware.power`).

Ignored: clocks and throttling, PCIe, the network between nodes, asymmetry between the GPUs of a node.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from simulator.errors import UnknownNameError, suggest
from simulator.frozen import Count, FrozenModel, OneLine
from simulator.hardware.calibration import Calibration
from simulator.hardware.dtypes import Dtype
from simulator.hardware.power import PowerFit


class Figure(FrozenModel):
    """One number and where it was read.

    Examples
    --------
    >>> Figure(value=8.0e12, source="NVIDIA B200 datasheet").value
    8000000000000.0
    """

    value: float = Field(ge=0.0, description="[unit of its key] the number, in SI base units")
    source: str = Field(
        min_length=3, description="[-] document or measurement; starts with 'assumed' if neither"
    )
    note: str | None = Field(default=None, description="[-] what other sources say, or how it was derived")


def _between(low: float, high: float, unit: str) -> Callable[[Figure], Figure]:
    """Return a check that refuses slips of unit, such as a bandwidth given in GB/s."""

    def check(figure: Figure) -> Figure:
        if not low <= figure.value <= high:
            message = (
                f"value {figure.value:g} is outside {low:g} to {high:g} {unit}; SI base units are expected"
            )
            raise ValueError(message)
        return figure

    return check


FlopsPerS = Annotated[Figure, AfterValidator(_between(1e12, 1e18, "FLOP/s"))]
Bytes = Annotated[Figure, AfterValidator(_between(1e6, 1e14, "bytes"))]
BytesPerS = Annotated[Figure, AfterValidator(_between(1e9, 1e15, "bytes/s"))]
Multiprocessors = Annotated[Figure, AfterValidator(_between(1, 1e4, "multiprocessors"))]
Watts = Annotated[Figure, AfterValidator(_between(1.0, 1e5, "W"))]
UsdPerHour = Annotated[Figure, AfterValidator(_between(0.0, 1e3, "USD/h"))]
Latency = Annotated[Figure, AfterValidator(_between(0.0, 1e-2, "s"))]
KgPerKwh = Annotated[Figure, AfterValidator(_between(0.0, 5.0, "kg CO2e/kWh"))]
Pue = Annotated[Figure, AfterValidator(_between(1.0, 5.0, "(site over IT equipment)"))]


class Gpu(FrozenModel):
    """One accelerator.

    Raises
    ------
    ValueError
        If more memory is usable than fitted, idle power is not below the board limit, or a calibration is
        one of another engine than it stands for.
    """

    kind: Literal["gpu"] = Field(default="gpu", description="[-] what this file describes")
    name: OneLine = Field(min_length=1, description="[-] catalog name, the file's stem")
    peak_flops_per_s: dict[Dtype, FlopsPerS] = Field(
        min_length=1, description="[FLOP/s] dense matrix peak by number format, without sparsity"
    )
    hbm_bytes: Bytes = Field(description="[bytes] device memory as sold, or as the driver reports it")
    hbm_usable_bytes: Bytes = Field(description="[bytes] device memory an engine can allocate from")
    hbm_bandwidth_bytes_per_s: BytesPerS = Field(description="[bytes/s] peak bandwidth of device memory")
    link_bandwidth_bytes_per_s: BytesPerS = Field(
        description="[bytes/s] peak bandwidth to the other GPUs of the node, per GPU and direction"
    )
    l2_bytes: Bytes = Field(description="[bytes] last-level cache on the GPU")
    multiprocessors: Multiprocessors | None = Field(
        default=None, description="[-] streaming multiprocessors that are enabled; null where unknown"
    )
    tdp_watts: Watts = Field(description="[W] power limit of the GPU")
    idle_watts: Watts = Field(description="[W] power of a GPU that holds a model and runs nothing")
    power: PowerFit | None = Field(
        default=None,
        description="[-] power under load, fitted; null: linear in the busier resource (assumed)",
    )
    price_usd_per_hour: UsdPerHour = Field(description="[USD/h] price of one GPU with its share of the host")
    allreduce_floor_s: Latency = Field(description="[s] shortest all-reduce over the GPUs of a node")
    layer_overhead_s: Latency | None = Field(
        default=None, description="[s] norms and launches of one decoder layer; null where never measured"
    )
    calibrations: dict[str, Calibration] = Field(
        default={}, description="[-] what engines reach, by engine: catalog names, paths or tables"
    )

    @model_validator(mode="after")
    def _check_relations(self) -> Gpu:
        if self.hbm_usable_bytes.value > self.hbm_bytes.value:
            message = (
                f"hbm_usable_bytes {self.hbm_usable_bytes.value:g} exceeds "
                f"hbm_bytes {self.hbm_bytes.value:g}; an engine cannot use memory that is not fitted"
            )
            raise ValueError(message)
        if self.idle_watts.value >= self.tdp_watts.value:
            message = (
                f"idle_watts {self.idle_watts.value:g} is not below tdp_watts {self.tdp_watts.value:g}; "
                "a busy GPU draws more than an idle one"
            )
            raise ValueError(message)
        for engine, calibration in self.calibrations.items():
            if calibration.engine != engine:
                message = f"calibrations.{engine} holds numbers of {calibration.engine}, not of {engine}"
                raise ValueError(message)
        return self

    def peak(self, dtype: Dtype) -> float:
        """Return the dense matrix peak in `dtype`, FLOP/s.

        Raises
        ------
        UnknownNameError
            If the profile has no figure for `dtype`; the hardware may lack the format.
        """
        figure = self.peak_flops_per_s.get(dtype)
        if figure is None:
            message = f"{self.name}: no peak for {dtype}; {suggest(dtype, self.peak_flops_per_s)}"
            raise UnknownNameError(message)
        return figure.value


class Node(FrozenModel):
    """Equal GPUs that reach each other over their links."""

    kind: Literal["node"] = Field(default="node", description="[-] what this file describes")
    name: OneLine = Field(min_length=1, description="[-] catalog name, the file's stem")
    gpu: Gpu = Field(description="[-] the GPU, by catalog name in a file")
    gpus: Count = Field(description="[-] GPUs in the node")
    host_idle_watts: Watts | None = Field(
        default=None, description="[W] whole node at the wall when idle, less its GPUs; null where unknown"
    )
