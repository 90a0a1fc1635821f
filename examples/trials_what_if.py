"""How many trials per task pay?  Solving rate and cost per solved task for N = 1 to 8, dense and sparse.

Prints:

    attention    trials  solved  solved tasks/s  USD per solved task
    dense             1   74.2%           0.699  0.0191
    block_topk        1   74.2%           0.801  0.0167
    dense             2   81.7%           0.600  0.0222
    block_topk        2   81.7%           0.746  0.0179
    dense             4   85.8%           0.378  0.0353
    block_topk        4   85.8%           0.576  0.0232
    dense             8   90.0%           0.259  0.0515
    block_topk        8   90.0%           0.454  0.0294
"""

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
