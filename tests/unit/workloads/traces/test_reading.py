"""Files however they are packed, and everything that can be wrong with them, told by line."""

from __future__ import annotations

import gzip
import json
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from made_up import AZURE_2023, BAILIAN, MOONCAKE, OWN, PLAIN, VIDUR

from simulator.errors import TraceFormatError, UnknownNameError
from workloads.traces import Reading, read
from workloads.traces.faults import MOST_SHOWN
from workloads.traces.tables import CHUNK_ROWS

needs_zstd = pytest.mark.skipif(find_spec("zstandard") is None, reason="the extra traces is not installed")


def refusal(path: Path, format_name: str = "auto") -> list[str]:
    """Return the lines of the message that a file is refused with."""
    with pytest.raises(TraceFormatError) as refused:
        read(path, format_name)
    return str(refused.value).splitlines()


def written(tmp_path: Path, text: str | bytes, name: str = "trace.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("name", PLAIN)
def test_a_packed_file_is_read_as_if_it_were_not(tmp_path: Path, name: str) -> None:
    text = PLAIN[name][1].encode()
    plain = read(written(tmp_path, text, "plain"))
    packed = [read(written(tmp_path, gzip.compress(text), "packed.gz"))]
    if find_spec("zstandard") is not None:
        import zstandard  # noqa: PLC0415 - an optional extra

        frames = zstandard.compress(text[:30]) + zstandard.compress(text[30:])
        packed.append(read(written(tmp_path, frames, "packed.zst")))
    for found in packed:
        np.testing.assert_array_equal(found.arrival_s, plain.arrival_s)
        np.testing.assert_array_equal(found.prompt_tokens, plain.prompt_tokens)  # type: ignore[arg-type] # both are recorded


def test_zstd_without_its_package_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)
    path = written(tmp_path, b"\x28\xb5\x2f\xfd rest", "a.csv.zst")
    assert 'pip install "kinesim[traces]"' in refusal(path)[0]


def test_parquet_without_its_package_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    path = written(tmp_path, b"PAR1 rest", "a.parquet")
    assert (
        'the package pyarrow is missing; install it with: pip install "kinesim[traces]"' in refusal(path)[0]
    )


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (b"", "a.csv", "is empty"),
        (b"\n\n", "a.csv", "1: is blank"),
        (b"\narrival_s\n1\n", "a.csv", "1: is blank; a trace begins with a header or a JSON object"),
        (b"arrival_s\n1\n", "a.csv.gz", "is named .gz but holds no gzip data"),
        (b"arrival_s\n1\n", "a.csv.zst", "is named .zst but holds no zstd data"),
        (b"arrival_s\n1\n", "a.parquet", "is named .parquet but holds no Parquet data"),
        (b"PAR1garbage", "a.parquet", "its data is damaged"),
        (gzip.compress(AZURE_2023.encode(), mtime=0)[:-9], "a.csv.gz", "ends inside its compressed data"),
        (
            gzip.compress(b"arrival_s\n", mtime=0)[:10] + b"\xff" * 50,
            "a.csv.gz",
            "compressed data is damaged",
        ),
        (b"PK\x03\x04rest", "a.csv", "is a ZIP archive or a spreadsheet"),
        ("arrival_s\n1\n".encode("utf-16"), "a.csv", "is UTF-16 text; save it as UTF-8"),
        (b"arrival_s\n\xff1\n", "a.csv", "a.csv:2: is no UTF-8 text (byte 10 is 0xff"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a.csv", "is a pointer of Git LFS"),
        (b"[{}]", "a.json", "is a JSON array; a trace has one object a line"),
        (b'{\n"a": 1}\n', "a.json", "no line of it is a JSON object"),
        (b'{"a": 1}\n', "a.jsonl", "is no trace that is known: JSON Lines with a; known are azure, bailian"),
        (b"arrival_s,x,x\n1,2,3\n", "a.csv", "the header has 'x' more than once"),
        (b'arrival_s,"x\n1,2\n', "a.csv", "is no CSV"),
    ],
)
def test_what_is_no_trace_is_refused_in_plain_words(
    tmp_path: Path, content: bytes, name: str, message: str
) -> None:
    assert message in refusal(written(tmp_path, content, name))[0]


