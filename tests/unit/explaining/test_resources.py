"""Doubled resources: each changes its own numbers and no others, and step times follow by the parts."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from simulator import load_scenario
from simulator.explaining.resources import RESOURCES
from simulator.latency import StepRows
from simulator.scenario.schema import Scenario

BY_NAME = {resource.name: resource for resource in RESOURCES}


@pytest.fixture(scope="module")
def tp2() -> Scenario:
    layout = {"parallelism.tp": 2, "parallelism.dp": 4}
    return load_scenario("quickstart", overrides=layout).variants["dense"]


def doubled(name: str, scenario: Scenario) -> Scenario:
    found = BY_NAME[name].double(scenario)
    assert found is not None
    return found


def parts(scenario: Scenario) -> dict[str, float]:
    """Return the seconds of a decode step of 64 sequences of 8,192 tokens, by operation."""
    tokens = 64 * 8192
    columns = {name: np.array([0]) for name in StepRows.__slots__}
    columns |= {"steps": np.array([1]), "decode_sequences": np.array([64])}
    columns |= {"attended_tokens": np.array([tokens]), "read_tokens": np.array([tokens])}
    columns |= {"longest_tokens": np.array([8192])}
    latency = scenario.engine.latency.bind(scenario.deployment())
    return {name: float(part.seconds[0]) for name, part in latency.parts(StepRows(**columns)).items()}


@pytest.fixture(scope="module")
def given() -> Scenario:
    """Return a scenario whose KV blocks do not follow from the memory."""
    return load_scenario("quickstart", overrides={"engine.kv.blocks": 90_000}).variants["dense"]


@pytest.mark.parametrize("name", BY_NAME)
def test_a_doubled_scenario_is_a_valid_scenario(tp2: Scenario, given: Scenario, name: str) -> None:
    scenario = given if name == "kv_blocks" else tp2
    document = doubled(name, scenario).model_dump(mode="json", by_alias=True)
    assert Scenario.model_validate(json.loads(json.dumps(document))) == doubled(name, scenario)
    assert doubled(name, scenario) != scenario


def test_memory_is_doubled_only_where_the_blocks_follow_from_it(tp2: Scenario, given: Scenario) -> None:
    unlimited = {"engine.kv.capacity": "unlimited"}
    ignored = load_scenario("quickstart", overrides=unlimited).variants["dense"]
    assert [BY_NAME["hbm_capacity"].double(one) is None for one in (tp2, given, ignored)] == [
        False,
        True,
        True,
    ]
    assert doubled("kv_blocks", given).engine.kv.blocks == 180_000


def test_twice_the_bandwidth_nearly_halves_what_reads_and_leaves_the_host(tp2: Scenario) -> None:
    before, after = parts(tp2), parts(doubled("hbm_bandwidth", tp2))
    assert 0.5 <= after["attention"] / before["attention"] < 0.55
    assert 0.5 < after["gate_up"] / before["gate_up"] < 1.0  # launches and serial passes stay
    assert after["overhead"] == before["overhead"]
    assert after["allreduce"] == before["allreduce"]


def test_twice_the_link_shortens_all_reduces_alone_down_to_their_floor(tp2: Scenario) -> None:
    before, after = parts(tp2), parts(doubled("link", tp2))
    assert 0.5 * before["allreduce"] <= after["allreduce"] < before["allreduce"]
    assert {n for n in before if before[n] != after[n]} == {"allreduce"}


def test_a_host_twice_as_fast_halves_its_time_alone(tp2: Scenario) -> None:
    before, after = parts(tp2), parts(doubled("host", tp2))
    assert after["overhead"] == pytest.approx(before["overhead"] / 2.0)
    assert {n for n in before if before[n] != after[n]} == {"overhead"}


@pytest.mark.parametrize("combine", ["sum_of_max", "additive"])
def test_twice_the_bandwidth_halves_the_memory_time_of_the_roofline(combine: str) -> None:
    latency: dict[str, Any] = {"kind": "roofline", "combine": combine}
    changes = {"engine.latency": latency, "parallelism.tp": 2, "parallelism.dp": 4}
    scenario = load_scenario("quickstart", overrides=changes).variants["dense"]
    before, after = parts(scenario), parts(doubled("hbm_bandwidth", scenario))
    if combine == "sum_of_max":
        assert after["attention"] == pytest.approx(before["attention"] / 2.0)
    assert after["attention"] < before["attention"]


def test_one_gpu_has_no_link_to_double() -> None:
    assert BY_NAME["link"].double(load_scenario("quickstart").variants["dense"]) is None


def test_twice_the_batch_raises_the_tokens_of_a_step_where_it_must() -> None:
    tight = {"engine.max_sequences": 256, "engine.max_batched_tokens": 300}
    scenario = doubled("batch", load_scenario("quickstart", overrides=tight).variants["dense"])
    assert (scenario.engine.max_sequences, scenario.engine.max_batched_tokens) == (512, 512)


def test_twice_the_replicas_get_a_node_that_holds_them(tp2: Scenario) -> None:
    scenario = doubled("gpus", tp2)
    assert (scenario.parallelism.dp, scenario.hardware.gpus) == (8, 16)


def test_twice_the_load_is_twice_the_users_or_the_rate(tp2: Scenario) -> None:
    assert doubled("load", tp2).workload.arrivals.concurrency == 160
    served = load_scenario("serving/poisson-tp8")
    more = doubled("load", served)
    assert more.workload.arrivals.model_dump()["rate_per_s"] == pytest.approx(
        2.0 * served.workload.arrivals.model_dump()["rate_per_s"]
    )
