"""Errors of predictions: by group, on runs that no fit has seen only, as tables, files and a document."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from simulator.calibrate.runs import ServingRun
from simulator.errors import OutputExistsError
from simulator.validate import Prediction, Validation, groups, other_model_groups
from simulator.validate.document import document
from simulator.validate.errors import groups_without_peer, to_json
from simulator.validate.files import write_validation
from simulator.validate.predictions import ANOTHER_MODEL
from simulator.validate.text import heads, notes, table

needs_plotly = pytest.mark.skipif(
    find_spec("plotly") is None, reason="the page needs plotly, an optional package"
)
needs_matplotlib = pytest.mark.skipif(
    find_spec("matplotlib") is None, reason="pictures need matplotlib, an optional package"
)


def predicted(run: ServingRun, ratio: float, **others: float) -> Prediction:
    return Prediction(run, {"calibrated": run.tpot_s * ratio, "roofline": run.tpot_s / 2} | others)


@pytest.fixture
def validation(held_out: ServingRun, seen: ServingRun) -> Validation:
    other = replace(held_out, gpu="h200-sxm", row="<other>", tp=2)
    return Validation(
        predictions=(predicted(held_out, 0.9), predicted(seen, 5.0), predicted(other, 1.3)),
        columns=("calibrated", "roofline"),
        infeasible=(replace(seen, row="large"),),
    )


@pytest.fixture
def with_peer(held_out: ServingRun, seen: ServingRun) -> Validation:
    """Return twenty held-out runs of which the peer is closer in one, and two fitted without their model."""
    runs = [replace(held_out, row=f"run {place}") for place in range(20)]
    close = [predicted(run, 1.02, peer=run.tpot_s * 1.2) for run in runs[:19]]
    told = {ANOTHER_MODEL: seen.tpot_s * 1.5, "peer": seen.tpot_s}
    return Validation(
        predictions=(*close, predicted(runs[19], 1.4, peer=runs[19].tpot_s), predicted(seen, 1.0, **told)),
        columns=("calibrated", "roofline", "peer"),
    )


def test_runs_that_a_fit_has_seen_are_counted_but_not_judged(validation: Validation) -> None:
    first = groups(validation)[0]
    assert (first.gpu, first.rows, first.judged_rows) == ("h100-sxm", 2, 1)
    assert first.errors["calibrated"].median_error_ratio == pytest.approx(0.1)
    assert first.errors["calibrated"].bias_ratio == pytest.approx(-0.1)


def test_the_last_group_is_of_all_runs(validation: Validation) -> None:
    found = groups(validation)
    assert [group.gpu for group in found] == ["h100-sxm", "h200-sxm", "all"]
    assert (found[-1].rows, found[-1].judged_rows) == (3, 2)
    assert found[-1].errors["calibrated"].median_error_ratio == pytest.approx(0.2)
    assert found[-1].errors["calibrated"].p90_error_ratio == pytest.approx(0.28)
    assert found[-1].errors["roofline"].bias_ratio == pytest.approx(-0.5)


def test_groups_by_gpus_per_replica_split_models(validation: Validation) -> None:
    found = groups(validation, by_tp=True)
    assert [(group.gpu, group.tp, group.rows) for group in found] == [
        ("h100-sxm", "1", 2),
        ("h200-sxm", "2", 1),
        ("all", "all", 3),
    ]


def test_all_runs_of_a_model_that_no_fit_has_seen_are_judged(with_peer: Validation) -> None:
    (group, _) = other_model_groups(with_peer)
    assert (group.rows, group.judged_rows) == (1, 1)
    assert group.errors[ANOTHER_MODEL].bias_ratio == pytest.approx(0.5)
    assert list(group.errors) == [ANOTHER_MODEL, "roofline", "peer"]


def test_runs_without_a_peer_are_judged_apart(with_peer: Validation, held_out: ServingRun) -> None:
    assert groups_without_peer(with_peer) == []
    more = replace(with_peer, without_peer=(predicted(replace(held_out, row="alone"), 1.5),))
    (group, _) = groups_without_peer(more)
    assert group.errors["calibrated"].bias_ratio == pytest.approx(0.5)
    assert groups(more) == groups(with_peer)
    assert "## Runs without a peer" in document(more, [])


def test_without_such_a_model_there_are_no_groups_of_it(validation: Validation) -> None:
    assert other_model_groups(validation) == []


def test_a_group_without_judged_runs_has_no_errors(seen: ServingRun) -> None:
    validation = Validation((predicted(seen, 2.0),), ("calibrated", "roofline"))
    (row, _) = table(groups(validation), validation.columns)
    assert row[3:] == ("1", "0", *["-"] * 6)


@pytest.mark.parametrize("by_tp", [False, True])
def test_the_table_has_a_cell_for_every_head(validation: Validation, *, by_tp: bool) -> None:
    rows = table(groups(validation, by_tp=by_tp), validation.columns, by_tp=by_tp)
    assert {len(row) for row in rows} == {len(heads(validation.columns, by_tp=by_tp))}
    assert rows[0][5 + by_tp : 8 + by_tp] == ("10.0%", "10.0%", "-10.0%")


def test_notes_name_what_is_left_out_and_why(validation: Validation) -> None:
    assert notes(validation)[1:] == ["Left out: 1 runs do not fit the memory by our count."]


def test_json_holds_counts_and_groups(validation: Validation) -> None:
    answer = json.loads(json.dumps(to_json(validation), allow_nan=False))
    assert answer["left_out"] == {"not_believable": 0, "infeasible": 1, "without_peer": 0}
    assert answer["groups"][-1]["errors"]["roofline"]["median_error_ratio"] == pytest.approx(0.5)
    assert [group["tp"] for group in answer["groups_by_tp"]] == ["1", "2"]
    assert answer["other_models"] == []


def test_the_files_hold_every_run_and_every_group(validation: Validation, tmp_path: Path) -> None:
    folder = write_validation(tmp_path / "out", validation, overwrite=False)
    with (folder / "silicon.csv").open(encoding="utf-8", newline="") as file:
        runs = list(csv.DictReader(file))
    assert [run["status"] for run in runs] == ["predicted", "predicted", "predicted", "infeasible"]
    assert [run["held_out"] for run in runs] == ["1", "0", "1", "0"]
    assert float(runs[0]["calibrated_tpot_s"]) == pytest.approx(0.9 * float(runs[0]["measured_tpot_s"]))
    assert runs[3]["calibrated_tpot_s"] == runs[0]["other_models_tpot_s"] == ""
    with (folder / "summary.csv").open(encoding="utf-8", newline="") as file:
        summary = list(csv.DictReader(file))
    assert [row["tp"] for row in summary] == ["all", "all", "all", "1", "2"]
    assert float(summary[2]["calibrated_median_error_ratio"]) == pytest.approx(0.2)


def test_the_document_says_what_was_found(with_peer: Validation) -> None:
    text = document(with_peer, ["predicted-over-measured"])
    assert "On 20 measured runs kept out of every fit, half of the simulated times" in text
    assert "![Predicted over measured time per output token](validation/predicted-over-measured.png)" in text
    assert "error-by-load.png" not in text
    assert "closer than the peer in 95%" in text
    assert "the peer is better in 0." in text
    assert "## Another model than those fitted" in text


def test_the_document_names_the_groups_in_which_the_peer_is_better(with_peer: Validation) -> None:
    worse = tuple(
        Prediction(one.run, one.tpot_s | {"peer": one.run.tpot_s * 1.01}) for one in with_peer.predictions
    )
    text = document(replace(with_peer, predictions=worse), [])
    assert "- `llama-3.1-8b` on `h100-sxm` under vllm, in the median and at the 90th percentile: 2.0%" in text


def test_a_validation_without_judged_runs_is_written_too(seen: ServingRun, tmp_path: Path) -> None:
    validation = Validation((predicted(seen, 2.0),), ("calibrated", "roofline"))
    folder = write_validation(tmp_path / "out", validation, overwrite=False)
    assert "On 0 measured runs" in (folder / "validation.md").read_text(encoding="utf-8")


def test_results_are_replaced_only_when_asked(validation: Validation, tmp_path: Path) -> None:
    write_validation(tmp_path / "out", validation, overwrite=False)
    with pytest.raises(OutputExistsError):
        write_validation(tmp_path / "out", validation, overwrite=False)
    write_validation(tmp_path / "out", validation, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_equal_validations_give_equal_bytes(validation: Validation, tmp_path: Path) -> None:
    first, second = (write_validation(tmp_path / name, validation, overwrite=False) for name in "ab")
    names = [path.relative_to(first) for path in sorted(first.rglob("*")) if path.is_file()]
    assert all((first / name).read_bytes() == (second / name).read_bytes() for name in names)


@needs_plotly
def test_the_page_is_whole_and_asks_nobody(validation: Validation, tmp_path: Path) -> None:
    folder = write_validation(tmp_path / "out", validation, overwrite=False)
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


@needs_matplotlib
def test_the_pictures_are_png_files(validation: Validation, tmp_path: Path) -> None:
    folder = write_validation(tmp_path / "out", validation, overwrite=False)
    pictures = sorted((folder / "validation").iterdir())
    assert [path.name for path in pictures] == ["error-by-load.png", "predicted-over-measured.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in pictures)


def test_without_the_plotting_packages_there_are_tables_alone(
    validation: Validation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulator.validate.files.find_spec", lambda _: None)
    folder = write_validation(tmp_path / "out", validation, overwrite=False)
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["manifest.json", "silicon.csv", "summary.csv", "validation.md"]
    assert "![" not in (folder / "validation.md").read_text(encoding="utf-8")
