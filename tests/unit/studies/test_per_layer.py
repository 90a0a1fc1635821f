"""The per-layer study against sums by hand and the numbers it quotes."""

from __future__ import annotations

import pandas as pd
import pytest

from simulator.model import Architecture
from simulator.scenario.catalog import find
from simulator.scenario.loader import load_part, load_scenario
from simulator.studies import per_layer
from simulator.studies.study import Budget

H200_BYTES_PER_S, H200_FLOPS_PER_S = 4.8e12, 989.5e12


@pytest.fixture(scope="module")
def quick() -> pd.DataFrame:
    return per_layer.run(Budget(quick=True))


def step_s(frame: pd.DataFrame, context: int, variant: str, counted: str) -> float:
    keys = (frame["context"] == context) & (frame["variant"] == variant) & (frame["counted"] == counted)
    return float(frame[keys]["step_s"].iloc[0])


@pytest.mark.no_cover  # makes the run, whose lines the slow test of all studies covers
@pytest.mark.parametrize(("sequences", "context"), per_layer.CELLS)
def test_a_roofline_step_is_that_of_the_layers_alone(
    quick: pd.DataFrame, sequences: int, context: int
) -> None:
    hidden, ffn, heads, kv_heads, width, layers = 1024, 3072, 16, 8, 128, 28
    products = ((hidden, width * (heads + 2 * kv_heads) / 8), (width * heads / 8, hidden))
    products += ((hidden, 2 * ffn / 8), (ffn / 8, hidden))
    seconds = 0.0
    for size_in, size_out in products:
        moved = 2 * size_in * size_out + 2 * sequences * (size_in + size_out)
        seconds += max(moved / H200_BYTES_PER_S, 2 * sequences * size_in * size_out / H200_FLOPS_PER_S)
    seconds += 2 * 4 * sequences * hidden * 2 / H200_BYTES_PER_S
    mean_context = context + 1 + (1 + per_layer.TIMED_STEPS) / 2
    seconds += sequences * mean_context * 2 * width * 2 * (kv_heads / 8) / H200_BYTES_PER_S
    assert step_s(quick, context, "dense", per_layer.ROOFLINE) == pytest.approx(layers * seconds, rel=2e-3)


def test_more_time_per_layer_of_sparse_attention_lowers_its_speed_up(quick: pd.DataFrame) -> None:
    dense, sparse = (step_s(quick, 16_384, v, per_layer.ROOFLINE) for v in ("dense", "block_topk_128"))
    for layer_s in (0.0, 1e-4):
        found = per_layer.speed_ups(quick, layer_s=layer_s)
        row = found[(found["context"] == 16_384) & (found["budget"] == 128)]
        row = row[row["counted"] == per_layer.ROOFLINE]
        assert row["speed_up"].iloc[0] == pytest.approx(dense / (sparse + 28 * layer_s))


def test_the_layers_of_a_calibrated_node_are_part_of_its_step(quick: pd.DataFrame) -> None:
    for variant in ("dense", "block_topk_128", "block_topk_2048"):
        layers, node = (step_s(quick, 16_384, variant, c) for c in (per_layer.KERNELS, per_layer.NODE))
        assert 0.0 < layers < node


def made(layer_s: float) -> pd.DataFrame:
    """Return a table in which the ten labels are met once each layer takes `layer_s` more; 1.7B has none."""
    rows = []
    models = list(per_layer.LAYERS)
    for context, labels in per_layer.LABELS.items():
        published = dict(zip([models[0], *models[2:]], labels, strict=True)) | {models[1]: 22.0}
        for model, speed_up in published.items():
            step = 1.0 / speed_up - layer_s * per_layer.LAYERS[model]
            for variant, seconds in (("dense", 1.0), ("block_topk_128", step)):
                keys = ("h200-sxm", context, model, variant, per_layer.KERNELS)
                rows.append((*keys, seconds))
    return pd.DataFrame(rows, columns=["gpu", "context", "model", "variant", "counted", "step_s"])


