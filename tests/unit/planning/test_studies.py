"""Studies that processes share: one name for one question, no numbers drawn twice, databases that fail."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from plans import document

from simulator import plan
from simulator.planning.studying import StorageError

optuna = pytest.importorskip("optuna")

SERVER = os.environ.get("KINESIM_TEST_POSTGRES", "")
"""URL of a PostgreSQL database that the tests may fill, such as postgresql://user@127.0.0.1:5432/plans."""

WIDE = {"engine.max_sequences": "1:64", "parallelism.dp": "1:8"}

ASK = """
import json, sys
from simulator import plan
answer = plan(json.loads(sys.argv[1]), asked=json.loads(sys.argv[2]), storage=sys.argv[3])
print(json.dumps(answer.best[0].mean("cost.usd_per_solved_task")))
"""


def asked(**parts: Any) -> dict[str, Any]:  # noqa: ANN401 - raw parts of a plan
    return {"minimise": ["cost"], "choices": WIDE, "seeds": 1, "runs": 16, "sampler": "tpe", **parts}


def together(storage: str, processes: int, name: str, **parts: Any) -> list[float]:  # noqa: ANN401 - of a plan
    """Return the costs that processes find that begin at the same time."""
    load = document(name=name)
    command = [sys.executable, "-c", ASK, json.dumps(load), json.dumps(asked(**parts)), storage]
    begun = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own command
        for _ in range(processes)
    ]
    told = [(process.communicate()[0], process.returncode) for process in begun]
    assert [code for _, code in told] == [0] * processes
    return [json.loads(text) for text, _ in told]


@contextmanager
def opened(url: str) -> Iterator[Any]:
    storage = optuna.storages.RDBStorage(url)
    try:
        yield storage
    finally:
        storage.remove_session()
        storage.engine.dispose()


def trials_of(storage: Any) -> list[Any]:  # noqa: ANN401 - Optuna's
    names = optuna.get_all_study_names(storage)
    assert len(names) == 1
    return list(optuna.load_study(study_name=names[0], storage=storage).get_trials())


@pytest.mark.slow
@pytest.mark.no_cover
def test_processes_that_begin_together_share_a_new_file(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'study.db'}"
    costs = together(url, 3, "shared", runs=40)
    with opened(url) as storage:
        trials = trials_of(storage)
    assert 20 <= len(trials) <= 20 + 3 * 4  # the sampler's part of 40 runs, and what was under way
    assert max(costs) <= 1.02 * min(costs)


@pytest.mark.slow
@pytest.mark.no_cover
@pytest.mark.skipif(not SERVER, reason="KINESIM_TEST_POSTGRES names no PostgreSQL database to fill")
def test_processes_share_a_server() -> None:
    with opened(SERVER) as storage:
        before = set(optuna.get_all_study_names(storage))
        costs = together(SERVER, 2, f"shared-{uuid4().hex}", runs=40)
        (name,) = set(optuna.get_all_study_names(storage)) - before
        trials = optuna.load_study(study_name=name, storage=storage).get_trials()
        optuna.delete_study(study_name=name, storage=storage)
    assert 20 <= len(trials) <= 20 + 2 * 4
    assert all(trial.state == optuna.trial.TrialState.COMPLETE for trial in trials)
    assert max(costs) <= 1.02 * min(costs)


def test_processes_that_share_a_study_draw_numbers_of_their_own() -> None:
    storage = optuna.storages.InMemoryStorage()
    for runs in (14, 28):  # the second goes on where the first has ended, as a process that joins later does
        plan(document(), asked=asked(runs=runs), storage=storage)
    drawn = [tuple(sorted(trial.params.items())) for trial in trials_of(storage)]
    assert len(drawn) == 14
    assert len(set(drawn)) >= 12  # with the numbers of the first the second would draw seven again


@pytest.mark.parametrize(
    "other",
    [
        {"choices": {"engine.max_sequences": "1:32", "parallelism.dp": "1:8"}},
        {"choices": {"engine.max_sequences": "1:64", "parallelism.dp": [4, 1, 8, 2]}},
        {"choices": {"engine.max_batched_tokens": "100:200", "parallelism.dp": "1:8"}},
        {"minimise": ["gpus"]},
        {"minimise": ["cost", "gpus"]},
        {"constraints": {"gpus": {"at_least": 4}}},
    ],
)
def test_another_question_has_a_study_of_its_own(other: dict[str, Any]) -> None:
    storage = optuna.storages.InMemoryStorage()
    plan(document(), asked=asked(), storage=storage)
    shared = plan(document(), asked=asked(**other), storage=storage)
    alone = plan(document(), asked=asked(**other), storage=optuna.storages.InMemoryStorage())
    assert shared.table.equals(alone.table)
    assert len(optuna.get_all_study_names(storage)) == 2


@pytest.mark.parametrize(
    ("storage", "told"),
    [
        ("sqlite:////nowhere/at/all.db", "unable to open database file"),
        ("/nowhere/at/all.log", "No such file or directory"),
        ("study.db", "expected a URL, such as sqlite:///study.db, or a file that ends in .log"),
        ("nonsense+driver://user:secret@host/plans", "nonsense"),
    ],
)
def test_a_storage_that_cannot_be_used_is_named_without_its_password(storage: str, told: str) -> None:
    with pytest.raises(StorageError) as caught:
        plan(document(), asked=asked(), storage=storage)
    text = str(caught.value)
    assert text.startswith(f"--storage {storage.replace('secret', '***')}: cannot be used for a study: ")
    assert told in text
    assert "\n" not in text


def test_a_storage_that_fails_on_the_way_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        message = "server closed the connection unexpectedly"
        raise RuntimeError(message)

    storage = optuna.storages.InMemoryStorage()
    monkeypatch.setattr(storage, "set_trial_state_values", fail)
    with pytest.raises(StorageError, match="cannot be used for a study: server closed the connection"):
        plan(document(), asked=asked(), storage=storage)


def test_runs_are_the_most_that_are_simulated() -> None:
    for runs in (1, 2, 5, 7):
        answer = plan(document(), asked=asked(runs=runs))
        assert len(answer.ledger) <= runs
