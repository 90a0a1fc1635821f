"""Each format is read as its owner means it: units, order, sessions, and what is left out."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from made_up import AZURE_2023, BURSTGPT_1, MOONCAKE, OWN, PLAIN, lines, mooncake, servegen

from simulator.errors import TraceFormatError
from workloads.traces import Reading, Trace, read
from workloads.traces.reading import recognise

Traced = Callable[[str], Any]


@pytest.fixture
def trace(tmp_path: Path) -> Traced:
    """Return a function that reads a text as a trace."""

    def of(text: str) -> Trace:
        path = tmp_path / "trace"
        path.write_text(text, encoding="utf-8")
        return read(path)

    return of


@pytest.mark.parametrize(("name", "text"), PLAIN.values(), ids=PLAIN)
def test_a_format_is_recognised_by_what_it_holds(trace: Traced, name: str, text: str) -> None:
    assert trace(text).format == name


def test_azure_counts_from_its_first_row_to_the_last_of_seven_digits(trace: Traced) -> None:
    found = trace(AZURE_2023)
    np.testing.assert_allclose(found.arrival_s, [0.0, 4.314579, 4.3145791], rtol=0, atol=1e-9)
    assert found.prompt_tokens.tolist() == [374, 396, 879]
    assert found.output_tokens.tolist() == [44, 109, 55]


def test_azure_of_2024_has_a_zone_and_moments_without_a_fraction(trace: Traced) -> None:
    assert trace(PLAIN["azure 2024"][1]).arrival_s.tolist() == [0.0, 0.5, 1.75]


def test_mooncake_is_in_milliseconds_and_holds_blocks(trace: Traced) -> None:
    found = trace(MOONCAKE)
    assert found.arrival_s.tolist() == [0.0, 0.0, 3.0]
    assert found.blocks.tokens == 512
    assert found.blocks.offsets.tolist() == [0, 3, 5, 8]
    assert found.blocks.ids.tolist() == [0, 1, 2, 0, 1, 0, 3, 2]


def test_bailian_links_turns_by_chat_and_says_whose_parent_is_missing(trace: Traced) -> None:
    found = trace(PLAIN["bailian"][1])
    assert found.arrival_s.tolist() == [0.5, 9.25, 9.5]
    assert found.request_ids.tolist() == [5, 3, 8]
    assert found.parents.tolist() == [-1, 0, -1]
    assert found.sessions.tolist() == [0, 0, 1]
    assert found.blocks.tokens == 16
    assert found.notes == (
        "Rows whose parent does not stand before them in the file, so that they begin a session: 1.",
    )


def test_burstgpt_drops_failures_and_counts_them(trace: Traced) -> None:
    found = trace(BURSTGPT_1)
    assert found.arrival_s.tolist() == [0.0, 113.0]
    assert found.output_tokens.tolist() == [18, 276]
    assert found.dropped == {"output of 0 tokens: the request failed": 1}


def test_burstgpt_3_is_read_by_name_and_its_elapsed_time_is_not(trace: Traced) -> None:
    found = trace(PLAIN["burstgpt 3"][1])
    assert found.arrival_s.tolist() == [0.0, 51.5, 82.0]
    assert found.prompt_tokens.tolist() == [906, 36, 1779]
    assert found.sessions.tolist() == [0, -1, 0]
    assert found.ignored == ()
    assert found.tool_s is None


def test_splitwise_and_vidur_are_in_seconds(trace: Traced) -> None:
    for name, times, prompts in (("splitwise", [0.25, 0.75], [128, 64]), ("vidur", [0.5, 0.625], [591, 547])):
        found = trace(PLAIN[name][1])
        assert found.arrival_s.tolist() == times
        assert found.prompt_tokens.tolist() == prompts


def test_a_batch_of_splitwise_that_is_not_one_request_is_refused(trace: Traced) -> None:
    with pytest.raises(TraceFormatError, match=r":3: batch_size: '2' is not 1"):
        trace(PLAIN["splitwise"][1].replace("0.75,1,", "0.75,2,"))


def test_sub_requests_of_llmservingsim_wait_for_the_one_before_and_its_tool(trace: Traced) -> None:
    found = trace(PLAIN["llmservingsim"][1])
    assert found.prompt_tokens.tolist() == [50, 100, 150, 200]  # the flat line came second and was sent first
    np.testing.assert_array_equal(found.arrival_s, [0.001, 0.004, math.nan, math.nan])
    np.testing.assert_array_equal(found.tool_s, [math.nan, math.nan, 0.5, 0.25])
    assert found.parents.tolist() == [-1, -1, 1, 2]
    assert found.sessions.tolist() == [-1, 0, 0, 0]
    assert "Lines that stood after later ones" in found.notes[0]


def test_token_ids_of_llmservingsim_become_whole_blocks_that_share_beginnings(trace: Traced) -> None:
    common, one = list(range(16)), list(range(100, 120))
    rows = [common + one, common + one[:15], one]
    found = trace(
        lines(
            *(
                {"input_toks": len(ids), "output_toks": 1, "arrival_time_ns": 0, "input_tok_ids": ids}
                for ids in rows
            )
        )
    )
    assert found.blocks.offsets.tolist() == [0, 2, 3, 4]
    assert found.blocks.ids.tolist() == [0, 1, 0, 2]


def test_our_own_form_links_rows_by_id(trace: Traced) -> None:
    found = trace(OWN)
    assert found.request_ids.tolist() == [7, 9, 8]
    assert found.parents.tolist() == [-1, 0, -1]
    np.testing.assert_array_equal(found.arrival_s, [0.5, math.nan, 0.75])
    np.testing.assert_array_equal(found.tool_s, [math.nan, 1.5, math.nan])
    assert found.sessions.tolist() == [1, 1, -1]


def test_columns_that_nobody_reads_are_named(trace: Traced) -> None:
    assert trace("arrival_s,colour,mood\n0.5,red,good\n").ignored == ("colour", "mood")
    row = {"timestamp": 0, "input_length": 3, "output_length": 1, "hash_ids": [0], "colour": 1}
    assert trace(lines(row)).ignored == ("colour",)


# ServeGen


def test_a_window_of_servegen_holds_rate_times_its_length_whatever_the_scale_says(tmp_path: Path) -> None:
    found = read(servegen(tmp_path / "clients"))
    counts = np.histogram(found.arrival_s, bins=[0, 600, 1200, 1800])[0].tolist()
    assert counts == [600, 0, 1200]
    assert (np.diff(found.arrival_s) >= 0).all()
    assert set(found.sessions.tolist()) == {4}


def test_lengths_of_servegen_follow_the_latest_distributions_that_are_there(tmp_path: Path) -> None:
    found = read(servegen(tmp_path / "clients"))
    values, counts = np.unique(found.prompt_tokens, return_counts=True)
    assert values.tolist() == [10, 20]
    assert counts[0] / counts.sum() == pytest.approx(0.25, abs=0.05)  # four deviations of 1800 draws
    assert set(found.output_tokens.tolist()) == {7}


def test_gaps_of_servegen_have_the_variation_of_their_pattern(tmp_path: Path) -> None:
    found = read(
        servegen(tmp_path / "clients", lambda text: text.replace("0,1,1.0,Gamma", "0,500,1.0,Gamma"))
    )
    gaps = np.diff(found.arrival_s[found.arrival_s < 600])
    assert gaps.std() / gaps.mean() == pytest.approx(math.sqrt(0.5), rel=0.01)  # Gamma of shape 2


def test_a_seed_of_servegen_gives_the_same_requests_whatever_part_is_read(tmp_path: Path) -> None:
    folder = servegen(tmp_path / "clients")
    whole, part = read(folder, how=Reading(seed=3)), read(folder, how=Reading(seed=3, window_s=(1200, 1800)))
    np.testing.assert_array_equal(whole.arrival_s[600:], part.arrival_s)
    np.testing.assert_array_equal(whole.prompt_tokens[600:], part.prompt_tokens)
    assert (read(folder, how=Reading(seed=4)).arrival_s != whole.arrival_s).any()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Gamma", "Pareto", r"chunk-4-trace.csv:1: pattern: 'Pareto' is not Gamma or Weibull"),
        ("0,1,1.0,G", "0,99999,1.0,G", r"chunk-4-trace.csv: .* requests; at most 5,000,000 are drawn"),
        ("600,0", "600,-1", r"chunk-4-trace.csv:2: rate: '-1' is not a rate"),
        ("1200,2.0", "1200", r"chunk-4-trace.csv:3: row: has 5 fields; a window has 6"),
        ("1200,2.0", "300,2.0", r"chunk-4-trace.csv:3: start: 300 is not after"),
        (
            "{10: 0.25, 20: 0.75}",
            "__import__('os')",
            r"window '0'.input_tokens: .* is not the text of a dict",
        ),
        ("0.25, 20", "0.5, 20", r"its chances sum to 1.25, not 1"),
        ("{7: 1.0, 8: 0.0}", "{7.5: 1.0}", r"is not a dict of tokens"),
        ('"output_tokens": "{7', '"outputs": "{7', r"window '0'.output_tokens: nothing is not the text"),
    ],
)
def test_a_broken_client_of_servegen_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(TraceFormatError, match=message):
        read(servegen(tmp_path / "clients", lambda text: text.replace(old, new)))


def test_a_client_of_servegen_without_its_dataset_is_refused(tmp_path: Path) -> None:
    folder = servegen(tmp_path / "clients")
    (folder / "chunk-4-dataset.json").unlink()
    with pytest.raises(TraceFormatError, match=r"chunk-4-dataset.json is missing beside chunk-4-trace.csv"):
        read(folder)


# Recognition


def test_a_file_that_could_be_two_formats_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "both.csv"
    path.write_text("arrival_s,arrived_at,num_prefill_tokens,num_decode_tokens\n0,0,1,1\n", encoding="utf-8")
    with pytest.raises(TraceFormatError, match=r"could be kinesim and vidur .*; say which with format"):
        recognise(path)
    assert read(path, "vidur").format == "vidur"


def test_a_format_that_a_file_is_not_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(PLAIN["vidur"][1], encoding="utf-8")
    with pytest.raises(TraceFormatError, match=r"is not Azure LLM .*; a CSV header arrived_at"):
        read(path, "azure")


def test_bailian_without_blocks_and_mooncake_are_told_apart(trace: Traced) -> None:
    row = {"chat_id": 1, "timestamp": 2.5, "input_length": 3, "output_length": 4}
    assert trace(lines(row)).format == "bailian"
    assert trace(mooncake((0, 1, 1, [0]))).format == "mooncake"
