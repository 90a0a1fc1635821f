"""Calibrations that have seen no run of a model: to see whether other models tell of it."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.calibrate.runs import MIXTURES, ServingRun
from simulator.calibrate.serving import fitted_to_runs
from simulator.hardware import Calibration, Gpu
from simulator.scenario.catalog import find
from simulator.scenario.loader import load_part
from simulator.validate.predictions import Key
from simulator.validate.silicon import Trust


def without_models(runs: Sequence[ServingRun]) -> dict[Key, Calibration]:
    """Return a calibration for each GPU, engine and model, fitted to the runs of the other models alone.

    Parameters
    ----------
    runs : all measured points; those that cannot be believed are left out.

    Returns
    -------
    Without the models whose GPU and engine have too few runs of others for serving numbers. Mixtures of
    experts take the numbers of dense models.
    """
    trusts = Trust()
    believed = [run for run in runs if trusts(run)]
    found = {}
    for key in dict.fromkeys((run.gpu, run.engine, run.model) for run in believed):
        gpu, engine, model = key
        others = [
            run
            for run in believed
            if (run.gpu, run.engine) == (gpu, engine) and run.model not in (model, *MIXTURES)
        ]
        profile = load_part(find("gpu", gpu), Gpu)
        base = profile.calibrations.get(engine)
        if base is None:
            continue
        alone = {dtype: fit.model_copy(update={"serving": None}) for dtype, fit in base.experts.items()}
        fitted = fitted_to_runs(base.model_copy(update={"experts": alone}), profile, others)
        if fitted is not None:
            found[key] = fitted
    return found
