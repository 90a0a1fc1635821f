"""The records of a run as pandas frames, in seconds and words; the integer columns stay beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from simulator.engine.records import RunRecords, SequenceState
from simulator.metrics.tables import Columns, RunTables
from simulator.units import NS_PER_S

if TYPE_CHECKING:
    import pandas as pd

STATES: Final = tuple(state.name.lower() for state in SequenceState)
"""Categories of the column ``state``."""


def _frame(columns: Columns, flags: tuple[str, ...] = ()) -> pd.DataFrame:
    """Return columns as a frame: ``x_ns`` with ``x_s`` beside it (NaN for never), flags as booleans."""
    import pandas as pd  # noqa: PLC0415 - imported where used: no start-up cost

    data: dict[str, object] = {}
    for name, values in columns.items():
        data[name] = values.astype(np.bool_) if name in flags else values.copy()
        if name.endswith("_ns"):
            seconds = values / NS_PER_S
            seconds[values < 0] = np.nan
            data[f"{name.removesuffix('_ns')}_s"] = seconds
    return pd.DataFrame(data)


def task_frame(records: RunRecords) -> pd.DataFrame:
    """Return one row per task.

    Columns are those of the task records, with ``arrival_s``, ``ended_s`` and ``task_s`` (arrival to answer),
    NaN where there is no answer yet; `solved` is a boolean.
    """
    frame = _frame(RunTables.of(records).tasks, flags=("solved",))
    frame["task_s"] = frame["ended_s"] - frame["arrival_s"]
    return frame


def trial_frame(records: RunRecords) -> pd.DataFrame:
    """Return one row per node of a request tree.

    Columns are those of the trial records, with the times in seconds, ``queueing_s``, ``ttft_s``, ``tpot_s``
    (NaN below two tokens) and ``trial_s``; `state` is a categorical of `STATES`.  `correct` and `answer`
    are revealed for finished trials only.
    """
    import pandas as pd  # noqa: PLC0415 - imported where used: no start-up cost

    tables = RunTables.of(records)
    frame = _frame(tables.trials, flags=("truncated", "correct"))
    frame["state"] = pd.Categorical.from_codes(tables.trials["state"], categories=pd.Index(STATES))
    frame["queueing_s"] = frame["started_s"] - frame["submitted_s"]
    frame["ttft_s"] = frame["first_token_s"] - frame["submitted_s"]
    gaps = (frame["output_tokens"] - 1).where(tables.finished & (frame["output_tokens"] > 1))
    frame["tpot_s"] = (frame["ended_s"] - frame["first_token_s"]) / gaps
    frame["trial_s"] = (frame["ended_s"] - frame["submitted_s"]).where(tables.finished)
    return frame


def step_frame(records: RunRecords) -> pd.DataFrame:
    """Return one row per step record: consecutive steps of a replica with equal batch size.

    Columns are those of the step records, with ``start_s``, ``end_s``, ``step_s`` (mean step) and the
    ``output_tokens`` made in the row.
    """
    tables = RunTables.of(records)
    frame = _frame(tables.steps)
    frame["step_s"] = (frame["end_s"] - frame["start_s"]) / frame["steps"]
    frame["output_tokens"] = tables.step_tokens
    return frame
