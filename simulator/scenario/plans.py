"""What a plan asks for: a goal, limits that must hold, and what may be chosen.

The section ``plan:`` of a scenario file maps onto `PlanSpec`; ``kinesim plan`` takes the same as options.
Nothing here searches: `simulator.planning` does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from simulator.errors import suggest
from simulator.frozen import Count, FrozenModel
from simulator.scenario.sweeps import PATH, Axes, Interval, axis_of

SHORT: Final = {
    "cost": "cost.usd_per_solved_task",
    "usd_per_hour": "cost.usd_per_hour",
    "gpus": "plan.gpus",
    "energy": "energy.joules_per_solved_task",
    "carbon": "energy.kg_co2e_per_solved_task",
    "solved_tasks_per_s": "throughput.solved_tasks_per_s",
    "solving_rate": "quality.solving_rate.estimate",
    "task_p50": "latency.task_s.p50",
    "task_p95": "latency.task_s.p95",
    "task_p99": "latency.task_s.p99",
    "ttft_p95": "latency.ttft_s.p95",
    "tpot_p95": "latency.tpot_s.p95",
    "goodput": "goodput.tasks_per_s",
    "within_slo": "goodput.met_ratio",
}
"""Short names of figures."""


Figures = Annotated[tuple[str, ...], Field(strict=False, min_length=1)]
Number = Annotated[float, Field(strict=False)]


class Limit(FrozenModel):
    """Bounds of a figure, in SI units; what is null does not bound it."""

    at_least: Number | None = Field(default=None, description="[SI] smallest value that is allowed")
    at_most: Number | None = Field(default=None, description="[SI] largest value that is allowed")

    @model_validator(mode="after")
    def _bounds_something(self) -> Self:
        if self.at_least is None and self.at_most is None:
            message = "say at_least or at_most"
            raise ValueError(message)
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            message = f"at_least {self.at_least:g} is above at_most {self.at_most:g}: nothing can meet both"
            raise ValueError(message)
        return self


def _check_path(path: str) -> str:
    if not PATH.fullmatch(path):
        message = f"{path!r} is no path of a scenario; expected keys joined by dots"
        raise ValueError(message)
    return path


Path = Annotated[str, AfterValidator(_check_path)]


def _check_inputs(inputs: dict[str, Any]) -> dict[str, Any]:
    faults = []
    for name, value in inputs.items():
        try:
            if isinstance(axis_of(name, value), Interval):
                faults.append(f"{name}: expected values, such as [lower, upper], got an interval")
        except ValueError as error:
            faults.append(f"{name}: {error}")
    if faults:
        raise ValueError("; ".join(faults))
    return inputs


Inputs = Annotated[dict[str, Any], AfterValidator(_check_inputs)]


def _check_number(value: object) -> object:
    """Refuse what is no positive number in one sentence: a union would say one for each of its types."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        message = f"expected a finite number above 0, got {value!r}"
        raise ValueError(message)
    return value


Positive = Annotated[float | int, BeforeValidator(_check_number)]


LARGEST_DENOMINATOR: Final = 1000
"""Of a factor that is meant as a ratio of whole numbers."""


def _ratio(number: float) -> Fraction:
    """Return the ratio of small whole numbers that a number stands for, else all of its decimals."""
    exact = Fraction(str(number))
    near = exact.limit_denominator(LARGEST_DENOMINATOR)
    return near if abs(near - exact) <= Fraction(1, 10**9) * exact else exact


