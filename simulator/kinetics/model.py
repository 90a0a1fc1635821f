"""What the closed forms need to know of a model: parameters, KV elements per token, sharing of heads.

The paper (Kinetics, arXiv 2506.05333) rounds its parameter counts; ours are exact.  A `KineticsModel` says
which of the two it holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, Literal

from simulator.errors import SimulatorError, suggest
from simulator.kinetics.checks import check_word
from simulator.model import Architecture
from simulator.scenario.catalog import find
from simulator.scenario.loader import load_part

ELEMENT_BYTES: Final = 2.0
"""Bytes of a weight and of a KV element: the paper's forms are in BF16."""

PAPER_RIDGE: Final = 562.5
"""FLOP/byte the paper takes for B200: 4500 TFLOP/s over 8 TB/s, an FP8 peak over the bytes of BF16."""

BF16_RIDGE: Final = 281.25
"""FLOP/byte of B200 with the peak of the precision the bytes are counted in: 2250 TFLOP/s over 8 TB/s."""

PAPER_PEAK_FLOPS_PER_S: Final = 4.5e15
"""FLOP/s behind every axis of the paper in B200 seconds (eFLOPs / 4.5e15)."""

PAPER_PARAMETERS: Final[Mapping[str, float]] = MappingProxyType(
    {
        "qwen3-0.6b": 0.752e9,
        "qwen3-1.7b": 2.03e9,
        "qwen3-4b": 4.02e9,
        "qwen3-8b": 8.19e9,
        "qwen3-14b": 14.77e9,
        "qwen3-32b": 32.76e9,
        "qwen3-30b-a3b": 3.3e9,
        "qwen3-235b-a22b": 22e9,
    }
)
"""Active parameters: dense models from the authors' cost scripts, mixtures of experts from the model's card.

0.6B and 1.7B count the embedding table twice although it is tied.  The scripts that draw the frontiers take
14.33e9 for 14B.
"""

Parameters = Literal["exact", "paper"]
"""Whose parameter count: that of the architecture, or the paper's."""


@dataclass(frozen=True, slots=True)
class KineticsModel:
    """A model as the closed forms see it.

    Parameters
    ----------
    name : name of the preset.
    active_parameters : parameters a token uses (P).
    parameters : whose count that is.
    kv_elements_per_token : key and value elements a token leaves over all layers (D).
    query_heads_per_kv_head : r.
    max_context_tokens : longest context the model is published for.
    """

    name: str
    active_parameters: float
    parameters: Parameters
    kv_elements_per_token: int
    query_heads_per_kv_head: int
    max_context_tokens: int

    @classmethod
    def of(cls, architecture: Architecture, *, parameters: Parameters = "exact") -> KineticsModel:
        """Return what the forms need of `architecture`.

        Parameters
        ----------
        architecture : the model.
        parameters : ``exact`` counts them, ``paper`` takes `PAPER_PARAMETERS`.

        Raises
        ------
        SimulatorError
            If the paper's count is asked for and the paper has none.
        """
        check_word("parameters", parameters, Parameters)
        exact = cls(
            architecture.name,
            float(architecture.active_parameters),
            "exact",
            architecture.kv_elements_per_token,
            architecture.query_heads // architecture.kv_heads,
            architecture.max_context_tokens,
        )
        if parameters == "exact":
            return exact
        if architecture.name not in PAPER_PARAMETERS:
            message = f"no parameters of {architecture.name} in the paper; " + suggest(
                architecture.name, PAPER_PARAMETERS
            )
            raise SimulatorError(message)
        return replace(exact, active_parameters=PAPER_PARAMETERS[architecture.name], parameters="paper")

    @property
    def kv_bytes_per_token(self) -> float:
        """Bytes a token leaves in the KV cache, in BF16 (2 D)."""
        return ELEMENT_BYTES * self.kv_elements_per_token


def kinetics_model(name: str, *, parameters: Parameters = "exact") -> KineticsModel:
    """Return a model preset as the closed forms see it.

    Examples
    --------
    >>> model = kinetics_model("qwen3-8b", parameters="paper")
    >>> model.active_parameters, model.kv_elements_per_token, model.query_heads_per_kv_head
    (8190000000.0, 73728, 4)
    """
    return KineticsModel.of(load_part(find("model", name), Architecture), parameters=parameters)
