"""What a sweep varies: axes of a scenario, and how their values are put together.

The section ``sweep:`` of a scenario file maps onto `SweepSpec`; ``kinesim sweep --axis`` says the same in
one line.  Nothing here runs anything: `simulator.sweeps` turns it into points.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cached_property
from typing import Annotated, Any, Final, Literal, NamedTuple

from pydantic import AfterValidator, Field

from simulator.frozen import Count, FrozenModel

MOST_VALUES: Final = 100_000
"""Values of one axis."""

PATH: Final = re.compile(r'(?:"[^"]+"|[A-Za-z_][\w-]*)(?:\.(?:"[^"]+"|[A-Za-z_][\w-]*|[\w-]+))*')
LABEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,59}")
NUMBER: Final = r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
WHOLE: Final = re.compile(r"[-+]?[0-9]+")
RUN: Final = re.compile(rf"\s*({NUMBER})\s*:\s*({NUMBER})\s*(?::\s*([*+]?)\s*({NUMBER}))?\s*")
INTERVAL: Final = re.compile(r"\s*([-+\w.]*?\w)\s*\.\.\s*([-+]?[\w.]+)\s*(:\s*log)?\s*")

COLUMNS: Final = frozenset({"variant", "seed", "status", "reason", "scenario_sha256", "seeds"})
"""Columns of the table of a sweep that are no axes."""

MOST_DIGITS: Final = 1000
"""Powers of ten that numbers of a run may have: floats end at 308, and far beyond decimals overflow."""

Value = str | int | float | bool | None | dict[str, Any] | list[Any]


class Choice(NamedTuple):
    """One value of an axis.

    Parameters
    ----------
    label : what stands in the axis's column.
    changes : values by dotted path, as for overrides.
    """

    label: str | int | float | bool
    changes: Mapping[str, object]


class Choices(NamedTuple):
    """An axis of given values."""

    name: str
    choices: tuple[Choice, ...]

    def at(self, quantile: float) -> Choice:
        """Return the value at a quantile in [0, 1): all have an equal share."""
        return self.choices[min(int(quantile * len(self.choices)), len(self.choices) - 1)]


class Interval(NamedTuple):
    """An axis of all numbers between two, ends included; whole ones where both are whole.

    Parameters
    ----------
    name : dotted path.
    low, high : ends.
    log : whether equal ratios are equally likely, instead of equal differences.
    """

    name: str
    low: float
    high: float
    log: bool

    @property
    def whole(self) -> bool:
        """Whether its values are whole numbers."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def at(self, quantile: float) -> Choice:
        """Return the value at a quantile in [0, 1)."""
        low, high = float(self.low), float(self.high)
        if self.whole:  # every whole number has an equal share of the interval
            low, high = low - 0.5, high + 0.5
            if self.log:
                low = max(low, 0.5)
        if self.log:
            value = math.exp(math.log(low) + quantile * (math.log(high) - math.log(low)))
        else:
            value = low + quantile * (high - low)
        if not self.whole:
            value = min(max(value, low), high)  # rounding may have left the interval
            return Choice(value, {self.name: value})
        number = min(max(round(value), int(self.low)), int(self.high))
        return Choice(number, {self.name: number})


Axis = Choices | Interval


def axis_of(name: str, value: object) -> Axis:
    """Return the axis that a file or an option describes.

    Parameters
    ----------
    name : dotted path of a value of the scenario; a free name where `value` is a table of changes by label.
    value : a list of values, in which ``1:64:*2``, ``0:10:2.5`` and ``1:8`` stand for runs of numbers; or one
        such run; or ``{low, high, log}`` or ``0.5..8``, an interval to draw from; or a table of changes by
        label.

    Raises
    ------
    ValueError
        With what is wrong and what is allowed.

    Examples
    --------
    >>> [choice.label for choice in axis_of("workload.strategy.trials", "1:8:*2").choices]
    [1, 2, 4, 8]
    >>> axis_of("layout", {"tp8": {"parallelism.tp": 8}}).choices[0].changes
    {'parallelism.tp': 8}
    """
    if isinstance(value, Mapping):
        if name in COLUMNS:
            message = f"{name!r} is another column of the table; choose another name"
            raise ValueError(message)
        if {"low", "high"} & value.keys():
            return _interval(name, value)
        return _labelled(name, value)
    if isinstance(value, str) and (found := INTERVAL.fullmatch(value)) is not None:
        low, high, log = found.groups()
        return _interval(name, {"low": number_of(low), "high": number_of(high), "log": log is not None})
    values = value if isinstance(value, list | tuple) else [value]
    _require_path(name)
    expanded = [each for item in values for each in _run(item)]
    if not expanded:
        message = "has no values"
        raise ValueError(message)
    if len(expanded) > MOST_VALUES:
        message = f"has {len(expanded)} values; allowed: up to {MOST_VALUES}"
        raise ValueError(message)
    choices = tuple(Choice(_label(each), {name: each}) for each in expanded)
    _refuse_equal(expanded, "value")
    return Choices(name, choices)


