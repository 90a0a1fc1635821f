"""Errors carry what their readers need: every fault, an exit code, the nearest name."""

from __future__ import annotations

import pickle

import pytest

from simulator import errors
from simulator.errors import InvariantViolation, ScenarioError, SimulatorError, suggest

CLASSES = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, SimulatorError)]
EXIT_CODES = {"InfeasiblePlanError": 3, "InvariantViolation": 1}


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_error_has_the_exit_code_of_its_kind(cls: type[SimulatorError]) -> None:
    assert cls.exit_code == EXIT_CODES.get(cls.__name__, 2)
    assert issubclass(cls, SimulatorError)


def test_a_scenario_error_holds_every_fault_in_order() -> None:
    error = ScenarioError(["a.yaml:3: x: one", "a.yaml:9: y: two"])
    assert error.faults == ("a.yaml:3: x: one", "a.yaml:9: y: two")
    assert str(error) == "a.yaml:3: x: one\na.yaml:9: y: two"


def test_one_fault_may_be_given_as_text() -> None:
    assert ScenarioError("x: wrong").faults == ("x: wrong",)


def test_a_violation_names_its_invariant() -> None:
    error = InvariantViolation(4, "free + held != total")
    assert (error.number, str(error)) == (4, "INV-4: free + held != total")


def test_the_nearest_name_comes_first_and_the_choices_are_sorted() -> None:
    assert (
        suggest("qwen3-9b", ["qwen3-8b", "llama", "a"])
        == "did you mean qwen3-8b? (allowed: a, llama, qwen3-8b)"
    )


def test_what_resembles_nothing_gets_the_choices_alone() -> None:
    assert suggest("zzz", ["b", "a"]) == "allowed: a, b"


def test_the_choices_may_come_from_any_iterable_once() -> None:
    assert suggest("ab", iter(["abc"])) == "did you mean abc? (allowed: abc)"


@pytest.mark.parametrize(
    "error",
    [ScenarioError(["one", "two"]), errors.InfeasiblePlanError("the sum")],
    ids=lambda e: type(e).__name__,
)
def test_an_error_can_come_back_from_another_process(error: SimulatorError) -> None:
    back = pickle.loads(pickle.dumps(error))  # noqa: S301 - written one call before
    assert (type(back), str(back), vars(back)) == (type(error), str(error), vars(error))


def test_a_violation_can_come_back_from_another_process() -> None:
    error = InvariantViolation(4, "free + held != total")
    back = pickle.loads(pickle.dumps(error))  # noqa: S301 - written one call before
    assert (back.number, str(back)) == (error.number, str(error))
