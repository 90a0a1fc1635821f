"""Published accuracy of the models of Kinetics (arXiv 2506.05333), by cost, output length and trials.

The figures, their sources and marks stand in ``accuracy.toml`` beside this file.  LiveCodeBench by trials is
read from the benchmark's own file, which holds it already; pass@1 under the paper's cap stands there too.
"""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from math import exp, inf, lgamma, nan
from pathlib import Path
from typing import Final, Literal

from pydantic import Field

from simulator.errors import SimulatorError, TraceFormatError, suggest
from simulator.frozen import Count, FrozenModel, Ratio
from simulator.kinetics.checks import check_word, is_whole
from simulator.kinetics.curves import Curve, Mark
from simulator.kinetics.model import PAPER_PEAK_FLOPS_PER_S
from workloads.benchmarks import BenchmarkName, load_benchmark

MODELS: Final = ("qwen3-32b", "qwen3-14b", "qwen3-8b", "qwen3-4b", "qwen3-1.7b", "qwen3-0.6b")
"""The dense models of the paper, largest first."""

AttentionName = Literal["dense", "topk"]
Figure = Literal["long_cot_30b_a3b", "best_of_n_8b"]
"""Figures of one model that were read at few costs."""

COST_COLUMN: Final = "b200_s"
"""Column of costs in a file of curves."""

Curves = Mapping[AttentionName, Mapping[str, Curve]]
"""Curves by attention and model."""

PROMPT_TOKENS: Final = 200
"""Prompt taken for a question of AIME24; the paper's cost tables hold 212 and 218, the shortest has 128."""


class CurveTable(FrozenModel):
    """Curves over one row of costs."""

    mark: Mark = Field(description="[-] How the points were taken.")
    source: str = Field(min_length=1, description="[-] Where they are from.")
    b200_s: list[float] = Field(description="[s] Costs, seconds of the paper's B200.")
    dense: dict[str, list[Ratio]] = Field(description="[-] Accuracy with dense attention.")
    topk: dict[str, list[Ratio]] = Field(description="[-] Accuracy with oracle top-k attention.")

    def curve(self, name: str, attention: AttentionName, title: str) -> Curve:
        """Return one of the curves.

        Raises
        ------
        SimulatorError
            If there is none of that name or attention.
        """
        check_word("attention", attention, AttentionName)
        rows = self.dense if attention == "dense" else self.topk
        _known(name, rows, f"{title} curve")
        label = f"{title} {name} {attention}"
        return Curve(label, "b200_s", tuple(self.b200_s), tuple(rows[name]), self.mark, self.source)


class Points(FrozenModel):
    """Accuracy by cost, read at costs of its own."""

    tera_eflops: list[float] = Field(description="[1e12 eFLOP] Costs.")
    accuracy: list[Ratio] = Field(description="[-] Accuracy at each.")


class Readings(FrozenModel):
    """Curves of one figure that were read at different costs."""

    mark: Mark = Field(description="[-] How the points were taken.")
    source: str = Field(min_length=1, description="[-] Where they are from.")
    curves: dict[str, Points] = Field(description="[-] Points by attention.")


class Optimum(FrozenModel):
    """What is best at a cost: tokens by cost, and over which costs each KV budget was."""

    mark: Mark = Field(description="[-] How the points were taken.")
    source: str = Field(min_length=1, description="[-] Where they are from.")
    tera_eflops: list[float] = Field(description="[1e12 eFLOP] Costs.")
    tokens: list[float] = Field(description="[tokens] Best tokens of all trials at each cost.")
    budget_tokens: list[Count] = Field(description="[tokens] KV budgets observed as the best.")
    budget_from_tera_eflops: list[float] = Field(description="[1e12 eFLOP] Least cost of each budget.")
    budget_to_tera_eflops: list[float] = Field(description="[1e12 eFLOP] Highest cost of each budget.")


class LengthFit(FrozenModel):
    """Accuracy by output length L: ceiling / (1 + (middle / L)^(1 / width))."""

    ceiling: Ratio = Field(description="[-] Accuracy that endless outputs would reach.")
    middle_tokens: float = Field(gt=0.0, description="[tokens] Length at half of the ceiling.")
    width: float = Field(gt=0.0, description="[-] Width in ln L.")
    longest_tokens: float = Field(gt=0.0, description="[tokens] Where the fitted curve ends.")


class LengthFits(FrozenModel):
    """Fits by output length."""

    shortest_tokens: float = Field(gt=0.0, description="[tokens] Where the fitted curves begin.")
    models: dict[str, LengthFit] = Field(description="[-] Fits by model.")


