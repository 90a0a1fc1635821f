"""Measured serving runs: time per output token at a known concurrency, prompt and output length.

From ``systems/silicon_sample.csv`` of aiconfigurator-core (public benchmark exports, vendor measurements).
Rows are left out by rule:

* prefill and decode on separate GPUs, pipeline or attention data parallelism, models without a preset, more
  than the 8 GPUs of a node;
* experts split over other GPUs than the heads, or both by columns and in whole experts;
* rows that repeat another one, its times to 0.01 ms included, also under another version;
* a first token after more than 10 s: requests queued, so fewer than the concurrency ran;
* prompts whose matrix products alone would take more than 0.4 of the compute peak all the time, which
  leaves no room for decoding: the prompts cannot all have been computed;
* tokens faster than the memory can read one token's weights and the keys and values of all requests in
  flight: fewer ran.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zlib import crc32

import pandas as pd

from simulator.calibrate.tables import GPUS, MS, installed_tables
from simulator.hardware import DTYPE_BYTES, Dtype, Gpu
from simulator.model import Architecture

MODELS: Final = {
    "Qwen/Qwen3-32B": "qwen3-32b",
    "meta-llama/Llama-3.1-70B": "llama-3.1-70b",
    "meta-llama/Llama-3.1-8B-Instruct": "llama-3.1-8b",
    "nvidia/Llama-3.1-8B-Instruct-FP8": "llama-3.1-8b",
    "nvidia/Qwen3-32B-NVFP4": "qwen3-32b",
    "Qwen/Qwen3-235B-A22B-FP8": "qwen3-235b-a22b",
    "openai/gpt-oss-120b": "gpt-oss-120b",
}
"""Our presets by the names of the file."""

MIXTURES: Final = ("gpt-oss-120b", "qwen3-235b-a22b")
MXFP4: Final = ("gpt-oss-120b",)
"""Models published with experts in MXFP4 and all else in bf16, whatever the file calls that."""

FP8_KV: Final = ("b200-sxm", "b300-sxm", "gb200")
"""GPUs on which the benchmark behind the file (InferenceX, ``benchmarks/gptoss_fp4_*.sh``) sets an FP8 cache
for them; elsewhere it leaves bf16."""

NODE_GPUS: Final = 8

FORMATS: Final[dict[str, Dtype]] = {"fp8": "fp8", "fp8_block": "fp8", "nvfp4": "fp4", "fp4": "fp4"}
HOLD_OUT_ONE_IN: Final = 3
LONGEST_TTFT_S: Final = 10.0
TIME_DIGITS: Final = 2
MOST_PREFILL_RATIO: Final = 0.4


@dataclass(frozen=True, slots=True)
class ServingRun:
    """One measured point.

    Parameters
    ----------
    row : its name in the source.
    gpu, engine, version : what ran.
    model : our preset.
    weight_dtype, kv_dtype : formats; where the source says none, bf16.
    tp : GPUs of the replica.
    prompt_tokens, output_tokens : nominal lengths.
    concurrency : requests in flight.
    tpot_s, ttft_s : measured; the source does not say whether means or medians.
    expert_dtype : format of the experts' weights; None: that of all weights, or no experts.
    expert_parallel : whether GPUs held whole experts.
    """

    row: str
    gpu: str
    engine: str
    version: str
    model: str
    weight_dtype: Dtype
    kv_dtype: Dtype
    tp: int
    prompt_tokens: int
    output_tokens: int
    concurrency: int
    tpot_s: float
    ttft_s: float
    expert_dtype: Dtype | None = None
    expert_parallel: bool = False

    @property
    def held_out(self) -> bool:
        """Whether fits must not see it: one configuration in three, by a checksum of what it is."""
        text = f"{self.model}-{self.tp}-{self.prompt_tokens}-{self.output_tokens}-{self.concurrency}"
        return crc32(text.encode()) % HOLD_OUT_ONE_IN == 0


def measured_runs(path: Path | None = None) -> list[ServingRun]:
    """Return all usable runs, in the order of the file.

    Parameters
    ----------
    path : the file; None: that of the installed package.
    """
    source = installed_tables().parent / "silicon_sample.csv" if path is None else path
    rows = pd.read_csv(source)
    rows = rows[(rows["mode"] == "agg") & (rows["pp_size"] == 1) & rows["model_path"].isin(list(MODELS))]
    rows = rows[(rows["attention_dp_size"].fillna(1.0) <= 1) & (rows["tp_size"] <= NODE_GPUS)]
    rows = rows[[_shared_alike(row) for row in rows.to_dict("records")]]
    names = {folder: name for name, folder in GPUS.items()}
    rows = rows[rows["system"].isin(list(names))]
    told = rows["silicon_data_source"].str.extract(r"silicon_concurrency=(\d+)")[0].astype(float)
    rows = rows.assign(concurrency=told.fillna(rows["batch_size"]))
    same = ["backend", "model_path", "system", "gemm_quant_mode", "tp_size", "isl", "osl"]
    times = [rows[name].round(TIME_DIGITS) for name in ("silicon_tpot_ms", "silicon_ttft_ms")]
    again = pd.concat([rows[[*same, "concurrency"]], *times], axis=1).duplicated()
    rows = rows[~again]
    return [_run(row, names[str(row["system"])]) for row in rows.to_dict("records")]


def _shared_alike(row: Mapping[Hashable, object]) -> bool:
    """Say whether the experts are split over the GPUs that share the heads, in one of two ways."""
    if MODELS[str(row["model_path"])] not in MIXTURES:
        return True
    parts, ranks = float(str(row["moe_tp_size"])), float(str(row["moe_ep_size"]))
    return parts * ranks == float(str(row["tp_size"])) and min(parts, ranks) == 1.0


def _run(row: Mapping[Hashable, object], gpu: str) -> ServingRun:
    model = MODELS[str(row["model_path"])]
    quantised = FORMATS.get(str(row["gemm_quant_mode"]), FORMATS.get(str(row["precision"]), "bf16"))
    narrow_cache = gpu in FP8_KV if model in MXFP4 else quantised != "bf16"
    return ServingRun(
        row=str(row["id"]),
        gpu=gpu,
        engine=str(row["backend"]),
        version=str(row["backend_version"]),
        model=model,
        weight_dtype="bf16" if model in MXFP4 else quantised,
        kv_dtype="fp8" if narrow_cache else "bf16",
        tp=int(float(str(row["tp_size"]))),
        prompt_tokens=int(float(str(row["isl"]))),
        output_tokens=int(float(str(row["osl"]))),
        concurrency=int(float(str(row["concurrency"]))),
        tpot_s=float(str(row["silicon_tpot_ms"])) * MS,
        ttft_s=float(str(row["silicon_ttft_ms"])) * MS,
        expert_dtype="mxfp4" if model in MXFP4 else None,
        expert_parallel=model in MIXTURES and float(str(row["moe_ep_size"])) > 1.0,
    )


def believable(run: ServingRun, architecture: Architecture, gpu: Gpu) -> bool:
    """Say whether `run` can have been measured as described; the rules stand above.

    Parameters
    ----------
    run : a measured point.
    architecture : of its model.
    gpu : its profile.
    """
    cycle_s = run.ttft_s + run.output_tokens * run.tpot_s
    flops = 2.0 * architecture.active_parameters * run.prompt_tokens * run.concurrency / run.tp
    peak = gpu.peak_flops_per_s.get(run.weight_dtype)
    if peak is None or run.ttft_s > LONGEST_TTFT_S or run.tpot_s < least_tpot_s(run, architecture, gpu):
        return False
    return flops <= MOST_PREFILL_RATIO * peak.value * cycle_s


def least_tpot_s(run: ServingRun, architecture: Architecture, gpu: Gpu) -> float:
    """Return the time in which the memory can read what a token of every request in flight needs, s.

    Parameters
    ----------
    run : a measured point.
    architecture : of its model; of layers with windows no keys and values are counted.
    gpu : its profile.
    """
    formats = (run.weight_dtype, run.expert_dtype or run.weight_dtype)
    element_bytes = min(DTYPE_BYTES[dtype] for dtype in formats)
    weights = (architecture.active_parameters - architecture.embedding_parameters) * element_bytes
    cached = run.concurrency * (run.prompt_tokens + run.output_tokens // 2)
    kv_bytes = 0.0 if architecture.sliding else architecture.kv_bytes_per_token(DTYPE_BYTES[run.kv_dtype])
    return (weights + cached * kv_bytes) / (run.tp * gpu.hbm_bandwidth_bytes_per_s.value)


def of(runs: Sequence[ServingRun], gpu: str, engine: str) -> list[ServingRun]:
    """Return the runs of one GPU and engine."""
    return [run for run in runs if run.gpu == gpu and run.engine == engine]
