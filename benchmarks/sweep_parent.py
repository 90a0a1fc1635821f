"""What the process that hands out the runs of a sweep costs by itself: every run is done at once.

    python benchmarks/sweep_parent.py POINTS

Prints POINTS, its CPU time a point in ms, and its largest resident set in MiB before and after.
"""

from __future__ import annotations

import pickle
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

from processes import MAXRSS_UNIT_BYTES, MIB

from simulator import sweep

POINT = Path(__file__).resolve().parent / "scenarios" / "point.yaml"


class Repeating(Executor):
    """Runs the first job that it is given and returns copies of what came of it."""

    def __init__(self) -> None:
        self._kept = b""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:  # noqa: ANN401 - any call
        """Return a future that is done."""
        self._kept = self._kept or pickle.dumps(fn(*args, **kwargs))
        future: Future[Any] = Future()
        future.set_result(pickle.loads(self._kept))  # noqa: S301 - made two lines above
        return future


def peak_mib() -> float:
    """Return the largest resident set so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * MAXRSS_UNIT_BYTES / MIB


def main() -> None:
    """Sweep and print the figures."""
    points = int(sys.argv[1])
    sweep(POINT, {"engine.max_sequences": "1:3"}, executor=Repeating()).runs  # noqa: B018 - loads pandas
    before, begun = peak_mib(), time.process_time()
    swept = sweep(POINT, {"engine.max_sequences": f"1:{points}"}, executor=Repeating())
    each_ms = (time.process_time() - begun) / points * 1e3
    sizes = len(swept.runs), len(swept.table)
    print(f"{points} points: {each_ms:.2f} ms a point, {before:.0f} -> {peak_mib():.0f} MiB, rows {sizes}")


if __name__ == "__main__":
    main()
