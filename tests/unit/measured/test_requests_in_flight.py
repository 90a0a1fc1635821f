"""How many requests ran at once, and their time per token, from whatever a file has."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from bench_files import detailed, even_requests, summary

from simulator.errors import TraceFormatError
from simulator.measured import requests_in_flight, token_seconds


def test_single_requests_give_the_mean_by_littles_law() -> None:
    run = detailed(summary(concurrency=5), even_requests(20, prompt=9, output=50, ttft_s=0.04, itl_s=0.01))
    known = requests_in_flight(replace(run, duration_s=2.65))
    assert (known.value, known.basis) == (
        pytest.approx(20 * (0.04 + 49 * 0.01) / 2.65),
        "latency of each request",
    )


def test_a_closed_loop_has_its_limit() -> None:
    known = requests_in_flight(summary(concurrency=8))
    assert (known.value, known.basis) == (8.0, "max_concurrency")


def test_a_closed_loop_of_fewer_requests_than_its_limit_never_fills_it() -> None:
    assert requests_in_flight(summary(concurrency=1000, requests=10)).value == 10.0


def test_a_closed_loop_that_was_hardly_filled_has_its_mean() -> None:
    run = replace(summary(concurrency=8), duration_s=4 * summary(concurrency=8).duration_s)
    known = requests_in_flight(run)
    assert (known.value, known.basis) == (pytest.approx(2.0), "mean latency / duration")


def test_an_open_loop_has_the_mean_of_its_latencies() -> None:
    run = replace(summary(concurrency=None, rate=2.0), duration_s=50.0)
    assert requests_in_flight(run).value == pytest.approx(100 * (0.05 + 199 * 0.01) / 50.0)
    assert requests_in_flight(replace(run, e2e_s=3.0)).value == pytest.approx(6.0)


def test_a_limit_beside_a_rate_is_no_closed_loop() -> None:
    run = replace(summary(concurrency=64, rate=2.0), duration_s=50.0)
    assert requests_in_flight(run).basis == "mean latency / duration"


def test_less_than_one_in_flight_is_one_for_a_token_that_waits() -> None:
    assert requests_in_flight(replace(summary(concurrency=None, rate=0.01), duration_s=1e4)).value == 1.0


def test_a_file_that_does_not_give_it_is_told_what_is_missing() -> None:
    run = replace(summary(concurrency=None, rate=2.0), tpot_s=None)
    with pytest.raises(TraceFormatError, match=r"--percentile-metrics\s*ttft,tpot,itl,e2el"):
        requests_in_flight(run)


def test_the_time_per_token_is_the_tools_or_follows_from_the_latency() -> None:
    run = replace(summary(), e2e_s=2.04)
    assert token_seconds(run).basis == "mean_tpot_ms"
    known = token_seconds(replace(run, tpot_s=None))
    assert (known.value, known.basis) == (pytest.approx((2.04 - 0.05) / 199), "latency less first token")


def test_a_median_of_the_first_token_stands_for_the_mean_where_it_is_small() -> None:
    run = replace(summary(), e2e_s=2.04, tpot_s=None, ttft_s=None)
    assert token_seconds(run).value == pytest.approx((2.04 - 0.05) / 199)
    with pytest.raises(TraceFormatError, match="mean_tpot_ms is missing"):
        token_seconds(replace(run, ttft_median_s=1.0))


@pytest.mark.parametrize("changes", [{"e2e_s": None}, {"ttft_s": None, "ttft_median_s": None}])
def test_without_its_parts_there_is_no_time_per_token(changes: dict[str, None]) -> None:
    run = replace(summary(), tpot_s=None, e2e_s=2.04)
    with pytest.raises(TraceFormatError, match="mean_tpot_ms is missing"):
        token_seconds(replace(run, **changes))  # type: ignore[arg-type] - each takes None


def test_one_token_per_request_has_no_time_per_token() -> None:
    with pytest.raises(TraceFormatError, match="1 tokens per request"):
        token_seconds(replace(summary(), output_tokens=1.0))


def test_all_at_once_without_a_limit_is_no_closed_loop() -> None:
    run = summary(concurrency=None)
    assert run.request_rate_per_s == math.inf
    assert not run.is_closed_loop
