"""kinesim: a discrete-event simulator of LLM inference for test-time scaling.

>>> from simulator import load_scenario, simulate
>>> result = simulate(load_scenario("quickstart"), seed=1)
>>> result.summary["conservation"]["tasks"]["waiting"]
0
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.errors import (
    InfeasiblePlanError,
    InvariantViolation,
    OutputExistsError,
    ScenarioError,
    SimulatorError,
    TraceFormatError,
    UnknownNameError,
)

if TYPE_CHECKING:
    from simulator.api import Comparison, Result, compare, simulate
    from simulator.explaining.comparison import SideBySide, compare_sides
    from simulator.explaining.explanation import Explanation, explain
    from simulator.planning.plan import plan
    from simulator.scenario.components import with_components
    from simulator.scenario.loader import load_scenario
    from simulator.scenario.schema import Scenario
    from simulator.sweeps.running import sweep

__version__ = "0.1.0"

__all__ = [
    "Comparison",
    "Explanation",
    "InfeasiblePlanError",
    "InvariantViolation",
    "OutputExistsError",
    "Result",
    "Scenario",
    "ScenarioError",
    "SideBySide",
    "SimulatorError",
    "TraceFormatError",
    "UnknownNameError",
    "__version__",
    "compare",
    "compare_sides",
    "explain",
    "load_scenario",
    "plan",
    "simulate",
    "sweep",
    "with_components",
]

_HOMES = {
    "Comparison": "simulator.api",
    "Explanation": "simulator.explaining.explanation",
    "Result": "simulator.api",
    "Scenario": "simulator.scenario.schema",
    "SideBySide": "simulator.explaining.comparison",
    "compare": "simulator.api",
    "compare_sides": "simulator.explaining.comparison",
    "explain": "simulator.explaining.explanation",
    "load_scenario": "simulator.scenario.loader",
    "plan": "simulator.planning.plan",
    "simulate": "simulator.api",
    "sweep": "simulator.sweeps.running",
    "with_components": "simulator.scenario.components",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name stands for
    """Import a public name when it is first used, so that ``kinesim --help`` stays quick."""
    if name not in _HOMES:
        message = f"module 'simulator' has no attribute {name!r}"
        raise AttributeError(message)
    from importlib import import_module  # noqa: PLC0415 - only when something is asked for

    return getattr(import_module(_HOMES[name]), name)
