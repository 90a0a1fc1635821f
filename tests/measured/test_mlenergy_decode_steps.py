"""Decode steps of H100 vLLM servers (ML.ENERGY, vLLM 0.11), which no fit has seen.

Data lie beside a checkout and are not part of the project; without them these tests skip.
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "property"))
sys.path.insert(0, str(Path(__file__).parent))

from deployments import DENSE, decode_load, deployment
from page import figures, to_the_digit

from simulator.hardware import Gpu
from simulator.latency import CalibratedLatency, RooflineLatency, StepLatency
from simulator.scenario.catalog import find
from simulator.scenario.loader import load_part

MEASURED = Path(__file__).parents[3] / "shared" / "data" / "measured"
PRESETS = {
    "Qwen/Qwen3-8B": "qwen3-8b",
    "Qwen/Qwen3-32B": "qwen3-32b",
    "meta-llama/Llama-3.1-8B-Instruct": "llama-3.1-8b",
    "meta-llama/Llama-3.1-70B-Instruct": "llama-3.1-70b",
}
PROMPT_TOKENS = {"gpqa": 250, "lm-arena-chat": 200}
"""Assumed: the source does not publish them; mean batches of full KV caches suggest 190 to 250 in chat."""

pytestmark = pytest.mark.skipif(
    not (MEASURED / "mlenergy_v3.csv").is_file(), reason="needs the measured runs beside the checkout"
)


def rows() -> pd.DataFrame:
    """Return the dense H100 rows with the mean context of a stationary run."""
    found = pd.read_csv(MEASURED / "mlenergy_v3.csv")
    found = found[(found["use"] == "fit") & found["hardware"].str.contains("H100")]
    found = found[found["model"].isin(list(PRESETS)) & (found["dtype"] == "bfloat16")]
    lengths = pd.read_csv(MEASURED / "mlenergy_output_lengths_summary.csv")
    merged = found.merge(lengths[["model", "task", "el2_over_2el"]], on=["model", "task"], how="inner")
    return merged.assign(context=merged["el2_over_2el"] + merged["task"].map(PROMPT_TOKENS))


def predicted_ms(kind: CalibratedLatency | RooflineLatency, row: pd.Series) -> float:
    gpu = load_part(find("gpu", "h100-sxm"), Gpu)
    bound: StepLatency = kind.bind(deployment(PRESETS[row["model"]], tp=int(row["tp"]), on=gpu))
    batch = round(row["mean_batch"])
    return 1e3 * float(bound.step_seconds(decode_load(DENSE, [int(row["context"])] * batch)))


def errors(kind: CalibratedLatency | RooflineLatency, of: pd.DataFrame) -> np.ndarray:
    predicted = np.array([predicted_ms(kind, row) for _, row in of.iterrows()])
    return np.asarray(predicted / of["itl_p50_ms"].to_numpy() - 1.0)


@cache
def found() -> tuple[pd.DataFrame, np.ndarray]:
    """Return the rows and the errors of the calibrated steps."""
    of = rows()
    return of, errors(CalibratedLatency(), of)


def test_the_rows_are_those_that_the_page_describes() -> None:
    of, _ = found()
    least, most, chat_least, chat_most, reasoning, count = figures(
        r"batches of (\d+ to \d+), contexts of (\d+ to \d+) tokens \(chat\) and ([\d,]+) \(reasoning\), "
        r"(\d+) rows"
    )
    assert len(of) == count
    assert (of["mean_batch"].min(), of["mean_batch"].max()) == (
        to_the_digit(least, 1),
        to_the_digit(most, 1),
    )
    chat, long = (of[of["task"] == task]["context"] for task in ("lm-arena-chat", "gpqa"))
    assert (chat.min(), chat.max()) == (to_the_digit(chat_least, 10), to_the_digit(chat_most, 10))
    assert long.median() == to_the_digit(reasoning, 100)
    assert len(set(of["model"])) == len(PRESETS)


def test_measured_steps_are_met_as_the_page_says_and_the_bare_roofline_is_far_off() -> None:
    of, signed = found()
    bare = np.abs(errors(RooflineLatency(), of))
    size = np.abs(signed)
    computed = [np.median(size), np.percentile(size, 90), np.median(signed), np.median(bare)]
    *told, bare_median, bare_p90 = figures(
        r"median error ([\d.]+) %, 90th percentile ([\d.]+) %, bias ([+-][\d.]+) %; the bare roofline "
        r"(\d+ and \d+) %"
    )
    assert [100 * each for each in computed[:3]] == [to_the_digit(one, 0.1) for one in told]
    assert 100 * computed[3] == to_the_digit(bare_median, 1)
    assert 100 * np.percentile(bare, 90) == to_the_digit(bare_p90, 1)


def test_the_bias_of_each_model_lies_between_those_that_the_page_names() -> None:
    of, signed = found()
    bias = {name: 100 * float(np.median(signed[of["model"] == model])) for model, name in PRESETS.items()}
    least, most = figures(r"By model the bias is (-\d+) % \(Qwen3-32B\) to (\+\d+) % \(Llama-3.1-8B\)")
    assert min(bias, key=lambda name: bias[name]) == "qwen3-32b"
    assert max(bias, key=lambda name: bias[name]) == "llama-3.1-8b"
    assert (bias["qwen3-32b"], bias["llama-3.1-8b"]) == (to_the_digit(least, 1), to_the_digit(most, 1))
