"""What a worker may be: one with the same program, behind an executor that only one file knows."""

from __future__ import annotations

import ast
import pickle
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest
from small import small

from simulator.processes import ExecutorError
from simulator.sweeps.executors import (
    ASK_S,
    GIVE_UP_S,
    TELL_S,
    Cluster,
    Serial,
    open_executor,
    recognised,
)
from simulator.sweeps.handing_out import WINDOW, Pool, computed, open_pool
from simulator.sweeps.jobs import Job, OtherCodeError, Outcome, base_of, code_sha256, run_job


def test_a_worker_with_another_program_refuses_to_run() -> None:
    base, _ = base_of(small())
    asked = "0" * 64
    with pytest.raises(OtherCodeError, match=rf"hash {code_sha256()[:12]}, asked for 0{{12}}\)") as caught:
        run_job(Job(base, "{}", "", 0, asked))
    back = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - made in this line
    assert type(back) is OtherCodeError
    assert str(back) == str(caught.value)


def test_only_the_executors_know_dask(root: Path) -> None:
    found = set()
    for path in [*root.glob("simulator/**/*.py"), *root.glob("workloads/**/*.py")]:
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)) if "dask" in text or "distributed" in text else ():
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(name.partition(".")[0] in ("dask", "distributed") for name in names):
                found.add(path.relative_to(root).as_posix())
    assert found == {"simulator/sweeps/executors.py"}


class Client:
    """A Dask client whose cluster gets workers after the first second, and is lost at the end."""

    def __init__(self) -> None:
        self.waiting = dict[Future[Outcome], Job]()
        self.most = 0
        self.cores: dict[str, int] | None = {}

    def get_executor(self) -> Client:
        return self

    def submit(self, _: object, job: Job) -> Future[Outcome]:
        future: Future[Outcome] = Future()
        self.waiting[future] = job
        self.most = max(self.most, len(self.waiting))
        return future

    def ncores(self) -> dict[str, int]:
        if self.cores is None:
            raise ConnectionResetError
        return self.cores


