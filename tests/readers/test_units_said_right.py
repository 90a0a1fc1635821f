"""Times that no server has are taken where the user says that they are right; contradictions never are."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "measured"))
sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "validate"))

from bench_files import summary, vllm
from command import Kinesim
from own_runs import OPEN, document
from seeds import RESULTS, SEEDS, edited

from simulator.errors import TraceFormatError
from simulator.measured import read_measured

ASKED = "if it is right, say --units-are-right"
ALONE = ("llmservingsim bench", "requests.csv", "table of runs", "metrics")
"""Readers in whose files the values in question contradict no others."""


def wrong_unit(name: str, folder: Path) -> list[Path]:
    seed = SEEDS[name]
    return seed.put(folder, edited(seed.text, seed.edits["unit"]).encode())


@pytest.mark.parametrize("name", ALONE)
def test_what_is_said_to_be_right_is_read(name: str, tmp_path: Path) -> None:
    paths = wrong_unit(name, tmp_path)
    with pytest.raises(TraceFormatError, match=ASKED):
        read_measured(paths)
    assert read_measured(paths, units_are_right=True)
    with pytest.raises(TraceFormatError, match=ASKED):  # said for that reading alone
        read_measured(paths)


@pytest.mark.parametrize("name", [name for name in RESULTS if name not in ALONE])
def test_values_that_contradict_others_are_refused_all_the_same(name: str, tmp_path: Path) -> None:
    with pytest.raises(TraceFormatError) as found:
        read_measured(wrong_unit(name, tmp_path), units_are_right=True)
    assert ASKED not in str(found.value)
    assert ", but" in str(found.value) or "is its unit right?" in str(found.value)


def test_lengths_that_no_model_takes_are_refused_all_the_same(tmp_path: Path) -> None:
    seed = SEEDS["vllm summary"]
    paths = seed.put(tmp_path, edited(seed.text, seed.edits["huge"]).encode())
    with pytest.raises(TraceFormatError, match="which no model takes"):
        read_measured(paths, units_are_right=True)


# Through the command line

SLOW = "request_id,arrival_s,prompt_tokens,output_tokens,ttft_s,tpot_s,e2e_s\n" + "".join(
    f"{row},{row * 0.5},600,3,0.4,11.0,22.4\n" for row in range(4)
)
"""Requests of a server that takes 11 s for a token."""


def test_validate_compares_a_server_that_is_said_to_be_so_slow(kinesim: Kinesim) -> None:
    Path("own.yaml").write_text(json.dumps(document(OPEN)), encoding="utf-8")
    Path("requests.csv").write_text(SLOW, encoding="utf-8")
    words = ("validate", "own.yaml", "--measured", "requests.csv")
    assert kinesim(*words) == 2
    assert ASKED in kinesim.err
    assert kinesim(*words, "--units-are-right") == 1  # read, and far from what is simulated
    assert "Outside" in kinesim.out


def test_calibrate_takes_it_to_the_checks_of_the_fit(kinesim: Kinesim) -> None:
    run = summary(concurrency=8, tpot_s=11.0, prompt=233, output=221)
    text = json.dumps(vllm(replace(run, duration_s=run.duration_s))) + "\n"
    Path("a.json").write_text(text, encoding="utf-8")
    words = ("calibrate", "--gpu", "h100-sxm", "--model", "qwen3-8b", "--from-bench", "a.json")
    assert kinesim(*words) == 2
    assert ASKED in kinesim.err
    assert kinesim(*words, "--units-are-right") == 2
    assert ASKED not in kinesim.err
    assert "times what the data sheet allows" in kinesim.err


def test_it_is_refused_where_no_result_is_read(kinesim: Kinesim) -> None:
    assert kinesim("calibrate", "--gpu", "h100-sxm", "--units-are-right") == 2
    assert "--units-are-right: is said of results; it goes with --from-bench" in kinesim.err
