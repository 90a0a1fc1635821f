"""Sweeps with a strategy or scheduler of the caller's own."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest
from small import TRIALS, small

from simulator import load_scenario, simulate, sweep, with_components
from simulator.errors import ScenarioError
from simulator.metrics.measures import number
from simulator.processes import ExecutorError

ENGINE = {"max_sequences": 2}
TASK_TIME = "latency.task_s.mean"

MODULE = """
from typing import ClassVar, Literal
from simulator.frozen import FrozenModel

class Rule(FrozenModel):
    kind: Literal["rule"] = "rule"
    sign: int = -1
    reads_prediction: ClassVar[bool] = False

    def rank(self, view):
        return (self.sign * view.number,)

    def victim_rank(self, view, admitted):
        return (admitted,)
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return a module of the user's own, which other processes find, too."""
    (tmp_path / "own_rule.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "own_rule", raising=False)
    return importlib.import_module("own_rule")


def test_every_point_has_the_component(module: ModuleType) -> None:
    source, rule = small(engine=ENGINE), module.Rule()
    found = sweep(source, {TRIALS: [2, 4]}, seeds=2, components={"scheduler": rule})
    for _, row in found.runs.iterrows():
        scenario = with_components(load_scenario(source, overrides={TRIALS: row[TRIALS]}), scheduler=rule)
        alone = simulate(scenario, seed=row["seed"])
        assert row[TASK_TIME] == number(alone.summary, TASK_TIME)
        assert row["scenario_sha256"] == alone.manifest["scenario_sha256"]
    shipped = sweep(source, {TRIALS: [2, 4]}, seeds=2)
    assert not found.runs[TASK_TIME].equals(shipped.runs[TASK_TIME])


def test_processes_find_the_class(module: ModuleType) -> None:
    source, own = small(engine=ENGINE), {"scheduler": module.Rule()}
    here = sweep(source, {TRIALS: [2, 4, 6]}, components=own)
    assert sweep(source, {TRIALS: [2, 4, 6]}, components=own, workers=2).runs.equals(here.runs)


def test_results_are_kept_by_class_text_and_parameters(module: ModuleType, tmp_path: Path) -> None:
    def computed(**own: object) -> int:
        components = {"scheduler": module.Rule(**own)} if own else None
        return sweep(
            small(engine=ENGINE), {TRIALS: [2]}, store=tmp_path / "s", components=components
        ).computed

    assert [computed(), computed(sign=-1), computed(sign=1), computed(sign=-1), computed()] == [1, 1, 1, 0, 0]
    changed = MODULE.replace("(self.sign * view.number,)", "(self.sign * view.task, view.number)")
    (tmp_path / "own_rule.py").write_text(changed, encoding="utf-8")
    importlib.reload(module)
    assert computed(sign=-1) == 1


def test_a_class_that_other_processes_cannot_import_is_told(module: ModuleType) -> None:
    class Hidden(module.Rule):  # type: ignore[name-defined, misc] # of a module made for this test
        pass

    with pytest.raises(ExecutorError, match="must stand at the top of a module"):
        sweep(small(engine=ENGINE), {TRIALS: [2, 4, 6]}, components={"scheduler": Hidden()}, workers=2)


def test_wrong_components_are_refused_before_anything_runs(module: ModuleType) -> None:
    rule = module.Rule()
    with pytest.raises(ScenarioError, match="unknown name 'schedular'; did you mean scheduler"):
        sweep(small(), {TRIALS: [2]}, components={"schedular": rule})
    with pytest.raises(ScenarioError, match="router: Rule lacks route"):
        sweep(small(), {TRIALS: [2]}, components={"router": rule})
    for path, value in [("engine.scheduler", ["fcfs"]), ("engine.scheduler.sign", [1, 2])]:
        with pytest.raises(ScenarioError, match=f"--axis {path}: is of your own class at every point"):
            sweep(small(), {path: value}, components={"scheduler": rule})


def test_a_point_that_does_not_fit_with_the_component_is_a_row(module: ModuleType) -> None:
    models = {"model.preset": ["qwen3-8b", "qwen3-235b-a22b"]}
    found = sweep(small(), models, components={"scheduler": module.Rule()})
    assert found.runs["status"].tolist() == ["ok", "infeasible"]
