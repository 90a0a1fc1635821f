"""A published run with arrivals, replayed: the table of ``docs/validating-a-server.md`` is worked out again.

Data lie beside a checkout and are not part of the project; without them these tests skip.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from simulator import load_scenario
from simulator.validate.comparison import LABELS
from simulator.validate.measured_run import chosen_run, judgement
from simulator.validate.measured_text import percent, size
from simulator.validate.told_load import ToldLoad
from simulator.validate.verdict import DEFAULTS

PAGE = Path(__file__).parents[2] / "docs" / "validating-a-server.md"
SERVER = {
    "schema": 1,
    "name": "rtx-pro-6000",
    "hardware": "rtx-pro-6000-8",
    "model": {"preset": "llama-3.1-8b"},
    "engine": {
        "max_sequences": 128,
        "max_batched_tokens": 2048,
        "latency": {"kind": "calibrated", "engine": "vllm"},
    },
    "workload": {
        "tasks": {"kind": "synthetic", "count": 1, "prompt_tokens": 1},
        "lengths": {"kind": "constant", "tokens": 1},
        "outcomes": {"kind": "fixed", "solve_probability": 1.0},
        "arrivals": "all_at_once",
        "strategy": {"kind": "long_cot"},
    },
}


def test_the_run_of_the_page_is_off_by_what_the_page_says(shared_data: Path) -> None:
    path = shared_data / "measured" / "llmservingsim" / "RTXPRO6000__Llama-3.1-8B" / "requests.csv"
    if not path.is_file():
        pytest.skip("needs measured/llmservingsim beside the checkout")
    run = chosen_run([path], None)
    one = judgement(load_scenario(SERVER), run, ToldLoad(), allowed=DEFAULTS, asked=False)
    text = PAGE.read_text(encoding="utf-8")
    told = {row.split("|")[1].strip(): row for row in text.splitlines() if row.startswith("| ")}
    for name in ("ttft", "tpot", "e2e", "running"):
        quantity = one.compared.quantities[name]
        cells = [cell.strip() for cell in told[LABELS[name]].split("|")[2:-1]]
        expected = [size(name, value) for value in quantity.figures["mean"]]
        expected += [percent(quantity.error("mean"))]
        expected += [percent(quantity.error(each), signed=False) for each in ("median_error", "distance")]
        shown = [re.sub(r" %$", "%", cell) or "-" for cell in cells]
        assert shown == expected
    assert not one.verdict.inside
