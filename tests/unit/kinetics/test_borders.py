"""Borders between best models: where curves cross, one by one, and refused where curves do not reach."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.errors import SimulatorError
from simulator.kinetics import claims_of_bands as published
from simulator.kinetics.accuracy import (
    AttentionName,
    best_of_n_32b,
    best_of_n_frontier,
    long_cot_curves,
    read_long_cot,
)
from simulator.kinetics.borders import bands_by_accuracy, border, check_reach, largest_loss
from simulator.kinetics.claims import Sources
from simulator.kinetics.curves import Curve
from simulator.kinetics.derived import length_at, paper_model
from simulator.kinetics.reproduction import CLAIMS, reproduce

SHIPPED = Sources(long_cot_curves())
SMALL, LARGE = "qwen3-0.6b", "qwen3-32b"


def curve(x: list[float], accuracy: list[float]) -> Curve:
    return Curve("made up", "b200_s", tuple(x), tuple(accuracy), "derived", "assumed for tests")


def test_a_border_is_the_nearest_of_its_two_models() -> None:
    found = [("a", 1.0, 2.0), ("b", 2.0, 4.0), ("a", 4.0, 8.0), ("b", 8.0, 9.0), ("c", 10.0, 11.0)]
    assert [border(found, {"a"}, {"b"}, near) for near in (1.0, 3.9, 4.1)] == [2.0, 2.0, 8.0]
    assert border(found, {"b"}, {"a", "c"}, 100.0) == 4.0, "bands that do not touch are no border"
    assert border(found, {"c"}, {"a"}, 1.0) is None


def test_a_border_outside_of_the_curves_is_refused_with_who_is_best_at_their_ends() -> None:
    curves = {"large": curve([1, 8], [0.1, 0.9]), "small": curve([1, 8], [0.3, 0.5])}
    check_reach(curves, 1.1, 7.9)
    for least, most in ((0.9, 1.1), (7.0, 8.1)):
        with pytest.raises(
            SimulatorError, match="from 1 to 8 B200 s; the first best model is small, the last l"
        ):
            check_reach(curves, least, most)


def test_by_accuracy_each_law_takes_the_model_that_spends_least_of_what_it_counts() -> None:
    curves = {LARGE: curve([1, 8], [0.1, 0.9]), SMALL: curve([2, 9], [0.1, 0.5])}
    for accuracy in (0.2, 0.4):
        spent = {name: curves[name].reaching(accuracy) for name in curves}
        flops = {name: paper_model(name).active_parameters * length_at(name, x) for name, x in spent.items()}
        assert min(spent, key=spent.__getitem__) == LARGE
        assert min(flops, key=flops.__getitem__) == SMALL
    assert bands_by_accuracy(curves, "eflops") == [(LARGE, pytest.approx(0.1, abs=1e-3), pytest.approx(0.9))]
    small, large = bands_by_accuracy(curves, "flops")
    assert (small[0], small[2]) == (SMALL, pytest.approx(0.5))
    assert (large[0], large[1]) == (LARGE, small[2])


def test_the_largest_loss_is_that_of_the_published_model_in_its_band() -> None:
    curves = {"a": curve([1, 2, 4, 8], [0.1, 0.5, 0.5, 0.9]), "b": curve([1, 2, 4, 8], [0.0, 0.4, 0.7, 0.8])}
    assert largest_loss(curves, [("a", 1.0, 8.0)], 0.05) == pytest.approx(0.2)
    assert largest_loss(curves, [("b", 1.0, 3.0)], 0.05) == pytest.approx(0.1)
    with pytest.raises(SimulatorError, match="no published band within 1 to 8 B200 s"):
        largest_loss(curves, [("a", 10.0, 20.0)], 0.05)


def test_every_published_border_is_a_finding_with_a_verdict() -> None:
    told = {one.statement: one for one in reproduce(SHIPPED) if one.part == "bands"}
    for figure, edges in (
        ("Fig. 7c, dense Long-CoT", published.LONG_COT_DENSE),
        ("Fig. 7c, top-k Long-CoT", published.LONG_COT_TOPK),
        ("Fig. 7c, top-k Best-of-N", published.BEST_OF_N_TOPK),
        ("Fig. 1A, FLOPs", published.FLOPS_LAW),
        ("Fig. 1A, eFLOPs", published.EFLOPS_LAW),
    ):
        places = sorted(
            float(one.published.split()[0].replace(",", ""))
            for statement, one in told.items()
            if statement.startswith(figure) and (" gives way to " in statement or " solved from" in statement)
        )
        assert places == sorted(edge.place for edge in edges)


def test_our_borders_are_where_the_two_curves_cross() -> None:
    (claim,) = (one for one in CLAIMS if one.statement == "Fig. 7c, top-k Long-CoT: 4B gives way to 8B")
    tera = claim.ours(SHIPPED)
    assert tera is not None
    smaller, larger = (SHIPPED.curves["topk"][f"qwen3-{size}"] for size in ("4b", "8b"))
    assert smaller.at(tera / 4500) == pytest.approx(larger.at(tera / 4500), abs=1e-9)
    assert smaller.at(tera / 4700) > larger.at(tera / 4700)
    assert smaller.at(tera / 4300) < larger.at(tera / 4300)


def test_published_bands_leave_out_where_models_alternate() -> None:
    found = published.published_bands(published.BEST_OF_N_TOPK, 20_000)
    assert [name for name, _, _ in found] == [f"qwen3-{x}" for x in ("0.6b", "1.7b", "4b", "8b", "32b")]
    assert found[-1][1:] == pytest.approx((7300 / 4500, 20_000 / 4500))


def test_a_reason_given_for_flat_crossings_holds() -> None:
    for edge in published.LONG_COT_TOPK:
        if "within 0.007" not in edge.because:
            continue
        (one,), (other,) = published.named(edge.before), published.named(edge.after)
        at = edge.place / 4500
        curves = SHIPPED.curves["topk"]
        assert abs(curves[one].at(at) - curves[other].at(at)) < 0.007


def test_the_reasons_given_for_dense_crossings_hold(shared_data: Path) -> None:
    dense = SHIPPED.curves["dense"]
    at = 1970 / 4500
    assert dense["qwen3-4b"].at(at) - dense["qwen3-14b"].at(at) == pytest.approx(0.016, abs=0.001)
    path = shared_data / "kinetics" / "fig8d_aime24_longcot_topk.csv"
    if not path.is_file():
        pytest.skip(
            f"the figure's vector data is not part of the project: no {path.name} beside the checkout"
        )
    whole = read_long_cot(path)["dense"]
    assert whole["qwen3-4b"].at(at) - whole["qwen3-14b"].at(at) == pytest.approx(0.028, abs=0.001)
    at = 1480 / 4500
    assert whole["qwen3-14b"].at(at) - whole["qwen3-4b"].at(at) == pytest.approx(0.025, abs=0.001)


def test_verdicts_that_hang_on_the_points_that_are_shipped_say_so(shared_data: Path) -> None:
    path = shared_data / "kinetics" / "fig8d_aime24_longcot_topk.csv"
    if not path.is_file():
        pytest.skip(
            f"the figure's vector data is not part of the project: no {path.name} beside the checkout"
        )
    whole = {one.statement: one for one in reproduce(Sources(read_long_cot(path)))}
    hang = [one for one in reproduce(SHIPPED) if one.verdict != whole[one.statement].verdict]
    assert len(hang) == 9
    for one in hang:
        verdict = "meets it" if whole[one.statement].verdict == "reproduced" else "differs"
        assert "100 points of Fig. 8d" in one.condition
        assert one.condition.endswith(f"which {verdict}") or f", which {verdict};" in one.condition


def test_borders_of_all_points_are_told_as_they_are(shared_data: Path) -> None:
    path = shared_data / "kinetics" / "fig8d_aime24_longcot_topk.csv"
    if not path.is_file():
        pytest.skip(
            f"the figure's vector data is not part of the project: no {path.name} beside the checkout"
        )
    whole = {one.statement: one for one in reproduce(Sources(read_long_cot(path))) if one.part == "bands"}
    for one in whole.values():
        if " gives way to " in one.statement or " solved from" in one.statement:
            ours = one.ours.split()[0]
            assert (f"all of which give {ours}, which" in one.condition) == (ours not in {"-", "none"})
    kinds: tuple[tuple[AttentionName, tuple[published.Edge, ...]], ...] = (
        ("dense", published.LONG_COT_DENSE),
        ("topk", published.LONG_COT_TOPK),
    )
    for kind, edges in kinds:
        taken = published.published_bands(edges, published.LAST_TERA)
        loss = 100 * largest_loss(read_long_cot(path)[kind], taken, 0.05)
        name = "dense" if kind == "dense" else "top-k"
        told = whole[f"Fig. 7c, {name} Long-CoT: most that its best models lose under the best of ours"]
        assert told.condition.endswith(f"over all points of Fig. 8d {loss:.1f}")


def test_32b_alone_cannot_be_told_from_the_frontier_of_best_of_n() -> None:
    alone, frontier = best_of_n_32b("topk"), best_of_n_frontier("topk")
    gaps = [frontier.at(x) - alone.at(x) for x in alone.x if x <= frontier.last]
    assert min(gaps) < 0 < max(gaps)
    reasons = [one.missing for one in published.BANDS_OUT_OF_REACH if "cannot tell" in one.missing]
    assert (max(map(abs, gaps)) < 0.013, alone.first * 4500) == (True, pytest.approx(1000, rel=1e-4))
    assert len(reasons) == 2
    assert all("within 0.013" in one and "from 1,000 Tera-eFLOPs" in one for one in reasons)
