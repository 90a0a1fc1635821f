"""Readings of the growth of KV caches and of LiveCodeBench: numbers told in conditions are worked out."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from simulator.attention import DenseAttention, TopKAttention
from simulator.kinetics import (
    PAPER_RIDGE,
    KineticsModel,
    accuracy,
    claims_of_coverage,
    claims_of_growth,
    cost,
    kinetics_model,
    kv_growth,
)
from simulator.kinetics.accuracy import (
    CoverageFit,
    coverage_at,
    coverage_curve,
    long_cot_curves,
    published,
)
from simulator.kinetics.claims import Sources
from simulator.kinetics.claims_of_cost import paper_model
from simulator.kinetics.reproduction import CLAIMS
from workloads.benchmarks import load_benchmark

SHIPPED = Sources(long_cot_curves())
READINGS = claims_of_growth.readings()


def condition_of(statement: str) -> str:
    (found,) = (one.condition for one in CLAIMS if one.statement == statement)
    return found


def test_the_growth_of_kv_is_told_under_every_reading() -> None:
    told = condition_of("growth of KV when parameters double, Qwen3")
    logs = [value for name, value in READINGS.items() if "logarithms" in name]
    in_bytes = [value for name, value in READINGS.items() if "in bytes" in name]
    numbers = [float(number) for number in re.findall(r"\d\.\d{3}", told)]
    step = READINGS["from one model to the next, whatever its size"]
    assert numbers == [pytest.approx(x, abs=5e-4) for x in (max(in_bytes), min(logs), max(logs), step)]
    # KV bytes go from 114,688 to 262,144 over five steps.
    assert step == pytest.approx((262_144 / 114_688) ** (1 / 5), rel=1e-12)
    assert len(READINGS) == 7


def test_a_fit_in_bytes_is_the_least_squares_of_a_power_law() -> None:
    models = [KineticsModel(str(n), 2.0**n * 1e9, "exact", 1000 + 700 * n * n, 1, 1) for n in range(5)]

    def error(growth: float) -> float:
        shape = [growth**n for n in range(5)]
        kv = [2.0 * model.kv_elements_per_token for model in models]
        scale = sum(s * d for s, d in zip(shape, kv, strict=True)) / sum(s * s for s in shape)
        return sum((d - scale * s) ** 2 for s, d in zip(shape, kv, strict=True))

    best = kv_growth(models, fit="linear")
    assert error(best) < min(error(best * 0.999), error(best * 1.001))


@pytest.mark.parametrize("preset", ["1.5b", "7b", "14b", "32b"])
def test_quoted_configurations_are_those_of_the_presets_built_on_them(preset: str) -> None:

    size = float(preset[:-1])
    (quoted,) = (
        one
        for one in claims_of_growth.family("Qwen2.5")
        if one.active_parameters == pytest.approx(size * 1e9)
    )
    assert quoted.kv_elements_per_token == kinetics_model(f"r1-distill-qwen-{preset}").kv_elements_per_token


@pytest.mark.parametrize(("size", "preset"), [(8.0, "llama-3.1-8b"), (70.0, "llama-3.1-70b")])
def test_quoted_llamas_are_the_presets(size: float, preset: str) -> None:

    (quoted,) = (one for one in claims_of_growth.family("LLaMA3") if one.active_parameters == size * 1e9)
    assert quoted.kv_elements_per_token == kinetics_model(preset).kv_elements_per_token


def test_readings_of_32b_over_14b_are_told_as_they_are() -> None:
    told = condition_of("32B over 14B on AIME24")
    models = load_benchmark("aime24").models
    large, small = (100 * models[f"qwen3-{size}"].coverage["1"] for size in ("32b", "14b"))
    assert f"{large:.1f} and {small:.1f} %" in told
    assert f"they are {large - small:.1f} points apart" in told
    ends = {
        kind: 100 * (found["qwen3-32b"].accuracy[-1] - found["qwen3-14b"].accuracy[-1])
        for kind, found in SHIPPED.curves.items()
    }
    assert f"{ends['dense']:.1f} (dense) and {ends['topk']:.1f} points (top-k)" in told


def test_savings_at_equal_coverage_do_not_depend_on_the_trials() -> None:
    def eflops(attention: DenseAttention | TopKAttention, trials: int) -> float:
        return cost(
            paper_model("14b"),
            attention,
            trials=trials,
            prompt_tokens=0,
            output_tokens=claims_of_coverage.MEAN_TOKENS,
            ridge_flops_per_byte=PAPER_RIDGE,
        ).eflops

    kinds = (DenseAttention(), TopKAttention(kv_budget_tokens=512))
    ratios = [eflops(kinds[0], trials) / eflops(kinds[1], trials) for trials in (1, 8, 64)]
    assert ratios == pytest.approx([ratios[0]] * 3, rel=1e-12)
    assert claims_of_coverage.saving(kinds[1]) == pytest.approx(ratios[0], rel=0.03)


def test_the_range_of_savings_over_the_swept_budgets_is_told() -> None:
    for name, kinds in (("top-k", claims_of_coverage.TOPK), ("block top-k", claims_of_coverage.BLOCK_TOPK)):
        told = condition_of(f"LiveCodeBench, 14B, {name}: fewer eFLOPs at equal coverage")
        first, last = (claims_of_coverage.saving(kinds[place]) for place in (0, -1))
        assert f"128 to 2,048 give {first:.1f} to {last:.1f}" in told
        assert "chosen to come nearest" in told
    others = [claims_of_coverage.saving(kind) for kind in claims_of_coverage.BLOCK_TOPK]
    (label,) = (one for one in CLAIMS if one.statement.endswith("label"))
    assert label.ours(SHIPPED) == min(others, key=lambda ours: abs(ours - 5.6))
    assert f"512 gives {others[2]:.1f}" in label.because


@pytest.mark.parametrize("model", load_benchmark("livecodebench").models)
def test_the_fit_that_foretells_512_trials_is_the_least_squares_of_the_other_nine_points(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = load_benchmark("livecodebench").models[model].coverage
    shipped = published()

    def error(alpha: float, beta: float, zero_ratio: float) -> float:
        fit = CoverageFit(alpha=alpha, beta=beta, zero_ratio=zero_ratio)
        fits = shipped.coverage_fits_but_last.model_copy(update={"models": {model: fit}})
        changed = shipped.model_copy(update={"coverage_fits_but_last": fits})
        monkeypatch.setattr(accuracy, "published", lambda: changed)
        return sum(
            (coverage_at(model, int(k), without_last_point=True) - value) ** 2
            for k, value in points.items()
            if int(k) < 512
        )

    fit = shipped.coverage_fits_but_last.models[model]
    found = (fit.alpha, fit.beta, fit.zero_ratio)
    least = error(*found)
    for place in range(3):
        for factor in (0.98, 1.02):
            other = [value * (factor if place == i else 1.0) for i, value in enumerate(found)]
            assert error(*other) > least
    assert len(points) == 10


def test_coverage_of_livecodebench_is_that_of_the_digitised_figure(shared_data: Path) -> None:
    path = shared_data / "kinetics" / "lcb_passk.csv"
    if not path.is_file():
        pytest.skip(f"the figure's digitised points are not part of the project: no {path.name}")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 50
    for row in rows:
        found = coverage_curve("livecodebench", row["model"].lower())
        assert found.at(float(row["K"])) == pytest.approx(float(row["pass_at_K"]), abs=1e-4)
