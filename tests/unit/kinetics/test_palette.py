"""A model has one colour in the figures of the paper's claims and in those of all studies."""

from __future__ import annotations

import pytest

from simulator.errors import UnknownNameError
from simulator.kinetics import figures
from simulator.kinetics.accuracy import MODELS, long_cot_curves
from simulator.kinetics.claims import Sources
from simulator.kinetics.palette import ORDER, place_of
from simulator.report.look import VARIANT_COLOURS


def test_every_model_of_the_paper_has_a_colour_of_its_own() -> None:
    assert set(ORDER) == set(MODELS)
    places = {place_of(model) for model in MODELS}
    assert len(places) == len(MODELS)
    assert max(places) < len(VARIANT_COLOURS)


def test_a_model_without_a_colour_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"'qwen3-7b'; did you mean qwen3-"):
        place_of("qwen3-7b")


def test_the_figures_of_the_claims_take_these_colours() -> None:
    named = [
        series
        for chart in figures.charts(Sources(long_cot_curves()))
        for panel in chart.panels
        for series in panel.series
        if series.name in MODELS
    ]
    assert {series.name for series in named} == set(MODELS)
    assert all(series.place == place_of(series.name) for series in named)
