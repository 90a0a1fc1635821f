"""Step latency fitted to measurements of one engine on one GPU.

The operations are those of the roofline; each takes what `simulator.hardware.calibration` says instead
of what the data sheet allows.  A step without prefill tokens runs as a captured graph, whose batch is
padded up to the next captured size, so its matrix products and all-reduces form a staircase in the
batch.  An operation without usable measurements takes its roofline time.  Not modelled: overlap between
operations, speculative decoding, what a step's host work does to its neighbour.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final, Literal, NamedTuple

import numpy as np
from pydantic import Field

from simulator.attention.work import FloatVector, IntVector, Seconds
from simulator.deployment import ACTIVATION_BYTES, Deployment
from simulator.errors import UnknownNameError, suggest
from simulator.frozen import FrozenModel
from simulator.hardware import Calibration, Gpu
from simulator.hardware.calibration import Fitted, ServingFit
from simulator.latency.breakdown import Part, StepRows, by_value
from simulator.latency.caveats import of_experts, of_kernels, of_launches, of_serving
from simulator.latency.collectives import allreduce_seconds
from simulator.latency.coverage import covers, experts_fit
from simulator.latency.decode_attention import BoundDecodeAttention
from simulator.latency.linear_attention import BoundLinearAttention
from simulator.latency.load import StepLoad
from simulator.latency.operations import (
    AttentionCosts,
    Operation,
    head_operation,
    layer_operations,
    norms_operation,
)
from simulator.latency.ranks import AGREEING_S, busiest_tokens, prompt_ranks
from simulator.latency.roofline import BoundRoofline, RooflineLatency
from simulator.latency.running import REPLACED, with_experts

KERNELS_ALONE: Final = ServingFit(
    kernel_ratio=1.0,
    attention_ratio=1.0,
    prompt_ratio=1.0,
    allreduce_ratio=1.0,
    layer_s=0.0,
    step_s=0.0,
    sequence_s=0.0,
    fitted=Fitted(table="assumed: nothing overlaps and the host takes no time", rows=1, held_out_rows=0),
)
"""Where no serving runs were measured: kernels one after the other, and nothing else."""

OWN: Final = 2**32
"""Keys of steps in data-parallel attention: tokens of all GPUs, plus this times those of the busiest."""


class CalibratedLatency(FrozenModel):
    """Step latency from measurements of a serving engine (``kinesim calibrate``)."""

    kind: Literal["calibrated"] = Field(default="calibrated", description="[-] Selects this latency model.")
    engine: str = Field(
        default="vllm",
        min_length=1,
        description="[-] serving engine whose calibration the GPU's profile holds",
    )

    def bind(self, deployment: Deployment) -> BoundCalibrated:
        """Return the model of one replica's steps.

        Raises
        ------
        UnknownNameError
            If the GPU's profile has no calibration of the engine.
        """
        return BoundCalibrated(_calibration(deployment.gpu, self.engine), deployment)


class AutoLatency(FrozenModel):
    """Calibrated where the GPU's profile has measurements that cover the deployment, else the roofline."""

    kind: Literal["auto"] = Field(default="auto", description="[-] Selects this latency model.")
    engine: str = Field(
        default="vllm", min_length=1, description="[-] serving engine whose calibration is looked for"
    )

    def bind(self, deployment: Deployment) -> BoundCalibrated | BoundRoofline:
        """Return the model of one replica's steps.

        Raises
        ------
        UnknownNameError
            If the GPU's profile has calibrations, but none of the engine.
        """
        if not deployment.gpu.calibrations:
            return RooflineLatency().bind(deployment)
        calibration = _calibration(deployment.gpu, self.engine)
        if not covers(calibration, deployment):
            return RooflineLatency().bind(deployment)
        return BoundCalibrated(calibration, deployment)


def _calibration(gpu: Gpu, engine: str) -> Calibration:
    found = gpu.calibrations.get(engine)
    if found is None:
        known = suggest(engine, gpu.calibrations) if gpu.calibrations else "it has none"
        message = f"engine.latency.engine: {gpu.name} has no calibration of {engine!r}; {known}"
        raise UnknownNameError(message)
    return found


class _TimedAlone(NamedTuple):
    """Times of all layers, s, attention aside: each product, all-reduces, and the traffic of the norms."""

    products_s: tuple[float, ...]
    allreduce_s: float
    norms_s: float


def _more(base_s: float, whole_s: float) -> float:
    return max(0.0, whole_s - base_s)


