"""Questions that take many simulations: each a scenario, a table, charts and an answer.

A study loads its scenario, varies it, runs every point with the same seeds (common random numbers) and
returns a tidy table; the charts and the sentences are worked out from that table alone.

Modules: `points` runs, `tables` averages and compares, `drawing` makes series of rows, `study` says what a
study is, `outputs` writes a folder, `questions` lists all;
each question is a file of its own.
"""

from __future__ import annotations

from simulator.studies.points import Point, run_points, variants_of
from simulator.studies.study import Budget, Study
from simulator.studies.tables import mean_over_seeds, ratio_over_seeds

__all__ = ["Budget", "Point", "Study", "mean_over_seeds", "ratio_over_seeds", "run_points", "variants_of"]
