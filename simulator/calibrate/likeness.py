"""A calibration carried over to a GPU of the same architecture that nobody timed.

What belongs to the chip's design stays: launches, the part of the data sheet's bandwidth that kernels reach,
padding.  What belongs to its size is scaled: matrix products keep their rate in FLOP/s, but no more than the
data sheet of the other GPU allows; tiles of attention take longer where there are fewer multiprocessors.
All-reduces, linear attention, and what running engines add are left out: links, sizes and hosts differ.
"""

from __future__ import annotations

from typing import TypeVar

from simulator.calibrate.fitting import rounded
from simulator.calibrate.tables import GPUS
from simulator.errors import SimulatorError
from simulator.hardware import Calibration, Dtype, Gpu, multiplied_as
from simulator.hardware.calibration import ExpertsFit, GemmFit, PrefillAttentionFit

Computing = TypeVar("Computing", GemmFit, ExpertsFit, PrefillAttentionFit)


def carried_over(calibration: Calibration, measured: Gpu, to: Gpu) -> Calibration:
    """Return a calibration for `to` from that of another GPU of its architecture.

    Parameters
    ----------
    calibration : of `measured`; its provenance and errors are those of that GPU and stay.
    measured : the GPU that was timed.
    to : the GPU that was not; number formats that it lacks are left out.

    Returns
    -------
    Calibration
        Its ``gpu`` is still the measured one, so that results name it.

    Raises
    ------
    SimulatorError
        If the multiprocessors of one of them are not known, the GPUs are the same, `to` was timed itself, or
        the calibration was carried over before.
    """
    slower = _slower(calibration, measured, to)
    gemm = {
        d: _capped(fit, d, measured, to) for d, fit in calibration.gemm.items() if d in to.peak_flops_per_s
    }
    prefill = {d: _capped(fit, "bf16", measured, to) for d, fit in calibration.prefill_attention.items()}
    experts = {
        dtype: _capped(fit, multiplied_as(dtype), measured, to).model_copy(update={"serving": None})
        for dtype, fit in calibration.experts.items()
        if multiplied_as(dtype) in to.peak_flops_per_s
    }
    left_out = {"allreduce": (), "linear_attention": None, "split": None, "serving": None}
    changes = {
        "name": f"{to.name}.{calibration.engine}",
        "source": f"{calibration.source}, carried over to {to.name}",
        "gemm": gemm,
        "experts": experts,
        "prefill_attention": {
            d: fit.model_copy(update={"token_head_s": rounded(slower * fit.token_head_s)})
            for d, fit in prefill.items()
        },
        "decode_attention": {
            d: fit.model_copy(
                update={
                    "small_bytes": to.l2_bytes.value,
                    "sequence_head_s": rounded(slower * fit.sequence_head_s),
                }
            )
            for d, fit in calibration.decode_attention.items()
        },
    }
    return calibration.model_copy(update=changes | left_out)


def _slower(calibration: Calibration, measured: Gpu, to: Gpu) -> float:
    """Return how much longer as many tiles take, or refuse what cannot be carried over."""
    if to.name in GPUS:
        message = f"{to.name} was timed itself; nothing is to be carried over: leave --like out"
        raise SimulatorError(message)
    if calibration.gpu != measured.name:
        own = calibration.gpu
        message = f"the kernels of {measured.name} are those of {own} themselves; --like {own}"
        raise SimulatorError(message)
    if measured.multiprocessors is None or to.multiprocessors is None:
        unknown = measured.name if measured.multiprocessors is None else to.name
        message = f"{unknown}: multiprocessors are not known, so nothing can be carried over"
        raise SimulatorError(message)
    return measured.multiprocessors.value / to.multiprocessors.value


def _capped(fit: Computing, dtype: Dtype, measured: Gpu, to: Gpu) -> Computing:
    """Return a fit with the same FLOP/s on another GPU, or its peak where that is less."""
    ratio = fit.compute_ratio * measured.peak(dtype) / to.peak(dtype)
    return fit.model_copy(update={"compute_ratio": rounded(min(1.0, ratio))})
