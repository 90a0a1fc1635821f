"""Columns of a table as rows, as a frame and in files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from simulator.sweeps.columns import Columns, frame_of, rows_of
from simulator.sweeps.table_files import write_table

COLUMNS: Columns = {
    "trials": [1, 2, 3],
    "model, preset": ["qwen3-8b", 'a "name"', "two\nlines"],
    "seed": [0, None, 2],
    "prefixes": [True, False, True],
    "rate": np.array([0.1 + 0.2, np.nan, 1e-300]),
}


def test_rows_are_plain_values_with_none_for_gaps() -> None:
    first, second, _ = rows_of(COLUMNS)
    assert first == [1, "qwen3-8b", 0, True, 0.1 + 0.2]
    assert second == [2, 'a "name"', None, False, None]
    assert type(first[-1]) is float


def test_integers_with_gaps_stay_integers_in_a_frame() -> None:
    frame = frame_of(COLUMNS)
    assert str(frame["seed"].dtype) == "Int64"
    assert str(frame["trials"].dtype) == "int64"
    assert frame["seed"].isna().tolist() == [False, True, False]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_file_holds_every_digit_of_the_frame(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"t.{ending}"
    write_table(COLUMNS, path)
    if ending == "csv":
        exact = {"rate": lambda text: float(text or "nan")}
        found = pd.read_csv(path, dtype={"seed": "Int64"}, converters=exact)
    else:
        found = pd.read_parquet(path)
    assert_frame_equal(found, frame_of(COLUMNS), check_exact=True)


def test_mixed_values_are_texts_in_parquet_alone(tmp_path: Path) -> None:
    mixed: Columns = {"value": [1, "dense", {"kind": "dense"}]}
    for ending in ("csv", "parquet"):
        write_table(mixed, tmp_path / f"t.{ending}")
    assert pd.read_parquet(tmp_path / "t.parquet")["value"].tolist() == ["1", "dense", "{'kind': 'dense'}"]
    assert (tmp_path / "t.csv").read_text(encoding="utf-8").splitlines()[1:] == [
        "1",
        "dense",
        "{'kind': 'dense'}",
    ]
