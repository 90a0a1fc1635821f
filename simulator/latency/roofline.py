"""The roofline of a step: datasheet peaks, plus the latency floors that no roofline has.

Every operation takes the longer of its FLOPs at the peak and its bytes at the HBM bandwidth, summed
over operations (other combinations by choice), plus the all-reduces of tensor parallelism and, per
layer, norms and launches: their traffic or a measured floor, whichever is longer.  An optimistic
bound: measured serving steps take 1.2 to 6 times the roofline, worst for small models at short contexts.

Not modelled: kernel efficiency, tile and wave quantisation, overlap of communication with compute, host
time beyond the fields below.
"""

from __future__ import annotations

from functools import partial
from typing import Final, Literal

import numpy as np
from pydantic import Field

from simulator.attention.work import AttentionWork, FloatVector, Seconds
from simulator.deployment import Deployment
from simulator.frozen import FrozenModel
from simulator.latency.breakdown import Part, StepRows, by_value
from simulator.latency.collectives import allreduce_seconds
from simulator.latency.linear_attention import decode_states, prefill_states, states_of
from simulator.latency.load import StepLoad
from simulator.latency.operations import (
    AttentionCosts,
    Operation,
    head_operation,
    layer_operations,
    norms_operation,
)

OPTIMISTIC: Final = (
    "Optimistic bound: steps take what data-sheet peaks allow; measured serving takes 1.2 to 6 times as long."
)

Combine = Literal["sum_of_max", "max_of_sum", "additive"]


def _larger(one: Seconds, other: Seconds) -> Seconds:
    """Return the larger of two durations, step by step."""
    if isinstance(one, float) and isinstance(other, float):
        return max(one, other)
    larger: FloatVector = np.maximum(one, other)
    return larger


class RooflineLatency(FrozenModel):
    """Step latency from datasheet peaks (an optimistic bound).

    Notes
    -----
    ``sum_of_max``: operations run one after the other, each overlapping its compute with its traffic.
    ``max_of_sum``: compute and traffic of the whole step overlap perfectly (Kinetics, App. A.1).
    ``additive``: nothing overlaps (Kinetics, Eq. 1-4).
    """

    kind: Literal["roofline"] = Field(default="roofline", description="[-] Selects this latency model.")
    combine: Combine = Field(default="sum_of_max", description="[-] how compute and traffic combine")
    collectives: bool = Field(default=True, description="[-] whether all-reduces take time")
    lm_head: bool = Field(
        default=True, description="[-] whether the output head takes time; estimates by layer leave it out"
    )
    layer_overhead_s: float | None = Field(
        default=None,
        ge=0.0,
        le=1.0,
        description="[s] least time of norms and launches per layer; null: the profile's measured one, or 0",
    )
    step_overhead_s: float = Field(
        default=0.0, ge=0.0, le=10.0, description="[s] host and scheduler time of a step"
    )
    sequence_overhead_s: float = Field(
        default=0.0, ge=0.0, le=1.0, description="[s] host time of a step per sequence that gets a token"
    )

    def bind(self, deployment: Deployment) -> BoundRoofline:
        """Return the model of one replica's steps."""
        return BoundRoofline(self, deployment)


