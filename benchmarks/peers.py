"""Other simulators on the same work, in the same run as this one: whole processes, interleaved.

    python benchmarks/peers.py [--runs N] [--remove]

Installs sched-sim (Python) and inference-lab (Rust, as WebAssembly under node) into
``benchmarks/results/peers``, which is kept for the next time unless ``--remove`` is given.  Who cannot be
installed or run is listed with the reason; that is no failure of the benchmark.  All three simulate
Qwen3-8B on eight B200 with continuous batching; their step times differ, the requests and tokens do not.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from processes import ChildError, Sample, Spread, calibration_s, machine, run_process

HERE: Final = Path(__file__).resolve().parent
RESULTS: Final = HERE / "results"
SCRATCH: Final = RESULTS / "peers"
INSTALL_SECONDS: Final = 300
SCHED_SIM: Final = "sched-sim==0.2.1"
INFERENCE_LAB: Final = "@doublewordai/inference-lab@0.2.1"

Command = Callable[["Work"], list[str]]


@dataclass(frozen=True, slots=True)
class Work:
    """Equal requests that are all there at time 0."""

    scenario: str
    count: int
    prompt_tokens: int
    output_tokens: int

    @property
    def label(self) -> str:
        """What it is called in the table."""
        return f"{self.count} x ({self.prompt_tokens}, {self.output_tokens})"

    @property
    def numbers(self) -> list[str]:
        """Arguments of a driver."""
        return [str(self.count), str(self.prompt_tokens), str(self.output_tokens)]


WORKS: Final = (Work("batch-512", 512, 512, 2048), Work("batch-64", 64, 128, 8192))


class UnavailableError(Exception):
    """A peer cannot be installed or run here; says why."""


def _install(command: list[str], what: str) -> None:
    try:
        done = subprocess.run(
            command, cwd=SCRATCH, capture_output=True, text=True, check=False, timeout=INSTALL_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        message = f"{what}: {error}"
        raise UnavailableError(message) from error
    if done.returncode != 0:
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
        message = f"{what}: {lines[-1] if lines else f'exit code {done.returncode}'}"
        raise UnavailableError(message)


def ours() -> Command:
    """Return the command of this simulator."""
    return lambda work: [
        *(sys.executable, "-m", "simulator", "run"),
        *(str(HERE / "scenarios" / f"{work.scenario}.yaml"), "--json", "--quiet"),
    ]


def sched_sim() -> Command:
    """Install sched-sim into an environment of its own and return its command."""
    python = SCRATCH / "sched-sim" / "bin" / "python"
    if not (SCRATCH / "sched-sim" / "bin" / "sched-sim").exists():
        _install([sys.executable, "-m", "venv", "--clear", "sched-sim"], "venv")
        _install([str(python), "-m", "pip", "install", "--quiet", SCHED_SIM], "pip install")
    return lambda work: [str(python), str(HERE / "drivers" / "sched_sim_run.py"), *work.numbers]


def inference_lab() -> Command:
    """Install inference-lab beside a copy of its driver and return its command."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        message = "node and npm are not installed"
        raise UnavailableError(message)
    folder = SCRATCH / "inference-lab"
    folder.mkdir(exist_ok=True)
    if not (folder / "node_modules" / "@doublewordai" / "inference-lab").is_dir():
        quietly = ["--no-fund", "--no-audit", "--no-save", "--prefix", str(folder)]
        _install([npm, "install", *quietly, INFERENCE_LAB], "npm install")
    # node looks for packages from the folder of the script upwards.
    driver = shutil.copy(HERE / "drivers" / "inference_lab_run.mjs", folder)
    return lambda work: [node, str(driver), *work.numbers]


PROGRAMS: Final = {"kinesim": ours, "sched-sim 0.2.1": sched_sim, "inference-lab 0.2.1 (wasm)": inference_lab}


def prepare() -> tuple[dict[str, Command], dict[str, str]]:
    """Install everybody; return the commands of those that are there and the reasons of the others."""
    commands: dict[str, Command] = {}
    missing: dict[str, str] = {}
    for name, make in PROGRAMS.items():
        try:
            commands[name] = make()
        except UnavailableError as reason:
            missing[name] = str(reason)
    return commands, missing


def race(
    work: Work, commands: dict[str, Command], runs: int
) -> tuple[dict[str, list[Sample]], dict[str, str]]:
    """Run everybody in turn, `runs` times; return the samples, and the reasons of those that failed."""
    # A peer must not find this checkout through the environment.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    samples: dict[str, list[Sample]] = {name: [] for name in commands}
    failed: dict[str, str] = {}
    for _ in range(runs):
        for name, command in commands.items():
            if name in failed:
                continue
            try:
                log = SCRATCH / "stdout"
                taken = run_process(command(work), log=log, cwd=SCRATCH, environment=environment)
            except ChildError as reason:
                failed[name] = str(reason)
            else:
                samples[name].append(taken)
    return {name: found for name, found in samples.items() if name not in failed}, failed


def show(work: Work, samples: dict[str, list[Sample]], failed: dict[str, str]) -> list[dict[str, Any]]:
    """Print the lines of one work and return them as plain values."""
    rows: list[dict[str, Any]] = []
    walls = {name: Spread.of([sample.wall_s for sample in found]) for name, found in samples.items()}
    base = walls.get("kinesim")
    for name, wall in walls.items():
        cpu = Spread.of([sample.cpu_s for sample in samples[name]])
        ratio = wall.median / base.median if base is not None else None
        shown = "-" if ratio is None else f"{ratio:.2f}"
        spread = f"{wall.median:.2f} ({wall.least:.2f} .. {wall.most:.2f}) s"
        print(f"{work.label:20s} {name:28s} {spread:>26s} {cpu.median:8.2f} {shown:>8s}", flush=True)
        row: dict[str, Any] = {"work": work.label, "program": name, "ratio": ratio}
        rows.append(row | {"wall_s": wall.to_dict(), "cpu_s": cpu.to_dict()})
    for name, reason in failed.items():
        print(f"{work.label:20s} {name:28s} not available: {reason}", flush=True)
        rows.append({"work": work.label, "program": name, "error": reason})
    return rows


def main() -> int:
    """Run the comparison; return the exit code."""
    parser = argparse.ArgumentParser(description="Time other simulators on the same work.")
    parser.add_argument("--runs", type=int, default=7, help="timed runs of each (default 7)")
    parser.add_argument("--remove", action="store_true", help="remove what was installed")
    options = parser.parse_args()
    SCRATCH.mkdir(parents=True, exist_ok=True)
    commands, missing = prepare()
    before = calibration_s()
    print(f"{'work':20s} {'program':28s} {'median (min .. max)':>26s} {'CPU s':>8s} {'x ours':>8s}")
    rows = []
    for work in WORKS:
        samples, failed = race(work, commands, max(1, options.runs))
        rows += show(work, samples, missing | failed)
    after = calibration_s()
    print(f"calibration loop: {before:.3f} s before, {after:.3f} s after")
    found = {"machine": machine(), "calibration_s": [before, after], "rows": rows}
    (RESULTS / "peers.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(f"wrote {(RESULTS / 'peers.json').relative_to(HERE.parent)}")
    if options.remove:
        shutil.rmtree(SCRATCH)
    return 0


if __name__ == "__main__":
    sys.exit(main())
