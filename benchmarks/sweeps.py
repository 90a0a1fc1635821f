"""What a sweep costs: runs a minute on one and two workers, memory, start-up; whole processes.

    python benchmarks/sweeps.py [--quick]

Prints a table and writes ``benchmarks/results/sweeps.json``.  It asserts nothing about time.  A busy machine
gives two workers no two cores; the CPU time that two take beyond one does not depend on it, and the share of
linear that idle cores would give is no more than the ratio of these.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from processes import MIB, ChildError, adopt_orphans, calibration_s, machine, run_process

HERE: Final = Path(__file__).resolve().parent
POINT: Final = str(HERE / "scenarios" / "point.yaml")
AXIS: Final = "engine.max_sequences"
FIRST: Final = 100
"""Least value of the axis: a batch that the quickstart fills, so that all points cost alike."""

MINUTE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Work:
    """A sweep that is run from the command line.

    Parameters
    ----------
    label : what it is called in the table.
    source : scenario.
    runs : points, of one seed and one variant.
    options : more words of the command.
    slow : left out by ``--quick``.
    """

    label: str
    source: str
    runs: int
    options: tuple[str, ...] = ()
    slow: bool = False


def quickstart(repeats: int, runs: int, *, slow: bool = False) -> Work:
    """Return a sweep of the quickstart with 30 x `repeats` tasks of eight trials."""
    sets = ("--set", "variants=null", "--set", f"workload.tasks.repeats={repeats}", "--seeds", "1")
    return Work(f"quickstart, {30 * repeats} tasks", "quickstart", runs, sets, slow=slow)


WORKS: Final = (
    Work("one point of four tasks: start-up", POINT, 1),
    Work("four tasks, 100 points", POINT, 100),
    Work("four tasks, 1,000 points", POINT, 1000),
    Work("four tasks, 2,000 points", POINT, 2000, slow=True),
    quickstart(1, 200),
    quickstart(1, 1000, slow=True),
    quickstart(2, 60),
    quickstart(4, 10),
    quickstart(4, 40),
    quickstart(24, 10, slow=True),
)


@dataclass(frozen=True, slots=True)
class Line:
    """What one sweep took, and how fast the machine was before and after it."""

    work: str
    runs: int
    workers: int
    wall_s: float
    cpu_s: float
    peak_mib: float
    loop_s: float


def measured(work: Work, workers: int, folder: Path) -> Line:
    """Run a sweep into a store of its own."""
    store = folder / f"{WORKS.index(work)}-{workers}"
    axis = f"{AXIS}={FIRST}:{FIRST + work.runs - 1}"
    command = [sys.executable, "-m", "simulator", "sweep", work.source, "--axis", axis, *work.options]
    command += ["--store", str(store), "--workers", str(workers), "--quiet", "--out", f"{store}.csv"]
    before = calibration_s()
    sample = run_process(command, log=folder / "stdout", cwd=folder)
    loop = (before + calibration_s()) / 2.0
    peak = sample.peak_bytes / MIB
    return Line(work.label, work.runs, workers, sample.wall_s, sample.cpu_s, peak, loop)


def show(line: Line) -> None:
    """Print a line."""
    rate = line.runs / line.wall_s * MINUTE_S
    print(
        f"{line.work:36s} {line.runs:6d} {line.workers:7d} {line.wall_s:8.2f} {line.cpu_s:8.2f} {rate:9.0f} "
        f"{line.peak_mib:6.0f} {line.loop_s:7.3f}",
        flush=True,
    )


def efficiency(one: Line, two: Line) -> dict[str, float]:
    """Return the shares of linear on two workers: by the clock, and by CPU time."""
    return {"wall": one.wall_s / (2.0 * two.wall_s), "cpu": one.cpu_s / two.cpu_s}


def main() -> int:
    """Run the benchmark; return the exit code."""
    parser = argparse.ArgumentParser(description="Time sweeps and print the table.")
    parser.add_argument("--quick", action="store_true", help="leave out what takes minutes")
    options = parser.parse_args()
    adopt_orphans()
    print(f"{'sweep':36s} {'runs':>6s} {'workers':>7s} {'wall s':>8s} {'CPU s':>8s} {'runs/min':>9s}", end="")
    print(f" {'MiB':>6s} {'loop s':>7s}")
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for work in WORKS:
            if work.slow and options.quick:
                continue
            try:
                lines = [measured(work, workers, Path(scratch)) for workers in (1, 2)]
            except ChildError as error:
                print(f"benchmark could not run: {error}", file=sys.stderr)
                return 1
            for line in lines:
                show(line)
            share = efficiency(*lines)
            print(f"    share of linear: {share['wall']:.2f} by the clock, {share['cpu']:.2f} by CPU time")
            rows.append({"lines": [asdict(line) for line in lines], "share_of_linear": share})
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    text = json.dumps({"machine": machine(), "sweeps": rows}, indent=2)
    (results / "sweeps.json").write_text(text + "\n", encoding="utf-8")
    print(f"wrote {(results / 'sweeps.json').relative_to(HERE.parent)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
