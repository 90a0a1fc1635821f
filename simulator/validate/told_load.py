"""What a benchmark's file does not say of its load: from options, or from ``FILE.kinesim.yaml`` beside it."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import Field

from simulator.frozen import Count, FrozenModel, Seconds
from simulator.scenario.loader import load_part

SUFFIX: Final = ".kinesim.yaml"
"""What the name of the file beside a result ends with."""

MeanTokens = Annotated[float, Field(ge=1.0, le=1e7, strict=False)]
Rate = Annotated[float, Field(ge=1e-9, le=1e9, strict=False)]


class Sidecar(FrozenModel):
    """The file beside a result; what is left out is not said."""

    concurrency: Count | None = Field(default=None, description="[requests] kept in flight by the client")
    rate_per_s: Rate | None = Field(default=None, description="[requests/s] mean rate of Poisson arrivals")
    prompt_tokens: MeanTokens | None = Field(default=None, description="[tokens] mean prompt")
    output_tokens: MeanTokens | None = Field(default=None, description="[tokens] mean output")
    requests: Count | None = Field(default=None, description="[requests] in all")
    duration_s: Seconds | None = Field(default=None, description="[s] between two scrapes of /metrics")
    changes: dict[str, Any] = Field(
        default={}, alias="set", description="[-] values of the scenario by dotted path, as for --set"
    )


@dataclass(frozen=True, slots=True)
class ToldLoad:
    """What is said of the load besides the file; None where nothing is.

    Parameters
    ----------
    concurrency : requests that the client kept in flight.
    rate_per_s : mean rate of Poisson arrivals.
    prompt_tokens, output_tokens : mean lengths.
    requests : number of requests.
    duration_s : time between two scrapes.
    """

    concurrency: int | None = None
    rate_per_s: float | None = None
    prompt_tokens: float | None = None
    output_tokens: float | None = None
    requests: int | None = None
    duration_s: float | None = None

    def over(self, sidecar: Sidecar | None) -> ToldLoad:
        """Return what options say, and the sidecar where they say nothing.

        A rate given as an option takes the place of a concurrency of the sidecar, and the other way round.
        """
        if sidecar is None:
            return self
        chosen = self.concurrency is not None or self.rate_per_s is not None
        found: dict[str, Any] = {}
        for name in (field.name for field in fields(self)):
            own = getattr(self, name)
            is_load = name in ("concurrency", "rate_per_s")
            found[name] = own if own is not None or (is_load and chosen) else getattr(sidecar, name)
        return ToldLoad(**found)


def beside(path: Path) -> Path:
    """Return where the sidecar of a result would be."""
    return path.with_name(path.name + SUFFIX)


def sidecar_of(path: Path) -> Sidecar | None:
    """Return the sidecar of a result; None if there is none.

    Raises
    ------
    ScenarioError
        With every fault of the file: its line, what is allowed, the nearest name.
    """
    found = beside(path)
    return load_part(found, Sidecar) if found.is_file() else None


def overrides_of(sidecar: Sidecar | None) -> list[str]:
    """Return the changes of a sidecar as ``path=value`` texts.

    Examples
    --------
    >>> overrides_of(Sidecar(set={"parallelism.tp": 2, "model.weight_dtype": "fp8"}))
    ['parallelism.tp=2', 'model.weight_dtype="fp8"']
    """
    return [] if sidecar is None else [f"{key}={json.dumps(value)}" for key, value in sidecar.changes.items()]
