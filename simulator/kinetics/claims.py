"""Claims of the Kinetics paper (arXiv 2506.05333) beside what closed forms, curves and the roofline give.

A claim is one number with its condition.  It is *reproduced* if ours is as close as the published number was
printed or could be read, else it *differs*, and the row says why.  Claims that need what was not
published are listed as *out of reach*, with what is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from simulator.errors import SimulatorError
from simulator.kinetics.accuracy import Curves

Verdict = Literal["reproduced", "differs", "out of reach"]
Relation = Literal["is", "at least", "at most"]

HEADS: Final = ("about", "claim", "published", "ours", "verdict", "condition; why it differs")
"""Columns of `table`."""

SLACK: Final = 1e-9
"""What a sum of floats may lose, relative."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What claims are checked with.

    Parameters
    ----------
    curves : AIME24 Long-CoT by attention and model; the shipped ones, or a file's.
    """

    curves: Curves


@dataclass(frozen=True, slots=True)
class Claim:
    """One published number.

    Parameters
    ----------
    part : what it is about: cost, memory, accuracy, fits or throughput.
    statement : what is claimed, in words.
    published : the number.
    unit : its unit, "x" for ratios.
    tolerance : half a unit of the last printed digit, or how well a figure can be read.
    condition : under which ours is worked out.
    ours : the same number from our sources.
    relation : whether the claim is a value or a bound.
    because : why ours differs; empty where it does not.
    """

    part: str
    statement: str
    published: float
    unit: str
    tolerance: float
    condition: str
    ours: Callable[[Sources], float]
    relation: Relation = "is"
    because: str = ""


@dataclass(frozen=True, slots=True)
class OutOfReach:
    """A claim that cannot be checked yet.

    Parameters
    ----------
    part, statement : as of `Claim`.
    published : the number as printed.
    missing : what is not there to check it with.
    """

    part: str
    statement: str
    published: str
    missing: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A claim, what ours is and what that says.

    Parameters
    ----------
    part, statement, condition : as of `Claim`.
    published, ours : as text, with units.
    verdict : reproduced, differs or out of reach.
    reason : why it is not reproduced, or nothing.
    """

    part: str
    statement: str
    published: str
    ours: str
    condition: str
    verdict: Verdict
    reason: str


def holds(claim: Claim, ours: float) -> bool:
    """Say whether `ours` is what the claim says, within its tolerance."""
    allowed = claim.tolerance + SLACK * abs(claim.published)
    if claim.relation == "at least":
        return ours >= claim.published - allowed
    if claim.relation == "at most":
        return ours <= claim.published + allowed
    return abs(ours - claim.published) <= allowed


def check(
    claims: Sequence[Claim], sources: Sources, out_of_reach: Sequence[OutOfReach] = ()
) -> list[Finding]:
    """Return what became of each claim, in the order given, those out of reach last.

    A claim that other curves than the shipped ones do not reach is out of reach too.
    """
    found = [_finding(claim, sources) for claim in claims]
    return found + [
        Finding(one.part, one.statement, one.published, "-", "", "out of reach", one.missing)
        for one in out_of_reach
    ]


def _finding(claim: Claim, sources: Sources) -> Finding:
    bound = "" if claim.relation == "is" else f"{claim.relation} "
    published = bound + _quantity(claim.published, claim.unit)
    try:
        ours = claim.ours(sources)
    except SimulatorError as error:
        return Finding(
            claim.part, claim.statement, published, "-", claim.condition, "out of reach", str(error)
        )
    reproduced = holds(claim, ours)
    return Finding(
        claim.part,
        claim.statement,
        published,
        _quantity(ours, claim.unit, like=claim.tolerance),
        claim.condition,
        "reproduced" if reproduced else "differs",
        "" if reproduced else claim.because,
    )


def totals(findings: Sequence[Finding]) -> dict[Verdict, int]:
    """Return how many claims were reproduced, differ or are out of reach."""
    verdicts = [finding.verdict for finding in findings]
    order: tuple[Verdict, ...] = ("reproduced", "differs", "out of reach")
    return {verdict: verdicts.count(verdict) for verdict in order}


def table(findings: Sequence[Finding]) -> list[tuple[str, ...]]:
    """Return one row per claim, as `HEADS` names them; a reason follows its condition."""
    return [
        (
            one.part,
            one.statement,
            one.published,
            one.ours,
            one.verdict,
            "; ".join(text for text in (one.condition, one.reason) if text),
        )
        for one in findings
    ]


def _quantity(value: float, unit: str, *, like: float = 0.0) -> str:
    """Return a number with its unit, with one digit more than a tolerance asks for."""
    if like:
        digits = next(n for n in range(9) if 10.0**-n <= like * 1.000001) if like < 1.0 else 0
        value = round(value, digits)
    text = f"{value:,.10g}"
    return f"{text}{unit}" if unit in {"x", "%", ""} else f"{text} {unit}"
