"""Claims about which model is best where: every border of the paper's Fig. 7c and of Fig. 1A.

Borders of Fig. 7c were read by eye to 5 %, those of Fig. 1A to 0.01 of accuracy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from simulator.errors import SimulatorError
from simulator.kinetics.accuracy import AttentionName, best_of_n_32b, best_of_n_frontier
from simulator.kinetics.borders import Band, Law, bands_by_accuracy, border, check_reach, largest_loss
from simulator.kinetics.claims import Claim, OutOfReach, Sources
from simulator.kinetics.curves import bands

SECONDS_PER_TERA: Final = 1.0 / 4500.0
READ_RATIO: Final = 0.05
"""How well a border of Fig. 7c can be read, relative."""
READ_ACCURACY: Final = 0.01
"""How well a border of Fig. 1A, and a curve of Best-of-N, can be read."""
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
    """

    before: tuple[str, ...]
    after: tuple[str, ...]
    place: float
    because: str = ""


_BEGINS: Final = (
    "the figure's series are smoothed over three costs and so begin a step of 7 % early; 1.7B begins with "
    "0.6B and is better"
)
_FLAT: Final = "the two models are within 0.007 of each other at the published border"

LONG_COT_DENSE: Final = (
    Edge((), ("0.6B",), 155, _BEGINS),
    Edge(
        ("0.6B",),
        ("1.7B",),
        163,
        "0.6B is the best nowhere: it begins where 1.7B does, with half of its accuracy",
    ),
    Edge(("1.7B",), ("4B",), 220),
    Edge(("4B",), ("14B",), 980, "quoted at 900 and 1,125 Tera-eFLOPs; all points of Fig. 8d give 1,007"),
    Edge(("14B",), ("4B",), 1480, "over all points of Fig. 8d 14B is still ahead there, by 2.5 points"),
    Edge(("4B",), ("14B",), 1970, "4B is still ahead there, by 1.6 points (2.8 over all points of Fig. 8d)"),
    Edge(("14B",), ("32B",), 20_000),
)
"""Fig. 7c, Long-CoT, dense."""

LONG_COT_TOPK: Final = (
    Edge((), ("0.6B",), 7),
    Edge(("0.6B",), SIZES[:-1], 17),
    Edge(SIZES[:-1], ("0.6B",), 20),
    Edge(
        ("0.6B",), ("1.7B",), 28, "the curves of the file begin at 20 Tera-eFLOPs, smoothed over three costs"
    ),
    Edge(("1.7B",), ("4B", "1.7B"), 62, "1.7B and 4B take turns up to 117 Tera-eFLOPs, here at other costs"),
    Edge(("4B", "1.7B"), ("4B",), 118, "quoted at 90 and 135 Tera-eFLOPs; all points of Fig. 8d give 117"),
    Edge(("4B",), ("8B",), 640, _FLAT),
    Edge(("8B",), ("14B",), 1680, _FLAT),
    Edge(("14B",), ("32B",), 1980, _FLAT),
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
    Edge(("0.6B",), ("1.7B",), 0.065, _SMALL),
    Edge(("1.7B",), ("4B",), 0.385, _SMALL),
    Edge(("4B",), ("8B",), 0.722, _SMALL),
    Edge(("8B",), ("14B",), 0.752, _SMALL),
    Edge(("14B",), ("32B",), 0.80),
)
"""Fig. 1A, by FLOPs."""

EFLOPS_LAW: Final = (
    Edge(("0.6B",), ("1.7B",), 0.06, "0.6B is the cheapest nowhere on the curves of Fig. 8d"),
    Edge(("1.7B",), ("4B",), 0.105, _SMALL),
    Edge(("4B",), ("14B",), 0.31, _SMALL),
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


def _cost_claims(figure: str, attention: AttentionName, edges: tuple[Edge, ...]) -> list[Claim]:
    """Return the claims of a figure by cost: its borders, and what its models lose under the best of ours."""
    claims = [
        Claim(
            "bands",
            _told(figure, edge) + _again(edges[:place], edge),
            edge.place,
            "Tera-eFLOPs",
            READ_RATIO * edge.place,
            "read by eye to 5 %; ours: the border of these two models that is nearest, by ratio",
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
        "away from borders by 5 % or more; bands in which models alternate left out",
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
            f"dense Long-CoT, fewest {title}; ours: the nearest border of these two models",
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


def _level_from(_: Sources) -> float:
    """Return the cost from which 32B alone is as good as the frontier of Best-of-N, Tera-eFLOPs."""
    costs = [x for x in best_of_n_32b("topk").x if x <= best_of_n_frontier("topk").last]
    behind = [x for x in costs if _behind(x) > READ_ACCURACY]
    return next(x for x in costs if x > max(behind, default=0.0)) / SECONDS_PER_TERA


def _behind(b200_s: float) -> float:
    return best_of_n_frontier("topk").at(b200_s) - best_of_n_32b("topk").at(b200_s)


def _last_loss_of_32b(_: Sources) -> float:
    """Return the most points that 32B alone loses under the frontier where it is the published best."""
    least, most = BEST_OF_N_TOPK[-1].place * SECONDS_PER_TERA, best_of_n_frontier("topk").last
    costs = [x for x in best_of_n_32b("topk").x if least <= x <= most]
    return 100.0 * max(_behind(x) for x in costs)


BANDS: Final[tuple[Claim, ...]] = (
    *_cost_claims("Fig. 7c, dense Long-CoT", "dense", LONG_COT_DENSE),
    *_cost_claims("Fig. 7c, top-k Long-CoT", "topk", LONG_COT_TOPK),
    Claim(
        "bands",
        "Fig. 7c, top-k Best-of-N: 32B/8B gives way to 32B",
        BEST_OF_N_TOPK[-1].place,
        "Tera-eFLOPs",
        READ_RATIO * BEST_OF_N_TOPK[-1].place,
        "ours: from where 32B alone is within 0.01 of the frontier, at the costs where 32B was read",
        _level_from,
        because="32B as read is level with the frontier, or above it, from its first cost on: the two are of "
        "different versions of the figure",
        by="curve",
    ),
    Claim(
        "bands",
        "Fig. 7c, top-k Best-of-N: most that 32B loses under the frontier from there on",
        0.0,
        "points",
        100.0 * READ_ACCURACY,
        "32B alone and the frontier, both digitised, at the costs where 32B was read",
        _last_loss_of_32b,
        "at most",
        by="curve",
    ),
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

BANDS_OUT_OF_REACH: Final = tuple(
    OutOfReach(
        "bands",
        _told("Fig. 7c, top-k Best-of-N", edge) + _again(BEST_OF_N_TOPK[:place], edge),
        f"{edge.place:,g} Tera-eFLOPs",
        "of single models the curve of 32B alone is published as numbers",
    )
    for place, edge in enumerate(BEST_OF_N_TOPK[:-1])
)
"""Borders between models whose curves of Best-of-N are not there."""
