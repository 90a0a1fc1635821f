"""The response surface: what it holds most promising, on figures that are known everywhere."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from plans import document

from simulator import plan
from simulator.planning.evaluating import Candidate, Evaluated, Evaluator
from simulator.planning.gaussian import Process
from simulator.planning.goals import Bound, Goal, Wanted
from simulator.planning.ranking import beats, front_of, fronts_of, ranked
from simulator.planning.space import Space
from simulator.planning.surface import MOST_LOOKED_AT, Surface
from simulator.scenario.sweeps import axis_of

COST, TIME = "cost.usd_per_solved_task", "latency.task_s.p95"

Figures = Callable[[Mapping[str, Any]], Mapping[str, float] | str]


class Known(Evaluator):
    """Candidates whose figures are a formula of their labels, or a reason why they cannot run."""

    def __init__(self, wanted: Wanted, figures: Figures) -> None:
        self.wanted = wanted
        self.ledger = {}
        self.runs = 0
        self._figures = figures

    def evaluate(self, candidates: Iterable[Candidate], seeds: int = 1) -> list[Evaluated]:
        assert seeds == 1
        return [self._of(each) for each in candidates]

    def _of(self, candidate: Candidate) -> Evaluated:
        if candidate.key not in self.ledger:
            told = self._figures(candidate.labels)
            known = Evaluated(candidate, told) if isinstance(told, str) else Evaluated(candidate, "", [told])
            self.ledger[candidate.key] = known
            self.runs += 1
        return self.ledger[candidate.key]


def searched(space: Space, wanted: Wanted, figures: Figures, *, start: int, runs: int) -> Known:
    """Return what is known after `start` candidates from all over and the most promising ones of `runs`."""
    known = Known(wanted, figures)
    everywhere = space.sampled()
    while known.runs < start:
        known.evaluate([next(everywhere)])
    surface = Surface(space, known)
    while known.runs < runs:
        new = surface.most_promising(min(4, runs - known.runs))
        assert new
        assert not any(each.key in known.ledger for each in new)
        known.evaluate(new)
    return known


TABLE = Space(
    tuple(
        axis_of(name, values) for name, values in {"n": "1:8", "m": "1:8", "kind": ["a", "b", "c"]}.items()
    ),
    ("one", "two"),
)


def products(labels: Mapping[str, Any]) -> Mapping[str, float] | str:
    """Cost and time of 384 candidates; a tenth cannot run."""
    if labels["n"] * labels["m"] > 40:
        return "does not fit"
    kind = {"a": 3.0, "b": 1.0, "c": 2.0}[labels["kind"]] * (1.5 if labels["variant"] == "one" else 1.0)
    work = kind * (1.0 + 0.1 * (labels["m"] - 3) ** 2)
    return {COST: work * labels["n"] ** 0.3, TIME: 60.0 * work / labels["n"], "plan.gpus": float(labels["n"])}


def test_the_best_of_a_table_is_found() -> None:
    wanted = Wanted((Goal(COST, -1),), (Bound(TIME, 20.0, -1),))
    known = searched(TABLE, wanted, products, start=12, runs=32)
    best = ranked(known)[0]
    # Without noise three GPUs need work 1, which kind b, variant two and m 3 alone have.
    assert best.candidate.labels == {"n": 3, "m": 3, "kind": "b", "variant": "two"}


def test_a_table_is_looked_through_to_its_end() -> None:
    space = Space((axis_of("n", "1:3"), axis_of("m", "1:3")), ("",))
    wanted = Wanted((Goal("plan.gpus", -1),), ())
    known = searched(space, wanted, lambda labels: {"plan.gpus": labels["n"]}, start=2, runs=9)
    assert Surface(space, known).most_promising(4) == []


def test_no_candidate_that_runs_is_needed_to_go_on() -> None:
    known = searched(TABLE, Wanted((Goal(COST, -1),), ()), lambda _: "does not fit", start=4, runs=12)
    assert len(known.ledger) == 12
    none = Wanted((Goal(COST, -1), Goal(TIME, -1)), (Bound(TIME, 20.0, -1),))
    unsolved = {COST: math.nan, TIME: math.nan}
    assert len(searched(TABLE, none, lambda _: unsolved, start=4, runs=12).ledger) == 12


def test_the_optimum_of_intervals_is_found_among_more_candidates_than_are_looked_at() -> None:
    space = Space((axis_of("x", "0.01..10:log"), axis_of("n", "1..5000")), ("",))
    assert space.size > MOST_LOOKED_AT

    def figures(labels: Mapping[str, Any]) -> Mapping[str, float] | str:
        if labels["n"] > 4000:
            return "does not fit"
        return {COST: 1.0 + math.log(labels["x"] / 0.3) ** 2 + ((labels["n"] - 1234) / 1000) ** 2}

    known = searched(space, Wanted((Goal(COST, -1),), ()), figures, start=10, runs=40)
    assert ranked(known)[0].mean(COST) <= 1.02


def test_a_front_is_found() -> None:
    goals = (Goal(COST, -1), Goal(TIME, -1))
    wanted = Wanted(goals, ())
    every = Known(wanted, products)
    every.evaluate(TABLE.all())

    def front(known: Known) -> set[tuple[str, str]]:
        ran = [each for each in known.ledger.values() if not each.reason]
        return {each.candidate.key for each in front_of(ran, goals)}

    known = searched(TABLE, wanted, products, start=14, runs=38)
    assert len(front(every)) == 8  # the best kind, variant and m with each number of GPUs
    assert len(front(known) & front(every)) >= 7


def test_misses_and_failures_are_learned_from_where_many_are_better() -> None:
    space = Space((axis_of("n", "1:40"), axis_of("m", "1:40")), ("",))
    fits = {COST: 1.0}
    known = Known(Wanted((Goal(COST, -1),), ()), lambda labels: "too large" if labels["n"] > 25 else fits)
    known.evaluate([each for each in space.all() if int(each.labels["m"]) <= 30])  # 750 of 1,200 run
    promised = Surface(space, known).most_promising(100)
    assert {each.labels["n"] for each in promised} <= set(range(1, 26))


def test_labels_of_different_kinds_are_different_places() -> None:
    space = Space((axis_of("x", {"a": {"y": 1}, "b": {"y": True}}), axis_of("y.z", [True, 1, 0, "x"])), ("",))
    known = Known(Wanted((Goal(COST, -1),), ()), lambda labels: {COST: 2.0 if labels["y.z"] is True else 1.0})
    first, other = (next(each for each in space.all() if each.labels["y.z"] is one) for one in (True, 1))
    known.evaluate([first, other])
    assert Surface(space, known).most_promising(1)[0].labels["y.z"] is not True
    beside = [each.labels["y.z"] for each in space.neighbours(other) if each.labels["x"] == other.labels["x"]]
    assert [type(each) for each in beside] == [bool, int, str]


def test_a_choice_of_several_goals_reads_each_figure_a_few_times(monkeypatch: pytest.MonkeyPatch) -> None:
    space = Space((axis_of("n", "1:12"), axis_of("m", "1:12")), ("",))
    known = Known(
        Wanted((Goal(COST, -1), Goal(TIME, -1)), ()),
        lambda labels: {COST: labels["n"] / labels["m"], TIME: float(labels["m"])},
    )
    known.evaluate(list(space.all())[:100])
    reads, loss = list[Goal](), Evaluated.loss

    def counted(one: Evaluated, goal: Goal) -> float:
        reads.append(goal)
        return loss(one, goal)

    monkeypatch.setattr(Evaluated, "loss", counted)
    assert len(Surface(space, known).most_promising(4)) == 4
    assert len(reads) <= 2 * 2 * 100  # of two goals, for the ranks and for the front


@given(losses=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=25))
def test_fronts_are_those_that_are_left_when_the_ones_before_are_taken_away(
    losses: list[tuple[int, int]],
) -> None:
    left = dict(enumerate(losses))
    expected, number = {}, 0
    while left:
        front = [at for at, own in left.items() if not any(beats(each, own) for each in left.values())]
        expected.update(dict.fromkeys(front, number))
        left = {at: own for at, own in left.items() if at not in front}
        number += 1
    assert fronts_of(losses) == [expected[at] for at in range(len(losses))]


@given(
    values=st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=12),
    ordered=st.booleans(),
    data=st.data(),
)
def test_a_process_knows_what_it_was_told(values: list[float], *, ordered: bool, data: st.DataObject) -> None:
    places = np.array([[place / 20] for place in range(len(values))])
    known = np.array(values)
    mean, deviation = Process([ordered]).told(places, known, places)
    spread = float(known.std())
    assert np.isfinite(mean).all()
    assert (deviation > 0.0).all()
    if not ordered:  # each value stands for itself, drawn to the middle by at most the most noise
        assert np.abs(mean - known).max() <= 0.6 * spread + 1e-6
    order = data.draw(st.permutations(range(len(values))))
    again, _ = Process([ordered]).told(places[order], known[order], places)
    assert again == pytest.approx(mean, rel=1e-4, abs=1e-3 * spread + 1e-9)


@pytest.mark.slow
def test_a_search_goes_past_candidates_that_only_just_miss_a_limit() -> None:
    # One GPU is enough with the fastest steps and full batches alone: three candidates of 768.
    pytest.importorskip("optuna")
    places = (3, 0, 7, 5, 1, 6, 2, 4)
    choices = {
        "speed": {f"s{place}": {"engine.latency.step_s": round(0.005 * (place + 1), 4)} for place in places},
        "engine.max_sequences": "5:20:5",
        "parallelism.dp": "1:8",
        "workload.lengths.tokens": "10:12",
    }
    wanted: dict[str, Any] = {
        "minimise": ["gpus"],
        "choices": choices,
        "constraints": {"latency.task_s.max": {"at_most": 0.06}},
        "sampler": "tpe",
        "runs": 38,
        "seeds": 1,
        "sensitivity": {},
    }
    for seed in range(10):
        found = plan(document(), asked=wanted | {"search_seed": seed})
        assert found.best[0].mean("plan.gpus") == 1.0
