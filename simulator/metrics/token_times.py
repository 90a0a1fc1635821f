"""When each request got each of its tokens, to the nanosecond.

A sequence gets one token in every step of its replica from its first token on, until it leaves or is
preempted; after a preemption it goes on where its recomputed prompt ended.  So its tokens are runs of
consecutive steps of its replica, whose ends a run keeps if it is asked to (``simulate(token_times=True)``).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from simulator.attention.work import IntVector
from simulator.engine.records import TRIAL_COLUMNS, RunRecords, column
from simulator.engine.token_times import TokenTimes
from simulator.errors import SimulatorError


def kept(records: RunRecords) -> TokenTimes:
    """Return what a run kept of its tokens.

    Raises
    ------
    SimulatorError
        If it kept nothing.
    """
    if records.tokens is None:
        message = "the run kept no times of tokens: simulate(..., token_times=True) does"
        raise SimulatorError(message)
    return records.tokens


def token_times_ns(records: RunRecords) -> Iterator[IntVector]:
    """Yield when each trial got its tokens, ns, shape (output tokens,), in the order of the trials.

    Raises
    ------
    SimulatorError
        If the run did not keep what is needed.

    Examples
    --------
    >>> from simulator import load_scenario, simulate
    >>> scenario = load_scenario("quickstart", overrides={"workload.tasks.repeats": 1})
    >>> run = simulate(scenario, token_times=True)
    >>> times = next(token_times_ns(run.records))
    >>> len(times) == run.trials["output_tokens"][0], times[-1] == run.trials["ended_ns"][0]
    (np.True_, np.True_)
    """
    tokens = kept(records)
    names = ("task", "node", "replica", "output_tokens", "first_token_ns")
    rows = np.stack([column(records.trials, TRIAL_COLUMNS, name) for name in names], axis=1)
    resumed: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for task, node, token, token_ns in tokens.resumed.tolist():
        resumed.setdefault((task, node), []).append((token, token_ns))
    for task, node, replica, count, first_ns in rows.tolist():
        ends = tokens.step_ends_ns[replica] if count else np.zeros(0, dtype=np.int64)
        runs = [(0, first_ns), *resumed.get((task, node), ())]
        stops = [*(token for token, _ in runs[1:]), count]
        parts = [
            ends[(at := int(ends.searchsorted(began_ns))) : at + stop - token]
            for (token, began_ns), stop in zip(runs, stops, strict=True)
        ]
        yield parts[0] if len(parts) == 1 else np.concatenate(parts)


def gaps_ns(records: RunRecords) -> Iterator[IntVector]:
    """Yield the times between the tokens of each trial, ns, shape (output tokens - 1,) or empty.

    Raises
    ------
    SimulatorError
        If the run did not keep what is needed.
    """
    for times in token_times_ns(records):
        yield np.diff(times)