class CoverageFit(FrozenModel):
    """Coverage by trials k: (1 - z) (1 - Beta(a, b + k) / Beta(a, b))."""

    alpha: float = Field(gt=0.0, description="[-] First shape of the solve probability.")
    beta: float = Field(gt=0.0, description="[-] Second shape of it.")
    zero_ratio: Ratio = Field(description="[-] Share of tasks that no trial solves.")


class CoverageFits(FrozenModel):
    """Fits by trials."""

    most_trials: Count = Field(description="[trials] Where the fitted points end.")
    models: dict[str, CoverageFit] = Field(description="[-] Fits by model.")


class Accuracy(FrozenModel):
    """Everything in ``accuracy.toml``."""

    long_cot: CurveTable = Field(description="[-] AIME24, one trial.")
    best_of_n: CurveTable = Field(description="[-] AIME24, frontier of Best-of-N.")
    best_of_n_32b: CurveTable = Field(description="[-] AIME24, Best-of-N of Qwen3-32B.")
    readings: dict[Figure, Readings] = Field(description="[-] AIME24, figures read at few costs.")
    optimum: Optimum = Field(description="[-] AIME24, Best-of-N of Qwen3-8B, what is best by cost.")
    length_fits: LengthFits = Field(description="[-] AIME24, one trial, dense attention, by length.")
    coverage_fits: CoverageFits = Field(description="[-] LiveCodeBench, by trials.")
    coverage_fits_but_last: CoverageFits = Field(description="[-] The same without the point of 512 trials.")


@cache
def published() -> Accuracy:
    """Return the figures that are shipped."""
    text = files("simulator.kinetics").joinpath("accuracy.toml").read_text(encoding="utf-8")
    return Accuracy.model_validate(tomllib.loads(text))


def long_cot_curves() -> Curves:
    """Return AIME24 accuracy of Long-CoT by cost of all six models (Fig. 8d), largest first.

    Examples
    --------
    >>> long_cot_curves()["topk"]["qwen3-14b"].at(0.2)
    0.616
    """
    table = published().long_cot
    kinds: tuple[AttentionName, ...] = ("dense", "topk")
    return {kind: {model: table.curve(model, kind, "Long-CoT") for model in MODELS} for kind in kinds}


def best_of_n_frontier(attention: AttentionName) -> Curve:
    """Return AIME24 coverage of Best-of-N by cost, the best model at each (Fig. 8a)."""
    return published().best_of_n.curve("frontier", attention, "Best-of-N")


def best_of_n_32b(attention: AttentionName) -> Curve:
    """Return AIME24 coverage of Best-of-N by cost of Qwen3-32B."""
    return published().best_of_n_32b.curve("qwen3-32b", attention, "Best-of-N")


def read_curve(figure: Figure, attention: str) -> Curve:
    """Return a curve of a figure that was read at few costs.

    Raises
    ------
    SimulatorError
        If there is no such figure or attention.

    Examples
    --------
    >>> round(read_curve("long_cot_30b_a3b", "topk").at(300 / 4500), 3)
    0.714
    """
    check_word("figure", figure, Figure)
    found = published().readings[figure]
    _known(attention, found.curves, f"curve in {figure}")
    points = found.curves[attention]
    seconds = tuple(tera * 1e12 / PAPER_PEAK_FLOPS_PER_S for tera in points.tera_eflops)
    return Curve(f"{figure} {attention}", "b200_s", seconds, tuple(points.accuracy), found.mark, found.source)


def coverage_curve(benchmark: BenchmarkName, model: str) -> Curve:
    """Return published pass@k of a benchmark by trials.

    Raises
    ------
    SimulatorError
        If there is no such benchmark or model, or one point alone of it.
    """
    check_word("benchmark", benchmark, BenchmarkName)
    models = load_benchmark(benchmark).models
    several = {name: found for name, found in models.items() if len(found.coverage) > 1}
    if not several:
        message = f"{benchmark}: pass@1 alone was published; no curve over trials"
        raise SimulatorError(message)
    _known(model, several, f"coverage by trials on {benchmark}")
    points = sorted((float(k), value) for k, value in several[model].coverage.items())
    x, accuracy = zip(*points, strict=True)
    return Curve(f"{model} on {benchmark}", "trials", x, accuracy, "digitised", several[model].source)


def accuracy_at_length(model: str, output_tokens: float) -> float:
    """Return the fitted AIME24 accuracy of dense Long-CoT at an output length.

    Raises
    ------
    SimulatorError
        If the length is outside of what was fitted; says the range.

    Examples
    --------
    >>> round(accuracy_at_length("qwen3-14b", 16_000), 2)
    0.74
    """
    fits = published().length_fits
    _known(model, fits.models, "fit by length")
    fit = fits.models[model]
    if not fits.shortest_tokens <= output_tokens <= fit.longest_tokens:
        message = (
            f"accuracy of {model} at {output_tokens:g} tokens; allowed: {fits.shortest_tokens:g} to "
            f"{fit.longest_tokens:g}"
        )
        raise SimulatorError(message)
    odds: float = (output_tokens / fit.middle_tokens) ** (1.0 / fit.width)
    return fit.ceiling * odds / (1.0 + odds)


