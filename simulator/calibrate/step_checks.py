"""Steps of a user's engine as a latency model sees them, and whether they can carry a fit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from simulator.attention import Attention, DenseAttention
from simulator.calibrate.fitting import Vector
from simulator.calibrate.step_files import (
    COLUMNS,
    FIRST_LINE,
    LONGEST,
    MOST_FAULTS,
    NEW,
    PROMPTS,
    TP,
    MeasuredStepsError,
)
from simulator.calibrate.told_contexts import ToldContexts
from simulator.deployment import Deployment
from simulator.latency import RooflineLatency, StepLoad

FEWEST_STEPS: Final = 50
FEWEST_BATCHES: Final = 5
LEAST_SPREAD: Final = 2.0
"""How many times longer the longest contexts must be than the shortest, per sequence."""

FASTEST_RATIO: Final = 0.5
SLOWEST_RATIO: Final = 200.0
"""Median step over its roofline time: outside of this the unit is not seconds."""

FASTEST_ROW: Final = 0.1
SLOWEST_ROW: Final = 500.0
MOST_OVER_MEDIAN: Final = 50.0
"""The same of a single step, which may also take so many times what the median step takes of its own. One in
milliseconds takes 1000 times as long as it should; of 41,341 steps measured on B300 (tests/measured) the
slowest, a stall, took 303 times its roofline time, the fastest 0.78 times."""


def check_steps(steps: pd.DataFrame, deployments: Mapping[int, Deployment], path: Path) -> None:
    """Refuse steps that cannot carry a fit, or that are not in seconds.

    Parameters
    ----------
    steps : as `read_steps` returns.
    deployments : what ran, by tensor-parallel GPUs.
    path : the file, for the message.

    Raises
    ------
    MeasuredStepsError
        With what is missing, or with the factor by which the steps miss what the hardware can do.
    """
    faults = []
    decodes = steps[steps[NEW] == 0]
    batches = decodes["sequences"].nunique()
    mean = decodes["context_tokens"] / decodes["sequences"]
    if len(decodes) < FEWEST_STEPS:
        faults.append(f"{len(decodes)} steps without prompts, but a fit needs {FEWEST_STEPS}")
    if batches < FEWEST_BATCHES:
        faults.append(f"{batches} different numbers of sequences, but a fit needs {FEWEST_BATCHES}")
    if len(decodes) and mean.max() < LEAST_SPREAD * mean.min():
        faults.append(
            f"contexts of {mean.min():.0f} to {mean.max():.0f} tokens per sequence, but the longest must be "
            f"{LEAST_SPREAD:g} times the shortest"
        )
    if not faults:
        ratios = _over_bound(steps, deployments)
        ratio = float(np.median(ratios))
        if not FASTEST_RATIO <= ratio <= SLOWEST_RATIO:
            faults.append(
                f"steps take {ratio:.3g} times what the data sheet allows in the median; step_s is in "
                "seconds: are these milliseconds, or is it another model or number of GPUs?"
            )
    if faults:
        raise MeasuredStepsError("\n".join(f"{path}: {fault}" for fault in faults))
    _check_rows(steps, ratios, path)


def _check_rows(steps: pd.DataFrame, ratios: Vector, path: Path) -> None:
    """Refuse single steps that are far from what the hardware can do, and from the others."""
    median = float(np.median(ratios))
    most = max(SLOWEST_ROW, MOST_OVER_MEDIAN * median)
    bad = np.flatnonzero((ratios < FASTEST_ROW) | (ratios > most))
    if not len(bad):
        return
    seconds, lines = steps["step_s"].to_numpy(), steps.index.to_numpy() + FIRST_LINE
    faults = [
        f"{path}:{lines[at]}: step_s: {seconds[at]:g} is {ratios[at]:.3g} times what the data sheet allows, "
        f"the median of all rows {median:.3g} times; {FASTEST_ROW:g} to {most:.3g} times are believed: is it "
        "in seconds, as the others, and a single step?"
        for at in bad[:MOST_FAULTS]
    ]
    faults += [f"{path}: and {len(bad) - MOST_FAULTS} more such lines"] * (len(bad) > MOST_FAULTS)
    raise MeasuredStepsError("\n".join(faults))


def _over_bound(steps: pd.DataFrame, deployments: Mapping[int, Deployment]) -> Vector:
    """Return measured over least duration of each step, shape (steps,)."""
    ratios = np.empty(len(steps))
    for tp in steps[TP].unique():
        chosen = (steps[TP] == tp).to_numpy()
        rows, deployment = steps[chosen], deployments[int(tp)]
        bound = RooflineLatency(layer_overhead_s=0.0).bind(deployment)
        least = [float(bound.step_seconds(load)) for load in loads(rows, deployment.attention)]
        ratios[chosen] = rows["step_s"].to_numpy(dtype=np.float64) / np.array(least)
    return ratios


def loads(steps: pd.DataFrame, attention: Attention | None = None) -> list[StepLoad]:
    """Return what each step was asked for, as a latency model sees it.

    Contexts that share a step are taken as equally long but for the longest, where it is told; prompts that
    share one too, and all of them as ending with it.

    Parameters
    ----------
    steps : as `read_steps` returns.
    attention : how the model attends; None: to all tokens.
    """
    kind = attention or DenseAttention()
    columns = (steps[name].to_numpy(dtype=np.int64) for name in (*COLUMNS[:2], LONGEST, *PROMPTS))
    found = []
    for numbers in zip(*columns, strict=True):
        count, context, longest, new, prompts, past = map(int, numbers)
        work = kind.step_work(ToldContexts(count, context, longest), 1)
        told = work if longest else work._replace(longest_tokens=0)
        pairs, read = _prompt_tokens(kind, new, prompts, past)
        found.append(StepLoad(1, count, told, new, pairs, read, prompts))
    return found


def _prompt_tokens(attention: Attention, new: int, prompts: int, past: int) -> tuple[int, int]:
    """Return the query-key pairs of the prompts of a step, and the tokens that they read."""
    if not new:
        return 0, 0
    many = max(prompts, 1)
    # Parts of a token do not matter; sums of all prompts stay as they are told.
    pairs = read = 0
    for place in range(many):
        held, computed = (total * (place + 1) // many - total * place // many for total in (past, new))
        pairs += attention.prefill_attended_tokens(held, computed)
        read += attention.prefill_read_tokens(held, computed)
    return pairs, read