def _require_path(name: str) -> None:
    if not PATH.fullmatch(str(name)):  # a mapping of Python may have any key
        message = f"{name!r} is no path of a scenario; expected keys joined by dots, such as model.preset"
        raise ValueError(message)


def _label(value: object) -> str | int | float | bool:
    """Return a short name of a value: itself, or the ``kind`` of a table with what else it says."""
    if isinstance(value, str | int | float | bool):
        return value
    if value is None:
        return "null"
    if isinstance(value, Mapping):
        rest = [f"{key}={_label(inner)}" for key, inner in value.items() if key not in ("kind", "name")]
        return " ".join([str(value.get("kind", value.get("name", ""))), *rest]).strip()
    if isinstance(value, Sequence):
        return "[" + ", ".join(str(_label(each)) for each in value) + "]"
    return str(value)


def _labelled(name: str, table: Mapping[str, object]) -> Choices:
    if not (LABEL.fullmatch(str(name)) or PATH.fullmatch(str(name))):
        message = f"{name!r} is no name of a column: up to 60 letters, digits, dots, plus and minus signs"
        raise ValueError(message)
    if not table:
        message = "has no values"
        raise ValueError(message)
    choices = []
    for label, changes in table.items():
        if not isinstance(label, str) or not LABEL.fullmatch(label):
            message = f"label {label!r}: up to 60 letters, digits, dots, plus and minus signs, underscores"
            raise ValueError(message)
        if not isinstance(changes, Mapping) or not changes:
            message = f"{label}: expected a table of changes, such as {{parallelism.tp: 8}}, got {changes!r}"
            raise ValueError(message)
        for path in changes:
            if not isinstance(path, str) or not PATH.fullmatch(path):
                message = f"{label}: {path!r} is no path of a scenario; expected keys joined by dots"
                raise ValueError(message)
        choices.append(Choice(label, dict(changes)))
    _refuse_equal([choice.changes for choice in choices], "change")
    return Choices(name, tuple(choices))


def _refuse_equal(values: Sequence[object], what: str) -> None:
    seen: dict[object, int] = {}
    for place, value in enumerate(values, 1):
        number = isinstance(value, int | float) and not isinstance(value, bool)
        key = value if number else repr(value)  # 1 and 1.0 are one number, and true is none
        if key in seen:
            message = f"{what}s {seen[key]} and {place} are equal: {value!r}"
            raise ValueError(message)
        seen[key] = place


def _interval(name: str, table: Mapping[str, object]) -> Interval:
    _require_path(name)
    if strange := [key for key in table if key not in ("low", "high", "log")]:
        message = f"unknown key {strange[0]!r}; allowed: low, high, log"
        raise ValueError(message)
    low, high, log = table.get("low"), table.get("high"), table.get("log", False)
    for key, end in (("low", low), ("high", high)):
        if isinstance(end, bool) or not isinstance(end, int | float) or not _finite(end):
            message = f"{key}: expected a finite number, got {end!r}"
            raise ValueError(message)
    if not isinstance(log, bool):
        message = f"log: expected true or false, got {log!r}"
        raise ValueError(message)  # noqa: TRY004 - a fault of a file, told with the others
    if low >= high:  # type: ignore[operator] # both are numbers
        message = f"low {low} must be below high {high}"
        raise ValueError(message)
    if not _finite(high - low):  # type: ignore[operator] # both are numbers
        message = f"low {low} and high {high} are too far apart"
        raise ValueError(message)
    if log and low <= 0:  # type: ignore[operator] # both are numbers
        message = f"low {low} must be above 0 where log is true"
        raise ValueError(message)
    return Interval(name, low, high, log)  # type: ignore[arg-type] # both are numbers