@pytest.mark.parametrize("layer_s", [0.0, 77e-6])
def test_the_fit_finds_the_time_that_the_labels_were_made_with(layer_s: float) -> None:
    frame = made(layer_s)
    assert per_layer.fitted_layer_s(frame, per_layer.KERNELS) == pytest.approx(layer_s, abs=1e-9)
    assert per_layer.label_error(frame, per_layer.KERNELS, layer_s) == pytest.approx(0.0, abs=1e-9)
    assert per_layer.label_error(frame, per_layer.KERNELS, layer_s + 1e-4) > 0.01


def test_each_published_point_says_its_model_in_its_colour() -> None:
    frame = made(77e-6)
    assert per_layer.lost_model(frame, per_layer.KERNELS, 77e-6) == "qwen3-1.7b"
    with_roofline = pd.concat([frame, frame.assign(counted=per_layer.ROOFLINE)])
    for chart, labels in zip(per_layer.charts(with_roofline), per_layer.LABELS.values(), strict=True):
        assert "b200" not in chart.name
        for panel in chart.panels:
            published = [series for series in panel.series if series.style == "crosses"]
            sizes = ["0.6B", "4B", "8B", "14B", "32B"]
            assert [series.name for series in published] == [f"{size}, published" for size in sizes]
            assert [series.y for series in published] == [[label] for label in labels]
            places = {series.name: series.place for series in panel.series}
            assert [places[f"{size}, published"] for size in sizes] == [places[size] for size in sizes]


def test_charts_of_b200_hold_its_rows_and_the_article() -> None:
    h200 = made(77e-6)
    frame = pd.concat([h200, h200.assign(counted=per_layer.ROOFLINE)])
    b200 = frame.assign(gpu="b200-sxm")
    b200.loc[b200["variant"] == "dense", "step_s"] *= 2.0
    charts = {chart.name: chart for chart in per_layer.charts(pd.concat([frame, b200]))}
    assert list(charts) == [
        f"per-layer-{of}{context}" for of in ("", "b200-") for context in per_layer.LABELS
    ]
    for context, speed_up in per_layer.ARTICLE.items():
        ours, theirs = (
            {series.name: series for series in charts[f"per-layer-{of}{context}"].panels[0].series}
            for of in ("b200-", "")
        )
        assert [name for name in ours if "published" in name] == ["0.6B, published"]
        assert ours["0.6B, published"].y == [speed_up]
        assert ours["8B"].y == pytest.approx([2.0 * y for y in theirs["8B"].y])


def test_a_quick_run_tells_what_it_ran(quick: pd.DataFrame) -> None:
    told = per_layer.answer(quick).splitlines()
    assert len(told) == len(per_layer.LABELS) + 1
    for line, (context, labels) in zip(told, per_layer.LABELS.items(), strict=False):
        dense, sparse = (
            step_s(quick, context, variant, per_layer.KERNELS) for variant in ("dense", "block_topk_128")
        )
        assert line.startswith(f"H200, 0.6B, {context:,} tokens, budget 128")
        assert f"{per_layer.KERNELS} {dense / sparse:.3g}" in line
        assert line.endswith(f"Fig. 10 has {labels[0]:g}.")
    assert "--quick" in told[-1]


def test_a_quick_run_shows_the_label_of_the_one_model_it_has(quick: pd.DataFrame) -> None:
    for chart in per_layer.charts(quick):
        for panel in chart.panels:
            assert [series.name for series in panel.series] == ["0.6B", "0.6B, published"]


def test_layers_are_those_of_the_presets() -> None:
    for model, layers in per_layer.LAYERS.items():
        assert load_part(find("model", model), Architecture).layers == layers


@pytest.mark.parametrize("gpu", list(per_layer.SCENARIOS))
def test_budget_times_block_is_that_of_the_paper(gpu: str) -> None:
    variants = load_scenario(per_layer.SCENARIOS[gpu]).variants
    found = [variant.model.attention for name, variant in variants.items() if name != "dense"]
    assert [attention.kv_budget_tokens for attention in found] == list(per_layer.BUDGETS)
    assert {attention.kv_budget_tokens * attention.block_tokens for attention in found} == {16_384}
