"""The charts of the reproduction show their sources; its page asks nothing of a network."""

from __future__ import annotations

import re
from operator import itemgetter

import pytest

from simulator.attention import TopKAttention
from simulator.kinetics import claims_of_bands, figures
from simulator.kinetics.accuracy import MODELS, best_of_n_frontier, long_cot_curves
from simulator.kinetics.best_of_n import curves
from simulator.kinetics.borders import Band
from simulator.kinetics.claims import Sources
from simulator.kinetics.curves import Curve, bands
from simulator.kinetics.derived import length_at
from simulator.kinetics.page import page
from simulator.kinetics.reproduction import reproduce
from simulator.kinetics.throughput import BUDGETS, CELLS, speed_up
from simulator.report.chart import Chart, Series

SOURCES = Sources(long_cot_curves())


def lines(chart: Chart) -> list[Series]:
    """Return the series of a chart with one panel."""
    (panel,) = chart.panels
    return list(panel.series)


def test_frontier_charts_show_the_published_points() -> None:
    for panel, kind in zip(figures.long_cot(SOURCES).panels, ("dense", "topk"), strict=True):
        drawn = {series.name: list(series.y) for series in panel.series}
        for model in MODELS:
            assert drawn[model] == list(SOURCES.curves[kind][model].accuracy)
        assert all(isinstance(best, float) and best >= 0 for best in drawn["best model"])
    assert [list(series.y) for series in lines(figures.best_of_n())] == [
        list(best_of_n_frontier(kind).accuracy) for kind in ("dense", "topk")
    ]


def rows_of(chart: Chart) -> dict[str, list[Band]]:
    """Return the bands of each row of a chart of best models, by cost."""
    rows: dict[str, list[Band]] = {}
    for series in lines(chart):
        low, high = series.x
        rows.setdefault(str(series.y[0]), []).append((series.name, float(low), float(high)))
    return {title: sorted(found, key=itemgetter(1)) for title, found in rows.items()}


def test_bands_of_the_best_model_are_drawn_for_both_kinds_beside_the_published_ones() -> None:
    drawn = rows_of(figures.best_model(SOURCES))
    assert drawn["dense, from Fig. 8d"] == bands(SOURCES.curves["dense"])
    assert drawn["oracle top-k, from Fig. 8d"] == bands(SOURCES.curves["topk"])
    last = claims_of_bands.LAST_TERA
    assert drawn["dense, published"] == claims_of_bands.published_bands(claims_of_bands.LONG_COT_DENSE, last)
    assert len(drawn) == 4


def test_bands_of_best_of_n_are_drawn_published_and_modelled_with_what_is_assumed() -> None:
    chart = figures.best_model_of_n()
    drawn = rows_of(chart)
    assert [name for name, _, _ in drawn["AIME24, oracle top-k, published"]] == [
        f"qwen3-{size}" for size in ("0.6b", "1.7b", "4b", "8b", "32b")
    ]
    assert drawn["LiveCodeBench, top-k 1,024, modelled"] == bands(
        curves("livecodebench", TopKAttention(kv_budget_tokens=1024))
    )
    assert len(drawn) == 5
    for told in ("Modelled", "15,000 tokens", "accuracy kept", "as many trials for every question"):
        assert told in chart.caption


def test_lengths_are_those_of_the_closed_form() -> None:
    first = lines(figures.cot_length(SOURCES))[0]
    assert list(first.y) == [length_at("qwen3-32b", float(cost)) for cost in first.x]


def test_lengths_beyond_the_models_context_are_gaps() -> None:
    far = Curve("far", "b200_s", (1.0, 1000.0), (0.1, 0.2), "derived", "assumed for tests")
    first = lines(figures.cot_length(Sources({"dense": dict.fromkeys(MODELS, far)})))[0]
    assert isinstance(first.y[0], float)
    assert first.y[0] > 1000
    assert first.y[1] is None


def test_the_throughput_chart_shows_the_speed_ups() -> None:
    assert "eight H200" in figures.throughput().title
    first = figures.throughput().panels[0].series[0]
    sequences, context = CELLS[0]
    assert list(first.x) == list(BUDGETS)
    assert list(first.y) == [
        speed_up("qwen3-32b", figures.GPU, b, sequences=sequences, context_tokens=context) for b in BUDGETS
    ]


def test_the_page_holds_all_figures_and_claims_and_asks_nobody() -> None:
    pytest.importorskip("plotly", reason="pages need plotly (the extra plot), which is not installed")
    findings, drawn = reproduce(SOURCES), figures.charts(SOURCES)
    text = page(findings, drawn)
    assert all(f'id="{chart.name}"' in text for chart in drawn)
    assert text.count("<tr>") == len(findings) + 1
    assert re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=", text) == []
    assert "default-src 'none'" in text
