"""The command line: exit codes, what goes to which stream, files that are written or refused."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from command import Kinesim

import simulator
from simulator.cli.answering import answering
from simulator.cli.arguments import _scenario_names
from simulator.cli.catalogs import Topic
from simulator.cli.layout import WIDEST, aligned
from simulator.cli.progress import ProgressBar
from simulator.errors import InvariantViolation
from simulator.scenario.listing import TOPICS
from simulator.scenario.loader import load_scenario

SMALL = ["quickstart", "--set", "workload.tasks.repeats=1", "--set", "report.seeds=1"]


def test_help_names_every_command(kinesim: Kinesim) -> None:
    assert kinesim("--help") == 0
    assert {
        "run",
        "compare",
        "explain",
        "describe",
        "list",
        "calibrate",
        "schema",
        "new",
        "model",
        "validate",
    } <= set(kinesim.out.split())


@pytest.mark.parametrize(
    "command",
    ["run", "compare", "explain", "describe", "list", "schema", "new", "model import", "validate silicon"],
)
def test_every_command_has_help(kinesim: Kinesim, command: str) -> None:
    assert kinesim(*command.split(), "--help") == 0
    assert f"kinesim {command}" in kinesim.out


def test_the_version_is_that_of_the_package(kinesim: Kinesim) -> None:
    assert kinesim("--version") == 0
    assert kinesim.out == f"kinesim {simulator.__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [["frob"], ["run"], ["run", "quickstart", "--sed", "1"], ["run", "quickstart", "--seed", "-1"]],
)
def test_wrong_usage_exits_with_2(kinesim: Kinesim, arguments: list[str]) -> None:
    assert kinesim(*arguments) == 2
    assert kinesim.out == ""
    assert "Error" in kinesim.err


def test_a_run_prints_text_on_stdout_only(kinesim: Kinesim) -> None:
    assert kinesim("run", *SMALL) == 0
    assert "solved tasks/s" in kinesim.out
    assert kinesim.err == ""


def test_a_run_prints_json_and_no_text(kinesim: Kinesim) -> None:
    assert kinesim("run", *SMALL, "--json", "--quiet") == 0
    assert "answer" in json.loads(kinesim.out)


def test_a_quiet_run_prints_nothing(kinesim: Kinesim) -> None:
    assert kinesim("run", *SMALL, "--quiet", "--out", "out") == 0
    assert (kinesim.out, kinesim.err) == ("", "")
    assert Path("out/manifest.json").is_file()


def test_both_engines_print_the_same(kinesim: Kinesim) -> None:
    few = [*SMALL[:1], "--set", "workload.tasks={kind: synthetic, count: 3, prompt_tokens: 20}"]
    few += ["--set", "workload.lengths={kind: constant, tokens: 1200}", "--json", "--seed", "2"]
    few += ["--set", "workload.max_tokens=1200"]
    kinesim("run", *few)
    fast = kinesim.out
    assert kinesim("run", *few, "--engine", "reference") == 0
    assert kinesim.out == fast


def test_checks_are_reported_on_stderr(kinesim: Kinesim) -> None:
    assert kinesim("run", *SMALL, "--check", "--json") == 0
    json.loads(kinesim.out)
    assert kinesim.err.startswith("checked on every run: INV-1, ")


def test_the_seed_option_sets_the_seed(kinesim: Kinesim) -> None:
    assert kinesim("run", *SMALL, "--seed", "7", "--quiet", "--out", "out") == 0
    assert load_scenario(Path("out/manifest.json")).seed == 7


def test_a_manifest_runs_again_to_the_same_bytes(kinesim: Kinesim) -> None:
    assert kinesim("run", *SMALL, "--quiet", "--out", "a") == 0
    assert kinesim("run", "a/manifest.json", "--quiet", "--out", "b") == 0
    first, second = (
        {path.relative_to(name): path.read_bytes() for path in Path(name).rglob("*") if path.is_file()}
        for name in ("a", "b")
    )
    assert first == second


@pytest.mark.parametrize("option", ["--out", "--html"])
def test_an_existing_output_is_refused_before_the_run(
    kinesim: Kinesim, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    monkeypatch.setattr("simulator.scenario.loader.load_scenario", lambda *_, **__: pytest.fail("it was run"))
    Path("there").mkdir()
    assert kinesim("run", *SMALL, option, "there") == 2
    refusals = {
        "--out": "there exists; choose another name or pass --overwrite\n",
        "--html": "there is a folder, not a file; choose another name\n",
    }
    assert kinesim.err == refusals[option]
    assert list(Path("there").iterdir()) == []


def test_an_earlier_output_is_replaced_when_asked(kinesim: Kinesim) -> None:
    kinesim("run", *SMALL, "--quiet", "--out", "out")
    assert kinesim("run", *SMALL, "--seed", "5", "--quiet", "--out", "out", "--overwrite") == 0
    assert load_scenario(Path("out/manifest.json")).seed == 5


def test_a_report_page_is_written(kinesim: Kinesim) -> None:
    pytest.importorskip("plotly", reason="the report page needs plotly")
    assert kinesim("run", *SMALL, "--html", "page.html") == 0
    assert kinesim.err == "wrote page.html\n"
    assert "<html" in Path("page.html").read_text(encoding="utf-8")


def test_a_report_page_without_plotly_is_refused_with_the_remedy(
    kinesim: Kinesim, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert kinesim("run", *SMALL, "--html", "page.html") == 2
    assert kinesim.err == "--html needs plotly: pip install plotly\n"


def test_an_infeasible_plan_exits_with_3(kinesim: Kinesim) -> None:
    assert kinesim("run", "quickstart", "--set", "model.preset=qwen3-235b-a22b") == 3
    assert "does not fit" in kinesim.err


def test_a_broken_invariant_exits_with_1(kinesim: Kinesim, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise InvariantViolation(4, "free 1 + held 1 is not 3")

    monkeypatch.setattr("simulator.api.compare", broken)
    assert kinesim("run", *SMALL) == 1
    assert kinesim.err == "INV-4: free 1 + held 1 is not 3\n"


def test_an_interrupted_run_exits_with_130_and_writes_nothing(
    kinesim: Kinesim, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("simulator.api.compare", interrupted)
    assert kinesim("run", *SMALL, "--out", "out") == 130
    assert kinesim.err == "interrupted\n"
    assert not Path("out").exists()


def test_a_folder_that_cannot_be_written_is_said(kinesim: Kinesim) -> None:
    Path("file").write_text("", encoding="utf-8")
    assert kinesim("run", *SMALL, "--quiet", "--out", "file/out") == 2
    assert "file" in kinesim.err
    assert len(kinesim.err.splitlines()) == 1


def test_a_system_error_names_its_file(capsys: pytest.CaptureFixture[str]) -> None:
    @answering
    def full() -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "out/trials.csv")

    with pytest.raises(Exception, match="2"):
        full()
    assert capsys.readouterr().err == "out/trials.csv: No space left on device\n"


def test_describe_shows_values_variants_and_memory(kinesim: Kinesim) -> None:
    assert kinesim("describe", "quickstart") == 0
    assert "hw_profiles/b200-sxm.yaml:" in kinesim.out
    assert "variant block_topk" in kinesim.out
    assert "kv.free_bytes" in kinesim.out
    assert kinesim.err == ""


def test_describe_gives_json(kinesim: Kinesim) -> None:
    assert kinesim("describe", "quickstart", "--set", "seed=3", "--json") == 0
    document = json.loads(kinesim.out)
    assert {"path": "seed", "value": 3, "unit": "-", "origin": "--set seed=3", "source": ""} in document[
        "values"
    ]


def test_the_topics_of_the_command_are_those_of_the_listings() -> None:
    assert [topic.value for topic in Topic] == list(TOPICS)


def test_list_without_a_topic_names_them(kinesim: Kinesim) -> None:
    assert kinesim("list") == 0
    assert kinesim.out.split() == list(TOPICS)


@pytest.mark.parametrize("topic", TOPICS)
def test_every_topic_is_printed_as_text_and_as_json(kinesim: Kinesim, topic: str) -> None:
    assert kinesim("list", topic) == 0
    lines = kinesim.out.splitlines()
    assert kinesim("list", topic, "--json") == 0
    assert len(json.loads(kinesim.out)) == len(lines) - 1


def test_an_unknown_topic_exits_with_2(kinesim: Kinesim) -> None:
    assert kinesim("list", "hardwares") == 2


def test_the_schema_is_json(kinesim: Kinesim) -> None:
    assert kinesim("schema") == 0
    assert json.loads(kinesim.out)["title"] == "kinesim scenario"


def test_a_new_scenario_loads_and_is_never_written_over(kinesim: Kinesim) -> None:
    assert kinesim("new", "mine") == 0
    written = Path("mine.yaml").read_text(encoding="utf-8")
    assert load_scenario(Path("mine.yaml")).name == "mine"
    assert kinesim("new", "mine") == 2
    assert kinesim.err == "mine.yaml exists; choose another name or pass --overwrite\n"
    assert Path("mine.yaml").read_text(encoding="utf-8") == written


CONFIG = {
    "model_type": "llama",
    "num_hidden_layers": 32,
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "max_position_embeddings": 131072,
    "tie_word_embeddings": False,
}


def test_an_imported_model_can_be_run(kinesim: Kinesim) -> None:
    Path("config.json").write_text(json.dumps(CONFIG), encoding="utf-8")
    assert kinesim("model", "import", "config.json", "--name", "mine", "--out", "mine.yaml") == 0
    assert "8,030,261,248 parameters" in kinesim.err
    scenario = load_scenario("quickstart", overrides=["model.preset=./mine.yaml"])
    assert scenario.model.architecture.name == "mine"
    assert kinesim("model", "import", "config.json", "--out", "mine.yaml") == 2


def test_an_imported_model_goes_to_stdout(kinesim: Kinesim, tmp_path: Path) -> None:
    Path("config.json").write_text(json.dumps(CONFIG), encoding="utf-8")
    assert kinesim("model", "import", "config.json") == 0
    assert kinesim.out.startswith(f"name: {tmp_path.name.lower()}\nlayers: 32\n")
    assert kinesim.err == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "config.json:1: not valid JSON"),
        ("{}", "model_type: missing"),
        (json.dumps(CONFIG | {"hidden_size": "big"}), "hidden_size: 'big' is not a positive whole number"),
    ],
)
def test_a_config_that_cannot_be_read_is_refused(kinesim: Kinesim, text: str, message: str) -> None:
    Path("config.json").write_text(text, encoding="utf-8")
    assert kinesim("model", "import", "config.json") == 2
    assert message in kinesim.err


def process(*arguments: str, folder: Path, **options: object) -> subprocess.CompletedProcess[str]:
    streams = {} if "stdout" in options else {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    done: subprocess.CompletedProcess[str] = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "simulator", *arguments],
        cwd=folder,
        text=True,
        check=False,
        **{**streams, **options},  # type: ignore[call-overload] # streams and an environment
    )
    return done


def test_the_module_is_the_command(tmp_path: Path) -> None:
    done = process("run", "nowhere.yaml", folder=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "nowhere.yaml: no such file\n")


def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as closed:
        done = process("describe", "quickstart", folder=tmp_path, stdout=closed, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no full device to write to")
def test_a_full_disk_is_said(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = process("list", "attention", folder=tmp_path, stdout=full, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (2, "No space left on device\n")


def test_a_terminal_without_unicode_gets_escapes(tmp_path: Path) -> None:
    (tmp_path / "accent.yaml").write_text("schema: 1\nn\u00e9: 1\n", encoding="utf-8")
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = process("describe", "accent.yaml", folder=tmp_path, env=environment)
    assert done.returncode == 2
    assert "accent.yaml:2: n" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_loads_no_simulator() -> None:
    code = "import simulator.cli, sys; print({'numpy', 'pydantic', 'simpy', 'rich'} & set(sys.modules))"
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("quick", ["quickstart"]),
        ("serving/po", ["serving/poisson-tp1-dp8", "serving/poisson-tp8-dp1"]),
        ("mi", ["mine.yaml"]),
        ("./folder/i", ["./folder/inner.yaml"]),
        ("folder/i", ["folder/inner.yaml"]),
        ("nowhere/x", []),
    ],
)
def test_a_shell_completes_names_and_files(
    typed: str, offered: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "simulator.scenario.catalog.names_in",
        lambda _: ["quickstart", "serving/poisson-tp1-dp8", "serving/poisson-tp8-dp1"],
    )
    Path("folder").mkdir()
    for name in ("mine.yaml", "folder/inner.yaml"):
        Path(name).touch()
    assert _scenario_names(typed) == offered


def test_a_wide_cell_pushes_its_own_line_only() -> None:
    wide = "x" * (WIDEST + 1)
    assert aligned([("a", "b"), (wide, "c"), ("long", "d")]) == f"a     b\n{wide}  c\nlong  d"


def test_no_rows_are_no_text() -> None:
    assert aligned([]) == ""


def test_progress_waits_and_then_shows_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([0.0, 0.5, 1.5])
    monkeypatch.setattr("simulator.cli.progress.time", SimpleNamespace(monotonic=lambda: next(now)))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with ProgressBar(quiet=False) as progress:
        progress(1, 10)
        assert progress._bar is None
        progress(5, 10)
        assert progress._bar is not None
        assert [task.completed for task in progress._bar.tasks] == [5]


@pytest.mark.parametrize(("quiet", "terminal"), [(True, True), (False, False)])
def test_no_bar_where_none_is_wanted(monkeypatch: pytest.MonkeyPatch, *, quiet: bool, terminal: bool) -> None:
    monkeypatch.setattr("simulator.cli.progress.PATIENCE_S", 0.0)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    with ProgressBar(quiet=quiet) as progress:
        progress(5, 10)
        assert progress._bar is None
