"""A study from Python: by its name, as a table."""

from __future__ import annotations

from collections.abc import Callable

from simulator.errors import ScenarioError
from simulator.studies.outputs import Answered
from simulator.studies.questions import chosen
from simulator.studies.study import Budget


def run_study(
    name: str,
    *,
    seeds: int = 3,
    workers: int = 1,
    quick: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Answered:
    """Run a study of `kinesim study`.

    Parameters
    ----------
    name : one of the names that ``kinesim study`` lists.
    seeds : runs per point, from 1 on; more narrow the intervals.
    workers : processes, from 1 on; the table is the same for any number.
    quick : a coarse grid and short runs, to see that it works; its numbers are not to be quoted.
    progress : called with (runs done, runs in all).

    Returns
    -------
    Answered
        ``table``, a pandas frame with a row for each point and seed, columns in SI units; ``text``, the
        answer in words.

    Raises
    ------
    UnknownNameError
        If there is no such study; says the nearest.
    ScenarioError
        If `name` stands for several studies, or there are fewer than one seed or process.

    Examples
    --------
    >>> from simulator.studies import run_study
    >>> found = run_study("capacity", seeds=1, quick=True)
    >>> len(found.table) > 0, found.study.name
    (True, 'capacity')
    """
    faults = [
        f"{what}: must be a whole number from 1 on, got {given!r}"
        for what, given in (("seeds", seeds), ("workers", workers))
        if not isinstance(given, int) or isinstance(given, bool) or given < 1
    ]
    if name == "all":
        faults.append("name: one study at a time; `simulator.studies.STUDIES` has all of them")
    if faults:
        raise ScenarioError(faults)
    (study,) = chosen([name])
    return Answered(study, study.run(Budget(seeds, workers, quick, progress)))
