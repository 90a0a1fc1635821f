"""What a worker may be: one with the same program, behind an executor that only one file knows."""

from __future__ import annotations

import ast
import pickle
from concurrent.futures import Future
from contextlib import nullcontext
from pathlib import Path

import pytest
from small import small

from simulator.sweeps.executors import ASK_S, Cluster
from simulator.sweeps.jobs import Job, OtherCodeError, Outcome, base_of, code_sha256, run_job
from simulator.sweeps.running import WINDOW, Pool, computed


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

    monkeypatch.setattr("simulator.sweeps.running.wait", done_first)
    pool = Pool(lambda: nullcontext(executor), 1, own=False)
    assert [job for job, _ in computed(jobs, pool)] == jobs
    assert client.most == WINDOW * 3
