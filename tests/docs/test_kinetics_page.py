"""The tables of docs/kinetics.md are what `kinesim kinetics` and the closed forms give."""

from __future__ import annotations

import sys
from itertools import takewhile
from pathlib import Path
from typing import get_args

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "analytic"))

from test_kinetics_step_times import BANDWIDTH, DENSE, PEAK, STEPS, by_hand, closed, decode_seconds, preset

from simulator.kinetics import KineticsModel, kv_growth
from simulator.kinetics.accuracy import coverage_at, long_cot_curves, read_long_cot
from simulator.kinetics.claims import By, Finding, Sources, summary_line
from simulator.kinetics.claims_of_growth import FAMILIES, family, per_step, readings
from simulator.kinetics.claims_of_pairs import PAIRS
from simulator.kinetics.reproduction import reproduce
from workloads.benchmarks import load_benchmark

PAGE = (Path(__file__).parents[2] / "docs" / "kinetics.md").read_text(encoding="utf-8")
FINDINGS = reproduce(Sources(long_cot_curves()))


def rows_under(heads: str) -> list[list[str]]:
    """Return the cells of the one table of the page with these heads."""
    assert PAGE.count(f"{heads}\n") == 1
    lines = PAGE.split(f"{heads}\n")[1].splitlines()[1:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in takewhile(_is_row, lines)]


def _is_row(line: str) -> bool:
    return line.startswith("|")


def test_claims_are_counted_by_what_decides_them() -> None:
    rows = rows_under("| decided by | reproduced | differ | what that is |")
    assert [row[0] for row in rows] == list(get_args(By))
    for by, reproduced, differ, _ in rows:
        found = [one.verdict for one in FINDINGS if one.by == by]
        assert (int(reproduced), int(differ)) == (found.count("reproduced"), found.count("differs"))


def bare(told: str) -> str:
    return told.removesuffix(" Tera-eFLOPs").removesuffix(" accuracy")


def borders(findings: list[Finding]) -> dict[tuple[str, str], Finding]:
    """Return what became of borders, by figure and border as the page says them."""
    found = {}
    for one in findings:
        figure, _, border = one.statement.removeprefix("Fig. ").partition(": ")
        if " gives way to " in border or border.startswith("something is solved"):
            found[figure, border] = one
    return found


HEADS = "| figure | border | published | ours | ours, all points of Fig. 8d | verdict |"


def test_every_border_stands_on_the_page_with_its_verdict() -> None:
    rows, found = rows_under(HEADS), borders(FINDINGS)
    assert {(row[0], row[1]) for row in rows} == set(found)
    for figure, border, published, ours, _, verdict in rows:
        one = found[figure, border]
        assert (published, ours, verdict) == (bare(one.published), bare(one.ours), one.verdict)
    met, reached = (
        sum(row[-1] in verdicts for row in rows) for verdicts in ({"reproduced"}, {"reproduced", "differs"})
    )
    assert f"Of {reached} borders that the curves reach, {met} are met" in PAGE
    assert f"[{met} of {reached} borders]" in PAGE


def test_borders_of_all_points_of_the_figure_stand_on_the_page(shared_data: Path) -> None:
    path = shared_data / "kinetics" / "fig8d_aime24_longcot_topk.csv"
    if not path.is_file():
        pytest.skip(
            f"the figure's vector data is not part of the project: no {path.name} beside the checkout"
        )
    found = borders(reproduce(Sources(read_long_cot(path))))
    for figure, border, _, _, ours, _ in rows_under(HEADS):
        assert ours == bare(found[figure, border].ours)
    verdicts = [one.verdict for one in found.values()]
    met = verdicts.count("reproduced")
    assert f"{met} of {met + verdicts.count('differs')}, and mostly others" in " ".join(PAGE.split())


