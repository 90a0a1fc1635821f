"""The numbered invariants, checked on the records of a run (``docs/invariants.md``).

Each check is one function from a run to nothing, or an `InvariantViolation` that says which relation
failed and with which values.  INV-6, 9, 11, 13, 14 and 16 are properties of the code rather than of one
run; they have tests instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulator.engine.records import (
    STEP_COLUMNS,
    TASK_COLUMNS,
    TRIAL_COLUMNS,
    SequenceState,
    column,
)
from simulator.engine.run import Run, run_scenario
from simulator.errors import InvariantViolation
from simulator.scenario.schema import Scenario
from simulator.units import NS_PER_S

REFERENCE_LIMIT: Final = 3_000_000
"""Sequence-steps up to which the reference engine is run for comparison, some 10 s of work."""


@dataclass(frozen=True, slots=True)
class Check:
    """An invariant that holds, or that was not looked at because it was too costly (`checked` False)."""

    number: int
    title: str
    checked: bool
    note: str = ""


def _require(number: int, condition: object, message: str) -> None:
    if not condition:
        raise InvariantViolation(number, message)


def _trial(run: Run, name: str) -> NDArray[np.int64]:
    return column(run.records.trials, TRIAL_COLUMNS, name)


def _task(run: Run, name: str) -> NDArray[np.int64]:
    return column(run.records.tasks, TASK_COLUMNS, name)


def _step(run: Run, name: str) -> NDArray[np.int64]:
    return column(run.records.steps, STEP_COLUMNS, name)


def tasks_and_trials_are_conserved(scenario: Scenario, run: Run) -> None:
    """INV-1: what was submitted is finished, cancelled, running or waiting, once each."""
    arrived = len(run.records.tasks)
    _require(
        1,
        arrived + run.records.pending_tasks == scenario.workload.count,
        f"{scenario.workload.count} tasks, but {arrived} arrived and {run.records.pending_tasks} are pending",
    )
    nodes = int(_task(run, "nodes").sum())
    _require(1, nodes == len(run.records.trials), f"{nodes} nodes, but {len(run.records.trials)} trials")
    pairs = np.stack([_trial(run, "task"), _trial(run, "node")], axis=1)
    _require(1, len(np.unique(pairs, axis=0)) == len(pairs), "a node was recorded twice")
    produced, counted = int(_trial(run, "output_tokens").sum()), int(_task(run, "output_tokens").sum())
    _require(1, produced == counted, f"trials produced {produced} tokens, tasks count {counted}")
    if scenario.report.horizon_s is None:
        left = int((_trial(run, "ended_ns") < 0).sum()) + int((_task(run, "ended_ns") < 0).sum())
        _require(1, not left, f"{left} tasks and trials never ended though nothing stopped the run")


def life_moves_forward(_scenario: Scenario, run: Run) -> None:
    """INV-2: submitted <= started < first token <= ended, and each only if the one before."""
    submitted, started = _trial(run, "submitted_ns"), _trial(run, "started_ns")
    first, ended, state = _trial(run, "first_token_ns"), _trial(run, "ended_ns"), _trial(run, "state")
    _require(2, (started[started >= 0] >= submitted[started >= 0]).all(), "a trial started before submission")
    _require(2, (first[first >= 0] > started[first >= 0]).all(), "a first token before the start")
    finished = state == SequenceState.FINISHED
    _require(2, (ended[finished] >= first[finished]).all(), "a trial ended before its first token")
    _require(2, (first[finished] >= 0).all(), "a trial finished without a token")
    open_ = (state == SequenceState.WAITING) | (state == SequenceState.RUNNING)
    _require(2, ((ended < 0) == open_).all(), "an open trial has an end, or an ended one has none")
    over = _trial(run, "output_tokens") > _trial(run, "max_tokens")
    _require(2, not over.any(), "a trial wrote more than its cap")


def time_moves_forward(_scenario: Scenario, run: Run) -> None:
    """INV-3: the steps of a replica take time and do not overlap."""
    start, end, replica = _step(run, "start_ns"), _step(run, "end_ns"), _step(run, "replica")
    _require(3, (end >= start + _step(run, "steps")).all(), "a step took no time")
    same = replica[1:] == replica[:-1]
    _require(3, (start[1:][same] >= end[:-1][same]).all(), "two steps of a replica overlap")


def blocks_are_within_the_pool(_scenario: Scenario, run: Run) -> None:
    """INV-4: blocks held are between none and all; none are held by what has ended."""
    held = _step(run, "kv_blocks")
    _require(
        4, (held >= 0).all() and (held <= run.capacity.blocks).all(), "more KV blocks held than there are"
    )
    for cache in run.caches:
        cache.check()
        open_ = np.isin(_trial(run, "state"), (SequenceState.RUNNING,)).any()
        _require(4, open_ or not cache.held, f"{cache.held} KV blocks held though nothing runs")


def children_follow_parents(_scenario: Scenario, run: Run) -> None:
    """INV-5: a node is submitted when its parent has ended, not before."""
    ended = {
        (task, node): end
        for task, node, end in zip(
            _trial(run, "task").tolist(),
            _trial(run, "node").tolist(),
            _trial(run, "ended_ns").tolist(),
            strict=True,
        )
    }
    for task, parent, submitted in zip(
        _trial(run, "task").tolist(),
        _trial(run, "parent").tolist(),
        _trial(run, "submitted_ns").tolist(),
        strict=True,
    ):
        if parent >= 0:
            end = ended[task, parent]
            _require(5, 0 <= end <= submitted, f"task {task}: a child of node {parent} came before its end")


def no_replica_idles_with_work(_scenario: Scenario, run: Run) -> None:
    """INV-8: between two steps of a replica with a pause, nothing was waiting there."""
    start, end, replica = _step(run, "start_ns"), _step(run, "end_ns"), _step(run, "replica")
    home, submitted, left = _trial(run, "replica"), _trial(run, "submitted_ns"), _trial(run, "started_ns")
    left = np.where(left < 0, _trial(run, "ended_ns"), left)
    left = np.where(left < 0, np.iinfo(np.int64).max, left)
    for index in np.unique(replica):
        ends, starts = end[replica == index][:-1], start[replica == index][1:]
        pauses = starts > ends
        # Whoever left by the pause was submitted by then, so the difference counts who waits in it.
        came = np.searchsorted(np.sort(submitted[home == index]), starts[pauses], side="left")
        gone = np.searchsorted(np.sort(left[home == index]), ends[pauses], side="right")
        _require(8, (came == gone).all(), f"replica {index} paused with a trial waiting")


def no_step_beats_its_flops_or_bytes(_scenario: Scenario, run: Run) -> None:
    """INV-10: no step is shorter than its FLOPs at the peak, or its bytes at the bandwidth."""
    rows = run.records.step_rows()
    seconds = (_step(run, "end_ns") - _step(run, "start_ns")) / NS_PER_S
    parts = run.latency.parts(rows).values()
    compute = sum((part.flops / part.peak_flops_per_s for part in parts), np.zeros(len(seconds)))
    memory = sum((part.hbm_bytes / part.peak_bytes_per_s for part in parts), np.zeros(len(seconds)))
    slack = rows.steps / NS_PER_S + 1e-9 * seconds
    _require(10, (seconds + slack >= compute).all(), "a step computed faster than the peak")
    _require(10, (seconds + slack >= memory).all(), "a step moved more bytes than the bandwidth allows")


def throughput_is_below_the_ceiling(_scenario: Scenario, run: Run) -> None:
    """INV-15: no replica writes tokens faster than reading every weight of a dense model once a step allows.

    The ceiling knows nothing of the latency model: a step reads at least the layers' weights, and with them
    gives each of at most `max_sequences` sequences one token.
    """
    deployment = run.latency.deployment
    if run.latency.kind != "roofline" or deployment.architecture.experts is not None:
        return
    layers = deployment.mixer_weights + deployment.architecture.layers * deployment.ffn_weights
    least_s = layers * deployment.weight_element_bytes / deployment.gpu.hbm_bandwidth_bytes_per_s.value
    seconds = (_step(run, "end_ns") - _step(run, "start_ns")) / NS_PER_S
    slack = _step(run, "steps") / NS_PER_S
    _require(
        15,
        (seconds + slack >= _step(run, "steps") * least_s).all(),
        f"a step was shorter than the {least_s:.3g} s that reading the weights takes",
    )


def parts_add_up_to_the_steps(_scenario: Scenario, run: Run) -> None:
    """INV-10: the parts of the step time add up to the steps, within rounding.

    Where a maximum switches sides within a row (or compute and traffic of whole steps overlap) the parts
    are a lower bound.
    """
    rows = run.records.step_rows()
    seconds = (_step(run, "end_ns") - _step(run, "start_ns")) / NS_PER_S
    attributed = sum((part.seconds for part in run.latency.parts(rows).values()), np.zeros(len(seconds)))
    # Measured attention is worked out at the mean of a row's steps, which is off where it is not linear.
    inexact = 1e-2 if run.latency.kind == "calibrated" else 1e-9
    slack = rows.steps / NS_PER_S + np.where(rows.steps == 1, 1e-9, inexact) * seconds
    _require(10, (attributed <= seconds + slack).all(), "the parts of a step exceed it")
    single = rows.steps == 1
    _require(10, (attributed + slack >= seconds)[single].all(), "the parts of a step do not add up to it")


def only_shared_prompts_are_cached(scenario: Scenario, run: Run) -> None:
    """INV-12: only shared prompts are found cached, and never their last token, which gives the logits.

    Prompts that other servers compute are all there but for that token.
    """
    prompt, cached = _trial(run, "prompt_tokens"), _trial(run, "cached_tokens")
    if scenario.engine.prefill == "remote":
        started = _trial(run, "started_ns") >= 0
        _require(12, (cached == prompt - 1)[started].all(), "a prompt of another server was computed again")
        return
    if not scenario.engine.kv.prefix_sharing or not scenario.workload.shares_prompts:
        found = int(cached.sum())
        _require(12, found == 0, f"{found} prompt tokens were found cached though nothing is shared")
        return
    _require(12, (cached < prompt).all(), "a prompt was cached whole: its last token must be computed")


def engines_agree(scenario: Scenario, seed: int, run: Run) -> Check:
    """INV-7: the reference engine gives the same records, where that is affordable."""
    work = int((_step(run, "decode_sequences") * _step(run, "steps")).sum())
    title = "fast engine = reference engine"
    if work > REFERENCE_LIMIT:
        note = f"not run: {work} sequence-steps, at most {REFERENCE_LIMIT}"
        return Check(7, title, checked=False, note=note)
    other = run_scenario(scenario, seed=seed, engine="reference").records
    for name in ("trials", "tasks", "steps"):
        same = np.array_equal(getattr(run.records, name), getattr(other, name))
        _require(7, same, f"{name} differ between the engines")
    return Check(7, title, checked=True)


CHECKS: Final[tuple[tuple[int, str, Callable[[Scenario, Run], None]], ...]] = (
    (1, "tasks and trials are conserved", tasks_and_trials_are_conserved),
    (2, "life moves forward", life_moves_forward),
    (3, "time moves forward", time_moves_forward),
    (4, "blocks are within the pool", blocks_are_within_the_pool),
    (5, "children follow parents", children_follow_parents),
    (8, "no replica idles with work", no_replica_idles_with_work),
    (10, "no step beats its FLOPs or bytes", no_step_beats_its_flops_or_bytes),
    (10, "parts add up to the steps", parts_add_up_to_the_steps),
    (12, "only shared prompts are found cached", only_shared_prompts_are_cached),
    (15, "throughput is below the ceiling", throughput_is_below_the_ceiling),
)


def check_run(scenario: Scenario, seed: int, run: Run) -> list[Check]:
    """Return the invariants that hold for a finished run.

    Raises
    ------
    InvariantViolation
        At the first relation that does not hold.
    """
    return list(_checks(scenario, seed, run))


def _checks(scenario: Scenario, seed: int, run: Run) -> Iterator[Check]:
    for number, title, check in CHECKS:
        check(scenario, run)
        yield Check(number, title, checked=True)
    yield engines_agree(scenario, seed, run)
