"""A resolved scenario as rows: every value with its unit, where it was written, and its source.

Rows are plain values; the command line lays them out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic.fields import FieldInfo

from simulator.attention.budgets import own_budget
from simulator.frozen import FrozenModel
from simulator.hardware import Figure
from simulator.kvcache import KvCapacity
from simulator.scenario import shape
from simulator.scenario.checks import capacity_of
from simulator.scenario.loader import Resolved
from simulator.scenario.located import Keys, Located, dotted
from simulator.scenario.schema import Scenario
from workloads.budget_loss import ASSUMPTION, WITHOUT_EFFECT

CALIBRATIONS = "hardware.gpu.calibrations."
MOST_ITEMS = 8
"""Longest list that a row shows in full."""


@dataclass(frozen=True, slots=True)
class Row:
    """One value of a scenario.

    Parameters
    ----------
    path : dotted keys.
    value : a scalar, or a text that stands for a list.
    unit : from the field's description; ``-`` where there is none.
    origin : ``file:line``, ``--set ...``, ``default`` or ``computed``.
    source : document or measurement behind a hardware figure, with its note; else empty.
    """

    path: str
    value: object
    unit: str
    origin: str
    source: str = ""


def describe(resolved: Resolved) -> list[Row]:
    """Return every value of the scenario without its variants, in the order of the schema.

    Of calibrations that the scenario does not take, the name and the source stand for the numbers.
    """
    return _used(resolved.scenario, resolved.document)


def _used(scenario: Scenario, document: Located) -> list[Row]:
    engine = getattr(scenario.engine.latency, "engine", None)
    return [row for row in _rows(scenario, document, ()) if _in_use(row, engine)]


def _in_use(row: Row, engine: str | None) -> bool:
    """Say whether a row is no number of a calibration that the scenario does not take."""
    if not row.path.startswith(CALIBRATIONS):
        return True
    name, _, rest = row.path.removeprefix(CALIBRATIONS).partition(".")
    return name == engine or rest in {"name", "source"}


def describe_variants(resolved: Resolved) -> dict[str, list[Row]]:
    """Return, for each variant, the values in which it differs from the scenario without variants."""
    base = {row.path: row.value for row in describe(resolved)}
    return {
        name: [
            row
            for row in _used(variant, resolved.variants[name])
            if row.path not in base or base[row.path] != row.value
        ]
        for name, variant in resolved.scenario.variants.items()
    }


def describe_plans(scenario: Scenario) -> dict[str, list[Row]]:
    """Return, for each variant or for the scenario alone, the sizes and the KV sum of a replica's GPU.

    Raises
    ------
    InfeasiblePlanError
        If a plan does not fit; `resolve` has refused such a scenario already.
    """
    return {
        name: _plan(variant) for name, variant in (scenario.variants or {scenario.name: scenario}).items()
    }


def _plan(scenario: Scenario) -> list[Row]:
    architecture, capacity = scenario.model.architecture, capacity_of(scenario)
    deployment = scenario.deployment()
    rows: list[tuple[str, float | int | str, str]] = [
        ("model.parameters", architecture.parameters, "-"),
        ("model.active_parameters", architecture.active_parameters, "-"),
        ("gpu.weight_bytes", capacity.weight_bytes, "bytes"),
        ("gpu.kv_bytes_per_token", deployment.kv_token_bytes, "bytes"),
        ("gpu.index_bytes_per_token", deployment.index_token_bytes, "bytes"),
        ("gpu.state_bytes_per_sequence", deployment.state_bytes, "bytes"),
        *_memory(capacity),
        ("workload.max_context_tokens", scenario.workload.max_context_tokens(), "tokens"),
    ]
    if scenario.workload.budget_loss is not None:
        assumed = own_budget(scenario.model.attention) is not None
        rows.append(("workload.budget_loss", ASSUMPTION if assumed else WITHOUT_EFFECT, "-"))
    return [Row(path, value, unit, "computed") for path, value, unit in rows]


def _memory(capacity: KvCapacity) -> list[tuple[str, float | int | str, str]]:
    """Return the sum behind the number of KV blocks."""
    if not capacity.limited:
        return [("kv.blocks", "unlimited: memory is ignored", "blocks")]
    free = capacity.hbm_bytes - capacity.taken_bytes
    sum_behind: list[tuple[str, float | int | str, str]] = [
        ("kv.claimed_bytes", capacity.hbm_bytes, "bytes"),
        ("kv.less_weight_bytes", capacity.weight_bytes, "bytes"),
        ("kv.less_activation_bytes", capacity.activation_bytes, "bytes"),
        ("kv.less_state_bytes", capacity.state_bytes, "bytes"),
        ("kv.free_bytes", free, "bytes"),
        ("kv.block_bytes", capacity.block_bytes, "bytes"),
    ]
    return [
        *(sum_behind if capacity.source == "auto" else []),
        ("kv.blocks", capacity.blocks, "blocks"),
        ("kv.tokens", capacity.tokens, "tokens"),
    ]


def _rows(model: FrozenModel, node: Located | None, keys: Keys) -> Iterator[Row]:
    names = {info.alias or name: name for name, info in type(model).model_fields.items()}
    for key, info in shape.fields(type(model)).items():
        if isinstance(model, Scenario) and (key == "variants" or info.exclude):  # others are no part of a run
            continue
        yield from _value_rows(
            getattr(model, names[key]), node.get(key) if node is not None else None, (*keys, key), info
        )


def _value_rows(value: object, node: Located | None, keys: Keys, info: FieldInfo) -> Iterator[Row]:
    unit = shape.unit_and_text(info)[0]
    if isinstance(value, Figure):
        source = f"{value.source}; {value.note}" if value.note else value.source
        at = node.get("value") or node if node is not None else None
        yield Row(dotted(keys), value.value, unit, _origin(at), source)
    elif isinstance(value, FrozenModel):
        yield from _rows(value, node, keys)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _value_rows(inner, node.get(key) if node is not None else None, (*keys, key), info)
    else:
        yield Row(dotted(keys), _shortened(value), unit, _origin(node))


def _origin(node: Located | None) -> str:
    return "default" if node is None else str(node.origin)


def _shortened(value: object) -> object:
    """Return a list as a text that fits a line, anything else as it is."""
    if not isinstance(value, tuple):
        return value
    shown = ", ".join(map(str, value[:MOST_ITEMS]))
    return f"[{shown}]" if len(value) <= MOST_ITEMS else f"[{shown}, ... {len(value)} items]"
