"""Curves and fits: right inside of their range, refused outside, and true to what they were quoted from."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.errors import SimulatorError, TraceFormatError
from simulator.kinetics.accuracy import (
    MODELS,
    Curves,
    accuracy_at_length,
    best_of_n_32b,
    best_of_n_frontier,
    coverage_at,
    coverage_curve,
    long_cot_curves,
    published,
    read_long_cot,
)
from simulator.kinetics.curves import Curve, bands, best_of, shared_range
from simulator.kinetics.derived import length_at
from workloads.benchmarks import load_benchmark

SHIPPED = long_cot_curves()
ALL = [
    *(curve for kind in SHIPPED.values() for curve in kind.values()),
    best_of_n_frontier("dense"),
    best_of_n_frontier("topk"),
    best_of_n_32b("dense"),
    best_of_n_32b("topk"),
    coverage_curve("livecodebench", "qwen3-14b"),
]


def curve(x: list[float], accuracy: list[float], name: str = "made up") -> Curve:
    return Curve(name, "b200_s", tuple(x), tuple(accuracy), "derived", "assumed for tests")


@st.composite
def curves(draw: st.DrawFn) -> Curve:
    x = draw(st.lists(st.integers(1, 60), min_size=2, max_size=8, unique=True))
    accuracy = draw(st.lists(st.floats(0, 1), min_size=len(x), max_size=len(x)))
    return curve(sorted(0.9 + n / 10 for n in x), accuracy)


@given(one=curves(), part=st.floats(0, 1))
def test_a_curve_is_numpys_interpolation_in_the_logarithm(one: Curve, part: float) -> None:
    x = min(max(one.first * (one.last / one.first) ** part, one.first), one.last)
    assert one.at(x) == pytest.approx(np.interp(math.log(x), np.log(one.x), one.accuracy), abs=1e-9)


@given(one=curves())
def test_a_curve_goes_through_its_points(one: Curve) -> None:
    assert [one.at(x) for x in one.x] == pytest.approx(list(one.accuracy), abs=1e-12)


@given(one=curves(), part=st.floats(0, 1))
def test_a_curve_first_reaches_an_accuracy_where_it_has_it(one: Curve, part: float) -> None:
    accuracy = one.accuracy[0] + part * (max(one.accuracy) - one.accuracy[0])
    x = one.reaching(accuracy)
    assert one.at(x) == pytest.approx(accuracy, abs=1e-9)
    assert all(one.at(before) <= accuracy + 1e-9 for before in one.x if before < x)


@given(several=st.lists(curves(), min_size=2, max_size=4), part=st.floats(0, 1))
def test_a_frontier_is_the_best_of_its_curves_and_a_band_says_which(
    several: list[Curve], part: float
) -> None:
    try:
        first, last = shared_range(several)
    except SimulatorError:
        return
    x = min(max(first * (last / first) ** part, first), last)
    best = max(one.at(x) for one in several)
    assert best_of("frontier", several).at(x) == pytest.approx(best, abs=1e-7)
    named = {str(i): one for i, one in enumerate(several)}
    holders = [name for name, low, high in bands(named) if low <= x <= high]
    assert not holders or max(named[name].at(x) for name in holders) == pytest.approx(best, abs=1e-7)


@pytest.mark.parametrize("one", ALL, ids=lambda one: one.name)
def test_a_shipped_curve_is_refused_outside_of_its_range(one: Curve) -> None:
    for x in (one.first * 0.999, one.last * 1.001, math.nan):
        with pytest.raises(SimulatorError, match=f"allowed: {one.first:g} to {one.last:g}"):
            one.at(x)
    with pytest.raises(SimulatorError, match=r"at accuracy 1\.1; allowed: "):
        one.reaching(1.1)


@pytest.mark.parametrize(
    ("x", "accuracy"),
    [([1.0], [0.1]), ([1.0, 1.0], [0.1, 0.2]), ([0.0, 1.0], [0.1, 0.2]), ([1.0, 2.0], [0.1, 1.2])],
)
def test_points_that_make_no_curve_are_refused(x: list[float], accuracy: list[float]) -> None:
    with pytest.raises(SimulatorError, match="made up: no curve; allowed: two or more points"):
        curve(x, accuracy)


def test_curves_without_a_common_range_have_no_frontier() -> None:
    with pytest.raises(SimulatorError, match="allowed: curves over one quantity that share a range"):
        best_of("frontier", [curve([1, 2], [0, 1]), curve([3, 4], [0, 1])])


def test_livecodebench_by_trials_is_what_the_benchmarks_file_holds() -> None:
    figures = load_benchmark("livecodebench").models["qwen3-8b"].coverage
    found = coverage_curve("livecodebench", "qwen3-8b")
    assert {k: found.at(float(k)) for k in figures} == pytest.approx(figures)


def test_a_benchmark_or_model_without_a_curve_over_trials_is_refused() -> None:
    with pytest.raises(SimulatorError, match=r"'qwen3-0\.6b'; did you mean .*allowed: qwen3-1\.7b"):
        coverage_curve("livecodebench", "qwen3-0.6b")
    wrong: dict[str, Any] = {"benchmark": "aime26", "attention": "block_topk"}
    with pytest.raises(SimulatorError, match="unknown benchmark 'aime26'; did you mean aime2"):
        coverage_curve(wrong["benchmark"], "qwen3-8b")
    with pytest.raises(SimulatorError, match="unknown attention 'block_topk'; allowed: dense, topk"):
        best_of_n_frontier(wrong["attention"])
    with pytest.raises(SimulatorError, match="aime25: pass@1 alone was published"):
        coverage_curve("aime25", "qwen3-8b")


@pytest.mark.parametrize("model", published().coverage_fits.models)
def test_the_coverage_fit_is_near_the_published_points(model: str) -> None:
    points = load_benchmark("livecodebench").models[model].coverage
    errors = [coverage_at(model, int(k)) - value for k, value in points.items()]
    assert max(map(abs, errors)) < 0.007
    assert math.sqrt(sum(e * e for e in errors) / len(errors)) < 0.004


@given(model=st.sampled_from(sorted(published().coverage_fits.models)), k=st.integers(1, 200))
def test_the_coverage_fit_is_the_chance_of_a_beta_binomial(model: str, k: int) -> None:
    fit = published().coverage_fits.models[model]
    # One trial after another misses: B(a, b + k) / B(a, b) is the product of the chances to miss again.
    missed = math.prod((fit.beta + i) / (fit.alpha + fit.beta + i) for i in range(k))
    assert coverage_at(model, k) == pytest.approx((1 - fit.zero_ratio) * (1 - missed), rel=1e-9)


@pytest.mark.parametrize("model", MODELS)
def test_the_length_fit_is_near_the_shipped_curve(model: str) -> None:
    fits = published().length_fits
    errors = []
    for cost, accuracy in zip(SHIPPED["dense"][model].x, SHIPPED["dense"][model].accuracy, strict=True):
        length = length_at(model, cost)
        if fits.shortest_tokens <= length <= fits.models[model].longest_tokens:
            errors.append(accuracy_at_length(model, length) - accuracy)
    assert len(errors) > 10
    assert max(map(abs, errors)) < 0.08
    assert math.sqrt(sum(e * e for e in errors) / len(errors)) < 0.035


def test_fits_are_refused_outside_of_what_was_fitted() -> None:
    with pytest.raises(SimulatorError, match="at 1999 tokens; allowed: 2000 to 20200"):
        accuracy_at_length("qwen3-14b", 1999)
    with pytest.raises(SimulatorError, match="at 20201 tokens; allowed: 2000 to 20200"):
        accuracy_at_length("qwen3-14b", 20_201)
    with pytest.raises(SimulatorError, match="no fit by length of 'qwen3-30b'"):
        accuracy_at_length("qwen3-30b", 4000)
    for trials in (0, 513):
        with pytest.raises(SimulatorError, match=f"at {trials} trials; allowed: 1 to 512, whole"):
            coverage_at("qwen3-14b", trials)


@pytest.mark.parametrize("trials", [2.5, 2.0, math.nan, True, "2"])
def test_a_coverage_fit_takes_whole_trials_alone(trials: Any) -> None:  # noqa: ANN401 - what is refused
    with pytest.raises(SimulatorError, match=f"at {trials} trials; allowed: 1 to 512, whole"):
        coverage_at("qwen3-14b", trials)


@pytest.fixture(scope="module")
def whole(shared_data: Path) -> Curves:
    path = shared_data / "kinetics" / "fig8d_aime24_longcot_topk.csv"
    if not path.is_file():
        pytest.skip(
            f"the figure's vector data is not part of the project: no {path.name} beside the checkout"
        )
    return read_long_cot(path)


@pytest.mark.parametrize("model", MODELS)
def test_the_quoted_points_lie_on_the_vector_curve_and_lines_between_them_near_it(
    whole: Curves, model: str
) -> None:
    for kind in ("dense", "topk"):
        quoted, full = SHIPPED[kind][model], whole[kind][model]
        inside = [x for x in quoted.x if x <= full.last]
        assert [quoted.at(x) for x in inside] == pytest.approx([full.at(x) for x in inside], abs=0.0006)
        between = [x for x in full.x if quoted.first <= x <= quoted.last]
        errors = [abs(quoted.at(x) - full.at(x)) for x in between]
        assert max(errors) < 0.065
        assert sum(errors) / len(errors) < 0.008


@pytest.fixture
def csv_file(tmp_path: Path) -> Callable[..., Path]:
    """Return a writer of a curve file; `drop` leaves a column out, `cell` replaces one value."""

    def write(drop: str = "", cell: str = "0.5") -> Path:
        sizes = ("32B", "14B", "8B", "4B", "1.7B", "0.6B")
        names = [
            name
            for name in ("b200_s", *(f"{kind}_{size}" for kind in ("dense", "topk") for size in sizes))
            if name != drop
        ]
        rows = [[f"{x}", *(["0.1"] * (len(names) - 1))] for x in (1, 2)]
        rows[1][-1] = cell
        path = tmp_path / "curves.csv"
        path.write_text("\n".join(",".join(row) for row in [names, *rows]) + "\n", encoding="utf-8")
        return path

    return write


def test_a_file_of_curves_is_read(csv_file: Callable[..., Path]) -> None:
    found = read_long_cot(csv_file())
    assert found["topk"]["qwen3-0.6b"].accuracy == (0.1, 0.5)
    assert found["dense"]["qwen3-32b"].x == (1.0, 2.0)


def test_all_faults_of_a_file_of_curves_are_said_at_once(csv_file: Callable[..., Path]) -> None:
    path = csv_file(cell="2")
    path.write_text(path.read_text(encoding="utf-8").replace("\n2,", "\n1,"), encoding="utf-8")
    with pytest.raises(TraceFormatError) as refused:
        read_long_cot(path)
    assert [line.partition(": ")[2] for line in str(refused.value).splitlines()] == [
        "topk_0.6B: '2'; allowed: a number from 0 to 1",
        "b200_s: '1'; allowed: more than before",
    ]


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b""])
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "none.csv"
    path.write_bytes(content)
    with pytest.raises(TraceFormatError, match=r"none\.csv"):
        read_long_cot(path)


def test_a_file_of_one_row_is_refused(csv_file: Callable[..., Path]) -> None:
    path = csv_file()
    path.write_text("".join(path.read_text(encoding="utf-8").splitlines(keepends=True)[:2]), encoding="utf-8")
    with pytest.raises(TraceFormatError, match=r"curves\.csv: 1 rows; allowed: two or more"):
        read_long_cot(path)


def test_faults_of_a_file_of_curves_name_file_and_line(csv_file: Callable[..., Path]) -> None:
    with pytest.raises(TraceFormatError, match=r"curves\.csv:1: no column dense_8B"):
        read_long_cot(csv_file(drop="dense_8B"))
    with pytest.raises(
        TraceFormatError, match=r"curves\.csv:3: topk_0\.6B: 'much'; allowed: a number from 0 to 1"
    ):
        read_long_cot(csv_file(cell="much"))
    with pytest.raises(
        TraceFormatError, match=r"curves\.csv:3: topk_0\.6B: '1\.5'; allowed: a number from 0 to 1"
    ):
        read_long_cot(csv_file(cell="1.5"))
