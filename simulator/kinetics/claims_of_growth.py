"""Claims about how the KV cache grows when parameters double, under each reading of what was fitted.

The paper prints one number per family and not how it was found.  The reading that gives Qwen3's is applied to
the other families, where it can fail; it was chosen among several, so they count as inferred inputs too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from simulator.kinetics.accuracy import MODELS
from simulator.kinetics.claims import Claim, Sources
from simulator.kinetics.model import KineticsModel, kinetics_model
from simulator.kinetics.ratios import Fit, kv_growth

PUBLISHED: Final = 1.18
"""Growth of Qwen3's KV cache per doubling of parameters, as printed; the project page says about 1.2."""

FAMILIES: Final[dict[str, tuple[float, tuple[tuple[float, int, int, int], ...]]]] = {
    "Qwen2.5": (
        1.46,
        (
            (0.5, 24, 2, 64),
            (1.5, 28, 2, 128),
            (3.0, 36, 2, 128),
            (7.0, 28, 4, 128),
            (14.0, 48, 8, 128),
            (32.0, 64, 8, 128),
            (72.0, 80, 8, 128),
        ),
    ),
    "LLaMA3": (
        1.27,
        ((1.0, 16, 8, 64), (3.0, 28, 8, 128), (8.0, 32, 8, 128), (70.0, 80, 8, 128), (405.0, 126, 8, 128)),
    ),
    "OPT": (
        1.55,
        (
            (0.125, 12, 12, 64),
            (0.35, 24, 16, 64),
            (1.3, 24, 32, 64),
            (2.7, 32, 32, 80),
            (6.7, 32, 32, 128),
            (13.0, 40, 40, 128),
            (30.0, 48, 56, 128),
            (66.0, 64, 72, 128),
            (175.0, 96, 96, 128),
        ),
    ),
}
"""Published growth, and (nominal size in 1e9, layers, KV heads, head size) of each member.

Source: ``config.json`` of each model as published by its makers (Qwen2.5; Llama 3.1 and 3.2; OPT, arXiv
2205.01068, Table 1).
"""


def family(name: str) -> list[KineticsModel]:
    """Return the members of a family with their nominal sizes."""
    return [
        KineticsModel(f"{name}-{size:g}B", size * 1e9, "exact", 2 * layers * heads * head, 1, 1)
        for size, layers, heads, head in FAMILIES[name][1]
    ]


def _nominal(models: Sequence[KineticsModel]) -> list[KineticsModel]:
    """Return models with the sizes that their names say."""
    return [
        replace(model, active_parameters=float(model.name.removeprefix("qwen3-")[:-1]) * 1e9)
        for model in models
    ]


def _of_family(name: str) -> Callable[[Sources], float]:
    return lambda _: kv_growth(family(name), fit="linear")


def per_step(models: Sequence[KineticsModel]) -> float:
    """Return the growth from one member to the next larger one, geometric mean; sizes do not enter."""
    kv = [model.kv_bytes_per_token for model in models]
    return float((max(kv) / min(kv)) ** (1.0 / (len(kv) - 1)))


def readings() -> dict[str, float]:
    """Return the growth of Qwen3's KV cache by how "when parameters double" may be meant."""
    exact = [kinetics_model(name) for name in MODELS]
    sizes = {
        "nominal sizes": _nominal(exact),
        "exact parameters": exact,
        "the paper's parameters": [kinetics_model(name, parameters="paper") for name in MODELS],
    }
    fits: tuple[tuple[str, Fit], ...] = (("bytes", "linear"), ("logarithms", "log"))
    found = {
        f"power law fitted in {told}, {whose}": kv_growth(models, fit=fit)
        for told, fit in fits
        for whose, models in sizes.items()
    }
    return found | {"from one model to the next, whatever its size": per_step(exact)}


GROWTH: Final = (
    Claim(
        "memory",
        "growth of KV when parameters double, Qwen3",
        PUBLISHED,
        "x",
        0.005,
        "the reading that gives it, for none is printed: power law fitted in bytes over nominal sizes; over "
        "the paper's parameters 1.189; in logarithms 1.139 to 1.150; from one model to the next 1.180",
        lambda _: kv_growth(_nominal([kinetics_model(name) for name in MODELS]), fit="linear"),
        by="inferred inputs",
    ),
    *(
        Claim(
            "memory",
            f"growth of KV when parameters double, {name}",
            published,
            "x",
            0.005,
            "power law fitted in bytes over nominal sizes, the reading that gives Qwen3's 1.18",
            _of_family(name),
            because=because,
            by="inferred inputs",
        )
        for (name, (published, _)), because in zip(
            FAMILIES.items(),
            (
                "",
                "which members were taken is not printed",
                "a fit in logarithms gives 1.56: one reading does not give all four families",
            ),
            strict=True,
        )
    ),
)
