"""Messages about faults: what was given, what is allowed, each said once, in the order of the file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field, ValidationError, model_validator

from simulator.frozen import FrozenModel, Ratio, Tokens
from simulator.scenario.document import parse_document
from simulator.scenario.faults import addressed, faults_of
from simulator.scenario.located import Fault, Origin, Source, locate, ordered

HERE = Source("a.yaml", Path())


class Disc(FrozenModel):
    kind: Literal["disc"] = "disc"
    radius: float = Field(gt=0.0, lt=10.0, description="[m] Half the width.")


class Square(FrozenModel):
    kind: Literal["square"] = "square"
    side: Tokens = Field(description="[tokens] edge")
    share: Ratio = Field(default=0.5, description="[-] part")


class Inner(FrozenModel):
    low: int = Field(default=0, description="[-] lowest")
    high: int = Field(default=9, description="[-] highest")

    @model_validator(mode="after")
    def _in_order(self) -> Inner:
        if self.low > self.high:
            message = f"low: {self.low} is above high {self.high}"
            raise ValueError(message)
        return self


class Toy(FrozenModel):
    shape: Annotated[Disc | Square, Field(discriminator="kind")] = Field(description="[-] form")
    size: Tokens | Inner = Field(default=3, description="[tokens] one size, or a range")
    inner: Inner = Field(default=Inner(), description="[-] a range")
    maybe: Inner | None = Field(default=None, description="[-] perhaps a range")
    names: Annotated[tuple[str, ...], Field(strict=False, min_length=1)] = Field(
        default=("a",), description="[-] names"
    )
    colour: Literal["red", "green"] | None = Field(default=None, description="[-] paint")
    by_name: dict[str, Inner] = Field(default={}, description="[-] ranges by name")


def faults(text: str) -> list[str]:
    root, wrong = parse_document(text, HERE)
    assert wrong == []
    with pytest.raises(ValidationError) as raised:
        Toy.model_validate(root.plain())
    return [str(fault) for fault in faults_of(raised.value, root, Toy)]


DISC = "shape: {kind: disc, radius: 1.0}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("shape: {kind: disc, radius: 10.0}", "a.yaml:1: shape.radius: must be below 10 m, got 10.0"),
        ("shape: {kind: disc, radius: 0}", "a.yaml:1: shape.radius: must be above 0 m, got 0"),
        ("shape: {kind: square, side: 3, share: 2.0}", "a.yaml:1: shape.share: must be at most 1, got 2.0"),
        (
            "shape: {kind: disk}",
            "a.yaml:1: shape.kind: unknown kind 'disk'; did you mean disc? (allowed: disc, square)",
        ),
        ("shape: {}", "a.yaml:1: shape: kind is missing; allowed: disc, square"),
        ("shape: {kind: disc}", "a.yaml:1: shape.radius: missing, and it has no default (Half the width)"),
        (DISC + "size: small", "a.yaml:2: size: expected a whole number or a table, got the text 'small'"),
        (DISC + "size: {low: x}", "a.yaml:2: size.low: expected a whole number, got the text 'x'"),
        (DISC + "size: 0", "a.yaml:2: size: must be at least 1 tokens, got 0"),
        (DISC + "maybe: 3", "a.yaml:2: maybe: expected a table, got 3 (perhaps a range)"),
        (
            DISC + "colour: gren",
            "a.yaml:2: colour: 'gren' is not a choice; did you mean green? (allowed: green, red)",
        ),
        (DISC + "colour: 3", "a.yaml:2: colour: got 3; allowed: red, green"),
        (DISC + "names: []", "a.yaml:2: names: must have at least 1 entries, has 0"),
        (DISC + "names: [a, 3]", "a.yaml:2: names[1]: expected text, got 3"),
        (DISC + "inner:\n  low: 5\n  high: 4", "a.yaml:3: inner.low: 5 is above high 4"),
        (DISC + "by_name: {x: {low: 9, high: 1}}", "a.yaml:2: by_name.x.low: 9 is above high 1"),
        (
            DISC + "by_name: {x: {lw: 9}}",
            "a.yaml:2: by_name.x.lw: unknown key; did you mean low? (allowed: high, low)",
        ),
        (
            DISC + "inner: {low: '7'}",
            "a.yaml:2: inner.low: expected a whole number, got the text '7'; write 7 without quotes",
        ),
        (DISC + "inner: {low: 7.0}", "a.yaml:2: inner.low: expected a whole number, got 7.0; write 7"),
    ],
)
def test_a_mistake_is_said_in_our_words(text: str, expected: str) -> None:
    assert faults(text) == [expected]


def test_a_misspelt_key_is_not_also_reported_missing() -> None:
    assert faults("shape: {kind: disc, radus: 1.0}") == [
        "a.yaml:1: shape.radus: unknown key of disc; did you mean radius? (allowed: kind, radius)"
    ]


def test_all_mistakes_are_found_at_once() -> None:
    assert len(faults("shape: {kind: disc, radius: -1}\nsize: x\ninner: {low: 1.5, hih: 2}\nnames: 3\n")) == 5


def test_a_key_of_another_part_is_sent_home() -> None:
    from simulator.scenario.loader import load_scenario  # noqa: PLC0415 - the only test that needs it

    with pytest.raises(Exception, match="max_sequences: unknown key; it belongs in engine"):
        load_scenario({"schema": 1, "max_sequences": 3})


def test_a_message_that_starts_with_a_path_is_put_there() -> None:
    root, _ = parse_document("inner:\n  low: 1\n", HERE)
    assert str(addressed("inner.low: too low", root, Toy)) == "a.yaml:2: inner.low: too low"
    assert str(addressed("nothing: of ours", root, Toy)) == "a.yaml:1: nothing: of ours"
    assert addressed("nothing: of ours", root, Toy).path == ()


def test_faults_are_ordered_by_line_and_said_once() -> None:
    def at(line: int, *path: str, message: str = "m") -> Fault:
        return Fault(Origin(HERE, line), path, message)

    found = ordered([at(9, "b"), at(2, "a"), at(9, "b"), at(2, "variants", "x", "a")])
    assert [(fault.origin.line, fault.path) for fault in found] == [(2, ("a",)), (9, ("b",))]


def test_equal_faults_of_different_places_without_lines_stay_apart() -> None:
    here = locate(None, Origin(HERE)).origin
    assert len(ordered([Fault(here, ("a",), "m"), Fault(here, ("b",), "m")])) == 2
