"""What the simulator costs: whole processes from start to written summary, against the targets.

    python benchmarks/speed.py [--quick] [--runs N]

Prints a table and writes ``benchmarks/results/speed.json``.  It asserts nothing about time: the machine
decides that, and the calibration loop printed beside the figures says how fast the machine was.  What
must not grow is tested by counts of events in ``tests/performance``.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from processes import MIB, ChildError, Spread, calibration_s, machine, run_process

HERE: Final = Path(__file__).resolve().parent
PYTHON: Final = sys.executable
HEAVY: Final = ("pandas", "networkx", "plotly", "scipy")
"""Packages that a plain run must not import."""

US: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Work:
    """A scenario that is run as a whole process.

    Parameters
    ----------
    name : file in ``scenarios/``.
    label : what it is called in the table.
    target_s, target_mib : what it may cost; None where no limit is set.
    runs : how often it is timed, at most.
    slow : takes minutes, left out by ``--quick``.
    """

    name: str
    label: str
    target_s: float | None = None
    target_mib: float | None = None
    runs: int = 5
    slow: bool = False


WORKS: Final = (
    Work("batch-512", "512 x (512, 2048), TP8", target_s=0.6),
    Work("cell-4096x16384", "4096 x 16,384-context cell", target_s=0.7, target_mib=150),
    Work("tokens-400", "5,000 trials around 400 tokens"),
    Work("tokens-4000", "5,000 trials around 4,000 tokens"),
    Work("trials-100k", "100,000 trials around 8k, batch 512", target_s=8, target_mib=400, runs=3, slow=True),
    Work("requests-1m", "1,000,000 requests, 8 replicas", target_s=90, target_mib=1536, runs=1, slow=True),
)


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table: a figure, its limit, and how far the runs spread.

    `cpu` is the median CPU time in the line's unit, `loop_s` that of the fixed loop run before and after
    each: how fast the machine was just then.
    """

    label: str
    unit: str
    target: float | None
    measured: Spread
    peak_mib: float | None = None
    target_mib: float | None = None
    cpu: float | None = None
    loop_s: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Measured median over the target; None without a target."""
        return None if self.target is None else self.measured.median / self.target

    def to_dict(self) -> dict[str, object]:
        """Return the row as plain values."""
        return {
            "work": self.label,
            "unit": self.unit,
            "target": self.target,
            **self.measured.to_dict(),
            "ratio": self.ratio,
            "cpu_median": self.cpu,
            "loop_s_median": self.loop_s,
            "peak_mib": self.peak_mib,
            "target_mib": self.target_mib,
            "note": self.note,
        }


def scenario(name: str) -> str:
    """Return the path of a benchmark's scenario."""
    return str(HERE / "scenarios" / f"{name}.yaml")


def time_command(
    command: list[str], *, runs: int, folder: Path, label: str, target: float | None, target_mib: float | None
) -> Row:
    """Run `command` `runs` times and return its wall time as a row."""
    samples, loops = [], [calibration_s()]
    for _ in range(runs):
        samples.append(run_process(command, log=folder / "stdout", cwd=folder))
        loops.append(calibration_s())
    return Row(
        label,
        "s",
        target,
        Spread.of([sample.wall_s for sample in samples]),
        peak_mib=max(sample.peak_bytes for sample in samples) / MIB,
        target_mib=target_mib,
        cpu=statistics.median(sample.cpu_s for sample in samples),
        loop_s=statistics.median(loops),
    )


def time_works(*, quick: bool, runs: int, folder: Path) -> dict[str, Row]:
    """Return a row for every scenario, by its name."""
    rows = {}
    for work in WORKS:
        if work.slow and quick:
            continue
        command = [PYTHON, "-m", "simulator", "run", scenario(work.name), "--json", "--quiet"]
        rows[work.name] = time_command(
            command,
            runs=min(runs, work.runs),
            folder=folder,
            label=work.label,
            target=work.target_s,
            target_mib=work.target_mib,
        )
        show(rows[work.name])
    return rows


def token_growth(rows: dict[str, Row]) -> Row:
    """Return how much longer ten times the tokens take, from rows that are already measured."""
    few, many = rows["tokens-400"].measured, rows["tokens-4000"].measured
    growth = Spread(many.median / few.median, many.least / few.most, many.most / few.least)
    return Row("ten times the tokens, equal trials", "x", 1.5, growth)


