"""The grammar of axes: what a list, a run of numbers, an interval or a table of changes stands for."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.scenario.sweeps import MOST_VALUES, Choices, Interval, SweepSpec, axis_of


def values(text: object) -> list[object]:
    axis = axis_of("a.b", text)
    assert isinstance(axis, Choices)
    assert [choice.changes for choice in axis.choices] == [{"a.b": choice.label} for choice in axis.choices]
    return [choice.label for choice in axis.choices]


def interval(value: object) -> Interval:
    axis = axis_of("a.b", value)
    assert isinstance(axis, Interval)
    return axis


def refusal(value: object, name: str = "a.b") -> str:
    with pytest.raises(ValueError, match=r".") as caught:
        axis_of(name, value)
    return str(caught.value)


@given(st.integers(-500, 500), st.integers(0, 300), st.integers(1, 50))
def test_a_run_of_whole_numbers_is_a_range_that_may_reach_its_end(start: int, length: int, step: int) -> None:
    expected = list(range(start, start + length + 1, step))
    assert values(f"{start}:{start + length}:{step}") == expected
    assert values(f"{start}:{start + length}:+{step}") == expected
    if step == 1:
        assert values(f"{start}:{start + length}") == expected


@given(st.integers(1, 50), st.integers(2, 10), st.integers(0, 12))
def test_a_ratio_multiplies_up_to_the_end_and_not_beyond(start: int, ratio: int, count: int) -> None:
    expected = [start * ratio**place for place in range(count + 1)]
    assert values(f"{start}:{expected[-1]}:*{ratio}") == expected
    assert values(f"{start}:{expected[-1] * ratio - 1}:*{ratio}") == expected
    assert all(type(value) is int for value in values(f"{start}:{expected[-1]}:*{ratio}"))


@given(st.integers(1, 400), st.integers(1, 100))
def test_a_run_of_decimals_reaches_its_end_whatever_binary_fractions_do(steps: int, tenths: int) -> None:
    found = values(f"0:{steps * tenths / 10}:{tenths / 10}")
    assert found == [place * tenths / 10 for place in range(steps + 1)]


def test_runs_stand_beside_single_values_in_a_list() -> None:
    assert values(["1:4:*2", 10, "20:22"]) == [1, 2, 4, 10, 20, 21, 22]


@pytest.mark.parametrize(
    "text",
    ["qwen3-8b", "a:b", "data/trace:1.csv", "C:1:x", "1::2", "1:nan", "0:1:inf", "0x1:8", "1_0:20", ""],
)
def test_other_texts_with_colons_are_values(text: str) -> None:
    assert values([text]) == [text]


@pytest.mark.parametrize(
    ("value", "label"),
    [
        (None, "null"),
        (True, True),
        (0.5, 0.5),
        ({"kind": "topk", "kv_budget_tokens": 64}, "topk kv_budget_tokens=64"),
        ({"name": "mine", "gpus": 4}, "mine gpus=4"),
        ([1, "a", None], "[1, a, null]"),
        ({"low_share": 1, "kind": "x"}, "x low_share=1"),
    ],
)
def test_a_value_of_any_kind_has_a_label(value: object, label: object) -> None:
    axis = axis_of("a.b", [value])
    assert isinstance(axis, Choices)
    assert axis.choices[0].label == label
    assert axis.choices[0].changes == {"a.b": value}


def test_a_table_of_labels_changes_several_values_at_once() -> None:
    axis = axis_of(
        "layout", {"tp8": {"parallelism.tp": 8, "parallelism.dp": 1}, "dp8": {"parallelism.dp": 8}}
    )
    assert isinstance(axis, Choices)
    assert [choice.label for choice in axis.choices] == ["tp8", "dp8"]
    assert axis.choices[0].changes == {"parallelism.tp": 8, "parallelism.dp": 1}


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ([], "has no values"),
        ({}, "has no values"),
        ([1, 2, 1], "values 1 and 3 are equal: 1"),
        (["1:4", 3], "values 3 and 5 are equal: 3"),
        ({"a": {"x": 1}, "b": {"x": 1}}, "changes 1 and 2 are equal: {'x': 1}"),
        ({"a b": {"x": 1}}, "label 'a b': up to 60 letters"),
        ({"a": 1}, "a: expected a table of changes, such as {parallelism.tp: 8}, got 1"),
        ({"a": {}}, "a: expected a table of changes"),
        ("8:1", "'8:1' is no run of numbers; expected FROM:TO:STEP with FROM <= TO"),
        ("1:8:0", "expected FROM:TO:STEP"),
        ("0:8:*2", "expected FROM:TO:*RATIO with 0 < FROM <= TO and RATIO > 1"),
        ("1:8:*1", "RATIO > 1"),
        ("1:10000000", f"'1:10000000' stands for 10,000,000 values; allowed: up to {MOST_VALUES}"),
        ({"low": 1}, "high: expected a finite number, got None"),
        ({"low": True, "high": 2}, "low: expected a finite number, got True"),
        ({"low": 1, "high": math.inf}, "high: expected a finite number, got inf"),
        ({"low": 2, "high": 1}, "low 2 must be below high 1"),
        ({"low": 0, "high": 1, "log": True}, "low 0 must be above 0 where log is true"),
        ({"low": 1, "high": 2, "log": "yes"}, "log: expected true or false, got 'yes'"),
        ({"low": 1, "high": 2, "step": 1}, "unknown key 'step'; allowed: low, high, log"),
        ("a..b", "'a' is no number"),
        ("nan..1", "low: expected a finite number"),
        ("1:1e400", "allowed: up to"),
        ("1:1e400:*1e50", "'1:1e400:*1e50' has numbers that are too large"),
        ("1:10:0.1e-9", "'1:10:0.1e-9' stands for 90,000,000,001 values; allowed: up to"),
        ("1:2:*1.0000001", "allowed: up to"),
        ("1:8:0", "FROM <= TO and STEP > 0"),
        ("1:1e999999999:1", "'1:1e999999999:1' has numbers that are too large, or too close to zero"),
        ("1:1e9999999999999999999", "has numbers that are too large"),
        ("1:1e999999999:*1e300000000", "has numbers that are too large"),
        ("1e-999999999:1:*10", "too close to zero"),
        ("1:2:1e-999999999", "too close to zero"),
        ("-1e308..1e308", "low -1e+308 and high 1e+308 are too far apart"),
        ("1..1" + "0" * 400, "high: expected a finite number"),
        ([2, 2.0], "values 1 and 2 are equal: 2.0"),
        ({"a": {"": 1}}, "a: '' is no path of a scenario"),
        ({"a": {1: 1}}, "a: 1 is no path of a scenario"),
        ({"a": {"x y": 1}}, "a: 'x y' is no path of a scenario"),
    ],
)
def test_what_is_no_axis_is_refused_with_what_is_allowed(value: object, told: str) -> None:
    assert told in refusal(value)


@pytest.mark.parametrize("name", ["", "a b", ".a", "a.", "a..b", "1a", "a=b"])
def test_a_name_that_is_no_path_is_refused(name: str) -> None:
    assert "is no path of a scenario" in refusal([1], name)


@pytest.mark.parametrize("name", ["seed", "seeds", "variant", "status", "reason", "scenario_sha256"])
def test_a_free_name_may_not_be_another_column_of_the_table(name: str) -> None:
    assert "is another column of the table" in refusal({"a": {"seed": 1}}, name)


@pytest.mark.parametrize("name", ["", "a\nb", "a,b", " a"])
def test_a_free_name_is_a_word(name: str) -> None:
    assert "is no name of a column" in refusal({"a": {"seed": 1}}, name)


def test_true_and_one_and_its_text_are_three_values() -> None:
    assert values([True, 1, "1"]) == [True, 1, "1"]


def test_a_key_with_dots_stands_in_quotes() -> None:
    assert axis_of('variants."qwen3-1.7b".parallelism.tp', [1]).name == 'variants."qwen3-1.7b".parallelism.tp'


@given(st.integers(-50, 50), st.integers(1, 100), st.floats(0.0, 1.0, exclude_max=True))
def test_an_interval_of_whole_numbers_gives_those_within(low: int, width: int, quantile: float) -> None:
    choice = interval(f"{low}..{low + width}").at(quantile)
    assert isinstance(choice.label, int)
    assert low <= choice.label <= low + width


@given(st.integers(0, 20), st.integers(1, 9))
def test_every_whole_number_of_an_interval_is_equally_likely(low: int, width: int) -> None:
    axis, shares = interval({"low": low, "high": low + width}), 50
    found = [axis.at((place + 0.5) / (shares * (width + 1))).label for place in range(shares * (width + 1))]
    assert {number: found.count(number) for number in found} == dict.fromkeys(
        range(low, low + width + 1), shares
    )


@given(st.floats(1e-6, 1e6), st.floats(1.01, 1e6), st.floats(0.0, 1.0, exclude_max=True), st.booleans())
def test_an_interval_keeps_to_its_ends(low: float, ratio: float, quantile: float, log: bool) -> None:  # noqa: FBT001 - hypothesis gives it
    value = interval({"low": low, "high": low * ratio, "log": log}).at(quantile).label
    assert isinstance(value, float)
    assert low <= value <= low * ratio


def test_equal_ratios_are_equally_likely_where_an_interval_is_logarithmic() -> None:
    axis = interval("0.01..100:log")
    assert [axis.at(quantile).label for quantile in (0.0, 0.25, 0.5, 0.75)] == pytest.approx(
        [0.01, 0.1, 1, 10]
    )


def test_every_fault_of_a_section_is_told_at_once() -> None:
    with pytest.raises(ValueError, match=r"a: has no values; b.c: values 1 and 2 are equal: 3"):
        SweepSpec(axes={"a": [], "b.c": [3, 3]})


@given(
    st.dictionaries(
        st.text(max_size=12),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
            lambda inner: (
                st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4)
            ),
            max_leaves=8,
        ),
        max_size=3,
    )
)
def test_whatever_stands_in_a_section_is_an_axis_or_refused_in_words(axes: dict[str, Any]) -> None:
    try:
        spec = SweepSpec(axes=axes)
    except ValueError as error:
        assert str(error)  # noqa: PT017 - the message is looked at
    else:
        assert [axis.name for axis in spec.parsed] == list(axes)
