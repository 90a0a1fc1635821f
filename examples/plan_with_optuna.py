"""Which plan serves a solved task cheapest, if 75 % must be solved?  Optuna looks for it among 24 candidates.

Trials, GPUs, batch and attention may be chosen; `runs` is how many candidates Optuna may try, and the best
ones are run again with more seeds.  Needs the extra `plan` (pip install "kinesim[plan]").  Prints:

    10 of 24 candidates, Optuna's TPE, then a response surface; 40 runs in all
      workload.strategy.trials: 1
      parallelism.dp: 1
      engine.max_sequences: 256
      model.attention: block_topk kv_budget_tokens=1024 block_tokens=16
    0.00723 USD per solved task, 75.0% solved
      parallelism.dp 1 -> 4: cost +241%
      model.attention block_topk kv_budget_tokens=1024 block_tokens=16 -> dense: cost +50%
      engine.max_sequences 256 -> 16: cost +48%
"""

from __future__ import annotations

from importlib.util import find_spec

from simulator import plan

ASKED = {
    "minimise": ["cost"],
    "constraints": {"solving_rate": {"at_least": 0.75}},
    "choices": {
        "workload.strategy.trials": [1, 2, 4],
        "parallelism.dp": [1, 4],
        "engine.max_sequences": [16, 256],
        "model.attention": ["dense", {"kind": "block_topk", "kv_budget_tokens": 1024, "block_tokens": 16}],
    },
    "sampler": "tpe",
    "runs": 10,
    "seeds": 2,
    "finalists": 2,
}
SMALL = {"variants": None, "workload.tasks.repeats": 1, "workload.arrivals.concurrency": 20}


def main() -> None:
    """Plan, and print the answer; `answer.table` has every candidate."""
    if find_spec("optuna") is None:
        print('skipped: Optuna is not installed; pip install "kinesim[plan]"')
        return
    answer = plan("quickstart", overrides=SMALL, asked=ASKED)
    print(f"{answer.how}; {answer.runs} runs in all")
    if not answer.is_met:
        print(answer.unmet)
        return
    best = answer.best[0]
    for path, label in best.candidate.labels.items():
        print(f"  {path}: {label}")
    cost = best.mean("cost.usd_per_solved_task")
    print(f"{cost:.5f} USD per solved task, {best.mean('quality.solving_rate.estimate'):.1%} solved")
    for effect in answer.effects[:3]:
        print(f"  {effect.what} {effect.before} -> {effect.after}: cost {effect.change:+.0%}", *effect.missed)


if __name__ == "__main__":
    main()
