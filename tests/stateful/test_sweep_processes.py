"""Sweeps in processes of their own: killed at any moment, on several workers, on a Dask cluster."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from simulator.sweeps.executors import TELL_S

pytestmark = pytest.mark.slow

POINTS = 24
SCENARIO = {
    "schema": 1,
    "name": "small",
    "hardware": "b200-sxm-8",
    "model": {"preset": "qwen3-8b", "attention": {"kind": "dense"}},
    "parallelism": {"tp": 1, "dp": 1},
    "workload": {
        "tasks": {"kind": "synthetic", "count": 200, "prompt_tokens": 64},
        "arrivals": "all_at_once",
        "lengths": {"kind": "lognormal", "median_tokens": 200, "log_sigma": 0.5},
        "outcomes": {"kind": "fixed", "solve_probability": 0.5},
        "strategy": {"kind": "best_of_n", "trials": 4},
        "max_tokens": 1000,
    },
    "sweep": {"axes": {"engine.max_sequences": f"9:{8 + POINTS}"}},
}
linux_only = pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "s.json"
    path.write_text(json.dumps(SCENARIO), encoding="utf-8")
    return path


def command(scenario: Path, *options: str) -> list[str]:
    words = ["sweep", str(scenario), "--store", "store", "--out", "out.csv", "--overwrite", "--quiet"]
    return [sys.executable, "-m", "simulator", *words, *options]


def _attends_to_ctrl_c() -> None:
    """Undo what a shell does to commands in the background: they ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def started(scenario: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603 - our own interpreter
        command(scenario, *options),
        cwd=scenario.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=_attends_to_ctrl_c,  # noqa: PLW1509 - no threads at this point
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )


def finished(scenario: Path, *options: str, timeout_s: float = 240.0) -> tuple[int, str]:
    child = started(scenario, *options)
    _, told = child.communicate(timeout=timeout_s)
    return child.returncode, told


def results(folder: Path) -> dict[str, int]:
    """Return when each result was written, by its name."""
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("store/results/*/*/??/*.json")}


def wait_for(condition: Callable[[], bool], most_s: float = 60.0) -> None:
    until = time.monotonic() + most_s
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)


def parents_in(session: int) -> dict[int, int]:
    """Return the processes of a session but its leader, each with its parent."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text(encoding="ascii").rpartition(")")[2].split()
        except OSError:
            continue  # has ended
        if int(fields[3]) == session and int(folder.name) != session and fields[0] != "Z":
            found[int(folder.name)] = int(fields[1])
    return found


def workers_of(session: int) -> list[int]:
    """Return the processes that were forked from the server of the session's leader."""
    parents = parents_in(session)
    return [process for process, parent in parents.items() if parent in parents]


@pytest.fixture
def whole(scenario: Path) -> bytes:
    """Return the table of a sweep that nobody disturbs, on one worker."""
    code, told = finished(scenario, "--workers", "1", "--store", "undisturbed")
    assert code == 0, told
    return (scenario.parent / "out.csv").read_bytes()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_killed_at_any_moment_nothing_is_lost_or_computed_twice(
    scenario: Path, whole: bytes, workers: str
) -> None:
    folder, dice = scenario.parent, random.Random(int(workers))  # noqa: S311 - no secret
    kept: dict[str, int] = {}
    for _ in range(4):
        child = started(scenario, "--workers", workers)
        wanted = min(len(kept) + dice.randint(1, 5), POINTS - 1)
        wait_for(lambda wanted=wanted: len(results(folder)) >= wanted)  # type: ignore[misc] # bound early
        time.sleep(dice.random() * 0.2)
        os.kill(child.pid, signal.SIGKILL)
        child.communicate()
        now = results(folder)
        assert kept.items() <= now.items()  # not one was written again
        kept = now
    code, told = finished(scenario, "--workers", workers)
    assert code == 0, told
    assert kept.items() <= results(folder).items()
    assert len(results(folder)) == POINTS
    assert (folder / "out.csv").read_bytes() == whole


