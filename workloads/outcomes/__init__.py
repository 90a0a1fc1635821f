"""Outcome models: how hard tasks are and what wrong answers look like.

A new model is one file here and one member of `Outcomes`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from workloads.outcomes.benchmark import BenchmarkOutcomes
from workloads.outcomes.beta import BetaOutcomes
from workloads.outcomes.fixed import FixedOutcomes
from workloads.outcomes.protocol import OutcomeModel
from workloads.outcomes.wrong_answers import WrongAnswers

Outcomes = Annotated[FixedOutcomes | BetaOutcomes | BenchmarkOutcomes, Field(discriminator="kind")]

__all__ = [
    "BenchmarkOutcomes",
    "BetaOutcomes",
    "FixedOutcomes",
    "OutcomeModel",
    "Outcomes",
    "WrongAnswers",
]
