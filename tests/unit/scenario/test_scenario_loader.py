"""Loading scenarios: sources, names and paths, overrides, variants, manifests, checks."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from simulator.attention import BlockTopKAttention, DenseAttention, SlidingWindowAttention
from simulator.errors import InfeasiblePlanError, ScenarioError, UnknownNameError
from simulator.latency import AutoLatency
from simulator.scenario.loader import load_scenario, resolve
from simulator.scenario.schema import Scenario
from workloads.arrivals import TraceArrivals

BASE: dict[str, Any] = {
    "schema": 1,
    "hardware": "b200-sxm-8",
    "model": {"preset": "qwen3-8b"},
    "workload": {
        "tasks": {"kind": "synthetic", "count": 4, "prompt_tokens": 128},
        "arrivals": "all_at_once",
        "lengths": {"kind": "constant", "tokens": 256},
        "outcomes": {"kind": "fixed", "solve_probability": 0.5},
        "strategy": {"kind": "best_of_n", "trials": 2},
        "max_tokens": 1024,
    },
}
TEXT = """\
schema: 1
hardware: b200-sxm-8
model: {preset: qwen3-8b}
workload: workload.yaml
"""
WORKLOAD = """\
tasks: {kind: synthetic, count: 4, prompt_tokens: 128}
arrivals: all_at_once
lengths: {kind: constant, tokens: 256}
outcomes: {kind: fixed, solve_probability: 0.5}
strategy: {kind: best_of_n, trials: 2}
"""


def with_parts(**parts: object) -> dict[str, object]:
    return {**BASE, **parts}


def variants(**changes: object) -> dict[str, Scenario]:
    return load_scenario(with_parts(variants=changes)).variants


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "scenario.yaml").write_text(TEXT, encoding="utf-8")
    (tmp_path / "workload.yaml").write_text(WORKLOAD, encoding="utf-8")
    return tmp_path


def test_a_mapping_is_read_like_a_file() -> None:
    scenario = load_scenario(BASE)
    assert (scenario.hardware.name, scenario.hardware.gpu.name) == ("b200-sxm-8", "b200-sxm")
    assert scenario.model.architecture.layers == 36


def test_components_can_stand_in_a_mapping() -> None:
    attention = BlockTopKAttention(kv_budget_tokens=64)
    assert load_scenario(
        with_parts(model={"preset": "qwen3-8b", "attention": attention})
    ).model.attention == (attention)


def test_a_shipped_scenario_is_found_by_name() -> None:
    assert load_scenario("quickstart").name == "quickstart"


def test_a_scenario_in_a_subfolder_is_found_by_name(root: Path) -> None:
    path = min((root / "scenarios" / "serving").glob("*.yaml"))
    assert load_scenario(f"serving/{path.stem}") == load_scenario(path)


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"^quickstrat: no such file and .*; did you mean quickstart"):
        load_scenario("quickstrat")


@pytest.mark.parametrize(
    ("file", "name", "message"),
    [
        ("mine.yaml", "mine", "mine: no such file and no shipped scenario; did you mean mine.yaml?"),
        ("mine.yml", "mine", "mine: no such file and no shipped scenario; did you mean mine.yml?"),
        ("a.b.yaml", "./a.b", "./a.b: no such file and no shipped scenario; did you mean ./a.b.yaml?"),
        (
            "out/manifest.json",
            "out",
            "out: a directory and no shipped scenario; did you mean out/manifest.json?",
        ),
    ],
)
def test_a_name_that_lacks_the_end_of_its_file_is_answered_with_the_file(
    file: str, name: str, message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(file).parent.mkdir(exist_ok=True)
    Path(file).touch()
    with pytest.raises(UnknownNameError, match=f"^{re.escape(message)}$"):
        load_scenario(name)


def test_paths_are_relative_to_the_file_that_says_them(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert load_scenario(folder / "scenario.yaml").workload.count == 4


def test_a_fault_in_an_included_file_names_that_file_and_line(folder: Path) -> None:
    (folder / "workload.yaml").write_text(WORKLOAD.replace("trials: 2", "trials: 0"), encoding="utf-8")
    with pytest.raises(ScenarioError) as raised:
        load_scenario(folder / "scenario.yaml")
    assert raised.value.faults == (
        f"{folder}/workload.yaml:5: workload.strategy.trials: must be at least 1 trials, got 0",
    )


def test_files_that_include_each_other_are_reported(folder: Path) -> None:
    (folder / "workload.yaml").write_text(
        "tasks: scenario.yaml\n" + WORKLOAD.partition("\n")[2], encoding="utf-8"
    )
    with pytest.raises(
        ScenarioError, match=r"workload\.tasks: files include each other in a circle: .*scenario"
    ):
        load_scenario(folder / "scenario.yaml")


def test_the_same_file_may_be_used_in_two_places(tmp_path: Path) -> None:
    (tmp_path / "v.yaml").write_text("kind: dense\nprefix_reads: once_per_family\n", encoding="utf-8")
    document = with_parts(
        model={"preset": "qwen3-8b", "attention": str(tmp_path / "v.yaml")},
        variants={"a": {"model.attention": str(tmp_path / "v.yaml")}},
    )
    scenario = load_scenario(document)
    assert scenario.model.attention == scenario.variants["a"].model.attention


def test_a_table_without_kind_takes_the_kind_of_the_default() -> None:
    engine = load_scenario(with_parts(engine={"latency": {"engine": "trtllm"}})).engine
    assert engine.latency == AutoLatency(engine="trtllm")


def test_a_kind_by_name_has_its_defaults() -> None:
    scenario = load_scenario(with_parts(model={"preset": "qwen3-8b", "attention": "dense"}))
    assert scenario.model.attention == DenseAttention()


def test_a_trace_file_is_read_into_the_scenario(tmp_path: Path) -> None:
    (tmp_path / "trace.csv").write_text("arrival_s,output_tokens\n0.0,5\n1.5,6\n", encoding="utf-8")
    workload = BASE["workload"] | {
        "arrivals": {"kind": "trace", "path": str(tmp_path / "trace.csv")},
        "tasks": {"kind": "synthetic", "count": 2, "prompt_tokens": 9},
    }
    scenario = load_scenario(with_parts(workload=workload))
    assert scenario.workload.arrivals == TraceArrivals(arrivals_s=(0.0, 1.5), output_tokens=(5, 6))
    (tmp_path / "trace.csv").unlink()
    assert load_scenario(scenario.model_dump(mode="json", by_alias=True)) == scenario


def with_trace(tmp_path: Path, **variants: object) -> dict[str, Any]:
    """Return a scenario with a trace of three rows, one a second."""
    (tmp_path / "trace.csv").write_text(
        "arrival_s,prompt_tokens,output_tokens\n0,1,5\n1,2,6\n2,3,7\n", encoding="utf-8"
    )
    workload = BASE["workload"] | {
        "arrivals": {"kind": "trace", "path": str(tmp_path / "trace.csv"), "window_s": [0.0, 2.0]},
        "tasks": {"kind": "synthetic", "count": 1, "prompt_tokens": 9},
    }
    return with_parts(workload=workload, variants=variants)


def test_a_variant_takes_another_part_of_a_trace_file_than_the_base(tmp_path: Path) -> None:
    document = with_trace(
        tmp_path,
        late={"workload.arrivals.window_s": [1.0, 3.0]},
        short={"workload.arrivals.longest_tokens": 6},
        fast={"workload.arrivals.rate_scale": 2.0},
    )
    scenario = load_scenario(document)
    found = {name: variant.workload.arrivals for name, variant in scenario.variants.items()}
    assert scenario.workload.arrivals.recorded_prompt_tokens == (1, 2)
    assert {name: arrivals.recorded_prompt_tokens for name, arrivals in found.items()} == {
        "late": (2, 3),
        "short": (1,),
        "fast": (1, 2),
    }
    assert isinstance(found["late"], TraceArrivals)
    assert found["late"].arrivals_s == (0.0, 1.0)
    assert isinstance(found["fast"], TraceArrivals)
    assert found["fast"].rate_scale == 2.0


def test_a_trace_file_replaces_rows_and_rows_replace_a_file(tmp_path: Path) -> None:
    document = with_trace(tmp_path)
    rows = load_scenario(document).model_dump(mode="json", by_alias=True)
    again = load_scenario(rows, overrides={"workload.arrivals.path": str(tmp_path / "trace.csv")})
    assert again.workload.arrivals.recorded_prompt_tokens == (1, 2, 3)
    inline = load_scenario(document, overrides={"workload.arrivals.arrivals_s": [4.0]}).workload.arrivals
    assert inline == TraceArrivals(arrivals_s=(4.0,))


@pytest.mark.parametrize("source", [None, 3, b"quickstart", ["quickstart"], 1.5])
def test_a_source_that_is_no_path_name_or_mapping_is_refused(source: Any) -> None:  # noqa: ANN401 - any object
    with pytest.raises(ScenarioError, match=r"^the source of a scenario: expected .* or a mapping, got "):
        load_scenario(source)


# Overrides


@pytest.mark.parametrize("overrides", [None, {}, (), [], {"parallelism": {}}])
def test_no_overrides_change_nothing(overrides: Any) -> None:  # noqa: ANN401 - every form of nothing
    assert load_scenario("quickstart", overrides=overrides) == load_scenario("quickstart")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (3, r"^overrides: expected PATH=VALUE texts or a mapping from paths to values, got 3$"),
        ([3, None], r"^overrides: expected a PATH=VALUE text, got 3\noverrides: .*, got nothing \(null\)$"),
        ({"kind": "dense"}, r"^overrides: kind: unknown key"),
        ("parallelism.dp", r"^--set parallelism.dp: expected PATH=VALUE"),
    ],
)
def test_overrides_of_no_known_form_are_refused(overrides: Any, message: str) -> None:  # noqa: ANN401 - any object
    with pytest.raises(ScenarioError, match=message):
        load_scenario(BASE, overrides=overrides)


@pytest.mark.parametrize(
    "overrides",
    [["parallelism.dp=8", "model.kv_dtype=fp8"], {"parallelism.dp": 8, "model": {"kv_dtype": "fp8"}}],
)
def test_overrides_change_single_values(overrides: Any) -> None:  # noqa: ANN401 - either form
    scenario = load_scenario(BASE, overrides=overrides)
    assert (scenario.parallelism.dp, scenario.model.kv_dtype) == (8, "fp8")
    assert scenario.parallelism.tp == 1


def test_an_override_goes_inside_a_catalog_entry() -> None:
    scenario = load_scenario(BASE, overrides=["hardware.gpus=4", "hardware.gpu.tdp_watts.value=500.0"])
    assert (scenario.hardware.gpus, scenario.hardware.gpu.tdp_watts.value) == (4, 500.0)
    assert scenario.hardware.gpu.name == "b200-sxm"


def test_a_later_override_wins() -> None:
    assert load_scenario(BASE, overrides=["seed=1", "seed=2"]).seed == 2


def test_an_override_with_another_kind_replaces_the_table() -> None:
    document = with_parts(model={"preset": "qwen3-8b", "attention": {"kind": "topk", "kv_budget_tokens": 64}})
    changed = load_scenario(document, overrides=["model.attention={kind: sliding_window, window_tokens: 8}"])
    assert changed.model.attention.model_dump() == {
        "kind": "sliding_window",
        "window_tokens": 8,
        "sink_tokens": 0,
        "window_every": 1,
    }


def test_an_override_of_one_field_keeps_the_kind() -> None:
    document = with_parts(model={"preset": "qwen3-8b", "attention": {"kind": "topk", "kv_budget_tokens": 64}})
    changed = load_scenario(document, overrides=["model.attention.kv_budget_tokens=32"])
    assert changed.model.attention.model_dump() == {"kind": "topk", "kv_budget_tokens": 32}


def test_a_path_in_an_override_starts_from_the_working_directory(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    (folder / "other.yaml").write_text(WORKLOAD.replace("count: 4", "count: 7"), encoding="utf-8")
    assert load_scenario(BASE, overrides=["workload=./other.yaml"]).workload.count == 7


def test_an_override_of_a_part_is_blamed_for_what_it_breaks() -> None:
    with pytest.raises(ScenarioError, match=r"^--set parallelism.dp=9: parallelism: tp 1 x dp 9 = 9 GPUs"):
        load_scenario(BASE, overrides=["parallelism.dp=9"])


# Variants


def test_variants_are_complete_scenarios() -> None:
    found = variants(dense={}, topk={"model.attention": {"kind": "topk", "kv_budget_tokens": 64}})
    assert list(found) == ["dense", "topk"]
    assert found["dense"].model.attention == DenseAttention()
    assert found["topk"].model.attention.kind == "topk"
    assert found["topk"].workload == found["dense"].workload
    assert found["topk"].variants == {}


def test_nested_and_dotted_changes_mean_the_same() -> None:
    found = variants(a={"model.kv_dtype": "fp8"}, b={"model": {"kv_dtype": "fp8"}})
    assert found["a"] == found["b"]


def test_a_catalog_name_in_a_variant_replaces_the_whole_entry() -> None:
    found = variants(a={"hardware": "h100-sxm-8"})
    assert set(found["a"].hardware.gpu.peak_flops_per_s) == {"bf16", "fp8", "int8"}  # no fp4 left of B200


def test_a_variant_may_have_a_quoted_dot_in_its_name() -> None:
    document = with_parts(variants={"qwen3-1.7b": {"model.preset": "qwen3-1.7b"}})
    changed = load_scenario(document, overrides=['variants."qwen3-1.7b".model.kv_dtype=fp8'])
    assert changed.variants["qwen3-1.7b"].model.kv_dtype == "fp8"
    assert changed.model.kv_dtype == "bf16"


def test_an_override_of_the_base_reaches_the_variants_but_not_what_they_set() -> None:
    document = with_parts(variants={"a": {}, "b": {"model.kv_dtype": "fp8"}})
    changed = load_scenario(document, overrides=["model.kv_dtype=int8", "seed=5"])
    assert [v.model.kv_dtype for v in changed.variants.values()] == ["int8", "fp8"]
    assert {v.seed for v in changed.variants.values()} == {5}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["variants.a=3"], r"variants\.a: expected a table of changes, got 3"),
        (["variants.a.seed=3"], r"variants\.a\.seed: is the same for all variants; set it beside them"),
        (["variants.b.seed=3"], r"unknown variant 'b'; allowed: a"),
        (["variants=[]"], r"variants can be set to null \(none of them\) or one by one"),
    ],
)
def test_an_override_of_a_variant_has_its_limits(overrides: list[str], message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        load_scenario(with_parts(variants={"a": {}}), overrides=overrides)


def test_a_complete_variant_has_no_variants() -> None:
    resolved = load_scenario(DOCUMENTS["variants"]).model_dump(mode="json", by_alias=True)
    resolved["variants"]["a"]["variants"] = {"b": {}}
    with pytest.raises(ScenarioError, match=r"variants\.a\.variants: a variant has no variants of its own"):
        load_scenario(resolved)


def test_variants_can_be_dropped() -> None:
    assert load_scenario(with_parts(variants={"a": {}}), overrides=["variants=null"]).variants == {}


def test_only_the_variants_must_fit_where_there_are_some() -> None:
    large = with_parts(model={"preset": "qwen3-235b-a22b"})
    with pytest.raises(InfeasiblePlanError, match="does not fit"):
        load_scenario(large)
    fitting = load_scenario({**large, "variants": {"tp8": {"parallelism.tp": 8}}})
    assert fitting.variants["tp8"].parallelism.tp == 8


def test_a_plan_that_does_not_fit_shows_the_sum_and_the_variant() -> None:
    with pytest.raises(
        InfeasiblePlanError, match=r"variants\.large: qwen3-235b.*470\.2 GB weights"
    ) as raised:
        variants(small={}, large={"model.preset": "qwen3-235b-a22b"})
    assert raised.value.exit_code == 3


# Checks across parts


@pytest.mark.parametrize(
    ("model", "faults"),
    [
        ({"weight_dtype": "fp8"}, ["model.weight_dtype: a100-sxm: no peak for fp8; allowed: bf16, int8"]),
        ({"compute_dtype": "fp8"}, ["model.compute_dtype: a100-sxm: no peak for fp8; allowed: bf16, int8"]),
        (
            {"weight_dtype": "fp4", "compute_dtype": "fp8"},
            ["model.compute_dtype: a100-sxm: no peak for fp8; allowed: bf16, int8"],
        ),
        ({"weight_dtype": "fp8", "compute_dtype": "bf16"}, []),
    ],
)
@pytest.mark.parametrize("latency", [{"kind": "roofline"}, {"kind": "constant", "step_s": 0.01}])
def test_a_format_without_a_peak_is_named_by_the_key_that_chose_it(
    model: dict[str, Any], faults: list[str], latency: dict[str, Any]
) -> None:
    document = with_parts(
        hardware="a100-sxm-8", model={"preset": "qwen3-8b", **model}, engine={"latency": latency}
    )
    if not faults:
        assert load_scenario(document).model.compute_dtype == "bf16"
        return
    with pytest.raises(ScenarioError) as raised:
        load_scenario(document)
    assert raised.value.faults == tuple(f"<mapping>: {fault}" for fault in faults)


def test_a_node_without_the_format_of_attention_is_refused() -> None:
    peaks = {"fp8": {"value": 1e15, "source": "assumed for this test"}}
    gpu = load_scenario(BASE).hardware.gpu.model_copy(update={"name": "new"}).model_dump(mode="json")
    document = with_parts(
        hardware={"kind": "node", "name": "new-8", "gpu": gpu | {"peak_flops_per_s": peaks}, "gpus": 8},
        model={"preset": "qwen3-8b", "weight_dtype": "fp8"},
    )
    with pytest.raises(ScenarioError, match=r"^<mapping>: new: no peak for bf16; allowed: fp8$"):
        load_scenario(document)


def test_a_prompt_that_is_not_shared_is_refused_beside_every_other_mistake() -> None:
    document = with_parts(
        hardware="a100-sxm-8",
        model={
            "preset": "qwen3-8b",
            "attention": {"kind": "dense", "prefix_reads": "once_per_family"},
            "weight_dtype": "fp8",
        },
        engine={"kv": {"prefix_sharing": False}},
    )
    with pytest.raises(ScenarioError) as raised:
        load_scenario(document)
    assert [fault.split(": ")[1] for fault in raised.value.faults] == [
        "model.attention.prefix_reads",
        "model.weight_dtype",
    ]


def test_a_model_attends_as_it_was_trained_unless_it_is_told_to_do_otherwise_which_is_refused() -> None:
    own = {"preset": "gpt-oss-20b", "expert_dtype": "mxfp4"}
    scenario = load_scenario(with_parts(model=own))
    assert scenario.model.attention == SlidingWindowAttention(window_tokens=128, window_every=2)
    assert load_scenario(scenario.model_dump(mode="json", by_alias=True)) == scenario
    with pytest.raises(
        ScenarioError, match=r"model\.attention: one layer in 2 of gpt-oss-20b attends to the last 128"
    ):
        load_scenario(with_parts(model=own | {"attention": "dense"}))
    assert load_scenario(with_parts(model={"preset": "qwen3-8b"})).model.attention == DenseAttention()


def test_whole_experts_need_experts() -> None:
    mixed = with_parts(model={"preset": "qwen3-30b-a3b"}, parallelism={"tp": 2, "expert_parallel": True})
    assert load_scenario(mixed).deployment().expert_parallel
    with pytest.raises(ScenarioError, match=r"parallelism\.expert_parallel: qwen3-8b has no experts"):
        load_scenario(with_parts(parallelism={"tp": 2, "expert_parallel": True}))


# Round trips


DOCUMENTS = {
    "plain": BASE,
    "variants": with_parts(
        variants={
            "a": {"hardware": "h100-sxm-8"},
            "b": {"model.attention": {"kind": "topk", "kv_budget_tokens": 9}},
        }
    ),
    "settings": with_parts(report={"slo": {"ttft_s": 1.0}}, engine={"kv": {"blocks": 4000}}, seed=3),
}


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
def test_a_resolved_scenario_loads_back_equal(document: dict[str, object], tmp_path: Path) -> None:
    scenario = load_scenario(document)
    dump = scenario.model_dump(mode="json", by_alias=True)
    assert load_scenario(dump) == scenario
    manifest = tmp_path / "manifest.json"
    manifest.write_text(
        json.dumps({"manifest": 1, "seed": scenario.seed, "scenario": dump}), encoding="utf-8"
    )
    assert load_scenario(manifest) == scenario


def test_overrides_of_a_manifest_mean_what_they_mean_for_its_file() -> None:
    document = DOCUMENTS["variants"]
    overrides = ["seed=4", "engine.max_sequences=9", "model.attention.prefix_reads=once_per_family"]
    resolved = load_scenario(document).model_dump(mode="json", by_alias=True)
    changed = load_scenario(resolved, overrides=overrides)
    direct = load_scenario(document, overrides=overrides)
    assert changed.variants["a"] == direct.variants["a"]
    assert changed.variants["b"] == direct.variants["b"]


def test_a_complete_variant_must_share_the_seed() -> None:
    resolved = load_scenario(DOCUMENTS["variants"]).model_dump(mode="json", by_alias=True)
    resolved["variants"]["a"]["seed"] = 9
    with pytest.raises(ScenarioError, match=r"variants\.a\.seed: is the same for all variants; it differs"):
        load_scenario(resolved)


def test_faults_of_a_manifest_have_lines(tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.json"
    document = {**BASE, "seed": -1}
    manifest.write_text(json.dumps({"manifest": 1, "scenario": document}, indent=1), encoding="utf-8")
    line = manifest.read_text(encoding="utf-8").splitlines().index('  "seed": -1') + 1
    with pytest.raises(ScenarioError) as raised:
        load_scenario(manifest)
    assert raised.value.faults == (f"{manifest}:{line}: seed: must be at least 0, got -1",)


@pytest.mark.parametrize("name", ["quickstart"])
def test_loading_does_not_depend_on_where_one_stands(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = load_scenario(name)
    monkeypatch.chdir(tmp_path)
    assert load_scenario(name) == before


def test_resolving_keeps_where_each_value_was_written(folder: Path) -> None:
    document = resolve(folder / "scenario.yaml", overrides=["seed=3"]).document
    origins = {
        key: str(document.deepest(key.split(".")).origin)
        for key in ("model.preset.layers", "workload.tasks.count", "seed", "hardware.gpu.hbm_bytes.value")
    }
    assert origins == {
        "model.preset.layers": "presets/qwen3-8b.yaml:2",
        "workload.tasks.count": f"{folder}/workload.yaml:1",
        "seed": "--set seed=3",
        "hardware.gpu.hbm_bytes.value": "hw_profiles/b200-sxm.yaml:21",
    }
