"""Claims about which model is best where: every border of the paper's Fig. 7c and of Fig. 1A.

Borders of Fig. 7c were read by eye to 5 %, those of Fig. 1A to 0.01 of accuracy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from simulator.errors import SimulatorError
from simulator.kinetics.accuracy import AttentionName
from simulator.kinetics.borders import Band, Law, bands_by_accuracy, border, check_reach, largest_loss
from simulator.kinetics.claims import Claim, OutOfReach, Sources
from simulator.kinetics.claims_of_cost import READ_RATIO
from simulator.kinetics.curves import bands

SECONDS_PER_TERA: Final = 1.0 / 4500.0
READ_ACCURACY: Final = 0.01
"""How well a border of Fig. 1A can be read."""
LAST_TERA: Final = 20_000.0
"""Where the curves of Long-CoT end, and with them its last bands here, Tera-eFLOPs."""
SIZES: Final = ("32B", "14B", "8B", "4B", "1.7B", "0.6B")


class Edge(NamedTuple):
    """A published border: these models give way to those.

    Parameters
    ----------
    before, after : sizes, several where the figure alternates; none before where nothing is solved.
    place : Tera-eFLOPs or accuracy.
    because : why ours may differ.
    whole : our border over all 100 points of Fig. 8d, of which 23 are shipped; none where those have none or
        do not reach it.
    """

    before: tuple[str, ...]
    after: tuple[str, ...]
    place: float
    because: str = ""
    whole: float | None = None


_BEGINS: Final = (
    "the figure's series are smoothed over three costs and so begin a step of 7 % early; 1.7B begins with "
    "0.6B and is better"
)
_FLAT: Final = "the two models are within 0.007 of each other at the published border"

LONG_COT_DENSE: Final = (
    Edge((), ("0.6B",), 155, _BEGINS, 141),
    Edge(
        ("0.6B",),
        ("1.7B",),
        163,
        "0.6B is the best nowhere: it begins where 1.7B does, with half of its accuracy",
    ),
    Edge(("1.7B",), ("4B",), 220, whole=216),
    Edge(("4B",), ("14B",), 980, "quoted at 900 and 1,125 Tera-eFLOPs", 1007),
    Edge(("14B",), ("4B",), 1480, "over all points of Fig. 8d 14B is still ahead there, by 2.5 points", 1612),
    Edge(("4B",), ("14B",), 1970, "4B is still ahead there, by 1.6 points (2.8 over all points)", 2097),
    Edge(("14B",), ("32B",), 20_000),
)
"""Fig. 7c, Long-CoT, dense."""

LONG_COT_TOPK: Final = (
    Edge((), ("0.6B",), 7),
    Edge(("0.6B",), SIZES[:-1], 17),
    Edge(SIZES[:-1], ("0.6B",), 20),
    Edge(
        ("0.6B",),
        ("1.7B",),
        28,
        "the curves of the file begin at 20 Tera-eFLOPs, smoothed over three costs",
        26,
    ),
    Edge(("1.7B",), ("4B", "1.7B"), 62, "the two take turns up to 117 Tera-eFLOPs, here at other costs", 40),
    Edge(("4B", "1.7B"), ("4B",), 118, "quoted at 90 and 135 Tera-eFLOPs", 117),
    Edge(("4B",), ("8B",), 640, _FLAT, 606),
    Edge(("8B",), ("14B",), 1680, _FLAT, 1501),
    Edge(("14B",), ("32B",), 1980, _FLAT, 1865),
)
"""Fig. 7c, Long-CoT, oracle top-k; 1.7B and 4B alternate from 62 to 118 Tera-eFLOPs."""

BEST_OF_N_TOPK: Final = (
    Edge((), ("0.6B",), 20),
    Edge(("0.6B",), ("1.7B",), 63),
    Edge(("1.7B",), ("4B", "1.7B"), 200),
    Edge(("4B", "1.7B"), ("4B",), 280),
    Edge(("4B",), ("8B", "4B"), 1250),
    Edge(("8B", "4B"), ("8B",), 1650),
    Edge(("8B",), ("32B", "8B"), 4700),
    Edge(("32B", "8B"), ("32B",), 7300),
)
"""Fig. 7c, Best-of-N, oracle top-k; 4B has a sliver at 200; 4B and 8B, later 8B and 32B alternate."""

_SMALL: Final = (
    "on the curves of Fig. 8d; Fig. 1A is of another version, which has 4B at .718 where 8d ends at .711"
)

FLOPS_LAW: Final = (
    Edge(("0.6B",), ("1.7B",), 0.065, _SMALL, 0.059),
    Edge(("1.7B",), ("4B",), 0.385, _SMALL, 0.371),
    Edge(("4B",), ("8B",), 0.722, _SMALL, 0.711),
    Edge(("8B",), ("14B",), 0.752, _SMALL, 0.738),
    Edge(("14B",), ("32B",), 0.80),
)
"""Fig. 1A, by FLOPs."""

EFLOPS_LAW: Final = (
    Edge(("0.6B",), ("1.7B",), 0.06, "0.6B is the cheapest nowhere on the curves of Fig. 8d"),
    Edge(("1.7B",), ("4B",), 0.105, _SMALL, 0.168),
    Edge(("4B",), ("14B",), 0.31, _SMALL, 0.255),
    Edge(("14B",), ("32B",), 0.797),
)
"""Fig. 1A, by eFLOPs; 8B is never the cheapest."""


def named(sizes: tuple[str, ...]) -> frozenset[str]:
    """Return the presets of sizes."""
    return frozenset(f"qwen3-{size.lower()}" for size in sizes)


def published_bands(edges: tuple[Edge, ...], end: float) -> list[Band]:
    """Return the bands, s, that borders by Tera-eFLOPs enclose, without those in which models alternate."""
    ends = [*(edge.place for edge in edges[1:]), end]
    return [
        (next(iter(named(edge.after))), edge.place * SECONDS_PER_TERA, high * SECONDS_PER_TERA)
        for edge, high in zip(edges, ends, strict=True)
        if len(edge.after) == 1
    ]


def _by_cost(attention: AttentionName, edge: Edge) -> Callable[[Sources], float | None]:
    """Return our border nearest to a published one, Tera-eFLOPs."""

    def ours(sources: Sources) -> float | None:
        curves, place = sources.curves[attention], edge.place * SECONDS_PER_TERA
        check_reach(curves, place * (1 - READ_RATIO), place * (1 + READ_RATIO))
        found = bands(curves)
        if not edge.before:
            return found[0][1] / SECONDS_PER_TERA
        nearest = border(found, named(edge.before), named(edge.after), place)
        return None if nearest is None else nearest / SECONDS_PER_TERA

    return ours


def _by_accuracy(law: Law, edge: Edge) -> Callable[[Sources], float | None]:
    """Return the accuracy of our border nearest to a published one."""

    def ours(sources: Sources) -> float | None:
        found = bands_by_accuracy(sources.curves["dense"], law)
        check_accuracy(found, edge.place)
        return border(found, named(edge.before), named(edge.after), edge.place)

    return ours


def check_accuracy(found: list[Band], accuracy: float) -> None:
    """Refuse an accuracy that the curves do not reach by more than it can be read.

    Raises
    ------
    SimulatorError
        With the highest accuracy.
    """
    if found[-1][2] < accuracy + READ_ACCURACY:
        message = f"these curves end at an accuracy of {found[-1][2]:g}, where {found[-1][0]} is the cheapest"
        raise SimulatorError(message)


def _told(figure: str, edge: Edge) -> str:
    """Return a border in words."""
    if not edge.before:
        return f"{figure}: something is solved from"
    left, right = ("another" if len(sizes) > 2 else "/".join(sizes) for sizes in (edge.before, edge.after))  # noqa: PLR2004 - two alternate
    return f"{figure}: {left} gives way to {right}"


def _again(earlier: tuple[Edge, ...], edge: Edge) -> str:
    """Return what tells a border from an earlier one of the same models."""
    same = any((other.before, other.after) == (edge.before, edge.after) for other in earlier)
    return " for good" if same else ""


def _whole(edge: Edge, tolerance: float) -> str:
    """Return what the border is over all points of Fig. 8d: a verdict may hang on those that are shipped."""
    if edge.whole is None:
        return ""
    met = abs(edge.whole - edge.place) <= tolerance
    verdict = "which meets it" if met else "which differs"
    return f"; shipped are 23 of the 100 points of Fig. 8d, all of which give {edge.whole:,g}, {verdict}"


def _cost_claims(figure: str, attention: AttentionName, edges: tuple[Edge, ...], whole: float) -> list[Claim]:
    """Return the claims of a figure by cost: its borders, and what its models lose under the best of ours.

    `whole` is that loss over all 100 points of Fig. 8d, points.
    """
    claims = [
        Claim(
            "bands",
            _told(figure, edge) + _again(edges[:place], edge),
            edge.place,
            "Tera-eFLOPs",
            READ_RATIO * edge.place,
            "read by eye to 5 %; ours: the border of these two models that is nearest, by ratio"
            + _whole(edge, READ_RATIO * edge.place),
            _by_cost(attention, edge),
            because=edge.because,
            by="curve",
        )
        for place, edge in enumerate(edges)
    ]
    published = published_bands(edges, LAST_TERA)
    loss = Claim(
        "bands",
        f"{figure}: most that its best models lose under the best of ours",
        0.0,
        "points",
        100.0 * READ_ACCURACY,
        "away from borders by 5 % or more; bands in which models alternate left out; "
        f"over all points of Fig. 8d {whole:g}",
        lambda sources: 100.0 * largest_loss(sources.curves[attention], published, READ_RATIO),
        "at most",
        because="where models take turns our curves have more and narrower bands than the figure shows",
        by="curve",
    )
    return [*claims, loss]


def _accuracy_claims(law: Law, title: str, edges: tuple[Edge, ...]) -> list[Claim]:
    return [
        Claim(
            "bands",
            _told(f"Fig. 1A, {title}", edge),
            edge.place,
            "accuracy",
            READ_ACCURACY,
            f"dense Long-CoT, fewest {title}; ours: the nearest border of these two models"
            + _whole(edge, READ_ACCURACY),
            _by_accuracy(law, edge),
            because=edge.because,
            by="curve",
        )
        for edge in edges
    ]


def _best_share(size: str) -> Callable[[Sources], float]:
    """Return the share of accuracies at which a model takes the fewest eFLOPs, percent."""

    def ours(sources: Sources) -> float:
        found = bands_by_accuracy(sources.curves["dense"], "eflops")
        held = sum(high - low for name, low, high in found if name in named((size,)))
        return 100.0 * held / found[-1][2]

    return ours


BANDS: Final[tuple[Claim, ...]] = (
    *_cost_claims("Fig. 7c, dense Long-CoT", "dense", LONG_COT_DENSE, 4.8),
    *_cost_claims("Fig. 7c, top-k Long-CoT", "topk", LONG_COT_TOPK, 2.7),
    *_accuracy_claims("flops", "FLOPs", FLOPS_LAW),
    *_accuracy_claims("eflops", "eFLOPs", EFLOPS_LAW),
    Claim(
        "bands",
        "Fig. 1A, eFLOPs: share of accuracies at which 8B is the cheapest",
        0.0,
        "%",
        0.5,
        "dense Long-CoT",
        _best_share("8B"),
        by="curve",
    ),
)

_ALONE: Final = "of single models the curve of 32B alone is published as numbers"
_LEVEL: Final = (
    "32B as read is within 0.013 of the frontier at all costs at which it was read, from 1,000 Tera-eFLOPs "
    "on, ahead or behind, about as near as both were read: they cannot tell"
)

BANDS_OUT_OF_REACH: Final = (
    *(
        OutOfReach(
            "bands",
            _told("Fig. 7c, top-k Best-of-N", edge) + _again(BEST_OF_N_TOPK[:place], edge),
            f"{edge.place:,g} Tera-eFLOPs",
            _LEVEL if edge is BEST_OF_N_TOPK[-1] else _ALONE,
        )
        for place, edge in enumerate(BEST_OF_N_TOPK)
    ),
    OutOfReach(
        "bands",
        "Fig. 7c, top-k Best-of-N: most that 32B loses under the frontier from there on",
        "at most 0 points",
        _LEVEL,
    ),
)
"""Borders between models whose curves of Best-of-N are not there, or do not tell them apart."""
