"""The folder of results: what is in it is found again if and only if it would be the same."""

from __future__ import annotations

import errno
import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import pytest
from small import TRIALS, small

from simulator import sweep
from simulator.sweeps import Job, Store, Swept, run_job, running, store
from simulator.sweeps.jobs import base_of, code_sha256
from simulator.sweeps.store import MARK, StoreError

AXES: dict[str, object] = {TRIALS: [1, 2, 3]}


def results(folder: Path) -> list[Path]:
    return sorted(folder.glob("results/*/*/??/*.json"))


def swept(folder: Path, axes: dict[str, object] | None = None, **options: Any) -> Swept:  # noqa: ANN401 - any argument
    return sweep(options.pop("source", None) or small(), axes or AXES, store=folder, **options)


def test_what_is_kept_is_not_computed_again_and_gives_the_same_table(tmp_path: Path) -> None:
    first = swept(tmp_path / "s")
    again = swept(tmp_path / "s")
    assert (first.computed, first.kept, again.computed, again.kept) == (3, 0, 0, 3)
    pd.testing.assert_frame_equal(first.runs, again.runs)
    pd.testing.assert_frame_equal(first.runs, sweep(small(), AXES).runs)


def test_more_values_and_more_seeds_add_to_what_is_there(tmp_path: Path) -> None:
    swept(tmp_path / "s")
    assert swept(tmp_path / "s", {TRIALS: [1, 2, 3, 4]}).computed == 1
    assert swept(tmp_path / "s", seeds=2).computed == 3


def test_a_changed_scenario_is_noticed(tmp_path: Path) -> None:
    swept(tmp_path / "s")
    again = swept(tmp_path / "s", overrides={"workload.max_tokens": 32})
    assert (again.computed, again.kept) == (3, 0)
    assert (again.others.other_scenario, again.others.other_code) == (3, 0)


def test_other_code_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    swept(tmp_path / "s")
    other = "0" * 64
    monkeypatch.setattr(running, "code_sha256", lambda: other)
    monkeypatch.setattr("simulator.sweeps.jobs.code_sha256", lambda: other)
    again = swept(tmp_path / "s")
    assert (again.computed, again.kept) == (3, 0)
    assert (again.others.other_scenario, again.others.other_code) == (0, 3)


def test_the_hash_of_the_program_changes_with_any_of_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [tmp_path / name for name in ("simulator/a.py", "workloads/b.toml", "hw/calibrations/c.json")]
    for path in files:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("1", encoding="utf-8")
    monkeypatch.setattr("simulator.sweeps.jobs.ROOT", tmp_path)
    monkeypatch.setattr("simulator.sweeps.jobs.folder_of", lambda _: tmp_path / "hw")
    seen = {code_sha256.__wrapped__()}
    for path in files:
        path.write_text("2", encoding="utf-8")
        seen.add(code_sha256.__wrapped__())
    assert len(seen) == 4


@pytest.mark.parametrize("damage", ["[" * 100_000, "", "{", "[]", "null", '{"status": "ok"}', "\0\0\0"])
def test_a_damaged_result_is_computed_again(tmp_path: Path, damage: str) -> None:
    first = swept(tmp_path / "s")
    results(tmp_path / "s")[1].write_text(damage, encoding="utf-8")
    again = swept(tmp_path / "s")
    assert (again.computed, again.kept) == (1, 2)
    pd.testing.assert_frame_equal(first.runs, again.runs)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.99])
def test_a_truncated_result_is_computed_again(tmp_path: Path, part: float) -> None:
    swept(tmp_path / "s")
    path = results(tmp_path / "s")[0]
    data = path.read_bytes()
    path.write_bytes(data[: int(part * len(data))])
    assert swept(tmp_path / "s").computed == 1
    assert path.read_bytes() == data


def test_a_result_whose_metrics_are_damaged_is_computed_again(tmp_path: Path) -> None:
    swept(tmp_path / "s")
    path = results(tmp_path / "s")[0]
    table = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**table, "summary": [1]}), encoding="utf-8")
    assert swept(tmp_path / "s").computed == 1