@linux_only
def test_no_process_is_left_when_the_parent_is_killed(scenario: Path) -> None:
    child = started(scenario, "--workers", "2")
    wait_for(lambda: len(results(scenario.parent)) >= 1)
    assert len(workers_of(child.pid)) == 2
    os.kill(child.pid, signal.SIGKILL)
    child.communicate()
    wait_for(lambda: not parents_in(child.pid), 20.0)


@linux_only
def test_a_worker_that_is_killed_costs_its_points_time_alone(scenario: Path, whole: bytes) -> None:
    child = started(scenario, "--workers", "2")
    wait_for(lambda: len(results(scenario.parent)) >= 2)
    os.kill(workers_of(child.pid)[0], signal.SIGKILL)
    _, told = child.communicate(timeout=240)
    assert child.returncode == 0, told
    assert (scenario.parent / "out.csv").read_bytes() == whole


@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_keeps_what_is_done_and_prints_no_traceback(scenario: Path, workers: str) -> None:
    child = started(scenario, "--workers", workers)
    wait_for(lambda: len(results(scenario.parent)) >= 2)
    os.killpg(child.pid, signal.SIGINT)  # a terminal tells all of them
    _, told = child.communicate(timeout=30)
    assert (child.returncode, told) == (130, "interrupted\n")
    assert finished(scenario, "--workers", workers)[0] == 0
    assert len(results(scenario.parent)) == POINTS


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_a_local_dask_cluster_ends_without_a_word_of_its_own(scenario: Path, ending: signal.Signals) -> None:
    pytest.importorskip("distributed", reason="needs the extra `dask`")
    child = started(scenario, "--dask", "local", "--workers", "2")
    wait_for(lambda: len(results(scenario.parent)) >= 2)
    if ending is signal.SIGINT:
        os.killpg(child.pid, ending)  # a terminal tells all of them
    else:
        os.kill(child.pid, ending)
    _, told = child.communicate(timeout=60)
    assert told == ("interrupted\n" if ending is signal.SIGINT else "")
    assert child.returncode == 128 + ending


@pytest.mark.parametrize("dask", ["None", "'local'"])
def test_a_script_that_starts_workers_as_it_is_loaded_is_told_what_to_do(scenario: Path, dask: str) -> None:
    if dask != "None":
        pytest.importorskip("distributed", reason="needs the extra `dask`")
    script = scenario.parent / "script.py"
    script.write_text(
        f"from simulator import sweep\nsweep('s.json', workers=2, dask={dask})\n", encoding="utf-8"
    )
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, str(script)],
        cwd=scenario.parent,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("put what it does below `if __name__ == '__main__':`")
    assert done.stderr.count("executors.ExecutorError: ") == 1  # once, and not by each worker


def test_two_at_once_on_one_store_give_the_same_table(scenario: Path, whole: bytes) -> None:
    first = started(scenario, "--workers", "1", "--out", "first.csv")
    second = started(scenario, "--workers", "1", "--out", "second.csv")
    for child in (first, second):
        _, told = child.communicate(timeout=240)
        assert child.returncode == 0, told
    assert (scenario.parent / "first.csv").read_bytes() == whole
    assert (scenario.parent / "second.csv").read_bytes() == whole


