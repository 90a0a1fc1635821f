"""The linear latency of tests and teaching."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

sys.path.insert(0, str(Path(__file__).parents[2] / "property"))

from deployments import DENSE, decode_load, deployment, rows_of

from simulator.latency import ConstantLatency

LINEAR = ConstantLatency(step_s=1e-3, sequence_s=1e-5, prefill_token_s=1e-6)


def test_a_step_is_linear_in_sequences_and_prefill_tokens() -> None:
    latency = LINEAR.bind(deployment())
    load = decode_load(DENSE, [10, 20, 30], prefill_tokens=100)
    assert latency.step_seconds(load) == pytest.approx(1e-3 + 3e-5 + 1e-4, rel=1e-12)


def test_contexts_and_deployment_do_not_matter() -> None:
    long = LINEAR.bind(deployment("qwen3-32b", tp=8)).step_seconds(decode_load(DENSE, [30_000]))
    assert long == LINEAR.bind(deployment()).step_seconds(decode_load(DENSE, [1]))


def test_steps_with_the_same_members_take_the_same_time() -> None:
    seconds = LINEAR.bind(deployment()).step_seconds(decode_load(DENSE, [10, 20], 4))
    assert isinstance(seconds, np.ndarray)
    assert seconds.tolist() == [pytest.approx(1.02e-3, rel=1e-12)] * 4


def test_its_one_part_is_all_of_the_time_and_no_work() -> None:
    latency = LINEAR.bind(deployment())
    loads = [decode_load(DENSE, [5, 6], 7), decode_load(DENSE, [5], prefill_tokens=50)]
    (part,) = latency.parts(rows_of(loads)).values()
    assert part.seconds.tolist() == pytest.approx([7 * 1.02e-3, 1.06e-3], rel=1e-12)
    assert not part.flops.any()
    assert not part.hbm_bytes.any()


@pytest.mark.parametrize("step_s", [0.0, -1e-3, float("nan"), float("inf"), "1e-3"])
def test_a_step_takes_time(step_s: object) -> None:
    with pytest.raises(ValidationError, match="step_s"):
        ConstantLatency.model_validate({"step_s": step_s})
