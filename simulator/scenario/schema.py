"""The resolved scenario: one frozen object that holds everything a run depends on.

Past this point nothing is a dict or a name: catalogs and paths have been read, defaults filled in, and
every value checked.  ``model_dump(mode="json", by_alias=True)`` gives a document that loads back to an
equal scenario; the manifest of a run holds it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal, Self

from pydantic import Field, SerializeAsAny, model_validator

from simulator.attention import Attention, DenseAttention
from simulator.deployment import Deployment, check_split, own_attention
from simulator.frozen import Count, FrozenModel, OneLine, Seconds
from simulator.hardware import Dtype, Figure, KgPerKwh, Node, Pue
from simulator.kvcache import KvConfig
from simulator.latency import AutoLatency, Latency
from simulator.model import Architecture
from simulator.routing import LeastLoaded, Router
from simulator.scenario.plans import PlanSpec
from simulator.scenario.sweeps import SweepSpec
from simulator.scheduling import Fcfs, Scheduler
from workloads import Workload

Lines = Annotated[str, Field(pattern=r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]*$")]
"""As `OneLine`, but tabs and line feeds are allowed."""


LARGEST_SEED: Final = 2**63 - 1
"""The largest root of random numbers: whole numbers of 64 bits can be read everywhere."""


class ServedModel(FrozenModel):
    """The model as served: an architecture, its attention and its precisions."""

    architecture: Architecture = Field(
        alias="preset", description="[-] architecture: catalog name, path or table"
    )
    attention: Attention = Field(
        default=DenseAttention(),
        description="[-] how a decode step attends; left out: dense, or the windows that the model has",
    )
    weight_dtype: Dtype = Field(default="bf16", description="[-] precision of the weights")
    kv_dtype: Dtype = Field(default="bf16", description="[-] precision of cached keys and values")
    compute_dtype: Dtype | None = Field(
        default=None, description="[-] precision whose peak bounds matrix products; null: the weights'"
    )
    expert_dtype: Dtype | None = Field(
        default=None, description="[-] precision of the experts' weights; null: that of all weights"
    )

    @model_validator(mode="before")
    @classmethod
    def _attend_as_the_model_does(cls, values: object) -> object:
        if not isinstance(values, Mapping) or "attention" in values:
            return values
        preset = values.get("preset", values.get("architecture"))
        layers = preset.get("sliding") if isinstance(preset, Mapping) else None
        if isinstance(preset, Architecture):
            return {**values, "attention": own_attention(preset)}
        if not isinstance(layers, Mapping):
            return values
        window = {"window_tokens": layers.get("window_tokens"), "window_every": layers.get("every")}
        return {**values, "attention": {"kind": "sliding_window", **window}}


class Parallelism(FrozenModel):
    """How the node's GPUs are split: `dp` replicas of `tp` GPUs each."""

    tp: Count = Field(default=1, description="[GPUs] tensor-parallel ranks of a replica")
    dp: Count = Field(default=1, description="[-] replicas behind the router")
    expert_parallel: bool = Field(
        default=False, description="[-] whether a replica's ranks hold whole experts instead of parts of each"
    )
    data_attention: bool = Field(
        default=False,
        description="[-] whether each of a replica's ranks serves sequences of its own with all heads, "
        "experts shared (one engine a rank in vLLM); limits of the engine are those of all ranks together",
    )


class EngineConfig(FrozenModel):
    """The serving engine of every replica."""

    scheduler: SerializeAsAny[Scheduler] = Field(default=Fcfs(), description="[-] who is admitted next")
    router: SerializeAsAny[Router] = Field(
        default=LeastLoaded(), description="[-] which replica serves a sequence"
    )
    latency: Latency = Field(default=AutoLatency(), description="[-] how long a step takes")
    kv: KvConfig = Field(default=KvConfig(), description="[-] the KV cache")
    max_sequences: Count = Field(default=512, description="[-] largest batch of a replica")
    max_batched_tokens: Count = Field(default=8192, description="[tokens] largest step of a replica")
    prefill: Literal["local", "remote"] = Field(
        default="local",
        description="[-] local = replicas compute prompts; remote = other servers do, and deliver their KV "
        "in no time when a sequence is admitted: the replica computes a prompt's last token alone",
    )
    prefill_multiple_tokens: Count = Field(
        default=1, description="[tokens] parts of a prompt end at multiples of this, all but the last one"
    )

    @model_validator(mode="after")
    def _a_step_holds_the_batch(self) -> Self:
        if self.max_batched_tokens < self.max_sequences:
            message = (
                f"max_batched_tokens {self.max_batched_tokens} is below max_sequences {self.max_sequences}; "
                "every running sequence takes one token of each step"
            )
            raise ValueError(message)
        multiple = self.prefill_multiple_tokens
        if multiple > 1 and self.max_batched_tokens < self.max_sequences + multiple:
            message = (
                f"max_batched_tokens {self.max_batched_tokens} is below max_sequences {self.max_sequences} + "
                f"prefill_multiple_tokens {multiple}; a step with prompts holds one multiple beside the batch"
            )
            raise ValueError(message)
        return self


class ServiceLevel(FrozenModel):
    """Limits a task must meet to count as goodput; what is null is not asked for."""

    ttft_s: Seconds | None = Field(default=None, description="[s] longest time to first token of a trial")
    tpot_s: Seconds | None = Field(default=None, description="[s] longest time per output token of a trial")
    task_s: Seconds | None = Field(default=None, description="[s] longest time from arrival to answer")