def _dask(folder: Path, what: str, *options: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-m", f"distributed.cli.{what}", "--host", "127.0.0.1", "--no-dashboard", *options],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def worker(folder: Path, address: str) -> subprocess.Popen[bytes]:
    return _dask(folder, "dask_worker", address, "--nworkers", "1", "--nthreads", "1", "--no-nanny")


@contextmanager
def cluster(folder: Path, workers: int) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """Yield the address of a real scheduler and the processes: its own, then those of its workers."""
    pytest.importorskip("distributed", reason="needs the extra `dask`")
    file = folder / "scheduler.json"
    options = ["--port", "0", "--dashboard-address", "127.0.0.1:0", "--scheduler-file", str(file)]
    running = [_dask(folder, "dask_scheduler", *options)]
    try:
        wait_for(file.is_file)
        address = str(json.loads(file.read_text(encoding="utf-8"))["address"])
        running += [worker(folder, address) for _ in range(workers)]
        yield address, running
    finally:
        for process in running:
            process.kill()
            process.wait()


def test_a_dask_cluster_gives_the_same_table_though_a_worker_is_killed(scenario: Path, whole: bytes) -> None:
    with cluster(scenario.parent, 2) as (address, (_, *workers)):
        child = started(scenario, "--dask", address)
        wait_for(lambda: len(results(scenario.parent)) >= 2)
        workers[0].kill()
        _, told = child.communicate(timeout=240)
    assert child.returncode == 0, told
    assert "Traceback" not in told
    assert (scenario.parent / "out.csv").read_bytes() == whole


@linux_only
def test_a_local_dask_cluster_gives_the_same_table_and_leaves_nothing(scenario: Path, whole: bytes) -> None:
    pytest.importorskip("distributed", reason="needs the extra `dask`")
    child = started(scenario, "--dask", "local", "--workers", "2")
    _, told = child.communicate(timeout=240)
    assert child.returncode == 0, told
    assert (scenario.parent / "out.csv").read_bytes() == whole
    wait_for(lambda: not parents_in(child.pid), 20.0)


def listening(session: int) -> set[tuple[str, int]]:
    """Return where processes of a session listen."""
    sockets = set()
    for process in [session, *parents_in(session)]:
        with suppress(OSError):  # has ended
            sockets |= {str(file.readlink()) for file in Path(f"/proc/{process}/fd").iterdir()}
    rows = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
    rows = [row for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in sockets]
    return {(row[1].partition(":")[0], int(row[1].partition(":")[2], 16)) for row in rows}


@linux_only
def test_a_local_dask_cluster_listens_on_this_machine_alone_and_takes_no_known_port(scenario: Path) -> None:
    pytest.importorskip("distributed", reason="needs the extra `dask`")
    child = started(scenario, "--dask", "local", "--workers", "1")
    wait_for(lambda: len(results(scenario.parent)) >= 2)
    found = listening(child.pid)
    child.kill()
    child.communicate()
    assert {address for address, _ in found} == {"0100007F"}  # 127.0.0.1, as the kernel writes it
    assert not {port for _, port in found} & {8786, 8787}  # those of Dask's scheduler and its pages


def test_a_cluster_without_workers_is_told_and_goes_on_when_one_comes(scenario: Path, whole: bytes) -> None:
    with cluster(scenario.parent, 0) as (address, running):
        child = started(scenario, "--dask", address)
        time.sleep(TELL_S + 5.0)  # it has to start
        running.append(worker(scenario.parent, address))
        _, told = child.communicate(timeout=240)
    assert child.returncode == 0, told
    assert told.startswith("the Dask cluster has no workers; waiting up to")
    assert len(told.splitlines()) == 1
    assert (scenario.parent / "out.csv").read_bytes() == whole


def test_a_scheduler_that_does_not_answer_is_said_in_ten_seconds(scenario: Path) -> None:
    pytest.importorskip("distributed", reason="needs the extra `dask`")
    begun = time.monotonic()
    code, told = finished(scenario, "--dask", "tcp://127.0.0.1:9")
    assert time.monotonic() - begun < 30  # ten to wait, the rest to start
    assert code == 2
    assert "--dask tcp://127.0.0.1:9: no Dask scheduler answers within 10 s" in told
    assert "Traceback" not in told


def test_a_scheduler_that_dies_ends_the_sweep_in_words_and_keeps_what_was_done(scenario: Path) -> None:
    with cluster(scenario.parent, 1) as (address, (scheduler, _)):
        child = started(scenario, "--dask", address)
        wait_for(lambda: len(results(scenario.parent)) >= 2)
        scheduler.kill()
        _, told = child.communicate(timeout=60)
    assert child.returncode == 2, told
    assert told.startswith("the workers or their scheduler were lost while")
    assert told.endswith("go on with the same line: what was done is kept\n")
    assert len(told.splitlines()) == 1
    assert 2 <= len(results(scenario.parent)) < POINTS
