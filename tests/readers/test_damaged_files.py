"""Damaged files of every format, made up and real: each is read or refused by name, and no reader ends else.

In the nightly profile each reader gets 10,000 damaged files that were made up and 10,000 that are real.
"""

from __future__ import annotations

import gzip
import math
import random
import sys
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from seeds import SEEDS, Seed
from wounds import damage, guarded, hurt, shortened

from simulator.calibrate.points import points_of
from simulator.errors import SimulatorError, TraceFormatError
from simulator.measured import BenchRun, read_measured
from workloads.traces import Trace, read
from workloads.traces.statistics import statistics

TRIES = 5
"""Damaged files of each example: 10,000 in the nightly profile, which has 2000 examples."""

FEWEST = 3
"""Examples of each reader where the profile is not the nightly one: some hundred files in all."""

_MOST = settings().max_examples
FEW = settings(
    max_examples=_MOST if _MOST > 1000 else FEWEST, suppress_health_check=list(HealthCheck), deadline=None
)

REAL_BYTES = 6000
"""Size to which real files are shortened: a reader's time is theirs."""

numbers = st.integers(0, 2**32 - 1)
"""Damage follows from a number: to draw it wound by wound takes longer than to read the file."""


def check_trace(found: Trace) -> None:
    assert found.rows
    assert (np.diff(found.own_arrivals_s) >= 0).all()
    statistics(found)


def check_run(run: BenchRun) -> None:
    means = [
        run.ttft_s,
        run.tpot_s,
        run.itl_s,
        run.e2e_s,
        run.duration_s,
        run.prompt_tokens,
        run.output_tokens,
    ]
    assert all(mean is None or (math.isfinite(mean) and mean >= 0) for mean in means), means
    if run.requests is not None:
        sizes = {len(run.requests.ttft_s), len(run.requests.itl_s), len(run.requests.failed)}
        assert len(sizes | {len(run.requests.prompt_tokens), len(run.requests.ends_s())}) == 1
    try:
        points_of([run])
    except SimulatorError:
        return


def read_or_refuse(seed: Seed, folder: Path, content: bytes) -> None:
    paths = seed.put(folder, content)
    before = sorted(folder.iterdir())
    try:
        with guarded():
            found = read(paths[0]) if seed.is_trace else read_measured(paths)
    except TraceFormatError as refusal:
        assert all(line.startswith((f"{folder}", "  ")) for line in str(refusal).splitlines())  # noqa: PT017 - both are right
    else:
        if isinstance(found, Trace):
            check_trace(found)
        else:
            list(map(check_run, found))
    assert sorted(folder.iterdir()) == before


def damaged_and_read(seed: Seed, number: int) -> None:
    drawn = random.Random(number)  # noqa: S311 - no secrets
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(TRIES):
            content = hurt(seed.text.encode(), damage(drawn))
            try:
                read_or_refuse(seed, Path(folder), content)
            except BaseException as error:
                error.add_note(f"the file: {content[:2000]!r}")
                raise


@pytest.mark.parametrize("name", SEEDS)
@given(number=numbers)
@FEW
def test_a_damaged_file_is_read_or_refused(name: str, *, number: int) -> None:
    seed = SEEDS[name]
    if number % 2 and len(seed.files) > 1:  # the file that stands beside it, such as the lengths of a client
        names = list(reversed(seed.files))
        seed = Seed({each: seed.files[each] for each in names}, {}, given=seed.given, is_trace=seed.is_trace)
    damaged_and_read(seed, number)


