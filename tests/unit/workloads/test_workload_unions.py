"""Every member of every union keeps its seam's promises; a new member needs only an example here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

from simulator.rng import Streams
from workloads.arrivals import Arrivals
from workloads.lengths import Lengths
from workloads.lengths.protocol import LARGEST_U
from workloads.outcomes import Outcomes
from workloads.strategies import AnyStrategy
from workloads.task import Task
from workloads.tasks import TaskSet
from workloads.tree import NodeRequest, NodeState, RequestTree

UNIONS: dict[str, Any] = {
    "arrivals": Arrivals,
    "lengths": Lengths,
    "outcomes": Outcomes,
    "tasks": TaskSet,
    "strategy": AnyStrategy,
}
EXAMPLES: dict[str, list[dict[str, Any]]] = {
    "arrivals": [
        {"kind": "closed_loop", "concurrency": 4, "think_time_s": 1.5},
        {"kind": "all_at_once"},
        {"kind": "poisson", "rate_per_s": 2.0},
        {"kind": "gamma", "rate_per_s": 2.0, "cv": 3.0},
        {"kind": "trace", "arrivals_s": [0.5 * i for i in range(64)], "output_tokens": [7] * 64},
        {"kind": "trace", "arrivals_s": [3.0 * (i // 4) for i in range(64)], "spread_ticks": True},
        {"kind": "trace", "arrivals_s": [0.5 * i for i in range(64)], "rate_scale": 3.0},
    ],
    "lengths": [
        {"kind": "constant", "tokens": 64},
        {"kind": "lognormal", "median_tokens": 1.0, "log_sigma": 2.0},
        {"kind": "lognormal", "median_tokens": 5000.0, "log_sigma": 0.0},
        {"kind": "empirical", "values": [5, 1, 9]},
        {"kind": "empirical", "bins": [[10, 3], [20, 1], [400, 6]]},
        {"kind": "difficulty_coupled", "median_tokens": 900.0, "log_sigma": 0.4, "slope": 1.5},
        {"kind": "benchmark", "name": "aime24", "model": "qwen3-8b"},
    ],
    "outcomes": [
        {"kind": "fixed", "solve_probability": 0.4},
        {"kind": "beta", "alpha": 0.3, "beta": 0.2, "zero_ratio": 0.1},
        {"kind": "benchmark", "name": "livecodebench", "model": "qwen3-14b"},
    ],
    "tasks": [
        {"kind": "synthetic", "count": 64, "prompt_tokens": 10},
        {
            "kind": "synthetic",
            "count": 64,
            "prompt_tokens": {"median_tokens": 50.0, "log_sigma": 2.0, "longest_tokens": 300},
        },
        {"kind": "benchmark", "name": "aime25", "repeats": 2},
    ],
    "strategy": [
        {"kind": "long_cot"},
        {"kind": "best_of_n", "trials": 5},
        {"kind": "best_of_n", "trials": 5, "stop_at_first_success": True},
        {"kind": "self_consistency", "trials": 5},
        {"kind": "beam_search", "beams": 2, "expansion": 3, "rounds": 3, "verifier_noise": 0.4},
        {"kind": "beam_search", "beams": 2, "expansion": 2, "rounds": 1},
        {"kind": "adaptive", "first_wave": 2, "wave": 3, "max_trials": 8},
        {"kind": "adaptive", "first_wave": 3, "wave": 1, "max_trials": 3},
        {
            "kind": "adaptive",
            "first_wave": 1,
            "wave": 2,
            "max_trials": 6,
            "kv_budgets_tokens": [64, 256, 1024],
            "budget_ratio": 0.1,
            "raise_after": 2,
            "give_up_tokens": 900,
        },
        {"kind": "oracle", "max_trials": 4, "kv_budgets_tokens": [64, 256]},
        {"kind": "recorded"},
    ],
}
EASY, HARD = Task(0, 10, 1.0), Task(0, 10, 0.0)


def build(part: str, **parameters: object) -> BaseModel:
    member: BaseModel = TypeAdapter(UNIONS[part]).validate_python(parameters)
    return member


def examples(part: str) -> pytest.MarkDecorator:
    """Return a decorator that runs a test for each example of a union."""
    made = [build(part, **parameters) for parameters in EXAMPLES[part]]
    return pytest.mark.parametrize("member", made, ids=lambda m: m.kind)


MEMBERS = [(part, cls) for part, union in UNIONS.items() for cls in get_args(get_args(union)[0])]
every_member = pytest.mark.parametrize(("part", "cls"), MEMBERS, ids=lambda x: getattr(x, "__name__", x))


@every_member
def test_every_member_has_an_example(part: str, cls: type[BaseModel]) -> None:
    kinds = {parameters["kind"] for parameters in EXAMPLES[part]}
    assert cls.model_fields["kind"].default in kinds


@every_member
def test_every_field_says_its_unit(part: str, cls: type[BaseModel]) -> None:
    del part
    for name, field in cls.model_fields.items():
        assert field.description, name
        assert field.description.startswith("["), name


@every_member
def test_unknown_keys_are_refused(part: str, cls: type[BaseModel]) -> None:
    kind = cls.model_fields["kind"].default
    example = next(p for p in EXAMPLES[part] if p["kind"] == kind)
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        build(part, **example, misspelt=1)


@pytest.mark.parametrize("part", UNIONS)
def test_an_unknown_kind_is_refused_with_the_kinds_there_are(part: str) -> None:
    with pytest.raises(ValidationError, match=EXAMPLES[part][0]["kind"]):
        build(part, kind="nonsense")


@examples("arrivals")
def test_arrivals_never_decrease_and_do_not_depend_on_how_many_are_asked(member: Arrivals) -> None:
    few, many = member.times_s(10, Streams(3)), member.times_s(64, Streams(3))
    assert many.shape == (64,)
    assert many.dtype == np.float64
    assert (np.diff(many) >= 0).all()
    assert many[0] >= 0
    np.testing.assert_array_equal(few, many[:10])


@examples("arrivals")
def test_an_arrival_process_is_either_open_or_holds_a_number_of_tasks(member: Arrivals) -> None:
    assert (member.concurrency is None) == (member.kind != "closed_loop")
    assert member.think_time_s >= 0
    for rows in (member.recorded_prompt_tokens, member.recorded_output_tokens):
        assert rows is None or len(rows) == 64


@examples("lengths")
@given(a=st.floats(0, LARGEST_U), b=st.floats(0, LARGEST_U), p=st.floats(0, 1))
def test_lengths_are_positive_and_grow_with_rank(member: Lengths, a: float, b: float, p: float) -> None:
    task = Task(0, 10, p)
    low, high = member.quantile(min(a, b), task), member.quantile(max(a, b), task)
    assert isinstance(low, int)
    assert 1 <= low <= high <= member.quantile(LARGEST_U, task)


@examples("lengths")
@pytest.mark.parametrize("cap", [1, 15, 700, 100_000_000])
def test_the_mean_under_a_cap_is_the_mean_of_the_capped_quantiles(member: Lengths, cap: int) -> None:
    ranks = (np.arange(20_000) + 0.5) / 20_000
    for task in (EASY, HARD):
        literal = np.mean([min(member.quantile(float(u), task), cap) for u in ranks])
        # Half a token for rounding, one in a thousand for the tail that 20,000 ranks cut short.
        assert member.mean_tokens(task, cap=cap) == pytest.approx(literal, rel=2e-3, abs=0.75)


@examples("outcomes")
def test_difficulties_are_probabilities_and_do_not_depend_on_how_many_are_asked(member: Outcomes) -> None:
    few, many = member.solve_probabilities(10, Streams(3)), member.solve_probabilities(500, Streams(3))
    assert many.shape == (500,)
    assert ((many >= 0) & (many <= 1)).all()
    np.testing.assert_array_equal(few, many[:10])


@examples("tasks")
def test_prompts_are_at_least_one_token_and_within_the_bound(member: TaskSet) -> None:
    prompts = member.prompt_lengths_tokens(Streams(3))
    assert prompts.shape == (member.task_count,)
    assert prompts.dtype == np.int64
    assert prompts.min() >= 1
    assert prompts.max() <= member.longest_prompt_tokens


@examples("strategy")
@given(seed=st.integers(0, 10_000), order=st.integers(0, 10_000))
def test_a_strategy_ends_and_stays_within_its_bounds(
    play: Callable[..., Any], make_workload: Callable[..., Any], member: AnyStrategy, seed: int, order: int
) -> None:
    workload = make_workload(strategy=member, max_tokens=300)
    streams = Streams(seed)
    task = next(workload.tasks_iter(streams))
    tree: RequestTree = play(workload, task, streams=streams, order=order).tree
    assert tree.nodes
    assert tree.open_nodes == 0
    assert max(node.depth for node in tree.nodes) <= member.max_depth
    assert member.shares_prompt or len(tree.nodes) == 1
    for node in tree.nodes:
        assert node.prompt_tokens + node.generated_tokens <= workload.max_context_tokens()
        written, parent = node.request.share_ratio, node.request.parent
        while parent is not None:
            assert tree.nodes[parent].state is NodeState.FINISHED
            assert tree.nodes[parent].request.keep_kv
            written += tree.nodes[parent].request.share_ratio
            parent = tree.nodes[parent].request.parent
        assert written <= 1 + 1e-9


@examples("strategy")
def test_trials_are_independent_where_neither_luck_nor_order_changes_what_is_served(
    play: Callable[..., Any], make_workload: Callable[..., Any], member: AnyStrategy
) -> None:
    workload = make_workload(strategy=member)
    served = set()
    for seed in range(50):
        streams = Streams(seed)
        nodes = play(workload, next(workload.tasks_iter(streams)), streams=streams, order=seed).tree.nodes
        served.add(tuple((node.state, node.request) for node in nodes))
    whole = (NodeState.FINISHED, NodeRequest())
    assert member.independent_trials is (len(served) == 1 and set(served.pop()) == {whole})


@examples("strategy")
@given(seed=st.integers(0, 10_000), scramble=st.integers(0, 10_000))
def test_inv_9_a_strategy_does_not_read_what_has_not_finished(
    play: Callable[..., Any], make_workload: Callable[..., Any], member: AnyStrategy, seed: int, scramble: int
) -> None:
    workload = make_workload(strategy=member, max_tokens=300)
    streams = Streams(seed)
    task = next(workload.tasks_iter(streams))
    honest = play(workload, task, streams=streams, order=seed)
    scrambled = play(workload, task, streams=streams, order=seed, scramble=scramble)
    assert honest.decisions == scrambled.decisions
    assert honest.solved == scrambled.solved


@pytest.mark.parametrize("part", UNIONS)
def test_every_file_of_a_folder_is_in_its_union_or_is_its_seam(part: str, root: Path) -> None:
    folder = root / "workloads" / {"strategy": "strategies"}.get(part, part)
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__", "protocol"}
    homes = {cls.__module__.rpartition(".")[2] for p, cls in MEMBERS if p == part}
    assert modules - homes == ({"beta_quantile", "wrong_answers"} if part == "outcomes" else set())
