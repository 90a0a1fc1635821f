"""Five lines about one scenario, made from its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Final

from simulator.explaining.doubling import BY_TOKENS, FIGURES, NO_CHANGE, Gain, figures_of
from simulator.explaining.explanation import Explanation
from simulator.explaining.machine_time import PARTS as MACHINE_PARTS
from simulator.explaining.targets import is_open, load_sets_rate, rate_under_twice_the_load
from simulator.metrics.headline import times
from simulator.metrics.intervals import Interval
from simulator.metrics.keeping_up import TASK_TIME
from simulator.metrics.measures import HEADLINE
from simulator.report.quantities import digits, written

WORTH_NAMING: Final = 0.05
"""Parts below this share of the time are not named."""

MOST_NAMED: Final = 3
"""Parts and doublings that a sentence names."""

HARDLY: Final = 0.01
"""Trials that wait, over those that run, below which the load bounds the batch."""

FULL: Final = 0.95
"""Part of the KV memory from which it is full: a sequence that does not fit leaves some of it free."""


def five_lines(found: Explanation) -> list[str]:
    """Return what a scenario does, where its time goes, what helps most, what does not, and how much room."""
    return [_what(found), _where(found), _helps(found), _does_not_help(found), _room(found)]


def _figure(found: Explanation, path: str) -> float | None:
    """Return the mean of a figure over seeds."""
    metrics = found.comparison.summary["variants"][found.side.name]["metrics"]
    interval = metrics[path]
    return None if interval is None else interval["estimate"]


def _what(found: Explanation) -> str:
    plan = found.results[0].summary["plan"]
    step_s = sum(one.step_seconds for one in found.operation_times)
    batch = _figure(found, "load.batch_sequences.mean")
    steps = (
        f"a mean batch of {digits(batch, 3)} per replica and {written(step_s, 's')} a step{_batch(found)}"
        if step_s and batch is not None
        else "no step that ended"
    )
    task_s = _figure(found, TASK_TIME)
    task = "no task was answered" if task_s is None else f"a task takes {written(task_s, 's')}"
    load = ""
    if found.target[0] == TASK_TIME:
        whose = "arrivals set" if is_open(found.results[0]) else "load sets"
        load = f"; the {whose} this rate, not the node"
    return f"{found.side.name} {_rate(found)} on {plan['gpus']} x {plan['gpu']}, with {steps}; {task}{load}."


def _rate(found: Explanation) -> str:
    """Say how many tasks are solved, and where none is, what else is known."""
    rate, tasks = _figure(found, HEADLINE.path), _figure(found, "throughput.tasks_per_s")
    if rate:
        return f"solves {digits(rate)} tasks/s"
    if tasks:
        return f"solves none of the {digits(tasks)} tasks/s that end"
    by_tokens = [figures_of(result.summary)[BY_TOKENS] for result in found.results]
    known = [value for value in by_tokens if value is not None]
    if known and len(known) == len(by_tokens):
        return f"solves {digits(fmean(known), 3)} tasks/s by its output tokens (no task ends in the window)"
    return "ends no task in the window"


def _batch(found: Explanation) -> str:
    """Say what bounds the batch in the window: what is full, or the load where hardly a trial waits."""
    waiting, running = (_figure(found, f"load.{key}_mean") for key in ("waiting", "running"))
    if not running or waiting is None:
        return ""
    waits = waiting > HARDLY * running
    full = []
    # A preempted trial counts as running, so memory can be full though none waits for its first admission.
    if (waits or _figure(found, "load.preemptions")) and (
        _figure(found, "load.kv_occupancy_max_ratio") or 0.0
    ) >= FULL:
        given = found.side.scenario.engine.kv.blocks is not None
        full.append("engine.kv.blocks" if given else "KV memory")
    largest = _figure(found, "load.batch_sequences.max")
    if waits and largest is not None and largest >= found.side.scenario.engine.max_sequences:
        full.append("engine.max_sequences")
    if full:
        return f" (bounded by {_joined(full)})"
    return "" if waits else " (bounded by the load: hardly a trial waits)"


def _where(found: Explanation) -> str:
    machine = found.time["machine"]["parts"]
    shares = {name: figures["share_ratio"] for name, figures in machine.items()}
    idle = shares.pop("idle")
    named = sorted(shares, key=lambda name: -shares[name])[:MOST_NAMED]
    parts = [f"{shares[name]:.0%} on {_part(name)}" for name in named if shares[name] >= WORTH_NAMING]
    spent = f"GPUs spend {_joined(parts)}" if parts else "GPUs spend next to no time stepping"
    comma = "," if len(parts) > 1 else ""
    return f"{spent}{comma} and are idle {idle:.0%} of the time{_of_tasks(found)}."


def _part(name: str) -> str:
    """Return what a part of the GPUs' time is called in a sentence."""
    return "steps of constant time" if name == "constant" else MACHINE_PARTS[name].partition(":")[0]