class BoundRoofline:
    """`RooflineLatency` of one deployment, with its per-token-count costs worked out once."""

    kind: Final = "roofline"
    caveats: Final = (OPTIMISTIC,)
    largest_batch: Final = None

    def __init__(self, config: RooflineLatency, deployment: Deployment) -> None:
        self.config = config
        self.deployment = deployment
        gpu = deployment.gpu
        self.peak_flops_per_s = gpu.peak(deployment.compute_dtype)
        self.attention_flops_per_s = gpu.peak("bf16")
        self.bytes_per_s = gpu.hbm_bandwidth_bytes_per_s.value
        self.costs = AttentionCosts.of(deployment)
        overhead = config.layer_overhead_s
        if overhead is None:
            overhead = gpu.layer_overhead_s.value if gpu.layer_overhead_s else 0.0
        self.layers_overhead_s = overhead * deployment.architecture.layers
        c, attention_flops, bandwidth = self.costs, self.attention_flops_per_s, self.bytes_per_s
        self._attended_s = c.attended_flops / attention_flops
        self._read_s = c.read_bytes / bandwidth
        self._index_flop_s = c.index_flops / attention_flops
        self._index_byte_s = c.index_bytes / bandwidth
        # Read in every step, and a pydantic attribute takes ten times as long as a plain one.
        self._operations_in_turn = config.combine == "sum_of_max"
        # (compute s, memory s, s apart from the roofline) by tokens and by sequences that sample.
        self._by_tokens: dict[int, tuple[float, float, float]] = {}
        self._by_sampled: dict[int, tuple[float, float, float]] = {}
        self._keeps_states = deployment.architecture.linear is not None

    def step_seconds(self, load: StepLoad) -> Seconds:
        """Return the latency of each step of `load`, s: shape (steps,), a plain float for one step."""
        _, decoding, work, prefilling, prefill_attended, prefill_read, prefill_ends = load
        layers = self._by_tokens.get(decoding + prefilling) or self._layers(decoding + prefilling)
        head = self._by_sampled.get(decoding + prefill_ends) or self._sampling(decoding + prefill_ends)
        compute, memory, apart = layers[0] + head[0], layers[1] + head[1], layers[2] + head[2]
        if self._keeps_states:
            states = self._states(decoding, prefilling, prefill_ends)
            compute, memory = compute + states[0], memory + states[1]
        if self._operations_in_turn:
            if prefilling:
                compute += max(prefill_attended * self._attended_s, prefill_read * self._read_s)
            return self._attention_seconds(work) + (compute + apart)
        compute += prefill_attended * self._attended_s
        memory += prefill_read * self._read_s
        busy = work.attended_tokens * self._attended_s
        traffic = work.read_tokens * self._read_s
        if work.index_entries is not None:
            busy = busy + work.index_entries * self._index_flop_s
            traffic = traffic + work.index_entries * self._index_byte_s
        if self.config.combine == "max_of_sum":
            seconds = _larger(busy + compute, traffic + memory)
        else:
            seconds = (busy + compute) + (traffic + memory)
        return seconds + apart

    def _attention_seconds(self, work: AttentionWork) -> Seconds:
        if work.read_tokens is work.attended_tokens:
            seconds = work.read_tokens * max(self._attended_s, self._read_s)
        else:
            seconds = _larger(work.attended_tokens * self._attended_s, work.read_tokens * self._read_s)
        if work.index_entries is not None:
            seconds = seconds + work.index_entries * max(self._index_flop_s, self._index_byte_s)
        return seconds

    def _layers(self, tokens: int) -> tuple[float, float, float]:
        """Return the time of all layers, attention itself excepted, for `tokens` tokens.

        Under ``sum_of_max`` the operations are already combined and stand in the first number.
        """
        operations = layer_operations(self.deployment, tokens)
        compute, memory = self._combined(operations, self.peak_flops_per_s)
        norms = max(self.layers_overhead_s, self._norms_s(tokens))
        entry = self._by_tokens[tokens] = (compute, memory, self._allreduce_s(tokens) + norms)
        return entry

    def _sampling(self, sequences: int) -> tuple[float, float, float]:
        """Return the time of the output head, and of the host, for `sequences` that sample."""
        compute, memory = self._combined([self._head(sequences)], self.peak_flops_per_s)
        entry = self._by_sampled[sequences] = (compute, memory, self._host_s(sequences))
        return entry

    def _head(self, sampled: int) -> Operation:
        return head_operation(self.deployment, sampled if self.config.lm_head else 0)

    def _sampling_operations(self, sampled: int) -> list[Operation]:
        return [self._head(sampled)]

    def _states(self, decoding: int, prefilling: int, prompts: int) -> tuple[float, float]:
        """Return the time of the states of linear attention, as `_layers` does."""
        d = self.deployment
        operations = [decode_states(d, decoding), prefill_states(d, prefilling, prompts)]
        return self._combined(operations, self.attention_flops_per_s)

    def _combined(self, operations: list[Operation], flops_per_s: float) -> tuple[float, float]:
        compute = [op.flops / flops_per_s for op in operations]
        memory = [op.hbm_bytes / self.bytes_per_s for op in operations]
        if self.config.combine == "sum_of_max":
            return sum(map(max, compute, memory)), 0.0
        return sum(compute), sum(memory)

    def _allreduce_s(self, tokens: int) -> float:
        return allreduce_seconds(self.deployment, tokens) if self.config.collectives else 0.0

    def _norms_s(self, tokens: int) -> float:
        """Return the time of the norms' traffic, s."""
        return norms_operation(self.deployment, tokens).hbm_bytes / self.bytes_per_s

    def _launches_s(self, tokens: int) -> float:
        """Return what the layers' measured overhead takes beyond the norms' traffic that is part of it, s."""
        return max(0.0, self.layers_overhead_s - self._norms_s(tokens))

    def _host_s(self, sequences: int) -> float:
        return self.config.step_overhead_s + self.config.sequence_overhead_s * sequences

    def parts(self, rows: StepRows) -> dict[str, Part]:
        """Return where the time of recorded steps went, by operation; the seconds sum to the steps'.

        Under ``max_of_sum`` a row's time is shared out by the resource that bounds it.  Rows of several
        steps are treated as if one side of each maximum bounded all of them.  Time is that of the busiest
        GPU; FLOPs and bytes are those of the mean GPU, so that all GPUs together do tp times as much.
        """
        work = self._work(rows)
        mean_work = self._work(rows, mean=True) if self.deployment.expert_parallel else work
        combine = self.config.combine
        all_memory_s = sum(hbm_bytes / self.bytes_per_s for _, hbm_bytes, _ in work.values())
        memory_bound = all_memory_s > sum(flops / peak for flops, _, peak in work.values())
        parts: dict[str, Part] = {}
        for name, (flops, hbm_bytes, peak) in work.items():
            compute, memory = flops / peak, hbm_bytes / self.bytes_per_s
            if combine == "sum_of_max":
                seconds = np.maximum(compute, memory)
            elif combine == "max_of_sum":
                seconds = np.where(memory_bound, memory, compute)
            else:
                seconds = compute + memory
            parts[name] = Part(seconds, *mean_work[name], self.bytes_per_s)
        return parts | self._parts_apart(rows)

    def _parts_apart(self, rows: StepRows) -> dict[str, Part]:
        tokens = rows.decode_sequences + rows.prefill_tokens
        sequences = rows.decode_sequences + rows.prefill_ends
        steps = rows.steps.astype(np.float64)
        reduce_s = by_value(tokens, self._allreduce_s) * steps
        overhead_s = (by_value(tokens, self._launches_s) + by_value(sequences, self._host_s)) * steps
        norms_s = by_value(tokens, self._norms_s) * steps
        nothing: FloatVector = np.zeros(len(rows.steps))
        return {
            name: Part(seconds, nothing, hbm_bytes, self.peak_flops_per_s, self.bytes_per_s)
            for name, seconds, hbm_bytes in (
                ("norms", norms_s, norms_s * self.bytes_per_s),
                ("allreduce", reduce_s, nothing),
                ("overhead", overhead_s, nothing),
            )
        }

    def _work(
        self, rows: StepRows, *, mean: bool = False
    ) -> dict[str, tuple[FloatVector, FloatVector, float]]:
        """Return (FLOPs, bytes, peak) of every roofline operation, columns of shape (rows,).

        They are those of the busiest GPU of a replica, or of the `mean` one.
        """
        tokens = rows.decode_sequences + rows.prefill_tokens
        sampled = rows.decode_sequences + rows.prefill_ends
        d, c = self.deployment, self.costs
        steps = rows.steps.astype(np.float64)
        work: dict[str, tuple[FloatVector, FloatVector, float]] = {}
        of_layers = partial(layer_operations, d)
        for keys, operations in ((tokens, of_layers), (sampled, self._sampling_operations)):
            values, rows_of = np.unique(keys, return_inverse=True)
            tables = [operations(int(value)) for value in values]
            for same in zip(*tables, strict=True):
                done = np.array([operation.work(mean=mean) for operation in same])[rows_of]
                work[same[0].name] = (done[:, 0] * steps, done[:, 1] * steps, self.peak_flops_per_s)
        peak = self.attention_flops_per_s
        work["attention"] = (rows.attended_tokens * c.attended_flops, rows.read_tokens * c.read_bytes, peak)
        if c.index_bytes:
            work["selection"] = (rows.index_entries * c.index_flops, rows.index_entries * c.index_bytes, peak)
        work["prefill_attention"] = (
            rows.prefill_attended_tokens * c.attended_flops,
            rows.prefill_read_tokens * c.read_bytes,
            peak,
        )
        return work | {name: (*counts, peak) for name, counts in states_of(d, rows).items()}
