from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "metrics"))

from made_records import Made, two_tasks

from simulator.api import Comparison
from simulator.report.text import WIDTH, render


def test_the_text_of_a_small_comparison(
    compared: Callable[..., Comparison], golden: Callable[[str, str], None]
) -> None:
    golden("two_variants.txt", render(compared()))


def test_numbers_in_the_text_are_those_of_the_records(compared: Callable[..., Comparison]) -> None:
    text = render(compared())
    rows: dict[str, list[str]] = {}
    for line in text.splitlines():
        rows.setdefault(line.split("  ")[0], line.split())
    assert rows["solved tasks/s"][-2:] == ["0.0500", "0.1000"]
    assert rows["task time p50/p95/p99, s"][-10:] == ["8", "/", "16", "/", "16", "4", "/", "8", "/", "8"]
    assert rows["solving rate, %"][-4:] == ["50", "(9.453-90.55)"] * 2


def test_the_answer_comes_first(compared: Callable[..., Comparison]) -> None:
    comparison = compared()
    first = render(comparison).split("\n\n", maxsplit=1)[0]
    assert " ".join(first.split()) == comparison.summary["answer"]


@pytest.mark.parametrize("variants", [1, 2, 3, 7])
def test_no_line_is_wider_than_the_page(compared: Callable[..., Comparison], variants: int) -> None:
    names = [f"variant-{'x' * 40 if n == 1 else ''}{n}" for n in range(variants)]
    text = render(compared({name: two_tasks().records() for name in names}, seeds=2))
    assert max(len(line) for line in text.splitlines()) <= WIDTH
    assert all(line == line.rstrip() for line in text.splitlines())
    assert sum(line.startswith("solved tasks/s ") for line in text.splitlines()) >= 1


def test_every_variant_has_a_column(compared: Callable[..., Comparison]) -> None:
    names = [f"v{n}" for n in range(7)]
    text = render(compared({name: two_tasks().records() for name in names}))
    heads = [line.split() for line in text.splitlines() if line.startswith("  ") and "v" in line]
    assert [name for head in heads for name in head if name in names][:7] == names


def test_equal_comparisons_give_equal_text(compared: Callable[..., Comparison]) -> None:
    assert render(compared(seeds=3)) == render(compared(seeds=3))


def test_unlimited_memory_is_marked_in_answer_memory_and_notes(compared: Callable[..., Comparison]) -> None:
    text = render(compared(limited=False))
    assert text.count("unlimited") >= 3
    assert "KV held at most = 0.55 times" in " ".join(text.split())


def test_the_memory_bar_shows_what_is_held(compared: Callable[..., Comparison]) -> None:
    # 400 kB weights, 100 kB activations, 100 blocks of 1 kB of which 50 are held: 33 + 8 + 4 of 50 columns.
    assert "[" + "W" * 33 + "A" * 8 + "#" * 4 + "." * 5 + "]" in render(compared())


def test_a_run_without_an_answer_is_told_as_such(compared: Callable[..., Comparison]) -> None:
    waiting = Made().trial(0, 0.0, -1, -1, -1).task(0.0, -1).records(end=1.0, pending=3)
    text = render(compared({"stuck": waiting}))
    assert text.startswith("stuck solves no task in the window")
    assert "No task ended" in text
    assert "1 tasks submitted = 0 finished + 0 cancelled + 0 running + 1 waiting (3 not arrived)" in text
    assert "nan" not in text.lower()


def test_what_the_variants_differ_in_is_shown(compared: Callable[..., Comparison]) -> None:
    one, other = compared(), compared(parallelism={"tp": 2, "dp": 1})
    both = Comparison(one.scenario, {"tp1": one.runs["quick"], "tp2": other.runs["quick"]})
    rows = [line.split() for line in render(both).splitlines()]
    assert ["tp", "1", "2"] in rows
    assert ["dp", "2", "1"] in rows
