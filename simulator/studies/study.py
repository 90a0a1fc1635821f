"""What a study is: a question, the scenario behind it, how it runs and what it draws."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pandas as pd

from simulator.report.chart import Chart


@dataclass(frozen=True, slots=True)
class Budget:
    """How much a study may run.

    Parameters
    ----------
    seeds : runs per point; more narrow the intervals.
    workers : processes.
    quick : a coarse grid and short runs, to see that it works; its numbers are not to be quoted.
    progress : called with (runs done, runs in all).
    """

    seeds: int = 3
    workers: int = 1
    quick: bool = False
    progress: Callable[[int, int], None] | None = None

    @property
    def of_one_seed(self) -> Budget:
        """The same for runs in which nothing is drawn at random."""
        return replace(self, seeds=1)


@dataclass(frozen=True, slots=True)
class Study:
    """One question.

    Parameters
    ----------
    name : what the command line calls it.
    question : in a sentence.
    scenario : name of its scenario, which runs on its own too.
    run : returns the tidy table, a row per point and seed.
    charts : returns the charts of such a table.
    answer : returns what the table says, a sentence or more with intervals.
    """

    name: str
    question: str
    scenario: str
    run: Callable[[Budget], pd.DataFrame]
    charts: Callable[[pd.DataFrame], list[Chart]]
    answer: Callable[[pd.DataFrame], str]
