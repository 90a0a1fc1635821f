"""Strategies, schedulers and routers that the package does not have: run, refused, kept, made again."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pytest
from pydantic import Field, PrivateAttr

from simulator import compare, load_scenario, simulate, with_components
from simulator.errors import InfeasiblePlanError, ScenarioError
from simulator.frozen import Count, FrozenModel
from simulator.routing import ReplicaView
from simulator.scenario.components import SEAMS
from simulator.scenario.schema import Scenario
from simulator.scheduling import SequenceView
from workloads import NodeRequest, RequestNode, RequestTree
from workloads.strategies import CONTINUE, BestOfN, Decision
from workloads.strategies.protocol import any_correct

SMALL: dict[str, Any] = {
    "schema": 1,
    "hardware": "b200-sxm-8",
    "model": {"preset": "qwen3-8b", "attention": "dense"},
    "parallelism": {"tp": 1, "dp": 2},
    "engine": {"max_sequences": 3},
    "workload": {
        "tasks": {"kind": "synthetic", "count": 12, "prompt_tokens": 64},
        "arrivals": "all_at_once",
        "lengths": {"kind": "lognormal", "median_tokens": 24, "log_sigma": 0.5},
        "outcomes": {"kind": "fixed", "solve_probability": 0.5},
        "strategy": {"kind": "best_of_n", "trials": 4},
        "max_tokens": 64,
    },
}


class OneMore(FrozenModel):
    """One trial after the other until one is correct."""

    kind: Literal["one_more"] = "one_more"
    most: Count = Field(default=3, description="[trials] Trials at most.")
    max_depth: ClassVar[int] = 0
    verifier_noise: ClassVar[float] = 0.0
    kv_budgets_tokens: ClassVar[tuple[int, ...]] = ()
    shares_prompt: ClassVar[bool] = True
    independent_trials: ClassVar[bool] = False

    def start(self) -> Sequence[NodeRequest]:
        return (NodeRequest(),)

    def on_finish(self, tree: RequestTree, node: RequestNode) -> Decision:
        more = not node.correct and len(tree.nodes) < self.most
        return Decision(requests=(NodeRequest(),)) if more else CONTINUE

    def solved(self, tree: RequestTree) -> bool:
        return any_correct(tree)


class NewestFirst(FrozenModel):
    kind: Literal["newest_first"] = "newest_first"
    reads_prediction: ClassVar[bool] = False

    def rank(self, view: SequenceView) -> tuple[int, ...]:
        return (-view.number,)

    def victim_rank(self, view: SequenceView, admitted: int) -> tuple[int, ...]:
        del view
        return (admitted,)


class Predicting(NewestFirst):
    kind: Literal["predicting"] = "predicting"  # type: ignore[assignment] # another kind than the base's
    reads_prediction: ClassVar[bool] = True


class LastReplica(FrozenModel):
    kind: Literal["last_replica"] = "last_replica"

    def route(self, *, number: int, task: int, replicas: Sequence[ReplicaView]) -> int:
        del number, task
        return replicas[-1].index


class Named(OneMore):
    kind: Literal["best_of_n"] = "best_of_n"  # type: ignore[assignment] # another kind than the base has


class Deep(OneMore):
    kind: Literal["deep"] = "deep"  # type: ignore[assignment] # another kind than the base has
    max_depth: ClassVar[int] = 10_000_000


class Forgetful(OneMore):
    """What it depends on is in no manifest."""

    kind: Literal["forgetful"] = "forgetful"  # type: ignore[assignment] # another kind than the base has
    _seen: list[int] = PrivateAttr(default_factory=lambda: [1])

    def __init__(self, seen: int = 0, **fields: object) -> None:
        super().__init__(**fields)
        self._seen.append(seen)


OWN: dict[str, FrozenModel] = {"strategy": OneMore(), "scheduler": NewestFirst(), "router": LastReplica()}
CLASSES = [type(one) for one in OWN.values()]


@pytest.fixture(scope="module")
def plain() -> Scenario:
    return load_scenario(SMALL)


@pytest.fixture(scope="module")
def own(plain: Scenario) -> Scenario:
    return with_components(plain, **OWN)  # type: ignore[arg-type] # given by name


def test_both_engines_run_them_to_the_same_records(own: Scenario) -> None:
    fast, reference = (simulate(own, seed=5, engine=engine, check=True) for engine in ("fast", "reference"))
    for name in ("steps", "trials", "tasks"):
        assert np.array_equal(getattr(fast.records, name), getattr(reference.records, name))
    assert fast.summary["plan"]["strategy"] == "one_more"


@pytest.mark.parametrize("name", OWN)
def test_each_of_them_changes_the_run(plain: Scenario, name: str) -> None:
    changed = with_components(plain, **{name: OWN[name]})  # type: ignore[arg-type] # given by name
    before, after = simulate(plain).trials, simulate(changed).trials
    assert not before.equals(after)


def test_a_strategy_of_ones_own_is_asked_about_its_trials(own: Scenario) -> None:
    trials = simulate(own).trials
    tried = trials.groupby("task")["correct"].agg(["size", "sum"])
    assert set(tried["size"]) == {1, 2, 3}
    assert (tried["sum"] <= 1).all()


def test_a_router_of_ones_own_is_asked_where_to(own: Scenario) -> None:
    assert set(simulate(own).trials["replica"]) == {1}


def test_a_copy_of_a_shipped_strategy_gives_the_same_run(plain: Scenario) -> None:
    class Copied(BestOfN):
        kind: Literal["copied"] = "copied"  # type: ignore[assignment] # another kind than the base's

    copied = with_components(plain, strategy=Copied(trials=4))
    assert simulate(copied).trials.equals(simulate(plain).trials)


def test_all_variants_get_them() -> None:
    source = {**SMALL, "variants": {"dense": {}, "fp8": {"model": {"kv_dtype": "fp8"}}}}
    compared = compare(with_components(load_scenario(source), strategy=OneMore()))
    assert [runs[0].summary["plan"]["strategy"] for runs in compared.runs.values()] == ["one_more"] * 2
    paths = [f"{prefix}workload.strategy" for prefix in ("", "variants.dense.", "variants.fp8.")]
    assert list(compared.manifest["components"]) == paths
    again = load_scenario(compared.manifest, components=[OneMore])
    assert again == compared.scenario
    assert load_scenario(compared.manifest, components=[OneMore], overrides={"variants": None}).variants == {}


def test_a_shipped_component_may_be_put_in_too(plain: Scenario) -> None:
    changed = with_components(plain, strategy=BestOfN(trials=2))
    assert changed == load_scenario(SMALL, overrides={"workload.strategy.trials": 2})
    assert "components" not in simulate(changed).manifest


def test_it_crosses_to_another_process_and_stays_frozen(own: Scenario) -> None:
    assert pickle.loads(pickle.dumps(own)) == own  # noqa: S301 - our own
    with pytest.raises(ValueError, match="frozen"):
        own.workload.strategy.most = 9  # type: ignore[misc,union-attr] # it must not be possible


def test_a_manifest_names_the_classes_and_their_parameters(plain: Scenario) -> None:
    about = simulate(with_components(plain, strategy=OneMore(most=2))).manifest
    assert about["scenario"]["workload"]["strategy"] == {"kind": "one_more", "most": 2}
    (path, told), *more = about["components"].items()
    assert (path, told["class"], more) == ("workload.strategy", f"{__name__}:OneMore", [])
    assert len(told["source_sha256"]) == 64


def test_a_manifest_runs_again_where_the_classes_are(own: Scenario, tmp_path: Path) -> None:
    ran = simulate(own, seed=7)
    folder = ran.to_dir(tmp_path / "out")
    again = simulate(load_scenario(folder / "manifest.json", components=CLASSES))
    assert again.summary == ran.summary
    assert again.manifest == ran.manifest


def test_a_manifest_is_refused_where_they_are_not(own: Scenario, tmp_path: Path) -> None:
    path = simulate(own).to_dir(tmp_path / "out") / "manifest.json"
    with pytest.raises(ScenarioError) as raised:
        load_scenario(path, components=[LastReplica])
    strategy, scheduler = sorted(raised.value.faults, reverse=True)
    assert strategy.startswith(f"{path}:")
    assert strategy.endswith(
        f"workload.strategy: of kind 'one_more', which is the class '{__name__}:OneMore' of whoever ran it, "
        "and in no file; run it from Python: load_scenario(FILE, components=[CLASS])"
    )
    assert "engine.scheduler: of kind 'newest_first', which is the class" in scheduler


def test_other_values_in_a_manifest_are_told(own: Scenario) -> None:
    about = simulate(own).manifest
    about["scenario"]["workload"]["strategy"]["most"] = 0
    with pytest.raises(ScenarioError, match=r"workload\.strategy: is no .*OneMore: most: .*greater than"):
        load_scenario(about, components=CLASSES)


def test_a_class_that_was_changed_since_is_told(own: Scenario, caplog: pytest.LogCaptureFixture) -> None:
    about = simulate(own).manifest
    load_scenario(about, components=CLASSES)
    assert caplog.messages == []
    about["components"]["workload.strategy"]["source_sha256"] = "0" * 64
    with caplog.at_level(logging.WARNING):
        load_scenario(about, components=CLASSES)
    assert [one.partition(": ")[2] for one in caplog.messages] == [
        f"{__name__}:OneMore is not the class that was run: its text has changed"
    ]


@pytest.mark.parametrize("path", ["nowhere", "workload.arrivals", "variants.x.workload.strategy"])
def test_a_manifest_that_names_another_place_is_refused(own: Scenario, path: str) -> None:
    about = simulate(own).manifest
    about["components"][path] = {"class": "a:B"}
    with pytest.raises(ScenarioError, match=rf"components: names {path}, where .* has no component"):
        load_scenario(about, components=CLASSES)


def test_overrides_leave_them_alone_or_are_refused(own: Scenario) -> None:
    about = simulate(own).manifest
    changed = load_scenario(about, components=CLASSES, overrides={"workload.max_tokens": 32})
    assert (changed.workload.max_tokens, changed.workload.strategy) == (32, OneMore())
    with pytest.raises(ScenarioError, match=r"workload\.strategy\.most: is of your own class"):
        load_scenario(about, components=CLASSES, overrides=["workload.strategy.most=2"])


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"strategy": OneMore}, "strategy: expected an object .* got one class OneMore itself"),
        ({"strategy": 3}, "strategy: expected an object .* got one of type int"),
        ({"strategy": Named()}, "kind 'best_of_n' of Named is that of a shipped strategy; choose another"),
        ({"scheduler": OneMore()}, "OneMore lacks rank, victim_rank, reads_prediction; needed: rank"),
        (
            {"router": FrozenModel()},
            r"FrozenModel needs a field that names it: kind: Literal\[\"my_router\"\]",
        ),
        ({"scheduler": Predicting()}, "predicting reads predicted lengths, but workload.length_prediction"),
        ({"strategy": Forgetful(seen=2)}, "is another one when made again"),
    ],
)
def test_what_is_no_component_is_refused(plain: Scenario, given: dict[str, Any], told: str) -> None:
    with pytest.raises(ScenarioError, match=told):
        with_components(plain, **given)


def test_contexts_that_they_reach_are_checked(plain: Scenario) -> None:
    with pytest.raises((ScenarioError, InfeasiblePlanError), match="contexts reach 100"):
        with_components(plain, strategy=Deep())


def test_all_faults_are_told_at_once(plain: Scenario) -> None:
    with pytest.raises(ScenarioError) as raised:
        with_components(plain, strategy=Named(), router=FrozenModel())
    assert [fault.partition(":")[0] for fault in raised.value.faults] == ["strategy", "router", "router"]


@pytest.mark.parametrize("classes", [[OneMore, OneMore], [OneMore()], [FrozenModel]])
def test_classes_must_be_told_apart(own: Scenario, classes: list[Any]) -> None:
    with pytest.raises(ScenarioError, match="components: "):
        load_scenario(simulate(own).manifest, components=classes)


@pytest.mark.parametrize("name", SEAMS)
def test_every_shipped_component_has_what_is_asked_of_ones_own(name: str) -> None:
    seam = SEAMS[name]
    for shipped in seam.shipped.values():
        assert [
            member for member in seam.members if member not in {*dir(shipped), *shipped.model_fields}
        ] == []
