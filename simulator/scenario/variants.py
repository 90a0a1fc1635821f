"""Variants: complete documents made from the base and what each one changes.

A variant is a table of changes with nested or dotted keys, or, when it states ``schema``, a complete
scenario as a manifest holds it.  Overrides of the base reach every variant that does not differ from
the base in that very place; overrides below ``variants.NAME`` reach that variant alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from simulator.errors import suggest
from simulator.scenario.document import shown
from simulator.scenario.located import Fault, Keys, Located, Unreadable
from simulator.scenario.overrides import Setting, merge, undotted

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,59}")

SHARED: Final = (
    ("schema",),
    ("seed",),
    ("sweep",),
    ("plan",),
    ("report", "seeds"),
    ("report", "confidence_ratio"),
)
"""What variants have in common: a comparison pairs them run by run."""

Resolve = Callable[[Located, Keys, Located | None], Located]
"""Replaces the names and paths of a change: (table, where it stands, table it will be merged over)."""


@dataclass(frozen=True, slots=True)
class Bases:
    """The base document before and after its overrides, with the overrides.

    Parameters
    ----------
    written : names and paths replaced, as the file has it.
    settings : overrides of the base.
    changed : the document with them.
    """

    written: Located
    settings: list[Setting]
    changed: Located


def variant_documents(
    table: Located | None, settings: list[Setting], bases: Bases, resolve: Resolve
) -> tuple[dict[str, Located], list[Fault]]:
    """Return the complete document of each variant, and what is wrong with their tables.

    Parameters
    ----------
    table : what stands under ``variants``.
    settings : overrides below ``variants``.
    bases : the base.
    resolve : replaces the names and paths of a change.
    """
    changes, faults = _changes(table)
    for setting in settings:
        faults += _add(setting, changes)
    documents = {}
    for name, steps in changes.items():
        keys: Keys = ("variants", name)
        if "schema" in steps[0].table:
            document, wrong = _complete(steps[0], keys, bases, resolve)
            faults += wrong
        else:
            faults += _refuse_shared(steps[0], keys)
            change = _without_variants(steps[0])
            document = merge(bases.changed, resolve(change, keys, bases.changed))
        for step in steps[1:]:
            faults += _refuse_shared(step, keys)
            document = merge(document, resolve(_without_variants(step), keys, document))
        documents[name] = document
    return documents, faults


def _changes(table: Located | None) -> tuple[dict[str, list[Located]], list[Fault]]:
    """Return the change that each variant makes, as a list that overrides are added to."""
    if table is None or isinstance(table.value, Unreadable):
        return {}, []
    if not isinstance(table.value, dict):
        message = f"expected a table of variants by name, got {shown(table.value)}"
        return {}, [Fault(table.origin, ("variants",), message)]
    changes, faults = {}, []
    for name, node in table.value.items():
        keys: Keys = ("variants", name)
        if not NAME.fullmatch(name):
            message = "a variant's name has up to 60 letters, digits, dots, plus and minus signs, underscores"
            faults.append(Fault(node.origin, keys, message))
        if isinstance(node.value, dict):
            changes[name] = [undotted(node) if "schema" not in node.value else node]
        elif node.value is None:
            changes[name] = [node.with_table({})]
        elif not isinstance(node.value, Unreadable):
            message = f"expected a table of changes, got {shown(node.value)}"
            faults.append(Fault(node.origin, keys, message))
    return changes, faults


def _add(setting: Setting, changes: dict[str, list[Located]]) -> list[Fault]:
    """Add an override below ``variants`` to the variant it names."""
    keys, node = setting
    if len(keys) == 1:
        if node.value is None:
            changes.clear()
            return []
        return [Fault(node.origin, keys, "variants can be set to null (none of them) or one by one")]
    if keys[1] not in changes:
        known = suggest(keys[1], changes) if changes else "the scenario has none"
        return [Fault(node.origin, keys, f"unknown variant {keys[1]!r}; {known}")]
    change = Setting(keys[2:], node).change()
    if not isinstance(change.value, dict):
        return [Fault(node.origin, keys, f"expected a table of changes, got {shown(node.value)}")]
    changes[keys[1]].append(change)
    return []


def _complete(table: Located, keys: Keys, bases: Bases, resolve: Resolve) -> tuple[Located, list[Fault]]:
    """Return a variant that states a whole scenario, with the overrides of the base."""
    document = resolve(_without_variants(table), keys, None)
    for setting in bases.settings:
        if _plain(document, setting.keys) == _plain(bases.written, setting.keys):
            change = setting.change()
            document = merge(document, resolve(change, keys, document))
    faults = [
        Fault(node.origin, (*keys, *shared), "is the same for all variants; it differs from the base's")
        for shared in SHARED
        if (node := document.at(shared)) is not None and node.plain() != _plain(bases.changed, shared)
    ]
    inner = table.get("variants")
    if inner is not None and inner.value not in (None, {}):
        faults.append(Fault(inner.origin, (*keys, "variants"), "a variant has no variants of its own"))
    return replace(document, whole=False), faults


def _refuse_shared(change: Located, keys: Keys) -> list[Fault]:
    found = [
        Fault(node.origin, (*keys, *shared), "is the same for all variants; set it beside them")
        for shared in SHARED
        if (node := change.at(shared)) is not None
    ]
    inner = change.get("variants")
    if inner is not None:
        found.append(Fault(inner.origin, (*keys, "variants"), "a variant has no variants of its own"))
    return found


def _without_variants(table: Located) -> Located:
    return table.with_table({key: node for key, node in table.table.items() if key != "variants"})


def _plain(document: Located, keys: Keys) -> object:
    node = document.at(keys)
    return None if node is None else node.plain()
