"""Which numbers of a running engine count where a mixture of experts runs."""

from __future__ import annotations

from typing import Final

from simulator.hardware.calibration import ExpertsFit, ServingFit

REPLACED: Final = frozenset({"step_s", "sequence_s"})
"""Numbers of a `ServingFit` that those of experts replace; the ratios of its kernels are only scaled."""

_SCALED: Final = ("kernel_ratio", "attention_ratio", "prompt_ratio")


def with_experts(serving: ServingFit, experts: ExpertsFit | None) -> ServingFit:
    """Return the numbers of a running engine, those that its runs with such experts tell in their place.

    Parameters
    ----------
    serving : from runs of dense models.
    experts : of the format that runs, if any.
    """
    if experts is None or experts.serving is None:
        return serving
    told = experts.serving
    ratios = {name: told.kernel_ratio * getattr(serving, name) for name in _SCALED}
    replaced = {name: getattr(told, name) for name in (*REPLACED, "largest_batch")}
    return serving.model_copy(update=ratios | replaced)
