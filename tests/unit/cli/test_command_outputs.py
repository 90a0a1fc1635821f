"""What the command line writes: refused before the run, written whole, and never instead of the answer."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from command import Kinesim

from simulator import Comparison, Scenario, compare
from simulator.cli import main
from simulator.cli.outputs import write_whole
from simulator.scenario.loader import load_scenario

SMALL = ["quickstart", "--set", "workload.tasks.repeats=1", "--set", "report.seeds=1"]
FULL = Path("/dev/full")

needs_full = pytest.mark.skipif(not FULL.exists(), reason="the system has no full device to write to")


@pytest.fixture
def no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.api.compare", lambda *_, **__: pytest.fail("it was run"))


@pytest.mark.usefixtures("no_run")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--html", "/dev/null"], "/dev/null is a device or a pipe, not a file; choose another name"),
        (["--html", "folder"], "folder is a folder, not a file; choose another name"),
        (["--html", "mine.yaml"], "mine.yaml is the file that is read; choose another name"),
        (["--html", "link.yaml"], "link.yaml is the file that is read; choose another name"),
        (["--out", "mine.yaml"], "mine.yaml is not a folder; choose another name"),
        (["--out", "x", "--html", "./x"], "--out x and --html x are the same path; choose two names"),
        (["--out", "mine.yaml/x"], "mine.yaml/x: cannot be written: Not a directory"),
        (["--html", "mine.yaml/x"], "mine.yaml/x: cannot be written: Not a directory"),
    ],
)
def test_an_output_that_cannot_be_is_refused_before_the_run(
    kinesim: Kinesim, arguments: list[str], message: str
) -> None:
    assert kinesim("new", "mine") == 0
    Path("folder").mkdir()
    Path("link.yaml").symlink_to("mine.yaml")
    before = Path("mine.yaml").read_bytes()
    assert kinesim("run", "mine.yaml", *arguments, "--overwrite") == 2
    assert (kinesim.out, kinesim.err) == ("", message + "\n")
    assert Path("mine.yaml").read_bytes() == before
    assert sorted(path.name for path in Path().iterdir()) == ["folder", "link.yaml", "mine.yaml"]


@pytest.mark.usefixtures("no_run")
def test_a_folder_that_is_not_a_result_is_left_alone(kinesim: Kinesim) -> None:
    assert kinesim("new", "mine") == 0
    folder = Path("extension")
    folder.mkdir()
    (folder / "manifest.json").write_text('{"name": "somebody\'s extension"}')
    (folder / "source.js").write_text("precious")
    assert kinesim("run", "mine.yaml", "--out", "extension", "--overwrite") == 2
    assert "extension is not a folder of results" in kinesim.err
    assert (folder / "source.js").read_text() == "precious"


def test_a_folder_that_appears_during_the_run_is_refused_in_the_words_of_the_command_line(
    kinesim: Kinesim, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compare_and_be_overtaken(scenario: Scenario, **rest: Any) -> Comparison:  # noqa: ANN401 - passed on
        Path("out").mkdir()
        return compare(scenario, **rest)

    monkeypatch.setattr("simulator.api.compare", compare_and_be_overtaken)
    assert kinesim("run", *SMALL, "--out", "out", "--quiet") == 2
    assert kinesim.err == "out exists; choose another name or pass --overwrite\n"
    assert list(Path("out").iterdir()) == []


def test_a_result_is_replaced_unless_it_holds_somebodys_file(kinesim: Kinesim) -> None:
    again = ["run", *SMALL, "--out", "results", "--quiet", "--overwrite"]
    assert kinesim(*again) == 0
    assert kinesim(*again) == 0
    Path("results/notes.txt").write_text("precious")
    assert kinesim(*again) == 2
    assert "results also holds notes.txt, which is not part of its results" in kinesim.err
    assert Path("results/notes.txt").read_text() == "precious"


@pytest.mark.usefixtures("no_run")
@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="the system has no folder that takes no files")
def test_a_folder_that_takes_no_files_is_refused_before_the_run(kinesim: Kinesim) -> None:
    assert kinesim("run", *SMALL, "--out", "/proc/self/new/out") == 2
    assert kinesim.err.startswith("/proc/self/new/out: cannot be written: ")


def test_the_folder_of_a_report_page_is_made(kinesim: Kinesim) -> None:
    pytest.importorskip("plotly", reason="the report page needs plotly")
    assert kinesim("run", *SMALL, "--quiet", "--html", "a/b/page.html") == 0
    assert Path("a/b/page.html").is_file()


def test_the_answer_is_printed_though_the_files_cannot_be_written(
    kinesim: Kinesim, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "out/trials.csv")

    kinesim("run", *SMALL)
    answer = kinesim.out
    monkeypatch.setattr("simulator.api.Comparison.to_dir", full)
    assert kinesim("run", *SMALL, "--out", "out") == 2
    assert kinesim.out == answer
    assert kinesim.err == "out/trials.csv: No space left on device\n"


def process(*arguments: str, folder: Path, stdout: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "simulator", *arguments],
        cwd=folder,
        text=True,
        check=False,
        stdout=stdout,
        stderr=subprocess.PIPE,
    )


@needs_full
@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["run", "--help"], ["schema"]])
def test_an_answer_that_cannot_be_printed_exits_with_2(tmp_path: Path, arguments: list[str]) -> None:
    with FULL.open("w") as full:
        done = process(*arguments, folder=tmp_path, stdout=full.fileno())
    assert (done.returncode, done.stderr) == (2, "No space left on device\n")


@needs_full
def test_the_files_are_written_though_the_answer_cannot_be_printed(tmp_path: Path) -> None:
    with FULL.open("w") as full:
        done = process("run", *SMALL, "--out", "out", folder=tmp_path, stdout=full.fileno())
    assert (done.returncode, done.stderr) == (2, "wrote out\nNo space left on device\n")
    assert (tmp_path / "out/manifest.json").is_file()


def test_a_command_without_a_stdout_still_ends_well(tmp_path: Path) -> None:
    command = f"{shlex.quote(sys.executable)} -m simulator --version >&-"
    done = subprocess.run(  # noqa: S602 - our own command, with its stdout closed
        command, shell=True, cwd=tmp_path, text=True, check=False, stderr=subprocess.PIPE
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_changed_manifest_is_said_on_stderr(tmp_path: Path) -> None:
    process("run", *SMALL, "--quiet", "--out", "out", folder=tmp_path, stdout=subprocess.DEVNULL)
    path = tmp_path / "out/manifest.json"
    about = json.loads(path.read_text(encoding="utf-8"))
    about["scenario"]["question"] = "Another?"
    path.write_text(json.dumps(about), encoding="utf-8")
    done = process("describe", "out/manifest.json", folder=tmp_path, stdout=subprocess.DEVNULL)
    assert done.returncode == 0
    assert done.stderr.startswith("out/manifest.json: scenario_sha256 does not match")


@pytest.mark.parametrize("name", ["null", "true", "1e5", "a b", "it's", "x.yml"])
def test_a_new_scenario_of_any_name_loads_as_its_hint_says(kinesim: Kinesim, name: str) -> None:
    assert kinesim("new", name) == 0
    hint = shlex.split(kinesim.err.partition("; try: ")[2])
    assert hint[:2] == ["kinesim", "run"]
    assert load_scenario(Path(hint[2])).name == name.removesuffix(".yml")


@pytest.mark.parametrize("name", ["", ".yaml", "folder/", "-x", "a\x1bb"])
def test_a_name_that_cannot_be_used_is_refused(kinesim: Kinesim, name: str) -> None:
    Path("folder").mkdir()
    assert kinesim("new", "--", name) == 2
    assert "cannot name a scenario" in kinesim.err
    assert [path.name for path in Path().rglob("*")] == ["folder"]


def test_nothing_is_left_of_a_file_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    path = tmp_path / "mine.yaml"
    with pytest.raises(OSError, match="No space left on device") as raised:
        write_whole(path, "schema: 1\n")
    assert raised.value.filename == os.fspath(path)
    assert list(tmp_path.iterdir()) == []


def test_faults_of_an_imported_model_name_its_file(kinesim: Kinesim) -> None:
    Path("config.json").write_text('{"model_type": "llama", "hidden_size": 8}', encoding="utf-8")
    assert kinesim("model", "import", "config.json", "--name", "mine") == 2
    lines = kinesim.err.splitlines()
    assert all(line.startswith("config.json: ") for line in lines)
    assert {"config.json: num_hidden_layers: missing", "config.json: vocab_size: missing"} <= set(lines)


def test_an_imported_model_does_not_replace_what_it_is_read_from(kinesim: Kinesim) -> None:
    Path("config.json").write_text("{}", encoding="utf-8")
    assert kinesim("model", "import", "config.json", "--out", "config.json", "--overwrite") == 2
    assert kinesim.err == "config.json is the file that is read; choose another name\n"


def test_a_run_told_to_end_while_it_writes_leaves_nothing_behind(tmp_path: Path) -> None:
    code = (
        "import os, signal, simulator.output as output\n"
        "output._write_run = lambda *_: os.kill(os.getpid(), signal.SIGTERM)\n"
        f"from simulator.cli import main; main(['run', *{SMALL!r}, '--quiet', '--out', 'out'])"
    )
    done = subprocess.run(  # noqa: S603 - our own interpreter and the fixed statements above
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (128 + signal.SIGTERM, "", "")
    assert list(tmp_path.iterdir()) == []


def test_more_kv_blocks_than_memory_holds_are_noted(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(
            [
                "run",
                *SMALL,
                "--set",
                "engine.kv.blocks=9000000",
                "--set",
                "variants=null",
                "--json",
                "--quiet",
            ]
        )
    notes = json.loads(capsys.readouterr().out)["notes"]
    assert any("engine.kv.blocks asks for" in note["note"] for note in notes)
