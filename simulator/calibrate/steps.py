"""A user's own engine: its serving numbers from measured steps.

A file of steps has one row per step: how many sequences decoded, the tokens in their caches summed, and how
long the step took. Where the rows also say how many tokens the longest of them had, what unequal contexts
cost is fitted too; where they tell the prompt tokens of the step, what prompts cost. The kernel numbers stay
those of the shipped calibration. Whole batch sizes are held out to judge the fit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

import numpy as np
import pandas as pd

from simulator.calibrate.fitting import CORNER, Errors, Mask, Vector, at_bound, fitted, rounded
from simulator.calibrate.launches import fit_least, kinds_of, least_seconds
from simulator.calibrate.step_checks import loads
from simulator.calibrate.step_files import LONGEST, NEW, TP
from simulator.calibrate.unknowns import (
    NUMBERS,
    UNIT,
    Bounds,
    bounds_of,
    ends,
    folded,
    known_numbers,
    serving_of,
    solve,
    terms,
)
from simulator.deployment import Deployment
from simulator.hardware import Calibration, Gpu
from simulator.hardware.calibration import Fitted, ServingFit, SplitFit
from simulator.latency import StepLoad
from simulator.latency.calibrated import BoundCalibrated

ATTENTION: Final = "attention_ratio"
HOLD_OUT_ONE_IN: Final = 3
BLOCK_RATES: Final = np.geomspace(20e9, 1e12, 40)
"""Rates of one thread block that are tried, bytes/s."""

PRIOR: Final = 0.1
"""How firmly ratios stay where they were: single steps tell more than means over runs."""

MOST_FITTED: Final = 3000
"""Steps that a fit looks at, evenly spread over those it may see: neighbours tell nothing new."""


def calibrate_steps(
    calibration: Calibration, deployments: Mapping[int, Deployment], steps: pd.DataFrame, source: str
) -> Calibration:
    """Return `calibration` with serving numbers fitted to measured steps.

    Parameters
    ----------
    calibration : kernel numbers of the GPU and engine, and the serving numbers to start from.
    deployments : what ran, by tensor-parallel GPUs.
    steps : as `read_steps` returns.
    source : name of the file.

    Notes
    -----
    Every number of GPUs counts the same, however many of its steps there are. Every third batch size is held
    out, not the smallest: hashes of few sizes may leave none. Of all other steps at most `MOST_FITTED` are
    looked at.
    """
    sizes = np.unique(steps["sequences"])
    out = np.isin(steps["sequences"], sizes[1::HOLD_OUT_ONE_IN])
    seen, unseen = (rows.sort_values(TP, kind="stable") for rows in (_thinned(steps[~out]), steps[out]))
    plan = next(iter(deployments.values()))
    start = folded(calibration, plan)
    base, before = _kernels(start), start.serving
    models = {deployment.architecture.name for deployment in deployments.values()}
    known = known_numbers([int(tp) for tp in seen[TP].unique()], models, before)
    if not seen[NEW].any():
        known["prompt_ratio"] = before.prompt_ratio if before else 1.0
    fit = partial(_fit, known=known, before=before, bounds=bounds_of(base))
    rows, measured = _rows(base, deployments, seen)
    looked_at, kinds, largest = len(seen), kinds_of(base, seen, NEW), int(seen["sequences"].max())

    def kernels_s(working: Mask) -> Vector:
        found: Vector = rows @ fit(rows[working], measured[working], seen[working])[0]
        return found

    floors = (before.captured_prompt_s, before.eager_prompt_s) if before else (0.0, 0.0)
    least, waits, told = fit_least(kinds, measured, kernels_s, before=floors)
    rows, measured, seen = rows[~waits], measured[~waits], seen[~waits]
    tried = []
    for candidate in (base.model_copy(update={"split": split}) for split in _splits(plan.gpu, seen)):
        # A way of dividing contexts changes what attention takes and nothing else.
        attention, _ = _rows(candidate, deployments, seen, names=(ATTENTION,))
        rows[:, NUMBERS.index(ATTENTION)] = attention[:, 0]
        tried.append((candidate, *fit(rows, measured, seen)))
    best, numbers, _ = min(tried, key=lambda one: one[2])
    rows, measured = _rows(best, deployments, unseen)
    predicted = np.maximum(rows @ numbers, least_seconds(kinds_of(base, unseen, NEW), least))
    by = fitted(source, looked_at, Errors.of(predicted, measured))
    ended = by.model_copy(update={"at_bound": ends(numbers, known, bounds_of(base))})
    names = _launched_by(least, told, models, before)
    serving = serving_of(numbers, ended, largest_batch=largest, least_s=least, launched_by=names)
    return best.model_copy(
        update={"serving": serving, "split": _judged(best.split, by) if best.split else None}
    )


def _launched_by(
    least: tuple[float, float], told: tuple[bool, bool], models: set[str], before: ServingFit | None
) -> tuple[str, ...]:
    """Return the models whose steps told the least times: those measured now, and those of times kept."""
    now = models if any(told) else set()
    kept = any(time and not new for time, new in zip(least, told, strict=True))
    return tuple(sorted(now | set(before.launched_by if before and kept else ())))


def _kernels(calibration: Calibration) -> Calibration:
    """Return `calibration` without what other people's engines made of experts and linear attention."""
    alone = {dtype: fit.model_copy(update={"serving": None}) for dtype, fit in calibration.experts.items()}
    linear = calibration.linear_attention
    linear = linear.model_copy(update={"serving": None}) if linear else None
    return calibration.model_copy(update={"split": None, "experts": alone, "linear_attention": linear})


