"""Measured runs of whole workloads, replayed and judged by numbers that have not seen them.

The runs lie beside a checkout and are not part of the project (`RUNS` says where in a folder of them).  Each
is judged by calibrations made elsewhere, and by the serving numbers that other runs told: replayed whole, one
run at a time, or for B300 from single engine steps (``fitted_without/``).  What prompts have in common is one
beginning for a whole run, as the scenario of its server says.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Final

from simulator.errors import TraceFormatError
from simulator.hardware import Calibration
from simulator.hardware.calibration import ServingFit, SplitFit
from simulator.measured import BenchRun, read_runs
from simulator.measured.bench import Requests
from simulator.measured.summaries import Place, run_of
from simulator.scenario.loader import load_scenario
from simulator.validate.replay_fit import Misses, Served, as_expected, fit_to, misses_of
from simulator.validate.told_load import ToldLoad

REACH: Final = {"ttft": 0.10, "tpot": 0.05, "e2e": 0.05}
"""Sizes of errors that are to be met."""

STEPS: Final = "steps/requests.csv"
CLIENTS: Final = 32
ENGINE: Final = "vllm"
BORROWED: Final = "the same, the host as on B200, H100 and H200"


@dataclass(frozen=True, slots=True)
class WholeRun:
    """A run of the table.

    Parameters
    ----------
    name : in the table.
    scenario : the server.
    where : file in the folder of measurements; of `STEPS` the name of the run.
    elsewhere : what the calibration was made from, without any of these runs; None: there is none.
    borrowed : whether the host's times of other GPUs are taken too, where no running engine was measured.
    told_by : runs that the serving numbers are fitted to instead, by name; each gives a row of its own.
    steps : file of numbers from the engine steps of other runs instead.
    peer : errors of LLMServingSim fitted to this card: first token, per token, end to end.
    """

    name: str
    scenario: str
    where: str
    elsewhere: str | None = None
    borrowed: bool = False
    told_by: tuple[str, ...] = ()
    steps: str | None = None
    peer: Misses | None = None


GEFORCE: Final = "RTX 4090, Llama-3.1-8B"
PRO: Final = "RTX PRO 6000, Llama-3.1-8B"
MIXTURE: Final = "2 x RTX PRO 6000, Qwen3-30B-A3B"
CODE: Final = "H100, CodeLlama-34B"
CODE_64: Final = f"{CODE}, steps of 64"
CODE_4096: Final = f"{CODE}, steps of 4096"

_SERVING_SIM: Final = "llmservingsim/{}/requests.csv"
_HYBRID: Final = "qwen3.6-35b-a3b"


def _b300(model: str, ranks: str, gpus: int) -> WholeRun:
    """Return a closed-loop run on B300; its numbers come from steps on other numbers of GPUs."""
    title = {"qwen3-32b": "Qwen3-32B", _HYBRID: "Qwen3.6-35B-A3B"}[model]
    whole = ", whole experts" if "_ep" in ranks else ""
    return WholeRun(
        f"{gpus} x B300, {title}{whole}",
        f"validation/b300-{model}-{ranks.replace('_', '-')}",
        f"{model}_{ranks}",
        steps=f"{model}-tp{gpus}",
    )


def _code(name: str, server: str, where: str, told_by: tuple[str, ...]) -> WholeRun:
    """Return a run of CodeLlama-34B on H100."""
    return WholeRun(
        name,
        f"validation/h100-codellama-34b{server}",
        f"blis_ground_truth/H100__codellama-34b_{where}/requests.csv",
        elsewhere="runs of other models",
        told_by=told_by,
    )


RUNS: Final = (
    WholeRun(
        GEFORCE,
        "validation/rtx-4090-llama-3.1-8b",
        _SERVING_SIM.format("RTX4090__Llama-3.1-8B"),
        elsewhere="kernels of L40S",
        borrowed=True,
        peer=Misses(0.006, 0.002, 0.005),
    ),
    WholeRun(
        PRO,
        "validation/rtx-pro-6000-llama-3.1-8b",
        _SERVING_SIM.format("RTXPRO6000__Llama-3.1-8B"),
        elsewhere="kernels alone",
        borrowed=True,
        told_by=(MIXTURE,),
        peer=Misses(-0.040, -0.010, -0.018),
    ),
    WholeRun(
        MIXTURE,
        "validation/rtx-pro-6000-qwen3-30b-a3b",
        _SERVING_SIM.format("RTXPRO6000__Qwen3-30B-A3B-Instruct-2507"),
        elsewhere="kernels alone",
        borrowed=True,
        told_by=(PRO,),
        peer=Misses(-0.136, -0.017, -0.022),
    ),
    _code(CODE, "", "mixed_lengths", (CODE_64, CODE_4096)),
    _code(CODE_64, "-budget-64", "prefill_budget64", (CODE, CODE_4096)),
    _code(CODE_4096, "-budget-4096", "prefill_budget4096", (CODE, CODE_64)),
    *(_b300("qwen3-32b", f"tp{gpus}", gpus) for gpus in (1, 2, 8)),
    *(_b300(_HYBRID, ranks, int(ranks[2])) for ranks in ("tp1", "tp4", "tp4_ep4", "tp8_ep8")),
)
"""Figures of LLMServingSim are those of its own
`casys-kaist/LLMServingSim@5daddb21a545:bench/examples/<GPU>/<model>/validation/summary.txt`."""


@dataclass(frozen=True, slots=True)
class Row:
    """One way of predicting one run: what the numbers come from, and how far off the means are."""

    run: WholeRun
    source: str
    misses: Misses


def judged(folder: Path) -> list[Row]:
    """Return how far off the runs of a folder are; those that are not there are left out.

    Parameters
    ----------
    folder : as `RUNS` says.

    Raises
    ------
    TraceFormatError
        If none of the runs is there.
    """
    served = {run.name: each for run in RUNS if (each := served_of(folder, run)) is not None}
    if not served:
        if not folder.is_dir():
            message = (
                f"{folder}: is no folder; give the one that holds {RUNS[0].where.split('/')[0]} and others"
            )
        else:
            message = (
                f"{folder}: holds none of the runs, for example {RUNS[0].where}: give the folder above it?"
            )
        raise TraceFormatError(message)
    return [row for run in RUNS if run.name in served for row in _rows(run, served)]


def served_of(folder: Path, run: WholeRun) -> Served | None:
    """Return a run with its server; None if it is not in the folder."""
    path = folder / (run.where if "/" in run.where else STEPS)
    if not path.is_file():
        return None
    scenario = load_scenario(run.scenario)
    if "/" not in run.where:
        return Served(closed_loop(path, run.where), scenario, ToldLoad(concurrency=CLIENTS))
    (measured,) = read_runs(path)
    return Served(measured, scenario, ToldLoad())


def closed_loop(path: Path, name: str) -> BenchRun:
    """Return a run of the file of many that has no times but end to end.

    Raises
    ------
    TraceFormatError
        If the run is not in the file.
    """
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["run"] == name and row["workload"] == "real"]
    if not rows:
        message = f"{path}: has no requests of the run {name!r}"
        raise TraceFormatError(message)
    unknown = (math.nan,) * len(rows)
    requests = Requests(
        prompt_tokens=tuple(int(row["prompt_tokens"]) for row in rows),
        output_tokens=tuple(int(row["output_tokens"]) for row in rows),
        ttft_s=unknown,
        itl_s=((),) * len(rows),
        failed=(False,) * len(rows),
        e2e_s=tuple(float(row["e2e_s"]) for row in rows),
        tpot_s=unknown,
    )
    return replace(run_of(Place(path), "engine log", {}), requests=requests)


def _rows(run: WholeRun, served: Mapping[str, Served]) -> list[Row]:
    """Return the rows of a run: calibrated elsewhere, and by what other runs told."""
    own, found = served[run.name], list[Row]()
    shipped = own.scenario.hardware.gpu.calibrations[ENGINE]
    if run.elsewhere is not None:
        found.append(Row(run, run.elsewhere, misses_of(shipped, own)))
    if run.borrowed:
        found.append(Row(run, BORROWED, misses_of(as_expected(shipped), own)))
    for name in run.told_by:
        if name in served:
            fitted = fit_to(shipped, [served[name]], name)
            found.append(Row(run, f"fitted to {name}", misses_of(fitted, own)))
    if run.steps is not None:
        fitted = fitted_without(shipped, run.steps)
        found.append(Row(run, "steps on other numbers of GPUs", misses_of(fitted, own)))
    return found


def fitted_without(shipped: Calibration, name: str) -> Calibration:
    """Return a calibration with the serving numbers that the steps of other runs told.

    Parameters
    ----------
    shipped : gives the kernel numbers.
    name : of the file, without its ending: what was left out of the fit.
    """
    text = files(__package__ or "").joinpath("fitted_without", f"{name}.json").read_text(encoding="utf-8")
    told = json.loads(text)
    serving = ServingFit.model_validate_json(json.dumps(told["serving"]))
    states = shipped.linear_attention
    if name.startswith(_HYBRID) and states is not None:
        own = states.model_copy(update={"serving": serving})
        return shipped.model_copy(update={"linear_attention": own})
    split = SplitFit.model_validate_json(json.dumps(told["split"]))
    return shipped.model_copy(update={"serving": serving, "split": split})


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a table in Markdown."""
    lines = [
        "| run | numbers from | first token | per token | end to end | reached | LLMServingSim, fitted |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        cells = [row.run.name, row.source, *_told(row.misses), reached(row.misses)]
        peer = ", ".join(_told(row.run.peer)) if row.run.peer else "-"
        lines.append(f"| {' | '.join([*cells, peer])} |")
    return "\n".join(lines)


def reached(misses: Misses) -> str:
    """Return which of the figures are within `REACH`.

    Examples
    --------
    >>> reached(Misses(ttft=-0.2, tpot=0.01, e2e=-0.06)), reached(Misses(ttft=None, tpot=None, e2e=0.01))
    ('per token', 'all')
    """
    names = {"ttft": "first token", "tpot": "per token", "e2e": "end to end"}
    known = {name: getattr(misses, name) for name in names if getattr(misses, name) is not None}
    inside = [names[name] for name, miss in known.items() if abs(miss) <= REACH[name]]
    return "all" if len(inside) == len(known) else ", ".join(inside) or "none"


def _told(misses: Misses) -> list[str]:
    figures = (misses.ttft, misses.tpot, misses.e2e)
    return ["-" if miss is None else f"{100.0 * miss:+.1f} %" for miss in figures]
