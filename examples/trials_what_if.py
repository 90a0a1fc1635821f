"""How many trials per task pay?  Solving rate and cost per solved task for N = 1 to 8, dense and sparse."""

from __future__ import annotations

from simulator import load_scenario, simulate

print("attention    trials  solved  solved tasks/s  USD per solved task")
for trials in (1, 2, 4, 8):
    scenario = load_scenario(
        "quickstart", overrides={"workload.strategy.trials": trials, "workload.tasks.repeats": 4}
    )
    for name, variant in scenario.variants.items():
        summary = simulate(variant, seed=1).summary
        solved = summary["quality"]["solving_rate"]["estimate"]
        rate = summary["throughput"]["solved_tasks_per_s"]
        cost = summary["cost"]["usd_per_solved_task"]
        print(f"{name:12s} {trials:6d}  {solved:6.1%}  {rate:14.3f}  {cost:.4f}")
