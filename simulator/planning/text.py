"""The answer to a plan as text for a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import Final

from simulator.planning.answering import Answer, told_labels
from simulator.planning.bisecting import Bracket, Try
from simulator.planning.evaluating import Evaluated
from simulator.planning.goals import LABELS, LAG, UNITS, Bound
from simulator.report.quantities import MISSING, digits, scale_of, written
from simulator.sweeps.text import short

WIDTH: Final = 110
MOST_PLANS: Final = 10
"""Plans that are printed."""

MOST_EFFECTS: Final = 30
"""Changes that are printed."""

BAR: Final = 24
NEGLIGIBLE: Final = 0.002
"""Relative change that is not worth a line."""


def render(answer: Answer) -> str:
    """Return the answer, what it rests on, and what was tried."""
    if answer.bracket is not None:
        lines = [*_of_bracket(answer, answer.bracket)]
    elif answer.best:
        lines = [*_of_best(answer)]
    else:
        lines = [*wrap(answer.unmet[:1].upper() + answer.unmet[1:] + ".", WIDTH)]
    kept = f", {answer.kept:,} of them kept from before" if answer.kept else ""
    tried = f"Tried: {answer.how}; {answer.runs:,} runs{kept}."
    return "\n".join([*lines, "", *wrap(tried, WIDTH)])


def _of_best(answer: Answer) -> Iterator[str]:
    best = answer.best[0]
    told = ", ".join(_figure(answer, best, goal.path) for goal in answer.wanted.goals)
    yield from wrap(f"Best: {told_labels(best)}: {told}.", WIDTH)
    if len(answer.best) > 1:
        yield from wrap(f"Next: {told_labels(answer.best[1])}: {_against(answer, answer.best[1])}.", WIDTH)
    for bound, gain in answer.binding.items():
        how = f"a candidate {gain:.1%} better" if math.isfinite(gain) else "a better candidate"
        yield from wrap(f"Binds: {bound}. Without it {how} is known.", WIDTH)
    if answer.wanted.bounds and not answer.binding:
        yield "Binds: no limit; no candidate that misses a single one is better."
    close = [str(bound) for bound in answer.wanted.bounds if _reaches_across(answer, best, bound)]
    if close:
        yield from wrap(
            f"Within chance: {'; '.join(close)}. More seeds tell whether the best meets it.", WIDTH
        )
    yield ""
    yield from _table(answer, answer.pareto if len(answer.wanted.goals) > 1 else answer.best)
    yield ""
    yield from _tornado(answer)


def _reaches_across(answer: Answer, known: Evaluated, bound: Bound) -> bool:
    """Say whether the interval of a figure reaches beyond its limit; no where one seed gives none."""
    beyond = abs(known.mean(bound.path) - bound.value)
    return beyond < known.half_width(bound.path, answer.confidence_ratio)


def _label(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _figure(answer: Answer, known: Evaluated, path: str) -> str:
    value, half = known.mean(path), known.half_width(path, answer.confidence_ratio)
    scale = scale_of([value], UNITS[path])
    spread = "" if math.isnan(half) else f" ±{digits(half / scale.divisor, 2)}"
    return f"{LABELS[path]} {digits(value / scale.divisor)}{spread} {scale.unit}".rstrip()


def _against(answer: Answer, other: Evaluated) -> str:
    """Return how a candidate compares with the best in the first goal, seed by seed."""
    goal = answer.wanted.goals[0]
    ratio, half = other.beside(answer.best[0], goal.path, answer.confidence_ratio)
    if math.isinf(ratio) or not answer.best[0].mean(goal.path):
        return _figure(answer, other, goal.path)
    spread = "" if math.isnan(half) else f" ±{half:.1%}"
    return f"{LABELS[goal.path]} {ratio:+.1%}{spread}"


def _table(answer: Answer, plans: Sequence[Evaluated]) -> Iterator[str]:
    """Yield the best plans with their goals and everything that is limited."""
    shown = plans[:MOST_PLANS]
    paths = [goal.path for goal in answer.wanted.goals]
    paths += [bound.path for bound in answer.wanted.bounds if bound.path not in (*paths, LAG)]
    columns: dict[str, list[str]] = {"": [str(place) for place in range(1, len(shown) + 1)]}
    for name, brief in short(list(shown[0].candidate.labels)).items():
        columns[brief] = [_label(each.candidate.labels[name]) for each in shown]
    texts = len(columns)
    for path in paths:
        values = [None if math.isnan(each.mean(path)) else each.mean(path) for each in shown]
        scale = scale_of(values, UNITS[path])
        columns[f"{LABELS[path]}, {scale.unit}" if scale.unit else LABELS[path]] = [
            MISSING
            if value is None
            else digits(value / scale.divisor) + _half(answer, each, path, scale.divisor)
            for value, each in zip(values, shown, strict=True)
        ]
    yield from _aligned(columns, texts)
    if len(plans) > MOST_PLANS:
        yield f"... and {len(plans) - MOST_PLANS:,} more"


def _half(answer: Answer, known: Evaluated, path: str, divisor: float) -> str:
    half = known.half_width(path, answer.confidence_ratio)
    return "" if math.isnan(half) else f" ±{digits(half / divisor, 2)}"


def _aligned(columns: dict[str, list[str]], texts: int) -> Iterator[str]:
    widths = [max(map(len, (title, *cells))) for title, cells in columns.items()]
    for row in [tuple(columns), *zip(*columns.values(), strict=True)]:
        yield "  ".join(
            cell.ljust(width) if place < texts else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()


def _tornado(answer: Answer) -> Iterator[str]:
    """Yield what changes of single choices and inputs do to the first goal."""
    goal = answer.wanted.goals[0]
    told = [each for each in answer.effects if math.isfinite(each.change)]
    strong = [each for each in told if abs(each.change) >= NEGLIGIBLE][:MOST_EFFECTS]
    if strong:
        yield f"{LABELS[goal.path]}, if one thing were different"
        largest = max(abs(each.change) for each in strong)
        brief = short(list(dict.fromkeys(each.what for each in strong)))
        names = [f"{brief[each.what]} {each.before} -> {each.after}" for each in strong]
        width = max(map(len, names))
        for name, each in zip(names, strong, strict=True):
            bar = ("-" if each.change < 0 else "+") * max(1, round(BAR * abs(each.change) / largest))
            missed = f"  misses {'; '.join(each.missed)}" if each.missed else ""
            yield f"  {name.ljust(width)}  {each.change:+8.1%}  {bar}{missed}"
    weak = list(dict.fromkeys(each.what for each in told if abs(each.change) < NEGLIGIBLE))
    rest = {
        f"Under {NEGLIGIBLE:.1%}": weak,
        f"No longer 0 {LABELS[goal.path]}": [
            f"{each.what} {each.after}" for each in answer.effects if math.isinf(each.change)
        ],
        "Cannot run, or no figure": [
            f"{each.what} {each.after}" for each in answer.effects if math.isnan(each.change)
        ],
    }
    for title, names in rest.items():
        if names:
            yield from wrap(
                f"{title}: {', '.join(names)}.", WIDTH, initial_indent="  ", subsequent_indent="  "
            )


def _of_bracket(answer: Answer, bracket: Bracket) -> Iterator[str]:
    """Yield the answer to a monotone question and every value that was looked at."""
    extreme = answer.spec.highest or answer.spec.lowest
    which = "highest" if answer.spec.highest is not None else "lowest"
    path = "" if extreme is None else extreme.path
    if bracket.good is None:
        yield from wrap(answer.unmet[:1].upper() + answer.unmet[1:] + ".", WIDTH)
    elif bracket.bad is None:
        yield from wrap(
            f"The {which} {path} that was looked at, {_label(bracket.good.value)}, meets all limits; the "
            "true one lies beyond: widen the ends.",
            WIDTH,
        )
    else:
        yield from wrap(
            f"The {which} {path} that meets all limits is {_label(bracket.good.value)}; "
            f"{_label(bracket.bad.value)} misses {_missed(answer, bracket.bad)}.",
            WIDTH,
        )
    yield ""
    yield from _tries(answer, path, sorted(bracket.tries, key=lambda each: each.value))
    if any(each.known.seeds == 1 for each in bracket.tries):
        yield "one seed: nothing tells what is chance; --seeds 3 would"
    if any(_by_chance(each) for each in bracket.tries):
        yield "within chance: the interval of a figure reaches across its limit even with all seeds"


def _by_chance(one: Try) -> bool:
    return not one.clear and one.known.seeds > 1


def _missed(answer: Answer, one: Try) -> str:
    if one.known.reason:
        return f"them all: {one.known.reason}"
    return "; ".join(
        f"{bound} ({written(one.known.mean(bound.path), UNITS[bound.path])})"
        for bound in one.known.missed(answer.wanted.bounds)
    )


def _tries(answer: Answer, path: str, tries: Sequence[Try]) -> Iterator[str]:
    columns: dict[str, list[str]] = {path: [_label(each.value) for each in tries]}
    columns["meets"] = [
        ("yes" if each.holds else "no") + (", within chance" if _by_chance(each) else "") for each in tries
    ]
    texts = len(columns)
    columns["seeds"] = [str(each.known.seeds) for each in tries]
    for bound in dict.fromkeys(bound.path for bound in answer.wanted.bounds):
        values = [None if math.isnan(each.known.mean(bound)) else each.known.mean(bound) for each in tries]
        scale = scale_of(values, UNITS[bound])
        title = "lag over chance" if bound == LAG else LABELS[bound]
        if bound == LAG:
            scale = scale_of([], "count")
        columns[f"{title}, {scale.unit}" if scale.unit else title] = [
            MISSING
            if value is None
            else digits(value / scale.divisor) + _half(answer, each.known, bound, scale.divisor)
            for value, each in zip(values, tries, strict=True)
        ]
    yield from _aligned(columns, texts)