def _judged(split: SplitFit, by: Fitted) -> SplitFit:
    """Return `split` with its provenance; the first and last rate that is tried are its bounds."""
    rate, least, most = split.block_bytes_per_s, float(BLOCK_RATES[0]), float(BLOCK_RATES[-1])
    ended = at_bound({"block_bytes_per_s": (rate, least, most)})
    return split.model_copy(update={"fitted": by.model_copy(update={"at_bound": ended})})


def _splits(gpu: Gpu, steps: pd.DataFrame) -> list[SplitFit | None]:
    """Return the ways of dividing contexts among thread blocks that are tried; None: in balance."""
    if not steps[LONGEST].any() or gpu.multiprocessors is None:
        return [None]
    blocks = int(gpu.multiprocessors.value)
    rates = [rounded(float(rate)) for rate in BLOCK_RATES]
    return [None, *(SplitFit(blocks=blocks, block_bytes_per_s=rate, fitted=UNIT) for rate in rates)]


def _fit(
    rows: Vector,
    measured: Vector,
    steps: pd.DataFrame,
    *,
    known: dict[str, float],
    before: ServingFit | None,
    bounds: Bounds,
) -> tuple[Vector, float]:
    """Return the serving numbers and the cost that they leave."""
    counts = steps.sort_values(TP, kind="stable").groupby(TP)[TP].transform("size").to_numpy()
    weights = len(steps) / (steps[TP].nunique() * counts)
    numbers = solve(rows, measured, weights=weights, known=known, before=before, bounds=bounds, prior=PRIOR)
    scaled = np.log(rows @ numbers / measured) / CORNER
    return numbers, float(weights @ (np.sqrt(1.0 + scaled * scaled) - 1.0))


def _rows(
    calibration: Calibration,
    deployments: Mapping[int, Deployment],
    steps: pd.DataFrame,
    names: Sequence[str] = NUMBERS,
) -> tuple[Vector, Vector]:
    """Return the terms of the steps and their durations, s, ordered by the number of GPUs."""
    found, measured = [], []
    for tp, chosen in steps.sort_values(TP, kind="stable").groupby(TP):
        deployment = deployments[int(str(tp))]
        asked = loads(chosen, deployment.attention)

        def seconds(bound: BoundCalibrated, asked: list[StepLoad] = asked) -> Vector:
            return np.array([float(bound.step_seconds(load)) for load in asked])

        found.append(terms(calibration, deployment, seconds, names))
        measured.append(chosen["step_s"].to_numpy(dtype=np.float64))
    return np.concatenate(found), np.concatenate(measured)


def _thinned(steps: pd.DataFrame) -> pd.DataFrame:
    """Return at most `MOST_FITTED` steps, evenly spread over those with and without prompts of every plan."""
    if len(steps) <= MOST_FITTED:
        return steps
    kinds = [kind for _, kind in steps.groupby([steps[TP], steps[NEW] > 0])]
    most = MOST_FITTED // len(kinds)
    ends = [np.linspace(0, len(kind) - 1, min(most, len(kind))).astype(int) for kind in kinds]
    return pd.concat([kind.iloc[chosen] for kind, chosen in zip(kinds, ends, strict=True)])
