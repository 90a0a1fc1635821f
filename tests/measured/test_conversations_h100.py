"""Conversations served by vLLM 0.15 on H100, at known mean requests in flight; no fit has seen them.

Users continue their conversations, so most of each prompt is cached and how much is not published.  A decode
step alone, at the nominal context, is compared with the mean time per token: for a server that computes few
prompt tokens it is a little faster.  Data lie beside a checkout; without them these tests skip.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "property"))
sys.path.insert(0, str(Path(__file__).parent))

from deployments import DENSE, decode_load, deployment, gpu
from page import figures, text, to_the_digit

from simulator.latency import CalibratedLatency

MEASURED = Path(__file__).parents[3] / "shared" / "data" / "measured"
PRESETS = {
    "meta-llama/Llama-3.1-70B-Instruct": "llama-3.1-70b",
    "meta-llama/Llama-3.1-8B-Instruct": "llama-3.1-8b",
}

pytestmark = pytest.mark.skipif(
    not (MEASURED / "blis_h100.csv").is_file(), reason="needs the measured runs beside the checkout"
)


def stages() -> pd.DataFrame:
    """Return the stages with a known load."""
    tables = [pd.read_csv(MEASURED / name) for name in ("blis_h100.csv", "blis_extra.csv")]
    rows = pd.concat(tables, ignore_index=True)
    rows = rows[(rows["scope"] == "stage") & (rows["hardware"] == "H100") & (rows["offered_concurrency"] > 0)]
    return rows[rows["model"].isin(list(PRESETS))]


def stages_of(model: str) -> pd.DataFrame:
    """Return the stages of a model."""
    rows = stages()
    return rows[rows["model"].map(PRESETS) == model]


def errors(model: str) -> np.ndarray:
    """Return predicted over measured, less 1, of the stages of a model."""
    rows = stages_of(model)
    found = []
    for row in rows.itertuples():
        bound = CalibratedLatency().bind(deployment(model, tp=int(row.tp), on=gpu("h100-sxm")))
        context = int(row.nominal_first_turn_prompt_tokens + row.measured_mean_output_tokens / 2)
        load = decode_load(DENSE, [context] * max(1, round(row.offered_concurrency)))
        found.append(1e3 * float(bound.step_seconds(load)) / row.itl_mean_ms - 1.0)
    return np.array(found)


def test_the_load_is_that_of_the_page() -> None:
    loads = stages()["offered_concurrency"]
    told = figures(r"known mean requests in flight \((\d+ to \d+)\)")
    assert [loads.min(), loads.max()] == [to_the_digit(one, 1) for one in told]


def test_a_large_model_on_four_gpus_is_met_as_the_page_says() -> None:
    found = errors("llama-3.1-70b")
    (within,) = figures(r"Llama-3.1-70B on four GPUs: within ([\d.]+) % in all four stages")
    assert len(found) == 4
    assert 100 * np.abs(found).max() == to_the_digit(within, 0.1)


def test_a_small_model_is_predicted_too_slow_by_what_the_page_says() -> None:
    found = errors("llama-3.1-8b")
    least, most, count = figures(r"Llama-3.1-8B on one and two: (\d+ to \d+) % too slow in all (\d+);")
    assert len(found) == count
    assert (100 * found.min(), 100 * found.max()) == (to_the_digit(least, 1), to_the_digit(most, 1))


def test_a_small_model_on_one_gpu_is_further_off_with_more_requests() -> None:
    rows, found = stages_of("llama-3.1-8b"), errors("llama-3.1-8b")
    alone, few = (rows["tp"] == 1).to_numpy(), (rows["offered_concurrency"] <= 20).to_numpy()
    told = figures(r"on one GPU (\d+ to \d+) % with up to 20 requests in flight, (\d+ to \d+) % with more")
    computed = [100 * end(found[alone & part]) for part in (few, ~few) for end in (np.min, np.max)]
    assert computed == [to_the_digit(one, 1) for one in told]


def test_the_time_of_a_sequence_is_the_shipped_one() -> None:
    serving = gpu("h100-sxm").calibrations["vllm"].serving
    assert serving is not None
    (told,) = figures(r"give each sequence (\d+) us")
    assert 1e6 * serving.sequence_s == to_the_digit(told, 1)
    assert "the small model shows about 10 us" in text()
