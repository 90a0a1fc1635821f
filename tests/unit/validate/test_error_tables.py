"""Errors of predictions: by group, on held-out runs only, as a table and as files."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from simulator.calibrate.runs import ServingRun
from simulator.errors import OutputExistsError
from simulator.validate import Prediction, Validation, groups
from simulator.validate.errors import heads, notes, table, to_json
from simulator.validate.files import write_validation

needs_plotly = pytest.mark.skipif(
    find_spec("plotly") is None, reason="the page needs plotly, an optional package"
)


def predicted(run: ServingRun, ratio: float) -> Prediction:
    return Prediction(run, {"calibrated": run.tpot_s * ratio, "roofline": run.tpot_s / 2})


@pytest.fixture
def validation(held_out: ServingRun, seen: ServingRun) -> Validation:
    other = replace(held_out, gpu="h200-sxm", row="<other>")
    return Validation(
        predictions=(predicted(held_out, 0.9), predicted(seen, 5.0), predicted(other, 1.3)),
        columns=("calibrated", "roofline"),
        infeasible=(replace(seen, row="large"),),
    )


def test_runs_that_a_fit_has_seen_are_counted_but_not_judged(validation: Validation) -> None:
    first = groups(validation)[0]
    assert (first.gpu, first.rows, first.held_out_rows) == ("h100-sxm", 2, 1)
    assert first.errors["calibrated"].median_error_ratio == pytest.approx(0.1)
    assert first.errors["calibrated"].bias_ratio == pytest.approx(-0.1)


def test_the_last_group_is_of_all_runs(validation: Validation) -> None:
    found = groups(validation)
    assert [group.gpu for group in found] == ["h100-sxm", "h200-sxm", "all"]
    assert (found[-1].rows, found[-1].held_out_rows) == (3, 2)
    assert found[-1].errors["calibrated"].median_error_ratio == pytest.approx(0.2)
    assert found[-1].errors["calibrated"].p90_error_ratio == pytest.approx(0.28)
    assert found[-1].errors["roofline"].bias_ratio == pytest.approx(-0.5)


def test_a_group_without_held_out_runs_has_no_errors(seen: ServingRun) -> None:
    validation = Validation((predicted(seen, 2.0),), ("calibrated", "roofline"))
    (row, _) = table(groups(validation), validation.columns)
    assert row[3:] == ("1", "0", *["-"] * 6)


def test_the_table_has_a_cell_for_every_head(validation: Validation) -> None:
    rows = table(groups(validation), validation.columns)
    assert {len(row) for row in rows} == {len(heads(validation.columns))}
    assert rows[0][5:8] == ("10.0%", "10.0%", "-10.0%")


def test_notes_name_what_is_left_out_and_why(validation: Validation) -> None:
    assert notes(validation)[1:] == ["Left out: 1 runs do not fit the memory by our count."]


def test_json_holds_counts_and_groups(validation: Validation) -> None:
    answer = json.loads(json.dumps(to_json(validation, groups(validation)), allow_nan=False))
    assert answer["left_out"] == {"not_believable": 0, "infeasible": 1, "without_peer": 0}
    assert answer["groups"][-1]["errors"]["roofline"]["median_error_ratio"] == pytest.approx(0.5)


def test_the_files_hold_every_run_and_every_group(validation: Validation, tmp_path: Path) -> None:
    folder = write_validation(tmp_path / "out", validation, groups(validation), overwrite=False)
    with (folder / "silicon.csv").open(encoding="utf-8", newline="") as file:
        runs = list(csv.DictReader(file))
    assert [run["status"] for run in runs] == ["predicted", "predicted", "predicted", "infeasible"]
    assert [run["held_out"] for run in runs] == ["1", "0", "1", "0"]
    assert float(runs[0]["calibrated_tpot_s"]) == pytest.approx(0.9 * float(runs[0]["measured_tpot_s"]))
    assert runs[3]["calibrated_tpot_s"] == ""
    with (folder / "summary.csv").open(encoding="utf-8", newline="") as file:
        summary = list(csv.DictReader(file))
    assert float(summary[-1]["calibrated_median_error_ratio"]) == pytest.approx(0.2)


def test_results_are_replaced_only_when_asked(validation: Validation, tmp_path: Path) -> None:
    found = groups(validation)
    write_validation(tmp_path / "out", validation, found, overwrite=False)
    with pytest.raises(OutputExistsError):
        write_validation(tmp_path / "out", validation, found, overwrite=False)
    write_validation(tmp_path / "out", validation, found, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_equal_validations_give_equal_bytes(validation: Validation, tmp_path: Path) -> None:
    first, second = (
        write_validation(tmp_path / name, validation, groups(validation), overwrite=False) for name in "ab"
    )
    assert (first / "manifest.json").read_bytes() == (second / "manifest.json").read_bytes()


@needs_plotly
def test_the_page_is_whole_and_asks_nobody(validation: Validation, tmp_path: Path) -> None:
    folder = write_validation(tmp_path / "out", validation, groups(validation), overwrite=False)
    text = (folder / "silicon.html").read_text(encoding="utf-8")
    assert "default-src 'none'" in text
    assert 'id="predicted-over-measured"' in text
    assert 'id="error-by-concurrency"' in text
    assert "<td>h200-sxm</td>" in text
    assert "<other>" not in text


@needs_plotly
def test_the_page_draws_held_out_runs_only(validation: Validation) -> None:
    from simulator.validate.page import predicted_over_measured  # noqa: PLC0415 - loads an optional package

    calibrated, _, equal = predicted_over_measured(validation).data
    assert len(calibrated.x) == 2
    assert list(equal.x) == list(equal.y)


def test_without_plotly_there_is_no_page(
    validation: Validation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulator.validate.files.find_spec", lambda _: None)
    folder = write_validation(tmp_path / "out", validation, groups(validation), overwrite=False)
    assert sorted(path.name for path in folder.iterdir()) == ["manifest.json", "silicon.csv", "summary.csv"]
