"""Worker processes: what they are sent, and that nothing waits for ever."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from math import factorial
from pathlib import Path
from types import ModuleType

import pytest

from simulator.errors import SimulatorError
from simulator.processes import LOADED, _kept, process_pool, run_all


def test_workers_compute_in_other_processes() -> None:
    with process_pool(2) as pool:
        assert list(pool.map(factorial, range(6))) == [1, 1, 2, 6, 24, 120]
        assert pool.submit(os.getpid).result() != os.getpid()
    assert not multiprocessing.active_children()


@pytest.mark.skipif("forkserver" not in multiprocessing.get_all_start_methods(), reason="no fork server here")
def test_workers_have_the_simulator_loaded_from_the_start() -> None:
    with process_pool(1) as pool:
        assert set(LOADED) <= set(pool.submit(eval, "list(__import__('sys').modules)").result())


@pytest.mark.parametrize("calls", [1, 5])
def test_what_cannot_be_sent_is_said_at_once(calls: int) -> None:
    with process_pool(2) as pool:
        for _ in range(calls):
            with pytest.raises(SimulatorError, match="cannot be sent to another process"):
                pool.submit(lambda: 1)
        assert pool.submit(factorial, 3).result() == 6


def test_what_is_not_understood_is_said_and_breaks_no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("only_here")
    exec("def called(): return 1", module.__dict__)  # noqa: S102 - a function that no other process can import
    monkeypatch.setitem(sys.modules, "only_here", module)
    with process_pool(1) as pool:
        with pytest.raises(SimulatorError, match=r"only_here.*components of your own must stand"):
            pool.submit(module.called).result()
        assert pool.submit(factorial, 3).result() == 6


SCRIPT = """
import simulator
from simulator.processes import process_pool

if __name__ == "__main__":
    with process_pool(2) as pool:
        print(pool.submit(eval, "__import__('simulator').__file__").result() == simulator.__file__)
"""


def test_a_package_of_the_same_name_in_the_working_directory_is_not_loaded(
    tmp_path: Path, root: Path
) -> None:
    (tmp_path / "cwd" / "simulator").mkdir(parents=True)
    (tmp_path / "cwd" / "simulator" / "__init__.py").write_text("print('the wrong one')", encoding="utf-8")
    (tmp_path / "script.py").write_text(SCRIPT, encoding="utf-8")
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, str(tmp_path / "script.py")],
        cwd=tmp_path / "cwd",
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("True\n", "")


KILLED = """
import os, signal
from multiprocessing.connection import Connection
from simulator.processes import ExecutorError, process_pool

SEND = Connection._send


def half(self, buffer, write=os.write):
    if len(buffer) > 65_536:
        os.write(self.fileno(), buffer[:100])
        os.kill(os.getpid(), signal.SIGKILL)
    SEND(self, buffer, write)


def large(size):
    Connection._send = half
    return bytes(size)


if __name__ == "__main__":
    with process_pool(1) as pool:
        print(len(pool.submit(large, 10**6).result()))
"""


@pytest.mark.skipif(os.name != "posix", reason="pipes of this system are others")
def test_who_is_killed_leaves_no_half_of_a_result_to_wait_for(tmp_path: Path, root: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(KILLED, encoding="utf-8")
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": str(root), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == ("1000000\n", "")
    assert list(tmp_path.iterdir()) == [script]


def test_who_is_not_wanted_any_more_does_not_run(tmp_path: Path) -> None:
    with process_pool(1) as pool:
        running = pool.submit(time.sleep, 1.0)
        queued = [pool.submit((tmp_path / str(number)).touch) for number in range(4)]
        assert all(each.cancel() for each in queued)
        running.result()
        assert pool.submit(factorial, 3).result() == 6
    assert len(list(tmp_path.iterdir())) <= 2  # one call is in the pipe already


ENDED = """
import os, signal, time
from simulator.processes import process_pool

if __name__ == "__main__":
    with process_pool(1) as pool:
        pool.submit(bytes, 10**6).result()
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(os.name != "posix", reason="signals of this system are others")
def test_workers_remove_what_a_killed_parent_leaves(tmp_path: Path, root: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(ENDED, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(root), "TMPDIR": str(tmp_path)}
    subprocess.run([sys.executable, str(script)], env=environment, check=False, timeout=60)  # noqa: S603 - our own interpreter
    for _ in range(100):
        left = list(tmp_path.glob("kinesim-*"))
        if not left:
            break
        time.sleep(0.1)
    assert left == []


def test_without_room_for_files_results_go_through_the_pipe(tmp_path: Path) -> None:
    told = bytes(10**6)
    assert _kept(told, tmp_path / "none") is told
    kept = _kept(told, tmp_path)
    assert isinstance(kept, Path)
    assert kept.read_bytes() == told


def test_the_environment_is_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "somewhere")
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    with process_pool(1) as pool:
        pool.submit(int).result()
    assert os.environ["PYTHONPATH"] == "somewhere"
    assert "PYTHONSAFEPATH" not in os.environ


def test_who_stops_taking_results_does_not_wait_for_the_rest() -> None:
    begun = time.monotonic()
    results = run_all(time.sleep, [0.0, *[60.0] * 5], 2)
    next(results)
    results.close()  # type: ignore[attr-defined] # it is a generator
    assert time.monotonic() - begun < 30.0


def interrupted() -> None:
    with process_pool(2) as pool:
        pool.submit(time.sleep, 60.0)
        raise KeyboardInterrupt


def test_an_interrupt_ends_the_pool_alone() -> None:
    bystander = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(60.0,))
    bystander.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            interrupted()
        assert bystander.is_alive()
    finally:
        bystander.kill()
        bystander.join()


def interrupted_while_sending(after_s: float) -> None:
    with process_pool(2) as pool:
        for _ in range(4):
            pool.submit(bytes, 150_000_000)
        pool.started.result()
        time.sleep(after_s)
        raise KeyboardInterrupt


def test_an_interrupt_while_results_are_sent_waits_for_none() -> None:
    begun = time.monotonic()
    for tenths in range(6):  # some of them fall into a result that is under way
        with pytest.raises(KeyboardInterrupt):
            interrupted_while_sending(tenths / 10.0)
    assert time.monotonic() - begun < 60.0
