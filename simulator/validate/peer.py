"""What the predictor shipped with aiconfigurator-core says of a measured run.

It works the time per token out from the same kernel timings, by a mean-field estimate of a closed loop; its
authors tuned some of its corrections on the runs that it is compared on.  Not asked: whether it would advise
the configuration.  A run that it refuses or has no timings for has no prediction.
"""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, Final

from simulator.calibrate.runs import FP8_KV, MIXTURES, ServingRun
from simulator.calibrate.tables import GPUS, MS

NAMES: Final = {
    "llama-3.1-8b": "meta-llama/Meta-Llama-3.1-8B",
    "llama-3.1-70b": "meta-llama/Meta-Llama-3.1-70B",
    "qwen3-32b": "Qwen/Qwen3-32B",
    "qwen3-235b-a22b": "Qwen/Qwen3-235B-A22B-FP8",
    "gpt-oss-120b": "openai/gpt-oss-120b",
}
"""Its names of our presets, those whose architecture it carries: it would look for others on the network."""

FORMATS: Final = {"bf16": "bfloat16", "fp8": "fp8", "fp4": "nvfp4"}
"""Its names of number formats."""

BLOCKS: Final = {"fp8": "fp8_block"}
"""Its names of the formats of mixtures of experts, which have a scale per block of weights."""


def peer_seconds(run: ServingRun) -> float | None:
    """Return the peer's mean time per output token of `run`, s, or None where it has none.

    Where it has no timings of attention with the run's format of keys and values, it is asked with bf16.

    Parameters
    ----------
    run : a measured point, of which its times are not read.
    """
    with _quiet():
        for kv_dtype in dict.fromkeys((run.kv_dtype, "bf16")):
            with contextlib.suppress(Exception):  # whatever another package raises, it has no prediction
                return _predicted(run, FORMATS[kv_dtype])
    return None


def _predicted(run: ServingRun, kv: str) -> float | None:
    from aiconfigurator_core.sdk.backends.factory import get_backend  # noqa: PLC0415 - an extra
    from aiconfigurator_core.sdk.config import RuntimeConfig  # noqa: PLC0415 - an extra
    from aiconfigurator_core.sdk.config_builders import build_model_config  # noqa: PLC0415 - an extra
    from aiconfigurator_core.sdk.models import get_model  # noqa: PLC0415 - an extra

    database = _database(GPUS[run.gpu], run.engine)
    if database is None or run.model not in NAMES:
        return None
    parts, ranks, products, experts = _mixture(run)
    config = build_model_config(run.tp, 1, 1, parts, ranks, products, kv, "bfloat16", experts, None)
    model = get_model(NAMES[run.model], config, run.engine)
    load = RuntimeConfig(isl=run.prompt_tokens, osl=run.output_tokens, batch_size=run.concurrency)
    # A backend keeps its answers by load alone, so each configuration needs one of its own.
    summary = get_backend(run.engine).run_agg(model, database, load, ctx_tokens=run.prompt_tokens)
    told = summary.get_result_dict()
    tpot_s = float(told["tpot"]) * MS if told else 0.0
    return tpot_s if tpot_s > 0.0 else None


def peer_steps(model: str, gpu: str, engine: str, tp: int) -> Callable[[int, int], float] | None:
    """Return what the peer says of decode steps in bf16, or None where it has no timings for one.

    Parameters
    ----------
    model, gpu : names of our presets and profiles.
    engine : ``vllm``, ``trtllm`` or ``sglang``.
    tp : GPUs per replica.

    Returns
    -------
    From sequences and the tokens in the cache of each to the time of a step, s.
    """
    from aiconfigurator_core.sdk.engine import EngineHandle  # noqa: PLC0415 - an extra

    def seconds(batch: int, context: int) -> float:
        return float(handle.predict_decode_latency(batch, context)) * MS

    with _quiet(), contextlib.suppress(Exception):  # as in `peer_seconds`
        handle = EngineHandle.compile(NAMES[model], GPUS[gpu], engine, tp_size=tp)
        seconds(1, 1)
        return seconds
    return None


def _mixture(run: ServingRun) -> tuple[int, int, str, str | None]:
    """Return how experts are split, by columns and whole, and the formats of products and of experts."""
    products = FORMATS[run.weight_dtype]
    if run.model not in MIXTURES:
        return 1, 1, products, None
    parts, ranks = (1, run.tp) if run.expert_parallel else (run.tp, 1)
    if run.expert_dtype is None:
        return parts, ranks, BLOCKS.get(products, products), BLOCKS.get(products, products)
    narrow = run.engine == "trtllm" and run.gpu in FP8_KV
    return parts, ranks, products, "w4a8_mxfp4_mxfp8" if narrow else "w4a16_mxfp4"


@lru_cache(maxsize=4)
def _database(system: str, engine: str) -> Any:  # noqa: ANN401 - a class of an optional package
    from aiconfigurator_core.sdk import perf_database  # noqa: PLC0415 - an extra

    version = perf_database.get_latest_database_version(system, engine)
    if version is None:
        return None
    return perf_database.get_database_view(system, engine, version, database_mode="SILICON")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the predictor's own output and log lines away from the command's."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.disable(before)
