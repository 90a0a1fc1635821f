"""How many tasks are solved, by the strategy's answer and by an oracle over k trials (coverage).

Every ended task of the run counts, warm-up included: luck does not depend on load.  A run that was
cut misses its longest tasks; the summary says so.
"""

from __future__ import annotations

from collections import Counter
from math import fsum

from simulator.metrics.intervals import wilson
from simulator.metrics.tables import RunTables
from workloads.coverage import pass_at_k
from workloads.strategies import Strategy


def solving_rate(tables: RunTables, confidence: float) -> dict[str, float | int | str | None] | None:
    """Return the part of the ended tasks that were solved, with Wilson's interval; None of none."""
    ended = int(tables.ended.sum())
    if not ended:
        return None
    solved = int(tables.tasks["solved"][tables.ended].sum())
    return wilson(solved, ended, confidence).to_dict()


def coverage(
    tables: RunTables, strategy: Strategy, confidence: float
) -> list[dict[str, float | int | str | None]] | None:
    """Return pass@k for k = 1, 2, 4, ... and all trials, with intervals over tasks.

    Returns
    -------
    list of dict or None
        Intervals with their `k`.  None of no tasks, and where the number of trials depends on what
        came out of them (early stop, adaptive strategies) or a node is only a part of a solution: the
        estimator would be biased.  The strategy says so, for by luck the counts of a run can look equal.

    Notes
    -----
    The unbiased estimator of `workloads.coverage.pass_at_k`, averaged over tasks; Wilson's interval
    with one value in [0, 1] per task, which is conservative.
    """
    nodes = tables.tasks["nodes"][tables.ended]
    if not strategy.independent_trials or not len(nodes):
        return None
    trials = int(nodes[0])
    correct = Counter(tables.tasks["correct_nodes"][tables.ended].tolist())
    tasks = sum(correct.values())
    ks = [1 << power for power in range(trials.bit_length())]
    if ks[-1] != trials:
        ks.append(trials)
    rows = []
    for k in ks:
        total = fsum(count * pass_at_k(trials, c, k) for c, count in sorted(correct.items()))
        rows.append({"k": k, **wilson(min(total, tasks), tasks, confidence).to_dict()})
    return rows


def quality(tables: RunTables, strategy: Strategy, confidence: float) -> dict[str, object]:
    """Return solving rate, coverage, and what trials and tasks cost in tokens."""
    tasks, trials, ended = tables.tasks, tables.trials, tables.ended
    count, solved = int(ended.sum()), int(tasks["solved"][ended].sum())
    tokens = int(tasks["output_tokens"][ended].sum())
    finished = tables.finished
    finished_count = int(finished.sum())
    return {
        "tasks": count,
        "solved": solved,
        "solving_rate": solving_rate(tables, confidence),
        "coverage": coverage(tables, strategy, confidence),
        "trials_per_task": int(tasks["nodes"][ended].sum()) / count if count else None,
        "truncated_ratio": int(trials["truncated"][finished].sum()) / finished_count
        if finished_count
        else None,
        "output_tokens_per_trial": int(trials["output_tokens"][finished].sum()) / finished_count
        if finished_count
        else None,
        "output_tokens_per_task": tokens / count if count else None,
        "output_tokens_per_solved_task": tokens / solved if solved else None,
    }