def _of_tasks(found: Explanation) -> str:
    """Return what else a task's time goes into, where that is worth a word."""
    task = found.time["task"]
    if task is None:
        return ""
    words = {
        "queueing": "in the queue",
        "stragglers": "for stragglers",
        "verdicts": "for verdicts",
        "tools": "for tools",
    }
    waits = [
        f"{task['parts'][name]['share_ratio']:.0%} {text}"
        for name, text in words.items()
        if task["parts"][name]["share_ratio"] >= WORTH_NAMING
    ]
    return f"; of its time a task waits {_joined(waits)}" if waits else ""


def _resources(found: Explanation) -> list[Gain]:
    return [gain for gain in found.gains if gain.resource.kind != "load"]


def _helps(found: Explanation) -> str:
    if not found.gains:
        return "What would help was not asked for: nothing was doubled."
    if all(gain.gain is None for gain in _resources(found)):
        return "What would help cannot be told: no throughput is known for every seed."
    helping = [gain for gain in _resources(found) if not gain.is_none]
    if not helping:
        return f"No resource that was doubled gains more than {NO_CHANGE:.0%}{_why_nothing(found)}."
    best, *others = helping[:MOST_NAMED]
    what = f"{_goal(found)} ({_sureness(best.gain)})"
    rest = [f"{gain.resource.label} {_times(gain.gain)}" for gain in others]
    then = f"; then {_joined(rest)}" if rest else ""
    return f"Most would help {best.resource.label}: {_times(best.gain)} {what}{then}."


def _goal(found: Explanation) -> str:
    path, less_is_better = found.target
    return "as fast an answer" if less_is_better else f"the {FIGURES[path]}"


def _times(gain: Interval | None) -> str:
    return "-" if gain is None else f"{times(gain.estimate)} times"


def _sureness(gain: Interval | None) -> str:
    if gain is None or gain.low is None or gain.high is None:
        return "one seed, no interval"
    return f"{times(gain.low)} to {times(gain.high)}"


def _why_nothing(found: Explanation) -> str:
    """Say why no resource helps; nothing where that is not known."""
    if any(gain.may_be_luck for gain in _resources(found)):
        return " for sure: luck may hide it; more seeds would tell"
    if found.time["machine"]["parts"]["constant"]["share_ratio"] >= WORTH_NAMING:
        return ": the step time is constant, whatever the hardware"
    return ": the load sets the rate" if load_sets_rate(found.gains) else ""


def _does_not_help(found: Explanation) -> str:
    known = [gain for gain in _resources(found) if gain.gain is not None]
    idle = [gain for gain in known if gain.is_none and not gain.may_be_luck]
    luck = [gain for gain in known if gain.may_be_luck]
    refused = [gain.resource.label for gain in found.gains if gain.refusal]
    if not found.gains or not known:
        told = ["So what would not help is not known either."]
    elif idle:
        named = [f"{gain.resource.label} ({_times(gain.gain)})" for gain in idle]
        told = [f"Would not help: {_joined(named)}."]
    else:
        told = [] if luck else [f"Of what was doubled, everything helps by more than {NO_CHANGE:.0%}."]
    if luck:
        named = [f"{gain.resource.label} ({_times(gain.gain)})" for gain in luck]
        told.append(f"Cannot be told from luck; more seeds would tell: {_joined(named)}.")
    if refused:
        told.append(f"Cannot be run: {_joined(refused)}.")
    return " ".join(told)


def _room(found: Explanation) -> str:
    light = found.speed_of_light_ratio
    bound = (
        "The steps have no operations to bound"
        if not light
        else f"At the data sheet's bound the steps would take {light:.0%} of their time"
    )
    load = next((gain for gain in found.gains if gain.resource.kind == "load"), None)
    slower = None if load is None else load.ratios.get(TASK_TIME)
    told = [
        f"{_times(ratio)} {what}"
        for ratio, what in ((rate_under_twice_the_load(found.gains), "the rate"), (slower, "the task time"))
        if ratio is not None
    ]
    if load is None or not told:
        return f"{bound}."
    return f"{bound}; {load.resource.label} gives {_joined(told)}."


def _joined(words: Sequence[str]) -> str:
    if len(words) < 2:  # noqa: PLR2004 - nothing to join
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"