def coverage_at(model: str, trials: int, *, without_last_point: bool = False) -> float:
    """Return the fitted LiveCodeBench coverage of `trials` trials.

    Parameters
    ----------
    model : preset.
    trials : 1 to 512.
    without_last_point : from the fit to the points up to 256 trials.

    Raises
    ------
    SimulatorError
        If the trials are not whole or outside of what was fitted; says the range.

    Examples
    --------
    >>> round(coverage_at("qwen3-14b", 64), 2)
    0.81
    """
    fits = published().coverage_fits_but_last if without_last_point else published().coverage_fits
    _known(model, fits.models, "coverage fit")
    if not is_whole(trials) or not 1 <= trials <= fits.most_trials:
        message = f"coverage of {model} at {trials} trials; allowed: 1 to {fits.most_trials}, whole"
        raise SimulatorError(message)
    fit = fits.models[model]
    a, b = fit.alpha, fit.beta
    missed = exp(lgamma(b + trials) + lgamma(a + b) - lgamma(a + b + trials) - lgamma(b))
    return (1.0 - fit.zero_ratio) * (1.0 - missed)


def read_long_cot(path: Path) -> Curves:
    """Return Long-CoT curves from a CSV file with a column ``b200_s`` and one per attention and model.

    Parameters
    ----------
    path : columns ``dense_32B``, ``topk_0.6B`` and so on, one row per cost; other columns are passed over.

    Raises
    ------
    TraceFormatError
        With every fault, its line, and what is allowed there.
    """
    kinds: tuple[AttentionName, ...] = ("dense", "topk")
    columns = {(kind, model): f"{kind}_{_size(model)}" for kind in kinds for model in MODELS}
    rows = _rows(path, tuple(columns.values()))
    costs = tuple(row[COST_COLUMN] for row in rows)
    found: dict[AttentionName, dict[str, Curve]] = {kind: {} for kind in kinds}
    for (kind, model), column in columns.items():
        name, accuracy = f"Long-CoT {model} {kind}", tuple(row[column] for row in rows)
        found[kind][model] = Curve(name, "b200_s", costs, accuracy, "vector", str(path))
    return found


def _rows(path: Path, accuracies: tuple[str, ...]) -> list[dict[str, float]]:
    """Return the rows of a file of curves as numbers.

    Raises
    ------
    TraceFormatError
        With every fault found.
    """
    wanted = (COST_COLUMN, *accuracies)
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            missing = [name for name in wanted if name not in (reader.fieldnames or ())]
            lines = [(reader.line_num, row) for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        message = f"{path}: no CSV file in UTF-8: {error}"
        raise TraceFormatError(message) from error
    if missing:
        message = f"{path}:1: no column {', '.join(missing)}"
        raise TraceFormatError(message)
    rows: list[dict[str, float]] = []
    faults = []
    for line, row in lines:
        numbers = {name: _number(row[name]) for name in wanted}
        for name, value in numbers.items():
            is_cost = name == COST_COLUMN
            if not (0.0 < value < inf if is_cost else 0.0 <= value <= 1.0):
                allowed = "above 0" if is_cost else "from 0 to 1"
                faults.append(f"{path}:{line}: {name}: {row[name]!r}; allowed: a number {allowed}")
        if rows and not numbers[COST_COLUMN] > rows[-1][COST_COLUMN]:
            faults.append(f"{path}:{line}: {COST_COLUMN}: {row[COST_COLUMN]!r}; allowed: more than before")
        rows.append(numbers)
    if len(rows) < 2:  # noqa: PLR2004 - a curve has two ends
        faults.append(f"{path}: {len(rows)} rows; allowed: two or more")
    if faults:
        raise TraceFormatError("\n".join(faults))
    return rows


def _size(model: str) -> str:
    """Return a model's size as the paper's figures write it."""
    return model.removeprefix("qwen3-").upper()


def _number(text: str | None) -> float:
    """Return a cell as a number; NaN for what is none."""
    try:
        return float(text or "")
    except ValueError:
        return nan


def _known(name: str, table: Mapping[str, object], what: str) -> None:
    """Refuse a name that `table` lacks.

    Raises
    ------
    SimulatorError
        With the nearest name and all that are allowed.
    """
    if name not in table:
        message = f"no {what} of {name!r}; {suggest(name, table)}"
        raise SimulatorError(message)
