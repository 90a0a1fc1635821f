"""Questions about the schema: which tables may stand where, and what their entries mean.

Everything that walks a document beside the schema (names and paths, faults, listings) asks here, so
none of it has a list of fields of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Final, Literal, TypeAlias, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from simulator.frozen import FrozenModel
from simulator.scenario.located import Keys, Located

Model: TypeAlias = type[FrozenModel]
UNIT: Final = re.compile(r"\[([^\]]*)\] *(.*)", re.DOTALL)


def bare(annotation: object) -> object:
    """Return `annotation` without ``Annotated``."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return annotation


def options(annotation: object) -> tuple[object, ...]:
    """Return the members of a union, or the annotation alone; without ``Annotated``."""
    annotation = bare(annotation)
    if get_origin(annotation) in {Union, UnionType}:
        return tuple(inner for member in get_args(annotation) for inner in options(member))
    return (annotation,)


def models(annotation: object) -> tuple[Model, ...]:
    """Return the tables that `annotation` allows."""
    return tuple(
        member
        for member in options(annotation)
        if isinstance(member, type) and issubclass(member, FrozenModel)
    )


def scalars(annotation: object) -> tuple[object, ...]:
    """Return what `annotation` allows beside tables and null."""
    tables = models(annotation)
    return tuple(member for member in options(annotation) if member not in {*tables, type(None)})


def takes_path(annotation: object) -> bool:
    """Say whether `annotation` is the path of a file that is not a part of the scenario."""
    return Path in options(annotation)


def items(annotation: object) -> Any:  # noqa: ANN401 - an annotation can be anything
    """Return what the values of a mapping or the items of a tuple must be; None if it is neither."""
    for member in options(annotation):
        if get_origin(member) is dict:
            return get_args(member)[1]
        if get_origin(member) is tuple:
            return get_args(member)[0]
    return None


@cache
def fields(model: Model) -> Mapping[str, FieldInfo]:
    """Return the fields of `model` by the key that a file uses."""
    return {info.alias or name: info for name, info in model.model_fields.items()}


def kinds(annotation: object) -> dict[str, Model]:
    """Return the tables of a union by their ``kind``; empty if it is not told apart by kind."""
    members = models(annotation)
    return {kind_of(member): member for member in members} if len(members) > 1 else {}


def kind_of(model: Model) -> str:
    """Return the ``kind`` that selects `model`; empty if it has none."""
    info = model.model_fields.get("kind")
    return str(get_args(info.annotation)[0]) if info else ""


def choose(annotation: object, table: Mapping[str, Located], *fallbacks: str) -> Model | None:
    """Return the one of `annotation`'s tables that `table` is meant to be.

    Parameters
    ----------
    annotation : what is allowed at the place.
    table : what stands there.
    fallbacks : kinds to assume, in order, where `table` does not say; empty ones are skipped.
    """
    members = models(annotation)
    if len(members) < 2:  # noqa: PLR2004 - one member needs no choice
        return members[0] if members else None
    by_kind = kinds(annotation)
    stated = table.get("kind")
    if stated is not None:
        return by_kind.get(stated.value) if isinstance(stated.value, str) else None
    return next((by_kind[kind] for kind in fallbacks if kind in by_kind), None)


def default_kind(info: FieldInfo) -> str:
    """Return the ``kind`` of a field's default; empty if it has none."""
    return kind_of(type(info.default)) if isinstance(info.default, FrozenModel) else ""


def required(model: Model) -> list[str]:
    """Return the keys of `model` that have no default."""
    return [key for key, info in fields(model).items() if info.is_required()]


def homes(key: str, model: Model, path: Keys = ()) -> list[Keys]:
    """Return the tables of `model` that always have an entry `key`, by their paths.

    Tables that are told apart by ``kind`` are not looked into.

    Examples
    --------
    >>> from simulator.scenario.schema import Scenario
    >>> homes("tp", Scenario)
    [('parallelism',)]
    """
    found = [path] if key in fields(model) else []
    for name, info in fields(model).items():
        inner = models(info.annotation)
        if len(inner) == 1:
            found += homes(key, inner[0], (*path, name))
    return found


def unit_and_text(info: FieldInfo) -> tuple[str, str]:
    """Return the unit and the sentence of a field's description; the unit ``-`` where it has none.

    Examples
    --------
    >>> unit_and_text(FieldInfo(description="[s] time of any step"))
    ('s', 'time of any step')
    """
    found = UNIT.fullmatch(info.description or "")
    return (found[1], found[2]) if found else ("-", info.description or "")


def allowed_literals(annotation: object) -> tuple[Any, ...]:
    """Return the values of a ``Literal``, also inside a union; empty if it is none."""
    return tuple(
        value for member in options(annotation) if get_origin(member) is Literal for value in get_args(member)
    )
