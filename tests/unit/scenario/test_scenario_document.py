"""Text to located values: YAML 1.2 scalars, lines, duplicates, limits; JSON alike."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.scenario import document
from simulator.scenario.document import parse_document, parse_value, read_document, scalar, shown
from simulator.scenario.located import Source, Unreadable, walk

HERE = Source("here.yaml", Path())


def parsed(text: str) -> object:
    node, faults = parse_document(text, HERE)
    assert faults == []
    return node.plain()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("8e12", 8e12),
        ("8E-2", 0.08),
        (".5", 0.5),
        ("1.", 1.0),
        ("-.5e3", -500.0),
        ("+12", 12),
        ("010", 10),
        ("0o17", 15),
        ("0x1F", 31),
        ("true", True),
        ("FALSE", False),
        ("null", None),
        ("~", None),
        ("-.inf", -math.inf),
        ("on", "on"),
        ("yes", "yes"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("0b11", "0b11"),
        ("2024-01-01", "2024-01-01"),
        ("tRue", "tRue"),
        ("=", "="),
    ],
)
def test_plain_scalars_follow_the_core_schema_of_yaml_1_2(text: str, value: object) -> None:
    found = parsed(f"a: {text}")
    assert found == {"a": value}
    assert isinstance(found, dict)
    assert type(found["a"]) is type(value)


def test_not_a_number_is_read_as_such() -> None:
    found = parsed("a: .nan")
    assert isinstance(found, dict)
    assert math.isnan(found["a"])


@pytest.mark.parametrize("text", ["'8'", '"8"', "!!str 8", "!!str '8'", "|-\n  8", ">-\n  8"])
def test_quotes_blocks_and_the_tag_for_text_keep_text(text: str) -> None:
    assert parsed(f"a: {text}") == {"a": "8"}


def test_escaped_surrogate_pairs_are_one_character_and_halves_are_refused() -> None:
    assert parsed('a: "\\ud83d\\ude00"') == {"a": "\U0001f600"}
    _, faults = parse_document('a: "\\ud83d"', HERE)
    assert [str(fault) for fault in faults] == [
        "here.yaml:1: a: holds half of a surrogate pair, which is no character"
    ]


@pytest.mark.parametrize(("text", "value"), [("!!float 1", 1.0), ("!!int '8'", 8), ("!!null ''", None)])
def test_core_tags_select_a_scalar_type(text: str, value: object) -> None:
    assert parsed(f"a: {text}") == {"a": value}


def test_a_version_directive_does_not_bring_back_yaml_1_1() -> None:
    assert parsed("%YAML 1.1\n---\na: on\nb: 010\n") == {"a": "on", "b": 10}


@given(st.floats(allow_nan=False) | st.integers(-(10**30), 10**30))
def test_every_number_that_python_writes_is_read_back(number: float) -> None:
    text = repr(number).replace("inf", ".inf")
    assert scalar(text) == number
    assert type(scalar(text)) is type(number)


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(categories=["L", "N", "P", "Zs"]), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc.<~0", max_size=3), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text("abc~<. ", min_size=1, max_size=3), JSON_VALUES, max_size=4))
def test_json_means_the_same_by_either_way_of_reading(value: dict[str, object]) -> None:
    text = json.dumps(value, indent=1)
    quick, _ = document._from_json(text, HERE)
    assert quick.plain() == value
    if value:
        assert parsed(text) == value


def test_a_value_has_the_line_of_its_key() -> None:
    node, _ = parse_document("a: 1\nb:\n  c:\n    - 1\n    - 2\n", HERE)
    lines = {path: inner.origin.line for path, inner in walk(node)}
    assert lines == {("a",): 1, ("b", "c", 0): 4, ("b", "c", 1): 5}
    b = node.get("b")
    assert b is not None
    assert b.origin.line == 2


def test_an_alias_stands_for_its_anchor() -> None:
    assert parsed("a: &x {b: 1}\nc: *x\n") == {"a": {"b": 1}, "c": {"b": 1}}


def test_every_duplicate_is_reported_with_both_lines_and_the_first_is_kept() -> None:
    node, faults = parse_document("a: 1\nb: {c: 1, c: 2}\na: 3\n", HERE)
    assert [str(fault) for fault in faults] == [
        "here.yaml:2: b.c: duplicate key, first given on line 2",
        "here.yaml:3: a: duplicate key, first given on line 1",
    ]
    assert node.plain() == {"a": 1, "b": {"c": 1}}


def test_what_cannot_be_read_is_marked_so_that_it_is_said_once() -> None:
    node, faults = parse_document("a: !thing 3\nb: 1\n", HERE)
    a = node.get("a")
    assert a is not None
    assert isinstance(a.value, Unreadable)
    assert [str(fault) for fault in faults] == [
        "here.yaml:1: a: tag !thing is not allowed: a scenario is plain data"
    ]


def test_keys_are_text_whatever_they_look_like() -> None:
    assert parsed("on: 1\n128: 2\ntrue: 3\n1.50: 4\n'': 5\n") == {
        "on": 1,
        "128": 2,
        "true": 3,
        "1.50": 4,
        "": 5,
    }


def test_a_byte_order_mark_and_windows_lines_are_no_matter(tmp_path: Path) -> None:
    path = tmp_path / "windows.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    node, faults = read_document(path, "windows.yaml")
    assert (node.plain(), faults) == ({"a": 1, "b": 2}, [])


def test_a_file_beyond_the_limit_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "MOST_YAML_BYTES", 3 * 2**20)
    path = tmp_path / "huge.yaml"
    path.write_bytes(b"#" * (3 * 2**20 + 1))
    _, faults = read_document(path, "huge.yaml")
    assert [str(fault) for fault in faults] == [
        "huge.yaml: larger than 3 MiB; long traces belong in a CSV file"
    ]


def test_json_gets_its_lines_when_they_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{\n\t"a": 1,\n\t"b": [2]\n}\n', encoding="utf-8")
    exact, _ = read_document(path, "a.json", exact=True)
    assert [node.origin.line for _, node in walk(exact)] == [2, 3]
    quick, _ = read_document(path, "a.json")
    assert [node.origin.line for _, node in walk(quick)] == [None, None]
    assert quick.plain() == exact.plain()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1', r"bad.json:1: not valid JSON: Expecting ',' delimiter"),
        ("[" * 100_000, r"bad.json: nested too deeply"),
        ("[1]", r"bad.json: expected a table of keys and values, got a list"),
        ('{"a": ' + "9" * 5000 + "}", r"bad.json: a number has too many digits"),
        ('{"a": 1, "a": 2}', r"bad.json: duplicate key 'a'"),
    ],
)
def test_bad_json_is_one_clear_fault(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text, encoding="utf-8")
    _, faults = read_document(path, "bad.json")
    assert [str(fault) for fault in faults] == [message]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("", None),
        ("'3'", "3"),
        ("[1, 2.5]", [1, 2.5]),
        ("{kind: dense}", {"kind": "dense"}),
        ("a#b", "a#b"),
    ],
)
def test_an_option_value_is_yaml(text: str, value: object) -> None:
    node, faults = parse_value(text, HERE)
    assert (node.plain(), faults) == (value, [])


def test_a_broken_option_value_is_a_fault_without_a_line() -> None:
    _, faults = parse_value("[1", HERE)
    assert [fault.origin.line for fault in faults] == [None]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "nothing (null)"),
        (True, "true"),
        (1.5, "1.5"),
        (10**40, "a number of some 40 digits"),
        (math.nan, "NaN"),
        (-math.inf, "minus infinity"),
        ({"a": 1}, "a table"),
        ((1, 2), "a list"),
        (object(), "a Python object"),
        ("x" * 80, "the text '" + "x" * 57 + "...'"),
    ],
)
def test_messages_name_what_was_given(value: object, text: str) -> None:
    assert shown(value) == text


def test_a_text_that_is_kept_is_told_apart_by_its_file_and_cannot_be_spoilt() -> None:
    text = "a: 1\na: 2\nb: [1, 2]\n"
    found, faults = parse_document(text, HERE)
    faults.clear()
    again, faults = parse_document(text, HERE)
    assert again == found
    assert [str(fault) for fault in faults] == ["here.yaml:2: a: duplicate key, first given on line 1"]
    other, faults = parse_document(text, Source("there.yaml", Path()))
    assert [str(fault) for fault in faults] == ["there.yaml:2: a: duplicate key, first given on line 1"]
    assert str(other.origin) == "there.yaml:1"


def test_a_file_is_read_again_after_it_has_changed(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    for value in (1, 2):
        path.write_text(f"a: {value}\n", encoding="utf-8")
        assert read_document(path, "a.yaml")[0].plain() == {"a": value}


def test_long_texts_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "_kept", lambda *_: pytest.fail("it was kept"))
    text = "a: " + "x" * document.KEPT_CHARACTERS
    assert parsed(text) == {"a": text[3:]}
