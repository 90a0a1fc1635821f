"""Kernel timings from the tables of aiconfigurator-core (Apache-2.0), by GPU, engine and operation.

Rows are left out by rule, never by hand:

* only the newest version of a table is read, for power the newest that holds any;
* all-reduces outside of a CUDA graph (``*_eager``) and formats other than bf16, fp8 and nvfp4 are not read:
  engines decode from graphs, and the block-scaled fp8 products of vLLM 0.24 were timed without one;
* sliding windows and head sizes other than 128 are not read, nor block top-k without a kernel for it;
* of experts, for each format the newest version that has it, the fastest kernel of a shape, gated experts
  (three matrices) and tokens spread by a power law of exponent 1.01; FP8 in blocks, as public checkpoints
  have it, where measured, and MXFP4 of the gpt-oss shapes in the precision that the engine multiplies in;
  expert parallelism only from versions on whose collector shares out what rounding lost among the ranks;
* what the memory or the cache makes unusable (`simulator.calibrate.memory`).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from simulator.errors import SimulatorError, UnknownNameError, suggest
from simulator.hardware import Dtype, Gpu

PACKAGE: Final = "aiconfigurator-core"
GPUS: Final = {
    "a100-sxm": "a100_sxm",
    "b200-sxm": "b200_sxm",
    "b300-sxm": "b300_sxm",
    "gb200": "gb200",
    "h100-sxm": "h100_sxm",
    "h200-sxm": "h200_sxm",
    "l40s": "l40s",
    "rtx-pro-6000": "rtx_pro_6000_server",
}
"""Folders of the tables by the names of our profiles."""

ENGINES: Final = ("vllm", "trtllm", "sglang")
GEMM_DTYPES: Final[dict[str, Dtype]] = {"bfloat16": "bf16", "float16": "bf16", "fp8": "fp8", "nvfp4": "fp4"}
KV_DTYPES: Final[dict[str, Dtype]] = {"bfloat16": "bf16", "float16": "bf16", "fp8": "fp8"}
EXPERT_FORMATS: Final[dict[Dtype, tuple[str, ...]]] = {
    "bf16": ("bfloat16",),
    "fp8": ("fp8_block", "fp8"),
    "fp4": ("nvfp4",),
    "mxfp4": ("w4a16_mxfp4",),
}
"""Names of formats of experts, the preferred ones first."""

MXFP4_BY_ENGINE: Final = {"trtllm": ("w4a8_mxfp4_mxfp8", "w4a16_mxfp4")}
"""TensorRT-LLM multiplies MXFP4 with FP8 inputs where the GPU can."""

GPT_OSS_SIDE: Final = 2880
UNGATED: Final = ((1024, 2688), (2048, 5120), (2688, 1856), (4096, 2688), (8192, 5120))
"""Hidden and inner sizes of experts of two matrices (Nemotron), which one engine's tables mark by their
kernel's name."""

ROUTING: Final = "power_law_1.01"
RANKS_SINCE: Final = {"vllm": "0.19.0", "trtllm": "1.3.0", "sglang": "0.5.14"}
"""Version of the engine from which on the tables of expert parallelism are read."""

HEAD_DIM: Final = 128
MS: Final = 1e-3

NO_SPARSE_KERNEL: Final = "default"
"""What a table calls attention without a block-sparse kernel, which reads all keys of all sequences."""

EXPERT_COLUMNS: Final = {
    "num_tokens": "tokens",
    "hidden_size": "hidden",
    "inter_size": "inter",
    "topk": "active",
    "num_experts": "count",
    "moe_tp_size": "tp",
    "moe_ep_size": "ep",
}
LINEAR_COLUMNS: Final = {
    "batch_size": "batch",
    "seq_len": "tokens",
    "num_k_heads": "key_heads",
    "num_v_heads": "value_heads",
    "head_k_dim": "key_dim",
    "head_v_dim": "value_dim",
    "d_conv": "conv_kernel",
}
EXPERT_KEYS: Final = ["tokens", "hidden", "inter", "active", "count", "tp", "ep"]


class MissingTablesError(SimulatorError):
    """The measurements, or what reads them, are not installed."""


@dataclass(frozen=True, slots=True)
class Timings:
    """Rows of one table: shapes and seconds, with where they came from.

    Parameters
    ----------
    rows : one row per shape; the column ``seconds`` holds the time of the median measurement.
    source : table and version.
    version : of the engine that was measured.
    """

    rows: pd.DataFrame
    source: str
    version: str = ""


