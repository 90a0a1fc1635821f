"""Five lines about one scenario, made from its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from simulator.explaining.doubling import FIGURES, NO_CHANGE, Gain
from simulator.explaining.explanation import Explanation
from simulator.explaining.machine_time import PARTS as MACHINE_PARTS
from simulator.metrics.headline import TASK_TIME, times
from simulator.metrics.intervals import Interval
from simulator.metrics.measures import HEADLINE
from simulator.report.quantities import digits, written

WORTH_NAMING: Final = 0.05
"""Parts below this share of the time are not named."""

MOST_NAMED: Final = 3
"""Parts and doublings that a sentence names."""


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
    rate = digits(_figure(found, HEADLINE.path))
    task = written(_figure(found, TASK_TIME), "s")
    step_s = sum(one.step_seconds for one in found.operation_times)
    batch = digits(_figure(found, "load.batch_sequences.mean"), 3)
    arrivals = "; the arrivals set this rate, not the node" if found.target[0] == TASK_TIME else ""
    return (
        f"{found.side.name} solves {rate} tasks/s on {plan['gpus']} x {plan['gpu']} with a mean batch of "
        f"{batch} per replica and {written(step_s, 's')} a step; a task takes {task}{arrivals}."
    )


def _where(found: Explanation) -> str:
    machine = found.time["machine"]["parts"]
    shares = {name: figures["share_ratio"] for name, figures in machine.items()}
    idle = shares.pop("idle")
    named = sorted(shares, key=lambda name: -shares[name])[:MOST_NAMED]
    parts = [
        f"{shares[name]:.0%} on {MACHINE_PARTS[name].partition(':')[0]}"
        for name in named
        if shares[name] >= WORTH_NAMING
    ]
    spent = f"GPUs spend {_joined(parts)}" if parts else "GPUs spend next to no time stepping"
    return f"{spent}, and are idle {idle:.0%} of the time{_of_tasks(found)}."


def _of_tasks(found: Explanation) -> str:
    """Return what else a task's time goes into, where that is worth a word."""
    task = found.time["task"]
    if task is None:
        return ""
    words = {"queueing": "in the queue", "stragglers": "for stragglers", "tools": "for tools"}
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
    helping = [gain for gain in _resources(found) if not gain.is_none]
    if not helping:
        return f"Nothing that was doubled gains more than {NO_CHANGE:.0%}: {_why_nothing(found)}."
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
    idle = found.time["machine"]["parts"]["idle"]["share_ratio"]
    if idle >= 0.5:  # noqa: PLR2004 - more than half of the time
        return "there is too little to do"
    return "the limit is spread over several resources, or luck hides it; more seeds would tell"


def _does_not_help(found: Explanation) -> str:
    idle = [g for g in _resources(found) if g.is_none and not g.refusal and not g.may_be_luck]
    luck = [gain for gain in _resources(found) if gain.may_be_luck]
    refused = [gain.resource.label for gain in found.gains if gain.refusal]
    told = f" Cannot be run: {_joined(refused)}." if refused else ""
    if luck:
        named = [f"{gain.resource.label} ({_times(gain.gain)})" for gain in luck]
        told = f" Cannot be told from luck; more seeds would tell: {_joined(named)}.{told}"
    if not found.gains:
        return "So what would not help is not known either."
    if not idle and luck:
        return told.strip()
    if not idle:
        return f"Of what was doubled, everything helps by more than {NO_CHANGE:.0%}.{told}"
    named = [f"{gain.resource.label} ({_times(gain.gain)})" for gain in idle]
    return f"Would not help: {_joined(named)}.{told}"


def _room(found: Explanation) -> str:
    light = found.speed_of_light_ratio
    bound = (
        "The steps have no operations to bound"
        if not light
        else f"At the data sheet's bound the steps would take {light:.0%} of their time"
    )
    load = next((gain for gain in found.gains if gain.resource.kind == "load"), None)
    if load is None or load.refusal:
        return f"{bound}."
    ratios = load.ratios
    rate = next((ratios[path] for path in FIGURES if path != TASK_TIME and ratios[path]), None)
    slower = ratios.get(TASK_TIME)
    told = f"{_times(rate)} the rate and {_times(slower)} the task time"
    return f"{bound}; {load.resource.label} gives {told}."


def _joined(words: Sequence[str]) -> str:
    if len(words) < 2:  # noqa: PLR2004 - nothing to join
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"
