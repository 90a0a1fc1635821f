from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from made_records import Made, two_tasks

from simulator.engine.records import STEP_COLUMNS, TASK_COLUMNS, TRIAL_COLUMNS
from simulator.metrics.frames import STATES, step_frame, task_frame, trial_frame


def test_tasks_have_times_in_seconds_beside_the_integers() -> None:
    frame = task_frame(two_tasks().records())
    assert frame["task_s"].tolist() == [4.0, 8.0]
    assert frame["ended_ns"].tolist() == [4_000_000_000, 10_000_000_000]
    assert frame["solved"].tolist() == [True, False]
    assert set(TASK_COLUMNS) <= set(frame.columns)


def test_what_never_came_is_nan_in_seconds_and_minus_one_in_integers() -> None:
    records = Made().trial(0, 0.0, -1, -1, -1).task(0.0, -1).records(end=1.0)
    tasks, trials = task_frame(records), trial_frame(records)
    assert tasks["ended_ns"].tolist() == [-1]
    assert bool(np.isnan(tasks["task_s"]).all())
    assert bool(np.isnan(trials[["queueing_s", "ttft_s", "tpot_s", "trial_s"]]).all(axis=None))


def test_trials_have_their_times_and_a_state_in_words() -> None:
    frame = trial_frame(two_tasks().records())
    assert frame["ttft_s"].tolist() == [1.0, 2.0, 2.0, 3.5]
    assert frame["queueing_s"].tolist() == [0.0, 1.0, 1.0, 3.0]
    assert frame["tpot_s"].tolist() == pytest.approx([0.2, 0.2, 0.5, 0.45])
    assert frame["state"].tolist() == ["finished"] * 4
    assert tuple(frame["state"].cat.categories) == STATES
    assert set(TRIAL_COLUMNS) <= set(frame.columns)


def test_steps_have_their_mean_step_and_tokens() -> None:
    frame = step_frame(two_tasks().records())
    assert frame["step_s"].tolist() == pytest.approx([0.1, 1.0, 0.8])
    assert frame["output_tokens"].tolist() == [40, 4, 40]
    assert set(STEP_COLUMNS) <= set(frame.columns)


def test_a_frame_does_not_share_memory_with_the_records() -> None:
    records = two_tasks().records()
    frame = step_frame(records)
    frame.loc[0, "steps"] = 77
    assert int(records.steps[0, 3]) == 20


def test_an_empty_run_has_empty_frames() -> None:
    records = Made().records(end=0.0)
    assert [len(f(records)) for f in (task_frame, trial_frame, step_frame)] == [0, 0, 0]
