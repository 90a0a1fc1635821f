"""The Python interface: sides, differences, operations, doublings."""

from __future__ import annotations

import pytest
from small_runs import small

from simulator import ScenarioError, compare_sides, explain, load_scenario
from simulator.explaining.explanation import Explanation
from simulator.explaining.inputs import differences
from simulator.explaining.machine_time import machine_time
from simulator.explaining.sides import read_sides

FEW = ["workload.tasks.repeats=1", "report.seeds=2"]


def test_scenarios_are_compared_in_frames() -> None:
    found = compare_sides([small(), small(**{"engine.max_sequences": 1, "name": "one"})])
    assert found.names == ("scenario", "one")
    assert found.inputs.loc["engine.max_sequences"].to_list() == ["512", "1"]
    rates = found.metrics[found.metrics["figure"] == "throughput.tasks_per_s"].set_index("side")
    assert rates.loc["one", "ratio"] < 1.0
    sums = found.time.groupby(["side", "whole"])["share_ratio"].sum()
    assert sums.to_list() == pytest.approx([1.0] * 4)


def test_the_parts_of_the_machine_time_are_those_of_the_roofline() -> None:
    # One decode batch of eight at short contexts: reading weights is nearly all there is.
    result = compare_sides([small(), small(**{"engine.max_sequences": 1})]).comparison.runs
    machine = machine_time(next(iter(result.values()))[0])
    parts = next(iter(result.values()))[0].summary["hardware"]["parts"]
    products = sum(parts[name]["seconds"] for name in ("qkv", "o", "gate_up", "down", "lm_head"))
    assert machine.seconds["weights"] < products  # some of it is the prompts'
    assert machine.seconds["weights"] > 0.95 * products
    assert machine.seconds["kv_reads"] == pytest.approx(parts["attention"]["seconds"], rel=1e-6)
    assert machine.seconds["prefill"] > 0.0


def test_a_node_that_is_renamed_is_told_by_its_name_alone() -> None:
    other = small(hardware="h100-sxm-8")
    assert [d.path for d in differences([small(), other])] == ["hardware"]
    assert differences([small(), other])[0].values == ("b200-sxm-1", "h100-sxm-8")


def test_a_changed_figure_of_the_same_gpu_is_told_by_its_path() -> None:
    path = "hardware.gpu.hbm_bandwidth_bytes_per_s"
    other = small(**{path: {"value": 4e12, "source": "assumed: half"}})
    assert [tuple(d) for d in differences([small(), other])] == [(path, ("8e+12", "4e+12"))]


def test_what_differs_under_one_name_is_told_beside_another_name() -> None:
    path = "hardware.gpu.hbm_bandwidth_bytes_per_s"
    quicker = {path: {"value": 16e12, "source": "assumed: twice"}}
    found = differences([small(), small(hardware="h200-sxm-8"), small(**quicker)])
    assert [tuple(each) for each in found] == [
        ("hardware", ("b200-sxm-1", "h200-sxm-8", "b200-sxm-1")),
        (path, ("8e+12", "4.8e+12", "1.6e+13")),
    ]
    # Models, too: the same preset with other layers, beside another preset.
    layers = {
        "model.preset": load_scenario("quickstart").model_dump(mode="json", by_alias=True)["model"]["preset"]
    }
    layers["model.preset"]["layers"] = 12
    found = differences([small(), small(**{"model.preset": "qwen3-14b"}), small(**layers)])
    assert ("model.preset.layers", ("36", "40", "12")) in [tuple(each) for each in found]


def test_sides_with_equal_names_are_told_apart() -> None:
    sides = read_sides(["quickstart#dense", "quickstart#dense@engine.max_sequences=32", "quickstart"][:2])
    assert len({side.name for side in sides}) == 2


def test_no_sides_at_all_are_refused() -> None:
    with pytest.raises(ScenarioError, match="only one side: nothing"):
        compare_sides([])


@pytest.fixture(scope="module")
def explained() -> Explanation:
    return explain("quickstart#dense", overrides=FEW)


def test_what_reads_most_gains_most_from_bandwidth(explained: Explanation) -> None:
    gains = explained.doubled.set_index("resource")["gain"]
    assert gains["hbm_bandwidth"] > 1.3
    assert gains["hbm_bandwidth"] > gains["host"] > gains["compute"]
    assert gains["hbm_capacity"] == pytest.approx(1.0)
    assert "HBM bandwidth" in explained.lines[2]
    assert "HBM capacity" in explained.lines[3]


def test_shares_of_the_operations_sum_to_one_and_none_beats_the_bound(explained: Explanation) -> None:
    assert explained.operations["share_ratio"].sum() == pytest.approx(1.0)
    assert explained.operations["bound_ratio"].max() <= 1.0
    assert explained.operations.set_index("name").loc["attention", "source_kind"] == "measured"


def test_doublings_do_not_depend_on_the_number_of_processes(explained: Explanation) -> None:
    again = explain("quickstart#dense", overrides=FEW, workers=2)
    assert again.summary == explained.summary


def test_arrivals_that_set_the_rate_are_explained_by_task_time() -> None:
    quiet = {"workload.arrivals": {"kind": "poisson", "rate_per_s": 0.5}, "workload.tasks.count": 60}
    found = explain(small(**quiet))
    assert found.target == ("latency.task_s.mean", True)
    assert "as fast an answer" in found.lines[2]
    assert "the arrivals set this rate" in found.lines[0]


def test_a_doubling_that_does_not_fit_is_told_and_not_a_failure() -> None:
    # States of linear attention are set aside for the largest batch: twice of it leaves no room.
    mixed = {"model.preset": "qwen3.6-27b", "engine.max_sequences": 500, "workload.tasks.count": 2}
    found = explain(small(**mixed))
    refused = found.doubled.set_index("resource")["refusal"]
    assert "does not fit" in refused["batch"]
    assert "Cannot be run: twice engine.max_sequences" in found.lines[3]


def test_a_constant_latency_has_no_operations_but_an_explanation() -> None:
    found = explain(small(**{"engine.latency": {"kind": "constant", "step_s": 0.01}}))
    assert found.operations["name"].to_list() == ["constant"]
    assert found.speed_of_light_ratio == 0.0
    assert "no operations to bound" in found.lines[4]
