"""Ten million tokens are refused wherever a length may stand: in a trace, in a result and in a scenario."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from simulator.errors import SimulatorError, TraceFormatError
from simulator.kinetics import RecordedLengths
from simulator.measured import read_measured
from workloads.arrivals.trace import TraceArrivals
from workloads.traces import read

MOST = 9_999_999
TRACE = "arrived_at,num_prefill_tokens,num_decode_tokens\n0,{tokens},1\n"
HEAD = "request_id,arrival_s,prompt_tokens,output_tokens,ttft_s,tpot_s,e2e_s\n"
RESULT = HEAD + "0,0.0,{tokens},2,0.1,0.1,0.2\n"


def written(path: Path, text: str, tokens: int) -> Path:
    path.write_text(text.format(tokens=tokens), encoding="utf-8")
    return path


def test_one_less_is_taken_everywhere(tmp_path: Path) -> None:
    assert read(written(tmp_path / "trace.csv", TRACE, MOST)).rows == 1
    assert len(read_measured([written(tmp_path / "requests.csv", RESULT, MOST)])) == 1
    assert TraceArrivals(arrivals_s=(0.0,), prompt_tokens=(MOST,)).recorded_prompt_tokens == (MOST,)
    assert RecordedLengths((MOST,)).tokens == (MOST,)


def test_ten_million_are_refused_everywhere(tmp_path: Path) -> None:
    with pytest.raises(TraceFormatError, match="9999999"):
        read(written(tmp_path / "trace.csv", TRACE, MOST + 1))
    with pytest.raises(TraceFormatError, match="9999999"):
        read_measured([written(tmp_path / "requests.csv", RESULT, MOST + 1)])
    with pytest.raises(ValidationError, match="9999999"):
        TraceArrivals(arrivals_s=(0.0,), prompt_tokens=(MOST + 1,))
    with pytest.raises(SimulatorError, match="9999999"):
        RecordedLengths((MOST + 1,))
