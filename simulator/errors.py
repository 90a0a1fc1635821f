"""Everything the simulator raises on purpose, and the exit code each error stands for.

A library user catches `SimulatorError`; the command line prints its message and exits with
`exit_code`.  A message says where, what was given, what is allowed and the nearest match.
"""

from __future__ import annotations

from difflib import SequenceMatcher, get_close_matches
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class SimulatorError(Exception):
    """Base of every error raised on purpose."""

    exit_code: ClassVar[int] = 2


class ScenarioError(SimulatorError):
    """A scenario that cannot be read; holds every fault found, not just the first.

    Parameters
    ----------
    faults : one line each, ``file:line: path: message``.
    """

    def __init__(self, faults: Sequence[str] | str) -> None:
        self.faults: tuple[str, ...] = (faults,) if isinstance(faults, str) else tuple(faults)
        super().__init__("\n".join(self.faults))


class UnknownNameError(SimulatorError):
    """A name that is in no catalog; says the nearest names and all that are allowed."""


class InfeasiblePlanError(SimulatorError):
    """A plan that cannot fit its hardware; the message shows the sum."""

    exit_code: ClassVar[int] = 3


class OutputExistsError(SimulatorError):
    """An output that would overwrite an earlier one without being asked to."""


class TraceFormatError(SimulatorError):
    """A measured file that cannot be read as the format it claims to be."""


class InvariantViolation(SimulatorError):  # noqa: N818 - the field's word; it is not a user's mistake
    """A numbered invariant that did not hold: a bug of the simulator.

    Parameters
    ----------
    number : the invariant's number in ``docs/invariants.md``.
    message : the relation that failed, with its values.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, number: int, message: str) -> None:
        self.number = number
        self.message = message
        super().__init__(f"INV-{number}: {message}")

    def __reduce__(self) -> tuple[type[InvariantViolation], tuple[int, str]]:
        """Let the error cross process boundaries: it is made of two values, not of its text."""
        return type(self), (self.number, self.message)


def suggest(name: str, allowed: Iterable[str]) -> str:
    """Return the tail of a message about an unknown `name`: the nearest match and the choices.

    Of the names that begin with `name` the closest is offered, of equally close ones the last: the larger
    model, the fuller node.

    Examples
    --------
    >>> suggest("qwen3-8", ["qwen3-8b", "llama"])
    'did you mean qwen3-8b? (allowed: llama, qwen3-8b)'
    >>> suggest("b200-sxm", ["b200-sxm-1", "b200-sxm-8", "gb200-4"])
    'did you mean b200-sxm-8? (allowed: b200-sxm-1, b200-sxm-8, gb200-4)'
    >>> suggest("zzz", ["a"])
    'allowed: a'
    """
    names = sorted(allowed)
    longer = [known for known in names if name and known.startswith(name)]
    closest = max(longer, key=lambda known: (SequenceMatcher(None, name, known).ratio(), known), default=None)
    nearest = get_close_matches(name, names, n=1) if closest is None else [closest]
    choices = f"allowed: {', '.join(names)}"
    return f"did you mean {nearest[0]}? ({choices})" if nearest else choices