def _finite(number: float) -> bool:
    """Say whether a number is finite as a float; a whole number may be too large for one."""
    try:
        return math.isfinite(number)
    except OverflowError:
        return False


def number_of(text: str) -> float:
    """Return the number that a text says, whole where it is."""
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        message = f"{text!r} is no number"
        raise ValueError(message) from None


def _run(value: object) -> list[object]:
    """Return the numbers that ``from:to:*ratio`` or ``from:to:step`` stands for, or the value alone."""
    found = RUN.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return [value]
    try:
        start, end, by = (_decimal(text) for text in (found[1], found[2], found[4] or "1"))
    except ArithmeticError:
        message = f"{value!r} has numbers that are too large, or too close to zero"
        raise ValueError(message) from None
    ratio = found[3] == "*"
    if by <= (1 if ratio else 0) or start > end or (ratio and start <= 0):
        rule = (
            "FROM:TO:*RATIO with 0 < FROM <= TO and RATIO > 1"
            if ratio
            else "FROM:TO:STEP with FROM <= TO and STEP > 0"
        )
        message = f"{value!r} is no run of numbers; expected {rule}"
        raise ValueError(message)
    count = float((end / start).ln() / by.ln()) if ratio else float((end - start) / by)
    if count >= MOST_VALUES:
        message = f"{value!r} stands for {count + 1:,.0f} values; allowed: up to {MOST_VALUES}"
        raise ValueError(message)
    exact = (start * by**place if ratio else start + by * place for place in range(int(count) + 2))
    whole = all(WHOLE.fullmatch(text) for text in (found[1], found[2], found[4] or "1"))
    values = [int(number) if whole else float(number) for number in exact if number <= end]
    if not all(map(math.isfinite, values)):
        message = f"{value!r} has numbers that are too large"
        raise ValueError(message)
    return list(values)


def _decimal(text: str) -> Decimal:
    """Return the number that a text says, if it is of a size that can be computed with.

    Raises
    ------
    ArithmeticError
        If they do not.
    """
    number = Decimal(text)
    if number and abs(number.adjusted()) > MOST_DIGITS:
        raise OverflowError
    return number


class EntriesError(ValueError):
    """What is wrong with entries of a table.

    Parameters
    ----------
    by_key : what is wrong by key.
    """

    def __init__(self, by_key: Mapping[str, str]) -> None:
        self.by_key = by_key
        super().__init__("; ".join(f"{key}: {message}" for key, message in by_key.items()))


def _check_axes(axes: dict[str, Any]) -> dict[str, Any]:
    faults = {}
    for name, value in axes.items():
        try:
            axis_of(name, value)
        except ValueError as error:
            faults[name] = str(error)
    if faults:
        raise EntriesError(faults)
    return axes


Axes = Annotated[dict[str, Any], Field(min_length=1), AfterValidator(_check_axes)]


class SweepSpec(FrozenModel):
    """What a sweep varies, and how often each point is run.

    Examples
    --------
    >>> sweep = SweepSpec(axes={"model.preset": ["qwen3-8b", "qwen3-14b"], "parallelism.dp": "1:8:*2"})
    >>> [axis.name for axis in sweep.parsed]
    ['model.preset', 'parallelism.dp']
    """

    axes: Axes = Field(
        description="[-] values by dotted path, or changes by label: lists, 1:64:*2, {low, high, log}"
    )
    combine: Literal["grid", "zip", "random", "latin_hypercube"] = Field(
        default="grid", description="[-] all combinations, rows of equal lists, or draws from the axes"
    )
    samples: Count | None = Field(
        default=None, description="[points] points that random and latin_hypercube draw"
    )
    draw_seed: int = Field(default=0, ge=0, le=2**32 - 1, description="[-] seed of the drawn points")
    seeds: Count | None = Field(default=None, description="[-] runs of each point; null: report.seeds")

    @cached_property
    def parsed(self) -> tuple[Axis, ...]:
        """The axes, in their order."""
        return tuple(axis_of(name, value) for name, value in self.axes.items())
