"""Deployments of shipped models on shipped GPUs, and the loads that property tests put on them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from simulator.attention import Attention, ContextArray, DenseAttention
from simulator.attention.work import AttentionWork
from simulator.deployment import Deployment, own_attention
from simulator.hardware import Dtype, Figure, Gpu
from simulator.latency import StepLoad, StepRows
from simulator.model import Architecture
from simulator.scenario.loader import load_part

ROOT = Path(__file__).resolve().parents[2]
PRESETS = tuple(sorted(path.stem for path in (ROOT / "simulator" / "model" / "presets").glob("*.yaml")))
DENSE = DenseAttention()
RATES = ("hbm_bandwidth_bytes_per_s", "link_bandwidth_bytes_per_s")
FLOORS = ("allreduce_floor_s", "layer_overhead_s")


def _read(path: Path) -> object:
    return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))


@cache
def architecture(name: str) -> Architecture:
    """Return a model preset."""
    return Architecture.model_validate(_read(ROOT / "simulator" / "model" / "presets" / f"{name}.yaml"))


@cache
def gpu(name: str = "b200-sxm") -> Gpu:
    """Return a GPU profile."""
    return load_part(ROOT / "hw_profiles" / f"{name}.yaml", Gpu)


def figure(value: float) -> Figure:
    """Return a number made up for a test."""
    return Figure(value=value, source="assumed for tests")


def with_figures(base: Gpu, **values: float) -> Gpu:
    """Return `base` with some of its figures replaced."""
    return base.model_copy(update={name: figure(value) for name, value in values.items()})


def faster(base: Gpu, factor: float) -> Gpu:
    """Return `base` with every rate times `factor` and every latency floor divided by it."""
    values = {name: getattr(base, name).value * factor for name in RATES}
    values |= {name: getattr(base, name).value / factor for name in FLOORS if getattr(base, name)}
    peaks = {dtype: figure(peak.value * factor) for dtype, peak in base.peak_flops_per_s.items()}
    return with_figures(base, **values).model_copy(update={"peak_flops_per_s": peaks})


def deployment(
    model: str = "qwen3-8b",
    *,
    tp: int = 1,
    attention: Attention | None = None,
    on: Gpu | None = None,
    weight_dtype: Dtype = "bf16",
    kv_dtype: Dtype = "bf16",
) -> Deployment:
    """Return a replica of a preset; matrix products run in the weights' precision."""
    return Deployment(
        architecture=architecture(model),
        attention=attention or own_attention(architecture(model)),
        gpu=on or gpu(),
        tp=tp,
        weight_dtype=weight_dtype,
        kv_dtype=kv_dtype,
        compute_dtype=weight_dtype,
    )


def decode_load(attention: Attention, contexts: list[int], steps: int = 1, **prefill: int) -> StepLoad:
    """Return `steps` steps of sequences with these contexts, and prefill tokens beside them."""
    work = AttentionWork(0, 0)
    if contexts:
        work = attention.step_work(ContextArray(contexts), steps)
    return StepLoad(steps, len(contexts), work, **prefill)


def summed(total: object) -> int:
    """Return the sum of a total over its steps; nothing counts 0."""
    return 0 if total is None else int(np.sum(np.asarray(total)))


def rows_of(loads: list[StepLoad]) -> StepRows:
    """Return the records that an engine writes of these loads, one row each."""
    columns = [
        (
            load.steps,
            load.decode_sequences,
            summed(load.decode.attended_tokens),
            summed(load.decode.read_tokens),
            summed(load.decode.index_entries),
            summed(load.decode.longest_tokens),
            load.prefill_tokens,
            load.prefill_attended_tokens,
            load.prefill_read_tokens,
            load.prefill_ends,
        )
        for load in loads
    ]
    return StepRows(*np.array(columns, dtype=np.int64).reshape(-1, 10).T)


FEW = settings(max_examples=settings().max_examples // 6)
"""For tests that are costly or run over many parameters; more examples in the nightly profile."""

contexts_of_a_batch = st.lists(st.integers(1, 60_000), min_size=1, max_size=12)


@st.composite
def prefills(draw: st.DrawFn) -> dict[str, int]:
    """Draw the prefill part of a step: nothing, or one chunk after some cached tokens."""
    if draw(st.booleans()):
        return {}
    past, new = draw(st.integers(0, 30_000)), draw(st.integers(1, 8192))
    return {
        "prefill_tokens": new,
        "prefill_attended_tokens": new * past + new * (new + 1) // 2,
        "prefill_read_tokens": past + new,
        "prefill_ends": draw(st.integers(0, 1)),
    }
