"""A plan's answer in a folder: numbered scenarios, the ledger, the answer as JSON, pictures."""

from __future__ import annotations

import copy
import io
import json
import math
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from simulator.errors import SimulatorError
from simulator.output import package_versions, write_files
from simulator.planning.answering import Answer, Effect
from simulator.planning.evaluating import Candidate, Evaluated, scenario_of
from simulator.scenario.loader import resolve
from simulator.scenario.overrides import Overrides
from simulator.scenario.schema import Scenario
from simulator.sweeps.jobs import base_of

MOST_PLANS: Final = 5
"""Plans that are written as scenarios."""

NAMED: Final = (("hardware",), ("hardware", "gpu"), ("model", "preset"))
"""Tables that a file may name instead."""

LAYOUT: Final = 1
"""Version of the layout of the folder."""


def write_answer(
    answer: Answer,
    source: str | Path | Mapping[str, object],
    folder: str | Path,
    *,
    overrides: Overrides = (),
    overwrite: bool = False,
) -> Path:
    """Write an answer and return its folder, made whole or not at all.

    Parameters
    ----------
    answer : what came of the plan.
    source, overrides : the scenario that was planned.
    folder : to make; ``01-...yaml`` and so on are the best plans, which `kinesim run` takes, ``ledger.csv``
        has all candidates, ``answer.json`` the answer, and pictures are drawn where matplotlib is installed.
    overwrite : replace an earlier answer.

    Raises
    ------
    OutputExistsError
        If the folder exists and `overwrite` is not set, or holds something else.
    """

    def fill(path: Path) -> None:
        answer.table.to_csv(path / "ledger.csv", index=False, lineterminator="\n")
        (path / "answer.json").write_text(
            json.dumps(answer_document(answer), indent=2, allow_nan=False) + "\n", encoding="utf-8"
        )
        for place, known in enumerate(_plans(answer), 1):
            name = f"{place:02d}-{_slug(known.candidate)}.yaml"
            text = scenario_text(known.candidate, source, overrides, _about(answer, place, known))
            (path / name).write_text(text, encoding="utf-8")
        if find_spec("matplotlib") is not None:
            from simulator.planning.pictures import charts_of  # noqa: PLC0415 - an extra
            from simulator.report.chart_picture import save  # noqa: PLC0415 - as above

            for chart in charts_of(answer):
                save(chart, path)

    return write_files(folder, fill, {"manifest": LAYOUT, **package_versions()}, overwrite=overwrite)


def _plans(answer: Answer) -> list[Evaluated]:
    if answer.bracket is not None:
        return [answer.bracket.good.known] if answer.bracket.good is not None else []
    plans = answer.pareto if len(answer.wanted.goals) > 1 else answer.best
    return list(plans[:MOST_PLANS])


def _about(answer: Answer, place: int, known: Evaluated) -> str:
    told = ", ".join(f"{goal.path} {known.mean(goal.path):.6g}" for goal in answer.wanted.goals)
    return f"Plan {place}" + (f": {told} in the mean of {known.seeds} seeds" if told else "")


def _slug(candidate: Candidate) -> str:
    text = "-".join(str(label) for label in candidate.labels.values())
    kept = "".join(char if char.isalnum() or char in "._+" else "-" for char in text)
    return kept.strip("-")[:60] or "plan"


def scenario_text(
    candidate: Candidate, source: str | Path | Mapping[str, object], overrides: Overrides, about: str
) -> str:
    """Return the scenario of a candidate as YAML that `kinesim run` takes.

    Raises
    ------
    SimulatorError
        If what was written would not be read back as the same scenario.
    """
    planned, made = scenario_of(base_of(source, overrides)[0], candidate)
    for keys in NAMED:
        made = _by_name(made, keys, planned)
    text = _yaml(made, about)
    if resolve(_read_back(text)).scenario != planned:
        message = f"{about}: the scenario written is not the one that was run: please report this"
        raise SimulatorError(message)
    return text


def _by_name(document: object, keys: Sequence[str], planned: Scenario) -> object:
    """Return a document with the name of a catalog in place of a table, where that means the same."""
    shorter = copy.deepcopy(document)
    table: Any = shorter
    for key in keys[:-1]:
        table = table.get(key) if isinstance(table, dict) else None
    if not isinstance(table, dict) or not isinstance(table.get(keys[-1]), dict):
        return document
    table[keys[-1]] = table[keys[-1]].get("name")
    try:
        same = isinstance(shorter, dict) and resolve(shorter).scenario == planned
    except SimulatorError:
        same = False
    return shorter if same else document


def _yaml(document: object, about: str) -> str:
    from ruamel.yaml import YAML  # noqa: PLC0415 - only a plan that is written needs it

    yaml = YAML()
    yaml.default_flow_style = False
    yaml.width = 110
    stream = io.StringIO()
    yaml.dump(document, stream)
    return f"# {about}\n{stream.getvalue()}"


def _read_back(text: str) -> dict[str, object]:
    from ruamel.yaml import YAML  # noqa: PLC0415 - as above

    found = YAML(typ="safe", pure=True).load(text)
    return dict(found)


def answer_document(answer: Answer) -> dict[str, Any]:
    """Return the answer as plain values, None where a figure is undefined."""
    paths = [*(goal.path for goal in answer.wanted.goals), *(bound.path for bound in answer.wanted.bounds)]

    def told(known: Evaluated) -> dict[str, Any]:
        return {
            "choices": dict(known.candidate.labels),
            "changes": dict(known.candidate.point.changes),
            "seeds": known.seeds,
            "figures": {path: _finite(known.mean(path)) for path in paths},
            "half_widths": {path: _finite(known.half_width(path, answer.confidence_ratio)) for path in paths},
        }

    plans = answer.pareto if len(answer.wanted.goals) > 1 else answer.best
    return {
        "met": answer.is_met,
        "unmet": None if answer.is_met else answer.unmet,
        "how": answer.how,
        "runs": answer.runs,
        "confidence_ratio": answer.confidence_ratio,
        "goals": [{"figure": goal.path, "larger_is_better": goal.sign > 0} for goal in answer.wanted.goals],
        "limits": [
            {"figure": bound.path, "at_least" if bound.sign > 0 else "at_most": bound.value}
            for bound in answer.wanted.bounds
        ],
        "plans": [told(each) for each in plans],
        "nearest": None if answer.nearest is None else told(answer.nearest),
        "binding": [
            {"limit": str(bound), "better_without": _finite(gain)} for bound, gain in answer.binding.items()
        ],
        "effects": [_effect_document(effect) for effect in answer.effects],
        "bracket": None if answer.bracket is None else _bracket_document(answer, told),
    }


def _effect_document(effect: Effect) -> dict[str, Any]:
    return {
        "what": effect.what,
        "before": effect.before,
        "after": effect.after,
        "change": _finite(effect.change),
        "misses": list(effect.missed),
    }


def _bracket_document(answer: Answer, told: Any) -> dict[str, Any]:  # noqa: ANN401 - a local function
    bracket = answer.bracket
    if bracket is None:
        return {}
    return {
        "good": None if bracket.good is None else bracket.good.value,
        "bad": None if bracket.bad is None else bracket.bad.value,
        "tries": [
            {"value": each.value, "meets": each.holds, "clear": each.clear, **told(each.known)}
            for each in bracket.tries
        ],
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
