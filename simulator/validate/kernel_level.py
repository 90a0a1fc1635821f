"""What is known of a calibration before any engine ran: its kernels, and whole steps put together of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

from simulator.validate import decode_steps, kernels
from simulator.validate.decode_steps import DecodeSteps, PeerSteps
from simulator.validate.kernels import KernelErrors, calibrated_pairs

KERNELS_TITLE: Final = "Kernels of shapes that no fit has seen"
STEPS_TITLE: Final = "Whole decode steps against the peer's"


@dataclass(frozen=True, slots=True)
class KernelLevel:
    """Errors of kernels by held-out shapes, and distances of whole decode steps from the peer's.

    Parameters
    ----------
    kernels : a line for each fit.
    steps : a line for each GPU and engine; empty where the peer was not asked.
    """

    kernels: tuple[KernelErrors, ...]
    steps: tuple[DecodeSteps, ...] = ()


NO_KERNELS: Final = KernelLevel(())


def kernel_level(*, gpu: str | None, engine: str | None, peer: PeerSteps | None) -> KernelLevel:
    """Return what kernels tell of the shipped calibrations.

    Parameters
    ----------
    gpu, engine : those of one GPU or engine only.
    peer : whom to ask for whole steps.

    Raises
    ------
    MissingTablesError
        If the timings are not installed.
    """
    pairs = calibrated_pairs(gpu=gpu, engine=engine)
    steps = decode_steps.decode_steps(pairs, peer) if peer is not None else []
    return KernelLevel(tuple(kernels.kernel_errors(pairs)), tuple(steps))


Rows = list[tuple[str, ...]]
"""A table as text, its heads first."""


def told(level: KernelLevel) -> list[tuple[str, str, list[Rows]]]:
    """Return what there is to tell: title, what to know, and tables."""
    found: list[tuple[str, str, list[Rows]]] = []
    if level.kernels:
        about = (
            "Errors in %, median / 90th percentile, on shapes set aside before the fit (one in five, by a "
            "checksum). All-reduces keep every point, so there it is the error of reading every second size "
            "off its neighbours. Of block top-k every second octave of contexts is set aside, and a module "
            "is judged whole: its projections, about half of the time, are taken as measured. Experts in "
            "MXFP4 were timed in two models only; a part of their splits is set aside. Beyond cache: decode "
            f"attention with keys and values of more than {kernels.BEYOND_CACHE:g} times the last-level "
            "cache, the same fit."
        )
        found.append((KERNELS_TITLE, about, kernels.tables(level.kernels)))
    if level.steps:
        about = (
            f"{', '.join(decode_steps.MODELS)} in bf16 on {' and '.join(map(str, decode_steps.TPS))} GPUs, "
            f"{decode_steps.BATCHES[0]} to {decode_steps.BATCHES[-1]} sequences of "
            f"{decode_steps.CONTEXTS[0]} to {decode_steps.CONTEXTS[-1]:,} tokens: our kernels added up, over "
            "the peer's sum of the same timings. The peer counts norms, activations and rotations too; the "
            "columns after them add a time per layer for these, chosen on the other models. Nothing here was "
            "measured as a whole."
        )
        found.append((STEPS_TITLE, about, [decode_steps.table(level.steps)]))
    return found


def to_json(level: KernelLevel) -> dict[str, Any]:
    """Return the level as plain values."""
    return {
        "kernels": [asdict(one) for one in level.kernels],
        "decode_steps": [asdict(one) for one in level.steps],
    }