@needs_zstd
def test_damaged_zstd_is_refused(tmp_path: Path) -> None:
    import zstandard  # noqa: PLC0415 - an optional extra

    packed = zstandard.compress(AZURE_2023.encode() * 50)
    assert "zst" in refusal(written(tmp_path, packed[:40] + b"\0" * 40, "a.csv.zst"))[0]


def test_a_folder_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    assert "is no trace that is known: a folder of nothing" in refusal(tmp_path)[0]
    assert "none.csv: cannot be read: No such file or directory" in refusal(tmp_path / "none.csv")[0]


def test_an_unknown_format_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="did you mean mooncake"):
        read(written(tmp_path, MOONCAKE), "mooncke")


def test_all_faults_of_a_file_are_told_at_once_in_order(tmp_path: Path) -> None:
    rows = ["0,5,x", "", "1,0.5,7", "-1,5,5", "2,3", "nan,1,1", "3,20000000,1", ""]
    text = "\n".join([VIDUR.splitlines()[0], *rows])
    path = written(tmp_path, text)
    assert [line.removeprefix(f"{path}:") for line in refusal(path)] == [
        "2: num_decode_tokens: 'x' is not a whole number in [0, 9999999]",
        "4: num_prefill_tokens: '0.5' is not a whole number in [0, 9999999]",
        "5: arrived_at: '-1' is not a number of seconds in [0, 1e+09]",
        "5: arrived_at: 0.0 is earlier than 1.0 of the row before; sort the file by it",
        "6: row: has 2 fields, the header has 3: was the file cut, or put together of two?",
        "7: arrived_at: 'nan' is not a number of seconds in [0, 1e+09]",
        "8: num_prefill_tokens: '20000000' is not a whole number in [0, 9999999]",
    ]


def test_more_faults_than_can_be_read_are_counted(tmp_path: Path) -> None:
    path = written(tmp_path, "arrival_s\n" + "soon\n" * 100)
    lines = refusal(path)
    assert len(lines) == MOST_SHOWN + 1
    assert lines[-1] == f"{path}: and {100 - MOST_SHOWN} more faults"


def test_lines_are_counted_across_chunks_and_quoted_line_ends(tmp_path: Path) -> None:
    rows = CHUNK_ROWS + 10
    text = 'arrival_s,note\n0,"two\nlines"\n' + "1,x\n" * rows + "never,x\n"
    assert f":{rows + 4}: arrival_s: 'never'" in refusal(written(tmp_path, text))[0]


