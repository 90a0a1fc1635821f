"""The page of the reproduction: every figure drawn from its sources, nothing asked of a network."""

from __future__ import annotations

import re

import pytest

from simulator.kinetics import figures
from simulator.kinetics.accuracy import MODELS, best_of_n_frontier, long_cot_curves
from simulator.kinetics.claims import Sources
from simulator.kinetics.curves import Curve, bands
from simulator.kinetics.derived import length_at
from simulator.kinetics.page import page
from simulator.kinetics.reproduction import reproduce
from simulator.kinetics.throughput import BUDGETS, CELLS, speed_up

pytest.importorskip("plotly", reason="figures need plotly (the extra plot), which is not installed")
SOURCES = Sources(long_cot_curves())


def test_frontier_figures_show_the_published_points() -> None:
    drawn = {(t.name, t.xaxis): list(t.y) for t in figures.long_cot(SOURCES).data}
    for axis, kind in (("x", "dense"), ("x2", "topk")):
        for model in MODELS:
            assert drawn[model, axis] == list(SOURCES.curves[kind][model].accuracy)
            assert all(best >= 0 for best in drawn["best model", axis])
    assert [list(t.y) for t in figures.best_of_n().data] == [
        list(best_of_n_frontier(kind).accuracy) for kind in ("dense", "topk")
    ]


def test_bands_of_the_best_model_are_drawn_for_both_kinds() -> None:
    drawn = [(t.name, t.y[0], t.x[0], t.x[1]) for t in figures.best_model(SOURCES).data]
    assert drawn == [
        (model, title, low, high)
        for kind, title in (("topk", "oracle top-k"), ("dense", "dense"))
        for model, low, high in bands(SOURCES.curves[kind])
    ]


def test_lengths_are_those_of_the_closed_form() -> None:
    first = figures.cot_length(SOURCES).data[0]
    assert list(first.y) == [length_at("qwen3-32b", cost) for cost in first.x]


def test_lengths_beyond_the_models_context_are_gaps() -> None:
    far = Curve("far", "b200_s", (1.0, 1000.0), (0.1, 0.2), "derived", "assumed for tests")
    first = figures.cot_length(Sources({"dense": dict.fromkeys(MODELS, far)})).data[0]
    assert first.y[0] > 1000
    assert first.y[1] is None


def test_the_throughput_figure_shows_the_speed_ups() -> None:
    first = figures.throughput().data[0]
    sequences, context = CELLS[0]
    assert list(first.x) == list(BUDGETS)
    assert list(first.y) == [
        speed_up("qwen3-32b", figures.GPU, b, sequences=sequences, context_tokens=context) for b in BUDGETS
    ]


def test_the_page_holds_all_figures_and_claims_and_asks_nobody() -> None:
    findings = reproduce(SOURCES)
    text = page(findings, SOURCES)
    assert all(f'id="{name}"' in text for name in figures.TITLES)
    assert text.count("<tr>") == len(findings) + 1
    assert re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=", text) == []
    assert "default-src 'none'" in text
