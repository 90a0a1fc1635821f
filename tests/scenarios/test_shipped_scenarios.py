"""Every shipped scenario resolves, the quick ones run, and scenarios/README.md says what they answer.

``pytest tests/scenarios -m "slow or not slow" --update-golden`` rewrites the table of answers.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from simulator import compare, load_scenario
from simulator.api import Comparison
from simulator.scenario.schema import Scenario

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "scenarios"
README = FOLDER / "README.md"
FILES = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.yaml"))
# Run whole in every CI; the other Kinetics cells only differ from these in the model, and the open questions
# take minutes: their studies are run on small grids.
CELLS = ("kinetics/per-layer", "kinetics/4096x16384", "kinetics/2048x32768")
OTHER_MODELS = tuple(f"qwen3-{size}.yaml" for size in ("1.7b", "4b", "8b", "14b", "32b"))
# The quickstart is run for README.md, which shows the same answer.
QUICKSTART = "quickstart.yaml"
WITNESSES = [
    name
    for name in FILES
    if not name.startswith("kinetics/") or (name.startswith(CELLS) and not name.endswith(OTHER_MODELS))
    if name != QUICKSTART
]


@cache
def shipped(name: str) -> Scenario:
    return load_scenario(FOLDER / name)


def row(name: str, comparison: Comparison) -> str:
    return f"| [{name}]({name}) | {comparison.scenario.question} | {comparison.summary['answer']} |"


@pytest.mark.parametrize("name", FILES)
def test_a_shipped_scenario_resolves(name: str) -> None:
    scenario = shipped(name)
    assert scenario.question.endswith("?")
    assert len(scenario.variants) >= 2


def test_every_shipped_scenario_is_listed_with_its_question() -> None:
    text = README.read_text(encoding="utf-8")
    for name in FILES:
        assert f"| [{name}]({name}) | {shipped(name).question} |" in text


def test_the_answer_of_the_quickstart_is_that_of_the_first_page() -> None:
    (line,) = [one for one in README.read_text(encoding="utf-8").splitlines() if f"]({QUICKSTART})" in one]
    answer = line.split(" | ")[2].removesuffix(" |")
    page = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert f"$ kinesim run quickstart {answer} ..." in page


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith(("quick", "serving", "rollout"))])
def test_a_quick_scenario_runs_and_keeps_the_invariants(name: str) -> None:
    cut = {"report.seeds": 1, "report.horizon_s": 8.0}
    comparison = compare(load_scenario(FOLDER / name, overrides=cut), check=True)
    for results in comparison.runs.values():
        assert results[0].summary["throughput"]["output_tokens"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", WITNESSES)
def test_the_readme_says_what_a_scenario_answers(name: str, request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--update-golden"):
        pytest.skip("the whole table is being written")
    assert row(name, compare(shipped(name))) in README.read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_table_of_answers_can_be_written(request: pytest.FixtureRequest) -> None:
    if not request.config.getoption("--update-golden"):
        pytest.skip("writes scenarios/README.md under --update-golden only")
    rows = [row(name, compare(shipped(name))) for name in FILES]
    head = README.read_text(encoding="utf-8").split("| file |")[0]
    table = ["| file | question | answer |", "| --- | --- | --- |", *rows]
    README.write_text(head + "\n".join(table) + "\n", encoding="utf-8")