def batch_change(*, runs: int, folder: Path) -> Row:
    """Return the time of a step boundary with everything switched on."""
    log, found, loops = folder / "batch-change.json", [], [calibration_s()]
    for _ in range(runs):
        run_process([PYTHON, str(HERE / "batch_change.py"), scenario("all-features")], log=log, cwd=folder)
        found.append(json.loads(log.read_text(encoding="utf-8")))
        loops.append(calibration_s())
    each = Spread.of([run["wall_s"] / run["boundaries"] / US for run in found])
    last = found[-1]
    cpu_us = statistics.median(run["cpu_s"] / run["boundaries"] / US for run in found)
    per_change = each.median * last["boundaries"] / last["joins_and_leaves"]
    note = (
        f"{last['boundaries']} boundaries with {last['joins_and_leaves']} joins and leaves of "
        f"{last['trials']} trials: {per_change:.1f} us a join or leave"
    )
    return Row(
        "batch change, all features on",
        "us",
        30,
        each,
        cpu=cpu_us,
        loop_s=statistics.median(loops),
        note=note,
    )


def imports_of_a_run(folder: Path) -> str:
    """Say which heavy packages a plain run imports; there should be none."""
    log = folder / "imports"
    code = (
        "import sys; from simulator.cli import main\n"
        f"try: main(['run', {scenario('batch-512')!r}, '--json', '--quiet'])\n"
        "except SystemExit: pass\n"
        f"sys.stdout.flush(); print('\\n', *[n for n in {HEAVY!r} if n in sys.modules])"
    )
    run_process([PYTHON, "-c", code], log=log, cwd=folder)
    return log.read_text(encoding="utf-8").splitlines()[-1].strip() or "none"


def show(row: Row) -> None:
    """Print a row."""
    target = "-" if row.target is None else f"{row.target:g} {row.unit}"
    spread = f"{row.measured.median:.2f} ({row.measured.least:.2f} .. {row.measured.most:.2f}) {row.unit}"
    ratio = "-" if row.ratio is None else f"{row.ratio:.2f}"
    cpu = "-" if row.cpu is None else f"{row.cpu:.2f}"
    peak = "-" if row.peak_mib is None else f"{row.peak_mib:.0f}"
    limit = "-" if row.target_mib is None else f"{row.target_mib:g}"
    loop = "-" if row.loop_s is None else f"{row.loop_s:.3f}"
    print(
        f"{row.label:36s} {target:>8s} {spread:>30s} {ratio:>6s} {cpu:>8s} {loop:>7s} {peak:>8s} {limit:>8s}",
        flush=True,
    )
    if row.note:
        print(f"    {row.note}")


def measure(*, quick: bool, runs: int) -> dict[str, object]:
    """Print the table and return what stands in it."""
    before = [calibration_s() for _ in range(3)]
    print(f"{'work':36s} {'target':>8s} {'median (min .. max)':>30s} {'ratio':>6s}", end="")
    print(f" {'CPU':>8s} {'loop s':>7s} {'MiB':>8s} {'MiB max':>8s}")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        helped = time_command(
            [PYTHON, "-m", "simulator", "--help"],
            runs=runs,
            folder=folder,
            label="kinesim --help",
            target=0.3,
            target_mib=None,
        )
        show(helped)
        works = time_works(quick=quick, runs=runs, folder=folder)
        growth = token_growth(works)
        show(growth)
        change = batch_change(runs=min(runs, 3), folder=folder)
        show(change)
        heavy = imports_of_a_run(folder)
    print(f"heavy packages that a run imports: {heavy}")
    after = [calibration_s() for _ in range(3)]
    print(f"calibration loop: {min(before):.3f} .. {max(before):.3f} s before, ", end="")
    print(f"{min(after):.3f} .. {max(after):.3f} s after")
    return {
        "machine": machine(),
        "calibration_s": {"before": before, "after": after},
        "rows": [row.to_dict() for row in (helped, *works.values(), growth, change)],
        "heavy_imports": heavy,
    }


def main() -> int:
    """Run the benchmark; return the exit code."""
    parser = argparse.ArgumentParser(description="Time the simulator and print the table of targets.")
    parser.add_argument("--quick", action="store_true", help="leave out what takes minutes")
    parser.add_argument("--runs", type=int, default=5, help="timed runs of each line, at most (default 5)")
    options = parser.parse_args()
    try:
        found = measure(quick=options.quick, runs=max(1, options.runs))
    except ChildError as error:
        print(f"benchmark could not run: {error}", file=sys.stderr)
        return 1
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    (results / "speed.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(f"wrote {(results / 'speed.json').relative_to(HERE.parent)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
