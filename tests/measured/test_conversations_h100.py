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

from deployments import DENSE, decode_load, deployment, gpu

from simulator.latency import CalibratedLatency

MEASURED = Path(__file__).parents[3] / "shared" / "data" / "measured"
PRESETS = {
    "meta-llama/Llama-3.1-70B-Instruct": "llama-3.1-70b",
    "meta-llama/Llama-3.1-8B-Instruct": "llama-3.1-8b",
}

pytestmark = pytest.mark.skipif(
    not (MEASURED / "blis_h100.csv").is_file(), reason="needs the measured runs beside the checkout"
)


def errors(model: str) -> np.ndarray:
    """Return predicted over measured, less 1, of the stages with a known load."""
    tables = [pd.read_csv(MEASURED / name) for name in ("blis_h100.csv", "blis_extra.csv")]
    rows = pd.concat(tables, ignore_index=True)
    rows = rows[(rows["scope"] == "stage") & (rows["hardware"] == "H100") & (rows["offered_concurrency"] > 0)]
    rows = rows[rows["model"].map(PRESETS) == model]
    found = []
    for row in rows.itertuples():
        bound = CalibratedLatency().bind(deployment(model, tp=int(row.tp), on=gpu("h100-sxm")))
        context = int(row.nominal_first_turn_prompt_tokens + row.measured_mean_output_tokens / 2)
        load = decode_load(DENSE, [context] * max(1, round(row.offered_concurrency)))
        found.append(1e3 * float(bound.step_seconds(load)) / row.itl_mean_ms - 1.0)
    return np.array(found)


def test_a_large_model_on_four_gpus_is_met() -> None:
    found = errors("llama-3.1-70b")
    assert len(found) == 4
    assert np.abs(found).max() < 0.03


def test_a_small_model_is_predicted_too_slow_by_what_the_page_says() -> None:
    found = errors("llama-3.1-8b")
    assert len(found) == 16
    assert found.min() > 0.05
    assert found.max() < 0.27
