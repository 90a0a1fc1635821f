"""``kinesim sweep``: what it prints and writes, and what it refuses before anything runs."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from command import Kinesim
from ruamel.yaml import YAML

SCENARIO = """\
schema: 1
name: small
hardware: b200-sxm-8
model: {preset: qwen3-8b, attention: {kind: dense}}
parallelism: {tp: 1, dp: 1}
workload:
  tasks: {kind: synthetic, count: 4, prompt_tokens: 64}
  arrivals: all_at_once
  lengths: {kind: lognormal, median_tokens: 24, log_sigma: 0.5}
  outcomes: {kind: fixed, solve_probability: 0.5}
  strategy: {kind: best_of_n, trials: 2}
  max_tokens: 64
"""
HBM = "hardware.gpu.hbm_usable_bytes.value"


@pytest.fixture(autouse=True)
def scenario(kinesim: Kinesim) -> None:  # noqa: ARG001 - it makes the folder the current one
    Path("s.yaml").write_text(SCENARIO, encoding="utf-8")


def sweep(kinesim: Kinesim, *options: str) -> int:
    return kinesim("sweep", "s.yaml", "--workers", "1", *options)


def with_section(axes: str) -> None:
    Path("s.yaml").write_text(f"{SCENARIO}sweep:\n  axes:\n{axes}", encoding="utf-8")


def test_figures_of_every_point_are_printed_under_short_names(kinesim: Kinesim) -> None:
    assert sweep(kinesim, "--axis", "parallelism.tp=1,2", "--seeds", "2") == 0
    lines = kinesim.out.splitlines()
    assert lines[2].split()[:3] == ["parallelism.tp", "tasks/s", "rate,"]
    assert [line.split()[0] for line in lines[3:5]] == ["1", "2"]
    assert "2 points, 4 runs" in kinesim.out
    assert "half of the 95% interval over the seeds of a point" in kinesim.out
    assert kinesim.err == ""


def test_results_are_kept_beside_the_caller_under_the_scenarios_name(kinesim: Kinesim) -> None:
    assert sweep(kinesim, "--axis", "parallelism.tp=1,2") == 0
    assert Path("small.sweep/kinesim-sweep.json").is_file()
    assert sweep(kinesim, "--axis", "parallelism.tp=1,2,4") == 0
    assert "3 points, 3 runs, 2 of them kept from before" in kinesim.out


def test_a_sweep_of_which_no_point_can_run_exits_with_3(kinesim: Kinesim) -> None:
    assert sweep(kinesim, "--axis", f"{HBM}=10000000000,11000000000", "--out", "rows.csv") == 3
    assert "no point of the sweep can run: qwen3-8b on tp 1 x b200-sxm does not fit" in kinesim.err
    assert "infeasible" in kinesim.out
    assert pd.read_csv("rows.csv")["status"].tolist() == ["infeasible"] * 2


def test_a_sweep_of_which_some_points_run_exits_with_0_and_says_why_others_do_not(kinesim: Kinesim) -> None:
    assert sweep(kinesim, "--axis", f"{HBM}=10000000000,170000000000") == 0
    assert "1 runs not made: qwen3-8b on tp 1 x b200-sxm does not fit" in kinesim.out


def test_json_csv_and_parquet_hold_the_same_numbers_to_the_last_digit(kinesim: Kinesim) -> None:
    pytest.importorskip("pyarrow", reason="Parquet needs the extra `traces`")
    axes = ["--axis", f"{HBM}=10000000000,170000000000", "--seeds", "2"]
    files = ["--out", "rows.csv", "--means", "means.parquet"]
    assert sweep(kinesim, *axes, *files, "--json", "--quiet") == 0
    assert kinesim.err == ""
    rows = json.loads(kinesim.out)
    assert sweep(kinesim, *axes, "--out", "rows.parquet", "--means", "means.csv", "--quiet") == 0
    assert kinesim.out == ""
    assert len(rows) == 4
    assert rows[0]["status"] == "infeasible"
    assert rows[0]["latency.task_s.mean"] is None
    text = pd.read_csv("rows.csv", keep_default_na=False, dtype=str)
    binary = pd.read_parquet("rows.parquet")
    assert list(rows[0]) == list(text.columns) == list(binary.columns)
    for row, told, held in zip(rows, text.to_dict("records"), binary.to_dict("records"), strict=True):
        for name, value in row.items():
            if isinstance(value, float):
                assert float(told[name]) == value == held[name], name
            else:
                assert told[name] == ("" if value is None else str(value)), name
    carbon = rows[2]["energy.kg_co2e_per_solved_task"]
    assert carbon < 1e-4
    assert len(repr(carbon)) > 18  # a small number has all of its digits
    means, same = pd.read_parquet("means.parquet"), pd.read_csv("means.csv", keep_default_na=False)
    assert list(means.columns) == list(same.columns)
    assert means["latency.task_s.mean"][1] == float(same["latency.task_s.mean"][1])


@pytest.mark.parametrize("option", ["--out", "--means"])
def test_a_table_that_is_there_is_refused_before_anything_runs(kinesim: Kinesim, option: str) -> None:
    Path("a.csv").write_text("years of work", encoding="utf-8")
    assert sweep(kinesim, "--axis", "parallelism.tp=1", option, "a.csv") == 2
    assert kinesim.err == "a.csv exists; choose another name or pass --overwrite\n"
    assert not Path("small.sweep").exists()
    assert Path("a.csv").read_text(encoding="utf-8") == "years of work"
    assert sweep(kinesim, "--axis", "parallelism.tp=1", option, "a.csv", "--overwrite") == 0
    assert f"wrote {Path('a.csv')}" in kinesim.err


def test_a_table_of_another_form_is_refused(kinesim: Kinesim) -> None:
    assert sweep(kinesim, "--axis", "parallelism.tp=1", "--out", "a.parket") == 2
    assert "a.parket: a table ends in .csv or .parquet; did you mean .parquet?" in kinesim.err


def test_wrong_values_in_the_file_are_told_with_their_lines_all_at_once(kinesim: Kinesim) -> None:
    with_section("    model.preset: [qwen3-8b, qwen3-14]\n    parallelism.tpp: [1, 2]\n")
    assert sweep(kinesim) == 2
    first, second = kinesim.err.splitlines()
    assert first.startswith(
        "s.yaml:15: sweep.axes.model.preset: unknown model preset 'qwen3-14'; did you mean qwen3-14b?"
    )
    assert second.startswith("s.yaml:16: sweep.axes.parallelism.tpp: unknown key; did you mean tp?")
    assert not Path("small.sweep").exists()


def test_wrong_values_of_options_are_told_with_the_option_and_the_nearest(kinesim: Kinesim) -> None:
    assert sweep(kinesim, "--axis", "model.presett=qwen3-8b", "--axis", "model.preset=qwen3-14") == 2
    first, second = kinesim.err.splitlines()
    assert first.startswith("--axis model.presett: unknown key; did you mean preset?")
    assert second.startswith("--axis model.preset: unknown model preset 'qwen3-14'; did you mean qwen3-14b?")


@pytest.mark.parametrize(
    ("axis", "told"),
    [
        ("seed=1,2", "seed: is no axis: points share their seeds"),
        ("report.seeds=1,2", "report.seeds: is no axis: it changes no point; use --seeds"),
        ("report={seeds: 1},{seeds: 2}", "report: is no axis: it changes no point; use --seeds"),
        ("schema=1,2", "schema: is no axis: it is the version of the file format"),
        ("sweep.seeds=1,2", "sweep.seeds: is no axis: it says what is varied"),
        ("plan.budget=1,2", "plan.budget: is no axis: it says what is looked for"),
        ("variants=1,2", "variants: variants are run at every point; vary what is in one"),
        ("variants.a.seed=1,2", "variants.a.seed: is no axis: points share their seeds"),
    ],
)
def test_what_is_no_axis_is_refused_with_what_to_do(kinesim: Kinesim, axis: str, told: str) -> None:
    assert sweep(kinesim, "--axis", axis) == 2
    assert kinesim.err.startswith(f"--axis {axis.partition('=')[0]}: {told}")
    assert not Path("small.sweep").exists()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ([], "a sweep needs an axis: --axis workload.strategy.trials=1:64:*2, or sweep.axes"),
        (["--axis", "x"], "--axis x: expected PATH=VALUES, such as --axis parallelism.tp=1,2,4"),
        (["--axis", "a.b=1", "--axis", "a.b=2"], "--axis a.b: given twice; give all values at once"),
        (["--axis", "a.b=[1"], "--axis a.b:"),
        (["--axis", "parallelism.tp=2,1,2"], "--axis parallelism.tp: values 1 and 3 are equal: 2"),
        (
            ["--axis", "workload.tasks.count=1:5000", "--axis", "parallelism.tp=1:2000"],
            "sweep: 10,000,000 points with 1 runs each are more than 1,000,000 runs; draw some of them",
        ),
        (
            ["--axis", "parallelism.tp=1", "--metric", "latency.task_s.p96"],
            "--metric latency.task_s.p96: unknown figure; did you mean latency.task_s.p9",
        ),
        (["--axis", "parallelism.tp=1", "--combine", "random"], "sweep.samples: random draws points"),
    ],
)
def test_what_cannot_be_swept_is_said(kinesim: Kinesim, options: list[str], told: str) -> None:
    assert sweep(kinesim, *options) == 2
    assert kinesim.err.startswith(told)
    assert "Traceback" not in kinesim.err
    assert not Path("small.sweep").exists()


def test_the_figures_that_are_asked_for_are_printed(kinesim: Kinesim) -> None:
    asked = ["--metric", "latency.ttft_s.mean", "--metric", "load.preemptions"]
    assert sweep(kinesim, "--axis", "parallelism.tp=1,2", *asked) == 0
    head = " ".join(" ".join(kinesim.out.splitlines()[:2]).split())
    assert "TTFT mean" in head
    assert "preemptions" in head
    assert "solved" not in head


def test_the_schema_knows_the_section(kinesim: Kinesim) -> None:
    assert kinesim("schema") == 0
    schema = json.loads(kinesim.out)
    section = schema["$defs"]["SweepSpec"]
    assert section["required"] == ["axes"]
    assert {"axes", "combine", "samples", "draw_seed", "seeds"} == set(section["properties"])
    validator = pytest.importorskip("jsonschema").Draft202012Validator(schema)
    document = YAML(typ="safe").load(SCENARIO) | {"sweep": {"axes": {"parallelism.tp": [1]}}}
    assert validator.is_valid(document)
    document["sweep"]["axis"] = {}
    assert not validator.is_valid(document)


def test_a_run_and_its_manifest_are_the_same_without_the_section(kinesim: Kinesim) -> None:
    assert kinesim("run", "s.yaml", "--json", "--quiet", "--out", "plain") == 0
    plain = kinesim.out
    with_section("    parallelism.tp: [1, 2]\n")
    assert kinesim("run", "s.yaml", "--json", "--quiet", "--out", "swept") == 0
    assert kinesim.out == plain
    before, after = (Path(name, "manifest.json").read_bytes() for name in ("plain", "swept"))
    assert before == after
    assert b"sweep" not in after


LONG = "{kind: topk, kv_budget_tokens: 16},{kind: block_topk, kv_budget_tokens: 64, block_tokens: 16}"
MANY = (
    f"model.attention={LONG}",
    "parallelism.tp=1,2",
    "engine.max_sequences=16,32",
    "engine.max_batched_tokens=1024,2048",
    "workload.tasks.prompt_tokens=32,64",
    "workload.lengths.median_tokens=20,24",
    "hardware.gpu.price_usd_per_hour.value=1.5,2.5",
    "workload.outcomes.solve_probability=0.25,0.5",
)


def test_many_axes_with_long_labels_keep_to_the_width(kinesim: Kinesim) -> None:
    options = [word for axis in MANY for word in ("--axis", axis)]
    assert sweep(kinesim, "--combine", "zip", *options) == 0
    lines = kinesim.out.splitlines()
    assert max(map(len, lines)) <= 110
    assert "block_topk kv_budge...64 block_tokens=16" in kinesim.out
    tables = [line.split() for line in lines if line.startswith("row")]
    assert len(tables) > 2  # the axes in some, the figures in one
    assert [word for words in tables for word in words].count("outcomes.solve_probability") == 1
    assert sum(line.startswith("2  ") for line in lines) == len(tables)


def test_figures_beyond_the_width_are_told_in_several_tables(kinesim: Kinesim) -> None:
    asked = [
        f"latency.{part}.p95" for part in ("ttft_s", "tpot_s", "itl_s", "queueing_s", "trial_s", "task_s")
    ]
    options = [word for path in asked for word in ("--metric", path)]
    assert sweep(kinesim, "--axis", f"model.attention={LONG}", *options, "--seeds", "3") == 0
    lines = kinesim.out.splitlines()
    assert max(map(len, lines)) <= 110
    assert sum(line.startswith("model.attention") for line in lines) == 2
    assert sum(line.startswith("topk kv_budget_tokens=16") for line in lines) == 2


def test_every_axis_of_a_file_that_is_wrong_is_told_with_its_own_line(kinesim: Kinesim) -> None:
    with_section(
        "    model.preset: []\n    parallelism.tp: [1, 1.0]\n    engine.max_sequences: 1:1e999999999\n"
    )
    assert sweep(kinesim) == 2
    first, second, third = kinesim.err.splitlines()
    assert first == "s.yaml:15: sweep.axes.model.preset: has no values"
    assert second == "s.yaml:16: sweep.axes.parallelism.tp: values 1 and 2 are equal: 1.0"
    assert third.startswith(
        "s.yaml:17: sweep.axes.engine.max_sequences: '1:1e999999999' has numbers that are"
    )


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ("    parallelism.tp: [1]\n  samples: 3\n", "s.yaml:16: sweep.samples: grid takes all values"),
        ("    parallelism.tp: [1]\n  combine: random\n", "s.yaml:13: sweep.samples: random draws points"),
        (
            "    model: qwen3-8b\n    model.preset: qwen3-8b\n",
            "s.yaml:14: sweep.axes: model and model.preset both change model.preset",
        ),
        (
            "    engine.max_sequences: 1:5000\n    workload.max_tokens: 1:5000\n",
            "s.yaml:13: sweep: 25,000,000 points with 1 runs each are more than 1,000,000 runs; draw some",
        ),
    ],
)
def test_a_section_that_makes_no_points_is_refused_with_its_line(
    kinesim: Kinesim, section: str, told: str
) -> None:
    with_section(section)
    assert sweep(kinesim) == 2
    assert kinesim.err.startswith(told)


def test_options_are_refused_in_the_words_of_the_scenario(kinesim: Kinesim) -> None:
    assert sweep(kinesim, "--axis", "parallelism.tp=1", "--combine", "random", "--samples", "99999999") == 2
    assert kinesim.err == "sweep.samples: must be at most 10000000 points, got 99999999\n"


@pytest.mark.parametrize(
    "path", ["workload.strategy.trials.x", "workload.tasks.0.x", "name.x", "engine.kvv.x"]
)
def test_a_path_that_goes_on_where_nothing_can_be_is_refused_before_anything_runs(
    kinesim: Kinesim, path: str
) -> None:
    assert sweep(kinesim, "--axis", f"{path}=1,2") == 2
    assert kinesim.err.startswith(f"--axis {path}: {path.rpartition('.')[0]}: ")
    assert not Path("small.sweep").exists()


def test_what_is_no_axis_is_told_beside_values_that_are_wrong(kinesim: Kinesim) -> None:
    assert sweep(kinesim, "--axis", "seed=1,2", "--axis", "parallelism.tpp=1") == 2
    first, second = kinesim.err.splitlines()
    assert first.startswith("--axis seed: seed: is no axis")
    assert second.startswith("--axis parallelism.tpp: unknown key; did you mean tp?")


def test_a_change_behind_a_label_is_told_with_label_and_path(kinesim: Kinesim) -> None:
    with_section("    layout: {one: {parallelism.tp: 1}, two: {parallelism.tpp: 2}}\n")
    assert sweep(kinesim) == 2
    assert kinesim.err.startswith(
        "s.yaml:15: sweep.axes.layout: two: parallelism.tpp: unknown key; did you mean tp?"
    )


@pytest.mark.parametrize("end", ["", "_low", "_high"])
def test_an_axis_may_not_have_the_name_of_a_figure(kinesim: Kinesim, end: str) -> None:
    with_section(f"    latency.task_s.mean{end}: {{one: {{parallelism.tp: 1}}}}\n")
    assert sweep(kinesim) == 2
    assert "is another column of the table; choose another name" in kinesim.err


def test_two_tables_in_one_file_are_refused(kinesim: Kinesim) -> None:
    assert sweep(kinesim, "--axis", "parallelism.tp=1", "--out", "a.csv", "--means", "./a.csv") == 2
    assert kinesim.err == "--out a.csv and --means a.csv are the same file; choose two names\n"
    assert not Path("small.sweep").exists()


def test_an_axis_that_a_variant_overrides_is_said(kinesim: Kinesim) -> None:
    variants = "variants: {own: {parallelism.dp: 2}, other: {}}\n"
    Path("s.yaml").write_text(SCENARIO + variants, encoding="utf-8")
    assert sweep(kinesim, "--axis", "parallelism.dp=1,4") == 0
    told = " ".join(kinesim.out.split())
    assert "parallelism.dp changes nothing in variant own, which has a value of its own there" in told
    assert "in variant other" not in told
    assert sweep(kinesim, "--axis", "parallelism.tp=1,2") == 0
    assert "changes nothing" not in kinesim.out


def test_equal_points_of_a_draw_are_said(kinesim: Kinesim) -> None:
    axis = ["--axis", "parallelism.tp=1,2", "--combine", "random"]
    assert sweep(kinesim, *axis, "--samples", "20") == 0
    assert "20 points were drawn, 2 of them different" in kinesim.out
