"""What it is worth to spend trials and KV budgets by what has come out so far, and how far the bound is.

Compared at equal solving rates (`simulator.studies.frontier`), between families of settings: fixed numbers of
trials and budgets, adaptive numbers of trials, adaptive trials and budgets, and an oracle.  What a small
budget loses is an assumption (`workloads.budget_loss`), so the study is made under three of them.  Without a
loss two more families look at running trials: adaptive ones that are stopped where their task has written all
it may, and, as what that has to beat, fixed ones whose length is capped.

A mixture that the same seeds choose and judge has the wanted rate there by construction and costs least in
part by luck, so what fixed and adaptive families choose at `QUOTED` is run again with seeds of its own.

The cost of a task is worked out for an endless run: the output tokens of a task, over all tasks, through
output tokens per second (or joules per token) in the steady part of the run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from math import fsum
from typing import Final

import pandas as pd

from simulator.metrics.intervals import Interval, paired_ratio, t_interval
from simulator.report.chart import Axis, Chart, Panel, Series
from simulator.scenario.loader import load_scenario
from simulator.studies.frontier import Spent, cheapest, least_cost
from simulator.studies.points import Point, run_points
from simulator.studies.study import Budget, Study
from simulator.studies.tables import CONFIDENCE

SCENARIO: Final = "kinetics/open/adaptive"
LOSSES: Final[Mapping[str, object]] = {
    "none": None,
    "0.005": {"half_ratio": 0.005},
    "0.02": {"half_ratio": 0.02},
}
"""Assumed losses by half_ratio: none; what meets the oracle curves of the paper best; four times that."""

FIXED: Final = "fixed trials and budget"
CAPPED: Final = "fixed trials, length capped"
TRIALS: Final = "adaptive trials"
STOPPED: Final = "adaptive trials, stopped as they run"
BOTH: Final = "adaptive trials and budgets"
ORACLE: Final = "bound: knows outcomes"
LUCKY: Final = "bound: skips failures too"
FAMILIES: Final = (FIXED, TRIALS, BOTH, ORACLE, LUCKY, CAPPED, STOPPED)

CHECKED: Final = (FIXED, TRIALS, BOTH)
"""Families whose choice is judged by seeds that did not make it."""

ALSO: Final = {CAPPED: FIXED, STOPPED: TRIALS}
"""Families that may choose the settings of another as well: no cap, no stop."""

LADDER: Final = (128, 256, 512, 1024)
"""KV budgets, tokens."""

BUDGET_RULES: Final[Mapping[str, Mapping[str, object]]] = {
    "careful": {"first_budget_tokens": 256, "budget_ratio": 0.01},
    "generous": {"first_budget_tokens": 512, "budget_ratio": 0.03, "raise_after": 1},
}
"""How the KV budget of a trial is chosen; each was among the best of eight under one loss."""

CAPS: Final = (12_000, 16_000, 24_000)
"""Caps on the length of fixed trials, tokens, below that of the benchmark."""

BOUNDS: Final[Mapping[str, tuple[int | None, ...]]] = {
    ORACLE: (15_000, 30_000, 45_000, 60_000, 90_000, None),
    LUCKY: (8_000, 12_000, 20_000, None),
}
"""Output of a task up to which a bound takes it, tokens: so close that mixtures cost little more."""

MOST_TRIALS: Final = 16
LEVELS: Final = (0.55, 0.58, 0.60, 0.62, 0.64, 0.66)
"""Solving rates at which the families are compared."""

QUOTED: Final = 0.64
THOUSAND: Final = 1000.0
"""From here on figures are written whole, below with three digits."""

IN_FLIGHT: Final = 128
"""Trials in progress or waiting, twice the places of the batch, so that it is always full."""

MEASURES: Final = {
    "rate": "quality.solving_rate.estimate",
    "trials": "quality.trials_per_task",
    "tokens_per_task": "quality.output_tokens_per_task",
    "tokens_per_s": "throughput.output_tokens_per_s",
    "joules_per_token": "energy.joules_per_output_token",
    "batch": "load.batch_sequences.mean",
    "task_s": "latency.task_s.mean",
}


def run(budget: Budget) -> pd.DataFrame:
    """Return what each setting costs and solves, by loss and family.

    ``fresh`` marks the runs that judge the mixtures chosen by the others, with as many seeds after theirs.
    """
    points = [point for loss in LOSSES for point in _points(loss, quick=budget.quick)]
    frame = _costed(run_points(points, MEASURES, budget)).assign(fresh=False)
    again = fresh_points(points, frame, budget.seeds)
    if not again:
        return frame
    judging = _costed(run_points(again, MEASURES, budget)).assign(fresh=True)
    return pd.concat([frame, judging], ignore_index=True)


def fresh_points(points: Sequence[Point], frame: pd.DataFrame, seeds: int) -> list[Point]:
    """Return those of `points` that the families of `CHECKED` choose by `frame`, from seed `seeds` on."""
    wanted = {
        (loss, family, setting)
        for loss, family in product(LOSSES, CHECKED)
        for setting in chosen(frame, loss, family, QUOTED)
    }
    return [
        Point(point.labels, point.scenario.model_copy(update={"seed": point.scenario.seed + seeds}))
        for point in points
        if tuple(point.labels.values()) in wanted
    ]


def _costed(frame: pd.DataFrame) -> pd.DataFrame:
    # One GPU, so its seconds are those of the clock.
    frame["gpu_s_per_task"] = frame["tokens_per_task"] / frame["tokens_per_s"]
    frame["joules_per_task"] = frame["tokens_per_task"] * frame["joules_per_token"]
    return frame


def _points(loss: str, *, quick: bool) -> Iterator[Point]:
    for family, setting, changes in _settings(lossless=LOSSES[loss] is None, quick=quick):
        overrides: dict[str, object] = {**changes, "workload.budget_loss": LOSSES[loss], "variants": None}
        if quick:
            overrides["workload.tasks.repeats"] = 1
        scenario = load_scenario(SCENARIO, overrides=overrides)
        yield Point({"loss": loss, "family": family, "setting": setting}, scenario)


_Setting = tuple[str, str, dict[str, object]]


def _settings(*, lossless: bool, quick: bool) -> Iterator[_Setting]:
    """Yield the settings of all families; where budgets lose nothing, the smallest alone is of interest."""
    ladder = LADDER[:1] if lossless else LADDER
    yield from _fixed(ladder[-2:] if quick else ladder, (1, 8) if quick else (1, 2, 3, 4, 6, 8))
    gives_up = (30_000, 120_000) if quick else (30_000, 45_000, 70_000, 120_000)
    yield from _adaptive(ladder[-3:], gives_up)
    if lossless:
        yield from _capped(ladder[0], (1, 4) if quick else (1, 2, 3, 4))
        yield from _stopped(ladder[0], (15_000, *gives_up) if quick else (15_000, 20_000, *gives_up))
    else:
        yield from _adaptive_budgets(gives_up)
    yield from _oracles(ladder)


def _setting(
    family: str, text: str, strategy: dict[str, object], *, width: int = 1, budget: int = 512
) -> _Setting:
    changes: dict[str, object] = {
        "workload.strategy": strategy,
        "model.attention.kv_budget_tokens": budget,
        "workload.arrivals.concurrency": IN_FLIGHT // width,
    }
    return family, text, changes


def _fixed(budgets: Sequence[int], numbers: Sequence[int]) -> Iterator[_Setting]:
    for trials, budget in product(numbers, budgets):
        yield _setting(
            FIXED, f"{trials} trials, budget {budget}", _best_of(trials), width=trials, budget=budget
        )


def _best_of(trials: int) -> dict[str, object]:
    return {"kind": "best_of_n", "trials": trials, "stop_at_first_success": True}


def _capped(budget: int, numbers: Sequence[int]) -> Iterator[_Setting]:
    for trials, cap in product(numbers, CAPS):
        text = f"{trials} trials of {cap} tokens at most"
        family, _, changes = _setting(CAPPED, text, _best_of(trials), width=trials, budget=budget)
        yield family, text, changes | {"workload.max_tokens": cap}


def _stopped(budget: int, gives_up: Sequence[int]) -> Iterator[_Setting]:
    for tokens in gives_up:
        strategy = _waves(tokens) | {"stop_at_bound": True}
        yield _setting(STOPPED, f"stopped at {tokens} tokens, budget {budget}", strategy, budget=budget)


def _waves(tokens: int) -> dict[str, object]:
    waves = {"kind": "adaptive", "first_wave": 1, "wave": 1, "max_trials": MOST_TRIALS}
    return {**waves, "give_up_tokens": tokens}


def _adaptive(budgets: Sequence[int], gives_up: Sequence[int]) -> Iterator[_Setting]:
    for tokens, budget in product(gives_up, budgets):
        yield _setting(TRIALS, f"up to {tokens} tokens, budget {budget}", _waves(tokens), budget=budget)


def _adaptive_budgets(gives_up: Sequence[int]) -> Iterator[_Setting]:
    for tokens, (name, rule) in product(gives_up, BUDGET_RULES.items()):
        strategy = {**_waves(tokens), **rule, "kv_budgets_tokens": list(LADDER)}
        yield _setting(BOTH, f"up to {tokens} tokens, {name}", strategy)


def _oracles(ladder: Sequence[int]) -> Iterator[_Setting]:
    for family, bounds in BOUNDS.items():
        for tokens in bounds:
            strategy: dict[str, object] = {"kind": "oracle", "max_trials": MOST_TRIALS, "most_tokens": tokens}
            strategy |= {"kv_budgets_tokens": list(ladder), "skips_failures": family == LUCKY}
            yield _setting(family, "all" if tokens is None else f"up to {tokens} tokens", strategy)


def costs(frame: pd.DataFrame, loss: str, family: str, level: float, cost: str) -> list[float]:
    """Return the least cost of a task at a solving rate, one for each seed; NaN where it is not reached."""
    return [least_cost(settings, level) for settings in _by_seed(frame, loss, family, cost)]


def _by_seed(frame: pd.DataFrame, loss: str, family: str, cost: str) -> list[list[Spent]]:
    """Return what the settings of a family spend on a task, a list for each seed."""
    families = {family, ALSO.get(family, family)} if family in set(frame["family"]) else set()
    rows = frame[(frame["loss"] == loss) & frame["family"].isin(families) & ~frame["fresh"]]
    return [list(map(Spent, one[cost], one["rate"])) for _, one in rows.groupby("seed", sort=False)]


def chosen(frame: pd.DataFrame, loss: str, family: str, level: float) -> dict[str, float]:
    """Return the mixture that is cheapest by means over seeds, GPU seconds: part of the tasks by setting.

    Empty where no mixture reaches the rate.  Runs that judge have no say.
    """
    rows = frame[(frame["loss"] == loss) & (frame["family"] == family) & ~frame["fresh"]]
    means = rows.groupby("setting", sort=False)[["gpu_s_per_task", "rate"]].mean()
    mixture = cheapest(list(map(Spent, means["gpu_s_per_task"], means["rate"])), level)
    if mixture is None:
        return {}
    parts = ((mixture.low, 1.0 - mixture.share), (mixture.high, mixture.share))
    return {str(means.index[place]): part for place, part in parts if place is not None and part > 0.0}


def judged(frame: pd.DataFrame, loss: str, family: str, level: float) -> list[Spent]:
    """Return what the chosen mixture spends and solves in each run that had no say in it; GPU seconds."""
    parts = chosen(frame, loss, family, level)
    rows = frame[(frame["loss"] == loss) & (frame["family"] == family) & frame["fresh"]]
    found = []
    for _, one in rows.groupby("seed", sort=False):
        of = one.set_index("setting")
        cost, rate = (
            fsum(part * float(of[column][setting]) for setting, part in parts.items())
            for column in ("gpu_s_per_task", "rate")
        )
        found.append(Spent(cost, rate))
    return found


def gain(
    frame: pd.DataFrame, loss: str, family: str, level: float, cost: str, *, over: str = FIXED
) -> Interval | None:
    """Return how many times less than another a family spends at a solving rate, paired by seed."""
    other, found = (costs(frame, loss, one, level, cost) for one in (over, family))
    return paired_ratio(found, other, CONFIDENCE) if found and other else None


def charts(frame: pd.DataFrame) -> list[Chart]:
    """Return solved tasks per GPU second by solving rate, one panel per assumed loss."""
    panels = []
    for loss in LOSSES:
        lines = [_line(frame, loss, family, place) for place, family in _placed(frame, loss)]
        title = (
            "no loss by small budgets" if loss == "none" else f"assumed loss, half at {loss} of the context"
        )
        panels.append(
            Panel(
                tuple(lines),
                Axis("solving rate", ticks=LEVELS),
                Axis("solved tasks/s per GPU", log=True),
                title,
            )
        )
    caption = (
        "LiveCodeBench-like tasks, Qwen3-8B, block top-k, one B200 that always has 64 trials in progress. At "
        "each solving rate the cheapest setting of a family, or mixture of two. Means over seeds with 95 % "
        "intervals. Losses are assumed, not measured; no server can reach the bounds."
    )
    return [Chart("adaptive", "Adaptive allocation of trials and KV budgets", caption, tuple(panels))]


def _placed(frame: pd.DataFrame, loss: str) -> Iterator[tuple[int, str]]:
    """Yield the families that were run under a loss, each with its own place in all charts."""
    run = set(frame["family"][frame["loss"] == loss])
    return ((place, family) for place, family in enumerate(FAMILIES) if family in run)


def _line(frame: pd.DataFrame, loss: str, family: str, place: int) -> Series:
    levels, found = [], []
    for level in LEVELS:
        per_task = costs(frame, loss, family, level, "gpu_s_per_task")
        if all(cost > 0.0 for cost in per_task):
            levels.append(level)
            found.append(t_interval([level / cost for cost in per_task], CONFIDENCE))
    low, high = [one.low for one in found], [one.high for one in found]
    bound = family in (ORACLE, LUCKY)
    estimates = [one.estimate for one in found]
    return Series(family, levels, estimates, place, low=low, high=high, dashed=bound)


def answer(frame: pd.DataFrame) -> str:
    """Return how far each family gets above the best fixed setting at one solving rate."""
    return "\n".join(_sentence(frame, loss) for loss in LOSSES)


def _sentence(frame: pd.DataFrame, loss: str) -> str:
    per_task = costs(frame, loss, FIXED, QUOTED, "gpu_s_per_task")
    name = "Without a loss" if loss == "none" else f"With an assumed loss of half_ratio {loss}"
    if any(not cost > 0.0 for cost in per_task):
        return f"{name}, no fixed setting solves {QUOTED:.0%} of the tasks."
    rates = t_interval([QUOTED / cost for cost in per_task], CONFIDENCE)
    seconds = t_interval([cost / QUOTED for cost in per_task], CONFIDENCE)
    joules = costs(frame, loss, FIXED, QUOTED, "joules_per_task")
    energy = t_interval([cost / QUOTED for cost in joules], CONFIDENCE)
    return (
        f"{name}, at a solving rate of {QUOTED:.0%} the best fixed trials and budgets solve {_said(rates)} "
        f"tasks/s per GPU ({_said(seconds)} GPU-s and {_said(energy)} J per solved task). "
        f"{'; '.join(_gains(frame, loss))}."
    )


def _gains(frame: pd.DataFrame, loss: str) -> Iterator[str]:
    families = [family for _, family in _placed(frame, loss)]
    for family in families[1:]:
        speed, energy = (
            gain(frame, loss, family, QUOTED, cost) for cost in ("gpu_s_per_task", "joules_per_task")
        )
        if speed is None or energy is None:
            yield f"{family}: not reached"
        else:
            yield f"{family}: {_said(speed)} times as many, {_said(energy)} times as many per joule"
    chosen = gain(frame, loss, BOTH, QUOTED, "gpu_s_per_task", over=TRIALS)
    if chosen is not None:
        yield f"budgets chosen per trial against the best one for all: {_said(chosen)}"
    if STOPPED in families:
        for other, name in ((TRIALS, "adaptive trials alone"), (CAPPED, "fixed trials, capped or not")):
            yield f"running trials stopped, against {name}: {_by_level(frame, loss, STOPPED, other)}"
    for family in (TRIALS, BOTH):
        told = _checked(frame, loss, family)
        if told:
            yield told


def _by_level(frame: pd.DataFrame, loss: str, family: str, over: str) -> str:
    """Return the gain of a family over another at each solving rate that both reach."""
    found = {level: gain(frame, loss, family, level, "gpu_s_per_task", over=over) for level in LEVELS}
    return ", ".join(f"{_said(one)} at {level:.0%}" for level, one in found.items() if one is not None)


def _checked(frame: pd.DataFrame, loss: str, family: str) -> str:
    """Say whether rates are equal and the gain is the same on seeds that did not choose the mixtures."""
    fixed, found = (judged(frame, loss, one, QUOTED) for one in (FIXED, family))
    if not fixed or not found:
        return ""
    more = t_interval(
        [100 * (one.rate - other.rate) for one, other in zip(found, fixed, strict=True)], CONFIDENCE
    )
    spent, other = ([one.cost / one.rate for one in some] for some in (found, fixed))
    times = paired_ratio(spent, other, CONFIDENCE)
    if times is None:
        return ""
    return (
        f"judged by {len(found)} seeds that did not choose the mixtures, {family} solve "
        f"{_said(more, 'z.2f')} percentage points more of the tasks than fixed, {_said(times)} times as many "
        "per second"
    )


def _said(interval: Interval, form: str = "") -> str:
    """Return an interval as text, by default with three digits, whole from a thousand on."""
    if not form:
        form = ",.0f" if interval.estimate >= THOUSAND else ".3g"
    if interval.low is None or interval.high is None:
        return f"{interval.estimate:{form}}"
    return f"{interval.estimate:{form}} ({interval.low:{form}} to {interval.high:{form}})"


STUDY: Final = Study(
    name="adaptive",
    question="How far does adaptive allocation get above the best fixed one, and how far is the bound?",
    scenario=SCENARIO,
    run=run,
    charts=charts,
    answer=answer,
)