class BoundCalibrated:
    """`CalibratedLatency` of one deployment, with its per-token-count costs worked out once."""

    kind: Final = "calibrated"

    def __init__(self, calibration: Calibration, deployment: Deployment) -> None:
        self.calibration = calibration
        self.deployment = d = deployment
        gpu = d.gpu
        self.flops_per_s = gpu.peak(d.compute_dtype)
        self.bytes_per_s = gpu.hbm_bandwidth_bytes_per_s.value
        self.attention_flops_per_s = gpu.peak("bf16")
        self.costs = AttentionCosts.of(d)
        # A format of weights that differs from that of the products was not measured.
        same = d.weight_dtype == d.compute_dtype
        self._gemm = calibration.gemm.get(d.compute_dtype) if same else None
        mixed = d.architecture.experts is not None
        self.experts = experts_fit(calibration, d) if mixed else None
        self._decode = calibration.decode_attention.get(d.kv_dtype)
        self._prefill = calibration.prefill_attention.get(d.kv_dtype)
        self._selection = calibration.selection
        self._attention = BoundDecodeAttention(calibration, d, self.costs, self.bytes_per_s)
        self._allreduce = {fit.gpus: fit for fit in calibration.allreduce}.get(d.tp)
        linear = calibration.linear_attention if d.architecture.linear else None
        self.hybrid = linear.serving if linear else None
        self.serving = self.hybrid or with_experts(calibration.serving or KERNELS_ALONE, self.experts)
        running = self.experts.serving if self.experts and not self.hybrid else None
        self.experts_ratio = running.experts_ratio / running.kernel_ratio if running else 1.0
        self.largest_batch = self.serving.largest_batch
        self._attention_times = d.architecture.attention_layers * self.serving.attention_ratio
        self._linear = BoundLinearAttention(
            calibration, d, flops_per_s=self.attention_flops_per_s, bytes_per_s=self.bytes_per_s
        )
        self._launches_s = d.architecture.layers * self.serving.layer_s
        self._graph_batches = calibration.graph_batches
        self._ranks, self._busiest = d.sequence_ranks, partial(busiest_tokens, d)
        self._alone: dict[tuple[int, int], _TimedAlone] = {}
        self._by_batch: dict[int, float] = {}
        self._by_tokens: dict[tuple[int, int, int], float] = {}
        self._by_sampled: dict[int, float] = {}

    @property
    def caveats(self) -> list[str]:
        """What a reader of the results must know, a sentence each."""
        c, d = self.calibration, self.deployment
        found = [f"Steps take what was measured of {c.engine} on {c.gpu} ({c.source})."]
        if c.gpu != d.gpu.name:
            found.append(f"They were measured on {c.gpu} and are taken for {d.gpu.name}.")
        replaced = self.experts and self.experts.serving and not self.hybrid
        at_bound = self.serving.fitted.caveat(unused=REPLACED if replaced else ())
        found.append(of_serving(c, self.hybrid) + at_bound)
        found += of_kernels(c, d.weight_dtype, d.kv_dtype)
        found += of_experts(self.experts, c.engine, told=self.hybrid is not None)
        found += of_launches(self.serving, d.architecture)
        missing = {
            "matrix products": self._gemm is None,
            "experts": d.architecture.experts is not None and self.experts is None,
            "decode attention": self._decode is None,
            "prefill attention": self._prefill is None,
            "all-reduces": d.tp > 1 and self._allreduce is None,
            "states of linear attention": self._linear.present and not self._linear.measured,
            "block selection": d.attention.index_block_tokens is not None and self._selection is None,
        }
        absent = [name for name, lacks in missing.items() if lacks]
        if absent:
            found.append(f"Not measured, so at their optimistic bound: {', '.join(absent)}.")
        return found

    # -- a step

    def step_seconds(self, load: StepLoad) -> Seconds:
        """Return the latency of each step of `load`, s: shape (steps,), a plain float for one step."""
        steps, decoding, work, prefilling, prefill_attended, prefill_read, prefill_ends = load
        sampled = decoding + prefill_ends
        batch = self._padded(decoding)
        fixed = self._by_batch.get(batch) or self._batch_seconds(batch)
        fixed += self._by_sampled.get(sampled) or self._sampling_seconds(sampled)
        if self._linear.present:
            fixed += self._states_seconds(decoding, prefilling, prefill_ends)
        if prefilling:
            beside = batch if decoding else 0
            key = batch, prefilling + beside, self._busiest(prefilling, prefill_ends, beside)
            fixed += self._by_tokens.get(key) or self._prompt_seconds(*key)
            fixed += self._prefill_seconds(prefilling, prefill_attended, prefill_read, prefill_ends)
        if not decoding:
            return max(fixed, self._launched_s(prefilling))
        seconds = self._attention.seconds(work, decoding, batch) * self._attention_times + fixed
        if prefilling:
            return max(float(seconds), self._launched_s(decoding + prefilling))
        return float(seconds) if steps == 1 else seconds

    def _launched_s(self, tokens: int) -> float:
        """Return the time in which the host launches a step with prompts of `tokens` tokens in all, s."""
        batches = self._graph_batches
        captured = bool(batches) and tokens <= batches[-1]
        return self.serving.captured_prompt_s if captured else self.serving.eager_prompt_s

    def _padded(self, sequences: int) -> int:
        """Return the batch whose graph runs `sequences`; beyond the largest nothing is padded.

        A step of prompts alone is taken as one of a single sequence and prompts beside it.
        """
        batches, own = self._graph_batches, -(-sequences // self._ranks)
        if not batches or own > batches[-1]:
            return max(self._ranks * own, 1)
        return self._ranks * batches[bisect_left(batches, own)]

    def _prefill_seconds(self, tokens: int, attended: int, read: int, ends: int) -> float:
        """Return the time of the attention of prompt tokens, s: at least that of reading what is cached."""
        d, layers = self.deployment, self.deployment.architecture.attention_layers
        # Where sequences are split nobody shares the heads of a prompt.
        alone = self._ranks / prompt_ranks(d, ends)
        flops = alone * attended * self.costs.attended_flops / layers
        peak = self.attention_flops_per_s
        if self._prefill is None:
            seconds = flops / peak
        else:
            seconds = float(self._prefill.seconds(flops, alone * tokens * d.query_heads, flops_per_s=peak))
        reading = alone * read * self._attention.read_s
        return self.serving.prompt_ratio * layers * max(seconds, reading)

    def _states_seconds(self, decoding: int, prefilling: int, prompts: int) -> float:
        """Return the time of the states of linear attention, s."""
        decode_s = self.serving.kernel_ratio * self._linear.decode_s(decoding)
        return decode_s + self.serving.prompt_ratio * self._linear.prefill_s(prefilling, prompts)

    # -- what depends on counts alone

    def _batch_seconds(self, batch: int) -> float:
        """Return the time of all layers of a decode step, attention itself excepted, s."""
        serving, alone = self.serving, self._timed_alone(batch)
        kernels = serving.kernel_ratio * sum(alone.products_s) + serving.allreduce_ratio * alone.allreduce_s
        entry = self._by_batch[batch] = kernels + alone.norms_s + self._launches_s
        return entry

    def _prompt_seconds(self, batch: int, tokens: int, own: int) -> float:
        """Return what prompts add to `_batch_seconds` where `tokens` tokens are computed in all, s."""
        base, whole = self._timed_alone(batch), self._timed_alone(tokens, own)
        # All-reduces of more tokens may take less.
        products = sum(map(_more, base.products_s, whole.products_s))
        alone = products + _more(base.allreduce_s, whole.allreduce_s)
        norms = _more(base.norms_s, whole.norms_s)
        entry = self._by_tokens[batch, tokens, own] = self.serving.prompt_ratio * alone + norms
        return entry

    def _timed_alone(self, tokens: int, own: int | None = None) -> _TimedAlone:
        """Return what `tokens` tokens take before the ratios of a running engine; worked out once.

        `own` go through attention on the busiest GPU; None: as many as on the others.
        """
        key = tokens, self.deployment.own_tokens(tokens) if own is None else own
        found = self._alone.get(key)
        if found is None:
            operations = layer_operations(self.deployment, *key)
            products = tuple(self._kernel_seconds(op, tokens) for op in operations)
            norms_s = norms_operation(self.deployment, *key).hbm_bytes / self.bytes_per_s
            found = self._alone[key] = _TimedAlone(products, self._allreduce_s(tokens), norms_s)
        return found

    def _sampling_seconds(self, sequences: int) -> float:
        """Return the time of the output head and of the host for `sequences` that sample, s."""
        entry = self._by_sampled[sequences] = self._head_seconds(sequences) + self._host_s(sequences)
        return entry

    def _head_seconds(self, sequences: int) -> float:
        return self.serving.kernel_ratio * self._alone_seconds(
            head_operation(self.deployment, sequences), sequences
        )

    def _kernel_seconds(self, op: Operation, tokens: int) -> float:
        """Return the time of an operation before the ratios of a running engine, s."""
        alone = self._alone_seconds(op, tokens)
        return self.experts_ratio * alone if op.name == "experts" else alone

    def _alone_seconds(self, op: Operation, tokens: int) -> float:
        """Return the time of a product timed alone, s."""
        if not tokens:
            return 0.0
        if op.shape is not None and self._gemm is not None:
            rows, inner, columns = op.shape
            fitted = self._gemm.seconds(
                float(rows), inner, columns, flops_per_s=self.flops_per_s, bytes_per_s=self.bytes_per_s
            )
            return op.repeats * float(fitted)
        experts = self.deployment.architecture.experts
        if op.shape is None and self.experts is not None and experts is not None:
            d = self.deployment
            ranks, parts = (d.tp, 1) if d.expert_parallel else (1, d.tp)
            fitted = self.experts.seconds(
                tokens,
                experts.busiest_rank(tokens, ranks),
                (d.architecture.hidden_size, experts.ffn_size / parts),
                flops_per_s=self.flops_per_s,
                bytes_per_s=self.bytes_per_s,
            )
            return self.deployment.architecture.layers * float(fitted)
        return max(op.flops / self.flops_per_s, op.hbm_bytes / self.bytes_per_s)

    def _allreduce_s(self, tokens: int) -> float:
        """Return the time of all-reduces timed alone, s."""
        d = self.deployment
        if d.tp == 1 or not tokens:
            return 0.0
        if self._allreduce is None:
            return allreduce_seconds(d, tokens)
        message = tokens * d.architecture.hidden_size * ACTIVATION_BYTES
        return 2 * d.architecture.layers * float(self._allreduce.seconds(message))

    def _host_s(self, sequences: int) -> float:
        agreeing_s = AGREEING_S if self._ranks > 1 else 0.0  # then each GPU has an engine of its own
        own = self.deployment.own_tokens(sequences)
        return self.serving.step_s + agreeing_s + self.serving.sequence_s * own

    # -- afterwards

    def parts(self, rows: StepRows) -> dict[str, Part]:
        """Return where the time of recorded steps went, by operation.

        Attention of a row of several steps is worked out at the mean of its steps.
        """
        steps = rows.steps.astype(np.float64)
        batches = by_value(rows.decode_sequences, self._padded).astype(np.int64)
        with_batch = rows.prefill_tokens + batches * (rows.decode_sequences > 0)
        tokens = np.where(rows.prefill_tokens > 0, with_batch, batches)
        sampled = rows.decode_sequences + rows.prefill_ends

        beside = batches * (rows.decode_sequences > 0)
        busiest = zip(rows.prefill_tokens, rows.prefill_ends, beside, strict=True)
        own = np.array([self._busiest(*map(int, row)) if row[0] else 0 for row in busiest], dtype=np.int64)
        keys = tokens + OWN * own

        def running(
            alone: Callable[[int], float], decode_ratio: float, prompt_ratio: float, whole: IntVector = tokens
        ) -> FloatVector:
            base = by_value(batches, alone)
            more: FloatVector = np.maximum(by_value(whole, alone) - base, 0.0)
            return steps * (decode_ratio * base + prompt_ratio * more)

        serving = self.serving
        seconds: dict[str, FloatVector] = {}
        for position, op in enumerate(layer_operations(self.deployment, 1)):
            product = partial(self._product_s, position)
            seconds[op.name] = running(product, serving.kernel_ratio, serving.prompt_ratio, keys)
        seconds["lm_head"] = steps * by_value(sampled, self._head_seconds)
        seconds["allreduce"] = running(self._allreduce_s, serving.allreduce_ratio, serving.prompt_ratio)
        seconds["norms"] = running(lambda key: self._of(key).norms_s, 1.0, 1.0, keys)
        seconds["overhead"] = steps * self._launches_s + steps * by_value(sampled, self._host_s)
        for name, alone_s in self._attention.parts(rows, batches).items():
            seconds[name] = self._attention_times * alone_s
        ratios = {"decode_ratio": serving.kernel_ratio, "prompt_ratio": serving.prompt_ratio}
        seconds |= self._linear.parts(rows, **ratios)
        read = rows.prefill_attended_tokens, rows.prefill_read_tokens
        prompts = zip(rows.prefill_tokens, *read, rows.prefill_ends, strict=True)
        prefills = [self._prefill_seconds(*map(int, one)) if one[0] else 0.0 for one in prompts]
        seconds["prefill_attention"] = np.array(prefills)
        launched = by_value(rows.decode_sequences + rows.prefill_tokens, self._launched_s)
        waits = np.maximum(launched - sum(seconds.values()), 0.0) * (rows.prefill_tokens > 0)
        seconds["overhead"] = seconds["overhead"] + waits
        return self._bounded(rows, seconds)

    def _of(self, key: int) -> _TimedAlone:
        return self._timed_alone(key % OWN, key // OWN or None)

    def _product_s(self, position: int, key: int) -> float:
        return self._of(key).products_s[position]

    def _bounded(self, rows: StepRows, seconds: dict[str, FloatVector]) -> dict[str, Part]:
        """Return the parts with the work and the peaks of the roofline beside their `seconds`."""
        bound = RooflineLatency().bind(self.deployment).parts(rows)
        return {name: replace(part, seconds=seconds[name]) for name, part in bound.items()}
