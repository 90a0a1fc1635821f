"""All studies by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from simulator.errors import UnknownNameError, suggest
from simulator.studies import (
    adaptive,
    blocks,
    capacity,
    energy,
    hardware,
    lengths,
    overlap,
    per_layer,
    prefix,
    threshold,
)
from simulator.studies.study import Study

_ALL: Final = (
    per_layer.STUDY,
    threshold.STUDY,
    overlap.STUDY,
    capacity.STUDY,
    lengths.STUDY,
    prefix.STUDY,
    adaptive.STUDY,
    blocks.STUDY,
    hardware.STUDY,
    energy.STUDY,
)

STUDIES: Final[Mapping[str, Study]] = MappingProxyType({study.name: study for study in _ALL})
"""Every study, in the order of docs/kinetics.md."""


def chosen(names: Sequence[str]) -> list[Study]:
    """Return the named studies, each once, in the order of `STUDIES`; ``all`` names every one.

    Raises
    ------
    UnknownNameError
        If there is no such study; says all that are unknown and the nearest names.
    """
    unknown = [name for name in names if name != "all" and name not in STUDIES]
    if unknown:
        message = "; ".join(f"no study {name!r}; {suggest(name, list(STUDIES))}" for name in unknown)
        raise UnknownNameError(message)
    return [study for study in STUDIES.values() if "all" in names or study.name in names]
