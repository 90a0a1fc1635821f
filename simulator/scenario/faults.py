"""Validation errors in the project's words: what was given, what is allowed, the nearest match.

pydantic finds the faults; the document knows their lines; the schema knows the units and the choices.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from simulator.errors import suggest
from simulator.scenario import shape
from simulator.scenario.document import shown
from simulator.scenario.located import Fault, Keys, Located, Unreadable, dotted
from simulator.scenario.schema import Scenario
from simulator.scenario.sweeps import EntriesError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

PATH_PREFIX: Final = re.compile(r"([a-z_]\w*(?:\.\w+)*): (?=\S)")
"""A message that starts with the path of what it is about."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an error is.

    Parameters
    ----------
    path : keys of the document on the way.
    model : the table in which the last key stands.
    annotation : what is allowed at the last key.
    info : the field that the last key means, if it is one.
    node : the value there, or the innermost table on the way that exists.
    exists : whether `node` is the value itself.
    siblings : the tables by kind of which `model` is one; empty if it has no kind.
    """

    path: Keys
    model: shape.Model
    annotation: object
    info: FieldInfo | None
    node: Located
    exists: bool
    siblings: Mapping[str, shape.Model]


def faults_of(error: ValidationError, root: Located, model: shape.Model) -> list[Fault]:
    """Return one fault for each mistake behind `error`.

    Parameters
    ----------
    error : what validating ``root.plain()`` as `model` raised.
    root : the document.
    model : what the document describes.
    """
    details = error.errors(include_url=False)
    unknown = {
        (place.path[:-1], _nearest(str(place.path[-1]), shape.fields(place.model)))
        for detail in details
        if detail["type"] == "extra_forbidden" and (place := _place(detail["loc"], root, model))
    }
    found = []
    for detail in details:
        place = _place(detail["loc"], root, model)
        if place is None or isinstance(place.node.value, Unreadable):
            continue
        cause = detail.get("ctx", {}).get("error")
        if isinstance(cause, EntriesError):
            found += [
                Fault((place.node.get(key) or place.node).origin, (*place.path, key), message)
                for key, message in cause.by_key.items()
            ]
            continue
        if detail["type"] == "missing" and (place.path[:-1], place.path[-1]) in unknown:
            continue  # its name is misspelt, which is said already
        found.append(_fault(detail, place))
    return found


def addressed(message: str, node: Located, *models: shape.Model, path: Keys = ()) -> Fault:
    """Return the fault that `message` describes, at the path that it begins with, if it begins with one.

    Parameters
    ----------
    message : text, perhaps ``parallelism.tp: ...`` with keys of `node`.
    node : the table that the message is about.
    models : what the table may be.
    path : the keys that lead to it.
    """
    found = PATH_PREFIX.match(message)
    keys = tuple(found[1].split(".")) if found else ()
    if found and any(keys[0] in shape.fields(model) for model in models):
        return Fault(node.deepest(keys).culprit, (*path, *keys), message[found.end() :])
    return Fault(node.culprit, path, message)


def _nearest(name: str, allowed: Mapping[str, object]) -> str | None:
    return next(iter(get_close_matches(name, sorted(allowed), n=1)), None)


def _place(loc: tuple[int | str, ...], root: Located, model: shape.Model) -> _Place | None:
    """Return the place that pydantic calls `loc`; None for the branch of a union that was not meant."""
    annotation: Any = model
    path: list[str | int] = []
    node, exists, info = root, True, None
    by_kind: Mapping[str, shape.Model] = {}
    siblings = by_kind
    for part in loc:
        members = shape.models(annotation)
        if shape.kinds(annotation):
            by_kind = shape.kinds(annotation)
            annotation = by_kind.get(str(part))
        elif members and shape.scalars(annotation):
            is_table_branch = members[0].__name__ in str(part)  # pydantic names validators too
            if is_table_branch != isinstance(node.value, dict):
                return None
            annotation = members[0] if is_table_branch else shape.scalars(annotation)[0]
        elif part == "[key]":
            info = None
        else:
            if members:
                model = members[0]
                info = shape.fields(model).get(str(part))
                annotation = info.annotation if info else None
            else:
                annotation = shape.items(annotation)
            siblings, by_kind = by_kind, {}
            path.append(part)
            inner = node.get(part) if exists else None
            node, exists = (inner, True) if inner is not None else (node, False)
    return _Place(tuple(path), model, annotation, info, node, exists, siblings)


def _fault(detail: ErrorDetails, place: _Place) -> Fault:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "value_error":
        members = shape.models(place.annotation)
        return addressed(str(context["error"]), place.node, *members, path=place.path)
    if kind in {"union_tag_invalid", "union_tag_not_found"}:
        return _kind_fault(place)
    writer = _MESSAGES.get(kind)
    if writer is None:
        return Fault(place.node.origin, place.path, f"{detail['msg']}, got {shown(detail['input'])}")
    return Fault(place.node.origin, place.path, writer(detail["input"], context, place))


def _kind_fault(place: _Place) -> Fault:
    by_kind = shape.kinds(place.info.annotation) if place.info else {}
    stated = place.node.get("kind")
    if stated is None:
        return Fault(place.node.origin, place.path, f"kind is missing; allowed: {', '.join(sorted(by_kind))}")
    if not isinstance(stated.value, str):
        message = (
            f"expected the name of a kind, got {shown(stated.value)}; allowed: {', '.join(sorted(by_kind))}"
        )
    else:
        message = f"unknown kind {stated.value!r}; {suggest(stated.value, by_kind)}"
    return Fault(stated.origin, (*place.path, "kind"), message)


def _unknown_key(_: object, __: Mapping[str, Any], place: _Place) -> str:
    name, allowed = str(place.path[-1]), shape.fields(place.model)
    kind = shape.kind_of(place.model)
    words = f"unknown key of {kind}" if kind else "unknown key"
    if owners := [other for other, model in place.siblings.items() if name in shape.fields(model)]:
        own = ", ".join(sorted(set(allowed) - {"kind"})) or "no parameters"
        kinds_that = f"kind{'s' if len(owners) > 1 else ''} {' and '.join(sorted(owners))}"
        return f"{words}; {name} belongs to {kinds_that}; {kind} has {own}"
    homes = [f"in {dotted(path)}" if path else "at the top" for path in _homes(name, place.path)]
    if homes and not get_close_matches(name, allowed):
        return f"{words}; it belongs {' or '.join(homes)} (allowed here: {', '.join(sorted(allowed))})"
    return f"{words}; {suggest(name, allowed)}"


def _homes(name: str, path: Keys) -> list[Keys]:
    """Return the tables that have an entry `name` and are near `path`: the top, or of the same branch."""
    at_top = len(path) == 1
    return [home for home in shape.homes(name, Scenario) if at_top or not home or home[0] == path[0]]


def _missing(_: object, __: Mapping[str, Any], place: _Place) -> str:
    return f"missing, and it has no default{_meaning(place)}"


def _literal(given: object, _: Mapping[str, Any], place: _Place) -> str:
    choices = shape.allowed_literals(place.info.annotation) if place.info else ()
    names = [str(choice) for choice in choices]
    if isinstance(given, str) and names:
        return f"{given!r} is not a choice; {suggest(given, names)}"
    return f"got {shown(given)}; allowed: {', '.join(names)}"


def _range(words: str, bound: str) -> Callable[[object, Mapping[str, Any], _Place], str]:
    def write(given: object, context: Mapping[str, Any], place: _Place) -> str:
        unit = shape.unit_and_text(place.info)[0] if place.info else "-"
        tail = "" if unit == "-" else f" {unit}"
        return f"must be {words} {_number(context[bound])}{tail}, got {shown(given)}"

    return write


def _number(value: float) -> str:
    return f"{value:g}" if isinstance(value, float) and abs(value) < 1e6 else str(value)  # noqa: PLR2004 - %g's


def _expected(what: str) -> Callable[[object, Mapping[str, Any], _Place], str]:
    def write(given: object, _: Mapping[str, Any], place: _Place) -> str:
        also = " or a table" if place.info and shape.models(place.info.annotation) else ""
        null = " or null" if place.info and type(None) in shape.options(place.info.annotation) else ""
        return f"expected {what}{also}{null}, got {shown(given)}{_hint(what, given)}"

    return write


def _hint(what: str, given: object) -> str:
    """Return what to write instead, where that is plain."""
    if what == "a whole number" and isinstance(given, float) and given.is_integer():
        return f"; write {int(given)}"
    if what in {"a number", "a whole number"} and isinstance(given, str):
        try:
            return f"; write {given.replace('_', '')} without quotes" if float(given) == float(given) else ""
        except ValueError:
            return ""
    return ""


def _table_expected(given: object, _: Mapping[str, Any], place: _Place) -> str:
    return f"expected a table, got {shown(given)}{_meaning(place)}"


def _meaning(place: _Place) -> str:
    text = shape.unit_and_text(place.info)[1].rstrip(".") if place.info else ""
    return f" ({text})" if text else ""


def _length(words: str, bound: str, what: str) -> Callable[[object, Mapping[str, Any], _Place], str]:
    def write(given: object, context: Mapping[str, Any], _: _Place) -> str:
        size = len(given) if isinstance(given, str | list | tuple | dict) else 0
        return f"must have {words} {context[bound]} {what}, has {size}"

    return write


_WHOLE, _NUMBER = _expected("a whole number"), _expected("a number")
_MESSAGES: Final[Mapping[str, Callable[[object, Mapping[str, Any], _Place], str]]] = {
    "extra_forbidden": _unknown_key,
    "missing": _missing,
    "literal_error": _literal,
    "greater_than": _range("above", "gt"),
    "greater_than_equal": _range("at least", "ge"),
    "less_than": _range("below", "lt"),
    "less_than_equal": _range("at most", "le"),
    "finite_number": lambda given, _, __: f"must be finite, got {shown(given)}",
    "int_type": _WHOLE,
    "int_from_float": _WHOLE,
    "int_parsing": _WHOLE,
    "int_parsing_size": _WHOLE,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "bool_type": _expected("true or false"),
    "bool_parsing": _expected("true or false"),
    "string_type": _expected("text"),
    "path_type": _expected("the path of a file"),
    "model_type": _table_expected,
    "model_attributes_type": _table_expected,
    "dict_type": _table_expected,
    "tuple_type": _expected("a list"),
    "string_pattern_mismatch": lambda given, _, __: f"holds a control character: {shown(given)}",
    "string_too_short": _length("at least", "min_length", "characters"),
    "string_too_long": _length("at most", "max_length", "characters"),
    "too_short": _length("at least", "min_length", "entries"),
    "too_long": _length("at most", "max_length", "entries"),
}