class Extreme(FrozenModel):
    """The highest or lowest value of one number under which all limits hold.

    It must be monotone: if a value meets the limits, so does every value on the easy side of it.
    """

    path: Path = Field(description="[-] number of the scenario, by dotted path")
    low: Positive = Field(description="[as the path] lower end of what is looked at")
    high: Positive = Field(description="[as the path] upper end of it")
    tolerance_ratio: float = Field(
        default=0.02, gt=0.0, lt=1.0, description="[-] width of the last bracket over its upper end"
    )
    with_: dict[Path, Positive] = Field(
        default={}, alias="with", description="[-] other numbers that are this one times a factor, by path"
    )

    @model_validator(mode="after")
    def _ends_in_order(self) -> Self:
        if self.low >= self.high:
            message = f"needs low < high, got {self.low:g} and {self.high:g}"
            raise ValueError(message)
        if self.path in self.with_:
            message = f"with: {self.path} is the number that is looked for"
            raise ValueError(message)
        return self

    @property
    def whole(self) -> bool:
        """Whether its values are whole numbers."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def linked(self, value: float) -> dict[str, float]:
        """Return the other numbers where this one is `value`, by path: whole ones without a fraction."""
        products = {path: Fraction(value) * factor for path, factor in self.factors.items()}
        return {path: int(each) if each.denominator == 1 else float(each) for path, each in products.items()}

    @property
    def factors(self) -> dict[str, Fraction]:
        """The factors of the other numbers as they are meant: 1.1 is 11/10, 0.333333333333 a third."""
        return {path: _ratio(factor) for path, factor in self.with_.items()}


class PlanSpec(FrozenModel):
    """What a plan asks for.

    Examples
    --------
    >>> plan = PlanSpec(
    ...     minimise=("cost",),
    ...     constraints={"solving_rate": Limit(at_least=0.8), "task_p95": Limit(at_most=600.0)},
    ...     choices={"workload.strategy.trials": "1:64:*2"},
    ... )
    >>> plan.goals
    (('cost', -1),)
    """

    minimise: Figures | None = Field(default=None, description="[-] figures to make small: cost, gpus, ...")
    maximise: Figures | None = Field(default=None, description="[-] figures to make large")
    constraints: dict[str, Limit] = Field(default={}, description="[-] limits by figure")
    choices: Axes | None = Field(default=None, description="[-] what may be chosen, as the axes of a sweep")
    highest: Extreme | None = Field(default=None, description="[-] number to be as large as the limits allow")
    lowest: Extreme | None = Field(default=None, description="[-] number to be as small as they allow")
    keeps_up: bool = Field(
        default=True, description="[-] whether tasks that arrive at a rate must be answered at that rate"
    )
    runs: Count = Field(
        default=200, description="[runs] candidates that are simulated at most, one seed each"
    )
    seeds: Count = Field(default=3, description="[-] seeds of the best candidates")
    finalists: Count = Field(default=5, description="[-] candidates that get all seeds")
    sampler: Literal["auto", "exhaustive", "tpe", "nsga2"] = Field(
        default="auto",
        description="[-] auto: all candidates where runs allow it, else tpe, or nsga2 for several goals",
    )
    search_seed: int = Field(default=0, ge=0, le=2**32 - 1, description="[-] seed of the sampler")
    sensitivity: Inputs | None = Field(
        default=None, description="[-] inputs to vary around the best plan, by path: [lower, upper]"
    )

    swing: float = Field(
        default=1.25, gt=1.0, le=100.0, strict=False, description="[-] factor of the usual inputs, both ways"
    )

    @property
    def goals(self) -> tuple[tuple[str, Literal[-1, 1]], ...]:
        """Figures with 1 to be made large, -1 to be made small."""
        small: list[tuple[str, Literal[-1, 1]]] = [(name, -1) for name in self.minimise or ()]
        large: list[tuple[str, Literal[-1, 1]]] = [(name, 1) for name in self.maximise or ()]
        return (*small, *large)

    @model_validator(mode="after")
    def _asks_one_thing(self) -> Self:
        extremes = [name for name in ("highest", "lowest") if getattr(self, name) is not None]
        if len(extremes) + bool(self.goals) != 1:
            message = "say one of: minimise and maximise, highest, lowest"
            raise ValueError(message)
        if self.goals and self.choices is None:
            message = "choices: say what may be chosen, such as workload.strategy.trials: 1:64:*2"
            raise ValueError(message)
        if extremes and not self.constraints and not self.keeps_up:
            message = f"constraints: without a limit there is no {extremes[0]} value"
            raise ValueError(message)
        if extremes and self.choices is not None:
            message = f"choices: go with minimise and maximise; {extremes[0]} takes the scenario as it is"
            raise ValueError(message)
        large = {path_of(name) for name in self.maximise or ()}
        for name in self.minimise or ():
            if path_of(name) in large:
                message = f"{name} is to be both small and large"
                raise ValueError(message)
        for names in (self.minimise or (), self.maximise or (), tuple(self.constraints)):
            _refuse_same(names)
        return self


def path_of(name: str) -> str:
    """Return the path of a figure that may have a short name.

    Examples
    --------
    >>> path_of("cost"), path_of("latency.task_s.max")
    ('cost.usd_per_solved_task', 'latency.task_s.max')
    """
    return SHORT.get(name, name)


def _refuse_same(names: Sequence[str]) -> None:
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(path_of(name), name)
        if other != name:
            message = f"{other} and {name} are the same figure"
            raise ValueError(message)
    if len(seen) < len(names):
        message = f"{next(name for name in names if names.count(name) > 1)} is given twice"
        raise ValueError(message)


def figure_path(name: str, known: tuple[str, ...]) -> str:
    """Return the path of a figure that is named by its path or its short name.

    Raises
    ------
    ValueError
        If there is none; says the nearest.
    """
    path = path_of(name)
    if path not in known:
        near = suggest(name, [*SHORT, *known]).partition(" (allowed")[0].removeprefix("allowed: ")
        guess = f"{near} " if near.startswith("did you mean") else ""
        message = f"unknown figure {name!r}; {guess}(allowed: {', '.join(SHORT)}, and all of docs/metrics.md)"
        raise ValueError(message)
    return path
