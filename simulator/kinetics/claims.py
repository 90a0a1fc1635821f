"""Claims of the Kinetics paper (arXiv 2506.05333) beside what closed forms, curves and the roofline give.

A claim is one number with its condition.  It is *reproduced* if ours is as close as the published number was
printed or could be read, else it *differs*, and the row says why.  Claims that need what was not
published are listed as *out of reach*, with what is missing.

What decides a claim stands beside its verdict, for not every number that is reproduced is evidence: an
identity could only fail by a misprint, and inputs that were inferred from the number itself meet it easily.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from simulator.errors import SimulatorError
from simulator.kinetics.accuracy import Curves

Verdict = Literal["reproduced", "differs", "out of reach"]
Relation = Literal["is", "at least", "at most"]

By = Literal[
    "identity", "their own figures", "configuration", "inferred inputs", "closed form", "curve", "roofline"
]
"""What decides a claim, the weakest evidence first.

- ``identity``: arithmetic on numbers that the paper prints or defines; nothing of ours is in it.
- ``their own figures``: one publication of the authors beside another of theirs; nothing of ours is in it.
- ``configuration``: a count over a model's published configuration, times a constant.
- ``inferred inputs``: the closed form with inputs, or a reading, that were found from the published number.
- ``closed form``: the closed form with inputs from elsewhere.
- ``curve``: published curves or points, looked up, interpolated, divided or compared.
- ``roofline``: a step of the simulator from data-sheet peaks.
"""

HEADS: Final = (
    "about",
    "claim",
    "published",
    "ours",
    "verdict",
    "decided by",
    "how near; condition; why it differs",
)
"""Columns of `table`."""

WEIGHT: Final = (
    "Decided by: an identity is arithmetic on numbers that the paper prints and could only fail by a "
    "misprint; their own figures are two of the authors' publications side by side; a configuration is "
    "counted; inferred inputs, or readings, were found from the published number itself; "
    "closed forms take inputs from elsewhere; curves are the published ones; the roofline is a step of the "
    "simulator."
)
"""What the marks mean, for readers of the page."""

NONE: Final = "none"
"""What stands for a number of ours that there is not, such as a border between models never neighbours."""

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
    ours : the same number from our sources; None where they reach it and hold no such number.
    blur : by how much ours moves if its condition was read wrong by as much as a figure can be; it is
        allowed beside the tolerance.
    relation : whether the claim is a value or a bound.
    because : why ours differs; empty where it does not.
    by : what decides it.
    """

    part: str
    statement: str
    published: float
    unit: str
    tolerance: float
    condition: str
    ours: Callable[[Sources], float | None]
    relation: Relation = "is"
    because: str = ""
    blur: Callable[[Sources], float] | None = None
    by: By = field(kw_only=True)


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
    within : how far ours may be from what was published, as text; "-" where there is nothing of ours.
    verdict : reproduced, differs or out of reach.
    by : what decides it; "-" for what nothing can decide yet.
    reason : why it is not reproduced, or nothing.
    """

    part: str
    statement: str
    published: str
    ours: str
    within: str
    condition: str
    verdict: Verdict
    by: By | Literal["-"]
    reason: str


def holds(claim: Claim, ours: float, blur: float = 0.0) -> bool:
    """Say whether `ours` is what the claim says, within its tolerance and what its condition leaves open."""
    allowed = claim.tolerance + blur + SLACK * abs(claim.published)
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
        Finding(one.part, one.statement, one.published, "-", "-", "", "out of reach", "-", one.missing)
        for one in out_of_reach
    ]


def _finding(claim: Claim, sources: Sources) -> Finding:
    verdict: Verdict
    bound = "" if claim.relation == "is" else f"{claim.relation} "
    published = bound + _quantity(claim.published, claim.unit)
    try:
        ours = claim.ours(sources)
        blur = 0.0 if claim.blur is None else claim.blur(sources)
    except SimulatorError as error:
        told, within, verdict, reason = "-", "-", "out of reach", str(error)
    else:
        reproduced = ours is not None and holds(claim, ours, blur)
        within = _quantity(float(f"{claim.tolerance + blur:.3g}"), claim.unit)
        told = NONE if ours is None else _quantity(ours, claim.unit, like=claim.tolerance)
        verdict, reason = ("reproduced", "") if reproduced else ("differs", claim.because)
    return Finding(
        claim.part, claim.statement, published, told, within, claim.condition, verdict, claim.by, reason
    )


def totals(findings: Sequence[Finding]) -> dict[Verdict, int]:
    """Return how many claims were reproduced, differ or are out of reach."""
    verdicts = [finding.verdict for finding in findings]
    order: tuple[Verdict, ...] = ("reproduced", "differs", "out of reach")
    return {verdict: verdicts.count(verdict) for verdict in order}


def reproduced_by(findings: Sequence[Finding]) -> dict[By, int]:
    """Return how many claims were reproduced, by what decided them, the weakest evidence first."""
    decided = [finding.by for finding in findings if finding.verdict == "reproduced"]
    kinds: tuple[By, ...] = get_args(By)
    return {kind: decided.count(kind) for kind in kinds}


def summary_line(findings: Sequence[Finding]) -> str:
    """Return the totals in words, those reproduced by what decided them: an identity is no evidence."""
    found = totals(findings)
    kinds = ", ".join(f"{count} by {kind}" for kind, count in reproduced_by(findings).items() if count)
    return (
        f"{len(findings)} claims: {found['reproduced']} reproduced ({kinds}), {found['differs']} differ, "
        f"{found['out of reach']} out of reach"
    )


def table(findings: Sequence[Finding]) -> list[tuple[str, ...]]:
    """Return one row per claim, as `HEADS` names them."""
    return [
        (
            one.part,
            one.statement,
            one.published,
            one.ours,
            one.verdict,
            one.by,
            "; ".join(text for text in (_allowed(one), one.condition, one.reason) if text),
        )
        for one in findings
    ]


def _allowed(finding: Finding) -> str:
    return "" if finding.within == "-" else f"within {finding.within}"


def _quantity(value: float, unit: str, *, like: float = 0.0) -> str:
    """Return a number with its unit, with one digit more than a tolerance asks for."""
    if like:
        digits = next(n for n in range(9) if 10.0**-n < like * 0.999999) if like < 1.0 else 0
        value = round(value, digits)
    text = f"{value:,.10g}"
    return f"{text}{unit}" if unit in {"x", "%", ""} else f"{text} {unit}"
