"""A measured run as a scenario: its arrivals and lengths on the hardware, model and engine of another one.

Arrivals are the measured ones where the file has them and the client did not wait for answers. A client that
kept so many requests in flight is replayed as such, with the recorded lengths if there are any; of a rate
alone, arrivals are drawn.  Prompts have in common what the scenario says.  Not replayed: other prompts that
repeat earlier ones, the limit of a client on requests in flight beside a rate, and tokens that a speculation
lost.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final

import numpy as np
from pydantic import ValidationError

from simulator.errors import ScenarioError, TraceFormatError
from simulator.measured import BenchRun
from simulator.rng import Streams
from simulator.scenario.checks import capacity_of, mistakes_in
from simulator.scenario.schema import Scenario
from simulator.validate.told_load import ToldLoad, beside
from workloads import Workload
from workloads.arrivals import GammaArrivals, PoissonArrivals

ROUNDS: Final = 10
"""Requests of each client where nothing says how many there were: benchmarks commonly send 10 rounds."""

LEAST_CV: Final = 0.01
"""Below this the gaps between arrivals are all alike."""

MOST_REQUESTS: Final = 10_000_000
"""As `simulator.frozen.Count`."""

MOST_FAULTS: Final = 3
"""Requests that do not fit and are told one by one."""

NO_START: Final = "says neither when requests came nor how many were in flight"


@dataclass(frozen=True, slots=True)
class Replay:
    """A measured run as it is simulated.

    Parameters
    ----------
    scenario : to simulate.
    rows : of the run's requests, in the order of the simulated tasks; None where single requests are unknown.
    load : the load in words.
    notes : what is not as it was measured.
    """

    scenario: Scenario
    rows: tuple[int, ...] | None
    load: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Lengths:
    """Prompts and outputs in the order of the file, the rows that they are of, and what is said of them."""

    prompts: tuple[int, ...]
    outputs: tuple[int, ...]
    rows: tuple[int, ...] | None
    notes: tuple[str, ...] = ()


def replay(scenario: Scenario, run: BenchRun, said: ToldLoad) -> Replay:
    """Return a run as a scenario.

    Parameters
    ----------
    scenario : gives the hardware, the model, the engine, the seed and what prompts have in common; the rest
        of its workload is left out.
    run : gives arrivals and lengths.
    said : what the run's file does not say; goes before what it says.

    Raises
    ------
    TraceFormatError
        If something that is needed is neither in the file nor said: it is asked for by name.
    ScenarioError, InfeasiblePlanError
        If the requests do not fit the scenario.
    """
    run = _between_scrapes(run, said)
    if said.concurrency is not None and said.rate_per_s is not None:
        message = f"{run.where}: a concurrency and a rate are given: choose one"
        raise TraceFormatError(message)
    lengths = _lengths(run, said)
    arrivals, rows, load = _arrivals(run, said, lengths, scenario.seed)
    made = _scenario(scenario, run, arrivals)
    notes = (*lengths.notes, *_left_out(run, said))
    if shared := made.workload.shared_prefix_tokens:
        notes = (*notes, f"longer prompts begin with the same {shared} tokens, as the scenario says")
    if scenario.variants:
        notes = (*notes, "the variants of the scenario are left out")
    return Replay(made, rows, load, notes)


def _between_scrapes(run: BenchRun, said: ToldLoad) -> BenchRun:
    """Return `run` with the duration that is said, and the rate that follows from it."""
    if run.duration_s is not None or said.duration_s is None:
        return run
    run = replace(run, duration_s=said.duration_s)
    if run.request_rate_per_s is None and run.max_concurrency is None:
        return replace(run, request_rate_per_s=run.request_rate())
    return run


def _lengths(run: BenchRun, said: ToldLoad) -> _Lengths:
    recorded = run.lengths
    if run.requests is not None:
        recorded = run.requests.prompt_tokens, run.requests.output_tokens
    given = [
        name for name in ("prompt_tokens", "output_tokens", "requests") if getattr(said, name) is not None
    ]
    if recorded is not None:
        if given:
            message = (
                f"{run.where}: {', '.join(given)}: the file has the lengths of each request; leave it out"
            )
            raise TraceFormatError(message)
        return _recorded(run, *recorded)
    return _means(run, said)


def _recorded(run: BenchRun, prompts: Sequence[int], outputs: Sequence[int]) -> _Lengths:
    """Return recorded lengths; a request without an answer is its prompt and one token."""
    kept = [row for row, prompt in enumerate(prompts) if prompt > 0]
    notes = []
    if len(kept) < len(prompts):
        notes.append(f"{len(prompts) - len(kept)} requests without a prompt are left out")
    empty = sum(outputs[row] < 1 for row in kept)
    if empty:
        notes.append(
            f"{empty} requests without an answer are replayed as prompts with one token, not compared"
        )
    return _Lengths(
        tuple(prompts[row] for row in kept),
        tuple(max(1, outputs[row]) for row in kept),
        tuple(kept) if run.requests is not None else None,
        tuple(notes),
    )


def _means(run: BenchRun, said: ToldLoad) -> _Lengths:
    """Return lengths that are all alike, as far as whole tokens can be."""
    prompt = said.prompt_tokens if said.prompt_tokens is not None else run.prompt_tokens
    output = said.output_tokens if said.output_tokens is not None else run.output_tokens
    count, notes = said.requests or run.completed, []
    concurrency = said.concurrency or run.max_concurrency
    if count is None and concurrency is not None:
        count = ROUNDS * concurrency
        notes.append(f"the file does not say how many requests there were: {count} are simulated")
    asked = {"prompt_tokens": prompt, "output_tokens": output, "requests": count}
    if count is not None and count > MOST_REQUESTS:
        told = f"{count:.4g} requests are more than the {MOST_REQUESTS} that can be simulated"
        message = f"{run.where}: {told}: give --requests, or requests in {beside(run.path).name}"
        raise TraceFormatError(message)
    missing = [name for name, value in asked.items() if value is None]
    if missing:
        raise TraceFormatError(_ask(run, "says nothing of " + ", ".join(missing), missing))
    notes.append(f"all requests have the mean lengths, {prompt:.6g} and {output:.6g} tokens")
    numbers = range(1, (count or 0) + 1)
    return _Lengths(_even(prompt or 1.0, numbers), _even(output or 1.0, numbers), None, tuple(notes))


def _even(mean: float, numbers: range) -> tuple[int, ...]:
    """Return whole numbers as even as they can be with this mean."""
    reached = [math.floor(mean * number + 0.5) for number in (0, *numbers)]
    return tuple(max(1, later - earlier) for earlier, later in pairwise(reached))


def _ask(run: BenchRun, what: str, names: Sequence[str]) -> str:
    options = ", ".join(
        f"--{name.removesuffix('_per_s').removesuffix('_s').replace('_', '-')}" for name in names
    )
    return (
        f"{run.where}: {what}, which a replay needs: give {options}, or {', '.join(names)} in "
        f"{beside(run.path).name} beside it"
    )


def _arrivals(
    run: BenchRun, said: ToldLoad, lengths: _Lengths, seed: int
) -> tuple[dict[str, Any], tuple[int, ...] | None, str]:
    """Return the arrivals of a scenario, the rows in their order, and the load in words."""
    count, own = len(lengths.prompts), said.concurrency is None and said.rate_per_s is None
    if said.concurrency or (own and run.is_closed_loop):
        limit = min(said.concurrency or run.max_concurrency or 1, count)
        load = f"{count} requests, {limit} in flight"
        return _closed(lengths, limit), lengths.rows, load
    starts = None if run.requests is None or not own else run.requests.start_s
    if starts is not None and lengths.rows is not None:
        order = sorted(range(count), key=lambda place: starts[(lengths.rows or ())[place]])
        times = [starts[lengths.rows[place]] for place in order]
        load = f"measured arrivals of {count} requests over {times[-1] - times[0]:.4g} s"
        rows = tuple(lengths.rows[place] for place in order)
        return _open(lengths, order, [time - times[0] for time in times]), rows, load
    rate = said.rate_per_s if said.rate_per_s is not None else run.request_rate_per_s
    if rate is None:
        raise TraceFormatError(_ask(run, NO_START, ("concurrency", "rate_per_s")))
    if math.isinf(rate):
        return _open(lengths, range(count), [0.0] * count), lengths.rows, f"{count} requests, all at once"
    drawn = _drawn(rate, 1.0 if said.rate_per_s is not None else run.gap_cv, count, seed)
    load = f"{count} requests at {rate:.4g} a second, arrivals drawn with seed {seed}"
    return _open(lengths, range(count), drawn), lengths.rows, load


def _drawn(rate: float, gap_cv: float, count: int, seed: int) -> list[float]:
    if gap_cv < LEAST_CV:
        return [number / rate for number in range(count)]
    process = PoissonArrivals(rate_per_s=rate) if gap_cv == 1.0 else GammaArrivals(rate_per_s=rate, cv=gap_cv)
    times = process.times_s(count, Streams(seed))
    return [float(time) for time in times - times[0]]


def _closed(lengths: _Lengths, limit: int) -> dict[str, Any]:
    return {
        "kind": "closed_loop",
        "concurrency": limit,
        "prompt_tokens": lengths.prompts,
        "output_tokens": lengths.outputs,
    }


def _open(lengths: _Lengths, order: Sequence[int], times: Sequence[float]) -> dict[str, Any]:
    return {
        "kind": "trace",
        "arrivals_s": tuple(times),
        "prompt_tokens": tuple(lengths.prompts[place] for place in order),
        "output_tokens": tuple(lengths.outputs[place] for place in order),
    }


def _scenario(scenario: Scenario, run: BenchRun, arrivals: dict[str, Any]) -> Scenario:
    """Return `scenario` with other arrivals and lengths, one node for each request."""
    outputs = arrivals["output_tokens"]
    try:
        workload = Workload.model_validate(
            {
                "tasks": {"kind": "synthetic", "count": len(outputs), "prompt_tokens": 1},
                "lengths": {"kind": "constant", "tokens": 1},
                "outcomes": {"kind": "fixed", "solve_probability": 1.0},
                "strategy": {"kind": "long_cot"},
                "arrivals": arrivals,
                "max_tokens": int(np.max(outputs)),
                "shared_prefix_tokens": scenario.workload.shared_prefix_tokens,
            }
        )
        made = Scenario(
            schema=1,
            name=scenario.name,
            hardware=scenario.hardware,
            model=scenario.model,
            parallelism=scenario.parallelism,
            engine=scenario.engine,
            workload=workload,
            report=scenario.report.model_copy(update={"horizon_s": None, "window": "whole", "seeds": 1}),
            seed=scenario.seed,
        )
    except ValidationError as error:
        told = [
            f"{run.where}: a request does not fit the scenario: {_told(fault)}"
            for fault in error.errors()[:MOST_FAULTS]
        ]
        raise ScenarioError(told) from error
    mistakes = mistakes_in(made)
    if mistakes:
        raise ScenarioError([f"{run.where}: {text}" for text in mistakes])
    capacity_of(made)
    return made


def _told(fault: Any) -> str:  # noqa: ANN401 - pydantic's table of one fault
    where = ".".join(str(part) for part in fault["loc"])
    return f"{where}: {fault['msg']}" if where else str(fault["msg"]).removeprefix("Value error, ")


def _left_out(run: BenchRun, said: ToldLoad) -> list[str]:
    """Return what of the run is not replayed."""
    found = []
    limit, rate = run.max_concurrency, run.request_rate_per_s
    is_own = said.concurrency is None and said.rate_per_s is None
    drawn = run.requests is None or run.requests.start_s is None
    if is_own and drawn and limit is not None and rate is not None and not math.isinf(rate):
        found.append(f"the client's limit of {limit} requests in flight beside its rate is not replayed")
    if run.failed and run.requests is None:
        found.append(f"{run.failed} requests failed; the figures of the file are of the others")
    if run.tokens_per_step is not None and run.tokens_per_step > 1.0:
        found.append(f"{run.tokens_per_step:.3g} tokens a step by speculation are not replayed")
    return found
