"""Files of steps that are not what ``--from`` expects: each is told what it is and what to do."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from simulator.calibrate.step_files import MeasuredStepsError, read_steps

HEAD = "sequences,context_tokens,step_s\n"


def refused(tmp_path: Path, content: bytes | str, name: str = "steps.csv") -> str:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(MeasuredStepsError) as found:
        read_steps(path)
    return str(found.value).replace(f"{tmp_path}/", "")


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("1,2,0.1\n1,2,0.1,7\n", ["steps.csv:3: 4 fields where the header has 3"]),
        # Pandas takes the first column of a file of longer rows for row names.
        (
            "1,2,0.1,7\n1,2,0.1,7\n",
            [
                "steps.csv:2: 4 fields where the header has 3",
                "steps.csv:3: 4 fields where the header has 3",
            ],
        ),
        (
            "1,2\n\n1,2,0.1\n2\n",
            [f"steps.csv:{at}: {n} fields where the header has 3" for at, n in ((2, 2), (5, 1))],
        ),
        ("1,2,0.1,\n", ["steps.csv:2: 4 fields where the header has 3"]),
    ],
)
def test_rows_longer_or_shorter_than_the_header_are_told_with_their_lines(
    rows: str, told: list[str], tmp_path: Path
) -> None:
    assert refused(tmp_path, HEAD + rows).splitlines() == told


def test_of_many_rows_of_another_length_ten_and_the_count_of_the_others_are_told(tmp_path: Path) -> None:
    told = refused(tmp_path, HEAD + "1,2\n" * 25).splitlines()
    assert told[9:] == ["steps.csv:11: 2 fields where the header has 3", "steps.csv: and 15 more such lines"]


def test_blank_lines_are_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "steps.csv"
    path.write_text(HEAD + "\n1,2,0.1\n\n", encoding="utf-8")
    assert read_steps(path)["step_s"].tolist() == [0.1]


@pytest.mark.parametrize(("mark", "word"), [(";", "semicolons"), ("\t", "tabs")])
def test_other_separators_than_commas_are_named(mark: str, word: str, tmp_path: Path) -> None:
    text = (HEAD + "1,2,0.1\n").replace(",", mark)
    assert refused(tmp_path, text) == (
        f"steps.csv:1: columns are separated by {word}; a table of steps has commas between columns and "
        "points in numbers"
    )


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (gzip.compress(HEAD.encode(), mtime=0), "is compressed by gzip; unpack it first"),
        (
            b"PK\x03\x04\x00\xff",
            "is a ZIP archive or a spreadsheet (xlsx); unpack it, or save the sheet as CSV",
        ),
        (b"PAR1\x00\xff", "is a Parquet file; write its table as CSV"),
        (
            b"\xff\xd8\xff\xe0",
            "is no UTF-8 text (byte 0 is 0xff): is it the right file? A table of steps is a CSV",
        ),
        (b"sequences,\x00", "is no text (byte 10 is 0x00): is it the right file? A table of steps is a CSV"),
        (HEAD.encode("utf-16"), "is UTF-16 text; save it as UTF-8"),
    ],
)
def test_a_file_that_is_no_text_is_told_what_it_is(content: bytes, told: str, tmp_path: Path) -> None:
    assert refused(tmp_path, content).startswith(f"steps.csv: no table of steps: {told}")


def test_json_given_as_steps_is_pointed_to_the_other_option(tmp_path: Path) -> None:
    assert "looks like JSON; results of benchmarks go with --from-bench" in refused(
        tmp_path, '{"duration": 1}\n'
    )


@pytest.mark.parametrize("heads", ["batch,context,step_s", "sequences,context,step_s"])
def test_tokens_of_one_sequence_are_summed_over_the_batch(heads: str, tmp_path: Path) -> None:
    path = tmp_path / "steps.csv"
    path.write_text(f"{heads}\n4,1000,0.01\n8,500.5,0.02\n", encoding="utf-8")
    rows = read_steps(path)
    assert rows["sequences"].tolist() == [4, 8]
    assert rows["context_tokens"].tolist() == [4000, 4004]


def test_a_sum_that_is_given_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "steps.csv"
    path.write_text("sequences,context_tokens,context,step_s\n4,3999,1000,0.01\n", encoding="utf-8")
    assert read_steps(path)["context_tokens"].tolist() == [3999]


def test_a_wrong_context_is_told_by_its_line(tmp_path: Path) -> None:
    told = refused(tmp_path, "batch,context,step_s\n4,1000,0.01\n4,many,0.01\n")
    assert "steps.csv:3: context_tokens" in told
