"""Claims about accuracy, which published curves reach, about throughput, and those out of reach."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from simulator.kinetics import derived
from simulator.kinetics.accuracy import best_of_n_frontier
from simulator.kinetics.claims import Claim, OutOfReach, Sources
from simulator.kinetics.curves import Curve, bands
from simulator.kinetics.throughput import CELLS, speed_up
from workloads.benchmarks import load_benchmark

PERCENT: Final = 100.0

LONG_COT: Final = "AIME24, oracle length per question, costs of the paper"
READ_POINTS: Final = 1.0
"""How well a digitised curve was read, points; 0.5 where it was easiest."""
LONG_TOKENS: Final = 10_000
"""What the paper calls long: it says that longer outputs pay for 14B and 32B only."""
BEST_OF_N: Final = "AIME24, frontier over models, digitised"


def _frontiers(sources: Sources) -> tuple[Curve, Curve]:
    """Return the frontiers of Long-CoT: dense, top-k."""
    return (
        derived.frontier(sources.curves["dense"], "dense"),
        derived.frontier(sources.curves["topk"], "topk"),
    )


def _long_cot_gain(sources: Sources) -> float:
    dense, topk = _frontiers(sources)
    return PERCENT * derived.largest_gain(topk, dense).accuracy


def _long_cot_ratio(sources: Sources) -> float:
    dense, topk = _frontiers(sources)
    return derived.ratio_at_the_top(dense, topk)


def _best_of_n_gain(_: Sources) -> float:
    return PERCENT * derived.largest_gain(best_of_n_frontier("topk"), best_of_n_frontier("dense")).accuracy


def _best_of_n_last_gain(_: Sources) -> float:
    return PERCENT * derived.last_gain(best_of_n_frontier("topk"), best_of_n_frontier("dense")).accuracy


def _best_of_n_ratio(_: Sources) -> float:
    return derived.ratio_at_the_top(best_of_n_frontier("dense"), best_of_n_frontier("topk"))


def _gain_of_one(choose: Callable[[list[float]], float]) -> Callable[[Sources], float]:
    """Return the extreme, over models, of the largest gain of top-k for one model, points."""

    def ours(sources: Sources) -> float:
        dense, topk = sources.curves["dense"], sources.curves["topk"]
        return PERCENT * choose([derived.largest_gain(topk[name], dense[name]).accuracy for name in dense])

    return ours


def _price(sources: Sources) -> float:
    curves = sources.curves["dense"]
    return derived.price_of_counting_flops(curves, max(curves["qwen3-4b"].accuracy))


def _small_on_the_frontier(*sizes: str) -> Callable[[Sources], float]:
    models = frozenset(f"qwen3-{size}" for size in sizes)
    return lambda sources: derived.longest_on_the_frontier(sources.curves["dense"], models)


def _critical_size(sources: Sources) -> float | None:
    """Return the smallest model, 1e9 parameters, that is the best of all with more than `LONG_TOKENS`."""
    found = bands(sources.curves["dense"])
    sizes = [size_of(name) for name, _, high in found if derived.length_at(name, high) > LONG_TOKENS]
    return min(sizes, default=None)


def size_of(model: str) -> float:
    """Return the nominal size, 1e9 parameters."""
    return float(model.removeprefix("qwen3-").removesuffix("b"))


def _relative_advantage(_: Sources) -> float:
    models = load_benchmark("aime24").models
    larger, smaller = (models[f"qwen3-{size}"].coverage["1"] for size in ("32b", "14b"))
    return PERCENT * (larger / smaller - 1.0)


_NOT_32B: Final = (
    "14B is ahead with more than 10,000 tokens up to the end of the curves, at 20,000 Tera-eFLOPs or 15,700 "
    "tokens of 32B; Fig. 7c has 32B as the best from there on"
)

ACCURACY: Final = (
    Claim(
        "accuracy",
        "top-k, Long-CoT: fewer eFLOPs at dense's best accuracy",
        11.21,
        "x",
        0.005,
        LONG_COT,
        _long_cot_ratio,
        because="quoted at 23 costs; all 100 points of Fig. 8d give 11.18; the rest is not explained",
        by="curve",
    ),
    Claim(
        "accuracy",
        "top-k, Long-CoT: gain at equal cost",
        47.5,
        "points",
        0.05,
        f"largest; {LONG_COT}",
        _long_cot_gain,
        because="the cost behind the label is not given; the curves' largest gap is at 0.11 B200 seconds",
        by="curve",
    ),
    Claim(
        "accuracy",
        "top-k, Best-of-N: fewer eFLOPs at dense's best coverage",
        10.67,
        "x",
        0.005,
        BEST_OF_N,
        _best_of_n_ratio,
        because="dense is flat where it ends: .821, read at 7 s, gives 8.6, .823 at 8.5 s gives 9.9, and if "
        "top-k was read wrong by 0.01 that is 8.1 to 12.4, so these points cannot tell 10.67",
        by="curve",
    ),
    Claim(
        "accuracy",
        "top-k, Best-of-N: gain at low cost",
        60,
        "points",
        0.5,
        BEST_OF_N,
        _best_of_n_gain,
        "at least",
        by="curve",
    ),
    Claim(
        "accuracy",
        "top-k, Best-of-N: gain at about 0.2 B200 s",
        65,
        "points",
        0.5 + 2 * READ_POINTS,
        f"label, printed in whole points; {BEST_OF_N}, .705 and .064",
        lambda _: PERCENT * (best_of_n_frontier("topk").at(0.2) - best_of_n_frontier("dense").at(0.2)),
        by="curve",
    ),
    Claim(
        "accuracy",
        "top-k, Best-of-N: gain at high cost",
        5,
        "points",
        0.5,
        BEST_OF_N,
        _best_of_n_last_gain,
        "at least",
        by="curve",
    ),
    Claim(
        "accuracy",
        "top-k, single models: largest gain at equal cost, least of six models",
        50,
        "points",
        0.5,
        f"50 to 60; {LONG_COT}; Best-of-N of 32B: 72",
        _gain_of_one(min),
        "at least",
        because="0.6B gains 8 points, 1.7B 35, 14B 46 (48 over all points); 4B, 8B and 32B gain 53 to 60",
        by="curve",
    ),
    Claim(
        "accuracy",
        "top-k, single models: largest gain at equal cost, most of six models",
        60,
        "points",
        0.5,
        f"50 to 60; {LONG_COT}; all 100 points of Fig. 8d give 61.3, which differs; Best-of-N of 32B: 72",
        _gain_of_one(max),
        "at most",
        because="8B gains more at 0.15 B200 s",
        by="curve",
    ),
    Claim(
        "accuracy",
        "eFLOPs of the model with the fewest FLOPs over the least",
        3.0,
        "x",
        0.5,
        f"at the best accuracy of 4B; {LONG_COT}",
        _price,
        because="Fig. 1 has 14B at .718 for 1.63 B200 s; the curve of Fig. 8d reaches that at 2.44 (2.30 "
        "over all of its points), and .711, where 4B ends, at 2.28 (2.19)",
        by="curve",
    ),
    Claim(
        "accuracy",
        "longest output of 8B and smaller on the frontier",
        10_000,
        "tokens",
        500,
        LONG_COT,
        _small_on_the_frontier("8b", "4b", "1.7b", "0.6b"),
        "at most",
        by="curve",
    ),
    Claim(
        "accuracy",
        "longest output of 1.7B and 4B on the frontier",
        5000,
        "tokens",
        500,
        f"longest on the frontier; {LONG_COT}",
        _small_on_the_frontier("4b", "1.7b"),
        "at most",
        because="4B is best by three points still at 1,800 Tera-eFLOPs, some 6,300 tokens",
        by="curve",
    ),
    Claim(
        "accuracy",
        "critical model size, Qwen3",
        14,
        "B",
        0.0,
        "ours: the smallest model that is the best of all with an output of more than 10,000 tokens; dense; "
        f"{LONG_COT}",
        _critical_size,
        by="curve",
    ),
    *(
        Claim(
            "accuracy",
            f"outputs of more than 10,000 tokens pay for {size}",
            10_000,
            "tokens",
            500,
            f"longest output with which it is the best of all; dense; {LONG_COT}",
            _small_on_the_frontier(size.lower()),
            "at least",
            because=because,
            by="curve",
        )
        for size, because in (
            ("14B", ""),
            (
                "32B",
                _NOT_32B,
            ),
        )
    ),
    Claim(
        "accuracy",
        "32B over 14B on AIME24",
        3,
        "%",
        0.5,
        "ratio of the printed pass@1 under the cap of 32,768 tokens, 82.1 and 79.6 %; they are 2.5 points "
        "apart, and at the end of Fig. 8d -1.4 (dense) and 2.2 points (top-k)",
        _relative_advantage,
        by="identity",
    ),
)

_ROOFLINE: Final = (
    "roofline of the layers alone, one step at full context, tensor parallel over 8, budget and block 128, "
    "any KV capacity"
)
_WHY_ROOFLINE: Final = (
    "published: measured kernels; they are slower than data-sheet peaks, and selecting and gathering blocks "
    "takes time beyond them"
)


def _throughput(gpu: str, cell: tuple[int, int], published: float) -> Claim:
    def ours(_: Sources) -> float:
        return speed_up("qwen3-0.6b", gpu, 128, sequences=cell[0], context_tokens=cell[1])

    statement = f"block top-k over dense, 0.6B, {gpu}, {cell[0]} x {cell[1]} tokens"
    return Claim(
        "throughput",
        statement,
        published,
        "x",
        0.05,
        _ROOFLINE,
        ours,
        because=_WHY_ROOFLINE,
        by="roofline",
    )


THROUGHPUT: Final = (
    _throughput("h200-sxm", CELLS[0], 25.86),
    _throughput("h200-sxm", CELLS[1], 26.22),
    _throughput("b200-sxm", CELLS[0], 23.6),
    _throughput("b200-sxm", CELLS[1], 33.3),
)

_UNPRINTED: Final = "the costs of the printed pairs are not, nor curves of these models by cost"

_BLOCK_CURVES: Final = "curves of block top-k are not published as numbers"

OUT_OF_REACH: Final = (
    OutOfReach("accuracy", "block top-k, Best-of-N", "8.58x, +45 points", _BLOCK_CURVES),
    OutOfReach("accuracy", "block top-k, Long-CoT", "5.13x, +38.5 points", _BLOCK_CURVES),
    OutOfReach(
        "accuracy",
        "top-k with the max cost model",
        "19.64x, +69.4 points; 15.71x, +52.8 points",
        "needs the lengths and budgets behind each point: the authors' recorded generations",
    ),
    OutOfReach("accuracy", "block top-k, 30B-A3B", "+42 to +53 points, about +8 at high cost", _BLOCK_CURVES),
    OutOfReach("accuracy", "top-k, 8B, Best-of-N: pairs", ".75 and .03; .93 and .84", _UNPRINTED),
    OutOfReach("accuracy", "top-k, 4B, Best-of-N: pairs", ".71 and .07; .87 and .80", _UNPRINTED),
    OutOfReach(
        "accuracy",
        "top-k, 30B-A3B, Best-of-N at 510 and 19,500 Tera-eFLOPs",
        ".75 and .03; .93 and .82",
        "of its curves the highest values alone were read, .933 and .843",
    ),
    OutOfReach(
        "accuracy",
        "critical size of DeepSeek-R1-Distill-Qwen",
        "7B",
        "curves of these models are not published as numbers",
    ),
    OutOfReach(
        "throughput",
        "the other eight labels of Fig. 10",
        "9.26x to 23.17x",
        "which model each belongs to is not published; `kinesim study per-layer` compares them, inferred",
    ),
    OutOfReach(
        "throughput",
        "block top-k over dense, H200, project page",
        "3.2x to 33.3x",
        "names no model, batch or context",
    ),
)
