"""The resources of a node, each doubled: scenarios that differ from the original in that alone.

Peaks of the data sheet are doubled in the GPU's profile.  A calibration holds ratios of those peaks, so the
kernels' rates follow them; what it holds as absolute times (launches, passes over the inner dimension, times
per token, row or sequence, the rate of a single thread block) stays as measured, since no measurement says
how it would change.  All-reduces are measured points: what a message takes beyond the quickest one is taken
for transfer, and halves with twice the link.  Prices and power are not changed, so cost and energy of a
doubled resource mean nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from simulator.frozen import FrozenModel
from simulator.hardware import Calibration, Figure
from simulator.hardware.calibration import AllreduceFit
from simulator.latency import ConstantLatency, RooflineLatency
from simulator.scenario.schema import Scenario
from workloads.arrivals import ClosedLoopArrivals, GammaArrivals, PoissonArrivals

_HOST_TIMES: Final = ("step_s", "sequence_s", "layer_s", "captured_prompt_s", "eager_prompt_s")
"""Times of a running engine that are the host's, in a calibration."""


@dataclass(frozen=True, slots=True)
class Resource:
    """Something that a node can have more of.

    Parameters
    ----------
    name : key in tables.
    label : what is changed, as a sentence says it.
    kind : ``hardware``, ``engine`` (settings that cost nothing) or ``load``.
    double : returns the scenario with twice as much of it; None where the scenario has no such thing.
    """

    name: str
    label: str
    kind: str
    double: Callable[[Scenario], Scenario | None]


def _figure(figure: Figure, factor: float) -> Figure:
    return figure.model_copy(update={"value": figure.value * factor})


def _with_gpu(scenario: Scenario, changes: Mapping[str, Any]) -> Scenario:
    gpu = scenario.hardware.gpu.model_copy(update=changes)
    return scenario.model_copy(update={"hardware": scenario.hardware.model_copy(update={"gpu": gpu})})


def _with_calibrations(scenario: Scenario, change: Callable[[Calibration], Calibration]) -> dict[str, Any]:
    return {"calibrations": {name: change(c) for name, c in scenario.hardware.gpu.calibrations.items()}}


def _doubled_figure(*keys: str) -> Callable[[Scenario], Scenario]:
    def double(scenario: Scenario) -> Scenario:
        gpu = scenario.hardware.gpu
        return _with_gpu(scenario, {key: _figure(getattr(gpu, key), 2.0) for key in keys})

    return double


def _doubled_capacity(scenario: Scenario) -> Scenario | None:
    """Return the scenario with twice the HBM; None where the KV blocks do not follow from it."""
    kv = scenario.engine.kv
    if kv.blocks is not None or kv.capacity == "unlimited":
        return None
    return _doubled_figure("hbm_bytes", "hbm_usable_bytes")(scenario)


def _doubled_blocks(scenario: Scenario) -> Scenario | None:
    kv = scenario.engine.kv
    if kv.blocks is None:
        return None
    engine = scenario.engine.model_copy(update={"kv": kv.model_copy(update={"blocks": 2 * kv.blocks})})
    return scenario.model_copy(update={"engine": engine})


def _doubled_compute(scenario: Scenario) -> Scenario:
    peaks = scenario.hardware.gpu.peak_flops_per_s
    return _with_gpu(
        scenario, {"peak_flops_per_s": {dtype: _figure(peak, 2.0) for dtype, peak in peaks.items()}}
    )


def _quicker_link(fit: AllreduceFit) -> AllreduceFit:
    """Return all-reduces over twice the link: what a message takes beyond the quickest one halves."""
    least = min(seconds for _, seconds in fit.knots)
    knots = tuple((size, least + (seconds - least) / 2.0) for size, seconds in fit.knots)
    return fit.model_copy(update={"knots": knots})


def _doubled_link(scenario: Scenario) -> Scenario | None:
    if scenario.parallelism.tp == 1:
        return None

    def quicker(calibration: Calibration) -> Calibration:
        return calibration.model_copy(update={"allreduce": tuple(map(_quicker_link, calibration.allreduce))})

    link = _figure(scenario.hardware.gpu.link_bandwidth_bytes_per_s, 2.0)
    return _with_gpu(scenario, {"link_bandwidth_bytes_per_s": link, **_with_calibrations(scenario, quicker)})