class KernelTables:
    """The tables of one GPU and engine.

    Parameters
    ----------
    gpu : the profile; its peaks expose rows that cannot be true.
    engine : ``vllm``, ``trtllm`` or ``sglang``.
    root : folder with the tables of all GPUs; None: that of the installed package.

    Raises
    ------
    UnknownNameError
        If there are no tables for the GPU or the engine.
    MissingTablesError
        If the package is not installed.
    """

    def __init__(self, gpu: Gpu, engine: str, *, root: Path | None = None) -> None:
        if gpu.name not in GPUS:
            carry = "or carry those of a GPU of its architecture over with --like"
            message = f"no kernel tables of GPU {gpu.name!r}; {suggest(gpu.name, GPUS)}; {carry}"
            raise UnknownNameError(message)
        if engine not in ENGINES:
            message = f"no kernel tables of engine {engine!r}; {suggest(engine, ENGINES)}"
            raise UnknownNameError(message)
        self.gpu = gpu
        self.engine = engine
        self._root = installed_tables() if root is None else root

    @property
    def package(self) -> str:
        """Name and version of what holds the tables."""
        try:
            return f"{PACKAGE} {metadata.version(PACKAGE)}"
        except metadata.PackageNotFoundError:
            return str(self._root)

    def gemm(self) -> Timings | None:
        """Return matrix products: dtype, m, n, k, seconds."""
        found = self._read("gemm", "gemm_perf")
        if found is None:
            return None
        rows = found.rows.assign(dtype=found.rows["gemm_dtype"].map(GEMM_DTYPES)).dropna(subset="dtype")
        return Timings(_median(rows, ["dtype", "m", "n", "k"]), found.source)

    def decode_attention(self) -> Timings | None:
        """Return decode attention: dtype, batch, heads, kv_heads, context, seconds."""
        return self._attention("generation_attention_perf", "step")

    def prefill_attention(self) -> Timings | None:
        """Return prefill attention of whole prompts: dtype, batch, heads, kv_heads, context, seconds."""
        return self._attention("context_attention_perf", "isl")

    def decode_power(self) -> Timings | None:
        """Return decode attention with its power: columns as above and watts, one row per measurement."""
        return self._attention_power("generation_attention_perf", "step")

    def prefill_power(self) -> Timings | None:
        """Return prefill attention with its power, as `decode_power`."""
        return self._attention_power("context_attention_perf", "isl")

    def _attention(self, name: str, context: str) -> Timings | None:
        found = self._read("attention", name)
        if found is None:
            return None
        rows = self._shaped(found.rows, context)
        return Timings(_median(rows, ["dtype", "batch", "heads", "kv_heads", "context"]), found.source)

    def _attention_power(self, name: str, context: str) -> Timings | None:
        found = self._read("attention", name, column="power")
        if found is None:
            return None
        return Timings(self._shaped(found.rows, context).rename(columns={"power": "watts"}), found.source)

    @staticmethod
    def _shaped(rows: pd.DataFrame, context: str) -> pd.DataFrame:
        """Return the rows of attention that are read, with their shapes in our words."""
        if "window_size" in rows:
            rows = rows[rows["window_size"] == 0]
        rows = rows[rows["head_dim"] == HEAD_DIM].rename(
            columns={"batch_size": "batch", "num_heads": "heads", "num_key_value_heads": "kv_heads"}
        )
        # `step` counts the tokens before the one that is decoded.
        rows = rows.assign(
            dtype=rows["kv_cache_dtype"].map(KV_DTYPES), context=rows[context] + (context == "step")
        ).dropna(subset="dtype")
        return rows[rows["heads"] % rows["kv_heads"].clip(lower=1) == 0]

    def allreduce(self) -> Timings | None:
        """Return all-reduces: gpus, message_bytes, seconds."""
        found = self._read("comm", "custom_allreduce_perf")
        if found is None:
            return None
        rows = found.rows
        if "backend" in rows:
            rows = rows[~rows["backend"].str.endswith("eager")]
        rows = rows.assign(gpus=rows["num_gpus"], message_bytes=2 * rows["message_size"])
        return Timings(_median(rows, ["gpus", "message_bytes"]), found.source)

    def selection(self) -> Timings | None:
        """Return modules of block top-k attention: dtype, batch, heads, context, seconds."""
        found = self._read("msa", "msa_generation_module_perf")
        if found is None:
            return None
        rows = found.rows[
            (found.rows["gemm_type"] == "bfloat16") & (found.rows["kernel_source"] != NO_SPARSE_KERNEL)
        ]
        rows = rows.rename(columns={"batch_size": "batch", "num_heads": "heads"})
        rows = rows.assign(dtype=rows["kv_cache_dtype"].map(KV_DTYPES), context=rows["step"] + 1)
        return Timings(
            _median(rows.dropna(subset="dtype"), ["dtype", "batch", "heads", "context"]), found.source
        )

    def linear_attention(self) -> Timings | None:
        """Return states of linear attention: phase, batch, `tokens` of a prompt, `LINEAR_COLUMNS`, seconds.

        Of every shape both kernels count, the convolution and the states'.
        """
        found = self._read("linear_attention", "gdn_perf")
        if found is None:
            return None
        keys = ["phase", *LINEAR_COLUMNS.values()]
        rows = _median(found.rows.rename(columns=LINEAR_COLUMNS), [*keys, "kernel_source"]).groupby(keys)
        both = rows["seconds"].agg(["sum", "size"]).reset_index().rename(columns={"sum": "seconds"})
        return Timings(both[both["size"] == len(("convolution", "states"))], found.source, found.version)

    def experts(self) -> dict[Dtype, Timings]:
        """Return layers of experts by format: tokens, hidden, inter, active, count, tp, ep, seconds."""
        since = _natural(RANKS_SINCE[self.engine])
        versions = [gated(found, since) for found in self._versions("moe", "moe_perf")]
        choices = EXPERT_FORMATS | {"mxfp4": MXFP4_BY_ENGINE.get(self.engine, EXPERT_FORMATS["mxfp4"])}
        found = {}
        for dtype, names in choices.items():
            for name, timings in itertools.product(names, versions):
                rows = timings.rows[timings.rows["moe_dtype"] == name]
                if dtype == "mxfp4":
                    rows = rows[(rows["hidden"] == GPT_OSS_SIDE) & (rows["inter"] == GPT_OSS_SIDE)]
                if len(rows):
                    source = f"{timings.source}, {name}"
                    found[dtype] = Timings(rows.groupby(EXPERT_KEYS)["seconds"].min().reset_index(), source)
                    break
        return found

    def _read(self, operation: str, name: str, *, column: str = "latency") -> Timings | None:
        """Return the newest version of a table that has values in `column`."""
        versions = self._versions(operation, name)
        return next((t for t in versions if column in t.rows and (t.rows[column] > 0.0).any()), None)

    def _versions(self, operation: str, name: str) -> Iterator[Timings]:
        """Yield the versions of a table, the newest first."""
        folder = self._root / GPUS[self.gpu.name] / operation / self.engine
        files = sorted(folder.glob(f"*/{name}.parquet"), key=lambda path: _natural(path.parent.name))
        for path in reversed(files):
            rows = pd.read_parquet(path)
            source = f"{self.package}: {path.relative_to(self._root).as_posix()}"
            yield Timings(rows.assign(seconds=rows["latency"] * MS), source, path.parent.name)


