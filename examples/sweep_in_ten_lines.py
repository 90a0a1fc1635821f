"""Do trials or a larger batch give more solved tasks per second?  A sweep in ten lines.

A row for each point, with the 95 % interval over two seeds.  Prints:

    trials batch solved/s   low  high
         1     8    0.123 0.072 0.174
         1   256    0.123 0.072 0.174
         4     8    0.092 0.067 0.116
         4   256    0.119 0.067 0.170
"""

from simulator import sweep

found = sweep(
    "quickstart",
    axes={"workload.strategy.trials": [1, 4], "engine.max_sequences": [8, 256]},
    overrides={"variants": None, "workload.tasks.repeats": 1},
    seeds=2,
)
rate = "throughput.solved_tasks_per_s"
shown = found.table[[*found.spec.axes, rate, f"{rate}_low", f"{rate}_high"]].round(3)
print(shown.to_string(index=False, header=["trials", "batch", "solved/s", "low", "high"]))