def test_verdicts_that_all_points_would_change_are_counted_on_the_page(shared_data: Path) -> None:
    path = shared_data / "kinetics" / "fig8d_aime24_longcot_topk.csv"
    if not path.is_file():
        pytest.skip(
            f"the figure's vector data is not part of the project: no {path.name} beside the checkout"
        )
    whole = reproduce(Sources(read_long_cot(path)))
    verdicts = {one.statement: one.verdict for one in whole}
    changed = sum(one.verdict != verdicts[one.statement] for one in FINDINGS)
    assert changed == 9
    assert "nine verdicts would be others with all of them" in PAGE


def test_the_totals_stand_on_the_page() -> None:
    assert f"\n{summary_line(FINDINGS)}\n```" in PAGE


def test_printed_pairs_stand_on_the_page_with_their_verdicts() -> None:
    heads = "| model | Tera-eFLOPs | top-k, published | ours | dense, published | ours |"
    found = {one.statement: one for one in FINDINGS}
    rows = rows_under(heads)
    reached = []
    for model, tera, *cells in rows:
        for place, kind in enumerate(("top-k", "dense")):
            one = found[f"{kind}, {model}, at {tera} Tera-eFLOPs"]
            mark = ", differs" if one.verdict == "differs" else ""
            assert cells[2 * place : 2 * place + 2] == [bare(one.published), bare(one.ours) + mark]
            reached.append(one.verdict)
    assert len(rows) == len(PAIRS)
    met, missed = reached.count("reproduced"), reached.count("differs")
    assert (met, missed) == (10, 4)
    assert f"Of {met + missed} numbers of printed pairs that the curves reach ten are met" in flat(PAGE)


def flat(text: str) -> str:
    return " ".join(text.split())


def test_what_512_trials_were_foretold_to_solve_stands_on_the_page() -> None:
    off = {
        size: 100 * abs(coverage_at(f"qwen3-{size}", 512, without_last_point=True) - figures["512"])
        for size in ("1.7b", "4b", "8b", "14b", "32b")
        for figures in [load_benchmark("livecodebench").models[f"qwen3-{size}"].coverage]
    }
    assert f"to {off['4b']:.1f} points for 4B and 32B" in flat(PAGE)
    assert f"{off['4b']:.1f}" == f"{off['32b']:.1f}"
    told = f"is {off['1.7b']:.1f}, {off['8b']:.1f} and {off['14b']:.1f} points off for 1.7B, 8B and 14B"
    assert told in flat(PAGE)


def test_the_growth_of_kv_stands_on_the_page_by_reading_and_family() -> None:
    rows = rows_under("| reading | Qwen3, 1.18 | Qwen2.5, 1.46 | LLaMA3, 1.27 | OPT, 1.55 |")
    told = {row[0]: row[1:] for row in rows}
    ours = readings()
    assert set(told) == set(ours)
    for reading, cells in told.items():
        assert cells[0] == f"{ours[reading]:.3f}"
    for place, name in enumerate(FAMILIES, start=1):
        assert [cells[place] for cells in told.values()][:3] == [
            f"{value:.3f}"
            for value in (
                kv_growth(family(name), fit="linear"),
                kv_growth(family(name), fit="log"),
                per_step(family(name)),
            )
        ]


@pytest.mark.parametrize("place", range(3))
def test_simulated_time_over_equation_4_stands_on_the_page(place: int) -> None:
    heads = "| sequences in the batch | 1 | 16 | 256 | 4,096 | what is left out beside weights |"
    name, *cells = rows_under(heads)[place]
    model, ridge = name.lower(), PEAK / BANDWIDTH
    form = closed(model, DENSE, 1, 16_384)
    equation_4 = form.eflops - ridge * form.weight_bytes
    for batch, cell in zip((1, 16, 256, 4096), cells, strict=False):
        ratio = decode_seconds(model, DENSE, "additive", batch, 16_384) * PEAK / batch / equation_4
        assert float(cell) == pytest.approx(ratio, abs=0.5 * 10 ** -len(cell.split(".")[1]) + 1e-5)
    hand, used = by_hand(preset(model)), KineticsModel.of(preset(model)).active_parameters
    beside = ridge * (hand.moved_bytes + hand.norm_bytes) - 2 * (used - hand.weights)
    assert cells[-1] == f"{100 * beside * STEPS / equation_4:.1f} %"
