"""The figures before the lists are those that vLLM's own tool wrote before these lists.

Data lie beside a checkout and are not part of the project; without them these tests skip.  The file was
written by the tool against a stub: its layout and its arithmetic are genuine.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "validate"))

from own_runs import OPEN, document

from simulator import load_scenario, simulate
from simulator.emit import FORMATS, served_by
from simulator.emit.figures import Lists, peaks, statistics, totals

STUB = "formats/vllm_bench/0.25.1_STUBSERVER_save-detailed.json"
ADA = "formats/aiperf/rtx6000ada_qwen_conc1/profile_export.jsonl"
USERS = {"gpu", "note"}
"""Keys that the user of the tool added with --metadata."""


def sample(shared_data: Path, name: str) -> str:
    path = shared_data / name
    if not path.is_file():
        pytest.skip(f"needs {name} beside the checkout")
    return path.read_text(encoding="utf-8")


def test_figures_of_a_genuine_file_follow_from_its_lists(shared_data: Path) -> None:
    told = json.loads(sample(shared_data, STUB))
    gaps = [np.array(row) for row in told["itls"]]
    made = Lists(
        np.array(told["start_times"]),
        np.array(told["ttfts"]),
        np.array([first + math.fsum(row) for first, row in zip(told["ttfts"], told["itls"], strict=True)]),
        gaps,
        np.array(told["input_lens"]),
        np.array(told["output_lens"]),
        told["duration"],
    )
    found = totals(made) | peaks(made) | statistics(made)
    assert found.pop("request_goodput") is told["request_goodput"]
    wrong = {
        key: (value, told[key])
        for key, value in found.items()
        # End to end is taken by a clock of its own, which ends a microsecond after the last gap.
        if value != pytest.approx(told[key], rel=1e-5 if "e2el" in key or "tpot" in key else 1e-12)
    }
    assert wrong == {}


def test_a_written_file_has_the_keys_of_the_genuine_ones(shared_data: Path) -> None:
    result = simulate(load_scenario(document(OPEN)), token_times=True)
    written = {name: "".join(FORMATS[name].text(result, served_by(result))) for name in FORMATS}
    vllm = json.loads(written["vllm-bench"])
    genuine = [key for key in json.loads(sample(shared_data, STUB)) if key not in USERS]
    assert [key for key in vllm if not key.startswith("kinesim_")] == genuine
    ours = json.loads(written["aiperf"].splitlines()[0])
    theirs = json.loads(sample(shared_data, ADA).splitlines()[0])
    assert set(theirs["metadata"]) <= set(ours["metadata"])
    assert set(ours["metrics"]) == set(theirs["metrics"])
    assert {name: one["unit"] for name, one in ours["metrics"].items()} == {
        name: one["unit"] for name, one in theirs["metrics"].items()
    }
