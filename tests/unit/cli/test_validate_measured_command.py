"""``kinesim validate SCENARIO --measured FILE``: what it prints, writes, refuses, and how it exits."""

from __future__ import annotations

import csv
import json
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "measured"))
sys.path.insert(0, str(Path(__file__).parents[1] / "validate"))

from bench_files import summary, vllm
from command import Kinesim
from own_runs import OPEN, document, run, slower, write
from tool_files import save, scrape


@pytest.fixture
def validate(kinesim: Kinesim) -> Kinesim:
    """Return the command in a folder with a scenario and a run of it."""
    Path("own.json").write_text(json.dumps(document(OPEN)), encoding="utf-8")
    Path("own.yaml").write_text(json.dumps(document(OPEN)), encoding="utf-8")
    write(Path(), run(OPEN))
    kinesim._words = ("validate",)
    return kinesim


def test_a_run_of_our_own_is_inside(validate: Kinesim) -> None:
    assert validate("own.yaml", "--measured", "requests.csv") == 0
    assert "Inside: 3 of 3 figures are within what is allowed (default: tpot.mean=5%" in validate.out
    assert "measured arrivals of 40 requests over" in validate.out
    assert "in place of the scenario's workload" in validate.out
    assert validate.err == ""


def test_slower_tokens_end_with_1_in_text_and_json(validate: Kinesim) -> None:
    write(Path(), run(OPEN), change=slower(1.1))
    assert validate("--measured", "requests.csv", "own.yaml") == 1
    assert "Outside: tpot.mean, e2e.mean: 2 of 3 figures are not within what is allowed" in validate.out
    assert validate("own.yaml", "--measured", "requests.csv", "--json", "--tolerance", "tpot.mean=9%") == 1
    verdict = json.loads(validate.out)["verdict"]
    assert verdict["judged"][0] == {
        "figure": "tpot.mean",
        "error": pytest.approx(1 / 1.1 - 1),
        "allowed": 0.09,
        "inside": False,
    }
    assert validate("own.yaml", "--measured", "requests.csv", "--tolerance", "tpot.mean=9.2%") == 0
    assert "(asked for)" in validate.out


def test_both_ways_to_call_are_in_the_help(validate: Kinesim) -> None:
    assert validate("--help") == 0
    assert "Usage: kinesim validate SCENARIO --measured FILE [OPTIONS]" in validate.out
    assert "Usage: kinesim validate silicon [OPTIONS]" in validate.out
    assert validate("silicon", "--help") == 0
    assert "--by-tp" in validate.out
    for words in (("measured", "--help"), ("own.yaml", "--help")):
        assert validate(*words) == 0
        assert "--tolerance" in validate.out


def test_a_file_to_compare_with_is_asked_for(validate: Kinesim) -> None:
    assert validate("own.yaml") == 2
    assert "Missing option '--measured'" in validate.err


def test_a_folder_holds_tables_pictures_and_a_page(validate: Kinesim) -> None:
    write(Path(), run(OPEN), change=slower(1.1))
    assert validate("own.yaml", "--measured", "requests.csv", "--out", "out") == 1
    assert validate.err == "wrote out\n"
    written = {path.name for path in Path("out").iterdir()}
    assert {"comparison.csv", "requests.csv", "timeseries.csv", "summary.json", "manifest.json"} <= written
    pictures = {"distributions.png", "over-time-load.png", "over-time-queue.png"}
    assert pictures <= written or find_spec("matplotlib") is None
    if find_spec("plotly") is not None:
        page = Path("out/comparison.html").read_text(encoding="utf-8")
        assert "Outside: tpot.mean, e2e.mean" in page
        assert all(f'id="{name}"' in page for name in ("distributions", "over-time-load", "over-time-queue"))
    with Path("out/comparison.csv").open(encoding="utf-8", newline="") as file:
        rows = {(row["regime"], row["quantity"], row["figure"]): row for row in csv.DictReader(file)}
    assert float(rows["all", "tpot", "mean"]["error"]) == pytest.approx(1 / 1.1 - 1)
    with Path("out/requests.csv").open(encoding="utf-8", newline="") as file:
        requests = list(csv.DictReader(file))
    assert len(requests) == 40
    assert all(row["measured_ttft_s"] == row["simulated_ttft_s"] for row in requests)
    assert json.loads(Path("out/summary.json").read_text(encoding="utf-8"))["verdict"]["inside"] is False
    assert validate("own.yaml", "--measured", "requests.csv", "--out", "out") == 2
    assert "out exists" in validate.err


