"""Whole processes, timed from outside: wall time, CPU time and peak memory of a child."""

from __future__ import annotations

import ctypes
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

MIB = 1024.0 * 1024.0
PR_SET_CHILD_SUBREAPER = 36
"""From ``linux/prctl.h``."""

MAXRSS_UNIT_BYTES = 1 if sys.platform == "darwin" else 1024
"""Unit of `ru_maxrss`: KiB on Linux, bytes on macOS."""


class ChildError(Exception):
    """A timed process did not end with exit code 0; carries the last line of what it said."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One process from start to end.

    Parameters
    ----------
    wall_s, cpu_s : elapsed time; user plus system time of the process and its children, those that outlive
        it included where `adopt_orphans` was called.
    peak_bytes : largest resident set.
    """

    wall_s: float
    cpu_s: float
    peak_bytes: int


@dataclass(frozen=True, slots=True)
class Spread:
    """Median, minimum and maximum of several runs."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Return the spread of at least one value."""
        return cls(statistics.median(values), min(values), max(values))

    def to_dict(self) -> dict[str, float]:
        """Return the fields by name."""
        return asdict(self)


def run_process(
    command: Sequence[str], *, log: Path, cwd: Path, environment: Mapping[str, str] | None = None
) -> Sample:
    """Run `command` to its end and return what it took.

    Parameters
    ----------
    command : program and arguments.
    log : file that takes stdout; stderr goes beside it, to ``<log>.err``.
    cwd : folder in which it runs.
    environment : replaces the parent's, if given.

    Raises
    ------
    ChildError
        If the exit code is not 0.
    """
    errors = log.with_name(log.name + ".err")
    with log.open("wb") as out, errors.open("wb") as err:
        start = time.perf_counter()
        child = subprocess.Popen(command, stdout=out, stderr=err, cwd=cwd, env=environment)
        _, status, usage = os.wait4(child.pid, 0)
        wall_s = time.perf_counter() - start
    cpu_s = usage.ru_utime + usage.ru_stime + _orphans_s()
    child.returncode = os.waitstatus_to_exitcode(status)  # wait4 took the status that Popen would ask for
    if child.returncode != 0:
        said = errors.read_text(encoding="utf-8", errors="replace").split("\n")
        last = next((line.strip() for line in reversed(said) if line.strip()), "it said nothing")
        message = f"exit code {child.returncode}: {last[-300:]}"
        raise ChildError(message)
    return Sample(wall_s, cpu_s, usage.ru_maxrss * MAXRSS_UNIT_BYTES)


def adopt_orphans() -> None:
    """Become the parent of processes that outlive theirs, as the server of a pool does; Linux alone."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _orphans_s() -> float:
    """Wait for adopted processes; return the CPU time of them and of the children that they waited for, s."""
    total = 0.0
    while True:
        try:
            _, _, usage = os.wait4(-1, 0)
        except ChildProcessError:
            return total
        total += usage.ru_utime + usage.ru_stime


def calibration_s() -> float:
    """Return the time of a fixed loop of plain Python: how fast this machine is at this moment, s.

    What else runs on the machine shows as a larger figure; ``README.md`` gives the least seen.
    """
    start = time.perf_counter()
    total = 0
    for number in range(3_000_000):
        total += number & 7
    return time.perf_counter() - start


def machine() -> dict[str, object]:
    """Return what is known of the machine, to stand beside the figures."""
    return {
        "system": platform.system(),
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "load_1min": round(os.getloadavg()[0], 2),
    }
