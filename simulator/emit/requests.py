"""A run as a list of requests, as a benchmark's client would have seen it.

Every node of a request tree is a request.  Times are whole nanoseconds of the simulated clock.  Nodes that
were cancelled, or that a horizon cut, stand as failed ones with the tokens that they got: so long they held
their place in the batch, and a replay gives it to them again.  What a list of requests cannot hold is noted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from simulator.api import Result
from simulator.attention.work import IntVector
from simulator.engine.records import SequenceState
from simulator.errors import SimulatorError
from simulator.metrics.tables import Columns, RunTables
from simulator.metrics.token_times import kept, token_times_ns

CANCELLED: Final = "cancelled"
UNFINISHED: Final = "unfinished: the run ended first"


@dataclass(frozen=True, slots=True)
class Request:
    """One node of a request tree as its client saw it.

    Parameters
    ----------
    task, node, parent : its place; parent -1: the first of its branch.
    prompt_tokens : of its prompt.
    sent_ns, ended_ns : when it was sent, and when its last token came or it was given up.
    token_ns : when each of its tokens came, shape (output tokens,).
    error : why it was not answered; empty: it was.
    """

    task: int
    node: int
    parent: int
    prompt_tokens: int
    sent_ns: int
    ended_ns: int
    token_ns: IntVector
    error: str

    @property
    def output_tokens(self) -> int:
        """Tokens that it got."""
        return len(self.token_ns)

    @property
    def ttft_ns(self) -> int | None:
        """Time to its first token; None if it got none."""
        return int(self.token_ns[0]) - self.sent_ns if len(self.token_ns) else None

    @property
    def e2e_ns(self) -> int:
        """Time until it ended."""
        return self.ended_ns - self.sent_ns

    @property
    def gaps_ns(self) -> list[int]:
        """Times between its tokens."""
        gaps: list[int] = np.diff(self.token_ns).tolist()
        return gaps


@dataclass(frozen=True, slots=True)
class Served:
    """The requests of a run.

    Parameters
    ----------
    requests : in the order in which they were sent.
    concurrency : requests that the client kept in flight, if each was a task of its own; else None.
    notes : what the list does not hold.
    """

    requests: tuple[Request, ...]
    concurrency: int | None
    notes: tuple[str, ...]

    @property
    def answered(self) -> Iterator[Request]:
        """Yield those that were answered."""
        return (request for request in self.requests if not request.error)


def served_by(result: Result) -> Served:
    """Return the requests of a run.

    Raises
    ------
    SimulatorError
        If no request was answered, or the run kept no times of tokens.
    """
    trials, records = RunTables.of(result.records).trials, result.records
    found, order = list[Request](), kept(records).numbers
    names = ("task", "node", "parent", "prompt_tokens", "submitted_ns", "ended_ns", "state")
    rows = zip(*(trials[name].tolist() for name in names), strict=True)
    for (task, node, parent, prompt, sent, ended, state), times in zip(
        rows, token_times_ns(records), strict=True
    ):
        error = _error(state)
        found.append(
            Request(task, node, parent, prompt, sent, ended if ended >= 0 else records.end_ns, times, error)
        )
    never = (trials["state"] == SequenceState.CANCELLED) & (trials["started_ns"] < 0)
    chosen = [row for row in np.argsort(order, kind="stable").tolist() if not never[row]]
    requests = tuple(found[row] for row in chosen)
    if all(request.error for request in requests):
        message = f"{result.scenario.name}: no request was answered: nothing is left to write"
        raise SimulatorError(message)
    return Served(requests, _concurrency(result, trials), tuple(_notes(result, trials, int(never.sum()))))


def _error(state: int) -> str:
    if state == SequenceState.FINISHED:
        return ""
    return CANCELLED if state == SequenceState.CANCELLED else UNFINISHED


def _concurrency(result: Result, trials: Columns) -> int | None:
    """Return the requests in flight of a closed loop without pauses whose tasks are one request each."""
    arrivals = result.scenario.workload.arrivals
    if trials["node"].any() or arrivals.think_time_s:
        return None
    return arrivals.concurrency


def _notes(result: Result, trials: Columns, never: int) -> Iterator[str]:
    """Yield what the list of requests does not hold."""
    state, tokens = trials["state"], trials["output_tokens"]
    cancelled = (state == SequenceState.CANCELLED) & (trials["started_ns"] >= 0)
    many = int(cancelled.sum())
    if many:
        yield f"{many} cancelled requests stand as failed, with the tokens they got: replayed, not compared"
    if never:
        yield f"{never} requests that were cancelled before a server took them up are left out"
    early = int((cancelled & (tokens == 0)).sum())
    if early:
        yield (
            f"{early} requests were cancelled in the middle of their prompt; "
            "a replay computes it whole, so its times are others"
        )
    open_ = int(((state == SequenceState.WAITING) | (state == SequenceState.RUNNING)).sum())
    if open_:
        yield f"{open_} requests that the horizon cut stand as failed: replayed, not compared"
    yield from _of_servers(result, trials, trees=bool(trials["node"].any()))


def _of_servers(result: Result, trials: Columns, *, trees: bool) -> Iterator[str]:
    """Yield what the server knew of requests and a list of them does not say."""
    engine, strategy = result.scenario.engine, result.scenario.workload.strategy
    if trees and engine.kv.prefix_sharing and strategy.shares_prompt:
        yield (
            "requests of a task share the KV blocks of their prompt, which a list of them does not say: "
            "a replay computes each prompt, so its times are others (engine.kv.prefix_sharing=false: none)"
        )
    if trials["kv_budget_tokens"].any():
        yield "KV budgets of single requests are not in the file: a replay has that of the attention for all"
    scheduler, router = engine.scheduler, engine.router
    if scheduler.reads_prediction or scheduler.kind in {"priority", "task_affine"}:
        yield f"the scheduler {scheduler.kind} ranks by what is not in the file: a replay may rank otherwise"
    if result.scenario.parallelism.dp == 1:
        return
    if router.kind != "round_robin":
        yield f"the router {router.kind} may send a replay's requests to other replicas"
    if np.isin(trials["submitted_ns"], trials["ended_ns"]).any():
        yield (
            "requests that follow others at once come between the steps of two replicas: where both end a "
            "step in the same nanosecond a replay may take them up a step earlier"
        )
