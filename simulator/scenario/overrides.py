"""Changes over a document: ``--set`` values and variants, merged before anything is validated.

A change is a table over a table: entries are merged, anything else is replaced.  A table that states
another ``kind``, or that came by name or path, replaces as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from simulator.scenario.document import parse_value, shown
from simulator.scenario.located import Fault, Located, Origin, Source, locate

Overrides: TypeAlias = Mapping[str, object] | Sequence[str] | None

HERE: Final = Origin(Source("overrides", Path()))
"""The origin of overrides that are no texts."""

KEYS: Final = re.compile(r'(?:"[^"]+"|[^."=]+)(?:\.(?:"[^"]+"|[^."=]+))*')
KEY: Final = re.compile(r'"([^"]+)"|([^."]+)')


class Setting(NamedTuple):
    """One value to be put at one place.

    Parameters
    ----------
    keys : where.
    node : what, with the option or mapping that asked for it.
    """

    keys: tuple[str, ...]
    node: Located

    def change(self) -> Located:
        """Return the table that sets the value and nothing else."""
        return nested(self.keys, self.node)


def parse_overrides(overrides: Overrides) -> tuple[list[Setting], list[Fault]]:
    """Return what is to be set, and what is wrong with the wording.

    Parameters
    ----------
    overrides : ``a.b=c`` texts, c being YAML; or a mapping from dotted paths, nested or not, to values; or
        None, which changes nothing.  Texts are taken one after the other; a mapping has no order.

    Examples
    --------
    >>> (setting,), _ = parse_overrides(["parallelism.tp=2"])
    >>> setting.keys, setting.node.value
    (('parallelism', 'tp'), 2)
    >>> [s.keys for s in parse_overrides({"parallelism": {"tp": 2, "dp": 4}})[0]]
    [('parallelism', 'tp'), ('parallelism', 'dp')]
    """
    if overrides is None:
        return [], []
    if isinstance(overrides, Mapping):
        root = locate(overrides, HERE)
        # Key by key, as options are: a part by its name, and then something in it.
        parts = [
            undotted(root.with_table({key: root.table[key]})) for key in sorted(root.table, key=kinds_first)
        ]
        return [s for part in parts for key, node in part.table.items() for s in _settings(node, (key,))], []
    if not isinstance(overrides, Iterable):
        message = f"expected PATH=VALUE texts or a mapping from paths to values, got {shown(overrides)}"
        return [], [Fault(HERE, (), message)]
    settings: list[Setting] = []
    faults: list[Fault] = []
    for text in [overrides] if isinstance(overrides, str) else overrides:
        if not isinstance(text, str):
            faults.append(Fault(HERE, (), f"expected a PATH=VALUE text, got {shown(text)}"))
            continue
        source = Source(f"--set {text}", Path())
        path, equals, value = text.partition("=")
        if not equals or not KEYS.fullmatch(path.strip()):
            message = "expected PATH=VALUE, for example --set parallelism.tp=2"
            faults.append(Fault(Origin(source), (), message))
            continue
        node, wrong = parse_value(value, source)
        faults += wrong
        settings += _settings(node, split(path.strip()))
    return settings, faults


def split(path: str) -> tuple[str, ...]:
    """Return the keys of a dotted `path`; a key with dots stands in double quotes.

    Examples
    --------
    >>> split('variants."qwen3-1.7b".seed')
    ('variants', 'qwen3-1.7b', 'seed')
    """
    return tuple(quoted or plain for quoted, plain in KEY.findall(path))


def kinds_first(path: str) -> list[tuple[bool, str]]:
    """Return what sorts paths so that each `kind` is set before what it may replace.

    Examples
    --------
    >>> sorted(["model.attention.block_tokens", "model.attention.kind", "model"], key=kinds_first)
    ['model', 'model.attention.kind', 'model.attention.block_tokens']
    """
    return [(key != "kind", key) for key in split(path)]


def undotted(table: Located) -> Located:
    """Return `table` with its dotted keys (``model.attention``) turned into tables."""
    found = table.with_table({})
    for key, node in table.table.items():
        found = merge(found, nested(split(key) or (key,), node))
    return found


def nested(keys: Sequence[str], node: Located) -> Located:
    """Return the table that holds `node` at `keys`."""
    for key in reversed(keys):
        node = Located({key: node}, node.origin)
    return node


def merge(base: Located, change: Located) -> Located:
    """Return `base` with `change` over it.

    Examples
    --------
    >>> origin = Origin(Source("here", Path()))
    >>> base = locate({"kind": "topk", "kv_budget_tokens": 64}, origin)
    >>> merge(base, locate({"kv_budget_tokens": 32}, origin)).plain()
    {'kind': 'topk', 'kv_budget_tokens': 32}
    >>> merge(base, locate({"kind": "dense"}, origin)).plain()
    {'kind': 'dense'}
    """
    if change.whole or not isinstance(base.value, dict) or not isinstance(change.value, dict):
        return change
    kind, stated = base.get("kind"), change.get("kind")
    if kind is not None and stated is not None and kind.value != stated.value:
        return change
    table = dict(base.value)
    for key, node in change.value.items():
        table[key] = merge(table[key], node) if key in table else node
    return replace(base, value=table, changed=change.culprit)


def _settings(node: Located, keys: tuple[str, ...]) -> Iterator[Setting]:
    """Yield the parts of a change; a table that states its ``kind`` stays in one piece."""
    if node.table and "kind" not in node.table and not node.whole:
        for key, inner in node.table.items():
            yield from _settings(inner, (*keys, key))
    else:
        yield Setting(keys, node)
