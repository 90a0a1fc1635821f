"""Every attention, latency, scheduler and router is a frozen, documented value that survives a file."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

sys.path.insert(0, str(Path(__file__).parent))

from serving_unions import EXAMPLES, UNIONS, build, kind_of, members, over

from simulator.frozen import FrozenModel

every_member = over(*UNIONS)
every_class = pytest.mark.parametrize(
    "cls", [cls for part in UNIONS for cls in members(part)], ids=lambda cls: cls.__name__
)


@pytest.mark.parametrize("part", UNIONS)
def test_kinds_are_unique_in_their_union(part: str) -> None:
    kinds = [kind_of(cls) for cls in members(part)]
    assert len(set(kinds)) == len(kinds) >= 2


@pytest.mark.parametrize("part", UNIONS)
def test_examples_are_of_kinds_that_exist(part: str) -> None:
    assert set(EXAMPLES[part]) <= {kind_of(cls) for cls in members(part)}


@pytest.mark.parametrize("part", UNIONS)
def test_an_unknown_kind_is_refused_with_the_kinds_there_are(part: str) -> None:
    listed = ".*".join(f"'{kind_of(cls)}'" for cls in members(part))
    with pytest.raises(ValidationError, match=listed):
        build(part, kind="nonsense")


@every_class
def test_every_class_is_frozen_and_documented(cls: type[FrozenModel]) -> None:
    assert cls.__mro__[1] is FrozenModel
    assert cls.model_config["frozen"]
    assert cls.model_config["extra"] == "forbid"
    assert cls.__doc__


@every_class
def test_every_parameter_says_its_unit_and_its_meaning(cls: type[FrozenModel]) -> None:
    for name, field in cls.model_fields.items():
        if name != "kind":
            assert field.description, name
            assert field.description.startswith("["), name
            assert len(field.description.partition("] ")[2]) > 5, name


@every_class
def test_every_kind_says_what_it_selects(cls: type[FrozenModel]) -> None:
    description = cls.model_fields["kind"].description
    assert description is not None
    assert description.startswith("[-] ")


@every_member
def test_a_member_cannot_be_changed(part: str, member: FrozenModel) -> None:
    del part
    with pytest.raises(ValidationError, match="frozen"):
        member.kind = "other"  # type: ignore[attr-defined] # what the test is about


@every_member
def test_a_member_survives_json(part: str, member: FrozenModel) -> None:
    adapter = TypeAdapter(UNIONS[part])
    back = adapter.validate_json(member.model_dump_json())
    assert back == member
    assert type(back) is type(member)
    assert adapter.validate_python(member.model_dump(mode="json")) == member


@every_member
def test_equal_members_have_equal_hashes(part: str, member: FrozenModel) -> None:
    twin = build(part, **member.model_dump())
    assert twin is not member
    assert (twin, hash(twin)) == (member, hash(member))


@every_member
def test_a_misspelt_parameter_is_refused(part: str, member: FrozenModel) -> None:
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        build(part, **member.model_dump(), misspelt=1)


@every_member
def test_numbers_in_text_are_refused(part: str, member: FrozenModel) -> None:
    numbers = {k: v for k, v in member.model_dump().items() if type(v) in (int, float)}
    for name, value in numbers.items():
        with pytest.raises(ValidationError, match=name):
            build(part, **member.model_dump() | {name: str(value)})


@every_member
def test_not_a_number_is_refused(part: str, member: FrozenModel) -> None:
    numbers = {k: v for k, v in member.model_dump().items() if type(v) in (int, float)}
    for name in numbers:
        for value in (float("nan"), float("inf"), -1):
            with pytest.raises(ValidationError, match=name):
                build(part, **member.model_dump() | {name: value})
