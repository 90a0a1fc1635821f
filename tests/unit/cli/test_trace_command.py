"""``kinesim trace``: what it says, what it writes, and how it refuses."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from command import Kinesim

sys.path.insert(0, str(Path(__file__).parents[1] / "workloads" / "traces"))

from made_up import BURSTGPT_1, MOONCAKE, PLAIN, servegen

from workloads.traces.chat_jsonl import MOONCAKE as MOONCAKE_READER


def test_the_answer_says_what_a_file_is_and_holds(kinesim: Kinesim, tmp_path: Path) -> None:
    (tmp_path / "m.jsonl").write_text(MOONCAKE, encoding="utf-8")
    assert kinesim("trace", "m.jsonl") == 0
    assert kinesim.out.splitlines() == [
        f"m.jsonl: {MOONCAKE_READER.about}",
        "",
        "requests    3",
        "span        3.0 s",
        "rate        1/s",
        "burstiness  CV 1.00 of gaps, 1.11 per second",
        "prefixes    37.5% of 8 prompt blocks of 512 tokens seen before",
        "",
        "tokens  mean   p50    p90    p99      max",
        "prompt  908.3  1,025  1,085  1,098.5  1,100",
        "output  6      6      6.8    7        7",
    ]


def test_what_was_left_out_and_not_read_is_told(kinesim: Kinesim, tmp_path: Path) -> None:
    text = BURSTGPT_1.replace("Log Type", "Log Type,Mood").replace(" log\n", " log,good\n")
    (tmp_path / "b.csv").write_text(text, encoding="utf-8")
    assert kinesim("trace", "b.csv") == 0
    assert "left out    1: output of 0 tokens: the request failed" in kinesim.out
    assert "not read    Mood" in kinesim.out


@pytest.mark.parametrize("name", PLAIN)
def test_json_says_the_same_for_every_format(kinesim: Kinesim, tmp_path: Path, name: str) -> None:
    (tmp_path / "trace").write_text(PLAIN[name][1], encoding="utf-8")
    assert kinesim("trace", "trace", "--json") == 0
    found = json.loads(kinesim.out)
    assert found["format"] == PLAIN[name][0]
    assert found["prompts"]["longest"] >= found["prompts"]["p50"] >= 1


@pytest.mark.parametrize("name", ["out.csv", "out.parquet"])
def test_what_is_converted_says_the_same_again(kinesim: Kinesim, tmp_path: Path, name: str) -> None:
    (tmp_path / "trace").write_text(PLAIN["bailian"][1], encoding="utf-8")
    assert kinesim("trace", "trace", "--convert", name) == 0
    before = kinesim.out.splitlines()[1:-2]  # the note is the owner's
    assert kinesim.err == f"wrote {name}: 3 requests\n"
    assert kinesim("trace", name) == 0
    assert kinesim.out.splitlines()[1:] == before
    assert sorted(path.name for path in tmp_path.iterdir()) == [name, "trace"]
    assert kinesim("trace", "trace", "--convert", name) == 2
    assert "exists; choose another name or pass --overwrite" in kinesim.err
    assert kinesim("trace", "trace", "--convert", name, "--overwrite") == 0


def test_a_window_and_a_seed_can_be_asked_for(kinesim: Kinesim, tmp_path: Path) -> None:
    servegen(tmp_path / "clients")
    assert kinesim("trace", "clients", "--window", "1200", "1800", "--seed", "2") == 0
    assert "requests    1,200" in kinesim.out
    assert "Requests are drawn with seed 2" in kinesim.out
    assert kinesim("trace", "clients", "--window", "600", "1200") == 2
    assert kinesim.err.startswith("clients: holds no request")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("none.csv",), "none.csv: cannot be read: No such file or directory"),
        (
            (".",),
            ".: is no trace that is known: a folder of bad.csv, cut.jsonl, fine.csv, not.csv.gz; known are",
        ),
        (("bad.csv",), "bad.csv:3: arrived_at: 'nan' is not a number of seconds in [0, 1e+09]"),
        (("cut.jsonl",), "cut.jsonl:3: line: ends inside its JSON object: was the file cut?"),
        (("not.csv.gz",), "not.csv.gz: is named .gz but holds no gzip data: was it unpacked or cut?"),
        (("fine.csv", "--format", "vidr"), "unknown trace format 'vidr'; did you mean vidur?"),
        (("fine.csv", "--format", "azure"), "fine.csv: is not Azure"),
        (("fine.csv", "--convert", "out.txt"), "--convert out.txt: ends in none of .csv, .parquet"),
        (("fine.csv", "--convert", "fine.csv", "--overwrite"), "fine.csv is the file that is read"),
        (("bad.csv", "--convert", "out.csv"), "bad.csv:3: arrived_at: 'nan'"),
    ],
)
def test_bad_input_is_answered_in_plain_words_and_nothing_is_written(
    kinesim: Kinesim, tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    header = "arrived_at,num_prefill_tokens,num_decode_tokens\n"
    (tmp_path / "bad.csv").write_text(f"{header}0,1,1\nnan,1,1\n", encoding="utf-8")
    (tmp_path / "cut.jsonl").write_text(MOONCAKE[:-9], encoding="utf-8")
    (tmp_path / "not.csv.gz").write_text(header, encoding="utf-8")
    (tmp_path / "fine.csv").write_text(f"{header}0,1,1\n", encoding="utf-8")
    before = sorted(tmp_path.iterdir())
    assert kinesim("trace", *words) == 2
    assert kinesim.out == ""
    assert kinesim.err.startswith(message)
    assert "Traceback" not in kinesim.err
    assert sorted(tmp_path.iterdir()) == before