def test_a_full_disk_is_said_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = store.write_whole
    calls = []

    def full(path: Path, text: str) -> None:
        calls.append(path)
        if len(calls) > 3:  # the mark and two results
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written(path, text)

    monkeypatch.setattr(store, "write_whole", full)
    with pytest.raises(StoreError, match=r"No space left on device; what was done before is kept: make room"):
        swept(tmp_path / "s")
    monkeypatch.undo()
    assert (swept(tmp_path / "s").kept, len(results(tmp_path / "s"))) == (2, 3)


def test_a_file_that_is_half_written_is_never_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(self: Path, text: str, **_: object) -> int:
        with self.open("w") as file:
            file.write(text[: len(text) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    Store(tmp_path / "s")
    monkeypatch.setattr(Path, "write_text", half)
    with pytest.raises(StoreError):
        swept(tmp_path / "s")
    assert [path for path in (tmp_path / "s").rglob("*") if path.is_file()] == [tmp_path / "s" / MARK]


def test_an_unreadable_result_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    swept(tmp_path / "s")
    read = Path.read_text

    def refused(self: Path, *arguments: Any, **options: Any) -> str:  # noqa: ANN401 - any argument
        if self.parent.parent.parent.parent.name == "results":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return read(self, *arguments, **options)

    monkeypatch.setattr(Path, "read_text", refused)
    with pytest.raises(StoreError, match=r"cannot be read: Permission denied"):
        swept(tmp_path / "s")


def test_a_folder_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")
    with pytest.raises(StoreError, match=r"is not empty and no store of a sweep"):
        swept(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_file_in_the_place_of_a_store_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("x", encoding="utf-8")
    with pytest.raises(StoreError, match=r"is no folder; a store is one"):
        swept(tmp_path / "s")


@pytest.mark.parametrize(
    ("text", "told"), [("x", "cannot be read as the mark"), ('{"store": 9}', "version 9")]
)
def test_a_store_of_another_version_is_refused(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / MARK).write_text(text, encoding="utf-8")
    with pytest.raises(StoreError, match=told):
        swept(tmp_path)


def test_a_store_that_was_killed_at_its_very_beginning_is_one(tmp_path: Path) -> None:
    (tmp_path / f".{MARK}.12345.part").write_text("{", encoding="utf-8")
    assert swept(tmp_path).computed == 3


def test_a_key_holds_all_that_a_result_depends_on() -> None:
    base, _ = base_of(small())
    other, _ = base_of(small(seed=1))
    job = Job(base, "{}", "", 0, code_sha256())
    jobs = [
        job,
        replace(job, base=other),
        replace(job, changes='{"a": 1}'),
        replace(job, variant="x"),
        replace(job, repetition=1),
        replace(job, code_sha256="0" * 64),
        replace(job, files_sha256="1" * 64),
    ]
    assert len({each.key for each in jobs}) == len(jobs)


def test_an_outcome_comes_back_as_it_was_put(tmp_path: Path) -> None:
    base, _ = base_of(small())
    job = Job(base, "{}", "", 0, code_sha256())
    outcome, kept = run_job(job), Store(tmp_path / "s")
    assert kept.get(job.key) is None
    kept.put(job, outcome)
    assert Store(tmp_path / "s").get(job.key) == outcome


def test_threads_that_make_one_store_have_it() -> None:
    def made(folder: Path) -> bool:
        return Store(folder).folder.is_dir()

    for _ in range(20):
        with TemporaryDirectory() as folder, ThreadPoolExecutor(4) as threads:
            assert all(threads.map(made, [Path(folder) / "s"] * 4))


def test_a_folder_of_files_that_others_have_not_finished_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "film.mkv.part").touch()
    with pytest.raises(StoreError, match="is not empty and no store"):
        Store(tmp_path)


@pytest.mark.parametrize("moment", [(store, "write_whole"), (Path, "iterdir")], ids=lambda moment: moment[1])
def test_a_store_that_two_make_at_once_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: tuple[object, str]
) -> None:
    own, name = moment
    then, made = getattr(own, name), list[Store]()

    def after_another(*args: Any) -> Any:  # noqa: ANN401 - of either function
        """Go on when another has made its store."""
        monkeypatch.setattr(own, name, then)
        made.append(Store(tmp_path))
        return then(*args)

    monkeypatch.setattr(own, name, after_another)
    Store(tmp_path)
    assert len(made) == 1
    assert {path.name for path in tmp_path.iterdir()} == {MARK, "results"}
