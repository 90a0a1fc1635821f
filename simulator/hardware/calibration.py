"""What an engine reaches on a GPU: a few fitted numbers per operation, with where they come from.

A calibration belongs to one GPU and one engine and is written by ``kinesim calibrate``.  Peaks stay in
the GPU's profile (data sheet); here stand ratios of them (measured).  Numbers are fitted on some
shapes and judged on others: `Fitted` keeps both counts and the error on the latter.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Literal

from pydantic import Field

from simulator.frozen import Count, FrozenModel, OneLine
from simulator.hardware.dtypes import Dtype
from simulator.hardware.forms import (
    Number,
    experts_seconds,
    gemm_seconds,
    interpolate_log,
    prefill_attention_seconds,
)

Launch = Annotated[float, Field(ge=0.0, le=1e-3)]
Efficiency = Annotated[float, Field(gt=0.0, le=20.0)]
Knot = Annotated[tuple[float, float], Field(strict=False)]
ErrorRatio = Annotated[float, Field(ge=0.0)]
Bound = Literal["least", "most"]


class Fitted(FrozenModel):
    """Where the numbers of one operation come from and how well they hold.

    Parameters are set by the fit; nothing is computed from them.
    """

    table: str = Field(description="[-] measurements behind the fit, with their version")
    rows: int = Field(ge=1, description="[-] rows that were fitted")
    held_out_rows: int = Field(ge=0, description="[-] rows of shapes that the fit has not seen")
    median_error_ratio: ErrorRatio | None = Field(
        default=None,
        description="[-] median of |predicted / measured - 1| on the held-out rows, or as the fit says",
    )
    p90_error_ratio: ErrorRatio | None = Field(default=None, description="[-] its 90th percentile")
    at_bound: dict[str, Bound] = Field(
        default={},
        description="[-] numbers that ended at the least or most that the fit allows: not measured",
    )

    def bounds_told(self, *, unused: Collection[str] = ()) -> str:
        """Return which numbers ended at a bound, in words; empty where none did.

        Parameters
        ----------
        unused : numbers that are not told, because others stand in their place.

        Examples
        --------
        >>> Fitted(table="a", rows=1, held_out_rows=0, at_bound={"step_s": "least"}).bounds_told()
        'step_s (least)'
        """
        return ", ".join(f"{name} ({end})" for name, end in self.at_bound.items() if name not in unused)

    def caveat(self, *, unused: Collection[str] = ()) -> str:
        """Return a sentence on numbers at a bound, to follow another one; empty where there are none.

        Parameters
        ----------
        unused : numbers that are not told, because others stand in their place.
        """
        told = self.bounds_told(unused=unused)
        return f" At a bound of that fit, so not measured: {told}." if told else ""


class GemmFit(FrozenModel):
    """A matrix product in one number format; see `simulator.hardware.forms.gemm_seconds`."""

    launch_s: Launch = Field(description="[s] least time of a launch")
    compute_ratio: Efficiency = Field(description="[-] part of the compute peak that is reached")
    memory_ratio: Efficiency = Field(description="[-] part of the bandwidth that is reached")
    sharpness: float = Field(ge=1.0, le=100.0, description="[-] p of the norm that combines the bounds")
    inner_s: float = Field(ge=0.0, le=1e-6, description="[s] per element of the inner dimension")
    quantise_ratio: float = Field(
        default=0.0, ge=0.0, le=20.0, description="[-] bandwidth of converting the inputs; 0: no such pass"
    )
    element_bytes: float = Field(gt=0.0, le=4.0, description="[bytes] a weight or input, scales included")
    fitted: Fitted = Field(description="[-] provenance and error")

    def seconds(
        self, rows: Number, inner: Number, columns: Number, *, flops_per_s: float, bytes_per_s: float
    ) -> Number:
        """Return the time of products of this shape, s."""
        numbers = (
            self.launch_s,
            self.compute_ratio,
            self.memory_ratio,
            self.sharpness,
            self.inner_s,
            self.quantise_ratio,
        )
        return gemm_seconds(
            rows,
            inner,
            columns,
            numbers=numbers,
            element_bytes=self.element_bytes,
            peak_flops_per_s=flops_per_s,
            peak_bytes_per_s=bytes_per_s,
        )


class DecodeAttentionFit(FrozenModel):
    """Decode attention with one KV format; see `simulator.hardware.forms.decode_attention_seconds`."""

    launch_s: Launch = Field(description="[s] least time of a launch")
    memory_ratio: Efficiency = Field(description="[-] part of the bandwidth that is reached")
    small_ratio: Efficiency = Field(description="[-] the same for the first `small_bytes`")
    small_bytes: float = Field(gt=0.0, le=1e12, description="[bytes] traffic before the bandwidth is reached")
    sequence_head_s: float = Field(ge=0.0, le=1e-5, description="[s] least time of a sequence and KV head")
    squarings: int = Field(ge=0, le=4, description="[-] the norm's p is 2 ** squarings")
    fitted: Fitted = Field(description="[-] provenance and error")


class SplitFit(FrozenModel):
    """How decode attention divides its work among thread blocks; see `simulator.latency.decode_attention`."""

    blocks: int = Field(ge=1, le=10_000, description="[-] thread blocks that run at once: multiprocessors")
    block_bytes_per_s: float = Field(ge=1e9, le=1e13, description="[bytes/s] rate of one thread block")
    fitted: Fitted = Field(description="[-] provenance and error of the steps that it was fitted to")


class PrefillAttentionFit(FrozenModel):
    """Prefill attention; see `simulator.hardware.forms.prefill_attention_seconds`."""

    launch_s: Launch = Field(description="[s] least time of a launch")
    compute_ratio: Efficiency = Field(description="[-] part of the compute peak that is reached")
    token_head_s: float = Field(ge=0.0, le=1e-6, description="[s] per new token and query head")
    fitted: Fitted = Field(description="[-] provenance and error")

    def seconds(self, attended_flops: Number, token_heads: Number, *, flops_per_s: float) -> Number:
        """Return the time of one layer's attention over the chunks of a step, s."""
        numbers = (self.launch_s, self.compute_ratio, self.token_head_s)
        return prefill_attention_seconds(
            attended_flops, token_heads, numbers=numbers, peak_flops_per_s=flops_per_s
        )