REAL: dict[str, tuple[str, ...]] = {
    "vllm": (
        "formats/vllm_bench/2024-11_detailed_llama405b-fp8_8xh100_16qps.first80.json",
        "formats/vllm_bench/0.25.1_STUBSERVER_save-detailed.json",
        "formats/vllm_bench/0.25.1_STUBSERVER_append-result.json",
        "formats/vllm_bench/2026-06_summary_gpt-oss-120b_dgx-spark_conc8.json",
        "formats/inferencex/raw_benchmark_serving_qwen3.5-397b_tp4_conc64_mi355x.json",
    ),
    "sglang": (
        "formats/sglang_bench_serving/0.5.23_STUBSERVER_output-details.jsonl",
        "formats/sglang_bench_serving/2024-12_8xh200_llama_405b_online_output.jsonl",
    ),
    "aiperf": (
        "formats/aiperf/rtx6000ada_qwen_conc1/profile_export.jsonl",
        "formats/aiperf/mi355x_kimi-k2.7_agentic_conc1/profile_export.subset.jsonl",
    ),
    "aiperf summary": (
        "formats/aiperf/rtx6000ada_qwen_conc1/profile_export_aiperf.json",
        "formats/aiperf/mi355x_kimi-k2.7_agentic_conc1/profile_export_aiperf.json",
    ),
    "tables": (
        "formats/aiperf/mi355x_kimi-k2.7_agentic_conc1/profile_export_aiperf.csv",
        "formats/genai_perf/profile_genai_perf.docs_sample.csv",
        "formats/genai_perf/analyze_export_genai_perf.csv",
    ),
    "guidellm": (
        "formats/guidellm/2025-09_legacy_layout_constant10rps.subset.json",
        "formats/guidellm/0.6.0.dev5_codellama34b_sweep.subset.json",
        "formats/guidellm/0.8.0.dev18_v2_layout_mockserver.json",
    ),
    "inferencex": (
        "formats/inferencex/agg_kimik2.5_8k1k_int4_vllm_tp8_mtp_conc32_mi355x.json",
        "formats/inferencex/bmk_agentic_kimik2.7_tp4_conc1_mi355x.json",
        "formats/inferencex/agg_agentic_dsr1_fp4_b200_tp4_users128.json",
    ),
    "llmservingsim bench": ("formats/llmservingsim_bench/rtxpro6000_llama-3.1-8b/requests.jsonl",),
    "metrics": ("formats/vllm_metrics/v1_0.25.1_loaded.txt", "formats/vllm_metrics/v0_2024-06_opt-125m.txt"),
    "requests.csv": (
        "measured/llmservingsim/RTXPRO6000__Llama-3.1-8B/requests.csv",
        "measured/blis_ground_truth/H100__codellama-34b_mixed_lengths/requests.csv",
    ),
    "azure": ("traces/azure2023/AzureLLMInferenceTrace_conv.csv.gz",),
    "mooncake": ("traces/mooncake/conversation_trace.first3000.jsonl.gz",),
    "burstgpt": (
        "traces/burstgpt/BurstGPT_1.first3rows.csv",
        "traces/burstgpt/BurstGPT_3.first4rows.csv",
    ),
    "llmservingsim": (
        "traces/llmservingsim/example_trace.jsonl",
        "traces/llmservingsim/agentic_docs_example.jsonl",
    ),
    "servegen": ("traces/servegen/deepseek-r1/chunk-13-trace.csv",),
}
"""Real files by reader; of Bailian, Splitwise, Vidur and our own form none is published that could be had."""


@cache
def real_seed(path: Path) -> Seed:
    """Return a real file, shortened, with what is needed beside it."""
    content = path.read_bytes()
    text = shortened(gzip.decompress(content) if path.suffix == ".gz" else content, REAL_BYTES).decode()
    name = path.name.removesuffix(".gz")
    files, given = {name: text}, ()
    is_trace = "traces" in path.parts
    if name.startswith("chunk"):
        files["chunk-13-dataset.json"] = SEEDS["servegen"].files["chunk-4-dataset.json"]
        given = ("",)
    elif "vllm_metrics" in path.parts:
        text = path.read_text(encoding="utf-8")
        files = {name: text, "before.txt": "\n".join(_emptied(line) for line in text.splitlines()) + "\n"}
        given = ("before.txt", name)
    return Seed(files, {}, given=given, is_trace=is_trace)


def _emptied(line: str) -> str:
    """Return what the line of a counter was before anything was counted."""
    return f"{line.rpartition(' ')[0]} 0.0" if line.startswith("vllm:") else line


@pytest.mark.parametrize("name", REAL)
@given(number=numbers)
@FEW
def test_a_damaged_real_file_is_read_or_refused(shared_data: Path, name: str, *, number: int) -> None:
    paths = REAL[name]
    path = shared_data / paths[number % len(paths)]
    if not path.is_file():
        pytest.skip(f"{path} is not beside the checkout")
    seed = real_seed(path)
    damaged_and_read(seed, number)
