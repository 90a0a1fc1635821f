"""What a reader of calibrated results must know of the measurements behind them, a sentence each."""

from __future__ import annotations

from simulator.hardware import Calibration, Dtype
from simulator.hardware.calibration import ExpertsFit, ServingFit
from simulator.model import Architecture


def of_serving(c: Calibration, hybrid: ServingFit | None) -> str:
    """Return what a reader must know of the numbers of a running engine.

    Parameters
    ----------
    c : the calibration.
    hybrid : numbers of models with linear attention, where such a model runs and has some.
    """
    serving = hybrid or c.serving
    if serving is None:
        return (
            f"No serving runs of {c.engine} on {c.gpu} were measured: kernels run one after the other "
            "and the host takes no time."
        )
    by = serving.fitted
    if by.median_error_ratio is None or by.p90_error_ratio is None:
        return f"What a running engine adds was fitted to {by.table}; nothing was held out to judge it."
    return (
        f"On {by.held_out_rows} measurements that the fit has not seen ({by.table}), its estimate was "
        f"{by.median_error_ratio:.0%} off in the median and {by.p90_error_ratio:.0%} at the 90th percentile."
    )


def of_kernels(c: Calibration, weight_dtype: Dtype, kv_dtype: Dtype) -> list[str]:
    """Return how far products and decode attention were off alone, where no running engine was measured.

    Parameters
    ----------
    c : the calibration.
    weight_dtype, kv_dtype : formats that run.
    """
    if c.serving is not None:
        return []
    fits = {"matrix products": c.gemm.get(weight_dtype), "decode attention": c.decode_attention.get(kv_dtype)}
    told = []
    for name, fit in fits.items():
        median, p90 = (fit.fitted.median_error_ratio, fit.fitted.p90_error_ratio) if fit else (None, None)
        if median is not None and p90 is not None:
            told.append(f"{name} {median:.0%} in the median and {p90:.0%} at the 90th percentile")
    return [f"Kernels alone were off on shapes not fitted: {', '.join(told)}."] if told else []


def of_experts(fit: ExpertsFit | None, engine: str, *, told: bool) -> list[str]:
    """Return what a reader must know of the experts' time.

    Parameters
    ----------
    fit : of experts in the format that runs, if any.
    engine : the serving engine.
    told : whether the numbers of a running engine come from models with such experts.
    """
    if fit is None:
        return []
    running = fit.serving.fitted if fit.serving and not told else None
    ended = running.caveat().lstrip() if running else ""
    if fit.fitted.median_error_ratio is None:
        return [ended] if ended else []
    alone = (
        f"Layers of experts alone were {fit.fitted.median_error_ratio:.0%} off in the median on shapes "
        "not fitted."
    )
    if told:
        return [alone]
    if running is None:
        return [f"No serving run of such a mixture of experts was fitted. {alone}"]
    if running.median_error_ratio is None or running.p90_error_ratio is None:
        served = f"Times of running experts were fitted to {running.table}; nothing was held out to judge it."
        return [f"{served}{running.caveat()} {alone}"]
    served = (
        f"On {running.held_out_rows} measured runs of {engine} with experts in this format that the fit "
        f"has not seen, its estimate was {running.median_error_ratio:.0%} off in the median and "
        f"{running.p90_error_ratio:.0%} at the 90th percentile.{running.caveat()} {alone}"
    )
    return [served]


def of_launches(serving: ServingFit, architecture: Architecture) -> list[str]:
    """Return what a reader must know of the least times of steps with prompts, where another model told them.

    Parameters
    ----------
    serving : the numbers of a running engine that are in use.
    architecture : of the model that runs.
    """
    captured_s, eager_s = serving.captured_prompt_s, serving.eager_prompt_s
    if not (captured_s or eager_s) or architecture.name in serving.launched_by:
        return []
    models = " and ".join(serving.launched_by) or "a model that the calibration does not name"
    told = (
        f"A step with prompts takes at least {1e3 * captured_s:.3g} ms, or {1e3 * eager_s:.3g} ms beyond the "
        f"largest captured size: the launch of {models}, as measured. {architecture.name} has "
        f"{architecture.layers} layers of its own kind, and its launch was not measured."
    )
    return [told]