class AllreduceFit(FrozenModel):
    """All-reduces over some GPUs of a node: measured points, joined by lines in logarithms.

    Engines switch between algorithms by size, so the time is not monotone and no short form holds.
    """

    gpus: int = Field(ge=2, le=1024, description="[GPUs] that take part")
    knots: Annotated[
        tuple[Knot, ...],
        Field(strict=False, min_length=2, description="[bytes, s] message and time, by message"),
    ]
    fitted: Fitted = Field(
        description="[-] provenance; nothing is held out: the error is of points read off their neighbours"
    )

    def seconds(self, message_bytes: Number) -> Number:
        """Return the time of one all-reduce, s."""
        return interpolate_log(message_bytes, self.knots)


class SelectionFit(FrozenModel):
    """Block top-k attention: what gathering chosen blocks and scanning the index reach."""

    gather_ratio: Efficiency = Field(description="[-] part of the bandwidth that gathering blocks reaches")
    scan_ratio: Efficiency = Field(description="[-] part of the bandwidth that scanning the index reaches")
    launch_s: Launch = Field(description="[s] least time of the selection beyond dense attention's launch")
    fitted: Fitted = Field(description="[-] provenance and error")


class ServingFit(FrozenModel):
    """What kernels timed alone do not show: overlap, launches between them, host and scheduler time.

    A step takes ``kernel_ratio * kernels + attention_ratio * decode attention + allreduce_ratio *
    all-reduces + layers * layer_s + step_s + sequence_s * sequences``. What prompts add to its kernels and
    all-reduces takes `prompt_ratio`: no captured graph, large messages, GPUs that are fully busy. A step with
    prompts lasts at least as long as the host needs to launch it.
    """

    kernel_ratio: Efficiency = Field(description="[-] kernels in a running engine over kernels timed alone")
    attention_ratio: Efficiency = Field(description="[-] the same of decode attention and block selection")
    allreduce_ratio: float = Field(ge=0.0, le=20.0, description="[-] the same of all-reduces")
    prompt_ratio: Efficiency = Field(description="[-] the same of what prompts add to a step")
    layer_s: float = Field(ge=0.0, le=1e-2, description="[s] launches of one decoder layer")
    step_s: float = Field(ge=0.0, le=1.0, description="[s] host and scheduler time of a step")
    sequence_s: float = Field(ge=0.0, le=1e-2, description="[s] host time per running sequence")
    captured_prompt_s: float = Field(
        default=0.0, ge=0.0, le=1.0, description="[s] least time of a step with prompts of captured size"
    )
    eager_prompt_s: float = Field(
        default=0.0, ge=0.0, le=1.0, description="[s] the same beyond it: every kernel is launched by itself"
    )
    launched_by: Annotated[
        tuple[OneLine, ...], Field(strict=False, description="[-] models whose steps told these least times")
    ] = ()
    largest_batch: Count | None = Field(
        default=None, description="[sequences] most that ran at once in what it was fitted to; null: not told"
    )
    fitted: Fitted = Field(description="[-] provenance and error")


class LinearAttentionFit(FrozenModel):
    """States of linear attention; see `linear_decode_seconds` and `linear_prefill_seconds` of the forms."""

    decode_launch_s: Launch = Field(description="[s] launches of a decode step: convolution and states")
    memory_ratio: Efficiency = Field(description="[-] part of the bandwidth that moving states reaches")
    decode_fitted: Fitted = Field(description="[-] provenance and error of decode steps")
    blocks: int = Field(ge=1, le=10_000, description="[-] thread blocks that run at once: multiprocessors")
    prefill_launch_s: Launch = Field(description="[s] least time of the kernels of prompts")
    wave_s: Launch = Field(description="[s] least time of a thread block's prompt and head")
    token_s: float = Field(ge=0.0, le=1e-5, description="[s] per token of a prompt")
    token_head_s: float = Field(
        ge=0.0, le=1e-6, description="[s] per token and value head, all prompts together"
    )
    prefill_fitted: Fitted = Field(description="[-] provenance and error of prompts")
    serving: ServingFit | None = Field(
        default=None, description="[-] a running engine with such layers; null: as with models without them"
    )