def gated(timings: Timings, since: list[tuple[int, str]]) -> Timings:
    """Return the rows of gated experts routed by `ROUTING`, with our names of the columns.

    Parameters
    ----------
    timings : a version of the table.
    since : version from which on rows of expert parallelism count.
    """
    rows = timings.rows.rename(columns=EXPERT_COLUMNS)
    two = [shape in UNGATED for shape in zip(rows["hidden"], rows["inter"], strict=True)]
    kept = (
        (rows["distribution"] == ROUTING) & ~rows["kernel_source"].str.contains("nongated") & ~np.array(two)
    )
    if _natural(timings.version) < since:
        kept &= rows["ep"] == 1
    return Timings(rows[kept], timings.source, timings.version)


def installed_tables() -> Path:
    """Return the folder of the installed tables.

    Raises
    ------
    MissingTablesError
        With what to install.
    """
    missing = [name for name in ("aiconfigurator_core", "scipy", "pyarrow") if find_spec(name) is None]
    if missing:
        message = f"{', '.join(missing)} not found: pip install 'kinesim[calibrate]'"
        raise MissingTablesError(message)
    spec = find_spec("aiconfigurator_core")
    if spec is None or spec.origin is None:
        message = "aiconfigurator_core cannot be located: pip install 'kinesim[calibrate]'"
        raise MissingTablesError(message)
    return Path(spec.origin).parent / "systems" / "data"


def _median(rows: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    return rows.groupby(keys, sort=True)["seconds"].median().reset_index()


def _natural(version: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.findall(r"\d+|[a-z]+", version)]
