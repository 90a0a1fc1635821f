"""How often a plan finds the best of all candidates at a tenth of the runs.

    python benchmarks/plans.py [--quick] [--seeds 20]

All candidates are simulated once and kept; then each goal is searched for with several search seeds.  Prints
a table: how many candidates there are, meet the limits and lie within 2 % of the best, and how many searches
ended further off.  ``--quick`` leaves out the 1,200 candidates, which take 13 minutes on two cores.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from simulator import plan

SCENARIOS: Final = Path(__file__).resolve().parent / "scenarios"
NEAR: Final = 0.02
AIME: Final = {"solving_rate": {"at_least": 0.8}, "task_p95": {"at_most": 600}}


class Case(NamedTuple):
    """A question: scenario, goal, limits, part of the candidates that may be run."""

    scenario: str
    goal: Mapping[str, Any]
    limits: Mapping[str, Any]
    part: float = 0.1


CASES: Final = (
    Case("plan-serving", {"minimise": ["cost"]}, AIME),
    Case("plan-serving", {"minimise": ["energy"]}, {"solving_rate": {"at_least": 0.75}}),
    Case("plan-serving", {"maximise": ["solved_tasks_per_s"]}, {"usd_per_hour": {"at_most": 15}}),
    Case(
        "plan-serving",
        {"minimise": ["gpus"]},
        {"solving_rate": {"at_least": 0.85}, "task_p95": {"at_most": 250}},
    ),
    Case("plan-steps", {"minimise": ["gpus"]}, {"latency.task_s.max": {"at_most": 0.06}}),
    Case("plan-steps", {"minimise": ["gpus"]}, {"latency.task_s.max": {"at_most": 0.06}}, part=0.05),
    Case("plan-models", {"minimise": ["cost"]}, AIME),
    Case("plan-models", {"minimise": ["gpus"]}, AIME),
    Case("plan-models", {"minimise": ["usd_per_hour"]}, AIME),
    Case(
        "plan-models",
        {"minimise": ["task_p95"]},
        {"solving_rate": {"at_least": 0.8}, "usd_per_hour": {"at_most": 12}},
    ),
)


def missed(case: Case, seeds: int, folder: Path) -> str:
    """Return a row of the table."""

    def answer(**more: Any) -> Any:  # noqa: ANN401 - fields of a plan
        asked = {**case.goal, "constraints": case.limits, "seeds": 1, "sensitivity": {}, **more}
        source = SCENARIOS / f"{case.scenario}.yaml"
        return plan(source, asked=asked, store=folder / case.scenario, workers=os.cpu_count() or 1)

    every = answer(sampler="exhaustive")
    (goal,) = every.wanted.goals
    best = every.best[0].loss(goal)
    most = best + NEAR * abs(best)
    size = len(every.ledger)
    runs = int(size * case.part)
    found = [answer(sampler="tpe", runs=runs, search_seed=seed).best for seed in range(seeds)]
    misses = sum(not plans or plans[0].loss(goal) > most for plans in found)
    near = sum(each.loss(goal) <= most for each in every.best)
    (name,) = (path for paths in case.goal.values() for path in paths)
    return (
        f"| {case.scenario} | {name} | {size} | {len(every.best)} | {near} | {runs} | {misses} of {seeds} |"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seeds", type=int, default=20)
    given = parser.parse_args()
    print("| scenario | goal | candidates | meet the limits | within 2 % | runs | further off |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES:
            if not given.quick or case.scenario != "plan-models":
                print(missed(case, given.seeds, Path(folder)), flush=True)


if __name__ == "__main__":
    main()