def test_a_cluster_is_handed_as_much_as_it_has_workers_for(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("simulator.sweeps.executors.time.monotonic", lambda: now[0])
    client = Client()
    executor = Cluster(client)
    assert executor.workers == 1  # none has come yet: there is something to begin with
    client.cores = {"a": 2, "b": 1}
    assert executor.workers == 1  # not asked again at once
    now[0] += ASK_S
    assert executor.workers == 3
    client.cores = None
    now[0] += ASK_S
    assert executor.workers == 3  # lost: what was handed out says so
    base, _ = base_of(small())
    jobs = [Job(base, "{}", "", repetition, code_sha256()) for repetition in range(50)]
    outcome = Outcome("invalid", "x", None, "", None)

    def done_first(futures: dict[Future[Outcome], Job], **_: object) -> object:
        future = next(iter(futures))
        client.waiting.pop(future)
        future.set_result(outcome)
        return type("Done", (), {"done": [future]})

    monkeypatch.setattr("simulator.sweeps.executors.wait", done_first)
    pool = Pool(lambda _runs: nullcontext(executor), 1, own=False)
    assert [job for job, _ in computed(jobs, pool)] == jobs
    assert client.most == WINDOW * 3


def test_a_cluster_without_workers_is_told_once_and_given_up_in_words(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now = [100.0]
    monkeypatch.setattr("simulator.sweeps.executors.time.monotonic", lambda: now[0])
    client = Client()
    executor = Cluster(client)

    def attend_for(seconds: float) -> None:
        until = now[0] + seconds
        while now[0] < until:
            executor.attend()
            now[0] += ASK_S

    attend_for(TELL_S)
    assert caplog.text == ""
    attend_for(TELL_S)
    assert caplog.text.count("the Dask cluster has no workers; waiting up to 30 min") == 1
    client.cores = {"a": 1}
    attend_for(2 * GIVE_UP_S)  # a run may take any time
    client.cores = {}
    with pytest.raises(ExecutorError, match=r"has had no worker for 30 min; .* what was done is kept"):
        attend_for(2 * GIVE_UP_S)
    assert caplog.text.count("no workers") == 2
    executor.rest()  # a run was done, though nobody asked how many workers there are
    attend_for(GIVE_UP_S - ASK_S)


def test_runs_that_nobody_does_are_waited_for_with_an_eye_on_the_workers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("simulator.sweeps.executors.ASK_S", 0.01)
    monkeypatch.setattr("simulator.sweeps.executors.GIVE_UP_S", 0.1)
    base, _ = base_of(small())
    pool = Pool(lambda _runs: nullcontext(Cluster(Client())), 1, own=False)
    with pytest.raises(ExecutorError, match="has had no worker"):
        list(computed([Job(base, "{}", "", 0, code_sha256())], pool))


@pytest.mark.parametrize(
    "address",
    [
        "",
        "Local",
        "nowhere",
        "tcp://127.0.0.1",
        "tcp://127.0.0.1:x",
        "127.0.0.1:0",
        "tcp://a:65536",
        "http://a:1",
    ],
)
def test_what_is_no_address_is_said_at_once(address: str) -> None:
    with (
        pytest.raises(ExecutorError, match=r"is no address of a Dask scheduler; expected tcp://HOST:PORT"),
        open_executor(1, address),
    ):
        pass


def test_no_workers_at_all_are_refused() -> None:
    with (
        pytest.raises(ExecutorError, match="workers: expected a whole number of at least 1, got 0"),
        open_executor(0),
    ):
        pass


@contextmanager
def listening(answer: bytes) -> Iterator[str]:
    """Yield the address of something that is no scheduler."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    guest, _ = server.accept()
                except OSError:
                    return
                guests.append(guest)
                guest.sendall(answer)

        guests = list[socket.socket]()
        threading.Thread(target=serve, daemon=True).start()
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"
        for guest in guests:
            guest.close()


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"", "something answers there, but no Dask scheduler within 0.3 s"),
        (b"HTTP/1.0 400 Bad request\r\n\r\n" + b"x" * 500, "cannot be talked to as a Dask scheduler"),
    ],
)
def test_a_server_of_another_kind_is_said(monkeypatch: pytest.MonkeyPatch, answer: bytes, told: str) -> None:
    pytest.importorskip("distributed", reason="needs the extra `dask`")
    monkeypatch.setattr("simulator.sweeps.executors.CONNECT_S", 0.3)
    monkeypatch.setattr("simulator.sweeps.executors.GRACE_S", 0.1)
    with listening(answer) as address, pytest.raises(ExecutorError, match=told), open_executor(1, address):
        pass


def test_an_address_that_needs_certificates_is_said_without_them() -> None:
    pytest.importorskip("distributed", reason="needs the extra `dask`")
    with (
        pytest.raises(
            ExecutorError, match=r"tls://127.0.0.1:9: cannot be talked to as a Dask scheduler: TLS"
        ),
        open_executor(1, "tls://127.0.0.1:9"),
    ):
        pass


class Unable(Executor):
    """Loses every run to a machine without the program, in the words of a scheduler or of a worker."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def submit(self, *_: object, **__: object) -> Future[Outcome]:  # type: ignore[override] # runs nothing
        future: Future[Outcome] = Future()
        future.set_exception(self._error)
        return future


def _of_scheduler() -> Exception:
    error = RuntimeError("Error during deserialization of the task graph.")
    error.__cause__ = ModuleNotFoundError("No module named 'simulator'")
    return error


@pytest.mark.parametrize("error", [ModuleNotFoundError("No module named 'simulator'"), _of_scheduler()])
def test_a_machine_without_the_program_is_said(error: Exception) -> None:
    base, _ = base_of(small())
    pool = Pool(lambda _runs: nullcontext(Unable(error)), 1, own=False)
    with pytest.raises(ExecutorError, match=r"cannot load kinesim \(No module named 'simulator'\): install"):
        list(computed([Job(base, "{}", "", 0, code_sha256())], pool))


def test_an_executor_of_dask_is_known_as_a_cluster_and_others_are_left_alone() -> None:
    client = Client()
    client.cores = {"a": 3}
    theirs = type("ClientExecutor", (Unable,), {"__module__": "distributed.cfexecutor", "_client": client})
    found, other = recognised(theirs(ValueError())), Unable(ValueError())
    assert isinstance(found, Cluster)
    assert found.workers == 3
    assert isinstance(found.submit(int).exception(), ValueError)  # by what was given, not by one of its own
    assert recognised(other) is other


class Breaking(Executor):
    """Breaks, and loses all that it was handed, when it comes to some runs."""

    def __init__(self, deadly: set[int]) -> None:
        self._deadly = deadly
        self._broken = False

    def submit(self, _: object, job: Job) -> Future[Outcome]:  # type: ignore[override] # is given jobs alone
        future: Future[Outcome] = Future()
        self._broken |= job.repetition in self._deadly
        if self._broken:
            future.set_exception(BrokenExecutor("ended"))
        else:
            future.set_result(Outcome("invalid", "x", None, "", None))
        return future


def test_a_run_that_kills_its_worker_is_left_to_the_last_and_others_are_done() -> None:
    base, _ = base_of(small())
    jobs = [Job(base, f'{{"seed": {repetition}}}', "", repetition, code_sha256()) for repetition in range(50)]
    deadly, given = {3, 17, 18, 19, 30, 41, 42}, set[int]()
    opened = []

    def reopen(_runs: int) -> nullcontext[Executor]:
        opened.append(1)
        return nullcontext(Breaking(deadly))

    def take() -> None:
        for job, _ in computed(jobs, Pool(reopen, 2, own=True)):
            given.add(job.repetition)

    with pytest.raises(ExecutorError, match=r"died 3 times while {\"seed\": \d+} alone .* is kept"):
        take()
    assert given == set(range(50)) - deadly
    assert len(opened) < 60


def test_runs_that_are_handed_to_a_pool_as_it_breaks_are_not_lost() -> None:
    base, _ = base_of(small())
    jobs = [Job(base, "{}", "", repetition, code_sha256()) for repetition in range(20)]
    pools = list[int]()

    class Closing(Breaking):
        """Refuses what comes after the third run, in its first life."""

        def submit(self, call: object, job: Job) -> Future[Outcome]:  # type: ignore[override] # as Breaking
            if pools == [1] and job.repetition == 3:
                raise BrokenExecutor
            return super().submit(call, job)

    def reopen(_runs: int) -> nullcontext[Executor]:
        pools.append(1)
        return nullcontext(Closing(set()))

    found = [job.repetition for job, _ in computed(jobs, Pool(reopen, 2, own=True))]
    assert sorted(found) == list(range(20))


def test_workers_that_die_of_everything_are_given_up_soon() -> None:
    base, _ = base_of(small())
    jobs = [Job(base, "{}", "", repetition, code_sha256()) for repetition in range(1000)]
    opened = []

    def reopen(_runs: int) -> nullcontext[Executor]:
        opened.append(1)
        return nullcontext(Breaking(set(range(1000))))

    with pytest.raises(ExecutorError, match=r"died 21 times in a row"):
        list(computed(jobs, Pool(reopen, 2, own=True)))
    assert len(opened) == 21


def test_runs_are_made_here_while_processes_start(monkeypatch: pytest.MonkeyPatch) -> None:
    base, _ = base_of(small())
    jobs = [Job(base, "{}", "", repetition, code_sha256()) for repetition in range(20)]
    starting = iter([True, True, True])
    handed = list[int]()

    class Late(Executor):
        def submit(self, _: object, job: Job) -> Future[Outcome]:  # type: ignore[override] # is given jobs alone
            handed.append(job.repetition)
            future: Future[Outcome] = Future()
            future.set_result(run_job(job))
            return future

    monkeypatch.setattr("simulator.sweeps.handing_out.is_starting", lambda _executor: next(starting, False))
    found = [
        job.repetition for job, _ in computed(jobs, Pool(lambda _runs: nullcontext(Late()), 1, own=True))
    ]
    assert sorted(found) == list(range(20))
    assert set(range(20)) - set(handed) == {WINDOW, WINDOW + 1, WINDOW + 2}
    assert found[:3] == [WINDOW, WINDOW + 1, WINDOW + 2]


def test_what_is_made_here_is_told_before_the_next_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    base, _ = base_of(small())
    jobs = [Job(base, "{}", "", repetition, code_sha256()) for repetition in range(6)]
    made = list[int]()

    def run_here(job: Job) -> Outcome:
        made.append(job.repetition)
        return run_job(job)

    monkeypatch.setattr("simulator.sweeps.handing_out.run_job", run_here)
    with open_pool(1) as pool:
        for told, _ in enumerate(computed(jobs, pool), 1):
            assert len(made) == told


@pytest.mark.parametrize(("workers", "runs", "opened"), [(8, 3, 3), (8, 1, 2), (2, 9, 2), (1, 9, 1)])
def test_no_more_processes_are_started_than_there_are_runs(
    monkeypatch: pytest.MonkeyPatch, workers: int, runs: int, opened: int
) -> None:
    asked = list[int]()

    def count(number: int) -> nullcontext[Executor]:
        asked.append(number)
        return nullcontext(Serial())

    monkeypatch.setattr("simulator.sweeps.handing_out.open_executor", count)
    base, _ = base_of(small())
    jobs = [Job(base, "{}", "", repetition, code_sha256()) for repetition in range(runs)]
    with open_pool(workers) as pool:
        assert len(list(computed(jobs, pool))) == runs
    assert asked == [opened]
