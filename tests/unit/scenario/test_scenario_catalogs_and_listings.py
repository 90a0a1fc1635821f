"""Catalogs, listings, descriptions, the JSON Schema and the template follow the classes and the files."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import jsonschema
import pytest
from pydantic import ValidationError
from ruamel.yaml import YAML

from simulator.errors import SimulatorError, UnknownNameError
from simulator.hardware import Gpu, Node
from simulator.model import Architecture
from simulator.scenario import shape
from simulator.scenario.catalog import find, folder_of, is_path, label_of, names_in
from simulator.scenario.describe import describe, describe_plans, describe_variants
from simulator.scenario.json_schema import scenario_json_schema
from simulator.scenario.listing import TOPICS, default_text, list_kinds
from simulator.scenario.loader import load_part, load_scenario, resolve
from simulator.scenario.schema import EngineConfig, Scenario
from simulator.scenario.template import template
from workloads.benchmarks import BenchmarkName, load_benchmark
from workloads.lengths import Lengths


@pytest.mark.parametrize(("catalog", "model"), [("node", Node), ("gpu", Gpu), ("model", Architecture)])
def test_every_catalog_entry_is_valid_and_named_after_its_file(catalog: str, model: shape.Model) -> None:
    names = names_in(catalog)  # type: ignore[arg-type] # one of the three above
    assert names
    for name in names:
        part = load_part(find(catalog, name), model)  # type: ignore[arg-type] # as before
        assert getattr(part, "name", None) == name


def test_nodes_and_gpus_are_told_apart() -> None:
    assert not set(names_in("node")) & set(names_in("gpu"))
    with pytest.raises(UnknownNameError, match="unknown hardware node 'b200-sxm'; did you mean b200-sxm-8"):
        find("node", "b200-sxm")


def test_a_name_cannot_leave_its_catalog() -> None:
    with pytest.raises(UnknownNameError, match="unknown scenario"):
        find("scenario", "../hw_profiles/b200-sxm")


def test_catalog_files_are_named_alike_on_every_machine() -> None:
    assert label_of(folder_of("gpu") / "b200-sxm.yaml") == "hw_profiles/b200-sxm.yaml"
    assert label_of(Path("/elsewhere/a.yaml")) == "/elsewhere/a.yaml"


@pytest.mark.parametrize(("text", "expected"), [("a", False), ("a/b", True), ("a.yml", True), ("a.b", False)])
def test_a_path_has_a_slash_or_a_suffix(text: str, *, expected: bool) -> None:
    assert is_path(text) is expected


@pytest.mark.parametrize("topic", TOPICS)
def test_every_topic_lists_full_rows(topic: str) -> None:
    listing = TOPICS[topic]()
    assert listing.rows
    assert {len(row) for row in listing.rows} == {len(listing.columns)}


def test_a_listing_has_every_kind_and_parameter() -> None:
    rows = list_kinds(Lengths).rows
    assert [row[0] for row in rows if row[0]] == list(shape.kinds(Lengths))
    lognormal = [row[0] for row in rows].index("lognormal")
    assert rows[lognormal + 1][1:4] == ("median_tokens", "tokens", "required")


@pytest.mark.parametrize(
    ("key", "text"),
    [("scheduler", "fcfs"), ("max_sequences", "512"), ("latency", "auto")],
)
def test_defaults_are_written_as_in_a_file(key: str, text: str) -> None:
    assert default_text(shape.fields(EngineConfig)[key]) == text


def unions() -> dict[str, object]:
    """Return every union by kind that the schema has, by the key it stands under."""
    found: dict[str, object] = {}

    def visit(model: shape.Model) -> None:
        for key, info in shape.fields(model).items():
            if shape.kinds(info.annotation):
                found[key] = info.annotation
            for inner in shape.models(info.annotation):
                visit(inner)

    visit(Scenario)
    return found


def test_every_union_of_the_schema_is_a_topic() -> None:
    listed = {tuple(row[0] for row in listing().rows if row[0]) for listing in TOPICS.values()}
    assert {key for key, union in unions().items() if tuple(shape.kinds(union)) not in listed} == set()


def test_every_parameter_that_is_listed_has_a_unit_and_a_meaning() -> None:
    nameless = [
        f"{model.__name__}.{key}"
        for union in unions().values()
        for model in shape.kinds(union).values()
        for key, info in shape.fields(model).items()
        if key != "kind" and not shape.UNIT.fullmatch(info.description or "")
    ]
    assert nameless == []


def leaves(value: object) -> int:
    """Count the scalars and lists of a dumped scenario; a hardware figure counts as one."""
    if isinstance(value, dict):
        if {"value", "source"} <= value.keys():
            return 1
        return sum(leaves(inner) for inner in value.values())
    return 1


def test_a_description_has_a_row_for_every_value() -> None:
    resolved = resolve("quickstart")
    dump = resolved.scenario.model_dump(mode="json", by_alias=True, exclude={"variants"})
    calibrations = dump["hardware"]["gpu"]["calibrations"]
    # Of the engines that the scenario does not take, two rows stand for all numbers.
    hidden = sum(leaves(calibrations[engine]) - 2 for engine in ("trtllm", "sglang"))
    rows = describe(resolved)
    assert len(rows) == leaves(dump) - hidden
    assert len({row.path for row in rows}) == len(rows)


def test_a_description_says_where_values_come_from() -> None:
    rows = {row.path: row for row in describe(resolve("quickstart", overrides=["parallelism.dp=4"]))}
    assert rows["parallelism.dp"].origin == "--set parallelism.dp=4"
    assert rows["engine.scheduler.kind"].origin == "default"
    assert rows["model.preset.layers"].origin.startswith("presets/qwen3-8b.yaml:")
    bandwidth = rows["hardware.gpu.hbm_bandwidth_bytes_per_s"]
    assert (bandwidth.value, bandwidth.unit) == (8e12, "bytes/s")
    assert "datasheet" in bandwidth.source


def test_variants_are_described_by_what_they_change() -> None:
    changes = describe_variants(resolve("quickstart"))
    assert {row.path for row in changes["block_topk"]} >= {"model.attention.kind"}
    assert all(row.path.startswith("model.attention.") for row in changes["block_topk"])


def test_the_memory_sum_adds_up() -> None:
    plan = {row.path: row.value for row in describe_plans(load_scenario("quickstart"))["dense"]}
    values = {path: value for path, value in plan.items() if isinstance(value, int | float)}
    assert values["kv.claimed_bytes"] - values["kv.less_weight_bytes"] - values[
        "kv.less_activation_bytes"
    ] == (pytest.approx(values["kv.free_bytes"]))
    assert values["kv.blocks"] == values["kv.free_bytes"] // values["kv.block_bytes"]


def test_unlimited_memory_is_said() -> None:
    plan = describe_plans(load_scenario("quickstart", overrides=["engine.kv.capacity=unlimited"]))["dense"]
    assert {row.path: row.value for row in plan}["kv.blocks"] == "unlimited: memory is ignored"


def test_an_assumed_loss_of_small_budgets_is_called_so() -> None:
    changed = load_scenario("quickstart", overrides=["workload.budget_loss={half_ratio: 0.01}"])
    plans = {
        name: {row.path: row.value for row in rows}["workload.budget_loss"]
        for name, rows in describe_plans(changed).items()
    }
    assert str(plans["block_topk"]).startswith("assumed, not measured")
    assert plans["dense"] == "no effect: every key is attended to"
    assert "workload.budget_loss" not in {
        row.path for row in describe_plans(load_scenario("quickstart"))["dense"]
    }


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    schema = scenario_json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_the_json_schema_takes_every_shipped_scenario(validator: jsonschema.Draft202012Validator) -> None:
    for name in names_in("scenario"):
        text = (folder_of("scenario") / f"{name}.yaml").read_text(encoding="utf-8")
        document = YAML(typ="safe", pure=True).load(text)
        assert [(name, error.message) for error in validator.iter_errors(document)] == []


def test_the_json_schema_takes_a_resolved_scenario(validator: jsonschema.Draft202012Validator) -> None:
    dump = load_scenario("quickstart").model_dump(mode="json", by_alias=True)
    assert [error.message for error in validator.iter_errors(dump)] == []


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("hardware",), "b200-sxm-9"),
        (("parallelism", "tq"), 3),
        (("model", "attention"), "blok"),
        (("workload", "tasks"), {"kind": "synthetic", "count": 0, "prompt_tokens": 1}),
        (("seed",), "one"),
    ],
)
def test_the_json_schema_refuses_what_the_loader_refuses(
    validator: jsonschema.Draft202012Validator, place: tuple[str, ...], value: object
) -> None:
    document = YAML(typ="safe", pure=True).load(template("x"))
    assert validator.is_valid(document)
    table = document
    for key in place[:-1]:
        table = table[key]
    table[place[-1]] = value
    assert not validator.is_valid(document)


@pytest.mark.parametrize(
    "name",
    [
        *("mine", "it's", "12", "on", "a: b", "qwen3-1.7b"),
        *("null", "true", "1e5", "a b", '"', "\\", "{file}", "~"),
    ],
)
def test_the_template_loads_under_any_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / "new.yaml"
    path.write_text(template(name), encoding="utf-8")
    scenario = load_scenario(path)
    assert (scenario.name, list(scenario.variants)) == (name, ["dense", "block_topk"])


@pytest.mark.parametrize("name", ["", ".", "-x", "a\x1bb", "a\nb", "\udc80", "x" * 201])
def test_a_name_that_cannot_be_used_has_no_template(name: str) -> None:
    with pytest.raises(SimulatorError, match="cannot name a scenario"):
        template(name)


def test_the_template_quotes_the_file_for_the_shell() -> None:
    assert "kinesim run 'a b.yaml' " in template("a b")


@pytest.mark.parametrize("topic", ["tasks", "lengths", "outcomes"])
def test_the_listings_name_every_benchmark_and_its_models(topic: str) -> None:
    rows = TOPICS[topic]().rows
    start = next(place for place, row in enumerate(rows) if row[0] == "benchmark")
    meaning = {row[1]: row[4] for row in rows[start + 1 :]}
    names = get_args(BenchmarkName)
    assert all(name in meaning["name"] for name in names)
    if topic != "tasks":
        for name in names:
            for model in load_benchmark(name).models:
                assert model in meaning["model"]


def test_a_part_that_is_wrong_names_its_line(tmp_path: Path) -> None:
    path = tmp_path / "model.yaml"
    path.write_text("name: x\nlayers: none\n", encoding="utf-8")
    with pytest.raises(Exception, match=r"model\.yaml:2: layers: expected a whole number") as raised:
        load_part(path, Architecture)
    assert not isinstance(raised.value, ValidationError)