def test_times_that_go_back_between_chunks_are_refused(tmp_path: Path) -> None:
    text = VIDUR.splitlines()[0] + "\n" + "9,1,1\n" * CHUNK_ROWS + "8,1,1\n"
    expected = f":{CHUNK_ROWS + 2}: arrived_at: 8.0 is earlier than 9.0 of the row before"
    assert expected in refusal(written(tmp_path, text))[0]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "2023-11-16 18:15:50.9951690",
            "2023-13-16 18:15:50.9951690",
            ":3: TIMESTAMP: '2023-13-16 18:15:50.",
        ),
        (
            "2023-11-16 18:15:50.9951690",
            "1700000000",
            ":3: TIMESTAMP: '1700000000' is not a moment in UTC such",
        ),
        ("2023-11-16 18:15:50.9951691", "2023-11-16 18:15:49.0000000", ":4: TIMESTAMP: 2023-11-16 18:15:49"),
        (
            "2023-11-16 18:15:50.9951691",
            "2023-11-16 18:15:51+02:00",
            ":4: TIMESTAMP: '2023-11-16 18:15:51+02:",
        ),
    ],
)
def test_a_wrong_moment_of_azure_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert message in refusal(written(tmp_path, AZURE_2023.replace(old, new)))[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"timestamp": 0.5}, ":1: timestamp: 0.5 is not a whole number of milliseconds"),
        ({"timestamp": -3}, ":1: timestamp: -3 is not"),
        ({"timestamp": "0"}, ":1: timestamp: '0' is not"),
        ({"input_length": True}, ":1: input_length: True is not a whole number"),
        ({"input_length": 10**8}, ":1: input_length: 100000000 is not a whole number in [0, 9999999]"),
        ({"output_length": None}, ":1: output_length: nothing is not"),
        ({"hash_ids": 3}, ":1: hash_ids: 3 is not a list of whole numbers"),
        ({"hash_ids": [1, "a"]}, ":1: hash_ids: 'a' is not a whole number"),
        ({"hash_ids": [1, 2**70]}, ":1: hash_ids: 1180591620717411303424 is not a whole number"),
        ({"hash_ids": [1, 2, 3]}, ":1: hash_ids: 3 blocks of 512 tokens, a prompt of 9 has 1"),
    ],
)
def test_a_wrong_field_of_mooncake_is_refused(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    row = {"timestamp": 0, "input_length": 9, "output_length": 1, "hash_ids": [0]} | change
    path = written(tmp_path, json.dumps(row) + "\n")
    assert refusal(path, "mooncake")[0].removeprefix(str(path)).startswith(message)


def test_broken_lines_of_json_are_told_with_their_numbers(tmp_path: Path) -> None:
    lines = MOONCAKE.splitlines()
    text = "\n".join([lines[0], "[1]", lines[1][:-3], '{"timestamp": x}', "", lines[2][:20]])
    path = written(tmp_path, text)
    assert [line.removeprefix(f"{path}:") for line in refusal(path)] == [
        "2: line: [1] is no JSON object; a request is one in braces",
        "3: line: ends inside its JSON object: was the file cut?",
        "4: line: no JSON at column 15: Expecting value",
        "6: line: ends inside its JSON object: was the file cut?",
    ]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("9,7,,1.5", "9,6,,1.5", ":3: parent_id: 6 is no request_id before this row"),
        ("9,7,,1.5", "9,,,1.5", ":3: arrival_s: is blank, and the row has no parent_id and tool_s"),
        ("9,7,,1.5", "9,7,,", ":3: arrival_s: is blank, and the row has no parent_id and tool_s"),
        ("8,,0.75", "7,,0.75", ":4: request_id: 7 stands twice"),
        ("8,,0.75", "8,,0.25", ":4: arrival_s: 0.25 is earlier than 0.5 of the row before; sort by arrival"),
        ("8,,0.75", "8,,-0.75", ":4: arrival_s: -0.75 is not a number of seconds"),
        ("request_id", "id", ":1: parent_id: there is no column request_id"),
        ("session", "prefix_blocks", ":1: prefix_blocks: there is no column prefix_block_tokens"),
    ],
)
def test_a_wrong_row_of_our_own_form_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = written(tmp_path, OWN.replace(old, new))
    assert refusal(path)[0].removeprefix(str(path)).startswith(message)


def test_rows_that_all_failed_leave_no_trace(tmp_path: Path) -> None:
    text = "arrived_at,num_prefill_tokens,num_decode_tokens\n0,5,0\n1,0,4\n"
    assert (
        "holds no request (1 rows left out: prompt of 0 tokens; 1 rows left out: output of 0"
        in refusal(written(tmp_path, text))[0]
    )


def test_how_far_it_is_is_told_up_to_the_end(tmp_path: Path) -> None:
    for text in (AZURE_2023, BAILIAN):
        told: list[tuple[int, int]] = []
        path = written(tmp_path, text)
        read(path, how=Reading(progress=lambda done, total: told.append((done, total))))  # noqa: B023 - called at once
        assert told[-1] == (path.stat().st_size, path.stat().st_size)


def test_control_characters_of_a_header_do_not_reach_a_terminal(tmp_path: Path) -> None:
    told = refusal(written(tmp_path, b"arrived_at,a\x1b[31m\xe2\x80\xa8b\n1,2\n", "a.csv"))[0]
    assert "a?[31m?b" in told
    found = read(written(tmp_path, b"arrival_s,a\x1b[31mb\n1,2\n", "b.csv"))
    assert found.ignored == ("a?[31mb",)
