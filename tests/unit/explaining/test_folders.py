"""Folders of comparisons and explanations: the tables are the frames, and pictures show all of them."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from small_runs import small

from simulator import OutputExistsError, compare_sides, explain
from simulator.explaining import files
from simulator.explaining.comparison import SideBySide
from simulator.explaining.explanation import Explanation
from simulator.explaining.machine_time import PARTS
from simulator.explaining.pictures import (
    comparison_charts,
    doubling_chart,
    explanation_charts,
    ratio_chart,
    time_chart,
)
from simulator.report.look import TIME_COLOURS

DRAWN = {
    "workload.lengths": {"kind": "lognormal", "median_tokens": 200.0, "log_sigma": 0.5},
    "report.seeds": 2,
}
PICTURES = {"time.png", "ratios.png"}


@pytest.fixture(scope="module")
def found() -> SideBySide:
    names = (
        {"engine.max_sequences": 2, "name": "two"},
        {"parallelism.dp": 2, "hardware": "b200-sxm-8", "name": "dp"},
    )
    return compare_sides([small(**DRAWN), *(small(**DRAWN, **changes) for changes in names)])


@pytest.fixture(scope="module")
def explained() -> Explanation:
    return explain(small(**DRAWN))


def test_the_tables_of_a_comparison_are_its_frames(found: SideBySide, tmp_path: Path) -> None:
    folder = found.to_dir(tmp_path / "out")
    for name in ("metrics", "time"):
        frame = pd.read_csv(folder / f"{name}.csv")
        pd.testing.assert_frame_equal(frame, getattr(found, name), check_dtype=False, rtol=0.0, atol=0.0)
    inputs = pd.read_csv(folder / "inputs.csv", index_col="path", dtype=str)
    assert inputs.to_dict() == found.inputs.to_dict()
    assert json.loads((folder / "answer.json").read_text(encoding="utf-8")) == json.loads(
        json.dumps(found.summary)
    )


def test_the_tables_of_an_explanation_are_its_frames(explained: Explanation, tmp_path: Path) -> None:
    folder = explained.to_dir(tmp_path / "out")
    for name in ("operations", "doubled"):
        held, frame = pd.read_csv(folder / f"{name}.csv"), getattr(explained, name).replace("", None)
        told = [table.astype(object).where(table.notna(), "-") for table in (held, frame)]
        assert told[0].to_dict() == told[1].to_dict()
    held = json.loads((folder / "explanation.json").read_text(encoding="utf-8"))
    assert held["lines"] == explained.lines


def test_equal_comparisons_give_equal_folders_and_pictures(found: SideBySide, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    one, two = (found.to_dir(tmp_path / name) for name in ("one", "two"))
    names = sorted(path.name for path in one.iterdir())
    assert set(names) > PICTURES
    assert [(one / name).read_bytes() for name in names] == [(two / name).read_bytes() for name in names]


def test_a_folder_is_replaced_only_if_that_is_asked_for_and_it_is_ours(
    found: SideBySide, tmp_path: Path
) -> None:
    folder = found.to_dir(tmp_path / "out")
    with pytest.raises(OutputExistsError, match="exists"):
        found.to_dir(folder)
    found.to_dir(folder, overwrite=True)
    (folder / "mine.txt").write_text("mine")
    with pytest.raises(OutputExistsError, match=r"mine\.txt"):
        found.to_dir(folder, overwrite=True)


def test_bars_are_stacked_to_the_whole(found: SideBySide) -> None:
    gpus, task = time_chart(found.names, [found.summary["time"][name] for name in found.names]).panels
    for label in found.names:
        ends = [series.x for series in gpus.series if series.y[0] == label]
        assert [start for start, _ in ends[1:]] == [end for _, end in ends[:-1]]
        assert ends[0][0] == 0.0
        assert ends[-1][1] == pytest.approx(100.0, abs=0.6)  # parts below 0.05 % are not drawn
        seconds = max(float(series.x[1]) for series in task.series if series.y[0] == label)
        assert seconds == pytest.approx(found.summary["time"][label]["task"]["mean_s"], rel=0.01)
    assert task.y.categories == tuple(reversed(found.names))


def test_every_part_has_a_colour_of_its_own() -> None:
    assert set(PARTS) < set(TIME_COLOURS)
    assert len(set(TIME_COLOURS.values())) == len(TIME_COLOURS)


def test_ratios_and_doublings_are_drawn_with_their_intervals(
    found: SideBySide, explained: Explanation
) -> None:
    chart = ratio_chart(found)
    assert chart is not None
    ratio = found.comparison.summary["against_reference"]["two"]["latency.task_s.mean"]["ratio"]
    mine = [list(s.x) for s in chart.panels[0].series if s.y[0] == "task time mean: two"]
    assert mine == [[ratio["low"], ratio["high"]], [ratio["estimate"]]]
    chart = doubling_chart(explained)
    assert chart is not None
    assert len(chart.panels[0].y.categories or ()) == len(explained.gains)


def test_without_doublings_and_ratios_there_are_no_such_pictures() -> None:
    cut = {"report.horizon_s": 0.001}
    bare = explain(small(**cut), doubling=False)
    assert [chart.name for chart in explanation_charts(bare)] == ["time"]
    none = compare_sides([small(**cut), small(**cut, **{"engine.max_sequences": 2, "name": "two"})])
    assert [(chart.name, len(chart.panels)) for chart in comparison_charts(none)] == [("time", 1)]


def test_without_matplotlib_the_tables_are_written(
    found: SideBySide, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "find_spec", lambda _name: None)
    names = {path.name for path in found.to_dir(tmp_path / "out").iterdir()}
    assert names == {"answer.json", "inputs.csv", "manifest.json", "metrics.csv", "time.csv"}
