"""Whether a comparison is within what is allowed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from simulator.errors import SimulatorError
from simulator.validate.comparison import LABELS, REQUEST_FIGURES, SERIES_FIGURES, Compared

DEFAULTS: Final = {"tpot.mean": 0.05, "ttft.mean": 0.10, "e2e.mean": 0.05}
"""Allowed where nothing is asked for: errors that a fitted simulator of serving reaches on its own runs
(docs/validating-a-server.md)."""

PERCENT: Final = re.compile(r"(\d+(?:\.\d+)?)%")
FIGURE: Final = re.compile(r"p\d{1,2}(\.\d+)?")
FIGURES: Final = ("mean", "p50", "p90", "p99", "max", *REQUEST_FIGURES, *SERIES_FIGURES)


@dataclass(frozen=True, slots=True)
class Judged:
    """One figure beside what is allowed.

    Parameters
    ----------
    name : quantity and figure.
    allowed : size of the error that is.
    error : signed, or the size of single errors; None where the file does not have the figure.
    """

    name: str
    allowed: float
    error: float | None

    @property
    def inside(self) -> bool | None:
        """Whether the error is allowed; None where there is none."""
        return None if self.error is None else abs(self.error) <= self.allowed


@dataclass(frozen=True, slots=True)
class Verdict:
    """All figures that are judged."""

    judged: tuple[Judged, ...]

    @property
    def inside(self) -> bool:
        """Whether every judged figure is within what is allowed."""
        return all(one.inside is not False for one in self.judged)


def tolerances(texts: Sequence[str]) -> dict[str, float]:
    """Return what is allowed, by quantity and figure.

    Parameters
    ----------
    texts : such as ``tpot.mean=5%``; none take `DEFAULTS`.

    Raises
    ------
    SimulatorError
        With every text that is wrong, and what is allowed.

    Examples
    --------
    >>> tolerances(["tpot.mean=5%", "ttft.p90=12.5%"])
    {'tpot.mean': 0.05, 'ttft.p90': 0.125}
    """
    if not texts:
        return dict(DEFAULTS)
    found, faults = dict[str, float](), list[str]()
    for text in texts:
        name, _, value = text.partition("=")
        match = PERCENT.fullmatch(value.strip())
        fault = _fault(name.strip())
        if fault:
            faults.append(f"--tolerance {text}: {fault}")
        elif match is None:
            faults.append(
                f"--tolerance {text}: {value.strip()!r} is no part in percent; for example {name}=5%"
            )
        elif name.strip() in found:
            faults.append(f"--tolerance {text}: {name.strip()} is given twice")
        else:
            found[name.strip()] = float(match[1]) / 100.0
    if faults:
        raise SimulatorError("\n".join(faults))
    return found


def _fault(name: str) -> str:
    """Return what is wrong with the name of a figure, or nothing."""
    quantity, _, figure = name.partition(".")
    if quantity not in LABELS:
        near = get_close_matches(quantity, LABELS, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        return f"no quantity {quantity!r}; {hint}(allowed: {', '.join(LABELS)})"
    if figure not in FIGURES and not FIGURE.fullmatch(figure):
        near = get_close_matches(figure, FIGURES, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        return f"no figure {figure!r}; {hint}(allowed: {', '.join(FIGURES)})"
    return ""


def judge(compared: Compared, allowed: dict[str, float], *, asked: bool) -> Verdict:
    """Return the verdict.

    Parameters
    ----------
    compared : the errors.
    allowed : sizes of errors by quantity and figure.
    asked : whether a user named them: then each must be there.

    Raises
    ------
    SimulatorError
        If a figure that was asked for, or every figure, is not in the file.
    """
    judged = []
    for name, size in allowed.items():
        quantity = compared.quantities.get(name.partition(".")[0])
        error = None if quantity is None else quantity.error(name.partition(".")[2])
        judged.append(Judged(name, size, error))
    missing = [one.name for one in judged if one.error is None]
    if missing and (asked or len(missing) == len(judged)):
        known = [f"{name}.{figure}" for name, one in compared.quantities.items() for figure in one.known]
        message = "\n".join(
            f"--tolerance {name}: the measured file does not have it, or it is 0; it has {', '.join(known)}"
            for name in missing
        )
        raise SimulatorError(message)
    return Verdict(tuple(judged))
