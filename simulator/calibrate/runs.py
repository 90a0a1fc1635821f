"""Measured serving runs: time per output token at a known concurrency, prompt and output length.

From ``systems/silicon_sample.csv`` of aiconfigurator-core (public benchmark exports, vendor measurements).
Rows are left out by rule:

* prefill and decode on separate GPUs, pipeline or attention data parallelism, models without a preset;
* rows that repeat another one;
* a first token after more than 10 s: requests queued, so fewer than the concurrency ran;
* prompts whose matrix products alone would take more than 0.4 of the compute peak all the time, which
  leaves no room for decoding: the prompts cannot all have been computed.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zlib import crc32

import pandas as pd

from simulator.calibrate.tables import GPUS, MS, installed_tables
from simulator.hardware import Dtype, Gpu

MODELS: Final = {
    "Qwen/Qwen3-32B": "qwen3-32b",
    "meta-llama/Llama-3.1-70B": "llama-3.1-70b",
    "meta-llama/Llama-3.1-8B-Instruct": "llama-3.1-8b",
    "nvidia/Llama-3.1-8B-Instruct-FP8": "llama-3.1-8b",
    "nvidia/Qwen3-32B-NVFP4": "qwen3-32b",
}
"""Our presets by the names of the file."""

FORMATS: Final[dict[str, Dtype]] = {"fp8": "fp8", "fp8_block": "fp8", "nvfp4": "fp4", "fp4": "fp4"}
HOLD_OUT_ONE_IN: Final = 3
LONGEST_TTFT_S: Final = 10.0
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
    rows = rows[rows["attention_dp_size"].fillna(1.0) <= 1]
    names = {folder: name for name, folder in GPUS.items()}
    rows = rows[rows["system"].isin(list(names))]
    told = rows["silicon_data_source"].str.extract(r"silicon_concurrency=(\d+)")[0].astype(float)
    rows = rows.assign(concurrency=told.fillna(rows["batch_size"]))
    same = ["backend", "backend_version", "model_path", "system", "gemm_quant_mode", "tp_size", "isl", "osl"]
    rows = rows.drop_duplicates([*same, "concurrency", "silicon_tpot_ms", "silicon_ttft_ms"])
    return [_run(row, names[str(row["system"])]) for row in rows.to_dict("records")]


def _run(row: Mapping[Hashable, object], gpu: str) -> ServingRun:
    quantised = FORMATS.get(str(row["gemm_quant_mode"]), FORMATS.get(str(row["precision"]), "bf16"))
    return ServingRun(
        row=str(row["id"]),
        gpu=gpu,
        engine=str(row["backend"]),
        version=str(row["backend_version"]),
        model=MODELS[str(row["model_path"])],
        weight_dtype=quantised,
        kv_dtype="bf16" if quantised == "bf16" else "fp8",
        tp=int(float(str(row["tp_size"]))),
        prompt_tokens=int(float(str(row["isl"]))),
        output_tokens=int(float(str(row["osl"]))),
        concurrency=int(float(str(row["concurrency"]))),
        tpot_s=float(str(row["silicon_tpot_ms"])) * MS,
        ttft_s=float(str(row["silicon_ttft_ms"])) * MS,
    )


def believable(run: ServingRun, parameters: int, gpu: Gpu) -> bool:
    """Say whether `run` can have been measured as described; the rules stand above.

    Parameters
    ----------
    run : a measured point.
    parameters : weights that a token passes through.
    gpu : its profile.
    """
    cycle_s = run.ttft_s + run.output_tokens * run.tpot_s
    flops = 2.0 * parameters * run.prompt_tokens * run.concurrency / run.tp
    peak = gpu.peak_flops_per_s.get(run.weight_dtype)
    if peak is None or run.ttft_s > LONGEST_TTFT_S:
        return False
    return flops <= MOST_PREFILL_RATIO * peak.value * cycle_s


def of(runs: Sequence[ServingRun], gpu: str, engine: str) -> list[ServingRun]:
    """Return the runs of one GPU and engine."""
    return [run for run in runs if run.gpu == gpu and run.engine == engine]