class ExpertsServing(FrozenModel):
    """What a running engine makes of models with experts in one format.

    The measured runs of mixtures of experts are of other versions of the engine, and of other kernels, than
    the tables and the runs of dense models are. All-reduces of steps without prompts, and layers, are as in
    `ServingFit`.
    """

    experts_ratio: Efficiency = Field(
        description="[-] times of experts over those that `ServingFit` makes of experts timed alone"
    )
    kernel_ratio: Efficiency = Field(description="[-] the same of the other kernels")
    step_s: float = Field(ge=0.0, le=1.0, description="[s] host and scheduler time of a step")
    sequence_s: float = Field(ge=0.0, le=1e-2, description="[s] host time per running sequence")
    largest_batch: Count | None = Field(
        default=None, description="[sequences] most that ran at once in what it was fitted to; null: not told"
    )
    fitted: Fitted = Field(description="[-] provenance and error")


class ExpertsFit(FrozenModel):
    """The experts of one layer with weights in one format, routing and combining included."""

    launch_s: Launch = Field(description="[s] least time of the layer")
    compute_ratio: Efficiency = Field(description="[-] part of the compute peak that is reached")
    memory_ratio: Efficiency = Field(description="[-] part of the bandwidth that is reached")
    sharpness: float = Field(ge=1.0, le=100.0, description="[-] p of the norm that combines the bounds")
    padding_rows: float = Field(ge=0.0, le=1e4, description="[rows] computed beyond those of an expert")
    padding_columns: float = Field(ge=0.0, le=1e5, description="[columns] moved beyond those of an expert")
    row_element_s: float = Field(
        ge=0.0, le=1e-8, description="[s] per element of a row that an expert computes: permuting, combining"
    )
    token_s: float = Field(ge=0.0, le=1e-5, description="[s] per token: routing")
    element_bytes: float = Field(gt=0.0, le=4.0, description="[bytes] a weight, scales included")
    fitted: Fitted = Field(description="[-] provenance and error")
    serving: ExpertsServing | None = Field(
        default=None, description="[-] what measured runs say; null: as in runs of dense models"
    )

    def seconds(
        self,
        tokens: Number,
        load: tuple[Number, Number],
        shape: tuple[Number, Number],
        *,
        flops_per_s: float,
        bytes_per_s: float,
    ) -> Number:
        """Return the time of one layer's experts on one GPU, s.

        Parameters
        ----------
        tokens : tokens of the step.
        load : distinct experts that they reach on the GPU, and rows that these compute.
        shape : hidden size, and the inner size of one expert on the GPU.
        flops_per_s, bytes_per_s : the data sheet's peaks.
        """
        numbers = (
            self.launch_s,
            self.compute_ratio,
            self.memory_ratio,
            self.sharpness,
            self.padding_rows,
            self.padding_columns,
            self.row_element_s,
            self.token_s,
        )
        return experts_seconds(
            tokens,
            load,
            shape,
            numbers=numbers,
            element_bytes=self.element_bytes,
            peak_flops_per_s=flops_per_s,
            peak_bytes_per_s=bytes_per_s,
        )


class Calibration(FrozenModel):
    """Fitted numbers of one engine on one GPU.

    An operation that is missing here has no usable measurements: the roofline stands in and the
    results say so.
    """

    kind: Literal["calibration"] = Field(default="calibration", description="[-] what this file describes")
    name: OneLine = Field(min_length=1, description="[-] catalog name, the file's stem")
    gpu: OneLine = Field(min_length=1, description="[-] the GPU that was measured")
    engine: OneLine = Field(min_length=1, description="[-] the serving engine that was measured")
    source: OneLine = Field(min_length=3, description="[-] package or file, version, and date of the fit")
    graph_batches: Annotated[
        tuple[int, ...],
        Field(strict=False, description="[sequences] batches with a captured graph; others are padded up"),
    ] = ()
    gemm: dict[Dtype, GemmFit] = Field(default={}, description="[-] matrix products by number format")
    decode_attention: dict[Dtype, DecodeAttentionFit] = Field(default={}, description="[-] by KV format")
    split: SplitFit | None = Field(default=None, description="[-] unequal contexts in decode attention")
    prefill_attention: dict[Dtype, PrefillAttentionFit] = Field(default={}, description="[-] by KV format")
    allreduce: Annotated[
        tuple[AllreduceFit, ...], Field(strict=False, description="[-] by number of GPUs")
    ] = ()
    selection: SelectionFit | None = Field(default=None, description="[-] block top-k attention")
    linear_attention: LinearAttentionFit | None = Field(
        default=None, description="[-] states of linear attention"
    )
    experts: dict[Dtype, ExpertsFit] = Field(default={}, description="[-] experts by number format")
    serving: ServingFit | None = Field(default=None, description="[-] layer, host and scheduler time")