def test_a_summary_draws_its_percentiles(validate: Kinesim) -> None:
    told = {"p50_ttft_ms": 45.0, "p99_ttft_ms": 80.0, "p50_tpot_ms": 10.0, "p99_tpot_ms": 12.0}
    save(Path("result.json"), vllm(summary()) | told)
    assert (
        validate("own.yaml", "--measured", "result.json", "--out", "out", "--tolerance", "ttft.p99=999%") == 0
    )
    assert "note: all requests have the mean lengths, 500 and 200 tokens" in validate.err
    if find_spec("matplotlib") is not None:
        assert Path("out/distributions.png").is_file()


def test_a_sidecar_and_options_say_what_a_file_does_not(validate: Kinesim) -> None:
    save(Path("result.json"), vllm(summary(concurrency=None, rate=None)))
    assert validate("own.yaml", "--measured", "result.json") == 2
    assert (
        "give --concurrency, --rate, or concurrency, rate_per_s in result.json.kinesim.yaml" in validate.err
    )
    save(Path("result.json.kinesim.yaml"), "rate_per_s: 2.0\nset: {parallelism.tp: 2}\n")
    assert validate("own.yaml", "--measured", "result.json", "--tolerance", "ttft.mean=999%") == 0
    assert "at 2 a second, arrivals drawn with seed 0" in validate.out
    assert "(tp 2, dp 1)" in validate.out
    words = ("own.yaml", "--measured", "result.json", "--concurrency", "3", "--set", "parallelism.tp=4")
    assert validate(*words, "--tolerance", "ttft.mean=999%") == 0
    assert "100 requests, 3 in flight" in validate.out
    assert "(tp 4, dp 1)" in validate.out


def test_two_scrapes_are_one_run(validate: Kinesim) -> None:
    save(Path("before.txt"), scrape(requests=2))
    save(Path("after.txt"), scrape(requests=62, running=1))
    words = ("own.yaml", "--measured", "before.txt", "--measured", "after.txt", "--duration", "30")
    assert validate(*words, "--tolerance", "ttft.mean=999%") == 0
    assert "60 requests at 2 a second" in validate.out
    assert "ttft percentiles are interpolated within buckets: p50 in 0.1 to 0.2 s" in validate.err
    assert "at the second scrape: 1 running, 0 waiting, KV use 25.0%" in validate.err


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        (
            "requests.csv",
            "request_id,arrival_s,prompt_tokens,output_tokens,ttft_ms\n",
            "requests.csv:1: ttft_s: no such",
        ),
        (
            "requests.csv",
            "arrival_s,prompt_tokens,output_tokens,ttft_s,e2e_s\n0,1,2,x,1\n",
            "requests.csv:2: ttft_s: 'x'",
        ),
        (
            "result.json",
            '{"model_id": "x", "tokenizer_id"',
            "result.json:1: the text ends inside object 1: was the",
        ),
        (
            "result.json",
            json.dumps({**vllm(summary()), "input_lens": [1, 2], "output_lens": [1]})[:-1]
            + ', "ttfts": [], "itls": []}',
            "lists of requests of different lengths",
        ),
        ("result.json", "[]", "result.json:1: is a JSON array of 0"),
        ("result.json", "", "result.json: is empty"),
        ("result.json", json.dumps(vllm(summary()) | {"mean_tpot_ms": 1e4}), "not in its unit"),
    ],
)
def test_broken_results_end_with_2_and_nothing_written(
    validate: Kinesim, name: str, text: str, told: str
) -> None:
    save(Path(name), text)
    assert validate("own.yaml", "--measured", name, "--out", "out") == 2
    assert told in validate.err
    assert validate.out == ""
    assert not Path("out").exists()


def test_a_missing_result_and_a_folder_are_said(validate: Kinesim) -> None:
    assert validate("own.yaml", "--measured", "none.json") == 2
    assert validate.err.startswith("none.json: cannot be read: No such file or directory; check the name")
    assert validate("own.yaml", "--measured", ".") == 2
    assert "Is a directory" in validate.err


def test_a_scenario_that_is_none_is_said(validate: Kinesim) -> None:
    assert validate("silicn", "--measured", "requests.csv") == 2
    assert "silicn: no such file and no shipped scenario" in validate.err


def test_a_wrong_tolerance_ends_with_2(validate: Kinesim) -> None:
    assert validate("own.yaml", "--measured", "requests.csv", "--tolerance", "tpot.mean=5") == 2
    assert "for example tpot.mean=5%" in validate.err
