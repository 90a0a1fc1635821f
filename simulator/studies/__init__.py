"""Questions that take many simulations: each a scenario, a table, charts and an answer.

A study loads its scenario, varies it, runs every point with the same seeds (common random numbers) and
returns a tidy table; the charts and the sentences are worked out from that table alone.

Modules: `points` runs, `tables` averages and compares, `drawing` makes series of rows, `study` says what a
study is, `outputs` writes a folder, `questions` lists all;
each question is a file of its own, and `asking.run_study` runs one from Python.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.studies.points import Point, run_points, variants_of
from simulator.studies.study import Budget, Study
from simulator.studies.tables import mean_over_seeds, ratio_over_seeds

if TYPE_CHECKING:
    from simulator.studies.asking import run_study
    from simulator.studies.outputs import Answered
    from simulator.studies.questions import STUDIES

__all__ = [
    "STUDIES",
    "Answered",
    "Budget",
    "Point",
    "Study",
    "mean_over_seeds",
    "ratio_over_seeds",
    "run_points",
    "run_study",
    "variants_of",
]

_HOMES = {
    "Answered": "simulator.studies.outputs",
    "STUDIES": "simulator.studies.questions",
    "run_study": "simulator.studies.asking",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name stands for
    """Import what needs all questions when it is first used: these import this package."""
    if name not in _HOMES:
        message = f"module 'simulator.studies' has no attribute {name!r}"
        raise AttributeError(message)
    from importlib import import_module  # noqa: PLC0415 - only when something is asked for

    return getattr(import_module(_HOMES[name]), name)
