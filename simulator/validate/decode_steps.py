"""Whole decode steps, beside those that the peer predictor puts together from the same kernel timings.

No measurement is behind this: it tells whether the forms of a calibration, a few numbers each, stand for the
millions of timings that they were fitted to once all operations of a step are added up. What norms,
activations and rotations take is in the peer's sum and in no kernel of ours, so it is added as one number, a
time per layer, from the other models.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np

from simulator.attention import DenseAttention
from simulator.calibrate.told_contexts import ToldContexts
from simulator.deployment import Deployment
from simulator.hardware import Gpu
from simulator.latency import StepLoad
from simulator.latency.calibrated import BoundCalibrated
from simulator.model import Architecture
from simulator.scenario.catalog import find
from simulator.scenario.loader import load_part
from simulator.validate.errors import ErrorFigures, figures
from simulator.validate.text import cells

MODELS: Final = ("llama-3.1-8b", "llama-3.1-70b", "qwen3-32b")
TPS: Final = (1, 8)
BATCHES: Final = (1, 4, 16, 64, 256)
CONTEXTS: Final = (256, 1024, 4096, 16_384, 65_536)
MOST_TOKENS: Final = 2**22
"""Tokens in the cache of all sequences above which a step would fit no node."""

LAYER_TIMES_S: Final = np.linspace(0.0, 5e-5, 501)
"""Times per layer that are tried, s."""

PeerSteps = Callable[[str, str, str, int], Callable[[int, int], float] | None]
"""From model, GPU, engine and GPUs per replica to what the peer says of a batch and a context, s."""


@dataclass(frozen=True, slots=True)
class DecodeSteps:
    """How far whole decode steps of a calibration are from the peer's, with bf16 weights, keys and values.

    Parameters
    ----------
    gpu, engine : whose calibration.
    steps : how many were compared.
    kernels_alone : errors of the sum of our kernels.
    with_layers : errors with a time per layer on top, chosen on the other models; None of a single model.
    layer_s : the median of these times, s.
    """

    gpu: str
    engine: str
    steps: int
    kernels_alone: ErrorFigures
    with_layers: ErrorFigures | None
    layer_s: float | None


@dataclass(frozen=True, slots=True)
class _Step:
    model: str
    layers: int
    ours_s: float
    peer_s: float

    def error_ratio(self, layer_s: float = 0.0) -> float:
        return (self.ours_s + self.layers * layer_s) / self.peer_s - 1.0


def decode_steps(pairs: Sequence[tuple[Gpu, str]], peer: PeerSteps) -> list[DecodeSteps]:
    """Return how far the decode steps of some calibrations are from the peer's.

    Parameters
    ----------
    pairs : GPUs and engines, as `simulator.validate.kernels.calibrated_pairs` returns.
    peer : what the peer says; None where it says nothing of a plan.
    """
    compared = ((gpu, engine, _steps(gpu, engine, peer)) for gpu, engine in pairs)
    return [_judged(gpu.name, engine, steps) for gpu, engine, steps in compared if steps]


def _steps(gpu: Gpu, engine: str, peer: PeerSteps) -> list[_Step]:
    kernels = gpu.calibrations[engine].model_copy(update={"serving": None, "split": None})
    if not {"bf16"} <= kernels.gemm.keys() & kernels.decode_attention.keys():
        return []
    found = []
    for model, tp in product(MODELS, TPS):
        asked = peer(model, gpu.name, engine, tp)
        if asked is None:
            continue
        architecture = load_part(find("model", model), Architecture)
        plan = Deployment(architecture, DenseAttention(), gpu, tp, "bf16", "bf16", "bf16")
        bound = BoundCalibrated(kernels, plan)
        for batch, context in product(BATCHES, CONTEXTS):
            if batch * context > MOST_TOKENS:
                continue
            work = plan.attention.step_work(ToldContexts(batch, batch * context), 1)
            ours_s = float(bound.step_seconds(StepLoad(1, batch, work)))
            found.append(_Step(model, architecture.layers, ours_s, asked(batch, context)))
    return found


def _judged(gpu: str, engine: str, steps: Sequence[_Step]) -> DecodeSteps:
    alone = figures([step.error_ratio() for step in steps])
    models = sorted({step.model for step in steps})
    if len(models) == 1:
        return DecodeSteps(gpu, engine, len(steps), alone, None, None)
    times = {model: _layer_seconds([step for step in steps if step.model != model]) for model in models}
    with_layers = figures([step.error_ratio(times[step.model]) for step in steps])
    return DecodeSteps(gpu, engine, len(steps), alone, with_layers, float(np.median(list(times.values()))))


def _layer_seconds(steps: Sequence[_Step]) -> float:
    """Return the time per layer with the least median error, s."""
    medians = [np.median([abs(step.error_ratio(layer_s)) for step in steps]) for layer_s in LAYER_TIMES_S]
    return float(LAYER_TIMES_S[int(np.argmin(medians))])


def table(found: Sequence[DecodeSteps]) -> list[tuple[str, ...]]:
    """Return rows of text, heads first, a line for each calibration."""
    alone, layers = (f"{what}: median" for what in ("kernels alone", "with a time per layer"))
    heads = ("gpu", "engine", "steps", alone, "p90", "bias", layers, "p90", "bias", "time per layer")
    rows = [
        (
            *(one.gpu, one.engine, str(one.steps)),
            *cells(one.kernels_alone),
            *cells(one.with_layers),
            "-" if one.layer_s is None else f"{one.layer_s * 1e6:.1f} us",
        )
        for one in found
    ]
    return [heads, *rows]