def _halved(model: FrozenModel | None) -> FrozenModel | None:
    """Return the numbers of a running engine with the host's times halved; None where there are none."""
    if model is None:
        return None
    times = {key: getattr(model, key) / 2.0 for key in _HOST_TIMES if hasattr(model, key)}
    return model.model_copy(update=times)


def _quicker_host(calibration: Calibration) -> Calibration:
    experts = {
        dtype: fit.model_copy(update={"serving": _halved(fit.serving)})
        for dtype, fit in calibration.experts.items()
    }
    linear = calibration.linear_attention
    if linear is not None:
        linear = linear.model_copy(update={"serving": _halved(linear.serving)})
    serving = _halved(calibration.serving)
    return calibration.model_copy(update={"serving": serving, "experts": experts, "linear_attention": linear})


def _doubled_host(scenario: Scenario) -> Scenario | None:
    latency = scenario.engine.latency
    if isinstance(latency, ConstantLatency):
        return None
    gpu = scenario.hardware.gpu
    changes = _with_calibrations(scenario, _quicker_host)
    if gpu.layer_overhead_s is not None:
        changes["layer_overhead_s"] = _figure(gpu.layer_overhead_s, 0.5)
    changed = _with_gpu(scenario, changes)
    if not isinstance(latency, RooflineLatency):
        return changed
    times = {key: getattr(latency, key) for key in ("layer_overhead_s", "step_overhead_s")}
    times["sequence_overhead_s"] = latency.sequence_overhead_s
    halves = {key: None if seconds is None else seconds / 2.0 for key, seconds in times.items()}
    engine = changed.engine.model_copy(update={"latency": latency.model_copy(update=halves)})
    return changed.model_copy(update={"engine": engine})


def _doubled_replicas(scenario: Scenario) -> Scenario:
    p = scenario.parallelism
    gpus = max(scenario.hardware.gpus, 2 * p.dp * p.tp)
    return scenario.model_copy(
        update={
            "parallelism": p.model_copy(update={"dp": 2 * p.dp}),
            "hardware": scenario.hardware.model_copy(update={"gpus": gpus}),
        }
    )


def _doubled_batch(scenario: Scenario) -> Scenario:
    """Return the scenario with twice the sequences, and the tokens in a step that they need at least."""
    engine = scenario.engine
    sequences, multiple = 2 * engine.max_sequences, engine.prefill_multiple_tokens
    least = sequences + (multiple if multiple > 1 else 0)
    tokens = max(engine.max_batched_tokens, least)
    changed = engine.model_copy(update={"max_sequences": sequences, "max_batched_tokens": tokens})
    return scenario.model_copy(update={"engine": changed})


def _doubled_load(scenario: Scenario) -> Scenario | None:
    arrivals = scenario.workload.arrivals
    more: PoissonArrivals | GammaArrivals | ClosedLoopArrivals
    if isinstance(arrivals, PoissonArrivals | GammaArrivals):
        more = arrivals.model_copy(update={"rate_per_s": 2.0 * arrivals.rate_per_s})
    elif isinstance(arrivals, ClosedLoopArrivals):
        more = arrivals.model_copy(update={"concurrency": 2 * arrivals.concurrency})
    else:
        return None
    return scenario.model_copy(update={"workload": scenario.workload.model_copy(update={"arrivals": more})})


RESOURCES: Final = (
    Resource(
        "hbm_bandwidth",
        "twice the HBM bandwidth",
        "hardware",
        _doubled_figure("hbm_bandwidth_bytes_per_s"),
    ),
    Resource("compute", "twice the FLOP/s", "hardware", _doubled_compute),
    Resource("hbm_capacity", "twice the HBM capacity", "hardware", _doubled_capacity),
    Resource("kv_blocks", "twice engine.kv.blocks", "engine", _doubled_blocks),
    Resource("link", "twice the link bandwidth", "hardware", _doubled_link),
    Resource("host", "host and launches twice as fast", "hardware", _doubled_host),
    Resource("gpus", "twice the GPUs (dp)", "hardware", _doubled_replicas),
    Resource("batch", "twice engine.max_sequences", "engine", _doubled_batch),
    Resource("load", "twice the load", "load", _doubled_load),
)
"""What is doubled, in the order of tables where nothing sorts them."""
