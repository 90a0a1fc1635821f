"""A worker that has another version of the program refuses instead of computing something else."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest
from small import small

from simulator.sweeps.jobs import Job, OtherCodeError, base_of, code_sha256, run_job
from simulator.sweeps.running import Jobs


def test_a_run_of_another_program_is_refused_and_the_refusal_crosses_processes() -> None:
    job: Job = Jobs(base_of(small())[0]).of({}, "", 0)
    assert run_job(job).status == "ok"
    with pytest.raises(OtherCodeError, match="install the same on all of them") as raised:
        run_job(replace(job, code_sha256="0" * 64))
    crossed = pickle.loads(pickle.dumps(raised.value))  # noqa: S301 - our own
    assert (crossed.asked, crossed.here) == ("0" * 64, code_sha256())
