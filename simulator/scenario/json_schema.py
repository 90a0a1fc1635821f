"""The JSON Schema of a scenario file, for editors.

More generous than the resolved schema, as a file is: names and paths may stand for tables, ``kind`` may
be left out where there is a default, and variants hold changes rather than whole scenarios.
"""

from __future__ import annotations

from typing import Any

from simulator.scenario.catalog import names_in
from simulator.scenario.schema import Scenario

PATH_PATTERN = r"/|\.(ya?ml|json)$"


def scenario_json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a scenario file."""
    schema = Scenario.model_json_schema(by_alias=True)
    definitions: dict[str, Any] = schema["$defs"]
    names = {"Node": names_in("node"), "Gpu": names_in("gpu"), "Architecture": names_in("model")}
    for definition in definitions.values():
        properties = definition.get("properties", {})
        for key, value in properties.items():
            properties[key] = _generous(value, definitions, names)
    definitions["Scenario"]["properties"]["variants"] = {
        "type": "object",
        "description": "alternatives run side by side: changes by name, with nested or dotted keys",
        "additionalProperties": {"type": ["object", "null"]},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "kinesim scenario",
        "$ref": "#/$defs/Scenario",
        "$defs": definitions,
    }


def _generous(
    value: dict[str, Any], definitions: dict[str, Any], names: dict[str, list[str]]
) -> dict[str, Any]:
    """Return the schema of a property that also takes the names and paths of what it describes."""
    choices = value.get("oneOf") or value.get("anyOf") or ([value] if "$ref" in value else [])
    tables = [name for choice in choices if (name := _referenced(choice, definitions))]
    if not tables:
        return value
    texts: list[dict[str, Any]] = [{"type": "string", "pattern": PATH_PATTERN}]
    known = [
        name
        for table in tables
        for name in (names.get(table) or _kind_names(definitions[table], alone=len(tables) == 1))
    ]
    if known:
        texts.insert(0, {"enum": known})
    kept = {key: inner for key, inner in value.items() if key in {"description", "default"}}
    plain = [{"$ref": choice["$ref"]} if "$ref" in choice else choice for choice in choices]
    return {**kept, "anyOf": [*plain, *texts]}


def _referenced(choice: dict[str, Any], definitions: dict[str, Any]) -> str:
    name = str(choice.get("$ref", "")).rpartition("/")[2]
    return name if definitions.get(name, {}).get("type") == "object" else ""


def _kind_names(definition: dict[str, Any], *, alone: bool) -> list[str]:
    """Return the kind of a table in a union, if its other fields have defaults."""
    kind = definition.get("properties", {}).get("kind", {}).get("const")
    return [] if kind is None or alone or definition.get("required") else [str(kind)]
