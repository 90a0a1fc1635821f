"""Charts of a plan: what changes do (a tornado), and what two goals cost each other."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import combinations

from simulator.planning.answering import Answer
from simulator.planning.evaluating import Evaluated
from simulator.planning.goals import LABELS, UNITS, Goal
from simulator.planning.text import MOST_EFFECTS, NEGLIGIBLE
from simulator.report.chart import Axis, Chart, Panel, Series, Style
from simulator.report.quantities import scale_of


def charts_of(answer: Answer) -> Iterator[Chart]:
    """Yield the charts that an answer has."""
    if answer.effects:
        yield tornado(answer)
    if len(answer.wanted.goals) > 1 and answer.best:
        yield trade(answer)


def tornado(answer: Answer) -> Chart:
    """Return how far single changes move the first goal, the strongest at the top."""
    goal = answer.wanted.goals[0]
    strong = [
        each for each in answer.effects if math.isfinite(each.change) and abs(each.change) >= NEGLIGIBLE
    ]
    rows = list(reversed(strong[:MOST_EFFECTS]))
    names = tuple(f"{each.what}: {each.before} to {each.after}" for each in rows)
    spans = [
        Series(
            "misses a limit" if each.missed else "meets all limits",
            [0.0, 100.0 * each.change],
            [name, name],
            place=1 if each.missed else 0,
            style="span",
            width=9.0,
        )
        for name, each in zip(names, rows, strict=True)
    ]
    panel = Panel(tuple(spans), Axis(f"change of {LABELS[goal.path]}, %"), Axis(categories=names))
    caption = f"One choice or input changed at a time around the best plan; {answer.best[0].seeds} seeds."
    return Chart("tornado", "If one thing were different", caption, (panel,), height=120 + 26 * len(rows))


def trade(answer: Answer) -> Chart:
    """Return the candidates that meet the limits by two goals, a panel for each pair.

    Those that no other beats are on a line where there are two goals; with more they are dots: in two goals
    alone others may seem to beat them.
    """
    met = [each for each in answer.ledger if each.meets(answer.wanted)]
    pairs = list(combinations(answer.wanted.goals, 2))
    panels = tuple(_panel(answer, met, one, other) for one, other in pairs)
    both = "both" if len(pairs) == 1 else "all"
    caption = (
        f"{len(met)} candidates that meet all limits; {len(answer.pareto)} are beaten by none in {both}."
    )
    return Chart("pareto", "What the goals cost each other", caption, panels, shared_y=False)


def _panel(answer: Answer, met: Sequence[Evaluated], one: Goal, other: Goal) -> Panel:
    front = sorted(answer.pareto, key=lambda each: each.mean(one.path))
    scales = [scale_of([each.mean(goal.path) for each in met], UNITS[goal.path]) for goal in (one, other)]

    def series(name: str, rows: Sequence[Evaluated], place: int, style: Style) -> Series:
        x, y = (
            [each.mean(goal.path) / scale.divisor for each in rows]
            for goal, scale in zip((one, other), scales, strict=True)
        )
        return Series(name, x, y, place=place, style=style)

    titles = [
        f"{LABELS[goal.path]}, {scale.unit}" if scale.unit else LABELS[goal.path]
        for goal, scale in zip((one, other), scales, strict=True)
    ]
    style: Style = "dotted_line" if len(answer.wanted.goals) == 2 else "dots"  # noqa: PLR2004 - a pair
    return Panel(
        (series("meets the limits", met, 1, "dots"), series("not beaten", front, 0, style)),
        Axis(titles[0]),
        Axis(titles[1]),
    )