class Site(FrozenModel):
    """Where the node stands, for its carbon; nothing of the run depends on it."""

    grid_kg_co2e_per_kwh: KgPerKwh = Field(
        default=Figure(
            value=0.445,
            source="IEA, Electricity 2025, Emissions: world average of 2024",
            note="CO2 of generation alone, without other gases, upstream emissions and losses of the grid",
        ),
        description="[kg CO2e/kWh] carbon of a kilowatt hour of electricity",
    )
    pue: Pue = Field(
        default=Figure(
            value=1.54,
            source="Uptime Institute Global Data Center Survey 2025: weighted average",
            note="of the largest site of each operator asked; above 1.5 since 2018",
        ),
        description="[-] power usage effectiveness: energy of the site over that of its equipment",
    )


class ReportConfig(FrozenModel):
    """What is measured, over which part of the run, and how often it is repeated."""

    seeds: Count = Field(default=1, description="[-] repetitions with seeds seed, seed+1, ...")
    horizon_s: Seconds | None = Field(default=None, description="[s] stop the run here; null: run to the end")
    window: Literal["auto", "whole", "steady"] = Field(
        default="auto",
        description="[-] part of the run that rates refer to: whole = from first arrival to last answer; "
        "steady = without warm-up and without the drain after the last arrival; auto = whole for "
        "all_at_once, else steady",
    )
    warmup_ratio: float = Field(
        default=0.1,
        ge=0.0,
        lt=1.0,
        description="[-] part of the time to the last arrival dropped as warm-up, if steady",
    )
    confidence_ratio: float = Field(
        default=0.95, gt=0.5, lt=1.0, description="[-] level of the confidence intervals"
    )
    site: Site = Field(default=Site(), description="[-] carbon of the grid and overhead of the building")
    slo: ServiceLevel = Field(default=ServiceLevel(), description="[-] limits for goodput")


class Scenario(FrozenModel):
    """Everything a run depends on.

    Notes
    -----
    `variants` are complete scenarios that share this one's seed and workload draws (common random
    numbers); they have no variants of their own.
    """

    schema_version: Literal[1] = Field(alias="schema", description="[-] version of the file format")
    name: OneLine = Field(default="scenario", min_length=1, max_length=200, description="[-] what to call it")
    question: Lines = Field(default="", max_length=2000, description="[-] what the scenario is to answer")
    hardware: Node = Field(description="[-] node: catalog name, path or table")
    model: ServedModel = Field(description="[-] the model as served")
    parallelism: Parallelism = Field(default=Parallelism(), description="[-] how the GPUs are split")
    engine: EngineConfig = Field(default=EngineConfig(), description="[-] the serving engine")
    workload: Workload = Field(description="[-] what is asked of the node")
    report: ReportConfig = Field(default=ReportConfig(), description="[-] what is measured")
    seed: int = Field(default=0, ge=0, le=LARGEST_SEED, description="[-] root of all random numbers")
    variants: dict[str, Scenario] = Field(default={}, description="[-] alternatives run side by side")
    sweep: SweepSpec | None = Field(
        default=None, exclude=True, description="[-] what `kinesim sweep` varies; no part of a run"
    )

    plan: PlanSpec | None = Field(
        default=None, exclude=True, description="[-] what `kinesim plan` looks for; no part of a run"
    )

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Self:
        self.check_parts()
        return self

    def check_parts(self) -> None:
        """Refuse parts that do not go together; called for every scenario that is made.

        Raises
        ------
        ValueError
            Says which parts, and what is allowed.
        """
        p, node = self.parallelism, self.hardware
        if p.tp * p.dp > node.gpus:
            message = (
                f"parallelism: tp {p.tp} x dp {p.dp} = {p.tp * p.dp} GPUs, but {node.name} has {node.gpus}"
            )
            raise ValueError(message)
        scheduler = self.engine.scheduler
        if scheduler.reads_prediction and self.workload.length_prediction is None:
            message = (
                f"engine.scheduler: {scheduler.kind} reads predicted lengths, but workload.length_prediction "
                "is not given; for example {log_error: 0.3}"
            )
            raise ValueError(message)
        limit = self.model.architecture.max_context_tokens
        longest = self.workload.max_context_tokens()
        if longest > limit:
            message = (
                f"workload.max_tokens: contexts reach {longest} tokens, but {self.model.architecture.name} "
                f"is published for {limit}"
            )
            raise ValueError(message)

    def deployment(self) -> Deployment:
        """Return one replica's share of the model.

        Raises
        ------
        ScenarioError
            If the heads cannot be split over the tensor-parallel ranks.
        """
        m, p = self.model, self.parallelism
        if m.architecture.experts is not None or not p.expert_parallel:
            most = self.hardware.gpus // p.dp
            check_split(m.architecture, p.tp, expert_parallel=p.expert_parallel, most=most)
        return Deployment(
            architecture=m.architecture,
            attention=m.attention,
            gpu=self.hardware.gpu,
            tp=self.parallelism.tp,
            weight_dtype=m.weight_dtype,
            kv_dtype=m.kv_dtype,
            compute_dtype=m.compute_dtype or m.weight_dtype,
            expert_dtype=m.expert_dtype,
            expert_parallel=self.parallelism.expert_parallel,
            data_attention=self.parallelism.data_attention,
        )
